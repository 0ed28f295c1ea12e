#include "tests/client/bombs.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc32.h"
#include "base/crc32c.h"
#include "proto/batch.h"
#include "proto/record.h"

size_t bomb_max = 64 * (size_t)MIB;
static uint8_t zeros[MIB];

/* head and then len zeros, compressed. */
static struct bytes packed(int codec, uint8_t *head, size_t head_len, size_t len)
{
    size_t n = len / MIB;
    struct kw_iov *in = calloc(n + 2, sizeof *in);
    struct bytes bytes;
    in[0] = (struct kw_iov){head, head_len};
    for (size_t i = 0; i <= n; i++)
        in[i + 1] = (struct kw_iov){zeros, i < n ? MIB : len % MIB};
    bytes.ptr = pack(codec, in, n + 2, len / 10 + MIB, &bytes.len);
    free(in);
    return bytes;
}

/* The beginning of a record whose value has len bytes, up to the value. */
static size_t record_head(uint8_t *p, size_t len)
{
    uint8_t body[16] = {0, 0, 0, 1};
    size_t n = (size_t)(kwi_put_uvarint(body + 4, kwi_zigzag((int64_t)len)) - body);
    uint8_t *next = kwi_put_uvarint(p, kwi_zigzag((int64_t)(n + len + 1)));
    memcpy(next, body, n);
    return (size_t)(next - p) + n;
}

static struct bytes in_batch(int codec, int32_t n, struct bytes body)
{
    struct bytes batch = batch_of(codec, 0, n, body.ptr, body.len);
    free(body.ptr);
    return batch;
}

static struct bytes in_wrapper(int codec, struct bytes body)
{
    struct bytes bytes = {calloc(1, 34 + body.len), 34 + body.len};
    kwi_put_u32(bytes.ptr + 8, (uint32_t)(22 + body.len));
    bytes.ptr[16] = 1;
    bytes.ptr[17] = (uint8_t)codec;
    kwi_put_u32(bytes.ptr + 26, UINT32_MAX);
    kwi_put_u32(bytes.ptr + 30, (uint32_t)body.len);
    memcpy(bytes.ptr + 34, body.ptr, body.len);
    kwi_put_u32(bytes.ptr + 12, kwi_crc32(0, bytes.ptr + 16, bytes.len - 16));
    free(body.ptr);
    return bytes;
}

/* ---- those whose framing tells --------------------------------------------------- */

static struct bytes make_nothing_but_zeros(int codec)
{
    return in_batch(codec, 1, packed(codec, NULL, 0, bomb_max * 3 / 2));
}

/* Up to the maximum, which the codec's framing alone would let pass. */
static struct bytes make_at_the_maximum(int codec)
{
    return in_batch(codec, 1, packed(codec, NULL, 0, bomb_max));
}

/* The same behind ten good records, and that is all that the header tells of. */
static struct bytes make_behind_good_records(int codec)
{
    uint8_t head[256];
    size_t len = 0;
    for (int i = 0; i < 10; i++) {
        len += record_head(head + len, 10) + 11;
        memset(head + len - 11, 0, 11);
    }
    return in_batch(codec, 10, packed(codec, head, len, bomb_max - len));
}

static struct bytes make_of_many_records(int codec)
{
    uint8_t *records = malloc(7 * (size_t)MIB);
    size_t n = bomb_max / 6 / MIB + 1;
    struct kw_iov *in = calloc(n, sizeof *in);
    struct bytes batch;
    for (size_t i = 0; i < MIB; i++)
        memcpy(records + 7 * i, "\x0c\x00\x00\x00\x01\x01\x00", 7);
    for (size_t i = 0; i < n; i++)
        in[i] = (struct kw_iov){records, 7 * (size_t)MIB};
    batch.ptr = pack(codec, in, n, bomb_max / 4 + MIB, &batch.len);
    free(in);
    free(records);
    return in_batch(codec, (int32_t)(n * MIB), batch);
}

/* A wrapper of format 1 around one around zeros. */
static struct bytes make_nested(int codec)
{
    struct bytes inner = in_wrapper(codec, packed(codec, NULL, 0, bomb_max)), outer;
    struct kw_iov in[2] = {{inner.ptr, inner.len}, {zeros, MIB}};
    outer.ptr = pack(codec, in, 2, inner.len + 2 * (size_t)MIB, &outer.len);
    free(inner.ptr);
    return in_wrapper(codec, outer);
}

static struct bytes make_zeros_in_wrapper(int codec)
{
    return in_wrapper(codec, packed(codec, NULL, 0, bomb_max));
}

/* ---- several members of gzip, whose last one alone tells its size ------------------ */

static struct bytes two_members(int codec, uint8_t *head, size_t head_len, size_t len)
{
    struct bytes bytes = packed(codec, head, head_len, len);
    append(&bytes, packed(codec, NULL, 0, 100));
    return bytes;
}

static struct bytes make_members_of_zeros(int codec)
{
    return in_batch(codec, 1, two_members(codec, NULL, 0, bomb_max * 3 / 2));
}

/* One record of half as much again, as it says of itself. */
static struct bytes make_members_of_one_record(int codec)
{
    uint8_t head[32];
    size_t len = record_head(head, bomb_max * 3 / 2);
    return in_batch(codec, 1, two_members(codec, head, len, bomb_max * 3 / 2 + 1));
}

/* True records of 1 MiB in one member, with one small record behind them. */
static struct bytes make_members_of_records(int codec)
{
    size_t n = bomb_max / MIB * 2;
    uint8_t head[32], small[7] = {12, 0, 0, 0, 1, 1, 0};
    size_t len = record_head(head, MIB - 1);
    struct kw_iov *in = calloc(2 * n, sizeof *in);
    struct bytes bytes;
    for (size_t i = 0; i < n; i++) {
        in[2 * i] = (struct kw_iov){head, len};
        in[2 * i + 1] = (struct kw_iov){zeros, MIB};
    }
    bytes.ptr = pack(codec, in, 2 * n, bomb_max / 8 + MIB, &bytes.len);
    free(in);
    append(&bytes, packed(codec, small, 7, 0));
    return in_batch(codec, (int32_t)n + 1, bytes);
}

/* The same with a member for each record: nothing but their number tells. */
static struct bytes make_member_after_member(int codec)
{
    uint8_t head[32];
    size_t len = record_head(head, MIB - 1);
    struct bytes bytes = {NULL, 0};
    int32_t n = (int32_t)(bomb_max / MIB) + 1;
    for (int32_t i = 0; i < n; i++)
        append(&bytes, packed(codec, head, len, MIB));
    return in_batch(codec, n, bytes);
}

/* The same with a last member that says the largest size that is allowed, so that
 * the first could be the only one until it ends. */
static struct bytes make_large_last_member(int codec)
{
    uint8_t head[32];
    size_t len = record_head(head, MIB - 1);
    struct bytes bytes = packed(codec, head, len, MIB);
    append(&bytes, packed(codec, NULL, 0, bomb_max - MIB));
    return in_batch(codec, 2, bytes);
}

/* ---- and one that is none -------------------------------------------------------- */

static struct bytes make_just_under(int codec)
{
    uint8_t head[32];
    size_t len = record_head(head, bomb_max - 20);
    return in_batch(codec, 1, packed(codec, head, len, bomb_max - 19));
}

#define KINDS_OF(name_, id_)                                                                      \
    {name_ ": zeros", id_, KW_ERR_BOMB, make_nothing_but_zeros, 0},                               \
        {name_ ": zeros up to the maximum", id_, KW_ERR_CORRUPT, make_at_the_maximum, 256 << 10}, \
        {name_ ": zeros behind ten records", id_, KW_ERR_CORRUPT, make_behind_good_records,       \
         256 << 10},                                                                              \
        {name_ ": many small records", id_, KW_ERR_BOMB, make_of_many_records, 0},                \
    {                                                                                             \
        name_ ": a record just below the maximum passes", id_, 0, make_just_under, SIZE_MAX       \
    }
#define OLD_KINDS_OF(name_, id_)                                                                \
    {name_ ": zeros in an old wrapper", id_, KW_ERR_CORRUPT, make_zeros_in_wrapper, 256 << 10}, \
    {                                                                                           \
        name_ ": a wrapper in a wrapper", id_, KW_ERR_CORRUPT, make_nested, 256 << 10           \
    }

const struct bomb_kind bomb_kinds[] = {
    KINDS_OF("gzip", KW_CODEC_GZIP),
    OLD_KINDS_OF("gzip", KW_CODEC_GZIP),
    {"gzip: zeros, two members", KW_CODEC_GZIP, KW_ERR_BOMB, make_members_of_zeros, 256 << 10},
    {"gzip: one record, two members", KW_CODEC_GZIP, KW_ERR_BOMB, make_members_of_one_record,
     256 << 10},
    {"gzip: records, two members", KW_CODEC_GZIP, KW_ERR_BOMB, make_members_of_records, 256 << 10},
    {"gzip: records, a member each", KW_CODEC_GZIP, KW_ERR_BOMB, make_member_after_member,
     4 * (size_t)MIB},
    {"gzip: a small member, then a large one", KW_CODEC_GZIP, KW_ERR_BOMB, make_large_last_member,
     2 * (size_t)MIB},
    KINDS_OF("snappy", KW_CODEC_SNAPPY),
    OLD_KINDS_OF("snappy", KW_CODEC_SNAPPY),
    KINDS_OF("lz4", KW_CODEC_LZ4),
    OLD_KINDS_OF("lz4", KW_CODEC_LZ4),
    KINDS_OF("zstd", KW_CODEC_ZSTD),
};
const int n_bomb_kinds = sizeof bomb_kinds / sizeof *bomb_kinds;
