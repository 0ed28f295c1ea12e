/* Raw requests against a broker model: every way there, both forms of the body,
 * answers that are lost, and memory that is short.
 *
 * covers: I9 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/pair.h"
#include <kwire/proto.h>

enum { METADATA = 3, FIND_COORDINATOR = 10, ELECT_LEADERS = 43, PRODUCE = 0 };

struct bench {
    struct sim_pair pair;
    unsigned n_done;
    int code;
    struct kw_error error;
    struct kw_raw_result *result;
};
static struct bench bench;

static void bench_event(void *ctx, const struct kw_event *event)
{
    (void)ctx;
    if (event->kind != KW_EVENT_OP_DONE)
        return;
    bench.n_done++;
    bench.code = event->code;
    memset(&bench.error, 0, sizeof bench.error);
    if (event->error)
        bench.error = *event->error;
}

static const char *const usual[] = {"retry.backoff.ms=20",     "retry.backoff.max.ms=100",
                                    "reconnect.backoff.ms=10", "reconnect.backoff.max.ms=100",
                                    "request.timeout.ms=1000", NULL};

static void bench_begin(void)
{
    memset(&bench, 0, sizeof bench);
    cr_assert_eq(sim_pair_init(&bench.pair, SIM_MEMORY_PLAIN, 3, 2), 0);
    bench.pair.on_event = bench_event;
    cr_assert_eq(sim_pair_core(&bench.pair, usual, NULL), 0);
}

static void bench_end(void)
{
    cr_assert(!bench.pair.broken, "%s", bench.pair.why);
    kw_core_destroy(bench.pair.core);
    bench.pair.core = NULL;
    kw_raw_result_destroy(bench.result); /* it outlives the client */
    cr_assert_eq(bench.pair.memory.n_live, 0, "%lu blocks leaked",
                 (unsigned long)bench.pair.memory.n_live);
    sim_pair_deinit(&bench.pair);
}

static void bench_fault(const char *spec)
{
    struct kw_mock_fault fault;
    const char *why = "";
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, &why), 0, "%s: %s", spec, why);
    cr_assert_eq(kwi_mock_fault_add(bench.pair.mock, &fault, NULL), 0);
}

static struct kw_raw_request raw_json(int16_t api_key, int16_t version, const char *json)
{
    return (struct kw_raw_request){.size = sizeof(struct kw_raw_request),
                                   .api_key = api_key,
                                   .version = version,
                                   .json = true,
                                   .body = {json, strlen(json)}};
}

static struct kw_raw_request raw_metadata(int16_t version)
{
    return raw_json(METADATA, version,
                    version == 1
                        ? "{\"topics\":[{\"name\":\"t\"}]}"
                        : "{\"topics\":[{\"topicId\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"name\":\"t\"}],"
                          "\"allowAutoTopicCreation\":false,"
                          "\"includeTopicAuthorizedOperations\":false}");
}

static struct kw_raw_request raw_find(void)
{
    return raw_json(FIND_COORDINATOR, 6, "{\"keyType\":0,\"coordinatorKeys\":[\"g\"]}");
}

/* Starts it; the test steps. */
static struct kw_op *bench_start(const struct kw_raw_request *request, int32_t timeout_ms)
{
    kw_raw_result_destroy(bench.result);
    bench.result = NULL;
    return kw_core_request_raw(bench.pair.core, request, &bench.result, timeout_ms, NULL);
}

/* Runs the request to its end; returns the op's code. */
static int bench_run(const struct kw_raw_request *request, int32_t timeout_ms)
{
    unsigned before = bench.n_done;
    cr_assert_not_null(bench_start(request, timeout_ms));
    for (int i = 0; i < 4000 && bench.n_done == before; i++)
        sim_pair_step(&bench.pair, 5000);
    cr_assert_eq(bench.n_done, before + 1, "the op did not end once");
    cr_assert_eq(bench.result != NULL, bench.code == 0, "a result, and only then");
    return bench.code;
}

static bool bench_answer_has(const char *part)
{
    char text[4096];
    size_t len;
    cr_assert_eq(kw_proto_decode_json(bench.result->api_key, bench.result->version,
                                      KW_PROTO_RESPONSE, bench.result->body.ptr,
                                      bench.result->body.len, text, sizeof text - 1, &len, NULL),
                 0);
    text[len] = '\0';
    return strstr(text, part) != NULL;
}

Test(raw, json_goes_to_any_broker_in_the_newest_version_that_both_have)
{
    struct kw_raw_request request = raw_metadata(-1);
    bench_begin();
    cr_assert_eq(bench_run(&request, 5000), 0, "%s", bench.error.text);
    cr_assert_eq(bench.result->version, 13);
    cr_assert(bench_answer_has("\"name\":\"t\",\"topicId\""));
    bench_end();
}

Test(raw, a_version_may_be_chosen_that_the_client_itself_does_not_use)
{
    struct kw_raw_request request = raw_metadata(1);
    static const uint8_t bytes[] = {0, 0, 0, 1, 0, 1, 't'};
    bench_begin();
    cr_assert_eq(bench_run(&request, 5000), 0, "%s", bench.error.text);
    cr_assert_eq(bench.result->version, 1);
    cr_assert(bench_answer_has("\"name\":\"t\",\"isInternal\":false"));
    request.version = 0;
    request.json = false;
    request.body = (struct kw_bytes){bytes, sizeof bytes};
    cr_assert_eq(bench_run(&request, 5000), 0, "%s", bench.error.text);
    cr_assert_eq(bench.result->version, 0);
    cr_assert(bench_answer_has("\"name\":\"t\",\"partitions\""));
    bench_end();
}

Test(raw, a_broker_is_reached_by_its_id_and_the_controller_without)
{
    struct kw_raw_request request = raw_metadata(-1);
    bench_begin();
    request.to = KW_RAW_BROKER;
    for (int32_t id = 0; id < 3; id++) {
        request.broker = id;
        cr_assert_eq(bench_run(&request, 5000), 0, "%s", bench.error.text);
        cr_assert_eq(bench.result->broker, id);
    }
    request.to = KW_RAW_CONTROLLER;
    request.broker = 77; /* is not looked at */
    cr_assert_eq(bench_run(&request, 5000), 0, "%s", bench.error.text);
    cr_assert_eq(bench.result->broker, 0, "the model's controller is its first broker");
    kwi_mock_broker_down(bench.pair.mock, 0, false);
    for (int i = 0; i < 100; i++) /* the client sees that it is gone */
        sim_pair_step(&bench.pair, 5000);
    cr_assert_eq(bench_run(&request, 10000), 0, "%s", bench.error.text);
    cr_assert_eq(bench.result->broker, 1, "and then the next");
    bench_end();
}

Test(raw, a_broker_that_nobody_knows_is_named_at_the_deadline)
{
    struct kw_raw_request request = raw_metadata(-1);
    bench_begin();
    request.to = KW_RAW_BROKER;
    request.broker = 99;
    cr_assert_eq(bench_run(&request, 700), KW_ERR_TIMEOUT);
    cr_assert(strstr(bench.error.text, "no broker 99"), "%s", bench.error.text);
    bench_end();
}

Test(raw, a_coordinator_is_looked_up_and_looked_up_again)
{
    struct kw_raw_request request = raw_metadata(-1);
    bench_begin();
    request.key = "group";
    for (request.to = KW_RAW_GROUP; request.to <= KW_RAW_TRANSACTION; request.to++) {
        kwi_mock_set_coordinator(bench.pair.mock, 2);
        cr_assert_eq(bench_run(&request, 5000), 0, "%s", bench.error.text);
        cr_assert_eq(bench.result->broker, 2);
        /* There is none for a while. */
        kwi_mock_set_coordinator(bench.pair.mock, -1);
        unsigned before = bench.n_done;
        cr_assert_not_null(bench_start(&request, 5000));
        for (int i = 0; i < 40; i++)
            sim_pair_step(&bench.pair, 5000);
        cr_assert_eq(bench.n_done, before);
        kwi_mock_set_coordinator(bench.pair.mock, 1);
        for (int i = 0; i < 100 && bench.n_done == before; i++)
            sim_pair_step(&bench.pair, 5000);
        cr_assert(bench.n_done == before + 1 && bench.code == 0, "%s", bench.error.text);
        cr_assert_eq(bench.result->broker, 1);
    }
    bench_end();
}

Test(raw, a_coordinator_that_is_refused_or_never_comes_ends_the_operation)
{
    struct kw_raw_request request = raw_metadata(-1);
    bench_begin();
    request.to = KW_RAW_GROUP;
    request.key = "group";
    cr_assert_eq(bench_run(&request, 500), KW_ERR_TIMEOUT);
    cr_assert_eq(bench.error.kafka_code, 15, "%s", bench.error.text);
    bench_fault("findcoordinator:*:error=GROUP_AUTHORIZATION_FAILED");
    cr_assert_eq(bench_run(&request, 5000), KW_ERR_BROKER);
    cr_assert_eq(bench.error.kafka_code, 30, "%s", bench.error.text);
    bench_end();
}

/* The message is not idempotent for all we know. */
Test(raw, a_message_that_was_sent_is_not_sent_again)
{
    static const char *const faults[] = {"findcoordinator:1:close-before",
                                         "findcoordinator:1:close-after",
                                         "findcoordinator:1:drop-answer"};
    for (unsigned i = 0; i < 3; i++) {
        struct kw_raw_request request = raw_find();
        bench_begin();
        bench_fault(faults[i]);
        int rc = bench_run(&request, 5000);
        cr_assert(rc < 0 && rc != KW_ERR_UNSUPPORTED, "%s: %d", faults[i], rc);
        cr_assert_eq(kwi_mock_n_requests(bench.pair.mock, FIND_COORDINATOR), 1, "%s", faults[i]);
        cr_assert_eq(bench_run(&request, 5000), 0, "%s: %s", faults[i], bench.error.text);
        bench_end();
    }
}

Test(raw, a_message_that_was_not_sent_waits_for_a_broker)
{
    struct kw_raw_request request = raw_find();
    bench_begin();
    bench.pair.refuse = true;
    cr_assert_not_null(bench_start(&request, 5000));
    for (int i = 0; i < 100; i++)
        sim_pair_step(&bench.pair, 5000);
    cr_assert_eq(bench.n_done, 0);
    bench.pair.refuse = false;
    for (int i = 0; i < 400 && !bench.n_done; i++)
        sim_pair_step(&bench.pair, 5000);
    cr_assert_eq(bench.n_done, 1);
    cr_assert_eq(bench.code, 0, "%s", bench.error.text);
    bench.pair.refuse = true;
    bench_end();
}

Test(raw, a_body_that_is_no_such_message_is_refused_with_its_place)
{
    static const uint8_t cut[] = {0, 0, 0, 1, 0, 9, 't'};
    struct kw_raw_request request = raw_json(METADATA, 1, "{\"topics\":[{\"name\":7}]}");
    bench_begin();
    cr_assert_eq(bench_run(&request, 5000), KW_ERR_SYNTAX);
    cr_assert(strstr(bench.error.text, "topics[0].name at byte 19: a string"), "%s",
              bench.error.text);
    request.json = false;
    request.body = (struct kw_bytes){cut, sizeof cut};
    cr_assert_eq(bench_run(&request, 5000), KW_ERR_SHORT);
    cr_assert(strstr(bench.error.text, "topics[0].name at byte 6: needs 9 bytes"), "%s",
              bench.error.text);
    request.body = (struct kw_bytes){NULL, 0};
    cr_assert_eq(bench_run(&request, 5000), KW_ERR_SHORT);
    cr_assert_eq(bench.pair.core != NULL, true);
    bench_end();
}

Test(raw, what_the_broker_does_not_offer_is_unsupported)
{
    struct kw_raw_request request = raw_json(ELECT_LEADERS, -1, "{\"timeoutMs\":1000}");
    bench_begin();
    cr_assert_eq(bench_run(&request, 5000), KW_ERR_UNSUPPORTED);
    cr_assert(strstr(bench.error.text, "ElectLeaders"), "%s", bench.error.text);
    bench_end();
}

Test(raw, a_message_without_an_answer_ends_when_it_is_written)
{
    struct kw_raw_request request = raw_json(
        PRODUCE, 9, "{\"transactionalId\":null,\"acks\":0,\"timeoutMs\":1000,\"topicData\":[]}");
    bench_begin();
    cr_assert_eq(bench_run(&request, 5000), 0, "%s", bench.error.text);
    cr_assert_eq(bench.result->body.len, 0);
    cr_assert_eq(bench_run(&request, 5000), 0, "the connection is still good");
    request = raw_metadata(-1);
    cr_assert_eq(bench_run(&request, 5000), 0, "%s", bench.error.text);
    bench_end();
}

Test(raw, a_large_message_goes_in_one_piece)
{
    size_t cap = 70000, len = 0;
    char *json = malloc(cap);
    struct kw_raw_request request = raw_json(METADATA, 1, "");
    len += (size_t)snprintf(json, cap, "{\"topics\":[{\"name\":\"t\"}");
    while (len < 60000)
        len += (size_t)snprintf(json + len, cap - len, ",{\"name\":\"missing-%zu\"}", len);
    len += (size_t)snprintf(json + len, cap - len, "]}");
    request.body = (struct kw_bytes){json, len};
    bench_begin();
    cr_assert_eq(bench_run(&request, 5000), 0, "%s", bench.error.text);
    cr_assert_gt(bench.result->body.len, 10000);
    free(json);
    bench_end();
}

/* Two requests on one connection, which the broker looks at one after the other; so long
 * it takes for each. Runs until both have ended; returns when that was, in ms. */
static unsigned bench_two(const char *first, const char *second)
{
    struct kw_raw_request requests[2] = {raw_find(), raw_metadata(-1)};
    struct kw_raw_result *results[2] = {NULL, NULL};
    unsigned ms = 0, before = bench.n_done;
    bench_fault(first);
    bench_fault(second);
    for (int i = 0; i < 2; i++) {
        requests[i].to = KW_RAW_BROKER;
        cr_assert_not_null(
            kw_core_request_raw(bench.pair.core, &requests[i], &results[i], 20000, NULL));
    }
    for (; ms < 10000 && bench.n_done < before + 2; ms += 10)
        sim_pair_step(&bench.pair, 10000);
    cr_assert_eq(bench.n_done, before + 2);
    cr_assert_not_null(results[0]);
    for (int i = 0; i < 2; i++)
        kw_raw_result_destroy(results[i]);
    return ms;
}

/* request.timeout.ms is 1 s. */
Test(raw, a_request_does_not_pay_for_the_time_that_the_one_before_it_took)
{
    struct kw_raw_request request = raw_metadata(-1);
    bench_begin();
    request.to = KW_RAW_BROKER;
    cr_assert_eq(bench_run(&request, 5000), 0, "%s", bench.error.text);
    unsigned ms = bench_two("findcoordinator:1:delay=900", "metadata:1:delay=900");
    cr_assert_eq(bench.code, 0, "%s", bench.error.text);
    cr_assert(ms >= 1800 && ms < 1900, "%u", ms);
    /* It has no more than its time. */
    ms = bench_two("findcoordinator:1:delay=900", "metadata:1:delay=5000");
    cr_assert_neq(bench.code, 0);
    cr_assert(strstr(bench.error.text, "within request.timeout.ms (1000)"), "%s", bench.error.text);
    cr_assert(ms >= 1900 && ms < 2000, "%u", ms);
    bench_end();
}

Test(raw, a_request_that_makes_no_sense_ends_with_a_use_error)
{
    struct kw_raw_request good = raw_metadata(-1), bad[9];
    for (unsigned i = 0; i < 9; i++)
        bad[i] = good;
    bad[0].size = 8;
    bad[1].api_key = 999;
    bad[2].version = -2;
    bad[3].version = 99;
    bad[4].to = 5;
    bad[5].to = KW_RAW_BROKER;
    bad[5].broker = -1;
    bad[6].to = KW_RAW_GROUP;
    bad[7].body.ptr = NULL;
    bad[8].api_key = 2; /* ListOffsets begins with version 1 */
    bad[8].version = 0;
    bench_begin();
    for (unsigned i = 0; i < 9; i++) {
        cr_assert_eq(bench_run(&bad[i], 5000), KW_ERR_USE, "case %u", i);
        cr_assert_neq(bench.error.text[0], 0);
    }
    unsigned before = bench.n_done;
    cr_assert_not_null(kw_core_request_raw(bench.pair.core, &good, NULL, 5000, NULL));
    sim_pair_step(&bench.pair, 5000);
    cr_assert(bench.n_done == before + 1 && bench.code == KW_ERR_USE);
    kw_raw_result_destroy(NULL);
    bench_end();
}

Test(raw, it_may_be_cancelled_or_its_client_destroyed_at_any_time)
{
    for (unsigned way = 0; way < 4; way++) {
        for (unsigned turns = 0; turns < 16; turns++) {
            struct kw_raw_request request = raw_find();
            bench_begin();
            kwi_mock_set_coordinator(bench.pair.mock, 2);
            request.to = way & 1 ? KW_RAW_GROUP : KW_RAW_ANY;
            request.key = "g";
            struct kw_op *op = bench_start(&request, 5000);
            cr_assert_not_null(op);
            for (unsigned i = 0; i < turns && bench.n_done == 0; i++)
                sim_pair_turn(&bench.pair);
            if (way & 2 && bench.n_done == 0) {
                cr_assert_eq(kw_core_op_cancel(op), 0);
                for (int i = 0; i < 100; i++)
                    sim_pair_step(&bench.pair, 5000);
                cr_assert_eq(bench.n_done, 1);
                cr_assert_eq(bench.code, KW_ERR_CANCELED);
                cr_assert_null(bench.result);
            }
            bench_end();
        }
    }
}

/* Each allocation in turn fails, once or for half a second: the call says that
 * memory is short, or the operation ends, and nothing leaks. */
Test(raw, each_failed_allocation_is_survived, .timeout = 300)
{
    for (int once = 0; once < 2; once++) {
        for (uint64_t k = 0;; k++) {
            struct kw_raw_request request = raw_find();
            bench_begin();
            struct sim_memory *memory = &bench.pair.memory;
            kwi_mock_set_coordinator(bench.pair.mock, 2);
            request.to = KW_RAW_GROUP;
            request.key = "g";
            memory->fail_from = memory->n_allocs + k;
            memory->fail_to = once ? memory->fail_from + 1 : UINT64_MAX;
            bool started = bench_start(&request, 20000) != NULL;
            for (int i = 0; i < 100 && started && !bench.n_done; i++)
                sim_pair_step(&bench.pair, 5000);
            bool hit = memory->n_refused > 0;
            sim_memory_heal(memory);
            for (int i = 0; i < 4000 && started && !bench.n_done; i++)
                sim_pair_step(&bench.pair, 5000);
            cr_assert(!started || bench.n_done == 1, "%lu: it did not end", (unsigned long)k);
            cr_assert(!bench.n_done || bench.code == 0 || bench.code == KW_ERR_NOMEM, "%lu: %d %s",
                      (unsigned long)k, bench.code, bench.error.text);
            cr_assert(hit || bench.code == 0);
            bench_end();
            if (!hit)
                break;
        }
    }
}
