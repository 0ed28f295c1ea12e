/* fuzz_schema.c -- one harness for every message, direction and version.
 *
 * covers: B01 B02 B03 B04 B05 B14
 *
 * Byte 0 is the API's key and, in its top bit, the direction, or (127) a table of
 * what the encoding allows and no message has; byte 1 picks the version (255: one
 * above the last, 254: one below the first), the rest is the body. Checks: no bad access;
 * a fault lies inside the input and prints; what decodes walks within the input,
 * and encodes; decode(encode(x)) is x, field by field; the same message in the
 * caller's own arrays makes the same bytes, also with its record data left out;
 * in another version it is refused or a message; measuring and writing agree. */
#include "fuzz/message.h"
#include "proto/api.h"
#include "proto/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SCHEMA_ODD = 127, SCHEMA_ABOVE = 255, SCHEMA_BELOW = 254 };

/* ---- a table of what no message has -------------------------------------------- */

struct kw_odd_part {
    bool present; /* has no row: the marker says it */
    uint32_t number;
    struct kw_str text;
};
struct kw_odd_holder {
    struct kw_odd_part part;
};
struct kw_odd {
    struct kw_odd_part part, there, gone;
    struct kw_arr holders, maybe, ids;
    struct kw_blob blob, never;
    struct kw_record_set records;
    struct kw_uuid id;
    struct kw_str name;
    double number;
    uint16_t port;
    bool flag;
};
/* clang-format off */
KWI_PART_TABLE(odd_part,
    KWI_EVER(odd_part, number),
    KWI_MAYBE(odd_part, text, 0, KWI_LAST, 1, 0, 0));
KWI_PART_TABLE(odd_holder,
    KWI_ONE(odd_holder, part, odd_part, 0, KWI_LAST, 1, 0, 0));
KWI_TABLE(odd, 0, 2, 1,
    KWI_ONE(odd, part, odd_part, 0, KWI_LAST, 1, 0, 0),
    KWI_LIST(odd, holders, odd_holder, 0, KWI_LAST, KWI_NOT_NULL, 0, 0),
    KWI_LIST(odd, maybe, odd_part, 1, KWI_LAST, 1, KWI_NULL, KWI_IGNORABLE),
    KWI_PLAIN(odd, ids, uuid, 2, KWI_LAST, 0),
    KWI_MAYBE(odd, never, 0, 0, 0, 0, 0),
    KWI_TAG(odd, blob, 0, 1, KWI_LAST, KWI_NOT_NULL, 0, 0),
    KWI_TAG(odd, records, 1, 1, KWI_LAST, 1, 0, 0),
    KWI_TAG(odd, number, 2, 1, KWI_LAST, KWI_NOT_NULL, 0, 0),
    KWI_TAG(odd, id, 3, 1, KWI_LAST, KWI_NOT_NULL, 0, 0),
    KWI_TAG(odd, name, 4, 1, KWI_LAST, 2, KWI_NULL, 0),
    KWI_TAG(odd, port, 5, 1, KWI_LAST, KWI_NOT_NULL, 9092, 0),
    KWI_TAG(odd, flag, 6, 1, KWI_LAST, KWI_NOT_NULL, 1, 0),
    KWI_TAG_OF(odd, there, odd_part, 7, 1, KWI_LAST, 1, 0, 0),
    KWI_TAG_OF(odd, gone, odd_part, 8, 2, KWI_LAST, 2, KWI_NULL, 0));
/* clang-format on */

/* ---- headers ---------------------------------------------------------------------- */

static void check_response_header(const uint8_t *data, size_t size, int16_t key, int16_t version)
{
    int32_t correlation_id;
    size_t header_len;
    int err = kwi_response_header_get(data, size, key, version, &correlation_id, &header_len);
    CHECK(err || (header_len <= size && header_len >= 4));
}

/* An answer's header depends on little: this message's own, and the odd one. */
static void check_headers(const struct kw_api_info *api, int version, const uint8_t *data,
                          size_t size)
{
    struct kw_request_header header;
    size_t header_len;
    if (kwi_request_header_get(data, size, &header, &header_len) == 0)
        CHECK(header_len <= size && header_len >= 10);
    check_response_header(data, size, api->key, (int16_t)version);
    check_response_header(data, size, KW_API_API_VERSIONS, 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    union fuzz_message msg;
    size_t n;
    const struct kw_api_info *api;
    const struct kw_schema *s = &kwi_odd_schema;
    int version;
    if (size < 2)
        return 0;
    api = kwi_api_info(data[0] & 127);
    if (!api) {
        api = kwi_api_list(&n);
        api += (data[0] & 127) % n;
    }
    if ((data[0] & 127) != SCHEMA_ODD)
        s = data[0] & 128 ? api->response : api->request;
    version = s->since + data[1] % (s->until - s->since + 1);
    if (data[1] == SCHEMA_ABOVE)
        version = s->until + 1;
    if (data[1] == SCHEMA_BELOW)
        version = s->since - 1;
    check_headers(api, version, data + 2, size - 2);
    (void)fuzz_message_round(s, version, data + 2, size - 2, &msg);
    return 0;
}
