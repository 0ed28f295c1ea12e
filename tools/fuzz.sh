#!/bin/sh
# Runs one libFuzzer target for some seconds: tools/fuzz.sh build/fuzz/fuzz_X SECONDS
#
# The corpus in fuzz/corpus/X is read, never written; what is new goes to
# build/fuzz/corpus/X. Prints how many inputs were run. The limits are part of
# what passes: an input may take neither 5 seconds nor 64 MiB in one block.
set -u
binary=$1
seconds=$2
name=${binary##*/fuzz_}
found=build/fuzz/corpus/$name
mkdir -p "$found" "build/fuzz/crashes"
seeds=
[ -d "fuzz/corpus/$name" ] && seeds=fuzz/corpus/$name
dict=
[ -f "fuzz/dict/$name.dict" ] && dict=-dict=fuzz/dict/$name.dict
log=build/fuzz/$name.log
# shellcheck disable=SC2086
"$binary" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -malloc_limit_mb=64 \
    $dict -print_final_stats=1 -artifact_prefix=build/fuzz/crashes/"$name"- "$found" $seeds >"$log" 2>&1
rc=$?
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
if [ $rc -eq 0 ] && [ "${runs:-0}" -gt 0 ]; then
    echo "ok - $name: $runs inputs in $seconds s"
else
    tail -n 60 "$log"
    echo "not ok - $name: exit $rc after ${runs:-an unknown number of} inputs"
    exit 1
fi
