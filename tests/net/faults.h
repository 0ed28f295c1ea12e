/* tests/net/faults.h -- system calls that fail by plan.
 *
 * fault_sys does the real calls, counts them, and returns what was planned
 * instead. Descriptors it opened and did not close are counted as well. */
#ifndef TEST_NET_FAULTS_H
#define TEST_NET_FAULTS_H
#include "net/loop/sys.h"

enum fault_call {
    CALL_SOCKET,
    CALL_CONNECT,
    CALL_BIND,
    CALL_LISTEN,
    CALL_ACCEPT4,
    CALL_GETSOCKNAME,
    CALL_GETPEERNAME,
    CALL_GETSOCKOPT,
    CALL_SETSOCKOPT,
    CALL_RECV,
    CALL_SENDMSG,
    CALL_READ,
    CALL_WRITE,
    CALL_CLOSE,
    CALL_EPOLL_CREATE,
    CALL_EPOLL_CTL,
    CALL_EPOLL_WAIT,
    CALL_TIMERFD_CREATE,
    CALL_TIMERFD_SETTIME,
    CALL_EVENTFD,
    N_CALLS
};

extern const struct kw_sys fault_sys;

/* Forgets all plans and counts. */
void fault_reset(void);
/* After `skip` more of these calls, the next `times` fail with os_err. */
void fault_plan(enum fault_call call, int skip, int times, int os_err);
/* The same, but the real call is made before the error is returned. */
void fault_plan_late(enum fault_call call, int skip, int times, int os_err);
/* recv or sendmsg moves at most max bytes a call (0: no limit). */
void fault_short(enum fault_call call, size_t max);
/* How often it was called since the reset. */
int fault_count(enum fault_call call);
/* Opened and not closed since the reset. */
int fault_n_open(void);

#endif
