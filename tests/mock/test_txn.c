/* The transaction coordinator of the broker model: fencing, retries, timeouts, what is
 * refused, in both versions. */
#include <criterion/criterion.h>

#include "proto/txn.h"
#include "tests/mock/bed.h"

static struct bed bed;
static struct client client;

static void open_it(int16_t version)
{
    bed_open(&bed, NULL);
    kwi_mock_set_coordinator(bed.mock, 0);
    kwi_mock_set_transaction_version(bed.mock, version);
    cr_assert_eq(kwi_mock_create_topic(bed.mock, "t", 2), 0);
    client_open(&client, &bed, 0);
}

static void close_it(void)
{
    client_close(&client);
    bed_close(&bed);
}

/* With the id and epoch of a producer that names itself, or -1. */
static struct kw_init_producer_id_response init(int64_t producer_id, int16_t epoch)
{
    struct kw_init_producer_id_request req;
    struct kw_init_producer_id_response resp;
    kwi_init_producer_id_request_init(&req);
    req.transactional_id = kwi_str("x");
    req.transaction_timeout_ms = 1000;
    req.producer_id = producer_id;
    req.producer_epoch = epoch;
    client_ask(&client, KW_API_INIT_PRODUCER_ID, 5, &req, &resp);
    return resp;
}

static int16_t add(int64_t producer_id, int16_t epoch, int32_t partition)
{
    struct kw_add_partitions_to_txn_request req;
    struct kw_add_partitions_to_txn_response resp;
    struct kw_add_partitions_to_txn_topic topic;
    struct kw_add_partitions_to_txn_topic_result out;
    struct kw_add_partitions_to_txn_partition_result result;
    struct kw_iter it;
    kwi_add_partitions_to_txn_topic_init(&topic);
    topic.name = kwi_str("t");
    topic.partitions = KWI_ARR(&partition, 1);
    kwi_add_partitions_to_txn_request_init(&req);
    req.v3_and_below_transactional_id = kwi_str("x");
    req.v3_and_below_producer_id = producer_id;
    req.v3_and_below_producer_epoch = epoch;
    req.v3_and_below_topics = KWI_ARR(&topic, 1);
    client_ask(&client, KW_API_ADD_PARTITIONS_TO_TXN, 3, &req, &resp);
    kwi_iter_init(&it, &resp.results_by_topic_v3_and_below);
    cr_assert(kwi_iter_next(&it, &out));
    kwi_iter_init(&it, &out.results_by_partition);
    cr_assert(kwi_iter_next(&it, &result));
    return result.partition_error_code;
}

static struct kw_end_txn_response end(int16_t version, int64_t producer_id, int16_t epoch,
                                      bool commit)
{
    struct kw_end_txn_request req;
    struct kw_end_txn_response resp;
    kwi_end_txn_request_init(&req);
    req.transactional_id = kwi_str("x");
    req.producer_id = producer_id;
    req.producer_epoch = epoch;
    req.committed = commit;
    client_ask(&client, KW_API_END_TXN, version, &req, &resp);
    return resp;
}

static struct kw_mock_transaction_info info(void)
{
    struct kw_mock_transaction_info out;
    cr_assert_eq(kwi_mock_transaction(bed.mock, "x", &out), 0);
    return out;
}

Test(mock_txn, init_fences_and_knows_a_producer_that_asks_again)
{
    open_it(1);
    struct kw_init_producer_id_response first = init(-1, -1), second, third;
    cr_assert_eq(first.error_code, 0);
    cr_assert_eq(first.producer_epoch, 0);
    second = init(-1, -1);
    cr_assert_eq(second.producer_id, first.producer_id);
    cr_assert_eq(second.producer_epoch, 1);
    cr_assert_eq(add(first.producer_id, 0, 0), KW_E_PRODUCER_FENCED);
    cr_assert_eq(init(first.producer_id, 7).error_code, KW_E_PRODUCER_FENCED);
    third = init(first.producer_id, 1);
    cr_assert_eq(third.producer_epoch, 2);
    cr_assert_eq(init(first.producer_id, 1).producer_epoch, 2); /* its answer was lost */
    cr_assert_eq(kwi_mock_forget_transaction(bed.mock, "x"), 0);
    cr_assert_eq(add(first.producer_id, 2, 0), KW_E_INVALID_PRODUCER_ID_MAPPING);
    cr_assert_neq(init(first.producer_id, 2).producer_id, first.producer_id);
    close_it();
}

Test(mock_txn, init_aborts_what_is_open_first)
{
    open_it(1);
    int64_t id = init(-1, -1).producer_id;
    kwi_mock_set_marker_delay(bed.mock, 50);
    cr_assert_eq(add(id, 0, 0), 0);
    cr_assert_eq(init(-1, -1).error_code, KW_E_CONCURRENT_TRANSACTIONS);
    cr_assert_eq(info().state, KWI_MOCK_TXN_PREPARED);
    bed_advance(&bed, 60);
    cr_assert_eq(info().state, KWI_MOCK_TXN_COMPLETE);
    cr_assert_eq(init(-1, -1).producer_epoch, 2);
    close_it();
}

Test(mock_txn, an_end_may_be_asked_for_again_in_version_1)
{
    open_it(1);
    int64_t id = init(-1, -1).producer_id;
    cr_assert_eq(end(4, id, 0, true).error_code, KW_E_INVALID_TXN_STATE);
    cr_assert_eq(add(id, 0, 0), 0);
    cr_assert_eq(add(id, 0, 1), 0);
    cr_assert_eq(info().n_partitions, 2);
    cr_assert_eq(end(4, id, 0, true).error_code, 0);
    cr_assert_eq(end(4, id, 0, true).error_code, 0);
    cr_assert_eq(end(4, id, 0, false).error_code, KW_E_INVALID_TXN_STATE);
    cr_assert_eq(info().epoch, 0);
    close_it();
}

Test(mock_txn, an_end_of_version_2_brings_an_epoch_and_fences_what_is_late)
{
    open_it(2);
    int64_t id = init(-1, -1).producer_id;
    struct kw_end_txn_response resp = end(5, id, 0, false); /* nothing was added */
    cr_assert_eq(resp.error_code, 0);
    cr_assert_eq(resp.producer_epoch, 1);
    cr_assert_eq(end(5, id, 1, true).error_code, KW_E_INVALID_TXN_STATE);
    cr_assert_eq(add(id, 1, 0), 0);
    resp = end(5, id, 1, true);
    cr_assert_eq(resp.producer_epoch, 2);
    resp = end(5, id, 1, true); /* again */
    cr_assert_eq(resp.error_code, 0);
    cr_assert_eq(resp.producer_epoch, 2);
    cr_assert_eq(end(5, id, 1, false).error_code, KW_E_INVALID_TXN_STATE);
    cr_assert_eq(add(id, 2, 0), 0);
    cr_assert_eq(end(5, id, 0, true).error_code, KW_E_PRODUCER_FENCED);
    cr_assert_eq(info().state, KWI_MOCK_TXN_ONGOING);
    close_it();
}

Test(mock_txn, a_transaction_that_takes_too_long_is_aborted)
{
    open_it(1);
    int64_t id = init(-1, -1).producer_id;
    cr_assert_eq(add(id, 0, 1), 0);
    bed_advance(&bed, 1100);
    cr_assert_eq(info().state, KWI_MOCK_TXN_COMPLETE);
    cr_assert(!info().commit);
    cr_assert_eq(end(4, id, 0, true).error_code, KW_E_PRODUCER_FENCED);
    close_it();
}
