/* tests/sim/trace.h -- the trace hash and the transcript of a run.
 *
 * The hash covers everything that the core does, in order and with the virtual
 * time: wants, bytes offered, events, records handed out, deadlines. It covers
 * no address. The transcript is text for people, made only in a second run of a
 * failed seed (a run is a function of its seed, so nothing is lost by that). */
#ifndef SIM_TRACE_H
#define SIM_TRACE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIM_TRACE_LINES = 256, SIM_TRACE_WIDTH = 200 };

struct sim_trace {
    uint64_t hash, n_words;
    const uint64_t *now_us;
    bool keep;  /* keep the last lines in the ring */
    bool print; /* print every line to stderr */
    char (*lines)[SIM_TRACE_WIDTH];
    uint64_t n_lines;
};

static inline void sim_trace_word(struct sim_trace *trace, uint64_t word)
{
    uint64_t hash = (trace->hash ^ word) * 0x9fb21c651e98df25u;
    trace->hash = hash ^ hash >> 29;
    trace->n_words++;
}

void sim_trace_init(struct sim_trace *trace, const uint64_t *now_us, bool keep, bool print);
void sim_trace_deinit(struct sim_trace *trace);
void sim_trace_bytes(struct sim_trace *trace, const void *ptr, size_t len);
/* A line of the transcript; not part of the hash. */
void sim_trace_line(struct sim_trace *trace, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Prints the kept lines to stderr. */
void sim_trace_tail(const struct sim_trace *trace);

#endif
