# Sourced by tests/cli/lib.sh and tests/live/lib.sh: what both kinds of tests use. They set
# test_name.
# shellcheck shell=bash
n_not_ok=0

ok() { echo "ok - $test_name: $*"; }
not_ok() {
    echo "not ok - $test_name: $*"
    n_not_ok=$((n_not_ok + 1))
}
# same TEXT WANTED_FILE GOT_FILE: byte for byte
same() {
    if cmp -s "$2" "$3"; then ok "$1"; else
        cmp "$2" "$3" || true
        diff -a "$2" "$3" | cut -c 1-200 | head -n 6
        not_ok "$1"
    fi
}
# drained FD: a FIFO that is open for reading and writing is empty
drained() { ! read -r -t 0 -u "$1"; }
