#!/usr/bin/env bash
# kw produce -z, --rate and --progress.
. "$(dirname "$0")/lib.sh"
start_broker --topic plain:1 --topic gzip:1 --topic snappy:1 --topic lz4:1 --topic zstd:1 \
    --topic rate:1 --topic bar:1

seq -f 'the line with the number %.0f, and some more of it' 20000 >"$work/lines"
codecs=
for codec in gzip snappy lz4 zstd; do
    # A build without a codec's library says so.
    "$kw" produce -q -b "$B" -t $codec -z $codec </dev/null 2>"$err" && codecs="$codecs $codec" ||
        true_that "a build without $codec names it" grep -q "$codec" "$err"
done
run "-z none" 0 "$kw" produce -b "$B" -t plain -z none -l "$work/lines"
for codec in $codecs; do
    run "-z $codec" 0 "$kw" produce -b "$B" -t "$codec" -z "$codec" -l "$work/lines"
    says "-z $codec delivers all" '20000 delivered, 0 failed'
    run "-z $codec is read" 0 "$kw" consume -b "$B" -t "$codec" -e
    same "-z $codec gives the same lines" "$work/lines" "$out"
done
run "an unknown codec" 2 "$kw" produce -b "$B" -t plain -z brotli </dev/null
says "the codecs are named" "-z brotli: .*gzip"

now_ms() { date +%s%3N; }
begin=$(now_ms)
seq 300 >"$work/rate"
run "--rate" 0 "$kw" produce -b "$B" -t rate --rate 200 -X linger.ms=0 -l "$work/rate"
took=$(($(now_ms) - begin))
true_that "300 records at 200 a second take 1.5 s ($took ms)" [ $took -ge 1450 ]
true_that "and not much more" [ $took -le 10000 ]
run "the records' times" 0 "$kw" consume -b "$B" -t rate -e -f '%T\n'
# Evenly: over most of the 1.5 s, though a machine may stand still for some of it.
true_that "they are spread evenly" awk '
    NR == 1 { first = $1 }
    { slot = int(($1 - first) / 100); used += n[slot]++ == 0 }
    END { print "in " used " of 15 times 100 ms"; exit !(NR == 300 && used >= 8) }' "$out"
cpu_of() { # TICKS of the processor that process $1 has used
    awk '{ print $14 + $15 }' "/proc/$1/stat"
}
"$kw" produce -q -b "$B" -t rate --rate 10 <"$work/rate" 2>"$err" &
pid=$!
started+=($pid)
sleep 1
used=$(cpu_of $pid)
sleep 1
true_that "waiting uses no processor" [ $(($(cpu_of $pid) - used)) -le 10 ]
begin=$(now_ms)
kill -INT $pid
wait $pid
rc=$?
true_that "Ctrl-C ends the wait" [ $(($(now_ms) - begin)) -le 5000 ]
true_that "an interrupted run is a failure" [ $rc = 1 ]
run "a rate of 0" 2 "$kw" produce -b "$B" -t rate --rate 0 </dev/null

run "no progress without a terminal" 0 "$kw" produce -b "$B" -t bar -l "$work/rate"
true_that "stderr has no bar" [ "$(grep -c '%' "$err")" = 0 ]
run "--progress" 0 "$kw" produce -b "$B" -t bar --progress --rate 400 -l "$work/rate"
says "the bar is drawn on the way" ' [1-9][0-9]?% .*ETA 0:0[01]'
says "it ends full" '\[#{24}\] 100% 1.1 kB of 1.1 kB, 300 records, .*ETA 0:00'
true_that "nothing of it is on stdout" [ ! -s "$out" ]
says "the summary has a line of its own" '^kw produce: 300 delivered'
run "--progress of a redirected file" 0 "$kw" produce -b "$B" -t bar --progress <"$work/rate"
says "its size is known" '100% .*300 records'
run "--progress of several files" 0 "$kw" produce -b "$B" -t bar --progress -l "$work/rate" "$work/rate"
says "their sizes are added" '100% 2.2 kB of 2.2 kB, 600 records'
cat "$work/rate" | run "--progress of a pipe" 0 "$kw" produce -b "$B" -t bar --progress
says "its size is not known" $'\r300 records, 1.1 kB, '
run "--progress of no input" 0 "$kw" produce -b "$B" -t bar --progress </dev/null
says "ends too" '0 delivered'
if command -v script >/dev/null 2>&1; then
    run "on a terminal" 0 script -qec "$kw produce -b $B -t bar --rate 600 -l $work/rate" /dev/null </dev/null
    true_that "the bar is drawn" grep -q 'ETA' "$out"
    run "on a terminal with -q" 0 script -qec "$kw produce -q -b $B -t bar -l $work/rate" /dev/null </dev/null
    true_that "there is none" [ ! -s "$out" ]
fi
done_testing
