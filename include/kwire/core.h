/* kwire/core.h -- the sans-I/O core: a pure function of bytes, time and calls.
 *
 * The core makes no system call, reads no clock and starts no thread. A driver
 * (net/, a simulator, firmware) moves bytes between it and sockets by the calls
 * of the first half; the application's calls of the second half are the same
 * for every driver. docs/ARCHITECTURE.md states the seven laws that hold here.
 *
 * Threads: an object graph (a core and all it made) is one thread's at a time.
 * Every call may return KW_ERR_NOMEM and leaves the core usable. */
#ifndef KWIRE_CORE_H
#define KWIRE_CORE_H
#include <kwire/client_types.h>
#include <kwire/config.h>
#include <kwire/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kw_core;
struct kw_assignor; /* kwire/assignor.h */
struct kw_work;

/* Why a connection ended. text may be NULL; it is copied. */
struct kw_cause {
    uint8_t phase;  /* enum kw_phase */
    int32_t os_err; /* errno, 0 if none (0 in phase REQUEST: the peer closed) */
    const char *text;
    int32_t code;     /* enum kw_err: KW_ERR_AUTH when trust was refused; KW_ERR_IO when this
                     machine lacks something (descriptors, memory), so that another
                     address is no help; 0: KW_ERR_CONNECT */
    const char *hint; /* what to do about it; may be NULL; is copied */
};

/* What the core wants of its driver. Wants are levels, not a log: at most one
 * of a kind per connection; a later READ_ON removes an untaken READ_OFF and the
 * reverse; per connection OPEN, then others, then CLOSE, then nothing. */
enum kw_want_kind {
    KW_WANT_RESOLVE,     /* id = query: look up name; answer kw_core_resolved */
    KW_WANT_OPEN,        /* id = conn: connect to addr; answer kw_core_opened or kw_core_closed */
    KW_WANT_CLOSE,       /* id = conn: close; answer kw_core_closed when all lent memory is back */
    KW_WANT_WORK,        /* run kw_work_run(work, ...), then kw_core_work_done */
    KW_WANT_WRITE_READY, /* id = conn: call kw_core_write_vec until it returns 0 */
    KW_WANT_READ_ON,     /* id = conn: read into kw_core_read_buf */
    KW_WANT_READ_OFF,    /* id = conn: stop reading */
    KW_WANT_NAME         /* id = query: look up the name of addr; answer kw_core_named. Only if
                     client.dns.lookup=resolve_canonical_bootstrap_servers_only */
};
struct kw_want {
    uint8_t kind;
    bool tls;             /* OPEN: a TLS handshake for `name` comes before opened */
    uint16_t port;        /* RESOLVE: the port asked for (addresses come back with it) */
    uint32_t id;          /* connection, or query */
    struct kw_addr addr;  /* OPEN, NAME */
    const char *name;     /* RESOLVE, OPEN: host name; valid until the next core call */
    struct kw_work *work; /* WORK */
};

/* Creates a core. cfg and env are copied. The first call of the driver must be
 * kw_core_step. Errors: KW_ERR_CONFIG (err says key, value, rule, remedy),
 * KW_ERR_NOMEM, KW_ERR_USE. err may be NULL. */
KW_EXPORT KW_MUST_USE int kw_core_create(struct kw_core **out, const struct kw_config *cfg,
                                         const struct kw_env *env, struct kw_error *err);
/* Frees everything at once, whatever state it is in. The driver must hold no
 * lent memory and run no work any more. NULL is allowed. */
KW_EXPORT void kw_core_destroy(struct kw_core *core);

/* ---- in: the driver tells ------------------------------------------------ */

/* Time enters here alone. Bounded work; more to do: kw_core_deadline() == 0.
 * Time that goes backwards is taken as equal. */
KW_EXPORT void kw_core_step(struct kw_core *core, struct kw_time now);
/* Answer to RESOLVE. n 0: the look-up failed; os_err as getaddrinfo's code. */
KW_EXPORT void kw_core_resolved(struct kw_core *core, uint32_t query, const struct kw_addr *addrs,
                                size_t n, int os_err);
/* The same when it failed and there is more to say: text and hint as in a cause;
 * code 0: KW_ERR_CONNECT. cause may be NULL. */
KW_EXPORT void kw_core_unresolved(struct kw_core *core, uint32_t query,
                                  const struct kw_cause *cause);
/* Answer to NAME: the name that the address has by itself (DNS: PTR), or NULL: none is
 * found. It is copied. A driver that cannot look names of addresses up answers NULL. */
KW_EXPORT void kw_core_named(struct kw_core *core, uint32_t query, const char *name);
/* TCP is up, and TLS too if OPEN asked for it. */
KW_EXPORT void kw_core_opened(struct kw_core *core, uint32_t conn);
/* For kw_env.watch alone, and only where OPEN asked for TLS: TCP is up and TLS begins;
 * TLS is up, with what it found (info may be NULL), just before kw_core_opened. */
KW_EXPORT void kw_core_connected(struct kw_core *core, uint32_t conn);
KW_EXPORT void kw_core_secured(struct kw_core *core, uint32_t conn, const struct kw_tls_info *info);
/* n bytes are in the lent buffer (0 gives it back unused). The bytes are
 * parsed here. */
KW_EXPORT void kw_core_read_done(struct kw_core *core, uint32_t conn, size_t n);
/* The driver no longer needs these n bytes, in the order of write_vec. */
KW_EXPORT void kw_core_written(struct kw_core *core, uint32_t conn, size_t n);
/* The connection is gone and every lent byte is back. cause may be NULL. */
KW_EXPORT void kw_core_closed(struct kw_core *core, uint32_t conn, const struct kw_cause *cause);
KW_EXPORT void kw_core_work_done(struct kw_core *core, struct kw_work *work);
/* Runs about `budget` bytes' worth of a work item: pure, may run on any thread.
 * Returns 1 when more is left, 0 when done. */
KW_EXPORT int kw_work_run(struct kw_work *work, size_t budget);

/* ---- out: the driver asks, after any call above and after app calls ------- */

/* Takes the next want; false when there is none. */
KW_EXPORT bool kw_core_next_want(struct kw_core *core, struct kw_want *want);
/* When step must be called at the latest: mono_us; 0 now, UINT64_MAX never. */
KW_EXPORT uint64_t kw_core_deadline(const struct kw_core *core);
/* Lists what lies `skip` bytes behind the confirmed position, at most cap
 * pieces; returns how many. Between two calls the list may only grow at its
 * end. 0: nothing behind skip; WRITE_READY follows when there is. */
KW_EXPORT size_t kw_core_write_vec(struct kw_core *core, uint32_t conn, size_t skip,
                                   struct kw_iov *iov, size_t cap);
/* A span of more bytes than this is what is left of one answer. */
enum { KW_SPAN_PROMISED = 16384 };
/* Lends a buffer to read into, at most one per connection at a time; the same
 * again before read_done. len 0: reading is off. Of more than KW_SPAN_PROMISED: all
 * of it will come, unless the peer ends or falls silent, so a driver may wait for it. */
KW_EXPORT struct kw_span kw_core_read_buf(struct kw_core *core, uint32_t conn);
/* One word, valid for the core's life: KW_ATT_* bits that any call may set.
 * next_want and next_event clear theirs when they return false, step clears
 * TIME. Cheap to look at after each application call. */
enum { KW_ATT_WANT = 1, KW_ATT_EVENT = 2, KW_ATT_TIME = 4 };
KW_EXPORT const uint32_t *kw_core_attention(const struct kw_core *core);
/* A pointer of the driver's own, for finding its client from a handle. Every handle
 * begins with a pointer to its core, and a core with a pointer to itself and this one: a
 * driver may read them there. */
KW_EXPORT void kw_core_set_host(struct kw_core *core, void *host);
KW_EXPORT void *kw_core_host(const struct kw_core *core);
/* The core of a producer, topic, receipt, consumer, records handle or op. */
KW_EXPORT struct kw_core *kw_core_of(const void *handle);

/* ---- the application's calls ---------------------------------------------
 * Documented at their twins in kwire.h, which add the driver's part. Each may
 * set attention bits. */

KW_EXPORT bool kw_core_next_event(struct kw_core *core, struct kw_event *event);

KW_EXPORT KW_MUST_USE int kw_core_set(struct kw_core *core, const char *key, const char *val,
                                      struct kw_error *err);
KW_EXPORT KW_MUST_USE int kw_core_oauth_token_set(struct kw_core *core,
                                                  const struct kw_oauth_token *token,
                                                  struct kw_error *err);

KW_EXPORT KW_MUST_USE int kw_core_sasl_answer(struct kw_core *core, uint32_t exchange, int verdict,
                                              const struct kw_bytes *token, const char *why);

KW_EXPORT KW_MUST_USE int kw_core_producer_create(struct kw_producer **out, struct kw_core *core,
                                                  const struct kw_config *own,
                                                  struct kw_error *err);
KW_EXPORT KW_MUST_USE int kw_core_topic_open(struct kw_topic **out, struct kw_producer *producer,
                                             const char *name, struct kw_error *err);
KW_EXPORT KW_MUST_USE int kw_core_topic_open_own(struct kw_topic **out,
                                                 struct kw_producer *producer, const char *name,
                                                 const struct kw_config *own, struct kw_error *err);
KW_EXPORT KW_MUST_USE int kw_core_topic_set_partitioner(struct kw_topic *topic,
                                                        const struct kw_partitioner *own);
/* 0 accepted; 1 accepted and the attention word is not zero; or an error as
 * kw_produce. */
KW_EXPORT KW_MUST_USE int kw_core_produce(struct kw_topic *topic, const struct kw_record *record);
/* Whether the driver may make one write inside kw_produce (produce.writes). */
KW_EXPORT bool kw_core_produce_writes(const struct kw_topic *topic);

/* Trays, for a driver whose application has many threads: an open batch that one thread
 * fills alone. kw_core_tray_append touches the tray and nothing else, so it needs not what
 * keeps the core one thread's at a time; all the others do. */
struct kw_tray;
struct kw_tray_rules {
    uint64_t linger_us;
    uint32_t n_partitions;
};
/* Whether trays may be opened for a topic now, and what holds for them until
 * kw_core_tray_changes says something else; then they are to be closed. */
KW_EXPORT bool kw_core_tray_rules(const struct kw_topic *topic, struct kw_tray_rules *rules);
KW_EXPORT uint64_t kw_core_tray_changes(const struct kw_core *core);
/* The partition of a record: its own, or that of its key; -1: any will do; INT32_MAX, which
 * no topic has: its own cannot be. Pure. */
KW_EXPORT int32_t kw_core_tray_place(const struct kw_record *record, uint32_t n_partitions);
/* Begins a batch for a partition; -1: for records that any will do for. Errors:
 * KW_ERR_WOULD_BLOCK, KW_ERR_NOMEM, KW_ERR_STATE (not now). */
KW_EXPORT KW_MUST_USE int kw_core_tray_open(struct kw_tray **out, struct kw_topic *topic,
                                            int32_t partition);
/* Appends a record without headers, receipt and flags but KW_REC_PARTITION: accepted, as by
 * kw_core_produce. false: it does not fit. */
KW_EXPORT bool kw_core_tray_append(struct kw_tray *tray, const struct kw_record *record);
/* The same with memory of the core, and with headers. Errors: KW_ERR_LIMIT (the batch is
 * full: to be closed); KW_ERR_WOULD_BLOCK, KW_ERR_NOMEM; else as kw_core_produce. */
KW_EXPORT KW_MUST_USE int kw_core_tray_produce(struct kw_tray *tray,
                                               const struct kw_record *record);
/* Records have the time of the last step from now on. */
KW_EXPORT void kw_core_tray_tick(struct kw_tray *tray);
/* The batch goes to its partition, behind what was produced for that before; linger is
 * over for it. Whatever became of the producer meanwhile, its records have the outcome of
 * those that were accepted then. The tray is gone. */
KW_EXPORT void kw_core_tray_close(struct kw_tray *tray);
KW_EXPORT struct kw_op *kw_core_flush(struct kw_producer *producer, int32_t timeout_ms, void *tag);
KW_EXPORT int kw_core_purge(struct kw_producer *producer);
KW_EXPORT int kw_core_record_cancel(const struct kw_record_ref *ref);
KW_EXPORT KW_MUST_USE int kw_core_producer_set_hooks(struct kw_producer *producer,
                                                     const struct kw_producer_hooks *hooks);
KW_EXPORT KW_MUST_USE int kw_core_receipt_create(struct kw_receipt **out,
                                                 struct kw_producer *producer, void *tag);
KW_EXPORT int kw_core_receipt_close(struct kw_receipt *receipt);
KW_EXPORT int kw_core_unsent_next(struct kw_producer *producer, struct kw_record *record,
                                  struct kw_topic **topic);

KW_EXPORT struct kw_op *kw_core_txn_init(struct kw_producer *producer, int32_t timeout_ms,
                                         void *tag);
KW_EXPORT KW_MUST_USE int kw_core_txn_begin(struct kw_producer *producer, struct kw_error *err);
KW_EXPORT struct kw_op *kw_core_txn_commit(struct kw_producer *producer, int32_t timeout_ms,
                                           void *tag);
KW_EXPORT struct kw_op *kw_core_txn_abort(struct kw_producer *producer, int32_t timeout_ms,
                                          void *tag);
KW_EXPORT struct kw_op *kw_core_txn_send_offsets(struct kw_producer *producer,
                                                 const struct kw_txn_offsets *what,
                                                 int32_t timeout_ms, void *tag);

KW_EXPORT KW_MUST_USE int kw_core_consumer_create(struct kw_consumer **out, struct kw_core *core,
                                                  const struct kw_config *own,
                                                  struct kw_error *err);
KW_EXPORT KW_MUST_USE int kw_core_assign(struct kw_consumer *consumer,
                                         const struct kw_start *starts, size_t n,
                                         struct kw_error *err);
KW_EXPORT KW_MUST_USE int kw_core_seek(struct kw_consumer *consumer, const struct kw_start *start);
KW_EXPORT KW_MUST_USE int kw_core_pause(struct kw_consumer *consumer, const char *topic,
                                        int32_t partition, bool pause);
KW_EXPORT int kw_core_consumer_poll(struct kw_consumer *consumer, struct kw_records **out,
                                    size_t max);
KW_EXPORT void kw_core_records_release(struct kw_records *records, enum kw_done done);

KW_EXPORT int32_t kw_core_topic_partitions(const struct kw_topic *topic);
KW_EXPORT int16_t kw_core_topic_error(const struct kw_topic *topic);
KW_EXPORT uint64_t kw_core_producer_outstanding(const struct kw_producer *producer);
KW_EXPORT int kw_core_txn_status(const struct kw_producer *producer, struct kw_txn_status *status);
KW_EXPORT KW_MUST_USE int kw_core_consumer_add_assignor(struct kw_consumer *consumer,
                                                        const struct kw_assignor *assignor);
KW_EXPORT const struct kw_consumed *kw_core_records_next(struct kw_records *records);
KW_EXPORT int kw_core_done(struct kw_records *records, const struct kw_consumed *consumed);
KW_EXPORT KW_MUST_USE int kw_core_position(const struct kw_consumer *consumer, const char *topic,
                                           int32_t partition, int64_t *offset);
KW_EXPORT KW_MUST_USE int kw_core_log_ends(const struct kw_consumer *consumer, const char *topic,
                                           int32_t partition, struct kw_log_ends *ends);
KW_EXPORT KW_MUST_USE int kw_core_lag(const struct kw_consumer *consumer, const char *topic,
                                      int32_t partition, int64_t *lag);

KW_EXPORT KW_MUST_USE int kw_core_subscribe_pattern(struct kw_consumer *consumer,
                                                    const char *pattern, struct kw_error *err);
KW_EXPORT KW_MUST_USE int kw_core_subscribe(struct kw_consumer *consumer, const char *const *topics,
                                            size_t n, struct kw_error *err);
KW_EXPORT int kw_core_rebalance_ack(struct kw_consumer *consumer);
KW_EXPORT int kw_core_rejoin(struct kw_consumer *consumer, const char *reason);
KW_EXPORT struct kw_op *kw_core_commit(struct kw_consumer *consumer,
                                       const struct kw_offsets *offsets, int32_t timeout_ms,
                                       void *tag);
KW_EXPORT struct kw_op *kw_core_committed(struct kw_consumer *consumer,
                                          const struct kw_offsets *which,
                                          struct kw_offsets **result, int32_t timeout_ms,
                                          void *tag);

KW_EXPORT struct kw_op *kw_core_list_offsets(struct kw_core *core, const struct kw_start *which,
                                             size_t n, uint8_t isolation,
                                             struct kw_offsets **result, int32_t timeout_ms,
                                             void *tag);

KW_EXPORT struct kw_op *kw_core_admin(struct kw_core *core, const struct kw_admin_request *request,
                                      struct kw_admin_result **result, int32_t timeout_ms,
                                      void *tag);
KW_EXPORT struct kw_op *kw_core_request_raw(struct kw_core *core,
                                            const struct kw_raw_request *request,
                                            struct kw_raw_result **result, int32_t timeout_ms,
                                            void *tag);
KW_EXPORT struct kw_op *kw_core_consumer_close(struct kw_consumer *consumer, enum kw_leave leave,
                                               int32_t timeout_ms, void *tag);
KW_EXPORT struct kw_op *kw_core_close(struct kw_core *core, int32_t timeout_ms, void *tag);
/* 1 when the op has ended; then *code, *err (both may be NULL) are set and the
 * op is gone, its OP_DONE event too. 0: not yet. */
KW_EXPORT int kw_core_op_take(struct kw_op *op, int *code, struct kw_error *err);
KW_EXPORT int kw_core_op_cancel(struct kw_op *op);
/* For a driver where one thread may wait for an op while another one takes events, with
 * which the op would be gone: from now on an op without a tag raises no event when it
 * ends, and stays until it is taken. */
KW_EXPORT void kw_core_hold_ops(struct kw_core *core);
/* How many ops have ended since create. */
KW_EXPORT uint64_t kw_core_ops_ended(const struct kw_core *core);
KW_EXPORT void kw_core_stats(const struct kw_core *core, struct kw_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
