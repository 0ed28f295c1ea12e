#!/usr/bin/env bash
# The same work against other lines of Kafka: 2.8 (with its ZooKeeper), 3.9, and 4.3.
# Admin requests, producing and consuming with every codec, a classic group that Kafka's own
# tool of that version shows, resets, and takes over; group.protocol=auto.
#
# KW_VERSIONS="2.8.2 3.9.2 4.3.1". The jars of each are fetched once, about 57 MB.
#
# covers: I2 I5 I6 G07
. "$(dirname "$0")/lib.sh"
unset KW_BROKER
pids=()
member() { # OUT OPTION...
    local out=$1
    shift
    $kw consume -b "$KW_BROKER" "$@" >"$work/$out" 2>"$work/$out.err" &
    pids+=($!)
}
stop_members() {
    for pid in "${pids[@]}"; do kill -INT "$pid" 2>/dev/null; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
    pids=()
}
# wait_for SECONDS COMMAND...
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.3
    done
}
has_lines() { [ "$(cat "${@:2}" 2>/dev/null | wc -l)" -ge "$1" ]; }
groups_tool() { timeout 90 tools/kafka.sh tool consumer-groups --timeout 60000 --bootstrap-server "$KW_BROKER" "$@"; }

admin() {
    check "$version: kw meta names the broker" sh -c "$kw meta -b $KW_BROKER | grep -q '${KW_BROKER##*:}'"
    check "$version: a topic is created" $kw topics create -b "$KW_BROKER" -t made -p 3 --config retention.ms=-1
    $kw topics describe -b "$KW_BROKER" -t made >"$work/describe" 2>&1
    check "$version: and described with its three partitions" grep -q 3 "$work/describe"
    echo '{"resources":[{"resourceType":2,"resourceName":"made","configurationKeys":["retention.ms"]}],"includeSynonyms":false,"includeDocumentation":false}' |
        $kw request -b "$KW_BROKER" --api DescribeConfigs >"$work/configs" 2>&1
    check "$version: with the setting that it was created with" grep -q '"value": *"-1"' "$work/configs"
    echo '{"topics":[{"name":"made","count":5,"assignments":null}],"timeoutMs":10000,"validateOnly":false}' |
        $kw request -b "$KW_BROKER" --controller --api CreatePartitions >"$work/grow" 2>&1
    tools/kafka.sh tool topics --bootstrap-server "$KW_BROKER" --describe --topic made >"$work/tool" 2>&1
    check "$version: Kafka's tool shows it, grown to five" grep -Eq 'PartitionCount: *5' "$work/tool"
    check "$version: it is deleted" $kw topics delete -b "$KW_BROKER" -t made
    $kw topics list -b "$KW_BROKER" >"$work/list" 2>&1
    check "$version: and not listed any more" sh -c "! grep -qx made $work/list"
}
records() {
    local codec
    for codec in none gzip snappy lz4 zstd; do
        new_topic data-$codec
        seq -f '%.0f a value that can be compressed, and compressed again' 5000 >"$work/in"
        check "$version: produces, $codec" $kw produce -q -b "$KW_BROKER" -t data-$codec -z $codec -l "$work/in"
        timeout 60 kcat -C -q -b "$KW_BROKER" -t data-$codec -p 0 -o beginning -e >"$work/kcat"
        same "$version: kcat reads what was produced, $codec" "$work/in" "$work/kcat"
        timeout 60 $kw consume -q -b "$KW_BROKER" -t data-$codec -e >"$work/got"
        same "$version: and so does kw, $codec" "$work/in" "$work/got"
    done
    new_topic by-kcat
    kcat -P -b "$KW_BROKER" -t by-kcat -p 0 -K ' ' -l "$work/in"
    timeout 60 $kw consume -q -b "$KW_BROKER" -t by-kcat -e -f '%k %s\n' >"$work/got"
    same "$version: kw reads what kcat produced" "$work/in" "$work/got"
    check "$version: a record at an old time" sh -c "$kw consume -q -b $KW_BROKER -t by-kcat -o @1 -c 1 | grep -q value"
}
group() {
    new_topic shared 6
    member a -G classic shared -X session.timeout.ms=6000 -X heartbeat.interval.ms=500
    member b -G classic shared -X session.timeout.ms=6000 -X heartbeat.interval.ms=500
    three_each() {
        groups_tool --describe --group classic --members >"$work/members" 2>&1
        [ "$(awk '$1 == "classic" && $2 ~ /^kwire/ && $5 == 3' "$work/members" | wc -l)" = 2 ]
    }
    check "$version: Kafka's tool shows two members with three partitions each" wait_for 60 three_each
    seq 10000 | $kw produce -q -b "$KW_BROKER" -t shared
    check "$version: they print all" wait_for 30 has_lines 10000 "$work/a" "$work/b"
    kill -INT "${pids[0]}" && wait "${pids[0]}" 2>/dev/null
    seq 10001 12000 | $kw produce -q -b "$KW_BROKER" -t shared
    check "$version: one leaves, the other goes on" wait_for 30 has_lines 12000 "$work/a" "$work/b"
    stop_members
    same "$version: each record once" <(seq 12000) <(sort -n "$work/a" "$work/b")
    groups_tool --describe --group classic >"$work/lag" 2>&1
    check "$version: all is committed" awk '$1 == "classic" { lag += $6; at += $4 } END { exit !(lag == 0 && at == 12000) }' "$work/lag"
    groups_tool --group classic --topic shared --reset-offsets --to-earliest --execute >"$work/reset" 2>&1
    timeout 60 $kw consume -q -b "$KW_BROKER" -G classic shared -e >"$work/again"
    same "$version: a reset by Kafka's tool is respected" <(seq 12000) <(sort -n "$work/again")
    timeout 60 $kw consume -q -b "$KW_BROKER" -G chosen shared -X group.protocol=auto -e >"$work/auto"
    same "$version: group.protocol=auto reads all" <(seq 12000) <(sort -n "$work/auto")
    timeout 60 $kw consume -b "$KW_BROKER" -G next shared -X group.protocol=consumer -e >"$work/next" 2>"$work/next.err"
    if [ "${version%%.*}" -ge 4 ]; then
        same "$version: the protocol of KIP-848 too" <(seq 12000) <(sort -n "$work/next")
    else
        check "$version: group.protocol=consumer is refused with a reason ($(head -n 1 "$work/next.err" | cut -c 1-120))" \
            test -s "$work/next.err" -a ! -s "$work/next"
    fi
}

for version in ${KW_VERSIONS:-2.8.2 3.9.2 4.3.1}; do
    export KW_KAFKA_VERSION=$version
    need_kafka
    admin
    records
    group
    # Of partitions that were added 3.9 says itself that it creates them now; and a busy
    # machine lets a broker miss its own controller.
    check "$version: the broker has nothing to complain of" sh -c \
        "! grep -E 'ERROR|Exception' $KW_KAFKA_DIR/node1/log | grep -Ev 'it was missing. Creating|Timed out heartbeat'"
    tools/kafka.sh clean
    unset KW_BROKER
done
done_testing
