/* tests/sim/memory.c -- counting, poisoning and failing allocators. */
#include "tests/sim/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    ARENA_SIZE = 96 << 20, /* address space; only what is touched costs memory */
    HEAD_SIZE = 16,        /* keeps the alignment of malloc */
    TAIL_SIZE = 8,
    TAIL_BYTE = 0x5e
};

/* Size classes of the arena: four per power of two, from 32 bytes on. */
static size_t arena_class(size_t size, size_t *rounded)
{
    size_t class_size = 32, step = 8, i = 0;
    while (class_size < size) {
        class_size += step;
        if (++i % 4 == 0)
            step *= 2;
    }
    *rounded = (class_size + 15) & ~(size_t)15;
    return i;
}

static uint8_t *arena_take(struct sim_memory *memory, size_t total)
{
    size_t rounded, class_idx = arena_class(total, &rounded);
    if (class_idx >= sizeof(memory->free_lists) / sizeof(memory->free_lists[0]))
        return NULL;
    uint8_t *block = memory->free_lists[class_idx];
    if (block) {
        memcpy(&memory->free_lists[class_idx], block, sizeof(void *));
        return block;
    }
    if (rounded > memory->top)
        return NULL;
    memory->top -= rounded;
    return memory->base + memory->top;
}

static void arena_give(struct sim_memory *memory, uint8_t *block, size_t total)
{
    size_t rounded, class_idx = arena_class(total, &rounded);
    memcpy(block, &memory->free_lists[class_idx], sizeof(void *));
    memory->free_lists[class_idx] = block;
}

static void *memory_alloc(void *ctx, size_t size)
{
    struct sim_memory *memory = ctx;
    uint64_t call = memory->n_allocs++;
    if (call >= memory->fail_from && call < memory->fail_to) {
        memory->n_refused++;
        return NULL;
    }
    uint8_t *ptr;
    if (memory->kind == SIM_MEMORY_PLAIN) {
        ptr = malloc(size + HEAD_SIZE);
        if (!ptr)
            return NULL;
    } else {
        ptr = arena_take(memory, size + HEAD_SIZE + TAIL_SIZE);
        if (!ptr)
            return NULL;
        memset(ptr + HEAD_SIZE + size, TAIL_BYTE, TAIL_SIZE);
    }
    memcpy(ptr, &size, sizeof(size));
    memset(ptr + HEAD_SIZE, memory->kind == SIM_MEMORY_PLAIN ? 0x11 : 0xe7, size);
    memory->used += size;
    memory->n_live++;
    if (memory->used > memory->peak)
        memory->peak = memory->used;
    return ptr + HEAD_SIZE;
}

static void memory_free(void *ctx, void *freed, size_t size)
{
    struct sim_memory *memory = ctx;
    if (!freed)
        return;
    uint8_t *ptr = (uint8_t *)freed - HEAD_SIZE;
    size_t true_size;
    memcpy(&true_size, ptr, sizeof(true_size));
    if (true_size != size)
        memory->damaged = true;
    memory->used -= true_size;
    memory->n_live--;
    if (memory->kind == SIM_MEMORY_PLAIN) {
        memset(ptr + HEAD_SIZE, 0xdd, true_size);
        free(ptr);
        return;
    }
    for (size_t i = 0; i < TAIL_SIZE; i++) {
        if (ptr[HEAD_SIZE + true_size + i] != TAIL_BYTE)
            memory->damaged = true;
    }
    memset(ptr + HEAD_SIZE, 0x99, true_size);
    arena_give(memory, ptr, true_size + HEAD_SIZE + TAIL_SIZE);
}

void sim_memory_init(struct sim_memory *memory, enum sim_memory_kind kind)
{
    *memory = (struct sim_memory){.kind = kind};
    sim_memory_heal(memory);
    if (kind == SIM_MEMORY_ARENA) {
        memory->base = malloc(ARENA_SIZE);
        memory->size = memory->top = ARENA_SIZE;
        if (!memory->base)
            abort();
    }
}

void sim_memory_deinit(struct sim_memory *memory)
{
    free(memory->base);
    memory->base = NULL;
}

struct kw_alloc sim_memory_alloc(struct sim_memory *memory)
{
    return (struct kw_alloc){memory_alloc, memory_free, memory};
}

void sim_memory_heal(struct sim_memory *memory)
{
    memory->fail_from = memory->fail_to = UINT64_MAX;
}
