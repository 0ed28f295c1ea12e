/* client/commit_job.c -- one commit: made of stored offsets or of those that are given,
 * its entries ending one by one, and what is told of them. When it is sent is in
 * commit.c. */
#include <string.h>

#include "base/fmt.h"
#include "client/commit.h"
#include "client/error_text.h"

void kwi_commit_describe(const struct kw_commit_job *job, const struct kw_commit_entry *entry,
                         struct kw_error *err)
{
    char what[128];

    (void)job;
    kwi_fmt(what, sizeof what, "committing offset %lld of %.*s%s partition %d",
            (long long)entry->offset, entry->topic_len > 60 ? 60 : (int)entry->topic_len,
            entry->topic, entry->topic_len > 60 ? "..." : "", entry->partition);
    if (entry->code == KW_ERR_BROKER)
        kwi_error_kafka(err, entry->kafka_code, what, NULL, 0);
    else if (entry->code == KW_ERR_STATE)
        kwi_error_fmt(err, KW_ERR_STATE, KW_PHASE_REQUEST,
                      "commit before a partition is given up; its next owner begins at what was "
                      "committed",
                      "%s: the partition is not assigned to us", what);
    else if (job->cause.code)
        *err = job->cause;
    else
        kwi_error_fmt(err, entry->code, KW_PHASE_REQUEST, "", "%s: %s", what,
                      kw_err_name(entry->code));
}

/* Tells who asked, once. */
void kwi_commit_tell(struct kw_commit_job *job)
{
    kwi_commit_ended_fn *ended = job->ended;
    struct kw_op *op = job->op ? &job->op->op : NULL;
    const struct kw_commit_entry *bad = NULL;
    struct kw_error err;

    kwi_core_disarm(job->consumer->core, &job->deadline);
    for (uint32_t i = 0; i < job->n && !bad; i++) {
        if (job->entries[i].code)
            bad = &job->entries[i];
    }
    if (bad)
        kwi_commit_describe(job, bad, &err);
    job->ended = NULL;
    job->op = NULL;
    if (op)
        kwi_op_end(op, bad ? bad->code : 0, bad ? &err : NULL);
    if (ended)
        ended(job->consumer, bad ? bad->code : 0);
}

void kwi_commit_free(struct kw_commit_job *job)
{
    kwi_core_disarm(job->consumer->core, &job->deadline);
    kwi_free(&job->consumer->core->control, job, job->size);
}

void kwi_commit_close_entry(struct kw_commit_job *job, struct kw_commit_entry *entry, int code,
                            int16_t kafka_code)
{
    if (!entry->open)
        return;
    entry->open = false;
    entry->code = code;
    entry->kafka_code = kafka_code;
    job->n_open--;
    if (code)
        job->n_failed++;
}

void kwi_commit_close_all(struct kw_commit_job *job, int code, int16_t kafka_code)
{
    for (uint32_t i = 0; i < job->n; i++)
        kwi_commit_close_entry(job, &job->entries[i], code, kafka_code);
}

/* ---- making jobs ------------------------------------------------------------------------ */

static bool commit_is_due(const struct kw_consumer_part *part,
                          const struct kw_commit_source *source)
{
    int64_t offset = kwi_stored_offset(part);

    return offset >= 0 && offset != part->committed &&
           (!source->filter || source->filter(part, source->ctx));
}

struct commit_size {
    uint32_t n;
    size_t bytes; /* of names and metadata */
};

static struct commit_size commit_measure(struct kw_consumer *consumer,
                                         const struct kw_commit_source *source)
{
    struct commit_size size = {0, 0};
    struct kw_consumer_topic *topic;
    struct kw_consumer_part *part;

    if (source->offsets) {
        size.n = (uint32_t)source->offsets->n;
        for (uint32_t i = 0; i < size.n; i++)
            size.bytes += strlen(source->offsets->list[i].topic) + 1 +
                          source->offsets->list[i].metadata.len;
        return size;
    }
    for (uint32_t i = 0; (topic = kwi_map_next(&consumer->topics, &i));) {
        uint32_t before = size.n;
        for (uint32_t k = 0; (part = kwi_map_next(&topic->parts, &k));)
            size.n += commit_is_due(part, source);
        if (size.n > before)
            size.bytes += topic->meta->name_len + 1;
    }
    return size;
}

static void commit_fill_given(struct kw_commit_job *job, const struct kw_offsets *offsets,
                              char *blob)
{
    for (uint32_t i = 0; i < job->n; i++) {
        const struct kw_offset *from = &offsets->list[i];
        struct kw_commit_entry *entry = &job->entries[i];
        struct kw_consumer_part *part = kwi_consumer_find(job->consumer, from->topic,
                                                          strlen(from->topic), from->partition);
        *entry = (struct kw_commit_entry){.topic = blob,
                                          .topic_len = (uint32_t)strlen(from->topic),
                                          .partition = from->partition,
                                          .leader_epoch = from->leader_epoch,
                                          .offset = from->offset,
                                          .open = true};
        if (entry->leader_epoch == 0)
            entry->leader_epoch = -1;
        memcpy(blob, from->topic, entry->topic_len + 1);
        blob += entry->topic_len + 1;
        if (from->metadata.len)
            memcpy(blob, from->metadata.ptr, from->metadata.len);
        entry->metadata = (struct kw_str){blob, (int32_t)from->metadata.len};
        blob += from->metadata.len;
        if (part)
            entry->serial = part->serial;
        else
            kwi_commit_close_entry(job, entry, KW_ERR_STATE, 0);
    }
}

static void commit_fill_stored(struct kw_commit_job *job, const struct kw_commit_source *source,
                               char *blob)
{
    struct kw_consumer_topic *topic;
    struct kw_consumer_part *part;
    uint32_t n = 0;

    for (uint32_t i = 0; (topic = kwi_map_next(&job->consumer->topics, &i));) {
        uint32_t before = n;
        for (uint32_t k = 0; (part = kwi_map_next(&topic->parts, &k));) {
            if (!commit_is_due(part, source))
                continue;
            job->entries[n++] = (struct kw_commit_entry){
                .topic = blob,
                .topic_len = (uint32_t)topic->meta->name_len,
                .partition = part->partition,
                .leader_epoch = kwi_stored_epoch(part),
                .offset = kwi_stored_offset(part),
                .serial = part->serial,
                .metadata = {"", 0},
                .open = true,
            };
        }
        if (n == before)
            continue;
        memcpy(blob, topic->meta->name, topic->meta->name_len + 1);
        blob += topic->meta->name_len + 1;
    }
}

struct kw_commit_job *kwi_commit_create(struct kw_consumer *consumer,
                                        const struct kw_commit_source *source)
{
    struct commit_size need = commit_measure(consumer, source);
    size_t size = sizeof(struct kw_commit_job) + need.n * sizeof(struct kw_commit_entry) +
                  need.bytes;
    struct kw_commit_job *job = kwi_alloc_zero(&consumer->core->control, size);
    char *blob;

    if (!job)
        return NULL;
    job->consumer = consumer;
    job->size = size;
    job->n = job->n_open = need.n;
    job->deadline.fire = kwi_commit_deadline;
    blob = (char *)(job->entries + need.n);
    if (source->offsets)
        commit_fill_given(job, source->offsets, blob);
    else
        commit_fill_stored(job, source, blob);
    kwi_list_push(&consumer->keeper.commits, &job->node);
    return job;
}

/* ---- events ----------------------------------------------------------------------------- */

void kwi_commit_told(struct kw_consumer *consumer)
{
    struct kw_keeper *keeper = &consumer->keeper;

    if (keeper->told)
        kwi_commit_free(keeper->told);
    keeper->told = NULL;
}

bool kwi_commit_fill(struct kw_consumer *consumer, struct kw_event *out)
{
    struct kw_keeper *keeper = &consumer->keeper;
    struct kw_commit_job *job;
    struct kw_commit_entry *entry;

    if (kwi_list_empty(&keeper->failed))
        return false;
    job = KWI_OF(keeper->failed.first, struct kw_commit_job, node);
    while (!job->entries[job->next_told].code)
        job->next_told++;
    entry = &job->entries[job->next_told++];
    kwi_commit_describe(job, entry, &consumer->error);
    out->kind = KW_EVENT_COMMIT_FAILED;
    out->topic_name = entry->topic;
    out->partition = entry->partition;
    out->offset = entry->offset;
    out->code = entry->code;
    out->error = &consumer->error;
    if (--job->n_failed > 0)
        return true;
    kwi_list_remove(&keeper->failed, &job->node);
    keeper->told = job;
    return true;
}
