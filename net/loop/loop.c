/* net/loop/loop.c -- the event loop over epoll.
 *
 * The epoll set holds the watched descriptors, a timerfd for the deadline and
 * an eventfd for wake-ups. An epoll entry points at its watch; taking a watch
 * out also wipes it from the events of the present round, so an entry never
 * outlives its watch, whatever number the descriptor gets again.
 *
 * The timer is set only when the wanted deadline is earlier than the one it is
 * set to, or much later. Deadlines mostly move back a little, and one early wake-up
 * then replaces a system call for each move. */
#include "net/loop/loop.h"
#include "base/assert.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>

enum {
    LOOP_ROUND_MAX = 64,         /* events taken at once */
    LOOP_EARLY_US = 1000000,     /* so much too early is no reason to set the timer */
    LOOP_SECONDS_MAX = INT32_MAX /* the latest deadline: 68 years of uptime */
};

struct kw_loop {
    struct kw_alloc alloc;
    const struct kw_sys *sys;
    int epoll_fd, timer_fd, wake_fd;
    clockid_t clock;
    uint64_t deadline_us; /* wanted; UINT64_MAX: none */
    uint64_t armed_us;    /* what the timer is set to; UINT64_MAX: not set */
    bool exported;        /* a foreign loop waits on epoll_fd */
    bool in_round;
    atomic_bool woken; /* the eventfd was written and not read since */
    int n_ready;
    struct epoll_event ready[LOOP_ROUND_MAX];
};

static int loop_io_error(int *os_err)
{
    if (os_err)
        *os_err = errno;
    return KW_ERR_IO;
}

static int loop_ctl(struct kw_loop *loop, int what, int fd, uint32_t events, void *ptr)
{
    struct epoll_event event = {.events = events, .data.ptr = ptr};
    int rc;
    do {
        rc = loop->sys->epoll_ctl(loop->epoll_fd, what, fd, &event);
    } while (rc < 0 && errno == EINTR);
    return rc;
}

/* Opens the three descriptors; -1 with errno. */
static int loop_open(struct kw_loop *loop)
{
    loop->epoll_fd = loop->sys->epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0)
        return -1;
    loop->wake_fd = loop->sys->eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->wake_fd < 0)
        return -1;
    loop->clock = CLOCK_BOOTTIME;
    loop->timer_fd = loop->sys->timerfd_create(loop->clock, TFD_NONBLOCK | TFD_CLOEXEC);
    if (loop->timer_fd < 0 && errno == EINVAL) {
        loop->clock = CLOCK_MONOTONIC; /* the system cannot count suspend */
        loop->timer_fd = loop->sys->timerfd_create(loop->clock, TFD_NONBLOCK | TFD_CLOEXEC);
    }
    if (loop->timer_fd < 0)
        return -1;
    if (loop_ctl(loop, EPOLL_CTL_ADD, loop->wake_fd, EPOLLIN, &loop->wake_fd) < 0)
        return -1;
    return loop_ctl(loop, EPOLL_CTL_ADD, loop->timer_fd, EPOLLIN, &loop->timer_fd);
}

int kwi_loop_create(struct kw_loop **out, const struct kw_alloc *alloc, const struct kw_sys *sys,
                    int *os_err)
{
    *out = NULL;
    struct kw_loop *loop = alloc->alloc(alloc->ctx, sizeof(*loop));
    if (!loop)
        return KW_ERR_NOMEM;
    memset(loop, 0, sizeof(*loop));
    loop->alloc = *alloc;
    loop->sys = sys ? sys : &kwi_sys_real;
    loop->epoll_fd = loop->timer_fd = loop->wake_fd = -1;
    loop->deadline_us = loop->armed_us = UINT64_MAX;
    atomic_init(&loop->woken, false);
    if (loop_open(loop) < 0) {
        int err = loop_io_error(os_err);
        kwi_loop_destroy(loop);
        return err;
    }
    *out = loop;
    return 0;
}

void kwi_loop_abandon(const struct kw_loop *loop)
{
    if (loop->timer_fd >= 0)
        loop->sys->close(loop->timer_fd);
    if (loop->wake_fd >= 0)
        loop->sys->close(loop->wake_fd);
    if (loop->epoll_fd >= 0)
        loop->sys->close(loop->epoll_fd);
}

void kwi_loop_destroy(struct kw_loop *loop)
{
    if (!loop)
        return;
    KWI_ASSERT(!loop->in_round);
    kwi_loop_abandon(loop);
    struct kw_alloc alloc = loop->alloc;
    alloc.free(alloc.ctx, loop, sizeof(*loop));
}

int kwi_loop_watch(struct kw_loop *loop, struct kw_loop_fd *watch, unsigned events, int *os_err)
{
    KWI_ASSERT(watch->ready && !(events & ~(unsigned)(KWI_LOOP_READ | KWI_LOOP_WRITE)));
    if (events == watch->events)
        return 0;
    if (events == 0) {
        kwi_loop_unwatch(loop, watch);
        return 0;
    }
    uint32_t bits = 0;
    if (events & KWI_LOOP_READ)
        bits |= EPOLLIN;
    if (events & KWI_LOOP_WRITE)
        bits |= EPOLLOUT;
    int what = watch->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (loop_ctl(loop, what, watch->fd, bits, watch) < 0)
        return loop_io_error(os_err);
    watch->events = events;
    return 0;
}

void kwi_loop_unwatch(struct kw_loop *loop, struct kw_loop_fd *watch)
{
    if (!watch->events)
        return;
    /* It can fail only where there is nothing to take out any more. */
    loop_ctl(loop, EPOLL_CTL_DEL, watch->fd, 0, NULL);
    watch->events = 0;
    for (int i = 0; i < loop->n_ready; i++) {
        if (loop->ready[i].data.ptr == watch)
            loop->ready[i].data.ptr = NULL;
    }
}

static uint64_t loop_mono(const struct kw_loop *loop)
{
    struct timespec time = {0};
    loop->sys->clock_gettime(loop->clock, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

void kwi_loop_now(const struct kw_loop *loop, struct kw_time *now)
{
    struct timespec wall = {0};
    loop->sys->clock_gettime(CLOCK_REALTIME, &wall);
    now->mono_us = loop_mono(loop);
    now->wall_ms = (int64_t)wall.tv_sec * 1000 + (int64_t)wall.tv_nsec / 1000000;
}

/* Sets the timer if the wanted deadline needs it; -1 with errno. */
static int loop_arm(struct kw_loop *loop)
{
    if (loop->deadline_us >= loop->armed_us &&
        loop->deadline_us - loop->armed_us < (uint64_t)LOOP_EARLY_US)
        return 0;
    uint64_t seconds = loop->deadline_us / 1000000;
    struct itimerspec spec = {0}; /* all zero stops the timer */
    if (loop->deadline_us == 0) {
        spec.it_value.tv_nsec = 1;
    } else if (loop->deadline_us != UINT64_MAX) {
        spec.it_value.tv_sec = (time_t)(seconds < LOOP_SECONDS_MAX ? seconds : LOOP_SECONDS_MAX);
        spec.it_value.tv_nsec = (long)(loop->deadline_us % 1000000 * 1000);
    }
    int rc;
    do {
        rc = loop->sys->timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return -1;
    loop->armed_us = loop->deadline_us;
    return 0;
}

void kwi_loop_set_deadline(struct kw_loop *loop, uint64_t mono_us)
{
    loop->deadline_us = mono_us;
    /* Should it fail, run_once tries again and reports it. */
    if (loop->exported)
        (void)loop_arm(loop);
}

/* Empties a timerfd or eventfd, so that it is readable no longer. */
static void loop_drain(struct kw_loop *loop, int fd)
{
    uint64_t count;
    ssize_t n;
    do {
        n = loop->sys->read(fd, &count, sizeof(count));
    } while (n < 0 && errno == EINTR);
}

/* Takes the deadline away if it has passed; returns whether it had. */
static bool loop_deadline_passed(struct kw_loop *loop)
{
    if (loop->deadline_us == UINT64_MAX || loop->deadline_us > loop_mono(loop))
        return false;
    loop->deadline_us = UINT64_MAX;
    return true;
}

/* Handles the loop's own descriptors and wipes them from the round. This comes
 * before any callback, because a callback may set the next deadline. */
static int loop_take_own(struct kw_loop *loop)
{
    int n = 0;
    bool timer_rang = false;
    for (int i = 0; i < loop->n_ready; i++) {
        void *ptr = loop->ready[i].data.ptr;
        if (ptr == &loop->wake_fd) {
            /* In this order: a wake-up in between is covered by this return
             * of run_once. The other way round it could be lost for ever. */
            loop_drain(loop, loop->wake_fd);
            atomic_exchange(&loop->woken, false);
            n++;
        } else if (ptr == &loop->timer_fd) {
            loop_drain(loop, loop->timer_fd);
            loop->armed_us = UINT64_MAX;
            timer_rang = true;
        } else {
            continue;
        }
        loop->ready[i].data.ptr = NULL;
    }
    if (timer_rang || loop->deadline_us == 0)
        n += loop_deadline_passed(loop);
    return n;
}

static unsigned loop_events_of(uint32_t bits, unsigned asked)
{
    unsigned events = 0;
    if (bits & EPOLLIN)
        events |= KWI_LOOP_READ;
    if (bits & EPOLLOUT)
        events |= KWI_LOOP_WRITE;
    events &= asked; /* an earlier callback may have asked for less */
    if (bits & (EPOLLERR | EPOLLHUP))
        events |= KWI_LOOP_ERROR | asked;
    return events;
}

static int loop_dispatch(struct kw_loop *loop)
{
    int n = 0;
    for (int i = 0; i < loop->n_ready; i++) {
        struct kw_loop_fd *watch = loop->ready[i].data.ptr;
        if (!watch)
            continue;
        unsigned events = loop_events_of(loop->ready[i].events, watch->events);
        if (!events)
            continue;
        n++;
        watch->ready(watch, events);
    }
    return n;
}

int kwi_loop_wait(struct kw_loop *loop, int32_t timeout_ms, int *os_err)
{
    KWI_ASSERT(!loop->in_round);
    if (loop->deadline_us == 0)
        timeout_ms = 0;
    if (timeout_ms != 0 && loop_arm(loop) < 0)
        return loop_io_error(os_err);
    int n = loop->sys->epoll_wait(loop->epoll_fd, loop->ready, LOOP_ROUND_MAX, timeout_ms);
    if (n < 0 && errno != EINTR)
        return loop_io_error(os_err);
    loop->n_ready = n < 0 ? 0 : n;
    return 0;
}

int kwi_loop_dispatch(struct kw_loop *loop, int *os_err)
{
    loop->in_round = true;
    int n = loop_take_own(loop);
    n += loop_dispatch(loop);
    loop->in_round = false;
    loop->n_ready = 0;
    /* A timer that rang too early has to be set again. */
    if (loop->exported && loop_arm(loop) < 0)
        return loop_io_error(os_err);
    return n;
}

int kwi_loop_run_once(struct kw_loop *loop, int32_t timeout_ms, int *os_err)
{
    int rc = kwi_loop_wait(loop, timeout_ms, os_err);
    return rc != 0 ? rc : kwi_loop_dispatch(loop, os_err);
}

void kwi_loop_wake(struct kw_loop *loop)
{
    if (atomic_exchange(&loop->woken, true))
        return;
    int saved = errno;
    uint64_t one = 1;
    ssize_t n;
    do {
        n = loop->sys->write(loop->wake_fd, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
    errno = saved;
}

int kwi_loop_fd(struct kw_loop *loop)
{
    loop->exported = true;
    (void)loop_arm(loop);
    return loop->epoll_fd;
}
