# Sourced by the tier and live scripts: runs steps, prints what failed, and adds
# up what passed.
#
# A step's output is searched for Criterion's synthesis lines and for lines
# "ok - text" and "not ok - text"; each counts. A step that counts nothing is
# one check by itself, judged by its exit code; a step that ends with an error
# and counts no failure adds one. What a sanitizer prints while the exit code
# stays 0 (a leak in a test's own process) is a failure as well.

passed=0
failed=0
failures=

# count_log FILE EXIT_CODE: sets n_ok, n_bad
count_log() {
    counts=$(awk -v rc="$2" '
        /Synthesis: Tested:/ {
            gsub(/\033\[[0-9;]*m/, "")
            match($0, /Passing: [0-9]+/); ok += substr($0, RSTART + 9, RLENGTH - 9)
            match($0, /Tested: [0-9]+/); tested = substr($0, RSTART + 8, RLENGTH - 8)
            match($0, /Passing: [0-9]+/); bad += tested - substr($0, RSTART + 9, RLENGTH - 9)
            next
        }
        /^ok - / { ok++ }
        /^not ok - / { bad++ }
        /ERROR: LeakSanitizer|ERROR: AddressSanitizer|: runtime error: / { noise++ }
        END {
            if (noise && !bad) bad = 1
            if (rc && !bad) bad = 1
            if (!ok && !bad) ok = 1
            print ok + 0, bad + 0
        }' "$1")
    n_ok=${counts% *}
    n_bad=${counts#* }
}

step_log() { printf '%s' "$log_dir/$(printf '%s' "$1" | tr '/ ' '__').log"; }

# step NAME COMMAND...: one step, its output in $log_dir/NAME.log
step() {
    step_name=$1
    shift
    step_start=$(date +%s)
    "$@" >"$(step_log "$step_name")" 2>&1 </dev/null
    step_end "$step_name" $? "$step_start"
}

# beside NAME COMMAND...: begins a step that runs beside the ones after it;
# `beside_wait` ends it and counts it. One at a time.
beside() {
    beside_name=$1
    shift
    beside_start=$(date +%s)
    "$@" >"$(step_log "$beside_name")" 2>&1 </dev/null &
    beside_pid=$!
}
beside_wait() {
    [ -n "${beside_pid:-}" ] || return 0
    wait "$beside_pid"
    step_end "$beside_name" $? "$beside_start"
    beside_pid=
}

# both NAME COMMAND...: as step, but one at a time runs beside the others. For steps that
# do not mind; `beside_wait` behind the last.
both() {
    if [ -n "${beside_pid:-}" ] && kill -0 "$beside_pid" 2>/dev/null; then
        step "$@"
    else
        beside_wait
        beside "$@"
    fi
}

# step_end NAME EXIT_CODE START: counts what the log says, and prints it
step_end() {
    log=$(step_log "$1")
    count_log "$log" "$2"
    passed=$((passed + n_ok))
    failed=$((failed + n_bad))
    printf '  %-44s %4d passed %3d failed %4d s\n' "$1" "$n_ok" "$n_bad" $(($(date +%s) - $3))
    if [ "$n_bad" -gt 0 ]; then
        told=$(
            echo "  ---- $1 (exit $2), the end of $log:"
            grep -E '^not ok - |^\[----\]|^\[FAIL\]|ERROR: |runtime error: |error:' "$log" | head -n 20 | sed 's/^/  | /'
            tail -n 12 "$log" | sed 's/^/  | /'
        )
        printf '%s\n' "$told"
        failures="$failures$told
"
    fi
    return "$2"
}

# finish: every failure once more, for of a long run often only the end is kept; then the
# total, alone on a line; false if anything failed
finish() {
    printf '%s' "$failures"
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}
