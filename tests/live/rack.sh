#!/usr/bin/env bash
# Fetching from the replica in the own rack (KIP-392), with two brokers of Kafka that
# select replicas by rack.
#
# covers: C33
. "$(dirname "$0")/lib.sh"
[ -x "$build/tests/live/assigned" ] || { echo "not ok - $test_name: run make tests"; exit 1; }
export KW_KAFKA_RACKS=1
need_kafka 2

figure() { awk -v word="$1" '$1 == word { print $2; exit }' "$work/$2"; }
read_all() { # NAME SETTING...
    local name=$1
    shift
    check "$name: every record comes" sh -c \
        "$build/tests/live/assigned $KW_BROKER spread 6 6 8 fetch.max.wait.ms=100 $* >$work/$name"
    echo "figure: $name: $(tr '\n' ' ' <"$work/$name")"
}
new_topic spread 6
read_all nowhere
check "a consumer without a rack stays with the leaders" test "$(figure nearer nowhere)" = 0
read_all near client.rack=r1
check "one in a rack is sent to the replica there, once for each partition led elsewhere" \
    test "$(figure nearer near)" = 3
read_all elsewhere client.rack=r9
check "one in a rack without brokers stays with the leaders" test "$(figure nearer elsewhere)" = 0
done_testing
