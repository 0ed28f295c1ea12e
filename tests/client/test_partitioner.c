/* covers: P51 */
/* Partitioners by key against what the clients from which users know them computed:
 * Java, librdkafka, Sarama. */
#include <criterion/criterion.h>

#include "base/crc32.h"
#include "client/partitioner.h"
#include "tests/vectors/vectors.h"
#include "tests/vectors/murmur2.inc"
#include "tests/vectors/partitions.inc"

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;

    for (size_t i = 0; i < n; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return n;
}

Test(partitioner, murmur2_is_javas)
{
    for (size_t i = 0; i < VECTOR_COUNT(vector_hashes); i++) {
        const struct vector_hash *v = &vector_hashes[i];
        size_t len = strlen(v->input_hex) / 2;
        uint8_t *key = malloc(len ? len : 1);

        unhex(v->input_hex, key);
        cr_assert_eq((int32_t)kwi_murmur2(key, len), v->hash, "key %s", v->input_hex);
        free(key);
    }
}

Test(partitioner, a_key_lands_where_java_puts_it)
{
    unsigned n = 0;

    for (size_t i = 0; i < VECTOR_COUNT(vector_hashes); i++) {
        const struct vector_hash *v = &vector_hashes[i];
        size_t len = strlen(v->input_hex) / 2;
        uint8_t *key = malloc(len ? len : 1);

        unhex(v->input_hex, key);
        if (v->partition_of_3 >= 0) {
            cr_assert_eq(kwi_partition_of_key(key, len, 3), (uint32_t)v->partition_of_3);
            cr_assert_eq(kwi_partition_of_key(key, len, 12), (uint32_t)v->partition_of_12);
            cr_assert_eq(kwi_partition_of_key(key, len, 100), (uint32_t)v->partition_of_100);
            n++;
        }
        cr_assert_eq(kwi_partition_of_key(key, len, 1), 0);
        free(key);
    }
    cr_assert_gt(n, 0);
}

/* ---- 10,000 keys among 1 to 50 partitions (tools/partitions.sh) ------------------------- */

enum { KEYS = 10000, COUNTS = 50, BLOCK = 100, KEY_MAX = 256 };

static uint8_t draw(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint8_t)(*state >> 56);
}

/* The same keys as those of tools/gen_partitions.py. */
static size_t next_key(uint64_t *state, unsigned i, uint8_t *key)
{
    size_t len = i <= KEY_MAX ? i : draw(state) % 40;

    for (size_t k = 0; k < len; k++)
        key[k] = draw(state);
    return len;
}

static void lands_as(enum kw_partitioner_name which, const uint32_t *sums)
{
    static uint8_t answers[BLOCK * COUNTS];
    uint64_t state = 20251129;
    uint8_t key[KEY_MAX + 1];

    for (unsigned i = 0; i < KEYS; i++) {
        size_t len = next_key(&state, i, key);
        uint8_t *exact = malloc(len ? len : 1);

        memcpy(exact, key, len);
        for (unsigned n = 1; n <= COUNTS; n++) {
            int64_t at = kwi_partitioner_of_key(which, exact, len, n);
            cr_assert(at >= 0 && at < n, "key %u of %u: %lld", i, n, (long long)at);
            answers[i % BLOCK * COUNTS + n - 1] = (uint8_t)at;
        }
        free(exact);
        if (i % BLOCK == BLOCK - 1)
            cr_assert_eq(kwi_crc32(0, answers, sizeof(answers)), sums[i / BLOCK],
                         "partitioner %d: one of the keys %u to %u", which, i + 1 - BLOCK, i);
    }
}

Test(partitioner, ten_thousand_keys_land_where_java_puts_them)
{
    uint64_t state = 20251129;
    uint8_t key[KEY_MAX + 1];

    lands_as(KW_PARTITIONER_MURMUR2, partitions_of_java);
    lands_as(KW_PARTITIONER_MURMUR2_RANDOM, partitions_of_rdkafka_murmur2);
    for (unsigned i = 0; i < KEYS; i++) { /* and the hot path says the same */
        size_t len = next_key(&state, i, key);
        for (uint32_t n = 1; n <= COUNTS; n++)
            cr_assert_eq((int64_t)kwi_partition_of_key(key, len, n),
                         kwi_partitioner_of_key(KW_PARTITIONER_MURMUR2, key, len, n));
    }
}

Test(partitioner, ten_thousand_keys_land_where_librdkafka_puts_them)
{
    lands_as(KW_PARTITIONER_CONSISTENT, partitions_of_rdkafka_consistent);
    lands_as(KW_PARTITIONER_FNV1A_RANDOM, partitions_of_rdkafka_fnv1a);
}

Test(partitioner, ten_thousand_keys_land_where_sarama_puts_them)
{
    lands_as(KW_PARTITIONER_FNV1A, partitions_of_sarama);
}

Test(partitioner, an_empty_key_and_none_are_told_apart_as_the_partitioner_says)
{
    static const struct {
        uint8_t which;
        bool none, empty; /* goes by the hash */
    } rows[] = {
        {KW_PARTITIONER_MURMUR2, false, true},   {KW_PARTITIONER_MURMUR2_RANDOM, false, true},
        {KW_PARTITIONER_CONSISTENT, true, true}, {KW_PARTITIONER_CONSISTENT_RANDOM, false, false},
        {KW_PARTITIONER_FNV1A, false, true},     {KW_PARTITIONER_FNV1A_RANDOM, false, true},
        {KW_PARTITIONER_RANDOM, false, false},   {KW_PARTITIONER_ROUNDROBIN, false, false},
        {KW_PARTITIONER_STICKY, false, false},
    };

    cr_assert_eq(VECTOR_COUNT(rows), KW_N_PARTITIONERS);
    for (size_t i = 0; i < VECTOR_COUNT(rows); i++) {
        cr_assert_eq(kwi_partitioner_of_key(rows[i].which, NULL, 0, 7) >= 0, rows[i].none, "%zu",
                     i);
        cr_assert_eq(kwi_partitioner_of_key(rows[i].which, "", 0, 7) >= 0, rows[i].empty, "%zu", i);
    }
    cr_assert_eq(kwi_partitioner_of_key(KW_PARTITIONER_CONSISTENT, NULL, 0, 7), 0);
    cr_assert_eq(kwi_partitioner_of_key(KW_PARTITIONER_CONSISTENT_RANDOM, "a", 1, 7),
                 kwi_partitioner_of_key(KW_PARTITIONER_CONSISTENT, "a", 1, 7));
}
