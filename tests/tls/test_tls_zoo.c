/* covers: S04 S05 S21
 * A zoo of bad certificates, and what each library says of each. Both refuse every one
 * with the same class, before a byte of ours is sent, and with a remedy. Where a library
 * cannot tell, or cannot look, as the other does, its words are in a column of their own:
 * decision 0014 says why. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/tls/server.h"

/* How the chain hangs together; what is not said comes from the row. */
enum shape {
    LEAF,        /* root -> leaf */
    INTER,       /* root -> inter -> leaf */
    SELF,        /* the leaf signs itself */
    STRANGER,    /* another root -> leaf, which comes alone */
    STRANGERS,   /* the same, and the root comes along */
    SYSTEM,      /* the same; the system's authorities are asked */
    IMPOSTOR,    /* a root with the name of ours and another key -> leaf */
    GAP,         /* root -> upper -> lower -> leaf, without upper */
    LONG,        /* root -> inter -> lower -> leaf */
    REVOKED,     /* the leaf is in the root's list */
    OLD_LIST,    /* the root's list is out of date */
    OTHERS_LIST, /* there is a list, of another authority */
    FORGED_LIST, /* the root's list has another's signature */
};

static const char only_openssl[] = "";

static const struct row {
    enum shape shape;
    const char *host; /* NULL: localhost */
    struct zoo_spec leaf, inter;
    const char *words, *mbedtls; /* NULL: the same */
} rows[] = {
#define LOCAL .name = "x", .names = "DNS:localhost"
#define BETWEEN .name = "between", .is_authority = true
    /* ---- names ---- */
    {LEAF,
     NULL,
     {.name = "localhost", .names = "DNS:other.example,IP:10.0.0.1"},
     {0},
     "is not for localhost, but for other.example, 10.0.0.1",
     NULL},
    {LEAF,
     "127.0.0.1",
     {.name = "localhost", .names = "IP:10.0.0.1"},
     {0},
     "is not for 127.0.0.1, but for 10.0.0.1",
     NULL},
    {LEAF, "::1", {.name = "x", .names = "IP:::2"}, {0}, "is not for ::1, but for ::2", NULL},
    {LEAF,
     NULL,
     {.name = "localhost"},
     {0},
     "is not for localhost: it has no alternative names",
     NULL},
    {LEAF,
     "127.0.0.1",
     {.name = "127.0.0.1"},
     {0},
     "is not for 127.0.0.1: it has no alternative names",
     NULL},
    {LEAF,
     "a.b.example.org",
     {.name = "x", .names = "DNS:*.example.org"},
     {0},
     "is not for a.b.example.org, but for *.example.org",
     NULL},
    {LEAF,
     "example.org",
     {.name = "x", .names = "DNS:*.example.org"},
     {0},
     "is not for example.org, but for *.example.org",
     NULL},
    {LEAF,
     "foo.example.org",
     {.name = "x", .names = "DNS:f*.example.org"},
     {0},
     "but for f*.example.org",
     NULL},
    {LEAF, "kafka.org", {.name = "x", .names = "DNS:*.org"}, {0}, "but for *.org", NULL},
    {LEAF, NULL, {.name = "x", .names = "DNS:*"}, {0}, "is not for localhost, but for *", NULL},
    /* An address in the form of a name is none, and the reverse. */
    {LEAF,
     "127.0.0.1",
     {.name = "x", .names = "DNS:127.0.0.1"},
     {0},
     "is not for 127.0.0.1, but for 127.0.0.1",
     NULL},
    {LEAF, NULL, {.name = "x", .nul_name = true}, {0}, "but for localhost?.example.org", NULL},
    {LEAF, NULL, {.name = "x", .names = "email:localhost"}, {0}, "has no alternative names", NULL},
    /* ---- dates ---- */
    {LEAF,
     NULL,
     {LOCAL, .from_s = -90000, .until_s = -3600},
     {0},
     "the broker's certificate expired on 20",
     NULL},
    {LEAF,
     NULL,
     {LOCAL, .from_s = 3600, .until_s = 90000},
     {0},
     "the broker's certificate is valid only from 20",
     NULL},
    {INTER,
     NULL,
     {LOCAL},
     {BETWEEN, .from_s = -90000, .until_s = -3600},
     "the certificate of the authority 'between' expired on 20",
     NULL},
    {INTER,
     NULL,
     {LOCAL},
     {BETWEEN, .from_s = 3600, .until_s = 90000},
     "the authority 'between' is valid only from 20",
     NULL},
    {LEAF, NULL, {LOCAL, .from_s = -90000, .until_s = -3600}, {0}, "UTC, our clock says 20", NULL},
    /* ---- who signed it ---- */
    {SELF, NULL, {LOCAL}, {0}, "is self-signed and not among the trusted ones", NULL},
    {STRANGER, NULL, {LOCAL}, {0}, "was issued by nobody that is trusted", NULL},
    {SYSTEM, NULL, {LOCAL}, {0}, "was issued by nobody that is trusted", NULL},
    {STRANGERS, NULL, {LOCAL}, {0}, "the authority 'stranger' is not among the trusted ones", NULL},
    {IMPOSTOR, NULL, {LOCAL}, {0}, "the broker's certificate has a wrong signature", NULL},
    {GAP, NULL, {LOCAL}, {0}, "the authority 'lower' was issued by", NULL},
    {LONG,
     NULL,
     {LOCAL},
     {BETWEEN, .basic = "critical,CA:TRUE,pathlen:0"},
     "the authority 'between' allows fewer authorities below it",
     NULL},
    {INTER,
     NULL,
     {LOCAL},
     {.name = "between", .basic = "critical,CA:FALSE"},
     "signed another one and may not (no authority",
     NULL},
    {INTER, NULL, {LOCAL}, {BETWEEN, .key_usage = "cRLSign"}, "may not (its key usage)", NULL},
    /* ---- what it is for ---- */
    {LEAF,
     NULL,
     {LOCAL, .usage = "clientAuth"},
     {0},
     "the broker's certificate is not meant for a server (its extended key usage)",
     NULL},
    {LEAF,
     NULL,
     {LOCAL, .usage = "anyExtendedKeyUsage"},
     {0},
     "the broker's certificate is not meant for a server (its extended key usage)",
     NULL},
    {INTER,
     NULL,
     {LOCAL},
     {BETWEEN, .usage = "clientAuth"},
     "the authority 'between' is not meant for a server",
     NULL},
    /* With TLS 1.2 the broker's own OpenSSL does not use such a certificate. */
    {LEAF,
     NULL,
     {LOCAL, .key_usage = "critical,keyCertSign"},
     {0},
     "is not meant for a server",
     only_openssl},
    /* mbedTLS does not even read a certificate with what it does not know. */
    {LEAF,
     NULL,
     {LOCAL, .strange = true},
     {0},
     "the broker's certificate has a critical extension that is not understood",
     "an authority's above it, has a critical extension that is not understood"},
    {INTER,
     NULL,
     {LOCAL},
     {BETWEEN, .constraints = "critical,permitted;DNS:example.org"},
     "has a name that its authority may not give (not permitted)",
     "has a critical extension that is not understood"},
    {INTER,
     NULL,
     {LOCAL},
     {BETWEEN, .constraints = "critical,excluded;DNS:localhost"},
     "has a name that its authority may not give (excluded)",
     "has a critical extension that is not understood"},
    {INTER,
     NULL,
     {LOCAL},
     {BETWEEN, .constraints = "permitted;DNS:example.org"},
     "has a name that its authority may not give (not permitted)",
     "the authority 'between' has name constraints, which mbedTLS cannot check"},
    /* ---- what is weak ---- */
    {LEAF,
     NULL,
     {LOCAL, .rsa_bits = 1024},
     {0},
     "the broker's certificate has a key that is too short",
     NULL},
    {INTER,
     NULL,
     {LOCAL},
     {BETWEEN, .rsa_bits = 1024},
     "the authority 'between' has a key that is too short",
     NULL},
    {LEAF,
     NULL,
     {LOCAL, .sha1 = true},
     {0},
     "the broker's certificate is signed with a hash that is too weak",
     NULL},
    {INTER,
     NULL,
     {LOCAL},
     {BETWEEN, .sha1 = true},
     "the authority 'between' is signed with a hash that is too weak",
     NULL},
    /* ---- what was revoked ---- */
    {REVOKED, NULL, {LOCAL}, {0}, "the broker's certificate was revoked, says", NULL},
    {OLD_LIST, NULL, {LOCAL}, {0}, "the list of its authority is out of date", NULL},
    {OTHERS_LIST, NULL, {LOCAL}, {0}, "its authority has no list in ssl.crl.location", NULL},
    {FORGED_LIST, NULL, {LOCAL}, {0}, "the list has a wrong signature", NULL},
#undef LOCAL
#undef BETWEEN
};
enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

/* The certificates of a row. */
static struct zoo_cert root, other, inter, low, leaf;

static const struct zoo_spec our_root = {.name = "kwire zoo", .is_authority = true};
static const struct zoo_spec a_stranger = {.name = "stranger", .is_authority = true};
static const struct zoo_spec is_lower = {.name = "lower", .is_authority = true};
static const struct zoo_spec is_upper = {.name = "upper", .is_authority = true};

/* Fills the chain as the broker sends it. */
static void make_chain(const struct row *row, const struct zoo_cert **chain)
{
    const struct zoo_cert *issuer = &root;
    root = zoo_issue(&our_root, NULL);
    other = zoo_issue(row->shape == IMPOSTOR ? &our_root : &a_stranger, NULL);
    if (row->shape == STRANGER || row->shape == STRANGERS || row->shape == SYSTEM ||
        row->shape == IMPOSTOR)
        issuer = &other;
    if (row->shape == INTER || row->shape == LONG || row->shape == GAP) {
        inter = zoo_issue(row->shape == GAP ? &is_upper : &row->inter, &root);
        issuer = &inter;
    }
    if (row->shape == LONG || row->shape == GAP) {
        low = zoo_issue(&is_lower, &inter);
        issuer = &low;
    }
    leaf = zoo_issue(&row->leaf, row->shape == SELF ? NULL : issuer);
    *chain++ = &leaf;
    if (row->shape == STRANGERS)
        *chain++ = &other;
    if (low.x509)
        *chain++ = &low;
    if (inter.x509 && row->shape != GAP)
        *chain++ = &inter;
    *chain = NULL;
}

static void free_chain(void)
{
    struct zoo_cert *const all[] = {&root, &other, &inter, &low, &leaf};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i]->x509)
            zoo_free(all[i]);
}

static void set_crl(struct kw_config *cfg, enum shape shape)
{
    char *crl = NULL;
    struct zoo_cert forged = {root.x509, other.key};
    if (shape == REVOKED)
        crl = zoo_crl_pem(&root, &leaf, 90000);
    else if (shape == OLD_LIST)
        crl = zoo_crl_pem(&root, NULL, -3600);
    else if (shape == OTHERS_LIST)
        crl = zoo_crl_pem(&other, NULL, 90000);
    else if (shape == FORGED_LIST)
        crl = zoo_crl_pem(&forged, NULL, 90000);
    if (crl)
        cr_assert_eq(kw_config_set(cfg, "ssl.crl.location", zoo_file(0, crl), NULL), 0);
    free(crl);
}

static struct kw_client *make_client(const struct row *row)
{
    struct kw_config *cfg;
    struct kw_error err = {0};
    char *pem = zoo_pem(&root);
    cr_assert_eq(kw_config_new(&cfg), 0);
    cr_assert_eq(kw_config_set(cfg, "security.protocol", "SSL", NULL), 0);
    if (row->shape != SYSTEM)
        cr_assert_eq(kw_config_set(cfg, "ssl.ca.pem", pem, NULL), 0);
    set_crl(cfg, row->shape);
    struct kw_client *client = fake_client_of(cfg, NULL, &err);
    cr_assert_not_null(client, "%s: %s", row->words, err.text);
    kw_config_destroy(cfg);
    free(pem);
    return client;
}

/* One attempt. Keeps what was said in `text`. */
static void is_refused(const struct row *row, char *text, size_t cap)
{
    const struct zoo_cert *chain[SERVER_CHAIN + 1];
    const char *words = by(row->words, row->mbedtls ? row->mbedtls : row->words);
    struct server server;
    make_chain(row, chain);
    server_start(&server, chain);
    struct kw_client *client = make_client(row);
    struct fake_conn *conn = &fake_core(client)->conns[1];
    fake_open_tls(fake_core(client), 1, server.port, row->host ? row->host : "localhost");
    fake_send(fake_core(client), 1, "secret", 6);
    TOGETHER(client, &server, conn->n_opened + conn->n_closed > 0);
    cr_assert_eq(conn->n_opened, 0, "%s: it was let in", row->words);
    cr_assert_eq(conn->n_closed, 1, "%s", row->words);
    cr_assert_eq(server.got_len, 0);
    cr_assert(strstr(conn->text, words), "wanted: %s\ngot:    %s", words, conn->text);
    cr_assert_eq(conn->cause.code, KW_ERR_AUTH, "%s", words);
    cr_assert_eq(conn->cause.phase, KW_PHASE_TLS, "%s", words);
    cr_assert_gt(strlen(conn->hint), 10, "%s: no remedy", words);
    snprintf(text, cap, "%s", conn->text);
    kw_client_destroy(client);
    server_stop(&server);
    free_chain();
    unlink(zoo_file(0, ""));
}

/* Dates and names differ from case to case: a kind is what stands before them. */
static size_t own_part(const char *text)
{
    const char *name = strstr(text, " for ");
    size_t len = strcspn(text, "0123456789");
    return name && (size_t)(name - text) < len ? (size_t)(name - text) : len;
}

TestSuite(tls_zoo, .timeout = 120);

Test(tls_zoo, each_bad_certificate_is_refused_with_its_own_reason)
{
    static char texts[N_ROWS][256];
    int n_texts = 0, n_kinds = 0;
    for (int i = 0; i < N_ROWS; i++) {
        if (by(NULL, rows[i].mbedtls) == only_openssl)
            continue;
        is_refused(&rows[i], texts[i], sizeof(texts[i]));
        bool text = true, kind = true;
        for (int k = 0; k < i; k++) {
            size_t len = own_part(texts[i]);
            text = text && strcmp(texts[i], texts[k]) != 0;
            kind = kind && !(len == own_part(texts[k]) && memcmp(texts[i], texts[k], len) == 0);
        }
        n_texts += text;
        n_kinds += kind;
    }
    cr_assert_geq(N_ROWS, 20);
    cr_assert_geq(n_texts, 30, "%d texts", n_texts);
    cr_assert_geq(n_kinds, 20, "%d kinds of texts", n_kinds);
}
