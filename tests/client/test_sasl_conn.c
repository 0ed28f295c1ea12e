/* Authentication between a core and the broker model: each mechanism, what is
 * refused and how often it is tried, sessions that end under load, credentials that
 * change.
 *
 * covers: N35 S01 S08 S13 S15 S16 S19 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "proto/api.h"
#include "tests/sim/pair.h"
#include "tests/support/toy_crypto.h"

static struct {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_topic *topic;
    uint32_t n_made, n_delivered, n_other, n_errors, n_asked;
    bool all, op_done;
    int op_code;
    struct kw_error error, op_error;
} bed; /* one test a process */

static void bed_event(void *ctx, const struct kw_event *event)
{
    (void)ctx;
    if (event->kind == KW_EVENT_REPORT && event->report.outcome == KW_DELIVERED)
        bed.n_delivered += event->report.n;
    else if (event->kind == KW_EVENT_REPORT)
        bed.n_other += event->report.n;
    if (event->kind == KW_EVENT_ERROR) {
        bed.n_errors++;
        bed.error = *event->error;
    }
    bed.n_asked += event->kind == KW_EVENT_OAUTH_TOKEN_NEEDED;
    if (event->kind == KW_EVENT_OP_DONE) {
        bed.op_done = true;
        bed.op_code = event->code;
        if (event->error)
            bed.op_error = *event->error;
    }
    bed.all = bed.n_delivered + bed.n_other == bed.n_made;
}

static void bed_users(uint32_t mechanisms, uint32_t session_ms, const char *password)
{
    struct kw_mock_user users[] = {{"bob", "x"}, {"al,i=ce", password}, {"carol", "y"}};
    struct kw_mock_sasl sasl = {.mechanisms = mechanisms,
                                .users = users,
                                .n_users = 3,
                                .session_ms = session_ms,
                                .crypto = &toy_crypto};
    cr_assert_eq(kwi_mock_set_sasl(bed.pair.mock, &sasl), 0);
}

static void bed_begin(const char *mechanism, uint32_t session_ms)
{
    char setting[60];
    const char *settings[] = {"security.protocol=SASL_PLAINTEXT",
                              setting,
                              "sasl.username=al,i=ce",
                              "sasl.password=secret",
                              "sasl.allow.plaintext=true",
                              "request.timeout.ms=1000",
                              "reconnect.backoff.ms=10",
                              "reconnect.backoff.max.ms=1000",
                              "linger.ms=0",
                              NULL};
    struct kw_config *own = NULL;
    const char *producer[] = {"delivery.timeout.ms=60000", NULL};
    snprintf(setting, sizeof setting, "sasl.mechanism=%s", mechanism);
    cr_assert_eq(sim_pair_init(&bed.pair, SIM_MEMORY_PLAIN, 1, 1), 0);
    bed.pair.on_event = bed_event;
    bed_users(KWI_MOCK_ALL_MECHANISMS, session_ms, "secret");
    cr_assert_eq(sim_pair_core(&bed.pair, settings, NULL), 0);
    cr_assert_eq(sim_pair_config(&bed.pair, &own, producer), 0);
    cr_assert_eq(kw_core_producer_create(&bed.producer, bed.pair.core, own, NULL), 0);
    kw_config_destroy(own);
    cr_assert_eq(kw_core_topic_open(&bed.topic, bed.producer, "t", NULL), 0);
}

static void bed_end(void)
{
    cr_assert(!bed.pair.broken, "%s", bed.pair.why);
    kw_core_destroy(bed.pair.core);
    bed.pair.core = NULL;
    cr_assert_eq(bed.pair.memory.n_live, 0, "%lu blocks leaked",
                 (unsigned long)bed.pair.memory.n_live);
    sim_pair_deinit(&bed.pair);
}

static void bed_run(uint64_t ms)
{
    sim_pair_pass(&bed.pair, ms);
}

static void bed_make(void)
{
    char value[16];
    struct kw_record record = {
        .value = {value, (size_t)snprintf(value, sizeof value, "%u", bed.n_made)}};
    int rc = kw_core_produce(bed.topic, &record);
    sim_pair_called(&bed.pair);
    if (rc == KW_ERR_WOULD_BLOCK)
        return;
    cr_assert_geq(rc, 0, "%s", kw_err_name(rc));
    bed.n_made++;
    bed.all = false;
}

/* One record gets through. */
static void bed_must_deliver(void)
{
    for (int i = 0; i < 100 && kw_topic_partitions(bed.topic) == 0; i++)
        bed_run(50);
    bed_make();
    cr_assert_eq(bed.n_made, bed.n_delivered + 1);
    cr_assert(sim_pair_run(&bed.pair, &bed.all, 5000), "not delivered: %s", bed.error.text);
    cr_assert_eq(bed.n_other, 0);
}

static uint64_t n_tokens(void)
{
    return kwi_mock_n_requests(bed.pair.mock, KW_API_SASL_AUTHENTICATE);
}

static void set_token(const char *text, int64_t lifetime_ms)
{
    struct kw_oauth_token token = {.size = sizeof token, .token = text, .lifetime_ms = lifetime_ms};
    cr_assert_eq(kw_core_oauth_token_set(bed.pair.core, &token, NULL), 0);
    sim_pair_settle(&bed.pair);
}

Test(sasl_conn, plain_gets_through)
{
    bed_begin("PLAIN", 0);
    bed_must_deliver();
    bed_end();
}

Test(sasl_conn, scram_gets_through_with_both_hashes)
{
    bed_begin("SCRAM-SHA-256", 0);
    bed_must_deliver();
    bed_end();
    memset(&bed, 0, sizeof bed);
    bed_begin("SCRAM-SHA-512", 0);
    bed_must_deliver();
    bed_end();
}

Test(sasl_conn, a_connection_waits_for_its_token)
{
    bed_begin("OAUTHBEARER", 0);
    bed_run(1000);
    cr_assert_eq(bed.n_asked, 1);
    cr_assert_eq(n_tokens(), 0);
    set_token("bob", 3600000);
    bed_must_deliver();
    bed_end();
}

Test(sasl_conn, a_token_that_never_comes_is_said_so)
{
    bed_begin("OAUTHBEARER", 0);
    bed_run(12500);
    cr_assert_geq(bed.n_errors, 1);
    cr_assert(strstr(bed.error.text, "the application set no OAUTHBEARER token"), "%s",
              bed.error.text);
    cr_assert_eq(bed.error.code, KW_ERR_TIMEOUT);
    set_token("bob", -1);
    bed_run(2000);
    bed_must_deliver();
    bed_end();
}

Test(sasl_conn, a_refused_token_tells_what_the_broker_said)
{
    bed_begin("OAUTHBEARER", 0);
    set_token("mallory", -1);
    bed_run(100);
    cr_assert_eq(bed.error.code, KW_ERR_AUTH);
    cr_assert(strstr(bed.error.text, "invalid_token"), "%s", bed.error.text);
    bed_end();
}

Test(sasl_conn, a_wrong_password_is_told_at_once_and_not_tried_hot)
{
    static const char *const mechanisms[] = {"PLAIN", "SCRAM-SHA-256"};
    for (int i = 0; i < 2; i++) {
        struct kw_admin_request want = {.size = sizeof want, .kind = KW_ADMIN_METADATA};
        struct kw_admin_result *result = NULL;
        memset(&bed, 0, sizeof bed);
        bed_begin(mechanisms[i], 0);
        bed_users(KWI_MOCK_ALL_MECHANISMS, 0, "other");
        cr_assert_not_null(kw_core_admin(bed.pair.core, &want, &result, 30000, NULL));
        bed_run(700);
        cr_assert_eq(bed.error.code, KW_ERR_AUTH);
        cr_assert_eq(bed.error.phase, KW_PHASE_SASL);
        cr_assert_eq(bed.error.kafka_code, 58);
        cr_assert_not(bed.error.retriable);
        cr_assert(strstr(bed.error.text, "Invalid username or password"), "%s", bed.error.text);
        cr_assert(!strstr(bed.error.text, "secret"));
        cr_assert(bed.op_done, "the operation waits on");
        cr_assert_eq(bed.op_code, KW_ERR_AUTH);
        cr_assert_eq(n_tokens(), (uint64_t)(1 + i), "tried again within 0.7 s");
        bed_run(10000); /* by then, once a second, in the worst case 0.8 */
        cr_assert_leq(n_tokens(), (uint64_t)(1 + i) * 15);
        cr_assert_geq(n_tokens(), (uint64_t)(1 + i) * 5, "given up");
        /* The right one is taken by the next connection. */
        cr_assert_eq(kw_core_set(bed.pair.core, "sasl.password", "other", NULL), 0);
        bed_run(2500);
        bed_must_deliver();
        bed_end();
    }
}

Test(sasl_conn, a_mechanism_that_is_not_offered_is_refused_with_the_list)
{
    bed_begin("SCRAM-SHA-256", 0);
    bed_users(1u << KWI_MOCK_PLAIN | 1u << KWI_MOCK_SCRAM_SHA_512, 0, "secret");
    bed_run(100);
    cr_assert_eq(bed.error.code, KW_ERR_AUTH);
    cr_assert_eq(bed.error.kafka_code, 33);
    cr_assert(strstr(bed.error.text, "it takes: PLAIN, SCRAM-SHA-512"), "%s", bed.error.text);
    cr_assert_eq(n_tokens(), 0);
    bed_end();
}

Test(sasl_conn, a_listener_without_sasl_is_told_from_a_wrong_password)
{
    bed_begin("PLAIN", 0);
    cr_assert_eq(kwi_mock_set_sasl(bed.pair.mock, NULL), 0);
    bed_run(100);
    cr_assert_eq(bed.error.code, KW_ERR_AUTH);
    cr_assert(strstr(bed.error.text, "does not authenticate with SASL"), "%s", bed.error.text);
    bed_end();
}

Test(sasl_conn, a_connection_cut_in_between_says_where_and_is_tried_again)
{
    struct kw_mock_fault fault;
    bed_begin("SCRAM-SHA-256", 0);
    cr_assert_eq(kwi_mock_fault_parse("saslauthenticate:2:close-before", &fault, NULL), 0);
    cr_assert_eq(kwi_mock_fault_add(bed.pair.mock, &fault, NULL), 0);
    bed_must_deliver();
    cr_assert_eq(bed.error.phase, KW_PHASE_SASL);
    cr_assert(strstr(bed.error.text, "cannot authenticate to"), "%s", bed.error.text);
    cr_assert(strstr(bed.error.hint, "password"), "%s", bed.error.hint);
    bed_end();
}

/* Damage is no proof of anything: it is tried again, as that of any other answer.
 * Byte 10 of the one frame begins the count of mechanisms, 11 of the other is the
 * length of the error text. */
Test(sasl_conn, an_answer_that_cannot_be_read_is_tried_again)
{
    static const char *const specs[] = {"saslhandshake:1:corrupt=10",
                                        "saslauthenticate:1:corrupt=11"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        struct kw_mock_fault fault;
        bed_begin(i % 2 ? "PLAIN" : "SCRAM-SHA-512", 0);
        cr_assert_eq(kwi_mock_fault_parse(specs[i], &fault, NULL), 0);
        cr_assert_eq(kwi_mock_fault_add(bed.pair.mock, &fault, NULL), 0);
        bed_must_deliver();
        cr_expect_eq(bed.error.code, KW_ERR_PROTOCOL, "%s: %s", specs[i], bed.error.text);
        cr_expect_eq(bed.error.phase, KW_PHASE_SASL, "%s", specs[i]);
        cr_expect(strstr(bed.error.text, "cannot be read"), "%s", bed.error.text);
        bed_end();
        memset(&bed, 0, sizeof bed);
    }
}

static void bed_fault(const char *spec)
{
    struct kw_mock_fault fault;
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, NULL), 0, "%s", spec);
    cr_assert_eq(kwi_mock_fault_add(bed.pair.mock, &fault, NULL), 0);
}

/* Whichever answer of the way in never comes: it ends with the setup timeout, says what
 * it waited for, takes no turns meanwhile, and the next connection gets through. */
Test(sasl_conn, each_round_that_is_never_answered_ends_with_the_setup_timeout)
{
    static const struct {
        const char *mechanism, *spec, *text;
        int phase;
    } rows[] = {
        {"PLAIN", "apiversions:1:drop-answer", "ApiVersions", KW_PHASE_VERSIONS},
        {"PLAIN", "saslhandshake:1:drop-answer", "SaslHandshake", KW_PHASE_SASL},
        {"PLAIN", "saslauthenticate:1:drop-answer", "SaslAuthenticate", KW_PHASE_SASL},
        {"SCRAM-SHA-256", "saslhandshake:1:drop-answer", "SaslHandshake", KW_PHASE_SASL},
        {"SCRAM-SHA-256", "saslauthenticate:1:drop-answer", "SaslAuthenticate", KW_PHASE_SASL},
        {"SCRAM-SHA-512", "saslauthenticate:2:drop-answer", "SaslAuthenticate", KW_PHASE_SASL},
        {"OAUTHBEARER", "saslauthenticate:1:drop-answer", "SaslAuthenticate", KW_PHASE_SASL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(&bed, 0, sizeof bed);
        bed_begin(rows[i].mechanism, 0);
        bed_fault(rows[i].spec);
        if (strcmp(rows[i].mechanism, "OAUTHBEARER") == 0)
            set_token("bob", -1);
        bed_run(7000); /* the setup timeout is 10 s, and jitter takes a fifth of it */
        uint64_t steps = bed.pair.n_steps;
        cr_expect_eq(bed.n_errors, 0, "%s: too early: %s", rows[i].spec, bed.error.text);
        cr_expect_leq(steps, 60u, "%s: %lu steps", rows[i].spec, (unsigned long)steps);
        bed_run(6000);
        cr_expect_eq(bed.n_errors, 1, "%s: %u errors", rows[i].spec, bed.n_errors);
        cr_expect_eq(bed.error.code, KW_ERR_TIMEOUT, "%s: %s", rows[i].spec, bed.error.text);
        cr_expect_eq(bed.error.phase, rows[i].phase, "%s", rows[i].spec);
        cr_expect(strstr(bed.error.text, rows[i].text), "%s: %s", rows[i].spec, bed.error.text);
        bed_must_deliver();
        bed_end();
    }
}

/* The same in the middle of a session: nothing is lost. */
Test(sasl_conn, each_round_of_a_prolongation_that_is_never_answered_ends_and_records_survive)
{
    static const char *const specs[] = {"saslhandshake:3-4:drop-answer",
                                        "saslauthenticate:5-6:drop-answer"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        memset(&bed, 0, sizeof bed);
        bed_begin("SCRAM-SHA-256", 2000);
        bed_fault(specs[i]);
        bed_must_deliver();
        for (int k = 0; k < 400; k++) {
            bed_make();
            sim_pair_step(&bed.pair, 10000);
        }
        cr_expect(sim_pair_run(&bed.pair, &bed.all, 30000), "%s: %s", specs[i], bed.error.text);
        cr_expect_eq(bed.n_delivered, bed.n_made);
        cr_expect_eq(bed.error.code, KW_ERR_TIMEOUT, "%s: %s", specs[i], bed.error.text);
        cr_expect_eq(bed.error.phase, KW_PHASE_SASL, "%s", specs[i]);
        struct kw_mock_partition_info info;
        cr_assert_eq(kwi_mock_partition(bed.pair.mock, "t", 0, &info), 0);
        cr_expect_eq(info.end_offset, bed.n_made, "%lld in the log of %u",
                     (long long)info.end_offset, bed.n_made);
        bed_end();
    }
}

/* Batches are always under way; sessions last 1.2 s; the model closes a connection
 * that sends anything after its session, so a late one would be lost. */
static void sessions(const char *mechanism, uint64_t n_requests)
{
    struct kw_stats stats;
    uint64_t before;
    bed_begin(mechanism, 1200);
    if (strcmp(mechanism, "OAUTHBEARER") == 0)
        set_token("bob", -1);
    bed_must_deliver();
    before = kwi_mock_n_requests(bed.pair.mock, KW_API_API_VERSIONS);
    for (int i = 0; i < 3000; i++) {
        bed_make();
        sim_pair_step(&bed.pair, 2000);
    }
    cr_assert(sim_pair_run(&bed.pair, &bed.all, 5000), "not delivered: %s", bed.error.text);
    kw_core_stats(bed.pair.core, &stats);
    cr_assert_gt(bed.n_made, 1000);
    cr_assert_eq(bed.n_delivered, bed.n_made);
    cr_assert_eq(stats.requests_lost, 0);
    cr_assert_eq(stats.batch_retries, 0);
    /* 6 s: five times on the connection for producing, and on the other. */
    cr_assert_geq(stats.reauths, 8, "%llu", (unsigned long long)stats.reauths);
    cr_assert_leq(stats.reauths, 14, "%llu", (unsigned long long)stats.reauths);
    cr_assert_geq(n_tokens(), stats.reauths * n_requests);
    cr_assert_eq(kwi_mock_n_requests(bed.pair.mock, KW_API_API_VERSIONS), before,
                 "a connection was made anew");
    bed_end();
}

Test(sasl_conn, sessions_of_plain_are_prolonged_under_load)
{
    sessions("PLAIN", 1);
}

Test(sasl_conn, sessions_of_scram_are_prolonged_under_load)
{
    sessions("SCRAM-SHA-512", 2);
}

Test(sasl_conn, sessions_of_oauthbearer_are_prolonged_under_load)
{
    sessions("OAUTHBEARER", 1);
}

/* A JoinGroup may wait for the slowest member far longer than a session lasts: it is let
 * wait, and then the session is prolonged. */
static void held(const char *join, const char *sasl)
{
    static const char *const settings[] = {"group.id=g", NULL};
    static const char *const topics[] = {"t"};
    struct kw_config *own = NULL;
    struct kw_consumer *consumer;
    struct kw_stats stats;
    bed_begin("PLAIN", 2000);
    kwi_mock_set_coordinator(bed.pair.mock, 0);
    bed_fault(join);
    if (sasl)
        bed_fault(sasl);
    cr_assert_eq(sim_pair_config(&bed.pair, &own, settings), 0);
    cr_assert_eq(kw_core_consumer_create(&consumer, bed.pair.core, own, NULL), 0);
    kw_config_destroy(own);
    cr_assert_eq(kw_core_subscribe(consumer, topics, 1, NULL), 0);
    sim_pair_called(&bed.pair);
    bed_run(29000);
    cr_assert_eq(bed.n_errors, 0, "%s", bed.error.text);
    bed_run(20000);
    kw_core_stats(bed.pair.core, &stats);
    cr_assert_eq(bed.n_errors, 0, "%s", bed.error.text);
    cr_assert_eq(stats.requests_lost, 0);
    cr_assert_gt(kwi_mock_n_requests(bed.pair.mock, KW_API_SYNC_GROUP), 0);
    bed_end();
}

Test(sasl_conn, a_request_that_the_broker_holds_outlives_the_session)
{
    held("joingroup:1:delay=30000", NULL);
}

/* Its time was just about to be over again when the answer came. */
Test(sasl_conn, what_is_prolonged_late_has_the_time_that_it_else_has)
{
    held("joingroup:1:delay=21900", "saslhandshake:*:delay=800");
}

Test(sasl_conn, a_session_that_cannot_be_prolonged_is_an_error_and_records_survive)
{
    bed_begin("PLAIN", 2000);
    bed_must_deliver();
    bed_users(KWI_MOCK_ALL_MECHANISMS, 2000, "changed");
    /* The model forgot who we are: the next request ends the connection, and the
     * next connection is refused, until the password is right again. */
    bed_make();
    bed_run(3000);
    cr_assert_eq(bed.error.code, KW_ERR_AUTH);
    cr_assert_eq(kw_core_set(bed.pair.core, "sasl.password", "changed", NULL), 0);
    cr_assert(sim_pair_run(&bed.pair, &bed.all, 20000), "%s", bed.error.text);
    cr_assert_eq(bed.n_delivered, bed.n_made);
    bed_end();
}

/* Whichever allocation fails, it is got over: by waiting, or by the next connection. */
static void sweep(const char *mechanism, uint64_t least)
{
    uint64_t n = 0;
    for (bool refused = true; refused; n++) {
        memset(&bed, 0, sizeof bed);
        bed_begin(mechanism, 1100);
        if (strcmp(mechanism, "OAUTHBEARER") == 0)
            set_token("bob", -1);
        bed.pair.memory.fail_from = bed.pair.memory.n_allocs + n;
        bed.pair.memory.fail_to = bed.pair.memory.fail_from + 1;
        for (int i = 0; i < 400 && kw_topic_partitions(bed.topic) == 0; i++)
            sim_pair_step(&bed.pair, 50000);
        for (int i = 0; i < 50; i++) { /* two sessions */
            char value[] = "v";
            struct kw_record record = {.value = {value, 1}};
            if (kw_core_produce(bed.topic, &record) >= 0)
                bed.n_made++;
            bed.all = false;
            sim_pair_called(&bed.pair);
            sim_pair_step(&bed.pair, 50000);
        }
        cr_assert_gt(bed.n_made, 30, "allocation %llu: %s", (unsigned long long)n, bed.error.text);
        cr_assert(bed.all || sim_pair_run(&bed.pair, &bed.all, 40000), "allocation %llu: %s",
                  (unsigned long long)n, bed.error.text);
        cr_assert_eq(bed.n_delivered, bed.n_made, "allocation %llu", (unsigned long long)n);
        refused = bed.pair.memory.n_refused > 0;
        bed_end();
    }
    cr_assert_gt(n, least, "only %llu allocations", (unsigned long long)n);
}

Test(sasl_conn, plain_and_scram_get_over_every_allocation_that_fails)
{
    sweep("PLAIN", 15);
    sweep("SCRAM-SHA-256", 15);
}

Test(sasl_conn, oauthbearer_gets_over_every_allocation_that_fails)
{
    sweep("OAUTHBEARER", 15);
}
