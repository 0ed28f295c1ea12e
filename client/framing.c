/* client/framing.c -- the walk over lengths; see framing.h. What is inside a
 * record is looked at by its readers (batch_check.c, convert.c). */
#include "client/framing.h"

#include "base/bytes.h"
#include "proto/message_set.h"
#include <kwire/types.h>

enum {
    /* Attributes, both deltas, lengths of key and value, count of headers. */
    FRAMING_RECORD_MIN = 6,
    FRAMING_VARINT_MAX = 5,
    /* Offset and size, and what the attributes' place says. */
    FRAMING_MESSAGE_HEAD = 18,
    FRAMING_MESSAGE_SIZE = 8,
    FRAMING_MESSAGE_ATTRIBUTES = 17,
    FRAMING_MESSAGE_OVERHEAD = 12, /* what size does not count */
    FRAMING_MESSAGE_MIN = 14
};

int kwi_framing_begin(struct kw_framing *framing, bool is_old, uint32_t count, size_t max)
{
    *framing = (struct kw_framing){.max = max, .left = count, .is_old = is_old};
    return !is_old && count > max / (FRAMING_RECORD_MIN + 1) ? KW_ERR_BOMB : 0;
}

static int framing_go(struct kw_framing *framing, size_t head, size_t body)
{
    if (body > framing->max - framing->at - head)
        return KW_ERR_BOMB;
    framing->at += head + body;
    return 1;
}

/* One record, whose first byte is there. 1: behind it; 0: its length is not
 * whole yet; or an error. */
static int framing_record(struct kw_framing *framing, const uint8_t *p, size_t len)
{
    const uint8_t *next;
    uint64_t raw;

    if (framing->left == 0)
        return KW_ERR_CORRUPT;
    next = kwi_read_uvarint(p, p + len, FRAMING_VARINT_MAX, &raw);
    if (!next)
        return len < FRAMING_VARINT_MAX ? 0 : KW_ERR_CORRUPT;
    if (raw & 1 || raw >> 1 < FRAMING_RECORD_MIN)
        return KW_ERR_CORRUPT;
    framing->left--;
    return framing_go(framing, (size_t)(next - p), (size_t)(raw >> 1));
}

/* The same for records whose lengths have at most three bytes, all of which are there,
 * until one has not. */
static int framing_records_short(struct kw_framing *framing, const uint8_t *p, size_t len)
{
    size_t at = framing->at, safe = len > 2 ? len - 2 : 0;
    uint32_t left = framing->left;
    int rc = 1;

    for (; left > 0 && at < safe; left--) {
        uint32_t raw = p[at], n = 1;

        if (raw >= 0x80) {
            raw += ((uint32_t)p[at + 1] << 7) - 0x80;
            n = 2;
            if (raw >= 1 << 14) {
                raw += ((uint32_t)p[at + 2] << 14) - (1 << 14);
                n = 3;
                if (raw >= 1 << 21)
                    break;
            }
        }
        if (KWI_UNLIKELY(raw & 1 || raw < 2 * FRAMING_RECORD_MIN))
            rc = KW_ERR_CORRUPT;
        else if (KWI_UNLIKELY(n + (raw >> 1) > framing->max - at))
            rc = KW_ERR_BOMB;
        if (KWI_UNLIKELY(rc != 1))
            return rc;
        at += n + (raw >> 1);
    }
    framing->at = at;
    framing->left = left;
    return rc;
}

/* The same of a message. Messages do not nest deeper than their wrapper. */
static int framing_message(struct kw_framing *framing, const uint8_t *p, size_t len)
{
    uint32_t size;

    if (len < FRAMING_MESSAGE_HEAD)
        return 0;
    size = kwi_get_u32(p + FRAMING_MESSAGE_SIZE);
    if (size < FRAMING_MESSAGE_MIN || size > INT32_MAX ||
        p[FRAMING_MESSAGE_ATTRIBUTES] & KWI_MESSAGE_CODEC_MASK)
        return KW_ERR_CORRUPT;
    return framing_go(framing, FRAMING_MESSAGE_OVERHEAD, size);
}

int kwi_framing_walk(struct kw_framing *framing, const uint8_t *p, size_t len)
{
    int rc = framing->is_old ? 1 : framing_records_short(framing, p, len);

    while (rc == 1 && framing->at < len) {
        if (framing->is_old)
            rc = framing_message(framing, p + framing->at, len - framing->at);
        else
            rc = framing_record(framing, p + framing->at, len - framing->at);
        if (rc == 1 && !framing->is_old)
            rc = framing_records_short(framing, p, len);
    }
    return rc < 0 ? rc : 0;
}

int kwi_framing_end(const struct kw_framing *framing, size_t len)
{
    return framing->at != len || (!framing->is_old && framing->left > 0) ? KW_ERR_CORRUPT : 0;
}
