/* client/config_table.c -- the keys: name, type, default, range, meaning.
 *
 * docs/CONFIG.md is generated from this table, and nothing else knows a key's
 * text. Names are Java's where Java has the key; receive.message.max.bytes is
 * librdkafka's; memory.limit, control.memory, fetch.memory, produce.writes,
 * rebalance.ack.timeout.ms, sasl.scram.tokenauth, sasl.oauthbearer.token,
 * sasl.allow.plaintext, dns.* and socket.connection.attempt.delay.ms are ours. Defaults
 * are Java's, except where a safer one exists. */
#include "client/config.h"

#include <string.h>

#define CONFIG_CLIENT KWI_APPLIES_CLIENT
#define CONFIG_ANY (KWI_APPLIES_CLIENT | KWI_APPLIES_PRODUCER | KWI_APPLIES_CONSUMER)
#define CONFIG_TOPIC (KWI_APPLIES_PRODUCER | KWI_APPLIES_TOPIC)
#define CONFIG_TLS (KWI_APPLIES_CLIENT | KWI_APPLIES_DRIVER)
#define CONFIG_DRIVER CONFIG_TLS
#define CONFIG_MS_MAX INT32_MAX
#define CONFIG_USER_MAX 1024
#define CONFIG_BYTES_MAX ((int64_t)1 << 40)

#define CONFIG_INT(id, name, alias, unit_, def_, min_, max_, applies_, doc_) \
    [KW_KEY_##id] = {.key = (name),                                          \
                     .aliases = (alias),                                     \
                     .unit = (unit_),                                        \
                     .doc = (doc_),                                          \
                     .type = KWI_CONFIG_INT,                                 \
                     .applies = (applies_),                                  \
                     .def = (def_),                                          \
                     .min = (min_),                                          \
                     .max = (max_)}
#define CONFIG_INT_OF(id, name, alias, words_, def_, min_, max_, applies_, refusal_, doc_) \
    [KW_KEY_##id] = {.key = (name),                                                        \
                     .aliases = (alias),                                                   \
                     .unit = "",                                                           \
                     .words = (words_),                                                    \
                     .refusal = (refusal_),                                                \
                     .doc = (doc_),                                                        \
                     .type = KWI_CONFIG_INT,                                               \
                     .applies = (applies_),                                                \
                     .def = (def_),                                                        \
                     .min = (min_),                                                        \
                     .max = (max_)}
#define CONFIG_BOOL(id, name, def_, applies_, doc_) \
    [KW_KEY_##id] = {.key = (name),                 \
                     .unit = "",                    \
                     .doc = (doc_),                 \
                     .type = KWI_CONFIG_BOOL,       \
                     .applies = (applies_),         \
                     .def = (def_),                 \
                     .min = 0,                      \
                     .max = 1}
#define CONFIG_WORD(id, name, alias, words_, planned_, applies_, refusal_, doc_) \
    [KW_KEY_##id] = {.key = (name),                                              \
                     .aliases = (alias),                                         \
                     .unit = "",                                                 \
                     .words = (words_),                                          \
                     .planned = (planned_),                                      \
                     .refusal = (refusal_),                                      \
                     .doc = (doc_),                                              \
                     .type = KWI_CONFIG_WORD,                                    \
                     .applies = (applies_)}
#define CONFIG_TEXT(id, name, alias, type_, text_, max_, applies_, doc_) \
    [KW_KEY_##id] = {.key = (name),                                      \
                     .aliases = (alias),                                 \
                     .unit = "",                                         \
                     .text = (text_),                                    \
                     .doc = (doc_),                                      \
                     .type = (type_),                                    \
                     .applies = (applies_),                              \
                     .max = (max_)}

const struct kw_config_row kwi_config_rows[KW_N_KEYS] = {
    CONFIG_TEXT(BOOTSTRAP_SERVERS, "bootstrap.servers", "metadata.broker.list", KWI_CONFIG_SERVERS,
                NULL, KWI_CONFIG_TEXT_MAX, CONFIG_CLIENT,
                "Brokers to begin with: host:port, separated by commas, IPv6 addresses in "
                "brackets. A missing port is 9092. The other brokers are learned from them."),
    CONFIG_TEXT(CLIENT_ID, "client.id", NULL, KWI_CONFIG_STRING, "kwire", 249, CONFIG_CLIENT,
                "The name that brokers see in their logs and quotas."),
    CONFIG_INT(REQUEST_TIMEOUT_MS, "request.timeout.ms", "socket.timeout.ms", "ms", 30000, 1,
               CONFIG_MS_MAX, CONFIG_ANY,
               "How long one request may wait for its answer; then the connection is closed and "
               "the request is tried again if it may be. Brokers answer one connection in order: "
               "the time begins when it was sent (records), or when what was sent before it is "
               "answered (all else). "
               "The value of a producer or consumer itself holds for its own requests, not for "
               "metadata and the search for coordinators, which are the client's. A member of a "
               "classic group waits longer for others: JoinGroup for max.poll.interval.ms and 5 s, "
               "SyncGroup (but for the leader's) for the client's value if that is larger, and for "
               "10 s at least."),
    CONFIG_INT(RETRY_BACKOFF_MS, "retry.backoff.ms", NULL, "ms", 100, 0, CONFIG_MS_MAX, CONFIG_ANY,
               "The pause before the first retry; it doubles with each failure, with jitter."),
    CONFIG_INT(RETRY_BACKOFF_MAX_MS, "retry.backoff.max.ms", NULL, "ms", 1000, 0, CONFIG_MS_MAX,
               CONFIG_ANY, "The longest pause between two retries."),
    CONFIG_INT(RECONNECT_BACKOFF_MS, "reconnect.backoff.ms", NULL, "ms", 50, 0, CONFIG_MS_MAX,
               CONFIG_CLIENT,
               "The pause before a broker is connected to again; it doubles with each failure, and "
               "with each connection that broke within reconnect.backoff.max.ms."),
    CONFIG_INT(RECONNECT_BACKOFF_MAX_MS, "reconnect.backoff.max.ms", NULL, "ms", 1000, 0,
               CONFIG_MS_MAX, CONFIG_CLIENT, "The longest pause between two attempts to connect."),
    CONFIG_INT(SOCKET_CONNECTION_SETUP_TIMEOUT_MS, "socket.connection.setup.timeout.ms", NULL, "ms",
               10000, 1, CONFIG_MS_MAX, CONFIG_CLIENT,
               "How long the first attempt to connect to an address may take; it doubles with "
               "each failure."),
    CONFIG_INT(SOCKET_CONNECTION_SETUP_TIMEOUT_MAX_MS, "socket.connection.setup.timeout.max.ms",
               NULL, "ms", 30000, 1, CONFIG_MS_MAX, CONFIG_CLIENT,
               "The longest time that an attempt to connect may take."),
    CONFIG_INT(CONNECTIONS_MAX_IDLE_MS, "connections.max.idle.ms", NULL, "ms", 540000, 1000,
               CONFIG_MS_MAX, CONFIG_CLIENT,
               "A connection without traffic for so long is closed, before the broker does it "
               "(whose default is 10 minutes)."),
    CONFIG_INT(METADATA_MAX_AGE_MS, "metadata.max.age.ms", "topic.metadata.refresh.interval.ms",
               "ms", 300000, 1, CONFIG_MS_MAX, CONFIG_CLIENT,
               "Metadata older than this is asked for again even if nothing failed."),
    CONFIG_INT(RECEIVE_MESSAGE_MAX_BYTES, "receive.message.max.bytes", NULL, "bytes", 100000000,
               1000, INT32_MAX, CONFIG_CLIENT,
               "The largest answer that is accepted from a broker; a larger one closes the "
               "connection."),
    CONFIG_INT(MEMORY_LIMIT, "memory.limit", NULL, "bytes", 128 * 1024 * 1024, 256 * 1024,
               CONFIG_BYTES_MAX, CONFIG_CLIENT,
               "The memory for records, metadata, connections and requests. It is split at "
               "create into three reserves that never borrow from each other: control.memory, "
               "buffer.memory, fetch.memory. Not in it: copies of the configuration, results that "
               "are handed out, and what the driver, TLS and c-ares take for themselves."),
    CONFIG_INT(CONTROL_MEMORY, "control.memory", NULL, "bytes", 8 * 1024 * 1024, 64 * 1024,
               CONFIG_BYTES_MAX, CONFIG_CLIENT,
               "The reserve for metadata, connections, requests and small answers."),
    CONFIG_BOOL(ALLOW_AUTO_CREATE_TOPICS, "allow.auto.create.topics", 0, CONFIG_CLIENT,
                "Whether asking for a topic that does not exist may make a broker create it (if "
                "the broker allows it, too)."),
    CONFIG_WORD(SECURITY_PROTOCOL, "security.protocol", NULL,
                "PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL", NULL, CONFIG_CLIENT, NULL,
                "How connections are protected. PLAINTEXT: not at all. SSL: TLS 1.2 or 1.3; the "
                "broker's certificate is verified against trusted authorities and the host name. "
                "SASL_PLAINTEXT: we authenticate (sasl.mechanism), and nothing is encrypted. "
                "SASL_SSL: both."),

    CONFIG_INT_OF(ACKS, "acks", "request.required.acks", "all=-1", -1, -1, 1, KWI_APPLIES_PRODUCER,
                  NULL,
                  "Who must have a batch before it counts as delivered. all: every in-sync "
                  "replica; 1: the leader alone; 0: nobody, the broker does not even answer."),
    CONFIG_BOOL(ENABLE_IDEMPOTENCE, "enable.idempotence", 1, KWI_APPLIES_PRODUCER,
                "Whether the broker removes duplicates that retries would cause and keeps the "
                "order. Never switched off silently."),
    CONFIG_INT(RETRIES, "retries", "message.send.max.retries", "", INT32_MAX, 0, INT32_MAX,
               KWI_APPLIES_PRODUCER,
               "How often a batch is tried again; delivery.timeout.ms is the better limit."),
    CONFIG_INT(
        MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION, "max.in.flight.requests.per.connection",
        "max.in.flight", "", 5, 1, 1000, KWI_APPLIES_PRODUCER,
        "Produce requests that may wait for their answers on one connection, and batches of "
        "one partition. Without idempotence only 1 keeps the order when one is tried again."),
    CONFIG_INT(LINGER_MS, "linger.ms", "queue.buffering.max.ms", "ms", 5, 0, 900000,
               KWI_APPLIES_PRODUCER, "How long a batch waits for more records before it is sent."),
    CONFIG_INT(BATCH_SIZE, "batch.size", NULL, "bytes", 16384, 1, INT32_MAX / 2,
               KWI_APPLIES_PRODUCER,
               "A batch of one partition is sent when it has this size, whatever linger.ms says."),
    CONFIG_INT(BUFFER_MEMORY, "buffer.memory", NULL, "bytes", 32 * 1024 * 1024, 64 * 1024,
               CONFIG_BYTES_MAX, CONFIG_CLIENT,
               "The reserve for records that wait for their outcome, of all producers of the "
               "client. When it is full, producing answers WOULD_BLOCK."),
    CONFIG_INT(MAX_REQUEST_SIZE, "max.request.size", "message.max.bytes", "bytes", 1024 * 1024,
               1024, 1024 * 1024 * 1024, KWI_APPLIES_PRODUCER,
               "The largest record, with its batch around it, and the largest produce request. "
               "Brokers have limits of their own (message.max.bytes of the topic)."),
    CONFIG_INT(DELIVERY_TIMEOUT_MS, "delivery.timeout.ms", "message.timeout.ms", "ms", 120000, 0,
               CONFIG_MS_MAX, KWI_APPLIES_PRODUCER,
               "The time from produce to the report of the outcome, retries included. 0: until "
               "it is delivered, however long no broker can be reached; buffer.memory bounds "
               "what waits, and a full one refuses records. What a broker refuses for good "
               "ends all the same."),
    CONFIG_WORD(PARTITIONER, "partitioner", "partitioner.class",
                "murmur2|murmur2_random|consistent|consistent_random|fnv1a|fnv1a_random|random|"
                "roundrobin|sticky",
                NULL, CONFIG_TOPIC, NULL,
                "How a record without partition gets one. By key: murmur2 as Java does (and "
                "librdkafka's murmur2_random), consistent and consistent_random by CRC-32 as "
                "librdkafka does, fnv1a as Sarama does (and librdkafka's fnv1a_random). Records "
                "without key are sticky with these: they stay on one partition until it got "
                "batch.size bytes, and then move on; with consistent they all go to partition "
                "0, and with consistent_random an empty key is none. Whatever the key: random "
                "and roundrobin place each record anew, and with sticky all are sticky."),
    CONFIG_BOOL(PARTITIONER_IGNORE_KEYS, "partitioner.ignore.keys", 0, CONFIG_TOPIC,
                "Whether records with a key are placed as if they had none."),
    CONFIG_BOOL(PARTITIONER_ADAPTIVE_PARTITIONING_ENABLE,
                "partitioner.adaptive.partitioning.enable", 1, CONFIG_TOPIC,
                "Whether sticky records prefer partitions where fewer batches wait (KIP-794), so "
                "that slow brokers get less. Otherwise all are equal."),
    CONFIG_INT(PARTITIONER_AVAILABILITY_TIMEOUT_MS, "partitioner.availability.timeout.ms", NULL,
               "ms", 0, 0, CONFIG_MS_MAX, CONFIG_TOPIC,
               "Sticky records avoid partitions whose leader has taken nothing for so long though "
               "there was something to send, if partitioner.adaptive.partitioning.enable. 0: they "
               "do not."),
    CONFIG_BOOL(PRODUCE_WRITES, "produce.writes", 1, KWI_APPLIES_PRODUCER,
                "Whether producing may make one write to a socket itself when a batch became "
                "full and no thread of the client runs."),
    CONFIG_WORD(COMPRESSION_TYPE, "compression.type", "compression.codec",
                "none|gzip|snappy|lz4|zstd", NULL, KWI_APPLIES_PRODUCER, NULL,
                "How batches are compressed. The codec must be part of the build; a batch that "
                "does not get smaller is sent as it is."),
    CONFIG_INT(COMPRESSION_GZIP_LEVEL, "compression.gzip.level", NULL, "", -1, -1, 9,
               KWI_APPLIES_PRODUCER, "1 fast to 9 small; -1 is zlib's own choice, 0 only stores."),
    CONFIG_INT(COMPRESSION_LZ4_LEVEL, "compression.lz4.level", NULL, "", 0, 0, 12,
               KWI_APPLIES_PRODUCER, "0 fast; from 3 on slower and smaller, up to 12."),
    CONFIG_INT(COMPRESSION_ZSTD_LEVEL, "compression.zstd.level", NULL, "", 3, -131072, 22,
               KWI_APPLIES_PRODUCER, "Negative is faster, 22 is smallest and needs much memory."),
    CONFIG_BOOL(DELIVERY_REPORT_ONLY_ERROR, "delivery.report.only.error", 0, KWI_APPLIES_PRODUCER,
                "Report only records that were not delivered; the others are counted "
                "(kw_client_stats)."),
    CONFIG_TEXT(TRANSACTIONAL_ID, "transactional.id", NULL, KWI_CONFIG_STRING, NULL, 32767,
                KWI_APPLIES_PRODUCER,
                "The name under which a producer writes in transactions (kw_txn_init), the same "
                "over restarts and unlike that of every other producer: a second one with it "
                "fences the first. Needs acks=all and enable.idempotence=true."),
    CONFIG_INT(TRANSACTION_TIMEOUT_MS, "transaction.timeout.ms", NULL, "ms", 60000, 1,
               CONFIG_MS_MAX, KWI_APPLIES_PRODUCER,
               "A transaction that is open for so long is aborted by its coordinator. Brokers "
               "have a limit of their own (transaction.max.timeout.ms)."),

    CONFIG_INT(FETCH_MEMORY, "fetch.memory", NULL, "bytes", 0, 0, CONFIG_BYTES_MAX, CONFIG_CLIENT,
               "The reserve for fetched records, those that the application holds included. 0: "
               "what memory.limit leaves."),
    CONFIG_INT(CONSUMER_MEMORY, "consumer.memory", NULL, "bytes", 0, 0, CONFIG_BYTES_MAX,
               KWI_APPLIES_CONSUMER,
               "The share of fetch.memory that one consumer may have, with the records that the "
               "application holds of it, so that one which is slow leaves room for the others of "
               "its client. A consumer that has nothing may ask for one answer, and a batch that "
               "is larger comes all the same. 0: all of fetch.memory."),
    CONFIG_INT(FETCH_MIN_BYTES, "fetch.min.bytes", NULL, "bytes", 1, 1, INT32_MAX,
               KWI_APPLIES_CONSUMER,
               "A broker answers a fetch when it has so much, or after "
               "fetch.max.wait.ms."),
    CONFIG_INT(FETCH_MAX_BYTES, "fetch.max.bytes", NULL, "bytes", 52428800, 1024, INT32_MAX / 2,
               KWI_APPLIES_CONSUMER,
               "The largest answer that is asked for; lowered to what the fetch reserve has, and "
               "to what comes in a round trip (1 MiB or one partition's worth at least)."),
    CONFIG_INT(FETCH_MAX_WAIT_MS, "fetch.max.wait.ms", "fetch.wait.max.ms", "ms", 500, 0,
               CONFIG_MS_MAX, KWI_APPLIES_CONSUMER,
               "How long a broker may hold a fetch back when there are no new records."),
    CONFIG_INT(MAX_PARTITION_FETCH_BYTES, "max.partition.fetch.bytes", "fetch.message.max.bytes",
               "bytes", 1024 * 1024, 1024, INT32_MAX / 2, KWI_APPLIES_CONSUMER,
               "The most that one answer may hold of one partition."),
    CONFIG_INT(MAX_POLL_RECORDS, "max.poll.records", NULL, "", 500, 1, INT32_MAX,
               KWI_APPLIES_CONSUMER,
               "Records in one handle, unless the poll asks for another "
               "number."),
    CONFIG_BOOL(CHECK_CRCS, "check.crcs", 1, KWI_APPLIES_CONSUMER,
                "Whether the checksum of each fetched batch is verified."),
    CONFIG_WORD(
        AUTO_OFFSET_RESET, "auto.offset.reset", NULL, "latest|earliest|none", NULL,
        KWI_APPLIES_CONSUMER, "or by_duration:PnDTnHnMn.nS, as by_duration:P1DT12H",
        "Where to begin when nothing is committed, and where to go on when the position "
        "is not in the log. by_duration:PnDTnHnMn.nS (KIP-1106; by number -1 - ms): at "
        "the first record that is no older than that. none: an error event, and the "
        "partition stops until a seek. latest counts from the subscription on: a "
        "partition that is made later begins at its begin (of a topic that a pattern finds: at "
        "its end)."),
    CONFIG_WORD(ISOLATION_LEVEL, "isolation.level", NULL, "read_uncommitted|read_committed", NULL,
                KWI_APPLIES_CONSUMER, NULL,
                "Whether records of open and aborted transactions are handed out. With "
                "read_committed they are not, and the log ends at its last stable offset: in "
                "front of the first record of a transaction that is still open."),
    CONFIG_INT(
        MAX_DECOMPRESSED_BATCH_BYTES, "max.decompressed.batch.bytes", NULL, "bytes",
        64 * 1024 * 1024, 1024, INT32_MAX / 2, KWI_APPLIES_CONSUMER,
        "The largest size of a fetched batch after decompression. A larger one is refused "
        "before memory is taken for it; a smaller one must still fit fetch.memory. A batch of "
        "several gzip members, which no Kafka client writes and whose size nothing tells, "
        "may become a sixteenth of it."),

    CONFIG_TEXT(CLIENT_RACK, "client.rack", NULL, KWI_CONFIG_STRING, NULL, 249,
                KWI_APPLIES_CLIENT | KWI_APPLIES_CONSUMER,
                "Where the client stands, as broker.rack of the brokers: a leader that knows a "
                "replica in the same place (replica.selector.class) sends the consumer there "
                "(KIP-392), for metadata.max.age.ms or until that replica fails. In a group it is "
                "told to whoever assigns, and the assignors of Kafka then prefer members in the "
                "rack of a replica where that keeps the balance (KIP-881)."),
    CONFIG_TEXT(GROUP_ID, "group.id", NULL, KWI_CONFIG_STRING, NULL, 32767, KWI_APPLIES_CONSUMER,
                "The group to be a member of (kw_consumer_subscribe), and in whose name offsets "
                "are committed. Partitions may be assigned by hand all the same: offsets can be "
                "committed then as long as the group has no members."),
    CONFIG_TEXT(GROUP_INSTANCE_ID, "group.instance.id", NULL, KWI_CONFIG_STRING, NULL, 249,
                KWI_APPLIES_CONSUMER,
                "A name of this member that stays the same over restarts (static membership, "
                "KIP-345): letters, digits, '.', '_' and '-', unique in the group."),
    CONFIG_BOOL(ENABLE_AUTO_COMMIT, "enable.auto.commit", 1, KWI_APPLIES_CONSUMER,
                "Whether stored offsets are committed by themselves: every "
                "auto.commit.interval.ms, before a partition is given up, and at close. An offset "
                "is stored when its records were released as done, never by polling."),
    CONFIG_INT(AUTO_COMMIT_INTERVAL_MS, "auto.commit.interval.ms", NULL, "ms", 5000, 1,
               CONFIG_MS_MAX, KWI_APPLIES_CONSUMER,
               "How long a stored offset waits for the next commit at most, so how much is "
               "handled twice at most after a crash."),

    CONFIG_WORD(GROUP_PROTOCOL, "group.protocol", NULL, "classic|consumer|auto", NULL,
                KWI_APPLIES_CONSUMER, NULL,
                "How to be a member. consumer: the broker assigns (KIP-848, Kafka 4.0 and newer), "
                "and says how often it wants to hear of us; then partition.assignment.strategy, "
                "session.timeout.ms and heartbeat.interval.ms must not be set. auto: consumer "
                "where the cluster offers it, unless one of these three or an assignor of the "
                "program's own asks for classic. With a pattern or group.remote.assignor there is "
                "no way back to classic."),
    CONFIG_TEXT(GROUP_REMOTE_ASSIGNOR, "group.remote.assignor", NULL, KWI_CONFIG_STRING, NULL, 249,
                KWI_APPLIES_CONSUMER,
                "group.protocol=consumer: the broker's assignor (Kafka has uniform and range); "
                "without it the broker chooses. The group uses the one that most members want."),
    CONFIG_TEXT(PARTITION_ASSIGNMENT_STRATEGY, "partition.assignment.strategy", NULL,
                KWI_CONFIG_STRING, "range,cooperative-sticky", 4096, KWI_APPLIES_CONSUMER,
                "Who gets which partition: the assignors that this member can do, the best one "
                "first, separated by commas; Java's class names are understood. The members of a "
                "group use one that all of them have. A member gives up only what goes elsewhere "
                "if all of its assignors can do that, else everything before each rebalance: so "
                "with the default range is used, and a group goes over to cooperative-sticky, "
                "or back, by two rolling restarts, between which all members have both."),
    CONFIG_INT(SESSION_TIMEOUT_MS, "session.timeout.ms", NULL, "ms", 45000, 10, CONFIG_MS_MAX,
               KWI_APPLIES_CONSUMER,
               "A member of which the coordinator has heard nothing for so long is out of the "
               "group. Brokers have limits for it (6 s to 30 min by default). By our own clock, "
               "nothing is handed out that long after the last heartbeat that was confirmed."),
    CONFIG_INT(HEARTBEAT_INTERVAL_MS, "heartbeat.interval.ms", NULL, "ms", 3000, 1, CONFIG_MS_MAX,
               KWI_APPLIES_CONSUMER,
               "How often the coordinator hears of us; should be a third of session.timeout.ms "
               "at most, so that one lost heartbeat does not matter; it must be below it."),
    CONFIG_INT(MAX_POLL_INTERVAL_MS, "max.poll.interval.ms", NULL, "ms", 300000, 1, CONFIG_MS_MAX,
               KWI_APPLIES_CONSUMER,
               "A consumer that has records to take or to release and does not poll for so long "
               "leaves its group, until it polls again. Also how long the others wait for us "
               "when the group rebalances."),
    CONFIG_INT(REBALANCE_ACK_TIMEOUT_MS, "rebalance.ack.timeout.ms", NULL, "ms", 10000, 0,
               CONFIG_MS_MAX, KWI_APPLIES_CONSUMER,
               "How long an event REVOKED waits for kw_rebalance_ack; then what was done is "
               "committed and the partitions are given up all the same."),

    CONFIG_WORD(
        SASL_MECHANISM, "sasl.mechanism", "sasl.mechanisms",
        "none|PLAIN|SCRAM-SHA-256|SCRAM-SHA-512|OAUTHBEARER|CUSTOM", "GSSAPI", CONFIG_CLIENT,
        "there is no Kerberos here: use another mechanism of the broker, or bring one (CUSTOM)",
        "How we authenticate when security.protocol says SASL; it must be set then. SCRAM "
        "needs a build with cryptography (WITH_TLS). CUSTOM is the mechanism that the "
        "program brings (kw_env.sasl), under the name that it gives there."),
    CONFIG_TEXT(
        SASL_USERNAME, "sasl.username", NULL, KWI_CONFIG_STRING, NULL, CONFIG_USER_MAX,
        CONFIG_CLIENT,
        "The user of PLAIN and SCRAM, in UTF-8, as the broker's tools were given it. "
        "kw_client_set changes it for the connections that follow, as the four keys below."),
    CONFIG_TEXT(SASL_PASSWORD, "sasl.password", NULL, KWI_CONFIG_SECRET, NULL, CONFIG_USER_MAX,
                CONFIG_CLIENT, "The password of PLAIN and SCRAM, in UTF-8; spaces count."),
    CONFIG_BOOL(SASL_SCRAM_TOKENAUTH, "sasl.scram.tokenauth", 0, CONFIG_CLIENT,
                "Whether user and password are a delegation token's id and HMAC (SCRAM only)."),
    CONFIG_TEXT(SASL_JAAS_CONFIG, "sasl.jaas.config", NULL, KWI_CONFIG_SECRET, NULL,
                KWI_CONFIG_TEXT_MAX, CONFIG_CLIENT,
                "Java's way to write the three above: one PlainLoginModule or ScramLoginModule "
                "with username, password and tokenauth. They are set at once; the later of two "
                "settings counts."),
    CONFIG_TEXT(SASL_OAUTHBEARER_TOKEN, "sasl.oauthbearer.token", NULL, KWI_CONFIG_SECRET, NULL,
                KWI_CONFIG_TEXT_MAX - 1024, CONFIG_CLIENT,
                "A bearer token for OAUTHBEARER that does not change; kw_oauth_token_set is for "
                "those that do, and comes before it."),
    CONFIG_BOOL(SASL_ALLOW_PLAINTEXT, "sasl.allow.plaintext", 0, CONFIG_CLIENT,
                "Whether PLAIN and OAUTHBEARER, whose secrets can be read on the way, may be used "
                "without TLS."),

    CONFIG_TEXT(SSL_TRUSTSTORE_LOCATION, "ssl.truststore.location", "ssl.ca.location",
                KWI_CONFIG_STRING, NULL, 4096, CONFIG_TLS,
                "A PEM file of the authorities whose certificates are trusted. Without it and "
                "ssl.truststore.certificates, those that the system trusts."),
    CONFIG_TEXT(SSL_TRUSTSTORE_CERTIFICATES, "ssl.truststore.certificates", "ssl.ca.pem",
                KWI_CONFIG_STRING, NULL, KWI_CONFIG_TEXT_MAX, CONFIG_TLS,
                "Trusted authorities as PEM text, beside or instead of the file."),
    CONFIG_TEXT(SSL_KEYSTORE_LOCATION, "ssl.keystore.location", NULL, KWI_CONFIG_STRING, NULL, 4096,
                CONFIG_TLS,
                "A file with the client's key, its certificate and the chain: PKCS#12 (with "
                "OpenSSL only), or PEM."),
    CONFIG_TEXT(SSL_KEYSTORE_CERTIFICATE_CHAIN, "ssl.keystore.certificate.chain",
                "ssl.certificate.pem", KWI_CONFIG_STRING, NULL, KWI_CONFIG_TEXT_MAX, CONFIG_TLS,
                "The client's certificate as PEM text, then the chain."),
    CONFIG_TEXT(SSL_CERTIFICATE_LOCATION, "ssl.certificate.location", NULL, KWI_CONFIG_STRING, NULL,
                4096, CONFIG_TLS, "A PEM file with the client's certificate, then the chain."),
    CONFIG_TEXT(SSL_KEY_LOCATION, "ssl.key.location", NULL, KWI_CONFIG_STRING, NULL, 4096,
                CONFIG_TLS, "A PEM file with the client's private key, encrypted or not."),
    CONFIG_TEXT(SSL_KEYSTORE_KEY, "ssl.keystore.key", "ssl.key.pem", KWI_CONFIG_SECRET, NULL,
                KWI_CONFIG_TEXT_MAX, CONFIG_TLS, "The client's private key as PEM text."),
    CONFIG_TEXT(SSL_KEY_PASSWORD, "ssl.key.password", NULL, KWI_CONFIG_SECRET, NULL, 1023,
                CONFIG_TLS, "The password of an encrypted private key in PEM."),
    CONFIG_TEXT(SSL_KEYSTORE_PASSWORD, "ssl.keystore.password", NULL, KWI_CONFIG_SECRET, NULL, 1023,
                CONFIG_TLS, "The password of a PKCS#12 file in ssl.keystore.location."),
    CONFIG_TEXT(
        SSL_CRL_LOCATION, "ssl.crl.location", NULL, KWI_CONFIG_STRING, NULL, 4096, CONFIG_TLS,
        "A PEM file of revocation lists. With it every certificate of a chain is looked up, "
        "so each authority of the chain needs a list that is not out of date."),
    CONFIG_WORD(
        SSL_ENDPOINT_IDENTIFICATION_ALGORITHM, "ssl.endpoint.identification.algorithm", NULL,
        "https|none", NULL, CONFIG_TLS,
        "to connect whatever name the certificate has, write none: an empty value does not "
        "switch the check off",
        "Whether the broker's certificate must be for the host that was asked for (a DNS or "
        "IP alternative name of it; the common name does not count). none: any certificate "
        "of a trusted authority will do, so each of its owners can pose as the broker."),
    CONFIG_WORD(SSL_ENABLED_PROTOCOLS, "ssl.enabled.protocols", NULL,
                "TLSv1.2,TLSv1.3|TLSv1.3,TLSv1.2|TLSv1.3|TLSv1.2", NULL, CONFIG_TLS,
                "older protocols are broken; write TLSv1.2,TLSv1.3 or one of them",
                "The protocol versions that may be negotiated."),
    CONFIG_TEXT(SSL_CIPHER_SUITES, "ssl.cipher.suites", NULL, KWI_CONFIG_STRING, NULL, 4096,
                CONFIG_TLS,
                "The cipher suites that may be negotiated, by name, separated by commas; empty: "
                "the TLS library's choice. Standard and OpenSSL's names are taken. A protocol "
                "of which no suite is named is not used."),

    CONFIG_INT(DNS_LOOKUP_TIMEOUT_MS, "dns.lookup.timeout.ms", NULL, "ms", 10000, 1, CONFIG_MS_MAX,
               CONFIG_CLIENT,
               "How long a host name may be looked up; then the attempt to connect has failed."),
    CONFIG_INT(SOCKET_CONNECTION_ATTEMPT_DELAY_MS, "socket.connection.attempt.delay.ms", NULL, "ms",
               250, 10, CONFIG_MS_MAX, CONFIG_CLIENT,
               "The addresses of a name, IPv6 and IPv4 in turn, are tried one after the other "
               "with this pause, or at once when one fails, and the first that is up is used "
               "(RFC 8305)."),
    CONFIG_WORD(METADATA_RECOVERY_STRATEGY, "metadata.recovery.strategy", NULL, "rebootstrap|none",
                NULL, CONFIG_CLIENT, NULL,
                "What to do when no known broker can be reached, when metadata was asked for in "
                "vain for metadata.recovery.rebootstrap.trigger.ms, or when a broker says that it "
                "no longer is the right one. rebootstrap: forget them and begin with "
                "bootstrap.servers again (KIP-899, KIP-1102). none: go on trying."),
    CONFIG_INT(METADATA_RECOVERY_REBOOTSTRAP_TRIGGER_MS, "metadata.recovery.rebootstrap.trigger.ms",
               NULL, "ms", 300000, 0, CONFIG_MS_MAX, CONFIG_CLIENT,
               "How long metadata may be asked for in vain, counted from the first attempt after "
               "the last success, before metadata.recovery.strategy=rebootstrap begins anew."),
    CONFIG_WORD(DNS_RESOLVER, "dns.resolver", NULL, "auto|cares|thread|blocking", NULL,
                CONFIG_DRIVER, NULL,
                "How names are looked up. auto: by the resolver hook of kw_env, or else as cares. "
                "cares: by c-ares, if it was built in (WITH_CARES). thread: by getaddrinfo, on a "
                "thread for each look-up. blocking: by getaddrinfo, and everything waits for it. "
                "Addresses in digits need none of them."),
    CONFIG_TEXT(DNS_SERVERS, "dns.servers", NULL, KWI_CONFIG_STRING, NULL, 1024, CONFIG_DRIVER,
                "Name servers for c-ares as host:port,... with addresses in digits; empty: those "
                "of /etc/resolv.conf. Without effect when another resolver looks names up."),
    CONFIG_WORD(CLIENT_DNS_LOOKUP, "client.dns.lookup", NULL,
                "use_all_dns_ips|resolve_canonical_bootstrap_servers_only", NULL, CONFIG_CLIENT,
                NULL,
                "use_all_dns_ips: all addresses of a name are tried, until one is up. "
                "resolve_canonical_bootstrap_servers_only: each address of a name in "
                "bootstrap.servers is a server of its own, under the name that the address has "
                "(DNS: PTR) if that leads back to it, else in digits. Certificates are verified "
                "for the name in bootstrap.servers all the same; a SASL mechanism of the "
                "application's own (CUSTOM) is told the found one."),
    CONFIG_BOOL(SOCKET_KEEPALIVE_ENABLE, "socket.keepalive.enable", 0, CONFIG_DRIVER,
                "Whether the system probes connections that are silent (SO_KEEPALIVE)."),
    CONFIG_BOOL(SOCKET_NAGLE_DISABLE, "socket.nagle.disable", 1, CONFIG_DRIVER,
                "Whether small requests go out at once (TCP_NODELAY)."),
    CONFIG_INT(SEND_BUFFER_BYTES, "send.buffer.bytes", "socket.send.buffer.bytes", "bytes", -1, -1,
               INT32_MAX, CONFIG_DRIVER,
               "The size of the system's send buffer (SO_SNDBUF), set before connecting; -1: the "
               "system's choice, which adapts."),
    CONFIG_INT(RECEIVE_BUFFER_BYTES, "receive.buffer.bytes", "socket.receive.buffer.bytes", "bytes",
               -1, -1, INT32_MAX, CONFIG_DRIVER,
               "The size of the system's receive buffer (SO_RCVBUF), set before connecting; -1: "
               "the system's choice, which adapts."),
};

const char *kwi_config_word(const char *words, unsigned index, size_t *len)
{
    const char *end;
    for (; words; words = *end ? end + 1 : NULL) {
        for (end = words; *end && *end != '|'; end++)
            ;
        if (index-- == 0) {
            *len = (size_t)(end - words);
            return words;
        }
    }
    return NULL;
}

enum kw_key kwi_config_find(const char *name, size_t len)
{
    size_t n;
    for (unsigned key = 0; key < KW_N_KEYS; key++) {
        const struct kw_config_row *row = &kwi_config_rows[key];
        const char *alias;
        if (strlen(row->key) == len && memcmp(row->key, name, len) == 0)
            return (enum kw_key)key;
        for (unsigned i = 0; (alias = kwi_config_word(row->aliases, i, &n)); i++) {
            if (n == len && memcmp(alias, name, len) == 0)
                return (enum kw_key)key;
        }
    }
    return KW_N_KEYS;
}

enum { CONFIG_NAME_MAX = 64 }; /* longer names are near to nothing */

static uint8_t config_least(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return (uint8_t)(least < c ? least : c);
}

/* Edit distance: insertions, deletions, replacements; limit if it is not less.
 * Lengths alone, and then a row without a smaller number, say so early: most of
 * all names are far from a misspelt one. */
static unsigned config_distance(const char *a, size_t a_len, const char *b, size_t b_len,
                                unsigned limit)
{
    uint8_t row[CONFIG_NAME_MAX + 1];
    if ((a_len > b_len ? a_len - b_len : b_len - a_len) >= limit)
        return limit;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = (uint8_t)j;
    for (size_t i = 1; i <= a_len; i++) {
        unsigned diagonal = row[0], least;
        least = row[0] = (uint8_t)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned above = row[j];
            row[j] = config_least(above + 1, row[j - 1] + 1u, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
            least = row[j] < least ? row[j] : least;
        }
        if (least >= limit)
            return limit;
    }
    return row[b_len] < limit ? row[b_len] : limit;
}

enum kw_key kwi_config_nearest(const char *name, size_t len)
{
    enum kw_key best = KW_N_KEYS;
    size_t n;
    unsigned least;
    if (len > CONFIG_NAME_MAX)
        return KW_N_KEYS;
    least = (unsigned)len / 3 + 1;
    for (unsigned key = 0; key < KW_N_KEYS; key++) {
        const struct kw_config_row *row = &kwi_config_rows[key];
        const char *alias;
        unsigned distance = config_distance(name, len, row->key, strlen(row->key), least);
        for (unsigned i = 0; (alias = kwi_config_word(row->aliases, i, &n)); i++)
            distance = config_distance(name, len, alias, n, distance);
        if (distance < least) {
            least = distance;
            best = (enum kw_key)key;
        }
    }
    return best;
}
