/* client/admin.h -- an admin operation: one request, sent again until it is
 * answered for good or its deadline passes. */
#ifndef KWI_ADMIN_H
#define KWI_ADMIN_H
#include "client/link.h"
#include "client/op.h"
#include "proto/topics.h"

struct kw_admin_op {
    struct kw_op op; /* first: freed as such */
    struct kw_timer retry;
    struct kw_request *req; /* under way, or NULL */
    struct kw_admin_result **result;
    uint32_t attempts;
    uint8_t kind;        /* enum kw_admin_kind */
    bool maybe_done;     /* an attempt was sent and its answer lost */
    struct kw_str topic; /* null: all; like all texts here inside the allocation */
    int32_t partitions;
    int16_t replication_factor;
    uint32_t n_configs;
    struct kw_create_topics_request_config *configs;
    struct kw_error last; /* why the last attempt failed */
};

/* admin.c: the operation ends; err may be NULL if code is 0. */
void kwi_admin_end(struct kw_admin_op *admin, int code, const struct kw_error *err);
/* admin_metadata.c */
int kwi_admin_metadata_encode(const struct kw_admin_op *admin, int16_t version, struct kw_wr *wr);
/* Makes the result. 0, KW_ERR_NOMEM, KW_ERR_LIMIT, or KW_ERR_PROTOCOL (then the
 * connection was closed). */
int kwi_admin_metadata_take(struct kw_admin_op *admin, struct kw_request *req,
                            const struct kw_answer *answer);

#endif
