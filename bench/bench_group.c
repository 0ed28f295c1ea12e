/* bench_group.c -- how long a group takes: joining, and rebalancing. bench/peers/Group.java
 * is its twin over the Java client, and bench/group.sh runs both.
 *
 *   bench_group first HOST:PORT TOPIC GROUP ROUNDS [KEY=VALUE...]
 *       from nothing (no client yet) to the first record, each round in a new group;
 *       "first MS", a line each
 *   bench_group members HOST:PORT TOPIC GROUP MEMBERS PARTITIONS ROUNDS [KEY=VALUE...]
 *       "together MS": from the subscription of MEMBERS members to the moment when all
 *       have an equal share; "leave MS": one closes, until the others share what it had;
 *       "join MS": one comes, until it has its share
 *
 * One thread with an event loop of its own has all members, each a client by itself. */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kwire/kwire.h>

enum { GROUP_MEMBERS = 256, GROUP_LIMIT_MS = 60000, GROUP_TURN_MS = 100 };

struct member {
    struct kw_client *client; /* NULL: left */
    struct kw_consumer *consumer;
    int owned;
};

static struct member members[GROUP_MEMBERS];
static int n_members, n_partitions;
static const char *broker, *topic;
static char **settings;
static int n_settings;

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void fail(const char *what, const struct kw_error *error)
{
    fprintf(stderr, "bench_group: %s: %s\n", what, error->text);
    exit(1);
}

static void set(struct kw_config *cfg, const char *key, const char *value)
{
    struct kw_error error = {0};
    if (kw_config_set(cfg, key, value, &error))
        fail(key, &error);
}

static void member_open(struct member *member, const char *group)
{
    struct kw_config *cfg;
    struct kw_error error = {0};
    const char *topics[] = {topic};

    if (kw_config_new(&cfg))
        exit(1);
    set(cfg, "bootstrap.servers", broker);
    set(cfg, "group.id", group);
    set(cfg, "auto.offset.reset", "earliest");
    for (int i = 0; i < n_settings; i++) {
        char text[256];
        snprintf(text, sizeof(text), "%s", settings[i]);
        char *value = strchr(text, '=');
        if (value)
            *value++ = '\0';
        set(cfg, text, value ? value : "");
    }
    member->owned = 0;
    if (kw_client_create(&member->client, cfg, &error) ||
        kw_consumer_create(&member->consumer, member->client, NULL, &error) ||
        kw_consumer_subscribe(member->consumer, topics, 1, &error))
        fail("setup", &error);
    kw_config_destroy(cfg);
}

static void member_close(struct member *member)
{
    (void)kw_wait(member->client, kw_close(member->client, 10000, NULL), NULL);
    kw_client_destroy(member->client);
    member->client = NULL;
    member->owned = 0;
}

static void member_event(struct member *member, const struct kw_event *event)
{
    if (event->kind == KW_EVENT_ASSIGNED)
        member->owned += (int)event->n_partitions;
    if (event->kind == KW_EVENT_REVOKED || event->kind == KW_EVENT_LOST)
        member->owned -= (int)event->n_partitions;
    if (event->kind == KW_EVENT_REVOKED)
        (void)kw_rebalance_ack(member->consumer);
    if (event->kind == KW_EVENT_ERROR && !event->error->retriable)
        fail("error", event->error);
}

/* What there is to do for one member. Returns how many records came. */
static size_t member_turn(struct member *member)
{
    struct kw_event event;
    struct kw_records *records;
    size_t n = 0;

    while (kw_client_process(member->client, 1000) == 1)
        continue;
    while (kw_next_event(member->client, &event) == 1)
        member_event(member, &event);
    while (kw_consumer_poll(member->consumer, &records, 0) == 1) {
        while (kw_records_next(records))
            n++;
        kw_records_release(records, KW_DONE);
    }
    return n;
}

/* ---- one member ---------------------------------------------------------------------- */

static double first_record(const char *group)
{
    struct member *member = &members[0];
    double begin = now_ms(), time;

    member_open(member, group);
    while (member_turn(member) == 0) {
        struct pollfd fd = {.fd = kw_client_fd(member->client), .events = POLLIN};
        if (now_ms() - begin > GROUP_LIMIT_MS)
            fail("no record came in a minute", &(struct kw_error){0});
        poll(&fd, 1, GROUP_TURN_MS);
    }
    time = now_ms() - begin;
    member_close(member);
    return time;
}

/* ---- many ------------------------------------------------------------------------------ */

static bool is_shared(void)
{
    int sum = 0, n = 0, least = n_partitions;

    for (int i = 0; i < n_members; i++) {
        if (!members[i].client)
            continue;
        n++;
        sum += members[i].owned;
        least = members[i].owned < least ? members[i].owned : least;
    }
    return sum == n_partitions && least >= n_partitions / n;
}

static double until_shared(double begin)
{
    struct pollfd fds[GROUP_MEMBERS];

    while (!is_shared()) {
        int n = 0;
        for (int i = 0; i < n_members; i++) {
            if (members[i].client)
                fds[n++] = (struct pollfd){kw_client_fd(members[i].client), POLLIN, 0};
        }
        poll(fds, (nfds_t)n, GROUP_TURN_MS);
        for (int i = 0; i < n_members; i++) {
            if (members[i].client)
                (void)member_turn(&members[i]);
        }
        if (now_ms() - begin > GROUP_LIMIT_MS)
            fail("no equal shares in a minute", &(struct kw_error){0});
    }
    return now_ms() - begin;
}

static void many_members(const char *group)
{
    double begin = now_ms();

    for (int i = 0; i < n_members; i++)
        member_open(&members[i], group);
    printf("together %.1f\n", until_shared(begin));
    begin = now_ms();
    member_close(&members[0]);
    printf("leave %.1f\n", until_shared(begin));
    begin = now_ms();
    member_open(&members[0], group);
    printf("join %.1f\n", until_shared(begin));
    fflush(stdout);
    for (int i = 0; i < n_members; i++)
        member_close(&members[i]);
}

int main(int argc, char **argv)
{
    bool many = argc > 7 && strcmp(argv[1], "members") == 0;
    int at = many ? 8 : 6;
    char group[200];

    if (!many && (argc < 6 || strcmp(argv[1], "first") != 0)) {
        fprintf(stderr, "usage: see the head of bench/bench_group.c\n");
        return 2;
    }
    broker = argv[2];
    topic = argv[3];
    settings = argv + at;
    n_settings = argc - at;
    n_members = many ? atoi(argv[5]) : 1;
    n_partitions = many ? atoi(argv[6]) : 0;
    if (n_members < 1 || n_members > GROUP_MEMBERS)
        return 2;
    for (int i = 0; i < atoi(argv[at - 1]); i++) {
        snprintf(group, sizeof(group), "%s-%d", argv[4], i);
        if (many)
            many_members(group);
        else
            printf("first %.1f\n", first_record(group));
    }
    return 0;
}
