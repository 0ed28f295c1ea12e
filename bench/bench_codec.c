/* bench_codec.c -- encode and decode alone: messages of the sizes that cost.
 *
 *   bench_codec MESSAGE WORK TIMES   WORK: encode, gather, decode, walk; prints ns
 *   bench_codec dump FOLDER          writes FOLDER/MESSAGE, for bench/peers/kmsg
 *   bench_codec list                 MESSAGE VERSION BYTES, one a line
 *
 * "decode" checks every byte and gives views; "walk" reads all elements of all
 * arrays besides. "encode" copies record data into the message, "gather" leaves it
 * in place, as the client does. Every message is read back once and compared. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/fetch.h"
#include "proto/group.h"
#include "proto/metadata.h"
#include "proto/produce.h"

enum { CODEC_CAP = 4 << 20, CODEC_RECORDS = 1000, CODEC_DEPTH = 4 };

union codec_message {
    uint8_t bytes[KWI_ELEM_MAX];
    uint64_t align;
};

struct codec_case {
    const char *name;
    const struct kw_schema *schema;
    int version;
    void (*fill)(void *msg);
};

static uint8_t codec_records[CODEC_RECORDS];

/* calloc that gives up: the benchmark has nothing else to do then. */
static void *codec_array(const struct kw_schema *schema, size_t n)
{
    uint8_t *items = calloc(n, schema->size);

    if (!items)
        abort();
    for (size_t i = 0; i < n; i++)
        kwi_init(schema, items + i * schema->size);
    return items;
}

static struct kw_str codec_name(const char *prefix, size_t i)
{
    char *text = malloc(40);

    if (!text)
        abort();
    snprintf(text, 40, "%s-%04zu", prefix, i);
    return kwi_str(text);
}

static void fill_produce(void *msg)
{
    struct kw_produce_request *req = msg;
    struct kw_produce_request_topic *topic = codec_array(&kwi_produce_request_topic_schema, 1);
    struct kw_produce_request_partition *part = codec_array(&kwi_produce_request_partition_schema,
                                                            12);

    for (int32_t i = 0; i < 12; i++) {
        part[i].index = i;
        part[i].records = (struct kw_record_set){.ptr = codec_records, .len = CODEC_RECORDS};
    }
    topic->name = codec_name("topic", 0);
    topic->partition_data = KWI_ARR(part, 12);
    req->transactional_id = KWI_NULL_STR;
    req->acks = -1;
    req->timeout_ms = 30000;
    req->topic_data = KWI_ARR(topic, 1);
}

/* 10 topics of 100 partitions; of each the records of 100 bytes. */
static void fill_fetch(void *msg)
{
    struct kw_fetch_response *resp = msg;
    struct kw_fetch_response_topic *topic = codec_array(&kwi_fetch_response_topic_schema, 10);

    for (size_t t = 0; t < 10; t++) {
        struct kw_fetch_response_partition *part = codec_array(&kwi_fetch_response_partition_schema,
                                                               100);
        for (int32_t i = 0; i < 100; i++) {
            part[i].partition_index = i;
            part[i].high_watermark = part[i].last_stable_offset = 1000000 + i;
            part[i].aborted_transactions.n = -1;
            part[i].records = (struct kw_record_set){.ptr = codec_records, .len = 100};
        }
        topic[t].topic = codec_name("topic", t);
        topic[t].partitions = KWI_ARR(part, 100);
    }
    resp->responses = KWI_ARR(topic, 10);
}

/* 3 brokers, 100 topics of 100 partitions, each with three replicas in sync. */
static void fill_metadata(void *msg)
{
    static const int32_t nodes[3] = {1, 2, 3};
    struct kw_metadata_response *resp = msg;
    struct kw_metadata_response_broker *broker = codec_array(&kwi_metadata_response_broker_schema,
                                                             3);
    struct kw_metadata_response_topic *topic = codec_array(&kwi_metadata_response_topic_schema,
                                                           100);

    for (int32_t i = 0; i < 3; i++) {
        broker[i].node_id = i + 1;
        broker[i].host = codec_name("broker.example.org", (size_t)i);
        broker[i].port = 9092;
    }
    for (size_t t = 0; t < 100; t++) {
        struct kw_metadata_response_partition *part =
            codec_array(&kwi_metadata_response_partition_schema, 100);
        for (int32_t i = 0; i < 100; i++) {
            part[i].partition_index = i;
            part[i].leader_id = 1 + i % 3;
            part[i].leader_epoch = 7;
            part[i].replica_nodes = part[i].isr_nodes = KWI_ARR(nodes, 3);
        }
        topic[t].name = codec_name("topic", t);
        memset(topic[t].topic_id.b, (int)t + 1, sizeof topic[t].topic_id.b);
        topic[t].partitions = KWI_ARR(part, 100);
    }
    resp->brokers = KWI_ARR(broker, 3);
    resp->cluster_id = kwi_str("MkU3OEVBNTcwNTJENDM2Qk");
    resp->controller_id = 1;
    resp->topics = KWI_ARR(topic, 100);
}

static void fill_heartbeat(void *msg)
{
    struct kw_heartbeat_request *req = msg;

    req->group_id = kwi_str("orders-consumers");
    req->generation_id = 42;
    req->member_id = kwi_str("consumer-1-0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0");
    req->group_instance_id = KWI_NULL_STR;
}

static void fill_heartbeat_response(void *msg)
{
    (void)msg;
}

static const struct codec_case codec_cases[] = {
    {"produce-request", &kwi_produce_request_schema, 12, fill_produce},
    {"fetch-response", &kwi_fetch_response_schema, 12, fill_fetch},
    {"metadata-response", &kwi_metadata_response_schema, 12, fill_metadata},
    {"heartbeat-request", &kwi_heartbeat_request_schema, 4, fill_heartbeat},
    {"heartbeat-response", &kwi_heartbeat_response_schema, 4, fill_heartbeat_response},
};
enum { N_CASES = sizeof codec_cases / sizeof *codec_cases };

static union codec_message codec_given, codec_read[CODEC_DEPTH + 1];
static uint8_t codec_wire[CODEC_CAP], codec_out[CODEC_CAP];
static size_t codec_len;
static struct kw_cut codec_cuts[1024];

/* All elements of all arrays, down to the plain ones. Returns how many. */
static size_t codec_walk(const struct kw_schema *schema, const uint8_t *obj, int depth)
{
    size_t n = 0;

    for (const struct kw_field *f = schema->fields; f < schema->fields + schema->n_fields; f++) {
        struct kw_iter it;
        struct kw_arr arr;
        if (f->kind != KWI_ARRAY)
            continue;
        memcpy(&arr, obj + f->offset, sizeof arr);
        kwi_iter_init(&it, &arr);
        for (; kwi_iter_next(&it, codec_read[depth].bytes); n++)
            if (!f->sub->bare)
                n += codec_walk(f->sub, codec_read[depth].bytes, depth + 1);
    }
    return n;
}

static int codec_once(const struct codec_case *c, const char *work)
{
    struct kw_wr w = kwi_wr_make(codec_out, sizeof codec_out);

    if (work[0] == 'g') {
        w.cuts = codec_cuts;
        w.cuts_cap = sizeof codec_cuts / sizeof *codec_cuts;
    }
    if (work[0] == 'e' || work[0] == 'g')
        return kwi_encode(c->schema, c->version, &codec_given, &w);
    if (kwi_decode(c->schema, c->version, codec_wire, codec_len, &codec_read[0], NULL))
        return -1;
    if (work[0] == 'w')
        codec_walk(c->schema, codec_read[0].bytes, 1);
    return 0;
}

static void codec_prepare(const struct codec_case *c)
{
    struct kw_wr w = kwi_wr_make(codec_wire, sizeof codec_wire);

    kwi_init(c->schema, &codec_given);
    c->fill(&codec_given);
    if (kwi_encode(c->schema, c->version, &codec_given, &w))
        abort();
    codec_len = w.len;
    /* What was read, written again, is the same. */
    if (codec_once(c, "decode"))
        abort();
    w = kwi_wr_make(codec_out, sizeof codec_out);
    if (kwi_encode(c->schema, c->version, &codec_read[0], &w) || w.len != codec_len ||
        memcmp(codec_out, codec_wire, codec_len) != 0)
        abort();
}

static int codec_dump(const struct codec_case *c, const char *folder)
{
    char path[512];
    FILE *file;
    bool good;

    snprintf(path, sizeof path, "%s/%s", folder, c->name);
    file = fopen(path, "wb");
    good = file && fwrite(codec_wire, 1, codec_len, file) == codec_len;
    if (file && fclose(file))
        good = false;
    return good ? 0 : 1;
}

static int codec_time(const struct codec_case *c, const char *work, long times)
{
    struct timespec start, stop;
    double ns;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    for (long i = 0; i < times; i++)
        if (codec_once(c, work))
            return 1;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &stop);
    ns = (double)(stop.tv_sec - start.tv_sec) * 1e9 + (double)(stop.tv_nsec - start.tv_nsec);
    printf("%s %s %.1f\n", c->name, work, times > 0 ? ns / (double)times : 0.0);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "list";

    memset(codec_records, 'r', sizeof codec_records);
    for (int i = 0; i < N_CASES; i++) {
        const struct codec_case *c = &codec_cases[i];
        int rc = 0;
        if (strcmp(what, "list") && strcmp(what, "dump") && strcmp(what, c->name))
            continue;
        codec_prepare(c);
        if (strcmp(what, "list") == 0)
            printf("%s %d %zu\n", c->name, c->version, codec_len);
        else if (strcmp(what, "dump") == 0)
            rc = codec_dump(c, argc > 2 ? argv[2] : ".");
        else if (argc == 4)
            rc = codec_time(c, argv[2], strtol(argv[3], NULL, 10));
        else
            rc = 2;
        if (rc)
            return rc;
    }
    return 0;
}
