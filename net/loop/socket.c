/* net/loop/socket.c -- non-blocking TCP, each call safe against signals.
 *
 * No option is worth a connection: what setsockopt refuses is left as it is. */
#include "net/loop/socket.h"
#include "base/assert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/uio.h>

enum {
    SOCKET_PIECES_MAX = 1024, /* the system's IOV_MAX */
    SOCKET_ACCEPT_TRIES = 16, /* connections that died in the queue, skipped at once */
    SOCKET_BACKLOG = 512
};

union kw_socket_name {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

_Static_assert(sizeof(struct kw_iov) == sizeof(struct iovec) &&
                   offsetof(struct kw_iov, base) == offsetof(struct iovec, iov_base) &&
                   offsetof(struct kw_iov, len) == offsetof(struct iovec, iov_len),
               "struct kw_iov is passed to the system as a struct iovec");

static int socket_io_error(int os, int *os_err)
{
    if (os_err)
        *os_err = os;
    return KW_ERR_IO;
}

static socklen_t socket_name_of(union kw_socket_name *name, const struct kw_addr *addr)
{
    memset(name, 0, sizeof(*name));
    if (addr->family == 4) {
        name->v4.sin_family = AF_INET;
        name->v4.sin_port = htons(addr->port);
        memcpy(&name->v4.sin_addr, addr->ip, 4);
        return sizeof(name->v4);
    }
    name->v6.sin6_family = AF_INET6;
    name->v6.sin6_port = htons(addr->port);
    name->v6.sin6_scope_id = addr->scope_id;
    memcpy(&name->v6.sin6_addr, addr->ip, 16);
    return sizeof(name->v6);
}

static void socket_addr_of(struct kw_addr *addr, const union kw_socket_name *name)
{
    memset(addr, 0, sizeof(*addr));
    if (name->any.sa_family == AF_INET) {
        addr->family = 4;
        addr->port = ntohs(name->v4.sin_port);
        memcpy(addr->ip, &name->v4.sin_addr, 4);
    } else if (name->any.sa_family == AF_INET6) {
        addr->family = 6;
        addr->port = ntohs(name->v6.sin6_port);
        addr->scope_id = name->v6.sin6_scope_id;
        memcpy(addr->ip, &name->v6.sin6_addr, 16);
    }
}

bool kwi_addr_parse(struct kw_addr *addr, const char *text, uint16_t port)
{
    char host[INET6_ADDRSTRLEN];
    size_t len = strcspn(text, "%");
    memset(addr, 0, sizeof(*addr));
    addr->port = port;
    if (len >= sizeof(host))
        return false;
    memcpy(host, text, len);
    host[len] = 0;
    if (!text[len] && inet_pton(AF_INET, host, addr->ip) == 1) {
        addr->family = 4;
        return true;
    }
    if (inet_pton(AF_INET6, host, addr->ip) != 1)
        return false;
    addr->family = 6;
    if (!text[len])
        return true;
    /* A zone is the number or the name of an interface. */
    const char *zone = text + len + 1;
    size_t n_digits = strspn(zone, "0123456789");
    if (n_digits > 0 && n_digits < 10 && !zone[n_digits]) {
        for (size_t i = 0; i < n_digits; i++)
            addr->scope_id = addr->scope_id * 10 + (uint32_t)(zone[i] - '0');
        return true;
    }
    addr->scope_id = if_nametoindex(zone);
    return addr->scope_id != 0;
}

static void socket_set(const struct kw_sys *sys, int fd, int level, int name, int value)
{
    int saved = errno;
    (void)sys->setsockopt(fd, level, name, &value, sizeof(value));
    errno = saved;
}

static int socket_open(const struct kw_sys *sys, const struct kw_addr *addr)
{
    int domain = addr->family == 4 ? AF_INET : AF_INET6;
    int fd;
    do {
        fd = sys->socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* Before connect, so that the first request already goes out undelayed, and the window
 * that the other side is offered fits the buffer. */
static void socket_apply(const struct kw_sys *sys, int fd, const struct kw_socket_options *options)
{
    if (!(options->flags & KWI_SOCKET_NAGLE))
        socket_set(sys, fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (options->flags & KWI_SOCKET_KEEPALIVE)
        socket_set(sys, fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (options->send_buffer >= 0)
        socket_set(sys, fd, SOL_SOCKET, SO_SNDBUF, options->send_buffer);
    if (options->receive_buffer >= 0)
        socket_set(sys, fd, SOL_SOCKET, SO_RCVBUF, options->receive_buffer);
}

int kwi_socket_connect(const struct kw_sys *sys, const struct kw_addr *addr, unsigned flags,
                       int *fd, int *os_err)
{
    struct kw_socket_options options = {flags, -1, -1};
    return kwi_socket_connect_with(sys, addr, &options, fd, os_err);
}

int kwi_socket_connect_with(const struct kw_sys *sys, const struct kw_addr *addr,
                            const struct kw_socket_options *options, int *fd, int *os_err)
{
    *fd = -1;
    if (addr->family != 4 && addr->family != 6)
        return socket_io_error(EAFNOSUPPORT, os_err);
    int new_fd = socket_open(sys, addr);
    if (new_fd < 0)
        return socket_io_error(errno, os_err);
    socket_apply(sys, new_fd, options);
    union kw_socket_name name;
    socklen_t len = socket_name_of(&name, addr);
    int err = 0, os = 0;
    if (sys->connect(new_fd, &name.any, len) < 0) {
        os = errno;
        /* After a signal the attempt goes on by itself; asking again would
         * only say EALREADY. */
        err = os == EINPROGRESS || os == EINTR ? KW_ERR_WOULD_BLOCK : KW_ERR_IO;
    } else {
        err = kwi_socket_connected(sys, new_fd, &os);
    }
    if (err == KW_ERR_IO) {
        kwi_socket_close(sys, new_fd);
        return socket_io_error(os, os_err);
    }
    *fd = new_fd;
    return err;
}

/* A connection to an unused port of this machine can meet itself, when the
 * system picks that very port for our end (simultaneous open). */
static bool socket_met_itself(const struct kw_sys *sys, int fd, const union kw_socket_name *peer)
{
    union kw_socket_name own = {0};
    socklen_t len = sizeof(own);
    if (sys->getsockname(fd, &own.any, &len) < 0)
        return false;
    struct kw_addr a, b;
    socket_addr_of(&a, &own);
    socket_addr_of(&b, peer);
    return a.family == b.family && a.port == b.port && memcmp(a.ip, b.ip, sizeof(a.ip)) == 0;
}

int kwi_socket_connected(const struct kw_sys *sys, int fd, int *os_err)
{
    int pending = 0;
    socklen_t len = sizeof(pending);
    if (sys->getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &len) < 0)
        return socket_io_error(errno, os_err);
    if (pending == EINTR || pending == EINPROGRESS)
        return KW_ERR_WOULD_BLOCK;
    if (pending)
        return socket_io_error(pending, os_err);
    /* No error yet is not success: readiness may be reported too early. */
    union kw_socket_name peer = {0};
    len = sizeof(peer);
    if (sys->getpeername(fd, &peer.any, &len) < 0)
        return errno == ENOTCONN ? KW_ERR_WOULD_BLOCK : socket_io_error(errno, os_err);
    if (socket_met_itself(sys, fd, &peer))
        return socket_io_error(ECONNREFUSED, os_err);
    return 0;
}

int kwi_socket_listen(const struct kw_sys *sys, const struct kw_addr *addr, int *fd,
                      struct kw_addr *bound, int *os_err)
{
    *fd = -1;
    if (addr->family != 4 && addr->family != 6)
        return socket_io_error(EAFNOSUPPORT, os_err);
    int new_fd = socket_open(sys, addr);
    if (new_fd < 0)
        return socket_io_error(errno, os_err);
    /* A restarted broker gets its port back although old connections linger. */
    socket_set(sys, new_fd, SOL_SOCKET, SO_REUSEADDR, 1);
    union kw_socket_name name;
    socklen_t len = socket_name_of(&name, addr);
    if (sys->bind(new_fd, &name.any, len) < 0 || sys->listen(new_fd, SOCKET_BACKLOG) < 0)
        goto fail;
    if (bound) {
        len = sizeof(name);
        if (sys->getsockname(new_fd, &name.any, &len) < 0)
            goto fail;
        socket_addr_of(bound, &name);
    }
    *fd = new_fd;
    return 0;
fail:;
    int os = errno;
    kwi_socket_close(sys, new_fd);
    return socket_io_error(os, os_err);
}

/* accept also reports what went wrong with the connection it would have taken;
 * that is no fault of the listener. */
static bool socket_was_the_peers(int os)
{
    switch (os) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case EOPNOTSUPP: return true;
    default: return false;
    }
}

int kwi_socket_accept(const struct kw_sys *sys, int listener, int *fd, struct kw_addr *peer,
                      int *os_err)
{
    *fd = -1;
    for (int i = 0; i < SOCKET_ACCEPT_TRIES; i++) {
        union kw_socket_name name = {0};
        socklen_t len = sizeof(name);
        int new_fd = sys->accept4(listener, &name.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (new_fd >= 0) {
            socket_set(sys, new_fd, IPPROTO_TCP, TCP_NODELAY, 1);
            if (peer)
                socket_addr_of(peer, &name);
            *fd = new_fd;
            return 0;
        }
        if (errno == EAGAIN)
            return KW_ERR_WOULD_BLOCK;
        if (!socket_was_the_peers(errno))
            return socket_io_error(errno, os_err);
    }
    return KW_ERR_WOULD_BLOCK; /* the listener is still readable: next round */
}

/* What a call that moves bytes returned. */
static int socket_moved(ssize_t count, size_t *n, int *os_err)
{
    *n = count < 0 ? 0 : (size_t)count;
    if (count >= 0)
        return 0;
    return errno == EAGAIN ? KW_ERR_WOULD_BLOCK : socket_io_error(errno, os_err);
}

int kwi_socket_read(const struct kw_sys *sys, int fd, void *buf, size_t cap, size_t *n, int *os_err)
{
    KWI_ASSERT(cap > 0); /* no bytes would look like the end */
    ssize_t got;
    do {
        got = sys->recv(fd, buf, cap, 0);
    } while (got < 0 && errno == EINTR);
    return socket_moved(got, n, os_err);
}

int kwi_socket_read_vec(const struct kw_sys *sys, int fd, const struct kw_iov *iov, size_t n_iov,
                        size_t *n, int *os_err)
{
    struct msghdr msg = {0};
    msg.msg_iov = (struct iovec *)(uintptr_t)iov;
    msg.msg_iovlen = n_iov;
    ssize_t got;
    do {
        got = sys->recvmsg(fd, &msg, 0);
    } while (got < 0 && errno == EINTR);
    return socket_moved(got, n, os_err);
}

int kwi_socket_write(const struct kw_sys *sys, int fd, const struct kw_iov *iov, size_t n_iov,
                     size_t *n, int *os_err)
{
    struct msghdr msg = {0};
    /* The system only reads from it; the type has no const. */
    msg.msg_iov = (struct iovec *)(uintptr_t)iov;
    msg.msg_iovlen = n_iov < SOCKET_PIECES_MAX ? n_iov : SOCKET_PIECES_MAX;
    ssize_t sent;
    do {
        sent = sys->sendmsg(fd, &msg, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return socket_moved(sent, n, os_err);
}

void kwi_socket_expect(const struct kw_sys *sys, int fd, int n)
{
    socket_set(sys, fd, SOL_SOCKET, SO_RCVLOWAT, n);
}

void kwi_socket_close(const struct kw_sys *sys, int fd)
{
    /* Not again after a signal: the number is free already, and may be
     * someone else's by now. */
    (void)sys->close(fd);
}
