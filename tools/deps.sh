#!/bin/sh
# Finds what this machine lacks for a group of work, and installs it.
#
#   tools/deps.sh [-n] GROUP...     groups: build codecs tls mbedtls sqlite check lint
#                                     live machines valgrind
#
# Installs with apt as root or through sudo. On other systems, with -n, or with
# KW_DEPS=no in the environment, it only prints the package names for apt, dnf,
# apk and pacman, and fails if something is missing.
set -u
LC_ALL=C
export LC_ALL

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT INT TERM

has() { command -v "$1" >/dev/null 2>&1; }

# compiles COMPILER SOURCE FLAGS...: does a program build and link?
compiles() {
    compiler=$1
    source=$2
    shift 2
    has "$compiler" || return 1
    printf '%s\n' "$source" >"$tmp/probe.c"
    "$compiler" -o "$tmp/probe" "$tmp/probe.c" "$@" >/dev/null 2>&1
}

java_17() {
    has java || return 1
    java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | {
        read -r major && [ "$major" -ge 17 ]
    }
}

# One row a need: group | test | what it is for | apt | dnf | apk | pacman
rows() {
    cat <<'ROWS'
build|has gcc|compile|gcc|gcc|gcc|gcc
build|has make|build|make|make|make|make
build|has objcopy|archives|binutils|binutils|binutils|binutils
build|compiles gcc '#include <stdio.h>
int main(void) { return puts("") < 0; }'|headers of the C library|libc6-dev|glibc-devel|musl-dev|glibc
check|compiles gcc '#include <criterion/criterion.h>
Test(a, b) { cr_assert(1); }' -lcriterion|unit tests|libcriterion-dev|criterion-devel|criterion-dev|criterion
codecs|compiles gcc '#include <zlib.h>
int main(void) { return !zlibVersion(); }' -lz|gzip|zlib1g-dev|zlib-devel|zlib-dev|zlib
codecs|compiles gcc '#include <lz4.h>
int main(void) { return !LZ4_versionNumber(); }' -llz4|lz4|liblz4-dev|lz4-devel|lz4-dev|lz4
codecs|compiles gcc '#include <snappy-c.h>
int main(void) { return !snappy_max_compressed_length(1); }' -lsnappy|snappy|libsnappy-dev|snappy-devel|snappy-dev|snappy
codecs|compiles gcc '#include <zstd.h>
int main(void) { return !ZSTD_versionNumber(); }' -lzstd|zstd|libzstd-dev|libzstd-devel|zstd-dev|zstd
tls|compiles gcc '#include <openssl/core_names.h>
#include <openssl/ssl.h>
int main(void) { return !TLS_client_method(); }' -lssl -lcrypto|TLS and SASL|libssl-dev|openssl-devel|openssl-dev|openssl
mbedtls|compiles gcc '#include <mbedtls/ssl.h>
int main(void) { return !mbedtls_ssl_list_ciphersuites(); }' -lmbedtls -lmbedx509 -lmbedcrypto|TLS and SASL by another library|libmbedtls-dev|mbedtls-devel|mbedtls-dev|mbedtls
sqlite|compiles gcc '#include <sqlite3.h>
int main(void) { return !sqlite3_libversion_number(); }' -lsqlite3|an example|libsqlite3-dev|sqlite-devel|sqlite-dev|sqlite
codecs|has gzip|second opinion on gzip|gzip|gzip|gzip|gzip
codecs|has lz4|second opinion on lz4|lz4|lz4|lz4|lz4
codecs|has zstd|second opinion on zstd|zstd|zstd|zstd|zstd
check|compiles gcc '#include <zlib.h>
int main(void) { return !zlibVersion(); }' -lz|gzip under test|zlib1g-dev|zlib-devel|zlib-dev|zlib
check|compiles gcc '#include <lz4.h>
int main(void) { return !LZ4_versionNumber(); }' -llz4|lz4 under test|liblz4-dev|lz4-devel|lz4-dev|lz4
check|compiles gcc '#include <snappy-c.h>
int main(void) { return !snappy_max_compressed_length(1); }' -lsnappy|snappy under test|libsnappy-dev|snappy-devel|snappy-dev|snappy
check|compiles gcc '#include <zstd.h>
int main(void) { return !ZSTD_versionNumber(); }' -lzstd|zstd under test|libzstd-dev|libzstd-devel|zstd-dev|zstd
check|compiles gcc '#include <openssl/core_names.h>
#include <openssl/ssl.h>
int main(void) { return !TLS_client_method(); }' -lssl -lcrypto|TLS and SASL under test|libssl-dev|openssl-devel|openssl-dev|openssl
check|compiles gcc '#include <ares.h>
int main(void) { return !ares_version(0); }' -lcares|look-ups of names|libc-ares-dev|c-ares-devel|c-ares-dev|c-ares
codecs|compiles gcc '#include <ares.h>
int main(void) { return !ares_version(0); }' -lcares|look-ups of names|libc-ares-dev|c-ares-devel|c-ares-dev|c-ares
check|has g++|headers as C++17|g++|gcc-c++|g++|gcc
check|compiles gcc 'int main(void) { return 0; }' -fsanitize=address,undefined|sanitizers|libgcc-12-dev|libasan libubsan|gcc|gcc-libs
lint|has clang|second compiler|clang|clang|clang|clang
lint|compiles clang '#include <stddef.h>
int LLVMFuzzerTestOneInput(const char *p, size_t n) { return p && n ? 0 : 0; }' -fsanitize=fuzzer,address|fuzzing|libclang-rt-dev|compiler-rt|compiler-rt|compiler-rt
lint|has clang-format|layout check|clang-format|clang-tools-extra|clang-extra-tools|clang
lint|has clang-tidy|static analysis|clang-tidy|clang-tools-extra|clang-extra-tools|clang
lint|has cppcheck|static analysis|cppcheck|cppcheck|cppcheck|cppcheck
live|java_17|runs a real Kafka|openjdk-17-jre-headless|java-17-openjdk-headless|openjdk17-jre-headless|jre17-openjdk-headless
live|has mvn|fetches Kafka's jars|maven|maven|maven|maven
live|has python3|compares the tables|python3-minimal|python3|python3|python
live|has kcat|second opinion on the wire|kcat|kcat|kcat|kcat
live|has strace|counts threads|strace|strace|strace|strace
live|has valgrind|counts instructions|valgrind|valgrind|valgrind|valgrind
valgrind|has valgrind|memory checks|valgrind|valgrind|valgrind|valgrind
machines|compiles i686-linux-gnu-gcc '#include <stdio.h>
int main(void) { return puts("") < 0; }'|32 bits|gcc-i686-linux-gnu libc6-dev-i386-cross|(a cross gcc)|(a cross gcc)|(a cross gcc)
machines|compiles arm-linux-gnueabihf-gcc '#include <stdio.h>
int main(void) { return puts("") < 0; }'|32 bits ARM|gcc-arm-linux-gnueabihf libc6-dev-armhf-cross|(a cross gcc)|(a cross gcc)|(a cross gcc)
machines|compiles s390x-linux-gnu-gcc '#include <stdio.h>
int main(void) { return puts("") < 0; }'|big-endian|gcc-s390x-linux-gnu libc6-dev-s390x-cross|(a cross gcc)|(a cross gcc)|(a cross gcc)
machines|has qemu-arm && has qemu-s390x|emulators|qemu-user|qemu-user|qemu-arm qemu-s390x|qemu-user
ROWS
}

only_print=no
[ "${1:-}" = -n ] && only_print=yes && shift
[ "${KW_DEPS:-}" = no ] && only_print=yes
[ $# -gt 0 ] || set -- build codecs tls check lint live
groups=" $* "

# A test may span lines: join a row until it has its seven columns.
find_missing() {
    joined=
    rows | while IFS= read -r line; do
        joined="$joined${joined:+
}$line"
        case $joined in *'|'*'|'*'|'*'|'*'|'*'|'*) ;; *) continue ;; esac
        row=$joined
        joined=
        group=${row%%|*}
        case $groups in *" $group "*) ;; *) continue ;; esac
        rest=${row#*|}
        probe=${rest%%|*}
        eval "$probe" </dev/null >/dev/null 2>&1 || printf '%s\n' "${rest#*|}"
    done
}

find_missing >"$tmp/missing"
[ -s "$tmp/missing" ] || exit 0

# column N: the packages of one system, each once, on one line
column() {
    awk -F'|' -v n="$1" '{ k = split($n, w, " "); for (i = 1; i <= k; i++) if (!seen[w[i]]++)
        out = out (out ? " " : "") w[i] } END { print out }' "$tmp/missing"
}

echo "tools/deps.sh: missing for:$(awk -F'|' '{ printf "%s %s", (NR > 1 ? "," : ""), $1 }' "$tmp/missing")"
as_root=none
if [ "$(id -u)" = 0 ]; then
    as_root=
elif has sudo && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    as_root=sudo
fi
if [ $only_print = no ] && has apt-get && [ "$as_root" != none ]; then
    packages=$(column 2)
    echo "tools/deps.sh: installing with apt: $packages"
    # shellcheck disable=SC2086
    if { $as_root apt-get update -qq &&
        $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends $packages; } >"$tmp/log" 2>&1; then
        find_missing >"$tmp/missing"
        [ -s "$tmp/missing" ] || exit 0
        echo "tools/deps.sh: still missing after the installation:"
    else
        tail -n 20 "$tmp/log"
        echo "tools/deps.sh: apt-get failed"
    fi
fi
echo "  apt-get install $(column 2)"
echo "  dnf install     $(column 3)"
echo "  apk add         $(column 4)"
echo "  pacman -S       $(column 5)"
exit 1
