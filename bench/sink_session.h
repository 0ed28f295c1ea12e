/* bench/sink_session.h -- what a Fetch asks for, and a session remembers (KIP-227). */
#ifndef BENCH_SINK_SESSION_H
#define BENCH_SINK_SESSION_H
#include <stdbool.h>
#include <stdint.h>

enum { SINK_PARTITIONS_MAX = 128 };

struct sink_ask {
    int64_t offset, size_max;
};

struct sink_session {
    int32_t id;    /* 0: none was wanted, the parts are those of one request */
    int32_t epoch; /* that the next request has */
    int32_t n;
    int32_t order[SINK_PARTITIONS_MAX];        /* in which an answer is filled */
    struct sink_ask asks[SINK_PARTITIONS_MAX]; /* by partition */
    int32_t last_id;
};

/* Forgets all parts. kept: under an id of its own. */
void sink_session_begin(struct sink_session *session, bool kept);
/* A part that is asked for, or its new position. */
void sink_session_name(struct sink_session *session, int32_t partition, int64_t offset,
                       int64_t size_max);
void sink_session_forget(struct sink_session *session, int32_t partition);
/* It goes to the end of the order. */
void sink_session_rotate(struct sink_session *session, int32_t partition);

#endif
