/* client/assign/plan_run.c -- the leader's plan carried out: memory for the assignor,
 * the assignor, a look at what it did, and the members' assignments as bytes. */
#include "client/assign/plan.h"

#include <string.h>

#include "base/assert.h"
#include "client/error_text.h"

/* The lowest version: the higher ones look the same. */
enum { PLAN_ASSIGNMENT_VERSION = 0 };

/* ---- what the assignor sees --------------------------------------------------------- */

/* Numbers the partitions of all topics. */
static int plan_number(struct kw_plan *plan, struct kw_error *err)
{
    uint64_t n = 0;
    for (uint32_t t = 0; t < plan->n_topics; t++) {
        plan->topics[t].first = (uint32_t)n;
        n += plan->topics[t].n_partitions;
        if (n > KWI_PLAN_PARTITIONS_MAX)
            return kwi_plan_limit(err, "partitions or more", (size_t)n, KWI_PLAN_PARTITIONS_MAX);
    }
    if ((uint64_t)plan->n_members * plan->n_topics > KWI_PLAN_CELLS_MAX)
        return kwi_plan_limit(err, "times topics as members",
                              (size_t)plan->n_members * plan->n_topics, KWI_PLAN_CELLS_MAX);
    plan->group = (struct kw_assign_group){.members = plan->members,
                                           .n_members = plan->n_members,
                                           .topics = plan->topics,
                                           .n_topics = plan->n_topics,
                                           .n_partitions = (uint32_t)n,
                                           .racks = plan->racks,
                                           .n_racks = plan->n_racks};
    return 0;
}

static int32_t plan_rack(const struct kw_plan *plan, struct kw_str rack)
{
    if (rack.len <= 0)
        return -1;
    for (uint32_t r = 0; r < plan->n_racks; r++)
        if (plan->racks[r].len == (size_t)rack.len &&
            memcmp(plan->racks[r].ptr, rack.ptr, (size_t)rack.len) == 0)
            return (int32_t)r;
    return (int32_t)plan->n_racks;
}

static size_t plan_n_claims(const struct kw_plan *plan)
{
    struct kw_consumer_protocol_topic topic;
    struct kw_iter it;
    size_t n = 0;
    for (uint32_t m = 0; m < plan->n_members; m++) {
        kwi_iter_init(&it, &plan->subscriptions[m].owned_partitions);
        while (kwi_iter_next(&it, &topic))
            n += topic.partitions.n > 0 ? (size_t)topic.partitions.n : 0;
    }
    return n;
}

/* Lists what each member says it owns, as far as there is such a partition. */
static void plan_claims(struct kw_plan *plan)
{
    uint32_t *next = plan->owned;
    for (uint32_t m = 0; m < plan->n_members; m++) {
        struct kw_assign_member *member = &plan->members[m];
        struct kw_assign_claims claims;
        uint32_t partition, n = 0;
        kwi_assign_claims_init(&claims, &plan->group, &plan->subscriptions[m].owned_partitions);
        while (kwi_assign_claims_next(&claims, &partition))
            next[n++] = partition;
        if (claims.n_unknown > 0)
            kwi_plan_repair(plan, m, "it owns partitions that do not exist; they are left out");
        member->owned = next;
        member->n_owned = kwi_assign_unique(next, n);
        next += n;
        member->rack = plan_rack(plan, plan->subscriptions[m].rack_id);
    }
}

/* ---- memory -------------------------------------------------------------------- */

static void plan_carve(struct kw_plan *plan, struct kw_carver *carver, size_t n_claims)
{
    uint32_t most = 0;
    for (uint32_t m = 0; m < plan->n_members; m++)
        if (plan->members[m].n_topics > most)
            most = plan->members[m].n_topics;
    plan->owned = kwi_carve(carver, n_claims, sizeof *plan->owned);
    plan->owners = kwi_carve(carver, plan->group.n_partitions, sizeof *plan->owners);
    plan->first = kwi_carve(carver, (size_t)plan->n_members + 2, sizeof *plan->first);
    plan->sorted = kwi_carve(carver, plan->group.n_partitions, sizeof *plan->sorted);
    plan->numbers = kwi_carve(carver, plan->group.n_partitions, sizeof *plan->numbers);
    plan->encoded = kwi_carve(carver, most, sizeof *plan->encoded);
}

int kwi_plan_prepare(struct kw_plan *plan, const struct kw_assignor *assignor, struct kw_error *err)
{
    struct kw_carver carver = {NULL, 0};
    size_t n_claims = plan_n_claims(plan);
    int rc = plan_number(plan, err);
    kwi_free(plan->heap, plan->work.ptr, plan->work.size);
    kwi_free(plan->heap, plan->scratch.ptr, plan->scratch.size);
    plan->work = plan->scratch = (struct kw_plan_block){NULL, 0};
    plan->assignor = assignor;
    plan->ran = false;
    if (rc)
        return rc;
    plan_carve(plan, &carver, n_claims);
    plan->work.size = carver.used;
    plan->work.ptr = kwi_alloc(plan->heap, plan->work.size);
    if (!plan->work.ptr)
        return kwi_plan_nomem(err);
    carver = (struct kw_carver){plan->work.ptr, 0};
    plan_carve(plan, &carver, n_claims);
    plan_claims(plan);
    memset(plan->owners, 0xff, plan->group.n_partitions * sizeof *plan->owners);
    plan->n_held = 0;
    if (assignor->scratch_size)
        plan->scratch.size = assignor->scratch_size(assignor->ctx, &plan->group);
    if (plan->scratch.size > plan->heap->limit) {
        size_t wanted = plan->scratch.size;
        plan->scratch.size = 0;
        kwi_error_fmt(err, KW_ERR_LIMIT, KW_PHASE_REQUEST, "raise control.memory",
                      "assignor %s wants %zu bytes to work in", assignor->name, wanted);
        return KW_ERR_LIMIT;
    }
    if (plan->scratch.size > 0)
        plan->scratch.ptr = kwi_alloc(plan->heap, plan->scratch.size);
    return plan->scratch.size > 0 && !plan->scratch.ptr ? kwi_plan_nomem(err) : 0;
}

bool kwi_plan_is_work(const struct kw_plan *plan)
{
    return (uint64_t)plan->n_members * plan->group.n_partitions > KWI_PLAN_INLINE_MAX;
}

void kwi_plan_run(struct kw_plan *plan)
{
    KWI_ASSERT(plan->work.ptr && !plan->ran);
    plan->rc = plan->assignor->assign(plan->assignor->ctx, &plan->group, plan->owners,
                                      plan->scratch.ptr);
    plan->ran = true;
}

/* ---- what it did ---------------------------------------------------------------- */

/* Counts each member's partitions and checks every owner. */
static int plan_check(struct kw_plan *plan, struct kw_error *err)
{
    memset(plan->first, 0, ((size_t)plan->n_members + 2) * sizeof *plan->first);
    for (uint32_t t = 0; t < plan->n_topics; t++) {
        const struct kw_assign_topic *topic = &plan->topics[t];
        for (uint32_t p = 0; p < topic->n_partitions; p++) {
            int32_t owner = plan->owners[topic->first + p];
            if (owner == -1)
                continue;
            if (owner < 0 || (uint32_t)owner >= plan->n_members ||
                !kwi_assign_subscribes(&plan->members[owner], t)) {
                kwi_error_fmt(err, KW_ERR_STATE, KW_PHASE_REQUEST,
                              "an owner must be the index of a member that subscribes to the topic",
                              "assignor %s gave partition %u of %.*s to %d, which cannot own it",
                              plan->assignor->name, p,
                              topic->name.len < 80 ? (int)topic->name.len : 80,
                              (const char *)topic->name.ptr, (int)owner);
                return KW_ERR_STATE;
            }
            plan->first[owner + 2]++;
        }
    }
    return 0;
}

/* An own assignor may move what somebody still has at once to another one, as an eager one
 * does: two would have it. */
static void plan_hold_back(struct kw_plan *plan)
{
    const struct kw_assignor *assignor = plan->assignor;

    if (!(assignor->protocols & KW_REBALANCE_COOPERATIVE) ||
        assignor == &kw_assignor_cooperative_sticky)
        return;
    for (uint32_t m = 0; m < plan->n_members; m++) {
        const struct kw_assign_member *member = &plan->members[m];
        for (uint32_t i = 0; i < member->n_owned; i++) {
            int32_t *owner = &plan->owners[member->owned[i]];
            if (*owner == -1 || *owner == (int32_t)m)
                continue;
            *owner = -1;
            plan->n_held++;
        }
    }
}

uint32_t kwi_plan_n_held(const struct kw_plan *plan)
{
    return plan->n_held;
}

int kwi_plan_finish(struct kw_plan *plan, struct kw_error *err)
{
    uint32_t *next = plan->first + 1;
    int rc = plan->ran ? plan->rc : KW_ERR_STATE;
    if (rc < 0) {
        kwi_error_fmt(err, rc, KW_PHASE_REQUEST, "its documentation says why",
                      "assignor %s failed with %s", plan->assignor->name, kw_err_name(rc));
        return rc;
    }
    plan_hold_back(plan);
    rc = plan_check(plan, err);
    if (rc)
        return rc;
    /* Counted two places on, summed up one place on: filling moves each to its own. */
    for (uint32_t m = 0; m < plan->n_members; m++)
        next[m + 1] += next[m];
    for (uint32_t t = 0; t < plan->n_topics; t++)
        for (uint32_t p = 0; p < plan->topics[t].n_partitions; p++) {
            int32_t owner = plan->owners[plan->topics[t].first + p];
            if (owner < 0)
                continue;
            plan->sorted[next[owner]] = plan->topics[t].first + p;
            plan->numbers[next[owner]++] = (int32_t)p;
        }
    return 0;
}

int kwi_plan_assign(struct kw_plan *plan, const struct kw_assignor *assignor, struct kw_error *err)
{
    int rc = kwi_plan_prepare(plan, assignor, err);
    if (rc)
        return rc;
    kwi_plan_run(plan);
    return kwi_plan_finish(plan, err);
}

const int32_t *kwi_plan_owners(const struct kw_plan *plan)
{
    return plan->owners;
}

const struct kw_assign_group *kwi_plan_group(const struct kw_plan *plan)
{
    return &plan->group;
}

struct plan_asker {
    struct kw_plan *plan;
    kwi_assignment_data_fn *ask;
    uint32_t member;
};

static int plan_ask(void *asker, void *buf, size_t cap, size_t *len)
{
    const struct plan_asker *a = asker;

    return a->ask(a->plan->assignor->ctx, &a->plan->group, a->plan->owners, a->member, buf, cap,
                  len);
}

int kwi_plan_encode(struct kw_plan *plan, uint32_t member, struct kw_wr *w)
{
    struct plan_asker asker = {plan, kwi_assignor_assignment_data(plan->assignor), member};
    size_t data_size = 0;
    int rc;
    const struct kw_assign_member *m = &plan->members[member];
    uint32_t at = plan->first[member], end = plan->first[member + 1], n = 0;
    struct kw_consumer_protocol_assignment msg;
    kwi_consumer_protocol_assignment_init(&msg);
    for (uint32_t i = 0; i < m->n_topics && at < end; i++) {
        const struct kw_assign_topic *topic = &plan->topics[m->topics[i]];
        uint32_t from = at;
        while (at < end && plan->sorted[at] - topic->first < topic->n_partitions)
            at++;
        if (at == from)
            continue;
        plan->encoded[n] = (struct kw_consumer_protocol_topic){
            .topic = {topic->name.ptr, (int32_t)topic->name.len},
            .partitions = KWI_ARR(plan->numbers + from, at - from)};
        n++;
    }
    KWI_ASSERT(at == end);
    msg.assigned_partitions = KWI_ARR(plan->encoded, n);
    rc = asker.ask ? kwi_assign_data(plan->heap, plan_ask, &asker, &msg.user_data, &data_size) : 0;
    if (rc)
        return rc;
    rc = kwi_assignment_put(&msg, PLAN_ASSIGNMENT_VERSION, w);
    if (data_size)
        kwi_free(plan->heap, (void *)(uintptr_t)msg.user_data.ptr, data_size);
    return rc;
}
