#!/usr/bin/env bash
# kw as a member of groups on a real broker, by the classic protocol and by that of KIP-848:
# alone, with others of its kind, and with Java's console consumer; what it printed is
# committed, what it left is printed by the next one, and Kafka's own tool shows it as it is.
#
# covers: G07 G12 G17 G21 G23 G24 I6 I7
. "$(dirname "$0")/lib.sh"
# How often members of KIP-848 groups are heard of is for the broker to say.
cat >"$work/properties" <<END
group.consumer.min.heartbeat.interval.ms=500
group.consumer.heartbeat.interval.ms=500
group.consumer.min.session.timeout.ms=6000
group.consumer.session.timeout.ms=6000
END
export KW_KAFKA_PROPERTIES=$PWD/$work/properties
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
both_have() { [ "$($kw groups describe -b "$KW_BROKER" second 2>/dev/null | grep -c '^  member .*, has many:')" = 2 ]; }
check "both have partitions" wait_for 60 both_have
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

# ---- the protocol of KIP-848 ------------------------------------------------------------------------

modern=(-X group.protocol=consumer)
new_topic next 8
pids=()
member n1 -G next next "${modern[@]}"
member n2 -G next next "${modern[@]}"
shares() { # GROUP MEMBERS EACH: so many members with so many partitions
    groups_tool --describe --group "$1" --members --verbose >"$work/$1-members" 2>&1
    test "$(awk -v g="$1" -v n="$3" '$1 == g { for (i = 4; i < NF; i++) if ($i == "kwire" || $i ~ /^console-consumer/) c = $(i + 1) == n
        k += c; c = 0 } END { print k + 0 }' "$work/$1-members")" = "$2"
}
check "kafka-consumer-groups shows two members with four partitions each, and the client id" wait_for 40 shares next 2 4
groups_tool --describe --group next --state >"$work/state" 2>&1
check "and the group as stable, with the uniform assignor" grep -Eq 'next .*uniform +Stable +2' "$work/state"
seq 20000 | $kw produce -q -b "$KW_BROKER" -t next
check "two members print all of 20000" wait_for 30 has_lines 20000 "$work/n1" "$work/n2"
same "each record once" <(seq 20000) <(sort -n "$work/n1" "$work/n2")
check "both had some" test "$(lines "$work/n1")" -gt 0 -a "$(lines "$work/n2")" -gt 0
kill -INT "${pids[0]}" && wait "${pids[0]}" 2>/dev/null
member n3 -G next next "${modern[@]}"
seq 20001 30000 | $kw produce -q -b "$KW_BROKER" -t next
check "one leaves, one comes: the rest is printed" wait_for 30 has_lines 30000 "$work/n1" "$work/n2" "$work/n3"
same "each record once" <(seq 30000) <(sort -n "$work/n1" "$work/n2" "$work/n3")
kill -KILL "${pids[1]}" && wait "${pids[1]}" 2>/dev/null
seq 30001 40000 | $kw produce -q -b "$KW_BROKER" -t next
check "one is killed: the other prints the rest within a session" wait_for 40 has_different 40000 "$work/n1" "$work/n2" "$work/n3"
same "nothing is lost" <(seq 40000) <(sort -nu "$work/n1" "$work/n2" "$work/n3")
stop_members
groups_tool --describe --group next >"$work/describe" 2>&1
check "what was printed is committed" awk '
    $1 == "next" { lag += $6; at += $4 } END { exit !(lag == 0 && at == 40000) }' "$work/describe"

# A member that stands still for longer than its session: it comes back, and nothing is lost.
member s1 -G next next "${modern[@]}"
member s2 -G next next "${modern[@]}"
check "two members again" wait_for 40 shares next 2 4
kill -STOP "${pids[0]}"
sleep 8
seq 40001 50000 | $kw produce -q -b "$KW_BROKER" -t next
check "one stands still: the other prints all" wait_for 30 has_different 10000 "$work/s2"
kill -CONT "${pids[0]}"
check "it joins again" wait_for 40 shares next 2 4
seq 50001 60000 | $kw produce -q -b "$KW_BROKER" -t next
check "both print the rest" wait_for 30 has_different 20000 "$work/s1" "$work/s2"
same "nothing is lost" <(seq 40001 60000) <(sort -nu "$work/s1" "$work/s2")
check "the one that stood still was told" grep -q "partitions are lost" "$work/s1.err"
stop_members

# A static member that comes back has what it had; a second one of its name is refused
# when a session (6 s) has passed.
member i1 -G named next "${modern[@]}" -X group.instance.id=one
check "a static member has all" wait_for 40 shares named 1 8
$kw consume -b "$KW_BROKER" -G named next "${modern[@]}" -X group.instance.id=one >"$work/i2" 2>"$work/i2.err"
check "a second one of its name is refused" grep -q "UNRELEASED_INSTANCE_ID" "$work/i2.err"
stop_members
check "it left for a while: it is still a member" sh -c \
    "$kw groups describe -b $KW_BROKER -J named | grep -q '\"instance_id\":\"one\"'"
member i3 -G named next "${modern[@]}" -X group.instance.id=one
seq 60001 61000 | $kw produce -q -b "$KW_BROKER" -t next
check "it comes back at once and prints" wait_for 5 has_lines 1000 "$work/i3"
stop_members
$kw consume -b "$KW_BROKER" -G wrong next "${modern[@]}" -X group.remote.assignor=best >/dev/null 2>"$work/wrong.err"
check "an assignor that the broker lacks is told" grep -q "UNSUPPORTED_ASSIGNOR" "$work/wrong.err"

# With Java in one group, joining and leaving while records flow.
new_topic both 6
pids=()
member j1 -G both both "${modern[@]}"
java_member() { # OUT
    timeout 120 tools/kafka.sh tool console-consumer --bootstrap-server "$KW_BROKER" --topic both --group both \
        --command-property group.protocol=consumer --command-property auto.offset.reset=earliest \
        >"$work/$1" 2>"$work/$1.err" &
    java_pid=$!
}
java_member java1
check "kw and Java's console consumer share six partitions" wait_for 60 shares both 2 3
seq 100000 | $kw produce -q -b "$KW_BROKER" -t both --rate 5000 &
flow=$!
sleep 4
member j2 -G both both "${modern[@]}"
check "three members with two partitions each" wait_for 40 shares both 3 2
kill -TERM $java_pid # timeout passes it on to all below it
wait $java_pid 2>/dev/null
check "Java leaves: three for each of kw's" wait_for 40 shares both 2 3
java_member java2
check "and comes back" wait_for 40 shares both 3 2
kill -INT "${pids[0]}" && wait "${pids[0]}" 2>/dev/null
check "one of kw's leaves" wait_for 40 shares both 2 3
wait $flow
check "together they print 100000" wait_for 40 has_different 100000 "$work/j1" "$work/j2" "$work/java1" "$work/java2"
same "nothing is lost" <(seq 100000) <(sort -nu "$work/j1" "$work/j2" "$work/java1" "$work/java2")
same "kw's members printed nothing twice" <(sort -n "$work/j1" "$work/j2") <(sort -nu "$work/j1" "$work/j2")
check "each had some" test "$(lines "$work/j1")" -gt 0 -a "$(lines "$work/j2")" -gt 0 -a "$(lines "$work/java1")" -gt 0 -a "$(lines "$work/java2")" -gt 0
kill -TERM $java_pid
wait $java_pid 2>/dev/null
stop_members

# auto chooses; a pattern is matched by the broker.
$kw consume -q -b "$KW_BROKER" -G chosen next -X group.protocol=auto -e >"$work/auto"
check "auto reads all" test "$(lines "$work/auto")" = 61000
groups_tool --list --consumer >/dev/null 2>&1
groups_tool --describe --group chosen --state >"$work/chosen" 2>&1
check "as a group of the new protocol" grep -q 'uniform' "$work/chosen"
new_topic line-1 2
new_topic lane-1 2
pids=()
member p1 -G lines '^line-[0-9]+$' "${modern[@]}"
check "a pattern gives what it matches" wait_for 40 shares lines 1 2
new_topic line-22 3
# A broker looks for new topics that match every 10 minutes, or when a heartbeat brings
# the pattern anew: that of a second member does.
member p2 -G lines '^line-[0-9]+$|^never$' "${modern[@]}"
five() { test "$(awk '$1 == "lines" && $2 ~ /^line-/ && $7 != "-"' "$work/lines" 2>/dev/null | wc -l)" = 5 || { groups_tool --describe --group lines >"$work/lines" 2>&1; false; }; }
check "a topic that came later is shared out with the rest" wait_for 60 five
for topic in line-1 line-22 lane-1; do seq 100 | sed "s/^/$topic /" | $kw produce -q -b "$KW_BROKER" -t $topic; done
check "what they print is of the topics that match" wait_for 20 has_lines 200 "$work/p1" "$work/p2"
check "and of no other" test "$(grep -c lane "$work/p1" "$work/p2" | awk -F: '{ n += $2 } END { print n }')" = 0
stop_members
$kw consume -b "$KW_BROKER" -G lines '^line-(' "${modern[@]}" >/dev/null 2>"$work/wrong.err"
check "what is no regular expression is told" grep -q "INVALID_REGULAR_EXPRESSION" "$work/wrong.err"
done_testing
