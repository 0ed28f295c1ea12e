# Sourced by the acceptance scripts: so many inputs for the fuzz targets.
#
# fuzz_inputs INPUTS SECONDS TARGET..., for each, is one line of theirs, and fuzz_total
# TOTAL SECONDS TARGET..., for all together, another. Both go on where the last run
# stopped, so that the hours which they need can be taken in pieces.
# shellcheck shell=sh

fuzz_inputs() {
    make -s fuzz || return 1
    make -s fuzz-fast || return 1
    tools/fuzz_all.sh "$@"
}

# An even share for each but one: there are slow ones.
fuzz_total() {
    fuzz_wanted=$1
    fuzz_seconds=$2
    shift 2
    make -s fuzz || return 1
    make -s fuzz-fast || return 1
    tools/fuzz_all.sh -t "$fuzz_wanted" $((fuzz_wanted / ($# - 1))) "$fuzz_seconds" "$@"
}
