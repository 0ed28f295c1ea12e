# Sourced by the acceptance scripts: ten million inputs for each fuzz target.
#
# fuzz_inputs INPUTS SECONDS is one line of theirs. It goes on where the last run
# stopped, so that the hours which the slow targets need can be taken in pieces.
# shellcheck shell=sh

fuzz_inputs() {
    make -s fuzz || return 1
    make -s fuzz-fast || return 1
    tools/fuzz_all.sh "$1" "$2"
}
