/* The log of a partition: append, find, retain, truncate. */
#include <criterion/criterion.h>

#include "bed.h"
#include "mock/log.h"

static size_t n_blocks;

static void *host_alloc(void *ctx, size_t size)
{
    (void)ctx;
    n_blocks++;
    return malloc(size);
}

static void host_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    n_blocks--;
    free(ptr);
}

static struct kw_heap heap;
static struct kw_mock_log plog;

static void open_log(uint64_t retention)
{
    struct kw_alloc alloc = {host_alloc, host_free, NULL};
    kwi_heap_init(&heap, &alloc, SIZE_MAX);
    kwi_mock_log_init(&plog, &heap, retention);
}

static void close_log(void)
{
    kwi_mock_log_deinit(&plog);
    cr_assert_eq(heap.used, 0);
    cr_assert_eq(n_blocks, 0);
}

static size_t put(int32_t n_records, int64_t timestamp, int32_t epoch, size_t value_size)
{
    struct batch_spec spec = {
        .n_records = n_records, .timestamp = timestamp, .value_size = value_size};
    size_t len;
    uint8_t *batch = batch_make(&spec, &len);
    cr_assert_eq(kwi_mock_log_append(&plog, batch, (uint32_t)len, epoch, -1, NULL), 0);
    free(batch);
    return len;
}

Test(mock_log, stores_batches_with_its_own_offset_and_epoch_and_nothing_else_changed)
{
    struct batch_spec spec = {.n_records = 3, .timestamp = 5};
    size_t len;
    uint8_t *batch = batch_make(&spec, &len);
    open_log(0);
    put(2, 1, 0, 0);
    cr_assert_eq(kwi_mock_log_append(&plog, batch, (uint32_t)len, 7, -1, NULL), 0);
    cr_assert_eq(plog.end_offset, 5);
    const struct kw_mock_entry *entry = &plog.entries[1];
    cr_assert_eq(entry->base_offset, 2);
    cr_assert_eq(entry->last_offset, 4);
    cr_assert_eq(kwi_get_u64(entry->ptr), 2);
    cr_assert_eq(kwi_get_u32(entry->ptr + KWI_BATCH_LEADER_EPOCH), 7);
    cr_assert_eq(memcmp(entry->ptr + 8, batch + 8, 4), 0);
    cr_assert_eq(memcmp(entry->ptr + 16, batch + 16, len - 16), 0);
    cr_assert_eq(kwi_batch_crc_check(entry->ptr, len, kwi_crc32c_portable), 0);
    free(batch);
    close_log();
}

Test(mock_log, stamps_log_append_time_under_a_fresh_checksum)
{
    struct batch_spec spec = {.n_records = 2, .timestamp = 5};
    struct kw_batch_header header;
    size_t len;
    uint8_t *batch = batch_make(&spec, &len);
    open_log(0);
    cr_assert_eq(kwi_mock_log_append(&plog, batch, (uint32_t)len, 0, 900, kwi_crc32c_portable), 0);
    cr_assert_eq(kwi_batch_header_get(plog.entries[0].ptr, len, &header), 0);
    cr_assert(header.attributes & KWI_BATCH_LOG_APPEND_TIME);
    cr_assert_eq(header.max_timestamp, 900);
    cr_assert_eq(plog.entries[0].timestamp_max, 900);
    cr_assert_eq(kwi_batch_crc_check(plog.entries[0].ptr, len, kwi_crc32c_portable), 0);
    free(batch);
    close_log();
}

Test(mock_log, finds_every_offset_over_thousands_of_batches_of_all_sizes)
{
    open_log(0);
    for (int32_t i = 0; i < 3000; i++)
        put(1 + i % 5, i, 0, (size_t)(i % 97 == 0 ? 70000 : i % 50));
    uint32_t expected = 0;
    for (int64_t offset = 0; offset < plog.end_offset; offset++) {
        while (plog.entries[expected].last_offset < offset)
            expected++;
        cr_assert_eq(kwi_mock_log_find(&plog, offset), expected);
    }
    cr_assert_eq(kwi_mock_log_find(&plog, plog.end_offset), plog.n);
    for (uint32_t i = 0; i < plog.n; i++)
        cr_assert_eq(kwi_get_u64(plog.entries[i].ptr), (uint64_t)plog.entries[i].base_offset);
    close_log();
}

Test(mock_log, finds_the_first_batch_of_a_time_though_times_go_back_and_forth)
{
    static const int64_t times[] = {50, 10, 80, 20, 80, 100, 5};
    open_log(0);
    for (size_t i = 0; i < 7; i++)
        put(1, times[i], 0, 0);
    for (int64_t wanted = 0; wanted <= 101; wanted++) {
        uint32_t naive = 0;
        while (naive < 7 && times[naive] < wanted)
            naive++;
        cr_assert_eq(kwi_mock_log_find_time(&plog, wanted), naive, "time %d", (int)wanted);
    }
    close_log();
}

Test(mock_log, finds_by_time_also_when_the_latest_batch_was_dropped)
{
    open_log(1);
    put(1, 1000, 0, 0);
    plog.high_watermark = plog.end_offset;
    put(1, 10, 0, 0);
    plog.high_watermark = plog.end_offset;
    kwi_mock_log_retain(&plog);
    cr_assert_eq(plog.start_offset, 1);
    cr_assert_eq(kwi_mock_log_find_time(&plog, 500), plog.n);
    cr_assert_eq(kwi_mock_log_find_time(&plog, 5), plog.first);
    close_log();
}

Test(mock_log, keeps_to_its_retention_and_gives_the_memory_back)
{
    size_t peak_used = 0;
    open_log(20000);
    for (int32_t i = 0; i < 5000; i++) {
        put(2, i, 0, 100);
        plog.high_watermark = plog.end_offset;
        kwi_mock_log_retain(&plog);
        cr_assert_leq(plog.size, 20000);
        cr_assert_eq(plog.start_offset, plog.entries[plog.first].base_offset);
        if (i == 2500)
            peak_used = heap.peak;
    }
    cr_assert_eq(plog.end_offset, 10000);
    cr_assert_gt(plog.start_offset, 9800);
    cr_assert_leq(heap.peak, peak_used * 2, "memory grows though nothing is kept");
    close_log();
}

Test(mock_log, never_drops_what_replicas_lack_nor_the_last_batch)
{
    open_log(1);
    put(1, 1, 0, 0);
    put(1, 1, 0, 0);
    kwi_mock_log_retain(&plog);
    cr_assert_eq(plog.start_offset, 0);
    plog.high_watermark = 2;
    kwi_mock_log_retain(&plog);
    cr_assert_eq(plog.start_offset, 1);
    cr_assert_eq(plog.n - plog.first, 1);
    close_log();
}

Test(mock_log, truncates_to_any_batch_and_appends_again)
{
    for (int64_t keep = 0; keep <= 60; keep++) {
        open_log(0);
        for (int32_t i = 0; i < 60; i++)
            put(1, i, 0, (size_t)(i % 7) * 900);
        plog.high_watermark = 60;
        kwi_mock_log_truncate(&plog, keep);
        cr_assert_eq(plog.end_offset, keep);
        cr_assert_eq(plog.high_watermark, keep);
        put(3, 7, 1, 5000);
        cr_assert_eq(plog.end_offset, keep + 3);
        for (uint32_t i = 0; i < plog.n; i++)
            cr_assert_eq(
                kwi_batch_crc_check(plog.entries[i].ptr, plog.entries[i].len, kwi_crc32c_portable),
                0);
        close_log();
    }
}

Test(mock_log, knows_where_each_leader_epoch_ends)
{
    int64_t end;
    open_log(0);
    cr_assert_eq(kwi_mock_log_epoch_end(&plog, 3, &end), -1);
    cr_assert_eq(end, 0);
    put(2, 0, 1, 0);
    put(2, 0, 1, 0);
    put(2, 0, 4, 0);
    cr_assert_eq(kwi_mock_log_epoch_end(&plog, 0, &end), -1);
    cr_assert_eq(end, 0);
    cr_assert_eq(kwi_mock_log_epoch_end(&plog, 1, &end), 1);
    cr_assert_eq(end, 4);
    cr_assert_eq(kwi_mock_log_epoch_end(&plog, 3, &end), 1);
    cr_assert_eq(end, 4);
    cr_assert_eq(kwi_mock_log_epoch_end(&plog, 4, &end), 4);
    cr_assert_eq(end, 6);
    cr_assert_eq(kwi_mock_log_epoch_end(&plog, 9, &end), 4);
    cr_assert_eq(end, 6);
    close_log();
}

Test(mock_log, refuses_an_append_without_memory_and_stays_as_it_was)
{
    struct batch_spec spec = {.n_records = 1, .value_size = 9000};
    size_t len;
    uint8_t *batch = batch_make(&spec, &len);
    open_log(0);
    put(1, 1, 0, 0);
    heap.limit = heap.used;
    cr_assert_eq(kwi_mock_log_append(&plog, batch, (uint32_t)len, 0, -1, NULL), KW_ERR_NOMEM);
    cr_assert_eq(plog.end_offset, 1);
    cr_assert_eq(plog.n, 1);
    heap.limit = SIZE_MAX;
    cr_assert_eq(kwi_mock_log_append(&plog, batch, (uint32_t)len, 0, -1, NULL), 0);
    cr_assert_eq(plog.end_offset, 2);
    free(batch);
    close_log();
}
