/* fuzz_frames.c -- the same bytes in other pieces are the same bytes.
 *
 * covers: N04 N07 N08
 *
 * One connection of a core, with requests of our own under way, and a stream of
 * answers that the input describes: of any size, some with a wrong length or
 * correlation id, or noise. The stream arrives in pieces as large as the client
 * takes them, and again in random ones or byte by byte. What each request learns, and in
 * which order, must be the same, and behind each piece the lent buffer holds
 * garbage. Some answers are held by their owner, so that memory is short at
 * times and reading stops until it is back.
 *
 * The same bytes are also read as frame sizes and headers by themselves, where
 * what is read and written again must be what it was.
 *
 *     input := how (4 bytes)  answer*        answer := kind  size (2 bytes)  value
 *
 * how: the number of requests, which of them are fetches, which answers are held,
 * and manners: requests without an answer, an owner that closes the connection or
 * wants to send more, an ApiVersions answer with one byte changed, a driver that
 * confirms late, a broker that moves while answers are under way. */
#include <stdlib.h>
#include <string.h>

#include "client/conn.h"
#include "client/core.h"
#include "client/link.h"
#include "base/crc32c.h"
#include "proto/api.h"
#include "proto/api_versions.h"
#include "proto/header.h"
#include <kwire/core.h>
#include <kwire/kwire.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond)  \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

enum {
    REQUESTS = 12,
    STREAM = 96 << 10,
    ANSWER_MAX = 9000,
    HELD = 4,
    ANSWER_UNIT = 4,
    LARGE = 0xf0,
    BYTES_MAX = 1000,
    HEAD = 4,
    RESERVED = 2000 /* bytes promised for the answer to a fetch */
};
/* Bits of manners. */
enum {
    MANNERS_NO_ANSWER = 1, /* every fourth request is without one */
    MANNERS_CLOSE = 2,     /* the owner of the third closes when it is answered */
    MANNERS_KICK = 4,      /* owners want to send more */
    MANNERS_DAMAGE = 8,    /* the answer to ApiVersions */
    MANNERS_RESERVE = 16,  /* memory is promised to fetches */
    MANNERS_LATE = 32,     /* what was written is confirmed at the end */
    MANNERS_MOVE = 64      /* the broker has another address when the first is answered */
};
enum pieces { PIECES_WHOLE, PIECES_RANDOM, PIECES_BYTES };

struct wire {
    struct kw_core *core;
    struct kw_broker *broker;
    struct kw_link *link;
    uint32_t conn;
    bool open, reading;
    struct kw_request_header asked[REQUESTS + 2];
    uint32_t n_asked, n_done;
    struct kw_block *held[HELD];
    uint32_t n_held;
    uint32_t holds; /* bit i: the answer to request i is kept */
    uint8_t manners;
    size_t unconfirmed;
    uint64_t trace;
    uint64_t dice;
};

static uint8_t frames_stream[STREAM];

static void *frames_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void frames_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

static void frames_trace(struct wire *wire, uint64_t word)
{
    wire->trace = (wire->trace ^ word) * 0x100000001b3u;
    wire->trace ^= wire->trace >> 29;
}

/* ---- requests of our own ------------------------------------------------------------- */

static int frames_encode(struct kw_request *req, struct kw_wr *wr)
{
    const struct wire *wire = req->owner;
    kwi_wr_put(wr, "body", 4);
    if (req->type->fetch && (wire->manners & MANNERS_RESERVE) &&
        kwi_pool_reserve(&req->core->fetch_pool, RESERVED))
        req->reserved = RESERVED;
    return kwi_wr_status(wr);
}

static void frames_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct wire *wire = req->owner;
    wire->n_done++;
    frames_trace(wire, req->arg);
    frames_trace(wire, (uint64_t)(unsigned)answer->err);
    if (answer->err) {
        CHECK(answer->cause && answer->cause->code == answer->err);
        frames_trace(wire, kwi_crc32c_best()(0, answer->cause->text, strlen(answer->cause->text)));
        return;
    }
    frames_trace(wire, answer->len);
    if (answer->body)
        frames_trace(wire, kwi_crc32c_best()(0, answer->body, answer->len));
    if (answer->block && (wire->holds >> req->arg & 1) && wire->n_held < HELD) {
        kwi_block_hold(answer->block);
        wire->held[wire->n_held++] = answer->block;
    }
    if ((wire->manners & MANNERS_MOVE) && req->arg == 0) {
        /* The connection outlives its link's use of it, until all are answered. */
        CHECK(kwi_broker_move(wire->broker, "elsewhere", 9, 9092) == 0);
    }
    if (wire->manners & MANNERS_KICK)
        kwi_link_kick(wire->link);
    if ((wire->manners & MANNERS_CLOSE) && req->arg == 2) {
        const struct kw_error cause = {.code = KW_ERR_CANCELED};
        kwi_conn_fail(req->conn, &cause);
    }
}

static const struct kw_request_type frames_types[3] = {
    {.api_key = KW_API_METADATA, .encode = frames_encode, .done = frames_done},
    {.api_key = KW_API_FETCH, .fetch = true, .encode = frames_encode, .done = frames_done},
    {.api_key = KW_API_PRODUCE, .no_answer = true, .encode = frames_encode, .done = frames_done}};

/* ---- the driver ------------------------------------------------------------------------- */

/* Takes what the client writes: whole requests, in pieces. */
static void wire_write(struct wire *wire)
{
    uint8_t out[4096];
    struct kw_iov iov[8];
    size_t len = 0, n, header_len;
    while ((n = kw_core_write_vec(wire->core, wire->conn, wire->unconfirmed + len, iov, 8)) > 0) {
        for (size_t i = 0; i < n; i++) {
            CHECK(len + iov[i].len <= sizeof out);
            memcpy(out + len, iov[i].base, iov[i].len);
            len += iov[i].len;
        }
    }
    for (size_t at = 0; at < len; at += 4 + kwi_get_u32(out + at)) {
        struct kw_request_header *asked = &wire->asked[wire->n_asked];
        CHECK(wire->n_asked < REQUESTS + 2);
        CHECK(kwi_request_header_get(out + at + 4, len - at - 4, asked, &header_len) == 0);
        wire->n_asked += asked->api_key != KW_API_PRODUCE;
    }
    if (wire->manners & MANNERS_LATE)
        wire->unconfirmed += len;
    else if (len > 0)
        kw_core_written(wire->core, wire->conn, len);
}

static void wire_wants(struct wire *wire)
{
    struct kw_addr addr = {.family = 4, .ip = {127, 0, 0, 1}, .port = 9092};
    struct kw_want want;
    while (kw_core_next_want(wire->core, &want)) {
        switch ((enum kw_want_kind)want.kind) {
        case KW_WANT_RESOLVE: kw_core_resolved(wire->core, want.id, &addr, 1, 0); break;
        case KW_WANT_OPEN:
            if (wire->conn) /* the next one after this one is lost: it never opens */
                break;
            wire->conn = want.id;
            wire->open = true;
            kw_core_opened(wire->core, want.id);
            break;
        case KW_WANT_CLOSE:
            if (want.id == wire->conn)
                wire->open = wire->reading = false;
            kw_core_closed(wire->core, want.id, NULL);
            break;
        case KW_WANT_WRITE_READY: wire_write(wire); break;
        case KW_WANT_READ_ON: wire->reading = true; break;
        case KW_WANT_READ_OFF: wire->reading = false; break;
        case KW_WANT_NAME:
        case KW_WANT_WORK: CHECK(false); break;
        }
    }
}

/* Memory is short: an owner lets go of an answer, and time passes. */
static void wire_relieve(struct wire *wire)
{
    uint64_t next = kw_core_deadline(wire->core);
    CHECK(wire->reading || kw_core_read_buf(wire->core, wire->conn).len == 0);
    if (wire->n_held > 0)
        kwi_block_release(wire->held[--wire->n_held]);
    CHECK(next != UINT64_MAX);
    kw_core_step(wire->core, (struct kw_time){next + 1, 0});
    wire_wants(wire);
}

static size_t wire_piece(struct wire *wire, enum pieces how, size_t n)
{
    size_t most = n;
    if (how == PIECES_BYTES)
        most = 1;
    if (how == PIECES_RANDOM) {
        wire->dice = wire->dice * 6364136223846793005u + 1442695040888963407u;
        most = 1 + (size_t)(wire->dice >> 40) % (wire->dice >> 63 ? 7 : 3000);
    }
    return n < most ? n : most;
}

static void wire_read(struct wire *wire, enum pieces how, size_t len)
{
    size_t at = 0;
    /* What waits for memory at the end of the stream waits in every run. */
    for (int stalls = 0; wire->open && (at < len || !wire->reading);) {
        struct kw_span span = kw_core_read_buf(wire->core, wire->conn);
        size_t n, rest;
        if (!wire->reading || span.len == 0) {
            CHECK(++stalls < 200);
            wire_relieve(wire);
            continue;
        }
        n = wire_piece(wire, how, len - at < span.len ? len - at : span.len);
        rest = span.len - n < 16 ? span.len - n : 16;
        memcpy(span.ptr, frames_stream + at, n);
        memset((uint8_t *)span.ptr + n, (int)how, rest); /* must not count */
        kw_core_read_done(wire->core, wire->conn, n);
        at += n;
        wire_wants(wire);
    }
}

/* ---- the stream --------------------------------------------------------------------------- */

static size_t stream_versions(const struct kw_request_header *asked)
{
    static const int16_t offered[][3] = {{KW_API_PRODUCE, 3, 9},
                                         {KW_API_FETCH, 4, 12},
                                         {KW_API_METADATA, 0, 9},
                                         {KW_API_API_VERSIONS, 0, 4}};
    struct kw_wr wr = kwi_wr_make(frames_stream, STREAM);
    struct kw_api_versions_response_key keys[4];
    struct kw_api_versions_response msg;
    size_t at = kwi_frame_begin(&wr);
    for (int i = 0; i < 4; i++) {
        kwi_api_versions_response_key_init(&keys[i]);
        keys[i].api_key = offered[i][0];
        keys[i].min_version = offered[i][1];
        keys[i].max_version = offered[i][2];
    }
    kwi_api_versions_response_init(&msg);
    msg.api_keys = KWI_ARR(keys, 4);
    CHECK(kwi_response_header_put(&wr, asked->api_key, asked->api_version, asked->correlation_id) ==
          0);
    CHECK(kwi_api_versions_response_encode(&msg, asked->api_version, &wr) == 0);
    kwi_frame_end(&wr, at);
    return wr.len;
}

/* Answers as the input describes them; returns their length together. */
static size_t stream_answers(const struct wire *wire, const uint8_t *data, size_t size)
{
    struct kw_wr wr = kwi_wr_make(frames_stream, STREAM);
    for (uint32_t i = 1; size >= ANSWER_UNIT && wr.len + ANSWER_MAX + 64 < STREAM; i++) {
        const struct kw_request_header *asked = &wire->asked[i < wire->n_asked ? i : 1];
        uint8_t kind = data[0] & 15, value = data[3];
        size_t len = ((size_t)data[1] << 8 | data[2]) % (data[0] >= LARGE ? ANSWER_MAX : 80), at,
               end;
        int32_t id = asked->correlation_id + (i < wire->n_asked ? 0 : (int32_t)i);
        data += ANSWER_UNIT;
        size -= ANSWER_UNIT;
        if (kind == 15) { /* noise: the input as it is */
            len = value < size ? value : size;
            kwi_wr_put(&wr, data, len);
            data += len;
            size -= len;
            continue;
        }
        at = kwi_frame_begin(&wr);
        CHECK(kwi_response_header_put(&wr, asked->api_key, asked->api_version,
                                      kind == 14 ? id ^ value : id) == 0);
        memset(frames_stream + wr.len, value, len);
        wr.len += len;
        kwi_frame_end(&wr, at);
        end = wr.len;
        if (kind == 13) /* another length than it has */
            frames_stream[at + value % 4] ^= (uint8_t)(len | 1);
        if (kind == 12)
            wr.len = end - value % (end - at); /* cut */
    }
    return wr.len;
}

/* ---- one run ---------------------------------------------------------------------------------- */

static struct kw_config *frames_config(const struct kw_alloc *alloc)
{
    static struct kw_config *cfg;
    static const char settings[] = "bootstrap.servers=h:1\nmemory.limit=300000\n"
                                   "control.memory=100000\nbuffer.memory=65536\n"
                                   "max.request.size=2048\nbatch.size=512\nfetch.memory=33000\n"
                                   "receive.message.max.bytes=150000\nrequest.timeout.ms=300\n";
    if (!cfg) {
        CHECK(kw_config_create(&cfg, alloc) == 0);
        CHECK(kw_config_parse(cfg, settings, sizeof settings - 1, NULL) == 0);
    }
    return cfg;
}

static void wire_begin(struct wire *wire, const uint8_t *head, uint32_t n)
{
    struct kw_env env = {.alloc = {frames_alloc, frames_free, NULL}, .seed = {1}};
    *wire = (struct wire){.dice = head[1], .holds = head[2], .manners = head[3]};
    CHECK(kw_core_create(&wire->core, frames_config(&env.alloc), &env, NULL) == 0);
    kw_core_step(wire->core, (struct kw_time){1000, 1000});
    wire->broker = kwi_broker_create(wire->core, 7, "h", 1, 9092);
    CHECK(wire->broker);
    wire->link = kwi_link_get(wire->broker, KWI_LANE_FETCH, wire);
    CHECK(wire->link);
    wire->link->max_in_flight = REQUESTS;
    for (uint32_t i = 0; i < n; i++) {
        bool is_mute = (wire->manners & MANNERS_NO_ANSWER) && i % 4 == 3;
        const struct kw_request_type *type = &frames_types[is_mute ? 2 : head[1] >> (i % 8) & 1];
        struct kw_request *req = kwi_request_create(wire->core, wire->link, type, wire);
        CHECK(req);
        req->arg = i;
        kwi_request_submit(req);
    }
    wire_wants(wire);
}

/* What a driver may say too late, or wrongly, changes nothing. */
static void wire_misuse(struct wire *wire)
{
    kw_core_read_done(wire->core, wire->conn, 1); /* nothing is lent */
    CHECK(kw_core_read_buf(wire->core, wire->conn + 1).len == 0);
    kw_core_read_done(wire->core, wire->conn + 1, 1);
    if (!wire->open || !wire->reading)
        return;
    struct kw_span span = kw_core_read_buf(wire->core, wire->conn);
    kw_core_read_done(wire->core, wire->conn, span.len + 1);
    (void)kw_core_read_buf(wire->core, wire->conn);
    kw_core_read_done(wire->core, wire->conn, 0);
}

static void wire_end(struct wire *wire, uint32_t n)
{
    struct kw_event event;
    frames_trace(wire, wire->n_done);
    frames_trace(wire, wire->open);
    wire->manners = 0;
    if (wire->open && wire->unconfirmed > 0)
        kw_core_written(wire->core, wire->conn, wire->unconfirmed);
    if (wire->open) {
        /* Lent to the driver while the client gives the connection up, if it waits. */
        (void)kw_core_read_buf(wire->core, wire->conn);
        kw_core_step(wire->core, (struct kw_time){UINT64_MAX / 4, 0});
        CHECK(wire->n_done == n || kw_core_read_buf(wire->core, wire->conn).len == 0);
        kw_core_read_done(wire->core, wire->conn, 1);
        wire_wants(wire);
    }
    if (wire->open)
        kw_core_closed(wire->core, wire->conn, NULL);
    while (kw_core_next_event(wire->core, &event))
        frames_trace(wire, event.kind);
    while (wire->n_held > 0)
        kwi_block_release(wire->held[--wire->n_held]);
    kwi_broker_destroy(wire->broker);
    CHECK(wire->n_done == n);
    CHECK(wire->core->fetch_pool.reserved == 0);
    kw_core_destroy(wire->core);
}

static uint64_t frames_run(const uint8_t *data, size_t size, enum pieces how)
{
    struct wire wire;
    uint32_t n = 1 + data[0] % REQUESTS;
    size_t len;
    wire_begin(&wire, data, n);
    CHECK(wire.open && wire.n_asked == 1);
    len = stream_versions(&wire.asked[0]);
    if (wire.manners & MANNERS_DAMAGE) {
        frames_stream[data[2] % len] ^= (uint8_t)(data[1] | 1);
        wire.manners &= (uint8_t)~MANNERS_CLOSE;
    }
    wire_read(&wire, how, len);
    if (!(wire.manners & MANNERS_DAMAGE)) {
        CHECK(wire.open && wire.n_asked >= 1 + n - n / 4);
        len = stream_answers(&wire, data + HEAD, size - HEAD);
        if (how == PIECES_BYTES && len > BYTES_MAX)
            how = PIECES_RANDOM; /* a byte at a time would take too long */
        wire_read(&wire, how, len);
    }
    wire_misuse(&wire);
    wire_end(&wire, n);
    return wire.trace;
}

/* ---- sizes and headers alone ------------------------------------------------------------------ */

static void check_header(const uint8_t *data, size_t size, bool is_request)
{
    struct kw_request_header header = {.api_key = (int16_t)(data[0] & 127), .api_version = data[1]};
    uint8_t bytes[256];
    struct kw_wr wr = kwi_wr_make(bytes, sizeof bytes);
    size_t len, again;
    int32_t id, same;
    int rc = is_request ? kwi_request_header_get(data, size, &header, &len)
                        : kwi_response_header_get(data, size, header.api_key, header.api_version,
                                                  &id, &len);
    if (rc) {
        CHECK(rc == KW_ERR_SHORT || rc == KW_ERR_VARINT || rc == KW_ERR_LENGTH ||
              (rc == KW_ERR_UNSUPPORTED) == !kwi_api_info(header.api_key));
        return;
    }
    CHECK(len <= size);
    if (is_request) {
        struct kw_request_header two;
        if (header.client_id.len > 200)
            return;
        CHECK(kwi_request_header_put(&wr, header.api_key, header.api_version, header.correlation_id,
                                     header.client_id) == 0);
        CHECK(wr.len <= len && kwi_request_header_get(bytes, wr.len, &two, &again) == 0);
        CHECK(again == wr.len && two.correlation_id == header.correlation_id &&
              two.api_key == header.api_key && two.api_version == header.api_version &&
              two.client_id.len == header.client_id.len);
    } else {
        CHECK(kwi_response_header_put(&wr, header.api_key, header.api_version, id) == 0);
        CHECK(wr.len <= len && kwi_response_header_get(bytes, wr.len, header.api_key,
                                                       header.api_version, &same, &again) == 0);
        CHECK(again == wr.len && same == id);
    }
}

/* A frame that is begun and ended is as long as it says, if it has room. */
static void check_frame(const uint8_t *data, size_t size)
{
    uint8_t bytes[64];
    struct kw_wr wr = kwi_wr_make(data[0] & 1 ? bytes : NULL, data[1] % sizeof bytes);
    size_t at = kwi_frame_begin(&wr);
    int32_t n;
    kwi_wr_put(&wr, data, size);
    if (data[0] & 2)
        kwi_wr_fail(&wr, KW_ERR_LENGTH);
    if (data[0] & 4)
        wr.cut_len = (size_t)INT32_MAX - (data[1] & 63);
    kwi_frame_end(&wr, at);
    if (kwi_wr_status(&wr) == 0 && wr.buf) {
        CHECK(kwi_frame_size(bytes, INT32_MAX, &n) ==
              (size + wr.cut_len < 4 ? KWI_FRAME_TOO_SMALL : KWI_FRAME_OK));
        CHECK((size_t)n == size + wr.cut_len);
    }
}

static void check_alone(const uint8_t *data, size_t size)
{
    for (size_t at = 0; at + 4 <= size; at++) {
        int32_t n;
        enum kw_frame frame = kwi_frame_size(data + at, 1 << 20, &n);
        CHECK((frame == KWI_FRAME_OK) == (n >= 4 && n <= 1 << 20));
        CHECK(strlen(kwi_frame_text(frame)) > 0);
    }
    check_header(data, size, true);
    check_header(data, size, false);
    check_frame(data, size);
    if (!kwi_api_info(data[0])) {
        struct kw_wr wr = kwi_wr_make(NULL, 0);
        CHECK(kwi_request_header_put(&wr, data[0], 0, 0, KWI_NULL_STR) == KW_ERR_UNSUPPORTED);
        CHECK(kwi_response_header_put(&wr, data[0], 0, 0) == KW_ERR_UNSUPPORTED);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole;
    if (size < HEAD)
        return 0;
    check_alone(data, size);
    whole = frames_run(data, size, PIECES_WHOLE);
    CHECK(frames_run(data, size, data[0] & 128 ? PIECES_BYTES : PIECES_RANDOM) == whole);
    return 0;
}
