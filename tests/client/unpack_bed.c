#include "tests/client/unpack_bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32.h"
#include "base/crc32c.h"
#include "proto/batch.h"
#include "proto/record.h"
#include <kwire/codec.h>
#include <kwire/kwire.h>

#define BED_MUST(cond) ((cond) ? (void)0 : bed_give_up(#cond))

static void bed_give_up(const char *what)
{
    fprintf(stderr, "unpack_bed: not so: %s\n", what);
    abort();
}

struct bed bed;

static void *bed_alloc(void *ctx, size_t size)
{
    size_t n = bed.n_allocs++;
    (void)ctx;
    if (bed.fail_run && n >= bed.fail_at && n - bed.fail_at < bed.fail_run)
        return NULL;
    bed.n_live++;
    return malloc(size);
}

static void bed_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    bed.n_live--;
    free(ptr);
}

int bed_assign(int64_t offset)
{
    struct kw_start starts[] = {{"t", 3, KW_START_OFFSET, offset},
                                {"t", 4, KW_START_OFFSET, offset}};
    int rc = kw_core_assign(bed.consumer, starts, 2, NULL);
    if (rc)
        return rc;
    bed.part = kwi_consumer_find(bed.consumer, "t", 1, 3);
    bed.other = kwi_consumer_find(bed.consumer, "t", 1, 4);
    bed.part->state = bed.other->state = KWI_PART_FETCH; /* as if the leader were known */
    return 0;
}

void bed_step(uint64_t us)
{
    bed.now_us += us;
    kw_core_step(bed.core, (struct kw_time){bed.now_us, 1000});
}

/* Properties: "key=value" lines. */
int bed_try(int64_t offset, const char *properties)
{
    struct kw_env env = {.alloc = {bed_alloc, bed_free, NULL}, .crc32c = kwi_crc32c_portable};
    struct kw_config *cfg;
    struct kw_error err;
    int rc = kw_config_create(&cfg, &env.alloc);
    for (int id = 1; id < KW_N_CODECS; id++)
        env.codecs[id] = kw_codec_by_id(id);
    if (rc)
        return rc;
    rc = kw_config_set(cfg, "bootstrap.servers", "h:1", &err);
    if (!rc && properties)
        rc = kw_config_parse(cfg, properties, strlen(properties), &err);
    if (!rc)
        rc = kw_core_create(&bed.core, cfg, &env, &err);
    if (!rc)
        rc = kw_core_consumer_create(&bed.consumer, bed.core, NULL, &err);
    kw_config_destroy(cfg);
    if (rc) {
        BED_MUST(rc == KW_ERR_NOMEM);
        return rc;
    }
    bed_step(1000000);
    return bed_assign(offset);
}

void bed_begin(int64_t offset, const char *properties)
{
    memset(&bed, 0, sizeof bed);
    BED_MUST(bed_try(offset, properties) == 0);
}

void bed_end(void)
{
    kw_core_destroy(bed.core);
    BED_MUST(bed.n_live == 0);
}

/* What a fetch does with an answer; the bytes end where their block ends. */
bool bed_feed(struct kw_consumer_part *part, const uint8_t *bytes, size_t len)
{
    struct kw_block *block = kwi_block_create(&bed.core->fetch_pool, len, 0);
    if (!block)
        return false;
    uint8_t *at = kwi_block_data(block) + block->cap - len;
    BED_MUST(!part->data.block);
    memcpy(at, bytes, len);
    part->data.block = block;
    part->data.ptr = at;
    part->data.end = at + len;
    part->data.began = part->position;
    kwi_part_settle(part);
    return true;
}

/* Takes one work item, if there is one; other wants are of no interest. */
bool bed_take_work(void)
{
    struct kw_want want;
    while (!bed.work && kw_core_next_want(bed.core, &want)) {
        if (want.kind == KW_WANT_WORK)
            bed.work = want.work;
    }
    return bed.work;
}

bool bed_run_work(size_t slice)
{
    struct kw_work *work = bed.work;
    if (!bed_take_work())
        return false;
    work = bed.work;
    while (kw_work_run(work, slice))
        ;
    bed.work = NULL;
    kw_core_work_done(bed.core, work);
    return true;
}

/* Polls, and runs the work that comes of it, until there is a handle. */
struct kw_records *poll_until(size_t slice)
{
    struct kw_records *records = NULL;
    int rc = kw_core_consumer_poll(bed.consumer, &records, 0);
    for (int i = 0; i < 200 && !records; i++) {
        bed_step(1);
        if (rc < 0 || (!bed_run_work(slice) && kwi_list_empty(&bed.consumer->ready)))
            break;
        rc = kw_core_consumer_poll(bed.consumer, &records, 0);
    }
    return records;
}

struct bed_fault fault;

bool next_fault(void)
{
    struct kw_event event;
    while (kw_core_next_event(bed.core, &event)) {
        if (event.kind == KW_EVENT_FETCH_STARVED)
            bed.starved = true;
        if (event.kind != KW_EVENT_ERROR)
            continue;
        fault.code = event.code;
        fault.partition = event.partition;
        fault.offset = event.offset;
        snprintf(fault.text, sizeof fault.text, "%s", event.error->text);
        snprintf(fault.hint, sizeof fault.hint, "%s", event.error->hint);
        return true;
    }
    return false;
}

/* ---- making bytes ----------------------------------------------------------------- */

uint8_t *pack(int id, const struct kw_iov *in, size_t n, size_t cap, size_t *len)
{
    const struct kw_codec *codec = kw_codec_by_id(id);
    size_t size = codec->encoder_size(codec->level_default, MIB);
    struct kw_codec_ctx *ctx = malloc(size);
    uint8_t *out = malloc(cap);
    int rc;
    BED_MUST(codec->encoder_init(ctx, size, codec->level_default, MIB) == 0);
    codec->encode_begin(ctx, in, n);
    *len = 0;
    while ((rc = codec->encode_step(ctx, out, cap, MIB, len)) == 1)
        ;
    BED_MUST(rc == 0);
    free(ctx);
    return out;
}

struct bytes batch_of(int id, int64_t base_offset, int32_t n, const void *body, size_t len)
{
    struct bytes batch = {malloc(KWI_BATCH_HEADER + len), KWI_BATCH_HEADER + len};
    struct kw_batch_header header;
    kwi_batch_header_init(&header);
    header.base_offset = base_offset;
    header.attributes = (int16_t)id;
    header.record_count = n;
    header.last_offset_delta = n - 1;
    header.base_timestamp = header.max_timestamp = 7;
    kwi_batch_header_put(batch.ptr, &header);
    memcpy(batch.ptr + KWI_BATCH_HEADER, body, len);
    kwi_batch_seal(batch.ptr, batch.len, kwi_crc32c_portable);
    return batch;
}

/* n records whose value is their offset and dots up to value_len. */
struct bytes batch_make(int id, int64_t base_offset, int32_t n, size_t value_len)
{
    size_t cap = (size_t)n * (value_len + 64), len;
    uint8_t *plain = malloc(cap), *packed;
    char *value = malloc(value_len + 32);
    struct kw_wr wr = kwi_wr_make(plain, cap);
    struct bytes batch;
    for (int32_t i = 0; i < n; i++) {
        memset(value, '.', value_len + 32);
        size_t k = (size_t)snprintf(value, 32, "%lld", (long long)(base_offset + i));
        value[k] = '.';
        kwi_record_put(&wr, i, i, (struct kw_bytes){NULL, 0},
                       (struct kw_bytes){value, k > value_len ? k : value_len}, NULL, 0);
    }
    BED_MUST(kwi_wr_status(&wr) == 0);
    if (id) {
        struct kw_iov in = {plain, wr.len};
        packed = pack(id, &in, 1, kw_codec_by_id(id)->bound(wr.len), &len);
        batch = batch_of(id, base_offset, n, packed, len);
        free(packed);
    } else {
        batch = batch_of(0, base_offset, n, plain, wr.len);
    }
    free(value);
    free(plain);
    return batch;
}

/* The head of a message up to its value, for which there is room; sealed by the caller. */
static struct bytes message_head(int magic, int64_t offset, int attributes, int64_t timestamp,
                                 size_t value_len)
{
    size_t head = magic ? 34 : 26;
    struct bytes bytes = {calloc(1, head + value_len), head + value_len};
    kwi_put_u64(bytes.ptr, (uint64_t)offset);
    kwi_put_u32(bytes.ptr + 8, (uint32_t)(bytes.len - 12));
    bytes.ptr[16] = (uint8_t)magic;
    bytes.ptr[17] = (uint8_t)attributes;
    if (magic)
        kwi_put_u64(bytes.ptr + 18, (uint64_t)timestamp);
    kwi_put_u32(bytes.ptr + head - 8, UINT32_MAX); /* a null key */
    kwi_put_u32(bytes.ptr + head - 4, (uint32_t)value_len);
    return bytes;
}

static void message_seal(struct bytes *bytes)
{
    kwi_put_u32(bytes->ptr + 12, kwi_crc32(0, bytes->ptr + 16, bytes->len - 16));
}

struct bytes message_make(int magic, int64_t offset, int64_t value, int64_t timestamp,
                          bool append_time)
{
    char text[24];
    size_t n = (size_t)snprintf(text, sizeof text, "%lld", (long long)value);
    struct bytes bytes = message_head(magic, offset, append_time ? KWI_MESSAGE_LOG_APPEND_TIME : 0,
                                      timestamp, n);
    memcpy(bytes.ptr + bytes.len - n, text, n);
    message_seal(&bytes);
    return bytes;
}

struct bytes message_wrap(int magic, int id, int64_t offset, struct bytes inner)
{
    struct kw_iov in = {inner.ptr, inner.len};
    size_t len;
    uint8_t *packed = pack(id, &in, 1, kw_codec_by_id(id)->bound(inner.len), &len);
    struct bytes bytes = message_head(magic, offset, id, 0, len);
    free(inner.ptr);
    memcpy(bytes.ptr + bytes.len - len, packed, len);
    free(packed);
    message_seal(&bytes);
    return bytes;
}

void append(struct bytes *to, struct bytes from)
{
    to->ptr = realloc(to->ptr, to->len + from.len);
    memcpy(to->ptr + to->len, from.ptr, from.len);
    to->len += from.len;
    free(from.ptr);
}
