# Sourced by tools/tier.sh: the unit tests on other machines than this one, and
# under valgrind. The builds are those of mk/machines.mk.

MACHINES="i686 armhf s390x"

# on_machine VARIANT COMMAND...: runs a program of that machine. i686 runs on the
# processor itself where that can: qemu-i386 hangs in fork on some kernels.
on_machine() {
    case $1 in
    i686) triplet=i686-linux-gnu qemu=qemu-i386 ;;
    armhf) triplet=arm-linux-gnueabihf qemu=qemu-arm ;;
    s390x) triplet=s390x-linux-gnu qemu=qemu-s390x ;;
    esac
    shift
    if [ $triplet = i686-linux-gnu ] && [ "$(uname -m)" = x86_64 ]; then
        program=$1
        shift
        set -- "/usr/$triplet/lib/ld-linux.so.2" --library-path "/usr/$triplet/lib" "$program" "$@"
    else
        set -- "$qemu" -L "/usr/$triplet" "$@"
    fi
    quick "$@"
}

# Fewer simulation seeds and changed bytes: these runs are 10 to 50 times slower.
quick() {
    env KW_TEST_QUICK=1 KW_SIM_SEEDS="${KW_SIM_SEEDS:-10}" timeout -k 10 600 "$@"
}

# A test that opens sockets, or runs a real front end with threads, checks the
# kernel of this machine, and test_headers its compilers; the rest is arithmetic.
portable_tests() { # VARIANT
    make -s VARIANT="$1" print-tests | tr ' ' '\n' | grep -vE '/tests/net/|/api/test_headers'
}

# Compiled without warnings too: sizes of 32 bits show conversions that 64 hide.
run_machines() { # [MACHINE...]
    deps machines
    for machine in ${*:-$MACHINES}; do
        build "$machine" CI=1 tests
        for binary in $(portable_tests "$machine"); do
            [ -x "$binary" ] || continue
            both "$binary" on_machine "$machine" "$binary"
        done
        beside_wait
    done
}

# Each test is a process, and an error in it, or memory that it lost, is that
# test's failure.
run_valgrind() {
    deps valgrind
    codecs
    build shim tests
    for binary in $(portable_tests shim); do
        [ -x "$binary" ] || continue
        both "valgrind $binary" quick valgrind -q --error-exitcode=99 --leak-check=full \
            --errors-for-leak-kinds=definite "$binary"
    done
    beside_wait
}
