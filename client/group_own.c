/* client/group_own.c -- what the assignors of a member of a classic group are asked and told
 * besides assigning: the user data of a subscription, and what we were given. Both see what
 * we were given the last time. */
#include <string.h>

#include "client/error_text.h"
#include "client/group_classic.h"

/* The last assignment, in the form of the public header. */
struct own_assignment {
    struct kw_assign_own own;
    struct kw_blob data; /* of the leader; null: none */
    struct kw_assign_own_topic *topics;
    int32_t *numbers;
    size_t n_numbers;
};

/* Lists the topics; with NULL only counts them. */
static void own_list(const struct kw_consumer_protocol_assignment *msg, struct own_assignment *to)
{
    struct kw_consumer_protocol_topic topic;
    struct kw_iter it, inner;
    int32_t partition;

    to->own.n_topics = 0;
    to->n_numbers = 0;
    for (kwi_iter_init(&it, &msg->assigned_partitions); kwi_iter_next(&it, &topic);
         ++to->own.n_topics) {
        size_t first = to->n_numbers;
        for (kwi_iter_init(&inner, &topic.partitions); kwi_iter_next(&inner, &partition);
             ++to->n_numbers) {
            if (to->numbers)
                to->numbers[to->n_numbers] = partition;
        }
        if (to->topics)
            to->topics[to->own.n_topics] = (struct kw_assign_own_topic){
                {topic.topic.ptr, topic.topic.len > 0 ? (size_t)topic.topic.len : 0},
                to->numbers + first,
                (uint32_t)(to->n_numbers - first)};
    }
}

static void own_free(const struct kw_classic *classic, struct own_assignment *to)
{
    struct kw_heap *heap = &kwi_classic_core(classic)->control;

    kwi_free(heap, to->topics, (to->own.n_topics + 1) * sizeof(*to->topics));
    kwi_free(heap, to->numbers, (to->n_numbers + 1) * sizeof(*to->numbers));
}

static int own_make(const struct kw_classic *classic, struct own_assignment *to)
{
    struct kw_heap *heap = &kwi_classic_core(classic)->control;
    struct kw_blob last = {classic->last, classic->last ? (int32_t)(classic->last_size - 1) : 0};
    struct kw_consumer_protocol_assignment msg;
    int version;

    *to = (struct own_assignment){
        .own = {.assigned = classic->last != NULL, .generation = classic->last_generation}};
    kwi_consumer_protocol_assignment_init(&msg);
    if (last.len > 0 && kwi_assignment_get(&last, &msg, &version, NULL))
        kwi_consumer_protocol_assignment_init(&msg); /* it was read before: cannot be */
    own_list(&msg, to);
    to->data = msg.user_data;
    to->topics = kwi_alloc(heap, (to->own.n_topics + 1) * sizeof(*to->topics));
    to->numbers = kwi_alloc(heap, (to->n_numbers + 1) * sizeof(*to->numbers));
    if (!to->topics || !to->numbers) {
        own_free(classic, to);
        return KW_ERR_NOMEM;
    }
    own_list(&msg, to);
    to->own.topics = to->topics;
    return 0;
}

/* ---- the user data of a subscription ---------------------------------------------------- */

struct own_asker {
    const struct kw_assignor *assignor;
    const struct kw_assign_own *own;
};

static int own_ask(void *asker, void *buf, size_t cap, size_t *len)
{
    const struct own_asker *a = asker;

    return a->assignor->user_data(a->assignor->ctx, a->own, buf, cap, len);
}

int kwi_classic_user_data(struct kw_classic *classic, const struct kw_assignor *assignor,
                          struct kw_blob *out, size_t *size)
{
    struct own_assignment last;
    struct own_asker asker = {assignor, &last.own};
    int rc;

    *out = (struct kw_blob){NULL, -1};
    *size = 0;
    if (!assignor->user_data)
        return 0;
    rc = own_make(classic, &last);
    if (rc)
        return rc;
    rc = kwi_assign_data(&kwi_classic_core(classic)->control, own_ask, &asker, out, size);
    if (rc && rc != KW_ERR_NOMEM)
        kwi_error_fmt(&classic->data_error, rc, KW_PHASE_REQUEST, "",
                      "assignor %s has no good user data: %s", assignor->name, kw_err_name(rc));
    own_free(classic, &last);
    return rc;
}

/* ---- what we were given ----------------------------------------------------------------- */

int kwi_classic_tell_assignor(const struct kw_classic *classic)
{
    kwi_on_assignment_fn *tell = kwi_assignor_on_assignment(classic->chosen);
    struct own_assignment now;
    int rc;

    if (!tell)
        return 0;
    rc = own_make(classic, &now);
    if (rc)
        return rc;
    tell(classic->chosen->ctx, &now.own,
         now.data.len >= 0 ? (struct kw_bytes){now.data.ptr, (size_t)now.data.len}
                           : (struct kw_bytes){NULL, 0});
    own_free(classic, &now);
    return 0;
}
