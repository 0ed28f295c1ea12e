/* client/group_show.c -- looking at groups: ListGroups, DescribeGroups (classic),
 * ConsumerGroupDescribe, ShareGroupDescribe, StreamsGroupDescribe. Texts of the answer
 * become the caller's memory; see group_admin.h. */
#include <string.h>

#include "client/error_text.h"
#include "client/group_admin.h"
#include "client/throttle.h"
#include "proto/consumer_protocol.h"
#include "proto/error.h"
#include "proto/groups.h"
#include "proto/share_group.h"
#include "proto/streams_group.h"

/* A text that is never NULL. */
static const char *show_text(struct kw_admin_room *room, struct kw_str text)
{
    const char *copy = kwi_room_text(room, text);

    return copy ? copy : "";
}

static bool show_is(struct kw_str text, const char *word)
{
    size_t len = strlen(word);

    return text.len == (int32_t)len && memcmp(text.ptr, word, len) == 0;
}

/* ---- ListGroups ------------------------------------------------------------------------- */

static bool list_wants(const struct kw_groups_op *groups, const char *type)
{
    for (uint32_t i = 0; i < groups->n_types; i++)
        if (show_is(groups->types[i], type))
            return true;
    return groups->n_types == 0;
}

static int list_encode(struct kw_request *req, struct kw_wr *wr)
{
    const struct kw_group_leg *leg = req->owner;
    const struct kw_groups_op *groups;
    struct kw_list_groups_request msg;

    if (!leg)
        return KW_ERR_CANCELED;
    groups = leg->op;
    /* A broker that cannot tell types apart has groups of one: the classic. */
    if ((req->version < 5 && !list_wants(groups, "classic")) ||
        (req->version < 4 && groups->n_states))
        return KW_ERR_UNSUPPORTED;
    kwi_list_groups_request_init(&msg);
    if (req->version >= 5)
        msg.types_filter = KWI_ARR(groups->types, groups->n_types);
    if (req->version >= 4)
        msg.states_filter = KWI_ARR(groups->states, groups->n_states);
    return kwi_list_groups_request_encode(&msg, req->version, wr);
}

static struct kw_group_info *list_fill(struct kw_admin_room *room, int32_t broker,
                                       const struct kw_list_groups_response *msg)
{
    struct kw_group_info *list = kwi_room_take(room, kwi_room_count(&msg->groups) * sizeof(*list));
    struct kw_list_groups_group item;
    struct kw_iter it;
    size_t n = 0;

    for (kwi_iter_init(&it, &msg->groups); kwi_iter_next(&it, &item); n++) {
        struct kw_group_info info = {.id = show_text(room, item.group_id),
                                     .type = show_text(room, item.group_type),
                                     .state = show_text(room, item.group_state),
                                     .protocol_type = show_text(room, item.protocol_type),
                                     .assignor = "",
                                     .coordinator = broker,
                                     .epoch = -1};
        if (list)
            list[n] = info;
    }
    return list;
}

static int list_take(struct kw_group_leg *leg, struct kw_request *req,
                     const struct kw_answer *answer, struct kw_group_verdict *verdict)
{
    struct kw_list_groups_response msg;
    struct kw_admin_room room = {NULL, 0};
    struct kw_fault fault;
    void *piece;
    int rc;

    if (kwi_list_groups_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        return kwi_request_malformed(req, &fault, NULL);
    kwi_throttle(req, msg.throttle_time_ms);
    verdict->kafka_code = msg.error_code;
    if (msg.error_code)
        return 0;
    (void)list_fill(&room, leg->broker, &msg);
    rc = kwi_groups_piece(leg->op, room.used, &piece);
    if (rc)
        return rc;
    room = (struct kw_admin_room){piece, 0};
    leg->listed = list_fill(&room, leg->broker, &msg);
    leg->n = (uint32_t)kwi_room_count(&msg.groups);
    return 0;
}

const struct kw_group_call kwi_group_list = {
    .type = {.api_key = KW_API_LIST_GROUPS, .encode = list_encode, .done = kwi_group_leg_done},
    .what = "listing groups",
    .take = list_take,
};

/* ---- DescribeGroups --------------------------------------------------------------------- */

static int classic_encode(struct kw_request *req, struct kw_wr *wr)
{
    const struct kw_group_leg *leg = req->owner;
    struct kw_describe_groups_request msg;

    if (!leg)
        return KW_ERR_CANCELED;
    kwi_describe_groups_request_init(&msg);
    msg.groups = KWI_ARR(&leg->group, 1);
    return kwi_describe_groups_request_encode(&msg, req->version, wr);
}

/* What the leader gave a member, as far as it can be read. */
static struct kw_topic_partition *classic_assigned(struct kw_admin_room *room,
                                                   const struct kw_blob *blob, uint32_t *n,
                                                   bool *unreadable)
{
    struct kw_consumer_protocol_assignment assignment;
    struct kw_consumer_protocol_topic topic;
    struct kw_topic_partition *list;
    struct kw_iter it, numbers;
    struct kw_fault fault;
    uint32_t k = 0;
    int version;

    *n = 0;
    *unreadable = false;
    if (blob->len <= 0)
        return NULL; /* the leader has not assigned yet */
    if (kwi_assignment_get(blob, &assignment, &version, &fault)) {
        *unreadable = true;
        return NULL;
    }
    for (kwi_iter_init(&it, &assignment.assigned_partitions); kwi_iter_next(&it, &topic);)
        *n += (uint32_t)kwi_room_count(&topic.partitions);
    list = kwi_room_take(room, *n * sizeof(*list));
    for (kwi_iter_init(&it, &assignment.assigned_partitions); kwi_iter_next(&it, &topic);) {
        const char *name = show_text(room, topic.topic);
        int32_t partition;
        kwi_iter_init(&numbers, &topic.partitions);
        for (; list && kwi_iter_next(&numbers, &partition); k++)
            list[k] = (struct kw_topic_partition){name, partition};
    }
    return list;
}

static void classic_member(struct kw_admin_room *room, bool is_consumer,
                           const struct kw_describe_groups_member *item,
                           struct kw_group_member *out)
{
    struct kw_group_member member = {.id = show_text(room, item->member_id),
                                     .client_id = show_text(room, item->client_id),
                                     .host = show_text(room, item->client_host),
                                     .instance_id = kwi_room_text(room, item->group_instance_id),
                                     .epoch = -1};

    if (is_consumer) /* others, Kafka Connect for one, have another format */
        member.assigned = classic_assigned(room, &item->member_assignment, &member.n_assigned,
                                           &member.unreadable);
    member.target = member.assigned;
    member.n_target = member.n_assigned;
    if (out)
        *out = member;
}

/* Describes a group into memory of its own: how much that takes is found out first. */
static int show_keep(struct kw_group_leg *leg,
                     void (*fill)(struct kw_admin_room *, const void *, struct kw_group_info *),
                     const void *group)
{
    struct kw_admin_room room = {NULL, 0};
    void *piece;
    int rc;

    fill(&room, group, &leg->info);
    rc = kwi_groups_piece(leg->op, room.used, &piece);
    if (rc)
        return rc;
    room = (struct kw_admin_room){piece, 0};
    fill(&room, group, &leg->info);
    return 0;
}

static void classic_fill(struct kw_admin_room *room, const void *described,
                         struct kw_group_info *info)
{
    const struct kw_describe_groups_group *group = described;
    size_t count = kwi_room_count(&group->members), n = 0;
    struct kw_group_member *members = kwi_room_take(room, count * sizeof(*members));
    struct kw_describe_groups_member item;
    bool is_consumer = show_is(group->protocol_type, "consumer");
    struct kw_iter it;

    info->type = "classic";
    info->state = show_text(room, group->group_state);
    info->protocol_type = show_text(room, group->protocol_type);
    info->assignor = show_text(room, group->protocol_data);
    for (kwi_iter_init(&it, &group->members); kwi_iter_next(&it, &item); n++)
        classic_member(room, is_consumer, &item, members ? &members[n] : NULL);
    info->members = members;
    info->n_members = (uint32_t)count;
}

static int classic_take(struct kw_group_leg *leg, struct kw_request *req,
                        const struct kw_answer *answer, struct kw_group_verdict *verdict)
{
    struct kw_describe_groups_response msg;
    struct kw_describe_groups_group group;
    struct kw_fault fault;
    struct kw_iter it;

    if (kwi_describe_groups_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        return kwi_request_malformed(req, &fault, NULL);
    kwi_throttle(req, msg.throttle_time_ms);
    kwi_iter_init(&it, &msg.groups);
    if (!kwi_iter_next(&it, &group))
        return kwi_request_malformed(req, NULL, "describe_groups_response names no group");
    verdict->kafka_code = group.error_code;
    verdict->message = group.error_message;
    /* Until version 6 one that does not exist is dead. */
    if (!group.error_code && show_is(group.group_state, "Dead") && group.members.n <= 0)
        verdict->kafka_code = KW_E_GROUP_ID_NOT_FOUND;
    if (verdict->kafka_code)
        return 0;
    return show_keep(leg, classic_fill, &group);
}

const struct kw_group_call kwi_group_describe_classic = {
    .type = {.api_key = KW_API_DESCRIBE_GROUPS,
             .encode = classic_encode,
             .done = kwi_group_leg_done},
    .what = "describing the group",
    .take = classic_take,
};

/* ---- ConsumerGroupDescribe, ShareGroupDescribe ------------------------------------------ */

static struct kw_topic_partition *modern_assigned(struct kw_admin_room *room,
                                                  const struct kw_arr *topics, uint32_t *n)
{
    struct kw_group_described_partitions topic;
    struct kw_topic_partition *list;
    struct kw_iter it, numbers;
    uint32_t k = 0;

    *n = 0;
    for (kwi_iter_init(&it, topics); kwi_iter_next(&it, &topic);)
        *n += (uint32_t)kwi_room_count(&topic.partitions);
    list = kwi_room_take(room, *n * sizeof(*list));
    for (kwi_iter_init(&it, topics); kwi_iter_next(&it, &topic);) {
        const char *name = show_text(room, topic.topic_name);
        int32_t partition;
        kwi_iter_init(&numbers, &topic.partitions);
        for (; list && kwi_iter_next(&numbers, &partition); k++)
            list[k] = (struct kw_topic_partition){name, partition};
    }
    return list;
}

static int consumer_encode(struct kw_request *req, struct kw_wr *wr)
{
    const struct kw_group_leg *leg = req->owner;
    struct kw_consumer_group_describe_request msg;

    if (!leg)
        return KW_ERR_CANCELED;
    kwi_consumer_group_describe_request_init(&msg);
    msg.group_ids = KWI_ARR(&leg->group, 1);
    return kwi_consumer_group_describe_request_encode(&msg, req->version, wr);
}

static void consumer_member(struct kw_admin_room *room, const struct kw_consumer_group_member *item,
                            struct kw_group_member *out)
{
    struct kw_group_member member = {.id = show_text(room, item->member_id),
                                     .client_id = show_text(room, item->client_id),
                                     .host = show_text(room, item->client_host),
                                     .instance_id = kwi_room_text(room, item->instance_id),
                                     .rack = kwi_room_text(room, item->rack_id),
                                     .epoch = item->member_epoch};

    member.assigned = modern_assigned(room, &item->assignment.topic_partitions, &member.n_assigned);
    member.target = modern_assigned(room, &item->target_assignment.topic_partitions,
                                    &member.n_target);
    if (out)
        *out = member;
}

static void consumer_group_fill(struct kw_admin_room *room, const void *described,
                                struct kw_group_info *info)
{
    const struct kw_consumer_group_described *group = described;
    size_t count = kwi_room_count(&group->members), n = 0;
    struct kw_group_member *members = kwi_room_take(room, count * sizeof(*members));
    struct kw_consumer_group_member item;
    struct kw_iter it;

    info->type = info->protocol_type = "consumer";
    info->state = show_text(room, group->group_state);
    info->assignor = show_text(room, group->assignor_name);
    info->epoch = group->group_epoch;
    for (kwi_iter_init(&it, &group->members); kwi_iter_next(&it, &item); n++)
        consumer_member(room, &item, members ? &members[n] : NULL);
    info->members = members;
    info->n_members = (uint32_t)count;
}

static int consumer_take(struct kw_group_leg *leg, struct kw_request *req,
                         const struct kw_answer *answer, struct kw_group_verdict *verdict)
{
    struct kw_consumer_group_describe_response msg;
    struct kw_consumer_group_described group;
    struct kw_fault fault;
    struct kw_iter it;

    if (kwi_consumer_group_describe_response_decode(&msg, req->version, answer->body, answer->len,
                                                    &fault))
        return kwi_request_malformed(req, &fault, NULL);
    kwi_throttle(req, msg.throttle_time_ms);
    kwi_iter_init(&it, &msg.groups);
    if (!kwi_iter_next(&it, &group))
        return kwi_request_malformed(req, NULL, "consumer_group_describe_response names no group");
    verdict->kafka_code = group.error_code;
    verdict->message = group.error_message;
    if (group.error_code)
        return 0;
    return show_keep(leg, consumer_group_fill, &group);
}

const struct kw_group_call kwi_group_describe_consumer = {
    .type = {.api_key = KW_API_CONSUMER_GROUP_DESCRIBE,
             .encode = consumer_encode,
             .done = kwi_group_leg_done},
    .what = "describing the group",
    .take = consumer_take,
};

static int share_encode(struct kw_request *req, struct kw_wr *wr)
{
    const struct kw_group_leg *leg = req->owner;
    struct kw_share_group_describe_request msg;

    if (!leg)
        return KW_ERR_CANCELED;
    kwi_share_group_describe_request_init(&msg);
    msg.group_ids = KWI_ARR(&leg->group, 1);
    return kwi_share_group_describe_request_encode(&msg, req->version, wr);
}

static void share_fill(struct kw_admin_room *room, const void *described,
                       struct kw_group_info *info)
{
    const struct kw_share_group_described *group = described;
    size_t count = kwi_room_count(&group->members), n = 0;
    struct kw_group_member *members = kwi_room_take(room, count * sizeof(*members));
    struct kw_share_group_member item;
    struct kw_iter it;

    info->type = info->protocol_type = "share";
    info->state = show_text(room, group->group_state);
    info->assignor = show_text(room, group->assignor_name);
    info->epoch = group->group_epoch;
    for (kwi_iter_init(&it, &group->members); kwi_iter_next(&it, &item); n++) {
        struct kw_group_member member = {.id = show_text(room, item.member_id),
                                         .client_id = show_text(room, item.client_id),
                                         .host = show_text(room, item.client_host),
                                         .rack = kwi_room_text(room, item.rack_id),
                                         .epoch = item.member_epoch};
        member.assigned = modern_assigned(room, &item.assignment.topic_partitions,
                                          &member.n_assigned);
        member.target = member.assigned;
        member.n_target = member.n_assigned;
        if (members)
            members[n] = member;
    }
    info->members = members;
    info->n_members = (uint32_t)count;
}

static int share_take(struct kw_group_leg *leg, struct kw_request *req,
                      const struct kw_answer *answer, struct kw_group_verdict *verdict)
{
    struct kw_share_group_describe_response msg;
    struct kw_share_group_described group;
    struct kw_fault fault;
    struct kw_iter it;

    if (kwi_share_group_describe_response_decode(&msg, req->version, answer->body, answer->len,
                                                 &fault))
        return kwi_request_malformed(req, &fault, NULL);
    kwi_throttle(req, msg.throttle_time_ms);
    kwi_iter_init(&it, &msg.groups);
    if (!kwi_iter_next(&it, &group))
        return kwi_request_malformed(req, NULL, "share_group_describe_response names no group");
    verdict->kafka_code = group.error_code;
    verdict->message = group.error_message;
    if (group.error_code)
        return 0;
    return show_keep(leg, share_fill, &group);
}

const struct kw_group_call kwi_group_describe_share = {
    .type = {.api_key = KW_API_SHARE_GROUP_DESCRIBE,
             .encode = share_encode,
             .done = kwi_group_leg_done},
    .what = "describing the group",
    .take = share_take,
};

/* ---- StreamsGroupDescribe --------------------------------------------------------------- */

static int streams_encode(struct kw_request *req, struct kw_wr *wr)
{
    const struct kw_group_leg *leg = req->owner;
    struct kw_streams_group_describe_request msg;

    if (!leg)
        return KW_ERR_CANCELED;
    kwi_streams_group_describe_request_init(&msg);
    msg.group_ids = KWI_ARR(&leg->group, 1);
    return kwi_streams_group_describe_request_encode(&msg, req->version, wr);
}

/* Active tasks: a subtopology and its partitions. */
static struct kw_topic_partition *streams_tasks(struct kw_admin_room *room,
                                                const struct kw_arr *tasks, uint32_t *n)
{
    struct kw_streams_tasks item;
    struct kw_topic_partition *list;
    struct kw_iter it, numbers;
    uint32_t k = 0;

    *n = 0;
    for (kwi_iter_init(&it, tasks); kwi_iter_next(&it, &item);)
        *n += (uint32_t)kwi_room_count(&item.partitions);
    list = kwi_room_take(room, *n * sizeof(*list));
    for (kwi_iter_init(&it, tasks); kwi_iter_next(&it, &item);) {
        const char *name = show_text(room, item.subtopology_id);
        int32_t partition;
        kwi_iter_init(&numbers, &item.partitions);
        for (; list && kwi_iter_next(&numbers, &partition); k++)
            list[k] = (struct kw_topic_partition){name, partition};
    }
    return list;
}

static void streams_fill(struct kw_admin_room *room, const void *described,
                         struct kw_group_info *info)
{
    const struct kw_streams_described *group = described;
    size_t count = kwi_room_count(&group->members), n = 0;
    struct kw_group_member *members = kwi_room_take(room, count * sizeof(*members));
    struct kw_streams_member item;
    struct kw_iter it;

    info->type = info->protocol_type = "streams";
    info->state = show_text(room, group->group_state);
    info->assignor = show_text(room, group->assignor_name);
    info->epoch = group->group_epoch;
    for (kwi_iter_init(&it, &group->members); kwi_iter_next(&it, &item); n++) {
        struct kw_group_member member = {.id = show_text(room, item.member_id),
                                         .client_id = show_text(room, item.client_id),
                                         .host = show_text(room, item.client_host),
                                         .instance_id = kwi_room_text(room, item.instance_id),
                                         .rack = kwi_room_text(room, item.rack_id),
                                         .epoch = item.member_epoch};
        member.assigned = streams_tasks(room, &item.assignment.active_tasks, &member.n_assigned);
        member.target = streams_tasks(room, &item.target_assignment.active_tasks, &member.n_target);
        if (members)
            members[n] = member;
    }
    info->members = members;
    info->n_members = (uint32_t)count;
}

static int streams_take(struct kw_group_leg *leg, struct kw_request *req,
                        const struct kw_answer *answer, struct kw_group_verdict *verdict)
{
    struct kw_streams_group_describe_response msg;
    struct kw_streams_described group;
    struct kw_fault fault;
    struct kw_iter it;

    if (kwi_streams_group_describe_response_decode(&msg, req->version, answer->body, answer->len,
                                                   &fault))
        return kwi_request_malformed(req, &fault, NULL);
    kwi_throttle(req, msg.throttle_time_ms);
    kwi_iter_init(&it, &msg.groups);
    if (!kwi_iter_next(&it, &group))
        return kwi_request_malformed(req, NULL, "streams_group_describe_response names no group");
    verdict->kafka_code = group.error_code;
    verdict->message = group.error_message;
    if (group.error_code)
        return 0;
    return show_keep(leg, streams_fill, &group);
}

const struct kw_group_call kwi_group_describe_streams = {
    .type = {.api_key = KW_API_STREAMS_GROUP_DESCRIBE,
             .encode = streams_encode,
             .done = kwi_group_leg_done},
    .what = "describing the group",
    .take = streams_take,
};
