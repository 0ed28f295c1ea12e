/* client/live.c -- settings that may change while a client runs: who we are. All
 * others are read once, when something is created from them. */
#include <string.h>

#include "client/config.h"
#include "client/core.h"
#include "client/sasl.h"

static bool live_may_change(enum kw_key key)
{
    return key == KW_KEY_SASL_USERNAME || key == KW_KEY_SASL_PASSWORD ||
           key == KW_KEY_SASL_OAUTHBEARER_TOKEN || key == KW_KEY_SASL_SCRAM_TOKENAUTH ||
           key == KW_KEY_SASL_JAAS_CONFIG;
}

/* What creation would refuse is refused here, by the same rules: they are asked on a copy,
 * so that what was set stays. */
static int live_try(const struct kw_config *cfg, const char *key, const char *val,
                    struct kw_error *err)
{
    struct kw_config *copy;
    int rc = kwi_config_copy(&copy, cfg, &cfg->alloc);

    if (rc)
        return rc;
    rc = kw_config_set(copy, key, val, err);
    if (!rc)
        rc = kwi_config_check(copy, NULL, KWI_APPLIES_CLIENT, err);
    kw_config_destroy(copy);
    return rc;
}

int kw_core_set(struct kw_core *core, const char *key, const char *val, struct kw_error *err)
{
    enum kw_key id;
    int rc;

    if (!core || !key || !val)
        return KW_ERR_USE;
    id = kwi_config_find(key, strlen(key));
    if (!live_may_change(id))
        return kwi_config_refuse(err, key, "...", 3, "cannot be changed while the client runs",
                                 "create another client; user, password and token can be changed");
    if (!kwi_config_uses_sasl(core->cfg)) /* as at its creation: nobody would ask for it */
        return kwi_config_refuse(err, key, "...", 3,
                                 "has no effect without SASL in security.protocol",
                                 "create another client, with security.protocol=SASL_SSL or "
                                 "SASL_PLAINTEXT");
    rc = live_try(core->cfg, key, val, err);
    if (!rc)
        rc = kw_config_set(core->cfg, key, val, err);
    if (!rc && id == KW_KEY_SASL_OAUTHBEARER_TOKEN)
        kwi_oauth_serve(core);
    return rc;
}
