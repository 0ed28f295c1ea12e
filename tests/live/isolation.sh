#!/usr/bin/env bash
# isolation.level on a real broker: Kafka's producers write committed and aborted
# transactions of every codec among plain records; kw reads what Java's console consumer
# reads, with read_committed and without, and ends where a transaction hangs.
#
# covers: C12 C13 C14 C16 C17 C18 I8
. "$(dirname "$0")/lib.sh"
need_kafka
jars=build/jars-${KW_KAFKA_VERSION:-4.3.1}

write() { # TOPIC HOW...
    java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile=tools/kafka/log4j2.properties \
        -cp "$jars/*" tests/live/peers/Transactions.java "$KW_BROKER" "$@"
}
java_reads() { # TOPIC LEVEL
    tools/kafka.sh tool console-consumer --bootstrap-server "$KW_BROKER" --topic "$1" --partition 0 \
        --offset earliest --isolation-level "$2" --timeout-ms 8000 --formatter-property print.offset=true \
        --formatter-property key.separator=' ' 2>>"$work/java.log" | sed 's/^Offset://'
}
kw_reads() { # TOPIC LEVEL OPTION...
    $kw consume -q -b "$KW_BROKER" -t "$1" -p 0 -o beginning -e --isolation "$2" -f '%o %s\n' "${@:3}"
}
lines() { wc -l <"$1"; }

new_topic mixed
check "Java's producers write 400 steps of transactions" write mixed mixed 7 400
for level in read_committed read_uncommitted; do
    java_reads mixed $level >"$work/java.$level"
    kw_reads mixed $level >"$work/kw.$level"
    same "$level: kw reads what Java's console consumer reads" "$work/java.$level" "$work/kw.$level"
    kw_reads mixed $level -X max.partition.fetch.bytes=2000 -X fetch.max.wait.ms=20 >"$work/kw.$level.small"
    same "$level: the same by small fetches" "$work/java.$level" "$work/kw.$level.small"
    kw_reads mixed $level -X check.crcs=false -c 700 >"$work/kw.$level.part"
    same "$level: the first 700" <(head -n 700 "$work/java.$level") "$work/kw.$level.part"
done
echo "figure: isolation: $(lines "$work/java.read_committed") committed of $(lines "$work/java.read_uncommitted") records"
check "there were more records than committed ones" \
    test "$(lines "$work/java.read_uncommitted")" -gt $(($(lines "$work/java.read_committed") + 4500))
$kw consume -q -b "$KW_BROKER" -t mixed -p 0 -o beginning -e -f '%o %s\n' >"$work/kw.default"
same "read_uncommitted is the default, as Java's" "$work/java.read_uncommitted" "$work/kw.default"

$kw consume -q -b "$KW_BROKER" -G readers mixed -e --isolation read_committed -f '%o %s\n' >"$work/kw.group"
same "a member of a group reads the same" "$work/java.read_committed" "$work/kw.group"
timeout 90 tools/kafka.sh tool consumer-groups --bootstrap-server "$KW_BROKER" --describe --group readers >"$work/describe" 2>&1
check "and commits behind the last marker: no lag" \
    awk '$1 == "readers" { seen = 1; lag += $6 } END { exit !(seen && lag == 0) }' "$work/describe"

new_topic held
check "a transaction is left open" write held hang
java_reads held read_committed >"$work/java.held"
kw_reads held read_committed >"$work/kw.held"
same "read_committed ends in front of it, as Java's does" "$work/java.held" "$work/kw.held"
check "after 3 records" test "$(lines "$work/kw.held")" = 3
kw_reads held read_uncommitted >"$work/kw.all"
check "read_uncommitted sees 7" test "$(lines "$work/kw.all")" = 7
$kw consume -q -b "$KW_BROKER" -t held -p 0 -o -1 -e --isolation read_committed -f '%o\n' >"$work/kw.tail"
check "the last committed record is at 2" test "$(cat "$work/kw.tail")" = 2
done_testing
