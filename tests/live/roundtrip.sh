#!/usr/bin/env bash
# Records between kw, kcat and Kafka's own Java tools, through a real broker:
# what one writes, the others read identically; the log that kw wrote is clean.
#
# covers: I2 C36 C40 C41
. "$(dirname "$0")/lib.sh"
need_kafka

format='%o|%T|%K|%k|%S|%s|%h\n'
java_format=(--formatter-property print.timestamp=true --formatter-property print.offset=true
    --formatter-property print.headers=true --formatter-property print.key=true
    --formatter-property null.literal=NULL --formatter-property key.separator='|'
    --formatter-property headers.separator=,)
java_consume() { # TOPIC MAX
    tools/kafka.sh tool console-consumer --bootstrap-server "$KW_BROKER" --topic "$1" --partition 0 \
        --offset earliest --max-messages "$2" --timeout-ms 30000 \
        "${java_format[@]}"
}
kcat_consume() { kcat -C -q -b "$KW_BROKER" -t "$1" -p 0 -o beginning -e -f "$format"; }
kw_consume() { $kw consume -q -b "$KW_BROKER" -t "$1" -p 0 -o beginning -e -f "$format"; }

# ---- kw writes ---------------------------------------------------------------

n=600
awk -v n=$n -v dir="$work" -f tests/live/records.awk
new_topic from-kw
check "kw produce writes $n records of every kind" \
    $kw produce -b "$KW_BROKER" -t from-kw --json "$work/input.jsonl"
kcat_consume from-kw >"$work/got.kcat"
same "kcat reads what kw wrote: keys, null keys, tombstones, empty values, headers, timestamps, unicode, 1 MB" \
    "$work/want.kcat" "$work/got.kcat"
java_consume from-kw $n >"$work/got.java" 2>"$work/java.log"
same "Java's console consumer reads what kw wrote" "$work/want.java" "$work/got.java"
kw_consume from-kw >"$work/got.kw"
same "kw reads what kw wrote" "$work/want.kcat" "$work/got.kw"

# Records as JSON, fed back: the second topic must hold the same records.
new_topic from-kw-again
$kw consume -q -b "$KW_BROKER" -t from-kw -p 0 -o beginning -e -J >"$work/copy.jsonl" 2>"$work/json.log"
check "kw produce takes what kw consume -J printed" \
    $kw produce -b "$KW_BROKER" -t from-kw-again --json "$work/copy.jsonl"
kcat_consume from-kw-again >"$work/got.copy"
same "a copy through JSON has the same bytes" "$work/want.kcat" "$work/got.copy"

# A file as one record, with every byte value in it.
awk 'BEGIN { for (i = 0; i < 256; i++) printf "%02x", i }' </dev/null | tr 'a-f' 'A-F' |
    sed 's/../\\x&/g' >"$work/escapes"
printf "$(cat "$work/escapes")" >"$work/all-bytes"
new_topic whole-file
check "kw produce sends a file as one record" $kw produce -b "$KW_BROKER" -t whole-file "$work/all-bytes"
kcat -C -q -b "$KW_BROKER" -t whole-file -p 0 -o beginning -e -f '%s' >"$work/all-bytes.kcat"
same "a binary file arrives whole at kcat" "$work/all-bytes" "$work/all-bytes.kcat"
$kw consume -q -b "$KW_BROKER" -t whole-file -p 0 -o beginning -e -f '%s' >"$work/all-bytes.kw"
same "a binary file arrives whole at kw" "$work/all-bytes" "$work/all-bytes.kw"

# ---- the broker's log ----------------------------------------------------------

if [ $own_broker = yes ]; then
    tools/kafka.sh tool dump-log --deep-iteration --print-data-log \
        --files "$(find "$KW_KAFKA_DATA/from-kw-0" -name '*.log' | sort | paste -s -d, -)" >"$work/dump" 2>&1
    batches=$(grep -ac '^baseOffset: ' "$work/dump")
    valid=$(grep -a '^baseOffset: ' "$work/dump" | grep -c 'isvalid: true')
    records=$(grep -ac '^| offset: ' "$work/dump")
    check "kafka-dump-log finds $batches batches, all valid" test "$batches" -gt 0 -a "$batches" = "$valid"
    check "kafka-dump-log finds $records records of $n" test "$records" = $n
    check "kafka-dump-log reports no error" \
        awk '/^Found |not consecutive|Mismatches|Exception|corrupt/ { print; bad = 1 } END { exit bad }' "$work/dump"
    # Idempotent by default: each batch has a producer id, and sequences go on.
    check "batches carry a producer id and consecutive sequences" awk '
        /^baseOffset: / {
            for (i = 1; i < NF; i++) value[$i] = $(i + 1)
            if (value["producerId:"] < 0 || value["baseSequence:"] != next_sequence + 0) bad = 1
            if (value["isTransactional:"] != "false" || value["magic:"] != 2) bad = 1
            next_sequence = value["lastSequence:"] + 1
        }
        END { exit bad || next_sequence != 600 }' "$work/dump"
fi

# ---- others write, kw reads -----------------------------------------------------

new_topic from-kcat
awk 'BEGIN { for (i = 0; i < 300; i++) {
    key = i % 3 == 0 ? "" : (i % 3 == 1 ? "key" i : "schl\303\274ssel" i)
    value = i % 4 == 0 ? "" : (i % 4 == 1 ? "value " i : "\360\237\246\212 " i)
    print key ":" value } }' </dev/null >"$work/kcat.in"
awk 'BEGIN { while (length(s) < 1000000) s = s "one megabyte "; printf "%s", substr(s, 1, 1000000) }' \
    </dev/null >"$work/megabyte"
kcat -P -b "$KW_BROKER" -t from-kcat -p 0 -K: -l "$work/kcat.in"
kcat -P -b "$KW_BROKER" -t from-kcat -p 0 -K: -l -Z -H one=1 -H 'empty=' -H one=2 "$work/kcat.in"
kcat -P -b "$KW_BROKER" -t from-kcat -p 0 -X message.max.bytes=1048588 "$work/megabyte"
kcat_consume from-kcat >"$work/want.from-kcat"
check "kcat wrote records for kw to read" test "$(wc -l <"$work/want.from-kcat")" -gt 600
check "among them tombstones" grep -aq '|-1||one=1,empty=,one=2$' "$work/want.from-kcat"
kw_consume from-kcat >"$work/got.from-kcat"
same "kw reads what kcat wrote" "$work/want.from-kcat" "$work/got.from-kcat"

new_topic from-java
{
    awk 'BEGIN { for (i = 0; i < 300; i++) {
        headers = i % 3 == 0 ? "h:" i : (i % 3 == 1 ? "h:" i ",h:again,e:" : "gr\303\274n:\342\202\254,n:NULL")
        key = i % 4 == 0 ? "NULL" : (i % 4 == 1 ? "" : "key" i)
        value = i % 5 == 0 ? "NULL" : (i % 5 == 1 ? "" : "value \316\261 " i)
        print headers "\t" key "\t" value } }' </dev/null
    printf 'big:1\tmegabyte\t'
    cat "$work/megabyte"
    echo
} >"$work/java.in"
tools/kafka.sh tool console-producer --bootstrap-server "$KW_BROKER" --topic from-java \
    --reader-property parse.key=true --reader-property parse.headers=true \
    --reader-property null.marker=NULL <"$work/java.in" >"$work/java-producer.log" 2>&1
# The expected lines come from the input; offset and time are the broker's.
awk -F'\t' '{
    n = split($1, part, ",")
    list = ""
    for (i = 1; i <= n; i++) { sub(/:/, "=", part[i]); list = list (i > 1 ? "," : "") part[i] }
    print (NR - 1) "|" ($2 == "NULL" ? -1 : length($2)) "|" ($2 == "NULL" ? "" : $2) "|" \
        ($3 == "NULL" ? -1 : length($3)) "|" ($3 == "NULL" ? "" : $3) "|" list }' \
    "$work/java.in" >"$work/want.from-java"
$kw consume -q -b "$KW_BROKER" -t from-java -p 0 -o beginning -e -f '%o|%K|%k|%S|%s|%h\n' >"$work/got.from-java"
same "kw reads what Java's console producer wrote" "$work/want.from-java" "$work/got.from-java"
kcat_consume from-java >"$work/java.kcat"
kw_consume from-java >"$work/java.kw"
same "and its timestamps, as kcat sees them" "$work/java.kcat" "$work/java.kw"

# ---- compressed by others ----------------------------------------------------------

# Small and large records, so that a batch has one block of its codec and many.
{
    cat "$work/kcat.in"
    awk 'BEGIN { for (i = 0; i < 3000; i++) {
        value = ""
        for (k = 0; k < i % 40; k++) value = value " part " (i * k) % 97
        print "k" i ":" i value } }' </dev/null
} >"$work/packed.in"
for codec in gzip snappy lz4 zstd; do
    new_topic "kcat-$codec"
    kcat -P -b "$KW_BROKER" -t "kcat-$codec" -p 0 -K: -l -Z -z $codec -X linger.ms=50 \
        -H one=1 -H 'empty=' "$work/packed.in"
    kcat_consume "kcat-$codec" >"$work/want.kcat-$codec"
    check "kcat wrote $codec" test "$(wc -l <"$work/want.kcat-$codec")" = 3300
    kw_consume "kcat-$codec" >"$work/got.kcat-$codec"
    same "kw reads what kcat compressed by $codec" "$work/want.kcat-$codec" "$work/got.kcat-$codec"

    new_topic "java-$codec"
    tools/kafka.sh tool console-producer --bootstrap-server "$KW_BROKER" --topic "java-$codec" \
        --compression-codec $codec --reader-property parse.key=true \
        --reader-property parse.headers=true --reader-property null.marker=NULL \
        <"$work/java.in" >"$work/java-$codec.log" 2>&1
    $kw consume -q -b "$KW_BROKER" -t "java-$codec" -p 0 -o beginning -e \
        -f '%o|%K|%k|%S|%s|%h\n' >"$work/got.java-$codec"
    same "kw reads what Java compressed by $codec" "$work/want.from-java" "$work/got.java-$codec"
done

# ---- compressed by kw ------------------------------------------------------------------

# The records of every kind once more, one codec a partition, so that Java reads
# all five in one start.
codecs="none gzip snappy lz4 zstd"
sed 's/"partition":0,//' "$work/input.jsonl" >"$work/unplaced.jsonl"
new_topic kw-codecs 5
partition=0
for codec in $codecs; do
    check "kw produce -z $codec" $kw produce -b "$KW_BROKER" -t kw-codecs -p $partition -z $codec \
        -X linger.ms=20 -X batch.size=65536 --json "$work/unplaced.jsonl"
    kcat -C -q -b "$KW_BROKER" -t kw-codecs -p $partition -o beginning -e -f "$format" >"$work/got.kw-$codec"
    same "kcat reads what kw compressed by $codec" "$work/want.kcat" "$work/got.kw-$codec"
    $kw consume -q -b "$KW_BROKER" -t kw-codecs -p $partition -o beginning -e -f "$format" >"$work/kw.kw-$codec"
    same "kw reads what kw compressed by $codec" "$work/want.kcat" "$work/kw.kw-$codec"
    partition=$((partition + 1))
done
tools/kafka.sh tool console-consumer --bootstrap-server "$KW_BROKER" --topic kw-codecs --from-beginning \
    --max-messages $((5 * n)) --timeout-ms 30000 "${java_format[@]}" \
    --formatter-property print.partition=true >"$work/java.kw-codecs" 2>"$work/java-codecs.log"
# A value may hold line ends: what does not begin as a record belongs to the last.
awk -v codecs="$codecs" -v prefix="$work/java.kw-" '
    BEGIN { split(codecs, codec, " "); for (i in codec) printf "" > (prefix codec[i]) }
    match($0, /^CreateTime:[0-9]+\|Partition:[0-4]\|/) {
        file = prefix codec[substr($0, RLENGTH - 1, 1) + 1]
        $0 = substr($0, 1, RLENGTH - 13) substr($0, RLENGTH)
    }
    { print > file }' "$work/java.kw-codecs"
for codec in $codecs; do
    same "Java's console consumer reads what kw compressed by $codec" "$work/want.java" "$work/java.kw-$codec"
done

# ---- the logs of all of them, in one start of Java --------------------------------------

# log_files: the segments of the partitions whose codec is known, separated by commas
log_files() {
    find "$KW_KAFKA_DATA"/kw-codecs-? "$KW_KAFKA_DATA"/{kcat,java}-*-0 -name '*.log' | sort | paste -s -d, -
}
# in_log TOPIC-PARTITION CODEC [RECORDS]: is each batch valid and of that codec?
in_log() {
    awk -v name="/$1/" -v codec="$2" -v want="${3:-}" '
        /^Dumping / { here = index($2, name) > 0 }
        here && /^baseOffset: / {
            for (i = 1; i < NF; i++) value[$i] = $(i + 1)
            batches++
            records += value["count:"]
            if (value["compresscodec:"] != codec || value["isvalid:"] != "true") { print; bad = 1 }
        }
        here && /^\| offset: / { deep++ }
        END {
            print batches + 0 " batches, " records + 0 " records, " deep + 0 " found inside"
            exit bad || !batches || deep != records || (want != "" && want != records)
        }' "$work/dump-codecs"
}
if [ $own_broker = yes ]; then
    tools/kafka.sh tool dump-log --deep-iteration --files "$(log_files)" >"$work/dump-codecs" 2>&1
    partition=0
    for codec in $codecs; do
        check "kafka-dump-log: kw's $codec batches are valid and hold $n records" in_log kw-codecs-$partition $codec $n
        partition=$((partition + 1))
        [ $codec = none ] && continue
        check "kafka-dump-log: kcat's batches are $codec" in_log kcat-$codec-0 $codec 3300
        check "kafka-dump-log: Java's batches are $codec" in_log java-$codec-0 $codec 301
    done
    check "kafka-dump-log reports no error in them" \
        awk '/^Found |not consecutive|Mismatches|Exception|corrupt/ { print; bad = 1 } END { exit bad }' "$work/dump-codecs"
fi

# ---- where reading starts and ends -----------------------------------------------

ask() { $kw consume -q -b "$KW_BROKER" -t from-kw -p 0 -f '%o\n' "$@"; }
check "-o OFFSET -c N reads N from there" test "$(ask -o 100 -c 3 | tr '\n' ' ')" = "100 101 102 "
check "-o -N reads the last N" test "$(ask -o -2 -e | tr '\n' ' ')" = "598 599 "
check "-o end -e reads nothing" test -z "$(ask -o end -e)"
kcat_at=$(kcat -C -q -b "$KW_BROKER" -t from-kw -p 0 -o s@1700000030000 -c 1 -f '%o')
check "-o @MS starts at the same record as kcat (offset $kcat_at)" \
    test "$(ask -o @1700000030000 -c 1)" = "$kcat_at"

# ---- metadata -------------------------------------------------------------------

$kw topics list -b "$KW_BROKER" >"$work/list" 2>&1
check "kw topics list shows the topics" sh -c \
    "grep -q from-kw '$work/list' && grep -q from-java '$work/list'"
check "kw topics describe names the partition's leader" sh -c \
    "$kw topics describe -b '$KW_BROKER' -t from-kw | grep -q leader"
check "kw meta names the broker" sh -c "$kw meta -b '$KW_BROKER' | grep -q '${KW_BROKER%%,*}'"
check "kw topics delete" $kw topics delete -b "$KW_BROKER" -t whole-file
check "the deleted topic is gone" sh -c \
    "for i in 1 2 3 4 5 6 7 8 9 10; do $kw topics list -b '$KW_BROKER' | grep -q whole-file || exit 0; sleep 0.2; done; exit 1"
done_testing
