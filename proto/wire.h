/* proto/wire.h -- bounds-checked reading and writing of Kafka's primitive types.
 *
 * Both cursors are sticky: the first failure is remembered, every later call is
 * harmless, and the caller looks at `err` once, at the end. No allocation. All
 * bytes on the wire are big-endian and are moved one by one, so nothing here
 * depends on the byte order, alignment or word size of the host. */
#ifndef KWI_WIRE_H
#define KWI_WIRE_H
#include <kwire/types.h>
#include <string.h>

#include "base/bytes.h"

/* Borrowed slices: they point into the frame (decoded) or into the caller's
 * memory (to encode) and own nothing. len is in bytes; -1 means null. */
struct kw_str {
    const char *ptr;
    int32_t len;
};
struct kw_blob {
    const uint8_t *ptr;
    int32_t len;
};
struct kw_uuid {
    uint8_t b[16];
};

/* Record data. Decoded: a view in ptr. To encode: either ptr, or iov set and
 * n_iov pieces whose lengths add up to len. len -1 means null. (The public
 * handle of fetched records is struct kw_records.) */
struct kw_record_set {
    const uint8_t *ptr;
    int32_t len;
    uint32_t n_iov;
    const struct kw_iov *iov;
};

enum { KWI_STRING_MAX = INT16_MAX }; /* bytes, also in compact form */

/* ---- reading ----------------------------------------------------------- */

struct kw_rd {
    const uint8_t *p, *end;
    uint64_t needed; /* after KW_ERR_SHORT: bytes that the field needs */
    size_t left;     /* after a failure: bytes that were left */
    int err;
};

static inline struct kw_rd kwi_rd_make(const uint8_t *buf, size_t len)
{
    return (struct kw_rd){.p = buf, .end = len ? buf + len : buf};
}

static inline size_t kwi_rd_left(const struct kw_rd *r)
{
    return (size_t)(r->end - r->p);
}

/* Nothing more can be read afterwards; p stays at the fault. */
static inline void kwi_rd_fail(struct kw_rd *r, int err, uint64_t needed)
{
    if (!r->err) {
        r->err = err;
        r->needed = needed;
        r->left = kwi_rd_left(r);
    }
    r->end = r->p;
}

/* Consumes n bytes. Returns their start, or NULL after a failure. */
static inline const uint8_t *kwi_rd_take(struct kw_rd *r, size_t n)
{
    const uint8_t *start = r->p;
    if (KWI_UNLIKELY(kwi_rd_left(r) < n || r->err)) {
        kwi_rd_fail(r, KW_ERR_SHORT, n);
        return NULL;
    }
    if (n)
        r->p += n;
    return start;
}

static inline uint8_t kwi_rd_u8(struct kw_rd *r)
{
    const uint8_t *b = kwi_rd_take(r, 1);
    return b ? *b : 0;
}

static inline uint16_t kwi_rd_u16(struct kw_rd *r)
{
    const uint8_t *b = kwi_rd_take(r, 2);
    return b ? kwi_get_u16(b) : 0;
}

static inline uint32_t kwi_rd_u32(struct kw_rd *r)
{
    const uint8_t *b = kwi_rd_take(r, 4);
    return b ? kwi_get_u32(b) : 0;
}

static inline uint64_t kwi_rd_u64(struct kw_rd *r)
{
    const uint8_t *b = kwi_rd_take(r, 8);
    return b ? kwi_get_u64(b) : 0;
}

static inline uint32_t kwi_rd_uvarint(struct kw_rd *r)
{
    uint64_t v;
    const uint8_t *next;
    if (KWI_LIKELY(r->p < r->end && *r->p < 0x80))
        return *r->p++;
    next = kwi_read_uvarint(r->p, r->end, 5, &v);
    if (!next) {
        /* Five bytes or more and still no end: too long, not cut off. */
        size_t left = kwi_rd_left(r);
        kwi_rd_fail(r, left >= 5 ? KW_ERR_VARINT : KW_ERR_SHORT, left + 1);
        return 0;
    }
    r->p = next;
    return (uint32_t)v;
}

/* Reads a length prefix: an uvarint of length+1 if compact, else a signed
 * integer of `width` bytes (2 or 4). Returns -1 for null, else 0..bytes left:
 * every string byte and every array element takes at least one byte, so no
 * larger number can be honest. Returns 0 after a failure. */
static inline int32_t kwi_rd_len(struct kw_rd *r, unsigned width, bool compact)
{
    const uint8_t *start = r->p;
    int64_t n;
    if (compact)
        n = (int64_t)kwi_rd_uvarint(r) - 1;
    else if (width == 2)
        n = (int16_t)kwi_rd_u16(r);
    else
        n = (int32_t)kwi_rd_u32(r);
    if (r->err)
        return 0;
    if (KWI_UNLIKELY(n < -1 || (width == 2 && n > KWI_STRING_MAX))) {
        r->p = start;
        kwi_rd_fail(r, KW_ERR_LENGTH, 0);
        return 0;
    }
    if (KWI_UNLIKELY(n > (int64_t)kwi_rd_left(r) || n > INT32_MAX)) {
        kwi_rd_fail(r, KW_ERR_SHORT, (uint64_t)n);
        return 0;
    }
    return (int32_t)n;
}

/* ---- writing ----------------------------------------------------------- */

/* A place where record data belongs that the writer did not copy. The bytes of
 * *records go in front of the byte buf[at]; cuts are in ascending order. */
struct kw_cut {
    size_t at;
    const struct kw_record_set *records;
};

/* Appends to buf[0..cap). Past the capacity it only counts, so one pass with
 * buf NULL and cap 0 yields the exact size. With cuts set, record data is not
 * copied: a cut is noted and its size added to cut_len, so the finished message
 * has len + cut_len bytes. With cuts NULL record data is copied inline. */
struct kw_wr {
    uint8_t *buf;
    size_t cap, len;
    int err;
    struct kw_cut *cuts;
    uint32_t cuts_cap, n_cuts;
    size_t cut_len;
};

static inline struct kw_wr kwi_wr_make(uint8_t *buf, size_t cap)
{
    return (struct kw_wr){.buf = buf, .cap = cap};
}

static inline void kwi_wr_fail(struct kw_wr *w, int err)
{
    if (!w->err)
        w->err = err;
}

/* The error so far. A writer with a buffer that was too small says
 * KW_ERR_SPACE, and len is then the size needed. */
static inline int kwi_wr_status(const struct kw_wr *w)
{
    if (w->err)
        return w->err;
    return w->buf && w->len > w->cap ? KW_ERR_SPACE : KW_OK;
}

/* Room for n bytes, or NULL when they are only counted (or refused: a frame
 * cannot be longer than INT32_MAX). */
static inline uint8_t *kwi_wr_room(struct kw_wr *w, size_t n)
{
    uint8_t *dst = NULL;
    if (KWI_UNLIKELY(n > INT32_MAX || w->len > INT32_MAX - n)) {
        kwi_wr_fail(w, KW_ERR_SPACE);
        return NULL;
    }
    if (w->buf && w->len <= w->cap && n <= w->cap - w->len)
        dst = w->buf + w->len;
    w->len += n;
    return dst;
}

static inline void kwi_wr_put(struct kw_wr *w, const void *src, size_t n)
{
    uint8_t *dst = kwi_wr_room(w, n);
    if (dst && n)
        memcpy(dst, src, n);
}

static inline void kwi_wr_u8(struct kw_wr *w, uint8_t v)
{
    uint8_t *dst = kwi_wr_room(w, 1);
    if (dst)
        *dst = v;
}

static inline void kwi_wr_u16(struct kw_wr *w, uint16_t v)
{
    uint8_t *dst = kwi_wr_room(w, 2);
    if (dst)
        kwi_put_u16(dst, v);
}

static inline void kwi_wr_u32(struct kw_wr *w, uint32_t v)
{
    uint8_t *dst = kwi_wr_room(w, 4);
    if (dst)
        kwi_put_u32(dst, v);
}

static inline void kwi_wr_u64(struct kw_wr *w, uint64_t v)
{
    uint8_t *dst = kwi_wr_room(w, 8);
    if (dst)
        kwi_put_u64(dst, v);
}

static inline void kwi_wr_uvarint(struct kw_wr *w, uint64_t v)
{
    uint8_t b[10];
    kwi_wr_put(w, b, (size_t)(kwi_put_uvarint(b, v) - b));
}

/* Zigzag, as inside records. */
static inline void kwi_wr_varint(struct kw_wr *w, int64_t v)
{
    kwi_wr_uvarint(w, kwi_zigzag(v));
}

/* Writes a length prefix; the counterpart of kwi_rd_len. */
static inline void kwi_wr_len(struct kw_wr *w, int32_t n, unsigned width, bool compact)
{
    if (n < -1 || (width == 2 && n > KWI_STRING_MAX))
        kwi_wr_fail(w, KW_ERR_LENGTH);
    else if (compact)
        kwi_wr_uvarint(w, (uint32_t)n + 1);
    else if (width == 2)
        kwi_wr_u16(w, (uint16_t)n);
    else
        kwi_wr_u32(w, (uint32_t)n);
}

/* ---- building values ---------------------------------------------------- */

#define KWI_NULL_STR ((struct kw_str){NULL, -1})

/* Of a NUL-terminated string; NULL gives the null string. Text that is longer
 * than KWI_STRING_MAX is refused when it is encoded. */
static inline struct kw_str kwi_str(const char *text)
{
    size_t len = text ? strlen(text) : 0;
    if (!text)
        return KWI_NULL_STR;
    return (struct kw_str){text, len > INT32_MAX ? INT32_MAX : (int32_t)len};
}

static inline bool kwi_uuid_is_zero(const struct kw_uuid *id)
{
    static const struct kw_uuid zero = {{0}};
    return memcmp(id, &zero, sizeof zero) == 0;
}

#endif
