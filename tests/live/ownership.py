#!/usr/bin/env python3
"""Judges what the members of a group wrote down: tests/live/mixed.sh, cluster.sh.

    ownership.py [--window SECONDS] [--since TIME] [--plant FAULT] [--text TEXT] LOG HISTORY...

LOG is the topic as it is, a line "PARTITION OFFSET VALUE" a record; offsets that are not
there (markers, aborted records) are no holes. A HISTORY is of one
member, in the lines of tests/live/member.c, or the JSON of Kafka's VerifiableConsumer.
Its name ends with .kwire, .rdkafka or .java. Whoever kills a member adds "TIME killed".

Laws, and the word that a breach is reported with:

    lost      every record was handled by somebody
    content   what was handled is what is in the log: nothing that was aborted, either
    order     a member goes through a partition without a step back or a hole, as long
              as it owns it
    stale     a member handles nothing that it does not own: before assigned, after
              revoked, lost or its end
    overlap   no two members own a partition at once. A member that was killed, or that
              lost it, owned it as long as it asked for records; a kwire member that asks
              later, and gets some, breaks the law
    twice     a record is handled again only if the one before was killed or lost the
              partition, or its commit was refused, and at most WINDOW before its end
    fence     fence tokens grow from owner to owner and never go back (kwire's), so that
              what a zombie does late can be told by its token

--since leaves out what was taken earlier: the topic was another one then.
--plant changes the history first, so that one law is broken: the judge must see it.
Prints "ok - " and "not ok - " lines; exit status 1 when a law is broken."""

import argparse
import json
import os
import random
import sys

ENDS = {"revoked", "lost", "closing", "killed"}


class Tenure:
    """A member's time with a partition, and what it handled meanwhile."""

    def __init__(self, member, partition, start):
        self.member, self.partition, self.start = member, partition, start
        self.end, self.how = None, "open"
        self.runs = []  # (time, first, last, sum, fence)
        self.refused = False  # a commit

    def kwire(self):
        return self.member.endswith(".kwire")

    def active(self):
        """Until when it is known to have acted as the owner."""
        if self.how in ("killed", "lost"):
            return self.runs[-1][0] if self.runs else self.start
        return self.end

    def __str__(self):
        return f"{self.member} partition {self.partition} from {self.start} to {self.end} ({self.how})"


class Judge:
    def __init__(self, window_us):
        self.window = window_us
        self.breaches = {}
        self.tenures = []
        self.stray = []

    def breach(self, law, text):
        self.breaches.setdefault(law, []).append(text)

    # ---- reading ----------------------------------------------------------

    def read_log(self, path):
        self.log = {}
        with open(path) as file:
            for line in file:
                partition, offset, value = map(int, line.split())
                self.log.setdefault(partition, {})[offset] = value
        # sums[p][i]: of the values in front of offset i; following[p][i]: the record that is
        # the first at or behind it
        self.sums, self.following = {}, {}
        for partition, values in self.log.items():
            sums = [0] * (max(values) + 2)
            for offset in range(len(sums) - 1):
                sums[offset + 1] = sums[offset] + values.get(offset, 0)
            self.sums[partition] = sums
            following = list(range(len(sums)))
            for offset in range(len(sums) - 2, -1, -1):
                if offset not in values:
                    following[offset] = following[offset + 1]
            self.following[partition] = following

    @staticmethod
    def java_lines(path):
        """VerifiableConsumer's events in our words. Its clock shows whole milliseconds, so
        that the beginning of an ownership may be up to one later than it says."""
        words = {"partitions_assigned": "assigned", "partitions_revoked": "revoked",
                 "partitions_lost": "lost", "shutdown_complete": "closing"}
        with open(path) as file:
            for line in file:
                try:
                    event = json.loads(line)
                except ValueError:
                    continue  # cut off, or not an event
                time, name = event["timestamp"] * 1000, event["name"]
                if name == "records_consumed":
                    for part in event["partitions"]:
                        first, last = part["minOffset"], part["maxOffset"]
                        if part["count"] != last - first + 1:
                            yield [time, "hole", part["partition"]]
                        yield [time, "taken", part["partition"], first, last, None, -1]
                elif name == "offsets_committed" and not event["success"]:
                    for part in event["offsets"]:
                        yield [time, "refused", part["partition"], part["offset"], event.get("error")]
                elif name in words:
                    for part in event.get("partitions", []):
                        yield [time + 1000 * (words[name] == "assigned"), words[name], part["partition"]]
                    if words[name] == "closing":
                        yield [time, "closing"]

    @staticmethod
    def our_lines(path):
        with open(path) as file:
            for line in file:
                if not line.endswith("\n"):
                    continue  # cut off by kill -9
                words = line.split()
                yield [int(words[0]), words[1]] + [int(w) if w.lstrip("-").isdigit() else w for w in words[2:]]

    def read_history(self, path, since):
        member = os.path.basename(path)
        lines = self.java_lines(path) if path.endswith(".java") else self.our_lines(path)
        own, last = {}, {}
        for time, what, *rest in lines:
            if what == "assigned":
                if rest[0] in own:
                    self.breach("overlap", f"{member} is given partition {rest[0]} twice")
                own[rest[0]] = last[rest[0]] = Tenure(member, rest[0], time)
                self.tenures.append(own[rest[0]])
            elif what == "taken":
                if time < since:
                    continue
                if rest[0] in own:
                    own[rest[0]].runs.append((time, *rest[1:]))
                else:
                    self.stray.append((member, time, rest[0], rest[1], rest[2]))
            elif what == "refused" and rest[0] in last:
                last[rest[0]].refused = True  # also when it is given up already
            elif what == "hole":
                self.breach("order", f"{member} partition {rest[0]}: a hole")
            elif what in ENDS:
                for partition in rest[:1] or list(own):
                    if partition in own:
                        tenure = own.pop(partition)
                        tenure.end, tenure.how = time, what
        for tenure in own.values():
            tenure.end = tenure.runs[-1][0] if tenure.runs else tenure.start

    # ---- a fault of our own -----------------------------------------------

    def plant(self, fault):
        long = [t for t in self.tenures if len(t.runs) >= 4]
        tenure = random.choice(long)
        at = len(tenure.runs) // 2
        time, first, last, total, fence = tenure.runs[at]
        if fault == "lost":
            for other in self.tenures:
                if other.partition == tenure.partition:
                    other.runs = [r for r in other.runs if not r[1] <= first <= r[2]]
        elif fault == "content":
            tenure = random.choice([t for t in long if t.runs[0][3] is not None])
            time, first, last, total, fence = tenure.runs[0]
            tenure.runs[0] = (time, first, last, total + 1, fence)
        elif fault == "order":
            tenure.runs[at - 1], tenure.runs[at] = tenure.runs[at], tenure.runs[at - 1]
        elif fault == "stale":
            self.stray.append((tenure.member, time, tenure.partition, first, last))
        elif fault == "overlap":
            before, after = self.neighbours()
            before.end, before.how = after.start + 1, "revoked"
        elif fault == "twice":
            before, after = self.neighbours(lambda a, b: a.runs and b.runs and a.how == "revoked" and not a.refused)
            time, first, last, total, fence = after.runs[0]
            if before.runs[-1][3] is None or total is None:
                total = None
            else:
                total = self.sums[before.partition][last + 1] - self.sums[before.partition][before.runs[-1][2]]
            after.runs[0] = (time, before.runs[-1][2], last, total, fence)
        elif fault == "fence":
            owners = [t for t in self.tenures if t.kwire() and t.runs]
            first_owner = min(owners, key=lambda t: t.start)
            first_owner.runs = [(*r[:4], 10**9) for r in first_owner.runs]

    def neighbours(self, wanted=lambda a, b: True):
        """Two owners of a partition, one behind the other."""
        for partition in self.log:
            owners = sorted((t for t in self.tenures if t.partition == partition), key=lambda t: t.start)
            for before, after in zip(owners, owners[1:]):
                if before.member != after.member and wanted(before, after):
                    return before, after
        sys.exit("there is no pair of owners to plant a fault in")

    # ---- the laws ----------------------------------------------------------

    def check_runs(self):
        for tenure in self.tenures:
            sums, expected = self.sums.get(tenure.partition, [0]), None
            for time, first, last, total, _ in tenure.runs:
                if expected is not None and expected < len(sums):
                    expected = self.following[tenure.partition][expected]
                if expected is not None and first != expected:
                    self.breach("order", f"{tenure}: {first} comes instead of {expected}")
                expected = last + 1
                if last + 1 >= len(sums):
                    self.breach("content", f"{tenure}: offset {last} is not in the log")
                elif total is not None and sums[last + 1] - sums[first] != total:
                    self.breach("content", f"{tenure}: offsets {first} to {last}")
        for member, time, partition, first, last in self.stray:
            self.breach("stale", f"{member} handles {first} to {last} of partition {partition} at {time}")

    def check_owners(self, partition):
        owners = sorted((t for t in self.tenures if t.partition == partition), key=lambda t: t.start)
        fence = (-1, None)
        for i, before in enumerate(owners):
            for after in owners[i + 1:]:
                if before.member == after.member or before.active() <= after.start:
                    continue
                # Another client's zombie is not ours to answer for; ours has no excuse.
                if before.how == "lost" and not before.kwire():
                    self.foreign_zombies += 1
                    continue
                self.breach("overlap", f"{before} and {after}")
            if before.kwire():
                for _, _, _, _, token in before.runs:
                    if token < fence[0] or token == fence[0] and before.member != fence[1].member:
                        self.breach("fence", f"{before} has {token}, {fence[1]} had {fence[0]}")
                    if token > fence[0]:
                        fence = (token, before)

    def check_records(self, partition):
        """lost and twice, run by run in the order of time."""
        runs = sorted(((r, t) for t in self.tenures if t.partition == partition for r in t.runs),
                      key=lambda pair: (pair[1].start, pair[0][0]))
        handled = [None] * (len(self.sums[partition]) - 1)  # (time, tenure) of the last that did it
        for (time, first, last, _, _), tenure in runs:
            bad = None
            for offset in range(first, min(last + 1, len(handled))):
                if offset not in self.log[partition]:
                    continue
                before = handled[offset]
                handled[offset] = (time, tenure)
                if before is None:
                    continue
                self.n_twice += 1
                excused = before[1].how in ("killed", "lost") or before[1].refused
                if before[1] is not tenure and excused and before[0] >= before[1].active() - self.window:
                    continue
                bad = bad or (offset, before)
            if bad:
                self.breach("twice", f"{tenure}: offset {bad[0]} was handled at {bad[1][0]} by {bad[1][1]}")
        missing = [o for o in self.log[partition] if handled[o] is None]
        if missing:
            self.breach("lost", f"partition {partition}: {len(missing)} records, {missing[0]} first")

    def judge(self):
        self.n_twice = self.foreign_zombies = 0
        self.check_runs()
        for partition in self.log:
            self.check_owners(partition)
            self.check_records(partition)


def report(judge, names, text):
    laws = [("lost", "every record was handled"), ("content", "and is what the log has"),
            ("order", "no step back and no hole while a partition is owned"),
            ("stale", "nothing is handled before assigned or after revoked"),
            ("overlap", "no two members own a partition at once"),
            ("twice", "what is handled twice is within the window"),
            ("fence", "fence tokens grow from owner to owner")]
    for law, meaning in laws:
        found = judge.breaches.get(law, [])
        for line in found[:5]:
            print(f"  {law}: {line}")
        print(f"{'not ok' if found else 'ok'} - {text}: {meaning}" + (f" ({law}: {len(found)} times)" if found else ""))
    kinds = {kind: sum(n.endswith(kind) for n in names) for kind in (".kwire", ".rdkafka", ".java")}
    moves = sum(t.how == "revoked" for t in judge.tenures)
    ends = {how: sum(t.how == how for t in judge.tenures) for how in ("killed", "lost", "closing")}
    print(f"figure: {text}: {sum(len(v) for v in judge.log.values())} records, {judge.n_twice} of them twice; "
          f"{len(judge.tenures)} ownerships, of which {moves} were revoked, {ends['closing']} ended by leaving, "
          f"{ends['killed']} by kill -9, {ends['lost']} were lost; members: {kinds['.kwire']} of kwire, "
          f"{kinds['.java']} of Java, {kinds['.rdkafka']} of librdkafka"
          + (f"; {judge.foreign_zombies} overlaps by others' zombies" if judge.foreign_zombies else ""))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--window", type=float, default=2)
    parser.add_argument("--plant", choices=["lost", "content", "order", "stale", "overlap", "twice", "fence"])
    parser.add_argument("--text", default="the group")
    parser.add_argument("--since", type=int, default=0)
    parser.add_argument("log")
    parser.add_argument("histories", nargs="+")
    options = parser.parse_args()
    judge = Judge(int(options.window * 1e6))
    judge.read_log(options.log)
    for path in options.histories:
        judge.read_history(path, options.since)
    if options.plant:
        random.seed(1)
        judge.plant(options.plant)
    judge.judge()
    report(judge, options.histories, options.text)
    sys.exit(bool(judge.breaches))


main()
