/* fuzz/message.c -- see message.h. */
#include "fuzz/message.h"

#include "proto/field.h"
#include "proto/produce.h"

enum { MESSAGE_ARENA = 1 << 16, MESSAGE_CUTS = 2 };

/* ---- one message ------------------------------------------------------------- */

void fuzz_fault_check(const struct kw_fault *fault, int err, size_t size)
{
    struct kw_fault other = *fault;
    char text[256];
    CHECK(fault->err == err && fault->offset <= size);
    CHECK(fault->left <= size - fault->offset && (err != KW_ERR_SHORT || fault->needed));
    CHECK(kwi_fault_format(fault, text, sizeof text) < sizeof text);
    other.err = KW_ERR_NOMEM; /* what a decoder does not say prints too */
    CHECK(kwi_fault_format(&other, text, sizeof text) < sizeof text);
}

static struct kw_bytes message_slice(const struct kw_field *f, const uint8_t *src)
{
    struct kw_record_set records;
    struct kw_blob blob;
    struct kw_str str;
    if (f->kind == KWI_STR) {
        memcpy(&str, src, sizeof str);
        blob = (struct kw_blob){(const uint8_t *)str.ptr, str.len};
    } else if (f->kind == KWI_BLOB) {
        memcpy(&blob, src, sizeof blob);
    } else {
        memcpy(&records, src, sizeof records);
        blob = (struct kw_blob){records.ptr, records.len};
    }
    CHECK(blob.len >= -1);
    /* Null has no address; what is empty needs none. */
    return (struct kw_bytes){blob.ptr, blob.len < 0 ? SIZE_MAX : (size_t)blob.len};
}

/* What is read by hand is what the table reads. */
static void check_by_hand(const struct kw_arr *arr)
{
    struct kw_produce_response_partition one, two;
    struct kw_iter table, hand;
    kwi_iter_init(&table, arr);
    kwi_iter_init(&hand, arr);
    while (kwi_iter_next(&table, &one)) {
        CHECK(kwi_produce_answer_next(&hand, &two) && hand.rd.p == table.rd.p);
        CHECK(hand.left == table.left && one.record_errors.wire == two.record_errors.wire);
        fuzz_message_same(&kwi_produce_response_partition_schema, &one, &two);
    }
    CHECK(!kwi_produce_answer_next(&hand, &two));
}

void fuzz_message_walk(const struct kw_schema *s, const void *msg, const uint8_t *frame,
                       size_t frame_size)
{
    for (const struct kw_field *f = s->fields; f < s->fields + s->n_fields; f++) {
        const uint8_t *src = (const uint8_t *)msg + f->offset;
        union fuzz_message elem;
        struct kw_arr arr;
        struct kw_iter it;
        int32_t n = 0;
        if (f->kind == KWI_STRUCT)
            fuzz_message_walk(f->sub, src, frame, frame_size);
        if (f->kind == KWI_STR || f->kind == KWI_BLOB || f->kind == KWI_RECORDS) {
            struct kw_bytes slice = message_slice(f, src);
            CHECK(slice.len != SIZE_MAX || !slice.ptr);
            if (slice.len > 0 && slice.len != SIZE_MAX) {
                const uint8_t *p = slice.ptr;
                CHECK(p >= frame && p + slice.len <= frame + frame_size);
            }
        }
        if (f->kind != KWI_ARRAY)
            continue;
        memcpy(&arr, src, sizeof arr);
        if (arr.n > 0)
            CHECK(arr.wire >= frame && arr.wire + arr.n <= arr.wire_end &&
                  arr.wire_end <= frame + frame_size);
        if (f->sub == &kwi_produce_response_partition_schema)
            check_by_hand(&arr);
        for (kwi_iter_init(&it, &arr); kwi_iter_next(&it, &elem); n++)
            fuzz_message_walk(f->sub, elem.bytes, frame, frame_size);
        CHECK(n == (arr.n < 0 ? 0 : arr.n));
    }
}

static void same_arrays(const struct kw_field *f, const uint8_t *x, const uint8_t *y)
{
    union fuzz_message one, two;
    struct kw_iter i, j;
    struct kw_arr a, b;
    memcpy(&a, x, sizeof a);
    memcpy(&b, y, sizeof b);
    CHECK(a.n == b.n);
    kwi_iter_init(&i, &a);
    kwi_iter_init(&j, &b);
    while (kwi_iter_next(&i, &one)) {
        CHECK(kwi_iter_next(&j, &two));
        fuzz_message_same(f->sub, &one, &two);
    }
}

void fuzz_message_same(const struct kw_schema *s, const void *a, const void *b)
{
    for (const struct kw_field *f = s->fields; f < s->fields + s->n_fields; f++) {
        const uint8_t *x = (const uint8_t *)a + f->offset, *y = (const uint8_t *)b + f->offset;
        bool here = true, there = true;
        switch ((enum kw_kind)f->kind) {
        case KWI_BOOL:
        case KWI_I8:
        case KWI_I16:
        case KWI_U16:
        case KWI_I32:
        case KWI_U32:
        case KWI_I64:
        case KWI_F64: CHECK(kwi_number_load(f->kind, x) == kwi_number_load(f->kind, y)); break;
        case KWI_UUID: CHECK(memcmp(x, y, sizeof(struct kw_uuid)) == 0); break;
        case KWI_STR:
        case KWI_BLOB:
        case KWI_RECORDS: {
            struct kw_bytes one = message_slice(f, x), two = message_slice(f, y);
            CHECK(one.len == two.len);
            if (one.len && one.len != SIZE_MAX)
                CHECK(memcmp(one.ptr, two.ptr, one.len) == 0);
            break;
        }
        case KWI_ARRAY: same_arrays(f, x, y); break;
        case KWI_STRUCT:
            if (kwi_field_may_be_absent(f)) {
                memcpy(&here, x, sizeof here);
                memcpy(&there, y, sizeof there);
            }
            CHECK(here == there);
            fuzz_message_same(f->sub, x, y);
            break;
        }
    }
}

uint8_t *fuzz_message_encode(const struct kw_schema *s, int version, const void *msg, size_t *len)
{
    struct kw_wr w = kwi_wr_make(NULL, 0);
    uint8_t *block;
    CHECK(kwi_encode(s, version, msg, &w) == 0);
    *len = w.len;
    block = malloc(w.len ? w.len : 1);
    CHECK(block);
    w = kwi_wr_make(block, *len);
    CHECK(kwi_encode(s, version, msg, &w) == 0);
    CHECK(w.len == *len);
    return block;
}

/* ---- as a caller builds it ---------------------------------------------------- */

/* A decoded message with its arrays as arrays and its record data in pieces. */
struct thawed {
    size_t used, n_records;
    bool spoil; /* the pieces do not add up */
    _Alignas(16) uint8_t arena[MESSAGE_ARENA];
};

static void *thawed_room(struct thawed *t, size_t size)
{
    size_t at = (t->used + 15) & ~(size_t)15;
    if (size > MESSAGE_ARENA - at || at > MESSAGE_ARENA)
        return NULL;
    t->used = at + size;
    return t->arena + at;
}

static bool thaw_records(struct thawed *t, uint8_t *dst)
{
    struct kw_record_set records;
    struct kw_iov *iov = thawed_room(t, 2 * sizeof *iov);
    size_t first;
    memcpy(&records, dst, sizeof records);
    if (!iov || records.len <= 0)
        return iov != NULL;
    first = (size_t)records.len / 2;
    iov[0] = (struct kw_iov){(void *)(uintptr_t)records.ptr, first};
    iov[1] = (struct kw_iov){(uint8_t *)(uintptr_t)records.ptr + first,
                             (size_t)records.len - first - t->spoil};
    /* Pieces, or one view: both are a caller's. */
    if (t->n_records++ % 2 == 0 || t->spoil)
        records = (struct kw_record_set){.len = records.len, .n_iov = 2, .iov = iov};
    memcpy(dst, &records, sizeof records);
    return true;
}

/* False if the arena is too small. */
static bool thaw(struct thawed *t, const struct kw_schema *s, uint8_t *obj)
{
    for (const struct kw_field *f = s->fields; f < s->fields + s->n_fields; f++) {
        uint8_t *dst = obj + f->offset, *items;
        struct kw_arr arr;
        struct kw_iter it;
        if (f->kind == KWI_STRUCT && !thaw(t, f->sub, dst))
            return false;
        if (f->kind == KWI_RECORDS && !thaw_records(t, dst))
            return false;
        if (f->kind != KWI_ARRAY)
            continue;
        memcpy(&arr, dst, sizeof arr);
        items = arr.n > 0 ? thawed_room(t, (size_t)arr.n * f->sub->size) : NULL;
        if (arr.n > 0 && !items)
            return false;
        kwi_iter_init(&it, &arr);
        for (int32_t i = 0; i < arr.n; i++) {
            uint8_t *item = items + (size_t)i * f->sub->size;
            CHECK(kwi_iter_next(&it, item));
            if (!thaw(t, f->sub, item))
                return false;
        }
        arr = KWI_ARR(items, arr.n);
        memcpy(dst, &arr, sizeof arr);
    }
    return true;
}

/* The message without its record data, which then goes where the cuts are. */
static void check_cuts(const struct kw_schema *s, int version, const void *msg, size_t n_records,
                       const uint8_t *whole, size_t whole_len)
{
    struct kw_cut cuts[MESSAGE_CUTS];
    uint8_t *block = malloc(whole_len ? whole_len : 1);
    const uint8_t *from = block, *want = whole;
    struct kw_wr w = kwi_wr_make(block, whole_len);
    int rc;
    CHECK(block);
    w.cuts = cuts;
    w.cuts_cap = MESSAGE_CUTS;
    rc = kwi_encode(s, version, msg, &w);
    CHECK(rc == (n_records > MESSAGE_CUTS ? KW_ERR_SPACE : 0));
    CHECK(rc || (w.n_cuts == n_records && w.len + w.cut_len == whole_len));
    for (uint32_t i = 0; rc == 0 && i <= w.n_cuts; i++) {
        const uint8_t *to = block + (i < w.n_cuts ? cuts[i].at : w.len);
        CHECK(to >= from && memcmp(from, want, (size_t)(to - from)) == 0);
        want += to - from;
        from = to;
        if (i == w.n_cuts)
            break;
        for (uint32_t n = 0; n < cuts[i].records->n_iov; n++) {
            const struct kw_iov *iov = &cuts[i].records->iov[n];
            CHECK(iov->len == 0 || memcmp(iov->base, want, iov->len) == 0);
            want += iov->len;
        }
        if (!cuts[i].records->iov) {
            CHECK(memcmp(cuts[i].records->ptr, want, (size_t)cuts[i].records->len) == 0);
            want += cuts[i].records->len;
        }
    }
    /* A frame holds no more than INT32_MAX bytes, cuts included. */
    w = kwi_wr_make(NULL, 0);
    w.cuts = cuts;
    w.cuts_cap = MESSAGE_CUTS;
    w.cut_len = INT32_MAX;
    CHECK(kwi_encode(s, version, msg, &w) == (n_records ? KW_ERR_SPACE : 0));
    free(block);
}

static struct thawed thawed;

bool fuzz_message_thaw(const struct kw_schema *s, union fuzz_message *msg)
{
    thawed.used = thawed.n_records = 0;
    thawed.spoil = false;
    return thaw(&thawed, s, msg->bytes);
}

static void check_thawed(const struct kw_schema *s, int version, const union fuzz_message *msg,
                         const uint8_t *bytes, size_t len)
{
    union fuzz_message own = *msg;
    struct kw_wr w = kwi_wr_make(NULL, 0);
    uint8_t *again;
    size_t again_len;
    if (!fuzz_message_thaw(s, &own))
        return;
    again = fuzz_message_encode(s, version, &own, &again_len);
    CHECK(again_len == len && memcmp(again, bytes, len) == 0);
    free(again);
    check_cuts(s, version, &own, thawed.n_records, bytes, len);
    if (thawed.n_records == 0)
        return;
    own = *msg;
    thawed.used = thawed.n_records = 0;
    thawed.spoil = true;
    CHECK(thaw(&thawed, s, own.bytes));
    CHECK(kwi_encode(s, version, &own, &w) == KW_ERR_LENGTH);
    CHECK(kwi_encode(s, version, &own, &w) == KW_ERR_LENGTH); /* a failed writer stays so */
}

/* ---- all ways round -------------------------------------------------------------- */

/* What another version can say of it is a message of that version. */
static void check_version(const struct kw_schema *s, int version, const union fuzz_message *msg)
{
    struct kw_wr w = kwi_wr_make(NULL, 0);
    union fuzz_message other;
    int rc = kwi_encode(s, version, msg, &w);
    if (rc) {
        CHECK(rc == KW_ERR_VERSION || rc == KW_ERR_NULL);
        return;
    }
    size_t len;
    uint8_t *bytes = fuzz_message_encode(s, version, msg, &len);
    CHECK(kwi_decode(s, version, bytes, len, &other, NULL) == 0);
    fuzz_message_walk(s, &other, bytes, len);
    free(bytes);
}

int fuzz_message_round(const struct kw_schema *s, int version, const uint8_t *data, size_t size,
                       union fuzz_message *msg)
{
    union fuzz_message two;
    struct kw_fault fault;
    size_t len, used;
    int rc = kwi_decode(s, version, data, size, msg, &fault);
    CHECK(rc == kwi_decode(s, version, data, size, &two, NULL));
    if (rc) {
        fuzz_fault_check(&fault, rc, size);
        /* Only what comes behind is wrong: then the message itself is good. */
        CHECK((kwi_decode_first(s, version, data, size, &two, &used, NULL) == 0) ==
              (rc == KW_ERR_TRAILING));
        CHECK(used == fault.offset);
        return rc;
    }
    fuzz_message_walk(s, msg, data, size);
    fuzz_message_same(s, msg, &two);
    uint8_t *bytes = fuzz_message_encode(s, version, msg, &len);
    CHECK(kwi_decode(s, version, bytes, len, &two, NULL) == 0);
    fuzz_message_walk(s, &two, bytes, len);
    fuzz_message_same(s, msg, &two);
    check_thawed(s, version, &two, bytes, len);
    /* One from below the first version to above the last. */
    len = size + (size > 0 ? data[size - 1] : 0);
    check_version(s, s->since - 1 + (int)(len % (size_t)(s->until - s->since + 3)), msg);
    free(bytes);
    return 0;
}
