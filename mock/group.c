/* mock/group.c -- groups of the broker model, as the classic protocol has them.
 *
 *   EMPTY, STABLE, COMPLETING --a member must join--> PREPARING
 *   PREPARING --all have joined, or the time is over--> COMPLETING
 *   COMPLETING --the leader's assignment--> STABLE
 *   any --the last member leaves--> EMPTY
 *
 * Requests that wait for others are parked by group_calls.c; whatever changes here
 * has them looked at again. */
#include "mock/modern_group.h"

#include "base/fmt.h"

/* ---- bytes ---------------------------------------------------------------------------- */

bool kwi_mock_bytes_are(const struct kw_mock_bytes *bytes, const void *ptr, int32_t len)
{
    if (bytes->len != len)
        return false;
    return len <= 0 || memcmp(bytes->ptr, ptr, (size_t)len) == 0;
}

void kwi_mock_bytes_free(struct kw_mock *mock, struct kw_mock_bytes *bytes)
{
    if (bytes->ptr)
        kwi_free(&mock->heap, bytes->ptr, (size_t)bytes->len + 1);
    *bytes = (struct kw_mock_bytes){NULL, -1};
}

int kwi_mock_bytes_set(struct kw_mock *mock, struct kw_mock_bytes *bytes, const void *ptr,
                       int32_t len)
{
    char *copy = NULL;
    if (len >= 0) {
        copy = kwi_strdup(&mock->heap, len ? ptr : "", (size_t)len);
        if (!copy)
            return KW_ERR_NOMEM;
    }
    kwi_mock_bytes_free(mock, bytes);
    *bytes = (struct kw_mock_bytes){copy, len};
    return 0;
}

/* ---- groups ----------------------------------------------------------------------------- */

static void mockgroup_due(struct kw_timer *timer);

struct kw_mock_group *kwi_mock_group_find(struct kw_mock *mock, struct kw_str name, bool make)
{
    struct kw_mock_group *group;
    if (name.len < 0)
        return NULL;
    group = kwi_map_get_str(&mock->groups, name.ptr, (size_t)name.len);
    if (group || !make)
        return group;
    group = kwi_alloc_zero(&mock->heap, sizeof(*group));
    if (!group)
        return NULL;
    group->mock = mock;
    group->name_len = (size_t)name.len;
    group->name = kwi_strdup(&mock->heap, name.ptr, group->name_len);
    group->protocol_type.len = group->protocol.len = group->leader.len = -1;
    group->rebalance.fire = mockgroup_due;
    if (!group->name || kwi_map_put_str(&mock->groups, group->name, group->name_len, group)) {
        kwi_free(&mock->heap, group->name, group->name_len + 1);
        kwi_free(&mock->heap, group, sizeof(*group));
        return NULL;
    }
    return group;
}

struct kw_mock_member *kwi_mock_group_member(const struct kw_mock_group *group, struct kw_str id)
{
    for (struct kw_node *n = group->members.first; n; n = n->next) {
        struct kw_mock_member *member = KWI_OF(n, struct kw_mock_member, node);
        if (kwi_mock_bytes_are(&member->id, id.ptr, id.len))
            return member;
    }
    return NULL;
}

struct kw_mock_member *kwi_mock_group_instance(const struct kw_mock_group *group,
                                               struct kw_str instance_id)
{
    for (struct kw_node *n = group->members.first; n && instance_id.len >= 0; n = n->next) {
        struct kw_mock_member *member = KWI_OF(n, struct kw_mock_member, node);
        if (kwi_mock_bytes_are(&member->instance_id, instance_id.ptr, instance_id.len))
            return member;
    }
    return NULL;
}

int16_t kwi_mock_group_check(const struct kw_mock_call *call, struct kw_str group_id)
{
    int16_t error = kwi_mock_fault_error(call, KWI_MOCK_ERROR, KWI_NULL_STR, -1);
    if (error)
        return error;
    if (group_id.len <= 0)
        return KW_E_INVALID_GROUP_ID;
    return call->mock->coordinator == (int32_t)call->broker ? 0 : KW_E_NOT_COORDINATOR;
}

int16_t kwi_mock_group_identify(struct kw_mock_group *group, struct kw_str member_id,
                                struct kw_str instance_id, int32_t generation,
                                struct kw_mock_member **out)
{
    struct kw_mock_member *member = group ? kwi_mock_group_member(group, member_id) : NULL;
    struct kw_mock_member *holder = group ? kwi_mock_group_instance(group, instance_id) : NULL;
    if (holder && holder != member)
        return KW_E_FENCED_INSTANCE_ID;
    if (!member || member->pending || (instance_id.len >= 0 && !holder))
        return KW_E_UNKNOWN_MEMBER_ID;
    if (generation != group->generation)
        return KW_E_ILLEGAL_GENERATION;
    *out = member;
    return 0;
}

/* ---- members ---------------------------------------------------------------------------- */

static void mockgroup_session_over(struct kw_timer *timer)
{
    struct kw_mock_member *member = KWI_OF(timer, struct kw_mock_member, session);
    /* Whoever waits for an answer is alive. */
    if (member->join_ticket || member->sync_ticket)
        kwi_mock_member_touch(member);
    else
        kwi_mock_member_remove(member);
}

void kwi_mock_member_touch(struct kw_mock_member *member)
{
    struct kw_mock *mock = member->group->mock;
    kwi_timer_arm(&mock->timers, &member->session,
                  mock->now.mono_us + (uint64_t)member->session_ms * 1000);
}

void kwi_mock_groups_hang_up(struct kw_mock *mock, uint64_t ticket)
{
    struct kw_mock_group *group;
    for (uint32_t i = 0; (group = kwi_map_next(&mock->groups, &i));) {
        for (struct kw_node *n = group->members.first; n; n = n->next) {
            struct kw_mock_member *member = KWI_OF(n, struct kw_mock_member, node);
            if (member->join_ticket == ticket)
                member->join_ticket = 0;
            if (member->sync_ticket == ticket)
                member->sync_ticket = 0;
        }
    }
}

int kwi_mock_member_rename(struct kw_mock_member *member)
{
    struct kw_mock *mock = member->group->mock;
    char id[320];
    size_t len = kwi_fmt(id, sizeof(id), "%.*s-%08x-%u",
                         member->instance_id.len > 249 ? 249 : (int)member->instance_id.len,
                         member->instance_id.len > 0 ? member->instance_id.ptr : "",
                         kwi_rng_below(&mock->rng, UINT32_MAX), ++mock->next_member);
    if (member->instance_id.len < 0)
        len = kwi_fmt(id, sizeof(id), "member-%u-%x", mock->next_member,
                      kwi_rng_below(&mock->rng, UINT32_MAX));
    return kwi_mock_bytes_set(mock, &member->id, id, (int32_t)len);
}

static void mockgroup_member_free(struct kw_mock_member *member)
{
    struct kw_mock *mock = member->group->mock;
    kwi_timer_disarm(&mock->timers, &member->session);
    for (uint32_t i = 0; i < member->n_protocols; i++) {
        kwi_mock_bytes_free(mock, &member->protocols[i].name);
        kwi_mock_bytes_free(mock, &member->protocols[i].metadata);
    }
    kwi_free(&mock->heap, member->protocols, member->n_protocols * sizeof(*member->protocols));
    kwi_mock_bytes_free(mock, &member->id);
    kwi_mock_bytes_free(mock, &member->instance_id);
    kwi_mock_bytes_free(mock, &member->client_id);
    kwi_mock_bytes_free(mock, &member->assignment);
    kwi_free(&mock->heap, member, sizeof(*member));
}

struct kw_mock_member *kwi_mock_group_add(struct kw_mock_group *group, struct kw_str instance_id)
{
    struct kw_mock *mock = group->mock;
    struct kw_mock_member *member = kwi_alloc_zero(&mock->heap, sizeof(*member));
    if (!member)
        return NULL;
    member->group = group;
    member->session.fire = mockgroup_session_over;
    member->id.len = member->instance_id.len = member->assignment.len = -1;
    member->client_id.len = -1;
    member->session_ms = 45000;
    if (kwi_mock_bytes_set(mock, &member->instance_id, instance_id.ptr, instance_id.len) ||
        kwi_mock_member_rename(member)) {
        mockgroup_member_free(member);
        return NULL;
    }
    kwi_list_push(&group->members, &member->node);
    group->is_modern = false;
    kwi_mock_member_touch(member);
    return member;
}

int kwi_mock_member_update(struct kw_mock_member *member, const struct kw_join_group_request *req)
{
    struct kw_mock *mock = member->group->mock;
    size_t n = (size_t)req->protocols.n, i = 0;
    struct kw_mock_protocol *protocols = kwi_alloc_zero(&mock->heap, n * sizeof(*protocols));
    struct kw_join_group_request_protocol item;
    struct kw_iter it;
    if (!protocols)
        return KW_ERR_NOMEM;
    for (size_t k = 0; k < n; k++)
        protocols[k].name.len = protocols[k].metadata.len = -1;
    for (uint32_t k = 0; k < member->n_protocols; k++) {
        kwi_mock_bytes_free(mock, &member->protocols[k].name);
        kwi_mock_bytes_free(mock, &member->protocols[k].metadata);
    }
    kwi_free(&mock->heap, member->protocols, member->n_protocols * sizeof(*protocols));
    member->protocols = protocols;
    member->n_protocols = (uint32_t)n;
    for (kwi_iter_init(&it, &req->protocols); kwi_iter_next(&it, &item); i++) {
        if (kwi_mock_bytes_set(mock, &protocols[i].name, item.name.ptr, item.name.len) ||
            kwi_mock_bytes_set(mock, &protocols[i].metadata, item.metadata.ptr, item.metadata.len))
            return KW_ERR_NOMEM;
    }
    member->session_ms = req->session_timeout_ms;
    member->rebalance_ms = req->rebalance_timeout_ms > 0 ? req->rebalance_timeout_ms
                                                         : req->session_timeout_ms;
    member->pending = false;
    kwi_mock_member_touch(member);
    return 0;
}

bool kwi_mock_member_is_same(const struct kw_mock_member *member,
                             const struct kw_join_group_request *req)
{
    struct kw_join_group_request_protocol item;
    struct kw_iter it;
    uint32_t i = 0;
    if ((uint32_t)req->protocols.n != member->n_protocols)
        return false;
    for (kwi_iter_init(&it, &req->protocols); kwi_iter_next(&it, &item); i++) {
        if (!kwi_mock_bytes_are(&member->protocols[i].name, item.name.ptr, item.name.len) ||
            !kwi_mock_bytes_are(&member->protocols[i].metadata, item.metadata.ptr,
                                item.metadata.len))
            return false;
    }
    return true;
}

static const struct kw_mock_protocol *mockgroup_protocol(const struct kw_mock_member *member,
                                                         struct kw_str name)
{
    for (uint32_t i = 0; i < member->n_protocols; i++) {
        if (kwi_mock_bytes_are(&member->protocols[i].name, name.ptr, name.len))
            return &member->protocols[i];
    }
    return NULL;
}

static bool mockgroup_all_have(const struct kw_mock_group *group, struct kw_str name,
                               const struct kw_mock_member *but)
{
    for (struct kw_node *n = group->members.first; n; n = n->next) {
        const struct kw_mock_member *member = KWI_OF(n, struct kw_mock_member, node);
        if (member != but && !member->pending && !mockgroup_protocol(member, name))
            return false;
    }
    return true;
}

bool kwi_mock_group_agrees(const struct kw_mock_group *group,
                           const struct kw_join_group_request *req,
                           const struct kw_mock_member *but)
{
    struct kw_join_group_request_protocol item;
    struct kw_iter it;
    if (kwi_list_empty(&group->members) || group->protocol_type.len < 0)
        return true;
    if (!kwi_mock_bytes_are(&group->protocol_type, req->protocol_type.ptr, req->protocol_type.len))
        return false;
    for (kwi_iter_init(&it, &req->protocols); kwi_iter_next(&it, &item);) {
        if (mockgroup_all_have(group, item.name, but))
            return true;
    }
    return false;
}

void kwi_mock_member_remove(struct kw_mock_member *member)
{
    struct kw_mock_group *group = member->group;
    bool counted = !member->pending;
    kwi_list_remove(&group->members, &member->node);
    mockgroup_member_free(member);
    group->mock->wake = true;
    if (group->state == KWI_MOCK_GROUP_PREPARING)
        kwi_mock_group_settle(group);
    else if (counted && group->state != KWI_MOCK_GROUP_EMPTY)
        kwi_mock_group_rebalance(group);
}

/* ---- rebalances ------------------------------------------------------------------------- */

static int32_t mockgroup_longest(const struct kw_mock_group *group)
{
    int32_t longest = 0;
    for (struct kw_node *n = group->members.first; n; n = n->next) {
        const struct kw_mock_member *member = KWI_OF(n, struct kw_mock_member, node);
        if (member->rebalance_ms > longest)
            longest = member->rebalance_ms;
    }
    return longest;
}

void kwi_mock_group_rebalance(struct kw_mock_group *group)
{
    struct kw_mock *mock = group->mock;
    bool fresh = group->state == KWI_MOCK_GROUP_EMPTY;
    uint64_t ms = fresh ? mock->config.group_delay_ms : (uint64_t)mockgroup_longest(group);
    if (group->state == KWI_MOCK_GROUP_PREPARING)
        return;
    group->state = KWI_MOCK_GROUP_PREPARING;
    for (struct kw_node *n = group->members.first; n; n = n->next) {
        struct kw_mock_member *member = KWI_OF(n, struct kw_mock_member, node);
        member->joined = member->join_ticket != 0;
        member->sync_ticket = 0;
        if (mockgroup_longest(group) < member->session_ms)
            kwi_mock_member_touch(member);
    }
    mock->wake = true;
    kwi_timer_arm(&mock->timers, &group->rebalance, mock->now.mono_us + ms * 1000);
    if (!fresh || ms == 0)
        kwi_mock_group_settle(group);
}

/* The first protocol of the first member that all have. */
static void mockgroup_choose(struct kw_mock_group *group)
{
    struct kw_mock_member *first = KWI_OF(group->members.first, struct kw_mock_member, node);
    for (uint32_t i = 0; i < first->n_protocols; i++) {
        struct kw_str name = kwi_mock_bytes_str(&first->protocols[i].name);
        if (!mockgroup_all_have(group, name, NULL))
            continue;
        if (kwi_mock_bytes_set(group->mock, &group->protocol, name.ptr, name.len))
            group->protocol.len = -1;
        return;
    }
}

static void mockgroup_complete(struct kw_mock_group *group)
{
    struct kw_mock *mock = group->mock;
    struct kw_mock_member *leader = kwi_mock_group_member(group,
                                                          kwi_mock_bytes_str(&group->leader));
    kwi_timer_disarm(&mock->timers, &group->rebalance);
    group->generation++;
    mock->wake = true;
    if (kwi_list_empty(&group->members)) {
        group->state = KWI_MOCK_GROUP_EMPTY;
        kwi_mock_bytes_free(mock, &group->protocol_type);
        kwi_mock_bytes_free(mock, &group->protocol);
        kwi_mock_bytes_free(mock, &group->leader);
        return;
    }
    if (!leader || leader->pending) {
        leader = KWI_OF(group->members.first, struct kw_mock_member, node);
        if (kwi_mock_bytes_set(mock, &group->leader, leader->id.ptr, leader->id.len))
            group->leader.len = -1;
    }
    mockgroup_choose(group);
    group->state = KWI_MOCK_GROUP_COMPLETING;
    for (struct kw_node *n = group->members.first; n; n = n->next)
        kwi_mock_member_touch(KWI_OF(n, struct kw_mock_member, node));
}

void kwi_mock_group_settle(struct kw_mock_group *group)
{
    if (group->state != KWI_MOCK_GROUP_PREPARING)
        return;
    for (struct kw_node *n = group->members.first; n; n = n->next) {
        const struct kw_mock_member *member = KWI_OF(n, struct kw_mock_member, node);
        if (!member->joined)
            return; /* or pending: it is waited for as well */
    }
    mockgroup_complete(group);
}

/* The time for joining is over: who did not come is out. */
static void mockgroup_due(struct kw_timer *timer)
{
    struct kw_mock_group *group = KWI_OF(timer, struct kw_mock_group, rebalance);
    struct kw_node *next;
    for (struct kw_node *n = group->members.first; n; n = next) {
        struct kw_mock_member *member = KWI_OF(n, struct kw_mock_member, node);
        next = n->next;
        if (member->joined)
            continue;
        kwi_list_remove(&group->members, &member->node);
        mockgroup_member_free(member);
    }
    mockgroup_complete(group);
}

void kwi_mock_group_destroy(struct kw_mock_group *group)
{
    struct kw_mock *mock = group->mock;
    while (!kwi_list_empty(&group->members))
        mockgroup_member_free(KWI_OF(kwi_list_pop(&group->members), struct kw_mock_member, node));
    kwi_mock_modern_destroy(group);
    kwi_mock_offsets_destroy(group);
    kwi_timer_disarm(&mock->timers, &group->rebalance);
    kwi_mock_bytes_free(mock, &group->protocol_type);
    kwi_mock_bytes_free(mock, &group->protocol);
    kwi_mock_bytes_free(mock, &group->leader);
    kwi_map_remove_str(&mock->groups, group->name, group->name_len);
    kwi_free(&mock->heap, group->name, group->name_len + 1);
    kwi_free(&mock->heap, group, sizeof(*group));
}

int kwi_mock_group(const struct kw_mock *mock, const char *name, struct kw_mock_group_info *info)
{
    const struct kw_mock_group *group = kwi_map_get_str(&mock->groups, name, strlen(name));
    if (!group)
        return KW_ERR_STATE;
    *info = (struct kw_mock_group_info){.state = group->state, .generation = group->generation};
    for (struct kw_node *n = group->members.first; n; n = n->next)
        info->n_members += !KWI_OF(n, struct kw_mock_member, node)->pending;
    if (kwi_list_empty(&group->modern))
        return 0;
    info->state = KWI_MOCK_GROUP_STABLE;
    for (struct kw_node *n = group->modern.first; n; n = n->next, info->n_members++) {
        const struct kw_mock_modern *member = KWI_OF(n, struct kw_mock_modern, node);
        if (member->state != KWI_MOCK_MODERN_STABLE || member->epoch != group->generation)
            info->state = KWI_MOCK_GROUP_PREPARING;
    }
    return 0;
}
