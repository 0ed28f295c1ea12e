# Sourced by the scripts that compare clients: where things are, librdkafka, and a sink.
# The caller is at the project's root and has set build; partitions and batch before a
# sink is started, and sink_pem for one over TLS.
# shellcheck shell=sh disable=SC2034,SC2154

# An empty place for the results, and the end of what is started.
bench_begin() { # NAME
    bin=$build/bench
    out=$build/bench-$1
    peers=build/peers
    mkdir -p "$out" "$peers"
    find "$out" -maxdepth 1 -type f -exec rm -f {} +
    sink=
    trap '[ -z "$sink" ] || { kill -CONT "$sink"; kill "$sink"; } 2>/dev/null' EXIT
    trap 'exit 130' INT TERM
}

# The Python package of librdkafka's own authors carries a current build of it.
fetch_rdkafka() {
    rdkafka=${KW_RDKAFKA:-}
    [ -n "$rdkafka" ] || rdkafka=$(find "$peers" -name 'librdkafka*.so*' 2>/dev/null | head -n 1)
    [ -z "$rdkafka" ] && command -v python3 >/dev/null && {
        python3 -m pip download --quiet --disable-pip-version-check --no-deps \
            --only-binary=:all: --dest "$peers" 'confluent-kafka>=2.12' >"$peers/log" 2>&1 &&
            python3 -m zipfile -e "$peers"/confluent_kafka-*.whl "$peers/unpacked" &&
            rdkafka=$(find "$peers" -name 'librdkafka*.so*' | head -n 1)
    }
    [ -n "$rdkafka" ] || echo "librdkafka is not there (see $peers/log): its columns stay empty"
}

start_sink() { # RECORDS SIZE CODEC
    : >"$out/port"
    "$bin/bench_sink" "$partitions" "$1" "$2" "$batch" "$3" ${sink_pem:+"$sink_pem"} >"$out/port" 2>>"$out/errors" &
    sink=$!
    tries=0
    until port=$(awk '/^port/ { print $2 }' "$out/port") && [ -n "$port" ]; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] && kill -0 "$sink" 2>/dev/null || return 1
        sleep 0.1
    done
}

stop_sink() {
    kill "$sink" 2>/dev/null
    wait "$sink" 2>/dev/null
    sink=
}

# All of $clients work in turns, $rounds times, each against a fresh sink. `client NAME SIZE`
# of the caller runs one; its line goes to runs, behind its name.
take_turns() { # RECORDS SIZE
    round=0
    while [ $round -lt "$rounds" ]; do
        for each in $clients; do
            start_sink "$1" "$2" none || { stop_sink; echo "no sink: see $out/errors"; exit 1; }
            line=$(client "$each" "$2" 2>>"$out/errors" | grep '^client=')
            stop_sink
            if [ -n "$line" ]; then
                echo "$each $line" >>"$out/runs"
            else
                echo "no figure: $each, $2 bytes: $(tail -n 1 "$out/errors")"
            fi
        done
        round=$((round + 1))
    done
}

# The first line of a table: when, which versions, and how busy the machine is.
about_runs() { # WHAT
    echo "$(date -u +%Y-%m-%d), kwire $(git describe --always --dirty 2>/dev/null)," \
        "librdkafka $(sed -n 's/.*client=librdkafka version=\([^ ]*\).*/\1/p' "$out/runs" | head -n 1);" \
        "$rounds rounds of $1; load $(cut -d ' ' -f 1 /proc/loadavg)"
}
