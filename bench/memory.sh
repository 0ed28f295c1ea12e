#!/bin/sh
# The memory of a producer whose application is faster than its broker, and of a consumer
# whose application lets nothing go, beside librdkafka: bench/memory.sh [BUILD_DIR]
#
# Produce:
# batch.size 128 KB and 8 MB of buffers (librdkafka: queue.buffering.max.kbytes), no key,
# linger 5 ms, idempotent, against bench_sink, which stands still for 0.7 s from a tenth of
# a second on, so that every buffer is full. What counts is the most that was ever
# resident less what was resident right after the client was created. The values that are
# sent, 64 of them, are not the client's and are taken off; librdkafka also has its
# limit on the number of records lifted to a million, as in bench/run.sh, or with
# "librdkafka/default" where it stands by itself, 100,000. kwire must stay within
# 8 MB + 2 MB. Raw lines stay in BUILD_DIR/bench-memory/.
#
# Consume: 100 partitions, batches of 1 MB, records of 1 KB that say everything ten times;
# all memory of the client 16 MB (memory.limit), of which 2 MB are control.memory and 1.2 MB
# buffer.memory. From a tenth of the records on the application takes handles for a second
# and releases none (librdkafka's has no such thing: it reads at full speed, with
# queued.max.messages.kbytes=16384). kwire must stay within 16 MB + 4 MB above create.
#
#   KW_BENCH_SIZES="10 100 1024 10240 100000"   KW_BENCH_CODECS="none lz4 zstd"
#   KW_BENCH_PARTITIONS="1 8"   KW_BENCH_BYTES=100000000 a run   KW_BENCH_ROUNDS=3
#   KW_RDKAFKA=FILE             a librdkafka.so instead of fetching one
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
rounds=${KW_BENCH_ROUNDS:-3}
bytes=${KW_BENCH_BYTES:-100000000}
batch=131072
buffer_kb=8192
allowed_kb=$((buffer_kb + 2048))
. bench/lib.sh
bench_begin memory

client() { # CLIENT RECORDS SIZE CODEC
    case $1 in
    kwire)
        "$bin/bench_net" produce 127.0.0.1:"$port" bench "$2" "$3" batch.size=$batch linger.ms=5 \
            buffer.memory=$((buffer_kb * 1024)) compression.type="$4"
        ;;
    librdkafka)
        "$bin/peers/rdkafka_bench" "$rdkafka" produce 127.0.0.1:"$port" bench "$2" "$3" \
            batch.size=$batch queue.buffering.max.kbytes=$buffer_kb compression.type="$4"
        ;;
    librdkafka/default)
        "$bin/peers/rdkafka_bench" "$rdkafka" produce 127.0.0.1:"$port" bench "$2" "$3" \
            batch.size=$batch queue.buffering.max.kbytes=$buffer_kb compression.type="$4" \
            queue.buffering.max.messages=100000
        ;;
    esac
}

fetch_rdkafka
for codec in ${KW_BENCH_CODECS:-none lz4 zstd}; do
    for size in ${KW_BENCH_SIZES:-10 100 1024 10240 100000}; do
        [ "$codec" = none ] || [ "$size" = 1024 ] || continue
        records=$((bytes / size))
        [ $records -gt 2000000 ] && records=2000000
        for partitions in ${KW_BENCH_PARTITIONS:-1 8}; do
            round=0
            while [ $round -lt "$rounds" ]; do
                for each in kwire librdkafka librdkafka/default; do
                    case $each in librdkafka*) [ -n "$rdkafka" ] || continue ;; esac
                    start_sink 1 "$size" "$codec" || { stop_sink; echo "no sink: see $out/errors"; exit 1; }
                    (sleep 0.1; kill -STOP "$sink"; sleep 0.7; kill -CONT "$sink") 2>>"$out/errors" &
                    line=$(client $each $records "$size" "$codec" 2>>"$out/errors" | grep '^client=')
                    wait $!
                    stop_sink
                    [ -n "$line" ] || { echo "no figure: $each, $size bytes: $(tail -n 1 "$out/errors")"; continue; }
                    echo "name=$each codec=$codec partitions=$partitions $line" >>"$out/runs"
                done
                round=$((round + 1))
            done
        done
    done
done
# ---- consume ------------------------------------------------------------------------------

consumer() { # CLIENT
    case $1 in
    kwire)
        "$bin/bench_net" consume 127.0.0.1:"$port" bench 200000 1024 --partitions 100 --hold 1000 \
            memory.limit=16777216 control.memory=2097152 buffer.memory=1200000
        ;;
    librdkafka)
        "$bin/peers/rdkafka_bench" "$rdkafka" consume 127.0.0.1:"$port" bench 200000 1024 \
            --partitions 100 queued.max.messages.kbytes=16384
        ;;
    esac
}
for codec in ${KW_BENCH_CONSUME_CODECS:-none lz4 snappy zstd gzip}; do
    round=0
    while [ $round -lt "$rounds" ]; do
        for each in kwire librdkafka; do
            [ "$each" = kwire ] || [ -n "$rdkafka" ] || continue
            batch=1000000 partitions=100
            export KW_BENCH_REPEAT=10
            start_sink 3000 1024 "$codec" || { stop_sink; echo "no sink: see $out/errors"; exit 1; }
            line=$(consumer $each 2>>"$out/errors" | grep '^client=')
            stop_sink
            [ -n "$line" ] || { echo "no figure: $each, consume, $codec: $(tail -n 1 "$out/errors")"; continue; }
            echo "name=$each codec=$codec $line" >>"$out/consume"
        done
        round=$((round + 1))
    done
done

[ -s "$out/runs" ] || exit 1

echo "$(date -u +%Y-%m-%d), kwire $(git describe --always --dirty 2>/dev/null)," \
    "librdkafka $(sed -n 's/.*client=librdkafka version=\([^ ]*\).*/\1/p' "$out/runs" | head -n 1)"
echo
echo "| codec | bytes | partitions | kwire, kB above create | librdkafka | librdkafka/default | allowed |"
echo "|---|---|---|---|---|---|---|"
awk -v allowed=$allowed_kb '
{
    for (i = 1; i <= NF; i++) { split($i, pair, "="); field[pair[1]] = pair[2] }
    row = field["codec"] " | " field["size"] " | " field["partitions"]
    if (!(row in seen)) { seen[row] = 1; rows[++n] = row }
    values = field["size"] * 64 / 1024
    grown = field["rss_peak_kb"] - field["rss_created_kb"] - values
    if (grown > most[row, field["name"]]) most[row, field["name"]] = grown
}
function cell(row, name) { return (row, name) in most ? sprintf("%.0f", most[row, name]) : "-" }
END {
    for (i = 1; i <= n; i++) {
        printf "| %s | %s | %s | %s | %d |\n", rows[i], cell(rows[i], "kwire"),
            cell(rows[i], "librdkafka"), cell(rows[i], "librdkafka/default"), allowed
        if (most[rows[i], "kwire"] > allowed) { print "too much: " rows[i] > "/dev/stderr"; over = 1 }
    }
    exit over
}' "$out/runs" || over=1

echo
echo "| consume, codec | kwire, kB above create | librdkafka | allowed |"
echo "|---|---|---|---|"
awk -v allowed=20480 '
{
    for (i = 1; i <= NF; i++) { split($i, pair, "="); field[pair[1]] = pair[2] }
    if (!(field["codec"] in seen)) { seen[field["codec"]] = 1; rows[++n] = field["codec"] }
    grown = field["rss_peak_kb"] - field["rss_created_kb"]
    if (grown > most[field["codec"], field["name"]]) most[field["codec"], field["name"]] = grown
}
function cell(row, name) { return (row, name) in most ? most[row, name] : "-" }
END {
    for (i = 1; i <= n; i++) {
        printf "| %s | %s | %s | %d |\n", rows[i], cell(rows[i], "kwire"), cell(rows[i], "librdkafka"), allowed
        if (most[rows[i], "kwire"] > allowed) { print "too much: consume, " rows[i] > "/dev/stderr"; over = 1 }
    }
    exit over
}' "$out/consume" || over=1
exit ${over:-0}
