/* base/map.h -- hash tables keyed by a 64-bit number or by a string; values
 * are pointers. Iteration is in insertion order, never in hash order, so that
 * no decision depends on the hash (law 5). Deleted entries leave holes that
 * the next growth squeezes out. */
#ifndef KWI_MAP_H
#define KWI_MAP_H
#include "base/alloc.h"

struct kw_map_entry {
    uint64_t key;    /* the number, or the string's hash */
    const char *str; /* borrowed from the value; NULL in number maps */
    size_t str_len;
    void *value; /* NULL: a hole */
};
struct kw_map {
    struct kw_heap *heap;
    struct kw_map_entry *entries; /* in insertion order */
    uint32_t *slots;              /* entry index + 1; 0 is empty */
    uint32_t n_entries, n_live, cap, n_slots;
};

void kwi_map_init(struct kw_map *map, struct kw_heap *heap);
void kwi_map_deinit(struct kw_map *map);
void *kwi_map_get(const struct kw_map *map, uint64_t key);
void *kwi_map_get_str(const struct kw_map *map, const char *str, size_t len);
/* value is not NULL; the key must be absent (asserts). 0 or KW_ERR_NOMEM. */
KW_MUST_USE int kwi_map_put(struct kw_map *map, uint64_t key, void *value);
/* str must live as long as the entry (normally it is inside value). */
KW_MUST_USE int kwi_map_put_str(struct kw_map *map, const char *str, size_t len, void *value);
/* Returns the removed value, or NULL. */
void *kwi_map_remove(struct kw_map *map, uint64_t key);
void *kwi_map_remove_str(struct kw_map *map, const char *str, size_t len);
/* for (uint32_t i = 0; (v = kwi_map_next(map, &i));) visits each value in
 * insertion order; removing the visited entry meanwhile is allowed. */
void *kwi_map_next(const struct kw_map *map, uint32_t *pos);
static inline uint32_t kwi_map_len(const struct kw_map *map)
{
    return map->n_live;
}

#endif
