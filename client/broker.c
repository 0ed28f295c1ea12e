/* client/broker.c -- brokers: an id, an address, the links to it. See link.h.
 *
 * A broker is its id, never its address: two may share one, behind a proxy, and one
 * may come back under another (N17, N18). */
#include <string.h>

#include "client/link.h"

static void broker_free_names(struct kw_broker *broker)
{
    struct kw_heap *heap = &broker->core->control;

    if (broker->server_name != broker->host)
        kwi_free(heap, broker->server_name, broker->server_size);
    kwi_free(heap, broker->host, broker->host_size);
}

/* The dot at the end of a name says that it is complete: to the resolver. No
 * certificate has it (N16). */
static int broker_set_names(struct kw_broker *broker, const char *host, size_t len, uint16_t port)
{
    struct kw_heap *heap = &broker->core->control;
    size_t server_len = len > 1 && host[len - 1] == '.' ? len - 1 : len;
    char *copy = kwi_strdup(heap, host, len), *server = copy;

    if (copy && server_len != len)
        server = kwi_strdup(heap, host, server_len);
    if (!server) {
        kwi_free(heap, copy, len + 1);
        return KW_ERR_NOMEM;
    }
    broker_free_names(broker);
    broker->host = copy;
    broker->host_size = len + 1;
    broker->server_name = server;
    broker->server_size = server_len + 1;
    broker->port = port;
    return 0;
}

int kwi_broker_verify_as(struct kw_broker *broker, const char *name, size_t len)
{
    struct kw_heap *heap = &broker->core->control;
    char *copy = kwi_strdup(heap, name, len);

    if (!copy)
        return KW_ERR_NOMEM;
    if (broker->server_name != broker->host)
        kwi_free(heap, broker->server_name, broker->server_size);
    broker->server_name = copy;
    broker->server_size = len + 1;
    return 0;
}

int kwi_broker_move(struct kw_broker *broker, const char *host, size_t host_len, uint16_t port)
{
    bool is_new = !broker->host;
    int rc;

    if (!is_new && broker->port == port && broker->host_size == host_len + 1 &&
        !memcmp(broker->host, host, host_len))
        return 0;
    rc = broker_set_names(broker, host, host_len, port);
    if (rc || is_new)
        return rc;
    kwi_log(broker->core, 6, "broker %d is at %s:%u now", broker->node_id, broker->host, port);
    kwi_broker_retire(broker);
    return 0;
}

void kwi_broker_retire(struct kw_broker *broker)
{
    struct kw_node *next;

    for (struct kw_node *n = broker->links.first; n; n = next) {
        next = n->next;
        kwi_link_retire(KWI_OF(n, struct kw_link, broker_node));
    }
}

struct kw_broker *kwi_broker_create(struct kw_core *core, int32_t node_id, const char *host,
                                    size_t host_len, uint16_t port)
{
    struct kw_broker *broker = kwi_alloc_zero(&core->control, sizeof(*broker));

    if (!broker)
        return NULL;
    broker->core = core;
    broker->node_id = node_id;
    broker->rack = -1;
    if (kwi_broker_move(broker, host, host_len, port)) {
        kwi_free(&core->control, broker, sizeof(*broker));
        return NULL;
    }
    return broker;
}

void kwi_broker_destroy(struct kw_broker *broker)
{
    while (!kwi_list_empty(&broker->links))
        kwi_link_destroy(KWI_OF(broker->links.first, struct kw_link, broker_node), KW_ERR_CLOSED);
    broker_free_names(broker);
    kwi_free(&broker->core->control, broker, sizeof(*broker));
}
