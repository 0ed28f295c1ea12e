/* fuzz_servers.c -- lists of host:port, as in bootstrap.servers, and addresses in digits.
 *
 * covers: N15
 *
 * The whole input is the text, up to a NUL. Checks: no bad access behind the text; what
 * is taken lies inside of it and could be connected to; the walk ends, with a reason
 * exactly where it fails; the same list written out again from its parts reads the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/config.h"
#include "net/loop/socket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond)  \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

enum { SERVERS_MAX = 64, HOST_MAX = 255 };

struct list {
    const char *text;
    struct kw_server servers[SERVERS_MAX];
    size_t n;
    bool refused;
};

static void list_read(struct list *list, const char *text)
{
    const char *at = text, *why = NULL, *end = text + strlen(text);
    size_t steps = 0;
    int rc;
    list->text = text;
    list->n = 0;
    for (;;) {
        struct kw_server server = {0};
        rc = kwi_config_next_server(&at, &server, &why);
        CHECK(at >= text && at <= end && ++steps <= strlen(text) + 1);
        if (rc <= 0)
            break;
        CHECK(server.host >= text && server.host + server.host_len <= end);
        CHECK(server.host_len >= 1 && server.host_len <= HOST_MAX && server.port > 0);
        if (list->n < SERVERS_MAX)
            list->servers[list->n++] = server;
    }
    list->refused = rc < 0;
    CHECK((rc < 0) == (why != NULL));
    CHECK(!why || why[0]);
}

/* Digits make an address of one of the two families, or none; bytes behind stay. */
static void check_address(const struct kw_server *server)
{
    char host[HOST_MAX + 1];
    struct kw_addr addr = {0};
    memcpy(host, server->host, server->host_len);
    host[server->host_len] = 0;
    if (!kwi_addr_parse(&addr, host, server->port))
        return;
    CHECK((addr.family == 4 || addr.family == 6) && addr.port == server->port);
    CHECK((addr.family == 6) == (strchr(host, ':') != NULL));
}

/* host:port, with brackets where they were. */
static char *list_write(const struct list *list)
{
    size_t cap = list->n * (HOST_MAX + 16) + 1, len = 0;
    char *text = malloc(cap);
    CHECK(text);
    text[0] = 0;
    for (size_t i = 0; i < list->n; i++) {
        const struct kw_server *server = &list->servers[i];
        bool v6 = server->host > list->text && server->host[-1] == '[';
        len += (size_t)snprintf(text + len, cap - len, "%s%s%.*s%s:%u", i ? "," : "", v6 ? "[" : "",
                                (int)server->host_len, server->host, v6 ? "]" : "", server->port);
        CHECK(len < cap);
    }
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct list list, again; /* large */
    char *text = malloc(size + 1), *own;
    CHECK(text);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = 0;
    list_read(&list, text);
    own = list_write(&list);
    list_read(&again, own);
    CHECK(!again.refused && again.n == list.n);
    for (size_t i = 0; i < list.n; i++) {
        check_address(&list.servers[i]);
        CHECK(again.servers[i].port == list.servers[i].port);
        CHECK(again.servers[i].host_len == list.servers[i].host_len);
        CHECK(memcmp(again.servers[i].host, list.servers[i].host, list.servers[i].host_len) == 0);
    }
    free(own);
    free(text);
    return 0;
}
