# Sourced by the live tests: assertions, and a real broker of the script's own.
#
# Each assertion prints "ok - text" or "not ok - text"; tools/count.sh adds them
# up. KW names another kw than build/kw. A broker that already runs is used when KW_BROKER is set (for instance
# that of tests/live/compose.yaml); what needs the broker's files is then left out.
# shellcheck shell=bash
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. tests/lib.sh
export LC_ALL=C
test_name=$(basename "$0" .sh)
work=build/live/$test_name
rm -rf "$work"
mkdir -p "$work"
own_broker=no
kw=${KW:-build/kw}
build=$(dirname "$kw") # the other programs of that build
tab=$(printf '\t')

# check TEXT COMMAND...: the command's exit code decides
check() {
    local text=$1
    shift
    if "$@" >"$work/check.log" 2>&1; then ok "$text"; else
        tail -n 15 "$work/check.log"
        not_ok "$text"
    fi
}

[ -x $kw ] || { echo "not ok - $test_name: $kw is missing, run make"; exit 1; }

# need_kafka [NODES]: sets KW_BROKER, and KW_KAFKA_DATA for a broker of our own
need_kafka() {
    [ -z "${KW_BROKER:-}" ] || return 0
    export KW_KAFKA_DIR=build/kafka-$test_name
    own_broker=yes
    trap 'tools/kafka.sh clean' EXIT
    trap 'exit 130' INT TERM HUP
    tools/kafka.sh clean
    tools/kafka.sh up "${1:-1}" >"$work/env" || { echo "not ok - $test_name: no Kafka"; exit 1; }
    . "$work/env"
    export KW_BROKER
}

# new_topic NAME [PARTITIONS]
new_topic() {
    check "kw topics create $1" $kw topics create -b "$KW_BROKER" -t "$1" -p "${2:-1}"
}

# Ends the script: its exit code says whether every assertion held.
done_testing() { exit $((n_not_ok > 0)); }

stop_mock() {
    [ -z "${mock_pid:-}" ] || { kill "$mock_pid" && wait "$mock_pid"; } 2>/dev/null
    mock_pid=
}
# need_mock [OPTION...]: the in-tree broker on free ports, for tests that need no
# Kafka, in place of the one that ran before
need_mock() {
    stop_mock
    : >"$work/broker.log" # or the port of the one before may be read from it
    $kw broker --listen 127.0.0.1:0 "$@" >"$work/broker.log" 2>&1 &
    mock_pid=$!
    trap stop_mock EXIT
    trap 'exit 130' INT TERM HUP
    local end=$((SECONDS + 20))
    until KW_BROKER=$(sed -n 's/.*listening on \([^ ]*:[0-9][0-9]*\).*/\1/p' "$work/broker.log" 2>/dev/null | head -n 1) &&
        [ -n "$KW_BROKER" ]; do
        if ! kill -0 $mock_pid 2>/dev/null || [ $SECONDS -ge $end ]; then
            cat "$work/broker.log"
            echo "not ok - $test_name: kw broker does not start"
            exit 1
        fi
        sleep 0.05
    done
}
