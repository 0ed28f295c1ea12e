#!/usr/bin/env bash
# The programs of examples/ against the in-tree broker.
#
# covers: I1 I5
. "$(dirname "$0")/lib.sh"
need_mock
new_topic examples

check "examples/produce" build/examples/produce "$KW_BROKER" examples one two three
seq 4 20000 >"$work/lines"
build/examples/epoll "$KW_BROKER" examples <"$work/lines" >"$work/epoll.out" 2>&1
check "examples/epoll reads a file" test $? = 0
check "and says how many were delivered" grep -qx '19997 delivered, 0 failed' "$work/epoll.out"
seq 20001 30000 | build/examples/epoll "$KW_BROKER" examples >"$work/epoll.pipe" 2>&1
check "examples/epoll reads a pipe" grep -qx '10000 delivered, 0 failed' "$work/epoll.pipe"
build/examples/consume "$KW_BROKER" examples 0 >"$work/got" 2>"$work/consume.err"
check "examples/consume" test $? = 0
{
    printf '0: one\n1: two\n2: three\n'
    seq 4 30000 | awk '{ print NR + 2 ": " $1 }'
} >"$work/want"
same "examples/consume prints every record in order" "$work/want" "$work/got"
done_testing
