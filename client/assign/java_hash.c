/* client/assign/java_hash.c -- the order in which Java walks its hash tables.
 *
 * The Java client's sticky assignors walk a HashMap of the members, and who comes first
 * decides who may keep one partition more. To give the same result, the members are
 * taken in that order: by bucket, then as they were put in. String.hashCode and the
 * growth of a HashMap are part of Java's documented behaviour, so this is a plain
 * function of the ids, and no decision depends on a hash table of ours. Within a bucket
 * Java's order is that of the JoinGroup answer; here it is that of the ids, so that the
 * result depends on the group alone (docs/decisions/). */
#include "base/sort.h"
#include "client/assign/sticky.h"

/* The code point at *at, which moves on; what is not UTF-8 is U+FFFD, as in Java. */
static uint32_t utf8_next(const uint8_t *text, size_t len, size_t *at)
{
    uint8_t lead = text[(*at)++];
    unsigned more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    uint32_t point = lead & (0x3Fu >> more);
    if (lead < 0x80)
        return lead;
    if (lead < 0xC0 || lead > 0xF7 || len - *at < more)
        return 0xFFFD;
    for (unsigned i = 0; i < more; i++) {
        if ((text[*at + i] & 0xC0) != 0x80)
            return 0xFFFD;
        point = point << 6 | (text[*at + i] & 0x3Fu);
    }
    *at += more;
    return point;
}

uint32_t kwi_java_hash(struct kw_bytes text)
{
    uint32_t hash = 0;
    for (size_t at = 0; at < text.len;) {
        uint32_t point = utf8_next(text.ptr, text.len, &at);
        if (point >= 0x10000) {
            hash = hash * 31 + (0xD800 + ((point - 0x10000) >> 10));
            point = 0xDC00 + ((point - 0x10000) & 0x3FF);
        }
        hash = hash * 31 + point;
    }
    return hash;
}

uint32_t kwi_java_buckets(uint32_t n)
{
    uint32_t buckets = 16;
    while (n > buckets / 4 * 3)
        buckets *= 2;
    return buckets;
}

void kwi_java_order(const struct kw_assign_group *group, uint32_t *order, uint64_t *keys)
{
    uint32_t n_buckets = kwi_java_buckets(group->n_members);
    for (uint32_t m = 0; m < group->n_members; m++)
        keys[m] = (uint64_t)kwi_java_bucket(kwi_java_hash(group->members[m].member_id), n_buckets)
                      << 32 |
                  m;
    kwi_sort_u64(keys, group->n_members);
    for (uint32_t m = 0; m < group->n_members; m++)
        order[m] = (uint32_t)keys[m];
}
