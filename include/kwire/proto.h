/* kwire/proto.h -- the protocol's messages and record batches for tools: names and
 * versions of the APIs, messages as JSON, what a batch holds.
 *
 * Nothing here talks to a broker, allocates or waits; every function may run on
 * any thread. Frames are taken apart by the caller: a body here begins behind
 * the request's or response's header. Source-level only: while the library is
 * 0.x these structs grow with it. */
#ifndef KWIRE_PROTO_H
#define KWIRE_PROTO_H
#include <kwire/client_types.h>
#include <kwire/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kw_proto_api {
    int16_t key;
    const char *name;               /* Kafka's: "ListOffsets"; static memory */
    int16_t min, max;               /* versions that can be read and written here */
    int16_t client_min, client_max; /* versions that the client sends; -1: never by itself */
    int16_t flex_since;             /* first flexible version; -1: none */
};
/* Fills *api with the i-th API by ascending key. 1, or 0: there are fewer. */
KW_EXPORT int kw_proto_api(size_t i, struct kw_proto_api *api);

/* Fills *data with the i-th blob that messages or records carry, such as the
 * subscription of a group's member: key is i, the client's range that of the table.
 * 1, or 0: there are fewer. */
KW_EXPORT int kw_proto_data(size_t i, struct kw_proto_api *data);

/* With KW_PROTO_DATA, api_key is the blob's number in kw_proto_data, and the body
 * what stands behind its version, which the first two bytes of most blobs hold. */
enum kw_proto_kind { KW_PROTO_REQUEST, KW_PROTO_RESPONSE, KW_PROTO_DATA };

/* Writes the JSON form of a body of exactly len bytes to out: names in camelCase,
 * bytes as base64, as Kafka's own tools print it. *out_len: the length, without
 * a NUL. Errors: KW_ERR_SPACE (*out_len is what it needs), KW_ERR_VERSION (no
 * such API or version), KW_ERR_SHORT, _VARINT, _LENGTH, _NULL, _TAGS, _TRAILING
 * (not such a body; err, which may be NULL, names field and offset). */
KW_EXPORT KW_MUST_USE int kw_proto_decode_json(int16_t api_key, int version,
                                               enum kw_proto_kind kind, const void *body,
                                               size_t len, char *out, size_t cap, size_t *out_len,
                                               struct kw_error *err);

/* Writes lines of text that say of each field where its bytes are, which, and what
 * they mean. Errors: as above. */
KW_EXPORT KW_MUST_USE int kw_proto_explain(int16_t api_key, int version, enum kw_proto_kind kind,
                                           const void *body, size_t len, char *out, size_t cap,
                                           size_t *out_len, struct kw_error *err);

/* The way back: writes the body that len bytes of JSON say. Members may stand in
 * any order; a tagged field may be absent. *out_len: the length. Errors:
 * KW_ERR_SPACE (*out_len is what it needs), KW_ERR_VERSION (no such API, version,
 * or field in this version), KW_ERR_SYNTAX, _NULL, _LENGTH, _TRAILING (not such a
 * message; err, which may be NULL, names field and byte of the text). */
KW_EXPORT KW_MUST_USE int kw_proto_encode_json(int16_t api_key, int version,
                                               enum kw_proto_kind kind, const char *json,
                                               size_t len, void *out, size_t cap, size_t *out_len,
                                               struct kw_error *err);

/* The header of a record batch of format 2, and where its records are. */
struct kw_proto_batch {
    int64_t base_offset;
    int32_t batch_length, partition_leader_epoch;
    int8_t magic;
    uint32_t crc;
    bool crc_is_good;
    int16_t attributes;
    uint8_t codec;          /* enum kw_codec_id, 0 none; others are unknown */
    uint8_t timestamp_type; /* 0 create time, 1 log append time */
    bool transactional, control;
    int32_t last_offset_delta;
    int64_t base_timestamp, max_timestamp;
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence, record_count;
    size_t size;             /* of the whole batch */
    struct kw_bytes records; /* within the input; compressed if codec is not 0 */
};
/* Reads the batch at the start of len bytes. Errors: KW_ERR_SHORT (it is cut
 * off), KW_ERR_CORRUPT (it contradicts itself), KW_ERR_UNSUPPORTED (a message of
 * format 0 or 1: base_offset, batch_length, magic and size are set). A wrong
 * checksum is no error here. */
KW_EXPORT KW_MUST_USE int kw_proto_batch(const void *ptr, size_t len, struct kw_proto_batch *batch);
/* Takes one record off *records, the decompressed records of the batch, which
 * *record borrows from. 1; 0 at the end; KW_ERR_CORRUPT. */
KW_EXPORT KW_MUST_USE int kw_proto_record(const struct kw_proto_batch *batch,
                                          struct kw_bytes *records, struct kw_consumed *record);

#ifdef __cplusplus
}
#endif
#endif
