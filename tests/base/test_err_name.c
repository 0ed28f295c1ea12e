/* Each error code has its own name; anything else has one too. */
#include <criterion/criterion.h>
#include <limits.h>

#include <kwire/types.h>

Test(err_name, every_code_is_named_as_it_is_written)
{
    cr_assert_str_eq(kw_err_name(KW_OK), "KW_OK");
    cr_assert_str_eq(kw_err_name(KW_ERR_USE), "KW_ERR_USE");
    cr_assert_str_eq(kw_err_name(KW_ERR_TIMEOUT), "KW_ERR_TIMEOUT");
    cr_assert_str_eq(kw_err_name(KW_ERR_FORKED), "KW_ERR_FORKED");
    cr_assert_str_eq(kw_err_name(KW_ERR_SHORT), "KW_ERR_SHORT");
    cr_assert_str_eq(kw_err_name(KW_ERR_BOMB), "KW_ERR_BOMB");
    cr_assert_str_eq(kw_err_name(KW_ERR_TRUNCATED), "KW_ERR_TRUNCATED");
    cr_assert_str_eq(kw_err_name(KW_ERR_SYNTAX), "KW_ERR_SYNTAX");
    for (int a = KW_ERR_BATCHMATE; a <= 0; a++) {
        if (a < KW_ERR_FORKED && a > KW_ERR_SHORT)
            continue; /* the gap before the wire codes */
        cr_assert_eq(strncmp(kw_err_name(a), "KW_", 3), 0, "%d", a);
        for (int b = a + 1; b <= 0; b++)
            cr_assert_str_neq(kw_err_name(a), kw_err_name(b));
    }
}

Test(err_name, other_numbers_are_unknown)
{
    static const int numbers[] = {1, -21, -31, KW_ERR_BATCHMATE - 1, INT_MIN, INT_MAX};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        cr_assert_str_eq(kw_err_name(numbers[i]), "unknown");
}
