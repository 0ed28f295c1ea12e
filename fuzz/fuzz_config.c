/* fuzz_config.c -- configuration from text: single keys, property files.
 *
 * covers: M01 M07
 *
 * Byte 0 chooses what the rest is and which allocation fails. Checks: no bad
 * access, no leak; a refusal says why in whole strings and leaves the old value;
 * what was set reads the same when it is set again from its own text; a copy is
 * equal; a properties text with other line ends means the same, with and without
 * a source of references. NUL cannot stand in a C string, so keys and values are cut there, as callers would. */
#include <stdlib.h>
#include <string.h>

#include "client/config.h"
#include <kwire/core.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond)  \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

struct host {
    size_t live, n_allocs, fail_at;
};

static void *host_alloc(void *ctx, size_t size)
{
    struct host *host = ctx;
    void *ptr;
    if (host->n_allocs++ == host->fail_at || size > 4 << 20)
        return NULL;
    ptr = malloc(size);
    CHECK(ptr);
    host->live += size;
    return ptr;
}

static void host_free(void *ctx, void *ptr, size_t size)
{
    struct host *host = ctx;
    CHECK(host->live >= size);
    host->live -= size;
    free(ptr);
}

/* A refusal is one that a person can read. This host has no cryptography, which is
 * KW_ERR_UNSUPPORTED where a mechanism needs it. */
static void check_refusal(int rc, const struct kw_error *err, const struct host *host)
{
    bool refused = rc == KW_ERR_CONFIG || rc == KW_ERR_UNSUPPORTED;
    CHECK(rc == 0 || refused || (rc == KW_ERR_NOMEM && host->n_allocs > host->fail_at));
    if (!refused)
        return;
    CHECK(err->code == rc && err->phase == KW_PHASE_CONFIG);
    CHECK(memchr(err->text, 0, sizeof err->text) && err->text[0]);
    CHECK(memchr(err->hint, 0, sizeof err->hint) && err->hint[0]);
}

static void check_same(const struct kw_config *a, const struct kw_config *b)
{
    for (unsigned key = 0; key < KW_N_KEYS; key++) {
        const char *one = kwi_config_str(a, (enum kw_key)key);
        const char *two = kwi_config_str(b, (enum kw_key)key);
        CHECK(kwi_config_is_set(a, (enum kw_key)key) == kwi_config_is_set(b, (enum kw_key)key));
        CHECK(kwi_config_i64(a, (enum kw_key)key) == kwi_config_i64(b, (enum kw_key)key));
        CHECK(!one == !two && (!one || strcmp(one, two) == 0));
    }
}

/* Every value that was taken is taken again from its text. */
static void check_texts(const struct kw_config *cfg, const struct kw_alloc *alloc)
{
    struct kw_config *again;
    struct kw_error err;
    int rc = kw_config_create(&again, alloc);
    for (unsigned key = 0; !rc && key < KW_N_KEYS; key++) {
        char text[64];
        const char *val = kwi_config_str(cfg, (enum kw_key)key);
        if (!kwi_config_is_set(cfg, (enum kw_key)key))
            continue;
        if (!val) {
            kwi_config_value_text((enum kw_key)key, kwi_config_i64(cfg, (enum kw_key)key), text,
                                  sizeof text);
            val = text;
        }
        rc = kw_config_set(again, kwi_config_rows[key].key, val, &err);
        CHECK(rc != KW_ERR_CONFIG);
    }
    if (!rc)
        check_same(cfg, again);
    kw_config_destroy(again);
}

static void check_servers(const struct kw_config *cfg)
{
    const char *text = kwi_config_str(cfg, KW_KEY_BOOTSTRAP_SERVERS), *why = NULL;
    struct kw_server server;
    while (text && kwi_config_next_server(&text, &server, &why) == 1)
        CHECK(server.host_len >= 1 && server.host_len <= 255 && server.port > 0);
    CHECK(!why);
}

/* What was set makes a client, or a refusal that says why. */
static void check_create(const struct kw_config *cfg, struct host *host)
{
    struct kw_env env = {.alloc = {host_alloc, host_free, host}};
    struct kw_producer *producer;
    struct kw_consumer *consumer;
    struct kw_core *core = NULL;
    struct kw_error err;
    int rc;
    check_refusal(kwi_config_check(cfg, cfg, KWI_APPLIES_PRODUCER, &err), &err, host);
    check_refusal(kwi_config_check(cfg, cfg, KWI_APPLIES_CONSUMER, &err), &err, host);
    rc = kw_core_create(&core, cfg, &env, &err);
    check_refusal(rc, &err, host);
    CHECK((rc == 0) == (core != NULL));
    if (rc)
        return;
    rc = kw_core_producer_create(&producer, core, NULL, &err);
    CHECK(rc == KW_ERR_NOMEM || rc == 0 || rc == KW_ERR_CONFIG);
    rc = kw_core_consumer_create(&consumer, core, NULL, &err);
    CHECK(rc == KW_ERR_NOMEM || rc == 0 || rc == KW_ERR_CONFIG);
    kw_core_destroy(core);
}

/* A copy in an exact block, NUL behind it. */
static char *text_of(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    CHECK(text);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = 0;
    return text;
}

/* key NUL-or-newline value */
static void run_set(struct kw_config *cfg, struct host *host, const uint8_t *data, size_t size)
{
    struct kw_config *before;
    struct kw_error err;
    size_t split = 0;
    char *key, *val;
    int rc;
    while (split < size && data[split] && data[split] != '\n')
        split++;
    key = text_of(data, split);
    val = split < size ? text_of(data + split + 1, size - split - 1) : text_of(data, 0);
    if (kwi_config_copy(&before, cfg, &cfg->alloc) == 0) {
        rc = kw_config_set(cfg, key, val, &err);
        check_refusal(rc, &err, host);
        if (rc)
            check_same(cfg, before);
        kw_config_destroy(before);
    }
    if (size > 8)
        check_refusal(kw_config_set_i64(cfg, (enum kw_key)(data[0] % KW_N_KEYS),
                                        (int64_t)(((uint64_t)data[1] << (data[2] & 63)) - data[3]),
                                        &err),
                      &err, host);
    free(key);
    free(val);
}

/* A reference is its name, from the second byte on; the first may say what fails. */
static int reference_get(void *ctx, const char *kind, const char *name, char *buf, size_t cap,
                         size_t *len, const char **why)
{
    size_t n = strlen(name) - 1;
    (void)ctx;
    CHECK(strcmp(kind, "env") == 0 || strcmp(kind, "file") == 0);
    *why = "none";
    if (name[0] == '-' || n > cap)
        return name[0] == '-' ? KW_ERR_IO : KW_ERR_LIMIT;
    memcpy(buf, name + 1, n);
    *len = n;
    return 0;
}

/* The same text with other line ends gives the same values. */
static void run_parse(struct kw_config *cfg, struct host *host, const uint8_t *data, size_t size)
{
    struct kw_config *other;
    struct kw_error err, err2;
    uint8_t *exact = malloc(size ? size : 1);
    int rc, rc2;
    CHECK(exact);
    if (size > 0)
        memcpy(exact, data, size);
    if (kw_config_create(&other, &cfg->alloc) == 0) {
        other->source = cfg->source;
        rc = kw_config_parse(cfg, (const char *)exact, size, &err);
        check_refusal(rc, &err, host);
        for (size_t i = 0; i < size; i++) {
            if (data[i] == '\n' && !(i && data[i - 1] == '\r'))
                exact[i] = '\r';
        }
        rc2 = kw_config_parse(other, (const char *)exact, size, &err2);
        check_refusal(rc2, &err2, host);
        if (rc != KW_ERR_NOMEM && rc2 != KW_ERR_NOMEM) {
            CHECK(rc == rc2);
            check_same(cfg, other);
        }
        kw_config_destroy(other);
    }
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct host host = {.fail_at = SIZE_MAX};
    struct kw_alloc alloc = {host_alloc, host_free, &host};
    struct kw_config *cfg;
    uint8_t how;
    if (size == 0)
        return 0;
    how = data[0];
    CHECK(kw_config_create(&cfg, &alloc) == 0);
    if (how & 64)
        CHECK(kw_config_set_source(cfg, &(struct kw_config_source){reference_get, NULL}) == 0);
    if (how & 128)
        host.fail_at = host.n_allocs + (how >> 1 & 31);
    if (how & 1)
        run_parse(cfg, &host, data + 1, size - 1);
    else
        run_set(cfg, &host, data + 1, size - 1);
    check_servers(cfg);
    check_texts(cfg, &alloc);
    check_create(cfg, &host);
    kw_config_destroy(cfg);
    CHECK(host.live == 0);
    return 0;
}
