/* cli/commands.h -- the subcommands of kw and the exit codes they share. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

enum cli_exit {
    CLI_EXIT_DONE = 0,
    CLI_EXIT_FAILED = 1,    /* some records or operations failed; each is named on stderr */
    CLI_EXIT_USAGE = 2,     /* a bad option, argument or configuration key */
    CLI_EXIT_NO_BROKER = 3, /* no broker could be reached, or none that talks Kafka */
    CLI_EXIT_REFUSED = 4    /* trust or identity refused, by either side */
};

/* Each takes its own arguments: argv[0] is the subcommand's name. */
int cli_produce(int argc, char **argv);
int cli_consume(int argc, char **argv);
int cli_meta(int argc, char **argv);
int cli_topics(int argc, char **argv);
int cli_broker(int argc, char **argv);
int cli_bench(int argc, char **argv);
int cli_proto(int argc, char **argv);
int cli_request(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_groups(int argc, char **argv);
int cli_offsets(int argc, char **argv);
int cli_lag(int argc, char **argv);

#endif
