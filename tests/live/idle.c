/* tests/live/idle.c -- what a client costs that has nothing to do, in a foreign loop,
 * and while no broker can be reached. For tests/live/idle.sh.
 *
 *   idle HOST:PORT TOPIC IDLE_SECONDS OUTAGE_SECONDS [KEY=VALUE...]
 *
 * Delivers a record, then waits on the client's descriptor for IDLE_SECONDS, and says
 * "down". From the loss of the broker on it waits for OUTAGE_SECONDS more, with a
 * record to deliver, and says "up"; then it waits for the delivery.
 * stdout: a line "WORD N" for each figure, at once. Exit status: 0, or 1 when the
 * record was not delivered within a minute. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <kwire/kwire.h>

struct idle {
    struct kw_client *client;
    struct kw_producer *producer;
    struct kw_topic *topic;
    uint64_t n_delivered, n_failed, n_wakeups;
};

static double idle_seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* One turn of a loop: sleeps until the descriptor is readable, at most until `end`. */
static void idle_turn(struct idle *idle, double end)
{
    struct pollfd wait = {.fd = kw_client_fd(idle->client), .events = POLLIN};
    double left = end - idle_seconds(CLOCK_MONOTONIC);
    struct kw_event event;

    if (poll(&wait, 1, left > 0 ? (int)(left * 1000) + 1 : 0) > 0) {
        idle->n_wakeups++;
        while (kw_client_process(idle->client, 0) == 1)
            continue;
    }
    while (kw_next_event(idle->client, &event) == 1) {
        if (event.kind == KW_EVENT_ERROR)
            fprintf(stderr, "warning: %s\n", event.error->text);
        if (event.kind == KW_EVENT_REPORT && event.report.outcome == KW_DELIVERED)
            idle->n_delivered += event.report.n;
        else if (event.kind == KW_EVENT_REPORT)
            idle->n_failed += event.report.n;
    }
}

static void idle_for(struct idle *idle, double seconds)
{
    double end = idle_seconds(CLOCK_MONOTONIC) + seconds;

    while (idle_seconds(CLOCK_MONOTONIC) < end)
        idle_turn(idle, end);
}

/* True when one record more is delivered within a minute. */
static int idle_deliver(struct idle *idle, int hand_over)
{
    struct kw_record record = {.value = {"idle", 4}};
    double end = idle_seconds(CLOCK_MONOTONIC) + 60;
    uint64_t want = idle->n_delivered + 1;
    int rc = hand_over ? KW_ERR_WOULD_BLOCK : 0;

    while (idle_seconds(CLOCK_MONOTONIC) < end && idle->n_delivered < want) {
        if (rc == KW_ERR_WOULD_BLOCK)
            rc = kw_produce(idle->topic, &record);
        idle_turn(idle, end);
    }
    return idle->n_delivered >= want;
}

static int idle_open(struct idle *idle, char **argv, int argc)
{
    struct kw_config *cfg = NULL;
    struct kw_error error = {0};
    int rc = kw_config_new(&cfg);

    if (!rc)
        rc = kw_config_set(cfg, "bootstrap.servers", argv[1], &error);
    if (!rc)
        rc = kw_config_set(cfg, "delivery.timeout.ms", "3600000", &error);
    for (int i = 5; i < argc && !rc; i++) {
        char *value = strchr(argv[i], '=');
        if (value)
            *value++ = '\0';
        rc = kw_config_set(cfg, argv[i], value ? value : "", &error);
    }
    if (!rc)
        rc = kw_client_create(&idle->client, cfg, &error);
    if (!rc)
        rc = kw_producer_create(&idle->producer, idle->client, NULL, &error);
    if (!rc)
        rc = kw_topic_open(&idle->topic, idle->producer, argv[2], &error);
    if (rc)
        fprintf(stderr, "setup: %s\n", error.text[0] ? error.text : kw_err_name(rc));
    kw_config_destroy(cfg);
    return rc;
}

static void idle_figure(const char *word, double number)
{
    printf("%s %.6f\n", word, number);
    fflush(stdout);
}

static long idle_switches(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nvcsw;
}

static long idle_threads(void)
{
    char line[128];
    long n = 0;
    FILE *file = fopen("/proc/self/status", "r");

    while (file && fgets(line, sizeof(line), file))
        sscanf(line, "Threads: %ld", &n);
    if (file)
        fclose(file);
    return n;
}

static double idle_median(double a, double b, double c)
{
    double low = a < b ? a : b, high = a < b ? b : a;

    return c < low ? low : c > high ? high : c;
}

static void idle_outage(struct idle *idle, double seconds)
{
    struct kw_stats before, now;
    struct kw_record record = {.value = {"down", 4}};
    double start, cpu[3];

    kw_client_stats(idle->client, &before);
    puts("down 1");
    fflush(stdout);
    do {
        idle_turn(idle, idle_seconds(CLOCK_MONOTONIC) + 1);
        kw_client_stats(idle->client, &now);
    } while (now.disconnects == before.disconnects);
    if (kw_produce(idle->topic, &record))
        fprintf(stderr, "the record is not taken\n");
    idle->n_wakeups = 0;
    for (int part = 0; part < 3; part++) {
        start = idle_seconds(CLOCK_MONOTONIC);
        cpu[part] = idle_seconds(CLOCK_PROCESS_CPUTIME_ID);
        idle_for(idle, seconds / 3);
        cpu[part] = 100 * (idle_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu[part]) /
                    (idle_seconds(CLOCK_MONOTONIC) - start);
    }
    /* The median: what others do to the caches is no matter of ours. */
    idle_figure("outage_cpu_percent", idle_median(cpu[0], cpu[1], cpu[2]));
    idle_figure("outage_wakeups_a_second", (double)idle->n_wakeups / seconds);
    puts("up 1");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct idle idle = {0};
    double cpu;
    long switches;

    if (argc < 5) {
        fprintf(stderr, "usage: idle HOST:PORT TOPIC IDLE_SECONDS OUTAGE_SECONDS [KEY=VALUE...]\n");
        return 2;
    }
    if (idle_open(&idle, argv, argc) || !idle_deliver(&idle, 1))
        return 2;
    idle_for(&idle, 1); /* what the start leaves behind */
    idle.n_wakeups = 0;
    switches = idle_switches();
    cpu = idle_seconds(CLOCK_PROCESS_CPUTIME_ID);
    idle_for(&idle, strtod(argv[3], NULL));
    switches = idle_switches() - switches; /* before anything is written, which may wait */
    cpu = idle_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    idle_figure("idle_wakeups", (double)idle.n_wakeups);
    idle_figure("idle_sleeps", (double)switches);
    idle_figure("idle_cpu_ms", 1000 * cpu);
    idle_figure("threads", (double)idle_threads());
    idle_outage(&idle, strtod(argv[4], NULL));
    int delivered = idle_deliver(&idle, 0);
    idle_figure("delivered_at", idle_seconds(CLOCK_REALTIME));
    kw_client_destroy(idle.client);
    return delivered && idle.n_failed == 0 ? 0 : 1;
}
