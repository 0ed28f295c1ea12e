/* OffsetForLeaderEpoch and DescribeConfigs of the broker model. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "bed.h"
#include "proto/configs.h"
#include "proto/epochs.h"

static struct bed bed;
static struct client client, other;

static void open_two(void)
{
    static const struct kw_mock_config two = {.n_brokers = 2};
    bed_open(&bed, &two);
    cr_assert_eq(kwi_mock_create_topic(bed.mock, "t", 1), 0);
    client_open(&client, &bed, 0);
    client_open(&other, &bed, 1);
}

static void close_two(void)
{
    client_close(&client);
    client_close(&other);
    bed_close(&bed);
}

/* Where the epoch ended, as the broker behind `from` sees it. */
static struct kw_offset_for_leader_epoch_response_partition ask_end(struct client *from,
                                                                    int16_t version,
                                                                    int32_t current, int32_t epoch)
{
    struct kw_offset_for_leader_epoch_request req;
    struct kw_offset_for_leader_epoch_request_topic topic;
    struct kw_offset_for_leader_epoch_request_partition partition;
    struct kw_offset_for_leader_epoch_response resp;
    struct kw_offset_for_leader_epoch_response_topic told;
    struct kw_offset_for_leader_epoch_response_partition out;
    struct kw_iter it;
    kwi_offset_for_leader_epoch_request_init(&req);
    kwi_offset_for_leader_epoch_request_topic_init(&topic);
    kwi_offset_for_leader_epoch_request_partition_init(&partition);
    if (version >= 3)
        req.replica_id = -1;
    partition.current_leader_epoch = current;
    partition.leader_epoch = epoch;
    topic.topic = kwi_str("t");
    topic.partitions = KWI_ARR(&partition, 1);
    req.topics = KWI_ARR(&topic, 1);
    client_ask(from, KW_API_OFFSET_FOR_LEADER_EPOCH, version, &req, &resp);
    kwi_iter_init(&it, &resp.topics);
    cr_assert(kwi_iter_next(&it, &told));
    kwi_iter_init(&it, &told.partitions);
    cr_assert(kwi_iter_next(&it, &out));
    return out;
}

Test(mock_epochs, tells_where_an_epoch_ended)
{
    struct batch_spec three = {.n_records = 3}, two = {.n_records = 2};
    open_two();
    cr_assert_eq(client_put(&client, "t", 0, &three).error_code, 0);
    for (int16_t version = 2; version <= 4; version++)
        cr_assert_eq(ask_end(&client, version, -1, 0).end_offset, 3, "the present one: the end");
    cr_assert_eq(kwi_mock_set_leader(bed.mock, "t", 0, 1), 0);
    cr_assert_eq(ask_end(&client, 4, -1, 0).error_code, KW_E_NOT_LEADER_OR_FOLLOWER);
    cr_assert_eq(ask_end(&other, 4, 0, 0).error_code, KW_E_FENCED_LEADER_EPOCH);
    cr_assert_eq(ask_end(&other, 4, 1, 1).leader_epoch, 1, "it has no batch, and is the leader's");
    cr_assert_eq(ask_end(&other, 4, 1, 1).end_offset, 3);
    cr_assert_eq(client_put(&other, "t", 0, &two).error_code, 0);
    cr_assert_eq(ask_end(&other, 4, 1, 0).end_offset, 3, "where the next one began");
    cr_assert_eq(ask_end(&other, 4, 1, 0).leader_epoch, 0);
    cr_assert_eq(ask_end(&other, 4, 1, 1).end_offset, 5);
    cr_assert_eq(ask_end(&other, 4, -1, 9).end_offset, -1, "it has not begun");
    cr_assert_eq(ask_end(&other, 4, -1, 9).error_code, 0);
    bed_fault(&bed, "offsetforleaderepoch:1:error=NOT_ENOUGH_REPLICAS:topic=t:partition=0");
    cr_assert_eq(ask_end(&other, 4, 1, 1).error_code, KW_E_NOT_ENOUGH_REPLICAS);
    cr_assert_eq(ask_end(&other, 4, 1, 1).error_code, 0);
    close_two();
}

/* Describes one resource into text: "error name=value(source) ...". */
static const char *described(int8_t type, const char *name, const char *only)
{
    static char text[400];
    struct kw_describe_configs_request req;
    struct kw_describe_configs_request_resource resource;
    struct kw_describe_configs_response resp;
    struct kw_describe_configs_response_result result;
    struct kw_describe_configs_response_config config;
    struct kw_str key;
    struct kw_iter it;
    kwi_describe_configs_request_init(&req);
    kwi_describe_configs_request_resource_init(&resource);
    resource.resource_type = type;
    resource.resource_name = kwi_str(name);
    resource.configuration_keys.n = -1;
    if (only) {
        key = kwi_str(only);
        resource.configuration_keys = KWI_ARR(&key, 1);
    }
    req.resources = KWI_ARR(&resource, 1);
    client_ask(&client, KW_API_DESCRIBE_CONFIGS, 4, &req, &resp);
    kwi_iter_init(&it, &resp.results);
    cr_assert(kwi_iter_next(&it, &result));
    int len = snprintf(text, sizeof(text), "%d", result.error_code);
    for (kwi_iter_init(&it, &result.configs); kwi_iter_next(&it, &config);)
        len += snprintf(text + len, sizeof(text) - (size_t)len, " %.*s=%.*s(%d)", config.name.len,
                        config.name.ptr, config.value.len, config.value.ptr, config.config_source);
    return text;
}

Test(mock_configs, describes_topics_and_knows_brokers)
{
    open_two();
    cr_assert_str_eq(described(2, "t", NULL),
                     "0 cleanup.policy=delete(5) max.message.bytes=1048588(5) "
                     "message.timestamp.type=CreateTime(5) "
                     "retention.bytes=-1(5)");
    cr_assert_eq(kwi_mock_set_topic_config(bed.mock, "t", "retention.bytes", "70000"), 0);
    cr_assert_eq(kwi_mock_set_topic_config(bed.mock, "t", "max.message.bytes", "2000"), 0);
    cr_assert_eq(
        kwi_mock_set_topic_config(bed.mock, "t", "message.timestamp.type", "LogAppendTime"), 0);
    cr_assert_str_eq(described(2, "t", NULL),
                     "0 cleanup.policy=delete(5) max.message.bytes=2000(1) "
                     "message.timestamp.type=LogAppendTime(1) "
                     "retention.bytes=70000(1)");
    cr_assert_str_eq(described(2, "t", "retention.bytes"), "0 retention.bytes=70000(1)");
    cr_assert_str_eq(described(2, "t", "retention.ms"), "0");
    cr_assert_eq(kwi_mock_set_topic_config(bed.mock, "t", "cleanup.policy", "compact"), 0);
    cr_assert_eq(kwi_mock_set_topic_config(bed.mock, "t", "cleanup.policy", "x"), KW_ERR_CONFIG);
    cr_assert_str_eq(described(2, "t", "cleanup.policy"), "0 cleanup.policy=compact(1)");
    cr_assert_str_eq(described(2, "nothing", NULL), "3");
    cr_assert_str_eq(described(4, "0", NULL), "0");
    cr_assert_str_eq(described(16, "x", NULL), "42");
    bed_fault(&bed, "describeconfigs:1:error=CLUSTER_AUTHORIZATION_FAILED");
    cr_assert_str_eq(described(2, "t", NULL), "31");
    close_two();
}
