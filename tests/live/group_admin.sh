#!/usr/bin/env bash
# kw groups, kw offsets and kw lag beside Kafka's own tool, on a real broker: both print the
# same members, client ids, hosts, assignments, offsets and lag of our consumers, by the
# classic protocol and that of KIP-848; what one resets the other sees, and our consumer
# respects.
#
# covers: B21 C55
. "$(dirname "$0")/lib.sh"
cat >"$work/properties" <<END
group.consumer.min.heartbeat.interval.ms=500
group.consumer.heartbeat.interval.ms=500
END
export KW_KAFKA_PROPERTIES=$PWD/$work/properties
need_kafka
groups_tool() { timeout 90 tools/kafka.sh tool consumer-groups --bootstrap-server "$KW_BROKER" "$@"; }
pids=()
member() { # OUT OPTION...
    local out=$1
    shift
    $kw consume -b "$KW_BROKER" "$@" >"$work/$out" 2>"$work/$out.err" &
    pids+=($!)
}
stop_members() {
    for pid in "${pids[@]}"; do kill -INT "$pid" 2>/dev/null; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
    pids=()
}
wait_for() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.3
    done
}
lines() { cat "$@" 2>/dev/null | wc -l; }
has_lines() { [ "$(lines "${@:2}")" -ge "$1" ]; }
# Rows of either tool: GROUP TOPIC PARTITION CURRENT END LAG CONSUMER-ID HOST CLIENT-ID. Java's
# --verbose-less table may have a column more in newer versions; none of those we run has.
table() { awk -v g="$1" '$1 == g { print $1, $2, $3, $4, $5, $6, $7, $8, $9 }' | sort; }
java_rows() { groups_tool --describe --group "$1" 2>/dev/null | table "$1"; }
kw_rows() { $kw lag -b "$KW_BROKER" -G "$1" 2>/dev/null | table "$1"; }
has_no_lag() { [ "$(kw_rows "$1" | awk '$6 == 0 { n++ } END { print n + 0 }')" = 4 ]; }
described_rows() { $kw groups describe -b "$KW_BROKER" "$1" 2>/dev/null | table "$1"; }
members_of() { $kw groups describe -b "$KW_BROKER" "$1" 2>/dev/null | grep -c "^  member .*, has $2:"; }
has_members() { [ "$(members_of "$1" "$2")" = "$3" ]; }

# A quarter of 1000 numbers into each of four partitions.
produce_numbers() { # TOPIC
    for p in 0 1 2 3; do
        seq $((p * 250 + 1)) $((p * 250 + 250)) | $kw produce -q -b "$KW_BROKER" -t "$1" -p $p
    done
}
for protocol in classic consumer; do
    group=g-$protocol
    topic=t-$protocol
    new_topic $topic 4
    produce_numbers $topic
    pids=()
    member $group.1 -G $group $topic -X group.protocol=$protocol -X client.id=one
    member $group.2 -G $group $topic -X group.protocol=$protocol -X client.id=two
    check "$protocol: two members share four partitions" wait_for 40 has_members $group $topic 2
    check "$protocol: they print all" wait_for 20 has_lines 1000 "$work/$group.1" "$work/$group.2"
    check "$protocol: what was printed is committed" wait_for 30 has_no_lag $group
    java_rows $group >"$work/$group.java"
    kw_rows $group >"$work/$group.kw"
    described_rows $group >"$work/$group.described"
    check "$protocol: Kafka's tool shows four partitions with members, and no lag" awk '
        { n++; lag += $6; members += $7 != "-"; client[$9]++ }
        END { exit !(n == 4 && lag == 0 && members == 4 && client["one"] == 2 && client["two"] == 2) }' \
        "$work/$group.java"
    same "$protocol: kw lag prints the same members, clients, hosts, offsets and lag" "$work/$group.java" "$work/$group.kw"
    same "$protocol: kw groups describe does, too" "$work/$group.java" "$work/$group.described"
    check "$protocol: kw groups list says what it is" bash -c "
        $kw groups list -b $KW_BROKER | grep -Eq '^$group +$protocol +Stable +consumer '"
    groups_tool --describe --group $group --members --verbose >"$work/$group.members" 2>&1
    $kw groups describe -b "$KW_BROKER" $group >"$work/$group.text"
    # The assignments of Java's table, as topic:p,p or topic(p,p), by member.
    check "$protocol: the members have what Kafka's tool says" bash -c "
        for id in \$(sed -n 's/^  member \([^ ]*\): .*/\1/p' $work/$group.text); do
            has=\$(sed -n \"s/^  member \$id: .*, has $topic:\([0-9,]*\)\$/\1/p\" $work/$group.text)
            grep -F \"\$id\" $work/$group.members | grep -Eq \"$topic(:|\\()\$has(\$|[^0-9,])\" || exit 1
        done"
    check "$protocol: a reset of an active group is refused by kw" bash -c "
        ! $kw groups reset -b $KW_BROKER -G $group -t $topic --to earliest --execute 2>$work/refused"
    check "$protocol: and says why" grep -q "group $group is active: state" "$work/refused"
    $kw offsets set -b "$KW_BROKER" -G $group $topic:0=1 2>"$work/refused"
    check "$protocol: the broker refuses it, too" grep -q "UNKNOWN_MEMBER_ID" "$work/refused"
    $kw groups delete -b "$KW_BROKER" $group 2>"$work/refused"
    check "$protocol: an active group is not deleted" grep -q "NON_EMPTY_GROUP" "$work/refused"
    # Records that nobody reads: both count the same lag.
    kill -STOP "${pids[@]}"
    produce_numbers $topic
    java_rows $group >"$work/$group.java"
    kw_rows $group >"$work/$group.kw"
    check "$protocol: 1000 more, and nobody reads: there is lag" awk '{ lag += $6 } END { exit lag != 1000 }' "$work/$group.java"
    same "$protocol: kw lag prints the same" "$work/$group.java" "$work/$group.kw"
    check "$protocol: as JSON it is 1000" bash -c "$kw lag -b $KW_BROKER -G $group -J | grep -q '\"lag\":1000}'"
    kill -CONT "${pids[@]}"
    check "$protocol: they go on" wait_for 40 has_lines 2000 "$work/$group.1" "$work/$group.2"
    stop_members
    java_rows $group >"$work/$group.java"
    kw_rows $group >"$work/$group.kw"
    check "$protocol: when they have left all is committed" awk '
        { at += $4; lag += $6; members += $7 != "-" } END { exit !(at == 2000 && lag == 0 && members == 0) }' "$work/$group.java"
    same "$protocol: kw lag prints the same" "$work/$group.java" "$work/$group.kw"

    # ---- resets, in both directions -------------------------------------------------------

    groups_tool --group $group --topic $topic --reset-offsets --to-earliest --execute >"$work/reset" 2>&1
    java_rows $group >"$work/$group.java"
    kw_rows $group >"$work/$group.kw"
    same "$protocol: a reset by Kafka's tool is seen by kw" "$work/$group.java" "$work/$group.kw"
    $kw consume -q -b "$KW_BROKER" -G $group $topic -X group.protocol=$protocol -e >"$work/again"
    check "$protocol: and our consumer begins there" test "$(lines "$work/again")" = 2000
    for goal in "--to earliest" "--to latest" "--to 17" "--shift -5" "--to by_duration:PT1H"; do
        case $goal in
        "--to earliest") java=(--to-earliest) ;;
        "--to latest") java=(--to-latest) ;;
        "--to 17") java=(--to-offset 17) ;;
        "--shift -5") java=(--shift-by -5) ;;
        *) java=(--by-duration PT1H) ;;
        esac
        groups_tool --group $group --topic $topic --reset-offsets "${java[@]}" --dry-run 2>/dev/null |
            awk -v g=$group '$1 == g { print $2, $3, $4 }' | sort >"$work/plan.java"
        $kw groups reset -q -b "$KW_BROKER" -G $group -t $topic $goal | awk -v g=$group '$1 == g { print $2, $3, $5 }' |
            sort >"$work/plan.kw"
        check "$protocol: $goal: Kafka's tool has a plan" test "$(lines "$work/plan.java")" = 4
        same "$protocol: $goal: kw has the same" "$work/plan.java" "$work/plan.kw"
    done
    check "$protocol: kw resets" $kw groups reset -b "$KW_BROKER" -G $group -t $topic:1,2 --to 100 --execute
    java_rows $group >"$work/$group.java"
    check "$protocol: Kafka's tool sees it" awk '
        $3 == 1 || $3 == 2 { n += $4 == 100 } $3 == 0 || $3 == 3 { n += $6 == 0 } END { exit n != 4 }' "$work/$group.java"
    left=$(awk '{ lag += $6 } END { print lag }' "$work/$group.java")
    $kw consume -q -b "$KW_BROKER" -G $group $topic -X group.protocol=$protocol -e >"$work/rest"
    check "$protocol: our consumer prints the $left that are left" test "$(lines "$work/rest")" = "$left"
    check "$protocol: kw deletes an offset" $kw offsets delete -b "$KW_BROKER" -G $group -t $topic:3
    java_rows $group >"$work/$group.java"
    check "$protocol: Kafka's tool does not see it any more" awk '$3 == 3 && $4 != "-" { n++ } END { exit n > 0 }' "$work/$group.java"
    check "$protocol: kw deletes the group" $kw groups delete -b "$KW_BROKER" $group
    check "$protocol: it is gone" bash -c "! $kw groups list -b $KW_BROKER | grep -q '^$group '"
done

# ---- offsets of logs, as Kafka's tool has them ------------------------------------------------

timeout 90 tools/kafka.sh tool get-offsets --bootstrap-server "$KW_BROKER" --topic t-classic --time latest 2>/dev/null |
    sort >"$work/ends.java"
$kw offsets get -b "$KW_BROKER" -t t-classic | awk '$1 == "t-classic" { print $1 ":" $2 ":" $4 }' | sort >"$work/ends.kw"
check "Kafka's tool prints four ends" test "$(lines "$work/ends.java")" = 4
same "kw offsets get prints the same" "$work/ends.java" "$work/ends.kw"

# ---- a partition that comes later, with reset=latest ---------------------------------------------

for protocol in classic consumer; do
    topic=later-$protocol
    new_topic $topic 1
    pids=()
    member later.$protocol -G later-$protocol $topic -o end -X group.protocol=$protocol -X metadata.max.age.ms=5000
    check "$protocol: a member at the end" wait_for 40 has_members later-$protocol $topic 1
    sleep 1
    timeout 90 tools/kafka.sh tool topics --bootstrap-server "$KW_BROKER" --alter --topic $topic --partitions 3 >/dev/null 2>&1
    seq 100 | $kw produce -q -b "$KW_BROKER" -t $topic -p 2
    check "$protocol: what was written to a new partition before it was noticed is printed" wait_for 60 has_lines 100 "$work/later.$protocol"
    same "$protocol: all of it" <(seq 100) <(sort -n "$work/later.$protocol")
    stop_members
done
done_testing
