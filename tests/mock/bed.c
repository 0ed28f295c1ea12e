/* bed.c -- see bed.h. */
#include "bed.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "proto/header.h"
#include "proto/record.h"

/* ---- the cluster ------------------------------------------------------------------- */

static void *bed_alloc(void *ctx, size_t size)
{
    struct bed *bed = ctx;
    void *ptr;
    if (bed->n_until_refusal == 0) {
        if (bed->refuse_once)
            bed->n_until_refusal = SIZE_MAX;
        return NULL;
    }
    if (bed->n_until_refusal != SIZE_MAX)
        bed->n_until_refusal--;
    ptr = malloc(size);
    if (ptr) {
        memset(ptr, 0xa5, size);
        bed->n_blocks++;
    }
    return ptr;
}

static void bed_free(void *ctx, void *ptr, size_t size)
{
    struct bed *bed = ctx;
    memset(ptr, 0x5a, size);
    bed->n_blocks--;
    free(ptr);
}

int bed_try_open(struct bed *bed, const struct kw_mock_config *config)
{
    struct kw_mock_config used;
    memset(&used, 0, sizeof(used));
    if (config)
        used = *config;
    used.alloc.alloc = bed_alloc;
    used.alloc.free = bed_free;
    used.alloc.ctx = bed;
    return kwi_mock_create(&bed->mock, &used);
}

void bed_open(struct bed *bed, const struct kw_mock_config *config)
{
    memset(bed, 0, sizeof(*bed));
    bed->n_until_refusal = SIZE_MAX;
    bed->now.mono_us = 1000000;
    bed->now.wall_ms = 1700000000000;
    cr_assert_eq(bed_try_open(bed, config), 0);
    kwi_mock_step(bed->mock, bed->now);
}

void bed_close(struct bed *bed)
{
    kwi_mock_destroy(bed->mock);
    bed->mock = NULL;
    cr_assert_eq(bed->n_blocks, 0, "%zu blocks leaked", bed->n_blocks);
}

void bed_advance(struct bed *bed, uint32_t ms)
{
    uint64_t end = bed->now.mono_us + (uint64_t)ms * 1000;
    for (unsigned i = 0; kwi_mock_deadline(bed->mock) <= end; i++) {
        uint64_t next = kwi_mock_deadline(bed->mock);
        cr_assert_lt(i, 10000, "the model never comes to rest");
        if (next > bed->now.mono_us) {
            bed->now.wall_ms += (int64_t)(next - bed->now.mono_us) / 1000;
            bed->now.mono_us = next;
        }
        kwi_mock_step(bed->mock, bed->now);
    }
    bed->now.wall_ms += (int64_t)(end - bed->now.mono_us) / 1000;
    bed->now.mono_us = end;
    kwi_mock_step(bed->mock, bed->now);
}

uint32_t bed_fault(struct bed *bed, const char *spec)
{
    struct kw_mock_fault fault;
    const char *why;
    uint32_t id;
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, &why), 0, "%s: %s", spec, why);
    cr_assert_eq(kwi_mock_fault_add(bed->mock, &fault, &id), 0, "%s", spec);
    return id;
}

/* ---- clients ------------------------------------------------------------------------- */

void client_open(struct client *client, struct bed *bed, uint32_t broker)
{
    memset(client, 0, sizeof(*client));
    client->bed = bed;
    client->conn = kwi_mock_accept(bed->mock, broker);
    client->correlation_id = 70;
    cr_assert_not_null(client->conn);
}

void client_close(struct client *client)
{
    kwi_mock_conn_free(client->conn);
    free(client->frame);
    free(client->part);
    client->conn = NULL;
    client->frame = client->part = NULL;
}

void client_send_bytes(struct client *client, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    while (len) {
        size_t n = client->chunk && client->chunk < len ? client->chunk : len;
        uint8_t *exact = malloc(n);
        memcpy(exact, p, n);
        kwi_mock_input(client->conn, exact, n);
        free(exact);
        p += n;
        len -= n;
    }
}

void client_send(struct client *client, int16_t api, int16_t version, const void *req)
{
    const struct kw_schema *schema = kwi_api_info(api)->request;
    uint8_t *buf = NULL;
    size_t cap = 0;
    client->correlation_id++;
    for (int pass = 0; pass < 2; pass++) {
        struct kw_wr w = kwi_wr_make(buf, cap);
        size_t at = kwi_frame_begin(&w);
        cr_assert_eq(
            kwi_request_header_put(&w, api, version, client->correlation_id, kwi_str("bed")), 0);
        cr_assert_eq(kwi_encode(schema, version, req, &w), 0);
        kwi_frame_end(&w, at);
        cap = w.len;
        if (!buf)
            buf = malloc(cap);
    }
    client_send_bytes(client, buf, cap);
    free(buf);
}

bool client_take(struct client *client)
{
    for (;;) {
        struct kw_span span = kwi_mock_output(client->conn);
        size_t n = client->chunk && client->chunk < span.len ? client->chunk : span.len;
        size_t size = client->part_len >= 4 ? kwi_get_u32(client->part) + 4u : SIZE_MAX;
        if (client->part_len >= size) {
            free(client->frame);
            client->frame = malloc(size);
            client->frame_len = size;
            memcpy(client->frame, client->part, size);
            client->part_len -= size;
            memmove(client->part, client->part + size, client->part_len);
            return true;
        }
        if (n == 0)
            return false;
        client->part = realloc(client->part, client->part_len + n);
        memcpy(client->part + client->part_len, span.ptr, n);
        client->part_len += n;
        kwi_mock_output_done(client->conn, n);
    }
}

bool client_receive(struct client *client, int16_t api, int16_t version, void *resp)
{
    struct kw_fault fault;
    int32_t correlation_id;
    size_t header_len;
    char text[300];
    if (!client_take(client))
        return false;
    cr_assert_eq(kwi_response_header_get(client->frame + 4, client->frame_len - 4, api, version,
                                         &correlation_id, &header_len),
                 0);
    cr_assert_eq(correlation_id, client->correlation_id);
    if (kwi_decode(kwi_api_info(api)->response, version, client->frame + 4 + header_len,
                   client->frame_len - 4 - header_len, resp, &fault)) {
        kwi_fault_format(&fault, text, sizeof(text));
        cr_assert(false, "%s", text);
    }
    return true;
}

void client_ask(struct client *client, int16_t api, int16_t version, const void *req, void *resp)
{
    client_send(client, api, version, req);
    cr_assert(client_receive(client, api, version, resp), "no answer to %s v%d", kwi_api_name(api),
              version);
}

struct kw_uuid client_topic_id(struct client *client, const char *topic)
{
    struct kw_metadata_request req;
    struct kw_metadata_response resp;
    struct kw_metadata_request_topic asked;
    struct kw_metadata_response_topic told;
    struct kw_iter it;
    kwi_metadata_request_init(&req);
    kwi_metadata_request_topic_init(&asked);
    asked.name = kwi_str(topic);
    req.topics = KWI_ARR(&asked, 1);
    client_ask(client, KW_API_METADATA, 12, &req, &resp);
    kwi_iter_init(&it, &resp.topics);
    cr_assert(kwi_iter_next(&it, &told));
    return told.topic_id;
}

/* ---- produce ----------------------------------------------------------------------------- */

uint8_t *batch_make(const struct batch_spec *spec, size_t *len)
{
    int32_t n = spec->n_records ? spec->n_records : 1;
    size_t cap = KWI_BATCH_HEADER + (size_t)n * (40 + spec->value_size);
    uint8_t *buf = calloc(1, cap), *exact;
    char *value = calloc(1, spec->value_size + 16);
    struct kw_wr w = kwi_wr_make(buf, cap);
    struct kw_batch_header header;
    kwi_batch_header_init(&header);
    (void)kwi_wr_room(&w, KWI_BATCH_HEADER);
    for (int32_t i = 0; i < n; i++) {
        int text = snprintf(value, spec->value_size + 16, "v%d", i);
        size_t size = spec->value_size ? spec->value_size : (size_t)text;
        kwi_record_put(&w, i, i, (struct kw_bytes){NULL, 0}, (struct kw_bytes){value, size}, NULL,
                       0);
    }
    cr_assert_eq(kwi_wr_status(&w), 0);
    header.last_offset_delta = n - 1;
    header.record_count = n;
    header.base_timestamp = spec->timestamp;
    header.max_timestamp = spec->timestamp + n - 1;
    if (spec->idempotent) {
        header.producer_id = spec->producer_id;
        header.producer_epoch = spec->epoch;
        header.base_sequence = spec->sequence;
    }
    kwi_batch_header_put(buf, &header);
    kwi_batch_seal(buf, w.len, kwi_crc32c_portable);
    exact = malloc(w.len);
    memcpy(exact, buf, w.len);
    *len = w.len;
    free(buf);
    free(value);
    return exact;
}

static struct produced produced_read(const struct kw_produce_response *resp)
{
    struct produced out = {.answered = true, .base_offset = -1};
    struct kw_produce_response_topic topic;
    struct kw_produce_response_partition partition;
    struct kw_iter topics, partitions;
    out.n_endpoints = resp->node_endpoints.n;
    out.throttle_time_ms = resp->throttle_time_ms;
    kwi_iter_init(&topics, &resp->responses);
    if (!kwi_iter_next(&topics, &topic))
        return out;
    out.n_partitions = topic.partition_responses.n;
    kwi_iter_init(&partitions, &topic.partition_responses);
    if (!kwi_iter_next(&partitions, &partition))
        return out;
    out.error_code = partition.error_code;
    out.base_offset = partition.base_offset;
    out.log_append_time_ms = partition.log_append_time_ms;
    out.log_start_offset = partition.log_start_offset;
    out.leader = partition.current_leader;
    return out;
}

struct produced client_produce(struct client *client, int16_t version, const char *topic,
                               int32_t partition, int16_t acks, const uint8_t *batch, size_t len)
{
    struct kw_produce_request req;
    struct kw_produce_request_topic asked;
    struct kw_produce_request_partition data;
    struct kw_produce_response resp;
    kwi_produce_request_init(&req);
    kwi_produce_request_topic_init(&asked);
    kwi_produce_request_partition_init(&data);
    data.index = partition;
    data.records.ptr = batch;
    data.records.len = (int32_t)len;
    if (version >= 13)
        asked.topic_id = client_topic_id(client, topic);
    else
        asked.name = kwi_str(topic);
    asked.partition_data = KWI_ARR(&data, 1);
    req.acks = acks;
    req.timeout_ms = 1000;
    req.topic_data = KWI_ARR(&asked, 1);
    client_send(client, KW_API_PRODUCE, version, &req);
    if (!client_receive(client, KW_API_PRODUCE, version, &resp))
        return (struct produced){0};
    return produced_read(&resp);
}

struct produced client_put(struct client *client, const char *topic, int32_t partition,
                           const struct batch_spec *spec)
{
    size_t len;
    uint8_t *batch = batch_make(spec, &len);
    struct produced out = client_produce(client, 9, topic, partition, -1, batch, len);
    free(batch);
    return out;
}

/* ---- fetch ------------------------------------------------------------------------------- */

void client_fetch_send(struct client *client, const struct fetch_spec *spec)
{
    int16_t version = spec->version ? spec->version : 12;
    struct kw_fetch_request req;
    struct kw_fetch_request_topic topic;
    struct kw_fetch_request_partition partition;
    kwi_fetch_request_init(&req);
    kwi_fetch_request_topic_init(&topic);
    kwi_fetch_request_partition_init(&partition);
    partition.partition = spec->partition;
    partition.fetch_offset = spec->offset;
    partition.current_leader_epoch = spec->leader_epoch - 1;
    partition.last_fetched_epoch = spec->last_fetched_epoch - 1;
    partition.partition_max_bytes = spec->max_bytes ? spec->max_bytes : 1 << 20;
    if (version >= 13)
        topic.topic_id = client_topic_id(client, spec->topic);
    else
        topic.topic = kwi_str(spec->topic);
    topic.partitions = KWI_ARR(&partition, 1);
    req.topics = KWI_ARR(&topic, 1);
    req.replica_id = -1;
    req.max_wait_ms = spec->max_wait_ms;
    req.min_bytes = spec->min_bytes;
    req.max_bytes = spec->max_bytes ? spec->max_bytes : 1 << 20;
    req.session_id = spec->session_id;
    client_send(client, KW_API_FETCH, version, &req);
}

struct fetched client_fetch_receive(struct client *client, int16_t version)
{
    struct fetched out = {.answered = false, .records_len = -1};
    struct kw_fetch_response resp;
    struct kw_fetch_response_topic topic;
    struct kw_fetch_response_partition partition;
    struct kw_iter topics, partitions;
    if (!client_receive(client, KW_API_FETCH, version ? version : 12, &resp))
        return out;
    out.answered = true;
    out.top_error = resp.error_code;
    out.n_endpoints = resp.node_endpoints.n;
    kwi_iter_init(&topics, &resp.responses);
    if (!kwi_iter_next(&topics, &topic))
        return out;
    out.n_partitions = topic.partitions.n;
    kwi_iter_init(&partitions, &topic.partitions);
    if (!kwi_iter_next(&partitions, &partition))
        return out;
    out.error_code = partition.error_code;
    out.high_watermark = partition.high_watermark;
    out.last_stable_offset = partition.last_stable_offset;
    out.log_start_offset = partition.log_start_offset;
    out.diverging = partition.diverging_epoch;
    out.leader = partition.current_leader;
    out.records = partition.records.ptr;
    out.records_len = partition.records.len;
    return out;
}

struct fetched client_fetch(struct client *client, const struct fetch_spec *spec)
{
    client_fetch_send(client, spec);
    return client_fetch_receive(client, spec->version);
}
