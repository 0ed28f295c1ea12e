/* client/versions.c -- version negotiation. See versions.h. */
#include "client/versions.h"

#include <kwire/kwire.h>

#include <string.h>

#include "client/conn_parts.h"
#include "client/error_text.h"
#include "client/throttle.h"
#include "proto/api_versions.h"
#include "proto/error.h"

static int versions_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_api_versions_request msg;

    kwi_api_versions_request_init(&msg);
    if (req->version >= 3) {
        msg.client_software_name = kwi_str("kwire");
        msg.client_software_version = kwi_str(KW_VERSION);
    }
    return kwi_api_versions_request_encode(&msg, req->version, wr);
}

static void versions_broken(struct kw_conn *conn, const char *what)
{
    struct kw_error err;

    kwi_error_fmt(&err, KW_ERR_PROTOCOL, KW_PHASE_VERSIONS,
                  "is that a Kafka broker of 0.10 or later?", "%s: %s", conn->peer, what);
    kwi_conn_fail(conn, &err);
}

static void versions_store(struct kw_conn *conn, const struct kw_api_versions_response *msg)
{
    struct kw_api_versions_response_key key;
    struct kw_iter it;

    for (kwi_iter_init(&it, &msg->api_keys); kwi_iter_next(&it, &key);) {
        if (key.api_key < 0 || key.api_key >= KWI_API_KEYS)
            continue; /* newer than we are: normal */
        conn->api_min[key.api_key] = key.min_version;
        conn->api_max[key.api_key] = key.max_version;
    }
}

/* What the whole cluster has agreed on (KIP-584). Brokers learn of it one by one: what is
 * older than what we know is not taken. */
static void versions_features(struct kw_cluster *cluster,
                              const struct kw_api_versions_response *msg)
{
    struct kw_api_versions_finalized_feature feature;
    struct kw_str name = kwi_str("transaction.version");
    struct kw_iter it;

    if (msg->finalized_features_epoch <= cluster->features_epoch)
        return;
    cluster->features_epoch = msg->finalized_features_epoch;
    cluster->transaction_version = 0;
    for (kwi_iter_init(&it, &msg->finalized_features); kwi_iter_next(&it, &feature);) {
        if (feature.name.len == name.len && !memcmp(feature.name.ptr, name.ptr, (size_t)name.len))
            cluster->transaction_version = feature.max_version_level;
    }
}

/* The version to ask with after error 35: the best that both know. The one-entry
 * list that comes with it is not the broker's table. */
static int8_t versions_lower(const struct kw_api_versions_response *msg, int8_t tried)
{
    struct kw_api_versions_response_key key;
    struct kw_iter it;

    for (kwi_iter_init(&it, &msg->api_keys); kwi_iter_next(&it, &key);)
        if (key.api_key == KW_API_API_VERSIONS && key.max_version < tried && key.max_version >= 0)
            return (int8_t)key.max_version;
    return 0;
}

static void versions_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_conn *conn = req->conn;
    struct kw_api_versions_response msg;
    bool unsupported = !answer->err && answer->len >= 2 &&
                       kwi_get_u16(answer->body) == KW_E_UNSUPPORTED_VERSION;
    int version = unsupported ? 0 : req->version;

    if (answer->err || !conn->link)
        return;
    if (kwi_api_versions_response_decode(&msg, version, answer->body, answer->len, NULL)) {
        versions_broken(conn, "the answer to ApiVersions cannot be read");
        return;
    }
    if (unsupported && req->version > 0) {
        conn->link->versions_try = versions_lower(&msg, (int8_t)req->version);
        conn->versions_asked = false;
        kwi_conn_wake(conn);
        return;
    }
    if (msg.error_code) {
        versions_broken(conn, kw_kafka_error_name(msg.error_code));
        return;
    }
    kwi_throttle(req, msg.throttle_time_ms);
    versions_store(conn, &msg);
    versions_features(&conn->core->cluster, &msg);
    kwi_conn_answered(conn);
}

static const struct kw_request_type versions_type = {
    .api_key = KW_API_API_VERSIONS,
    .encode = versions_encode,
    .done = versions_done,
};

struct kw_request *kwi_versions_request(struct kw_conn *conn)
{
    struct kw_request *req;

    if (conn->versions_asked || !conn->link)
        return NULL;
    req = kwi_request_create(conn->core, conn->link, &versions_type, conn);
    if (!req)
        return NULL; /* the set-up deadline ends it */
    req->version = conn->link->versions_try;
    conn->versions_asked = true;
    return req;
}

void kwi_versions_cut(struct kw_link *link)
{
    int8_t highest = kwi_api_info(KW_API_API_VERSIONS)->client_max;

    if (link->versions_try > 3)
        link->versions_try = 3;
    else if (link->versions_try > 0)
        link->versions_try = 0;
    else
        link->versions_try = highest;
}
