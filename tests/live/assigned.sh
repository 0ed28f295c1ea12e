#!/usr/bin/env bash
# Many assigned partitions of which few are active: a real broker keeps a session, and
# a fetch names what changed; what a fetch costs does not grow with what is assigned.
#
# covers: C29
. "$(dirname "$0")/lib.sh"
[ -x "$build/tests/live/assigned" ] || { echo "not ok - $test_name: run make tests"; exit 1; }

figure() { awk -v word="$1" '$1 == word { print $2; exit }' "$2"; }
# measure NAME PARTITIONS ACTIVE
measure() {
    check "$1: every record of $3 active partitions out of $2 comes" sh -c \
        "$build/tests/live/assigned $KW_BROKER $4 $2 $3 50 fetch.max.wait.ms=100 >$work/$1"
    echo "figure: $1: $2 assigned, $3 active: $(tr '\n' ' ' <"$work/$1")"
}
at_most() { # TEXT FIGURE FILE MAX
    check "$1: $(figure "$2" "$3"), at most $4" \
        awk -v got="$(figure "$2" "$3")" -v max="$4" 'BEGIN { exit !(got != "" && got + 0 <= max) }'
}

need_kafka
new_topic wide 300
measure real 300 5 wide
at_most "a real broker keeps the session" sessions "$work/real" 1
at_most "and is told of the active partitions only" named_a_fetch "$work/real" 5

[ $own_broker = no ] || tools/kafka.sh clean
need_mock --topic wide:10000
for n in 10 100 1000 10000; do measure "of-$n" $n 10 wide; done
bytes=$(figure bytes_out_a_fetch "$work/of-10" | awk '{ print $1 + 20 }')
for n in 100 1000 10000; do
    at_most "bytes of a fetch with $n assigned, as with 10" bytes_out_a_fetch "$work/of-$n" "$bytes"
    at_most "partitions named by a fetch with $n assigned" named_a_fetch "$work/of-$n" 10
done
done_testing
