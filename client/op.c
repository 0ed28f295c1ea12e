/* client/op.c -- operations: create, end once, hand out the result. See op.h. */
#include "client/op.h"

#include "client/error_text.h"

static void op_expired(struct kw_timer *timer)
{
    struct kw_op *op = KWI_OF(timer, struct kw_op, timer);
    struct kw_error err;

    if (op->done)
        return;
    if (op->abandon)
        op->abandon(op, KW_ERR_TIMEOUT);
    kwi_error_set(&err, KW_ERR_TIMEOUT, KW_PHASE_REQUEST,
                  "the operation did not end by its deadline", "give it a longer timeout_ms");
    kwi_op_end(op, KW_ERR_TIMEOUT, &err);
}

static bool op_fill(struct kw_evnode *node, struct kw_event *out)
{
    struct kw_op *op = KWI_OF(node, struct kw_op, event);

    out->kind = KW_EVENT_OP_DONE;
    out->op = op;
    out->tag = op->tag;
    out->code = op->code;
    out->error = op->error;
    return false;
}

static void op_told(struct kw_evnode *node, bool last)
{
    (void)last;
    kwi_op_destroy(KWI_OF(node, struct kw_op, event));
}

struct kw_op *kwi_op_create(struct kw_core *core, size_t size, int32_t timeout_ms, void *tag,
                            void (*abandon)(struct kw_op *op, int code))
{
    struct kw_op *op = kwi_alloc_zero(&core->control, size);

    if (!op)
        return NULL;
    op->core = core;
    op->size = size;
    op->tag = tag;
    op->abandon = abandon;
    op->event.fill = op_fill;
    op->event.done = op_told;
    op->timer.fire = op_expired;
    kwi_list_push(&core->ops, &op->node);
    if (timeout_ms >= 0)
        kwi_core_arm(core, &op->timer, kwi_core_after_ms(core, timeout_ms));
    return op;
}

void kwi_op_end(struct kw_op *op, int code, const struct kw_error *err)
{
    if (op->done)
        return;
    op->done = true;
    op->code = code;
    kwi_core_disarm(op->core, &op->timer);
    if (code && err) {
        op->error = kwi_alloc(&op->core->control, sizeof(*op->error));
        if (op->error) /* without memory the code alone must do */
            *op->error = *err;
    }
    op->core->n_ops_ended++;
    if (op->tag || !op->core->holds_ops)
        kwi_event_raise(op->core, &op->event);
}

void kwi_op_destroy(struct kw_op *op)
{
    struct kw_core *core = op->core;

    if (op->gone)
        op->gone(op);
    kwi_core_disarm(core, &op->timer);
    kwi_event_drop(core, &op->event);
    kwi_list_remove(&core->ops, &op->node);
    kwi_free(&core->control, op->error, sizeof(*op->error));
    kwi_free(&core->control, op, op->size);
}

int kw_core_op_take(struct kw_op *op, int *code, struct kw_error *err)
{
    if (!op->done)
        return 0;
    if (code)
        *code = op->code;
    if (err && op->error)
        *err = *op->error;
    else if (err)
        kwi_error_set(err, op->code, KW_PHASE_NONE, op->code ? kw_err_name(op->code) : "", "");
    kwi_op_destroy(op);
    return 1;
}

int kw_core_op_cancel(struct kw_op *op)
{
    if (op->done)
        return KW_ERR_STATE;
    if (op->abandon)
        op->abandon(op, KW_ERR_CANCELED);
    kwi_op_end(op, KW_ERR_CANCELED, NULL);
    return 0;
}

void kw_core_hold_ops(struct kw_core *core)
{
    core->holds_ops = true;
}

uint64_t kw_core_ops_ended(const struct kw_core *core)
{
    return core->n_ops_ended;
}
