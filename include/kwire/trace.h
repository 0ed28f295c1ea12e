/* kwire/trace.h -- trace context in record headers: the W3C traceparent
 * (https://www.w3.org/TR/trace-context/), version 00. */
#ifndef KWIRE_TRACE_H
#define KWIRE_TRACE_H
#include <kwire/client_types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "00-" 32 hex digits "-" 16 hex digits "-" 2 hex digits */
enum { KW_TRACEPARENT_LEN = 55 };
enum { KW_TRACE_SAMPLED = 1 }; /* of flags */
struct kw_trace_context {
    uint8_t trace_id[16], parent_id[8];
    uint8_t flags;
};

/* Writes a traceparent and a NUL. Errors: KW_ERR_USE (an id is all zero: the standard
 * forbids it). May a callback call it: yes. Threads: any. */
KW_EXPORT KW_MUST_USE int kw_traceparent_put(const struct kw_trace_context *context,
                                             char out[KW_TRACEPARENT_LEN + 1]);
/* Reads one, as a consumer finds it in a header. Later versions are read as far as this
 * one goes. Errors: KW_ERR_SYNTAX (it is none: ignore it and begin a trace of your own).
 * May a callback call it: yes. Threads: any. */
KW_EXPORT KW_MUST_USE int kw_traceparent_get(const void *text, size_t len,
                                             struct kw_trace_context *context);

/* The ctx of kw_trace_on_send: the caller's memory, as long as the hooks are set. */
struct kw_trace_hook {
    size_t size; /* sizeof(struct kw_trace_hook) */
    /* Says which trace a record belongs to, and which span produces it; returns false: to
     * none, and the record gets no header. NULL: each record begins a trace, with ids from
     * the generator of the client, which kw_env.seed seeds (libkwire: from the system):
     * unlike each other, and no secret. */
    bool (*current)(void *ctx, const struct kw_topic *topic, const struct kw_record *record,
                    struct kw_trace_context *context);
    void *ctx;
    uint8_t flags;                     /* of traces that begin here */
    struct kw_trace_context last;      /* of the last record that got a header */
    char text[KW_TRACEPARENT_LEN + 1]; /* its value */
};
/* A kw_producer_hooks.on_send: gives each record a header "traceparent", unless it has
 * one. Threads: the producer's; one hook for each producer. */
KW_EXPORT uint32_t kw_trace_on_send(void *hook, const struct kw_topic *topic,
                                    const struct kw_record *record, struct kw_header *headers,
                                    uint32_t cap);

#ifdef __cplusplus
}
#endif
#endif
