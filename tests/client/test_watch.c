/* What kw_env.watch is told: each step of setting a connection up, in order, with its
 * time; and what failed, where.
 *
 * covers: N32 S16 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/pair.h"
#include "tests/support/toy_crypto.h"

static struct {
    struct sim_pair pair;
    char seen[4096];
    struct kw_error error;
    int64_t session_ms;
    struct kw_admin_result *result;
} bed; /* one test a process */

static void bed_watch(void *ctx, const struct kw_conn_step *step)
{
    static const char *const names[] = {"none",     "resolve", "connect", "tls",
                                        "versions", "sasl",    "request", "config"};
    size_t len = strlen(bed.seen);
    cr_assert_eq(ctx, &bed);
    cr_assert_eq(step->size, sizeof *step);
    cr_assert_str_eq(step->host, "127.0.0.1");
    cr_assert_eq(step->port, 9092);
    cr_assert((step->conn == 0) == (step->phase == KW_PHASE_RESOLVE));
    snprintf(bed.seen + len, sizeof bed.seen - len, "%s%s%s%s ", names[step->phase],
             step->broker >= 0 ? "@" : "", step->error ? "!" : "",
             step->mechanism ? step->mechanism : "");
    if (step->error)
        bed.error = *step->error;
    else
        cr_assert_geq(step->n_addrs, 1);
    if (step->phase == KW_PHASE_SASL && !step->error)
        bed.session_ms = step->session_ms;
}

static void bed_begin(const char *const *settings)
{
    cr_assert_eq(sim_pair_init(&bed.pair, SIM_MEMORY_PLAIN, 1, 1), 0);
    bed.pair.watch = bed_watch;
    bed.pair.watch_ctx = &bed;
    cr_assert_eq(sim_pair_core(&bed.pair, settings, NULL), 0);
}

static void bed_ask(uint64_t ms)
{
    struct kw_admin_request want = {.size = sizeof want, .kind = KW_ADMIN_METADATA};
    bool never = false;
    cr_assert_not_null(kw_core_admin(bed.pair.core, &want, &bed.result, 30000, NULL));
    sim_pair_called(&bed.pair);
    sim_pair_run(&bed.pair, &never, ms);
}

static void bed_end(void)
{
    kw_admin_result_destroy(bed.result);
    cr_assert(!bed.pair.broken, "%s", bed.pair.why);
    kw_core_destroy(bed.pair.core);
    bed.pair.core = NULL;
    cr_assert_eq(bed.pair.memory.n_live, 0);
    sim_pair_deinit(&bed.pair);
}

static void bed_begins(const char *text)
{
    cr_assert(strncmp(bed.seen, text, strlen(text)) == 0, "wanted: %s\ngot:    %s", text, bed.seen);
}

static const char *const plain[] = {"reconnect.backoff.ms=10", NULL};

Test(watch, each_step_is_told_in_order)
{
    bed_begin(plain);
    bed_ask(50);
    bed_begins("resolve connect versions ");
    bed_end();
}

Test(watch, sasl_is_told_with_its_mechanism_and_session)
{
    static const char *const sasl_settings[] = {"security.protocol=SASL_PLAINTEXT",
                                                "sasl.mechanism=SCRAM-SHA-256", "sasl.username=u",
                                                "sasl.password=p", NULL};
    struct kw_mock_user user = {"u", "p"};
    struct kw_mock_sasl sasl = {.mechanisms = KWI_MOCK_ALL_MECHANISMS,
                                .users = &user,
                                .n_users = 1,
                                .session_ms = 60000,
                                .crypto = &toy_crypto};
    bed_begin(sasl_settings);
    cr_assert_eq(kwi_mock_set_sasl(bed.pair.mock, &sasl), 0);
    bed_ask(50);
    bed_begins("resolve connect versions saslSCRAM-SHA-256 ");
    cr_assert_eq(bed.session_ms, 60000);
    bed_end();
}

Test(watch, a_failure_is_told_where_it_happened)
{
    bed_begin(plain);
    bed.pair.refuse = true;
    bed_ask(5);
    bed_begins("resolve connect! ");
    cr_assert_eq(bed.error.phase, KW_PHASE_CONNECT);
    cr_assert_eq(bed.error.code, KW_ERR_CONNECT);
    bed_end();
}

Test(watch, an_end_that_was_meant_is_no_failure)
{
    bed_begin(plain);
    bed_ask(50);
    cr_assert_not_null(kw_core_close(bed.pair.core, 1000, NULL));
    sim_pair_called(&bed.pair);
    bool never = false;
    sim_pair_run(&bed.pair, &never, 50);
    cr_assert_null(strchr(bed.seen, '!'), "%s", bed.seen);
    bed_end();
}
