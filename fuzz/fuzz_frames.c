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
 *     input := how  answer*        answer := kind  size (2 bytes)  value */
#include <stdlib.h>
#include <string.h>

#include "client/conn.h"
#include "client/core.h"
#include "client/link.h"
#include "base/crc32c.h"
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
    BYTES_MAX = 1000
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
    kwi_wr_put(wr, "body", 4);
    (void)req;
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
    frames_trace(wire, kwi_crc32c_best()(0, answer->body, answer->len));
    if (answer->block && (wire->holds >> req->arg & 1) && wire->n_held < HELD) {
        kwi_block_hold(answer->block);
        wire->held[wire->n_held++] = answer->block;
    }
}

static const struct kw_request_type frames_types[2] = {
    {.api_key = KW_API_METADATA, .encode = frames_encode, .done = frames_done},
    {.api_key = KW_API_FETCH, .fetch = true, .encode = frames_encode, .done = frames_done}};

/* ---- the driver ------------------------------------------------------------------------- */

/* Takes what the client writes: whole requests, in pieces. */
static void wire_write(struct wire *wire)
{
    uint8_t out[4096];
    struct kw_iov iov[8];
    size_t len = 0, n, header_len;
    while ((n = kw_core_write_vec(wire->core, wire->conn, len, iov, 8)) > 0) {
        for (size_t i = 0; i < n; i++) {
            CHECK(len + iov[i].len <= sizeof out);
            memcpy(out + len, iov[i].base, iov[i].len);
            len += iov[i].len;
        }
    }
    for (size_t at = 0; at < len; at += 4 + kwi_get_u32(out + at)) {
        CHECK(wire->n_asked < REQUESTS + 2);
        CHECK(kwi_request_header_get(out + at + 4, len - at - 4, &wire->asked[wire->n_asked++],
                                     &header_len) == 0);
    }
    if (len > 0)
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
            if (wire->conn) { /* one connection is all there is */
                kw_core_closed(wire->core, want.id, NULL);
                break;
            }
            wire->conn = want.id;
            wire->open = true;
            kw_core_opened(wire->core, want.id);
            break;
        case KW_WANT_CLOSE:
            wire->open = wire->reading = false;
            kw_core_closed(wire->core, want.id, NULL);
            break;
        case KW_WANT_WRITE_READY: wire_write(wire); break;
        case KW_WANT_READ_ON: wire->reading = true; break;
        case KW_WANT_READ_OFF: wire->reading = false; break;
        case KW_WANT_WORK: CHECK(false); break;
        }
    }
}

/* Memory is short: an owner lets go of an answer, and time passes. */
static void wire_relieve(struct wire *wire)
{
    uint64_t next = kw_core_deadline(wire->core);
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
        memset((uint8_t *)span.ptr + n, how, rest); /* must not count */
        kw_core_read_done(wire->core, wire->conn, n);
        at += n;
        wire_wants(wire);
    }
}

/* ---- the stream --------------------------------------------------------------------------- */

static size_t stream_versions(const struct kw_request_header *asked)
{
    static const int16_t offered[][3] = {
        {KW_API_FETCH, 4, 12}, {KW_API_METADATA, 0, 9}, {KW_API_API_VERSIONS, 0, 4}};
    struct kw_wr wr = kwi_wr_make(frames_stream, STREAM);
    struct kw_api_versions_response_key keys[3];
    struct kw_api_versions_response msg;
    size_t at = kwi_frame_begin(&wr);
    for (int i = 0; i < 3; i++) {
        kwi_api_versions_response_key_init(&keys[i]);
        keys[i].api_key = offered[i][0];
        keys[i].min_version = offered[i][1];
        keys[i].max_version = offered[i][2];
    }
    kwi_api_versions_response_init(&msg);
    msg.api_keys = KWI_ARR(keys, 3);
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
                                   "max.request.size=2048\nbatch.size=512\n"
                                   "receive.message.max.bytes=100000\nrequest.timeout.ms=300\n";
    if (!cfg) {
        CHECK(kw_config_create(&cfg, alloc) == 0);
        CHECK(kw_config_parse(cfg, settings, sizeof settings - 1, NULL) == 0);
    }
    return cfg;
}

static void wire_begin(struct wire *wire, uint8_t how, uint32_t n, uint32_t holds)
{
    struct kw_env env = {.alloc = {frames_alloc, frames_free, NULL}, .seed = {1}};
    *wire = (struct wire){.dice = how, .holds = holds};
    CHECK(kw_core_create(&wire->core, frames_config(&env.alloc), &env, NULL) == 0);
    kw_core_step(wire->core, (struct kw_time){1000, 1000});
    wire->broker = kwi_broker_create(wire->core, 7, "h", 1, 9092);
    CHECK(wire->broker);
    wire->link = kwi_link_get(wire->broker, KWI_LANE_FETCH, wire);
    CHECK(wire->link);
    wire->link->max_in_flight = REQUESTS;
    for (uint32_t i = 0; i < n; i++) {
        struct kw_request *req = kwi_request_create(wire->core, wire->link,
                                                    &frames_types[how >> (i % 8) & 1], wire);
        CHECK(req);
        req->arg = i;
        kwi_request_submit(req);
    }
    wire_wants(wire);
}

static uint64_t frames_run(const uint8_t *data, size_t size, enum pieces how)
{
    struct wire wire;
    uint32_t n = 1 + data[0] % REQUESTS;
    struct kw_event event;
    size_t len;
    wire_begin(&wire, data[1], n, data[2]);
    CHECK(wire.open && wire.n_asked == 1);
    wire_read(&wire, how, stream_versions(&wire.asked[0]));
    CHECK(wire.open && wire.n_asked == 1 + n && wire.n_done == 0);
    len = stream_answers(&wire, data + 3, size - 3);
    if (how == PIECES_BYTES && len > BYTES_MAX)
        how = PIECES_RANDOM; /* a byte at a time would take too long */
    wire_read(&wire, how, len);
    frames_trace(&wire, wire.n_done);
    frames_trace(&wire, wire.open);
    if (wire.open)
        kw_core_closed(wire.core, wire.conn, NULL);
    CHECK(wire.n_done == n);
    while (kw_core_next_event(wire.core, &event))
        frames_trace(&wire, event.kind);
    while (wire.n_held > 0)
        kwi_block_release(wire.held[--wire.n_held]);
    kwi_broker_destroy(wire.broker);
    kw_core_destroy(wire.core);
    return wire.trace;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole;
    if (size < 3)
        return 0;
    whole = frames_run(data, size, PIECES_WHOLE);
    CHECK(frames_run(data, size, data[0] & 128 ? PIECES_BYTES : PIECES_RANDOM) == whole);
    return 0;
}
