/* client/group_notice.c -- the events of a group: made before they are needed, raised in
 * order, looked at once. What they are about is decided in group.c. */
#include <string.h>

#include "client/error_text.h"
#include "client/group.h"

enum { NOTICE_SHORTAGES = 3 /* of memory in a row, before it is told */ };

struct kw_group_size kwi_group_measure(const struct kw_group *group, kwi_group_filter_fn *filter)
{
    struct kw_group_size size = {0, 0};
    struct kw_consumer_topic *topic;
    struct kw_consumer_part *part;

    for (uint32_t i = 0; (topic = kwi_map_next(&group->consumer->topics, &i));) {
        uint32_t before = size.n;
        for (uint32_t k = 0; (part = kwi_map_next(&topic->parts, &k));)
            size.n += filter(group, part);
        if (size.n > before)
            size.names += topic->meta->name_len + 1;
    }
    return size;
}

struct kw_group_notice *kwi_group_notice(struct kw_group *group, struct kw_group_size need)
{
    size_t size = sizeof(struct kw_group_notice) + need.n * sizeof(struct kw_topic_partition) +
                  need.names;
    struct kw_group_notice *notice = kwi_alloc_zero(&group->consumer->core->control, size);

    if (!notice)
        return NULL;
    notice->cap = need.n;
    notice->names_cap = need.names;
    notice->size = size;
    return notice;
}

void kwi_group_notice_free(struct kw_group *group, struct kw_group_notice *notice)
{
    if (notice)
        kwi_free(&group->consumer->core->control, notice, notice->size);
}

/* Lists the parts that pass. There is room for them. */
void kwi_group_notice_fill(struct kw_group *group, struct kw_group_notice *notice,
                           enum kw_event_kind kind, kwi_group_filter_fn *filter)
{
    char *names = (char *)(notice->list + notice->cap);
    struct kw_consumer_topic *topic;
    struct kw_consumer_part *part;

    notice->kind = (uint8_t)kind;
    notice->n = 0;
    for (uint32_t i = 0; (topic = kwi_map_next(&group->consumer->topics, &i));) {
        uint32_t before = notice->n;
        for (uint32_t k = 0; (part = kwi_map_next(&topic->parts, &k));) {
            if (!filter(group, part))
                continue;
            notice->list[notice->n++] = (struct kw_topic_partition){names, part->partition};
            if (kind == KW_EVENT_ASSIGNED)
                part->notice = notice;
        }
        if (notice->n == before)
            continue;
        memcpy(names, topic->meta->name, topic->meta->name_len + 1);
        names += topic->meta->name_len + 1;
    }
}

void kwi_group_notice_raise(struct kw_group *group, struct kw_group_notice *notice)
{
    kwi_list_push(&group->notices, &notice->node);
    kwi_consumer_notify(group->consumer);
}

/* Of the revoke that is open: it is the last that was raised. */
static struct kw_group_notice *group_revoke_untold(const struct kw_group *group)
{
    for (struct kw_node *n = group->open ? group->notices.last : NULL; n; n = n->prev) {
        struct kw_group_notice *notice = KWI_OF(n, struct kw_group_notice, node);
        if (notice->kind == KW_EVENT_REVOKED)
            return notice;
    }
    return NULL;
}

bool kwi_group_is_told(const struct kw_consumer_part *part)
{
    const struct kw_group *group = part->topic->consumer->group;

    return !part->fresh || (group->told && part->notice == group->told);
}

bool kwi_group_revoke_is_told(const struct kw_group *group)
{
    return !group_revoke_untold(group);
}

void kwi_group_drop_revoke(struct kw_group *group)
{
    struct kw_group_notice *notice = group_revoke_untold(group);

    if (!notice)
        return;
    kwi_list_remove(&group->notices, &notice->node);
    kwi_group_notice_free(group, notice);
}

bool kwi_group_fill(struct kw_consumer *consumer, struct kw_event *out)
{
    struct kw_group *group = consumer->group;
    struct kw_group_notice *notice;

    if (!group)
        return false;
    if (group->error) {
        group->error = false;
        out->kind = KW_EVENT_ERROR;
        out->code = group->why.code;
        out->error = &group->why;
        return true;
    }
    if (group->late_ms) {
        out->kind = KW_EVENT_LOOP_LATE;
        out->late_ms = group->late_ms;
        group->late_ms = 0;
        return true;
    }
    if (kwi_list_empty(&group->notices))
        return false;
    notice = KWI_OF(kwi_list_pop(&group->notices), struct kw_group_notice, node);
    group->told = notice;
    out->kind = notice->kind;
    out->partitions = notice->list;
    out->n_partitions = notice->n;
    if (notice->kind == KW_EVENT_LOST) {
        out->code = notice->why.code;
        out->error = &notice->why;
    }
    return true;
}

/* Parts begin when the event that names them was taken, and the application had its
 * chance to seek. */
static void group_begin(struct kw_group *group, const struct kw_group_notice *notice)
{
    for (uint32_t i = 0; i < notice->n; i++) {
        const struct kw_topic_partition *entry = &notice->list[i];
        struct kw_consumer_part *part = kwi_consumer_find(group->consumer, entry->topic,
                                                          strlen(entry->topic), entry->partition);
        if (!part || part->notice != notice)
            continue;
        part->notice = NULL;
        if (part->fresh) {
            part->fresh = false;
            kwi_part_begin(part);
        }
    }
}

void kwi_group_told(struct kw_consumer *consumer)
{
    struct kw_group *group = consumer->group;
    struct kw_group_notice *notice = group ? group->told : NULL;

    if (!notice)
        return;
    group->told = NULL;
    if (notice->kind == KW_EVENT_ASSIGNED)
        group_begin(group, notice);
    kwi_group_notice_free(group, notice);
}

void kwi_group_tell_error(struct kw_group *group, const struct kw_error *why)
{
    group->why = *why;
    group->error = true;
    kwi_consumer_notify(group->consumer);
}

void kwi_group_lacks_memory(struct kw_group *group, uint32_t *n_in_row, const char *what)
{
    struct kw_error why;

    if (*n_in_row == NOTICE_SHORTAGES) /* told */
        return;
    if (*n_in_row + 1 == NOTICE_SHORTAGES && group->error)
        return; /* that one first: it is told once, and this can be told the next time */
    if (++*n_in_row < NOTICE_SHORTAGES) /* it may pass by itself */
        return;
    kwi_group_error(group, &why, KW_ERR_NOMEM, 0, what, "raise control.memory");
    why.retriable = 1;
    kwi_group_tell_error(group, &why);
}
