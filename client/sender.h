/* client/sender.h -- what the three files on the way of a batch share: route.c
 * finds its link, sender.c builds the request, answer.c reads the answer. */
#ifndef KWI_SENDER_H
#define KWI_SENDER_H
#include "client/producer.h"
#include "proto/produce.h"

enum { KWI_SENDING_MAX = KWI_REQUEST_CUTS }; /* batches of one request */

/* What one Produce request carries. Recycled. */
struct kw_sending {
    struct kw_node node;
    struct kw_producer *producer;
    uint32_t n;
    struct kw_batch *batches[KWI_SENDING_MAX]; /* in the order of the request */
    bool answered[KWI_SENDING_MAX];
};

/* The message while it is encoded: one for all requests of a producer. */
struct kw_sending_form {
    uint32_t n_topics;
    struct kw_produce_request_topic topics[KWI_SENDING_MAX];
    struct kw_produce_request_partition parts[KWI_SENDING_MAX];
    struct kw_iov *pieces;
    uint32_t pieces_cap;
};

/* route.c */
void kwi_part_unready(struct kw_part *part);
/* The partition sends nothing for a while: backoff after `attempts` failures. */
void kwi_part_mute(struct kw_part *part, uint32_t attempts);
/* answer.c: the functions of the request type. */
void kwi_sending_done(struct kw_request *req, const struct kw_answer *answer);
void kwi_sending_release(struct kw_request *req);
/* sender.c */
void kwi_sending_recycle(struct kw_sending *sending);

#endif
