/* tests/heap/scenario.h -- lives of a core against a broker model in memory, in
 * steps, one of which a test may run with an allocator that fails.
 *
 *     scenario.c  the life of one: records accepted, reported, read, given back
 *     steps.c     what the steps do
 *     steps_txn.c those that are about transactions
 *     rows.c      the table of scenarios */
#ifndef HEAP_SCENARIO_H
#define HEAP_SCENARIO_H
#include "tests/sim/pair.h"

enum {
    HEAP_RECORDS_MAX = 1000,
    HEAP_PARTITIONS_MAX = 64,
    HEAP_STEPS_MAX = 8,
    HEAP_LIST_MAX = 8,
    HEAP_HELD_MAX = 64
};

enum heap_step {
    HEAP_NONE,
    HEAP_CREATE,         /* the core, a producer, a topic, a consumer */
    HEAP_CONNECT,        /* the topic's partitions are known */
    HEAP_PRODUCE,        /* until all is reported */
    HEAP_PRODUCE_MOVING, /* ... while leaders move */
    HEAP_IDLE,           /* nothing, for three seconds */
    HEAP_PURGE,          /* records are purged and given back */
    HEAP_FLUSH,          /* one flush times out, the next does not */
    HEAP_EXPIRE,         /* nobody accepts connections: all records expire */
    HEAP_EXPIRE_LENT,    /* nobody answers, and the driver keeps what it was lent */
    HEAP_ADMIN,          /* metadata; a topic comes and goes */
    HEAP_GROUPS,         /* a group made of offsets is listed, described and deleted */
    HEAP_WANDER,         /* seek, pause, assign something else */
    HEAP_HOARD,          /* hold records until FETCH_STARVED */
    HEAP_LEGACY_0,       /* the logs become messages of format 0 */
    HEAP_LEGACY_1,
    HEAP_FETCH, /* from the beginning, until all is read */
    HEAP_GROUP, /* the same as a member of a group, until all is committed */
    HEAP_PART,  /* the consumer alone is closed */
    HEAP_TXN_INIT,
    HEAP_TXN,      /* one is committed, one aborted, one committed, each with offsets */
    HEAP_TXN_OPEN, /* one is begun and left */
    HEAP_CLOSE,
    HEAP_CLOSE_LOADED, /* with records under way, and too little time */
    HEAP_N_STEPS
};

struct heap_row {
    const char *name;
    enum heap_step steps[HEAP_STEPS_MAX];
    enum heap_step failing; /* the step in which memory fails */
    uint32_t n_brokers;     /* 0: 2 */
    int32_t n_partitions;   /* 0: 3 */
    uint32_t n_records;     /* of a step; 0: 120 */
    uint32_t value_max;     /* 0: 300 */
    int codec;              /* a build without it skips the row */
    bool lossy;             /* not every record has to be delivered */
    bool doubles;           /* records may be in the log more than once */
    bool only_errors;       /* what is delivered is not reported */
    bool receipts;          /* of every ten records five have one */
    bool by_ref;            /* values are lent */
    int16_t txn_version;    /* the producer is transactional; of the cluster: 1 or 2 */
    bool pattern;           /* GROUP: subscribed by a pattern, which matches a second topic */
    /* "key=value", and faults of the brokers as mock/mock.h has them */
    const char *client[HEAP_LIST_MAX], *producer[HEAP_LIST_MAX], *consumer[HEAP_LIST_MAX];
    const char *faults[HEAP_LIST_MAX];
};
extern const struct heap_row heap_rows[];
extern const size_t heap_n_rows;

struct heap_scenario {
    struct sim_pair pair;
    const struct heap_row *row;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_consumer *consumer;
    /* the step that runs */
    bool done;
    uint32_t stage;     /* of the step; 0 at its begin */
    uint32_t n_turns;   /* of the stage */
    uint64_t start_us;  /* of the step */
    uint32_t n_to_make; /* records that are to be accepted when it ends */
    /* one operation at a time */
    struct kw_op *op;
    bool op_ended;
    int op_code;
    struct kw_admin_result *result;
    struct kw_offsets *offsets;
    /* records, by id */
    uint32_t n_accepted, n_reported, n_delivered, n_canceled, n_given_back;
    uint8_t n_reports[HEAP_RECORDS_MAX], outcome[HEAP_RECORDS_MAX];
    uint8_t canceled[HEAP_RECORDS_MAX], given_back[HEAP_RECORDS_MAX];
    struct kw_receipt *receipt; /* open, of the records since a multiple of ten */
    uint32_t n_receipts;        /* made and not ended */
    /* transactions */
    uint8_t txn_phase;
    uint32_t txn_first;  /* the first record of the one that is open */
    uint32_t txn_offset; /* committed last */
    uint8_t committed[HEAP_RECORDS_MAX];
    /* reading */
    bool assigned, starved, was_read;
    uint32_t n_read, n_read_of[HEAP_PARTITIONS_MAX];
    uint8_t read[HEAP_RECORDS_MAX];
    struct kw_records *held[HEAP_HELD_MAX];
    uint32_t n_held;
    uint32_t n_wrong; /* things that must never happen */
    const char *wrong;
};

int heap_scenario_init(struct heap_scenario *scenario, const struct heap_row *row,
                       enum sim_memory_kind kind);
void heap_scenario_deinit(struct heap_scenario *scenario);
/* Works on a step for so long; true if it is complete. May be called again. */
bool heap_step_run(struct heap_scenario *scenario, enum heap_step step, uint64_t for_ms);
/* At the end: was every record reported, read and given back as often as it may? */
void heap_scenario_judge(struct heap_scenario *scenario);
const char *heap_step_name(enum heap_step step);

/* ---- scenario.c, for steps.c -------------------------------------------------------- */

void heap_wrong(struct heap_scenario *scenario, const char *what);
/* Makes the core and what it needs, as far as it is missing. */
int heap_create(struct heap_scenario *scenario);
/* Produces up to n_to_make; true when all were accepted. */
bool heap_append(struct heap_scenario *scenario);
/* Reads what is there, and counts it as read; or only how many of a partition. */
void heap_read(struct heap_scenario *scenario, bool count);
/* Takes records back; true when there are no more. */
bool heap_take_unsent(struct heap_scenario *scenario);
/* Starts an operation until one starts; true once for each that ended. */
bool heap_op(struct heap_scenario *scenario,
             struct kw_op *(*start)(struct heap_scenario *scenario));
void heap_next_stage(struct heap_scenario *scenario);

/* ---- steps.c --------------------------------------------------------------------------- */

struct heap_step_info {
    const char *name;
    void (*run)(struct heap_scenario *scenario); /* one more time; sets done */
};
extern const struct heap_step_info heap_steps[HEAP_N_STEPS];
extern const struct heap_step_info heap_steps_txn[]; /* from HEAP_TXN_INIT on */

#endif
