/* bench/load.c -- what the programs that are compared do alike. */
#include "bench/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static uint64_t load_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

void load_fill(uint8_t *ptr, size_t len, uint64_t seed)
{
    static const char *const words[] = {"accepted", "refused", "timeout", "login",
                                        "payment",  "search",  "cart",    "logout"};
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    char line[160];

    for (size_t at = 0; at < len;) {
        uint64_t a = load_random(&state), b = load_random(&state);
        int n = snprintf(line, sizeof(line),
                         "{\"id\":\"%016" PRIx64 "\",\"user\":%u,\"event\":\"%s\",\"ms\":%u,"
                         "\"host\":\"node-%u\"}\n",
                         a, (unsigned)(b & 0xffffff), words[b >> 24 & 7],
                         (unsigned)(b >> 32 & 0xfff), (unsigned)(b >> 48 & 0x1f));
        size_t left = len - at, now = (size_t)n < left ? (size_t)n : left;
        memcpy(ptr + at, line, now);
        at += now;
    }
}

void load_values_init(struct load_values *values, size_t size)
{
    const char *text = getenv("KW_BENCH_VALUES"), *repeat = getenv("KW_BENCH_REPEAT");
    uint64_t n = text ? strtoull(text, NULL, 10) : 64;
    uint64_t times = repeat ? strtoull(repeat, NULL, 10) : 1;
    size_t unit = times > 1 ? size / times + 1 : size;

    while (n & (n - 1))
        n &= n - 1;
    *values = (struct load_values){.size = size, .mask = n - 1};
    if (n > 0)
        values->ptr = malloc(n * size);
    if (!values->ptr) {
        fputs("bench: no memory for the values, or none asked for\n", stderr);
        exit(1);
    }
    for (size_t i = 0; i < n; i++) {
        uint8_t *value = values->ptr + i * size;
        load_fill(value, unit < size ? unit : size, i);
        for (size_t at = unit; at < size; at++)
            value[at] = value[at - unit];
    }
}

void load_values_deinit(struct load_values *values)
{
    free(values->ptr);
}

void load_clock_read(struct load_clock *clock)
{
    struct timespec now;
    struct rusage usage;
    FILE *statm = fopen("/proc/self/statm", "r");
    long pages = 0;

    clock_gettime(CLOCK_MONOTONIC, &now);
    getrusage(RUSAGE_SELF, &usage);
    clock->wall = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    clock->cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    if (!statm || fscanf(statm, "%*d %ld", &pages) != 1)
        pages = 0; /* no such file system: the figure is missing, not wrong */
    if (statm)
        fclose(statm);
    clock->rss_kb = pages * (sysconf(_SC_PAGESIZE) / 1024);
}

uint64_t load_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void load_times_init(struct load_times *times, uint64_t n)
{
    *times = (struct load_times){n, calloc(n + 1, sizeof(*times->ns))};
    if (times->ns && n > 0)
        return;
    fputs("bench: no memory for the times, or none asked for\n", stderr);
    exit(1);
}

static int load_times_order(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

void load_times_report(const char *client, const char *version, size_t size,
                       struct load_times *times, const struct load_clock *begin)
{
    struct load_clock end;
    uint64_t n = times->n;

    load_clock_read(&end);
    qsort(times->ns, n, sizeof(*times->ns), load_times_order);
    printf("client=%s version=%s mode=one size=%zu records=%" PRIu64
           " p50_us=%.2f p99_us=%.2f p999_us=%.2f max_us=%.2f cpu_ns=%.1f\n",
           client, version, size, n, (double)times->ns[(n - 1) * 50 / 100] / 1e3,
           (double)times->ns[(n - 1) * 99 / 100] / 1e3,
           (double)times->ns[(n - 1) * 999 / 1000] / 1e3, (double)times->ns[n - 1] / 1e3,
           (end.cpu - begin->cpu) * 1e9 / (double)n);
    free(times->ns);
}

static long load_created_kb;

void load_created(void)
{
    struct load_clock now;

    load_clock_read(&now);
    load_created_kb = now.rss_kb;
}

void load_report(const char *client, const char *version, const char *mode, uint64_t n, size_t size,
                 const struct load_clock *begin)
{
    struct load_clock end;
    struct rusage usage;

    load_clock_read(&end);
    getrusage(RUSAGE_SELF, &usage);
    printf("client=%s version=%s mode=%s size=%zu records=%" PRIu64
           " cpu_ns=%.1f wall_ns=%.1f rss_begin_kb=%ld rss_end_kb=%ld rss_peak_kb=%ld "
           "rss_created_kb=%ld\n",
           client, version, mode, size, n, (end.cpu - begin->cpu) * 1e9 / (double)n,
           (end.wall - begin->wall) * 1e9 / (double)n, begin->rss_kb, end.rss_kb, usage.ru_maxrss,
           load_created_kb);
}
