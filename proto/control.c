/* proto/control.c -- records of control batches. They take an offset like others
 * and are never given to the application.
 *
 * A control batch holds one record (KIP-98). Its key: a version and a type. The
 * value of an abort or commit: a version and the epoch of the coordinator that
 * wrote it. The other types are of the controllers' log (KIP-595, KIP-630,
 * KIP-853); leader changes may stand in any log of a controller.
 */
#include "proto/control.h"

/* clang-format off */
KWI_TABLE(control_record_type, 0, 0, KWI_NEVER,
    KWI_EVER(control_record_type, type));
KWI_TABLE(end_txn_marker, 0, 0, KWI_NEVER,
    KWI_EVER(end_txn_marker, coordinator_epoch));
KWI_PART_TABLE(leader_change_voter,
    KWI_EVER(leader_change_voter, voter_id),
    KWI_VALUE(leader_change_voter, voter_directory_id, 1, KWI_LAST, 0, 0));
KWI_TABLE(leader_change_message, 0, 1, 0,
    KWI_EVER(leader_change_message, version, leader_id),
    KWI_LIST_FROM(leader_change_message, voters,          leader_change_voter, 0),
    KWI_LIST_FROM(leader_change_message, granting_voters, leader_change_voter, 0));
KWI_TABLE(snapshot_header_record, 0, 0, 0,
    KWI_EVER(snapshot_header_record, version, last_contained_log_timestamp));
KWI_TABLE(snapshot_footer_record, 0, 0, 0,
    KWI_EVER(snapshot_footer_record, version));
KWI_TABLE(kraft_version_record, 0, 0, 0,
    KWI_EVER(kraft_version_record, version, k_raft_version));
KWI_PART_TABLE(voters_record_endpoint,
    KWI_EVER(voters_record_endpoint, name, host, port));
KWI_PART_TABLE(voters_record_feature,
    KWI_EVER(voters_record_feature, min_supported_version, max_supported_version));
KWI_PART_TABLE(voters_record_voter,
    KWI_EVER(voters_record_voter, voter_id, voter_directory_id),
    KWI_LIST_FROM(voters_record_voter, endpoints, voters_record_endpoint, 0),
    KWI_ONE_FROM(voters_record_voter, k_raft_version_feature, voters_record_feature, 0));
KWI_TABLE(voters_record, 0, 0, 0,
    KWI_EVER(voters_record, version),
    KWI_LIST_FROM(voters_record, voters, voters_record_voter, 0));
/* clang-format on */

/* Reads version 0 of a blob that begins with its version. */
static int control_get(const struct kw_schema *schema, const struct kw_blob *blob, void *msg)
{
    struct kw_rd r = kwi_rd_make(blob->ptr, blob->len > 0 ? (size_t)blob->len : 0);
    int16_t version = (int16_t)kwi_rd_u16(&r);
    size_t used;
    if (r.err)
        return r.err;
    if (version < 0)
        return KW_ERR_VERSION;
    return kwi_decode_first(schema, 0, r.p, kwi_rd_left(&r), msg, &used, NULL);
}

int kwi_control_key_get(const struct kw_blob *key, int16_t *type)
{
    struct kw_control_record_type msg = {0};
    int rc = control_get(&kwi_control_record_type_schema, key, &msg);
    *type = msg.type;
    return rc;
}

int kwi_end_txn_marker_get(const struct kw_blob *value, int32_t *coordinator_epoch)
{
    struct kw_end_txn_marker msg = {0};
    int rc = control_get(&kwi_end_txn_marker_schema, value, &msg);
    *coordinator_epoch = msg.coordinator_epoch;
    return rc;
}
