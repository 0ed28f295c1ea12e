#!/usr/bin/env python3
"""Keys, and where other clients put them: tools/partitions.sh runs this.

gen_partitions.py keys FILE        the 10,000 keys of tests/client/test_partitioner.c:
                                   each two bytes of length and then its bytes
gen_partitions.py rdkafka KEYS NAME OUT
                                   where librdkafka's partitioner NAME puts them
gen_partitions.py write NAME=FILE...
                                   tests/vectors/partitions.inc from such answers, on the
                                   standard output
"""
import ctypes
import sys
import zlib

KEYS, COUNTS, BLOCK = 10000, 50, 100


def make_keys():
    """Every length up to 256 once, then mostly short ones."""
    state = 20251129
    keys = []

    def draw():
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return state >> 56

    for i in range(KEYS):
        size = i if i <= 256 else draw() % 40
        keys.append(bytes(draw() for _ in range(size)))
    return keys


def read_keys(path):
    data = open(path, "rb").read()
    keys, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at:at + 2], "big")
        keys.append(data[at + 2:end])
        at = end
    return keys


def rdkafka(path, name, out):
    pick = getattr(ctypes.CDLL("librdkafka.so.1"), "rd_kafka_msg_partitioner_" + name)
    pick.restype = ctypes.c_int32
    pick.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int32,
                     ctypes.c_void_p, ctypes.c_void_p]
    with open(out, "wb") as file:
        for key in read_keys(path):
            file.write(bytes(pick(None, key, len(key), n, None, None)
                             for n in range(1, COUNTS + 1)))


def write(answers):
    print("/* Made by tools/partitions.sh: one CRC-32 for each %d keys, of their partitions\n"
          " * among 1 to %d. */" % (BLOCK, COUNTS))
    for answer in answers:
        name, path = answer.split("=")
        data = open(path, "rb").read()
        assert len(data) == KEYS * COUNTS
        print("static const uint32_t partitions_of_%s[%d] = {" % (name, KEYS // BLOCK))
        size = BLOCK * COUNTS
        sums = ["0x%08x" % zlib.crc32(data[i:i + size]) for i in range(0, len(data), size)]
        for i in range(0, len(sums), 7):
            print("    " + ", ".join(sums[i:i + 7]) + ",")
        print("};")


def main():
    if sys.argv[1] == "keys":
        with open(sys.argv[2], "wb") as file:
            for key in make_keys():
                file.write(len(key).to_bytes(2, "big") + key)
    elif sys.argv[1] == "rdkafka":
        rdkafka(*sys.argv[2:5])
    else:
        write(sys.argv[2:])


main()
