/* client/trace.c -- the W3C traceparent as a record header. See kwire/trace.h. */
#include <kwire/trace.h>

#include <string.h>

#include "base/bytes.h"
#include "client/producer.h"

static const char trace_name[] = "traceparent";

static bool trace_is_zero(const uint8_t *bytes, size_t n)
{
    uint8_t any = 0;

    for (size_t i = 0; i < n; i++)
        any |= bytes[i];
    return !any;
}

static char *trace_hex(char *to, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        *to++ = digits[bytes[i] >> 4];
        *to++ = digits[bytes[i] & 15];
    }
    return to;
}

int kw_traceparent_put(const struct kw_trace_context *context, char out[KW_TRACEPARENT_LEN + 1])
{
    static const uint8_t version = 0;
    char *at = out;

    if (trace_is_zero(context->trace_id, sizeof(context->trace_id)) ||
        trace_is_zero(context->parent_id, sizeof(context->parent_id)))
        return KW_ERR_USE;
    at = trace_hex(at, &version, 1);
    *at++ = '-';
    at = trace_hex(at, context->trace_id, sizeof(context->trace_id));
    *at++ = '-';
    at = trace_hex(at, context->parent_id, sizeof(context->parent_id));
    *at++ = '-';
    at = trace_hex(at, &context->flags, 1);
    *at = '\0';
    return 0;
}

/* Lower case only, as the standard has it. -1: no digit. */
static int trace_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool trace_read(const char *text, uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int high = trace_digit(text[2 * i]), low = trace_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

int kw_traceparent_get(const void *text, size_t len, struct kw_trace_context *context)
{
    const char *at = text;
    uint8_t version;

    if (!at || len < KW_TRACEPARENT_LEN || at[2] != '-' || at[35] != '-' || at[52] != '-' ||
        !trace_read(at, &version, 1) || version == 0xff)
        return KW_ERR_SYNTAX;
    if (version == 0 ? len != KW_TRACEPARENT_LEN
                     : len > KW_TRACEPARENT_LEN && at[KW_TRACEPARENT_LEN] != '-')
        return KW_ERR_SYNTAX;
    if (!trace_read(at + 3, context->trace_id, 16) || !trace_read(at + 36, context->parent_id, 8) ||
        !trace_read(at + 53, &context->flags, 1) || trace_is_zero(context->trace_id, 16) ||
        trace_is_zero(context->parent_id, 8))
        return KW_ERR_SYNTAX;
    return 0;
}

static bool trace_has(const struct kw_record *record)
{
    for (uint32_t i = 0; i < record->n_headers; i++) {
        const struct kw_bytes *key = &record->headers[i].key;
        if (key->len == sizeof(trace_name) - 1 && !memcmp(key->ptr, trace_name, key->len))
            return true;
    }
    return false;
}

static void trace_begin(const struct kw_trace_hook *hook, const struct kw_topic *topic,
                        struct kw_trace_context *context)
{
    struct kw_rng *rng = &topic->core->rng;

    do {
        kwi_put_u64(context->trace_id, kwi_rng_next(rng));
        kwi_put_u64(context->trace_id + 8, kwi_rng_next(rng));
        kwi_put_u64(context->parent_id, kwi_rng_next(rng));
    } while (trace_is_zero(context->trace_id, 16) || trace_is_zero(context->parent_id, 8));
    context->flags = hook->flags;
}

uint32_t kw_trace_on_send(void *ctx, const struct kw_topic *topic, const struct kw_record *record,
                          struct kw_header *headers, uint32_t cap)
{
    struct kw_trace_hook *hook = ctx;

    if (!cap || trace_has(record))
        return 0;
    if (!hook->current)
        trace_begin(hook, topic, &hook->last);
    else if (!hook->current(hook->ctx, topic, record, &hook->last))
        return 0;
    if (kw_traceparent_put(&hook->last, hook->text))
        return 0;
    headers[0].key = (struct kw_bytes){trace_name, sizeof(trace_name) - 1};
    headers[0].value = (struct kw_bytes){hook->text, KW_TRACEPARENT_LEN};
    return 1;
}
