/* A mechanism of the application's own, against the broker model: PLAIN, made by the
 * test. At once and late, refused by either side, over and over for sessions that end.
 *
 * covers: S13 S15 S16 S17 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "proto/api.h"
#include "tests/sim/pair.h"
#include "tests/support/toy_crypto.h"

static struct {
    struct sim_pair pair;
    struct kw_sasl_hook hook;
    int verdict; /* of the next first step */
    const char *password, *why;
    uint32_t exchange, n_first, n_more, n_ended;
    uint32_t n_errors;
    bool op_done;
    int op_code;
    struct kw_error error, op_error;
    struct kw_admin_result *result;
    char token[64], big[70000];
    size_t len;
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

static int hook_step(void *ctx, struct kw_sasl_step *step)
{
    int verdict = bed.verdict;
    cr_assert_eq(ctx, &bed);
    cr_assert_eq(step->size, sizeof *step);
    cr_assert_str_eq(step->host, "127.0.0.1");
    cr_assert_eq(step->port, 9092);
    bed.exchange = step->exchange;
    if (!step->is_first) {
        cr_assert_eq(step->state, &bed.token, "the state is not ours");
        cr_assert_eq(step->challenge.len, 0);
        bed.n_more++;
        return KW_SASL_DONE;
    }
    cr_assert_null(step->state);
    step->state = &bed.token;
    bed.n_first++;
    bed.len = 3 + (size_t)snprintf(bed.token + 3, sizeof bed.token - 3, "%s", bed.password) + 1;
    memcpy(bed.token, "\0u\0", 3);
    bed.len--;
    step->token = (struct kw_bytes){bed.token, bed.len};
    step->why = bed.why;
    if (verdict == 77)
        step->token = (struct kw_bytes){bed.big, sizeof bed.big};
    if (verdict < 0)
        bed.verdict = KW_SASL_SEND; /* once */
    return verdict == 77 ? KW_SASL_SEND : verdict;
}

static void hook_end(void *ctx, void *state)
{
    cr_assert_eq(ctx, &bed);
    cr_assert_eq(state, &bed.token);
    bed.n_ended++;
}

static const char *const settings[] = {
    "security.protocol=SASL_PLAINTEXT", "sasl.mechanism=CUSTOM",   "reconnect.backoff.ms=10",
    "reconnect.backoff.max.ms=1000",    "request.timeout.ms=1000", NULL};

static void bed_begin(uint32_t session_ms)
{
    struct kw_mock_user user = {"u", "p"};
    struct kw_mock_sasl sasl = {.mechanisms = 1u << KWI_MOCK_PLAIN,
                                .users = &user,
                                .n_users = 1,
                                .session_ms = session_ms,
                                .crypto = &toy_crypto};
    cr_assert_eq(sim_pair_init(&bed.pair, SIM_MEMORY_PLAIN, 1, 1), 0);
    bed.password = "p";
    bed.verdict = KW_SASL_SEND;
    bed.hook = (struct kw_sasl_hook){.size = sizeof bed.hook,
                                     .mechanism = "PLAIN",
                                     .ctx = &bed,
                                     .step = hook_step,
                                     .end = hook_end};
    bed.pair.on_event = bed_event;
    bed.pair.sasl = &bed.hook;
    cr_assert_eq(kwi_mock_set_sasl(bed.pair.mock, &sasl), 0);
    cr_assert_eq(sim_pair_core(&bed.pair, settings, NULL), 0);
}

static void bed_end(void)
{
    kw_admin_result_destroy(bed.result);
    cr_assert(!bed.pair.broken, "%s", bed.pair.why);
    kw_core_destroy(bed.pair.core);
    bed.pair.core = NULL;
    cr_assert_eq(bed.pair.memory.n_live, 0);
    cr_assert_eq(bed.n_ended, bed.n_first, "an exchange was not ended once");
    sim_pair_deinit(&bed.pair);
}

static void bed_run(uint64_t ms)
{
    sim_pair_pass(&bed.pair, ms);
}

static void bed_ask(void)
{
    struct kw_admin_request want = {.size = sizeof want, .kind = KW_ADMIN_METADATA};
    bed.op_done = false;
    kw_admin_result_destroy(bed.result);
    bed.result = NULL;
    cr_assert_not_null(kw_core_admin(bed.pair.core, &want, &bed.result, 120000, NULL));
    sim_pair_called(&bed.pair);
}

static void bed_must_answer(uint64_t ms)
{
    bed_run(ms);
    cr_assert(bed.op_done, "%s", bed.error.text);
    cr_assert_eq(bed.op_code, 0, "%s", bed.op_error.text);
}

Test(sasl_hook, a_mechanism_of_the_applications_own_gets_through)
{
    bed_begin(0);
    bed_ask();
    bed_must_answer(100);
    cr_assert_eq(bed.n_first, bed.n_more);
    cr_assert_geq(bed.n_first, 1);
    bed_end();
}

Test(sasl_hook, it_is_asked_again_before_a_session_ends)
{
    bed_begin(1200);
    bed_ask();
    bed_must_answer(100);
    for (int i = 0; i < 10; i++) {
        bed_ask();
        bed_must_answer(500);
    }
    cr_assert_geq(bed.n_more, 4);
    cr_assert_eq(bed.n_errors, 0, "%s", bed.error.text);
    bed_end();
}

Test(sasl_hook, a_token_may_come_later)
{
    struct kw_bytes token;
    bed_begin(0);
    bed.verdict = KW_SASL_LATER;
    bed_ask();
    bed_run(300);
    cr_assert_not(bed.op_done);
    cr_assert_eq(bed.n_first, 1);
    token = (struct kw_bytes){bed.token, bed.len};
    cr_assert_eq(kw_core_sasl_answer(bed.pair.core, bed.exchange + 1, KW_SASL_SEND, &token, NULL),
                 KW_ERR_STATE);
    cr_assert_eq(kw_core_sasl_answer(bed.pair.core, bed.exchange, KW_SASL_LATER, &token, NULL),
                 KW_ERR_USE);
    cr_assert_eq(kw_core_sasl_answer(NULL, bed.exchange, KW_SASL_SEND, &token, NULL), KW_ERR_USE);
    cr_assert_eq(kw_core_sasl_answer(bed.pair.core, bed.exchange, KW_SASL_SEND, &token, NULL), 0);
    cr_assert_eq(kw_core_sasl_answer(bed.pair.core, bed.exchange, KW_SASL_SEND, &token, NULL),
                 KW_ERR_STATE, "answered twice");
    sim_pair_called(&bed.pair);
    bed.verdict = KW_SASL_SEND;
    bed_must_answer(100);
    bed_end();
}

Test(sasl_hook, a_token_that_never_comes_is_said_so)
{
    bed_begin(0);
    bed.verdict = KW_SASL_LATER;
    bed_ask();
    bed_run(12500);
    cr_assert_eq(bed.error.code, KW_ERR_TIMEOUT);
    cr_assert_eq(bed.error.phase, KW_PHASE_SASL);
    cr_assert(strstr(bed.error.text, "kw_sasl_answer"), "%s", bed.error.text);
    cr_assert_eq(kw_core_sasl_answer(bed.pair.core, 1, KW_ERR_AUTH, NULL, "too late"),
                 KW_ERR_STATE);
    bed.verdict = KW_SASL_SEND;
    bed_must_answer(40000); /* the second attempt waits, too, and longer */
    bed_end();
}

Test(sasl_hook, what_it_refuses_is_final_and_has_its_words)
{
    bed_begin(0);
    bed.verdict = KW_ERR_AUTH;
    bed.why = "the ticket has expired";
    bed_ask();
    bed_run(50);
    cr_assert(bed.op_done);
    cr_assert_eq(bed.op_code, KW_ERR_AUTH);
    cr_assert_str_eq(bed.op_error.text,
                     "cannot authenticate to 127.0.0.1:9092 with PLAIN: the ticket has expired");
    cr_assert_not(bed.op_error.retriable);
    bed_end();
}

Test(sasl_hook, what_may_mend_is_tried_again)
{
    static const int codes[] = {KW_ERR_NOMEM, KW_ERR_CONNECT, KW_ERR_TIMEOUT};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        memset(&bed, 0, sizeof bed);
        bed_begin(0);
        bed.verdict = codes[i];
        bed_ask();
        bed_must_answer(2000);
        cr_assert_eq(bed.error.code, codes[i]);
        bed_end();
    }
}

Test(sasl_hook, a_late_refusal_and_a_verdict_that_is_none_end_it_too)
{
    bed_begin(0);
    bed.verdict = KW_SASL_LATER;
    bed_ask();
    bed_run(20);
    cr_assert_eq(kw_core_sasl_answer(bed.pair.core, bed.exchange, KW_ERR_AUTH, NULL, NULL), 0);
    sim_pair_called(&bed.pair);
    bed_run(20);
    cr_assert_eq(bed.op_code, KW_ERR_AUTH);
    cr_assert(strstr(bed.op_error.text, "KW_ERR_AUTH"), "%s", bed.op_error.text);
    bed.verdict = 12345;
    bed_run(2000);
    bed_ask();
    bed_run(3000);
    cr_assert_eq(bed.op_code, KW_ERR_AUTH);
    cr_assert(strstr(bed.op_error.text, "KW_ERR_USE"), "%s", bed.op_error.text);
    bed_end();
}

Test(sasl_hook, a_token_above_the_limit_is_not_sent)
{
    bed_begin(0);
    bed.verdict = 77;
    bed_ask();
    bed_run(50);
    cr_assert_eq(bed.op_code, KW_ERR_AUTH);
    cr_assert(strstr(bed.op_error.text, "above 64 KiB"), "%s", bed.op_error.text);
    cr_assert_eq(kwi_mock_n_requests(bed.pair.mock, KW_API_SASL_AUTHENTICATE), 0);
    bed_end();
}

Test(sasl_hook, what_the_broker_refuses_is_told_in_its_words)
{
    bed_begin(0);
    bed.password = "wrong";
    bed_ask();
    bed_run(50);
    cr_assert_eq(bed.op_code, KW_ERR_AUTH);
    cr_assert(strstr(bed.op_error.text, "refused to authenticate us with PLAIN"), "%s",
              bed.op_error.text);
    cr_assert(!strstr(bed.op_error.text, "wrong"));
    bed_end();
}

/* Returns what kw_core_create says. */
static int create(const struct kw_sasl_hook *hook, struct kw_error *err)
{
    struct kw_config *cfg = NULL;
    struct kw_core *core;
    struct kw_env env = {.sasl = hook};
    int rc;
    cr_assert_eq(sim_pair_init(&bed.pair, SIM_MEMORY_PLAIN, 1, 1), 0);
    env.alloc = sim_memory_alloc(&bed.pair.memory);
    cr_assert_eq(sim_pair_config(&bed.pair, &cfg, settings), 0);
    cr_assert_eq(kw_config_set(cfg, "bootstrap.servers", "h:1", NULL), 0);
    rc = kw_core_create(&core, cfg, &env, err);
    kw_config_destroy(cfg);
    kw_core_destroy(core);
    sim_pair_deinit(&bed.pair);
    return rc;
}

Test(sasl_hook, what_cannot_be_used_is_refused_when_the_client_is_made)
{
    struct kw_error err;
    struct kw_sasl_hook hook = {.size = sizeof hook, .mechanism = "X-1_A", .step = hook_step};
    cr_assert_eq(create(&hook, &err), 0, "%s", err.text);
    cr_assert_eq(create(NULL, &err), KW_ERR_CONFIG);
    cr_assert(strstr(err.hint, "kw_env.sasl"), "%s", err.hint);
    hook.has_secret = true;
    cr_assert_eq(create(&hook, &err), KW_ERR_CONFIG);
    cr_assert(strstr(err.text, "not encrypted"), "%s", err.text);
    hook.has_secret = false;
    hook.step = NULL;
    cr_assert_eq(create(&hook, &err), KW_ERR_USE);
    hook.step = hook_step;
    hook.size = 8;
    cr_assert_eq(create(&hook, &err), KW_ERR_USE);
    hook.size = sizeof hook;
    static const char *const names[] = {"", "lower", "A B", "ABCDEFGHIJKLMNOPQRSTU", NULL};
    for (int i = 0; i < 5; i++) {
        hook.mechanism = names[i];
        cr_assert_eq(create(&hook, &err), KW_ERR_USE, "%s", names[i]);
    }
}
