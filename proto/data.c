/* proto/data.c -- the blobs inside messages and records, by Kafka's names. The
 * tables describe what stands behind a version, where there is one in front. */
#include "proto/data.h"

#include "proto/consumer_protocol.h"
#include "proto/control.h"

static const struct kw_data_info data_table[] = {
    {"ConsumerProtocolSubscription", &kwi_consumer_protocol_subscription_schema},
    {"ConsumerProtocolAssignment", &kwi_consumer_protocol_assignment_schema},
    {"ControlRecordTypeSchema", &kwi_control_record_type_schema},
    {"EndTxnMarker", &kwi_end_txn_marker_schema},
    {"LeaderChangeMessage", &kwi_leader_change_message_schema},
    {"SnapshotHeaderRecord", &kwi_snapshot_header_record_schema},
    {"SnapshotFooterRecord", &kwi_snapshot_footer_record_schema},
    {"KRaftVersionRecord", &kwi_kraft_version_record_schema},
    {"VotersRecord", &kwi_voters_record_schema},
    /* Not of Kafka's definitions, but of its assignors' code. */
    {"StickyAssignorUserData", &kwi_sticky_user_data_schema},
    {"CooperativeStickyAssignorUserData", &kwi_cooperative_sticky_user_data_schema},
};

enum { DATA_COUNT = sizeof data_table / sizeof *data_table };

const struct kw_data_info *kwi_data_list(size_t *count)
{
    *count = DATA_COUNT;
    return data_table;
}

const struct kw_data_info *kwi_data_info(const char *name)
{
    size_t len = strlen(name) + 1;
    for (size_t i = 0; i < DATA_COUNT; i++)
        if (len == strlen(data_table[i].name) + 1 && memcmp(data_table[i].name, name, len) == 0)
            return &data_table[i];
    return NULL;
}
