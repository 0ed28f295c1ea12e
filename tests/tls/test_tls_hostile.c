/* covers: S02 S03 S04 B12
 * A peer that says nothing but what both libraries skip, that leaves in the middle of the
 * handshake, or that shows a bad certificate and hangs up before we can say so. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/tls.h"
#include "tests/net/faults.h"
#include "tests/tls/server.h"

static struct zoo_cert root, leaf;
static struct kw_config *cfg;

static void begin(void)
{
    root = zoo_issue(&(struct zoo_spec){.name = "kwire zoo", .is_authority = true}, NULL);
    char *pem = zoo_pem(&root);
    fault_reset();
    cr_assert_eq(kw_config_new(&cfg), 0);
    cr_assert_eq(kw_config_set(cfg, "security.protocol", "SSL", NULL), 0);
    cr_assert_eq(kw_config_set(cfg, "ssl.ca.pem", pem, NULL), 0);
    free(pem);
}

static void end(void)
{
    kw_config_destroy(cfg);
    zoo_free(&root);
}
TestSuite(tls_hostile, .init = begin, .fini = end, .timeout = 60);

static void *plain_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void plain_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

/* ---- messages without end --------------------------------------------------------- */

/* The same record again and again, as fast as it is read. */
struct flood {
    const uint8_t *record;
    size_t len, at;
    int n_recvs;
};

static int flood_recv(void *ctx, const struct kw_iov *iov, size_t n_iov, size_t *n, int *os_err)
{
    struct flood *flood = ctx;
    (void)os_err;
    *n = 0;
    for (size_t i = 0; i < n_iov; *n += iov[i++].len) {
        for (size_t k = 0; k < iov[i].len; k++)
            ((uint8_t *)iov[i].base)[k] = flood->record[flood->at++ % flood->len];
    }
    flood->n_recvs++;
    return 0;
}

static int flood_send(void *ctx, const void *ptr, size_t len, size_t *n, int *os_err)
{
    (void)ctx;
    (void)ptr;
    (void)os_err;
    *n = len;
    return 0;
}

Test(tls_hostile, a_step_ends_though_messages_do_not)
{
    /* HelloRequest, which OpenSSL skips, and a warning, which mbedTLS does. */
    static const uint8_t records[][9] = {{22, 3, 3, 0, 4, 0, 0, 0, 0}, {21, 3, 3, 0, 2, 1, 90}};
    static const size_t lens[] = {9, 7};
    bool held = false;
    for (size_t i = 0; i < 2; i++) {
        struct flood flood = {.record = records[i], .len = lens[i]};
        const struct kw_tls_io io = {&flood, flood_recv, flood_send};
        static const struct kw_alloc alloc = {.alloc = plain_alloc, .free = plain_free};
        static struct kw_heap heap;
        struct kw_tls *tls;
        struct kw_tls_session *session;
        int rc = KWI_TLS_WANT_READ;
        kwi_heap_init(&heap, &alloc, SIZE_MAX);
        cr_assert_eq(kwi_tls_create(&tls, cfg, &heap, NULL), 0);
        cr_assert_eq(kwi_tls_open(&session, tls, &io, "localhost", 9093), 0);
        for (int step = 1; step < 4 && rc == KWI_TLS_WANT_READ; step++) {
            rc = kwi_tls_handshake(session);
            cr_assert_neq(rc, KWI_TLS_DONE);
            cr_assert_leq(flood.n_recvs, step * KWI_TLS_RECVS);
            held |= flood.n_recvs >= KWI_TLS_RECVS;
        }
        kwi_tls_close(session);
        kwi_tls_destroy(tls);
    }
    cr_assert(held, "both were refused at once");
}

/* ---- ends ----------------------------------------------------------------------------- */

Test(tls_hostile, a_goodbye_in_the_handshake_is_no_handshake)
{
    static const uint8_t goodbye[] = {21, 3, 3, 0, 2, 1, 0};
    struct kw_client *client = fake_client_of(cfg, NULL, NULL);
    struct fake_conn *conn = &fake_core(client)->conns[1];
    uint16_t port;
    int listener = peer_listen(&port), fd;
    fake_open_tls(fake_core(client), 1, port, "localhost");
    for (int turn = 0; turn < 5; turn++)
        cr_assert_geq(kw_client_poll(client, 2), 0);
    fd = peer_accept(listener);
    peer_write(fd, goodbye, sizeof(goodbye));
    UNTIL(client, conn->n_closed == 1);
    cr_assert_eq(conn->n_opened, 0);
    cr_assert_eq(conn->n_secured, 0);
    cr_assert_eq(conn->cause.phase, KW_PHASE_TLS);
    cr_assert(strstr(conn->text, by("during the TLS handshake", "TLS")), "%s", conn->text);
    kw_client_destroy(client);
    close(fd);
    close(listener);
}

/* What is wrong with it matters more than that nobody listens to us. */
Test(tls_hostile, a_bad_certificate_is_told_though_the_alert_finds_nobody)
{
    static const struct zoo_spec old = {
        .name = "broker", .names = "DNS:localhost", .from_s = -90000, .until_s = -3600};
    struct server server;
    leaf = zoo_issue(&old, &root);
    server_start(&server, (const struct zoo_cert *[]){&leaf, NULL});
    struct kw_client *client = fake_client_of(cfg, &fault_sys, NULL);
    struct fake_conn *conn = &fake_core(client)->conns[1];
    fault_plan(CALL_SENDMSG, 1, 1, EPIPE); /* behind the hello */
    fake_open_tls(fake_core(client), 1, server.port, "localhost");
    TOGETHER(client, &server, conn->n_opened + conn->n_closed > 0);
    cr_assert_eq(conn->n_opened, 0);
    cr_assert(strstr(conn->text, "expired"), "%s", conn->text);
    cr_assert_eq(conn->cause.code, KW_ERR_AUTH);
    kw_client_destroy(client);
    server_stop(&server);
    zoo_free(&leaf);
}

/* ---- a write behind what a read has to send -------------------------------------------- */

/* The answer to a HelloRequest does not fit the socket; what is written next must come
 * behind it, and not be taken for it. */
Test(tls_hostile, nothing_is_confirmed_that_an_alert_has_pushed_aside)
{
    static const struct zoo_spec good = {.name = "broker", .names = "DNS:localhost"};
    struct server server;
    uint8_t seen[512];
    size_t n_seen = 0, n_data = 0;
    leaf = zoo_issue(&good, &root);
    server_start(&server, (const struct zoo_cert *[]){&leaf, NULL});
    SSL_CTX_set_max_proto_version(server.ctx, TLS1_2_VERSION);
    struct kw_client *client = fake_client_of(cfg, &fault_sys, NULL);
    struct fake_conn *conn = &fake_core(client)->conns[1];
    fake_open_tls(fake_core(client), 1, server.port, "localhost");
    TOGETHER(client, &server, conn->n_opened == 1 && SSL_is_init_finished(server.ssl));
    cr_assert_eq(SSL_renegotiate(server.ssl), 1);
    (void)SSL_do_handshake(server.ssl);
    server_pump(&server);
    fault_plan(CALL_SENDMSG, 0, 1, EAGAIN);
    for (int n = fault_count(CALL_SENDMSG); n == fault_count(CALL_SENDMSG);)
        cr_assert_geq(kw_client_poll(client, 1), 0); /* our refusal of it waits now */
    fake_send(fake_core(client), 1, "hello", 5);
    for (int turn = 0; turn < 20; turn++) {
        cr_assert_geq(kw_client_poll(client, 2), 0);
        ssize_t n = recv(server.fd, seen + n_seen, sizeof(seen) - n_seen, MSG_DONTWAIT);
        n_seen += n > 0 ? (size_t)n : 0;
    }
    for (size_t at = 0; at + 5 <= n_seen; at += 5 + (size_t)(seen[at + 3] << 8 | seen[at + 4]))
        n_data += seen[at] == 23; /* application data */
    cr_assert_eq(conn->written, 5);
    cr_assert_gt(n_data, 0, "confirmed, and never sent");
    kw_client_destroy(client);
    server_stop(&server);
    zoo_free(&leaf);
}
