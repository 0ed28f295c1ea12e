/* client/throttle.c -- quotas, the client's side (KIP-219).
 *
 * A broker of 2.0 or later answers at once and then reads nothing from the
 * connection for throttle_time_ms; what is sent meanwhile would only time out. Older
 * brokers hold the answer back instead and report a time that has passed already:
 * which of the two it was is told by the version of the answer.
 *
 * A hostile or confused broker may ask for weeks. request.timeout.ms is the bound:
 * longer than that no request would have waited for it either. */
#include "client/throttle.h"

#include <string.h>

#include "client/config.h"
#include "client/conn.h"

/* The first version whose answer comes before the pause. APIs that are not named
 * here are younger than KIP-219. */
static const struct throttle_row {
    int16_t api_key, since;
} throttle_rows[] = {
    {KW_API_PRODUCE, 6},
    {KW_API_FETCH, 8},
    {KW_API_LIST_OFFSETS, 3},
    {KW_API_METADATA, 6},
    {KW_API_OFFSET_COMMIT, 4},
    {KW_API_OFFSET_FETCH, 4},
    {KW_API_FIND_COORDINATOR, 2},
    {KW_API_JOIN_GROUP, 3},
    {KW_API_HEARTBEAT, 2},
    {KW_API_LEAVE_GROUP, 2},
    {KW_API_SYNC_GROUP, 2},
    {KW_API_DESCRIBE_GROUPS, 2},
    {KW_API_LIST_GROUPS, 2},
    {KW_API_API_VERSIONS, 2},
    {KW_API_CREATE_TOPICS, 3},
    {KW_API_DELETE_TOPICS, 2},
    {KW_API_DELETE_RECORDS, 1},
    {KW_API_INIT_PRODUCER_ID, 1},
    {KW_API_ADD_PARTITIONS_TO_TXN, 1},
    {KW_API_ADD_OFFSETS_TO_TXN, 1},
    {KW_API_END_TXN, 1},
    {KW_API_TXN_OFFSET_COMMIT, 1},
    {KW_API_DESCRIBE_ACLS, 1},
    {KW_API_CREATE_ACLS, 1},
    {KW_API_DELETE_ACLS, 1},
    {KW_API_DESCRIBE_CONFIGS, 2},
    {KW_API_ALTER_CONFIGS, 1},
    {KW_API_ALTER_REPLICA_LOG_DIRS, 1},
    {KW_API_DESCRIBE_LOG_DIRS, 1},
    {KW_API_CREATE_PARTITIONS, 1},
    {KW_API_CREATE_DELEGATION_TOKEN, 1},
    {KW_API_RENEW_DELEGATION_TOKEN, 1},
    {KW_API_EXPIRE_DELEGATION_TOKEN, 1},
    {KW_API_DESCRIBE_DELEGATION_TOKEN, 1},
    {KW_API_DELETE_GROUPS, 1},
};

static bool throttle_is_ahead(const struct kw_request *req)
{
    for (size_t i = 0; i < sizeof(throttle_rows) / sizeof(throttle_rows[0]); i++)
        if (throttle_rows[i].api_key == req->type->api_key)
            return req->version >= throttle_rows[i].since;
    return true;
}

int64_t kwi_throttle_ms(const struct kw_core *core, int32_t throttle_ms)
{
    int64_t max_ms = kwi_config_i64(core->cfg, KW_KEY_REQUEST_TIMEOUT_MS);

    return throttle_ms <= 0 ? 0 : throttle_ms < max_ms ? throttle_ms : max_ms;
}

void kwi_throttle(struct kw_request *req, int32_t throttle_ms)
{
    if (throttle_ms <= 0 || !req->conn || !throttle_is_ahead(req))
        return;
    req->core->stats.throttles++;
    kwi_conn_mute(req->conn, kwi_throttle_ms(req->core, throttle_ms));
}

void kwi_throttle_raw(struct kw_request *req, const struct kw_answer *answer)
{
    static const char name[] = "throttle_time_ms";
    const struct kw_schema *schema = kwi_api_info(req->type->api_key)->response;
    _Alignas(8) uint8_t msg[KWI_ELEM_MAX];
    int32_t throttle_ms = 0;

    for (unsigned i = 0; i < schema->n_fields; i++) {
        const struct kw_field *field = &schema->fields[i];

        if (field->kind != KWI_I32 || strlen(field->name) != sizeof(name) - 1 ||
            memcmp(field->name, name, sizeof(name) - 1) != 0)
            continue;
        if (kwi_decode(schema, req->version, answer->body, answer->len, msg, NULL))
            return; /* the caller may make something of it */
        memcpy(&throttle_ms, msg + field->offset, sizeof(throttle_ms));
        kwi_throttle(req, throttle_ms);
        return;
    }
}
