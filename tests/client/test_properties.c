/* Java properties text: what is taken, what is refused with its line, and that
 * no text at all can do harm.
 *
 * covers: M08 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "client/config.h"

static void *text_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void text_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

static const struct kw_alloc plain = {text_alloc, text_free, NULL};

/* Parses an exact-size copy, so that ASan sees a byte too far. */
static int text_parse(struct kw_config *cfg, const char *text, size_t len, struct kw_error *err)
{
    char *copy = malloc(len ? len : 1);
    int rc;
    memcpy(copy, text, len);
    rc = kw_config_parse(cfg, copy, len, err);
    free(copy);
    return rc;
}

static struct kw_config *text_config(const char *text)
{
    struct kw_config *cfg;
    struct kw_error err = {0};
    cr_assert_eq(kw_config_create(&cfg, &plain), 0);
    cr_assert_eq(text_parse(cfg, text, strlen(text), &err), 0, "%s", err.text);
    return cfg;
}

static void text_client_id(const char *text, const char *expected)
{
    struct kw_config *cfg = text_config(text);
    cr_assert_str_eq(kwi_config_str(cfg, KW_KEY_CLIENT_ID), expected, "of: %s", text);
    kw_config_destroy(cfg);
}

Test(properties, keys_and_values_are_separated_as_java_does_it)
{
    text_client_id("client.id=x", "x");
    text_client_id("client.id = x y", "x y");
    text_client_id("client.id:x", "x");
    text_client_id("client.id x", "x");
    text_client_id("  client.id\t:\tx=y", "x=y");
    text_client_id("client.id==x", "=x");
    text_client_id("client.id", "");
    text_client_id("client.id=", "");
    text_client_id("client\\.id=x", "x");
}

Test(properties, lines_comments_and_continuations_are_read_as_java_does_it)
{
    text_client_id("", "kwire");
    text_client_id("# client.id=no\n! client.id=no\n\n   \n\t# x\\\nclient.id=yes", "yes");
    text_client_id("client.id=a\r\nlinger.ms=1\r\n", "a");
    text_client_id("client.id=a\rlinger.ms=1\r", "a");
    text_client_id("client.id=a\\\n   b\\\r\n\tc\n", "abc");
    text_client_id("client.id=a\\\\\nlinger.ms=3", "a\\");
    text_client_id("client.id=a\\", "a");
    text_client_id("client.id=a\nclient.id=b", "b");
    text_client_id("client.id=a # b", "a # b");
}

Test(properties, escapes_are_resolved)
{
    text_client_id("client.id=a\\=b\\:c\\ d\\\\e", "a=b:c d\\e");
    text_client_id("client.id=a\\tb", "a\tb");
    text_client_id("client.id=\\u0041\\u00e9\\u20AC", "A\xc3\xa9\xe2\x82\xac");
    text_client_id("client.id=\\q", "q");
}

Test(properties, an_error_names_its_line)
{
    static const struct {
        const char *text, *says;
    } bad[] = {{"linger.ms=1\n\n# x\nlinger.mss=2\n", "line 4: linger.mss"},
               {"linger.ms=1\\\n2x\n", "line 1: linger.ms = 12x"},
               {"a\\\n\\\n b=1", "line 1: ab"},
               {"client.id=\\u12", "line 1: a bad escape in the value"},
               {"\nclient.id=\\u0000", "line 2: a bad escape in the value"},
               {"client.id=\\ud83d\\ude00", "line 1: a bad escape"},
               {"\\u00zz=1", "line 1: a bad escape in the key"},
               {"=x", "line 1:  = ...: no such key"}};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct kw_config *cfg;
        struct kw_error err;
        cr_assert_eq(kw_config_create(&cfg, &plain), 0);
        cr_assert_eq(text_parse(cfg, bad[i].text, strlen(bad[i].text), &err), KW_ERR_CONFIG);
        cr_assert_eq(strncmp(err.text, bad[i].says, strlen(bad[i].says)), 0, "%s", err.text);
        cr_assert_neq(err.hint[0], 0);
        cr_assert_eq(text_parse(cfg, bad[i].text, strlen(bad[i].text), NULL), KW_ERR_CONFIG);
        kw_config_destroy(cfg);
    }
}

Test(properties, a_nul_byte_and_a_huge_text_are_refused)
{
    struct kw_config *cfg;
    struct kw_error err;
    char *huge = calloc(1, KWI_CONFIG_FILE_MAX + 1);
    cr_assert_eq(kw_config_create(&cfg, &plain), 0);
    cr_assert_eq(text_parse(cfg, "client.id=a\0b", 13, &err), KW_ERR_CONFIG);
    memset(huge, '\n', KWI_CONFIG_FILE_MAX + 1);
    cr_assert_eq(kw_config_parse(cfg, huge, KWI_CONFIG_FILE_MAX, &err), 0);
    cr_assert_eq(kw_config_parse(cfg, huge, KWI_CONFIG_FILE_MAX + 1, &err), KW_ERR_CONFIG);
    cr_assert_eq(kw_config_parse(NULL, huge, 1, &err), KW_ERR_USE);
    cr_assert_eq(kw_config_parse(cfg, NULL, 1, &err), KW_ERR_USE);
    cr_assert_eq(kw_config_parse(cfg, NULL, 0, &err), 0);
    kw_config_destroy(cfg);
    free(huge);
}

/* Pieces that meet the parser's branches more often than random bytes do. */
static const char *const pieces[] = {"client.id",
                                     "=",
                                     ":",
                                     " ",
                                     "\t",
                                     "\\",
                                     "\n",
                                     "\r\n",
                                     "\\u00",
                                     "4",
                                     "1",
                                     "a",
                                     "#",
                                     "!",
                                     "linger.ms",
                                     "\\\n",
                                     "bootstrap.servers",
                                     "[::1]:",
                                     ",",
                                     "\f",
                                     "\xc3\xa9",
                                     "acks",
                                     "all",
                                     "\\\\"};

Test(properties, no_text_does_harm)
{
    struct kw_rng rng;
    uint8_t seed[32] = {7};
    unsigned taken = 0, refused = 0;
    kwi_rng_init(&rng, seed);
    for (unsigned round = 0; round < 20000; round++) {
        char text[256];
        size_t len = 0;
        struct kw_config *cfg;
        struct kw_error err = {0};
        for (unsigned n = kwi_rng_below(&rng, 16); n > 0; n--) {
            const char *piece = pieces[kwi_rng_below(&rng, sizeof pieces / sizeof *pieces)];
            memcpy(text + len, piece, strlen(piece));
            len += strlen(piece);
        }
        if (len > 0 && kwi_rng_below(&rng, 4) == 0)
            text[kwi_rng_below(&rng, (uint32_t)len)] = (char)kwi_rng_below(&rng, 256);
        cr_assert_eq(kw_config_create(&cfg, &plain), 0);
        int rc = text_parse(cfg, text, len, &err);
        cr_assert(rc == 0 || rc == KW_ERR_CONFIG, "round %u: %d", round, rc);
        cr_assert_eq(rc != 0, err.code != 0);
        cr_assert(memchr(err.text, 0, sizeof err.text));
        rc ? refused++ : taken++;
        kw_config_destroy(cfg);
    }
    cr_assert_gt(taken, 100);
    cr_assert_gt(refused, 100);
}
