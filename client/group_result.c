/* client/group_result.c -- results of admin requests about groups: what each leg kept
 * becomes one tree, which the caller owns. See group_admin.h. */
#include <string.h>

#include "base/sort.h"
#include "client/group_admin.h"

int kwi_groups_piece(struct kw_groups_op *groups, size_t size, void **ptr)
{
    struct kw_core *core = groups->op.core;
    struct kw_admin_piece *piece;
    size_t head = (sizeof(*piece) + 7) & ~(size_t)7;

    if (size > core->control.limit || groups->pieces_size + size > core->control.limit)
        return KW_ERR_LIMIT;
    piece = core->env.alloc.alloc(core->env.alloc.ctx, head + size);
    if (!piece)
        return KW_ERR_NOMEM;
    memset(piece, 0, head + size);
    piece->size = head + size;
    piece->next = groups->pieces;
    groups->pieces = piece;
    groups->pieces_size += size;
    *ptr = (uint8_t *)piece + head;
    return 0;
}

static struct kw_admin_tree *groups_tree(struct kw_groups_op *groups, size_t n, size_t each)
{
    struct kw_core *core = groups->op.core;
    size_t size = sizeof(struct kw_admin_tree) + n * each;
    struct kw_admin_tree *tree = core->env.alloc.alloc(core->env.alloc.ctx, size);

    if (!tree)
        return NULL;
    memset(tree, 0, size);
    tree->alloc = core->env.alloc;
    tree->size = size;
    tree->pieces = groups->pieces;
    tree->result.controller_id = tree->result.origin_id = -1;
    groups->pieces = NULL;
    return tree;
}

static bool groups_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct kw_group_info *list = ctx;
    const unsigned char *left = (const unsigned char *)list[a].id,
                        *right = (const unsigned char *)list[b].id;

    while (*left && *left == *right)
        left++, right++;
    return *left != *right ? *left < *right : a < b;
}

static bool groups_is_same(const struct kw_group_info *a, const struct kw_group_info *b)
{
    size_t len = strlen(a->id);

    return len == strlen(b->id) && memcmp(a->id, b->id, len) == 0;
}

/* What all brokers said, once each: while a coordinator moves, two may name a group. */
static struct kw_admin_tree *groups_merge(struct kw_groups_op *groups)
{
    struct kw_heap *heap = &groups->op.core->control;
    struct kw_group_info *all, *out;
    struct kw_admin_tree *tree;
    uint32_t n = 0, k = 0, *order;

    for (uint32_t i = 0; i < groups->n_legs; i++)
        n += groups->legs[i].n;
    all = kwi_alloc(heap, (n + 1) * sizeof(*all));
    order = kwi_alloc(heap, (n + 1) * sizeof(*order));
    tree = all && order ? groups_tree(groups, n, sizeof(*all)) : NULL;
    for (uint32_t i = 0; tree && i < groups->n_legs; i++)
        for (uint32_t m = 0; m < groups->legs[i].n; m++, k++) {
            all[k] = groups->legs[i].listed[m];
            order[k] = k;
        }
    out = tree ? (struct kw_group_info *)(void *)(tree + 1) : NULL;
    if (tree)
        kwi_sort_u32(order, n, groups_before, all);
    for (uint32_t i = 0, m = 0; out && i < n; i++) {
        if (m && groups_is_same(&out[m - 1], &all[order[i]]))
            continue;
        out[m++] = all[order[i]];
        tree->result.groups = out;
        tree->result.n_groups = m;
    }
    kwi_free(heap, all, (n + 1) * sizeof(*all));
    kwi_free(heap, order, (n + 1) * sizeof(*order));
    return tree;
}

static struct kw_admin_tree *groups_collect(struct kw_groups_op *groups)
{
    struct kw_admin_tree *tree = groups_tree(groups, groups->n_legs, sizeof(struct kw_group_info));
    struct kw_group_info *out;

    if (!tree)
        return NULL;
    out = (struct kw_group_info *)(void *)(tree + 1);
    for (uint32_t i = 0; i < groups->n_legs; i++) {
        out[i] = groups->legs[i].info;
        if (groups->legs[i].open)
            out[i].code = KW_ERR_TIMEOUT;
    }
    tree->result.groups = out;
    tree->result.n_groups = groups->n_legs;
    return tree;
}

/* Of SET and DELETE: the entries, in the order of the request. */
static struct kw_admin_tree *groups_outcomes(struct kw_groups_op *groups)
{
    struct kw_admin_tree *tree;
    struct kw_offset *out;
    size_t bytes = 0;
    char *blob = NULL;
    void *piece;

    for (uint32_t i = 0; i < groups->n_entries; i++)
        bytes += (size_t)groups->entries[i].topic.len + 1;
    if (kwi_groups_piece(groups, bytes, &piece))
        return NULL;
    blob = piece;
    tree = groups_tree(groups, groups->n_entries, sizeof(*out));
    if (!tree)
        return NULL;
    out = (struct kw_offset *)(void *)(tree + 1);
    for (uint32_t i = 0; i < groups->n_entries; i++) {
        const struct kw_group_entry *entry = &groups->entries[i];
        memcpy(blob, entry->topic.ptr, (size_t)entry->topic.len);
        out[i] = (struct kw_offset){.topic = blob,
                                    .partition = entry->partition,
                                    .leader_epoch = entry->leader_epoch,
                                    .offset = entry->offset,
                                    .kafka_code = entry->kafka_code,
                                    .timestamp_ms = -1};
        blob += entry->topic.len + 1;
    }
    tree->result.offsets = out;
    tree->result.n_offsets = groups->n_entries;
    return tree;
}

struct kw_admin_tree *kwi_groups_build(struct kw_groups_op *groups)
{
    struct kw_admin_tree *tree;

    if (groups->kind == KW_ADMIN_LIST_GROUPS)
        return groups_merge(groups);
    if (kwi_groups_is_plural(groups))
        return groups_collect(groups);
    if (groups->kind != KW_ADMIN_GET_OFFSETS)
        return groups_outcomes(groups);
    tree = groups_tree(groups, 0, 0);
    if (tree) {
        tree->result.offsets = groups->legs[0].offsets;
        tree->result.n_offsets = groups->legs[0].n;
    }
    return tree;
}
