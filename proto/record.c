/* proto/record.c -- what need not be fast about records: the walk over headers,
 * and the simple encoder of the mock broker and the tests. */
#include "proto/record.h"

/* Reads a zigzag length of at most 32 bits; -1 (null) only where allowed. */
static const uint8_t *record_piece(const uint8_t *p, const uint8_t *end, bool nullable,
                                   const uint8_t **piece, int32_t *piece_len)
{
    uint64_t raw;
    p = kwi_read_uvarint(p, end, 5, &raw);
    if (!p)
        return NULL;
    *piece = NULL;
    *piece_len = -1;
    if (raw == 1)
        return nullable ? p : NULL;
    if (raw & 1 || raw >> 1 > (uint64_t)(end - p))
        return NULL;
    *piece = p;
    *piece_len = (int32_t)(raw >> 1);
    return p + (size_t)(raw >> 1);
}

const uint8_t *kwi_record_get_long(const uint8_t *p, const uint8_t *end, struct kw_record_view *out)
{
    const uint8_t *stop;
    uint64_t raw;
    p = kwi_read_uvarint(p, end, 5, &raw);
    if (!p || raw & 1 || raw >> 1 > (uint64_t)(end - p) || raw == 0)
        return NULL;
    stop = p + (size_t)(raw >> 1);
    p = kwi_read_uvarint(p + 1, stop, 10, &raw); /* attributes: unused, skipped */
    if (!p)
        return NULL;
    out->timestamp_delta = kwi_unzigzag(raw);
    p = kwi_read_uvarint(p, stop, 5, &raw);
    if (!p || raw & 1)
        return NULL;
    out->offset_delta = (int32_t)(raw >> 1);
    p = record_piece(p, stop, true, &out->key, &out->key_len);
    if (p)
        p = record_piece(p, stop, true, &out->value, &out->value_len);
    /* A header takes two bytes, so a count of 0 stands alone and no other can. */
    if (!p || p == stop || (*p == 0) != (stop - p == 1))
        return NULL;
    out->headers = p;
    out->headers_len = (uint32_t)(stop - p);
    return stop;
}

int32_t kwi_record_headers_init(struct kw_record_headers *it, const struct kw_record_view *record)
{
    const uint8_t *p = record->headers;
    const uint8_t *end = p + record->headers_len;
    uint64_t raw;
    *it = (struct kw_record_headers){.p = p, .end = p, .left = 0};
    p = kwi_read_uvarint(p, end, 5, &raw);
    /* Each header takes two bytes at least. */
    if (!p || raw & 1 || raw > (uint64_t)(end - p))
        return KW_ERR_CORRUPT;
    *it = (struct kw_record_headers){.p = p, .end = end, .left = (int32_t)(raw >> 1)};
    return it->left;
}

int kwi_record_headers_next(struct kw_record_headers *it, struct kw_record_header_view *out)
{
    const uint8_t *p = it->p;
    if (it->left == 0)
        return p == it->end ? 0 : KW_ERR_CORRUPT;
    p = record_piece(p, it->end, false, &out->key, &out->key_len);
    if (p)
        p = record_piece(p, it->end, true, &out->value, &out->value_len);
    if (!p)
        return KW_ERR_CORRUPT;
    it->p = p;
    it->left--;
    return 1;
}

int kwi_record_headers_check(const struct kw_record_view *record)
{
    struct kw_record_headers it;
    struct kw_record_header_view header;
    int more = kwi_record_headers_init(&it, record);
    if (more < 0)
        return more;
    do
        more = kwi_record_headers_next(&it, &header);
    while (more == 1);
    return more;
}

static void record_put_piece(struct kw_wr *w, struct kw_bytes piece)
{
    if (piece.len > INT32_MAX) {
        kwi_wr_fail(w, KW_ERR_LENGTH);
        return;
    }
    kwi_wr_varint(w, piece.ptr ? (int64_t)piece.len : -1);
    if (piece.ptr)
        kwi_wr_put(w, piece.ptr, piece.len);
}

static void record_put_body(struct kw_wr *w, int64_t timestamp_delta, int32_t offset_delta,
                            const struct kw_bytes piece[2], const struct kw_header *headers,
                            uint32_t n_headers)
{
    kwi_wr_u8(w, 0);
    kwi_wr_varint(w, timestamp_delta);
    kwi_wr_varint(w, offset_delta);
    record_put_piece(w, piece[0]);
    record_put_piece(w, piece[1]);
    kwi_wr_varint(w, (int64_t)n_headers);
    for (uint32_t i = 0; i < n_headers; i++) {
        if (!headers[i].key.ptr)
            kwi_wr_fail(w, KW_ERR_NULL);
        record_put_piece(w, headers[i].key);
        record_put_piece(w, headers[i].value);
    }
}

void kwi_record_put(struct kw_wr *w, int64_t timestamp_delta, int32_t offset_delta,
                    struct kw_bytes key, struct kw_bytes value, const struct kw_header *headers,
                    uint32_t n_headers)
{
    const struct kw_bytes piece[2] = {key, value};
    struct kw_wr size = {.buf = NULL}; /* measures only */
    if (offset_delta < 0)
        kwi_wr_fail(w, KW_ERR_LENGTH);
    record_put_body(&size, timestamp_delta, offset_delta, piece, headers, n_headers);
    if (size.err)
        kwi_wr_fail(w, size.err);
    kwi_wr_varint(w, (int64_t)size.len);
    record_put_body(w, timestamp_delta, offset_delta, piece, headers, n_headers);
}
