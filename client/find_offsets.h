/* client/find_offsets.h -- the operation kw_list_offsets.
 *
 * find_start.c     what is asked for, sorted by topic and partition
 * find_offsets.c   asking the leaders, and the result */
#ifndef KWI_FIND_OFFSETS_H
#define KWI_FIND_OFFSETS_H
#include "client/link.h"
#include "client/op.h"

enum kw_find_state { KWI_FIND_OPEN, KWI_FIND_ASKED, KWI_FIND_DONE };

struct kw_find_op;

struct kw_find_topic {
    struct kw_find_op *find;
    struct kw_topic_meta *meta;
    struct kw_topic_watch watch;
    uint32_t first, n; /* its entries, in the order of `order` */
    struct kw_find_topic *next;
};

struct kw_find_entry {
    struct kw_find_topic *topic;
    uint32_t topic_no; /* counts topics as they came */
    int32_t partition;
    int64_t question;
    uint8_t state;  /* enum kw_find_state */
    uint32_t call;  /* ASKED: the number of the request */
    int16_t failed; /* the last refusal */
    int16_t kafka_code;
    int32_t leader_epoch;
    int64_t offset, timestamp_ms;
};

/* A request under way. */
struct kw_find_call {
    struct kw_find_op *find; /* NULL: it ended */
    struct kw_request *req;
    struct kw_node node;
    uint32_t number, n_topics, n;
};

struct kw_find_op {
    struct kw_op op; /* first: freed as such */
    struct kw_timer retry;
    struct kw_map topics; /* name -> find_topic */
    struct kw_find_topic *first_topic;
    struct kw_list calls; /* find_call */
    struct kw_offsets **result;
    struct kw_error last;
    uint64_t began_us;
    uint32_t n, n_open, attempts, next_call;
    uint8_t isolation;
    bool waits;                     /* for a leader, and for nothing else */
    uint32_t *order;                /* entries by topic and partition */
    struct kw_find_entry entries[]; /* `order` lies behind them */
};

/* Asks whoever can be asked now. */
void kwi_find_go(struct kw_find_op *find);
void kwi_find_due(struct kw_timer *timer);
void kwi_find_abandon(struct kw_op *op, int code);
void kwi_find_no_memory(struct kw_find_op *find);
void kwi_find_meta_changed(struct kw_topic_watch *watch, struct kw_topic_meta *meta);

#endif
