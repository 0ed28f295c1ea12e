/* fuzz/script.h -- what a fuzz input says to the client in a bottle.
 *
 *     input := how  how2  unit*        unit := op a b c
 *
 * how chooses the configuration, how2 the end of the run; see script.c. Units of
 * one size let a mutator insert, remove and swap them without losing the rest. */
#ifndef FUZZ_SCRIPT_H
#define FUZZ_SCRIPT_H
#include "fuzz/rig.h"

enum {
    SCRIPT_HEAD = 4,
    SCRIPT_UNIT = 4,
    SCRIPT_TWICE = 56 /* bits of how2 */,
    SCRIPT_UNITS_MAX = 300
};

enum script_op {
    SCRIPT_TURN,    /* a turns */
    SCRIPT_TIME,    /* pass time: a chooses how much */
    SCRIPT_PRODUCE, /* a: how many and how; b: value size; c: key, receipt closed */
    SCRIPT_EVENTS,  /* take at most a */
    SCRIPT_POLL,    /* slot a, at most b records */
    SCRIPT_RELEASE, /* slot a */
    SCRIPT_CHANGE,  /* an answer: a kind and API, b place, c value */
    SCRIPT_FAULT,   /* of the model: a action and API, b value, c when */
    SCRIPT_MODEL,   /* leaders, brokers, topics: a what, b, c which */
    SCRIPT_CUT,     /* connection a ends, b why */
    SCRIPT_RAW,     /* connection a reads the next b units as they are */
    SCRIPT_FLUSH,   /* a timeout */
    SCRIPT_PURGE,
    SCRIPT_UNSENT,  /* take at most a records back */
    SCRIPT_ASSIGN,  /* a: seek, pause, assign; b partition; c value */
    SCRIPT_ADMIN,   /* a kind, b timeout */
    SCRIPT_OP,      /* cancel or take op a */
    SCRIPT_CLOSE,   /* b timeout */
    SCRIPT_DRIVER,  /* a: manners, b: bytes of one write */
    SCRIPT_CONFIRM, /* connection a, b bytes */
    SCRIPT_STRAY,   /* completions of connections that are gone */
    SCRIPT_MAKE,    /* what is missing is tried again */
    SCRIPT_MEMORY,  /* from the a-th allocation on, b fail */
    SCRIPT_GROUP,   /* a member: a what and who, b topics, c timeout */
    SCRIPT_MEMBER,  /* what it does: a what and who, b, c */
    SCRIPT_N_OPS
};

/* Runs the input. memory false: the allocator never fails; chunk: see struct
 * rig. Returns the hash of all that came out of the core. */
uint64_t script_run(const uint8_t *data, size_t size, uint32_t chunk, bool memory);

/* A mutation that keeps units whole; falls back to the engine's own. */
size_t script_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed);

#endif
