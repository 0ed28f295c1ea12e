/* tests/sim/queue.h -- the event heap of the virtual clock: what happens when.
 * Two events of the same time run in the order in which they were put. */
#ifndef SIM_QUEUE_H
#define SIM_QUEUE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_event {
    uint64_t at_us, order;
    void (*run)(void *target, uint64_t arg);
    void *target; /* lives until the end of the run; a handler checks its state */
    uint64_t arg;
};
struct sim_queue {
    struct sim_event *events;
    size_t n, cap;
    uint64_t order;
};

void sim_queue_put(struct sim_queue *queue, uint64_t at_us, void (*run)(void *, uint64_t),
                   void *target, uint64_t arg);
/* False when there is none. */
bool sim_queue_take(struct sim_queue *queue, struct sim_event *event);
/* UINT64_MAX when there is none. */
uint64_t sim_queue_next(const struct sim_queue *queue);
void sim_queue_deinit(struct sim_queue *queue);

#endif
