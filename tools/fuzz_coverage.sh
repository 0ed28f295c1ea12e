#!/bin/sh
# How much of its files each fuzz target of the protocol reaches:
# tools/fuzz_coverage.sh [-v] [TARGET...]
#
# Builds the replayers as VARIANT=coverage (gcc, assertions left out), runs each
# over its corpus, fuzz/corpus/TARGET and what earlier runs have found
# (build/fuzz/corpus/TARGET), and counts the branches of the files in the table
# below. With -v also each one that was not reached. Fails where a target reaches
# less than 95 %; KW_FUZZ_SEEDS=only leaves what was found out.
set -u
cd "$(dirname "$0")/.." || exit 1
LC_ALL=C
export LC_ALL
unset MAKEFLAGS MAKELEVEL MFLAGS VARIANT BUILD
build=build/coverage
verbose=
[ "${1:-}" = -v ] && verbose=-v && shift
mkdir -p $build

# A target, and the files whose every input it is for.
table() {
    cat <<'END'
schema proto/decode.c proto/encode.c proto/schema.c
batch proto/batch.c proto/record.c
message_set proto/message_set.c
frames client/conn_read.c proto/header.c
blobs proto/consumer_protocol.c proto/control.c proto/data.c proto/otlp.c
json json/explain.c json/json.c json/json_text.c json/print.c json/proto.c
END
}

tools/deps.sh build || exit 1
tools/deps.sh codecs tls || echo "Going on without the libraries above."
names=${*:-$(table | sed 's/ .*//')}
targets=
for name in $names; do
    targets="$targets $build/replay/fuzz_$name"
done
# shellcheck disable=SC2086
make -j"$(nproc)" --no-print-directory VARIANT=coverage $targets >$build/build.log 2>&1 || {
    tail -n 20 $build/build.log
    echo "not ok - the build for coverage failed, see $build/build.log"
    exit 1
}

failed=0
for name in $names; do
    files=$(table | sed -n "s/^$name //p")
    found=build/fuzz/corpus/$name
    [ "${KW_FUZZ_SEEDS:-}" != only ] && [ -d "$found" ] || found=
    # shellcheck disable=SC2086
    find "fuzz/corpus/$name" $found -type f | sort >$build/seeds
    find $build -name '*.gcda' -delete
    xargs "$build/replay/fuzz_$name" <$build/seeds >$build/run.log 2>&1 || {
        tail -n 20 $build/run.log
        echo "not ok - $name: a seed fails"
        failed=1
    }
    # shellcheck disable=SC2086
    printf "$build/obj/%s\n" $files | sed 's/c$/gcda/' |
        xargs gcov --branch-probabilities --branch-counts --stdout 2>$build/gcov.log |
        awk -v verbose="$verbose" -v waivers=tools/coverage-waivers.txt -v files="$files" \
            -v what="$name" -v least=95 -f tools/coverage.awk || failed=1
done
exit $failed
