#!/bin/sh
# Bugs planted on purpose (base/plant.h), each compiled in alone: the simulation
# must find each within KW_PLANT_SEEDS seeds. One line a bug, "ok - " or "not ok - ".
#
#   tools/planted.sh [NUMBER...]
set -u
cd "$(dirname "$0")/.." || exit 1
unset MAKEFLAGS MAKELEVEL MFLAGS VARIANT BUILD
seeds=${KW_PLANT_SEEDS:-5000}
[ $# -gt 0 ] || set -- $(sed -n 's/^ *KWI_PLANT_P[0-9]* = \([0-9]*\).*/\1/p' base/plant.h)
rc=0
for bug; do
    name=$(printf 'P%02d' "$bug")
    build=build/plant/$name
    log=$build/log
    mkdir -p "$build"
    # With assertions, and with poisoned memory by the second allocator.
    if ! make -j2 --no-print-directory BUILD="$build" OPT="-O1 -g -DKW_DEBUG -DKWI_PLANT=$bug" \
        "$build/tests/sim/test_sim" >"$log" 2>&1; then
        echo "not ok - $name: does not build (see $log)"
        rc=1
        continue
    fi
    # One is enough, and what a bug leaves behind may hang the next seed.
    KW_SIM_SEEDS=$seeds KW_SIM_FAILURES=1 timeout -k 10 1500 "$build/tests/sim/test_sim" --jobs 1 --color=never >"$log" 2>&1
    status=$?
    last=$(sed -n 's/.*sim: begins seed //p' "$log" | tail -n 1)
    seed=$(sed -n 's/.*seed \([0-9]*\) failed: \(.*\)/seed \1: \2/p; s/.*\(seed [0-9]*: .*\)/\1/p' "$log" | head -n 1)
    if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
        echo "not ok - $name: 1500 s were over in seed $last"
        rc=1
    elif [ "$status" -ne 0 ]; then
        : "${seed:=seed $last: the program crashed}"
        echo "ok - $name is found ($seed)"
        echo "figure: $name $seed"
    else
        echo "not ok - $name is not found in $seeds seeds"
        rc=1
    fi
done
exit $rc
