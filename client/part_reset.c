/* client/part_reset.c -- where a partition goes when its position does not hold: it is
 * not in the log, the log was cut, or the topic is another one of the same name. */
#include "client/consumer.h"
#include "client/core.h"
#include "client/group.h"
#include "proto/error.h"

void kwi_part_place(struct kw_consumer_part *part, uint8_t kind, int64_t value)
{
    part->start_kind = kind;
    part->start_value = value;
    part->second_lookup = false;
    part->position = kind == KW_START_OFFSET ? value : -1;
    part->eof_told = -1;
    part->want_bytes = 0;
    part->eager = true;
    part->epoch = part->sound_epoch = -1;
}

int kwi_part_reset_kind(const struct kw_consumer_part *part)
{
    enum { PART_RESET_LATEST, PART_RESET_EARLIEST, PART_RESET_NONE }; /* words of the key */
    int64_t policy = kwi_consumer_setting(part->topic->consumer, KW_KEY_AUTO_OFFSET_RESET);

    if (policy == PART_RESET_NONE)
        return -1;
    if (policy < 0)
        return KW_START_TIMESTAMP; /* by_duration; see part_reset_value */
    return policy == PART_RESET_EARLIEST ? KW_START_EARLIEST : KW_START_LATEST;
}

/* Of by_duration: the time that lies so far behind. */
static int64_t part_reset_value(const struct kw_consumer_part *part, int kind)
{
    int64_t now_ms = part->topic->consumer->core->now.wall_ms, ms;

    if (kind != KW_START_TIMESTAMP)
        return 0;
    ms = -1 - kwi_consumer_setting(part->topic->consumer, KW_KEY_AUTO_OFFSET_RESET);
    return ms < now_ms ? now_ms - ms : 0;
}

void kwi_part_out_of_range(struct kw_consumer_part *part)
{
    int kind = kwi_part_reset_kind(part);

    if (kind < 0) {
        kwi_part_stop(part, KW_ERR_BROKER, KW_E_OFFSET_OUT_OF_RANGE, KW_API_FETCH);
        return;
    }
    kwi_log(part->topic->consumer->core, 4,
            "%s partition %d: offset %lld is not in the log, going to the %s",
            part->topic->meta->name, part->partition, (long long)part->position,
            kind == KW_START_EARLIEST ? "begin"
            : kind == KW_START_LATEST ? "end"
                                      : "records of auto.offset.reset");
    kwi_part_drop(part);
    kwi_stored_clear(part); /* an offset that is not in the log must not be committed */
    kwi_part_place(part, (uint8_t)kind, part_reset_value(part, kind));
    kwi_part_hurry(part, KWI_PART_RESET);
}

void kwi_part_truncated(struct kw_consumer_part *part, int64_t end, int32_t epoch)
{
    int64_t was = part->position;

    if (kwi_part_reset_kind(part) < 0) {
        kwi_part_stop(part, KW_ERR_TRUNCATED, 0, end);
        return;
    }
    kwi_part_drop(part);
    kwi_stored_clear(part);
    kwi_part_place(part, KW_START_OFFSET, end);
    part->epoch = epoch;
    part->sound_epoch = part->leader_epoch;
    kwi_part_hurry(part, KWI_PART_RESET);
    kwi_part_warn(part, KW_ERR_TRUNCATED, 0, was);
}

void kwi_part_begin_at(struct kw_consumer_part *part, int64_t offset, int32_t epoch)
{
    int kind = offset >= 0 ? KW_START_OFFSET : kwi_part_reset_kind(part);

    part->committed = offset;
    if (kind < 0) {
        kwi_part_stop(part, KW_ERR_STATE, 0, 0);
        return;
    }
    if (kind == KW_START_LATEST && kwi_group_is_new(part))
        kind = KW_START_EARLIEST; /* what was written before we noticed it is not skipped */
    kwi_part_place(part, (uint8_t)kind, offset >= 0 ? offset : part_reset_value(part, kind));
    if (offset >= 0)
        part->epoch = epoch;
    kwi_part_step(part, KWI_PART_KNOWN);
}

/* What an answer to the question under way says is of the old topic, too. */
static void part_restart(struct kw_consumer_part *part)
{
    if (part->state == KWI_PART_FETCH || part->state == KWI_PART_CHECK)
        kwi_part_hurry(part, KWI_PART_RESET);
    else if (part->state == KWI_PART_LOOKUP)
        kwi_part_hurry(part, KWI_PART_MOVED);
}

void kwi_part_recreated(struct kw_consumer_part *part)
{
    int64_t was = part->position;
    int kind = kwi_part_reset_kind(part);

    kwi_stored_clear(part);
    if (part->state == KWI_PART_STOPPED)
        return; /* the application is to seek anyhow */
    if (was < 0) {
        part_restart(part);
        return;
    }
    if (kind < 0) {
        kwi_part_stop(part, KW_ERR_RECREATED, 0, was);
        return;
    }
    kwi_part_drop(part);
    part->generation = part->topic->consumer->next_generation++;
    kwi_part_place(part, (uint8_t)kind, part_reset_value(part, kind));
    part->high_watermark = part->last_stable = part->log_start = -1;
    part_restart(part);
    kwi_part_warn(part, KW_ERR_RECREATED, 0, was);
}

void kwi_part_is_gone(struct kw_consumer_part *part)
{
    kwi_part_drop(part);
    kwi_stored_clear(part);
    kwi_part_step(part, KWI_PART_STOP);
}
