/* Metadata that is wrong, missing or late, and beginning anew with bootstrap.servers.
 *
 * covers: B11 N17 N19 N20 N21 N22 N33 N36 N37 */
#include "tests/client/net_bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/core.h"
#include "client/link.h"
#include "proto/error.h"
#include "proto/header.h"
#include "proto/metadata.h"

enum { METADATA = 3, FIND_COORDINATOR = 10, DELETE_GROUPS = 42 };

static uint64_t n_metadata(void)
{
    return kwi_mock_n_requests(net.pair.mock, METADATA);
}

/* ---- answers that are changed on the way ------------------------------------------- */

/* What becomes of Metadata answers while `changes` is set. */
static struct {
    bool on;
    int32_t only_broker; /* of answers by this one; -1: of all */
    bool no_brokers;
    const char *cluster_id; /* NULL: as it is */
    int16_t error;
    int n_changed;
} change;

/* Is this an answer to Metadata? Those are the only ones that decode as such here, and
 * that carry a broker of ours. */
static bool is_metadata(const uint8_t *frame, size_t len, struct kw_metadata_response *msg)
{
    struct kw_metadata_response_broker broker;
    struct kw_iter it;
    if (len < 9 || kwi_metadata_response_decode(msg, 13, frame + 9, len - 9, NULL) != 0)
        return false;
    kwi_iter_init(&it, &msg->brokers);
    return kwi_iter_next(&it, &broker) && msg->cluster_id.len > 0;
}

static size_t change_answer(void *ctx, struct sim_pair_conn *conn, uint8_t *frame, size_t len)
{
    static uint8_t body[SIM_PAIR_ANSWER];
    struct kw_metadata_response msg;
    (void)ctx;
    if (!change.on || !is_metadata(frame, len, &msg) ||
        (change.only_broker >= 0 && conn->broker != (uint32_t)change.only_broker))
        return len;
    change.n_changed++;
    if (change.no_brokers)
        msg.brokers = (struct kw_arr){0};
    if (change.cluster_id)
        msg.cluster_id = kwi_str(change.cluster_id);
    if (change.error)
        msg.error_code = change.error;
    struct kw_wr wr = kwi_wr_make(body, sizeof(body));
    cr_assert_eq(kwi_metadata_response_encode(&msg, 13, &wr), 0);
    memcpy(frame + 9, body, wr.len); /* behind size, correlation id and no tags */
    for (int i = 0; i < 4; i++)
        frame[i] = (uint8_t)((wr.len + 5) >> (24 - 8 * i));
    return wr.len + 9;
}

static void begin(uint32_t n_brokers, int32_t n_partitions)
{
    net_begin(n_brokers, n_partitions);
    net.pair.on_frame = change_answer;
    change.only_broker = -1;
}

/* Brokers 0, 1, 2 live at 10.0.0.1, 2, 3; the configuration names the first n_seeds. */
static void settle_in(uint32_t n_brokers)
{
    net.by_port = false;
    for (uint32_t i = 0; i < n_brokers; i++) {
        char host[24];
        snprintf(host, sizeof host, "10.0.0.%u", i + 1);
        cr_assert_eq(kwi_mock_set_address(net.pair.mock, i, host, 9092), 0);
        net.homes[i + 1] = i;
    }
}

static void break_all(void)
{
    for (uint32_t i = 0; i < net.pair.n_conns; i++)
        if (net.pair.conns[i]->up)
            sim_pair_break(&net.pair, net.pair.conns[i]);
}

/* ---- N20: answers that must not replace what is known ------------------------------- */

Test(refused, metadata_without_brokers_leaves_what_is_known)
{
    static const char *const settings[] = {"metadata.max.age.ms=200", NULL};
    begin(2, 2);
    net_start(settings);
    cr_assert(net_delivers(0, 1000) && net_delivers(1, 1000), "%s", net.errors);
    change.on = change.no_brokers = true;
    net_run(2000);
    cr_assert_geq(change.n_changed, 3);
    cr_assert_leq(change.n_changed, 60, "no pause between two requests");
    cr_assert_eq(kwi_map_len(&net.pair.core->cluster.brokers), 2);
    cr_assert(strstr(net.errors, "without any broker"), "%s", net.errors);
    cr_assert_eq(net.n_errors, 1, "said once: %s", net.errors);
    for (int i = 0; i < 5; i++)
        cr_assert(net_delivers(0, 100) && net_delivers(1, 100), "%s", net.errors);
    change.on = false;
    net_run(500);
    cr_assert_eq(net.n_other, 0);
    net_end();
}

Test(refused, a_cluster_that_has_no_brokers_at_first_is_waited_for)
{
    begin(1, 1);
    change.on = change.no_brokers = true;
    net_start(NULL);
    net_run(1000);
    cr_assert_eq(kw_topic_partitions(net.topic), 0, "nothing of such an answer is taken over");
    change.on = false;
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    net_end();
}

/* The address of a broker is somebody else's now: its answers are refused, and another
 * broker is asked. */
Test(refused, the_answer_of_another_cluster_leaves_what_is_known)
{
    static const char *const settings[] = {"bootstrap.servers=10.0.0.9:9092",
                                           "metadata.max.age.ms=200", NULL};
    begin(3, 3);
    settle_in(3);
    net.homes[9] = 0;
    net_start(settings);
    for (int i = 0; i < 3; i++)
        cr_assert(net_delivers(i, 1000), "%s", net.errors);
    /* The seed goes; from now on learned brokers are asked. */
    net.homes[9] = SIM_PAIR_REFUSE;
    break_all();
    net_run(1000);
    change.on = true;
    change.only_broker = 1;
    change.cluster_id = "somebody-elses";
    cr_assert_eq(kwi_mock_set_leader(net.pair.mock, "t", 0, 2), 0);
    for (int i = 0; i < 40 && change.n_changed == 0; i++) {
        break_all();
        net_run(300);
    }
    cr_assert_geq(change.n_changed, 1, "broker 1 was never asked");
    cr_assert(strstr(net.errors, "somebody-elses"), "%s", net.errors);
    net_run(1000);
    for (int i = 0; i < 3; i++)
        cr_assert(net_delivers(i, 1000), "partition %d: %s", i, net.errors);
    cr_assert_eq(kwi_map_len(&net.pair.core->cluster.brokers), 3);
    cr_assert_eq(net.n_other, 0);
    net_end();
}

/* ---- N21: a metadata request that is stuck --------------------------------------------- */

Test(stuck, another_broker_is_asked_when_one_does_not_answer)
{
    static const char *const settings[] = {
        "bootstrap.servers=10.0.0.1:9092,10.0.0.2:9092,10.0.0.3:9092", "metadata.max.age.ms=500",
        NULL};
    begin(3, 3);
    settle_in(3);
    net_start(settings);
    for (int i = 0; i < 3; i++)
        cr_assert(net_delivers(i, 2000), "%s", net.errors);
    /* Whoever is asked next, and all after it at that broker, is silent. */
    uint32_t asked = UINT32_MAX;
    for (uint32_t i = 0; i < net.pair.n_conns && asked == UINT32_MAX; i++) {
        struct sim_pair_conn *conn = net.pair.conns[i];
        struct kw_conn *ours = conn->up ? kwi_map_get(&net.pair.core->conns, conn->id) : NULL;
        if (ours)
            asked = conn->broker;
    }
    char spec[60];
    snprintf(spec, sizeof spec, "metadata:*:drop-request:broker=%u", asked);
    net_fault(spec);
    net_run(600);
    cr_assert_eq(kwi_mock_set_leader(net.pair.mock, "t", 1, 0), 0);
    uint64_t before_us = net.pair.now.mono_us, n = net.pair.core->cluster.n_answers;
    for (int i = 0; i < 500 && net.pair.core->cluster.n_answers == n; i++)
        net_run(10);
    /* request.timeout.ms is 1 s; a connection elsewhere and its answer come at once. */
    cr_assert_leq(net.pair.now.mono_us - before_us, 1300000);
    cr_assert(net_delivers(1, 500), "%s", net.errors);
    cr_assert_eq(net.n_other, 0);
    net_end();
}

/* ---- N22: errors of single topics -------------------------------------------------------- */

Test(topics, an_error_of_one_topic_leaves_it_as_it_was_and_the_others_are_taken)
{
    static const char *const settings[] = {"metadata.max.age.ms=200", NULL};
    struct kw_topic *other;
    begin(2, 2);
    cr_assert_eq(kwi_mock_create_topic(net.pair.mock, "u", 2), 0);
    net_start(settings);
    cr_assert_eq(kw_core_topic_open(&other, net.producer, "u", NULL), 0);
    cr_assert(net_delivers(0, 1000) && net_delivers(1, 1000), "%s", net.errors);
    struct kw_topic_meta *t = kwi_map_get_str(&net.pair.core->cluster.topics, "t", 1);
    struct kw_topic_meta *u = kwi_map_get_str(&net.pair.core->cluster.topics, "u", 1);
    cr_assert_eq(t->n_partitions, 2);
    cr_assert_eq(u->n_partitions, 2);
    int32_t leaders[2] = {t->partitions[0].leader, t->partitions[1].leader};
    net_fault("metadata:*:error=5:topic=t"); /* LEADER_NOT_AVAILABLE */
    cr_assert_eq(kwi_mock_set_leader(net.pair.mock, "u", 0, 1), 0);
    cr_assert_eq(kwi_mock_set_leader(net.pair.mock, "u", 1, 1), 0);
    net_run(1000);
    cr_assert_eq(u->partitions[0].leader, 1);
    cr_assert_eq(u->partitions[1].leader, 1);
    cr_assert_eq(t->n_partitions, 2);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(t->partitions[i].leader, leaders[i], "partition %d", i);
    cr_assert_eq(t->error, 5);
    cr_assert(net_delivers(0, 200) && net_delivers(1, 200), "%s", net.errors);
    cr_assert_eq(net.n_other, 0);
    net_end();
}

/* The first user's answer was an error that lasts: nobody would ask again before
 * metadata.max.age.ms. */
Test(topics, one_that_was_refused_is_told_to_who_comes_later)
{
    static const char *const settings[] = {"metadata.max.age.ms=600000", NULL};
    struct kw_producer *producer;
    struct kw_topic *first, *second;
    begin(1, 1);
    cr_assert_eq(kwi_mock_create_topic(net.pair.mock, "u", 2), 0);
    net_fault("metadata:*:error=TOPIC_AUTHORIZATION_FAILED:topic=u");
    net_start(settings);
    cr_assert_eq(kw_core_topic_open(&first, net.producer, "u", NULL), 0);
    net_run(500);
    cr_assert_eq(kw_core_topic_error(first), KW_E_TOPIC_AUTHORIZATION_FAILED);
    cr_assert_eq(kw_core_producer_create(&producer, net.pair.core, NULL, NULL), 0);
    cr_assert_eq(kw_core_topic_open(&second, producer, "u", NULL), 0);
    net_run(500);
    cr_assert_eq(kw_core_topic_error(second), KW_E_TOPIC_AUTHORIZATION_FAILED);
    net_end();
}

/* Brokers of 2.1 to 2.3 may tell an old epoch for ever (KAFKA-9212): no request carries it. */
Test(topics, leader_epochs_of_old_versions_are_not_believed)
{
    static const struct kw_mock_versions old[] = {{METADATA, 0, 8}};
    const struct kw_mock_config config = {.n_brokers = 2, .versions = old, .n_versions = 1};
    static const char *const settings[] = {"metadata.max.age.ms=200", NULL};
    net_begin_of(&config, 2);
    net_start(settings);
    cr_assert(net_delivers(0, 1000) && net_delivers(1, 1000), "%s", net.errors);
    struct kw_topic_meta *t = kwi_map_get_str(&net.pair.core->cluster.topics, "t", 1);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(t->partitions[i].leader_epoch, -1);
    cr_assert_eq(kwi_mock_set_leader(net.pair.mock, "t", 0, 1 - t->partitions[0].leader), 0);
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    net_end();
}

/* ---- N36: a storm of refreshes ----------------------------------------------------------- */

Test(storm, partitions_that_fail_together_ask_once)
{
    enum { PARTITIONS = 200 };
    static const char *const settings[] = {"retry.backoff.ms=100", "retry.backoff.max.ms=100",
                                           "metadata.max.age.ms=600000", NULL};
    begin(2, PARTITIONS);
    net_start(settings);
    net_run(1000);
    uint64_t before = n_metadata();
    for (int32_t i = 0; i < PARTITIONS; i++) {
        struct kw_record record = {
            .value = {"v", 1}, .flags = KW_REC_PARTITION, .partition = i, .opaque = (void *)1};
        cr_assert_geq(kw_core_produce(net.topic, &record), 0);
    }
    net.n_made = 1;
    net_run(1000);
    before = n_metadata();
    /* All leaders move while each partition has a record. Every one of them is told
     * that the leader is another, and by a version without the new leader in it. */
    net_fault("produce:1-40:error=6");
    for (int32_t i = 0; i < PARTITIONS; i++) {
        struct kw_record record = {
            .value = {"v", 1}, .flags = KW_REC_PARTITION, .partition = i, .opaque = (void *)1};
        cr_assert_geq(kw_core_produce(net.topic, &record), 0);
    }
    net_run(1000);
    uint64_t asked = n_metadata() - before;
    cr_assert(asked >= 1 && asked <= 12, "%lu requests in a second", (unsigned long)asked);
    net_end();
}

/* ---- N37: a coordinator that nobody else named --------------------------------------------- */

Test(coordinator, one_that_is_not_in_the_metadata_is_reached_at_the_address_that_came_with_it)
{
    static const char *const settings[] = {"bootstrap.servers=10.0.0.1:9092",
                                           "metadata.max.age.ms=100", NULL};
    struct kw_raw_request request = {.size = sizeof request,
                                     .api_key = METADATA,
                                     .version = 1,
                                     .to = KW_RAW_GROUP,
                                     .key = "g",
                                     .body = {"\0\0\0\0", 4}};
    struct kw_raw_result *result = NULL;
    begin(2, 1);
    settle_in(1);
    /* Broker 1 has no address that metadata could give; FindCoordinator gives one. */
    cr_assert_eq(kwi_mock_set_address(net.pair.mock, 1, "10.0.0.7", 9092), 0);
    net.homes[7] = 1;
    kwi_mock_set_coordinator(net.pair.mock, 1);
    net_start(settings);
    net_run(300);
    /* It leaves the metadata. */
    struct kw_broker *gone = kwi_map_get(&net.pair.core->cluster.brokers, 1);
    cr_assert_not_null(gone);
    cr_assert_eq(net_n_opened("10.0.0.7"), 0);
    kwi_map_remove(&net.pair.core->cluster.brokers, 1);
    kwi_broker_destroy(gone);
    cr_assert_not_null(kw_core_request_raw(net.pair.core, &request, &result, 5000, NULL));
    for (int i = 0; i < 200 && net.n_op_done == 0; i++)
        net_run(10);
    cr_assert_eq(net.n_op_done, 1);
    cr_assert_eq(net.op_code, 0, "%s", net.op_error.text);
    cr_assert_eq(result->broker, 1);
    cr_assert_eq(net_n_opened("10.0.0.7"), 1);
    kw_raw_result_destroy(result);
    net_end();
}

Test(coordinator, one_that_left_the_cluster_is_found_anew)
{
    static const char *const settings[] = {"bootstrap.servers=10.0.0.1:9092",
                                           "metadata.max.age.ms=600000", "group.id=g", NULL};
    struct kw_offset where = {.topic = "t"};
    struct kw_offsets which = {&where, 1}, *result = NULL;
    struct kw_consumer *consumer;
    begin(2, 1);
    settle_in(2);
    kwi_mock_set_coordinator(net.pair.mock, 1);
    net_start(settings);
    cr_assert_eq(kw_core_consumer_create(&consumer, net.pair.core, NULL, NULL), 0);
    for (uint32_t round = 1; round <= 2; round++) {
        cr_assert_not_null(kw_core_committed(consumer, &which, &result, 5000, NULL));
        for (int i = 0; i < 200 && net.n_op_done < round; i++)
            net_run(10);
        cr_assert_eq(net.n_op_done, round);
        cr_assert_eq(net.op_code, 0, "%s", net.op_error.text);
        kw_offsets_destroy(result);
        kwi_mock_set_coordinator(net.pair.mock, 0);
        struct kw_broker *gone = kwi_map_get(&net.pair.core->cluster.brokers, 1);
        if (!gone)
            continue;
        kwi_map_remove(&net.pair.core->cluster.brokers, 1);
        kwi_broker_destroy(gone);
    }
    net_end();
}

/* ---- N19: all known brokers are gone --------------------------------------------------------- */

static uint32_t n_rebootstraps(void)
{
    struct kw_stats stats;
    kw_core_stats(net.pair.core, &stats);
    return stats.rebootstraps;
}

/* Every broker gets a new address, and nobody lives at the old ones any more. */
static void move_all(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        char host[16];
        snprintf(host, sizeof host, "10.0.0.%u", i + 101);
        cr_assert_eq(kwi_mock_set_address(net.pair.mock, i, host, 9092), 0);
        net.homes[i + 1] = SIM_PAIR_SILENT;
        net.homes[i + 101] = i;
    }
    break_all();
}

static const char *const from_name[] = {"bootstrap.servers=kafka.test:9092",
                                        "socket.connection.setup.timeout.ms=300",
                                        "socket.connection.setup.timeout.max.ms=300", NULL};

Test(rebootstrap, brokers_that_were_all_replaced_are_found_by_the_configured_names)
{
    begin(3, 3);
    settle_in(3);
    net_name("kafka.test", "10.0.0.1", "10.0.0.2", NULL);
    net_start(from_name);
    for (int i = 0; i < 3; i++)
        cr_assert(net_delivers(i, 1000), "%s", net.errors);
    move_all(3);
    net_name("kafka.test", "10.0.0.101", "10.0.0.103", NULL);
    for (int i = 0; i < 3; i++)
        cr_assert(net_delivers(i, 10000), "partition %d: %s", i, net.errors);
    /* And then it is quiet: no loop of bootstrapping (LR 5178). */
    net_run(1000);
    uint32_t n_opened = net_n_opened(NULL), n_lookups = net.n_lookups;
    net_run(60000);
    cr_assert_leq(net_n_opened(NULL) - n_opened, 2);
    cr_assert_leq(net.n_lookups - n_lookups, 2);
    cr_assert_eq(net.n_other, 0);
    net_end();
}

Test(rebootstrap, with_the_strategy_none_the_configured_names_are_not_asked_again)
{
    static const char *const settings[] = {"bootstrap.servers=kafka.test:9092",
                                           "metadata.recovery.strategy=none",
                                           "socket.connection.setup.timeout.ms=300",
                                           "socket.connection.setup.timeout.max.ms=300",
                                           "delivery.timeout.ms=4000",
                                           NULL};
    begin(3, 3);
    settle_in(3);
    net_name("kafka.test", "10.0.0.1", NULL);
    net_start(settings);
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    move_all(3);
    net_name("kafka.test", "10.0.0.101", NULL);
    cr_assert_not(net_delivers(0, 10000));
    cr_assert_eq(net_n_opened("10.0.0.101"), 0);
    cr_assert_eq(n_rebootstraps(), 0);
    net.homes[1] = 0; /* an old one comes back */
    cr_assert(net_delivers(0, 5000), "%s", net.errors);
    net_end();
}

/* Brokers accept connections and never answer Metadata: after the trigger time the
 * client begins anew, however well its connections look (KIP-1102). */
Test(rebootstrap, metadata_asked_for_in_vain_for_long_begins_anew)
{
    static const char *const settings[] = {"bootstrap.servers=kafka.test:9092",
                                           "metadata.max.age.ms=500",
                                           "metadata.recovery.rebootstrap.trigger.ms=4000", NULL};
    begin(3, 3);
    settle_in(2); /* broker 2 is nowhere yet */
    cr_assert_eq(kwi_mock_set_address(net.pair.mock, 2, "10.0.0.3", 9092), 0);
    net_name("kafka.test", "10.0.0.1", NULL);
    net_start(settings);
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    net_run(10000);
    cr_assert_eq(n_rebootstraps(), 0, "a refresh that succeeds starts no clock");
    net_fault("metadata:*:drop-request:broker=0");
    net_fault("metadata:*:drop-request:broker=1");
    net_name("kafka.test", "10.0.0.9", NULL);
    net.homes[9] = 2;
    net_run(3500);
    cr_assert_eq(n_rebootstraps(), 0);
    net_run(2000);
    cr_assert_eq(n_rebootstraps(), 1);
    uint64_t answers = net.pair.core->cluster.n_answers;
    net_run(2000);
    cr_assert_gt(net.pair.core->cluster.n_answers, answers);
    cr_assert_geq(net_n_opened("10.0.0.9"), 1);
    net_end();
}

Test(rebootstrap, a_broker_may_ask_for_it)
{
    static const char *const settings[] = {"bootstrap.servers=kafka.test:9092",
                                           "metadata.max.age.ms=500", NULL};
    begin(3, 3);
    settle_in(3);
    net_name("kafka.test", "10.0.0.1", NULL);
    net_start(settings);
    for (int i = 0; i < 3; i++)
        cr_assert(net_delivers(i, 1000), "%s", net.errors);
    net_name("kafka.test", "10.0.0.9", NULL);
    net.homes[9] = 0;
    change.on = true;
    change.error = KW_E_REBOOTSTRAP_REQUIRED;
    uint32_t n_opened = net_n_opened(NULL);
    for (int i = 0; i < 200 && n_rebootstraps() == 0; i++)
        net_run(10);
    cr_assert_eq(n_rebootstraps(), 1);
    cr_assert(strstr(net.errors, "REBOOTSTRAP_REQUIRED"), "%s", net.errors);
    net_run(2000);
    cr_assert_eq(n_rebootstraps(), 1, "once, although the seed says so too");
    cr_assert_leq(net_n_opened(NULL) - n_opened, 60, "no pause between attempts");
    for (int i = 1; i <= 3; i++) {
        char host[24];
        snprintf(host, sizeof host, "10.0.0.%d", i);
        cr_assert_eq(net_n_open(host), 0, "%s: all connections are let go", host);
    }
    change.on = false;
    for (int i = 0; i < 3; i++)
        cr_assert(net_delivers(i, 2000), "partition %d: %s", i, net.errors);
    cr_assert_geq(net_n_opened("10.0.0.9"), 1);
    cr_assert_eq(net.n_other, 0);
    net_end();
}

/* What a seed said of the cluster, and nobody else, counts against no broker: the seeds
 * are asked again. */
Test(rebootstrap, an_answer_of_a_seed_that_no_broker_confirms_is_asked_for_again)
{
    static const char *const settings[] = {"bootstrap.servers=10.0.0.9:9092",
                                           "metadata.max.age.ms=200", NULL};
    begin(3, 3);
    net.homes[9] = 0;
    change.on = true;
    change.cluster_id = "a-lie-of-the-seed";
    net_start(settings);
    for (int i = 0; i < 100 && change.n_changed == 0; i++)
        net_run(10);
    change.on = false;
    net.homes[9] = SIM_PAIR_REFUSE; /* so that a broker is asked next */
    break_all();
    for (int i = 0; i < 300 && !strstr(net.errors, "another cluster"); i++)
        net_run(10);
    cr_assert(strstr(net.errors, "another cluster"), "%s", net.errors);
    cr_assert_eq(n_rebootstraps(), 1);
    net.homes[9] = 0;
    uint32_t n_opened = net_n_opened(NULL);
    for (int i = 0; i < 3; i++)
        cr_assert(net_delivers(i, 3000), "%s", net.errors);
    net_run(1000);
    cr_assert_eq(n_rebootstraps(), 1);
    cr_assert_neq(memcmp(net.pair.core->cluster.cluster_id, "a-lie", 5), 0);
    cr_assert_leq(net_n_opened(NULL) - n_opened, 20, "no pause between attempts");
    net_end();
}

/* A seed is what the user says: another cluster there is taken over, and said aloud. */
Test(rebootstrap, the_configured_names_may_lead_to_another_cluster)
{
    begin(2, 2);
    settle_in(2);
    net_name("kafka.test", "10.0.0.1", NULL);
    net_start(from_name);
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    move_all(2);
    net_name("kafka.test", "10.0.0.101", NULL);
    change.on = true;
    change.cluster_id = "the-new-cluster";
    cr_assert(net_delivers(0, 5000), "%s", net.errors);
    cr_assert_eq(memcmp(net.pair.core->cluster.cluster_id, "the-new-cluster", 15), 0);
    net_end();
}
