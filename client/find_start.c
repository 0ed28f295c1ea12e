/* client/find_start.c -- kw_list_offsets: what is asked for is checked, kept and sorted.
 * See find_offsets.h. */
#include <string.h>

#include "base/sort.h"
#include "client/error_text.h"
#include "client/find_offsets.h"
#include "proto/list_offsets.h"

static bool find_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct kw_find_entry *left = (const struct kw_find_entry *)ctx + a,
                               *right = (const struct kw_find_entry *)ctx + b;

    if (left->topic_no != right->topic_no)
        return left->topic_no < right->topic_no;
    return left->partition != right->partition ? left->partition < right->partition : a < b;
}

/* NULL, or what is wrong. */
static const char *find_check(const struct kw_start *which, size_t n, uint8_t isolation,
                              struct kw_offsets *const *result)
{
    if (!result)
        return "no place for the result";
    if (isolation > KW_READ_COMMITTED)
        return "no such isolation";
    if ((n && !which) || n > INT32_MAX / sizeof(struct kw_find_entry))
        return "so many partitions cannot be asked for at once";
    for (size_t i = 0; i < n; i++) {
        if (!which[i].topic || !*which[i].topic || strlen(which[i].topic) > KWI_STRING_MAX ||
            which[i].partition < 0)
            return "a topic's name is missing or too long, or a partition is negative";
        if (which[i].kind != KW_START_EARLIEST && which[i].kind != KW_START_LATEST &&
            which[i].kind != KW_START_TIMESTAMP)
            return "only EARLIEST, LATEST and TIMESTAMP can be asked for";
        if (which[i].kind == KW_START_TIMESTAMP && which[i].value < 0)
            return "a time is not negative";
    }
    return NULL;
}

static struct kw_find_topic *find_topic_get(struct kw_find_op *find, const char *name)
{
    struct kw_core *core = find->op.core;
    size_t len = strlen(name);
    struct kw_find_topic *topic = kwi_map_get_str(&find->topics, name, len);

    if (topic)
        return topic;
    topic = kwi_alloc_zero(&core->control, sizeof(*topic));
    if (!topic)
        return NULL;
    topic->find = find;
    topic->meta = kwi_topic_meta_get(core, name, len);
    if (!topic->meta ||
        kwi_map_put_str(&find->topics, topic->meta->name, topic->meta->name_len, topic)) {
        if (topic->meta)
            kwi_topic_meta_put(topic->meta);
        kwi_free(&core->control, topic, sizeof(*topic));
        return NULL;
    }
    topic->watch.changed = kwi_find_meta_changed;
    kwi_list_push(&topic->meta->watchers, &topic->watch.node);
    topic->next = find->first_topic;
    find->first_topic = topic;
    return topic;
}

static int64_t find_question(const struct kw_start *start)
{
    if (start->kind == KW_START_EARLIEST)
        return KWI_OFFSET_EARLIEST;
    return start->kind == KW_START_LATEST ? KWI_OFFSET_LATEST : start->value;
}

static bool find_fill(struct kw_find_op *find, const struct kw_start *which, size_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct kw_find_entry *entry = &find->entries[i];
        entry->topic = find_topic_get(find, which[i].topic);
        if (!entry->topic)
            return false;
        if (entry->topic->n++ == 0)
            entry->topic->first = kwi_map_len(&find->topics); /* its number, for now */
        entry->topic_no = entry->topic->first;
        entry->partition = which[i].partition;
        entry->question = find_question(&which[i]);
        entry->offset = entry->timestamp_ms = entry->leader_epoch = -1;
        find->order[i] = i;
    }
    kwi_sort_u32(find->order, n, find_before, find->entries);
    for (uint32_t i = (uint32_t)n; i-- > 0;)
        find->entries[find->order[i]].topic->first = i;
    return true;
}

struct kw_op *kw_core_list_offsets(struct kw_core *core, const struct kw_start *which, size_t n,
                                   uint8_t isolation, struct kw_offsets **result,
                                   int32_t timeout_ms, void *tag)
{
    const char *why = find_check(which, n, isolation, result);
    size_t each = sizeof(struct kw_find_entry) + sizeof(uint32_t);
    struct kw_op *op = kwi_op_create(core, sizeof(struct kw_find_op) + (why ? 0 : n * each),
                                     timeout_ms, tag, kwi_find_abandon);
    struct kw_find_op *find;
    struct kw_error err;

    if (result)
        *result = NULL;
    if (!op)
        return NULL;
    find = KWI_OF(op, struct kw_find_op, op);
    kwi_map_init(&find->topics, &core->control);
    find->retry.fire = kwi_find_due;
    if (why || core->closing) {
        int code = why ? KW_ERR_USE : KW_ERR_CLOSED;
        kwi_error_set(&err, code, KW_PHASE_NONE, why ? why : "the client is closing", "");
        kwi_op_end(op, code, &err);
        return op;
    }
    find->result = result;
    find->isolation = isolation;
    find->began_us = core->now.mono_us;
    find->n = find->n_open = (uint32_t)n;
    find->order = (uint32_t *)(void *)(find->entries + n);
    if (find_fill(find, which, n))
        kwi_find_go(find);
    else
        kwi_find_no_memory(find);
    return op;
}
