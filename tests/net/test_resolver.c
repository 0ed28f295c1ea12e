/* covers: N11 N14 N15
 * Names: by c-ares from a name server of this test, by threads, by the host's hook; what
 * is told when they fail, and that a resolver that hangs stalls nothing else. */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/client.h"
#include "tests/net/fake_core.h"
#include "tests/net/faults.h"

static uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct kw_client *client_of(const char *resolver, const char *servers,
                                   const struct kw_resolve_hook *hook)
{
    struct kw_env env = {.resolve = hook ? *hook : (struct kw_resolve_hook){0}};
    struct kw_client *client = NULL;
    struct kw_config *cfg;
    struct kw_error err = {0};
    cr_assert_eq(kw_config_new(&cfg), 0);
    cr_assert_eq(kw_config_set(cfg, "dns.resolver", resolver, &err), 0, "%s", err.text);
    cr_assert_eq(kw_config_set(cfg, "dns.servers", servers, &err), 0, "%s", err.text);
    cr_assert_eq(kwi_client_create(&client, cfg, &env, &kwi_sys_real, &err), 0, "%s", err.text);
    kw_config_destroy(cfg);
    return client;
}

static void ask(struct kw_client *client, uint32_t query, const char *name)
{
    struct kw_core *core = fake_core(client);
    fake_want(core, KW_WANT_RESOLVE, query);
    core->wants[core->n_wants - 1].name = name;
    core->wants[core->n_wants - 1].port = 9092;
}

static void ask_name(struct kw_client *client, uint32_t query, const char *addr)
{
    struct kw_core *core = fake_core(client);
    struct kw_want *want;
    fake_want(core, KW_WANT_NAME, query);
    want = &core->wants[core->n_wants - 1];
    want->addr = (struct kw_addr){.family = strchr(addr, ':') ? 6 : 4, .port = 9092};
    cr_assert_eq(inet_pton(want->addr.family == 6 ? AF_INET6 : AF_INET, addr, want->addr.ip), 1);
}

/* While a look-up hangs: a connection opens and carries bytes, and no turn takes long. */
static void others_go_on(struct kw_client *client)
{
    struct kw_core *core = fake_core(client);
    uint16_t port;
    char buf[8];
    int listener = peer_listen(&port);
    uint64_t begin_ms = clock_ms();
    fake_open(core, 1, port);
    UNTIL(client, core->conns[1].n_opened == 1);
    int server = peer_accept(listener);
    for (int i = 1; i <= 50; i++) {
        fake_send(core, 1, "ping", 4);
        UNTIL(client, peer_read(server, buf, sizeof(buf)) == 4);
        peer_write(server, "pong", 4);
        UNTIL(client, core->conns[1].in_len == 4 * (size_t)i);
    }
    cr_assert_lt(clock_ms() - begin_ms, 10000, "fifty rounds took %lu ms",
                 (unsigned long)(clock_ms() - begin_ms));
    cr_assert_eq(core->n_resolved, 0, "the look-up was to hang meanwhile");
    close(server);
    close(listener);
}

/* ---- threads: getaddrinfo that hangs until it is let go ------------------------------- */

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_opened = PTHREAD_COND_INITIALIZER;
static bool gate_closed;
static int gate_waiting, gate_left;

static void gate_set(bool closed)
{
    pthread_mutex_lock(&gate_lock);
    gate_closed = closed;
    pthread_cond_broadcast(&gate_opened);
    pthread_mutex_unlock(&gate_lock);
}

static int gate_count(const int *counter)
{
    pthread_mutex_lock(&gate_lock);
    int n = *counter;
    pthread_mutex_unlock(&gate_lock);
    return n;
}

/* In place of the C library's: slow.test is 10.1.0.1 and fd00::1, others do not exist. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    static struct sockaddr_in four = {.sin_family = AF_INET};
    static struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    static struct addrinfo second = {.ai_family = AF_INET, .ai_addr = (struct sockaddr *)&four};
    static struct addrinfo first = {
        .ai_family = AF_INET6, .ai_addr = (struct sockaddr *)&six, .ai_next = &second};
    (void)service;
    (void)hints;
    pthread_mutex_lock(&gate_lock);
    gate_waiting++;
    while (gate_closed)
        pthread_cond_wait(&gate_opened, &gate_lock);
    inet_pton(AF_INET, "10.1.0.1", &four.sin_addr);
    inet_pton(AF_INET6, "fd00::1", &six.sin6_addr);
    gate_left++;
    pthread_mutex_unlock(&gate_lock);
    *out = &first;
    return strcmp(name, "slow.test") == 0 ? 0 : EAI_NONAME;
}

/* The same: 10.1.0.1 and fd00::1 are slow.test, others have no name. */
int getnameinfo(const struct sockaddr *addr, socklen_t len, char *host, socklen_t host_len,
                char *service, socklen_t service_len, int flags)
{
    char digits[64];
    const void *ip = addr->sa_family == AF_INET
                         ? (const void *)&((const struct sockaddr_in *)addr)->sin_addr
                         : (const void *)&((const struct sockaddr_in6 *)addr)->sin6_addr;
    (void)len;
    (void)service;
    (void)service_len;
    inet_ntop(addr->sa_family, ip, digits, sizeof(digits));
    pthread_mutex_lock(&gate_lock);
    gate_waiting++;
    while (gate_closed)
        pthread_cond_wait(&gate_opened, &gate_lock);
    gate_left++;
    pthread_mutex_unlock(&gate_lock);
    if (!(flags & NI_NAMEREQD) || (strcmp(digits, "10.1.0.1") && strcmp(digits, "fd00::1")))
        return EAI_NONAME;
    snprintf(host, host_len, "slow.test");
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    (void)list; /* static */
}

Test(resolver, a_thread_that_waits_for_its_resolver_stalls_nothing, .timeout = 30)
{
    struct kw_client *client = client_of("thread", "", NULL);
    struct kw_core *core = fake_core(client);
    gate_set(true);
    ask(client, 7, "slow.test");
    others_go_on(client);
    cr_assert_eq(gate_count(&gate_waiting), 1);
    gate_set(false);
    UNTIL(client, core->n_resolved == 1);
    cr_assert_eq(core->query, 7);
    cr_assert_eq(core->n_addrs, 2);
    cr_assert_eq(core->addrs[0].family, 6);
    cr_assert_eq(core->addrs[1].ip[1], 1);
    cr_assert_eq(core->addrs[1].port, 9092);
    ask(client, 8, "absent.test");
    UNTIL(client, core->n_resolved == 2);
    cr_assert_eq(core->n_addrs, 0);
    cr_assert_eq(core->gai_err, EAI_NONAME);
    cr_assert(core->why[0], "it must say why");
    kw_client_destroy(client);
}

Test(resolver, names_of_addresses_come_from_threads_or_by_waiting, .timeout = 30)
{
    static const char *const ways[] = {"thread", "blocking"};
    for (int i = 0; i < 2; i++) {
        struct kw_client *client = client_of(ways[i], "", NULL);
        struct kw_core *core = fake_core(client);
        ask_name(client, 3, "10.1.0.1");
        UNTIL(client, core->n_named == 1);
        cr_assert_eq(core->query, 3);
        cr_assert_str_eq(core->found, "slow.test", "%s", ways[i]);
        ask_name(client, 4, "fd00::1");
        UNTIL(client, core->n_named == 2);
        cr_assert_str_eq(core->found, "slow.test", "%s", ways[i]);
        ask_name(client, 5, "10.9.9.9");
        UNTIL(client, core->n_named == 3);
        cr_assert_str_eq(core->found, "", "%s", ways[i]);
        kw_client_destroy(client);
    }
}

static void *gate_open_soon(void *arg)
{
    usleep(50000);
    gate_set(false);
    return arg;
}

/* What ended a wait is told by the same turn: nothing wakes a host for it again. */
Test(resolver, what_a_thread_found_is_told_by_the_turn_that_it_wakes, .timeout = 30)
{
    struct kw_client *client = client_of("thread", "", NULL);
    struct kw_core *core = fake_core(client);
    pthread_t opener;
    gate_set(true);
    ask(client, 7, "slow.test");
    while (gate_count(&gate_waiting) == 0)
        cr_assert_geq(kw_client_poll(client, 1), 0);
    cr_assert_eq(pthread_create(&opener, NULL, gate_open_soon, NULL), 0);
    cr_assert_geq(kw_client_poll(client, 20000), 0);
    cr_assert_eq(core->n_resolved, 1);
    pthread_join(opener, NULL);
    kw_client_destroy(client);
}

Test(resolver, a_thread_may_outlive_its_client, .timeout = 30)
{
    struct kw_client *client = client_of("thread", "", NULL);
    gate_set(true);
    for (uint32_t i = 1; i <= 4; i++)
        ask(client, i, "slow.test");
    for (int i = 0; i < 500 && gate_count(&gate_waiting) < 4; i++)
        cr_assert_geq(kw_client_poll(client, 10), 0);
    cr_assert_eq(gate_count(&gate_waiting), 4, "one thread a look-up, all at a time");
    kw_client_destroy(client);
    gate_set(false);
    for (int i = 0; i < 500 && gate_count(&gate_left) < 4; i++)
        usleep(10000);
    cr_assert_eq(gate_count(&gate_left), 4);
    usleep(50000); /* what they do at their end is seen by the sanitizer */
}

Test(resolver, threads_are_bounded, .timeout = 30)
{
    struct kw_client *client = client_of("thread", "", NULL);
    struct kw_core *core = fake_core(client);
    gate_set(true);
    for (uint32_t i = 1; i <= 40; i++)
        ask(client, i, "slow.test");
    UNTIL(client, core->n_resolved == 8);
    cr_assert(strstr(core->why, "thread"), "%s", core->why);
    gate_set(false);
    UNTIL(client, core->n_resolved == 40);
    kw_client_destroy(client);
}

/* ---- the host's hook ------------------------------------------------------------------ */

static struct {
    int n, rc;
    uint32_t query;
    uint16_t port;
    char name[80];
    bool at_once;
} hooked;

static int hook_start(void *ctx, struct kw_client *client, uint32_t query, const char *name,
                      uint16_t port)
{
    struct kw_addr addr = {4, {10, 2, 0, 1}, port, 0};
    cr_assert_eq(ctx, &hooked);
    hooked.n++;
    hooked.query = query;
    hooked.port = port;
    snprintf(hooked.name, sizeof(hooked.name), "%s", name);
    if (hooked.at_once)
        kw_client_resolved(client, query, &addr, 1, NULL);
    return hooked.rc;
}

Test(resolver, the_hosts_hook_may_answer_at_once_later_and_not_at_all, .timeout = 30)
{
    struct kw_resolve_hook hook = {hook_start, &hooked, NULL};
    struct kw_client *client = client_of("auto", "", &hook);
    struct kw_core *core = fake_core(client);
    struct kw_addr addr = {6, {0xfd}, 9092, 0};
    hooked.at_once = true;
    ask(client, 3, "broker.test");
    UNTIL(client, core->n_resolved == 1);
    cr_assert_str_eq(hooked.name, "broker.test");
    cr_assert_eq(hooked.port, 9092);
    cr_assert_eq(core->addrs[0].ip[1], 2);
    hooked.at_once = false;
    ask(client, 4, "broker.test");
    for (int i = 0; i < 5; i++)
        cr_assert_geq(kw_client_poll(client, 1), 0);
    cr_assert_eq(core->n_resolved, 1);
    kw_client_resolved(client, 4, &addr, 1, NULL);
    cr_assert_eq(core->n_resolved, 2);
    cr_assert_eq(core->query, 4);
    ask(client, 5, "broker.test");
    UNTIL(client, hooked.n == 3);
    kw_client_resolved(client, 5, NULL, 0, "the directory is empty");
    cr_assert_str_eq(core->why, "the directory is empty");
    hooked.rc = -1;
    ask(client, 6, "broker.test");
    UNTIL(client, core->n_resolved == 4);
    cr_assert_eq(core->n_addrs, 0);
    /* Digits never reach it. */
    hooked.rc = 0;
    ask(client, 8, "10.0.0.7");
    UNTIL(client, core->n_resolved == 5);
    cr_assert_eq(hooked.n, 4);
    kw_client_destroy(client);
}

static int hook_name(void *ctx, struct kw_client *client, uint32_t query,
                     const struct kw_addr *addr)
{
    cr_assert_eq(ctx, &hooked);
    hooked.n++;
    hooked.query = query;
    snprintf(hooked.name, sizeof(hooked.name), "%d.%d", addr->ip[0], addr->ip[3]);
    if (hooked.at_once)
        kw_client_named(client, query, "broker.test");
    return hooked.rc;
}

Test(resolver, the_hosts_hook_names_addresses_at_once_later_and_not_at_all, .timeout = 30)
{
    struct kw_resolve_hook hook = {hook_start, &hooked, hook_name};
    struct kw_client *client = client_of("auto", "", &hook);
    struct kw_core *core = fake_core(client);
    hooked.at_once = true;
    ask_name(client, 3, "10.0.0.7");
    UNTIL(client, core->n_named == 1);
    cr_assert_str_eq(hooked.name, "10.7");
    cr_assert_str_eq(core->found, "broker.test");
    hooked.at_once = false;
    ask_name(client, 4, "10.0.0.8");
    UNTIL(client, hooked.n == 2);
    kw_client_named(client, 4, NULL);
    cr_assert_eq(core->n_named, 2);
    cr_assert_eq(core->query, 4);
    cr_assert_str_eq(core->found, "");
    hooked.rc = -1;
    ask_name(client, 5, "10.0.0.9");
    UNTIL(client, core->n_named == 3);
    cr_assert_str_eq(core->found, "");
    kw_client_destroy(client);
}

/* Canonical names are asked for, and nobody could answer. */
Test(resolver, a_hook_for_names_alone_does_not_do_for_canonical_names, .timeout = 30)
{
    struct kw_env env = {.resolve = {hook_start, &hooked, NULL}};
    struct kw_client *client = NULL;
    struct kw_config *cfg;
    struct kw_error err = {0};
    cr_assert_eq(kw_config_new(&cfg), 0);
    cr_assert_eq(
        kw_config_set(cfg, "client.dns.lookup", "resolve_canonical_bootstrap_servers_only", &err),
        0, "%s", err.text);
    cr_assert_eq(kw_client_create_env(&client, cfg, &env, &err), KW_ERR_UNSUPPORTED);
    cr_assert(strstr(err.text, "client.dns.lookup"), "%s", err.text);
    cr_assert(strstr(err.hint, "kw_env.resolve.name"), "%s", err.hint);
    env.resolve.name = hook_name;
    cr_assert_eq(kw_client_create_env(&client, cfg, &env, &err), 0, "%s", err.text);
    kw_client_destroy(client);
    kw_config_destroy(cfg);
}

Test(resolver, a_hook_that_hangs_stalls_nothing, .timeout = 30)
{
    struct kw_resolve_hook hook = {hook_start, &hooked, NULL};
    struct kw_client *client = client_of("auto", "", &hook);
    ask(client, 3, "broker.test");
    others_go_on(client);
    kw_client_destroy(client);
}

Test(resolver, a_name_that_no_host_can_have_is_not_looked_up, .timeout = 30)
{
    static const char *const names[] = {"",         "a b",      "[10.1.2.3]",
                                        "broker/1", "bro\\ker", "\xc3\xa4"};
    struct kw_resolve_hook hook = {hook_start, &hooked, NULL};
    struct kw_client *client = client_of("auto", "", &hook);
    struct kw_core *core = fake_core(client);
    for (int i = 0; i < 6; i++) {
        ask(client, 1, names[i]);
        UNTIL(client, core->n_resolved == i + 1);
        cr_assert_eq(core->n_addrs, 0, "%s", names[i]);
    }
    cr_assert_eq(hooked.n, 0);
    kw_client_destroy(client);
}

/* ---- c-ares, from a name server of ours ------------------------------------------------ */

static int dns_fd, dns_asked;
static char dns_servers[40];

static void dns_listen(void)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(name);
    dns_fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    cr_assert_eq(bind(dns_fd, (struct sockaddr *)&name, sizeof(name)), 0);
    cr_assert_eq(getsockname(dns_fd, (struct sockaddr *)&name, &len), 0);
    snprintf(dns_servers, sizeof(dns_servers), "127.0.0.1:%d", ntohs(name.sin_port));
}

static size_t dns_put(uint8_t *at, int type, const uint8_t *data, size_t len)
{
    const uint8_t head[] = {0xc0, 12, 0, (uint8_t)type, 0, 1, 0, 0, 0, 60, 0, (uint8_t)len};
    memcpy(at, head, sizeof(head));
    memcpy(at + sizeof(head), data, len);
    return sizeof(head) + len;
}

/* Answers what was asked: found.test has two addresses of each family, others none. */
static void dns_serve(void)
{
    static const uint8_t found[] = "\5found\4test";
    uint8_t buf[1024];
    struct sockaddr_in from;
    socklen_t from_len = sizeof(from);
    ssize_t n = recvfrom(dns_fd, buf, 512, 0, (struct sockaddr *)&from, &from_len);
    if (n < 17)
        return;
    size_t end = 12 + strlen((char *)buf + 12) + 5;
    uint8_t type = buf[end - 3], n_answers = 0;
    bool known = memcmp(buf + 12, found, sizeof(found)) == 0;
    bool is_name = type == 12 && memcmp(buf + 12, "\0011\0010\0011\00210", 9) == 0;
    dns_asked++;
    if (is_name) { /* 10.1.0.1 */
        end += dns_put(buf + end, 12, found, sizeof(found));
        n_answers++;
    }
    for (uint8_t i = 1; known && i <= 2; i++, n_answers++) {
        uint8_t four[4] = {10, 1, 0, i}, six[16] = {0xfd, [15] = i};
        end += type == 1 ? dns_put(buf + end, 1, four, 4) : dns_put(buf + end, 28, six, 16);
    }
    buf[2] = 0x81;
    buf[3] = known || is_name ? 0x80 : 0x83;
    memset(buf + 4, 0, 8);
    buf[5] = 1;
    buf[7] = n_answers;
    sendto(dns_fd, buf, end, 0, (struct sockaddr *)&from, from_len);
}

#define SERVED_UNTIL(client, condition)                              \
    do {                                                             \
        for (int turn_ = 0; !(condition) && turn_ < 2000; turn_++) { \
            cr_assert_geq(kw_client_poll((client), 2), 0);           \
            dns_serve();                                             \
        }                                                            \
        cr_assert((condition), "did not happen: " #condition);       \
    } while (0)

Test(cares, all_addresses_of_both_families_are_told, .timeout = 30)
{
    if (!kw_has_resolver())
        cr_skip_test("built without c-ares");
    dns_listen();
    struct kw_client *client = client_of("cares", dns_servers, NULL);
    struct kw_core *core = fake_core(client);
    int n_six = 0;
    ask(client, 9, "found.test");
    SERVED_UNTIL(client, core->n_resolved == 1);
    cr_assert_eq(core->query, 9);
    cr_assert_eq(core->n_addrs, 4, "%s", core->why);
    for (int i = 0; i < 4; i++) {
        n_six += core->addrs[i].family == 6;
        cr_assert_eq(core->addrs[i].port, 9092);
    }
    cr_assert_eq(n_six, 2);
    cr_assert_geq(dns_asked, 2);
    kw_client_destroy(client);
    close(dns_fd);
}

Test(cares, an_address_has_the_name_that_its_server_says, .timeout = 30)
{
    if (!kw_has_resolver())
        cr_skip_test("built without c-ares");
    dns_listen();
    struct kw_client *client = client_of("cares", dns_servers, NULL);
    struct kw_core *core = fake_core(client);
    ask_name(client, 5, "10.1.0.1");
    SERVED_UNTIL(client, core->n_named == 1);
    cr_assert_eq(core->query, 5);
    cr_assert_str_eq(core->found, "found.test");
    ask_name(client, 6, "fd00::77");
    SERVED_UNTIL(client, core->n_named == 2);
    cr_assert_str_eq(core->found, "");
    ask_name(client, 7, "10.1.0.1"); /* and the client goes meanwhile */
    cr_assert_geq(kw_client_poll(client, 1), 0);
    kw_client_destroy(client);
    close(dns_fd);
}

Test(cares, a_name_server_that_says_nothing_stalls_nothing, .timeout = 60)
{
    if (!kw_has_resolver())
        cr_skip_test("built without c-ares");
    dns_listen();
    struct kw_client *client = client_of("cares", dns_servers, NULL);
    ask(client, 9, "found.test");
    others_go_on(client);      /* nobody serves */
    kw_client_destroy(client); /* the query with it */
    close(dns_fd);
}

Test(cares, a_question_that_was_lost_is_asked_again_without_a_spin, .timeout = 60)
{
    if (!kw_has_resolver())
        cr_skip_test("built without c-ares");
    dns_listen();
    struct kw_client *client = client_of("cares", dns_servers, NULL);
    struct kw_core *core = fake_core(client);
    uint8_t lost[512];
    uint64_t begin_ms = clock_ms();
    int n_turns = 0, n_lost = 0;
    ask(client, 9, "found.test");
    while (core->n_resolved == 0 && clock_ms() - begin_ms < 20000) {
        cr_assert_geq(kw_client_poll(client, 200), 0);
        n_turns++;
        if (n_lost < 2)
            n_lost += recv(dns_fd, lost, sizeof(lost), 0) > 0;
        else
            dns_serve();
    }
    cr_assert_eq(core->n_addrs, 4, "%s", core->why);
    cr_assert_lt(n_turns, 400, "%d turns", n_turns);
    kw_client_destroy(client);
    close(dns_fd);
}

Test(cares, a_name_that_is_not_found_says_what_c_ares_does_not_look_at, .timeout = 60)
{
    if (!kw_has_resolver())
        cr_skip_test("built without c-ares");
    dns_listen();
    struct kw_client *client = client_of("cares", dns_servers, NULL);
    struct kw_core *core = fake_core(client);
    ask(client, 1, "printer.local");
    SERVED_UNTIL(client, core->n_resolved == 1);
    cr_assert_eq(core->n_addrs, 0);
    cr_assert_eq(core->gai_err, EAI_NONAME);
    cr_assert(strstr(core->why_hint, "nsswitch.conf"), "%s: %s", core->why, core->why_hint);
    cr_assert(strstr(core->why_hint, "dns.resolver=thread"), "%s", core->why_hint);
    kw_client_destroy(client);
    close(dns_fd);
}

Test(cares, servers_that_are_none_are_refused_when_a_name_is_asked_for, .timeout = 30)
{
    if (!kw_has_resolver())
        cr_skip_test("built without c-ares");
    struct kw_client *client = client_of("cares", "not an address", NULL);
    struct kw_core *core = fake_core(client);
    ask(client, 1, "found.test");
    UNTIL(client, core->n_resolved == 1);
    cr_assert_eq(core->n_addrs, 0);
    cr_assert(strstr(core->why_hint, "dns.servers"), "%s: %s", core->why, core->why_hint);
    kw_client_destroy(client);
}

/* c-ares has one allocator for a whole process, and only a test may choose it. */
extern int ares_library_init_mem(int flags, void *(*alloc)(size_t size), void (*release)(void *ptr),
                                 void *(*grow)(void *ptr, size_t size)) __attribute__((weak));

static int n_allocs, fail_at;

static void *failing_malloc(size_t size)
{
    return n_allocs++ == fail_at ? NULL : malloc(size);
}

static void *failing_realloc(void *ptr, size_t size)
{
    return n_allocs++ == fail_at ? NULL : realloc(ptr, size);
}

/* Each allocation of c-ares fails once: there is an answer all the same, of addresses or
 * of a failure, and nothing is lost. In a few places c-ares itself passes over what it
 * had no memory for and waits for its timeout; the core's deadline ends that. */
Test(cares, an_allocation_that_fails_is_told_or_times_out_and_leaks_nothing, .timeout = 120)
{
    int n = 1, n_failed = 0, n_silent = 0;
    if (!kw_has_resolver() || !ares_library_init_mem)
        cr_skip_test("built without c-ares");
    cr_assert_eq(ares_library_init_mem(0, failing_malloc, free, failing_realloc), 0);
    dns_listen();
    for (int k = -1; k < n; k++) {
        n_allocs = 0;
        fail_at = k;
        struct kw_client *client = client_of("cares", dns_servers, NULL);
        struct kw_core *core = fake_core(client);
        ask(client, 9, "found.test");
        for (int i = 0; i < 300 && core->n_resolved == 0; i++) {
            cr_assert_geq(kw_client_poll(client, 1), 0);
            dns_serve();
        }
        n_silent += core->n_resolved == 0;
        cr_assert(core->n_resolved == 0 || core->n_addrs > 0 || core->why[0], "allocation %d", k);
        n_failed += core->n_resolved == 1 && core->n_addrs == 0;
        kw_client_destroy(client);
        if (k < 0)
            n = n_allocs;
    }
    cr_assert_geq(n, 10);
    cr_assert_geq(n_failed, 5);
    cr_assert_leq(n_silent, 6, "%d of %d", n_silent, n);
    close(dns_fd);
}
