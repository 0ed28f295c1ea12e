/* mock/metadata.c -- Metadata and FindCoordinator. */
#include "mock/call.h"
#include "proto/coordinator.h"
#include "proto/metadata.h"

/* --- Metadata --------------------------------------------------------------------- */

struct mockmeta_item {
    int16_t error;
    struct kw_str name; /* null: asked by an unknown id */
    struct kw_uuid id;
    const struct kw_mock_topic *topic; /* NULL with an error */
};

static int mockmeta_brokers_put(struct kw_mock_call *call, struct kw_metadata_response *resp)
{
    const struct kw_mock *mock = call->mock;
    struct kw_metadata_response_broker *brokers;
    size_t n = 0;
    brokers = kwi_mock_call_alloc(call, mock->config.n_brokers, sizeof(*brokers));
    if (!brokers)
        return KW_ERR_NOMEM;
    for (uint32_t i = 0; i < mock->config.n_brokers; i++) {
        if (!mock->brokers[i].up)
            continue;
        if (resp->controller_id < 0)
            resp->controller_id = kwi_mock_node_id(mock, (int32_t)i);
        kwi_metadata_response_broker_init(&brokers[n]);
        brokers[n].node_id = kwi_mock_node_id(mock, (int32_t)i);
        brokers[n].host = kwi_str(mock->brokers[i].host);
        if (mock->brokers[i].rack[0])
            brokers[n].rack = kwi_str(mock->brokers[i].rack);
        brokers[n++].port = mock->brokers[i].port;
    }
    resp->brokers = KWI_ARR(brokers, n);
    return 0;
}

/* Replicas, in-sync replicas and offline ones are three views of one array:
 * the ones that are up first, the others behind them. */
static int mockmeta_replicas_put(struct kw_mock_call *call,
                                 const struct kw_mock_partition *partition,
                                 struct kw_metadata_response_partition *out)
{
    const struct kw_mock *mock = call->mock;
    int32_t n_up = 0, n = partition->n_replicas;
    int32_t *replicas = kwi_mock_call_alloc(call, (size_t)n * 2, sizeof(*replicas));
    int32_t *sorted;
    if (!replicas)
        return KW_ERR_NOMEM;
    sorted = replicas + n;
    for (int32_t i = 0; i < n; i++) {
        replicas[i] = kwi_mock_node_id(mock, partition->replicas[i]);
        if (mock->brokers[partition->replicas[i]].up)
            sorted[n_up++] = replicas[i];
    }
    for (int32_t i = 0, end = n_up; i < n; i++) {
        if (!mock->brokers[partition->replicas[i]].up)
            sorted[end++] = replicas[i];
    }
    out->replica_nodes = KWI_ARR(replicas, n);
    out->isr_nodes = KWI_ARR(sorted, n_up);
    if (call->version >= 5)
        out->offline_replicas = KWI_ARR(sorted + n_up, n - n_up);
    return 0;
}

static int mockmeta_partition_put(struct kw_mock_call *call,
                                  const struct kw_mock_partition *partition,
                                  struct kw_metadata_response_partition *out)
{
    struct kw_str name = kwi_mock_topic_str(partition->topic);
    struct kw_mock_leadership view = partition->past[0];
    int16_t fault = kwi_mock_fault_error(call, KWI_MOCK_ERROR, name, partition->index);
    (void)kwi_mock_partition_view(partition, call->broker, &view);
    kwi_metadata_response_partition_init(out);
    out->partition_index = partition->index;
    out->leader_id = kwi_mock_node_id(call->mock, view.leader);
    if (call->version >= 7)
        out->leader_epoch = view.leader_epoch;
    out->error_code = view.leader < 0 ? KW_E_LEADER_NOT_AVAILABLE : 0;
    if (fault)
        out->error_code = fault;
    return mockmeta_replicas_put(call, partition, out);
}

static int mockmeta_partitions_put(struct kw_mock_call *call, const struct kw_mock_topic *topic,
                                   struct kw_metadata_response_topic *out)
{
    struct kw_str name = kwi_mock_topic_str(topic);
    bool whole = kwi_mock_fault_copies(call, name, KWI_MOCK_WHOLE_TOPIC) != 1;
    struct kw_metadata_response_partition *partitions;
    size_t n = 0;
    partitions = kwi_mock_call_alloc(call, (size_t)topic->n_partitions * 2, sizeof(*partitions));
    if (!partitions)
        return KW_ERR_NOMEM;
    for (int32_t i = 0; i < topic->n_partitions; i++) {
        /* What lists the whole topic twice does not double partitions as well. */
        for (int32_t k = whole ? 1 : kwi_mock_fault_copies(call, name, i); k > 0; k--) {
            if (mockmeta_partition_put(call, &topic->partitions[i], &partitions[n++]))
                return KW_ERR_NOMEM;
        }
    }
    out->partitions = KWI_ARR(partitions, n);
    return 0;
}

/* A topic that may be made is told as unknown this once, as KRaft brokers do. */
static void mockmeta_auto_create(struct kw_mock_call *call, struct mockmeta_item *item)
{
    const struct kw_metadata_request *req = call->request;
    bool allowed = call->mock->config.auto_create_topics &&
                   (call->version < 4 || req->allow_auto_topic_creation);
    struct kw_mock_topic_spec spec;
    kwi_mock_topic_spec_init(call->mock, &spec);
    spec.name = item->name.ptr;
    spec.name_len = (size_t)item->name.len;
    item->error = kwi_mock_topic_check(call->mock, &spec);
    if (item->error == KW_E_INVALID_TOPIC_EXCEPTION)
        return;
    if (allowed && item->error == 0)
        (void)!kwi_mock_topic_create(call->mock, &spec);
    item->error = KW_E_UNKNOWN_TOPIC_OR_PARTITION;
}

static void mockmeta_find(struct kw_mock_call *call, const struct kw_metadata_request_topic *asked,
                          struct mockmeta_item *item)
{
    memset(item, 0, sizeof(*item));
    item->name = asked->name;
    if (asked->name.len < 0) {
        item->id = asked->topic_id;
        item->topic = kwi_mock_topic_find_id(call->mock, asked->topic_id.b);
        item->error = item->topic ? 0 : KW_E_UNKNOWN_TOPIC_ID;
        return;
    }
    item->topic = kwi_mock_topic_find(call->mock, asked->name.ptr, (size_t)asked->name.len);
    if (!item->topic)
        mockmeta_auto_create(call, item);
}

/* Whether this broker, which may be frozen, has heard of the topic. */
static bool mockmeta_topic_is_seen(const struct kw_mock_call *call,
                                   const struct kw_mock_topic *topic)
{
    struct kw_mock_leadership view;
    return kwi_mock_partition_view(&topic->partitions[0], call->broker, &view);
}

static int mockmeta_topic_put(struct kw_mock_call *call, const struct mockmeta_item *item,
                              struct kw_metadata_response_topic *out)
{
    const struct kw_mock_topic *topic = item->topic;
    struct kw_str name = topic ? kwi_mock_topic_str(topic) : item->name;
    int16_t fault;
    kwi_metadata_response_topic_init(out);
    out->name = name;
    out->error_code = item->error;
    if (topic && !mockmeta_topic_is_seen(call, topic)) {
        out->error_code = KW_E_UNKNOWN_TOPIC_OR_PARTITION;
        topic = NULL;
    }
    if (call->version >= 10 && topic)
        memcpy(out->topic_id.b, topic->id, sizeof(topic->id));
    else if (call->version >= 10)
        out->topic_id = item->id;
    fault = kwi_mock_fault_error(call, KWI_MOCK_ERROR, name, KWI_MOCK_WHOLE_TOPIC);
    if (fault) {
        out->error_code = fault;
        return 0;
    }
    return topic ? mockmeta_partitions_put(call, topic, out) : 0;
}

static size_t mockmeta_all_or_asked(struct kw_mock_call *call, bool all)
{
    const struct kw_metadata_request *req = call->request;
    return all ? kwi_map_len(&call->mock->topics) : (size_t)req->topics.n;
}

/* Calls are rare and topics few: the list is made in full, then put out. */
static int mockmeta_topics_put(struct kw_mock_call *call, struct kw_metadata_response *resp)
{
    const struct kw_metadata_request *req = call->request;
    bool all = req->topics.n < 0 || (call->version == 0 && req->topics.n == 0);
    size_t n = mockmeta_all_or_asked(call, all), n_out = 0;
    struct mockmeta_item *items = kwi_mock_call_alloc(call, n, sizeof(*items));
    struct kw_metadata_response_topic *topics;
    topics = kwi_mock_call_alloc(call, n * 2 + 1, sizeof(*topics));
    if (!items || !topics)
        return KW_ERR_NOMEM;
    n = 0;
    if (all) {
        const struct kw_mock_topic *topic;
        for (uint32_t pos = 0; (topic = kwi_map_next(&call->mock->topics, &pos));) {
            items[n].topic = topic;
            n += mockmeta_topic_is_seen(call, topic);
        }
    } else {
        struct kw_metadata_request_topic asked;
        struct kw_iter it;
        for (kwi_iter_init(&it, &req->topics); kwi_iter_next(&it, &asked); n++) {
            if (asked.name.len < 0 && call->version < 12)
                return KW_ERR_NULL; /* ids alone are for v12 and up */
            mockmeta_find(call, &asked, &items[n]);
        }
    }
    for (size_t i = 0; i < n; i++) {
        struct kw_str name = items[i].topic ? kwi_mock_topic_str(items[i].topic) : items[i].name;
        for (int32_t k = kwi_mock_fault_copies(call, name, KWI_MOCK_WHOLE_TOPIC); k > 0; k--) {
            if (mockmeta_topic_put(call, &items[i], &topics[n_out++]))
                return KW_ERR_NOMEM;
        }
    }
    if (kwi_mock_fault_acts(call, KWI_MOCK_UNASKED, NULL)) {
        kwi_metadata_response_topic_init(&topics[n_out]);
        topics[n_out++].name = kwi_str("nobody-asked-for-this");
    }
    resp->topics = KWI_ARR(topics, n_out);
    return 0;
}

static enum kw_mock_outcome mockmeta_serve(struct kw_mock_call *call)
{
    struct kw_metadata_response *resp = call->response;
    resp->throttle_time_ms = call->throttle_ms;
    if (call->version >= 2)
        resp->cluster_id = kwi_str(call->mock->cluster_id);
    /* Topics first: they may be created here and brokers do not change. */
    if (mockmeta_topics_put(call, resp) || mockmeta_brokers_put(call, resp))
        return KWI_MOCK_HUNG_UP;
    return KWI_MOCK_ANSWERED;
}

static bool mockmeta_asks(const struct kw_mock_call *call, const struct kw_mock_fault *fault)
{
    const struct kw_metadata_request *req = call->request;
    struct kw_metadata_request_topic asked;
    struct kw_iter it;
    if (req->topics.n < 0 || (call->version == 0 && req->topics.n == 0))
        return true;
    for (kwi_iter_init(&it, &req->topics); kwi_iter_next(&it, &asked);) {
        const struct kw_mock_topic *topic = NULL;
        if (asked.name.len < 0)
            topic = kwi_mock_topic_find_id(call->mock, asked.topic_id.b);
        if (kwi_mock_fault_covers(fault, topic ? kwi_mock_topic_str(topic) : asked.name, -1))
            return true;
    }
    return false;
}

const struct kw_mock_api kwi_mock_api_metadata = {
    KW_API_METADATA,
    1u << KWI_MOCK_OMIT | 1u << KWI_MOCK_TWICE | 1u << KWI_MOCK_UNASKED,
    mockmeta_serve,
    mockmeta_asks,
};

/* --- FindCoordinator ------------------------------------------------------------------ */

/* Until a test names one, a coordinator is always about to become available, which is
 * what a client must be able to live with. */
static void mockmeta_coordinator(const struct kw_mock_call *call,
                                 struct kw_find_coordinator_response_coordinator *item)
{
    const struct kw_mock *mock = call->mock;
    bool named = mock->coordinator >= 0 && mock->brokers[mock->coordinator].up;
    int16_t error = kwi_mock_fault_error(call, KWI_MOCK_ERROR, KWI_NULL_STR, -1);

    kwi_find_coordinator_response_coordinator_init(item);
    item->error_code = error || named ? error : KW_E_COORDINATOR_NOT_AVAILABLE;
    item->node_id = item->error_code ? -1 : kwi_mock_node_id(mock, mock->coordinator);
    item->host = kwi_str(item->error_code ? "" : mock->brokers[mock->coordinator].host);
    item->port = item->error_code ? -1 : mock->brokers[mock->coordinator].port;
}

static enum kw_mock_outcome mockmeta_coordinator_serve(struct kw_mock_call *call)
{
    const struct kw_find_coordinator_request *req = call->request;
    struct kw_find_coordinator_response *resp = call->response;
    struct kw_find_coordinator_response_coordinator *items, one;
    struct kw_iter it;
    size_t n = 0;

    resp->throttle_time_ms = call->throttle_ms;
    if (call->version < 4) {
        mockmeta_coordinator(call, &one);
        resp->error_code = one.error_code;
        resp->node_id = one.node_id;
        resp->host = one.host;
        resp->port = one.port;
        return KWI_MOCK_ANSWERED;
    }
    items = kwi_mock_call_alloc(call, (size_t)req->coordinator_keys.n, sizeof(*items));
    if (!items)
        return KWI_MOCK_HUNG_UP;
    kwi_iter_init(&it, &req->coordinator_keys);
    for (struct kw_str key; kwi_iter_next(&it, &key); n++) {
        mockmeta_coordinator(call, &items[n]);
        items[n].key = key;
    }
    resp->coordinators = KWI_ARR(items, n);
    return KWI_MOCK_ANSWERED;
}

const struct kw_mock_api kwi_mock_api_find_coordinator = {KW_API_FIND_COORDINATOR, 0,
                                                          mockmeta_coordinator_serve, NULL};
