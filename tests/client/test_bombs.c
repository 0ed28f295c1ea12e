/* covers: C38 C39 C40
 * What refusing a bomb takes: plain bytes made, and memory of the fetch reserve.
 * The clock is no part of this (bench/bench_bombs.c has it): what is not made
 * takes no time. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "client/framing.h"
#include "tests/client/bombs.h"

/* A codec that counts what is made through it. */
static size_t made;
static const struct kw_codec *counted;

static int counting_step(struct kw_codec_ctx *ctx, void *out, size_t cap, size_t budget,
                         size_t *out_len)
{
    size_t before = *out_len;
    int rc = counted->decode_step(ctx, out, cap, budget, out_len);
    if (*out_len > before)
        made += *out_len - before;
    return rc;
}

Test(bombs, are_refused_before_much_is_made_of_them, .timeout = 120)
{
    bomb_max = 4 * (size_t)MIB;
    for (int i = 0; i < n_bomb_kinds; i++) {
        const struct bomb_kind *kind = &bomb_kinds[i];
        struct kw_codec counting;
        struct bytes bytes;
        struct kw_records *records;
        counted = kw_codec_by_id(kind->codec);
        if (!counted)
            continue;
        counting = *counted;
        counting.decode_step = counting_step;
        made = 0;
        bytes = kind->make(kind->codec);
        bed_begin(0, "max.decompressed.batch.bytes=4194304\n");
        bed.core->env.codecs[kind->codec] = &counting;
        cr_assert(bed_feed(bed.part, bytes.ptr, bytes.len));
        free(bytes.ptr);
        records = poll_until(256 << 10);
        cr_expect_leq(made, kind->made_max < bomb_max ? kind->made_max : bomb_max,
                      "%s: %zu bytes were made", kind->name, made);
        if (kind->err) {
            cr_expect_null(records, "%s", kind->name);
            cr_assert(next_fault(), "%s: no error", kind->name);
            cr_expect_eq(fault.code, kind->err, "%s: %s", kind->name, fault.text);
            cr_expect_null(bed.part->data.block, "%s", kind->name);
        } else {
            cr_expect_not_null(records, "%s", kind->name);
            kw_core_records_release(records, KW_DONE);
        }
        cr_expect_leq(bed.core->fetch.peak, bomb_max * 7 / 4, "%s: %zu bytes were asked for",
                      kind->name, bed.core->fetch.peak);
        bed_end();
    }
}

/* ---- the walk over lengths alone -------------------------------------------------- */

/* Walks len bytes that appear one after the other; where it stopped, or len. */
static size_t walk(const uint8_t *bytes, size_t len, bool old, uint32_t count, size_t max, int *rc)
{
    struct kw_framing framing;
    *rc = kwi_framing_begin(&framing, old, count, max);
    for (size_t n = 0; !*rc && n <= len; n++) {
        uint8_t *exact = malloc(n ? n : 1);
        memcpy(exact, bytes, n);
        *rc = kwi_framing_walk(&framing, exact, n);
        free(exact);
        if (*rc)
            return n;
    }
    if (!*rc)
        *rc = kwi_framing_end(&framing, len);
    return len;
}

Test(framing, records)
{
    static const uint8_t two[] = {12, 0, 0, 0, 1, 1, 0, 14, 0, 0, 0, 1, 2, 'x', 0};
    static const uint8_t claims[] = {0xfe, 0xff, 0xff, 0xff, 0x0f}; /* 2^31 - 1 */
    static const uint8_t endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80};
    static const uint8_t negative[] = {1}, zero[] = {0}, five[] = {10};
    int rc;
    cr_expect_eq(walk(two, 15, false, 2, 15, &rc), 15);
    cr_expect_eq(rc, 0);
    walk(two, 15, false, 3, 1000, &rc);
    cr_expect_eq(rc, KW_ERR_CORRUPT, "one is missing");
    walk(two, 14, false, 2, 15, &rc);
    cr_expect_eq(rc, KW_ERR_CORRUPT, "cut");
    cr_expect_eq(walk(two, 15, false, 1, 15, &rc), 8, "seen with the first byte too many");
    cr_expect_eq(rc, KW_ERR_CORRUPT);
    cr_expect_eq(walk(two, 15, false, 2, 14, &rc), 8, "seen with the length");
    cr_expect_eq(rc, KW_ERR_BOMB);
    cr_expect_eq(walk(claims, 5, false, 1, 1000, &rc), 5);
    cr_expect_eq(rc, KW_ERR_BOMB);
    cr_expect_eq(walk(endless, 6, false, 1, 1000, &rc), 5);
    cr_expect_eq(rc, KW_ERR_CORRUPT);
    cr_expect_eq(walk(negative, 1, false, 1, 1000, &rc), 1);
    cr_expect_eq(rc, KW_ERR_CORRUPT);
    cr_expect_eq(walk(zero, 1, false, 1, 1000, &rc), 1);
    cr_expect_eq(rc, KW_ERR_CORRUPT);
    cr_expect_eq(walk(five, 1, false, 1, 1000, &rc), 1);
    cr_expect_eq(rc, KW_ERR_CORRUPT);
    walk(two, 0, false, 2, 13, &rc);
    cr_expect_eq(rc, KW_ERR_BOMB, "two take 14");
    walk(two, 0, false, 0, 14, &rc);
    cr_expect_eq(rc, 0);
    walk(two, 1, false, 0, 14, &rc);
    cr_expect_eq(rc, KW_ERR_CORRUPT);
}

Test(framing, messages)
{
    uint8_t set[52] = {0};
    int rc;
    set[11] = 14;
    set[26 + 11] = 14;
    cr_expect_eq(walk(set, 52, true, 0, 52, &rc), 52);
    cr_expect_eq(rc, 0);
    walk(set, 51, true, 0, 52, &rc);
    cr_expect_eq(rc, KW_ERR_CORRUPT);
    cr_expect_eq(walk(set, 52, true, 0, 51, &rc), 44, "seen with the head");
    cr_expect_eq(rc, KW_ERR_BOMB);
    set[26 + 11] = 13;
    cr_expect_eq(walk(set, 52, true, 0, 1000, &rc), 44);
    cr_expect_eq(rc, KW_ERR_CORRUPT, "smaller than a message");
    set[26 + 8] = 0x80;
    cr_expect_eq(walk(set, 52, true, 0, 1000, &rc), 44);
    cr_expect_eq(rc, KW_ERR_CORRUPT, "negative");
    set[26 + 8] = 0;
    set[26 + 11] = 14;
    set[26 + 17] = 2;
    cr_expect_eq(walk(set, 52, true, 0, 1000, &rc), 44);
    cr_expect_eq(rc, KW_ERR_CORRUPT, "compressed again");
}
