/* tests/cli/test_input.c -- records out of a descriptor, however it is cut. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/input.h"

/* Feeds text through a pipe in pieces of `step` bytes and joins the records as
 * "[one][two]", with "!" for one that is too long. */
static char *records_of(const char *text, size_t len, size_t step, struct kw_bytes delimiter)
{
    struct cli_input in = {0};
    struct kw_bytes record = {0};
    int fds[2], saved = dup(STDIN_FILENO);
    size_t sent = 0, used = 0;
    char *result = calloc(1, len * 4 + 16);
    bool end = false;

    cr_assert_eq(pipe(fds), 0);
    cr_assert(dup2(fds[0], STDIN_FILENO) == STDIN_FILENO);
    close(fds[0]);
    cr_assert_eq(cli_input_open(&in, "-", delimiter), 0);
    cr_assert(in.may_stall);
    while (!end) {
        size_t part = len - sent < step ? len - sent : step;
        switch (cli_input_next(&in, &record)) {
        case CLI_INPUT_RECORD:
            result[used++] = '[';
            memcpy(result + used, record.ptr, record.len);
            used += record.len;
            result[used++] = ']';
            break;
        case CLI_INPUT_MORE:
            if (part > 0)
                cr_assert_eq(write(fds[1], text + sent, part), (ssize_t)part);
            else
                close(fds[1]);
            sent += part;
            cr_assert_eq(cli_input_fill(&in), 0);
            break;
        case CLI_INPUT_TOO_LONG: result[used++] = '!'; break;
        case CLI_INPUT_END: end = true; break;
        }
    }
    dup2(saved, STDIN_FILENO);
    close(saved);
    cli_input_deinit(&in);
    return result;
}

static void expect(const char *text, struct kw_bytes delimiter, const char *wanted)
{
    for (size_t step = 1; step <= strlen(text) + 1; step++) {
        char *got = records_of(text, strlen(text), step, delimiter);
        cr_expect_str_eq(got, wanted, "in pieces of %zu: %s", step, got);
        free(got);
    }
}

Test(input, lines_are_records_and_the_last_one_needs_no_newline)
{
    static const struct kw_bytes newline = {"\n", 1};

    expect("", newline, "");
    expect("a", newline, "[a]");
    expect("a\n", newline, "[a]");
    expect("\n", newline, "[]");
    expect("one\n\ntwo\r\nthree", newline, "[one][][two\r][three]");
}

Test(input, a_delimiter_may_have_several_bytes_and_lie_across_reads)
{
    static const struct kw_bytes dashes = {"--\n", 3};

    expect("a--\nb--\n", dashes, "[a][b]");
    expect("a---\n-\n--", dashes, "[a-][-\n--]");
}

Test(input, without_a_delimiter_the_whole_input_is_one_record)
{
    static const struct kw_bytes none = {"", 0};

    expect("", none, "[]");
    expect("a\nb\n", none, "[a\nb\n]");
}

Test(input, a_record_longer_than_the_block_is_kept_whole)
{
    static const struct kw_bytes newline = {"\n", 1};
    const size_t len = 300000;
    char *text = malloc(len);

    memset(text, 'x', len);
    text[len / 2] = '\n';
    char *got = records_of(text, len, 50000, newline);
    cr_assert_eq(strlen(got), len - 1 + 4);
    cr_assert_eq(strspn(got + 1, "x"), len / 2);
    free(got);
    free(text);
}

Test(input, a_record_above_the_limit_is_skipped_and_the_next_one_is_read)
{
    static const struct kw_bytes newline = {"\n", 1};
    struct cli_input in = {0};
    struct kw_bytes record;
    enum cli_input_result result;
    FILE *file = tmpfile();
    char *block = malloc(1 << 20);
    char path[64];

    memset(block, 'x', 1 << 20);
    for (size_t i = 0; i <= CLI_INPUT_RECORD_MAX >> 20; i++)
        cr_assert_eq(fwrite(block, 1, 1 << 20, file), 1 << 20);
    fputs("\nnext\n", file);
    fflush(file);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(file));
    cr_assert_eq(cli_input_open(&in, path, newline), 0);
    cr_assert_not(in.may_stall);
    while ((result = cli_input_next(&in, &record)) == CLI_INPUT_MORE)
        cr_assert_eq(cli_input_fill(&in), 0);
    cr_assert_eq(result, CLI_INPUT_TOO_LONG);
    cr_assert_eq(cli_input_next(&in, &record), CLI_INPUT_RECORD);
    cr_assert(record.len == 4 && memcmp(record.ptr, "next", 4) == 0);
    cli_input_close(&in);
    cli_input_deinit(&in);
    fclose(file);
    free(block);
}
