#!/usr/bin/env bash
# The broker is killed with SIGKILL and started again, several times, while
# numbers go to twelve partitions with five requests in flight and come back to a
# consumer. It is stopped for a moment before, so that requests pile up unread: a
# kill that meets none proves nothing. Each number must be in the log once and in
# order, and must have had one outcome.
#
# KW_KILL_RECORDS (300000) numbers; KW_KILL_TIMES (1) kills.
# covers: P01 P03 I1 I2 I3 N01
. "$(dirname "$0")/lib.sh"
unset KW_BROKER # only a broker of our own may be killed
. tests/live/judge.sh
need_kafka

n=${KW_KILL_RECORDS:-300000}
times=${KW_KILL_TIMES:-1}
partitions=12
topic=numbers
begun=$SECONDS
new_topic $topic $partitions

timeout 800 $kw consume -q -b "$KW_BROKER" -t $topic -o beginning -c "$n" -f '%p %o %s\n' \
    >"$work/consumed" 2>"$work/consume.err" &
consumer=$!
exec 3< <("$numbers" "$KW_BROKER" $topic "$n" 2>"$work/numbers.err"
    echo "exit $?")

turn=1
while read -r word value <&3; do
    echo "$word $value" >>"$work/numbers.out"
    [ "$word" = delivered ] && [ $turn -le "$times" ] || continue
    [ "$value" -ge $((n / (times + 1) * turn)) ] && [ "$value" -lt "$n" ] || continue
    cut_before=$(n_cut)
    tools/kafka.sh pause 1
    sleep 0.3
    tools/kafka.sh kill 1
    sleep 1
    tools/kafka.sh start 1
    tools/kafka.sh wait
    cut_now=$(n_cut)
    check "kill $turn, $value delivered before: Produce requests were in flight ($(last_cut))" \
        test "$cut_now" -gt "$cut_before"
    turn=$((turn + 1))
done
exec 3<&-
echo "produced after $((SECONDS - begun)) s"

check "the broker was killed $times times" test $((turn - 1)) = "$times"
judge_outcomes "$n"
check "$(figure in-flight-peak) Produce requests were in flight at most, of 5 allowed" \
    test "$(figure in-flight-peak)" = 5
check "$(figure retries) batches were sent again" test "$(figure retries)" -ge "$times"
judge_log $topic "$n" $partitions
echo "read by kcat after $((SECONDS - begun)) s"

if [ $failed = 0 ]; then
    wait $consumer
    check "kw consume lived through the kills" test $? = 0
    check "and saw each partition's numbers in order" in_order $partitions "$work/consumed"
    sort -n -S 200M -k 1,1 -k 2,2 "$work/consumed" >"$work/consumed.sorted"
    sort -n -S 200M -k 1,1 -k 2,2 "$work/log" >"$work/log.sorted"
    same "each once, the same $n that kcat sees" "$work/log.sorted" "$work/consumed.sorted"
else
    kill $consumer 2>/dev/null
fi

judge_batches $topic $((n - failed)) "$KW_KAFKA_DATA"
echo "figure: $n numbers, $times kills: $missing missing, $doubled doubled, $reordered; at most" \
    "$(figure in-flight-peak) in flight, $(figure requests-lost) requests cut off, $(figure retries) batches" \
    "sent again; $((SECONDS - begun)) s"
# Hundreds of megabytes after a long run; a failed one is looked into.
((n_not_ok > 0)) || rm -f "$work"/{log,sorted,consumed}* "$work/dump"
done_testing
