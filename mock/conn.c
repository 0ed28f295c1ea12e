/* mock/conn.c -- connections of the broker model: bytes to requests, requests
 * to the files that serve them, answers to bytes; and what holds a request up.
 *
 *                   frame, answer sent          news, deadline
 *      READING ----------------------> serve <---------------- PARKED
 *         ^   ^                       |  |  |  --- no data ------^
 *         |   |      timer            |  |  '--- late fault ---> LATE --> serve
 *         |   '----- DELAYED <--------'  |
 *         '------------------------------'         CLOSING from anywhere
 *
 * A connection reads its next request only when the answer to the last one was
 * sent, as a real broker does; a parked request keeps its frame and is decoded
 * again each time, so nothing that it borrows can become stale. */
#include "mock/conn.h"
#include "mock/group.h"
#include "mock/sasl.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "proto/header.h"

enum {
    MOCKCONN_INPUT_MIN = 4096,
    MOCKCONN_BACKLOG_MAX = 1 << 20,
    MOCKCONN_TIMERS_PER_STEP = 1 << 16,
    MOCKCONN_PREFIX = 4 /* bytes of a frame's size */
};

enum mockconn_state {
    MOCKCONN_READING,
    MOCKCONN_PARKED,
    MOCKCONN_LATE,
    MOCKCONN_DELAYED,
    MOCKCONN_CLOSING
};

/* A piece of output: one answer, or the part of it that a `cut` lets through. */
struct mockconn_answer {
    struct mockconn_answer *next;
    size_t len, cap;
    uint8_t bytes[];
};

struct kw_mock_conn {
    struct kw_node in_all, in_ready;
    struct kw_mock *mock;
    uint32_t broker;
    enum mockconn_state state;
    bool detached; /* the client is gone; a late request is all that is left */
    void *user;
    uint8_t *in; /* [in_pos, in_len) is unread */
    size_t in_pos, in_len, in_cap;
    size_t frame_len;            /* of the request in work, with its prefix */
    uint64_t received_us;        /* of the request in work */
    uint64_t ticket;             /* of the request in work */
    uint64_t faults;             /* of the request in work */
    struct mockconn_answer *out; /* to be sent; at most one and a held one */
    size_t out_pos;
    struct mockconn_answer *held; /* by a delay */
    struct kw_timer timer;
    struct kw_mock_auth auth;
};

/* --- state ------------------------------------------------------------------------ */

static void mockconn_answer_free(struct kw_mock_conn *conn, struct mockconn_answer *answer)
{
    if (answer)
        kwi_free(&conn->mock->heap, answer, sizeof(*answer) + answer->cap);
}

static void mockconn_ready(struct kw_mock_conn *conn)
{
    if (!conn->detached && !kwi_list_has(&conn->mock->ready, &conn->in_ready))
        kwi_list_push(&conn->mock->ready, &conn->in_ready);
}

static void mockconn_state_set(struct kw_mock_conn *conn, enum mockconn_state state)
{
    if (conn->state == MOCKCONN_PARKED)
        conn->mock->n_parked--;
    if (state == MOCKCONN_PARKED)
        conn->mock->n_parked++;
    conn->state = state;
}

static void mockconn_close(struct kw_mock_conn *conn)
{
    kwi_timer_disarm(&conn->mock->timers, &conn->timer);
    mockconn_answer_free(conn, conn->held);
    conn->held = NULL;
    if (conn->state == MOCKCONN_PARKED)
        kwi_mock_groups_hang_up(conn->mock, conn->ticket);
    mockconn_state_set(conn, MOCKCONN_CLOSING);
    mockconn_ready(conn);
}

static void mockconn_destroy(struct kw_mock_conn *conn)
{
    struct kw_mock *mock = conn->mock;
    mockconn_close(conn);
    kwi_list_remove(&mock->ready, &conn->in_ready);
    kwi_list_remove(&mock->conns, &conn->in_all);
    mockconn_answer_free(conn, conn->out);
    if (conn->in)
        kwi_free(&mock->heap, conn->in, conn->in_cap);
    kwi_free(&mock->heap, conn, sizeof(*conn));
}

static void mockconn_hold(struct kw_mock_conn *conn, enum mockconn_state state,
                          uint64_t deadline_us)
{
    mockconn_state_set(conn, state);
    kwi_timer_arm(&conn->mock->timers, &conn->timer, deadline_us);
}

/* --- answers -------------------------------------------------------------------------- */

static int mockconn_answer_put(const struct kw_mock_call *call, struct kw_wr *w, int version,
                               const struct kw_schema *schema)
{
    size_t at = kwi_frame_begin(w);
    int err = kwi_response_header_put(w, call->api_key, (int16_t)version, call->correlation_id);
    if (!err)
        err = kwi_encode(schema, version, call->response, w);
    kwi_frame_end(w, at);
    return err ? err : kwi_wr_status(w);
}

/* Encodes twice: once to learn the size, once into a block of that size. */
static struct mockconn_answer *mockconn_answer_make(struct kw_mock_conn *conn,
                                                    const struct kw_mock_call *call, int version)
{
    const struct kw_schema *schema = kwi_api_info(call->api_key)->response;
    struct kw_wr w = kwi_wr_make(NULL, 0);
    struct mockconn_answer *answer;
    int err = mockconn_answer_put(call, &w, version, schema);
    if (err)
        return NULL;
    answer = kwi_alloc(&conn->mock->heap, sizeof(*answer) + w.len);
    if (!answer)
        return NULL;
    answer->next = NULL;
    answer->len = answer->cap = w.len;
    w = kwi_wr_make(answer->bytes, answer->cap);
    if (mockconn_answer_put(call, &w, version, schema)) {
        mockconn_answer_free(conn, answer);
        return NULL;
    }
    return answer;
}

static void mockconn_answer_corrupt(struct kw_mock *mock, struct mockconn_answer *answer,
                                    int32_t at)
{
    uint32_t i = at >= 0 ? (uint32_t)at : kwi_rng_below(&mock->rng, (uint32_t)answer->len);
    if (i < answer->len)
        answer->bytes[i] ^= (uint8_t)(1 + kwi_rng_below(&mock->rng, 255));
}

static void mockconn_send(struct kw_mock_conn *conn, struct mockconn_answer *answer)
{
    KWI_ASSERT(!conn->out);
    conn->out = answer;
    conn->out_pos = 0;
    mockconn_ready(conn);
}

/* Sends an answer, or what the faults leave of it. Takes the answer. */
static void mockconn_finish(struct kw_mock_conn *conn, const struct kw_mock_call *call,
                            struct mockconn_answer *answer)
{
    int32_t value;
    mockconn_state_set(conn, MOCKCONN_READING);
    if (kwi_mock_fault_acts(call, KWI_MOCK_CLOSE_AFTER, NULL)) {
        mockconn_answer_free(conn, answer);
        mockconn_close(conn);
        return;
    }
    if (!answer || conn->detached || kwi_mock_fault_acts(call, KWI_MOCK_DROP_ANSWER, NULL)) {
        mockconn_answer_free(conn, answer);
        return;
    }
    if (kwi_mock_fault_acts(call, KWI_MOCK_CORRUPT, &value))
        mockconn_answer_corrupt(conn->mock, answer, value);
    if (kwi_mock_fault_acts(call, KWI_MOCK_CUT, &value)) {
        if ((size_t)value < answer->len)
            answer->len = (size_t)value;
        if (answer->len)
            mockconn_send(conn, answer);
        else
            mockconn_answer_free(conn, answer);
        mockconn_close(conn);
        return;
    }
    if (kwi_mock_fault_acts(call, KWI_MOCK_DELAY, &value)) {
        conn->held = answer;
        mockconn_hold(conn, MOCKCONN_DELAYED, conn->mock->now.mono_us + (uint64_t)value * 1000);
        return;
    }
    mockconn_send(conn, answer);
}

/* --- requests ---------------------------------------------------------------------------- */

static void mockconn_consume(struct kw_mock_conn *conn)
{
    conn->in_pos += conn->frame_len;
    conn->frame_len = 0;
    conn->faults = 0;
}

/* Whether this broker takes the request; an unknown version of ApiVersions is
 * the one thing that is answered all the same, as version 0 (KIP-511). */
static bool mockconn_version_is_offered(const struct kw_mock *mock, int16_t api_key,
                                        int16_t version)
{
    const struct kw_mock_versions *offered;
    if (api_key < 0 || api_key >= KWI_MOCK_API_KEYS_MAX)
        return false;
    offered = &mock->versions[api_key];
    return version >= offered->min && version <= offered->max;
}

/* Decodes the frame in work into the call. False: malformed, or no memory. */
static bool mockconn_decode(struct kw_mock_conn *conn, struct kw_mock_call *call,
                            const struct kw_mock_api **api, bool *unsupported)
{
    const uint8_t *frame = conn->in + conn->in_pos + MOCKCONN_PREFIX;
    size_t len = conn->frame_len - MOCKCONN_PREFIX, header_len;
    const struct kw_api_info *info;
    struct kw_request_header header;
    void *request;
    if (kwi_request_header_get(frame, len, &header, &header_len))
        return false;
    info = kwi_api_info(header.api_key);
    *api = kwi_mock_api_find(header.api_key);
    if (!info || !*api)
        return false;
    call->api_key = header.api_key;
    call->version = header.api_version;
    call->correlation_id = header.correlation_id;
    call->client_id = header.client_id;
    call->response = kwi_mock_call_alloc(call, 1, info->response->size);
    request = kwi_mock_call_alloc(call, 1, info->request->size);
    call->request = request;
    if (!call->response || !request)
        return false;
    kwi_init(info->response, call->response);
    *unsupported = !mockconn_version_is_offered(conn->mock, header.api_key, header.api_version);
    if (*unsupported) {
        kwi_init(info->request, request);
        return header.api_key == KW_API_API_VERSIONS;
    }
    return kwi_decode(info->request, header.api_version, frame + header_len, len - header_len,
                      request, NULL) == 0;
}

/* Serves a call whose faults are known and whose time has come. */
static void mockconn_serve(struct kw_mock_conn *conn, struct kw_mock_call *call,
                           const struct kw_mock_api *api, bool unsupported)
{
    struct mockconn_answer *answer = NULL;
    enum kw_mock_outcome outcome;
    kwi_mock_fault_acts(call, KWI_MOCK_THROTTLE, &call->throttle_ms);
    outcome = api->serve(call);
    if (outcome == KWI_MOCK_PARKED) {
        mockconn_hold(conn, MOCKCONN_PARKED, call->deadline_us);
        return;
    }
    if (outcome == KWI_MOCK_ANSWERED) {
        answer = mockconn_answer_make(conn, call, unsupported ? 0 : call->version);
        if (!answer)
            outcome = KWI_MOCK_HUNG_UP;
    }
    mockconn_consume(conn);
    if (outcome == KWI_MOCK_HUNG_UP)
        mockconn_close(conn);
    else
        mockconn_finish(conn, call, answer);
    if (call->hang_up && conn->state != MOCKCONN_CLOSING)
        mockconn_close(conn);
}

/* Runs the request in work: from its first look (state READING) or again. */
static void mockconn_run(struct kw_mock_conn *conn, bool last_chance)
{
    struct kw_mock_call call = {.mock = conn->mock, .broker = conn->broker};
    const struct kw_mock_api *api = NULL;
    bool unsupported = false, first = conn->state == MOCKCONN_READING;
    int32_t value;
    call.waited = conn->state == MOCKCONN_PARKED;
    kwi_timer_disarm(&conn->mock->timers, &conn->timer);
    call.auth = &conn->auth;
    call.received_us = conn->received_us;
    call.last_chance = last_chance;
    call.ticket = conn->ticket;
    if (!mockconn_decode(conn, &call, &api, &unsupported) ||
        (first && !kwi_mock_sasl_admits(&call))) {
        mockconn_close(conn);
        goto done;
    }
    if (first) {
        conn->mock->n_requests_all++;
        conn->mock->n_requests[call.api_key]++;
        conn->ticket = call.ticket = conn->mock->n_requests_all;
        kwi_mock_faults_choose(&call, api);
        conn->faults = call.faults;
    }
    call.faults = conn->faults;
    if (kwi_mock_fault_acts(&call, KWI_MOCK_CLOSE_BEFORE, NULL)) {
        mockconn_close(conn);
    } else if (kwi_mock_fault_acts(&call, KWI_MOCK_DROP_REQUEST, NULL)) {
        mockconn_consume(conn);
    } else if (first && kwi_mock_fault_acts(&call, KWI_MOCK_LATE, &value)) {
        mockconn_hold(conn, MOCKCONN_LATE, conn->mock->now.mono_us + (uint64_t)value * 1000);
    } else {
        mockconn_serve(conn, &call, api, unsupported);
    }
done:
    kwi_mock_call_deinit(&call);
}

/* Finds a whole frame at in_pos. False: not yet, or the connection closes. */
static bool mockconn_frame(struct kw_mock_conn *conn)
{
    size_t have = conn->in_len - conn->in_pos;
    int32_t size;
    if (have < MOCKCONN_PREFIX)
        return false;
    if (kwi_frame_size(conn->in + conn->in_pos, (int32_t)conn->mock->config.frame_size_max,
                       &size) != KWI_FRAME_OK) {
        mockconn_close(conn);
        return false;
    }
    if (have - MOCKCONN_PREFIX < (size_t)size)
        return false;
    conn->frame_len = (size_t)size + MOCKCONN_PREFIX;
    conn->received_us = conn->mock->now.mono_us;
    return true;
}

/* Serves what can be served, then closes the gap in front of the rest. */
static void mockconn_advance(struct kw_mock_conn *conn)
{
    while (conn->state == MOCKCONN_READING && !conn->out && mockconn_frame(conn))
        mockconn_run(conn, false);
    if (conn->in_pos == 0)
        return;
    conn->in_len -= conn->in_pos;
    if (conn->in_len)
        memmove(conn->in, conn->in + conn->in_pos, conn->in_len);
    conn->in_pos = 0;
    if (conn->in_len == 0 && conn->in_cap > MOCKCONN_BACKLOG_MAX) {
        kwi_free(&conn->mock->heap, conn->in, conn->in_cap);
        conn->in = NULL;
        conn->in_cap = 0;
    }
}

static void mockconn_timer_due(struct kw_timer *timer)
{
    struct kw_mock_conn *conn = KWI_OF(timer, struct kw_mock_conn, timer);
    if (conn->state == MOCKCONN_DELAYED) {
        struct mockconn_answer *answer = conn->held;
        conn->held = NULL;
        mockconn_state_set(conn, MOCKCONN_READING);
        mockconn_send(conn, answer);
        return;
    }
    mockconn_run(conn, conn->state == MOCKCONN_PARKED);
    if (conn->detached)
        mockconn_destroy(conn);
    else
        mockconn_advance(conn);
}

/* --- public ---------------------------------------------------------------------------------- */

struct kw_mock_conn *kwi_mock_accept(struct kw_mock *mock, uint32_t broker)
{
    struct kw_mock_conn *conn;
    if (!kwi_mock_broker_is_up(mock, broker))
        return NULL;
    conn = kwi_alloc_zero(&mock->heap, sizeof(*conn));
    if (!conn)
        return NULL;
    conn->mock = mock;
    conn->broker = broker;
    conn->timer.fire = mockconn_timer_due;
    kwi_list_push(&mock->conns, &conn->in_all);
    return conn;
}

static int mockconn_reserve(struct kw_mock_conn *conn, size_t n)
{
    size_t cap = conn->in_cap * 2;
    uint8_t *grown;
    if (n <= conn->in_cap - conn->in_len)
        return 0;
    if (n > (size_t)conn->mock->config.frame_size_max + 2 * MOCKCONN_BACKLOG_MAX - conn->in_len)
        return KW_ERR_LIMIT;
    if (cap < conn->in_len + n)
        cap = conn->in_len + n;
    if (cap < MOCKCONN_INPUT_MIN)
        cap = MOCKCONN_INPUT_MIN;
    grown = kwi_realloc(&conn->mock->heap, conn->in, conn->in_cap, cap);
    if (!grown)
        return KW_ERR_NOMEM;
    conn->in = grown;
    conn->in_cap = cap;
    return 0;
}

void kwi_mock_input(struct kw_mock_conn *conn, const void *bytes, size_t n)
{
    if (conn->state == MOCKCONN_CLOSING || n == 0)
        return;
    if (mockconn_reserve(conn, n)) {
        mockconn_close(conn);
        return;
    }
    memcpy(conn->in + conn->in_len, bytes, n);
    conn->in_len += n;
    mockconn_advance(conn);
}

struct kw_span kwi_mock_output(struct kw_mock_conn *conn)
{
    if (!conn->out)
        return (struct kw_span){NULL, 0};
    return (struct kw_span){conn->out->bytes + conn->out_pos, conn->out->len - conn->out_pos};
}

void kwi_mock_output_done(struct kw_mock_conn *conn, size_t n)
{
    if (!conn->out)
        return;
    KWI_ASSERT(n <= conn->out->len - conn->out_pos);
    conn->out_pos += n;
    if (conn->out_pos < conn->out->len)
        return;
    mockconn_answer_free(conn, conn->out);
    conn->out = NULL;
    mockconn_ready(conn);
    mockconn_advance(conn);
}

bool kwi_mock_closing(const struct kw_mock_conn *conn)
{
    return conn->state == MOCKCONN_CLOSING;
}

bool kwi_mock_reading(const struct kw_mock_conn *conn)
{
    bool busy = conn->state != MOCKCONN_READING || conn->out;
    if (conn->state == MOCKCONN_CLOSING)
        return false;
    return !busy || conn->in_len - conn->in_pos < MOCKCONN_BACKLOG_MAX;
}

void kwi_mock_conn_free(struct kw_mock_conn *conn)
{
    if (!conn)
        return;
    if (conn->state == MOCKCONN_LATE) {
        kwi_list_remove(&conn->mock->ready, &conn->in_ready);
        conn->detached = true;
        return;
    }
    mockconn_destroy(conn);
}

struct kw_mock_conn *kwi_mock_next_ready(struct kw_mock *mock)
{
    struct kw_node *node = kwi_list_pop(&mock->ready);
    return node ? KWI_OF(node, struct kw_mock_conn, in_ready) : NULL;
}

void kwi_mock_conn_set_user(struct kw_mock_conn *conn, void *user)
{
    conn->user = user;
}

void *kwi_mock_conn_user(const struct kw_mock_conn *conn)
{
    return conn->user;
}

void kwi_mock_conns_close(struct kw_mock *mock, uint32_t broker)
{
    struct kw_node *node, *next;
    for (node = mock->conns.first; node; node = next) {
        struct kw_mock_conn *conn = KWI_OF(node, struct kw_mock_conn, in_all);
        next = node->next;
        if (conn->broker != broker)
            continue;
        if (conn->detached) {
            mockconn_destroy(conn);
            continue;
        }
        mockconn_answer_free(conn, conn->out);
        conn->out = NULL;
        mockconn_close(conn);
    }
}

void kwi_mock_conns_forget_fault(struct kw_mock *mock, uint32_t id)
{
    for (struct kw_node *node = mock->conns.first; node; node = node->next)
        KWI_OF(node, struct kw_mock_conn, in_all)->faults &= ~(UINT64_C(1) << id);
}

void kwi_mock_conns_destroy(struct kw_mock *mock)
{
    while (!kwi_list_empty(&mock->conns))
        mockconn_destroy(KWI_OF(mock->conns.first, struct kw_mock_conn, in_all));
}

/* Parked requests are looked at in the order in which their connections came. */
static void mockconn_wake_all(struct kw_mock *mock)
{
    struct kw_node *node, *next;
    for (node = mock->conns.first; node; node = next) {
        struct kw_mock_conn *conn = KWI_OF(node, struct kw_mock_conn, in_all);
        next = node->next;
        if (conn->state != MOCKCONN_PARKED)
            continue;
        mockconn_run(conn, false);
        mockconn_advance(conn);
    }
}

void kwi_mock_step(struct kw_mock *mock, struct kw_time now)
{
    if (now.mono_us > mock->now.mono_us)
        mock->now.mono_us = now.mono_us;
    mock->now.wall_ms = now.wall_ms;
    kwi_timers_run(&mock->timers, mock->now.mono_us, MOCKCONN_TIMERS_PER_STEP);
    if (mock->wake) {
        mock->wake = false;
        mockconn_wake_all(mock);
    }
}

uint64_t kwi_mock_deadline(const struct kw_mock *mock)
{
    if (mock->wake && mock->n_parked > 0)
        return 0;
    return kwi_timers_next(&mock->timers);
}
