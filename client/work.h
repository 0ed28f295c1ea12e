/* client/work.h -- work as an output: a pure function over memory that nothing
 * else touches meanwhile, run by the driver wherever it likes (core.md). */
#ifndef KWI_WORK_H
#define KWI_WORK_H
#include "base/list.h"
#include <kwire/core.h>

struct kw_work {
    struct kw_node node; /* in core->want_work until it is taken */
    /* Does about `budget` bytes' worth; true when more is left. Any thread. */
    bool (*run)(struct kw_work *work, size_t budget);
    /* Back in the core, after run returned false. */
    void (*done)(struct kw_core *core, struct kw_work *work);
};

void kwi_work_submit(struct kw_core *core, struct kw_work *work);

#endif
