/* net/thread.c -- the I/O thread: its life, its turns, and those who wait for it.
 * See thread.h. */
#include "net/thread.h"
#include "base/assert.h"
#include "net/client.h"
#include "net/stage.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

struct kw_thread {
    pthread_mutex_t lock;
    pthread_cond_t ended; /* an operation did */
    pthread_cond_t event; /* there is one, or a wake-up */
    pthread_cond_t left;  /* nobody waits any more */
    pthread_t id;
    uint32_t n_ops, n_polls; /* threads that wait for `ended`, for `event` */
    uint64_t n_ended;        /* operations that had ended when `ended` was last told */
    uint64_t wake_us;        /* when the thread wakes up by itself */
    uint32_t n_wakes;        /* of kw_client_wake, that somebody waited for */
    bool wake_left;          /* one that nobody waited for: the next poll has it */
    atomic_bool wake_asked;  /* by kw_client_wake */
    uintptr_t taker;         /* the thread that has the last event; 0: it is done with */
    bool stopping;
    int rc, os_err; /* the system does not let it wait: it has ended */
};

/* ---- the lock ---------------------------------------------------------------------- */

static void thread_own(struct kw_client *client, bool mine)
{
    atomic_store_explicit(&client->gate.owner, mine ? kwi_gate_self() : 0, memory_order_relaxed);
}

/* Tells those who wait what there is for them. */
static void thread_tell(struct kw_client *client)
{
    struct kw_thread *thread = client->thread;
    if (thread->n_polls > 0 && (*client->attention & KW_ATT_EVENT))
        pthread_cond_broadcast(&thread->event);
    if (thread->n_ops == 0)
        return;
    uint64_t n_ended = kw_core_ops_ended(client->core);
    if (n_ended != thread->n_ended)
        pthread_cond_broadcast(&thread->ended);
    thread->n_ended = n_ended;
}

/* Whether the sleeping thread has to be woken for what was left to do. A call that told
 * the time to the core (not `waited` any more) may have moved the deadline by that. */
static bool thread_is_late(struct kw_client *client)
{
    const struct kw_thread *thread = client->thread;
    if (!client->asleep || client->kicked || thread->stopping)
        return false;
    if ((*client->attention & (KW_ATT_WANT | KW_ATT_TIME)) ||
        kwi_stages_deadline(client) < thread->wake_us)
        return true;
    return !client->waited && kw_core_deadline(client->core) < thread->wake_us;
}

int kwi_thread_lock(struct kw_client *client)
{
    pthread_mutex_lock(&client->thread->lock);
    if (client->thread->stopping) {
        pthread_mutex_unlock(&client->thread->lock);
        return KW_ERR_CLOSED;
    }
    thread_own(client, true);
    return 0;
}

void kwi_thread_unlock(struct kw_client *client)
{
    struct kw_loop *loop = client->loop;
    kwi_stages_check(client);
    bool wake = thread_is_late(client);
    thread_tell(client);
    client->kicked |= wake;
    thread_own(client, false);
    pthread_mutex_unlock(&client->thread->lock);
    if (wake)
        kwi_loop_wake(loop); /* outside: it is a system call */
}

bool kwi_thread_is_self(const struct kw_client *client)
{
    return kwi_gate_has_thread(&client->gate) && pthread_equal(client->thread->id, pthread_self());
}

void kwi_thread_pause(struct kw_client *client)
{
    if (!client->thread)
        return;
    kwi_stages_check(client);
    thread_tell(client);
    thread_own(client, false);
    pthread_mutex_unlock(&client->thread->lock);
}

void kwi_thread_resume(struct kw_client *client)
{
    if (!client->thread)
        return;
    pthread_mutex_lock(&client->thread->lock);
    thread_own(client, true);
}

/* ---- waiting ------------------------------------------------------------------------- */

/* Returns false when the time is up. until NULL: there is no limit. */
static bool thread_wait(struct kw_client *client, pthread_cond_t *what, uint32_t *n_waiting,
                        const struct timespec *until)
{
    struct kw_thread *thread = client->thread;
    int rc;
    ++*n_waiting;
    thread_own(client, false);
    if (until)
        rc = pthread_cond_timedwait(what, &thread->lock, until);
    else
        rc = pthread_cond_wait(what, &thread->lock);
    thread_own(client, true);
    --*n_waiting;
    if (thread->stopping && thread->n_ops + thread->n_polls == 0)
        pthread_cond_broadcast(&thread->left);
    return rc != ETIMEDOUT;
}

int kwi_thread_wait_op(struct kw_client *client, struct kw_op *op, int *code, struct kw_error *err,
                       int *os_err)
{
    struct kw_thread *thread = client->thread;
    while (!kw_core_op_take(op, code, err)) {
        *os_err = thread->os_err;
        if (thread->stopping)
            return KW_ERR_CLOSED;
        if (thread->rc)
            return thread->rc;
        thread_wait(client, &thread->ended, &thread->n_ops, NULL);
    }
    return 0;
}

static bool thread_may_take(const struct kw_thread *thread)
{
    return !thread->taker || thread->taker == kwi_gate_self();
}

static struct timespec thread_after(int32_t timeout_ms)
{
    struct timespec until = {0};
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    return until;
}

int kwi_thread_poll(struct kw_client *client, int32_t timeout_ms)
{
    struct kw_thread *thread = client->thread;
    struct timespec until = thread_after(timeout_ms > 0 ? timeout_ms : 0);
    uint32_t n_wakes = thread->n_wakes;
    bool in_time = timeout_ms != 0 && !thread->wake_left;
    thread->wake_left = false;
    while (in_time && !thread->stopping && !thread->rc && thread->n_wakes == n_wakes &&
           !((*client->attention & KW_ATT_EVENT) && thread_may_take(thread)))
        in_time = thread_wait(client, &thread->event, &thread->n_polls,
                              timeout_ms > 0 ? &until : NULL);
    return thread->stopping ? KW_ERR_CLOSED : thread->rc;
}

bool kwi_thread_takes(struct kw_client *client)
{
    return !client->thread || thread_may_take(client->thread);
}

void kwi_thread_took(struct kw_client *client, bool got)
{
    if (client->thread)
        client->thread->taker = got ? kwi_gate_self() : 0;
}

void kwi_thread_wake(struct kw_client *client)
{
    atomic_store(&client->thread->wake_asked, true);
    kwi_loop_wake(client->loop);
}

/* ---- the thread ------------------------------------------------------------------------ */

static void thread_woken(struct kw_thread *thread)
{
    if (!atomic_exchange(&thread->wake_asked, false))
        return;
    if (thread->n_polls == 0)
        thread->wake_left = true;
    thread->n_wakes++;
    pthread_cond_broadcast(&thread->event);
}

int kwi_thread_sleep(struct kw_client *client, uint64_t wake_us, int *os_err)
{
    client->thread->wake_us = wake_us;
    client->asleep = wake_us != 0;
    kwi_thread_pause(client);
    int rc = kwi_loop_wait(client->loop, wake_us != 0 ? -1 : 0, os_err);
    kwi_thread_resume(client);
    client->asleep = client->kicked = false;
    return rc;
}

static void *thread_run(void *arg)
{
    struct kw_client *client = arg;
    struct kw_thread *thread = client->thread;
    kwi_thread_resume(client);
    while (!thread->stopping && thread->rc == 0) {
        thread->rc = kwi_client_turn(client, &thread->os_err);
        thread_woken(thread);
    }
    kwi_stages_abandon(client); /* nobody would look at them */
    pthread_cond_broadcast(&thread->ended);
    pthread_cond_broadcast(&thread->event);
    kwi_thread_pause(client);
    return NULL;
}

/* Deadlines on a clock that nobody sets. */
static int thread_init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);
    if (rc)
        return rc;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    rc = pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
    return rc;
}

static void thread_destroy(struct kw_client *client)
{
    struct kw_thread *thread = client->thread;
    client->thread = NULL;
    kwi_stages_destroy(client);
    pthread_cond_destroy(&thread->left);
    pthread_cond_destroy(&thread->event);
    pthread_cond_destroy(&thread->ended);
    pthread_mutex_destroy(&thread->lock);
    kwi_free(&client->heap, thread, sizeof(*thread));
}

/* Signals are the application's: none is taken by our thread. */
static int thread_start(struct kw_client *client)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&client->thread->id, NULL, thread_run, client);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        (void)pthread_setname_np(client->thread->id, "kwire-io");
    return rc;
}

static int thread_create(struct kw_client *client)
{
    struct kw_thread *thread = kwi_alloc_zero(&client->heap, sizeof(*thread));
    if (!thread)
        return KW_ERR_NOMEM;
    atomic_init(&thread->wake_asked, false);
    /* With glibc none of these can fail. */
    int rc = pthread_mutex_init(&thread->lock, NULL);
    rc = rc ? rc : thread_init_cond(&thread->ended);
    rc = rc ? rc : thread_init_cond(&thread->event);
    rc = rc ? rc : thread_init_cond(&thread->left);
    client->thread = thread;
    if (rc || kwi_stages_create(client) != 0) {
        thread_destroy(client);
        return KW_ERR_NOMEM;
    }
    pthread_mutex_lock(&thread->lock); /* it waits here until the gate says so */
    if (thread_start(client) != 0) {
        pthread_mutex_unlock(&thread->lock);
        thread_destroy(client);
        return KW_ERR_IO;
    }
    kw_core_hold_ops(client->core);
    atomic_store(client->gate.word, KWI_GATE_THREAD);
    return 0;
}

int kw_client_start_thread(struct kw_client *client)
{
    if (!client)
        return KW_ERR_USE;
    int rc = kwi_client_enter_alone(client);
    if (rc != 0)
        return rc;
    if (client->thread || client->has_given_fd)
        rc = KW_ERR_STATE;
    else
        rc = thread_create(client);
    kwi_client_exit(client);
    return rc;
}

void kwi_thread_stop(struct kw_client *client)
{
    struct kw_thread *thread = client->thread;
    thread->stopping = true;
    pthread_cond_broadcast(&thread->ended);
    pthread_cond_broadcast(&thread->event);
    while (thread->n_ops + thread->n_polls > 0) {
        thread_own(client, false);
        pthread_cond_wait(&thread->left, &thread->lock);
    }
    pthread_mutex_unlock(&thread->lock);
    kwi_loop_wake(client->loop);
    pthread_join(thread->id, NULL);
    atomic_store(client->gate.word, KWI_GATE_HELD);
    thread_own(client, true);
    thread_destroy(client);
}
