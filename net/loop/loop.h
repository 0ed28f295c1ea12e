/* net/loop/loop.h -- an event loop over epoll, timerfd and eventfd.
 *
 * It knows nothing of Kafka, starts no thread and installs no signal handler.
 * The epoll descriptor holds all the others, so a foreign loop may watch that
 * one alone (kwi_loop_fd) and call kwi_loop_run_once(loop, 0, ...) when it is
 * readable; sockets, the deadline and wake-ups all make it so.
 *
 * Threads: one at a time; kwi_loop_wake alone may be called from any thread and
 * from a signal handler. The fallible calls return KW_ERR_IO with the errno in
 * *os_err, which may be NULL. */
#ifndef KWI_LOOP_H
#define KWI_LOOP_H
#include "net/loop/sys.h"
#include <kwire/types.h>

struct kw_loop;

enum {
    KWI_LOOP_READ = 1,
    KWI_LOOP_WRITE = 2,
    KWI_LOOP_ERROR = 4 /* reported unasked, along with what was asked for, so that
                          the next read or write finds out what it is */
};

/* A watched descriptor, zeroed and then filled in by the caller, who keeps it
 * at its place until it is unwatched. */
struct kw_loop_fd {
    int fd;
    unsigned events; /* the loop's: what is watched for now, 0 if nothing */
    void (*ready)(struct kw_loop_fd *watch, unsigned events);
};

/* sys NULL: the real calls. Errors: KW_ERR_NOMEM, KW_ERR_IO (EMFILE and such). */
KW_MUST_USE int kwi_loop_create(struct kw_loop **out, const struct kw_alloc *alloc,
                                const struct kw_sys *sys, int *os_err);
/* Closes what the loop opened, not the watched descriptors. NULL is allowed. */
void kwi_loop_destroy(struct kw_loop *loop);
/* In a child of fork(): closes its descriptors and touches nothing else, because the
 * epoll set is the parent's, too. */
void kwi_loop_abandon(const struct kw_loop *loop);

/* Starts watching, changes what for, or stops (events 0: not even errors are
 * reported then, so that a dead peer nobody reads from cannot make the loop
 * spin). Level-triggered. On failure nothing changed. Does nothing when events
 * is what it was. */
KW_MUST_USE int kwi_loop_watch(struct kw_loop *loop, struct kw_loop_fd *watch, unsigned events,
                               int *os_err);
/* Stops watching; to be called before the descriptor is closed. From then on
 * ready is not called, not even for an event already taken from the system, so
 * a callback may unwatch and free any watch, its own too. */
void kwi_loop_unwatch(struct kw_loop *loop, struct kw_loop_fd *watch);

/* The clocks: mono_us is what deadlines count in, and includes suspend where
 * the system can. */
void kwi_loop_now(const struct kw_loop *loop, struct kw_time *now);
/* The descriptor is readable, and run_once returns, at mono_us at the latest;
 * UINT64_MAX: no deadline. Cheap: most changes make no system call. The loop
 * may wake up early once after a deadline was moved back. After it has passed
 * it is gone: set the next one. */
void kwi_loop_set_deadline(struct kw_loop *loop, uint64_t mono_us);

/* Waits until something happens, the deadline, or timeout_ms (-1: no limit),
 * whichever is first, and calls ready for each descriptor that is. Returns how
 * many things happened (descriptors, a wake-up, the deadline); 0: time is up,
 * or a signal came. Not to be called from a ready callback (asserts). */
KW_MUST_USE int kwi_loop_run_once(struct kw_loop *loop, int32_t timeout_ms, int *os_err);
/* The two halves of run_once: the wait, in which nothing of the caller's is called or
 * changed, and what follows from it. The first returns 0. */
KW_MUST_USE int kwi_loop_wait(struct kw_loop *loop, int32_t timeout_ms, int *os_err);
KW_MUST_USE int kwi_loop_dispatch(struct kw_loop *loop, int *os_err);
/* Makes the present or the next run_once return, and the descriptor readable.
 * Many calls before it returns cost one system call. errno is preserved. */
void kwi_loop_wake(struct kw_loop *loop);
/* The one descriptor for a foreign loop; never changes. From the first call of
 * this on, set_deadline arms the timer at once instead of in run_once. */
int kwi_loop_fd(struct kw_loop *loop);

#endif
