/* Fetch and ListOffsets of the broker model: what fits, what waits, what is
 * fenced. */
#include <criterion/criterion.h>

#include "bed.h"

static struct bed bed;
static struct client client;

static void open_one(const struct kw_mock_config *config)
{
    bed_open(&bed, config);
    cr_assert_eq(kwi_mock_create_topic(bed.mock, "t", 2), 0);
    client_open(&client, &bed, 0);
}

static void close_one(void)
{
    client_close(&client);
    bed_close(&bed);
}

static struct fetched fetch_at(int64_t offset)
{
    struct fetch_spec spec = {.topic = "t", .offset = offset};
    return client_fetch(&client, &spec);
}

Test(mock_fetch, returns_the_stored_bytes_in_every_version)
{
    struct batch_spec spec = {.n_records = 3};
    size_t len;
    uint8_t *batch = batch_make(&spec, &len);
    open_one(NULL);
    client_produce(&client, 9, "t", 0, -1, batch, len);
    client_produce(&client, 9, "t", 0, -1, batch, len);
    for (int16_t version = 4; version <= 18; version++) {
        struct fetch_spec fetch = {.version = version, .topic = "t"};
        struct fetched got = client_fetch(&client, &fetch);
        cr_assert_eq(got.error_code, 0, "version %d", version);
        cr_assert_eq(got.high_watermark, 6);
        cr_assert_eq(got.last_stable_offset, 6);
        cr_assert_eq(got.records_len, (int32_t)(2 * len));
        cr_assert_eq(memcmp(got.records + 16, batch + 16, len - 16), 0);
        cr_assert_eq(kwi_get_u64(got.records + len), 3);
    }
    free(batch);
    close_one();
}

Test(mock_fetch, starts_with_the_batch_that_holds_the_offset)
{
    struct batch_spec spec = {.n_records = 3};
    open_one(NULL);
    for (int i = 0; i < 3; i++)
        client_put(&client, "t", 0, &spec);
    for (int64_t offset = 0; offset < 9; offset++)
        cr_assert_eq(kwi_get_u64(fetch_at(offset).records), (uint64_t)(offset / 3 * 3));
    cr_assert_eq(fetch_at(9).records_len, 0);
    cr_assert_eq(fetch_at(9).error_code, 0);
    cr_assert_eq(fetch_at(10).error_code, KW_E_OFFSET_OUT_OF_RANGE);
    cr_assert_eq(fetch_at(-1).error_code, KW_E_OFFSET_OUT_OF_RANGE);
    close_one();
}

Test(mock_fetch, cuts_the_last_batch_at_the_limit_but_never_the_first)
{
    struct batch_spec spec = {.n_records = 1, .value_size = 1000};
    size_t len;
    free(batch_make(&spec, &len));
    open_one(NULL);
    for (int i = 0; i < 4; i++)
        client_put(&client, "t", 0, &spec);
    for (int32_t limit = 1; limit < (int32_t)(5 * len); limit += 97) {
        struct fetch_spec fetch = {.topic = "t", .max_bytes = limit};
        int32_t expected = limit < (int32_t)len ? (int32_t)len : limit;
        if (expected > (int32_t)(4 * len))
            expected = (int32_t)(4 * len);
        cr_assert_eq(client_fetch(&client, &fetch).records_len, expected, "limit %d", limit);
    }
    close_one();
}

/* Both partitions at once, as one request. */
static void fetch_both(int32_t max_bytes, int32_t sizes[2])
{
    struct kw_fetch_request req;
    struct kw_fetch_request_topic topic;
    struct kw_fetch_request_partition partitions[2];
    struct kw_fetch_response resp;
    struct kw_fetch_response_topic told;
    struct kw_fetch_response_partition partition;
    struct kw_iter it, inner;
    kwi_fetch_request_init(&req);
    kwi_fetch_request_topic_init(&topic);
    for (int i = 0; i < 2; i++) {
        kwi_fetch_request_partition_init(&partitions[i]);
        partitions[i].partition = i;
        partitions[i].partition_max_bytes = 1 << 20;
    }
    topic.topic = kwi_str("t");
    topic.partitions = KWI_ARR(partitions, 2);
    req.replica_id = -1;
    req.max_bytes = max_bytes;
    req.topics = KWI_ARR(&topic, 1);
    client_ask(&client, KW_API_FETCH, 11, &req, &resp);
    kwi_iter_init(&it, &resp.responses);
    cr_assert(kwi_iter_next(&it, &told));
    kwi_iter_init(&inner, &told.partitions);
    for (int i = 0; kwi_iter_next(&inner, &partition); i++)
        sizes[i] = partition.records.len;
}

Test(mock_fetch, shares_the_answer_s_limit_among_partitions)
{
    struct batch_spec spec = {.n_records = 1, .value_size = 1000};
    size_t len;
    int32_t sizes[2];
    free(batch_make(&spec, &len));
    open_one(NULL);
    for (int32_t i = 0; i < 6; i++)
        client_put(&client, "t", i % 2, &spec);
    fetch_both(1, sizes);
    cr_assert_eq(sizes[0], (int32_t)len);
    cr_assert_eq(sizes[1], 0);
    fetch_both((int32_t)(4 * len), sizes);
    cr_assert_eq(sizes[0], (int32_t)(3 * len));
    cr_assert_eq(sizes[1], (int32_t)len);
    fetch_both(1 << 30, sizes);
    cr_assert_eq(sizes[0], (int32_t)(3 * len));
    cr_assert_eq(sizes[1], (int32_t)(3 * len));
    close_one();
}

Test(mock_fetch, waits_for_data_and_is_woken_by_it)
{
    struct batch_spec spec = {.n_records = 1};
    struct fetch_spec fetch = {.topic = "t", .max_wait_ms = 500, .min_bytes = 1};
    struct client producer;
    open_one(NULL);
    client_open(&producer, &bed, 0);
    client_fetch_send(&client, &fetch);
    cr_assert_not(client_fetch_receive(&client, 0).answered);
    bed_advance(&bed, 499);
    cr_assert_not(client_fetch_receive(&client, 0).answered);
    cr_assert_eq(client_put(&producer, "t", 1, &spec).error_code, 0);
    bed_advance(&bed, 0);
    cr_assert_not(client_fetch_receive(&client, 0).answered, "another partition's data");
    cr_assert_eq(client_put(&producer, "t", 0, &spec).error_code, 0);
    cr_assert_eq(kwi_mock_deadline(bed.mock), 0);
    bed_advance(&bed, 0);
    cr_assert_gt(client_fetch_receive(&client, 0).records_len, 0);
    client_close(&producer);
    close_one();
}

Test(mock_fetch, gives_up_waiting_when_the_time_is_over)
{
    struct batch_spec spec = {.n_records = 1};
    struct fetch_spec fetch = {.topic = "t", .max_wait_ms = 500, .min_bytes = 100000};
    struct fetched got;
    open_one(NULL);
    client_put(&client, "t", 0, &spec);
    client_fetch_send(&client, &fetch);
    bed_advance(&bed, 499);
    cr_assert_not(client_fetch_receive(&client, 0).answered);
    cr_assert_eq(kwi_mock_deadline(bed.mock), bed.now.mono_us + 1000);
    bed_advance(&bed, 1);
    got = client_fetch_receive(&client, 0);
    cr_assert(got.answered);
    cr_assert_gt(got.records_len, 0, "what there is, though less than asked for");
    cr_assert_eq(kwi_mock_deadline(bed.mock), UINT64_MAX);
    close_one();
}

Test(mock_fetch, ends_the_wait_when_the_leader_moves_or_the_topic_goes)
{
    struct kw_mock_config config = {.n_brokers = 2};
    struct fetch_spec fetch = {.topic = "t", .max_wait_ms = 500, .min_bytes = 1};
    open_one(&config);
    client_fetch_send(&client, &fetch);
    bed_advance(&bed, 10);
    cr_assert_eq(kwi_mock_set_leader(bed.mock, "t", 0, 1), 0);
    bed_advance(&bed, 0);
    cr_assert_eq(client_fetch_receive(&client, 0).error_code, KW_E_NOT_LEADER_OR_FOLLOWER);
    cr_assert_eq(kwi_mock_set_leader(bed.mock, "t", 0, 0), 0);
    client_fetch_send(&client, &fetch);
    bed_advance(&bed, 10);
    cr_assert_eq(kwi_mock_delete_topic(bed.mock, "t"), 0);
    bed_advance(&bed, 0);
    cr_assert_eq(client_fetch_receive(&client, 0).error_code, KW_E_UNKNOWN_TOPIC_OR_PARTITION);
    close_one();
}

Test(mock_fetch, forgets_a_wait_whose_client_has_gone)
{
    struct fetch_spec fetch = {.topic = "t", .max_wait_ms = 500, .min_bytes = 1};
    open_one(NULL);
    client_fetch_send(&client, &fetch);
    client_close(&client);
    bed_advance(&bed, 1000);
    cr_assert_eq(kwi_mock_deadline(bed.mock), UINT64_MAX);
    bed_close(&bed);
}

Test(mock_fetch, fences_old_and_unknown_leader_epochs_and_hints_at_the_leader)
{
    struct kw_mock_config config = {.n_brokers = 2, .node_id_base = 1};
    struct fetch_spec fetch = {.version = 16, .topic = "t"};
    struct fetched got;
    open_one(&config);
    cr_assert_eq(kwi_mock_set_leader(bed.mock, "t", 0, 0), 0);
    fetch.leader_epoch = 1 + 1;
    cr_assert_eq(client_fetch(&client, &fetch).error_code, 0);
    fetch.leader_epoch = 2 + 1;
    cr_assert_eq(client_fetch(&client, &fetch).error_code, KW_E_UNKNOWN_LEADER_EPOCH);
    fetch.leader_epoch = 0 + 1;
    got = client_fetch(&client, &fetch);
    cr_assert_eq(got.error_code, KW_E_FENCED_LEADER_EPOCH);
    cr_assert_eq(got.leader.leader_id, 1);
    cr_assert_eq(got.leader.leader_epoch, 1);
    cr_assert_eq(got.n_endpoints, 1);
    cr_assert_eq(kwi_mock_set_leader(bed.mock, "t", 0, 1), 0);
    fetch.leader_epoch = 0;
    got = client_fetch(&client, &fetch);
    cr_assert_eq(got.error_code, KW_E_NOT_LEADER_OR_FOLLOWER);
    cr_assert_eq(got.leader.leader_id, 2);
    cr_assert_eq(got.leader.leader_epoch, 2);
    close_one();
}

Test(mock_fetch, tells_a_client_where_its_history_ends)
{
    struct kw_mock_config config = {.n_brokers = 2};
    struct batch_spec spec = {.n_records = 2};
    struct fetch_spec fetch = {.topic = "t", .offset = 4, .last_fetched_epoch = 0 + 1};
    struct fetched got;
    open_one(&config);
    client_put(&client, "t", 0, &spec); /* 0-1 of epoch 0 */
    cr_assert_eq(kwi_mock_set_leader(bed.mock, "t", 0, 0), 0);
    client_put(&client, "t", 0, &spec); /* 2-3 of epoch 1 */
    got = client_fetch(&client, &fetch);
    cr_assert_eq(got.diverging.epoch, 0);
    cr_assert_eq(got.diverging.end_offset, 2);
    cr_assert_eq(got.records_len, 0);
    fetch.last_fetched_epoch = 1 + 1;
    got = client_fetch(&client, &fetch);
    cr_assert_eq(got.diverging.epoch, -1);
    fetch.offset = 2;
    fetch.last_fetched_epoch = 0 + 1;
    got = client_fetch(&client, &fetch);
    cr_assert_eq(got.diverging.epoch, -1);
    cr_assert_gt(got.records_len, 0);
    close_one();
}

Test(mock_fetch, has_no_session_that_was_not_opened)
{
    struct fetch_spec fetch = {.topic = "t", .session_id = 7};
    open_one(NULL);
    cr_assert_eq(client_fetch(&client, &fetch).top_error, 0, "it closes what is not there");
    close_one();
}

Test(mock_fetch, hides_what_lies_above_the_high_watermark)
{
    struct kw_mock_config config = {.replication_lag_ms = 50};
    struct batch_spec spec = {.n_records = 2};
    size_t len;
    uint8_t *batch = batch_make(&spec, &len);
    struct fetched got;
    open_one(&config);
    client_produce(&client, 9, "t", 0, 1, batch, len);
    got = fetch_at(0);
    cr_assert_eq(got.high_watermark, 0);
    cr_assert_eq(got.records_len, 0);
    bed_advance(&bed, 50);
    got = fetch_at(0);
    cr_assert_eq(got.high_watermark, 2);
    cr_assert_eq(got.records_len, (int32_t)len);
    client_produce(&client, 9, "t", 0, -1, batch, len);
    cr_assert_eq(fetch_at(0).high_watermark, 4, "acks=all waits for the replicas");
    free(batch);
    close_one();
}

Test(mock_fetch, wakes_a_reader_when_the_high_watermark_follows)
{
    struct kw_mock_config config = {.replication_lag_ms = 50};
    struct fetch_spec fetch = {.topic = "t", .max_wait_ms = 500, .min_bytes = 1};
    struct batch_spec spec = {.n_records = 2};
    struct client producer;
    size_t len;
    uint8_t *batch = batch_make(&spec, &len);
    open_one(&config);
    client_open(&producer, &bed, 0);
    client_produce(&producer, 9, "t", 0, 1, batch, len);
    client_fetch_send(&client, &fetch);
    bed_advance(&bed, 49);
    cr_assert_not(client_fetch_receive(&client, 0).answered);
    bed_advance(&bed, 1);
    cr_assert_eq(client_fetch_receive(&client, 0).records_len, (int32_t)len);
    free(batch);
    client_close(&producer);
    close_one();
}

Test(mock_fetch, moves_the_log_start_with_retention)
{
    struct kw_mock_config config = {.retention_size = 5000};
    struct batch_spec spec = {.n_records = 1, .value_size = 1000};
    struct fetched got;
    open_one(&config);
    for (int i = 0; i < 20; i++)
        client_put(&client, "t", 0, &spec);
    cr_assert_eq(fetch_at(0).error_code, KW_E_OFFSET_OUT_OF_RANGE);
    got = fetch_at(19);
    cr_assert_eq(got.log_start_offset, 16);
    cr_assert_gt(got.records_len, 0);
    cr_assert_eq(fetch_at(16).error_code, 0);
    close_one();
}

/* ---- ListOffsets ------------------------------------------------------------------ */

static struct kw_list_offsets_response_partition list(int16_t version, int64_t timestamp,
                                                      int32_t leader_epoch)
{
    struct kw_list_offsets_request req;
    struct kw_list_offsets_request_topic topic;
    struct kw_list_offsets_request_partition partition;
    struct kw_list_offsets_response resp;
    struct kw_list_offsets_response_topic told;
    struct kw_list_offsets_response_partition out;
    struct kw_iter it, inner;
    kwi_list_offsets_request_init(&req);
    kwi_list_offsets_request_topic_init(&topic);
    kwi_list_offsets_request_partition_init(&partition);
    partition.timestamp = timestamp;
    partition.current_leader_epoch = leader_epoch;
    topic.name = kwi_str("t");
    topic.partitions = KWI_ARR(&partition, 1);
    req.replica_id = -1;
    req.topics = KWI_ARR(&topic, 1);
    client_ask(&client, KW_API_LIST_OFFSETS, version, &req, &resp);
    kwi_iter_init(&it, &resp.topics);
    cr_assert(kwi_iter_next(&it, &told));
    kwi_iter_init(&inner, &told.partitions);
    cr_assert(kwi_iter_next(&inner, &out));
    return out;
}

Test(mock_list_offsets, knows_the_ends_of_the_log)
{
    struct batch_spec spec = {.n_records = 5};
    open_one(NULL);
    for (int16_t version = 1; version <= 11; version++) {
        cr_assert_eq(list(version, KWI_OFFSET_EARLIEST, -1).offset, 0);
        cr_assert_eq(list(version, KWI_OFFSET_LATEST, -1).offset, (version - 1) * 5);
        cr_assert_eq(list(version, KWI_OFFSET_LATEST, -1).timestamp, -1);
        cr_assert_eq(list(version, KWI_OFFSET_LATEST, -1).leader_epoch, version >= 4 ? 0 : -1);
        client_put(&client, "t", 0, &spec);
    }
    cr_assert_eq(list(7, KWI_OFFSET_LATEST, 1).error_code, KW_E_UNKNOWN_LEADER_EPOCH);
    cr_assert_eq(list(9, KWI_OFFSET_LATEST_TIERED, -1).offset, -1);
    cr_assert_eq(list(8, KWI_OFFSET_EARLIEST_LOCAL, -1).offset, 0);
    cr_assert_eq(list(7, KWI_OFFSET_EARLIEST_LOCAL, -1).error_code, KW_E_UNSUPPORTED_VERSION);
    cr_assert_eq(list(6, KWI_OFFSET_MAX_TIMESTAMP, -1).error_code, KW_E_UNSUPPORTED_VERSION);
    cr_assert_eq(list(11, -7, -1).error_code, KW_E_UNSUPPORTED_VERSION);
    close_one();
}

Test(mock_list_offsets, finds_the_record_of_a_time_inside_its_batch)
{
    struct batch_spec spec = {.n_records = 10, .timestamp = 1000};
    open_one(NULL);
    cr_assert_eq(list(7, 0, -1).offset, -1);
    cr_assert_eq(list(7, KWI_OFFSET_MAX_TIMESTAMP, -1).offset, -1);
    client_put(&client, "t", 0, &spec); /* 1000 to 1009 */
    spec.timestamp = 2000;
    client_put(&client, "t", 0, &spec); /* 2000 to 2009 */
    cr_assert_eq(list(7, 0, -1).offset, 0);
    cr_assert_eq(list(7, 1004, -1).offset, 4);
    cr_assert_eq(list(7, 1004, -1).timestamp, 1004);
    cr_assert_eq(list(7, 1010, -1).offset, 10);
    cr_assert_eq(list(7, 1010, -1).timestamp, 2000);
    cr_assert_eq(list(7, 2009, -1).offset, 19);
    cr_assert_eq(list(7, 2010, -1).offset, -1);
    cr_assert_eq(list(7, KWI_OFFSET_MAX_TIMESTAMP, -1).offset, 19);
    cr_assert_eq(list(7, KWI_OFFSET_MAX_TIMESTAMP, -1).timestamp, 2009);
    close_one();
}

Test(mock_list_offsets, gives_the_start_of_a_compressed_batch)
{
    struct batch_spec spec = {.n_records = 10, .timestamp = 1000};
    size_t len;
    uint8_t *batch = batch_make(&spec, &len);
    batch[KWI_BATCH_ATTRIBUTES + 1] = 2;
    kwi_batch_seal(batch, len, kwi_crc32c_portable);
    open_one(NULL);
    client_produce(&client, 9, "t", 0, -1, batch, len);
    cr_assert_eq(list(7, 1004, -1).offset, 0);
    cr_assert_eq(list(7, 1010, -1).offset, -1);
    cr_assert_eq(list(7, KWI_OFFSET_MAX_TIMESTAMP, -1).offset, 9);
    free(batch);
    close_one();
}
