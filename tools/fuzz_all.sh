#!/bin/sh
# Runs libFuzzer targets, all or those named, until each has so many inputs in total:
#
#     tools/fuzz_all.sh [-t TOTAL] INPUTS SECONDS [TARGET...]
#
# The targets take turns, each a few minutes, and stop when SECONDS are over in
# all; a later run goes on where this one stopped (build/fuzz/X.total; remove
# build/fuzz to begin anew). A target passes when it has its INPUTS without a
# finding; with -t all pass when they have TOTAL together, and stop there. Needs
# `make fuzz`. Where `make fuzz-fast` has built a target too, that one makes nineteen
# of twenty inputs, and the sanitizers then see every input which it found to be new.
set -u
cd "$(dirname "$0")/.." || exit 1
wanted=
[ "$1" = -t ] && wanted=$2 && shift 2
inputs=$1
end=$(($(date +%s) + $2))
shift 2
targets=
for name in "$@"; do
    targets="$targets build/fuzz/fuzz_$name"
done
targets=${targets:-$(make -s print-fuzz)}
# Each turn begins with all that earlier ones found, most of which a corpus does not need
# any more: where inputs are cheap, that is a quarter of five minutes.
short=300 long=1800
rc=0

total() { cat "build/fuzz/$1.total" 2>/dev/null || echo 0; }

sum() { # of all targets
    sum=0
    for binary in $targets; do
        sum=$((sum + $(total "${binary##*/fuzz_}")))
    done
    echo $sum
}
enough() { [ -n "$wanted" ] && [ "$(sum)" -ge "$wanted" ]; }

# The binary for the next slice, and how many inputs it may still make.
choose() { # BINARY
    fast=build/fuzz/fast/${1##*/}
    if [ ! -x "$fast" ]; then
        echo "$1 $((inputs - $(total "$name")))"
    elif [ $(($(total "$name") * 20)) -lt "$inputs" ]; then
        echo "$1 $((inputs / 20 - $(total "$name")))"
    else
        echo "$fast $((inputs - $(total "$name")))"
    fi
}

again=1
while [ $again -eq 1 ] && [ "$(date +%s)" -lt "$end" ]; do
    again=0
    for binary in $targets; do
        name=${binary##*/fuzz_}
        enough && break
        set -- $(choose "$binary")
        left=$2
        time_left=$((end - $(date +%s)))
        [ -x "$binary" ] && [ $left -gt 0 ] && [ $time_left -gt 0 ] || continue
        [ -f "build/fuzz/$name.failed" ] && continue
        case $1 in */fast/*) slice=$long ;; *) slice=$short ;; esac
        [ $time_left -lt $slice ] && slice=$time_left
        if text=$(tools/fuzz.sh "$1" $slice $left); then
            echo "  ${text#ok - }"
            again=1
        else
            echo "$text" | tee "build/fuzz/$name.failed"
        fi
    done
done
for binary in $targets; do
    name=${binary##*/fuzz_}
    echo "figure: $name $(total "$name")"
    if [ -f "build/fuzz/$name.failed" ]; then
        rm -f "build/fuzz/$name.failed"
        rc=1
    elif [ -x "build/fuzz/fast/${binary##*/}" ] &&
        ! "$binary" -runs=0 "build/fuzz/corpus/$name" >"build/fuzz/$name.replay" 2>&1; then
        tail -n 60 "build/fuzz/$name.replay"
        echo "not ok - $name: an input that was new fails under the sanitizers"
        rc=1
    elif [ -n "$wanted" ] && [ "$(total "$name")" -gt 0 ]; then
        echo "ok - $name: no finding"
    elif [ "$(total "$name")" -ge "$inputs" ]; then
        echo "ok - $name: $(total "$name") inputs without a finding"
    else
        echo "not ok - $name: $(total "$name") of $inputs inputs so far"
        rc=1
    fi
done
if enough; then
    echo "ok - $(sum) inputs in all"
elif [ -n "$wanted" ]; then
    echo "not ok - $(sum) of $wanted inputs in all so far"
    rc=1
fi
exit $rc
