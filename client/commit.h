/* client/commit.h -- the jobs of commit.c, which are made and ended in commit_job.c. */
#ifndef KWI_COMMIT_H
#define KWI_COMMIT_H
#include "client/consumer.h"
#include "client/op.h"

struct kw_commit_entry {
    const char *topic; /* within the job; NUL-terminated */
    uint32_t topic_len;
    int32_t partition, leader_epoch;
    int64_t offset;
    struct kw_str metadata; /* within the job */
    uint32_t serial;        /* of the part: another one means that it was taken away */
    bool open;              /* has not ended */
    int16_t kafka_code;
    int code; /* enum kw_err: how it ended */
};

struct kw_commit_op;

struct kw_commit_job {
    struct kw_node node; /* in keeper.commits, then in keeper.failed */
    struct kw_consumer *consumer;
    struct kw_commit_op *op;    /* or NULL */
    kwi_commit_ended_fn *ended; /* or NULL */
    struct kw_timer deadline;   /* of a job without an op */
    struct kw_error cause;      /* of the last failure */
    bool automatic, quiet;      /* quiet: its failures are no events */
    uint32_t n, n_open, n_failed, next_told;
    size_t size; /* of the allocation: names and metadata follow the entries */
    struct kw_commit_entry entries[];
};

struct kw_commit_op {
    struct kw_op op;
    struct kw_commit_job *job; /* NULL: the consumer is gone */
};

/* What a job is made of. */
struct kw_commit_source {
    kwi_commit_filter_fn *filter; /* of stored offsets */
    void *ctx;
    const struct kw_offsets *offsets; /* or NULL: what is stored */
};

/* Puts a job for it at the end of the queue. NULL: no memory. */
struct kw_commit_job *kwi_commit_create(struct kw_consumer *consumer,
                                        const struct kw_commit_source *source);
void kwi_commit_free(struct kw_commit_job *job);
/* One that has ended stays as it is. code 0: it is committed. */
void kwi_commit_close_entry(struct kw_commit_job *job, struct kw_commit_entry *entry, int code,
                            int16_t kafka_code);
void kwi_commit_close_all(struct kw_commit_job *job, int code, int16_t kafka_code);
/* Tells who asked, once. */
void kwi_commit_tell(struct kw_commit_job *job);
void kwi_commit_describe(const struct kw_commit_job *job, const struct kw_commit_entry *entry,
                         struct kw_error *err);
/* commit.c: the time of a job is over. */
void kwi_commit_deadline(struct kw_timer *timer);

#endif
