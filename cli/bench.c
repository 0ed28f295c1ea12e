/* cli/bench.c -- kw bench: the command lines, and the figures of a run.
 *
 * What is measured lies between cli_bench_begin, when the topic is known, and
 * cli_bench_end: no set-up, no look-up, no closing. The processor's time is the
 * whole process's, making the load included, which is little. */
#include "cli/bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/figures.h"
#include "cli/output.h"

#define BENCH_RECORDS 1000000
#define BENCH_SIZE 100

#define BENCH_TOPIC                                                                           \
    {                                                                                         \
        't', CLI_KIND_TEXT, "topic", "NAME", offsetof(struct cli_bench_options, topic), 0, 0, \
            "topic to write to, or to read"                                                   \
    }
#define BENCH_JSON                                                                              \
    {                                                                                           \
        'J', CLI_KIND_FLAG, "json", NULL, offsetof(struct cli_bench_options, json), 0, 0,       \
            "print one JSON object: records, bytes, wall_s, user_s, sys_s, cpu_ns_per_record, " \
            "records_per_s, p50_us, p90_us, p99_us, p999_us, max_us, rss_kb, allocs_per_record" \
    }

static const struct cli_option bench_produce_table[] = {
    BENCH_TOPIC,
    {'c', CLI_KIND_INT, "records", "N", offsetof(struct cli_bench_options, records), 1,
     INT64_C(1000000000000), "records to write (default 1000000)"},
    {0, CLI_KIND_INT, "size", "BYTES", offsetof(struct cli_bench_options, size), 0,
     CLI_BENCH_SIZE_MAX, "size of each value (default 100); there are no keys"},
    {'z', CLI_KIND_TEXT, "codec", "CODEC", offsetof(struct cli_bench_options, codec), 0, 0,
     "none (default), gzip, snappy, lz4 or zstd (compression.type); levels are set with -X"},
    {0, CLI_KIND_INT, "partitions", "P", offsetof(struct cli_bench_options, partitions), 1,
     CLI_BENCH_PARTITIONS_MAX,
     "spread over partitions 0 to P-1, record by record, and create the topic with P if it is "
     "not there (default: the topic's partitions, as the library spreads)"},
    {0, CLI_KIND_INT, "seed", "N", offsetof(struct cli_bench_options, seed), 0, INT64_MAX,
     "seed of the values (default 1): the same seed gives the same bytes"},
    {0, CLI_KIND_LIST, "sweep", "DIMENSION=V,V...", offsetof(struct cli_bench_options, sweeps), 0,
     0,
     "a run for each value of size, partitions or a configuration key (linger.ms, "
     "compression.type ...); up to three sweeps, each value with each of the others"},
    {0, CLI_KIND_TEXT, "svg", "FILE", offsetof(struct cli_bench_options, svg), 0, 0,
     "draw the sweep: throughput and processor time a record over the first dimension, a line "
     "for each value of the others"},
    BENCH_JSON,
};
static const struct cli_option bench_consume_table[] = {
    BENCH_TOPIC,
    {'c', CLI_KIND_INT, "records", "N", offsetof(struct cli_bench_options, records), 1,
     INT64_C(1000000000000), "records to read (default: to the end of every partition)"},
    {0, CLI_KIND_INT, "size", "BYTES", offsetof(struct cli_bench_options, size), 0,
     CLI_BENCH_SIZE_MAX,
     "size that each value must have; another one counts as failed (default: any)"},
    {0, CLI_KIND_INT, "partitions", "P", offsetof(struct cli_bench_options, partitions), 1,
     CLI_BENCH_PARTITIONS_MAX, "read partitions 0 to P-1 (default: all)"},
    BENCH_JSON,
};

static const struct cli_command bench_produce_command = {
    .name = "kw bench produce",
    .usage = "-b BROKERS -t TOPIC [OPTIONS]",
    .about = "Writes records as fast as it can and prints what it took. Half of each value is "
             "random, half of it words.",
    .notes = "Latency is the time from the call that took the record to its report, of the oldest\n"
             "record of each report and every 16th; at full speed it is mostly the time in the\n"
             "buffer. The clock is read for every 32nd record.\n"
             "A sweep prints a row for each run, or with --json an object a line, with its values\n"
             "in \"sweep\"; memory is the most since kw began. When partitions are swept, each\n"
             "number P has a topic of its own, TOPIC-P.\n",
    .examples = "  kw bench produce -b 127.0.0.1:9092 -t bench --records 5000000 --size 100\n"
                "  kw bench produce -b 127.0.0.1:9092 -t bench --partitions 12 --codec lz4 --json\n"
                "  kw bench produce -b 127.0.0.1:9092 -t bench -X linger.ms=5 -X acks=1\n"
                "  kw bench produce -b 127.0.0.1:9092 -t bench --sweep size=10,100,1000,10000 \\\n"
                "    --sweep compression.type=none,lz4,zstd --svg bench.svg\n",
    .options = bench_produce_table,
    .n_options = sizeof(bench_produce_table) / sizeof(bench_produce_table[0]),
    .with_common = true,
};
static const struct cli_command bench_consume_command = {
    .name = "kw bench consume",
    .usage = "-b BROKERS -t TOPIC [OPTIONS]",
    .about = "Reads a topic from its beginning as fast as it can and prints what it took.",
    .notes = "Latency is the time from one set of records to the next, as the library hands them\n"
             "out. The codec is that of the topic's batches. It gives up when nothing comes for\n"
             "--timeout.\n",
    .examples =
        "  kw bench consume -b 127.0.0.1:9092 -t bench\n"
        "  kw bench consume -b 127.0.0.1:9092 -t bench --records 1000000 --size 100 --json\n"
        "  kw bench consume -b 127.0.0.1:9092 -t bench --partitions 1 -X check.crcs=false\n",
    .options = bench_consume_table,
    .n_options = sizeof(bench_consume_table) / sizeof(bench_consume_table[0]),
    .with_common = true,
};

/* ---- what is measured ---------------------------------------------------- */

static void *bench_alloc(void *ctx, size_t size)
{
    struct cli_bench *bench = ctx;

    bench->n_allocs++;
    return malloc(size);
}

static void bench_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

void cli_bench_begin(struct cli_bench *bench)
{
    bench->begin_allocs = bench->n_allocs;
    getrusage(RUSAGE_SELF, &bench->begin_usage);
    bench->begin_us = bench->now_us = cli_now_us();
}

void cli_bench_end(struct cli_bench *bench)
{
    bench->end_us = cli_now_us();
    getrusage(RUSAGE_SELF, &bench->end_usage);
    bench->end_allocs = bench->n_allocs;
}

static double bench_seconds(struct timeval begin, struct timeval end)
{
    return (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_usec - begin.tv_usec) / 1e6;
}

static void bench_figures(const struct cli_bench *bench, struct cli_figures *figures)
{
    *figures = (struct cli_figures){
        .n_records = bench->n_records,
        .bytes = bench->bytes,
        .wall_s = (double)(bench->end_us - bench->begin_us) / 1e6,
        .user_s = bench_seconds(bench->begin_usage.ru_utime, bench->end_usage.ru_utime),
        .sys_s = bench_seconds(bench->begin_usage.ru_stime, bench->end_usage.ru_stime),
        .n_allocs = (double)(bench->end_allocs - bench->begin_allocs),
        .rss_kb = bench->end_usage.ru_maxrss};
    cli_figures_latency(figures, &bench->latency);
    cli_figures_derive(figures);
}

int cli_bench_open(struct cli_bench *bench)
{
    struct cli_session *session = &bench->session;
    struct kw_config *cfg = NULL;
    int rc = cli_session_config(session, &cfg);

    if (rc < 0)
        rc = cli_session_set(session, cfg, "--codec", "compression.type", bench->options.codec);
    if (rc < 0)
        rc = cli_session_set_group(session, cfg, NULL);
    if (rc < 0)
        rc = cli_bench_sweep_apply(bench, cfg);
    if (rc < 0)
        rc = cli_session_open(session, cfg);
    kw_config_destroy(cfg);
    return rc;
}

int cli_bench_measure(struct cli_bench *bench, struct cli_figures *figures)
{
    int rc = cli_bench_open(bench);

    if (rc >= 0)
        return rc;
    bench->latency = (struct cli_histogram){0};
    bench->n_records = bench->n_failed = bench->bytes = bench->n_complaints = 0;
    bench->refused = false;
    rc = bench->produces ? cli_bench_produce(bench) : cli_bench_consume(bench);
    if (rc < 0)
        bench_figures(bench, figures);
    cli_session_close(&bench->session);
    free(bench->payload);
    free(bench->ended);
    bench->payload = NULL;
    bench->ended = NULL;
    return rc;
}

/* ---- the command line ---------------------------------------------------- */

static int bench_once(struct cli_bench *bench, struct cli_output *output)
{
    struct cli_figures figures;
    int rc = cli_bench_measure(bench, &figures);

    if (rc >= 0)
        return rc;
    if (bench->options.json) {
        cli_output_char(output, '{');
        cli_figures_json(&figures, output);
        cli_output_text(output, "}\n");
    } else {
        cli_figures_text(&figures, output);
    }
    rc = bench->refused ? CLI_EXIT_REFUSED : bench->n_failed ? CLI_EXIT_FAILED : CLI_EXIT_DONE;
    rc = cli_output_finish(output, bench->session.command->name, rc);
    cli_note(&bench->session, "%" PRIu64 " %s, %" PRIu64 " failed", bench->n_records,
             bench->produces ? "delivered" : "read", bench->n_failed);
    return rc;
}

static int bench_arguments(struct cli_bench *bench, int argc, char **argv)
{
    const struct cli_command *command = bench->session.command;
    struct cli_list arguments = {0};
    int rc = cli_options_parse(command, argc, argv, &bench->options, &arguments);

    if (rc < 0 && !bench->options.topic)
        rc = cli_usage_error(command, "no topic: give -t NAME");
    for (size_t i = 0; i < bench->options.sweeps.n && rc < 0; i++) {
        const char *text = bench->options.sweeps.items[i].text;
        const char *wrong = cli_sweeps_add(&bench->sweeps, text);
        if (wrong)
            rc = cli_usage_error(command, "--sweep '%s' %s", text, wrong);
    }
    if (rc < 0 && bench->options.svg && bench->sweeps.n == 0)
        rc = cli_usage_error(command, "--svg has nothing to show: give --sweep");
    return rc;
}

static void bench_help(void)
{
    printf("Usage: kw bench VERB [OPTIONS]\n\n"
           "Verbs:\n"
           "  produce    write records as fast as possible\n"
           "  consume    read them as fast as possible\n"
           "\nkw bench VERB --help shows its options.\n\nExamples:\n%s%s",
           bench_produce_command.examples, bench_consume_command.examples);
}

int cli_bench(int argc, char **argv)
{
    bool produce = argc > 1 && strcmp(argv[1], "produce") == 0;
    bool consume = argc > 1 && strcmp(argv[1], "consume") == 0;

    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        bench_help();
        return CLI_EXIT_DONE;
    }
    if (!produce && !consume) {
        fprintf(stderr, "kw bench: %s '%s'; produce or consume is expected (see kw bench --help)\n",
                argc > 1 ? "unknown verb" : "no verb", argc > 1 ? argv[1] : "");
        return CLI_EXIT_USAGE;
    }
    struct cli_bench *bench = calloc(1, sizeof(*bench));
    struct cli_output *output = calloc(1, sizeof(*output));
    const struct kw_env env = {.alloc = {bench_alloc, bench_free, bench}};
    int rc = CLI_EXIT_FAILED;
    if (bench && output) {
        cli_output_init(output, STDOUT_FILENO);
        bench->options.common.timeout_ms = bench->options.partitions = -1;
        bench->options.records = produce ? BENCH_RECORDS : -1;
        bench->options.size = produce ? BENCH_SIZE : -1;
        bench->options.seed = 1;
        bench->session.command = produce ? &bench_produce_command : &bench_consume_command;
        bench->session.common = &bench->options.common;
        bench->session.env = &env;
        bench->produces = produce;
        rc = bench_arguments(bench, argc - 1, argv + 1);
        if (rc < 0)
            rc = bench->sweeps.n > 0 ? cli_bench_sweep(bench, output) : bench_once(bench, output);
        cli_sweeps_deinit(&bench->sweeps);
        cli_list_free(&bench->options.sweeps);
        cli_list_free(&bench->options.common.settings);
    } else {
        fprintf(stderr, "kw bench: out of memory\n");
    }
    free(output);
    free(bench);
    return rc;
}
