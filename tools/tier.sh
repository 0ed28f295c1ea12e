#!/bin/sh
# The test tiers:
# tools/tier.sh check | test | lint | machines | valgrind | nightly | accept ISSUE
#
#   check    unit tests, vectors, corpus replay, 200 simulation seeds, tidy
#   test     check under ASan and UBSan; gcc and clang without a warning;
#            lint; i686 and s390x; TLS by mbedTLS; a real broker, with TLS by
#            either library; a short fuzz run of each target
#   machines unit tests for i686, armhf and s390x (big-endian), emulated
#   valgrind unit tests under memcheck
#   nightly  soak: many seeds and long fuzz runs, bounded by KW_NIGHTLY_HOURS
#   accept   tools/accept/ISSUE.sh, the long lines of an issue
#
# A failed step does not stop the others. The last line is the sum.
set -u
cd "$(dirname "$0")/.." || exit 1
tier=$1
unset MAKEFLAGS MAKELEVEL MFLAGS VARIANT BUILD ISSUE
jobs=$(nproc 2>/dev/null || echo 2)
log_dir=build/logs/$tier
mkdir -p "$log_dir"
# Tests compare text and sort orders.
LC_ALL=C.UTF-8
export LC_ALL
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"

. tools/count.sh
. tools/machines.sh

deps() {
    tools/deps.sh "$@" || {
        echo "The packages above are needed for 'make $tier'."
        exit 1
    }
}

# Without a codec's library the build leaves that codec out, and its tests skip; without
# SQLite it leaves out an example.
codecs() {
    tools/deps.sh codecs tls sqlite || echo "Going on without the libraries above."
}

build() { # VARIANT TARGET...
    variant=$1
    shift
    # Cut, for it names a file as well.
    step "build $variant: $(printf '%.60s' "$*")" make -j"$jobs" --no-print-directory VARIANT="$variant" "$@"
}

# Every test binary and every corpus replay of a variant, two at a time. One that hangs
# is a failure like any other.
run_tests() {
    for binary in $(make -s VARIANT="$1" print-tests); do
        # Not built: the build step has counted that already.
        [ -x "$binary" ] || continue
        both "$binary" timeout -k 10 600 "$binary" --jobs 1 --color=never
    done
    for binary in $(make -s VARIANT="$1" print-replay); do
        [ -x "$binary" ] || continue
        name=${binary##*/fuzz_}
        both "$binary" "$binary" $(find "fuzz/corpus/$name" -type f 2>/dev/null | sort)
    done
    beside_wait
}

# What there is about the other TLS library; the rest does not know of it. The library
# and kw stay for the live tests.
run_mbedtls() {
    step "packages for mbedTLS" tools/deps.sh build check mbedtls || return
    for variant in mbedtls mbedtls-asan; do
        tests=$(make -s VARIANT=$variant print-tests | tr ' ' '\n' |
            grep -E '/tests/tls/|/test_(crypto|scram|sasl)$')
        replay=build/$variant/replay/fuzz_tls
        build $variant CI=1 $tests $replay
        for binary in $tests; do
            [ -x "$binary" ] || continue
            step "$binary" timeout -k 10 600 "$binary" --jobs 1 --color=never
        done
        [ ! -x $replay ] || step "$replay" $replay fuzz/corpus/tls/*
    done
    build mbedtls CI=1 all build/mbedtls/tests/live/session
}

# The kw command of a build directory, run as a user would, against kw broker.
run_cli() {
    for script in tests/cli/*.sh; do
        case $script in */lib.sh) continue ;; esac
        step "$1/kw: $script" env KW="$1/kw" timeout -k 10 600 bash "$script"
    done
}

quick_checks() {
    step tidy tools/tidy.sh build
    step "tidy sees violations" tools/tidy_test.sh
    step "coverage ids" tools/coverage_ids.sh --check
}

tier_check() {
    deps build check
    codecs
    build plain all tests replay examples bench || return
    run_tests plain
    run_cli build
    quick_checks
}

lint_quick() {
    step clang-format sh -c 'clang-format --dry-run -Werror $(git ls-files "*.c" "*.h")'
    step cppcheck tools/lint.sh cppcheck
}

tier_lint() {
    deps build lint
    codecs
    lint_quick
    step clang-tidy tools/lint.sh clang-tidy
}

fuzz_smoke() { # seconds per target
    build plain fuzz
    for binary in $(make -s print-fuzz); do
        [ -x "$binary" ] || continue
        both "$binary" tools/fuzz.sh "$binary" "$1"
    done
    beside_wait
}

live() {
    for script in tests/live/*.sh; do
        # For the night and for acceptance: other lines of Kafka are two more downloads,
        # clusters that fail take their time, and so does Java's tool for each group.
        case $script in
        */lib.sh | */members.sh | */judge.sh) continue ;;
        */versions.sh | */mixed.sh | */cluster.sh | */leaders.sh | */group_admin.sh) continue ;;
        esac
        # TERM first: its trap stops the broker.
        step "$script" timeout -k 30 900 bash "$script"
    done
    [ ! -x build/mbedtls/kw ] || step "tests/live/tls.sh with mbedTLS" \
        env KW=build/mbedtls/kw timeout -k 30 900 bash tests/live/tls.sh
}

tier_test() {
    deps build check lint live
    codecs
    # Without a build there is nothing else to say.
    build plain CI=1 all tests replay examples bench || return
    quick_checks
    build asan CI=1 all tests replay
    run_tests asan
    run_cli build/asan
    # For its warnings alone, which take no optimizing.
    build clang CI=1 OPT=-O0 all tests replay examples bench
    lint_quick
    # 32 bits, and big-endian; armhf, which has 32 bits as well, takes three minutes.
    run_machines i686 s390x
    run_mbedtls
    fuzz_smoke "${KW_FUZZ_SECONDS:-10}"
    # Minutes of work, while the live tests wait for brokers most of the time.
    beside clang-tidy nice -n 19 tools/lint.sh clang-tidy
    step "make demo" tools/demo.sh mock
    live
    beside_wait
}

# Seeds and fuzzing in turns until the time is over, so that a run that is cut
# short has covered a bit of everything.
tier_nightly() {
    deps build check lint live mbedtls
    codecs
    build asan all tests replay
    build plain all tests fuzz
    build mbedtls all build/mbedtls/tests/live/session
    step "what the newest Kafka has" tools/schema-diff news
    step coverage tools/coverage.sh
    step "coverage by fuzz targets" tools/fuzz_coverage.sh
    run_machines
    step "other lines of Kafka" bash tests/live/versions.sh
    step "SASL with mbedTLS" env KW=build/mbedtls/kw bash tests/live/sasl.sh
    end=$(($(date +%s) + ${KW_NIGHTLY_HOURS:-8} * 3600))
    round=0
    while [ "$(date +%s)" -lt "$end" ]; do
        round=$((round + 1))
        for binary in $(make -s VARIANT=asan print-tests); do
            case $binary in */tests/sim/*) ;; *) continue ;; esac
            step "round $round: $binary" env KW_SIM_SEEDS=10000 KW_SIM_FIRST=$((round * 10000)) \
                "$binary" --jobs 1 --color=never
        done
        for binary in $(make -s print-fuzz); do
            [ "$(date +%s)" -lt "$end" ] || break
            step "round $round: $binary" tools/fuzz.sh "$binary" 300
        done
        step "round $round: kill" env KW_KILL_RECORDS=1000000 bash tests/live/kill.sh
        step "round $round: kill_many" env KW_KILL_RECORDS=5000000 KW_KILL_TIMES=3 \
            bash tests/live/kill_many.sh
        step "round $round: mixed groups" env KW_MIXED_SECONDS=300 KW_MIXED_RECORDS=1000000 \
            bash tests/live/mixed.sh
        step "round $round: groups from outside" bash tests/live/group_admin.sh
        step "round $round: transactions" env KW_TXN_KILLS=9 \
            bash tests/live/txn.sh
        step "round $round: leaders" env KW_LEADER_RECORDS=5000000 KW_LEADER_RATE=16000 \
            bash tests/live/leaders.sh
        step "round $round: a cluster" env KW_CLUSTER_PAUSE=10 bash tests/live/cluster.sh
        step "round $round: sessions" env KW_SESSION_SECONDS=60 bash tests/live/sasl.sh
    done
}

tier_accept() {
    [ -n "${1:-}" ] || { echo "usage: make accept ISSUE=A"; exit 2; }
    [ -f "tools/accept/$1.sh" ] || { echo "there is no tools/accept/$1.sh"; exit 2; }
    deps build check lint live
    codecs
    . "tools/accept/$1.sh"
}

case $tier in
check) tier_check ;;
test) tier_test ;;
lint) tier_lint ;;
machines) run_machines ;;
valgrind) run_valgrind ;;
nightly) tier_nightly ;;
accept) tier_accept "${2:-}" ;;
*) echo "unknown tier: $tier" >&2; exit 2 ;;
esac
finish
