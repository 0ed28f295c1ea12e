/* covers: B14
 * The blobs inside messages and records, and the metrics payload. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "proto/consumer_protocol.h"
#include "proto/control.h"
#include "proto/data.h"
#include "proto/otlp.h"
#include "tests/proto/support.h"
#include "tests/vectors/vectors.h"
#include "tests/vectors/data.inc"
#include "tests/vectors/misc.inc"

static const struct kw_schema *schema_of(const struct vector_blob *v)
{
    const struct kw_data_info *data = kwi_data_info(v->api);
    cr_assert_not_null(data, "%s has no table", v->api);
    return data->schema;
}

Test(blobs, every_one_is_kafkas_bytes_and_json_both_ways)
{
    for (size_t i = 0; i < VECTOR_COUNT(vector_blobs); i++) {
        const struct vector_blob *v = &vector_blobs[i];
        const struct kw_schema *schema = schema_of(v);
        size_t len, out_len;
        int err;
        uint8_t *body = vector_bytes(v->hex, &len);
        union message msg;
        cr_assert_eq(kwi_decode(schema, v->version, body, len, &msg, NULL), 0, "%s", v->name);
        cr_assert(message_walks(schema, &msg), "%s", v->name);
        char *json = message_json(schema, v->version, &msg);
        cr_assert_str_eq(json, v->json, "%s", v->name);
        free(json);
        if (v->is_init)
            message_build_init(schema, v->version, &msg);
        else
            message_thaw(schema, &msg);
        uint8_t *out = message_encode(schema, v->version, &msg, &out_len, &err);
        cr_assert_not_null(out, "%s: %d", v->name, err);
        cr_assert_eq(out_len, len, "%s", v->name);
        cr_assert_arr_eq(out, body, len, "%s", v->name);
        for (size_t n = 0; n < len; n++) {
            uint8_t *part = exact_block(body, n);
            union message other;
            cr_assert_lt(kwi_decode(schema, v->version, part, n, &other, NULL), 0, "%s", v->name);
            free(part);
        }
        message_free(schema, &msg);
        free(out);
        free(body);
    }
}

/* A subscription of version 3 in full: topic "t", no user data, partition 1 of "o"
 * owned, generation 7, rack "r". */
#define SUBSCRIPTION_TOPICS 0, 0, 0, 1, 0, 1, 't', 0xff, 0xff, 0xff, 0xff
#define SUBSCRIPTION_OWNED 0, 0, 0, 1, 0, 1, 'o', 0, 0, 0, 1, 0, 0, 0, 1
#define SUBSCRIPTION_REST 0, 0, 0, 7, 0, 1, 'r'

static int get_subscription(const uint8_t *bytes, size_t len, uint8_t **block,
                            struct kw_consumer_protocol_subscription *msg, int *version,
                            struct kw_fault *fault)
{
    *block = exact_block(bytes, len);
    return kwi_subscription_get(&(struct kw_blob){*block, (int32_t)len}, msg, version, fault);
}

Test(blobs, a_subscription_of_an_unknown_version_is_read_as_the_highest_known)
{
    static const uint8_t bytes[] = {
        0, 9, SUBSCRIPTION_TOPICS, SUBSCRIPTION_OWNED, SUBSCRIPTION_REST, 'n', 'e', 'w'};
    struct kw_consumer_protocol_subscription msg;
    struct kw_consumer_protocol_topic topic;
    struct kw_iter it;
    uint8_t *block;
    int version;
    cr_assert_eq(get_subscription(bytes, sizeof bytes, &block, &msg, &version, NULL), 0);
    cr_expect_eq(version, 9);
    cr_expect_eq(msg.topics.n, 1);
    cr_expect_eq(msg.user_data.len, -1);
    cr_expect_eq(msg.generation_id, 7);
    cr_expect(msg.rack_id.len == 1 && msg.rack_id.ptr[0] == 'r');
    kwi_iter_init(&it, &msg.owned_partitions);
    cr_expect(kwi_iter_next(&it, &topic) && topic.topic.ptr[0] == 'o' && topic.partitions.n == 1);
    free(block);
}

Test(blobs, a_subscription_may_end_where_an_older_version_does)
{
    static const uint8_t bytes[] = {0, 3, SUBSCRIPTION_TOPICS, SUBSCRIPTION_OWNED,
                                    SUBSCRIPTION_REST};
    static const size_t ends[] = {13, 28, 32, 35};
    struct kw_consumer_protocol_subscription msg;
    struct kw_fault fault;
    int version;
    for (size_t len = 0; len <= sizeof bytes; len++) {
        bool whole = false;
        uint8_t *block;
        for (size_t i = 0; i < VECTOR_COUNT(ends); i++)
            whole = whole || len == ends[i];
        int rc = get_subscription(bytes, len, &block, &msg, &version, &fault);
        cr_assert_eq(rc, whole ? 0 : KW_ERR_SHORT, "cut at %zu: %d", len, rc);
        cr_assert(whole || fault.offset <= len, "cut at %zu", len);
        if (whole) {
            cr_expect_eq(msg.owned_partitions.n, len >= 28 ? 1 : 0);
            cr_expect_eq(msg.generation_id, len >= 32 ? 7 : -1);
            cr_expect_eq(msg.rack_id.len, len >= 35 ? 1 : -1);
        }
        free(block);
    }
    cr_expect_eq(kwi_subscription_get(&(struct kw_blob){NULL, -1}, &msg, &version, NULL),
                 KW_ERR_SHORT);
    cr_expect_eq(kwi_subscription_get(&(struct kw_blob){bytes, 3}, &msg, &version, NULL),
                 KW_ERR_SHORT);
    uint8_t *block = exact_block("\377\377\0\0\0\0\377\377\377\377", 10);
    cr_expect_eq(kwi_subscription_get(&(struct kw_blob){block, 10}, &msg, &version, &fault),
                 KW_ERR_VERSION);
    free(block);
}

Test(blobs, both_are_written_with_their_version)
{
    struct kw_consumer_protocol_subscription subscription, read;
    struct kw_consumer_protocol_assignment assignment, read_assignment;
    uint8_t buf[64];
    int version;
    kwi_consumer_protocol_subscription_init(&subscription);
    subscription.generation_id = 5;
    struct kw_wr w = kwi_wr_make(buf, sizeof buf);
    cr_assert_eq(kwi_subscription_put(&subscription, 2, &w), 0);
    cr_assert_eq(
        kwi_subscription_get(&(struct kw_blob){buf, (int32_t)w.len}, &read, &version, NULL), 0);
    cr_expect(version == 2 && read.generation_id == 5);
    kwi_consumer_protocol_assignment_init(&assignment);
    assignment.user_data = (struct kw_blob){(const uint8_t *)"u", 1};
    w = kwi_wr_make(buf, sizeof buf);
    cr_assert_eq(kwi_assignment_put(&assignment, 1, &w), 0);
    cr_assert_eq(kwi_assignment_get(&(struct kw_blob){buf, (int32_t)w.len}, &read_assignment,
                                    &version, NULL),
                 0);
    cr_expect(version == 1 && read_assignment.user_data.len == 1);
    cr_expect_eq(kwi_assignment_put(&assignment, 4, &w), KW_ERR_VERSION);
    w = kwi_wr_make(buf, sizeof buf);
    cr_expect_eq(kwi_subscription_put(&subscription, 4, &w), KW_ERR_VERSION);
}

static uint8_t *misc_bytes(const char *name, size_t *len)
{
    for (size_t i = 0; i < VECTOR_COUNT(vector_misc_rows); i++)
        if (strcmp(vector_misc_rows[i].name, name) == 0)
            return vector_bytes(vector_misc_rows[i].hex, len);
    cr_assert_fail("no vector %s", name);
    return NULL;
}

Test(blobs, user_data_of_the_sticky_assignors_is_kafkas)
{
    struct kw_sticky_user_data data;
    struct kw_cooperative_sticky_user_data cooperative;
    struct kw_consumer_protocol_topic topic;
    struct kw_iter it;
    size_t len;
    uint8_t *bytes = misc_bytes("sticky-user-data-v1", &len);
    cr_assert_eq(kwi_sticky_user_data_get(&(struct kw_blob){bytes, (int32_t)len}, &data, NULL), 0);
    cr_expect_eq(data.generation, 7);
    kwi_iter_init(&it, &data.previous_assignment);
    cr_assert(kwi_iter_next(&it, &topic));
    cr_expect(topic.topic.len == 3 && memcmp(topic.topic.ptr, "bar", 3) == 0);
    cr_assert(kwi_iter_next(&it, &topic));
    cr_expect(topic.partitions.n == 2 && memcmp(topic.topic.ptr, "foo", 3) == 0);
    cr_expect_not(kwi_iter_next(&it, &topic));
    uint8_t out[64];
    struct kw_wr w = kwi_wr_make(out, sizeof out);
    cr_assert_eq(kwi_encode(&kwi_sticky_user_data_schema, 1, &data, &w), 0);
    cr_expect(w.len == len && memcmp(out, bytes, len) == 0);
    /* Without the generation it is of version 0. */
    cr_assert_eq(kwi_sticky_user_data_get(&(struct kw_blob){bytes, (int32_t)len - 4}, &data, NULL),
                 0);
    cr_expect(data.generation == -1 && data.previous_assignment.n == 2);
    cr_expect_eq(kwi_sticky_user_data_get(&(struct kw_blob){bytes, (int32_t)len - 1}, &data, NULL),
                 KW_ERR_SHORT);
    free(bytes);
    bytes = misc_bytes("cooperative-sticky-user-data-v0", &len);
    cr_assert_eq(
        kwi_decode(&kwi_cooperative_sticky_user_data_schema, 0, bytes, len, &cooperative, NULL), 0);
    cr_expect_eq(cooperative.generation, 7);
    free(bytes);
}

Test(blobs, keys_and_values_of_control_records)
{
    /* A commit by a coordinator of epoch 7, as brokers write it; version 1 with more. */
    static const uint8_t key[] = {0, 0, 0, 1}, value[] = {0, 0, 0, 0, 0, 7};
    static const uint8_t newer[] = {0, 1, 0, 5, 99}, bad[] = {0xff, 0xff, 0, 1};
    int16_t type;
    int32_t epoch;
    cr_expect_eq(kwi_control_key_get(&(struct kw_blob){key, sizeof key}, &type), 0);
    cr_expect_eq(type, KWI_CONTROL_COMMIT);
    cr_expect_eq(kwi_end_txn_marker_get(&(struct kw_blob){value, sizeof value}, &epoch), 0);
    cr_expect_eq(epoch, 7);
    cr_expect_eq(kwi_control_key_get(&(struct kw_blob){newer, sizeof newer}, &type), 0);
    cr_expect_eq(type, KWI_CONTROL_KRAFT_VERSION);
    cr_expect_eq(kwi_control_key_get(&(struct kw_blob){bad, sizeof bad}, &type), KW_ERR_VERSION);
    for (int32_t n = -1; n < (int32_t)sizeof key; n++) {
        uint8_t *part = exact_block(key, n > 0 ? (size_t)n : 0);
        cr_expect_eq(kwi_control_key_get(&(struct kw_blob){part, n}, &type), KW_ERR_SHORT);
        free(part);
    }
    cr_expect_eq(kwi_end_txn_marker_get(&(struct kw_blob){value, 5}, &epoch), KW_ERR_SHORT);
}

/* ---- metrics -------------------------------------------------------------- */

#define TEXT(text)             \
    {                          \
        text, sizeof(text) - 1 \
    }

static const struct kw_otlp_attribute client[] = {{TEXT("client_rack"), TEXT("rack-1")},
                                                  {TEXT("group_id"), TEXT("grp")}};
static const struct kw_otlp_attribute node[] = {{TEXT("node_id"), TEXT("1")}};
static const struct kw_otlp_point points[] = {
    {.start_ns = 1699999940000000000u, .time_ns = 1700000000000000000u, .as_double = 3.0},
    {.time_ns = 1700000000000000000u, .as_double = 1.5, .attributes = node, .n_attributes = 1},
};
static const struct kw_otlp_metric metrics[] = {
    {TEXT("org.apache.kafka.producer.connection.creation.total"), KWI_OTLP_SUM_DELTA, true,
     &points[0], 1},
    {TEXT("org.apache.kafka.producer.node.request.latency.avg"), KWI_OTLP_GAUGE, false, &points[1],
     1},
};
static const struct kw_otlp_metrics all = {
    .attributes = client, .n_attributes = 2, .metrics = metrics, .n_metrics = 2};

Test(otlp, the_payload_is_what_opentelemetrys_own_code_writes)
{
    size_t len;
    uint8_t *want = misc_bytes("otlp-metrics-data", &len);
    struct kw_wr measure = kwi_wr_make(NULL, 0);
    cr_assert_eq(kwi_otlp_put(&all, &measure), 0);
    cr_assert_eq(measure.len, len);
    for (size_t cap = 0; cap <= len; cap++) {
        uint8_t *out = exact_block(want, cap);
        memset(out, 0xee, cap);
        struct kw_wr w = kwi_wr_make(out, cap);
        cr_assert_eq(kwi_otlp_put(&all, &w), cap < len ? KW_ERR_SPACE : 0, "%zu", cap);
        cr_assert_eq(w.len, len);
        if (cap == len)
            cr_assert_arr_eq(out, want, len);
        free(out);
    }
    free(want);
}

Test(otlp, integers_cumulative_sums_and_the_scope_are_written)
{
    /* By hand from the protobuf encoding. */
    static const uint8_t want[] = {
        0x0a, 0x28, 0x0a, 0x00,                               /* resource, no attributes */
        0x12, 0x24, 0x0a, 0x08,                               /* scope metrics, scope */
        0x0a, 0x02, 'k',  'w',  0x12, 0x02, '0',  '1',        /* its name and version */
        0x12, 0x18, 0x0a, 0x01, 'n',                          /* metric, name */
        0x3a, 0x13, 0x0a, 0x0f,                               /* sum, point */
        0x31, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* as_int -2 */
        0x3a, 0x04, 0x12, 0x02, 0x0a, 0x00,                   /* no key, an empty string */
        0x10, 0x02,                                           /* cumulative */
    };
    static const struct kw_otlp_attribute empty[] = {{{NULL, 0}, {NULL, -1}}};
    static const struct kw_otlp_point point = {
        .is_int = true, .as_int = -2, .attributes = empty, .n_attributes = 1};
    static const struct kw_otlp_metric metric = {TEXT("n"), KWI_OTLP_SUM_CUMULATIVE, false, &point,
                                                 1};
    const struct kw_otlp_metrics one = {
        .scope_name = TEXT("kw"), .scope_version = TEXT("01"), .metrics = &metric, .n_metrics = 1};
    uint8_t out[128];
    struct kw_wr w = kwi_wr_make(out, sizeof out);
    cr_assert_eq(kwi_otlp_put(&one, &w), 0);
    for (size_t i = 0; i < w.len && i < sizeof want; i++)
        cr_expect_eq(out[i], want[i], "byte %zu: %02x", i, out[i]);
    cr_expect_eq(w.len, sizeof want);
    const struct kw_otlp_metrics unnamed = {
        .scope_version = TEXT("01"), .metrics = &metric, .n_metrics = 1};
    w = kwi_wr_make(out, sizeof out);
    cr_assert_eq(kwi_otlp_put(&unnamed, &w), 0);
    cr_expect_eq(w.len, sizeof want - 4, "a scope may have a version alone");
    w = kwi_wr_make(out, sizeof out);
    cr_expect_eq(kwi_otlp_put(&(struct kw_otlp_metrics){.n_attributes = 0}, &w), 0);
    cr_expect_eq(w.len, 0, "no metrics are no bytes");
}
