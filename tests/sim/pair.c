/* tests/sim/pair.c -- a driver without a network and without surprises. */
#include "tests/sim/pair.h"
#include "tests/support/toy_crypto.h"

#include <kwire/codec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IOV_MAX_HERE = 16, STEPS_PER_TURN = 32, SETTLE_TURNS = 20000 };

static void pair_broken(struct sim_pair *pair, const char *why)
{
    if (!pair->broken)
        pair->why = why;
    pair->broken = true;
}

void sim_pair_called(struct sim_pair *pair)
{
    if (!pair->counter)
        return;
    if (*pair->counter > pair->count_max)
        pair->count_max = *pair->counter;
    *pair->counter = 0;
}

static void pair_core_step(struct sim_pair *pair)
{
    struct kw_stats before, after;
    kw_core_stats(pair->core, &before);
    kw_core_step(pair->core, pair->now);
    sim_pair_called(pair);
    kw_core_stats(pair->core, &after);
    if (after.batches - before.batches > pair->batches_max)
        pair->batches_max = after.batches - before.batches;
    pair->n_steps++;
}

/* ---- requests, for tests that read them ---------------------------------------------- */

static void pair_gather(struct sim_pair *pair, uint32_t conn, const uint8_t *ptr, size_t len)
{
    if (!pair->on_request)
        return;
    if (pair->frame_len > 0 && pair->frame_conn != conn)
        return; /* interleaved connections: the test does without */
    pair->frame_conn = conn;
    if (pair->frame_len + len > pair->frame_cap) {
        pair->frame_cap = (pair->frame_len + len) * 2;
        pair->frame = realloc(pair->frame, pair->frame_cap);
        if (!pair->frame)
            abort();
    }
    memcpy(pair->frame + pair->frame_len, ptr, len);
    pair->frame_len += len;
    size_t pos = 0;
    while (pair->frame_len - pos >= 4) {
        const uint8_t *head = pair->frame + pos;
        size_t size = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 |
                      head[3];
        if (pair->frame_len - pos - 4 < size)
            break;
        pair->on_request(pair->ctx, head + 4, size);
        pos += 4 + size;
    }
    memmove(pair->frame, pair->frame + pos, pair->frame_len - pos);
    pair->frame_len -= pos;
}

/* ---- writing --------------------------------------------------------------------------- */

static void conn_verify(struct sim_pair *pair, const struct sim_pair_conn *conn)
{
    for (size_t i = 0; i < conn->n_pieces; i++) {
        if (memcmp(conn->pieces[i].ptr, conn->pieces[i].copy, conn->pieces[i].len) != 0)
            pair_broken(pair, "lent bytes changed");
    }
}

void sim_pair_verify(struct sim_pair *pair)
{
    for (uint32_t i = 0; i < pair->n_conns; i++)
        conn_verify(pair, pair->conns[i]);
}

static void conn_hold(struct sim_pair *pair, struct sim_pair_conn *conn, const void *ptr,
                      size_t len)
{
    uint8_t *copy = malloc(len);
    if (!copy || conn->n_pieces == SIM_PAIR_HELD)
        abort();
    memcpy(copy, ptr, len);
    conn->pieces[conn->n_pieces++] = (struct sim_pair_piece){ptr, copy, len};
    conn->held += len;
    (void)pair;
}

static void conn_drop_pieces(struct sim_pair_conn *conn)
{
    for (size_t i = 0; i < conn->n_pieces; i++)
        free(conn->pieces[i].copy);
    conn->n_pieces = conn->held = 0;
}

static void pair_hash(struct sim_pair *pair, const uint8_t *ptr, size_t len)
{
    for (size_t i = 0; i < len; i++)
        pair->hash = (pair->hash ^ ptr[i]) * 0x100000001b3u;
}

static bool conn_write(struct sim_pair *pair, struct sim_pair_conn *conn)
{
    struct kw_iov iov[IOV_MAX_HERE];
    if (!conn->owns_write || !conn->up || conn->close_wanted || pair->take_max == 0 ||
        conn->n_pieces + IOV_MAX_HERE > SIM_PAIR_HELD)
        return false;
    size_t n = kw_core_write_vec(pair->core, conn->id, conn->held, iov, IOV_MAX_HERE);
    sim_pair_called(pair);
    if (n == 0) {
        conn->owns_write = false;
        return true;
    }
    size_t sum = 0;
    for (size_t i = 0; i < n && pair->take_max > 0; i++) {
        size_t len = iov[i].len < pair->take_max ? iov[i].len : pair->take_max;
        pair->take_max -= pair->take_max == SIZE_MAX ? 0 : len;
        pair_hash(pair, iov[i].base, len);
        pair_gather(pair, conn->id, iov[i].base, len);
        if (pair->on_answer)
            sim_pair_talk_asked(&conn->talk, iov[i].base, len);
        if (conn->server)
            kwi_mock_input(conn->server, iov[i].base, len);
        if (pair->hold_writes || conn->held > 0)
            conn_hold(pair, conn, iov[i].base, len);
        sum += len;
    }
    pair->bytes_out += sum;
    if (conn->held == 0) {
        kw_core_written(pair->core, conn->id, sum);
        sim_pair_called(pair);
    }
    return true;
}

void sim_pair_confirm(struct sim_pair *pair)
{
    for (uint32_t i = 0; i < pair->n_conns; i++) {
        struct sim_pair_conn *conn = pair->conns[i];
        size_t left = conn->held, step = 1;
        if (conn->closed || left == 0)
            continue;
        conn_verify(pair, conn);
        conn_drop_pieces(conn);
        for (; left > 0; left -= step, step = step * 3 + 1) {
            if (step > left)
                step = left;
            kw_core_written(pair->core, conn->id, step);
        }
    }
}

/* ---- reading ---------------------------------------------------------------------------- */

/* What the broker says, by way of on_frame: whole answers only. */
static struct kw_span conn_gather(struct sim_pair *pair, struct sim_pair_conn *conn)
{
    struct kw_span span;
    if (!conn->said)
        conn->said = malloc(SIM_PAIR_ANSWER);
    if (!conn->said)
        abort();
    while (conn->said_ready == 0 && (span = kwi_mock_output(conn->server)).len > 0) {
        size_t want = conn->said_len < 4
                          ? 4
                          : 4 + ((size_t)conn->said[0] << 24 | (size_t)conn->said[1] << 16 |
                                 (size_t)conn->said[2] << 8 | conn->said[3]);
        size_t n = span.len < want - conn->said_len ? span.len : want - conn->said_len;
        if (want > SIM_PAIR_ANSWER)
            abort();
        memcpy(conn->said + conn->said_len, span.ptr, n);
        conn->said_len += n;
        kwi_mock_output_done(conn->server, n);
        if (conn->said_len == want && want > 4)
            conn->said_ready = conn->said_len = pair->on_frame(pair->ctx, conn, conn->said, want);
    }
    return (struct kw_span){conn->said, conn->said_ready};
}

static void conn_gather_done(struct sim_pair_conn *conn, size_t n)
{
    memmove(conn->said, conn->said + n, conn->said_len - n);
    conn->said_len -= n;
    conn->said_ready -= n;
}

static bool conn_read(struct sim_pair *pair, struct sim_pair_conn *conn)
{
    if (!conn->up || conn->close_wanted || !conn->read_on || !conn->server || pair->hold_answers ||
        pair->read_max == 0)
        return false;
    struct kw_span from = pair->on_frame    ? conn_gather(pair, conn)
                          : pair->on_answer ? sim_pair_talk_said(pair, conn)
                                            : kwi_mock_output(conn->server);
    if (from.len == 0) {
        if (!kwi_mock_closing(conn->server))
            return false;
        sim_pair_break(pair, conn);
        return true;
    }
    struct kw_span to = kw_core_read_buf(pair->core, conn->id);
    if (conn->span.len > 0 && (to.ptr != conn->span.ptr || to.len != conn->span.len))
        pair_broken(pair, "another read buffer while one is lent");
    if (to.len == 0)
        return false;
    size_t n = from.len < to.len ? from.len : to.len;
    if (n > pair->read_max)
        n = pair->read_max;
    pair->read_max -= pair->read_max == SIZE_MAX ? 0 : n;
    memcpy(to.ptr, from.ptr, n);
    if (pair->on_frame)
        conn_gather_done(conn, n);
    else if (pair->on_answer)
        sim_pair_talk_read(conn, n);
    else
        kwi_mock_output_done(conn->server, n);
    conn->span.len = 0;
    kw_core_read_done(pair->core, conn->id, n);
    sim_pair_called(pair);
    return true;
}

/* ---- wants --------------------------------------------------------------------------------- */

static struct sim_pair_conn *pair_conn(struct sim_pair *pair, uint32_t id)
{
    for (uint32_t i = pair->n_conns; i-- > 0;) {
        if (pair->conns[i]->id == id)
            return pair->conns[i];
    }
    return NULL;
}

static void conn_gone(struct sim_pair *pair, struct sim_pair_conn *conn,
                      const struct kw_cause *cause)
{
    if (conn->closed)
        return;
    conn_verify(pair, conn);
    if (conn->span.len > 0)
        memset(conn->span.ptr, 0xc4, conn->span.len);
    conn->span.len = 0;
    conn_drop_pieces(conn);
    conn->closed = true;
    conn->up = false;
    kwi_mock_conn_free(conn->server);
    conn->server = NULL;
    kw_core_closed(pair->core, conn->id, cause);
    sim_pair_called(pair);
}

void sim_pair_break(struct sim_pair *pair, struct sim_pair_conn *conn)
{
    conn_gone(pair, conn,
              &(struct kw_cause){.phase = KW_PHASE_REQUEST, .os_err = 104, .text = "reset"});
}

static bool pair_opened(struct sim_pair *pair, struct sim_pair_conn *conn)
{
    if (!conn->opening || conn->closed || pair->hold_opens)
        return false;
    conn->opening = false;
    conn->up = true;
    kw_core_opened(pair->core, conn->id);
    sim_pair_called(pair);
    return true;
}

static void pair_open(struct sim_pair *pair, const struct kw_want *want)
{
    struct sim_pair_conn *conn = calloc(1, sizeof(*conn));
    if (!conn || pair->n_conns == SIM_PAIR_CONNS)
        abort();
    if (pair_conn(pair, want->id))
        pair_broken(pair, "a connection id came again");
    pair->conns[pair->n_conns++] = conn;
    conn->id = want->id;
    conn->addr = want->addr;
    conn->opened_us = pair->now.mono_us;
    snprintf(conn->name, sizeof(conn->name), "%s", want->name);
    conn->broker = pair->route ? pair->route(pair->ctx, &want->addr)
                               : (uint32_t)(want->addr.port - 9092);
    if (conn->broker == SIM_PAIR_SILENT)
        return;
    if (conn->broker == SIM_PAIR_NO_DESCRIPTOR) {
        conn_gone(pair, conn,
                  &(struct kw_cause){.phase = KW_PHASE_CONNECT,
                                     .os_err = 24,
                                     .code = KW_ERR_IO,
                                     .text = "too many open files"});
        return;
    }
    conn->server = pair->refuse || conn->broker == SIM_PAIR_REFUSE
                       ? NULL
                       : kwi_mock_accept(pair->mock, conn->broker);
    if (!conn->server) {
        conn_gone(pair, conn,
                  &(struct kw_cause){.phase = KW_PHASE_CONNECT, .os_err = 111, .text = "refused"});
        return;
    }
    conn->opening = true;
    pair_opened(pair, conn);
}

static void pair_resolve(struct sim_pair *pair, const struct kw_want *want)
{
    struct kw_addr addrs[16] = {{4, {127, 0, 0, 1}, want->port, 0}};
    size_t n = pair->resolve ? pair->resolve(pair->ctx, want->name, want->port, addrs, 16) : 1;
    if (n != SIZE_MAX)
        kw_core_resolved(pair->core, want->id, addrs, n, 0);
    sim_pair_called(pair);
}

const char sim_pair_never[] = "never";

static void pair_name(struct sim_pair *pair, const struct kw_want *want)
{
    const char *name = pair->name ? pair->name(pair->ctx, &want->addr) : NULL;
    if (name != sim_pair_never)
        kw_core_named(pair->core, want->id, name);
    sim_pair_called(pair);
}

static void pair_work(struct sim_pair *pair, struct kw_work *work)
{
    while (kw_work_run(work, 65536))
        ;
    kw_core_work_done(pair->core, work);
}

static void pair_want(struct sim_pair *pair, const struct kw_want *want)
{
    struct sim_pair_conn *conn = pair_conn(pair, want->id);
    switch ((enum kw_want_kind)want->kind) {
    case KW_WANT_RESOLVE: pair_resolve(pair, want); return;
    case KW_WANT_NAME: pair_name(pair, want); return;
    case KW_WANT_OPEN: pair_open(pair, want); return;
    case KW_WANT_WORK:
        if (pair->hold_work)
            pair->held_work = want->work;
        else
            pair_work(pair, want->work);
        return;
    case KW_WANT_CLOSE:
    case KW_WANT_WRITE_READY:
    case KW_WANT_READ_ON:
    case KW_WANT_READ_OFF: break;
    }
    if (!conn || conn->closed || conn->close_wanted) {
        pair_broken(pair, "a want for a connection that is closed");
        return;
    }
    if (want->kind == KW_WANT_CLOSE)
        conn->close_wanted = true;
    else if (want->kind == KW_WANT_WRITE_READY)
        conn->owns_write = true;
    else
        conn->read_on = want->kind == KW_WANT_READ_ON;
    pair->n_read_off += want->kind == KW_WANT_READ_OFF;
}

static bool pair_wants(struct sim_pair *pair)
{
    struct kw_want want;
    bool moved = false;
    while (kw_core_next_want(pair->core, &want)) {
        pair_want(pair, &want);
        moved = true;
    }
    for (uint32_t i = 0; i < pair->n_conns && !pair->hold_closes; i++) {
        if (pair->conns[i]->close_wanted && !pair->conns[i]->closed) {
            conn_gone(pair, pair->conns[i], NULL);
            moved = true;
        }
    }
    return moved;
}

/* ---- turns ------------------------------------------------------------------------------------ */

bool sim_pair_turn(struct sim_pair *pair)
{
    bool moved = false;
    struct kw_event event;
    for (int i = 0; i < STEPS_PER_TURN && kw_core_deadline(pair->core) <= pair->now.mono_us; i++) {
        pair_core_step(pair);
        moved = true;
    }
    if (pair->held_work && !pair->hold_work) {
        struct kw_work *work = pair->held_work;
        pair->held_work = NULL;
        pair_work(pair, work);
        moved = true;
    }
    moved |= pair_wants(pair);
    for (uint32_t i = 0; i < pair->n_conns; i++) {
        struct sim_pair_conn *conn = pair->conns[i];
        moved |= pair_opened(pair, conn);
        moved |= conn_write(pair, conn);
        moved |= conn_read(pair, conn);
    }
    if (kwi_mock_deadline(pair->mock) <= pair->now.mono_us) {
        kwi_mock_step(pair->mock, pair->now);
        moved = true;
    }
    while (!pair->no_events && kw_core_next_event(pair->core, &event)) {
        moved = true;
        if (pair->on_event)
            pair->on_event(pair->ctx, &event);
    }
    return moved;
}

void sim_pair_settle(struct sim_pair *pair)
{
    for (int i = 0; i < SETTLE_TURNS; i++) {
        if (!sim_pair_turn(pair))
            return;
    }
    pair_broken(pair, "it does not come to rest");
}

void sim_pair_step(struct sim_pair *pair, uint64_t forward_us)
{
    pair->now.mono_us += forward_us;
    pair->now.wall_ms += (int64_t)(forward_us / 1000);
    kwi_mock_step(pair->mock, pair->now);
    pair_core_step(pair);
    sim_pair_settle(pair);
}

bool sim_pair_run(struct sim_pair *pair, const bool *done, uint64_t for_ms)
{
    uint64_t end_us = pair->now.mono_us + for_ms * 1000;
    sim_pair_settle(pair);
    while (!*done && !pair->broken) {
        uint64_t next = kw_core_deadline(pair->core), other = kwi_mock_deadline(pair->mock);
        if (other < next)
            next = other;
        if (next > end_us)
            break;
        sim_pair_step(pair, next > pair->now.mono_us ? next - pair->now.mono_us : 1);
    }
    return *done && !pair->broken;
}

void sim_pair_pass(struct sim_pair *pair, uint64_t ms)
{
    bool never = false;
    uint64_t end_us = pair->now.mono_us + ms * 1000;
    sim_pair_run(pair, &never, ms);
    if (pair->now.mono_us < end_us)
        sim_pair_step(pair, end_us - pair->now.mono_us);
}

/* ---- life --------------------------------------------------------------------------------------- */

int sim_pair_init(struct sim_pair *pair, enum sim_memory_kind kind, uint32_t n_brokers,
                  int32_t n_partitions)
{
    struct kw_mock_config config = {.n_brokers = n_brokers};
    return sim_pair_init_of(pair, kind, &config, n_partitions);
}

int sim_pair_init_of(struct sim_pair *pair, enum sim_memory_kind kind,
                     const struct kw_mock_config *of, int32_t n_partitions)
{
    struct kw_mock_config config = *of;
    memset(pair, 0, sizeof(*pair));
    sim_memory_init(&pair->memory, kind);
    sim_memory_init(&pair->mock_memory, SIM_MEMORY_PLAIN);
    pair->now = (struct kw_time){5000000, 1790000000000};
    pair->take_max = pair->read_max = SIZE_MAX;
    pair->hash = 0xcbf29ce484222325u;
    config.alloc = sim_memory_alloc(&pair->mock_memory);
    config.seed[0] = 1;
    int rc = kwi_mock_create(&pair->mock, &config);
    if (rc == 0) {
        kwi_mock_step(pair->mock, pair->now);
        rc = kwi_mock_create_topic(pair->mock, "t", n_partitions);
    }
    return rc;
}

int sim_pair_config(struct sim_pair *pair, struct kw_config **cfg, const char *const *settings)
{
    struct kw_alloc alloc = sim_memory_alloc(&pair->memory);
    int rc = kw_config_create(cfg, &alloc);
    for (; rc == 0 && settings && *settings; settings++) {
        struct kw_error err;
        char key[80];
        const char *equals = strchr(*settings, '=');
        memcpy(key, *settings, (size_t)(equals - *settings));
        key[equals - *settings] = '\0';
        rc = kw_config_set(*cfg, key, equals + 1, &err);
        if (rc != 0 && rc != KW_ERR_NOMEM)
            fprintf(stderr, "config %s: %s\n", *settings, err.text);
    }
    if (rc != 0) {
        kw_config_destroy(*cfg);
        *cfg = NULL;
    }
    return rc;
}

int sim_pair_core(struct sim_pair *pair, const char *const *settings,
                  uint32_t (*crc32c)(uint32_t, const void *, size_t))
{
    struct kw_env env = {.alloc = sim_memory_alloc(&pair->memory), .seed = {7}, .crc32c = crc32c};
    struct kw_config *cfg = NULL;
    struct kw_error err;
    int rc = sim_pair_config(pair, &cfg, settings);
    env.crypto = &toy_crypto;
    env.sasl = pair->sasl;
    env.log = pair->log;
    env.watch = pair->watch;
    env.watch_ctx = pair->watch_ctx;
    for (int id = 1; id < KW_N_CODECS; id++)
        env.codecs[id] = kw_codec_by_id(id);
    if (rc == 0 && !kw_config_text(cfg, KW_KEY_BOOTSTRAP_SERVERS))
        rc = kw_config_set(cfg, "bootstrap.servers", "127.0.0.1:9092", &err);
    if (rc == 0)
        rc = kw_core_create(&pair->core, cfg, &env, &err);
    if (rc != 0 && rc != KW_ERR_NOMEM)
        fprintf(stderr, "create: %s\n", err.text);
    kw_config_destroy(cfg);
    if (rc != 0)
        return rc;
    pair->attention = kw_core_attention(pair->core);
    kw_core_step(pair->core, pair->now);
    return 0;
}

void sim_pair_forget_conns(struct sim_pair *pair)
{
    for (uint32_t i = 0; i < pair->n_conns; i++) {
        conn_drop_pieces(pair->conns[i]);
        free(pair->conns[i]->said);
        kwi_mock_conn_free(pair->conns[i]->server);
        sim_pair_talk_deinit(&pair->conns[i]->talk);
        free(pair->conns[i]);
    }
    pair->n_conns = 0;
}

void sim_pair_deinit(struct sim_pair *pair)
{
    kw_core_destroy(pair->core);
    sim_pair_forget_conns(pair);
    kwi_mock_destroy(pair->mock);
    free(pair->frame);
    sim_memory_deinit(&pair->memory);
    sim_memory_deinit(&pair->mock_memory);
}
