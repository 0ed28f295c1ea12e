/* client/close.c -- the end of a core: drain by the deadline, hand back what was
 * not sent, close every connection. Never hangs: the deadline ends the draining,
 * and a connection that the driver does not report closed only delays the op to
 * its own deadline. */
#include "client/close.h"

#include "client/conn.h"
#include "client/consumer.h"
#include "client/error_text.h"
#include "client/link.h"
#include "client/op.h"
#include "client/producer.h"
#include "client/txn.h"

enum { CLOSE_GRACE_MS = 1000 }; /* for the driver's receipts, after the drain */

enum close_phase { CLOSE_DRAIN, CLOSE_SWEEP, CLOSE_CONNS };

struct close_op {
    struct kw_op op;
    struct kw_timer deadline; /* of the drain; op.timer is not used */
    uint8_t phase;            /* enum close_phase */
    bool left;                /* records were left at the deadline */
    bool busy;
};

int kwi_close_init(struct kw_core *core)
{
    core->close_room = kwi_alloc(&core->control, sizeof(struct close_op));
    return core->close_room ? 0 : KW_ERR_NOMEM;
}

void kwi_close_deinit(struct kw_core *core)
{
    kwi_free(&core->control, core->close_room, sizeof(struct close_op));
    core->close_room = NULL;
}

static bool close_drained(const struct kw_core *core)
{
    for (struct kw_node *n = core->producers.first; n; n = n->next) {
        const struct kw_producer *producer = KWI_OF(n, struct kw_producer, node);
        if (!kwi_producer_drained(producer) ||
            (producer->txn && !kwi_txn_is_settled(producer->txn)))
            return false;
    }
    for (struct kw_node *n = core->consumers.first; n; n = n->next)
        if (!kwi_consumer_drained(KWI_OF(n, struct kw_consumer, node)))
            return false;
    return true;
}

/* What a codec or a connection still reads is reported when it lets the values go, and
 * cannot be taken back before. */
static bool close_told(const struct kw_core *core)
{
    for (struct kw_node *n = core->producers.first; n; n = n->next) {
        const struct kw_producer *producer = KWI_OF(n, struct kw_producer, node);
        if (!kwi_list_empty(&producer->owed) || !kwi_list_empty(&producer->busy_packs))
            return false;
    }
    return true;
}

static void close_end(struct close_op *close)
{
    struct kw_error err;

    close->op.core->close = NULL;
    kwi_core_disarm(close->op.core, &close->deadline);
    kwi_error_set(&err, KW_ERR_TIMEOUT, KW_PHASE_REQUEST,
                  "records or commits were left at the deadline of close; each was reported",
                  "close with a longer timeout; kw_unsent_next gives records back");
    kwi_op_end(&close->op, close->left ? KW_ERR_TIMEOUT : 0, close->left ? &err : NULL);
}

/* Nothing is asked any more: what waits for an answer, or to ask again, is over. */
static void close_ops(struct close_op *close)
{
    struct kw_error err;

    kwi_error_set(&err, KW_ERR_CLOSED, KW_PHASE_REQUEST,
                  "the client was closed before the operation ended", "");
    for (struct kw_node *n = close->op.core->ops.first; n; n = n->next) {
        struct kw_op *op = KWI_OF(n, struct kw_op, node);
        if (op->done || op == &close->op)
            continue;
        if (op->abandon)
            op->abandon(op, KW_ERR_CLOSED);
        kwi_op_end(op, KW_ERR_CLOSED, &err);
    }
}

static void close_conns(struct close_op *close)
{
    struct kw_core *core = close->op.core;

    close->phase = CLOSE_CONNS;
    core->closing = true; /* nothing connects any more */
    for (struct kw_node *n = core->producers.first; n; n = n->next)
        if (KWI_OF(n, struct kw_producer, node)->txn)
            kwi_txn_closed(KWI_OF(n, struct kw_producer, node)->txn);
    while (!kwi_list_empty(&core->links))
        kwi_link_destroy(KWI_OF(core->links.first, struct kw_link, node), KW_ERR_CLOSED);
    close_ops(close);
    kwi_core_arm(core, &close->deadline, kwi_core_after_ms(core, CLOSE_GRACE_MS));
}

static void close_deadline(struct kw_timer *timer)
{
    struct close_op *close = KWI_OF(timer, struct close_op, deadline);
    struct kw_core *core = close->op.core;

    if (close->phase == CLOSE_CONNS) {
        close_end(close); /* the driver's receipts are late: not our data */
        return;
    }
    if (close_drained(core)) {
        close->busy = true; /* ending requests comes back to kwi_close_check */
        close_conns(close);
        close->busy = false;
        kwi_close_check(core);
        return;
    }
    close->phase = CLOSE_SWEEP;
    close->left = true;
    close->busy = true; /* what ends here comes back to kwi_close_check */
    for (struct kw_node *n = core->producers.first; n; n = n->next) {
        struct kw_producer *producer = KWI_OF(n, struct kw_producer, node);
        if (producer->txn)
            kwi_txn_abandon(producer->txn);
        kwi_producer_sweep(producer, KW_ERR_CLOSED, true, true);
    }
    for (struct kw_node *n = core->consumers.first; n; n = n->next)
        kwi_consumer_abandon(KWI_OF(n, struct kw_consumer, node));
    close->busy = false;
    kwi_close_check(core);
}

/* Who calls may stand inside a connection that is just ending its requests: the
 * connections are left to the next step (law 4). */
void kwi_close_check(struct kw_core *core)
{
    struct close_op *close = core->close;

    if (!close || close->busy)
        return;
    /* That sessions are over is told, but nothing depends on it. */
    if (close->phase != CLOSE_CONNS && close_drained(core) &&
        (!core->n_session_ends || close->phase == CLOSE_SWEEP))
        kwi_core_arm(core, &close->deadline, core->now.mono_us);
    if (close->phase == CLOSE_CONNS && !kwi_map_len(&core->conns) && close_told(core))
        close_end(close);
}

void kwi_close_late(struct kw_producer *producer)
{
    const struct close_op *close = producer->core->close;

    producer->flush_number = producer->next_number;
    kwi_attend(producer->core, KW_ATT_TIME);
    if (producer->core->closing || (close && close->phase != CLOSE_DRAIN))
        kwi_producer_sweep(producer, KW_ERR_CLOSED, true, true);
}

static void close_abandon(struct kw_op *op, int code)
{
    struct close_op *close = (struct close_op *)(void *)op;

    (void)code;
    kwi_core_disarm(op->core, &close->deadline);
    op->core->close = NULL;
}

struct kw_op *kw_core_close(struct kw_core *core, int32_t timeout_ms, void *tag)
{
    struct close_op *close;
    struct kw_op *op;

    kwi_close_deinit(core); /* that is the room for it */
    op = kwi_op_create(core, sizeof(struct close_op), -1, tag, close_abandon);
    close = (struct close_op *)(void *)op;
    if (!op)
        return NULL;
    if (core->close) {
        kwi_op_end(op, KW_ERR_STATE, NULL);
        return op;
    }
    close->deadline.fire = close_deadline;
    core->close = close;
    close->busy = true; /* nothing is drained before all were told */
    for (struct kw_node *n = core->consumers.first; n; n = n->next)
        kwi_consumer_close(KWI_OF(n, struct kw_consumer, node));
    for (struct kw_node *n = core->producers.first; n; n = n->next) {
        struct kw_producer *producer = KWI_OF(n, struct kw_producer, node);
        producer->closing = true;
        kwi_producer_mark(producer);
        producer->flush_number = producer->next_number;
        if (producer->txn)
            kwi_txn_close(producer->txn);
    }
    close->busy = false;
    if (timeout_ms >= 0)
        kwi_core_arm(core, &close->deadline, kwi_core_after_ms(core, timeout_ms));
    kwi_attend(core, KW_ATT_TIME);
    kwi_close_check(core);
    return op;
}
