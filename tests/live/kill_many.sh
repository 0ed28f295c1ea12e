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
numbers=build/tests/live/numbers
[ -x $numbers ] || { echo "not ok - $test_name: $numbers is missing, run make tests"; exit 1; }
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
exec 3< <($numbers "$KW_BROKER" $topic "$n" 2>"$work/numbers.err"
    echo "exit $?")

# figure NAME: what numbers said of it at its end
figure() { awk -v name="$1" '$1 == name { value = $2 } END { print value + 0 }' "$work/numbers.out"; }
# Connections that ended while a Produce request had no answer, and the most of them.
n_cut() { grep -c 'ended with [0-9]* requests under way, first Produce' "$work/numbers.err"; }

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
    check "kill $turn, $value delivered before: Produce requests were in flight ($(
        sed -n 's/.*ended with \([0-9]* requests under way\), first Produce.*/\1/p' "$work/numbers.err" | tail -n 1))" \
        test "$cut_now" -gt "$cut_before"
    turn=$((turn + 1))
done
exec 3<&-
echo "produced after $((SECONDS - begun)) s"

check "the broker was killed $times times" test $((turn - 1)) = "$times"
check "every number was accepted" test "$(figure accepted)" = "$n"
check "every number has one outcome, and numbers exits 0" \
    awk 'BEGIN { rc = 1 } $1 == "exit" { rc = $2 } END { exit rc }' "$work/numbers.out"
delivered=$(figure delivered)
failed=$(($(figure not-written) + $(figure unknown)))
check "$delivered delivered and $failed failed are all $n" test $((delivered + failed)) = "$n"
check "$(figure in-flight-peak) Produce requests were in flight at most, of 5 allowed" \
    test "$(figure in-flight-peak)" = 5
check "$(figure retries) batches were sent again" test "$(figure retries)" -ge "$times"

# ---- what kcat finds in the log --------------------------------------------------

kcat -C -q -b "$KW_BROKER" -t $topic -o beginning -e -f '%p %o %s\n' >"$work/log"
# in_order FILE: offsets one after another and numbers ascending, in each partition
in_order() {
    awk -v partitions=$partitions '
        $2 != next_offset[$1] + 0 || $3 <= last[$1] + 0 { if (!bad++) print "line " NR ": " $0 ", last " last[$1] }
        { next_offset[$1] = $2 + 1; last[$1] = $3; count[$1]++ }
        END {
            for (i = 0; i < partitions; i++) if (!count[i]) { print "nothing in partition " i; bad++ }
            print bad + 0 " out of order"
            exit bad > 0
        }' "$1"
}
check "the log has each partition's numbers in order" in_order "$work/log"
reordered=$(tail -n 1 "$work/check.log")
awk '{ print $3 }' "$work/log" | sort -n -S 200M >"$work/sorted"
check "and no number twice" awk '$1 == last { n++ } { last = $1 } END { print n + 0 " doubled"; exit n > 0 }' \
    "$work/sorted"
doubled=$(tail -n 1 "$work/check.log")
# Numbers that are missing, or there although they were reported as not written.
awk -v n="$n" 'BEGIN { next_number = 1 }
    { while (next_number < $1) print next_number++; next_number = $1 + 1 }
    END { while (next_number <= n) print next_number++ }' "$work/sorted" >"$work/missing"
awk '$1 == "failed" { split($2, range, "-"); for (i = range[1]; i <= range[2]; i++) print i }' \
    "$work/numbers.out" >"$work/failed"
lost() { awk 'NR == FNR { named[$1] = 1; next } !($1 in named) { print $1; bad = 1 } END { exit bad }' "$1" "$2"; }
check "$(wc -l <"$work/missing") numbers are missing, each reported as failed" lost "$work/failed" "$work/missing"
echo "read by kcat after $((SECONDS - begun)) s"

if [ $failed = 0 ]; then
    wait $consumer
    check "kw consume lived through the kills" test $? = 0
    check "and saw each partition's numbers in order" in_order "$work/consumed"
    sort -n -S 200M -k 1,1 -k 2,2 "$work/consumed" >"$work/consumed.sorted"
    sort -n -S 200M -k 1,1 -k 2,2 "$work/log" >"$work/log.sorted"
    same "each once, the same $n that kcat sees" "$work/log.sorted" "$work/consumed.sorted"
else
    kill $consumer 2>/dev/null
fi

tools/kafka.sh tool dump-log --files "$(find "$KW_KAFKA_DATA" -path "*/$topic-*" -name '*.log' | sort |
    paste -s -d, -)" >"$work/dump" 2>&1
check "kafka-dump-log finds every batch valid: $(grep -c '^baseOffset: ' "$work/dump")" awk -v want=$((n - failed)) '
    /^baseOffset: / {
        for (i = 1; i < NF; i++) value[$i] = $(i + 1)
        records += value["count:"]
        if (value["isvalid:"] != "true" || value["producerId:"] < 0) { print; bad = 1 }
    }
    /^Found |not consecutive|Mismatches|Exception|corrupt/ { print; bad = 1 }
    END { exit bad || records < want }' "$work/dump"
echo "figure: $n numbers, $times kills: $(wc -l <"$work/missing") missing, $doubled, $reordered; at most" \
    "$(figure in-flight-peak) in flight, $(figure requests-lost) requests cut off, $(figure retries) batches" \
    "sent again; $((SECONDS - begun)) s"
# Hundreds of megabytes after a long run; a failed one is looked into.
((n_not_ok > 0)) || rm -f "$work"/{log,sorted,consumed}* "$work/dump"
done_testing
