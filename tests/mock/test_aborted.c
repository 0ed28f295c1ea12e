/* Transactions in the logs of the broker model: the last stable offset, the list of the
 * aborted ones, and what is left of both when a log is cut. */
#include <criterion/criterion.h>

#include "bed.h"
#include "proto/record.h"

static struct bed bed;
static struct client client;

static void open_one(void)
{
    bed_open(&bed, NULL);
    cr_assert_eq(kwi_mock_create_topic(bed.mock, "t", 1), 0);
    client_open(&client, &bed, 0);
}

static void close_one(void)
{
    client_close(&client);
    bed_close(&bed);
}

static int try_put(int64_t producer_id, int32_t n)
{
    struct batch_spec spec = {
        .n_records = n, .idempotent = producer_id >= 0, .producer_id = producer_id};
    size_t len;
    uint8_t *batch = batch_make(&spec, &len);
    int rc;
    if (producer_id >= 0) {
        kwi_put_u16(batch + KWI_BATCH_ATTRIBUTES, KWI_BATCH_TRANSACTIONAL);
        kwi_batch_seal(batch, len, kwi_crc32c_portable);
    }
    rc = kwi_mock_append(bed.mock, "t", 0, batch, len);
    free(batch);
    return rc;
}

static void put(int64_t producer_id, int32_t n)
{
    cr_assert_eq(try_put(producer_id, n), 0);
}

static void end(int64_t producer_id, bool commit)
{
    cr_assert_eq(kwi_mock_end_txn(bed.mock, "t", 0, producer_id, 0, commit), 0);
}

struct told {
    int64_t high_watermark, last_stable_offset, last_offset;
    int32_t n_aborted;
    struct kw_fetch_aborted_transaction aborted[8];
};

static struct told fetch(int64_t offset, int8_t isolation_level, int32_t max_bytes)
{
    struct kw_fetch_request_partition asked;
    struct kw_fetch_request_topic topic;
    struct kw_fetch_request req;
    struct kw_fetch_response resp;
    struct kw_fetch_response_topic got_topic;
    struct kw_fetch_response_partition got;
    struct kw_batch_header header;
    struct told told = {.last_offset = -1};
    struct kw_iter it;
    kwi_fetch_request_partition_init(&asked);
    asked.fetch_offset = offset;
    asked.partition_max_bytes = max_bytes;
    kwi_fetch_request_topic_init(&topic);
    topic.topic = kwi_str("t");
    topic.partitions = KWI_ARR(&asked, 1);
    kwi_fetch_request_init(&req);
    req.isolation_level = isolation_level;
    req.max_bytes = 1 << 20;
    req.topics = KWI_ARR(&topic, 1);
    client_ask(&client, KW_API_FETCH, 12, &req, &resp);
    kwi_iter_init(&it, &resp.responses);
    cr_assert(kwi_iter_next(&it, &got_topic));
    kwi_iter_init(&it, &got_topic.partitions);
    cr_assert(kwi_iter_next(&it, &got));
    cr_assert_eq(got.error_code, 0);
    told.high_watermark = got.high_watermark;
    told.last_stable_offset = got.last_stable_offset;
    told.n_aborted = got.aborted_transactions.n;
    for (size_t at = 0;
         got.records.len > 0 &&
         !kwi_batch_header_get(got.records.ptr + at, (size_t)got.records.len - at, &header);
         at += kwi_batch_size(&header))
        told.last_offset = header.base_offset + header.last_offset_delta;
    kwi_iter_init(&it, &got.aborted_transactions);
    for (unsigned i = 0; i < 8 && kwi_iter_next(&it, &told.aborted[i]);)
        i++;
    return told;
}

static int64_t latest(int8_t isolation_level)
{
    struct kw_list_offsets_request_partition asked;
    struct kw_list_offsets_request_topic topic;
    struct kw_list_offsets_request req;
    struct kw_list_offsets_response resp;
    struct kw_list_offsets_response_topic got_topic;
    struct kw_list_offsets_response_partition got;
    struct kw_iter it;
    kwi_list_offsets_request_partition_init(&asked);
    asked.timestamp = KWI_OFFSET_LATEST;
    kwi_list_offsets_request_topic_init(&topic);
    topic.name = kwi_str("t");
    topic.partitions = KWI_ARR(&asked, 1);
    kwi_list_offsets_request_init(&req);
    req.replica_id = -1;
    req.isolation_level = isolation_level;
    req.topics = KWI_ARR(&topic, 1);
    client_ask(&client, KW_API_LIST_OFFSETS, 6, &req, &resp);
    kwi_iter_init(&it, &resp.topics);
    cr_assert(kwi_iter_next(&it, &got_topic));
    kwi_iter_init(&it, &got_topic.partitions);
    cr_assert(kwi_iter_next(&it, &got));
    cr_assert_eq(got.error_code, 0);
    return got.offset;
}

Test(mock_aborted, an_open_transaction_holds_the_last_stable_offset)
{
    open_one();
    put(-1, 3);
    cr_assert_eq(latest(1), 3);
    put(7, 2);
    put(8, 1);
    put(-1, 1);
    cr_assert_eq(latest(1), 3);
    cr_assert_eq(latest(0), 7);
    struct told told = fetch(0, 1, 1 << 20);
    cr_assert_eq(told.high_watermark, 7);
    cr_assert_eq(told.last_stable_offset, 3);
    cr_assert_eq(told.last_offset, 2);
    cr_assert_eq(told.n_aborted, 0);
    told = fetch(0, 0, 1 << 20);
    cr_assert_eq(told.last_stable_offset, 3);
    cr_assert_eq(told.last_offset, 6);
    cr_assert_eq(told.n_aborted, -1, "who does not ask is told null");
    end(7, true);
    cr_assert_eq(latest(1), 5, "that of the other is open");
    end(8, true);
    cr_assert_eq(latest(1), 9);
    cr_assert_eq(fetch(0, 1, 1 << 20).n_aborted, 0);
    close_one();
}

Test(mock_aborted, aborted_ones_are_listed_as_they_ended_and_where_they_matter)
{
    open_one();
    put(7, 2); /* 0 1 */
    put(8, 2); /* 2 3 */
    end(8, false);
    end(9, false); /* nothing of it is here */
    put(-1, 4);    /* 6 to 9 */
    end(7, false);
    put(8, 1); /* 11 */
    end(8, false);
    struct told told = fetch(0, 1, 1 << 20);
    cr_assert_eq(told.last_offset, 12);
    cr_assert_eq(told.n_aborted, 3);
    cr_assert_eq(told.aborted[0].producer_id, 8);
    cr_assert_eq(told.aborted[0].first_offset, 2);
    cr_assert_eq(told.aborted[1].producer_id, 7);
    cr_assert_eq(told.aborted[1].first_offset, 0);
    cr_assert_eq(told.aborted[2].first_offset, 11);
    /* Only those that have something in what is sent. */
    cr_assert_eq(fetch(0, 1, 1).n_aborted, 1);
    told = fetch(6, 1, 1);
    cr_assert_eq(told.n_aborted, 1);
    cr_assert_eq(told.aborted[0].producer_id, 7);
    cr_assert_eq(fetch(13, 1, 1 << 20).n_aborted, 0);
    close_one();
}

Test(mock_aborted, a_cut_log_opens_transactions_again)
{
    open_one();
    put(7, 2);
    put(8, 2);
    end(8, false);
    end(7, false);
    cr_assert_eq(latest(1), 6);
    cr_assert_eq(kwi_mock_cut(bed.mock, "t", 0, 5), 0);
    cr_assert_eq(latest(1), 0);
    end(7, true);
    cr_assert_eq(latest(1), 6);
    cr_assert_eq(fetch(0, 1, 1 << 20).n_aborted, 1);
    close_one();
}

Test(mock_aborted, what_is_no_batch_or_finds_no_memory_is_refused_and_changes_nothing)
{
    open_one();
    cr_assert_eq(kwi_mock_end_txn(bed.mock, "u", 0, 7, 0, true), KW_ERR_USE);
    cr_assert_eq(kwi_mock_end_txn(bed.mock, "t", 1, 7, 0, true), KW_ERR_USE);
    cr_assert_eq(kwi_mock_append(bed.mock, "t", 0, "junk", 4), KW_ERR_USE);
    for (size_t n = 0;; n++) {
        bed.n_until_refusal = n;
        int rc = try_put(7, 1);
        bed.n_until_refusal = SIZE_MAX;
        if (!rc)
            break;
        cr_assert_eq(rc, KW_ERR_NOMEM);
        cr_assert_eq(latest(0), 0);
    }
    cr_assert_eq(latest(1), 0);
    cr_assert_eq(latest(0), 1);
    close_one();
}
