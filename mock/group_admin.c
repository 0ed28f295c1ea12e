/* mock/group_admin.c -- looking after groups of the broker model: ListGroups,
 * DescribeGroups, DeleteGroups, OffsetDelete. ConsumerGroupDescribe is in
 * modern_calls.c. Only the coordinator has groups to list. */
#include "mock/modern_group.h"
#include "proto/consumer_protocol.h"
#include "proto/groups.h"

static struct kw_str mockadmin_state(const struct kw_mock_group *group)
{
    static const char *const classic[] = {"Empty", "PreparingRebalance", "CompletingRebalance",
                                          "Stable"};
    static const char *const modern[] = {"Empty", "Reconciling", "Reconciling", "Stable"};
    struct kw_mock_group_info info;
    if (kwi_mock_group(group->mock, group->name, &info))
        return kwi_str("Dead");
    return kwi_str(group->is_modern ? modern[info.state] : classic[info.state]);
}

/* As filters are: whatever the case, none stands for all. */
static bool mockadmin_passes(const struct kw_arr *filter, struct kw_str word)
{
    struct kw_iter it;
    struct kw_str item;
    if (filter->n <= 0)
        return true;
    for (kwi_iter_init(&it, filter); kwi_iter_next(&it, &item);) {
        int32_t i = 0;
        while (item.len == word.len && i < word.len && (item.ptr[i] | 32) == (word.ptr[i] | 32))
            i++;
        if (item.len == word.len && i == word.len)
            return true;
    }
    return false;
}

/* --- ListGroups ------------------------------------------------------------------------ */

static void mockadmin_list_put(const struct kw_mock_call *call, const struct kw_mock_group *group,
                               struct kw_list_groups_group *out)
{
    kwi_list_groups_group_init(out);
    out->group_id = (struct kw_str){group->name, (int32_t)group->name_len};
    out->protocol_type = group->is_modern                ? kwi_str("consumer")
                         : group->protocol_type.len >= 0 ? kwi_mock_bytes_str(&group->protocol_type)
                                                         : kwi_str("");
    if (call->version >= 4)
        out->group_state = mockadmin_state(group);
    if (call->version >= 5)
        out->group_type = kwi_str(group->is_modern ? "consumer" : "classic");
}

static enum kw_mock_outcome mockadmin_list_serve(struct kw_mock_call *call)
{
    const struct kw_list_groups_request *req = call->request;
    struct kw_list_groups_response *resp = call->response;
    struct kw_list_groups_group *items;
    const struct kw_mock_group *group;
    uint32_t at = 0;
    size_t n = 0;
    items = kwi_mock_call_alloc(call, kwi_map_len(&call->mock->groups), sizeof(*items));
    if (!items)
        return KWI_MOCK_HUNG_UP;
    resp->throttle_time_ms = call->throttle_ms;
    resp->error_code = kwi_mock_fault_error(call, KWI_MOCK_ERROR, KWI_NULL_STR, -1);
    while (!resp->error_code && call->mock->coordinator == (int32_t)call->broker &&
           (group = kwi_map_next(&call->mock->groups, &at))) {
        if (mockadmin_passes(&req->states_filter, mockadmin_state(group)) &&
            mockadmin_passes(&req->types_filter,
                             kwi_str(group->is_modern ? "consumer" : "classic")))
            mockadmin_list_put(call, group, &items[n++]);
    }
    resp->groups = KWI_ARR(items, n);
    return KWI_MOCK_ANSWERED;
}

const struct kw_mock_api kwi_mock_api_list_groups = {KW_API_LIST_GROUPS, 0, mockadmin_list_serve,
                                                     NULL};

/* --- DescribeGroups ---------------------------------------------------------------------- */

static struct kw_blob mockadmin_blob(const struct kw_mock_bytes *bytes)
{
    return (struct kw_blob){(const uint8_t *)(bytes->len > 0 ? bytes->ptr : ""),
                            bytes->len > 0 ? bytes->len : 0};
}

static void mockadmin_member_put(const struct kw_mock_call *call,
                                 const struct kw_mock_member *member,
                                 struct kw_describe_groups_member *out)
{
    kwi_describe_groups_member_init(out);
    out->member_id = kwi_mock_bytes_str(&member->id);
    if (call->version >= 4)
        out->group_instance_id = kwi_mock_bytes_str(&member->instance_id);
    out->client_id = member->client_id.len >= 0 ? kwi_mock_bytes_str(&member->client_id)
                                                : kwi_str("");
    out->client_host = kwi_str("/127.0.0.1");
    out->member_metadata = out->member_assignment = (struct kw_blob){(const uint8_t *)"", 0};
    if (member->group->state == KWI_MOCK_GROUP_STABLE)
        out->member_assignment = mockadmin_blob(&member->assignment);
}

static int mockadmin_describe_put(struct kw_mock_call *call, const struct kw_mock_group *group,
                                  struct kw_describe_groups_group *out)
{
    struct kw_describe_groups_member *members;
    size_t n = 0;
    for (struct kw_node *node = group->members.first; node; node = node->next)
        n++;
    members = kwi_mock_call_alloc(call, n, sizeof(*members));
    if (!members)
        return KW_ERR_NOMEM;
    n = 0;
    for (struct kw_node *node = group->members.first; node; node = node->next) {
        const struct kw_mock_member *member = KWI_OF(node, struct kw_mock_member, node);
        if (!member->pending)
            mockadmin_member_put(call, member, &members[n++]);
    }
    out->group_state = mockadmin_state(group);
    if (group->protocol_type.len >= 0)
        out->protocol_type = kwi_mock_bytes_str(&group->protocol_type);
    if (group->protocol.len >= 0 && group->state == KWI_MOCK_GROUP_STABLE)
        out->protocol_data = kwi_mock_bytes_str(&group->protocol);
    out->members = KWI_ARR(members, n);
    return 0;
}

static enum kw_mock_outcome mockadmin_describe_serve(struct kw_mock_call *call)
{
    const struct kw_describe_groups_request *req = call->request;
    struct kw_describe_groups_response *resp = call->response;
    struct kw_describe_groups_group *groups;
    struct kw_iter it;
    struct kw_str id;
    size_t n = 0;
    groups = kwi_mock_call_alloc(call, (size_t)req->groups.n, sizeof(*groups));
    if (!groups)
        return KWI_MOCK_HUNG_UP;
    for (kwi_iter_init(&it, &req->groups); kwi_iter_next(&it, &id); n++) {
        const struct kw_mock_group *group = kwi_mock_group_find(call->mock, id, false);
        kwi_describe_groups_group_init(&groups[n]);
        groups[n].group_id = id;
        groups[n].group_state = groups[n].protocol_type = groups[n].protocol_data = kwi_str("");
        groups[n].error_code = kwi_mock_group_check(call, id);
        if (groups[n].error_code)
            continue;
        if (!group || group->is_modern) {
            groups[n].group_state = kwi_str("Dead");
            if (call->version >= 6)
                groups[n].error_code = KW_E_GROUP_ID_NOT_FOUND;
        } else if (mockadmin_describe_put(call, group, &groups[n])) {
            return KWI_MOCK_HUNG_UP;
        }
    }
    resp->throttle_time_ms = call->throttle_ms;
    resp->groups = KWI_ARR(groups, n);
    return KWI_MOCK_ANSWERED;
}

const struct kw_mock_api kwi_mock_api_describe_groups = {KW_API_DESCRIBE_GROUPS, 0,
                                                         mockadmin_describe_serve, NULL};

/* --- DeleteGroups -------------------------------------------------------------------------- */

static bool mockadmin_is_empty(const struct kw_mock_group *group)
{
    return kwi_list_empty(&group->members) && kwi_list_empty(&group->modern);
}

static enum kw_mock_outcome mockadmin_delete_serve(struct kw_mock_call *call)
{
    const struct kw_delete_groups_request *req = call->request;
    struct kw_delete_groups_response *resp = call->response;
    struct kw_delete_groups_result *results;
    struct kw_iter it;
    struct kw_str id;
    size_t n = 0;
    results = kwi_mock_call_alloc(call, (size_t)req->groups_names.n, sizeof(*results));
    if (!results)
        return KWI_MOCK_HUNG_UP;
    for (kwi_iter_init(&it, &req->groups_names); kwi_iter_next(&it, &id); n++) {
        struct kw_mock_group *group = kwi_mock_group_find(call->mock, id, false);
        kwi_delete_groups_result_init(&results[n]);
        results[n].group_id = id;
        results[n].error_code = kwi_mock_group_check(call, id);
        if (!results[n].error_code && !group)
            results[n].error_code = KW_E_GROUP_ID_NOT_FOUND;
        if (!results[n].error_code && !mockadmin_is_empty(group))
            results[n].error_code = KW_E_NON_EMPTY_GROUP;
        if (!results[n].error_code)
            kwi_mock_group_destroy(group);
    }
    resp->throttle_time_ms = call->throttle_ms;
    resp->results = KWI_ARR(results, n);
    return KWI_MOCK_ANSWERED;
}

const struct kw_mock_api kwi_mock_api_delete_groups = {KW_API_DELETE_GROUPS, 0,
                                                       mockadmin_delete_serve, NULL};

/* --- OffsetDelete ---------------------------------------------------------------------------- */

/* Members of the classic kind keep their topics in a blob; those of KIP-848 say them. */
static bool mockadmin_is_subscribed(const struct kw_mock_group *group, struct kw_str topic)
{
    for (struct kw_node *n = group->members.first; n; n = n->next) {
        const struct kw_mock_member *member = KWI_OF(n, struct kw_mock_member, node);
        struct kw_consumer_protocol_subscription subscription;
        struct kw_fault fault;
        struct kw_iter it;
        struct kw_str name;
        struct kw_blob blob = member->n_protocols ? mockadmin_blob(&member->protocols[0].metadata)
                                                  : (struct kw_blob){NULL, -1};
        int version;
        if (blob.len <= 0 || kwi_subscription_get(&blob, &subscription, &version, &fault))
            return true;
        for (kwi_iter_init(&it, &subscription.topics); kwi_iter_next(&it, &name);) {
            if (name.len == topic.len && !memcmp(name.ptr, topic.ptr, (size_t)name.len))
                return true;
        }
    }
    for (struct kw_node *n = group->modern.first; n; n = n->next) {
        const struct kw_mock_modern *member = KWI_OF(n, struct kw_mock_modern, node);
        for (uint32_t i = 0; i < member->n_names; i++) {
            if (kwi_mock_bytes_are(&member->names[i], topic.ptr, topic.len))
                return true;
        }
    }
    return false;
}

static int mockadmin_offsets_topic(struct kw_mock_call *call, struct kw_mock_group *group,
                                   const struct kw_offset_delete_request_topic *asked,
                                   struct kw_offset_delete_response_topic *out)
{
    struct kw_offset_delete_response_partition *items;
    struct kw_offset_delete_request_partition item;
    struct kw_iter it;
    size_t n = 0;
    items = kwi_mock_call_alloc(call, (size_t)asked->partitions.n, sizeof(*items));
    if (!items)
        return KW_ERR_NOMEM;
    kwi_offset_delete_response_topic_init(out);
    out->name = asked->name;
    for (kwi_iter_init(&it, &asked->partitions); kwi_iter_next(&it, &item); n++) {
        const struct kw_mock_topic *topic = kwi_mock_call_topic(call, false, asked->name, NULL);
        kwi_offset_delete_response_partition_init(&items[n]);
        items[n].partition_index = item.partition_index;
        if (!topic || !kwi_mock_topic_partition(topic, item.partition_index))
            items[n].error_code = KW_E_UNKNOWN_TOPIC_OR_PARTITION;
        else if (mockadmin_is_subscribed(group, asked->name))
            items[n].error_code = KW_E_GROUP_SUBSCRIBED_TO_TOPIC;
        else
            kwi_mock_offset_forget(group, asked->name, item.partition_index);
    }
    out->partitions = KWI_ARR(items, n);
    return 0;
}

static enum kw_mock_outcome mockadmin_offsets_serve(struct kw_mock_call *call)
{
    const struct kw_offset_delete_request *req = call->request;
    struct kw_offset_delete_response *resp = call->response;
    struct kw_mock_group *group = kwi_mock_group_find(call->mock, req->group_id, false);
    struct kw_offset_delete_response_topic *topics;
    struct kw_offset_delete_request_topic asked;
    struct kw_iter it;
    size_t n = 0;
    resp->throttle_time_ms = call->throttle_ms;
    resp->error_code = kwi_mock_group_check(call, req->group_id);
    if (!resp->error_code && !group)
        resp->error_code = KW_E_GROUP_ID_NOT_FOUND;
    if (resp->error_code)
        return KWI_MOCK_ANSWERED;
    topics = kwi_mock_call_alloc(call, (size_t)req->topics.n, sizeof(*topics));
    if (!topics)
        return KWI_MOCK_HUNG_UP;
    for (kwi_iter_init(&it, &req->topics); kwi_iter_next(&it, &asked); n++) {
        if (mockadmin_offsets_topic(call, group, &asked, &topics[n]))
            return KWI_MOCK_HUNG_UP;
    }
    resp->topics = KWI_ARR(topics, n);
    return KWI_MOCK_ANSWERED;
}

const struct kw_mock_api kwi_mock_api_offset_delete = {KW_API_OFFSET_DELETE, 0,
                                                       mockadmin_offsets_serve, NULL};
