/* proto/header.h -- frames, request headers and response headers.
 *
 *     frame    := int32 size, header, body      (size leaves itself out)
 *     request  := api_key i16, version i16, correlation_id i32, client_id string?
 *     response := correlation_id i32
 *
 * Flexible versions add a tag section to both headers, except that ApiVersions
 * answers never have one: a client must be able to read the answer of a broker
 * that does not know the version asked for. client_id is always the classic
 * string with a 16-bit length. */
#ifndef KWI_HEADER_H
#define KWI_HEADER_H
#include "proto/wire.h"

/* What the first four bytes of a frame are. */
enum kw_frame {
    KWI_FRAME_OK,
    KWI_FRAME_TOO_SMALL, /* below 4: no room for a correlation id */
    KWI_FRAME_NEGATIVE,
    KWI_FRAME_TOO_LARGE,
    KWI_FRAME_HTTP, /* "HTTP", or a method: the other side speaks HTTP */
    KWI_FRAME_TLS   /* a TLS alert or handshake record */
};

/* Judges the size prefix b against max (bytes). *size is always set. The sizes
 * that HTTP and TLS look like (1.2 GB, 352 MB) are named so only above max. */
enum kw_frame kwi_frame_size(const uint8_t b[4], int32_t max, int32_t *size);
/* What to tell a person about it, e.g. "the peer speaks HTTP on this port". */
const char *kwi_frame_text(enum kw_frame frame);

/* Leaves room for the size prefix and returns where; kwi_frame_end fills it,
 * counting the cuts that were added since. Call both for one frame at a time:
 * cut_len of the writer must be that of this frame alone. */
size_t kwi_frame_begin(struct kw_wr *w);
void kwi_frame_end(struct kw_wr *w, size_t at);

struct kw_request_header {
    int16_t api_key, api_version;
    int32_t correlation_id;
    struct kw_str client_id; /* borrowed from the frame; len -1 null */
};

/* Appends a request header of the version that (api_key, version) calls for.
 * Returns KW_ERR_UNSUPPORTED for an unknown api_key. */
int kwi_request_header_put(struct kw_wr *w, int16_t api_key, int16_t version,
                           int32_t correlation_id, struct kw_str client_id) KW_MUST_USE;

/* Reads the header of a request (buf without the size prefix); the body starts
 * at buf + *header_len. Versions above the known ones are read as flexible if
 * the highest known one is, so that they can be answered. KW_ERR_UNSUPPORTED:
 * api_key is unknown; *header is filled nevertheless, *header_len is not. */
int kwi_request_header_get(const uint8_t *buf, size_t len, struct kw_request_header *header,
                           size_t *header_len) KW_MUST_USE;

/* The same for responses; (api_key, version) are those of the request. */
int kwi_response_header_put(struct kw_wr *w, int16_t api_key, int16_t version,
                            int32_t correlation_id) KW_MUST_USE;
int kwi_response_header_get(const uint8_t *buf, size_t len, int16_t api_key, int16_t version,
                            int32_t *correlation_id, size_t *header_len) KW_MUST_USE;

#endif
