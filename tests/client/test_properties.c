/* Java properties text: what is taken, what is refused with its line, and that
 * no text at all can do harm.
 *
 * covers: M08 S18 */
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

/* ---- references ---------------------------------------------------------------- */

/* kind:name is its value, but for a few names. */
static int toy_get(void *ctx, const char *kind, const char *name, char *buf, size_t cap,
                   size_t *len, const char **why)
{
    if (strcmp(name, "none") == 0) {
        *why = "there is none";
        return KW_ERR_IO;
    }
    if (strcmp(name, "huge") == 0 || strcmp(name, "full") == 0) {
        *len = cap;
        memset(buf, 'x', cap);
        return name[0] == 'h' ? KW_ERR_LIMIT : 0;
    }
    if (strcmp(name, "nul") == 0)
        *len = (size_t)snprintf(buf, cap, "a") + 1;
    else
        *len = (size_t)snprintf(buf, cap, "<%s of %s%s>", name, kind, (const char *)ctx);
    return strcmp(name, "nomem") == 0 ? KW_ERR_NOMEM : 0;
}

static char toy_ctx[] = "!";

static void reference_is(const char *text, const char *expected, int rc, const char *refusal)
{
    static const struct kw_config_source source = {toy_get, toy_ctx};
    struct kw_config *cfg;
    struct kw_error err = {0};
    cr_assert_eq(kw_config_create(&cfg, &plain), 0);
    cr_assert_eq(kw_config_set_source(cfg, &source), 0);
    cr_expect_eq(text_parse(cfg, text, strlen(text), &err), rc, "of: %s", text);
    if (rc == KW_ERR_CONFIG)
        cr_expect(strstr(err.text, refusal) && err.hint[0], "of: %s: %s", text, err.text);
    else if (rc == 0)
        cr_expect_str_eq(kwi_config_str(cfg, KW_KEY_CLIENT_ID), expected, "of: %s", text);
    kw_config_destroy(cfg);
}

Test(properties, references_are_replaced_where_there_is_a_source)
{
    reference_is("client.id=${env:A}", "<A of env!>", 0, NULL);
    reference_is("client.id=a${file:/b/c}d${env:E}", "a</b/c of file!>d<E of env!>", 0, NULL);
    reference_is("client.id=$x{env:A}$", "$x{env:A}$", 0, NULL);
    reference_is("client.id=${env:${x}", "<${x of env!>", 0, NULL);
    reference_is("client.id=${env:none}", NULL, KW_ERR_CONFIG,
                 "line 1: client.id = ${env:none}: there is none");
    reference_is("client.id=${env:nul}", NULL, KW_ERR_CONFIG, "holds a NUL");
    reference_is("client.id=${env:huge}", NULL, KW_ERR_CONFIG, "above 64 KiB");
    reference_is("client.id=${env:full}x", NULL, KW_ERR_CONFIG, "above 64 KiB");
    reference_is("client.id=${env:nomem}", NULL, KW_ERR_NOMEM, NULL);
    reference_is("client.id=${env:}", NULL, KW_ERR_CONFIG, "not a reference that is known");
    reference_is("client.id=${env:A", NULL, KW_ERR_CONFIG, "not a reference that is known");
    reference_is("client.id=${vault:A}", NULL, KW_ERR_CONFIG, "${vault:A: not a reference");
    /* What a reference stands for is not looked at again, and not shown. */
    reference_is("client.id=${env:${env:A}}", "<${env:A of env!>}", 0, NULL);
    reference_is("linger.ms=${file:/etc/secret}", NULL, KW_ERR_CONFIG,
                 "linger.ms = ${file:/etc/secret}: what it stands for");
}

Test(properties, references_are_off_at_first)
{
    static const char text[] = "client.id=x\nsasl.password=${env:A}";
    struct kw_config *cfg;
    struct kw_error err = {0};
    cr_assert_eq(kw_config_create(&cfg, &plain), 0);
    cr_expect_eq(text_parse(cfg, text, strlen(text), &err), KW_ERR_CONFIG);
    cr_expect_str_eq(err.text, "line 2: sasl.password = ${env:A}: references are not switched on");
    cr_expect_not(kwi_config_is_set(cfg, KW_KEY_SASL_PASSWORD));
    cr_expect_eq(kw_config_set(cfg, "sasl.password", "${env:A}", &err), 0, "literal");
    cr_expect_eq(kw_config_set_source(cfg, &(struct kw_config_source){0}), KW_ERR_USE);
    cr_expect_eq(kw_config_set_source(NULL, NULL), KW_ERR_USE);
    cr_expect_eq(kw_config_set_source(cfg, NULL), 0);
    kw_config_destroy(cfg);
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
