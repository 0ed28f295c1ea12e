/* proto/schema.h -- message schemas as constant tables, and one codec for all.
 *
 * A message is a plain struct plus one table row per field. Decoding borrows:
 * strings, bytes, records and arrays point into the frame and live as long as
 * it does. Nothing here allocates. Schemas are constant, so every function is
 * reentrant and may run on any thread.
 *
 * Limits: element structs of at most KWI_ELEM_MAX bytes, KWI_FIELDS_MAX rows in a
 * table, tables nested at most KWI_DEPTH_MAX deep (checked for every table by
 * tests/proto). */
#ifndef KWI_SCHEMA_H
#define KWI_SCHEMA_H
#include "proto/wire.h"

enum kw_kind {
    KWI_BOOL,
    KWI_I8,
    KWI_I16,
    KWI_U16,
    KWI_I32,
    KWI_U32,
    KWI_I64,
    KWI_F64,
    KWI_UUID,
    KWI_STR,
    KWI_BLOB,
    KWI_RECORDS,
    KWI_ARRAY,
    KWI_STRUCT
};

enum {
    KWI_LAST = 127,     /* `until`: still present in the newest version */
    KWI_NOT_NULL = 127, /* `null_since`: never nullable */
    KWI_NEVER = 127,    /* `flex_since`: no flexible version exists */
    KWI_NULL = -1,      /* default of a nullable string, bytes, array or struct */
    KWI_IGNORABLE = 1,  /* the encoder may drop it where a version lacks it */
    KWI_ELEM_MAX = 512,
    KWI_FIELDS_MAX = 32, /* rows of one table */
    KWI_DEPTH_MAX = 8
};

struct kw_schema;

/* One field. Rows stand in wire order. */
struct kw_field {
    const char *name;            /* Kafka's name in snake_case */
    const struct kw_schema *sub; /* of an array's element, or of a struct */
    int64_t def;                 /* value when absent from the wire */
    uint16_t offset;             /* bytes into the C struct */
    uint8_t kind, flags;
    int8_t tag;          /* -1: positional */
    int8_t since, until; /* first and last version that has it */
    int8_t null_since;   /* first version in which it may be null */
};

struct kw_schema {
    const char *name;
    const struct kw_field *fields;
    uint16_t n_fields, size; /* size: of the C struct, bytes */
    int8_t since, until, flex_since;
    bool bare; /* element of an array of plain values: no struct on the wire */
};

/* An array. To encode: set items and n, leave the rest zero. After decoding: n
 * is valid (-1 null) and kwi_iter_next reads the elements from the frame. A
 * decoded array may be encoded again, into any version. */
struct kw_arr {
    const void *items;              /* caller's elements, or NULL */
    const uint8_t *wire, *wire_end; /* encoded elements within the frame */
    const struct kw_schema *elem;   /* set by the decoder, like the rest */
    int32_t n;
    int8_t version;
    bool compact;
};

#define KWI_ARR(ptr_, count_) ((struct kw_arr){.items = (ptr_), .n = (int32_t)(count_)})

struct kw_iter {
    struct kw_rd rd;
    const struct kw_schema *elem;
    int32_t left;
    int8_t version;
    bool compact;
};

/* Walks a decoded array. kwi_iter_next fills *elem (the element's C type: the
 * struct, or int32_t, struct kw_str ... for plain values) and returns false at
 * the end. It cannot fail: the decoder checked the bytes by the same code. The
 * iterator keeps no pointer to *arr, only to the frame. */
void kwi_iter_init(struct kw_iter *it, const struct kw_arr *arr);
bool kwi_iter_next(struct kw_iter *it, void *elem);

/* Why and where a decode stopped, for logs and tests. */
struct kw_fault {
    int err; /* enum kw_err */
    int version;
    const char *message; /* the schema's name */
    size_t offset;       /* bytes from the start of the body */
    uint64_t needed;     /* KW_ERR_SHORT: bytes or elements the field claims */
    size_t left;         /* bytes that were left at offset */
    char path[128];      /* "topics[3].partitions[0].current_leader"; "" = whole body */
};

/* One line: "metadata_response v12: topics[3].name at byte 97: needs 40 bytes,
 * 12 are left". Returns the length without the NUL, as kwi_fmt does. */
size_t kwi_fault_format(const struct kw_fault *fault, char *buf, size_t cap);

/* Sets every field of *msg to its default. Callers that encode start here, for
 * elements of arrays too: a zeroed struct is not the same (null, -1, MIN). */
void kwi_init(const struct kw_schema *schema, void *msg);

/* Decodes exactly len bytes. *msg borrows from buf. Returns 0, or with *msg
 * unspecified KW_ERR_SHORT, _VARINT, _LENGTH, _NULL, _TAGS, _TRAILING, _VERSION.
 * *fault (may be NULL) is written on failure only. Time is linear in len. */
int kwi_decode(const struct kw_schema *schema, int version, const uint8_t *buf, size_t len,
               void *msg, struct kw_fault *fault) KW_MUST_USE;

/* The same for a message that may be followed by other bytes: *used is its size. */
int kwi_decode_first(const struct kw_schema *schema, int version, const uint8_t *buf, size_t len,
                     void *msg, size_t *used, struct kw_fault *fault) KW_MUST_USE;

/* Appends *msg to w. Returns 0, or KW_ERR_VERSION (no such version, or a set
 * field that it lacks), _NULL, _LENGTH, _SPACE (w->len is the size needed). A
 * failed writer stays failed. *msg must outlive w->cuts, which point into it;
 * with cuts, arrays of records must be caller's items, not decoded ones. */
int kwi_encode(const struct kw_schema *schema, int version, const void *msg,
               struct kw_wr *w) KW_MUST_USE;

/* True if the field holds the value that its absence would mean. */
bool kwi_field_is_default(const struct kw_field *field, const void *src);

/* Elements of arrays of plain values. */
extern const struct kw_schema kwi_elem_i8, kwi_elem_i16, kwi_elem_i32, kwi_elem_i64, kwi_elem_str,
    kwi_elem_uuid;

/* ---- tables ------------------------------------------------------------- */

/* clang-format off */
/* The wire type is taken from the C type, so the two cannot disagree. */
#define KWI_KIND_(T, m)                                                                        \
    _Generic(((T *)0)->m, bool: KWI_BOOL, int8_t: KWI_I8, int16_t: KWI_I16, uint16_t: KWI_U16, \
             int32_t: KWI_I32, uint32_t: KWI_U32, int64_t: KWI_I64, double: KWI_F64,           \
             struct kw_uuid: KWI_UUID, struct kw_str: KWI_STR, struct kw_blob: KWI_BLOB,       \
             struct kw_record_set: KWI_RECORDS, struct kw_arr: KWI_ARRAY, default: KWI_STRUCT)
#define KWI_ROW_AS_(n, T, m, s, t, v0, v1, nul, d, fl)                                         \
    {                                                                                          \
        .name = (n), .sub = (s), .def = (d), .offset = offsetof(struct kw_##T, m),             \
        .kind = KWI_KIND_(struct kw_##T, m), .flags = (fl), .tag = (t), .since = (v0),         \
        .until = (v1), .null_since = (nul)                                                     \
    }
#define KWI_ROW_(T, m, s, t, v0, v1, nul, d, fl) KWI_ROW_AS_(#m, T, m, s, t, v0, v1, nul, d, fl)
/* clang-format on */

/* A plain value that is never null. */
#define KWI_VALUE(T, m, since, until, def, flags) \
    KWI_ROW_(T, m, NULL, -1, since, until, KWI_NOT_NULL, def, flags)
/* Up to six plain values that every version has and that are zero unless set. */
#define KWI_EVER(T, ...)                                                                           \
    KWI_PICK_(__VA_ARGS__, KWI_EVER6_, KWI_EVER5_, KWI_EVER4_, KWI_EVER3_, KWI_EVER2_, KWI_EVER1_, \
              0)                                                                                   \
    (T, __VA_ARGS__)
#define KWI_PICK_(a, b, c, d, e, f, chosen, ...) chosen
#define KWI_EVER1_(T, m) KWI_VALUE(T, m, 0, KWI_LAST, 0, 0)
#define KWI_EVER2_(T, m, ...) KWI_EVER1_(T, m), KWI_EVER1_(T, __VA_ARGS__)
#define KWI_EVER3_(T, m, ...) KWI_EVER1_(T, m), KWI_EVER2_(T, __VA_ARGS__)
#define KWI_EVER4_(T, m, ...) KWI_EVER1_(T, m), KWI_EVER3_(T, __VA_ARGS__)
#define KWI_EVER5_(T, m, ...) KWI_EVER1_(T, m), KWI_EVER4_(T, __VA_ARGS__)
#define KWI_EVER6_(T, m, ...) KWI_EVER1_(T, m), KWI_EVER5_(T, __VA_ARGS__)
/* A string, bytes or records that may be null from version null_since on. */
#define KWI_MAYBE(T, m, since, until, null_since, def, flags) \
    KWI_ROW_(T, m, NULL, -1, since, until, null_since, def, flags)
/* The same, null by default and from the version on in which it appears. */
#define KWI_MAYBE_FROM(T, m, since) KWI_MAYBE(T, m, since, KWI_LAST, since, KWI_NULL, 0)
/* A plain value under another name than the C struct's, where Kafka gave one name
 * to fields of two types. */
#define KWI_NAMED(name, T, m, since, until) \
    KWI_ROW_AS_(name, T, m, NULL, -1, since, until, KWI_NOT_NULL, 0, 0)
/* An array; elem is a struct's name (KWI_LIST; KWI_LIST_FROM: never null, in all
 * versions from one on) or kwi_elem_x (KWI_PLAIN). */
#define KWI_LIST(T, m, elem, since, until, null_since, def, flags) \
    KWI_ROW_(T, m, &kwi_##elem##_schema, -1, since, until, null_since, def, flags)
#define KWI_LIST_FROM(T, m, elem, since) KWI_LIST(T, m, elem, since, KWI_LAST, KWI_NOT_NULL, 0, 0)
#define KWI_LIST_MAYBE(T, m, elem, since) KWI_LIST(T, m, elem, since, KWI_LAST, since, KWI_NULL, 0)
#define KWI_PLAIN(T, m, elem, since, until, flags) \
    KWI_ROW_(T, m, &kwi_elem_##elem, -1, since, until, KWI_NOT_NULL, 0, flags)
/* The same where the array itself may be null. */
#define KWI_PLAIN_MAYBE(T, m, elem, since, until, null_since, def, flags) \
    KWI_ROW_(T, m, &kwi_elem_##elem, -1, since, until, null_since, def, flags)
/* A single struct. If it may be null, its C struct begins with `bool present`,
 * which has no row: the marker byte on the wire stands for it. */
#define KWI_ONE(T, m, elem, since, until, null_since, def, flags) \
    KWI_ROW_(T, m, &kwi_##elem##_schema, -1, since, until, null_since, def, flags)
#define KWI_ONE_MAYBE(T, m, elem, since) KWI_ONE(T, m, elem, since, KWI_LAST, since, KWI_NULL, 0)
#define KWI_ONE_FROM(T, m, elem, since) KWI_ONE(T, m, elem, since, KWI_LAST, KWI_NOT_NULL, 0, 0)
/* Tagged fields (KIP-482): plain, and with a sub-schema (array or struct). */
#define KWI_TAG(T, m, tag, since, until, null_since, def, flags) \
    KWI_ROW_(T, m, NULL, tag, since, until, null_since, def, flags)
#define KWI_TAG_OF(T, m, elem, tag, since, until, null_since, def, flags) \
    KWI_ROW_(T, m, &kwi_##elem##_schema, tag, since, until, null_since, def, flags)

#define KWI_SCHEMA(T, rows, v0, v1, flex)                                                  \
    const struct kw_schema kwi_##T##_schema = {.name = #T,                                 \
                                               .fields = (rows),                           \
                                               .n_fields = sizeof(rows) / sizeof(*(rows)), \
                                               .size = sizeof(struct kw_##T),              \
                                               .since = (v0),                              \
                                               .until = (v1),                              \
                                               .flex_since = (flex)}

/* The schema of a nested struct: its message decides about versions. */
#define KWI_PART_SCHEMA(T, rows) KWI_SCHEMA(T, rows, 0, KWI_LAST, 0)

/* A struct's table, rows and schema in one: of a nested struct, and of a message
 * with its versions v0 to v1, of which those from flex on are flexible. */
#define KWI_PART_TABLE(T, ...)                               \
    static const struct kw_field T##_rows[] = {__VA_ARGS__}; \
    KWI_PART_SCHEMA(T, T##_rows)
#define KWI_TABLE(T, v0, v1, flex, ...)                      \
    static const struct kw_field T##_rows[] = {__VA_ARGS__}; \
    KWI_SCHEMA(T, T##_rows, v0, v1, flex)

/* Declares the schema of a nested struct and its typed initialiser. */
#define KWI_PART(T)                                        \
    extern const struct kw_schema kwi_##T##_schema;        \
    static inline void kwi_##T##_init(struct kw_##T *part) \
    {                                                      \
        kwi_init(&kwi_##T##_schema, part);                 \
    }

/* Of up to six nested structs. */
#define KWI_PARTS(...)                                                                      \
    KWI_PICK_(__VA_ARGS__, KWI_PARTS6_, KWI_PARTS5_, KWI_PARTS4_, KWI_PARTS3_, KWI_PARTS2_, \
              KWI_PART, 0)                                                                  \
    (__VA_ARGS__)
#define KWI_PARTS2_(T, ...) KWI_PART(T) KWI_PART(__VA_ARGS__)
#define KWI_PARTS3_(T, ...) KWI_PART(T) KWI_PARTS2_(__VA_ARGS__)
#define KWI_PARTS4_(T, ...) KWI_PART(T) KWI_PARTS3_(__VA_ARGS__)
#define KWI_PARTS5_(T, ...) KWI_PART(T) KWI_PARTS4_(__VA_ARGS__)
#define KWI_PARTS6_(T, ...) KWI_PART(T) KWI_PARTS5_(__VA_ARGS__)

/* The same for a message, with typed entry points to the codec, so that no void
 * pointer reaches the callers. */
#define KWI_MESSAGE(T)                                                                           \
    KWI_PART(T)                                                                                  \
    KW_MUST_USE static inline int kwi_##T##_decode(                                              \
        struct kw_##T *msg, int version, const uint8_t *buf, size_t len, struct kw_fault *fault) \
    {                                                                                            \
        return kwi_decode(&kwi_##T##_schema, version, buf, len, msg, fault);                     \
    }                                                                                            \
    KW_MUST_USE static inline int kwi_##T##_encode(const struct kw_##T *msg, int version,        \
                                                   struct kw_wr *w)                              \
    {                                                                                            \
        return kwi_encode(&kwi_##T##_schema, version, msg, w);                                   \
    }

/* Both messages of an API. */
#define KWI_API(T) KWI_MESSAGE(T##_request) KWI_MESSAGE(T##_response)

#endif
