/* bench_assign.c -- what the leader of a large classic group does, step by step:
 *
 *   bench_assign [MEMBERS [TOPICS [PARTITIONS_OF_EACH]]]      1000 100 100
 *
 * For each assignor, with and without a history, for members that all subscribe to all
 * topics ("even") and to half of them ("uneven"): milliseconds of the thread's CPU for
 * reading the subscriptions, preparing, assigning, and writing all assignments; and
 * how much memory it took. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/assignor.h"

enum { BENCH_BLOB = 1 << 17 };

static uint32_t n_members = 1000, n_topics = 100, n_each = 100;

static void *bench_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void bench_release(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static bool wants(uint32_t member, uint32_t topic, bool uneven)
{
    return !uneven || (member * 2654435761u ^ topic * 40503u) >> 7 & 1;
}

/* One member's subscription; owners (NULL: none) is the last result. */
static struct kw_plan_member join(const struct kw_assignor *assignor, uint32_t m, bool uneven,
                                  const int32_t *owners)
{
    static struct kw_str topics[1 << 12];
    static struct kw_assign_own_topic own_topics[1 << 12];
    static struct kw_consumer_protocol_topic owned[1 << 12];
    static char names[1 << 12][8];
    static int32_t numbers[1 << 17];
    static uint8_t user[BENCH_BLOB];
    struct kw_assign_own own = {owners != NULL, owners ? 1 : -1, own_topics, 0};
    struct kw_consumer_protocol_subscription msg;
    uint32_t n = 0, n_numbers = 0;
    size_t len;
    char *id = malloc(24);
    uint8_t *blob = malloc(BENCH_BLOB);
    struct kw_wr w = kwi_wr_make(blob, BENCH_BLOB);
    (void)snprintf(id, 24, "consumer-%08x", m * 2654435761u);
    kwi_consumer_protocol_subscription_init(&msg);
    for (uint32_t t = 0; t < n_topics; t++) {
        uint32_t first = n_numbers;
        (void)snprintf(names[t], sizeof names[t], "t%05u", t % 100000);
        if (wants(m, t, uneven))
            topics[n++] = kwi_str(names[t]);
        for (uint32_t p = 0; owners && p < n_each; p++)
            if (owners[t * n_each + p] == (int32_t)m)
                numbers[n_numbers++] = (int32_t)p;
        if (n_numbers == first)
            continue;
        owned[own.n_topics] = (struct kw_consumer_protocol_topic){
            kwi_str(names[t]), KWI_ARR(numbers + first, n_numbers - first)};
        own_topics[own.n_topics++] =
            (struct kw_assign_own_topic){{names[t], 6}, numbers + first, n_numbers - first};
    }
    msg.topics = KWI_ARR(topics, n);
    msg.generation_id = own.generation;
    if (assignor->protocols & KW_REBALANCE_COOPERATIVE)
        msg.owned_partitions = KWI_ARR(owned, own.n_topics);
    if (assignor->user_data && assignor->user_data(NULL, &own, user, sizeof user, &len) == 1)
        msg.user_data = (struct kw_blob){user, (int32_t)len};
    if (kwi_subscription_put(&msg, 3, &w))
        exit(1);
    return (struct kw_plan_member){kwi_str(id), KWI_NULL_STR, {blob, (int32_t)w.len}};
}

static void run(const struct kw_assignor *assignor, bool uneven, int32_t *owners, uint32_t gone)
{
    static const struct kw_alloc alloc = {bench_alloc, bench_release, NULL};
    struct kw_plan_member *members = calloc(n_members, sizeof *members);
    uint8_t *out = malloc(1 << 22);
    struct kw_heap heap;
    struct kw_plan *plan;
    double at[5];
    for (uint32_t m = 0; m < n_members; m++)
        members[m] = join(assignor, m, uneven, gone ? owners : NULL);
    kwi_heap_init(&heap, &alloc, SIZE_MAX);
    at[0] = now_ms();
    if (kwi_plan_create(&plan, &heap, members + gone, n_members - gone, NULL))
        exit(1);
    at[1] = now_ms();
    for (uint32_t t = 0; t < n_topics; t++)
        kwi_plan_set_topic(plan, t, n_each, NULL, 0);
    if (kwi_plan_prepare(plan, assignor, NULL))
        exit(1);
    at[2] = now_ms();
    kwi_plan_run(plan);
    at[3] = now_ms();
    if (kwi_plan_finish(plan, NULL))
        exit(1);
    for (uint32_t m = 0; m < kwi_plan_n_members(plan); m++) {
        struct kw_wr w = kwi_wr_make(out, 1 << 22);
        if (kwi_plan_encode(plan, m, &w))
            exit(1);
    }
    at[4] = now_ms();
    printf("%-18s %-6s %-9s read %6.2f  prepare %6.2f  assign %6.2f  write %6.2f ms, %5.1f MB\n",
           assignor->name, uneven ? "uneven" : "even", gone ? "history" : "fresh", at[1] - at[0],
           at[2] - at[1], at[3] - at[2], at[4] - at[3], (double)heap.peak / 1e6);
    /* Members of the plan stand in the order of their ids; owners in ours. */
    for (uint32_t p = 0; p < n_topics * n_each; p++) {
        int32_t owner = kwi_plan_owners(plan)[p];
        struct kw_str id = owner < 0 ? KWI_NULL_STR : kwi_plan_member_id(plan, (uint32_t)owner);
        owners[p] = -1;
        if (id.len > 0)
            owners[p] = (int32_t)((uint32_t)strtoul(id.ptr + 9, NULL, 16) * 244002641u);
    }
    kwi_plan_destroy(plan);
    for (uint32_t m = 0; m < n_members; m++) {
        free((void *)(uintptr_t)members[m].member_id.ptr);
        free((void *)(uintptr_t)members[m].metadata.ptr);
    }
    free(members);
    free(out);
}

int main(int argc, char **argv)
{
    static const struct kw_assignor *const all[] = {&kw_assignor_range, &kw_assignor_roundrobin,
                                                    &kw_assignor_sticky,
                                                    &kw_assignor_cooperative_sticky};
    n_members = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : n_members;
    n_topics = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : n_topics;
    n_each = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : n_each;
    if (n_members < 2 || n_topics == 0 || n_topics > 1 << 12 || n_each > 1 << 17) {
        fprintf(stderr, "usage: bench_assign [MEMBERS [TOPICS [PARTITIONS_OF_EACH]]]\n");
        return 2;
    }
    int32_t *owners = calloc((size_t)n_topics * n_each + 1, sizeof *owners);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int uneven = 0; uneven < 2; uneven++) {
            run(all[i], uneven, owners, 0);
            run(all[i], uneven, owners, n_members / 20 + 1);
        }
    free(owners);
    return 0;
}
