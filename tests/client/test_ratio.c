/* Many partitions of highly compressed batches: what is fetched ahead counts as large as
 * it becomes, and fetch.memory bounds it (KIP-74 by decompressed bytes).
 *
 * covers: C51 */
#include <stdlib.h>

#include "tests/client/fetch_bed.h"
#include "tests/client/unpack_bed.h"
#include <kwire/codec.h>

enum { PARTS = 48, BATCHES = 4, SIZE = 400000, RESERVE = 4 * MIB };

static void put(int codec)
{
    for (int p = 0; p < PARTS; p++) {
        for (int i = 0; i < BATCHES; i++) {
            struct bytes batch = batch_make(codec, i, 1, SIZE);
            cr_assert_eq(kwi_mock_append(fetch_bed.pair.mock, "t", p, batch.ptr, batch.len), 0);
            free(batch.ptr);
        }
    }
}

/* Reads a part of what is ready, or all of it. */
static unsigned take(unsigned max, int64_t *next)
{
    struct kw_records *records;
    const struct kw_consumed *c;
    unsigned n = 0;
    while (n < max && kw_core_consumer_poll(fetch_bed.consumer, &records, 1) == 1) {
        int32_t p = kw_records_partition(records);
        while ((c = kw_records_next(records))) {
            cr_assert_eq(c->offset, next[p]);
            cr_assert_eq(c->value.len, SIZE);
            next[p]++;
            n++;
        }
        kw_core_records_release(records, KW_DONE);
    }
    return n;
}

static void high_ratio(int codec)
{
    static const char *const small[] = {"fetch.memory=4194304", "fetch.max.wait.ms=20", NULL};
    int64_t next[PARTS] = {0};
    unsigned n = 0;
    struct kw_stats stats;
    if (!kw_codec_by_id(codec))
        return;
    fetch_bed_begin(NULL, PARTS, small);
    fetch_bed.lazy = true;
    put(codec);
    fetch_bed_open(NULL);
    fetch_bed_assign(0, PARTS, KW_START_OFFSET, 0);
    fetch_bed_run(500); /* nobody takes anything: what could be fetched ahead, was */
    for (int i = 0; i < 4000 && n < PARTS * BATCHES; i++) {
        n += take(1 + (unsigned)i % 7, next);
        sim_pair_step(&fetch_bed.pair, 1000);
    }
    cr_assert_eq(n, PARTS * BATCHES, "%u of %u, codec %d", n, PARTS * BATCHES, codec);
    kw_core_stats(fetch_bed.pair.core, &stats);
    cr_assert_leq(stats.fetch_peak, RESERVE);
    cr_assert_geq(stats.fetch_peak, SIZE);
    for (int p = 0; p < PARTS; p++)
        cr_assert_eq(fetch_bed.seen[p].n_error, 0, "%s", fetch_bed.seen[p].text);
    fetch_bed_end();
}

Test(ratio, many_compressed_partitions_stay_within_the_reserve)
{
    for (int codec = 1; codec < KW_N_CODECS; codec++)
        high_ratio(codec);
}
