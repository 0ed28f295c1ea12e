#!/usr/bin/env python3
"""Writes base/crc32c_tables.h: run as  tools/gen_crc32c_tables.py > base/crc32c_tables.h

Polynomials are reflected: bit 31 is the coefficient of x^0, bit 0 of x^31.
"""

POLY = 0x82F63B78  # Castagnoli without x^32
ORDER = 2**31 - 1  # x^ORDER = 1, because POLY = (x + 1) * a primitive one of degree 31


def times_x(a):
    return a >> 1 ^ (POLY if a & 1 else 0)


def multiply(a, b):
    product = 0
    for bit in range(31, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = times_x(b)
    return product


def power_of_x(exponent):
    result, square = 1 << 31, 1 << 30
    while exponent:
        if exponent & 1:
            result = multiply(result, square)
        square = multiply(square, square)
        exponent >>= 1
    return result


def slices():
    """[k][b]: what byte b does to the CRC when k more bytes follow it."""
    first = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = times_x(crc)
        first.append(crc)
    rows = [first]
    for _ in range(7):
        rows.append([v >> 8 ^ first[v & 255] for v in rows[-1]])
    return rows


def powers():
    """[k][d]: x^(8 * d * 256^k), which shifts a CRC by d * 256^k bytes."""
    return [[power_of_x(8 * d * 256**k) for d in range(256)] for k in range(4)]


def print_table(name, comment, rows):
    print(f"/* {comment} */")
    print(f"static const uint32_t {name}[{len(rows)}][256] = {{")
    for row in rows:
        print("    {")
        for i in range(0, 256, 8):
            print("        " + " ".join(f"0x{v:08x}," for v in row[i : i + 8]))
        print("    },")
    print("};\n")


def main():
    assert power_of_x(ORDER) == 1 << 31
    print("/* base/crc32c_tables.h -- written by tools/gen_crc32c_tables.py; do not edit. */")
    print("#ifndef KWI_CRC32C_TABLES_H\n#define KWI_CRC32C_TABLES_H\n#include <stdint.h>\n")
    print("/* clang-format off */")
    print_table("crc32c_slice", "[k][b]: byte b with k bytes behind it.", slices())
    print_table("crc32c_power", "[k][d]: x^(8 * d * 256^k) modulo the polynomial.", powers())
    print("/* clang-format on */\n\n#endif")


def main_fold():
    """The constants of base/crc32c_hw_x86.c: the product of two reflected
    32-bit numbers carries one x too many, and the crc32 instruction that
    reduces it multiplies by x^32. And those of base/crc32c_hw_x86_wide.c, which
    says why: for the two halves of 128 bits that move over so many bits."""
    for size in (128, 1024):
        print(f"{size}: {power_of_x(8 * size - 33):#010x} {power_of_x(16 * size - 33):#010x}")
    for bits in (2048, 512, 384, 256, 128):
        print(f"{bits} bits: {power_of_x(bits + 31):#010x} {power_of_x(bits - 33):#010x}")


if __name__ == "__main__":
    import sys

    main_fold() if "--fold" in sys.argv else main()
