# Sourced by the tests of the kw command: assertions, and kw broker to run against.
#
# Each assertion prints "ok - text" or "not ok - text"; tools/count.sh adds them
# up. KW names the binary, so that the same tests run a build with sanitizers.
# shellcheck shell=bash
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. tests/lib.sh
export LC_ALL=C
kw=${KW:-build/kw}
test_name=$(basename "$0" .sh)
work=build/cli/$test_name
rm -rf "$work"
mkdir -p "$work"
out=$work/out
err=$work/err
rc=0
started=()

[ -x "$kw" ] || { echo "not ok - $test_name: $kw is missing, run make"; exit 1; }

# catches PID: it is kw, and has its handler of SIGINT; until then a child of a script ignores it
catches() { awk '/^Name:/ { kw = $2 == "kw" } /^SigCgt:/ { on = $2 ~ /[2367abef]$/ } END { exit !(kw && on) }' "/proc/$1/status"; }

show() {
    echo "  exit $rc; stdout:"
    head -c 400 "$out" | sed 's/^/  | /'
    echo "  stderr:"
    head -c 1200 "$err" | sed 's/^/  | /'
}
# run TEXT WANTED_EXIT COMMAND...: keeps stdout and stderr in $out and $err
run() {
    local text=$1 wanted=$2
    shift 2
    timeout -k 5 60 "$@" >"$out" 2>"$err"
    rc=$?
    if [ $rc = "$wanted" ]; then ok "$text: exit $wanted"; else
        not_ok "$text: exit $rc, not $wanted"
        show
    fi
}
# says TEXT PATTERN: an extended regular expression that stderr must match
says() {
    if grep -Eq -- "$2" "$err"; then ok "$1"; else
        not_ok "$1: stderr does not match '$2'"
        show
    fi
}
silent() {
    if [ -s "$err" ]; then
        not_ok "$1: stderr is not empty"
        show
    else ok "$1"; fi
}
# prints TEXT WANTED: stdout, byte for byte; WANTED goes through printf %b
prints() {
    printf '%b' "$2" >"$work/wanted"
    same "$1" "$work/wanted" "$out"
}
true_that() { # TEXT COMMAND...
    local text=$1
    shift
    if "$@"; then ok "$text"; else not_ok "$text"; fi
}

stop_started() {
    for pid in "${started[@]}"; do
        kill -CONT "$pid" 2>/dev/null
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    started=()
}
trap stop_started EXIT
trap 'exit 130' INT TERM HUP

# start_broker ARGUMENTS...: sets B to its address and broker_pid
start_broker() {
    local log=$work/broker.$((${#started[@]} + 1)).log end=$((SECONDS + 20))
    "$kw" broker --listen 127.0.0.1:0 "$@" >"$log" 2>&1 &
    broker_pid=$!
    started+=($broker_pid)
    B=
    until B=$(sed -n 's/.*listening on \([^ ]*:[0-9][0-9]*\).*/\1/p' "$log" | head -n 1) && [ -n "$B" ]; do
        kill -0 $broker_pid 2>/dev/null || { cat "$log"; echo "not ok - $test_name: kw broker ended"; exit 1; }
        [ $SECONDS -lt $end ] || { echo "not ok - $test_name: kw broker does not listen"; exit 1; }
        sleep 0.05
    done
}
# await SECONDS COMMAND...: until the command succeeds
await() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}
done_testing() {
    [ $n_not_ok -eq 0 ]
    exit
}
