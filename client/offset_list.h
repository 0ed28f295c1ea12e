/* client/offset_list.h -- a list of offsets that the application owns: one allocation of
 * its own, which outlives the client. */
#ifndef KWI_OFFSET_LIST_H
#define KWI_OFFSET_LIST_H
#include "client/core.h"

/* In front of what the application sees: how to free it. */
struct kw_offset_list {
    struct kw_alloc alloc;
    size_t size;
    struct kw_offsets offsets;
    struct kw_offset list[];
};

/* Room for n offsets, and `bytes` behind them for names and metadata. NULL: no memory. */
struct kw_offset_list *kwi_offset_list_create(const struct kw_core *core, size_t n, size_t bytes);

#endif
