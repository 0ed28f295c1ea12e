/* kwire/client_types.h -- records, reports, events, positions, admin requests:
 * what the application hands to the library and gets back. */
#ifndef KWIRE_CLIENT_TYPES_H
#define KWIRE_CLIENT_TYPES_H
#include <kwire/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kw_producer;
struct kw_topic;
struct kw_consumer;
struct kw_records;
struct kw_op;
struct kw_receipt;

/* ---- producing ------------------------------------------------------------ */

enum kw_record_flags {
    KW_REC_PARTITION = 1, /* `partition` counts; else the partitioner decides */
    KW_REC_TIMESTAMP = 2, /* `timestamp_ms` counts; else the time of the append */
    /* The value is lent: it must stay as it is until the record's report was taken, or the
     * event of its receipt, whatever the outcome. Of a record that was refused nothing is
     * kept. Worth it from some KiB on: values below 2 KiB are copied all the same. Lent
     * bytes do not count in buffer.memory, some 150 of each record do; they are read once
     * for the checksum (kw_produce), and by the codec if there is one. Delivered records
     * are reported even if delivery.report.only.error is set, and those beside them in
     * their batch, too. kw_client_destroy ends the loan without a report. */
    KW_REC_BY_REF = 4,
    /* `timeout_ms` counts: the record is given up so long after kw_produce (KW_NOT_WRITTEN,
     * KW_ERR_TIMEOUT) if no byte of it was offered to a connection by then. Once it was, it
     * can be in the log, and delivery.timeout.ms says when its outcome is told. Longer than
     * delivery.timeout.ms changes nothing. */
    KW_REC_TIMEOUT = 8,
    KW_REC_REF = 16 /* `ref` is filled, so that kw_record_cancel can find the record */
};

/* Where an accepted record is. The caller's memory, may be copied; good for
 * kw_record_cancel as long as the client lives. */
struct kw_record_ref {
    struct kw_topic *topic;
    void *batch;
    uint64_t number;
    int32_t partition;
    uint32_t index;
};

/* A record to produce; a zeroed one is a record with null key and value.
 * Everything is copied by kw_produce before it returns, but for what KW_REC_BY_REF says. */
struct kw_record {
    struct kw_bytes key, value;
    const struct kw_header *headers;
    uint32_t n_headers;
    uint32_t flags; /* enum kw_record_flags */
    int32_t partition;
    int64_t timestamp_ms; /* Unix time, ms, >= 0 */
    void *opaque;         /* given back in the report */
    /* NULL, or what counts the record's outcome (kw_receipt_create): then it has
     * a report of its own only if it was not delivered. */
    struct kw_receipt *receipt;
    uint32_t timeout_ms; /* with KW_REC_TIMEOUT */
    struct kw_record_ref *ref;
};

/* A partitioner of the application's own (kw_topic_set_partitioner). */
struct kw_partitioner {
    size_t size; /* sizeof(struct kw_partitioner) */
    void *ctx;
    /* The record's partition, 0 .. n_partitions - 1; -1: as the key `partitioner` says.
     * Called inside kw_produce for records without KW_REC_PARTITION, and again when such
     * a call was refused; it must not call the client. */
    int32_t (*pick)(void *ctx, const struct kw_topic *topic, const struct kw_record *record,
                    int32_t n_partitions);
};

/* The three outcomes. Never guessed: what cannot be proved is UNKNOWN. */
enum kw_outcome {
    KW_DELIVERED = 0,   /* acknowledged by the broker as `acks` asks */
    KW_NOT_WRITTEN = 1, /* no byte of it can be in the log */
    KW_UNKNOWN = 2      /* it was offered to a connection, and no answer says what became of it */
};
enum kw_report_flags {
    KW_REPORT_MAYBE_DUPLICATE = 1, /* retried without idempotence */
    KW_REPORT_LEADER_ONLY = 2      /* acks=1: replicas may not have it */
};

/* The outcome of n consecutive records of one partition. */
struct kw_report {
    struct kw_topic *topic;
    int32_t partition;
    uint8_t outcome;            /* enum kw_outcome */
    uint8_t flags;              /* enum kw_report_flags */
    int16_t kafka_code;         /* the broker's last error code, 0 if none */
    int code;                   /* enum kw_err: why it was not delivered; 0 if it was */
    uint32_t n;                 /* records */
    uint32_t attempts;          /* how often the batch was offered to a connection */
    int64_t base_offset;        /* of the first of them; -1: not known */
    int64_t timestamp_ms;       /* log append time, -1: the records keep their own */
    void *const *opaques;       /* use kw_report_opaque */
    struct kw_receipt *receipt; /* that the records belong to, NULL: none */
    /* From kw_produce to the outcome, of the oldest record of the batch: no clock is read
     * for a record, and a batch counts from the first turn of the loop behind its opening. */
    uint64_t latency_us;
};
/* The opaque of record i (0 .. n-1, in the order of the kw_produce calls). */
static inline void *kw_report_opaque(const struct kw_report *report, uint32_t i)
{
    return report->opaques[report->n - 1 - i]; /* stored downward, see docs/ARCHITECTURE.md */
}

/* For tracing and metrics: what a producer tells of each record
 * (kw_producer_set_hooks). Hooks are called inside calls of the client, must not wait and
 * must not call it. */
struct kw_producer_hooks {
    size_t size; /* sizeof(struct kw_producer_hooks) */
    void *ctx;
    /* Before a record is encoded, inside kw_produce: may put up to cap (8) headers behind
     * those that the record has; returns how many. Names and values are copied when
     * kw_produce returns. Called again when a call was refused with KW_ERR_WOULD_BLOCK and
     * comes again. NULL: none. */
    uint32_t (*on_send)(void *ctx, const struct kw_topic *topic, const struct kw_record *record,
                        struct kw_header *headers, uint32_t cap);
    /* Sees every outcome, also those of which no event tells (receipts,
     * delivery.report.only.error), once, before the event. The report is valid inside the
     * call; receipt and opaques as in the event. NULL: none. */
    void (*on_report)(void *ctx, const struct kw_report *report);
};

/* What became of all records of a receipt. */
struct kw_receipt_result {
    uint64_t delivered, not_written, unknown; /* records; the sum is what was accepted */
    int code;                                 /* enum kw_err of the first failure, 0: none */
    int16_t kafka_code;                       /* the broker's error code of that one */
    uint8_t flags;                            /* enum kw_report_flags, of any of them */
};

/* ---- consuming ------------------------------------------------------------ */

enum kw_start_kind {
    KW_START_OFFSET, /* at `value` */
    KW_START_EARLIEST,
    KW_START_LATEST,
    KW_START_TIMESTAMP, /* first record at or after `value` (Unix ms) */
    KW_START_TAIL,      /* `value` records before the end */
    KW_START_COMMITTED  /* what the group committed, else as auto.offset.reset says */
};
/* A partition and where to begin. */
struct kw_start {
    const char *topic;
    int32_t partition;
    uint8_t kind; /* enum kw_start_kind */
    int64_t value;
};

/* Offsets of a partition; -1: not told yet, or by no broker so old. */
struct kw_log_ends {
    int64_t log_start;      /* the first record that is kept */
    int64_t last_stable;    /* behind what is committed or aborted, and not open */
    int64_t high_watermark; /* behind what all replicas have */
};

/* A fetched record: views into the fetched frame, valid until the next
 * kw_records_next on the handle (the bytes themselves until its release). */
struct kw_consumed {
    struct kw_bytes key, value;
    int64_t offset;
    int64_t timestamp_ms;
    int32_t leader_epoch;
    uint8_t timestamp_type; /* 0 create time, 1 log append time */
    const void *headers;    /* encoded; see kw_headers_begin */
    uint32_t headers_len;
};
/* Whether a consumer that is closed tells its group so (kw_consumer_close). */
enum kw_leave {
    KW_LEAVE_DEFAULT, /* unless it is a static member (group.instance.id), which is expected back */
    KW_LEAVE_ALWAYS,  /* its partitions go to the others at once */
    KW_LEAVE_NEVER    /* they wait for it until its session is over */
};
/* What a handle of records is released as. */
enum kw_done {
    KW_NOT_DONE, /* the offset that is stored stays in front of its records */
    KW_DONE      /* its records were handled */
};

/* A partition's offset in the name of a group. */
struct kw_offset {
    const char *topic;
    int32_t partition;
    int32_t leader_epoch;     /* of the record in front of it; 0 or -1: not known */
    int64_t offset;           /* of the next record to handle; -1: none is committed */
    struct kw_bytes metadata; /* any bytes, which a broker limits (4,096); ptr NULL: none */
    int16_t kafka_code;       /* of an answer: why there is no offset, 0 */
    int64_t timestamp_ms;     /* of an answer about a time: the record's; -1: there is none */
};
/* Up to where a log counts: isolation.level. */
enum kw_isolation {
    KW_READ_UNCOMMITTED, /* the high watermark */
    KW_READ_COMMITTED    /* the last stable offset: no open transaction in front of it */
};
/* A partition of a topic. */
struct kw_topic_partition {
    const char *topic;
    int32_t partition;
};
struct kw_offsets {
    const struct kw_offset *list;
    size_t n;
};

/* ---- transactions ----------------------------------------------------------- */

/* Where a producer with transactional.id stands. */
enum kw_txn_state {
    KW_TXN_UNINITIALIZED, /* kw_txn_init first */
    KW_TXN_INITIALIZING,
    KW_TXN_INITIALIZED, /* done, and its operation had ended before: kw_txn_init tells */
    KW_TXN_READY,       /* no transaction is open */
    KW_TXN_OPEN,        /* records and offsets are taken */
    KW_TXN_FLUSHING,    /* commit was asked for, what was produced is on its way */
    KW_TXN_COMMITTING,  /* the coordinator is told */
    KW_TXN_COMMITTED,   /* done, and its operation had ended before: kw_txn_commit tells */
    KW_TXN_ABORTABLE,   /* something failed: kw_txn_abort is all that helps */
    KW_TXN_ABORTING,
    KW_TXN_ABORTED, /* done, and its operation had ended before: kw_txn_abort tells */
    KW_TXN_DEAD,    /* fatal error: nothing helps this producer */
    KW_TXN_STATES
};
/* What became of the last transaction. Never guessed. */
enum kw_txn_outcome {
    KW_TXN_NO_OUTCOME,     /* none has ended since the last kw_txn_begin */
    KW_TXN_WAS_COMMITTED,  /* the coordinator said so */
    KW_TXN_WAS_ABORTED,    /* the coordinator said so, or it can never be committed */
    KW_TXN_OUTCOME_UNKNOWN /* the commit was sent, and what became of it cannot be learned */
};
struct kw_txn_status {
    size_t size;     /* sizeof(struct kw_txn_status), set by the caller */
    uint8_t state;   /* enum kw_txn_state */
    uint8_t outcome; /* enum kw_txn_outcome */
    bool implicit;   /* the cluster adds partitions by itself (KIP-890, transaction.version 2) */
    /* ABORTABLE, DEAD: the first cause, with its class; else code 0 */
    struct kw_error error;
};
/* Offsets that are to be committed with a transaction, and in whose name. */
struct kw_txn_offsets {
    size_t size; /* sizeof(struct kw_txn_offsets) */
    /* Its group and membership count (KIP-447), so that a member that lost its
     * partitions cannot commit. NULL: the four fields behind it say who commits. */
    struct kw_consumer *consumer;
    const char *group_id;
    const char *member_id;         /* NULL: no member */
    const char *group_instance_id; /* NULL: no static member */
    int32_t generation;            /* or member epoch; -1: no member */
    /* NULL: what is stored in the consumer (kw_done, kw_records_release) */
    const struct kw_offsets *offsets;
};

struct kw_header_iter {
    const uint8_t *ptr, *end;
    uint32_t left;
};

/* ---- events ---------------------------------------------------------------- */

enum kw_event_kind {
    KW_EVENT_NONE,
    KW_EVENT_REPORT,             /* report: outcomes of produced records */
    KW_EVENT_WRITABLE,           /* producer: after KW_ERR_WOULD_BLOCK, try again */
    KW_EVENT_RECORDS,            /* consumer: kw_consumer_poll has something */
    KW_EVENT_PARTITION_EOF,      /* consumer, topic_name, partition, offset: end reached;
                                    with isolation.level=read_committed that of what is stable */
    KW_EVENT_FETCH_STARVED,      /* consumer: only frames that the application holds are left */
    KW_EVENT_OP_DONE,            /* op, tag, code, error */
    KW_EVENT_ERROR,              /* error: something to tell a person; the library goes on */
    KW_EVENT_RECEIPT,            /* producer, tag, code, receipt: all its records have an outcome */
    KW_EVENT_OAUTH_TOKEN_NEEDED, /* a connection waits for kw_oauth_token_set, or the last token
                                    has lived 80 % of its life */
    KW_EVENT_COMMIT_FAILED,      /* consumer, topic_name, partition, offset, code, error */
    KW_EVENT_ASSIGNED,           /* consumer, partitions: these are ours from now on (n 0: a
                                    rebalance brought nothing new); they begin with the next
                                    kw_next_event, so seek before */
    KW_EVENT_REVOKED,            /* consumer, partitions: nothing more of them comes; end what is
                                    under way, then kw_rebalance_ack */
    KW_EVENT_LOST,               /* consumer, partitions, code, error: they are not ours any more;
                                    nothing was committed */
    KW_EVENT_LOOP_LATE           /* consumer, late_ms: heartbeats could not be sent in time */
};
struct kw_event {
    uint8_t kind; /* enum kw_event_kind */
    int code;     /* OP_DONE, ERROR, COMMIT_FAILED, LOST, RECEIPT (of the first failure): enum
                     kw_err */
    struct kw_producer *producer;
    struct kw_consumer *consumer;
    struct kw_op *op; /* gone with the next kw_next_event */
    void *tag;        /* OP_DONE, RECEIPT; REPORT of records with a receipt: the receipt's */
    const char *topic_name;
    int32_t partition;
    int64_t offset;
    struct kw_report report;
    struct kw_receipt_result receipt;
    /* ERROR: how often it came since it was told last, at most 10 s ago; 1: once. 0 if
     * it is about a partition: those are told once. */
    uint32_t count;
    /* ERROR, COMMIT_FAILED, LOST; OP_DONE with code != 0, where it may be NULL: then the code
     * is all there is. Until the next call. */
    const struct kw_error *error;
    const struct kw_topic_partition *partitions; /* ASSIGNED, REVOKED, LOST; until the next call */
    size_t n_partitions;
    int64_t late_ms;
};

/* ---- connections -------------------------------------------------------------- */

/* A certificate, as far as a person asks for it. Texts hold printable ASCII only. */
struct kw_tls_cert {
    char subject[64], issuer[64];  /* common names */
    char names[160];               /* what it is for: "a, b, 10.0.0.1", "" none */
    char key[24];                  /* "RSA 2048" */
    int64_t not_before, not_after; /* Unix time, s */
};
enum { KW_TLS_CHAIN = 8 }; /* further certificates are not listed */
/* What TLS agreed on with a broker. */
struct kw_tls_info {
    size_t size;       /* sizeof(struct kw_tls_info) */
    char protocol[16]; /* "TLSv1.3" */
    char suite[64];    /* "TLS_AES_256_GCM_SHA384" */
    bool resumed;      /* an earlier session went on: no certificate was shown again */
    bool asked;        /* the broker wanted a certificate of ours */
    uint32_t n_chain;  /* the broker's own certificate first */
    struct kw_tls_cert chain[KW_TLS_CHAIN];
};
/* A step of setting a connection up (kw_env.watch). Pointers are valid inside the
 * call. */
struct kw_conn_step {
    size_t size;   /* sizeof(struct kw_conn_step) */
    uint8_t phase; /* RESOLVE, CONNECT, TLS, VERSIONS, SASL */
    uint16_t port;
    int32_t broker; /* node id, -1: of bootstrap.servers */
    uint32_t conn;  /* names the connection; 0 of RESOLVE */
    const char *host;
    uint64_t duration_us;
    const struct kw_error *error; /* NULL: the step is done */
    const struct kw_addr *addrs;  /* RESOLVE: those found; else the one connected to */
    uint32_t n_addrs;
    const struct kw_tls_info *tls; /* TLS, may be NULL */
    const char *mechanism;         /* SASL */
    int64_t session_ms;            /* SASL: what the broker grants, 0 for ever */
};

/* ---- authentication ---------------------------------------------------------- */

struct kw_oauth_extension {
    const char *key, *value; /* letters; printable characters (RFC 7628 3.1, KIP-342) */
};
/* A bearer token. */
struct kw_oauth_token {
    size_t size; /* sizeof(struct kw_oauth_token) */
    const char *token;
    int64_t lifetime_ms; /* from now on; -1: for ever */
    const struct kw_oauth_extension *extensions;
    uint32_t n_extensions;
};

/* A step of a SASL exchange with a mechanism of the application's own. */
struct kw_sasl_step {
    size_t size;       /* sizeof(struct kw_sasl_step), set by the library */
    uint32_t exchange; /* names it to kw_sasl_answer */
    const char *host;  /* of the broker, as bootstrap.servers or the cluster names it */
    uint16_t port;
    bool is_first;             /* nothing was sent yet; else the broker accepted the last token */
    struct kw_bytes challenge; /* what it answered, may be empty */
    void *state;               /* in and out: yours, of this exchange; NULL at first */
    struct kw_bytes token;     /* out, KW_SASL_SEND; copied, and the copy is wiped after use */
    const char *why;           /* out, on failure: for a person, without a secret; copied */
};
enum kw_sasl_verdict {
    KW_SASL_SEND = 1, /* token is to be sent, at most 64 KiB, may be empty */
    KW_SASL_LATER,    /* kw_sasl_answer follows, from anywhere but inside the call */
    KW_SASL_DONE      /* the broker has said all that it must: we trust it */
};
/* A mechanism. step is called for the first token, and for each answer of the broker,
 * inside kw_client_poll, kw_client_process or kw_wait, on every connection and again
 * before a session ends (KIP-368); several exchanges may be under way. It must not
 * wait and must not call the client; socket.connection.setup.timeout.ms bounds the
 * whole. Returns enum kw_sasl_verdict, or a negative enum kw_err: KW_ERR_NOMEM,
 * KW_ERR_CONNECT and KW_ERR_TIMEOUT are tried again, any other ends as KW_ERR_AUTH. */
struct kw_sasl_hook {
    size_t size;           /* sizeof(struct kw_sasl_hook) */
    const char *mechanism; /* as the broker knows it: 1 to 20 of A-Z 0-9 - _ */
    void *ctx;
    int (*step)(void *ctx, struct kw_sasl_step *step);
    /* The exchange is over, however it ended; exactly once for each. May be NULL. */
    void (*end)(void *ctx, void *state);
    /* Its tokens hold a secret that nobody may read along: without TLS it is refused,
     * unless sasl.allow.plaintext says otherwise. */
    bool has_secret;
};

/* ---- admin ------------------------------------------------------------------ */

enum kw_admin_kind {
    KW_ADMIN_CREATE_TOPIC,
    KW_ADMIN_DELETE_TOPIC,
    KW_ADMIN_METADATA,        /* all topics (topic NULL) or one */
    KW_ADMIN_LIST_GROUPS,     /* of all brokers; types, states */
    KW_ADMIN_DESCRIBE_GROUPS, /* groups, group_type */
    KW_ADMIN_DELETE_GROUPS,   /* groups; each must be empty */
    KW_ADMIN_GET_OFFSETS,     /* what one group has committed: offsets, or (n_offsets 0) all */
    KW_ADMIN_SET_OFFSETS,     /* commits offsets for one group, which has no members */
    KW_ADMIN_DELETE_OFFSETS   /* of topics that no member of the one group subscribes to */
};
enum kw_group_type {
    KW_GROUP_TYPE_ANY, /* whichever it is */
    KW_GROUP_TYPE_CLASSIC,
    KW_GROUP_TYPE_CONSUMER, /* KIP-848 */
    KW_GROUP_TYPE_SHARE,    /* KIP-932 */
    KW_GROUP_TYPE_STREAMS   /* KIP-1071 */
};
struct kw_admin_config {
    const char *key, *value;
};
struct kw_admin_request {
    size_t size; /* sizeof(struct kw_admin_request) */
    uint8_t kind;
    const char *topic;
    int32_t partitions;         /* -1: the broker's default (needs a 2.4 broker) */
    int16_t replication_factor; /* -1: the broker's default */
    const struct kw_admin_config *configs;
    uint32_t n_configs;
    uint8_t group_type; /* enum kw_group_type: DESCRIBE_GROUPS; GET_OFFSETS: SHARE or others */
    const char *const *groups;
    /* "classic", "consumer", "share", "streams"; n_types 0: all. Needs a 3.8 broker, unless
     * "classic" is one of them. */
    const char *const *types;
    const char *const *states;       /* "Stable", "Empty" ...; n_states 0: all. 2.6 brokers */
    const struct kw_offset *offsets; /* topic and partition count; SET: all but the answer's */
    uint32_t n_groups, n_types, n_states, n_offsets;
};

/* A member of a group. Texts are the broker's, and so anybody's: not fit to be shown as
 * they are. */
struct kw_group_member {
    const char *id, *client_id, *host;
    const char *instance_id, *rack; /* NULL: none */
    int32_t epoch;                  /* -1: of a classic group */
    bool unreadable;                /* what it says that it has is no assignment */
    const struct kw_topic_partition *assigned;
    const struct kw_topic_partition *target; /* what it is to have; classic: the same */
    uint32_t n_assigned, n_target;
};
struct kw_group_info {
    const char *id;
    const char *type;          /* "classic" and so on; "": a broker before 3.8 did not say */
    const char *state;         /* "Stable" and so on; "": a broker before 2.6 did not say */
    const char *protocol_type; /* "consumer", "connect" ...; "" of a group without members */
    const char *assignor;      /* "" if none, or of LIST_GROUPS */
    const char *message;       /* the broker's, about kafka_code; or NULL */
    int32_t coordinator;       /* who answered */
    int32_t epoch;             /* -1: classic, or of LIST_GROUPS */
    int code;                  /* enum kw_err: why nothing is known of it, or it is not deleted */
    int16_t kafka_code;        /* with KW_ERR_BROKER */
    const struct kw_group_member *members;
    uint32_t n_members;
};

struct kw_meta_broker {
    int32_t id, port;
    const char *host, *rack; /* rack may be NULL */
};
struct kw_meta_partition {
    int32_t id, leader, leader_epoch; /* leader -1: none */
    int16_t kafka_code;
    const int32_t *replicas, *isr;
    uint32_t n_replicas, n_isr;
};
struct kw_meta_topic {
    const char *name;
    int16_t kafka_code;
    bool internal;
    uint8_t topic_id[16];
    const struct kw_meta_partition *partitions;
    uint32_t n_partitions;
};
/* Owned by the caller; kw_admin_result_destroy. METADATA fills brokers and topics, the
 * others groups (ascending by id; DESCRIBE and DELETE in the order of the request) or
 * offsets (SET and DELETE: in the order of the request, kafka_code says how each ended). */
struct kw_admin_result {
    const char *cluster_id;           /* may be NULL */
    int32_t controller_id, origin_id; /* origin: who answered; -1 a bootstrap address */
    const struct kw_meta_broker *brokers;
    const struct kw_meta_topic *topics;
    uint32_t n_brokers, n_topics;
    const struct kw_group_info *groups;
    const struct kw_offset *offsets;
    uint32_t n_groups, n_offsets;
};

/* ---- raw requests ------------------------------------------------------------- */

enum kw_raw_to {
    KW_RAW_ANY,        /* whichever broker can be reached */
    KW_RAW_BROKER,     /* the one with the id `broker` */
    KW_RAW_CONTROLLER, /* the one that metadata names as the controller */
    KW_RAW_GROUP,      /* the coordinator of the group `key` */
    KW_RAW_TRANSACTION /* the coordinator of the transactional id `key` */
};
/* Any message of Kafka's protocol. Copied by the call. */
struct kw_raw_request {
    size_t size;          /* sizeof(struct kw_raw_request) */
    int16_t api_key;      /* see kw_proto_api */
    int16_t version;      /* -1: the newest that the broker and this library have */
    uint8_t to;           /* enum kw_raw_to */
    bool json;            /* body is JSON as kw_proto_encode_json takes it; else bytes */
    int32_t broker;       /* KW_RAW_BROKER */
    const char *key;      /* KW_RAW_GROUP, KW_RAW_TRANSACTION */
    struct kw_bytes body; /* what follows the request's header */
};
/* The answer. Owned by the caller after a successful op; kw_raw_result_destroy. */
struct kw_raw_result {
    int16_t api_key, version; /* version: that of the request that was sent */
    int32_t broker;           /* who answered; -1: a bootstrap address */
    struct kw_bytes body;     /* behind the header; empty if nothing is ever answered (acks=0) */
};

/* ---- counters ---------------------------------------------------------------- */

struct kw_stats {
    uint64_t requests, responses, connects, disconnects;
    uint64_t bytes_out, bytes_in;
    uint64_t records_accepted, records_delivered, records_not_written, records_unknown;
    uint64_t batches, batch_retries;
    uint64_t records_fetched, bytes_fetched;
    size_t control_used, produce_used, fetch_used; /* bytes now */
    size_t control_peak, produce_peak, fetch_peak;
    uint64_t requests_lost;        /* sent, and their connection ended before the answer */
    uint64_t reauths;              /* sessions that were prolonged by authenticating again */
    uint32_t produce_flight_peak;  /* most Produce requests without an answer on a connection */
    uint32_t throttles;            /* answers that asked for a pause (quotas) */
    uint32_t rebootstraps;         /* how often the client began with bootstrap.servers again */
    uint32_t fetch_sessions;       /* begun with brokers (KIP-227) */
    uint32_t fetch_session_errors; /* sessions that a broker did not know any more */
    uint64_t fetches;              /* Fetch requests */
    uint64_t fetch_parts_named;    /* partitions in them: a session names what changed */
    uint64_t fetch_replicas;       /* times that a partition was sent to a nearer replica */
};

#ifdef __cplusplus
}
#endif
#endif
