/* covers: M01
 * Any allocation of a connection may fail, ours or OpenSSL's: it works or ends with
 * a cause, and nothing crashes. */
#include <criterion/criterion.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "net/client.h"
#include "tests/tls/server.h"

static long countdown = -1; /* allocations that still succeed; -1: all do */
static long n_failed;

static bool fails(void)
{
    if (countdown < 0)
        return false;
    if (countdown > 0) {
        countdown--;
        return false;
    }
    n_failed++;
    return true;
}

static void *ssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails() ? NULL : malloc(size);
}
static void *ssl_realloc(void *ptr, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails() ? NULL : realloc(ptr, size);
}
static void ssl_free(void *ptr, const char *file, int line)
{
    (void)file;
    (void)line;
    free(ptr);
}
static void *own_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return fails() ? NULL : malloc(size);
}
static void own_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

static struct zoo_cert root, leaf, me;
static struct kw_config *cfg;

/* Before OpenSSL's first allocation, which may be another library's. */
static int is_ours;
__attribute__((constructor)) static void take_over(void)
{
    is_ours = CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free);
}

static void begin(void)
{
    cr_assert_eq(is_ours, 1);
    root = zoo_issue(&(struct zoo_spec){.name = "kwire zoo", .is_authority = true}, NULL);
    leaf = zoo_issue(&(struct zoo_spec){.name = "broker", .names = "DNS:localhost"}, &root);
    me = zoo_issue(&(struct zoo_spec){.name = "me", .usage = "clientAuth"}, &root);
    char *pem = zoo_pem(&root), *own = zoo_pem(&me), *key = zoo_key_pem(&me, "secret");
    const char *settings[][2] = {
        {"security.protocol", "SSL"},   {"ssl.ca.pem", pem},
        {"ssl.certificate.pem", own},   {"ssl.key.pem", key},
        {"ssl.key.password", "secret"}, {"ssl.cipher.suites", "TLS_AES_128_GCM_SHA256"}};
    cr_assert_eq(kw_config_new(&cfg), 0);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        cr_assert_eq(kw_config_set(cfg, settings[i][0], settings[i][1], NULL), 0);
    free(pem);
    free(own);
    free(key);
}

static void end(void)
{
    kw_config_destroy(cfg);
    zoo_free(&root);
    zoo_free(&leaf);
    zoo_free(&me);
}
TestSuite(tls_memory, .init = begin, .fini = end, .timeout = 300);

static struct kw_client *make(long fail_at, int *rc, struct kw_error *err)
{
    const struct kw_env env = {.alloc = {.alloc = own_alloc, .free = own_free}};
    struct kw_client *client = NULL;
    countdown = fail_at;
    *rc = kwi_client_create(&client, cfg, &env, &kwi_sys_real, err);
    countdown = -1;
    return client;
}

/* A handshake and an echo, with the client's k-th allocation failing. */
static bool attempt(struct kw_client *client, long k)
{
    struct server server;
    server_start(&server, (const struct zoo_cert *[]){&leaf, NULL});
    struct kw_core *core = fake_core(client);
    struct fake_conn *conn = &core->conns[1];
    bool sent = false;
    fake_open_tls(core, 1, server.port, "localhost");
    fake_send(core, 1, "hello", 5);
    for (int turn = 0; turn < 300 && !conn->n_closed && conn->in_len < 5; turn++) {
        countdown = countdown < 0 && turn == 0 ? k : countdown;
        cr_assert_geq(kw_client_poll(client, 1), 0);
        long left = countdown;
        countdown = -1; /* the other end has all the memory it wants */
        server_pump(&server);
        if (server.got_len == 5 && !sent) {
            server_send(&server, "world", 5);
            sent = true;
        }
        countdown = left;
    }
    countdown = -1;
    bool done = conn->in_len == 5;
    cr_assert(done || conn->n_closed == 1, "%ld: neither done nor closed", k);
    if (done)
        cr_assert_arr_eq(conn->in, "world", 5);
    kw_client_destroy(client);
    server_stop(&server);
    return done;
}

Test(tls_memory, a_connection_works_or_ends_with_a_cause)
{
    long n_whole = 0, n_ended = 0;
    for (long k = 0; n_whole < 3; k += k < 40 ? 1 : 7) {
        struct kw_error err;
        int rc;
        struct kw_client *client = make(-1, &rc, &err);
        cr_assert_not_null(client);
        n_failed = 0;
        bool done = attempt(client, k);
        n_whole += done && n_failed == 0;
        n_ended += !done;
    }
    cr_assert_gt(n_ended, 30);
}
