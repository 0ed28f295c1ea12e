/* What a person is told, between a core and the broker model: which right is
 * missing, which side of a connection is set up wrongly, and that nobody waits for
 * what cannot come.
 *
 * covers: B10 S16 N32 N34 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "client/conn_why.h"
#include "client/core.h"
#include "client/error_text.h"
#include "proto/api.h"
#include "proto/error.h"
#include "tests/sim/pair.h"
#include "tests/support/toy_crypto.h"

static struct {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_topic *topic;
    uint32_t n_errors, n_told, count, n_lines;
    char line[512];
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
        bed.n_told += event->count;
        bed.count = event->count;
    }
    if (event->kind == KW_EVENT_OP_DONE) {
        bed.op_done = true;
        bed.op_code = event->code;
        if (event->error)
            bed.op_error = *event->error;
    }
}

static void bed_line(void *ctx, int level, const char *text)
{
    (void)ctx;
    (void)level;
    bed.n_lines++;
    snprintf(bed.line, sizeof bed.line, "%s", text);
}

static void bed_begin(const char *const *settings)
{
    cr_assert_eq(sim_pair_init(&bed.pair, SIM_MEMORY_PLAIN, 1, 1), 0);
    bed.pair.on_event = bed_event;
    bed.pair.log = (struct kw_log_sink){.line = bed_line, .level = 4};
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
    sim_pair_pass(&bed.pair, ms);
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
    cr_assert_eq(bed.op_code, KW_ERR_AUTH);
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

Test(errors, what_a_broker_says_does_not_steer_the_terminal)
{
    static const char message[] = "\x1b]0;x\x07\nkw: 5 delivered";
    struct kw_error err;
    kwi_error_kafka(&err, KW_E_INVALID_CONFIG, "cannot", message, sizeof message - 1);
    for (const char *c = err.text; *c; c++)
        cr_assert((unsigned char)*c >= 0x20, "%s", err.text);
    cr_assert(strstr(err.text, "]0;x??kw: 5 delivered"), "%s", err.text);
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

/* ---- how often ------------------------------------------------------------------ */

Test(errors, refused_twenty_times_is_one_line_and_then_one_with_the_number)
{
    static const char *const hot[] = {"reconnect.backoff.ms=200", "reconnect.backoff.max.ms=200",
                                      NULL};
    uint32_t n;
    bed_begin(hot);
    bed.pair.refuse = true;
    bed_ask();
    bed_run(9500);
    cr_assert_eq(bed.n_errors, 1, "%u events", bed.n_errors);
    cr_assert_eq(bed.count, 1);
    cr_assert_eq(bed.n_lines, 1, "%u lines", bed.n_lines);
    bed_run(1000);
    cr_assert_eq(bed.n_errors, 2);
    cr_assert_geq(bed.count, 20);
    cr_assert_eq(bed.n_lines, 2, "%u lines", bed.n_lines);
    cr_assert(strstr(bed.line, "times in 10 s"), "%s", bed.line);
    n = bed.count;
    bed_run(10000);
    cr_assert_eq(bed.n_errors, 3);
    cr_assert_geq(bed.count, n / 2);
    bed_end();
}

Test(errors, the_number_is_told_though_it_came_no_more)
{
    struct kw_error err = {.code = KW_ERR_CONNECT, .text = "x"};
    bed_begin(plain);
    for (int i = 0; i < 7; i++) {
        kwi_event_error(bed.pair.core, &err);
        bed_run(1);
    }
    bed_run(9000);
    cr_assert_eq(bed.n_errors, 1);
    bed_run(2000);
    cr_assert_eq(bed.n_errors, 2);
    cr_assert_eq(bed.n_told, 7);
    bed_run(30000);
    cr_assert_eq(bed.n_errors, 2, "an error that is over is told again");
    bed_end();
}

Test(errors, more_different_errors_than_there_are_slots_do_not_fill_a_log)
{
    struct kw_error err = {.code = KW_ERR_CONNECT};
    bed_begin(plain);
    for (int i = 0; i < 1000; i++) {
        snprintf(err.text, sizeof err.text, "error %d", i);
        kwi_event_error(bed.pair.core, &err);
        bed_run(1);
    }
    cr_assert_eq(bed.n_errors, KWI_ERROR_SLOTS);
    cr_assert_eq(bed.n_told, KWI_ERROR_SLOTS);
    cr_assert_leq(bed.n_lines, KWI_ERROR_SLOTS);
    bed_run(11000);
    cr_assert_eq(bed.n_told, 1000, "%u are missing", 1000 - bed.n_told);
    cr_assert(strstr(bed.error.text, "other errors, the last of them: error 999"), "%s",
              bed.error.text);
    bed_end();
}

Test(errors, a_line_of_the_log_does_not_come_again_within_its_interval)
{
    bed_begin(plain);
    for (int i = 0; i < 20; i++) {
        kwi_log(bed.pair.core, 4, "the same %s", "line");
        bed_run(100);
    }
    cr_assert_eq(bed.n_lines, 1);
    kwi_log(bed.pair.core, 4, "another line");
    kwi_log(bed.pair.core, 7, "too detailed");
    cr_assert_eq(bed.n_lines, 2);
    bed_run(10000);
    kwi_log(bed.pair.core, 4, "the same %s", "line");
    cr_assert_eq(bed.n_lines, 3);
    cr_assert_str_eq(bed.line, "the same line (19 times more before)");
    bed_end();
}

Test(errors, those_that_wait_to_be_taken_keep_their_numbers)
{
    struct kw_error err = {.code = KW_ERR_CONNECT};
    bed_begin(plain);
    for (int i = 0; i < 1000; i++) {
        snprintf(err.text, sizeof err.text, "error %d", i);
        kwi_event_error(bed.pair.core, &err);
    }
    bed_run(1);
    cr_assert_eq(bed.n_errors, KWI_ERROR_SLOTS, "%u", bed.n_errors);
    cr_assert_eq(bed.n_told, 1000, "%u", bed.n_told);
    bed_end();
}
