/* tests/live/numbers.c -- produces the numbers 1 to N and keeps book of each:
 * which outcome it had, and whether it had one more than once. What a test that
 * kills brokers needs to know and kw produce has no reason to remember.
 *
 *   numbers HOST:PORT TOPIC N [KEY=VALUE...]       client configuration
 *
 * NUMBERS_RATE (50000): how many a second, about.
 * stdout: "delivered N" after each further hundredth, for a script that waits
 * for its moment; at the end a line "WORD N" for each figure, then "run WORD A-B" for
 * each run of numbers that were not-written or unknown, or may be there twice by what
 * their report says (twice). stderr: the client's log.
 * Exit status: 0 each number has one outcome, whatever it is; 1 not so. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kwire/kwire.h>

enum {
    NUMBERS_TURN = 256,    /* records between two looks at the sockets, */
    NUMBERS_PACE = 500,    /* and between two rests */
    NUMBERS_RATE = 50000,  /* a second: a fault shall find work that is not done yet */
    NUMBERS_TWICE = 1 << 7 /* of an outcome: it may be in the log twice */
};

struct numbers {
    struct kw_client *client;
    struct kw_producer *producer;
    struct kw_topic *topic;
    uint32_t n;
    uint32_t n_outcome[3]; /* by enum kw_outcome */
    uint32_t n_twice, n_unknown_opaque, told;
    struct timespec rest;
    uint8_t *outcome; /* of number i: 1 + enum kw_outcome, NUMBERS_TWICE; 0 none yet */
};

static void numbers_log(void *ctx, int level, const char *text)
{
    (void)ctx;
    fprintf(stderr, "log %d: %s\n", level, text);
}

static void numbers_report(struct numbers *numbers, const struct kw_report *report)
{
    uint8_t twice = report->flags & KW_REPORT_MAYBE_DUPLICATE ? NUMBERS_TWICE : 0;

    for (uint32_t i = 0; i < report->n; i++) {
        uintptr_t number = (uintptr_t)kw_report_opaque(report, i);
        if (number < 1 || number > numbers->n)
            numbers->n_unknown_opaque++;
        else if (numbers->outcome[number])
            numbers->n_twice++;
        else
            numbers->outcome[number] = (uint8_t)((1 + report->outcome) | twice);
    }
    numbers->n_outcome[report->outcome] += report->n;
    if (numbers->n_outcome[KW_DELIVERED] - numbers->told >= numbers->n / 100) {
        numbers->told = numbers->n_outcome[KW_DELIVERED];
        printf("delivered %u\n", numbers->told);
        fflush(stdout);
    }
}

static void numbers_turn(struct numbers *numbers, int32_t timeout_ms)
{
    struct kw_event event;

    kw_client_poll(numbers->client, timeout_ms);
    while (kw_next_event(numbers->client, &event) == 1) {
        if (event.kind == KW_EVENT_ERROR)
            fprintf(stderr, "warning: %s\n", event.error->text);
        if (event.kind == KW_EVENT_REPORT)
            numbers_report(numbers, &event.report);
    }
}

static int numbers_open(struct numbers *numbers, char **argv, int argc)
{
    struct kw_env env = {.log = {numbers_log, NULL, 6}};
    struct kw_config *cfg = NULL;
    struct kw_error error = {0};
    int rc = kw_config_new(&cfg);

    if (!rc)
        rc = kw_config_set(cfg, "bootstrap.servers", argv[1], &error);
    for (int i = 4; i < argc && !rc; i++) {
        char *value = strchr(argv[i], '=');
        if (value)
            *value++ = '\0';
        rc = kw_config_set(cfg, argv[i], value ? value : "", &error);
    }
    if (!rc)
        rc = kw_client_create_env(&numbers->client, cfg, &env, &error);
    if (!rc)
        rc = kw_producer_create(&numbers->producer, numbers->client, NULL, &error);
    if (!rc)
        rc = kw_topic_open(&numbers->topic, numbers->producer, argv[2], &error);
    if (rc)
        fprintf(stderr, "setup: %s\n", error.text[0] ? error.text : kw_err_name(rc));
    kw_config_destroy(cfg);
    return rc;
}

/* Returns how many numbers were accepted. */
static uint32_t numbers_produce(struct numbers *numbers)
{
    char key[16], value[16];

    for (uint32_t i = 1; i <= numbers->n; i++) {
        /* Keys, so that neighbours lie on different partitions. */
        struct kw_record record = {
            .key = {key, (size_t)snprintf(key, sizeof(key), "%u", i % 9973)},
            .value = {value, (size_t)snprintf(value, sizeof(value), "%u", i)},
            .opaque = (void *)(uintptr_t)i};
        int rc;

        while ((rc = kw_produce(numbers->topic, &record)) == KW_ERR_WOULD_BLOCK)
            numbers_turn(numbers, 1000);
        if (rc < 0) {
            fprintf(stderr, "number %u: %s\n", i, kw_err_name(rc));
            return i - 1;
        }
        if (i % NUMBERS_TURN == 0)
            numbers_turn(numbers, 0);
        if (i % NUMBERS_PACE == 0)
            nanosleep(&numbers->rest, NULL);
    }
    return numbers->n;
}

static void numbers_print_runs(const struct numbers *numbers, const char *word, unsigned mask,
                               unsigned wanted)
{
    uint32_t first = 0;

    for (uint32_t i = 1; i <= numbers->n + 1; i++) {
        bool is_one = i <= numbers->n && (numbers->outcome[i] & mask) == wanted;
        if (is_one && !first)
            first = i;
        if (!is_one && first) {
            printf("run %s %u-%u\n", word, first, i - 1);
            first = 0;
        }
    }
}

static int numbers_sum_up(const struct numbers *numbers, uint32_t n_accepted)
{
    uint32_t n_never = 0;
    struct kw_stats stats;

    for (uint32_t i = 1; i <= numbers->n; i++)
        n_never += numbers->outcome[i] == 0;
    kw_client_stats(numbers->client, &stats);
    printf("accepted %u\ndelivered %u\nnot-written %u\nunknown %u\n", n_accepted,
           numbers->n_outcome[KW_DELIVERED], numbers->n_outcome[KW_NOT_WRITTEN],
           numbers->n_outcome[KW_UNKNOWN]);
    printf("reported-twice %u\nnever-reported %u\nstrange-opaques %u\n", numbers->n_twice, n_never,
           numbers->n_unknown_opaque);
    printf("in-flight-peak %u\nrequests-lost %llu\nbatches %llu\nretries %llu\n",
           stats.produce_flight_peak, (unsigned long long)stats.requests_lost,
           (unsigned long long)stats.batches, (unsigned long long)stats.batch_retries);
    numbers_print_runs(numbers, "not-written", NUMBERS_TWICE - 1, 1 + KW_NOT_WRITTEN);
    numbers_print_runs(numbers, "unknown", NUMBERS_TWICE - 1, 1 + KW_UNKNOWN);
    numbers_print_runs(numbers, "twice", NUMBERS_TWICE, NUMBERS_TWICE);
    return n_accepted == numbers->n && !numbers->n_twice && !n_never && !numbers->n_unknown_opaque;
}

int main(int argc, char **argv)
{
    struct numbers numbers = {0};
    struct kw_error error;
    const char *rate = getenv("NUMBERS_RATE");
    uint32_t n_accepted;
    int rc;

    numbers.rest.tv_nsec = NUMBERS_PACE * 1000000000L / (rate ? atol(rate) : NUMBERS_RATE);
    if (argc < 4 || (numbers.n = (uint32_t)strtoul(argv[3], NULL, 10)) < 100) {
        fprintf(stderr, "usage: numbers HOST:PORT TOPIC N [KEY=VALUE...], N at least 100\n");
        return 2;
    }
    numbers.outcome = calloc((size_t)numbers.n + 1, 1);
    if (!numbers.outcome || numbers_open(&numbers, argv, argc))
        return 2;
    n_accepted = numbers_produce(&numbers);
    while (kw_producer_outstanding(numbers.producer) > 0)
        numbers_turn(&numbers, 1000);
    numbers_turn(&numbers, 0);
    rc = kw_wait(numbers.client, kw_close(numbers.client, 5000, NULL), &error);
    if (rc)
        fprintf(stderr, "close: %s\n", kw_err_name(rc));
    numbers_turn(&numbers, 0); /* a report after the last would be one too many */
    bool sound = numbers_sum_up(&numbers, n_accepted);
    kw_client_destroy(numbers.client);
    free(numbers.outcome);
    return sound && rc == 0 ? 0 : 1;
}
