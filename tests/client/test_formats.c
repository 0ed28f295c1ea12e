/* Formats 0, 1 and 2 beside each other in one answer, compressed and not: what an old
 * log holds whose topic was upgraded. Each entry is read by its own magic.
 *
 * covers: C21 C22 C23 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/batch.h"
#include "tests/client/unpack_bed.h"
#include "tests/sim/rng.h"
#include <kwire/codec.h>
#include <kwire/kwire.h>

enum { ENTRIES = 12, RECORDS = 4 };

/* n records from `offset` on whose values are their offsets. Inside a wrapper offsets are
 * absolute in format 0, and count from the first in format 1. */
static struct bytes old_entry(int magic, int codec, int64_t offset, int n)
{
    struct bytes all = {NULL, 0};
    for (int i = 0; i < n; i++)
        append(&all,
               message_make(magic, codec && magic ? i : offset + i, offset + i, 100 + i, false));
    return codec ? message_wrap(magic, codec, offset + n - 1, all) : all;
}

/* Kinds: format, and whether it is compressed. LZ4 of format 0 has a frame of its own
 * that the encoder does not make. */
static struct bytes entry(struct sim_rng *rng, int64_t offset, int n, int *magic)
{
    static const int codecs[] = {0, KW_CODEC_GZIP, KW_CODEC_SNAPPY, KW_CODEC_LZ4, KW_CODEC_ZSTD};
    int codec = codecs[sim_below(rng, 5)];
    *magic = (int)sim_below(rng, 3);
    if (codec && !kw_codec_by_id(codec))
        codec = 0;
    if (*magic < 2 && codec == KW_CODEC_ZSTD)
        codec = 0; /* only format 2 has it */
    if (*magic == 0 && codec == KW_CODEC_LZ4)
        codec = 0;
    return *magic == 2 ? batch_make(codec, offset, n, 8) : old_entry(*magic, codec, offset, n);
}

static void mixed(uint64_t seed)
{
    struct sim_rng rng = sim_rng_make(seed, 0);
    struct bytes frame = {NULL, 0};
    int magic[ENTRIES * RECORDS], first[ENTRIES * RECORDS];
    struct kw_records *records;
    const struct kw_consumed *consumed;
    int64_t end = 0, from;
    for (int i = 0; i < ENTRIES; i++) {
        int n = 1 + (int)sim_below(&rng, RECORDS), kind;
        append(&frame, entry(&rng, end, n, &kind));
        for (int k = 0; k < n; k++) {
            first[end + k] = (int)end;
            magic[end + k] = kind;
        }
        end += n;
    }
    from = sim_below(&rng, (uint32_t)end);
    bed_begin(from, NULL);
    cr_assert(bed_feed(bed.part, frame.ptr, frame.len));
    free(frame.ptr);
    while ((records = poll_until(1 + sim_below(&rng, 1000)))) {
        while ((consumed = kw_records_next(records))) {
            char text[24];
            size_t n = (size_t)snprintf(text, sizeof text, "%lld", (long long)from);
            cr_assert_lt(from, end);
            cr_assert_eq(consumed->offset, from, "seed %llu", (unsigned long long)seed);
            cr_assert(consumed->value.len >= n && !memcmp(consumed->value.ptr, text, n));
            if (magic[from] == 2)
                cr_assert_eq(consumed->timestamp_ms, 7 + from - first[from]);
            else
                cr_assert_eq(consumed->timestamp_ms, magic[from] ? 100 + from - first[from] : -1);
            cr_assert_eq(consumed->timestamp_type, 0);
            from++;
        }
        kw_core_records_release(records, KW_DONE);
    }
    cr_assert(!next_fault(), "seed %llu: %s", (unsigned long long)seed, fault.text);
    cr_assert_eq(from, end, "seed %llu: stuck at %lld", (unsigned long long)seed, (long long)from);
    cr_assert_eq(bed.part->position, end);
    bed_end();
}

Test(formats, entries_of_all_formats_in_one_answer_are_read_each_by_its_own)
{
    for (uint64_t seed = 1; seed <= 300; seed++)
        mixed(seed);
}

/* However deep: the second level is refused, so that the third is never seen. */
Test(formats, a_set_inside_a_set_is_refused_at_every_depth)
{
    if (!kw_codec_by_id(KW_CODEC_GZIP))
        cr_skip_test("built without zlib");
    for (int magic = 0; magic < 2; magic++) {
        for (int depth = 2; depth < 50; depth += 11) {
            struct bytes frame = batch_make(0, 0, 1, 8), nested = old_entry(magic, 0, 1, 1);
            for (int i = 0; i < depth; i++)
                nested = message_wrap(magic, KW_CODEC_GZIP, 1, nested);
            append(&frame, nested);
            append(&frame, batch_make(0, 2, 1, 8));
            bed_begin(0, NULL);
            cr_assert(bed_feed(bed.part, frame.ptr, frame.len));
            free(frame.ptr);
            struct kw_records *records = poll_until(1000);
            cr_assert_not_null(records);
            cr_assert_eq(kw_records_next(records)->offset, 0);
            cr_assert_null(kw_records_next(records));
            kw_core_records_release(records, KW_DONE);
            cr_assert_null(poll_until(1000));
            cr_assert(next_fault());
            cr_assert_eq(fault.code, KW_ERR_CORRUPT, "depth %d: %s", depth, fault.text);
            cr_assert_eq(fault.offset, 1);
            bed_end();
        }
    }
}
