/* client/coordinator.h -- which broker coordinates a group or a transactional id.
 *
 *   IDLE --wanted--> FINDING --named--> KNOWN --not any more--> PAUSE
 *                    FINDING --not yet--> PAUSE --due--> FINDING
 *                    FINDING --refused--> REFUSED --wanted--> FINDING
 *
 * One entry for each (type, key) that somebody uses, shared by all users of the
 * client. Those that are looked for at the same time are asked for together where
 * brokers can do that (KIP-699). */
#ifndef KWI_COORDINATOR_CLIENT_H
#define KWI_COORDINATOR_CLIENT_H
#include "client/link.h"
#include "proto/coordinator.h"

enum kw_coordinator_state {
    KWI_COORDINATOR_IDLE,    /* nobody wanted it yet */
    KWI_COORDINATOR_FINDING, /* waits to be asked for, or is asked for */
    KWI_COORDINATOR_KNOWN,
    KWI_COORDINATOR_PAUSE,  /* after a failure, until its timer is due */
    KWI_COORDINATOR_REFUSED /* see error; until it is wanted again */
};

struct kw_coordinator;

/* Who uses it: `changed` is called when it is KNOWN or REFUSED. */
struct kw_coordinator_user {
    struct kw_node node;
    void (*changed)(struct kw_coordinator_user *user);
};

struct kw_coordinator {
    struct kw_core *core;
    struct kw_node node; /* in core->coordinators */
    struct kw_list users;
    int8_t key_type; /* KWI_COORDINATOR_GROUP, _TRANSACTION */
    uint8_t state;   /* enum kw_coordinator_state */
    bool asked;      /* the request under way names it */
    int32_t node_id;
    uint32_t attempts; /* since it last proved right */
    struct kw_timer timer;
    struct kw_error error; /* why it is not known; code 0: nothing failed yet */
    size_t key_len;
    char key[]; /* NUL-terminated */
};

/* Finds or makes the entry and adds the user. NULL: no memory. */
struct kw_coordinator *kwi_coordinator_get(struct kw_core *core, int8_t key_type, const char *key,
                                           struct kw_coordinator_user *user);
/* The user goes; the entry goes with its last user. */
void kwi_coordinator_put(struct kw_coordinator *coordinator, struct kw_coordinator_user *user);
/* Starts the look-up unless it is known or under way. */
void kwi_coordinator_want(struct kw_coordinator *coordinator);
/* The broker, or NULL: it is not known; `changed` will tell if it is wanted. */
struct kw_broker *kwi_coordinator_broker(const struct kw_coordinator *coordinator);
/* The broker `node_id` said that it is not the coordinator, or cannot be reached.
 * Looked up again: at once, and behind a growing pause until it proves right. */
void kwi_coordinator_lost(struct kw_coordinator *coordinator, int32_t node_id);
/* It served a request: the next time that it is lost it is looked up at once. */
void kwi_coordinator_proved(struct kw_coordinator *coordinator);
/* Whether an answer's error means that the coordinator must be looked up again. */
bool kwi_coordinator_is_lost(int16_t kafka_code);
void kwi_coordinators_deinit(struct kw_core *core);

#endif
