#!/usr/bin/env bash
# Transactions on a real broker, of version 2 (KIP-890) and then, with the feature taken
# back, of version 1: a program that reads, transforms and writes exactly once is killed
# again and again, KW_TXN_KILLS (1) times in each phase of a transaction; Java's console
# consumer reads each record once with read_committed, and Kafka's tools show the
# transactions as they were ended.
#
# covers: T01 T04 T20 T21 T28 I8
. "$(dirname "$0")/lib.sh"
need_kafka
transfer=$build/tests/live/transfer
[ -x "$transfer" ] || { echo "not ok - $test_name: $transfer is missing, run make tests"; exit 1; }
tool() { timeout 120 tools/kafka.sh tool "$@"; }
java_reads() { # TOPIC LEVEL
    tool console-consumer --bootstrap-server "$KW_BROKER" --topic "$1" --from-beginning \
        --isolation-level "$2" --timeout-ms 15000 2>>"$work/java.log" | sort -n
}
lines() { wc -l <"$1"; }

n_kills=${KW_TXN_KILLS:-1}
n_records=$((3000 + n_kills * 300))

# killed PHASE NTH IN OUT ID: runs until it is killed in that phase of its N-th transaction
killed() {
    TRANSFER_KILL="$1:$2" timeout 60 "$transfer" "$KW_BROKER" "$3" "$4" "$5" 20 20000 >"$work/phase" 2>>"$work/transfer.log"
    local rc=$?
    cat "$work/phase" >>"$work/killed"
    [ $rc = 137 ] && [ "$(cat "$work/phase")" = "$1 $2" ]
}

run_version() { # VERSION
    local v=$1 i phase
    new_topic "in$v" 3
    new_topic "out$v" 3
    seq $n_records >"$work/numbers"
    check "version $v: kw produce -T commits $n_records records" \
        $kw produce -b "$KW_BROKER" -t "in$v" -T "loader$v" -X batch.size=2000 -l "$work/numbers"
    (seq 5000 5100 && sleep 12) | timeout -s INT 8 $kw produce -q -b "$KW_BROKER" -t "in$v" -T "loader$v" 2>"$work/int"
    check "version $v: Ctrl-C aborts" grep -q "was aborted" "$work/int"
    : >"$work/killed"
    # The first transaction of each run is aborted; it may be killed in that, too.
    for i in $(seq "$n_kills"); do
        for phase in produce offsets end; do
            check "version $v: killed in $phase of transaction $((i % 4 + 1))" \
                killed $phase $((i % 4 + 1)) "in$v" "out$v" "etl$v"
        done
    done
    echo "figure: txn: version $v killed in: $(awk '{ print $1 }' "$work/killed" | sort | uniq -c | tr -s ' \n' ' ')"
    check "version $v: the last run goes to the end" \
        "$transfer" "$KW_BROKER" "in$v" "out$v" "etl$v" 100 15000
    tail -n 2 "$work/check.log" 2>/dev/null | tr '\n' ' '
    java_reads "out$v" read_committed >"$work/java.$v"
    same "version $v: Java reads each record once with read_committed" \
        <(sed "s/\$/'/" "$work/numbers") "$work/java.$v"
    $kw consume -q -b "$KW_BROKER" -t "out$v" -e --isolation read_committed | sort -n >"$work/kw.$v"
    same "version $v: so does kw" "$work/java.$v" "$work/kw.$v"
    java_reads "out$v" read_uncommitted >"$work/all.$v"
    echo "figure: txn: version $v wrote $(lines "$work/all.$v") records, $(lines "$work/java.$v") of them committed"
    check "version $v: there were aborted ones" test "$(lines "$work/all.$v")" -gt $n_records
    tool consumer-groups --bootstrap-server "$KW_BROKER" --describe --group "etl$v" >"$work/group" 2>&1
    check "version $v: the group's offsets are at the end" awk -v g="etl$v" '
        $1 == g { lag += $6; n++ } END { exit !(n > 1 && lag == 0) }' "$work/group"
}

# What Kafka's own tools say of it.
tools_agree() { # VERSION
    local v=$1 logs
    tool transactions --bootstrap-server "$KW_BROKER" list >"$work/list" 2>&1
    check "version $v: kafka-transactions lists the ids" grep -q "etl$v" "$work/list"
    tool transactions --bootstrap-server "$KW_BROKER" describe --transactional-id "etl$v" >"$work/describe" 2>&1
    check "version $v: kafka-transactions describes it as complete" grep -qE "Complete(Commit|Abort)|Empty" "$work/describe"
    [ -n "${KW_KAFKA_DATA:-}" ] || return 0
    logs=$(find "$KW_KAFKA_DATA" -path "*out$v-[0-9]/*.log" | paste -sd, -)
    tool dump-log --files "$logs" --print-data-log >"$work/dump" 2>&1
    check "version $v: kafka-dump-log: all batches are transactional" \
        awk '/^baseOffset/ { n++; good += /isTransactional: true/ } END { exit !(n > 10 && n == good) }' "$work/dump"
    check "version $v: kafka-dump-log shows both markers" \
        awk '/endTxnMarker: COMMIT/ { c++ } /endTxnMarker: ABORT/ { a++ } END { exit !(c > 1 && a > 0) }' "$work/dump"
    awk '/^baseOffset/ { if (match($0, /producerEpoch: [0-9]+/)) seen[substr($0, RSTART, RLENGTH)] = 1 }
        END { for (e in seen) n++; print "figure: txn: version '"$v"' used " n " epochs" }' "$work/dump"
}

fenced() { # VERSION
    (echo first; sleep 12) | $kw produce -b "$KW_BROKER" -t "out$1" -T "rival$1" 2>"$work/rival" &
    local pid=$!
    sleep 4
    echo second | $kw produce -q -b "$KW_BROKER" -t "out$1" -T "rival$1"
    wait $pid
    check "version $1: a second producer fences the first" grep -qE "FENCED|INVALID_PRODUCER_EPOCH" "$work/rival"
    $kw consume -q -b "$KW_BROKER" -t "out$1" -e --isolation read_committed >"$work/after"
    check "version $1: only the second one's record is committed" \
        sh -c "grep -q second $work/after && ! grep -q first $work/after"
}

run_version 2
tools_agree 2
fenced 2
$kw produce -b "$KW_BROKER" -t out2 -T long -X transaction.timeout.ms=1000000 </dev/null >"$work/long" 2>&1
check "a timeout above the broker's limit is refused" grep -q "INVALID_TRANSACTION_TIMEOUT" "$work/long"

tool features --bootstrap-server "$KW_BROKER" describe >"$work/features" 2>&1
check "the cluster had transaction.version 2" grep -q "transaction.version.*FinalizedVersionLevel: 2" "$work/features"
check "kafka-features takes transaction.version back to 1" \
    tools/kafka.sh tool features --bootstrap-server "$KW_BROKER" downgrade --feature transaction.version=1
run_version 1
tools_agree 1
fenced 1
done_testing
