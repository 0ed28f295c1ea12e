/* Admin requests about groups: listing them over all brokers, describing, deleting, and
 * their offsets, for groups of both kinds; moving coordinators, old brokers, hostile
 * answers.
 *
 * covers: B18 B20 B21 G09 G33 I9 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "proto/api.h"
#include "proto/groups.h"
#include "proto/header.h"
#include "proto/offsets.h"
#include "tests/sim/pair.h"

enum { PARTITIONS = 4, BROKERS = 3 };

struct desk {
    struct sim_pair pair;
    unsigned n_done;
    int code;
    struct kw_error error;
    struct kw_admin_result *result;
    unsigned n_commits;
    struct {
        int16_t version;
        int32_t generation, partition, epoch;
        int64_t retention_ms, offset;
        char member[64], metadata[32];
        bool is_static;
    } commit; /* the last OffsetCommit */
};
static struct desk desk;

static void desk_event(void *ctx, const struct kw_event *event)
{
    (void)ctx;
    if (event->kind != KW_EVENT_OP_DONE)
        return;
    desk.n_done++;
    desk.code = event->code;
    memset(&desk.error, 0, sizeof desk.error);
    if (event->error)
        desk.error = *event->error;
}

static void desk_request(void *ctx, const uint8_t *frame, size_t len)
{
    struct kw_offset_commit_request req;
    struct kw_offset_commit_request_topic topic;
    struct kw_offset_commit_request_partition part;
    struct kw_request_header header;
    struct kw_iter it;
    size_t used;
    (void)ctx;
    cr_assert_eq(kwi_request_header_get(frame, len, &header, &used), 0);
    if (header.api_key != KW_API_OFFSET_COMMIT)
        return;
    cr_assert_eq(
        kwi_offset_commit_request_decode(&req, header.api_version, frame + used, len - used, NULL),
        0);
    kwi_iter_init(&it, &req.topics);
    cr_assert(kwi_iter_next(&it, &topic));
    kwi_iter_init(&it, &topic.partitions);
    cr_assert(kwi_iter_next(&it, &part));
    desk.n_commits++;
    desk.commit.version = header.api_version;
    desk.commit.generation = req.generation_id_or_member_epoch;
    desk.commit.retention_ms = req.retention_time_ms;
    desk.commit.partition = part.partition_index;
    desk.commit.offset = part.committed_offset;
    desk.commit.epoch = part.committed_leader_epoch;
    desk.commit.is_static = req.group_instance_id.len >= 0;
    snprintf(desk.commit.member, sizeof desk.commit.member, "%.*s", (int)req.member_id.len,
             req.member_id.ptr);
    snprintf(desk.commit.metadata, sizeof desk.commit.metadata, "%.*s",
             (int)part.committed_metadata.len, part.committed_metadata.ptr);
}

static const char *const usual[] = {"retry.backoff.ms=20",
                                    "retry.backoff.max.ms=100",
                                    "reconnect.backoff.ms=10",
                                    "reconnect.backoff.max.ms=100",
                                    "request.timeout.ms=1000",
                                    "client.id=desk-1",
                                    NULL};

static void desk_begin_of(const struct kw_mock_config *config)
{
    memset(&desk, 0, sizeof desk);
    cr_assert_eq(sim_pair_init_of(&desk.pair, SIM_MEMORY_PLAIN, config, PARTITIONS), 0);
    kwi_mock_set_coordinator(desk.pair.mock, 1);
    desk.pair.on_event = desk_event;
    desk.pair.on_request = desk_request;
    cr_assert_eq(sim_pair_core(&desk.pair, usual, NULL), 0);
}

static void desk_begin(void)
{
    static const struct kw_mock_config config = {.n_brokers = BROKERS};
    desk_begin_of(&config);
}

static void desk_begin_release(const char *release)
{
    struct kw_mock_config config = {.n_brokers = BROKERS};
    cr_assert_eq(kwi_mock_release(release, &config.versions, &config.n_versions), 0);
    desk_begin_of(&config);
}

static void desk_end(void)
{
    cr_assert(!desk.pair.broken, "%s", desk.pair.why);
    kw_core_destroy(desk.pair.core);
    desk.pair.core = NULL;
    kw_admin_result_destroy(desk.result);
    cr_assert_eq(desk.pair.memory.n_live, 0, "%lu blocks leaked",
                 (unsigned long)desk.pair.memory.n_live);
    sim_pair_deinit(&desk.pair);
}

static void desk_fault(const char *spec)
{
    struct kw_mock_fault fault;
    const char *why = "";
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, &why), 0, "%s: %s", spec, why);
    cr_assert_eq(kwi_mock_fault_add(desk.pair.mock, &fault, NULL), 0);
}

static void desk_run(uint64_t ms)
{
    for (uint64_t at = 0; at < ms; at += 5)
        sim_pair_step(&desk.pair, 5000);
}

static struct kw_op *start(const struct kw_admin_request *request, int32_t timeout_ms)
{
    kw_admin_result_destroy(desk.result);
    desk.result = NULL;
    return kw_core_admin(desk.pair.core, request, &desk.result, timeout_ms, NULL);
}

/* Runs the request to its end; returns the op's code. */
static int ask_for(const struct kw_admin_request *request, int32_t timeout_ms)
{
    unsigned before = desk.n_done;
    cr_assert_not_null(start(request, timeout_ms));
    for (int i = 0; i < 4000 && desk.n_done == before; i++)
        sim_pair_step(&desk.pair, 5000);
    cr_assert_eq(desk.n_done, before + 1, "the op did not end once");
    return desk.code;
}

static struct kw_admin_request request_of(uint8_t kind)
{
    return (struct kw_admin_request){.size = sizeof(struct kw_admin_request), .kind = kind};
}

static int list_groups(const char *type, const char *state)
{
    struct kw_admin_request request = request_of(KW_ADMIN_LIST_GROUPS);
    request.types = &type;
    request.n_types = type != NULL;
    request.states = &state;
    request.n_states = state != NULL;
    return ask_for(&request, 5000);
}

static int describe(const char *const *groups, uint32_t n, uint8_t type)
{
    struct kw_admin_request request = request_of(KW_ADMIN_DESCRIBE_GROUPS);
    request.groups = groups;
    request.n_groups = n;
    request.group_type = type;
    return ask_for(&request, 5000);
}

static int delete_groups(const char *const *groups, uint32_t n)
{
    struct kw_admin_request request = request_of(KW_ADMIN_DELETE_GROUPS);
    request.groups = groups;
    request.n_groups = n;
    return ask_for(&request, 5000);
}

static int offsets(uint8_t kind, const char *group, const struct kw_offset *list, uint32_t n)
{
    struct kw_admin_request request = request_of(kind);
    request.groups = &group;
    request.n_groups = 1;
    request.offsets = list;
    request.n_offsets = n;
    return ask_for(&request, 5000);
}

/* A member of a group, settled. */
static struct kw_consumer *join(const char *group, const char *protocol)
{
    static const char *const topics[] = {"t"};
    struct kw_mock_group_info info = {0};
    struct kw_config *own = NULL;
    struct kw_consumer *consumer;
    char id[64], kind[64];
    struct kw_error err;
    snprintf(id, sizeof id, "group.id=%s", group);
    snprintf(kind, sizeof kind, "group.protocol=%s", protocol);
    const char *settings[] = {id, kind, "enable.auto.commit=false", NULL};
    cr_assert_eq(sim_pair_config(&desk.pair, &own, settings), 0);
    cr_assert_eq(kw_core_consumer_create(&consumer, desk.pair.core, own, &err), 0, "%s", err.text);
    kw_config_destroy(own);
    cr_assert_eq(kw_core_subscribe(consumer, topics, 1, &err), 0, "%s", err.text);
    desk_run(1000);
    cr_assert_eq(kwi_mock_group(desk.pair.mock, group, &info), 0);
    cr_assert_eq(info.state, KWI_MOCK_GROUP_STABLE);
    return consumer;
}

static const struct kw_offset two[] = {
    {.topic = "t", .partition = 2, .offset = 20, .leader_epoch = 3, .metadata = {"here", 4}},
    {.topic = "t", .partition = 0, .offset = 5},
};

/* A classic group, one of KIP-848, and one that only has offsets. */
static void three_groups(void)
{
    join("classic", "classic");
    join("modern", "consumer");
    cr_assert_eq(offsets(KW_ADMIN_SET_OFFSETS, "simple", two, 2), 0, "%s", desk.error.text);
}

static const struct kw_group_info *group_at(uint32_t i)
{
    cr_assert_lt(i, desk.result->n_groups);
    return &desk.result->groups[i];
}

/* ---- listing ---------------------------------------------------------------------------- */

Test(group_admin, groups_of_all_brokers_are_listed_in_order)
{
    static const char *const names[] = {"classic", "modern", "simple"};
    static const char *const types[] = {"classic", "consumer", "classic"};
    static const char *const states[] = {"Stable", "Stable", "Empty"};
    desk_begin();
    three_groups();
    cr_assert_eq(list_groups(NULL, NULL), 0, "%s", desk.error.text);
    cr_assert_eq(desk.result->n_groups, 3);
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert_str_eq(group_at(i)->id, names[i]);
        cr_assert_str_eq(group_at(i)->type, types[i]);
        cr_assert_str_eq(group_at(i)->state, states[i]);
        cr_assert_str_eq(group_at(i)->protocol_type, i < 2 ? "consumer" : "");
        cr_assert_eq(group_at(i)->coordinator, 1);
        cr_assert_eq(group_at(i)->code, 0);
    }
    cr_assert_eq(kwi_mock_n_requests(desk.pair.mock, KW_API_LIST_GROUPS), BROKERS);
    desk_end();
}

Test(group_admin, a_list_may_be_of_one_type_or_state)
{
    desk_begin();
    three_groups();
    cr_assert_eq(list_groups("consumer", NULL), 0);
    cr_assert_eq(desk.result->n_groups, 1);
    cr_assert_str_eq(group_at(0)->id, "modern");
    cr_assert_eq(list_groups(NULL, "Empty"), 0);
    cr_assert_eq(desk.result->n_groups, 1);
    cr_assert_str_eq(group_at(0)->id, "simple");
    cr_assert_eq(list_groups("classic", "Stable"), 0);
    cr_assert_eq(desk.result->n_groups, 1);
    cr_assert_str_eq(group_at(0)->id, "classic");
    cr_assert_eq(list_groups("share", NULL), 0);
    cr_assert_eq(desk.result->n_groups, 0);
    desk_end();
}

Test(group_admin, an_old_broker_has_classic_groups_only_and_cannot_tell_states)
{
    desk_begin_release("2.1");
    cr_assert_eq(offsets(KW_ADMIN_SET_OFFSETS, "simple", two, 2), 0, "%s", desk.error.text);
    cr_assert_eq(list_groups("classic", NULL), 0, "%s", desk.error.text);
    cr_assert_eq(desk.result->n_groups, 1);
    cr_assert_str_eq(group_at(0)->type, "");
    cr_assert_eq(list_groups("consumer", NULL), KW_ERR_UNSUPPORTED);
    cr_assert_eq(list_groups(NULL, "Empty"), KW_ERR_UNSUPPORTED);
    desk_end();
}

/* Every broker lists what it likes. */
static int16_t list_error;
static size_t list_lie(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap)
{
    struct kw_list_groups_response msg;
    struct kw_list_groups_group groups[3];
    struct kw_wr wr = kwi_wr_make(out, cap);
    (void)ctx;
    if (answer->api_key != KW_API_LIST_GROUPS)
        return 0;
    kwi_list_groups_response_init(&msg);
    for (int i = 0; i < 3; i++) {
        kwi_list_groups_group_init(&groups[i]);
        groups[i].group_id = kwi_str(i == 0 ? "b" : "a");
        groups[i].protocol_type = groups[i].group_state = groups[i].group_type = kwi_str("x");
    }
    msg.error_code = list_error;
    msg.groups = KWI_ARR(groups, 3);
    cr_assert_eq(kwi_list_groups_response_encode(&msg, answer->version, &wr), 0);
    return wr.len;
}

static void desk_begin_lying(size_t (*on_answer)(void *, struct sim_pair_answer *, uint8_t *,
                                                 size_t))
{
    memset(&desk, 0, sizeof desk);
    cr_assert_eq(sim_pair_init(&desk.pair, SIM_MEMORY_PLAIN, BROKERS, PARTITIONS), 0);
    kwi_mock_set_coordinator(desk.pair.mock, 1);
    desk.pair.on_event = desk_event;
    desk.pair.on_answer = on_answer;
    cr_assert_eq(sim_pair_core(&desk.pair, usual, NULL), 0);
}

Test(group_admin, a_group_that_several_brokers_list_is_there_once)
{
    list_error = 0;
    desk_begin_lying(list_lie);
    cr_assert_eq(list_groups(NULL, NULL), 0, "%s", desk.error.text);
    cr_assert_eq(desk.result->n_groups, 2);
    cr_assert_str_eq(group_at(0)->id, "a");
    cr_assert_str_eq(group_at(1)->id, "b");
    desk_end();
}

Test(group_admin, a_broker_that_refuses_ends_the_list_with_its_error)
{
    list_error = 31;
    desk_begin_lying(list_lie);
    cr_assert_eq(list_groups(NULL, NULL), KW_ERR_BROKER);
    cr_assert_eq(desk.error.kafka_code, 31);
    desk_end();
}

Test(group_admin, what_some_brokers_said_is_given_when_another_does_not_answer)
{
    struct kw_admin_request request = request_of(KW_ADMIN_LIST_GROUPS);
    desk_begin();
    three_groups();
    desk_fault("listgroups:*:drop-request:broker=2");
    cr_assert_eq(ask_for(&request, 1500), KW_ERR_TIMEOUT);
    cr_assert_not_null(desk.result);
    cr_assert_eq(desk.result->n_groups, 3, "%u", desk.result->n_groups);
    desk_end();
}

Test(group_admin, a_broker_that_is_gone_is_left_out_when_metadata_knows_it)
{
    desk_begin();
    three_groups();
    kwi_mock_broker_down(desk.pair.mock, 2, false);
    desk_run(100);
    cr_assert_eq(list_groups(NULL, NULL), 0, "%s", desk.error.text);
    cr_assert_eq(desk.result->n_groups, 3);
    desk_end();
}

/* ---- describing --------------------------------------------------------------------------- */

static void expect_all_assigned(const struct kw_group_member *member)
{
    bool seen[PARTITIONS] = {false};
    cr_assert_eq(member->n_assigned, PARTITIONS);
    for (uint32_t i = 0; i < member->n_assigned; i++) {
        cr_assert_str_eq(member->assigned[i].topic, "t");
        int32_t p = member->assigned[i].partition;
        cr_assert(p >= 0 && p < PARTITIONS && !seen[p]);
        seen[p] = true;
    }
    cr_assert_eq(member->n_target, PARTITIONS);
}

Test(group_admin, members_are_described_whatever_the_kind_of_the_group)
{
    static const char *const names[] = {"modern", "nobody", "classic", "simple"};
    desk_begin();
    three_groups();
    cr_assert_eq(describe(names, 4, KW_GROUP_TYPE_ANY), 0, "%s", desk.error.text);
    cr_assert_eq(desk.result->n_groups, 4);
    for (uint32_t i = 0; i < 4; i++)
        cr_assert_str_eq(group_at(i)->id, names[i]);
    cr_assert_str_eq(group_at(0)->type, "consumer");
    cr_assert_str_eq(group_at(0)->assignor, "uniform");
    cr_assert_gt(group_at(0)->epoch, 0);
    cr_assert_gt(group_at(0)->members[0].epoch, 0);
    cr_assert_str_eq(group_at(2)->type, "classic");
    cr_assert_str_eq(group_at(2)->assignor, "range");
    cr_assert_eq(group_at(2)->epoch, -1);
    for (uint32_t i = 0; i < 3; i += 2) {
        const struct kw_group_member *member = &group_at(i)->members[0];
        cr_assert_eq(group_at(i)->code, 0);
        cr_assert_eq(group_at(i)->coordinator, 1);
        cr_assert_str_eq(group_at(i)->state, "Stable");
        cr_assert_eq(group_at(i)->n_members, 1);
        cr_assert_str_eq(member->client_id, "desk-1");
        cr_assert_str_eq(member->host, "/127.0.0.1");
        cr_assert_null(member->instance_id);
        cr_assert_gt(strlen(member->id), 0);
        cr_assert(!member->unreadable);
        expect_all_assigned(member);
    }
    cr_assert_eq(group_at(1)->code, KW_ERR_BROKER);
    cr_assert_eq(group_at(1)->kafka_code, 69);
    cr_assert_eq(group_at(3)->code, 0);
    cr_assert_str_eq(group_at(3)->state, "Empty");
    cr_assert_eq(group_at(3)->n_members, 0);
    desk_end();
}

Test(group_admin, of_one_type_only_those_groups_are_described)
{
    static const char *const names[] = {"modern", "classic"};
    desk_begin();
    three_groups();
    cr_assert_eq(describe(names, 2, KW_GROUP_TYPE_CLASSIC), 0);
    cr_assert_eq(group_at(0)->kafka_code, 69);
    cr_assert_eq(group_at(1)->n_members, 1);
    cr_assert_eq(describe(names, 2, KW_GROUP_TYPE_CONSUMER), 0);
    cr_assert_eq(group_at(0)->n_members, 1);
    cr_assert_eq(group_at(1)->kafka_code, 69);
    cr_assert_eq(describe(names, 2, KW_GROUP_TYPE_SHARE), 0);
    cr_assert_eq(group_at(0)->code, KW_ERR_UNSUPPORTED);
    desk_end();
}

Test(group_admin, a_dead_group_of_an_old_broker_is_none)
{
    static const char *const names[] = {"nobody"};
    desk_begin_release("2.8");
    cr_assert_eq(describe(names, 1, KW_GROUP_TYPE_ANY), 0, "%s", desk.error.text);
    cr_assert_eq(group_at(0)->code, KW_ERR_BROKER);
    cr_assert_eq(group_at(0)->kafka_code, 69);
    desk_end();
}

Test(group_admin, many_groups_are_described_a_few_at_a_time)
{
    enum { MANY = 100 };
    static char names[MANY][8];
    const char *list[MANY];
    desk_begin();
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "g%u", i);
        list[i] = names[i];
    }
    cr_assert_eq(offsets(KW_ADMIN_SET_OFFSETS, "g50", two, 2), 0);
    cr_assert_eq(describe(list, MANY, KW_GROUP_TYPE_ANY), 0, "%s", desk.error.text);
    cr_assert_eq(desk.result->n_groups, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        cr_assert_str_eq(group_at(i)->id, list[i]);
        cr_assert_eq(group_at(i)->kafka_code, i == 50 ? 0 : 69, "%u", i);
    }
    desk_end();
}

/* A member whose assignment is no assignment, and one that claims 2^31 partitions. */
static size_t describe_lie(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap)
{
    static const uint8_t garbage[] = {0, 1, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3};
    static const uint8_t empty[] = {0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
    struct kw_describe_groups_response msg;
    struct kw_describe_groups_group group;
    struct kw_describe_groups_member members[3];
    struct kw_wr wr = kwi_wr_make(out, cap);
    (void)ctx;
    if (answer->api_key != KW_API_DESCRIBE_GROUPS)
        return 0;
    kwi_describe_groups_response_init(&msg);
    kwi_describe_groups_group_init(&group);
    group.group_id = kwi_str("nobody");
    group.group_state = kwi_str("Stable");
    group.protocol_type = kwi_str("consumer");
    group.protocol_data = kwi_str("range");
    for (int i = 0; i < 3; i++) {
        kwi_describe_groups_member_init(&members[i]);
        members[i].member_id = members[i].client_id = members[i].client_host = kwi_str("m");
        members[i].member_metadata = (struct kw_blob){garbage, 0};
    }
    members[0].member_assignment = (struct kw_blob){garbage, sizeof garbage};
    members[1].member_assignment = (struct kw_blob){empty, sizeof empty};
    members[2].member_assignment = (struct kw_blob){garbage, 0};
    group.members = KWI_ARR(members, 3);
    msg.groups = KWI_ARR(&group, 1);
    cr_assert_eq(kwi_describe_groups_response_encode(&msg, answer->version, &wr), 0);
    return wr.len;
}

Test(group_admin, an_assignment_that_cannot_be_read_is_told_and_hurts_nobody)
{
    static const char *const names[] = {"nobody"};
    desk_begin_lying(describe_lie);
    cr_assert_eq(describe(names, 1, KW_GROUP_TYPE_CLASSIC), 0, "%s", desk.error.text);
    cr_assert_eq(group_at(0)->n_members, 3);
    cr_assert(group_at(0)->members[0].unreadable);
    cr_assert_eq(group_at(0)->members[0].n_assigned, 0);
    cr_assert(!group_at(0)->members[1].unreadable);
    cr_assert(!group_at(0)->members[2].unreadable);
    desk_end();
}

/* An answer about no group at all. */
static size_t describe_nothing(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap)
{
    struct kw_describe_groups_response msg;
    struct kw_wr wr = kwi_wr_make(out, cap);
    (void)ctx;
    if (answer->api_key != KW_API_DESCRIBE_GROUPS)
        return 0;
    kwi_describe_groups_response_init(&msg);
    msg.groups = KWI_ARR(NULL, 0);
    cr_assert_eq(kwi_describe_groups_response_encode(&msg, answer->version, &wr), 0);
    return wr.len;
}

Test(group_admin, an_answer_that_lacks_the_group_costs_its_connection_and_ends_in_time)
{
    static const char *const names[] = {"nobody"};
    struct kw_admin_request request = request_of(KW_ADMIN_DESCRIBE_GROUPS);
    request.groups = names;
    request.n_groups = 1;
    desk_begin_lying(describe_nothing);
    cr_assert_eq(ask_for(&request, 1000), KW_ERR_TIMEOUT);
    cr_assert_not_null(desk.result);
    cr_assert_eq(group_at(0)->code, KW_ERR_TIMEOUT);
    desk_end();
}

/* ---- deleting ------------------------------------------------------------------------------- */

Test(group_admin, only_groups_without_members_are_deleted)
{
    static const char *const names[] = {"modern", "simple", "nobody", "classic"};
    static const int16_t codes[] = {68, 0, 69, 68};
    desk_begin();
    three_groups();
    cr_assert_eq(delete_groups(names, 4), 0, "%s", desk.error.text);
    for (uint32_t i = 0; i < 4; i++) {
        cr_assert_str_eq(group_at(i)->id, names[i]);
        cr_assert_eq(group_at(i)->kafka_code, codes[i]);
        cr_assert_eq(group_at(i)->code, codes[i] ? KW_ERR_BROKER : 0);
    }
    cr_assert_eq(list_groups(NULL, NULL), 0);
    cr_assert_eq(desk.result->n_groups, 2);
    cr_assert_eq(kwi_mock_committed(desk.pair.mock, "simple", "t", 2), -1);
    desk_end();
}

/* ---- offsets ---------------------------------------------------------------------------------- */

Test(group_admin, offsets_are_set_read_and_deleted_from_outside)
{
    static const struct kw_offset some[] = {{.topic = "t", .partition = 3},
                                            {.topic = "t", .partition = 2}};
    static const struct kw_offset gone[] = {{.topic = "t", .partition = 2},
                                            {.topic = "nothing", .partition = 0}};
    desk_begin();
    cr_assert_eq(offsets(KW_ADMIN_SET_OFFSETS, "simple", two, 2), 0, "%s", desk.error.text);
    cr_assert_eq(desk.result->n_offsets, 2);
    cr_assert_eq(desk.result->offsets[0].partition, 2);
    cr_assert_eq(desk.result->offsets[0].kafka_code, 0);
    cr_assert_eq(kwi_mock_committed(desk.pair.mock, "simple", "t", 2), 20);
    cr_assert_eq(kwi_mock_committed(desk.pair.mock, "simple", "t", 0), 5);

    cr_assert_eq(offsets(KW_ADMIN_GET_OFFSETS, "simple", NULL, 0), 0, "%s", desk.error.text);
    cr_assert_eq(desk.result->n_offsets, 2);
    for (uint32_t i = 0; i < 2; i++) {
        const struct kw_offset *offset = &desk.result->offsets[i];
        cr_assert_str_eq(offset->topic, "t");
        cr_assert_eq(offset->offset, offset->partition == 2 ? 20 : 5);
        cr_assert_eq(offset->leader_epoch, offset->partition == 2 ? 3 : -1);
        cr_assert_eq(offset->metadata.len, offset->partition == 2 ? 4 : 0);
    }
    cr_assert_eq(offsets(KW_ADMIN_GET_OFFSETS, "simple", some, 2), 0, "%s", desk.error.text);
    cr_assert_eq(desk.result->n_offsets, 2);
    for (uint32_t i = 0; i < 2; i++)
        cr_assert_eq(desk.result->offsets[i].offset,
                     desk.result->offsets[i].partition == 2 ? 20 : -1);

    cr_assert_eq(offsets(KW_ADMIN_DELETE_OFFSETS, "simple", gone, 2), 0, "%s", desk.error.text);
    cr_assert_eq(desk.result->offsets[0].kafka_code, 0);
    cr_assert_eq(desk.result->offsets[1].kafka_code, 3);
    cr_assert_str_eq(desk.result->offsets[1].topic, "nothing");
    cr_assert_eq(kwi_mock_committed(desk.pair.mock, "simple", "t", 2), -1);
    cr_assert_eq(kwi_mock_committed(desk.pair.mock, "simple", "t", 0), 5);
    cr_assert_eq(offsets(KW_ADMIN_DELETE_OFFSETS, "nobody", gone, 2), KW_ERR_BROKER);
    cr_assert_eq(desk.error.kafka_code, 69);
    cr_assert_eq(offsets(KW_ADMIN_GET_OFFSETS, "nobody", NULL, 0), 0, "%s", desk.error.text);
    cr_assert_eq(desk.result->n_offsets, 0);
    desk_end();
}

Test(group_admin, offsets_of_an_active_group_are_not_touched)
{
    static const struct kw_offset one[] = {{.topic = "t", .partition = 1, .offset = 9}};
    static const char *const names[] = {"classic", "modern"};
    desk_begin();
    three_groups();
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(offsets(KW_ADMIN_SET_OFFSETS, names[i], one, 1), 0, "%s", desk.error.text);
        cr_assert_eq(desk.result->offsets[0].kafka_code, 25, "%s: %d", names[i],
                     desk.result->offsets[0].kafka_code);
        cr_assert_eq(kwi_mock_committed(desk.pair.mock, names[i], "t", 1), -1);
        cr_assert_eq(offsets(KW_ADMIN_DELETE_OFFSETS, names[i], one, 1), 0);
        cr_assert_eq(desk.result->offsets[0].kafka_code, 86);
    }
    desk_end();
}

Test(group_admin, an_old_broker_cannot_delete_offsets)
{
    desk_begin_release("2.1");
    cr_assert_eq(offsets(KW_ADMIN_DELETE_OFFSETS, "simple", two, 2), KW_ERR_UNSUPPORTED);
    desk_end();
}

/* ---- coordinators ---------------------------------------------------------------------------- */

Test(group_admin, coordinators_that_move_load_or_die_are_found_again)
{
    static const char *const faults[] = {
        "describegroups:1-3:error=NOT_COORDINATOR",
        "describegroups:1-2:error=COORDINATOR_LOAD_IN_PROGRESS",
        "describegroups:1:close-before",
        "describegroups:1-2:close-after",
        "describegroups:1:drop-request",
        "consumergroupdescribe:1-2:error=COORDINATOR_NOT_AVAILABLE",
        "findcoordinator:1-3:error=COORDINATOR_NOT_AVAILABLE",
        "offsetfetch:1-2:error-after=NOT_COORDINATOR",
        "offsetfetch:1-2:error-after=COORDINATOR_LOAD_IN_PROGRESS",
        "offsetfetch:1:drop-answer",
        "offsetcommit:1-2:error=NOT_COORDINATOR",
        "offsetcommit:1-2:error=COORDINATOR_LOAD_IN_PROGRESS",
        "offsetcommit:1:close-after",
        "offsetcommit:1-2:omit",
        "offsetdelete:1-2:error=NOT_COORDINATOR",
        "offsetdelete:1:close-after",
        "listgroups:1-2:error=COORDINATOR_LOAD_IN_PROGRESS",
        "listgroups:1:cut=9",
        "metadata:2-3:close-before",
        NULL,
    };
    static const char *const names[] = {"simple"};
    for (unsigned i = 0; faults[i]; i++) {
        desk_begin();
        desk_fault(faults[i]);
        cr_assert_eq(offsets(KW_ADMIN_SET_OFFSETS, "simple", two, 2), 0, "%s: %s", faults[i],
                     desk.error.text);
        cr_assert_eq(desk.result->offsets[0].kafka_code, 0, "%s", faults[i]);
        cr_assert_eq(describe(names, 1, KW_GROUP_TYPE_ANY), 0, "%s: %s", faults[i],
                     desk.error.text);
        cr_assert_eq(group_at(0)->code, 0, "%s: %d", faults[i], group_at(0)->kafka_code);
        cr_assert_eq(offsets(KW_ADMIN_GET_OFFSETS, "simple", two, 2), 0, "%s: %s", faults[i],
                     desk.error.text);
        cr_assert_eq(desk.result->n_offsets, 2);
        cr_assert_eq(list_groups(NULL, NULL), 0, "%s: %s", faults[i], desk.error.text);
        cr_assert_eq(desk.result->n_groups, 1, "%s", faults[i]);
        cr_assert_eq(offsets(KW_ADMIN_DELETE_OFFSETS, "simple", two, 2), 0, "%s: %s", faults[i],
                     desk.error.text);
        cr_assert_eq(desk.result->offsets[1].kafka_code, 0);
        desk_end();
    }
}

Test(group_admin, the_coordinator_goes_down_and_another_takes_over)
{
    static const char *const names[] = {"simple"};
    desk_begin();
    cr_assert_eq(offsets(KW_ADMIN_SET_OFFSETS, "simple", two, 2), 0);
    kwi_mock_broker_down(desk.pair.mock, 1, false);
    cr_assert_eq(describe(names, 1, KW_GROUP_TYPE_ANY), 0, "%s", desk.error.text);
    cr_assert_eq(group_at(0)->code, 0);
    cr_assert_eq(group_at(0)->coordinator, 2);
    desk_end();
}

Test(group_admin, a_coordinator_that_is_refused_is_told_for_each_group)
{
    static const char *const names[] = {"a", "b"};
    desk_begin();
    desk_fault("findcoordinator:*:error=GROUP_AUTHORIZATION_FAILED");
    cr_assert_eq(describe(names, 2, KW_GROUP_TYPE_ANY), 0, "%s", desk.error.text);
    cr_assert_eq(group_at(0)->kafka_code, 30);
    cr_assert_eq(group_at(1)->kafka_code, 30);
    cr_assert_eq(offsets(KW_ADMIN_GET_OFFSETS, "a", NULL, 0), KW_ERR_BROKER);
    cr_assert_eq(desk.error.kafka_code, 30);
    desk_end();
}

/* The right came meanwhile: what a consumer of the group was told is not told again. */
Test(group_admin, a_refusal_that_others_had_is_asked_again)
{
    static const char *const names[] = {"a"};
    static const char *const topics[] = {"t"};
    static const char *const own_text[] = {"group.id=a", NULL};
    struct kw_consumer *consumer;
    struct kw_config *own = NULL;
    desk_begin();
    desk_fault("findcoordinator:1:error=GROUP_AUTHORIZATION_FAILED");
    cr_assert_eq(sim_pair_config(&desk.pair, &own, own_text), 0);
    cr_assert_eq(kw_core_consumer_create(&consumer, desk.pair.core, own, NULL), 0);
    kw_config_destroy(own);
    cr_assert_eq(kw_core_subscribe(consumer, topics, 1, NULL), 0);
    for (int i = 0; i < 100; i++)
        sim_pair_step(&desk.pair, 5000);
    cr_assert_eq(describe(names, 1, KW_GROUP_TYPE_ANY), 0, "%s", desk.error.text);
    cr_assert_neq(group_at(0)->kafka_code, 30);
    desk_end();
}

/* ---- ends ------------------------------------------------------------------------------------- */

Test(group_admin, cancelled_or_abandoned_at_any_moment_it_leaks_nothing)
{
    static const char *const names[] = {"classic", "nobody", "classic"};
    struct kw_admin_request requests[6];
    for (unsigned k = 0; k < 6; k++) {
        requests[k] = request_of((uint8_t)(KW_ADMIN_LIST_GROUPS + k));
        requests[k].groups = names;
        requests[k].n_groups = k < 3 ? 3 : 1;
        requests[k].offsets = two;
        requests[k].n_offsets = k < 3 ? 0 : 2;
    }
    for (unsigned k = 0; k < 6; k++) {
        for (unsigned turns = 0; turns < 30; turns++) {
            desk_begin();
            cr_assert_not_null(start(&requests[k], 5000));
            for (unsigned i = 0; i < turns / 2 && desk.n_done == 0; i++)
                sim_pair_step(&desk.pair, 2000);
            if (turns % 2 && desk.n_done == 0) {
                struct kw_op *op = start(&requests[k], 5000);
                sim_pair_turn(&desk.pair);
                if (desk.n_done == 0)
                    cr_assert_eq(kw_core_op_cancel(op), 0);
            }
            desk_end();
        }
    }
}

Test(group_admin, nobody_there_ends_at_the_deadline_with_the_reason)
{
    struct kw_admin_request request = request_of(KW_ADMIN_LIST_GROUPS);
    desk_begin();
    desk.pair.refuse = true;
    cr_assert_eq(ask_for(&request, 500), KW_ERR_TIMEOUT);
    cr_assert_neq(desk.error.text[0], 0);
    cr_assert_null(desk.result);
    desk_end();
}

Test(group_admin, a_request_that_makes_no_sense_ends_with_a_use_error)
{
    static const char *const names[] = {"g", "h"}, *const nobody[] = {""};
    static const struct kw_offset twice[] = {{.topic = "t", .partition = 1, .offset = 9},
                                             {.topic = "t", .partition = 1, .offset = 8}};
    static const struct kw_offset below[] = {{.topic = "t", .partition = 1, .offset = -1}};
    static const struct kw_offset unnamed[] = {{.topic = NULL, .partition = 1, .offset = 1}};
    struct kw_admin_request bad[9];
    for (unsigned i = 0; i < 9; i++) {
        bad[i] = request_of(KW_ADMIN_SET_OFFSETS);
        bad[i].groups = names;
        bad[i].n_groups = 1;
        bad[i].offsets = two;
        bad[i].n_offsets = 2;
    }
    bad[0].n_groups = 2;
    bad[1].groups = nobody;
    bad[2].offsets = twice;
    bad[3].offsets = below;
    bad[3].n_offsets = 1;
    bad[4].offsets = unnamed;
    bad[4].n_offsets = 1;
    bad[5].n_offsets = 0;
    bad[6].group_type = 99;
    bad[7].group_type = KW_GROUP_TYPE_SHARE;
    bad[8].kind = KW_ADMIN_DESCRIBE_GROUPS;
    bad[8].n_groups = 0;
    desk_begin();
    for (unsigned i = 0; i < 9; i++) {
        cr_assert_eq(ask_for(&bad[i], 1000), KW_ERR_USE, "case %u", i);
        cr_assert_neq(desk.error.text[0], 0);
        cr_assert_null(desk.result);
    }
    cr_assert_not_null(kw_core_admin(desk.pair.core, &bad[0], NULL, 1000, NULL));
    desk_run(20);
    cr_assert_eq(desk.code, KW_ERR_USE);
    desk_end();
}

/* ---- what a commit says ------------------------------------------------------------------------ */

/* The fields of OffsetCommit, in every version that has other ones. */
Test(group_admin, a_commit_says_no_retention_the_epoch_of_the_record_and_the_next_offset)
{
    for (int16_t version = 2; version <= 9; version++) {
        struct kw_mock_versions only = {KW_API_OFFSET_COMMIT, 2, version};
        struct kw_mock_config config = {.n_brokers = BROKERS, .versions = &only, .n_versions = 1};
        struct kw_consumer *consumer;
        struct kw_offset mine = {.topic = "t", .partition = 1, .offset = 41, .leader_epoch = 7};
        struct kw_offsets list = {&mine, 1};
        unsigned before;
        desk_begin_of(&config);
        cr_assert_eq(offsets(KW_ADMIN_SET_OFFSETS, "simple", two, 1), 0, "%s", desk.error.text);
        cr_assert_eq(desk.commit.version, version);
        cr_assert_eq(desk.commit.generation, -1);
        cr_assert_str_eq(desk.commit.member, "");
        cr_assert(!desk.commit.is_static);
        cr_assert_eq(desk.commit.retention_ms, -1);
        cr_assert_eq(desk.commit.offset, 20);
        cr_assert_eq(desk.commit.epoch, version >= 6 ? 3 : -1);
        cr_assert_str_eq(desk.commit.metadata, "here");

        consumer = join("classic", "classic");
        before = desk.n_done;
        cr_assert_not_null(kw_core_commit(consumer, &list, 5000, NULL));
        for (int i = 0; i < 1000 && desk.n_done == before; i++)
            sim_pair_step(&desk.pair, 5000);
        cr_assert_eq(desk.code, 0, "%s", desk.error.text);
        cr_assert_eq(desk.commit.version, version);
        cr_assert_eq(desk.commit.generation, 1);
        cr_assert_gt(strlen(desk.commit.member), 0);
        cr_assert_eq(desk.commit.retention_ms, -1);
        cr_assert_eq(desk.commit.offset, 41);
        cr_assert_eq(desk.commit.epoch, version >= 6 ? 7 : -1);
        cr_assert_str_eq(desk.commit.metadata, "");
        desk_end();
    }
}
