/* client/config.h -- the configuration: one table of keys (config_table.c),
 * values by number, and the rules that tie keys together (config_check.c).
 *
 * A value is unset until somebody sets it; readers then see the default of its
 * row. Whether a combination makes sense is asked when something is created
 * from it, because only then it is known whether it is for a producer. */
#ifndef KWI_CONFIG_H
#define KWI_CONFIG_H
#include "base/list.h"
#include <kwire/config.h>

/* The words of sasl.mechanism. */
enum kw_sasl_name {
    KWI_MECHANISM_NONE,
    KWI_MECHANISM_PLAIN,
    KWI_MECHANISM_SCRAM_SHA_256,
    KWI_MECHANISM_SCRAM_SHA_512,
    KWI_MECHANISM_OAUTHBEARER,
    KWI_MECHANISM_CUSTOM
};

enum kw_config_type {
    KWI_CONFIG_INT,    /* whole number within min..max */
    KWI_CONFIG_BOOL,   /* true, false; 0 and 1 are taken too */
    KWI_CONFIG_WORD,   /* one of `words`; its value is the index */
    KWI_CONFIG_STRING, /* at most `max` bytes */
    KWI_CONFIG_SECRET, /* the same; never shown, wiped when it is let go */
    KWI_CONFIG_SERVERS /* host:port, host:port, ... */
};
/* What a key applies to. Those of a client are read when it is created: in a
 * producer's or consumer's own configuration they would be ignored, and are
 * refused there. */
enum {
    KWI_APPLIES_CLIENT = 1,
    KWI_APPLIES_PRODUCER = 2,
    KWI_APPLIES_CONSUMER = 4,
    KWI_APPLIES_TOPIC = 16 /* a topic of a producer */
};
/* Besides: the driver reads the key, and the core does not. */
enum { KWI_APPLIES_DRIVER = 8 };
enum {
    KWI_CONFIG_TEXT_MAX = 64 * 1024, /* bytes of a string value */
    KWI_CONFIG_FILE_MAX = 1024 * 1024,
    KWI_REFERENCE_NAME_MAX = 1023 /* bytes of the NAME in ${env:NAME} */
};

struct kw_config_row {
    const char *key;     /* Java's name */
    const char *aliases; /* other names, separated by '|'; NULL none */
    const char *unit;    /* "ms", "bytes", "" */
    const char *words;   /* WORD: the words, separated by '|'; INT: "all=-1" */
    const char *planned; /* words of Kafka that this version refuses, by '|' */
    const char *refusal; /* why and what to do instead, when a value is refused */
    const char *text;    /* STRING: default, NULL none */
    const char *doc;
    int64_t def, min, max;
    uint8_t type;    /* enum kw_config_type */
    uint8_t applies; /* KWI_APPLIES_* */
};
extern const struct kw_config_row kwi_config_rows[KW_N_KEYS];

struct kw_config {
    struct kw_alloc alloc;
    int64_t number[KW_N_KEYS];
    char *text[KW_N_KEYS]; /* NUL-terminated, NULL unset */
    bool set[KW_N_KEYS];
    struct kw_config_source source; /* of ${env:NAME}; get NULL: there is none */
};

/* The value, or the row's default. cfg may be NULL: the default. Texts read as
 * 0. */
int64_t kwi_config_i64(const struct kw_config *cfg, enum kw_key key);
/* The text, the row's default, or NULL when there is none. */
const char *kwi_config_str(const struct kw_config *cfg, enum kw_key key);
bool kwi_config_is_set(const struct kw_config *cfg, enum kw_key key);
/* own (may be NULL) before client. */
int64_t kwi_config_effective(const struct kw_config *client, const struct kw_config *own,
                             enum kw_key key);
/* A deep copy, without the secrets that only the driver needs. cfg NULL: an empty
 * configuration. Errors: KW_ERR_NOMEM. */
KW_MUST_USE int kwi_config_copy(struct kw_config **out, const struct kw_config *cfg,
                                const struct kw_alloc *alloc);

/* Applies the rules between keys for something that is about to be created from
 * client and own (may be NULL). applies is one KWI_APPLIES_*. 0, or KW_ERR_CONFIG
 * with key, value, rule and remedy in *err (may be NULL). */
KW_MUST_USE int kwi_config_check(const struct kw_config *client, const struct kw_config *own,
                                 unsigned applies, struct kw_error *err);
/* Whether connections authenticate before their first request. */
bool kwi_config_uses_sasl(const struct kw_config *cfg);
/* Reads the value of sasl.jaas.config and sets what it says. Errors: KW_ERR_CONFIG,
 * KW_ERR_NOMEM. */
KW_MUST_USE int kwi_config_jaas(struct kw_config *cfg, const char *text, struct kw_error *err);
/* kw_config_set with the references in val replaced (references.c). */
KW_MUST_USE int kwi_references_set(struct kw_config *cfg, const char *key, const char *val,
                                   struct kw_error *err);
/* Whether connections begin with a TLS handshake. */
bool kwi_config_uses_tls(const struct kw_config *cfg);
/* The fetch reserve in bytes: fetch.memory, or what the other reserves leave. */
int64_t kwi_config_fetch_memory(const struct kw_config *client);

/* One entry of bootstrap.servers; host is borrowed from the text. */
struct kw_server {
    const char *host;
    size_t host_len; /* 1 to 255, brackets of an IPv6 address left out */
    uint16_t port;
};
/* Reads the next entry at *text and moves it on. 1, 0 at the end, or
 * KW_ERR_CONFIG with *why set to a static text. */
KW_MUST_USE int kwi_config_next_server(const char **text, struct kw_server *server,
                                       const char **why);

/* Whether a host name can have this character. */
bool kwi_config_is_host_char(char c);

/* The key with that name or alias, or KW_N_KEYS. */
enum kw_key kwi_config_find(const char *name, size_t len);
/* The key whose name is nearest by edit distance, or KW_N_KEYS if none is near. */
enum kw_key kwi_config_nearest(const char *name, size_t len);
/* Word number `index` of a list separated by '|'; NULL at the end. */
const char *kwi_config_word(const char *words, unsigned index, size_t *len);
/* Writes the value of a key as a person would set it. */
void kwi_config_value_text(enum kw_key key, int64_t value, char *buf, size_t cap);
/* Reads an ISO-8601 duration, PnDTnHnMn.nS, into ms; what is below is cut off. */
bool kwi_config_duration(const char *val, size_t len, int64_t *ms);
/* Whether the value of a row is a text: a string, a secret, servers. */
bool kwi_config_is_text(const struct kw_config_row *row);
/* Overwrites memory that held a secret, in a way that is not optimized away. */
void kwi_config_wipe(void *ptr, size_t len);
/* Fills *err (may be NULL) and returns KW_ERR_CONFIG. The text is
 * "key = value: rule". */
int kwi_config_refuse(struct kw_error *err, const char *key, const char *value, size_t value_len,
                      const char *rule, const char *remedy);

#endif
