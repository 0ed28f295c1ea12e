/* proto/consumer_protocol.c -- what members of classic consumer groups tell each
 * other. Never flexible; before each blob stands its version, two bytes. Fields
 * are only ever added at the end, so that a leader can read what newer members
 * wrote. Some clients write version 1 and leave out what it added.
 *
 * Subscription, versions 0 to 3: what a member wants, to JoinGroup.
 *   v1  owned_partitions, for cooperative rebalancing (KIP-429)
 *   v2  generation_id of these (KIP-792)
 *   v3  rack_id (KIP-881)
 *
 * Assignment, versions 0 to 3, all alike: what a member gets, to SyncGroup.
 *
 * User data of the sticky assignors (KIP-54, KIP-429) has no version; that of the
 * first got its generation later (KIP-341).
 */
#include "proto/consumer_protocol.h"

/* clang-format off */
KWI_PART_TABLE(consumer_protocol_topic,
    KWI_EVER(consumer_protocol_topic, topic),
    KWI_PLAIN(consumer_protocol_topic, partitions, i32, 0, KWI_LAST, 0));
KWI_TABLE(consumer_protocol_subscription, 0, 3, KWI_NEVER,
    KWI_PLAIN(consumer_protocol_subscription, topics, str, 0, KWI_LAST, 0),
    KWI_MAYBE_FROM(consumer_protocol_subscription, user_data, 0),
    KWI_LIST(consumer_protocol_subscription, owned_partitions, consumer_protocol_topic, 1,
             KWI_LAST, KWI_NOT_NULL, 0, KWI_IGNORABLE),
    KWI_VALUE(consumer_protocol_subscription, generation_id, 2, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_MAYBE(consumer_protocol_subscription, rack_id, 3, KWI_LAST, 3, KWI_NULL, KWI_IGNORABLE));
KWI_TABLE(consumer_protocol_assignment, 0, 3, KWI_NEVER,
    KWI_LIST_FROM(consumer_protocol_assignment, assigned_partitions, consumer_protocol_topic, 0),
    KWI_MAYBE_FROM(consumer_protocol_assignment, user_data, 0));
KWI_TABLE(sticky_user_data, 0, 1, KWI_NEVER,
    KWI_LIST_FROM(sticky_user_data, previous_assignment, consumer_protocol_topic, 0),
    KWI_VALUE(sticky_user_data, generation, 1, KWI_LAST, -1, KWI_IGNORABLE));
KWI_TABLE(cooperative_sticky_user_data, 0, 0, KWI_NEVER,
    KWI_VALUE(cooperative_sticky_user_data, generation, 0, KWI_LAST, -1, 0));
/* clang-format on */

/* Reads version `version`, or an older one where the bytes end with it. The fault
 * is that of the version that was promised. */
static int blob_get(const struct kw_schema *schema, int version, const uint8_t *ptr, size_t len,
                    void *msg, struct kw_fault *fault)
{
    size_t used;
    int rc = kwi_decode_first(schema, version, ptr, len, msg, &used, fault);
    for (int older = version - 1; rc == KW_ERR_SHORT && older >= schema->since; older--)
        if (kwi_decode(schema, older, ptr, len, msg, NULL) == 0)
            return 0;
    return rc;
}

static int blob_get_versioned(const struct kw_schema *schema, const struct kw_blob *blob, void *msg,
                              int *version, struct kw_fault *fault)
{
    struct kw_rd r = kwi_rd_make(blob->ptr, blob->len > 0 ? (size_t)blob->len : 0);
    int rc;
    *version = (int16_t)kwi_rd_u16(&r);
    if (r.err) {
        if (fault)
            *fault = (struct kw_fault){
                .err = r.err, .message = schema->name, .needed = r.needed, .left = r.left};
        return r.err;
    }
    rc = blob_get(schema, *version > schema->until ? schema->until : *version, r.p, kwi_rd_left(&r),
                  msg, fault);
    if (rc && fault)
        fault->offset += sizeof(int16_t);
    return rc;
}

int kwi_subscription_get(const struct kw_blob *blob, struct kw_consumer_protocol_subscription *msg,
                         int *version, struct kw_fault *fault)
{
    return blob_get_versioned(&kwi_consumer_protocol_subscription_schema, blob, msg, version,
                              fault);
}

int kwi_assignment_get(const struct kw_blob *blob, struct kw_consumer_protocol_assignment *msg,
                       int *version, struct kw_fault *fault)
{
    return blob_get_versioned(&kwi_consumer_protocol_assignment_schema, blob, msg, version, fault);
}

int kwi_subscription_put(const struct kw_consumer_protocol_subscription *msg, int version,
                         struct kw_wr *w)
{
    kwi_wr_u16(w, (uint16_t)version);
    return kwi_encode(&kwi_consumer_protocol_subscription_schema, version, msg, w);
}

int kwi_assignment_put(const struct kw_consumer_protocol_assignment *msg, int version,
                       struct kw_wr *w)
{
    kwi_wr_u16(w, (uint16_t)version);
    return kwi_encode(&kwi_consumer_protocol_assignment_schema, version, msg, w);
}

int kwi_sticky_user_data_get(const struct kw_blob *blob, struct kw_sticky_user_data *msg,
                             struct kw_fault *fault)
{
    return blob_get(&kwi_sticky_user_data_schema, kwi_sticky_user_data_schema.until, blob->ptr,
                    blob->len > 0 ? (size_t)blob->len : 0, msg, fault);
}
