/* SCRAM's messages against exchanges that Kafka's own classes computed (the rows
 * "SCRAM-SHA-256" and "SCRAM-SHA-512" of tests/vectors/kafka-4.3.1.json), and every
 * way in which a broker may not keep to them.
 *
 * covers: S09 S10 S11 S12 S20 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "proto/scram.h"

static const struct {
    enum kw_hash alg;
    const char *nonce, *password, *client_first, *server_first, *salted, *client_final;
    const char *server_final;
} rows[] = {
    {KW_HASH_SHA256, "rOprNGfwEbeRWgbNEkqO", "pencil", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
     "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
     "c4a49510323ab4f952cac1fa99441939e78ea74d6be81ddf7096e87513dc615d",
     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+"
     "Ute9ytag9zjfMHgsqmmiz7AndVQ=",
     "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
    {KW_HASH_SHA512, "rOprNGfwEbeRWgbNEkqO", "pencil", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
     "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
     "f16efe1be67f1d09502ebd5ed9262fddffba5a377ab4f0b687e5ed5ba0f50686b8a4ae166476da8ab3b951d2fa923"
     "8b63998f45461bc33a464814949cec9631d",
     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=gMGXRcevScNtxZ6/"
     "8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
     "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw=="},
};

static const struct kw_crypto *crypto(void)
{
    const struct kw_crypto *table = kw_crypto_builtin();
    if (!table)
        cr_skip_test("WITH_TLS=none");
    return table;
}

/* A copy of exact size, so that a sanitizer sees a byte too far. */
static char *exact(const char *text, size_t len)
{
    char *copy = malloc(len ? len : 1);
    cr_assert_not_null(copy);
    memcpy(copy, text, len);
    return copy;
}

static int first_get(struct kw_scram_first *first, const char *msg, const char *nonce,
                     const char **why)
{
    return kwi_scram_first_get(first, msg, strlen(msg), nonce, strlen(nonce), why);
}

Test(scram, the_exchange_is_that_of_kafkas_own_classes)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = kwi_scram_hash_size(rows[i].alg), n, why_len;
        struct kw_scram_first first;
        uint8_t u[64], salted[64], proof[64], signature[64], wanted[64];
        char text[512], auth[1024];
        const char *why;
        cr_assert_eq(first_get(&first, rows[i].server_first, rows[i].nonce, &why), 0, "%s", why);
        cr_assert_eq(first.iterations, 4096);
        cr_assert_eq(kwi_scram_salt(crypto(), rows[i].alg, rows[i].password,
                                    strlen(rows[i].password), first.salt, first.salt_len, u,
                                    salted),
                     0);
        cr_assert_eq(crypto()->pbkdf2(rows[i].alg, rows[i].password, strlen(rows[i].password), u,
                                      salted, first.iterations - 1),
                     0);
        for (n = 0; n < size; n++)
            snprintf(text + 2 * n, 3, "%02x", salted[n]);
        cr_assert_str_eq(text, rows[i].salted);
        n = (size_t)snprintf(auth, sizeof auth, "%s,%s,c=biws,r=%.*s", rows[i].client_first + 3,
                             rows[i].server_first, (int)first.nonce_len, first.nonce);
        cr_assert_eq(kwi_scram_prove(crypto(), rows[i].alg, salted, auth, n, proof, signature), 0);
        n = (size_t)snprintf(text, sizeof text, "c=biws,r=%.*s,p=", (int)first.nonce_len,
                             first.nonce);
        kwi_base64_put(text + n, proof, size);
        text[n + kwi_base64_len(size)] = 0;
        cr_assert_str_eq(text, rows[i].client_final);
        cr_assert_eq(kwi_scram_final_get(wanted, size, rows[i].server_final,
                                         strlen(rows[i].server_final), &why, &why_len),
                     0);
        cr_assert(crypto()->equal(wanted, signature, size));
    }
}

Test(scram, names_are_escaped)
{
    char out[64] = "";
    size_t n = kwi_scram_name(out, "a,b=c\xc3\xbc", 7);
    cr_assert_eq(n, kwi_scram_name(NULL, "a,b=c\xc3\xbc", 7));
    out[n] = 0;
    cr_assert_str_eq(out, "a=2Cb=3Dc\xc3\xbc");
}

static const struct {
    const char *msg, *why; /* why NULL: it is good */
} firsts[] = {
    {"r=abcX,s=AAAA,i=4096", NULL},
    {"r=abcX,s=AAAA,i=1000000", NULL},
    {"r=abcX,s=AAAA,i=4096,x=of a later version", NULL},
    {"", "nonce (r=)"},
    {"r", "nonce (r=)"},
    {"r=", "nonce (r=)"},
    {"r:abcX,s=AAAA,i=4096", "nonce (r=)"},
    {"m:x,r=abcX,s=AAAA,i=4096", "nonce (r=)"},
    {"r=,s=AAAA,i=4096", "nonce (r=)"},
    {"s=AAAA,i=4096,r=abcX", "nonce (r=)"},
    {"m=x,r=abcX,s=AAAA,i=4096", "extension (m=)"},
    {"r=abc,s=AAAA,i=4096", "not ours"},
    {"r=ab,s=AAAA,i=4096", "not ours"},
    {"r=abdX,s=AAAA,i=4096", "not ours"},
    {"r=Xabc,s=AAAA,i=4096", "not ours"},
    {"r=abcX\x7f,s=AAAA,i=4096", "not ours"},
    {"r=abcX ,s=AAAA,i=4096", "not ours"},
    {"r=abc\n,s=AAAA,i=4096", "not ours"},
    {"r=abc\xc3\xbc,s=AAAA,i=4096", "not ours"},
    {"r=abcX", "no salt"},
    {"r=abcX,", "nonce (r=)"},
    {"r=abcX,i=4096", "no salt"},
    {"r=abcX,s=,i=4096", "no salt"},
    {"r=abcX,s=AAA,i=4096", "not base64"},
    {"r=abcX,s=AA=A,i=4096", "not base64"},
    {"r=abcX,s=A===,i=4096", "not base64"},
    {"r=abcX,s=AB==,i=4096", "not base64"},
    {"r=abcX,s=AAB=,i=4096", "not base64"},
    {"r=abcX,s=AA==AAAA,i=4096", "not base64"},
    {"r=abcX,s=AA-_,i=4096", "not base64"},
    {"r=abcX,s=AAAA", "no iteration"},
    {"r=abcX,s=AAAA,i=", "no iteration"},
    {"r=abcX,s=AAAA,i=04096", "no iteration"},
    {"r=abcX,s=AAAA,i=-4096", "no iteration"},
    {"r=abcX,s=AAAA,i=4096 ", "no iteration"},
    {"r=abcX,s=AAAA,i=4096k", "no iteration"},
    {"r=abcX,s=AAAA,i=4294967296", "no iteration"},
    {"r=abcX,s=AAAA,i=4096,", "no iteration"},
    {"r=abcX,s=AAAA,i=4095", "fewer than 4096"},
    {"r=abcX,s=AAAA,i=1", "fewer than 4096"},
    {"r=abcX,s=AAAA,i=1000001", "more than 1000000"},
};

Test(scram, a_first_message_that_is_not_as_the_rfc_says_is_refused_with_the_reason)
{
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        size_t len = strlen(firsts[i].msg);
        char *msg = exact(firsts[i].msg, len);
        struct kw_scram_first first;
        const char *why = "";
        int rc = kwi_scram_first_get(&first, msg, len, "abc", 3, &why);
        cr_assert_eq(rc, firsts[i].why ? KW_ERR_SYNTAX : 0, "%s", firsts[i].msg);
        cr_assert(!firsts[i].why || strstr(why, firsts[i].why), "%s: %s", firsts[i].msg, why);
        free(msg);
    }
}

Test(scram, a_first_message_cut_anywhere_is_refused)
{
    static const char whole[] = "r=abcX,s=AAAA,i=4096";
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        char *msg = exact(whole, len);
        struct kw_scram_first first;
        const char *why;
        cr_assert_eq(kwi_scram_first_get(&first, msg, len, "abc", 3, &why), KW_ERR_SYNTAX, "%zu",
                     len);
        free(msg);
    }
}

Test(scram, a_message_of_any_length_is_bounded)
{
    static char msg[KWI_SCRAM_MESSAGE_MAX + 1];
    struct kw_scram_first first;
    uint8_t signature[32];
    const char *why;
    size_t why_len;
    memset(msg, 'A', sizeof msg);
    memcpy(msg, "r=abcX,s=", 9);
    cr_assert_eq(kwi_scram_first_get(&first, msg, sizeof msg, "abc", 3, &why), KW_ERR_SYNTAX);
    memcpy(msg + sizeof msg - 8, ",i=4096,", 7);
    cr_assert_eq(kwi_scram_first_get(&first, msg, sizeof msg - 1, "abc", 3, &why), KW_ERR_SYNTAX);
    cr_assert(strstr(why, "256 bytes"), "%s", why);
    memcpy(msg, "e=", 2);
    cr_assert_eq(kwi_scram_final_get(signature, 32, msg, sizeof msg, &why, &why_len),
                 KW_ERR_SYNTAX);
}

Test(scram, a_last_message_is_a_signature_or_an_error)
{
    static const char *const bad[] = {"",      "v",     "v=",      "v=AAAA",
                                      "w=AAA", "x=v=A", "v=AA==,", "r=abc"};
    uint8_t signature[32];
    const char *why;
    size_t why_len;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *msg = exact(bad[i], strlen(bad[i]));
        cr_assert_eq(kwi_scram_final_get(signature, 32, msg, strlen(bad[i]), &why, &why_len),
                     KW_ERR_SYNTAX, "%s", bad[i]);
        free(msg);
    }
    cr_assert_eq(kwi_scram_final_get(signature, 32, "e=other-error,x=1", 17, &why, &why_len),
                 KW_ERR_AUTH);
    cr_assert_eq(why_len, 11);
    cr_assert_eq(memcmp(why, "other-error", 11), 0);
    /* 31 and 33 bytes */
    cr_assert_eq(kwi_scram_final_get(signature, 32,
                                     "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", 46, &why,
                                     &why_len),
                 KW_ERR_SYNTAX);
    cr_assert_eq(kwi_scram_final_get(signature, 32,
                                     "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 46, &why,
                                     &why_len),
                 KW_ERR_SYNTAX);
}

/* A table whose call number `broken.at` fails. It computes no hash: what it gives is
 * not looked at, only how far one goes and what is written. */
static struct {
    int at, calls;
    size_t len; /* of the last text */
    uint8_t end[4];
} broken;

static int broken_call(enum kw_hash alg, void *out)
{
    if (broken.calls++ == broken.at)
        return KW_ERR_UNSUPPORTED;
    memset(out, broken.calls, kwi_scram_hash_size(alg));
    return 0;
}

static int broken_hash(enum kw_hash alg, const void *ptr, size_t len, void *out)
{
    (void)ptr;
    (void)len;
    return broken_call(alg, out);
}

static int broken_hmac(enum kw_hash alg, const void *key, size_t key_len, const void *ptr,
                       size_t len, void *out)
{
    (void)key;
    (void)key_len;
    broken.len = len;
    memcpy(broken.end, (const uint8_t *)ptr + len - 4, 4);
    return broken_call(alg, out);
}

static const struct kw_crypto broken_table = {
    .name = "broken", .hash = broken_hash, .hmac = broken_hmac};

static bool is_all(const uint8_t *bytes, size_t n, uint8_t wanted)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != wanted)
            return false;
    return true;
}

Test(scram, a_proof_ends_at_the_first_call_that_the_library_refuses)
{
    static const uint8_t salted[64];
    for (broken.at = 0; broken.at <= 5; broken.at++) {
        uint8_t proof[64], signature[64];
        memset(proof, 0xee, sizeof proof);
        memset(signature, 0xee, sizeof signature);
        broken.calls = 0;
        cr_assert_eq(
            kwi_scram_prove(&broken_table, KW_HASH_SHA256, salted, "auth", 4, proof, signature),
            broken.at < 5 ? KW_ERR_UNSUPPORTED : 0, "call %d", broken.at);
        cr_assert_eq(broken.calls, broken.at < 5 ? broken.at + 1 : 5, "call %d", broken.at);
        /* The first call's bytes XOR the third's. */
        cr_assert(is_all(proof, 32, broken.at < 3 ? 0xee : 1 ^ 3), "call %d", broken.at);
        cr_assert(is_all(signature, 32, broken.at < 5 ? 0xee : 5), "call %d", broken.at);
        cr_assert(is_all(proof + 32, 32, 0xee) && is_all(signature + 32, 32, 0xee));
    }
}

Test(scram, pbkdf2_begins_with_a_salt_of_256_bytes_at_most)
{
    static const uint8_t salt[KWI_SCRAM_SALT_MAX + 1];
    uint8_t u[64], acc[64];
    memset(acc, 0xee, sizeof acc);
    cr_assert_eq(
        kwi_scram_salt(&broken_table, KW_HASH_SHA512, "pencil", 6, salt, sizeof salt, u, acc),
        KW_ERR_USE);
    cr_assert_eq(broken.calls, 0);
    /* Call 0 is the one that fails. */
    cr_assert_eq(
        kwi_scram_salt(&broken_table, KW_HASH_SHA512, "pencil", 6, salt, sizeof salt - 1, u, acc),
        KW_ERR_UNSUPPORTED);
    cr_assert(is_all(acc, 64, 0xee));
    cr_assert_eq(
        kwi_scram_salt(&broken_table, KW_HASH_SHA512, "pencil", 6, salt, sizeof salt - 1, u, acc),
        0);
    cr_assert_eq(broken.len, KWI_SCRAM_SALT_MAX + 4);
    cr_assert_eq(memcmp(broken.end, "\0\0\0\1", 4), 0);
    cr_assert(is_all(u, 64, 2) && is_all(acc, 64, 2));
}
