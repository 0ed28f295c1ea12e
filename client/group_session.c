/* client/group_session.c -- how long a coordinator keeps a silent member of a KIP-848
 * group. The protocol does not say: it is a setting of the group
 * (consumer.session.timeout.ms), which DescribeConfigs tells to whoever may ask.
 *
 * As long as it is not known, records are handed out for three heartbeat intervals
 * after the last heartbeat that was confirmed, and withheld then, but not lost: only
 * the coordinator can say that the session is over. */
#include <string.h>

#include "client/error_text.h"
#include "client/group_consumer.h"
#include "client/throttle.h"
#include "proto/configs.h"

enum { SESSION_RESOURCE_GROUP = 32, SESSION_INTERVALS = 3 };

static const char session_key[] = "consumer.session.timeout.ms";

static int session_encode(struct kw_request *req, struct kw_wr *wr)
{
    const struct kw_modern *modern = req->owner;
    struct kw_describe_configs_request msg;
    struct kw_describe_configs_request_resource resource;
    struct kw_str key = {session_key, (int32_t)(sizeof session_key - 1)};

    if (!modern)
        return KW_ERR_CANCELED;
    kwi_describe_configs_request_init(&msg);
    kwi_describe_configs_request_resource_init(&resource);
    resource.resource_type = SESSION_RESOURCE_GROUP;
    resource.resource_name = kwi_str(kwi_modern_keeper(modern)->group_id);
    resource.configuration_keys = KWI_ARR(&key, 1);
    msg.resources = KWI_ARR(&resource, 1);
    return kwi_describe_configs_request_encode(&msg, req->version, wr);
}

/* A number of milliseconds, or 0. */
static int64_t session_number(struct kw_str text)
{
    int64_t ms = 0;

    for (int32_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || ms > INT32_MAX / 10)
            return 0;
        ms = ms * 10 + (text.ptr[i] - '0');
    }
    return ms <= INT32_MAX ? ms : 0;
}

static int64_t session_find(const struct kw_describe_configs_response *msg)
{
    struct kw_describe_configs_response_result result;
    struct kw_describe_configs_response_config config;
    struct kw_iter it, configs;

    for (kwi_iter_init(&it, &msg->results); kwi_iter_next(&it, &result);) {
        if (result.error_code || result.resource_type != SESSION_RESOURCE_GROUP)
            continue;
        for (kwi_iter_init(&configs, &result.configs); kwi_iter_next(&configs, &config);) {
            if (config.name.len == (int32_t)(sizeof session_key - 1) &&
                !memcmp(config.name.ptr, session_key, sizeof session_key - 1))
                return session_number(config.value);
        }
    }
    return 0;
}

static void session_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_modern *modern = req->owner;
    struct kw_describe_configs_response msg;
    struct kw_fault fault;
    int64_t ms;

    if (!modern)
        return;
    modern->asking = NULL;
    if (answer->err)
        return; /* asked again with the next join */
    if (kwi_describe_configs_response_decode(&msg, req->version, answer->body, answer->len,
                                             &fault)) {
        (void)kwi_request_malformed(req, &fault, NULL);
        return;
    }
    kwi_throttle(req, msg.throttle_time_ms);
    ms = session_find(&msg);
    if (ms <= 0) {
        kwi_log(req->core, 6,
                "group %s: the broker does not tell its session timeout (DescribeConfigs on the "
                "group); records are withheld after %d silent heartbeat intervals",
                kwi_modern_keeper(modern)->group_id, SESSION_INTERVALS);
        return;
    }
    modern->session_ms = ms;
    modern->session_known = true;
    if (kwi_modern_is_member(modern))
        kwi_group_confirmed(modern->group, modern->confirmed_us, ms);
}

static const struct kw_request_type session_type = {
    .api_key = KW_API_DESCRIBE_CONFIGS,
    .encode = session_encode,
    .done = session_done,
};

void kwi_modern_ask_session(struct kw_modern *modern)
{
    struct kw_link *link = modern->asking ? NULL : kwi_keeper_link(modern->group->consumer);

    if (link)
        modern->asking = kwi_consumer_request(modern->group->consumer, link, &session_type, modern);
    if (link && modern->asking)
        kwi_request_submit(modern->asking);
}

int64_t kwi_modern_session(const struct kw_modern *modern)
{
    return modern->session_known ? modern->session_ms : modern->interval_ms * SESSION_INTERVALS;
}
