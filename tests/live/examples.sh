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

# A mechanism of the program's own.
need_mock --topic t:1 --sasl PLAIN:alice:secret
check "examples/sasl authenticates" build/examples/sasl "$KW_BROKER" alice secret
build/examples/sasl "$KW_BROKER" alice wrong >"$work/sasl.out" 2>&1
check "and is refused with a wrong password" test $? = 1
check "in the broker's words" grep -q "refused to authenticate us with PLAIN" "$work/sasl.out"
need_mock

# A shipper: everything once, then only what is new, then a stop in the middle.
seq 1 20000 | sed 's/$/ a line of the log/' >"$work/log"
new_topic shipped
check "examples/shipper ships a file" build/examples/shipper "$KW_BROKER" shipped "$work/log" "$work/pos"
check "and remembers that it came to the end" test "$(cat "$work/pos")" = "$(wc -c <"$work/log")"
seq 20001 21000 | sed 's/$/ a line of the log/' >>"$work/log"
check "examples/shipper goes on where it was" build/examples/shipper "$KW_BROKER" shipped "$work/log" "$work/pos"
build/examples/consume "$KW_BROKER" shipped 0 2>"$work/consume.err" | sed 's/^[0-9]*: //' >"$work/got"
same "each line is there once, in order" "$work/log" "$work/got"

# The answers to the second request and to those behind it come late.
kill "$mock_pid"
wait "$mock_pid" 2>/dev/null
need_mock --fault produce:2-3:delay=2500
new_topic stopped
rm -f "$work/pos"
seq 1 100000 | sed 's/$/ a line of the log/' >"$work/log"
build/examples/shipper "$KW_BROKER" stopped "$work/log" "$work/pos" >"$work/stopped.out" 2>&1 &
shipper=$!
for _ in $(seq 100); do
    [ -s "$work/pos" ] && break
    sleep 0.05
done
kill -TERM "$shipper"
wait "$shipper"
check "a shipper that is stopped says so" test $? = 1
check "and was handed back what was not sent" grep -q ' [1-9][0-9]* of them handed back' "$work/stopped.out"
check "its position is before the end" test "$(cat "$work/pos")" -lt "$(wc -c <"$work/log")"
check "the next one sends the rest" build/examples/shipper "$KW_BROKER" stopped "$work/log" "$work/pos"
build/examples/consume "$KW_BROKER" stopped 0 2>"$work/consume.err" | sed 's/^[0-9]*: //' >"$work/got"
sort -n -u "$work/got" >"$work/got.once"
same "no line was lost" "$work/log" "$work/got.once"

# A gateway: a hundred tenants, ten on each topic, half of which go and come again.
need_mock
for t in 0 1 2 3 4 5 6 7 8 9; do
    $kw topics create -b "$KW_BROKER" -t "tenants-$t" -p 2 >"$work/topics.log" 2>&1
    seq 1 100 | sed "s/^/$t-/" | $kw produce -b "$KW_BROKER" -t "tenants-$t" -q
done
mkfifo "$work/orders"
build/examples/gateway "$KW_BROKER" <"$work/orders" >"$work/gateway.out" 2>"$work/gateway.err" &
gateway=$!
exec 9<>"$work/orders"
lines() { # until the gateway has printed so many lines
    local end=$((SECONDS + 30))
    until [ "$(wc -l <"$work/gateway.out")" -ge "$1" ] || [ $SECONDS -ge $end ]; do sleep 0.1; done
}
for i in $(seq 0 99); do echo "start t$i tenants-$((i % 10))" >&9; done
lines 10000
check "a hundred tenants get what is theirs" test "$(wc -l <"$work/gateway.out")" = 10000
for i in $(seq 0 2 99); do echo "stop t$i" >&9; done
for ((i = 0; i < 400; i++)); do read -r -t 0 -u 9 || break; sleep 0.05; done
sleep 1
for t in 0 1 2 3 4 5 6 7 8 9; do
    seq 101 150 | sed "s/^/$t-/" | $kw produce -b "$KW_BROKER" -t "tenants-$t" -q
done
lines 12500
check "those that were stopped get nothing more" \
    test "$(awk '{ n += substr($1, 2) % 2 == 0 } END { print n }' "$work/gateway.out")" = 5000
for i in $(seq 0 2 99); do echo "start t$i tenants-$((i % 10))" >&9; done
lines 15000
exec 9>&-
wait "$gateway"
check "examples/gateway ends when its orders do" test $? = 0
check "and says nothing" test ! -s "$work/gateway.err"
for i in $(seq 0 99); do seq 1 150 | sed "s/.*/t$i $((i % 10))-&/"; done | sort >"$work/want"
awk '{ print $1, $3 }' "$work/gateway.out" | sort >"$work/got"
same "each tenant had each record of its topic once" "$work/want" "$work/got"
done_testing
