#!/usr/bin/env bash
# kw consume -G, against kw broker: what was printed is committed, the rest is printed by
# the next one, and a member that comes late gets its share.
. "$(dirname "$0")/lib.sh"
start_broker --brokers 2 --topic orders:4 --topic users:2 --topic slow:1

seq 100 | "$kw" produce -q -b "$B" -t orders
seq 101 120 | "$kw" produce -q -b "$B" -t users
run "a new group" 0 "$kw" consume -b "$B" -G printers orders users -e
true_that "prints everything" [ "$(sort -n "$out" | uniq | wc -l)" = 120 ]
says "and says how much" '120 records'
run "the same again" 0 "$kw" consume -b "$B" -G printers orders users -e
true_that "has nothing left to print" [ ! -s "$out" ]
seq 201 250 | "$kw" produce -q -b "$B" -t orders
run "-c" 0 "$kw" consume -q -b "$B" -G printers orders -c 7
cp "$out" "$work/seven"
run "and the rest" 0 "$kw" consume -q -b "$B" -G printers orders -e
true_that "is what -c left" cmp -s <(seq 201 250) <(sort -n "$work/seven" "$out")
run "-o end, for a group that is new" 0 "$kw" consume -q -b "$B" -G latecomers orders -o end -e
true_that "begins at the end" [ ! -s "$out" ]
run "a group without topics" 2 "$kw" consume -b "$B" -G printers
says "is told" 'no topic: name them behind -G printers'
run "-G and -t" 2 "$kw" consume -b "$B" -G printers -t orders orders
run "a topic without -G" 2 "$kw" consume -b "$B" orders
run "-o 5 with -G" 2 "$kw" consume -b "$B" -G printers orders -o 5
run "an assignor that is not there" 2 "$kw" consume -b "$B" -G printers orders -e \
    -X partition.assignment.strategy=best
says "is named" 'there is no assignor best'

run "-X auto.offset.reset=latest, for another" 0 "$kw" consume -q -b "$B" -G latest orders -e -X auto.offset.reset=latest
true_that "is not overruled" [ ! -s "$out" ]
run "auto.offset.reset=none, for a third" 1 "$kw" consume -q -b "$B" -G none orders -e -X auto.offset.reset=none
true_that "prints and commits nothing" [ ! -s "$out" ]

# Who reads what we print is slower than the session is long.
slow() { while read -r line; do echo "$line"; sleep 0.004; done; }
seq 1500 | "$kw" produce -q -b "$B" -t slow -H "filler=$(head -c 200 /dev/zero | tr '\0' x)"
timeout 300 "$kw" consume -b "$B" -G patient slow -e -f '%s %h\n' -X session.timeout.ms=1500 \
    -X heartbeat.interval.ms=300 2>"$err" | slow | cut -d ' ' -f 1 >"$out"
true_that "a slow reader gets each record once" cmp -s <(seq 1500) <(sort -n "$out")
true_that "and nothing is lost meanwhile" eval '! grep -q lost "$err"'


# A reader that goes away: what it could not have had is not committed, with -c either.
timeout 60 "$kw" consume -b "$B" -G cut slow -c 100000 -f '%s %h\n' -X auto.commit.interval.ms=100 \
    2>"$err" | (read -r line; sleep 2)
"$kw" consume -q -b "$B" -G cut slow -c 1 >"$out" 2>"$err"
true_that "what was not printed is not committed" [ "$(cat "$out")" -le 350 ]

# A group.id from a file is another program's: without -G nothing is committed in its name.
for what in "consume -q -o beginning" "bench consume"; do
    timeout -k 10 -s INT 2 "$kw" $what -b "$B" -t orders -X group.id=foreign -X auto.commit.interval.ms=100 >"$out" 2>"$err"
    true_that "kw $what goes on until it is told to end" [ -s "$out" ]
done
run "what is committed for it" 0 "$kw" groups list -b "$B"
true_that "is nothing" [ "$(grep -c foreign "$out")" = 0 ]

modern="-X group.protocol=consumer"
run "the broker assigns" 0 "$kw" consume -q -b "$B" -G modern orders users -e $modern
true_that "everything is printed" [ "$(wc -l <"$out")" = 170 ]
run "and again" 0 "$kw" consume -q -b "$B" -G modern orders users -e $modern
true_that "nothing is left" [ ! -s "$out" ]
run "a pattern" 0 "$kw" consume -q -b "$B" -G matched '^us.*' -e $modern
true_that "is matched by the broker" cmp -s <(seq 101 120) <(sort -n "$out")
run "a pattern for the classic protocol" 1 "$kw" consume -q -b "$B" -G matched '^us.*' -e
says "is refused" 'group.protocol=consumer'
run "a key of the other protocol" 2 "$kw" consume -b "$B" -G modern orders $modern -X session.timeout.ms=6000
says "is refused as Java does" 'session.timeout.ms = 6000: cannot be set when group.protocol=consumer'
run "an assignor that the broker lacks" 1 "$kw" consume -b "$B" -G other orders -e $modern -X group.remote.assignor=best
says "is told" 'UNSUPPORTED_ASSIGNOR'
run "the same with -q" 1 "$kw" consume -q -b "$B" -G other orders -e $modern -X group.remote.assignor=best
says "is told all the same" 'UNSUPPORTED_ASSIGNOR'
start_broker --topic orders:1 --fault 'joingroup:*:error=GROUP_AUTHORIZATION_FAILED'
run "a group that we have no right to, with -q" 4 "$kw" consume -q -b "$B" -G secret orders -e
says "is named" 'group secret: .*GROUP_AUTHORIZATION_FAILED'
true_that "once, and nothing else" [ "$(wc -l <"$err")" = 1 ]
start_broker --topic orders:1 --fault 'findcoordinator:*:error=GROUP_AUTHORIZATION_FAILED'
run "the same by the coordinator's finder" 4 "$kw" consume -q -b "$B" -G secret orders -e
says "is named, too" 'GROUP_AUTHORIZATION_FAILED'
start_broker --topic orders:1 --fault 'fetch:*:error=CORRUPT_MESSAGE'
run "a log that its leader cannot read, to its end" 1 "$kw" consume -q -b "$B" -G readers orders -e
says "ends with the reason" 'CORRUPT_MESSAGE'
start_broker --topic orders:1 --fault 'fetch:*:error=TOPIC_AUTHORIZATION_FAILED'
run "a topic that we may not read, to its end" 4 "$kw" consume -q -b "$B" -G readers orders -e
says "ends with the reason" 'TOPIC_AUTHORIZATION_FAILED'
done_testing
