/* kwire/types.h -- the small types that every other header uses: error codes,
 * byte slices, time, memory, and the table of foreign functions. */
#ifndef KWIRE_TYPES_H
#define KWIRE_TYPES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define KW_MUST_USE __attribute__((warn_unused_result))
#define KW_EXPORT __attribute__((visibility("default")))
#else
#define KW_MUST_USE
#define KW_EXPORT
#endif

/* What a fallible call returns: 0 (or 1 where its doc says so), else one of
 * these. Kafka's own error codes are a separate type (int16_t kafka_code). */
enum kw_err {
    KW_OK = 0,
    KW_ERR_USE = -1,          /* the caller broke the call's contract */
    KW_ERR_NOMEM = -2,        /* the allocator refused; the object stays usable */
    KW_ERR_LIMIT = -3,        /* a configured limit; the text names the key to raise */
    KW_ERR_WOULD_BLOCK = -4,  /* not now; the event named in the doc follows */
    KW_ERR_CONFIG = -5,       /* bad key, value or combination */
    KW_ERR_TIMEOUT = -6,      /* the deadline passed */
    KW_ERR_CANCELED = -7,     /* by the caller: cancel, purge, close */
    KW_ERR_CLOSED = -8,       /* the client, producer or consumer is closing */
    KW_ERR_REENTRANT = -9,    /* a call that would wait, made inside a callback */
    KW_ERR_BUSY = -10,        /* two threads inside one unlocked client */
    KW_ERR_STATE = -11,       /* not legal in the present state */
    KW_ERR_CONNECT = -12,     /* no broker could be reached */
    KW_ERR_PROTOCOL = -13,    /* the peer broke the protocol; connection closed */
    KW_ERR_BROKER = -14,      /* the broker answered an error: see kafka_code */
    KW_ERR_UNSUPPORTED = -15, /* the broker or this build lacks it */
    KW_ERR_AUTH = -16,        /* trust or identity refused, by either side */
    KW_ERR_IO = -17,          /* a file or socket call failed: see os_err */
    KW_ERR_TOO_LARGE = -18,   /* one record is above the limits */
    KW_ERR_IN_FLIGHT = -19,   /* too late: bytes were already offered */
    KW_ERR_FORKED = -20,      /* called in a child of fork() */
    /* wire: why a message or batch could not be read or written */
    KW_ERR_SHORT = -32,     /* the input ends inside a field */
    KW_ERR_VARINT = -33,    /* a varint is longer than its type */
    KW_ERR_LENGTH = -34,    /* a length or count below -1, or above its limit */
    KW_ERR_NULL = -35,      /* null where this version forbids it */
    KW_ERR_TAGS = -36,      /* a tag twice, or of the wrong size */
    KW_ERR_TRAILING = -37,  /* bytes are left after the message */
    KW_ERR_VERSION = -38,   /* no such version, or a set field it lacks */
    KW_ERR_SPACE = -39,     /* the output does not fit */
    KW_ERR_CRC = -40,       /* checksum mismatch */
    KW_ERR_CORRUPT = -41,   /* a record batch contradicts itself */
    KW_ERR_CODEC = -42,     /* compression unknown, absent or failed */
    KW_ERR_BOMB = -43,      /* decompressed size above the cap */
    KW_ERR_SYNTAX = -44,    /* a text is not what it should be, JSON for instance */
    KW_ERR_TRUNCATED = -45, /* the log was cut below what was read of it */
    KW_ERR_RECREATED = -46, /* the topic was deleted, and there is another of its name */
    KW_ERR_BATCHMATE = -47  /* refused with its batch, for another record of it: produce it again */
};

/* A name for a code ("KW_ERR_TIMEOUT"), never NULL. Static memory. Threads: any, as for the
 * other functions of this header. */
KW_EXPORT const char *kw_err_name(int err);
/* The name of a Kafka error code ("NOT_LEADER_OR_FOLLOWER"), never NULL. */
KW_EXPORT const char *kw_kafka_error_name(int16_t kafka_code);

/* Bytes of the caller or of the library. ptr NULL: null (no key, tombstone);
 * ptr set and len 0: empty. Borrowed; the call's doc says for how long. */
struct kw_bytes {
    const void *ptr;
    size_t len;
};

/* A record header. Its value may be null (ptr NULL). */
struct kw_header {
    struct kw_bytes key, value;
};

/* mono_us only grows and counts suspend where the system can; wall_ms is Unix
 * time. Both are given to the core, which never asks for them. */
struct kw_time {
    uint64_t mono_us;
    int64_t wall_ms;
};

/* Layout of struct iovec; layout of a lent piece of memory. */
struct kw_iov {
    void *base;
    size_t len;
};
struct kw_span {
    void *ptr;
    size_t len;
};

/* An IP address with its port. */
struct kw_addr {
    uint8_t family; /* 4 or 6 */
    uint8_t ip[16]; /* network byte order; IPv4 uses the first four */
    uint16_t port;
    uint32_t scope_id; /* IPv6 link-local zone, 0 if none */
};

/* Where an error happened. */
enum kw_phase {
    KW_PHASE_NONE,
    KW_PHASE_RESOLVE,
    KW_PHASE_CONNECT,
    KW_PHASE_TLS,
    KW_PHASE_VERSIONS,
    KW_PHASE_SASL,
    KW_PHASE_REQUEST,
    KW_PHASE_CONFIG
};

/* What an error means for the transaction of its producer. */
enum kw_txn_class {
    KW_TXN_NO_CLASS, /* it is about no transaction */
    KW_TXN_RETRY,    /* nothing is decided: the same call goes on where it was */
    KW_TXN_ABORT,    /* the transaction cannot be committed: kw_txn_abort, then begin anew */
    KW_TXN_FATAL     /* this producer writes nothing more: close it, and find out why */
};

/* What went wrong, for a person and for a program. */
struct kw_error {
    int code;           /* enum kw_err */
    int16_t kafka_code; /* Kafka's error code; 0 if the broker sent none */
    uint8_t phase;      /* enum kw_phase */
    uint8_t retriable;  /* 1: the same call may succeed later */
    int32_t broker;     /* node id, -1 if none */
    int32_t os_err;     /* errno of the system, 0 if none */
    char peer[64];      /* address, "" if none */
    char text[192];     /* what and why */
    char hint[128];     /* what to do about it, "" if nothing better than text */
    uint8_t txn_class;  /* enum kw_txn_class */
};

/* Fills *err with what a Kafka code means: its name, what to do, and for a code that
 * denies a right (ACLs) the operation, the resource and the command that grants it.
 * api_key: of the request that was answered so; name: the topic, group ... it was
 * about, or NULL; user: who we are to the broker, or NULL. Texts of the library's
 * own errors are made the same way; this is for codes found in answers
 * (kw_request_raw, kw_meta_topic, kw_report). */
KW_EXPORT void kw_kafka_error_explain(struct kw_error *err, int16_t kafka_code, int16_t api_key,
                                      const char *name, const char *user);

/* Memory comes from here only. alloc may return NULL at any time; free gets the
 * size that was asked for. Both pointers must be set. */
struct kw_alloc {
    void *(*alloc)(void *ctx, size_t size);
    void (*free)(void *ctx, void *ptr, size_t size);
    void *ctx;
};

/* Log lines of the core: level 3 error, 4 warning, 6 info, 7 debug (syslog's). */
struct kw_log_sink {
    void (*line)(void *ctx, int level, const char *text);
    void *ctx;
    int level; /* lines above it are not made */
};

struct kw_codec; /* kwire/codec.h */
enum { KW_N_CODECS = 5 };
struct kw_crypto;    /* kwire/crypto.h */
struct kw_sasl_hook; /* kwire/client_types.h */
struct kw_conn_step; /* kwire/client_types.h */

struct kw_client;
/* Looks host names up in the host's own way (libkwire; the core has RESOLVE wants). */
struct kw_resolve_hook {
    /* Starts a look-up and must not wait. The answer is one kw_client_resolved with the
     * same query, from inside or later. name is valid during the call. Returns 0, or
     * anything else: it cannot be started. NULL: there is no hook. */
    int (*start)(void *ctx, struct kw_client *client, uint32_t query, const char *name,
                 uint16_t port);
    void *ctx;
    /* The same for the name that an address has (DNS: PTR), answered by one
     * kw_client_named. Anything else than 0: it has none. May be NULL, but not with
     * client.dns.lookup=resolve_canonical_bootstrap_servers_only. The port of addr says
     * nothing. */
    int (*name)(void *ctx, struct kw_client *client, uint32_t query, const struct kw_addr *addr);
};

/* Everything foreign that the core uses, given at create. Copied. */
struct kw_env {
    struct kw_alloc alloc;
    uint8_t seed[32]; /* for jitter, sticky partitions, ids; not for keys */
    /* Extends a CRC-32C over len bytes; crc starts at 0. NULL: portable code. */
    uint32_t (*crc32c)(uint32_t crc, const void *ptr, size_t len);
    struct kw_log_sink log; /* line may be NULL */
    /* By enum kw_codec_id; NULL where there is none. libkwire fills it with those
     * that were built in (kw_codec_by_id). */
    const struct kw_codec *codecs[KW_N_CODECS];
    /* For SASL; NULL where there is none. libkwire fills it with that of the TLS
     * library that was built in (kw_crypto_builtin). */
    const struct kw_crypto *crypto;
    /* A SASL mechanism of the application's own, for sasl.mechanism=CUSTOM; NULL:
     * none. What it points to must live as long as the client. */
    const struct kw_sasl_hook *sasl;
    /* Is told each step of setting a connection up, and what failed: for diagnosis and
     * metrics. Called inside the calls of the core; must not wait, nor call the client.
     * NULL: nobody listens. */
    void (*watch)(void *ctx, const struct kw_conn_step *step);
    void *watch_ctx;
    /* Work items (KW_WANT_WORK) that the host runs at the same time; 0 is 1. A producer
     * has as many contexts of its codec, up to two. libkwire runs one. */
    uint32_t work_threads;
    /* Used by libkwire if dns.resolver=auto; zeroed: c-ares, if it was built in. */
    struct kw_resolve_hook resolve;
};

#ifdef __cplusplus
}
#endif
#endif
