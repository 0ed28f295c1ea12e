#!/bin/sh
# Branch coverage of proto/, json/ and compress/ by their own unit tests and vectors:
# tools/coverage.sh [-v]
#
# Builds VARIANT=coverage (gcc, no optimisation, assertions left out), runs the
# tests of tests/proto, tests/json and tests/compress and nothing else, and prints for each
# file and folder how many branches were taken. With -v also each one that was
# not. Fails below the limits: of proto/ and json/ all but those in
# tools/coverage-waivers.txt, which may be 0.5 % at most; of compress/ 97 %.
set -u
cd "$(dirname "$0")/.." || exit 1
LC_ALL=C
export LC_ALL
unset MAKEFLAGS MAKELEVEL MFLAGS VARIANT BUILD
build=build/coverage
mkdir -p $build

tools/deps.sh build check || exit 1
tools/deps.sh codecs tls || echo "Going on without the libraries above."
targets=$(make -s VARIANT=coverage print-tests | tr ' ' '\n' | grep -E '/tests/(proto|json|compress)/')
# shellcheck disable=SC2086
make -j"$(nproc)" --no-print-directory VARIANT=coverage $targets >$build/build.log 2>&1 || {
    tail -n 20 $build/build.log
    echo "not ok - the build for coverage failed, see $build/build.log"
    exit 1
}

find $build -name '*.gcda' -delete
failed=0
for binary in $targets; do
    "$binary" --jobs 1 --color=never >$build/run.log 2>&1 || {
        tail -n 20 $build/run.log
        echo "not ok - $binary"
        failed=1
    }
done

# Of a header the copies in all objects count together, those in tests as well.
find $build/obj -name '*.gcda' | sort | xargs gcov --branch-probabilities --branch-counts \
    --stdout 2>$build/gcov.log |
    awk -v verbose="${1:-}" -v waivers=tools/coverage-waivers.txt -f tools/coverage.awk || failed=1
exit $failed
