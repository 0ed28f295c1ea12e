#!/bin/sh
# Runs one libFuzzer target: tools/fuzz.sh build/fuzz/fuzz_X SECONDS [INPUTS]
#
# It ends after so many seconds, or inputs. The corpus in fuzz/corpus/X is read,
# never written; what is new goes to build/fuzz/corpus/X, and the number of all
# inputs that were run without a finding to build/fuzz/X.total. Prints how many
# inputs were run, how fast, and how long ten million would take. The limits are
# part of what passes: an input may take neither 5 seconds nor 64 MiB in one
# block.
#
# Speed is inputs. Freed memory is held back for a few inputs, not for hundreds,
# so that it stays in the cache; stacks of allocations are short (the replayer of
# VARIANT=asan gives whole ones); libFuzzer chooses among its corpus by chance,
# since to weigh each feature takes longer than to run a client; and a script is
# short: the end of every one, closing a client, costs as much as ten operations.
set -u
binary=$1
seconds=$2
inputs=${3:--1}
name=${binary##*/fuzz_}
found=build/fuzz/corpus/$name
mkdir -p "$found" "build/fuzz/crashes"
seeds=
[ -d "fuzz/corpus/$name" ] && seeds=fuzz/corpus/$name
dict=
[ -f "fuzz/dict/$name.dict" ] && dict=-dict=fuzz/dict/$name.dict
log=build/fuzz/$name.log
len=
case $name in
client | frames | tls) len=-max_len=64 ;;
core) len=-max_len=128 ;;
sasl) len=-max_len=384 ;;
esac
ASAN_OPTIONS=quarantine_size_mb=2:malloc_context_size=2:allocator_release_to_os_interval_ms=-1:${ASAN_OPTIONS:-}
export ASAN_OPTIONS
start=$(date +%s)
# shellcheck disable=SC2086
"$binary" -max_total_time="$seconds" -runs="$inputs" -timeout=5 -rss_limit_mb=512 \
    -malloc_limit_mb=64 -entropic=0 -reload=0 $len $dict -print_final_stats=1 \
    -artifact_prefix=build/fuzz/crashes/"$name"- "$found" $seeds >"$log" 2>&1
rc=$?
took=$(($(date +%s) - start))
[ "$took" -gt 0 ] || took=1
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
if [ $rc -eq 0 ] && [ "${runs:-0}" -gt 0 ]; then
    total=$((runs + $(cat "build/fuzz/$name.total" 2>/dev/null || echo 0)))
    echo "$total" >"build/fuzz/$name.total"
    hours=$(awk -v runs="$runs" -v took="$took" 'BEGIN { printf "%.1f", 1e7 * took / runs / 3600 }')
    echo "ok - $name: $runs inputs in $took s, $((runs / took)) per second; 10^7 take $hours h"
else
    tail -n 60 "$log"
    echo "not ok - $name: exit $rc after ${runs:-an unknown number of} inputs"
    exit 1
fi
