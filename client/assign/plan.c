/* client/assign/plan.c -- the leader's plan: what the members' subscriptions say. See
 * assignor.h for the order of the calls; plan_run.c does what follows.
 *
 * Members are sorted by id and topics by name before anything is decided, so that
 * neither the order of an answer nor that of a hash table has a say. Everything that
 * the members wrote is copied once; what the assignor sees points into the copy. */
#include "client/assign/plan.h"

#include <string.h>

#include "base/fmt.h"
#include "base/sort.h"
#include "client/error_text.h"

/* ---- memory, limits, repairs ----------------------------------------------------- */

/* n elements of `size` bytes, zeroed, freed with the plan; at least one. */
static void *plan_take(struct kw_plan *plan, size_t n, size_t size)
{
    size_t bytes = (n ? n : 1) * size;
    void *ptr = plan->n_blocks < KWI_PLAN_BLOCKS_MAX ? kwi_alloc_zero(plan->heap, bytes) : NULL;
    if (ptr)
        plan->blocks[plan->n_blocks++] = (struct kw_plan_block){ptr, bytes};
    return ptr;
}

int kwi_plan_nomem(struct kw_error *err)
{
    kwi_error_set(err, KW_ERR_NOMEM, KW_PHASE_REQUEST,
                  "no memory to assign the partitions of the group as its leader",
                  "raise memory.limit, or use group.protocol=consumer");
    return KW_ERR_NOMEM;
}

int kwi_plan_limit(struct kw_error *err, const char *what, size_t n, size_t most)
{
    kwi_error_fmt(err, KW_ERR_LIMIT, KW_PHASE_REQUEST,
                  "split the group, or use group.protocol=consumer, where the broker assigns",
                  "the group has %zu %s, and its leader assigns at most %zu", n, what, most);
    return KW_ERR_LIMIT;
}

void kwi_plan_repair(struct kw_plan *plan, uint32_t member, const char *what)
{
    struct kw_bytes id = plan->members[member].member_id;
    if (plan->n_repairs++ == 0)
        (void)kwi_fmt(plan->note, sizeof plan->note, "group member %.*s: %s",
                      id.len < 80 ? (int)id.len : 80, (const char *)id.ptr, what);
}

/* ---- members ------------------------------------------------------------------- */

static struct kw_bytes plan_bytes(struct kw_str text)
{
    return (struct kw_bytes){text.ptr, text.len > 0 ? (size_t)text.len : 0};
}

static bool plan_member_less(const void *ctx, uint32_t a, uint32_t b)
{
    const struct kw_plan_member *members = ctx;
    int order = kwi_name_compare(plan_bytes(members[a].member_id),
                                 plan_bytes(members[b].member_id));
    return order != 0 ? order < 0 : a < b;
}

/* Copies into the plan's own bytes. */
static struct kw_bytes plan_copy(uint8_t **to, const void *ptr, size_t len)
{
    struct kw_bytes copy = {*to, len};
    if (len > 0)
        memcpy(*to, ptr, len);
    *to += len;
    return copy;
}

/* Reads one subscription; what cannot be read wants nothing. */
static void plan_read(struct kw_plan *plan, uint32_t m, struct kw_bytes metadata)
{
    struct kw_assign_member *member = &plan->members[m];
    struct kw_consumer_protocol_subscription *sub = &plan->subscriptions[m];
    struct kw_blob blob = {metadata.ptr, (int32_t)metadata.len};
    int version;
    if (kwi_subscription_get(&blob, sub, &version, NULL)) {
        kwi_consumer_protocol_subscription_init(sub);
        kwi_plan_repair(plan, m, "its subscription cannot be read, so it gets nothing");
    }
    member->user_data = (struct kw_bytes){NULL, 0};
    if (sub->user_data.len >= 0)
        member->user_data = (struct kw_bytes){sub->user_data.ptr, (size_t)sub->user_data.len};
    member->generation = sub->generation_id < 0 ? -1 : sub->generation_id;
}

/* Copies and reads the members in the order of their ids. */
static int plan_members(struct kw_plan *plan, const struct kw_plan_member *in, uint32_t n,
                        size_t n_bytes)
{
    uint32_t *order = plan_take(plan, n, sizeof *order);
    uint8_t *bytes = plan_take(plan, n_bytes, 1);
    plan->members = plan_take(plan, n, sizeof *plan->members);
    plan->subscriptions = plan_take(plan, n, sizeof *plan->subscriptions);
    if (!order || !bytes || !plan->members || !plan->subscriptions)
        return KW_ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    kwi_sort_u32(order, n, plan_member_less, in);
    for (uint32_t i = 0; i < n; i++) {
        const struct kw_plan_member *from = &in[order[i]];
        struct kw_bytes id = plan_bytes(from->member_id);
        struct kw_bytes instance = plan_bytes(from->group_instance_id);
        struct kw_bytes metadata = {from->metadata.ptr,
                                    from->metadata.len > 0 ? (size_t)from->metadata.len : 0};
        uint32_t m = plan->n_members;
        if (m > 0 && kwi_name_compare(plan->members[m - 1].member_id, id) == 0)
            kwi_plan_repair(plan, --m, "it is in the group twice, and the last one counts");
        plan->n_members = m + 1;
        plan->members[m] = (struct kw_assign_member){.rack = -1};
        plan->members[m].member_id = plan_copy(&bytes, id.ptr, id.len);
        if (instance.len > 0)
            plan->members[m].group_instance_id = plan_copy(&bytes, instance.ptr, instance.len);
        plan_read(plan, m, plan_copy(&bytes, metadata.ptr, metadata.len));
    }
    return 0;
}

/* ---- topics ---------------------------------------------------------------------- */

/* The number of a topic that somebody subscribes to; n_topics: nobody does. */
static uint32_t plan_topic(const struct kw_plan *plan, struct kw_str name)
{
    const void *known = kwi_map_get_str(&plan->names, name.ptr, (size_t)name.len);
    return known ? (uint32_t)((uintptr_t)known - 1) : plan->n_topics;
}

/* Numbers the names as they come, and lists each member's topics by these numbers. */
static int plan_names(struct kw_plan *plan, uint32_t *list)
{
    struct kw_iter it;
    struct kw_str name;
    for (uint32_t m = 0; m < plan->n_members; m++) {
        struct kw_assign_member *member = &plan->members[m];
        kwi_iter_init(&it, &plan->subscriptions[m].topics);
        for (member->topics = list; kwi_iter_next(&it, &name); list++) {
            *list = plan_topic(plan, name);
            if (*list < plan->n_topics)
                continue;
            if (plan->n_topics == KWI_PLAN_TOPICS_MAX)
                return KW_ERR_LIMIT;
            plan->n_topics++;
            if (kwi_map_put_str(&plan->names, name.ptr, (size_t)name.len,
                                (void *)(uintptr_t)plan->n_topics))
                return KW_ERR_NOMEM;
        }
        member->n_topics = (uint32_t)(list - member->topics);
    }
    return 0;
}

/* The names by their numbers. */
static void plan_collect(const struct kw_plan *plan, struct kw_assign_topic *topics)
{
    const struct kw_map *map = &plan->names;
    for (uint32_t i = 0; i < map->n_entries; i++)
        topics[i].name = (struct kw_bytes){map->entries[i].str, map->entries[i].str_len};
}

static bool plan_topic_less(const void *ctx, uint32_t a, uint32_t b)
{
    const struct kw_assign_topic *topics = ctx;
    return kwi_name_compare(topics[a].name, topics[b].name) < 0;
}

/* Sorts the topics by name and numbers them anew, in the members' lists too. */
static int plan_sort_topics(struct kw_plan *plan, uint32_t *list)
{
    struct kw_assign_topic *unsorted = plan_take(plan, plan->n_topics, sizeof *unsorted);
    uint32_t *order = plan_take(plan, plan->n_topics, 2 * sizeof *order), *renumbered;
    plan->topics = plan_take(plan, plan->n_topics, sizeof *plan->topics);
    if (!unsorted || !order || !plan->topics)
        return KW_ERR_NOMEM;
    renumbered = order + plan->n_topics;
    plan_collect(plan, unsorted);
    for (uint32_t t = 0; t < plan->n_topics; t++)
        order[t] = t;
    kwi_sort_u32(order, plan->n_topics, plan_topic_less, unsorted);
    for (uint32_t t = 0; t < plan->n_topics; t++) {
        plan->topics[t] = unsorted[order[t]];
        renumbered[order[t]] = t;
    }
    for (uint32_t m = 0; m < plan->n_members; m++) {
        uint32_t n = plan->members[m].n_topics;
        for (uint32_t i = 0; i < n; i++)
            list[i] = renumbered[list[i]];
        plan->members[m].n_topics = kwi_assign_unique(list, n);
        list += n;
    }
    return 0;
}

/* ---- public -------------------------------------------------------------------- */

static int plan_fill(struct kw_plan *plan, const struct kw_plan_member *members, uint32_t n,
                     size_t n_bytes)
{
    size_t n_names = 0;
    uint32_t *list;
    int rc = plan_members(plan, members, n, n_bytes);
    if (rc)
        return rc;
    for (uint32_t m = 0; m < plan->n_members; m++)
        n_names += plan->subscriptions[m].topics.n > 0 ? (size_t)plan->subscriptions[m].topics.n
                                                       : 0;
    list = plan_take(plan, n_names, sizeof *list);
    if (!list)
        return KW_ERR_NOMEM;
    rc = plan_names(plan, list);
    return rc ? rc : plan_sort_topics(plan, list);
}

int kwi_plan_create(struct kw_plan **out, struct kw_heap *heap,
                    const struct kw_plan_member *members, uint32_t n, struct kw_error *err)
{
    struct kw_plan *plan = NULL;
    size_t n_bytes = 0;
    int rc;
    *out = NULL;
    if (n == 0) {
        kwi_error_set(err, KW_ERR_PROTOCOL, KW_PHASE_REQUEST,
                      "the coordinator made this member the leader of a group without members",
                      "is the coordinator a Kafka broker?");
        return KW_ERR_PROTOCOL;
    }
    if (n > KWI_PLAN_MEMBERS_MAX)
        return kwi_plan_limit(err, "members", n, KWI_PLAN_MEMBERS_MAX);
    for (uint32_t i = 0; i < n; i++)
        n_bytes += plan_bytes(members[i].member_id).len +
                   plan_bytes(members[i].group_instance_id).len +
                   (members[i].metadata.len > 0 ? (size_t)members[i].metadata.len : 0);
    if (n_bytes > KWI_PLAN_BYTES_MAX)
        return kwi_plan_limit(err, "bytes of subscriptions", n_bytes, KWI_PLAN_BYTES_MAX);
    plan = kwi_alloc_zero(heap, sizeof *plan);
    if (!plan)
        return kwi_plan_nomem(err);
    plan->heap = heap;
    kwi_map_init(&plan->names, heap);
    rc = plan_fill(plan, members, n, n_bytes);
    if (rc == 0) {
        *out = plan;
        return 0;
    }
    kwi_plan_destroy(plan);
    return rc == KW_ERR_LIMIT
               ? kwi_plan_limit(err, "topics or more", KWI_PLAN_TOPICS_MAX + 1, KWI_PLAN_TOPICS_MAX)
               : kwi_plan_nomem(err);
}

void kwi_plan_destroy(struct kw_plan *plan)
{
    if (!plan)
        return;
    for (uint32_t i = 0; i < plan->n_blocks; i++)
        kwi_free(plan->heap, plan->blocks[i].ptr, plan->blocks[i].size);
    kwi_free(plan->heap, plan->lent.ptr, plan->lent.size);
    kwi_free(plan->heap, plan->work.ptr, plan->work.size);
    kwi_free(plan->heap, plan->scratch.ptr, plan->scratch.size);
    kwi_map_deinit(&plan->names);
    kwi_free(plan->heap, plan, sizeof *plan);
}

uint32_t kwi_plan_n_members(const struct kw_plan *plan)
{
    return plan->n_members;
}

struct kw_str kwi_plan_member_id(const struct kw_plan *plan, uint32_t member)
{
    struct kw_bytes id = plan->members[member].member_id;
    return (struct kw_str){id.ptr, (int32_t)id.len};
}

uint32_t kwi_plan_repairs(const struct kw_plan *plan, const char **first)
{
    if (first)
        *first = plan->note;
    return plan->n_repairs;
}

uint32_t kwi_plan_n_topics(const struct kw_plan *plan)
{
    return plan->n_topics;
}

struct kw_str kwi_plan_topic_name(const struct kw_plan *plan, uint32_t topic)
{
    struct kw_bytes name = plan->topics[topic].name;
    return (struct kw_str){name.ptr, (int32_t)name.len};
}

bool kwi_plan_has_racks(const struct kw_plan *plan)
{
    for (uint32_t m = 0; m < plan->n_members; m++)
        if (plan->subscriptions[m].rack_id.len > 0)
            return true;
    return false;
}

void kwi_plan_own(struct kw_plan *plan, void *block, size_t size)
{
    kwi_free(plan->heap, plan->lent.ptr, plan->lent.size);
    plan->lent = (struct kw_plan_block){block, size};
}

void kwi_plan_set_racks(struct kw_plan *plan, const struct kw_bytes *racks, uint32_t n)
{
    plan->racks = racks;
    plan->n_racks = n;
}

void kwi_plan_set_topic(struct kw_plan *plan, uint32_t topic, uint32_t n_partitions,
                        const int32_t *racks, uint32_t n_replicas)
{
    plan->topics[topic].n_partitions = n_partitions;
    plan->topics[topic].racks = n_replicas > 0 ? racks : NULL;
    plan->topics[topic].n_replicas = racks ? n_replicas : 0;
}
