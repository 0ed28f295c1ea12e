/* fuzz/rig.h -- a client in a bottle: a core, a driver, a broker model, an
 * allocator and an application, all moved by the caller and by nothing else.
 *
 * The driver holds the core to its contract while it moves bytes: every
 * connection that was opened is closed once and its id never comes back, wants
 * of a connection end with CLOSE, lent bytes do not change until they are given
 * back, memory stays within its limits and is all given back, a core that asks
 * for a step does something, and each accepted record is reported once. What is
 * against the contract aborts. */
#ifndef FUZZ_RIG_H
#define FUZZ_RIG_H
#include <stdlib.h>
#include <string.h>

#include "mock/mock.h"
#include <kwire/codec.h>
#include <kwire/core.h>
#include <kwire/kwire.h>

#define CHECK(cond)  \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

enum {
    RIG_CONNS = 32,
    RIG_LENT = 32,
    RIG_ASKED = 32,
    RIG_FRAME_MAX = 1 << 18, /* of an answer */
    RIG_RECORDS = 2048,
    RIG_OPS = 8,
    RIG_HELD = 4,
    RIG_CHANGES = 8,
    RIG_WORKS = 4,
    RIG_MEMBERS = 3, /* of the group */
    RIG_PARTS = 8,   /* partitions of a topic that are watched */
    RIG_BROKERS = 2,
    RIG_PORT = 9092,
    RIG_MEMORY = 4000000 /* memory.limit of every configuration here */
};

enum rig_state { RIG_FREE, RIG_OPENING, RIG_UP, RIG_CLOSING };
struct rig_lent {
    const uint8_t *ptr;
    size_t len;
    uint32_t sum; /* of the bytes when they were lent */
};
struct rig_asked {
    int16_t api, version;
    int32_t correlation_id;
};
struct rig_conn {
    uint32_t id;
    uint8_t state; /* enum rig_state */
    bool writes, read_on, ended;
    struct kw_mock_conn *mock;
    struct rig_lent lent[RIG_LENT];
    uint32_t n_lent;
    size_t held;      /* bytes handed out and not confirmed */
    uint8_t head[12]; /* of the request that is being written */
    uint32_t have, body_left;
    struct rig_asked asked[RIG_ASKED];
    uint32_t n_asked;
    uint8_t *raw, *down; /* what the model answered; what the client will read */
    size_t raw_len, down_len;
};

/* What happens to an answer on its way. */
enum rig_change_kind {
    RIG_XOR,         /* a byte */
    RIG_SET16,       /* two bytes to an error code */
    RIG_SET32,       /* four bytes to an odd number */
    RIG_SHORTEN,     /* bytes are cut off its end, the length is right */
    RIG_CUT,         /* bytes are cut off its end, the length is not */
    RIG_DROP,        /* it never comes */
    RIG_TWICE,       /* it comes twice */
    RIG_PAD,         /* bytes follow it, the length is right */
    RIG_LENGTH,      /* its length is another */
    RIG_CORRELATE,   /* its correlation id is another */
    RIG_BATCH,       /* a byte of fetched records, with the checksum right */
    RIG_BATCH_BAD,   /* the same with the checksum wrong */
    RIG_BATCH_CODEC, /* fetched records claim a codec, with the checksum right */
    RIG_OLD          /* fetched records are a message of format 0 or 1, maybe compressed */
};
struct rig_change {
    uint8_t kind, api, at, value; /* api: 0 any, else 1 + index in rig_apis */
};

enum rig_report { RIG_IDLE, RIG_ACCEPTED, RIG_REPORTED, RIG_NOT_WRITTEN, RIG_UNSENT };

/* What the application was told of a partition of a group. */
enum rig_part { RIG_NOT_OURS, RIG_OWNED, RIG_REVOKED };
struct rig_member {
    struct kw_consumer *consumer; /* NULL: none, or it is being closed */
    uint8_t parts[2][RIG_PARTS];  /* enum rig_part; of "t" and "u" */
    struct kw_records *held[RIG_HELD];
};

struct rig {
    /* how the driver behaves */
    uint32_t chunk;     /* most bytes of one read, 0: as many as fit */
    uint64_t dice;      /* with chunk: state of the chunk lengths */
    uint32_t write_max; /* most bytes that one turn takes of a connection, 0: all */
    bool late_written, late_opened, late_closed, late_work, refuse_opens, refuse_names;

    struct kw_core *core;
    struct kw_producer *producer;
    struct kw_topic *topics[2];
    struct kw_consumer *consumer;
    struct kw_mock *mock;
    struct kw_time now;
    struct rig_conn conns[RIG_CONNS];
    uint32_t last_conn, last_query;
    struct kw_work *works[RIG_WORKS]; /* taken and not done */
    uint32_t n_works;

    /* the allocator */
    size_t live_size, n_allocs, fail_from, n_fails;

    struct rig_change changes[RIG_CHANGES];
    uint32_t n_changes;
    bool deletes; /* a topic may come back with fewer partitions, or not */
    bool lied;    /* a connection may believe what was never true */
    bool ever_lied, has_coordinator;
    struct rig_member members[RIG_MEMBERS];
    int64_t fences[2 * RIG_PARTS]; /* highest token that came with a partition */

    /* the application */
    uint8_t records[RIG_RECORDS]; /* enum rig_report */
    uint32_t n_records, n_reported;
    struct kw_receipt *receipt;                   /* open, or NULL */
    uint16_t receipt_of[RIG_RECORDS], n_receipts; /* by number, 0: none */
    bool receipt_ended[RIG_RECORDS + 1];
    struct kw_op *ops[RIG_OPS];
    struct kw_admin_result *results[RIG_OPS];
    struct kw_op *close_op;
    bool close_begun, close_done, settled;
    struct kw_records *held[RIG_HELD];

    uint64_t trace; /* hash of what came out of the core */
    uint8_t *frame; /* room for an answer that is being changed */
};

/* Adds what came out of the core to rig->trace. */
void rig_trace(struct rig *rig, uint64_t word);

/* Memory may be lacking: the allocator fails, or a frame has it whose length is a lie. */
static inline bool rig_may_lack(const struct rig *rig)
{
    return rig->n_fails > 0 || rig->ever_lied;
}

/* Aborts if the core cannot be made for another reason than memory. settings:
 * properties, added to those that all have; read once, so they must stay. Without memory core stays NULL. */
struct rig *rig_create(const char *settings, size_t fail_from, size_t n_fails);
/* Makes what is still missing of producer, topics and consumer. */
void rig_make(struct rig *rig);
/* Frees all; checks that no memory is left. */
void rig_destroy(struct rig *rig);

/* One turn: a step, wants, bytes out, the brokers, bytes in. */
void rig_turn(struct rig *rig);
void rig_advance(struct rig *rig, uint64_t us);
/* To the next deadline of either side; at least 1 us, at most max_us. */
void rig_advance_to_deadline(struct rig *rig, uint64_t max_us);
/* Confirms up to n bytes of a connection. */
void rig_confirm(struct rig *rig, struct rig_conn *conn, size_t n);
/* The connection is lost, now. */
void rig_end_conn(struct rig *rig, struct rig_conn *conn, const struct kw_cause *cause);
/* Appends to what the client will read. */
void rig_push_down(struct rig_conn *conn, const uint8_t *ptr, size_t len);
/* Takes at most max events; returns how many. */
uint32_t rig_events(struct rig *rig, uint32_t max);
/* Closes the receipt that is open, if there is one. */
void rig_close_receipt(struct rig *rig);
/* Polls once; the handle is read and kept in slot, what was there released. */
void rig_poll(struct rig *rig, uint32_t slot, size_t max);
void rig_release(struct rig *rig, uint32_t slot);
/* rig_group.c: subscribes, leaves, closes a member, which is made if there is none; moves
 * the coordinator. */
void rig_group(struct rig *rig, uint8_t a, uint8_t b, uint8_t c);
/* What a member does with what it has; faults of the coordinator. */
void rig_member_act(struct rig *rig, uint8_t a, uint8_t b, uint8_t c);
void rig_group_event(struct rig *rig, const struct kw_event *event);
/* The configuration of settings, read once. */
const struct kw_config *rig_settings(const char *settings);
/* Takes at most max records back. */
void rig_unsent(struct rig *rig, uint32_t max);
/* From here on the world is honest: every record must have its outcome soon. */
void rig_settle(struct rig *rig);
/* The same, and the client is closed; it must end, with
 * every record reported. */
void rig_finish(struct rig *rig);

/* A change to an answer frame of len bytes in rig->frame, which has room;
 * returns the new length. *end: close the connection behind it. */
size_t rig_change_apply(struct rig *rig, const struct rig_change *change,
                        const struct rig_asked *asked, size_t len);
bool rig_change_fits(const struct rig_change *change, const struct rig_asked *asked);

#endif
