/* mock/mock.h -- a model of a Kafka cluster: N brokers, topics, partitions with
 * leader epochs, idempotent producers, long polls, and faults on demand.
 *
 * It makes no system call, has no clock and no randomness of its own: bytes,
 * time and calls in, bytes out, and the same inputs always give the same
 * outputs. mock/front.h puts it behind TCP; a simulator calls it directly:
 *
 *     kwi_mock_step(mock, now);
 *     conn = kwi_mock_accept(mock, 0);
 *     kwi_mock_input(conn, bytes, n);             any chunking
 *     while (kwi_mock_deadline(mock) <= now.mono_us)
 *         kwi_mock_step(mock, now);               wakes long polls
 *     span = kwi_mock_output(conn);  ...  kwi_mock_output_done(conn, n);
 *
 * What it does not model: replication traffic (a follower has what the high
 * watermark covers), authorization, compaction, quotas, and the inside of
 * compressed batches. One thread at a time. */
#ifndef KWI_MOCK_H
#define KWI_MOCK_H
#include "base/crc32c.h"
#include <kwire/crypto.h>
#include <kwire/types.h>

struct kw_mock;
struct kw_mock_conn;

/* The versions that brokers offer of one API. max -1: not offered. */
struct kw_mock_versions {
    int16_t api_key, min, max;
};

/* Zero means the default that is named here. Everything is copied. */
struct kw_mock_config {
    struct kw_alloc alloc;         /* required */
    size_t memory_limit;           /* bytes; default: none */
    uint8_t seed[32];              /* topic ids, corrupted bytes */
    uint32_t n_brokers;            /* 1 to 64; default 1 */
    int32_t node_id_base;          /* node id of broker 0; the others count up from it */
    const char *host;              /* advertised; default "127.0.0.1" */
    const uint16_t *ports;         /* n_brokers of them; NULL: 9092 and up */
    const char *cluster_id;        /* default: made from the seed */
    int32_t default_partitions;    /* of topics made without a count; default 1 */
    int16_t replication_factor;    /* of topics made without one; default min(3, n_brokers) */
    bool auto_create_topics;       /* a Metadata request may create what it asks for */
    uint32_t replication_lag_ms;   /* until the high watermark follows an acks=1 append */
    uint64_t retention_size;       /* bytes a partition keeps; default: all */
    uint32_t frame_size_max;       /* of a request; default 104,857,600 */
    uint32_t group_delay_ms;       /* group.initial.rebalance.delay.ms; default 0 */
    uint32_t group_session_min_ms; /* the least session.timeout.ms; default 1 (Kafka: 6000) */
    uint32_t group_session_ms;     /* of KIP-848 groups; default 45000 */
    uint32_t group_heartbeat_ms;   /* of the same; default 5000 */
    int32_t fetch_sessions;        /* of a broker; default 1000 as Kafka's, -1: none */
    const struct kw_mock_versions *versions; /* narrows what is offered, see _release */
    size_t n_versions;
    kwi_crc32c_fn *crc32c; /* default: portable */
};

/* Errors: KW_ERR_USE (a value out of range), KW_ERR_NOMEM. */
KW_MUST_USE int kwi_mock_create(struct kw_mock **mock, const struct kw_mock_config *config);
/* Frees connections too. mock may be NULL. */
void kwi_mock_destroy(struct kw_mock *mock);

/* Time enters here alone; time that goes backwards is taken as equal. Answers
 * what is due: long polls, delayed answers, late requests. */
void kwi_mock_step(struct kw_mock *mock, struct kw_time now);
/* mono_us at which step has something to do: 0 at once, UINT64_MAX never. */
uint64_t kwi_mock_deadline(const struct kw_mock *mock);

/* --- connections ------------------------------------------------------- */

/* A connection to broker `broker` (index, not node id). NULL: no such broker,
 * it is down, or no memory. Ownership: kwi_mock_conn_free. */
struct kw_mock_conn *kwi_mock_accept(struct kw_mock *mock, uint32_t broker);
/* Bytes from the client. Requests are handled one at a time, the next one when
 * the answer to the last was sent, as Kafka does; what comes meanwhile is kept.
 * A malformed request, or no memory, makes the connection closing; input on a
 * closing connection is ignored. */
void kwi_mock_input(struct kw_mock_conn *conn, const void *bytes, size_t n);
/* What waits to be sent, in pieces; len 0: nothing. Valid until the next
 * _output_done on this connection. */
struct kw_span kwi_mock_output(struct kw_mock_conn *conn);
void kwi_mock_output_done(struct kw_mock_conn *conn, size_t n);
/* True: close it, after sending what _output still gives. */
bool kwi_mock_closing(const struct kw_mock_conn *conn);
/* False while input would only pile up: a request is being held or answered,
 * and more than 1 MiB waits behind it. */
bool kwi_mock_reading(const struct kw_mock_conn *conn);
/* The client is gone. Requests that were wholly received and are held back by
 * a `late` fault are still carried out. conn may be NULL. */
void kwi_mock_conn_free(struct kw_mock_conn *conn);
/* Connections whose output or closing state may have changed since they were
 * last returned here, each once; NULL: no more. */
struct kw_mock_conn *kwi_mock_next_ready(struct kw_mock *mock);
/* A word for the caller, e.g. its socket. */
void kwi_mock_conn_set_user(struct kw_mock_conn *conn, void *user);
void *kwi_mock_conn_user(const struct kw_mock_conn *conn);

/* --- cluster ------------------------------------------------------------- */

uint32_t kwi_mock_n_brokers(const struct kw_mock *mock);
/* Where a broker stands (NULL: nowhere). A leader sends a client of another broker's
 * rack there (KIP-392), as with RackAwareReplicaSelector.
 * Errors: KW_ERR_USE (no such broker, or more than 15 characters). */
KW_MUST_USE int kwi_mock_set_rack(struct kw_mock *mock, uint32_t broker, const char *rack);
/* What Metadata says of a broker. host NULL: leave it. Errors: KW_ERR_USE, KW_ERR_NOMEM. */
KW_MUST_USE int kwi_mock_set_address(struct kw_mock *mock, uint32_t broker, const char *host,
                                     uint16_t port);
/* partitions -1: the default. Leaders go round the brokers, from broker 0 on.
 * Errors: KW_ERR_USE (bad name or count), KW_ERR_STATE (exists), KW_ERR_NOMEM. */
KW_MUST_USE int kwi_mock_create_topic(struct kw_mock *mock, const char *topic, int32_t partitions);
/* Its id, by which a topic is told from another of its name. Errors: KW_ERR_STATE (no such
 * topic). */
KW_MUST_USE int kwi_mock_topic_id(const struct kw_mock *mock, const char *topic, uint8_t id[16]);
/* Errors: KW_ERR_STATE (no such topic). */
KW_MUST_USE int kwi_mock_delete_topic(struct kw_mock *mock, const char *topic);
/* More partitions for a topic, n in all.
 * Errors: KW_ERR_STATE (no such topic), KW_ERR_USE (not more, or too many), KW_ERR_NOMEM. */
KW_MUST_USE int kwi_mock_add_partitions(struct kw_mock *mock, const char *topic, int32_t n);
/* Moves a leader and raises the leader epoch; broker -1: no leader. The old
 * leader's acks=1 appends above the high watermark are lost, as in Kafka.
 * Errors: KW_ERR_USE (no such partition, no such broker, or it is down). */
KW_MUST_USE int kwi_mock_set_leader(struct kw_mock *mock, const char *topic, int32_t partition,
                                    int32_t broker);
/* An unclean election: what lies at and behind the batch that holds `offset` is gone,
 * committed or not, and the leader goes on under the next epoch.
 * Errors: KW_ERR_USE (no such partition, or nothing to cut). */
KW_MUST_USE int kwi_mock_cut(struct kw_mock *mock, const char *topic, int32_t partition,
                             int64_t offset);
/* Appends a batch of format 2 as it may stand in a log (compressed, transactional, a
 * control batch, without records), of which Produce would take not all; its offsets are
 * set. The first of a producer's transactional batches begins its transaction.
 * Errors: KW_ERR_USE (no such partition, or not one whole batch), KW_ERR_NOMEM. */
KW_MUST_USE int kwi_mock_append(struct kw_mock *mock, const char *topic, int32_t partition,
                                const void *batch, size_t len);
/* Writes the marker that ends the producer's transaction in the partition. One that has
 * none there leaves a marker, too, as brokers do.
 * Errors: KW_ERR_USE (no such partition), KW_ERR_NOMEM. */
KW_MUST_USE int kwi_mock_end_txn(struct kw_mock *mock, const char *topic, int32_t partition,
                                 int64_t producer_id, int16_t producer_epoch, bool commit);
/* Takes a broker down: its connections become closing with nothing more to
 * send, and its partitions move to the next replica that is up (or have no
 * leader). lose: what it had beyond the high watermark is gone even if it
 * stays the only replica. Up again, it takes over what has no leader. */
void kwi_mock_broker_down(struct kw_mock *mock, uint32_t broker, bool lose);
void kwi_mock_broker_up(struct kw_mock *mock, uint32_t broker);
bool kwi_mock_broker_is_up(const struct kw_mock *mock, uint32_t broker);
/* A frozen broker goes on telling the leaders of the moment it was frozen. */
void kwi_mock_freeze_metadata(struct kw_mock *mock, uint32_t broker, bool frozen);
/* The broker that coordinates every group, and that FindCoordinator names; -1, as at
 * first: none. What is known of the groups moves with it, and so it is with transactions.
 * When it goes down the next one takes over. */
void kwi_mock_set_coordinator(struct kw_mock *mock, int32_t broker);
/* The level of the feature transaction.version that the cluster has finalized; 0 and 1:
 * partitions are added by AddPartitionsToTxn; 2, as at first where EndTxn 5 is offered:
 * brokers add them by themselves (KIP-890). */
void kwi_mock_set_transaction_version(struct kw_mock *mock, int16_t version);
/* How long the end of a transaction takes, from its decision to its markers; 0 at first. */
void kwi_mock_set_marker_delay(struct kw_mock *mock, uint32_t delay_ms);
/* Forgets a transactional id, as transactional.id.expiration.ms does.
 * Errors: KW_ERR_STATE (no such id). */
KW_MUST_USE int kwi_mock_forget_transaction(struct kw_mock *mock, const char *id);
/* Forgets the fetch sessions of a broker, as if others had needed the room. */
void kwi_mock_drop_fetch_sessions(struct kw_mock *mock, uint32_t broker);
/* How many there are. */
uint32_t kwi_mock_n_fetch_sessions(const struct kw_mock *mock, uint32_t broker);
/* Sets retention.bytes, max.message.bytes (numbers), message.timestamp.type
 * (CreateTime, LogAppendTime) or cleanup.policy (delete; compact: no record without a key
 * is taken, and nothing is compacted) of a topic, as CreateTopics does.
 * Errors: KW_ERR_STATE (no such topic), KW_ERR_CONFIG. */
KW_MUST_USE int kwi_mock_set_topic_config(struct kw_mock *mock, const char *topic, const char *key,
                                          const char *value);

/* --- authentication --------------------------------------------------------- */

enum kw_mock_mechanism {
    KWI_MOCK_PLAIN,
    KWI_MOCK_SCRAM_SHA_256,
    KWI_MOCK_SCRAM_SHA_512,
    KWI_MOCK_OAUTHBEARER, /* a token is the name of a user, and nothing more */
    KWI_MOCK_MECHANISMS
};
enum { KWI_MOCK_ALL_MECHANISMS = (1 << KWI_MOCK_MECHANISMS) - 1, KWI_MOCK_USERS_MAX = 8 };
struct kw_mock_user {
    const char *name, *password;
};
struct kw_mock_sasl {
    uint32_t mechanisms; /* 1 << enum kw_mock_mechanism; at least one */
    const struct kw_mock_user *users;
    uint32_t n_users;
    uint32_t session_ms;            /* until a client must authenticate again; 0: for ever */
    const struct kw_crypto *crypto; /* for SCRAM, which is not offered without */
};
/* From now on connections must authenticate, those that are there too; NULL: nobody
 * must, as at first. Users and passwords are copied.
 * Errors: KW_ERR_USE (no mechanism, more than KWI_MOCK_USERS_MAX users), KW_ERR_NOMEM,
 * those of the table; nobody must authenticate then. */
KW_MUST_USE int kwi_mock_set_sasl(struct kw_mock *mock, const struct kw_mock_sasl *sasl);

/* --- for checkers ---------------------------------------------------------- */

struct kw_mock_partition_info {
    int64_t start_offset, high_watermark, end_offset;
    int32_t leader; /* broker index, -1: none */
    int32_t leader_epoch;
    uint64_t size; /* bytes */
    uint32_t n_batches;
};
/* Errors: KW_ERR_STATE (no such partition). */
KW_MUST_USE int kwi_mock_partition(const struct kw_mock *mock, const char *topic, int32_t partition,
                                   struct kw_mock_partition_info *info);
struct kw_mock_batch {
    int64_t base_offset, last_offset;
    const uint8_t *ptr; /* the whole batch; valid until the log changes */
    uint32_t len;
    int32_t leader_epoch;
};
/* The first batch that ends at or behind *offset; moves *offset behind it.
 * False: no more, or no such partition. */
bool kwi_mock_log(const struct kw_mock *mock, const char *topic, int32_t partition, int64_t *offset,
                  struct kw_mock_batch *batch);
enum kw_mock_group_state {
    KWI_MOCK_GROUP_EMPTY,
    KWI_MOCK_GROUP_PREPARING,  /* members join */
    KWI_MOCK_GROUP_COMPLETING, /* the leader assigns */
    KWI_MOCK_GROUP_STABLE
};
struct kw_mock_group_info {
    uint8_t state; /* enum kw_mock_group_state */
    int32_t generation;
    uint32_t n_members;
};
/* Errors: KW_ERR_STATE (no such group). */
KW_MUST_USE int kwi_mock_group(const struct kw_mock *mock, const char *group,
                               struct kw_mock_group_info *info);
/* The offset that a group committed; -1: none. */
int64_t kwi_mock_committed(const struct kw_mock *mock, const char *group, const char *topic,
                           int32_t partition);
enum kw_mock_txn_state {
    KWI_MOCK_TXN_EMPTY,
    KWI_MOCK_TXN_ONGOING,
    KWI_MOCK_TXN_PREPARED, /* the markers are not written yet */
    KWI_MOCK_TXN_COMPLETE
};
struct kw_mock_transaction_info {
    uint8_t state; /* enum kw_mock_txn_state */
    bool commit;   /* PREPARED, COMPLETE: its end */
    int64_t producer_id;
    int16_t epoch;
    uint32_t n_partitions, n_offsets; /* of the present transaction */
};
/* Errors: KW_ERR_STATE (no such transactional id). */
KW_MUST_USE int kwi_mock_transaction(const struct kw_mock *mock, const char *id,
                                     struct kw_mock_transaction_info *info);
/* Requests of one API handled so far, by all brokers; api_key -1: of all. */
uint64_t kwi_mock_n_requests(const struct kw_mock *mock, int16_t api_key);

/* --- versions ---------------------------------------------------------------- */

/* What brokers of a release offer: "2.1", "2.8", "3.3", "3.9", "4.0", "4.3".
 * Static memory. Errors: KW_ERR_USE (not one of these). */
KW_MUST_USE int kwi_mock_release(const char *release, const struct kw_mock_versions **versions,
                                 size_t *n);

/* --- faults ------------------------------------------------------------------ */

enum kw_mock_action {
    KWI_MOCK_ERROR,        /* answer error `value`, apply nothing */
    KWI_MOCK_ERROR_AFTER,  /* apply, then answer error `value` all the same */
    KWI_MOCK_DROP_REQUEST, /* neither apply nor answer */
    KWI_MOCK_DROP_ANSWER,  /* apply, do not answer */
    KWI_MOCK_CLOSE_BEFORE, /* close the connection, apply nothing */
    KWI_MOCK_CLOSE_AFTER,  /* apply, close the connection without an answer */
    KWI_MOCK_CUT,          /* apply, send `value` bytes of the answer, then close */
    KWI_MOCK_DELAY,        /* apply, answer `value` ms later */
    KWI_MOCK_LATE,         /* apply and answer `value` ms later, even if the client left */
    KWI_MOCK_THROTTLE,     /* apply, answer with throttle_time_ms `value` */
    KWI_MOCK_CORRUPT,      /* change byte `value` of the answer's frame (-1: any) */
    KWI_MOCK_OMIT,         /* leave the partition (Metadata: topic) out of the answer */
    KWI_MOCK_TWICE,        /* list it twice */
    KWI_MOCK_UNASKED,      /* list one that nobody asked for, too */
    KWI_MOCK_MOVE_LEADER,  /* the next replica leads from now on; needs two brokers */
    KWI_MOCK_EVICT         /* forget the broker's fetch sessions before looking at it */
};

/* Acts on the calls that match api, broker, topic and partition, counted from
 * 1: on call `first`, and then on every `every`-th behind it (0: no more), up
 * to and including `last` (0: no end). */
struct kw_mock_fault {
    int16_t api_key; /* -1: any */
    uint32_t first, every, last;
    enum kw_mock_action action;
    int32_t value;
    int32_t broker;    /* index; -1: any */
    int32_t partition; /* -1: any */
    char topic[250];   /* "": any */
};

/* Errors: KW_ERR_USE (the action does not exist for that API, or moves a leader
 * and there is one broker), KW_ERR_LIMIT (more than 64). *id, which may be NULL, names it
 * for _remove. */
KW_MUST_USE int kwi_mock_fault_add(struct kw_mock *mock, const struct kw_mock_fault *fault,
                                   uint32_t *id);
/* Errors: KW_ERR_USE (no such fault). */
KW_MUST_USE int kwi_mock_fault_remove(struct kw_mock *mock, uint32_t id);
/* How often it has acted. */
uint64_t kwi_mock_fault_hits(const struct kw_mock *mock, uint32_t id);

/* Reads the text form:
 *
 *     spec   = api ":" when ":" action *( ":" filter )
 *     api    = a name as in Kafka's protocol guide, any case ("produce"),
 *              or its key, or "*" for any
 *     when   = N         the N-th call only
 *            | N "-" M   calls N to M
 *            | N "+"     the N-th call and all behind it
 *            | "/" K     every K-th call
 *            | "*"       every call
 *     action = "error=" CODE      | "error-after=" CODE   (number or name)
 *            | "drop-request"     | "drop-answer"
 *            | "close-before"     | "close-after"  | "cut=" BYTES
 *            | "delay=" MS        | "late=" MS     | "throttle=" MS
 *            | "corrupt" [ "=" BYTE ]
 *            | "omit" | "twice" | "unasked" | "move-leader" | "evict"
 *     filter = "broker=" INDEX | "topic=" NAME | "partition=" N
 *
 * e.g. "produce:3:error=6", "fetch:/10:close-after", "metadata:1-5:error=5",
 * "produce:*:delay=200:broker=1:topic=orders:partition=0".
 * Errors: KW_ERR_USE; *why (may be NULL) then says what is wrong, static. */
KW_MUST_USE int kwi_mock_fault_parse(const char *spec, struct kw_mock_fault *fault,
                                     const char **why);

#endif
