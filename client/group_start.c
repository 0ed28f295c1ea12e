/* client/group_start.c -- admin requests about groups: what the caller gave is checked and
 * kept, and the operation begins. See group_admin.h. */
#include <string.h>

#include "base/bytes.h"
#include "base/sort.h"
#include "client/error_text.h"
#include "client/group_admin.h"

/* ---- entries ---------------------------------------------------------------------------- */

static int groups_compare(const struct kw_group_entry *a, struct kw_str topic, int32_t partition)
{
    int order = kwi_bytes_compare(a->topic.ptr, (size_t)a->topic.len, topic.ptr,
                                  topic.len > 0 ? (size_t)topic.len
                                                : 0); /* a broker's may be null */

    if (order)
        return order;
    return a->partition == partition ? 0 : a->partition < partition ? -1 : 1;
}

static bool groups_entry_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct kw_group_entry *list = ctx;

    return groups_compare(&list[a], list[b].topic, list[b].partition) < 0;
}

struct kw_group_entry *kwi_groups_entry(const struct kw_groups_op *groups, struct kw_str topic,
                                        int32_t partition)
{
    uint32_t low = 0, high = groups->n_entries;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct kw_group_entry *entry = &groups->entries[groups->order[middle]];
        int order = groups_compare(entry, topic, partition);
        if (order == 0)
            return entry;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* False: a partition stands there twice. */
static bool groups_sort_entries(struct kw_groups_op *groups)
{
    for (uint32_t i = 0; i < groups->n_entries; i++)
        groups->order[i] = i;
    kwi_sort_u32(groups->order, groups->n_entries, groups_entry_before, groups->entries);
    for (uint32_t i = 1; i < groups->n_entries; i++) {
        const struct kw_group_entry *entry = &groups->entries[groups->order[i]];
        if (!groups_compare(&groups->entries[groups->order[i - 1]], entry->topic, entry->partition))
            return false;
    }
    return true;
}

/* ---- starting --------------------------------------------------------------------------- */

static bool groups_text_is_bad(const char *text)
{
    return !text || !*text || strlen(text) > KWI_STRING_MAX;
}

static const char *groups_check_offsets(const struct kw_admin_request *request)
{
    bool sets = request->kind == KW_ADMIN_SET_OFFSETS;

    if (request->n_groups != 1)
        return "offsets are those of one group";
    if (request->n_offsets == 0 && request->kind != KW_ADMIN_GET_OFFSETS)
        return "no offset is named";
    if (request->n_offsets > INT32_MAX / sizeof(struct kw_group_entry))
        return "so many offsets do not fit a request";
    if (request->group_type == KW_GROUP_TYPE_SHARE && request->kind != KW_ADMIN_GET_OFFSETS)
        return "offsets of share groups can only be looked at";
    for (uint32_t i = 0; i < request->n_offsets; i++) {
        const struct kw_offset *offset = &request->offsets[i];
        if (groups_text_is_bad(offset->topic) || offset->partition < 0)
            return "a topic's name is missing or too long, or a partition is negative";
        if (sets && (offset->offset < 0 || offset->metadata.len > KWI_STRING_MAX))
            return "an offset is negative, or its metadata too long";
    }
    return NULL;
}

/* NULL, or what is wrong. */
static const char *groups_check(const struct kw_admin_request *request,
                                struct kw_admin_result *const *result)
{
    if (!result)
        return "a place for the result is needed";
    if (request->group_type > KW_GROUP_TYPE_STREAMS)
        return "no such type of group";
    for (uint32_t i = 0; i < request->n_groups; i++)
        if (groups_text_is_bad(request->groups[i]))
            return "a group's name is missing or too long";
    for (uint32_t i = 0; i < request->n_types; i++)
        if (groups_text_is_bad(request->types[i]))
            return "a type is missing or too long";
    for (uint32_t i = 0; i < request->n_states; i++)
        if (groups_text_is_bad(request->states[i]))
            return "a state is missing or too long";
    if (request->kind > KW_ADMIN_DELETE_GROUPS)
        return groups_check_offsets(request);
    if (request->kind != KW_ADMIN_LIST_GROUPS && request->n_groups == 0)
        return "a group must be named";
    return NULL;
}

static size_t groups_texts_size(const char *const *texts, uint32_t n)
{
    size_t size = 0;

    for (uint32_t i = 0; i < n; i++)
        size += strlen(texts[i]) + 1;
    return size;
}

static struct kw_str groups_keep(char **room, const void *text, size_t len)
{
    struct kw_str str = {*room, (int32_t)len};

    if (len)
        memcpy(*room, text, len);
    (*room)[len] = '\0';
    *room += len + 1;
    return str;
}

/* Everything that outlives the call lies behind the operation: entries, their order,
 * texts. */
static size_t groups_size(const struct kw_admin_request *request)
{
    size_t size = sizeof(struct kw_groups_op) +
                  request->n_offsets * (sizeof(struct kw_group_entry) + sizeof(uint32_t)) +
                  (request->n_types + request->n_states) * sizeof(struct kw_str) + 16;

    for (uint32_t i = 0; i < request->n_offsets; i++)
        size += strlen(request->offsets[i].topic) + request->offsets[i].metadata.len + 2;
    return size + groups_texts_size(request->groups, request->n_groups) +
           groups_texts_size(request->types, request->n_types) +
           groups_texts_size(request->states, request->n_states);
}

static char *groups_copy_entries(struct kw_groups_op *groups,
                                 const struct kw_admin_request *request, char *room)
{
    for (uint32_t i = 0; i < request->n_offsets; i++) {
        const struct kw_offset *from = &request->offsets[i];
        struct kw_group_entry *entry = &groups->entries[i];
        entry->topic = groups_keep(&room, from->topic, strlen(from->topic));
        entry->metadata = groups_keep(&room, from->metadata.ptr, from->metadata.len);
        entry->partition = from->partition;
        entry->offset = from->offset;
        entry->leader_epoch = from->leader_epoch > 0 ? from->leader_epoch : -1;
    }
    return room;
}

/* False: no memory for the legs. */
static bool groups_copy(struct kw_groups_op *groups, const struct kw_admin_request *request)
{
    char *room = (char *)(groups + 1);

    groups->n_entries = request->n_offsets;
    groups->entries = (struct kw_group_entry *)(void *)room;
    room += request->n_offsets * sizeof(*groups->entries);
    groups->types = (struct kw_str *)(void *)room;
    room += request->n_types * sizeof(struct kw_str);
    groups->states = (struct kw_str *)(void *)room;
    room += request->n_states * sizeof(struct kw_str);
    groups->order = (uint32_t *)(void *)room;
    room = groups_copy_entries(groups, request, room + request->n_offsets * sizeof(uint32_t));
    for (uint32_t i = 0; i < request->n_types; i++)
        groups->types[groups->n_types++] = groups_keep(&room, request->types[i],
                                                       strlen(request->types[i]));
    for (uint32_t i = 0; i < request->n_states; i++)
        groups->states[groups->n_states++] = groups_keep(&room, request->states[i],
                                                         strlen(request->states[i]));
    if (groups->kind == KW_ADMIN_LIST_GROUPS)
        return true;
    groups->legs_cap = request->n_groups;
    groups->legs = kwi_alloc(&groups->op.core->control, groups->legs_cap * sizeof(*groups->legs));
    for (uint32_t i = 0; groups->legs && i < request->n_groups; i++) {
        kwi_groups_leg_init(groups, &groups->legs[i]);
        groups->legs[i].group = groups_keep(&room, request->groups[i], strlen(request->groups[i]));
        groups->n_legs++;
    }
    return groups->legs != NULL;
}

/* Ids in the result are the caller's own, in memory that goes with it. */
static int groups_name_legs(struct kw_groups_op *groups)
{
    size_t size = 0;
    void *piece;
    char *room;

    for (uint32_t i = 0; i < groups->n_legs; i++)
        size += (size_t)groups->legs[i].group.len + 1;
    if (kwi_groups_piece(groups, size, &piece))
        return KW_ERR_NOMEM;
    room = piece;
    for (uint32_t i = 0; i < groups->n_legs; i++)
        groups->legs[i].info.id =
            groups_keep(&room, groups->legs[i].group.ptr, (size_t)groups->legs[i].group.len).ptr;
    return 0;
}

struct kw_op *kwi_groups_start(struct kw_core *core, const struct kw_admin_request *request,
                               struct kw_admin_result **result, int32_t timeout_ms, void *tag)
{
    const char *why = groups_check(request, result);
    struct kw_op *op = kwi_op_create(core, why ? sizeof(struct kw_groups_op) : groups_size(request),
                                     timeout_ms, tag, kwi_groups_abandon);
    struct kw_groups_op *groups;
    struct kw_error err;

    if (result)
        *result = NULL;
    if (!op)
        return NULL;
    groups = KWI_OF(op, struct kw_groups_op, op);
    groups->retry.fire = kwi_groups_retry_due;
    groups->result = result;
    groups->kind = request->kind;
    groups->group_type = request->group_type;
    if (why || core->closing) {
        int code = why ? KW_ERR_USE : KW_ERR_CLOSED;
        kwi_error_set(&err, code, KW_PHASE_NONE, why ? why : "the client is closing", "");
        kwi_op_end(op, code, &err);
        return op;
    }
    if (!groups_copy(groups, request) || (groups->n_legs && groups_name_legs(groups))) {
        kwi_groups_no_memory(groups, KW_ERR_NOMEM);
    } else if (!groups_sort_entries(groups)) {
        kwi_error_set(&err, KW_ERR_USE, KW_PHASE_NONE, "a partition is named twice", "");
        kwi_groups_end(groups, KW_ERR_USE, &err);
    } else if (request->kind == KW_ADMIN_LIST_GROUPS) {
        kwi_groups_brokers_send(groups);
    } else {
        kwi_groups_go(groups);
    }
    return op;
}
