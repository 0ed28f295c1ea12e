#!/usr/bin/env bash
# kw produce and kw consume run in one thread and start no process: strace sees
# every call that could make one, and there is none.
#
# covers: I10
. "$(dirname "$0")/lib.sh"
need_mock
new_topic one-thread

# strace counts; the execve of kw itself shows that it looked at all.
trace() { # NAME COMMAND...
    local name=$1
    shift
    strace -f -qq -e trace=execve,clone,clone3,fork,vfork -o "$work/$name.trace" "$@"
}
only_execve() {
    cat "$1"
    [ "$(grep -c 'execve(' "$1")" = 1 ] && ! grep -Eq '(clone|clone3|fork|vfork)\(' "$1"
}

seq 20000 >"$work/input"
check "kw produce under strace" trace produce \
    $kw produce -b "$KW_BROKER" -t one-thread -l "$work/input"
check "kw produce starts no thread and no process" only_execve "$work/produce.trace"
consume() {
    trace consume $kw consume -q -b "$KW_BROKER" -t one-thread -p 0 -o beginning -e -f '%s\n' >"$work/output"
}
check "kw consume under strace" consume
check "kw consume starts no thread and no process" only_execve "$work/consume.trace"
same "the records came back" "$work/input" "$work/output"
done_testing
