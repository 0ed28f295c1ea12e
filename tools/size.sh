#!/bin/sh
# Sizes of what is shipped: tools/size.sh BUILD_DIR
# text is code and constants; the core archive is measured as one object.
set -u
build=$1
printf '%-28s %10s %10s %10s\n' file text data bss
for file in "$build/libkwire-core.o" "$build/libkwire.o" "$build/libkwire-mock.o" \
    "$build/libkwire.so" "$build/kw"; do
    [ -e "$file" ] || continue
    size "$file" | awk -v file="${file##*/}" 'NR == 2 { printf "%-28s %10d %10d %10d\n", file, $1, $2, $3 }'
done
