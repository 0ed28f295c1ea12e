/* base/map.c -- hash tables that remember the order of insertion.
 *
 * The entries are an array in insertion order. The slots are an open-addressed
 * index into it with linear probing, at most half full. Removal empties the
 * entry but leaves its slot in place, so probing stays correct; when the array
 * is full, the holes are squeezed out in place if there are enough of them, or
 * both arrays grow. A removal therefore never fails and never moves an entry. */
#include "base/map.h"
#include "base/assert.h"

#include <string.h>

enum {
    MAP_CAP_MIN = 8,
    MAP_CAP_MAX = 1 << 26 /* its size in bytes still fits 32 bits */
};

/* Every bit of the key reaches the low bits, which choose the slot. */
static uint64_t map_mix(uint64_t v)
{
    v = (v ^ v >> 32) * 0x9e3779b97f4a7c15u;
    v = (v ^ v >> 29) * 0xbf58476d1ce4e5b9u;
    return v ^ v >> 32;
}

static uint64_t map_hash_str(const char *str, size_t len)
{
    uint64_t hash = len;
    for (; len >= 8; len -= 8, str += 8) {
        uint64_t word;
        memcpy(&word, str, 8);
        hash = map_mix(hash ^ word);
    }
    uint64_t rest = 0;
    if (len > 0)
        memcpy(&rest, str, len);
    return map_mix(hash ^ rest);
}

static bool map_is(const struct kw_map_entry *entry, uint64_t key, const char *str, size_t len)
{
    if (!entry->value || entry->key != key)
        return false;
    if (!str)
        return true;
    return entry->str_len == len && (len == 0 || memcmp(entry->str, str, len) == 0);
}

/* The live entry of a key, or NULL. str is NULL in number maps. */
static struct kw_map_entry *map_find(const struct kw_map *map, uint64_t key, const char *str,
                                     size_t len)
{
    if (map->n_live == 0)
        return NULL;
    uint32_t mask = map->n_slots - 1;
    for (uint32_t i = (uint32_t)map_mix(key) & mask; map->slots[i]; i = (i + 1) & mask) {
        struct kw_map_entry *entry = &map->entries[map->slots[i] - 1];
        if (map_is(entry, key, str, len))
            return entry;
    }
    return NULL;
}

static void map_index(struct kw_map *map, uint32_t idx)
{
    uint32_t mask = map->n_slots - 1;
    uint32_t i = (uint32_t)map_mix(map->entries[idx].key) & mask;
    while (map->slots[i])
        i = (i + 1) & mask;
    map->slots[i] = idx + 1;
}

/* Moves the live entries to `to`, which may be the array itself, and indexes
 * them again. */
static void map_squeeze(struct kw_map *map, struct kw_map_entry *to)
{
    uint32_t n_kept = 0;
    for (uint32_t i = 0; i < map->n_entries; i++) {
        if (map->entries[i].value)
            to[n_kept++] = map->entries[i];
    }
    KWI_ASSERT(n_kept == map->n_live);
    map->entries = to;
    map->n_entries = n_kept;
    memset(map->slots, 0, map->n_slots * sizeof(*map->slots));
    for (uint32_t i = 0; i < n_kept; i++)
        map_index(map, i);
}

static int map_grow(struct kw_map *map)
{
    if (map->cap >= MAP_CAP_MAX)
        return KW_ERR_NOMEM;
    uint32_t cap = map->cap ? map->cap * 2 : MAP_CAP_MIN;
    uint32_t n_slots = cap * 2;
    struct kw_map_entry *entries = kwi_alloc(map->heap, cap * sizeof(*entries));
    uint32_t *slots = kwi_alloc(map->heap, n_slots * sizeof(*slots));
    if (!entries || !slots) {
        kwi_free(map->heap, entries, cap * sizeof(*entries));
        kwi_free(map->heap, slots, n_slots * sizeof(*slots));
        return KW_ERR_NOMEM;
    }
    struct kw_map_entry *old = map->entries;
    kwi_free(map->heap, map->slots, map->n_slots * sizeof(*map->slots));
    map->slots = slots;
    map->n_slots = n_slots;
    map_squeeze(map, entries);
    kwi_free(map->heap, old, map->cap * sizeof(*old));
    map->cap = cap;
    return 0;
}

/* Makes room for one entry. Squeezing waits for a quarter of holes, so its
 * cost is paid by the removals that made them. */
static int map_reserve(struct kw_map *map)
{
    if (map->n_entries < map->cap)
        return 0;
    if (map->cap > 0 && map->n_live <= map->cap - map->cap / 4) {
        map_squeeze(map, map->entries);
        return 0;
    }
    return map_grow(map);
}

static int map_add(struct kw_map *map, const struct kw_map_entry *entry)
{
    KWI_ASSERT(entry->value);
    KWI_ASSERT(!map_find(map, entry->key, entry->str, entry->str_len));
    int err = map_reserve(map);
    if (err)
        return err;
    map->entries[map->n_entries] = *entry;
    map_index(map, map->n_entries);
    map->n_entries++;
    map->n_live++;
    return 0;
}

static void *map_take(struct kw_map *map, struct kw_map_entry *entry)
{
    if (!entry)
        return NULL;
    void *value = entry->value;
    entry->value = NULL;
    entry->str = NULL; /* it may die with the value */
    map->n_live--;
    return value;
}

void kwi_map_init(struct kw_map *map, struct kw_heap *heap)
{
    memset(map, 0, sizeof(*map));
    map->heap = heap;
}

void kwi_map_deinit(struct kw_map *map)
{
    if (!map || !map->heap)
        return;
    kwi_free(map->heap, map->entries, map->cap * sizeof(*map->entries));
    kwi_free(map->heap, map->slots, map->n_slots * sizeof(*map->slots));
    memset(map, 0, sizeof(*map));
}

void *kwi_map_get(const struct kw_map *map, uint64_t key)
{
    struct kw_map_entry *entry = map_find(map, key, NULL, 0);
    return entry ? entry->value : NULL;
}

void *kwi_map_get_str(const struct kw_map *map, const char *str, size_t len)
{
    struct kw_map_entry *entry = map_find(map, map_hash_str(str, len), str, len);
    return entry ? entry->value : NULL;
}

int kwi_map_put(struct kw_map *map, uint64_t key, void *value)
{
    struct kw_map_entry entry = {.key = key, .value = value};
    return map_add(map, &entry);
}

int kwi_map_put_str(struct kw_map *map, const char *str, size_t len, void *value)
{
    struct kw_map_entry entry = {map_hash_str(str, len), str, len, value};
    return map_add(map, &entry);
}

void *kwi_map_remove(struct kw_map *map, uint64_t key)
{
    return map_take(map, map_find(map, key, NULL, 0));
}

void *kwi_map_remove_str(struct kw_map *map, const char *str, size_t len)
{
    return map_take(map, map_find(map, map_hash_str(str, len), str, len));
}

void *kwi_map_next(const struct kw_map *map, uint32_t *pos)
{
    while (*pos < map->n_entries) {
        void *value = map->entries[(*pos)++].value;
        if (value)
            return value;
    }
    return NULL;
}
