#!/usr/bin/env python3
"""Makes seeds for fuzz/fuzz_assign.c of the first groups of each category in
tests/vectors/assign.inc (tools/assignments.sh runs this)."""
import os
import re
import struct

ASSIGNORS = ["range", "roundrobin", "sticky", "cooperative-sticky"]
OUT = "fuzz/corpus/assign"
EACH = 3


def text(value):
    raw = value.encode()
    return struct.pack(">h", len(raw)) + raw


def claims(field, topics):
    lists = {}
    for word in filter(None, field.split(",")):
        topic, span = word.split(".")
        first, _, last = span.partition("-")
        lists.setdefault(int(topic), []).extend(range(int(first), int(last or first) + 1))
    out = struct.pack(">i", len(lists))
    for topic, numbers in lists.items():
        out += text(topics[topic][0]) + struct.pack(">i%di" % len(numbers), len(numbers), *numbers)
    return out


def blob(member, topics):
    _, _, rack, generation, subs, owned, user = member.split(":")
    old, none = generation == "-", struct.pack(">i", 0)
    generation = -1 if old else int(generation)
    in_user = user[:1] in ("0", "1") and user
    numbers = [int(t) for t in filter(None, subs.split(","))]
    out = struct.pack(">hi", 1 if old else 3, len(numbers))
    out += b"".join(text(topics[t][0]) for t in numbers)
    data = None
    if user[:1] == "x":
        data = bytes.fromhex(user[1:])
    elif user:
        own = int(user[1:]) if user[1:] else generation
        data = {"0": claims(owned, topics), "1": claims(owned, topics) + struct.pack(">i", own),
                "c": struct.pack(">i", own)}[user[0]]
    out += struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data
    out += none if in_user else claims(owned, topics)
    if not old:
        out += struct.pack(">i", generation) + (text(rack) if rack else struct.pack(">h", -1))
    return out


def main():
    os.makedirs(OUT, exist_ok=True)
    count = {}
    with open("tests/vectors/assign.inc", encoding="utf-8") as file:
        rows = re.findall(r'{"([^"]*)", "([^"]*)"}', file.read())
    for category, line in rows:
        name = re.sub("[^a-z]+", "-", category)
        head, members = line.split(" = ")[0].split(" M ")
        words, members = head.split(), members.split()
        if len(line) > 700 or len(members) > 12 or count.get(name, 0) == EACH:
            continue
        count[name] = count.get(name, 0) + 1
        topics = [word.split(":") for word in words[2:]]
        sizes = [int(topics[i % len(topics)][1]) % 40 for i in range(5)]
        seed = bytes([ASSIGNORS.index(words[0]), 0, 1 if "racks" in category else 0] + sizes)
        for i, member in enumerate(members):
            body = blob(member, topics)
            seed += bytes([ord("a") + i, 1 if member.split(":")[1] else 0])
            seed += struct.pack(">H", len(body)) + body
        with open("%s/%s-%d" % (OUT, name, count[name]), "wb") as file:
            file.write(seed)


main()
