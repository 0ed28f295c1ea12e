/* The hash tables against a plain array, under random changes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/rng.h"

static size_t n_blocks;
static size_t n_until_refusal = SIZE_MAX;

static void *host_alloc(void *ctx, size_t size)
{
    (void)ctx;
    if (n_until_refusal == 0)
        return NULL;
    n_until_refusal--;
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

static struct kw_heap new_heap(void)
{
    struct kw_heap heap;
    struct kw_alloc alloc = {host_alloc, host_free, NULL};
    kwi_heap_init(&heap, &alloc, SIZE_MAX);
    return heap;
}

/* The model: values in insertion order. */
struct item {
    uint64_t key;
    char name[24];
    struct item *next;
};
struct model {
    struct item *first, **last;
    uint32_t n;
};

static struct item *model_add(struct model *model, uint64_t key)
{
    struct item *item = calloc(1, sizeof(*item));
    item->key = key;
    snprintf(item->name, sizeof(item->name), "t-%llx", (unsigned long long)key);
    *model->last = item;
    model->last = &item->next;
    model->n++;
    return item;
}

static struct item *model_find(const struct model *model, uint64_t key)
{
    struct item *item = model->first;
    while (item && item->key != key)
        item = item->next;
    return item;
}

static void model_remove(struct model *model, struct item *item)
{
    struct item **link = &model->first;
    while (*link != item)
        link = &(*link)->next;
    *link = item->next;
    if (!item->next)
        model->last = link;
    model->n--;
    free(item);
}

static void expect_same(const struct kw_map *map, const struct model *model)
{
    struct item *expected = model->first;
    struct item *value;
    for (uint32_t i = 0; (value = kwi_map_next(map, &i)); expected = expected->next)
        cr_assert_eq(value, expected);
    cr_assert_null(expected);
    cr_assert_eq(kwi_map_len(map), model->n);
}

static void random_steps(bool strings, unsigned char seed_byte, uint32_t n_keys, int n_steps)
{
    uint8_t seed[32] = {seed_byte, 2};
    struct kw_rng rng;
    kwi_rng_init(&rng, seed);
    struct kw_heap heap = new_heap();
    struct kw_map map;
    kwi_map_init(&map, &heap);
    struct model model = {.last = &model.first};
    for (int step = 0; step < n_steps; step++) {
        uint64_t key = (uint64_t)kwi_rng_below(&rng, n_keys) * (seed_byte & 1 ? 1u << 31 : 1u);
        struct item *item = model_find(&model, key);
        char name[24];
        snprintf(name, sizeof(name), "t-%llx", (unsigned long long)key);
        size_t len = strlen(name);
        void *found = strings ? kwi_map_get_str(&map, name, len) : kwi_map_get(&map, key);
        cr_assert_eq(found, item);
        if (item) {
            void *taken = strings ? kwi_map_remove_str(&map, name, len) : kwi_map_remove(&map, key);
            cr_assert_eq(taken, item);
            model_remove(&model, item);
            cr_assert_null(strings ? kwi_map_remove_str(&map, name, len)
                                   : kwi_map_remove(&map, key));
        } else {
            item = model_add(&model, key);
            cr_assert_eq(strings ? kwi_map_put_str(&map, item->name, len, item)
                                 : kwi_map_put(&map, key, item),
                         0);
        }
        if (step % 64 == 0)
            expect_same(&map, &model);
    }
    expect_same(&map, &model);
    while (model.first)
        model_remove(&model, model.first);
    kwi_map_deinit(&map);
    cr_assert_eq(heap.used, 0);
    cr_assert_eq(n_blocks, 0);
}

Test(map, numbers_behave_as_the_model_and_keep_insertion_order)
{
    for (unsigned char seed = 0; seed < 4; seed++) {
        random_steps(false, seed, 20, 3000);
        random_steps(false, seed, 2000, 6000);
    }
}

Test(map, strings_behave_as_the_model_and_keep_insertion_order)
{
    for (unsigned char seed = 0; seed < 4; seed++) {
        random_steps(true, seed, 20, 3000);
        random_steps(true, seed, 2000, 6000);
    }
}

Test(map, thousands_of_entries_survive_every_growth)
{
    struct kw_heap heap = new_heap();
    struct kw_map map;
    kwi_map_init(&map, &heap);
    static char values[50000];
    for (uint32_t i = 0; i < 50000; i++)
        cr_assert_eq(kwi_map_put(&map, (uint64_t)i << 20, &values[i]), 0);
    for (uint32_t i = 0; i < 50000; i++)
        cr_assert_eq(kwi_map_get(&map, (uint64_t)i << 20), &values[i]);
    cr_assert_null(kwi_map_get(&map, 1));
    uint32_t n = 0;
    char *value;
    for (uint32_t i = 0; (value = kwi_map_next(&map, &i)); n++)
        cr_assert_eq(value, &values[n]);
    cr_assert_eq(n, 50000);
    kwi_map_deinit(&map);
    cr_assert_eq(n_blocks, 0);
}

Test(map, a_queue_of_constant_length_does_not_grow_the_table)
{
    struct kw_heap heap = new_heap();
    struct kw_map map;
    kwi_map_init(&map, &heap);
    static char values[100000];
    for (uint32_t i = 0; i < 100000; i++) {
        cr_assert_eq(kwi_map_put(&map, i, &values[i]), 0);
        if (i >= 5)
            cr_assert_eq(kwi_map_remove(&map, i - 5), &values[i - 5]);
    }
    cr_assert_eq(kwi_map_len(&map), 5);
    cr_assert_leq(heap.peak, 2048);
    kwi_map_deinit(&map);
}

Test(map, the_visited_entry_may_be_removed)
{
    struct kw_heap heap = new_heap();
    struct kw_map map;
    kwi_map_init(&map, &heap);
    static char values[1000];
    for (uint32_t i = 0; i < 1000; i++)
        cr_assert_eq(kwi_map_put(&map, i, &values[i]), 0);
    char *value;
    uint32_t n = 0;
    for (uint32_t i = 0; (value = kwi_map_next(&map, &i)); n++) {
        cr_assert_eq(value, &values[n]);
        if (n % 3)
            cr_assert_eq(kwi_map_remove(&map, n), value);
    }
    cr_assert_eq(n, 1000);
    cr_assert_eq(kwi_map_len(&map), 334);
    kwi_map_deinit(&map);
}

Test(map, strings_differ_by_length_and_by_any_byte)
{
    struct kw_heap heap = new_heap();
    struct kw_map map;
    kwi_map_init(&map, &heap);
    static char values[64];
    char *names[40];
    for (size_t len = 0; len < 40; len++) {
        names[len] = malloc(len ? len : 1); /* exact size: an overread shows */
        memset(names[len], 0, len);
        cr_assert_eq(kwi_map_put_str(&map, names[len], len, &values[len]), 0);
    }
    for (size_t len = 0; len < 40; len++) {
        cr_assert_eq(kwi_map_get_str(&map, names[len], len), &values[len]);
        char *other = calloc(1, len ? len : 1);
        for (size_t i = 0; i < len; i++) {
            other[i] = 1;
            cr_assert_null(kwi_map_get_str(&map, other, len));
            other[i] = 0;
        }
        free(other);
    }
    kwi_map_deinit(&map);
    for (size_t len = 0; len < 40; len++)
        free(names[len]);
}

Test(map, a_refused_growth_leaves_the_table_as_it_was)
{
    static char values[200];
    for (size_t allowed = 0; allowed < 12; allowed++) {
        struct kw_heap heap = new_heap();
        struct kw_map map;
        kwi_map_init(&map, &heap);
        n_until_refusal = allowed;
        uint32_t n = 0;
        while (n < 200 && kwi_map_put(&map, n, &values[n]) == 0)
            n++;
        cr_assert_eq(kwi_map_len(&map), n);
        cr_assert(n < 200 || allowed >= 10);
        if (n < 200) {
            cr_assert_eq(kwi_map_put(&map, n, &values[n]), KW_ERR_NOMEM);
            cr_assert_null(kwi_map_get(&map, n));
        }
        n_until_refusal = SIZE_MAX;
        for (uint32_t i = 0; i < n; i++)
            cr_assert_eq(kwi_map_get(&map, i), &values[i]);
        for (; n < 200; n++)
            cr_assert_eq(kwi_map_put(&map, n, &values[n]), 0);
        kwi_map_deinit(&map);
        cr_assert_eq(n_blocks, 0);
        cr_assert_eq(heap.used, 0);
    }
}

Test(map, an_empty_or_zeroed_map_answers_and_ends_cleanly)
{
    struct kw_map zeroed = {0};
    uint32_t pos = 0;
    cr_assert_null(kwi_map_get(&zeroed, 5));
    cr_assert_null(kwi_map_get_str(&zeroed, "a", 1));
    cr_assert_null(kwi_map_remove(&zeroed, 5));
    cr_assert_null(kwi_map_next(&zeroed, &pos));
    kwi_map_deinit(&zeroed);
    kwi_map_deinit(NULL);
}
