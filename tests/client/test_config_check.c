/* Rules between keys: each refusal names the key, its value, the rule and the
 * remedy.
 *
 * covers: P06 P45 S17 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "client/config.h"

static void *rules_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void rules_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

/* pairs: key, value, ..., NULL */
static struct kw_config *rules_config(const char *const *pairs)
{
    static const struct kw_alloc plain = {rules_alloc, rules_free, NULL};
    struct kw_config *cfg;
    struct kw_error err;
    cr_assert_eq(kw_config_create(&cfg, &plain), 0);
    for (; *pairs; pairs += 2)
        cr_assert_eq(kw_config_set(cfg, pairs[0], pairs[1], &err), 0, "%s", err.text);
    return cfg;
}

struct rule_case {
    unsigned applies;
    const char *client[9], *own[9]; /* own[0] NULL: no own configuration */
    const char *text, *hint;        /* NULL: accepted */
};

#define CLIENT KWI_APPLIES_CLIENT
#define PRODUCER KWI_APPLIES_PRODUCER
#define CONSUMER KWI_APPLIES_CONSUMER
#define SERVERS "bootstrap.servers", "h:1"
#define SASL "security.protocol", "SASL_PLAINTEXT"
#define PLAIN_JAAS "PlainLoginModule required username=u password=p;"
#define JAAS "ScramLoginModule required username=u password=p;"

static const struct rule_case cases[] = {
    {CLIENT, {SERVERS}, {0}, NULL, NULL},
    {PRODUCER, {SERVERS}, {0}, NULL, NULL},
    {CONSUMER, {SERVERS}, {0}, NULL, NULL},
    {CLIENT, {NULL}, {0}, "bootstrap.servers = (not set)", "host:port"},

    /* time */
    {PRODUCER,
     {SERVERS, "delivery.timeout.ms", "30004"},
     {0},
     "delivery.timeout.ms = 30004: must be at least linger.ms + request.timeout.ms = 30005",
     "request.timeout.ms"},
    {PRODUCER, {SERVERS, "delivery.timeout.ms", "30005"}, {0}, NULL, NULL},
    {PRODUCER, {SERVERS, "delivery.timeout.ms", "1000"}, {"request.timeout.ms", "900"}, NULL, NULL},
    {PRODUCER,
     {SERVERS},
     {"linger.ms", "100000"},
     "delivery.timeout.ms = 120000: must be at least linger.ms + request.timeout.ms = 130000",
     "raise delivery.timeout.ms"},
    {CONSUMER,
     {SERVERS, "request.timeout.ms", "500"},
     {0},
     "request.timeout.ms = 500: must be at least fetch.max.wait.ms + 1 = 501",
     "lower fetch.max.wait.ms"},
    {CLIENT,
     {SERVERS, "retry.backoff.ms", "2000"},
     {0},
     "retry.backoff.max.ms = 1000: must be at least retry.backoff.ms = 2000",
     "lower retry.backoff.ms"},
    {PRODUCER, {SERVERS}, {"retry.backoff.max.ms", "99"}, "retry.backoff.max.ms = 99", "raise"},
    {CONSUMER, {SERVERS}, {"retry.backoff.max.ms", "99"}, "retry.backoff.max.ms = 99", "raise"},
    {CLIENT,
     {SERVERS, "reconnect.backoff.ms", "1001"},
     {0},
     "reconnect.backoff.max.ms = 1000",
     "raise"},
    {CLIENT,
     {SERVERS, "socket.connection.setup.timeout.ms", "30001"},
     {0},
     "socket.connection.setup.timeout.max.ms = 30000",
     "raise"},

    /* idempotence is never switched off silently */
    {PRODUCER,
     {SERVERS, "acks", "1"},
     {0},
     "acks = 1: enable.idempotence = true needs acks = all",
     "enable.idempotence=false"},
    {PRODUCER, {SERVERS, "acks", "0"}, {0}, "acks = 0: enable.idempotence = true", "acks=all"},
    {PRODUCER, {SERVERS, "acks", "1"}, {"enable.idempotence", "false"}, NULL, NULL},
    {PRODUCER, {SERVERS, "retries", "0"}, {0}, "retries = 0: enable.idempotence = true", "retries"},
    {PRODUCER, {SERVERS, "retries", "0", "enable.idempotence", "false"}, {0}, NULL, NULL},

    /* memory */
    {CLIENT,
     {SERVERS, "memory.limit", "40000000"},
     {0},
     "memory.limit = 40000000: must be at least control.memory + buffer.memory + fetch.memory",
     "lower one of the three"},
    {CLIENT, {SERVERS, "fetch.memory", "100000000"}, {0}, "memory.limit = 134217728", "raise"},
    {PRODUCER,
     {SERVERS, "buffer.memory", "1130495"},
     {0},
     "buffer.memory = 1130495: must be at least batch.size + max.request.size + 65536 = 1130496",
     "lower max.request.size"},
    {PRODUCER, {SERVERS, "buffer.memory", "1130496"}, {0}, NULL, NULL},
    {PRODUCER, {SERVERS}, {"batch.size", "1048577"}, "max.request.size = 1048576", "batch.size"},
    {CONSUMER,
     {SERVERS, "memory.limit", "41943040"},
     {0},
     "fetch.memory = 0: the fetch reserve has 0 bytes",
     "raise memory.limit"},
    {CONSUMER, {SERVERS, "fetch.memory", "1000"}, {0}, "fetch.memory = 1000", "raise fetch.memory"},
    {CONSUMER, {SERVERS}, {"fetch.min.bytes", "52428801"}, "fetch.max.bytes = 52428800", "raise"},
    {CONSUMER, {SERVERS}, {"consumer.memory", "65535"}, "consumer.memory = 65535", "raise"},
    {CONSUMER,
     {SERVERS, "receive.message.max.bytes", "52429311"},
     {0},
     "receive.message.max.bytes = 52429311: must be at least fetch.max.bytes + 512 = 52429312",
     "lower fetch.max.bytes"},

    /* security */
    {CLIENT,
     {SERVERS, "security.protocol", "SASL_SSL", "sasl.mechanism", "PLAIN", "sasl.jaas.config",
      PLAIN_JAAS},
     {0},
     NULL,
     NULL},
    {CLIENT,
     {SERVERS, "security.protocol", "SASL_PLAINTEXT"},
     {0},
     "sasl.mechanism = none: security.protocol says SASL",
     "set sasl.mechanism"},
    {CLIENT,
     {SERVERS, "sasl.mechanism", "SCRAM-SHA-256"},
     {0},
     "sasl.mechanism = SCRAM-SHA-256: security.protocol does not say SASL",
     "set security.protocol"},
    {CLIENT, {SERVERS, "sasl.mechanism", "none"}, {0}, NULL, NULL},
    {CLIENT,
     {SERVERS, "sasl.password", "hunter2"},
     {0},
     "sasl.password = ...: has no effect without SASL",
     "set security.protocol=SASL_SSL"},
    {CLIENT,
     {SERVERS, SASL, "sasl.mechanism", "PLAIN"},
     {0},
     "sasl.mechanism = PLAIN: would send the secret over a connection that is not encrypted",
     "sasl.allow.plaintext=true"},
    {CLIENT,
     {SERVERS, SASL, "sasl.mechanism", "OAUTHBEARER"},
     {0},
     "sasl.mechanism = OAUTHBEARER: would send the secret",
     "SASL_SSL"},
    {CLIENT,
     {SERVERS, SASL, "sasl.mechanism", "OAUTHBEARER", "sasl.allow.plaintext", "true"},
     {0},
     NULL,
     NULL},
    {CLIENT,
     {SERVERS, SASL, "sasl.mechanism", "SCRAM-SHA-512"},
     {0},
     "sasl.username = (not set)",
     "sasl.jaas.config"},
    {CLIENT,
     {SERVERS, SASL, "sasl.mechanism", "SCRAM-SHA-512", "sasl.username", "u"},
     {0},
     "sasl.password = (not set)",
     "sasl.jaas.config"},
    {CLIENT,
     {SERVERS, SASL, "sasl.mechanism", "SCRAM-SHA-512", "sasl.jaas.config", JAAS},
     {0},
     NULL,
     NULL},

    /* keys that would be ignored where they stand */
    {PRODUCER, {SERVERS}, {"memory.limit", "1000000"}, "memory.limit = 1000000", "of the client"},
    {PRODUCER, {SERVERS}, {"fetch.min.bytes", "2"}, "fetch.min.bytes = 2", "take it out"},
    {CONSUMER, {SERVERS}, {"linger.ms", "2"}, "linger.ms = 2: a consumer does not have", "take it"},
    {CONSUMER, {SERVERS}, {"bootstrap.servers", "x:1"}, "bootstrap.servers = x:1", "of the client"},
};

Test(config_check, each_rule_names_key_value_rule_and_remedy)
{
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct rule_case *c = &cases[i];
        struct kw_config *client = rules_config(c->client);
        struct kw_config *own = c->own[0] ? rules_config(c->own) : NULL;
        struct kw_error err = {0};
        int rc = kwi_config_check(client, own, c->applies, &err);
        if (!c->text) {
            cr_assert_eq(rc, 0, "case %u: %s", i, err.text);
        } else {
            cr_assert_eq(rc, KW_ERR_CONFIG, "case %u was accepted", i);
            cr_assert_eq(err.code, KW_ERR_CONFIG);
            cr_assert_eq(strncmp(err.text, c->text, strlen(c->text)), 0, "case %u: %s", i,
                         err.text);
            cr_assert(strstr(err.hint, c->hint), "case %u: %s", i, err.hint);
            cr_assert_eq(kwi_config_check(client, own, c->applies, NULL), KW_ERR_CONFIG);
        }
        kw_config_destroy(own);
        kw_config_destroy(client);
    }
}

Test(config_check, the_fetch_reserve_is_its_own_key_or_what_the_others_leave)
{
    struct kw_config *rest = rules_config((const char *const[]){"memory.limit", "50000000", NULL});
    struct kw_config *own = rules_config((const char *const[]){"fetch.memory", "500000", NULL});
    cr_assert_eq(kwi_config_fetch_memory(NULL), 88 * 1024 * 1024);
    cr_assert_eq(kwi_config_fetch_memory(rest), 50000000 - 40 * 1024 * 1024);
    cr_assert_eq(kwi_config_fetch_memory(own), 500000);
    kw_config_destroy(rest);
    kw_config_destroy(own);
}
