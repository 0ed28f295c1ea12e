#include "tests/client/net_bed.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct net_bed net;

static void net_event(void *ctx, const struct kw_event *event)
{
    const struct kw_report *report = &event->report;
    (void)ctx;
    if (event->kind == KW_EVENT_ERROR) {
        size_t len = strlen(net.errors);
        net.n_errors++;
        net.error = *event->error;
        snprintf(net.errors + len, sizeof(net.errors) - len, "[%s] ", event->error->text);
    }
    if (event->kind == KW_EVENT_OP_DONE) {
        net.n_op_done++;
        net.op_code = event->code;
        net.op_error = event->error ? *event->error : (struct kw_error){0};
    }
    if (event->kind != KW_EVENT_REPORT)
        return;
    for (uint32_t i = 0; i < report->n; i++) {
        uintptr_t id = (uintptr_t)kw_report_opaque(report, i) - 1;
        if (report->outcome == KW_DELIVERED)
            net.n_delivered[net.partition_of[id]]++;
        else
            net.n_other++;
        if (report->outcome != KW_DELIVERED)
            net.outcome_code = report->code;
    }
    uint32_t n = net.n_other;
    for (int i = 0; i < NET_PARTITIONS; i++)
        n += net.n_delivered[i];
    net.all = n == net.n_made;
}

static size_t net_resolve(void *ctx, const char *name, uint16_t port, struct kw_addr *addrs,
                          size_t cap)
{
    (void)ctx;
    net.n_lookups++;
    for (uint32_t i = 0; i < net.n_names; i++) {
        const struct net_name *known = &net.names[i];
        if (strcmp(known->name, name) != 0)
            continue;
        if (known->n == SIZE_MAX)
            return SIZE_MAX;
        cr_assert_leq(known->n, cap);
        for (size_t k = 0; k < known->n; k++) {
            addrs[k] = known->addrs[k];
            addrs[k].port = port;
        }
        return known->n;
    }
    addrs[0] = net_addr(name, port);
    return addrs[0].family ? 1 : 0;
}

static const char *net_reverse(void *ctx, const struct kw_addr *addr)
{
    (void)ctx;
    net.n_named++;
    return net.reverse[addr->family == 4 ? addr->ip[3] : addr->ip[15]];
}

static uint32_t net_route(void *ctx, const struct kw_addr *addr)
{
    (void)ctx;
    if (net.by_port)
        return (uint32_t)(addr->port - 9092);
    return net.homes[addr->family == 4 ? addr->ip[3] : addr->ip[15]];
}

struct kw_addr net_addr(const char *text, uint16_t port)
{
    struct kw_addr addr = {.port = port};
    unsigned ip[4];
    if (sscanf(text, "%u.%u.%u.%u", &ip[0], &ip[1], &ip[2], &ip[3]) == 4) {
        addr.family = 4;
        for (int i = 0; i < 4; i++)
            addr.ip[i] = (uint8_t)ip[i];
    } else if (sscanf(text, "fd00::%x", &ip[0]) == 1) {
        addr.family = 6;
        addr.ip[0] = 0xfd;
        addr.ip[15] = (uint8_t)ip[0];
    }
    return addr;
}

void net_begin_of(const struct kw_mock_config *config, int32_t n_partitions)
{
    cr_assert_eq(sim_pair_init_of(&net.pair, SIM_MEMORY_PLAIN, config, n_partitions), 0);
    net.pair.on_event = net_event;
    net.pair.resolve = net_resolve;
    net.pair.name = net_reverse;
    net.pair.route = net_route;
    for (int i = 0; i < 256; i++)
        net.homes[i] = SIM_PAIR_REFUSE;
    net.by_port = true;
    net.all = true;
}

void net_begin(uint32_t n_brokers, int32_t n_partitions)
{
    net_begin_of(&(struct kw_mock_config){.n_brokers = n_brokers}, n_partitions);
}

void net_start(const char *const *settings)
{
    static const char *const usual[] = {"request.timeout.ms=1000",
                                        "retry.backoff.ms=10",
                                        "retry.backoff.max.ms=100",
                                        "reconnect.backoff.ms=10",
                                        "reconnect.backoff.max.ms=100",
                                        "memory.limit=16000000",
                                        "control.memory=2000000",
                                        "buffer.memory=4000000",
                                        "linger.ms=0",
                                        NULL};
    const char *all[32];
    size_t n = 0;
    for (const char *const *at = usual; *at; at++)
        all[n++] = *at;
    for (const char *const *at = settings; at && *at; at++)
        all[n++] = *at;
    all[n] = NULL;
    cr_assert_eq(sim_pair_core(&net.pair, all, NULL), 0);
    cr_assert_eq(kw_core_producer_create(&net.producer, net.pair.core, NULL, NULL), 0);
    cr_assert_eq(kw_core_topic_open(&net.topic, net.producer, "t", NULL), 0);
}

void net_end(void)
{
    cr_assert(!net.pair.broken, "%s", net.pair.why);
    kw_core_destroy(net.pair.core);
    net.pair.core = NULL;
    cr_assert_eq(net.pair.memory.n_live, 0, "%lu blocks leaked",
                 (unsigned long)net.pair.memory.n_live);
    sim_pair_deinit(&net.pair);
}

void net_name(const char *name, ...)
{
    struct net_name *known = NULL;
    va_list args;
    for (uint32_t i = 0; i < net.n_names; i++)
        if (strcmp(net.names[i].name, name) == 0)
            known = &net.names[i];
    if (!known)
        known = &net.names[net.n_names++];
    *known = (struct net_name){.name = name};
    net.by_port = false;
    va_start(args, name);
    for (const char *text; (text = va_arg(args, const char *));)
        known->addrs[known->n++] = net_addr(text, 0);
    va_end(args);
}

void net_run(uint64_t ms)
{
    sim_pair_pass(&net.pair, ms);
}

void net_make(int32_t partition)
{
    for (int i = 0; i < 400 && kw_topic_partitions(net.topic) == 0; i++)
        net_run(25);
    struct kw_record record = {.value = {"v", 1},
                               .flags = KW_REC_PARTITION,
                               .partition = partition,
                               .opaque = (void *)(uintptr_t)(net.n_made + 1)};
    cr_assert_lt(net.n_made, NET_RECORDS_MAX);
    net.partition_of[net.n_made] = (uint8_t)partition;
    int rc = kw_core_produce(net.topic, &record);
    sim_pair_called(&net.pair);
    cr_assert_geq(rc, 0, "%s: %s", kw_err_name(rc), net.errors);
    net.n_made++;
    net.all = false;
}

bool net_delivers(int32_t partition, uint64_t ms)
{
    uint32_t before = net.n_delivered[partition];
    net_make(partition);
    for (uint64_t at = 0; at < ms && net.n_delivered[partition] == before; at += 5)
        net_run(5);
    return net.n_delivered[partition] > before;
}

static uint32_t net_count(const char *text, bool open)
{
    struct kw_addr addr = text ? net_addr(text, 0) : (struct kw_addr){0};
    uint32_t n = 0;
    for (uint32_t i = 0; i < net.pair.n_conns; i++) {
        const struct sim_pair_conn *conn = net.pair.conns[i];
        n += (!text || memcmp(conn->addr.ip, addr.ip, sizeof(addr.ip)) == 0) &&
             (!open || !conn->closed);
    }
    return n;
}

uint32_t net_n_opened(const char *addr)
{
    return net_count(addr, false);
}

uint32_t net_n_open(const char *addr)
{
    return net_count(addr, true);
}

void net_fault(const char *spec)
{
    struct kw_mock_fault fault;
    const char *why = "";
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, &why), 0, "%s: %s", spec, why);
    cr_assert_eq(kwi_mock_fault_add(net.pair.mock, &fault, NULL), 0);
}
