/* covers: N03 N04 N06 N29 N30
 * The driver moves bytes: in pieces of every size, both ways at once, against
 * peers that stall, end, or reset in the middle of a frame. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/client.h"
#include "net/peer.h"
#include "tests/net/fake_core.h"
#include "tests/net/faults.h"

/* One client, one connection that is up, and its other end. */
struct pair {
    struct kw_client *client;
    struct kw_core *core;
    struct fake_conn *conn;
    int listener, server;
    uint16_t port;
};

static struct pair pair_up(void)
{
    struct pair pair;
    fault_reset();
    pair.listener = peer_listen(&pair.port);
    pair.client = fake_client(&fault_sys);
    pair.core = fake_core(pair.client);
    pair.conn = &pair.core->conns[1];
    fake_open(pair.core, 1, pair.port);
    UNTIL(pair.client, pair.conn->n_opened == 1);
    cr_assert_geq(kw_client_poll(pair.client, 0), 0);
    pair.server = peer_accept(pair.listener);
    return pair;
}

static void pair_down(struct pair *pair)
{
    kw_client_destroy(pair->client);
    if (pair->server >= 0)
        close(pair->server);
    close(pair->listener);
    cr_assert_eq(fault_n_open(), 0);
}

static uint8_t *noise(size_t len)
{
    uint8_t *bytes = malloc(len);
    uint32_t state = 1;
    for (size_t i = 0; i < len; i++) {
        state = state * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(state >> 24);
    }
    return bytes;
}

/* Takes from the other end whatever is there. */
static size_t server_take(struct pair *pair, uint8_t *into, size_t have, size_t cap)
{
    long n = have < cap ? peer_read(pair->server, into + have, cap - have) : 0;
    return n > 0 ? have + (size_t)n : have;
}

Test(driver_stream, bytes_come_through_one_at_a_time_both_ways)
{
    struct pair pair = pair_up();
    uint8_t *sent = noise(300), got[300];
    size_t n = 0;
    fault_short(CALL_RECV, 1);
    fault_short(CALL_SENDMSG, 1);
    pair.conn->piece = 7;
    fake_send(pair.core, 1, sent, 300);
    peer_write(pair.server, sent, 300);
    UNTIL(pair.client, (n = server_take(&pair, got, n, 300)) == 300 && pair.conn->in_len == 300);
    cr_assert_arr_eq(got, sent, 300);
    cr_assert_arr_eq(pair.conn->in, sent, 300);
    cr_assert_eq(pair.conn->written, 300);
    cr_assert(pair.conn->idle, "write_vec is asked until it returns 0");
    free(sent);
    pair_down(&pair);
}

Test(driver_stream, megabytes_come_through_in_pieces_of_many_sizes)
{
    static const size_t pieces[] = {1000, 4096, 65536, 1 << 20};
    static const size_t reads[] = {1, 512, 4096, 1 << 20};
    const size_t len = 1 << 20;
    uint8_t *sent = noise(len), *got = malloc(len);
    for (size_t i = 0; i < 4; i++) {
        struct pair pair = pair_up();
        size_t n = 0, out = 0;
        /* A byte per call is slow under a sanitizer: less of it then. */
        size_t in_len = reads[i] == 1 ? 5000 : len;
        pair.conn->piece = pieces[i];
        pair.conn->read_size = reads[i];
        fake_send(pair.core, 1, sent, len);
        for (int turn = 0; turn < 5000 && (n < len || pair.conn->in_len < in_len); turn++) {
            if (out < in_len) {
                ssize_t w = send(pair.server, sent + out, in_len - out, MSG_DONTWAIT);
                out += w > 0 ? (size_t)w : 0;
            }
            cr_assert_geq(kw_client_poll(pair.client, 1), 0);
            n = server_take(&pair, got, n, len);
        }
        cr_assert_eq(n, len);
        cr_assert_eq(pair.conn->in_len, in_len);
        cr_assert_arr_eq(got, sent, len);
        cr_assert_arr_eq(pair.conn->in, sent, in_len);
        cr_assert_eq(pair.conn->written, len);
        pair_down(&pair);
    }
    free(sent);
    free(got);
}

Test(driver_stream, a_peer_that_does_not_read_costs_no_turns_and_loses_no_bytes)
{
    struct pair pair = pair_up();
    const size_t len = 16 << 20; /* more than both socket buffers take */
    uint8_t *sent = noise(len), *got = malloc(len);
    size_t n = 0;
    fake_send(pair.core, 1, sent, len);
    for (int turn = 0; turn < 40; turn++)
        cr_assert_geq(kw_client_poll(pair.client, 0), 0);
    size_t stuck_at = pair.conn->written;
    cr_assert_lt(stuck_at, len);
    int n_sends = fault_count(CALL_SENDMSG);
    for (int turn = 0; turn < 3; turn++)
        cr_assert_eq(kw_client_poll(pair.client, 5), 0);
    cr_assert_eq(pair.conn->written, stuck_at);
    cr_assert_eq(fault_count(CALL_SENDMSG), n_sends, "it writes again without being told");
    for (int turn = 0; turn < 5000 && n < len; turn++) {
        n = server_take(&pair, got, n, len);
        cr_assert_geq(kw_client_poll(pair.client, n < len ? 5 : 0), 0);
    }
    cr_assert_eq(n, len);
    cr_assert_arr_eq(got, sent, len);
    free(sent);
    free(got);
    pair_down(&pair);
}

Test(driver_stream, one_peer_gets_no_more_than_its_share_of_a_turn)
{
    struct pair pair = pair_up();
    const size_t len = 8 << 20;
    uint8_t *sent = noise(len), *sink = malloc(len);
    pair.conn->piece = 64 << 10;
    fake_send(pair.core, 1, sent, len);
    size_t before = 0, most = 0;
    for (int turn = 0; turn < 5000 && pair.conn->written < len; turn++) {
        kw_client_process(pair.client, 0);
        size_t moved = pair.conn->written - before;
        before = pair.conn->written;
        most = moved > most ? moved : most;
        while (peer_read(pair.server, sink, len) > 0)
            ;
    }
    cr_assert_eq(pair.conn->written, len);
    /* Once from the want, once more from the socket; a share may be exceeded
     * by what one system call carries. */
    cr_assert_leq(most, 2 * (KWI_PEER_WRITE_SHARE + KWI_PEER_IOV * (64u << 10)));
    pair.conn->read_size = 64 << 10;
    size_t out = 0;
    before = most = 0;
    for (int turn = 0; turn < 5000 && pair.conn->in_len < len; turn++) {
        while (out < len) {
            ssize_t w = send(pair.server, sent + out, len - out, MSG_DONTWAIT);
            if (w <= 0)
                break;
            out += (size_t)w;
        }
        int more = kw_client_process(pair.client, 0);
        size_t moved = pair.conn->in_len - before;
        before = pair.conn->in_len;
        most = moved > most ? moved : most;
        if (moved == KWI_PEER_READ_SHARE)
            cr_assert_eq(more, 1, "what is left has to be said");
    }
    cr_assert_eq(pair.conn->in_len, len);
    cr_assert_leq(most, KWI_PEER_READ_SHARE);
    free(sent);
    free(sink);
    pair_down(&pair);
}

Test(driver_stream, the_end_of_the_stream_is_told_as_closed_without_an_errno)
{
    struct pair pair = pair_up();
    peer_write(pair.server, "half a fra", 10);
    close(pair.server);
    pair.server = -1;
    UNTIL(pair.client, pair.conn->n_closed == 1);
    cr_assert_eq(pair.conn->in_len, 10, "what came before the end is delivered");
    cr_assert_eq(pair.conn->cause.phase, KW_PHASE_REQUEST);
    cr_assert_eq(pair.conn->cause.os_err, 0);
    pair_down(&pair);
}

Test(driver_stream, a_reset_in_the_middle_of_a_frame_is_told_with_its_errno)
{
    struct pair pair = pair_up();
    peer_write(pair.server, "half a fra", 10);
    UNTIL(pair.client, pair.conn->in_len == 10);
    peer_reset(pair.server);
    pair.server = -1;
    UNTIL(pair.client, pair.conn->n_closed == 1);
    cr_assert_eq(pair.conn->cause.phase, KW_PHASE_REQUEST);
    cr_assert_eq(pair.conn->cause.os_err, ECONNRESET);
    cr_assert_str_eq(pair.conn->text, strerror(ECONNRESET));
    pair_down(&pair);
}

Test(driver_stream, each_errno_of_a_read_or_a_write_closes_once)
{
    static const int errs[] = {ECONNRESET, EPIPE, ETIMEDOUT, ENOBUFS, ENOMEM, EHOSTUNREACH, EIO};
    for (size_t i = 0; i < sizeof(errs) / sizeof(errs[0]); i++) {
        struct pair pair = pair_up();
        fault_plan(CALL_RECV, 0, 1, errs[i]);
        peer_write(pair.server, "x", 1);
        UNTIL(pair.client, pair.conn->n_closed == 1);
        cr_assert_eq(pair.conn->cause.os_err, errs[i]);
        pair_down(&pair);
        pair = pair_up();
        fault_plan(CALL_SENDMSG, 0, 1, errs[i]);
        fake_send(pair.core, 1, "x", 1);
        UNTIL(pair.client, pair.conn->n_closed == 1);
        cr_assert_eq(pair.conn->cause.os_err, errs[i]);
        cr_assert_eq(pair.conn->written, 0);
        pair_down(&pair);
    }
}

Test(driver_stream, what_the_peer_said_is_read_before_a_failed_write_closes)
{
    struct pair pair = pair_up();
    peer_write(pair.server, "go away", 7);
    fault_plan(CALL_SENDMSG, 0, 1, EPIPE);
    fake_send(pair.core, 1, "hello", 5);
    UNTIL(pair.client, pair.conn->n_closed == 1);
    cr_assert_eq(pair.conn->in_len, 7);
    cr_assert_arr_eq(pair.conn->in, "go away", 7);
    cr_assert_eq(pair.conn->cause.os_err, EPIPE);
    pair_down(&pair);
}

Test(driver_stream, writing_to_a_peer_that_has_closed_raises_no_signal)
{
    struct pair pair = pair_up();
    fake_want(pair.core, KW_WANT_READ_OFF, 1); /* so that only the write can notice */
    cr_assert_eq(kw_client_poll(pair.client, 0), 0);
    peer_reset(pair.server);
    pair.server = -1;
    fake_send(pair.core, 1, "hello", 5); /* SIGPIPE would end this process */
    UNTIL(pair.client, pair.conn->n_closed == 1);
    cr_assert(pair.conn->cause.os_err == EPIPE || pair.conn->cause.os_err == ECONNRESET);
    pair_down(&pair);
}

Test(driver_stream, nothing_is_read_while_reading_is_off)
{
    struct pair pair = pair_up();
    fake_want(pair.core, KW_WANT_READ_OFF, 1);
    cr_assert_eq(kw_client_poll(pair.client, 0), 0);
    peer_write(pair.server, "later", 5);
    int n_recvs = fault_count(CALL_RECV);
    for (int turn = 0; turn < 3; turn++)
        cr_assert_eq(kw_client_poll(pair.client, 5), 0);
    cr_assert_eq(fault_count(CALL_RECV), n_recvs);
    fake_want(pair.core, KW_WANT_READ_ON, 1);
    UNTIL(pair.client, pair.conn->in_len == 5);
    pair_down(&pair);
}

Test(driver_stream, a_peer_that_resets_while_reading_is_off_does_not_make_the_loop_spin)
{
    struct pair pair = pair_up();
    fake_want(pair.core, KW_WANT_READ_OFF, 1);
    cr_assert_eq(kw_client_poll(pair.client, 0), 0);
    peer_reset(pair.server);
    pair.server = -1;
    struct kw_time begin, end;
    kwi_loop_now(pair.client->loop, &begin);
    for (int turn = 0; turn < 5; turn++)
        cr_assert_eq(kw_client_poll(pair.client, 10), 0);
    kwi_loop_now(pair.client->loop, &end);
    cr_assert_geq(end.mono_us - begin.mono_us, 45000, "it did not sleep");
    fake_want(pair.core, KW_WANT_READ_ON, 1);
    UNTIL(pair.client, pair.conn->n_closed == 1);
    cr_assert_eq(pair.conn->cause.os_err, ECONNRESET);
    pair_down(&pair);
}

Test(driver_stream, a_spurious_wake_up_gives_the_lent_buffer_back)
{
    struct pair pair = pair_up();
    peer_write(pair.server, "x", 1);
    fault_plan(CALL_RECV, 0, 1, EAGAIN);
    UNTIL(pair.client, pair.conn->in_len == 1);
    cr_assert_eq(pair.conn->n_empty_reads, 1);
    cr_assert_null(pair.conn->lent, "nothing stays lent while the peer is silent");
    pair_down(&pair);
}

Test(driver_stream, a_write_that_would_block_waits_for_the_socket)
{
    struct pair pair = pair_up();
    char buf[8];
    fault_plan(CALL_SENDMSG, 0, 1, EAGAIN);
    fake_send(pair.core, 1, "ping", 4);
    UNTIL(pair.client, peer_read(pair.server, buf, sizeof(buf)) == 4);
    cr_assert_eq(fault_count(CALL_SENDMSG), 2);
    pair_down(&pair);
}

Test(driver_stream, what_is_offered_before_the_connection_is_up_is_written_when_it_is)
{
    struct pair pair = pair_up();
    char buf[8];
    fake_open(pair.core, 2, pair.port);
    fake_send(pair.core, 2, "early", 5);
    UNTIL(pair.client, pair.core->conns[2].written == 5);
    int server = peer_accept(pair.listener);
    cr_assert_eq(recv(server, buf, sizeof(buf), 0), 5);
    close(server);
    pair_down(&pair);
}

Test(driver_stream, a_connection_that_ends_in_one_callback_gets_no_event_in_the_same_round)
{
    struct pair pair = pair_up();
    int servers[FAKE_CONNS];
    for (uint32_t id = 2; id < FAKE_CONNS; id++) {
        fake_open(pair.core, id, pair.port);
        UNTIL(pair.client, pair.core->conns[id].n_opened == 1);
        servers[id] = peer_accept(pair.listener);
    }
    cr_assert_geq(kw_client_poll(pair.client, 0), 0);
    /* All have news at once, and all of it ends them. The fake core asserts
     * that nothing is asked or told about a connection after its end. */
    for (uint32_t id = 2; id < FAKE_CONNS; id++)
        peer_reset(servers[id]);
    for (uint32_t id = 2; id < FAKE_CONNS; id++)
        fake_send(pair.core, id, "x", 1);
    for (uint32_t id = 2; id < FAKE_CONNS; id++)
        UNTIL(pair.client, pair.core->conns[id].n_closed == 1);
    cr_assert_eq(pair.conn->n_closed, 0);
    pair_down(&pair);
}
