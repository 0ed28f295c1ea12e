/* proto/record.h -- one record inside a batch of format 2.
 *
 *     record := varint length, i8 attributes, varlong timestamp_delta,
 *               varint offset_delta, varint key_len, key, varint value_len,
 *               value, varint n_headers, header*
 *     header := varint key_len (>= 0), key, varint value_len, value
 *
 * Varints are zigzag; -1 is the null length. kwi_record_get is the innermost
 * loop of the consumer: about 50 instructions for a record without key. It
 * checks that key and value lie inside the record and leaves the headers raw;
 * the header iterator checks them when somebody looks. */
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

/* Reads a varint's raw (still zigzag) value. At least two bytes must lie before
 * end: every varint of a record but the last one is followed by another. */
static inline const uint8_t *kwi_record_raw(const uint8_t *p, const uint8_t *end,
                                            uint32_t max_bytes, uint64_t *raw)
{
    uint32_t low = p[0];
    if (KWI_LIKELY(low < 0x80)) {
        *raw = low;
        return p + 1;
    }
    if (KWI_LIKELY(p[1] < 0x80)) {
        *raw = (low & 0x7f) | (uint32_t)p[1] << 7;
        return p + 2;
    }
    return kwi_read_uvarint(p, end, max_bytes, raw);
}

/* Reads the record at p; the batch's records stop at end. Returns the position
 * behind it, or NULL when it is malformed: a varint too long, a length below -1
 * or beyond the record, a negative offset delta, a record that ends before or
 * after what its length says. */
static inline const uint8_t *kwi_record_get(const uint8_t *p, const uint8_t *end,
                                            struct kw_record_view *out)
{
    const uint8_t *stop;
    uint64_t raw;
    size_t len;

    if (KWI_UNLIKELY(end - p < 2))
        return NULL;
    p = kwi_record_raw(p, end, 5, &raw);
    /* The smallest record: attributes, two deltas, two lengths, one count. The
     * lowest bit of a zigzag number is its sign. */
    if (KWI_UNLIKELY(!p || raw & 1 || raw < 12 || raw >> 1 > (size_t)(end - p)))
        return NULL;
    stop = p + (size_t)(raw >> 1);

    p = kwi_record_raw(p + 1, stop, 10, &raw);
    if (KWI_UNLIKELY(!p || stop - p < 4))
        return NULL;
    out->timestamp_delta = kwi_unzigzag(raw);
    p = kwi_record_raw(p, stop, 5, &raw);
    if (KWI_UNLIKELY(!p || raw & 1 || stop - p < 3))
        return NULL;
    out->offset_delta = (int32_t)(raw >> 1);

    p = kwi_record_raw(p, stop, 5, &raw);
    if (KWI_UNLIKELY(!p))
        return NULL;
    out->key = NULL;
    out->key_len = -1;
    if (raw != 1) {
        len = (size_t)(raw >> 1);
        if (KWI_UNLIKELY(raw & 1 || len > (size_t)(stop - p)))
            return NULL;
        out->key = p;
        out->key_len = (int32_t)len;
        p += len;
    }

    if (KWI_UNLIKELY(stop - p < 2))
        return NULL;
    p = kwi_record_raw(p, stop, 5, &raw);
    if (KWI_UNLIKELY(!p))
        return NULL;
    out->value = NULL;
    out->value_len = -1;
    if (KWI_LIKELY(raw != 1)) {
        len = (size_t)(raw >> 1);
        if (KWI_UNLIKELY(raw & 1 || len > (size_t)(stop - p)))
            return NULL;
        out->value = p;
        out->value_len = (int32_t)len;
        p += len;
    }

    /* A header takes two bytes, so a count of 0 stands alone and no other can. */
    if (KWI_UNLIKELY(p == stop || (*p == 0) != (stop - p == 1)))
        return NULL;
    out->headers = p;
    out->headers_len = (uint32_t)(stop - p);
    return stop;
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
