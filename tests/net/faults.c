/* tests/net/faults.c -- see faults.h. */
#include "tests/net/faults.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

static struct {
    int n_calls, skip, times, os_err;
    bool late;
    size_t max;
} plans[N_CALLS];
static int n_open;

void fault_reset(void)
{
    memset(plans, 0, sizeof(plans));
    n_open = 0;
}

void fault_plan(enum fault_call call, int skip, int times, int os_err)
{
    plans[call].skip = skip;
    plans[call].times = times;
    plans[call].os_err = os_err;
    plans[call].late = false;
}

void fault_plan_late(enum fault_call call, int skip, int times, int os_err)
{
    fault_plan(call, skip, times, os_err);
    plans[call].late = true;
}

void fault_short(enum fault_call call, size_t max)
{
    plans[call].max = max;
}

int fault_count(enum fault_call call)
{
    return plans[call].n_calls;
}

int fault_n_open(void)
{
    return n_open;
}

/* Counts the call; true when it is to fail. */
static bool must_fail(enum fault_call call)
{
    plans[call].n_calls++;
    if (plans[call].times == 0)
        return false;
    if (plans[call].skip > 0) {
        plans[call].skip--;
        return false;
    }
    plans[call].times--;
    return true;
}

#define RUN(call, expression)        \
    bool fails = must_fail(call);    \
    long result = -1;                \
    if (!fails || plans[call].late)  \
        result = (long)(expression); \
    if (fails) {                     \
        result = -1;                 \
        errno = plans[call].os_err;  \
    }

static int opened(long fd)
{
    n_open += fd >= 0;
    return (int)fd;
}

static int fault_socket(int domain, int type, int protocol)
{
    RUN(CALL_SOCKET, kwi_sys_real.socket(domain, type, protocol))
    return opened(result);
}

static int fault_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    RUN(CALL_CONNECT, kwi_sys_real.connect(fd, addr, len))
    return (int)result;
}

static int fault_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    RUN(CALL_BIND, kwi_sys_real.bind(fd, addr, len))
    return (int)result;
}

static int fault_listen(int fd, int backlog)
{
    RUN(CALL_LISTEN, kwi_sys_real.listen(fd, backlog))
    return (int)result;
}

static int fault_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    RUN(CALL_ACCEPT4, kwi_sys_real.accept4(fd, addr, len, flags))
    return opened(result);
}

static int fault_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    RUN(CALL_GETSOCKNAME, kwi_sys_real.getsockname(fd, addr, len))
    return (int)result;
}

static int fault_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    RUN(CALL_GETPEERNAME, kwi_sys_real.getpeername(fd, addr, len))
    return (int)result;
}

static int fault_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    RUN(CALL_GETSOCKOPT, kwi_sys_real.getsockopt(fd, level, name, value, len))
    return (int)result;
}

static int fault_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    RUN(CALL_SETSOCKOPT, kwi_sys_real.setsockopt(fd, level, name, value, len))
    return (int)result;
}

static ssize_t fault_recv(int fd, void *buf, size_t len, int flags)
{
    size_t max = plans[CALL_RECV].max;
    RUN(CALL_RECV, kwi_sys_real.recv(fd, buf, max && max < len ? max : len, flags))
    return result;
}

/* At most max bytes, if it is not 0, and of one piece. */
static struct msghdr cut_to(const struct msghdr *msg, size_t max, struct iovec *first)
{
    struct msghdr cut = *msg;
    while (max && cut.msg_iovlen > 1 && cut.msg_iov[0].iov_len == 0) {
        cut.msg_iov++;
        cut.msg_iovlen--;
    }
    if (max && cut.msg_iovlen > 0) {
        *first = cut.msg_iov[0];
        first->iov_len = first->iov_len < max ? first->iov_len : max;
        cut.msg_iov = first;
        cut.msg_iovlen = 1;
    }
    return cut;
}

static ssize_t fault_recvmsg(int fd, struct msghdr *msg, int flags)
{
    struct iovec first;
    struct msghdr cut = cut_to(msg, plans[CALL_RECV].max, &first);
    RUN(CALL_RECV, kwi_sys_real.recvmsg(fd, &cut, flags))
    return result;
}

static ssize_t fault_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    struct iovec first;
    struct msghdr cut = cut_to(msg, plans[CALL_SENDMSG].max, &first);
    RUN(CALL_SENDMSG, kwi_sys_real.sendmsg(fd, &cut, flags))
    return result;
}

static ssize_t fault_read(int fd, void *buf, size_t len)
{
    RUN(CALL_READ, kwi_sys_real.read(fd, buf, len))
    return result;
}

static ssize_t fault_write(int fd, const void *buf, size_t len)
{
    RUN(CALL_WRITE, kwi_sys_real.write(fd, buf, len))
    return result;
}

static int fault_close(int fd)
{
    n_open--;
    RUN(CALL_CLOSE, kwi_sys_real.close(fd))
    return (int)result;
}

static int fault_epoll_create1(int flags)
{
    RUN(CALL_EPOLL_CREATE, kwi_sys_real.epoll_create1(flags))
    return opened(result);
}

static int fault_epoll_ctl(int epoll_fd, int what, int fd, struct epoll_event *event)
{
    RUN(CALL_EPOLL_CTL, kwi_sys_real.epoll_ctl(epoll_fd, what, fd, event))
    return (int)result;
}

static int fault_epoll_wait(int epoll_fd, struct epoll_event *events, int max, int timeout_ms)
{
    RUN(CALL_EPOLL_WAIT, kwi_sys_real.epoll_wait(epoll_fd, events, max, timeout_ms))
    return (int)result;
}

static int fault_timerfd_create(int clock, int flags)
{
    RUN(CALL_TIMERFD_CREATE, kwi_sys_real.timerfd_create(clock, flags))
    return opened(result);
}

static int fault_timerfd_settime(int fd, int flags, const struct itimerspec *value,
                                 struct itimerspec *old)
{
    RUN(CALL_TIMERFD_SETTIME, kwi_sys_real.timerfd_settime(fd, flags, value, old))
    return (int)result;
}

static int fault_eventfd(unsigned value, int flags)
{
    RUN(CALL_EVENTFD, kwi_sys_real.eventfd(value, flags))
    return opened(result);
}

static int fault_clock_gettime(clockid_t clock, struct timespec *value)
{
    return kwi_sys_real.clock_gettime(clock, value);
}

const struct kw_sys fault_sys = {
    .socket = fault_socket,
    .connect = fault_connect,
    .bind = fault_bind,
    .listen = fault_listen,
    .accept4 = fault_accept4,
    .getsockname = fault_getsockname,
    .getpeername = fault_getpeername,
    .getsockopt = fault_getsockopt,
    .setsockopt = fault_setsockopt,
    .recv = fault_recv,
    .recvmsg = fault_recvmsg,
    .sendmsg = fault_sendmsg,
    .read = fault_read,
    .write = fault_write,
    .close = fault_close,
    .epoll_create1 = fault_epoll_create1,
    .epoll_ctl = fault_epoll_ctl,
    .epoll_wait = fault_epoll_wait,
    .timerfd_create = fault_timerfd_create,
    .timerfd_settime = fault_timerfd_settime,
    .eventfd = fault_eventfd,
    .clock_gettime = fault_clock_gettime,
};
