/* cli/verbs.h -- subcommands that are families of commands: kw groups list ... */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H
#include "cli/options.h"
#include "cli/output.h"
#include "cli/session.h"

/* What every command about groups may be given; the first member of its options is this. */
struct cli_group_options {
    struct cli_common common;
    const char *group;
    struct cli_list topics, types, states;
    const char *to, *at;
    int64_t shift, interval_ms, count;
    bool all, json, execute, dry_run, watch;
};

struct cli_verb_run {
    struct cli_group_options options;
    struct cli_list arguments;
    struct cli_session session;
    struct cli_output output;
};

struct cli_verb {
    const char *name, *about;
    const struct cli_command *command;
    /* NULL, or what is wrong with the usage. */
    const char *(*check)(const struct cli_verb_run *run);
    int (*run)(struct cli_verb_run *run); /* an exit code */
};

/* Finds the verb argv[1] and runs it, or says what is wrong. */
int cli_verbs_run(const char *name, const char *about, const struct cli_verb *verbs, size_t n,
                  int argc, char **argv);
/* Runs one: options, client, run, output. */
int cli_verb_run(const struct cli_verb *verb, int argc, char **argv);

#endif
