/* net/stage.c -- stages of producing threads. See stage.h.
 *
 * What belongs to whom:
 *   owner             by who has the lock and `busy`; looked at by all
 *   plans, trays      of the thread, with `busy`; of others with the lock and `busy`
 *   n_ramp, ramp_us   with the lock */
#include "net/stage.h"
#include "base/bytes.h"
#include "net/client.h"
#include "net/thread.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum {
    STAGE_SLOTS = 64,      /* threads that may have one at a time; a power of two */
    STAGE_PROBES = 4,      /* places where a thread looks for its own */
    STAGE_HOLD = 64,       /* records under one hold of the lock */
    STAGE_PLANS = 8,       /* topics that a stage knows; a power of two */
    STAGE_TRAYS = 16,      /* batches that a thread fills at a time; a power of two */
    STAGE_RAMP = 16,       /* so many records under the lock ... */
    STAGE_RAMP_US = 10000, /* ... in so long a time, and trays are worth it */
    STAGE_MIXED_US = 100000,
    STAGE_TICK_US = 5000, /* how old the time of a record may be */
    STAGE_SPINS = 100,
    STAGE_LINE = 64 /* bytes that processors pass to each other in one piece */
};

/* What a stage knows of a topic that it has trays of. */
struct stage_plan {
    struct kw_topic *topic; /* NULL: none */
    uint32_t n_partitions;
    bool keyless;      /* its tray is for records that any partition will do for */
    uint64_t mixed_us; /* until then no trays: they came in turns with what is for none */
    uint64_t linger_us;
};

struct stage_tray {
    struct kw_tray *tray; /* NULL: none */
    struct kw_topic *topic;
    int32_t place; /* partition; -1: any */
    uint64_t due_us;
};

struct kw_stage {
    atomic_uintptr_t owner; /* 0: nobody's */
    atomic_uint busy;
    uint32_t n_trays;
    struct stage_plan plans[STAGE_PLANS];
    struct stage_tray trays[STAGE_TRAYS];
    uint32_t n_ramp;  /* plain records under the lock since ... */
    uint64_t ramp_us; /* ... then */
    char line[STAGE_LINE];
};

struct kw_stages {
    uint64_t look_us, changes;
    uint32_t n_trays; /* of all; with the lock */
    bool ended;       /* none is opened any more */
    struct kw_stage all[STAGE_SLOTS];
};

/* ---- finding ------------------------------------------------------------------------ */

/* Threads differ in the page of what they are known by, and in little else. */
static inline uint32_t stage_place(uintptr_t self)
{
    return ((uint32_t)(self >> 12) * 0x9e3779b1u) >> 16;
}

static __attribute__((noinline)) struct kw_stage *stage_find_on(struct kw_stages *stages,
                                                                uintptr_t self, uint32_t at)
{
    for (uint32_t i = 1; i < STAGE_PROBES; i++) {
        struct kw_stage *stage = &stages->all[(at + i) % STAGE_SLOTS];
        if (atomic_load_explicit(&stage->owner, memory_order_relaxed) == self)
            return stage;
    }
    return NULL;
}

static inline struct kw_stage *stage_find(struct kw_stages *stages, uintptr_t self)
{
    uint32_t at = stage_place(self);
    struct kw_stage *stage = &stages->all[at % STAGE_SLOTS];
    if (KWI_LIKELY(atomic_load_explicit(&stage->owner, memory_order_relaxed) == self))
        return stage;
    return stage_find_on(stages, self, at);
}

static bool stage_try(struct kw_stage *stage)
{
    return atomic_exchange_explicit(&stage->busy, 1, memory_order_acquire) == 0;
}

static inline void stage_leave(struct kw_stage *stage)
{
    atomic_store_explicit(&stage->busy, 0, memory_order_release);
}

/* With the lock. Whoever is busy copies a record, and if he does not run at the moment,
 * it is as if he held the lock. */
static void stage_enter(struct kw_stage *stage)
{
    const struct timespec moment = {.tv_nsec = 20000};
    for (uint32_t i = 0; !stage_try(stage); i++)
        if (i >= STAGE_SPINS)
            nanosleep(&moment, NULL);
}

/* With the lock: the stage of this thread; one that has no trays may become it. NULL: there are
 * more threads than stages here. */
static struct kw_stage *stage_claim(struct kw_stages *stages, uintptr_t self)
{
    struct kw_stage *stage = stage_find(stages, self), *oldest = NULL;
    uint32_t at = stage_place(self);
    if (stage)
        return stage;
    for (uint32_t i = 0; i < STAGE_PROBES; i++) {
        stage = &stages->all[(at + i) % STAGE_SLOTS];
        if (stage->n_trays == 0 && (!oldest || stage->ramp_us < oldest->ramp_us))
            oldest = stage;
    }
    if (!oldest)
        return NULL;
    stage_enter(oldest);
    atomic_store_explicit(&oldest->owner, self, memory_order_relaxed);
    oldest->n_ramp = 0;
    memset(oldest->plans, 0, sizeof(oldest->plans));
    stage_leave(oldest);
    return oldest;
}

/* ---- without the lock ------------------------------------------------------------------ */

enum { STAGE_FLAGS = KW_REC_PARTITION };

/* Trays take no others. */
static inline bool stage_is_plain(const struct kw_record *record)
{
    return !((record->flags & ~(uint32_t)STAGE_FLAGS) | (uintptr_t)record->receipt);
}

static inline struct stage_plan *stage_plan(struct kw_stage *stage, const struct kw_topic *topic)
{
    return &stage->plans[((uintptr_t)topic >> 6) % STAGE_PLANS];
}

static inline struct stage_tray *stage_tray(struct kw_stage *stage, const struct kw_topic *topic,
                                            int32_t place)
{
    return &stage->trays[(((uintptr_t)topic >> 6) + (uint32_t)place) % STAGE_TRAYS];
}

/* For which any partition will do. */
static inline bool stage_is_keyless(const struct kw_record *record)
{
    return !record->key.ptr && !(record->flags & KW_REC_PARTITION);
}

/* Whether it may go into a tray without the lock. */
static inline bool stage_takes(const struct kw_record *record)
{
    return KWI_LIKELY(stage_is_plain(record) && !record->n_headers);
}

/* By its thread, busy: the tray that is there for a record that it takes, or NULL. */
static inline struct kw_tray *stage_find_tray(struct kw_stage *stage, const struct kw_topic *topic,
                                              const struct kw_record *record)
{
    const struct stage_plan *plan = stage_plan(stage, topic);
    const struct stage_tray *tray;
    int32_t place;
    if (KWI_UNLIKELY(plan->topic != topic))
        return NULL;
    place = KWI_LIKELY(stage_is_keyless(record)) ? -1
                                                 : kw_core_tray_place(record, plan->n_partitions);
    tray = stage_tray(stage, topic, place);
    return KWI_LIKELY(tray->tray && tray->topic == topic && tray->place == place) ? tray->tray
                                                                                  : NULL;
}

/* The same: into trays that are there, as many of the first records as fit. One tray is for
 * all that have no key. */
static inline __attribute__((always_inline)) size_t stage_append_run(
    struct kw_stage *stage, const struct kw_topic *topic, const struct kw_record *records, size_t n)
{
    struct kw_tray *keyless = NULL;
    size_t i = 0;
    for (; i < n && stage_takes(&records[i]); i++) {
        bool any = stage_is_keyless(&records[i]);
        struct kw_tray *tray = any && keyless ? keyless
                                              : stage_find_tray(stage, topic, &records[i]);
        if (KWI_UNLIKELY(!tray) || KWI_UNLIKELY(!kw_core_tray_append(tray, &records[i])))
            break;
        keyless = any ? tray : keyless;
    }
    return i;
}

/* Appends the first of the records, as many as fit. */
static inline __attribute__((always_inline)) size_t stage_append_some(
    struct kw_stages *stages, const struct kw_topic *topic, const struct kw_record *records,
    size_t n)
{
    uintptr_t self = (uintptr_t)pthread_self();
    struct kw_stage *stage = stage_find(stages, self);
    size_t i = 0;
    if (KWI_UNLIKELY(!stage || !stage_try(stage)))
        return 0;
    if (KWI_LIKELY(atomic_load_explicit(&stage->owner, memory_order_relaxed) == self))
        i = stage_append_run(stage, topic, records, n);
    stage_leave(stage);
    return i;
}

/* ---- closing: with the lock, busy ---------------------------------------------------------- */

static void stage_close_tray(struct kw_client *client, struct kw_stage *stage,
                             struct stage_tray *tray)
{
    kw_core_tray_close(tray->tray);
    tray->tray = NULL;
    stage->n_trays--;
    client->stages->n_trays--;
}

/* Those of a topic, or with NULL all. */
static void stage_close_trays(struct kw_client *client, struct kw_stage *stage,
                              const struct kw_topic *topic)
{
    for (uint32_t i = 0; stage->n_trays > 0 && i < STAGE_TRAYS; i++)
        if (stage->trays[i].tray && (!topic || stage->trays[i].topic == topic))
            stage_close_tray(client, stage, &stage->trays[i]);
}

/* ---- the thread, with the lock and busy ------------------------------------------------------ */

/* Whether trays of the topic may be opened, and are worth it. */
static bool stage_ramp(struct kw_client *client, struct kw_stage *stage, struct kw_topic *topic,
                       const struct kw_record *record)
{
    struct stage_plan *plan = stage_plan(stage, topic);
    struct kw_tray_rules rules;
    if (client->stages->ended)
        return false;
    if (plan->topic == topic)
        return plan->mixed_us <= client->now_us;
    if (plan->topic && stage->n_trays > 0)
        return false; /* its place is another topic's, perhaps with trays */
    if (client->now_us - stage->ramp_us > STAGE_RAMP_US) {
        stage->ramp_us = client->now_us;
        stage->n_ramp = 0;
    }
    if (++stage->n_ramp < STAGE_RAMP)
        return false;
    stage->n_ramp = 0;
    if (!kw_core_tray_rules(topic, &rules))
        return false;
    *plan = (struct stage_plan){.topic = topic,
                                .n_partitions = rules.n_partitions,
                                .linger_us = rules.linger_us,
                                .keyless = kw_core_tray_place(record, rules.n_partitions) < 0};
    return true;
}

static struct stage_tray *stage_open_tray(struct kw_client *client, struct kw_stage *stage,
                                          struct kw_topic *topic, int32_t place)
{
    struct kw_stages *stages = client->stages;
    struct stage_tray *tray = stage_tray(stage, topic, place);
    uint64_t linger_us = stage_plan(stage, topic)->linger_us, look_us;
    kwi_client_catch_up(client); /* linger begins now */
    if (tray->tray || kw_core_tray_open(&tray->tray, topic, place) != 0)
        return NULL;
    tray->topic = topic;
    tray->place = place;
    tray->due_us = client->now_us + linger_us;
    stage->n_trays++;
    stages->n_trays++;
    look_us = client->now_us + (linger_us < STAGE_TICK_US ? linger_us : STAGE_TICK_US);
    stages->look_us = look_us < stages->look_us ? look_us : stages->look_us;
    return tray;
}

/* Trays of records that any partition will do for, and trays of partitions: of a topic there
 * are those or these, or no order would be kept. */
static struct stage_tray *stage_tray_for(struct kw_client *client, struct kw_stage *stage,
                                         struct kw_topic *topic, const struct kw_record *record)
{
    struct stage_plan *plan = stage_plan(stage, topic);
    bool known = plan->topic == topic;
    if (!stage_is_plain(record) || !stage_ramp(client, stage, topic, record)) {
        if (known && stage->n_trays > 0)
            stage_close_trays(client, stage, topic);
        if (known && !stage_is_plain(record))
            plan->mixed_us = client->now_us + STAGE_MIXED_US;
        return NULL;
    }
    int32_t place = kw_core_tray_place(record, plan->n_partitions);
    if (place >= (int64_t)plan->n_partitions)
        return NULL; /* and no tray is of that partition */
    if ((place < 0) != plan->keyless) {
        stage_close_trays(client, stage, topic);
        plan->keyless = place < 0;
        plan->mixed_us = client->now_us + STAGE_MIXED_US;
        return NULL;
    }
    struct stage_tray *tray = stage_tray(stage, topic, place);
    if (tray->tray && (tray->topic != topic || tray->place != place))
        return NULL; /* another one's place: this partition has none */
    return tray->tray ? tray : stage_open_tray(client, stage, topic, place);
}

/* One record with what memory the core gives. */
static int stage_produce_one(struct kw_client *client, struct kw_stage *stage,
                             struct kw_topic *topic, const struct kw_record *record)
{
    struct stage_tray *tray = stage ? stage_tray_for(client, stage, topic, record) : NULL;
    int rc = tray ? kw_core_tray_produce(tray->tray, record) : KW_ERR_STATE;
    if (tray && rc == KW_ERR_LIMIT) { /* it is full */
        int32_t place = tray->place;
        stage_close_tray(client, stage, tray);
        tray = stage_open_tray(client, stage, topic, place);
        rc = tray ? kw_core_tray_produce(tray->tray, record) : KW_ERR_STATE;
    }
    if (tray && (rc == KW_ERR_USE || rc == KW_ERR_TOO_LARGE))
        return rc; /* that is the record's own fault */
    if (tray && rc != 0)
        stage_close_tray(client, stage, tray);
    if (rc != 0) /* what was refused there is refused again, with all that belongs to it */
        rc = kw_core_produce(topic, record);
    return rc < 0 ? rc : 0;
}

/* Until one is refused, or those that follow can do without the lock. */
static int stage_produce_locked(struct kw_client *client, struct kw_topic *topic,
                                const struct kw_record *records, size_t n, size_t *accepted)
{
    struct kw_stages *stages = client->stages;
    struct kw_stage *stage = NULL;
    int rc = 0;
    if (stages && client->gate.depth == 0) /* a callback that calls what it must not gets none */
        stage = stage_claim(stages, (uintptr_t)pthread_self());
    if (stage)
        stage_enter(stage);
    for (size_t i = 0; rc == 0 && i < n && i < STAGE_HOLD; i++) {
        rc = stage_produce_one(client, stage, topic, &records[i]);
        *accepted += rc == 0;
        if (stage && stage->n_trays > 0 && !records[i].n_headers)
            break;
    }
    if (stage)
        stage_leave(stage);
    return rc;
}

static __attribute__((noinline)) int stage_produce_rest(struct kw_client *client,
                                                        struct kw_topic *topic,
                                                        const struct kw_record *records, size_t n,
                                                        size_t *accepted)
{
    size_t i = 0;
    int rc = 0;
    while (rc == 0 && i < n) {
        rc = kwi_client_enter(client);
        if (rc == 0) {
            rc = stage_produce_locked(client, topic, records + i, n - i, &i);
            kwi_client_exit(client);
        }
        if (rc == 0 && i < n && client->stages)
            i += stage_append_some(client->stages, topic, records + i, n - i);
    }
    *accepted += i;
    return rc;
}

int kwi_stage_produce(struct kw_client *client, struct kw_topic *topic,
                      const struct kw_record *record)
{
    size_t accepted = 0;
    if (client->stages && KWI_LIKELY(stage_append_some(client->stages, topic, record, 1) == 1))
        return 0;
    return stage_produce_rest(client, topic, record, 1, &accepted);
}

int kwi_stage_produce_many(struct kw_client *client, struct kw_topic *topic,
                           const struct kw_record *records, size_t n, size_t *accepted)
{
    *accepted = client->stages ? stage_append_some(client->stages, topic, records, n) : 0;
    if (*accepted == n)
        return 0;
    return stage_produce_rest(client, topic, records + *accepted, n - *accepted, accepted);
}

/* ---- all of them, with the lock ------------------------------------------------------------ */

int kwi_stages_create(struct kw_client *client)
{
    if (client->gate.pid) /* the system does not mark a child of fork() for us */
        return 0;
    client->stages = kwi_alloc_zero(&client->heap, sizeof(*client->stages));
    if (!client->stages)
        return KW_ERR_NOMEM;
    client->stages->look_us = UINT64_MAX;
    client->stages->changes = kw_core_tray_changes(client->core);
    return 0;
}

void kwi_stages_destroy(struct kw_client *client)
{
    kwi_free(&client->heap, client->stages, sizeof(*client->stages));
    client->stages = NULL;
}

void kwi_stages_close_trays(struct kw_client *client)
{
    struct kw_stages *stages = client ? client->stages : NULL; /* a core without us */
    if (stages && client->gate.depth > 0)
        return; /* a callback that calls what it must not may stand inside one */
    for (uint32_t i = 0; stages && stages->n_trays > 0 && i < STAGE_SLOTS; i++) {
        struct kw_stage *stage = &stages->all[i];
        if (stage->n_trays == 0)
            continue;
        stage_enter(stage);
        stage_close_trays(client, stage, NULL);
        stage_leave(stage);
    }
}

/* Plans are made anew, too. */
void kwi_stages_check(struct kw_client *client)
{
    struct kw_stages *stages = client->stages;
    uint64_t changes = stages ? kw_core_tray_changes(client->core) : 0;
    if (KWI_LIKELY(!stages || changes == stages->changes))
        return;
    stages->changes = changes;
    for (uint32_t i = 0; i < STAGE_SLOTS; i++) {
        struct kw_stage *stage = &stages->all[i];
        if (!atomic_load_explicit(&stage->owner, memory_order_relaxed))
            continue;
        stage_enter(stage);
        stage_close_trays(client, stage, NULL);
        memset(stage->plans, 0, sizeof(stage->plans));
        stage_leave(stage);
    }
}

void kwi_stages_abandon(struct kw_client *client)
{
    if (!client->stages)
        return;
    client->stages->ended = true;
    kwi_stages_close_trays(client);
}

uint64_t kwi_stages_deadline(const struct kw_client *client)
{
    return client->stages ? client->stages->look_us : UINT64_MAX;
}

/* Returns when it must be looked at again. */
static uint64_t stage_look(struct kw_client *client, struct kw_stage *stage, uint64_t now_us)
{
    uint64_t next_us = now_us + STAGE_TICK_US;
    for (uint32_t i = 0; i < STAGE_TRAYS; i++) {
        struct stage_tray *tray = &stage->trays[i];
        if (!tray->tray)
            continue;
        if (tray->due_us <= now_us) {
            stage_close_tray(client, stage, tray);
            continue;
        }
        kw_core_tray_tick(tray->tray);
        next_us = tray->due_us < next_us ? tray->due_us : next_us;
    }
    return next_us;
}

void kwi_stages_look(struct kw_client *client, uint64_t now_us)
{
    struct kw_stages *stages = client->stages;
    uint64_t next_us = UINT64_MAX;
    for (uint32_t i = 0; i < STAGE_SLOTS && stages->n_trays > 0; i++) {
        struct kw_stage *stage = &stages->all[i];
        if (stage->n_trays == 0)
            continue;
        stage_enter(stage);
        uint64_t at_us = stage_look(client, stage, now_us);
        if (stage->n_trays > 0 && at_us < next_us)
            next_us = at_us;
        stage_leave(stage);
    }
    stages->look_us = next_us;
}
