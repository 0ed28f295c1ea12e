/* Producer ids, epochs and sequence numbers: the verdicts, as a table.
 * The serving side of P01 P02 P04 P05: what a real broker says to a retry. */
#include <criterion/criterion.h>

#include "bed.h"
#include "mock/sequence.h"

static void *host_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void host_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

static struct kw_heap heap;
static struct kw_map producers;

static void open_table(void)
{
    struct kw_alloc alloc = {host_alloc, host_free, NULL};
    kwi_heap_init(&heap, &alloc, SIZE_MAX);
    kwi_map_init(&producers, &heap);
}

static void close_table(void)
{
    kwi_mock_sequence_clear(&producers);
    kwi_map_deinit(&producers);
    cr_assert_eq(heap.used, 0);
}

/* Judges a batch and remembers it if it is to be appended. */
static enum kw_mock_verdict judge(int64_t id, int16_t epoch, int32_t first, int32_t n,
                                  int64_t offset, int64_t *old_offset)
{
    struct kw_mock_sequence batch = {id, epoch, first, kwi_mock_sequence_add(first, n - 1)};
    struct kw_mock_producer *producer;
    enum kw_mock_verdict verdict;
    cr_assert_eq(kwi_mock_sequence_open(&producers, id, &producer), 0);
    *old_offset = -1;
    verdict = kwi_mock_sequence_check(producer, &batch, old_offset);
    if (verdict == KWI_MOCK_APPEND)
        kwi_mock_sequence_commit(producer, &batch, offset);
    return verdict;
}

Test(mock_sequence, judges_each_batch_as_a_broker_does)
{
    static const struct {
        int64_t id;
        int16_t epoch;
        int32_t first, n;
        enum kw_mock_verdict verdict;
        int64_t old_offset;
    } steps[] = {
        {1, 0, 0, 3, KWI_MOCK_APPEND, -1},       /* sequences 0 to 2 */
        {1, 0, 0, 3, KWI_MOCK_DUPLICATE, 0},     /* a plain retry */
        {1, 0, 0, 2, KWI_MOCK_OUT_OF_ORDER, -1}, /* the same start, another size */
        {1, 0, 1, 2, KWI_MOCK_OUT_OF_ORDER, -1}, /* the same end */
        {1, 0, 4, 1, KWI_MOCK_OUT_OF_ORDER, -1}, /* a gap */
        {1, 0, 3, 1, KWI_MOCK_APPEND, -1},       /* sequence 3 */
        {1, 0, 4, 1, KWI_MOCK_APPEND, -1},
        {1, 0, 5, 1, KWI_MOCK_APPEND, -1},
        {1, 0, 6, 1, KWI_MOCK_APPEND, -1},
        {1, 0, 0, 3, KWI_MOCK_DUPLICATE, 0}, /* the fifth of five */
        {1, 0, 7, 1, KWI_MOCK_APPEND, -1},
        {1, 0, 0, 3, KWI_MOCK_OUT_OF_ORDER, -1}, /* out of the window now */
        {1, 0, 3, 1, KWI_MOCK_DUPLICATE, 50},
        {1, 1, 5, 1, KWI_MOCK_OUT_OF_ORDER, -1}, /* a new epoch begins at 0 */
        {1, 1, 0, 2, KWI_MOCK_APPEND, -1},
        {1, 1, 0, 2, KWI_MOCK_DUPLICATE, 140},
        {1, 0, 8, 1, KWI_MOCK_OLD_EPOCH, -1}, /* a zombie */
        {1, 0, 7, 1, KWI_MOCK_OLD_EPOCH, -1}, /* even with a duplicate */
        {1, 1, 2, 1, KWI_MOCK_APPEND, -1},
        {2, 5, 40, 2, KWI_MOCK_APPEND, -1}, /* unknown: any sequence */
        {2, 5, 42, 1, KWI_MOCK_APPEND, -1},
    };
    open_table();
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        int64_t old;
        /* What is appended gets ten times the step's number as its offset. */
        enum kw_mock_verdict verdict = judge(steps[i].id, steps[i].epoch, steps[i].first,
                                             steps[i].n, (int64_t)i * 10, &old);
        cr_assert_eq(verdict, steps[i].verdict, "step %zu", i);
        cr_assert_eq(old, steps[i].old_offset, "step %zu", i);
    }
    close_table();
}

Test(mock_sequence, answers_a_duplicate_with_its_old_offset)
{
    int64_t old;
    open_table();
    for (int32_t i = 0; i < 5; i++)
        cr_assert_eq(judge(9, 0, i * 2, 2, 100 + i * 2, &old), KWI_MOCK_APPEND);
    for (int32_t i = 0; i < 5; i++) {
        cr_assert_eq(judge(9, 0, i * 2, 2, 0, &old), KWI_MOCK_DUPLICATE);
        cr_assert_eq(old, 100 + i * 2);
    }
    close_table();
}

Test(mock_sequence, wraps_from_the_largest_number_to_zero)
{
    int64_t old;
    open_table();
    cr_assert_eq(kwi_mock_sequence_add(INT32_MAX, 1), 0);
    cr_assert_eq(kwi_mock_sequence_add(INT32_MAX - 1, 1), INT32_MAX);
    cr_assert_eq(kwi_mock_sequence_add(INT32_MAX - 1, 4), 2);
    cr_assert_eq(judge(3, 0, INT32_MAX - 1, 1, 0, &old), KWI_MOCK_APPEND);
    cr_assert_eq(judge(3, 0, INT32_MAX, 3, 1, &old), KWI_MOCK_APPEND);
    cr_assert_eq(judge(3, 0, 2, 1, 4, &old), KWI_MOCK_APPEND);
    cr_assert_eq(judge(3, 0, INT32_MAX, 3, 0, &old), KWI_MOCK_DUPLICATE);
    cr_assert_eq(old, 1);
    cr_assert_eq(judge(3, 0, INT32_MAX, 1, 0, &old), KWI_MOCK_OUT_OF_ORDER);
    close_table();
}
