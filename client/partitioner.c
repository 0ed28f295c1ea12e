/* client/partitioner.c -- partitioners by name, and where records without key go.
 *
 * A partitioner is a row: a hash of the key, and what becomes of records that have none.
 * Each hash is that of the client which users know it from, bit for bit, so that one key
 * is in one partition whoever wrote it: murmur2 is Java's, consistent is librdkafka's,
 * fnv1a is Sarama's.
 *
 * Sticky records stay on one partition until it got batch.size bytes, however many
 * batches that took, so that a slow broker, whose batches are smaller or fewer, does not
 * get more than its share (KIP-794). Then the topic turns: to any partition that has a
 * leader, with a probability that falls with the number of batches that wait there
 * (partitioner.adaptive.partitioning.enable). A turn looks at TURN_SAMPLE partitions in a
 * row, wherever that begins: all of a usual topic, and no more work with 10,000. */
#include "client/partitioner.h"

#include "base/crc32.h"
#include "client/config.h"
#include "client/link.h"
#include <kwire/kwire.h>

enum { TURN_SAMPLE = 32 };

/* ---- the table -------------------------------------------------------------------- */

enum keyless { KEYLESS_STICKS, KEYLESS_HASHED, KEYLESS_RANDOM, KEYLESS_IN_TURN };

struct partitioner_row {
    uint32_t (*hash)(const void *key, size_t len); /* NULL: keys do not count */
    uint8_t keyless;                               /* enum keyless: where the others go */
    bool skips_empty;                              /* an empty key counts as none */
};

static uint32_t hash_murmur2(const void *key, size_t len)
{
    return kwi_murmur2(key, len) & 0x7fffffff;
}

static uint32_t hash_crc32(const void *key, size_t len)
{
    return kwi_crc32(0, key, len);
}

/* FNV-1a, taken for a signed number and made positive, as Sarama does. */
static uint32_t hash_fnv1a(const void *key, size_t len)
{
    const uint8_t *p = key;
    uint32_t h = 0x811c9dc5u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 0x01000193u;
    return h & 0x80000000u ? 0u - h : h;
}

static const struct partitioner_row partitioner_rows[KW_N_PARTITIONERS] = {
    [KW_PARTITIONER_MURMUR2] = {hash_murmur2, KEYLESS_STICKS, false},
    [KW_PARTITIONER_MURMUR2_RANDOM] = {hash_murmur2, KEYLESS_STICKS, false},
    [KW_PARTITIONER_CONSISTENT] = {hash_crc32, KEYLESS_HASHED, false},
    [KW_PARTITIONER_CONSISTENT_RANDOM] = {hash_crc32, KEYLESS_STICKS, true},
    [KW_PARTITIONER_FNV1A] = {hash_fnv1a, KEYLESS_STICKS, false},
    [KW_PARTITIONER_FNV1A_RANDOM] = {hash_fnv1a, KEYLESS_STICKS, false},
    [KW_PARTITIONER_RANDOM] = {NULL, KEYLESS_RANDOM, false},
    [KW_PARTITIONER_ROUNDROBIN] = {NULL, KEYLESS_IN_TURN, false},
    [KW_PARTITIONER_STICKY] = {NULL, KEYLESS_STICKS, false},
};

static bool row_hashes(const struct partitioner_row *row, bool has_key, size_t len)
{
    if (!row->hash)
        return false;
    return (has_key && (len || !row->skips_empty)) || row->keyless == KEYLESS_HASHED;
}

int64_t kwi_partitioner_of_key(unsigned which, const void *key, size_t len, uint32_t n_partitions)
{
    const struct partitioner_row *row = &partitioner_rows[which];

    if (!row_hashes(row, key != NULL, len))
        return -1;
    return row->hash(key, len) % n_partitions;
}

/* ---- settings --------------------------------------------------------------------- */

static int64_t pick_setting(const struct kw_core *core, int64_t base, bool has_base,
                            const struct kw_config *own, enum kw_key key)
{
    if (own && kwi_config_is_set(own, key))
        return kwi_config_i64(own, key);
    return has_base ? base : kwi_config_i64(core->cfg, key);
}

int kwi_pick_settings(struct kw_pick *pick, const struct kw_core *core, const struct kw_pick *base,
                      const struct kw_config *own, struct kw_error *err)
{
    struct kw_pick of = base ? *base : (struct kw_pick){0};
    int64_t wait_ms = (int64_t)(of.availability_us / 1000);
    bool has = base != NULL;

    pick->which = (uint8_t)pick_setting(core, of.which, has, own, KW_KEY_PARTITIONER);
    pick->ignores_keys = pick_setting(core, of.ignores_keys, has, own,
                                      KW_KEY_PARTITIONER_IGNORE_KEYS) != 0;
    pick->adapts = pick_setting(core, of.adapts, has, own,
                                KW_KEY_PARTITIONER_ADAPTIVE_PARTITIONING_ENABLE) != 0;
    pick->availability_us = (uint64_t)pick_setting(core, wait_ms, has, own,
                                                   KW_KEY_PARTITIONER_AVAILABILITY_TIMEOUT_MS) *
                            1000;
    if (!pick->ignores_keys || partitioner_rows[pick->which].keyless != KEYLESS_HASHED)
        return 0;
    return kwi_config_refuse(err, "partitioner.ignore.keys", "true", 4,
                             "partitioner = consistent has one partition for all records "
                             "without key",
                             "set partitioner=consistent_random, or leave "
                             "partitioner.ignore.keys alone");
}

bool kwi_pick_is_plain(const struct kw_topic *topic)
{
    const struct partitioner_row *row = &partitioner_rows[topic->pick.which];

    return !topic->own.pick && !topic->pick.ignores_keys && row->hash == hash_murmur2 &&
           row->keyless == KEYLESS_STICKS && !row->skips_empty;
}

int kw_core_topic_set_partitioner(struct kw_topic *topic, const struct kw_partitioner *own)
{
    if (own && (own->size < sizeof(*own) || !own->pick))
        return KW_ERR_USE;
    topic->own = own ? *own : (struct kw_partitioner){0};
    topic->core->n_tray_changes++;
    kwi_producer_mark(topic->producer);
    return 0;
}

/* ---- one record -------------------------------------------------------------------- */

static bool pick_hashes(const struct kw_topic *topic, const struct kw_record *record)
{
    bool has_key = record->key.ptr != NULL && !topic->pick.ignores_keys;

    return row_hashes(&partitioner_rows[topic->pick.which], has_key, record->key.len);
}

static bool topic_has_leader(const struct kw_topic *topic, uint32_t index)
{
    return topic->meta->partitions[index].leader >= 0;
}

/* The next partition of the round that has a leader, as far as one is near. */
static uint32_t pick_in_turn(struct kw_topic *topic)
{
    uint32_t n = topic->n_parts, next = topic->turn % n, at = next;

    for (uint32_t i = 0; i < TURN_SAMPLE && !topic_has_leader(topic, at); i++)
        at = (at + 1) % n;
    topic->turn = at + 1;
    return at;
}

static uint32_t pick_at_random(struct kw_topic *topic)
{
    uint32_t n = topic->n_parts, at = kwi_rng_below(&topic->core->rng, n);

    for (uint32_t i = 0; i < TURN_SAMPLE && !topic_has_leader(topic, at); i++)
        at = (at + 1) % n;
    return at;
}

struct kw_part *kwi_topic_pick(struct kw_topic *topic, const struct kw_record *record)
{
    const struct partitioner_row *row = &partitioner_rows[topic->pick.which];
    int64_t at = -1;

    if (record->flags & KW_REC_PARTITION)
        return (uint32_t)record->partition < topic->n_parts ? topic->parts[record->partition]
                                                            : NULL;
    if (topic->own.pick) {
        at = topic->own.pick(topic->own.ctx, topic, record, (int32_t)topic->n_parts);
        if (at < -1 || at >= (int64_t)topic->n_parts)
            return NULL;
    }
    if (at >= 0)
        return topic->parts[at];
    if (pick_hashes(topic, record)) {
        size_t len = record->key.ptr ? record->key.len : 0;
        return topic->parts[row->hash(record->key.ptr, len) % topic->n_parts];
    }
    switch ((enum keyless)row->keyless) {
    case KEYLESS_RANDOM: return topic->parts[pick_at_random(topic)];
    case KEYLESS_IN_TURN: return topic->parts[pick_in_turn(topic)];
    case KEYLESS_HASHED:
    case KEYLESS_STICKS: break;
    }
    return topic->sticky;
}

void kwi_topic_unpick(struct kw_topic *topic, const struct kw_record *record)
{
    if (!(record->flags & KW_REC_PARTITION) && topic->turn &&
        partitioner_rows[topic->pick.which].keyless == KEYLESS_IN_TURN)
        topic->turn--;
}

bool kwi_topic_sticks(const struct kw_topic *topic, const struct kw_record *record)
{
    return !(record->flags & KW_REC_PARTITION) && !topic->own.pick &&
           partitioner_rows[topic->pick.which].keyless == KEYLESS_STICKS &&
           !pick_hashes(topic, record);
}

/* ---- turning ------------------------------------------------------------------------ */

/* Its leader has taken nothing for so long, though there was something (KIP-794). */
static bool turn_is_stuck(const struct kw_part *part)
{
    const struct kw_topic *topic = part->topic;
    const struct kw_core *core = topic->core;
    struct kw_broker *leader = kwi_topic_meta_leader(topic->meta, part->index);
    const struct kw_link *link = leader ? kwi_link_find(leader, KWI_LANE_PRODUCE, topic->producer)
                                        : NULL;

    return link && !kwi_list_empty(&link->ready) &&
           link->waits_us + topic->pick.availability_us < core->now.mono_us;
}

/* Partitions that keyless records may go to, from `start` on. */
static uint32_t turn_sample(struct kw_topic *topic, uint32_t start, struct kw_part **fit)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < topic->n_parts && (i < TURN_SAMPLE || !n); i++) {
        struct kw_part *part = topic->parts[(start + i) % topic->n_parts];

        if (!topic_has_leader(topic, (uint32_t)part->index))
            continue;
        if (topic->pick.adapts && topic->pick.availability_us && turn_is_stuck(part))
            continue;
        fit[n++] = part;
    }
    return n;
}

/* One of them: the fewer batches wait there, the likelier. */
static struct kw_part *turn_by_load(struct kw_topic *topic, struct kw_part *const *fit, uint32_t n)
{
    uint32_t longest = 0, total = 0, at;

    for (uint32_t i = 0; i < n; i++)
        longest = fit[i]->n_queued > longest ? fit[i]->n_queued : longest;
    longest = longest < INT32_MAX / TURN_SAMPLE ? longest : INT32_MAX / TURN_SAMPLE - 1;
    for (uint32_t i = 0; i < n; i++)
        total += longest + 1 - (fit[i]->n_queued < longest ? fit[i]->n_queued : longest);
    at = kwi_rng_below(&topic->core->rng, total);
    for (uint32_t i = 0;; i++) {
        uint32_t weight = longest + 1 - (fit[i]->n_queued < longest ? fit[i]->n_queued : longest);
        if (at < weight || i + 1 == n)
            return fit[i];
        at -= weight;
    }
}

/* Another one than now, if there is one (KIP-480). */
static struct kw_part *turn_evenly(struct kw_topic *topic, struct kw_part *const *fit, uint32_t n)
{
    uint32_t at;

    for (at = 0; at < n && fit[at] != topic->sticky; at++)
        ;
    if (at == n)
        return fit[kwi_rng_below(&topic->core->rng, n)];
    if (n == 1)
        return fit[0];
    return fit[(at + 1 + kwi_rng_below(&topic->core->rng, n - 1)) % n];
}

void kwi_topic_turn(struct kw_topic *topic)
{
    struct kw_part *fit[TURN_SAMPLE], *part;
    uint32_t start, n;

    if (!topic->n_parts)
        return;
    start = kwi_rng_below(&topic->core->rng, topic->n_parts);
    n = turn_sample(topic, start, fit);
    if (!n) /* all the same: they wait for a leader */
        part = topic->parts[start];
    else if (topic->pick.adapts)
        part = turn_by_load(topic, fit, n);
    else
        part = turn_evenly(topic, fit, n);
    topic->sticky = part;
    topic->sticky_size = 0;
}

void kwi_topic_sealed(struct kw_part *part, uint32_t size)
{
    struct kw_topic *topic = part->topic;

    if (topic->sticky != part)
        return;
    topic->sticky_size += size;
    if (topic->sticky_size >= topic->producer->batch_size)
        kwi_topic_turn(topic);
}
