#!/usr/bin/env bash
# How long joining and rebalancing take beside the Java client: bench/group.sh [BUILD_DIR]
#
# A real broker that does not hold a first rebalance back (group.initial.rebalance.delay.ms
# 0) and hears of members every half second, by the classic protocol and by that of KIP-848.
# The clients run in turns. Prints medians (least) in ms of wall time: a group waits for its
# broker, so CPU says nothing here. Java's first round, in which its classes are loaded and
# compiled, is left out, and so is kwire's. Needs a JDK 17 (java runs a source file).
#
#   KW_BENCH_ROUNDS=5   KW_BENCH_MEMBERS=50
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
rounds=$((${KW_BENCH_ROUNDS:-5} + 1))
members=${KW_BENCH_MEMBERS:-50}
out=$PWD/$build/bench-group
mkdir -p "$out"
rm -f "$out"/*.runs
jars=$PWD/build/jars-${KW_KAFKA_VERSION:-4.3.1}
cat >"$out/properties" <<END
group.initial.rebalance.delay.ms=0
group.consumer.min.heartbeat.interval.ms=500
group.consumer.heartbeat.interval.ms=500
END
export KW_KAFKA_PROPERTIES=$out/properties KW_KAFKA_DIR=build/kafka-bench-group
trap 'tools/kafka.sh clean' EXIT
tools/kafka.sh clean
tools/kafka.sh up >"$out/env" || exit 1
. "$out/env"
$build/kw topics create -b "$KW_BROKER" -t few -p 8 && $build/kw topics create -b "$KW_BROKER" -t many -p $((members * 2))
seq 8000 | $build/kw produce -q -b "$KW_BROKER" -t few || exit 1

classic=(session.timeout.ms=10000 heartbeat.interval.ms=500
    partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor)
next=(group.protocol=consumer)
# run CLIENT PROTOCOL MODE ARG...
run() {
    local client=$1 protocol=$2
    shift 2
    local -n settings=$protocol
    case $client in
    kwire) set -- "$build/bench/bench_group" "$@" ;;
    java) set -- java -XX:+UseSerialGC -cp "$jars/*" bench/peers/Group.java "$@" ;;
    esac
    timeout 300 "$@" "${settings[@]}" 2>>"$out/errors" | awk -v name="$client $protocol" '
        { if (seen[$1]++) print name, $1, $2 }' >>"$out/all.runs"
}
for protocol in classic next; do
    for client in kwire java; do
        run $client $protocol first "$KW_BROKER" few "$client-$protocol-f" "$rounds"
        run $client $protocol members "$KW_BROKER" many "$client-$protocol-m" "$members" $((members * 2)) "$rounds"
    done
done
echo
echo "$(date -u +%Y-%m-%d), kwire $(git describe --always --dirty 2>/dev/null), Java $(basename "$jars"), $members members"
echo
sort -k1,3 -k4,4n "$out/all.runs" | awk '
    function done() { if (n) { median[last] = value[int((n + 1) / 2)]; least[last] = value[1] } n = 0 }
    { key = $3 " " $2 " " $1; if (key != last) { done(); last = key } value[++n] = $4 }
    END {
        done()
        print "| what | protocol | kwire, ms: median (least) | Java | kwire : Java |"
        print "|---|---|---|---|---|"
        split("first together leave join", whats, " ")
        split("classic next", protocols, " ")
        for (i = 1; i <= 4; i++)
            for (j = 1; j <= 2; j++) {
                key = whats[i] " " protocols[j] " "
                if (!(key "kwire" in median) || !(key "java" in median)) missing++
                printf "| %s | %s | %s | %s | %s |\n", whats[i], protocols[j], figure(key "kwire"), figure(key "java"),
                    key "kwire" in median && key "java" in median ? sprintf("%.2f", median[key "kwire"] / median[key "java"]) : "-"
            }
        exit missing > 0
    }
    function figure(key) { return key in median ? sprintf("%.0f (%.0f)", median[key], least[key]) : "-" }' || { tail -n 5 "$out/errors"; exit 1; }
