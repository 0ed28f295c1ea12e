/* tests/cli/test_options.c -- the command line as tables. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"

struct values {
    struct cli_common common;
    const char *text;
    int64_t number;
    bool flag, other;
    struct cli_list list;
};

static const struct cli_option rows[] = {
    {'t', CLI_KIND_TEXT, "text", "S", offsetof(struct values, text), 0, 0, "a text"},
    {'n', CLI_KIND_INT, "number", "N", offsetof(struct values, number), -5, 10, "a number"},
    {'f', CLI_KIND_FLAG, "flag", NULL, offsetof(struct values, flag), 0, 0, "a flag"},
    {'e', CLI_KIND_FLAG, "other", NULL, offsetof(struct values, other), 0, 0, "a flag"},
    {'l', CLI_KIND_LIST, "list", "S", offsetof(struct values, list), 0, 0, "a list"},
};
static const struct cli_command command = {
    .name = "kw test",
    .usage = "[OPTIONS]",
    .about = "Tests.",
    .examples = "  kw test\n",
    .options = rows,
    .n_options = sizeof(rows) / sizeof(rows[0]),
    .with_common = true,
    .with_arguments = true,
};

static int parse(struct values *values, struct cli_list *arguments, const char *line)
{
    static char copy[256];
    char *argv[16];
    int argc = 0;

    *values = (struct values){0};
    *arguments = (struct cli_list){0};
    strncpy(copy, line, sizeof(copy) - 1);
    for (char *word = strtok(copy, " "); word && argc < 16; word = strtok(NULL, " "))
        argv[argc++] = word;
    return cli_options_parse(&command, argc, argv, values, arguments);
}

static void done(struct values *values, struct cli_list *arguments)
{
    cli_list_free(&values->list);
    cli_list_free(&values->common.settings);
    cli_list_free(arguments);
}

Test(options, long_and_short_forms_set_the_same_values)
{
    static const char *const lines[] = {
        "kw --text a --number -3 --flag --other --list x --list y one two",
        "kw --text=a --number=-3 --flag --other --list=x --list=y one two",
        "kw -ta -n-3 -fe -lx -ly one two",
        "kw one -t a -n -3 -f -e -l x two -l y",
        "kw -fet a -n -3 -l x -l y -- one two",
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct values values;
        struct cli_list arguments;
        cr_assert_eq(parse(&values, &arguments, lines[i]), -1, "%s", lines[i]);
        cr_assert_str_eq(values.text, "a");
        cr_assert_eq(values.number, -3);
        cr_assert(values.flag && values.other);
        cr_assert_eq(values.list.n, 2);
        cr_assert_str_eq(values.list.items[1].text, "y");
        cr_assert_eq(arguments.n, 2);
        cr_assert_str_eq(arguments.items[1].text, "two");
        done(&values, &arguments);
    }
}

Test(options, settings_of_both_kinds_keep_their_order)
{
    struct values values;
    struct cli_list arguments;

    cr_assert_eq(parse(&values, &arguments, "kw -X a=1 -F file --set b=2"), -1);
    cr_assert_eq(values.common.settings.n, 3);
    cr_assert_eq(values.common.settings.items[0].option, 'X');
    cr_assert_eq(values.common.settings.items[1].option, 'F');
    cr_assert_str_eq(values.common.settings.items[2].text, "b=2");
    done(&values, &arguments);
}

Test(options, a_dash_alone_and_what_follows_two_dashes_are_arguments)
{
    struct values values;
    struct cli_list arguments;

    cr_assert_eq(parse(&values, &arguments, "kw - -- -t --flag"), -1);
    cr_assert_eq(arguments.n, 3);
    cr_assert_str_eq(arguments.items[0].text, "-");
    cr_assert_str_eq(arguments.items[2].text, "--flag");
    done(&values, &arguments);
}

Test(options, what_is_wrong_is_a_usage_error, .init = cr_redirect_stderr)
{
    static const char *const lines[] = {
        "kw -z",        "kw --nothing",
        "kw --tex a",   "kw -t",
        "kw --text",    "kw --flag=yes",
        "kw -t a -t b", "kw -f -f",
        "kw -n 11",     "kw -n -6",
        "kw -n 1x",     "kw -n +1",
        "kw --number=", "kw -n 99999999999999999999",
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct values values;
        struct cli_list arguments;
        cr_expect_eq(parse(&values, &arguments, lines[i]), CLI_EXIT_USAGE, "%s", lines[i]);
        done(&values, &arguments);
    }
}

Test(options, the_message_names_option_value_and_limits, .init = cr_redirect_stderr)
{
    struct values values;
    struct cli_list arguments;

    cr_assert_eq(parse(&values, &arguments, "kw -n 11"), CLI_EXIT_USAGE);
    fflush(stderr);
    cr_assert_stderr_eq_str(
        "kw test: -n '11' is not a number from -5 to 10 (see kw test --help)\n");
    done(&values, &arguments);
}

Test(options, escapes_are_resolved)
{
    char buf[32];

    cr_assert_eq(cli_unescape("a\\n\\t\\r\\0\\\\\\x7F", buf), 7);
    cr_assert_eq(memcmp(buf, "a\n\t\r\0\\\x7f", 7), 0);
    cr_assert_eq(cli_unescape("", buf), 0);
    cr_assert_eq(cli_unescape("\\", buf), -1);
    cr_assert_eq(cli_unescape("\\q", buf), -1);
    cr_assert_eq(cli_unescape("\\x1", buf), -1);
}
