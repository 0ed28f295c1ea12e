/* tests/client/net_bed.h -- a core, a broker model and a small application, for tests
 * of names, connections and metadata. One test a process. */
#ifndef TEST_CLIENT_NET_BED_H
#define TEST_CLIENT_NET_BED_H
#include "tests/sim/pair.h"
#include <criterion/criterion.h>

enum { NET_PARTITIONS = 6, NET_NAMES_MAX = 8, NET_ADDRS_MAX = 8, NET_RECORDS_MAX = 2000 };

/* A name that the resolver of the bed knows. */
struct net_name {
    const char *name;
    size_t n; /* of addrs; SIZE_MAX: the resolver never answers */
    struct kw_addr addrs[NET_ADDRS_MAX];
};
/* Who lives at 10.0.0.x or fd00::x, by x. */
struct net_bed {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct net_name names[NET_NAMES_MAX];
    uint32_t n_names, n_lookups, n_named;
    const char *reverse[256]; /* the name of an address, by x; sim_pair_never */
    uint32_t homes[256];      /* broker index or SIM_PAIR_* */
    bool by_port;             /* route by port instead */
    uint32_t n_made, n_delivered[NET_PARTITIONS], n_other, n_errors, n_op_done;
    uint8_t partition_of[NET_RECORDS_MAX];
    bool all;
    int op_code, outcome_code;       /* the last ones; outcomes: of those not delivered */
    struct kw_error error, op_error; /* the last ones */
    char errors[4096];               /* all texts */
};
extern struct net_bed net;

/* The cluster; the core comes with net_start, so that names can be set before. */
void net_begin(uint32_t n_brokers, int32_t n_partitions);
void net_begin_of(const struct kw_mock_config *config, int32_t n_partitions);
/* The core with these settings (NULL at the end) besides short backoffs, a producer and
 * the topic "t". */
void net_start(const char *const *settings);
void net_end(void);

/* Adds a name, or changes it: addresses as "10.0.0.1" and "fd00::1", NULL at the end. */
void net_name(const char *name, ...) __attribute__((sentinel));
/* Runs for so long. */
void net_run(uint64_t ms);
/* One record to a partition; waits until the topic is known. */
void net_make(int32_t partition);
/* One more record to the partition is delivered within ms. */
bool net_delivers(int32_t partition, uint64_t ms);
/* Connections opened so far to an address, or (NULL) at all. */
uint32_t net_n_opened(const char *addr);
/* Those of them that are not closed. */
uint32_t net_n_open(const char *addr);
struct kw_addr net_addr(const char *text, uint16_t port);
void net_fault(const char *spec);

#endif
