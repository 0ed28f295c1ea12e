/* net/loop/sys.h -- the system calls of net/loop as a table, so that a test can
 * stand between and return any errno or a short count at any place. The
 * signatures are the system's, and so is errno. */
#ifndef KWI_SYS_H
#define KWI_SYS_H
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <time.h>

struct kw_sys {
    int (*socket)(int domain, int type, int protocol);
    int (*connect)(int fd, const struct sockaddr *addr, socklen_t len);
    int (*bind)(int fd, const struct sockaddr *addr, socklen_t len);
    int (*listen)(int fd, int backlog);
    int (*accept4)(int fd, struct sockaddr *addr, socklen_t *len, int flags);
    int (*getsockname)(int fd, struct sockaddr *addr, socklen_t *len);
    int (*getpeername)(int fd, struct sockaddr *addr, socklen_t *len);
    int (*getsockopt)(int fd, int level, int name, void *value, socklen_t *len);
    int (*setsockopt)(int fd, int level, int name, const void *value, socklen_t len);
    ssize_t (*recv)(int fd, void *buf, size_t len, int flags);
    ssize_t (*recvmsg)(int fd, struct msghdr *msg, int flags);
    ssize_t (*sendmsg)(int fd, const struct msghdr *msg, int flags);
    ssize_t (*read)(int fd, void *buf, size_t len);
    ssize_t (*write)(int fd, const void *buf, size_t len);
    int (*close)(int fd);
    int (*epoll_create1)(int flags);
    int (*epoll_ctl)(int epoll_fd, int what, int fd, struct epoll_event *event);
    int (*epoll_wait)(int epoll_fd, struct epoll_event *events, int max, int timeout_ms);
    int (*timerfd_create)(int clock, int flags);
    int (*timerfd_settime)(int fd, int flags, const struct itimerspec *value,
                           struct itimerspec *old);
    int (*eventfd)(unsigned value, int flags);
    int (*clock_gettime)(clockid_t clock, struct timespec *value);
};

/* The real calls. */
extern const struct kw_sys kwi_sys_real;

#endif
