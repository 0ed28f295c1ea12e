/* client/assign/builtin.c -- the built-in assignors by name, and what a member that
 * offers several of them speaks. */
#include <string.h>

#include "client/assign/assign.h"

/* Java's configuration has class names, so they are taken too. */
static const struct builtin {
    const char *java_class;
    const struct kw_assignor *assignor;
} builtins[] = {
    {"org.apache.kafka.clients.consumer.RangeAssignor", &kw_assignor_range},
    {"org.apache.kafka.clients.consumer.RoundRobinAssignor", &kw_assignor_roundrobin},
    {"org.apache.kafka.clients.consumer.StickyAssignor", &kw_assignor_sticky},
    {"org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
     &kw_assignor_cooperative_sticky},
};

static bool builtin_is(const char *text, const char *name, size_t len)
{
    return strlen(text) == len && memcmp(text, name, len) == 0;
}

const struct kw_assignor *kwi_assignor_builtin(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        if (builtin_is(builtins[i].assignor->name, name, len) ||
            builtin_is(builtins[i].java_class, name, len))
            return builtins[i].assignor;
    return NULL;
}

enum kw_rebalance_protocol kwi_assignors_protocol(const struct kw_assignor *const *list, size_t n)
{
    unsigned common = n > 0 ? KW_REBALANCE_EAGER | KW_REBALANCE_COOPERATIVE : 0;
    for (size_t i = 0; i < n; i++)
        common &= list[i]->protocols;
    if (common & KW_REBALANCE_COOPERATIVE)
        return KW_REBALANCE_COOPERATIVE;
    return (enum kw_rebalance_protocol)(common & KW_REBALANCE_EAGER);
}
