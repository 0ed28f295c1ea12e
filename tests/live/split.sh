#!/usr/bin/env bash
# Batches above max.message.bytes of a topic, through a real broker: they arrive in
# halves, each record once and in its order, under consecutive sequence numbers; a record
# that is too large by itself fails alone, and says why.
#
# covers: P18 P19
. "$(dirname "$0")/lib.sh"
need_kafka

n=20000
limit=20000
awk -v n=$n 'BEGIN { srand(5)
    for (i = 0; i < n; i++) {
        line = i ":"
        for (k = int(rand() * 12); k > 0; k--) line = line sprintf("%09d", rand() * 1e9)
        print line } }' </dev/null >"$work/input"

# Each batch of the log: within the limit, valid, sequences without a gap, one epoch.
sound_log() { # TOPIC RECORDS
    tools/kafka.sh tool dump-log --deep-iteration \
        --files "$(find "$KW_KAFKA_DATA/$1-0" -name '*.log' | sort | paste -s -d, -)" >"$work/dump" 2>&1
    awk -v limit=$limit -v n="$2" '
        /^baseOffset: / {
            for (i = 1; i < NF; i++) value[$i] = $(i + 1)
            if (value["size:"] > limit || value["isvalid:"] != "true") bad = 1
            if (value["producerEpoch:"] != 0 || value["baseSequence:"] != next_sequence + 0) bad = 1
            next_sequence = value["lastSequence:"] + 1
            batches++
        }
        END { print batches, next_sequence; exit bad || batches < 10 || next_sequence != n }' "$work/dump"
}
split_topic() { # NAME
    check "kw topics create $1" $kw topics create -b "$KW_BROKER" -t "$1" -p 1 \
        --config max.message.bytes=$limit
}

for codec in none gzip lz4; do
    split_topic split-$codec
    check "kw produce writes $n records in batches of 300 kB, $codec, where $limit bytes are allowed" \
        $kw produce -b "$KW_BROKER" -t split-$codec -p 0 -z $codec -X batch.size=300000 \
        -X linger.ms=100 -l "$work/input"
    kcat -C -q -b "$KW_BROKER" -t split-$codec -p 0 -o beginning -e >"$work/got"
    same "kcat reads each line once and in order, $codec" "$work/input" "$work/got"
    [ $own_broker = no ] ||
        check "kafka-dump-log: batches within the limit, sequences without a gap, $codec" \
            sound_log split-$codec $n
done

split_topic one-too-large
{ echo before && head -c 30000 /dev/zero | tr '\0' x && echo && echo behind; } >"$work/three"
$kw produce -b "$KW_BROKER" -t one-too-large -p 0 -l "$work/three" >/dev/null 2>"$work/why"
check "one record above the limit makes kw end with 1" test $? = 1
printf 'before\nbehind\n' >"$work/want"
kcat -C -q -b "$KW_BROKER" -t one-too-large -p 0 -o beginning -e >"$work/got"
same "the records around it are there" "$work/want" "$work/got"
check "its size and the key to raise are told" \
    grep -E 'a record of 300[0-9]{2} bytes.*max\.message\.bytes' "$work/why"
done_testing
