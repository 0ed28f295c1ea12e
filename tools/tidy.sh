#!/bin/sh
# Our own check of the house rules that no compiler knows: tools/tidy.sh [BUILD_DIR]
#
# Include direction, banned functions, the symbols that the core may need, no
# mutable global in it, names unique across the library, and as warnings:
# lengths and nesting. Needs the libraries of a plain build in BUILD_DIR.
# Prints "ok - ..." or "not ok - ..." for each rule.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT INT TERM
LC_ALL=C
export LC_ALL
rc=0

for needed in "$build/libkwire-core.a" "$build/libkwire.so"; do
    [ -f "$needed" ] || { echo "not ok - $needed is missing: run make first"; exit 1; }
done

verdict() { # EXIT_CODE TEXT; the findings are in $tmp/found
    if [ "$1" -eq 0 ]; then
        echo "ok - $2"
    else
        cat "$tmp/found"
        echo "not ok - $2"
        rc=1
    fi
}

find include base proto json compress client net mock process cli bench examples \
    -name '*.[ch]' 2>/dev/null | sort >"$tmp/files"
xargs awk -f tools/tidy_strip.awk <"$tmp/files" >"$tmp/code"

awk -F'\t' -f tools/tidy_include.awk tools/tidy_layers.txt "$tmp/code" >"$tmp/found"
verdict $? "includes point from right to left only"

awk -f tools/tidy_banned.awk "$tmp/code" >"$tmp/found"
verdict $? "no banned function is called"

awk -f tools/tidy_names.awk "$tmp/code" >"$tmp/found"
verdict $? "names at file level are unique in the library"

# What a freestanding host must bring: five memory functions, and what a
# compiler calls by itself (64-bit arithmetic on 32-bit targets, stack guards).
helpers='^(memcpy|memmove|memset|memcmp|strlen|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail|__u?(div|mod)[dt]i[34]|__udivmod[dt]i4|__mul[dt]i3|__(ashl|ashr|lshr)[dt]i3|__(popcount|clz|ctz|bswap)[sdt]i2|__aeabi_.*)$'
nm -u "$build/libkwire-core.a" | awk 'NF == 2 { print $2 }' | sort -u |
    grep -Ev "$helpers" | sed "s|^|$build/libkwire-core.a needs |" >"$tmp/found"
verdict "$(wc -l <"$tmp/found")" "libkwire-core.a needs the five memory functions only"

# The broker model is sans-I/O too: all of mock/ that does not use the loop.
: >"$tmp/found"
for source in mock/*.c; do
    [ -f "$source" ] || continue
    grep -q '^#include "net/loop/' "$source" && continue
    object=$build/obj/${source%.c}.o
    [ -f "$object" ] || continue
    nm -u "$object" | awk 'NF == 2 { print $2 }' | grep -Ev "$helpers" | grep -Ev '^kwi?_' |
        sed "s|^|$source needs |" >>"$tmp/found"
done
verdict "$(wc -l <"$tmp/found")" "the broker model makes no libc call"

# Constants with pointers sit in .data.rel.ro; any other writable section is a
# mutable global.
: >"$tmp/found"
for source in base/*.c proto/*.c json/*.c client/*.c client/assign/*.c mock/*.c; do
    object=$build/obj/${source%.c}.o
    [ -f "$object" ] || continue
    objdump -t "$object" | awk -F"\t" -v object="$object" '
        NF == 2 {
            n = split($1, left, " ")
            section = left[n]
            n = split($2, right, " ")
            if (right[n] ~ /^\./) next
            if (section == "*COM*" || (section ~ /^\.(data|bss|tdata|tbss)/ && section !~ /^\.data\.rel\.ro/))
                print object ": " right[n] " is a mutable global"
        }' >>"$tmp/found" || echo "objdump failed on $object" >>"$tmp/found"
done
verdict "$(wc -l <"$tmp/found")" "the core has no mutable global"

# Exported from the shared library: documented names only.
nm -D --defined-only "$build/libkwire.so" | awk '$3 !~ /^kw_[a-z]/ { print "libkwire.so exports " $3 }' >"$tmp/found"
verdict "$(wc -l <"$tmp/found")" "libkwire.so exports kw_ names only"

awk -f tools/tidy_length.awk "$tmp/code"
awk 'FILENAME !~ /_tables\.h$/ && length($0) > 100 {
    printf "%s:%d: warning: %d columns (100)\n", FILENAME, FNR, length($0) }' $(cat "$tmp/files")
exit $rc
