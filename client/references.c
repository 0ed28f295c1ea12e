/* client/references.c -- ${env:NAME} and ${file:PATH} in the values of a
 * configuration text, so that a password need not stand in the file.
 *
 * Only for texts (kw_config_parse, kw_config_load) and only when the caller has
 * given a source; without one a reference is refused and not taken as a literal,
 * because "${env:PASSWORD}" is nobody's password. What a source gives is not
 * looked at again, is shown in no error, and the memory that held it is wiped.
 * Who knows the environment and files is the source: net/host.c has one. */
#include <string.h>

#include "base/fmt.h"
#include "client/config.h"

static const char *const references_kinds[] = {"env", "file"};

struct reference {
    const char *kind; /* of the table */
    char name[KWI_REFERENCE_NAME_MAX + 1];
};

static int references_refuse(const char *key, const char *at, size_t len, const char *rule,
                             const char *remedy, struct kw_error *err)
{
    return kwi_config_refuse(err, key, at, len, rule, remedy);
}

/* The bytes of p up to c, or up to its end. */
static size_t references_until(const char *p, char c)
{
    size_t n = 0;
    while (p[n] && p[n] != c)
        n++;
    return n;
}

/* Reads "${kind:name}" at p. Its length, or 0 when it is none of ours. */
static size_t references_read(const char *p, struct reference *out)
{
    const char *end = p + references_until(p, '}');
    for (size_t i = 0; *end && i < sizeof references_kinds / sizeof *references_kinds; i++) {
        size_t kind = strlen(references_kinds[i]), name;
        if ((size_t)(end - p) < kind + 3 || memcmp(p + 2, references_kinds[i], kind) != 0 ||
            p[2 + kind] != ':')
            continue;
        name = (size_t)(end - p) - kind - 3;
        if (name == 0 || name > KWI_REFERENCE_NAME_MAX)
            return 0;
        out->kind = references_kinds[i];
        memcpy(out->name, p + kind + 3, name);
        out->name[name] = 0;
        return (size_t)(end - p) + 1;
    }
    return 0;
}

static bool references_is_text(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] == 0)
            return false;
    return true;
}

/* The value of one reference to out, of which cap bytes are left. */
static int references_get(const struct kw_config *cfg, const char *key, const char *at, size_t len,
                          const struct reference *reference, char *out, size_t cap, size_t *n,
                          struct kw_error *err)
{
    const char *why = "it cannot be read";
    int rc;
    if (!cfg->source.get)
        return references_refuse(key, at, len, "references are not switched on",
                                 "switch them on (kw_config_set_source, kw --references)", err);
    rc = cfg->source.get(cfg->source.ctx, reference->kind, reference->name, out, cap, n, &why);
    if (rc == KW_ERR_NOMEM)
        return rc;
    if (rc == 0 && *n <= cap && references_is_text(out, *n))
        return 0;
    if (rc == 0 || rc == KW_ERR_LIMIT)
        why = rc || *n > cap ? "above 64 KiB" : "it holds a NUL";
    return references_refuse(key, at, len, why, "see that it is there and may be read", err);
}

/* What begins like a reference and is none may be a part of the secret itself. */
static int references_unknown(const char *key, const char *at, struct kw_error *err)
{
    enum kw_key found = kwi_config_find(key, strlen(key));
    bool secret = found < KW_N_KEYS && kwi_config_rows[found].type == KWI_CONFIG_SECRET;

    return references_refuse(key, secret ? "(hidden)" : at, secret ? 8 : references_until(at, '}'),
                             "not a reference that is known here",
                             "write ${env:NAME} or ${file:PATH}", err);
}

/* p with its references replaced to out, which has KWI_CONFIG_TEXT_MAX + 1 bytes. */
static int references_replace(const struct kw_config *cfg, const char *key, const char *p,
                              char *out, struct kw_error *err)
{
    size_t len = 0;
    while (*p) {
        size_t room = KWI_CONFIG_TEXT_MAX - len, took = 1, n = 1;
        if (room == 0)
            return references_refuse(key, "(text)", 6, "above 64 KiB", "shorten it", err);
        if (p[0] == '$' && p[1] == '{') {
            struct reference reference;
            int rc;
            took = references_read(p, &reference);
            if (took == 0)
                return references_unknown(key, p, err);
            rc = references_get(cfg, key, p, took, &reference, out + len, room, &n, err);
            if (rc)
                return rc;
        } else {
            out[len] = *p;
        }
        p += took;
        len += n;
    }
    out[len] = 0;
    return 0;
}

static bool references_any(const char *val)
{
    for (; *val; val++)
        if (val[0] == '$' && val[1] == '{')
            return true;
    return false;
}

int kwi_references_set(struct kw_config *cfg, const char *key, const char *val,
                       struct kw_error *err)
{
    char *text;
    int rc;
    if (!references_any(val))
        return kw_config_set(cfg, key, val, err);
    text = cfg->alloc.alloc(cfg->alloc.ctx, KWI_CONFIG_TEXT_MAX + 1);
    if (!text)
        return KW_ERR_NOMEM;
    rc = references_replace(cfg, key, val, text, err);
    if (!rc) {
        rc = kw_config_set(cfg, key, text, err);
        /* Its own text may show what nobody should see. */
        if (rc == KW_ERR_CONFIG)
            references_refuse(key, val, strlen(val), "what it stands for is no value for this key",
                              "see docs/CONFIG.md for the key and its values", err);
    }
    kwi_config_wipe(text, KWI_CONFIG_TEXT_MAX + 1);
    cfg->alloc.free(cfg->alloc.ctx, text, KWI_CONFIG_TEXT_MAX + 1);
    return rc;
}

int kw_config_set_source(struct kw_config *cfg, const struct kw_config_source *source)
{
    if (!cfg || (source && !source->get))
        return KW_ERR_USE;
    cfg->source = source ? *source : (struct kw_config_source){0};
    return 0;
}
