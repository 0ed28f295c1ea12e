/* cli/progress.c -- how far the input was read, on one line of stderr that is
 * drawn over and over. Bytes of the input are what is known of its end; records
 * are not. It does not decide whether there is a line at all. */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRESS_INTERVAL_US 200000
#define PROGRESS_SECOND_US 1000000
#define PROGRESS_BAR 24

/* "1.5 MB" into buf */
static void progress_bytes(uint64_t bytes, char *buf, size_t cap)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1000;
        unit++;
    }
    snprintf(buf, cap, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

static void progress_time(uint64_t seconds, char *buf, size_t cap)
{
    if (seconds >= 3600)
        snprintf(buf, cap, "%" PRIu64 ":%02u:%02u", seconds / 3600, (unsigned)(seconds / 60 % 60),
                 (unsigned)(seconds % 60));
    else
        snprintf(buf, cap, "%u:%02u", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
}

void cli_progress_text(const struct cli_progress *progress, uint64_t bytes, uint64_t records,
                       uint64_t now_us, char *buf, size_t cap)
{
    char done[24], total[24], speed[24], eta[24] = "-:--", bar[PROGRESS_BAR + 1];
    double elapsed = (double)(now_us - progress->begin_us) / PROGRESS_SECOND_US;
    double per_second = elapsed > 0 ? (double)bytes / elapsed : 0;

    progress_bytes(bytes, done, sizeof(done));
    progress_bytes((uint64_t)per_second, speed, sizeof(speed));
    if (progress->total == 0) {
        snprintf(buf, cap, "%" PRIu64 " records, %s, %s/s", records, done, speed);
        return;
    }
    /* A file may grow while it is read. */
    uint64_t shown = bytes < progress->total ? bytes : progress->total;
    double part = (double)shown / (double)progress->total;
    size_t filled = (size_t)(part * PROGRESS_BAR);
    memset(bar, ' ', PROGRESS_BAR);
    memset(bar, '#', filled);
    bar[PROGRESS_BAR] = '\0';
    if (shown > 0)
        progress_time((uint64_t)((double)(progress->total - shown) / per_second + 0.5), eta,
                      sizeof(eta));
    progress_bytes(progress->total, total, sizeof(total));
    snprintf(buf, cap, "[%s] %3u%% %s of %s, %" PRIu64 " records, %s/s, ETA %s", bar,
             (unsigned)(part * 100), done, total, records, speed, eta);
}

void cli_progress_begin(struct cli_progress *progress, uint64_t total, uint64_t now_us)
{
    *progress = (struct cli_progress){
        .active = true, .total = total, .begin_us = now_us, .drawn_us = now_us};
}

static void progress_draw(struct cli_progress *progress, uint64_t bytes, uint64_t records,
                          uint64_t now_us)
{
    char text[160];

    cli_progress_text(progress, bytes, records, now_us, text, sizeof(text));
    /* The rest of a longer line before it is wiped. */
    fprintf(stderr, "\r%s\033[K", text);
    progress->drawn = true;
    progress->drawn_us = now_us;
}

void cli_progress_update(struct cli_progress *progress, uint64_t bytes, uint64_t records,
                         uint64_t now_us)
{
    if (progress->active && now_us - progress->drawn_us >= PROGRESS_INTERVAL_US)
        progress_draw(progress, bytes, records, now_us);
}

void cli_progress_clear(struct cli_progress *progress)
{
    if (progress->drawn)
        fputs("\r\033[K", stderr);
    progress->drawn = false;
}

void cli_progress_end(struct cli_progress *progress, uint64_t bytes, uint64_t records,
                      uint64_t now_us)
{
    if (!progress->active)
        return;
    progress_draw(progress, bytes, records, now_us);
    fputc('\n', stderr);
    progress->active = progress->drawn = false;
}

bool cli_progress_size(const char *path, uint64_t *total)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct stat status;
    off_t at = is_stdin ? lseek(STDIN_FILENO, 0, SEEK_CUR) : 0;

    if ((is_stdin ? fstat(STDIN_FILENO, &status) : stat(path, &status)) != 0 ||
        !S_ISREG(status.st_mode))
        return false;
    if (at > 0 && at < status.st_size)
        *total += (uint64_t)(status.st_size - at);
    else if (at <= 0)
        *total += (uint64_t)status.st_size;
    return true;
}
