/* From fetched bytes to records: what is delivered, in what pieces and for how much work,
 * and what becomes of it by seek, pause and assignment. test_records_refused.c has what is
 * not delivered.
 *
 * covers: C09 C10 C11 C19 C24 C25 C26 C27 C28 C37 C45 C48 C52 M09 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "proto/record.h"
#include "tests/client/records_bed.h"
#include <kwire/kwire.h>

/* ---- what is delivered ------------------------------------------------------------------ */

Test(records, batches_come_whole_and_the_position_follows)
{
    rbed_begin(100, NULL, NULL);
    rbed_made_batch((struct records_spec){.base_offset = 100, .n = 3});
    rbed_made_batch((struct records_spec){.base_offset = 103, .n = 5});
    rbed_feed_made(200);
    cr_assert_eq(rbed_next_event(KW_EVENT_RECORDS).kind, KW_EVENT_RECORDS);
    rbed_read_handle(0, 100, 8);
    cr_assert_eq(rbed_position(), 108);
    cr_assert_null(rbed_poll_one(0));
    cr_assert_null(rbed.part->data.block, "the next fetch may go out");
    cr_assert_eq(rbed.core->stats.records_fetched, 8);
    rbed_end();
}

Test(records, key_value_headers_and_times_arrive_as_they_were_sent)
{
    struct kw_header headers[] = {{{"a", 1}, {"1", 1}}, {{"", 0}, {"", 0}}, {{"b", 1}, {NULL, 0}}};
    struct records_spec spec = {.base_offset = 0, .n = 3};
    rbed_begin(0, NULL, NULL);
    struct kw_batch_header header = rbed_made_begin(&spec);
    struct kw_wr wr = kwi_wr_make(rmade.buf + rmade.len, sizeof rmade.buf - rmade.len);
    kwi_record_put(&wr, -5, 0, (struct kw_bytes){"k", 1}, (struct kw_bytes){NULL, 0}, headers, 3);
    kwi_record_put(&wr, 7, 1, (struct kw_bytes){"", 0}, (struct kw_bytes){"", 0}, NULL, 0);
    kwi_record_put(&wr, 1 << 30, 2, (struct kw_bytes){NULL, 0}, (struct kw_bytes){"v", 1}, NULL, 0);
    rmade.len += wr.len;
    header.last_offset_delta = 2;
    kwi_batch_header_put(rmade.buf, &header);
    rbed_made_seal(0);
    rbed_feed_made(3);
    struct kw_records *records = rbed_poll_one(0);
    struct kw_header_iter it;
    struct kw_header h;

    const struct kw_consumed *c = kw_records_next(records);
    cr_assert(c->key.len == 1 && memcmp(c->key.ptr, "k", 1) == 0);
    cr_assert(!c->value.ptr && c->value.len == 0, "a tombstone is null, not empty");
    cr_assert_eq(c->timestamp_ms, 4995);
    cr_assert_eq(c->timestamp_type, 0);
    cr_assert_eq(c->leader_epoch, 7);
    kw_headers_begin(&it, c);
    cr_assert_eq(kw_headers_next(&it, &h), 1);
    cr_assert(h.key.len == 1 && memcmp(h.key.ptr, "a", 1) == 0 && h.value.len == 1);
    cr_assert_eq(kw_headers_next(&it, &h), 1);
    cr_assert(h.key.len == 0 && h.value.ptr && h.value.len == 0);
    cr_assert_eq(kw_headers_next(&it, &h), 1);
    cr_assert(h.key.len == 1 && !h.value.ptr);
    cr_assert_eq(kw_headers_next(&it, &h), 0);
    cr_assert_eq(kw_headers_next(&it, &h), 0);

    c = kw_records_next(records);
    cr_assert(c->key.ptr && c->key.len == 0, "an empty key is not a null key");
    cr_assert(c->value.ptr && c->value.len == 0);
    cr_assert_eq(c->timestamp_ms, 5007);
    kw_headers_begin(&it, c);
    cr_assert_eq(kw_headers_next(&it, &h), 0);
    c = kw_records_next(records);
    cr_assert(!c->key.ptr && c->value.len == 1);
    cr_assert_eq(c->timestamp_ms, 5000 + (1 << 30));
    kw_core_records_release(records, KW_DONE);
    rbed_end();
}

Test(records, log_append_time_is_that_of_the_batch)
{
    rbed_begin(0, NULL, NULL);
    rbed_made_batch(
        (struct records_spec){.base_offset = 0, .n = 2, .attributes = KWI_BATCH_LOG_APPEND_TIME});
    rbed_made_batch((struct records_spec){.base_offset = 2, .n = 1});
    rbed_feed_made(3);
    struct kw_records *records = rbed_poll_one(0);
    for (int i = 0; i < 3; i++) {
        const struct kw_consumed *c = kw_records_next(records);
        cr_assert_eq(c->timestamp_type, i < 2);
        cr_assert_eq(c->timestamp_ms, i < 2 ? 9000 : 5000);
    }
    kw_core_records_release(records, KW_DONE);
    rbed_end();
}

Test(records, a_handle_has_at_most_max_records_and_a_large_batch_is_cut)
{
    for (size_t max = 1; max <= 25; max++) {
        int64_t at = 0;
        memset(&rbed, 0, sizeof rbed);
        rbed_begin(0, NULL, NULL);
        rbed_made_batch((struct records_spec){.base_offset = 0, .n = 4});
        rbed_made_batch((struct records_spec){.base_offset = 4, .n = 11});
        rbed_made_batch((struct records_spec){.base_offset = 15, .n = 1});
        rbed_made_batch((struct records_spec){.base_offset = 16, .n = 4});
        rbed_feed_made(20);
        while (at < 20) {
            struct kw_records *records = rbed_poll_one(max);
            size_t n = 0;
            cr_assert_not_null(records, "stuck at %lld", (long long)at);
            while (rbed_expect_next(records, at)) {
                n++;
                at++;
            }
            cr_assert(n > 0 && n <= max, "%zu records for a maximum of %zu", n, max);
            cr_assert_eq(rbed_position(), at);
            kw_core_records_release(records, KW_DONE);
        }
        cr_assert_null(rbed_poll_one(max));
        cr_assert_eq(rbed.core->stats.records_fetched, 20);
        rbed_end();
    }
}

Test(records, max_poll_records_is_the_default_maximum)
{
    rbed_begin(0, "max.poll.records", "3");
    rbed_made_batch((struct records_spec){.base_offset = 0, .n = 7});
    rbed_feed_made(7);
    rbed_read_handle(0, 0, 3);
    rbed_read_handle(0, 3, 3);
    rbed_read_handle(0, 6, 1);
    rbed_end();
}

/* Places in a batch are remembered every so many records: pieces that begin and end
 * beside them, at them and far behind them. */
Test(records, a_large_batch_is_cut_anywhere_whatever_the_usual_maximum_is)
{
    static const char *const usual[] = {"1", "3", "7", "50", "500"};

    for (size_t i = 0; i < 5 * 64; i++) {
        uint32_t chance = (uint32_t)i * 2654435761u + 1;
        memset(&rbed, 0, sizeof rbed);
        rbed_begin(0, "max.poll.records", usual[i % 5]);
        rbed_made_batch((struct records_spec){.base_offset = 0, .n = 150});
        rbed_made_batch((struct records_spec){.base_offset = 150, .n = 20});
        rbed_feed_made(170);
        for (int64_t at = 0, n; at < 170; at += n) {
            int64_t end = at < 150 ? 150 : 170;
            chance = chance * 1664525 + 1013904223;
            n = 1 + (chance >> 16) % (i % 3 ? 7 : 70);
            n = n < end - at ? n : end - at;
            rbed_read_handle((size_t)n, at, n);
        }
        rbed_end();
    }
}

Test(records, a_batch_that_begins_below_the_position_is_filtered)
{
    rbed_begin(7, NULL, NULL);
    rbed_made_batch((struct records_spec){.base_offset = 0, .n = 3});
    rbed_made_batch((struct records_spec){.base_offset = 5, .n = 5});
    rbed_feed_made(10);
    rbed_read_handle(0, 7, 3);
    cr_assert_eq(rbed_position(), 10);
    cr_assert_eq(rbed.core->stats.records_fetched, 3);
    rbed_end();
}

Test(records, a_cut_inside_a_filtered_batch_goes_on_behind_it)
{
    rbed_begin(7, NULL, NULL);
    rbed_made_batch((struct records_spec){.base_offset = 0, .n = 12});
    rbed_feed_made(12);
    struct kw_records *records;
    int64_t at = 7;
    while ((records = rbed_poll_one(5))) {
        while (rbed_expect_next(records, at))
            at++;
        kw_core_records_release(records, KW_DONE);
    }
    cr_assert_eq(at, 12);
    cr_assert_eq(rbed_position(), 12);
    rbed_end();
}

Test(records, gaps_of_a_compacted_log_are_kept_and_stepped_over)
{
    rbed_begin(10, NULL, NULL);
    rbed_made_batch((struct records_spec){.base_offset = 10, .n = 3, .step = 4, .last_delta = 30});
    rbed_made_batch((struct records_spec){.base_offset = 60, .n = 2, .step = 2, .last_delta = 9});
    rbed_feed_made(70);
    struct kw_records *records = rbed_poll_one(2);
    cr_assert(rbed_expect_next(records, 10));
    cr_assert(rbed_expect_next(records, 14));
    cr_assert_null(kw_records_next(records));
    cr_assert_eq(rbed_position(), 15);
    kw_core_records_release(records, KW_DONE);
    records = rbed_poll_one(0);
    cr_assert(rbed_expect_next(records, 18));
    cr_assert(rbed_expect_next(records, 60));
    cr_assert(rbed_expect_next(records, 62));
    cr_assert_null(kw_records_next(records));
    cr_assert_eq(rbed_position(), 70, "the last offsets of the batch were compacted away");
    kw_core_records_release(records, KW_DONE);
    rbed_end();
}

Test(records, empty_and_control_batches_move_the_position_and_nothing_else)
{
    rbed_begin(0, NULL, NULL);
    rbed_made_batch((struct records_spec){.base_offset = 0, .n = 0, .last_delta = 9});
    rbed_made_batch(
        (struct records_spec){.base_offset = 10, .n = 1, .attributes = KWI_BATCH_CONTROL});
    rbed_made_batch((struct records_spec){.base_offset = 11, .n = 2});
    rbed_made_batch(
        (struct records_spec){.base_offset = 13, .n = 1, .attributes = KWI_BATCH_CONTROL});
    rbed_made_batch((struct records_spec){.base_offset = 14, .n = 2});
    rbed_made_batch((struct records_spec){.base_offset = 16, .n = 0, .last_delta = 3});
    rbed_feed_made(20);
    struct kw_records *records = rbed_poll_one(0);
    cr_assert(rbed_expect_next(records, 11));
    cr_assert(rbed_expect_next(records, 12));
    cr_assert(rbed_expect_next(records, 14));
    cr_assert(rbed_expect_next(records, 15));
    cr_assert_null(kw_records_next(records));
    kw_core_records_release(records, KW_DONE);
    cr_assert_eq(rbed_position(), 20);
    /* An answer of nothing else. */
    rbed_made_batch(
        (struct records_spec){.base_offset = 20, .n = 1, .attributes = KWI_BATCH_CONTROL});
    rbed_feed_made(21);
    cr_assert_null(rbed_poll_one(0));
    cr_assert_eq(rbed_position(), 21);
    cr_assert_eq(rbed.part->state, KWI_PART_FETCH);
    rbed_end();
}

Test(records, a_batch_that_is_cut_off_at_the_end_is_left_for_the_next_fetch)
{
    for (size_t cut = 1; cut < 100; cut += 7) {
        memset(&rbed, 0, sizeof rbed);
        rbed_begin(0, NULL, NULL);
        rbed_made_batch((struct records_spec){.base_offset = 0, .n = 2});
        size_t whole = rmade.len;
        rbed_made_batch((struct records_spec){.base_offset = 2, .n = 9, .value_len = 10});
        cr_assert_gt(rmade.len - cut, whole);
        rmade.len -= cut;
        rbed_feed_made(11);
        rbed_read_handle(0, 0, 2);
        cr_assert_null(rbed_poll_one(0));
        cr_assert_eq(rbed_position(), 2);
        cr_assert_eq(rbed.part->state, KWI_PART_FETCH);
        cr_assert_eq(rbed_next_event(KW_EVENT_PARTITION_EOF).kind, KW_EVENT_NONE);
        rbed_end();
    }
}

Test(records, data_that_does_not_reach_the_position_is_asked_for_after_a_pause)
{
    rbed_begin(50, NULL, NULL);
    rbed_made_batch((struct records_spec){.base_offset = 0, .n = 2});
    rbed_feed_made(100);
    cr_assert_null(rbed_poll_one(0));
    cr_assert_eq(rbed_position(), 50);
    cr_assert_eq(rbed.part->state, KWI_PART_WAIT, "it would be asked for again at once, for ever");
    rbed_end();
}

/* ---- bounded work ---------------------------------------------------------------------------- */

/* A batch of n records of size bytes each. */
static uint8_t *large_batch(size_t size, int32_t n, size_t *len)
{
    size_t room = (size + 64) * (size_t)n;
    uint8_t *big = malloc(KWI_BATCH_HEADER + room);
    struct kw_wr wr = kwi_wr_make(big + KWI_BATCH_HEADER, room);
    char *value = calloc(1, size);
    for (int32_t i = 0; i < n; i++)
        kwi_record_put(&wr, i, i, (struct kw_bytes){NULL, 0}, (struct kw_bytes){value, size}, NULL,
                       0);
    cr_assert_eq(kwi_wr_status(&wr), 0);
    struct kw_batch_header header;
    kwi_batch_header_init(&header);
    header.base_offset = 0;
    header.record_count = n;
    header.last_offset_delta = n - 1;
    kwi_batch_header_put(big, &header);
    *len = KWI_BATCH_HEADER + wr.len;
    kwi_batch_seal(big, *len, kwi_crc32c_portable);
    free(value);
    return big;
}

/* As large as producers make them. */
Test(records, a_batch_of_a_megabyte_is_there_at_the_first_poll)
{
    size_t len;
    uint8_t *big = large_batch(1000, 990, &len);
    rbed_begin(0, NULL, NULL);
    rbed_feed(big, len, 990);
    struct kw_records *records = rbed_poll_one(0);
    cr_assert_not_null(records);
    kw_core_records_release(records, KW_DONE);
    rbed_end();
    free(big);
}

Test(records, a_batch_of_many_mebibytes_is_verified_in_bounded_calls)
{
    const int32_t n = 13;
    size_t len;
    uint8_t *big = large_batch((3 * 1024 * 1024 + 77) / 10, n, &len);
    unsigned polls = 0;
    struct kw_records *records;
    rbed_begin(0, NULL, NULL);
    rbed_feed(big, len, n);
    while (!(records = rbed_poll_one(0))) {
        polls++;
        cr_assert_lt(polls, 20);
        cr_assert_eq(rbed_next_event(KW_EVENT_RECORDS).kind, KW_EVENT_RECORDS,
                     "poll must be called again");
    }
    cr_assert_geq(polls, 3);
    cr_assert_leq(rbed.crc_most, 1024 * 1024);
    for (size_t i = 0; i < (size_t)n; i++)
        cr_assert_not_null(kw_records_next(records));
    cr_assert_null(kw_records_next(records));
    kw_core_records_release(records, KW_DONE);
    cr_assert_eq(rbed_position(), n);
    rbed_end();
    free(big);
}

Test(records, one_poll_checks_no_more_than_a_mebibyte_of_small_batches)
{
    rbed_begin(0, NULL, NULL);
    size_t cap = 4 * 1024 * 1024, len = 0;
    uint8_t *bytes = malloc(cap);
    int64_t offset = 0, at = 0;
    while (len + sizeof rmade.buf < cap) {
        rmade.len = 0;
        rbed_made_batch((struct records_spec){.base_offset = offset, .n = 4, .value_len = 8000});
        memcpy(bytes + len, rmade.buf, rmade.len);
        len += rmade.len;
        offset += 4;
    }
    rbed_feed(bytes, len, offset);
    for (int i = 0; i < 100 && at < offset; i++) {
        struct kw_records *records = rbed_poll_one(1000000);
        while (records && rbed_expect_next(records, at))
            at++;
        kw_core_records_release(records, KW_DONE);
    }
    cr_assert_eq(at, offset);
    cr_assert_leq(rbed.crc_most, 1024 * 1024);
    cr_assert_gt(rbed.crc_most, 400 * 1024, "checksums and lengths share the budget");
    rbed_end();
    free(bytes);
}

Test(records, steady_state_allocates_nothing)
{
    rbed_begin(0, NULL, NULL);
    size_t before = 0;
    for (int64_t round = 0; round < 50; round++) {
        rbed_made_batch((struct records_spec){.base_offset = round * 6, .n = 6});
        rbed_feed_made(1000);
        rbed_read_handle(4, round * 6, 4);
        rbed_read_handle(4, round * 6 + 4, 2);
        if (round == 3)
            before = rbed.n_allocs;
    }
    cr_assert_eq(rbed.n_allocs, before);
    rbed_end();
}

/* ---- handles, seek, pause, assignment ------------------------------------------------------------ */

Test(records, handles_live_until_their_release_in_any_order)
{
    struct kw_records *handles[4];
    rbed_begin(0, NULL, NULL);
    rbed_made_batch((struct records_spec){.base_offset = 0, .n = 20});
    rbed_feed_made(20);
    size_t idle = rbed.core->fetch.used - rbed.core->fetch_pool.kept_bytes;
    for (int i = 0; i < 4; i++)
        handles[i] = rbed_poll_one(5);
    cr_assert_null(rbed_poll_one(5));
    cr_assert_eq(rbed.core->fetch.used - rbed.core->fetch_pool.kept_bytes, idle,
                 "the frame counts while a handle holds it");
    static const int order[] = {2, 0, 3, 1};
    for (int i = 0; i < 4; i++) {
        for (int64_t k = 0; k < 5; k++)
            cr_assert(rbed_expect_next(handles[order[i]], order[i] * 5 + k));
        cr_assert_neq(rbed.core->fetch.used - rbed.core->fetch_pool.kept_bytes, 0);
        kw_core_records_release(handles[order[i]], KW_DONE);
    }
    cr_assert_eq(rbed.core->fetch.used - rbed.core->fetch_pool.kept_bytes, 0);
    kw_core_records_release(NULL, KW_DONE);
    rbed_end();
}

Test(records, after_a_seek_nothing_old_is_delivered_but_old_handles_stay_readable)
{
    rbed_begin(0, NULL, NULL);
    rbed_made_batch((struct records_spec){.base_offset = 0, .n = 20});
    rbed_feed_made(20);
    struct kw_records *old = rbed_poll_one(5);
    struct kw_start start = {"t", 3, KW_START_OFFSET, 3};
    cr_assert_eq(kw_core_seek(rbed.consumer, &start), 0);
    cr_assert_eq(rbed_position(), 3);
    cr_assert_null(rbed_poll_one(0));
    rbed.part->state = KWI_PART_FETCH;
    rbed_made_batch((struct records_spec){.base_offset = 0, .n = 20});
    rbed_feed_made(20);
    rbed_read_handle(0, 3, 17);
    for (int64_t i = 0; i < 5; i++)
        cr_assert(rbed_expect_next(old, i));
    kw_core_records_release(old, KW_DONE);
    rbed_end();
}

Test(records, a_broken_record_in_an_old_handle_does_not_stop_the_new_position)
{
    rbed_begin(0, NULL, NULL);
    rbed_made_batch((struct records_spec){.base_offset = 0, .n = 3, .value_len = 20});
    rmade.buf[KWI_BATCH_HEADER + 4] = 0x7e;
    rbed_made_seal(0);
    rbed_feed_made(3);
    struct kw_records *old = rbed_poll_one(0);
    struct kw_start start = {"t", 3, KW_START_OFFSET, 9};
    cr_assert_eq(kw_core_seek(rbed.consumer, &start), 0);
    cr_assert_null(kw_records_next(old));
    cr_assert_neq(rbed.part->state, KWI_PART_STOPPED);
    cr_assert_eq(rbed_position(), 9);
    cr_assert_eq(rbed_next_event(KW_EVENT_ERROR).kind, KW_EVENT_NONE);
    kw_core_records_release(old, KW_DONE);
    rbed_end();
}

Test(records, a_new_assignment_drops_what_was_buffered_and_keeps_handles_readable)
{
    rbed_begin(0, NULL, NULL);
    rbed_made_batch((struct records_spec){.base_offset = 0, .n = 20});
    rbed_feed_made(20);
    struct kw_records *old = rbed_poll_one(5), *unread = rbed_poll_one(5);
    rbed_assign(100);
    cr_assert_null(rbed_poll_one(0));
    for (int64_t i = 0; i < 5; i++)
        cr_assert(rbed_expect_next(old, i));
    cr_assert_eq(kw_core_assign(rbed.consumer, NULL, 0, NULL), 0);
    int64_t offset;
    cr_assert_eq(kw_position(rbed.consumer, "t", 3, &offset), KW_ERR_STATE);
    cr_assert_str_eq(kw_records_topic(old), "t");
    cr_assert_eq(kw_records_partition(old), 3);
    kw_core_records_release(old, KW_DONE);
    (void)unread; /* never released: the core's end takes it */
    rbed_end();
}

Test(records, a_failed_assignment_changes_nothing)
{
    rbed_begin(0, NULL, NULL);
    rbed_made_batch((struct records_spec){.base_offset = 0, .n = 20});
    rbed_feed_made(20);
    struct kw_start twice[] = {{"a", 0, KW_START_EARLIEST, 0}, {"a", 0, KW_START_LATEST, 0}};
    struct kw_start bad[] = {{"", 0, 0, 0},
                             {"a b", 0, 0, 0},
                             {"a", -1, 0, 0},
                             {"a", 0, 0, -1},
                             {"a", 0, 99, 0},
                             {NULL, 0, 0, 0},
                             {"a", 0, KW_START_TAIL, -1},
                             {"a", 0, KW_START_TIMESTAMP, -2}};
    struct kw_error err;
    cr_assert_eq(kw_core_assign(rbed.consumer, twice, 2, &err), KW_ERR_USE);
    cr_assert(strstr(err.text, "twice"), "%s", err.text);
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(kw_core_assign(rbed.consumer, &bad[i], 1, &err), KW_ERR_USE, "case %u", i);
        cr_assert_eq(kw_core_seek(rbed.consumer, &bad[i]), KW_ERR_USE);
    }
    rbed_read_handle(0, 0, 20);
    struct kw_start other = {"t", 4, KW_START_OFFSET, 1};
    cr_assert_eq(kw_core_seek(rbed.consumer, &other), KW_ERR_STATE);
    cr_assert_eq(kw_core_pause(rbed.consumer, "t", 4, true), KW_ERR_STATE);
    cr_assert_eq(kw_core_pause(rbed.consumer, "u", 3, true), KW_ERR_STATE);
    rbed_end();
}

Test(records, a_paused_partition_keeps_what_is_buffered_and_delivers_it_after_resume)
{
    rbed_begin(0, NULL, NULL);
    rbed_made_batch((struct records_spec){.base_offset = 0, .n = 9});
    rbed_feed_made(9);
    rbed_read_handle(2, 0, 2);
    cr_assert_eq(kw_core_pause(rbed.consumer, "t", 3, true), 0);
    cr_assert_eq(kw_core_pause(rbed.consumer, "t", 3, true), 0);
    cr_assert_null(rbed_poll_one(0));
    cr_assert_not_null(rbed.part->data.block);
    cr_assert_eq(rbed_position(), 2);
    cr_assert_eq(kw_core_pause(rbed.consumer, "t", 3, false), 0);
    cr_assert_eq(rbed_next_event(KW_EVENT_RECORDS).kind, KW_EVENT_RECORDS);
    rbed_read_handle(0, 2, 7);
    /* seek, pause, resume: the position is the seek's */
    struct kw_start start = {"t", 3, KW_START_OFFSET, 4};
    cr_assert_eq(kw_core_seek(rbed.consumer, &start), 0);
    cr_assert_eq(kw_core_pause(rbed.consumer, "t", 3, true), 0);
    cr_assert_eq(kw_core_pause(rbed.consumer, "t", 3, false), 0);
    cr_assert_eq(rbed_position(), 4);
    rbed_end();
}

Test(records, the_end_of_a_partition_is_told_once_each_time_it_is_reached)
{
    rbed_begin(0, NULL, NULL);
    rbed_made_batch((struct records_spec){.base_offset = 0, .n = 4});
    rbed_feed_made(4);
    cr_assert_eq(rbed_next_event(KW_EVENT_PARTITION_EOF).kind, KW_EVENT_NONE,
                 "nothing was read yet");
    rbed_read_handle(0, 0, 4);
    struct kw_event event = rbed_next_event(KW_EVENT_PARTITION_EOF);
    cr_assert_eq(event.kind, KW_EVENT_PARTITION_EOF);
    cr_assert_str_eq(event.topic_name, "t");
    cr_assert_eq(event.partition, 3);
    cr_assert_eq(event.offset, 4);
    kwi_part_check_eof(rbed.part); /* an empty answer */
    cr_assert_eq(rbed_next_event(KW_EVENT_PARTITION_EOF).kind, KW_EVENT_NONE);
    rbed_made_batch((struct records_spec){.base_offset = 4, .n = 1});
    rbed_feed_made(6);
    rbed_read_handle(0, 4, 1);
    cr_assert_eq(rbed_next_event(KW_EVENT_PARTITION_EOF).kind, KW_EVENT_NONE, "5 of 6");
    rbed_made_batch((struct records_spec){.base_offset = 5, .n = 1});
    rbed_feed_made(6);
    rbed_read_handle(0, 5, 1);
    cr_assert_eq(rbed_next_event(KW_EVENT_PARTITION_EOF).offset, 6);
    cr_assert_eq(rbed_position(), 6);
    rbed_end();
}
