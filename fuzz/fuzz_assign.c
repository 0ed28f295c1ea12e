/* fuzz_assign.c -- the leader of a classic group: what the members wrote goes in, what
 * they are sent comes out.
 *
 * covers: G34 G35 G36
 *
 * Byte 0 picks the assignor, byte 1 how much memory there is (0: enough), byte 2 the
 * racks; bytes 3 to 7 are numbers of partitions that topics take in turn. Then members:
 * a byte that is the id, one of flags, two of a length, and so many of a subscription.
 * Checks: the laws of tests/assign/laws.h, whatever was written; the same result in
 * another order; assignments that can be read and say the same; a typed error and no
 * byte lost where memory ends. */
#include "fuzz/message.h"
#include "tests/assign/laws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    ASSIGN_HEAD = 8,
    ASSIGN_MEMBERS = 24,
    ASSIGN_RACKS = 3,
    ASSIGN_REPLICAS = 2,
    ASSIGN_EACH = 40
};

struct assign_input {
    const uint8_t *head;
    struct kw_plan_member members[ASSIGN_MEMBERS];
    uint32_t n;
    bool unique; /* no id twice */
};

static void *assign_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void assign_release(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

static void read_members(struct assign_input *in, const uint8_t *data, size_t size)
{
    bool seen[256] = {false};
    in->head = data;
    in->unique = true;
    for (size_t at = ASSIGN_HEAD; at + 4 <= size && in->n < ASSIGN_MEMBERS;) {
        size_t len = kwi_get_u16(data + at + 2);
        struct kw_plan_member *member = &in->members[in->n++];
        if (len > size - at - 4)
            len = size - at - 4;
        in->unique &= !seen[data[at]];
        seen[data[at]] = true;
        member->member_id = (struct kw_str){(const char *)data + at, 1};
        member->group_instance_id = KWI_NULL_STR;
        if (data[at + 1] & 1) /* no two of the same */
            member->group_instance_id = member->member_id;
        member->metadata = (struct kw_blob){data + at + 4, (int32_t)len};
        at += 4 + len;
    }
}

static void say_topics(const struct assign_input *in, struct kw_plan *plan)
{
    static const struct kw_bytes names[ASSIGN_RACKS] = {{"a", 1}, {"b", 1}, {"c", 1}};
    static int32_t racks[256 + ASSIGN_EACH * ASSIGN_REPLICAS];
    for (int i = 0; i < (int)(sizeof racks / sizeof *racks); i++)
        racks[i] = (i * 7 + in->head[2] * (i / 3)) % (ASSIGN_RACKS + 1) - 1;
    kwi_plan_set_racks(plan, names, ASSIGN_RACKS);
    for (uint32_t t = 0; t < kwi_plan_n_topics(plan); t++)
        kwi_plan_set_topic(plan, t, in->head[3 + t % 5] % ASSIGN_EACH,
                           in->head[2] ? racks + t % 256 : NULL, ASSIGN_REPLICAS);
}

static void check_bytes(struct kw_plan *plan, uint32_t m, uint32_t *n_read)
{
    const struct kw_assign_group *group = kwi_plan_group(plan);
    struct kw_consumer_protocol_assignment msg;
    struct kw_consumer_protocol_topic topic;
    struct kw_iter topics, partitions;
    struct kw_wr w = kwi_wr_make(NULL, 0);
    uint32_t t = 0;
    int32_t p;
    int version;
    CHECK(kwi_plan_encode(plan, m, &w) == 0); /* only measured */
    uint8_t *bytes = malloc(w.len);
    CHECK(bytes);
    w = kwi_wr_make(bytes, w.len);
    CHECK(kwi_plan_encode(plan, m, &w) == 0);
    struct kw_blob blob = {bytes, (int32_t)w.len};
    CHECK(kwi_assignment_get(&blob, &msg, &version, NULL) == 0);
    for (kwi_iter_init(&topics, &msg.assigned_partitions); kwi_iter_next(&topics, &topic); t++) {
        while (group->topics[t].name.len != (size_t)topic.topic.len ||
               memcmp(group->topics[t].name.ptr, topic.topic.ptr, (size_t)topic.topic.len) != 0)
            CHECK(++t < group->n_topics);
        for (kwi_iter_init(&partitions, &topic.partitions); kwi_iter_next(&partitions, &p);
             (*n_read)++)
            CHECK(p >= 0 && (uint32_t)p < group->topics[t].n_partitions &&
                  kwi_plan_owners(plan)[group->topics[t].first + (uint32_t)p] == (int32_t)m);
    }
    free(bytes);
}

static void check_plan(struct kw_plan *plan, const struct kw_assignor *assignor)
{
    const struct kw_assign_group *group = kwi_plan_group(plan);
    const int32_t *owners = kwi_plan_owners(plan);
    bool cooperative = assignor == &kw_assignor_cooperative_sticky;
    uint32_t n_owned = 0, n_read = 0;
    CHECK(!laws_total(group, owners, cooperative));
    if (!cooperative && group->n_topics * group->n_members <= 1024)
        CHECK(!laws_balanced(group, owners, assignor->name));
    for (uint32_t p = 0; p < group->n_partitions; p++)
        n_owned += owners[p] >= 0;
    for (uint32_t m = 0; m < group->n_members; m++)
        check_bytes(plan, m, &n_read);
    CHECK(n_read == n_owned);
}

/* A plan, or NULL where memory ended. */
static struct kw_plan *make_plan(const struct assign_input *in, struct kw_heap *heap,
                                 const struct kw_assignor *assignor)
{
    struct kw_plan *plan;
    struct kw_error err = {0};
    int rc = kwi_plan_create(&plan, heap, in->members, in->n, &err);
    if (rc == 0) {
        say_topics(in, plan);
        rc = kwi_plan_assign(plan, assignor, &err);
    }
    CHECK(rc == 0 || (rc == err.code && err.text[0] && err.hint[0]));
    CHECK(rc == 0 || (rc == KW_ERR_NOMEM && in->head[1]) || (rc == KW_ERR_PROTOCOL && in->n == 0) ||
          rc == KW_ERR_LIMIT);
    if (rc == 0)
        return plan;
    kwi_plan_destroy(plan);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct kw_assignor *const assignors[] = {
        &kw_assignor_range, &kw_assignor_roundrobin, &kw_assignor_sticky,
        &kw_assignor_cooperative_sticky};
    static const struct kw_alloc alloc = {assign_alloc, assign_release, NULL};
    struct assign_input in = {0};
    struct kw_heap heap;
    if (size < ASSIGN_HEAD)
        return 0;
    const struct kw_assignor *assignor = assignors[data[0] % 4];
    kwi_heap_init(&heap, &alloc, data[1] ? (size_t)data[1] * 256 : SIZE_MAX);
    read_members(&in, data, size);
    struct kw_plan *plan = make_plan(&in, &heap, assignor);
    if (plan) {
        check_plan(plan, assignor);
        struct kw_plan_member first = in.members[0];
        in.members[0] = in.members[in.n - 1];
        in.members[in.n - 1] = first;
        struct kw_plan *again = in.unique ? make_plan(&in, &heap, assignor) : NULL;
        if (again)
            CHECK(memcmp(kwi_plan_owners(plan), kwi_plan_owners(again),
                         kwi_plan_group(plan)->n_partitions * sizeof(int32_t)) == 0);
        kwi_plan_destroy(again);
    }
    kwi_plan_destroy(plan);
    CHECK(heap.used == 0);
    return 0;
}
