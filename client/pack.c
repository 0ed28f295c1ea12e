/* client/pack.c -- compression of sealed batches, as work for the driver.
 *
 * A pack is a compression context with what one run of it needs. A batch waits
 * for an idle pack, is compressed into scratch memory piece by piece, and then
 * moves into one chunk of the right size; its opaques move along, the chunks of
 * plain records go back. A batch that does not get smaller, or for which memory
 * is short, is sent as it is: compression is never a reason to fail (P40). */
#include <string.h>

#include "base/assert.h"
#include "client/close.h"
#include "client/config.h"
#include "client/error_text.h"
#include "client/producer.h"
#include "client/work.h"
#include "proto/batch.h"
#include <kwire/codec.h>

enum {
    PACK_MAX = 2,   /* contexts per producer, where work can run beside other work */
    PACK_WEIGHT = 8 /* to compress a byte costs about so much more than to decompress it */
};

struct kw_pack {
    struct kw_work work;
    struct kw_node node; /* in producer->idle_packs */
    struct kw_producer *producer;
    struct kw_batch *batch;
    struct kw_codec_ctx *ctx;
    size_t ctx_size;
    struct kw_block *scratch;
    struct kw_iov *pieces;
    uint32_t pieces_cap;
    size_t out_len;
    uint32_t crc;
    int rc;
};

/* ---- contexts -------------------------------------------------------------------- */

static void pack_destroy(struct kw_pack *pack)
{
    struct kw_heap *heap = &pack->producer->core->control;

    kwi_block_release(pack->scratch);
    kwi_free(heap, pack->ctx, pack->ctx_size);
    kwi_free(heap, pack->pieces, pack->pieces_cap * sizeof(*pack->pieces));
    kwi_free(heap, pack, sizeof(*pack));
}

static bool pack_run(struct kw_work *work, size_t budget);
static void pack_done(struct kw_core *core, struct kw_work *work);

static struct kw_pack *pack_create(struct kw_producer *producer)
{
    const struct kw_codec *codec = producer->codec;
    struct kw_heap *heap = &producer->core->control;
    struct kw_pack *pack = kwi_alloc_zero(heap, sizeof(*pack));
    size_t len_max = producer->batch_size;

    if (!pack)
        return NULL;
    pack->producer = producer;
    pack->work.run = pack_run;
    pack->work.done = pack_done;
    pack->ctx_size = codec->encoder_size(producer->codec_level, len_max);
    pack->ctx = pack->ctx_size ? kwi_alloc(heap, pack->ctx_size) : NULL;
    if (!pack->ctx ||
        codec->encoder_init(pack->ctx, pack->ctx_size, producer->codec_level, len_max)) {
        if (!pack->ctx)
            pack->ctx_size = 0;
        pack_destroy(pack);
        return NULL;
    }
    producer->n_packs++;
    return pack;
}

int kwi_pack_init(struct kw_producer *producer, struct kw_error *err)
{
    static const enum kw_key level_key[KW_N_CODECS] = {
        [KW_CODEC_GZIP] = KW_KEY_COMPRESSION_GZIP_LEVEL,
        [KW_CODEC_LZ4] = KW_KEY_COMPRESSION_LZ4_LEVEL,
        [KW_CODEC_ZSTD] = KW_KEY_COMPRESSION_ZSTD_LEVEL,
    };
    static const char *const names[KW_N_CODECS] = {"none", "gzip", "snappy", "lz4", "zstd"};
    struct kw_core *core = producer->core;
    int64_t id = producer->codec_id;
    struct kw_pack *pack;

    if (!id)
        return 0;
    producer->codec = core->env.codecs[id];
    if (!producer->codec) {
        kwi_error_fmt(err, KW_ERR_CONFIG, KW_PHASE_CONFIG,
                      "build with its library, or choose another codec",
                      "compression.type = %s: this build has no such codec", names[id]);
        return KW_ERR_CONFIG;
    }
    producer->codec_level = producer->codec->level_default;
    if (level_key[id])
        producer->codec_level = (int)producer->codec_levels[id];
    pack = pack_create(producer);
    if (!pack) {
        kwi_error_fmt(err, KW_ERR_LIMIT, KW_PHASE_CONFIG,
                      "raise control.memory (and memory.limit), or lower the level",
                      "compression.type = %s: its context of %zu bytes finds no memory", names[id],
                      producer->codec->encoder_size(producer->codec_level, producer->batch_size));
        return KW_ERR_LIMIT;
    }
    kwi_list_push(&producer->idle_packs, &pack->node);
    return 0;
}

void kwi_pack_deinit(struct kw_producer *producer)
{
    while (!kwi_list_empty(&producer->idle_packs))
        pack_destroy(KWI_OF(kwi_list_pop(&producer->idle_packs), struct kw_pack, node));
    while (!kwi_list_empty(&producer->busy_packs))
        pack_destroy(KWI_OF(kwi_list_pop(&producer->busy_packs), struct kw_pack, node));
}

/* ---- the work: pure, on memory that nothing else touches ----------------------------- */

static bool pack_run(struct kw_work *work, size_t budget)
{
    struct kw_pack *pack = KWI_OF(work, struct kw_pack, work);
    const struct kw_codec *codec = pack->producer->codec;
    uint8_t *out = kwi_block_data(pack->scratch);
    size_t cap = pack->batch->records_len - 1; /* as long as plain is of no use */

    pack->rc = codec->encode_step(pack->ctx, out, cap,
                                  budget > PACK_WEIGHT ? budget / PACK_WEIGHT : 1, &pack->out_len);
    if (pack->rc == 1)
        return true;
    if (pack->rc == 0)
        pack->crc = pack->producer->core->env.crc32c(0, out, pack->out_len);
    return false;
}

/* ---- the batch moves into its new chunk ------------------------------------------------- */

/* Opaques lie downward from the top of each chunk: so they do in the new one. */
static void pack_move_opaques(const struct kw_batch *batch, struct kw_chunk *to)
{
    void **at = to->top;

    for (const struct kw_chunk *chunk = batch->first; chunk; chunk = chunk->next) {
        if (!chunk->n_opaques)
            continue;
        at -= chunk->n_opaques;
        memcpy(at, chunk->top - chunk->n_opaques, chunk->n_opaques * sizeof(void *));
        to->n_opaques += chunk->n_opaques;
    }
}

static void pack_replace(struct kw_pack *pack)
{
    struct kw_batch *batch = pack->batch;
    struct kw_producer *producer = pack->producer;
    size_t len = KWI_BATCH_HEADER + pack->out_len;
    struct kw_chunk *chunk = kwi_chunk_create(producer, len + batch->n_records * sizeof(void *));

    if (!chunk)
        return; /* plain, then */
    memcpy(chunk->data + KWI_BATCH_HEADER, kwi_block_data(pack->scratch), pack->out_len);
    chunk->len = (uint32_t)len;
    pack_move_opaques(batch, chunk);
    kwi_batch_free_chunks(batch);
    batch->first = batch->last = chunk;
    batch->n_chunks = 1;
    batch->lent_len = 0; /* what was lent is in the codec's output */
    batch->plain_len = batch->records_len;
    batch->records_len = (uint32_t)pack->out_len;
    batch->records_crc = pack->crc;
    batch->size = (uint32_t)len;
    batch->codec = (uint8_t)producer->codec->id;
}

/* ---- the line --------------------------------------------------------------------------- */

static void pack_skip(struct kw_batch *batch)
{
    batch->packing = false;
    kwi_part_route(batch->part);
}

static bool pack_begin(struct kw_pack *pack, struct kw_batch *batch)
{
    struct kw_producer *producer = pack->producer;
    struct kw_heap *heap = &producer->core->control;

    if (batch->n_chunks > pack->pieces_cap) {
        struct kw_iov *pieces = kwi_alloc(heap, batch->n_chunks * sizeof(*pieces));
        if (!pieces)
            return false;
        kwi_free(heap, pack->pieces, pack->pieces_cap * sizeof(*pieces));
        pack->pieces = pieces;
        pack->pieces_cap = batch->n_chunks;
    }
    pack->scratch = kwi_block_create(&producer->core->produce_pool, batch->records_len, 0);
    if (!pack->scratch)
        return false;
    kwi_batch_pieces(batch, pack->pieces, batch->n_chunks);
    pack->pieces[0].base = (uint8_t *)pack->pieces[0].base + KWI_BATCH_HEADER;
    pack->pieces[0].len -= KWI_BATCH_HEADER;
    pack->batch = batch;
    pack->out_len = 0;
    batch->n_lent++; /* the work reads its chunks */
    producer->codec->encode_begin(pack->ctx, pack->pieces, batch->n_chunks);
    kwi_list_push(&producer->busy_packs, &pack->node);
    kwi_work_submit(producer->core, &pack->work);
    return true;
}

/* More than can run at the same time would only take memory. */
static bool pack_may_grow(const struct kw_producer *producer)
{
    uint32_t most = producer->core->env.work_threads;

    if (most > PACK_MAX)
        most = PACK_MAX;
    return producer->n_packs == 0 || producer->n_packs < most;
}

static void pack_start(struct kw_producer *producer)
{
    while (!kwi_list_empty(&producer->to_pack)) {
        struct kw_pack *pack = NULL;
        struct kw_batch *batch;

        if (!kwi_list_empty(&producer->idle_packs))
            pack = KWI_OF(kwi_list_pop(&producer->idle_packs), struct kw_pack, node);
        else if (pack_may_grow(producer))
            pack = pack_create(producer);
        if (!pack)
            return; /* the one that is busy goes on here */
        batch = KWI_OF(kwi_list_pop(&producer->to_pack), struct kw_batch, open_node);
        if (pack_begin(pack, batch))
            continue;
        kwi_list_push(&producer->idle_packs, &pack->node);
        pack_skip(batch);
    }
}

static void pack_done(struct kw_core *core, struct kw_work *work)
{
    struct kw_pack *pack = KWI_OF(work, struct kw_pack, work);
    struct kw_producer *producer = pack->producer;
    struct kw_batch *batch = pack->batch;

    batch->n_lent--;
    KWI_ASSERT(batch->attempts == 0 || batch->resized); /* nobody sends what is being replaced */
    if (pack->rc == 0 && batch->state != BATCH_DONE)
        pack_replace(pack);
    kwi_block_release(pack->scratch);
    pack->scratch = NULL;
    pack->batch = NULL;
    kwi_list_remove(&producer->busy_packs, &pack->node);
    kwi_list_push(&producer->idle_packs, &pack->node);
    if (batch->state == BATCH_DONE)
        kwi_batch_let_go(batch);
    else
        pack_skip(batch);
    pack_start(producer);
    kwi_producers_check_writable(core);
    kwi_close_check(core);
}

void kwi_pack_batch(struct kw_batch *batch)
{
    struct kw_producer *producer = batch->part->topic->producer;

    batch->packing = true;
    kwi_list_push(&producer->to_pack, &batch->open_node);
    pack_start(producer);
}

void kwi_pack_forget(struct kw_batch *batch)
{
    kwi_list_remove(&batch->part->topic->producer->to_pack, &batch->open_node);
}
