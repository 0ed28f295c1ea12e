/* covers: G34 G35 G36 G37
 * Random groups that live for some rounds, by all assignors, through the bytes of their
 * subscriptions and assignments: the laws of laws.h hold in each.
 *
 * KW_ASSIGN_CASES: how many assignments (10,000); KW_ASSIGN_SEED: the first group. A
 * group that fails is named and runs alone with KW_ASSIGN_SEED=ITS NUMBER
 * KW_ASSIGN_CASES=1. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/rng.h"
#include "tests/assign/laws.h"

enum {
    TOPICS = 9,
    PEOPLE = 40,
    EACH_MAX = 24, /* partitions of a topic */
    REPLICAS = 3,
    RACKS = 4,
    ROUNDS = 6,
    ALL = TOPICS * EACH_MAX
};

/* Partition p of topic t is t * EACH_MAX + p here, whatever the group looks like. */
struct person {
    char id[12], instance[12];
    int32_t rack, generation;
    uint32_t topics; /* bits */
    bool has[ALL], assigned;
};
struct village {
    struct kw_rng rng;
    struct kw_heap heap;
    const struct kw_assignor *assignor;
    struct person people[PEOPLE];
    uint32_t n_people, n_topics, n_born;
    uint32_t n_partitions[TOPICS];
    int32_t racks[TOPICS][EACH_MAX * REPLICAS];
    bool with_racks, unequal;
    int32_t generation;
};

static const struct kw_assignor *const assignors[] = {&kw_assignor_range, &kw_assignor_roundrobin,
                                                      &kw_assignor_sticky,
                                                      &kw_assignor_cooperative_sticky};
static const char *const topic_names[TOPICS] = {"t0", "t1", "t2", "t3", "t4",
                                                "t5", "t6", "t7", "t8"};

static void *test_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void test_release(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

static uint32_t below(struct village *v, uint32_t n)
{
    return kwi_rng_below(&v->rng, n);
}

/* ---- a group and its changes ----------------------------------------------------- */

static uint32_t choose_topics(struct village *v)
{
    uint32_t all = (1u << v->n_topics) - 1;
    return v->unequal ? (uint32_t)kwi_rng_next(&v->rng) & all : all;
}

static void born(struct village *v)
{
    struct person *person = &v->people[v->n_people++];
    memset(person, 0, sizeof *person);
    snprintf(person->id, sizeof person->id, "%c%08x", "aBz~"[below(v, 4)],
             (unsigned)kwi_rng_next(&v->rng));
    if (below(v, 4) == 0)
        snprintf(person->instance, sizeof person->instance, "i%u", v->n_born++);
    person->rack = v->with_racks && below(v, 8) ? (int32_t)below(v, RACKS + 1) : -1;
    person->generation = -1;
    person->topics = choose_topics(v);
}

static void grow(struct village *v, uint32_t topic, uint32_t n)
{
    for (uint32_t i = v->n_partitions[topic] * REPLICAS; i < n * REPLICAS; i++)
        v->racks[topic][i] = below(v, 16) ? (int32_t)below(v, RACKS) : -1;
    v->n_partitions[topic] = n;
}

static void settle(struct village *v, uint64_t seed)
{
    uint8_t bytes[32] = {0};
    static const struct kw_alloc alloc = {test_alloc, test_release, NULL};
    memset(v, 0, sizeof *v);
    memcpy(bytes, &seed, sizeof seed);
    bytes[31] = 1;
    kwi_rng_init(&v->rng, bytes);
    kwi_heap_init(&v->heap, &alloc, SIZE_MAX);
    v->assignor = assignors[seed % 4];
    v->unequal = below(v, 2);
    v->with_racks = below(v, 3) == 0;
    v->n_topics = 1 + below(v, below(v, 2) ? 3 : TOPICS - 1);
    for (uint32_t t = 0; t < v->n_topics; t++)
        grow(v, t, below(v, below(v, 2) ? 6 : EACH_MAX));
    for (uint32_t n = 1 + below(v, below(v, 3) ? 8 : PEOPLE); n > 0; n--)
        born(v);
}

static void change(struct village *v)
{
    for (uint32_t i = v->n_people; i-- > 0;)
        if (v->n_people > 1 && below(v, 8) == 0)
            v->people[i] = v->people[--v->n_people];
    for (uint32_t n = below(v, 4); n > 0 && v->n_people < PEOPLE; n--)
        born(v);
    for (uint32_t t = 0; t < v->n_topics; t++)
        if (below(v, 10) == 0)
            grow(v, t, v->n_partitions[t] + below(v, EACH_MAX - v->n_partitions[t] + 1));
    if (v->n_topics < TOPICS && below(v, 5) == 0)
        grow(v, v->n_topics++, below(v, EACH_MAX));
    for (uint32_t i = 0; i < v->n_people; i++) {
        struct person *person = &v->people[i];
        if (!v->unequal || below(v, 6) == 0)
            person->topics = choose_topics(v);
        /* Some lie: they claim what they like, in a generation of their own. */
        if (below(v, 25) == 0) {
            person->generation = (int32_t)below(v, (uint32_t)v->generation + 2) - 1;
            person->assigned = true;
            for (uint32_t p = 0; p < ALL; p++)
                person->has[p] = below(v, 4) == 0;
        }
    }
}

/* ---- through the bytes ----------------------------------------------------------- */

static uint8_t *bytes_at, bytes[1 << 18];
static struct kw_blob sealed(const struct kw_wr *w)
{
    struct kw_blob blob = {bytes_at, (int32_t)w->len};
    cr_assert_eq(kwi_wr_status(w), 0);
    bytes_at += w->len;
    return blob;
}

static struct kw_plan_member join(struct village *v, struct person *person)
{
    struct kw_assign_own_topic own_topics[TOPICS];
    struct kw_assign_own own = {person->assigned, person->generation, own_topics, 0};
    struct kw_consumer_protocol_topic owned[TOPICS];
    struct kw_str topics[TOPICS];
    struct kw_consumer_protocol_subscription msg;
    static int32_t numbers[ALL];
    static char rack[2];
    int32_t *next = numbers;
    uint32_t n_topics = 0;
    size_t len;
    kwi_consumer_protocol_subscription_init(&msg);
    for (uint32_t t = 0; t < TOPICS; t++) {
        int32_t *first = next;
        for (int32_t p = 0; p < EACH_MAX; p++)
            if (person->has[t * EACH_MAX + (uint32_t)p])
                *next++ = p;
        if (person->topics >> t & 1)
            topics[n_topics++] = kwi_str(topic_names[t]);
        if (next == first)
            continue;
        owned[own.n_topics] = (struct kw_consumer_protocol_topic){kwi_str(topic_names[t]),
                                                                  KWI_ARR(first, next - first)};
        own_topics[own.n_topics++] =
            (struct kw_assign_own_topic){{topic_names[t], 2}, first, (uint32_t)(next - first)};
    }
    msg.topics = KWI_ARR(topics, n_topics);
    msg.generation_id = person->generation;
    rack[0] = (char)('a' + person->rack);
    msg.rack_id = person->rack >= 0 ? kwi_str(rack) : KWI_NULL_STR;
    if (v->assignor->protocols & KW_REBALANCE_COOPERATIVE)
        msg.owned_partitions = KWI_ARR(owned, own.n_topics);
    if (v->assignor->user_data &&
        v->assignor->user_data(NULL, &own, bytes_at, 1 << 13, &len) == 1) {
        msg.user_data = (struct kw_blob){bytes_at, (int32_t)len};
        bytes_at += len;
    }
    struct kw_wr w = kwi_wr_make(bytes_at, 1 << 13);
    cr_assert_eq(kwi_subscription_put(&msg, 3, &w), 0);
    return (struct kw_plan_member){kwi_str(person->id),
                                   person->instance[0] ? kwi_str(person->instance) : KWI_NULL_STR,
                                   sealed(&w)};
}

static uint32_t topic_number(const struct kw_assign_group *group, uint32_t topic)
{
    return (uint32_t)(((const char *)group->topics[topic].name.ptr)[1] - '0');
}

/* Each member reads its assignment; together they say what the owners say. */
static void leave_with(struct village *v, struct kw_plan *plan, const char **broken)
{
    const struct kw_assign_group *group = kwi_plan_group(plan);
    uint32_t n_read = 0, n_owned = 0;
    for (uint32_t p = 0; p < group->n_partitions; p++)
        n_owned += kwi_plan_owners(plan)[p] >= 0;
    for (uint32_t m = 0; m < group->n_members; m++) {
        struct kw_wr w = kwi_wr_make(bytes, sizeof bytes);
        struct kw_consumer_protocol_assignment msg;
        struct kw_consumer_protocol_topic topic;
        struct kw_iter topics, partitions;
        struct person *person = v->people;
        int version;
        int32_t p;
        while (memcmp(person->id, group->members[m].member_id.ptr,
                      group->members[m].member_id.len) != 0)
            person++;
        cr_assert_eq(kwi_plan_encode(plan, m, &w), 0);
        struct kw_blob blob = {bytes, (int32_t)w.len};
        cr_assert_eq(kwi_assignment_get(&blob, &msg, &version, NULL), 0);
        if (below(v, 12) == 0)
            continue; /* it sleeps, and goes on believing what it did */
        memset(person->has, 0, sizeof person->has);
        person->generation = v->generation;
        person->assigned = true;
        for (kwi_iter_init(&topics, &msg.assigned_partitions); kwi_iter_next(&topics, &topic);)
            for (kwi_iter_init(&partitions, &topic.partitions); kwi_iter_next(&partitions, &p);)
                person->has[(uint32_t)(topic.topic.ptr[1] - '0') * EACH_MAX + (uint32_t)p] = true;
    }
    for (uint32_t m = 0; m < group->n_members; m++) {
        struct kw_wr w = kwi_wr_make(bytes, sizeof bytes);
        struct kw_consumer_protocol_assignment msg;
        struct kw_consumer_protocol_topic topic;
        struct kw_iter topics, partitions;
        int version;
        int32_t p;
        cr_assert_eq(kwi_plan_encode(plan, m, &w), 0);
        struct kw_blob blob = {bytes, (int32_t)w.len};
        cr_assert_eq(kwi_assignment_get(&blob, &msg, &version, NULL), 0);
        for (kwi_iter_init(&topics, &msg.assigned_partitions); kwi_iter_next(&topics, &topic);)
            for (kwi_iter_init(&partitions, &topic.partitions); kwi_iter_next(&partitions, &p);) {
                uint32_t t = 0;
                while (topic_number(group, t) != (uint32_t)(topic.topic.ptr[1] - '0'))
                    t++;
                if (kwi_plan_owners(plan)[group->topics[t].first + (uint32_t)p] != (int32_t)m)
                    *broken = "an assignment says something else than the owners";
                n_read++;
            }
    }
    if (n_read != n_owned)
        *broken = "the assignments do not say all that the owners say";
}

/* ---- one assignment ---------------------------------------------------------------- */

static void metadata(struct village *v, struct kw_plan *plan)
{
    static const struct kw_bytes racks[RACKS] = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}};
    kwi_plan_set_racks(plan, racks, RACKS);
    for (uint32_t t = 0; t < kwi_plan_n_topics(plan); t++) {
        uint32_t number = (uint32_t)(kwi_plan_topic_name(plan, t).ptr[1] - '0');
        kwi_plan_set_topic(plan, t, v->n_partitions[number],
                           v->with_racks ? v->racks[number] : NULL, REPLICAS);
    }
}

/* Who may keep what, by the rule: the highest generation, and not two of the same. */
static void true_claims(struct village *v, const struct kw_assign_group *group, int32_t *claims)
{
    for (uint32_t t = 0; t < group->n_topics; t++)
        for (uint32_t i = 0; i < group->topics[t].n_partitions; i++) {
            int32_t best = -1, generation = -2;
            for (uint32_t m = 0; m < group->n_members; m++) {
                const struct person *person = v->people;
                while (memcmp(person->id, group->members[m].member_id.ptr,
                              group->members[m].member_id.len) != 0)
                    person++;
                if (!person->has[topic_number(group, t) * EACH_MAX + i] || !person->assigned)
                    continue;
                if (person->generation == generation)
                    best = -1;
                if (person->generation > generation) {
                    generation = person->generation;
                    best = (int32_t)m;
                }
            }
            claims[group->topics[t].first + i] = best;
        }
}

static const char *check(struct village *v, struct kw_plan *plan)
{
    const struct kw_assign_group *group = kwi_plan_group(plan);
    const int32_t *owners = kwi_plan_owners(plan);
    bool cooperative = v->assignor == &kw_assignor_cooperative_sticky;
    bool sticky = cooperative || v->assignor == &kw_assignor_sticky;
    static int32_t claims[ALL];
    const char *broken = laws_total(group, owners, cooperative);
    if (!broken && !cooperative)
        broken = laws_balanced(group, owners, v->assignor->name);
    if (!broken && sticky && laws_equal_subscriptions(group) && !v->with_racks) {
        true_claims(v, group, claims);
        broken = laws_sticky(group, owners, claims);
    }
    return broken;
}

/* Returns the law that was broken, or NULL. */
static const char *round_of(struct village *v)
{
    struct kw_plan_member members[PEOPLE];
    struct kw_plan *plan, *again;
    const char *broken;
    bytes_at = bytes;
    for (uint32_t i = 0; i < v->n_people; i++)
        members[i] = join(v, &v->people[i]);
    v->generation++;
    cr_assert_eq(kwi_plan_create(&plan, &v->heap, members, v->n_people, NULL), 0);
    for (uint32_t i = 0; i < v->n_people / 2; i++) {
        struct kw_plan_member member = members[i];
        members[i] = members[v->n_people - 1 - i];
        members[v->n_people - 1 - i] = member;
    }
    cr_assert_eq(kwi_plan_create(&again, &v->heap, members, v->n_people, NULL), 0);
    metadata(v, plan);
    metadata(v, again);
    cr_assert_eq(kwi_plan_assign(plan, v->assignor, NULL), 0);
    cr_assert_eq(kwi_plan_assign(again, v->assignor, NULL), 0);
    broken = check(v, plan);
    if (!broken && memcmp(kwi_plan_owners(plan), kwi_plan_owners(again),
                          kwi_plan_group(plan)->n_partitions * sizeof(int32_t)) != 0)
        broken = "the order of the answer matters";
    if (!broken)
        leave_with(v, plan, &broken);
    kwi_plan_destroy(plan);
    kwi_plan_destroy(again);
    return broken;
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

Test(laws, hold_for_random_groups)
{
    static struct village v;
    uint64_t cases = number_of("KW_ASSIGN_CASES", getenv("KW_TEST_QUICK") ? 500 : 10000), done = 0;
    for (uint64_t seed = number_of("KW_ASSIGN_SEED", 1); done < cases; seed++) {
        settle(&v, seed);
        for (int round = 0; round < ROUNDS; round++, done++) {
            const char *broken = round_of(&v);
            cr_assert(!broken, "group %llu, %s, round %d: %s", (unsigned long long)seed,
                      v.assignor->name, round, broken);
            change(&v);
        }
        cr_assert_eq(v.heap.used, 0);
    }
}
