/* proto/control.h -- records of control batches: the ends of transactions, and what
 * the controllers write into their own log. */
#ifndef KWI_CONTROL_H
#define KWI_CONTROL_H
#include "proto/schema.h"

/* A control record's type, from its key. Readers pass over others. */
enum kw_control_type {
    KWI_CONTROL_ABORT = 0,
    KWI_CONTROL_COMMIT = 1,
    KWI_CONTROL_LEADER_CHANGE = 2,
    KWI_CONTROL_SNAPSHOT_HEADER = 3,
    KWI_CONTROL_SNAPSHOT_FOOTER = 4,
    KWI_CONTROL_KRAFT_VERSION = 5,
    KWI_CONTROL_KRAFT_VOTERS = 6
};

/* Key: behind its version. */
struct kw_control_record_type {
    int16_t type; /* enum kw_control_type */
};

/* Value of an abort or commit: behind its version. */
struct kw_end_txn_marker {
    int32_t coordinator_epoch;
};

/* The values below carry their version inside. */
struct kw_leader_change_voter {
    int32_t voter_id;
    struct kw_uuid voter_directory_id; /* v1+ */
};
struct kw_leader_change_message {
    int16_t version;
    int32_t leader_id;
    struct kw_arr voters, granting_voters; /* of kw_leader_change_voter */
};
struct kw_snapshot_header_record {
    int16_t version;
    int64_t last_contained_log_timestamp; /* ms */
};
struct kw_snapshot_footer_record {
    int16_t version;
};
struct kw_kraft_version_record {
    int16_t version, k_raft_version;
};
struct kw_voters_record_endpoint {
    struct kw_str name, host;
    uint16_t port;
};
struct kw_voters_record_feature {
    int16_t min_supported_version, max_supported_version;
};
struct kw_voters_record_voter {
    int32_t voter_id;
    struct kw_uuid voter_directory_id;
    struct kw_arr endpoints; /* of kw_voters_record_endpoint */
    struct kw_voters_record_feature k_raft_version_feature;
};
struct kw_voters_record {
    int16_t version;
    struct kw_arr voters; /* of kw_voters_record_voter */
};

/* Both take any version from 0 on as version 0 and ignore what follows, as Java
 * does. Return 0 or KW_ERR_SHORT, and KW_ERR_VERSION below 0. */
int kwi_control_key_get(const struct kw_blob *key, int16_t *type) KW_MUST_USE;
int kwi_end_txn_marker_get(const struct kw_blob *value, int32_t *coordinator_epoch) KW_MUST_USE;

KWI_PARTS(control_record_type, end_txn_marker, leader_change_voter, leader_change_message)
KWI_PARTS(snapshot_header_record, snapshot_footer_record, kraft_version_record)
KWI_PARTS(voters_record_endpoint, voters_record_feature, voters_record_voter, voters_record)

#endif
