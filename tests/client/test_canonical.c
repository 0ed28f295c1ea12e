/* bootstrap.servers by their canonical names: client.dns.lookup =
 * resolve_canonical_bootstrap_servers_only. Addresses are 10.0.0.x and fd00::x;
 * net.reverse says what name x has, net.homes who lives there.
 *
 * covers: N11 N13 N16 N19 */
#include "tests/client/net_bed.h"

#include <string.h>

#include "client/canonical.h"
#include "client/link.h"

#define CANONICAL "client.dns.lookup=resolve_canonical_bootstrap_servers_only"

static const char *const canonical[] = {"bootstrap.servers=kafka.test:9092", CANONICAL, NULL};

/* kafka.test is three machines; the cluster has one broker and names it b1.test. */
static void begin(void)
{
    net_begin(1, 2);
    cr_assert_eq(kwi_mock_set_address(net.pair.mock, 0, "b1.test", 9092), 0);
    net_name("kafka.test", "10.0.0.1", "10.0.0.2", "fd00::3", NULL);
    net_name("b1.test", "10.0.0.1", NULL);
    net_name("b2.test", "10.0.0.2", NULL);
    net_name("b3.test", "fd00::3", NULL);
    net.reverse[1] = "b1.test";
    net.reverse[2] = "b2.test";
    net.reverse[3] = "b3.test";
    for (int i = 1; i <= 3; i++)
        net.homes[i] = 0;
}

static const struct kw_broker *seed_of(const char *host)
{
    const struct kw_cluster *cluster = &net.pair.core->cluster;
    for (uint32_t i = 0; i < cluster->n_seeds; i++)
        if (strcmp(cluster->seeds[i]->host, host) == 0)
            return cluster->seeds[i];
    return NULL;
}

static uint32_t n_seeds(void)
{
    return net.pair.core->cluster.n_seeds;
}

Test(canonical, each_address_is_a_server_under_its_own_name)
{
    begin();
    net_start(canonical);
    net_run(50);
    cr_assert_eq(n_seeds(), 3);
    cr_assert_eq(net.n_named, 3);
    for (int i = 1; i <= 3; i++) {
        const struct kw_broker *seed = seed_of(net.reverse[i]);
        cr_assert(seed, "%s", net.reverse[i]);
        cr_assert_eq(seed->port, 9092);
        cr_assert_str_eq(seed->server_name, "kafka.test",
                         "certificates are for the configured name, not for %s", seed->server_name);
    }
    cr_assert(net_delivers(0, 500), "%s", net.errors);
    cr_assert_eq(net.n_errors, 0, "%s", net.errors);
    net_end();
}

Test(canonical, nothing_is_named_unless_it_is_asked_for)
{
    static const char *const all[] = {"bootstrap.servers=kafka.test:9092", NULL};
    begin();
    net_start(all);
    cr_assert(net_delivers(0, 500), "%s", net.errors);
    cr_assert_eq(net.n_named, 0);
    cr_assert_eq(n_seeds(), 1);
    net_end();
}

/* Without a name, with one that nobody can have, that does not exist, or that leads to
 * somebody else: the address in digits, as Java does. */
Test(canonical, an_address_without_a_name_that_leads_back_is_taken_in_digits)
{
    static const char *const wrong[] = {NULL, "", "a b", "-/-", "nobody.test", "b2.test"};
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        memset(&net, 0, sizeof(net));
        begin();
        net.reverse[1] = wrong[i];
        net.reverse[3] = wrong[i];
        net_start(canonical);
        net_run(50);
        cr_assert_eq(n_seeds(), 3, "%s: %u", wrong[i] ? wrong[i] : "none", n_seeds());
        cr_assert(seed_of("10.0.0.1"), "%s", wrong[i] ? wrong[i] : "none");
        cr_assert(seed_of("fd00:0:0:0:0:0:0:3"), "%s", wrong[i] ? wrong[i] : "none");
        cr_assert_str_eq(seed_of("10.0.0.1")->server_name, "kafka.test");
        cr_assert_eq(net.n_errors, 0, "%s", net.errors);
        net_end();
    }
}

Test(canonical, names_too_long_are_no_names)
{
    static char name[300];
    begin();
    memset(name, 'a', sizeof(name) - 1);
    net.reverse[1] = name;
    net_start(canonical);
    net_run(50);
    cr_assert(seed_of("10.0.0.1"));
    net_end();
}

/* A configured address is looked up too, and remains what certificates are for; two
 * names that lead to one machine make two servers, for each has its certificate. */
Test(canonical, addresses_and_aliases_keep_what_their_certificates_are_for)
{
    static const char *const settings[] = {
        "bootstrap.servers=10.0.0.1:9092,[fd00::3]:9093,alias.test.:9092", CANONICAL, NULL};
    begin();
    net_name("alias.test.", "10.0.0.1", NULL);
    net.homes[1] = net.homes[3] = SIM_PAIR_REFUSE;
    net_start(settings);
    net_run(50);
    cr_assert_eq(n_seeds(), 3);
    cr_assert_str_eq(seed_of("b1.test")->server_name, "10.0.0.1");
    cr_assert_str_eq(seed_of("b3.test")->server_name, "fd00::3");
    cr_assert_eq(seed_of("b3.test")->port, 9093);
    cr_assert_str_eq(net.pair.core->cluster.seeds[2]->server_name, "alias.test");
    net_end();
}

/* One of three never gets a name: the others are used at once, that one in digits when
 * its time is over. */
Test(canonical, a_name_that_does_not_come_holds_up_nobody)
{
    static const char *const settings[] = {"bootstrap.servers=kafka.test:9092", CANONICAL,
                                           "dns.lookup.timeout.ms=3000", NULL};
    begin();
    net.reverse[2] = sim_pair_never;
    net_start(settings);
    cr_assert(net_delivers(0, 500), "%s", net.errors);
    cr_assert_eq(n_seeds(), 2);
    net_run(3000);
    cr_assert_eq(n_seeds(), 3);
    cr_assert(seed_of("10.0.0.2"));
    net_end();
}

Test(canonical, a_name_that_is_not_found_is_told_and_looked_up_again)
{
    static const char *const settings[] = {"bootstrap.servers=absent.test:9092,late.test:9092",
                                           CANONICAL, "dns.lookup.timeout.ms=2000", NULL};
    begin();
    net_name("late.test", NULL);
    net.names[net.n_names - 1].n = SIZE_MAX;
    net_start(settings);
    net_run(3000);
    cr_assert_eq(n_seeds(), 0);
    cr_assert(strstr(net.errors, "absent.test cannot be resolved"), "%s", net.errors);
    cr_assert(strstr(net.errors, "late.test was not resolved within dns.lookup.timeout.ms (2000)"),
              "%s", net.errors);
    net_name("absent.test", "10.0.0.1", NULL);
    net_run(1500);
    cr_assert_eq(n_seeds(), 1);
    cr_assert(net_delivers(0, 500), "%s", net.errors);
    net_end();
}

/* The cluster moves to other machines: beginning anew looks the names up again, and what
 * is gone makes room. */
Test(canonical, beginning_anew_looks_the_names_up_again)
{
    static const char *const settings[] = {"bootstrap.servers=kafka.test:9092", CANONICAL,
                                           "metadata.recovery.rebootstrap.trigger.ms=1000",
                                           "delivery.timeout.ms=60000", NULL};
    begin();
    net_start(settings);
    cr_assert(net_delivers(0, 500), "%s", net.errors);
    for (int i = 1; i <= 3; i++)
        net.homes[i] = SIM_PAIR_REFUSE;
    net.homes[4] = 0;
    net.reverse[4] = "b4.test";
    net_name("kafka.test", "10.0.0.4", NULL);
    net_name("b4.test", "10.0.0.4", NULL);
    cr_assert_eq(kwi_mock_set_address(net.pair.mock, 0, "b4.test", 9092), 0);
    for (uint32_t i = 0; i < net.pair.n_conns; i++)
        if (!net.pair.conns[i]->closed)
            sim_pair_break(&net.pair, net.pair.conns[i]);
    net_make(0);
    net_run(6000);
    cr_assert(seed_of("b4.test"));
    cr_assert_leq(n_seeds(), 4);
    cr_assert_eq(net.n_delivered[0], 2, "%s", net.errors);
    net_end();
}

/* A name with very many addresses: as many as are tried of one name, and no more. */
Test(canonical, the_servers_of_one_name_are_bounded)
{
    struct kw_addr addrs[40] = {{0}};
    struct kw_want want;
    begin();
    net.names[0].n = SIZE_MAX; /* we answer */
    net_start(canonical);
    net_run(5);
    for (uint32_t i = 0; i < 40; i++)
        addrs[i] = (struct kw_addr){4, {10, 0, 1, (uint8_t)(i / 2)}, 9092, 0};
    kw_core_resolved(net.pair.core, 1, addrs, 40, 0);
    uint32_t n = 0;
    while (kw_core_next_want(net.pair.core, &want)) {
        cr_assert_eq(want.kind, KW_WANT_NAME);
        cr_assert_null(want.name);
        kw_core_resolved(net.pair.core, want.id, addrs, 1, 0); /* no answer to NAME */
        n++;
    }
    cr_assert_eq(n, 16);
    net_end();
}

/* - illegal, else the next state: IDLE ASKED WAIT KNOWN */
static const char *const cells[KWI_CANONICAL_STATES] = {
    /* NEED FOUND FAILED DUE AGAIN */
    /* IDLE  */ "1---0",
    /* ASKED */ "132-1",
    /* WAIT  */ "2--02",
    /* KNOWN */ "3-2-0",
};

Test(canonical, every_cell_of_the_table_is_as_written)
{
    for (unsigned s = 0; s < KWI_CANONICAL_STATES; s++) {
        for (unsigned e = 0; e < KWI_CANONICAL_EVENTS; e++) {
            unsigned next;
            bool legal = kwi_canonical_cell(s, e, &next);
            cr_assert_eq(legal, cells[s][e] != '-', "state %u event %u", s, e);
            if (legal)
                cr_assert_eq(next, (unsigned)(cells[s][e] - '0'), "state %u event %u", s, e);
        }
    }
}
