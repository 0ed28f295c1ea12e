/* proto/consumer_protocol.h -- what members of classic consumer groups tell each
 * other: the blobs inside JoinGroup and SyncGroup, and the user data in them. */
#ifndef KWI_CONSUMER_PROTOCOL_H
#define KWI_CONSUMER_PROTOCOL_H
#include "proto/schema.h"

struct kw_consumer_protocol_topic {
    struct kw_str topic;
    struct kw_arr partitions; /* of int32_t */
};
struct kw_consumer_protocol_subscription {
    struct kw_arr topics;           /* of struct kw_str */
    struct kw_blob user_data;       /* the assignor's; null if none */
    struct kw_arr owned_partitions; /* v1+; of kw_consumer_protocol_topic */
    int32_t generation_id;          /* v2+; in which they were owned; -1 unknown */
    struct kw_str rack_id;          /* v3+; null: none */
};
struct kw_consumer_protocol_assignment {
    struct kw_arr assigned_partitions; /* of kw_consumer_protocol_topic */
    struct kw_blob user_data;          /* the assignor's; null if none */
};

/* User data of the sticky assignor: what the member had. */
struct kw_sticky_user_data {
    struct kw_arr previous_assignment; /* of kw_consumer_protocol_topic */
    int32_t generation;                /* v1+; -1 unknown */
};

/* User data of the cooperative one; the partitions are in the subscription. */
struct kw_cooperative_sticky_user_data {
    int32_t generation;
};

/* Reads a blob with its version, which goes to *version as it was read: a higher
 * one than known is read as the highest, bytes left over are ignored, and a blob
 * that ends where an older version does is taken for that one. Returns 0 or what
 * kwi_decode returns. */
int kwi_subscription_get(const struct kw_blob *blob, struct kw_consumer_protocol_subscription *msg,
                         int *version, struct kw_fault *fault) KW_MUST_USE;
int kwi_assignment_get(const struct kw_blob *blob, struct kw_consumer_protocol_assignment *msg,
                       int *version, struct kw_fault *fault) KW_MUST_USE;
/* Appends the version and the blob. Returns what kwi_encode returns. */
int kwi_subscription_put(const struct kw_consumer_protocol_subscription *msg, int version,
                         struct kw_wr *w) KW_MUST_USE;
int kwi_assignment_put(const struct kw_consumer_protocol_assignment *msg, int version,
                       struct kw_wr *w) KW_MUST_USE;

/* User data has no version: it is of version 1 if it is long enough. */
int kwi_sticky_user_data_get(const struct kw_blob *blob, struct kw_sticky_user_data *msg,
                             struct kw_fault *fault) KW_MUST_USE;

KWI_PARTS(consumer_protocol_topic, consumer_protocol_subscription, consumer_protocol_assignment)
KWI_PARTS(sticky_user_data, cooperative_sticky_user_data)

#endif
