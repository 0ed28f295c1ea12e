/* tests/sim/trace.c -- hash and transcript. */
#include "tests/sim/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sim_trace_init(struct sim_trace *trace, const uint64_t *now_us, bool keep, bool print)
{
    *trace = (struct sim_trace){
        .hash = 0x243f6a8885a308d3u, .now_us = now_us, .keep = keep, .print = print};
    if (keep && !(trace->lines = calloc(SIM_TRACE_LINES, SIM_TRACE_WIDTH)))
        abort();
}

void sim_trace_deinit(struct sim_trace *trace)
{
    free(trace->lines);
    trace->lines = NULL;
}

void sim_trace_bytes(struct sim_trace *trace, const void *ptr, size_t len)
{
    const uint8_t *bytes = ptr;
    sim_trace_word(trace, len);
    for (; len >= 8; len -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        sim_trace_word(trace, word);
    }
    uint64_t rest = 0;
    if (len > 0)
        memcpy(&rest, bytes, len);
    sim_trace_word(trace, rest);
}

void sim_trace_line(struct sim_trace *trace, const char *format, ...)
{
    if (!trace->keep && !trace->print)
        return;
    char line[SIM_TRACE_WIDTH];
    int len = snprintf(line, sizeof(line), "%10.3f ms  ", (double)*trace->now_us / 1000);
    va_list args;
    va_start(args, format);
    vsnprintf(line + len, sizeof(line) - (size_t)len, format, args);
    va_end(args);
    if (trace->print)
        fprintf(stderr, "%s\n", line);
    if (trace->keep)
        memcpy(trace->lines[trace->n_lines++ % SIM_TRACE_LINES], line, sizeof(line));
}

void sim_trace_tail(const struct sim_trace *trace)
{
    uint64_t i = trace->n_lines > SIM_TRACE_LINES ? trace->n_lines - SIM_TRACE_LINES : 0;
    for (; trace->lines && i < trace->n_lines; i++)
        fprintf(stderr, "%s\n", trace->lines[i % SIM_TRACE_LINES]);
}
