/* mock/topics.c -- CreateTopics and DeleteTopics. */
#include "mock/call.h"
#include "proto/topics.h"

/* --- CreateTopics --------------------------------------------------------------------- */

/* Replicas given by hand decide the counts only: partition i of the model has
 * its replicas on brokers i, i+1, ... whatever was asked for. */
static int16_t mocktopics_assignments(const struct kw_create_topics_request_topic *asked,
                                      struct kw_mock_topic_spec *spec)
{
    struct kw_create_topics_request_assignment assignment;
    struct kw_iter it;
    if (asked->assignments.n <= 0)
        return 0;
    if (asked->num_partitions != -1 || asked->replication_factor != -1)
        return KW_E_INVALID_REQUEST;
    spec->n_partitions = asked->assignments.n;
    for (kwi_iter_init(&it, &asked->assignments); kwi_iter_next(&it, &assignment);) {
        if (assignment.partition_index < 0 || assignment.partition_index >= asked->assignments.n ||
            assignment.broker_ids.n < 1)
            return KW_E_INVALID_REPLICA_ASSIGNMENT;
        if (spec->replication_factor != -1 && spec->replication_factor != assignment.broker_ids.n)
            return KW_E_INVALID_REPLICA_ASSIGNMENT;
        spec->replication_factor = assignment.broker_ids.n;
    }
    return 0;
}

static int16_t mocktopics_configs(const struct kw_create_topics_request_topic *asked,
                                  struct kw_mock_topic_spec *spec)
{
    struct kw_create_topics_request_config config;
    struct kw_iter it;
    for (kwi_iter_init(&it, &asked->configs); kwi_iter_next(&it, &config);) {
        if (config.value.len < 0 ||
            kwi_mock_topic_configure(spec, config.name.ptr, (size_t)config.name.len,
                                     config.value.ptr, (size_t)config.value.len))
            return KW_E_INVALID_CONFIG;
    }
    return 0;
}

static const char *mocktopics_message(int16_t error)
{
    switch (error) {
    case KW_E_TOPIC_ALREADY_EXISTS: return "the topic exists";
    case KW_E_INVALID_TOPIC_EXCEPTION: return "a topic name has 1 to 249 of a-z A-Z 0-9 . _ -";
    case KW_E_INVALID_PARTITIONS: return "the number of partitions must be 1 to 10000";
    case KW_E_INVALID_REPLICATION_FACTOR:
        return "the replication factor must be 1 to the number of brokers";
    case KW_E_INVALID_CONFIG:
        return "this broker model knows message.timestamp.type, cleanup.policy, "
               "retention.bytes and max.message.bytes only";
    default: return NULL;
    }
}

static void mocktopics_create(struct kw_mock_call *call,
                              const struct kw_create_topics_request_topic *asked,
                              struct kw_create_topics_response_topic *out)
{
    const struct kw_create_topics_request *req = call->request;
    struct kw_mock_topic *topic = NULL;
    struct kw_mock_topic_spec spec;
    int16_t error = kwi_mock_fault_error(call, KWI_MOCK_ERROR, asked->name, -1);
    kwi_create_topics_response_topic_init(out);
    out->name = asked->name;
    kwi_mock_topic_spec_init(call->mock, &spec);
    spec.name = asked->name.ptr;
    spec.name_len = (size_t)asked->name.len;
    spec.n_partitions = asked->num_partitions;
    spec.replication_factor = asked->replication_factor;
    if (!error)
        error = mocktopics_assignments(asked, &spec);
    if (!error)
        error = mocktopics_configs(asked, &spec);
    if (!error)
        error = kwi_mock_topic_check(call->mock, &spec);
    if (!error && !req->validate_only) {
        topic = kwi_mock_topic_create(call->mock, &spec);
        error = topic ? 0 : KW_E_UNKNOWN_SERVER_ERROR;
    }
    if (!error)
        error = kwi_mock_fault_error(call, KWI_MOCK_ERROR_AFTER, asked->name, -1);
    out->error_code = error;
    out->error_message = kwi_str(mocktopics_message(error));
    if (error || call->version < 5)
        return;
    out->num_partitions = spec.n_partitions;
    out->replication_factor = (int16_t)spec.replication_factor;
    out->configs = KWI_ARR(NULL, 0);
    if (topic && call->version >= 7)
        memcpy(out->topic_id.b, topic->id, sizeof(topic->id));
}

static enum kw_mock_outcome mocktopics_create_serve(struct kw_mock_call *call)
{
    const struct kw_create_topics_request *req = call->request;
    struct kw_create_topics_response *resp = call->response;
    struct kw_create_topics_response_topic *items;
    struct kw_create_topics_request_topic asked;
    struct kw_iter it;
    size_t n = 0;
    items = kwi_mock_call_alloc(call, (size_t)req->topics.n, sizeof(*items));
    if (!items)
        return KWI_MOCK_HUNG_UP;
    for (kwi_iter_init(&it, &req->topics); kwi_iter_next(&it, &asked); n++)
        mocktopics_create(call, &asked, &items[n]);
    resp->throttle_time_ms = call->throttle_ms;
    resp->topics = KWI_ARR(items, n);
    return KWI_MOCK_ANSWERED;
}

static bool mocktopics_create_asks(const struct kw_mock_call *call,
                                   const struct kw_mock_fault *fault)
{
    const struct kw_create_topics_request *req = call->request;
    struct kw_create_topics_request_topic asked;
    struct kw_iter it;
    for (kwi_iter_init(&it, &req->topics); kwi_iter_next(&it, &asked);) {
        if (kwi_mock_fault_covers(fault, asked.name, -1))
            return true;
    }
    return false;
}

const struct kw_mock_api kwi_mock_api_create_topics = {
    KW_API_CREATE_TOPICS, 1u << KWI_MOCK_ERROR_AFTER, mocktopics_create_serve,
    mocktopics_create_asks};

/* --- DeleteTopics ------------------------------------------------------------------------- */

static void mocktopics_delete(struct kw_mock_call *call,
                              const struct kw_delete_topics_request_topic *asked,
                              struct kw_delete_topics_response_topic *out)
{
    bool by_id = asked->name.len < 0;
    struct kw_mock_topic *topic = kwi_mock_call_topic(call, by_id, asked->name, &asked->topic_id);
    struct kw_str name = topic ? kwi_mock_topic_str(topic) : asked->name;
    char *copy;
    kwi_delete_topics_response_topic_init(out);
    out->name = asked->name;
    out->error_code = kwi_mock_fault_error(call, KWI_MOCK_ERROR, name, -1);
    if (call->version >= 6)
        out->topic_id = asked->topic_id;
    if (!out->error_code && !topic)
        out->error_code = by_id ? KW_E_UNKNOWN_TOPIC_ID : KW_E_UNKNOWN_TOPIC_OR_PARTITION;
    if (out->error_code)
        return;
    /* The answer outlives the topic, whose name it may have to tell. */
    copy = kwi_mock_call_alloc(call, topic->name_len, 1);
    if (!copy) {
        out->error_code = KW_E_UNKNOWN_SERVER_ERROR;
        return;
    }
    memcpy(copy, topic->name, topic->name_len);
    out->name = (struct kw_str){copy, (int32_t)topic->name_len};
    if (call->version >= 6)
        memcpy(out->topic_id.b, topic->id, sizeof(topic->id));
    kwi_mock_topic_delete(call->mock, topic);
    out->error_code = kwi_mock_fault_error(call, KWI_MOCK_ERROR_AFTER, out->name, -1);
}

/* Up to v5 an array of names, then one of names or ids: walks either. */
static bool mocktopics_delete_next(const struct kw_mock_call *call, struct kw_iter *it,
                                   struct kw_delete_topics_request_topic *asked)
{
    if (call->version >= 6)
        return kwi_iter_next(it, asked);
    memset(&asked->topic_id, 0, sizeof(asked->topic_id));
    return kwi_iter_next(it, &asked->name);
}

static const struct kw_arr *mocktopics_delete_list(const struct kw_mock_call *call)
{
    const struct kw_delete_topics_request *req = call->request;
    return call->version >= 6 ? &req->topics : &req->topic_names;
}

static enum kw_mock_outcome mocktopics_delete_serve(struct kw_mock_call *call)
{
    struct kw_delete_topics_response *resp = call->response;
    const struct kw_arr *list = mocktopics_delete_list(call);
    struct kw_delete_topics_response_topic *items;
    struct kw_delete_topics_request_topic asked;
    struct kw_iter it;
    size_t n = 0;
    items = kwi_mock_call_alloc(call, (size_t)list->n, sizeof(*items));
    if (!items)
        return KWI_MOCK_HUNG_UP;
    for (kwi_iter_init(&it, list); mocktopics_delete_next(call, &it, &asked); n++)
        mocktopics_delete(call, &asked, &items[n]);
    resp->throttle_time_ms = call->throttle_ms;
    resp->responses = KWI_ARR(items, n);
    return KWI_MOCK_ANSWERED;
}

static bool mocktopics_delete_asks(const struct kw_mock_call *call,
                                   const struct kw_mock_fault *fault)
{
    struct kw_delete_topics_request_topic asked;
    struct kw_iter it;
    kwi_iter_init(&it, mocktopics_delete_list(call));
    while (mocktopics_delete_next(call, &it, &asked)) {
        const struct kw_mock_topic *topic = kwi_mock_call_topic(call, asked.name.len < 0,
                                                                asked.name, &asked.topic_id);
        if (kwi_mock_fault_covers(fault, topic ? kwi_mock_topic_str(topic) : asked.name, -1))
            return true;
    }
    return false;
}

const struct kw_mock_api kwi_mock_api_delete_topics = {
    KW_API_DELETE_TOPICS, 1u << KWI_MOCK_ERROR_AFTER, mocktopics_delete_serve,
    mocktopics_delete_asks};
