/* client/op.h -- operations: whatever needs the network and ends once.
 *
 * An op is started without waiting, has a deadline, ends once with a code, and
 * is then told as the event OP_DONE or taken by kw_core_op_take. */
#ifndef KWI_OP_H
#define KWI_OP_H
#include "base/timer.h"
#include "client/core.h"

struct kw_op {
    struct kw_core *core; /* first: kw_core_of */
    struct kw_node node;  /* in core->ops until it ended */
    struct kw_timer timer;
    struct kw_evnode event;
    void *tag;
    int code;
    bool done;
    struct kw_error *error; /* heap copy when code != 0; NULL if memory was short */
    size_t size;            /* of the whole allocation */
    /* Called once when the op ends early (deadline, cancel, core dies): lets go
     * of what it waits for. Not called when the owner itself ends it. */
    void (*abandon)(struct kw_op *op, int code);
    /* Its result was taken, or nobody will: called before it is freed. May be NULL. */
    void (*gone)(struct kw_op *op);
};

/* Allocates `size` >= sizeof(struct kw_op) zeroed bytes from the control
 * reserve and arms the deadline. NULL when memory is short. */
struct kw_op *kwi_op_create(struct kw_core *core, size_t size, int32_t timeout_ms, void *tag,
                            void (*abandon)(struct kw_op *op, int code));
/* Ends the op: raises OP_DONE. err may be NULL; copied. Ending twice is
 * harmless: the first code stays. */
void kwi_op_end(struct kw_op *op, int code, const struct kw_error *err);
void kwi_op_destroy(struct kw_op *op);

#endif
