/* Topics by their ids (KIP-516): used where brokers know them; a topic that was deleted
 * and made anew is another one; and leaders that answers to Fetch name (KIP-951).
 *
 * covers: C30 C31 C32 */
#include <stdio.h>
#include <string.h>

#include "proto/api.h"
#include "proto/metadata.h"
#include "tests/client/fetch_bed.h"

static const char *const earliest[] = {"fetch.max.wait.ms=50", "auto.offset.reset=earliest", NULL};
static const char *const latest[] = {"fetch.max.wait.ms=50", "auto.offset.reset=latest", NULL};
static const char *const none[] = {"fetch.max.wait.ms=50", "auto.offset.reset=none", NULL};
static const char *const young[] = {"metadata.max.age.ms=200", NULL};

static struct kw_stats stats(void)
{
    struct kw_stats now;
    kw_core_stats(fetch_bed.pair.core, &now);
    return now;
}

/* n partitions with ten records each, all of them read. */
static void begin(const struct kw_mock_config *config, const char *const *consumer, int32_t n)
{
    fetch_bed_begin(config, n, young);
    for (int32_t p = 0; p < n; p++)
        fetch_bed_make(p, 10, 30);
    fetch_bed_open(consumer);
    fetch_bed_assign(0, n, KW_START_OFFSET, 0);
    fetch_bed_run(300);
    fetch_bed_expect(0, n);
}

static void make_anew(int32_t n)
{
    cr_assert_eq(kwi_mock_delete_topic(fetch_bed.pair.mock, "t"), 0);
    cr_assert_eq(kwi_mock_create_topic(fetch_bed.pair.mock, "t", n), 0);
    for (int32_t p = 0; p < n; p++)
        fetch_bed.seen[p].made = 0;
}

static void expect_told(int32_t partition)
{
    const struct fetch_seen *seen = &fetch_bed.seen[partition];
    cr_assert_eq(seen->n_error, 1, "%d: told %u times: %s", partition, seen->n_error, seen->text);
    cr_assert_eq(seen->error, KW_ERR_RECREATED, "%s", seen->text);
    cr_assert(strstr(seen->text, "another than the one that was read to 10"), "%s", seen->text);
    cr_assert(strstr(seen->hint, "deleted"), "%s", seen->hint);
}

/* ---- which of the two ---------------------------------------------------------------- */

static void uses(const struct kw_mock_versions *versions, size_t n, int16_t version)
{
    const struct kw_mock_config config = {.n_brokers = 1, .versions = versions, .n_versions = n};
    begin(&config, earliest, 3);
    cr_assert_eq(fetch_bed_said(0)->version, version, "%d", fetch_bed_said(0)->version);
    fetch_bed_pause(1, true);
    fetch_bed_run(200);
    fetch_bed_make(1, 5, 30);
    fetch_bed_pause(1, false);
    fetch_bed_run(200);
    fetch_bed_expect(0, 3);
    cr_assert_eq(stats().fetch_sessions, 1);
    cr_assert_eq(kwi_mock_n_fetch_sessions(fetch_bed.pair.mock, 0), 1);
    fetch_bed_end();
}

Test(topic_ids, are_used_from_version_13_on_and_names_where_there_are_none)
{
    static const struct kw_mock_versions to_13[] = {{KW_API_FETCH, 4, 13}};
    static const struct kw_mock_versions to_12[] = {{KW_API_FETCH, 4, 12}};
    static const struct kw_mock_versions no_ids[] = {{KW_API_METADATA, 0, 9}};
    uses(NULL, 0, 18);
    uses(to_13, 1, 13);
    uses(to_12, 1, 12);
    uses(no_ids, 1, 12); /* metadata without ids, and a Fetch that takes them */
}

/* ---- metadata that differs from answer to answer -------------------------------------- */

static struct {
    struct kw_uuid id; /* told in every second answer */
    bool active, once; /* once: in the next one, which knows no leader either */
    unsigned n;
} lie;

static size_t lying_metadata(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap)
{
    static struct kw_metadata_response_topic topics[4];
    struct kw_metadata_response msg;
    struct kw_iter it;
    size_t n = 0;
    (void)ctx;
    if (answer->api_key != KW_API_METADATA || !lie.active || (lie.n++ % 2 && !lie.once))
        return 0;
    lie.active = !lie.once;
    cr_assert_eq(
        kwi_metadata_response_decode(&msg, answer->version, answer->body, answer->len, NULL), 0);
    for (kwi_iter_init(&it, &msg.topics); n < 4 && kwi_iter_next(&it, &topics[n]); n++) {
        topics[n].topic_id = lie.id;
        if (lie.once)
            topics[n].partitions = (struct kw_arr){0};
    }
    msg.topics = KWI_ARR(topics, n);
    struct kw_wr wr = kwi_wr_make(out, cap);
    cr_assert_eq(kwi_metadata_response_encode(&msg, answer->version, &wr), 0);
    return wr.len;
}

/* A broker in the middle of an upgrade: its zeros are no other topic. */
Test(topic_ids, an_id_of_zero_is_no_id)
{
    memset(&lie, 0, sizeof lie);
    fetch_bed_begin(NULL, 2, young);
    fetch_bed.pair.on_answer = lying_metadata;
    lie.active = true;
    for (int32_t p = 0; p < 2; p++)
        fetch_bed_make(p, 10, 30);
    fetch_bed_open(none);
    fetch_bed_assign(0, 2, KW_START_OFFSET, 0);
    for (int i = 0; i < 20; i++) {
        fetch_bed_run(150);
        fetch_bed_make(i % 2, 1, 30);
    }
    fetch_bed_run(300);
    cr_assert_geq(lie.n, 8);
    fetch_bed_expect(0, 2);
    cr_assert_leq(stats().fetch_sessions, 2, "%u sessions", stats().fetch_sessions);
    cr_assert_eq(fetch_bed_said(0)->version, 18);
    fetch_bed_end();
}

/* One partition with ten records, which were read; the lie is still to come. */
static void begin_to_lie(void)
{
    memset(&lie, 0, sizeof lie);
    fetch_bed_begin(NULL, 1, young);
    fetch_bed.pair.on_answer = lying_metadata;
    fetch_bed_make(0, 10, 30);
    fetch_bed_open(earliest);
    fetch_bed_assign(0, 1, KW_START_OFFSET, 0);
    fetch_bed_run(300);
}

/* One broker knows of the new topic, the other still tells of the one that is gone. */
Test(topic_ids, a_broker_that_lags_behind_does_not_bring_the_old_topic_back)
{
    begin_to_lie();
    cr_assert_eq(kwi_mock_topic_id(fetch_bed.pair.mock, "t", lie.id.b), 0);
    make_anew(1);
    fetch_bed.seen[0].next = 0;
    fetch_bed_run(500);
    lie.active = true;
    unsigned before = fetch_bed.n_said;
    for (int i = 0; i < 10; i++) {
        fetch_bed_make(0, 2, 30);
        fetch_bed_run(300);
    }
    expect_told(0);
    cr_assert_geq(lie.n, 8);
    cr_assert_eq(fetch_bed.seen[0].next, 20);
    cr_assert_leq(fetch_bed.n_said - before, 200);
    fetch_bed_end();
}

/* Found by the fuzzer: the truth counted as what a broker that lags behind says, for ever. */
Test(topic_ids, an_id_that_one_answer_got_wrong_does_not_last)
{
    begin_to_lie();
    memset(lie.id.b, 7, sizeof lie.id.b);
    lie.active = lie.once = true;
    fetch_bed_run(400);
    cr_assert_not(lie.active);
    fetch_bed.seen[0].next = 0; /* it is told, and read as another topic */
    fetch_bed_make(0, 5, 30);
    fetch_bed_run(8000);
    cr_assert_eq(fetch_bed.seen[0].next, 15, "%lld", (long long)fetch_bed.seen[0].next);
    fetch_bed_end();
}

/* ---- a topic that is made anew (C32) ------------------------------------------------------- */

/* The new log is longer than the old one was: an offset would not give it away. */
static void read_anew(const struct kw_mock_config *config, bool at_once)
{
    begin(config, earliest, 3);
    make_anew(3);
    if (!at_once)
        fetch_bed_run(1000);
    for (int32_t p = 0; p < 3; p++)
        fetch_bed.seen[p].next = 0;
    for (int32_t p = 0; p < 3; p++)
        fetch_bed_make(p, 15, 30);
    fetch_bed_run(1500);
    for (int32_t p = 0; p < 3; p++) {
        expect_told(p);
        cr_assert_eq(fetch_bed.seen[p].next, 15, "%lld", (long long)fetch_bed.seen[p].next);
        cr_assert_eq(fetch_bed.seen[p].n, 25);
    }
    unsigned before = fetch_bed.n_said;
    uint64_t metadata = kwi_mock_n_requests(fetch_bed.pair.mock, KW_API_METADATA);
    fetch_bed_run(1000);
    cr_assert_leq(fetch_bed.n_said - before, 22);
    cr_assert_leq(kwi_mock_n_requests(fetch_bed.pair.mock, KW_API_METADATA) - metadata, 6);
    cr_assert_leq(stats().fetch_sessions, 2, "%u", stats().fetch_sessions);
    fetch_bed_end();
}

/* C30: the session goes on for the other topic, and is told to forget the old id. A
 * broker that still had it would refuse it in each answer, at once. */
Test(topic_ids, a_session_forgets_a_topic_under_the_id_that_it_had)
{
    const struct kw_start starts[] = {{"t", 0, KW_START_OFFSET, 0}, {"u", 0, KW_START_OFFSET, 0}};
    struct kw_error err;
    unsigned forgotten = 0;
    fetch_bed_begin(NULL, 1, young);
    cr_assert_eq(kwi_mock_create_topic(fetch_bed.pair.mock, "u", 1), 0);
    fetch_bed_make(0, 10, 30);
    fetch_bed_open(earliest);
    cr_assert_eq(kw_core_assign(fetch_bed.consumer, starts, 2, &err), 0, "%s", err.text);
    fetch_bed_run(300);
    unsigned before = fetch_bed.n_said;
    for (int i = 0; i < 5; i++) {
        make_anew(1);
        fetch_bed.seen[0].next = 0;
        fetch_bed_run(1000);
        fetch_bed_make(0, 10, 30);
        fetch_bed_run(200);
        cr_assert_eq(fetch_bed.seen[0].next, 10, "round %d", i);
    }
    cr_assert_eq(fetch_bed.seen[0].n_error, 5);
    for (unsigned i = 0; i < fetch_bed.n_said - before; i++)
        forgotten += fetch_bed_said(i)->n_forgotten;
    cr_assert_geq(forgotten, 5);
    cr_assert_eq(stats().fetch_sessions, 1, "%u sessions", stats().fetch_sessions);
    before = fetch_bed.n_said;
    fetch_bed_run(1000);
    cr_assert_leq(fetch_bed.n_said - before, 22, "%u fetches", fetch_bed.n_said - before);
    fetch_bed_end();
}

Test(topic_ids, a_topic_that_is_made_anew_is_told_and_read_from_its_begin)
{
    read_anew(NULL, true);
    read_anew(NULL, false);
}

/* By name the broker answers for the new one at once; metadata tells of it later. */
Test(topic_ids, a_topic_that_is_made_anew_is_noticed_without_ids_in_fetch)
{
    static const struct kw_mock_versions to_12[] = {{KW_API_FETCH, 4, 12}};
    const struct kw_mock_config config = {.n_brokers = 1, .versions = to_12, .n_versions = 1};
    begin(&config, earliest, 1);
    make_anew(1);
    fetch_bed.seen[0].next = 0;
    fetch_bed_run(1000);
    fetch_bed_make(0, 15, 30);
    fetch_bed_run(500);
    cr_assert_eq(fetch_bed.seen[0].next, 15);
    fetch_bed_end();
}

Test(topic_ids, with_latest_a_new_topic_is_read_from_where_it_ends)
{
    begin(NULL, latest, 1);
    make_anew(1);
    fetch_bed.seen[0].next = -1;
    fetch_bed_run(600);
    fetch_bed_make(0, 3, 30);
    fetch_bed_run(300);
    expect_told(0);
    cr_assert_eq(fetch_bed.seen[0].next, 3);
    cr_assert_eq(fetch_bed.seen[0].n, 13);
    fetch_bed_end();
}

Test(topic_ids, without_a_policy_a_new_topic_stops_the_partition_until_a_seek)
{
    int64_t position;
    begin(NULL, none, 1);
    make_anew(1);
    fetch_bed_make(0, 15, 30);
    fetch_bed_run(1000);
    expect_told(0);
    cr_assert_eq(fetch_bed.seen[0].n, 10);
    cr_assert_eq(kw_position(fetch_bed.consumer, "t", 0, &position), 0);
    cr_assert_eq(position, 10);
    fetch_bed_seek(0, KW_START_EARLIEST, 0);
    fetch_bed_run(300);
    cr_assert_eq(fetch_bed.seen[0].next, 15);
    cr_assert_eq(fetch_bed.seen[0].n, 25);
    fetch_bed_end();
}

Test(topic_ids, nothing_of_the_old_topic_is_delivered_or_committed_afterwards)
{
    static const char *const group[] = {"fetch.max.wait.ms=50", "auto.offset.reset=earliest",
                                        "group.id=g", "enable.auto.commit=false", NULL};
    struct kw_records *records, *more;
    fetch_bed_begin(NULL, 1, young);
    kwi_mock_set_coordinator(fetch_bed.pair.mock, 0);
    fetch_bed.lazy = true;
    for (int i = 0; i < 10; i++)
        fetch_bed_make(0, 1, 30);
    fetch_bed_open(group);
    fetch_bed_assign(0, 1, KW_START_OFFSET, 0);
    fetch_bed_run(300);
    cr_assert_eq(kw_core_consumer_poll(fetch_bed.consumer, &records, 4), 1);
    while (kw_records_next(records))
        ;
    make_anew(1); /* six are buffered, four are held */
    fetch_bed_run(1000);
    cr_assert_eq(kw_core_consumer_poll(fetch_bed.consumer, &more, 4), 0);
    cr_assert_null(more);
    kw_core_records_release(records, KW_DONE);
    cr_assert_not_null(kw_core_commit(fetch_bed.consumer, NULL, 5000, NULL));
    fetch_bed_run(300);
    cr_assert_eq(kwi_mock_committed(fetch_bed.pair.mock, "g", "t", 0), -1);
    fetch_bed_make(0, 2, 30);
    fetch_bed_run(300);
    fetch_bed.lazy = false;
    fetch_bed.seen[0].next = 0;
    fetch_bed_run(300);
    cr_assert_eq(fetch_bed.seen[0].next, 2);
    cr_assert_not_null(kw_core_commit(fetch_bed.consumer, NULL, 5000, NULL));
    fetch_bed_run(300);
    cr_assert_eq(kwi_mock_committed(fetch_bed.pair.mock, "g", "t", 0), 2);
    fetch_bed_end();
}

/* At any moment of a fetch, again and again. */
Test(topic_ids, topics_may_come_and_go_at_any_moment)
{
    begin(NULL, earliest, 2);
    for (int i = 0; i < 25; i++) {
        make_anew(2);
        fetch_bed_run(500);
        fetch_bed.seen[0].next = fetch_bed.seen[1].next = 0;
        fetch_bed_make(0, 3, 30);
        fetch_bed_make(1, 4, 30);
        sim_pair_step(&fetch_bed.pair, 1 + (uint64_t)i * 7919 % 90000);
        fetch_bed_run(100);
        cr_assert_eq(fetch_bed.seen[0].next, 3, "round %d", i);
        cr_assert_eq(fetch_bed.seen[1].next, 4, "round %d", i);
    }
    cr_assert_eq(kwi_mock_n_fetch_sessions(fetch_bed.pair.mock, 0), 1);
    fetch_bed_end();
}

/* ---- refusals ------------------------------------------------------------------------------ */

Test(topic_ids, a_refusal_of_an_id_is_retried_and_resets_nothing)
{
    static const char *const faults[] = {"fetch:1-4:error=UNKNOWN_TOPIC_ID:partition=0",
                                         "fetch:1-4:error=INCONSISTENT_TOPIC_ID:partition=0",
                                         "fetch:/3:error=UNKNOWN_TOPIC_ID", "fetch:*:unasked",
                                         "fetch:*:twice"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        begin(NULL, none, 2);
        fetch_bed_fault(faults[i]);
        for (int k = 0; k < 10; k++) {
            fetch_bed_make(k % 2, 2, 30);
            fetch_bed_run(100);
        }
        fetch_bed_run(1500);
        fetch_bed_expect(0, 2);
        fetch_bed_end();
    }
}

/* ---- leaders that answers name (KIP-951) ------------------------------------------------------ */

/* Metadata names broker 0 alone, and all it leads. */
static size_t one_broker(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap)
{
    static struct kw_metadata_response_broker brokers[4];
    struct kw_metadata_response msg;
    struct kw_iter it;
    (void)ctx;
    if (answer->api_key != KW_API_METADATA)
        return 0;
    cr_assert_eq(
        kwi_metadata_response_decode(&msg, answer->version, answer->body, answer->len, NULL), 0);
    kwi_iter_init(&it, &msg.brokers);
    cr_assert(kwi_iter_next(&it, &brokers[0]));
    msg.brokers = KWI_ARR(brokers, 1);
    struct kw_wr wr = kwi_wr_make(out, cap);
    cr_assert_eq(kwi_metadata_response_encode(&msg, answer->version, &wr), 0);
    return wr.len;
}

Test(topic_ids, a_new_leader_is_found_by_the_answer_alone)
{
    const struct kw_mock_config two = {.n_brokers = 2, .replication_factor = 2};
    fetch_bed_begin(&two, 1, NULL);
    fetch_bed.pair.on_answer = one_broker;
    fetch_bed_make(0, 10, 30);
    fetch_bed_open(none);
    fetch_bed_assign(0, 1, KW_START_OFFSET, 0);
    fetch_bed_run(300);
    fetch_bed_expect(0, 1);
    kwi_mock_freeze_metadata(fetch_bed.pair.mock, 0, true);
    cr_assert_eq(kwi_mock_set_leader(fetch_bed.pair.mock, "t", 0, 1), 0);
    unsigned before = fetch_bed.n_said;
    fetch_bed_run(60);
    cr_assert_eq(kwi_mock_n_fetch_sessions(fetch_bed.pair.mock, 1), 1, "it is not found");
    cr_assert_leq(fetch_bed.n_said - before, 4);
    fetch_bed_make(0, 5, 30);
    fetch_bed_run(100);
    fetch_bed_expect(0, 1);
    fetch_bed_end();
}
