/* The byte budget at and around its limit. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/alloc.h"

/* A host's allocator that counts, and refuses on demand. */
struct host {
    size_t n_blocks, n_bytes, n_calls;
    bool refuse;
};

static void *host_alloc(void *ctx, size_t size)
{
    struct host *host = ctx;
    host->n_calls++;
    if (host->refuse)
        return NULL;
    host->n_blocks++;
    host->n_bytes += size;
    return malloc(size);
}

static void host_free(void *ctx, void *ptr, size_t size)
{
    struct host *host = ctx;
    host->n_blocks--;
    host->n_bytes -= size;
    free(ptr);
}

static struct kw_heap heap_of(struct host *host, size_t limit)
{
    struct kw_heap heap;
    struct kw_alloc alloc = {host_alloc, host_free, host};
    kwi_heap_init(&heap, &alloc, limit);
    return heap;
}

Test(alloc, the_limit_itself_can_be_used_and_one_byte_more_cannot)
{
    struct host host = {0};
    struct kw_heap heap = heap_of(&host, 100);
    cr_assert_null(kwi_alloc(&heap, 101));
    cr_assert_eq(host.n_calls, 0, "the host is not asked above the limit");
    void *a = kwi_alloc(&heap, 60);
    void *b = kwi_alloc(&heap, 40);
    cr_assert(a && b);
    cr_assert_eq(heap.used, 100);
    cr_assert_null(kwi_alloc(&heap, 1));
    kwi_free(&heap, a, 60);
    cr_assert_null(kwi_alloc(&heap, 61));
    a = kwi_alloc(&heap, 60);
    cr_assert_not_null(a);
    kwi_free(&heap, a, 60);
    kwi_free(&heap, b, 40);
    cr_assert_eq(heap.used, 0);
    cr_assert_eq(heap.peak, 100);
    cr_assert_eq(host.n_blocks, 0);
}

Test(alloc, sizes_near_the_top_of_the_range_do_not_wrap)
{
    struct host host = {0};
    struct kw_heap heap = heap_of(&host, 100);
    void *a = kwi_alloc(&heap, 10);
    cr_assert_null(kwi_alloc(&heap, SIZE_MAX));
    cr_assert_null(kwi_alloc(&heap, SIZE_MAX - 9));
    cr_assert_null(kwi_strdup(&heap, "x", SIZE_MAX));
    cr_assert_eq(heap.used, 10);
    kwi_free(&heap, a, 10);
}

Test(alloc, a_refusal_of_the_host_leaves_the_count_alone)
{
    struct host host = {.refuse = true};
    struct kw_heap heap = heap_of(&host, SIZE_MAX);
    cr_assert_null(kwi_alloc(&heap, 8));
    cr_assert_null(kwi_alloc_zero(&heap, 8));
    cr_assert_null(kwi_strdup(&heap, "abc", 3));
    cr_assert_eq(heap.used, 0);
    cr_assert_eq(heap.peak, 0);
    cr_assert_eq(host.n_calls, 3);
}

Test(alloc, zeroed_memory_is_zero_over_its_whole_size)
{
    struct host host = {0};
    struct kw_heap heap = heap_of(&host, 1000);
    unsigned char *dirty = kwi_alloc(&heap, 333);
    memset(dirty, 0xee, 333);
    kwi_free(&heap, dirty, 333);
    unsigned char *ptr = kwi_alloc_zero(&heap, 333);
    for (size_t i = 0; i < 333; i++)
        cr_assert_eq(ptr[i], 0);
    kwi_free(&heap, ptr, 333);
}

Test(alloc, growing_and_shrinking_keeps_the_common_part)
{
    struct host host = {0};
    struct kw_heap heap = heap_of(&host, 1000);
    char *ptr = kwi_realloc(&heap, NULL, 0, 4);
    memcpy(ptr, "abcd", 4);
    ptr = kwi_realloc(&heap, ptr, 4, 300);
    cr_assert_eq(memcmp(ptr, "abcd", 4), 0);
    ptr = kwi_realloc(&heap, ptr, 300, 2);
    cr_assert_eq(memcmp(ptr, "ab", 2), 0);
    cr_assert_eq(heap.used, 2);
    cr_assert_eq(host.n_bytes, 2);
    cr_assert_eq(heap.peak, 304, "both blocks exist while one is copied");
    kwi_free(&heap, ptr, 2);
}

Test(alloc, a_failed_growth_leaves_the_old_block)
{
    struct host host = {0};
    struct kw_heap heap = heap_of(&host, 100);
    char *ptr = kwi_strdup(&heap, "hello", 5);
    cr_assert_null(kwi_realloc(&heap, ptr, 6, 95));
    host.refuse = true;
    cr_assert_null(kwi_realloc(&heap, ptr, 6, 50));
    cr_assert_str_eq(ptr, "hello");
    cr_assert_eq(heap.used, 6);
    kwi_free(&heap, ptr, 6);
    kwi_free(&heap, NULL, 6);
    cr_assert_eq(heap.used, 0);
}

Test(alloc, a_copied_string_takes_exactly_the_given_bytes)
{
    struct host host = {0};
    struct kw_heap heap = heap_of(&host, 100);
    char *source = malloc(3); /* no NUL behind it */
    memcpy(source, "xyz", 3);
    char *copy = kwi_strdup(&heap, source, 3);
    free(source);
    cr_assert_str_eq(copy, "xyz");
    char *empty = kwi_strdup(&heap, NULL, 0);
    cr_assert_str_eq(empty, "");
    cr_assert_eq(heap.used, 5);
    kwi_free(&heap, copy, 4);
    kwi_free(&heap, empty, 1);
}
