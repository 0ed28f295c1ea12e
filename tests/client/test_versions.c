/* What brokers offer, answers in the wrong form, and quotas: everything that belongs to
 * one connection alone.
 *
 * covers: B08 N24 N25 N26 N39 P30 */
#include "tests/client/net_bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/core.h"
#include "proto/api.h"
#include "proto/api_versions.h"

enum { HEAD = 8, KEYS_MAX = 128 }; /* size and correlation id; the header has no tags */

/* Which answer of its connection this is, from 1 on. */
static int answer_number(const struct sim_pair_conn *conn)
{
    static int seen[SIM_PAIR_CONNS + 1];
    cr_assert_leq(conn->id, (uint32_t)SIM_PAIR_CONNS);
    return ++seen[conn->id];
}

static size_t put_size(uint8_t *frame, size_t len)
{
    for (int i = 0; i < 4; i++)
        frame[i] = (uint8_t)((len - 4) >> (24 - 8 * i));
    return len;
}

/* ---- N24: what the answer to ApiVersions may be --------------------------------------- */

static struct {
    /* Changes the list of APIs; NULL: bytes replace the answer's body. */
    size_t (*change)(struct kw_api_versions_response_key *keys, size_t n);
    const uint8_t *bytes;
    size_t len;
    int times; /* how many answers are changed, -1: all */
    bool cut;  /* half of the answer is missing */
    int n_changed;
} plan;

static size_t change_list(uint8_t *frame, size_t len)
{
    static struct kw_api_versions_response_key keys[KEYS_MAX];
    static uint8_t body[SIM_PAIR_ANSWER];
    struct kw_api_versions_response msg;
    struct kw_iter it;
    size_t n = 0;
    cr_assert_eq(kwi_api_versions_response_decode(&msg, 4, frame + HEAD, len - HEAD, NULL), 0);
    for (kwi_iter_init(&it, &msg.api_keys); kwi_iter_next(&it, &keys[n]);)
        n++;
    n = plan.change(keys, n);
    msg.api_keys = KWI_ARR(keys, n);
    struct kw_wr wr = kwi_wr_make(body, sizeof body);
    cr_assert_eq(kwi_api_versions_response_encode(&msg, 4, &wr), 0);
    memcpy(frame + HEAD, body, wr.len);
    return HEAD + wr.len;
}

static size_t versions_answer(void *ctx, struct sim_pair_conn *conn, uint8_t *frame, size_t len)
{
    (void)ctx;
    if (answer_number(conn) != 1 || plan.n_changed == plan.times)
        return len;
    plan.n_changed++;
    if (plan.change)
        return put_size(frame, change_list(frame, len));
    if (plan.cut)
        return put_size(frame, HEAD + (len - HEAD) / 2);
    memcpy(frame + HEAD, plan.bytes, plan.len);
    return put_size(frame, HEAD + plan.len);
}

static void versions_begin(void)
{
    net_begin(1, 1);
    net.pair.on_frame = versions_answer;
    plan.times = -1;
}

/* Nothing gets through, the error has this code and text, and attempts have pauses. */
static void must_fail(int code, const char *text)
{
    net_start(NULL);
    net_run(2000);
    cr_assert_eq(kw_topic_partitions(net.topic), 0);
    cr_assert(strstr(net.errors, text), "%s is missing in %s", text, net.errors);
    cr_assert_eq(net.error.code, code, "%s: %s", kw_err_name(net.error.code), net.errors);
    cr_assert(net_n_opened(NULL) >= 1 && net_n_opened(NULL) <= 60, "%u connections in 2 s",
              net_n_opened(NULL));
    cr_assert_leq(kwi_mock_n_requests(net.pair.mock, KW_API_API_VERSIONS), 120);
}

Test(versions, a_broker_that_does_not_know_the_version_of_the_question_is_asked_by_a_lower_one)
{
    /* Error 35 in the form of version 0, with what it does know: ApiVersions 0 to 2. */
    static const uint8_t old[] = {0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 2};
    versions_begin();
    plan.bytes = old;
    plan.len = sizeof old;
    net_start(NULL);
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    cr_assert_geq(plan.n_changed, 1);
    cr_assert_eq(net.n_errors, 0, "%s", net.errors);
    net_end();
}

static size_t no_version(void *ctx, struct sim_pair_conn *conn, uint8_t *frame, size_t len)
{
    static const uint8_t none[] = {0, 35, 0, 0, 0, 0};
    (void)ctx;
    (void)conn;
    (void)len;
    memcpy(frame + HEAD, none, sizeof none);
    return put_size(frame, HEAD + sizeof none);
}

Test(versions, one_that_knows_no_version_at_all_is_not_asked_for_ever)
{
    net_begin(1, 1);
    net.pair.on_frame = no_version;
    must_fail(KW_ERR_PROTOCOL, "UNSUPPORTED_VERSION");
    net_end();
}

Test(versions, one_that_hangs_up_at_the_question_is_asked_by_lower_ones)
{
    net_begin(1, 1);
    net_fault("ApiVersions:1-2:close-before");
    net_start(NULL);
    cr_assert(net_delivers(0, 2000), "%s", net.errors);
    cr_assert_geq(net_n_opened(NULL), 3);
    net_end();
}

static size_t only_itself(struct kw_api_versions_response_key *keys, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (keys[i].api_key == KW_API_API_VERSIONS)
            keys[k++] = keys[i];
    return k;
}

Test(versions, one_that_offers_a_single_api_is_named_as_such)
{
    versions_begin();
    plan.change = only_itself;
    must_fail(KW_ERR_UNSUPPORTED, "Metadata");
    net_end();
}

static size_t upside_down(struct kw_api_versions_response_key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (keys[i].api_key == KW_API_METADATA) {
            keys[i].min_version = 9;
            keys[i].max_version = 2;
        }
    }
    return n;
}

Test(versions, a_range_that_ends_before_it_begins_holds_no_version)
{
    versions_begin();
    plan.change = upside_down;
    must_fail(KW_ERR_UNSUPPORTED, "Metadata");
    net_end();
}

static size_t strange_keys(struct kw_api_versions_response_key *keys, size_t n)
{
    static const int16_t strange[] = {INT16_MAX, INT16_MIN, -1, 5000};
    for (size_t i = 0; i < 4; i++) {
        kwi_api_versions_response_key_init(&keys[n]);
        keys[n].api_key = strange[i];
        keys[n].min_version = i % 2 ? 0 : INT16_MIN;
        keys[n++].max_version = INT16_MAX;
    }
    return n;
}

Test(versions, keys_that_nobody_knows_are_passed_over)
{
    versions_begin();
    plan.change = strange_keys;
    net_start(NULL);
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    cr_assert_eq(net.n_errors, 0, "%s", net.errors);
    net_end();
}

Test(versions, half_an_answer_is_no_answer)
{
    versions_begin();
    plan.cut = true;
    must_fail(KW_ERR_PROTOCOL, "ApiVersions cannot be read");
    net_end();
}

/* ---- N25: something is not there any more ----------------------------------------------- */

Test(offers, an_api_that_is_missing_is_an_error_of_its_feature_alone)
{
    static const struct kw_mock_versions versions[] = {{KW_API_CREATE_TOPICS, 0, -1}};
    struct kw_mock_config config = {.n_brokers = 1, .versions = versions, .n_versions = 1};
    struct kw_admin_request create = {.size = sizeof create,
                                      .kind = KW_ADMIN_CREATE_TOPIC,
                                      .topic = "new",
                                      .partitions = 1,
                                      .replication_factor = 1};
    net_begin_of(&config, 1);
    net_start(NULL);
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    uint32_t n_opened = net_n_opened(NULL);
    cr_assert_not_null(kw_core_admin(net.pair.core, &create, NULL, 5000, NULL));
    for (int i = 0; i < 100 && net.n_op_done == 0; i++)
        net_run(10);
    cr_assert_eq(net.n_op_done, 1);
    cr_assert_eq(net.op_code, KW_ERR_UNSUPPORTED);
    cr_assert(strstr(net.op_error.text, "CreateTopics"), "%s", net.op_error.text);
    cr_assert_leq(net_n_opened(NULL), n_opened + 1, "no connection is lost by it");
    cr_assert(net_delivers(0, 200), "%s", net.errors);
    net_end();
}

static size_t produce_of_the_future(struct kw_api_versions_response_key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (keys[i].api_key == KW_API_PRODUCE)
            keys[i].min_version = keys[i].max_version = 100;
    return n;
}

/* A broker that has dropped every version of Produce that we speak: records are told so,
 * metadata works. */
Test(offers, versions_that_were_removed_are_an_error_of_their_feature_alone)
{
    static const char *const settings[] = {"delivery.timeout.ms=3000", NULL};
    versions_begin();
    plan.change = produce_of_the_future;
    net_start(settings);
    net_make(0);
    for (int i = 0; i < 500 && !net.all; i++)
        net_run(10);
    cr_assert_eq(net.n_other, 1, "the record has an outcome");
    cr_assert_eq(kw_topic_partitions(net.topic), 1);
    cr_assert_eq(net.outcome_code, KW_ERR_UNSUPPORTED, "%s", kw_err_name(net.outcome_code));
    net_end();
}

/* ---- N39: headers of another form --------------------------------------------------------- */

static struct {
    int number; /* of the answer on its connection that is changed */
    bool newer; /* a byte more, else one less */
    int n_changed;
} form;

/* The header of a flexible answer ends with the number of its tags, a zero byte. */
static size_t form_answer(void *ctx, struct sim_pair_conn *conn, uint8_t *frame, size_t len)
{
    (void)ctx;
    if (answer_number(conn) != form.number || form.n_changed > 0)
        return len;
    form.n_changed++;
    if (form.newer) {
        memmove(frame + HEAD + 1, frame + HEAD, len - HEAD);
        frame[HEAD] = 0;
        return put_size(frame, len + 1);
    }
    cr_assert_eq(frame[HEAD], 0);
    memmove(frame + HEAD, frame + HEAD + 1, len - HEAD - 1);
    return put_size(frame, len - 1);
}

static void form_run(int number, bool newer)
{
    form.number = number;
    form.newer = newer;
    net_begin(1, 1);
    net.pair.on_frame = form_answer;
    net_start(NULL);
    cr_assert(net_delivers(0, 3000), "%s", net.errors);
    cr_assert_eq(form.n_changed, 1);
    cr_assert_geq(net.n_errors, 1, "nobody was told");
    cr_assert_eq(net.error.code, KW_ERR_PROTOCOL, "%s", net.errors);
    cr_assert(net.pair.conns[0]->closed || net.pair.conns[1]->closed);
    net_end();
}

Test(form, a_header_that_is_newer_than_that_of_the_version_is_seen_in_the_first_answer)
{
    form_run(1, true);
}

Test(form, a_header_that_is_newer_is_seen_in_any_answer)
{
    form_run(2, true);
}

Test(form, a_header_that_is_older_is_seen_in_any_answer)
{
    form_run(2, false);
}

/* ---- quotas (KIP-219) ----------------------------------------------------------------- */

static uint64_t ms_since(uint64_t begin_us)
{
    return (net.pair.now.mono_us - begin_us) / 1000;
}

/* A pause is never longer than request.timeout.ms, and so than delivery.timeout.ms. */
Test(quota, a_connection_is_silent_for_as_long_as_its_broker_asks)
{
    net_begin(2, 2);
    net_start(NULL);
    cr_assert(net_delivers(0, 1000) && net_delivers(1, 1000), "%s", net.errors);
    net_fault("produce:1:throttle=400:broker=0");
    cr_assert(net_delivers(0, 100), "the answer itself is not held back");
    uint64_t begin_us = net.pair.now.mono_us;
    uint64_t n = kwi_mock_n_requests(net.pair.mock, KW_API_PRODUCE);
    net_make(0);
    net_run(350);
    cr_assert_eq(kwi_mock_n_requests(net.pair.mock, KW_API_PRODUCE), n, "sent all the same");
    cr_assert(net_delivers(1, 20), "the other broker has nothing to do with it");
    while (net.n_delivered[0] < 3 && ms_since(begin_us) < 3000)
        net_run(1);
    cr_assert(ms_since(begin_us) >= 390 && ms_since(begin_us) <= 420, "after %lu ms",
              (unsigned long)ms_since(begin_us));
    cr_assert(net_delivers(0, 20), "and then it is over");
    net_end();
}

Test(quota, nobody_is_silent_for_weeks)
{
    struct kw_stats stats;
    net_begin(1, 1);
    net_start(NULL);
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    net_fault("produce:1:throttle=2147483647");
    cr_assert(net_delivers(0, 100));
    uint64_t begin_us = net.pair.now.mono_us;
    cr_assert(net_delivers(0, 2000), "request.timeout.ms, of 1 s here, is the most");
    cr_assert_geq(ms_since(begin_us), 900);
    kw_core_stats(net.pair.core, &stats);
    cr_assert_eq(stats.throttles, 1);
    net_end();
}

/* Produce 5 comes from a broker that has held the answer back already. */
Test(quota, an_older_answer_tells_of_a_pause_that_is_over)
{
    static const struct kw_mock_versions versions[] = {{KW_API_PRODUCE, 3, 5}};
    struct kw_mock_config config = {.n_brokers = 1, .versions = versions, .n_versions = 1};
    net_begin_of(&config, 1);
    net_start(NULL);
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    net_fault("produce:1:throttle=800");
    cr_assert(net_delivers(0, 100));
    cr_assert(net_delivers(0, 50), "%s", net.errors);
    net_end();
}

Test(quota, a_raw_answer_counts_as_well)
{
    struct kw_raw_request request = {
        .size = sizeof request,
        .api_key = KW_API_DESCRIBE_CONFIGS,
        .version = 4,
        .to = KW_RAW_BROKER,
        .broker = 0,
        .json = true,
        .body = {"{\"resources\":[],\"includeSynonyms\":false,\"includeDocumentation\":false}",
                 68}};
    struct kw_raw_result *result = NULL;
    net_begin(1, 1);
    net_start(NULL);
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    request.body.len = strlen(request.body.ptr);
    net_fault("DescribeConfigs:1:throttle=300");
    for (uint32_t i = 1; i <= 2; i++) {
        uint64_t begin_us = net.pair.now.mono_us;
        cr_assert_not_null(kw_core_request_raw(net.pair.core, &request, &result, 5000, NULL));
        for (int k = 0; k < 1000 && net.n_op_done < i; k++)
            net_run(1);
        cr_assert_eq(net.op_code, 0, "%s", net.op_error.text);
        kw_raw_result_destroy(result);
        if (i == 2)
            cr_assert_geq(ms_since(begin_us), 280);
        else
            cr_assert_leq(ms_since(begin_us), 50);
    }
    net_end();
}
