/* bench/load.h -- what the programs that are compared do alike: the values that
 * they produce, and how they measure themselves. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Fills ptr with text that compresses about as log lines in JSON do: field names
 * that repeat, numbers that do not. The same seed gives the same text. */
void load_fill(uint8_t *ptr, size_t len, uint64_t seed);
/* A power of two of values of size bytes each, used in turns: 64 of them, or the
 * number in KW_BENCH_VALUES. A codec needs many, or it finds them again. With
 * KW_BENCH_REPEAT=N each says the same thing about N times. */
struct load_values {
    uint8_t *ptr;
    size_t size;
    uint64_t mask;
};
/* Ends the program when memory is short. */
void load_values_init(struct load_values *values, size_t size);
void load_values_deinit(struct load_values *values);
/* The value of record i: begins with i in native byte order. */
static inline const uint8_t *load_value(const struct load_values *values, uint64_t i)
{
    uint8_t *value = values->ptr + (i & values->mask) * values->size;

    memcpy(value, &i, sizeof(i));
    return value;
}

struct load_clock {
    double wall, cpu; /* seconds; cpu: user and system time of all threads */
    long rss_kb;      /* resident now */
};
void load_clock_read(struct load_clock *clock);
/* The client was just created: load_report tells the memory resident now. */
void load_created(void);

/* How long each of n records took, for percentiles that are exact. */
struct load_times {
    uint64_t n, *ns;
};
uint64_t load_now_ns(void);
/* Ends the program when memory is short, or n is 0. */
void load_times_init(struct load_times *times, uint64_t n);
/* Prints a line of NAME=VALUE words: percentiles in us, and CPU since begin per record. */
void load_times_report(const char *client, const char *version, size_t size,
                       struct load_times *times, const struct load_clock *begin);
/* Prints one line of NAME=VALUE words: times per record since begin, memory. */
void load_report(const char *client, const char *version, const char *mode, uint64_t n, size_t size,
                 const struct load_clock *begin);

#endif
