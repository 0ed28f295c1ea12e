#!/bin/sh
# The longest call into the library, by the CPU clock of the thread that makes it:
# bench/longest.sh [BUILD_DIR]
#
# One thread and no I/O thread, so that everything happens inside kw_produce, kw_client_poll
# and kw_consumer_poll: batches of 1 MB, 8 partitions, against bench_sink on loopback TCP;
# with each codec, with large values, and over TLS. Values are many, or a codec finds them
# again. Prints the median of the rounds' longest calls, and the longest of all (a machine
# that others use stretches a call now and then). The gate is for the median: 2 ms.
#
#   KW_BENCH_ROUNDS=5   KW_BENCH_BYTES=100000000 a run, a fifth with gzip
#   KW_LONGEST_GATE=2000   us
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
rounds=${KW_BENCH_ROUNDS:-5}
bytes=${KW_BENCH_BYTES:-100000000}
gate=${KW_LONGEST_GATE:-2000}
partitions=8
batch=1000000
KW_BENCH_VALUES=1024
export KW_BENCH_VALUES
. bench/lib.sh
bench_begin longest
bash tools/kafka/certs.sh "$out/tls" || exit 1

run() { # MODE CODEC SIZE TLS
    n=$((bytes / $3))
    [ "$2" != gzip ] || n=$((n / 5))
    keys='' sink_pem=''
    [ "$4" = plain ] || keys="security.protocol=SSL ssl.ca.location=$out/tls/ca.crt" sink_pem=$out/tls/server.pem
    [ "$1" = consume ] || keys="$keys batch.size=$batch linger.ms=5 compression.type=$2"
    [ "$1" = produce ] || keys="--partitions $partitions $keys"
    start_sink $n "$3" "$2" || { stop_sink; echo "no sink: see $out/errors"; exit 1; }
    # shellcheck disable=SC2086
    timeout 60 "$bin/bench_net" "$1" localhost:"$port" bench $n "$3" --longest $keys 2>>"$out/errors" |
        awk -v row="$1 $2 $3 $4" -F= '/^longest_us=/ { print row, $2; n++ } END { exit !n }' >>"$out/runs" ||
        { echo "no figure: $*: $(tail -n 1 "$out/errors")"; missed=1; }
    stop_sink
}

missed=0
round=0
while [ $round -lt "$rounds" ]; do
    for mode in produce consume; do
        for codec in none lz4 snappy zstd gzip; do run $mode $codec 1024 plain; done
        run $mode none 100 plain
        run $mode none 100000 plain
        run $mode none 1024 TLS
    done
    round=$((round + 1))
done
echo
echo "$(date -u +%Y-%m-%d), kwire $(git describe --always --dirty 2>/dev/null), load $(cut -d ' ' -f 1 /proc/loadavg)"
echo
echo "| work | codec | bytes | over | longest call, us of CPU: median (longest) |"
echo "|---|---|---|---|---|"
sort -k1,1r -k4,4r -k3,3n -k2,2 -k5,5n "$out/runs" | awk -v gate="$gate" '
    function done() {
        if (n) {
            printf "| %s | %s | %s | %s | %.0f (%.0f) |\n", f[1], f[2], f[3], f[4], v[int((n + 1) / 2)], v[n]
            if (v[int((n + 1) / 2)] > worst) worst = v[int((n + 1) / 2)]
        }
        n = 0
    }
    { key = $1 " " $2 " " $3 " " $4; if (key != last) { done(); last = key; split(key, f, " ") } v[++n] = $5 }
    END {
        done()
        good = worst > 0 && worst <= gate
        printf "\n%s - the longest call takes %.0f us (gate %d)\n", good ? "ok" : "not ok", worst, gate
        exit !good
    }' && [ $missed = 0 ]
