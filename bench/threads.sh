#!/bin/sh
# Producing from four threads: bench/threads.sh [BUILD_DIR]
#
# As bench/run.sh, 100 bytes without a key: kwire from one thread without an I/O thread
# (loop), from one and from four beside the I/O thread, by kw_produce and by
# kw_produce_many of 64; librdkafka from one and from four. In turns, each run a process of
# its own with a fresh sink. CPU is that of all threads of the process. Prints a table of
# medians, and last the gates of four threads: CPU a record at most 1.5 (kw_produce) and
# 1.2 (kw_produce_many) times that of the loop, and three times librdkafka's throughput.
#
# So many records that a run takes half a second; of librdkafka a fifth of them.
#
#   KW_BENCH_ROUNDS=5   KW_BENCH_RECORDS=10000000   KW_BENCH_SIZE=100   KW_RDKAFKA=FILE
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
rounds=${KW_BENCH_ROUNDS:-5}
records=${KW_BENCH_RECORDS:-10000000}
size=${KW_BENCH_SIZE:-100}
partitions=8
batch=1000000
. bench/lib.sh
bench_begin threads
fetch_rdkafka

kwire() { # THREADS MANY
    timeout 120 "$bin/bench_threads" 127.0.0.1:"$port" bench "$records" "$size" "$1" "$2" \
        batch.size=$batch linger.ms=5
}
rdkafka() { # MODE [OPTION...]
    mode=$1
    shift
    timeout 120 "$bin/peers/rdkafka_bench" "$rdkafka" "$mode" 127.0.0.1:"$port" bench \
        $((records / 5)) "$size" "$@"
}
client() {
    case $1 in
    loop) timeout 120 "$bin/bench_net" produce 127.0.0.1:"$port" bench "$records" "$size" \
        batch.size=$batch linger.ms=5 ;;
    one) kwire 1 1 ;;
    one/many) kwire 1 64 ;;
    four) kwire 4 1 ;;
    four/many) kwire 4 64 ;;
    librdkafka) rdkafka produce ;;
    librdkafka/four) rdkafka produce-threads --threads 4 ;;
    esac
}

clients="loop one one/many four four/many"
[ -z "$rdkafka" ] || clients="$clients librdkafka librdkafka/four"
take_turns "$records" "$size"
[ -s "$out/runs" ] || exit 1

about_runs "$records records of $size bytes"
echo
field() { # CLIENT FIELD: its values, the least first
    awk -v client="$1" -v field="$2" '$1 == client {
        for (i = 2; i <= NF; i++) { split($i, pair, "="); if (pair[1] == field) print pair[2] } }' \
        "$out/runs" | sort -n
}
median() { field "$1" "$2" | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : 0 }'; }
least() { field "$1" "$2" | head -n 1; }
echo "| client | CPU, ns a record: least (median) | to the loop | wall time, ns a record: least (median) |"
echo "|---|---|---|---|"
for each in $clients; do
    echo "$each $(least "$each" cpu_ns) $(median "$each" cpu_ns) $(median loop cpu_ns)" \
        "$(least "$each" wall_ns) $(median "$each" wall_ns)" |
        awk '{ printf "| %s | %.0f (%.0f) | %.2f | %.0f (%.0f) |\n", $1, $2, $3, $3 / $4, $5, $6 }'
done
echo
gate() { # TEXT VALUE OVER LIMIT least|most
    echo "$2 $3 $4" | awk -v text="$1" -v side="$5" '{
        ratio = $2 > 0 ? $1 / $2 : 0
        good = ratio > 0 && (side == "most" ? ratio <= $3 : ratio >= $3)
        printf "%s - %s: %.2f (gate: at %s %s)\n", good ? "ok" : "not ok", text, ratio, side, $3
        exit !good }' || rc=1
}
rc=0
gate "four threads, kw_produce, CPU to the loop" "$(median four cpu_ns)" "$(median loop cpu_ns)" 1.5 most
gate "four threads, kw_produce_many, CPU to the loop" "$(median four/many cpu_ns)" "$(median loop cpu_ns)" 1.2 most
[ -z "$rdkafka" ] || gate "four threads, kw_produce, throughput to librdkafka's" \
    "$(median librdkafka/four wall_ns)" "$(median four wall_ns)" 3 least
exit $rc
