#!/usr/bin/env python3
"""Compares our tables with the message definitions in a jar of kafka-clients.

    schema_diff.py DUMP JAR [exact]     DUMP: what schema_dump printed

Every message that a client may send or get, and the blobs of the consumer
protocol: fields, their order, type, versions, nullability, default, "ignorable",
tag and entity, and of a message its key, versions and flexible versions. Prints
one line a difference, and exits 1 if there is one. Versions and APIs of ours that
are newer than the jar are listed as notes; with `exact` they are differences.

tools/schema-diff finds the jar and makes the dump.
"""
import json
import os
import re
import sys
import zipfile

# Brokers send these to each other; they say "listeners: broker" all the same.
BETWEEN_BROKERS = {
    "WriteTxnMarkers",
    "InitializeShareGroupState",
    "ReadShareGroupState",
    "WriteShareGroupState",
    "DeleteShareGroupState",
    "ReadShareGroupStateSummary",
}
DATA = {
    "ConsumerProtocolSubscription",
    "ConsumerProtocolAssignment",
    "ControlRecordTypeSchema",
    "EndTxnMarker",
    "LeaderChangeMessage",
    "SnapshotHeaderRecord",
    "SnapshotFooterRecord",
    "KRaftVersionRecord",
    "VotersRecord",
}
# Blobs of Kafka's assignors, which have no definition.
UNDEFINED = {"StickyAssignorUserData", "CooperativeStickyAssignorUserData"}
PLAIN = {"bool", "int8", "int16", "uint16", "int32", "uint32", "int64", "float64", "uuid"}
PLAIN |= {"string", "bytes", "records"}
# Fields that 4.4.0 renamed, with the last version that our row of the old name
# has: JSON of those versions has the old name, as with the clients that had them.
RENAMED = {
    ("TxnOffsetCommitRequest", "generationId", 5): "generationIdOrMemberEpoch",
    ("StreamsGroupHeartbeatResponse", "acceptableRecoveryLag", 0): "acceptableRecoveryLagLegacy",
}
NO_VERSION = range(0)
LAST = 127


# ---- Kafka's side ----------------------------------------------------------


def load_jar(path):
    """name -> definition."""
    found = {}
    with zipfile.ZipFile(path) as jar:
        for name in jar.namelist():
            if name.startswith("common/message/") and name.endswith(".json"):
                text = jar.read(name).decode("utf-8")
                message = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.M))
                found[message["name"]] = message
    return found


def versions(text):
    if text in (None, "none"):
        return NO_VERSION
    first, _, last = text.partition("-")
    if first.endswith("+"):
        return range(int(first[:-1]), LAST + 1)
    return range(int(first), int(last or first) + 1)


def is_for_clients(message, all_messages):
    if message["type"] == "data":
        return message["name"] in DATA
    base = re.sub("(Request|Response)$", "", message["name"])
    request = all_messages.get(base + "Request")
    if message["type"] == "header" or request is None or base in BETWEEN_BROKERS:
        return False
    return "broker" in request.get("listeners", []) and request["validVersions"] != "none"


def default_of(field):
    """As our tables hold it: a number; for what has a length, 0 empty, -1 null."""
    value = field.get("default", "")
    kind = field["type"]
    if kind in PLAIN - {"string", "bytes", "records"}:
        if kind == "bool":
            return int(str(value).lower() == "true")
        if kind == "float64":
            return float(value or 0)
        return 0 if kind == "uuid" or value == "" else int(str(value), 0)
    if value == "null":
        return -1
    if value != "":
        return value
    return 0


def theirs(field, structs):
    """One of Kafka's fields in the terms of this file."""
    kind = field["type"]
    array = kind.startswith("[]")
    kind = kind[2:] if array else kind
    flexible = field.get("flexibleVersions")
    result = {
        "name": field["name"][0].lower() + field["name"][1:],
        "type": kind if kind in PLAIN else "struct",
        "array": array,
        "versions": versions(field["versions"]),
        "null": versions(field.get("nullableVersions")),
        "tag": field.get("tag", -1),
        "tagged": versions(field.get("taggedVersions")),
        "default": default_of(field),
        "ignorable": field.get("ignorable", False),
        "entity": field.get("entityType", "-"),
    }
    if flexible:
        result["flexible"] = flexible
    if kind not in PLAIN:
        result["fields"] = [theirs(f, structs) for f in field.get("fields") or structs[kind]]
    return result


def their_message(message):
    structs = {s["name"]: s["fields"] for s in message.get("commonStructs", [])}
    flexible = versions(message.get("flexibleVersions"))
    return {
        "key": message.get("apiKey", -1),
        "versions": versions(message["validVersions"]),
        "flexible": flexible,
        "fields": [theirs(f, structs) for f in message.get("fields", [])],
    }


# ---- our side ----------------------------------------------------------------


def json_name(name):
    """topic_id becomes topicId, as in json/print.c."""
    return re.sub("_(.)", lambda m: m.group(1).upper(), name)


class Entities:
    """tools/entities.txt: the ending of a path, and what it holds."""

    def __init__(self, path):
        self.rows = {}
        self.unused = set()
        with open(path, encoding="ascii") as lines:
            for line in lines:
                if line.strip() and not line.startswith("#"):
                    ending, entity = line.split()
                    self.rows[ending] = entity
        self.unused = set(self.rows)

    def of(self, path):
        parts = path.split(".")
        for i in range(len(parts)):
            ending = ".".join(parts[i:])
            if ending in self.rows:
                self.unused.discard(ending)
                return self.rows[ending]
        return "-"


def ours(row, path, entities):
    path += "." + json_name(row["name"])
    present = range(row["since"], row["until"] + 1)
    result = {
        "name": json_name(row["name"]),
        "type": "struct" if row["type"] == "array" else row["type"],
        "array": row["array"],
        "versions": present,
        "null": range(row["null_since"], LAST + 1) if row["null_since"] < LAST else NO_VERSION,
        "tag": row["tag"],
        "tagged": present if row["tag"] >= 0 else NO_VERSION,
        "default": float(row["default"]) if row["type"] == "float64" else int(row["default"]),
        "ignorable": row["ignorable"],
        "entity": entities.of(path),
    }
    if "fields" in row:
        result["fields"] = [ours(f, path, entities) for f in row["fields"]]
    return result


def our_message(message, entities):
    last = LAST + 1
    flexible = NO_VERSION if message["flexible"] == LAST else range(message["flexible"], last)
    return {
        "key": message["key"],
        "versions": range(message["since"], message["until"] + 1),
        "flexible": flexible,
        "fields": [ours(f, message["name"], entities) for f in message["fields"]],
    }


# ---- the comparison ------------------------------------------------------------


class Diff:
    def __init__(self):
        self.differences = []
        self.notes = []
        self.n_messages = self.n_fields = 0

    def say(self, path, what, kafka, own):
        self.differences.append("%s: %s is %s, the table says %s" % (path, what, kafka, own))

    def field(self, path, their, our, scope):
        """Two fields of one name. scope: the versions in which their struct exists."""
        self.n_fields += 1
        within = [v for v in scope if v in their["versions"]]
        for key in ("type", "array", "default", "ignorable", "entity"):
            # What every version has is never dropped.
            if their[key] != our[key] and (key != "ignorable" or within != list(scope)):
                self.say(path, key, their[key], our[key])
        if "flexible" in their:
            self.say(path, "flexibleVersions of a field", their["flexible"], "nothing of it")
        if within and (their["tag"] if within[-1] in their["tagged"] else -1) != our["tag"]:
            self.say(path, "tag", their["tag"], our["tag"])
        for key, only in (("versions", scope), ("null", within), ("tagged", within)):
            a = [v for v in only if v in their[key]]
            b = [v for v in only if v in our[key]]
            if a != b:
                self.say(path, key, show(a), show(b))
        if "fields" in their and "fields" in our:
            self.fields(path, their["fields"], our["fields"], within)

    def renamed(self, path, their_fields, our_fields):
        """Our rows under the names that the jar uses."""
        kafka = {f["name"] for f in their_fields}
        result = {}
        for f in our_fields:
            new = RENAMED.get((path, f["name"], f["versions"].stop - 1))
            if new in kafka:
                f = dict(f, name=new)
            before = result.get(f["name"])
            if new is None and before and before["versions"].stop == f["versions"].start:
                f = dict(f, versions=range(before["versions"].start, f["versions"].stop))
            elif before:
                self.differences.append("%s: a field has two rows" % path)
            result[f["name"]] = f
        return list(result.values())

    def fields(self, path, their_fields, our_fields, scope):
        # A field of versions that are gone needs no row.
        their_fields = [f for f in their_fields if any(v in f["versions"] for v in scope)]
        our_fields = [f for f in our_fields if any(v in f["versions"] for v in scope)]
        our_fields = self.renamed(path, their_fields, our_fields)
        own = {f["name"]: f for f in our_fields}
        for f in their_fields:
            if f["name"] not in own:
                self.differences.append("%s.%s: has no row" % (path, f["name"]))
        kafka = {f["name"]: f for f in their_fields}
        for f in our_fields:
            if f["name"] not in kafka:
                self.differences.append("%s.%s: Kafka has no such field" % (path, f["name"]))
        common = [f["name"] for f in their_fields if f["name"] in own]
        order = [f["name"] for f in our_fields if f["name"] in kafka]
        if common != order:
            self.say(path, "the order", ", ".join(common), ", ".join(order))
        for name in common:
            self.field(path + "." + name, kafka[name], own[name], scope)

    def message(self, name, their, our, exact):
        self.n_messages += 1
        scope = their["versions"]
        a, b = their["versions"], our["versions"]
        if a.start != b.start or a.stop > b.stop or (exact and a.stop != b.stop):
            self.say(name, "versions", show(a), show(b))
        elif a.stop < b.stop:
            self.notes.append("%s: versions %s are newer than the jar" % (name, show(b[len(a) :])))
        if their["key"] != our["key"]:
            self.say(name, "key", their["key"], our["key"])
        flexible = [[v for v in scope if v in side["flexible"]] for side in (their, our)]
        if flexible[0] != flexible[1]:
            self.say(name, "flexible versions", *map(show, flexible))
        self.fields(name, their["fields"], our["fields"], scope)


def show(numbers):
    numbers = list(numbers)
    if not numbers:
        return "none"
    first, last = numbers[0], numbers[-1]
    return str(first) if first == last else "%d-%d" % (first, last)


def compare(dump, definitions, exact):
    diff = Diff()
    entities = Entities(os.path.join(os.path.dirname(os.path.abspath(__file__)), "entities.txt"))
    own = {m["name"]: our_message(m, entities) for m in dump if m["name"] not in UNDEFINED}
    kafka = {n: their_message(m) for n, m in definitions.items() if is_for_clients(m, definitions)}
    for name in sorted(kafka, key=lambda n: (kafka[n]["key"], n)):
        if name in own:
            diff.message(name, kafka[name], own[name], exact)
        else:
            diff.differences.append("%s: has no table" % name)
    for name in own:
        if name not in kafka:
            (diff.differences if exact else diff.notes).append("%s: is not in the jar" % name)
    if exact:
        for ending in sorted(entities.unused):
            diff.differences.append("tools/entities.txt: no field ends in %s" % ending)
    return diff


def main():
    if len(sys.argv) not in (3, 4) or sys.argv[3:] not in ([], ["exact"]):
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as dump:
        tables = json.load(dump)
    diff = compare(tables, load_jar(sys.argv[2]), sys.argv[3:] == ["exact"])
    for line in diff.notes:
        print("note: " + line)
    for line in diff.differences:
        print(line)
    print("%d messages, %d fields compared, %d differences"
          % (diff.n_messages, diff.n_fields, len(diff.differences)))
    sys.exit(1 if diff.differences else 0)


if __name__ == "__main__":
    main()
