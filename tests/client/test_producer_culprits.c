/* A batch that is refused for some of its records (KIP-467): those have the broker's
 * error, the others one that says to produce them again.
 *
 * covers: P20 */
#include <string.h>

#include "proto/api.h"
#include "proto/produce.h"
#include "tests/client/make_bed.h"

static const char *const linger[] = {"linger.ms=5", NULL};

/* A topic that is compacted takes no record without a key. */
static void start(const struct kw_mock_config *config, const char *const *settings)
{
    make_start_of(config, 1, NULL, settings);
    mbed.key = "k";
    make(0, 10);
    make_settle();
    cr_assert_eq(kwi_mock_set_topic_config(mbed.pair.mock, "t", "cleanup.policy", "compact"), 0);
}

/* Each `every`-th of n records is without a key. */
static void make_some(int n, int every, size_t len)
{
    for (int i = 0; i < n; i++) {
        mbed.key = i % every == every - 1 ? NULL : "k";
        make(0, len);
    }
}

static void check_some(uint32_t from, int n, int every)
{
    for (int i = 0; i < n; i++) {
        const struct make_fate *fate = &mbed.fates[from + (uint32_t)i];
        bool is_culprit = i % every == every - 1;
        cr_assert_eq(fate->outcome, KW_NOT_WRITTEN, "record %d", i);
        cr_assert_eq(fate->code, is_culprit ? KW_ERR_BROKER : KW_ERR_BATCHMATE, "record %d: %s", i,
                     kw_err_name(fate->code));
        cr_assert_eq(fate->kafka_code, is_culprit ? 87 : 0, "record %d", i);
    }
}

static const struct kw_mock_config plain = {.n_brokers = 1};

Test(culprits, have_the_brokers_error_and_the_others_are_to_be_produced_again)
{
    start(&plain, linger);
    make_some(20, 4, 50);
    make_settle();
    check_some(1, 20, 4);
    cr_assert_eq(mbed.n_errors, 1, "a person is told once");
    cr_assert_not_null(strstr(mbed.error.text, "record 4 of 20"), "%s", mbed.error.text);
    cr_assert_not_null(strstr(mbed.error.text, "without key"), "%s", mbed.error.text);
    /* What is to be produced again can be: nothing of it was written. */
    uint32_t from = mbed.n_made;
    mbed.key = "k";
    for (int i = 0; i < 15; i++)
        make(0, 50);
    make_settle();
    for (uint32_t i = from; i < mbed.n_made; i++)
        cr_assert_eq(mbed.fates[i].outcome, KW_DELIVERED);
    cr_assert_eq(make_log_end(0), 16);
    make_stop();
}

/* Over several chunks, so that reports end at chunks and at culprits. */
Test(culprits, are_told_one_by_one_in_a_large_batch)
{
    static const char *const large[] = {"linger.ms=50", "batch.size=200000", NULL};
    start(&plain, large);
    make_some(300, 7, 600);
    make_settle();
    cr_assert_eq(mbed.n_requests, 2, "more than one batch");
    check_some(1, 300, 7);
    make_stop();
}

static struct kw_receipt_result result;
static void take_receipt(const struct kw_event *event)
{
    if (event->kind == KW_EVENT_RECEIPT)
        result = event->receipt;
}

Test(culprits, a_receipt_has_the_error_of_its_first_failure)
{
    start(&plain, linger);
    mbed.on_event = take_receipt;
    cr_assert_eq(kw_core_receipt_create(&mbed.receipt, mbed.producer, NULL), 0);
    make_some(3, 8, 50); /* none of these */
    cr_assert_eq(kw_core_receipt_close(mbed.receipt), 0);
    mbed.receipt = NULL;
    make_some(8, 8, 50);
    make_settle();
    cr_assert_eq(result.not_written, 3);
    cr_assert_eq(result.code, KW_ERR_BATCHMATE);
    cr_assert_eq(result.kafka_code, 0);
    check_some(4, 8, 8);
    make_stop();
}

Test(culprits, one_record_alone_has_the_brokers_error)
{
    start(&plain, linger);
    mbed.key = NULL;
    make(0, 10);
    make_settle();
    cr_assert_eq(mbed.fates[1].code, KW_ERR_BROKER);
    cr_assert_eq(mbed.fates[1].kafka_code, 87);
    make_stop();
}

Test(culprits, a_broker_that_names_none_blames_all)
{
    static const struct kw_mock_versions old[] = {{0, 3, 7}};
    struct kw_mock_config config = plain;
    config.versions = old;
    config.n_versions = 1;
    start(&config, linger);
    make_some(10, 5, 50);
    make_settle();
    for (uint32_t i = 1; i < 11; i++) {
        cr_assert_eq(mbed.fates[i].code, KW_ERR_BROKER);
        cr_assert_eq(mbed.fates[i].kafka_code, 87);
    }
    make_stop();
}

/* Indexes that no record has, one twice, none in order. */
static size_t name_strange_ones(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap)
{
    static const int32_t indexes[] = {9, -1, 2, 10, INT32_MAX, 2, INT32_MIN};
    struct kw_produce_record_error errors[7];
    struct kw_produce_response_partition part;
    struct kw_produce_response_topic topic;
    struct kw_produce_response msg;
    struct kw_wr wr = kwi_wr_make(out, cap);
    (void)ctx;
    if (answer->api_key != KW_API_PRODUCE || mbed.n_made == 1)
        return 0;
    kwi_produce_response_init(&msg);
    kwi_produce_response_topic_init(&topic);
    kwi_produce_response_partition_init(&part);
    for (int i = 0; i < 7; i++) {
        kwi_produce_record_error_init(&errors[i]);
        errors[i].batch_index = indexes[i];
        errors[i].batch_index_error_message = KWI_NULL_STR;
    }
    part.error_code = 32; /* INVALID_TIMESTAMP */
    part.base_offset = part.log_append_time_ms = -1;
    part.record_errors = KWI_ARR(errors, 7);
    topic.name = kwi_str("t");
    topic.partition_responses = KWI_ARR(&part, 1);
    msg.responses = KWI_ARR(&topic, 1);
    cr_assert_eq(kwi_produce_response_encode(&msg, answer->version, &wr), 0);
    return wr.len;
}

Test(culprits, indexes_that_no_record_has_are_ignored)
{
    memset(&mbed, 0, sizeof(mbed));
    make_start_of(&plain, 1, NULL, linger);
    make(0, 10);
    make_settle();
    mbed.pair.on_answer = name_strange_ones;
    for (uint32_t i = 0; i < mbed.pair.n_conns; i++) /* it must be set before they open */
        sim_pair_break(&mbed.pair, mbed.pair.conns[i]);
    for (int i = 0; i < 10; i++)
        make(0, 50);
    make_settle();
    for (uint32_t i = 1; i < 11; i++) {
        bool is_culprit = i == 3 || i == 10;
        cr_assert_eq(mbed.fates[i].code, is_culprit ? KW_ERR_BROKER : KW_ERR_BATCHMATE, "record %u",
                     i);
        cr_assert_eq(mbed.fates[i].kafka_code, is_culprit ? 32 : 0);
    }
    make_stop();
}
