/* covers: M01
 * Any allocation of a context or of a connection may fail, ours or the library's, once
 * or from then on: it works or ends with a cause, nothing crashes, and nothing is lost. */
#include <criterion/criterion.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/client.h"
#include "net/tls.h"
#include "tests/tls/server.h"

static long countdown = -1; /* allocations that still succeed; -1: all do */
static long n_failed;
static bool once;     /* one fails, and then none */
static bool own_only; /* those of the library do not count */

static bool fails(void)
{
    if (countdown < 0)
        return false;
    if (countdown > 0) {
        countdown--;
        return false;
    }
    n_failed++;
    countdown = once ? -1 : 0;
    return true;
}

static bool library_fails(void)
{
    return !own_only && fails();
}

/* mbedTLS has its memory from here; by a pointer, or the compiler would see that this
 * is what calloc does, and call it. */
static void *(*const volatile plain_malloc)(size_t) = malloc;

void *calloc(size_t n, size_t size)
{
    if (library_fails() || (size > 0 && n > SIZE_MAX / size))
        return NULL;
    void *ptr = plain_malloc(n * size);
    if (ptr)
        memset(ptr, 0, n * size);
    return ptr;
}

static void *ssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return library_fails() ? NULL : malloc(size);
}
static void *ssl_realloc(void *ptr, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return library_fails() ? NULL : realloc(ptr, size);
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
    char *crl = zoo_crl_pem(&root, NULL, 90000);
    /* From files, each of which is memory of ours for a while. */
    const char *settings[][2] = {
        {"security.protocol", "SSL"},
        {"ssl.ca.location", zoo_file(0, pem)},
        {"ssl.certificate.location", zoo_file(1, own)},
        {"ssl.key.location", zoo_file(2, key)},
        {"ssl.crl.location", zoo_file(3, crl)},
        {"ssl.key.password", "secret"},
        {"ssl.cipher.suites", "TLS_AES_128_GCM_SHA256,ECDHE-ECDSA-AES128-GCM-SHA256"}};
    cr_assert_eq(kw_config_new(&cfg), 0);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        cr_assert_eq(kw_config_set(cfg, settings[i][0], settings[i][1], NULL), 0);
    free(pem);
    free(own);
    free(key);
    free(crl);
}

static void end(void)
{
    kw_config_destroy(cfg);
    for (int slot = 0; slot < 4; slot++)
        unlink(zoo_file(slot, ""));
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
        countdown = turn == 0 ? k : countdown;
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

static long by_library(long openssl, long mbedtls)
{
    return strcmp(by("openssl", "mbedtls"), "openssl") == 0 ? openssl : mbedtls;
}

Test(tls_memory, a_connection_works_or_ends_with_a_cause)
{
    long n_whole = 0, n_ended = 0;
    for (long k = 0; n_whole < 3; k += k < 40 ? 1 : k / by_library(20, 6)) {
        struct kw_error err;
        int rc;
        struct kw_client *client = make(-1, &rc, &err);
        cr_assert_not_null(client);
        n_failed = 0;
        bool done = attempt(client, k);
        n_whole += done && n_failed == 0;
        n_ended += !done;
    }
    cr_assert_gt(n_ended, by_library(30, 20));
}

/* ---- the context and the session alone ------------------------------------------- */

static struct kw_heap heap;

static int io_nothing(void *ctx, const struct kw_iov *iov, size_t n_iov, size_t *n, int *os_err)
{
    (void)ctx;
    (void)iov;
    (void)n_iov;
    (void)os_err;
    *n = 0;
    return KW_ERR_WOULD_BLOCK;
}
static int io_nowhere(void *ctx, const void *ptr, size_t len, size_t *n, int *os_err)
{
    (void)ptr;
    (void)len;
    return io_nothing(ctx, NULL, 0, n, os_err);
}

/* Makes a context, with the k-th allocation failing. */
static struct kw_tls *create(long k, struct kw_error *err, int *rc)
{
    struct kw_tls *tls = (struct kw_tls *)&heap; /* must be set to NULL */
    *err = (struct kw_error){0};
    n_failed = 0;
    countdown = k;
    *rc = kwi_tls_create(&tls, cfg, &heap, err);
    countdown = -1;
    cr_assert_eq(*rc == 0, tls != NULL);
    return tls;
}

static struct kw_tls_session *open_session(struct kw_tls *tls, long k, int *rc)
{
    const struct kw_tls_io io = {NULL, io_nothing, io_nowhere};
    struct kw_tls_session *session = (struct kw_tls_session *)&heap;
    n_failed = 0;
    countdown = k;
    *rc = kwi_tls_open(&session, tls, &io, "localhost", 9093);
    countdown = -1;
    cr_assert_eq(*rc == 0, session != NULL);
    return session;
}

/* The next k: the first ones one by one, then ever fewer. */
static long further(long k)
{
    return k + 1 + (k < 60 ? 0 : k / 10);
}

static void contexts(void)
{
    long n_ended = 0;
    for (long k = 0;; k = own_only ? k + 1 : further(k)) {
        struct kw_error err;
        int rc;
        struct kw_tls *tls = create(k, &err, &rc);
        bool failed = n_failed > 0;
        if (rc != 0) {
            cr_assert(failed);
            cr_assert(rc == KW_ERR_NOMEM || (rc == KW_ERR_CONFIG && !own_only), "%ld: %s", k,
                      err.text);
            cr_assert_eq(err.code, rc);
            cr_assert_gt(strlen(err.text), 5);
            n_ended++;
        } else {
            cr_assert(!failed || !own_only, "%ld: it did not notice", k);
        }
        kwi_tls_destroy(tls);
        cr_assert_eq(heap.used, 0, "%ld: %zu bytes are lost", k, heap.used);
        if (!failed)
            break;
    }
    cr_assert_geq(n_ended, 5, "%ld", n_ended);
}

static void sessions(void)
{
    struct kw_error err;
    int rc;
    struct kw_tls *tls = create(-1, &err, &rc);
    cr_assert_not_null(tls, "%s", err.text);
    size_t used = heap.used;
    for (long k = 0;; k = further(k)) {
        struct kw_tls_session *session = open_session(tls, k, &rc);
        bool failed = n_failed > 0;
        cr_assert(rc == 0 || rc == KW_ERR_NOMEM);
        cr_assert(rc != 0 || !failed || !own_only, "%ld: it did not notice", k);
        kwi_tls_close(session);
        cr_assert_eq(heap.used, used, "%ld: bytes are lost", k);
        if (!failed)
            break;
    }
    kwi_tls_destroy(tls);
    cr_assert_eq(heap.used, 0);
}

static void sweep(void (*what)(void))
{
    const struct kw_alloc alloc = {.alloc = own_alloc, .free = own_free};
    kwi_heap_init(&heap, &alloc, 64 << 20);
    for (int how = 0; how < 4; how++) {
        once = how & 1;
        own_only = how < 2;
        what();
    }
    once = own_only = false;
}

Test(tls_memory, a_context_without_memory_is_told_and_loses_nothing)
{
    sweep(contexts);
}
Test(tls_memory, a_session_without_memory_is_told_and_loses_nothing)
{
    sweep(sessions);
}
