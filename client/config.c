/* client/config.c -- a configuration object: values from text and from numbers,
 * checked against their rows. Rules between keys are in config_check.c, reading
 * of property files is in properties.c.
 *
 * A refused value leaves the old one. Nothing here is on a hot path. */
#include "client/config.h"

#include <string.h>

#include "base/fmt.h"

int kwi_config_refuse(struct kw_error *err, const char *key, const char *value, size_t value_len,
                      const char *rule, const char *remedy)
{
    size_t shown = value_len > 60 ? 60 : value_len;
    if (!err)
        return KW_ERR_CONFIG;
    *err = (struct kw_error){.code = KW_ERR_CONFIG, .phase = KW_PHASE_CONFIG, .broker = -1};
    kwi_fmt(err->text, sizeof err->text, "%s = %.*s%s: %s", key, (int)shown, value,
            shown < value_len ? "..." : "", rule);
    kwi_fmt(err->hint, sizeof err->hint, "%s", remedy);
    return KW_ERR_CONFIG;
}

static void *config_alloc(const struct kw_config *cfg, size_t size)
{
    return cfg->alloc.alloc(cfg->alloc.ctx, size);
}

bool kwi_config_is_text(const struct kw_config_row *row)
{
    return row->type == KWI_CONFIG_STRING || row->type == KWI_CONFIG_SECRET ||
           row->type == KWI_CONFIG_SERVERS;
}

void kwi_config_wipe(void *ptr, size_t len)
{
    volatile unsigned char *at = ptr;
    while (len-- > 0)
        *at++ = 0;
}

static void config_free_text(struct kw_config *cfg, unsigned key)
{
    char *text = cfg->text[key];
    size_t len;
    if (!text)
        return;
    len = strlen(text);
    if (kwi_config_rows[key].type == KWI_CONFIG_SECRET)
        kwi_config_wipe(text, len);
    cfg->alloc.free(cfg->alloc.ctx, text, len + 1);
    cfg->text[key] = NULL;
}

/* ---- values from text --------------------------------------------------------- */

static bool config_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

static char config_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool config_same_word(const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (a_len != b_len)
        return false;
    for (size_t i = 0; i < a_len; i++) {
        if (config_lower(a[i]) != config_lower(b[i]))
            return false;
    }
    return true;
}

/* -1 if the word is not in the list. */
static int config_word_index(const char *words, const char *val, size_t len)
{
    const char *word;
    size_t n;
    for (unsigned i = 0; (word = kwi_config_word(words, i, &n)); i++) {
        if (config_same_word(word, n, val, len))
            return (int)i;
    }
    return -1;
}

/* A decimal number of 64 bits, with an optional minus. */
static bool config_read_number(const char *val, size_t len, int64_t *out)
{
    bool minus = len > 0 && val[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + minus, sum = 0;
    if (len == minus)
        return false;
    for (size_t i = minus; i < len; i++) {
        unsigned digit = (unsigned)((unsigned char)val[i] - '0');
        if (digit > 9 || sum > (limit - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *out = minus ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

/* "all=-1": a word that stands for a number. */
static bool config_named_number(const char *words, const char *val, size_t len, int64_t *out)
{
    const char *word;
    size_t n;
    for (unsigned i = 0; (word = kwi_config_word(words, i, &n)); i++) {
        size_t name = 0;
        while (name < n && word[name] != '=')
            name++;
        if (name < n && config_same_word(word, name, val, len))
            return config_read_number(word + name + 1, n - name - 1, out);
    }
    return false;
}

static int config_refuse_row(const struct kw_config_row *row, const char *val, size_t len,
                             struct kw_error *err)
{
    char rule[160], hint[128];
    size_t n;
    switch ((enum kw_config_type)row->type) {
    case KWI_CONFIG_INT:
        kwi_fmt(rule, sizeof rule, "must be a whole number from %lld to %lld%s%s%s%s",
                (long long)row->min, (long long)row->max, *row->unit ? " " : "", row->unit,
                row->words ? ", or " : "", row->words ? row->words : "");
        break;
    case KWI_CONFIG_BOOL: kwi_fmt(rule, sizeof rule, "must be true or false"); break;
    case KWI_CONFIG_WORD:
        kwi_fmt(rule, sizeof rule, "must be %s%s",
                kwi_config_word(row->words, 1, &n) ? "one of " : "", row->words);
        break;
    case KWI_CONFIG_SECRET:
        val = "(hidden)";
        len = strlen(val);
        kwi_fmt(rule, sizeof rule, "must have at most %lld bytes", (long long)row->max);
        break;
    case KWI_CONFIG_STRING:
    case KWI_CONFIG_SERVERS:
        kwi_fmt(rule, sizeof rule, "must have at most %lld bytes", (long long)row->max);
        break;
    }
    if (row->refusal)
        kwi_fmt(hint, sizeof hint, "%s", row->refusal);
    else
        kwi_fmt(hint, sizeof hint, "see %s in docs/CONFIG.md", row->key);
    return kwi_config_refuse(err, row->key, val, len, rule, hint);
}

static bool config_in_range(const struct kw_config_row *row, int64_t number)
{
    unsigned n_words = 0;
    size_t len;
    switch ((enum kw_config_type)row->type) {
    case KWI_CONFIG_INT:
    case KWI_CONFIG_BOOL: return number >= row->min && number <= row->max;
    case KWI_CONFIG_WORD:
        while (kwi_config_word(row->words, n_words, &len))
            n_words++;
        return (number >= 0 || row == &kwi_config_rows[KW_KEY_AUTO_OFFSET_RESET]) &&
               number < n_words;
    case KWI_CONFIG_STRING:
    case KWI_CONFIG_SECRET:
    case KWI_CONFIG_SERVERS: break;
    }
    return false;
}

/* "by_duration:PT1H" (KIP-1106) is -1 - ms, so that it is none of the words. */
static bool config_read_reset(const char *val, size_t len, int64_t *out)
{
    static const char prefix[] = "by_duration:";
    size_t n = sizeof(prefix) - 1;
    int64_t ms;

    if (len < n || !config_same_word(prefix, n, val, n) ||
        !kwi_config_duration(val + n, len - n, &ms))
        return false;
    *out = -1 - ms;
    return true;
}

/* Reads a number, bool or word. */
static bool config_read_value(const struct kw_config_row *row, const char *val, size_t len,
                              int64_t *out)
{
    *out = 0; /* gcc does not see that a refused value is never looked at */
    switch ((enum kw_config_type)row->type) {
    case KWI_CONFIG_INT:
        if (!config_read_number(val, len, out) && !config_named_number(row->words, val, len, out))
            return false;
        break;
    case KWI_CONFIG_BOOL:
        if (config_read_number(val, len, out))
            break;
        *out = config_word_index("false|true", val, len);
        break;
    case KWI_CONFIG_WORD:
        if (row == &kwi_config_rows[KW_KEY_AUTO_OFFSET_RESET] && config_read_reset(val, len, out))
            break;
        *out = config_word_index(row->words, val, len);
        if (*out < 0)
            return false;
        break;
    case KWI_CONFIG_STRING:
    case KWI_CONFIG_SECRET:
    case KWI_CONFIG_SERVERS: return false;
    }
    return config_in_range(row, *out);
}

/* ---- bootstrap.servers ----------------------------------------------------------- */

bool kwi_config_is_host_char(char c)
{
    c = config_lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

static bool config_host_char(char c, bool v6)
{
    if ((c >= '0' && c <= '9') || c == '.' || c == '%')
        return true;
    c = config_lower(c);
    if (v6)
        return c == ':' || (c >= 'a' && c <= 'z') || c == '-' || c == '_'; /* of a zone */
    return (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

static bool config_read_port(const char *text, size_t len, uint16_t *port)
{
    int64_t number;
    if (!config_read_number(text, len, &number) || number < 1 || number > UINT16_MAX)
        return false;
    *port = (uint16_t)number;
    return true;
}

/* One entry without the spaces around it. Returns why it is bad, or NULL. */
static const char *config_read_server(const char *text, size_t len, struct kw_server *server)
{
    bool v6 = text[0] == '[';
    size_t host_end = v6, port_at;
    server->port = 9092;
    while (host_end < len && text[host_end] != (v6 ? ']' : ':'))
        host_end++;
    if (v6 && host_end == len)
        return "an IPv6 address has no closing bracket";
    port_at = host_end + v6;
    server->host = text + v6;
    server->host_len = host_end - v6;
    if (server->host_len == 0 || server->host_len > 255)
        return "a host name must have 1 to 255 characters";
    for (size_t i = 0; i < server->host_len; i++) {
        if (!config_host_char(server->host[i], v6))
            return "a host name has a character that no host name has";
    }
    if (port_at == len)
        return NULL;
    if (text[port_at] != ':')
        return "a bracket must be followed by :port";
    for (size_t i = port_at + 1; i < len && !v6; i++) {
        if (text[i] == ':')
            return "an IPv6 address must stand in brackets";
        if (text[i] == '/')
            return "a server is written without a protocol:// in front";
    }
    if (!config_read_port(text + port_at + 1, len - port_at - 1, &server->port))
        return "a port must be a number from 1 to 65535";
    return NULL;
}

int kwi_config_next_server(const char **text, struct kw_server *server, const char **why)
{
    const char *start = *text, *end;
    size_t len;
    while (config_is_space(*start) || *start == ',')
        start++;
    for (end = start; *end && *end != ','; end++)
        ;
    *text = end;
    len = (size_t)(end - start);
    while (len > 0 && config_is_space(start[len - 1]))
        len--;
    if (len == 0)
        return 0;
    *why = config_read_server(start, len, server);
    return *why ? KW_ERR_CONFIG : 1;
}

/* NULL, or why the list cannot be used. */
static const char *config_check_servers(const char *text)
{
    struct kw_server server;
    const char *why = NULL;
    int n = 0, rc;
    while ((rc = kwi_config_next_server(&text, &server, &why)) > 0)
        n++;
    return rc == 0 && n == 0 ? "no server is named" : why;
}

static int config_set_text(struct kw_config *cfg, unsigned key, const char *val, size_t len,
                           struct kw_error *err)
{
    const struct kw_config_row *row = &kwi_config_rows[key];
    const char *why;
    char *copy;
    if ((int64_t)len > row->max)
        return config_refuse_row(row, val, len, err);
    copy = config_alloc(cfg, len + 1);
    if (!copy)
        return KW_ERR_NOMEM;
    memcpy(copy, val, len);
    copy[len] = 0;
    why = row->type == KWI_CONFIG_SERVERS ? config_check_servers(copy) : NULL;
    if (why) {
        cfg->alloc.free(cfg->alloc.ctx, copy, len + 1);
        return kwi_config_refuse(err, row->key, val, len, why,
                                 "write host:port, separated by commas; [::1]:9092 for IPv6");
    }
    config_free_text(cfg, key);
    cfg->text[key] = copy;
    cfg->set[key] = true;
    return 0;
}

/* The value is not shown: a misspelt key may be that of a password. */
static int config_unknown(const char *key, struct kw_error *err)
{
    size_t len = strlen(key);
    enum kw_key near = kwi_config_nearest(key, len);
    char name[72], hint[128];
    kwi_fmt(name, sizeof name, "%.*s%s", len > 60 ? 60 : (int)len, key, len > 60 ? "..." : "");
    if (near < KW_N_KEYS)
        kwi_fmt(hint, sizeof hint, "did you mean %s?", kwi_config_rows[near].key);
    else
        kwi_fmt(hint, sizeof hint, "the known keys are listed in docs/CONFIG.md");
    return kwi_config_refuse(err, name, "...", 3, "no such key", hint);
}

/* ---- public ------------------------------------------------------------------------ */

int kw_config_create(struct kw_config **out, const struct kw_alloc *alloc)
{
    struct kw_config *cfg;
    if (!out || !alloc || !alloc->alloc || !alloc->free)
        return KW_ERR_USE;
    *out = NULL;
    cfg = alloc->alloc(alloc->ctx, sizeof *cfg);
    if (!cfg)
        return KW_ERR_NOMEM;
    memset(cfg, 0, sizeof *cfg);
    cfg->alloc = *alloc;
    *out = cfg;
    return 0;
}

void kw_config_destroy(struct kw_config *cfg)
{
    if (!cfg)
        return;
    for (unsigned key = 0; key < KW_N_KEYS; key++)
        config_free_text(cfg, key);
    cfg->alloc.free(cfg->alloc.ctx, cfg, sizeof *cfg);
}

int kw_config_set(struct kw_config *cfg, const char *key, const char *val, struct kw_error *err)
{
    const struct kw_config_row *row;
    enum kw_key id;
    int64_t number;
    size_t len;
    if (!cfg || !key || !val)
        return KW_ERR_USE;
    id = kwi_config_find(key, strlen(key));
    if (id == KW_N_KEYS)
        return config_unknown(key, err);
    row = &kwi_config_rows[id];
    if (id == KW_KEY_SASL_JAAS_CONFIG)
        return kwi_config_jaas(cfg, val, err);
    /* Spaces may be part of a password. */
    if (row->type == KWI_CONFIG_SECRET)
        return config_set_text(cfg, id, val, strlen(val), err);
    while (config_is_space(*val))
        val++;
    len = strlen(val);
    while (len > 0 && config_is_space(val[len - 1]))
        len--;
    if (kwi_config_is_text(row))
        return config_set_text(cfg, id, val, len, err);
    if (!config_read_value(row, val, len, &number))
        return config_refuse_row(row, val, len, err);
    cfg->number[id] = number;
    cfg->set[id] = true;
    return 0;
}

int kw_config_set_i64(struct kw_config *cfg, enum kw_key key, int64_t val, struct kw_error *err)
{
    const struct kw_config_row *row;
    char text[24];
    if (!cfg || (unsigned)key >= KW_N_KEYS)
        return KW_ERR_USE;
    row = &kwi_config_rows[key];
    kwi_fmt(text, sizeof text, "%lld", (long long)val);
    if (kwi_config_is_text(row))
        return kwi_config_refuse(err, row->key, text, strlen(text), "this key takes a text",
                                 "use kw_config_set");
    if (!config_in_range(row, val))
        return config_refuse_row(row, text, strlen(text), err);
    cfg->number[key] = val;
    cfg->set[key] = true;
    return 0;
}

int64_t kw_config_number(const struct kw_config *cfg, enum kw_key key)
{
    return (unsigned)key < KW_N_KEYS ? kwi_config_i64(cfg, key) : 0;
}

const char *kw_config_text(const struct kw_config *cfg, enum kw_key key)
{
    return (unsigned)key < KW_N_KEYS ? kwi_config_str(cfg, key) : NULL;
}

/* ---- for the rest of client/ --------------------------------------------------------- */

int64_t kwi_config_i64(const struct kw_config *cfg, enum kw_key key)
{
    return cfg && cfg->set[key] ? cfg->number[key] : kwi_config_rows[key].def;
}

const char *kwi_config_str(const struct kw_config *cfg, enum kw_key key)
{
    return cfg && cfg->set[key] ? cfg->text[key] : kwi_config_rows[key].text;
}

bool kwi_config_is_set(const struct kw_config *cfg, enum kw_key key)
{
    return cfg && cfg->set[key];
}

bool kwi_config_uses_sasl(const struct kw_config *cfg)
{
    int64_t protocol = kwi_config_i64(cfg, KW_KEY_SECURITY_PROTOCOL);
    return protocol == KW_SECURITY_SASL_PLAINTEXT || protocol == KW_SECURITY_SASL_SSL;
}

bool kwi_config_uses_tls(const struct kw_config *cfg)
{
    int64_t protocol = kwi_config_i64(cfg, KW_KEY_SECURITY_PROTOCOL);
    return protocol == KW_SECURITY_SSL || protocol == KW_SECURITY_SASL_SSL;
}

int64_t kwi_config_effective(const struct kw_config *client, const struct kw_config *own,
                             enum kw_key key)
{
    return kwi_config_i64(kwi_config_is_set(own, key) ? own : client, key);
}

int kwi_config_copy(struct kw_config **out, const struct kw_config *cfg,
                    const struct kw_alloc *alloc)
{
    struct kw_config *copy;
    int rc = kw_config_create(&copy, alloc);
    *out = NULL;
    if (rc)
        return rc;
    for (unsigned key = 0; cfg && key < KW_N_KEYS; key++) {
        bool secret = kwi_config_rows[key].type == KWI_CONFIG_SECRET;
        if (secret && (kwi_config_rows[key].applies & KWI_APPLIES_DRIVER))
            continue;
        if (cfg->text[key])
            rc = config_set_text(copy, key, cfg->text[key], strlen(cfg->text[key]), NULL);
        if (rc) {
            kw_config_destroy(copy);
            return rc;
        }
        copy->number[key] = cfg->number[key];
        copy->set[key] = cfg->set[key];
    }
    *out = copy;
    return 0;
}

static void config_reset_text(int64_t ms, char *buf, size_t cap)
{
    int below = (int)(ms % 1000);

    kwi_fmt(buf, cap, "by_duration:PT%lld.%d%d%dS", (long long)(ms / 1000), below / 100,
            below / 10 % 10, below % 10);
}

void kwi_config_value_text(enum kw_key key, int64_t value, char *buf, size_t cap)
{
    const struct kw_config_row *row = &kwi_config_rows[key];
    const char *word = NULL;
    size_t len = 0;
    if (row->type == KWI_CONFIG_BOOL)
        word = kwi_config_word("false|true", (unsigned)value, &len);
    else if (row->type == KWI_CONFIG_WORD)
        word = kwi_config_word(row->words, (unsigned)value, &len);
    else if (key == KW_KEY_ACKS && value == -1)
        word = kwi_config_word("all", 0, &len);
    if (key == KW_KEY_AUTO_OFFSET_RESET && value < 0)
        config_reset_text(-1 - value, buf, cap);
    else if (word)
        kwi_fmt(buf, cap, "%.*s", (int)len, word);
    else
        kwi_fmt(buf, cap, "%lld", (long long)value);
}
