/* client/group_change.c -- what is done to a group from outside: DeleteGroups, and its
 * offsets: OffsetFetch, OffsetCommit as nobody's member, OffsetDelete, and
 * DescribeShareGroupOffsets. See group_admin.h. */
#include <string.h>

#include "client/error_text.h"
#include "client/group_admin.h"
#include "client/throttle.h"
#include "proto/error.h"
#include "proto/groups.h"
#include "proto/offsets.h"
#include "proto/share_offsets.h"

/* ---- DeleteGroups ----------------------------------------------------------------------- */

static int delete_encode(struct kw_request *req, struct kw_wr *wr)
{
    const struct kw_group_leg *leg = req->owner;
    struct kw_delete_groups_request msg;

    if (!leg)
        return KW_ERR_CANCELED;
    kwi_delete_groups_request_init(&msg);
    msg.groups_names = KWI_ARR(&leg->group, 1);
    return kwi_delete_groups_request_encode(&msg, req->version, wr);
}

static int delete_take(struct kw_group_leg *leg, struct kw_request *req,
                       const struct kw_answer *answer, struct kw_group_verdict *verdict)
{
    struct kw_delete_groups_response msg;
    struct kw_delete_groups_result result;
    struct kw_fault fault;
    struct kw_iter it;

    (void)leg;
    if (kwi_delete_groups_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        return kwi_request_malformed(req, &fault, NULL);
    kwi_throttle(req, msg.throttle_time_ms);
    kwi_iter_init(&it, &msg.results);
    if (!kwi_iter_next(&it, &result))
        return kwi_request_malformed(req, NULL, "delete_groups_response names no group");
    verdict->kafka_code = result.error_code;
    verdict->message = result.error_message;
    return 0;
}

const struct kw_group_call kwi_group_delete = {
    .type = {.api_key = KW_API_DELETE_GROUPS, .encode = delete_encode, .done = kwi_group_leg_done},
    .what = "deleting the group",
    .take = delete_take,
};

/* ---- entries ---------------------------------------------------------------------------- */

/* Whether the i-th of the sorted entries begins another topic than the one before. */
static bool change_begins(const struct kw_groups_op *groups, uint32_t i)
{
    const struct kw_group_entry *entry = &groups->entries[groups->order[i]], *before;

    if (i == 0)
        return true;
    before = &groups->entries[groups->order[i - 1]];
    return before->topic.len != entry->topic.len ||
           memcmp(before->topic.ptr, entry->topic.ptr, (size_t)entry->topic.len) != 0;
}

static void change_forget_answers(struct kw_groups_op *groups)
{
    for (uint32_t i = 0; i < groups->n_entries; i++)
        groups->entries[i].answered = false;
}

/* Every entry has its answer. */
static bool change_is_whole(const struct kw_groups_op *groups)
{
    for (uint32_t i = 0; i < groups->n_entries; i++)
        if (!groups->entries[i].answered)
            return false;
    return true;
}

/* Arrays for encoding: n partitions and as many topics. */
struct change_scratch {
    struct kw_heap *heap;
    void *partitions, *topics;
    size_t partitions_size, topics_size;
};

static bool change_scratch_take(struct change_scratch *scratch, struct kw_request *req, size_t n,
                                size_t partition_size, size_t topic_size)
{
    scratch->heap = &req->core->control;
    scratch->partitions_size = (n + 1) * partition_size;
    scratch->topics_size = (n + 1) * topic_size;
    scratch->partitions = kwi_alloc(scratch->heap, scratch->partitions_size);
    scratch->topics = kwi_alloc(scratch->heap, scratch->topics_size);
    return scratch->partitions && scratch->topics;
}

static void change_scratch_free(struct change_scratch *scratch)
{
    kwi_free(scratch->heap, scratch->partitions, scratch->partitions_size);
    kwi_free(scratch->heap, scratch->topics, scratch->topics_size);
}

/* ---- OffsetFetch ------------------------------------------------------------------------ */

static int get_choose(const struct kw_request *req, int broker_min, int broker_max)
{
    const struct kw_group_leg *leg = req->owner;
    /* Up to version 1 there is no "all". */
    int least = leg && leg->op->n_entries == 0 ? 2 : 0;
    return kwi_link_choose(req, broker_min, broker_max, least, INT16_MAX);
}

static int get_encode_topics(const struct kw_group_leg *leg, struct kw_arr topics, int16_t version,
                             struct kw_wr *wr)
{
    struct kw_offset_fetch_request_group group;
    struct kw_offset_fetch_request msg;

    kwi_offset_fetch_request_init(&msg);
    if (version < 8) {
        msg.group_id = leg->group;
        msg.topics = topics;
    } else {
        kwi_offset_fetch_request_group_init(&group);
        group.group_id = leg->group;
        group.topics = topics;
        msg.groups = KWI_ARR(&group, 1);
    }
    return kwi_offset_fetch_request_encode(&msg, version, wr);
}

static int get_encode(struct kw_request *req, struct kw_wr *wr)
{
    const struct kw_group_leg *leg = req->owner;
    const struct kw_groups_op *groups = leg ? leg->op : NULL;
    struct change_scratch scratch;
    struct kw_offset_fetch_request_topic *topics;
    uint32_t n_topics = 0;
    int32_t *indexes;
    int rc = KW_ERR_NOMEM;

    if (!leg)
        return KW_ERR_CANCELED;
    if (groups->n_entries == 0)
        return get_encode_topics(leg, KWI_ARR(NULL, -1), req->version, wr);
    if (change_scratch_take(&scratch, req, groups->n_entries, sizeof(*indexes), sizeof(*topics))) {
        indexes = scratch.partitions;
        topics = scratch.topics;
        for (uint32_t i = 0; i < groups->n_entries; i++) {
            const struct kw_group_entry *entry = &groups->entries[groups->order[i]];
            indexes[i] = entry->partition;
            if (change_begins(groups, i)) {
                kwi_offset_fetch_request_topic_init(&topics[n_topics]);
                topics[n_topics].name = entry->topic;
                topics[n_topics++].partition_indexes = KWI_ARR(&indexes[i], 0);
            }
            topics[n_topics - 1].partition_indexes.n++;
        }
        rc = get_encode_topics(leg, KWI_ARR(topics, n_topics), req->version, wr);
    }
    change_scratch_free(&scratch);
    return rc;
}

/* Topics of the answer, and the error of the whole group. */
static int get_read(struct kw_request *req, const struct kw_answer *answer, struct kw_arr *topics,
                    int16_t *error)
{
    struct kw_offset_fetch_response_group group;
    struct kw_offset_fetch_response msg;
    struct kw_fault fault;
    struct kw_iter it;

    if (kwi_offset_fetch_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        return kwi_request_malformed(req, &fault, NULL);
    kwi_throttle(req, msg.throttle_time_ms);
    *topics = msg.topics;
    *error = msg.error_code;
    if (req->version < 8)
        return 0;
    kwi_iter_init(&it, &msg.groups);
    if (!kwi_iter_next(&it, &group))
        return kwi_request_malformed(req, NULL, "offset_fetch_response names no group");
    *topics = group.topics;
    *error = group.error_code;
    return 0;
}

/* Whether an offset of the answer was asked for, and is not there yet. */
static bool get_wants(struct kw_groups_op *groups, struct kw_str topic, int32_t partition)
{
    struct kw_group_entry *entry;

    if (groups->n_entries == 0)
        return true;
    entry = kwi_groups_entry(groups, topic, partition);
    if (!entry || entry->answered)
        return false;
    entry->answered = true;
    return true;
}

static uint32_t get_fill(struct kw_groups_op *groups, struct kw_admin_room *room, uint32_t cap,
                         const struct kw_arr *topics, struct kw_offset **out)
{
    struct kw_offset *list = kwi_room_take(room, cap * sizeof(*list));
    struct kw_offset_fetch_response_partition item;
    struct kw_offset_fetch_response_topic topic;
    struct kw_iter it, items;
    uint32_t n = 0;

    change_forget_answers(groups);
    *out = list;
    for (kwi_iter_init(&it, topics); kwi_iter_next(&it, &topic);) {
        const char *name = kwi_room_text(room, topic.name);
        for (kwi_iter_init(&items, &topic.partitions); kwi_iter_next(&items, &item);) {
            const char *metadata;
            if (!get_wants(groups, topic.name, item.partition_index))
                continue;
            metadata = kwi_room_text(room, item.metadata);
            if (list)
                list[n] = (struct kw_offset){
                    .topic = name ? name : "",
                    .partition = item.partition_index,
                    .leader_epoch = item.committed_leader_epoch,
                    .offset = item.error_code || item.committed_offset < 0 ? -1
                                                                           : item.committed_offset,
                    .metadata = {metadata, item.metadata.len > 0 ? (size_t)item.metadata.len : 0},
                    .kafka_code = item.error_code,
                    .timestamp_ms = -1};
            n++;
        }
    }
    return n;
}

static int get_take(struct kw_group_leg *leg, struct kw_request *req,
                    const struct kw_answer *answer, struct kw_group_verdict *verdict)
{
    struct kw_admin_room room = {NULL, 0};
    struct kw_arr topics;
    uint32_t n;
    void *piece;
    int rc = get_read(req, answer, &topics, &verdict->kafka_code);

    if (rc || verdict->kafka_code)
        return rc;
    n = get_fill(leg->op, &room, 0, &topics, &leg->offsets);
    if (!change_is_whole(leg->op))
        return kwi_request_malformed(req, NULL, "offset_fetch_response lacks a partition");
    (void)kwi_room_take(&room, n * sizeof(*leg->offsets));
    rc = kwi_groups_piece(leg->op, room.used, &piece);
    if (rc)
        return rc;
    room = (struct kw_admin_room){piece, 0};
    leg->n = get_fill(leg->op, &room, n, &topics, &leg->offsets);
    return 0;
}

const struct kw_group_call kwi_group_offsets_get = {
    .type = {.api_key = KW_API_OFFSET_FETCH,
             .choose = get_choose,
             .encode = get_encode,
             .done = kwi_group_leg_done},
    .what = "reading the offsets of the group",
    .take = get_take,
};

/* ---- OffsetCommit ----------------------------------------------------------------------- */

static int set_encode(struct kw_request *req, struct kw_wr *wr)
{
    const struct kw_group_leg *leg = req->owner;
    const struct kw_groups_op *groups = leg ? leg->op : NULL;
    struct kw_offset_commit_request_partition *partitions;
    struct kw_offset_commit_request_topic *topics;
    struct kw_offset_commit_request msg;
    struct change_scratch scratch;
    uint32_t n_topics = 0;
    int rc = KW_ERR_NOMEM;

    if (!leg)
        return KW_ERR_CANCELED;
    if (change_scratch_take(&scratch, req, groups->n_entries, sizeof(*partitions),
                            sizeof(*topics))) {
        partitions = scratch.partitions;
        topics = scratch.topics;
        for (uint32_t i = 0; i < groups->n_entries; i++) {
            const struct kw_group_entry *entry = &groups->entries[groups->order[i]];
            kwi_offset_commit_request_partition_init(&partitions[i]);
            partitions[i].partition_index = entry->partition;
            partitions[i].committed_offset = entry->offset;
            if (req->version >= 6)
                partitions[i].committed_leader_epoch = entry->leader_epoch;
            partitions[i].committed_metadata = entry->metadata;
            if (change_begins(groups, i)) {
                kwi_offset_commit_request_topic_init(&topics[n_topics]);
                topics[n_topics].name = entry->topic;
                topics[n_topics++].partitions = KWI_ARR(&partitions[i], 0);
            }
            topics[n_topics - 1].partitions.n++;
        }
        kwi_offset_commit_request_init(&msg); /* no member of any generation */
        msg.group_id = leg->group;
        msg.generation_id_or_member_epoch = -1;
        msg.member_id = kwi_str("");
        msg.topics = KWI_ARR(topics, n_topics);
        rc = kwi_offset_commit_request_encode(&msg, req->version, wr);
    }
    change_scratch_free(&scratch);
    return rc;
}

/* How one entry ended. Of a coordinator that is none, or not yet, the whole is sent again. */
static void change_take_entry(struct kw_groups_op *groups, struct kw_str topic, int32_t partition,
                              int16_t code, int16_t *again)
{
    struct kw_group_entry *entry = kwi_groups_entry(groups, topic, partition);

    if (!entry || entry->answered)
        return;
    entry->answered = true;
    entry->kafka_code = code;
    if (kwi_coordinator_is_lost(code) || code == KW_E_COORDINATOR_LOAD_IN_PROGRESS)
        *again = code;
}

static int set_take(struct kw_group_leg *leg, struct kw_request *req,
                    const struct kw_answer *answer, struct kw_group_verdict *verdict)
{
    struct kw_offset_commit_response_partition item;
    struct kw_offset_commit_response_topic topic;
    struct kw_offset_commit_response msg;
    struct kw_iter it, items;
    struct kw_fault fault;

    if (kwi_offset_commit_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        return kwi_request_malformed(req, &fault, NULL);
    kwi_throttle(req, msg.throttle_time_ms);
    change_forget_answers(leg->op);
    for (kwi_iter_init(&it, &msg.topics); kwi_iter_next(&it, &topic);)
        for (kwi_iter_init(&items, &topic.partitions); kwi_iter_next(&items, &item);)
            change_take_entry(leg->op, topic.name, item.partition_index, item.error_code,
                              &verdict->kafka_code);
    if (!change_is_whole(leg->op))
        return kwi_request_malformed(req, NULL, "offset_commit_response lacks a partition");
    return 0;
}

const struct kw_group_call kwi_group_offsets_set = {
    .type = {.api_key = KW_API_OFFSET_COMMIT, .encode = set_encode, .done = kwi_group_leg_done},
    .what = "setting offsets of the group",
    .take = set_take,
};

/* ---- OffsetDelete ----------------------------------------------------------------------- */

static int offset_delete_encode(struct kw_request *req, struct kw_wr *wr)
{
    const struct kw_group_leg *leg = req->owner;
    const struct kw_groups_op *groups = leg ? leg->op : NULL;
    struct kw_offset_delete_request_partition *partitions;
    struct kw_offset_delete_request_topic *topics;
    struct kw_offset_delete_request msg;
    struct change_scratch scratch;
    uint32_t n_topics = 0;
    int rc = KW_ERR_NOMEM;

    if (!leg)
        return KW_ERR_CANCELED;
    if (change_scratch_take(&scratch, req, groups->n_entries, sizeof(*partitions),
                            sizeof(*topics))) {
        partitions = scratch.partitions;
        topics = scratch.topics;
        for (uint32_t i = 0; i < groups->n_entries; i++) {
            const struct kw_group_entry *entry = &groups->entries[groups->order[i]];
            kwi_offset_delete_request_partition_init(&partitions[i]);
            partitions[i].partition_index = entry->partition;
            if (change_begins(groups, i)) {
                kwi_offset_delete_request_topic_init(&topics[n_topics]);
                topics[n_topics].name = entry->topic;
                topics[n_topics++].partitions = KWI_ARR(&partitions[i], 0);
            }
            topics[n_topics - 1].partitions.n++;
        }
        kwi_offset_delete_request_init(&msg);
        msg.group_id = leg->group;
        msg.topics = KWI_ARR(topics, n_topics);
        rc = kwi_offset_delete_request_encode(&msg, req->version, wr);
    }
    change_scratch_free(&scratch);
    return rc;
}

static int offset_delete_take(struct kw_group_leg *leg, struct kw_request *req,
                              const struct kw_answer *answer, struct kw_group_verdict *verdict)
{
    struct kw_offset_delete_response_partition item;
    struct kw_offset_delete_response_topic topic;
    struct kw_offset_delete_response msg;
    struct kw_iter it, items;
    struct kw_fault fault;

    if (kwi_offset_delete_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        return kwi_request_malformed(req, &fault, NULL);
    kwi_throttle(req, msg.throttle_time_ms);
    verdict->kafka_code = msg.error_code;
    if (msg.error_code)
        return 0;
    change_forget_answers(leg->op);
    for (kwi_iter_init(&it, &msg.topics); kwi_iter_next(&it, &topic);)
        for (kwi_iter_init(&items, &topic.partitions); kwi_iter_next(&items, &item);)
            change_take_entry(leg->op, topic.name, item.partition_index, item.error_code,
                              &verdict->kafka_code);
    if (!change_is_whole(leg->op))
        return kwi_request_malformed(req, NULL, "offset_delete_response lacks a partition");
    return 0;
}

const struct kw_group_call kwi_group_offsets_delete = {
    .type = {.api_key = KW_API_OFFSET_DELETE,
             .encode = offset_delete_encode,
             .done = kwi_group_leg_done},
    .what = "deleting offsets of the group",
    .take = offset_delete_take,
};

/* ---- DescribeShareGroupOffsets ---------------------------------------------------------- */

static int share_offsets_encode(struct kw_request *req, struct kw_wr *wr)
{
    const struct kw_group_leg *leg = req->owner;
    struct kw_describe_share_group_offsets_request_group group;
    struct kw_describe_share_group_offsets_request msg;

    if (!leg)
        return KW_ERR_CANCELED;
    kwi_describe_share_group_offsets_request_init(&msg);
    kwi_describe_share_group_offsets_request_group_init(&group);
    group.group_id = leg->group;
    group.topics = KWI_ARR(NULL, -1); /* all: those that are wanted are picked here */
    msg.groups = KWI_ARR(&group, 1);
    return kwi_describe_share_group_offsets_request_encode(&msg, req->version, wr);
}

static uint32_t share_offsets_fill(struct kw_groups_op *groups, struct kw_admin_room *room,
                                   uint32_t cap, const struct kw_arr *topics,
                                   struct kw_offset **out)
{
    struct kw_offset *list = kwi_room_take(room, cap * sizeof(*list));
    struct kw_describe_share_group_offsets_partition item;
    struct kw_describe_share_group_offsets_topic topic;
    struct kw_iter it, items;
    uint32_t n = 0;

    change_forget_answers(groups);
    *out = list;
    for (kwi_iter_init(&it, topics); kwi_iter_next(&it, &topic);) {
        const char *name = kwi_room_text(room, topic.topic_name);
        for (kwi_iter_init(&items, &topic.partitions); kwi_iter_next(&items, &item);) {
            if (!get_wants(groups, topic.topic_name, item.partition_index))
                continue;
            if (list)
                list[n] = (struct kw_offset){
                    .topic = name ? name : "",
                    .partition = item.partition_index,
                    .leader_epoch = item.leader_epoch,
                    .offset = item.error_code || item.start_offset < 0 ? -1 : item.start_offset,
                    .kafka_code = item.error_code,
                    .timestamp_ms = -1};
            n++;
        }
    }
    return n;
}

static int share_offsets_take(struct kw_group_leg *leg, struct kw_request *req,
                              const struct kw_answer *answer, struct kw_group_verdict *verdict)
{
    struct kw_describe_share_group_offsets_response msg;
    struct kw_describe_share_group_offsets_group group;
    struct kw_admin_room room = {NULL, 0};
    struct kw_fault fault;
    struct kw_iter it;
    uint32_t n;
    void *piece;
    int rc;

    if (kwi_describe_share_group_offsets_response_decode(&msg, req->version, answer->body,
                                                         answer->len, &fault))
        return kwi_request_malformed(req, &fault, NULL);
    kwi_throttle(req, msg.throttle_time_ms);
    kwi_iter_init(&it, &msg.groups);
    if (!kwi_iter_next(&it, &group))
        return kwi_request_malformed(req, NULL,
                                     "describe_share_group_offsets_response names no group");
    verdict->kafka_code = group.error_code;
    verdict->message = group.error_message;
    if (group.error_code)
        return 0;
    n = share_offsets_fill(leg->op, &room, 0, &group.topics, &leg->offsets);
    (void)kwi_room_take(&room, n * sizeof(*leg->offsets));
    rc = kwi_groups_piece(leg->op, room.used, &piece);
    if (rc)
        return rc;
    room = (struct kw_admin_room){piece, 0};
    leg->n = share_offsets_fill(leg->op, &room, n, &group.topics, &leg->offsets);
    return 0;
}

const struct kw_group_call kwi_group_offsets_share = {
    .type = {.api_key = KW_API_DESCRIBE_SHARE_GROUP_OFFSETS,
             .encode = share_offsets_encode,
             .done = kwi_group_leg_done},
    .what = "reading the offsets of the group",
    .take = share_offsets_take,
};
