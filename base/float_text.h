/* base/float_text.h -- 64-bit floating point numbers as text and back, exactly.
 *
 * The core links no libc, so it has neither printf nor strtod. Neither function
 * allocates or does floating-point arithmetic, so the results depend on no
 * rounding mode, locale or instruction set. */
#ifndef KWI_FLOAT_TEXT_H
#define KWI_FLOAT_TEXT_H
#include <stddef.h>

enum { KWI_F64_TEXT = 32 }; /* more than the longest text and its NUL take */

/* Writes the shortest text that reads back as value, as Java's Double.toString
 * does since JDK 19 (of equally short ones the nearest, and at least one digit on
 * either side of the point): "1.0", "0.001", "1.0E-4", "1.0E7", "NaN",
 * "-Infinity". Returns its length without the NUL. */
size_t kwi_f64_print(double value, char text[32]);

/* Reads exactly len bytes: a number as JSON has it, or "NaN", "Infinity" and
 * "-Infinity". The result is correctly rounded, half to even. Returns 0, or
 * KW_ERR_CORRUPT (no such number), KW_ERR_LIMIT (larger than any double; a number
 * too small for one gives zero). Time is linear in len. */
int kwi_f64_parse(const char *text, size_t len, double *out) __attribute__((warn_unused_result));

#endif
