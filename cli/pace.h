/* cli/pace.h -- a rate limit for records. */
#ifndef CLI_PACE_H
#define CLI_PACE_H
#include <stdint.h>

struct cli_pace {
    uint64_t per_second; /* 0: no limit */
    uint64_t begin_us;   /* when record 0 of the count was due */
    uint64_t n;          /* records since then */
};

void cli_pace_init(struct cli_pace *pace, uint64_t per_second, uint64_t now_us);
/* How long to wait until the next record is due; 0: it may go. Units: us. */
uint64_t cli_pace_wait_us(struct cli_pace *pace, uint64_t now_us);
/* A record went. */
void cli_pace_count(struct cli_pace *pace);

#endif
