/* Produce and InitProducerId of the broker model: what it refuses, what it
 * stores, what it answers. */
#include <criterion/criterion.h>

#include "bed.h"

static struct bed bed;
static struct client client;

static void open_one(const struct kw_mock_config *config)
{
    bed_open(&bed, config);
    cr_assert_eq(kwi_mock_create_topic(bed.mock, "t", 1), 0);
    client_open(&client, &bed, 0);
}

static void close_one(void)
{
    client_close(&client);
    bed_close(&bed);
}

static int64_t end_offset(const char *topic)
{
    struct kw_mock_partition_info info;
    cr_assert_eq(kwi_mock_partition(bed.mock, topic, 0, &info), 0);
    return info.end_offset;
}

Test(mock_produce, stores_batches_in_order_in_every_version)
{
    size_t len;
    int64_t expected = 0;
    open_one(NULL);
    for (int16_t version = 3; version <= 13; version++) {
        struct batch_spec spec = {.n_records = version};
        uint8_t *batch = batch_make(&spec, &len);
        struct produced put = client_produce(&client, version, "t", 0, 1, batch, len);
        cr_assert_eq(put.error_code, 0, "version %d", version);
        cr_assert_eq(put.base_offset, expected);
        cr_assert_eq(put.log_append_time_ms, -1);
        cr_assert_eq(put.log_start_offset, version >= 5 ? 0 : -1);
        expected += version;
        free(batch);
    }
    cr_assert_eq(end_offset("t"), expected);
    close_one();
}

Test(mock_produce, lets_a_checker_read_what_it_stored)
{
    struct batch_spec spec = {.n_records = 4};
    struct kw_mock_batch stored;
    int64_t offset = 0;
    size_t len;
    uint8_t *batch = batch_make(&spec, &len);
    open_one(NULL);
    for (int i = 0; i < 3; i++)
        client_produce(&client, 9, "t", 0, -1, batch, len);
    for (int i = 0; i < 3; i++) {
        cr_assert(kwi_mock_log(bed.mock, "t", 0, &offset, &stored));
        cr_assert_eq(stored.base_offset, i * 4);
        cr_assert_eq(stored.last_offset, i * 4 + 3);
        cr_assert_eq(stored.len, len);
        cr_assert_eq(memcmp(stored.ptr + 16, batch + 16, len - 16), 0);
        cr_assert_eq(offset, i * 4 + 4);
    }
    cr_assert_not(kwi_mock_log(bed.mock, "t", 0, &offset, &stored));
    offset = 5;
    cr_assert(kwi_mock_log(bed.mock, "t", 0, &offset, &stored));
    cr_assert_eq(stored.base_offset, 4);
    cr_assert_not(kwi_mock_log(bed.mock, "t", 1, &offset, &stored));
    cr_assert_not(kwi_mock_log(bed.mock, "none", 0, &offset, &stored));
    free(batch);
    close_one();
}

/* Changes a sound batch of three records, then seals it again if `seal`. */
struct damage {
    const char *what;
    size_t at;
    uint8_t to;
    bool seal;
    int16_t error_code;
};

Test(mock_produce, refuses_batches_that_a_broker_refuses)
{
    static const struct damage damages[] = {
        {"checksum", KWI_BATCH_HEADER + 3, 0xee, false, KW_E_CORRUPT_MESSAGE},
        {"magic 1", KWI_BATCH_MAGIC, 1, false, KW_E_INVALID_RECORD},
        {"magic 9", KWI_BATCH_MAGIC, 9, false, KW_E_CORRUPT_MESSAGE},
        {"length too long", KWI_BATCH_LENGTH + 3, 0xff, false, KW_E_CORRUPT_MESSAGE},
        {"count above", KWI_BATCH_RECORD_COUNT + 3, 4, true, KW_E_INVALID_RECORD},
        {"count below", KWI_BATCH_RECORD_COUNT + 3, 2, true, KW_E_INVALID_RECORD},
        {"count negative", KWI_BATCH_RECORD_COUNT, 0xff, true, KW_E_INVALID_RECORD},
        {"last offset delta", KWI_BATCH_LAST_OFFSET_DELTA + 3, 7, true, KW_E_INVALID_RECORD},
        {"control batch", KWI_BATCH_ATTRIBUTES + 1, KWI_BATCH_CONTROL, true, KW_E_INVALID_RECORD},
        {"transactional without an id", KWI_BATCH_ATTRIBUTES + 1, KWI_BATCH_TRANSACTIONAL, true,
         KW_E_INVALID_RECORD},
        {"codec 7", KWI_BATCH_ATTRIBUTES + 1, 7, true, KW_E_UNSUPPORTED_COMPRESSION_TYPE},
        {"record length", KWI_BATCH_HEADER, 20, true, KW_E_INVALID_RECORD},
        {"offset delta", KWI_BATCH_HEADER + 3, 4, true, KW_E_INVALID_RECORD},
    };
    struct batch_spec spec = {.n_records = 3};
    open_one(NULL);
    for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++) {
        size_t len;
        uint8_t *batch = batch_make(&spec, &len);
        struct produced put;
        batch[damages[i].at] = damages[i].to;
        if (damages[i].seal)
            kwi_batch_seal(batch, len, kwi_crc32c_portable);
        put = client_produce(&client, 9, "t", 0, -1, batch, len);
        cr_assert_eq(put.error_code, damages[i].error_code, "%s: %d", damages[i].what,
                     put.error_code);
        cr_assert_eq(put.base_offset, -1);
        free(batch);
    }
    cr_assert_eq(end_offset("t"), 0);
    close_one();
}

Test(mock_produce, takes_exactly_one_whole_batch_per_partition)
{
    struct batch_spec spec = {.n_records = 2};
    size_t len;
    uint8_t *batch = batch_make(&spec, &len);
    uint8_t *two = malloc(2 * len);
    memcpy(two, batch, len);
    memcpy(two + len, batch, len);
    open_one(NULL);
    cr_assert_eq(client_produce(&client, 9, "t", 0, 1, two, 2 * len).error_code,
                 KW_E_INVALID_RECORD);
    cr_assert_eq(client_produce(&client, 9, "t", 0, 1, batch, 0).error_code, KW_E_INVALID_RECORD);
    for (size_t cut = 1; cut < len; cut++)
        cr_assert_eq(client_produce(&client, 9, "t", 0, 1, batch, cut).error_code,
                     KW_E_CORRUPT_MESSAGE);
    cr_assert_eq(end_offset("t"), 0);
    free(two);
    free(batch);
    close_one();
}

Test(mock_produce, refuses_zstd_before_version_7_and_takes_codecs_unopened)
{
    struct batch_spec spec = {.n_records = 2};
    size_t len;
    uint8_t *batch = batch_make(&spec, &len);
    open_one(NULL);
    for (uint8_t codec = 1; codec <= 4; codec++) {
        batch[KWI_BATCH_ATTRIBUTES + 1] = codec;
        kwi_batch_seal(batch, len, kwi_crc32c_portable);
        cr_assert_eq(client_produce(&client, 6, "t", 0, 1, batch, len).error_code,
                     codec == 4 ? KW_E_UNSUPPORTED_COMPRESSION_TYPE : 0);
        cr_assert_eq(client_produce(&client, 7, "t", 0, 1, batch, len).error_code, 0);
    }
    free(batch);
    close_one();
}

Test(mock_produce, limits_the_size_of_a_batch_per_topic)
{
    struct batch_spec spec = {.value_size = 1000};
    open_one(NULL);
    cr_assert_eq(kwi_mock_set_topic_config(bed.mock, "t", "max.message.bytes", "1000"), 0);
    cr_assert_eq(client_put(&client, "t", 0, &spec).error_code, KW_E_MESSAGE_TOO_LARGE);
    cr_assert_eq(kwi_mock_set_topic_config(bed.mock, "t", "max.message.bytes", "1100"), 0);
    cr_assert_eq(client_put(&client, "t", 0, &spec).error_code, 0);
    close_one();
}

Test(mock_produce, answers_a_retry_with_the_old_offset_and_stores_it_once)
{
    struct batch_spec spec = {.n_records = 3, .idempotent = true, .producer_id = 77};
    open_one(NULL);
    cr_assert_eq(client_put(&client, "t", 0, &spec).base_offset, 0);
    spec.sequence = 3;
    cr_assert_eq(client_put(&client, "t", 0, &spec).base_offset, 3);
    spec.sequence = 0;
    struct produced again = client_put(&client, "t", 0, &spec);
    cr_assert_eq(again.error_code, 0);
    cr_assert_eq(again.base_offset, 0);
    cr_assert_eq(end_offset("t"), 6);
    spec.sequence = 9;
    cr_assert_eq(client_put(&client, "t", 0, &spec).error_code, KW_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
    spec.epoch = 1;
    cr_assert_eq(client_put(&client, "t", 0, &spec).error_code, KW_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
    spec.sequence = 0;
    cr_assert_eq(client_put(&client, "t", 0, &spec).base_offset, 6);
    spec.epoch = 0;
    spec.sequence = 6;
    cr_assert_eq(client_put(&client, "t", 0, &spec).error_code, KW_E_INVALID_PRODUCER_EPOCH);
    cr_assert_eq(end_offset("t"), 9);
    close_one();
}

Test(mock_produce, wants_epoch_and_sequence_with_a_producer_id)
{
    struct batch_spec spec = {.idempotent = true, .producer_id = 1, .sequence = -1};
    open_one(NULL);
    cr_assert_eq(client_put(&client, "t", 0, &spec).error_code, KW_E_INVALID_RECORD);
    spec.sequence = 0;
    spec.epoch = -1;
    cr_assert_eq(client_put(&client, "t", 0, &spec).error_code, KW_E_INVALID_RECORD);
    close_one();
}

Test(mock_produce, answers_nothing_to_acks_0_and_hangs_up_if_it_failed)
{
    struct batch_spec spec = {.n_records = 1};
    size_t len;
    uint8_t *batch = batch_make(&spec, &len);
    open_one(NULL);
    cr_assert_not(client_produce(&client, 9, "t", 0, 0, batch, len).answered);
    cr_assert_not(kwi_mock_closing(client.conn));
    cr_assert_eq(end_offset("t"), 1);
    cr_assert_eq(client_produce(&client, 9, "t", 0, 2, batch, len).error_code,
                 KW_E_INVALID_REQUIRED_ACKS);
    cr_assert_not(client_produce(&client, 9, "t", 5, 0, batch, len).answered);
    cr_assert(kwi_mock_closing(client.conn));
    free(batch);
    close_one();
}

Test(mock_produce, names_the_leader_when_it_is_not_it)
{
    struct kw_mock_config config = {.n_brokers = 3, .node_id_base = 10};
    struct batch_spec spec = {.n_records = 1};
    size_t len;
    uint8_t *batch = batch_make(&spec, &len);
    open_one(&config);
    cr_assert_eq(kwi_mock_set_leader(bed.mock, "t", 0, 2), 0);
    for (int16_t version = 9; version <= 13; version++) {
        struct produced put = client_produce(&client, version, "t", 0, -1, batch, len);
        cr_assert_eq(put.error_code, KW_E_NOT_LEADER_OR_FOLLOWER);
        cr_assert_eq(put.leader.leader_id, version >= 10 ? 12 : -1);
        cr_assert_eq(put.leader.leader_epoch, version >= 10 ? 1 : -1);
        cr_assert_eq(put.n_endpoints, version >= 10 ? 1 : 0);
    }
    cr_assert_eq(client_produce(&client, 9, "t", 1, -1, batch, len).error_code,
                 KW_E_UNKNOWN_TOPIC_OR_PARTITION);
    cr_assert_eq(client_produce(&client, 9, "none", 0, -1, batch, len).error_code,
                 KW_E_UNKNOWN_TOPIC_OR_PARTITION);
    cr_assert_eq(client_produce(&client, 13, "none", 0, -1, batch, len).error_code,
                 KW_E_UNKNOWN_TOPIC_ID);
    free(batch);
    close_one();
}

Test(mock_produce, stamps_log_append_time_and_says_so)
{
    struct batch_spec spec = {.n_records = 2, .timestamp = 5};
    struct kw_mock_batch stored;
    struct kw_batch_header header;
    int64_t offset = 0;
    open_one(NULL);
    cr_assert_eq(
        kwi_mock_set_topic_config(bed.mock, "t", "message.timestamp.type", "LogAppendTime"), 0);
    cr_assert_eq(client_put(&client, "t", 0, &spec).log_append_time_ms, bed.now.wall_ms);
    cr_assert(kwi_mock_log(bed.mock, "t", 0, &offset, &stored));
    cr_assert_eq(kwi_batch_header_get(stored.ptr, stored.len, &header), 0);
    cr_assert_eq(header.max_timestamp, bed.now.wall_ms);
    cr_assert_eq(kwi_batch_crc_check(stored.ptr, stored.len, kwi_crc32c_portable), 0);
    close_one();
}

Test(mock_produce, says_storage_error_when_memory_is_full_and_goes_on_later)
{
    struct kw_mock_config config = {.memory_limit = 2 << 20};
    struct batch_spec spec = {.value_size = 100000};
    struct produced put;
    int n = 0;
    open_one(&config);
    do {
        put = client_put(&client, "t", 0, &spec);
    } while (put.error_code == 0 && ++n < 100);
    cr_assert_eq(put.error_code, KW_E_KAFKA_STORAGE_ERROR);
    cr_assert_gt(n, 5);
    cr_assert_eq(end_offset("t"), n);
    cr_assert_eq(kwi_mock_set_topic_config(bed.mock, "t", "retention.bytes", "200000"), 0);
    cr_assert_eq(client_put(&client, "t", 0, &spec).error_code, 0);
    close_one();
}

Test(mock_produce, hands_out_producer_ids_once_each)
{
    struct kw_init_producer_id_request req;
    struct kw_init_producer_id_response resp;
    int64_t last = -1;
    open_one(NULL);
    for (int16_t version = 0; version <= 5; version++) {
        kwi_init_producer_id_request_init(&req);
        req.transactional_id = KWI_NULL_STR;
        client_ask(&client, KW_API_INIT_PRODUCER_ID, version, &req, &resp);
        cr_assert_eq(resp.error_code, 0);
        cr_assert_eq(resp.producer_epoch, 0);
        cr_assert_gt(resp.producer_id, last);
        last = resp.producer_id;
    }
    req.transactional_id = kwi_str("tx");
    client_ask(&client, KW_API_INIT_PRODUCER_ID, 5, &req, &resp);
    cr_assert_eq(resp.error_code, KW_E_NOT_COORDINATOR);
    cr_assert_eq(resp.producer_id, -1);
    close_one();
}
