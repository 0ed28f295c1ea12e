# Sourced by the acceptance scripts (tools/accept/ISSUE.sh, from tools/tier.sh
# accept): the rows of an issue's report, and its section in docs/ACCEPTANCE.md.
# The sections of other issues stay as they are. With KW_ACCEPT_LINES="4 6" only
# those lines of the issue run (with KW_ACCEPT_WHAT=TEXT too, those of them that say
# TEXT), and the rows of the others stay as the last run left them: each row has its
# commit.
#
#     report_begin A
#     line 1 "WHAT MUST HOLD" COMMAND...      a step and its row
#     report_end
# shellcheck shell=sh disable=SC2154

clone=$PWD/build/accept/clone
mkdir -p build/accept

report_begin() { # ISSUE
    issue=$1
    report=build/accept/$issue.md
    report_commit=$(git rev-parse --short HEAD)
    git diff --quiet HEAD -- . ':!docs/ACCEPTANCE.md' || report_commit="$report_commit, changed"
    cat >"$report" <<END
## Issue $issue

- Date: $(date -u +%Y-%m-%d)
- Machine: $(nproc) processors, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)

| line | what must hold | command | commit | result | time | figures |
|---|---|---|---|---|---|---|
END
}

# line N "WHAT MUST HOLD" COMMAND...: one step and its row. Lines of its output
# that begin with "figure: ", and the rates of the demo, become the figures.
line() {
    number=$1
    what=$2
    shift 2
    case " ${KW_ACCEPT_LINES:-$number}  / $what" in
    *" $number "*" / "*"${KW_ACCEPT_WHAT:-}"*) ;;
    *) line_kept "$number" "$what"; return ;;
    esac
    line_start=$(date +%s)
    step "$number. $what" "$@"
    line_rc=$?
    figures=$(sed -n 's/^figure: //p; s/^  \(produce  .*\)/\1/p; s/^  \(consume  .*\)/\1/p; s/^\([0-9]* passed, [0-9]* failed\)$/\1/p' \
        "$log" | paste -s -d';' - | sed 's/;/; /g; s/|/\\|/g')
    [ "$n_bad" -eq 0 ] && [ $line_rc -eq 0 ] && verdict=passed || verdict='**failed**'
    printf '| %s | %s | `%s` | %s | %s | %d s | %s |\n' "$number" "$what" \
        "$(shown "$@")" "$report_commit" "$verdict" \
        $(($(date +%s) - line_start)) "$figures" >>"$report"
}

# The row of a line that is not to run now.
line_kept() { # N "WHAT MUST HOLD"
    row=$(awk -v issue="$issue" -v head="| $1 | $2 |" '
        /^## Issue / { here = $3 == issue }
        here && index($0, head) == 1 { print; exit }' docs/ACCEPTANCE.md)
    printf '%s\n' "${row:-| $1 | $2 | | | **not run** | | |}" >>"$report"
}

# What a reader would type for the commands below that are functions here, and
# for those of an issue's own, which it adds as shown_own.
shown_own() { return 1; }
shown() {
    case $1 in
    in_clone) shift; echo "$*" ;;
    sim) echo "KW_SIM_SEEDS=$2 build/tests/sim/test_sim" ;;
    heap) echo "make VARIANT=asan tests; build/asan/tests/heap/test_heap" ;;
    every_change) echo "KW_TEST_ALL=1 build/asan/tests/proto/test_vectors" ;;
    ci_run) echo .ci/run ;;
    env) shift; echo "$*" ;;
    *) shown_own "$@" || echo "$*" ;;
    esac
}

# Splits docs/ACCEPTANCE.md into its sections, replaces one, and joins them.
report_end() {
    mkdir -p build/accept/sections
    rm -f build/accept/sections/*
    [ -f docs/ACCEPTANCE.md ] && awk '/^## Issue / { file = "build/accept/sections/" $3 }
        file { print > file }' docs/ACCEPTANCE.md
    { cat "$report"; echo; } >"build/accept/sections/$issue"
    {
        echo "# Acceptance"
        echo
        echo "A section for each issue, written by \`make accept ISSUE=...\`; do not edit."
        echo
        cat build/accept/sections/*
    } | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' >build/accept/all.md
    cp build/accept/all.md docs/ACCEPTANCE.md
}

# ---- commands of several issues ----------------------------------------------

sim() { # SEEDS MAX_SECONDS: every simulation binary
    seconds=$(date +%s)
    sim_rc=0
    for binary in $(make -s print-tests); do
        case $binary in */tests/sim/*) ;; *) continue ;; esac
        KW_SIM_SEEDS=$1 "$binary" --jobs 1 --color=never >build/accept/sim.log 2>&1 || sim_rc=1
        sed 's/^sim: /figure: /' build/accept/sim.log
    done
    at_most "$2" $(($(date +%s) - seconds)) "$1 seeds" || sim_rc=1
    return $sim_rc
}
at_most() { # MAX_SECONDS SECONDS WHAT
    echo "figure: $3 in $2 s"
    if [ "$2" -lt "$1" ]; then echo "ok - under $1 s"; else echo "not ok - $2 s, not under $1"; fi
    [ "$2" -lt "$1" ]
}
heap() {
    heap_rc=0
    for binary in $(make -s VARIANT=asan print-tests); do
        case $binary in */tests/heap/*) "$binary" --jobs 1 --color=never || heap_rc=1 ;; esac
    done
    return $heap_rc
}
every_change() { KW_TEST_ALL=1 build/asan/tests/proto/test_vectors --jobs 1 --ascii --color=never; }
fresh_clone() {
    rm -rf "$clone"
    mkdir -p "${clone%/*}"
    git clone -q . "$clone"
}
in_clone() { (cd "$clone" && "$@"); }
ci_run() { # MAX_SECONDS
    seconds=$(date +%s)
    in_clone .ci/run
    ci_rc=$?
    at_most "$1" $(($(date +%s) - seconds)) ".ci/run" || ci_rc=1
    return $ci_rc
}
