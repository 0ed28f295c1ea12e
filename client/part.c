/* client/part.c -- one assigned partition.
 *
 *   LEADER --found--> FETCH            LEADER --unplaced--> LOOKUP --placed--> FETCH
 *   LOOKUP, FETCH --retry--> WAIT --due--> LEADER
 *   LOOKUP, FETCH, WAIT --moved--> LEADER         FETCH --reset--> LEADER
 *   FETCH --due--> LEADER              a follower was asked for long enough
 *   any --stop--> STOPPED              any --seek--> LEADER
 *   LEADER --ask--> OFFSET --known--> LEADER      for what the group committed
 *   LEADER --doubt--> CHECK --moved--> LEADER     is the position in its log?
 *
 * The table is part_steps below. What is buffered is independent of the state,
 * so that a change of the leader loses nothing; seek, reset and stop drop it. */
#include <string.h>

#include "client/error_text.h"
#include "client/fetcher.h"
#include "client/group.h"
#include "client/metadata.h"
#include "proto/error.h"

/* A topic that metadata does not know may just have been created. */
/* A leader that sends us to a follower does not know that we cannot reach it, so for a
 * while it is not told where we stand. */
enum { PART_MOVES = 3, PART_RACKLESS_MS = 10000 };

struct part_cell {
    uint8_t legal, next;
    void (*act)(struct kw_consumer_part *part);
};

static void part_find(struct kw_consumer_part *part);
static void part_look_up(struct kw_consumer_part *part);
static void part_fetch(struct kw_consumer_part *part);
static void part_check(struct kw_consumer_part *part);
static void part_wait(struct kw_consumer_part *part);

/* A zero cell is illegal. */
static const struct part_cell part_steps[KWI_N_PART_STATES][KWI_N_PART_EVENTS] = {
    [KWI_PART_LEADER] = {[KWI_PART_FOUND] = {1, KWI_PART_FETCH, part_fetch},
                         [KWI_PART_UNPLACED] = {1, KWI_PART_LOOKUP, part_look_up},
                         [KWI_PART_RETRY] = {1, KWI_PART_WAIT, part_wait},
                         [KWI_PART_SEEK] = {1, KWI_PART_LEADER, part_find},
                         [KWI_PART_STOP] = {1, KWI_PART_STOPPED, NULL},
                         [KWI_PART_ASK] = {1, KWI_PART_OFFSET, kwi_offset_fetch},
                         [KWI_PART_DOUBT] = {1, KWI_PART_CHECK, part_check}},
    [KWI_PART_LOOKUP] = {[KWI_PART_PLACED] = {1, KWI_PART_FETCH, part_fetch},
                         [KWI_PART_RETRY] = {1, KWI_PART_WAIT, part_wait},
                         [KWI_PART_MOVED] = {1, KWI_PART_LEADER, part_find},
                         [KWI_PART_SEEK] = {1, KWI_PART_LEADER, part_find},
                         [KWI_PART_STOP] = {1, KWI_PART_STOPPED, NULL}},
    [KWI_PART_FETCH] = {[KWI_PART_RETRY] = {1, KWI_PART_WAIT, part_wait},
                        [KWI_PART_MOVED] = {1, KWI_PART_LEADER, part_find},
                        [KWI_PART_DUE] = {1, KWI_PART_LEADER, part_find},
                        [KWI_PART_RESET] = {1, KWI_PART_LEADER, part_find},
                        [KWI_PART_SEEK] = {1, KWI_PART_LEADER, part_find},
                        [KWI_PART_STOP] = {1, KWI_PART_STOPPED, NULL}},
    [KWI_PART_WAIT] = {[KWI_PART_DUE] = {1, KWI_PART_LEADER, part_find},
                       [KWI_PART_MOVED] = {1, KWI_PART_LEADER, part_find},
                       [KWI_PART_SEEK] = {1, KWI_PART_LEADER, part_find},
                       [KWI_PART_STOP] = {1, KWI_PART_STOPPED, NULL}},
    [KWI_PART_STOPPED] = {[KWI_PART_SEEK] = {1, KWI_PART_LEADER, part_find},
                          [KWI_PART_STOP] = {1, KWI_PART_STOPPED, NULL}},
    [KWI_PART_OFFSET] = {[KWI_PART_KNOWN] = {1, KWI_PART_LEADER, part_find},
                         [KWI_PART_SEEK] = {1, KWI_PART_LEADER, part_find},
                         [KWI_PART_STOP] = {1, KWI_PART_STOPPED, NULL}},
    [KWI_PART_CHECK] = {[KWI_PART_RETRY] = {1, KWI_PART_WAIT, part_wait},
                        [KWI_PART_MOVED] = {1, KWI_PART_LEADER, part_find},
                        [KWI_PART_RESET] = {1, KWI_PART_LEADER, part_find},
                        [KWI_PART_SEEK] = {1, KWI_PART_LEADER, part_find},
                        [KWI_PART_STOP] = {1, KWI_PART_STOPPED, NULL}},
};

bool kwi_part_cell(unsigned state, unsigned event, unsigned *next)
{
    *next = part_steps[state][event].next;
    return part_steps[state][event].legal;
}

static struct kw_core *part_core(const struct kw_consumer_part *part)
{
    return part->topic->consumer->core;
}

/* ---- lists -------------------------------------------------------------------------- */

void kwi_part_move(struct kw_consumer_part *part, struct kw_list *list)
{
    struct kw_fetcher *fetcher = part->fetcher;

    if (part->list)
        kwi_list_remove(part->list, &part->node);
    if (fetcher)
        fetcher->n_quiet += (uint32_t)(list == &fetcher->quiet) - (part->list == &fetcher->quiet);
    part->list = list;
    if (list)
        kwi_list_push(list, &part->node);
}

/* Takes it out of its fetcher; an answer under way can no longer touch it. */
static void part_leave(struct kw_consumer_part *part)
{
    struct kw_fetcher *fetcher = part->fetcher;

    kwi_core_disarm(part_core(part), &part->timer);
    kwi_part_move(part, NULL);
    kwi_session_leave(part);
    if (!fetcher)
        return;
    part->fetcher = NULL;
    fetcher->n_by_name -= part->by_name;
    if (--fetcher->n_parts == 0)
        kwi_session_abandon(fetcher);
    else
        kwi_fetcher_unheld(fetcher);
}

void kwi_part_settle(struct kw_consumer_part *part)
{
    struct kw_consumer *consumer = part->topic->consumer;
    struct kw_fetcher *fetcher = part->fetcher;
    bool may_deliver = part->data.block && !part->paused && !part->data.waits;

    if (!may_deliver)
        kwi_list_remove(&consumer->ready, &part->ready_node);
    else if (!kwi_list_has(&consumer->ready, &part->ready_node))
        kwi_list_push(&consumer->ready, &part->ready_node);
    if (may_deliver) {
        kwi_consumer_notify(consumer);
        kwi_group_watch_poll(consumer, false);
    }
    if (part->state != KWI_PART_FETCH || !fetcher || kwi_fetcher_asks(fetcher, part))
        return;
    if (part->data.block || part->paused) {
        kwi_session_leave(part);
        kwi_part_move(part, part->paused ? &fetcher->resting : &fetcher->buffered);
        kwi_fetcher_unheld(fetcher);
        if (part->paused) /* what it has gives way to others */
            kwi_fetchers_feed(consumer->core);
        return;
    }
    kwi_part_move(part, &fetcher->idle);
    if (part->want_bytes) { /* those before it got theirs */
        kwi_list_remove(&fetcher->idle, &part->node);
        kwi_list_push_front(&fetcher->idle, &part->node);
    }
    kwi_fetcher_kick(fetcher);
}

void kwi_part_drop(struct kw_consumer_part *part)
{
    kwi_list_remove(&part->topic->consumer->ready, &part->ready_node);
    kwi_unpack_forget(part);
    kwi_block_release(part->data.block);
    kwi_block_release(part->data.rest_block);
    memset(&part->data, 0, sizeof(part->data));
    kwi_fetchers_feed(part_core(part));
}

/* ---- actions -------------------------------------------------------------------------- */

void kwi_part_step(struct kw_consumer_part *part, enum kw_part_event event)
{
    const struct part_cell *cell = &part_steps[part->state][event];

    KWI_ASSERT(cell->legal);
    if (!cell->legal)
        return;
    part_leave(part);
    part->state = cell->next;
    if (cell->act)
        cell->act(part);
}

/* Metadata was asked for long enough, and does not know it: a person may have
 * mistyped the name. It goes on, because the topic may still come. */
static void part_missing(struct kw_consumer_part *part)
{
    const struct kw_topic_meta *meta = part->topic->meta;
    int16_t code = meta->error ? meta->error : KW_E_UNKNOWN_TOPIC_OR_PARTITION;

    if (part->missing_told)
        return;
    if (meta->error && meta->asked_us + KWI_TOPIC_MISSING_US > part_core(part)->now.mono_us)
        return;
    part->missing_told = true;
    kwi_part_warn(part, KW_ERR_BROKER, code, KW_API_METADATA);
}

/* The follower to which the leader sent us, as long as that holds and it is there. */
static struct kw_broker *part_replica(struct kw_consumer_part *part)
{
    struct kw_core *core = part_core(part);
    struct kw_broker *replica = kwi_cluster_broker(core, part->replica);

    if (replica && !replica->absent && part->replica_until_us > core->now.mono_us)
        return replica;
    part->replica = -1;
    return NULL;
}

/* Another leader may lack what the one before had: an unclean election. */
static bool part_is_doubtful(const struct kw_consumer_part *part)
{
    return part->position >= 0 && part->epoch >= 0 && part->leader_epoch > part->epoch &&
           part->leader_epoch > part->sound_epoch;
}

static void part_find(struct kw_consumer_part *part)
{
    struct kw_topic_meta *meta = part->topic->meta;
    struct kw_broker *broker = kwi_topic_meta_leader(meta, part->partition);

    if (part->topic->consumer->closed)
        return;
    if (part->position < 0 && part->start_kind == KW_START_COMMITTED) {
        kwi_part_step(part, KWI_PART_ASK);
        return;
    }
    if (!broker) {
        /* An unknown topic is asked for until it is known, and then tells us; a
         * partition that a known topic lacks, or without leader, is ours to ask. */
        if (meta->n_partitions)
            kwi_part_step(part, KWI_PART_RETRY);
        return;
    }
    part->missing_told = false;
    kwi_topic_id_bind(part->topic);
    part->leader = broker->node_id;
    part->leader_epoch = meta->partitions[part->partition].leader_epoch;
    if (part->position >= 0 && !part_is_doubtful(part) && part_replica(part))
        broker = part_replica(part); /* where to begin is asked of the leader alone */
    part->from = broker->node_id;
    if (!kwi_fetcher_get(part->topic->consumer, broker)) {
        kwi_part_step(part, KWI_PART_RETRY);
        return;
    }
    if (part_is_doubtful(part))
        kwi_part_step(part, KWI_PART_DOUBT);
    else
        kwi_part_step(part, part->position >= 0 ? KWI_PART_FOUND : KWI_PART_UNPLACED);
}

/* The fetcher of the broker that part_find found: it exists. */
static void part_join(struct kw_consumer_part *part)
{
    struct kw_broker *broker = kwi_cluster_broker(part_core(part), part->from);

    part->fetcher = kwi_fetcher_get(part->topic->consumer, broker);
    part->fetcher->n_parts++;
    part->by_name = !part->topic->by_id;
    part->fetcher->n_by_name += part->by_name;
}

static void part_look_up(struct kw_consumer_part *part)
{
    part_join(part);
    kwi_part_move(part, &part->fetcher->lookup.waiting);
    kwi_ask_kick(part->fetcher, &part->fetcher->lookup);
}

static void part_check(struct kw_consumer_part *part)
{
    part_join(part);
    kwi_part_move(part, &part->fetcher->check.waiting);
    kwi_ask_kick(part->fetcher, &part->fetcher->check);
}

static void part_fetch(struct kw_consumer_part *part)
{
    part_join(part);
    if (part->replica >= 0)
        kwi_core_arm(part_core(part), &part->timer, part->replica_until_us);
    kwi_part_settle(part);
}

static void part_wait(struct kw_consumer_part *part)
{
    struct kw_consumer *consumer = part->topic->consumer;
    struct kw_core *core = consumer->core;
    uint64_t us = kwi_core_backoff_us(core, kwi_consumer_setting(consumer, KW_KEY_RETRY_BACKOFF_MS),
                                      kwi_consumer_setting(consumer, KW_KEY_RETRY_BACKOFF_MAX_MS),
                                      part->attempts);

    if (part->attempts < 32)
        part->attempts++;
    kwi_core_arm(core, &part->timer, core->now.mono_us + us);
    kwi_cluster_refresh(core);
}

static void part_due(struct kw_timer *timer)
{
    struct kw_consumer_part *part = KWI_OF(timer, struct kw_consumer_part, timer);

    kwi_part_step(part, KWI_PART_DUE);
}

/* By name though its id is known by now, or from a follower that is not there any more. */
static bool part_is_fetched_wrongly(struct kw_consumer_part *part)
{
    return (part->by_name && part->topic->by_id) || (part->replica >= 0 && !part_replica(part));
}

void kwi_part_meta(struct kw_consumer_part *part)
{
    struct kw_topic_meta *meta = part->topic->meta;
    const struct kw_error_info *info = kwi_error_info(meta->error);
    const struct kw_partition_meta *known;

    if (part->state == KWI_PART_STOPPED || part->fresh)
        return;
    if (meta->error && !(info->flags & KW_E_RETRIABLE) && part->state != KWI_PART_FETCH) {
        kwi_part_stop(part, KW_ERR_BROKER, meta->error, KW_API_METADATA);
        return;
    }
    if (part->partition >= (int64_t)meta->n_named) {
        part_missing(part);
        if (part->state == KWI_PART_LEADER && meta->n_named)
            kwi_part_step(part, KWI_PART_RETRY);
        return;
    }
    if (part->state == KWI_PART_OFFSET)
        return; /* whoever leads it is asked afterwards */
    known = &meta->partitions[part->partition];
    if (part->state == KWI_PART_LEADER) {
        part_find(part);
    } else if (known->leader >= 0 && known->leader != part->leader) {
        part->replica = -1;
        /* One that was sent round in vain so often finds it when its wait is over. */
        if (part->state != KWI_PART_WAIT || part->attempts <= PART_MOVES)
            kwi_part_step(part, KWI_PART_MOVED);
    } else if (known->leader_epoch != part->leader_epoch) {
        part->leader_epoch = known->leader_epoch;
        if (part->state == KWI_PART_FETCH || part->state == KWI_PART_CHECK)
            kwi_part_step(part, KWI_PART_MOVED); /* a session has the one of before */
    } else if (part->state == KWI_PART_FETCH && part_is_fetched_wrongly(part)) {
        kwi_part_step(part, KWI_PART_MOVED);
    }
}

/* What a broker's answer leads to is done at once, and behind a backoff when the next
 * answer leads on without a fetch in between: brokers may send us round for ever (B13). */
void kwi_part_hurry(struct kw_consumer_part *part, enum kw_part_event event)
{
    if (part->attempts > 0) {
        kwi_part_step(part, KWI_PART_RETRY);
        return;
    }
    part->attempts++;
    kwi_part_step(part, event);
}

void kwi_part_leave_replica(struct kw_consumer_part *part)
{
    part->replica = -1;
    part->topic->consumer->rackless_until_us = kwi_core_after_ms(part_core(part), PART_RACKLESS_MS);
}

void kwi_part_prefer(struct kw_consumer_part *part, int32_t replica)
{
    struct kw_core *core = part_core(part);

    if (!kwi_cluster_broker(core, replica) || replica == part->from) {
        kwi_part_leave_replica(part); /* else the leader would send us there again */
        kwi_part_step(part, KWI_PART_RETRY);
        return;
    }
    core->stats.fetch_replicas++;
    part->replica = replica;
    part->replica_until_us =
        kwi_core_after_ms(core, kwi_core_setting(core, NULL, KW_KEY_METADATA_MAX_AGE_MS));
    kwi_part_hurry(part, KWI_PART_MOVED);
}

/* ---- positions -------------------------------------------------------------------------- */

struct kw_consumer_part *kwi_part_create(struct kw_consumer_topic *topic,
                                         const struct kw_start *start)
{
    struct kw_core *core = topic->consumer->core;
    struct kw_consumer_part *part = kwi_alloc_zero(&core->control, sizeof(*part));

    if (!part)
        return NULL;
    part->topic = topic;
    part->partition = start->partition;
    part->state = KWI_PART_LEADER;
    part->leader = part->leader_epoch = part->from = part->replica = -1;
    part->stored = part->committed = part->stored_epoch = -1;
    part->high_watermark = part->last_stable = part->log_start = -1;
    part->generation = part->serial = topic->consumer->next_generation++;
    part->timer.fire = part_due;
    kwi_part_place(part, start->kind, start->value);
    return part;
}

void kwi_part_begin(struct kw_consumer_part *part)
{
    if (part->state == KWI_PART_LEADER) /* else its topic went away, or the consumer closed */
        part_find(part);
}

void kwi_part_destroy(struct kw_consumer_part *part)
{
    struct kw_consumer *consumer = part->topic->consumer;

    part_leave(part);
    kwi_session_expel(part);
    kwi_part_drop(part);
    kwi_stored_clear(part);
    kwi_list_remove(&consumer->notices, &part->notice_node);
    kwi_free(&consumer->core->control, part, sizeof(*part));
}

void kwi_part_seek(struct kw_consumer_part *part, const struct kw_start *start)
{
    kwi_part_drop(part);
    kwi_stored_clear(part);
    kwi_list_remove(&part->topic->consumer->notices, &part->notice_node);
    part->notices = 0;
    part->missing_told = false;
    part->generation = part->topic->consumer->next_generation++;
    part->attempts = 0;
    if (part->topic->meta->error)
        kwi_metadata_ask_now(part_core(part)); /* it may be allowed by now */
    kwi_part_place(part, start->kind, start->value);
    kwi_part_step(part, KWI_PART_SEEK);
}

void kwi_part_pause(struct kw_consumer_part *part, bool pause)
{
    struct kw_fetcher *fetcher = part->fetcher;

    part->paused = pause;
    /* What is under way is taken, but not asked for again. */
    if (fetcher && part->state == KWI_PART_FETCH && kwi_fetcher_asks(fetcher, part))
        kwi_part_move(part, pause ? &fetcher->parting : &fetcher->named);
    kwi_part_settle(part);
}

/* ---- errors and notices ----------------------------------------------------------------- */

static void part_notice(struct kw_consumer_part *part, uint8_t notice)
{
    struct kw_consumer *consumer = part->topic->consumer;

    if (!kwi_list_has(&consumer->notices, &part->notice_node))
        kwi_list_push(&consumer->notices, &part->notice_node);
    part->notices |= notice;
    kwi_consumer_notify(consumer);
}

void kwi_part_warn(struct kw_consumer_part *part, int code, int16_t kafka_code, int64_t detail)
{
    part->error_code = code;
    part->error_kafka = kafka_code;
    part->error_detail = detail;
    part_notice(part, KWI_NOTICE_ERROR);
}

void kwi_part_stop(struct kw_consumer_part *part, int code, int16_t kafka_code, int64_t detail)
{
    kwi_part_drop(part);
    kwi_part_step(part, KWI_PART_STOP);
    part->notices &= (uint8_t)~KWI_NOTICE_EOF; /* a handle may have gone past the fault */
    kwi_part_warn(part, code, kafka_code, detail);
}

void kwi_part_refused(struct kw_consumer_part *part, int16_t kafka_code)
{
    const struct kw_error_info *info = kwi_error_info(kafka_code);

    if (part->from != part->leader) { /* what a follower says is no last word */
        kwi_part_leave_replica(part);
        kwi_part_hurry(part, KWI_PART_MOVED);
        return;
    }
    if (info->flags & KW_E_METADATA)
        kwi_topic_meta_doubt(part->topic->meta, part->partition);
    /* The leader cannot read its own log there: that is retriable for producers alone. */
    if (kafka_code == KW_E_CORRUPT_MESSAGE && part->state == KWI_PART_FETCH)
        kwi_part_stop(part, KW_ERR_BROKER, kafka_code, KW_API_FETCH);
    else if (kafka_code == KW_E_OFFSET_OUT_OF_RANGE && part->state == KWI_PART_FETCH)
        kwi_part_out_of_range(part);
    else if (info->flags & (KW_E_RETRIABLE | KW_E_METADATA) ||
             kafka_code == KW_E_UNKNOWN_SERVER_ERROR)
        kwi_part_step(part, KWI_PART_RETRY);
    else
        kwi_part_stop(part, KW_ERR_BROKER, kafka_code,
                      part->state == KWI_PART_FETCH ? KW_API_FETCH : KW_API_LIST_OFFSETS);
}

int64_t kwi_part_end(const struct kw_consumer_part *part)
{
    /* Brokers older than transactions know of no such offset, and have none open. */
    if (part->topic->consumer->read_committed && part->last_stable >= 0)
        return part->last_stable;
    return part->high_watermark;
}

void kwi_part_check_eof(struct kw_consumer_part *part)
{
    if (part->state != KWI_PART_FETCH || part->data.block || part->paused ||
        part->position != kwi_part_end(part) || part->position == part->eof_told)
        return;
    part->eof_told = part->position;
    part_notice(part, KWI_NOTICE_EOF);
}
