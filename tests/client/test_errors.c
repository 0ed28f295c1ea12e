/* What a person is told, between a core and the broker model: which right is
 * missing, which side of a connection is set up wrongly, and that nobody waits for
 * what cannot come.
 *
 * covers: S16 N32 N34 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "client/conn_why.h"
#include "proto/api.h"
#include "proto/error.h"
#include "tests/sim/pair.h"
#include "tests/support/toy_crypto.h"

static struct {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_topic *topic;
    uint32_t n_errors;
    bool op_done;
    int op_code;
    struct kw_error error, op_error;
} bed; /* one test a process */

static void bed_event(void *ctx, const struct kw_event *event)
{
    (void)ctx;
    if (event->kind == KW_EVENT_ERROR) {
        bed.n_errors++;
        bed.error = *event->error;
    }
    if (event->kind == KW_EVENT_OP_DONE) {
        bed.op_done = true;
        bed.op_code = event->code;
        if (event->error)
            bed.op_error = *event->error;
    }
}

static void bed_begin(const char *const *settings)
{
    cr_assert_eq(sim_pair_init(&bed.pair, SIM_MEMORY_PLAIN, 1, 1), 0);
    bed.pair.on_event = bed_event;
    cr_assert_eq(sim_pair_core(&bed.pair, settings, NULL), 0);
    cr_assert_eq(kw_core_producer_create(&bed.producer, bed.pair.core, NULL, NULL), 0);
}

static void bed_end(void)
{
    cr_assert(!bed.pair.broken, "%s", bed.pair.why);
    kw_core_destroy(bed.pair.core);
    bed.pair.core = NULL;
    cr_assert_eq(bed.pair.memory.n_live, 0);
    sim_pair_deinit(&bed.pair);
}

static void bed_run(uint64_t ms)
{
    bool never = false;
    sim_pair_run(&bed.pair, &never, ms);
}

static void bed_fault(const char *spec)
{
    struct kw_mock_fault fault;
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, NULL), 0);
    cr_assert_eq(kwi_mock_fault_add(bed.pair.mock, &fault, NULL), 0);
}

static struct kw_admin_result *result;

static void bed_ask(void)
{
    struct kw_admin_request want = {.size = sizeof want, .kind = KW_ADMIN_METADATA};
    cr_assert_not_null(kw_core_admin(bed.pair.core, &want, &result, 30000, NULL));
    sim_pair_called(&bed.pair);
}

static const char *const plain[] = {"reconnect.backoff.ms=10", "reconnect.backoff.max.ms=1000",
                                    "linger.ms=0", NULL};

Test(errors, a_listener_that_wants_sasl_is_told_from_a_broker_that_went_away)
{
    struct kw_mock_user user = {"u", "p"};
    struct kw_mock_sasl sasl = {
        .mechanisms = KWI_MOCK_ALL_MECHANISMS, .users = &user, .n_users = 1, .crypto = &toy_crypto};
    bed_begin(plain);
    cr_assert_eq(kwi_mock_set_sasl(bed.pair.mock, &sasl), 0);
    bed_ask();
    bed_run(1500); /* three attempts: the first may be an accident */
    cr_assert(bed.op_done, "the operation waits on");
    cr_assert_eq(bed.op_code, KW_ERR_PROTOCOL);
    cr_assert_eq(bed.op_error.phase, KW_PHASE_SASL);
    cr_assert_not(bed.error.retriable);
    cr_assert(strstr(bed.op_error.text, "closed the connection at the first request"), "%s",
              bed.op_error.text);
    cr_assert(strstr(bed.op_error.hint, "security.protocol"), "%s", bed.op_error.hint);
    bed_end();
}

Test(errors, a_broker_that_served_once_is_waited_for)
{
    bed_begin(plain);
    bed_ask();
    bed_run(5);
    cr_assert_eq(bed.op_code, 0);
    bed.op_done = false;
    bed_fault("metadata:1-3:close-before");
    kw_admin_result_destroy(result);
    bed_ask();
    bed_run(5000);
    cr_assert(bed.op_done);
    cr_assert_eq(bed.op_code, 0, "%s", bed.op_error.text);
    kw_admin_result_destroy(result);
    bed_end();
}

Test(errors, a_right_that_is_missing_is_named_with_operation_and_resource)
{
    struct kw_record record = {.value = {"v", 1}};
    bed_begin(plain);
    cr_assert_eq(kw_core_topic_open(&bed.topic, bed.producer, "t", NULL), 0);
    sim_pair_called(&bed.pair);
    for (int i = 0; i < 100 && kw_topic_partitions(bed.topic) == 0; i++)
        bed_run(50);
    bed_fault("produce:*:error=TOPIC_AUTHORIZATION_FAILED");
    for (int i = 0; i < 20; i++) { /* each is a batch of its own; one line is enough */
        cr_assert_geq(kw_core_produce(bed.topic, &record), 0);
        sim_pair_called(&bed.pair);
        bed_run(20);
    }
    cr_assert_eq(bed.n_errors, 1);
    cr_assert_eq(bed.error.kafka_code, KW_E_TOPIC_AUTHORIZATION_FAILED);
    cr_assert_str_eq(bed.error.text,
                     "not authorized to Write on topic t: TOPIC_AUTHORIZATION_FAILED (29)");
    cr_assert_str_eq(bed.error.hint,
                     "kafka-acls.sh --add --allow-principal User:NAME --operation Write --topic t");
    bed_end();
}

static void explains(int16_t code, int16_t api, const char *name, const char *text,
                     const char *hint)
{
    struct kw_error err;
    kw_kafka_error_explain(&err, code, api, name, "alice");
    cr_assert_eq(err.kafka_code, code);
    cr_assert_eq(err.code, KW_ERR_BROKER);
    cr_assert(strstr(err.text, text), "%s", err.text);
    cr_assert(strstr(err.hint, hint), "%s", err.hint);
}

Test(errors, codes_of_answers_are_explained)
{
    char longest[250];
    explains(29, KW_API_FETCH, "t", "to Read on topic t:", "User:alice --operation Read --topic t");
    explains(29, KW_API_LIST_OFFSETS, "t", "to Describe on topic t:", "--operation Describe");
    explains(29, KW_API_CREATE_TOPICS, "t", "to Create on topic t:", "--operation Create");
    explains(30, KW_API_JOIN_GROUP, "g", "to Read on group g:", "--operation Read --group g");
    explains(30, KW_API_FIND_COORDINATOR, "g", "to Describe on group g:", "--group g");
    explains(31, KW_API_INIT_PRODUCER_ID, "ignored",
             "to IdempotentWrite on the cluster:", "--operation IdempotentWrite --cluster");
    explains(53, KW_API_INIT_PRODUCER_ID, "x",
             "to Write on transactional id x:", "--transactional-id x");
    explains(65, KW_API_DESCRIBE_DELEGATION_TOKEN, "d", "delegation token d", "--delegation-token");
    explains(3, KW_API_PRODUCE, "t", "t: UNKNOWN_TOPIC_OR_PARTITION (3)", "create the topic");
    explains(3, KW_API_PRODUCE, NULL, "Produce: UNKNOWN_TOPIC", "create the topic");
    kw_kafka_error_explain(NULL, 29, 0, NULL, NULL);
    memset(longest, 'n', 249);
    longest[249] = 0;
    explains(29, KW_API_PRODUCE, longest, "nnn...: TOPIC_AUTHORIZATION_FAILED (29)",
             "User:NAME --operation Write --topic ...");
}

Test(errors, an_address_that_a_broker_gave_is_not_blamed_on_us)
{
    struct kw_broker broker = {.node_id = 7};
    struct kw_error err = {.hint = "ours"};
    kwi_why_advertised(&broker, &err);
    cr_assert_eq(err.broker, 7);
    cr_assert(strstr(err.hint, "broker 7 names this address in advertised.listeners"), "%s",
              err.hint);
    cr_assert_lt(strlen(err.hint), sizeof err.hint - 1, "cut off");
    broker.node_id = -2;
    snprintf(err.hint, sizeof err.hint, "ours");
    kwi_why_advertised(&broker, &err);
    cr_assert_str_eq(err.hint, "ours");
}
