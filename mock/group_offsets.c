/* mock/group_offsets.c -- OffsetCommit and OffsetFetch of the broker model. */
#include "mock/modern_group.h"
#include "mock/txn.h"
#include "proto/offsets.h"

enum { MOCKCOMMIT_METADATA_MAX = 4096 };

/* --- what is stored ------------------------------------------------------------------- */

static struct kw_mock_offset *mockcommit_find(const struct kw_mock_group *group,
                                              struct kw_str topic, int32_t partition)
{
    for (struct kw_node *n = group ? group->offsets.first : NULL; n; n = n->next) {
        struct kw_mock_offset *offset = KWI_OF(n, struct kw_mock_offset, node);
        if (offset->partition == partition && topic.len >= 0 &&
            offset->topic_len == (size_t)topic.len &&
            memcmp(offset->topic, topic.ptr, offset->topic_len) == 0)
            return offset;
    }
    return NULL;
}

static void mockcommit_free(struct kw_mock_offset *offset)
{
    struct kw_mock *mock = offset->group->mock;
    kwi_list_remove(&offset->group->offsets, &offset->node);
    if (offset->metadata.ptr)
        kwi_free(&mock->heap, offset->metadata.ptr, (size_t)offset->metadata.len + 1);
    kwi_free(&mock->heap, offset->topic, offset->topic_len + 1);
    kwi_free(&mock->heap, offset, sizeof(*offset));
}

void kwi_mock_offsets_destroy(struct kw_mock_group *group)
{
    while (!kwi_list_empty(&group->offsets))
        mockcommit_free(KWI_OF(group->offsets.first, struct kw_mock_offset, node));
}

void kwi_mock_offset_forget(struct kw_mock_group *group, struct kw_str topic, int32_t partition)
{
    struct kw_mock_offset *offset = mockcommit_find(group, topic, partition);
    if (offset)
        mockcommit_free(offset);
}

static struct kw_mock_offset *mockcommit_get(struct kw_mock_group *group, struct kw_str topic,
                                             int32_t partition)
{
    struct kw_mock_offset *offset = mockcommit_find(group, topic, partition);
    if (offset)
        return offset;
    offset = kwi_alloc_zero(&group->mock->heap, sizeof(*offset));
    if (!offset)
        return NULL;
    offset->group = group;
    offset->partition = partition;
    offset->metadata.len = -1;
    offset->topic_len = (size_t)topic.len;
    offset->topic = kwi_strdup(&group->mock->heap, topic.ptr, offset->topic_len);
    if (!offset->topic) {
        kwi_free(&group->mock->heap, offset, sizeof(*offset));
        return NULL;
    }
    kwi_list_push(&group->offsets, &offset->node);
    return offset;
}

int64_t kwi_mock_committed(const struct kw_mock *mock, const char *group, const char *topic,
                           int32_t partition)
{
    const struct kw_mock_offset *offset =
        mockcommit_find(kwi_map_get_str(&mock->groups, group, strlen(group)),
                        (struct kw_str){topic, (int32_t)strlen(topic)}, partition);
    return offset ? offset->offset : -1;
}

void kwi_mock_offset_set(struct kw_mock *mock, const struct kw_mock_pending *pending)
{
    struct kw_mock_group *group = kwi_mock_group_find(mock, kwi_mock_bytes_str(&pending->group),
                                                      true);
    struct kw_mock_offset *offset =
        group ? mockcommit_get(group, kwi_mock_bytes_str(&pending->topic), pending->partition)
              : NULL;
    if (!offset ||
        kwi_mock_bytes_set(mock, &offset->metadata, pending->metadata.ptr, pending->metadata.len))
        return;
    offset->offset = pending->offset;
    offset->leader_epoch = pending->leader_epoch;
}

/* --- OffsetCommit --------------------------------------------------------------------------- */

/* Who may commit: a member of the present generation, or anybody as long as there
 * is no member. */
static int16_t mockcommit_check(struct kw_mock_call *call, struct kw_mock_group **group)
{
    const struct kw_offset_commit_request *req = call->request;
    struct kw_mock_member *member;
    int16_t error;
    if (call->mock->coordinator != (int32_t)call->broker)
        return KW_E_NOT_COORDINATOR;
    if (req->group_id.len <= 0)
        return KW_E_INVALID_GROUP_ID;
    *group = kwi_mock_group_find(call->mock, req->group_id, req->generation_id_or_member_epoch < 0);
    if (!*group)
        return req->generation_id_or_member_epoch < 0 ? KW_E_UNKNOWN_SERVER_ERROR
                                                      : KW_E_ILLEGAL_GENERATION;
    if (!kwi_list_empty(&(*group)->modern))
        return kwi_mock_modern_identify(*group, req->member_id, req->generation_id_or_member_epoch);
    if (req->generation_id_or_member_epoch < 0 && (*group)->state == KWI_MOCK_GROUP_EMPTY)
        return 0;
    error = kwi_mock_group_identify(*group, req->member_id, req->group_instance_id,
                                    req->generation_id_or_member_epoch, &member);
    if (error)
        return error;
    if ((*group)->state == KWI_MOCK_GROUP_COMPLETING)
        return KW_E_REBALANCE_IN_PROGRESS;
    kwi_mock_member_touch(member);
    return 0;
}

static int16_t mockcommit_partition(struct kw_mock_call *call, struct kw_mock_group *group,
                                    const struct kw_mock_topic *topic,
                                    const struct kw_offset_commit_request_partition *item)
{
    struct kw_mock_offset *offset;
    if (!topic && call->version >= 10)
        return KW_E_UNKNOWN_TOPIC_ID;
    if (!topic || !kwi_mock_topic_partition(topic, item->partition_index))
        return KW_E_UNKNOWN_TOPIC_OR_PARTITION;
    if (item->committed_metadata.len > MOCKCOMMIT_METADATA_MAX)
        return KW_E_OFFSET_METADATA_TOO_LARGE;
    offset = mockcommit_get(group, kwi_mock_topic_str(topic), item->partition_index);
    if (!offset || kwi_mock_bytes_set(call->mock, &offset->metadata, item->committed_metadata.ptr,
                                      item->committed_metadata.len))
        return KW_E_UNKNOWN_SERVER_ERROR;
    offset->offset = item->committed_offset;
    offset->leader_epoch = call->version >= 6 ? item->committed_leader_epoch : -1;
    return 0;
}

static int mockcommit_topic(struct kw_mock_call *call, struct kw_mock_group *group, int16_t error,
                            const struct kw_offset_commit_request_topic *asked,
                            struct kw_offset_commit_response_topic *out)
{
    const struct kw_mock_topic *topic = kwi_mock_call_topic(call, call->version >= 10, asked->name,
                                                            &asked->topic_id);
    struct kw_str name = topic ? kwi_mock_topic_str(topic) : asked->name;
    struct kw_offset_commit_response_partition *items;
    struct kw_offset_commit_request_partition item;
    struct kw_iter it;
    size_t n = 0;
    items = kwi_mock_call_alloc(call, (size_t)asked->partitions.n * 2 + 1, sizeof(*items));
    if (!items)
        return KW_ERR_NOMEM;
    kwi_offset_commit_response_topic_init(out);
    if (call->version >= 10)
        out->topic_id = asked->topic_id;
    else
        out->name = asked->name;
    for (kwi_iter_init(&it, &asked->partitions); kwi_iter_next(&it, &item);) {
        int32_t copies = kwi_mock_fault_copies(call, name, item.partition_index);
        int16_t code = kwi_mock_fault_error(call, KWI_MOCK_ERROR, name, item.partition_index);
        int16_t after = kwi_mock_fault_error(call, KWI_MOCK_ERROR_AFTER, name,
                                             item.partition_index);
        if (!code)
            code = error;
        if (!code)
            code = mockcommit_partition(call, group, topic, &item);
        for (; copies > 0; copies--) {
            kwi_offset_commit_response_partition_init(&items[n]);
            items[n].partition_index = item.partition_index;
            items[n++].error_code = after ? after : code;
        }
    }
    if (kwi_mock_fault_acts(call, KWI_MOCK_UNASKED, NULL)) {
        kwi_offset_commit_response_partition_init(&items[n]);
        items[n++].partition_index = KWI_MOCK_UNASKED_PARTITION;
    }
    out->partitions = KWI_ARR(items, n);
    return 0;
}

static enum kw_mock_outcome mockcommit_serve(struct kw_mock_call *call)
{
    const struct kw_offset_commit_request *req = call->request;
    struct kw_offset_commit_response *resp = call->response;
    struct kw_offset_commit_response_topic *topics;
    struct kw_offset_commit_request_topic asked;
    struct kw_mock_group *group = NULL;
    int16_t error = mockcommit_check(call, &group);
    struct kw_iter it;
    size_t n = 0;
    topics = kwi_mock_call_alloc(call, (size_t)req->topics.n, sizeof(*topics));
    if (!topics)
        return KWI_MOCK_HUNG_UP;
    for (kwi_iter_init(&it, &req->topics); kwi_iter_next(&it, &asked); n++) {
        if (mockcommit_topic(call, group, error, &asked, &topics[n]))
            return KWI_MOCK_HUNG_UP;
    }
    resp->throttle_time_ms = call->throttle_ms;
    resp->topics = KWI_ARR(topics, n);
    return KWI_MOCK_ANSWERED;
}

static bool mockcommit_asks(const struct kw_mock_call *call, const struct kw_mock_fault *fault)
{
    const struct kw_offset_commit_request *req = call->request;
    struct kw_offset_commit_request_topic asked;
    struct kw_offset_commit_request_partition item;
    struct kw_iter it, inner;
    for (kwi_iter_init(&it, &req->topics); kwi_iter_next(&it, &asked);) {
        const struct kw_mock_topic *topic = kwi_mock_call_topic(call, call->version >= 10,
                                                                asked.name, &asked.topic_id);
        for (kwi_iter_init(&inner, &asked.partitions); kwi_iter_next(&inner, &item);) {
            if (kwi_mock_fault_covers(fault, topic ? kwi_mock_topic_str(topic) : asked.name,
                                      item.partition_index))
                return true;
        }
    }
    return false;
}

const struct kw_mock_api kwi_mock_api_offset_commit = {
    KW_API_OFFSET_COMMIT,
    1u << KWI_MOCK_ERROR_AFTER | 1u << KWI_MOCK_OMIT | 1u << KWI_MOCK_TWICE |
        1u << KWI_MOCK_UNASKED,
    mockcommit_serve,
    mockcommit_asks,
};

/* --- OffsetFetch ------------------------------------------------------------------------------ */

static void mockcommit_put(const struct kw_mock_call *call, const struct kw_mock_group *group,
                           struct kw_str topic, int32_t partition, int16_t error,
                           struct kw_offset_fetch_response_partition *out)
{
    const struct kw_mock_offset *offset = mockcommit_find(group, topic, partition);
    kwi_offset_fetch_response_partition_init(out);
    out->partition_index = partition;
    out->committed_offset = -1;
    out->metadata = kwi_str("");
    out->error_code = error ? error : kwi_mock_fault_error(call, KWI_MOCK_ERROR, topic, partition);
    if (!out->error_code && group &&
        ((const struct kw_offset_fetch_request *)call->request)->require_stable &&
        kwi_mock_txn_is_pending(call->mock, (struct kw_str){group->name, (int32_t)group->name_len},
                                topic, partition))
        out->error_code = KW_E_UNSTABLE_OFFSET_COMMIT;
    if (out->error_code || !offset)
        return;
    out->committed_offset = offset->offset;
    if (call->version >= 5)
        out->committed_leader_epoch = offset->leader_epoch;
    if (offset->metadata.len >= 0)
        out->metadata = kwi_mock_bytes_str(&offset->metadata);
}

static int mockcommit_asked_topic(struct kw_mock_call *call, const struct kw_mock_group *group,
                                  const struct kw_offset_fetch_request_topic *asked, int16_t error,
                                  struct kw_offset_fetch_response_topic *out)
{
    bool by_id = call->version >= 10;
    const struct kw_mock_topic *topic = kwi_mock_call_topic(call, by_id, asked->name,
                                                            &asked->topic_id);
    struct kw_str name = topic ? kwi_mock_topic_str(topic) : asked->name;
    struct kw_offset_fetch_response_partition *items;
    struct kw_iter it;
    size_t n = 0;
    items = kwi_mock_call_alloc(call, (size_t)asked->partition_indexes.n * 2 + 1, sizeof(*items));
    if (!items)
        return KW_ERR_NOMEM;
    kwi_offset_fetch_response_topic_init(out);
    if (by_id)
        out->topic_id = asked->topic_id;
    else
        out->name = asked->name;
    kwi_iter_init(&it, &asked->partition_indexes);
    for (int32_t partition; kwi_iter_next(&it, &partition);) {
        int32_t copies = kwi_mock_fault_copies(call, name, partition);
        for (; copies > 0; copies--) {
            mockcommit_put(call, group, name, partition, error, &items[n]);
            if (by_id && !topic)
                items[n].error_code = KW_E_UNKNOWN_TOPIC_ID;
            n++;
        }
    }
    if (kwi_mock_fault_acts(call, KWI_MOCK_UNASKED, NULL))
        mockcommit_put(call, NULL, name, KWI_MOCK_UNASKED_PARTITION, error, &items[n++]);
    out->partitions = KWI_ARR(items, n);
    return 0;
}

/* All that the group has: an entry for each, which is legal if not tidy. */
static int mockcommit_all(struct kw_mock_call *call, const struct kw_mock_group *group,
                          struct kw_arr *out)
{
    struct kw_offset_fetch_response_topic *topics;
    struct kw_offset_fetch_response_partition *items;
    size_t n = 0;
    for (struct kw_node *node = group ? group->offsets.first : NULL; node; node = node->next)
        n++;
    topics = kwi_mock_call_alloc(call, n, sizeof(*topics));
    items = kwi_mock_call_alloc(call, n, sizeof(*items));
    if (!topics || !items)
        return KW_ERR_NOMEM;
    n = 0;
    for (struct kw_node *node = group ? group->offsets.first : NULL; node; node = node->next, n++) {
        const struct kw_mock_offset *offset = KWI_OF(node, struct kw_mock_offset, node);
        struct kw_str name = {offset->topic, (int32_t)offset->topic_len};
        const struct kw_mock_topic *topic = kwi_mock_call_topic(call, false, name, NULL);
        mockcommit_put(call, group, name, offset->partition, 0, &items[n]);
        kwi_offset_fetch_response_topic_init(&topics[n]);
        if (call->version < 10)
            topics[n].name = name;
        else if (topic)
            memcpy(topics[n].topic_id.b, topic->id, sizeof(topic->id));
        topics[n].partitions = KWI_ARR(&items[n], 1);
    }
    *out = KWI_ARR(topics, n);
    return 0;
}

/* error: of every partition, where a version has no other place for it. */
static int mockcommit_fetch_group(struct kw_mock_call *call, struct kw_str group_id,
                                  const struct kw_arr *asked, int16_t error, struct kw_arr *out)
{
    const struct kw_mock_group *group = kwi_mock_group_find(call->mock, group_id, false);
    struct kw_offset_fetch_response_topic *topics;
    struct kw_offset_fetch_request_topic item;
    struct kw_iter it;
    size_t n = 0;
    if (asked->n < 0)
        return mockcommit_all(call, group, out);
    topics = kwi_mock_call_alloc(call, (size_t)asked->n, sizeof(*topics));
    if (!topics)
        return KW_ERR_NOMEM;
    for (kwi_iter_init(&it, asked); kwi_iter_next(&it, &item); n++) {
        if (mockcommit_asked_topic(call, group, &item, error, &topics[n]))
            return KW_ERR_NOMEM;
    }
    *out = KWI_ARR(topics, n);
    return 0;
}

static int mockcommit_fetch_groups(struct kw_mock_call *call, int16_t error)
{
    const struct kw_offset_fetch_request *req = call->request;
    struct kw_offset_fetch_response *resp = call->response;
    struct kw_offset_fetch_request_group asked;
    struct kw_offset_fetch_response_group *groups;
    struct kw_iter it;
    size_t n = 0;
    groups = kwi_mock_call_alloc(call, (size_t)req->groups.n, sizeof(*groups));
    if (!groups)
        return KW_ERR_NOMEM;
    for (kwi_iter_init(&it, &req->groups); kwi_iter_next(&it, &asked); n++) {
        kwi_offset_fetch_response_group_init(&groups[n]);
        groups[n].group_id = asked.group_id;
        groups[n].error_code = error;
        if (!error && call->version >= 9 && asked.member_id.len >= 0)
            groups[n].error_code =
                kwi_mock_modern_identify(kwi_mock_group_find(call->mock, asked.group_id, false),
                                         asked.member_id, asked.member_epoch);
        if (!groups[n].error_code &&
            mockcommit_fetch_group(call, asked.group_id, &asked.topics, 0, &groups[n].topics))
            return KW_ERR_NOMEM;
    }
    resp->groups = KWI_ARR(groups, n);
    return 0;
}

static enum kw_mock_outcome mockcommit_fetch_serve(struct kw_mock_call *call)
{
    const struct kw_offset_fetch_request *req = call->request;
    struct kw_offset_fetch_response *resp = call->response;
    bool here = call->mock->coordinator == (int32_t)call->broker;
    int16_t error = kwi_mock_fault_error(call, KWI_MOCK_ERROR_AFTER, KWI_NULL_STR, -1);
    int rc = 0;
    if (!error && !here)
        error = KW_E_NOT_COORDINATOR;
    resp->throttle_time_ms = call->throttle_ms;
    if (call->version >= 8)
        rc = mockcommit_fetch_groups(call, error);
    else if (!error || call->version < 2)
        rc = mockcommit_fetch_group(call, req->group_id, &req->topics, error, &resp->topics);
    if (call->version >= 2 && call->version < 8)
        resp->error_code = error;
    return rc ? KWI_MOCK_HUNG_UP : KWI_MOCK_ANSWERED;
}

static bool mockcommit_fetch_asks_topics(const struct kw_mock_call *call,
                                         const struct kw_arr *topics,
                                         const struct kw_mock_fault *fault)
{
    struct kw_offset_fetch_request_topic asked;
    struct kw_iter it, inner;
    if (topics->n < 0)
        return true;
    for (kwi_iter_init(&it, topics); kwi_iter_next(&it, &asked);) {
        const struct kw_mock_topic *topic = kwi_mock_call_topic(call, call->version >= 10,
                                                                asked.name, &asked.topic_id);
        kwi_iter_init(&inner, &asked.partition_indexes);
        for (int32_t partition; kwi_iter_next(&inner, &partition);) {
            if (kwi_mock_fault_covers(fault, topic ? kwi_mock_topic_str(topic) : asked.name,
                                      partition))
                return true;
        }
    }
    return false;
}

static bool mockcommit_fetch_asks(const struct kw_mock_call *call,
                                  const struct kw_mock_fault *fault)
{
    const struct kw_offset_fetch_request *req = call->request;
    struct kw_offset_fetch_request_group asked;
    struct kw_iter it;
    if (call->version < 8)
        return mockcommit_fetch_asks_topics(call, &req->topics, fault);
    for (kwi_iter_init(&it, &req->groups); kwi_iter_next(&it, &asked);) {
        if (mockcommit_fetch_asks_topics(call, &asked.topics, fault))
            return true;
    }
    return false;
}

const struct kw_mock_api kwi_mock_api_offset_fetch = {
    KW_API_OFFSET_FETCH,
    1u << KWI_MOCK_ERROR_AFTER | 1u << KWI_MOCK_OMIT | 1u << KWI_MOCK_TWICE |
        1u << KWI_MOCK_UNASKED,
    mockcommit_fetch_serve,
    mockcommit_fetch_asks,
};
