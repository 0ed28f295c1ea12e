/* cli/main.c -- kw: finds the subcommand and hands over to it. */
#include <stdio.h>
#include <string.h>

#include <kwire/kwire.h>

#include "cli/commands.h"

struct main_subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *about;
};

static const struct main_subcommand main_subcommands[] = {
    {"produce", cli_produce, "write records from stdin or files to a topic"},
    {"consume", cli_consume, "print the records of a topic"},
    {"meta", cli_meta, "show brokers, topics and partitions"},
    {"topics", cli_topics, "list, describe, create and delete topics"},
    {"groups", cli_groups, "list, describe, delete groups, reset their offsets"},
    {"offsets", cli_offsets, "show and set offsets, of groups and of logs"},
    {"lag", cli_lag, "show how far a group is behind, once or again and again"},
    {"bench", cli_bench, "measure producing or consuming"},
    {"proto", cli_proto, "print the protocol's messages and record batches"},
    {"request", cli_request, "send any message of the protocol and print the answer"},
    {"doctor", cli_doctor, "look at the way to a cluster and say what is wrong"},
    {"broker", cli_broker, "run the in-tree development broker"},
};
#define MAIN_N_SUBCOMMANDS (sizeof(main_subcommands) / sizeof(main_subcommands[0]))

static void main_help(void)
{
    printf("Usage: kw SUBCOMMAND [OPTIONS]\n"
           "\n"
           "A client for Apache Kafka on the command line.\n"
           "\n"
           "Subcommands:\n");
    for (size_t i = 0; i < MAIN_N_SUBCOMMANDS; i++)
        printf("  %-10s %s\n", main_subcommands[i].name, main_subcommands[i].about);
    printf("\n"
           "kw SUBCOMMAND --help shows its options. kw --version shows the version.\n"
           "\n"
           "Examples:\n"
           "  kw broker --listen 127.0.0.1:9092 --topic demo:3\n"
           "  seq 10 | kw produce -b 127.0.0.1:9092 -t demo\n"
           "  kw consume -b 127.0.0.1:9092 -t demo -e\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "kw: no subcommand (see kw --help)\n");
        return CLI_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("kw %s\n", kw_version());
        return CLI_EXIT_DONE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        main_help();
        return CLI_EXIT_DONE;
    }
    for (size_t i = 0; i < MAIN_N_SUBCOMMANDS; i++)
        if (strcmp(argv[1], main_subcommands[i].name) == 0)
            return main_subcommands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "kw: unknown subcommand '%s' (see kw --help)\n", argv[1]);
    return CLI_EXIT_USAGE;
}
