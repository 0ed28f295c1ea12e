/* Brokers that go down, leaders that move, logs that lose their tail. */
#include <criterion/criterion.h>

#include "bed.h"

static struct bed bed;
static struct client client;

static struct kw_mock_partition_info info_of(int32_t partition)
{
    struct kw_mock_partition_info info;
    cr_assert_eq(kwi_mock_partition(bed.mock, "t", partition, &info), 0);
    return info;
}

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

static void put_acks(int16_t acks, int32_t n)
{
    struct batch_spec spec = {.n_records = n};
    size_t len;
    uint8_t *batch = batch_make(&spec, &len);
    cr_assert_eq(client_produce(&client, 9, "t", 0, acks, batch, len).error_code, 0);
    free(batch);
}

Test(mock_cluster, refuses_configurations_out_of_range)
{
    static const struct kw_mock_config bad[] = {
        {.n_brokers = 65},
        {.node_id_base = -1},
        {.node_id_base = INT32_MAX},
        {.default_partitions = -1},
        {.default_partitions = 10001},
        {.replication_factor = 2},
        {.n_brokers = 3, .replication_factor = 4},
        {.frame_size_max = UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        memset(&bed, 0, sizeof(bed));
        bed.n_until_refusal = SIZE_MAX;
        cr_assert_eq(bed_try_open(&bed, &bad[i]), KW_ERR_USE, "case %zu", i);
        cr_assert_null(bed.mock);
    }
    cr_assert_eq(kwi_mock_create(&bed.mock, &(struct kw_mock_config){0}), KW_ERR_USE);
    kwi_mock_destroy(NULL);
    kwi_mock_conn_free(NULL);
}

Test(mock_cluster, keeps_what_all_replicas_have_when_the_leader_dies)
{
    struct kw_mock_config config = {.n_brokers = 3, .replication_lag_ms = 100};
    open_one(&config);
    put_acks(-1, 4);
    put_acks(1, 2);
    cr_assert_eq(info_of(0).end_offset, 6);
    cr_assert_eq(info_of(0).high_watermark, 4);
    kwi_mock_broker_down(bed.mock, 0, false);
    cr_assert_eq(info_of(0).leader, 1);
    cr_assert_eq(info_of(0).leader_epoch, 1);
    cr_assert_eq(info_of(0).end_offset, 4);
    cr_assert(kwi_mock_closing(client.conn));
    cr_assert_not(kwi_mock_broker_is_up(bed.mock, 0));
    bed_advance(&bed, 1000);
    cr_assert_eq(info_of(0).high_watermark, 4);
    close_one();
}

Test(mock_cluster, keeps_its_log_over_a_restart_unless_told_to_lose_it)
{
    for (int lose = 0; lose < 2; lose++) {
        struct kw_mock_config config = {.replication_lag_ms = 100};
        open_one(&config);
        put_acks(-1, 4);
        put_acks(1, 2);
        kwi_mock_broker_down(bed.mock, 0, lose);
        cr_assert_eq(info_of(0).leader, -1);
        bed_advance(&bed, 1000);
        cr_assert_eq(info_of(0).high_watermark, 4, "nobody copies from a dead broker");
        kwi_mock_broker_up(bed.mock, 0);
        cr_assert_eq(info_of(0).leader, 0);
        cr_assert_eq(info_of(0).leader_epoch, 2);
        bed_advance(&bed, 1000);
        cr_assert_eq(info_of(0).high_watermark, lose ? 4 : 6);
        cr_assert_eq(info_of(0).end_offset, lose ? 4 : 6);
        close_one();
    }
}

Test(mock_cluster, remembers_producers_as_far_as_the_log_goes)
{
    struct kw_mock_config config = {.n_brokers = 2, .replication_lag_ms = 100};
    struct batch_spec spec = {.n_records = 2, .idempotent = true, .producer_id = 8};
    size_t len;
    uint8_t *batch;
    open_one(&config);
    client_put(&client, "t", 0, &spec);
    spec.sequence = 2;
    batch = batch_make(&spec, &len);
    cr_assert_eq(client_produce(&client, 9, "t", 0, 1, batch, len).base_offset, 2);
    kwi_mock_broker_down(bed.mock, 0, false);
    client_close(&client);
    client_open(&client, &bed, 1);
    /* The second batch was lost with the leader: its retry is news. */
    cr_assert_eq(client_produce(&client, 9, "t", 0, -1, batch, len).base_offset, 2);
    cr_assert_eq(info_of(0).end_offset, 4);
    free(batch);
    spec.sequence = 0;
    cr_assert_eq(client_put(&client, "t", 0, &spec).base_offset, 0, "a duplicate");
    cr_assert_eq(info_of(0).end_offset, 4);
    close_one();
}

Test(mock_cluster, loses_the_old_leader_s_tail_when_the_leader_is_moved)
{
    struct kw_mock_config config = {.n_brokers = 2, .replication_lag_ms = 100};
    open_one(&config);
    put_acks(-1, 1);
    put_acks(1, 1);
    cr_assert_eq(kwi_mock_set_leader(bed.mock, "t", 0, 0), 0);
    cr_assert_eq(info_of(0).end_offset, 2, "the same leader under a new epoch keeps it");
    cr_assert_eq(kwi_mock_set_leader(bed.mock, "t", 0, 1), 0);
    cr_assert_eq(info_of(0).end_offset, 1);
    cr_assert_eq(info_of(0).leader_epoch, 2);
    cr_assert_eq(kwi_mock_set_leader(bed.mock, "t", 0, 2), KW_ERR_USE);
    cr_assert_eq(kwi_mock_set_leader(bed.mock, "t", 1, 0), KW_ERR_USE);
    cr_assert_eq(kwi_mock_set_leader(bed.mock, "none", 0, 0), KW_ERR_USE);
    kwi_mock_broker_down(bed.mock, 0, false);
    cr_assert_eq(kwi_mock_set_leader(bed.mock, "t", 0, 0), KW_ERR_USE);
    cr_assert_eq(kwi_mock_set_leader(bed.mock, "t", 0, -1), 0);
    cr_assert_eq(info_of(0).leader, -1);
    close_one();
}

Test(mock_cluster, drops_the_output_of_a_broker_that_dies)
{
    struct kw_mock_config config = {.n_brokers = 2};
    struct kw_metadata_request req;
    struct client other;
    open_one(&config);
    client_open(&other, &bed, 1);
    kwi_metadata_request_init(&req);
    client_send(&client, KW_API_METADATA, 9, &req);
    client_send(&other, KW_API_METADATA, 9, &req);
    kwi_mock_broker_down(bed.mock, 0, false);
    cr_assert_not(client_take(&client));
    cr_assert(client_take(&other));
    kwi_mock_broker_up(bed.mock, 0);
    cr_assert(kwi_mock_closing(client.conn), "a connection does not outlive its broker");
    client_close(&other);
    close_one();
}

Test(mock_cluster, gives_the_same_bytes_for_the_same_seed_and_other_ids_for_another)
{
    struct kw_uuid ids[3];
    for (int i = 0; i < 3; i++) {
        struct kw_mock_config config = {.seed = {i == 2 ? 9 : 1}};
        open_one(&config);
        ids[i] = client_topic_id(&client, "t");
        close_one();
    }
    cr_assert_eq(memcmp(&ids[0], &ids[1], sizeof(ids[0])), 0);
    cr_assert_neq(memcmp(&ids[0], &ids[2], sizeof(ids[0])), 0);
}
