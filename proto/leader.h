/* proto/leader.h -- leader hints (KIP-951), shared by Produce and Fetch.
 *
 * A broker that is no longer the leader names the new one and its address in
 * the same answer, so that a client can move on without asking for metadata. */
#ifndef KWI_LEADER_H
#define KWI_LEADER_H
#include "proto/schema.h"

struct kw_leader_id_and_epoch {
    int32_t leader_id;    /* -1 if unknown */
    int32_t leader_epoch; /* -1 if unknown */
};
struct kw_node_endpoint {
    int32_t node_id;
    struct kw_str host;
    int32_t port;
    struct kw_str rack; /* null if the node has none */
};

KWI_PARTS(leader_id_and_epoch, node_endpoint)

#endif
