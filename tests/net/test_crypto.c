/* The table of cryptography against published vectors: RFC 4231 (HMAC), FIPS
 * 180-4's "abc" (SHA-2), and PBKDF2 with the inputs of RFC 6070, whose SHA-256 and
 * SHA-512 results are those that hashlib of Python computes; RFC 7914 11 has two
 * of them ("passwd" and "Password").
 *
 * covers: S10 S11 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include <kwire/crypto.h>

static const struct kw_crypto *crypto(void)
{
    const struct kw_crypto *table = kw_crypto_builtin();
    if (!table)
        cr_skip_test("WITH_TLS=none");
    return table;
}

static size_t hash_size(enum kw_hash alg)
{
    return alg == KW_HASH_SHA256 ? 32 : 64;
}

static void must_be(const char *what, const void *bytes, size_t n, const char *hex)
{
    char text[2 * KW_HASH_SIZE_MAX + 1] = "";
    for (size_t i = 0; i < n; i++)
        snprintf(text + 2 * i, 3, "%02x", ((const unsigned char *)bytes)[i]);
    cr_assert_str_eq(text, hex, "%s", what);
}

Test(crypto, hashes_are_those_of_the_standard)
{
    uint8_t out[KW_HASH_SIZE_MAX];
    cr_assert_eq(crypto()->hash(KW_HASH_SHA256, "abc", 3, out), 0);
    must_be("SHA-256", out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    cr_assert_eq(crypto()->hash(KW_HASH_SHA512, "abc", 3, out), 0);
    must_be("SHA-512", out, 64,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

/* RFC 4231, cases 1, 2 and 6 (a key that is longer than a block). */
static const struct {
    const char *key;
    uint8_t key_byte, key_len;
    const char *text, *sha256, *sha512;
} hmac_rows[] = {
    {NULL, 0x0b, 20, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
     "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
     "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
    {"Jefe", 0, 4, "what do ya want for nothing?",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
     "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
     "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
    {NULL, 0xaa, 131, "Test Using Larger Than Block-Size Key - Hash Key First",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
     "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
     "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"},
};

Test(crypto, macs_are_those_of_the_standard)
{
    for (size_t i = 0; i < sizeof hmac_rows / sizeof *hmac_rows; i++) {
        uint8_t key[131], out[KW_HASH_SIZE_MAX];
        size_t len = strlen(hmac_rows[i].text);
        if (hmac_rows[i].key)
            memcpy(key, hmac_rows[i].key, hmac_rows[i].key_len);
        else
            memset(key, hmac_rows[i].key_byte, hmac_rows[i].key_len);
        cr_assert_eq(
            crypto()->hmac(KW_HASH_SHA256, key, hmac_rows[i].key_len, hmac_rows[i].text, len, out),
            0);
        must_be("SHA-256", out, 32, hmac_rows[i].sha256);
        cr_assert_eq(
            crypto()->hmac(KW_HASH_SHA512, key, hmac_rows[i].key_len, hmac_rows[i].text, len, out),
            0);
        must_be("SHA-512", out, 64, hmac_rows[i].sha512);
    }
}

/* PBKDF2, first block, `slice` rounds at a time. */
static void derive(enum kw_hash alg, const char *password, const char *salt, uint32_t iterations,
                   uint32_t slice, uint8_t *out)
{
    uint8_t first[64], u[KW_HASH_SIZE_MAX];
    size_t len = strlen(salt);
    memcpy(first, salt, len);
    memcpy(first + len, "\0\0\0\1", 4);
    cr_assert_eq(crypto()->hmac(alg, password, strlen(password), first, len + 4, u), 0);
    memcpy(out, u, hash_size(alg));
    for (uint32_t left = iterations - 1; left > 0;) {
        uint32_t n = left < slice ? left : slice;
        cr_assert_eq(crypto()->pbkdf2(alg, password, strlen(password), u, out, n), 0);
        left -= n;
    }
}

static const struct {
    const char *password, *salt;
    uint32_t iterations;
    const char *sha256, *sha512;
} derive_rows[] = {
    {"password", "salt", 1, "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b",
     "867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252"
     "c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce"},
    {"password", "salt", 2, "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43",
     "e1d9c16aa681708a45f5c7c4e215ceb66e011a2e9f0040713f18aefdb866d53c"
     "f76cab2868a39b9f7840edce4fef5a82be67335c77a6068e04112754f27ccf4e"},
    {"password", "salt", 4096, "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a",
     "d197b1b33db0143e018b12f3d1d1479e6cdebdcc97c5c0f87f6902e072f457b5"
     "143f30602641b3d55cd335988cb36b84376060ecd532e039b742a239434af2d5"},
    {"passwd", "salt", 1, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc",
     "c74319d99499fc3e9013acff597c23c5baf0a0bec5634c46b8352b793e324723"
     "d55caa76b2b25c43402dcfdc06cdcf66f95b7d0429420b39520006749c51a04e"},
    {"Password", "NaCl", 80000, "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56",
     "e6337d6fbeb645c794d4a9b5b75b7b30dac9ac50376a91df1f4460f6060d5add"
     "b2c1fd1f84409abacc67de7eb4056e6bb06c2d82c3ef4ccd1bded0f675ed97c6"},
    {"passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096,
     "348c89dbcbd32b2f32d814b8116e84cf2b17347ebc1800181c4e2a1fb8dd53e1",
     "8c0511f4c6e597c6ac6315d8f0362e225f3c501495ba23b868c005174dc4ee71"
     "115b59f9e60cd9532fa33e0f75aefe30225c583a186cd82bd4daea9724a3d3b8"},
};

Test(crypto, keys_are_derived_as_by_another_library_in_slices_of_any_size)
{
    static const uint32_t slices[] = {1, 7, 1000, 1000000};
    for (size_t i = 0; i < sizeof derive_rows / sizeof *derive_rows; i++) {
        for (size_t k = derive_rows[i].iterations > 10000; k < 4; k++) {
            uint8_t out[KW_HASH_SIZE_MAX];
            derive(KW_HASH_SHA256, derive_rows[i].password, derive_rows[i].salt,
                   derive_rows[i].iterations, slices[k], out);
            must_be("SHA-256", out, 32, derive_rows[i].sha256);
            derive(KW_HASH_SHA512, derive_rows[i].password, derive_rows[i].salt,
                   derive_rows[i].iterations, slices[k], out);
            must_be("SHA-512", out, 64, derive_rows[i].sha512);
        }
    }
}

Test(crypto, equal_looks_at_every_byte)
{
    uint8_t a[64], b[64];
    for (size_t i = 0; i < sizeof a; i++)
        a[i] = b[i] = (uint8_t)(i * 7);
    cr_assert(crypto()->equal(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] ^= 1;
        cr_assert_not(crypto()->equal(a, b, sizeof a), "byte %zu", i);
        b[i] ^= 1;
    }
}

Test(crypto, random_bytes_differ_each_time)
{
    uint8_t a[32] = {0}, b[32] = {0};
    cr_assert_eq(crypto()->random(a, sizeof a), 0);
    cr_assert_eq(crypto()->random(b, sizeof b), 0);
    cr_assert_neq(memcmp(a, b, sizeof a), 0);
}

Test(crypto, a_hash_that_is_none_is_refused)
{
    uint8_t out[KW_HASH_SIZE_MAX], acc[KW_HASH_SIZE_MAX] = {0};
    cr_assert_eq(crypto()->hash((enum kw_hash)9, "", 0, out), KW_ERR_UNSUPPORTED);
    cr_assert_eq(crypto()->hmac((enum kw_hash)9, "k", 1, "", 0, out), KW_ERR_UNSUPPORTED);
    cr_assert_eq(crypto()->pbkdf2((enum kw_hash)9, "k", 1, out, acc, 1), KW_ERR_UNSUPPORTED);
}
