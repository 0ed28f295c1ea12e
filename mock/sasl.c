/* mock/sasl.c -- SaslHandshake and SaslAuthenticate of the broker model: PLAIN,
 * SCRAM-SHA-256, SCRAM-SHA-512, and OAUTHBEARER with unsecured tokens, as Kafka's
 * brokers do them. A session may end, and is prolonged on the same connection
 * (KIP-368); what comes on a connection that has to authenticate first is not
 * answered. Salted passwords are kept, because tests connect often. */
#include "mock/sasl.h"

#include "base/base64.h"
#include "base/fmt.h"
#include "proto/sasl.h"
#include "proto/scram.h"

enum {
    MOCKSASL_ITERATIONS = KWI_SCRAM_ITERATIONS_MIN,
    MOCKSASL_SALT = 12,
    MOCKSASL_NONCE = 18,        /* bytes of randomness; characters are a third more */
    MOCKSASL_AGAIN_US = 1000000 /* brokers refuse to authenticate again sooner */
};

static const char *const mocksasl_names[KWI_MOCK_MECHANISMS] = {"PLAIN", "SCRAM-SHA-256",
                                                                "SCRAM-SHA-512", "OAUTHBEARER"};

/* ---- who there is ----------------------------------------------------------------- */

void kwi_mock_sasl_deinit(struct kw_mock *mock)
{
    struct kw_mock_users *users = &mock->users;
    uint32_t generation = users->generation + 1;

    for (uint32_t i = 0; i < users->n; i++) {
        kwi_free(&mock->heap, users->user[i].name, strlen(users->user[i].name) + 1);
        if (users->user[i].password)
            kwi_free(&mock->heap, users->user[i].password, strlen(users->user[i].password) + 1);
    }
    memset(users, 0, sizeof(*users));
    users->generation = generation;
}

/* Half the work of SCRAM once instead of for each connection. */
static int mocksasl_salt(struct kw_mock *mock, struct kw_mock_known *user)
{
    const struct kw_crypto *crypto = mock->users.crypto;
    int rc = 0;

    for (uint32_t i = 0; i < MOCKSASL_SALT; i++)
        user->salt[i] = (uint8_t)kwi_rng_below(&mock->rng, 256);
    for (unsigned i = 0; !rc && crypto && i < 2; i++) {
        enum kw_hash alg = i ? KW_HASH_SHA512 : KW_HASH_SHA256;
        uint8_t u[KW_HASH_SIZE_MAX];
        size_t len = strlen(user->password);

        rc = kwi_scram_salt(crypto, alg, user->password, len, user->salt, MOCKSASL_SALT, u,
                            user->salted[i]);
        if (!rc)
            rc = crypto->pbkdf2(alg, user->password, len, u, user->salted[i],
                                MOCKSASL_ITERATIONS - 1);
    }
    return rc;
}

int kwi_mock_set_sasl(struct kw_mock *mock, const struct kw_mock_sasl *sasl)
{
    struct kw_mock_users *users = &mock->users;
    int rc = 0;

    kwi_mock_sasl_deinit(mock);
    if (!sasl)
        return 0;
    if (sasl->n_users > KWI_MOCK_USERS_MAX || !(sasl->mechanisms & KWI_MOCK_ALL_MECHANISMS))
        return KW_ERR_USE;
    users->crypto = sasl->crypto;
    for (; !rc && users->n < sasl->n_users; users->n++) {
        struct kw_mock_known *user = &users->user[users->n];
        const struct kw_mock_user *given = &sasl->users[users->n];

        user->name = kwi_strdup(&mock->heap, given->name, strlen(given->name));
        user->password = kwi_strdup(&mock->heap, given->password, strlen(given->password));
        if (!user->name) {
            if (user->password)
                kwi_free(&mock->heap, user->password, strlen(user->password) + 1);
            rc = KW_ERR_NOMEM;
            break;
        }
        rc = user->password ? mocksasl_salt(mock, user) : KW_ERR_NOMEM;
    }
    if (rc) {
        kwi_mock_sasl_deinit(mock);
        return rc;
    }
    users->mechanisms = sasl->mechanisms & KWI_MOCK_ALL_MECHANISMS;
    if (!users->crypto)
        users->mechanisms &= ~(1u << KWI_MOCK_SCRAM_SHA_256 | 1u << KWI_MOCK_SCRAM_SHA_512);
    users->session_ms = sasl->session_ms;
    return 0;
}

static struct kw_mock_known *mocksasl_find(struct kw_mock *mock, const char *name, size_t len)
{
    for (uint32_t i = 0; i < mock->users.n; i++) {
        struct kw_mock_known *user = &mock->users.user[i];
        if (strlen(user->name) == len && memcmp(user->name, name, len) == 0)
            return user;
    }
    return NULL;
}

/* ---- the gate ------------------------------------------------------------------------ */

bool kwi_mock_sasl_admits(struct kw_mock_call *call)
{
    struct kw_mock_auth *auth = call->auth;

    if (auth->generation != call->mock->users.generation)
        *auth = (struct kw_mock_auth){.generation = call->mock->users.generation};
    if (!call->mock->users.mechanisms || call->api_key == KW_API_SASL_HANDSHAKE ||
        call->api_key == KW_API_SASL_AUTHENTICATE)
        return true;
    if (!auth->user)
        return call->api_key == KW_API_API_VERSIONS;
    return auth->stage == KWI_MOCK_IDLE && call->mock->now.mono_us < auth->expires_us;
}

/* ---- SaslHandshake -------------------------------------------------------------------- */

static int mocksasl_mechanism(const struct kw_mock *mock, struct kw_str name)
{
    for (int i = 0; i < KWI_MOCK_MECHANISMS; i++)
        if ((mock->users.mechanisms & 1u << i) && name.len == (int32_t)strlen(mocksasl_names[i]) &&
            memcmp(name.ptr, mocksasl_names[i], (size_t)name.len) == 0)
            return i;
    return -1;
}

static enum kw_mock_outcome mocksasl_handshake(struct kw_mock_call *call)
{
    static const struct kw_str none = {NULL, -1};
    const struct kw_sasl_handshake_request *req = call->request;
    struct kw_sasl_handshake_response *resp = call->response;
    struct kw_mock_auth *auth = call->auth;
    struct kw_mock *mock = call->mock;
    int mechanism = mocksasl_mechanism(mock, req->mechanism);
    struct kw_str *names = kwi_mock_call_alloc(call, KWI_MOCK_MECHANISMS, sizeof(*names));
    size_t n = 0;

    if (!names)
        return KWI_MOCK_HUNG_UP;
    for (int i = 0; i < KWI_MOCK_MECHANISMS; i++)
        if (mock->users.mechanisms & 1u << i)
            names[n++] = kwi_str(mocksasl_names[i]);
    resp->mechanisms = KWI_ARR(names, n);
    resp->error_code = kwi_mock_fault_error(call, KWI_MOCK_ERROR, none, -1);
    if (resp->error_code)
        return KWI_MOCK_ANSWERED;
    /* Bare tokens, which follow version 0, are not taken. */
    if (!mock->users.mechanisms || call->version < 1 || auth->stage != KWI_MOCK_IDLE ||
        (auth->user && mock->now.mono_us < auth->began_us + MOCKSASL_AGAIN_US))
        resp->error_code = KW_E_ILLEGAL_SASL_STATE;
    else if (mechanism < 0 || (auth->user && mechanism != auth->mechanism))
        resp->error_code = KW_E_UNSUPPORTED_SASL_MECHANISM;
    if (resp->error_code) {
        call->hang_up = mock->users.mechanisms != 0;
        return KWI_MOCK_ANSWERED;
    }
    auth->mechanism = mechanism;
    auth->stage = KWI_MOCK_FIRST;
    return KWI_MOCK_ANSWERED;
}

/* ---- the mechanisms ----------------------------------------------------------------------
 * Each takes the client's token and returns who it is (the exchange ends), or NULL,
 * and then either auth->stage says that it goes on with `out`, or it is refused. */

static struct kw_mock_known *mocksasl_plain(struct kw_mock_call *call, const char *token,
                                            size_t len)
{
    struct kw_mock_known *user;
    size_t name, password;

    for (name = 0; name < len && token[name]; name++)
        ;
    if (name++ > 0 || name >= len)
        return NULL; /* to act for somebody else is not for us */
    for (password = name; password < len && token[password]; password++)
        ;
    if (password == len)
        return NULL;
    user = mocksasl_find(call->mock, token + name, password - name);
    password++;
    if (!user || strlen(user->password) != len - password ||
        memcmp(user->password, token + password, len - password) != 0)
        return NULL;
    return user;
}

/* Goes behind a text; false: it is not there. */
static bool mocksasl_skip(const char **at, size_t *len, const char *text)
{
    size_t n = strlen(text);

    if (*len < n || memcmp(*at, text, n) != 0)
        return false;
    *at += n;
    *len -= n;
    return true;
}

static size_t mocksasl_until(const char *at, size_t len, char end)
{
    size_t n = 0;

    while (n < len && at[n] != end)
        n++;
    return n;
}

/* Takes the escapes of a SCRAM name out, in place of a copy. */
static size_t mocksasl_name(char *out, size_t cap, const char *name, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len && n < cap; i++) {
        bool escaped = name[i] == '=' && len - i >= 3;
        out[n++] = !escaped ? name[i] : memcmp(name + i, "=2C", 3) == 0 ? ',' : '=';
        i += escaped ? 2 : 0;
    }
    return n;
}

/* "n,,n=NAME,r=NONCE": answers "r=NONCE+,s=SALT,i=4096". */
static void mocksasl_scram_first(struct kw_mock_call *call, const char *token, size_t len)
{
    struct kw_mock_auth *auth = call->auth;
    uint8_t random[MOCKSASL_NONCE];
    char name[256], salt[32] = "", nonce[32] = "";
    size_t n;

    if (len > sizeof(auth->text) / 2 || !mocksasl_skip(&token, &len, "n,,"))
        return;
    memcpy(auth->text, token, len);
    auth->text_len = len;
    if (!mocksasl_skip(&token, &len, "n="))
        return;
    n = mocksasl_until(token, len, ',');
    auth->claimed = mocksasl_find(call->mock, name, mocksasl_name(name, sizeof(name), token, n));
    token += n;
    len -= n;
    if (!auth->claimed || !mocksasl_skip(&token, &len, ",r="))
        return;
    n = mocksasl_until(token, len, ',');
    for (size_t i = 0; i < sizeof(random); i++)
        random[i] = (uint8_t)kwi_rng_below(&call->mock->rng, 256);
    kwi_base64_put(nonce, random, sizeof(random));
    kwi_base64_put(salt, auth->claimed->salt, MOCKSASL_SALT);
    auth->out_len = kwi_fmt(auth->out, sizeof(auth->out), "r=%.*s%.*s,s=%.*s,i=%d", (int)n, token,
                            (int)kwi_base64_len(MOCKSASL_NONCE), nonce,
                            (int)kwi_base64_len(MOCKSASL_SALT), salt, MOCKSASL_ITERATIONS);
    if (auth->out_len < sizeof(auth->out))
        auth->stage = KWI_MOCK_LAST;
}

/* "c=biws,r=...,p=PROOF": answers "v=SIGNATURE". */
static struct kw_mock_known *mocksasl_scram_last(struct kw_mock_call *call, const char *token,
                                                 size_t len)
{
    struct kw_mock_auth *auth = call->auth;
    const struct kw_crypto *crypto = call->mock->users.crypto;
    enum kw_hash alg = auth->mechanism == KWI_MOCK_SCRAM_SHA_256 ? KW_HASH_SHA256 : KW_HASH_SHA512;
    size_t size = kwi_scram_hash_size(alg), bare = len, n;
    uint8_t wanted[KW_HASH_SIZE_MAX], given[KW_HASH_SIZE_MAX], signature[KW_HASH_SIZE_MAX];
    const char *nonce = auth->out;

    while (bare > 0 && token[bare - 1] != ',')
        bare--;
    if (bare == 0 || len - bare < 2 || memcmp(token + bare, "p=", 2) != 0 ||
        kwi_base64_get(given, size, &n, token + bare + 2, len - bare - 2) || n != size)
        return NULL;
    bare--;
    n = mocksasl_until(nonce, auth->out_len, ',');
    if (bare != n + 7 || memcmp(token, "c=biws,", 7) != 0 || memcmp(token + 7, nonce, n) != 0)
        return NULL;
    auth->text_len += kwi_fmt(auth->text + auth->text_len, sizeof(auth->text) - auth->text_len,
                              ",%.*s,%.*s", (int)auth->out_len, auth->out, (int)bare, token);
    if (auth->text_len >= sizeof(auth->text) ||
        kwi_scram_prove(crypto, alg, auth->claimed->salted[alg == KW_HASH_SHA512], auth->text,
                        auth->text_len, wanted, signature) ||
        !crypto->equal(wanted, given, size))
        return NULL;
    memcpy(auth->out, "v=", 2);
    kwi_base64_put(auth->out + 2, signature, size);
    auth->out_len = 2 + kwi_base64_len(size);
    return auth->claimed;
}

/* "n,,^Aauth=Bearer TOKEN^A...": here the token is a name and no more. */
static struct kw_mock_known *mocksasl_oauth(struct kw_mock_call *call, const char *token,
                                            size_t len)
{
    struct kw_mock_auth *auth = call->auth;
    struct kw_mock_known *user = NULL;

    if (auth->stage == KWI_MOCK_FIRST && mocksasl_skip(&token, &len, "n,,\001auth=Bearer "))
        user = mocksasl_find(call->mock, token, mocksasl_until(token, len, 1));
    if (user || auth->stage != KWI_MOCK_FIRST)
        return user; /* the client has taken note of the refusal */
    auth->out_len = kwi_fmt(auth->out, sizeof(auth->out), "{\"status\":\"invalid_token\"}");
    auth->stage = KWI_MOCK_LAST;
    return NULL;
}

static struct kw_mock_known *mocksasl_token(struct kw_mock_call *call, const char *token,
                                            size_t len)
{
    struct kw_mock_auth *auth = call->auth;

    switch ((enum kw_mock_mechanism)auth->mechanism) {
    case KWI_MOCK_PLAIN: return mocksasl_plain(call, token, len);
    case KWI_MOCK_SCRAM_SHA_256:
    case KWI_MOCK_SCRAM_SHA_512:
        if (auth->stage == KWI_MOCK_LAST)
            return mocksasl_scram_last(call, token, len);
        mocksasl_scram_first(call, token, len);
        return NULL;
    case KWI_MOCK_OAUTHBEARER: return mocksasl_oauth(call, token, len);
    case KWI_MOCK_MECHANISMS: break;
    }
    return NULL;
}

/* ---- SaslAuthenticate ------------------------------------------------------------------- */

static void mocksasl_admit(struct kw_mock_call *call, struct kw_mock_known *user)
{
    struct kw_sasl_authenticate_response *resp = call->response;
    struct kw_mock_auth *auth = call->auth;
    uint32_t session_ms = call->mock->users.session_ms;

    auth->user = user;
    auth->stage = KWI_MOCK_IDLE;
    auth->began_us = call->mock->now.mono_us;
    auth->expires_us = session_ms ? auth->began_us + (uint64_t)session_ms * 1000 : UINT64_MAX;
    if (call->version >= 1)
        resp->session_lifetime_ms = session_ms;
}

static enum kw_mock_outcome mocksasl_authenticate(struct kw_mock_call *call)
{
    static const struct kw_str none = {NULL, -1};
    const struct kw_sasl_authenticate_request *req = call->request;
    struct kw_sasl_authenticate_response *resp = call->response;
    struct kw_mock_auth *auth = call->auth;
    struct kw_mock_known *user = NULL;
    uint8_t stage = auth->stage;

    auth->out_len = stage == KWI_MOCK_LAST ? auth->out_len : 0;
    if (stage == KWI_MOCK_IDLE)
        resp->error_code = KW_E_ILLEGAL_SASL_STATE;
    else
        resp->error_code = kwi_mock_fault_error(call, KWI_MOCK_ERROR, none, -1);
    if (!resp->error_code)
        user = mocksasl_token(call, (const char *)req->auth_bytes.ptr, (size_t)req->auth_bytes.len);
    /* As long as it is the one that the session began with. */
    if (user && (!auth->user || auth->user == user)) {
        mocksasl_admit(call, user);
    } else if (!resp->error_code && (user || auth->stage == stage)) {
        resp->error_code = KW_E_SASL_AUTHENTICATION_FAILED;
        resp->error_message = kwi_str("Authentication failed: Invalid username or password");
    }
    if (resp->error_code) {
        call->hang_up = call->mock->users.mechanisms != 0;
        auth->out_len = 0;
    }
    resp->auth_bytes = (struct kw_blob){(const uint8_t *)auth->out, (int32_t)auth->out_len};
    return KWI_MOCK_ANSWERED;
}

const struct kw_mock_api kwi_mock_api_sasl_handshake = {KW_API_SASL_HANDSHAKE, 0,
                                                        mocksasl_handshake, NULL};
const struct kw_mock_api kwi_mock_api_sasl_authenticate = {KW_API_SASL_AUTHENTICATE, 0,
                                                           mocksasl_authenticate, NULL};
