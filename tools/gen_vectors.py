#!/usr/bin/env python3
"""Turns tests/vectors/kafka-*.json into tests/vectors/*.inc and into the seeds
of the fuzz targets that read Kafka's formats: fuzz/corpus/{schema,blobs,json,
batch,message_set,decompress_*}/*.

Only needed when the JSON changes: all of it is in the repository, so neither the
build nor the tests need Python. Run from anywhere.
"""
import json
import os
import re

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "vectors")
CORPUS = os.path.join(ROOT, "..", "..", "fuzz", "corpus")
# The second has the versions that the first lacks.
SOURCES = ("kafka-4.3.1.json", "kafka-4.4.0.json")
WIDTH = 88


def c_string(text, indent=8):
    """A C literal, in pieces of WIDTH bytes; bytes above 126 are octal."""
    pieces = [""]
    for byte in text.encode("utf-8"):
        char = chr(byte)
        if char in '"\\':
            char = "\\" + char
        elif byte < 32 or byte > 126:
            char = "\\%03o" % byte
        if len(pieces[-1]) + len(char) > WIDTH:
            pieces.append("")
        pieces[-1] += char
    return ("\n" + " " * indent).join('"%s"' % piece for piece in pieces)


def c_json(value):
    return c_string(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def in_wire_order(value):
    """Kafka's converter leaves record data out; some vectors got it put in last."""
    if isinstance(value, list):
        return [in_wire_order(v) for v in value]
    if not isinstance(value, dict):
        return value
    value = {k: in_wire_order(v) for k, v in value.items()}
    if "records" in value and "acquiredRecords" in value:
        value["acquiredRecords"] = value.pop("acquiredRecords")
    return value


def field(name, value):
    return "     .%s = %s" % (name, value)


def row(*fields):
    return "    {\n" + ",\n".join(fields) + "},\n"


def write(name, type_name, rows, table=None):
    with open(os.path.join(ROOT, name + ".inc"), "w", encoding="ascii") as out:
        out.write("/* Made by tools/gen_vectors.py from %s. */\n" % " and ".join(SOURCES))
        out.write("static const struct %s %s[] = {\n" % (type_name, table or type_name + "s"))
        out.writelines(rows)
        out.write("};\n")


def message_row(m):
    fields = [
        field("name", c_string(m["name"])),
        field("api_key", m["api_key"]),
        field("version", m["version"]),
        field("is_request", "true" if m["type"] == "request" else "false"),
        field("is_init", "true" if m["name"].endswith("-init") else "false"),
        field("has_unknown_tags", "true" if "unknown tagged" in m.get("note", "") else "false"),
        field("correlation_id", m["correlation_id"]),
    ]
    if m.get("client_id") is not None:
        fields.append(field("client_id", c_string(m["client_id"])))
    fields += [
        field("frame_size", m["frame_size"]),
        field("header_hex", c_string(m["header_hex"])),
        field("hex", c_string(m["hex"])),
        field("json", c_json(in_wire_order(m["fields"]))),
    ]
    return row(*fields)


def data_row(m):
    fields = [
        field("name", c_string(m["name"])),
        field("api", c_string(m["api"])),
        field("version", m["version"]),
        field("is_init", "true" if m["name"].endswith("-init") else "false"),
        field("hex", c_string(m["hex"])),
        field("json", c_json(m["fields"])),
    ]
    return row(*fields)


def records_row(r):
    fields = [field("name", c_string(r["name"])), field("hex", c_string(r["hex"]))]
    fields.append(field("crc_is_bad", "true" if r.get("expect") == "CRC mismatch" else "false"))
    if "batches" in r:
        fields.append(field("json", c_json(r["batches"])))
    return row(*fields)


def layout_row(v):
    who = field("data", c_string(v["api"])) if v["type"] == "data" else field("api_key", v["api_key"])
    return row(
        who,
        field("version", v["version"]),
        field("is_request", "true" if v["type"] == "request" else "false"),
        field("text", c_string(v["layout"])),
    )


def signed(value, bits):
    return "INT%d_MIN" % bits if value == -(1 << (bits - 1)) else str(value)


def varint_row(v):
    bits = 64 if v["type"] == "varlong_zigzag64" else 32
    return row(
        field("zigzag", "false" if v["type"] == "uvarint32" else "true"),
        field("bits", bits),
        field("value", signed(v["value"], bits)),
        field("hex", c_string(v["hex"])),
    )


def murmur2_row(v):
    fields = [field("input_hex", c_string(v["input_hex"])), field("hash", signed(v["murmur2_int32"], 32))]
    fields.append(field("to_positive", v["to_positive"]))
    for n in (3, 12, 100):
        fields.append(field("partition_of_%d" % n, v.get("partition_of_%d" % n, -1)))
    return row(*fields)


def crc_row(v):
    fields = [field("input_hex", c_string(v["input_hex"])), field("crc32c", "0x%su" % v["crc32c_hex"])]
    fields.append(field("has_crc32", "true" if "crc32_hex" in v else "false"))
    fields.append(field("crc32", "0x%su" % v.get("crc32_hex", "0")))
    return row(*fields)


def uuid_row(v):
    return row(field("text", c_string(v["string"])), field("hex", c_string(v["hex"])))


def sequence_row(v):
    return row(*[field(k, v[k]) for k in ("sequence", "increment", "result")])


def misc_row(v):
    return row(field("name", c_string(v["name"])), field("hex", c_string(v["hex"])))


def codec_row(v):
    fields = [field("name", c_string(v["name"])), field("codec", c_string(v["codec"]))]
    if "plain_hex" in v:
        fields.append(field("plain_hex", c_string(v["plain_hex"])))
    else:
        # byte i = ((i*31+(i>>7))&0x3f), 70000 bytes
        fields.append(field("plain_crc32c", "0x%su" % v["plain_crc32c"]))
    fields.append(field("hex", c_string(v["hex"])))
    return row(*fields)


def seed(target, name, content):
    folder = os.path.join(CORPUS, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as out:
        out.write(content)


# As in proto/data.c; fuzz_blobs counts them from 8.
BLOBS = (
    "ConsumerProtocolSubscription",
    "ConsumerProtocolAssignment",
    "ControlRecordTypeSchema",
    "EndTxnMarker",
    "LeaderChangeMessage",
    "SnapshotHeaderRecord",
    "SnapshotFooterRecord",
    "KRaftVersionRecord",
    "VotersRecord",
    "StickyAssignorUserData",
    "CooperativeStickyAssignorUserData",
)


def blob_seeds(data):
    """fuzz_blobs reads: a reader, a version, the blob."""
    readers = {
        "ConsumerProtocolSubscription": 0,
        "ConsumerProtocolAssignment": 1,
        "ControlRecordTypeSchema": 3,
        "EndTxnMarker": 4,
    }
    for m in data["messages"]:
        if m["type"] != "data":
            continue
        content = bytes.fromhex(m["hex"])
        seed("blobs", m["name"], bytes([8 + BLOBS.index(m["api"]), m["version"]]) + content)
        if m["api"] in readers and not m["name"].endswith("-init"):
            # Before these stands their version, also one that is not known yet.
            for version in {m["version"], m["version"] if m["version"] < 3 else 9}:
                blob = bytes([readers[m["api"]], 0, 0, version]) + content
                seed("blobs", "%s-read-as-%d" % (m["name"], version), blob)
    for v in data["misc"]:
        if v["type"] == "sticky_user_data":
            seed("blobs", v["name"], bytes([2, 0]) + bytes.fromhex(v["hex"]))
        if v["type"] == "cooperative_sticky_user_data":
            seed("blobs", v["name"], bytes([18, 0]) + bytes.fromhex(v["hex"]))
    seed("blobs", "metrics", bytes([5, 0, 0xFF, 0xFF, 2, 3, 1, 0x39, 0x24, 5]) + b"client_rack")
    seed("blobs", "name", bytes([6, 0]) + b"EndTxnMarker")


def seeds(data):
    """fuzz_schema reads: API key and direction, version, body."""
    for name in os.listdir(os.path.join(CORPUS, "schema")):
        if re.search(r"-v[0-9]+-full$", name):
            os.remove(os.path.join(CORPUS, "schema", name))
    lowest = {}
    for v in data["layouts"]:
        if v["type"] != "data":
            low, high = lowest.get(v["api_key"], (v["version"],) * 2)
            lowest[v["api_key"]] = (min(low, v["version"]), max(high, v["version"]))
    for m in data["messages"]:
        # Kafka's own values are enough for the first and the last version.
        name, made = re.fullmatch(r"(.*?)(-full|-null|-init)?", m["name"]).groups()
        if m["type"] == "data" or made in ("-null", "-init"):
            continue
        low, high = lowest[m["api_key"]]
        if made and m["version"] not in (low, high):
            continue
        pick = m["api_key"] | (m["type"] == "response") << 7
        seed("schema", m["name"], bytes([pick, m["version"] - low]) + bytes.fromhex(m["hex"]))
        # fuzz_json reads: the key, the direction and the version, then the text.
        choice = bytes([m["api_key"], (m["version"] - low) * 2 + (m["type"] == "response")])
        text = json.dumps(m["fields"], ensure_ascii=False, separators=(",", ":"))
        if m["name"].endswith("-filled") or not m["name"].split("-")[0].endswith(("Request", "Response")):
            seed("json", m["name"], choice + text.encode("utf-8"))
    for r in data["records"]:
        content = bytes.fromhex(r["hex"])
        seed("batch", r["name"], content)
        if content[16] < 2:
            seed("message_set", r["name"], content)
            if content[17] & 7 == 0:
                seed("message_set", r["name"] + "-inner", bytes([content[16]]) + bytes(7) + b"\x66\x01" + content)
        elif content[22] & 7:
            # fuzz_decompress_X reads: a choice of steps and sizes, then the data.
            codec = ("none", "gzip", "snappy", "lz4", "zstd")[content[22] & 7]
            for choice in (7, 0x4b, 0x91):
                seed("decompress_" + codec, "%s-%02x" % (r["name"], choice), bytes([choice]) + content[61:])
    for v in data["misc"]:
        if v["type"] == "codec":
            codec = v["codec"].split("-")[0]
            choice = 0x27 if "legacy" in v["name"] else 0x0c
            seed("decompress_" + codec, v["name"], bytes([choice]) + bytes.fromhex(v["hex"]))


def main():
    data = {"messages": [], "layouts": [], "records": [], "misc": []}
    for name in SOURCES:
        with open(os.path.join(ROOT, name), encoding="utf-8") as source:
            part = json.load(source)
        for key, items in data.items():
            items += part[key]
    blobs = [m for m in data["messages"] if m["type"] == "data"]
    messages = [m for m in data["messages"] if m["type"] != "data"]
    write("messages", "vector_message", map(message_row, messages))
    write("data", "vector_blob", map(data_row, blobs))
    write("layouts", "vector_layout", map(layout_row, data["layouts"]))
    write("records", "vector_record", map(records_row, data["records"]))
    seeds(data)
    blob_seeds(data)
    misc = [
        ("murmur2", "vector_hash", ("murmur2",), murmur2_row),
        ("crc", "vector_crc", ("crc",), crc_row),
        ("varint", "vector_varint", ("varint_zigzag32", "uvarint32", "varlong_zigzag64"), varint_row),
        ("uuid", "vector_uuid", ("uuid",), uuid_row),
        ("sequence", "vector_sequence", ("sequence_add",), sequence_row),
        ("codec", "vector_codec", ("codec",), codec_row),
        ("misc", "vector_misc", ("sticky_user_data", "cooperative_sticky_user_data", "otlp"), misc_row),
    ]
    for name, type_name, types, make in misc:
        table = {"murmur2": "vector_hashes", "misc": "vector_misc_rows"}.get(name)
        write(name, type_name, [make(v) for v in data["misc"] if v["type"] in types], table)


main()
