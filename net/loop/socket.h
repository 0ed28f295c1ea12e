/* net/loop/socket.h -- non-blocking TCP.
 *
 * Every call returns at once and survives signals. Results: 0;
 * KW_ERR_WOULD_BLOCK, wait for the event named; KW_ERR_IO with the errno in
 * *os_err (may be NULL). No call raises SIGPIPE. sys: &kwi_sys_real, or a
 * test's table. */
#ifndef KWI_SOCKET_H
#define KWI_SOCKET_H
#include "net/loop/sys.h"
#include <kwire/types.h>

enum { KWI_SOCKET_KEEPALIVE = 1, KWI_SOCKET_NAGLE = 2 };
/* flags: KWI_SOCKET_*; sizes in bytes, below 0: the system's choice. */
struct kw_socket_options {
    unsigned flags;
    int send_buffer, receive_buffer;
};

/* Fills in addr from a numeric address such as 127.0.0.1, ::1 or fe80::1%2;
 * false for anything else, names included. */
bool kwi_addr_parse(struct kw_addr *addr, const char *text, uint16_t port);

/* Starts a connection (flags: KWI_SOCKET_*). 0: it is up. WOULD_BLOCK: when the
 * descriptor is writable call kwi_socket_connected. KW_ERR_IO: no descriptor. */
KW_MUST_USE int kwi_socket_connect(const struct kw_sys *sys, const struct kw_addr *addr,
                                   unsigned flags, int *fd, int *os_err);
/* The same with buffers of a size. */
KW_MUST_USE int kwi_socket_connect_with(const struct kw_sys *sys, const struct kw_addr *addr,
                                        const struct kw_socket_options *options, int *fd,
                                        int *os_err);
/* 0: up. WOULD_BLOCK: not yet, wait on. KW_ERR_IO: why not; the caller closes. */
KW_MUST_USE int kwi_socket_connected(const struct kw_sys *sys, int fd, int *os_err);

/* Listens on addr; port 0 lets the system choose. *bound, if not NULL, gets the
 * address with the true port. */
KW_MUST_USE int kwi_socket_listen(const struct kw_sys *sys, const struct kw_addr *addr, int *fd,
                                  struct kw_addr *bound, int *os_err);
/* Takes one connection; peer may be NULL. WOULD_BLOCK: wait for readable. On
 * KW_ERR_IO (EMFILE and such) the connection stays queued and the listener
 * readable: stop watching it until a descriptor was closed, or for a while. */
KW_MUST_USE int kwi_socket_accept(const struct kw_sys *sys, int listener, int *fd,
                                  struct kw_addr *peer, int *os_err);

/* Reads at most cap bytes (cap > 0). *n 0 with result 0: the peer has closed. */
KW_MUST_USE int kwi_socket_read(const struct kw_sys *sys, int fd, void *buf, size_t cap, size_t *n,
                                int *os_err);
/* The same into pieces, one after the other. */
KW_MUST_USE int kwi_socket_read_vec(const struct kw_sys *sys, int fd, const struct kw_iov *iov,
                                    size_t n_iov, size_t *n, int *os_err);
/* Writes from the pieces, at most the first 1024 of them; *n may be less than
 * their sum. */
KW_MUST_USE int kwi_socket_write(const struct kw_sys *sys, int fd, const struct kw_iov *iov,
                                 size_t n_iov, size_t *n, int *os_err);
/* The socket is not to be called readable before n bytes are there (SO_RCVLOWAT), or the
 * end, or what it has room for; 1: as usual. */
void kwi_socket_expect(const struct kw_sys *sys, int fd, int n);
void kwi_socket_close(const struct kw_sys *sys, int fd);

#endif
