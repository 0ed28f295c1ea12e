/* covers: P51 */
/* The default partitioner against hashes that Java's own class computed. */
#include <criterion/criterion.h>

#include "client/partitioner.h"
#include "tests/vectors/vectors.h"
#include "tests/vectors/murmur2.inc"

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
