/* Metadata, FindCoordinator, CreateTopics, DeleteTopics and ApiVersions of the
 * broker model. */
#include <criterion/criterion.h>

#include "bed.h"

static struct bed bed;
static struct client client;

static void open_one(const struct kw_mock_config *config)
{
    bed_open(&bed, config);
    client_open(&client, &bed, 0);
}

static void close_one(void)
{
    client_close(&client);
    bed_close(&bed);
}

/* ---- Metadata ------------------------------------------------------------------------ */

/* Asks for one topic by name, or for all (NULL). Returns how many were told, and
 * the first. */
static int32_t ask(int16_t version, const char *name, bool may_create,
                   struct kw_metadata_response *resp, struct kw_metadata_response_topic *topic)
{
    struct kw_metadata_request req;
    struct kw_metadata_request_topic asked;
    struct kw_iter it;
    kwi_metadata_request_init(&req);
    kwi_metadata_request_topic_init(&asked);
    if (version >= 4)
        req.allow_auto_topic_creation = may_create;
    if (name) {
        asked.name = kwi_str(name);
        req.topics = KWI_ARR(&asked, 1);
    } else if (version >= 1) {
        req.topics.n = -1;
    }
    client_ask(&client, KW_API_METADATA, version, &req, resp);
    kwi_iter_init(&it, &resp->topics);
    (void)kwi_iter_next(&it, topic);
    return resp->topics.n;
}

static bool broker_at(const struct kw_metadata_response *resp, int32_t node_id,
                      struct kw_metadata_response_broker *broker)
{
    struct kw_iter it;
    kwi_iter_init(&it, &resp->brokers);
    while (kwi_iter_next(&it, broker)) {
        if (broker->node_id == node_id)
            return true;
    }
    return false;
}

static void partition_at(const struct kw_metadata_response_topic *topic, int32_t index,
                         struct kw_metadata_response_partition *partition)
{
    struct kw_iter it;
    kwi_iter_init(&it, &topic->partitions);
    while (kwi_iter_next(&it, partition)) {
        if (partition->partition_index == index)
            return;
    }
    cr_assert(false, "no partition %d", index);
}

Test(mock_metadata, describes_the_cluster_in_every_version)
{
    struct kw_mock_config config = {.n_brokers = 3,
                                    .node_id_base = 1,
                                    .cluster_id = "abc",
                                    .host = "10.0.0.9",
                                    .ports = (uint16_t[]){91, 92, 93}};
    struct kw_metadata_response resp;
    struct kw_metadata_response_topic topic;
    struct kw_metadata_response_broker broker;
    struct kw_metadata_response_partition partition;
    open_one(&config);
    cr_assert_eq(kwi_mock_create_topic(bed.mock, "one", 4), 0);
    cr_assert_eq(kwi_mock_create_topic(bed.mock, "two", 1), 0);
    for (int16_t version = 0; version <= 13; version++) {
        cr_assert_eq(ask(version, NULL, false, &resp, &topic), 2, "version %d", version);
        cr_assert_eq(ask(version, "one", false, &resp, &topic), 1);
        cr_assert_eq(resp.brokers.n, 3);
        cr_assert(broker_at(&resp, 2, &broker));
        cr_assert_eq(broker.port, 92);
        cr_assert_eq(memcmp(broker.host.ptr, "10.0.0.9", 8), 0);
        cr_assert_eq(topic.error_code, 0);
        cr_assert_eq(topic.partitions.n, 4);
        partition_at(&topic, 3, &partition);
        cr_assert_eq(partition.leader_id, 1, "leaders go round: 1 2 3 1");
        cr_assert_eq(partition.replica_nodes.n, 3);
        cr_assert_eq(partition.isr_nodes.n, 3);
        if (version >= 2)
            cr_assert_eq(memcmp(resp.cluster_id.ptr, "abc", 3), 0);
        if (version >= 10)
            cr_assert_not(kwi_uuid_is_zero(&topic.topic_id));
    }
    close_one();
}

Test(mock_metadata, tells_none_all_or_the_unknown)
{
    struct kw_metadata_request req;
    struct kw_metadata_response resp;
    struct kw_metadata_response_topic topic;
    open_one(NULL);
    cr_assert_eq(kwi_mock_create_topic(bed.mock, "one", 1), 0);
    kwi_metadata_request_init(&req);
    client_ask(&client, KW_API_METADATA, 1, &req, &resp);
    cr_assert_eq(resp.topics.n, 0, "empty is none from version 1 on");
    client_ask(&client, KW_API_METADATA, 0, &req, &resp);
    cr_assert_eq(resp.topics.n, 1, "and all in version 0");
    ask(9, "none", true, &resp, &topic);
    cr_assert_eq(topic.error_code, KW_E_UNKNOWN_TOPIC_OR_PARTITION);
    ask(9, "bad name", true, &resp, &topic);
    cr_assert_eq(topic.error_code, KW_E_INVALID_TOPIC_EXCEPTION);
    close_one();
}

Test(mock_metadata, finds_topics_by_id)
{
    struct kw_metadata_request req;
    struct kw_metadata_request_topic asked;
    struct kw_metadata_response resp;
    struct kw_metadata_response_topic topic;
    struct kw_iter it;
    open_one(NULL);
    cr_assert_eq(kwi_mock_create_topic(bed.mock, "one", 1), 0);
    kwi_metadata_request_init(&req);
    kwi_metadata_request_topic_init(&asked);
    asked.name = KWI_NULL_STR;
    asked.topic_id = client_topic_id(&client, "one");
    req.topics = KWI_ARR(&asked, 1);
    client_ask(&client, KW_API_METADATA, 12, &req, &resp);
    kwi_iter_init(&it, &resp.topics);
    cr_assert(kwi_iter_next(&it, &topic));
    cr_assert_eq(topic.error_code, 0);
    cr_assert_eq(topic.name.len, 3);
    asked.topic_id.b[15] ^= 1;
    client_ask(&client, KW_API_METADATA, 12, &req, &resp);
    kwi_iter_init(&it, &resp.topics);
    cr_assert(kwi_iter_next(&it, &topic));
    cr_assert_eq(topic.error_code, KW_E_UNKNOWN_TOPIC_ID);
    cr_assert_eq(topic.name.len, -1);
    close_one();
}

Test(mock_metadata, creates_topics_only_when_both_sides_allow_it)
{
    struct kw_mock_config config = {.auto_create_topics = true, .default_partitions = 3};
    struct kw_mock_partition_info info;
    struct kw_metadata_response resp;
    struct kw_metadata_response_topic topic;
    open_one(&config);
    ask(9, "no", false, &resp, &topic);
    cr_assert_eq(kwi_mock_partition(bed.mock, "no", 0, &info), KW_ERR_STATE);
    ask(9, "yes", true, &resp, &topic);
    cr_assert_eq(topic.error_code, KW_E_UNKNOWN_TOPIC_OR_PARTITION, "not told the first time");
    ask(9, "yes", true, &resp, &topic);
    cr_assert_eq(topic.error_code, 0);
    cr_assert_eq(topic.partitions.n, 3);
    close_one();
    open_one(NULL);
    ask(9, "yes", true, &resp, &topic);
    cr_assert_eq(kwi_mock_partition(bed.mock, "yes", 0, &info), KW_ERR_STATE);
    close_one();
}

Test(mock_metadata, follows_leaders_and_brokers)
{
    struct kw_mock_config config = {.n_brokers = 3, .node_id_base = 1, .replication_factor = 2};
    struct kw_metadata_response resp;
    struct kw_metadata_response_topic topic;
    struct kw_metadata_response_broker broker;
    struct kw_metadata_response_partition partition;
    open_one(&config);
    cr_assert_eq(kwi_mock_create_topic(bed.mock, "t", 3), 0);
    kwi_mock_broker_down(bed.mock, 1, false);
    cr_assert_null(kwi_mock_accept(bed.mock, 1));
    ask(12, "t", false, &resp, &topic);
    cr_assert_not(broker_at(&resp, 2, &broker));
    partition_at(&topic, 1, &partition); /* on brokers 1 and 2, nodes 2 and 3 */
    cr_assert_eq(partition.leader_id, 3);
    cr_assert_eq(partition.leader_epoch, 1);
    cr_assert_eq(partition.isr_nodes.n, 1);
    cr_assert_eq(partition.offline_replicas.n, 1);
    kwi_mock_broker_down(bed.mock, 2, false);
    ask(12, "t", false, &resp, &topic);
    partition_at(&topic, 1, &partition);
    cr_assert_eq(partition.leader_id, -1);
    cr_assert_eq(partition.error_code, KW_E_LEADER_NOT_AVAILABLE);
    kwi_mock_broker_up(bed.mock, 1);
    ask(12, "t", false, &resp, &topic);
    partition_at(&topic, 1, &partition);
    cr_assert_eq(partition.leader_id, 2);
    cr_assert_eq(partition.leader_epoch, 3);
    cr_assert_eq(partition.error_code, 0);
    close_one();
}

Test(mock_metadata, tells_the_past_when_frozen)
{
    struct kw_mock_config config = {.n_brokers = 3};
    struct kw_metadata_response resp;
    struct kw_metadata_response_topic topic;
    struct kw_metadata_response_partition partition;
    open_one(&config);
    cr_assert_eq(kwi_mock_create_topic(bed.mock, "t", 1), 0);
    cr_assert_eq(kwi_mock_set_leader(bed.mock, "t", 0, 1), 0);
    kwi_mock_freeze_metadata(bed.mock, 0, true);
    cr_assert_eq(kwi_mock_set_leader(bed.mock, "t", 0, 2), 0);
    cr_assert_eq(kwi_mock_set_leader(bed.mock, "t", 0, 0), 0);
    cr_assert_eq(kwi_mock_create_topic(bed.mock, "later", 1), 0);
    ask(12, "t", false, &resp, &topic);
    partition_at(&topic, 0, &partition);
    cr_assert_eq(partition.leader_id, 1);
    cr_assert_eq(partition.leader_epoch, 1);
    ask(12, "later", false, &resp, &topic);
    cr_assert_eq(topic.error_code, KW_E_UNKNOWN_TOPIC_OR_PARTITION);
    cr_assert_eq(ask(12, NULL, false, &resp, &topic), 1);
    kwi_mock_freeze_metadata(bed.mock, 0, false);
    ask(12, "t", false, &resp, &topic);
    partition_at(&topic, 0, &partition);
    cr_assert_eq(partition.leader_id, 0);
    cr_assert_eq(partition.leader_epoch, 3);
    close_one();
}

Test(mock_metadata, has_no_coordinator_in_any_version)
{
    open_one(NULL);
    for (int16_t version = 0; version <= 6; version++) {
        struct kw_find_coordinator_request req;
        struct kw_find_coordinator_response resp;
        struct kw_find_coordinator_response_coordinator told;
        struct kw_str keys[2] = {{"a", 1}, {"bc", 2}};
        struct kw_iter it;
        kwi_find_coordinator_request_init(&req);
        if (version >= 4)
            req.coordinator_keys = KWI_ARR(keys, 2);
        else
            req.key = kwi_str("group");
        client_ask(&client, KW_API_FIND_COORDINATOR, version, &req, &resp);
        if (version < 4) {
            cr_assert_eq(resp.error_code, KW_E_COORDINATOR_NOT_AVAILABLE);
            continue;
        }
        cr_assert_eq(resp.coordinators.n, 2);
        kwi_iter_init(&it, &resp.coordinators);
        cr_assert(kwi_iter_next(&it, &told) && kwi_iter_next(&it, &told));
        cr_assert_eq(told.key.len, 2);
        cr_assert_eq(told.error_code, KW_E_COORDINATOR_NOT_AVAILABLE);
        cr_assert_eq(told.node_id, -1);
    }
    close_one();
}

/* ---- CreateTopics, DeleteTopics --------------------------------------------------------- */

static struct kw_create_topics_response_topic create(int16_t version, const char *name,
                                                     int32_t partitions, int16_t replicas,
                                                     const char *key, const char *value,
                                                     bool validate_only)
{
    struct kw_create_topics_request req;
    struct kw_create_topics_request_topic topic;
    struct kw_create_topics_request_config config;
    struct kw_create_topics_response resp;
    struct kw_create_topics_response_topic out;
    struct kw_iter it;
    kwi_create_topics_request_init(&req);
    kwi_create_topics_request_topic_init(&topic);
    kwi_create_topics_request_config_init(&config);
    topic.name = kwi_str(name);
    topic.num_partitions = partitions;
    topic.replication_factor = replicas;
    config.name = kwi_str(key);
    config.value = kwi_str(value);
    topic.configs = KWI_ARR(&config, key ? 1 : 0);
    req.topics = KWI_ARR(&topic, 1);
    req.validate_only = validate_only;
    client_ask(&client, KW_API_CREATE_TOPICS, version, &req, &resp);
    kwi_iter_init(&it, &resp.topics);
    cr_assert(kwi_iter_next(&it, &out));
    return out;
}

Test(mock_topics, creates_what_it_is_told_and_says_what_it_made)
{
    struct kw_mock_config config = {.n_brokers = 3, .default_partitions = 5};
    struct kw_mock_partition_info info;
    struct kw_create_topics_response_topic told;
    open_one(&config);
    for (int16_t version = 2; version <= 7; version++) {
        char name[8] = {'t', (char)('0' + version), 0};
        told = create(version, name, 4, 2, "retention.bytes", "100000", false);
        cr_assert_eq(told.error_code, 0, "version %d", version);
        cr_assert_eq(told.num_partitions, version >= 5 ? 4 : -1);
        cr_assert_eq(told.replication_factor, version >= 5 ? 2 : -1);
        cr_assert_eq(kwi_mock_partition(bed.mock, name, 3, &info), 0);
        cr_assert_eq(kwi_mock_partition(bed.mock, name, 4, &info), KW_ERR_STATE);
        if (version >= 7) {
            struct kw_uuid id = told.topic_id, asked;
            asked = client_topic_id(&client, name);
            cr_assert_eq(memcmp(&id, &asked, sizeof(id)), 0);
        }
    }
    told = create(7, "defaults", -1, -1, NULL, NULL, false);
    cr_assert_eq(told.num_partitions, 5);
    cr_assert_eq(told.replication_factor, 3);
    told = create(7, "only-asking", 2, 1, NULL, NULL, true);
    cr_assert_eq(told.error_code, 0);
    cr_assert_eq(kwi_mock_partition(bed.mock, "only-asking", 0, &info), KW_ERR_STATE);
    close_one();
}

Test(mock_topics, refuses_bad_names_counts_and_configurations)
{
    char long_name[252];
    memset(long_name, 'x', 251);
    open_one(NULL);
    cr_assert_eq(create(7, "t", 1, 1, NULL, NULL, false).error_code, 0);
    cr_assert_eq(create(7, "t", 1, 1, NULL, NULL, false).error_code, KW_E_TOPIC_ALREADY_EXISTS);
    cr_assert_eq(create(7, "a", 0, 1, NULL, NULL, false).error_code, KW_E_INVALID_PARTITIONS);
    cr_assert_eq(create(7, "a", 10001, 1, NULL, NULL, false).error_code, KW_E_INVALID_PARTITIONS);
    cr_assert_eq(create(7, "a", 1, 2, NULL, NULL, false).error_code,
                 KW_E_INVALID_REPLICATION_FACTOR);
    cr_assert_eq(create(7, "a", 1, 0, NULL, NULL, false).error_code,
                 KW_E_INVALID_REPLICATION_FACTOR);
    cr_assert_eq(create(7, "", 1, 1, NULL, NULL, false).error_code, KW_E_INVALID_TOPIC_EXCEPTION);
    cr_assert_eq(create(7, ".", 1, 1, NULL, NULL, false).error_code, KW_E_INVALID_TOPIC_EXCEPTION);
    cr_assert_eq(create(7, "..", 1, 1, NULL, NULL, false).error_code, KW_E_INVALID_TOPIC_EXCEPTION);
    cr_assert_eq(create(7, "a/b", 1, 1, NULL, NULL, false).error_code,
                 KW_E_INVALID_TOPIC_EXCEPTION);
    long_name[250] = 0;
    cr_assert_eq(create(7, long_name, 1, 1, NULL, NULL, false).error_code,
                 KW_E_INVALID_TOPIC_EXCEPTION);
    long_name[249] = 0;
    cr_assert_eq(create(7, long_name, 1, 1, NULL, NULL, false).error_code, 0);
    cr_assert_eq(create(7, "...", 1, 1, NULL, NULL, false).error_code, 0);
    cr_assert_eq(create(7, "a", 1, 1, "no.such.key", "1", false).error_code, KW_E_INVALID_CONFIG);
    cr_assert_eq(create(7, "a", 1, 1, "retention.bytes", "x", false).error_code,
                 KW_E_INVALID_CONFIG);
    cr_assert_eq(create(7, "a", 1, 1, "message.timestamp.type", "Never", false).error_code,
                 KW_E_INVALID_CONFIG);
    close_one();
}

Test(mock_topics, deletes_by_name_and_by_id)
{
    struct kw_mock_partition_info info;
    open_one(NULL);
    for (int16_t version = 1; version <= 6; version++) {
        struct kw_delete_topics_request req;
        struct kw_delete_topics_request_topic topics[3];
        struct kw_delete_topics_response resp;
        struct kw_delete_topics_response_topic told;
        struct kw_str names[2] = {kwi_str("t"), kwi_str("none")};
        struct kw_iter it;
        cr_assert_eq(kwi_mock_create_topic(bed.mock, "t", 1), 0);
        cr_assert_eq(kwi_mock_create_topic(bed.mock, "u", 1), 0);
        kwi_delete_topics_request_init(&req);
        for (int i = 0; i < 3; i++)
            kwi_delete_topics_request_topic_init(&topics[i]);
        topics[0].name = names[0];
        topics[1].name = names[1];
        topics[2].name = KWI_NULL_STR;
        topics[2].topic_id = client_topic_id(&client, "u");
        if (version >= 6)
            req.topics = KWI_ARR(topics, 3);
        else
            req.topic_names = KWI_ARR(names, 2);
        client_ask(&client, KW_API_DELETE_TOPICS, version, &req, &resp);
        cr_assert_eq(resp.responses.n, version >= 6 ? 3 : 2);
        kwi_iter_init(&it, &resp.responses);
        cr_assert(kwi_iter_next(&it, &told));
        cr_assert_eq(told.error_code, 0);
        cr_assert_eq(memcmp(told.name.ptr, "t", 1), 0);
        cr_assert(kwi_iter_next(&it, &told));
        cr_assert_eq(told.error_code, KW_E_UNKNOWN_TOPIC_OR_PARTITION);
        if (version >= 6) {
            cr_assert(kwi_iter_next(&it, &told));
            cr_assert_eq(told.error_code, 0);
            cr_assert_eq(memcmp(told.name.ptr, "u", 1), 0);
        } else {
            cr_assert_eq(kwi_mock_delete_topic(bed.mock, "u"), 0);
        }
        cr_assert_eq(kwi_mock_partition(bed.mock, "t", 0, &info), KW_ERR_STATE);
    }
    close_one();
}

/* ---- versions ------------------------------------------------------------------------------ */

static int16_t offered(int16_t wanted_key, int16_t *min)
{
    struct kw_api_versions_request req;
    struct kw_api_versions_response resp;
    struct kw_api_versions_response_key key;
    struct kw_iter it;
    kwi_api_versions_request_init(&req);
    client_ask(&client, KW_API_API_VERSIONS, 0, &req, &resp);
    kwi_iter_init(&it, &resp.api_keys);
    while (kwi_iter_next(&it, &key)) {
        *min = key.min_version;
        if (key.api_key == wanted_key)
            return key.max_version;
    }
    return -1;
}

Test(mock_versions, offers_what_each_release_offered_and_no_more)
{
    static const struct {
        const char *release;
        int16_t produce, fetch, fetch_min, metadata;
    } wanted[] = {
        {"2.1", 7, 10, 0, 7},   {"2.8", 9, 12, 0, 11},  {"3.3", 9, 13, 0, 12},
        {"3.9", 11, 17, 0, 12}, {"4.0", 12, 17, 4, 13}, {"4.3", 13, 18, 4, 13},
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
        struct kw_mock_config config = {0};
        struct batch_spec spec = {.n_records = 1};
        int16_t min;
        size_t len;
        uint8_t *batch = batch_make(&spec, &len);
        cr_assert_eq(kwi_mock_release(wanted[i].release, &config.versions, &config.n_versions), 0);
        open_one(&config);
        cr_assert_eq(kwi_mock_create_topic(bed.mock, "t", 1), 0);
        cr_assert_eq(offered(KW_API_PRODUCE, &min), wanted[i].produce);
        cr_assert_eq(min, 0);
        cr_assert_eq(offered(KW_API_FETCH, &min), wanted[i].fetch);
        cr_assert_eq(min, wanted[i].fetch_min);
        cr_assert_eq(offered(KW_API_METADATA, &min), wanted[i].metadata);
        cr_assert_eq(client_produce(&client, 7, "t", 0, 1, batch, len).error_code, 0);
        if (wanted[i].produce < 12) {
            cr_assert_not(
                client_produce(&client, (int16_t)(wanted[i].produce + 1), "t", 0, 1, batch, len)
                    .answered);
            cr_assert(kwi_mock_closing(client.conn));
        }
        free(batch);
        close_one();
    }
    const struct kw_mock_versions *versions;
    size_t n;
    cr_assert_eq(kwi_mock_release("0.8", &versions, &n), KW_ERR_USE);
}

Test(mock_versions, can_lack_an_api)
{
    struct kw_mock_versions none = {KW_API_INIT_PRODUCER_ID, 0, -1};
    struct kw_mock_config config = {.versions = &none, .n_versions = 1};
    struct kw_init_producer_id_request req;
    int16_t min;
    open_one(&config);
    cr_assert_eq(offered(KW_API_INIT_PRODUCER_ID, &min), -1);
    kwi_init_producer_id_request_init(&req);
    client_send(&client, KW_API_INIT_PRODUCER_ID, 0, &req);
    cr_assert(kwi_mock_closing(client.conn));
    close_one();
}
