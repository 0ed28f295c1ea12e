/* covers: P33 P39 L01 L02 L05 L06
 * Who may be inside a client: the I/O thread and its lock, the word that finds a second
 * thread where there is none, forks, and calls inside a callback. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "net/client.h"
#include "tests/net/fake_core.h"
#include "tests/net/faults.h"

static uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The core may be looked at only inside the gate while the thread runs. */
static int look(struct kw_client *client, const int *field)
{
    cr_assert_eq(kwi_client_enter(client), 0);
    int value = *field;
    kwi_client_exit(client);
    return value;
}

#define COMES(client, field, value)                                               \
    do {                                                                          \
        for (int i = 0; i < 2000 && look((client), &(field)) != (value); i++)     \
            usleep(1000);                                                         \
        cr_assert_eq(look((client), &(field)), (value), "did not come: " #field); \
    } while (0)

static struct kw_client *threaded(const struct kw_sys *sys, struct kw_producer **producer)
{
    struct kw_client *client = fake_client(sys);
    cr_assert_eq(kw_producer_create(producer, client, NULL, NULL), 0);
    cr_assert_eq(kw_client_start_thread(client), 0);
    return client;
}

/* ---- the thread ---------------------------------------------------------------------- */

Test(thread, runs_the_client_while_the_application_does_nothing)
{
    struct kw_client *client = fake_client(NULL);
    struct kw_core *core = fake_core(client);
    struct kw_work work = {.left = 1 << 20};
    uint16_t port;
    int listener = peer_listen(&port);
    fake_open(core, 1, port);
    fake_send(core, 1, "ping", 4);
    fake_want(core, KW_WANT_WORK, 0);
    core->wants[core->n_wants - 1].work = &work;
    cr_assert_eq(kw_client_start_thread(client), 0);
    char buf[8];
    int server = peer_accept(listener);
    for (int i = 0; i < 2000 && peer_read(server, buf, sizeof(buf)) != 4; i++)
        usleep(1000);
    cr_assert(memcmp(buf, "ping", 4) == 0);
    COMES(client, core->n_works, 1);
    cr_assert_eq(kwi_client_enter(client), 0);
    core->deadline_us = core->now_us + 20000; /* is told when it comes */
    core->attention |= KW_ATT_TIME;
    kwi_client_exit(client);
    COMES(client, core->n_due, 1);
    kw_client_destroy(client);
    close(server);
    close(listener);
}

Test(thread, waits_of_the_application_end_by_what_it_does)
{
    struct kw_producer *producer;
    struct kw_client *client = threaded(NULL, &producer);
    struct kw_error err;
    fake_core(client)->op_code = KW_ERR_TIMEOUT;
    for (int i = 0; i < 20; i++)
        cr_assert_eq(kw_wait(client, kw_flush(producer, 1000, NULL), &err), KW_ERR_TIMEOUT);
    cr_assert_eq(err.broker, 7);
    cr_assert_eq(kw_wait(client, NULL, &err), KW_ERR_NOMEM);
    kw_client_destroy(client);
}

Test(thread, is_one_and_does_not_share_the_descriptor)
{
    struct kw_producer *producer;
    struct kw_client *client = threaded(NULL, &producer);
    cr_assert_eq(kw_client_start_thread(client), KW_ERR_STATE);
    cr_assert_eq(kw_client_fd(client), KW_ERR_STATE);
    cr_assert_eq(kw_client_process(client, 1000), 0);
    kw_client_destroy(client);
    client = fake_client(NULL);
    cr_assert_geq(kw_client_fd(client), 0);
    cr_assert_eq(kw_client_start_thread(client), KW_ERR_STATE, "a foreign loop has it");
    kw_client_destroy(client);
    cr_assert_eq(kw_client_start_thread(NULL), KW_ERR_USE);
}

Test(thread, is_woken_once_a_sleep_however_many_calls_there_are)
{
    struct kw_producer *producer;
    struct kw_client *client = threaded(&fault_sys, &producer);
    bool is_asleep = false;
    for (int i = 0; i < 5000 && !is_asleep; i++) {
        usleep(1000);
        cr_assert_eq(kwi_client_enter(client), 0);
        is_asleep = client->asleep && !client->kicked;
        kwi_client_exit(client);
    }
    cr_assert(is_asleep);
    int before = fault_count(CALL_WRITE);
    cr_assert_eq(kwi_client_enter(client), 0); /* so that it cannot go to sleep again */
    for (int i = 0; i < 100; i++)
        cr_assert_eq(kw_purge(producer), 0); /* each sets TIME */
    kwi_client_exit(client);
    cr_assert_eq(fault_count(CALL_WRITE) - before, 1);
    usleep(50000);
    before = fault_count(CALL_WRITE);
    for (int i = 0; i < 100; i++) /* leaves nothing to do */
        cr_assert_eq(kw_topic_set_partitioner((struct kw_topic *)(void *)producer, NULL), 0);
    cr_assert_eq(fault_count(CALL_WRITE), before);
    kw_client_destroy(client);
}

static void *wake_soon(void *client)
{
    usleep(20000);
    kw_client_wake(client);
    return NULL;
}

/* Events that the application has not taken yet are no reason to leave the thread asleep. */
Test(thread, is_woken_by_a_record_that_is_done)
{
    struct kw_producer *producer;
    struct kw_consumer *consumer;
    struct kw_records *records;
    struct kw_consumed consumed = {0};
    struct kw_client *client = threaded(NULL, &producer);
    struct kw_core *core = fake_core(client);
    cr_assert_eq(kw_consumer_create(&consumer, client, NULL, NULL), 0);
    cr_assert_eq(kw_consumer_poll(consumer, &records, 0), 1);
    usleep(100000); /* it sleeps by now */
    cr_assert_eq(kwi_client_enter(client), 0);
    core->n_events = 1;
    core->attention |= KW_ATT_EVENT;
    int n_steps = core->n_steps;
    kwi_client_exit(client);
    usleep(100000);
    cr_assert_eq(kw_done(records, &consumed), 0); /* sets TIME */
    for (int i = 0; i < 1000 && look(client, &core->n_steps) == n_steps; i++)
        usleep(1000);
    cr_assert_gt(look(client, &core->n_steps), n_steps);
    kw_client_destroy(client);
}

Test(thread, a_wait_for_events_ends_by_time_by_an_event_and_by_a_wake_up)
{
    struct kw_producer *producer;
    struct kw_client *client = threaded(NULL, &producer);
    struct kw_core *core = fake_core(client);
    struct kw_event event;
    pthread_t waker;
    uint64_t begin = clock_ms();
    cr_assert_eq(kw_client_poll(client, 30), 0);
    cr_assert_geq(clock_ms() - begin, 29);
    cr_assert_eq(pthread_create(&waker, NULL, wake_soon, client), 0);
    cr_assert_eq(kw_client_poll(client, 20000), 0);
    pthread_join(waker, NULL);
    kw_client_wake(client); /* nobody waits: it is for the next wait */
    usleep(20000);
    cr_assert_eq(kw_client_poll(client, 20000), 0);
    cr_assert_eq(kwi_client_enter(client), 0);
    core->n_events = 1;
    core->attention |= KW_ATT_EVENT;
    kwi_client_exit(client);
    cr_assert_eq(kw_client_poll(client, 20000), 0);
    cr_assert_eq(kw_next_event(client, &event), 1);
    cr_assert_eq(kw_next_event(client, &event), 0);
    cr_assert_lt(clock_ms() - begin, 10000);
    kw_client_destroy(client);
}

static void *take_none(void *client)
{
    struct kw_event event;
    cr_assert_eq(kw_next_event(client, &event), 0, "the other thread's event is open");
    cr_assert_eq(event.kind, KW_EVENT_NONE);
    cr_assert_eq(kw_client_poll(client, 20), 0);
    return NULL;
}

static void *take_one(void *client)
{
    struct kw_event event;
    cr_assert_eq(kw_next_event(client, &event), 1);
    return NULL;
}

Test(thread, an_event_stays_good_until_the_thread_that_has_it_takes_the_next)
{
    struct kw_producer *producer;
    struct kw_client *client = threaded(NULL, &producer);
    struct kw_core *core = fake_core(client);
    struct kw_event event;
    pthread_t other;
    cr_assert_eq(kwi_client_enter(client), 0);
    core->n_events = 2;
    core->attention |= KW_ATT_EVENT;
    kwi_client_exit(client);
    cr_assert_eq(kw_next_event(client, &event), 1);
    cr_assert_eq(pthread_create(&other, NULL, take_none, client), 0);
    pthread_join(other, NULL);
    cr_assert_eq(kw_next_event(client, &event), 1);
    cr_assert_eq(kw_next_event(client, &event), 0);
    cr_assert_eq(kwi_client_enter(client), 0);
    core->n_events = 1;
    core->attention |= KW_ATT_EVENT;
    kwi_client_exit(client);
    cr_assert_eq(pthread_create(&other, NULL, take_one, client), 0);
    pthread_join(other, NULL);
    kw_client_destroy(client);
}

static atomic_int n_waiting;

static void *poll_for_ever(void *client)
{
    atomic_fetch_add(&n_waiting, 1);
    return (void *)(intptr_t)kw_client_poll(client, -1);
}

/* An operation that does not end by itself. */
static struct kw_op *endless(struct kw_client *client)
{
    cr_assert_eq(kwi_client_enter(client), 0);
    struct kw_op *op = kw_flush((struct kw_producer *)(void *)fake_core(client), -1, NULL);
    fake_core(client)->op_steps = INT32_MAX;
    kwi_client_exit(client);
    return op;
}

static void *wait_for_ever(void *client)
{
    struct kw_error err;
    struct kw_op *op = endless(client);
    atomic_fetch_add(&n_waiting, 1);
    return (void *)(intptr_t)kw_wait(client, op, &err);
}

Test(thread, destroy_ends_the_waits_of_others)
{
    struct kw_producer *producer;
    struct kw_client *client = threaded(NULL, &producer);
    pthread_t others[3];
    void *result[3];
    for (int i = 0; i < 3; i++)
        cr_assert_eq(pthread_create(&others[i], NULL, i ? poll_for_ever : wait_for_ever, client),
                     0);
    while (atomic_load(&n_waiting) < 3)
        usleep(1000);
    usleep(500000); /* they have counted themselves, and wait by now */
    kw_client_destroy(client);
    for (int i = 0; i < 3; i++) {
        pthread_join(others[i], &result[i]);
        cr_assert_eq((intptr_t)result[i], KW_ERR_CLOSED);
    }
}

Test(thread, a_wait_that_the_system_refuses_ends_all_waits)
{
    struct kw_producer *producer;
    struct kw_client *client = fake_client(&fault_sys);
    struct kw_error err;
    cr_assert_eq(kw_producer_create(&producer, client, NULL, NULL), 0);
    fault_plan(CALL_EPOLL_WAIT, 0, 1000, EINVAL);
    cr_assert_eq(kw_client_start_thread(client), 0);
    cr_assert_eq(kw_wait(client, endless(client), &err), KW_ERR_IO);
    cr_assert_eq(err.os_err, EINVAL);
    cr_assert_eq(kw_client_poll(client, -1), KW_ERR_IO);
    kw_client_destroy(client);
}

/* ---- callbacks, and a second thread ----------------------------------------------------- */

static struct {
    struct kw_client *client;
    int waited, polled, processed, resolved, code;
    bool blocks;
    sem_t inside, leave;
    atomic_int n_calls;
} hook;

static int hook_start(void *ctx, struct kw_client *client, uint32_t query, const char *name,
                      uint16_t port)
{
    struct kw_addr addr = {.family = 4, .port = port};
    struct kw_producer *producer = (struct kw_producer *)(void *)fake_core(client);
    struct kw_error err;
    (void)ctx;
    (void)name;
    if (hook.blocks) {
        sem_post(&hook.inside);
        sem_wait(&hook.leave);
    }
    hook.polled = kw_client_poll(client, 1000);
    hook.processed = kw_client_process(client, 0);
    hook.waited = kw_wait(client, kw_flush(producer, 10, NULL), &err);
    hook.code = err.code;
    kw_client_destroy(client); /* does nothing in here */
    kw_client_resolved(client, query, &addr, 1, NULL);
    atomic_fetch_add(&hook.n_calls, 1);
    return 0;
}

static struct kw_client *hooked(bool blocks)
{
    struct kw_env env = {.resolve = {.start = hook_start}};
    struct kw_config *cfg;
    struct kw_error err;
    hook.blocks = blocks;
    sem_init(&hook.inside, 0, 0);
    sem_init(&hook.leave, 0, 0);
    cr_assert_eq(kw_config_new(&cfg), 0);
    cr_assert_eq(kwi_client_create(&hook.client, cfg, &env, &kwi_sys_real, &err), 0);
    kw_config_destroy(cfg);
    struct kw_core *core = fake_core(hook.client);
    fake_want(core, KW_WANT_RESOLVE, 5);
    core->wants[core->n_wants - 1].name = "b1.test";
    return hook.client;
}

static void hook_check(void)
{
    cr_assert_eq(hook.polled, KW_ERR_REENTRANT);
    cr_assert_eq(hook.processed, KW_ERR_REENTRANT);
    cr_assert_eq(hook.waited, KW_ERR_REENTRANT);
    cr_assert_eq(hook.code, KW_ERR_REENTRANT);
    cr_assert_eq(look(hook.client, &fake_core(hook.client)->n_resolved), 1);
}

Test(thread, a_call_that_waits_is_refused_inside_a_callback_of_the_loop)
{
    struct kw_client *client = hooked(false);
    UNTIL(client, atomic_load(&hook.n_calls) == 1);
    hook_check();
    kw_client_destroy(client);
}

Test(thread, a_call_that_waits_is_refused_on_the_thread_itself)
{
    struct kw_client *client = hooked(false);
    cr_assert_eq(kw_client_start_thread(client), 0);
    for (int i = 0; i < 2000 && atomic_load(&hook.n_calls) == 0; i++)
        usleep(1000);
    hook_check();
    kw_client_destroy(client);
}

Test(thread, a_hook_that_takes_its_time_keeps_nobody_out)
{
    struct kw_client *client = hooked(true);
    struct kw_producer *producer = (struct kw_producer *)(void *)fake_core(client);
    cr_assert_eq(kw_client_start_thread(client), 0);
    sem_wait(&hook.inside);
    cr_assert_eq(kw_purge(producer), 0);
    cr_assert_eq(kw_client_poll(client, 1), 0);
    sem_post(&hook.leave);
    for (int i = 0; i < 2000 && atomic_load(&hook.n_calls) == 0; i++)
        usleep(1000);
    hook_check();
    kw_client_destroy(client);
}

static void *poll_once(void *client)
{
    cr_assert_geq(kw_client_poll(client, 1000), 0);
    return NULL;
}

Test(thread, without_one_a_second_thread_inside_is_found)
{
    struct kw_client *client = hooked(true);
    struct kw_producer *producer = (struct kw_producer *)(void *)fake_core(client);
    struct kw_topic *topic = (struct kw_topic *)(void *)fake_core(client);
    struct kw_record record = {0};
    struct kw_event event;
    struct kw_error err = {0};
    size_t accepted = 9;
    pthread_t other;
    cr_assert_eq(pthread_create(&other, NULL, poll_once, client), 0);
    sem_wait(&hook.inside);
    cr_assert_eq(kw_produce(topic, &record), KW_ERR_BUSY);
    cr_assert_eq(kw_produce_many(topic, &record, 1, &accepted), KW_ERR_BUSY);
    cr_assert_eq(accepted, 0);
    cr_assert_eq(kw_client_poll(client, 0), KW_ERR_BUSY);
    cr_assert_eq(kw_client_process(client, 0), KW_ERR_BUSY);
    cr_assert_eq(kw_next_event(client, &event), KW_ERR_BUSY);
    cr_assert_eq(kw_purge(producer), KW_ERR_BUSY);
    cr_assert_null(kw_flush(producer, 0, NULL));
    cr_assert_eq(kw_wait(client, NULL, &err), KW_ERR_BUSY);
    cr_assert(strstr(err.hint, "kw_client_start_thread"), "%s", err.hint);
    cr_assert_eq(kw_topic_open(&topic, producer, "t", &err), KW_ERR_BUSY);
    cr_assert_eq(err.code, KW_ERR_BUSY);
    cr_assert_eq(kw_client_start_thread(client), KW_ERR_BUSY);
    kw_client_destroy(client); /* not under another thread's feet */
    kw_client_wake(client);    /* may always be called */
    sem_post(&hook.leave);
    pthread_join(other, NULL);
    cr_assert_eq(kw_purge(producer), 0);
    cr_assert_eq(kw_produce(topic, &record), 0);
    kw_client_destroy(client);
}

/* ---- forks --------------------------------------------------------------------------------- */

static int n_open_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* Each row is one call; returns the first that is not as it must be. */
static int forked_child(struct kw_client *client, int n_fds)
{
    struct kw_producer *producer = (struct kw_producer *)(void *)fake_core(client);
    struct kw_topic *topic = (struct kw_topic *)(void *)fake_core(client);
    struct kw_consumer *consumer = (struct kw_consumer *)(void *)fake_core(client);
    struct kw_record record = {0};
    struct kw_records *records;
    struct kw_event event;
    struct kw_error err;
    struct kw_stats stats;
    int before = n_open_fds(), n_steps = fake_core(client)->n_steps;
    const int codes[] = {kw_produce(topic, &record),
                         kw_produce_many(topic, &record, 1, NULL),
                         kw_client_poll(client, 1000),
                         kw_client_process(client, 0),
                         kw_next_event(client, &event),
                         kw_wait(client, kw_flush(producer, 0, NULL), &err),
                         kw_purge(producer),
                         kw_client_fd(client),
                         kw_client_start_thread(client),
                         kw_topic_open(&topic, producer, "t", &err),
                         kw_consumer_poll(consumer, &records, 0),
                         kw_client_set(client, "a", "b", &err)};
    for (int i = 0; i < (int)(sizeof(codes) / sizeof(codes[0])); i++) {
        if (codes[i] != KW_ERR_FORKED)
            return i + 1;
    }
    kw_client_wake(client);
    kw_client_stats(client, &stats);
    if (kw_close(client, 0, NULL) || fake_core(client)->n_steps != n_steps)
        return 100;
    kw_client_destroy(client);
    return before - n_open_fds() == n_fds ? 0 : 101;
}

/* A client with one connection that is up, in a fork. */
static void fork_with(bool has_thread)
{
    uint16_t port;
    char buf[8];
    int listener = peer_listen(&port), status = -1;
    struct kw_client *client = fake_client(NULL);
    struct kw_core *core = fake_core(client);
    fake_open(core, 1, port);
    UNTIL(client, core->conns[1].n_opened == 1);
    int server = peer_accept(listener);
    if (has_thread)
        cr_assert_eq(kw_client_start_thread(client), 0);
    usleep(20000); /* the thread sleeps, and holds nothing */
    pid_t child = fork();
    if (child == 0)
        _exit(forked_child(client, 4));
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status));
    cr_assert_eq(WEXITSTATUS(status), 0, "in the child: %d", WEXITSTATUS(status));
    /* Nothing of the parent's was touched. */
    peer_write(server, "news", 4);
    if (!has_thread) {
        UNTIL(client, core->conns[1].in_len == 4);
    } else {
        for (int i = 0; i < 2000; i++) {
            cr_assert_eq(kwi_client_enter(client), 0);
            size_t len = core->conns[1].in_len;
            kwi_client_exit(client);
            if (len == 4)
                break;
            usleep(1000);
        }
    }
    kw_client_destroy(client);
    cr_assert_eq(peer_read(server, buf, sizeof(buf)), 0, "closed by the parent");
    close(server);
    close(listener);
}

Test(thread, in_a_child_of_fork_calls_are_refused_and_destroy_only_closes)
{
    fork_with(false);
}

Test(thread, in_a_child_of_fork_a_thread_is_not_waited_for)
{
    fork_with(true);
}
