/* mock/modern_group.c -- KIP-848 groups of the broker model: members, the targets that
 * the coordinator gives them, and the way from what a member has to its target:
 *
 *   STABLE --target lacks some of it--> UNREVOKED --given up--> STABLE or UNRELEASED
 *   STABLE --target has what others have--> UNRELEASED --released--> STABLE
 *
 * A partition is given to a member when nobody else has it, and taken from one when its
 * heartbeat no longer names it. A member comes to the group's epoch with the first part
 * of the target; one that does not give up in its rebalance timeout is out. */
#include "mock/modern_group.h"

/* ---- sets -------------------------------------------------------------------------------- */

bool kwi_mock_set_has(const struct kw_mock_set *set, const struct kw_mock_owned *item)
{
    for (uint32_t i = 0; i < set->n; i++) {
        if (set->list[i].partition == item->partition &&
            memcmp(set->list[i].id, item->id, sizeof(item->id)) == 0)
            return true;
    }
    return false;
}

bool kwi_mock_set_is_same(const struct kw_mock_set *a, const struct kw_mock_set *b)
{
    for (uint32_t i = 0; a->n == b->n && i < a->n; i++) {
        if (!kwi_mock_set_has(b, &a->list[i]))
            return false;
    }
    return a->n == b->n;
}

static int mockmodern_put(struct kw_mock *mock, struct kw_mock_set *set,
                          const struct kw_mock_owned *item)
{
    if (set->n == set->cap) {
        uint32_t cap = set->cap ? set->cap * 2 : 8;
        struct kw_mock_owned *list = kwi_realloc(&mock->heap, set->list, set->cap * sizeof(*list),
                                                 cap * sizeof(*list));
        if (!list)
            return KW_ERR_NOMEM;
        set->list = list;
        set->cap = cap;
    }
    set->list[set->n++] = *item;
    return 0;
}

void kwi_mock_set_free(struct kw_mock *mock, struct kw_mock_set *set)
{
    kwi_free(&mock->heap, set->list, set->cap * sizeof(*set->list));
    *set = (struct kw_mock_set){NULL, 0, 0};
}

int kwi_mock_set_copy(struct kw_mock *mock, struct kw_mock_set *to, const struct kw_mock_set *from)
{
    to->n = 0;
    for (uint32_t i = 0; i < from->n; i++) {
        if (mockmodern_put(mock, to, &from->list[i]))
            return KW_ERR_NOMEM;
    }
    return 0;
}

bool kwi_mock_owned_has(const struct kw_arr *owned, const struct kw_mock_owned *item)
{
    struct kw_group_partitions topic;
    struct kw_iter it, numbers;
    int32_t partition;
    for (kwi_iter_init(&it, owned); kwi_iter_next(&it, &topic);) {
        if (memcmp(topic.topic_id.b, item->id, sizeof(item->id)) != 0)
            continue;
        for (kwi_iter_init(&numbers, &topic.partitions); kwi_iter_next(&numbers, &partition);) {
            if (partition == item->partition)
                return true;
        }
    }
    return false;
}

/* ---- members ---------------------------------------------------------------------------- */

static struct kw_mock_modern *mockmodern_of(struct kw_node *node)
{
    return KWI_OF(node, struct kw_mock_modern, node);
}

struct kw_mock_modern *kwi_mock_modern_find(const struct kw_mock_group *group, struct kw_str id)
{
    for (struct kw_node *n = group ? group->modern.first : NULL; n; n = n->next) {
        if (kwi_mock_bytes_are(&mockmodern_of(n)->id, id.ptr, id.len))
            return mockmodern_of(n);
    }
    return NULL;
}

struct kw_mock_modern *kwi_mock_modern_instance(const struct kw_mock_group *group,
                                                struct kw_str instance_id)
{
    for (struct kw_node *n = group ? group->modern.first : NULL; n && instance_id.len >= 0;
         n = n->next) {
        if (kwi_mock_bytes_are(&mockmodern_of(n)->instance_id, instance_id.ptr, instance_id.len))
            return mockmodern_of(n);
    }
    return NULL;
}

static void mockmodern_session_over(struct kw_timer *timer)
{
    kwi_mock_modern_remove(KWI_OF(timer, struct kw_mock_modern, session));
}

static void mockmodern_revoke_over(struct kw_timer *timer)
{
    kwi_mock_modern_remove(KWI_OF(timer, struct kw_mock_modern, revoke));
}

void kwi_mock_modern_touch(struct kw_mock_modern *member)
{
    struct kw_mock *mock = member->group->mock;
    kwi_timer_arm(&mock->timers, &member->session,
                  mock->now.mono_us + (uint64_t)mock->config.group_session_ms * 1000);
}

static void mockmodern_names_free(struct kw_mock_modern *member)
{
    struct kw_mock *mock = member->group->mock;
    for (uint32_t i = 0; i < member->n_names; i++)
        kwi_mock_bytes_free(mock, &member->names[i]);
    kwi_free(&mock->heap, member->names, member->n_names * sizeof(*member->names));
    member->names = NULL;
    member->n_names = 0;
}

static void mockmodern_free(struct kw_mock_modern *member)
{
    struct kw_mock *mock = member->group->mock;
    kwi_timer_disarm(&mock->timers, &member->session);
    kwi_timer_disarm(&mock->timers, &member->revoke);
    mockmodern_names_free(member);
    kwi_mock_bytes_free(mock, &member->id);
    kwi_mock_bytes_free(mock, &member->client_id);
    kwi_mock_bytes_free(mock, &member->instance_id);
    kwi_mock_bytes_free(mock, &member->pattern);
    kwi_mock_bytes_free(mock, &member->assignor);
    kwi_mock_set_free(mock, &member->assigned);
    kwi_mock_set_free(mock, &member->pending);
    kwi_mock_set_free(mock, &member->target);
    kwi_mock_set_free(mock, &member->next);
    kwi_free(&mock->heap, member, sizeof(*member));
}

struct kw_mock_modern *kwi_mock_modern_add(struct kw_mock_group *group, struct kw_str id,
                                           struct kw_str instance_id)
{
    struct kw_mock *mock = group->mock;
    struct kw_mock_modern *member = kwi_alloc_zero(&mock->heap, sizeof(*member));
    if (!member)
        return NULL;
    member->group = group;
    member->previous_epoch = -1;
    member->session.fire = mockmodern_session_over;
    member->revoke.fire = mockmodern_revoke_over;
    member->id.len = member->instance_id.len = member->pattern.len = member->assignor.len = -1;
    member->client_id.len = -1;
    if (kwi_mock_bytes_set(mock, &member->id, id.ptr, id.len) ||
        kwi_mock_bytes_set(mock, &member->instance_id, instance_id.ptr, instance_id.len)) {
        mockmodern_free(member);
        return NULL;
    }
    kwi_list_push(&group->modern, &member->node);
    group->is_modern = true;
    return member;
}

void kwi_mock_modern_remove(struct kw_mock_modern *member)
{
    struct kw_mock_group *group = member->group;
    kwi_list_remove(&group->modern, &member->node);
    mockmodern_free(member);
    if (kwi_mock_modern_assign(group, true))
        group->generation++; /* without memory the old targets stay until the next heartbeat */
}

void kwi_mock_modern_destroy(struct kw_mock_group *group)
{
    while (!kwi_list_empty(&group->modern))
        mockmodern_free(mockmodern_of(kwi_list_pop(&group->modern)));
}

int16_t kwi_mock_modern_identify(const struct kw_mock_group *group, struct kw_str member_id,
                                 int32_t epoch)
{
    const struct kw_mock_modern *member = kwi_mock_modern_find(group, member_id);
    if (!member)
        return KW_E_UNKNOWN_MEMBER_ID;
    return epoch == member->epoch ? 0 : KW_E_STALE_MEMBER_EPOCH;
}

/* ---- subscriptions ---------------------------------------------------------------------- */

static bool mockmodern_names_are(const struct kw_mock_modern *member, const struct kw_arr *names)
{
    struct kw_iter it;
    struct kw_str name;
    uint32_t i = 0;
    if ((uint32_t)names->n != member->n_names)
        return false;
    for (kwi_iter_init(&it, names); kwi_iter_next(&it, &name); i++) {
        if (!kwi_mock_bytes_are(&member->names[i], name.ptr, name.len))
            return false;
    }
    return true;
}

static int mockmodern_names_set(struct kw_mock_modern *member, const struct kw_arr *names)
{
    struct kw_mock *mock = member->group->mock;
    struct kw_mock_bytes *list;
    struct kw_iter it;
    struct kw_str name;
    uint32_t n = 0;
    mockmodern_names_free(member);
    if (names->n == 0)
        return 0;
    list = kwi_alloc_zero(&mock->heap, (size_t)names->n * sizeof(*list));
    if (!list)
        return KW_ERR_NOMEM;
    for (int32_t i = 0; i < names->n; i++)
        list[i].len = -1;
    member->names = list;
    member->n_names = (uint32_t)names->n;
    for (kwi_iter_init(&it, names); kwi_iter_next(&it, &name); n++) {
        if (kwi_mock_bytes_set(mock, &list[n], name.ptr, name.len))
            return KW_ERR_NOMEM;
    }
    return 0;
}

static int mockmodern_text(struct kw_mock_modern *member, struct kw_mock_bytes *have,
                           struct kw_str text, bool *changed)
{
    if (text.len < 0 || kwi_mock_bytes_are(have, text.ptr, text.len))
        return 0;
    *changed = true;
    return kwi_mock_bytes_set(member->group->mock, have, text.ptr, text.len);
}

int kwi_mock_modern_subscribe(struct kw_mock_modern *member,
                              const struct kw_consumer_group_heartbeat_request *req, bool *changed)
{
    if (req->rebalance_timeout_ms >= 0)
        member->rebalance_ms = req->rebalance_timeout_ms;
    if (req->subscribed_topic_names.n >= 0 &&
        !mockmodern_names_are(member, &req->subscribed_topic_names)) {
        *changed = true;
        if (mockmodern_names_set(member, &req->subscribed_topic_names))
            return KW_ERR_NOMEM;
    }
    if (mockmodern_text(member, &member->pattern, req->subscribed_topic_regex, changed))
        return KW_ERR_NOMEM;
    return mockmodern_text(member, &member->assignor, req->server_assignor, changed);
}

static bool mockmodern_subscribes(const struct kw_mock_modern *member,
                                  const struct kw_mock_topic *topic)
{
    for (uint32_t i = 0; i < member->n_names; i++) {
        if (kwi_mock_bytes_are(&member->names[i], topic->name, (int32_t)topic->name_len))
            return true;
    }
    return member->pattern.len > 0 && kwi_mock_pattern_matches(kwi_mock_bytes_str(&member->pattern),
                                                               kwi_mock_topic_str(topic));
}

/* ---- targets ---------------------------------------------------------------------------- */

static struct kw_mock_owned mockmodern_item(const struct kw_mock_topic *topic, int32_t partition)
{
    struct kw_mock_owned item = {.partition = partition};
    memcpy(item.id, topic->id, sizeof(item.id));
    return item;
}

/* Of those that want the topic: the first that has it already (keep) and has not more
 * than its share, or the one with the fewest. */
static struct kw_mock_modern *mockmodern_choose(const struct kw_mock_group *group,
                                                const struct kw_mock_topic *topic,
                                                const struct kw_mock_owned *item, bool keep,
                                                uint32_t share)
{
    struct kw_mock_modern *best = NULL;
    for (struct kw_node *n = group->modern.first; n; n = n->next) {
        struct kw_mock_modern *member = mockmodern_of(n);
        if (!mockmodern_subscribes(member, topic))
            continue;
        if (keep && (!kwi_mock_set_has(&member->target, item) || member->next.n >= share))
            continue;
        if (!best || member->next.n < best->next.n)
            best = member;
    }
    return best;
}

static bool mockmodern_is_taken(const struct kw_mock_group *group, const struct kw_mock_owned *item)
{
    for (struct kw_node *n = group->modern.first; n; n = n->next) {
        if (kwi_mock_set_has(&mockmodern_of(n)->next, item))
            return true;
    }
    return false;
}

/* Moves one partition from the one with the most to the one with the fewest, if that
 * makes them more alike. */
static int mockmodern_even(struct kw_mock_group *group, bool *moved)
{
    struct kw_mock_modern *most = NULL, *least = NULL;
    *moved = false;
    for (struct kw_node *n = group->modern.first; n; n = n->next) {
        struct kw_mock_modern *member = mockmodern_of(n);
        if (!most || member->next.n > most->next.n)
            most = member;
        if (!least || member->next.n < least->next.n)
            least = member;
    }
    for (uint32_t i = 0; most && most->next.n > least->next.n + 1 && i < most->next.n; i++) {
        const struct kw_mock_topic *topic = kwi_mock_topic_find_id(group->mock,
                                                                   most->next.list[i].id);
        if (!topic || !mockmodern_subscribes(least, topic))
            continue;
        if (mockmodern_put(group->mock, &least->next, &most->next.list[i]))
            return KW_ERR_NOMEM;
        most->next.list[i] = most->next.list[--most->next.n];
        *moved = true;
        return 0;
    }
    return 0;
}

/* Balanced over all topics; who has a partition keeps it where that is possible. */
static int mockmodern_uniform(struct kw_mock_group *group)
{
    const struct kw_mock_topic *topic;
    uint32_t total = 0, n_members = 0, share;
    bool moved = true;
    for (struct kw_node *n = group->modern.first; n; n = n->next)
        n_members++;
    for (uint32_t i = 0; (topic = kwi_map_next(&group->mock->topics, &i));)
        total += mockmodern_choose(group, topic, NULL, false, 0) ? (uint32_t)topic->n_partitions
                                                                 : 0;
    share = n_members ? (total + n_members - 1) / n_members : 0;
    for (int keep = 1; keep >= 0; keep--) {
        for (uint32_t i = 0; (topic = kwi_map_next(&group->mock->topics, &i));) {
            for (int32_t p = 0; p < topic->n_partitions; p++) {
                struct kw_mock_owned item = mockmodern_item(topic, p);
                struct kw_mock_modern *member;
                if (mockmodern_is_taken(group, &item))
                    continue;
                member = mockmodern_choose(group, topic, &item, keep, share);
                if (member && mockmodern_put(group->mock, &member->next, &item))
                    return KW_ERR_NOMEM;
            }
        }
    }
    while (moved) {
        if (mockmodern_even(group, &moved))
            return KW_ERR_NOMEM;
    }
    return 0;
}

/* Each topic in ranges, over its members in the order of joining. */
static int mockmodern_range(struct kw_mock_group *group)
{
    const struct kw_mock_topic *topic;
    for (uint32_t i = 0; (topic = kwi_map_next(&group->mock->topics, &i));) {
        int32_t n = 0, k = 0, p = 0;
        for (struct kw_node *node = group->modern.first; node; node = node->next)
            n += mockmodern_subscribes(mockmodern_of(node), topic);
        if (n == 0)
            continue;
        for (struct kw_node *node = group->modern.first; node; node = node->next) {
            struct kw_mock_modern *member = mockmodern_of(node);
            int32_t end;
            if (!mockmodern_subscribes(member, topic))
                continue;
            end = p + topic->n_partitions / n + (k++ < topic->n_partitions % n);
            for (; p < end; p++) {
                struct kw_mock_owned item = mockmodern_item(topic, p);
                if (mockmodern_put(group->mock, &member->next, &item))
                    return KW_ERR_NOMEM;
            }
        }
    }
    return 0;
}

bool kwi_mock_modern_is_range(const struct kw_mock_group *group)
{
    int32_t votes = 0;
    for (struct kw_node *n = group->modern.first; n; n = n->next) {
        const struct kw_mock_bytes *assignor = &mockmodern_of(n)->assignor;
        votes += assignor->len > 0 && kwi_mock_bytes_are(assignor, "range", 5);
        votes -= assignor->len > 0 && kwi_mock_bytes_are(assignor, "uniform", 7);
    }
    return votes > 0;
}

int kwi_mock_modern_assign(struct kw_mock_group *group, bool changed)
{
    int rc;
    for (struct kw_node *n = group->modern.first; n; n = n->next)
        mockmodern_of(n)->next.n = 0;
    rc = kwi_mock_modern_is_range(group) ? mockmodern_range(group) : mockmodern_uniform(group);
    if (rc)
        return rc;
    for (struct kw_node *n = group->modern.first; n; n = n->next) {
        struct kw_mock_modern *member = mockmodern_of(n);
        struct kw_mock_set old = member->target;
        changed |= !kwi_mock_set_is_same(&member->target, &member->next);
        member->target = member->next;
        member->next = old;
    }
    group->generation += changed;
    return 0;
}

/* ---- from what it has to its target ----------------------------------------------------- */

static bool mockmodern_is_others(const struct kw_mock_modern *member,
                                 const struct kw_mock_owned *item)
{
    for (struct kw_node *n = member->group->modern.first; n; n = n->next) {
        const struct kw_mock_modern *other = mockmodern_of(n);
        if (other != member &&
            (kwi_mock_set_has(&other->assigned, item) || kwi_mock_set_has(&other->pending, item)))
            return true;
    }
    return false;
}

/* Towards the group's epoch, from one at which the member has nothing to give up. */
static int mockmodern_next(struct kw_mock_modern *member, int32_t epoch, const struct kw_arr *owned)
{
    struct kw_mock *mock = member->group->mock;
    bool unreleased = false;
    uint32_t keep = 0;
    member->pending.n = 0;
    for (uint32_t i = 0; i < member->assigned.n; i++) {
        struct kw_mock_owned item = member->assigned.list[i];
        if (kwi_mock_set_has(&member->target, &item))
            member->assigned.list[keep++] = item;
        else if ((owned->n < 0 || kwi_mock_owned_has(owned, &item)) &&
                 mockmodern_put(mock, &member->pending, &item))
            return KW_ERR_NOMEM;
    }
    member->assigned.n = keep;
    if (member->pending.n) {
        member->state = KWI_MOCK_MODERN_UNREVOKED;
    } else {
        for (uint32_t i = 0; i < member->target.n; i++) {
            const struct kw_mock_owned *item = &member->target.list[i];
            if (kwi_mock_set_has(&member->assigned, item))
                continue;
            if (mockmodern_is_others(member, item))
                unreleased = true;
            else if (mockmodern_put(mock, &member->assigned, item))
                return KW_ERR_NOMEM;
        }
        member->state = unreleased ? KWI_MOCK_MODERN_UNRELEASED : KWI_MOCK_MODERN_STABLE;
        epoch = member->group->generation;
    }
    if (epoch != member->epoch) {
        member->previous_epoch = member->epoch;
        member->epoch = epoch;
    }
    return 0;
}

static bool mockmodern_gave_up(const struct kw_mock_modern *member, const struct kw_arr *owned)
{
    for (uint32_t i = 0; owned->n >= 0 && i < member->pending.n; i++) {
        if (kwi_mock_owned_has(owned, &member->pending.list[i]))
            return false;
    }
    return owned->n >= 0;
}

int kwi_mock_modern_reconcile(struct kw_mock_modern *member, const struct kw_arr *owned)
{
    struct kw_mock *mock = member->group->mock;
    bool was = member->state == KWI_MOCK_MODERN_UNREVOKED;
    int rc = 0;
    if (was && mockmodern_gave_up(member, owned))
        rc = mockmodern_next(member, member->epoch + 1, owned);
    else if (!was && (member->state == KWI_MOCK_MODERN_UNRELEASED ||
                      member->epoch != member->group->generation))
        rc = mockmodern_next(member, member->epoch, owned);
    if (member->state != KWI_MOCK_MODERN_UNREVOKED)
        kwi_timer_disarm(&mock->timers, &member->revoke);
    else if (!was || !member->revoke.armed)
        kwi_timer_arm(&mock->timers, &member->revoke,
                      mock->now.mono_us + (uint64_t)member->rebalance_ms * 1000);
    return rc;
}
