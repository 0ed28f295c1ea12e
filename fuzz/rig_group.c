/* fuzz/rig_group.c -- members of a group in the client in a bottle: consumers beside the
 * one that is assigned by hand, which join, work, leave and close, and what must hold of
 * them whatever the coordinator says: no record of a partition that was not given to the
 * member, or behind the event that took it; and none with an older token than another
 * member had before, unless a broker lied. */
#include "fuzz/rig.h"

#include "proto/api.h"

/* The two topics of the rig, "t" and "u". */
static uint8_t *part_of(uint8_t table[2][RIG_PARTS], const char *topic, int32_t partition)
{
    int t = topic[0] == 't' ? 0 : topic[0] == 'u' ? 1 : -1;
    if (t < 0 || topic[1] != '\0' || partition < 0 || partition >= RIG_PARTS)
        return NULL;
    return &table[t][partition];
}

static struct rig_member *member_of(struct rig *rig, const struct kw_consumer *consumer)
{
    for (uint32_t i = 0; consumer && i < RIG_MEMBERS; i++) {
        if (rig->members[i].consumer == consumer)
            return &rig->members[i];
    }
    return NULL;
}

static void take_part(struct rig_member *member, uint8_t kind,
                      const struct kw_topic_partition *which)
{
    uint8_t *state = part_of(member->parts, which->topic, which->partition);
    if (!state)
        return;
    if (kind == KW_EVENT_ASSIGNED) {
        CHECK(*state != RIG_OWNED);
        *state = RIG_OWNED;
    } else if (kind == KW_EVENT_REVOKED) {
        CHECK(*state == RIG_OWNED);
        *state = RIG_REVOKED;
    } else {
        *state = RIG_NOT_OURS;
    }
}

void rig_group_event(struct rig *rig, const struct kw_event *event)
{
    struct rig_member *member = member_of(rig, event->consumer);
    if (event->kind != KW_EVENT_ASSIGNED && event->kind != KW_EVENT_REVOKED &&
        event->kind != KW_EVENT_LOST)
        return;
    CHECK(event->consumer);
    for (uint32_t i = 0; i < event->n_partitions; i++) {
        rig_trace(rig, (uint64_t)event->partitions[i].partition << 8 | event->kind);
        if (member)
            take_part(member, (uint8_t)event->kind, &event->partitions[i]);
    }
}

/* ---- records ------------------------------------------------------------------------------ */

static void release(struct rig_member *member, uint32_t slot, enum kw_done done)
{
    kw_core_records_release(member->held[slot], done);
    member->held[slot] = NULL;
}

static void poll_member(struct rig *rig, struct rig_member *member, uint32_t slot, size_t max)
{
    struct kw_records *records = NULL;
    const struct kw_consumed *c;
    uint8_t *state;
    int64_t fence;
    int rc;
    release(member, slot, KW_DONE);
    rc = kw_core_consumer_poll(member->consumer, &records, max);
    CHECK(rc == 0 || rc == 1 || (rc == KW_ERR_NOMEM && rig_may_lack(rig)));
    if (rc != 1)
        return;
    member->held[slot] = records;
    state = part_of(member->parts, kw_records_topic(records), kw_records_partition(records));
    CHECK(!state || *state == RIG_OWNED);
    fence = kw_records_fence(records);
    if (state && !rig->ever_lied) {
        int64_t *last = &rig->fences[(size_t)(state - &member->parts[0][0])];
        CHECK(fence >= *last);
        *last = fence;
    }
    while ((c = kw_records_next(records))) {
        rig_trace(rig, (uint64_t)c->offset);
        if (c->offset & 4)
            (void)kw_done(records, c);
    }
}

/* ---- what the application may do ------------------------------------------------------------ */

static const char *const group_settings[] = {
    "group.id=g\nsession.timeout.ms=3000\nheartbeat.interval.ms=500\n"
    "max.poll.interval.ms=4000\nrebalance.ack.timeout.ms=1000\nauto.commit.interval.ms=300\n",
    "group.id=g\ngroup.protocol=consumer\nmax.poll.interval.ms=4000\n"
    "rebalance.ack.timeout.ms=1000\nauto.commit.interval.ms=300\n",
    "group.id=g\ngroup.protocol=auto\nenable.auto.commit=false\nclient.rack=a\n",
    "group.id=g\nsession.timeout.ms=3000\nheartbeat.interval.ms=500\nclient.rack=b\n"
    "partition.assignment.strategy=cooperative-sticky\nrebalance.ack.timeout.ms=500\n"
    "consumer.memory=65536\n",
    "group.id=g\nsession.timeout.ms=6000\nheartbeat.interval.ms=500\n"
    "group.instance.id=i\npartition.assignment.strategy=sticky,roundrobin\n"};

static void member_make(struct rig *rig, struct rig_member *member, uint8_t choice)
{
    const char *settings =
        group_settings[choice % (sizeof group_settings / sizeof *group_settings)];
    int rc;
    memset(member->parts, 0, sizeof member->parts);
    rc = kw_core_consumer_create(&member->consumer, rig->core, rig_settings(settings), NULL);
    CHECK(rc == 0 || rc == KW_ERR_CLOSED || (rc == KW_ERR_NOMEM && rig_may_lack(rig)));
}

static uint32_t free_op(const struct rig *rig)
{
    uint32_t slot = 0;
    while (slot < RIG_OPS && rig->ops[slot])
        slot++;
    return slot;
}

static void member_close(struct rig *rig, struct rig_member *member, uint8_t leave, uint8_t time)
{
    uint32_t slot = free_op(rig);
    if (slot == RIG_OPS)
        return;
    rig->ops[slot] = kw_core_consumer_close(member->consumer, (enum kw_leave)(leave % 3),
                                            time & 128 ? -1 : time * 20, (void *)(uintptr_t)slot);
    CHECK(rig->ops[slot] || rig_may_lack(rig));
    if (rig->ops[slot])
        member->consumer = NULL; /* it is not touched any more, but for its handles */
}

void rig_group(struct rig *rig, uint8_t a, uint8_t b, uint8_t c)
{
    static const char *const topics[] = {"t", "u", "v"};
    struct rig_member *member = &rig->members[(a >> 3) % RIG_MEMBERS];
    int rc = 0;
    if (!rig->has_coordinator)
        kwi_mock_set_coordinator(rig->mock, 0);
    rig->has_coordinator = true;
    if (!member->consumer && !rig->close_begun)
        member_make(rig, member, a >> 5);
    if (!member->consumer)
        return;
    switch (a & 7) {
    case 0:
    case 1:
    case 2: rc = kw_core_subscribe(member->consumer, topics + b % 2, 1 + b / 2 % 2, NULL); break;
    case 3: rc = kw_core_subscribe_pattern(member->consumer, b & 1 ? "[tu]" : "(", NULL); break;
    case 4: rc = kw_core_subscribe(member->consumer, NULL, 0, NULL); break;
    case 5: kwi_mock_set_coordinator(rig->mock, (int32_t)(b % 3) - 1); break;
    case 6: rc = kw_core_rejoin(member->consumer, b & 1 ? "because" : NULL); break;
    default: member_close(rig, member, b, c); break;
    }
    CHECK(rc <= 0 && (rc != KW_ERR_NOMEM || rig_may_lack(rig)));
}

static void group_fault(struct rig *rig, uint8_t b, uint8_t c)
{
    static const int16_t apis[] = {KW_API_FIND_COORDINATOR, KW_API_JOIN_GROUP,
                                   KW_API_SYNC_GROUP,       KW_API_HEARTBEAT,
                                   KW_API_LEAVE_GROUP,      KW_API_CONSUMER_GROUP_HEARTBEAT,
                                   KW_API_OFFSET_COMMIT,    KW_API_OFFSET_FETCH};
    struct kw_mock_fault fault = {.api_key = apis[c & 7],
                                  .action = c & 128 ? KWI_MOCK_DROP_ANSWER : KWI_MOCK_ERROR,
                                  .value = (int8_t)b,
                                  .broker = -1,
                                  .partition = -1,
                                  .first = 1 + (c >> 3 & 3)};
    fault.last = fault.first + (c >> 5 & 3);
    (void)!kwi_mock_fault_add(rig->mock, &fault, NULL);
}

void rig_member_act(struct rig *rig, uint8_t a, uint8_t b, uint8_t c)
{
    struct rig_member *member = &rig->members[(a >> 3) % RIG_MEMBERS];
    struct kw_start start = {b & 4 ? "u" : "t", b & 3, (uint8_t)(c % 6), c >> 3};
    uint32_t slot = b % RIG_HELD;
    if ((a & 7) == 7) {
        group_fault(rig, b, c);
        return;
    }
    if ((a & 7) == 2) {
        release(member, slot, c & 1 ? KW_DONE : KW_NOT_DONE);
        return;
    }
    if (!member->consumer)
        return;
    switch (a & 7) {
    case 0:
    case 1: poll_member(rig, member, slot, c); break;
    case 3: (void)kw_core_rebalance_ack(member->consumer); break;
    case 4: (void)!kw_core_seek(member->consumer, &start); break;
    case 5: (void)!kw_core_pause(member->consumer, start.topic, start.partition, c & 1); break;
    default:
        slot = free_op(rig);
        if (slot == RIG_OPS)
            return;
        rig->ops[slot] = kw_core_commit(member->consumer, NULL, c & 128 ? -1 : c * 10,
                                        (void *)(uintptr_t)slot);
        CHECK(rig->ops[slot] || rig_may_lack(rig));
        break;
    }
}
