/* covers: S18 M08
 * Configuration from a file, and the environment that the driver fills in. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/host.h"
#include <kwire/kwire.h>

/* Writes text to a file of its own and loads that. */
static int load(const char *text, size_t len, struct kw_error *err)
{
    char path[] = "/tmp/kw-test-XXXXXX";
    struct kw_config *cfg;
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, len), (ssize_t)len);
    close(fd);
    cr_assert_eq(kw_config_new(&cfg), 0);
    int rc = kw_config_load(cfg, path, err);
    kw_config_destroy(cfg);
    unlink(path);
    return rc;
}

Test(host, a_properties_file_is_loaded)
{
    static const char text[] = "# a comment\nbootstrap.servers=127.0.0.1:9092\nlinger.ms = 7\n";
    struct kw_error err;
    cr_assert_eq(load(text, sizeof(text) - 1, &err), 0, "%s", err.text);
    cr_assert_eq(load("", 0, &err), 0);
}

Test(host, an_unknown_key_in_a_file_is_an_error_that_names_it)
{
    static const char text[] = "linger.ms=7\nno.such.key=1\n";
    struct kw_error err;
    cr_assert_eq(load(text, sizeof(text) - 1, &err), KW_ERR_CONFIG);
    cr_assert(strstr(err.text, "no.such.key"), "%s", err.text);
}

Test(host, a_file_that_cannot_be_read_is_an_error_with_path_and_errno)
{
    struct kw_config *cfg;
    struct kw_error err;
    cr_assert_eq(kw_config_new(&cfg), 0);
    cr_assert_eq(kw_config_load(cfg, "/nonexistent/kw.properties", &err), KW_ERR_IO);
    cr_assert_eq(err.os_err, ENOENT);
    cr_assert(strstr(err.text, "/nonexistent/kw.properties"), "%s", err.text);
    cr_assert_eq(kw_config_load(cfg, "/tmp", &err), KW_ERR_IO);
    cr_assert_eq(err.os_err, EISDIR);
    cr_assert_eq(kw_config_load(cfg, NULL, &err), KW_ERR_USE);
    cr_assert_eq(kw_config_load(NULL, "/tmp", NULL), KW_ERR_USE);
    kw_config_destroy(cfg);
}

/* A configuration whose client.id is what the reference stands for, or a refusal. */
static void reference_is(const char *reference, const char *expected, const char *refusal)
{
    char text[256];
    struct kw_config *cfg;
    struct kw_error err = {0};
    int n = snprintf(text, sizeof text, "client.id=%s\n", reference), rc;
    cr_assert_eq(kw_config_new(&cfg), 0);
    cr_assert_eq(kw_config_use_references(cfg), 0);
    rc = kw_config_parse(cfg, text, (size_t)n, &err);
    cr_expect_eq(rc, refusal ? KW_ERR_CONFIG : 0, "%s: %s", reference, err.text);
    if (refusal)
        cr_expect(strstr(err.text, refusal), "%s: %s", reference, err.text);
    else
        cr_expect_str_eq(kw_config_text(cfg, KW_KEY_CLIENT_ID), expected);
    kw_config_destroy(cfg);
}

Test(host, references_stand_for_the_environment_and_for_files)
{
    char path[] = "/tmp/kw_reference_XXXXXX", reference[64];
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, "from a file\r\n", 13), 13);
    setenv("KW_TEST_REFERENCE", "from the environment", 1);
    reference_is("${env:KW_TEST_REFERENCE}", "from the environment", NULL);
    reference_is("${env:KW_TEST_NO_REFERENCE}", NULL, "there is no such variable");
    snprintf(reference, sizeof reference, "<${file:%s}>", path);
    reference_is(reference, "<from a file>", NULL);
    cr_assert_eq(ftruncate(fd, (64 << 10) + 1), 0);
    reference_is(reference, NULL, "above 64 KiB");
    cr_assert_eq(ftruncate(fd, 0), 0);
    reference_is(reference, "<>", NULL);
    reference_is("${file:/nonexistent/secret}", NULL, "No such file");
    reference_is("${file:/tmp}", NULL, "not a file");
    reference_is("${file:/dev/zero}", NULL, "not a file");
    close(fd);
    unlink(path);
}

Test(host, a_file_above_the_limit_is_refused_before_it_is_parsed)
{
    size_t len = (1 << 20) + 1;
    char *text = malloc(len);
    struct kw_error err;
    memset(text, '#', len);
    cr_assert_eq(load(text, len, &err), KW_ERR_LIMIT);
    cr_assert_eq(load(text, len - 1, &err), 0, "one line of comment: %s", err.text);
    free(text);
}

Test(host, what_is_zero_in_an_environment_is_filled_in)
{
    struct kw_env one, two, set = {.seed = {42}};
    int os_err;
    cr_assert_eq(kwi_host_env(&one, NULL, &os_err), 0);
    cr_assert_eq(kwi_host_env(&two, NULL, &os_err), 0);
    cr_assert_neq(memcmp(one.seed, two.seed, sizeof(one.seed)), 0, "seeds differ");
    cr_assert_eq(one.crc32c(0, "123456789", 9), 0xE3069283);
    void *block = one.alloc.alloc(one.alloc.ctx, 100);
    cr_assert_not_null(block);
    one.alloc.free(one.alloc.ctx, block, 100);
    cr_assert_null(one.log.line);
    cr_assert_eq(kwi_host_env(&two, &set, &os_err), 0);
    cr_assert_eq(two.seed[0], 42, "what is set stays");
    cr_assert_eq(two.seed[1], 0);
}

Test(host, the_version_is_that_of_the_header)
{
    cr_assert_str_eq(kw_version(), KW_VERSION);
}
