# Sourced by tools/tier.sh accept A: the long runs of the first slice, one record
# all the way. Writes docs/ACCEPTANCE.md.
# shellcheck shell=sh

report=build/accept-A.md
clone=$PWD/build/accept/clone
commit=$(git rev-parse HEAD)
git diff --quiet HEAD -- . || commit="$commit with local changes"

# line N "WHAT MUST HOLD" COMMAND...: one step and its row. Lines of its output
# that begin with "figure: ", and the rates of the demo, become the figures.
line() {
    number=$1
    what=$2
    shift 2
    line_start=$(date +%s)
    step "$number. $what" "$@"
    line_rc=$?
    figures=$(sed -n 's/^figure: //p; s/^  \(produce  .*\)/\1/p; s/^  \(consume  .*\)/\1/p; s/^\([0-9]* passed, [0-9]* failed\)$/\1/p' \
        "$step_log" | paste -s -d';' - | sed 's/;/; /g; s/|/\\|/g')
    [ "$n_bad" -eq 0 ] && [ $line_rc -eq 0 ] && verdict=passed || verdict='**failed**'
    printf '| %s | %s | `%s` | %s | %d s | %s |\n' "$number" "$what" \
        "$(shown "$@")" "$verdict" \
        $(($(date +%s) - line_start)) "$figures" >>"$report"
}

# What a reader would type for the commands below that are functions here.
shown() {
    case $1 in
    in_clone) shift; echo "$*" ;;
    sim) echo "KW_SIM_SEEDS=$2 build/tests/sim/test_sim" ;;
    heap) echo "make VARIANT=asan tests; build/asan/tests/heap/test_heap" ;;
    ci_run) echo .ci/run ;;
    *) echo "$*" ;;
    esac
}

sim() { # SEEDS: every simulation binary
    seconds=$(date +%s)
    sim_rc=0
    for binary in $(make -s print-tests); do
        case $binary in */tests/sim/*) ;; *) continue ;; esac
        KW_SIM_SEEDS=$1 "$binary" --jobs 1 --color=never || sim_rc=1
    done
    seconds=$(($(date +%s) - seconds))
    echo "figure: $1 seeds in $seconds s"
    if [ $seconds -lt 60 ]; then echo "ok - under 60 s"; else echo "not ok - $seconds s, not under 60"; fi
    return $sim_rc
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
ci_run() {
    seconds=$(date +%s)
    in_clone .ci/run
    ci_rc=$?
    seconds=$(($(date +%s) - seconds))
    echo "figure: $seconds s"
    if [ $seconds -lt 1500 ]; then echo "ok - under 25 minutes"; else echo "not ok - $seconds s, not under 1500"; fi
    return $ci_rc
}

cat >"$report" <<END
# Acceptance

Written by \`make accept ISSUE=A\`; do not edit.

- Commit: $commit
- Date: $(date -u +%Y-%m-%d)
- Machine: $(nproc) processors, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)

| line | what must hold | command | result | time | figures |
|---|---|---|---|---|---|
END

build plain all tests bench
build asan tests
fresh_clone
line 1 "the demo on the in-tree broker, from a fresh clone" in_clone make demo
line 1 "the demo on a real Kafka, from a fresh clone" in_clone make demo BROKER=kafka
line 2 "every value of every byte of every vector, under ASan and UBSan" every_change
line 3 "round trips with kcat and Java, clean log" bash tests/live/roundtrip.sh
line 4 "a broker killed with -9 among 200,000 records" bash tests/live/kill.sh
line 5 "1,000 seeds of client and mock in one process" sim 1000
line 6 "every allocation fails once, and from then on; none per record in steady state" heap
line 7 "one thread in kw produce and kw consume" bash tests/live/one_thread.sh
line 7 "symbols of the core" tools/tidy.sh build
line 8 "instructions per record" tools/callgrind.sh
line "2, 9" "make test as .ci/run calls it, from a fresh clone" ci_run
rm -rf "$clone"
cp "$report" docs/ACCEPTANCE.md
