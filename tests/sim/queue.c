/* tests/sim/queue.c -- a binary min-heap on (time, order of insertion). */
#include "tests/sim/queue.h"

#include <stdlib.h>

static bool queue_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void sim_queue_put(struct sim_queue *queue, uint64_t at_us, void (*run)(void *, uint64_t),
                   void *target, uint64_t arg)
{
    if (queue->n == queue->cap) {
        queue->cap = queue->cap ? queue->cap * 2 : 256;
        queue->events = realloc(queue->events, queue->cap * sizeof(*queue->events));
        if (!queue->events)
            abort();
    }
    struct sim_event event = {at_us, queue->order++, run, target, arg};
    size_t i = queue->n++;
    for (; i > 0 && queue_before(&event, &queue->events[(i - 1) / 2]); i = (i - 1) / 2)
        queue->events[i] = queue->events[(i - 1) / 2];
    queue->events[i] = event;
}

bool sim_queue_take(struct sim_queue *queue, struct sim_event *event)
{
    if (queue->n == 0)
        return false;
    *event = queue->events[0];
    struct sim_event last = queue->events[--queue->n];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= queue->n)
            break;
        if (child + 1 < queue->n && queue_before(&queue->events[child + 1], &queue->events[child]))
            child++;
        if (!queue_before(&queue->events[child], &last))
            break;
        queue->events[i] = queue->events[child];
        i = child;
    }
    if (queue->n > 0)
        queue->events[i] = last;
    return true;
}

uint64_t sim_queue_next(const struct sim_queue *queue)
{
    return queue->n ? queue->events[0].at_us : UINT64_MAX;
}

void sim_queue_deinit(struct sim_queue *queue)
{
    free(queue->events);
    *queue = (struct sim_queue){0};
}
