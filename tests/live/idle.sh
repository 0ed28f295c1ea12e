#!/usr/bin/env bash
# A client with nothing to do, and one whose brokers are all down, on the in-tree
# broker: no thread, no wake-up but at its next deadline, next to no CPU, and back
# within the reconnect backoff and a second.
#
# KW_IDLE_SECONDS (8), KW_OUTAGE_SECONDS (15): how long each lasts; both below 290,
# the age at which metadata is asked for again, unless it is the outage.
. "$(dirname "$0")/lib.sh"
[ -x build/tests/live/idle ] || { echo "not ok - $test_name: run make tests"; exit 1; }
idle_seconds=${KW_IDLE_SECONDS:-8}
outage_seconds=${KW_OUTAGE_SECONDS:-15}
# 0.1 % in five minutes. A short outage is its beginning, when attempts come one behind the
# other, and a busy machine makes three times as much of each.
max_percent=$([ "$outage_seconds" -ge 300 ] && echo 0.1 || echo 0.3)

# The first number of a figure; nothing if it is not there yet.
figure() { awk -v word="$1" '$1 == word { print $2; exit }' "$work/idle" 2>/dev/null; }
wait_for() { # WORD SECONDS
    local end=$((SECONDS + $2))
    until [ -n "$(figure "$1")" ]; do
        if ! kill -0 $idle_pid 2>/dev/null || [ $SECONDS -ge $end ]; then
            cat "$work/idle.log"
            not_ok "the client does not get as far as: $1"
            done_testing
        fi
        sleep 0.05
    done
}
at_most() { # TEXT WORD MAX
    local got
    got=$(figure "$2")
    if awk -v got="${got:-x}" -v max="$3" 'BEGIN { exit !(got ~ /^[0-9.]+$/ && got + 0 <= max) }'; then
        ok "$1: $got, at most $3"
    else
        not_ok "$1: ${got:-no figure}, not at most $3"
    fi
}
outage() { # NAME DELIVERED_WITHIN OPTION...
    local name=$1 within=$2 port up
    shift 2
    need_mock --topic idle:1
    port=${KW_BROKER##*:}
    build/tests/live/idle "$KW_BROKER" idle "$idle_seconds" "$outage_seconds" "$@" \
        >"$work/idle" 2>"$work/idle.log" &
    idle_pid=$!
    wait_for down $((idle_seconds + 30))
    at_most "$name: wake-ups in $idle_seconds s with nothing due" idle_wakeups 0
    at_most "$name: sleeps that ended" idle_sleeps 1
    at_most "$name: ms of CPU" idle_cpu_ms 2
    at_most "$name: threads" threads 1
    stop_mock
    wait_for up $((outage_seconds + 30))
    at_most "$name: % CPU in $outage_seconds s without a broker" outage_cpu_percent "$max_percent"
    at_most "$name: wake-ups a second without a broker" outage_wakeups_a_second 20
    $kw broker --listen 127.0.0.1:"$port" --topic idle:1 >"$work/broker.log" 2>&1 &
    mock_pid=$!
    local end=$((SECONDS + 20))
    until grep -q 'listening on' "$work/broker.log" || [ $SECONDS -ge $end ]; do sleep 0.02; done
    up=$(date +%s.%N)
    if wait $idle_pid; then ok "$name: the record is delivered when the broker is back"; else
        tail -n 5 "$work/idle.log"
        not_ok "$name: the record is not delivered"
    fi
    awk -v at="$(figure delivered_at)" -v up="$up" 'BEGIN { printf "recovery %.3f\n", (at > up ? at - up : 0) }' \
        >>"$work/idle"
    at_most "$name: s until it is back" recovery "$within"
    echo "figure: $name: CPU $(figure outage_cpu_percent) % in $outage_seconds s of outage," \
        "back after $(figure recovery) s; idle: $(figure idle_wakeups) wake-ups"
}
# A longest backoff of 1 s, with jitter 1.2 s, and a second.
outage defaults 2.2
done_testing
