/* cli/doctor_cluster.c -- the rows of kw doctor about what is on a cluster that can
 * be reached: leaders and copies of topics, the clock, a fetch. Nothing is written. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/doctor.h"

bool doctor_number(const char *at, const char *name, int64_t *number)
{
    char quoted[64];
    const char *found;

    snprintf(quoted, sizeof(quoted), "\"%s\":", name);
    found = at ? strstr(at, quoted) : NULL;
    if (!found)
        return false;
    found += strlen(quoted);
    found += *found == '"'; /* a configuration's value is a text */
    char *end;
    *number = strtoll(found, &end, 10);
    return end != found;
}

/* ---- topics ------------------------------------------------------------------------ */

/* min.insync.replicas of the topic; -1 and why: not known. */
static int64_t cluster_min_in_sync(struct doctor *doctor, const char *topic, char *why, size_t cap)
{
    char json[400];
    struct cli_op op = {0};
    int64_t us, number = -1;
    char *answer;

    snprintf(
        json, sizeof(json),
        "{\"resources\":[{\"resourceType\":2,\"resourceName\":\"%s\",\"configurationKeys\":"
        "[\"min.insync.replicas\"]}],\"includeSynonyms\":false,\"includeDocumentation\":false}",
        topic);
    answer = doctor_request(doctor, "DescribeConfigs", -1, json, &op, &us);
    if (!answer) {
        snprintf(why, cap, "%s", op.error.text[0] ? op.error.text : kw_err_name(op.code));
        return -1;
    }
    const char *name = strstr(answer, "\"name\":\"min.insync.replicas\"");
    int64_t code = 0;
    if (!name || !doctor_number(name, "value", &number)) {
        (void)doctor_number(answer, "errorCode", &code);
        snprintf(why, cap, "%s", code ? kw_kafka_error_name((int16_t)code) : "it is not listed");
        number = -1;
    }
    free(answer);
    return number;
}

static void cluster_copies(struct doctor *doctor, const struct kw_meta_topic *topic,
                           uint32_t copies)
{
    bool all = kw_config_number(doctor->cfg, KW_KEY_ACKS) == -1;
    char why[200] = "";
    int64_t in_sync = cluster_min_in_sync(doctor, topic->name, why, sizeof(why));
    struct doctor_row *row = doctor_add(doctor, "copies", topic->name, DOCTOR_OK, -1);

    if (in_sync < 0)
        doctor_say(row, "%u copies; min.insync.replicas is not known: %s", copies, why);
    else
        doctor_say(row, "%u copies, of which %" PRId64 " must have a record (min.insync.replicas)",
                   copies, in_sync);
    if (all && copies == 1) {
        row->verdict = DOCTOR_WARN;
        doctor_advise(row, "acks=all protects nothing with one copy: a lost disk loses records; "
                           "give the topic three");
    } else if (all && in_sync == 1) {
        row->verdict = DOCTOR_WARN;
        doctor_advise(row, "acks=all is satisfied by the leader alone when the others lag: set "
                           "min.insync.replicas=2");
    } else if (in_sync > copies) {
        row->verdict = DOCTOR_FAIL;
        doctor_advise(row, "no record can be written with acks=all: lower min.insync.replicas, or "
                           "add copies");
    }
}

void doctor_topic(struct doctor *doctor, const struct kw_meta_topic *topic)
{
    struct doctor_row *row = doctor_add(doctor, "leaders", topic->name, DOCTOR_OK, -1);
    uint32_t n_headless = 0, n_lagging = 0, copies = UINT32_MAX;

    if (topic->kafka_code) {
        struct kw_error error;
        kw_kafka_error_explain(&error, topic->kafka_code, 3, topic->name, NULL);
        doctor_blame(row, &error);
        return;
    }
    for (uint32_t i = 0; i < topic->n_partitions; i++) {
        const struct kw_meta_partition *partition = &topic->partitions[i];
        n_headless += partition->leader < 0;
        n_lagging += partition->leader >= 0 && partition->n_isr < partition->n_replicas;
        if (partition->n_replicas < copies)
            copies = partition->n_replicas;
    }
    doctor_say(row, "%u partitions, %u without a leader, %u with a copy that lags or is down",
               topic->n_partitions, n_headless, n_lagging);
    if (n_headless) {
        row->verdict = DOCTOR_FAIL;
        doctor_advise(row, "start the brokers that have the copies; kw topics describe lists them");
    } else if (n_lagging) {
        row->verdict = DOCTOR_WARN;
        doctor_advise(row, "look at the brokers that are missing from the in-sync replicas");
    }
    if (topic->n_partitions)
        cluster_copies(doctor, topic, copies);
}

/* ---- the clock --------------------------------------------------------------------- */

static int64_t cluster_wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The object of the leader in the answer of DescribeQuorum. */
static bool cluster_leader_time(const char *answer, int64_t *leader, int64_t *at_ms)
{
    char voter[48];
    const char *voters = answer ? strstr(answer, "\"currentVoters\"") : NULL, *found;

    if (!voters || !doctor_number(answer, "leaderId", leader))
        return false;
    snprintf(voter, sizeof(voter), "\"replicaId\":%" PRId64 ",", *leader);
    found = strstr(voters, voter);
    return found && doctor_number(found, "lastCaughtUpTimestamp", at_ms) && *at_ms > 0;
}

/* The active controller names the present time as that of its own last fetch
 * (DescribeQuorum, from version 1 on): the only clock of a broker that can be read
 * without writing anything. */
void doctor_clock(struct doctor *doctor)
{
    static const char json[] = "{\"topics\":[{\"topicName\":\"__cluster_metadata\",\"partitions\":"
                               "[{\"partitionIndex\":0}]}]}";
    struct cli_op op = {0};
    int64_t us = 0, leader = -1, theirs = 0, before = cluster_wall_ms();
    char *answer = doctor_request(doctor, "DescribeQuorum", -1, json, &op, &us);
    int64_t ours = (before + cluster_wall_ms()) / 2, skew, blur = us / 2000 + 1;
    struct doctor_row *row = doctor_add(doctor, "clock", "", DOCTOR_SKIP, us);

    if (!cluster_leader_time(answer, &leader, &theirs)) {
        doctor_say(row,
                   "not known: no broker's clock can be read here (DescribeQuorum: %s); the dates "
                   "of certificates are checked by TLS",
                   answer             ? "its answer has no time"
                   : op.error.text[0] ? op.error.text
                                      : kw_err_name(op.code));
        free(answer);
        return;
    }
    free(answer);
    skew = theirs - ours;
    row->verdict = DOCTOR_OK;
    doctor_say(row,
               "that of the active controller (%" PRId64 ") is %" PRId64
               " ms %s ours, give or take "
               "%" PRId64 " ms; those of other brokers cannot be read",
               leader, skew < 0 ? -skew : skew, skew < 0 ? "behind" : "ahead of", blur);
    if ((skew < 0 ? -skew : skew) > DOCTOR_SKEW_MS + blur) {
        row->verdict = DOCTOR_WARN;
        doctor_advise(row, "set the clocks by NTP: timestamps, retention, tokens and certificates "
                           "depend on them");
    }
}

/* ---- a fetch ------------------------------------------------------------------------- */

void doctor_on_event(void *ctx, const struct kw_event *event)
{
    struct doctor *doctor = ctx;

    if (event->kind == KW_EVENT_PARTITION_EOF)
        doctor->at_end = true;
    if (event->kind == KW_EVENT_ERROR && event->consumer) {
        doctor->fetch_error = *event->error;
        doctor->broken |= !event->error->retriable;
    }
}

static void cluster_fetched(struct doctor_row *row, const struct kw_consumed *record)
{
    time_t when = (time_t)(record->timestamp_ms / 1000);
    char date[40] = "?";
    struct tm tm;

    if (gmtime_r(&when, &tm))
        strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &tm);
    doctor_say(row, "offset %" PRId64 ", %zu bytes, %s at %s", record->offset,
               record->key.len + record->value.len,
               record->timestamp_type == 1 ? "appended" : "made", date);
}

void doctor_fetch(struct doctor *doctor, const struct kw_meta_topic *topic)
{
    struct cli_session *session = &doctor->session;
    uint64_t begin = cli_now_us(), end_ms = cli_now_ms() + (uint64_t)doctor_timeout_ms(doctor);
    struct kw_start start = {.topic = topic->name, .kind = KW_START_TAIL, .value = 1};
    struct kw_records *records = NULL;
    struct kw_error error = {0};
    char target[300];
    int rc;

    while (start.partition < (int32_t)topic->n_partitions - 1 &&
           topic->partitions[start.partition].leader < 0)
        start.partition++;
    snprintf(target, sizeof(target), "%s partition %d", topic->name,
             topic->n_partitions ? (int)topic->partitions[start.partition].id : 0);
    if (topic->n_partitions)
        start.partition = topic->partitions[start.partition].id;
    rc = kw_consumer_create(&doctor->consumer, session->client, NULL, &error);
    if (!rc)
        rc = kw_assign(doctor->consumer, &start, 1, &error);
    while (!rc && !records && !doctor->at_end && !doctor->broken && cli_now_ms() < end_ms) {
        cli_session_pump(session, 100);
        rc = kw_consumer_poll(doctor->consumer, &records, 1);
        rc = rc > 0 ? 0 : rc;
    }
    struct doctor_row *row = doctor_add(doctor, "fetch", target, DOCTOR_OK,
                                        (int64_t)(cli_now_us() - begin));
    const struct kw_consumed *record = records ? kw_records_next(records) : NULL;
    if (record) {
        cluster_fetched(row, record);
    } else if (doctor->at_end && !rc) {
        doctor_say(row, "there is no record, and the broker says so");
    } else {
        if (!rc && !doctor->broken)
            snprintf(error.text, sizeof(error.text), "no answer within %d ms",
                     (int)doctor_timeout_ms(doctor));
        doctor_blame(row, doctor->broken ? &doctor->fetch_error : &error);
    }
    kw_records_release(records, KW_NOT_DONE);
}
