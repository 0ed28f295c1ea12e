/* client/admin_tree.c -- see admin_tree.h. */
#include "client/admin_tree.h"

#include <string.h>

#include <kwire/kwire.h>

void *kwi_room_take(struct kw_admin_room *room, size_t size)
{
    void *ptr = room->base ? room->base + room->used : NULL;

    room->used += (size + 7) & ~(size_t)7;
    return ptr;
}

const char *kwi_room_text(struct kw_admin_room *room, struct kw_str text)
{
    char *copy;

    if (text.len < 0)
        return NULL;
    copy = kwi_room_take(room, (size_t)text.len + 1);
    if (copy) {
        if (text.len > 0) /* an older version may have no text at all */
            memcpy(copy, text.ptr, (size_t)text.len);
        copy[text.len] = 0;
    }
    return copy;
}

void kwi_admin_pieces_free(const struct kw_alloc *alloc, struct kw_admin_piece *pieces)
{
    while (pieces) {
        struct kw_admin_piece *piece = pieces;
        pieces = piece->next;
        alloc->free(alloc->ctx, piece, piece->size);
    }
}

void kw_admin_result_destroy(struct kw_admin_result *result)
{
    struct kw_admin_tree *tree;
    struct kw_alloc alloc;

    if (!result)
        return;
    tree = KWI_OF(result, struct kw_admin_tree, result);
    alloc = tree->alloc;
    kwi_admin_pieces_free(&alloc, tree->pieces);
    alloc.free(alloc.ctx, tree, tree->size);
}
