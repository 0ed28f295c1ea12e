#!/usr/bin/env bash
# The broker is killed with SIGKILL and started again while numbered records are
# being produced and consumed. Each record must be in the log once and in order,
# or be reported as failed; at least one batch must have been retried.
#
# KW_KILL_RECORDS (200000) records; KW_KILL_TIMES (1) kills.
# covers: P01 I1 I2 I3 N01
. "$(dirname "$0")/lib.sh"
unset KW_BROKER # only a broker of our own may be killed
need_kafka

n=${KW_KILL_RECORDS:-200000}
times=${KW_KILL_TIMES:-1}
least=20000
topic=numbers
new_topic $topic

# The number of records that the broker has acknowledged to its log.
end_offset() { kcat -Q -b "$KW_BROKER" -t $topic:0:-1 2>/dev/null | sed -n 's/.*offset \([0-9]*\)$/\1/p'; }

# About 40,000 records a second, so that the kill falls into the middle.
numbers() {
    local from
    for ((from = 1; from <= n; from += 500)); do
        seq $from $((from + 499 < n ? from + 499 : n))
        sleep 0.01
    done
}
numbers | $kw produce -b "$KW_BROKER" -t $topic -p 0 2>"$work/produce.err" &
producer=$!
timeout 300 $kw consume -q -b "$KW_BROKER" -t $topic -p 0 -o beginning -c "$n" -f '%s\n' \
    >"$work/consumed" 2>"$work/consume.err" &
consumer=$!

before=0
for ((turn = 1; turn <= times; turn++)); do
    # Some thousands more than asked for: the last batch may not be acknowledged.
    want=$((n * turn / (times + 2)))
    ((want < least + 5000)) && want=$((least + 5000))
    for ((i = 0; i < 3000; i++)); do
        at=$(end_offset)
        ((${at:-0} >= want)) && break
        kill -0 $producer 2>/dev/null || break
        sleep 0.05
    done
    tools/kafka.sh pause 1 # so that there are requests without an answer
    sleep 0.3
    tools/kafka.sh kill 1
    ((turn == 1)) && before=${at:-0}
    # While nobody can add to it: once the broker is back, all that waits comes at once.
    after_kill=$(tools/kafka.sh tool dump-log --files "$KW_KAFKA_DATA/$topic-0/00000000000000000000.log" 2>/dev/null |
        sed -n 's/^baseOffset: [0-9]* lastOffset: \([0-9]*\) .*/\1/p' | tail -n 1)
    after_kill=$((${after_kill:--1} + 1))
    tools/kafka.sh start 1
    tools/kafka.sh wait
done

wait $producer
rc=$?
cat "$work/produce.err"
summary=$(grep -E '[0-9]+ delivered, [0-9]+ failed' "$work/produce.err" | tail -n 1)
delivered=$(sed -n 's/.*[^0-9]\([0-9][0-9]*\) delivered, .*/\1/p;s/^\([0-9][0-9]*\) delivered, .*/\1/p' <<<"$summary" | head -n 1)
failed=$(sed -n 's/.* delivered, \([0-9]*\) failed.*/\1/p' <<<"$summary")
check "kw produce reports every record ($summary)" test $((${delivered:-0} + ${failed:-0})) = "$n"
check "$before records were in the log before the kill" test "$before" -ge $least
check "$((n - after_kill)) were added after the restart" \
    test "$after_kill" -ge "$before" -a $((n - after_kill)) -ge $least
retries=$(grep -Eo '[0-9]+ (batch(es)? )?retr(y|ies|ied)' "$work/produce.err" | tail -n 1)
check "at least one batch was sent again (${retries:-none reported})" test "${retries%% *}" -gt 0

kcat -C -q -b "$KW_BROKER" -t $topic -p 0 -o beginning -e -f '%s\n' >"$work/log"
check "the log has each number once and in order" awk '
    $1 <= last { print "line " NR ": " $1 " after " last; bad = 1 }
    { last = $1 }
    END { exit bad }' "$work/log"

# Numbers that are missing must have been named as failed: kw names the n-th
# record of its input, which is the number n.
seq "$n" | awk 'FILENAME == "-" { if (!($1 in seen)) print $1; next } { seen[$1] = 1 }' \
    "$work/log" - >"$work/missing"
# "record 7: reason", and "9 failed: reason: records 1-5 8-11"
sed -n 's/.*[: ]record \([0-9][0-9]*\): .*/\1/p; s/.* failed: .*: records\{0,1\} \([-0-9 ]*\).*/\1/p' \
    "$work/produce.err" | tr ' ' '\n' | awk -F- 'NF { for (i = $1; i <= $NF; i++) print i }' |
    sort -n | uniq >"$work/reported"
check "$(wc -l <"$work/missing") missing numbers, each reported" \
    awk 'NR == FNR { named[$1] = 1; next } !($1 in named) { print $1; bad = 1 } END { exit bad }' \
    "$work/reported" "$work/missing"
if [ "${failed:-1}" = 0 ]; then
    check "kw produce exits 0 as nothing failed" test $rc = 0
    seq "$n" >"$work/want"
    same "every number is in the log" "$work/want" "$work/log"
    wait $consumer
    check "kw consume lived through the kill" test $? = 0
    same "and printed every number once and in order" "$work/want" "$work/consumed"
else
    kill $consumer 2>/dev/null
    check "kw produce exits 1 as $failed failed" test $rc = 1
fi
echo "figure: $before records before the kill, $((n - after_kill)) after the restart, ${retries:-no retries seen}"
done_testing
