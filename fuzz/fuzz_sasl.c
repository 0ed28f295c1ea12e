/* fuzz_sasl.c -- a broker that answers a client's authentication as it likes.
 *
 * covers: S08 S09 S10 S11 S13 S20
 *
 * Byte 0 picks the mechanism. Then pieces: a kind, a length, that many bytes. A
 * client wants metadata; each piece answers what it asked last, or does something to
 * the client (see enum piece). Checks: no bad access, no leak; tokens of one
 * exchange are few; nothing but SASL is asked before authentication is over, and
 * with SCRAM, where the broker of these inputs never knows the password, nothing
 * ever. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "proto/api.h"
#include "proto/api_versions.h"
#include "proto/header.h"
#include "proto/sasl.h"
#include "tests/support/toy_crypto.h"
#include <kwire/core.h>
#include <kwire/kwire.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond)  \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

enum piece {
    PIECE_BODY,  /* the body of an answer, as it is */
    PIECE_TOKEN, /* error code (2 bytes), and the rest as auth_bytes or a mechanism */
    PIECE_NONCE, /* no error, and auth_bytes: r=, the nonce that was sent, the rest */
    PIECE_AGAIN, /* no error, no bytes, a session of a second and more */
    PIECE_CLOSE,
    PIECE_TIME, /* so many hundredths of a second */
    PIECE_OAUTH,
    PIECE_PASSWORD,
    PIECES
};

static struct {
    struct kw_core *core;
    struct kw_time now;
    size_t n_bytes; /* of the allocator */
    bool scram, open;
    uint32_t conn;
    /* the request that waits for an answer; api -1: none */
    int16_t api, version;
    int32_t correlation_id;
    uint32_t n_tokens;
    char nonce[300];
    bool proved;
} bed;

static void *bed_alloc(void *ctx, size_t size)
{
    (void)ctx;
    bed.n_bytes += size;
    return malloc(size);
}

static void bed_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    bed.n_bytes -= ptr ? size : 0;
    free(ptr);
}

/* Keeps what follows "r=" in a token. */
static void bed_keep_nonce(const uint8_t *frame, size_t len)
{
    for (size_t i = 0; i + 2 < len; i++) {
        size_t n = 0;
        if (memcmp(frame + i, ",r=", 3) != 0)
            continue;
        while (i + 3 + n < len && n < sizeof bed.nonce - 1 && frame[i + 3 + n] > ' ' &&
               frame[i + 3 + n] != ',')
            n++;
        memcpy(bed.nonce, frame + i + 3, n);
        bed.nonce[n] = 0;
        return;
    }
}

static void bed_asked(const uint8_t *frame, size_t len)
{
    struct kw_request_header header;
    size_t header_len;
    CHECK(kwi_request_header_get(frame, len, &header, &header_len) == 0);
    CHECK(bed.api < 0 || bed.proved);
    bed.api = header.api_key;
    bed.version = header.api_version;
    bed.correlation_id = header.correlation_id;
    if (bed.api == KW_API_SASL_HANDSHAKE) {
        bed.n_tokens = 0;
    } else if (bed.api == KW_API_SASL_AUTHENTICATE) {
        CHECK(++bed.n_tokens <= 8);
        bed_keep_nonce(frame, len);
    } else if (bed.api != KW_API_API_VERSIONS) {
        CHECK(!bed.scram);
        CHECK(bed.n_tokens > 0);
        bed.proved = true;
    }
}

/* Takes whole requests: this core writes them one at a time. */
static void bed_write(void)
{
    static uint8_t bytes[1 << 18];
    struct kw_iov iov[16];
    size_t n, len = 0;
    while (bed.open && (n = kw_core_write_vec(bed.core, bed.conn, 0, iov, 16)) > 0) {
        len = 0;
        for (size_t i = 0; i < n; i++) {
            CHECK(len + iov[i].len <= sizeof bytes);
            memcpy(bytes + len, iov[i].base, iov[i].len);
            len += iov[i].len;
        }
        kw_core_written(bed.core, bed.conn, len);
        for (size_t at = 0; at < len;) {
            size_t frame = kwi_get_u32(bytes + at);
            CHECK(at + 4 + frame <= len);
            bed_asked(bytes + at + 4, frame);
            at += 4 + frame;
        }
    }
}

static void bed_closed(void)
{
    if (!bed.open)
        return;
    bed.open = bed.proved = false;
    bed.api = -1;
    kw_core_closed(bed.core, bed.conn, NULL);
}

static void bed_pump(void)
{
    struct kw_want want;
    struct kw_event event;
    while (kw_core_next_want(bed.core, &want)) {
        if (want.kind == KW_WANT_RESOLVE) {
            static const struct kw_addr addr = {.family = 4, .ip = {10, 0, 0, 1}, .port = 9092};
            kw_core_resolved(bed.core, want.id, &addr, 1, 0);
        } else if (want.kind == KW_WANT_WORK) {
            while (kw_work_run(want.work, 1 << 28))
                ;
            kw_core_work_done(bed.core, want.work);
        } else if (want.kind == KW_WANT_OPEN) {
            bed_closed();
            bed.open = true;
            bed.api = -1;
            bed.conn = want.id;
            kw_core_opened(bed.core, want.id);
        } else if (want.id == bed.conn && want.kind == KW_WANT_CLOSE) {
            bed_closed();
        } else if (want.id == bed.conn && want.kind == KW_WANT_WRITE_READY) {
            bed_write();
        }
    }
    while (kw_core_next_event(bed.core, &event))
        ;
}

/* Gives the core a frame in pieces of whatever size it lends. */
static void bed_read(const uint8_t *bytes, size_t len)
{
    uint32_t conn = bed.conn;
    while (len > 0 && bed.open && conn == bed.conn) {
        struct kw_span span = kw_core_read_buf(bed.core, conn);
        size_t n = span.len < len ? span.len : len;
        if (n == 0)
            return;
        memcpy(span.ptr, bytes, n);
        kw_core_read_done(bed.core, conn, n);
        bytes += n;
        len -= n;
        bed_pump();
    }
}

/* Until the next connection is there: it waits after a failure. */
static void bed_reopen(void)
{
    for (int i = 0; i < 4 && !bed.open; i++) {
        uint64_t deadline = kw_core_deadline(bed.core);
        if (deadline == UINT64_MAX)
            return;
        if (deadline > bed.now.mono_us)
            bed.now.mono_us = deadline;
        kw_core_step(bed.core, bed.now);
        bed_pump();
    }
}

static void bed_answer_bytes(struct kw_wr *w, size_t at)
{
    bed.api = -1;
    kwi_frame_end(w, at);
    if (kwi_wr_status(w) == 0)
        bed_read(w->buf, w->len);
}

static void bed_versions(struct kw_wr *w)
{
    static const struct kw_api_versions_response_key keys[] = {
        {.api_key = KW_API_METADATA, .max_version = 12},
        {.api_key = KW_API_SASL_HANDSHAKE, .max_version = 1},
        {.api_key = KW_API_API_VERSIONS, .max_version = 4},
        {.api_key = KW_API_SASL_AUTHENTICATE, .max_version = 2}};
    struct kw_api_versions_response msg;
    kwi_api_versions_response_init(&msg);
    msg.api_keys = KWI_ARR(keys, 4);
    CHECK(kwi_api_versions_response_encode(&msg, bed.version, w) == 0);
}

/* The answer that a piece makes to the request that waits. */
static void bed_answer(enum piece kind, const uint8_t *bytes, size_t len)
{
    static uint8_t room[1 << 17];
    static char token[70000];
    struct kw_sasl_authenticate_response msg;
    struct kw_sasl_handshake_response shaken;
    struct kw_str name = {(const char *)bytes + 2, (int32_t)len - 2};
    struct kw_wr w = kwi_wr_make(room, sizeof room);
    size_t at = kwi_frame_begin(&w), n;
    int16_t code = kind == PIECE_TOKEN && len >= 2 ? (int16_t)kwi_get_u16(bytes) : 0;
    CHECK(kwi_response_header_put(&w, bed.api, bed.version, bed.correlation_id) == 0);
    if (kind == PIECE_BODY ||
        (bed.api != KW_API_SASL_HANDSHAKE && bed.api != KW_API_SASL_AUTHENTICATE)) {
        kwi_wr_put(&w, bytes, len);
    } else if (bed.api == KW_API_SASL_HANDSHAKE) {
        kwi_sasl_handshake_response_init(&shaken);
        shaken.error_code = code;
        shaken.mechanisms = KWI_ARR(&name, len > 2);
        CHECK(kwi_sasl_handshake_response_encode(&shaken, bed.version, &w) == 0);
    } else {
        kwi_sasl_authenticate_response_init(&msg);
        n = kind == PIECE_NONCE ? strlen(bed.nonce) : 0;
        memcpy(token, "r=", 2);
        memcpy(token + 2, bed.nonce, n);
        memcpy(token + 2 + n, bytes, len);
        msg.auth_bytes = (struct kw_blob){(uint8_t *)token, (int32_t)(2 + n + len)};
        msg.error_code = code;
        if (kind == PIECE_TOKEN)
            msg.auth_bytes = (struct kw_blob){bytes + 2, len > 2 ? (int32_t)len - 2 : 0};
        if (code) {
            msg.error_message = (struct kw_str){(const char *)msg.auth_bytes.ptr,
                                                msg.auth_bytes.len};
        }
        if (kind == PIECE_AGAIN) {
            msg.auth_bytes.len = 0;
            msg.session_lifetime_ms = len >= 8 ? (int64_t)kwi_get_u64(bytes) : 1100;
        }
        CHECK(kwi_sasl_authenticate_response_encode(&msg, bed.version, &w) == 0);
    }
    bed_answer_bytes(&w, at);
}

static void bed_open(uint8_t choice)
{
    static const char *const mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512",
                                             "OAUTHBEARER"};
    static const char *const pairs[] = {
        "bootstrap.servers",    "10.0.0.1:9092", "security.protocol", "SASL_PLAINTEXT",
        "sasl.username",        "us,e=r",        "sasl.password",     "pass",
        "sasl.allow.plaintext", "true"};
    struct kw_env env = {.alloc = {bed_alloc, bed_free, NULL}, .crypto = &toy_crypto};
    struct kw_config *cfg = NULL;
    memset(&bed, 0, sizeof bed);
    toy_random_state = 1;
    bed.api = -1;
    bed.scram = choice % 4 == 1 || choice % 4 == 2;
    CHECK(kw_config_create(&cfg, &env.alloc) == 0);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i += 2)
        CHECK(kw_config_set(cfg, pairs[i], pairs[i + 1], NULL) == 0);
    CHECK(kw_config_set(cfg, "sasl.mechanism", mechanisms[choice % 4], NULL) == 0);
    CHECK(kw_core_create(&bed.core, cfg, &env, NULL) == 0);
    kw_config_destroy(cfg);
}

static void bed_piece(enum piece kind, const uint8_t *bytes, size_t len)
{
    static char text[70000];
    struct kw_oauth_token token = {.size = sizeof token, .token = text, .lifetime_ms = 1000};
    memcpy(text, bytes, len);
    text[len] = 0;
    switch (kind) {
    case PIECE_CLOSE: bed_closed(); break;
    case PIECE_TIME:
        for (size_t i = 0; i < len && i < 16; i++) {
            bed.now.mono_us += (uint64_t)bytes[i] * 10000;
            kw_core_step(bed.core, bed.now);
            bed_pump();
        }
        break;
    case PIECE_OAUTH: (void)!kw_core_oauth_token_set(bed.core, &token, NULL); break;
    case PIECE_PASSWORD: (void)!kw_core_set(bed.core, "sasl.password", text, NULL); break;
    case PIECE_BODY:
    case PIECE_TOKEN:
    case PIECE_NONCE:
    case PIECE_AGAIN:
    case PIECES:
        if (bed.open && bed.api >= 0)
            bed_answer(kind, bytes, len);
        break;
    }
    bed_pump();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_admin_request want = {.size = sizeof want, .kind = KW_ADMIN_METADATA};
    struct kw_admin_result *result = NULL;
    if (size < 1 || size > 65536)
        return 0;
    bed_open(data[0]);
    kw_core_step(bed.core, bed.now);
    (void)!kw_core_admin(bed.core, &want, &result, 600000, NULL);
    bed_pump();
    for (size_t at = 1; at + 2 <= size;) {
        enum piece kind = (enum piece)(data[at] % PIECES);
        size_t len = data[at + 1];
        struct kw_wr w;
        static uint8_t room[4096];
        if (len > size - at - 2)
            len = size - at - 2;
        bed_reopen();
        if (bed.open && bed.api == KW_API_API_VERSIONS) { /* not what is looked at here */
            w = kwi_wr_make(room, sizeof room);
            size_t frame = kwi_frame_begin(&w);
            CHECK(kwi_response_header_put(&w, bed.api, bed.version, bed.correlation_id) == 0);
            bed_versions(&w);
            bed_answer_bytes(&w, frame);
        }
        uint8_t *copy = malloc(len ? len : 1);
        CHECK(copy);
        memcpy(copy, data + at + 2, len);
        bed_piece(kind, copy, len);
        free(copy);
        at += 2 + len;
    }
    kw_core_destroy(bed.core);
    kw_admin_result_destroy(result);
    CHECK(bed.n_bytes == 0);
    return 0;
}
