/* Compressed batches and messages of formats 0 and 1: put where a fetch puts
 * them, unpacked as work items that the test runs, and read as records.
 *
 * covers: C23 C36 C37 C38 C39 C40 C41 C42 M09 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32.h"
#include "base/crc32c.h"
#include "proto/batch.h"
#include "proto/record.h"
#include "tests/client/unpack_bed.h"
#include "tests/vectors/vectors.h"
#include "tests/vectors/records.inc"
#include <kwire/codec.h>
#include <kwire/kwire.h>

static void expect_fault(int64_t offset, int code, const char *text, const char *hint)
{
    cr_assert_null(poll_until(SIZE_MAX));
    cr_assert(next_fault(), "no error event");
    cr_assert_eq(fault.code, code, "%s: %s", kw_err_name(fault.code), fault.text);
    cr_assert_eq(fault.partition, 3);
    cr_assert_eq(fault.offset, offset);
    cr_assert(strstr(fault.text, text), "%s", fault.text);
    cr_assert(strstr(fault.hint, hint), "%s", fault.hint);
    cr_assert_eq(bed.part->state, KWI_PART_STOPPED);
    cr_assert_null(bed.part->data.block);
    cr_assert_null(poll_until(SIZE_MAX));
}

/* Gives the bytes to the first partition and frees them. */
static void feed(struct bytes bytes)
{
    cr_assert(bed_feed(bed.part, bytes.ptr, bytes.len));
    free(bytes.ptr);
}

/* Reads handles until `end` is the position. */
static void read_to(int64_t from, int64_t end)
{
    while (from < end) {
        struct kw_records *records = poll_until(1000);
        const struct kw_consumed *consumed;
        char text[32];
        cr_assert_not_null(records, "stuck at %lld", (long long)from);
        while ((consumed = kw_records_next(records))) {
            size_t n = (size_t)snprintf(text, sizeof text, "%lld", (long long)from);
            cr_assert_eq(consumed->offset, from);
            cr_assert(consumed->value.len >= n && memcmp(consumed->value.ptr, text, n) == 0);
            from++;
        }
        kw_core_records_release(records, KW_DONE);
    }
    cr_assert_eq(from, end);
    cr_assert_eq(bed.part->position, end);
}

/* ---- Kafka's own bytes ---------------------------------------------------------------- */

static char text[16384];
static size_t text_len;

static void put(const char *s)
{
    text_len += (size_t)snprintf(text + text_len, sizeof text - text_len, "%s", s);
}

static void put_hex(const char *name, struct kw_bytes bytes)
{
    put(name);
    if (!bytes.ptr) {
        put("null");
        return;
    }
    put("\"");
    for (size_t i = 0; i < bytes.len; i++) {
        char hex[3];
        snprintf(hex, sizeof hex, "%02x", ((const uint8_t *)bytes.ptr)[i]);
        put(hex);
    }
    put("\"");
}

static void put_record(const struct kw_consumed *consumed)
{
    char head[96];
    struct kw_header_iter it;
    struct kw_header header;
    bool first = true;
    snprintf(head, sizeof head, "{\"offset\":%lld,\"timestamp\":%lld,", (long long)consumed->offset,
             (long long)consumed->timestamp_ms);
    put(head);
    put_hex("\"key_hex\":", consumed->key);
    put_hex(",\"value_hex\":", consumed->value);
    put(",\"headers\":[");
    kw_headers_begin(&it, consumed);
    while (kw_headers_next(&it, &header) == 1) {
        char key[64];
        snprintf(key, sizeof key, "%s{\"key\":\"%.*s\",", first ? "" : ",", (int)header.key.len,
                 (const char *)header.key.ptr);
        put(key);
        put_hex("\"value_hex\":", header.value);
        put("}");
        first = false;
    }
    put("]}");
}

/* Appends the record objects of a vector's JSON, one after the other. */
static char *records_of(const char *json)
{
    char *out = malloc(strlen(json) + 1), *p = out;
    const char *at = json;
    while ((at = strstr(at, "{\"offset\":"))) {
        int depth = 0;
        do {
            depth += (*at == '{') - (*at == '}');
            *p++ = *at++;
        } while (depth > 0);
    }
    *p = 0;
    return out;
}

static bool vector_is_readable(const struct vector_record *vector)
{
    static const char *const names[] = {"none", "gzip", "snappy", "lz4", "zstd"};
    for (int id = 1; vector->json && id < KW_N_CODECS; id++) {
        char key[40];
        snprintf(key, sizeof key, "\"compression\":\"%s\"", names[id]);
        if (strstr(vector->json, key) && !kw_codec_by_id(id))
            return false;
    }
    return vector->json && !strstr(vector->json, "\"control\":true");
}

Test(unpack, every_vector_of_kafka_is_delivered_as_its_records)
{
    for (size_t i = 0; i < VECTOR_COUNT(vector_records); i++) {
        const struct vector_record *vector = &vector_records[i];
        struct kw_records *records;
        const struct kw_consumed *consumed;
        struct bytes bytes;
        if (!vector_is_readable(vector))
            continue;
        char *want = records_of(vector->json);
        for (size_t slice = 1; slice <= 4096; slice *= 64) {
            bed_begin(0, NULL);
            bytes.ptr = vector_bytes(vector->hex, &bytes.len);
            feed(bytes);
            text_len = 0;
            text[0] = 0;
            while ((records = poll_until(slice))) {
                while ((consumed = kw_records_next(records))) {
                    cr_expect_eq(consumed->timestamp_type,
                                 strstr(vector->json, "LogAppendTime") != NULL);
                    put_record(consumed);
                }
                kw_core_records_release(records, KW_DONE);
            }
            cr_expect(!next_fault(), "%s: %s", vector->name, fault.text);
            cr_expect_str_eq(text, want, "%s", vector->name);
            bed_end();
        }
        free(want);
    }
}

Test(unpack, a_bad_checksum_of_kafka_is_never_delivered)
{
    int n = 0;
    for (size_t i = 0; i < VECTOR_COUNT(vector_records); i++) {
        struct bytes bytes;
        if (vector_records[i].crc_is_bad || !vector_is_readable(&vector_records[i]))
            continue;
        bytes.ptr = vector_bytes(vector_records[i].hex, &bytes.len);
        bytes.ptr[KWI_BATCH_CRC + (bytes.ptr[KWI_BATCH_MAGIC] < 2 ? -5 : 0)] ^= 0x40;
        bed_begin(0, NULL);
        feed(bytes);
        expect_fault(0, KW_ERR_CRC, "checksum", "seek behind");
        bed_end();
        n++;
    }
    cr_assert_gt(n, 5);
}

Test(unpack, every_changed_byte_behind_a_right_checksum_is_survived)
{
    for (size_t i = 0; i < VECTOR_COUNT(vector_records); i++) {
        struct bytes bytes, copy;
        struct kw_records *records;
        if (!vector_is_readable(&vector_records[i]) ||
            !strncmp(vector_records[i].name, "batch-v2-idem", 13))
            continue;
        bytes.ptr = vector_bytes(vector_records[i].hex, &bytes.len);
        for (size_t at = KWI_BATCH_ATTRIBUTES; at < bytes.len; at++) {
            bed_begin(0, "check.crcs=false\nmax.decompressed.batch.bytes=65536\n");
            copy = (struct bytes){malloc(bytes.len), bytes.len};
            memcpy(copy.ptr, bytes.ptr, bytes.len);
            copy.ptr[at] ^= at % 2 ? 0xff : 0x01;
            feed(copy);
            while ((records = poll_until(SIZE_MAX))) {
                while (kw_records_next(records))
                    ;
                kw_core_records_release(records, KW_DONE);
            }
            cr_assert_lt(bed.core->fetch.peak, 512 * 1024);
            bed_end();
        }
        free(bytes.ptr);
    }
}

/* ---- frames of several batches -------------------------------------------------------------- */

Test(unpack, plain_compressed_and_cut_batches_of_one_frame_come_in_order)
{
    for (int id = 1; id < KW_N_CODECS; id++) {
        if (!kw_codec_by_id(id))
            continue;
        for (int mask = 0; mask < 16; mask++) {
            struct bytes frame = {NULL, 0};
            for (int k = 0; k < 4; k++)
                append(&frame, batch_make(mask >> k & 1 ? id : 0, k * 10, 10, 40));
            struct bytes tail = batch_make(id, 40, 10, 40);
            tail.len -= 7;
            append(&frame, tail);
            bed_begin(0, "max.poll.records=7\n");
            feed(frame);
            read_to(0, 40);
            cr_assert_null(poll_until(1000));
            cr_assert_null(bed.part->data.block);
            kwi_unpack_trim(bed.core, 0);
            cr_assert_eq(bed.core->fetch.used, bed.core->fetch_pool.kept_bytes);
            bed_end();
        }
    }
}

Test(unpack, the_frame_is_let_go_when_its_last_batch_is_unpacked)
{
    if (!kw_codec_by_id(KW_CODEC_LZ4))
        cr_skip_test("built without lz4");
    bed_begin(0, NULL);
    struct bytes frame = batch_make(KW_CODEC_LZ4, 0, 10, 100);
    feed(frame);
    struct kw_block *block = bed.part->data.block;
    struct kw_records *records = poll_until(SIZE_MAX);
    cr_assert_not_null(records);
    cr_assert_neq(records->block, block);
    cr_assert_eq(block->holds, 0);
    kw_core_records_release(records, KW_DONE);
    bed_end();
}

Test(unpack, a_position_inside_a_compressed_batch_is_kept)
{
    if (!kw_codec_by_id(KW_CODEC_GZIP))
        cr_skip_test("built without zlib");
    bed_begin(17, NULL);
    struct bytes frame = batch_make(KW_CODEC_GZIP, 0, 10, 4);
    append(&frame, batch_make(KW_CODEC_GZIP, 10, 10, 4));
    feed(frame);
    read_to(17, 20);
    cr_assert_eq(bed.core->stats.records_fetched, 3);
    bed_end();
}

Test(unpack, a_count_that_lies_stops_the_partition)
{
    if (!kw_codec_by_id(KW_CODEC_GZIP))
        cr_skip_test("built without zlib");
    static const int32_t counts[] = {1, 9, 11, 1000000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct bytes frame = batch_make(KW_CODEC_GZIP, 0, 10, 4);
        kwi_put_u32(frame.ptr + KWI_BATCH_RECORD_COUNT, (uint32_t)counts[i]);
        kwi_batch_seal(frame.ptr, frame.len, kwi_crc32c_portable);
        bed_begin(0, NULL);
        feed(frame);
        expect_fault(0, KW_ERR_CORRUPT, "contradicts itself", "seek behind");
        bed_end();
    }
}

Test(unpack, corrupt_data_stops_its_partition_and_the_other_goes_on)
{
    static const char *const names[] = {"", "(gzip)", "(snappy)", "(lz4)", "(zstd)"};
    for (int id = 1; id < KW_N_CODECS; id++) {
        if (!kw_codec_by_id(id))
            continue;
        struct bytes good = batch_make(id, 0, 5, 10), bad = batch_make(id, 0, 10, 40);
        memset(bad.ptr + KWI_BATCH_HEADER, 0xa5, 8);
        kwi_batch_seal(bad.ptr, bad.len, kwi_crc32c_portable);
        bed_begin(0, NULL);
        feed(bad);
        cr_assert(bed_feed(bed.other, good.ptr, good.len));
        free(good.ptr);
        struct kw_records *records = poll_until(1000);
        cr_assert_not_null(records);
        cr_assert_eq(kw_records_partition(records), 4);
        kw_core_records_release(records, KW_DONE);
        expect_fault(0, KW_ERR_CORRUPT, names[id], "seek behind");
        bed_end();
    }
}

/* ---- sizes ------------------------------------------------------------------------------------ */

/* A batch of one record, or a message of format 1, whose value of len zeros is
 * far larger than itself. */
static struct bytes bomb(int id, size_t len, bool old)
{
    static uint8_t zeros[MIB];
    size_t n = len / MIB, size;
    struct kw_iov *in = calloc(n + 1, sizeof *in);
    for (size_t i = 0; i <= n; i++)
        in[i] = (struct kw_iov){zeros, i < n ? MIB : len % MIB};
    uint8_t *packed = pack(id, in, n + 1, len / 10 + MIB, &size);
    struct bytes bytes = {NULL, 0};
    free(in);
    if (!old) {
        bytes = batch_of(id, 0, 1, packed, size);
    } else {
        bytes = (struct bytes){calloc(1, 34 + size), 34 + size};
        kwi_put_u32(bytes.ptr + 8, (uint32_t)(22 + size));
        bytes.ptr[16] = 1;
        bytes.ptr[17] = (uint8_t)id;
        kwi_put_u32(bytes.ptr + 26, UINT32_MAX);
        kwi_put_u32(bytes.ptr + 30, (uint32_t)size);
        memcpy(bytes.ptr + 34, packed, size);
        kwi_put_u32(bytes.ptr + 12, kwi_crc32(0, bytes.ptr + 16, bytes.len - 16));
    }
    free(packed);
    return bytes;
}

Test(unpack, bombs_of_every_codec_and_format_are_refused_without_their_memory)
{
    for (int i = 2; i < 2 * KW_N_CODECS; i++) {
        int id = i / 2;
        if (!kw_codec_by_id(id) || (i % 2 && id == KW_CODEC_ZSTD))
            continue;
        struct bytes bytes = bomb(id, 96 * MIB, i % 2);
        size_t len = bytes.len;
        bed_begin(0, NULL);
        feed(bytes);
        expect_fault(0, KW_ERR_BOMB, "67108864 bytes", "max.decompressed.batch.bytes");
        cr_assert_lt(bed.core->fetch.peak, kwi_pool_cost(len) + MIB, "%d: %zu bytes", id,
                     bed.core->fetch.peak);
        bed_end();
    }
}

Test(unpack, a_batch_of_the_cap_passes_and_one_byte_more_does_not)
{
    for (int id = 1; id < KW_N_CODECS; id++) {
        if (!kw_codec_by_id(id))
            continue;
        struct bytes plain = batch_make(0, 0, 100, 700), batch = batch_make(id, 0, 100, 700);
        size_t size = plain.len - KWI_BATCH_HEADER;
        free(plain.ptr);
        for (size_t less = 0; less < 2; less++) {
            char line[64];
            snprintf(line, sizeof line, "max.decompressed.batch.bytes=%zu\n", size - less);
            bed_begin(0, line);
            cr_assert(bed_feed(bed.part, batch.ptr, batch.len));
            if (less)
                expect_fault(0, KW_ERR_BOMB, "larger than", "max.decompressed.batch.bytes");
            else
                read_to(0, 100);
            bed_end();
        }
        free(batch.ptr);
    }
}

/* Several gzip members: the codec knows the size of the last only. */
static struct bytes batch_grows(int32_t n, size_t value_len)
{
    size_t cap = (size_t)n * (value_len + 64), len, total = 0;
    uint8_t *plain = malloc(cap), *members = malloc(cap * 2 + 4096);
    char *value = malloc(value_len + 32);
    for (int32_t i = 0; i < n; i++) {
        struct kw_wr wr = kwi_wr_make(plain, cap);
        memset(value, '.', value_len + 32);
        size_t k = (size_t)snprintf(value, 32, "%d", i);
        value[k] = '.';
        kwi_record_put(&wr, i, i, (struct kw_bytes){NULL, 0}, (struct kw_bytes){value, value_len},
                       NULL, 0);
        struct kw_iov in = {plain, wr.len};
        uint8_t *packed = pack(KW_CODEC_GZIP, &in, 1, kw_codec_by_id(1)->bound(wr.len), &len);
        memcpy(members + total, packed, len);
        total += len;
        free(packed);
    }
    struct bytes batch = batch_of(KW_CODEC_GZIP, 0, n, members, total);
    free(value);
    free(members);
    free(plain);
    return batch;
}

Test(unpack, a_result_larger_than_announced_grows)
{
    if (!kw_codec_by_id(KW_CODEC_GZIP))
        cr_skip_test("built without zlib");
    bed_begin(0, NULL);
    feed(batch_grows(40, 5000));
    read_to(0, 40);
    bed_end();
    bed_begin(0, "max.decompressed.batch.bytes=100000\n");
    feed(batch_grows(40, 5000));
    expect_fault(0, KW_ERR_BOMB, "100000 bytes", "max.decompressed.batch.bytes");
    bed_end();
}

Test(unpack, what_can_never_fit_the_reserve_is_a_typed_error)
{
    if (!kw_codec_by_id(KW_CODEC_GZIP))
        cr_skip_test("built without zlib");
    bed_begin(0, "fetch.memory=1000000\n");
    feed(batch_make(KW_CODEC_GZIP, 0, 300, 5000));
    expect_fault(0, KW_ERR_LIMIT, "do not fit the fetch reserve", "fetch.memory");
    bed_end();
    bed_begin(0, "fetch.memory=1000000\n"); /* the same, found while it grows */
    feed(batch_grows(300, 5000));
    expect_fault(0, KW_ERR_LIMIT, "do not fit the fetch reserve", "fetch.memory");
    bed_end();
}

/* ---- a reserve that is full ------------------------------------------------------------------------ */

Test(unpack, a_batch_waits_for_a_handle_and_says_so_once)
{
    if (!kw_codec_by_id(KW_CODEC_GZIP))
        cr_skip_test("built without zlib");
    bed_begin(0, "fetch.memory=1000000\n");
    struct bytes frame = batch_make(KW_CODEC_GZIP, 0, 100, 4000); /* 512 + 64 KiB each */
    append(&frame, batch_make(KW_CODEC_GZIP, 100, 100, 4000));
    feed(frame);
    struct kw_records *first = poll_until(SIZE_MAX);
    cr_assert_not_null(first);
    cr_assert_null(poll_until(SIZE_MAX));
    for (int i = 0; i < 5; i++) {
        bed_step(200000);
        cr_assert_null(poll_until(SIZE_MAX));
    }
    cr_assert(!next_fault(), "%s", fault.text);
    cr_assert(bed.starved);
    bed.starved = false;
    bed_step(200000);
    cr_assert(!next_fault());
    cr_assert(!bed.starved, "told twice");
    kw_core_records_release(first, KW_DONE);
    read_to(100, 200);
    bed_end();
}

Test(unpack, parts_that_fill_the_reserve_with_frames_do_not_block_each_other)
{
    if (!kw_codec_by_id(KW_CODEC_GZIP))
        cr_skip_test("built without zlib");
    bed_begin(0, "fetch.memory=1300000\n");
    struct bytes frame = batch_make(KW_CODEC_GZIP, 0, 100, 4000); /* 512 + 64 KiB */
    frame.ptr = realloc(frame.ptr, 300000); /* a frame of 256 + 64 KiB; the tail is cut off */
    memset(frame.ptr + frame.len, 0, 300000 - frame.len);
    kwi_put_u32(frame.ptr + frame.len + 8, 4000000);
    frame.ptr[frame.len + 16] = 2;
    cr_assert(bed_feed(bed.part, frame.ptr, 300000));
    cr_assert(bed_feed(bed.other, frame.ptr, 300000));
    struct kw_block *rest = kwi_block_create(&bed.core->fetch_pool, 128 * 1024, 0);
    cr_assert_not_null(rest);
    cr_assert_null(poll_until(SIZE_MAX));
    bed_step(200000);
    struct kw_records *records = poll_until(SIZE_MAX);
    cr_assert_not_null(records, "one gives way");
    cr_assert_eq(kw_records_partition(records), 3);
    cr_assert_null(bed.other->data.block);
    cr_assert_eq(bed.other->position, 0, "it is fetched again");
    cr_assert(!next_fault());
    kw_core_records_release(records, KW_DONE);
    kwi_block_release(rest);
    free(frame.ptr);
    bed_end();
}

/* ---- while the work is out --------------------------------------------------------------------------- */

Test(unpack, work_that_comes_back_for_a_part_that_moved_is_dropped)
{
    if (!kw_codec_by_id(KW_CODEC_GZIP))
        cr_skip_test("built without zlib");
    for (int how = 0; how < 5; how++) {
        struct kw_start start = {"t", 3, KW_START_OFFSET, 5};
        struct kw_records *records = NULL;
        bed_begin(0, NULL);
        feed(batch_make(KW_CODEC_GZIP, 0, 10, 300));
        cr_assert_eq(kw_core_consumer_poll(bed.consumer, &records, 0), 0);
        if (how > 0)
            cr_assert(bed_take_work());
        if (how < 3) {
            cr_assert_eq(kw_core_seek(bed.consumer, &start), 0);
            bed.part->state = KWI_PART_FETCH;
            feed(batch_make(KW_CODEC_GZIP, 0, 10, 300)); /* waits behind the old work */
            if (how == 1)
                cr_assert(bed_run_work(100));
            read_to(5, 10);
        } else if (how == 3) {
            cr_assert_eq(bed_assign(8), 0);
            cr_assert(bed_run_work(100));
            feed(batch_make(KW_CODEC_GZIP, 0, 10, 300));
            read_to(8, 10);
        } /* else destroyed while it is out, and never run */
        bed_end();
    }
}

Test(unpack, a_paused_part_keeps_its_image_until_it_resumes)
{
    if (!kw_codec_by_id(KW_CODEC_GZIP))
        cr_skip_test("built without zlib");
    struct kw_records *records = NULL;
    bed_begin(0, NULL);
    feed(batch_make(KW_CODEC_GZIP, 0, 10, 300));
    cr_assert_eq(kw_core_consumer_poll(bed.consumer, &records, 0), 0);
    cr_assert_eq(kw_core_pause(bed.consumer, "t", 3, true), 0);
    cr_assert_null(poll_until(1000));
    cr_assert_null(poll_until(1000));
    cr_assert_eq(kw_core_pause(bed.consumer, "t", 3, false), 0);
    read_to(0, 10);
    bed_end();
}

Test(unpack, steady_state_allocates_nothing)
{
    size_t before = 0;
    bed_begin(0, NULL);
    for (int round = 0; round < 20; round++) {
        for (int id = 1; id < KW_N_CODECS; id++) {
            if (!kw_codec_by_id(id))
                continue;
            feed(batch_make(id, bed.part->position, 20, 100));
            read_to(bed.part->position, bed.part->position + 20);
            cr_assert_null(poll_until(1000));
        }
        if (round == 2)
            before = bed.n_allocs;
    }
    cr_assert_eq(bed.n_allocs, before);
    bed_end();
}

Test(unpack, any_allocation_may_fail_once_or_from_then_on)
{
    struct bytes frame = {NULL, 0};
    int64_t end = 0;
    for (int id = 1; id < KW_N_CODECS; id++, end += kw_codec_by_id(id - 1) ? 10 : 0)
        if (kw_codec_by_id(id))
            append(&frame, batch_make(id, end, 10, 900));
    for (size_t run = 1; run; run = run == 1 ? 1000000 : 0) {
        bool done = false;
        for (size_t at = 0; !done; at++) {
            memset(&bed, 0, sizeof bed);
            bed.fail_at = at;
            bed.fail_run = run;
            if (!bed_try(0, NULL) && bed_feed(bed.part, frame.ptr, frame.len)) {
                struct kw_records *records;
                for (int i = 0; i < 4; i++) {
                    while ((records = poll_until(1000))) {
                        while (kw_records_next(records))
                            ;
                        kw_core_records_release(records, KW_DONE);
                    }
                    bed_step(200000);
                }
                cr_assert(!next_fault(), "%s", fault.text);
                cr_assert(run > 1 || bed.part->position == end,
                          "stuck at %lld behind allocation %zu", (long long)bed.part->position, at);
            }
            done = bed.n_allocs <= at;
            bed_end();
            cr_assert_lt(at, 500);
        }
    }
    free(frame.ptr);
}

/* ---- formats 0 and 1 ------------------------------------------------------------------------------------ */

Test(unpack, old_messages_come_in_runs_with_their_own_times)
{
    static const struct {
        int magic;
        bool append_time;
        int64_t offset, timestamp;
    } rows[] = {{0, false, 0, -1},        {0, false, 1, -1},
                {1, false, 2, INT64_MAX}, {1, false, 3, INT64_MIN},
                {1, false, 9, 5},         {1, true, 10, 77},
                {1, true, 11, 77},        {1, true, 12, 78},
                {0, false, 13, -1},       {1, false, INT64_C(1) << 40, 6}};
    size_t n = sizeof rows / sizeof *rows, i = 0, n_handles = 0;
    struct bytes frame = {NULL, 0};
    struct kw_records *records;
    const struct kw_consumed *consumed;
    for (size_t k = 0; k < n; k++)
        append(&frame, message_make(rows[k].magic, rows[k].offset, rows[k].offset,
                                    rows[k].timestamp, rows[k].append_time));
    bed_begin(0, NULL);
    feed(frame);
    for (; (records = poll_until(1)); n_handles++) {
        for (; (consumed = kw_records_next(records)); i++) {
            cr_assert_lt(i, n);
            cr_assert_eq(consumed->offset, rows[i].offset);
            cr_assert_eq(consumed->timestamp_ms, rows[i].timestamp);
            cr_assert_eq(consumed->timestamp_type, rows[i].append_time);
            cr_assert_eq(consumed->leader_epoch, -1);
            cr_assert_null(consumed->key.ptr);
        }
        kw_core_records_release(records, KW_DONE);
    }
    cr_assert_eq(i, n);
    cr_assert_eq(n_handles, 6, "what goes together is one run");
    cr_assert(!next_fault());
    bed_end();
}

Test(unpack, in_a_run_those_before_a_bad_checksum_are_good)
{
    struct bytes frame = {NULL, 0};
    for (int64_t offset = 0; offset < 9; offset++) {
        struct bytes message = message_make(1, offset, offset, 5, false);
        message.ptr[12] ^= offset == 6;
        append(&frame, message);
    }
    bed_begin(0, NULL);
    feed(frame);
    read_to(0, 6);
    expect_fault(6, KW_ERR_CRC, "checksum", "seek behind");
    bed_end();
}

Test(unpack, a_position_inside_a_run_is_kept_and_a_run_below_it_is_passed)
{
    for (int64_t from = 0; from < 10; from++) {
        struct bytes frame = {NULL, 0};
        for (int64_t offset = 0; offset < 10; offset++)
            append(&frame, message_make(offset < 5 ? 0 : 1, offset, offset, 5, false));
        bed_begin(from, NULL);
        feed(frame);
        read_to(from, 10);
        cr_assert_null(poll_until(1000));
        bed_end();
    }
}

Test(unpack, a_wrapper_with_a_bad_message_or_a_wrapper_inside_gives_nothing)
{
    if (!kw_codec_by_id(KW_CODEC_GZIP))
        cr_skip_test("built without zlib");
    for (int kind = 0; kind < 4; kind++) {
        struct bytes inner = message_make(1, 0, 0, 5, false),
                     second = message_make(1, 1, 1, 5, false);
        if (kind == 0)
            second.ptr[13] ^= 1; /* its checksum */
        if (kind == 1)
            second = message_wrap(1, KW_CODEC_GZIP, 1, second);
        if (kind == 2)
            second.len--;
        if (kind == 3)
            second.ptr[7] = 0; /* offsets do not grow */
        append(&inner, second);
        bed_begin(0, NULL);
        feed(message_wrap(1, KW_CODEC_GZIP, 1, inner));
        expect_fault(0, kind ? KW_ERR_CORRUPT : KW_ERR_CRC, kind ? "" : "checksum", "seek behind");
        bed_end();
    }
}

Test(unpack, a_wrapper_whose_offset_was_never_set_counts_from_0)
{
    if (!kw_codec_by_id(KW_CODEC_GZIP))
        cr_skip_test("built without zlib");
    struct bytes inner = {NULL, 0};
    for (int64_t offset = 0; offset < 9; offset++)
        append(&inner, message_make(1, offset, offset, 5, false));
    bed_begin(4, NULL);
    feed(message_wrap(1, KW_CODEC_GZIP, 0, inner));
    read_to(4, 9);
    bed_end();
}
