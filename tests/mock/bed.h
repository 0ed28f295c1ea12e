/* bed.h -- what the tests of mock/ share: a cluster with a virtual clock and a
 * counting allocator, clients that speak by proto's tables, batches, and the
 * everyday requests in one call each. */
#ifndef MOCK_BED_H
#define MOCK_BED_H
#include <stdlib.h>
#include <string.h>

#include "mock/mock.h"
#include "proto/api.h"
#include "proto/api_versions.h"
#include "proto/batch.h"
#include "proto/coordinator.h"
#include "proto/error.h"
#include "proto/fetch.h"
#include "proto/list_offsets.h"
#include "proto/metadata.h"
#include "proto/produce.h"
#include "proto/topics.h"

struct bed {
    struct kw_mock *mock;
    struct kw_mock_config config;
    struct kw_time now;
    size_t n_blocks;        /* allocated at present */
    size_t n_until_refusal; /* allocations that still succeed; SIZE_MAX: all */
    bool refuse_once;       /* else every allocation from then on fails */
};

/* Fills in the allocator and asserts success; *config may be NULL. */
void bed_open(struct bed *bed, const struct kw_mock_config *config);
/* The same for a test that expects a refusal: the result of kwi_mock_create. */
int bed_try_open(struct bed *bed, const struct kw_mock_config *config);
/* Destroys the cluster and asserts that nothing leaked. */
void bed_close(struct bed *bed);
/* Lets time pass, and the model do all that is due meanwhile. */
void bed_advance(struct bed *bed, uint32_t ms);
/* Adds a fault from its text. */
uint32_t bed_fault(struct bed *bed, const char *spec);

struct client {
    struct bed *bed;
    struct kw_mock_conn *conn;
    size_t chunk; /* bytes per input and output call; 0: all at once */
    int32_t correlation_id;
    uint8_t *frame; /* the last answer, in a block of its size */
    size_t frame_len;
    uint8_t *part; /* bytes of the next answer */
    size_t part_len;
};

void client_open(struct client *client, struct bed *bed, uint32_t broker);
void client_close(struct client *client);
/* Sends bytes as they are. */
void client_send_bytes(struct client *client, const void *bytes, size_t len);
/* Sends a request. Asserts that it can be encoded. */
void client_send(struct client *client, int16_t api, int16_t version, const void *req);
/* Takes output until a whole answer is there. False: it is not (yet). */
bool client_take(struct client *client);
/* client_take, then checks the header and decodes the body into *resp, which
 * borrows from client->frame. False: no answer. Asserts a sound one. */
bool client_receive(struct client *client, int16_t api, int16_t version, void *resp);
/* client_send and client_receive, which must succeed. */
void client_ask(struct client *client, int16_t api, int16_t version, const void *req, void *resp);

/* A batch of n records (values "v0", "v1" ...) with these ids, on the heap. */
struct batch_spec {
    int32_t n_records;   /* default 1 */
    int64_t producer_id; /* used if idempotent */
    int16_t epoch;
    int32_t sequence;
    bool idempotent;
    int64_t timestamp; /* of the first record; the others follow 1 ms apart */
    size_t value_size; /* default: the short values */
};
uint8_t *batch_make(const struct batch_spec *spec, size_t *len);

struct produced {
    bool answered;
    int16_t error_code;
    int64_t base_offset, log_append_time_ms, log_start_offset;
    struct kw_leader_id_and_epoch leader;
    int32_t n_partitions, n_endpoints, throttle_time_ms;
};
/* Produces one batch, by name up to v12 and by id from v13 on. */
struct produced client_produce(struct client *client, int16_t version, const char *topic,
                               int32_t partition, int16_t acks, const uint8_t *batch, size_t len);
/* Makes and produces a batch with Produce v9 and acks=all. */
struct produced client_put(struct client *client, const char *topic, int32_t partition,
                           const struct batch_spec *spec);

struct fetch_spec {
    int16_t version; /* default 12 */
    const char *topic;
    int32_t partition;
    int64_t offset;
    int32_t max_wait_ms, min_bytes;
    int32_t max_bytes;          /* default 1 MiB, also of the partition */
    int32_t leader_epoch;       /* default -1; stored as epoch + 1 */
    int32_t last_fetched_epoch; /* the same */
    int32_t session_id;
};
struct fetched {
    bool answered;
    int16_t top_error, error_code;
    int64_t high_watermark, last_stable_offset, log_start_offset;
    struct kw_fetch_epoch_end_offset diverging;
    struct kw_leader_id_and_epoch leader;
    int32_t n_partitions, n_endpoints;
    const uint8_t *records; /* within client->frame */
    int32_t records_len;
};
void client_fetch_send(struct client *client, const struct fetch_spec *spec);
struct fetched client_fetch_receive(struct client *client, int16_t version);
struct fetched client_fetch(struct client *client, const struct fetch_spec *spec);

/* The id of a topic, by Metadata. */
struct kw_uuid client_topic_id(struct client *client, const char *topic);

#endif
