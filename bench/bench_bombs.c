/* bench_bombs.c -- what it takes to refuse a bomb, on the clock and in resident
 * memory: bench_bombs [MILLISECONDS MEBIBYTES]
 *
 * Each bomb of tests/client/bombs.c is made by a process of its own and read by
 * another, with default settings: from the first poll to the error event, and
 * the largest resident set of the whole process. With limits given, exits with 1
 * if a bomb takes more time or memory, or if what is no bomb does not pass. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/client/bombs.h"

enum { BOMBS_FILE_MAX = 64 * MIB };

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static long status_kib(const char *key)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[128];
    long kib = -1;

    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            kib = strtol(line + strlen(key), NULL, 10);
    if (file)
        fclose(file);
    return kib;
}

/* Between the processes. */
struct shared {
    double ms_max, mib_max; /* what is allowed */
    double ms, mib;         /* the largest so far */
    size_t len;
    uint8_t bytes[BOMBS_FILE_MAX];
};

static int make_it(const struct bomb_kind *kind, struct shared *shared)
{
    struct bytes bytes = kind->make(kind->codec);

    shared->len = bytes.len;
    if (bytes.len > sizeof shared->bytes)
        return 1;
    memcpy(shared->bytes, bytes.ptr, bytes.len);
    return 0;
}

static int read_it(const struct bomb_kind *kind, struct shared *shared)
{
    bool bad, told;
    struct kw_records *records;
    double start, ms, mib;

    bed_begin(0, NULL);
    if (!bed_feed(bed.part, shared->bytes, shared->len))
        return 1;
    start = now_ms();
    records = poll_until(256 << 10);
    told = next_fault();
    ms = now_ms() - start;
    mib = (double)status_kib("VmHWM:") / 1024;
    bad = kind->err ? records || !told || fault.code != kind->err : !records || told;
    if (mib > shared->mib_max || (kind->err && ms > shared->ms_max))
        bad = true;
    if (kind->err && ms > shared->ms)
        shared->ms = ms;
    if (mib > shared->mib)
        shared->mib = mib;
    printf("%s - %-45s %8zu bytes %8.2f ms %6.1f MiB  %s\n", bad ? "not ok" : "ok", kind->name,
           shared->len, ms, mib, told ? fault.text : "passes");
    return bad;
}

static int in_process(int (*run)(const struct bomb_kind *, struct shared *),
                      const struct bomb_kind *kind, struct shared *shared)
{
    int status = 1;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        status = run(kind, shared);
        fflush(stdout);
        _exit(status);
    }
    return child < 0 || waitpid(child, &status, 0) < 0 || status != 0;
}

int main(int argc, char **argv)
{
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int bad = 0;

    if (shared == MAP_FAILED)
        return 2;
    shared->ms_max = argc > 1 ? strtod(argv[1], NULL) : 1e9;
    shared->mib_max = argc > 2 ? strtod(argv[2], NULL) : 1e9;
    for (int i = 0; i < n_bomb_kinds; i++) {
        const struct bomb_kind *kind = &bomb_kinds[i];
        if (!kw_codec_by_id(kind->codec))
            continue;
        bad |= in_process(make_it, kind, shared) || in_process(read_it, kind, shared);
    }
    printf("figure: bombs refused in at most %.1f ms, resident set at most %.0f MiB\n", shared->ms,
           shared->mib);
    return bad;
}
