/* KIP-848 groups of the broker model: epochs, targets, what is given to whom and when. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "bed.h"
#include "proto/consumer_group.h"

static struct bed bed;
static struct client client;

enum { PARTITIONS = 6, SESSION_MS = 6000, REBALANCE_MS = 3000 };

/* What a member has, by its own account. */
struct member {
    const char *id, *instance_id, *assignor, *topic, *pattern;
    int32_t epoch;
    bool has[PARTITIONS]; /* of the topic "t" */
};
static struct kw_uuid topic_id;

static void open_group(void)
{
    static const struct kw_mock_config config = {.group_session_ms = SESSION_MS};
    bed_open(&bed, &config);
    cr_assert_eq(kwi_mock_create_topic(bed.mock, "t", PARTITIONS), 0);
    kwi_mock_set_coordinator(bed.mock, 0);
    client_open(&client, &bed, 0);
    topic_id = client_topic_id(&client, "t");
}

static void close_group(void)
{
    client_close(&client);
    bed_close(&bed);
}

static uint32_t count(const struct member *member)
{
    uint32_t n = 0;
    for (int p = 0; p < PARTITIONS; p++)
        n += member->has[p];
    return n;
}

/* One heartbeat, with everything or with the least; takes the answer over. keep: what
 * the answer takes away is not given up yet. Returns the error. */
static int16_t beat(struct member *member, bool all, bool owned, bool keep)
{
    struct kw_consumer_group_heartbeat_request req;
    struct kw_consumer_group_heartbeat_response resp;
    struct kw_group_partitions mine, item;
    struct kw_str name = kwi_str(member->topic ? member->topic : "t");
    int32_t numbers[PARTITIONS], partition;
    struct kw_iter it, inner;
    size_t n = 0;
    kwi_consumer_group_heartbeat_request_init(&req);
    req.group_id = kwi_str("g");
    req.member_id = kwi_str(member->id);
    req.member_epoch = member->epoch;
    if (member->instance_id)
        req.instance_id = kwi_str(member->instance_id);
    if (all) {
        req.rebalance_timeout_ms = REBALANCE_MS;
        req.subscribed_topic_names = KWI_ARR(&name, member->pattern ? 0 : 1);
        if (member->pattern)
            req.subscribed_topic_regex = kwi_str(member->pattern);
        if (member->assignor)
            req.server_assignor = kwi_str(member->assignor);
    }
    kwi_group_partitions_init(&mine);
    mine.topic_id = topic_id;
    for (int p = 0; p < PARTITIONS; p++) {
        if (member->has[p])
            numbers[n++] = p;
    }
    mine.partitions = KWI_ARR(numbers, n);
    if (all || owned)
        req.topic_partitions = KWI_ARR(&mine, n > 0);
    client_ask(&client, KW_API_CONSUMER_GROUP_HEARTBEAT, 1, &req, &resp);
    if (resp.error_code)
        return resp.error_code;
    member->epoch = resp.member_epoch;
    if (!resp.assignment.present)
        return 0;
    if (!keep)
        memset(member->has, 0, sizeof member->has);
    kwi_iter_init(&it, &resp.assignment.topic_partitions);
    while (kwi_iter_next(&it, &item)) {
        if (memcmp(&item.topic_id, &topic_id, sizeof topic_id) != 0)
            continue;
        for (kwi_iter_init(&inner, &item.partitions); kwi_iter_next(&inner, &partition);)
            member->has[partition] = true;
    }
    return 0;
}

static void join(struct member *member, const char *id)
{
    *member = (struct member){.id = id};
    cr_assert_eq(beat(member, true, true, false), 0);
}

static int16_t leave(struct member *member, int32_t epoch)
{
    member->epoch = epoch;
    return beat(member, false, false, false);
}

Test(mock_modern, a_partition_is_given_when_the_one_who_had_it_says_so)
{
    struct member a, b;
    open_group();
    join(&a, "a");
    cr_assert_eq(count(&a), PARTITIONS);
    int32_t epoch = a.epoch;
    join(&b, "b");
    cr_assert_eq(count(&b), 0);
    cr_assert_gt(b.epoch, epoch, "it is where the group is, and waits");
    /* a is told to give up half, and stays at its epoch until it has. */
    struct member slow = a;
    cr_assert_eq(beat(&slow, false, false, true), 0);
    cr_assert_eq(slow.epoch, epoch);
    cr_assert_eq(beat(&b, false, false, false), 0);
    cr_assert_eq(count(&b), 0);
    cr_assert_eq(beat(&slow, false, true, true), 0, "it still names all");
    cr_assert_eq(beat(&b, false, false, false), 0);
    cr_assert_eq(count(&b), 0);
    cr_assert_eq(beat(&a, true, true, false), 0, "what it must give up is not in a full answer");
    cr_assert_eq(count(&a), 3);
    cr_assert_eq(beat(&a, false, true, false), 0);
    cr_assert_eq(a.epoch, b.epoch);
    cr_assert_eq(beat(&b, false, false, false), 0);
    cr_assert_eq(count(&b), 3);
    for (int p = 0; p < PARTITIONS; p++)
        cr_assert_eq(a.has[p] + b.has[p], 1);
    struct kw_mock_group_info info;
    cr_assert_eq(kwi_mock_group(bed.mock, "g", &info), 0);
    cr_assert_eq(info.state, KWI_MOCK_GROUP_STABLE);
    cr_assert_eq(info.n_members, 2);
    cr_assert_eq(info.generation, a.epoch);
    cr_assert_eq(leave(&b, -1), 0);
    cr_assert_eq(beat(&a, false, false, false), 0);
    cr_assert_eq(count(&a), PARTITIONS);
    close_group();
}

Test(mock_modern, epochs_that_cannot_be_are_fenced_and_one_behind_is_taken)
{
    struct member a, b, old;
    open_group();
    join(&a, "a");
    join(&b, "b");
    cr_assert_eq(beat(&a, false, false, false), 0);
    old = a;
    cr_assert_eq(beat(&a, false, true, false), 0);
    cr_assert_gt(a.epoch, old.epoch);
    /* The answer that raised it was lost: the same again, with what it has. */
    struct member again = old;
    cr_assert_eq(beat(&again, false, false, false), KW_E_FENCED_MEMBER_EPOCH, "but it must say so");
    cr_assert_eq(beat(&again, true, true, false), 0);
    cr_assert_eq(again.epoch, a.epoch);
    again.epoch = a.epoch + 1;
    cr_assert_eq(beat(&again, true, true, false), KW_E_FENCED_MEMBER_EPOCH);
    again.epoch = -3;
    cr_assert_eq(beat(&again, true, true, false), KW_E_INVALID_REQUEST);
    struct member nobody = {.id = "nobody", .epoch = 1};
    cr_assert_eq(beat(&nobody, true, true, false), KW_E_UNKNOWN_MEMBER_ID);
    nobody.epoch = 0;
    nobody.has[0] = true;
    cr_assert_eq(beat(&nobody, true, true, false), KW_E_INVALID_REQUEST, "who joins has nothing");
    nobody.assignor = "best";
    nobody.has[0] = false;
    cr_assert_eq(beat(&nobody, true, true, false), KW_E_UNSUPPORTED_ASSIGNOR);
    close_group();
}

Test(mock_modern, who_is_silent_or_does_not_give_up_is_out)
{
    struct member a, b;
    open_group();
    join(&a, "a");
    join(&b, "b");
    cr_assert_eq(beat(&a, false, false, true), 0);
    for (int ms = 0; ms < REBALANCE_MS + 500; ms += 500) { /* alive, and holds on to it */
        bed_advance(&bed, 500);
        (void)beat(&a, false, false, true);
        cr_assert_eq(beat(&b, false, false, false), 0);
    }
    cr_assert_eq(beat(&a, false, false, true), KW_E_UNKNOWN_MEMBER_ID);
    cr_assert_eq(count(&b), PARTITIONS);
    bed_advance(&bed, SESSION_MS - 100);
    cr_assert_eq(beat(&b, false, false, false), 0);
    bed_advance(&bed, SESSION_MS + 100);
    cr_assert_eq(beat(&b, false, false, false), KW_E_UNKNOWN_MEMBER_ID);
    close_group();
}

Test(mock_modern, a_static_member_is_kept_while_it_is_away)
{
    struct member a = {.id = "a", .instance_id = "one"}, b, second, back;
    open_group();
    cr_assert_eq(beat(&a, true, true, false), 0);
    second = (struct member){.id = "x", .instance_id = "one"};
    cr_assert_eq(beat(&second, true, true, false), KW_E_UNRELEASED_INSTANCE_ID);
    second.epoch = a.epoch;
    cr_assert_eq(beat(&second, true, true, false), KW_E_FENCED_INSTANCE_ID);
    cr_assert_eq(leave(&a, -2), 0);
    cr_assert_eq(a.epoch, -2);
    join(&b, "b");
    cr_assert_eq(count(&b), 0, "it is kept");
    back = (struct member){.id = "y", .instance_id = "one"};
    cr_assert_eq(beat(&back, true, true, false), 0);
    cr_assert_eq(count(&back), 3);
    cr_assert_eq(beat(&back, false, true, false), 0);
    cr_assert_eq(beat(&b, false, false, false), 0);
    cr_assert_eq(count(&b), 3);
    cr_assert_eq(leave(&back, -2), 0);
    bed_advance(&bed, SESSION_MS - 100);
    cr_assert_eq(beat(&b, false, false, false), 0);
    cr_assert_eq(count(&b), 3);
    bed_advance(&bed, 200);
    cr_assert_eq(beat(&b, false, false, false), 0);
    cr_assert_eq(count(&b), PARTITIONS);
    close_group();
}

Test(mock_modern, patterns_are_matched_whole)
{
    static const struct {
        const char *pattern;
        bool good, matches;
    } rows[] = {{"t", true, true},      {"t.*", true, true},     {".", true, true},
                {"tt*", true, true},    {"tt+", true, false},    {"tt?", true, true},
                {"a|t|b", true, true},  {"[a-s]", true, false},  {"[^a-s]+", true, true},
                {"[rst]", true, true},  {"\\t", true, true},     {"\\.", true, false},
                {"u", true, false},     {"^t$|^u$", true, true}, {"^$", true, false},
                {"^t\\$", true, false}, {"(t)", false, false},   {"[t", false, false},
                {"*", false, false},    {"t\\", false, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct member a = {.id = "a", .pattern = rows[i].pattern};
        open_group();
        int16_t error = beat(&a, true, true, false);
        cr_assert_eq(error, rows[i].good ? 0 : KW_E_INVALID_REGULAR_EXPRESSION, "%s: %d",
                     rows[i].pattern, error);
        cr_assert_eq(count(&a), rows[i].matches ? PARTITIONS : 0, "%s", rows[i].pattern);
        close_group();
    }
}

Test(mock_modern, each_kind_of_group_keeps_the_other_out)
{
    struct kw_consumer_group_describe_request req;
    struct kw_consumer_group_describe_response resp;
    struct kw_consumer_group_described group;
    struct kw_consumer_group_member told;
    struct kw_str id = kwi_str("g");
    struct kw_iter it, members;
    struct member a;
    open_group();
    kwi_consumer_group_describe_request_init(&req);
    req.group_ids = KWI_ARR(&id, 1);
    client_ask(&client, KW_API_CONSUMER_GROUP_DESCRIBE, 1, &req, &resp);
    kwi_iter_init(&it, &resp.groups);
    cr_assert(kwi_iter_next(&it, &group));
    cr_assert_eq(group.error_code, KW_E_GROUP_ID_NOT_FOUND);
    join(&a, "a");
    client_ask(&client, KW_API_CONSUMER_GROUP_DESCRIBE, 1, &req, &resp);
    kwi_iter_init(&it, &resp.groups);
    cr_assert(kwi_iter_next(&it, &group));
    cr_assert_eq(group.error_code, 0);
    cr_assert_eq(group.group_epoch, a.epoch);
    cr_assert(group.group_state.len == 6 && memcmp(group.group_state.ptr, "Stable", 6) == 0);
    kwi_iter_init(&members, &group.members);
    cr_assert(kwi_iter_next(&members, &told));
    cr_assert_eq(told.member_epoch, a.epoch);
    cr_assert_eq(told.assignment.topic_partitions.n, PARTITIONS);
    cr_assert_eq(told.member_type, 1);
    cr_assert(!kwi_iter_next(&members, &told));
    close_group();
}
