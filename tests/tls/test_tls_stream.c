/* covers: S01 S02 S03 S21 N06
 * TLS moves bytes: in pieces of every size, both ways at once, cut off anywhere,
 * with keys updated and tickets sent in between, and without a wasted turn. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/bundle.h"
#include "net/client.h"
#include "net/peer.h"
#include "tests/net/faults.h"
#include "tests/tls/server.h"

static struct zoo_cert root, leaf;
static struct server server;
static struct kw_client *client;
static struct kw_core *core;
static struct fake_conn *conn;

static void begin(void)
{
    root = zoo_issue(&(struct zoo_spec){.name = "kwire zoo", .is_authority = true}, NULL);
    leaf = zoo_issue(&(struct zoo_spec){.name = "broker", .names = "DNS:localhost,IP:127.0.0.1"},
                     &root);
    struct kw_config *cfg;
    struct kw_error err = {0};
    char *pem = zoo_pem(&root);
    fault_reset();
    cr_assert_eq(kw_config_new(&cfg), 0);
    cr_assert_eq(kw_config_set(cfg, "security.protocol", "SSL", NULL), 0);
    cr_assert_eq(kw_config_set(cfg, "ssl.ca.pem", pem, NULL), 0);
    client = fake_client_of(cfg, &fault_sys, &err);
    cr_assert_not_null(client, "%s", err.text);
    kw_config_destroy(cfg);
    free(pem);
    core = fake_core(client);
    conn = &core->conns[1];
    server_start(&server, (const struct zoo_cert *[]){&leaf, NULL});
}

static void end(void)
{
    kw_client_destroy(client);
    server_stop(&server);
    zoo_free(&root);
    zoo_free(&leaf);
    cr_assert_eq(fault_n_open(), 0);
}
TestSuite(tls_stream, .init = begin, .fini = end);

static void up(void)
{
    fake_open_tls(core, 1, server.port, "localhost");
    TOGETHER(client, &server, conn->n_opened == 1 && SSL_is_init_finished(server.ssl));
}

static void only_1_2(void)
{
    SSL_CTX_set_max_proto_version(server.ctx, TLS1_2_VERSION);
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

/* Turns in which nothing may happen. */
static void quiet(void)
{
    for (int turn = 0; turn < 20; turn++)
        cr_assert_geq(kw_client_poll(client, 0), 0);
    int n_recvs = fault_count(CALL_RECV), n_sends = fault_count(CALL_SENDMSG);
    struct kw_time from, until;
    kwi_loop_now(client->loop, &from);
    for (int turn = 0; turn < 3; turn++)
        cr_assert_eq(kw_client_poll(client, 10), 0);
    kwi_loop_now(client->loop, &until);
    cr_assert_geq(until.mono_us - from.mono_us, 25000, "it did not sleep");
    cr_assert_eq(fault_count(CALL_RECV), n_recvs);
    cr_assert_eq(fault_count(CALL_SENDMSG), n_sends);
}

Test(tls_stream, bytes_come_through_one_at_a_time_both_ways)
{
    uint8_t *sent = noise(300);
    fault_short(CALL_RECV, 1);
    fault_short(CALL_SENDMSG, 1);
    fake_open_tls(core, 1, server.port, "localhost");
    for (int turn = 0; turn < 20000 && !conn->n_opened; turn++) {
        cr_assert_geq(kw_client_poll(client, 0), 0);
        server_pump(&server);
    }
    cr_assert_eq(conn->n_opened, 1, "%s", conn->text);
    conn->piece = 7;
    fake_send(core, 1, sent, 300);
    for (int turn = 0; turn < 20000 && server.got_len < 300; turn++) {
        cr_assert_leq(conn->written, server.sent ? conn->handed_out : 0);
        cr_assert_geq(kw_client_poll(client, 0), 0);
        server_pump(&server);
    }
    server_send(&server, sent, 300);
    for (int turn = 0; turn < 20000 && conn->in_len < 300; turn++)
        cr_assert_geq(kw_client_poll(client, 0), 0);
    cr_assert_eq(server.got_len, 300);
    cr_assert_eq(conn->in_len, 300, "%zu of 300 came: %s", conn->in_len, conn->text);
    cr_assert_arr_eq(server.got, sent, 300);
    cr_assert_arr_eq(conn->in, sent, 300);
    cr_assert_eq(conn->written, 300);
    free(sent);
}

static void megabytes(size_t piece, size_t read_size)
{
    const size_t len = 3 << 20, in_len = read_size == 1 ? 5000 : len;
    uint8_t *sent = noise(len);
    size_t out = 0;
    up();
    conn->piece = piece;
    conn->read_size = read_size;
    conn->coming = in_len;
    fake_send(core, 1, sent, len);
    for (int turn = 0; turn < 20000 && (server.got_len < len || conn->in_len < in_len); turn++) {
        if (out < in_len && BIO_ctrl_pending(server.out) == 0) {
            size_t part = in_len - out < 100000 ? in_len - out : 100000;
            server_send(&server, sent + out, part);
            out += part;
        }
        cr_assert_geq(kw_client_poll(client, 0), 0);
        server_pump(&server);
    }
    cr_assert_eq(server.got_len, len);
    cr_assert_eq(conn->in_len, in_len);
    cr_assert_arr_eq(server.got, sent, len);
    cr_assert_arr_eq(conn->in, sent, in_len);
    cr_assert_eq(conn->written, len);
    free(sent);
}

Test(tls_stream, megabytes_in_large_pieces_are_written_from_where_they_lie)
{
    megabytes(1 << 20, 1 << 20);
}
Test(tls_stream, megabytes_in_small_pieces_are_gathered_into_records)
{
    megabytes(1000, 4096);
}
Test(tls_stream, megabytes_of_odd_pieces_are_read_byte_by_byte)
{
    megabytes(20001, 1);
}

Test(tls_stream, records_that_go_out_in_pieces_are_continued_with_the_same_bytes)
{
    const size_t len = 200000;
    uint8_t *sent = noise(len);
    up();
    conn->piece = 3000;
    fault_short(CALL_SENDMSG, 1111);
    fake_send(core, 1, sent, 50000);
    for (int turn = 0; turn < 50000 && server.got_len < len; turn++) {
        /* Every few calls the socket is full, with a record half written, and
         * more is offered behind it. */
        if (turn % 3 == 0)
            fault_plan(CALL_SENDMSG, 2, 1, EAGAIN);
        if (turn % 5 == 0 && conn->out_len < len)
            fake_send(core, 1, sent + conn->out_len,
                      len - conn->out_len < 777 ? len - conn->out_len : 777);
        cr_assert_geq(kw_client_poll(client, 0), 0);
        cr_assert_leq(conn->written, conn->out_len);
        server_pump(&server);
        cr_assert_leq(server.got_len, conn->handed_out);
    }
    cr_assert_eq(server.got_len, len);
    cr_assert_arr_eq(server.got, sent, len);
    cr_assert_eq(conn->written, len);
    free(sent);
}

Test(tls_stream, nothing_is_confirmed_before_its_record_has_left)
{
    const size_t len = 16 << 20; /* more than both socket buffers take */
    uint8_t *sent = noise(len);
    up();
    server.is_deaf = true;
    fake_send(core, 1, sent, len);
    quiet();
    cr_assert_lt(conn->written, len);
    cr_assert_eq(conn->written % 16384, 0, "whole records only");
    server.is_deaf = false;
    for (int turn = 0; turn < 50000 && server.got_len < len; turn++) {
        server_pump(&server);
        cr_assert_geq(kw_client_poll(client, 0), 0);
    }
    cr_assert_eq(conn->written, len);
    cr_assert_arr_eq(server.got, sent, len);
    free(sent);
}

Test(tls_stream, what_is_offered_before_the_handshake_is_written_after_it)
{
    fake_open_tls(core, 1, server.port, "localhost");
    fake_send(core, 1, "early", 5);
    TOGETHER(client, &server, server.got_len == 5);
    cr_assert_eq(conn->n_opened, 1);
    cr_assert_arr_eq(server.got, "early", 5);
}

/* The socket is silent, but TLS has read ahead. */
Test(tls_stream, bytes_that_wait_inside_of_tls_are_read_when_reading_goes_on)
{
    uint8_t *sent = noise(100000);
    up();
    conn->read_size = 100;
    conn->reading_refused = true; /* as after READ_OFF inside a read */
    server_send(&server, sent, 3000);
    for (int turn = 0; turn < 5; turn++)
        cr_assert_geq(kw_client_poll(client, 2), 0);
    cr_assert_eq(conn->in_len, 0);
    conn->reading_refused = false;
    TOGETHER(client, &server, conn->in_len == 3000);
    /* One read of 100 bytes takes the whole record in; then reading goes off. */
    fake_want(core, KW_WANT_READ_OFF, 1);
    cr_assert_geq(kw_client_poll(client, 0), 0);
    server_send(&server, sent, 16000);
    quiet();
    cr_assert_eq(conn->in_len, 3000);
    fake_want(core, KW_WANT_READ_ON, 1);
    TOGETHER(client, &server, conn->in_len > 3000);
    TOGETHER(client, &server, conn->in_len == 19000);
    free(sent);
}

/* The library has read all of them from the socket by the time that it gives the first. */
Test(tls_stream, small_records_that_came_together_are_read_when_reading_goes_on)
{
    uint8_t *sent = noise(2000);
    up();
    conn->read_size = 100;
    conn->refuse_after = 100;
    server_send_records(&server, sent, 2000, 100);
    TOGETHER(client, &server, conn->in_len == 100);
    fake_want(core, KW_WANT_READ_OFF, 1);
    cr_assert_geq(kw_client_poll(client, 0), 0);
    quiet();
    conn->refuse_after = 0;
    fake_want(core, KW_WANT_READ_ON, 1);
    TOGETHER(client, &server, conn->in_len == 2000);
    cr_assert_arr_eq(conn->in, sent, 2000);
    free(sent);
}

Test(tls_stream, reading_that_goes_off_in_the_middle_of_a_record_stalls_nothing)
{
    uint8_t *sent = noise(16000);
    up();
    conn->read_size = 100;
    conn->refuse_after = 1000; /* lends nothing more from then on */
    server_send(&server, sent, 16000);
    UNTIL(client, conn->in_len == 1000);
    fake_want(core, KW_WANT_READ_OFF, 1);
    quiet();
    cr_assert_eq(conn->in_len, 1000);
    conn->refuse_after = 0;
    fake_want(core, KW_WANT_READ_ON, 1);
    UNTIL(client, conn->in_len == 16000);
    cr_assert_arr_eq(conn->in, sent, 16000);
    free(sent);
}

Test(tls_stream, one_peer_gets_no_more_than_its_share_of_a_turn)
{
    const size_t len = 4 << 20;
    uint8_t *sent = noise(len);
    size_t before = 0, most = 0;
    up();
    conn->read_size = 64 << 10;
    conn->coming = len;
    server_send(&server, sent, len);
    for (int turn = 0; turn < 20000 && conn->in_len < len; turn++) {
        server_pump(&server);
        cr_assert_geq(kw_client_process(client, 0), 0);
        most = conn->in_len - before > most ? conn->in_len - before : most;
        before = conn->in_len;
    }
    cr_assert_eq(conn->in_len, len);
    /* Once from what TLS held, once from the socket. */
    cr_assert_leq(most, 2 * KWI_PEER_READ_SHARE);
    cr_assert_arr_eq(conn->in, sent, len);
    free(sent);
}

/* ---- large answers: many records a call ------------------------------------------- */

/* The broker sends `len` bytes, of which `first` bytes of ciphertext come for now. */
static uint8_t *begin_large(size_t len, size_t first)
{
    uint8_t *sent = noise(len);
    up();
    conn->read_size = len;
    conn->coming = conn->in_len + len;
    server.limit = server.sent + first;
    server_send(&server, sent, len);
    return sent;
}

/* It waits for as much as a turn reads, and is not woken in between; for what is left at
 * the end, and for the small answer behind it, it does not wait. */
Test(tls_stream, a_large_answer_is_waited_for_and_what_follows_it_is_not)
{
    const size_t len = 600000;
    uint8_t *sent = begin_large(len, 100000);
    TOGETHER(client, &server, conn->in_len > 80000);
    quiet();
    server.limit += 40000; /* no more than the window of a new connection */
    server_pump(&server);
    quiet();
    cr_assert_lt(conn->in_len, 100000, "woken early");
    for (int i = 0; i < 100 && conn->in_len < len; i++) {
        server.limit += 10000;
        server_pump(&server);
        cr_assert_geq(kw_client_poll(client, 2), 0);
    }
    cr_assert_eq(conn->in_len, len);
    cr_assert_lt(fault_count(CALL_RECV), 60);
    server.limit = SIZE_MAX;
    server_send(&server, "after", 5);
    TOGETHER(client, &server, conn->in_len == len + 5);
    cr_assert_arr_eq(conn->in, sent, len);
    cr_assert_arr_eq(conn->in + len, "after", 5);
    free(sent);
}

Test(tls_stream, an_end_in_the_middle_of_a_large_answer_is_told_at_once)
{
    uint8_t *sent = begin_large(600000, 100000);
    TOGETHER(client, &server, conn->in_len > 80000);
    server_hang_up(&server, false);
    UNTIL(client, conn->n_closed == 1);
    cr_assert(strstr(conn->text, "without the goodbye of TLS"), "%s", conn->text);
    cr_assert_arr_eq(conn->in, sent, conn->in_len);
    free(sent);
}

/* What came before an error is handed on, and then the error is told. */
Test(tls_stream, a_read_that_fails_behind_some_records_tells_the_errno)
{
    uint8_t *sent = begin_large(600000, 100000);
    fault_short(CALL_RECV, 50000);
    fault_plan(CALL_RECV, 1, 1, ECONNRESET);
    UNTIL(client, conn->n_closed == 1);
    cr_assert_eq(conn->cause.os_err, ECONNRESET);
    cr_assert_gt(conn->in_len, 0);
    cr_assert_arr_eq(conn->in, sent, conn->in_len);
    free(sent);
}

Test(tls_stream, reading_that_goes_off_in_a_large_answer_stalls_nothing)
{
    const size_t len = 600000;
    uint8_t *sent = begin_large(len, SIZE_MAX / 2);
    conn->refuse_after = 100000;
    for (int turn = 0; turn < 50 && conn->in_len < 100000; turn++)
        cr_assert_geq(kw_client_poll(client, 2), 0);
    fake_want(core, KW_WANT_READ_OFF, 1);
    for (int turn = 0; turn < 20; turn++)
        cr_assert_geq(kw_client_poll(client, 0), 0);
    cr_assert_lt(conn->in_len, len);
    conn->refuse_after = 0;
    fake_want(core, KW_WANT_READ_ON, 1);
    TOGETHER(client, &server, conn->in_len == len);
    cr_assert_arr_eq(conn->in, sent, len);
    free(sent);
}

/* Records of several lists wait together, in order, and are one call of the system. */
Test(tls_stream, records_that_wait_for_the_socket_are_sent_together)
{
    const size_t len = 98304; /* six records */
    uint8_t *sent = noise(2 * len);
    up();
    int before = fault_count(CALL_SENDMSG);
    fault_plan(CALL_SENDMSG, 0, 1, EAGAIN);
    fake_send(core, 1, sent, len);
    cr_assert_geq(kw_client_process(client, 0), 0);
    fake_send(core, 1, sent + len, len);
    TOGETHER(client, &server, server.got_len == 2 * len);
    cr_assert_eq(conn->written, 2 * len);
    cr_assert_leq(fault_count(CALL_SENDMSG), before + 5);
    cr_assert_arr_eq(server.got, sent, 2 * len);
    free(sent);
}

/* The socket takes a little at a time, and there is always more to send: what has left is
 * confirmed, whatever joined the bundle since. */
Test(tls_stream, what_has_left_is_confirmed_though_the_bundle_is_never_empty)
{
    const size_t len = 6 << 20;
    uint8_t *sent = noise(len);
    up();
    conn->piece = 4000;
    fault_short(CALL_SENDMSG, 60000);
    fake_send(core, 1, sent, len);
    for (int turn = 0; turn < 20000 && server.got_len < len; turn++) {
        fault_plan(CALL_SENDMSG, turn % 3, 1, EAGAIN);
        cr_assert_geq(kw_client_poll(client, 0), 0);
        server_pump(&server);
        cr_assert_leq(conn->handed_out - conn->written, (size_t)4 * KWI_BUNDLE);
    }
    fault_plan(CALL_SENDMSG, 0, 0, 0);
    TOGETHER(client, &server, conn->written == len);
    cr_assert_arr_eq(server.got, sent, len);
    free(sent);
}

Test(tls_stream, a_write_that_fails_with_records_waiting_tells_the_errno)
{
    uint8_t *sent = noise(98304);
    up();
    fault_plan(CALL_SENDMSG, 0, 1, EPIPE);
    fake_send(core, 1, sent, 98304);
    UNTIL(client, conn->n_closed == 1);
    cr_assert_eq(conn->cause.os_err, EPIPE);
    cr_assert_eq(conn->written, 0);
    free(sent);
}

/* ---- handshakes ---------------------------------------------------------------- */

/* The broker stops after n bytes of what it has to say, for every n. */
static void stall_everywhere(void)
{
    fake_open_tls(core, 1, server.port, "localhost");
    TOGETHER(client, &server, conn->n_opened == 1);
    size_t whole = server.sent, step = 37;
    uint32_t id = 1;
    for (size_t n = 0; n < whole && id + 1 < FAKE_CONNS; n += step) {
        /* Few connections are to be had in one core: pick steps over the whole. */
        step = whole / (FAKE_CONNS - 2) + 1;
        server_hang_up(&server, false);
        server.limit = n;
        fake_open_tls(core, ++id, server.port, "127.0.0.1"); /* another name: not resumed */
        for (int turn = 0; turn < 20; turn++) {
            cr_assert_geq(kw_client_poll(client, 0), 0);
            server_pump(&server);
        }
        if (core->conns[id].n_opened) /* the last bytes were tickets */
            break;
        cr_assert_eq(core->conns[id].n_closed, 0, "%s", core->conns[id].text);
        quiet();
        fake_want(core, KW_WANT_CLOSE, id);
        UNTIL(client, core->conns[id].n_closed == 1);
        cr_assert_eq(core->conns[id].n_opened, 0);
    }
    cr_assert_gt(id, 3, "too few places were tried");
}

Test(tls_stream, a_handshake_that_stalls_costs_no_turns_and_ends_when_the_core_says_so)
{
    stall_everywhere();
}
Test(tls_stream, a_handshake_of_1_2_that_stalls_costs_no_turns_and_ends_when_the_core_says_so)
{
    only_1_2();
    stall_everywhere();
}

Test(tls_stream, an_end_in_the_middle_of_the_handshake_is_told)
{
    fake_open_tls(core, 1, server.port, "localhost");
    server.limit = 100;
    for (int turn = 0; turn < 20; turn++) {
        cr_assert_geq(kw_client_poll(client, 0), 0);
        server_pump(&server);
    }
    server_hang_up(&server, false);
    UNTIL(client, conn->n_closed == 1);
    cr_assert_eq(conn->n_opened, 0);
    cr_assert_eq(conn->cause.phase, KW_PHASE_TLS);
    cr_assert_eq(conn->cause.code, 0, "it may be a restart: worth another attempt");
    cr_assert(strstr(conn->text, "during the TLS handshake"), "%s", conn->text);
}

Test(tls_stream, each_errno_of_a_read_or_a_write_in_the_handshake_closes_once)
{
    static const enum fault_call calls[] = {CALL_RECV, CALL_SENDMSG};
    for (uint32_t id = 1; id < 5; id++) {
        if (server.fd >= 0)
            server_hang_up(&server, false);
        fault_plan(calls[id % 2], id > 2 ? 1 : 0, 1, ECONNRESET);
        fake_open_tls(core, id, server.port, "127.0.0.1");
        struct fake_conn *it = &core->conns[id];
        TOGETHER(client, &server, it->n_closed + it->n_opened > 0);
        if (it->n_opened)
            continue; /* it was done in fewer calls */
        cr_assert_eq(it->cause.phase, KW_PHASE_TLS);
        cr_assert_eq(it->cause.os_err, ECONNRESET);
        cr_assert(strcmp(it->text, strerror(ECONNRESET)) == 0 ||
                      strstr(it->text, "without a word of TLS"),
                  "%s", it->text);
    }
    cr_assert_eq(core->conns[1].n_closed, 1);
    cr_assert_eq(core->conns[2].n_closed, 1);
}

/* mbedTLS sends its flight message by message: the broker has refused the first and is
 * gone when the next is sent. OpenSSL sends a flight at once. */
Test(tls_stream, the_last_words_of_a_broker_are_heard_though_a_write_failed)
{
    if (strcmp(by("at once", "in parts"), "at once") == 0)
        cr_skip_test("a flight is one write");
    only_1_2();
    SSL_CTX_set_verify(server.ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    fake_open_tls(core, 1, server.port, "localhost");
    fault_plan(CALL_SENDMSG, 2, 1, EAGAIN); /* behind the hello and our (empty) certificate */
    TOGETHER(client, &server, fault_count(CALL_SENDMSG) == 3);
    server_pump(&server); /* it refuses that one */
    fault_plan(CALL_SENDMSG, 0, 1, EPIPE);
    UNTIL(client, conn->n_closed == 1);
    cr_assert(strstr(conn->text, "wants a client certificate and got none"), "%s", conn->text);
    cr_assert_eq(conn->cause.code, KW_ERR_AUTH);
}

Test(tls_stream, who_watches_is_told_what_was_agreed_on)
{
    client->is_watched = true;
    up();
    cr_assert_eq(conn->n_connected, 1);
    cr_assert_eq(conn->n_secured, 1);
    cr_assert(strncmp(conn->tls.protocol, "TLSv1.", 6) == 0, "%s", conn->tls.protocol);
    cr_assert_neq(conn->tls.suite[0], 0);
    cr_assert_not(conn->tls.resumed);
    cr_assert_geq(conn->tls.n_chain, 1);
    cr_assert_str_eq(conn->tls.chain[0].subject, "broker");
    cr_assert_str_eq(conn->tls.chain[0].issuer, "kwire zoo");
    cr_assert_str_eq(conn->tls.chain[0].names, "localhost, 127.0.0.1");
    cr_assert_eq(conn->tls.chain[0].not_after - conn->tls.chain[0].not_before, 25 * 3600);
    cr_assert_lt(llabs(conn->tls.chain[0].not_before + 3600 - (int64_t)time(NULL)), 600);
    cr_assert(strstr(conn->tls.chain[0].key, "256"), "%s", conn->tls.chain[0].key);
}

/* ---- ends ----------------------------------------------------------------------- */

Test(tls_stream, a_goodbye_is_an_end_without_a_reason)
{
    up();
    server_send(&server, "last", 4);
    server_hang_up(&server, true);
    UNTIL(client, conn->n_closed == 1);
    cr_assert_eq(conn->in_len, 4);
    cr_assert_eq(conn->cause.phase, KW_PHASE_REQUEST);
    cr_assert_eq(conn->cause.os_err, 0);
    cr_assert_str_eq(conn->text, "");
}

Test(tls_stream, an_end_without_goodbye_is_told_as_cut)
{
    up();
    server_send(&server, "half a fra", 10);
    server_hang_up(&server, false);
    UNTIL(client, conn->n_closed == 1);
    cr_assert_eq(conn->in_len, 10);
    cr_assert(strstr(conn->text, "without the goodbye of TLS"), "%s", conn->text);
    cr_assert_eq(conn->cause.code, 0);
}

Test(tls_stream, a_record_that_is_cut_off_is_never_handed_on)
{
    up();
    server.limit = server.sent + 500;
    uint8_t *sent = noise(1000);
    server_send(&server, sent, 1000);
    for (int turn = 0; turn < 5; turn++)
        cr_assert_geq(kw_client_poll(client, 2), 0);
    server_hang_up(&server, false);
    UNTIL(client, conn->n_closed == 1);
    cr_assert_eq(conn->in_len, 0);
    free(sent);
}

Test(tls_stream, a_record_that_was_changed_on_the_way_is_never_handed_on)
{
    up();
    static const char garbage[] = "\x17\x03\x03\0\x20 thirty-two bytes that nobody wrote";
    peer_write(server.fd, garbage, 37);
    UNTIL(client, conn->n_closed == 1);
    cr_assert_eq(conn->in_len, 0);
    cr_assert_eq(conn->cause.phase, KW_PHASE_TLS);
    cr_assert_gt(strlen(conn->text), 10);
}

Test(tls_stream, our_close_says_goodbye)
{
    up();
    fake_want(core, KW_WANT_CLOSE, 1);
    TOGETHER(client, &server, server.closed);
    cr_assert_eq(conn->n_closed, 1);
    cr_assert(conn->no_cause);
}

Test(tls_stream, a_close_in_the_middle_of_a_record_waits_for_nothing)
{
    const size_t len = 16 << 20;
    uint8_t *sent = noise(len);
    up();
    server.is_deaf = true;
    fake_send(core, 1, sent, len);
    quiet();
    fake_want(core, KW_WANT_CLOSE, 1);
    UNTIL(client, conn->n_closed == 1);
    free(sent);
}

Test(tls_stream, a_write_that_fails_after_the_handshake_tells_the_errno)
{
    up();
    fault_plan(CALL_SENDMSG, 0, 1, EPIPE);
    fake_send(core, 1, "hello", 5);
    UNTIL(client, conn->n_closed == 1);
    cr_assert_eq(conn->cause.os_err, EPIPE);
    cr_assert_eq(conn->written, 0);
}

/* ---- in between ------------------------------------------------------------------- */

/* mbedTLS refuses it, and ends the connection. */
static void can_update_keys(void)
{
    if (strcmp(by("can", "cannot"), "cannot") == 0)
        cr_skip_test("mbedTLS has no change of keys");
}

Test(tls_stream, keys_are_updated_whoever_asks_for_it)
{
    can_update_keys();
    up();
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(SSL_key_update(server.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        server_send(&server, "after", 5);
        TOGETHER(client, &server, conn->in_len == 5 * (size_t)(i + 1));
        fake_send(core, 1, "reply", 5);
        TOGETHER(client, &server, server.got_len == 5 * (size_t)(i + 1));
    }
    cr_assert_arr_eq(conn->in, "afterafterafter", 15);
    cr_assert_arr_eq(server.got, "replyreplyreply", 15);
}

Test(tls_stream, keys_are_updated_while_the_socket_is_full)
{
    can_update_keys();
    const size_t len = 16 << 20;
    uint8_t *sent = noise(len);
    up();
    server.is_deaf = true;
    fake_send(core, 1, sent, len);
    quiet();
    cr_assert_eq(SSL_key_update(server.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    server_send(&server, "after", 5);
    for (int turn = 0; turn < 20; turn++)
        cr_assert_geq(kw_client_poll(client, 0), 0);
    server.is_deaf = false;
    for (int turn = 0; turn < 50000 && (server.got_len < len || conn->in_len < 5); turn++) {
        server_pump(&server);
        cr_assert_geq(kw_client_poll(client, 0), 0);
    }
    cr_assert_eq(conn->in_len, 5);
    cr_assert_eq(conn->written, len);
    cr_assert_arr_eq(server.got, sent, len);
    free(sent);
}

Test(tls_stream, renegotiation_is_refused_and_the_connection_goes_on)
{
    only_1_2();
    up();
    cr_assert_eq(SSL_renegotiate(server.ssl), 1);
    (void)SSL_do_handshake(server.ssl); /* writes a HelloRequest */
    size_t before = server.sent;
    server_pump(&server);
    cr_assert_gt(server.sent, before);
    for (int turn = 0; turn < 5; turn++)
        cr_assert_geq(kw_client_poll(client, 2), 0);
    cr_assert_eq(conn->n_closed, 0, "%s", conn->text);
    char alert[64];
    /* The answer is an alert (no_renegotiation), not a ClientHello. */
    cr_assert_gt(recv(server.fd, alert, sizeof(alert), MSG_DONTWAIT), 5);
    cr_assert_eq(alert[0], 21);
}

static void resumes(void)
{
    up();
    TOGETHER(client, &server, SSL_is_init_finished(server.ssl));
    fake_send(core, 1, "x", 1);
    server_send(&server, "tickets come before this", 24);
    TOGETHER(client, &server, conn->in_len == 24 && server.got_len == 1);
    cr_assert_eq(SSL_session_reused(server.ssl), 0);
    server_hang_up(&server, true);
    UNTIL(client, conn->n_closed == 1);
    /* Another name, though it is the same broker, begins anew. */
    fake_open_tls(core, 2, server.port, "127.0.0.1");
    TOGETHER(client, &server, core->conns[2].n_opened == 1);
    cr_assert_eq(SSL_session_reused(server.ssl), 0);
    server_hang_up(&server, true);
    UNTIL(client, core->conns[2].n_closed == 1);
    fake_open_tls(core, 3, server.port, "LOCALHOST.");
    TOGETHER(client, &server, core->conns[3].n_opened == 1 && SSL_is_init_finished(server.ssl));
    cr_assert_eq(SSL_session_reused(server.ssl), 1);
}

Test(tls_stream, a_session_is_resumed_for_the_same_name_alone)
{
    resumes();
}
Test(tls_stream, a_session_of_1_2_is_resumed_for_the_same_name_alone)
{
    only_1_2();
    resumes();
}
