/* client/sasl_oauth.c -- OAUTHBEARER (RFC 7628, KIP-255): a token that somebody
 * else issued. The application brings it (kw_oauth_token_set, or the key
 * sasl.oauthbearer.token); the core asks with the event OAUTH_TOKEN_NEEDED when a
 * connection waits for one, and when 80 % of its life is over.
 *
 * The client's one message is kept as it will be sent, with the token's extensions
 * (KIP-342). A broker that refuses says why in JSON, wants one byte in return, and
 * then answers an error. */
#include "client/sasl.h"

#include <string.h>

#include "base/wipe.h"
#include "client/config.h"
#include "client/error_text.h"

static int oauth_short(struct kw_error *err)
{
    kwi_error_set(err, KW_ERR_NOMEM, KW_PHASE_SASL, "no memory to authenticate",
                  "raise control.memory (and memory.limit)");
    return KW_ERR_NOMEM;
}

/* ---- the token of the core ------------------------------------------------------ */

static bool oauth_event_fill(struct kw_evnode *node, struct kw_event *out)
{
    (void)node;
    out->kind = KW_EVENT_OAUTH_TOKEN_NEEDED;
    return false;
}

static void oauth_refresh(struct kw_timer *timer)
{
    struct kw_oauth *oauth = KWI_OF(timer, struct kw_oauth, refresh);

    kwi_event_raise(KWI_OF(oauth, struct kw_core, oauth), &oauth->event);
}

void kwi_oauth_init(struct kw_core *core)
{
    core->oauth.event.fill = oauth_event_fill;
    core->oauth.refresh.fire = oauth_refresh;
}

static void oauth_drop(struct kw_core *core)
{
    struct kw_oauth *oauth = &core->oauth;

    kwi_wipe(oauth->message, oauth->len);
    kwi_free(&core->control, oauth->message, oauth->len);
    oauth->message = NULL;
    oauth->len = 0;
}

void kwi_oauth_deinit(struct kw_core *core)
{
    oauth_drop(core);
    kwi_core_disarm(core, &core->oauth.refresh);
}

static bool oauth_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* b64token of RFC 6750: what may stand behind "Bearer ". */
static bool oauth_is_token(const char *text, size_t len)
{
    size_t n = 0;

    while (n < len &&
           (oauth_is_letter(text[n]) || (text[n] >= '0' && text[n] <= '9') || text[n] == '-' ||
            text[n] == '.' || text[n] == '_' || text[n] == '~' || text[n] == '+' || text[n] == '/'))
        n++;
    if (n == 0)
        return false;
    while (n < len && text[n] == '=')
        n++;
    return n == len;
}

/* A key of letters that is not "auth", a value of printable characters. */
static bool oauth_is_extension(const struct kw_oauth_extension *extension)
{
    if (!extension->key || !extension->value || !*extension->key ||
        (strlen(extension->key) == 4 && !memcmp(extension->key, "auth", 4)))
        return false;
    for (const char *c = extension->key; *c; c++)
        if (!oauth_is_letter(*c))
            return false;
    for (const char *c = extension->value; *c; c++)
        if ((*c < 0x20 || *c > 0x7e) && *c != '\t' && *c != '\r' && *c != '\n')
            return false;
    return true;
}

static const char *oauth_check(const struct kw_oauth_token *token, size_t *len)
{
    *len = 0;
    if (!token->token || !oauth_is_token(token->token, strlen(token->token)))
        return "the token is empty, or has a character that no bearer token has";
    if (token->lifetime_ms != -1 && token->lifetime_ms < 1)
        return "the token is over before it is used: its lifetime is not above 0";
    *len = 16 + strlen(token->token) + 2;
    for (uint32_t i = 0; i < token->n_extensions; i++) {
        if (!oauth_is_extension(&token->extensions[i]))
            return "an extension's key must be of letters and not be auth, its value printable";
        *len += strlen(token->extensions[i].key) + strlen(token->extensions[i].value) + 2;
        if (*len > KWI_SASL_TOKEN_MAX)
            break;
    }
    return *len > KWI_SASL_TOKEN_MAX ? "token and extensions are above 64 KiB" : NULL;
}

static uint8_t *oauth_add(uint8_t *at, const char *text)
{
    size_t len = strlen(text);

    memcpy(at, text, len);
    return at + len;
}

/* Writes the client's message; the caller made room. */
static void oauth_write(uint8_t *at, const struct kw_oauth_token *token)
{
    at = oauth_add(at, "n,,\001auth=Bearer ");
    at = oauth_add(at, token->token);
    for (uint32_t i = 0; i < token->n_extensions; i++) {
        *at++ = 1;
        at = oauth_add(at, token->extensions[i].key);
        *at++ = '=';
        at = oauth_add(at, token->extensions[i].value);
    }
    *at++ = 1;
    *at = 1;
}

static int oauth_make(struct kw_sasl *sasl, struct kw_error *err);

/* Those that waited go on. Each leaves the list first: it may fail and be freed. */
void kwi_oauth_serve(struct kw_core *core)
{
    struct kw_node *node;

    kwi_event_drop(core, &core->oauth.event); /* it need not be asked for any more */
    while ((node = kwi_list_pop(&core->oauth.waiting))) {
        struct kw_sasl *sasl = KWI_OF(node, struct kw_sasl, waits);
        struct kw_error err;

        if (oauth_make(sasl, &err) == KWI_SASL_MADE)
            kwi_sasl_made(sasl);
        else
            kwi_sasl_fail(sasl, &err);
    }
}

/* A token that no connection would ever send is not kept. */
static int oauth_refuse_unused(const struct kw_core *core, struct kw_error *err)
{
    int64_t mechanism = kwi_config_i64(core->cfg, KW_KEY_SASL_MECHANISM);
    char name[32];

    if (mechanism == KWI_MECHANISM_OAUTHBEARER)
        return 0;
    kwi_config_value_text(KW_KEY_SASL_MECHANISM, mechanism, name, sizeof(name));
    return kwi_config_refuse(err, "sasl.mechanism", name, strlen(name),
                             "has no use for a token of OAUTHBEARER",
                             "create another client, with sasl.mechanism=OAUTHBEARER");
}

int kw_core_oauth_token_set(struct kw_core *core, const struct kw_oauth_token *token,
                            struct kw_error *err)
{
    struct kw_oauth *oauth;
    const char *why;
    uint8_t *message;
    size_t len;
    int rc;

    if (!core || !token || token->size < sizeof(*token) ||
        (token->n_extensions && !token->extensions))
        return KW_ERR_USE;
    rc = oauth_refuse_unused(core, err);
    if (rc)
        return rc;
    why = oauth_check(token, &len);
    if (why) {
        kwi_error_set(err, KW_ERR_USE, KW_PHASE_SASL, why, "");
        return KW_ERR_USE;
    }
    message = kwi_alloc(&core->control, len);
    if (!message)
        return oauth_short(err);
    oauth_write(message, token);
    oauth_drop(core);
    oauth = &core->oauth;
    oauth->message = message;
    oauth->len = len;
    oauth->expires_us = kwi_core_after_ms(core, token->lifetime_ms);
    kwi_core_disarm(core, &oauth->refresh);
    if (token->lifetime_ms >= 0)
        kwi_core_arm(core, &oauth->refresh,
                     kwi_core_after_ms(core, token->lifetime_ms - token->lifetime_ms / 5));
    kwi_oauth_serve(core);
    return 0;
}

/* ---- the mechanism ------------------------------------------------------------------ */

static bool oauth_has(const struct kw_core *core)
{
    return core->oauth.message && core->now.mono_us < core->oauth.expires_us;
}

/* The token of the core before that of the configuration. */
static int oauth_make(struct kw_sasl *sasl, struct kw_error *err)
{
    struct kw_core *core = sasl->core;
    struct kw_oauth_token token = {.lifetime_ms = -1};
    const char *why;
    uint8_t *out;
    size_t len = core->oauth.len;

    if (!oauth_has(core)) {
        token.token = kwi_config_str(core->cfg, KW_KEY_SASL_OAUTHBEARER_TOKEN);
        why = oauth_check(&token, &len);
        if (why) {
            kwi_error_fmt(err, KW_ERR_AUTH, KW_PHASE_SASL, "check sasl.oauthbearer.token",
                          "cannot authenticate to %s: %s", sasl->conn->peer, why);
            return KW_ERR_AUTH;
        }
    }
    out = kwi_sasl_out(sasl, len);
    if (!out)
        return oauth_short(err);
    if (oauth_has(core))
        memcpy(out, core->oauth.message, len);
    else
        oauth_write(out, &token);
    return KWI_SASL_MADE;
}

static int oauth_begin(struct kw_sasl *sasl, struct kw_error *err)
{
    struct kw_core *core = sasl->core;

    if (oauth_has(core) || kwi_config_is_set(core->cfg, KW_KEY_SASL_OAUTHBEARER_TOKEN))
        return oauth_make(sasl, err);
    kwi_list_push(&core->oauth.waiting, &sasl->waits);
    kwi_event_raise(core, &core->oauth.event);
    return KWI_SASL_LATER;
}

/* The broker's JSON goes into the text of the error that follows. */
static int oauth_step(struct kw_sasl *sasl, const uint8_t *token, size_t len, struct kw_error *err)
{
    size_t n = 0;
    uint8_t *out;

    if (len == 0)
        return KWI_SASL_FINISHED;
    if (sasl->note[0])
        return kwi_sasl_refuse(sasl, err, "it refuses twice", 16);
    while (n < len && n < sizeof(sasl->note) - 1) {
        sasl->note[n] = token[n] >= 0x20 && token[n] < 0x7f ? (char)token[n] : '?';
        n++;
    }
    out = kwi_sasl_out(sasl, 1);
    if (!out)
        return oauth_short(err);
    out[0] = 1;
    return KWI_SASL_MADE;
}

static void oauth_end(struct kw_sasl *sasl)
{
    kwi_list_remove(&sasl->core->oauth.waiting, &sasl->waits);
}

const struct kw_sasl_mechanism kwi_sasl_oauthbearer = {
    .name = "OAUTHBEARER",
    .begin = oauth_begin,
    .step = oauth_step,
    .end = oauth_end,
};
