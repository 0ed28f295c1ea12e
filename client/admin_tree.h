/* client/admin_tree.h -- results of admin requests: trees that the caller owns and that
 * outlive the client.
 *
 * An answer is walked twice by one and the same code, first to measure, then to fill, so
 * the two cannot disagree. What is made of several answers keeps one piece for each. */
#ifndef KWI_ADMIN_TREE_H
#define KWI_ADMIN_TREE_H
#include "client/core.h"
#include "proto/schema.h"

/* Memory behind a result; `size` counts this head, too. */
struct kw_admin_piece {
    struct kw_admin_piece *next;
    size_t size;
};

/* In front of the result: how to free it. */
struct kw_admin_tree {
    struct kw_alloc alloc;
    size_t size; /* of this allocation */
    struct kw_admin_piece *pieces;
    struct kw_admin_result result;
};

/* Takes memory from base, or only counts while base is NULL. */
struct kw_admin_room {
    uint8_t *base;
    size_t used;
};

void *kwi_room_take(struct kw_admin_room *room, size_t size);
/* NULL for a null text. */
const char *kwi_room_text(struct kw_admin_room *room, struct kw_str text);
static inline size_t kwi_room_count(const struct kw_arr *arr)
{
    return arr->n > 0 ? (size_t)arr->n : 0;
}
void kwi_admin_pieces_free(const struct kw_alloc *alloc, struct kw_admin_piece *pieces);

#endif
