/* client/unpack.h -- fetched batches that are not plain batches of format 2
 * become one: decompressed, or converted from formats 0 and 1, or both.
 *
 * The result, an image, is a batch of format 2 without a codec in a block of the
 * fetch reserve. It takes the place of what it was made from, so that whoever
 * reads batches knows one layout only. One image is made at a time, as a work
 * item: it reads the fetched frame and writes its own block, and the unpacker
 * holds both until the work is back, whatever became of the part meanwhile. */
#ifndef KWI_UNPACK_H
#define KWI_UNPACK_H
#include "base/timer.h"
#include "client/framing.h"
#include "client/pool.h"
#include "client/work.h"
#include "proto/message_set.h"

struct kw_consumer_part;

enum kw_unpack_phase {
    KWI_UNPACK_MOVE,    /* what there is goes from `old` to `out`; then the work is back */
    KWI_UNPACK_FILL,    /* decompressing, or copying what is not compressed */
    KWI_UNPACK_CONVERT, /* formats 0 and 1, in place */
    KWI_UNPACK_READY
};

struct kw_unpacker {
    struct kw_list waiting;                 /* parts, first come first served */
    struct kw_timer timer;                  /* to try again */
    bool busy;                              /* the work is out */
    bool is_short;                          /* the first one waits for memory */
    struct kw_block *contexts[KW_N_CODECS]; /* decoders, made once; NULL: not yet */

    /* The work under way; from here on the work's own while it is out, but part. */
    struct kw_consumer_part *part; /* NULL: nobody wants the result any more */
    struct kw_work work;
    uint8_t codec_id;
    const struct kw_codec *codec; /* NULL: not compressed */
    struct kw_codec_ctx *ctx;
    struct kw_block *frame, *out, *old; /* held */
    const uint8_t *in;                  /* in frame */
    size_t in_len;
    size_t cap;   /* bytes in out behind the header */
    size_t len;   /* made so far */
    size_t moved; /* MOVE: of len */
    size_t used;  /* of the part's data, when ready */
    uint8_t phase;
    bool is_old, is_wrapper; /* format 0 or 1; a message around others */
    bool check_crcs;
    int result;                /* READY: 0 or enum kw_err */
    struct kw_framing framing; /* FILL, of what is compressed */
    /* CONVERT */
    struct kw_message message; /* the first, or the wrapper */
    struct kw_message_set set;
    uint8_t *put;
    int64_t base_offset, base_timestamp;
    int32_t last_delta, n_records;
};

struct kw_core;
void kwi_unpack_init(struct kw_core *core);
void kwi_unpack_deinit(struct kw_core *core);
/* The part waits until its batch at the read position is unpacked. */
void kwi_unpack_queue(struct kw_consumer_part *part);
/* The part's data is about to be dropped. */
void kwi_unpack_forget(struct kw_consumer_part *part);
/* Memory may have come back: tries again in the next step. */
void kwi_unpack_poke(struct kw_core *core);
/* Frees the decoders that are not at work, but that of codec `keep`. False: there
 * was none. */
bool kwi_unpack_trim(struct kw_core *core, int keep);

/* convert.c: the CONVERT phase. */
/* The length of the run of messages without a codec at p that one image can
 * hold, and the offset of the last; first was read there. */
size_t kwi_convert_run(const uint8_t *p, size_t len, const struct kw_message *first,
                       int64_t *last_offset);
void kwi_convert_begin(struct kw_unpacker *unpacker);
/* About budget bytes of it. 1: more is left; 0; or an error. */
int kwi_convert_some(struct kw_unpacker *unpacker, size_t budget);

#endif
