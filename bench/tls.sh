#!/bin/sh
# What TLS costs: bench/tls.sh [BUILD_DIR]
#
# All talk to bench_sink over TLS 1.3 on loopback, as in bench/run.sh: bytes alone
# (bench_tls: SSL_write of 16 KiB pieces, SSL_read into one buffer), the hand-written
# client over the same calls (bench_floor), kwire (kwire/ref: values by reference),
# librdkafka with the OpenSSL that its authors build into it, and the system's librdkafka
# (rdkafka/libssl), older, but over the same libssl as all the others. NAME/plain is the
# same without TLS. "small": memory that stays in the processor's cache, as in
# bench/run.sh.
# They run in turns, each run a process of its own; CPU is user and system time of the
# client from the first record on, per MB (10^6 bytes) of values. Instructions are those
# of user space, by callgrind, the difference of two lengths. Prints tables, and last the
# gate:
#
#   over TLS kwire needs at most KW_TLS_GATE (1.1) times the CPU of the bare program: when
#   values are lent (produce), since the bare program copies nothing either, and when they
#   are received, by the same requests (answers of 1 MB: bare-small); with memory that stays
#   in the cache, as the bare program's 1 MB does. A machine that others use is at times half
#   as fast for some seconds, so for the gate the two run in pairs, one right behind the
#   other, and the median of the pairs' ratios counts. What TLS adds to each, with it less
#   without it, is printed beside it.
#
#   KW_BENCH_ROUNDS=7   KW_BENCH_PAIRS=51   KW_BENCH_SIZE=102400
#   KW_BENCH_BYTES=200000000 a run, about
#   KW_BENCH_COUNT=yes  instructions too      KW_RDKAFKA=FILE    as in bench/run.sh
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
rounds=${KW_BENCH_ROUNDS:-7}
pairs=${KW_BENCH_PAIRS:-51}
size=${KW_BENCH_SIZE:-102400}
bytes=${KW_BENCH_BYTES:-200000000}
gate=${KW_TLS_GATE:-1.1}
partitions=8
batch=1000000
# As much as the bare program sends again and again, 1 MB: the values in turns.
KW_BENCH_VALUES=${KW_BENCH_VALUES:-$((1048576 / size < 64 ? 1048576 / size : 64))}
export KW_BENCH_VALUES
. bench/lib.sh
bench_begin tls

bash tools/kafka/certs.sh "$out/tls" || exit 1
ca=$out/tls/ca.crt
fetch_rdkafka
system=$(ldconfig -p | awk '$1 == "librdkafka.so.1" { print $NF; exit }')
[ -n "$system" ] && ldd "$system" | grep -q 'libssl\.so\.3' || system=
inside=$([ -z "$rdkafka" ] || LC_ALL=C grep -aoE 'OpenSSL 3\.[0-9]+\.[0-9]+ [0-9]+ [A-Z][a-z]+ 20[0-9]+' "$rdkafka" | head -n 1)

library() { [ "$1" = rdkafka/libssl ] && echo "$system" || echo "$rdkafka"; }

# The command line of a client, run behind the words in $wrap. NAME/plain: the same without
# TLS, so that the difference is what TLS costs.
client() { # CLIENT MODE RECORDS
    fetch_max=52428800 buffer=33554432 trust=$ca
    keys="security.protocol=SSL ssl.ca.location=$ca" rd_keys="security.protocol=ssl ssl.ca.location=$ca"
    case $1 in *-small*) fetch_max=1048576 buffer=3145728 ;; esac
    case $1 in */plain) trust='' keys='' rd_keys='' ;; esac
    # shellcheck disable=SC2086
    case $1-$2 in
    bare/ahead-*)
        $wrap "$bin/bench_tls" "$2" "$port" $(($3 * size)) $partitions "$ca" $fetch_max ahead
        ;;
    bare*)
        $wrap "$bin/bench_tls" "$2" "$port" $(($3 * size)) $partitions "${trust:--}" $fetch_max
        ;;
    floor*) $wrap "$bin/bench_floor" "$2" "$port" "$3" "$size" $partitions $batch none $fetch_max $trust ;;
    kwire*-produce)
        case $1 in kwire/ref*) ref=--by-ref ;; *) ref= ;; esac
        $wrap "$bin/bench_net" produce localhost:"$port" bench "$3" "$size" $ref batch.size=$batch linger.ms=5 \
            buffer.memory=$buffer $keys
        ;;
    kwire*-consume)
        $wrap "$bin/bench_net" consume localhost:"$port" bench "$3" "$size" --partitions $partitions \
            fetch.max.bytes=$fetch_max $keys
        ;;
    rdkafka*-produce)
        $wrap "$bin/peers/rdkafka_bench" "$(library "$1")" produce localhost:"$port" bench "$3" "$size" \
            queue.buffering.max.kbytes=$((buffer / 1024)) $rd_keys
        ;;
    rdkafka*-consume)
        $wrap "$bin/peers/rdkafka_bench" "$(library "$1")" consume localhost:"$port" bench "$3" "$size" \
            --partitions $partitions fetch.max.bytes=$fetch_max check.crcs=true $rd_keys
        ;;
    esac
}

# The sink that the client talks to: over TLS, or not.
start_sink_of() { # CLIENT RECORDS
    sink_pem=$out/tls/server.pem
    case $1 in */plain) sink_pem='' ;; esac
    start_sink "$2" "$size" none
}

clients=${KW_BENCH_CLIENTS:-bare bare-small bare/plain bare-small/plain bare/ahead floor floor-small \
    floor-small/plain kwire kwire-small kwire-small/plain kwire/ref kwire/ref-small}
[ -z "$rdkafka" ] || clients="$clients rdkafka rdkafka/plain"
[ -z "$system" ] || clients="$clients rdkafka/libssl"

run() { # CLIENT MODE RECORDS: adds a line to $to
    start_sink_of "$1" "$3" || { stop_sink; echo "no sink: $(tail -n 1 "$out/errors")"; exit 1; }
    wrap="timeout 120"
    line=$(client "$@" 2>>"$out/errors" | grep '^client=')
    stop_sink
    if [ -n "$line" ]; then
        # In ns per byte, whatever size the records have.
        echo "$line" | awk -v name="$1" -v mode="$2" '{
            for (i = 1; i <= NF; i++) { split($i, pair, "="); field[pair[1]] = pair[2] }
            print name, mode, field["cpu_ns"] / field["size"], field["version"] }' >>"$to"
    else
        echo "no figure: $1, $2: $(tail -n 1 "$out/errors")"
    fi
}

count() { # CLIENT MODE RECORDS: prints the instructions of one run
    start_sink_of "$1" "$3" || { stop_sink; return 1; }
    file=$out/callgrind
    wrap="timeout 300 env GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1000000000 \
        valgrind --quiet --tool=callgrind --callgrind-out-file=$file"
    moved=$(client "$@" 2>>"$out/errors" | awk '/^client=/ {
        for (i = 1; i <= NF; i++) { split($i, pair, "="); field[pair[1]] = pair[2] }
        print field["records"] * field["size"] }')
    stop_sink
    [ -n "$moved" ] || return 1
    echo "$moved $(awk '/^(summary|totals):/ { print $2; exit }' "$file")"
}

# The two that the gate compares, in pairs: the first of a pair is the other one each time.
run_pairs() { # MODE BARE KWIRE
    pair=0
    while [ $pair -lt "$pairs" ]; do
        to=$out/pair
        : >"$to"
        first=$2 second=$3
        [ $((pair % 2)) -eq 0 ] || { first=$3 second=$2; }
        run "$first" "$1" $((bytes / size))
        run "$second" "$1" $((bytes / size))
        awk -v bare="$2" -v mode="$1" '{ cpu[$1 == bare] = $3 }
            END { if (NR == 2 && cpu[1] > 0) print mode, cpu[0] / cpu[1] }' "$to" >>"$out/ratios"
        pair=$((pair + 1))
    done
}

to=$out/runs
round=0
while [ $round -lt "$rounds" ]; do
    for mode in produce consume; do
        for each in $clients; do
            case $each-$mode in kwire/ref*-consume | bare-small*-produce) continue ;; esac
            run "$each" $mode $((bytes / size))
        done
    done
    round=$((round + 1))
done
: >"$out/ratios"
run_pairs produce bare kwire/ref-small
run_pairs consume bare-small kwire-small
[ "${KW_BENCH_COUNT:-yes}" = yes ] && command -v valgrind >/dev/null && for mode in produce consume; do
    for each in bare bare-small bare/plain bare/ahead floor kwire kwire-small kwire/plain kwire/ref; do
        case $each-$mode in kwire/ref-consume | bare-small-produce) continue ;; esac
        low=$(count "$each" $mode $((20000000 / size))) &&
            high=$(count "$each" $mode $((60000000 / size))) || continue
        echo "$each $mode $low $high" | awk '$5 > $3 { print $1, $2, ($6 - $4) / ($5 - $3) }' >>"$out/counts"
    done
done

echo
echo "$(date -u +%Y-%m-%d), $(uname -sm), $(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) processors"
echo "kwire $(git describe --always --dirty 2>/dev/null), OpenSSL $(awk '$1 == "bare" { print $4; exit }' "$out/runs")," \
    "librdkafka $(awk '$1 == "rdkafka" { print $4; exit }' "$out/runs") with ${inside:-no OpenSSL} inside," \
    "the system's $(awk '$1 == "rdkafka/libssl" { print $4; exit }' "$out/runs") over the same libssl"
echo
# Median per client and mode, and its ratio to the bare program's.
sort -k1,1 -k2,2n "$out/ratios" >"$out/ratios.sorted"
sort -k2,2r -k1,1 -k3,3n "$out/runs" | awk -v counts="$out/counts" -v ratios="$out/ratios.sorted" \
    -v gate="$gate" -v size="$size" '
    BEGIN {
        while ((getline line < counts) > 0) { split(line, c, " "); count[c[2], c[1]] = c[3] }
        while ((getline line < ratios) > 0) { split(line, c, " "); ratio_of[c[1], ++n_ratios[c[1]]] = c[2] }
    }
    function done() { if (n) { median[last] = value[int((n + 1) / 2)]; least[last] = value[1]; names[++k] = last } n = 0 }
    { key = $2 " " $1; if (key != last) { done(); last = key } value[++n] = $3 * 1000 }
    function added(mode, name) { return median[mode " " name] - median[mode " " name "/plain"] }
    function instructions(mode, name) { return (mode, name) in count ? sprintf("%.2f", count[mode, name]) : "-" }
    END {
        done()
        print "| work, values of " size " bytes | client | CPU, us per MB: median (least) | to bare | instructions per byte |"
        print "|---|---|---|---|---|"
        for (i = 1; i <= k; i++) {
            split(names[i], part, " ")
            printf "| %s | %s | %.0f (%.0f) | %.2f | %s |\n", part[1], part[2], median[names[i]], least[names[i]],
                median[names[i]] / median[part[1] " bare"], instructions(part[1], part[2])
        }
        print ""
        split("produce consume", modes, " ")
        for (i = 1; i <= 2; i++) {
            mode = modes[i]
            best = mode == "produce" ? "kwire/ref-small" : "kwire-small"
            bare = mode == "produce" ? "bare" : "bare-small"
            k = n_ratios[mode]
            ratio = k > 0 ? ratio_of[mode, int((k + 1) / 2)] : 99
            printf "%s - %s over TLS: %s needs %.2f times the CPU of the bare program (gate %s): %d pairs, half of them %.2f to %.2f\n",
                ratio <= gate ? "ok" : "not ok", mode, best, ratio, gate, k,
                ratio_of[mode, int((k + 3) / 4)], ratio_of[mode, int((3 * k + 3) / 4)]
            if (ratio > gate) bad = 1
            own = added(mode, "kwire-small"); base = added(mode, bare)
            printf "figure: %s: TLS adds %.0f us per MB to kwire, %.0f to the bare program: %.2f times\n", mode,
                own, base, (base > 0 ? own / base : 99)
            printf "figure: %s: TLS adds %.0f us per MB to librdkafka, with the OpenSSL inside it\n", mode, added(mode, "rdkafka")
            printf "figure: %s over TLS, all in all: kwire to the bare program %.2f, to the floor %.2f\n", mode,
                median[mode " kwire-small"] / median[mode " " bare], median[mode " kwire-small"] / median[mode " floor-small"]
        }
        exit bad
    }'
