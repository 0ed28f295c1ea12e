/* criterion/criterion.h -- stands in for Criterion where it does not exist: on
 * other machines than Debian builds it for, and under valgrind, where its
 * worker processes get in the way.
 *
 * It has the macros that our tests use and no others: a test that needs one more
 * does not compile here, and the macro is added. Each test file becomes a
 * program (shim.c has its main). */
#ifndef SHIM_CRITERION_H
#define SHIM_CRITERION_H

/* Like the real header: what a macro expands to gives the test no warning. */
#pragma GCC system_header

#include <stdbool.h>
#include <stddef.h>
/* Tests rely on these coming with Criterion. */
#include <stdlib.h>
#include <string.h>

struct shim_test {
    const char *suite;
    const char *name;
    void (*run)(void);
    void (*init)(void);
    void (*fini)(void);
    double timeout; /* seconds, 0: the default */
    struct shim_test *next;
};

void shim_add(struct shim_test *test);
void shim_add_suite(struct shim_test *suite);
__attribute__((noreturn, format(printf, 1, 2))) void shim_skip(const char *format, ...);

/* Where a check stands and whether its failure ends the test. */
struct shim_place {
    const char *file;
    int line;
    bool ends;
    const char *text;
};
__attribute__((format(printf, 2, 3))) void shim_fail(struct shim_place place, const char *format,
                                                     ...);
/* What was written to a redirected stderr since the last call, until the next. */
const char *shim_stderr(void);

#define Test(Suite, Name, ...)                                                      \
    static void shim_##Suite##_##Name(void);                                        \
    static struct shim_test shim_##Suite##_##Name##_row = {                         \
        .suite = #Suite, .name = #Name, .run = shim_##Suite##_##Name, __VA_ARGS__}; \
    __attribute__((constructor)) static void shim_##Suite##_##Name##_add(void)      \
    {                                                                               \
        shim_add(&shim_##Suite##_##Name##_row);                                     \
    }                                                                               \
    static void shim_##Suite##_##Name(void)

/* What holds for each test of a suite, before what the test says itself. */
#define TestSuite(Suite, ...)                                                      \
    static struct shim_test shim_##Suite##_suite = {.suite = #Suite, __VA_ARGS__}; \
    __attribute__((constructor)) static void shim_##Suite##_suite_add(void)        \
    {                                                                              \
        shim_add_suite(&shim_##Suite##_suite);                                     \
    }                                                                              \
    struct shim_test

/* The message is optional: the blank in front of it makes it a format always. */
#define SHIM_CHECK(Ends, Truth, Text, ...) \
    ((Truth) ? (void)0                     \
             : shim_fail((struct shim_place){__FILE__, __LINE__, Ends, Text}, " " __VA_ARGS__))
#define SHIM_OP(Ends, A, Op, B, ...) SHIM_CHECK(Ends, (A)Op(B), #A " " #Op " " #B, __VA_ARGS__)
#define SHIM_STR(Ends, A, Op, B, ...) \
    SHIM_CHECK(Ends, strcmp((A), (B)) Op 0, #A " " #Op " " #B, __VA_ARGS__)
#define SHIM_ARR(Ends, A, B, Size, ...) \
    SHIM_CHECK(Ends, memcmp((A), (B), (Size)) == 0, #A " == " #B " as bytes", __VA_ARGS__)

#define cr_assert(A, ...) SHIM_CHECK(true, (A), #A, ##__VA_ARGS__)
#define cr_expect(A, ...) SHIM_CHECK(false, (A), #A, ##__VA_ARGS__)
#define cr_assert_not(A, ...) SHIM_CHECK(true, !(A), "not " #A, ##__VA_ARGS__)
#define cr_expect_not(A, ...) SHIM_CHECK(false, !(A), "not " #A, ##__VA_ARGS__)
#define cr_assert_null(A, ...) SHIM_OP(true, A, ==, NULL, ##__VA_ARGS__)
#define cr_expect_null(A, ...) SHIM_OP(false, A, ==, NULL, ##__VA_ARGS__)
#define cr_assert_not_null(A, ...) SHIM_OP(true, A, !=, NULL, ##__VA_ARGS__)
#define cr_expect_not_null(A, ...) SHIM_OP(false, A, !=, NULL, ##__VA_ARGS__)
#define cr_assert_eq(A, B, ...) SHIM_OP(true, A, ==, B, ##__VA_ARGS__)
#define cr_expect_eq(A, B, ...) SHIM_OP(false, A, ==, B, ##__VA_ARGS__)
#define cr_assert_neq(A, B, ...) SHIM_OP(true, A, !=, B, ##__VA_ARGS__)
#define cr_expect_neq(A, B, ...) SHIM_OP(false, A, !=, B, ##__VA_ARGS__)
#define cr_assert_lt(A, B, ...) SHIM_OP(true, A, <, B, ##__VA_ARGS__)
#define cr_expect_lt(A, B, ...) SHIM_OP(false, A, <, B, ##__VA_ARGS__)
#define cr_assert_leq(A, B, ...) SHIM_OP(true, A, <=, B, ##__VA_ARGS__)
#define cr_expect_leq(A, B, ...) SHIM_OP(false, A, <=, B, ##__VA_ARGS__)
#define cr_assert_gt(A, B, ...) SHIM_OP(true, A, >, B, ##__VA_ARGS__)
#define cr_expect_gt(A, B, ...) SHIM_OP(false, A, >, B, ##__VA_ARGS__)
#define cr_assert_geq(A, B, ...) SHIM_OP(true, A, >=, B, ##__VA_ARGS__)
#define cr_expect_geq(A, B, ...) SHIM_OP(false, A, >=, B, ##__VA_ARGS__)
#define cr_assert_str_eq(A, B, ...) SHIM_STR(true, A, ==, B, ##__VA_ARGS__)
#define cr_expect_str_eq(A, B, ...) SHIM_STR(false, A, ==, B, ##__VA_ARGS__)
#define cr_assert_str_neq(A, B, ...) SHIM_STR(true, A, !=, B, ##__VA_ARGS__)
#define cr_expect_str_neq(A, B, ...) SHIM_STR(false, A, !=, B, ##__VA_ARGS__)
#define cr_assert_arr_eq(A, B, Size, ...) SHIM_ARR(true, A, B, Size, ##__VA_ARGS__)
#define cr_expect_arr_eq(A, B, Size, ...) SHIM_ARR(false, A, B, Size, ##__VA_ARGS__)
#define cr_assert_fail(...) SHIM_CHECK(true, false, "reached", ##__VA_ARGS__)
#define cr_expect_fail(...) SHIM_CHECK(false, false, "reached", ##__VA_ARGS__)
#define cr_skip_test(...) shim_skip(" " __VA_ARGS__)

#endif
