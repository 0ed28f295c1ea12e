/* client/conn_why.c -- see conn_why.h. The driver and TLS know the cause; here it
 * gets the sentence around it. What the messages look like in practice is in
 * docs/ERRORS.md. */
#include "client/conn_why.h"

#include <string.h>

#include "base/fmt.h"
#include "client/config.h"
#include "client/error_text.h"

/* So often in a row it is no accident that a broker went away just then. */
enum { WHY_CUT_MAX = 3 };

void kwi_why_advertised(const struct kw_broker *broker, struct kw_error *err)
{
    if (broker->node_id < 0)
        return; /* ours: from bootstrap.servers */
    err->broker = broker->node_id;
    kwi_fmt(err->hint, sizeof(err->hint),
            "broker %d names this address in advertised.listeners: correct it there, or make it "
            "reachable from here",
            (int)broker->node_id);
}

/* Damaged bytes are no reason to give up; they are PROTOCOL in the phases of requests. */
bool kwi_why_is_final(const struct kw_error *err)
{
    return err->code == KW_ERR_AUTH ||
           (err->code == KW_ERR_PROTOCOL &&
            (err->phase == KW_PHASE_TLS || err->phase == KW_PHASE_CONNECT));
}

/* A broker that wants SASL answers ApiVersions, and closes at the next request. One
 * that was learned of cannot want it, when whoever told of it did not. */
static bool why_is_sasl_listener(const struct kw_conn *conn, const struct kw_cause *cause)
{
    bool cut = kwi_conn_is_ready(conn) && conn->n_unanswered > 0 && conn->link &&
               conn->link->broker->node_id < 0 && !conn->link->served &&
               !kwi_config_uses_sasl(conn->core->cfg) && !cause->hint &&
               (cause->code == 0 || cause->code == KW_ERR_PROTOCOL);

    if (cut && conn->link->n_cut < WHY_CUT_MAX)
        conn->link->n_cut++;
    return cut && conn->link->n_cut == WHY_CUT_MAX;
}

static const char *why_hint(enum kw_phase phase)
{
    switch (phase) {
    case KW_PHASE_CONNECT:
        return "is a broker listening there? check bootstrap.servers and advertised.listeners";
    case KW_PHASE_VERSIONS:
        return "is it a TLS or SASL listener, or not Kafka at all? check port and "
               "security.protocol";
    case KW_PHASE_SASL: return "check sasl.mechanism, user and password, and the broker's log";
    case KW_PHASE_NONE:
    case KW_PHASE_RESOLVE:
    case KW_PHASE_TLS:
    case KW_PHASE_REQUEST:
    case KW_PHASE_CONFIG: break;
    }
    return "";
}

void kwi_conn_why_closed(const struct kw_conn *conn, const char *doing,
                         const struct kw_cause *cause, struct kw_error *err)
{
    static const struct kw_cause none = {0};
    const struct kw_cause *c = cause ? cause : &none;
    enum kw_phase phase = kwi_conn_phase(conn);
    bool by_peer = !c->os_err && !c->text;
    int code = c->code ? c->code : KW_ERR_CONNECT;

    if (why_is_sasl_listener(conn, c)) {
        kwi_error_fmt(err, KW_ERR_AUTH, KW_PHASE_SASL,
                      "does this listener want SASL? set security.protocol to SASL_SSL or "
                      "SASL_PLAINTEXT, and sasl.mechanism",
                      "%s closed the connection at the first request: %s", conn->peer,
                      c->text ? c->text : "it did not say why");
    } else {
        /* It was the right port before: the broker, or what is in front of it, is ill. */
        if (code == KW_ERR_PROTOCOL && conn->link && conn->link->served)
            code = KW_ERR_CONNECT;
        kwi_error_fmt(err, code, phase, c->hint ? c->hint : why_hint(phase), "cannot %s %s: %s",
                      doing, conn->peer,
                      by_peer   ? "the peer closed the connection"
                      : c->text ? c->text
                                : "the system reported an error");
        /* The driver cannot tell what its bytes are for. */
        if (c->phase && err->phase != KW_PHASE_SASL)
            err->phase = c->phase;
        if (!c->hint && conn->link && (phase == KW_PHASE_CONNECT || phase == KW_PHASE_VERSIONS))
            kwi_why_advertised(conn->link->broker, err);
    }
    err->os_err = c->os_err;
}

void kwi_conn_why_late(const struct kw_conn *conn, const char *what, struct kw_error *err)
{
    enum kw_phase phase = kwi_conn_phase(conn);

    kwi_error_fmt(err, KW_ERR_TIMEOUT, phase,
                  phase == KW_PHASE_SASL
                      ? "is the broker overloaded? or raise the timeout"
                      : "is a Kafka broker listening there, and is no firewall between?",
                  "%s: %s within socket.connection.setup.timeout.ms", conn->peer, what);
    if (conn->link && phase != KW_PHASE_SASL)
        kwi_why_advertised(conn->link->broker, err);
}
