/* mock/configs.c -- DescribeConfigs: the four settings that a topic of the model
 * has, and the two of a group. Brokers exist and have none. */
#include "base/fmt.h"
#include "mock/call.h"
#include "proto/configs.h"

enum { MOCKCONFIGS_TOPIC = 2, MOCKCONFIGS_BROKER = 4, MOCKCONFIGS_GROUP = 32, MOCKCONFIGS_N = 4 };
enum {
    MOCKCONFIGS_STRING = 2,
    MOCKCONFIGS_INT32 = 3,
    MOCKCONFIGS_INT64 = 5,
    MOCKCONFIGS_LIST = 7
}; /* config_type */
enum { MOCKCONFIGS_NUMBER_SIZE = 24 };

static bool mockconfigs_wanted(const struct kw_describe_configs_request_resource *asked,
                               const char *name)
{
    struct kw_str key;
    struct kw_iter it;
    if (asked->configuration_keys.n < 0)
        return true;
    for (kwi_iter_init(&it, &asked->configuration_keys); kwi_iter_next(&it, &key);) {
        if (key.len == (int32_t)strlen(name) && memcmp(key.ptr, name, (size_t)key.len) == 0)
            return true;
    }
    return false;
}

/* Whether a setting differs from its default is all that its source says. */
static int mockconfigs_number(struct kw_mock_call *call, int64_t number, int64_t usual,
                              struct kw_describe_configs_response_config *out)
{
    char *text = kwi_mock_call_alloc(call, MOCKCONFIGS_NUMBER_SIZE, 1);
    if (!text)
        return KW_ERR_NOMEM;
    kwi_fmt(text, MOCKCONFIGS_NUMBER_SIZE, "%lld", (long long)number);
    out->value = kwi_str(text);
    out->config_source = number == usual ? 5 : 1;
    return 0;
}

static int mockconfigs_topic(struct kw_mock_call *call, const struct kw_mock_topic *topic,
                             const struct kw_describe_configs_request_resource *asked,
                             struct kw_describe_configs_response_result *out)
{
    static const struct {
        const char *name;
        int8_t type;
    } rows[MOCKCONFIGS_N] = {{"cleanup.policy", MOCKCONFIGS_LIST},
                             {"max.message.bytes", MOCKCONFIGS_INT32},
                             {"message.timestamp.type", MOCKCONFIGS_STRING},
                             {"retention.bytes", MOCKCONFIGS_INT64}};
    uint64_t retention = topic->partitions[0].log.retention_size;
    struct kw_describe_configs_response_config *items;
    size_t n = 0;
    items = kwi_mock_call_alloc(call, MOCKCONFIGS_N, sizeof(*items));
    if (!items)
        return KW_ERR_NOMEM;
    for (size_t i = 0; i < MOCKCONFIGS_N; i++) {
        int rc = 0;
        if (!mockconfigs_wanted(asked, rows[i].name))
            continue;
        kwi_describe_configs_response_config_init(&items[n]);
        items[n].name = kwi_str(rows[i].name);
        items[n].config_type = rows[i].type;
        items[n].documentation = KWI_NULL_STR;
        if (i == 0) {
            items[n].value = kwi_str(topic->compact ? "compact" : "delete");
            items[n].config_source = topic->compact ? 1 : 5;
        } else if (i == 1) {
            rc = mockconfigs_number(call, topic->message_size_max, KWI_MOCK_MESSAGE_SIZE_MAX,
                                    &items[n]);
        } else if (i == 2) {
            items[n].value = kwi_str(topic->append_time ? "LogAppendTime" : "CreateTime");
            items[n].config_source = topic->append_time ? 1 : 5;
        } else {
            rc = mockconfigs_number(call, retention ? (int64_t)retention : -1, -1, &items[n]);
        }
        if (rc)
            return rc;
        n++;
    }
    out->configs = KWI_ARR(items, n);
    return 0;
}

/* A group has them whether it exists or not. */
static int mockconfigs_group(struct kw_mock_call *call,
                             const struct kw_describe_configs_request_resource *asked,
                             struct kw_describe_configs_response_result *out)
{
    const struct kw_mock_config *config = &call->mock->config;
    const struct {
        const char *name;
        int64_t value, usual;
    } rows[] = {{"consumer.heartbeat.interval.ms", config->group_heartbeat_ms, 5000},
                {"consumer.session.timeout.ms", config->group_session_ms, 45000}};
    struct kw_describe_configs_response_config *items;
    size_t n = 0;
    items = kwi_mock_call_alloc(call, MOCKCONFIGS_N, sizeof(*items));
    if (!items)
        return KW_ERR_NOMEM;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (!mockconfigs_wanted(asked, rows[i].name))
            continue;
        kwi_describe_configs_response_config_init(&items[n]);
        items[n].name = kwi_str(rows[i].name);
        items[n].config_type = MOCKCONFIGS_INT32;
        items[n].documentation = KWI_NULL_STR;
        if (mockconfigs_number(call, rows[i].value, rows[i].usual, &items[n++]))
            return KW_ERR_NOMEM;
    }
    out->configs = KWI_ARR(items, n);
    return 0;
}

static int mockconfigs_resource(struct kw_mock_call *call,
                                const struct kw_describe_configs_request_resource *asked,
                                struct kw_describe_configs_response_result *out)
{
    const struct kw_mock_topic *topic = NULL;
    kwi_describe_configs_response_result_init(out);
    out->resource_type = asked->resource_type;
    out->resource_name = asked->resource_name;
    out->error_message = KWI_NULL_STR;
    out->error_code = kwi_mock_fault_error(call, KWI_MOCK_ERROR, asked->resource_name, -1);
    if (out->error_code)
        return 0;
    if (asked->resource_type == MOCKCONFIGS_BROKER)
        return 0;
    if (asked->resource_type == MOCKCONFIGS_GROUP)
        return mockconfigs_group(call, asked, out);
    if (asked->resource_type != MOCKCONFIGS_TOPIC) {
        out->error_code = KW_E_INVALID_REQUEST;
        out->error_message = kwi_str("this broker model has topics, brokers and groups only");
        return 0;
    }
    topic = kwi_mock_call_topic(call, false, asked->resource_name, NULL);
    if (!topic) {
        out->error_code = KW_E_UNKNOWN_TOPIC_OR_PARTITION;
        return 0;
    }
    return mockconfigs_topic(call, topic, asked, out);
}

static enum kw_mock_outcome mockconfigs_serve(struct kw_mock_call *call)
{
    const struct kw_describe_configs_request *req = call->request;
    struct kw_describe_configs_response *resp = call->response;
    struct kw_describe_configs_response_result *results;
    struct kw_describe_configs_request_resource resource;
    struct kw_iter it;
    size_t n = 0;
    results = kwi_mock_call_alloc(call, (size_t)req->resources.n, sizeof(*results));
    if (!results)
        return KWI_MOCK_HUNG_UP;
    for (kwi_iter_init(&it, &req->resources); kwi_iter_next(&it, &resource); n++) {
        if (mockconfigs_resource(call, &resource, &results[n]))
            return KWI_MOCK_HUNG_UP;
    }
    resp->throttle_time_ms = call->throttle_ms;
    resp->results = KWI_ARR(results, n);
    return KWI_MOCK_ANSWERED;
}

const struct kw_mock_api kwi_mock_api_describe_configs = {KW_API_DESCRIBE_CONFIGS, 0,
                                                          mockconfigs_serve, NULL};
