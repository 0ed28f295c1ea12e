/* Names, addresses and connections: what is tried in which order, what is let go, and
 * when. Addresses are 10.0.0.x and fd00::x; net.homes says who lives at x.
 *
 * covers: N01 N05 N12 N13 N16 N17 N18 N27 N28 N32 N33 */
#include "tests/client/net_bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/conn.h"

static const char *const by_name[] = {"bootstrap.servers=kafka.test:9092", NULL};

/* The only broker says that it is kafka.test. */
static void begin_at_a_name(void)
{
    net_begin(1, 2);
    cr_assert_eq(kwi_mock_set_address(net.pair.mock, 0, "kafka.test", 9092), 0);
}

/* ---- the race (RFC 8305) --------------------------------------------------------- */

/* IPv6 leads nowhere: the first IPv4 address is tried 250 ms later, wins, and the
 * attempt that hangs is closed. */
Test(race, a_family_that_leads_nowhere_costs_one_delay)
{
    begin_at_a_name();
    net_name("kafka.test", "fd00::1", "fd00::2", "fd00::3", "10.0.0.4", "10.0.0.5", NULL);
    net.homes[1] = net.homes[2] = net.homes[3] = SIM_PAIR_SILENT;
    net.homes[4] = net.homes[5] = 0;
    net_start(by_name);
    uint64_t begin_us = net.pair.now.mono_us;
    net_run(249);
    cr_assert_eq(net_n_opened(NULL), 1);
    cr_assert_eq(net_n_opened("fd00::1"), 1);
    net_run(2);
    cr_assert_eq(net_n_opened("10.0.0.4"), 1);
    struct sim_pair_conn *winner = net.pair.conns[1];
    cr_assert_eq(winner->opened_us - begin_us, 250000);
    cr_assert(winner->up);
    cr_assert(net.pair.conns[0]->closed, "the loser is closed");
    net_run(3000);
    cr_assert_eq(net_n_opened("fd00::2") + net_n_opened("fd00::3"), 0, "the winner ends the race");
    cr_assert_eq(net.n_errors, 0, "%s", net.errors);
    net_end();
}

Test(race, an_address_that_fails_makes_way_for_the_next_at_once)
{
    begin_at_a_name();
    net_name("kafka.test", "fd00::1", "fd00::2", "10.0.0.4", NULL);
    net.homes[2] = 0;
    net_start(by_name);
    net_run(1);
    /* Families take turns: fd00::1, 10.0.0.4, fd00::2. */
    cr_assert_geq(net.pair.n_conns, 3);
    cr_assert_eq(net.pair.conns[0]->addr.ip[15], 1);
    cr_assert_eq(net.pair.conns[1]->addr.family, 4);
    cr_assert_eq(net.pair.conns[2]->addr.ip[15], 2);
    cr_assert(net.pair.conns[2]->up);
    net_end();
}

Test(race, the_delay_is_configured)
{
    static const char *const settings[] = {"bootstrap.servers=kafka.test:9092",
                                           "socket.connection.attempt.delay.ms=40", NULL};
    begin_at_a_name();
    net_name("kafka.test", "10.0.0.1", "10.0.0.2", "10.0.0.3", NULL);
    net.homes[1] = net.homes[2] = SIM_PAIR_SILENT;
    net.homes[3] = 0;
    net_start(settings);
    net_run(79);
    cr_assert_eq(net_n_opened(NULL), 2);
    net_run(2);
    cr_assert_eq(net_n_open("10.0.0.3"), 1);
    cr_assert_eq(net_n_open("10.0.0.1") + net_n_open("10.0.0.2"), 0);
    net_end();
}

/* Six addresses at which nobody answers: four attempts at a time, each with its own
 * set-up time; all are tried before the name is looked up again. */
Test(race, attempts_are_bounded_and_each_has_its_own_time)
{
    static const char *const settings[] = {"bootstrap.servers=kafka.test:9092",
                                           "socket.connection.setup.timeout.ms=2000",
                                           "socket.connection.setup.timeout.max.ms=2000", NULL};
    uint32_t most = 0;
    begin_at_a_name();
    net_name("kafka.test", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6",
             NULL);
    for (int i = 1; i <= 6; i++)
        net.homes[i] = SIM_PAIR_SILENT;
    net_start(settings);
    for (int i = 0; i < 3000; i++) {
        net_run(1);
        most = net_n_open(NULL) > most ? net_n_open(NULL) : most;
    }
    cr_assert_eq(most, KWI_LINK_RACERS);
    for (uint32_t i = 0; i < 6; i++)
        cr_assert_eq(net.pair.conns[i]->addr.ip[3], i + 1);
    /* The fifth begins when the first has had its time, of 2 s and a fifth more or less. */
    uint64_t first_us = net.pair.conns[4]->opened_us - net.pair.conns[0]->opened_us;
    cr_assert(first_us >= 1600000 && first_us <= 2400000, "%lu", (unsigned long)first_us);
    cr_assert_eq(net.n_lookups, 1);
    net_run(4000);
    cr_assert_geq(net.n_lookups, 2, "a failed round asks the resolver again");
    net_end();
}

/* A winner that fails before it is ready gives the others their turn. */
Test(race, a_winner_that_is_no_broker_is_not_the_end)
{
    static const char *const settings[] = {"bootstrap.servers=kafka.test:9092",
                                           "socket.connection.setup.timeout.ms=3000",
                                           "socket.connection.setup.timeout.max.ms=3000", NULL};
    net_begin(2, 2);
    cr_assert_eq(kwi_mock_set_address(net.pair.mock, 0, "kafka.test", 9092), 0);
    cr_assert_eq(kwi_mock_set_address(net.pair.mock, 1, "10.0.0.3", 9092), 0);
    net_name("kafka.test", "10.0.0.1", "10.0.0.2", "10.0.0.3", NULL);
    net.homes[1] = SIM_PAIR_SILENT;
    net.homes[2] = 0;
    net.homes[3] = 1;
    net_fault("ApiVersions:*:close-before:broker=0");
    net_start(settings);
    net_run(260);
    cr_assert_eq(net_n_opened("10.0.0.2"), 1, "it won, and hung up");
    cr_assert_geq(net_n_opened("10.0.0.1"), 2, "the loser gets another turn");
    net_run(300);
    cr_assert_eq(net_n_open("10.0.0.3"), 1);
    net_end();
}

Test(race, a_machine_without_descriptors_does_not_try_its_other_addresses)
{
    uint32_t before;
    begin_at_a_name();
    net_name("kafka.test", "10.0.0.1", "10.0.0.2", "10.0.0.3", NULL);
    for (int i = 1; i <= 3; i++)
        net.homes[i] = SIM_PAIR_NO_DESCRIPTOR;
    net_start(by_name);
    net_run(2000);
    before = net_n_opened(NULL);
    cr_assert_eq(before, net.n_lookups, "one attempt, then a pause");
    cr_assert(before >= 10 && before <= 60, "%u attempts in two seconds", before);
    cr_assert_eq(net.n_errors, 1, "one event, not one for each attempt: %s", net.errors);
    net.homes[1] = 0;
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    net_end();
}

/* ---- names that change (N13), that are not answered --------------------------------- */

Test(names, an_address_that_changes_is_found_after_the_connection_is_lost)
{
    begin_at_a_name();
    net_name("kafka.test", "10.0.0.1", NULL);
    net.homes[1] = 0;
    net_start(by_name);
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    net_name("kafka.test", "10.0.0.2", NULL);
    net.homes[1] = SIM_PAIR_SILENT;
    net.homes[2] = 0;
    cr_assert(net_delivers(0, 100), "a connection that works is kept");
    cr_assert_eq(net_n_opened("10.0.0.2"), 0);
    for (uint32_t i = 0; i < net.pair.n_conns; i++)
        if (net.pair.conns[i]->up)
            sim_pair_break(&net.pair, net.pair.conns[i]);
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    cr_assert_geq(net_n_opened("10.0.0.2"), 1);
    net_end();
}

Test(names, an_address_is_not_kept_over_an_idle_time)
{
    static const char *const settings[] = {"bootstrap.servers=kafka.test:9092",
                                           "connections.max.idle.ms=1000", NULL};
    begin_at_a_name();
    net_name("kafka.test", "10.0.0.1", "10.0.0.3", NULL);
    net.homes[1] = net.homes[3] = 0;
    net_start(settings);
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    net_run(5000);
    cr_assert_eq(net_n_open(NULL), 0, "all are idle");
    net_name("kafka.test", "10.0.0.2", NULL);
    net.homes[1] = net.homes[3] = SIM_PAIR_SILENT;
    net.homes[2] = 0;
    cr_assert(net_delivers(0, 100), "%s", net.errors);
    cr_assert_eq(net.n_errors, 0, "%s", net.errors);
    net_end();
}

/* Of a name with two addresses the one that broke is not tried first again. */
Test(names, the_address_that_failed_last_comes_last)
{
    begin_at_a_name();
    net_name("kafka.test", "10.0.0.1", "10.0.0.2", NULL);
    net.homes[1] = net.homes[2] = 0;
    net_start(by_name);
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    cr_assert_eq(net_n_opened("10.0.0.2"), 0);
    uint32_t before = net_n_opened("10.0.0.1");
    for (uint32_t i = 0; i < net.pair.n_conns; i++)
        if (net.pair.conns[i]->up)
            sim_pair_break(&net.pair, net.pair.conns[i]);
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    cr_assert_eq(net_n_opened("10.0.0.1"), before);
    cr_assert_geq(net_n_opened("10.0.0.2"), 1);
    net_end();
}

Test(names, a_look_up_without_an_answer_ends_in_its_time_and_is_made_again)
{
    static const char *const settings[] = {"bootstrap.servers=kafka.test:9092",
                                           "dns.lookup.timeout.ms=700", NULL};
    begin_at_a_name();
    net_name("kafka.test", "10.0.0.1", NULL);
    net.names[0].n = SIZE_MAX;
    net.homes[1] = 0;
    net_start(settings);
    net_run(699);
    cr_assert_eq(net.n_errors, 0);
    net_run(2);
    cr_assert_eq(net.n_errors, 1);
    cr_assert_eq(net.error.phase, KW_PHASE_RESOLVE);
    cr_assert_eq(net.error.code, KW_ERR_TIMEOUT);
    cr_assert(strstr(net.error.text, "kafka.test") && strstr(net.error.text, "700"), "%s",
              net.error.text);
    net_run(100);
    cr_assert_eq(net.n_lookups, 2);
    /* The first answer comes now, and is not this one's. */
    struct kw_addr late = net_addr("10.0.0.9", 9092);
    kw_core_resolved(net.pair.core, 1, &late, 1, 0);
    net_run(10);
    cr_assert_eq(net_n_opened(NULL), 0);
    net_name("kafka.test", "10.0.0.1", NULL);
    cr_assert(net_delivers(0, 2000), "%s", net.errors);
    net_end();
}

Test(names, the_driver_says_why_a_name_is_not_found)
{
    begin_at_a_name();
    net_name("kafka.test", "10.0.0.1", NULL);
    net.names[0].n = SIZE_MAX;
    net_start(by_name);
    net_run(1);
    kw_core_unresolved(net.pair.core, 1,
                       &(struct kw_cause){.text = "no such host", .hint = "ask somebody"});
    net_run(1);
    cr_assert_str_eq(net.error.text, "the host name kafka.test cannot be resolved: no such host");
    cr_assert_str_eq(net.error.hint, "ask somebody");
    cr_assert_str_eq(net.error.peer, "kafka.test:9092");
    net_end();
}

/* N16: the resolver gets the dot, TLS does not. */
Test(names, a_trailing_dot_is_for_the_resolver_alone)
{
    static const char *const settings[] = {"bootstrap.servers=kafka.test.:9092", NULL};
    net_begin(1, 1);
    cr_assert_eq(kwi_mock_set_address(net.pair.mock, 0, "kafka.test.", 9092), 0);
    net_name("kafka.test.", "10.0.0.1", NULL);
    net.homes[1] = 0;
    net_start(settings);
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    cr_assert_geq(net.pair.n_conns, 2, "the seed, and the broker that was learned");
    for (uint32_t i = 0; i < net.pair.n_conns; i++)
        cr_assert_str_eq(net.pair.conns[i]->name, "kafka.test");
    net_end();
}

/* ---- ids and addresses (N17, N18) ----------------------------------------------------- */

Test(ids, a_broker_that_moves_is_left_when_its_requests_are_over)
{
    static const char *const settings[] = {"bootstrap.servers=10.0.0.5:9092",
                                           "metadata.max.age.ms=300", NULL};
    net_begin(1, 2);
    cr_assert_eq(kwi_mock_set_address(net.pair.mock, 0, "10.0.0.1", 9092), 0);
    net_name("unused", "10.0.0.1", NULL);
    net.homes[1] = net.homes[2] = net.homes[5] = 0;
    net_start(settings);
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    cr_assert_geq(net_n_open("10.0.0.1"), 1);
    cr_assert_eq(kwi_mock_set_address(net.pair.mock, 0, "10.0.0.2", 9092), 0);
    net_fault("produce:1:delay=600");
    net_make(0); /* under way when the news come */
    net_run(450);
    cr_assert_geq(net_n_open("10.0.0.1"), 1, "a request is under way there");
    net_make(1);
    net_run(20);
    cr_assert_eq(net.n_delivered[1], 0, "nothing more is sent to the old address");
    net_run(400);
    cr_assert_eq(net_n_open("10.0.0.1"), 0, "it is let go");
    cr_assert_eq(net.n_delivered[0], 2);
    cr_assert_eq(net.n_delivered[1], 1);
    cr_assert_geq(net_n_open("10.0.0.2"), 1);
    cr_assert(net_delivers(0, 100));
    cr_assert_eq(net.n_errors, 0, "%s", net.errors);
    cr_assert_eq(net.n_other, 0);
    net_end();
}

Test(ids, an_attempt_to_the_old_address_is_given_up)
{
    static const char *const settings[] = {"bootstrap.servers=10.0.0.1:9092,10.0.0.2:9092",
                                           "metadata.max.age.ms=200", NULL};
    net_begin(2, 2);
    cr_assert_eq(kwi_mock_set_address(net.pair.mock, 0, "10.0.0.1", 9092), 0);
    cr_assert_eq(kwi_mock_set_address(net.pair.mock, 1, "10.0.0.3", 9092), 0);
    net_name("unused", "10.0.0.1", NULL);
    net.homes[1] = net.homes[2] = 0;
    net.homes[3] = SIM_PAIR_SILENT;
    net.homes[4] = 1;
    net_start(settings);
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    net_make(1); /* led by broker 1 */
    net_run(20);
    cr_assert_eq(net_n_open("10.0.0.3"), 1);
    cr_assert_eq(kwi_mock_set_address(net.pair.mock, 1, "10.0.0.4", 9092), 0);
    net_run(400);
    cr_assert_eq(net_n_open("10.0.0.3"), 0);
    cr_assert_eq(net.n_delivered[1], 1);
    cr_assert_eq(net.n_errors, 0, "%s", net.errors);
    net_end();
}

/* Behind a proxy: two ids, one address. The proxy of this test gives connections to one
 * broker after the other; each id has its own connection, and keeps it. */
static uint32_t proxy_turn;
static uint32_t proxy_route(void *ctx, const struct kw_addr *addr)
{
    (void)ctx;
    return addr->ip[3] == 9 ? proxy_turn++ % 2 : 0;
}

Test(ids, two_brokers_at_one_address_have_a_connection_each)
{
    static const char *const settings[] = {"bootstrap.servers=10.0.0.1:9092", NULL};
    net_begin(2, 2);
    for (uint32_t i = 0; i < 2; i++)
        cr_assert_eq(kwi_mock_set_address(net.pair.mock, i, "10.0.0.9", 9092), 0);
    net_start(settings);
    net.pair.route = proxy_route;
    net_make(0);
    net_run(1);
    uint32_t n_first = net_n_open("10.0.0.9");
    net_make(1);
    net_run(1000);
    cr_assert_gt(net_n_open("10.0.0.9"), n_first, "partition 1 has another leader");
    cr_assert_eq(net.n_delivered[0] + net.n_delivered[1], 2, "%u %u %s", net.n_delivered[0],
                 net.n_delivered[1], net.errors);
    net_end();
}

/* ---- time and trouble ------------------------------------------------------------------ */

/* N05: one byte in 100 ms. The time counts from the request, not from the last byte. */
Test(trouble, an_answer_that_dribbles_ends_with_the_request_timeout)
{
    net_begin(1, 1);
    net_start(NULL);
    cr_assert(net_delivers(0, 1000), "%s", net.errors);
    uint32_t n_open = net_n_open(NULL);
    net.pair.read_max = 0;
    net_make(0);
    uint64_t begin_us = net.pair.now.mono_us;
    uint32_t n_steps = 0;
    for (; net_n_open(NULL) == n_open && n_steps < 30; n_steps++) {
        net.pair.read_max = 1;
        sim_pair_step(&net.pair, 100000);
    }
    uint64_t took_us = net.pair.now.mono_us - begin_us;
    cr_assert(took_us >= 1000000 && took_us <= 1100000, "after %lu us", (unsigned long)took_us);
    cr_assert_eq(net.error.code, KW_ERR_TIMEOUT);
    cr_assert(strstr(net.error.text, "request.timeout.ms"), "%s", net.error.text);
    net.pair.read_max = SIZE_MAX;
    net_run(2000);
    cr_assert_eq(net.n_delivered[0], 2, "and the record is delivered by the next connection");
    net_end();
}

/* N33: of three leaders one cannot be reached: the partitions of the others go on. */
Test(trouble, one_leader_that_cannot_be_reached_holds_up_nobody_else)
{
    static const char *const settings[] = {"socket.connection.setup.timeout.ms=500",
                                           "socket.connection.setup.timeout.max.ms=500", NULL};
    net_begin(3, 3);
    net.by_port = false;
    for (uint32_t i = 0; i < 3; i++) {
        char host[16];
        snprintf(host, sizeof host, "10.0.0.%u", i + 1);
        cr_assert_eq(kwi_mock_set_address(net.pair.mock, i, host, 9092), 0);
        net.homes[i + 1] = i;
    }
    const char *all[4] = {"bootstrap.servers=10.0.0.1:9092,10.0.0.2:9092,10.0.0.3:9092",
                          settings[0], settings[1], NULL};
    net.homes[2] = SIM_PAIR_SILENT;
    net_start(all);
    cr_assert(net_delivers(0, 2000), "%s", net.errors);
    net_make(1);
    for (int i = 0; i < 200; i++) {
        cr_assert(net_delivers(0, 30), "record %d: %s", i, net.errors);
        cr_assert(net_delivers(2, 30), "record %d: %s", i, net.errors);
    }
    cr_assert_eq(net.n_delivered[1], 0);
    cr_assert_eq(net.n_other, 0);
    net.homes[2] = 1;
    net_run(2000);
    cr_assert_eq(net.n_delivered[1], 1, "and that one too when it is back: %s", net.errors);
    net_end();
}

/* ---- a herd (N27) ----------------------------------------------------------------------- */

enum { HERD = 1000, HERD_MS = 10000, HERD_BUCKET_MS = 10 };

struct herd_client {
    struct kw_core *core;
    struct kw_topic *topic;
    uint32_t n_opens;
};

/* Opens are counted, and fail. */
static uint32_t herd_wants(struct herd_client *client)
{
    struct kw_addr addr = {4, {10, 0, 0, 1}, 9092, 0};
    struct kw_want want;
    uint32_t n = 0;
    while (kw_core_next_want(client->core, &want)) {
        if (want.kind == KW_WANT_RESOLVE)
            kw_core_resolved(client->core, want.id, &addr, 1, 0);
        if (want.kind != KW_WANT_OPEN)
            continue;
        n++;
        kw_core_closed(client->core, want.id,
                       &(struct kw_cause){.phase = KW_PHASE_CONNECT, .os_err = 111});
    }
    client->n_opens += n;
    return n;
}

static void herd_create(struct herd_client *client, struct sim_memory *memory, int i)
{
    struct kw_env env = {.alloc = sim_memory_alloc(memory),
                         .seed = {(uint8_t)i, (uint8_t)(i >> 8)}};
    struct kw_producer *producer;
    struct kw_config *cfg;
    cr_assert_eq(kw_config_create(&cfg, &env.alloc), 0);
    cr_assert_eq(kw_config_set(cfg, "bootstrap.servers", "10.0.0.1:9092", NULL), 0);
    cr_assert_eq(kw_core_create(&client->core, cfg, &env, NULL), 0);
    kw_config_destroy(cfg);
    kw_core_step(client->core, (struct kw_time){1000000, 0});
    cr_assert_eq(kw_core_producer_create(&producer, client->core, NULL, NULL), 0);
    cr_assert_eq(kw_core_topic_open(&client->topic, producer, "t", NULL), 0);
}

/* A thousand clients lose their broker in the same millisecond. With the default
 * backoff, 50 ms doubled to at most 1 s with a fifth of jitter either way, they come
 * back in ever wider waves, and in the end evenly. */
Test(herd, clients_that_lose_their_broker_together_do_not_come_back_together)
{
    static struct herd_client herd[HERD];
    static uint32_t buckets[HERD_MS / HERD_BUCKET_MS];
    struct sim_memory memory;
    uint32_t n_late = 0, most_late = 0, fewest = UINT32_MAX, most = 0;
    sim_memory_init(&memory, SIM_MEMORY_PLAIN);
    for (int i = 0; i < HERD; i++)
        herd_create(&herd[i], &memory, i);
    for (uint32_t ms = 0; ms < HERD_MS; ms++) {
        uint64_t now_us = 1000000 + ms * 1000ull;
        for (int i = 0; i < HERD; i++) {
            if (ms > 0 && kw_core_deadline(herd[i].core) > now_us)
                continue;
            kw_core_step(herd[i].core, (struct kw_time){now_us, 0});
            buckets[ms / HERD_BUCKET_MS] += herd_wants(&herd[i]);
        }
    }
    for (int i = 0; i < HERD; i++) {
        fewest = herd[i].n_opens < fewest ? herd[i].n_opens : fewest;
        most = herd[i].n_opens > most ? herd[i].n_opens : most;
        kw_core_destroy(herd[i].core);
    }
    /* 50 + 100 + ... + 800 ms, then about one a second. */
    cr_assert(fewest >= 11 && most <= 17, "%u to %u attempts in ten seconds", fewest, most);
    for (uint32_t i = HERD_MS / HERD_BUCKET_MS / 2; i < HERD_MS / HERD_BUCKET_MS; i++) {
        n_late += buckets[i];
        most_late = buckets[i] > most_late ? buckets[i] : most_late;
    }
    /* In the second half the fullest 10 ms have at most four times their even share. */
    cr_assert_leq(most_late * (HERD_MS / HERD_BUCKET_MS / 2), 4 * n_late, "%u of %u", most_late,
                  n_late);
    cr_assert_eq(memory.n_live, 0);
    sim_memory_deinit(&memory);
}
