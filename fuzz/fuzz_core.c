/* fuzz_core.c -- a hostile broker: a whole client, and every answer that it gets
 * is made from the input.
 *
 * covers: B02 B22 C06 C42 C43 C44 C46 C47 C60 C61 N06
 *
 * The input is a script. For each request it says whether the answer is the
 * honest one, bytes of the input behind a right header, a Fetch answer around
 * such bytes (with a right checksum or not), or noise. Checks: no bad access, no
 * leak, no call that does not end, records within their frame, memory within
 * its reserves, and after any script the client can still be closed. */
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "proto/api.h"
#include "proto/api_versions.h"
#include "proto/batch.h"
#include "proto/fetch.h"
#include "proto/header.h"
#include "proto/list_offsets.h"
#include "proto/metadata.h"
#include "proto/record.h"
#include <kwire/core.h>
#include <kwire/kwire.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond)  \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

enum { TURNS = 120, CONNS = 64, ASKED = 16, FRAME = 8192, PARTITIONS = 3 };

struct asked {
    int16_t api, version;
    int32_t correlation_id;
};
struct peer {
    uint32_t id;
    bool open;
    uint8_t head[12]; /* of the request that is being received */
    uint32_t have, body_left;
    struct asked asked[ASKED];
    uint32_t n_asked;
};
struct scene {
    const uint8_t *ptr, *end; /* what is left of the script */
    struct kw_core *core;
    struct kw_consumer *consumer;
    struct peer peers[CONNS];
    uint32_t n_peers;
    uint8_t frame[FRAME];
};

static void *scene_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void scene_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

static uint8_t scene_byte(struct scene *scene)
{
    return scene->ptr < scene->end ? *scene->ptr++ : 0;
}

/* A piece of the script, at most max bytes. */
static struct kw_bytes scene_piece(struct scene *scene, size_t max)
{
    size_t len = scene_byte(scene) * 4u;
    struct kw_bytes piece;
    len = len < max ? len : max;
    len = len < (size_t)(scene->end - scene->ptr) ? len : (size_t)(scene->end - scene->ptr);
    piece = (struct kw_bytes){scene->ptr, len};
    scene->ptr += len;
    return piece;
}

/* ---- answers ------------------------------------------------------------------------- */

/* As far as the client asks: all 73 took a third of the time. */
static int answer_versions(int16_t version, struct kw_wr *wr)
{
    struct kw_api_versions_response_key keys[32];
    struct kw_api_versions_response msg;
    size_t n_apis, n = 0;
    const struct kw_api_info *apis = kwi_api_list(&n_apis);
    kwi_api_versions_response_init(&msg);
    while (n < n_apis && apis[n].key <= KW_API_INIT_PRODUCER_ID)
        n++;
    CHECK(n <= sizeof keys / sizeof *keys);
    for (size_t i = 0; i < n; i++) {
        kwi_api_versions_response_key_init(&keys[i]);
        keys[i].api_key = apis[i].key;
        keys[i].min_version = apis[i].min;
        keys[i].max_version = apis[i].max;
    }
    msg.api_keys = KWI_ARR(keys, n);
    return kwi_api_versions_response_encode(&msg, version, wr);
}

static int answer_metadata(int16_t version, struct kw_wr *wr)
{
    struct kw_metadata_response msg;
    struct kw_metadata_response_broker brokers[2];
    struct kw_metadata_response_topic topic;
    struct kw_metadata_response_partition partitions[PARTITIONS];
    kwi_metadata_response_init(&msg);
    kwi_metadata_response_topic_init(&topic);
    for (int32_t i = 0; i < 2; i++) {
        kwi_metadata_response_broker_init(&brokers[i]);
        brokers[i].node_id = i;
        brokers[i].host = kwi_str("b");
        brokers[i].port = 9092 + i;
    }
    for (int32_t i = 0; i < PARTITIONS; i++) {
        kwi_metadata_response_partition_init(&partitions[i]);
        partitions[i].partition_index = i;
        partitions[i].leader_id = i % 2;
        if (version >= 7)
            partitions[i].leader_epoch = 1;
    }
    topic.name = kwi_str("t");
    topic.partitions = KWI_ARR(partitions, PARTITIONS);
    msg.brokers = KWI_ARR(brokers, 2);
    msg.topics = KWI_ARR(&topic, 1);
    return kwi_metadata_response_encode(&msg, version, wr);
}

static int answer_offsets(struct scene *scene, int16_t version, struct kw_wr *wr)
{
    struct kw_list_offsets_response msg;
    struct kw_list_offsets_response_topic topic;
    struct kw_list_offsets_response_partition partitions[PARTITIONS];
    kwi_list_offsets_response_init(&msg);
    kwi_list_offsets_response_topic_init(&topic);
    for (int32_t i = 0; i < PARTITIONS; i++) {
        kwi_list_offsets_response_partition_init(&partitions[i]);
        partitions[i].partition_index = i;
        partitions[i].offset = (int8_t)scene_byte(scene);
    }
    topic.name = kwi_str("t");
    topic.partitions = KWI_ARR(partitions, PARTITIONS);
    msg.topics = KWI_ARR(&topic, 1);
    return kwi_list_offsets_response_encode(&msg, version, wr);
}

/* A batch whose content the script decides; *len is set. Its lengths are right
 * unless the script changes a byte, and its checksum unless it says so. */
static void answer_batch(struct scene *scene, uint8_t *room, size_t max, size_t *len)
{
    struct kw_batch_header header;
    struct kw_wr wr = kwi_wr_make(room + KWI_BATCH_HEADER, max - KWI_BATCH_HEADER);
    uint8_t how = scene_byte(scene);
    int32_t step = 1 + (how & 1), n = how >> 1 & 7;
    kwi_batch_header_init(&header);
    header.base_offset = scene_byte(scene) & 31;
    header.attributes = how & 128 ? (int16_t)(scene_byte(scene) & 0x7f) : 0;
    header.base_timestamp = header.max_timestamp = 5;
    header.record_count = n;
    header.last_offset_delta = n ? (n - 1) * step : scene_byte(scene) & 7;
    for (int32_t i = 0; i < n; i++) {
        struct kw_bytes key = scene_piece(scene, 20), value = scene_piece(scene, 40);
        struct kw_header pair = {value, key};
        uint32_t n_headers = value.ptr && how & 16;
        key.ptr = key.len ? key.ptr : NULL;
        kwi_record_put(&wr, (int8_t)scene_byte(scene), i * step, key, value, &pair, n_headers);
    }
    *len = KWI_BATCH_HEADER + (wr.len < max - KWI_BATCH_HEADER ? wr.len : 0);
    kwi_batch_header_put(room, &header);
    if (how & 32)
        room[KWI_BATCH_ATTRIBUTES + scene_byte(scene) % (*len - KWI_BATCH_ATTRIBUTES)] ^=
            scene_byte(scene);
    kwi_batch_seal(room, *len, kwi_crc32c_portable);
    if (how & 64)
        room[scene_byte(scene) % *len] ^= scene_byte(scene);
}

/* Bytes of the script as records, or batches that are nearly right. */
static struct kw_record_set answer_records(struct scene *scene, uint8_t *room, size_t max)
{
    uint8_t how = scene_byte(scene) & 7;
    size_t len = 0, one;
    struct kw_bytes piece;
    if (how < 4) {
        for (; how < 4 && max - len > 400; how++) {
            answer_batch(scene, room + len, 400, &one);
            len += one;
        }
        return (struct kw_record_set){.ptr = room, .len = (int32_t)len};
    }
    piece = scene_piece(scene, max);
    if (piece.len)
        memcpy(room, piece.ptr, piece.len);
    return (struct kw_record_set){.ptr = room, .len = (int32_t)piece.len};
}

static int answer_fetch(struct scene *scene, int16_t version, struct kw_wr *wr)
{
    static uint8_t room[PARTITIONS][2048];
    struct kw_fetch_response msg;
    struct kw_fetch_response_topic topic;
    struct kw_fetch_response_partition partitions[PARTITIONS];
    kwi_fetch_response_init(&msg);
    kwi_fetch_response_topic_init(&topic);
    for (int32_t i = 0; i < PARTITIONS; i++) {
        kwi_fetch_response_partition_init(&partitions[i]);
        partitions[i].partition_index = scene_byte(scene) % (PARTITIONS + 1);
        partitions[i].error_code = (int16_t)(scene_byte(scene) > 200 ? scene_byte(scene) : 0);
        partitions[i].high_watermark = scene_byte(scene);
        partitions[i].records = answer_records(scene, room[i], sizeof room[i]);
    }
    topic.topic = kwi_str("t");
    topic.partitions = KWI_ARR(partitions, PARTITIONS);
    msg.throttle_time_ms = scene_byte(scene) > 250 ? 20 : 0;
    msg.responses = KWI_ARR(&topic, 1);
    return kwi_fetch_response_encode(&msg, version, wr);
}

/* Writes the frame of an answer; returns its length. */
static size_t answer(struct scene *scene, const struct asked *asked)
{
    struct kw_wr wr = kwi_wr_make(scene->frame, FRAME);
    size_t at = kwi_frame_begin(&wr);
    uint8_t how = scene_byte(scene) & 7;
    struct kw_bytes piece;
    int rc = kwi_response_header_put(&wr, asked->api, asked->version, asked->correlation_id);
    if (!rc && how < 5 && asked->api == KW_API_API_VERSIONS)
        rc = answer_versions(asked->version, &wr);
    else if (!rc && how < 5 && asked->api == KW_API_METADATA)
        rc = answer_metadata(asked->version, &wr);
    else if (!rc && how < 5 && asked->api == KW_API_LIST_OFFSETS)
        rc = answer_offsets(scene, asked->version, &wr);
    else if (!rc && how < 6 && asked->api == KW_API_FETCH)
        rc = answer_fetch(scene, asked->version, &wr);
    else
        rc = KW_ERR_UNSUPPORTED;
    if (rc) { /* the script's own bytes */
        piece = scene_piece(scene, 1000);
        kwi_wr_put(&wr, piece.ptr, piece.len);
    }
    kwi_frame_end(&wr, at);
    if (how == 7 && wr.len > 8)
        scene->frame[scene_byte(scene) % 8] ^= scene_byte(scene);
    return wr.len < FRAME ? wr.len : 0;
}

/* ---- the driver -------------------------------------------------------------------------- */

static struct peer *scene_peer(struct scene *scene, uint32_t id)
{
    for (uint32_t i = 0; i < scene->n_peers; i++) {
        if (scene->peers[i].id == id)
            return &scene->peers[i];
    }
    return NULL;
}

/* Sees where requests begin and what they ask. */
static void peer_take(struct peer *peer, const uint8_t *ptr, size_t len)
{
    while (len > 0) {
        if (peer->body_left > 0) {
            size_t n = len < peer->body_left ? len : peer->body_left;
            peer->body_left -= (uint32_t)n;
            ptr += n;
            len -= n;
            continue;
        }
        peer->head[peer->have++] = *ptr++;
        len--;
        if (peer->have < 12)
            continue;
        peer->have = 0;
        peer->body_left = kwi_get_u32(peer->head) - 8;
        if (peer->n_asked < ASKED)
            peer->asked[peer->n_asked++] = (struct asked){(int16_t)kwi_get_u16(peer->head + 4),
                                                          (int16_t)kwi_get_u16(peer->head + 6),
                                                          (int32_t)kwi_get_u32(peer->head + 8)};
    }
}

static void peer_write(struct scene *scene, struct peer *peer)
{
    struct kw_iov iov[8];
    size_t n;
    for (int i = 0; i < 100 && peer->open; i++) {
        size_t sum = 0;
        n = kw_core_write_vec(scene->core, peer->id, 0, iov, 8);
        if (n == 0)
            return;
        for (size_t k = 0; k < n; k++) {
            peer_take(peer, iov[k].base, iov[k].len);
            sum += iov[k].len;
        }
        kw_core_written(scene->core, peer->id, sum);
    }
}

static void peer_read(struct scene *scene, struct peer *peer)
{
    size_t len, done = 0;
    struct asked asked;
    if (!peer->open || peer->n_asked == 0 || peer->body_left > 0)
        return;
    asked = peer->asked[0];
    memmove(peer->asked, peer->asked + 1, --peer->n_asked * sizeof asked);
    len = answer(scene, &asked);
    while (done < len && peer->open) {
        struct kw_span span = kw_core_read_buf(scene->core, peer->id);
        size_t n = len - done < span.len ? len - done : span.len;
        if (n == 0)
            return; /* reading is off: the rest of the answer is lost, as noise is */
        memcpy(span.ptr, scene->frame + done, n);
        kw_core_read_done(scene->core, peer->id, n);
        done += n;
    }
}

static void scene_wants(struct scene *scene)
{
    struct kw_addr addr = {.family = 4, .ip = {127, 0, 0, 1}, .port = 9092};
    struct kw_want want;
    struct peer *peer;
    for (int i = 0; i < 1000 && kw_core_next_want(scene->core, &want); i++) {
        peer = scene_peer(scene, want.id);
        if (want.kind == KW_WANT_RESOLVE) {
            kw_core_resolved(scene->core, want.id, &addr, 1, 0);
        } else if (want.kind == KW_WANT_OPEN && scene->n_peers == CONNS) {
            kw_core_closed(scene->core, want.id, NULL);
        } else if (want.kind == KW_WANT_OPEN) {
            scene->peers[scene->n_peers++] = (struct peer){.id = want.id, .open = true};
            kw_core_opened(scene->core, want.id);
        } else if (want.kind == KW_WANT_CLOSE) {
            if (peer)
                peer->open = false;
            kw_core_closed(scene->core, want.id, NULL);
        } else if (want.kind == KW_WANT_WRITE_READY && peer) {
            peer_write(scene, peer);
        }
    }
}

/* ---- the application ----------------------------------------------------------------------- */

static void app_read(struct scene *scene)
{
    struct kw_records *records;
    for (int i = 0; i < 50 && kw_core_consumer_poll(scene->consumer, &records, 3) == 1; i++) {
        const struct kw_consumed *c;
        int64_t last = -1;
        while ((c = kw_records_next(records))) {
            struct kw_header_iter it;
            struct kw_header header;
            volatile uint8_t sum = 0;
            CHECK(c->offset > last);
            last = c->offset;
            for (size_t k = 0; k < c->value.len; k++)
                sum = (uint8_t)(sum + ((const uint8_t *)c->value.ptr)[k]);
            for (size_t k = 0; k < c->key.len; k++)
                sum = (uint8_t)(sum + ((const uint8_t *)c->key.ptr)[k]);
            kw_headers_begin(&it, c);
            while (kw_headers_next(&it, &header) == 1)
                sum = (uint8_t)(sum + header.value.len);
        }
        kw_core_records_release(records, KW_DONE);
    }
}

/* Read once: the core copies what it is made from. */
static const struct kw_config *app_config(void)
{
    static const char settings[] = "bootstrap.servers=h:1\nmemory.limit=4000000\n"
                                   "control.memory=1000000\nbuffer.memory=1500000\n"
                                   "max.request.size=100000\nreconnect.backoff.ms=1\n"
                                   "retry.backoff.ms=1\nauto.offset.reset=earliest\n";
    static struct kw_config *cfg;
    struct kw_alloc alloc = {scene_alloc, scene_free, NULL};
    if (!cfg) {
        CHECK(kw_config_create(&cfg, &alloc) == 0);
        CHECK(kw_config_parse(cfg, settings, sizeof settings - 1, NULL) == 0);
    }
    return cfg;
}

static bool app_begin(struct scene *scene)
{
    static const struct kw_start starts[] = {
        {"t", 0, KW_START_OFFSET, 0}, {"t", 1, KW_START_EARLIEST, 0}, {"t", 2, KW_START_TAIL, 9}};
    struct kw_env env = {.alloc = {scene_alloc, scene_free, NULL}, .seed = {1}};
    struct kw_producer *producer;
    struct kw_topic *topic;
    int rc = kw_core_create(&scene->core, app_config(), &env, NULL);
    if (rc)
        return false;
    kw_core_step(scene->core, (struct kw_time){1000, 1000});
    rc = kw_core_producer_create(&producer, scene->core, NULL, NULL);
    if (!rc)
        rc = kw_core_topic_open(&topic, producer, "t", NULL);
    if (!rc)
        rc = kw_core_consumer_create(&scene->consumer, scene->core, NULL, NULL);
    if (!rc)
        rc = kw_core_assign(scene->consumer, starts, 3, NULL);
    return rc == 0;
}

static void app_turn(struct scene *scene)
{
    struct kw_event event;
    uint8_t what = scene->ptr < scene->end ? *scene->ptr : 0;
    for (int i = 0; i < 200 && kw_core_next_event(scene->core, &event); i++)
        CHECK(event.kind != KW_EVENT_NONE);
    app_read(scene);
    if (what == 0xf1) {
        struct kw_start start = {"t", what % PARTITIONS, KW_START_OFFSET, 2};
        CHECK(kw_core_seek(scene->consumer, &start) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct kw_stats stats;
    uint64_t us = 1000;
    CHECK(scene);
    scene->ptr = data;
    scene->end = data + size;
    CHECK(app_begin(scene));
    for (int turn = 0; turn < TURNS && scene->ptr < scene->end; turn++) {
        us += 3000;
        kw_core_step(scene->core, (struct kw_time){us, (int64_t)us / 1000});
        scene_wants(scene);
        for (uint32_t i = 0; i < scene->n_peers; i++)
            peer_read(scene, &scene->peers[i]);
        scene_wants(scene);
        app_turn(scene);
    }
    kw_core_stats(scene->core, &stats);
    CHECK(stats.fetch_peak <= 1500000 && stats.control_peak <= 1000000);
    kw_core_destroy(scene->core);
    free(scene);
    return 0;
}
