/* cli/verbs.c -- see verbs.h. */
#include "cli/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"

static void verbs_help(const char *name, const char *about, const struct cli_verb *verbs, size_t n)
{
    printf("Usage: %s VERB [OPTIONS]\n\n%s\n\nVerbs:\n", name, about);
    for (size_t i = 0; i < n; i++)
        printf("  %-10s %s\n", verbs[i].name, verbs[i].about);
    printf("\n%s VERB --help shows its options.\n\nExamples:\n", name);
    for (size_t i = 0; i < n; i++)
        printf("%s", verbs[i].command->examples);
}

static int verb_session(struct cli_verb_run *run, const struct cli_verb *verb, int argc,
                        char **argv)
{
    struct kw_config *cfg = NULL;
    int rc = cli_options_parse(verb->command, argc, argv, &run->options, &run->arguments);
    const char *why = rc < 0 && verb->check ? verb->check(run) : NULL;

    if (why)
        rc = cli_usage_error(verb->command, "%s", why);
    if (rc < 0)
        rc = cli_session_config(&run->session, &cfg);
    if (rc < 0)
        rc = cli_session_open(&run->session, cfg);
    kw_config_destroy(cfg);
    if (rc < 0) {
        rc = verb->run(run);
        rc = cli_output_finish(&run->output, verb->command->name, rc);
        cli_session_close(&run->session);
    }
    return rc;
}

int cli_verb_run(const struct cli_verb *verb, int argc, char **argv)
{
    struct cli_verb_run *run = calloc(1, sizeof(*run));
    int rc;

    if (!run)
        return cli_usage_error(verb->command, "out of memory");
    run->options.common.timeout_ms = -1;
    run->options.interval_ms = -1;
    run->options.shift = INT64_MIN;
    run->session.command = verb->command;
    run->session.common = &run->options.common;
    cli_output_init(&run->output, STDOUT_FILENO);
    rc = verb_session(run, verb, argc, argv);
    cli_list_free(&run->options.topics);
    cli_list_free(&run->options.types);
    cli_list_free(&run->options.states);
    cli_list_free(&run->options.common.settings);
    cli_list_free(&run->arguments);
    free(run);
    return rc;
}

int cli_verbs_run(const char *name, const char *about, const struct cli_verb *verbs, size_t n,
                  int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        verbs_help(name, about, verbs, n);
        return CLI_EXIT_DONE;
    }
    for (size_t i = 0; argc > 1 && i < n; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return cli_verb_run(&verbs[i], argc - 1, argv + 1);
    fprintf(stderr, "%s: %s '%s'; one of", name, argc > 1 ? "unknown verb" : "no verb",
            argc > 1 ? argv[1] : "");
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, "%s %s", i ? "," : "", verbs[i].name);
    fprintf(stderr, " is expected (see %s --help)\n", name);
    return CLI_EXIT_USAGE;
}
