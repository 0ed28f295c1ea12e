/* tests/sim/log_reader.h -- reads the records of one stored batch.
 *
 * Written apart from proto/ on purpose, byte by byte and with a bitwise CRC: it
 * is the checker's own pair of eyes. Uncompressed v2 batches only. */
#ifndef SIM_LOG_READER_H
#define SIM_LOG_READER_H
#include <kwire/types.h>

struct sim_log_record {
    int64_t offset, timestamp_ms;
    struct kw_bytes key, value;
    struct kw_bytes headers; /* encoded: what follows the count */
    uint32_t n_headers;
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t sequence; /* -1 without idempotence */
};

/* Calls each for every record; returns how many, or -1 when the batch breaks
 * the format (then *why says how). */
int sim_log_read(const uint8_t *batch, size_t len,
                 void (*each)(void *ctx, const struct sim_log_record *record), void *ctx,
                 const char **why);

/* Hash of everything a record carries but its timestamp and place. Null and
 * empty differ. */
uint64_t sim_content_hash(struct kw_bytes key, struct kw_bytes value, struct kw_bytes headers);
/* Encodes headers as they stand in a record; returns the length, at most cap. */
size_t sim_headers_encode(uint8_t *buf, size_t cap, const struct kw_header *headers, uint32_t n);

#endif
