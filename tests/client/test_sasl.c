/* The mechanisms as such, on a connection that goes nowhere: their tokens against
 * those of Kafka's own classes, what they say of a broker that does not keep to
 * them, tokens that come late; sasl.jaas.config; what may change at run time.
 *
 * covers: S11 S12 S13 S18 S19 S20 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "client/config.h"
#include "client/sasl.h"
#include "proto/scram.h"

static size_t bytes_out; /* of the allocator */

static void *bed_alloc(void *ctx, size_t size)
{
    (void)ctx;
    bytes_out += size;
    return malloc(size);
}

static void bed_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    bytes_out -= ptr ? size : 0;
    free(ptr);
}

static const struct kw_alloc bed_memory = {bed_alloc, bed_free, NULL};

static struct {
    struct kw_core *core;
    struct kw_conn *conn;
    struct kw_sasl *sasl;
    struct kw_error err;
} bed; /* one test a process */

static struct kw_config *bed_config(const char *const *pairs)
{
    struct kw_config *cfg;
    struct kw_error err = {0};
    cr_assert_eq(kw_config_create(&cfg, &bed_memory), 0);
    cr_assert_eq(kw_config_set(cfg, "bootstrap.servers", "h:1", &err), 0);
    cr_assert_eq(kw_config_set(cfg, "security.protocol", "SASL_PLAINTEXT", &err), 0);
    cr_assert_eq(kw_config_set(cfg, "sasl.allow.plaintext", "true", &err), 0);
    for (; *pairs; pairs += 2)
        cr_assert_eq(kw_config_set(cfg, pairs[0], pairs[1], &err), 0, "%s", err.text);
    return cfg;
}

static void bed_sasl(void)
{
    cr_assert_eq(kwi_sasl_begin(bed.conn, &bed.err), 0, "%s", bed.err.text);
    bed.sasl = bed.conn->sasl;
}

static void bed_begin(const char *const *pairs)
{
    struct kw_config *cfg = bed_config(pairs);
    struct kw_env env = {.alloc = bed_memory, .crypto = kw_crypto_builtin()};
    if (!env.crypto)
        cr_skip_test("WITH_TLS=none");
    cr_assert_eq(kw_core_create(&bed.core, cfg, &env, &bed.err), 0, "%s", bed.err.text);
    kw_config_destroy(cfg);
    kw_core_step(bed.core, (struct kw_time){.mono_us = 1000000});
    bed.conn = calloc(1, sizeof *bed.conn);
    bed.conn->core = bed.core;
    bed.conn->api_max[KW_API_SASL_HANDSHAKE] = 1;
    bed.conn->api_max[KW_API_SASL_AUTHENTICATE] = 2;
    memcpy(bed.conn->peer, "h:1", 4);
    bed_sasl();
}

static void bed_end(void)
{
    kwi_sasl_end(bed.conn);
    kw_core_destroy(bed.core);
    free(bed.conn);
    cr_assert_eq(bytes_out, 0, "%zu bytes leaked", bytes_out);
}

static int bed_step(const void *token, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1); /* exact, for the sanitizer */
    memcpy(copy, token, len);
    int rc = bed.sasl->mechanism->step(bed.sasl, copy, len, &bed.err);
    free(copy);
    return rc;
}

static void must_be(const char *hex)
{
    char text[1024] = "";
    for (size_t i = 0; i < bed.sasl->out_len; i++)
        snprintf(text + 2 * i, 3, "%02x", bed.sasl->out[i]);
    cr_assert_str_eq(text, hex);
}

/* "plain-initial" of tests/vectors/kafka-4.3.1.json. */
Test(sasl, plain_sends_what_kafkas_client_sends)
{
    static const char *const pairs[] = {
        "sasl.mechanism", "PLAIN", "sasl.username", "alice", "sasl.password", "alice-secret", NULL};
    bed_begin(pairs);
    cr_assert_eq(bed.sasl->mechanism->begin(bed.sasl, &bed.err), KWI_SASL_MADE);
    must_be("00616c69636500616c6963652d736563726574");
    cr_assert_eq(bed_step("", 0), KWI_SASL_FINISHED);
    cr_assert_eq(bed_step("x", 1), KW_ERR_AUTH);
    cr_assert(strstr(bed.err.text, "h:1 does not keep to PLAIN"), "%s", bed.err.text);
    bed_end();
}

#define TOKEN "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2VyIn0."
#define TOKEN_HEX                                                                             \
    "6e2c2c01617574683d4265617265722065794a68624763694f694a756232356c496e302e65794a7a6457496" \
    "94f694a3163325679496e302e"

/* "oauthbearer-initial" and "-extensions" of the same file. */
Test(sasl, oauthbearer_sends_what_kafkas_client_sends)
{
    static const char *const pairs[] = {"sasl.mechanism", "OAUTHBEARER", "sasl.oauthbearer.token",
                                        TOKEN, NULL};
    static const struct kw_oauth_extension extensions[] = {{"logicalCluster", "lkc-1"},
                                                           {"identityPoolId", "pool-1"}};
    struct kw_oauth_token token = {sizeof token, TOKEN, -1, extensions, 2};
    bed_begin(pairs);
    cr_assert_eq(bed.sasl->mechanism->begin(bed.sasl, &bed.err), KWI_SASL_MADE);
    must_be(TOKEN_HEX "0101");
    cr_assert_eq(kw_core_oauth_token_set(bed.core, &token, &bed.err), 0);
    cr_assert_eq(bed.sasl->mechanism->begin(bed.sasl, &bed.err), KWI_SASL_MADE);
    must_be(TOKEN_HEX "016c6f676963616c436c75737465723d6c6b632d31016964656e74697479506f6f6c49"
                      "643d706f6f6c2d310101");
    cr_assert_eq(bed_step("", 0), KWI_SASL_FINISHED);
    bed_end();
}

Test(sasl, oauthbearer_answers_a_refusal_once_and_keeps_its_reason)
{
    static const char *const pairs[] = {"sasl.mechanism", "OAUTHBEARER", "sasl.oauthbearer.token",
                                        TOKEN, NULL};
    bed_begin(pairs);
    cr_assert_eq(bed.sasl->mechanism->begin(bed.sasl, &bed.err), KWI_SASL_MADE);
    cr_assert_eq(bed_step("{\"status\":\"in\033valid\"}", 21), KWI_SASL_MADE);
    must_be("01");
    cr_assert_str_eq(bed.sasl->note, "{\"status\":\"in?valid\"}");
    cr_assert_eq(bed_step("{}", 2), KW_ERR_AUTH);
    bed_end();
}

static uint32_t events_of(uint8_t kind)
{
    struct kw_event event;
    uint32_t n = 0;
    while (kw_core_next_event(bed.core, &event))
        n += event.kind == kind;
    return n;
}

Test(sasl, a_token_is_asked_for_and_again_when_it_is_old)
{
    static const char *const pairs[] = {"sasl.mechanism", "OAUTHBEARER", NULL};
    struct kw_oauth_token token = {.size = sizeof token, .token = TOKEN, .lifetime_ms = 10000};
    bed_begin(pairs);
    cr_assert_eq(bed.sasl->mechanism->begin(bed.sasl, &bed.err), KWI_SASL_LATER);
    cr_assert_eq(events_of(KW_EVENT_OAUTH_TOKEN_NEEDED), 1);
    cr_assert_null(bed.sasl->out);
    cr_assert_eq(kw_core_oauth_token_set(bed.core, &token, &bed.err), 0);
    must_be(TOKEN_HEX "0101");
    kw_core_step(bed.core, (struct kw_time){.mono_us = 1000000 + 7999999});
    cr_assert_eq(events_of(KW_EVENT_OAUTH_TOKEN_NEEDED), 0);
    kw_core_step(bed.core, (struct kw_time){.mono_us = 1000000 + 8000000});
    cr_assert_eq(events_of(KW_EVENT_OAUTH_TOKEN_NEEDED), 1);
    /* It is still used until it is over. */
    cr_assert_eq(bed.sasl->mechanism->begin(bed.sasl, &bed.err), KWI_SASL_MADE);
    kw_core_step(bed.core, (struct kw_time){.mono_us = 1000000 + 10000000});
    cr_assert_eq(bed.sasl->mechanism->begin(bed.sasl, &bed.err), KWI_SASL_LATER);
    cr_assert_eq(events_of(KW_EVENT_OAUTH_TOKEN_NEEDED), 1);
    bed_end(); /* while it waits */
}

Test(sasl, who_waits_for_a_token_goes_on_when_its_key_is_set)
{
    static const char *const pairs[] = {"sasl.mechanism", "OAUTHBEARER", NULL};
    bed_begin(pairs);
    cr_assert_eq(bed.sasl->mechanism->begin(bed.sasl, &bed.err), KWI_SASL_LATER);
    cr_assert_eq(kw_core_set(bed.core, "sasl.oauthbearer.token", TOKEN, NULL), 0);
    must_be(TOKEN_HEX "0101");
    cr_assert_eq(events_of(KW_EVENT_OAUTH_TOKEN_NEEDED), 0, "asked for what was just given");
    bed_end();
}

Test(sasl, what_is_no_bearer_token_is_refused)
{
    static const char *const pairs[] = {"sasl.mechanism", "OAUTHBEARER", NULL};
    static const char *const bad[] = {"", "=", "a b", "a\001auth=x", "a\"", "a=b", "\xc3\xbc"};
    static const struct kw_oauth_extension bad_extensions[] = {
        {"auth", "x"}, {"", "x"}, {"a1", "x"}, {"a", "x\001y"}, {"a", NULL}, {NULL, "x"}};
    struct kw_oauth_token token = {.size = sizeof token, .lifetime_ms = -1};
    bed_begin(pairs);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        token.token = bad[i];
        cr_assert_eq(kw_core_oauth_token_set(bed.core, &token, &bed.err), KW_ERR_USE, "%zu", i);
    }
    token.token = TOKEN;
    token.n_extensions = 1;
    for (size_t i = 0; i < sizeof bad_extensions / sizeof *bad_extensions; i++) {
        token.extensions = &bad_extensions[i];
        cr_assert_eq(kw_core_oauth_token_set(bed.core, &token, &bed.err), KW_ERR_USE, "%zu", i);
    }
    token.n_extensions = 0;
    token.lifetime_ms = 0;
    cr_assert_eq(kw_core_oauth_token_set(bed.core, &token, &bed.err), KW_ERR_USE);
    token.lifetime_ms = 1;
    cr_assert_eq(kw_core_oauth_token_set(bed.core, &token, &bed.err), 0);
    bed_end();
}

/* ---- SCRAM ---------------------------------------------------------------------- */

static void run_work(void)
{
    struct kw_want want;
    uint32_t n = 0;
    while (kw_core_next_want(bed.core, &want)) {
        if (want.kind != KW_WANT_WORK)
            continue;
        while (kw_work_run(want.work, 65536))
            n++;
        kw_core_work_done(bed.core, want.work);
    }
    cr_assert_gt(n, 10, "the computation is not cut into slices");
}

/* What the broker answers to the client's last message, from the password alone. */
static void server_signature(enum kw_hash alg, const char *password, const char *auth, size_t len,
                             uint8_t *signature)
{
    const struct kw_crypto *crypto = kw_crypto_builtin();
    uint8_t u[64], salted[64], key[64];
    size_t size = kwi_scram_hash_size(alg);
    cr_assert_eq(kwi_scram_salt(crypto, alg, password, strlen(password), (const uint8_t *)"\0\0\0",
                                3, u, salted),
                 0);
    cr_assert_eq(crypto->pbkdf2(alg, password, strlen(password), u, salted, 4095), 0);
    cr_assert_eq(crypto->hmac(alg, salted, size, "Server Key", 10, key), 0);
    cr_assert_eq(crypto->hmac(alg, key, size, auth, len, signature), 0);
}

/* Goes to the broker's last message, which is put into final. */
static size_t scram_to_last(enum kw_hash alg, const char *name, const char *password, char *final)
{
    char first[600], auth[2048], server[300];
    const char *nonce;
    uint8_t signature[64];
    size_t size = kwi_scram_hash_size(alg), len;
    cr_assert_eq(bed.sasl->mechanism->begin(bed.sasl, &bed.err), KWI_SASL_MADE, "%s", bed.err.text);
    cr_assert_lt(bed.sasl->out_len, sizeof first);
    memcpy(first, bed.sasl->out, bed.sasl->out_len);
    first[bed.sasl->out_len] = 0;
    cr_assert_eq(strncmp(first, "n,,n=", 5), 0);
    cr_assert_eq(strncmp(first + 5, name, strlen(name)), 0, "%s", first);
    nonce = first + 5 + strlen(name);
    cr_assert_eq(strncmp(nonce, ",r=", 3), 0);
    len = strcspn(nonce + 3, ",");
    cr_assert_eq(len, 32);
    snprintf(server, sizeof server, "r=%.32sserver,s=AAAA,i=4096", nonce + 3);
    cr_assert_eq(bed_step(server, strlen(server)), KWI_SASL_LATER, "%s", bed.err.text);
    run_work();
    len = (size_t)snprintf(auth, sizeof auth, "%s,%s,c=biws,r=%.32sserver", first + 3, server,
                           nonce + 3);
    server_signature(alg, password, auth, len, signature);
    memcpy(final, "v=", 2);
    kwi_base64_put(final + 2, signature, size);
    return 2 + kwi_base64_len(size);
}

static const char *const scram_pairs[] = {"sasl.mechanism",
                                          "SCRAM-SHA-256",
                                          "sasl.username",
                                          "a,b=c\xc3\xbc",
                                          "sasl.password",
                                          " p=,w ",
                                          NULL};

Test(sasl, scram_ends_when_the_broker_proves_that_it_knows_the_password)
{
    char final[128];
    size_t len;
    bed_begin(scram_pairs);
    len = scram_to_last(KW_HASH_SHA256, "a=2Cb=3Dc\xc3\xbc", " p=,w ", final);
    cr_assert_eq(bed_step(final, len), KWI_SASL_FINISHED);
    bed_end();
}

Test(sasl, scram_refuses_a_signature_that_is_wrong_or_missing)
{
    char final[128];
    size_t len;
    bed_begin(scram_pairs);
    len = scram_to_last(KW_HASH_SHA256, "a=2Cb=3Dc\xc3\xbc", "another", final);
    cr_assert_eq(bed_step(final, len), KW_ERR_AUTH);
    cr_assert(strstr(bed.err.text, "signature is wrong"), "%s", bed.err.text);
    cr_assert_eq(bed_step("", 0), KW_ERR_AUTH);
    cr_assert_eq(bed_step("e=invalid-proof", 15), KW_ERR_AUTH);
    cr_assert(strstr(bed.err.text, "invalid-proof"), "%s", bed.err.text);
    bed_end();
}

Test(sasl, scram_of_a_delegation_token_says_so)
{
    static const char *const pairs[] = {
        "sasl.mechanism", "SCRAM-SHA-512",        "sasl.username", "id", "sasl.password",
        "hmac",           "sasl.scram.tokenauth", "true",          NULL};
    char final[128];
    size_t len;
    bed_begin(pairs);
    len = scram_to_last(KW_HASH_SHA512, "id", "hmac", final);
    cr_assert_eq(bed_step(final, len), KWI_SASL_FINISHED);
    kwi_sasl_end(bed.conn);
    bed_sasl();
    cr_assert_eq(bed.sasl->mechanism->begin(bed.sasl, &bed.err), KWI_SASL_MADE);
    cr_assert_eq(memcmp(bed.sasl->out + bed.sasl->out_len - 15, ",tokenauth=true", 15), 0);
    bed_end();
}

Test(sasl, a_connection_may_end_while_its_password_is_salted)
{
    char server[100];
    struct kw_want want;
    bed_begin(scram_pairs);
    cr_assert_eq(bed.sasl->mechanism->begin(bed.sasl, &bed.err), KWI_SASL_MADE);
    snprintf(server, sizeof server, "r=%.32sx,s=AAAA,i=4096",
             bed.sasl->out + bed.sasl->out_len - 32);
    cr_assert_eq(bed_step(server, strlen(server)), KWI_SASL_LATER);
    cr_assert(kw_core_next_want(bed.core, &want));
    kwi_sasl_end(bed.conn);
    while (kw_work_run(want.work, 1 << 20))
        ;
    kw_core_work_done(bed.core, want.work);
    /* And the whole core, with the work in the driver's hands. */
    bed_sasl();
    cr_assert_eq(bed.sasl->mechanism->begin(bed.sasl, &bed.err), KWI_SASL_MADE);
    snprintf(server, sizeof server, "r=%.32sx,s=AAAA,i=4096",
             bed.sasl->out + bed.sasl->out_len - 32);
    cr_assert_eq(bed_step(server, strlen(server)), KWI_SASL_LATER);
    cr_assert(kw_core_next_want(bed.core, &want));
    bed_end();
}

/* ---- configuration ---------------------------------------------------------------- */

static int jaas(struct kw_config *cfg, const char *text, struct kw_error *err)
{
    return kw_config_set(cfg, "sasl.jaas.config", text, err);
}

#define SCRAM_MODULE "org.apache.kafka.common.security.scram.ScramLoginModule"

Test(sasl, jaas_text_sets_user_and_password)
{
    struct kw_config *cfg;
    struct kw_error err;
    cr_assert_eq(kw_config_create(&cfg, &bed_memory), 0);
    cr_assert_eq(
        jaas(cfg, SCRAM_MODULE " required username=\"al\\\"ice\"\n password='s \\\\;=' ;\n", &err),
        0, "%s", err.text);
    cr_assert_str_eq(kwi_config_str(cfg, KW_KEY_SASL_USERNAME), "al\"ice");
    cr_assert_str_eq(kwi_config_str(cfg, KW_KEY_SASL_PASSWORD), "s \\;=");
    cr_assert_eq(kwi_config_i64(cfg, KW_KEY_SASL_SCRAM_TOKENAUTH), 0);
    cr_assert_eq(
        jaas(cfg, SCRAM_MODULE " required username=id password=hm tokenauth=\"true\";", &err), 0,
        "%s", err.text);
    cr_assert_eq(kwi_config_i64(cfg, KW_KEY_SASL_SCRAM_TOKENAUTH), 1);
    cr_assert_eq(jaas(cfg, "x.PlainLoginModule required username=a password=b;", &err), 0);
    cr_assert_eq(kwi_config_i64(cfg, KW_KEY_SASL_SCRAM_TOKENAUTH), 0);
    kw_config_destroy(cfg);
    cr_assert_eq(bytes_out, 0);
}

Test(sasl, jaas_text_with_anything_else_is_refused_without_showing_it)
{
    static const char *const bad[] = {
        "",
        SCRAM_MODULE,
        SCRAM_MODULE " required;",
        SCRAM_MODULE " required username=\"u\";",
        SCRAM_MODULE " required username=\"u\" password=\"\";",
        SCRAM_MODULE " required username=\"u\" password=\"topsecret\"",
        SCRAM_MODULE " required username=\"u\" password=\"topsecret;",
        SCRAM_MODULE " required username=\"u\" password=\"topsecret\\n\";",
        SCRAM_MODULE " required username=\"u\" password=\"topsecret\" user_a=\"b\";",
        SCRAM_MODULE " required username=\"u\" username=\"v\" password=\"topsecret\";",
        SCRAM_MODULE " required username password=\"topsecret\";",
        SCRAM_MODULE " username=\"u\" password=\"topsecret\";",
        SCRAM_MODULE " required username=\"u\" password=\"topsecret\"; x.Other required;",
        SCRAM_MODULE " required username=\"u\" password=\"topsecret\" tokenauth=maybe;",
        SCRAM_MODULE " required username=\"u\" password=\"p\" tokenauth=\"topsecret\";",
        "PlainLoginModule required username=\"u\" password=\"topsecret\" tokenauth=true;",
        "com.sun.security.auth.module.JndiLoginModule required username=u password=topsecret;",
    };
    struct kw_config *cfg;
    cr_assert_eq(kw_config_create(&cfg, &bed_memory), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t len = strlen(bad[i]);
        char *text = malloc(len + 1);
        struct kw_error err = {0};
        memcpy(text, bad[i], len + 1);
        cr_assert_eq(jaas(cfg, text, &err), KW_ERR_CONFIG, "%s", bad[i]);
        cr_assert(!strstr(err.text, "topsecret") && !strstr(err.hint, "topsecret"), "%s", err.text);
        cr_assert(strstr(err.text, ": "), "%s", err.text);
        free(text);
    }
    kw_config_destroy(cfg);
}

/* Each stage behind which a refusal came: the user too long, the password, the third. */
Test(sasl, a_refused_jaas_text_leaves_what_was_set)
{
    static const char *const forms[] = {
        SCRAM_MODULE " required username=%s password=p tokenauth=false;",
        SCRAM_MODULE " required username=new password=%s tokenauth=false;",
        SCRAM_MODULE " required username=new password=new tokenauth=%s;",
    };
    static const char *const names[] = {"its username", "its password", "its tokenauth"};
    struct kw_config *cfg;
    static char value[8192], text[9000];
    struct kw_error err;
    memset(value, 'x', sizeof value - 1);
    cr_assert_eq(kw_config_create(&cfg, &bed_memory), 0);
    for (int set = 0; set < 2; set++) {
        if (set)
            cr_assert_eq(
                jaas(cfg, SCRAM_MODULE " required username=u password=p tokenauth=true;", &err), 0);
        for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
            snprintf(text, sizeof text, forms[i], value);
            cr_assert_eq(jaas(cfg, text, &err), KW_ERR_CONFIG);
            cr_assert(strstr(err.text, names[i]) && !strstr(err.text, "xxxx"), "%s", err.text);
            cr_assert_eq(kwi_config_is_set(cfg, KW_KEY_SASL_USERNAME), set);
            cr_assert_eq(kwi_config_is_set(cfg, KW_KEY_SASL_PASSWORD), set);
            cr_assert_eq(kwi_config_i64(cfg, KW_KEY_SASL_SCRAM_TOKENAUTH), set);
            if (set) {
                cr_assert_str_eq(kwi_config_str(cfg, KW_KEY_SASL_USERNAME), "u");
                cr_assert_str_eq(kwi_config_str(cfg, KW_KEY_SASL_PASSWORD), "p");
            }
        }
    }
    kw_config_destroy(cfg);
    cr_assert_eq(bytes_out, 0);
}

Test(sasl, user_and_password_change_at_run_time_and_nothing_else_does)
{
    static const char *const pairs[] = {
        "sasl.mechanism", "PLAIN", "sasl.username", "a", "sasl.password", "b", NULL};
    bed_begin(pairs);
    cr_assert_eq(kw_core_set(bed.core, "sasl.username", "c", &bed.err), 0);
    cr_assert_eq(kw_core_set(bed.core, "sasl.password", "d", &bed.err), 0);
    cr_assert_eq(bed.sasl->mechanism->begin(bed.sasl, &bed.err), KWI_SASL_MADE);
    must_be("00630064");
    cr_assert_eq(kw_core_set(bed.core, "sasl.password", "", &bed.err), KW_ERR_CONFIG);
    cr_assert_eq(kw_core_set(bed.core, "sasl.mechanism", "OAUTHBEARER", &bed.err), KW_ERR_CONFIG);
    cr_assert_eq(kw_core_set(bed.core, "client.id", "x", &bed.err), KW_ERR_CONFIG);
    cr_assert_eq(kw_core_set(bed.core, "sasl.pasword", "x", &bed.err), KW_ERR_CONFIG);
    cr_assert_eq(bed.sasl->mechanism->begin(bed.sasl, &bed.err), KWI_SASL_MADE);
    must_be("00630064");
    bed_end();
}

/* Refuses a setting of a running client, whose user and password stay "a" and "b". */
static void must_refuse_change(const char *key, const char *val, const char *named)
{
    struct kw_error err = {0};
    cr_assert_eq(kw_core_set(bed.core, key, val, &err), KW_ERR_CONFIG, "%s=%s", key, val);
    cr_assert(strstr(err.text, named) == err.text, "%s", err.text);
    cr_assert_str_eq(kwi_config_str(bed.core->cfg, KW_KEY_SASL_USERNAME), "a");
    cr_assert_str_eq(kwi_config_str(bed.core->cfg, KW_KEY_SASL_PASSWORD), "b");
    cr_assert_eq(kwi_config_i64(bed.core->cfg, KW_KEY_SASL_SCRAM_TOKENAUTH), 0);
}

Test(sasl, what_creation_refuses_is_refused_at_run_time)
{
    static const char *const pairs[] = {
        "sasl.mechanism", "PLAIN", "sasl.username", "a", "sasl.password", "b", NULL};
    bed_begin(pairs);
    must_refuse_change("sasl.username", "", "sasl.username");
    must_refuse_change("sasl.username", "  ", "sasl.username");
    must_refuse_change("sasl.password", "", "sasl.password");
    must_refuse_change("sasl.jaas.config", "x.PlainLoginModule required username=' ' password=p;",
                       "sasl.username");
    must_refuse_change("sasl.scram.tokenauth", "true", "sasl.scram.tokenauth");
    must_refuse_change("sasl.jaas.config",
                       SCRAM_MODULE " required username=u password=p tokenauth=true;",
                       "sasl.scram.tokenauth");
    bed_end();
}

/* It would keep the token from being asked for. */
Test(sasl, an_empty_token_is_refused_at_creation_and_at_run_time)
{
    static const char *const pairs[] = {"sasl.mechanism", "OAUTHBEARER", NULL};
    static const char *const empty[] = {"sasl.mechanism", "OAUTHBEARER", "sasl.oauthbearer.token",
                                        "", NULL};
    struct kw_env env = {.alloc = bed_memory, .crypto = kw_crypto_builtin()};
    struct kw_config *cfg = bed_config(empty);
    cr_assert_eq(kw_core_create(&bed.core, cfg, &env, &bed.err), KW_ERR_CONFIG);
    kw_config_destroy(cfg);
    bed_begin(pairs);
    cr_assert_eq(kw_core_set(bed.core, "sasl.oauthbearer.token", "", &bed.err), KW_ERR_CONFIG);
    cr_assert(!kwi_config_is_set(bed.core->cfg, KW_KEY_SASL_OAUTHBEARER_TOKEN));
    bed_end();
}

Test(sasl, a_token_that_no_mechanism_sends_is_refused)
{
    static const char *const pairs[] = {
        "sasl.mechanism", "PLAIN", "sasl.username", "a", "sasl.password", "b", NULL};
    struct kw_oauth_token token = {.size = sizeof token, .token = TOKEN, .lifetime_ms = -1};
    bed_begin(pairs);
    cr_assert_eq(kw_core_oauth_token_set(bed.core, &token, &bed.err), KW_ERR_CONFIG);
    cr_assert(strstr(bed.err.text, "sasl.mechanism = PLAIN: "), "%s", bed.err.text);
    cr_assert(!strstr(bed.err.text, TOKEN), "%s", bed.err.text);
    cr_assert_null(bed.core->oauth.message);
    bed_end();
}

/* As at its creation: nobody would ever ask for it. */
Test(sasl, a_client_without_sasl_takes_no_credentials_at_run_time)
{
    static const char *const pairs[] = {"sasl.username",
                                        "u",
                                        "sasl.password",
                                        "topsecret",
                                        "sasl.scram.tokenauth",
                                        "true",
                                        "sasl.jaas.config",
                                        SCRAM_MODULE " required username=u password=topsecret;",
                                        "sasl.oauthbearer.token",
                                        TOKEN,
                                        NULL};
    struct kw_oauth_token token = {.size = sizeof token, .token = TOKEN, .lifetime_ms = -1};
    struct kw_env env = {.alloc = bed_memory};
    struct kw_config *cfg;
    cr_assert_eq(kw_config_create(&cfg, &bed_memory), 0);
    cr_assert_eq(kw_config_set(cfg, "bootstrap.servers", "h:1", NULL), 0);
    cr_assert_eq(kw_core_create(&bed.core, cfg, &env, &bed.err), 0, "%s", bed.err.text);
    kw_config_destroy(cfg);
    for (const char *const *pair = pairs; *pair; pair += 2) {
        struct kw_error err = {0};
        cr_assert_eq(kw_core_set(bed.core, pair[0], pair[1], &err), KW_ERR_CONFIG, "%s", pair[0]);
        cr_assert_eq(err.code, KW_ERR_CONFIG);
        cr_assert(strstr(err.text, pair[0]) == err.text, "%s", err.text);
        cr_assert(strstr(err.text, "without SASL"), "%s", err.text);
        cr_assert(strstr(err.hint, "security.protocol=SASL_SSL"), "%s", err.hint);
        cr_assert(!strstr(err.text, "topsecret"), "%s", err.text);
    }
    cr_assert_eq(kw_core_oauth_token_set(bed.core, &token, &bed.err), KW_ERR_CONFIG);
    cr_assert(!kwi_config_is_set(bed.core->cfg, KW_KEY_SASL_USERNAME));
    cr_assert(!kwi_config_is_set(bed.core->cfg, KW_KEY_SASL_PASSWORD));
    kw_core_destroy(bed.core);
    cr_assert_eq(bytes_out, 0);
}

Test(sasl, scram_without_cryptography_is_refused_at_once)
{
    struct kw_config *cfg = bed_config(scram_pairs);
    struct kw_env env = {.alloc = bed_memory};
    cr_assert_eq(kw_core_create(&bed.core, cfg, &env, &bed.err), KW_ERR_UNSUPPORTED);
    cr_assert(strstr(bed.err.hint, "WITH_TLS"), "%s", bed.err.hint);
    kw_config_destroy(cfg);
    cr_assert_eq(bytes_out, 0);
}

Test(sasl, a_broker_without_sasl_authenticate_is_too_old)
{
    static const char *const pairs[] = {
        "sasl.mechanism", "PLAIN", "sasl.username", "a", "sasl.password", "b", NULL};
    bed_begin(pairs);
    kwi_sasl_end(bed.conn);
    bed.conn->api_max[KW_API_SASL_AUTHENTICATE] = -1;
    cr_assert_eq(kwi_sasl_begin(bed.conn, &bed.err), KW_ERR_UNSUPPORTED);
    bed_end();
}
