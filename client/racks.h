/* client/racks.h -- in which racks the replicas of a topic are, for assignors (KIP-881).
 *
 * Kept only while somebody wants to know it of some topic: the leader of a classic group
 * one of whose members says where it stands. Racks are numbered as they are met; the
 * numbers are good as long as anybody wants racks. */
#ifndef KWI_RACKS_H
#define KWI_RACKS_H
#include "base/map.h"
#include "proto/metadata.h"

struct kw_core;
struct kw_topic_meta;

/* More, or longer ones, count as none: a broker that makes names up must not take the
 * memory that everything else needs. */
enum { KWI_RACKS_MAX = 1024, KWI_RACK_NAME_MAX = 249, KWI_RACK_REPLICAS_MAX = 64 };

/* A part of struct kw_cluster. */
struct kw_racks {
    uint32_t n_users;
    struct kw_map names; /* name -> kw_rack, in the order of their numbers */
};
/* A part of struct kw_topic_meta. */
struct kw_topic_racks {
    uint32_t n_users;
    bool known; /* an answer came since it was wanted, whatever it said */
    uint32_t n_partitions, n_replicas;
    int32_t *list; /* n_replicas for each partition: a rack, or -1; NULL: none */
};

void kwi_racks_init(struct kw_core *core);
void kwi_racks_deinit(struct kw_core *core);
/* From now on the racks of its replicas are taken from what metadata answers say: ask
 * for one. */
void kwi_racks_want(struct kw_topic_meta *meta);
void kwi_racks_unwant(struct kw_topic_meta *meta);
/* What an answer says of a broker; of a topic. */
void kwi_racks_take_broker(struct kw_core *core, int32_t node_id, struct kw_str rack);
void kwi_racks_take_topic(struct kw_topic_meta *meta, const struct kw_metadata_response_topic *item,
                          uint32_t n_partitions);
/* The names, by their numbers: there are kwi_racks_n; *names has room for them. Borrowed
 * until nobody wants racks any more. Returns the bytes of all names together. */
uint32_t kwi_racks_n(const struct kw_core *core);
size_t kwi_racks_names(const struct kw_core *core, struct kw_bytes *names);

#endif
