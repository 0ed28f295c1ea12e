/* mock/group.h -- the groups of the broker model: members, rebalances, offsets.
 *
 * group.c          members and the classic protocol's state machine
 * group_calls.c    JoinGroup, SyncGroup, Heartbeat, LeaveGroup
 * group_offsets.c  OffsetCommit, OffsetFetch
 * group_admin.c    ListGroups, DescribeGroups, DeleteGroups, OffsetDelete
 *
 * Groups whose coordinator assigns are in modern_group.h.
 *
 * One coordinator serves all groups (kwi_mock_set_coordinator); what it knows
 * moves with it at once, as if the internal topic had been read already. */
#ifndef KWI_MOCK_GROUP_H
#define KWI_MOCK_GROUP_H
#include "mock/call.h"
#include "proto/group.h"

enum { KWI_MOCK_GROUP_EVER_US = 3600 * 1000 * INT64_C(1000) };

/* A copy of bytes; ptr NULL, len -1: null. */
struct kw_mock_bytes {
    char *ptr;
    int32_t len;
};

struct kw_mock_protocol {
    struct kw_mock_bytes name, metadata;
};

struct kw_mock_member {
    struct kw_mock_group *group;
    struct kw_node node; /* in group->members, in the order of joining */
    struct kw_mock_bytes id, instance_id, client_id;
    struct kw_timer session;
    int32_t session_ms, rebalance_ms;
    struct kw_mock_protocol *protocols;
    uint32_t n_protocols;
    struct kw_mock_bytes assignment;
    uint64_t join_ticket; /* of the JoinGroup that waits; 0: none does */
    uint64_t sync_ticket;
    bool pending; /* was given an id and did not come back with it yet (KIP-394) */
    bool joined;  /* takes part in the rebalance that is going on */
};

struct kw_mock_offset {
    struct kw_mock_group *group;
    char *topic;
    size_t topic_len;
    int32_t partition;
    int64_t offset;
    int32_t leader_epoch;
    struct kw_mock_bytes metadata;
    struct kw_node node;
};

struct kw_mock_group {
    struct kw_mock *mock;
    char *name;
    size_t name_len;
    uint8_t state; /* enum kw_mock_group_state */
    int32_t generation;
    struct kw_mock_bytes protocol_type, protocol, leader; /* leader: a member id */
    struct kw_list members;
    struct kw_list modern; /* kw_mock_modern: those of KIP-848, generation is their epoch */
    bool is_modern;        /* its last member was one of those */
    struct kw_timer rebalance;
    struct kw_list offsets;
};

/* Finds a group; makes it if `make`. NULL: there is none, or no memory. */
struct kw_mock_group *kwi_mock_group_find(struct kw_mock *mock, struct kw_str name, bool make);
struct kw_mock_member *kwi_mock_group_member(const struct kw_mock_group *group, struct kw_str id);
struct kw_mock_member *kwi_mock_group_instance(const struct kw_mock_group *group,
                                               struct kw_str instance_id);
/* A new member with an id of its own, or NULL. */
struct kw_mock_member *kwi_mock_group_add(struct kw_mock_group *group, struct kw_str instance_id);
/* Gives a member another id, as a static member that came back. */
KW_MUST_USE int kwi_mock_member_rename(struct kw_mock_member *member);
/* Takes over what a JoinGroup says. Returns KW_ERR_NOMEM or 0. */
KW_MUST_USE int kwi_mock_member_update(struct kw_mock_member *member,
                                       const struct kw_join_group_request *req);
/* Whether its protocols are those of the request, byte for byte. */
bool kwi_mock_member_is_same(const struct kw_mock_member *member,
                             const struct kw_join_group_request *req);
/* Whether every member has one of the protocols of the request. */
bool kwi_mock_group_agrees(const struct kw_mock_group *group,
                           const struct kw_join_group_request *req,
                           const struct kw_mock_member *but);
void kwi_mock_member_remove(struct kw_mock_member *member);
/* A sign of life. */
void kwi_mock_member_touch(struct kw_mock_member *member);
/* The connection of a request that waits is gone, and with it that sign of life. */
void kwi_mock_groups_hang_up(struct kw_mock *mock, uint64_t ticket);
/* Members must join again. */
void kwi_mock_group_rebalance(struct kw_mock_group *group);
/* Ends the rebalance if everybody has joined. */
void kwi_mock_group_settle(struct kw_mock_group *group);
/* 0, NOT_COORDINATOR, or an error that a fault asks for. */
int16_t kwi_mock_group_check(const struct kw_mock_call *call, struct kw_str group_id);
/* Whether a member is who it says it is: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID,
 * ILLEGAL_GENERATION or 0, and then *out is set. */
int16_t kwi_mock_group_identify(struct kw_mock_group *group, struct kw_str member_id,
                                struct kw_str instance_id, int32_t generation,
                                struct kw_mock_member **out);
void kwi_mock_group_destroy(struct kw_mock_group *group);
void kwi_mock_offsets_destroy(struct kw_mock_group *group);
/* What it has of one partition, if anything. */
void kwi_mock_offset_forget(struct kw_mock_group *group, struct kw_str topic, int32_t partition);
struct kw_mock_pending;
/* An offset of a transaction is committed. Without memory it is lost. */
void kwi_mock_offset_set(struct kw_mock *mock, const struct kw_mock_pending *pending);

bool kwi_mock_bytes_are(const struct kw_mock_bytes *bytes, const void *ptr, int32_t len);
void kwi_mock_bytes_free(struct kw_mock *mock, struct kw_mock_bytes *bytes);
KW_MUST_USE int kwi_mock_bytes_set(struct kw_mock *mock, struct kw_mock_bytes *bytes,
                                   const void *ptr, int32_t len);
static inline struct kw_str kwi_mock_bytes_str(const struct kw_mock_bytes *bytes)
{
    return (struct kw_str){bytes->ptr, bytes->len};
}

#endif
