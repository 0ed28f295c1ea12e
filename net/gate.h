/* net/gate.h -- who may be inside a client: one word that each call looks at.
 *
 *   FREE --call of each record--> HOT --end--> FREE
 *   FREE --any other call-------> HELD --end--> FREE     (gate->owner: by whom)
 *   FREE --kw_client_start_thread--> THREAD              (a lock decides, thread.h)
 *   any  --fork()--> FORKED, in the child
 *
 * The word has a page of its own, which the system wipes in a child of fork(), so that
 * three questions are one comparison: is this another process, is another thread
 * inside, is there a lock to take. Without an I/O thread nothing here is a lock:
 * two threads that come in the same instant may both find the gate free, so it finds
 * the mistake, it does not mend it. */
#ifndef KWI_GATE_H
#define KWI_GATE_H
#include <kwire/types.h>
#include <stdatomic.h>

struct kw_client;

enum {
    KWI_GATE_FORKED = 0, /* what a wiped page holds */
    KWI_GATE_FREE,
    KWI_GATE_HOT,
    KWI_GATE_HELD,
    KWI_GATE_THREAD
};

struct kw_gate {
    atomic_uint *word;      /* KWI_GATE_* */
    atomic_uintptr_t owner; /* HELD, THREAD: the thread that is inside; 0: none */
    uint32_t depth;         /* calls of the owner inside its own (from a callback) */
    long pid;               /* 0: the page is wiped; else whose process this is */
};

/* Errors: KW_ERR_NOMEM. */
KW_MUST_USE int kwi_gate_init(struct kw_gate *gate);
void kwi_gate_deinit(struct kw_gate *gate);
/* This thread, as gate->owner has it. */
uintptr_t kwi_gate_self(void);
/* Whether this is a child of fork(), where nothing may be touched. */
bool kwi_gate_is_forked(struct kw_gate *gate);

static inline unsigned kwi_gate_word(const struct kw_gate *gate)
{
    return atomic_load_explicit(gate->word, memory_order_relaxed);
}
/* By the thread that is inside. */
static inline void kwi_gate_set(const struct kw_gate *gate, unsigned word)
{
    atomic_store_explicit(gate->word, word, memory_order_relaxed);
}
static inline bool kwi_gate_has_thread(const struct kw_gate *gate)
{
    return kwi_gate_word(gate) == KWI_GATE_THREAD;
}

#endif
