/* tests/cli/test_format.c -- kcat's output format, and the escapes. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include <kwire/kwire.h>

#include "cli/format.h"
#include "cli/options.h"
#include "tests/cli/support.h"

static char *print(const char *text, const struct kw_consumed *record)
{
    struct cli_format *format = calloc(1, sizeof(*format));
    struct cli_output *out = malloc(sizeof(*out));
    size_t at = 0;
    char *result;

    cli_output_init(out, -1);
    cr_assert(cli_format_parse(format, text, &at), "%s at %zu", text, at);
    cli_format_print(format, out, "topic", 3, record);
    result = output_text(out);
    free(format);
    free(out);
    return result;
}

Test(format, each_directive_prints_its_field)
{
    const struct kw_consumed record = {
        .key = {"key", 3}, .value = {"value", 5}, .offset = 42, .timestamp_ms = -1};
    char *text = print("%t|%p|%o|%T|%k|%K|%s|%S|%h|%%\\n\\t\\\\\\x41\\0", &record);

    cr_assert_str_eq(text, "topic|3|42|-1|key|3|value|5||%\n\t\\A");
    free(text);
}

Test(format, null_is_empty_with_length_minus_one)
{
    const struct kw_consumed record = {.value = {"", 0}};
    char *text = print("[%k]%K[%s]%S", &record);

    cr_assert_str_eq(text, "[]-1[]0");
    free(text);
}

Test(format, what_cannot_be_read_is_refused_at_its_place)
{
    static const struct {
        const char *text;
        size_t at;
    } cases[] = {{"ab%", 2}, {"%x", 0}, {"%s\\", 2}, {"\\q", 0}, {"\\x4", 0}, {"a\\xg0", 1}};
    struct cli_format *format = calloc(1, sizeof(*format));
    size_t at;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_not(cli_format_parse(format, cases[i].text, &at), "%s", cases[i].text);
        cr_expect_eq(at, cases[i].at, "%s: %zu", cases[i].text, at);
    }
    free(format);
}

Test(format, a_format_above_the_limits_is_refused)
{
    struct cli_format *format = calloc(1, sizeof(*format));
    char text[2048] = {0};
    size_t at;

    memset(text, 'a', 1024);
    cr_assert(cli_format_parse(format, text, &at));
    text[1024] = 'a';
    cr_assert_not(cli_format_parse(format, text, &at));
    memset(text, 0, sizeof(text));
    for (int i = 0; i < CLI_FORMAT_MAX; i++)
        memcpy(text + i * 2, "%s", 2);
    cr_assert(cli_format_parse(format, text, &at));
    memcpy(text + CLI_FORMAT_MAX * 2, "%s", 2);
    cr_assert_not(cli_format_parse(format, text, &at));
    free(format);
}

Test(output, numbers_are_printed_to_their_limits)
{
    struct cli_output *out = malloc(sizeof(*out));
    char *text;

    cli_output_init(out, -1);
    cli_output_int(out, INT64_MIN);
    cli_output_char(out, ' ');
    cli_output_int(out, INT64_MAX);
    cli_output_char(out, ' ');
    cli_output_int(out, 0);
    text = output_text(out);
    cr_assert_str_eq(text, "-9223372036854775808 9223372036854775807 0");
    free(text);
    free(out);
}
