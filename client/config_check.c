/* client/config_check.c -- rules that tie keys together, asked when a client, a
 * producer or a consumer is created. Each refusal names the key, its value, the
 * rule with the other values, and what to do. */
#include "client/config.h"

#include <string.h>

#include "base/fmt.h"

/* The settings of something that is being created. */
struct config_view {
    const struct kw_config *client, *own;
    struct kw_error *err;
};

static int64_t config_get(const struct config_view *view, enum kw_key key)
{
    return kwi_config_effective(view->client, view->own, key);
}

static int config_deny(const struct config_view *view, enum kw_key key, const char *rule,
                       const char *remedy)
{
    char value[32];
    kwi_config_value_text(key, config_get(view, key), value, sizeof value);
    return kwi_config_refuse(view->err, kwi_config_rows[key].key, value, strlen(value), rule,
                             remedy);
}

/* key must be at least sum, which `what` describes. */
static int config_at_least(const struct config_view *view, enum kw_key key, int64_t sum,
                           const char *what, const char *remedy)
{
    char rule[160];
    if (config_get(view, key) >= sum)
        return 0;
    kwi_fmt(rule, sizeof rule, "must be at least %s = %lld", what, (long long)sum);
    return config_deny(view, key, rule, remedy);
}

/* `max` must not be below `first`: pairs of a first and a longest pause. */
static int config_pair(const struct config_view *view, enum kw_key max, enum kw_key first)
{
    char remedy[128];
    kwi_fmt(remedy, sizeof remedy, "raise %s or lower %s", kwi_config_rows[max].key,
            kwi_config_rows[first].key);
    return config_at_least(view, max, config_get(view, first), kwi_config_rows[first].key, remedy);
}

/* Keys of the client make no sense in a producer's or consumer's own part. */
static int config_check_own(const struct config_view *view, unsigned applies)
{
    for (unsigned key = 0; key < KW_N_KEYS; key++) {
        const struct kw_config_row *row = &kwi_config_rows[key];
        const char *what = applies == KWI_APPLIES_PRODUCER ? "a producer does not have this key"
                           : applies == KWI_APPLIES_TOPIC  ? "a topic does not have this key"
                                                           : "a consumer does not have this key";
        char value[32];
        const char *text = kwi_config_str(view->own, (enum kw_key)key);
        if (!kwi_config_is_set(view->own, (enum kw_key)key) || (row->applies & applies))
            continue;
        if (row->type == KWI_CONFIG_SECRET)
            text = "(hidden)";
        if (!text) {
            kwi_config_value_text((enum kw_key)key, view->own->number[key], value, sizeof value);
            text = value;
        }
        return kwi_config_refuse(
            view->err, row->key, text, strlen(text), what,
            row->applies & KWI_APPLIES_CLIENT ? "set it in the configuration of the client"
            : applies == KWI_APPLIES_TOPIC && row->applies & KWI_APPLIES_PRODUCER
                ? "set it in the configuration of the producer"
                : "take it out of this configuration");
    }
    return 0;
}

enum {
    CONFIG_FETCH_MIN = 128 * 1024, /* one small answer and its envelope */
    CONFIG_SHARE_MIN = 64 * 1024   /* the smallest ones of some leaders */
};

int64_t kwi_config_fetch_memory(const struct kw_config *client)
{
    int64_t own = kwi_config_i64(client, KW_KEY_FETCH_MEMORY);
    int64_t rest = kwi_config_i64(client, KW_KEY_MEMORY_LIMIT) -
                   kwi_config_i64(client, KW_KEY_CONTROL_MEMORY) -
                   kwi_config_i64(client, KW_KEY_BUFFER_MEMORY);
    if (own)
        return own;
    return rest > 0 ? rest : 0;
}

/* What may stay unset for one mechanism must be there for another. */
static int config_need_text(const struct config_view *view, enum kw_key key, const char *remedy)
{
    const char *text = kwi_config_str(view->client, key);
    if (text && *text)
        return 0;
    return kwi_config_refuse(view->err, kwi_config_rows[key].key, "(not set)", 9,
                             "this sasl.mechanism needs it", remedy);
}

/* The token may come later; a key that is there and empty would keep it from being asked for. */
static int config_check_token(const struct config_view *view)
{
    const char *text = kwi_config_str(view->client, KW_KEY_SASL_OAUTHBEARER_TOKEN);
    if (!text || *text)
        return 0;
    return kwi_config_refuse(view->err, "sasl.oauthbearer.token", "", 0, "must not be empty",
                             "set it, or take it out and use kw_oauth_token_set");
}

static int config_check_sasl(const struct config_view *view)
{
    int64_t protocol = config_get(view, KW_KEY_SECURITY_PROTOCOL);
    int64_t mechanism = config_get(view, KW_KEY_SASL_MECHANISM);
    bool clear = mechanism == KWI_MECHANISM_PLAIN || mechanism == KWI_MECHANISM_OAUTHBEARER;
    int rc;
    if (!kwi_config_uses_sasl(view->client)) {
        if (mechanism == KWI_MECHANISM_NONE)
            return 0;
        return config_deny(view, KW_KEY_SASL_MECHANISM, "security.protocol does not say SASL",
                           "set security.protocol=SASL_SSL or SASL_PLAINTEXT");
    }
    if (mechanism == KWI_MECHANISM_NONE)
        return config_deny(view, KW_KEY_SASL_MECHANISM, "security.protocol says SASL, but not how",
                           "set sasl.mechanism to one that the broker has enabled");
    if (clear && protocol == KW_SECURITY_SASL_PLAINTEXT &&
        !config_get(view, KW_KEY_SASL_ALLOW_PLAINTEXT))
        return config_deny(view, KW_KEY_SASL_MECHANISM,
                           "would send the secret over a connection that is not encrypted",
                           "use security.protocol=SASL_SSL or SCRAM, or sasl.allow.plaintext=true");
    if (mechanism == KWI_MECHANISM_OAUTHBEARER)
        return config_check_token(view);
    if (mechanism == KWI_MECHANISM_CUSTOM)
        return 0; /* nobody here knows what it is made of */
    rc = config_need_text(view, KW_KEY_SASL_USERNAME, "set it, or sasl.jaas.config");
    if (!rc)
        rc = config_need_text(view, KW_KEY_SASL_PASSWORD, "set it, or sasl.jaas.config");
    if (!rc && mechanism == KWI_MECHANISM_PLAIN && config_get(view, KW_KEY_SASL_SCRAM_TOKENAUTH))
        rc = config_deny(view, KW_KEY_SASL_SCRAM_TOKENAUTH, "PLAIN takes no delegation tokens",
                         "set sasl.mechanism to SCRAM-SHA-256 or SCRAM-SHA-512");
    return rc;
}

/* Whoever sets a key of TLS believes that the connection is encrypted, and whoever gives a
 * password that somebody asks for it. */
static int config_deny_all(const struct config_view *view, const char *prefix, const char *rule,
                           const char *remedy)
{
    for (unsigned key = 0; key < KW_N_KEYS; key++) {
        const struct kw_config_row *row = &kwi_config_rows[key];
        /* (No key is shorter than a prefix, with its NUL; the mechanism was looked at.) */
        if (key != KW_KEY_SASL_MECHANISM && kwi_config_is_set(view->client, (enum kw_key)key) &&
            !memcmp(row->key, prefix, strlen(prefix)))
            return kwi_config_refuse(view->err, row->key, "...", 3, rule, remedy);
    }
    return 0;
}

static int config_check_security(const struct config_view *view)
{
    int rc = 0;
    if (!kwi_config_uses_tls(view->client))
        rc = config_deny_all(view, "ssl.", "has no effect without TLS in security.protocol",
                             "set security.protocol=SSL or SASL_SSL, or take this key out");
    if (!rc)
        rc = config_check_sasl(view);
    if (!rc && !kwi_config_uses_sasl(view->client))
        rc = config_deny_all(view, "sasl.", "has no effect without SASL in security.protocol",
                             "set security.protocol=SASL_SSL or SASL_PLAINTEXT, or take it out "
                             "(sasl.jaas.config sets it)");
    return rc;
}

static int config_check_client(const struct config_view *view)
{
    int rc;
    if (!kwi_config_str(view->client, KW_KEY_BOOTSTRAP_SERVERS))
        return kwi_config_refuse(view->err, "bootstrap.servers", "(not set)", 9,
                                 "no broker to begin with",
                                 "set it to host:port of at least one broker");
    rc = config_at_least(view, KW_KEY_MEMORY_LIMIT,
                         config_get(view, KW_KEY_CONTROL_MEMORY) +
                             config_get(view, KW_KEY_BUFFER_MEMORY) +
                             config_get(view, KW_KEY_FETCH_MEMORY),
                         "control.memory + buffer.memory + fetch.memory",
                         "raise memory.limit or lower one of the three");
    if (!rc)
        rc = config_pair(view, KW_KEY_RETRY_BACKOFF_MAX_MS, KW_KEY_RETRY_BACKOFF_MS);
    if (!rc)
        rc = config_pair(view, KW_KEY_RECONNECT_BACKOFF_MAX_MS, KW_KEY_RECONNECT_BACKOFF_MS);
    if (!rc)
        rc = config_pair(view, KW_KEY_SOCKET_CONNECTION_SETUP_TIMEOUT_MAX_MS,
                         KW_KEY_SOCKET_CONNECTION_SETUP_TIMEOUT_MS);
    if (!rc)
        rc = config_check_security(view);
    return rc;
}

/* A transaction is one of an idempotent producer. */
static int config_check_transactions(const struct config_view *view)
{
    const struct kw_config *cfg = view->own && kwi_config_is_set(view->own, KW_KEY_TRANSACTIONAL_ID)
                                      ? view->own
                                      : view->client;
    const char *id = kwi_config_str(cfg, KW_KEY_TRANSACTIONAL_ID);
    if (!id)
        return 0;
    if (!*id)
        return kwi_config_refuse(view->err, "transactional.id", "", 0, "must not be empty",
                                 "give the producer a name, or take the key out");
    if (!config_get(view, KW_KEY_ENABLE_IDEMPOTENCE))
        return config_deny(view, KW_KEY_ENABLE_IDEMPOTENCE,
                           "transactional.id needs enable.idempotence = true",
                           "leave enable.idempotence alone, or take transactional.id out");
    return 0;
}

static int config_check_idempotence(const struct config_view *view)
{
    if (!config_get(view, KW_KEY_ENABLE_IDEMPOTENCE))
        return 0;
    if (config_get(view, KW_KEY_ACKS) != -1)
        return config_deny(view, KW_KEY_ACKS, "enable.idempotence = true needs acks = all",
                           "set acks=all, or enable.idempotence=false");
    if (config_get(view, KW_KEY_RETRIES) == 0)
        return config_deny(view, KW_KEY_RETRIES, "enable.idempotence = true needs retries above 0",
                           "leave retries alone, or set enable.idempotence=false");
    if (config_get(view, KW_KEY_MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION) > 5)
        return config_deny(view, KW_KEY_MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION,
                           "enable.idempotence = true allows five in flight at most",
                           "lower it to 5 or less, or set enable.idempotence=false");
    return 0;
}

/* Batches are opened only while more than the first two is free, and take memory
 * in chunks: with less, the largest record would wait for ever. */
enum { CONFIG_CHUNK = 65536 };

static int config_check_producer(const struct config_view *view)
{
    int rc = config_check_transactions(view);
    if (!rc)
        rc = config_check_idempotence(view);
    if (!rc && config_get(view, KW_KEY_DELIVERY_TIMEOUT_MS))
        rc = config_at_least(view, KW_KEY_DELIVERY_TIMEOUT_MS,
                             config_get(view, KW_KEY_LINGER_MS) +
                                 config_get(view, KW_KEY_REQUEST_TIMEOUT_MS),
                             "linger.ms + request.timeout.ms",
                             "raise delivery.timeout.ms or lower request.timeout.ms");
    if (!rc)
        rc = config_pair(view, KW_KEY_RETRY_BACKOFF_MAX_MS, KW_KEY_RETRY_BACKOFF_MS);
    if (!rc)
        rc = config_pair(view, KW_KEY_MAX_REQUEST_SIZE, KW_KEY_BATCH_SIZE);
    if (!rc)
        rc = config_at_least(view, KW_KEY_BUFFER_MEMORY,
                             config_get(view, KW_KEY_BATCH_SIZE) +
                                 config_get(view, KW_KEY_MAX_REQUEST_SIZE) + CONFIG_CHUNK,
                             "batch.size + max.request.size + 65536",
                             "raise buffer.memory or lower max.request.size");
    return rc;
}

static bool config_is_set(const struct config_view *view, enum kw_key key)
{
    return kwi_config_is_set(view->client, key) || (view->own && kwi_config_is_set(view->own, key));
}

static int config_deny_text(const struct config_view *view, enum kw_key key, const char *rule,
                            const char *remedy)
{
    const struct kw_config *cfg = view->own && kwi_config_is_set(view->own, key) ? view->own
                                                                                 : view->client;
    const char *text = kwi_config_str(cfg, key);
    if (!text)
        return config_deny(view, key, rule, remedy);
    return kwi_config_refuse(view->err, kwi_config_rows[key].key, text, strlen(text), rule, remedy);
}

/* As Java does: a key that the chosen protocol has no use for is refused. */
static int config_check_protocol(const struct config_view *view)
{
    static const enum kw_key classic[] = {KW_KEY_SESSION_TIMEOUT_MS, KW_KEY_HEARTBEAT_INTERVAL_MS,
                                          KW_KEY_PARTITION_ASSIGNMENT_STRATEGY};
    int64_t protocol = config_get(view, KW_KEY_GROUP_PROTOCOL);
    if (protocol == KW_GROUP_CLASSIC && config_is_set(view, KW_KEY_GROUP_REMOTE_ASSIGNOR))
        return config_deny_text(view, KW_KEY_GROUP_REMOTE_ASSIGNOR,
                                "cannot be set when group.protocol=classic",
                                "set group.protocol=consumer, or partition.assignment.strategy");
    for (unsigned i = 0; i < sizeof classic / sizeof *classic; i++) {
        if (!config_is_set(view, classic[i]))
            continue;
        if (protocol == KW_GROUP_CONSUMER)
            return config_deny_text(view, classic[i], "cannot be set when group.protocol=consumer",
                                    "take it out: the broker decides about it (group "
                                    "configuration); or set group.protocol=classic");
        if (protocol == KW_GROUP_AUTO && config_is_set(view, KW_KEY_GROUP_REMOTE_ASSIGNOR))
            return config_deny_text(view, classic[i],
                                    "group.remote.assignor is for the other group.protocol",
                                    "take one of the two out, or set group.protocol");
    }
    return 0;
}

static int config_check_consumer(const struct config_view *view)
{
    char rule[160];
    int64_t fetch_memory = kwi_config_fetch_memory(view->client);
    int rc = config_pair(view, KW_KEY_RETRY_BACKOFF_MAX_MS, KW_KEY_RETRY_BACKOFF_MS);
    if (!rc)
        rc = config_check_protocol(view);
    if (!rc)
        rc = config_at_least(
            view, KW_KEY_SESSION_TIMEOUT_MS, config_get(view, KW_KEY_HEARTBEAT_INTERVAL_MS) + 1,
            "heartbeat.interval.ms + 1", "raise session.timeout.ms or lower heartbeat.interval.ms");
    if (!rc)
        rc = config_pair(view, KW_KEY_MAX_POLL_INTERVAL_MS, KW_KEY_REBALANCE_ACK_TIMEOUT_MS);
    if (!rc)
        rc = config_pair(view, KW_KEY_FETCH_MAX_BYTES, KW_KEY_FETCH_MIN_BYTES);
    if (!rc && config_get(view, KW_KEY_CONSUMER_MEMORY))
        rc = config_at_least(view, KW_KEY_CONSUMER_MEMORY, CONFIG_SHARE_MIN,
                             "65536, or 0 for all of fetch.memory",
                             "raise consumer.memory, or leave it out");
    if (!rc)
        rc = config_at_least(
            view, KW_KEY_REQUEST_TIMEOUT_MS, config_get(view, KW_KEY_FETCH_MAX_WAIT_MS) + 1,
            "fetch.max.wait.ms + 1", "raise request.timeout.ms or lower fetch.max.wait.ms");
    if (!rc)
        rc = config_at_least(
            view, KW_KEY_RECEIVE_MESSAGE_MAX_BYTES, config_get(view, KW_KEY_FETCH_MAX_BYTES) + 512,
            "fetch.max.bytes + 512", "raise receive.message.max.bytes or lower fetch.max.bytes");
    if (rc || fetch_memory >= CONFIG_FETCH_MIN)
        return rc;
    kwi_fmt(rule, sizeof rule, "the fetch reserve has %lld bytes, a consumer needs %d",
            (long long)fetch_memory, CONFIG_FETCH_MIN);
    return config_deny(view, KW_KEY_FETCH_MEMORY, rule,
                       "raise fetch.memory, or raise memory.limit, or lower buffer.memory");
}

int kwi_config_check(const struct kw_config *client, const struct kw_config *own, unsigned applies,
                     struct kw_error *err)
{
    struct config_view view = {client, own, err};
    int rc = own ? config_check_own(&view, applies) : 0;
    if (rc)
        return rc;
    if (applies == KWI_APPLIES_PRODUCER)
        return config_check_producer(&view);
    if (applies == KWI_APPLIES_TOPIC)
        return 0; /* what its keys may be together, partitioner.c knows */
    if (applies == KWI_APPLIES_CONSUMER)
        return config_check_consumer(&view);
    return config_check_client(&view);
}
