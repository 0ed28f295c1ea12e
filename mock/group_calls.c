/* mock/group_calls.c -- JoinGroup, SyncGroup, Heartbeat and LeaveGroup of the broker
 * model. JoinGroup waits until all members have joined, SyncGroup until the leader
 * has assigned; both are served again when something changed, and know by their
 * ticket that they were here before. */
#include "mock/group.h"

enum { MOCKGROUP_SESSION_MAX_MS = 1800000 };

/* --- JoinGroup ------------------------------------------------------------------------- */

static enum kw_mock_outcome mockgroup_join_error(struct kw_mock_call *call, int16_t error,
                                                 struct kw_str member_id)
{
    struct kw_join_group_response *resp = call->response;
    resp->error_code = error;
    resp->generation_id = -1;
    resp->protocol_name = call->version >= 7 ? KWI_NULL_STR : kwi_str("");
    resp->leader = kwi_str("");
    resp->member_id = member_id.len >= 0 ? member_id : kwi_str("");
    return KWI_MOCK_ANSWERED;
}

static const struct kw_mock_bytes *mockgroup_metadata(const struct kw_mock_member *member,
                                                      const struct kw_mock_bytes *protocol)
{
    static const struct kw_mock_bytes none = {NULL, 0};
    for (uint32_t i = 0; i < member->n_protocols; i++) {
        if (kwi_mock_bytes_are(&member->protocols[i].name, protocol->ptr, protocol->len))
            return &member->protocols[i].metadata;
    }
    return &none;
}

static int mockgroup_join_members(struct kw_mock_call *call, const struct kw_mock_group *group)
{
    struct kw_join_group_response *resp = call->response;
    struct kw_join_group_response_member *items;
    size_t n = 0;
    for (struct kw_node *node = group->members.first; node; node = node->next)
        n++;
    items = kwi_mock_call_alloc(call, n, sizeof(*items));
    if (!items)
        return KW_ERR_NOMEM;
    n = 0;
    for (struct kw_node *node = group->members.first; node; node = node->next) {
        const struct kw_mock_member *member = KWI_OF(node, struct kw_mock_member, node);
        const struct kw_mock_bytes *metadata = mockgroup_metadata(member, &group->protocol);
        if (member->pending)
            continue;
        kwi_join_group_response_member_init(&items[n]);
        items[n].member_id = kwi_mock_bytes_str(&member->id);
        if (call->version >= 5)
            items[n].group_instance_id = kwi_mock_bytes_str(&member->instance_id);
        items[n++].metadata = (struct kw_blob){(const uint8_t *)metadata->ptr, metadata->len};
    }
    resp->members = KWI_ARR(items, n);
    return 0;
}

/* The member is in the present generation. keep: a static leader that came back
 * is told to leave the assignment as it is. */
static enum kw_mock_outcome mockgroup_join_answer(struct kw_mock_call *call,
                                                  struct kw_mock_member *member, bool keep)
{
    const struct kw_mock_group *group = member->group;
    struct kw_join_group_response *resp = call->response;
    bool leads = kwi_mock_bytes_are(&group->leader, member->id.ptr, member->id.len);
    member->join_ticket = 0;
    kwi_mock_member_touch(member);
    resp->generation_id = group->generation;
    if (call->version >= 7)
        resp->protocol_type = kwi_mock_bytes_str(&group->protocol_type);
    resp->protocol_name = kwi_mock_bytes_str(&group->protocol);
    resp->leader = kwi_mock_bytes_str(&group->leader);
    resp->member_id = kwi_mock_bytes_str(&member->id);
    if (leads && call->version >= 9)
        resp->skip_assignment = keep;
    if (leads && mockgroup_join_members(call, group))
        return KWI_MOCK_HUNG_UP;
    return KWI_MOCK_ANSWERED;
}

static enum kw_mock_outcome mockgroup_join_wait(struct kw_mock_call *call,
                                                struct kw_mock_member *member)
{
    member->join_ticket = call->ticket;
    call->deadline_us = call->mock->now.mono_us + KWI_MOCK_GROUP_EVER_US;
    return KWI_MOCK_PARKED;
}

/* The member takes part in the next generation. */
static enum kw_mock_outcome mockgroup_join_enter(struct kw_mock_call *call,
                                                 struct kw_mock_member *member)
{
    const struct kw_join_group_request *req = call->request;
    struct kw_mock_group *group = member->group;
    if (kwi_mock_member_update(member, req) ||
        kwi_mock_bytes_set(call->mock, &group->protocol_type, req->protocol_type.ptr,
                           req->protocol_type.len))
        return KWI_MOCK_HUNG_UP;
    (void)mockgroup_join_wait(call, member);
    member->joined = true;
    kwi_mock_group_rebalance(group);
    kwi_mock_group_settle(group);
    if (group->state == KWI_MOCK_GROUP_COMPLETING)
        return mockgroup_join_answer(call, member, false);
    return KWI_MOCK_PARKED;
}

static enum kw_mock_outcome mockgroup_join_new(struct kw_mock_call *call,
                                               struct kw_mock_group *group)
{
    const struct kw_join_group_request *req = call->request;
    struct kw_mock_member *member = kwi_mock_group_instance(group, req->group_instance_id);
    if (member) { /* a static member came back: the old one is fenced (KIP-345) */
        bool led = kwi_mock_bytes_are(&group->leader, member->id.ptr, member->id.len);
        if (kwi_mock_member_rename(member) || kwi_mock_member_update(member, req))
            return KWI_MOCK_HUNG_UP;
        member->join_ticket = member->sync_ticket = 0;
        if (led && kwi_mock_bytes_set(call->mock, &group->leader, member->id.ptr, member->id.len))
            return KWI_MOCK_HUNG_UP;
        call->mock->wake = true;
        /* Nobody else notices, unless it cannot do what the group agreed on. */
        if (group->state == KWI_MOCK_GROUP_STABLE &&
            mockgroup_metadata(member, &group->protocol)->ptr)
            return mockgroup_join_answer(call, member, true);
        return mockgroup_join_enter(call, member);
    }
    member = kwi_mock_group_add(group, req->group_instance_id);
    if (!member || kwi_mock_bytes_set(call->mock, &member->client_id, call->client_id.ptr,
                                      call->client_id.len))
        return KWI_MOCK_HUNG_UP;
    if (req->group_instance_id.len >= 0 || call->version < 4)
        return mockgroup_join_enter(call, member);
    member->pending = true;
    member->session_ms = req->session_timeout_ms;
    kwi_mock_member_touch(member);
    return mockgroup_join_error(call, KW_E_MEMBER_ID_REQUIRED, kwi_mock_bytes_str(&member->id));
}

static enum kw_mock_outcome mockgroup_join_known(struct kw_mock_call *call,
                                                 struct kw_mock_group *group)
{
    const struct kw_join_group_request *req = call->request;
    struct kw_mock_member *member = kwi_mock_group_member(group, req->member_id);
    struct kw_mock_member *holder = kwi_mock_group_instance(group, req->group_instance_id);
    bool leads;
    if (holder && holder != member)
        return mockgroup_join_error(call, KW_E_FENCED_INSTANCE_ID, req->member_id);
    if (!member || (req->group_instance_id.len >= 0 && !holder))
        return mockgroup_join_error(call, KW_E_UNKNOWN_MEMBER_ID, req->member_id);
    leads = kwi_mock_bytes_are(&group->leader, member->id.ptr, member->id.len);
    if (!member->pending && kwi_mock_member_is_same(member, req) &&
        (group->state == KWI_MOCK_GROUP_COMPLETING ||
         (group->state == KWI_MOCK_GROUP_STABLE && !leads)))
        return mockgroup_join_answer(call, member, false);
    return mockgroup_join_enter(call, member);
}

static struct kw_mock_member *mockgroup_by_ticket(const struct kw_mock_group *group,
                                                  uint64_t ticket, bool sync)
{
    for (struct kw_node *n = group ? group->members.first : NULL; n; n = n->next) {
        struct kw_mock_member *member = KWI_OF(n, struct kw_mock_member, node);
        if ((sync ? member->sync_ticket : member->join_ticket) == ticket)
            return member;
    }
    return NULL;
}

static enum kw_mock_outcome mockgroup_join_serve(struct kw_mock_call *call)
{
    const struct kw_join_group_request *req = call->request;
    struct kw_join_group_response *resp = call->response;
    int16_t error = kwi_mock_group_check(call, req->group_id);
    struct kw_mock_group *group = kwi_mock_group_find(call->mock, req->group_id, false);
    struct kw_mock_member *waiting = mockgroup_by_ticket(group, call->ticket, false);
    resp->throttle_time_ms = call->throttle_ms;
    if (waiting && !error && !call->last_chance) {
        if (group->state == KWI_MOCK_GROUP_PREPARING)
            return mockgroup_join_wait(call, waiting);
        return mockgroup_join_answer(call, waiting, false);
    }
    if (waiting)
        waiting->join_ticket = 0;
    if (!error && call->waited) /* its member was removed, or fenced, meanwhile */
        error = call->last_chance ? KW_E_REBALANCE_IN_PROGRESS : KW_E_UNKNOWN_MEMBER_ID;
    if (!error && (req->session_timeout_ms < (int32_t)call->mock->config.group_session_min_ms ||
                   req->session_timeout_ms > MOCKGROUP_SESSION_MAX_MS))
        error = KW_E_INVALID_SESSION_TIMEOUT;
    if (!error && (req->protocols.n <= 0 || req->protocol_type.len <= 0))
        error = KW_E_INCONSISTENT_GROUP_PROTOCOL;
    if (error)
        return mockgroup_join_error(call, error, req->member_id);
    if (!group && req->member_id.len > 0)
        return mockgroup_join_error(call, KW_E_UNKNOWN_MEMBER_ID, req->member_id);
    group = kwi_mock_group_find(call->mock, req->group_id, true);
    if (!group)
        return KWI_MOCK_HUNG_UP;
    if (!kwi_list_empty(&group->modern) ||
        !kwi_mock_group_agrees(group, req, kwi_mock_group_member(group, req->member_id)))
        return mockgroup_join_error(call, KW_E_INCONSISTENT_GROUP_PROTOCOL, req->member_id);
    return req->member_id.len > 0 ? mockgroup_join_known(call, group)
                                  : mockgroup_join_new(call, group);
}

const struct kw_mock_api kwi_mock_api_join_group = {KW_API_JOIN_GROUP, 0, mockgroup_join_serve,
                                                    NULL};

/* --- SyncGroup --------------------------------------------------------------------------- */

static enum kw_mock_outcome mockgroup_sync_answer(struct kw_mock_call *call, int16_t error,
                                                  struct kw_mock_member *member)
{
    struct kw_sync_group_response *resp = call->response;
    resp->error_code = error;
    if (member)
        member->sync_ticket = 0;
    if (error || !member) {
        resp->assignment = (struct kw_blob){(const uint8_t *)"", 0};
        return KWI_MOCK_ANSWERED;
    }
    kwi_mock_member_touch(member);
    if (call->version >= 5) {
        resp->protocol_type = kwi_mock_bytes_str(&member->group->protocol_type);
        resp->protocol_name = kwi_mock_bytes_str(&member->group->protocol);
    }
    resp->assignment = (struct kw_blob){(const uint8_t *)member->assignment.ptr,
                                        member->assignment.len < 0 ? 0 : member->assignment.len};
    return KWI_MOCK_ANSWERED;
}

/* The leader's word: whom it leaves out gets nothing. */
static int mockgroup_sync_assign(struct kw_mock_call *call, struct kw_mock_group *group)
{
    const struct kw_sync_group_request *req = call->request;
    struct kw_sync_group_request_assignment item;
    struct kw_iter it;
    for (struct kw_node *n = group->members.first; n; n = n->next) {
        if (kwi_mock_bytes_set(call->mock, &KWI_OF(n, struct kw_mock_member, node)->assignment, "",
                               0))
            return KW_ERR_NOMEM;
    }
    for (kwi_iter_init(&it, &req->assignments); kwi_iter_next(&it, &item);) {
        struct kw_mock_member *member = kwi_mock_group_member(group, item.member_id);
        if (member && kwi_mock_bytes_set(call->mock, &member->assignment, item.assignment.ptr,
                                         item.assignment.len))
            return KW_ERR_NOMEM;
    }
    group->state = KWI_MOCK_GROUP_STABLE;
    call->mock->wake = true;
    return 0;
}

static enum kw_mock_outcome mockgroup_sync_serve(struct kw_mock_call *call)
{
    const struct kw_sync_group_request *req = call->request;
    struct kw_sync_group_response *resp = call->response;
    int16_t error = kwi_mock_group_check(call, req->group_id);
    struct kw_mock_group *group = kwi_mock_group_find(call->mock, req->group_id, false);
    struct kw_mock_member *member = NULL;
    resp->throttle_time_ms = call->throttle_ms;
    if (!error)
        error = kwi_mock_group_identify(group, req->member_id, req->group_instance_id,
                                        req->generation_id, &member);
    if (error == KW_E_ILLEGAL_GENERATION && call->waited)
        error = KW_E_REBALANCE_IN_PROGRESS;
    if (!error && (group->state == KWI_MOCK_GROUP_PREPARING || call->last_chance))
        error = KW_E_REBALANCE_IN_PROGRESS;
    if (!error && group->state == KWI_MOCK_GROUP_EMPTY)
        error = KW_E_UNKNOWN_MEMBER_ID;
    if (!error && req->protocol_name.len >= 0 &&
        !kwi_mock_bytes_are(&group->protocol, req->protocol_name.ptr, req->protocol_name.len))
        error = KW_E_INCONSISTENT_GROUP_PROTOCOL;
    if (error)
        return mockgroup_sync_answer(call, error, member);
    if (group->state == KWI_MOCK_GROUP_COMPLETING &&
        kwi_mock_bytes_are(&group->leader, member->id.ptr, member->id.len) &&
        mockgroup_sync_assign(call, group))
        return KWI_MOCK_HUNG_UP;
    if (group->state == KWI_MOCK_GROUP_STABLE)
        return mockgroup_sync_answer(call, 0, member);
    member->sync_ticket = call->ticket;
    call->deadline_us = call->mock->now.mono_us + KWI_MOCK_GROUP_EVER_US;
    return KWI_MOCK_PARKED;
}

const struct kw_mock_api kwi_mock_api_sync_group = {KW_API_SYNC_GROUP, 0, mockgroup_sync_serve,
                                                    NULL};

/* --- Heartbeat ----------------------------------------------------------------------------- */

static enum kw_mock_outcome mockgroup_heartbeat_serve(struct kw_mock_call *call)
{
    const struct kw_heartbeat_request *req = call->request;
    struct kw_heartbeat_response *resp = call->response;
    struct kw_mock_group *group = kwi_mock_group_find(call->mock, req->group_id, false);
    struct kw_mock_member *member = NULL;
    resp->throttle_time_ms = call->throttle_ms;
    resp->error_code = kwi_mock_group_check(call, req->group_id);
    if (!resp->error_code)
        resp->error_code = kwi_mock_group_identify(group, req->member_id, req->group_instance_id,
                                                   req->generation_id, &member);
    if (resp->error_code)
        return KWI_MOCK_ANSWERED;
    kwi_mock_member_touch(member);
    if (group->state == KWI_MOCK_GROUP_PREPARING)
        resp->error_code = KW_E_REBALANCE_IN_PROGRESS;
    return KWI_MOCK_ANSWERED;
}

const struct kw_mock_api kwi_mock_api_heartbeat = {KW_API_HEARTBEAT, 0, mockgroup_heartbeat_serve,
                                                   NULL};

/* --- LeaveGroup ------------------------------------------------------------------------------ */

static int16_t mockgroup_leave(struct kw_mock_group *group, struct kw_str member_id,
                               struct kw_str instance_id)
{
    struct kw_mock_member *holder = kwi_mock_group_instance(group, instance_id), *member;
    if (instance_id.len >= 0 && !holder)
        return KW_E_UNKNOWN_MEMBER_ID;
    member = member_id.len > 0 ? kwi_mock_group_member(group, member_id) : holder;
    if (holder && member != holder)
        return KW_E_FENCED_INSTANCE_ID;
    if (!member)
        return KW_E_UNKNOWN_MEMBER_ID;
    kwi_mock_member_remove(member);
    return 0;
}

static enum kw_mock_outcome mockgroup_leave_serve(struct kw_mock_call *call)
{
    const struct kw_leave_group_request *req = call->request;
    struct kw_leave_group_response *resp = call->response;
    struct kw_mock_group *group = kwi_mock_group_find(call->mock, req->group_id, false);
    struct kw_leave_group_response_member *items;
    struct kw_leave_group_request_member item;
    struct kw_iter it;
    size_t n = 0;
    resp->throttle_time_ms = call->throttle_ms;
    resp->error_code = kwi_mock_group_check(call, req->group_id);
    if (!resp->error_code && !group)
        resp->error_code = KW_E_UNKNOWN_MEMBER_ID;
    if (resp->error_code)
        return KWI_MOCK_ANSWERED;
    if (call->version < 3) {
        resp->error_code = mockgroup_leave(group, req->member_id, KWI_NULL_STR);
        return KWI_MOCK_ANSWERED;
    }
    items = kwi_mock_call_alloc(call, (size_t)req->members.n, sizeof(*items));
    if (!items)
        return KWI_MOCK_HUNG_UP;
    for (kwi_iter_init(&it, &req->members); kwi_iter_next(&it, &item); n++) {
        kwi_leave_group_response_member_init(&items[n]);
        items[n].member_id = item.member_id;
        items[n].group_instance_id = item.group_instance_id;
        items[n].error_code = mockgroup_leave(group, item.member_id, item.group_instance_id);
    }
    resp->members = KWI_ARR(items, n);
    return KWI_MOCK_ANSWERED;
}

const struct kw_mock_api kwi_mock_api_leave_group = {KW_API_LEAVE_GROUP, 0, mockgroup_leave_serve,
                                                     NULL};
