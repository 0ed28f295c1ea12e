#!/bin/bash
# What a record costs when there are many partitions, or many topics: bench/scale.sh [BUILD_DIR]
#
# Against kw broker over loopback TCP, 100 bytes, a process for each run. Four works:
#   keyless     the library chooses partitions, with the defaults
#   spread      every record to the partition behind that of the one before it, with
#               memory and linger enough that all batches fill, as they do with one
#   topics      the same over topics of one partition each
#   consume     all partitions are read
# With the defaults a spread over 10,000 partitions has a batch for each record: then a
# record costs what a batch costs (thin). Instructions are the difference of two record
# counts by callgrind; CPU is the least (median) of rounds in turns over the numbers.
# Raw lines and partitions.svg stay in BUILD_DIR/bench-scale/.
#
#   KW_BENCH_PARTITIONS="1 100 10000"  KW_BENCH_TOPICS="1 100 1000"  KW_BENCH_ROUNDS=5
#   KW_BENCH_WORKS="keyless spread topics consume thin"   KW_BENCH_COUNT=yes
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
out=$build/bench-scale
works=${KW_BENCH_WORKS:-keyless spread topics consume thin}
rounds=${KW_BENCH_ROUNDS:-5}
full="linger.ms=20000 buffer.memory=268435456 memory.limit=700000000"
mkdir -p "$out"
rm -f "$out"/*
broker=
trap '[ -z "$broker" ] || kill "$broker" 2>/dev/null' EXIT
trap 'exit 130' INT TERM

start_broker() { # WORK N
    local topics="--topic t:$2"
    [ "$1" = topics ] && topics=$(seq 0 $(($2 - 1)) | sed 's/.*/--topic t-&:1/')
    # shellcheck disable=SC2086
    "$build/kw" broker --listen 127.0.0.1:0 $topics >"$out/broker" 2>&1 &
    broker=$!
    for _ in $(seq 100); do
        address=$(sed -n 's/.*listening on \([^ ]*:[0-9][0-9]*\).*/\1/p' "$out/broker" | head -n 1)
        [ -n "$address" ] && break
        sleep 0.1
    done
    [ "$1" != consume ] || "$build/kw" bench produce -q -b "$address" -t t -c 1000000 >"$out/stored"
}
stop_broker() {
    kill "$broker" 2>/dev/null
    wait "$broker" 2>/dev/null
    broker=
}
sets() { printf -- '-X %s ' $full; }

client() { # WORK N RECORDS, behind the words in $wrap; prints cpu_ns of a record
    local line
    # shellcheck disable=SC2046,SC2086
    case $1 in
    keyless) line=$($wrap "$build/kw" bench produce -q -b "$address" -t t -c "$3" --json) ;;
    spread) line=$($wrap "$build/kw" bench produce -q -b "$address" -t t -c "$3" --json --partitions "$2" $(sets)) ;;
    thin) line=$($wrap "$build/kw" bench produce -q -b "$address" -t t -c "$3" --json --partitions "$2") ;;
    consume) line=$($wrap "$build/kw" bench consume -q -b "$address" -t t -c "$3" --json) ;;
    topics) line=$($wrap "$build/bench/bench_net" produce "$address" t "$3" 100 --topics "$2" $full) ;;
    esac 2>>"$out/errors" || line= # not all was done: no figure
    sed -n 's/.*cpu_ns_per_record":\([0-9.]*\).*/\1/p; s/.* cpu_ns=\([0-9.]*\).*/\1/p' <<<"$line"
}

numbers() { # WORK
    [ "$1" = topics ] && echo "${KW_BENCH_TOPICS:-1 100 1000}" || echo "${KW_BENCH_PARTITIONS:-1 100 10000}"
}
# A batch for each partition, and for the count as many again.
records() { # WORK
    case $1 in spread) echo 1500000 ;; topics) echo 600000 ;; consume) echo 400000 ;; *) echo 300000 ;; esac
}

count() { # WORK N: instructions of a record
    local low high few
    few=$(records "$1")
    for n in "$few" $((2 * few)); do
        start_broker "$1" "$2"
        wrap="timeout 240 env GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1000000000
            valgrind --quiet --tool=callgrind --callgrind-out-file=$out/callgrind"
        figure=$(client "$1" "$2" "$n")
        stop_broker
        [ -n "$figure" ] || { echo "no count: $1, $2" >>"$out/errors"; return; }
        [ "$n" = "$few" ] && low=$(awk '/^(summary|totals):/ { print $2; exit }' "$out/callgrind")
        high=$(awk '/^(summary|totals):/ { print $2; exit }' "$out/callgrind")
    done
    echo "$1 $2 count $(((high - low) / few))" >>"$out/runs"
}

for work in $works; do
    for ((round = 0; round < rounds; round++)); do
        for n in $(numbers "$work"); do
            start_broker "$work" "$n"
            wrap="timeout 120"
            figure=$(client "$work" "$n" $((2 * $(records "$work"))))
            [ -z "$figure" ] || echo "$work $n cpu $figure" >>"$out/runs"
            stop_broker
        done
    done
    [ "${KW_BENCH_COUNT:-yes}" = yes ] && [ "$work" != thin ] && command -v valgrind >/dev/null &&
        for n in $(numbers "$work"); do count "$work" "$n"; done
done
case " $works " in *" spread "*)
    start_broker none 1
    # shellcheck disable=SC2046
    "$build/kw" bench produce -q -b "$address" -t s -c 1500000 $(sets) --svg "$out/partitions.svg" \
        --sweep partitions=1,10,100,1000,10000 >"$out/sweep"
    stop_broker
    ;;
esac

echo "$(date -u +%Y-%m-%d), kwire $(git describe --always --dirty 2>/dev/null), load $(cut -d ' ' -f 1 /proc/loadavg)"
echo
echo "| work | partitions or topics | instructions | to the first | CPU, ns | to the first |"
echo "|---|---|---|---|---|---|"
sort -s -k1,1 -k2,2n -k3,3 -k4,4n "$out/runs" | awk '
    function done() { if (n) { least[last] = value[1]; median[last] = value[int((n + 1) / 2)] } n = 0 }
    {
        key = $1 " " $2 " " $3
        if (key != last) { done(); last = key }
        value[++n] = $4
        if (!(($1, $2) in seen)) { seen[$1, $2] = 1; work[++rows] = $1; number[rows] = $2 }
    }
    END {
        done()
        for (i = 1; i <= rows; i++) {
            c = work[i] " " number[i] " count"; t = work[i] " " number[i] " cpu"
            if (work[i] != before) { c1 = c; t1 = t; before = work[i] }
            printf "| %s | %s | %s | %s | %.0f (%.0f) | %.2f (%.2f) |\n", work[i], number[i],
                (c in least) ? least[c] : "-", (c in least) ? sprintf("%.2f", least[c] / least[c1]) : "-",
                least[t], median[t], least[t] / least[t1], median[t] / median[t1]
        }
    }'
[ ! -s "$out/errors" ] || sort "$out/errors" | uniq -c | head -n 5
