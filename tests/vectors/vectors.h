/* vectors.h -- golden bytes made by Kafka's own classes, as C tables.
 *
 * Include this, then the .inc file with the table that is wanted: messages.inc
 * (vector_messages), data.inc (vector_blobs), layouts.inc (vector_layouts),
 * records.inc (vector_records), murmur2.inc (vector_hashes), crc.inc (vector_crcs),
 * varint.inc (vector_varints), uuid.inc (vector_uuids), sequence.inc
 * (vector_sequences), codec.inc (vector_codecs), misc.inc (vector_misc_rows). Bytes
 * are hex text. tools/vectors.sh makes all of it. */
#ifndef VECTORS_H
#define VECTORS_H
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct vector_message {
    const char *name;
    int16_t api_key, version;
    bool is_request;
    bool is_init;          /* Kafka's defaults; each array has one such element */
    bool has_unknown_tags; /* decodes to json, but encodes to other bytes */
    int32_t correlation_id, frame_size;
    const char *client_id;        /* NULL: null */
    const char *header_hex, *hex; /* hex: the body */
    const char *json;             /* compact; tagged fields that hold their default are left out */
};

/* A blob inside a message or record, without the version before it. */
struct vector_blob {
    const char *name, *api;
    int16_t version;
    bool is_init;
    const char *hex, *json;
};

/* User data of assignors, and metrics; tests know what is in them. */
struct vector_misc {
    const char *name, *hex;
};

/* The fields of a message in one version: "name:type" in wire order, ? where it
 * may be null, [] arrays, {} structs, tagged fields behind with #tag. */
struct vector_layout {
    int16_t api_key, version;
    bool is_request;
    const char *data; /* the name of a blob, which has no key; or NULL */
    const char *text;
};

struct vector_record {
    const char *name, *hex;
    bool crc_is_bad;
    const char *json; /* the batches; NULL if the checksum is bad */
};

struct vector_hash {
    const char *input_hex;
    int32_t hash, to_positive;
    int32_t partition_of_3, partition_of_12, partition_of_100; /* -1: not given */
};

struct vector_crc {
    const char *input_hex;
    uint32_t crc32c, crc32;
    bool has_crc32;
};

struct vector_varint {
    bool zigzag;
    int bits;
    int64_t value;
    const char *hex;
};

struct vector_uuid {
    const char *text, *hex;
};

struct vector_sequence {
    int32_t sequence, increment, result;
};

struct vector_codec {
    const char *name, *codec;
    const char *plain_hex; /* NULL: 70,000 bytes, byte i = (i * 31 + (i >> 7)) & 0x3f */
    uint32_t plain_crc32c; /* only then */
    const char *hex;
};

#define VECTOR_COUNT(table) (sizeof(table) / sizeof *(table))

static inline uint8_t vector_nibble(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* The bytes of a hex text in a block of exactly their size, so that a sanitizer
 * sees one byte too far. Free it. */
static inline uint8_t *vector_bytes(const char *hex, size_t *len)
{
    uint8_t *block;
    *len = strlen(hex) / 2;
    block = malloc(*len ? *len : 1);
    if (!block)
        abort();
    for (size_t i = 0; i < *len; i++)
        block[i] = (uint8_t)(vector_nibble(hex[2 * i]) << 4 | vector_nibble(hex[2 * i + 1]));
    return block;
}

#endif
