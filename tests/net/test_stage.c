/* covers: L01
 * Stages: batches that producing threads fill without the client's lock, over a core that
 * counts (fake_core.h). tests/api/test_threads.c has them over the real one. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <unistd.h>

#include "net/client.h"
#include "tests/net/fake_core.h"

/* The core may be looked at only inside the gate while the thread runs. */
static int look(struct kw_client *client, const int *field)
{
    cr_assert_eq(kwi_client_enter(client), 0);
    int value = *field;
    kwi_client_exit(client);
    return value;
}

static void comes(struct kw_client *client, const int *field, int value)
{
    for (int i = 0; i < 2000 && look(client, field) != value; i++)
        usleep(1000);
    cr_assert_eq(look(client, field), value);
}

enum { TRAY_MAX = 100, LINGER_US = 50000 };

/* A client whose topics take trays of TRAY_MAX records. */
static struct kw_client *staged(void)
{
    struct kw_client *client = fake_client(NULL);
    struct kw_core *core = fake_core(client);
    core->tray_rules = (struct kw_tray_rules){.linger_us = LINGER_US, .n_partitions = 4};
    core->tray_max = TRAY_MAX;
    cr_assert_eq(kw_client_start_thread(client), 0);
    return client;
}

static void produce(struct kw_client *client, int n)
{
    struct kw_topic *topic = (struct kw_topic *)(void *)fake_core(client);
    struct kw_record record = {.value = {"v", 1}};
    for (int i = 0; i < n; i++)
        cr_assert_eq(kw_produce(topic, &record), 0);
}

Test(stage, a_thread_that_produces_much_fills_batches_of_its_own)
{
    struct kw_client *client = staged();
    struct kw_core *core = fake_core(client);
    produce(client, 3);
    cr_assert_eq(look(client, &core->n_trays), 0, "not worth it");
    produce(client, 200);
    cr_assert_geq(look(client, &core->n_trays), 2);
    cr_assert_geq(look(client, &core->n_trays_closed), 1, "one was full");
    comes(client, &core->n_produced, 203); /* the I/O thread closes the last one */
    cr_assert_eq(core->n_trays_closed, core->n_trays);
    kw_client_destroy(client);
}

/* A partition -1 that is named is not "any": the core refuses it, whatever tray is open. */
Test(stage, a_partition_that_cannot_be_goes_into_no_tray)
{
    struct kw_client *client = staged();
    struct kw_core *core = fake_core(client);
    struct kw_topic *topic = (struct kw_topic *)(void *)core;
    struct kw_record record = {.value = {"v", 1}, .flags = KW_REC_PARTITION, .partition = -1};
    produce(client, 30);
    cr_assert_geq(look(client, &core->n_trays), 1);
    cr_assert_eq(kwi_client_enter(client), 0);
    core->produce_rc = KW_ERR_USE;
    kwi_client_exit(client);
    cr_assert_eq(kw_produce(topic, &record), KW_ERR_USE);
    kw_client_destroy(client);
}

Test(stage, many_records_in_one_call_go_there_too)
{
    struct kw_client *client = staged();
    struct kw_core *core = fake_core(client);
    struct kw_record records[64] = {{.value = {"v", 1}}};
    size_t accepted = 0;
    for (int i = 1; i < 64; i++)
        records[i] = records[0];
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(kw_produce_many((struct kw_topic *)(void *)core, records, 64, &accepted), 0);
        cr_assert_eq(accepted, 64);
    }
    cr_assert_gt(look(client, &core->n_trays), 0);
    comes(client, &core->n_produced, 256);
    kw_client_destroy(client);
}

static void *produce_and_end(void *client)
{
    produce(client, 50);
    return NULL;
}

Test(stage, a_flush_has_what_other_threads_produced_even_if_they_ended)
{
    struct kw_client *client = staged();
    struct kw_core *core = fake_core(client);
    pthread_t other;
    core->tray_rules.linger_us = 100000000;
    cr_assert_eq(pthread_create(&other, NULL, produce_and_end, client), 0);
    pthread_join(other, NULL);
    cr_assert_eq(look(client, &core->n_trays), 1);
    cr_assert_lt(look(client, &core->n_produced), 50);
    (void)kw_flush((struct kw_producer *)(void *)core, 0, NULL);
    cr_assert_eq(look(client, &core->n_produced), 50);
    cr_assert_eq(pthread_create(&other, NULL, produce_and_end, client), 0);
    pthread_join(other, NULL);
    cr_assert_eq(kw_purge((struct kw_producer *)(void *)core), 0);
    cr_assert_eq(look(client, &core->n_produced), 100);
    cr_assert_eq(look(client, &core->n_trays), core->n_trays_closed);
    kw_client_destroy(client);
}

Test(stage, batches_of_threads_end_when_what_topics_take_has_changed)
{
    struct kw_client *client = staged();
    struct kw_core *core = fake_core(client);
    core->tray_rules.linger_us = 100000000;
    produce(client, 50);
    cr_assert_lt(look(client, &core->n_produced), 50);
    cr_assert_eq(kwi_client_enter(client), 0);
    core->n_tray_changes++;
    core->produce_rc = KW_ERR_CLOSED;
    core->tray_rules.linger_us = 0;
    kwi_client_exit(client);
    cr_assert_eq(look(client, &core->n_produced), 50);
    struct kw_record record = {.value = {"v", 1}};
    cr_assert_eq(kw_produce((struct kw_topic *)(void *)core, &record), KW_ERR_CLOSED);
    kw_client_destroy(client);
}

Test(stage, what_is_not_plain_goes_behind_what_was_produced_before)
{
    static int own;
    const struct kw_record others[] = {
        {.value = {"v", 1}, .flags = KW_REC_TIMESTAMP, .timestamp_ms = 1},
        {.value = {"v", 1}, .flags = KW_REC_PARTITION, .partition = 1},
        {.value = {"v", 1}, .receipt = (struct kw_receipt *)(void *)&own}};
    for (int i = 0; i < 3; i++) {
        struct kw_client *client = staged();
        struct kw_core *core = fake_core(client);
        core->tray_rules.linger_us = 100000000;
        produce(client, 50);
        cr_assert_lt(look(client, &core->n_produced), 50, "record %d", i);
        cr_assert_eq(kw_produce((struct kw_topic *)(void *)core, &others[i]), 0);
        cr_assert_eq(look(client, &core->n_produced), 51, "record %d", i);
        kw_client_destroy(client);
    }
}

Test(stage, without_memory_for_a_batch_of_its_own_a_thread_produces_as_ever)
{
    struct kw_client *client = staged();
    struct kw_core *core = fake_core(client);
    core->tray_rc = KW_ERR_NOMEM;
    produce(client, 100);
    cr_assert_eq(look(client, &core->n_produced), 100);
    kw_client_destroy(client);
}
