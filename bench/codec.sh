#!/bin/sh
# Encode and decode alone, as a table: bench/codec.sh [BUILD_DIR]
#
# ns: CPU of the thread, the least of five rounds. Instructions: callgrind, the
# difference of two run lengths. The last column is franz-go's kmsg on the same
# bytes, if Go is there (its numbers include what its memory costs the collector).
# librdkafka has no public codec to call.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
bench=$build/bench/bench_codec
out=$build/codec-bench
mkdir -p "$out/wire"
[ -x "$bench" ] || { echo "$bench is missing: make bench"; exit 1; }
"$bench" dump "$out/wire" || exit 1

: >"$out/kmsg"
if command -v go >/dev/null 2>&1; then
    (cd bench/peers/kmsg && go build -o "../../../$out/kmsgbench" .) >"$out/go.log" 2>&1 &&
        "$out/kmsgbench" "$out/wire" >"$out/kmsg" || tail -n 3 "$out/go.log"
fi

times_for() { # about 50 ms a round
    "$bench" "$1" "$2" 20 | awk '{ n = int(5e7 / ($3 + 1)); print (n < 10 ? 10 : n > 1000000 ? 1000000 : n) }'
}
instructions() { # MESSAGE WORK
    for times in 10 30; do
        GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1000000000 \
            valgrind --quiet --tool=callgrind --callgrind-out-file="$out/callgrind.$times" \
            "$bench" "$1" "$2" $times >/dev/null 2>&1 || return 1
        awk '/^(summary|totals):/ { print $2; exit }' "$out/callgrind.$times"
    done | awk '{ n[NR] = $1 } END { if (NR == 2) printf "%d", (n[2] - n[1]) / 20 }'
}

echo "| message | version | bytes | work | kwire, instructions | kwire, ns | kmsg, ns |"
echo "|---|---|---|---|---|---|---|"
"$bench" list | while read -r message version bytes; do
    for work in encode gather decode walk; do
        [ "$work" = gather ] && [ "$message" != produce-request ] && continue
        times=$(times_for "$message" "$work")
        ns=$(for round in 1 2 3 4 5; do "$bench" "$message" "$work" "$times"; done |
            awk '{ if (NR == 1 || $3 < least) least = $3 } END { print least }')
        case $work in
        gather) same=none ;;
        walk) same=decode ;;
        decode) same=none ;;
        *) same=$work ;;
        esac
        peer=$(awk -v m="$message" -v w="$same" '$1 == m && $2 == w { print $3 }' "$out/kmsg")
        count=
        command -v valgrind >/dev/null 2>&1 && count=$(instructions "$message" "$work")
        echo "| $message | $version | $bytes | $work | ${count:--} | $ns | ${peer:--} |"
    done
done
