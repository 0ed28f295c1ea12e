#!/bin/sh
# A check that never fails is not trusted: plants one violation of each rule of
# tools/tidy.sh in a small tree of its own, and expects exactly that rule to fail.
set -u
cd "$(dirname "$0")/.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT INT TERM
mkdir -p "$tmp/tools" "$tmp/base" "$tmp/client" "$tmp/mock" "$tmp/build/obj/base" \
    "$tmp/build/obj/client" "$tmp/build/obj/mock"
cp tools/tidy*.sh tools/tidy_*.awk tools/tidy_layers.txt "$tmp/tools/"
cd "$tmp" || exit 1
rc=0

compile() {
    for source in base/*.c client/*.c mock/*.c; do
        gcc -std=gnu11 -O1 -fPIC -fvisibility=hidden -w -I. -c -o "build/obj/${source%.c}.o" "$source" || exit 1
    done
    rm -f build/libkwire-core.a
    ar rcs build/libkwire-core.a build/obj/base/*.o build/obj/client/*.o
    gcc -shared -o build/libkwire.so build/obj/base/*.o build/obj/client/*.o
}

good_tree() {
    printf '%s\n' '#include <stddef.h>' 'static size_t good_size(const char *text)' '{' \
        '    return text[0] ? 1 : 0; /* abort() and strcpy() are words here */' '}' \
        'size_t kwi_good(const char *text);' 'size_t kwi_good(const char *text)' '{' \
        '    return good_size(text) + good_size("exit(1)");' '}' >base/good.c
    printf '%s\n' 'int kwi_client(void);' 'static const char *const client_names[] = {"a", "b"};' \
        'int kwi_client(void)' '{' '    return client_names[0][0];' '}' >client/client.c
    printf '%s\n' 'int kwi_mock(void);' 'int kwi_mock(void)' '{' '    return 1;' '}' >mock/mock.c
}

# expect RULE FILE LINE...: the lines are added to the file; RULE must fail alone
expect() {
    rule=$1
    file=$2
    shift 2
    good_tree
    printf '%s\n' "$@" >>"$file"
    compile
    tools/tidy.sh build >out 2>&1
    if [ "$(grep -c '^not ok' out)" = 1 ] && grep -q "^not ok - .*$rule" out; then
        echo "ok - tidy sees: $*"
    else
        cat out
        echo "not ok - tidy sees: $*"
        rc=1
    fi
}

good_tree
compile
if tools/tidy.sh build >out 2>&1; then
    echo "ok - tidy passes a clean tree"
else
    cat out
    echo "not ok - tidy passes a clean tree"
    rc=1
fi

touch mock/mock.h
expect "includes" client/client.c '#include "mock/mock.h"'
expect "includes" base/good.c '#include <time.h>'
expect "banned" base/good.c 'int kwi_a(char *p);' 'static inline char *good_copy(char *p)' '{' '    return strcpy(p, p);' '}'
expect "unique" client/client.c 'static inline int good_size(void)' '{' '    return 1;' '}'
expect "unique" client/client.c 'static const int good_size = 1;'
expect "five memory" base/good.c 'int toupper(int c);' 'int kwi_a(int c);' 'int kwi_a(int c)' '{' '    return toupper(c);' '}'
expect "broker model" mock/mock.c 'int puts(const char *);' 'int kwi_a(void)' '{' '    return puts("x");' '}'
expect "mutable" client/client.c 'static int client_calls;' 'int kwi_a(void)' '{' '    return client_calls++;' '}'
expect "mutable" mock/mock.c 'int *kwi_a(void)' '{' '    static int calls = 3;' '    return &calls;' '}'
expect "kw_ names" base/good.c '__attribute__((visibility("default"))) int kwi_shown(void)' '{' '    return 1;' '}'
exit $rc
