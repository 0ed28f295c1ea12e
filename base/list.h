/* base/list.h -- intrusive doubly linked list. A node is in one list at most;
 * a zeroed node is in none. */
#ifndef KWI_LIST_H
#define KWI_LIST_H
#include <stdbool.h>
#include <stddef.h>

struct kw_node {
    struct kw_node *prev, *next;
};
struct kw_list {
    struct kw_node *first, *last;
};

#define KWI_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline bool kwi_list_empty(const struct kw_list *list)
{
    return !list->first;
}

static inline void kwi_list_push(struct kw_list *list, struct kw_node *node)
{
    node->next = NULL;
    node->prev = list->last;
    if (list->last)
        list->last->next = node;
    else
        list->first = node;
    list->last = node;
}

static inline void kwi_list_push_front(struct kw_list *list, struct kw_node *node)
{
    node->prev = NULL;
    node->next = list->first;
    if (list->first)
        list->first->prev = node;
    else
        list->last = node;
    list->first = node;
}

/* Inserts node before `at`, which is in the list. */
static inline void kwi_list_insert_before(struct kw_list *list, struct kw_node *at,
                                          struct kw_node *node)
{
    node->next = at;
    node->prev = at->prev;
    if (at->prev)
        at->prev->next = node;
    else
        list->first = node;
    at->prev = node;
}

static inline bool kwi_list_has(const struct kw_list *list, const struct kw_node *node)
{
    return node->prev || node->next || list->first == node;
}

/* Taking out a node that is in no list is harmless. */
static inline void kwi_list_remove(struct kw_list *list, struct kw_node *node)
{
    if (!kwi_list_has(list, node))
        return;
    if (node->prev)
        node->prev->next = node->next;
    else
        list->first = node->next;
    if (node->next)
        node->next->prev = node->prev;
    else
        list->last = node->prev;
    node->prev = node->next = NULL;
}

static inline struct kw_node *kwi_list_pop(struct kw_list *list)
{
    struct kw_node *node = list->first;
    if (node)
        kwi_list_remove(list, node);
    return node;
}

#endif
