/* kwire/config.h -- configuration: Kafka's own property names (Java's; those of
 * librdkafka as aliases), one table behind them (client/config_table.c).
 *
 * A kw_config is plain memory: the create calls copy what they need. Threads: one at a time
 * for each. */
#ifndef KWIRE_CONFIG_H
#define KWIRE_CONFIG_H
#include <kwire/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The keys by number, for builds that link no strings. Only ever appended. */
enum kw_key {
    KW_KEY_BOOTSTRAP_SERVERS,
    KW_KEY_CLIENT_ID,
    KW_KEY_REQUEST_TIMEOUT_MS,
    KW_KEY_RETRY_BACKOFF_MS,
    KW_KEY_RETRY_BACKOFF_MAX_MS,
    KW_KEY_RECONNECT_BACKOFF_MS,
    KW_KEY_RECONNECT_BACKOFF_MAX_MS,
    KW_KEY_SOCKET_CONNECTION_SETUP_TIMEOUT_MS,
    KW_KEY_SOCKET_CONNECTION_SETUP_TIMEOUT_MAX_MS,
    KW_KEY_CONNECTIONS_MAX_IDLE_MS,
    KW_KEY_METADATA_MAX_AGE_MS,
    KW_KEY_RECEIVE_MESSAGE_MAX_BYTES,
    KW_KEY_MEMORY_LIMIT,
    KW_KEY_CONTROL_MEMORY,
    KW_KEY_ALLOW_AUTO_CREATE_TOPICS,
    KW_KEY_SECURITY_PROTOCOL,
    /* producer */
    KW_KEY_ACKS,
    KW_KEY_ENABLE_IDEMPOTENCE,
    KW_KEY_RETRIES,
    KW_KEY_MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION,
    KW_KEY_LINGER_MS,
    KW_KEY_BATCH_SIZE,
    KW_KEY_BUFFER_MEMORY,
    KW_KEY_MAX_REQUEST_SIZE,
    KW_KEY_DELIVERY_TIMEOUT_MS,
    KW_KEY_PARTITIONER,
    KW_KEY_PRODUCE_WRITES,
    KW_KEY_COMPRESSION_TYPE,
    KW_KEY_COMPRESSION_GZIP_LEVEL,
    KW_KEY_COMPRESSION_LZ4_LEVEL,
    KW_KEY_COMPRESSION_ZSTD_LEVEL,
    KW_KEY_DELIVERY_REPORT_ONLY_ERROR,
    /* consumer */
    KW_KEY_FETCH_MEMORY,
    KW_KEY_CONSUMER_MEMORY,
    KW_KEY_FETCH_MIN_BYTES,
    KW_KEY_FETCH_MAX_BYTES,
    KW_KEY_FETCH_MAX_WAIT_MS,
    KW_KEY_MAX_PARTITION_FETCH_BYTES,
    KW_KEY_MAX_POLL_RECORDS,
    KW_KEY_CHECK_CRCS,
    KW_KEY_AUTO_OFFSET_RESET,
    KW_KEY_ISOLATION_LEVEL,
    KW_KEY_MAX_DECOMPRESSED_BATCH_BYTES,
    /* SASL */
    KW_KEY_SASL_MECHANISM,
    KW_KEY_SASL_USERNAME,
    KW_KEY_SASL_PASSWORD,
    KW_KEY_SASL_SCRAM_TOKENAUTH,
    KW_KEY_SASL_JAAS_CONFIG,
    KW_KEY_SASL_OAUTHBEARER_TOKEN,
    KW_KEY_SASL_ALLOW_PLAINTEXT,
    /* TLS */
    KW_KEY_SSL_TRUSTSTORE_LOCATION,
    KW_KEY_SSL_TRUSTSTORE_CERTIFICATES,
    KW_KEY_SSL_KEYSTORE_LOCATION,
    KW_KEY_SSL_KEYSTORE_CERTIFICATE_CHAIN,
    KW_KEY_SSL_CERTIFICATE_LOCATION,
    KW_KEY_SSL_KEY_LOCATION,
    KW_KEY_SSL_KEYSTORE_KEY,
    KW_KEY_SSL_KEY_PASSWORD,
    KW_KEY_SSL_KEYSTORE_PASSWORD,
    KW_KEY_SSL_CRL_LOCATION,
    KW_KEY_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM,
    KW_KEY_SSL_ENABLED_PROTOCOLS,
    KW_KEY_SSL_CIPHER_SUITES,
    /* groups */
    KW_KEY_GROUP_ID,
    KW_KEY_GROUP_INSTANCE_ID,
    KW_KEY_ENABLE_AUTO_COMMIT,
    KW_KEY_AUTO_COMMIT_INTERVAL_MS,
    KW_KEY_PARTITION_ASSIGNMENT_STRATEGY,
    KW_KEY_SESSION_TIMEOUT_MS,
    KW_KEY_HEARTBEAT_INTERVAL_MS,
    KW_KEY_MAX_POLL_INTERVAL_MS,
    KW_KEY_REBALANCE_ACK_TIMEOUT_MS,
    /* names and connections */
    KW_KEY_DNS_LOOKUP_TIMEOUT_MS,
    KW_KEY_SOCKET_CONNECTION_ATTEMPT_DELAY_MS,
    KW_KEY_METADATA_RECOVERY_STRATEGY,
    KW_KEY_METADATA_RECOVERY_REBOOTSTRAP_TRIGGER_MS,
    KW_KEY_DNS_RESOLVER,
    KW_KEY_DNS_SERVERS,
    KW_KEY_CLIENT_DNS_LOOKUP,
    KW_KEY_SOCKET_KEEPALIVE_ENABLE,
    KW_KEY_SOCKET_NAGLE_DISABLE,
    KW_KEY_SEND_BUFFER_BYTES,
    KW_KEY_RECEIVE_BUFFER_BYTES,
    /* groups */
    KW_KEY_GROUP_PROTOCOL,
    KW_KEY_GROUP_REMOTE_ASSIGNOR,
    KW_KEY_CLIENT_RACK,
    /* transactions */
    KW_KEY_TRANSACTIONAL_ID,
    KW_KEY_TRANSACTION_TIMEOUT_MS,
    /* partitioners */
    KW_KEY_PARTITIONER_IGNORE_KEYS,
    KW_KEY_PARTITIONER_ADAPTIVE_PARTITIONING_ENABLE,
    KW_KEY_PARTITIONER_AVAILABILITY_TIMEOUT_MS,
    KW_N_KEYS
};

/* The words of security.protocol. */
enum {
    KW_SECURITY_PLAINTEXT = 0,
    KW_SECURITY_SSL = 1,
    KW_SECURITY_SASL_PLAINTEXT = 2,
    KW_SECURITY_SASL_SSL = 3
};

/* The words of partitioner. */
enum kw_partitioner_name {
    KW_PARTITIONER_MURMUR2 = 0,
    KW_PARTITIONER_MURMUR2_RANDOM = 1,
    KW_PARTITIONER_CONSISTENT = 2,
    KW_PARTITIONER_CONSISTENT_RANDOM = 3,
    KW_PARTITIONER_FNV1A = 4,
    KW_PARTITIONER_FNV1A_RANDOM = 5,
    KW_PARTITIONER_RANDOM = 6,
    KW_PARTITIONER_ROUNDROBIN = 7,
    KW_PARTITIONER_STICKY = 8,
    KW_N_PARTITIONERS
};

/* The words of dns.resolver. */
enum {
    KW_RESOLVER_AUTO = 0,
    KW_RESOLVER_CARES = 1,
    KW_RESOLVER_THREAD = 2,
    KW_RESOLVER_BLOCKING = 3
};
/* The words of group.protocol. */
enum { KW_GROUP_CLASSIC = 0, KW_GROUP_CONSUMER = 1, KW_GROUP_AUTO = 2 };
/* The words of client.dns.lookup. */
enum { KW_LOOKUP_ALL = 0, KW_LOOKUP_CANONICAL = 1 };
/* The words of metadata.recovery.strategy. */
enum { KW_RECOVERY_REBOOTSTRAP = 0, KW_RECOVERY_NONE = 1 };

struct kw_config;

/* Creates an empty configuration: every key at its default.
 * Ownership: the caller destroys it; alloc is copied. NULL alloc: KW_ERR_USE.
 * Errors: KW_ERR_NOMEM. */
KW_EXPORT KW_MUST_USE int kw_config_create(struct kw_config **out, const struct kw_alloc *alloc);
/* Frees it; its secrets are wiped. NULL allowed. */
KW_EXPORT void kw_config_destroy(struct kw_config *cfg);
/* Sets one key from text. Ownership: both strings are copied.
 * Errors: KW_ERR_CONFIG with key, value, rule and remedy in *err (may be NULL);
 * KW_ERR_NOMEM, KW_ERR_USE (no cfg, key or value). The old value stays on failure. */
KW_EXPORT KW_MUST_USE int kw_config_set(struct kw_config *cfg, const char *key, const char *val,
                                        struct kw_error *err);
/* The same for a key whose value is a number, a bool (0/1) or a listed word
 * (its index in docs/CONFIG.md). Errors: as kw_config_set. */
KW_EXPORT KW_MUST_USE int kw_config_set_i64(struct kw_config *cfg, enum kw_key key, int64_t val,
                                            struct kw_error *err);
/* The value of a number, bool or word, or its default: for a driver.
 * Ownership: the text is the configuration's, until the key is set again. It may
 * be a password: never print it. NULL: not set, and there is no default. */
KW_EXPORT int64_t kw_config_number(const struct kw_config *cfg, enum kw_key key);
KW_EXPORT const char *kw_config_text(const struct kw_config *cfg, enum kw_key key);
/* Where the references of a configuration text come from: ${env:NAME} and
 * ${file:PATH} in a value, for passwords that should not stand in the file. */
struct kw_config_source {
    /* Writes what kind ("env" or "file") and name stand for to buf, at most cap
     * bytes without NUL, and their number to *len. 0; KW_ERR_LIMIT: more than cap;
     * KW_ERR_NOMEM; any other error with *why, a static text, set. */
    int (*get)(void *ctx, const char *kind, const char *name, char *buf, size_t cap, size_t *len,
               const char **why);
    void *ctx; /* must outlive the configuration */
};
/* Switches references on for the texts that are parsed from then on; NULL switches
 * them off, which they are at first: then kw_config_parse refuses them. Values of
 * kw_config_set are always literal. kw_config_use_references (kwire.h) gives the
 * process's environment and files. Ownership: source is copied.
 * Errors: KW_ERR_USE (no cfg, no get). */
KW_EXPORT KW_MUST_USE int kw_config_set_source(struct kw_config *cfg,
                                               const struct kw_config_source *source);
/* Reads Java properties (key=value, # and ! comments, \ continuation) from
 * memory; an unknown key is an error that names the line. The lines before a
 * refused one stay set. Errors: KW_ERR_CONFIG with the line in *err (may be NULL),
 * KW_ERR_NOMEM, KW_ERR_USE (no cfg or text). */
KW_EXPORT KW_MUST_USE int kw_config_parse(struct kw_config *cfg, const char *text, size_t len,
                                          struct kw_error *err);

#ifdef __cplusplus
}
#endif
#endif
