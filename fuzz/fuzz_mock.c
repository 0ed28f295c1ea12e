/* fuzz_mock.c -- the broker model against a hostile client.
 *
 * The first byte chooses the size of the chunks, the rest is what a client
 * sends. The bytes go in, time passes, answers are taken. Checks: no bad access,
 * the model comes to rest, each answer is a whole frame, and nothing leaks. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "mock/mock.h"
#include "proto/api.h"
#include "proto/batch.h"
#include "proto/header.h"
#include "proto/produce.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
/* Of the fuzzing engine; a replayer has none. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

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

/* ---- mutation ------------------------------------------------------------------ */

/* Makes the checksums of a Produce request right: only then does the model look
 * at sequences and offsets. */
static void seal_batches(uint8_t *frame, size_t len)
{
    struct kw_request_header header;
    struct kw_produce_request msg;
    struct kw_produce_request_topic topic;
    struct kw_produce_request_partition part;
    struct kw_iter topics, parts;
    struct kw_fault fault;
    size_t header_len;
    if (kwi_request_header_get(frame, len, &header, &header_len) ||
        header.api_key != KW_API_PRODUCE ||
        kwi_produce_request_decode(&msg, header.api_version, frame + header_len, len - header_len,
                                   &fault))
        return;
    kwi_iter_init(&topics, &msg.topic_data);
    while (kwi_iter_next(&topics, &topic)) {
        kwi_iter_init(&parts, &topic.partition_data);
        while (kwi_iter_next(&parts, &part)) {
            if (part.records.len >= KWI_BATCH_HEADER)
                kwi_batch_seal(frame + (part.records.ptr - frame), (size_t)part.records.len,
                               kwi_crc32c_portable);
        }
    }
}

/* Each frame ends within the input; what was inserted belongs to the last one. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size_t at = 1;
    size = LLVMFuzzerMutate(data, size, max_size);
    if (seed % 4 == 0)
        return size;
    while (size > at + 4) {
        size_t len = kwi_get_u32(data + at);
        if (len < 10 || len > size - at - 4) {
            len = size - at - 4;
            kwi_put_u32(data + at, (uint32_t)len);
        }
        if (seed % 4 > 1)
            seal_batches(data + at + 4, len);
        at += 4 + len;
    }
    return size;
}
