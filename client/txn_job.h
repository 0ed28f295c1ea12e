/* client/txn_job.h -- the offsets that one kw_txn_send_offsets asks for: made in txn_job.c,
 * sent by txn_offsets.c. */
#ifndef KWI_TXN_JOB_H
#define KWI_TXN_JOB_H
#include "client/txn.h"

struct kw_txn_entry {
    const char *topic; /* within the job; NUL-terminated */
    uint32_t topic_len;
    int32_t partition, leader_epoch;
    int64_t offset;
    struct kw_str metadata; /* within the job */
    bool open;
};

struct kw_txn_job {
    struct kw_node node; /* in txn->jobs */
    struct kw_txn *txn;
    struct kw_txn_job_op *op; /* NULL: nobody waits */
    struct kw_coordinator *coordinator;
    struct kw_coordinator_user user;
    bool added; /* the coordinator of the transaction knows the group */
    bool gone;  /* ends when the answer to its request comes */
    const char *group_id;
    struct kw_str member_id, instance_id;
    int32_t generation;
    uint32_t n, n_open;
    size_t size; /* of the allocation: texts follow the entries */
    struct kw_txn_entry entries[];
};

struct kw_txn_job_op {
    struct kw_op op;
    struct kw_txn_job *job;
};

/* txn_offsets.c: the operation ends early; the job goes on. */
void kwi_txn_job_abandon(struct kw_op *op, int code);
/* Its group's coordinator changed. */
void kwi_txn_job_changed(struct kw_coordinator_user *user);

#endif
