/* tests/live/peers/rdkafka_member.c -- a member of a group by librdkafka that writes down
 * what it owns and what it handles, as tests/live/member.c does.
 *
 *   rdkafka_member LIBRARY HOST:PORT TOPIC HISTORY [KEY=VALUE...]
 *
 * LIBRARY is a librdkafka.so, loaded at run time; what is declared here of its interface
 * follows its public documentation. Offsets are stored behind the line that names their
 * records, committed by the library's own interval, and once more before partitions are
 * given up. The fence of its lines is -1: it has none. */
#include <dlfcn.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    RDK_CONSUMER = 1,
    RDK_ASSIGN = -175, /* RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS */
    RDK_NO_OFFSET = -168,
    RDK_PARTS_MAX = 64,
    RDK_RUN_MAX = 500 /* records of one line */
};

/* rd_kafka_message_t */
struct rdk_message {
    int err;
    void *topic;
    int32_t partition;
    void *payload;
    size_t len;
    void *key;
    size_t key_len;
    int64_t offset;
    void *opaque;
};
/* rd_kafka_topic_partition_t */
struct rdk_part {
    char *topic;
    int32_t partition;
    int64_t offset;
    void *metadata;
    size_t metadata_size;
    void *opaque;
    int err;
    void *own;
};
/* rd_kafka_topic_partition_list_t */
struct rdk_list {
    int cnt, size;
    struct rdk_part *elems;
};
typedef void rdk_rebalance_fn(void *client, int err, struct rdk_list *list, void *opaque);

/* The functions that are used. void pointers stand for its opaque types. */
static struct {
    void *(*conf_new)(void);
    int (*conf_set)(void *conf, const char *key, const char *value, char *text, size_t size);
    void (*conf_set_rebalance_cb)(void *conf, rdk_rebalance_fn *rebalance);
    void (*conf_set_opaque)(void *conf, void *opaque);
    void *(*new)(int type, void *conf, char *text, size_t size);
    void (*poll_set_consumer)(void *client);
    struct rdk_list *(*list_new)(int size);
    struct rdk_part *(*list_add)(struct rdk_list *list, const char *topic, int32_t partition);
    void (*list_destroy)(struct rdk_list *list);
    int (*subscribe)(void *client, const struct rdk_list *list);
    const char *(*rebalance_protocol)(void *client);
    int (*assign)(void *client, const struct rdk_list *list);
    void *(*incremental_assign)(void *client, const struct rdk_list *list);
    void *(*incremental_unassign)(void *client, const struct rdk_list *list);
    struct rdk_message *(*consumer_poll)(void *client, int timeout_ms);
    void (*message_destroy)(struct rdk_message *message);
    int (*offsets_store)(void *client, struct rdk_list *list);
    int (*commit)(void *client, const struct rdk_list *list, int async);
    const char *(*err2name)(int err);
    int (*consumer_close)(void *client);
    void (*destroy)(void *client);
    int (*assignment_lost)(void *client);
} rdk;

/* Records of a partition that have no line yet. */
struct run {
    int64_t time, first, last, sum;
    uint32_t n;
};
struct member {
    void *client;
    const char *topic;
    FILE *history;
    struct run runs[RDK_PARTS_MAX];
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static void die(const char *what, const char *text)
{
    fprintf(stderr, "rdkafka_member: %s %s\n", what, text);
    exit(2);
}

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void load_symbol(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);

    if (!symbol)
        die("no function", name);
    memcpy(function, &symbol, sizeof(symbol)); /* C has no conversion between the two kinds */
}

static void load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW);

    if (!library)
        die("cannot load", dlerror());
    load_symbol(library, "rd_kafka_conf_new", &rdk.conf_new);
    load_symbol(library, "rd_kafka_conf_set", &rdk.conf_set);
    load_symbol(library, "rd_kafka_conf_set_rebalance_cb", &rdk.conf_set_rebalance_cb);
    load_symbol(library, "rd_kafka_conf_set_opaque", &rdk.conf_set_opaque);
    load_symbol(library, "rd_kafka_new", &rdk.new);
    load_symbol(library, "rd_kafka_poll_set_consumer", &rdk.poll_set_consumer);
    load_symbol(library, "rd_kafka_topic_partition_list_new", &rdk.list_new);
    load_symbol(library, "rd_kafka_topic_partition_list_add", &rdk.list_add);
    load_symbol(library, "rd_kafka_topic_partition_list_destroy", &rdk.list_destroy);
    load_symbol(library, "rd_kafka_subscribe", &rdk.subscribe);
    load_symbol(library, "rd_kafka_rebalance_protocol", &rdk.rebalance_protocol);
    load_symbol(library, "rd_kafka_assign", &rdk.assign);
    load_symbol(library, "rd_kafka_incremental_assign", &rdk.incremental_assign);
    load_symbol(library, "rd_kafka_incremental_unassign", &rdk.incremental_unassign);
    load_symbol(library, "rd_kafka_consumer_poll", &rdk.consumer_poll);
    load_symbol(library, "rd_kafka_message_destroy", &rdk.message_destroy);
    load_symbol(library, "rd_kafka_offsets_store", &rdk.offsets_store);
    load_symbol(library, "rd_kafka_commit", &rdk.commit);
    load_symbol(library, "rd_kafka_err2name", &rdk.err2name);
    load_symbol(library, "rd_kafka_consumer_close", &rdk.consumer_close);
    load_symbol(library, "rd_kafka_destroy", &rdk.destroy);
    load_symbol(library, "rd_kafka_assignment_lost", &rdk.assignment_lost);
}

/* ---- records ------------------------------------------------------------------ */

/* The line first, then the offset: what is committed was written down. */
static void write_run(struct member *member, int32_t partition)
{
    struct run *run = &member->runs[partition];
    struct rdk_list *list;

    if (run->n == 0)
        return;
    fprintf(member->history, "%" PRId64 " taken %d %" PRId64 " %" PRId64 " %" PRId64 " -1\n",
            run->time, (int)partition, run->first, run->last, run->sum);
    list = rdk.list_new(1);
    rdk.list_add(list, member->topic, partition)->offset = run->last + 1;
    if (rdk.offsets_store(member->client, list))
        fprintf(member->history, "%" PRId64 " refused %d %" PRId64 " store\n", now_us(),
                (int)partition, run->last + 1);
    rdk.list_destroy(list);
    *run = (struct run){0};
}

static void write_runs(struct member *member)
{
    for (int32_t i = 0; i < RDK_PARTS_MAX; i++)
        write_run(member, i);
}

static void take(struct member *member, const struct rdk_message *message, int64_t time)
{
    struct run *run = &member->runs[message->partition];
    char text[24] = "";

    if (message->payload && message->len < sizeof(text))
        memcpy(text, message->payload, message->len);
    if (run->n && message->offset != run->last + 1)
        write_run(member, message->partition);
    if (run->n == 0)
        *run = (struct run){.time = time, .first = message->offset};
    run->last = message->offset;
    run->sum += strtoll(text, NULL, 10);
    if (++run->n == RDK_RUN_MAX)
        write_run(member, message->partition);
}

/* ---- rebalances ------------------------------------------------------------------ */

static void on_rebalance(void *client, int err, struct rdk_list *list, void *opaque)
{
    struct member *member = opaque;
    bool cooperative = strcmp(rdk.rebalance_protocol(client), "COOPERATIVE") == 0;
    bool assign = err == RDK_ASSIGN;
    const char *what = assign ? "assigned" : rdk.assignment_lost(client) ? "lost" : "revoked";

    write_runs(member);
    for (int i = 0; i < list->cnt; i++)
        fprintf(member->history, "%" PRId64 " %s %d\n", now_us(), what,
                (int)list->elems[i].partition);
    if (!assign) {
        int rc = rdk.commit(client, NULL, 0);
        if (rc && rc != RDK_NO_OFFSET)
            for (int i = 0; i < list->cnt; i++)
                fprintf(member->history, "%" PRId64 " refused %d -1 %s\n", now_us(),
                        (int)list->elems[i].partition, rdk.err2name(rc));
    }
    if (!cooperative)
        rdk.assign(client, assign ? list : NULL);
    else if (assign)
        rdk.incremental_assign(client, list);
    else
        rdk.incremental_unassign(client, list);
}

/* ---- begin and end ---------------------------------------------------------------- */

static void begin(struct member *member, char **argv, int argc)
{
    char text[256] = "";
    void *conf = rdk.conf_new();
    struct rdk_list *topics = rdk.list_new(1);

    if (rdk.conf_set(conf, "bootstrap.servers", argv[2], text, sizeof(text)) ||
        rdk.conf_set(conf, "enable.auto.offset.store", "false", text, sizeof(text)))
        die("configuration:", text);
    for (int i = 5; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value)
            *value++ = '\0';
        if (rdk.conf_set(conf, argv[i], value ? value : "", text, sizeof(text)))
            die("configuration:", text);
    }
    rdk.conf_set_rebalance_cb(conf, on_rebalance);
    rdk.conf_set_opaque(conf, member);
    member->client = rdk.new(RDK_CONSUMER, conf, text, sizeof(text));
    if (!member->client)
        die("no client:", text);
    rdk.poll_set_consumer(member->client);
    rdk.list_add(topics, member->topic, -1);
    if (rdk.subscribe(member->client, topics))
        die("subscribe", "failed");
    rdk.list_destroy(topics);
}

int main(int argc, char **argv)
{
    static struct member member;
    struct sigaction action = {.sa_handler = on_signal};

    if (argc < 5) {
        fprintf(stderr, "usage: rdkafka_member LIBRARY HOST:PORT TOPIC HISTORY [KEY=VALUE...]\n");
        return 2;
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    load(argv[1]);
    member.topic = argv[3];
    member.history = fopen(argv[4], "a");
    if (!member.history || setvbuf(member.history, NULL, _IOLBF, 4096))
        die("cannot write", argv[4]);
    begin(&member, argv, argc);
    while (!stop) {
        int64_t time = now_us();
        struct rdk_message *message = rdk.consumer_poll(member.client, 50);
        if (!message) {
            write_runs(&member);
            continue;
        }
        if (message->err)
            fprintf(stderr, "warning: %s\n", rdk.err2name(message->err));
        else if (message->partition < RDK_PARTS_MAX)
            take(&member, message, time);
        rdk.message_destroy(message);
    }
    write_runs(&member);
    rdk.consumer_close(member.client);
    fprintf(member.history, "%" PRId64 " closed\n", now_us());
    rdk.destroy(member.client);
    fclose(member.history);
    return 0;
}
