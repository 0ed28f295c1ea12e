#!/bin/sh
# Instructions per record of the client alone: tools/callgrind.sh [BUILD_DIR]
#
# Runs build/bench/bench_core under callgrind with two record counts; the
# difference leaves start and end out. The bench loop, the reports and the copy
# in place of the kernel's are counted. Prints one line per case, and "not ok"
# with exit 1 when one is above its limit, given by KW_PRODUCE_MAX (500) and
# KW_CONSUME_MAX (350).
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
bench=$build/bench/bench_core
out=$build/callgrind
mkdir -p "$out"
few=${KW_CALLGRIND_FEW:-20000}
many=${KW_CALLGRIND_MANY:-100000}
size=${KW_CALLGRIND_SIZE:-100}
failed=0

[ -x "$bench" ] || { echo "not ok - $bench is missing: make bench" && exit 1; }
command -v valgrind >/dev/null || { echo "not ok - valgrind is missing: make deps" && exit 1; }

count() { # NAME RECORDS ARGUMENTS...: prints the instructions of one run
    name=$1-$2
    records=$2
    direction=$3
    shift 3
    # valgrind counts each byte of a long "rep movsb" as an instruction, and the
    # copies of whole buffers are the sink's, not the client's: have the C library
    # copy with vector instructions at every size.
    GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1000000000 \
        valgrind --quiet --tool=callgrind --callgrind-out-file="$out/$name.out" \
        "$bench" "$direction" "$records" "$size" "$@" >"$out/$name.txt" 2>&1 || return 1
    awk '/^(summary|totals):/ { print $2; exit }' "$out/$name.out"
}

measure() { # NAME LIMIT ARGUMENTS...
    name=$1
    limit=$2
    shift 2
    low=$(count "$name" "$few" "$@") && high=$(count "$name" "$many" "$@") || {
        echo "not ok - $name: the run failed: $(tail -n 1 "$out/$name"-*.txt | tr '\n' ' ')"
        failed=1
        return
    }
    per_record=$(((high - low) / (many - few)))
    echo "figure: $name $per_record"
    if [ "$per_record" -le "$limit" ]; then
        echo "ok - $name: $per_record instructions a record of $size bytes (limit $limit)"
    else
        echo "not ok - $name: $per_record instructions a record of $size bytes (limit $limit)"
        failed=1
    fi
}

measure produce-partition "${KW_PRODUCE_MAX:-500}" produce
measure produce-sticky "${KW_PRODUCE_MAX:-500}" produce --sticky
measure consume "${KW_CONSUME_MAX:-350}" consume
exit $failed
