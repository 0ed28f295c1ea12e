#!/usr/bin/env bash
# Clients that we did not write use the in-tree broker: kcat, Kafka's own Java
# tools, and franz-go where there is a Go toolchain. What each writes comes back
# whole and in order, also while the broker answers errors, closes connections
# after it has written, and moves leaders: idempotent producers then send again,
# and each record must be there once.
#
# Consumers here are told their partitions; members of groups are in tests/cli/groups.sh.
#
# covers: I1 I2 P01
. "$(dirname "$0")/lib.sh"
tools/deps.sh live >&2 || { echo "not ok - $test_name: a JRE and kcat are needed"; exit 1; }
need_mock --no-auto-create
java_tool() { # NAME ARG...
    local name=$1
    shift
    timeout 60 tools/kafka.sh tool "$name" --bootstrap-server "$KW_BROKER" "$@"
}
format='%o|%K|%k|%S|%s|%h\n'
# read_by_kcat TOPIC PARTITION
read_by_kcat() { timeout 60 kcat -C -q -b "$KW_BROKER" -t "$1" -p "$2" -o beginning -e -f "$format"; }

# ---- kcat ------------------------------------------------------------------------------

new_topic from-kcat 6
kcat -L -b "$KW_BROKER" >"$work/metadata"
check "kcat -L sees the topic and its partitions" grep -q 'topic "from-kcat" with 6 partitions' "$work/metadata"
check "kcat -L sees the broker" grep -q "broker 1 at $KW_BROKER (controller)" "$work/metadata"
awk 'BEGIN { for (i = 0; i < 5000; i++) print "key" i % 97 ":" (i % 100 ? "value " i : "") }' </dev/null >"$work/kcat.in"
awk -F: '{ print NR - 1 "|" length($1) "|" $1 "|" (length($2) ? length($2) : -1) "|" $2 "|h=1,empty=" }' \
    "$work/kcat.in" >"$work/kcat.want"
partition=0
for codec in none gzip snappy lz4 zstd; do
    check "kcat writes, $codec" kcat -P -b "$KW_BROKER" -t from-kcat -p $partition -K: -l -Z -z $codec \
        -X enable.idempotence=true -X linger.ms=5 -H h=1 -H empty= "$work/kcat.in"
    read_by_kcat from-kcat $partition >"$work/kcat.got"
    same "and reads back 5000 records, keys, tombstones and headers" "$work/kcat.want" "$work/kcat.got"
    partition=$((partition + 1))
done
$kw consume -q -b "$KW_BROKER" -t from-kcat -p 4 -o beginning -e -f "$format" >"$work/kw.got"
same "kw reads them from this broker too" "$work/kcat.want" "$work/kw.got"
check "kcat -Q: the end" test "$(kcat -Q -b "$KW_BROKER" -t from-kcat:0:-1)" = "from-kcat [0] offset 5000"
check "kcat -Q: the beginning" test "$(kcat -Q -b "$KW_BROKER" -t from-kcat:0:-2)" = "from-kcat [0] offset 0"
check "kcat reads from an offset on" \
    test "$(kcat -C -q -b "$KW_BROKER" -t from-kcat -p 2 -o 4998 -e -f '%o ')" = "4998 4999 "

# ---- Java ------------------------------------------------------------------------------

check "kafka-topics creates" java_tool topics --create --topic from-java --partitions 2
java_tool topics --list >"$work/list" 2>&1
java_tool topics --describe --topic from-java >"$work/describe" 2>&1
check "kafka-topics describes two partitions and their leader" test "$(grep -c 'Leader: 1' "$work/describe")" = 2
check "kafka-topics lists" test "$(grep -c '^from-' "$work/list")" = 2
awk 'BEGIN { for (i = 0; i < 5000; i++)
    print "n:" i ",e:NULL\t" (i % 10 ? "key" i % 97 : "NULL") "\t" (i % 100 ? "value " i : "NULL") }' \
    </dev/null >"$work/java.in"
awk -F'\t' '{
    split($1, header, "[:,]")
    print NR - 1 "|" ($2 == "NULL" ? -1 : length($2)) "|" ($2 == "NULL" ? "" : $2) "|" \
        ($3 == "NULL" ? -1 : length($3)) "|" ($3 == "NULL" ? "" : $3) "|n=" header[2] ",e=NULL" }' \
    "$work/java.in" >"$work/java.want"
new_topic java-zstd
java_tool console-producer --topic java-zstd --compression-codec zstd --reader-property parse.key=true \
    --reader-property parse.headers=true --reader-property null.marker=NULL \
    <"$work/java.in" >"$work/java-producer.log" 2>&1
check "Java's console producer is content" test $? = 0
read_by_kcat java-zstd 0 >"$work/java.got"
same "and kcat reads its 5000 records, idempotent and compressed" "$work/java.want" "$work/java.got"
java_tool console-consumer --topic from-kcat --partition 3 --offset earliest --max-messages 5000 \
    --timeout-ms 20000 --formatter-property print.offset=true --formatter-property print.key=true \
    --formatter-property print.headers=true --formatter-property key.separator='|' \
    --formatter-property headers.separator=, --formatter-property null.literal=NULL \
    >"$work/java.read" 2>"$work/java-consumer.log"
awk -F'|' '{ print "Offset:" $1 "|h:1,empty:|" $3 "|" ($4 < 0 ? "NULL" : $5) }' "$work/kcat.want" >"$work/java.read-want"
same "Java's console consumer reads what kcat compressed by lz4" "$work/java.read-want" "$work/java.read"
java_tool get-offsets --topic from-kcat >"$work/offsets" 2>&1
check "kafka-get-offsets agrees" test "$(grep -c '^from-kcat:[0-4]:5000$' "$work/offsets")" = 5
check "kafka-topics deletes" java_tool topics --delete --topic java-zstd
check "and the topic is gone" sh -c "! $kw topics list -b '$KW_BROKER' | grep -q java-zstd"

# ---- franz-go ----------------------------------------------------------------------------

# go.mod names the Go release that franz-go needs; older ones cannot build it.
franz=build/tests/live/franz
franz_can() {
    command -v go >/dev/null || { echo "no Go toolchain"; return 1; }
    mkdir -p build/tests/live
    (cd tests/live/peers/franz && GOTOOLCHAIN=local timeout 500 go build -o "$OLDPWD/$franz" .) >"$work/go.log" 2>&1 ||
        { tail -n 3 "$work/go.log"; return 1; }
}
if why=$(franz_can); then
    for codec in none gzip snappy lz4 zstd; do
        new_topic franz-$codec 3
        check "franz-go writes and reads 10000 records on 3 partitions, $codec" \
            $franz "$KW_BROKER" franz-$codec 10000 $codec
    done
else
    echo "skip - $test_name: franz-go: $why"
    franz=
fi

# ---- the same with faults ------------------------------------------------------------------

# Three brokers. Some answers are errors, some are lost after the batch was
# written, and the leader moves now and then.
need_mock --brokers 3 --topic kcat:1 --topic java:1 --topic franz:3 --no-auto-create \
    --fault produce:2:close-after --fault produce:/7:error=NOT_ENOUGH_REPLICAS \
    --fault produce:/11:close-after --fault produce:/13:move-leader \
    --fault fetch:2:close-before --fault fetch:/3:error=NOT_LEADER_OR_FOLLOWER
echo "three brokers: $KW_BROKER"
seq 20000 >"$work/numbers"
awk '{ print NR - 1 "|-1||" length($1) "|" $1 "|" }' "$work/numbers" >"$work/numbers.want"
check "kcat writes through faults" kcat -P -b "$KW_BROKER" -t kcat -p 0 -l -X enable.idempotence=true \
    -X batch.size=4000 -X linger.ms=1 "$work/numbers"
read_by_kcat kcat 0 >"$work/numbers.kcat"
same "and 20000 records are there once and in order" "$work/numbers.want" "$work/numbers.kcat"
timeout 120 tools/kafka.sh tool console-producer --bootstrap-server "$KW_BROKER" --topic java --batch-size 4000 \
    --command-property retry.backoff.ms=20 <"$work/numbers" >"$work/java-faults.log" 2>&1
check "Java writes through faults" test $? = 0
read_by_kcat java 0 >"$work/numbers.java"
same "and 20000 records are there once and in order" "$work/numbers.want" "$work/numbers.java"
[ -z "$franz" ] || check "franz-go writes and reads through faults" $franz "$KW_BROKER" franz 10000 lz4
check "kw writes through faults" $kw produce -b "$KW_BROKER" -t kcat -l -X batch.size=4000 "$work/numbers"
read_by_kcat kcat 0 | tail -n 20000 >"$work/numbers.kw"
awk '{ print NR + 19999 "|-1||" length($1) "|" $1 "|" }' "$work/numbers" >"$work/numbers.kw-want"
same "and 20000 records are there once and in order" "$work/numbers.kw-want" "$work/numbers.kw"
stop_mock
grep '^kw broker: fault ' "$work/broker.log"
check "each of the six faults has acted" awk '
    /^kw broker: fault .* acted [0-9]+ times$/ { n++; if ($(NF - 1) == 0) bad = 1 }
    END { exit bad || n != 6 }' "$work/broker.log"
done_testing
