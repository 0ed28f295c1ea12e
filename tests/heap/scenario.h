/* tests/heap/scenario.h -- one core's life in five stages against a broker model
 * in memory, each of which a test may run with an allocator that fails. */
#ifndef HEAP_SCENARIO_H
#define HEAP_SCENARIO_H
#include "tests/sim/pair.h"

enum { HEAP_RECORDS = 120, HEAP_PARTITIONS = 3 };

enum heap_stage { HEAP_CREATE, HEAP_CONNECT, HEAP_PRODUCE, HEAP_FETCH, HEAP_CLOSE, HEAP_STAGES };

struct heap_scenario {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_consumer *consumer;
    bool assigned, closing, closed;
    uint32_t n_accepted, n_delivered, n_failed, n_read;
    struct kw_receipt *receipt; /* open, of the records since a multiple of ten */
    uint32_t n_receipts;        /* made and not ended */
    uint8_t reported[HEAP_RECORDS], read[HEAP_RECORDS];
    bool done;        /* the stage reached its end */
    uint32_t n_wrong; /* things that must never happen */
    const char *wrong;
};

int heap_scenario_init(struct heap_scenario *scenario, enum sim_memory_kind kind);
void heap_scenario_deinit(struct heap_scenario *scenario);
/* Works on a stage for so long; true if it is complete. May be called again. */
bool heap_stage_run(struct heap_scenario *scenario, enum heap_stage stage, uint64_t for_ms);
const char *heap_stage_name(enum heap_stage stage);

#endif
