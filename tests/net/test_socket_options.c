/* covers: N38
 * The options of sockets are those of the configuration, and set in time. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/client.h"
#include "tests/net/fake_core.h"
#include "tests/net/faults.h"

static int connected_fd;
static int early_sndbuf;
static int options_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    socklen_t size = sizeof(early_sndbuf);
    connected_fd = fd;
    cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &early_sndbuf, &size), 0);
    return kwi_sys_real.connect(fd, addr, len);
}

static int option_of(int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    cr_assert_eq(getsockopt(connected_fd, level, name, &value, &len), 0);
    return value;
}

Test(options, sockets_get_what_is_configured_before_they_connect, .timeout = 30)
{
    static const char *const settings[][2] = {{"socket.keepalive.enable", "true"},
                                              {"socket.nagle.disable", "false"},
                                              {"send.buffer.bytes", "20000"},
                                              {"receive.buffer.bytes", "30000"}};
    struct kw_sys sys = kwi_sys_real;
    sys.connect = options_connect;
    for (int configured = 0; configured < 2; configured++) {
        struct kw_config *cfg;
        struct kw_error err;
        uint16_t port;
        int listener = peer_listen(&port);
        cr_assert_eq(kw_config_new(&cfg), 0);
        for (int i = 0; configured && i < 4; i++)
            cr_assert_eq(kw_config_set(cfg, settings[i][0], settings[i][1], &err), 0);
        struct kw_client *client = fake_client_of(cfg, &sys, &err);
        kw_config_destroy(cfg);
        fake_open(fake_core(client), 1, port);
        UNTIL(client, fake_core(client)->conns[1].n_opened == 1);
        cr_assert_eq(option_of(SOL_SOCKET, SO_KEEPALIVE), configured);
        cr_assert_eq(option_of(IPPROTO_TCP, TCP_NODELAY), !configured);
        if (configured) { /* Linux counts twice what was asked for */
            cr_assert_eq(option_of(SOL_SOCKET, SO_SNDBUF), 40000);
            cr_assert_eq(option_of(SOL_SOCKET, SO_RCVBUF), 60000);
            cr_assert_eq(early_sndbuf, 40000);
        }
        kw_client_destroy(client);
        close(listener);
    }
}
