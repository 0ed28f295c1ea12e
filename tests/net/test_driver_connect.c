/* covers: N11 N15 N28 N29 N32 N38 L07 M01 M02
 * The driver opens connections and looks up names: what it tells the core when
 * that works, when it fails at each system call, and when there is no memory. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/client.h"
#include "tests/net/fake_core.h"
#include "tests/net/faults.h"

Test(driver_connect, an_open_is_answered_by_opened_when_the_connection_is_up)
{
    uint16_t port;
    int listener = peer_listen(&port);
    struct kw_client *client = fake_client(NULL);
    struct fake_conn *conn = &fake_core(client)->conns[1];
    fake_open(fake_core(client), 1, port);
    UNTIL(client, conn->n_opened == 1);
    cr_assert_eq(conn->n_closed, 0);
    kw_client_destroy(client);
    close(listener);
}

Test(driver_connect, a_refused_connection_is_closed_with_phase_errno_and_text)
{
    uint16_t port;
    int listener = peer_listen(&port);
    close(listener); /* nobody listens there now */
    struct kw_client *client = fake_client(NULL);
    struct fake_conn *conn = &fake_core(client)->conns[1];
    fake_open(fake_core(client), 1, port);
    UNTIL(client, conn->n_closed == 1);
    cr_assert_eq(conn->n_opened, 0);
    cr_assert_eq(conn->cause.phase, KW_PHASE_CONNECT);
    cr_assert_eq(conn->cause.os_err, ECONNREFUSED);
    cr_assert_str_eq(conn->text, strerror(ECONNREFUSED));
    kw_client_destroy(client);
}

static int connected_fd; /* what the driver connected last */
static int remember_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    connected_fd = fd;
    return kwi_sys_real.connect(fd, addr, len);
}

Test(driver_connect, a_connection_sends_small_requests_at_once_and_is_closed_on_exec)
{
    uint16_t port;
    int listener = peer_listen(&port), on = 0;
    socklen_t len = sizeof(on);
    struct kw_sys sys = kwi_sys_real;
    sys.connect = remember_connect;
    struct kw_client *client = fake_client(&sys);
    fake_open(fake_core(client), 1, port);
    UNTIL(client, fake_core(client)->conns[1].n_opened == 1);
    cr_assert_eq(getsockopt(connected_fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    cr_assert_eq(on, 1);
    kw_client_destroy(client);
    close(listener);
}

Test(driver_connect, every_failing_call_of_an_open_closes_with_its_errno_and_leaks_nothing)
{
    static const struct {
        enum fault_call call;
        int os_err;
    } plans[] = {
        {CALL_SOCKET, EMFILE},        {CALL_SOCKET, ENFILE},    {CALL_SOCKET, ENOBUFS},
        {CALL_SOCKET, ENOMEM},        {CALL_SOCKET, EACCES},    {CALL_CONNECT, EHOSTUNREACH},
        {CALL_CONNECT, ENETUNREACH},  {CALL_CONNECT, EACCES},   {CALL_CONNECT, EADDRNOTAVAIL},
        {CALL_CONNECT, ECONNREFUSED}, {CALL_EPOLL_CTL, ENOSPC}, {CALL_EPOLL_CTL, ENOMEM},
    };
    uint16_t port;
    int listener = peer_listen(&port);
    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        fault_reset();
        struct kw_client *client = fake_client(&fault_sys);
        int n_open = fault_n_open();
        struct fake_conn *conn = &fake_core(client)->conns[1];
        fault_plan(plans[i].call, 0, 1, plans[i].os_err);
        fake_open(fake_core(client), 1, port);
        UNTIL(client, conn->n_closed == 1);
        cr_assert_eq(conn->cause.os_err, plans[i].os_err, "plan %zu: %d", i, conn->cause.os_err);
        cr_assert_str_eq(conn->text, strerror(plans[i].os_err));
        cr_assert_eq(fault_n_open(), n_open, "plan %zu leaks a descriptor", i);
        /* The next one works: nothing is left behind in the driver. */
        fake_open(fake_core(client), 2, port);
        UNTIL(client, fake_core(client)->conns[2].n_opened == 1);
        kw_client_destroy(client);
        cr_assert_eq(fault_n_open(), 0);
    }
    close(listener);
}

Test(driver_connect, interrupted_calls_are_made_again)
{
    uint16_t port;
    int listener = peer_listen(&port);
    fault_reset();
    struct kw_client *client = fake_client(&fault_sys);
    fault_plan(CALL_EPOLL_CTL, 0, 2, EINTR);
    fault_plan(CALL_EPOLL_WAIT, 0, 2, EINTR);
    fault_plan(CALL_RECV, 0, 1, EINTR);
    fault_plan(CALL_SENDMSG, 0, 1, EINTR);
    fake_open(fake_core(client), 1, port);
    struct fake_conn *conn = &fake_core(client)->conns[1];
    UNTIL(client, conn->n_opened == 1);
    int server = peer_accept(listener);
    char buf[8];
    fake_send(fake_core(client), 1, "ping", 4);
    UNTIL(client, peer_read(server, buf, sizeof(buf)) == 4);
    peer_write(server, "pong", 4);
    UNTIL(client, conn->in_len == 4);
    kw_client_destroy(client);
    close(server);
    close(listener);
}

Test(driver_connect, tls_is_refused_by_a_build_that_has_none)
{
    struct kw_client *client = fake_client(NULL);
    struct kw_core *core = fake_core(client);
    fake_open(core, 1, 9);
    core->wants[0].tls = true;
    UNTIL(client, core->conns[1].n_closed == 1);
    cr_assert_eq(core->conns[1].cause.phase, KW_PHASE_TLS);
    kw_client_destroy(client);
}

Test(driver_connect, close_is_answered_by_one_closed_whenever_it_comes)
{
    uint16_t port;
    int listener = peer_listen(&port);
    fault_reset();
    struct kw_client *client = fake_client(&fault_sys);
    struct kw_core *core = fake_core(client);
    int n_open = fault_n_open();
    fake_open(core, 1, port); /* in the same breath as the open */
    fake_want(core, KW_WANT_CLOSE, 1);
    UNTIL(client, core->conns[1].n_closed == 1);
    cr_assert(core->conns[1].no_cause);
    fake_open(core, 2, port);
    UNTIL(client, core->conns[2].n_opened == 1);
    fake_want(core, KW_WANT_CLOSE, 2);
    UNTIL(client, core->conns[2].n_closed == 1);
    cr_assert_eq(fault_n_open(), n_open);
    kw_client_destroy(client);
    close(listener);
}

Test(driver_connect, wants_for_connections_that_are_gone_are_ignored)
{
    struct kw_client *client = fake_client(NULL);
    struct kw_core *core = fake_core(client);
    fake_want(core, KW_WANT_WRITE_READY, 3);
    fake_want(core, KW_WANT_READ_ON, 4);
    fake_want(core, KW_WANT_READ_OFF, 5);
    fake_want(core, KW_WANT_CLOSE, 6);
    cr_assert_eq(kw_client_poll(client, 0), 0);
    for (int i = 0; i < FAKE_CONNS; i++)
        cr_assert_eq(core->conns[i].n_closed, 0);
    kw_client_destroy(client);
}

/* ---- names: digits, and by getaddrinfo (the others are in test_resolver.c) ------ */

static struct kw_client *waiting_client(void)
{
    struct kw_config *cfg;
    struct kw_error err;
    cr_assert_eq(kw_config_new(&cfg), 0);
    cr_assert_eq(kw_config_set(cfg, "dns.resolver", "blocking", &err), 0);
    struct kw_client *client = fake_client_of(cfg, NULL, &err);
    cr_assert_not_null(client, "%s", err.text);
    kw_config_destroy(cfg);
    return client;
}

static struct kw_core *resolve(struct kw_client *client, const char *name)
{
    struct kw_core *core = fake_core(client);
    int before = core->n_resolved;
    fake_want(core, KW_WANT_RESOLVE, 17);
    core->wants[core->n_wants - 1].name = name;
    core->wants[core->n_wants - 1].port = 9092;
    UNTIL(client, core->n_resolved == before + 1);
    cr_assert_eq(core->query, 17);
    return core;
}

Test(driver_connect, addresses_in_digits_are_not_looked_up)
{
    struct kw_client *client = fake_client(NULL);
    struct kw_core *core = resolve(client, "10.1.2.3");
    cr_assert_eq(core->n_addrs, 1);
    cr_assert_eq(core->addrs[0].family, 4);
    cr_assert_eq(core->addrs[0].port, 9092);
    cr_assert_arr_eq(core->addrs[0].ip, ((uint8_t[]){10, 1, 2, 3}), 4);
    static const char *const six[] = {"::1", "[::1]", "fe80::1%1", "[fe80::1%1]"};
    for (size_t i = 0; i < 4; i++) {
        core = resolve(client, six[i]);
        cr_assert_eq(core->n_addrs, 1, "%s", six[i]);
        cr_assert_eq(core->addrs[0].family, 6);
        cr_assert_eq(core->addrs[0].ip[15], 1);
        cr_assert_eq(core->addrs[0].scope_id, i < 2 ? 0 : 1);
        cr_assert_eq(core->addrs[0].port, 9092);
    }
    kw_client_destroy(client);
}

Test(driver_connect, a_name_is_looked_up_and_all_its_addresses_are_told)
{
    struct kw_client *client = waiting_client();
    struct kw_core *core = resolve(client, "localhost");
    cr_assert_geq(core->n_addrs, 1);
    for (size_t i = 0; i < core->n_addrs; i++) {
        const struct kw_addr *addr = &core->addrs[i];
        cr_assert_eq(addr->port, 9092);
        cr_assert(addr->family == 4 ? addr->ip[0] == 127 : addr->ip[15] == 1);
    }
    kw_client_destroy(client);
}

Test(driver_connect, names_that_cannot_exist_are_answered_with_no_address_and_a_code)
{
    static const char *const names[] = {"[10.1.2.3]", "[]", "[::1", "a name with blanks",
                                        ("[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]")};
    struct kw_client *client = waiting_client();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct kw_core *core = resolve(client, names[i]);
        cr_assert_eq(core->n_addrs, 0, "%s", names[i]);
        cr_assert_neq(core->gai_err, 0);
    }
    kw_client_destroy(client);
}

/* ---- memory ---------------------------------------------------------------------- */

struct budget {
    int n_allocs, fail_at, n_live;
    bool for_good; /* all fail from fail_at on */
};

static void *budget_alloc(void *ctx, size_t size)
{
    struct budget *budget = ctx;
    int n = budget->n_allocs++;
    if (n == budget->fail_at || (budget->for_good && n > budget->fail_at))
        return NULL;
    budget->n_live++;
    return malloc(size);
}

static void budget_free(void *ctx, void *ptr, size_t size)
{
    struct budget *budget = ctx;
    (void)size;
    budget->n_live--;
    free(ptr);
}

/* Creates, connects twice, looks up, echoes, destroys; what fails for want of
 * memory must be told, and nothing may leak. Returns allocations made. */
static int scenario(uint16_t port, int listener, int fail_at, bool for_good)
{
    struct budget budget = {.fail_at = fail_at, .for_good = for_good};
    struct kw_env env = {.alloc = {budget_alloc, budget_free, &budget}};
    struct kw_config *cfg;
    struct kw_client *client = NULL;
    struct kw_error err = {0};
    cr_assert_eq(kw_config_new(&cfg), 0);
    cr_assert_eq(kw_config_set(cfg, "dns.resolver", "blocking", NULL), 0);
    int rc = kw_client_create_env(&client, cfg, &env, &err);
    kw_config_destroy(cfg);
    if (rc != 0) {
        cr_assert_eq(rc, KW_ERR_NOMEM);
        cr_assert_eq(err.code, KW_ERR_NOMEM);
        cr_assert_null(client);
        cr_assert_eq(budget.n_live, 0);
        return budget.n_allocs;
    }
    struct kw_core *core = fake_core(client);
    for (uint32_t id = 1; id <= 2; id++) {
        struct fake_conn *conn = &core->conns[id];
        fake_open(core, id, port);
        UNTIL(client, conn->n_opened + conn->n_closed == 1);
        if (conn->n_opened)
            close(peer_accept(listener));
        else
            cr_assert_eq(conn->cause.os_err, ENOMEM);
    }
    resolve(client, "localhost");
    cr_assert(core->n_addrs > 0 || core->gai_err == EAI_MEMORY);
    kw_client_destroy(client);
    cr_assert_eq(budget.n_live, 0);
    return budget.n_allocs;
}

Test(driver_connect, no_allocation_that_fails_leaks_or_goes_untold)
{
    uint16_t port;
    int listener = peer_listen(&port);
    int n = scenario(port, listener, -1, false);
    cr_assert_geq(n, 5);
    for (int k = 0; k < n; k++) {
        scenario(port, listener, k, false);
        scenario(port, listener, k, true);
    }
    close(listener);
}

Test(driver_connect, a_client_that_cannot_have_its_descriptors_is_not_created)
{
    static const enum fault_call calls[] = {CALL_EPOLL_CREATE, CALL_TIMERFD_CREATE, CALL_EVENTFD,
                                            CALL_EPOLL_CTL};
    for (size_t i = 0; i < 4; i++) {
        struct kw_config *cfg;
        struct kw_client *client = NULL;
        struct kw_error err = {0};
        fault_reset();
        fault_plan(calls[i], 0, 1, EMFILE);
        cr_assert_eq(kw_config_new(&cfg), 0);
        cr_assert_eq(kwi_client_create(&client, cfg, NULL, &fault_sys, &err), KW_ERR_IO);
        cr_assert_null(client);
        cr_assert_eq(err.os_err, EMFILE);
        cr_assert(strstr(err.text, strerror(EMFILE)), "%s", err.text);
        cr_assert_eq(fault_n_open(), 0);
        kw_config_destroy(cfg);
    }
}

Test(driver_connect, half_an_allocator_is_refused)
{
    struct budget budget = {.fail_at = -1};
    struct kw_env env = {.alloc = {.alloc = budget_alloc, .ctx = &budget}};
    struct kw_config *cfg;
    struct kw_client *client;
    struct kw_error err;
    cr_assert_eq(kw_config_new(&cfg), 0);
    cr_assert_eq(kw_client_create_env(&client, cfg, &env, &err), KW_ERR_USE);
    cr_assert_eq(kw_client_create(&client, NULL, &err), KW_ERR_USE);
    cr_assert_eq(kw_client_create(NULL, cfg, NULL), KW_ERR_USE);
    kw_config_destroy(cfg);
}
