/* client/sasl.c -- the exchange that every mechanism goes through: SaslHandshake
 * version 1, then SaslAuthenticate until both sides are satisfied. See sasl.h.
 *
 * What a broker refuses is KW_ERR_AUTH, and said with the broker's own words; the
 * link then waits as long as it may before it tries again, because a wrong password
 * does not become right and may lock an account. */
#include "client/sasl.h"

#include <string.h>

#include "base/fmt.h"
#include "base/wipe.h"
#include "client/config.h"
#include "client/conn_parts.h"
#include "client/error_text.h"
#include "proto/error.h"
#include "proto/sasl.h"

enum sasl_state { SASL_OFFER, SASL_MAKE, SASL_SEND, SASL_DONE, SASL_FAILED };
enum sasl_event { SASL_TAKEN, SASL_MADE, SASL_ANSWERED, SASL_FINISHED, SASL_FAILURE };

struct sasl_cell {
    uint8_t legal, next;
};

static const struct sasl_cell sasl_cells[KWI_SASL_STATES][KWI_SASL_EVENTS] = {
    [SASL_OFFER] = {[SASL_TAKEN] = {1, SASL_MAKE}, [SASL_FAILURE] = {1, SASL_FAILED}},
    [SASL_MAKE] = {[SASL_MADE] = {1, SASL_SEND},
                   [SASL_FINISHED] = {1, SASL_DONE},
                   [SASL_FAILURE] = {1, SASL_FAILED}},
    [SASL_SEND] = {[SASL_ANSWERED] = {1, SASL_MAKE}, [SASL_FAILURE] = {1, SASL_FAILED}},
};

bool kwi_sasl_cell(unsigned state, unsigned event, unsigned *next)
{
    *next = sasl_cells[state][event].next;
    return sasl_cells[state][event].legal != 0;
}

static bool sasl_go(struct kw_sasl *sasl, enum sasl_event event)
{
    const struct sasl_cell *cell = &sasl_cells[sasl->state][event];

    if (!cell->legal)
        return false;
    sasl->state = cell->next;
    sasl->asked = false;
    return true;
}

/* ---- life --------------------------------------------------------------------- */

const struct kw_sasl_mechanism *kwi_sasl_mechanism(const struct kw_config *cfg)
{
    switch ((enum kw_sasl_name)kwi_config_i64(cfg, KW_KEY_SASL_MECHANISM)) {
    case KWI_MECHANISM_NONE: break;
    case KWI_MECHANISM_PLAIN: return &kwi_sasl_plain;
    case KWI_MECHANISM_SCRAM_SHA_256: return &kwi_sasl_scram_sha_256;
    case KWI_MECHANISM_SCRAM_SHA_512: return &kwi_sasl_scram_sha_512;
    case KWI_MECHANISM_OAUTHBEARER: return &kwi_sasl_oauthbearer;
    case KWI_MECHANISM_CUSTOM: return &kwi_sasl_custom;
    }
    return NULL;
}

int kwi_sasl_begin(struct kw_conn *conn, struct kw_error *err)
{
    struct kw_core *core = conn->core;
    const struct kw_sasl_mechanism *mechanism = kwi_sasl_mechanism(core->cfg);
    struct kw_sasl *sasl;

    if (!mechanism || conn->api_max[KW_API_SASL_HANDSHAKE] < 1 ||
        conn->api_max[KW_API_SASL_AUTHENTICATE] < 0) {
        kwi_error_fmt(err, KW_ERR_UNSUPPORTED, KW_PHASE_SASL,
                      "kwire authenticates to brokers of 1.0 and later",
                      "%s does not offer SaslAuthenticate", conn->peer);
        return KW_ERR_UNSUPPORTED;
    }
    sasl = kwi_alloc_zero(&core->control, sizeof(*sasl));
    if (sasl && mechanism->state_size)
        sasl->own = kwi_alloc_zero(&core->control, mechanism->state_size);
    if (!sasl || (mechanism->state_size && !sasl->own)) {
        kwi_free(&core->control, sasl, sizeof(*sasl));
        kwi_error_set(err, KW_ERR_NOMEM, KW_PHASE_SASL, "no memory to authenticate",
                      "raise control.memory (and memory.limit)");
        return KW_ERR_NOMEM;
    }
    sasl->core = core;
    sasl->conn = conn;
    sasl->mechanism = mechanism;
    sasl->name = mechanism == &kwi_sasl_custom ? core->env.sasl->mechanism : mechanism->name;
    sasl->state = SASL_OFFER;
    conn->sasl = sasl;
    return 0;
}

static void sasl_drop_out(struct kw_sasl *sasl)
{
    kwi_wipe(sasl->out, sasl->out_len);
    kwi_free(&sasl->core->control, sasl->out, sasl->out_len);
    sasl->out = NULL;
    sasl->out_len = 0;
}

void kwi_sasl_end(struct kw_conn *conn)
{
    struct kw_sasl *sasl = conn->sasl;

    if (!sasl)
        return;
    conn->sasl = NULL;
    if (sasl->mechanism->end)
        sasl->mechanism->end(sasl);
    sasl_drop_out(sasl);
    kwi_wipe(sasl->own, sasl->mechanism->state_size);
    kwi_free(&sasl->core->control, sasl->own, sasl->mechanism->state_size);
    kwi_free(&sasl->core->control, sasl, sizeof(*sasl));
}

uint8_t *kwi_sasl_out(struct kw_sasl *sasl, size_t n)
{
    sasl_drop_out(sasl);
    sasl->out = kwi_alloc(&sasl->core->control, n);
    sasl->out_len = sasl->out ? n : 0;
    sasl->out_empty = false;
    return sasl->out;
}

void kwi_sasl_out_empty(struct kw_sasl *sasl)
{
    sasl->out_empty = true;
}

const char *kwi_sasl_waits_for(const struct kw_conn *conn)
{
    const struct kw_sasl *sasl = conn->sasl;

    if (!sasl || sasl->state == SASL_OFFER)
        return "no answer to SaslHandshake";
    if (sasl->state == SASL_SEND)
        return "no answer to SaslAuthenticate";
    if (sasl->mechanism == &kwi_sasl_custom)
        return "the application's mechanism gave no token (kw_sasl_answer)";
    return sasl->mechanism == &kwi_sasl_oauthbearer
               ? "the application set no OAUTHBEARER token (kw_oauth_token_set)"
               : "the SCRAM computation did not end";
}

/* ---- failure -------------------------------------------------------------------- */

void kwi_sasl_fail(struct kw_sasl *sasl, const struct kw_error *err)
{
    struct kw_conn *conn = sasl->conn;
    struct kw_error copy = *err;

    if (sasl_go(sasl, SASL_FAILURE))
        kwi_conn_fail(conn, &copy);
}

int kwi_sasl_refuse(const struct kw_sasl *sasl, struct kw_error *err, const char *why,
                    size_t why_len)
{
    kwi_error_fmt(err, KW_ERR_AUTH, KW_PHASE_SASL,
                  "this is not the broker that it should be, or something between changes messages",
                  "%s does not keep to %s: %.*s", sasl->conn->peer, sasl->name,
                  (int)(why_len > 120 ? 120 : why_len), why);
    return KW_ERR_AUTH;
}

/* Damage says nothing about identity: it is retried like that of any other answer. */
static void sasl_unreadable(struct kw_sasl *sasl, const char *what)
{
    struct kw_error err;

    kwi_error_fmt(&err, KW_ERR_PROTOCOL, KW_PHASE_SASL,
                  "see that this is a Kafka broker and that nothing between changes messages",
                  "%s: its answer to %s cannot be read", sasl->conn->peer, what);
    kwi_sasl_fail(sasl, &err);
}

/* The broker answered an error code to SaslHandshake. */
static void sasl_not_offered(struct kw_sasl *sasl, const struct kw_sasl_handshake_response *msg)
{
    struct kw_error err;
    struct kw_iter it;
    struct kw_str name;
    char list[100] = "";
    size_t n = 0;

    for (kwi_iter_init(&it, &msg->mechanisms); kwi_iter_next(&it, &name);) {
        size_t left = sizeof(list) - n;
        n += kwi_fmt(list + n, left, "%s%.*s", n ? ", " : "", name.len > 0 ? (int)name.len : 0,
                     name.ptr ? name.ptr : "");
        if (n >= sizeof(list))
            break;
    }
    if (msg->error_code == KW_E_UNSUPPORTED_SASL_MECHANISM)
        kwi_error_fmt(&err, KW_ERR_AUTH, KW_PHASE_SASL,
                      "set sasl.mechanism to one of those, or enable it on the broker",
                      "%s does not take %s here; it takes: %s", sasl->conn->peer, sasl->name,
                      list[0] ? list : "(none)");
    else if (msg->error_code == KW_E_ILLEGAL_SASL_STATE)
        kwi_error_fmt(&err, KW_ERR_AUTH, KW_PHASE_SASL,
                      "use a SASL listener of the broker, or set security.protocol without SASL",
                      "%s: this listener does not authenticate with SASL", sasl->conn->peer);
    else
        kwi_error_fmt(&err, KW_ERR_AUTH, KW_PHASE_SASL, "", "%s refused %s: %s", sasl->conn->peer,
                      sasl->name, kw_kafka_error_name(msg->error_code));
    err.kafka_code = msg->error_code;
    kwi_sasl_fail(sasl, &err);
}

/* The broker answered an error code to SaslAuthenticate. */
static void sasl_rejected(struct kw_sasl *sasl, const struct kw_sasl_authenticate_response *msg)
{
    struct kw_error err;
    int told = msg->error_message.len > 0 && msg->error_message.ptr ? msg->error_message.len : 0;
    const char *name = kw_kafka_error_name(msg->error_code);
    size_t noted = strlen(sasl->note);

    if (noted && (size_t)told >= noted && !memcmp(msg->error_message.ptr, sasl->note, noted))
        sasl->note[0] = 0; /* brokers say it again in the end */
    kwi_error_fmt(&err, KW_ERR_AUTH, KW_PHASE_SASL,
                  sasl->mechanism == &kwi_sasl_custom
                      ? "the mechanism is the application's own: check what it sends"
                  : sasl->mechanism == &kwi_sasl_oauthbearer
                      ? "get a token that this broker accepts, and set it"
                      : "check sasl.username, sasl.password and sasl.mechanism",
                  "%s refused to authenticate us with %s: %.*s%s%s%s", sasl->conn->peer, sasl->name,
                  told ? told : (int)strlen(name), told ? msg->error_message.ptr : name,
                  sasl->note[0] ? " (" : "", sasl->note, sasl->note[0] ? ")" : "");
    err.kafka_code = msg->error_code;
    kwi_sasl_fail(sasl, &err);
}

/* ---- the exchange ------------------------------------------------------------------ */

void kwi_sasl_follow(struct kw_sasl *sasl, int rc, const struct kw_error *err)
{
    struct kw_conn *conn = sasl->conn;

    if (rc == KWI_SASL_LATER)
        return;
    if (rc == KWI_SASL_MADE) {
        kwi_sasl_made(sasl);
        return;
    }
    if (rc == KWI_SASL_FINISHED && sasl_go(sasl, SASL_FINISHED)) {
        kwi_sasl_end(conn);
        kwi_conn_proved(conn);
        return;
    }
    kwi_sasl_fail(sasl, err);
}

void kwi_sasl_made(struct kw_sasl *sasl)
{
    struct kw_error err;

    if (sasl->rounds++ == KWI_SASL_ROUNDS_MAX) {
        kwi_sasl_refuse(sasl, &err, "it asks on and on", 17);
        kwi_sasl_fail(sasl, &err);
        return;
    }
    if (sasl_go(sasl, SASL_MADE))
        kwi_conn_wake(sasl->conn);
}

static int sasl_handshake_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_sasl_handshake_request msg;

    kwi_sasl_handshake_request_init(&msg);
    msg.mechanism = kwi_str(((struct kw_conn *)req->owner)->sasl->name);
    return kwi_sasl_handshake_request_encode(&msg, req->version, wr);
}

static void sasl_handshake_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_sasl *sasl = ((struct kw_conn *)req->owner)->sasl;
    struct kw_sasl_handshake_response msg;
    struct kw_error err;
    int rc;

    if (answer->err || !sasl)
        return;
    if (kwi_sasl_handshake_response_decode(&msg, req->version, answer->body, answer->len, NULL)) {
        sasl_unreadable(sasl, "SaslHandshake");
        return;
    }
    if (msg.error_code) {
        sasl_not_offered(sasl, &msg);
        return;
    }
    if (!sasl_go(sasl, SASL_TAKEN))
        return;
    rc = sasl->mechanism->begin(sasl, &err);
    kwi_sasl_follow(sasl, rc, &err);
}

static int sasl_authenticate_encode(struct kw_request *req, struct kw_wr *wr)
{
    const struct kw_sasl *sasl = ((struct kw_conn *)req->owner)->sasl;
    struct kw_sasl_authenticate_request msg;

    kwi_sasl_authenticate_request_init(&msg);
    msg.auth_bytes = (struct kw_blob){sasl->out, sasl->out_empty ? 0 : (int32_t)sasl->out_len};
    return kwi_sasl_authenticate_request_encode(&msg, req->version, wr);
}

static void sasl_authenticate_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_conn *conn = req->owner;
    struct kw_sasl *sasl = conn->sasl;
    struct kw_sasl_authenticate_response msg;
    struct kw_error err;
    int rc;

    if (answer->err || !sasl)
        return;
    if (kwi_sasl_authenticate_response_decode(&msg, req->version, answer->body, answer->len,
                                              NULL)) {
        sasl_unreadable(sasl, "SaslAuthenticate");
        return;
    }
    if (msg.error_code) {
        sasl_rejected(sasl, &msg);
        return;
    }
    if (!sasl_go(sasl, SASL_ANSWERED))
        return;
    sasl_drop_out(sasl);
    conn->session_ms = msg.session_lifetime_ms;
    rc = sasl->mechanism->step(sasl, msg.auth_bytes.ptr,
                               msg.auth_bytes.len > 0 ? (size_t)msg.auth_bytes.len : 0, &err);
    kwi_sasl_follow(sasl, rc, &err);
}

static const struct kw_request_type sasl_handshake_type = {
    .api_key = KW_API_SASL_HANDSHAKE,
    .encode = sasl_handshake_encode,
    .done = sasl_handshake_done,
};
static const struct kw_request_type sasl_authenticate_type = {
    .api_key = KW_API_SASL_AUTHENTICATE,
    .secret = true,
    .encode = sasl_authenticate_encode,
    .done = sasl_authenticate_done,
};

struct kw_request *kwi_sasl_request(struct kw_conn *conn)
{
    struct kw_sasl *sasl = conn->sasl;
    const struct kw_request_type *type;
    struct kw_request *req;

    if (!sasl || sasl->asked || !conn->link)
        return NULL;
    if (sasl->state != SASL_OFFER && sasl->state != SASL_SEND)
        return NULL;
    type = sasl->state == SASL_OFFER ? &sasl_handshake_type : &sasl_authenticate_type;
    req = kwi_request_create(conn->core, conn->link, type, conn);
    if (!req)
        return NULL; /* the deadline ends it */
    req->version = 1;
    if (type == &sasl_authenticate_type) {
        int16_t max = conn->api_max[KW_API_SASL_AUTHENTICATE];
        req->version = max < 2 ? max : 2;
    }
    sasl->asked = true;
    return req;
}
