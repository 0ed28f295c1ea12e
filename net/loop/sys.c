/* net/loop/sys.c -- the real system calls. Some libraries declare the calls
 * that take an address with a union type of their own, or as macros, so those
 * go through a function each. */
#include "net/loop/sys.h"

#include <sys/eventfd.h>
#include <unistd.h>

static int sys_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    return connect(fd, addr, len);
}

static int sys_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    return bind(fd, addr, len);
}

static int sys_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    return accept4(fd, addr, len, flags);
}

static int sys_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    return getsockname(fd, addr, len);
}

static int sys_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    return getpeername(fd, addr, len);
}

static int sys_eventfd(unsigned value, int flags)
{
    return eventfd(value, flags);
}

static int sys_timerfd_create(int clock, int flags)
{
    return timerfd_create(clock, flags);
}

static int sys_clock_gettime(clockid_t clock, struct timespec *value)
{
    return clock_gettime(clock, value);
}

const struct kw_sys kwi_sys_real = {
    .socket = socket,
    .connect = sys_connect,
    .bind = sys_bind,
    .listen = listen,
    .accept4 = sys_accept4,
    .getsockname = sys_getsockname,
    .getpeername = sys_getpeername,
    .getsockopt = getsockopt,
    .setsockopt = setsockopt,
    .recv = recv,
    .recvmsg = recvmsg,
    .sendmsg = sendmsg,
    .read = read,
    .write = write,
    .close = close,
    .epoll_create1 = epoll_create1,
    .epoll_ctl = epoll_ctl,
    .epoll_wait = epoll_wait,
    .timerfd_create = sys_timerfd_create,
    .timerfd_settime = timerfd_settime,
    .eventfd = sys_eventfd,
    .clock_gettime = sys_clock_gettime,
};
