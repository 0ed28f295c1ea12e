/* fuzz_mock.c -- the broker model against a hostile client.
 *
 * The first byte chooses the size of the chunks, the rest is what a client
 * sends. The bytes go in, time passes, answers are taken. Checks: no bad access,
 * the model comes to rest, each answer is a whole frame, and nothing leaks. */
#include <stdlib.h>

#include "base/bytes.h"
#include "mock/mock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond)  \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

static size_t n_blocks;

static void *host_alloc(void *ctx, size_t size)
{
    (void)ctx;
    n_blocks++;
    return malloc(size);
}

static void host_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    n_blocks--;
    free(ptr);
}

/* Takes all output; the stream of answers must be frames, one behind another. */
struct answers {
    uint64_t left; /* of the frame that is being taken */
    uint8_t head[4];
    size_t n_head;
};

static void take(struct kw_mock_conn *conn, struct answers *answers)
{
    struct kw_span span;
    while ((span = kwi_mock_output(conn)).len > 0) {
        const uint8_t *bytes = span.ptr;
        for (size_t i = 0; i < span.len; i++) {
            if (answers->left) {
                answers->left--;
                continue;
            }
            answers->head[answers->n_head++] = bytes[i];
            if (answers->n_head == 4) {
                answers->left = kwi_get_u32(answers->head);
                answers->n_head = 0;
                CHECK(answers->left >= 4 && answers->left <= INT32_MAX);
            }
        }
        kwi_mock_output_done(conn, span.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_mock_config config = {.alloc = {host_alloc, host_free, NULL},
                                    .memory_limit = 16 << 20,
                                    .auto_create_topics = true};
    struct kw_time now = {1000000, 1700000000000};
    struct kw_mock *mock;
    struct kw_mock_conn *conn;
    struct answers answers = {0};
    if (size < 2)
        return 0;
    size_t chunk = data[0] ? data[0] : size;
    CHECK(kwi_mock_create(&mock, &config) == 0);
    CHECK(kwi_mock_create_topic(mock, "t", 2) == 0);
    kwi_mock_step(mock, now);
    conn = kwi_mock_accept(mock, 0);
    CHECK(conn);
    for (size_t at = 1; at < size; at += chunk) {
        size_t n = size - at < chunk ? size - at : chunk;
        uint8_t *exact = malloc(n);
        CHECK(exact);
        memcpy(exact, data + at, n);
        kwi_mock_input(conn, exact, n);
        free(exact);
        take(conn, &answers);
        now.mono_us += 1000;
        kwi_mock_step(mock, now);
        take(conn, &answers);
    }
    for (int i = 0; kwi_mock_deadline(mock) != UINT64_MAX; i++) {
        CHECK(i < 10000);
        if (kwi_mock_deadline(mock) > now.mono_us)
            now.mono_us = kwi_mock_deadline(mock);
        kwi_mock_step(mock, now);
        take(conn, &answers);
    }
    CHECK(answers.left == 0 && answers.n_head == 0);
    kwi_mock_conn_free(conn);
    kwi_mock_destroy(mock);
    CHECK(n_blocks == 0);
    return 0;
}
