/* tests/sim/memory.h -- the allocators that tests give to the core.
 *
 * Both count, check the size that comes back with a free, and fill memory with
 * a pattern of their own at alloc and at free, so that a decision taken on an
 * uninitialised or freed byte differs between the two (law 5). PLAIN is malloc
 * underneath, which the address sanitizer watches. ARENA hands out pieces of
 * one large mapping, from the top down: other addresses, in another order. */
#ifndef SIM_MEMORY_H
#define SIM_MEMORY_H
#include <kwire/types.h>

enum sim_memory_kind { SIM_MEMORY_PLAIN, SIM_MEMORY_ARENA };

struct sim_memory {
    enum sim_memory_kind kind;
    size_t used, peak;  /* bytes handed out */
    uint64_t n_live;    /* blocks */
    uint64_t n_allocs;  /* calls of alloc that were asked so far, refused ones too */
    uint64_t fail_from; /* calls number [fail_from, fail_to) are refused; counted from 0 */
    uint64_t fail_to;
    uint64_t n_refused;
    bool damaged; /* a free with the wrong size, or an arena block overrun */
    /* arena */
    uint8_t *base;
    size_t size, top;
    void *free_lists[96];
};

void sim_memory_init(struct sim_memory *memory, enum sim_memory_kind kind);
void sim_memory_deinit(struct sim_memory *memory);
struct kw_alloc sim_memory_alloc(struct sim_memory *memory);
/* All following calls succeed. */
void sim_memory_heal(struct sim_memory *memory);

#endif
