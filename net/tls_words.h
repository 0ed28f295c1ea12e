/* net/tls_words.h -- what a person reads when TLS fails, the same words whichever
 * library finds it: what is wrong with which certificate, what the broker complained
 * of, and what to do about it. A back end translates its own codes. */
#ifndef KWI_NET_TLS_WORDS_H
#define KWI_NET_TLS_WORDS_H
#include "net/tls.h"
#include <time.h>

/* Why a connection failed. */
struct kw_tls_why {
    int32_t code; /* enum kw_err */
    char text[KWI_TLS_TEXT];
    char hint[KWI_TLS_HINT];
};

/* What can be wrong with a certificate, besides its dates and names. */
enum kwi_tls_flaw {
    KWI_FLAW_SELF_SIGNED,   /* the broker's own signs itself */
    KWI_FLAW_ROOT_UNKNOWN,  /* the chain ends at a root that is not trusted */
    KWI_FLAW_ISSUER_LOCAL,  /* nobody trusted has issued it */
    KWI_FLAW_ISSUER_ABSENT, /* the authority that issued it is not there */
    KWI_FLAW_ALONE,         /* came without those in between */
    KWI_FLAW_PURPOSE,       /* extended key usage */
    KWI_FLAW_KEY_USAGE,
    KWI_FLAW_NO_AUTHORITY,
    KWI_FLAW_NO_CERT_SIGN,
    KWI_FLAW_PATH_LENGTH,
    KWI_FLAW_SIGNATURE,
    KWI_FLAW_REVOKED,
    KWI_FLAW_CRL_ABSENT,
    KWI_FLAW_CRL_OLD,
    KWI_FLAW_CRL_EARLY,
    KWI_FLAW_CRL_SIGNATURE,
    KWI_FLAW_KEY_SHORT,
    KWI_FLAW_AUTHORITY_KEY_SHORT,
    KWI_FLAW_HASH_WEAK,
    KWI_FLAW_NOT_PERMITTED,
    KWI_FLAW_EXCLUDED,
    KWI_FLAW_CONSTRAINTS, /* it has name constraints, which the library cannot check */
    KWI_FLAW_EXTENSION,
    KWI_FLAW_CHAIN_LONG,
    KWI_FLAWS
};

/* What else this side can find. */
enum kwi_tls_trouble {
    KWI_TROUBLE_PLAIN, /* the answer is no TLS */
    KWI_TROUBLE_HTTP,
    KWI_TROUBLE_VERSION,
    KWI_TROUBLE_NO_SUITE,    /* none is left on this side */
    KWI_TROUBLE_OTHER_SUITE, /* the broker chose one that was not offered */
    KWI_TROUBLE_DH,
    KWI_TROUBLE_RENEGOTIATION, /* insecure renegotiation */
    KWI_TROUBLE_NO_SIGNATURE,
    KWI_TROUBLE_SIGNATURE,
    KWI_TROUBLES
};

/* Each fills *why. `whose` is "the broker's certificate", or what
 * kwi_tls_words_whose made. */
void kwi_tls_words(struct kw_tls_why *why, int code, const char *text, const char *hint);
void kwi_tls_words_flaw(struct kw_tls_why *why, enum kwi_tls_flaw flaw, const char *whose);
/* expired, or not yet valid; `when` is the date in it, UTC. */
void kwi_tls_words_dates(struct kw_tls_why *why, const char *whose, bool expired,
                         const struct tm *when);
/* It is for `names` ("" if it has none), and `name` was asked for. */
void kwi_tls_words_names(struct kw_tls_why *why, const char *name, const char *names);
void kwi_tls_words_trouble(struct kw_tls_why *why, enum kwi_tls_trouble trouble);
/* The broker ended it with an alert; got_none: it wanted a certificate of ours and we
 * have none. words: the library's for that alert. */
void kwi_tls_words_alert(struct kw_tls_why *why, int alert, const char *words, bool got_none);
/* The stream ended without a goodbye. */
void kwi_tls_words_end(struct kw_tls_why *why, bool is_up, bool got_none);

/* Names come from the peer, and nobody vouches for them: appends what can be printed. */
void kwi_tls_append(char *buf, size_t cap, const void *ptr, size_t len);
/* Appends one of the names that a certificate is for, and a comma before it; false:
 * there is no room for more, which it then says. */
bool kwi_tls_append_name(char *buf, size_t cap, const void *ptr, size_t len);
/* The same for an address of 4 or 16 bytes. */
bool kwi_tls_append_ip(char *buf, size_t cap, const void *ptr, size_t len);
void kwi_tls_words_whose(char *buf, size_t cap, unsigned depth, const char *name);

#endif
