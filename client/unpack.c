/* client/unpack.c -- one batch after the other becomes an image; see unpack.h.
 *
 *   part waits --memory--> work out --back--> the part has its image
 *                  ^           |
 *                  +--no room--+ the result is larger than the codec thought
 *
 * Bombs. The lengths of the records are followed while they appear (framing.h),
 * so that what cannot be a batch below the maximum is refused after its first
 * bytes and not after the last that fit.
 *
 * Memory. The size is known from the framing before anything is decoded
 * (codec.h); what is above max.decompressed.batch.bytes or can never fit stops
 * the part. What does not fit now waits, and while it waits no further fetch is
 * sent, so that fetches alone cannot fill the reserve for ever. If nothing else
 * would give memory back, the youngest part in the line gives up its frame and
 * is fetched again later. */
#include "client/unpack.h"

#include <string.h>

#include "client/consumer.h"
#include "proto/batch.h"
#include <kwire/codec.h>

enum {
    UNPACK_RETRY_MS = 100,
    UNPACK_TRIES = 64 /* parts that one call may refuse (law 4) */
};

static struct kw_consumer_part *unpack_part(struct kw_node *node)
{
    return KWI_OF(node, struct kw_consumer_part, unpack_node);
}

/* ---- the work: touches nothing but the unpacker, its frame and its blocks ------------- */

static bool unpack_ends(struct kw_unpacker *unpacker, int result)
{
    unpacker->result = result;
    unpacker->phase = KWI_UNPACK_READY;
    return false;
}

/* False: all of it is there. */
static bool unpack_move(struct kw_unpacker *unpacker, size_t budget)
{
    size_t n = unpacker->len - unpacker->moved, at = KWI_BATCH_HEADER + unpacker->moved;

    if (n > budget)
        n = budget;
    memcpy(kwi_block_data(unpacker->out) + at, kwi_block_data(unpacker->old) + at, n);
    unpacker->moved += n;
    if (unpacker->moved < unpacker->len)
        return true;
    unpacker->phase = KWI_UNPACK_FILL;
    return false; /* `old` is given back before the rest is made */
}

/* As decode_step. */
static int unpack_copy(struct kw_unpacker *unpacker, size_t budget)
{
    size_t n = unpacker->in_len - unpacker->len;

    if (n > budget)
        n = budget;
    memcpy(kwi_block_data(unpacker->out) + KWI_BATCH_HEADER + unpacker->len,
           unpacker->in + unpacker->len, n);
    unpacker->len += n;
    return unpacker->len < unpacker->in_len;
}

/* Batches of format 2 keep their header, but for the codec. */
static void unpack_put_header(struct kw_unpacker *unpacker)
{
    uint8_t *p = kwi_block_data(unpacker->out);
    uint16_t attributes;

    memcpy(p, unpacker->in - KWI_BATCH_HEADER, KWI_BATCH_HEADER);
    attributes = kwi_get_u16(p + KWI_BATCH_ATTRIBUTES);
    kwi_put_u16(p + KWI_BATCH_ATTRIBUTES, (uint16_t)(attributes & ~KWI_BATCH_CODEC_MASK));
    kwi_put_u32(p + KWI_BATCH_LENGTH,
                (uint32_t)(unpacker->len + KWI_BATCH_HEADER - KWI_BATCH_LOG_OVERHEAD));
}

/* Decompresses about n bytes and looks at them. As decode_step. */
static int unpack_decode(struct kw_unpacker *unpacker, size_t n)
{
    uint8_t *out = kwi_block_data(unpacker->out) + KWI_BATCH_HEADER;
    int rc = unpacker->codec->decode_step(unpacker->ctx, out, unpacker->cap, n, &unpacker->len);
    int walked;

    if (rc < 0 && rc != KW_ERR_SPACE)
        return rc;
    walked = kwi_framing_walk(&unpacker->framing, out, unpacker->len);
    if (!walked && rc == 0)
        walked = kwi_framing_end(&unpacker->framing, unpacker->len);
    return walked ? walked : rc;
}

static bool unpack_fill(struct kw_unpacker *unpacker, size_t budget)
{
    int rc = unpacker->codec ? unpack_decode(unpacker, budget) : unpack_copy(unpacker, budget);
    if (rc == 1)
        return true;
    if (rc)
        return unpack_ends(unpacker, rc);
    if (!unpacker->is_old) {
        unpack_put_header(unpacker);
        return unpack_ends(unpacker, 0);
    }
    kwi_convert_begin(unpacker);
    if (unpacker->result)
        return unpack_ends(unpacker, unpacker->result);
    unpacker->phase = KWI_UNPACK_CONVERT;
    return true;
}

static bool unpack_run(struct kw_work *work, size_t budget)
{
    struct kw_unpacker *unpacker = KWI_OF(work, struct kw_unpacker, work);
    int rc;

    switch ((enum kw_unpack_phase)unpacker->phase) {
    case KWI_UNPACK_MOVE: return unpack_move(unpacker, budget);
    case KWI_UNPACK_FILL: return unpack_fill(unpacker, budget);
    case KWI_UNPACK_CONVERT:
        rc = kwi_convert_some(unpacker, budget);
        return rc == 1 ? true : unpack_ends(unpacker, rc);
    case KWI_UNPACK_READY: break;
    }
    return false;
}

/* ---- memory -------------------------------------------------------------------------- */

bool kwi_unpack_trim(struct kw_core *core, int keep)
{
    struct kw_unpacker *unpacker = &core->unpack;
    bool freed = false;

    for (int id = 0; id < KW_N_CODECS; id++) {
        struct kw_block *block = unpacker->contexts[id];
        bool at_work = unpacker->busy && unpacker->codec_id == id;
        if (!block || at_work || id == keep)
            continue;
        unpacker->contexts[id] = NULL;
        kwi_block_release(block);
        freed = true;
    }
    return freed;
}

static void unpack_fail(struct kw_consumer_part *part, int err, int64_t detail)
{
    part->data.check = KWI_CHECK_FAILED;
    part->data.failure = err;
    part->data.detail = detail;
    part->data.waits = false;
    kwi_part_settle(part);
}

/* There is no room for `need` bytes of the first in the line. True: something
 * changed, look again. */
static bool unpack_make_room(struct kw_core *core, size_t need)
{
    struct kw_unpacker *unpacker = &core->unpack;
    struct kw_consumer_part *part = unpack_part(unpacker->waiting.first), *last;
    size_t total = kwi_pool_cost(part->data.block->cap) + kwi_pool_cost(need);
    const struct kw_codec *codec = part->data.codec ? core->env.codecs[part->data.codec] : NULL;

    if (codec)
        total += kwi_pool_cost(codec->decoder_size());
    if (total > core->fetch.limit) {
        kwi_list_remove(&unpacker->waiting, &part->unpack_node);
        unpack_fail(part, KW_ERR_LIMIT, -(int64_t)total);
        return true;
    }
    if (kwi_fetchers_drop_paused(core))
        return true;
    if (kwi_unpack_trim(core, part->data.codec))
        return true;
    unpacker->is_short = true;
    kwi_core_arm(core, &unpacker->timer, kwi_core_after_ms(core, UNPACK_RETRY_MS));
    if (!kwi_fetchers_only_held(core))
        return false;
    last = unpack_part(unpacker->waiting.last);
    if (last != part) {
        kwi_part_drop(last);
        kwi_part_settle(last);
        return true;
    }
    kwi_consumer_starve(part->topic->consumer);
    return false;
}

/* ---- from part to work and back --------------------------------------------------------- */

/* The decoder of the codec. */
static int unpack_context(struct kw_core *core)
{
    struct kw_unpacker *unpacker = &core->unpack;
    const struct kw_codec *codec = unpacker->codec;
    struct kw_block **block = &unpacker->contexts[unpacker->codec_id];
    size_t size = codec->decoder_size();

    if (!*block) {
        *block = kwi_block_create(&core->fetch_pool, size, 0);
        if (!*block)
            return KW_ERR_WOULD_BLOCK;
        if (codec->decoder_init((void *)kwi_block_data(*block), size)) {
            kwi_block_release(*block);
            *block = NULL;
            return KW_ERR_CODEC;
        }
    }
    unpacker->ctx = (void *)kwi_block_data(*block);
    return 0;
}

/* Describes the batch at the part's read position to the work. */
static int unpack_describe(struct kw_core *core, struct kw_consumer_part *part)
{
    struct kw_unpacker *unpacker = &core->unpack;
    const struct kw_fetched *data = &part->data;

    unpacker->codec_id = data->codec;
    unpacker->codec = data->codec ? core->env.codecs[data->codec] : NULL;
    unpacker->is_old = data->magic < 2;
    unpacker->is_wrapper = unpacker->is_old && data->codec;
    unpacker->check_crcs = part->topic->consumer->check_crcs;
    unpacker->used = data->size;
    unpacker->in = data->ptr + KWI_BATCH_HEADER;
    unpacker->in_len = data->size - KWI_BATCH_HEADER;
    if (!unpacker->is_old)
        return 0;
    if (kwi_message_get(data->ptr, (size_t)(data->end - data->ptr), &unpacker->message))
        return KW_ERR_CORRUPT; /* it was read before */
    if (unpacker->is_wrapper) {
        unpacker->in = unpacker->message.value;
        unpacker->in_len = (size_t)unpacker->message.value_len;
    } else {
        unpacker->in = data->ptr;
        unpacker->in_len = data->size;
        unpacker->used = 0; /* counted as they are converted */
    }
    return 0;
}

/* Submits the work for the first in the line. WOULD_BLOCK: *need bytes are not
 * to be had now. */
static int unpack_begin(struct kw_core *core, struct kw_consumer_part *part, size_t *need)
{
    struct kw_unpacker *unpacker = &core->unpack;
    size_t max = (size_t)part->topic->consumer->batch_max, size;
    int rc = unpack_describe(core, part);

    *need = KWI_BATCH_HEADER;
    size = unpacker->in_len;
    if (!rc && unpacker->codec)
        rc = kwi_framing_begin(&unpacker->framing, unpacker->is_old, part->data.left, max);
    if (!rc && unpacker->codec) {
        rc = unpack_context(core);
        if (!rc)
            rc = unpacker->codec->decode_begin(unpacker->ctx, unpacker->in, unpacker->in_len, max,
                                               part->data.magic == 0 ? KW_DECODE_FORMAT_0 : 0,
                                               &size);
    }
    if (rc)
        return rc;
    if (size < part->data.unpack_need)
        size = part->data.unpack_need;
    *need += size;
    unpacker->out = kwi_block_create(&core->fetch_pool, *need, 0);
    if (!unpacker->out)
        return KW_ERR_WOULD_BLOCK;
    kwi_block_charge(unpacker->out, part->topic->consumer->tally);
    unpacker->cap = unpacker->out->cap - KWI_BATCH_HEADER;
    if (unpacker->codec && unpacker->cap > max)
        unpacker->cap = max;
    unpacker->len = 0;
    unpacker->result = 0;
    unpacker->phase = KWI_UNPACK_FILL;
    unpacker->frame = part->data.block;
    kwi_block_hold(unpacker->frame);
    unpacker->part = part;
    unpacker->busy = true;
    kwi_work_submit(core, &unpacker->work);
    return 0;
}

static int64_t unpack_detail(const struct kw_consumer_part *part, int err)
{
    if (err == KW_ERR_BOMB)
        return part->topic->consumer->batch_max;
    return err == KW_ERR_CODEC ? part->data.codec : 0;
}

static void unpack_try(struct kw_core *core)
{
    struct kw_unpacker *unpacker = &core->unpack;
    bool was_short = unpacker->is_short;

    unpacker->is_short = false;
    for (int i = 0; !unpacker->busy && !kwi_list_empty(&unpacker->waiting); i++) {
        struct kw_consumer_part *part = unpack_part(unpacker->waiting.first);
        size_t need;
        int rc;
        if (i == UNPACK_TRIES) {
            kwi_unpack_poke(core);
            break;
        }
        rc = unpack_begin(core, part, &need);
        if (rc == KW_ERR_WOULD_BLOCK) {
            if (unpack_make_room(core, need))
                continue;
            return;
        }
        kwi_list_remove(&unpacker->waiting, &part->unpack_node);
        if (rc)
            unpack_fail(part, rc == KW_ERR_CODEC ? KW_ERR_CORRUPT : rc, unpack_detail(part, rc));
    }
    unpacker->is_short = false;
    if (was_short)
        kwi_fetchers_feed(core);
}

/* The image takes the place of what it was made from. */
static void unpack_install(struct kw_unpacker *unpacker, struct kw_fetched *data)
{
    const uint8_t *behind = data->ptr + unpacker->used;
    struct kw_batch_header header;

    if (kwi_batch_header_get(behind, (size_t)(data->end - behind), &header) == KW_ERR_SHORT) {
        kwi_block_release(data->block); /* nothing whole is left in the frame */
        data->aborted.n = 0;
    } else {
        data->rest_block = data->block;
        data->rest = behind;
        data->rest_end = data->end;
    }
    data->block = unpacker->out;
    data->ptr = kwi_block_data(unpacker->out);
    data->end = data->ptr + KWI_BATCH_HEADER + unpacker->len;
    data->is_image = true;
    data->waits = false;
    data->unpack_need = 0;
    data->check = KWI_CHECK_NEW;
    unpacker->out = NULL;
}

/* The result did not fit. False: there is no memory, the part waits again. */
static bool unpack_grow(struct kw_core *core)
{
    struct kw_unpacker *unpacker = &core->unpack;
    struct kw_consumer_part *part = unpacker->part;
    size_t max = (size_t)part->topic->consumer->batch_max;
    size_t size = unpacker->cap < max / 2 ? unpacker->cap * 2 : max;
    struct kw_block *block = kwi_block_create(&core->fetch_pool, KWI_BATCH_HEADER + size, 0);

    if (!block) {
        part->data.unpack_need = size;
        kwi_list_push_front(&unpacker->waiting, &part->unpack_node);
        return false;
    }
    kwi_block_charge(block, part->topic->consumer->tally);
    unpacker->old = unpacker->out;
    unpacker->out = block;
    unpacker->cap = block->cap - KWI_BATCH_HEADER < max ? block->cap - KWI_BATCH_HEADER : max;
    unpacker->moved = 0;
    unpacker->phase = KWI_UNPACK_MOVE;
    kwi_work_submit(core, &unpacker->work);
    return true;
}

static void unpack_done(struct kw_core *core, struct kw_work *work)
{
    struct kw_unpacker *unpacker = KWI_OF(work, struct kw_unpacker, work);
    struct kw_consumer_part *part = unpacker->part;
    int rc = unpacker->result;

    kwi_block_release(unpacker->old);
    unpacker->old = NULL;
    if (part && unpacker->phase == KWI_UNPACK_FILL) {
        kwi_work_submit(core, work); /* moved; go on */
        return;
    }
    if (part && rc == KW_ERR_SPACE && unpack_grow(core))
        return;
    unpacker->busy = false;
    unpacker->part = NULL;
    if (part && !rc) {
        unpack_install(unpacker, &part->data);
        kwi_part_settle(part);
    } else if (part && rc != KW_ERR_SPACE) {
        unpack_fail(part, rc == KW_ERR_CODEC ? KW_ERR_CORRUPT : rc, unpack_detail(part, rc));
    }
    kwi_block_release(unpacker->out);
    kwi_block_release(unpacker->frame);
    unpacker->out = unpacker->frame = NULL;
    unpack_try(core);
    if (!unpacker->is_short) /* what it held may have been all that was in the way */
        kwi_fetchers_feed(core);
}

/* ---- the unpacker ----------------------------------------------------------------------- */

static void unpack_due(struct kw_timer *timer)
{
    struct kw_unpacker *unpacker = KWI_OF(timer, struct kw_unpacker, timer);

    unpack_try(KWI_OF(unpacker, struct kw_core, unpack));
}

void kwi_unpack_init(struct kw_core *core)
{
    core->unpack.timer.fire = unpack_due;
    core->unpack.work.run = unpack_run;
    core->unpack.work.done = unpack_done;
}

void kwi_unpack_deinit(struct kw_core *core)
{
    struct kw_unpacker *unpacker = &core->unpack;

    kwi_core_disarm(core, &unpacker->timer);
    unpacker->busy = false; /* the driver runs no work any more */
    kwi_unpack_trim(core, 0);
    kwi_block_release(unpacker->old);
    kwi_block_release(unpacker->out);
    kwi_block_release(unpacker->frame);
}

void kwi_unpack_queue(struct kw_consumer_part *part)
{
    struct kw_core *core = part->topic->consumer->core;
    bool alone = !core->unpack.busy && kwi_list_empty(&core->unpack.waiting);

    part->data.waits = true;
    kwi_list_push(&core->unpack.waiting, &part->unpack_node);
    kwi_part_settle(part);
    if (alone)
        unpack_try(core);
}

void kwi_unpack_forget(struct kw_consumer_part *part)
{
    struct kw_unpacker *unpacker = &part->topic->consumer->core->unpack;

    kwi_list_remove(&unpacker->waiting, &part->unpack_node);
    if (unpacker->part == part)
        unpacker->part = NULL;
}

void kwi_unpack_poke(struct kw_core *core)
{
    if (!core->unpack.busy && !kwi_list_empty(&core->unpack.waiting))
        kwi_core_arm(core, &core->unpack.timer, core->now.mono_us);
}
