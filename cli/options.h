/* cli/options.h -- command line options from a table, and the help made of it. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cli_kind {
    CLI_KIND_FLAG, /* bool */
    CLI_KIND_TEXT, /* const char * */
    CLI_KIND_INT,  /* int64_t, within min and max */
    CLI_KIND_LIST  /* struct cli_list; the option may be repeated */
};

struct cli_option {
    char short_name; /* 0: none */
    uint8_t kind;    /* enum cli_kind */
    const char *long_name;
    const char *value_name; /* as the help calls it; NULL for a flag */
    size_t offset;          /* of its value in the command's struct */
    int64_t min, max;
    const char *help;
};

/* The values of a repeated option; text points into argv. */
struct cli_item {
    char option; /* short name of the row that it came from */
    const char *text;
};
struct cli_list {
    struct cli_item *items;
    size_t n;
};

/* What every subcommand that talks to a broker takes; the first member of its
 * own struct. */
struct cli_common {
    const char *brokers;
    struct cli_list settings; /* -X and -F in the order given */
    int64_t timeout_ms;       /* -1: not given */
    bool quiet;
    bool references; /* ${env:NAME} and ${file:PATH} in -F files */
};

struct cli_command {
    const char *name;  /* "kw produce" */
    const char *usage; /* what follows the name */
    const char *about; /* one paragraph */
    const char *notes; /* more of it, printed after the options; NULL: none */
    const char *examples;
    const struct cli_option *options;
    size_t n_options;
    bool with_common; /* also takes the options of struct cli_common */
    bool with_arguments;
};

/* Fills *values, which starts with a struct cli_common when the command has
 * with_common. Returns -1 to go on, or the exit code: --help was printed, or
 * the usage was wrong, which was said on stderr. Unset options keep the value
 * that they had. */
int cli_options_parse(const struct cli_command *command, int argc, char **argv, void *values,
                      struct cli_list *arguments);
void cli_options_help(const struct cli_command *command);
void cli_list_free(struct cli_list *list);
/* Says what is wrong with the usage and where help is; returns CLI_EXIT_USAGE. */
int cli_usage_error(const struct cli_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Reads a whole decimal number within the limits. */
bool cli_parse_int(const char *text, int64_t min, int64_t max, int64_t *out);
/* Resolves \n \t \r \0 \\ and \xHH into buf (at least strlen(text) bytes) and
 * returns the length; -1: an unknown escape. */
long cli_unescape(const char *text, char *buf);

#endif
