#!/usr/bin/env bash
# Members of kwire, Java and librdkafka in one group, joining and leaving at random while
# numbered records flow: three groups at once on one topic of a real broker, by range, by
# cooperative-sticky, and by the protocol of KIP-848. kwire's members are also killed.
#
# Every record must be handled, nothing by two owners at once, nothing after a revoke, and
# twice only what a killed member had not committed (ownership.py has the laws).
# KW_MIXED_SECONDS (40), KW_MIXED_RECORDS (2500 a second), KW_MIXED_SEED.
#
# covers: G04 G07 G12 G17 G21 G23 G24 G41 G42 I5 I6 I7
. "$(dirname "$0")/lib.sh"
. tests/live/members.sh
seconds=${KW_MIXED_SECONDS:-40}
records=${KW_MIXED_RECORDS:-$((seconds * 2500))}
seed=${KW_MIXED_SEED:-$RANDOM}
RANDOM=$seed
rdkafka=$(find_rdkafka)
check "a librdkafka of 2.12 or newer is there" test -n "$rdkafka"
[ -n "$rdkafka" ] || done_testing
need_kafka
stop_all() { members_kill; tools/kafka.sh clean; }
trap stop_all EXIT
printf 'heartbeat.interval.ms=500\nmetadata.max.age.ms=2000\n' >"$work/java-classic"
printf 'metadata.max.age.ms=2000\n' >"$work/java-next"

groups=(range cooperative next)
strategy=org.apache.kafka.clients.consumer
# start GROUP KIND NAME
start() {
    local classic=(session.timeout.ms=6000 heartbeat.interval.ms=500)
    local java=(--session-timeout 6000 --command-config "$work/java-classic")
    case $1-$2 in
    range-java) java+=(--assignment-strategy $strategy.RangeAssignor) ;;
    range-*) classic+=(partition.assignment.strategy=range) ;;
    cooperative-java) java+=(--assignment-strategy $strategy.CooperativeStickyAssignor) ;;
    cooperative-*) classic+=(partition.assignment.strategy=cooperative-sticky) ;;
    next-java) java=(--group-protocol consumer --command-config "$work/java-next") ;;
    next-*) classic=(group.protocol=consumer) ;;
    esac
    if [ "$2" = java ]; then member_start "$3" "$1" flow "${java[@]}"; else member_start "$3" "$1" flow "${classic[@]}"; fi
}
# One member of one group comes or goes. Those of Java, which take seconds of the
# processor to start, are chosen less often.
turn() {
    local group=${groups[RANDOM % 3]} kind=kwire name
    case $((RANDOM % 10)) in
    0) kind=java name=$group-j.java ;;
    1 | 2 | 3) kind=rdkafka name=$group-r.rdkafka ;;
    *) name=$group-k$((RANDOM % 3)).kwire ;;
    esac
    if ! member_runs "$name"; then
        start "$group" $kind "$name"
    elif [ $kind = kwire ] && ((RANDOM % 4 == 0)); then
        member_kill "$name"
    # One of Java that has just been started would never come to anything.
    elif [ $kind != java ] || grep -q records_consumed "${member_file[$name]}"; then
        member_stop "$name"
    fi
}

new_topic flow 8
for group in "${groups[@]}"; do
    start $group kwire "$group-k0.kwire"
    start $group rdkafka "$group-r.rdkafka"
    start $group java "$group-j.java"
done
for group in "${groups[@]}"; do
    check "$group: Java's member is in" wait_for 180 grep -q '"partition":' "${member_file[$group-j.java]}"
done
seq "$records" | $kw produce -q -b "$KW_BROKER" -t flow --rate $((records / seconds + 1)) 2>"$work/produce.err" &
flow=$!
end=$((SECONDS + seconds))
n_turns=0
while [ $SECONDS -lt $end ]; do
    turn
    n_turns=$((n_turns + 1))
    sleep "$((RANDOM % 2)).$((RANDOM % 10))"
done
wait $flow
check "kw produced $records records meanwhile" test $? = 0
dump_topic flow
same "the topic has each number once" <(seq "$records") <(awk '{ print $3 }' "$work/log-flow" | sort -n)
for group in "${groups[@]}"; do
    member_runs "$group-k0.kwire" || start $group kwire "$group-k0.kwire"
done
for group in "${groups[@]}"; do
    check "$group: all is handled in the end" wait_for 60 all_handled $group flow
done
members_stop
for group in "${groups[@]}"; do
    judged $group flow "$group"
    for kind in kwire rdkafka java; do
        check "$group: members of $kind had some" sh -c "cat $work/$group/*.$kind | grep -Eq 'taken|records_consumed'"
    done
done
planted range flow lost content order stale overlap twice fence
echo "figure: $n_turns comings and goings in $seconds s, seed $seed"
done_testing
