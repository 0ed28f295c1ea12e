#!/bin/sh
# One record at a time, from the call that produces it to its acknowledgement, beside
# librdkafka and the floor: bench/latency.sh [BUILD_DIR]
#
# All talk to bench_sink over loopback TCP: one partition, no key, linger 0, idempotent
# but the floor, TCP_NODELAY. The next record is produced when the outcome of the one
# before it is there; the first one, which brings up the connection, is not counted. The
# clients run in turns of one short run each, with a fresh sink, so that a busy machine is
# busy for all. Percentiles are exact in a run; the table has the least and the median of
# the runs. Raw lines stay in BUILD_DIR/bench-latency/.
#
#   KW_BENCH_ROUNDS=15   KW_BENCH_RECORDS=5000   KW_BENCH_SIZES="100"
#   KW_RDKAFKA=FILE      a librdkafka.so instead of fetching one
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
rounds=${KW_BENCH_ROUNDS:-15}
records=${KW_BENCH_RECORDS:-5000}
sizes=${KW_BENCH_SIZES:-100}
partitions=1
batch=16384
. bench/lib.sh
bench_begin latency

client() { # CLIENT SIZE
    case $1 in
    floor) "$bin/bench_floor" one "$port" "$records" "$2" 1 $batch none 1048576 ;;
    kwire) "$bin/bench_net" one 127.0.0.1:"$port" bench "$records" "$2" linger.ms=0 ;;
    librdkafka)
        "$bin/peers/rdkafka_bench" "$rdkafka" one 127.0.0.1:"$port" bench "$records" "$2" \
            linger.ms=0 socket.nagle.disable=true
        ;;
    esac
}

fetch_rdkafka
clients="floor kwire"
[ -z "$rdkafka" ] || clients="$clients librdkafka"
for size in $sizes; do
    take_turns 1 "$size"
done
[ -s "$out/runs" ] || exit 1

about_runs "$records records"
echo
echo "| bytes | client | p50, us | p99, us | p99.9, us | CPU, us |"
echo "|---|---|---|---|---|---|"
for size in $sizes; do
    for each in floor kwire librdkafka; do
        row="| $size | $each"
        for field in p50_us p99_us p999_us cpu_ns; do
            row="$row | $(sed -n "s/^$each client=.* size=$size .*$field=\([0-9.]*\).*/\1/p" "$out/runs" | sort -n |
                awk -v scale=$([ $field = cpu_ns ] && echo 1000 || echo 1) '{ value[NR] = $1 / scale }
                END { if (NR) printf "%.1f (%.1f)", value[1], value[int((NR + 1) / 2)]; else printf "-" }')"
        done
        echo "$row |"
    done
done
[ -s "$out/runs" ]
