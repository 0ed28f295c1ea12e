#!/usr/bin/env bash
# kw as a member of classic groups on a real broker: alone, with others of its kind, and
# with Java's console consumer; what it printed is committed, what it left is printed by
# the next one, and Kafka's own tool shows it as it is.
#
# covers: G07 G12 G17 I6 I7
. "$(dirname "$0")/lib.sh"
need_kafka
groups_tool() { timeout 90 tools/kafka.sh tool consumer-groups --bootstrap-server "$KW_BROKER" "$@"; }
pids=()
stop_members() {
    for pid in "${pids[@]}"; do kill -INT "$pid" 2>/dev/null; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
    pids=()
}
# wait_for SECONDS COMMAND...
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.3
    done
}
lines() { cat "$@" 2>/dev/null | wc -l; }
has_lines() { [ "$(lines "${@:2}")" -ge "$1" ]; }
has_different() { [ "$(sort -u "${@:2}" 2>/dev/null | wc -l)" -ge "$1" ]; }
member() { # OUT OPTION...
    local out=$1
    shift
    $kw consume -b "$KW_BROKER" "$@" >"$work/$out" 2>"$work/$out.err" &
    pids+=($!)
}

# ---- one member, again and again ----------------------------------------------------------

new_topic one 4
seq 1000 >"$work/numbers"
check "kw produces 1000 records" $kw produce -b "$KW_BROKER" -t one -l "$work/numbers"
$kw consume -q -b "$KW_BROKER" -G first one -e >"$work/got"
same "a new group prints everything" <(sort -n "$work/numbers") <(sort -n "$work/got")
$kw consume -q -b "$KW_BROKER" -G first one -e >"$work/got"
check "and nothing the second time: it was committed" test ! -s "$work/got"
seq 1001 1500 >"$work/more"
$kw produce -q -b "$KW_BROKER" -t one -l "$work/more"
$kw consume -q -b "$KW_BROKER" -G first one -c 123 >"$work/part"
$kw consume -q -b "$KW_BROKER" -G first one -e >"$work/rest"
same "what -c left is printed by the next run, nothing twice" "$work/more" <(sort -n "$work/part" "$work/rest")
groups_tool --describe --group first >"$work/describe" 2>&1
check "kafka-consumer-groups: no lag, no members" awk '
    $1 == "first" { lag += $6; end += $5; at += $4; members += $7 != "-" }
    END { exit !(lag == 0 && end == 1500 && at == 1500 && members == 0) }' "$work/describe"
groups_tool --group first --topic one --reset-offsets --to-earliest --execute >"$work/reset" 2>&1
$kw consume -q -b "$KW_BROKER" -G first one -e >"$work/again"
check "a reset by Kafka's tool is respected" test "$(lines "$work/again")" = 1500

# ---- several members, coming and going ---------------------------------------------------------

new_topic many 8
pids=()
member a -G second many -X session.timeout.ms=6000 -X heartbeat.interval.ms=500
member b -G second many -X session.timeout.ms=6000 -X heartbeat.interval.ms=500
sleep 5
seq 20000 | $kw produce -q -b "$KW_BROKER" -t many
check "two members print all of 20000" wait_for 30 has_lines 20000 "$work/a" "$work/b"
same "each record once" <(seq 20000) <(sort -n "$work/a" "$work/b")
check "both had some" test "$(lines "$work/a")" -gt 0 -a "$(lines "$work/b")" -gt 0
groups_tool --describe --group second --members --verbose >"$work/members" 2>&1
check "kafka-consumer-groups shows two members with four partitions each, and the client id" awk '
    $1 == "second" && $2 ~ /^kwire/ && $4 == "kwire" && $5 == 4 { n++ } END { exit n != 2 }' "$work/members"
groups_tool --describe --group second --state >"$work/state" 2>&1
check "and the group as stable, with the range assignor" grep -Eq 'second .*range +Stable +2' "$work/state"
kill -INT "${pids[0]}" && wait "${pids[0]}" 2>/dev/null
member c -G second many -X session.timeout.ms=6000 -X heartbeat.interval.ms=500
sleep 3
seq 20001 30000 | $kw produce -q -b "$KW_BROKER" -t many
check "one leaves, one comes: the rest is printed" wait_for 30 has_lines 30000 "$work/a" "$work/b" "$work/c"
same "each record once" <(seq 30000) <(sort -n "$work/a" "$work/b" "$work/c")
# One dies without a word: what it had is taken over after its session.
kill -KILL "${pids[1]}" && wait "${pids[1]}" 2>/dev/null
seq 30001 40000 | $kw produce -q -b "$KW_BROKER" -t many
check "one is killed: the others print the rest within a session" wait_for 40 has_different 40000 "$work/a" "$work/b" "$work/c"
same "nothing is lost" <(seq 40000) <(sort -nu "$work/a" "$work/b" "$work/c")
stop_members

# ---- with Java in one group ----------------------------------------------------------------------

new_topic mixed 6
member m1 -G mixed mixed -X session.timeout.ms=10000 -X heartbeat.interval.ms=500
timeout 120 tools/kafka.sh tool console-consumer --bootstrap-server "$KW_BROKER" --topic mixed --group mixed \
    --command-property partition.assignment.strategy=org.apache.kafka.clients.consumer.RangeAssignor \
    --command-property auto.offset.reset=earliest >"$work/java" 2>"$work/java.err" &
java_pid=$!
two_members() {
    groups_tool --describe --group mixed --members >"$work/mixed-members" 2>&1
    test "$(awk '$1 == "mixed" && $5 == 3' "$work/mixed-members" | wc -l)" = 2
}
check "kw and Java's console consumer share six partitions" wait_for 60 two_members
seq 10000 | $kw produce -q -b "$KW_BROKER" -t mixed
check "together they print 10000" wait_for 40 has_lines 10000 "$work/m1" "$work/java"
same "each record once" <(seq 10000) <(sort -n "$work/m1" "$work/java")
check "both had some" test "$(lines "$work/m1")" -gt 0 -a "$(lines "$work/java")" -gt 0
kill -TERM $java_pid # timeout passes it on to all below it
wait $java_pid 2>/dev/null
alone() { groups_tool --describe --group mixed --members 2>/dev/null | awk '$1 == "mixed" && $5 == 6 { n++ } END { exit n != 1 }'; }
check "when Java leaves, kw has all six" wait_for 40 alone
seq 10001 12000 | $kw produce -q -b "$KW_BROKER" -t mixed
check "and prints the rest" wait_for 30 has_lines 12000 "$work/m1" "$work/java"
stop_members
done_testing
