#!/usr/bin/env bash
# Brokers that are down, are something else, stall or die, and Ctrl-C: the exit
# code, the message, and that no record is lost without a word.
. "$(dirname "$0")/lib.sh"

# ---- no broker: exit 3 within the time given, and the likely cause ----------------
soon() { # TEXT SECONDS PATTERN COMMAND...
    local text=$1 limit=$2 pattern=$3 begin=$SECONDS
    shift 3
    run "$text" 3 "$@"
    true_that "$text: within $limit s" [ $((SECONDS - begin)) -le "$limit" ]
    says "$text: address and cause" "$pattern"
}
for sub in "meta" "topics list" "topics create -t t" "consume -t t" "produce -t t"; do
    # shellcheck disable=SC2086
    soon "$sub, nobody listens" 10 '127\.0\.0\.1:1\b.*refused' \
        "$kw" $sub -b 127.0.0.1:1 --timeout 1500 </dev/null
done
soon "a host that does not exist" 20 'no-such-host\.invalid' "$kw" meta -b no-such-host.invalid:9092 --timeout 1500
listen() { # KIND: sets port
    perl tests/cli/listen.pl "$1" >"$work/port.$1" &
    started+=($!)
    await 10 test -s "$work/port.$1"
    port=$(cat "$work/port.$1")
}
listen http
soon "an HTTP server" 10 "127\.0\.0\.1:$port.*HTTP" "$kw" meta -b "127.0.0.1:$port" --timeout 1500
soon "an HTTP server, produce" 10 "127\.0\.0\.1:$port.*HTTP" "$kw" produce -t t -b "127.0.0.1:$port" --timeout 1500 <<<x
listen tls
run "a TLS server" 4 "$kw" meta -b "127.0.0.1:$port" --timeout 1500
says "a TLS server: address and cause" "127\.0\.0\.1:$port.*TLS"
listen noise
soon "noise" 10 "127\.0\.0\.1:$port" "$kw" meta -b "127.0.0.1:$port" --timeout 1500
listen close
soon "a server that hangs up" 10 "127\.0\.0\.1:$port.*closed" "$kw" meta -b "127.0.0.1:$port" --timeout 1500
listen silent
soon "a server that says nothing" 10 "127\.0\.0\.1:$port" \
    "$kw" consume -t t -b "127.0.0.1:$port" --timeout 1500 -X socket.connection.setup.timeout.ms=1000
start_broker --topic t:1
soon_ok() { run "one of two brokers is down" 0 "$kw" produce -b "127.0.0.1:1,$B" -t t <<<x; }
soon_ok

# ---- stdin that stalls: linger runs meanwhile -------------------------------------
{ echo early; sleep 15; } | "$kw" produce -q -b "$B" -t t &
started+=($!)
arrived() { "$kw" consume -q -b "$B" -t t -e | grep -q early; }
begin=$SECONDS
await 12 arrived
true_that "a line is sent while stdin stays open" [ $((SECONDS - begin)) -lt 12 ]

# ---- Ctrl-C -----------------------------------------------------------------------
start_broker --topic slow:1 --fault 'produce:*:delay=300'
mkfifo "$work/fifo"
"$kw" produce -b "$B" -t slow <"$work/fifo" >"$out" 2>"$err" &
producer=$!
started+=($producer)
exec 3<>"$work/fifo"
seq 1000 >&3
await 20 drained 3
sleep 0.5
kill -INT $producer
wait $producer
rc=$?
exec 3>&-
true_that "Ctrl-C before the end of the input: exit 1 (was $rc)" [ $rc = 1 ]
says "what was read is drained" '1000 delivered, 0 failed'
says "where it stopped is said" 'interrupted: the input after record 1000'
run "all of it is there" 0 "$kw" consume -q -b "$B" -t slow -e
seq 1000 >"$work/wanted"
same "in order" "$work/wanted" "$out"

interrupt_stopped() { # TEXT SIGNALS LIMIT_S OPTIONS...: the broker hangs, then Ctrl-C
    local text=$1 signals=$2 limit=$3
    shift 3
    start_broker --topic hang:1
    rm -f "$work/fifo"
    mkfifo "$work/fifo"
    "$kw" produce -b "$B" -t hang "$@" <"$work/fifo" >"$out" 2>"$err" &
    producer=$!
    started+=($producer)
    exec 3<>"$work/fifo"
    echo first >&3
    written() { "$kw" consume -q -b "$B" -t hang -e | grep -q first; }
    await 5 written
    kill -STOP $broker_pid
    seq 100 >&3
    await 20 drained 3
    sleep 0.5
    local begin=$SECONDS
    for ((i = 0; i < signals; i++)); do
        kill -TERM $producer
        sleep 0.3
    done
    wait $producer
    rc=$?
    exec 3>&-
    kill -CONT $broker_pid
    true_that "$text: exit 1 (was $rc)" [ $rc = 1 ]
    true_that "$text: within $limit s" [ $((SECONDS - begin)) -le "$limit" ]
    says "$text: delivered, not written and unknown add up" '1 delivered, 100 failed \((100 not written, 0 unknown|0 not written, 100 unknown|[0-9]+ not written, [0-9]+ unknown)\)'
    says "$text: the records are named" 'unknown whether written|not written'
}
interrupt_stopped "a broker that hangs, --drain 500" 1 10 --drain 500
interrupt_stopped "a broker that hangs, Ctrl-C twice" 2 10 --drain 60000

# ---- the broker dies: every record gets an outcome ---------------------------------
start_broker --topic dies:1
seq 200000 >"$work/seq"
{ head -n 50000 "$work/seq"; for ((i = 0; i < 600; i++)); do [ -e "$work/dead" ] && break; sleep 0.05; done; tail -n +50001 "$work/seq"; } |
    "$kw" produce -b "$B" -t dies -X delivery.timeout.ms=3000 -X request.timeout.ms=1000 >"$out" 2>"$err" &
producer=$!
started+=($producer)
some() { [ "$("$kw" consume -q -b "$B" -t dies -e -c 1 | wc -l)" = 1 ]; }
await 20 some
kill -9 $broker_pid
touch "$work/dead"
wait $producer
rc=$?
true_that "the broker dies: exit 1 (was $rc)" [ $rc = 1 ]
awk '/delivered, [0-9]+ failed/ { for (i = 1; i <= NF; i++) { if ($i ~ /^delivered/) d = $(i - 1); if ($i ~ /^failed/) f = $(i - 1) } }
    END { exit !(d + f == 200000 && f > 0) }' "$err"
true_that "the broker dies: delivered and failed add up to the input" [ $? = 0 ]
true_that "the broker dies: reasons are grouped (at most 40 lines)" [ "$(wc -l <"$err")" -le 40 ]

# ---- a broker that fails some requests: retried, each record once -------------------
start_broker --topic flaky:1 --fault 'produce:/10:error=NOT_LEADER_OR_FOLLOWER' \
    --fault 'produce:/17:close-after' --fault 'fetch:/7:close-before'
quick="-X retry.backoff.ms=5 -X retry.backoff.max.ms=10 -X reconnect.backoff.ms=5 -X reconnect.backoff.max.ms=10"
# shellcheck disable=SC2086
run "a broker that fails requests" 0 "$kw" produce -b "$B" -t flaky $quick -l "$work/seq"
says "everything is delivered" '200000 delivered, 0 failed'
says "batches were sent again" '[1-9][0-9]* batch retries'
# shellcheck disable=SC2086
run "and is read from it" 0 "$kw" consume -q -b "$B" -t flaky -e $quick -X fetch.max.bytes=50000
same "each once, in order" "$work/seq" "$out"
start_broker --topic sick:1 --fault 'produce:*:error=TOPIC_AUTHORIZATION_FAILED'
run "a broker that refuses to write" 4 "$kw" produce -b "$B" -t sick <<<x
says "by Kafka's name" 'TOPIC_AUTHORIZATION_FAILED'

# The batch of these records begins somewhere before byte 400 of the answer and
# is longer: the changed byte lies in it.
start_broker --topic rot:1 --fault 'fetch:*:corrupt=400'
seq 1000 | "$kw" produce -q -b "$B" -t rot
run "a corrupt batch" 1 "$kw" consume -b "$B" -t rot -e
says "is reported" 'CRC|checksum|corrupt'
true_that "and none of it is printed" [ ! -s "$out" ]
run "a corrupt batch, with -q" 1 "$kw" consume -q -b "$B" -t rot -e
says "is reported all the same" 'CRC|checksum|corrupt'
done_testing
