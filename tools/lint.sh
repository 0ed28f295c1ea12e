#!/bin/sh
# Static analysis over the library and the tools: tools/lint.sh cppcheck | clang-tidy
# Shifts of negative numbers are arithmetic on every compiler that we take.
# -DKW_DEBUG: assertions tell the analyser what cannot be.
# Tests are left out of clang-tidy: Criterion's macros are not ours to judge.
set -u
cd "$(dirname "$0")/.." || exit 1
library=$(git ls-files 'base/*.c' 'proto/*.c' 'json/*.c' 'compress/*.c' 'client/*.c' 'net/*.c' 'mock/*.c' 'cli/*.c')
[ -n "$library" ] || exit 0
# shellcheck disable=SC2086
case $1 in
cppcheck)
    cppcheck --quiet --std=c11 --language=c -I. -Iinclude --error-exitcode=1 --inline-suppr \
        --enable=warning,performance,portability --suppress=missingIncludeSystem \
        --suppress=shiftTooManyBitsSigned --suppress=shiftNegativeLHS \
        -j "$(nproc)" $library && echo "ok - cppcheck finds nothing in $(echo $library | wc -w) files"
    ;;
clang-tidy)
    printf '%s\n' $library | xargs -P "$(nproc)" -n 4 sh -c \
        'clang-tidy --quiet --warnings-as-errors="*" "$@" -- -std=c11 -I. -Iinclude -D_GNU_SOURCE -DKW_DEBUG 2>/dev/null' - &&
        echo "ok - clang-tidy finds nothing in $(echo $library | wc -w) files"
    ;;
*) echo "usage: tools/lint.sh cppcheck | clang-tidy" >&2; exit 2 ;;
esac
