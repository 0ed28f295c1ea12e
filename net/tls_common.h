/* net/tls_common.h -- what every TLS back end does the same way: the keys of the
 * configuration, host names, files. */
#ifndef KWI_NET_TLS_COMMON_H
#define KWI_NET_TLS_COMMON_H
#include "net/tls.h"

enum { KWI_TLS_NAME = 256 }; /* a host name of at most 255 bytes */

/* Fills *err (may be NULL) with "key: rule"; returns KW_ERR_CONFIG. */
int kwi_tls_refuse(struct kw_error *err, enum kw_key key, const char *rule, const char *remedy);
/* What kwi_tls_create tells when memory is short; returns KW_ERR_NOMEM. */
int kwi_tls_no_memory(struct kw_error *err);

/* Copies a host name without a trailing dot, in lower case. false: no certificate can
 * be for it. */
KW_MUST_USE bool kwi_tls_take_name(char out[KWI_TLS_NAME], const char *name);
/* The bytes of an address (without its zone) in ip, and how many: 4 or 16; 0: it is a
 * name. */
KW_MUST_USE size_t kwi_tls_address(const char *name, uint8_t ip[16]);

/* Does the name, which is not an address, fit a dNSName of a certificate? A wildcard
 * stands for the first label alone, and for no name of less than three. */
KW_MUST_USE bool kwi_tls_name_fits(const char *name, const void *ptr, size_t len);

/* The contents of a file, and a NUL behind them. */
struct kw_tls_file {
    struct kw_heap *heap;
    char *ptr;
    size_t len, cap;
};
/* Errors: KW_ERR_NOMEM, KW_ERR_CONFIG with *err. */
KW_MUST_USE int kwi_tls_file_read(struct kw_tls_file *file, struct kw_heap *heap, enum kw_key key,
                                  const char *path, struct kw_error *err);
/* Wipes and frees. */
void kwi_tls_file_free(struct kw_tls_file *file);

/* Which of the keys of a client certificate are set makes sense? *any: is there one? */
KW_MUST_USE int kwi_tls_check_keys(const struct kw_config *cfg, bool *any, struct kw_error *err);

/* Seconds since 1970 of a date in UTC, whatever this machine's time zone is. */
int64_t kwi_tls_unix_time(int64_t year, int64_t month, int64_t day, int64_t second_of_day);

#endif
