#!/bin/sh
# Measures kwire beside librdkafka and the floor: bench/run.sh [BUILD_DIR]
#
# All talk to bench_sink over loopback TCP: 8 partitions, no key, batches of
# 1,000,000 bytes, linger 5 ms, idempotent, checksums on where they can be. The
# clients run in turns, so that a busy machine is busy for all; each run is a
# process of its own with a fresh sink. CPU is user and system time of the whole
# client process from the first record on; instructions come from callgrind as
# the difference of two record counts. "small" is without codec and with memory
# that stays in the processor's cache: produce with 8 MB of buffers instead of 32,
# consume with answers of 1 MB instead of 50. Prints tables; raw lines stay in
# BUILD_DIR/bench-run/.
#
#   KW_BENCH_ROUNDS=5       KW_BENCH_SIZES="100 1024 10240"
#   KW_BENCH_CODECS="lz4 snappy zstd gzip"   KW_BENCH_BYTES=100000000 a run, about
#   KW_BENCH_COUNT=yes      instructions too      KW_BENCH_MODES="produce consume"
#   KW_BENCH_PEERS=yes      no: kwire and the floor alone
#   KW_RDKAFKA=FILE         a librdkafka.so (2.12 or newer) instead of fetching one
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
rounds=${KW_BENCH_ROUNDS:-5}
sizes=${KW_BENCH_SIZES-100 1024 10240}
codecs=${KW_BENCH_CODECS-lz4 snappy zstd gzip}
bytes=${KW_BENCH_BYTES:-100000000}
modes=${KW_BENCH_MODES-produce consume}
partitions=8
batch=1000000
. bench/lib.sh
bench_begin run

# ---- one run -----------------------------------------------------------------

# The command line of a client, run behind the words in $wrap.
client() { # CLIENT MODE RECORDS SIZE CODEC
    name=$1 mode=$2 n=$3 size=$4 codec=$5
    fetch_max=52428800 buffer_kb=32768
    [ "$codec" = small ] && codec=none fetch_max=1048576 buffer_kb=8192
    kwire_codec= rdk_codec=
    [ "$mode" = produce ] && [ "$codec" != none ] && {
        kwire_codec=compression.type=$codec
        rdk_codec=compression.type=$codec
    }
    case $name-$mode in
    floor-*) $wrap "$bin/bench_floor" "$mode" "$port" "$n" "$size" $partitions $batch "$codec" $fetch_max ;;
    kwire-produce)
        $wrap "$bin/bench_net" produce 127.0.0.1:"$port" bench "$n" "$size" batch.size=$batch \
            linger.ms=5 buffer.memory=$((buffer_kb * 1024)) $kwire_codec
        ;;
    kwire-consume)
        $wrap "$bin/bench_net" consume 127.0.0.1:"$port" bench "$n" "$size" --partitions $partitions \
            fetch.max.bytes=$fetch_max
        ;;
    rdkafka-consume)
        $wrap "$bin/peers/rdkafka_bench" "$rdkafka" "$mode" 127.0.0.1:"$port" bench "$n" "$size" \
            --partitions $partitions fetch.max.bytes=$fetch_max
        ;;
    rdkafka-produce)
        $wrap "$bin/peers/rdkafka_bench" "$rdkafka" produce 127.0.0.1:"$port" bench "$n" "$size" \
            queue.buffering.max.kbytes=$buffer_kb $rdk_codec
        ;;
    rdkafka/batch-produce)
        $wrap "$bin/peers/rdkafka_bench" "$rdkafka" produce-batch 127.0.0.1:"$port" bench "$n" \
            "$size" queue.buffering.max.kbytes=$buffer_kb $rdk_codec
        ;;
    rdkafka/crc-consume)
        $wrap "$bin/peers/rdkafka_bench" "$rdkafka" consume 127.0.0.1:"$port" bench "$n" "$size" \
            --partitions $partitions fetch.max.bytes=$fetch_max check.crcs=true
        ;;
    esac
}

run() { # CLIENT MODE RECORDS SIZE CODEC: adds a line to runs
    case $1 in rdkafka*) [ -n "$rdkafka" ] || return ;; esac
    # What was refused once is refused again.
    grep -qsx "refused: $1 $2 $5" "$out/refused" && return
    start_sink "$3" "$4" "$(echo "$5" | sed 's/small/none/')" || { stop_sink; echo "refused: $1 $2 $5" >>"$out/refused"; return; }
    wrap="timeout 120"
    client "$@" >"$out/said" 2>>"$out/errors"
    line=$(grep '^client=' "$out/said")
    grep '^codec=' "$out/said" >>"$out/codecs"
    stop_sink
    if [ -n "$line" ]; then
        echo "name=$1 codec=$5 $line" >>"$out/runs"
    else
        echo "refused: $1 $2 $5" >>"$out/refused"
        echo "no figure: $1, $2, $4 bytes, codec $5: $(tail -n 1 "$out/errors")"
    fi
}

produce_clients="floor kwire rdkafka rdkafka/batch"
consume_clients="floor kwire rdkafka rdkafka/crc"

wanted() { case " $modes " in *" $1 "*) ;; *) false ;; esac }

measure() { # MODE SIZE CODEC ROUNDS BYTES
    wanted "$1" || return
    n=$(($5 / $2))
    [ $n -gt 1000000 ] && n=1000000
    eval "clients=\$$1_clients"
    round=0
    while [ $round -lt "$4" ]; do
        for each in $clients; do run "$each" "$1" $n "$2" "$3"; done
        round=$((round + 1))
    done
}

# ---- instructions ---------------------------------------------------------------

# See tools/callgrind.sh about the C library's copies.
count() { # CLIENT MODE RECORDS SIZE: prints the instructions of one run
    start_sink "$3" "$4" none || { stop_sink; return 1; }
    file=$out/callgrind
    wrap="timeout 240 env GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1000000000 \
        valgrind --quiet --tool=callgrind --callgrind-out-file=$file"
    records=$(client "$1" "$2" "$3" "$4" none 2>>"$out/errors" |
        sed -n 's/.* records=\([0-9]*\) .*/\1/p')
    stop_sink
    [ -n "$records" ] || return 1
    total=$(awk '/^(summary|totals):/ { print $2; exit }' "$file")
    rm -f "$file"
    echo "$records $total"
}

count_all() { # MODE SIZE
    wanted "$1" || return
    eval "clients=\$$1_clients"
    few=$((40000000 / $2))
    [ $few -gt 40000 ] && few=40000
    for each in $clients; do
        case $each in rdkafka*) [ -n "$rdkafka" ] || continue ;; esac
        low=$(count "$each" "$1" $few "$2") && high=$(count "$each" "$1" $((few * 3)) "$2") || {
            echo "no count: $each, $1, $2 bytes"
            continue
        }
        echo "$each $1 $2 $low $high" | awk '$6 > $4 {
            printf "name=%s mode=%s size=%s instructions=%.0f\n", $1, $2, $3, ($7 - $5) / ($6 - $4) }' >>"$out/counts"
    done
}

# ---- tables ----------------------------------------------------------------------

# Lines "A B C D VALUE [SHARE]" to one line for each A B C D: least, median, and the share.
medians() {
    sort -k1,4 -k5,5n | awk '
        function done() { if (n) print last, value[1], value[int((n + 1) / 2)], share; n = 0 }
        { key = $1 " " $2 " " $3 " " $4; if (key != last) { done(); last = key } value[++n] = $5; share = $6 }
        END { done() }'
}

table() { # FIELD: cpu_ns or wall_ns
    sed "s/.*name=\([^ ]*\) codec=\([^ ]*\) .*version=\([^ ]*\) mode=\([a-z]*\)[^ ]* size=\([0-9]*\) .* $1=\([0-9.]*\) .*/\4 \5 \2 \1 \6/" \
        "$out/runs" | medians | sort -k1,1r -k2,2n -k3,3 -k4,4 | awk '
        function cell(row, name) {
            return (row, name) in median ? sprintf("%.0f (%.0f)", least[row, name], median[row, name]) : "-"
        }
        function ratio(row, a, b) {
            return ((row, a) in median) && ((row, b) in median) && median[row, b] > 0 ? \
                sprintf("%.2f", median[row, a] / median[row, b]) : "-"
        }
        {
            row = $1 "|" $2 "|" $3
            if (!(row in seen)) { seen[row] = 1; rows[++n_rows] = row }
            least[row, $4] = $5
            median[row, $4] = $6
        }
        END {
            print "| work | bytes | variant | floor | kwire | librdkafka | batch call / with CRC | kwire : floor | librdkafka : kwire |"
            print "|---|---|---|---|---|---|---|---|---|"
            for (i = 1; i <= n_rows; i++) {
                split(rows[i], part, "|")
                r = rows[i]
                other = part[1] == "produce" ? "rdkafka/batch" : "rdkafka/crc"
                printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", part[1], part[2], part[3],
                    cell(r, "floor"), cell(r, "kwire"), cell(r, "rdkafka"), cell(r, other),
                    ratio(r, "kwire", "floor"), ratio(r, "rdkafka", "kwire")
            }
        }'
}

# What a codec may cost: its own CPU on the same batches, as the floor measures it, and 1.3
# times the floor without a codec for the bytes that are left. Medians.
table_codecs() {
    {
        sed 's/codec=\([^ ]*\) mode=\([^ ]*\) size=\([^ ]*\) own_ns=\([^ ]*\) ratio=\(.*\)/own \2 \3 \1 \4 \5/' "$out/codecs"
        sed 's/.*name=\([^ ]*\) codec=\([^ ]*\) .* mode=\([a-z]*\)[^ ]* size=\([0-9]*\) .* cpu_ns=\([0-9.]*\) .*/\1 \3 \4 \2 \5 1/' "$out/runs"
    } | medians | awk '
        { key = $1 " " $2 " " $3 " " $4; median[key] = $6; ratio[key] = $7
          if ($1 == "own") rows[++k] = $2 " " $3 " " $4 }
        END {
            print "| work | bytes | codec | its own CPU | it leaves | floor without | may cost | kwire | floor with |"
            print "|---|---|---|---|---|---|---|---|---|"
            for (i = 1; i <= k; i++) {
                split(rows[i], part, " ")
                own = median["own " rows[i]]; left = ratio["own " rows[i]]; base = median["floor " part[1] " " part[2] " none"]
                printf "| %s | %s | %s | %.0f | %.2f | %.0f | %.0f | %.0f | %.0f |\n", part[1], part[2], part[3], own, left,
                    base, own + 1.3 * base * left, median["kwire " rows[i]], median["floor " rows[i]]
            }
        }'
}

table_counts() {
    sed 's/name=\([^ ]*\) mode=\([^ ]*\) size=\([^ ]*\) instructions=\(.*\)/\2 \3 \1 \4/' "$out/counts" |
        awk '
        { row = $1 "|" $2; if (!(row in seen)) { seen[row] = 1; rows[++n] = row } value[row, $3] = $4 }
        function cell(row, name) { return (row, name) in value ? value[row, name] : "-" }
        END {
            print "| work | bytes | floor | kwire | librdkafka | batch call / with CRC |"
            print "|---|---|---|---|---|---|"
            for (i = 1; i <= n; i++) {
                split(rows[i], part, "|")
                printf "| %s | %s | %s | %s | %s | %s |\n", part[1], part[2], cell(rows[i], "floor"),
                    cell(rows[i], "kwire"), cell(rows[i], "rdkafka"),
                    cell(rows[i], part[1] == "produce" ? "rdkafka/batch" : "rdkafka/crc")
            }
        }'
}

table_memory() {
    echo "| work | client | RSS before the first record, kB | at the end | peak |"
    echo "|---|---|---|---|---|"
    awk '{
        for (i = 1; i <= NF; i++) { split($i, pair, "="); field[pair[1]] = pair[2] }
        if (field["size"] != 1024 || field["codec"] != "none") next
        key = field["mode"] " | " field["name"]
        if (!(key in peak)) keys[++n] = key
        if (field["rss_peak_kb"] >= peak[key]) {
            peak[key] = field["rss_peak_kb"]; first[key] = field["rss_begin_kb"]
            last[key] = field["rss_end_kb"]
        }
    }
    END { for (i = 1; i <= n; i++) printf "| %s | %s | %s | %s |\n", keys[i], first[keys[i]], last[keys[i]], peak[keys[i]] }' "$out/runs"
}

# ---- all of it -------------------------------------------------------------------

rdkafka=
[ "${KW_BENCH_PEERS:-yes}" = no ] || fetch_rdkafka
: >"$out/runs"
: >"$out/counts"
for size in $sizes; do
    for variant in none small; do
        measure produce "$size" $variant "$rounds" "$bytes"
        measure consume "$size" $variant "$rounds" "$bytes"
    done
done
# Many values, or a codec finds the same again within a batch.
KW_BENCH_VALUES=4096
export KW_BENCH_VALUES
for codec in $codecs; do
    measure produce 1024 "$codec" $(((rounds + 1) / 2)) "$bytes"
    # Long enough that the memory for decompressed batches, touched once, does not count.
    measure consume 1024 "$codec" $(((rounds + 1) / 2)) $((bytes * 4))
done
unset KW_BENCH_VALUES
[ "${KW_BENCH_COUNT:-yes}" = yes ] && command -v valgrind >/dev/null && for size in $sizes; do
    count_all produce "$size"
    count_all consume "$size"
done

echo
echo "$(date -u +%Y-%m-%d), $(uname -sm), $(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) processors, $(${CC:-cc} --version | head -n 1)"
echo "kwire $(git describe --always --dirty 2>/dev/null), librdkafka $(sed -n 's/.*client=librdkafka version=\([^ ]*\).*/\1/p' "$out/runs" | head -n 1)"
echo
echo "CPU, ns per record: least (median)"
table cpu_ns
[ -s "$out/codecs" ] && echo && echo "Codecs, ns of CPU per record: medians" && table_codecs
echo
echo "Wall time, ns per record: least (median)"
table wall_ns
[ -s "$out/counts" ] && echo && echo "Instructions per record" && table_counts
echo
echo "Memory at 1024 bytes"
table_memory
[ -s "$out/runs" ]
