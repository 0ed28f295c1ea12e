/* fuzz_blobs.c -- what stands inside messages and records.
 *
 * covers: B01 B02 B03 G34
 *
 * Byte 0 picks the reader, byte 1 the version of those that are told one; the
 * rest is the blob. Checks: a typed error, with a fault inside the blob, or a
 * value that walks within it; a version above the known ones is read as the
 * highest; what was read and is written again begins the blob, or is all of it
 * where the blob ended as an older version does; get(put(x)) is x; two readers of
 * one thing agree; what metrics are written as nests to its end. */
#include "fuzz/message.h"
#include "proto/consumer_protocol.h"
#include "proto/control.h"
#include "proto/data.h"
#include "proto/otlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum blobs_reader {
    BLOBS_SUBSCRIPTION,
    BLOBS_ASSIGNMENT,
    BLOBS_STICKY,
    BLOBS_CONTROL_KEY,
    BLOBS_END_TXN,
    BLOBS_OTLP,
    BLOBS_NAME,
    BLOBS_TABLES = 8 /* and above: by the tables, byte 0 is 8 + the index there */
};

static bool blobs_is_typed(int rc)
{
    return rc == KW_ERR_SHORT || rc == KW_ERR_LENGTH || rc == KW_ERR_NULL || rc == KW_ERR_VERSION;
}

/* The blob begins with what one of the versions up to `version` makes of it; an
 * older one, only if nothing follows. */
static void check_begins(const struct kw_schema *s, int version, const void *msg,
                         const uint8_t *data, size_t size)
{
    bool found = false;
    for (int v = version; v >= s->since && !found; v--) {
        struct kw_wr w = kwi_wr_make(NULL, 0);
        if (kwi_encode(s, v, msg, &w))
            continue;
        size_t len;
        uint8_t *bytes = fuzz_message_encode(s, v, msg, &len);
        found = (v == version ? len <= size : len == size) && memcmp(bytes, data, len) == 0;
        free(bytes);
    }
    CHECK(found);
}

/* What was read, written in the same version and read again. */
static void check_versioned(const struct kw_schema *s, const void *msg, int version,
                            const uint8_t *data, size_t size)
{
    bool is_subscription = s == &kwi_consumer_protocol_subscription_schema;
    int known = version > s->until ? s->until : version, again_version;
    uint8_t *bytes = malloc(size + 64);
    struct kw_wr w = kwi_wr_make(bytes, size + 64);
    union fuzz_message two;
    CHECK(bytes && version == (int16_t)kwi_get_u16(data) && version >= 0);
    fuzz_message_walk(s, msg, data, size);
    check_begins(s, known, msg, data + 2, size - 2);
    CHECK((is_subscription ? kwi_subscription_put(msg, known, &w)
                           : kwi_assignment_put(msg, known, &w)) == 0);
    struct kw_blob blob = {bytes, (int32_t)w.len};
    CHECK((is_subscription ? kwi_subscription_get(&blob, (void *)&two, &again_version, NULL)
                           : kwi_assignment_get(&blob, (void *)&two, &again_version, NULL)) == 0);
    CHECK(again_version == known);
    fuzz_message_same(s, msg, &two);
    free(bytes);
}

static void try_versioned(bool is_subscription, const uint8_t *data, size_t size)
{
    const struct kw_blob blob = {data, size ? (int32_t)size : -1};
    union fuzz_message msg, two;
    struct kw_fault fault;
    int version, again;
    int rc = is_subscription ? kwi_subscription_get(&blob, (void *)&msg, &version, &fault)
                             : kwi_assignment_get(&blob, (void *)&msg, &version, &fault);
    CHECK(rc == (is_subscription ? kwi_subscription_get(&blob, (void *)&two, &again, NULL)
                                 : kwi_assignment_get(&blob, (void *)&two, &again, NULL)));
    if (rc) {
        CHECK(blobs_is_typed(rc));
        CHECK((rc == KW_ERR_VERSION) == (size >= 2 && (int16_t)kwi_get_u16(data) < 0));
        fuzz_fault_check(&fault, rc, size);
        return;
    }
    check_versioned(is_subscription ? &kwi_consumer_protocol_subscription_schema
                                    : &kwi_consumer_protocol_assignment_schema,
                    &msg, version, data, size);
}

static void try_sticky(const uint8_t *data, size_t size)
{
    const struct kw_blob blob = {data, size ? (int32_t)size : -1};
    union fuzz_message msg;
    struct kw_fault fault;
    int rc = kwi_sticky_user_data_get(&blob, (void *)&msg, &fault);
    if (rc) {
        CHECK(blobs_is_typed(rc) && rc != KW_ERR_VERSION);
        fuzz_fault_check(&fault, rc, size);
        return;
    }
    fuzz_message_walk(&kwi_sticky_user_data_schema, &msg, data, size);
    check_begins(&kwi_sticky_user_data_schema, 1, &msg, data, size);
}

/* Both are read by hand here: a version, then one number. */
static void try_control(bool is_key, const uint8_t *data, size_t size)
{
    const struct kw_blob blob = {data, size ? (int32_t)size : -1};
    size_t needed = is_key ? 4 : 6;
    int16_t type;
    int32_t epoch;
    int rc = is_key ? kwi_control_key_get(&blob, &type) : kwi_end_txn_marker_get(&blob, &epoch);
    if (size >= 2 && (int16_t)kwi_get_u16(data) < 0)
        CHECK(rc == KW_ERR_VERSION);
    else if (size < needed)
        CHECK(rc == KW_ERR_SHORT);
    else
        CHECK(rc == 0 && (is_key ? type == (int16_t)kwi_get_u16(data + 2)
                                 : epoch == (int32_t)kwi_get_u32(data + 2)));
}

/* ---- metrics ----------------------------------------------------------------- */

/* How often messages nest below a field, by the field's number; 0: it is text. */
struct otlp_level {
    uint32_t field;
    const struct otlp_level *below; /* NULL: bytes or a number */
};

static const struct otlp_level otlp_value[] = {{1, NULL}, {0, NULL}};
static const struct otlp_level otlp_attribute[] = {{1, NULL}, {2, otlp_value}, {0, NULL}};
static const struct otlp_level otlp_point[] = {{7, otlp_attribute}, {0, NULL}};
static const struct otlp_level otlp_points[] = {{1, otlp_point}, {0, NULL}};
static const struct otlp_level otlp_metric[] = {
    {1, NULL}, {5, otlp_points}, {7, otlp_points}, {0, NULL}};
static const struct otlp_level otlp_text[] = {{1, NULL}, {2, NULL}, {0, NULL}};
static const struct otlp_level otlp_scope[] = {{1, otlp_text}, {2, otlp_metric}, {0, NULL}};
static const struct otlp_level otlp_resource[] = {{1, otlp_attribute}, {0, NULL}};
static const struct otlp_level otlp_of_resource[] = {
    {1, otlp_resource}, {2, otlp_scope}, {0, NULL}};
static const struct otlp_level otlp_top[] = {{1, otlp_of_resource}, {0, NULL}};

/* Each message ends where its size says, and holds what may stand in it. Counts
 * the points, which stand four levels above their values. */
static size_t otlp_walk(const struct otlp_level *levels, const uint8_t *p, const uint8_t *end)
{
    size_t n_points = 0;
    while (p < end) {
        const struct otlp_level *level = levels;
        uint64_t tag, len;
        p = kwi_read_uvarint(p, end, 10, &tag);
        CHECK(p);
        while (level->field && level->field != tag >> 3)
            level++;
        switch (tag & 7) {
        case 0:
            p = kwi_read_uvarint(p, end, 10, &len);
            CHECK(p && len <= 2);
            break;
        case 1:
            CHECK(end - p >= 8);
            p += 8;
            break;
        default:
            p = kwi_read_uvarint(p, end, 10, &len);
            CHECK((tag & 7) == 2 && level->field && p && len <= (uint64_t)(end - p));
            n_points += level->below == otlp_point;
            if (level->below)
                n_points += otlp_walk(level->below, p, p + len);
            p += len;
        }
    }
    CHECK(p == end);
    return n_points;
}

/* The input is text, numbers, and how many of each there are. */
static void try_otlp(const uint8_t *data, size_t size)
{
    struct kw_otlp_attribute attributes[3];
    struct kw_otlp_point points[3];
    struct kw_otlp_metric metrics[4];
    struct kw_otlp_metrics all = {.attributes = attributes, .metrics = metrics};
    struct kw_wr w = kwi_wr_make(NULL, 0);
    size_t n_points = 0, len;
    uint8_t head[8] = {0}, *block;
    memcpy(head, data, size < sizeof head ? size : sizeof head);
    for (size_t i = 0; i < 3; i++) {
        struct kw_str text = {(const char *)data, (int32_t)(size >> i)};
        attributes[i] = (struct kw_otlp_attribute){i ? text : KWI_NULL_STR, text};
        points[i] = (struct kw_otlp_point){.start_ns = head[i],
                                           .time_ns = kwi_get_u64(head),
                                           .is_int = head[i] & 1,
                                           .as_double = head[i],
                                           .as_int = (int64_t)kwi_get_u64(head),
                                           .attributes = attributes,
                                           .n_attributes = head[3 + i] & 3};
    }
    all.n_attributes = head[0] & 3;
    all.n_metrics = head[1] & 3;
    all.scope_name = attributes[head[2] & 1].key;
    all.scope_version = attributes[head[2] >> 1 & 1].key;
    for (size_t i = 0; i < all.n_metrics; i++) {
        metrics[i] = (struct kw_otlp_metric){.name = attributes[i].key,
                                             .kind = (enum kw_otlp_kind)((head[6] >> 2 * i) % 3),
                                             .is_monotonic = head[7] >> i & 1,
                                             .points = points,
                                             .n_points = (head[5] >> 2 * i) & 3};
        n_points += metrics[i].n_points;
    }
    CHECK(kwi_otlp_put(&all, &w) == 0);
    len = w.len;
    block = malloc(len + 1);
    CHECK(block);
    w = kwi_wr_make(block, len);
    CHECK(kwi_otlp_put(&all, &w) == 0 && w.len == len);
    CHECK(otlp_walk(otlp_top, block, block + len) == n_points);
    if (len > 0) {
        w = kwi_wr_make(block, len - 1);
        CHECK(kwi_otlp_put(&all, &w) == KW_ERR_SPACE && w.len == len);
    }
    free(block);
}

/* ---- one input ------------------------------------------------------------------ */

/* Names find their own row and nothing else does. */
static void try_name(const uint8_t *data, size_t size)
{
    char name[64];
    size_t n, len = size < sizeof name - 1 ? size : sizeof name - 1;
    const struct kw_data_info *list = kwi_data_list(&n), *info;
    memcpy(name, data, len);
    name[len] = '\0';
    info = kwi_data_info(name);
    CHECK(!info || (info >= list && info < list + n && strcmp(info->name, name) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n;
    const struct kw_data_info *list = kwi_data_list(&n), *info;
    union fuzz_message msg;
    if (size < 2)
        return 0;
    const uint8_t *blob = data + 2;
    size -= 2;
    switch (data[0]) {
    case BLOBS_SUBSCRIPTION:
    case BLOBS_ASSIGNMENT: try_versioned(data[0] == BLOBS_SUBSCRIPTION, blob, size); return 0;
    case BLOBS_STICKY: try_sticky(blob, size); return 0;
    case BLOBS_CONTROL_KEY:
    case BLOBS_END_TXN: try_control(data[0] == BLOBS_CONTROL_KEY, blob, size); return 0;
    case BLOBS_OTLP: try_otlp(blob, size); return 0;
    case BLOBS_NAME: try_name(blob, size); return 0;
    default: break;
    }
    info = &list[(size_t)(data[0] < BLOBS_TABLES ? data[0] : data[0] - BLOBS_TABLES) % n];
    CHECK(kwi_data_info(info->name) == info);
    (void)fuzz_message_round(info->schema,
                             info->schema->since +
                                 data[1] % (info->schema->until - info->schema->since + 2),
                             blob, size, &msg);
    return 0;
}
