/* Values of the configuration: each key's default, range, name and alias; bad
 * values; bootstrap.servers; copies.
 *
 * covers: L07 M08 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/config.h"

static long n_live;

static void *config_test_alloc(void *ctx, size_t size)
{
    long *fail_in = ctx;
    if (fail_in && (*fail_in)-- == 0)
        return NULL;
    n_live++;
    return malloc(size);
}

static void config_test_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    memset(ptr, 0xdd, size); /* ASan sees a size that is too large */
    n_live--;
    free(ptr);
}

static const struct kw_alloc plain = {config_test_alloc, config_test_free, NULL};

static struct kw_config *config_new(void)
{
    struct kw_config *cfg;
    cr_assert_eq(kw_config_create(&cfg, &plain), 0);
    return cfg;
}

static void config_refused(struct kw_config *cfg, const char *key, const char *val,
                           const char *expected)
{
    struct kw_error err = {0};
    cr_assert_eq(kw_config_set(cfg, key, val, &err), KW_ERR_CONFIG, "%s=%s was taken", key, val);
    cr_assert_eq(err.code, KW_ERR_CONFIG);
    cr_assert_eq(err.phase, KW_PHASE_CONFIG);
    cr_assert(strstr(err.text, expected), "%s=%s says: %s", key, val, err.text);
    cr_assert(strncmp(err.text, key, strlen(key)) == 0, "no key in: %s", err.text);
    cr_assert_neq(err.hint[0], 0, "%s=%s has no hint", key, val);
    /* The error itself is optional. */
    cr_assert_eq(kw_config_set(cfg, key, val, NULL), KW_ERR_CONFIG);
}

Test(config, every_row_is_complete_and_its_default_is_in_range)
{
    for (unsigned key = 0; key < KW_N_KEYS; key++) {
        const struct kw_config_row *row = &kwi_config_rows[key];
        cr_assert_not_null(row->key, "key %u has no row", key);
        cr_assert_gt(strlen(row->doc), 20, "%s", row->key);
        cr_assert_neq(row->applies, 0, "%s", row->key);
        cr_assert_eq(kwi_config_find(row->key, strlen(row->key)), key);
        if (kwi_config_is_text(row))
            continue;
        struct kw_config *cfg = config_new();
        struct kw_error err;
        cr_assert_eq(kwi_config_i64(cfg, (enum kw_key)key), row->def);
        cr_assert(!kwi_config_is_set(cfg, (enum kw_key)key));
        cr_assert_eq(kw_config_set_i64(cfg, (enum kw_key)key, row->def, &err), 0, "%s: %s",
                     row->key, err.text);
        cr_assert(kwi_config_is_set(cfg, (enum kw_key)key));
        /* The default as text means the same. */
        char text[32];
        kwi_config_value_text((enum kw_key)key, row->def, text, sizeof text);
        cr_assert_eq(kw_config_set(cfg, row->key, text, &err), 0, "%s=%s: %s", row->key, text,
                     err.text);
        cr_assert_eq(kwi_config_i64(cfg, (enum kw_key)key), row->def);
        kw_config_destroy(cfg);
    }
    cr_assert_eq(n_live, 0);
}

Test(config, a_number_is_taken_at_both_ends_of_its_range_and_refused_beyond)
{
    for (unsigned key = 0; key < KW_N_KEYS; key++) {
        const struct kw_config_row *row = &kwi_config_rows[key];
        if (row->type != KWI_CONFIG_INT)
            continue;
        struct kw_config *cfg = config_new();
        int64_t good[] = {row->min, row->max};
        int64_t bad[] = {row->min - 1, row->max + 1, INT64_MIN, INT64_MAX};
        for (unsigned i = 0; i < 4; i++) {
            char text[32];
            struct kw_error err;
            if (i < 2) {
                snprintf(text, sizeof text, " %lld\t", (long long)good[i]);
                cr_assert_eq(kw_config_set(cfg, row->key, text, NULL), 0, "%s=%s", row->key, text);
                cr_assert_eq(kwi_config_i64(cfg, (enum kw_key)key), good[i]);
            }
            snprintf(text, sizeof text, "%lld", (long long)bad[i]);
            config_refused(cfg, row->key, text, text);
            cr_assert_eq(kw_config_set_i64(cfg, (enum kw_key)key, bad[i], &err), KW_ERR_CONFIG);
            /* The value before stays. */
            cr_assert_eq(kwi_config_i64(cfg, (enum kw_key)key), good[i < 2 ? i : 1]);
        }
        static const char *const junk[] = {"",
                                           "abc",
                                           "1x",
                                           "0x10",
                                           "1e3",
                                           "--1",
                                           "-",
                                           "1 2",
                                           "+5",
                                           "9223372036854775808",
                                           "99999999999999999999999"};
        for (unsigned i = 0; i < sizeof junk / sizeof *junk; i++)
            config_refused(cfg, row->key, junk[i], "must be a whole number");
        kw_config_destroy(cfg);
    }
    cr_assert_eq(n_live, 0);
}

Test(config, the_defaults_are_the_safe_ones)
{
    static const struct {
        const char *key, *value;
    } safe[] = {{"acks", "all"},
                {"enable.idempotence", "true"},
                {"retries", "2147483647"},
                {"max.in.flight.requests.per.connection", "5"},
                {"check.crcs", "true"},
                {"allow.auto.create.topics", "false"},
                {"auto.offset.reset", "latest"},
                {"delivery.timeout.ms", "120000"},
                {"request.timeout.ms", "30000"},
                {"linger.ms", "5"},
                {"batch.size", "16384"},
                {"buffer.memory", "33554432"},
                {"max.request.size", "1048576"},
                {"memory.limit", "134217728"},
                {"fetch.max.bytes", "52428800"},
                {"partitioner", "murmur2"},
                {"security.protocol", "PLAINTEXT"}};
    for (unsigned i = 0; i < sizeof safe / sizeof *safe; i++) {
        enum kw_key key = kwi_config_find(safe[i].key, strlen(safe[i].key));
        char text[32];
        cr_assert_neq(key, KW_N_KEYS);
        kwi_config_value_text(key, kwi_config_i64(NULL, key), text, sizeof text);
        cr_assert_str_eq(text, safe[i].value, "%s", safe[i].key);
    }
}

Test(config, the_aliases_of_other_clients_name_the_same_key)
{
    struct kw_config *cfg = config_new();
    cr_assert_eq(kw_config_set(cfg, "metadata.broker.list", "h:1", NULL), 0);
    cr_assert_str_eq(kwi_config_str(cfg, KW_KEY_BOOTSTRAP_SERVERS), "h:1");
    cr_assert_eq(kw_config_set(cfg, "message.timeout.ms", "77", NULL), 0);
    cr_assert_eq(kwi_config_i64(cfg, KW_KEY_DELIVERY_TIMEOUT_MS), 77);
    cr_assert_eq(kw_config_set(cfg, "request.required.acks", "-1", NULL), 0);
    cr_assert_eq(kwi_config_i64(cfg, KW_KEY_ACKS), -1);
    for (unsigned key = 0; key < KW_N_KEYS; key++) {
        const char *alias;
        size_t len;
        for (unsigned i = 0; (alias = kwi_config_word(kwi_config_rows[key].aliases, i, &len)); i++)
            cr_assert_eq(kwi_config_find(alias, len), key);
    }
    kw_config_destroy(cfg);
}

Test(config, words_are_taken_in_any_case_and_unknown_ones_name_the_choices)
{
    struct kw_config *cfg = config_new();
    cr_assert_eq(kw_config_set(cfg, "acks", "ALL", NULL), 0);
    cr_assert_eq(kwi_config_i64(cfg, KW_KEY_ACKS), -1);
    cr_assert_eq(kw_config_set(cfg, "auto.offset.reset", "Earliest", NULL), 0);
    cr_assert_eq(kwi_config_i64(cfg, KW_KEY_AUTO_OFFSET_RESET), 1);
    cr_assert_eq(kw_config_set(cfg, "security.protocol", "plaintext", NULL), 0);
    cr_assert_eq(kw_config_set(cfg, "check.crcs", "FALSE", NULL), 0);
    cr_assert_eq(kwi_config_i64(cfg, KW_KEY_CHECK_CRCS), 0);
    cr_assert_eq(kw_config_set(cfg, "check.crcs", "1", NULL), 0);
    cr_assert_eq(kwi_config_i64(cfg, KW_KEY_CHECK_CRCS), 1);
    config_refused(cfg, "auto.offset.reset", "smallest", "one of latest|earliest|none");
    config_refused(cfg, "check.crcs", "yes", "true or false");
    config_refused(cfg, "check.crcs", "2", "true or false");
    config_refused(cfg, "acks", "2", "all=-1");
    cr_assert_eq(kw_config_set_i64(cfg, KW_KEY_AUTO_OFFSET_RESET, 3, NULL), KW_ERR_CONFIG);
    cr_assert_eq(kw_config_set_i64(cfg, KW_KEY_CLIENT_ID, 1, NULL), KW_ERR_CONFIG);
    kw_config_destroy(cfg);
}

/* As Java's Duration.parse takes them, without signs (KIP-1106). */
Test(config, a_reset_by_duration_takes_iso_8601_durations_and_nothing_else)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"PT1H", 3600000},
                {"P1D", 86400000},
                {"P1DT2H3M4.5S", 93784500},
                {"pt0.001s", 1},
                {"PT0S", 0},
                {"PT0.0009S", 0},
                {"PT1.123456789S", 1123},
                {"PT90M", 5400000},
                {"P2DT1S", 172801000},
                {"PT9223372036854775.807S", INT64_MAX}};
    static const char *const bad[] = {"",
                                      "P",
                                      "PT",
                                      "1H",
                                      "T1H",
                                      "PT1H30",
                                      "P1H",
                                      "PT1D",
                                      "P1DT",
                                      "PT1M1H",
                                      "PT1H1H",
                                      "PT-1H",
                                      "-PT1H",
                                      "P1Y",
                                      "P1W",
                                      "PT1.5M",
                                      "PT.5S",
                                      "PT1.S",
                                      "PT 1H",
                                      "PT1H ",
                                      "PT1.1234567890S",
                                      "PT1S2S",
                                      "PTT1S",
                                      "P1DT1D",
                                      "PT9223372036854775.808S",
                                      "P106751991168D",
                                      "PT99999999999999999999S"};
    struct kw_config *cfg = config_new();
    char text[64], back[64];
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(text, sizeof text, "by_duration:%s", good[i].text);
        cr_assert_eq(kw_config_set(cfg, "auto.offset.reset", text, NULL), 0, "%s", text);
        int64_t value = kwi_config_i64(cfg, KW_KEY_AUTO_OFFSET_RESET);
        cr_assert_eq(value, -1 - good[i].ms, "%s: %lld", text, (long long)value);
        /* What is shown can be set, and by number, too. */
        kwi_config_value_text(KW_KEY_AUTO_OFFSET_RESET, value, back, sizeof back);
        cr_assert_eq(kw_config_set(cfg, "auto.offset.reset", back, NULL), 0, "%s", back);
        cr_assert_eq(kwi_config_i64(cfg, KW_KEY_AUTO_OFFSET_RESET), value);
        cr_assert_eq(kw_config_set_i64(cfg, KW_KEY_AUTO_OFFSET_RESET, value, NULL), 0);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (strcmp(bad[i], "PT1H ") == 0)
            continue; /* spaces around a value are not part of it */
        snprintf(text, sizeof text, "by_duration:%s", bad[i]);
        config_refused(cfg, "auto.offset.reset", text, "one of latest|earliest|none");
    }
    config_refused(cfg, "auto.offset.reset", "by_duration", "one of latest|earliest|none");
    config_refused(cfg, "auto.offset.reset", "PT1H", "one of latest|earliest|none");
    cr_assert_eq(kw_config_set(cfg, "auto.offset.reset", "latest", NULL), 0);
    cr_assert_eq(kwi_config_i64(cfg, KW_KEY_AUTO_OFFSET_RESET), 0);
    kw_config_destroy(cfg);
}

Test(config, what_this_version_cannot_do_yet_is_refused_with_the_reason)
{
    struct kw_config *cfg = config_new();
    struct kw_error err;
    static const struct {
        const char *key, *val, *hint;
    } refused[] = {{"sasl.mechanism", "GSSAPI", "no Kerberos"}};
    for (unsigned i = 0; i < sizeof refused / sizeof *refused; i++) {
        cr_assert_eq(kw_config_set(cfg, refused[i].key, refused[i].val, &err), KW_ERR_CONFIG);
        cr_assert(strstr(err.hint, refused[i].hint), "%s: %s", refused[i].key, err.hint);
    }
    kw_config_destroy(cfg);
}

Test(config, an_unknown_key_is_named_together_with_the_nearest_known_one)
{
    struct kw_config *cfg = config_new();
    struct kw_error err;
    static const struct {
        const char *key, *near;
    } typos[] = {{"linger.m", "linger.ms"},
                 {"bootstrap.server", "bootstrap.servers"},
                 {"enable.idempotent", "enable.idempotence"},
                 {"fetch.wait.max", "fetch.max.wait.ms"},
                 {"ack", "acks"}};
    for (unsigned i = 0; i < sizeof typos / sizeof *typos; i++) {
        cr_assert_eq(kw_config_set(cfg, typos[i].key, "1", &err), KW_ERR_CONFIG);
        cr_assert(strstr(err.text, typos[i].key), "%s", err.text);
        cr_assert(strstr(err.hint, typos[i].near), "%s: %s", typos[i].key, err.hint);
    }
    cr_assert_eq(kw_config_set(cfg, "nothing.like.it.at.all", "1", &err), KW_ERR_CONFIG);
    cr_assert(strstr(err.hint, "docs/CONFIG.md"), "%s", err.hint);
    char longer[4096];
    memset(longer, 'k', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    cr_assert_eq(kw_config_set(cfg, longer, longer, &err), KW_ERR_CONFIG);
    cr_assert(strstr(err.text, "no such key"), "%s", err.text);
    cr_assert_eq(kw_config_set(cfg, "sasl.passwort", "hunter2", &err), KW_ERR_CONFIG);
    cr_assert_null(strstr(err.text, "hunter2"), "a misspelt key may be that of a password");
    kw_config_destroy(cfg);
}

static void config_servers(const char *text, unsigned n, const char *const *hosts,
                           const uint16_t *ports)
{
    struct kw_config *cfg = config_new();
    struct kw_server server;
    const char *at, *why;
    cr_assert_eq(kw_config_set(cfg, "bootstrap.servers", text, NULL), 0, "%s", text);
    at = kwi_config_str(cfg, KW_KEY_BOOTSTRAP_SERVERS);
    for (unsigned i = 0; i < n; i++) {
        cr_assert_eq(kwi_config_next_server(&at, &server, &why), 1);
        cr_assert_eq(server.host_len, strlen(hosts[i]));
        cr_assert(memcmp(server.host, hosts[i], server.host_len) == 0);
        cr_assert_eq(server.port, ports[i]);
    }
    cr_assert_eq(kwi_config_next_server(&at, &server, &why), 0);
    kw_config_destroy(cfg);
}

Test(config, servers_are_hosts_with_ports_and_ipv6_addresses_in_brackets)
{
    config_servers("a:1", 1, (const char *const[]){"a"}, (const uint16_t[]){1});
    config_servers(" k1.example.com:9093 ,,k-2_x:65535,", 2,
                   (const char *const[]){"k1.example.com", "k-2_x"},
                   (const uint16_t[]){9093, 65535});
    config_servers("[::1]:9092,[fe80::1%eth0],10.0.0.7", 3,
                   (const char *const[]){"::1", "fe80::1%eth0", "10.0.0.7"},
                   (const uint16_t[]){9092, 9092, 9092});
    config_servers("[fe80::1%br-lan]:9092,[fe80::2%docker_gwbridge]", 2,
                   (const char *const[]){"fe80::1%br-lan", "fe80::2%docker_gwbridge"},
                   (const uint16_t[]){9092, 9092});
}

Test(config, servers_that_cannot_be_meant_are_refused_with_the_reason)
{
    struct kw_config *cfg = config_new();
    config_refused(cfg, "bootstrap.servers", "", "no server is named");
    config_refused(cfg, "bootstrap.servers", ", ,", "no server is named");
    config_refused(cfg, "bootstrap.servers", "h:0", "a port must be");
    config_refused(cfg, "bootstrap.servers", "h:65536", "a port must be");
    config_refused(cfg, "bootstrap.servers", "h:", "a port must be");
    config_refused(cfg, "bootstrap.servers", "h:9x", "a port must be");
    config_refused(cfg, "bootstrap.servers", ":9092", "1 to 255 characters");
    config_refused(cfg, "bootstrap.servers", "ok:1,[::1:9092", "closing bracket");
    config_refused(cfg, "bootstrap.servers", "[::1]9092", "followed by :port");
    config_refused(cfg, "bootstrap.servers", "::1:9092", "1 to 255 characters");
    config_refused(cfg, "bootstrap.servers", "fe80::1", "must stand in brackets");
    config_refused(cfg, "bootstrap.servers", "http://h:1", "without a protocol");
    config_refused(cfg, "bootstrap.servers", "h h:1", "a character that no host name has");
    char host[300];
    memset(host, 'h', 256);
    strcpy(host + 256, ":1");
    config_refused(cfg, "bootstrap.servers", host, "1 to 255 characters");
    cr_assert_null(kwi_config_str(cfg, KW_KEY_BOOTSTRAP_SERVERS));
    kw_config_destroy(cfg);
}

Test(config, a_text_longer_than_its_limit_is_refused)
{
    struct kw_config *cfg = config_new();
    char id[251];
    memset(id, 'i', 250);
    id[250] = 0;
    config_refused(cfg, "client.id", id, "at most 249 bytes");
    id[249] = 0;
    cr_assert_eq(kw_config_set(cfg, "client.id", id, NULL), 0);
    cr_assert_str_eq(kwi_config_str(cfg, KW_KEY_CLIENT_ID), id);
    cr_assert_str_eq(kwi_config_str(NULL, KW_KEY_CLIENT_ID), "kwire");
    kw_config_destroy(cfg);
}

Test(config, a_copy_is_deep_and_survives_its_source)
{
    struct kw_config *cfg = config_new(), *copy;
    cr_assert_eq(kw_config_set(cfg, "bootstrap.servers", "h:1", NULL), 0);
    cr_assert_eq(kw_config_set(cfg, "linger.ms", "9", NULL), 0);
    cr_assert_eq(kwi_config_copy(&copy, cfg, &plain), 0);
    cr_assert_eq(kw_config_set(cfg, "bootstrap.servers", "other:2", NULL), 0);
    kw_config_destroy(cfg);
    cr_assert_str_eq(kwi_config_str(copy, KW_KEY_BOOTSTRAP_SERVERS), "h:1");
    cr_assert_eq(kwi_config_i64(copy, KW_KEY_LINGER_MS), 9);
    cr_assert(!kwi_config_is_set(copy, KW_KEY_BATCH_SIZE));
    kw_config_destroy(copy);
    cr_assert_eq(kwi_config_copy(&copy, NULL, &plain), 0);
    cr_assert_eq(kwi_config_i64(copy, KW_KEY_LINGER_MS), 5);
    kw_config_destroy(copy);
    kw_config_destroy(NULL);
    cr_assert_eq(n_live, 0);
}

Test(config, a_secret_keeps_its_spaces_and_stays_out_of_texts_and_of_the_core)
{
    struct kw_config *cfg = config_new(), *copy;
    struct kw_error err;
    char longer[1100];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    cr_assert_eq(kw_config_set(cfg, "bootstrap.servers", "h:1", NULL), 0);
    cr_assert_eq(kw_config_set(cfg, "ssl.key.password", " hunter2 ", NULL), 0);
    cr_assert_str_eq(kw_config_text(cfg, KW_KEY_SSL_KEY_PASSWORD), " hunter2 ");
    cr_assert_eq(kw_config_set(cfg, "ssl.key.password", longer, &err), KW_ERR_CONFIG);
    cr_assert_null(strstr(err.text, "xxx"), "%s", err.text);
    cr_assert_eq(kwi_config_check(cfg, cfg, KWI_APPLIES_PRODUCER, &err), KW_ERR_CONFIG);
    cr_assert_null(strstr(err.text, "hunter2"), "%s", err.text);
    /* The core has no use for it. */
    cr_assert_eq(kwi_config_copy(&copy, cfg, &plain), 0);
    cr_assert_null(kw_config_text(copy, KW_KEY_SSL_KEY_PASSWORD));
    kw_config_destroy(copy);
    kw_config_destroy(cfg);
}

Test(config, a_key_of_tls_without_tls_is_refused)
{
    static const char *const keys[][2] = {{"ssl.ca.location", "x"},
                                          {"ssl.key.password", "hunter2"},
                                          {"ssl.enabled.protocols", "TLSv1.3"},
                                          {"ssl.endpoint.identification.algorithm", "https"}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct kw_config *cfg = config_new();
        struct kw_error err;
        cr_assert_eq(kw_config_set(cfg, "bootstrap.servers", "h:1", NULL), 0);
        cr_assert_eq(kw_config_set(cfg, keys[i][0], keys[i][1], NULL), 0);
        cr_assert_eq(kwi_config_check(cfg, NULL, KWI_APPLIES_CLIENT, &err), KW_ERR_CONFIG);
        cr_assert(strstr(err.text, "no effect without TLS"), "%s", err.text);
        cr_assert_null(strstr(err.text, "hunter2"), "%s", err.text);
        cr_assert_eq(kw_config_set(cfg, "security.protocol", "SSL", NULL), 0);
        cr_assert_eq(kwi_config_check(cfg, NULL, KWI_APPLIES_CLIENT, &err), 0, "%s", err.text);
        kw_config_destroy(cfg);
    }
    struct kw_config *cfg = config_new();
    config_refused(cfg, "ssl.endpoint.identification.algorithm", "", "must be one of https|none");
    config_refused(cfg, "ssl.enabled.protocols", "TLSv1.1", "must be one of");
    config_refused(cfg, "ssl.enabled.protocols", "TLSv1,TLSv1.2", "must be one of");
    kw_config_destroy(cfg);
}

Test(config, each_failed_allocation_leaves_the_old_value)
{
    for (long fail = 0; fail < 8; fail++) {
        long countdown = 1000;
        struct kw_alloc failing = {config_test_alloc, config_test_free, &countdown};
        struct kw_config *cfg, *copy;
        cr_assert_eq(kw_config_create(&cfg, &failing), 0);
        cr_assert_eq(kw_config_set(cfg, "bootstrap.servers", "old:1", NULL), 0);
        countdown = fail;
        int rc = kw_config_set(cfg, "bootstrap.servers", "new:2", NULL);
        cr_assert(rc == 0 || rc == KW_ERR_NOMEM);
        cr_assert_str_eq(kwi_config_str(cfg, KW_KEY_BOOTSTRAP_SERVERS), rc ? "old:1" : "new:2");
        rc = kw_config_parse(cfg, "client.id=x", 11, NULL);
        cr_assert(rc == 0 || rc == KW_ERR_NOMEM);
        rc = kwi_config_copy(&copy, cfg, &failing);
        cr_assert(rc == 0 || rc == KW_ERR_NOMEM);
        kw_config_destroy(rc ? NULL : copy);
        kw_config_destroy(cfg);
    }
    struct kw_config *cfg;
    long now = 0;
    struct kw_alloc none = {config_test_alloc, config_test_free, &now};
    cr_assert_eq(kw_config_create(&cfg, &none), KW_ERR_NOMEM);
    cr_assert_eq(kw_config_create(&cfg, NULL), KW_ERR_USE);
    cr_assert_eq(n_live, 0);
}
