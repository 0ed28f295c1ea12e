/* client/live.c -- settings that may change while a client runs: who we are. All
 * others are read once, when something is created from them. */
#include <string.h>

#include "client/config.h"
#include "client/core.h"
#include "client/sasl.h"

int kw_core_set(struct kw_core *core, const char *key, const char *val, struct kw_error *err)
{
    enum kw_key id;
    int rc;

    if (!core || !key || !val)
        return KW_ERR_USE;
    id = kwi_config_find(key, strlen(key));
    switch (id) {
    case KW_KEY_SASL_USERNAME:
    case KW_KEY_SASL_PASSWORD:
    case KW_KEY_SASL_OAUTHBEARER_TOKEN:
        if (!*val)
            return kwi_config_refuse(err, key, "", 0, "must not be empty", "");
        rc = kw_config_set(core->cfg, key, val, err);
        if (!rc && id == KW_KEY_SASL_OAUTHBEARER_TOKEN)
            kwi_oauth_serve(core);
        return rc;
    case KW_KEY_SASL_SCRAM_TOKENAUTH:
    case KW_KEY_SASL_JAAS_CONFIG: return kw_config_set(core->cfg, key, val, err);
    default: break;
    }
    return kwi_config_refuse(err, key, "...", 3, "cannot be changed while the client runs",
                             "create another client; user, password and token can be changed");
}
