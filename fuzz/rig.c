/* fuzz/rig.c -- the driver and the brokers of the client in a bottle. */
#include "fuzz/rig.h"

#include "base/bytes.h"
#include "base/crc32c.h"

enum {
    WANTS_MAX = 2000, /* of one turn */
    SLICES_MAX = 10000,
    SPINS_MAX = 500, /* steps at one point of time */
    TAKES_MAX = 200, /* of one connection in one turn */
    MODEL_MEMORY = 16 << 20,
    CONFIGS_MAX = 32,
    SLACK = 64 << 10 /* core and configuration are not counted in memory.limit */
};

/* As hosts take it: the processor's, where it has one. */
static uint32_t crc32c(const void *ptr, size_t len)
{
    static kwi_crc32c_fn *best;
    if (!best)
        best = kwi_crc32c_best();
    return best(0, ptr, len);
}

void rig_trace(struct rig *rig, uint64_t word)
{
    rig->trace = (rig->trace ^ word) * 0x100000001b3u;
    rig->trace ^= rig->trace >> 29;
}

static uint32_t dice(struct rig *rig, uint32_t n)
{
    rig->dice = rig->dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rig->dice >> 33) % n;
}

/* ---- memory ------------------------------------------------------------------- */

static void *core_alloc(void *ctx, size_t size)
{
    struct rig *rig = ctx;
    size_t number = rig->n_allocs++;
    void *ptr;
    if (number >= rig->fail_from && number - rig->fail_from < rig->n_fails)
        return NULL;
    ptr = malloc(size);
    CHECK(ptr);
    rig->live_size += size;
    CHECK(rig->live_size <= RIG_MEMORY + SLACK);
    return ptr;
}

static void core_free(void *ctx, void *ptr, size_t size)
{
    struct rig *rig = ctx;
    CHECK(ptr && rig->live_size >= size);
    rig->live_size -= size;
    free(ptr);
}

static void *model_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void model_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

/* ---- bytes out ---------------------------------------------------------------- */

/* Sees where requests begin and what they ask. */
static void conn_note(struct rig_conn *conn, const uint8_t *ptr, size_t len)
{
    while (len > 0) {
        size_t n = len < conn->body_left ? len : conn->body_left;
        if (n > 0) {
            conn->body_left -= (uint32_t)n;
            ptr += n;
            len -= n;
            continue;
        }
        conn->head[conn->have++] = *ptr++;
        len--;
        if (conn->have < sizeof conn->head)
            continue;
        conn->have = 0;
        CHECK(kwi_get_u32(conn->head) >= 10 && kwi_get_u32(conn->head) <= RIG_MEMORY);
        conn->body_left = kwi_get_u32(conn->head) - 8;
        if (conn->n_asked == RIG_ASKED)
            memmove(conn->asked, conn->asked + 1, --conn->n_asked * sizeof *conn->asked);
        conn->asked[conn->n_asked++] = (struct rig_asked){(int16_t)kwi_get_u16(conn->head + 4),
                                                          (int16_t)kwi_get_u16(conn->head + 6),
                                                          (int32_t)kwi_get_u32(conn->head + 8)};
    }
}

/* What is lent must still read as it did. */
static void conn_verify(const struct rig_conn *conn)
{
    for (uint32_t i = 0; i < conn->n_lent; i++)
        CHECK(crc32c(conn->lent[i].ptr, conn->lent[i].len) == conn->lent[i].sum);
}

void rig_confirm(struct rig *rig, struct rig_conn *conn, size_t n)
{
    size_t left = n < conn->held ? n : conn->held;
    if (conn->state != RIG_UP || left == 0)
        return;
    conn_verify(conn);
    n = left;
    while (left > 0) {
        struct rig_lent *lent = conn->lent;
        size_t step = lent->len < left ? lent->len : left;
        lent->ptr += step;
        lent->len -= step;
        left -= step;
        if (lent->len == 0)
            memmove(lent, lent + 1, --conn->n_lent * sizeof *lent);
        else
            lent->sum = crc32c(lent->ptr, lent->len);
    }
    conn->held -= n;
    kw_core_written(rig->core, conn->id, n);
}

/* The wire and the model take a piece; it stays lent. */
static void conn_take(struct rig *rig, struct rig_conn *conn, const struct kw_iov *piece, size_t n)
{
    uint8_t *exact = malloc(n);
    uint32_t sum;
    CHECK(exact && piece->base && conn->n_lent < RIG_LENT);
    memcpy(exact, piece->base, n);
    sum = crc32c(exact, n);
    conn->lent[conn->n_lent++] = (struct rig_lent){piece->base, n, sum};
    conn->held += n;
    rig_trace(rig, (uint64_t)conn->id << 32 | sum);
    conn_note(conn, exact, n);
    if (conn->mock)
        kwi_mock_input(conn->mock, exact, n);
    free(exact);
}

static void conn_write(struct rig *rig, struct rig_conn *conn)
{
    struct kw_iov iov[4];
    size_t room = rig->write_max ? rig->write_max : SIZE_MAX;
    for (int i = 0; conn->writes && conn->state == RIG_UP && room > 0; i++) {
        size_t n, k;
        CHECK(i < TAKES_MAX);
        if (conn->n_lent + 4 > RIG_LENT)
            return;
        if (conn->held > 0) { /* a list from the front begins with what we hold */
            n = kw_core_write_vec(rig->core, conn->id, 0, iov, 1);
            CHECK(n == 1 && iov[0].base == conn->lent[0].ptr);
        }
        n = kw_core_write_vec(rig->core, conn->id, conn->held, iov, 4);
        CHECK(n <= 4);
        if (n == 0)
            conn->writes = false;
        for (k = 0; k < n && room > 0; k++) {
            size_t step = iov[k].len < room ? iov[k].len : room;
            CHECK(iov[k].len > 0);
            conn_take(rig, conn, &iov[k], step);
            room -= step;
        }
        if (!rig->late_written)
            rig_confirm(rig, conn, conn->held);
    }
}

/* ---- bytes in ------------------------------------------------------------------ */

void rig_push_down(struct rig_conn *conn, const uint8_t *ptr, size_t len)
{
    uint8_t *grown;
    if (len == 0)
        return;
    grown = malloc(conn->down_len + len);
    CHECK(grown);
    if (conn->down_len > 0)
        memcpy(grown, conn->down, conn->down_len);
    memcpy(grown + conn->down_len, ptr, len);
    free(conn->down);
    conn->down = grown;
    conn->down_len += len;
}

/* The request that the frame answers, and those before it that had no answer. */
static struct rig_asked conn_answered(struct rig_conn *conn, int32_t correlation_id)
{
    struct rig_asked asked = {-1, 0, correlation_id};
    for (uint32_t i = 0; i < conn->n_asked; i++) {
        if (conn->asked[i].correlation_id != correlation_id)
            continue;
        asked = conn->asked[i];
        conn->n_asked -= i + 1;
        memmove(conn->asked, conn->asked + i + 1, conn->n_asked * sizeof asked);
        break;
    }
    return asked;
}

/* One honest answer, changed by the first change that is meant for it. */
static void conn_pass(struct rig *rig, struct rig_conn *conn, const uint8_t *frame, size_t len)
{
    struct rig_asked asked = conn_answered(conn, (int32_t)kwi_get_u32(frame + 4));
    for (uint32_t i = 0; i < rig->n_changes && len <= RIG_FRAME_MAX; i++) {
        struct rig_change change = rig->changes[i];
        if (!rig_change_fits(&change, &asked))
            continue;
        rig->n_changes--;
        rig->lied = rig->ever_lied = true;
        memmove(rig->changes + i, rig->changes + i + 1,
                (rig->n_changes - i) * sizeof *rig->changes);
        memcpy(rig->frame, frame, len);
        len = rig_change_apply(rig, &change, &asked, len);
        rig_push_down(conn, rig->frame, len);
        return;
    }
    rig_push_down(conn, frame, len);
}

static void conn_collect(struct rig *rig, struct rig_conn *conn)
{
    struct kw_span span;
    size_t at = 0;
    while (conn->mock && (span = kwi_mock_output(conn->mock)).len > 0) {
        uint8_t *grown = malloc(conn->raw_len + span.len);
        CHECK(grown);
        if (conn->raw_len > 0)
            memcpy(grown, conn->raw, conn->raw_len);
        memcpy(grown + conn->raw_len, span.ptr, span.len);
        free(conn->raw);
        conn->raw = grown;
        conn->raw_len += span.len;
        kwi_mock_output_done(conn->mock, span.len);
    }
    while (conn->raw_len - at >= 8) {
        size_t size = 4 + (size_t)kwi_get_u32(conn->raw + at);
        if (conn->raw_len - at < size)
            break;
        conn_pass(rig, conn, conn->raw + at, size);
        at += size;
    }
    if (at > 0)
        memmove(conn->raw, conn->raw + at, conn->raw_len - at);
    conn->raw_len -= at;
    if (conn->mock && kwi_mock_closing(conn->mock)) {
        rig_push_down(conn, conn->raw, conn->raw_len);
        conn->raw_len = 0;
        conn->ended = true;
    }
}

static void conn_read(struct rig *rig, struct rig_conn *conn)
{
    size_t at = 0;
    while (at < conn->down_len && conn->read_on && conn->state == RIG_UP) {
        struct kw_span span = kw_core_read_buf(rig->core, conn->id);
        size_t n = conn->down_len - at < span.len ? conn->down_len - at : span.len, rest;
        if (span.len == 0) {
            conn->read_on = false;
            break;
        }
        if (rig->chunk) {
            uint32_t chunk = 1 + dice(rig, rig->chunk);
            n = n < chunk ? n : chunk;
            if (dice(rig, 16) == 0) { /* given back unused, then lent again */
                kw_core_read_done(rig->core, conn->id, 0);
                continue;
            }
        }
        rest = span.len - n < 16 ? span.len - n : 16;
        memcpy(span.ptr, conn->down + at, n);
        memset((uint8_t *)span.ptr + n, (int)rig->chunk, rest); /* must not count */
        kw_core_read_done(rig->core, conn->id, n);
        at += n;
    }
    if (at > 0)
        memmove(conn->down, conn->down + at, conn->down_len - at);
    conn->down_len -= at;
}

/* ---- connections ---------------------------------------------------------------- */

static void conn_clear(struct rig_conn *conn)
{
    kwi_mock_conn_free(conn->mock);
    free(conn->raw);
    free(conn->down);
    memset(conn, 0, sizeof *conn);
}

void rig_end_conn(struct rig *rig, struct rig_conn *conn, const struct kw_cause *cause)
{
    uint32_t id = conn->id;
    if (conn->state == RIG_FREE)
        return;
    conn_verify(conn);
    conn_clear(conn);
    kw_core_closed(rig->core, id, cause);
}

static struct rig_conn *rig_find(struct rig *rig, uint32_t id)
{
    for (uint32_t i = 0; i < RIG_CONNS; i++) {
        if (rig->conns[i].state != RIG_FREE && rig->conns[i].id == id)
            return &rig->conns[i];
    }
    return NULL;
}

static void conn_opened(struct rig *rig, struct rig_conn *conn)
{
    conn->state = RIG_UP;
    kw_core_opened(rig->core, conn->id);
}

static void rig_open(struct rig *rig, const struct kw_want *want)
{
    struct kw_cause refused = {.phase = KW_PHASE_CONNECT, .os_err = 111};
    uint32_t broker = (uint32_t)want->addr.port - RIG_PORT, i = 0;
    struct rig_conn *conn;
    CHECK(want->id > rig->last_conn && want->name && !want->tls);
    rig->last_conn = want->id;
    while (i < RIG_CONNS && rig->conns[i].state != RIG_FREE)
        i++;
    if (i == RIG_CONNS || rig->refuse_opens || broker >= RIG_BROKERS ||
        !kwi_mock_broker_is_up(rig->mock, broker)) {
        kw_core_closed(rig->core, want->id, &refused);
        return;
    }
    conn = &rig->conns[i];
    conn->id = want->id;
    conn->state = RIG_OPENING;
    conn->mock = kwi_mock_accept(rig->mock, broker);
    if (!rig->late_opened)
        conn_opened(rig, conn);
}

static void rig_resolve(struct rig *rig, const struct kw_want *want)
{
    struct kw_addr addrs[2] = {{.family = 4, .ip = {127, 0, 0, 1}, .port = want->port},
                               {.family = 4, .ip = {127, 0, 0, 2}, .port = want->port}};
    CHECK(want->id > rig->last_query && want->name);
    rig->last_query = want->id;
    if (rig->refuse_names)
        kw_core_resolved(rig->core, want->id, NULL, 0, -2);
    else
        kw_core_resolved(rig->core, want->id, addrs, 2, 0);
}

/* In slices, as a driver does that has other things to do. */
static void rig_work(struct rig *rig, struct kw_work *work)
{
    for (int i = 0; kw_work_run(work, 512) == 1; i++)
        CHECK(i < SLICES_MAX);
    kw_core_work_done(rig->core, work);
}

static void rig_want(struct rig *rig, const struct kw_want *want)
{
    struct rig_conn *conn = rig_find(rig, want->id);
    switch ((enum kw_want_kind)want->kind) {
    case KW_WANT_RESOLVE: rig_resolve(rig, want); break;
    case KW_WANT_NAME: kw_core_named(rig->core, want->id, NULL); break;
    case KW_WANT_OPEN: rig_open(rig, want); break;
    case KW_WANT_CLOSE:
        CHECK(want->id <= rig->last_conn);
        if (!conn)
            break; /* our report of its end was on its way */
        CHECK(conn->state != RIG_CLOSING);
        conn->state = RIG_CLOSING;
        if (!rig->late_closed)
            rig_end_conn(rig, conn, NULL);
        break;
    case KW_WANT_WORK:
        CHECK(want->work);
        if (rig->late_work && rig->n_works < RIG_WORKS)
            rig->works[rig->n_works++] = want->work;
        else
            rig_work(rig, want->work);
        break;
    case KW_WANT_WRITE_READY:
        CHECK(conn && conn->state == RIG_UP && !conn->writes);
        conn->writes = true;
        break;
    case KW_WANT_READ_ON:
    case KW_WANT_READ_OFF:
        CHECK(conn && conn->state == RIG_UP);
        conn->read_on = want->kind == KW_WANT_READ_ON;
        break;
    }
}

static void rig_wants(struct rig *rig)
{
    struct kw_want want;
    for (int i = 0; kw_core_next_want(rig->core, &want); i++) {
        CHECK(i < WANTS_MAX);
        rig_trace(rig, (uint64_t)want.kind << 32 | (want.kind == KW_WANT_WORK ? 0 : want.id));
        rig_want(rig, &want);
    }
}

/* ---- turns ------------------------------------------------------------------------ */

static void rig_step(struct rig *rig)
{
    kw_core_step(rig->core, rig->now);
    for (int i = 0; kw_core_deadline(rig->core) <= rig->now.mono_us; i++) {
        CHECK(i < SPINS_MAX);
        rig_wants(rig);
        kw_core_step(rig->core, rig->now);
    }
}

void rig_turn(struct rig *rig)
{
    rig_step(rig);
    rig_wants(rig);
    while (rig->n_works > 0 && !rig->late_work)
        rig_work(rig, rig->works[--rig->n_works]);
    for (uint32_t i = 0; i < RIG_CONNS; i++) {
        struct rig_conn *conn = &rig->conns[i];
        if (conn->state == RIG_OPENING && !rig->late_opened)
            conn_opened(rig, conn);
        if (conn->state == RIG_UP && !rig->late_written)
            rig_confirm(rig, conn, conn->held);
        if (conn->state == RIG_UP)
            conn_write(rig, conn);
        if (conn->state == RIG_CLOSING && !rig->late_closed)
            rig_end_conn(rig, conn, NULL);
    }
    for (int i = 0; i < SPINS_MAX; i++) {
        kwi_mock_step(rig->mock, rig->now);
        if (kwi_mock_deadline(rig->mock) > rig->now.mono_us)
            break;
    }
    for (uint32_t i = 0; i < RIG_CONNS; i++) {
        struct rig_conn *conn = &rig->conns[i];
        if (conn->state != RIG_UP)
            continue;
        conn_collect(rig, conn);
        conn_read(rig, conn);
    }
    rig_wants(rig);
    for (uint32_t i = 0; i < RIG_CONNS; i++) {
        struct rig_conn *conn = &rig->conns[i];
        /* Who does not read does not see the end, however many bytes are before it. */
        if (conn->state == RIG_UP && conn->ended && conn->read_on && conn->down_len == 0)
            rig_end_conn(rig, conn, NULL);
    }
}

void rig_advance(struct rig *rig, uint64_t us)
{
    rig->now.mono_us += us;
    rig->now.wall_ms = 1700000000000 + (int64_t)(rig->now.mono_us / 1000);
}

void rig_advance_to_deadline(struct rig *rig, uint64_t max_us)
{
    uint64_t at = kw_core_deadline(rig->core), model = kwi_mock_deadline(rig->mock), us;
    at = at < model ? at : model;
    us = at > rig->now.mono_us ? at - rig->now.mono_us : 1;
    rig_advance(rig, us < max_us ? us : max_us);
}

/* ---- life ---------------------------------------------------------------------------- */

static void rig_model(struct rig *rig)
{
    struct kw_mock_config config = {.alloc = {model_alloc, model_free, NULL},
                                    .memory_limit = MODEL_MEMORY,
                                    .n_brokers = RIG_BROKERS,
                                    .replication_factor = 2,
                                    .crc32c = kwi_crc32c_best(),
                                    .auto_create_topics = false};
    CHECK(kwi_mock_create(&rig->mock, &config) == 0);
    kwi_mock_step(rig->mock, rig->now);
    CHECK(kwi_mock_create_topic(rig->mock, "t", 3) == 0);
}

/* What the settings mean, read once: the core copies what it is made from, and
 * reading them again for each input teaches nothing (fuzz_config does that). */
static const struct kw_config *rig_config(const char *settings, bool whole)
{
    static const char common[] = "bootstrap.servers=h:9092\nmemory.limit=4000000\n"
                                 "control.memory=1000000\nbuffer.memory=300000\n"
                                 "max.request.size=20000\nbatch.size=2000\n"
                                 "fetch.max.bytes=100000\nmax.partition.fetch.bytes=50000\n"
                                 "request.timeout.ms=3000\ndelivery.timeout.ms=10000\n"
                                 "socket.connection.setup.timeout.ms=2000\n"
                                 "socket.connection.setup.timeout.max.ms=3000\n"
                                 "auto.offset.reset=earliest\nfetch.max.wait.ms=100\n";
    static struct {
        const char *settings;
        struct kw_config *cfg;
    } known[CONFIGS_MAX];
    struct kw_alloc alloc = {model_alloc, model_free, NULL};
    int i = 0;
    while (i < CONFIGS_MAX - 1 && known[i].cfg && strcmp(known[i].settings, settings) != 0)
        i++;
    if (!known[i].cfg) {
        CHECK(kw_config_create(&known[i].cfg, &alloc) == 0);
        CHECK(!whole || kw_config_parse(known[i].cfg, common, sizeof common - 1, NULL) == 0);
        CHECK(kw_config_parse(known[i].cfg, settings, strlen(settings), NULL) == 0);
        known[i].settings = settings;
    }
    CHECK(strcmp(known[i].settings, settings) == 0); /* else there are more than CONFIGS_MAX */
    return known[i].cfg;
}

const struct kw_config *rig_settings(const char *settings)
{
    return rig_config(settings, false);
}

struct rig *rig_create(const char *settings, size_t fail_from, size_t n_fails)
{
    static uint8_t frame[2 * RIG_FRAME_MAX];
    struct rig *rig = calloc(1, sizeof *rig);
    struct kw_env env = {.alloc = {core_alloc, core_free, rig},
                         .crc32c = kwi_crc32c_best(),
                         .seed = {7},
                         .work_threads = 2};
    int rc;
    CHECK(rig);
    for (int id = 1; id < KW_N_CODECS; id++)
        env.codecs[id] = kw_codec_by_id(id);
    rig->frame = frame;
    rig_advance(rig, 1000000);
    rig_model(rig);
    rig->fail_from = fail_from;
    rig->n_fails = n_fails;
    rc = kw_core_create(&rig->core, rig_config(settings, true), &env, NULL);
    CHECK(rc == 0 || (rc == KW_ERR_NOMEM && n_fails > 0));
    CHECK((rc == 0) == (rig->core != NULL));
    if (rig->core) {
        kw_core_step(rig->core, rig->now);
        rig_make(rig);
    }
    return rig;
}

void rig_destroy(struct rig *rig)
{
    for (uint32_t i = 0; i < RIG_CONNS; i++) {
        conn_verify(&rig->conns[i]);
        conn_clear(&rig->conns[i]);
    }
    kw_core_destroy(rig->core);
    for (uint32_t i = 0; i < RIG_OPS; i++)
        kw_admin_result_destroy(rig->results[i]);
    CHECK(rig->live_size == 0);
    kwi_mock_destroy(rig->mock);
    free(rig);
}
