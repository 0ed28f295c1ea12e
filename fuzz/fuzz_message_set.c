/* fuzz_message_set.c -- messages of formats 0 and 1, and what is in wrappers.
 *
 * covers: C41 C43
 *
 * The input is fetched data; the same bytes also stand for what a wrapper's
 * value became, under a wrapper whose offset they choose. Checks: no bad access,
 * every step moves forward, key and value lie inside their message, offsets grow
 * and end at the wrapper's. */
#include <stdlib.h>

#include "base/bytes.h"
#include "proto/batch.h"
#include "proto/message_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond)  \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

static void check_inside(const uint8_t *p, const struct kw_message *m)
{
    const uint8_t *end = p + m->size;
    CHECK(m->key_len < 0 ? !m->key : m->key > p && m->key + m->key_len <= end);
    CHECK(m->value_len < 0 ? !m->value : m->value > p && m->value + m->value_len == end);
}

static void check_set(const uint8_t *data, size_t size, const struct kw_message *wrapper)
{
    struct kw_message_set set;
    struct kw_message m;
    int64_t last = -1;
    int rc = kwi_message_set_open(&set, data, size, wrapper);
    CHECK(rc == 0 || rc == KW_ERR_CORRUPT);
    if (rc)
        return;
    while (kwi_message_set_next(&set, &m) == 1) {
        CHECK(m.offset > last && kwi_message_codec(&m) == 0 && m.magic == wrapper->magic);
        last = m.offset;
    }
    CHECK(set.p == set.end);
    CHECK(wrapper->offset == 0 || wrapper->magic == 0 ? last >= 0 : last == wrapper->offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *p = data, *end = data + size;
    struct kw_message m;
    while (p < end) {
        struct kw_batch_header header;
        int old = kwi_batch_header_get(p, (size_t)(end - p), &header);
        int rc = kwi_message_get(p, (size_t)(end - p), &m);
        if (rc)
            break;
        CHECK(old == KW_ERR_UNSUPPORTED && kwi_batch_size(&header) == m.size);
        CHECK(m.size <= (size_t)(end - p));
        check_inside(p, &m);
        rc = kwi_message_crc_check(p, &m);
        CHECK(rc == 0 || rc == KW_ERR_CRC);
        p += m.size;
    }
    if (size < 10)
        return 0;
    m = (struct kw_message){.magic = data[0] & 1,
                            .attributes = data[0] & 8,
                            .offset = (int64_t)(kwi_get_u64(data + 1) & INT64_MAX),
                            .timestamp = data[9]};
    check_set(data + 10, size - 10, &m);
    return 0;
}
