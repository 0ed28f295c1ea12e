/* cli/options.c -- command line options from a table, and the help made of it.
 *
 * A row says the names, the kind of value, where it goes and what the help
 * says, so that an option cannot exist without its help text. Short options
 * may be joined (-eq) and carry their value (-tname), as kcat's users write
 * them. It does not know what the options mean. */
#include "cli/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"

#define CLI_HELP_COLUMN 30
#define CLI_HELP_WIDTH 92

static const struct cli_option options_common[] = {
    {'b', CLI_KIND_TEXT, "brokers", "HOST:PORT,...", offsetof(struct cli_common, brokers), 0, 0,
     "brokers to begin with (bootstrap.servers)"},
    {'X', CLI_KIND_LIST, "set", "KEY=VALUE", offsetof(struct cli_common, settings), 0, 0,
     "set a configuration key, by Kafka's name or librdkafka's; may be repeated"},
    {'F', CLI_KIND_LIST, "config-file", "FILE", offsetof(struct cli_common, settings), 0, 0,
     "read configuration keys from a Java properties file"},
    {0, CLI_KIND_FLAG, "references", NULL, offsetof(struct cli_common, references), 0, 0,
     "take ${env:NAME} and ${file:PATH} in the values of -F files"},
    {0, CLI_KIND_INT, "timeout", "MS", offsetof(struct cli_common, timeout_ms), 1, INT32_MAX,
     "how long to wait for the cluster (default 30000)"},
    {'q', CLI_KIND_FLAG, "quiet", NULL, offsetof(struct cli_common, quiet), 0, 0,
     "no summary, notes or warnings on stderr; errors stay"},
};
#define CLI_N_COMMON (sizeof(options_common) / sizeof(options_common[0]))

struct options_state {
    const struct cli_command *command;
    char *base;
    struct cli_list *arguments;
    uint64_t seen; /* bit i: row i was given */
    int argc, next;
    char **argv;
};

/* ---- small parsers ------------------------------------------------------- */

bool cli_parse_int(const char *text, int64_t min, int64_t max, int64_t *out)
{
    char *end;
    long long number;

    if (*text == '\0' || *text == ' ' || *text == '+')
        return false;
    errno = 0;
    number = strtoll(text, &end, 10);
    if (errno || *end != '\0' || number < min || number > max)
        return false;
    *out = number;
    return true;
}

static int options_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

long cli_unescape(const char *text, char *buf)
{
    static const char names[] = "ntr0\\", values[] = "\n\t\r\0\\";
    long len = 0;

    for (; *text; text++) {
        if (*text != '\\') {
            buf[len++] = *text;
            continue;
        }
        text++;
        const char *name = *text ? strchr(names, *text) : NULL;
        if (name) {
            buf[len++] = values[name - names];
        } else if (*text == 'x' && options_hex(text[1]) >= 0 && options_hex(text[2]) >= 0) {
            buf[len++] = (char)(options_hex(text[1]) * 16 + options_hex(text[2]));
            text += 2;
        } else {
            return -1;
        }
    }
    return len;
}

static bool options_list_add(struct cli_list *list, char option, const char *text)
{
    struct cli_item *items = realloc(list->items, (list->n + 1) * sizeof(*items));

    if (!items)
        return false;
    items[list->n++] = (struct cli_item){option, text};
    list->items = items;
    return true;
}

void cli_list_free(struct cli_list *list)
{
    free(list->items);
    *list = (struct cli_list){0};
}

int cli_usage_error(const struct cli_command *command, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", command->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, " (see %s --help)\n", command->name);
    return CLI_EXIT_USAGE;
}

/* ---- parsing ------------------------------------------------------------- */

static size_t options_count(const struct cli_command *command)
{
    return command->n_options + (command->with_common ? CLI_N_COMMON : 0);
}

/* A row of the command's own table hides a common one of the same name, so that
 * a command can say more precisely what a common option does there. */
static const struct cli_option *options_row(const struct cli_command *command, size_t i)
{
    return i < command->n_options ? &command->options[i] : &options_common[i - command->n_options];
}

static int options_find(const struct cli_command *command, char short_name, const char *name,
                        size_t len)
{
    for (size_t i = 0; i < options_count(command); i++) {
        const struct cli_option *row = options_row(command, i);
        if (name ? strlen(row->long_name) == len && memcmp(row->long_name, name, len) == 0
                 : row->short_name == short_name)
            return (int)i;
    }
    return -1;
}

static int options_store(struct options_state *state, int index, const char *shown,
                         const char *text)
{
    const struct cli_option *row = options_row(state->command, (size_t)index);
    void *value = state->base + row->offset;

    if (row->kind != CLI_KIND_LIST && state->seen >> index & 1)
        return cli_usage_error(state->command, "%s is given twice", shown);
    state->seen |= UINT64_C(1) << index;
    switch ((enum cli_kind)row->kind) {
    case CLI_KIND_FLAG: *(bool *)value = true; return -1;
    case CLI_KIND_TEXT: *(const char **)value = text; return -1;
    case CLI_KIND_INT:
        if (!cli_parse_int(text, row->min, row->max, value))
            return cli_usage_error(state->command, "%s '%s' is not a number from %lld to %lld",
                                   shown, text, (long long)row->min, (long long)row->max);
        return -1;
    case CLI_KIND_LIST:
        if (!options_list_add(value, row->short_name, text))
            return cli_usage_error(state->command, "out of memory");
        return -1;
    }
    return CLI_EXIT_USAGE;
}

static int options_long(struct options_state *state, const char *arg)
{
    const char *name = arg + 2, *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const char *value = equals ? equals + 1 : NULL;
    int index = options_find(state->command, 0, name, len);

    if (index < 0)
        return cli_usage_error(state->command, "unknown option '%.*s'", (int)len + 2, arg);
    if (options_row(state->command, (size_t)index)->kind == CLI_KIND_FLAG) {
        if (value)
            return cli_usage_error(state->command, "--%.*s takes no value", (int)len, name);
    } else if (!value) {
        if (state->next >= state->argc)
            return cli_usage_error(state->command, "--%.*s needs a value", (int)len, name);
        value = state->argv[state->next++];
    }
    char shown[40];
    snprintf(shown, sizeof(shown), "--%.*s", (int)len, name);
    return options_store(state, index, shown, value);
}

static int options_short(struct options_state *state, const char *arg)
{
    for (const char *c = arg + 1; *c; c++) {
        const char shown[3] = {'-', *c, 0};
        int index = options_find(state->command, *c, NULL, 0);
        const char *value = NULL;

        if (index < 0)
            return cli_usage_error(state->command, "unknown option '%s'", shown);
        bool flag = options_row(state->command, (size_t)index)->kind == CLI_KIND_FLAG;
        if (!flag) {
            if (c[1] != '\0')
                value = c + 1;
            else if (state->next < state->argc)
                value = state->argv[state->next++];
            else
                return cli_usage_error(state->command, "%s needs a value", shown);
        }
        int rc = options_store(state, index, shown, value);
        if (rc >= 0 || !flag)
            return rc;
    }
    return -1;
}

int cli_options_parse(const struct cli_command *command, int argc, char **argv, void *values,
                      struct cli_list *arguments)
{
    struct options_state state = {.command = command,
                                  .base = values,
                                  .arguments = arguments,
                                  .argc = argc,
                                  .next = 1,
                                  .argv = argv};
    bool only_arguments = false;

    while (state.next < argc) {
        const char *arg = argv[state.next++];
        int rc = -1;

        if (only_arguments || arg[0] != '-' || arg[1] == '\0') {
            if (!command->with_arguments)
                return cli_usage_error(command, "unexpected argument '%s'", arg);
            if (!options_list_add(arguments, 0, arg))
                return cli_usage_error(command, "out of memory");
        } else if (strcmp(arg, "--") == 0) {
            only_arguments = true;
        } else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            cli_options_help(command);
            return CLI_EXIT_DONE;
        } else if (arg[1] == '-') {
            rc = options_long(&state, arg);
        } else {
            rc = options_short(&state, arg);
        }
        if (rc >= 0)
            return rc;
    }
    return -1;
}

/* ---- help ---------------------------------------------------------------- */

/* Prints text from the column on, broken at spaces; column is where the cursor is. */
static void options_wrap(const char *text, int column, int indent)
{
    int at = column;

    while (*text) {
        int word = (int)strcspn(text, " ");
        if (at > indent && at + word + 1 > CLI_HELP_WIDTH) {
            printf("\n%*s", indent, "");
            at = indent;
        }
        printf("%s%.*s", at > indent ? " " : "", word, text);
        at += word + (at > indent ? 1 : 0);
        text += word + (text[word] == ' ' ? 1 : 0);
    }
    putchar('\n');
}

static void options_help_row(const struct cli_option *row)
{
    char left[80];
    char short_name[4] = "   ";

    if (row->short_name)
        snprintf(short_name, sizeof(short_name), "-%c,", row->short_name);
    int len = snprintf(left, sizeof(left), "  %s --%s%s%s", short_name, row->long_name,
                       row->value_name ? " " : "", row->value_name ? row->value_name : "");
    printf("%s", left);
    if (len >= CLI_HELP_COLUMN)
        printf("\n%*s", CLI_HELP_COLUMN, "");
    else
        printf("%*s", CLI_HELP_COLUMN - len, "");
    options_wrap(row->help, CLI_HELP_COLUMN, CLI_HELP_COLUMN);
}

void cli_options_help(const struct cli_command *command)
{
    printf("Usage: %s %s\n\n", command->name, command->usage);
    options_wrap(command->about, 0, 0);
    printf("\nOptions:\n");
    for (size_t i = 0; i < options_count(command); i++) {
        const struct cli_option *row = options_row(command, i);
        if (options_find(command, 0, row->long_name, strlen(row->long_name)) == (int)i)
            options_help_row(row);
    }
    printf("  -h, --help                  this text\n");
    if (command->notes)
        printf("\n%s", command->notes);
    printf("\nExamples:\n%s", command->examples);
    printf("\nExit status: 0 done, 1 some records or operations failed (each named on stderr),\n"
           "2 usage, 3 cannot connect, 4 trust or identity refused.\n");
}
