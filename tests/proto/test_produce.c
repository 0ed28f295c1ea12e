/* The partitions of a Produce answer, which are read by hand where they are plain,
 * against what the table reads. fuzz/fuzz_schema.c does the same with any bytes. */
#include <criterion/criterion.h>

#include "proto/produce.h"
#include "tests/proto/support.h"
#include "tests/vectors/vectors.h"
#include "tests/vectors/messages.inc"

static const struct kw_schema *const element = &kwi_produce_response_partition_schema;

/* Both ways through one array; returns how many elements there were. */
static int walk_both(const struct kw_arr *arr)
{
    struct kw_produce_response_partition one, two;
    struct kw_iter table, hand;
    int n = 0;
    kwi_iter_init(&table, arr);
    kwi_iter_init(&hand, arr);
    for (; kwi_iter_next(&table, &one); n++) {
        cr_assert(kwi_produce_answer_next(&hand, &two));
        cr_assert_eq(hand.rd.p, table.rd.p);
        cr_assert_eq(hand.left, table.left);
        cr_assert_eq(one.record_errors.wire, two.record_errors.wire);
        char *a = message_json(element, arr->version, &one);
        char *b = message_json(element, arr->version, &two);
        cr_assert_str_eq(a, b);
        free(a);
        free(b);
    }
    cr_assert_not(kwi_produce_answer_next(&hand, &two));
    return n;
}

static int walk_answer(int version, const uint8_t *body, size_t len)
{
    struct kw_produce_response msg;
    struct kw_produce_response_topic topic;
    struct kw_iter topics;
    int n = 0;
    cr_assert_eq(kwi_produce_response_decode(&msg, version, body, len, NULL), 0);
    for (kwi_iter_init(&topics, &msg.responses); kwi_iter_next(&topics, &topic);)
        n += walk_both(&topic.partition_responses);
    return n;
}

Test(produce, every_answer_of_kafka_reads_the_same_by_hand)
{
    int n = 0;
    for (size_t i = 0; i < VECTOR_COUNT(vector_messages); i++) {
        const struct vector_message *v = &vector_messages[i];
        size_t len;
        if (v->api_key != 0 || v->is_request)
            continue;
        uint8_t *body = vector_bytes(v->hex, &len);
        n += walk_answer(v->version, body, len);
        free(body);
    }
    cr_assert_gt(n, 20);
}

/* One partition of each kind: plain, with an error message, with a record error,
 * with a leader, and plain again. */
static size_t make_answer(int version, uint8_t *out, size_t cap)
{
    struct kw_produce_response_partition partitions[5];
    struct kw_produce_record_error error;
    struct kw_produce_response_topic topic;
    struct kw_produce_response msg;
    struct kw_wr wr = kwi_wr_make(out, cap);
    kwi_produce_response_init(&msg);
    kwi_produce_response_topic_init(&topic);
    kwi_produce_record_error_init(&error);
    for (int32_t i = 0; i < 5; i++) {
        kwi_produce_response_partition_init(&partitions[i]);
        partitions[i].index = i;
        partitions[i].base_offset = INT64_MAX - i;
        partitions[i].log_append_time_ms = i ? -1 : 1700000000000;
        partitions[i].log_start_offset = 7;
    }
    partitions[1].error_message = kwi_str("no");
    partitions[2].record_errors = KWI_ARR(&error, 1);
    if (version >= 10)
        partitions[3].current_leader = (struct kw_leader_id_and_epoch){3, 9};
    topic.name = kwi_str("t");
    topic.partition_responses = KWI_ARR(partitions, 5);
    msg.responses = KWI_ARR(&topic, 1);
    cr_assert_eq(kwi_produce_response_encode(&msg, version, &wr), 0);
    return wr.len;
}

Test(produce, plain_and_other_partitions_stand_side_by_side)
{
    uint8_t out[512];
    for (int version = 8; version <= 12; version++) {
        size_t len = make_answer(version, out, sizeof out);
        uint8_t *exact = exact_block(out, len);
        cr_assert_eq(walk_answer(version, exact, len), 5, "version %d", version);
        free(exact);
    }
}
