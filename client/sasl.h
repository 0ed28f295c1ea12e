/* client/sasl.h -- proving who we are, before the first request of a connection
 * and again before its session ends (KIP-152, KIP-368).
 *
 *   OFFER --the broker takes the mechanism--> MAKE --token--> SEND --answer--> MAKE
 *   MAKE --nothing left to say--> DONE        any of them --failure--> FAILED
 *
 * In MAKE the mechanism works on its next token: at once (PLAIN), by a work item
 * (SCRAM), or once the application has brought one (OAUTHBEARER). The number of
 * answers is bounded, whatever the broker says. The connection's own states are in
 * conn.h. */
#ifndef KWI_SASL_CLIENT_H
#define KWI_SASL_CLIENT_H
#include "client/conn.h"

enum { KWI_SASL_ROUNDS_MAX = 8, KWI_SASL_TOKEN_MAX = 64 * 1024 };

/* What a mechanism returns besides a negative enum kw_err with *err filled. */
enum kw_sasl_outcome {
    KWI_SASL_MADE = 1, /* the next token is in sasl->out */
    KWI_SASL_LATER,    /* kwi_sasl_made or kwi_sasl_fail follows */
    KWI_SASL_FINISHED  /* the broker has said all that it must */
};

struct kw_sasl;

struct kw_sasl_mechanism {
    const char *name; /* NULL: that of kw_env.sasl */
    bool needs_crypto;
    size_t state_size; /* of sasl->own, which starts as zeros */
    int (*begin)(struct kw_sasl *sasl, struct kw_error *err);
    /* The broker took our token and answered these bytes. */
    int (*step)(struct kw_sasl *sasl, const uint8_t *token, size_t len, struct kw_error *err);
    /* Lets go of work and waiting; own is wiped and freed behind it. May be NULL. */
    void (*end)(struct kw_sasl *sasl);
};
extern const struct kw_sasl_mechanism kwi_sasl_plain, kwi_sasl_scram_sha_256,
    kwi_sasl_scram_sha_512, kwi_sasl_oauthbearer, kwi_sasl_custom;
/* That of sasl.mechanism, or NULL. */
const struct kw_sasl_mechanism *kwi_sasl_mechanism(const struct kw_config *cfg);

struct kw_sasl {
    struct kw_core *core;
    struct kw_conn *conn;
    const struct kw_sasl_mechanism *mechanism;
    const char *name;     /* as the broker knows it */
    uint8_t state;        /* enum sasl_state in sasl.c */
    bool asked;           /* the request of this state is under way */
    uint8_t rounds;       /* tokens sent */
    uint8_t *out;         /* the next token; wiped when it is freed */
    size_t out_len;       /* size of out */
    bool out_empty;       /* a token of no bytes */
    void *own;            /* of the mechanism */
    char note[120];       /* what the broker said of its refusal, "" */
    struct kw_node waits; /* in core->oauth.waiting */
};

/* Begins on a connection that is open and knows the broker's versions. Errors:
 * KW_ERR_NOMEM, KW_ERR_UNSUPPORTED, with *err filled. */
KW_MUST_USE int kwi_sasl_begin(struct kw_conn *conn, struct kw_error *err);
/* Frees what there is, at any time. */
void kwi_sasl_end(struct kw_conn *conn);
/* The request that should be sent now, or NULL. */
struct kw_request *kwi_sasl_request(struct kw_conn *conn);
/* Why it takes so long, for a person. */
const char *kwi_sasl_waits_for(const struct kw_conn *conn);

/* For mechanisms: memory of n bytes for the next token, which replaces the last. */
KW_MUST_USE uint8_t *kwi_sasl_out(struct kw_sasl *sasl, size_t n);
/* The token that was made just now has no bytes (then n was 1). */
void kwi_sasl_out_empty(struct kw_sasl *sasl);
/* Goes on behind what a mechanism returned. */
void kwi_sasl_follow(struct kw_sasl *sasl, int rc, const struct kw_error *err);
/* After KWI_SASL_LATER. */
void kwi_sasl_made(struct kw_sasl *sasl);
void kwi_sasl_fail(struct kw_sasl *sasl, const struct kw_error *err);
/* Fills *err for a broker that does not keep to the mechanism; KW_ERR_AUTH. */
int kwi_sasl_refuse(const struct kw_sasl *sasl, struct kw_error *err, const char *why,
                    size_t why_len);

/* A cell of the state table, as kwi_conn_cell. States: OFFER MAKE SEND DONE FAILED;
 * events: TAKEN MADE ANSWERED FINISHED FAILED. */
enum { KWI_SASL_STATES = 5, KWI_SASL_EVENTS = 5 };
bool kwi_sasl_cell(unsigned state, unsigned event, unsigned *next);

/* sasl_oauth.c: the token of the core, and who waits for one. */
void kwi_oauth_init(struct kw_core *core);
void kwi_oauth_deinit(struct kw_core *core);
/* There is a token: those that waited for it go on. */
void kwi_oauth_serve(struct kw_core *core);
/* sasl_hook.c: whether kw_env.sasl can be used. */
KW_MUST_USE int kwi_sasl_hook_check(const struct kw_config *cfg, const struct kw_env *env,
                                    struct kw_error *err);
/* sasl_scram.c: work that the driver never ran. */
void kwi_scram_deinit(struct kw_core *core);

#endif
