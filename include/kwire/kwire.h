/* kwire/kwire.h -- the client: a core, a loop, sockets. Umbrella header.
 *
 * Rules for all calls: 0 or an enum kw_err < 0 unless said otherwise;
 * timeout_ms is relative, -1 none; nothing waits except kw_wait and
 * kw_client_poll (and, only with dns.resolver=blocking, look-ups of host
 * names). Callbacks: there are none but the hooks of kw_env and of producers, partitioners and
 * assignors; events are taken with kw_next_event.
 *
 * Threads. A client and all it made belong to one thread at a time, and no thread is
 * started and no lock taken. A second thread inside is told so (KW_ERR_BUSY; NULL where
 * an op is returned) and nothing happens; in the very same instant it may go unseen: it is
 * a mistake either way. After kw_client_start_thread, calls may come from any thread, and:
 *  - One thread at a time has an event. It is valid until that thread calls
 *    kw_next_event again; meanwhile the others are given none. So take events until there
 *    are no more, or the next thread that wants one waits for you.
 *  - An op without a tag is for kw_wait, from any thread, and raises no event; one that
 *    nobody waits for stays until the client is gone. An op with a tag is for the event,
 *    and is not waited for: another thread might have taken its event, and then it is gone.
 *  - Handles of records, the records of kw_unsent_next, a configuration: one thread at a
 *    time uses one of these.
 *  - Order of records is kept per thread and partition. A thread that produces much fills
 *    batches of its own, without the lock; flush, purge and close cover those of all
 *    threads, and a thread may end at any time.
 *  - Hooks that look names up are called on the I/O thread, and may call what their doc
 *    names. Logs, kw_env.watch, a mechanism of your own, partitioners and assignors are
 *    called with the client's lock held, on whatever thread: they must be quick and must
 *    not call the client. kw_env.alloc must be good for all threads at once.
 * In a child of fork() calls return KW_ERR_FORKED (NULL, 0 and nothing, where they return
 * no code), kw_client_destroy closes descriptors and frees nothing, and the parent does
 * not notice. A call that waits, made inside a callback, returns KW_ERR_REENTRANT. These
 * three codes are not repeated below. */
#ifndef KWIRE_H
#define KWIRE_H
#include <kwire/assignor.h>
#include <kwire/client_types.h>
#include <kwire/config.h>
#include <kwire/trace.h>
#include <kwire/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KW_VERSION "0.1.0"
/* KW_VERSION of the library that runs. Threads: any. */
KW_EXPORT const char *kw_version(void);

struct kw_client;

/* ---- configuration ---------------------------------------------------------
 * A configuration belongs to one thread at a time. */

/* As kw_config_create with the C library's allocator. */
KW_EXPORT KW_MUST_USE int kw_config_new(struct kw_config **out);
/* From then on ${env:NAME} in a properties text stands for that variable of the
 * environment, and ${file:PATH} for what the file holds, without a last line end.
 * Whoever writes the text can then read files and variables of this process: use it
 * for your own files only. Errors: KW_ERR_USE (no cfg). getenv is called while a text is
 * parsed: no other thread may change the environment then. */
KW_EXPORT KW_MUST_USE int kw_config_use_references(struct kw_config *cfg);
/* Reads a Java properties file. Errors: KW_ERR_IO (os_err), KW_ERR_CONFIG with
 * the line, KW_ERR_LIMIT (above 1 MiB), KW_ERR_NOMEM, KW_ERR_USE. May wait for the file
 * system. */
KW_EXPORT KW_MUST_USE int kw_config_load(struct kw_config *cfg, const char *path,
                                         struct kw_error *err);

/* ---- client ------------------------------------------------------------------ */

/* Creates a client: connections, metadata, memory. No thread starts, nothing is
 * sent before it is needed. It has three descriptors, and a page of memory that the system
 * wipes when the process forks. Ownership: cfg is copied. Errors: KW_ERR_CONFIG,
 * KW_ERR_UNSUPPORTED (a resolver, a way to look names up or a mechanism that this build lacks),
 * KW_ERR_NOMEM, KW_ERR_IO (no descriptor left), KW_ERR_USE (no cfg; of kw_env half an
 * allocator, or a mechanism without its functions). */
KW_EXPORT KW_MUST_USE int kw_client_create(struct kw_client **out, const struct kw_config *cfg,
                                           struct kw_error *err);
/* The same with an environment of the caller's: what is zeroed in env is filled
 * in (the C library's allocator, a seed from the system, the processor's CRC
 * instructions, no log). Everything that the client allocates comes from env->alloc, except
 * what TLS, c-ares, libsnappy and the C library take for themselves. */
KW_EXPORT KW_MUST_USE int kw_client_create_env(struct kw_client **out, const struct kw_config *cfg,
                                               const struct kw_env *env, struct kw_error *err);
/* One descriptor for a foreign loop: readable when kw_client_process has work,
 * timers included. Never changes. Errors: KW_ERR_STATE (the I/O thread has it). */
KW_EXPORT int kw_client_fd(const struct kw_client *client);
/* Does what can be done now; never waits. Units: budget_us of wall time, 0: one
 * turn. Returns 1: more is left, call again; 0. Errors: KW_ERR_IO (the system refuses epoll or
 * the timer), KW_ERR_CLOSED (with an I/O thread, as kw_client_poll). */
KW_EXPORT int kw_client_process(struct kw_client *client, uint32_t budget_us);
/* Waits for something to do or timeout_ms, then processes. Does not wait while
 * events are there to be taken. Returns as process; 0 early if a signal came (not with an
 * I/O thread). Errors: KW_ERR_IO (the system does not let it wait), KW_ERR_CLOSED (the
 * client is destroyed meanwhile by another thread, and must not be used again). */
KW_EXPORT int kw_client_poll(struct kw_client *client, int32_t timeout_ms);
/* Ends a wait in kw_client_poll or makes kw_client_fd readable. Safe from any
 * thread and from a signal handler. */
KW_EXPORT void kw_client_wake(struct kw_client *client);
/* The answer of a resolve hook (struct kw_resolve_hook). addrs come with the port that
 * was asked for, in the order of preference; n 0: the name has none, and why (may be
 * NULL) says what failed. All is copied. A query that is not waited for any more is
 * ignored.
 * May a callback call it: yes, the hook itself. Threads: the client's. */
KW_EXPORT void kw_client_resolved(struct kw_client *client, uint32_t query,
                                  const struct kw_addr *addrs, size_t n, const char *why);
/* The answer to `name` of a resolve hook: the name of the address, or NULL: it has none.
 * It counts only if looking it up finds that address again. It is copied. A query that is
 * not waited for any more is ignored.
 * May a callback call it: yes, the hook itself. Threads: the client's. */
KW_EXPORT void kw_client_named(struct kw_client *client, uint32_t query, const char *name);
/* Whether names are looked up without a hook and without dns.resolver, by c-ares. */
KW_EXPORT bool kw_has_resolver(void);
/* Starts the one I/O thread of the client, which from now on sends, receives, keeps time
 * and sends heartbeats, whatever the application does; it takes no signals, and ends in
 * kw_client_destroy. From then on calls may come from any thread (see the top), each but
 * most of kw_produce takes a lock, kw_client_process does nothing, and kw_client_poll and
 * kw_wait only wait. Call it before another thread uses the client.
 * Errors: KW_ERR_STATE (it runs already, or kw_client_fd was asked for), KW_ERR_IO (the
 * system starts no thread), KW_ERR_NOMEM, KW_ERR_USE. */
KW_EXPORT KW_MUST_USE int kw_client_start_thread(struct kw_client *client);
/* Takes one event: 1, or 0 when there is none. Valid until the next call. Errors: only
 * those of the top, and then event->kind is KW_EVENT_NONE. */
KW_EXPORT int kw_next_event(struct kw_client *client, struct kw_event *event);
/* Drains producers by the deadline, hands back what was not sent
 * (kw_unsent_next), closes every connection. The op ends with 0, or with
 * KW_ERR_TIMEOUT when records were left; each was reported. Operations that are still under
 * way then end with KW_ERR_CLOSED. KW_ERR_STATE: it is being closed already. The room for
 * the op is kept from the start: it can be had, once, though control.memory is used up. */
KW_EXPORT struct kw_op *kw_close(struct kw_client *client, int32_t timeout_ms, void *tag);
/* Frees everything at once; never waits, but with an I/O thread for its present turn.
 * Other threads that are in kw_wait or kw_client_poll return with KW_ERR_CLOSED; in other
 * calls there must be none. All handles are gone. NULL allowed. Inside a callback, and
 * while another thread is inside, nothing happens. */
KW_EXPORT void kw_client_destroy(struct kw_client *client);

/* ---- authentication ----------------------------------------------------------- */

/* Changes sasl.username, sasl.password, sasl.scram.tokenauth, sasl.jaas.config or
 * sasl.oauthbearer.token of a running client. Connections that are there keep what
 * they have; the next one to authenticate, or to authenticate again, uses the new
 * value, and those that wait for an OAUTHBEARER token go on at once. Set user and password
 * without polling in between; with an I/O thread, which may
 * authenticate between two calls, set sasl.jaas.config, which changes both at once.
 * Errors: KW_ERR_CONFIG (another key, a client without SASL, a value that kw_client_create
 * would refuse too, such as an empty user: what was set stays), KW_ERR_NOMEM, KW_ERR_USE. */
KW_EXPORT KW_MUST_USE int kw_client_set(struct kw_client *client, const char *key, const char *val,
                                        struct kw_error *err);
/* Gives the client the token for OAUTHBEARER; everything is copied. The event
 * OAUTH_TOKEN_NEEDED asks for it: answer from wherever the token comes, at once or
 * later (socket.connection.setup.timeout.ms bounds how long a connection waits).
 * A token that is over is not used. Errors: KW_ERR_CONFIG (sasl.mechanism is not
 * OAUTHBEARER), KW_ERR_USE (not a bearer token, bad extension, lifetime not above 0),
 * KW_ERR_NOMEM. */
KW_EXPORT KW_MUST_USE int kw_oauth_token_set(struct kw_client *client,
                                             const struct kw_oauth_token *token,
                                             struct kw_error *err);

/* Gives what a mechanism of the application's own (kw_env.sasl) has put off with
 * KW_SASL_LATER: verdict is KW_SASL_SEND with the token (copied), KW_SASL_DONE, or a
 * negative enum kw_err with why (may be NULL). Errors: KW_ERR_STATE (that exchange
 * waits for nothing, perhaps because its connection is gone: throw the token away),
 * KW_ERR_USE. */
KW_EXPORT KW_MUST_USE int kw_sasl_answer(struct kw_client *client, uint32_t exchange, int verdict,
                                         const struct kw_bytes *token, const char *why);

/* ---- operations: started without waiting, end once ---------------------------
 * Functions that return a kw_op return NULL when memory is short. An op that
 * nobody waits for ends as the event OP_DONE and is freed after it (with an I/O thread:
 * if it has a tag). */

/* Waits until op ends (its own deadline bounds the wait) and frees it; events
 * raised meanwhile stay queued. NULL op: KW_ERR_NOMEM. Returns the op's code, or
 * KW_ERR_CLOSED as kw_client_poll, or KW_ERR_IO (the system does not let it wait: the op is
 * canceled and gone). */
KW_EXPORT int kw_wait(struct kw_client *client, struct kw_op *op, struct kw_error *err);
/* Ends op now with KW_ERR_CANCELED; requests already sent are not unsent. Errors:
 * KW_ERR_STATE (it has ended), KW_ERR_USE (no op). */
KW_EXPORT int kw_op_cancel(struct kw_op *op);

/* ---- producer ------------------------------------------------------------------ */

/* Creates a producer. own (may be NULL) overrides the client's keys for it; the
 * producer lives as long as its client. Errors: KW_ERR_CONFIG, KW_ERR_LIMIT (the codec's
 * context does not fit control.memory: raise it), KW_ERR_NOMEM, KW_ERR_CLOSED. */
KW_EXPORT KW_MUST_USE int kw_producer_create(struct kw_producer **out, struct kw_client *client,
                                             const struct kw_config *own, struct kw_error *err);
/* Opens a topic for producing and starts the look-up of its partitions; opening
 * a name twice gives the same handle. Errors: KW_ERR_USE (bad name: empty, over
 * 249 bytes, or not of [a-zA-Z0-9._-]), KW_ERR_NOMEM, KW_ERR_CLOSED. */
KW_EXPORT KW_MUST_USE int kw_topic_open(struct kw_topic **out, struct kw_producer *producer,
                                        const char *name, struct kw_error *err);
/* The same, with settings of the topic's own: own (may be NULL) holds keys that
 * docs/CONFIG.md lists for a topic, and goes before the producer's; it is copied.
 * Errors: KW_ERR_CONFIG, KW_ERR_STATE (it is open already, with its settings). */
KW_EXPORT KW_MUST_USE int kw_topic_open_own(struct kw_topic **out, struct kw_producer *producer,
                                            const char *name, const struct kw_config *own,
                                            struct kw_error *err);
/* Places the records of a topic by a function of the application's own, or with NULL again
 * as the key `partitioner` says. Ownership: own is copied, its ctx is borrowed for the life
 * of the topic. A partition that does not exist makes kw_produce answer KW_ERR_USE.
 * Errors: KW_ERR_USE (no topic, no function). */
KW_EXPORT KW_MUST_USE int kw_topic_set_partitioner(struct kw_topic *topic,
                                                   const struct kw_partitioner *own);
/* Valid as long as the topic. */
KW_EXPORT const char *kw_topic_name(const struct kw_topic *topic);
/* Partitions known now; 0: not known yet. */
KW_EXPORT int32_t kw_topic_partitions(const struct kw_topic *topic);
/* Appends one record to its partition's open batch; never waits. Everything is
 * copied, unless KW_REC_BY_REF lends the value. The outcome comes as a REPORT event or
 * counts in its receipt, exactly once.
 * Errors: KW_ERR_WOULD_BLOCK (buffer.memory is full, or the partition count is
 * not known yet: event WRITABLE follows; take events meanwhile),
 * KW_ERR_TOO_LARGE (above max.request.size: raise it, or send less; an event ERROR has
 * the sizes),
 * KW_ERR_USE (bad partition, timestamp or header; a receipt that is closed or of
 * another producer; a partition that is not known makes the count be asked for, so that
 * a later try may find it), KW_ERR_BROKER (the topic
 * cannot be written: see kw_topic_error), KW_ERR_STATE (the producer met a
 * fatal error), KW_ERR_NOMEM (nothing was appended: again later), KW_ERR_CLOSED. */
KW_EXPORT KW_MUST_USE int kw_produce(struct kw_topic *topic, const struct kw_record *record);
/* Appends records in order until one is refused. Returns the first error, with
 * *accepted the number appended before it. With an I/O thread the lock, where it is needed,
 * is taken once for up to 64 of them. */
KW_EXPORT KW_MUST_USE int kw_produce_many(struct kw_topic *topic, const struct kw_record *records,
                                          size_t n, size_t *accepted);
/* Makes a receipt: one outcome for a chunk of records, as a log shipper or the
 * handler of a request wants it. Records name it (kw_record.receipt), of whatever
 * topics and partitions of the producer. Delivered ones are only counted; of each
 * that was not, a REPORT tells (report.receipt, tag, opaque) before the receipt's
 * own event, so that the failed ones are known one by one. When it was closed and
 * all its records have their outcome, the event RECEIPT is raised, once.
 * Ownership: the caller's until kw_receipt_close; the library's from then on, gone
 * with the kw_next_event after its event. One that is never closed goes with the
 * client, without an event. Memory: buffer.memory, and at most an eighth of what
 * of it is above batch.size + max.request.size.
 * Errors: KW_ERR_WOULD_BLOCK (buffer.memory is full: event WRITABLE follows),
 * KW_ERR_LIMIT (so many are open: close some and take their events, or raise
 * buffer.memory), KW_ERR_NOMEM, KW_ERR_CLOSED, KW_ERR_USE. */
KW_EXPORT KW_MUST_USE int kw_receipt_create(struct kw_receipt **out, struct kw_producer *producer,
                                            void *tag);
/* Says that no more records come. May be called at any time, also after kw_close,
 * and with no record at all: the event follows. The handle must not be used
 * again. Errors: KW_ERR_STATE (closed already, and its event not yet taken),
 * KW_ERR_USE (NULL). */
KW_EXPORT int kw_receipt_close(struct kw_receipt *receipt);
/* Gives one record up, of which no byte was offered to a connection yet: it is reported
 * as KW_NOT_WRITTEN with KW_ERR_CANCELED. Its batch is sent at once, in two pieces: for
 * single records, not for masses (kw_purge). Units of work: copies its batch once.
 * Errors: KW_ERR_IN_FLIGHT (too late: its outcome will be told), KW_ERR_STATE (it has its
 * outcome already), KW_ERR_WOULD_BLOCK (its batch is being compressed: again after the next
 * kw_client_process), KW_ERR_NOMEM (nothing was changed), KW_ERR_USE (no ref).
 * May a callback call it: no. Threads: the client's. */
KW_EXPORT int kw_record_cancel(const struct kw_record_ref *ref);
/* Sets the hooks of a producer, or with NULL takes them away; copied. Without hooks
 * nothing is paid; with on_send each record takes the slower path. kwire/trace.h has one
 * that adds a W3C traceparent.
 * Errors: KW_ERR_USE (no producer, a size below the struct's). */
KW_EXPORT KW_MUST_USE int kw_producer_set_hooks(struct kw_producer *producer,
                                                const struct kw_producer_hooks *hooks);
/* Why the topic cannot be written: Kafka's code, 0 if it can. */
KW_EXPORT int16_t kw_topic_error(const struct kw_topic *topic);
/* Sends what is buffered without linger. Ends with 0 when every record accepted
 * before the call has its outcome, KW_ERR_TIMEOUT when some have not:
 * kw_producer_outstanding says how many, and so does the error's text. */
KW_EXPORT struct kw_op *kw_flush(struct kw_producer *producer, int32_t timeout_ms, void *tag);
/* Gives up every record of which no byte was offered yet: each is reported as
 * not written (KW_ERR_CANCELED) and can be taken back by kw_unsent_next. Errors: KW_ERR_USE
 * (no producer). */
KW_EXPORT int kw_purge(struct kw_producer *producer);
/* After purge or close: 1 and the next record that was not sent, whole, in
 * order per partition (its `partition` and `timestamp_ms` are filled, and
 * *topic if not NULL; it has no receipt, where it counted as not written); 0: no
 * more. Views until the next call; a value with KW_REC_BY_REF among the flags is the
 * pointer that was given to kw_produce, which was not looked at since its report. What purge
 * gave up stays in buffer.memory until it was taken here. Errors: KW_ERR_NOMEM. */
KW_EXPORT int kw_unsent_next(struct kw_producer *producer, struct kw_record *record,
                             struct kw_topic **topic);
/* Records accepted and without an outcome yet. */
KW_EXPORT uint64_t kw_producer_outstanding(const struct kw_producer *producer);

/* ---- transactions ----------------------------------------------------------------
 * A producer with transactional.id writes in transactions (KIP-98): what it produces, and
 * the offsets it sends, count for readers of committed records all together or not at
 * all. One at a time: init once, then begin, produce and send offsets, commit or abort,
 * begin again. kw_produce outside of one is refused with KW_ERR_STATE.
 *
 * Each operation but begin may end by its deadline (KW_ERR_TIMEOUT, class KW_TXN_RETRY)
 * while what it asked for goes on: the same call then joins in, and ends as that does. A
 * commit is carried out once, however often it is asked for. Only one of init, commit and
 * abort may be waited for at a time.
 *
 * Errors carry their class (kw_error.txn_class): KW_TXN_RETRY, the same call again;
 * KW_TXN_ABORT, this transaction cannot be committed, kw_txn_abort is all that helps;
 * KW_TXN_FATAL, another producer has taken the id over, or a right is missing: no call
 * helps. Calls in the wrong state end at once with KW_ERR_STATE, and a hint what to call.
 * May a callback call them: yes. Threads: the client's. */

/* Makes the transactional id ours: an older producer with it is fenced, and its open
 * transaction aborted, for which this waits. Once, before the first transaction.
 * Errors: KW_ERR_BROKER (no right to the id, transaction.timeout.ms above the broker's
 * limit), KW_ERR_AUTH, KW_ERR_UNSUPPORTED, KW_ERR_TIMEOUT, KW_ERR_STATE, KW_ERR_NOMEM,
 * KW_ERR_CLOSED, KW_ERR_USE (no transactional.id). */
KW_EXPORT struct kw_op *kw_txn_init(struct kw_producer *producer, int32_t timeout_ms, void *tag);
/* Begins a transaction; nothing is sent, nothing waits. err may be NULL.
 * Errors: KW_ERR_STATE (not initialized, one is open, the last one's end was not told, or
 * the producer met a fatal error), KW_ERR_USE (no transactional.id), KW_ERR_CLOSED. */
KW_EXPORT KW_MUST_USE int kw_txn_begin(struct kw_producer *producer, struct kw_error *err);
/* Commits: sends what was produced without linger, waits for its outcomes, and for those
 * of kw_txn_send_offsets, and then tells the coordinator. One record that was not
 * delivered is enough for the commit to be refused, with the class KW_TXN_ABORT. Ends
 * with 0 when the transaction is committed; readers see it a moment later. A fatal error
 * between the commit and its answer leaves the outcome open: kw_txn_status says whether
 * it is unknown.
 * Errors: KW_ERR_TIMEOUT (call it again), KW_ERR_BROKER, KW_ERR_STATE and all that a
 * record may fail with. */
KW_EXPORT struct kw_op *kw_txn_commit(struct kw_producer *producer, int32_t timeout_ms, void *tag);
/* Aborts: records that were not sent are dropped and reported as KW_NOT_WRITTEN with
 * KW_ERR_CANCELED, those under way are waited for. Ends with 0 when the coordinator has
 * aborted; the next transaction may begin. While a commit is under way it is refused as
 * soon as the coordinator may know of that commit. Errors: as kw_txn_commit. */
KW_EXPORT struct kw_op *kw_txn_abort(struct kw_producer *producer, int32_t timeout_ms, void *tag);
/* Makes offsets part of the transaction (KIP-447): they are committed for the group if the
 * transaction is. With a consumer, its group and its membership of this moment count, so
 * that one that has lost its partitions cannot commit for its successor; it should have
 * enable.auto.commit=false. what is copied. kw_txn_commit waits for offsets whose
 * operation ended by its deadline. Nothing to commit ends with 0.
 * Errors: KW_ERR_STATE (no transaction is open; the consumer has lost the partition or its
 * membership: class KW_TXN_ABORT), KW_ERR_BROKER (the group refused: KW_TXN_ABORT),
 * KW_ERR_USE, KW_ERR_LIMIT (16 different ones are under way: class KW_TXN_RETRY),
 * KW_ERR_TIMEOUT (call it again), KW_ERR_NOMEM. */
KW_EXPORT struct kw_op *kw_txn_send_offsets(struct kw_producer *producer,
                                            const struct kw_txn_offsets *what, int32_t timeout_ms,
                                            void *tag);
/* Says where the producer stands, what became of its last transaction, and why it cannot
 * go on. status->size must be set. Errors: KW_ERR_USE (no transactional.id). */
KW_EXPORT int kw_txn_status(const struct kw_producer *producer, struct kw_txn_status *status);

/* ---- consumer ------------------------------------------------------------------- */

/* Creates a consumer; it lives as long as its client, or until kw_consumer_close. A client
 * may have many, of one group or of many, and they come and go while it runs.
 * Errors: KW_ERR_CONFIG, KW_ERR_NOMEM, KW_ERR_CLOSED. */
KW_EXPORT KW_MUST_USE int kw_consumer_create(struct kw_consumer **out, struct kw_client *client,
                                             const struct kw_config *own, struct kw_error *err);
/* Replaces the assignment by these partitions. n 0: none. Names are copied.
 * Errors: KW_ERR_STATE (kw_consumer_subscribe decides about them), KW_ERR_USE (twice the
 * same partition, bad name), KW_ERR_NOMEM, KW_ERR_CLOSED; the old assignment stays on
 * failure. */
KW_EXPORT KW_MUST_USE int kw_assign(struct kw_consumer *consumer, const struct kw_start *starts,
                                    size_t n, struct kw_error *err);
/* Joins the group of group.id for these topics; called again: for other ones; n 0:
 * leaves it. Names are copied. What we are given is told by the events ASSIGNED,
 * REVOKED and LOST: take events, or nothing begins. Partitions begin at what the group
 * has committed, else as auto.offset.reset says; a kw_seek between ASSIGNED and the
 * next kw_next_event says otherwise.
 * Heartbeats go out while the client is processed, whatever the application does with
 * its records; one that comes too late for that is told (LOOP_LATE), and is handed out
 * nothing that another member may have by then.
 * Errors: KW_ERR_USE (no group.id, bad name, more than 4,096 topics), KW_ERR_STATE
 * (partitions are assigned by kw_assign), KW_ERR_CONFIG (partition.assignment.strategy,
 * group.instance.id, an assignor of our own with group.protocol=consumer),
 * KW_ERR_CLOSED, KW_ERR_NOMEM; the old subscription stays on failure. What the
 * coordinator refuses comes as the event ERROR, and ends the subscription until this is
 * called again. */
KW_EXPORT KW_MUST_USE int kw_consumer_subscribe(struct kw_consumer *consumer,
                                                const char *const *topics, size_t n,
                                                struct kw_error *err);
/* The same for the topics whose whole names match a pattern, in RE2 syntax: the broker
 * matches, again and again, so that topics come and go. Needs group.protocol=consumer or
 * auto. Left by kw_consumer_subscribe with n 0.
 * Errors: as there, KW_ERR_USE for a pattern that is not 1 to 16,384 bytes, and
 * KW_ERR_UNSUPPORTED (the classic protocol is used). What is no
 * regular expression is told as the event ERROR. */
KW_EXPORT KW_MUST_USE int kw_consumer_subscribe_pattern(struct kw_consumer *consumer,
                                                        const char *pattern, struct kw_error *err);
/* Ends an open REVOKED event: what is stored of its partitions is committed
 * (enable.auto.commit), then they are given up; handles of them show no more records.
 * Not called within rebalance.ack.timeout.ms, it happens by itself; the event comes all
 * the same, before anything else about its partitions.
 * Errors: KW_ERR_STATE (nothing is open, its event was not taken yet, or it is over). */
KW_EXPORT int kw_rebalance_ack(struct kw_consumer *consumer);
/* Makes the group rebalance (KIP-568); reason (may be NULL, at most 63 bytes count) is
 * for the broker's log. Errors: KW_ERR_STATE (not subscribed), KW_ERR_UNSUPPORTED
 * (group.protocol=consumer: the broker alone decides). */
KW_EXPORT int kw_consumer_rejoin(struct kw_consumer *consumer, const char *reason);
/* Adds an assignor of the application's own (kwire/assignor.h says what it must do), for
 * partition.assignment.strategy to name, before kw_consumer_subscribe. One that has the
 * name of a built-in one takes its place; all members of the group must mean the same by
 * it. It is borrowed for the life of the consumer.
 * Errors: KW_ERR_USE (a part is missing, the name has other characters than letters,
 * digits, '.', '_' and '-', or was added before), KW_ERR_STATE (subscribed already),
 * KW_ERR_LIMIT (more than 4). */
KW_EXPORT KW_MUST_USE int kw_consumer_add_assignor(struct kw_consumer *consumer,
                                                   const struct kw_assignor *assignor);
/* Closes one consumer, while everything else of the client goes on: it fetches no more,
 * what is stored is committed (enable.auto.commit), it leaves its group unless `leave`
 * says otherwise (KIP-345, KIP-1092). What was not polled is dropped; of a group's
 * partitions, handles show no more records once it leaves, so release what is handled
 * before. The op ends with 0, the first failure of the last commit (each partition is an
 * event COMMIT_FAILED), KW_ERR_TIMEOUT (what was not committed is not; the group finds out
 * by the session), KW_ERR_CANCELED, KW_ERR_STATE (it is being closed already), KW_ERR_USE
 * (leave is none of these). NULL: no memory, and nothing was begun.
 * Ownership: when the result of the op was taken (kw_wait, or the kw_next_event behind its
 * OP_DONE) the consumer is gone, with its memory and its connections, and so are its
 * events; handles that are still there are good for kw_records_next and
 * kw_records_release, and nothing of theirs is stored any more.
 * May a callback call it: yes. Threads: the client's. */
KW_EXPORT struct kw_op *kw_consumer_close(struct kw_consumer *consumer, enum kw_leave leave,
                                          int32_t timeout_ms, void *tag);
/* Moves one assigned partition: kw_consumer_poll gives nothing that was fetched before.
 * Handles that are held stay readable, and nothing of theirs is stored any more.
 * Errors: KW_ERR_STATE (not assigned, being revoked, or given by the group and the event
 * ASSIGNED not taken yet: take events), KW_ERR_USE (bad name, kind or value). */
KW_EXPORT KW_MUST_USE int kw_seek(struct kw_consumer *consumer, const struct kw_start *start);
/* Hands out nothing more of an assigned partition until kw_resume, and asks for nothing;
 * what is buffered may be dropped and fetched again. Membership and position stay; a
 * partition that is assigned anew is not paused. Errors: KW_ERR_STATE (not assigned),
 * KW_ERR_USE (no topic). */
KW_EXPORT KW_MUST_USE int kw_pause(struct kw_consumer *consumer, const char *topic,
                                   int32_t partition);
KW_EXPORT KW_MUST_USE int kw_resume(struct kw_consumer *consumer, const char *topic,
                                    int32_t partition);
/* Takes what is ready, at most max records (0: max.poll.records) of one
 * partition; no I/O, no wait. Returns 1 and a handle, or 0: nothing now, the
 * event RECORDS follows. Checksums are verified here (check.crcs). Errors:
 * KW_ERR_NOMEM. */
KW_EXPORT int kw_consumer_poll(struct kw_consumer *consumer, struct kw_records **out, size_t max);
/* Where the records are from; the name is valid until the handle is released. */
KW_EXPORT const char *kw_records_topic(const struct kw_records *records);
KW_EXPORT int32_t kw_records_partition(const struct kw_records *records);
/* The generation of the group (group.protocol=consumer: our member epoch) in which the
 * records were taken, -1 without membership.
 * For one partition it never goes back from owner to owner: a store that refuses what
 * carries a lower one than it has seen keeps out a member that was declared dead. */
KW_EXPORT int64_t kw_records_fence(const struct kw_records *records);
/* The next record, or NULL at the end (also when a group took the partition away since).
 * Valid until the next call on the handle. */
KW_EXPORT const struct kw_consumed *kw_records_next(struct kw_records *records);
/* Walks a record's headers: 1 and the next one, 0 at the end, KW_ERR_CORRUPT
 * when they are malformed (the record itself is good). */
KW_EXPORT void kw_headers_begin(struct kw_header_iter *it, const struct kw_consumed *consumed);
KW_EXPORT int kw_headers_next(struct kw_header_iter *it, struct kw_header *header);
/* Says that one record of the handle was handled; in any order, so that workers may
 * share a handle. What is stored for the next commit is the end of the longest run
 * of handled records from the first one on (handles included that were released as
 * KW_DONE): nothing is committed that was not handled, nor behind it.
 * consumed: as kw_records_next gave it, or a copy; its offset counts.
 * Errors: KW_ERR_STATE (the partition was given up or sought since), KW_ERR_USE
 * (no group.id; a record that this handle did not show), KW_ERR_NOMEM (not noted:
 * again, or release the handle as done in the end). */
KW_EXPORT int kw_done(struct kw_records *records, const struct kw_consumed *consumed);
/* Gives the handle and its memory back; in any order. KW_DONE: all its records were
 * handled, see kw_done; KW_NOT_DONE: those that kw_done did not name were not, and
 * what is stored stays in front of them until a seek. Without group.id there is no
 * difference. */
KW_EXPORT void kw_records_release(struct kw_records *records, enum kw_done done);
/* The next offset that poll will hand out; -1: not known yet. Errors:
 * KW_ERR_STATE (not assigned), KW_ERR_USE. */
KW_EXPORT KW_MUST_USE int kw_position(const struct kw_consumer *consumer, const char *topic,
                                      int32_t partition, int64_t *offset);
/* The ends of the log as the last fetch told; no request is sent. What is behind the
 * position is the lag: to last_stable with isolation.level=read_committed, else to
 * high_watermark. Between these two lie transactions that are not over, or that hang.
 * Errors: KW_ERR_STATE (not assigned), KW_ERR_USE. */
KW_EXPORT KW_MUST_USE int kw_log_ends(const struct kw_consumer *consumer, const char *topic,
                                      int32_t partition, struct kw_log_ends *ends);

/* Commits offsets in the name of group.id: those given (copied), or, with NULL, those
 * that are stored. Commits are sent one at a time in the order of the calls. A
 * partition that is not assigned now is refused. Each that fails is told by an event
 * COMMIT_FAILED, unless the op ended before by its deadline or kw_op_cancel: then it
 * is not known whether the commit got through. The op ends with 0 when all are
 * committed, else with the first failure: KW_ERR_STATE (not assigned), KW_ERR_BROKER
 * (see kafka_code), KW_ERR_USE (no group.id, bad offset), KW_ERR_TIMEOUT, KW_ERR_AUTH,
 * KW_ERR_UNSUPPORTED, KW_ERR_CLOSED. */
KW_EXPORT struct kw_op *kw_commit(struct kw_consumer *consumer, const struct kw_offsets *offsets,
                                  int32_t timeout_ms, void *tag);
/* Asks what is committed in the name of group.id for these partitions (topic and
 * partition count), or, with NULL, for all that it has. An offset of -1: nothing is
 * committed. *result is set when the op ends with 0; the caller destroys it. Ends
 * with KW_ERR_BROKER, KW_ERR_TIMEOUT, KW_ERR_USE, KW_ERR_AUTH, KW_ERR_UNSUPPORTED,
 * KW_ERR_NOMEM, KW_ERR_CLOSED. */
KW_EXPORT struct kw_op *kw_committed(struct kw_consumer *consumer, const struct kw_offsets *which,
                                     struct kw_offsets **result, int32_t timeout_ms, void *tag);
/* NULL allowed; also after kw_client_destroy, as long as kw_env.alloc is good. Threads: any,
 * one at a time. So are the two destroy functions below. */
KW_EXPORT void kw_offsets_destroy(struct kw_offsets *offsets);

/* Asks the leaders where logs begin (KW_START_EARLIEST) and end (KW_START_LATEST, up to
 * where isolation, an enum kw_isolation, counts), and which record is the first at or
 * after a time (KW_START_TIMESTAMP, value in Unix ms), of any partitions, whoever has
 * them. *result has an entry for each of which, in its order; offset -1 with kafka_code 0:
 * no record is that young, with another kafka_code: that is why (a topic that is not there
 * is waited for 3 s, a leader until the deadline). *result is set when the op ends with 0;
 * the caller destroys it. Ends with KW_ERR_USE, KW_ERR_TIMEOUT, KW_ERR_UNSUPPORTED,
 * KW_ERR_AUTH, KW_ERR_CONNECT (no broker can be talked to), KW_ERR_LIMIT (an answer is
 * above control.memory), KW_ERR_NOMEM, KW_ERR_CLOSED. */
KW_EXPORT struct kw_op *kw_list_offsets(struct kw_client *client, const struct kw_start *which,
                                        size_t n, uint8_t isolation, struct kw_offsets **result,
                                        int32_t timeout_ms, void *tag);
/* How many offsets lie between the position of an assigned partition and its end, as the
 * last answer told it: nothing is asked. With isolation.level=read_committed the end is
 * the last stable offset. -1: not known yet. Errors: KW_ERR_STATE (not assigned),
 * KW_ERR_USE. */
KW_EXPORT KW_MUST_USE int kw_lag(const struct kw_consumer *consumer, const char *topic,
                                 int32_t partition, int64_t *lag);

/* ---- admin ------------------------------------------------------------------------ */

/* Starts an admin request. result is needed for all but CREATE_TOPIC and DELETE_TOPIC
 * (set when the op ends with 0; the caller destroys it), else NULL. Ends with
 * KW_ERR_BROKER and the broker's code and message, KW_ERR_TIMEOUT, KW_ERR_UNSUPPORTED,
 * KW_ERR_USE (the request is wrong), KW_ERR_AUTH, KW_ERR_CONNECT, KW_ERR_LIMIT (an answer is
 * above control.memory), KW_ERR_NOMEM, KW_ERR_CLOSED.
 * LIST, DESCRIBE and DELETE_GROUPS end with 0 when every group has its outcome, which
 * each entry tells. When the deadline came first, or a broker could not be asked, the op
 * ends with that error, and *result is set too, with what the others said. What changes
 * something is tried again when an answer is lost: a group that is not there any more may
 * have been deleted by the attempt before. */
KW_EXPORT struct kw_op *kw_admin(struct kw_client *client, const struct kw_admin_request *request,
                                 struct kw_admin_result **result, int32_t timeout_ms, void *tag);
KW_EXPORT void kw_admin_result_destroy(struct kw_admin_result *result);

/* ---- raw requests ------------------------------------------------------------------- */

/* Sends one message and hands out its answer; kw_proto_decode_json prints it. The
 * message is sent at most once: after that a lost answer ends the op. It shares a
 * connection with metadata and admin requests, which wait while a broker holds an
 * answer back. *result is set when the op ends with 0; the caller destroys it.
 * Ends with KW_ERR_USE (request is wrong, or no such API or version here),
 * KW_ERR_UNSUPPORTED (the broker does not have it), KW_ERR_SYNTAX and the wire
 * codes KW_ERR_SHORT and on (body is no such message; the text names field and
 * byte), KW_ERR_BROKER (no coordinator), KW_ERR_TIMEOUT (deadline, or
 * request.timeout.ms; the message may have been carried out), KW_ERR_LIMIT (the
 * answer is above control.memory), KW_ERR_CONNECT and others when the connection
 * was lost behind the message. Errors in the answer are the caller's to read. */
KW_EXPORT struct kw_op *kw_request_raw(struct kw_client *client,
                                       const struct kw_raw_request *request,
                                       struct kw_raw_result **result, int32_t timeout_ms,
                                       void *tag);
KW_EXPORT void kw_raw_result_destroy(struct kw_raw_result *result);

/* ---- counters ---------------------------------------------------------------------- */

/* Counts since create, and memory now and at its peak, per reserve. */
KW_EXPORT void kw_client_stats(const struct kw_client *client, struct kw_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
