/* client/sasl_scram.c -- SCRAM-SHA-256 and SCRAM-SHA-512: the broker sees a proof
 * instead of the password, and proves that it knows it, too (RFC 5802, RFC 7677).
 *
 * User name and password go out as the UTF-8 that was configured: Java's client
 * does not apply SASLprep either, and what a broker stored is what its tools made
 * of the same bytes. The salted password costs thousands of rounds: that is work
 * for the driver, in slices, on memory of its own. */
#include "client/sasl.h"

#include <string.h>

#include "base/base64.h"
#include "base/wipe.h"
#include "client/config.h"
#include "client/error_text.h"
#include "client/work.h"
#include "proto/scram.h"

enum {
    SCRAM_RANDOM = 24, /* bytes of our nonce; a multiple of three has no padding */
    SCRAM_NONCE = 32,  /* characters that they become */
    SCRAM_ROUND = 512  /* bytes of budget that one round costs, about 1 us */
};

enum scram_stage { SCRAM_FIRST, SCRAM_WORK, SCRAM_LAST };

/* The salted password in the making. It outlives the exchange if the driver has it. */
struct scram_work {
    struct kw_work work;
    struct kw_node node;  /* in core->scram_work */
    struct kw_sasl *sasl; /* NULL: nobody waits any more */
    const struct kw_crypto *crypto;
    enum kw_hash alg;
    int rc;
    uint32_t left; /* rounds */
    uint8_t u[KW_HASH_SIZE_MAX], acc[KW_HASH_SIZE_MAX];
    size_t password_len;
    char password[];
};

struct scram {
    enum scram_stage stage;
    char nonce[SCRAM_NONCE];
    char *auth; /* first message of ours, of the broker's, last of ours */
    size_t auth_len, auth_cap;
    size_t last_at; /* where the last one begins */
    struct scram_work *work;
    uint8_t signature[KW_HASH_SIZE_MAX]; /* that the broker must answer */
};

static enum kw_hash scram_alg(const struct kw_sasl *sasl)
{
    return sasl->mechanism == &kwi_sasl_scram_sha_256 ? KW_HASH_SHA256 : KW_HASH_SHA512;
}

static int scram_short(struct kw_error *err)
{
    kwi_error_set(err, KW_ERR_NOMEM, KW_PHASE_SASL, "no memory to authenticate",
                  "raise control.memory (and memory.limit)");
    return KW_ERR_NOMEM;
}

static int scram_crypto_failed(struct kw_error *err)
{
    kwi_error_set(err, KW_ERR_UNSUPPORTED, KW_PHASE_SASL,
                  "the cryptographic library refused to compute SCRAM",
                  "is the hash forbidden by the system's policy?");
    return KW_ERR_UNSUPPORTED;
}

static void scram_add(struct scram *scram, const void *bytes, size_t n)
{
    memcpy(scram->auth + scram->auth_len, bytes, n);
    scram->auth_len += n;
}

/* ---- our first message ---------------------------------------------------------- */

static int scram_begin(struct kw_sasl *sasl, struct kw_error *err)
{
    static const char token_auth[] = ",tokenauth=true";
    const struct kw_config *cfg = sasl->core->cfg;
    const char *user = kwi_config_str(cfg, KW_KEY_SASL_USERNAME);
    size_t user_len = strlen(user), name_len = kwi_scram_name(NULL, user, user_len), cap;
    struct scram *scram = sasl->own;
    uint8_t bytes[SCRAM_RANDOM], *out;

    if (sasl->core->env.crypto->random(bytes, sizeof(bytes)))
        return scram_crypto_failed(err);
    kwi_base64_put(scram->nonce, bytes, sizeof(bytes));
    cap = name_len + 2 * KWI_SCRAM_MESSAGE_MAX + 256;
    scram->auth = kwi_alloc(&sasl->core->control, cap);
    if (!scram->auth)
        return scram_short(err);
    scram->auth_cap = cap;
    scram_add(scram, "n=", 2);
    kwi_scram_name(scram->auth + scram->auth_len, user, user_len);
    scram->auth_len += name_len;
    scram_add(scram, ",r=", 3);
    scram_add(scram, scram->nonce, SCRAM_NONCE);
    if (kwi_config_i64(cfg, KW_KEY_SASL_SCRAM_TOKENAUTH))
        scram_add(scram, token_auth, sizeof(token_auth) - 1);
    out = kwi_sasl_out(sasl, scram->auth_len + 3);
    if (!out)
        return scram_short(err);
    memcpy(out, "n,,", 3);
    memcpy(out + 3, scram->auth, scram->auth_len);
    return KWI_SASL_MADE;
}

/* ---- the salted password, as work -------------------------------------------------- */

static bool scram_work_run(struct kw_work *item, size_t budget)
{
    struct scram_work *work = KWI_OF(item, struct scram_work, work);
    uint32_t rounds = budget / SCRAM_ROUND < 1 ? 1 : (uint32_t)(budget / SCRAM_ROUND);

    if (rounds > work->left)
        rounds = work->left;
    work->rc = work->crypto->pbkdf2(work->alg, work->password, work->password_len, work->u,
                                    work->acc, rounds);
    work->left -= rounds;
    return work->left > 0 && !work->rc;
}

static void scram_work_free(struct kw_core *core, struct scram_work *work)
{
    size_t size = sizeof(*work) + work->password_len;

    kwi_list_remove(&core->scram_work, &work->node);
    kwi_wipe(work, size);
    kwi_free(&core->control, work, size);
}

static int scram_prove(struct kw_sasl *sasl, const uint8_t *salted, struct kw_error *err)
{
    struct scram *scram = sasl->own;
    uint8_t proof[KW_HASH_SIZE_MAX], *out;
    size_t size = kwi_scram_hash_size(scram_alg(sasl));
    size_t len = scram->auth_len - scram->last_at;

    if (kwi_scram_prove(sasl->core->env.crypto, scram_alg(sasl), salted, scram->auth,
                        scram->auth_len, proof, scram->signature))
        return scram_crypto_failed(err);
    out = kwi_sasl_out(sasl, len + 3 + kwi_base64_len(size));
    if (!out)
        return scram_short(err);
    memcpy(out, scram->auth + scram->last_at, len);
    memcpy(out + len, ",p=", 3);
    kwi_base64_put((char *)out + len + 3, proof, size);
    kwi_wipe(proof, sizeof(proof));
    scram->stage = SCRAM_LAST;
    return KWI_SASL_MADE;
}

static void scram_work_done(struct kw_core *core, struct kw_work *item)
{
    struct scram_work *work = KWI_OF(item, struct scram_work, work);
    struct kw_sasl *sasl = work->sasl;
    struct kw_error err;
    int rc;

    if (!sasl) {
        scram_work_free(core, work);
        return;
    }
    ((struct scram *)sasl->own)->work = NULL;
    rc = work->rc ? scram_crypto_failed(&err) : scram_prove(sasl, work->acc, &err);
    scram_work_free(core, work);
    if (rc == KWI_SASL_MADE)
        kwi_sasl_made(sasl);
    else
        kwi_sasl_fail(sasl, &err);
}

static int scram_work_begin(struct kw_sasl *sasl, const struct kw_scram_first *first,
                            struct kw_error *err)
{
    struct kw_core *core = sasl->core;
    const char *password = kwi_config_str(core->cfg, KW_KEY_SASL_PASSWORD);
    size_t len = strlen(password);
    struct scram_work *work = kwi_alloc_zero(&core->control, sizeof(*work) + len);

    if (!work)
        return scram_short(err);
    work->work.run = scram_work_run;
    work->work.done = scram_work_done;
    work->crypto = core->env.crypto;
    work->alg = scram_alg(sasl);
    work->left = first->iterations - 1;
    work->password_len = len;
    memcpy(work->password, password, len);
    kwi_list_push(&core->scram_work, &work->node);
    if (kwi_scram_salt(work->crypto, work->alg, password, len, first->salt, first->salt_len,
                       work->u, work->acc)) {
        scram_work_free(core, work);
        return scram_crypto_failed(err);
    }
    work->sasl = sasl;
    ((struct scram *)sasl->own)->work = work;
    kwi_work_submit(core, &work->work);
    return KWI_SASL_LATER;
}

void kwi_scram_deinit(struct kw_core *core)
{
    while (!kwi_list_empty(&core->scram_work))
        scram_work_free(core, KWI_OF(core->scram_work.first, struct scram_work, node));
}

/* ---- the broker's messages ----------------------------------------------------------- */

static int scram_first(struct kw_sasl *sasl, const char *msg, size_t len, struct kw_error *err)
{
    struct scram *scram = sasl->own;
    struct kw_scram_first first;
    const char *why;

    if (kwi_scram_first_get(&first, msg, len, scram->nonce, SCRAM_NONCE, &why))
        return kwi_sasl_refuse(sasl, err, why, strlen(why));
    scram_add(scram, ",", 1);
    scram_add(scram, msg, len);
    scram_add(scram, ",", 1);
    scram->last_at = scram->auth_len;
    scram_add(scram, "c=biws,r=", 9); /* "n,,": no channel binding */
    scram_add(scram, first.nonce, first.nonce_len);
    scram->stage = SCRAM_WORK;
    return scram_work_begin(sasl, &first, err);
}

static int scram_last(struct kw_sasl *sasl, const char *msg, size_t len, struct kw_error *err)
{
    struct scram *scram = sasl->own;
    uint8_t signature[KW_HASH_SIZE_MAX];
    size_t size = kwi_scram_hash_size(scram_alg(sasl)), why_len;
    const char *why;
    int rc = kwi_scram_final_get(signature, size, msg, len, &why, &why_len);

    if (rc == KW_ERR_AUTH) {
        kwi_error_fmt(err, KW_ERR_AUTH, KW_PHASE_SASL,
                      "check sasl.username, sasl.password and sasl.mechanism",
                      "%s refused to authenticate us with %s: %.*s", sasl->conn->peer, sasl->name,
                      (int)(why_len > 100 ? 100 : why_len), why);
        return KW_ERR_AUTH;
    }
    if (rc)
        return kwi_sasl_refuse(sasl, err, why, why_len);
    if (!sasl->core->env.crypto->equal(signature, scram->signature, size)) {
        why = "its signature is wrong: it does not know the password";
        return kwi_sasl_refuse(sasl, err, why, strlen(why));
    }
    return KWI_SASL_FINISHED;
}

static int scram_step(struct kw_sasl *sasl, const uint8_t *token, size_t len, struct kw_error *err)
{
    const struct scram *scram = sasl->own;
    const char *msg = (const char *)token;

    return scram->stage == SCRAM_FIRST ? scram_first(sasl, msg, len, err)
                                       : scram_last(sasl, msg, len, err);
}

static void scram_end(struct kw_sasl *sasl)
{
    struct scram *scram = sasl->own;

    if (scram->work) /* the driver may have it */
        scram->work->sasl = NULL;
    kwi_wipe(scram->auth, scram->auth_cap);
    kwi_free(&sasl->core->control, scram->auth, scram->auth_cap);
}

const struct kw_sasl_mechanism kwi_sasl_scram_sha_256 = {
    .name = "SCRAM-SHA-256",
    .needs_crypto = true,
    .state_size = sizeof(struct scram),
    .begin = scram_begin,
    .step = scram_step,
    .end = scram_end,
};
const struct kw_sasl_mechanism kwi_sasl_scram_sha_512 = {
    .name = "SCRAM-SHA-512",
    .needs_crypto = true,
    .state_size = sizeof(struct scram),
    .begin = scram_begin,
    .step = scram_step,
    .end = scram_end,
};
