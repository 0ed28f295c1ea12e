/* tests/net/fake_core.c -- see fake_core.h. */
#include "tests/net/fake_core.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/client.h"

struct kw_op {
    struct kw_core *core;
};
static struct kw_op the_op;

static struct fake_conn *conn_of(struct kw_core *core, uint32_t id)
{
    cr_assert(id > 0 && id < FAKE_CONNS, "connection %u", id);
    return &core->conns[id];
}

/* ---- for tests ------------------------------------------------------------------ */

struct kw_client *fake_client(const struct kw_sys *sys)
{
    struct kw_config *cfg;
    struct kw_client *client;
    struct kw_error err;
    cr_assert_eq(kw_config_new(&cfg), 0);
    cr_assert_eq(kwi_client_create(&client, cfg, NULL, sys ? sys : &kwi_sys_real, &err), 0, "%s",
                 err.text);
    kw_config_destroy(cfg);
    return client;
}

struct kw_client *fake_client_of(const struct kw_config *cfg, const struct kw_sys *sys,
                                 struct kw_error *err)
{
    struct kw_client *client;
    int rc = kwi_client_create(&client, cfg, NULL, sys ? sys : &kwi_sys_real, err);
    return rc == 0 ? client : NULL;
}

struct kw_core *fake_core(struct kw_client *client)
{
    return client->core;
}

void fake_want(struct kw_core *core, enum kw_want_kind kind, uint32_t id)
{
    cr_assert_lt(core->n_wants, FAKE_WANTS);
    core->wants[core->n_wants++] = (struct kw_want){.kind = (uint8_t)kind, .id = id};
    core->attention |= KW_ATT_WANT;
}

void fake_open(struct kw_core *core, uint32_t id, uint16_t port)
{
    fake_want(core, KW_WANT_OPEN, id);
    struct kw_addr *addr = &core->wants[core->n_wants - 1].addr;
    *addr = (struct kw_addr){.family = 4, .ip = {127, 0, 0, 1}, .port = port};
    core->conns[id].idle = true;
    fake_want(core, KW_WANT_READ_ON, id);
}

void fake_open_tls(struct kw_core *core, uint32_t id, uint16_t port, const char *name)
{
    fake_open(core, id, port);
    core->wants[core->n_wants - 2].tls = true;
    core->wants[core->n_wants - 2].name = name;
}

void fake_send(struct kw_core *core, uint32_t id, const void *bytes, size_t len)
{
    struct fake_conn *conn = conn_of(core, id);
    /* Lent bytes may not move, so there is room for all that a test sends. */
    if (!conn->out)
        conn->out = malloc(32 << 20);
    cr_assert_leq(conn->out_len + len, 32u << 20);
    memcpy(conn->out + conn->out_len, bytes, len);
    conn->out_len += len;
    if (conn->idle) {
        conn->idle = false;
        fake_want(core, KW_WANT_WRITE_READY, id);
    }
}

/* ---- driver calls ----------------------------------------------------------------- */

int kw_core_create(struct kw_core **out, const struct kw_config *cfg, const struct kw_env *env,
                   struct kw_error *err)
{
    (void)cfg;
    struct kw_core *core = env->alloc.alloc(env->alloc.ctx, sizeof(*core));
    *out = core;
    if (!core) {
        if (err)
            *err = (struct kw_error){.code = KW_ERR_NOMEM, .text = "core"};
        return KW_ERR_NOMEM;
    }
    memset(core, 0, sizeof(*core));
    core->self = core;
    core->env = *env;
    core->deadline_us = UINT64_MAX;
    the_op.core = core;
    return 0;
}

void kw_core_destroy(struct kw_core *core)
{
    if (!core)
        return;
    for (int i = 0; i < FAKE_CONNS; i++) {
        free(core->conns[i].out);
        free(core->conns[i].in);
        free(core->conns[i].lent);
    }
    struct kw_alloc alloc = core->env.alloc;
    alloc.free(alloc.ctx, core, sizeof(*core));
}

void kw_core_step(struct kw_core *core, struct kw_time now)
{
    core->n_steps++;
    if (now.mono_us < core->now_us || now.wall_ms <= 0)
        core->time_went_back = true;
    core->now_us = now.mono_us;
    if (core->deadline_us <= now.mono_us) {
        core->n_due++;
        core->deadline_us = UINT64_MAX;
    }
    if (core->op_steps > 0 && --core->op_steps == 0) {
        core->n_events++;
        core->n_ops_ended++;
        core->attention |= KW_ATT_EVENT;
    }
    core->attention &= ~(uint32_t)KW_ATT_TIME;
}

void kw_core_unresolved(struct kw_core *core, uint32_t query, const struct kw_cause *cause)
{
    core->n_resolved++;
    core->query = query;
    core->n_addrs = 0;
    core->gai_err = cause ? cause->os_err : 0;
    snprintf(core->why, sizeof(core->why), "%s", cause && cause->text ? cause->text : "");
    snprintf(core->why_hint, sizeof(core->why_hint), "%s", cause && cause->hint ? cause->hint : "");
}

void kw_core_named(struct kw_core *core, uint32_t query, const char *name)
{
    core->n_named++;
    core->query = query;
    snprintf(core->found, sizeof(core->found), "%s", name ? name : "");
}

void kw_core_resolved(struct kw_core *core, uint32_t query, const struct kw_addr *addrs, size_t n,
                      int os_err)
{
    core->n_resolved++;
    core->query = query;
    core->n_addrs = n;
    core->gai_err = os_err;
    for (size_t i = 0; i < n && i < 8; i++)
        core->addrs[i] = addrs[i];
}

void kw_core_opened(struct kw_core *core, uint32_t id)
{
    struct fake_conn *conn = conn_of(core, id);
    cr_assert_eq(conn->n_closed, 0, "opened after closed");
    conn->n_opened++;
}

void kw_core_connected(struct kw_core *core, uint32_t id)
{
    struct fake_conn *conn = conn_of(core, id);
    cr_assert_eq(conn->n_opened + conn->n_closed, 0, "connected late");
    conn->n_connected++;
}

void kw_core_secured(struct kw_core *core, uint32_t id, const struct kw_tls_info *info)
{
    struct fake_conn *conn = conn_of(core, id);
    cr_assert_eq(conn->n_opened + conn->n_closed, 0, "secured late");
    conn->n_secured++;
    conn->tls = *info;
}

int kw_core_sasl_answer(struct kw_core *core, uint32_t exchange, int verdict,
                        const struct kw_bytes *token, const char *why)
{
    (void)core;
    (void)exchange;
    (void)verdict;
    (void)token;
    (void)why;
    return 0;
}

void kw_core_read_done(struct kw_core *core, uint32_t id, size_t n)
{
    struct fake_conn *conn = conn_of(core, id);
    cr_assert_not_null(conn->lent, "read_done without a lent buffer");
    cr_assert_leq(n, conn->lent_len);
    conn->n_reads++;
    conn->n_empty_reads += n == 0;
    if (n > 0) {
        conn->in = realloc(conn->in, conn->in_len + n);
        memcpy(conn->in + conn->in_len, conn->lent, n);
        conn->in_len += n;
    }
    free(conn->lent);
    conn->lent = NULL;
}

void kw_core_written(struct kw_core *core, uint32_t id, size_t n)
{
    struct fake_conn *conn = conn_of(core, id);
    cr_assert_leq(conn->written + n, conn->handed_out, "confirmed more than it was given");
    conn->written += n;
}

void kw_core_closed(struct kw_core *core, uint32_t id, const struct kw_cause *cause)
{
    struct fake_conn *conn = conn_of(core, id);
    cr_assert_eq(conn->n_closed, 0, "closed twice");
    conn->n_closed++;
    conn->no_cause = !cause;
    if (cause) {
        conn->cause = *cause;
        strncpy(conn->text, cause->text ? cause->text : "", sizeof(conn->text) - 1);
        strncpy(conn->hint, cause->hint ? cause->hint : "", sizeof(conn->hint) - 1);
    }
    free(conn->lent);
    conn->lent = NULL;
}

void kw_core_work_done(struct kw_core *core, struct kw_work *work)
{
    cr_assert_eq(work->left, 0);
    core->n_works++;
}

int kw_work_run(struct kw_work *work, size_t budget)
{
    work->n_slices++;
    if (budget > work->slice_max)
        work->slice_max = budget;
    work->left -= budget < work->left ? budget : work->left;
    if (work->slice_us > 0)
        usleep(work->slice_us);
    return work->left > 0;
}

bool kw_core_next_want(struct kw_core *core, struct kw_want *want)
{
    if (core->next_want == core->n_wants) {
        core->next_want = core->n_wants = 0;
        core->attention &= ~(uint32_t)KW_ATT_WANT;
        return false;
    }
    *want = core->wants[core->next_want++];
    return true;
}

uint64_t kw_core_deadline(const struct kw_core *core)
{
    return core->holds_ops && core->op_steps > 0 ? 0 : core->deadline_us;
}

size_t kw_core_write_vec(struct kw_core *core, uint32_t id, size_t skip, struct kw_iov *iov,
                         size_t cap)
{
    struct fake_conn *conn = conn_of(core, id);
    cr_assert_eq(conn->n_closed, 0, "asks for bytes after closed");
    cr_assert_gt(conn->n_opened, 0, "asks for bytes before opened");
    size_t at = conn->written + skip, n = 0;
    while (n < cap && at < conn->out_len) {
        size_t len = conn->out_len - at;
        if (conn->piece && len > conn->piece)
            len = conn->piece;
        iov[n++] = (struct kw_iov){.base = conn->out + at, .len = len};
        at += len;
    }
    if (at > conn->handed_out)
        conn->handed_out = at;
    conn->idle = n == 0;
    return n;
}

struct kw_span kw_core_read_buf(struct kw_core *core, uint32_t id)
{
    struct fake_conn *conn = conn_of(core, id);
    cr_assert_eq(conn->n_closed, 0, "reads after closed");
    if (conn->reading_refused || (conn->refuse_after && conn->in_len >= conn->refuse_after))
        return (struct kw_span){0};
    if (!conn->lent) {
        size_t left = conn->coming > conn->in_len ? conn->coming - conn->in_len : 0;
        conn->lent_len = conn->read_size ? conn->read_size : 4096;
        if (conn->lent_len > KW_SPAN_PROMISED && conn->lent_len > left)
            conn->lent_len = left > 4096 ? left : 4096;
        conn->lent = malloc(conn->lent_len);
    }
    return (struct kw_span){.ptr = conn->lent, .len = conn->lent_len};
}

const uint32_t *kw_core_attention(const struct kw_core *core)
{
    return &core->attention;
}

void kw_core_set_host(struct kw_core *core, void *host)
{
    core->host = host;
}

void *kw_core_host(const struct kw_core *core)
{
    return core->host;
}

struct kw_core *kw_core_of(const void *handle)
{
    return *(struct kw_core *const *)handle;
}

/* ---- application calls -------------------------------------------------------------- */

bool kw_core_next_event(struct kw_core *core, struct kw_event *event)
{
    *event = (struct kw_event){0};
    if (core->n_events == 0) {
        core->attention &= ~(uint32_t)KW_ATT_EVENT;
        return false;
    }
    core->n_events--;
    event->kind = KW_EVENT_WRITABLE;
    return true;
}

int kw_core_producer_create(struct kw_producer **out, struct kw_core *core,
                            const struct kw_config *own, struct kw_error *err)
{
    (void)own;
    (void)err;
    *out = (struct kw_producer *)(void *)core;
    return 0;
}

int kw_core_topic_open(struct kw_topic **out, struct kw_producer *producer, const char *name,
                       struct kw_error *err)
{
    (void)name;
    (void)err;
    *out = (struct kw_topic *)(void *)producer;
    return 0;
}

int kw_core_topic_open_own(struct kw_topic **out, struct kw_producer *producer, const char *name,
                           const struct kw_config *own, struct kw_error *err)
{
    (void)own;
    return kw_core_topic_open(out, producer, name, err);
}

int kw_core_topic_set_partitioner(struct kw_topic *topic, const struct kw_partitioner *own)
{
    (void)topic;
    (void)own;
    return 0;
}

struct kw_op *kw_core_txn_init(struct kw_producer *producer, int32_t timeout_ms, void *tag)
{
    (void)producer;
    (void)timeout_ms;
    (void)tag;
    return NULL;
}

int kw_core_txn_begin(struct kw_producer *producer, struct kw_error *err)
{
    (void)producer;
    (void)err;
    return 0;
}

struct kw_op *kw_core_txn_commit(struct kw_producer *producer, int32_t timeout_ms, void *tag)
{
    return kw_core_txn_init(producer, timeout_ms, tag);
}

struct kw_op *kw_core_txn_abort(struct kw_producer *producer, int32_t timeout_ms, void *tag)
{
    return kw_core_txn_init(producer, timeout_ms, tag);
}

struct kw_op *kw_core_txn_send_offsets(struct kw_producer *producer,
                                       const struct kw_txn_offsets *what, int32_t timeout_ms,
                                       void *tag)
{
    (void)what;
    return kw_core_txn_init(producer, timeout_ms, tag);
}

int kw_core_produce(struct kw_topic *topic, const struct kw_record *record)
{
    (void)record;
    struct kw_core *core = kw_core_of(topic);
    core->n_produced++;
    if (core->produce_rc != 0)
        return core->produce_rc;
    return core->attention ? 1 : 0;
}

bool kw_core_tray_rules(const struct kw_topic *topic, struct kw_tray_rules *rules)
{
    *rules = kw_core_of(topic)->tray_rules;
    return rules->linger_us > 0;
}

uint64_t kw_core_tray_changes(const struct kw_core *core)
{
    return core->n_tray_changes;
}

int32_t kw_core_tray_place(const struct kw_record *record, uint32_t n_partitions)
{
    (void)n_partitions;
    if (!(record->flags & KW_REC_PARTITION))
        return -1;
    return record->partition < 0 ? INT32_MAX : record->partition;
}

int kw_core_tray_open(struct kw_tray **out, struct kw_topic *topic, int32_t partition)
{
    struct kw_core *core = kw_core_of(topic);
    if (core->tray_rc != 0)
        return core->tray_rc;
    for (int i = 0; i < FAKE_TRAYS; i++) {
        if (core->trays[i].core)
            continue;
        core->trays[i] = (struct kw_tray){.core = core, .partition = partition};
        core->n_trays++;
        *out = &core->trays[i];
        return 0;
    }
    return KW_ERR_NOMEM;
}

bool kw_core_tray_append(struct kw_tray *tray, const struct kw_record *record)
{
    (void)record;
    if (tray->n == tray->core->tray_max)
        return false;
    tray->n++;
    return true;
}

int kw_core_tray_produce(struct kw_tray *tray, const struct kw_record *record)
{
    return kw_core_tray_append(tray, record) ? 0 : KW_ERR_LIMIT;
}

void kw_core_tray_tick(struct kw_tray *tray)
{
    tray->core->n_tray_ticks++;
}

void kw_core_tray_close(struct kw_tray *tray)
{
    tray->core->n_produced += tray->n;
    tray->core->n_trays_closed++;
    tray->core = NULL;
}

bool kw_core_produce_writes(const struct kw_topic *topic)
{
    return kw_core_of(topic)->produce_writes;
}

struct kw_op *kw_core_flush(struct kw_producer *producer, int32_t timeout_ms, void *tag)
{
    (void)timeout_ms;
    (void)tag;
    struct kw_core *core = kw_core_of(producer);
    core->op_steps = 3;
    if (core->holds_ops)
        core->attention |= KW_ATT_TIME; /* those steps are due now */
    return &the_op;
}

int kw_core_record_cancel(const struct kw_record_ref *ref)
{
    (void)ref;
    return 0;
}

int kw_core_producer_set_hooks(struct kw_producer *producer, const struct kw_producer_hooks *hooks)
{
    (void)producer;
    (void)hooks;
    return 0;
}

int kw_core_purge(struct kw_producer *producer)
{
    kw_core_of(producer)->attention |= KW_ATT_TIME;
    return 0;
}

int kw_core_set(struct kw_core *core, const char *key, const char *val, struct kw_error *err)
{
    (void)key;
    (void)val;
    (void)err;
    core->attention |= KW_ATT_TIME;
    return 0;
}

int kw_core_oauth_token_set(struct kw_core *core, const struct kw_oauth_token *token,
                            struct kw_error *err)
{
    (void)token;
    (void)err;
    core->attention |= KW_ATT_TIME;
    return 0;
}

int kw_core_receipt_create(struct kw_receipt **out, struct kw_producer *producer, void *tag)
{
    (void)tag;
    *out = (struct kw_receipt *)(void *)producer;
    return 0;
}

int kw_core_receipt_close(struct kw_receipt *receipt)
{
    kw_core_of(receipt)->attention |= KW_ATT_EVENT;
    kw_core_of(receipt)->n_events++;
    return 0;
}

int kw_core_unsent_next(struct kw_producer *producer, struct kw_record *record,
                        struct kw_topic **topic)
{
    (void)producer;
    (void)record;
    (void)topic;
    return 0;
}

int kw_core_consumer_create(struct kw_consumer **out, struct kw_core *core,
                            const struct kw_config *own, struct kw_error *err)
{
    (void)own;
    (void)err;
    *out = (struct kw_consumer *)(void *)core;
    return 0;
}

int kw_core_assign(struct kw_consumer *consumer, const struct kw_start *starts, size_t n,
                   struct kw_error *err)
{
    (void)starts;
    (void)n;
    (void)err;
    kw_core_of(consumer)->attention |= KW_ATT_WANT;
    return 0;
}

int kw_core_seek(struct kw_consumer *consumer, const struct kw_start *start)
{
    (void)consumer;
    (void)start;
    return 0;
}

int kw_core_pause(struct kw_consumer *consumer, const char *topic, int32_t partition, bool pause)
{
    (void)consumer;
    (void)topic;
    (void)partition;
    return pause ? 0 : KW_ERR_STATE;
}

int kw_core_consumer_poll(struct kw_consumer *consumer, struct kw_records **out, size_t max)
{
    (void)max;
    *out = (struct kw_records *)(void *)consumer;
    return 1;
}

int kw_core_done(struct kw_records *records, const struct kw_consumed *consumed)
{
    (void)consumed;
    kw_core_of(records)->attention |= KW_ATT_TIME;
    return 0;
}

void kw_core_records_release(struct kw_records *records, enum kw_done done)
{
    struct kw_core *core = kw_core_of(records);
    (void)done;
    core->n_released++;
    core->n_events++;
    core->attention |= KW_ATT_EVENT;
}

int kw_core_subscribe(struct kw_consumer *consumer, const char *const *topics, size_t n,
                      struct kw_error *err)
{
    (void)consumer;
    (void)topics;
    (void)n;
    (void)err;
    return 0;
}

int kw_core_subscribe_pattern(struct kw_consumer *consumer, const char *pattern,
                              struct kw_error *err)
{
    (void)consumer;
    (void)pattern;
    (void)err;
    return 0;
}

int kw_core_rebalance_ack(struct kw_consumer *consumer)
{
    (void)consumer;
    return 0;
}

int kw_core_rejoin(struct kw_consumer *consumer, const char *reason)
{
    (void)consumer;
    (void)reason;
    return 0;
}

struct kw_op *kw_core_consumer_close(struct kw_consumer *consumer, enum kw_leave leave,
                                     int32_t timeout_ms, void *tag)
{
    (void)consumer;
    (void)leave;
    (void)timeout_ms;
    (void)tag;
    return NULL;
}

struct kw_op *kw_core_commit(struct kw_consumer *consumer, const struct kw_offsets *offsets,
                             int32_t timeout_ms, void *tag)
{
    (void)consumer;
    (void)offsets;
    (void)timeout_ms;
    (void)tag;
    return NULL;
}

struct kw_op *kw_core_committed(struct kw_consumer *consumer, const struct kw_offsets *which,
                                struct kw_offsets **result, int32_t timeout_ms, void *tag)
{
    (void)consumer;
    (void)which;
    (void)result;
    (void)timeout_ms;
    (void)tag;
    return NULL;
}

struct kw_op *kw_core_list_offsets(struct kw_core *core, const struct kw_start *which, size_t n,
                                   uint8_t isolation, struct kw_offsets **result,
                                   int32_t timeout_ms, void *tag)
{
    (void)core;
    (void)which;
    (void)n;
    (void)isolation;
    (void)result;
    (void)timeout_ms;
    (void)tag;
    return NULL;
}

struct kw_op *kw_core_admin(struct kw_core *core, const struct kw_admin_request *request,
                            struct kw_admin_result **result, int32_t timeout_ms, void *tag)
{
    (void)core;
    (void)request;
    (void)result;
    (void)timeout_ms;
    (void)tag;
    return NULL;
}

struct kw_op *kw_core_request_raw(struct kw_core *core, const struct kw_raw_request *request,
                                  struct kw_raw_result **result, int32_t timeout_ms, void *tag)
{
    (void)core;
    (void)request;
    (void)result;
    (void)timeout_ms;
    (void)tag;
    return NULL;
}

struct kw_op *kw_core_close(struct kw_core *core, int32_t timeout_ms, void *tag)
{
    (void)timeout_ms;
    (void)tag;
    core->op_steps = 1;
    return &the_op;
}

int kw_core_op_take(struct kw_op *op, int *code, struct kw_error *err)
{
    struct kw_core *core = kw_core_of(op);
    if (core->op_steps > 0)
        return 0;
    core->n_events -= core->n_events > 0;
    if (code)
        *code = core->op_code;
    if (err)
        *err = (struct kw_error){.code = core->op_code, .broker = 7};
    return 1;
}

int kw_core_op_cancel(struct kw_op *op)
{
    struct kw_core *core = kw_core_of(op);
    core->op_canceled = true;
    core->op_steps = 0;
    return 0;
}

void kw_core_hold_ops(struct kw_core *core)
{
    core->holds_ops = true;
}

uint64_t kw_core_ops_ended(const struct kw_core *core)
{
    return core->n_ops_ended;
}

void kw_core_stats(const struct kw_core *core, struct kw_stats *stats)
{
    *stats = (struct kw_stats){.records_accepted = (uint64_t)core->n_produced};
}

/* ---- a broker's side ------------------------------------------------------------------ */

int peer_listen(uint16_t *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(name);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&name, len), 0);
    cr_assert_eq(listen(fd, 16), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    *port = ntohs(name.sin_port);
    return fd;
}

int peer_accept(int listener)
{
    int fd = accept(listener, NULL, NULL);
    cr_assert_geq(fd, 0);
    return fd;
}

void peer_write(int fd, const void *bytes, size_t len)
{
    cr_assert_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

long peer_read(int fd, void *buf, size_t cap)
{
    return recv(fd, buf, cap, MSG_DONTWAIT);
}

void peer_reset(int fd)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}
