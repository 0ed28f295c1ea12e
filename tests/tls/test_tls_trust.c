/* covers: S04 S05 S06 S07 S21
 * Whom we trust, and who trusts us: good certificates of every kind (test_tls_zoo has
 * the bad ones), and what else may end a handshake. The other end is OpenSSL; nothing of
 * it comes from kwire. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/tls/server.h"

static struct zoo_cert root, inter, leaf, other;

static struct kw_config *trusting(const char *pem)
{
    struct kw_config *cfg;
    cr_assert_eq(kw_config_new(&cfg), 0);
    cr_assert_eq(kw_config_set(cfg, "security.protocol", "SSL", NULL), 0);
    if (pem)
        cr_assert_eq(kw_config_set(cfg, "ssl.ca.pem", pem, NULL), 0);
    return cfg;
}

static struct kw_config *trusting_cert(const struct zoo_cert *authority)
{
    char *pem = zoo_pem(authority);
    struct kw_config *cfg = trusting(pem);
    free(pem);
    return cfg;
}

static void set(struct kw_config *cfg, const char *key, const char *value)
{
    struct kw_error err;
    cr_assert_eq(kw_config_set(cfg, key, value, &err), 0, "%s", err.text);
}

static struct kw_client *client_of(struct kw_config *cfg)
{
    struct kw_error err = {0};
    struct kw_client *client = fake_client_of(cfg, NULL, &err);
    cr_assert_not_null(client, "%s (%s)", err.text, err.hint);
    kw_config_destroy(cfg);
    return client;
}

/* One attempt with the name: the connection as the core saw it, in static memory. */
static struct fake_conn attempt(struct kw_config *cfg, const char *name,
                                const struct zoo_cert *const *chain)
{
    struct server server;
    server_start(&server, chain);
    struct kw_client *client = client_of(cfg);
    struct fake_conn *conn = &fake_core(client)->conns[1];
    fake_open_tls(fake_core(client), 1, server.port, name);
    TOGETHER(client, &server, conn->n_opened + conn->n_closed > 0);
    struct fake_conn seen = *conn;
    cr_assert_eq(server.got_len, 0);
    kw_client_destroy(client);
    server_stop(&server);
    return seen;
}

static void good(struct kw_config *cfg, const char *name, const struct zoo_cert *const *chain)
{
    struct fake_conn conn = attempt(cfg, name, chain);
    cr_assert_eq(conn.n_opened, 1, "%s: %s", name, conn.text);
}

static void bad(struct kw_config *cfg, const char *name, const struct zoo_cert *const *chain,
                const char *words)
{
    struct fake_conn conn = attempt(cfg, name, chain);
    cr_assert_eq(conn.n_opened, 0, "%s was let in", words);
    cr_assert_eq(conn.n_closed, 1);
    cr_assert(strstr(conn.text, words), "wanted: %s\ngot:    %s", words, conn.text);
    cr_assert_eq(conn.cause.code, KW_ERR_AUTH, "%s", words);
    cr_assert_eq(conn.cause.phase, KW_PHASE_TLS);
    cr_assert_gt(strlen(conn.hint), 10, "%s: no remedy", words);
}

static const struct zoo_spec authority = {.name = "kwire zoo", .is_authority = true};
static const struct zoo_spec plain_leaf = {.name = "broker", .names = "DNS:localhost,IP:127.0.0.1"};

static void begin(void)
{
    root = zoo_issue(&authority, NULL);
}
static void end(void)
{
    zoo_free(&root);
}
TestSuite(tls_trust, .init = begin, .fini = end);

Test(tls_trust, a_certificate_for_the_name_or_the_address_is_good)
{
    static const char *const names[] = {"localhost", "LOCALHOST",     "localhost.",
                                        "127.0.0.1", "a.example.org", "::1",
                                        "::1%1",     "[::1]",         "[::1%1]"};
    static const struct zoo_spec spec = {
        .name = "broker", .names = "DNS:localhost,IP:127.0.0.1,DNS:*.example.org,IP:::1"};
    leaf = zoo_issue(&spec, &root);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        good(trusting_cert(&root), names[i], (const struct zoo_cert *[]){&leaf, NULL});
    zoo_free(&leaf);
}

Test(tls_trust, a_chain_and_a_trusted_intermediate_are_good)
{
    inter = zoo_issue(&(struct zoo_spec){.name = "between", .is_authority = true}, &root);
    leaf = zoo_issue(&plain_leaf, &inter);
    const struct zoo_cert *chain[] = {&leaf, &inter, NULL}, *alone[] = {&leaf, NULL};
    good(trusting_cert(&root), "localhost", chain);
    good(trusting_cert(&inter), "localhost", alone);
    zoo_free(&leaf);
    zoo_free(&inter);
}

Test(tls_trust, several_authorities_in_one_text_and_one_file_are_all_trusted)
{
    other = zoo_issue(&(struct zoo_spec){.name = "second", .is_authority = true}, NULL);
    char both[8192], *a = zoo_pem(&other), *b = zoo_pem(&root);
    snprintf(both, sizeof(both), "a comment\n%s\n%s", a, b);
    leaf = zoo_issue(&plain_leaf, &root);
    const struct zoo_cert *chain[] = {&leaf, NULL};
    good(trusting(both), "localhost", chain);
    struct kw_config *cfg = trusting(NULL);
    set(cfg, "ssl.truststore.location", zoo_file(0, both));
    good(cfg, "localhost", chain);
    unlink(zoo_file(0, ""));
    free(a);
    free(b);
    zoo_free(&leaf);
    zoo_free(&other);
}

Test(tls_trust, a_certificate_that_signs_itself_is_good_if_it_is_trusted)
{
    leaf = zoo_issue(&plain_leaf, NULL);
    good(trusting_cert(&leaf), "localhost", (const struct zoo_cert *[]){&leaf, NULL});
    zoo_free(&leaf);
}

Test(tls_trust, a_certificate_that_is_not_in_the_revocation_list_is_good)
{
    char *none = zoo_crl_pem(&root, NULL, 90000);
    struct kw_config *cfg = trusting_cert(&root);
    leaf = zoo_issue(&plain_leaf, &root);
    set(cfg, "ssl.crl.location", zoo_file(0, none));
    good(cfg, "localhost", (const struct zoo_cert *[]){&leaf, NULL});
    unlink(zoo_file(0, ""));
    free(none);
    zoo_free(&leaf);
}

Test(tls_trust, without_the_check_of_names_the_chain_still_counts)
{
    leaf = zoo_issue(&(struct zoo_spec){.name = "x", .names = "DNS:other.example"}, &root);
    other = zoo_issue(&plain_leaf, NULL);
    struct kw_config *cfg = trusting_cert(&root);
    set(cfg, "ssl.endpoint.identification.algorithm", "none");
    good(cfg, "localhost", (const struct zoo_cert *[]){&leaf, NULL});
    cfg = trusting_cert(&root);
    set(cfg, "ssl.endpoint.identification.algorithm", "none");
    bad(cfg, "localhost", (const struct zoo_cert *[]){&other, NULL}, "is self-signed");
    zoo_free(&leaf);
    zoo_free(&other);
}

/* ---- what else can go wrong in a handshake --------------------------------------- */

static void refused_by(void (*prepare)(struct server *), struct kw_config *cfg, const char *words)
{
    struct server server;
    leaf = zoo_issue(&plain_leaf, &root);
    server_start(&server, (const struct zoo_cert *[]){&leaf, NULL});
    prepare(&server);
    struct kw_client *client = client_of(cfg);
    struct fake_conn *conn = &fake_core(client)->conns[1];
    fake_open_tls(fake_core(client), 1, server.port, "localhost");
    TOGETHER(client, &server, conn->n_closed > 0);
    cr_assert(strstr(conn->text, words), "wanted: %s\ngot:    %s", words, conn->text);
    cr_assert_eq(conn->cause.code, KW_ERR_AUTH);
    cr_assert_gt(strlen(conn->hint), 10);
    kw_client_destroy(client);
    server_stop(&server);
    zoo_free(&leaf);
}

static void want_certificate(struct server *server)
{
    X509_STORE_add_cert(SSL_CTX_get_cert_store(server->ctx), root.x509);
    SSL_CTX_set_verify(server->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

static void want_certificate_1_2(struct server *server)
{
    want_certificate(server);
    SSL_CTX_set_max_proto_version(server->ctx, TLS1_2_VERSION);
}

static void only_1_3(struct server *server)
{
    SSL_CTX_set_min_proto_version(server->ctx, TLS1_3_VERSION);
}

static void only_1_1(struct server *server)
{
    SSL_CTX_set_max_proto_version(server->ctx, TLS1_1_VERSION);
}

static void only_one_suite(struct server *server)
{
    SSL_CTX_set_max_proto_version(server->ctx, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(server->ctx, "ECDHE-ECDSA-AES256-GCM-SHA384");
}

static void set_identity(struct kw_config *cfg, const struct zoo_cert *cert)
{
    char *pem = zoo_pem(cert), *key = zoo_key_pem(cert, NULL);
    set(cfg, "ssl.certificate.pem", pem);
    set(cfg, "ssl.key.pem", key);
    free(pem);
    free(key);
}

Test(tls_trust, a_client_certificate_that_the_broker_wants_and_does_not_get_is_told)
{
    static const char words[] = "the broker wants a client certificate and got none";
    refused_by(want_certificate, trusting_cert(&root), words);
    refused_by(want_certificate_1_2, trusting_cert(&root), words);
}

Test(tls_trust, a_client_certificate_that_the_broker_does_not_trust_is_told)
{
    other = zoo_issue(&(struct zoo_spec){.name = "me", .usage = "clientAuth"}, NULL);
    struct kw_config *cfg = trusting_cert(&root);
    set_identity(cfg, &other);
    refused_by(want_certificate, cfg, "the broker does not know the authority of our certificate");
    zoo_free(&other);
    other = zoo_issue(
        &(struct zoo_spec){.name = "me", .usage = "clientAuth", .from_s = -90000, .until_s = -3600},
        &root);
    cfg = trusting_cert(&root);
    set_identity(cfg, &other);
    refused_by(want_certificate, cfg, "the broker says that our certificate has expired");
    zoo_free(&other);
}

Test(tls_trust, without_a_common_protocol_or_suite_there_is_no_connection)
{
    struct kw_config *cfg = trusting_cert(&root);
    set(cfg, "ssl.enabled.protocols", "TLSv1.2");
    refused_by(only_1_3, cfg, "another TLS version than we allow");
    refused_by(only_1_1, trusting_cert(&root), "another TLS version than we allow");
    cfg = trusting_cert(&root);
    set(cfg, "ssl.cipher.suites", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
    refused_by(only_one_suite, cfg, "no common protocol or cipher suite");
}

Test(tls_trust, an_answer_in_plain_text_is_told)
{
    static const char *const answers[] = {"HTTP/1.1 400 Bad Request\r\n\r\n",
                                          "\0\0\0\12\0\0\0\1\0\0\0\0\0\0"};
    for (size_t i = 0; i < 2; i++) {
        struct kw_client *client = client_of(trusting_cert(&root));
        struct fake_conn *conn = &fake_core(client)->conns[1];
        uint16_t port;
        int listener = peer_listen(&port);
        fake_open_tls(fake_core(client), 1, port, "localhost");
        for (int turn = 0; turn < 5; turn++)
            cr_assert_geq(kw_client_poll(client, 2), 0);
        int fd = peer_accept(listener);
        peer_write(fd, answers[i], 14);
        UNTIL(client, conn->n_closed == 1);
        cr_assert(strstr(conn->text, "not TLS"), "%s", conn->text);
        cr_assert_eq(conn->cause.code, KW_ERR_AUTH);
        kw_client_destroy(client);
        close(fd);
        close(listener);
    }
}
