/* criterion/redirect.h -- the part of Criterion's header of that name that our
 * tests use. See criterion.h beside it. */
#ifndef SHIM_REDIRECT_H
#define SHIM_REDIRECT_H

#include <criterion/criterion.h>
#include <stdio.h>

/* As a test's .init. */
void cr_redirect_stderr(void);

#define cr_assert_stderr_eq_str(Text, ...) \
    SHIM_CHECK(true, strcmp(shim_stderr(), (Text)) == 0, "stderr == " #Text, ##__VA_ARGS__)

#endif
