/* proto/leader.c -- the structs that carry leader hints (KIP-951). Which versions
 * of Produce and Fetch have them is in their own tables. */
#include "proto/leader.h"

/* clang-format off */
KWI_PART_TABLE(leader_id_and_epoch,
    KWI_VALUE(leader_id_and_epoch, leader_id,    0, KWI_LAST, -1, 0),
    KWI_VALUE(leader_id_and_epoch, leader_epoch, 0, KWI_LAST, -1, 0));
KWI_PART_TABLE(node_endpoint,
    KWI_EVER(node_endpoint, node_id, host, port),
    KWI_MAYBE(node_endpoint, rack,    0, KWI_LAST, 0, KWI_NULL, 0));
