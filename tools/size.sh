#!/bin/sh
# Sizes of what is shipped, and memory of a running client: tools/size.sh BUILD_DIR
#
# text is code and constants; the core archive is measured as one object.
# Exported symbols are those that a program can link to. Memory is resident size
# of the benchmark clients against bench_sink: before the first record, and after
# the last. librdkafka is beside it if bench/run.sh has fetched it (or KW_RDKAFKA
# names it); that file carries TLS and codecs in itself.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1
rdkafka=${KW_RDKAFKA:-$(find build/peers -name 'librdkafka*.so*' 2>/dev/null | head -n 1)}
bin=$build/bench
tmp=$(mktemp -d) || exit 1
sink=
trap '[ -z "$sink" ] || kill "$sink" 2>/dev/null; rm -rf "$tmp"' EXIT INT TERM

row() { # FILE NM_OPTIONS
    [ -e "$1" ] || return
    symbols=$(nm $2 --defined-only "$1" 2>/dev/null | awk '$2 ~ /^[TDBRVW]$/' | wc -l)
    size "$1" | awk -v file="${1##*/}" -v symbols="$symbols" 'NR == 2 {
        printf "%-28s %10d %10d %10d %10d\n", file, $1, $2, $3, symbols }'
}

printf '%-28s %10s %10s %10s %10s\n' file text data bss symbols
for file in "$build/libkwire-core.o" "$build/libkwire.o" "$build/libkwire-mock.o"; do
    row "$file" -g
done
row "$build/libkwire.so" -D
[ -e "$build/kw" ] && size "$build/kw" | awk 'NR == 2 { printf "%-28s %10d %10d %10d %10s\n", "kw", $1, $2, $3, "-" }'
[ -n "$rdkafka" ] && row "$rdkafka" -D

# memory NAME MODE COMMAND...: the sink's port replaces PORT in the command.
memory() {
    name=$1
    mode=$2
    shift 2
    "$bin/bench_sink" 8 1000000 100 1000000 none >"$tmp/port" &
    sink=$!
    tries=0
    until port=$(awk '/^port/ { print $2 }' "$tmp/port") && [ -n "$port" ]; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || return
        sleep 0.1
    done
    # shellcheck disable=SC2046
    timeout 60 $(echo "$@" | sed "s/PORT/$port/") 2>/dev/null | sed -n \
        "s/.*rss_begin_kb=\([0-9]*\) rss_end_kb=\([0-9]*\) .*/$name $mode \1 \2/p" |
        awk '{ printf "%-28s %10s %10d %10d\n", $1, $2, $3, $4 }'
    kill "$sink"
    wait "$sink" 2>/dev/null
    sink=
}

[ -x "$bin/bench_sink" ] || exit 0
echo
printf '%-28s %10s %10s %10s\n' 'resident kB' work before after
memory floor produce "$bin/bench_floor produce PORT 1000000 100 8 100000 none 1048576"
memory kwire produce "$bin/bench_net produce 127.0.0.1:PORT bench 1000000 100"
memory kwire consume "$bin/bench_net consume 127.0.0.1:PORT bench 1000000 100 --partitions 8"
[ -n "$rdkafka" ] && for mode in produce consume; do
    memory librdkafka $mode "$bin/peers/rdkafka_bench $rdkafka $mode 127.0.0.1:PORT bench 1000000 100 --partitions 8"
done
exit 0
