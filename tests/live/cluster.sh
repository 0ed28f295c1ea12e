#!/usr/bin/env bash
# Members of groups on a real cluster of three nodes while things go wrong: one is killed,
# one stands still past its session and comes back with a commit of its own, the broker
# that is the coordinator of the one group is killed, then that of the other one, the topic
# grows, and the topic is deleted and made anew. Then transactions, of which some are
# aborted, while the broker that has their coordinator is killed: read_committed. Two groups at once, by the classic protocol and by that
# of KIP-848, on one topic into which numbered records flow.
#
# Every record must be handled, in order, nothing by two owners at once, twice only what
# somebody who was killed or declared dead had not committed (ownership.py has the laws).
# KW_CLUSTER_PAUSE (3): seconds between two faults.
#
# covers: C17 C32 G04 G06 G09 G41 G42 I1 I5 I6 I7 I8
. "$(dirname "$0")/lib.sh"
. tests/live/members.sh
pause=${KW_CLUSTER_PAUSE:-3}
unset KW_BROKER # only brokers of our own may be killed
need_kafka 3
stop_all() {
    rm -f "$work/flow"
    members_kill
    tools/kafka.sh clean
}
trap stop_all EXIT
groups=(classic next)

# start GROUP NAME [WORK_US]
start() {
    local settings=(session.timeout.ms=6000 heartbeat.interval.ms=500 partition.assignment.strategy=cooperative-sticky)
    [ "$1" = next ] && settings=(group.protocol=consumer)
    [ $topic = flow ] || settings+=(isolation.level=read_committed)
    MEMBER_WORK_US=${3:-} member_start "$1-$2.kwire" "$1" "$topic" metadata.max.age.ms=2000 "${settings[@]}"
}
# Numbers as long as the file is there; how many, in the end.
numbers() {
    local n=0
    while [ -e "$work/flow" ]; do
        seq $((n + 1)) $((n + 300))
        n=$((n + 300))
        sleep 0.2
    done
    echo $n >"$work/n"
}
flow_begin() {
    touch "$work/flow"
    numbers | $kw produce -q -b "$KW_BROKER" -t "$topic" -X metadata.max.age.ms=1000 -X linger.ms=20 2>"$work/produce.err" &
    flow=$!
    sleep 1
    kill -0 $flow 2>/dev/null && return
    not_ok "kw produce ends at once: $(cat "$work/produce.err")"
    done_testing
}
flow_end() {
    rm -f "$work/flow"
    check "kw produce delivered every number" wait $flow
    dump_topic "$topic"
    same "the topic has each number once" <(seq "$(cat "$work/n")") <(awk '{ print $3 }' "$work/log-$topic" | sort -n)
}
# moving GROUP TIME: somebody of the group has taken records since then
moving() { tail -q -n 3 "$work/$1"/*.kwire | awk -v t="$2" '$2 == "taken" && $1 > t { found = 1 } END { exit !found }'; }
all_move() { # TEXT
    local time group
    time=$(date +%s%6N)
    for group in "${groups[@]}"; do check "$1: $group goes on" wait_for 60 moving "$group" "$time"; done
}
# said GROUP-NAME TIME WORD: in the member's history since then
said() { awk -v t="$2" -v w="$3" '$1 > t && $2 == w { found = 1 } END { exit !found }' "${member_file[$1.kwire]}"; }
# others_own GROUP NAME TIME: all that the member owned was given to others since then
others_own() {
    awk -v t="$3" -v zombie="${member_file[$1-$2.kwire]}" '
        FILENAME == zombie { if ($2 == "assigned") own[$3] = 1; else if ($2 == "revoked" || $2 == "lost") delete own[$3]; next }
        $2 == "assigned" && $1 > t { given[$3] = 1 }
        END { for (p in own) { n++; if (!(p in given)) exit 1 } exit !n }' "${member_file[$1-$2.kwire]}" "$work/$1"/*.kwire
}
coordinator() { # GROUP
    echo "{\"keyType\":0,\"coordinatorKeys\":[\"$1\"]}" |
        $kw request -q -b "$KW_BROKER" --api FindCoordinator --version 4 | grep -o '"nodeId": *[0-9]*' | grep -o '[0-9]*$'
}
controller_is() { $kw request -q -b "$KW_BROKER" --controller "$@"; }

topic=flow
$kw topics create -q -b "$KW_BROKER" -t flow -p 6 --replication 3 >"$work/create" 2>&1
check "a topic with three replicas" $kw topics describe -b "$KW_BROKER" -t flow
for group in "${groups[@]}"; do
    start $group a
    start $group b
    start $group z 500
done
flow_begin
for name in a b z; do
    for group in "${groups[@]}"; do check "$group-$name has records" wait_for 60 said $group-$name 0 taken; done
done

# ---- kill -9 of a member --------------------------------------------------------------------
for group in "${groups[@]}"; do member_kill "$group-b.kwire"; done
all_move "a member was killed"

# ---- one stands still past its session, and comes back ------------------------------------
sleep "$pause"
for group in "${groups[@]}"; do kill -STOP "${member_pid[$group-z.kwire]}"; done
stopped=$(date +%s%6N)
for group in "${groups[@]}"; do
    check "$group: what a member that stands still owned is given to others" wait_for 60 others_own $group z "$stopped"
done
for group in "${groups[@]}"; do
    kill -USR1 "${member_pid[$group-z.kwire]}" # it will commit as soon as it can
    kill -CONT "${member_pid[$group-z.kwire]}"
done
for group in "${groups[@]}"; do
    check "$group: it learns that all is lost" wait_for 30 said $group-z "$stopped" lost
    check "$group: its commit ends" wait_for 30 said $group-z "$stopped" commit
    check "$group: and was refused" awk -v t="$stopped" '$1 > t && $2 == "commit" { bad = $3 == "KW_OK"; n++ }
        END { exit bad || n != 1 }' "${member_file[$group-z.kwire]}"
    check "$group: it is given partitions again" wait_for 60 awk -v t="$stopped" '
        $1 > t && $2 == "lost" { lost = 1 } lost && $2 == "taken" { found = 1 } END { exit !found }' "${member_file[$group-z.kwire]}"
done

# ---- brokers are killed -----------------------------------------------------------------------
node=$(coordinator classic)
check "the coordinator of the classic group is node ${node:-unknown}" test -n "$node"
tools/kafka.sh kill "$node"
sleep 1
all_move "its coordinator was killed"
tools/kafka.sh start "$node"
tools/kafka.sh wait
sleep "$pause"
node=$(coordinator next)
tools/kafka.sh kill "$node"
sleep 1
all_move "the coordinator of the other one, node $node, was killed"
tools/kafka.sh start "$node"
tools/kafka.sh wait

# ---- the topic grows ------------------------------------------------------------------------
echo '{"topics":[{"name":"flow","count":9,"assignments":null}],"timeoutMs":10000,"validateOnly":false}' |
    controller_is --api CreatePartitions >"$work/grow" 2>&1
check "the topic has nine partitions" grep -q '"errorCode": *0' "$work/grow"
grown() { cat "$work/$1"/*.kwire | awk '$2 == "taken" && $3 > 5 { seen[$3] = 1 } END { for (p in seen) n++; exit n != 3 }'; }
for group in "${groups[@]}"; do check "$group: the new partitions are read" wait_for 60 grown $group; done
sleep "$pause"
flow_end
for group in "${groups[@]}"; do check "$group: all is handled" wait_for 60 all_handled $group flow; done
for group in "${groups[@]}"; do judged $group flow "$group" --window 8; done

# ---- the topic is another one ------------------------------------------------------------------
# What was taken up to now is not of it.
$kw topics delete -b "$KW_BROKER" -t flow >"$work/delete" 2>&1
since=$(date +%s%6N)
sleep 1
created() { $kw topics create -q -b "$KW_BROKER" -t flow -p 4 --replication 3; }
check "the topic is deleted and made anew, with four partitions" wait_for 20 created
flow_begin
sleep 5
flow_end
anew() { judge "$1" flow --since "$since" >"$work/judge-$1" 2>&1; grep -q '^ok .*every record was handled$' "$work/judge-$1"; }
for group in "${groups[@]}"; do check "$group: all of the new one is handled" wait_for 60 anew $group; done
members_stop
for group in "${groups[@]}"; do judged $group flow "$group, topic made anew" --since "$since"; done
echo "figure: $(cat "$work/n") records in the new topic"

# ---- transactions ------------------------------------------------------------------------------
# By librdkafka: 300 numbers each, every third one is cut off by kill -9 and aborted when the
# next one begins. What the log has for a reader of committed records is the truth.
mkdir "$work/before" && mv "$work/classic" "$work/next" "$work/before"
topic=paid
$kw topics create -q -b "$KW_BROKER" -t paid -p 3 --replication 3
for group in "${groups[@]}"; do
    start $group a
    start $group b
done
transaction=(kcat -P -b "$KW_BROKER" -t paid -X transactional.id=paid -X transaction.timeout.ms=20000 -X linger.ms=5)
mkfifo "$work/feed"
n_committed=0
for i in $(seq 12); do
    if ((i % 3 == 0)); then
        "${transaction[@]}" <"$work/feed" 2>>"$work/kcat.err" &
        kcat_pid=$!
        exec 8>"$work/feed"
        seq $((i * 1000)) $((i * 1000 + 299)) >&8
        sleep 2
        kill -KILL $kcat_pid
        wait $kcat_pid 2>/dev/null
        exec 8>&-
    elif seq $((i * 1000)) $((i * 1000 + 299)) | "${transaction[@]}" 2>>"$work/kcat.err"; then
        n_committed=$((n_committed + 1))
    fi
    if ((i == 5)); then
        node=$(coordinator next)
        tools/kafka.sh kill "$node"
        tools/kafka.sh start "$node"
    fi
done
tools/kafka.sh wait
check "most transactions are committed ($n_committed of 8)" test $n_committed -ge 5
dump_topic paid
kcat -C -q -b "$KW_BROKER" -t paid -o beginning -e -X isolation.level=read_uncommitted -f '%s\n' >"$work/all-paid"
check "some records are aborted ($(wc -l <"$work/all-paid") in the log, $(wc -l <"$work/log-paid") are committed)" \
    test "$(wc -l <"$work/all-paid")" -gt "$(wc -l <"$work/log-paid")"
for group in "${groups[@]}"; do check "$group: all that is committed is handled" wait_for 60 all_handled $group paid; done
members_stop
for group in "${groups[@]}"; do judged $group paid "$group, transactions" --window 8; done
done_testing
