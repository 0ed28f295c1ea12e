/* mock/modern_calls.c -- ConsumerGroupHeartbeat and ConsumerGroupDescribe of the broker
 * model. What they do to a group is in modern_group.c. */
#include "mock/modern_group.h"

enum { MOCKMODERN_JOIN = 0, MOCKMODERN_LEAVE = -1, MOCKMODERN_LEAVE_STATIC = -2 };

/* --- ConsumerGroupHeartbeat ------------------------------------------------------------ */

static bool mockmodern_knows_assignor(struct kw_str name)
{
    return name.len < 0 || (name.len == 7 && !memcmp(name.ptr, "uniform", 7)) ||
           (name.len == 5 && !memcmp(name.ptr, "range", 5));
}

/* What is wrong with the request, whoever sends it. */
static int16_t mockmodern_check(const struct kw_consumer_group_heartbeat_request *req)
{
    bool names = req->subscribed_topic_names.n >= 0 || req->subscribed_topic_regex.len >= 0;
    if (req->member_id.len <= 0 || req->member_epoch < MOCKMODERN_LEAVE_STATIC ||
        req->instance_id.len == 0 || req->rack_id.len == 0)
        return KW_E_INVALID_REQUEST;
    if (req->member_epoch == MOCKMODERN_LEAVE_STATIC && req->instance_id.len < 0)
        return KW_E_INVALID_REQUEST;
    if (req->member_epoch == MOCKMODERN_JOIN &&
        (req->rebalance_timeout_ms < 0 || req->topic_partitions.n != 0 || !names))
        return KW_E_INVALID_REQUEST;
    if (!mockmodern_knows_assignor(req->server_assignor))
        return KW_E_UNSUPPORTED_ASSIGNOR;
    if (req->subscribed_topic_regex.len > 0 &&
        !kwi_mock_pattern_is_good(req->subscribed_topic_regex))
        return KW_E_INVALID_REGULAR_EXPRESSION;
    return 0;
}

/* The member that a static one comes back as: it has what the one before had. */
static int mockmodern_take_over(struct kw_mock_modern *member, struct kw_str id)
{
    member->epoch = 0;
    member->previous_epoch = -1;
    return kwi_mock_bytes_set(member->group->mock, &member->id, id.ptr, id.len);
}

/* Finds or makes the member that joins. */
static enum kw_mock_outcome mockmodern_join(struct kw_mock_call *call, struct kw_mock_group *group,
                                            struct kw_mock_modern **out, bool *changed)
{
    const struct kw_consumer_group_heartbeat_request *req = call->request;
    struct kw_consumer_group_heartbeat_response *resp = call->response;
    struct kw_mock_modern *holder = kwi_mock_modern_instance(group, req->instance_id);
    *out = holder ? holder : kwi_mock_modern_find(group, req->member_id);
    if (holder && holder->epoch != MOCKMODERN_LEAVE_STATIC &&
        !kwi_mock_bytes_are(&holder->id, req->member_id.ptr, req->member_id.len)) {
        resp->error_code = KW_E_UNRELEASED_INSTANCE_ID;
        return KWI_MOCK_ANSWERED;
    }
    if (holder && holder->epoch == MOCKMODERN_LEAVE_STATIC &&
        mockmodern_take_over(holder, req->member_id))
        return KWI_MOCK_HUNG_UP;
    if (*out)
        return KWI_MOCK_ANSWERED;
    *changed = true;
    *out = kwi_mock_modern_add(group, req->member_id, req->instance_id);
    if (!*out || kwi_mock_bytes_set(call->mock, &(*out)->client_id, call->client_id.ptr,
                                    call->client_id.len))
        return KWI_MOCK_HUNG_UP;
    return KWI_MOCK_ANSWERED;
}

/* Whether the member is who it says it is. */
static int16_t mockmodern_known(const struct kw_mock_group *group,
                                const struct kw_consumer_group_heartbeat_request *req,
                                struct kw_mock_modern **out)
{
    struct kw_mock_modern *holder = kwi_mock_modern_instance(group, req->instance_id);
    if (req->instance_id.len >= 0 && !holder)
        return KW_E_UNKNOWN_MEMBER_ID;
    if (holder && !kwi_mock_bytes_are(&holder->id, req->member_id.ptr, req->member_id.len))
        return KW_E_FENCED_INSTANCE_ID;
    *out = holder ? holder : kwi_mock_modern_find(group, req->member_id);
    return *out ? 0 : KW_E_UNKNOWN_MEMBER_ID;
}

static bool mockmodern_is_subset(const struct kw_arr *owned, const struct kw_mock_set *set)
{
    struct kw_group_partitions topic;
    struct kw_iter it, numbers;
    int32_t partition;
    for (kwi_iter_init(&it, owned); kwi_iter_next(&it, &topic);) {
        for (kwi_iter_init(&numbers, &topic.partitions); kwi_iter_next(&numbers, &partition);) {
            struct kw_mock_owned item = {.partition = partition};
            memcpy(item.id, topic.topic_id.b, sizeof(item.id));
            if (!kwi_mock_set_has(set, &item))
                return false;
        }
    }
    return owned->n >= 0;
}

/* An epoch that is behind is taken if the answer that raised it may have been lost. */
static int16_t mockmodern_check_epoch(const struct kw_mock_modern *member,
                                      const struct kw_consumer_group_heartbeat_request *req)
{
    if (req->member_epoch == member->epoch)
        return 0;
    if (req->member_epoch > member->epoch || req->member_epoch != member->previous_epoch)
        return KW_E_FENCED_MEMBER_EPOCH;
    return mockmodern_is_subset(&req->topic_partitions, &member->assigned)
               ? 0
               : KW_E_FENCED_MEMBER_EPOCH;
}

static int mockmodern_assignment(struct kw_mock_call *call, const struct kw_mock_set *set,
                                 struct kw_group_assignment *out)
{
    struct kw_group_partitions *topics = kwi_mock_call_alloc(call, set->n, sizeof(*topics));
    int32_t *numbers = kwi_mock_call_alloc(call, set->n, sizeof(*numbers));
    size_t n = 0, n_topics = 0;
    if (!topics || !numbers)
        return KW_ERR_NOMEM;
    for (uint32_t i = 0; i < set->n; i++) {
        size_t begin = n;
        bool seen = false;
        for (uint32_t k = 0; k < i; k++)
            seen |= memcmp(set->list[k].id, set->list[i].id, 16) == 0;
        for (uint32_t k = i; !seen && k < set->n; k++) {
            if (memcmp(set->list[k].id, set->list[i].id, 16) == 0)
                numbers[n++] = set->list[k].partition;
        }
        if (seen)
            continue;
        kwi_group_partitions_init(&topics[n_topics]);
        memcpy(topics[n_topics].topic_id.b, set->list[i].id, 16);
        topics[n_topics++].partitions = KWI_ARR(&numbers[begin], n - begin);
    }
    out->present = true;
    out->topic_partitions = KWI_ARR(topics, n_topics);
    return 0;
}

/* It is a member: its subscription, the targets of all, its own way there. */
static enum kw_mock_outcome mockmodern_beat(struct kw_mock_call *call,
                                            struct kw_mock_modern *member, bool changed)
{
    const struct kw_consumer_group_heartbeat_request *req = call->request;
    struct kw_consumer_group_heartbeat_response *resp = call->response;
    struct kw_mock *mock = call->mock;
    bool full = req->member_epoch == MOCKMODERN_JOIN ||
                (req->rebalance_timeout_ms >= 0 && req->topic_partitions.n >= 0 &&
                 (req->subscribed_topic_names.n >= 0 || req->subscribed_topic_regex.len >= 0));
    struct kw_mock_set before = {NULL, 0, 0};
    int rc = kwi_mock_set_copy(mock, &before, &member->assigned);
    if (!rc)
        rc = kwi_mock_modern_subscribe(member, req, &changed);
    if (!rc)
        rc = kwi_mock_modern_assign(member->group, changed);
    if (!rc)
        rc = kwi_mock_modern_reconcile(member, &req->topic_partitions);
    full |= !kwi_mock_set_is_same(&before, &member->assigned);
    kwi_mock_set_free(mock, &before);
    kwi_mock_modern_touch(member);
    if (rc || (full && mockmodern_assignment(call, &member->assigned, &resp->assignment)))
        return KWI_MOCK_HUNG_UP;
    resp->member_id = kwi_mock_bytes_str(&member->id);
    resp->member_epoch = member->epoch;
    resp->heartbeat_interval_ms = (int32_t)mock->config.group_heartbeat_ms;
    return KWI_MOCK_ANSWERED;
}

static enum kw_mock_outcome mockmodern_leave(struct kw_mock_call *call,
                                             struct kw_mock_modern *member)
{
    const struct kw_consumer_group_heartbeat_request *req = call->request;
    struct kw_consumer_group_heartbeat_response *resp = call->response;
    resp->member_id = req->member_id;
    resp->member_epoch = req->member_epoch;
    if (req->member_epoch == MOCKMODERN_LEAVE)
        kwi_mock_modern_remove(member);
    else
        member->epoch = MOCKMODERN_LEAVE_STATIC;
    return KWI_MOCK_ANSWERED;
}

static enum kw_mock_outcome mockmodern_serve(struct kw_mock_call *call)
{
    const struct kw_consumer_group_heartbeat_request *req = call->request;
    struct kw_consumer_group_heartbeat_response *resp = call->response;
    struct kw_mock_modern *member = NULL;
    struct kw_mock_group *group;
    bool changed = false;
    resp->throttle_time_ms = call->throttle_ms;
    resp->error_code = kwi_mock_group_check(call, req->group_id);
    if (!resp->error_code)
        resp->error_code = mockmodern_check(req);
    if (resp->error_code)
        return KWI_MOCK_ANSWERED;
    group = kwi_mock_group_find(call->mock, req->group_id, req->member_epoch == MOCKMODERN_JOIN);
    if (!group && req->member_epoch == MOCKMODERN_JOIN)
        return KWI_MOCK_HUNG_UP;
    if (!group || !kwi_list_empty(&group->members)) {
        resp->error_code = KW_E_GROUP_ID_NOT_FOUND;
        return KWI_MOCK_ANSWERED;
    }
    if (req->member_epoch == MOCKMODERN_JOIN) {
        enum kw_mock_outcome outcome = mockmodern_join(call, group, &member, &changed);
        if (outcome != KWI_MOCK_ANSWERED || resp->error_code)
            return outcome;
        return mockmodern_beat(call, member, changed);
    }
    resp->error_code = mockmodern_known(group, req, &member);
    if (!resp->error_code && req->member_epoch < MOCKMODERN_JOIN)
        return mockmodern_leave(call, member);
    if (!resp->error_code)
        resp->error_code = mockmodern_check_epoch(member, req);
    return resp->error_code ? KWI_MOCK_ANSWERED : mockmodern_beat(call, member, false);
}

/* What was done may be told as something else. */
static enum kw_mock_outcome mockmodern_serve_after(struct kw_mock_call *call)
{
    struct kw_consumer_group_heartbeat_response *resp = call->response;
    int16_t after = kwi_mock_fault_error(call, KWI_MOCK_ERROR_AFTER, KWI_NULL_STR, -1);
    enum kw_mock_outcome outcome = mockmodern_serve(call);
    if (outcome == KWI_MOCK_ANSWERED && after) {
        kwi_consumer_group_heartbeat_response_init(resp);
        resp->throttle_time_ms = call->throttle_ms;
        resp->error_code = after;
    }
    return outcome;
}

const struct kw_mock_api kwi_mock_api_consumer_group_heartbeat = {
    KW_API_CONSUMER_GROUP_HEARTBEAT, 1u << KWI_MOCK_ERROR_AFTER, mockmodern_serve_after, NULL};

/* --- ConsumerGroupDescribe ----------------------------------------------------------------- */

static int mockmodern_described(struct kw_mock_call *call, const struct kw_mock_set *set,
                                const struct kw_mock_set *more,
                                struct kw_group_described_assignment *out)
{
    uint32_t n = set->n + (more ? more->n : 0);
    struct kw_group_described_partitions *items = kwi_mock_call_alloc(call, n, sizeof(*items));
    if (!items)
        return KW_ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        const struct kw_mock_owned *item = i < set->n ? &set->list[i] : &more->list[i - set->n];
        const struct kw_mock_topic *topic = kwi_mock_topic_find_id(call->mock, item->id);
        kwi_group_described_partitions_init(&items[i]);
        memcpy(items[i].topic_id.b, item->id, sizeof(item->id));
        items[i].topic_name = topic ? kwi_mock_topic_str(topic) : kwi_str("");
        items[i].partitions = KWI_ARR(&item->partition, 1);
    }
    out->topic_partitions = KWI_ARR(items, n);
    return 0;
}

static int mockmodern_member_put(struct kw_mock_call *call, const struct kw_mock_modern *member,
                                 struct kw_consumer_group_member *out)
{
    struct kw_str *names = kwi_mock_call_alloc(call, member->n_names, sizeof(*names));
    if (!names)
        return KW_ERR_NOMEM;
    for (uint32_t i = 0; i < member->n_names; i++)
        names[i] = kwi_mock_bytes_str(&member->names[i]);
    kwi_consumer_group_member_init(out);
    out->member_id = kwi_mock_bytes_str(&member->id);
    out->instance_id = kwi_mock_bytes_str(&member->instance_id);
    out->member_epoch = member->epoch;
    out->client_id = member->client_id.len >= 0 ? kwi_mock_bytes_str(&member->client_id)
                                                : kwi_str("");
    out->client_host = kwi_str("/127.0.0.1");
    out->subscribed_topic_names = KWI_ARR(names, member->n_names);
    out->subscribed_topic_regex = kwi_mock_bytes_str(&member->pattern);
    if (call->version >= 1)
        out->member_type = 1;
    return mockmodern_described(call, &member->assigned, &member->pending, &out->assignment) ||
                   mockmodern_described(call, &member->target, NULL, &out->target_assignment)
               ? KW_ERR_NOMEM
               : 0;
}

static int mockmodern_group_put(struct kw_mock_call *call, const struct kw_mock_group *group,
                                struct kw_consumer_group_described *out)
{
    static const char *const states[] = {"Empty", "Reconciling", "Reconciling", "Stable"};
    struct kw_consumer_group_member *members;
    struct kw_mock_group_info info;
    size_t n = 0;
    if (kwi_mock_group(call->mock, group->name, &info))
        return KW_ERR_STATE;
    members = kwi_mock_call_alloc(call, info.n_members, sizeof(*members));
    if (!members)
        return KW_ERR_NOMEM;
    for (struct kw_node *node = group->modern.first; node; node = node->next, n++) {
        if (mockmodern_member_put(call, KWI_OF(node, struct kw_mock_modern, node), &members[n]))
            return KW_ERR_NOMEM;
    }
    out->group_state = kwi_str(states[info.state]);
    out->group_epoch = out->assignment_epoch = group->generation;
    out->assignor_name = kwi_str(kwi_mock_modern_is_range(group) ? "range" : "uniform");
    out->members = KWI_ARR(members, n);
    return 0;
}

static enum kw_mock_outcome mockmodern_describe_serve(struct kw_mock_call *call)
{
    const struct kw_consumer_group_describe_request *req = call->request;
    struct kw_consumer_group_describe_response *resp = call->response;
    struct kw_consumer_group_described *groups;
    struct kw_iter it;
    struct kw_str id;
    size_t n = 0;
    groups = kwi_mock_call_alloc(call, (size_t)req->group_ids.n, sizeof(*groups));
    if (!groups)
        return KWI_MOCK_HUNG_UP;
    for (kwi_iter_init(&it, &req->group_ids); kwi_iter_next(&it, &id); n++) {
        const struct kw_mock_group *group = kwi_mock_group_find(call->mock, id, false);
        kwi_consumer_group_described_init(&groups[n]);
        groups[n].group_id = id;
        groups[n].group_state = groups[n].assignor_name = kwi_str("");
        groups[n].error_message = KWI_NULL_STR;
        groups[n].error_code = kwi_mock_group_check(call, id);
        if (!groups[n].error_code && (!group || !group->is_modern))
            groups[n].error_code = KW_E_GROUP_ID_NOT_FOUND;
        if (!groups[n].error_code && mockmodern_group_put(call, group, &groups[n]))
            return KWI_MOCK_HUNG_UP;
    }
    resp->throttle_time_ms = call->throttle_ms;
    resp->groups = KWI_ARR(groups, n);
    return KWI_MOCK_ANSWERED;
}

const struct kw_mock_api kwi_mock_api_consumer_group_describe = {KW_API_CONSUMER_GROUP_DESCRIBE, 0,
                                                                 mockmodern_describe_serve, NULL};
