#!/usr/bin/env bash
# Records through kw produce, kw broker and kw consume: whatever goes in comes
# out, byte for byte.
. "$(dirname "$0")/lib.sh"
start_broker --topic lines:1 --topic keys:1 --topic nulls:1 --topic files:1 --topic many:4 \
    --topic bytes:1 --topic unhurried:1 --topic outcomes:1 --topic big:1 --topic parts:4 --topic headers:1 --topic delim:1

printf 'one\n\nthree \303\251\342\202\254\360\237\230\200\r\nlast without newline' >"$work/lines"
run "lines from stdin" 0 "$kw" produce -b "$B" -t lines <"$work/lines"
says "the summary counts them" '^kw produce: 4 delivered, 0 failed$|^4 delivered, 0 failed$'
true_that "produce prints nothing on stdout" [ ! -s "$out" ]
run "lines come back" 0 "$kw" consume -b "$B" -t lines -e
says "the summary counts the records" '4 records'
(cat "$work/lines" && echo) >"$work/wanted.lines"
same "the same lines" "$work/wanted.lines" "$out"
run "no input" 0 "$kw" produce -b "$B" -t lines </dev/null
says "nothing was delivered" '0 delivered, 0 failed'
run "-q" 0 "$kw" produce -q -b "$B" -t lines -p 0 <"$work/lines"
silent "-q silences produce"
run "-q of consume" 0 "$kw" consume -q -b "$B" -t lines -e
silent "-q silences consume"

run "delivery.report.only.error, as a file for others may say" 0 \
    "$kw" produce -b "$B" -t outcomes -X delivery.report.only.error=true <"$work/lines"
says "every outcome is counted all the same" '4 delivered, 0 failed'

# Descriptors that do not block: a program that shares them has set them so.
seq 200000 | "$kw" produce -q -b "$B" -t unhurried
unblocked() { perl -MFcntl -e 'for my $f (*STDIN, *STDOUT) { fcntl($f, F_SETFL, fcntl($f, F_GETFL, 0) | O_NONBLOCK) } exec @ARGV' "$@"; }
unblocked "$kw" consume -q -b "$B" -t unhurried -e 2>"$err" </dev/null | (sleep 0.5; cat) >"$out"
true_that "a stdout that does not block gets everything" cmp -s <(seq 200000) "$out"
(sleep 0.3; seq 10) | unblocked "$kw" produce -b "$B" -t outcomes >"$out" 2>"$err"
says "a stdin that does not block is read to its end" '10 delivered, 0 failed'

printf 'k1:v1\n:empty key\nno delimiter\nk2:a:b\nk3:\n' >"$work/keys"
run "keys" 0 "$kw" produce -b "$B" -t keys -K : <"$work/keys"
run "keys come back" 0 "$kw" consume -b "$B" -t keys -e -f '%K[%k]%S[%s]\n'
prints "key, empty key and null key differ" \
    '2[k1]2[v1]\n0[]9[empty key]\n-1[]12[no delimiter]\n2[k2]3[a:b]\n2[k3]0[]\n'
run "consume -K" 0 "$kw" consume -b "$B" -t keys -e -K ' => ' --key-null NONE
prints "key, delimiter, value" 'k1 => v1\n => empty key\nNONE => no delimiter\nk2 => a:b\nk3 => \n'

printf 'gone:NIL\nNIL:kept\nx:\n' >"$work/nulls"
run "nulls" 0 "$kw" produce -b "$B" -t nulls -K : --key-null NIL --value-null NIL <"$work/nulls"
run "nulls come back" 0 "$kw" consume -b "$B" -t nulls -e -f '%K,%S\n'
prints "a tombstone, a null key, an empty value" '4,-1\n-1,4\n1,0\n'
run "a null printed by name" 0 "$kw" consume -b "$B" -t nulls -e -c 1 -Z TOMB
prints "the name stands for it" 'TOMB\n'

run "headers" 0 "$kw" produce -b "$B" -t headers -H a=1 -H b= -H c -H a=2=3 <<<"x"
run "headers come back" 0 "$kw" consume -b "$B" -t headers -e -f '%h\n'
prints "in order, repeated, empty and null" 'a=1,b=,c=NULL,a=2=3\n'

printf 'a\0b\0\0c' >"$work/delim"
run "another delimiter" 0 "$kw" produce -b "$B" -t delim -D '\0' <"$work/delim"
run "its records come back" 0 "$kw" consume -b "$B" -t delim -e -f '<%s>'
prints "split at the delimiter" '<a><b><><c>'

printf 'first\nsecond\n' >"$work/file1"
: >"$work/file2"
run "files as records" 0 "$kw" produce -b "$B" -t files "$work/file1" "$work/file2"
says "two files are two records" '2 delivered'
run "files by lines" 0 "$kw" produce -b "$B" -t files -l "$work/file1" "$work/file2" - <<<"stdin too"
says "three lines are three records" '3 delivered'
run "they come back" 0 "$kw" consume -b "$B" -t files -e -f '[%s]'
prints "whole files first" '[first\nsecond\n][][first][second][stdin too]'
run "a file that is missing" 1 "$kw" produce -b "$B" -t files -l "$work/missing" "$work/file1"
says "it is named" "missing: No such file"
says "the other file is sent" '2 delivered'

run "partitions" 0 "$kw" produce -b "$B" -t parts -p 2 <<<"two"
run "only that partition" 0 "$kw" consume -b "$B" -t parts -p 2 -e -f '%t %p %o %s\n'
prints "topic, partition, offset" 'parts 2 0 two\n'
run "the others are empty" 0 "$kw" consume -b "$B" -t parts -p 0,1,3 -e
prints "nothing" ''
run "a partition that is not there" 1 "$kw" produce -b "$B" -t parts -p 9 <<<"nine"
says "it is counted as failed" '0 delivered, 1 failed'
run "consume from it" 1 "$kw" consume -b "$B" -t parts -p 9 -e
says "the limits are named" 'no partition 9: it has 0 to 3'

head -c 900000 /dev/urandom >"$work/random"
run "binary" 0 "$kw" produce -b "$B" -t bytes "$work/random"
run "binary comes back" 0 "$kw" consume -b "$B" -t bytes -e -f '%s'
same "the same bytes" "$work/random" "$out"

awk 'BEGIN { for (i = 0; i < 1000000; i++) printf "x" }' >"$work/mega"
run "a record above max.request.size" 1 "$kw" produce -b "$B" -t big -X max.request.size=100000 "$work/mega"
says "the key to raise is named" 'max.request.size'
run "1 MB with the limit raised" 0 "$kw" produce -b "$B" -t big -X max.request.size=2000000 "$work/mega"
run "1 MB comes back" 0 "$kw" consume -b "$B" -t big -e -f '%s'
same "all of it" "$work/mega" "$out"
{ echo small1; cat "$work/mega"; echo; echo small2; } >"$work/mixed"
run "one too large among small ones" 1 "$kw" produce -b "$B" -t many -X max.request.size=100000 <"$work/mixed"
says "the small ones are delivered" '2 delivered, 1 failed'
says "the large one is named" 'record 2: not written'

seq 200000 >"$work/seq"
run "200,000 lines to four partitions" 0 "$kw" produce -b "$B" -t many -l "$work/seq"
says "all are delivered" '200000 delivered, 0 failed'
run "200,000 lines come back" 0 "$kw" consume -q -b "$B" -t many -e
grep -v small "$out" | sort -n >"$work/sorted"
same "each once" "$work/seq" "$work/sorted"
done_testing
