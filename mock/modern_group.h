/* mock/modern_group.h -- groups of the broker model whose coordinator assigns (KIP-848).
 *
 * modern_group.c   members, targets, and how a member comes to its target
 * modern_calls.c   ConsumerGroupHeartbeat, ConsumerGroupDescribe
 * pattern.c        subscriptions by pattern
 *
 * A group is of this kind as long as it has such members, of the classic kind as long
 * as it has the others; its offsets stay. */
#ifndef KWI_MOCK_MODERN_GROUP_H
#define KWI_MOCK_MODERN_GROUP_H
#include "mock/group.h"
#include "proto/consumer_group.h"

/* A partition of a topic, by its id. */
struct kw_mock_owned {
    uint8_t id[16];
    int32_t partition;
};
struct kw_mock_set {
    struct kw_mock_owned *list;
    uint32_t n, cap;
};

enum kw_mock_modern_state {
    KWI_MOCK_MODERN_STABLE,
    KWI_MOCK_MODERN_UNREVOKED, /* must give up what is in `pending` */
    KWI_MOCK_MODERN_UNRELEASED /* waits for what others have */
};

struct kw_mock_modern {
    struct kw_mock_group *group;
    struct kw_node node; /* in group->modern, in the order of joining */
    struct kw_mock_bytes id, instance_id, pattern, assignor, client_id;
    struct kw_mock_bytes *names;
    uint32_t n_names;
    int32_t epoch, previous_epoch; /* epoch -2: a static member that is away for a while */
    int32_t rebalance_ms;
    uint8_t state; /* enum kw_mock_modern_state */
    struct kw_mock_set assigned, pending, target, next;
    struct kw_timer session, revoke;
};

struct kw_mock_modern *kwi_mock_modern_find(const struct kw_mock_group *group, struct kw_str id);
struct kw_mock_modern *kwi_mock_modern_instance(const struct kw_mock_group *group,
                                                struct kw_str instance_id);
/* NULL: no memory. */
struct kw_mock_modern *kwi_mock_modern_add(struct kw_mock_group *group, struct kw_str id,
                                           struct kw_str instance_id);
/* Takes it out; what it had is shared out anew. */
void kwi_mock_modern_remove(struct kw_mock_modern *member);
void kwi_mock_modern_touch(struct kw_mock_modern *member);
/* Takes over what a heartbeat says of the subscription; *changed: it is another one.
 * Returns KW_ERR_NOMEM or 0. */
KW_MUST_USE int kwi_mock_modern_subscribe(struct kw_mock_modern *member,
                                          const struct kw_consumer_group_heartbeat_request *req,
                                          bool *changed);
/* Targets of all members, from what there is now; `changed`: the group's epoch goes up
 * whatever comes out. */
KW_MUST_USE int kwi_mock_modern_assign(struct kw_mock_group *group, bool changed);
/* Brings the member nearer to its target. owned: what it says that it has; n -1: it does
 * not say. */
KW_MUST_USE int kwi_mock_modern_reconcile(struct kw_mock_modern *member,
                                          const struct kw_arr *owned);
bool kwi_mock_modern_is_range(const struct kw_mock_group *group);
bool kwi_mock_set_has(const struct kw_mock_set *set, const struct kw_mock_owned *item);
bool kwi_mock_set_is_same(const struct kw_mock_set *a, const struct kw_mock_set *b);
bool kwi_mock_owned_has(const struct kw_arr *owned, const struct kw_mock_owned *item);
KW_MUST_USE int kwi_mock_set_copy(struct kw_mock *mock, struct kw_mock_set *to,
                                  const struct kw_mock_set *from);
void kwi_mock_set_free(struct kw_mock *mock, struct kw_mock_set *set);
/* Who commits or asks for offsets: 0, UNKNOWN_MEMBER_ID or STALE_MEMBER_EPOCH. */
int16_t kwi_mock_modern_identify(const struct kw_mock_group *group, struct kw_str member_id,
                                 int32_t epoch);
void kwi_mock_modern_destroy(struct kw_mock_group *group);

/* pattern.c */
bool kwi_mock_pattern_is_good(struct kw_str pattern);
bool kwi_mock_pattern_matches(struct kw_str pattern, struct kw_str text);

#endif
