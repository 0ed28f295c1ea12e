#!/usr/bin/env bash
# Where kw consume begins and ends: -o, -c, -e, and a reader that goes away.
. "$(dirname "$0")/lib.sh"
start_broker --topic ten:1 --topic empty:2 --topic times:1 --topic live:1
seq 0 9 | "$kw" produce -q -b "$B" -t ten -p 0

consumed() { # TEXT WANTED ARGUMENTS...
    local text=$1 wanted=$2
    shift 2
    run "$text" 0 "$kw" consume -q -b "$B" -t ten "$@"
    prints "$text: the right records" "$wanted"
}
consumed "-o beginning" '0\n1\n2\n' -o beginning -c 3
consumed "the default is the beginning" '0\n' -c 1
consumed "-o earliest" '0\n' -o earliest -c 1
consumed "an offset" '7\n8\n9\n' -o 7 -e
consumed "the end offset" '' -o 10 -e
consumed "-o -N" '8\n9\n' -o -2 -e
consumed "-o -N above the count" '0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n' -o -99 -e
consumed "-o end" '' -o end -e
consumed "-c stops first" '4\n' -o 4 -c 1 -e
consumed "a format with a tab" '9\t9\n' -o 9 -e -f '%o\t%s\n'
run "every partition is empty" 0 "$kw" consume -b "$B" -t empty -e
says "no records" '0 records'

for stamp in 1000 2000 3000; do
    printf '{"value":"%s","timestamp":%s}\n' $stamp $stamp
done | "$kw" produce -q -b "$B" -t times --json
run "@MS of a record" 0 "$kw" consume -q -b "$B" -t times -e -o @2000 -f '%T\n'
prints "from it on" '2000\n3000\n'
run "@MS between records" 0 "$kw" consume -q -b "$B" -t times -e -o @2001
prints "from the next one on" '3000\n'
run "@MS behind all" 0 "$kw" consume -q -b "$B" -t times -e -o @3001
prints "nothing" ''

# Out of range: the policy decides, and says so by the exit code.
run "an offset behind the end" 0 "$kw" consume -q -b "$B" -t ten -o 99 -e -X auto.offset.reset=earliest -c 1
prints "begins at the beginning" '0\n'
run "an offset behind the end without a policy" 1 "$kw" consume -b "$B" -t ten -o 99 -e -X auto.offset.reset=none
says "it is explained" 'out of range|OFFSET_OUT_OF_RANGE'

# A consumer at the end sees what is written later, at once.
"$kw" consume -q -b "$B" -t live -o end -c 2 >"$work/live" 2>&1 &
consumer=$!
started+=($consumer)
await 20 catches $consumer
sleep 2
{ echo first; for ((i = 0; i < 600; i++)); do [ -e "$work/seen" ] && break; sleep 0.05; done; echo second; } | "$kw" produce -q -b "$B" -t live &
started+=($!)
true_that "a line is written to stdout when it comes" await 10 grep -q first "$work/live"
true_that "the second one is not there yet" [ "$(wc -l <"$work/live")" = 1 ]
touch "$work/seen"
wait $consumer
true_that "-c ends a waiting consumer" [ $? = 0 ]
true_that "with both records" [ "$(tr '\n' ' ' <"$work/live")" = "first second " ]

seq 300000 | "$kw" produce -q -b "$B" -t live
"$kw" consume -b "$B" -t live -o beginning 2>"$err" | head -n 3 >"$out"
rc=${PIPESTATUS[0]}
true_that "a reader that goes away is no failure (exit $rc)" [ "$rc" = 0 ]
true_that "it got its lines" [ "$(wc -l <"$out")" = 3 ]

"$kw" consume -b "$B" -t live -o end >"$out" 2>"$err" &
consumer=$!
started+=($consumer)
await 20 catches $consumer
kill -INT $consumer
wait $consumer
true_that "Ctrl-C ends a waiting consumer with exit 0" [ $? = 0 ]
says "and the summary" '0 records'
done_testing
