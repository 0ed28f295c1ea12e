/* client/denied.c -- see denied.h.
 *
 * A broker answers only that a right is missing, not which one: that follows from
 * the request. Operations are those of Kafka's authorizer for each API, as
 * kafka-acls.sh takes them. */
#include "client/denied.h"

#include <string.h>

#include "base/fmt.h"
#include "client/config.h"
#include "client/core.h"
#include "client/error_text.h"
#include "proto/api.h"
#include "proto/error.h"

enum { DENIED_NAME = 40 }; /* characters of a resource that a text shows */

/* The resource that a code is about, as kafka-acls.sh names it. */
struct denied_resource {
    int16_t kafka_code;
    const char *name, *option;
};

static const struct denied_resource denied_resources[] = {
    {KW_E_TOPIC_AUTHORIZATION_FAILED, "topic", "--topic"},
    {KW_E_GROUP_AUTHORIZATION_FAILED, "group", "--group"},
    {KW_E_CLUSTER_AUTHORIZATION_FAILED, "the cluster", "--cluster"},
    {KW_E_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "transactional id", "--transactional-id"},
    {KW_E_DELEGATION_TOKEN_AUTHORIZATION_FAILED, "delegation token", "--delegation-token"},
};

struct denied_operation {
    int16_t api_key, kafka_code;
    const char *name;
};

/* What is not here needs Describe, as most requests that only look do. */
static const struct denied_operation denied_operations[] = {
    {KW_API_PRODUCE, KW_E_TOPIC_AUTHORIZATION_FAILED, "Write"},
    {KW_API_PRODUCE, KW_E_CLUSTER_AUTHORIZATION_FAILED, "IdempotentWrite"},
    {KW_API_PRODUCE, KW_E_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "Write"},
    {KW_API_FETCH, KW_E_TOPIC_AUTHORIZATION_FAILED, "Read"},
    {KW_API_OFFSET_COMMIT, KW_E_TOPIC_AUTHORIZATION_FAILED, "Read"},
    {KW_API_OFFSET_COMMIT, KW_E_GROUP_AUTHORIZATION_FAILED, "Read"},
    {KW_API_JOIN_GROUP, KW_E_GROUP_AUTHORIZATION_FAILED, "Read"},
    {KW_API_SYNC_GROUP, KW_E_GROUP_AUTHORIZATION_FAILED, "Read"},
    {KW_API_HEARTBEAT, KW_E_GROUP_AUTHORIZATION_FAILED, "Read"},
    {KW_API_LEAVE_GROUP, KW_E_GROUP_AUTHORIZATION_FAILED, "Read"},
    {KW_API_CONSUMER_GROUP_HEARTBEAT, KW_E_GROUP_AUTHORIZATION_FAILED, "Read"},
    {KW_API_CREATE_TOPICS, KW_E_TOPIC_AUTHORIZATION_FAILED, "Create"},
    {KW_API_CREATE_TOPICS, KW_E_CLUSTER_AUTHORIZATION_FAILED, "Create"},
    {KW_API_DELETE_TOPICS, KW_E_TOPIC_AUTHORIZATION_FAILED, "Delete"},
    {KW_API_DELETE_RECORDS, KW_E_TOPIC_AUTHORIZATION_FAILED, "Delete"},
    {KW_API_DELETE_GROUPS, KW_E_GROUP_AUTHORIZATION_FAILED, "Delete"},
    {KW_API_CREATE_PARTITIONS, KW_E_TOPIC_AUTHORIZATION_FAILED, "Alter"},
    {KW_API_INIT_PRODUCER_ID, KW_E_CLUSTER_AUTHORIZATION_FAILED, "IdempotentWrite"},
    {KW_API_INIT_PRODUCER_ID, KW_E_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "Write"},
    {KW_API_ADD_PARTITIONS_TO_TXN, KW_E_TOPIC_AUTHORIZATION_FAILED, "Write"},
    {KW_API_ADD_PARTITIONS_TO_TXN, KW_E_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "Write"},
    {KW_API_END_TXN, KW_E_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "Write"},
    {KW_API_TXN_OFFSET_COMMIT, KW_E_TOPIC_AUTHORIZATION_FAILED, "Read"},
    {KW_API_TXN_OFFSET_COMMIT, KW_E_GROUP_AUTHORIZATION_FAILED, "Read"},
    {KW_API_TXN_OFFSET_COMMIT, KW_E_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "Write"},
    {KW_API_CREATE_ACLS, KW_E_CLUSTER_AUTHORIZATION_FAILED, "Alter"},
    {KW_API_DELETE_ACLS, KW_E_CLUSTER_AUTHORIZATION_FAILED, "Alter"},
    {KW_API_DESCRIBE_CONFIGS, KW_E_TOPIC_AUTHORIZATION_FAILED, "DescribeConfigs"},
    {KW_API_DESCRIBE_CONFIGS, KW_E_CLUSTER_AUTHORIZATION_FAILED, "DescribeConfigs"},
    {KW_API_ALTER_CONFIGS, KW_E_TOPIC_AUTHORIZATION_FAILED, "AlterConfigs"},
    {KW_API_ALTER_CONFIGS, KW_E_CLUSTER_AUTHORIZATION_FAILED, "AlterConfigs"},
    {KW_API_INCREMENTAL_ALTER_CONFIGS, KW_E_TOPIC_AUTHORIZATION_FAILED, "AlterConfigs"},
    {KW_API_INCREMENTAL_ALTER_CONFIGS, KW_E_CLUSTER_AUTHORIZATION_FAILED, "AlterConfigs"},
};

static const struct denied_resource *denied_find(int16_t kafka_code)
{
    for (size_t i = 0; i < sizeof(denied_resources) / sizeof(denied_resources[0]); i++)
        if (denied_resources[i].kafka_code == kafka_code)
            return &denied_resources[i];
    return NULL;
}

static const char *denied_find_operation(int16_t api_key, int16_t kafka_code)
{
    for (size_t i = 0; i < sizeof(denied_operations) / sizeof(denied_operations[0]); i++)
        if (denied_operations[i].api_key == api_key &&
            denied_operations[i].kafka_code == kafka_code)
            return denied_operations[i].name;
    return "Describe";
}

/* The text names everything; the hint is a command to copy if it has room. */
static void denied_write(struct kw_error *err, const struct denied_resource *resource,
                         const char *operation, const char *user, const char *name)
{
    bool whole = strlen(name) <= DENIED_NAME && strlen(user) <= 20;

    kwi_error_fmt(err, KW_ERR_BROKER, KW_PHASE_REQUEST, "",
                  "not authorized to %s on %s%s%.*s%s: %s (%d)", operation, resource->name,
                  *name ? " " : "", DENIED_NAME, name, strlen(name) > DENIED_NAME ? "..." : "",
                  kwi_error_info(resource->kafka_code)->name, resource->kafka_code);
    kwi_fmt(err->hint, sizeof(err->hint),
            "kafka-acls.sh --add --allow-principal User:%s --operation %s %s%s%s",
            whole && *user ? user : "NAME", operation, resource->option, *name ? " " : "",
            whole ? name : "...");
    err->kafka_code = resource->kafka_code;
}

void kw_kafka_error_explain(struct kw_error *err, int16_t kafka_code, int16_t api_key,
                            const char *name, const char *user)
{
    const struct denied_resource *resource = denied_find(kafka_code);
    const char *shown = name ? name : "";

    if (!err)
        return;
    if (resource)
        denied_write(err, resource, denied_find_operation(api_key, kafka_code), user ? user : "",
                     kafka_code == KW_E_CLUSTER_AUTHORIZATION_FAILED ? "" : shown);
    else
        kwi_error_kafka(err, kafka_code, *shown ? shown : kwi_api_name(api_key), NULL, 0);
}

void kwi_error_answer(const struct kw_core *core, struct kw_error *err, int16_t kafka_code,
                      int16_t api_key, const char *name)
{
    const char *user = kwi_config_uses_sasl(core->cfg)
                           ? kwi_config_str(core->cfg, KW_KEY_SASL_USERNAME)
                           : NULL;

    kw_kafka_error_explain(err, kafka_code, api_key, name, user);
}
