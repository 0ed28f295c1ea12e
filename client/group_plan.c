/* client/group_plan.c -- the leader's part of a rebalance: the members' subscriptions
 * become a plan (assignor.h), metadata says how many partitions there are, the
 * assignor runs, its result is kept as bytes for SyncGroup. The topics stay watched
 * as long as we lead: what grows, comes or goes makes the group rebalance (G22). */
#include <string.h>

#include "client/error_text.h"
#include "client/group_classic.h"

/* An assignor at work on the host's pool. It outlives a plan that is dropped. */
struct kw_classic_work {
    struct kw_work work;
    struct kw_node all;         /* in core->group_work */
    struct kw_classic *classic; /* NULL: dropped */
    struct kw_plan *plan;
};

static struct kw_heap *plan_heap(const struct kw_classic *classic)
{
    return &classic->group->consumer->core->control;
}

/* ---- topics ----------------------------------------------------------------------------- */

static bool plan_topic_known(const struct kw_classic *classic, const struct kw_classic_topic *topic)
{
    return (topic->meta->n_partitions > 0 || topic->meta->answer > 0) &&
           kwi_classic_racks_known(classic, topic);
}

bool kwi_classic_plan_known(const struct kw_classic *classic)
{
    for (uint32_t i = 0; i < classic->n_topics; i++) {
        if (!plan_topic_known(classic, &classic->topics[i]))
            return false;
    }
    return true;
}

static void plan_topic_changed(struct kw_topic_watch *watch, struct kw_topic_meta *meta)
{
    struct kw_classic_topic *topic = KWI_OF(watch, struct kw_classic_topic, watch);
    struct kw_classic *classic = topic->classic;
    uint32_t n = kwi_topic_meta_count(meta);

    if (classic->state == KWI_CLASSIC_PLAN) {
        if (!classic->work && !classic->blobs && kwi_classic_plan_known(classic))
            kwi_classic_plan_run(classic);
        return;
    }
    if (classic->again || (n == topic->n_partitions && !kwi_classic_racks_moved(classic, topic)))
        return;
    if (n == topic->n_partitions)
        kwi_log(meta->core, 6, "group %s: replicas of %s are in other racks: it rebalances",
                classic->group->consumer->keeper.group_id, meta->name);
    else
        kwi_log(meta->core, 6, "group %s: topic %s has %u partitions instead of %u: it rebalances",
                classic->group->consumer->keeper.group_id, meta->name, n, topic->n_partitions);
    topic->n_partitions = n;
    topic->racks = NULL; /* they were of so many as before; we rebalance anyway */
    if (classic->state == KWI_CLASSIC_STABLE)
        kwi_classic_step(classic, KWI_CLASSIC_REJOIN);
    else
        classic->again = true;
}

static int plan_watch_topics(struct kw_classic *classic)
{
    struct kw_core *core = classic->group->consumer->core;
    uint32_t n = kwi_plan_n_topics(classic->plan);

    classic->topics = kwi_alloc_zero(plan_heap(classic), (n + 1) * sizeof(*classic->topics));
    if (!classic->topics)
        return KW_ERR_NOMEM;
    classic->n_topics = n;
    classic->has_racks = kwi_plan_has_racks(classic->plan);
    for (uint32_t i = 0; i < n; i++) {
        struct kw_classic_topic *topic = &classic->topics[i];
        struct kw_str name = kwi_plan_topic_name(classic->plan, i);
        topic->classic = classic;
        topic->watch.changed = plan_topic_changed;
        topic->meta = kwi_topic_meta_get(core, name.ptr, (size_t)name.len);
        if (!topic->meta)
            return KW_ERR_NOMEM;
        kwi_list_push(&topic->meta->watchers, &topic->watch.node);
        if (classic->has_racks)
            kwi_racks_want(topic->meta);
    }
    return 0;
}

static void plan_unwatch_topics(struct kw_classic *classic)
{
    for (uint32_t i = 0; i < classic->n_topics; i++) {
        struct kw_classic_topic *topic = &classic->topics[i];
        if (!topic->meta)
            break;
        kwi_list_remove(&topic->meta->watchers, &topic->watch.node);
        if (classic->has_racks)
            kwi_racks_unwant(topic->meta);
        kwi_topic_meta_put(topic->meta);
    }
    kwi_free(plan_heap(classic), classic->topics,
             (classic->n_topics + 1) * sizeof(*classic->topics));
    classic->topics = NULL;
    classic->n_topics = 0;
}

/* ---- the plan's life -------------------------------------------------------------------- */

void kwi_classic_plan_drop(struct kw_classic *classic)
{
    struct kw_heap *heap = plan_heap(classic);

    if (classic->topics)
        plan_unwatch_topics(classic);
    kwi_free(heap, classic->blobs, classic->blobs_size);
    kwi_free(heap, classic->ends, classic->n_members * sizeof(*classic->ends));
    classic->blobs = NULL;
    classic->ends = NULL;
    classic->n_members = 0;
    if (classic->work)
        classic->work->classic = NULL; /* it has the plan, and lets it go */
    else
        kwi_plan_destroy(classic->plan);
    classic->work = NULL;
    classic->plan = NULL;
}

static int plan_read_members(struct kw_classic *classic, const struct kw_join_group_response *msg,
                             struct kw_error *err)
{
    struct kw_heap *heap = plan_heap(classic);
    size_t n = msg->members.n > 0 ? (size_t)msg->members.n : 0, i = 0;
    struct kw_plan_member *members = kwi_alloc(heap, (n + 1) * sizeof(*members));
    struct kw_join_group_response_member item;
    const char *note;
    struct kw_iter it;
    int rc;

    if (!members)
        return KW_ERR_NOMEM;
    for (kwi_iter_init(&it, &msg->members); kwi_iter_next(&it, &item); i++)
        members[i] = (struct kw_plan_member){item.member_id, item.group_instance_id, item.metadata};
    rc = kwi_plan_create(&classic->plan, heap, members, (uint32_t)n, err);
    kwi_free(heap, members, (n + 1) * sizeof(*members));
    if (!rc && kwi_plan_repairs(classic->plan, &note))
        kwi_log(classic->group->consumer->core, 4, "group %s: %s",
                classic->group->consumer->keeper.group_id, note);
    return rc;
}

int kwi_classic_plan(struct kw_classic *classic, const struct kw_join_group_response *msg,
                     struct kw_error *err)
{
    int rc;

    kwi_classic_plan_drop(classic);
    kwi_error_set(err, KW_ERR_NOMEM, KW_PHASE_REQUEST, "no memory to lead the group",
                  "raise control.memory");
    rc = plan_read_members(classic, msg, err);
    if (!rc)
        rc = plan_watch_topics(classic);
    if (rc) {
        kwi_classic_plan_drop(classic);
        return rc;
    }
    kwi_cluster_refresh(classic->group->consumer->core); /* what grew makes us come again */
    return 0;
}

/* ---- assigning -------------------------------------------------------------------------- */

/* The members' assignments, one behind the other: measured, then written. */
static int plan_write(struct kw_classic *classic)
{
    struct kw_heap *heap = plan_heap(classic);
    uint32_t n = kwi_plan_n_members(classic->plan);
    struct kw_wr wr = kwi_wr_make(NULL, 0);
    int rc = 0;

    for (uint32_t i = 0; i < n && (!rc || rc == KW_ERR_SPACE); i++)
        rc = kwi_plan_encode(classic->plan, i, &wr);
    if (rc && rc != KW_ERR_SPACE)
        return rc;
    classic->n_members = n;
    classic->blobs_size = wr.len + 1;
    classic->blobs = kwi_alloc(heap, classic->blobs_size);
    classic->ends = kwi_alloc(heap, n * sizeof(*classic->ends));
    if (!classic->blobs || !classic->ends)
        return KW_ERR_NOMEM;
    wr = kwi_wr_make(classic->blobs, classic->blobs_size);
    for (uint32_t i = 0; i < n; i++) {
        rc = kwi_plan_encode(classic->plan, i, &wr);
        if (rc)
            return rc;
        classic->ends[i] = (uint32_t)wr.len;
    }
    return 0;
}

struct kw_blob kwi_classic_plan_blob(const struct kw_classic *classic, uint32_t member)
{
    uint32_t begin = member ? classic->ends[member - 1] : 0;

    return (struct kw_blob){classic->blobs + begin, (int32_t)(classic->ends[member] - begin)};
}

/* The assignor has run. */
static void plan_ran(struct kw_classic *classic)
{
    struct kw_error err;
    int rc = kwi_plan_finish(classic->plan, &err);

    if (rc) {
        kwi_classic_fail(classic, rc, 0, err.text);
        return;
    }
    if (kwi_plan_n_held(classic->plan))
        kwi_log(classic->group->consumer->core, 4,
                "group %s: assignor %s gives %u partitions away that members still have; they "
                "are held back until these give them up",
                classic->group->consumer->keeper.group_id, classic->chosen->name,
                kwi_plan_n_held(classic->plan));
    rc = plan_write(classic);
    if (!rc)
        kwi_classic_step(classic, KWI_CLASSIC_JOINED);
    else if (rc == KW_ERR_NOMEM)
        kwi_classic_no_memory(classic, &classic->n_unsynced, "no memory to lead it");
    else
        kwi_classic_fail(classic, rc, 0, "the assignor's data of a member cannot be had");
}

static bool plan_work_run(struct kw_work *base, size_t budget)
{
    struct kw_classic_work *work = KWI_OF(base, struct kw_classic_work, work);

    (void)budget; /* in one piece, see docs/decisions/0013 */
    kwi_plan_run(work->plan);
    return false;
}

static void plan_work_done(struct kw_core *core, struct kw_work *base)
{
    struct kw_classic_work *work = KWI_OF(base, struct kw_classic_work, work);
    struct kw_classic *classic = work->classic;

    if (classic)
        classic->work = NULL;
    else
        kwi_plan_destroy(work->plan);
    kwi_list_remove(&core->group_work, &work->all);
    kwi_free(&core->control, work, sizeof(*work));
    if (classic)
        plan_ran(classic);
}

static bool plan_submit(struct kw_classic *classic)
{
    struct kw_core *core = classic->group->consumer->core;
    struct kw_classic_work *work = kwi_alloc_zero(&core->control, sizeof(*work));

    if (!work)
        return false;
    work->work.run = plan_work_run;
    work->work.done = plan_work_done;
    work->classic = classic;
    work->plan = classic->plan;
    classic->work = work;
    kwi_list_push(&core->group_work, &work->all);
    kwi_work_submit(core, &work->work);
    return true;
}

void kwi_group_work_deinit(struct kw_core *core)
{
    while (!kwi_list_empty(&core->group_work)) {
        struct kw_classic_work *work = KWI_OF(kwi_list_pop(&core->group_work),
                                              struct kw_classic_work, all);
        kwi_plan_destroy(work->plan);
        kwi_free(&core->control, work, sizeof(*work));
    }
}

void kwi_classic_plan_run(struct kw_classic *classic)
{
    struct kw_error err;
    int rc;

    if (classic->work)
        return;
    rc = kwi_classic_racks_tell(classic);
    if (rc) {
        kwi_classic_no_memory(classic, &classic->n_unsynced, "no memory to lead it");
        return;
    }
    if (classic->pull_only) { /* the last assignment stays */
        kwi_classic_step(classic, KWI_CLASSIC_JOINED);
        return;
    }
    rc = kwi_plan_prepare(classic->plan, classic->chosen, &err);
    if (!rc && !kwi_plan_is_work(classic->plan)) {
        kwi_plan_run(classic->plan);
        plan_ran(classic);
        return;
    }
    if (!rc && !plan_submit(classic))
        rc = KW_ERR_NOMEM;
    if (rc == KW_ERR_NOMEM)
        kwi_classic_no_memory(classic, &classic->n_unsynced, "no memory to lead it");
    else if (rc)
        kwi_classic_fail(classic, rc, 0, err.text);
}
