/* net/tls_common.c -- see tls_common.h. */
#include "net/tls_common.h"
#include "base/fmt.h"
#include "net/host.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TLS_FILE_MIN = 8 << 10, TLS_FILE_MAX = 4 << 20 };

/* ---- errors ------------------------------------------------------------------------ */

static const char *tls_key_name(enum kw_key key)
{
    switch ((unsigned)key) {
    case KW_KEY_SSL_TRUSTSTORE_LOCATION: return "ssl.truststore.location";
    case KW_KEY_SSL_TRUSTSTORE_CERTIFICATES: return "ssl.truststore.certificates";
    case KW_KEY_SSL_KEYSTORE_LOCATION: return "ssl.keystore.location";
    case KW_KEY_SSL_KEYSTORE_CERTIFICATE_CHAIN: return "ssl.keystore.certificate.chain";
    case KW_KEY_SSL_CERTIFICATE_LOCATION: return "ssl.certificate.location";
    case KW_KEY_SSL_KEY_LOCATION: return "ssl.key.location";
    case KW_KEY_SSL_KEYSTORE_KEY: return "ssl.keystore.key";
    case KW_KEY_SSL_KEY_PASSWORD: return "ssl.key.password";
    case KW_KEY_SSL_KEYSTORE_PASSWORD: return "ssl.keystore.password";
    case KW_KEY_SSL_CRL_LOCATION: return "ssl.crl.location";
    case KW_KEY_SSL_CIPHER_SUITES: return "ssl.cipher.suites";
    case KW_KEY_SSL_ENABLED_PROTOCOLS: return "ssl.enabled.protocols";
    default: return "security.protocol";
    }
}

int kwi_tls_refuse(struct kw_error *err, enum kw_key key, const char *rule, const char *remedy)
{
    if (!err)
        return KW_ERR_CONFIG;
    memset(err, 0, sizeof(*err));
    err->code = KW_ERR_CONFIG;
    err->phase = KW_PHASE_CONFIG;
    err->broker = -1;
    kwi_fmt(err->text, sizeof(err->text), "%s: %s", tls_key_name(key), rule);
    kwi_fmt(err->hint, sizeof(err->hint), "%s", remedy);
    return KW_ERR_CONFIG;
}

int kwi_tls_no_memory(struct kw_error *err)
{
    if (err)
        *err = (struct kw_error){.code = KW_ERR_NOMEM, .broker = -1, .text = "TLS: no memory"};
    return KW_ERR_NOMEM;
}

/* ---- names ------------------------------------------------------------------------- */

static char tls_lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool kwi_tls_take_name(char out[KWI_TLS_NAME], const char *name)
{
    size_t len = strlen(name);
    if (len > 2 && name[0] == '[' && name[len - 1] == ']') { /* an address, as in a URL */
        name++;
        len -= 2;
    }
    if (len > 0 && name[len - 1] == '.')
        len--;
    if (len == 0 || len >= KWI_TLS_NAME)
        return false;
    for (size_t i = 0; i < len; i++)
        out[i] = tls_lower(name[i]);
    out[len] = 0;
    return true;
}

size_t kwi_tls_address(const char *name, uint8_t ip[16])
{
    char text[KWI_TLS_NAME];
    kwi_fmt(text, sizeof(text), "%.*s", (int)strcspn(name, "%"), name);
    if (inet_pton(AF_INET, text, ip) == 1)
        return 4;
    return inet_pton(AF_INET6, text, ip) == 1 ? 16 : 0;
}

static bool tls_same(const char *name, const char *ptr, size_t len)
{
    if (strlen(name) != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (tls_lower(ptr[i]) != name[i])
            return false;
    }
    return true;
}

bool kwi_tls_name_fits(const char *name, const void *ptr, size_t len)
{
    const char *pattern = ptr, *rest = strchr(name, '.');
    if (len < 2 || pattern[0] != '*' || pattern[1] != '.')
        return len > 0 && tls_same(name, pattern, len);
    return rest && rest > name && memchr(pattern + 2, '.', len - 2) &&
           tls_same(rest, pattern + 1, len - 1);
}

/* ---- files ------------------------------------------------------------------------- */

/* Makes room for one byte at least, and the NUL. Old memory is wiped. */
static int tls_file_grow(struct kw_tls_file *file)
{
    size_t cap = file->cap ? 2 * file->cap : TLS_FILE_MIN;
    if (cap > TLS_FILE_MAX)
        return EFBIG;
    char *ptr = kwi_alloc(file->heap, cap);
    if (!ptr)
        return ENOMEM;
    struct kw_tls_file old = *file;
    if (old.ptr)
        memcpy(ptr, old.ptr, old.len);
    file->ptr = ptr;
    file->cap = cap;
    kwi_tls_file_free(&old);
    return 0;
}

/* Reads it whole. Returns errno or 0. */
static int tls_file_fill(struct kw_tls_file *file, FILE *from)
{
    int os_err = 0;
    /* What stdio has buffered would outlive the wipe. */
    setvbuf(from, NULL, _IONBF, 0);
    while (os_err == 0 && !feof(from)) {
        if (file->len + 1 >= file->cap)
            os_err = tls_file_grow(file);
        if (os_err)
            break;
        errno = 0;
        file->len += fread(file->ptr + file->len, 1, file->cap - 1 - file->len, from);
        if (ferror(from))
            os_err = errno ? errno : EIO;
    }
    if (os_err == 0)
        file->ptr[file->len] = 0;
    return os_err;
}

int kwi_tls_file_read(struct kw_tls_file *file, struct kw_heap *heap, enum kw_key key,
                      const char *path, struct kw_error *err)
{
    char rule[KWI_TLS_TEXT];
    *file = (struct kw_tls_file){.heap = heap};
    FILE *from = fopen(path, "rbe");
    int os_err = from ? tls_file_fill(file, from) : errno;
    if (from)
        fclose(from);
    if (os_err == 0)
        return 0;
    kwi_tls_file_free(file);
    if (os_err == ENOMEM)
        return KW_ERR_NOMEM;
    kwi_fmt(rule, sizeof(rule), "cannot read %s: %s", path, kwi_host_error(os_err));
    kwi_tls_refuse(err, key, rule, "check the path, and who may read the file");
    if (err)
        err->os_err = os_err;
    return KW_ERR_CONFIG;
}

void kwi_tls_file_free(struct kw_tls_file *file)
{
    if (file->ptr) {
        explicit_bzero(file->ptr, file->cap);
        kwi_free(file->heap, file->ptr, file->cap);
    }
    *file = (struct kw_tls_file){0};
}

/* ---- keys of the configuration ----------------------------------------------------- */

int kwi_tls_check_keys(const struct kw_config *cfg, bool *any, struct kw_error *err)
{
    bool store = kw_config_text(cfg, KW_KEY_SSL_KEYSTORE_LOCATION) != NULL;
    bool cert_file = kw_config_text(cfg, KW_KEY_SSL_CERTIFICATE_LOCATION) != NULL;
    bool cert_text = kw_config_text(cfg, KW_KEY_SSL_KEYSTORE_CERTIFICATE_CHAIN) != NULL;
    bool key_file = kw_config_text(cfg, KW_KEY_SSL_KEY_LOCATION) != NULL;
    bool key_text = kw_config_text(cfg, KW_KEY_SSL_KEYSTORE_KEY) != NULL;
    const char *once = "name the certificate and the key once each";
    *any = store || cert_file || cert_text || key_file || key_text;
    if (store && (cert_file || cert_text || key_file || key_text))
        return kwi_tls_refuse(err, KW_KEY_SSL_KEYSTORE_LOCATION,
                              "a certificate or key is given beside it", once);
    if (cert_file && cert_text)
        return kwi_tls_refuse(err, KW_KEY_SSL_CERTIFICATE_LOCATION,
                              "ssl.keystore.certificate.chain is set as well", once);
    if (key_file && key_text)
        return kwi_tls_refuse(err, KW_KEY_SSL_KEY_LOCATION, "ssl.keystore.key is set as well",
                              once);
    if ((cert_file || cert_text) && !key_file && !key_text)
        return kwi_tls_refuse(err, KW_KEY_SSL_KEY_LOCATION,
                              "there is a client certificate, but no key for it",
                              "set it, or ssl.keystore.key");
    if ((key_file || key_text) && !cert_file && !cert_text)
        return kwi_tls_refuse(err, KW_KEY_SSL_CERTIFICATE_LOCATION,
                              "there is a key, but no certificate for it",
                              "set it, or ssl.keystore.certificate.chain");
    if (kw_config_text(cfg, KW_KEY_SSL_KEYSTORE_PASSWORD) && !store)
        return kwi_tls_refuse(err, KW_KEY_SSL_KEYSTORE_PASSWORD,
                              "there is no ssl.keystore.location that it opens",
                              "the password of a key in PEM is ssl.key.password");
    if (kw_config_text(cfg, KW_KEY_SSL_KEY_PASSWORD) && !*any)
        return kwi_tls_refuse(err, KW_KEY_SSL_KEY_PASSWORD, "there is no key that it opens",
                              "set ssl.key.location, or take it out");
    return 0;
}

/* ---- dates -------------------------------------------------------------------------- */

int64_t kwi_tls_unix_time(int64_t year, int64_t month, int64_t day, int64_t second_of_day)
{
    /* Years begin in March here, so that the leap day is the last one. */
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
    return days * 86400 + second_of_day;
}
