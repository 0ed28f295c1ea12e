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

# step NAME COMMAND...: one step, its output in $log_dir/NAME.log
step() {
    step_name=$1
    shift
    step_log=$log_dir/$(printf '%s' "$step_name" | tr '/ ' '__').log
    step_start=$(date +%s)
    "$@" >"$step_log" 2>&1 </dev/null
    step_rc=$?
    count_log "$step_log" $step_rc
    passed=$((passed + n_ok))
    failed=$((failed + n_bad))
    printf '  %-44s %4d passed %3d failed %4d s\n' "$step_name" "$n_ok" "$n_bad" \
        $(($(date +%s) - step_start))
    if [ "$n_bad" -gt 0 ]; then
        echo "  ---- $step_name (exit $step_rc), the end of $step_log:"
        grep -E '^not ok - |^\[----\]|^\[FAIL\]|ERROR: |runtime error: |error:' "$step_log" | head -n 20 | sed 's/^/  | /'
        tail -n 12 "$step_log" | sed 's/^/  | /'
    fi
    return $step_rc
}

# finish: the total, alone on a line; false if anything failed
finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}
