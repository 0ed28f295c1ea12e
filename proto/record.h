/* proto/record.h -- one record inside a batch of format 2.
 *
 *     record := varint length, i8 attributes, varlong timestamp_delta,
 *               varint offset_delta, varint key_len, key, varint value_len,
 *               value, varint n_headers, header*
 *     header := varint key_len (>= 0), key, varint value_len, value
 *
 * Varints are zigzag; -1 is the null length. kwi_record_get is the innermost
 * loop of the consumer. It checks that key and value lie inside the record and
 * leaves the headers raw; the header iterator checks them when somebody looks. */
#ifndef KWI_RECORD_H
#define KWI_RECORD_H
#include "proto/wire.h"

/* Everything borrows from the batch. */
struct kw_record_view {
    int64_t timestamp_delta;
    int32_t offset_delta;
    int32_t key_len; /* -1 null */
    const uint8_t *key;
    const uint8_t *value;
    int32_t value_len;    /* -1 null: tombstone */
    uint32_t headers_len; /* bytes from the header count to the record's end; 0: no headers */
    const uint8_t *headers;
};

struct kw_record_header_view {
    const uint8_t *key;
    const uint8_t *value;
    int32_t key_len;
    int32_t value_len; /* -1 null */
};

struct kw_record_headers {
    const uint8_t *p, *end;
    int32_t left; /* headers not yet read */
};

/* The same as kwi_record_get, for varints of any length; out of line. */
const uint8_t *kwi_record_get_long(const uint8_t *p, const uint8_t *end,
                                   struct kw_record_view *out);

/* A varint of one or two bytes; NULL if it is longer. p[1] is looked at only if
 * p[0] says so. */
static inline const uint8_t *kwi_record_short(const uint8_t *p, uint32_t *raw)
{
    uint32_t low = p[0], high;
    if (low < 0x80) {
        *raw = low;
        return p + 1;
    }
    high = p[1];
    *raw = low - 0x80 + (high << 7);
    return KWI_LIKELY(high < 0x80) ? p + 2 : NULL;
}

/* The same for up to three bytes. */
static inline const uint8_t *kwi_record_medium(const uint8_t *p, uint32_t *raw)
{
    const uint8_t *next = kwi_record_short(p, raw);
    uint32_t last;

    if (KWI_LIKELY(next != NULL))
        return next;
    last = p[2];
    *raw += (last << 14) - (1 << 14);
    return KWI_LIKELY(last < 0x80) ? p + 3 : NULL;
}

/* Undoes the zigzag of a length: negative ones become larger than any size, so
 * that one comparison refuses them together with those that are too large. */
static inline uint32_t kwi_record_length(uint32_t raw)
{
    return raw >> 1 | raw << 31;
}

/* What a record says of its time and place. */
struct kw_record_deltas {
    int64_t timestamp;
    int32_t offset;
};

/* Where its body is to be written to. */
struct kw_record_body {
    struct kw_bytes *key, *value;
    const void **headers;
    uint32_t *headers_len;
};

/* A key of one record in many is null. NULL: it is unusual, or wrong. stop: 3 bytes and
 * more are needed behind the key. */
__attribute__((always_inline)) static inline const uint8_t *kwi_record_key_short(
    const uint8_t *p, const uint8_t *stop, struct kw_bytes *key)
{
    uint32_t raw, len;

    if (KWI_LIKELY(*p == 1)) {
        *key = (struct kw_bytes){NULL, 0};
        return p + 1;
    }
    p = kwi_record_short(p, &raw);
    if (KWI_UNLIKELY(!p))
        return NULL;
    len = kwi_record_length(raw);
    if (KWI_UNLIKELY((size_t)len + 3 > (size_t)(stop - p)))
        return NULL;
    *key = (struct kw_bytes){p, len};
    return p + len;
}

/* The common form of kwi_record_get: NULL also for records that are good but
 * unusual. Here varints have up to two bytes, those of the record's and the value's
 * length and of the offset up to three, as in nearly every record (values up to 1 MB,
 * batches up to 2^20 records). Key, value and headers go where the application reads
 * them, as soon as they are known, so that few registers are in use. */
__attribute__((always_inline)) static inline const uint8_t *kwi_record_get_short(
    const uint8_t *p, const uint8_t *end, struct kw_record_deltas *deltas,
    struct kw_record_body out)
{
    const uint8_t *stop;
    uint32_t raw, len;
    size_t left;

    /* Three bytes for the length. Ten for the rest leave three for the length of the
     * value, behind attributes, two deltas and a null key. */
    if (KWI_UNLIKELY(end - p < 3))
        return NULL;
    p = kwi_record_medium(p, &raw);
    if (KWI_UNLIKELY(!p))
        return NULL;
    len = kwi_record_length(raw);
    if (KWI_UNLIKELY(len > (size_t)(end - p) || len < 10))
        return NULL;
    stop = p + len;

    p = kwi_record_short(p + 1, &raw);
    if (KWI_UNLIKELY(!p))
        return NULL;
    deltas->timestamp = (int32_t)(raw >> 1) ^ -(int32_t)(raw & 1);
    p = kwi_record_medium(p, &raw);
    if (KWI_UNLIKELY(!p))
        return NULL;
    deltas->offset = (int32_t)kwi_record_length(raw);
    if (KWI_UNLIKELY(deltas->offset < 0))
        return NULL;
    p = kwi_record_key_short(p, stop, out.key);
    if (KWI_UNLIKELY(!p))
        return NULL;

    p = kwi_record_medium(p, &raw);
    if (KWI_UNLIKELY(!p))
        return NULL;
    /* Less than what is left: a header count follows. */
    len = kwi_record_length(raw);
    left = (size_t)(stop - p);
    if (KWI_UNLIKELY(len >= left))
        return NULL;
    *out.value = (struct kw_bytes){p, len};

    /* A header takes two bytes, so a count of 0 stands alone and no other can. */
    p += len;
    *out.headers = p;
    *out.headers_len = (uint32_t)(left - len);
    if (KWI_LIKELY(p + 1 == stop))
        return KWI_LIKELY(*p == 0) ? stop : NULL;
    return *p != 0 ? stop : NULL;
}

/* Reads the record at p; the batch's records stop at end. Returns the position
 * behind it, or NULL when it is malformed: a varint too long, a length below -1
 * or beyond the record, a negative offset delta, a record that ends before or
 * after what its length says. */
static inline const uint8_t *kwi_record_get(const uint8_t *p, const uint8_t *end,
                                            struct kw_record_view *out)
{
    struct kw_record_deltas deltas;
    struct kw_bytes key, value;
    const void *headers;
    uint32_t headers_len;
    const uint8_t *next = kwi_record_get_short(
        p, end, &deltas, (struct kw_record_body){&key, &value, &headers, &headers_len});

    if (KWI_UNLIKELY(!next))
        return kwi_record_get_long(p, end, out);
    *out = (struct kw_record_view){.timestamp_delta = deltas.timestamp,
                                   .offset_delta = deltas.offset,
                                   .key_len = key.ptr ? (int32_t)key.len : -1,
                                   .key = key.ptr,
                                   .value = value.ptr,
                                   .value_len = (int32_t)value.len,
                                   .headers_len = headers_len,
                                   .headers = headers};
    return next;
}

/* Starts a walk over the headers of a record. Returns how many there are, or
 * KW_ERR_CORRUPT when the count is negative or cannot fit. */
int32_t kwi_record_headers_init(struct kw_record_headers *it, const struct kw_record_view *record);
/* 1 with *out filled, 0 at the end, or KW_ERR_CORRUPT: malformed, or bytes are
 * left behind the last header. */
int kwi_record_headers_next(struct kw_record_headers *it, struct kw_record_header_view *out);
/* 0 if the whole walk would succeed, else KW_ERR_CORRUPT. */
int kwi_record_headers_check(const struct kw_record_view *record);

/* Writes a record. headers: n_headers entries, key never null. Not for hot
 * paths: the producer builds records in place. Fails as a writer does. */
void kwi_record_put(struct kw_wr *w, int64_t timestamp_delta, int32_t offset_delta,
                    struct kw_bytes key, struct kw_bytes value, const struct kw_header *headers,
                    uint32_t n_headers);

#endif
