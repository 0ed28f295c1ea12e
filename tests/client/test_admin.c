/* Admin operations against a broker model: results, refusals, retries,
 * deadlines, and what is given back.
 *
 * covers: I9 M08 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/sim/pair.h"

struct desk {
    struct sim_pair pair;
    unsigned n_done;
    int code;
    struct kw_error error;
    void *tag;
};
static struct desk desk;

static void desk_event(void *ctx, const struct kw_event *event)
{
    (void)ctx;
    if (event->kind != KW_EVENT_OP_DONE)
        return;
    desk.n_done++;
    desk.code = event->code;
    desk.tag = event->tag;
    memset(&desk.error, 0, sizeof desk.error);
    if (event->error)
        desk.error = *event->error;
}

static const char *const usual[] = {"retry.backoff.ms=20",     "retry.backoff.max.ms=100",
                                    "reconnect.backoff.ms=10", "reconnect.backoff.max.ms=100",
                                    "request.timeout.ms=1000", NULL};

static void desk_begin(void)
{
    memset(&desk, 0, sizeof desk);
    cr_assert_eq(sim_pair_init(&desk.pair, SIM_MEMORY_PLAIN, 3, 2), 0);
    desk.pair.on_event = desk_event;
    cr_assert_eq(sim_pair_core(&desk.pair, usual, NULL), 0);
}

static void desk_end(void)
{
    cr_assert(!desk.pair.broken, "%s", desk.pair.why);
    kw_core_destroy(desk.pair.core);
    desk.pair.core = NULL;
    cr_assert_eq(desk.pair.memory.n_live, 0, "%lu blocks leaked",
                 (unsigned long)desk.pair.memory.n_live);
    sim_pair_deinit(&desk.pair);
}

static void desk_fault(const char *spec)
{
    struct kw_mock_fault fault;
    const char *why = "";
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, &why), 0, "%s: %s", spec, why);
    cr_assert_eq(kwi_mock_fault_add(desk.pair.mock, &fault, NULL), 0);
}

/* Runs the request to its end; returns the op's code. */
static int desk_run(const struct kw_admin_request *request, struct kw_admin_result **result,
                    int32_t timeout_ms)
{
    unsigned before = desk.n_done;
    int tag;
    cr_assert_not_null(kw_core_admin(desk.pair.core, request, result, timeout_ms, &tag));
    for (int i = 0; i < 4000 && desk.n_done == before; i++)
        sim_pair_step(&desk.pair, 5000);
    cr_assert_eq(desk.n_done, before + 1, "the op did not end once");
    cr_assert_eq(desk.tag, &tag);
    return desk.code;
}

static struct kw_admin_request desk_request(uint8_t kind, const char *topic, int32_t partitions)
{
    return (struct kw_admin_request){.size = sizeof(struct kw_admin_request),
                                     .kind = kind,
                                     .topic = topic,
                                     .partitions = partitions};
}

static int desk_create(const char *topic, int32_t partitions)
{
    struct kw_admin_request request = desk_request(KW_ADMIN_CREATE_TOPIC, topic, partitions);
    return desk_run(&request, NULL, 5000);
}

static int desk_delete(const char *topic)
{
    struct kw_admin_request request = desk_request(KW_ADMIN_DELETE_TOPIC, topic, 0);
    return desk_run(&request, NULL, 5000);
}

Test(admin, a_topic_is_created_described_and_deleted)
{
    struct kw_admin_result *result = NULL;
    struct kw_admin_request describe = desk_request(KW_ADMIN_METADATA, "new", 0);
    desk_begin();
    cr_assert_eq(desk_create("new", 5), 0, "%s", desk.error.text);
    cr_assert_eq(desk_run(&describe, &result, 5000), 0);
    cr_assert_eq(result->n_brokers, 3);
    cr_assert_geq(result->controller_id, 0);
    cr_assert_not_null(result->cluster_id);
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert_neq(result->brokers[i].host[0], 0);
        cr_assert_gt(result->brokers[i].port, 0);
    }
    cr_assert_eq(result->n_topics, 1);
    cr_assert_str_eq(result->topics[0].name, "new");
    cr_assert_eq(result->topics[0].kafka_code, 0);
    cr_assert_eq(result->topics[0].n_partitions, 5);
    bool seen[5] = {false};
    for (uint32_t p = 0; p < 5; p++) {
        const struct kw_meta_partition *partition = &result->topics[0].partitions[p];
        cr_assert(partition->id >= 0 && partition->id < 5 && !seen[partition->id]);
        seen[partition->id] = true;
        cr_assert_geq(partition->leader, 0);
        cr_assert_eq(partition->n_replicas, 3);
        cr_assert_eq(partition->n_isr, 3);
        for (uint32_t r = 0; r < 3; r++)
            cr_assert_geq(partition->replicas[r], 0);
    }
    kw_admin_result_destroy(result);
    cr_assert_eq(desk_delete("new"), 0);
    cr_assert_eq(desk_run(&describe, &result, 5000), 0);
    cr_assert_eq(result->topics[0].kafka_code, 3, "it is gone");
    cr_assert_eq(result->topics[0].n_partitions, 0);
    kw_admin_result_destroy(result);
    desk_end();
}

Test(admin, all_topics_are_listed_and_the_result_outlives_the_client)
{
    struct kw_admin_result *result = NULL;
    struct kw_admin_request list = desk_request(KW_ADMIN_METADATA, NULL, 0);
    desk_begin();
    cr_assert_eq(desk_create("a", 1), 0);
    cr_assert_eq(desk_create("b", 2), 0);
    cr_assert_eq(desk_run(&list, &result, 5000), 0);
    kw_core_destroy(desk.pair.core);
    desk.pair.core = NULL;
    cr_assert_eq(result->n_topics, 3, "t, a and b");
    unsigned partitions = 0;
    for (uint32_t i = 0; i < 3; i++)
        partitions += result->topics[i].n_partitions;
    cr_assert_eq(partitions, 5);
    kw_admin_result_destroy(result);
    kw_admin_result_destroy(NULL);
    cr_assert_eq(desk.pair.memory.n_live, 0);
    sim_pair_deinit(&desk.pair);
}

Test(admin, the_brokers_defaults_are_used_for_what_is_left_out)
{
    struct kw_admin_result *result = NULL;
    struct kw_admin_request describe = desk_request(KW_ADMIN_METADATA, "d", 0);
    desk_begin();
    cr_assert_eq(desk_create("d", 0), 0, "%s", desk.error.text);
    cr_assert_eq(desk_run(&describe, &result, 5000), 0);
    cr_assert_gt(result->topics[0].n_partitions, 0);
    kw_admin_result_destroy(result);
    desk_end();
}

Test(admin, what_the_broker_refuses_is_told_with_code_name_and_topic)
{
    desk_begin();
    cr_assert_eq(desk_create("t", 1), KW_ERR_BROKER);
    cr_assert_eq(desk.error.kafka_code, 36);
    cr_assert(strstr(desk.error.text, "TOPIC_ALREADY_EXISTS") && strstr(desk.error.text, " t:"),
              "%s", desk.error.text);
    cr_assert_eq(desk_delete("absent"), KW_ERR_BROKER);
    cr_assert_eq(desk.error.kafka_code, 3);
    struct kw_admin_config config = {"no.such.config", "1"};
    struct kw_admin_request request = desk_request(KW_ADMIN_CREATE_TOPIC, "bad", 1);
    request.configs = &config;
    request.n_configs = 1;
    cr_assert_eq(desk_run(&request, NULL, 5000), KW_ERR_BROKER);
    cr_assert_eq(desk.error.kafka_code, 40);
    desk_end();
}

Test(admin, a_wrong_controller_a_lost_connection_and_a_throttle_are_retried)
{
    static const char *const faults[] = {"createtopics:1-3:error=NOT_CONTROLLER",
                                         "createtopics:1-2:close-before",
                                         "createtopics:1:drop-request", NULL};
    for (unsigned i = 0; faults[i]; i++) {
        desk_begin();
        desk_fault(faults[i]);
        cr_assert_eq(desk_create("new", 1), 0, "%s: %s", faults[i], desk.error.text);
        desk_end();
    }
}

Test(admin, an_answer_that_was_lost_is_not_guessed_about)
{
    desk_begin();
    desk_fault("createtopics:1:close-after");
    cr_assert_eq(desk_create("new", 1), KW_ERR_BROKER);
    cr_assert_eq(desk.error.kafka_code, 36);
    cr_assert(strstr(desk.error.hint, "earlier attempt"), "%s", desk.error.hint);
    desk_end();
}

Test(admin, a_deadline_ends_it_and_says_why_the_last_attempt_failed)
{
    struct kw_admin_request request = desk_request(KW_ADMIN_CREATE_TOPIC, "x", 1);
    desk_begin();
    desk_fault("createtopics:*:error=NOT_CONTROLLER");
    cr_assert_eq(desk_run(&request, NULL, 700), KW_ERR_TIMEOUT);
    cr_assert(strstr(desk.error.text, "NOT_CONTROLLER"), "%s", desk.error.text);
    desk_end();

    desk_begin();
    desk.pair.refuse = true;
    cr_assert_eq(desk_run(&request, NULL, 500), KW_ERR_TIMEOUT);
    cr_assert_neq(desk.error.text[0], 0);
    desk_end();
}

Test(admin, a_cancelled_request_ends_at_once_and_its_answer_is_ignored)
{
    struct kw_admin_request request = desk_request(KW_ADMIN_METADATA, NULL, 0);
    struct kw_admin_result *result = NULL;
    for (unsigned turns = 0; turns < 12; turns++) {
        desk_begin();
        struct kw_op *op = kw_core_admin(desk.pair.core, &request, &result, 5000, NULL);
        for (unsigned i = 0; i < turns && desk.n_done == 0; i++)
            sim_pair_turn(&desk.pair);
        if (desk.n_done == 0) {
            cr_assert_eq(kw_core_op_cancel(op), 0);
            for (int i = 0; i < 100; i++)
                sim_pair_step(&desk.pair, 5000);
            cr_assert_eq(desk.n_done, 1);
            cr_assert_eq(desk.code, KW_ERR_CANCELED);
            cr_assert_null(result);
        }
        kw_admin_result_destroy(result);
        desk_end();
    }
}

Test(admin, a_client_that_dies_with_a_request_under_way_leaks_nothing)
{
    struct kw_admin_request request = desk_request(KW_ADMIN_CREATE_TOPIC, "x", 1);
    for (unsigned turns = 0; turns < 12; turns++) {
        desk_begin();
        cr_assert_not_null(kw_core_admin(desk.pair.core, &request, NULL, 5000, NULL));
        for (unsigned i = 0; i < turns; i++)
            sim_pair_turn(&desk.pair);
        desk_end();
    }
}

/* Whoever waits without a deadline is told when the client is closed: of a request that was
 * sent, of one that waits to be sent again, of one that nobody could be asked yet. */
Test(admin, what_is_under_way_ends_when_the_client_is_closed)
{
    static const char *const faults[] = {"createtopics:*:drop-answer", "createtopics:*:error=41",
                                         NULL};
    struct kw_admin_request create = desk_request(KW_ADMIN_CREATE_TOPIC, "new", 1);
    for (int i = 0; i < 3; i++) {
        int tag, closing;
        desk_begin();
        desk.pair.refuse = !faults[i];
        if (faults[i])
            desk_fault(faults[i]);
        cr_assert_not_null(kw_core_admin(desk.pair.core, &create, NULL, -1, &tag));
        for (int k = 0; k < 40; k++)
            sim_pair_step(&desk.pair, 5000);
        cr_assert_eq(desk.n_done, 0);
        cr_assert_not_null(kw_core_close(desk.pair.core, 300, &closing));
        for (int k = 0; k < 400 && desk.n_done < 2; k++)
            sim_pair_step(&desk.pair, 10000);
        cr_assert_eq(desk.n_done, 2, "%d", i);
        desk_end();
    }
}

/* What the broker that is none any more says of quotas is no matter of the next. */
Test(admin, the_new_controller_is_asked_at_once_whatever_the_old_one_asks_for)
{
    desk_begin();
    desk_fault("createtopics:1:error=41");
    desk_fault("createtopics:1:throttle=60000");
    uint64_t before_us = desk.pair.now.mono_us;
    cr_assert_eq(desk_create("new", 1), 0, "%s", desk.error.text);
    cr_assert_leq(desk.pair.now.mono_us - before_us, 2000000);
    desk_end();
}

Test(admin, a_request_that_makes_no_sense_ends_with_a_use_error)
{
    struct kw_admin_config no_key = {NULL, "1"};
    struct kw_admin_request good = desk_request(KW_ADMIN_CREATE_TOPIC, "x", 1), bad[7];
    for (unsigned i = 0; i < 7; i++)
        bad[i] = good;
    bad[0].size = 8;
    bad[1].kind = 77;
    bad[2].topic = NULL;
    bad[3].topic = "";
    bad[4].partitions = -2;
    bad[5].replication_factor = -2;
    bad[6].configs = &no_key;
    bad[6].n_configs = 1;
    desk_begin();
    for (unsigned i = 0; i < 7; i++) {
        cr_assert_eq(desk_run(&bad[i], NULL, 5000), KW_ERR_USE, "case %u", i);
        cr_assert_neq(desk.error.text[0], 0);
    }
    good.kind = KW_ADMIN_METADATA;
    cr_assert_eq(desk_run(&good, NULL, 5000), KW_ERR_USE, "METADATA without a place for it");
    desk_end();
}
