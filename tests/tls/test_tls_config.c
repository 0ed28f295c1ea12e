/* covers: S07 S18 S22
 * The keys of TLS: each acts, and what cannot be used is refused when the client
 * is made, with the key, the reason and a remedy, and never with a secret. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/tls/server.h"

static struct zoo_cert root, leaf, me;

static void begin(void)
{
    root = zoo_issue(&(struct zoo_spec){.name = "kwire zoo", .is_authority = true}, NULL);
    leaf = zoo_issue(&(struct zoo_spec){.name = "broker", .names = "DNS:localhost"}, &root);
    me = zoo_issue(&(struct zoo_spec){.name = "me", .usage = "clientAuth"}, &root);
}
static void end(void)
{
    zoo_free(&root);
    zoo_free(&leaf);
    zoo_free(&me);
    for (int slot = 0; slot < 4; slot++)
        unlink(zoo_file(slot, ""));
}
TestSuite(tls_config, .init = begin, .fini = end);

/* keys: name, value, name, value, ..., NULL */
static struct kw_config *config(const char *const *keys)
{
    struct kw_config *cfg;
    struct kw_error err;
    char *pem = zoo_pem(&root);
    cr_assert_eq(kw_config_new(&cfg), 0);
    cr_assert_eq(kw_config_set(cfg, "security.protocol", "ssl", NULL), 0);
    cr_assert_eq(kw_config_set(cfg, "ssl.ca.pem", pem, NULL), 0);
    free(pem);
    for (; *keys; keys += 2)
        cr_assert_eq(kw_config_set(cfg, keys[0], keys[1], &err), 0, "%s", err.text);
    return cfg;
}
#define KEYS(...) ((const char *[]){__VA_ARGS__, NULL})

static void refused(const char *const *keys, const char *key, const char *words)
{
    struct kw_config *cfg = config(keys);
    struct kw_error err = {0};
    cr_assert_null(fake_client_of(cfg, NULL, &err), "%s", words);
    cr_assert_eq(err.code, KW_ERR_CONFIG, "%s", words);
    cr_assert_eq(err.phase, KW_PHASE_CONFIG);
    cr_assert_eq(strncmp(err.text, key, strlen(key)), 0, "%s", err.text);
    cr_assert(strstr(err.text, words), "wanted: %s\ngot:    %s", words, err.text);
    cr_assert_gt(strlen(err.hint), 8, "%s: no remedy", err.text);
    cr_assert_null(strstr(err.text, "hunter2"));
    cr_assert_null(strstr(err.hint, "hunter2"));
    kw_config_destroy(cfg);
}

/* The broker sees the client's certificate. */
static void shows_itself(const char *const *keys)
{
    struct kw_config *cfg = config(keys);
    struct kw_error err = {0};
    struct server server;
    server_start(&server, (const struct zoo_cert *[]){&leaf, NULL});
    X509_STORE_add_cert(SSL_CTX_get_cert_store(server.ctx), root.x509);
    SSL_CTX_set_verify(server.ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    struct kw_client *client = fake_client_of(cfg, NULL, &err);
    cr_assert_not_null(client, "%s", err.text);
    struct fake_conn *conn = &fake_core(client)->conns[1];
    fake_open_tls(fake_core(client), 1, server.port, "localhost");
    fake_send(fake_core(client), 1, "hello", 5);
    TOGETHER(client, &server, server.got_len == 5 || conn->n_closed);
    cr_assert_eq(conn->n_closed, 0, "%s", conn->text);
    cr_assert_not_null(SSL_get0_peer_certificate(server.ssl));
    kw_client_destroy(client);
    kw_config_destroy(cfg);
    server_stop(&server);
}

Test(tls_config, a_client_certificate_comes_from_files_from_memory_and_from_key_stores)
{
    char *pem = zoo_pem(&me), *key = zoo_key_pem(&me, NULL), *locked = zoo_key_pem(&me, "hunter2");
    char both[8192];
    snprintf(both, sizeof(both), "%s%s", locked, pem);
    shows_itself(KEYS("ssl.keystore.certificate.chain", pem, "ssl.keystore.key", key));
    shows_itself(
        KEYS("ssl.certificate.pem", pem, "ssl.key.pem", locked, "ssl.key.password", "hunter2"));
    shows_itself(KEYS("ssl.certificate.location", zoo_file(0, pem), "ssl.key.location",
                      zoo_file(1, locked), "ssl.key.password", "hunter2"));
    shows_itself(KEYS("ssl.keystore.location", zoo_file(0, both), "ssl.key.password", "hunter2"));
    free(pem);
    free(key);
    free(locked);
}

Test(tls_config, a_client_certificate_comes_from_pkcs12_where_the_library_can_read_it)
{
    const char *box = zoo_pkcs12_file(2, &me, "hunter2");
    if (strcmp(by("can", "cannot"), "cannot") == 0) {
        refused(KEYS("ssl.keystore.location", box, "ssl.keystore.password", "hunter2"),
                "ssl.keystore.location", "PKCS#12 file, which a build with mbedTLS cannot read");
        return;
    }
    shows_itself(KEYS("ssl.keystore.location", box, "ssl.keystore.password", "hunter2"));
    shows_itself(KEYS("ssl.keystore.location", zoo_pkcs12_file(2, &me, "")));
    box = zoo_pkcs12_file(2, &me, "right");
    refused(KEYS("ssl.keystore.location", box, "ssl.keystore.password", "hunter2"),
            "ssl.keystore.password", "a wrong password");
    refused(KEYS("ssl.keystore.location", box), "ssl.keystore.location", "has a password");
    refused(KEYS("ssl.keystore.location", box, "ssl.key.password", "hunter2"), "ssl.key.password",
            "one password");
}

/* OpenSSL reads one without a MAC only since 3.0 was succeeded; before that it says so. */
Test(tls_config, a_pkcs12_file_without_a_mac_is_read_or_its_lack_is_named)
{
    struct kw_error err = {0};
    const char *box = zoo_pkcs12_unsealed_file(2, &me, "hunter2");
    const char *const *keys = KEYS("ssl.keystore.location", box, "ssl.keystore.password",
                                   "hunter2");
    struct kw_config *cfg = config(keys);
    struct kw_client *client = fake_client_of(cfg, NULL, &err);
    cr_assert(client || strstr(err.text, by("has no MAC", "cannot read")), "%s", err.text);
    kw_client_destroy(client);
    kw_config_destroy(cfg);
}

/* As openssl pkey, genrsa and others have written them over the years. */
Test(tls_config, a_private_key_is_opened_whatever_way_it_was_locked)
{
    static const char *const ciphers[] = {"AES-128-CBC", "AES-192-CBC", "AES-256-CBC",
                                          "DES-EDE3-CBC"};
    char *pem = zoo_pem(&me);
    for (size_t i = 0; i < 4; i++) {
        for (int old = 0; old < 2; old++) {
            char *key = zoo_locked_key_pem(&me, ciphers[i], old, "hunter2");
            shows_itself(KEYS("ssl.certificate.pem", pem, "ssl.key.pem", key, "ssl.key.password",
                              "hunter2"));
            refused(KEYS("ssl.certificate.pem", pem, "ssl.key.pem", key, "ssl.key.password", "no"),
                    "ssl.key.password", "a wrong password");
            refused(KEYS("ssl.certificate.pem", pem, "ssl.key.pem", key), "ssl.keystore.key",
                    "is encrypted");
            free(key);
        }
    }
    free(pem);
}

/* One wrong password in 256 leaves what looks like a padding, and no key in front of it. */
Test(tls_config, a_wrong_password_is_told_whatever_it_makes_of_the_key)
{
    static const char *const ciphers[] = {"AES-128-CBC", "DES-EDE3-CBC"};
    char *pem = zoo_pem(&me);
    for (int way = 0; way < 4; way++) {
        char *key = zoo_locked_key_pem(&me, ciphers[way / 2], way % 2, "hunter2");
        for (int i = 0; i < 400; i++) {
            char wrong[32];
            snprintf(wrong, sizeof(wrong), "hunter-%d", i);
            refused(KEYS("ssl.certificate.pem", pem, "ssl.key.pem", key, "ssl.key.password", wrong),
                    "ssl.key.password", "a wrong password");
        }
        free(key);
    }
    free(pem);
}

Test(tls_config, a_wrong_or_missing_password_is_told_and_not_shown)
{
    char *pem = zoo_pem(&me), *locked = zoo_key_pem(&me, "right");
    refused(KEYS("ssl.certificate.pem", pem, "ssl.key.pem", locked, "ssl.key.password", "hunter2"),
            "ssl.key.password", "a wrong password");
    refused(KEYS("ssl.certificate.pem", pem, "ssl.key.pem", locked), "ssl.keystore.key",
            "is encrypted");
    refused(KEYS("ssl.keystore.location", zoo_file(0, pem), "ssl.keystore.password", "hunter2"),
            "ssl.keystore.password", "no PKCS#12");
    free(pem);
    free(locked);
}

Test(tls_config, what_does_not_belong_together_is_refused)
{
    struct zoo_cert weak = zoo_issue(&(struct zoo_spec){.name = "weak", .rsa_bits = 1024}, &root);
    char *pem = zoo_pem(&me), *key = zoo_key_pem(&me, NULL), *wrong = zoo_key_pem(&leaf, NULL);
    char *weak_pem = zoo_pem(&weak), *weak_key = zoo_key_pem(&weak, NULL);
    refused(KEYS("ssl.certificate.pem", pem, "ssl.key.pem", wrong), "ssl.certificate.location",
            "not that of the certificate");
    refused(KEYS("ssl.certificate.pem", pem), "ssl.key.location", "no key for it");
    refused(KEYS("ssl.key.pem", key), "ssl.certificate.location", "no certificate for it");
    refused(KEYS("ssl.keystore.location", "x", "ssl.key.pem", key), "ssl.keystore.location",
            "beside it");
    refused(KEYS("ssl.certificate.pem", pem, "ssl.certificate.location", "x"),
            "ssl.certificate.location", "as well");
    refused(KEYS("ssl.certificate.pem", pem, "ssl.key.pem", key, "ssl.key.location", "x"),
            "ssl.key.location", "as well");
    refused(KEYS("ssl.key.password", "hunter2"), "ssl.key.password", "no key that it opens");
    refused(KEYS("ssl.keystore.password", "hunter2"), "ssl.keystore.password",
            "no ssl.keystore.location");
    refused(KEYS("ssl.certificate.pem", weak_pem, "ssl.key.pem", weak_key),
            "ssl.certificate.location", "cannot be used");
    free(pem);
    free(key);
    free(wrong);
    free(weak_pem);
    free(weak_key);
    zoo_free(&weak);
}

Test(tls_config, files_that_are_not_what_they_should_be_are_refused)
{
    char *pem = zoo_pem(&me), *key = zoo_key_pem(&me, NULL);
    static const char cut[] = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    const char *empty = zoo_file(0, ""), *broken = zoo_file(1, cut);
    refused(KEYS("ssl.ca.location", "/no/such/file"), "ssl.truststore.location",
            "cannot read /no/such/file: No such file");
    refused(KEYS("ssl.ca.location", "/"), "ssl.truststore.location", "cannot read /");
    refused(KEYS("ssl.ca.location", empty), "ssl.truststore.location", "no certificate in it");
    refused(KEYS("ssl.ca.location", broken), "ssl.truststore.location", "cannot be read");
    refused(KEYS("ssl.ca.pem", key), "ssl.truststore.certificates", "no certificate in it");
    refused(KEYS("ssl.crl.location", empty), "ssl.crl.location", "no revocation list");
    refused(KEYS("ssl.crl.location", broken), "ssl.crl.location", "no revocation list");
    refused(KEYS("ssl.certificate.pem", pem, "ssl.key.pem", pem), "ssl.keystore.key",
            "no private key");
    refused(KEYS("ssl.certificate.pem", key, "ssl.key.pem", key), "ssl.keystore.certificate.chain",
            "no certificate in it");
    refused(KEYS("ssl.keystore.location", "/no/such/file"), "ssl.keystore.location", "cannot read");
    refused(KEYS("ssl.keystore.location", empty), "ssl.keystore.location", "no private key");
    free(pem);
    free(key);
}

Test(tls_config, suites_are_named_one_by_one_and_the_weak_ones_do_not_exist)
{
    static const char *const weak[] = {
        "NULL-SHA256",          "ALL",         "HIGH",         "eNULL",
        "@SECLEVEL=0",          "EXP-RC4-MD5", "DES-CBC3-SHA", "ADH-AES128-SHA",
        "TLS_RSA_WITH_NULL_SHA"};
    for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++)
        refused(KEYS("ssl.cipher.suites", weak[i]), "ssl.cipher.suites", "is no cipher suite");
    refused(KEYS("ssl.cipher.suites", ","), "ssl.cipher.suites", "no suite is named");
    refused(KEYS("ssl.cipher.suites", "TLS_AES_128_GCM_SHA256", "ssl.enabled.protocols", "TLSv1.2"),
            "ssl.cipher.suites", "none of the suites");
}

/* The suite that is agreed upon, and the protocol. */
static void agrees(const char *const *keys, const char *suite, int protocol)
{
    struct kw_config *cfg = config(keys);
    struct kw_error err = {0};
    struct server server;
    server_start(&server, (const struct zoo_cert *[]){&leaf, NULL});
    struct kw_client *client = fake_client_of(cfg, NULL, &err);
    cr_assert_not_null(client, "%s", err.text);
    fake_open_tls(fake_core(client), 1, server.port, "localhost");
    TOGETHER(client, &server, fake_core(client)->conns[1].n_opened == 1);
    if (suite)
        cr_assert_str_eq(SSL_get_cipher_name(server.ssl), suite);
    cr_assert_eq(SSL_version(server.ssl), protocol);
    cr_assert_str_eq(SSL_get_servername(server.ssl, TLSEXT_NAMETYPE_host_name), "localhost");
    kw_client_destroy(client);
    kw_config_destroy(cfg);
    server_stop(&server);
}

Test(tls_config, suites_and_protocols_are_what_was_asked_for)
{
    bool has_13 = client_has_13();
    agrees(KEYS("ssl.cipher.suites", ""), NULL, has_13 ? TLS1_3_VERSION : TLS1_2_VERSION);
    agrees(KEYS("ssl.enabled.protocols", "TLSv1.2"), NULL, TLS1_2_VERSION);
    if (has_13) {
        agrees(KEYS("ssl.enabled.protocols", "TLSv1.3"), NULL, TLS1_3_VERSION);
        agrees(KEYS("ssl.cipher.suites", "TLS_CHACHA20_POLY1305_SHA256"),
               "TLS_CHACHA20_POLY1305_SHA256", TLS1_3_VERSION);
    } else {
        refused(KEYS("ssl.enabled.protocols", "TLSv1.3"), "ssl.enabled.protocols",
                "TLS 1.3 alone is asked for");
        refused(KEYS("ssl.cipher.suites", "TLS_CHACHA20_POLY1305_SHA256"), "ssl.cipher.suites",
                "TLS 1.3 alone is asked for");
    }
    agrees(KEYS("ssl.cipher.suites", "ECDHE-ECDSA-CHACHA20-POLY1305"),
           "ECDHE-ECDSA-CHACHA20-POLY1305", TLS1_2_VERSION);
    agrees(KEYS("ssl.cipher.suites", "ECDHE-ECDSA-AES256-GCM-SHA384"),
           "ECDHE-ECDSA-AES256-GCM-SHA384", TLS1_2_VERSION);
    agrees(KEYS("ssl.cipher.suites",
                "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 , TLS_AES_128_GCM_SHA256",
                "ssl.enabled.protocols", "TLSv1.2"),
           "ECDHE-ECDSA-AES128-GCM-SHA256", TLS1_2_VERSION);
}
