/* net/host.c -- the environment that the driver gives to the core, and the
 * configuration calls that need the system: memory by malloc, text from a file,
 * what references in it stand for.
 * The clocks are the loop's (kwi_loop_now). */
#include "net/host.h"
#include "base/crc32c.h"
#include "base/fmt.h"
#include <errno.h>
#include <fcntl.h>
#include <kwire/codec.h>
#include <kwire/crypto.h>
#include <kwire/kwire.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOST_FILE_MAX = 1 << 20 }; /* bytes of a configuration file */

static void *host_malloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void host_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

struct kw_alloc kwi_host_alloc(void)
{
    return (struct kw_alloc){.alloc = host_malloc, .free = host_free};
}

/* Fills the seed if it is all zero. Returns errno or 0. */
static int host_seed(uint8_t *seed, size_t size)
{
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++)
        any |= seed[i];
    for (size_t got = 0; !any && got < size;) {
        ssize_t n = getrandom(seed + got, size - got, 0);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0)
            got += (size_t)n;
    }
    return 0;
}

int kwi_host_env(struct kw_env *out, const struct kw_env *env, int *os_err)
{
    *out = env ? *env : (struct kw_env){0};
    *os_err = 0;
    if (!out->alloc.alloc != !out->alloc.free)
        return KW_ERR_USE;
    if (!out->alloc.alloc)
        out->alloc = kwi_host_alloc();
    if (!out->crc32c)
        out->crc32c = kwi_crc32c_best();
    for (int id = 0; id < KW_N_CODECS; id++)
        if (!out->codecs[id])
            out->codecs[id] = kw_codec_by_id(id);
    if (!out->crypto)
        out->crypto = kw_crypto_builtin();
    *os_err = host_seed(out->seed, sizeof(out->seed));
    return *os_err ? KW_ERR_IO : 0;
}

const char *kwi_host_error(int os_err)
{
    /* For a known number this is a constant of the C library. */
    return strerror(os_err);
}

int kw_config_new(struct kw_config **out)
{
    struct kw_alloc alloc = kwi_host_alloc();
    return kw_config_create(out, &alloc);
}

static int host_load_fail(struct kw_error *err, int code, int os_err, const char *path,
                          const char *why)
{
    if (err) {
        memset(err, 0, sizeof(*err));
        err->code = code;
        err->phase = KW_PHASE_CONFIG;
        err->broker = -1;
        err->os_err = os_err;
        kwi_fmt(err->text, sizeof(err->text), "cannot read %s: %s", path, why);
    }
    return code;
}

/* ---- what ${env:NAME} and ${file:PATH} stand for ------------------------------- */

static int host_get_env(const char *name, char *buf, size_t cap, size_t *len, const char **why)
{
    const char *val = getenv(name);
    if (!val) {
        *why = "there is no such variable in the environment";
        return KW_ERR_CONFIG;
    }
    *len = strlen(val);
    if (*len > cap)
        return KW_ERR_LIMIT;
    memcpy(buf, val, *len);
    return 0;
}

/* Without stdio, whose buffer would keep the secret. A device or a pipe could wait
 * for ever or never end, so it must be a file. */
static int host_get_file(const char *path, char *buf, size_t cap, size_t *len, const char **why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    ssize_t n = 1;
    *len = 0;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        *why = fd < 0 ? kwi_host_error(errno) : "it is not a file";
        if (fd >= 0)
            close(fd);
        return KW_ERR_IO;
    }
    while (n > 0 && *len < cap) {
        n = read(fd, buf + *len, cap - *len);
        if (n < 0)
            *why = kwi_host_error(errno);
        *len += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    if (n < 0)
        return KW_ERR_IO;
    if (st.st_size > (off_t)cap)
        return KW_ERR_LIMIT;
    if (*len > 0 && buf[*len - 1] == '\n')
        --*len;
    if (*len > 0 && buf[*len - 1] == '\r')
        --*len;
    return 0;
}

static int host_get(void *ctx, const char *kind, const char *name, char *buf, size_t cap,
                    size_t *len, const char **why)
{
    (void)ctx;
    return strcmp(kind, "env") == 0 ? host_get_env(name, buf, cap, len, why)
                                    : host_get_file(name, buf, cap, len, why);
}

int kw_config_use_references(struct kw_config *cfg)
{
    return kw_config_set_source(cfg, &(struct kw_config_source){.get = host_get});
}

int kw_config_load(struct kw_config *cfg, const char *path, struct kw_error *err)
{
    if (!cfg || !path)
        return host_load_fail(err, KW_ERR_USE, 0, path ? path : "(no path)", "missing argument");
    FILE *file = fopen(path, "rbe");
    if (!file)
        return host_load_fail(err, KW_ERR_IO, errno, path, kwi_host_error(errno));
    char *text = malloc(HOST_FILE_MAX + 1);
    size_t len = 0;
    int rc;
    if (!text) {
        rc = host_load_fail(err, KW_ERR_NOMEM, 0, path, "no memory");
    } else {
        errno = 0;
        len = fread(text, 1, HOST_FILE_MAX + 1, file);
        if (ferror(file))
            rc = host_load_fail(err, KW_ERR_IO, errno, path, kwi_host_error(errno));
        else if (len > HOST_FILE_MAX)
            rc = host_load_fail(err, KW_ERR_LIMIT, 0, path, "the file is above 1 MiB");
        else
            rc = kw_config_parse(cfg, text, len, err);
        explicit_bzero(text, len); /* it may hold a password */
    }
    free(text);
    fclose(file);
    return rc;
}
