/* client/batch_check.c -- is the batch at a part's read position whole, honest
 * and for the application?
 *
 *   NEW --header--> CRC --matches--> WALK --framing holds--> DONE
 *                    +--packed--> UNPACK --an image takes its place--> NEW
 *      any of these --contradiction--> FAILED
 *
 * A record is handed out only after the checksum of its batch and the framing
 * of all records in it (lengths, count) were verified; what is inside a record
 * is checked when it is reached. Both passes stop at budgets in bytes and go on
 * with the next poll (law 4), so a batch of any size costs bounded calls.
 * Who reads what is committed is given nothing of a transaction that the answer calls
 * aborted (aborted.h): such a batch is passed behind its checksum, before it would be
 * unpacked, and marked so that whoever walks the frame again passes it, too.
 * Compressed batches and messages of formats 0 and 1 go to unpack.c and come back
 * as an image, a plain batch: its checksum was that of what it was made from, but
 * its framing is walked like any other. */
#include "base/crc32.h"
#include "client/consumer.h"
#include "proto/batch.h"
#include "proto/record.h"

static int batch_fail(struct kw_fetched *data, int err)
{
    data->check = KWI_CHECK_FAILED;
    data->failure = err;
    data->detail = 0;
    return err;
}

/* Whether the list of aborted transactions is about the batch at ptr. */
static bool batch_may_be_aborted(const struct kw_fetched *data)
{
    return data->aborted.n && !data->is_image && data->magic == 2;
}

static bool batch_is_aborted(const struct kw_fetched *data)
{
    return batch_may_be_aborted(data) && !data->control &&
           kwi_get_u16(data->ptr + KWI_BATCH_ATTRIBUTES) & KWI_BATCH_TRANSACTIONAL &&
           kwi_aborted_covers(&data->aborted,
                              (int64_t)kwi_get_u64(data->ptr + KWI_BATCH_PRODUCER_ID),
                              data->next_offset - 1);
}

/* The handle of the batches around it leaves it out, as it does control batches. */
static void batch_hide(const struct kw_fetched *data)
{
    uint8_t *p = kwi_block_data(data->block);

    p += data->ptr - p + KWI_BATCH_ATTRIBUTES;
    kwi_put_u16(p, kwi_get_u16(p) | KWI_BATCH_CONTROL);
}

/* A control batch: its record is for the protocol, not for the application. */
static int batch_take_marker(struct kw_fetched *data)
{
    struct kw_record_view view;
    int type;

    if (!batch_may_be_aborted(data) || data->left == 0)
        return 1;
    if (!kwi_record_get(data->ptr + KWI_BATCH_HEADER, data->ptr + data->size, &view))
        return batch_fail(data, KW_ERR_CORRUPT);
    type = kwi_control_type(view.key, view.key ? (int32_t)view.key_len : 0);
    if (type >= 0)
        type = kwi_aborted_marker(&data->aborted,
                                  (int64_t)kwi_get_u64(data->ptr + KWI_BATCH_PRODUCER_ID), type,
                                  data->base_offset);
    return type < 0 ? batch_fail(data, KW_ERR_CORRUPT) : 1;
}

/* No codec for it. */
static int batch_fail_codec(struct kw_fetched *data)
{
    batch_fail(data, KW_ERR_CODEC);
    data->detail = data->codec;
    return KW_ERR_CODEC;
}

/* The position stands behind a record of the batch at ptr. */
static void batch_note_epoch(struct kw_consumer_part *part)
{
    part->epoch = part->data.magic == 2
                      ? (int32_t)kwi_get_u32(part->data.ptr + KWI_BATCH_LEADER_EPOCH)
                      : -1;
}

/* The batch at ptr is behind us. */
static void batch_pass(struct kw_consumer_part *part)
{
    struct kw_fetched *data = &part->data;

    if (part->position < data->next_offset) {
        part->position = data->next_offset;
        batch_note_epoch(part);
    }
    data->floor = data->next_offset;
    data->ptr += data->size;
    data->check = KWI_CHECK_NEW;
}

/* Reads a message of format 0 or 1: a wrapper, or a run of plain ones, whose
 * checksums are verified as they are converted. */
static int batch_open_old(struct kw_consumer_part *part)
{
    struct kw_fetched *data = &part->data;
    size_t len = (size_t)(data->end - data->ptr);
    struct kw_message message;
    int64_t last;
    int rc = kwi_message_get(data->ptr, len, &message);

    if (rc == KW_ERR_SHORT)
        return 0;
    data->magic = message.magic;
    data->codec = rc ? 0 : (uint8_t)kwi_message_codec(&message);
    if (rc == KW_ERR_CODEC)
        return batch_fail_codec(data);
    /* Old producers left the offset of a wrapper at 0: it says nothing. */
    if (rc || (message.offset < data->floor && !(data->codec && message.offset == 0)))
        return batch_fail(data, KW_ERR_CORRUPT);
    last = message.offset;
    data->size = data->codec ? message.size : kwi_convert_run(data->ptr, len, &message, &last);
    data->base_offset = message.offset;
    data->next_offset = data->codec && last == 0 ? INT64_MAX : last + 1;
    data->control = false;
    data->left = 1;
    data->crc = 0;
    data->checked = 0;
    data->check = data->codec ? KWI_CHECK_CRC : KWI_CHECK_UNPACK;
    return 1;
}

/* Reads the header. 1: go on; 0: nothing whole is left; or an error. */
static int batch_open(struct kw_consumer_part *part)
{
    struct kw_fetched *data = &part->data;
    struct kw_batch_header header;
    int rc = kwi_batch_header_get(data->ptr, (size_t)(data->end - data->ptr), &header);

    if (rc == KW_ERR_SHORT)
        return 0;
    if (rc == KW_ERR_UNSUPPORTED)
        return batch_open_old(part);
    if (rc)
        return batch_fail(data, rc);
    if (header.base_offset < data->floor) /* offsets never go back within one answer */
        return batch_fail(data, KW_ERR_CORRUPT);
    data->base_offset = header.base_offset;
    data->next_offset = header.base_offset + header.last_offset_delta + 1;
    data->size = kwi_batch_size(&header);
    data->magic = 2;
    data->codec = (uint8_t)(header.attributes & KWI_BATCH_CODEC_MASK);
    data->control = (header.attributes & KWI_BATCH_CONTROL) != 0;
    data->left = (uint32_t)header.record_count;
    data->crc = 0;
    data->checked = 0;
    data->check = KWI_CHECK_CRC;
    return 1;
}

static struct kw_bytes batch_crc_region(const struct kw_fetched *data)
{
    if (data->magic == 2)
        return kwi_batch_crc_region(data->ptr, data->size);
    return (struct kw_bytes){data->ptr + KWI_MESSAGE_MAGIC, data->size - KWI_MESSAGE_MAGIC};
}

static int batch_check_crc(struct kw_consumer_part *part, struct kw_batch_budget *budget)
{
    struct kw_fetched *data = &part->data;
    struct kw_core *core = part->topic->consumer->core;
    struct kw_bytes region = batch_crc_region(data);
    bool check = part->topic->consumer->check_crcs && !data->is_image;
    size_t n = region.len - data->checked;

    if (!check) {
        n = 0;
        data->checked = region.len;
    }
    if (n > budget->checked)
        n = budget->checked;
    if (data->magic == 2)
        data->crc = core->env.crc32c(data->crc, (const uint8_t *)region.ptr + data->checked, n);
    else
        data->crc = kwi_crc32(data->crc, (const uint8_t *)region.ptr + data->checked, n);
    data->checked += n;
    budget->checked -= n;
    if (data->checked < region.len)
        return KW_ERR_WOULD_BLOCK;
    if (check && data->crc != kwi_get_u32(data->ptr + (data->magic == 2 ? (int)KWI_BATCH_CRC
                                                                        : (int)KWI_MESSAGE_CRC)))
        return batch_fail(data, KW_ERR_CRC);
    if (batch_is_aborted(data)) {
        batch_hide(data);
        batch_pass(part);
        return 1;
    }
    data->checked = KWI_BATCH_HEADER;
    data->check = KWI_CHECK_WALK;
    if (data->codec && !data->control)
        data->check = data->left > 0 ? KWI_CHECK_UNPACK : KWI_CHECK_DONE;
    return 1;
}

static int batch_unpack(struct kw_consumer_part *part)
{
    const struct kw_env *env = &part->topic->consumer->core->env;
    struct kw_fetched *data = &part->data;

    if (data->codec && (data->codec >= KW_N_CODECS || !env->codecs[data->codec]))
        return batch_fail_codec(data);
    kwi_unpack_queue(part);
    return KWI_BATCH_WAITS;
}

/* From the end of an image back to the frame that it came from. */
static bool batch_next_block(struct kw_fetched *data)
{
    if (!data->rest_block)
        return false;
    kwi_block_release(data->block);
    data->block = data->rest_block;
    data->ptr = data->rest;
    data->end = data->rest_end;
    data->rest_block = NULL;
    data->is_image = false;
    return true;
}

/* The position behind the record at p by its length alone, or NULL. */
static const uint8_t *batch_skip_one(const uint8_t *p, const uint8_t *end)
{
    uint64_t raw;

    p = kwi_read_uvarint(p, end, 5, &raw);
    if (!p || kwi_record_length((uint32_t)raw) > (size_t)(end - p))
        return NULL;
    return p + kwi_record_length((uint32_t)raw);
}

/* Each length says where the next one is, so the walk waits for memory at each record: the
 * length that is BATCH_AHEAD records on, if they are as long as this one, is asked for. */
enum { BATCH_AHEAD = 8 };
static inline void batch_prefetch(const uint8_t *p, size_t at, size_t len)
{
    __builtin_prefetch((const void *)((uintptr_t)p + at + BATCH_AHEAD * len));
}

/* Passes over records whose lengths have at most three bytes, until *n is 0, or another
 * length or the last bytes in front of end are reached. A record begins nowhere from stop
 * on. NULL: a length is negative or leads behind end. */
static const uint8_t *batch_skip_short(const uint8_t *p, const uint8_t *stop, const uint8_t *end,
                                       uint32_t *n)
{
    size_t at = 0, size = (size_t)(end - p), safe = size > 2 ? size - 2 : 0;
    uint32_t left = *n, lengths = 0;

    if ((size_t)(stop - p) < safe)
        safe = (size_t)(stop - p);
    /* As kwi_record_medium, but by an index: a fifth of the loop's instructions. */
    for (; left > 0 && at < safe; left--) { /* so three bytes are there */
        uint32_t raw = p[at], byte = p[at + 1];

        if (raw < 0x80) {
            at += 1 + (raw >> 1);
        } else if (KWI_LIKELY(byte < 0x80)) {
            raw += (byte << 7) - 0x80;
            at += 2 + (raw >> 1);
        } else {
            raw += (byte << 7) - 0x80;
            byte = p[at + 2];
            if (byte >= 0x80)
                break;
            raw += (byte << 14) - (1 << 14);
            at += 3 + (raw >> 1);
        }
        lengths |= raw;
        batch_prefetch(p, at, raw >> 1);
    }
    *n = left;
    return lengths & 1 || at > size ? NULL : p + at;
}

/* Passes over *n records, or those that begin in front of stop: *n are left. */
static const uint8_t *batch_skip(const uint8_t *p, const uint8_t *stop, const uint8_t *end,
                                 uint32_t *n)
{
    while (p && *n > 0 && p < stop) {
        p = batch_skip_short(p, stop, end, n);
        if (!p || *n == 0 || p >= stop)
            break;
        p = batch_skip_one(p, end);
        --*n;
    }
    return p;
}

/* Every how many records a mark stands: where a poll without a limit of its own ends. */
static uint32_t batch_mark_every(const struct kw_consumer_part *part, uint32_t total)
{
    uint32_t each = (uint32_t)part->topic->consumer->max_poll_records;
    uint32_t most = total / KWI_BATCH_MARKS + 1; /* so that there are marks for all of them */

    return each >= most ? each : (most + each - 1) / each * each;
}

/* As batch_skip, with a mark at the last of each mark_every records. */
static const uint8_t *batch_skip_marked(struct kw_fetched *data, const uint8_t *p,
                                        const uint8_t *stop, uint32_t total)
{
    const uint8_t *end = data->ptr + data->size;

    while (p && data->left > 0 && p < stop) {
        uint32_t done = total - data->left, run = data->mark_every - 1 - done % data->mark_every;
        uint32_t left;

        if (run == 0) {
            data->marks[done / data->mark_every] = (uint32_t)(p - data->ptr);
            run = data->mark_every;
        }
        run = run < data->left ? run : data->left;
        left = run;
        p = batch_skip(p, stop, end, &left);
        data->left -= run - left;
    }
    return p;
}

static void batch_pay(size_t *budget, size_t cost)
{
    *budget -= cost < *budget ? cost : *budget;
}

static int batch_walk(struct kw_consumer_part *part, struct kw_batch_budget *budget)
{
    struct kw_fetched *data = &part->data;
    const uint8_t *start = data->ptr + data->checked, *end = data->ptr + data->size;
    const uint8_t *stop = budget->passed < (size_t)(end - start) ? start + budget->passed : end;
    uint32_t total = kwi_get_u32(data->ptr + KWI_BATCH_RECORD_COUNT);
    const uint8_t *p;

    data->mark_every = batch_mark_every(part, total);
    p = batch_skip_marked(data, start, stop, total);
    if (!p || (data->left > 0) == (p == end)) /* the count and the bytes end together */
        return batch_fail(data, KW_ERR_CORRUPT);
    batch_pay(&budget->passed, (size_t)(p - start));
    data->checked = (size_t)(p - data->ptr);
    if (data->left > 0)
        return KW_ERR_WOULD_BLOCK;
    data->left = total;
    data->record = data->ptr + KWI_BATCH_HEADER;
    data->check = KWI_CHECK_DONE;
    return 1;
}

/* One transition of the batch at ptr, or past it. */
static int batch_advance(struct kw_consumer_part *part, struct kw_batch_budget *budget)
{
    struct kw_fetched *data = &part->data;

    switch ((enum kw_batch_check)data->check) {
    case KWI_CHECK_NEW: {
        int rc = batch_open(part);
        if (rc == 1 && data->next_offset <= part->position &&
            !(data->control && batch_may_be_aborted(data)))
            batch_pass(part); /* wholly below: a broker may send it, nobody wants it */
        if (rc == 0 && batch_next_block(data))
            return 1;
        return rc;
    }
    case KWI_CHECK_CRC: return batch_check_crc(part, budget);
    case KWI_CHECK_UNPACK: return batch_unpack(part);
    case KWI_CHECK_WALK:
        if (data->control) {
            int rc = batch_take_marker(data);
            if (rc == 1)
                batch_pass(part);
            return rc;
        }
        return batch_walk(part, budget);
    case KWI_CHECK_DONE:
        if (data->left == 0) /* compaction left nothing */
            batch_pass(part);
        return 1;
    case KWI_CHECK_FAILED: break;
    }
    return data->failure;
}

/* A seek may lead into the middle of a batch: its first records were not asked
 * for, and count neither as handed out nor against the caller's maximum. */
static int batch_skip_below(struct kw_consumer_part *part, struct kw_batch_budget *budget)
{
    struct kw_fetched *data = &part->data;
    struct kw_record_view view;

    for (; data->left > 0; data->left--) {
        const uint8_t *next = kwi_record_get(data->record, data->ptr + data->size, &view);
        /* If it is broken inside, whoever reads the handle finds it. */
        if (!next || data->base_offset + view.offset_delta >= part->position)
            break;
        if (budget->passed == 0)
            return KW_ERR_WOULD_BLOCK;
        batch_pay(&budget->passed, (size_t)(next - data->record));
        data->record = next;
    }
    return 1;
}

static bool batch_begins(const struct kw_fetched *data)
{
    return data->check == KWI_CHECK_NEW && (size_t)(data->end - data->ptr) >= KWI_BATCH_HEADER;
}

int kwi_batch_prepare(struct kw_consumer_part *part, struct kw_batch_budget *budget)
{
    struct kw_fetched *data = &part->data;
    int rc = kwi_aborted_sort(&data->aborted, &budget->checked);

    while (rc == 1) {
        if (data->check == KWI_CHECK_DONE && data->base_offset < part->position)
            rc = batch_skip_below(part, budget);
        if (rc != 1 || (data->check == KWI_CHECK_DONE && data->left > 0))
            return rc;
        if (batch_begins(data)) {
            if (budget->checked < KWI_BATCH_HEADER)
                return KW_ERR_WOULD_BLOCK;
            budget->checked -= KWI_BATCH_HEADER;
        }
        rc = batch_advance(part, budget);
    }
    return rc;
}

/* The record that lies n behind the next one to hand out, from the last mark in front
 * of it on. */
static const uint8_t *batch_find(const struct kw_fetched *data, uint32_t n)
{
    const uint8_t *from = data->record, *end = data->ptr + data->size;
    uint32_t at = kwi_get_u32(data->ptr + KWI_BATCH_RECORD_COUNT) - data->left, wanted = at + n;
    uint32_t n_marks = (wanted + 1) / data->mark_every;

    if (n_marks > 0 && n_marks * data->mark_every - 1 > at) {
        from = data->ptr + data->marks[n_marks - 1];
        at = n_marks * data->mark_every - 1;
    }
    n = wanted - at;
    return batch_skip(from, end, end, &n);
}

void kwi_batch_advance(struct kw_consumer_part *part, uint32_t n)
{
    struct kw_fetched *data = &part->data;
    const uint8_t *end = data->ptr + data->size, *last;
    struct kw_record_view view;

    KWI_ASSERT(n > 0 && n < data->left);
    last = batch_find(data, n - 1);
    KWI_ASSERT(last); /* it was walked */
    data->left -= n;
    data->record = batch_skip_one(last, end);
    /* The position is behind the last record that was taken. If that record is
     * broken inside, whoever reads the handle finds it. */
    if (kwi_record_get(last, end, &view) &&
        data->base_offset + view.offset_delta < data->next_offset - 1 &&
        part->position <= data->base_offset + view.offset_delta) {
        part->position = data->base_offset + view.offset_delta + 1;
        batch_note_epoch(part);
    }
}

void kwi_batch_finish(struct kw_consumer_part *part)
{
    batch_pass(part);
}
