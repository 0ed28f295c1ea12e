/* tests/sim/pair_answers.c -- see pair_answers.h. */
#include "tests/sim/pair_answers.h"

#include "proto/header.h"
#include "tests/sim/pair.h"

#include <stdlib.h>
#include <string.h>

static void bytes_put(struct sim_pair_bytes *bytes, const void *ptr, size_t len)
{
    if (bytes->head > 0) {
        memmove(bytes->ptr, bytes->ptr + bytes->head, bytes->len - bytes->head);
        bytes->len -= bytes->head;
        bytes->head = 0;
    }
    if (bytes->len + len > bytes->cap) {
        bytes->cap = (bytes->len + len) * 2;
        bytes->ptr = realloc(bytes->ptr, bytes->cap);
        if (!bytes->ptr)
            abort();
    }
    if (len > 0)
        memcpy(bytes->ptr + bytes->len, ptr, len);
    bytes->len += len;
}

/* The next whole frame behind its size prefix; false: it is not whole yet. */
static bool bytes_frame(struct sim_pair_bytes *bytes, const uint8_t **frame, size_t *len)
{
    size_t left = bytes->len - bytes->head;
    if (left < 4)
        return false;
    *len = kwi_get_u32(bytes->ptr + bytes->head);
    if (left - 4 < *len)
        return false;
    *frame = bytes->ptr + bytes->head + 4;
    bytes->head += 4 + *len;
    return true;
}

void sim_pair_talk_asked(struct sim_pair_talk *talk, const uint8_t *ptr, size_t len)
{
    const uint8_t *frame;
    size_t n;
    bytes_put(&talk->requests, ptr, len);
    while (bytes_frame(&talk->requests, &frame, &n)) {
        if (n < 8)
            abort();
        talk->asked[talk->n_asked++ % SIM_PAIR_ASKED] = (struct sim_pair_asked){
            .api_key = (int16_t)kwi_get_u16(frame),
            .version = (int16_t)kwi_get_u16(frame + 2),
            .correlation_id = (int32_t)kwi_get_u32(frame + 4),
        };
    }
}

static const struct sim_pair_asked *talk_find(const struct sim_pair_talk *talk, int32_t id)
{
    for (uint32_t i = 0; i < SIM_PAIR_ASKED && i < talk->n_asked; i++) {
        const struct sim_pair_asked *asked = &talk->asked[(talk->n_asked - 1 - i) % SIM_PAIR_ASKED];
        if (asked->correlation_id == id)
            return asked;
    }
    return NULL;
}

static void talk_answer(struct sim_pair *pair, struct sim_pair_conn *conn, const uint8_t *frame,
                        size_t len)
{
    static uint8_t out[SIM_PAIR_ANSWER_MAX];
    const struct sim_pair_asked *asked = talk_find(&conn->talk, (int32_t)kwi_get_u32(frame));
    struct sim_pair_answer answer = {.conn = conn};
    struct kw_wr wr = kwi_wr_make(out, sizeof(out));
    size_t head, start, n;
    if (!asked || kwi_response_header_get(frame, len, asked->api_key, asked->version,
                                          &answer.correlation_id, &head))
        abort();
    answer.api_key = asked->api_key;
    answer.version = asked->version;
    answer.body = frame + head;
    answer.len = len - head;
    start = kwi_frame_begin(&wr);
    /* The header first, because the test writes the body behind it. */
    if (kwi_response_header_put(&wr, asked->api_key, asked->version, answer.correlation_id))
        abort();
    n = pair->on_answer(pair->ctx, &answer, out + wr.len, sizeof(out) - wr.len);
    if (n == 0) {
        memcpy(out + wr.len, answer.body, answer.len);
        n = answer.len;
    }
    wr.len += n;
    kwi_frame_end(&wr, start);
    for (int i = 0; i < 4; i++)
        out[start + 4 + (size_t)i] = (uint8_t)((uint32_t)answer.correlation_id >> (24 - 8 * i));
    bytes_put(&conn->talk.said, out, wr.len);
}

struct kw_span sim_pair_talk_said(struct sim_pair *pair, struct sim_pair_conn *conn)
{
    struct sim_pair_talk *talk = &conn->talk;
    struct kw_span from;
    const uint8_t *frame;
    size_t len;
    while ((from = kwi_mock_output(conn->server)).len > 0) {
        bytes_put(&talk->raw, from.ptr, from.len);
        kwi_mock_output_done(conn->server, from.len);
    }
    while (bytes_frame(&talk->raw, &frame, &len))
        talk_answer(pair, conn, frame, len);
    return (struct kw_span){talk->said.ptr ? talk->said.ptr + talk->said.head : NULL,
                            talk->said.len - talk->said.head};
}

void sim_pair_talk_read(struct sim_pair_conn *conn, size_t n)
{
    conn->talk.said.head += n;
}

void sim_pair_talk_deinit(struct sim_pair_talk *talk)
{
    free(talk->requests.ptr);
    free(talk->raw.ptr);
    free(talk->said.ptr);
}
