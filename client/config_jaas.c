/* client/config_jaas.c -- sasl.jaas.config: Java's text for user and password.
 *
 *   ORG.APACHE...PlainLoginModule required username="alice" password="secret";
 *
 * One module of PLAIN or SCRAM with the options that have a meaning here. Whatever
 * else a Java program would load and run is refused, not skipped. No error shows a
 * value, and none leaves a part of the text set. */
#include "client/config.h"

#include <string.h>

#include "base/wipe.h"

enum { JAAS_WORD_MAX = 128 };

enum jaas_option { JAAS_USERNAME, JAAS_PASSWORD, JAAS_TOKENAUTH, JAAS_OPTIONS };
static const struct {
    const char *name;
    enum kw_key key;
    const char *rule; /* the only one that a value can break */
} jaas_options[JAAS_OPTIONS] = {
    [JAAS_USERNAME] = {"username", KW_KEY_SASL_USERNAME, "its username is too long"},
    [JAAS_PASSWORD] = {"password", KW_KEY_SASL_PASSWORD, "its password is too long"},
    [JAAS_TOKENAUTH] = {"tokenauth", KW_KEY_SASL_SCRAM_TOKENAUTH,
                        "its tokenauth is neither true nor false"},
};

struct jaas {
    const char *at;
    char *room; /* as long as the whole text: the values, each with a NUL */
    size_t used;
    const char *values[JAAS_OPTIONS]; /* NULL: not given */
};

static int jaas_refuse(struct kw_error *err, const char *rule, const char *remedy)
{
    return kwi_config_refuse(err, "sasl.jaas.config", "(hidden)", 8, rule, remedy);
}

static void jaas_skip(struct jaas *jaas)
{
    while (*jaas->at == ' ' || (*jaas->at >= '\t' && *jaas->at <= '\r'))
        jaas->at++;
}

/* A word up to a space, '=' or ';'. Returns its length. */
static size_t jaas_word(struct jaas *jaas, const char **word)
{
    jaas_skip(jaas);
    *word = jaas->at;
    while (*jaas->at && *jaas->at != ' ' && (*jaas->at < '\t' || *jaas->at > '\r') &&
           *jaas->at != '=' && *jaas->at != ';' && *jaas->at != '"' && *jaas->at != '\'')
        jaas->at++;
    return (size_t)(jaas->at - *word);
}

static bool jaas_ends_with(const char *word, size_t len, const char *end)
{
    size_t n = strlen(end);
    return len >= n && !memcmp(word + len - n, end, n);
}

static bool jaas_is(const char *word, size_t len, const char *text)
{
    return len == strlen(text) && !memcmp(word, text, len);
}

/* Reads a value, quoted or not, into the room. NULL: it is malformed. */
static const char *jaas_value(struct jaas *jaas)
{
    char *out = jaas->room + jaas->used, quote;
    const char *word;
    size_t len;

    jaas_skip(jaas);
    quote = *jaas->at;
    if (quote != '"' && quote != '\'') {
        len = jaas_word(jaas, &word);
        memcpy(out, word, len);
        out[len] = 0;
        jaas->used += len + 1;
        return len ? out : NULL;
    }
    for (len = 0, jaas->at++; *jaas->at && *jaas->at != quote; jaas->at++) {
        if (*jaas->at == '\\') {
            jaas->at++;
            if (*jaas->at != '\\' && *jaas->at != '"' && *jaas->at != '\'')
                return NULL;
        }
        out[len++] = *jaas->at;
    }
    if (!*jaas->at)
        return NULL;
    jaas->at++;
    out[len] = 0;
    jaas->used += len + 1;
    return out;
}

static int jaas_module(struct jaas *jaas, bool *scram, struct kw_error *err)
{
    const char *word;
    size_t len = jaas_word(jaas, &word);

    *scram = jaas_ends_with(word, len, "ScramLoginModule");
    if (!*scram && !jaas_ends_with(word, len, "PlainLoginModule"))
        return jaas_refuse(err, "it must name PlainLoginModule or ScramLoginModule",
                           "other login modules are Java programs; for OAUTHBEARER set "
                           "sasl.oauthbearer.token");
    len = jaas_word(jaas, &word);
    if (!jaas_is(word, len, "required") && !jaas_is(word, len, "requisite") &&
        !jaas_is(word, len, "sufficient") && !jaas_is(word, len, "optional"))
        return jaas_refuse(err, "the word behind the module must be required",
                           "write MODULE required username=\"...\" password=\"...\";");
    return 0;
}

static int jaas_option(struct jaas *jaas, bool scram, struct kw_error *err)
{
    const char *word;
    size_t len = jaas_word(jaas, &word);
    unsigned option = 0;

    while (option < JAAS_OPTIONS && !jaas_is(word, len, jaas_options[option].name))
        option++;
    if (option == JAAS_OPTIONS || (option == JAAS_TOKENAUTH && !scram))
        return jaas_refuse(err,
                           "it has an option besides username, password and, for SCRAM, "
                           "tokenauth",
                           "take it out, or escape a quote inside a value with a backslash");
    jaas_skip(jaas);
    if (*jaas->at != '=')
        return jaas_refuse(err, "an option has no value", "write name=\"value\"");
    jaas->at++;
    if (jaas->values[option])
        return jaas_refuse(err, "an option is there twice", "take one out");
    jaas->values[option] = jaas_value(jaas);
    if (!jaas->values[option])
        return jaas_refuse(err,
                           "a value is empty, not closed, or has an escape other than \\\\ "
                           "\\\" \\'",
                           "write name=\"value\"");
    return 0;
}

static int jaas_read(struct jaas *jaas, struct kw_error *err)
{
    bool scram;
    int rc = jaas_module(jaas, &scram, err);

    for (jaas_skip(jaas); !rc && *jaas->at && *jaas->at != ';'; jaas_skip(jaas))
        rc = jaas_option(jaas, scram, err);
    if (rc)
        return rc;
    if (*jaas->at == ';')
        jaas->at++;
    else
        return jaas_refuse(err, "it does not end with a semicolon", "put one at its end");
    jaas_skip(jaas);
    if (*jaas->at)
        return jaas_refuse(err, "it names more than one module", "keep the one that is needed");
    if (!jaas->values[JAAS_USERNAME] || !*jaas->values[JAAS_USERNAME] ||
        !jaas->values[JAAS_PASSWORD] || !*jaas->values[JAAS_PASSWORD])
        return jaas_refuse(err, "it has no username or no password", "give both");
    return 0;
}

/* All or none: a new password must not come without its user, and what is refused must
 * leave the old ones. Each key is tried on a configuration of its own, whose values then
 * change places with the old ones. */
static int jaas_set(struct kw_config *cfg, const struct jaas *jaas, struct kw_error *err)
{
    struct kw_config *fresh;
    int rc = kw_config_create(&fresh, &cfg->alloc);

    if (rc)
        return rc;
    for (unsigned i = 0; !rc && i < JAAS_OPTIONS; i++) {
        const char *value = jaas->values[i];
        if (i == JAAS_TOKENAUTH && !value)
            value = "false";
        /* The key's own refusal would show the value: a password that was put elsewhere. */
        rc = kw_config_set(fresh, kwi_config_rows[jaas_options[i].key].key, value, NULL);
        if (rc == KW_ERR_CONFIG)
            rc = jaas_refuse(err, jaas_options[i].rule, "see sasl.jaas.config in docs/CONFIG.md");
    }
    for (unsigned i = 0; !rc && i < JAAS_OPTIONS; i++) {
        enum kw_key key = jaas_options[i].key;
        char *old = cfg->text[key];
        cfg->text[key] = fresh->text[key];
        fresh->text[key] = old;
        cfg->number[key] = fresh->number[key];
        cfg->set[key] = true;
    }
    kw_config_destroy(fresh);
    return rc;
}

int kwi_config_jaas(struct kw_config *cfg, const char *text, struct kw_error *err)
{
    struct jaas jaas = {.at = text};
    /* Each value is shorter than its text with the name in front. */
    size_t size = strlen(text) + 1;
    int rc;

    if (size > KWI_CONFIG_TEXT_MAX)
        return jaas_refuse(err, "it is too long", "");
    jaas.room = cfg->alloc.alloc(cfg->alloc.ctx, size);
    if (!jaas.room)
        return KW_ERR_NOMEM;
    rc = jaas_read(&jaas, err);
    if (!rc)
        rc = jaas_set(cfg, &jaas, err);
    kwi_wipe(jaas.room, size);
    cfg->alloc.free(cfg->alloc.ctx, jaas.room, size);
    return rc;
}
