/* client/sasl_hook.c -- CUSTOM: a mechanism that the application brings
 * (kw_env.sasl, for instance GSSAPI or the one of a cloud). It is asked for each
 * token, and may say that the token comes later (kw_sasl_answer); the deadlines of
 * a connection bound the wait as that for any other mechanism. See
 * docs/decisions/ for why it is one table and not a list. */
#include "client/sasl.h"

#include <string.h>

#include "client/config.h"
#include "client/error_text.h"

enum { HOOK_NAME_MAX = 20 }; /* RFC 4422, 3.1 */

struct hook_state {
    void *state; /* the application's */
    bool began;  /* step was called: end is owed */
    bool waits;  /* for kw_sasl_answer */
};

/* ---- is it one -------------------------------------------------------------------- */

static bool hook_is_name(const char *name)
{
    size_t n = 0;

    for (; name && name[n]; n++)
        if (!((name[n] >= 'A' && name[n] <= 'Z') || (name[n] >= '0' && name[n] <= '9') ||
              name[n] == '-' || name[n] == '_'))
            return false;
    return n >= 1 && n <= HOOK_NAME_MAX;
}

int kwi_sasl_hook_check(const struct kw_config *cfg, const struct kw_env *env, struct kw_error *err)
{
    const struct kw_sasl_hook *hook = env->sasl;

    if (!hook) {
        kwi_error_set(err, KW_ERR_CONFIG, KW_PHASE_CONFIG,
                      "sasl.mechanism = CUSTOM: the program brings no mechanism of its own",
                      "give one in kw_env.sasl, or name one that is built in");
        return KW_ERR_CONFIG;
    }
    if (hook->size < sizeof(*hook) || !hook->step || !hook_is_name(hook->mechanism)) {
        kwi_error_set(err, KW_ERR_USE, KW_PHASE_CONFIG,
                      "kw_env.sasl: size, step or the mechanism's name is missing or wrong",
                      "a name has 1 to 20 of A-Z 0-9 - _");
        return KW_ERR_USE;
    }
    if (hook->has_secret &&
        kwi_config_i64(cfg, KW_KEY_SECURITY_PROTOCOL) == KW_SECURITY_SASL_PLAINTEXT &&
        !kwi_config_i64(cfg, KW_KEY_SASL_ALLOW_PLAINTEXT)) {
        kwi_error_fmt(err, KW_ERR_CONFIG, KW_PHASE_CONFIG,
                      "use security.protocol=SASL_SSL, or sasl.allow.plaintext=true",
                      "sasl.mechanism = CUSTOM (%s): would send the secret over a connection that "
                      "is not encrypted",
                      hook->mechanism);
        return KW_ERR_CONFIG;
    }
    return 0;
}

/* ---- the exchange ------------------------------------------------------------------- */

static int hook_refuse(struct kw_sasl *sasl, int rc, const char *why, struct kw_error *err)
{
    bool mends = rc == KW_ERR_NOMEM || rc == KW_ERR_CONNECT || rc == KW_ERR_TIMEOUT;
    int code = mends ? rc : KW_ERR_AUTH;

    kwi_error_fmt(err, code, KW_PHASE_SASL, "the mechanism is the application's own: see its log",
                  "cannot authenticate to %s with %s: %.*s", sasl->conn->peer, sasl->name, 100,
                  why ? why : kw_err_name(rc));
    return code;
}

/* Goes on with what the application decided. */
static int hook_take(struct kw_sasl *sasl, int verdict, const struct kw_bytes *token,
                     const char *why, struct kw_error *err)
{
    struct hook_state *own = sasl->own;
    uint8_t *out;

    own->waits = verdict == KW_SASL_LATER;
    if (verdict == KW_SASL_LATER)
        return KWI_SASL_LATER;
    if (verdict == KW_SASL_DONE)
        return KWI_SASL_FINISHED;
    if (verdict != KW_SASL_SEND)
        return hook_refuse(sasl, verdict < 0 ? verdict : KW_ERR_USE, why, err);
    if (token->len > KWI_SASL_TOKEN_MAX)
        return hook_refuse(sasl, KW_ERR_USE, "its token is above 64 KiB", err);
    out = kwi_sasl_out(sasl, token->len ? token->len : 1);
    if (!out)
        return hook_refuse(sasl, KW_ERR_NOMEM, "no memory for the token", err);
    if (token->len)
        memcpy(out, token->ptr, token->len);
    else
        kwi_sasl_out_empty(sasl);
    return KWI_SASL_MADE;
}

static int hook_ask(struct kw_sasl *sasl, const uint8_t *token, size_t len, bool is_first,
                    struct kw_error *err)
{
    const struct kw_sasl_hook *hook = sasl->core->env.sasl;
    struct hook_state *own = sasl->own;
    struct kw_sasl_step step = {.size = sizeof(step),
                                .exchange = sasl->conn->id,
                                .host = sasl->conn->link ? sasl->conn->link->broker->host : "",
                                .port = sasl->conn->addr.port,
                                .is_first = is_first,
                                .challenge = {token, len},
                                .state = own->state};
    int verdict;

    own->began = true;
    own->waits = false;
    verdict = hook->step(hook->ctx, &step);
    own->state = step.state;
    return hook_take(sasl, verdict, &step.token, step.why, err);
}

static int hook_begin(struct kw_sasl *sasl, struct kw_error *err)
{
    return hook_ask(sasl, NULL, 0, true, err);
}

static int hook_step(struct kw_sasl *sasl, const uint8_t *token, size_t len, struct kw_error *err)
{
    return hook_ask(sasl, token, len, false, err);
}

static void hook_end(struct kw_sasl *sasl)
{
    const struct kw_sasl_hook *hook = sasl->core->env.sasl;
    struct hook_state *own = sasl->own;

    if (own->began && hook->end)
        hook->end(hook->ctx, own->state);
    own->began = false;
}

int kw_core_sasl_answer(struct kw_core *core, uint32_t exchange, int verdict,
                        const struct kw_bytes *token, const char *why)
{
    static const struct kw_bytes nothing = {0};
    struct kw_conn *conn = core ? kwi_map_get(&core->conns, exchange) : NULL;
    struct kw_sasl *sasl = conn ? conn->sasl : NULL;
    struct hook_state *own;
    struct kw_error err;
    int rc;

    if (!core || verdict == KW_SASL_LATER)
        return KW_ERR_USE;
    if (!sasl || sasl->mechanism != &kwi_sasl_custom)
        return KW_ERR_STATE;
    own = sasl->own;
    if (!own->waits)
        return KW_ERR_STATE;
    rc = hook_take(sasl, verdict, token ? token : &nothing, why, &err);
    kwi_sasl_follow(sasl, rc, &err);
    return 0;
}

const struct kw_sasl_mechanism kwi_sasl_custom = {
    .state_size = sizeof(struct hook_state),
    .begin = hook_begin,
    .step = hook_step,
    .end = hook_end,
};
