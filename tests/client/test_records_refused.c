/* From fetched bytes to records: what is damaged or lies is refused before anything of it is
 * handed out.
 *
 * covers: C36 C42 C43 C44 C46 C61 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/record.h"
#include "tests/client/records_bed.h"
#include <kwire/kwire.h>

/* ---- what is refused ---------------------------------------------------------------------- */

Test(records_refused, a_wrong_checksum_stops_the_partition_and_nothing_of_the_batch_comes)
{
    rbed_begin(0, NULL, NULL);
    rbed_made_batch((struct records_spec){.base_offset = 0, .n = 4});
    rbed_made_batch((struct records_spec){.base_offset = 4, .n = 4});
    rmade.buf[rmade.len - 2] ^= 1;
    rbed_made_batch((struct records_spec){.base_offset = 8, .n = 4});
    rbed_feed_made(12);
    rbed_read_handle(0, 0, 4);
    rbed_expect_stopped(4, KW_ERR_CRC, "t partition 3 at offset 4: the checksum");
    /* Only a seek gets it going again. */
    struct kw_start start = {"t", 3, KW_START_OFFSET, 8};
    cr_assert_eq(kw_core_seek(rbed.consumer, &start), 0);
    rbed.part->state = KWI_PART_FETCH;
    rbed_made_batch((struct records_spec){.base_offset = 8, .n = 4});
    rbed_feed_made(12);
    rbed_read_handle(0, 8, 4);
    rbed_end();
}

Test(records_refused, check_crcs_false_skips_the_checksum_and_no_other_check)
{
    rbed_begin(0, "check.crcs", "false");
    rbed_made_batch((struct records_spec){.base_offset = 0, .n = 4});
    rmade.buf[KWI_BATCH_CRC] ^= 1;
    rbed_feed_made(8);
    rbed_read_handle(0, 0, 4);
    cr_assert_eq(rbed.crc_most, 0);
    rbed_made_batch((struct records_spec){.base_offset = 4, .n = 4});
    kwi_put_u32(rmade.buf + KWI_BATCH_RECORD_COUNT, 5);
    rbed_feed_made(8);
    rbed_expect_stopped(4, KW_ERR_CORRUPT, "contradicts itself");
    rbed_end();
}

Test(records_refused, a_compressed_batch_is_a_typed_error_that_names_the_codec)
{
    static const char *const names[] = {"gzip",    "snappy",  "lz4",    "zstd",
                                        "unknown", "unknown", "unknown"};
    for (int16_t codec = 1; codec < 8; codec++) {
        memset(&rbed, 0, sizeof rbed);
        rbed_begin(0, NULL, NULL);
        rbed_made_batch((struct records_spec){.base_offset = 0, .n = 2});
        rbed_made_batch((struct records_spec){.base_offset = 2, .n = 2, .attributes = codec});
        rbed_feed_made(4);
        rbed_read_handle(0, 0, 2);
        rbed_expect_stopped(2, KW_ERR_CODEC, names[codec - 1]);
        rbed_end();
    }
}

Test(records_refused, a_malformed_message_of_format_0_or_1_is_a_typed_error)
{
    for (uint8_t magic = 0; magic < 2; magic++) {
        memset(&rbed, 0, sizeof rbed);
        rbed_begin(0, NULL, NULL);
        memset(rmade.buf, 0, 64);
        kwi_put_u32(rmade.buf + KWI_BATCH_LENGTH, 52);
        rmade.buf[KWI_BATCH_MAGIC] = magic;
        rmade.len = 64;
        rbed_feed_made(1);
        rbed_expect_stopped(0, KW_ERR_CORRUPT, "contradicts itself");
        rbed_end();
    }
}

/* Changes the only batch, seals it again and expects that it is refused. */
static void refuse_changed(void (*change)(void), const char *what)
{
    memset(&rbed, 0, sizeof rbed);
    rbed_begin(0, NULL, NULL);
    rmade.len = 0;
    rbed_made_batch((struct records_spec){.base_offset = 0, .n = 3, .value_len = 20});
    change();
    rbed_made_seal(0);
    rbed_feed_made(3);
    struct kw_records *records = rbed_poll_one(0);
    cr_assert_null(records, "%s was handed out", what);
    rbed_expect_stopped(0, KW_ERR_CORRUPT, "contradicts itself");
    rbed_end();
}

static void change_count_up(void)
{
    kwi_put_u32(rmade.buf + KWI_BATCH_RECORD_COUNT, 4);
}
static void change_count_down(void)
{
    kwi_put_u32(rmade.buf + KWI_BATCH_RECORD_COUNT, 2);
}
static void change_count_negative(void)
{
    kwi_put_u32(rmade.buf + KWI_BATCH_RECORD_COUNT, UINT32_MAX);
}
static void change_count_huge(void)
{
    kwi_put_u32(rmade.buf + KWI_BATCH_RECORD_COUNT, INT32_MAX);
}
static void change_count_zero(void)
{
    kwi_put_u32(rmade.buf + KWI_BATCH_RECORD_COUNT, 0);
}
static void change_length_negative(void)
{
    rmade.buf[KWI_BATCH_HEADER] = 1;
}
static void change_length_beyond(void)
{
    rmade.buf[KWI_BATCH_HEADER] = 0x7e;
    rmade.buf[KWI_BATCH_HEADER + 1] = 0xff;
}
static void change_length_short(void)
{
    rmade.buf[KWI_BATCH_HEADER] -= 2;
}
static void change_length_endless(void)
{
    memset(rmade.buf + KWI_BATCH_HEADER, 0xff, 6);
}

Test(records_refused, counts_and_lengths_that_contradict_the_bytes_are_refused_before_any_record)
{
    refuse_changed(change_count_up, "a count too high");
    refuse_changed(change_count_down, "a count too low");
    refuse_changed(change_count_negative, "a negative count");
    refuse_changed(change_count_huge, "a huge count");
    refuse_changed(change_count_zero, "a count of zero with records");
    refuse_changed(change_length_negative, "a negative length");
    refuse_changed(change_length_beyond, "a length beyond the batch");
    refuse_changed(change_length_short, "a length too short");
    refuse_changed(change_length_endless, "an endless varint");
}

Test(records_refused, a_record_that_is_broken_inside_stops_the_partition_at_its_offset)
{
    rbed_begin(0, NULL, NULL);
    rbed_made_batch((struct records_spec){.base_offset = 0, .n = 3, .value_len = 20});
    size_t record = (rmade.len - KWI_BATCH_HEADER) / 3;
    rmade.buf[KWI_BATCH_HEADER + record + 4] = 0x7e; /* its key is longer than it */
    rbed_made_seal(0);
    rbed_made_batch((struct records_spec){.base_offset = 3, .n = 3});
    rbed_feed_made(6);
    struct kw_records *records = rbed_poll_one(0);
    cr_assert(rbed_expect_next(records, 0));
    cr_assert_null(kw_records_next(records));
    cr_assert_null(kw_records_next(records));
    rbed_expect_stopped(1, KW_ERR_CORRUPT, "contradicts itself");
    kw_core_records_release(records, KW_DONE);
    rbed_end();
}

Test(records_refused, an_offset_above_that_of_the_batch_stops_the_partition)
{
    rbed_begin(0, NULL, NULL);
    rbed_made_batch((struct records_spec){.base_offset = 0, .n = 3, .last_delta = -1});
    rbed_feed_made(6);
    struct kw_records *records = rbed_poll_one(0);
    cr_assert(rbed_expect_next(records, 0));
    cr_assert_null(kw_records_next(records));
    rbed_expect_stopped(1, KW_ERR_CORRUPT, "contradicts itself");
    kw_core_records_release(records, KW_DONE);
    rbed_end();
}

Test(records_refused, batches_that_go_back_stop_the_partition)
{
    rbed_begin(5, NULL, NULL);
    rbed_made_batch((struct records_spec){.base_offset = 5, .n = 3});
    rbed_made_batch((struct records_spec){.base_offset = 7, .n = 3});
    rbed_feed_made(10);
    rbed_read_handle(0, 5, 3);
    rbed_expect_stopped(8, KW_ERR_CORRUPT, "contradicts itself");
    rbed_end();
}

Test(records_refused, a_lying_header_count_is_an_error_for_who_looks)
{
    struct kw_header_iter it;
    struct kw_header h;
    static const uint8_t bad[][3] = {{0x01},
                                     {0x06, 0x00, 0x00},
                                     {0x02, 0x01},
                                     {0x02, 0x04, 'k'},
                                     {0x02, 0x00, 0x02},
                                     {0xff, 0xff, 0xff}};
    static const uint8_t len[] = {1, 3, 2, 3, 3, 3};
    for (unsigned i = 0; i < sizeof len; i++) {
        uint8_t *exact = malloc(len[i]);
        memcpy(exact, bad[i], len[i]);
        struct kw_consumed consumed = {.headers = exact, .headers_len = len[i]};
        kw_headers_begin(&it, &consumed);
        cr_assert_eq(kw_headers_next(&it, &h), KW_ERR_CORRUPT, "case %u", i);
        cr_assert_eq(kw_headers_next(&it, &h), KW_ERR_CORRUPT, "case %u, again", i);
        free(exact);
    }
    struct kw_consumed none = {.headers = NULL};
    kw_headers_begin(&it, &none);
    cr_assert_eq(kw_headers_next(&it, &h), 0);
}

/* Reads everything that poll gives, headers too; whatever it is, no harm. */
static unsigned read_whatever(void)
{
    unsigned n = 0;
    for (int round = 0; round < 20; round++) {
        struct kw_records *records = rbed_poll_one(2);
        const struct kw_consumed *c;
        if (!records)
            continue;
        while ((c = kw_records_next(records))) {
            struct kw_header_iter it;
            struct kw_header h;
            volatile uint8_t sum = 0;
            n++;
            for (size_t i = 0; i < c->value.len; i++)
                sum = (uint8_t)(sum + ((const uint8_t *)c->value.ptr)[i]);
            kw_headers_begin(&it, c);
            while (kw_headers_next(&it, &h) == 1)
                sum = (uint8_t)(sum + h.key.len);
        }
        kw_core_records_release(records, KW_DONE);
    }
    return n;
}

static void made_mixed(void)
{
    struct kw_header headers[] = {{{"a", 1}, {"1", 1}}, {{"b", 1}, {NULL, 0}}};
    struct records_spec spec = {.base_offset = 0, .n = 2};
    rmade.len = 0;
    struct kw_batch_header header = rbed_made_begin(&spec);
    struct kw_wr wr = kwi_wr_make(rmade.buf + rmade.len, sizeof rmade.buf - rmade.len);
    kwi_record_put(&wr, 0, 0, (struct kw_bytes){"key", 3}, (struct kw_bytes){"value", 5}, headers,
                   2);
    kwi_record_put(&wr, 300, 1, (struct kw_bytes){NULL, 0}, (struct kw_bytes){NULL, 0}, NULL, 0);
    rmade.len += wr.len;
    header.last_offset_delta = 1;
    kwi_batch_header_put(rmade.buf, &header);
    rbed_made_seal(0);
    rbed_made_batch((struct records_spec){.base_offset = 2, .n = 3});
}

Test(records_refused, every_prefix_and_every_changed_byte_is_survived)
{
    made_mixed();
    size_t len = rmade.len;
    for (size_t cut = 1; cut <= len; cut++) {
        memset(&rbed, 0, sizeof rbed);
        rbed_begin(0, NULL, NULL);
        made_mixed();
        rmade.len = cut;
        rbed_feed_made(5);
        unsigned n = read_whatever();
        cr_assert(cut == len ? n == 5 : n == 0 || n == 2, "%u records of %zu bytes", n, cut);
        rbed_end();
    }
    static const uint8_t flips[] = {0x01, 0x80, 0xff, 0x7f, 0x02};
    unsigned taken = 0, harmless = 0;
    for (size_t i = 0; i < len * 2 * sizeof flips; i++) {
        size_t at = i / (2 * sizeof flips);
        memset(&rbed, 0, sizeof rbed);
        rbed_begin(0, "check.crcs", i % 2 ? "true" : "false");
        made_mixed();
        rmade.buf[at] ^= flips[i / 2 % sizeof flips];
        rbed_feed_made(5);
        unsigned n = read_whatever();
        /* With checksums a changed byte shows only in what they do not cover:
         * base offset, length and leader epoch. */
        if (i % 2 && n == 5)
            harmless++;
        taken += n;
        rbed_end();
    }
    cr_assert_gt(taken, 0);
    cr_assert_leq(harmless, 2 * 12 * sizeof flips);
}
