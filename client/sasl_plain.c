/* client/sasl_plain.c -- PLAIN (RFC 4616): the password as it is, so only for
 * connections that nobody can read along (config_check.c sees to that). Also the
 * user name and password that it and SCRAM take. */
#include "client/sasl.h"

#include <string.h>

#include "client/config.h"
#include "client/error_text.h"

static int plain_begin(struct kw_sasl *sasl, struct kw_error *err)
{
    const char *user = kwi_config_str(sasl->core->cfg, KW_KEY_SASL_USERNAME);
    const char *password = kwi_config_str(sasl->core->cfg, KW_KEY_SASL_PASSWORD);
    size_t user_len = strlen(user), password_len = strlen(password);
    uint8_t *out = kwi_sasl_out(sasl, user_len + password_len + 2);

    if (!out) {
        kwi_error_set(err, KW_ERR_NOMEM, KW_PHASE_SASL, "no memory to authenticate",
                      "raise control.memory (and memory.limit)");
        return KW_ERR_NOMEM;
    }
    /* No identity to act for: that of the user. A configured text cannot hold the
     * zero byte that separates the three. */
    out[0] = 0;
    memcpy(out + 1, user, user_len);
    out[1 + user_len] = 0;
    memcpy(out + 2 + user_len, password, password_len);
    return KWI_SASL_MADE;
}

static int plain_step(struct kw_sasl *sasl, const uint8_t *token, size_t len, struct kw_error *err)
{
    (void)token;
    if (len == 0)
        return KWI_SASL_FINISHED;
    return kwi_sasl_refuse(sasl, err, "its answer is not empty", 23);
}

const struct kw_sasl_mechanism kwi_sasl_plain = {
    .name = "PLAIN",
    .begin = plain_begin,
    .step = plain_step,
};
