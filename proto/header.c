/* proto/header.c -- frames, request headers and response headers. Formats and
 * the exception for ApiVersions: header.h. */
#include "proto/header.h"

#include "proto/api.h"

/* First words of what a peer that speaks HTTP sends, as a frame size. */
static bool frame_is_http(uint32_t word)
{
    return word == 0x48545450u    /* "HTTP" */
           || word == 0x47455420u /* "GET " */
           || word == 0x504f5354u /* "POST" */
           || word == 0x48454144u /* "HEAD" */
           || word == 0x50555420u /* "PUT " */
           || word == 0x4f505449u /* "OPTI" */
           || word == 0x50524920u /* "PRI ", HTTP/2 */;
}

enum kw_frame kwi_frame_size(const uint8_t b[4], int32_t max, int32_t *size)
{
    *size = (int32_t)kwi_get_u32(b);
    if (*size < 0)
        return KWI_FRAME_NEGATIVE;
    if (*size < 4)
        return KWI_FRAME_TOO_SMALL;
    if (*size <= max)
        return KWI_FRAME_OK;
    if (frame_is_http((uint32_t)*size))
        return KWI_FRAME_HTTP;
    /* A TLS record: type alert (21) or handshake (22), then version 3.x. */
    if ((b[0] == 0x15 || b[0] == 0x16) && b[1] == 0x03)
        return KWI_FRAME_TLS;
    return KWI_FRAME_TOO_LARGE;
}

const char *kwi_frame_text(enum kw_frame frame)
{
    switch (frame) {
    case KWI_FRAME_OK: return "the frame is well formed";
    case KWI_FRAME_TOO_SMALL:
        return "the frame is too small to hold a header; is this a Kafka listener?";
    case KWI_FRAME_NEGATIVE: return "the frame's size is negative; is this a Kafka listener?";
    case KWI_FRAME_TOO_LARGE:
        return "the frame is larger than the limit, or this is no Kafka listener";
    case KWI_FRAME_HTTP: return "the peer speaks HTTP on this port";
    case KWI_FRAME_TLS: return "the peer speaks TLS on this port, and we do not";
    }
    return "unknown";
}

size_t kwi_frame_begin(struct kw_wr *w)
{
    size_t at = w->len;
    kwi_wr_u32(w, 0);
    return at;
}

void kwi_frame_end(struct kw_wr *w, size_t at)
{
    size_t size = w->len - at - 4 + w->cut_len;
    if (size > INT32_MAX)
        kwi_wr_fail(w, KW_ERR_SPACE);
    if (!w->err && w->buf && at + 4 <= w->cap)
        kwi_put_u32(w->buf + at, (uint32_t)size);
}

static bool header_is_flexible(const struct kw_api_info *api, int16_t version)
{
    return version >= api->flex_since;
}

int kwi_request_header_put(struct kw_wr *w, int16_t api_key, int16_t version,
                           int32_t correlation_id, struct kw_str client_id)
{
    const struct kw_api_info *api = kwi_api_info(api_key);
    if (!api)
        return KW_ERR_UNSUPPORTED;
    kwi_wr_u16(w, (uint16_t)api_key);
    kwi_wr_u16(w, (uint16_t)version);
    kwi_wr_u32(w, (uint32_t)correlation_id);
    kwi_wr_len(w, client_id.len, 2, false);
    kwi_wr_put(w, client_id.ptr, client_id.len > 0 ? (size_t)client_id.len : 0);
    if (header_is_flexible(api, version))
        kwi_wr_u8(w, 0); /* no tags */
    return kwi_wr_status(w);
}

/* Header tags: none is defined, all are skipped. */
static void header_skip_tags(struct kw_rd *r)
{
    for (uint32_t n = kwi_rd_uvarint(r); n && !r->err; n--) {
        kwi_rd_uvarint(r);
        kwi_rd_take(r, kwi_rd_uvarint(r));
    }
}

int kwi_request_header_get(const uint8_t *buf, size_t len, struct kw_request_header *header,
                           size_t *header_len)
{
    struct kw_rd r = kwi_rd_make(buf, len);
    const struct kw_api_info *api;
    const uint8_t *b;
    header->api_key = (int16_t)kwi_rd_u16(&r);
    header->api_version = (int16_t)kwi_rd_u16(&r);
    header->correlation_id = (int32_t)kwi_rd_u32(&r);
    header->client_id.len = kwi_rd_len(&r, 2, false);
    b = kwi_rd_take(&r, header->client_id.len > 0 ? (size_t)header->client_id.len : 0);
    header->client_id.ptr = header->client_id.len >= 0 ? (const char *)b : NULL;
    if (r.err)
        return r.err;
    api = kwi_api_info(header->api_key);
    if (!api)
        return KW_ERR_UNSUPPORTED;
    if (header_is_flexible(api, header->api_version))
        header_skip_tags(&r);
    *header_len = (size_t)(r.p - buf);
    return r.err;
}

int kwi_response_header_put(struct kw_wr *w, int16_t api_key, int16_t version,
                            int32_t correlation_id)
{
    const struct kw_api_info *api = kwi_api_info(api_key);
    if (!api)
        return KW_ERR_UNSUPPORTED;
    kwi_wr_u32(w, (uint32_t)correlation_id);
    if (api_key != KW_API_API_VERSIONS && header_is_flexible(api, version))
        kwi_wr_u8(w, 0);
    return kwi_wr_status(w);
}

int kwi_response_header_get(const uint8_t *buf, size_t len, int16_t api_key, int16_t version,
                            int32_t *correlation_id, size_t *header_len)
{
    const struct kw_api_info *api = kwi_api_info(api_key);
    struct kw_rd r = kwi_rd_make(buf, len);
    if (!api)
        return KW_ERR_UNSUPPORTED;
    *correlation_id = (int32_t)kwi_rd_u32(&r);
    if (api_key != KW_API_API_VERSIONS && header_is_flexible(api, version))
        header_skip_tags(&r);
    *header_len = (size_t)(r.p - buf);
    return r.err;
}
