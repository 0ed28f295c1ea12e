#!/usr/bin/env bash
# The producers of docs/PRODUCER.md (examples/) against the in-tree broker: what each of
# them promises, and what the settings and habits do that it warns of. The shipper and the
# epoll program are in examples.sh.
#
# covers: I1 I2 I3 I4 I8 P06 P31 P38 T01 T21
. "$(dirname "$0")/lib.sh"
examples=$build/examples
pids=()
end() { kill "-$1" "$2" 2>/dev/null && wait "$2" 2>/dev/null; }
stop_all() {
    for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null; done
    stop_mock
}
# broker OPTION...: another one, and what the properties files begin with
broker() {
    need_mock "$@"
    trap stop_all EXIT
}
# settings NAME KEY=VALUE...
settings() {
    local name=$1
    shift
    printf '%s\n' "bootstrap.servers=$KW_BROKER" retry.backoff.ms=5 retry.backoff.max.ms=20 \
        reconnect.backoff.ms=5 reconnect.backoff.max.ms=20 "$@" >"$work/$name.properties"
}
deliver() { # NAME TOPIC: stdin, to $work/NAME.out and .err
    "$examples/deliver" "$work/$1.properties" "$2" >"$work/$1.out" 2>"$work/$1.err"
}
read_all() { $kw consume -q -b "$KW_BROKER" -t "$1" -o beginning -e "${@:2}"; }
wait_for() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}
mock_is_gone() { ! kill -0 "$mock_pid" 2>/dev/null; } # in a subshell, which cannot wait for it
has_lines() { [ "$(wc -l <"$2")" -ge "$1" ]; }
seq 20000 >"$work/lines"

# ---- 1. to 3.: outcomes, retries, acks --------------------------------------------------------

flaky=(--fault produce:/7:error=NOT_ENOUGH_REPLICAS --fault produce:/11:close-after)
broker --topic lines "${flaky[@]}"
settings lines batch.size=1000
check "deliver: requests fail and answers are lost, all lines are delivered" \
    sh -c "$examples/deliver $work/lines.properties lines <$work/lines"
read_all lines >"$work/got"
same "deliver: each line is there once, in order" "$work/lines" "$work/got"

broker --topic lines "${flaky[@]}"
settings noretry batch.size=1000 enable.idempotence=false retries=0
deliver noretry lines <"$work/lines"
check "retries=0: it says that not all were delivered" test $? = 1
check "retries=0: one outcome for each line" awk '{ n = $1 + $3 + $6 } END { exit n != 20000 }' \
    <(tail -n 1 "$work/noretry.err")
check "retries=0: refused lines are not written, those of lost answers unknown" sh -c \
    "grep -q '^not-written ' $work/noretry.out && grep -q '^unknown ' $work/noretry.out"
read_all lines | sort >"$work/got"
check "retries=0: no line that is called not written is there" \
    test -z "$(sed -n 's/^not-written //p' "$work/noretry.out" | sort | comm -12 - "$work/got")"
echo "figure: retries=0: $(tail -n 1 "$work/noretry.err"); by default 20000 delivered"

broker --topic lines "${flaky[@]}"
settings twice batch.size=1000 enable.idempotence=false
deliver twice lines <"$work/lines"
check "without idempotence: all are delivered" test $? = 0
check "without idempotence: some are said to be perhaps there twice" grep -q 'may be there twice' "$work/twice.err"
read_all lines >"$work/got"
check "without idempotence: and some are" test "$(sort "$work/got" | uniq -d | wc -l)" -gt 0
echo "figure: without idempotence: $(sort "$work/got" | uniq -d | wc -l) of 20000 lines are there twice"

broker --topic lines
settings one enable.idempotence=false acks=1
deliver one lines <"$work/lines"
check "acks=1: it is said that one broker alone has them" grep -q '^[0-9]* lines are on one broker only' "$work/one.err"
for bad in acks=1 retries=0 max.in.flight.requests.per.connection=6; do
    settings bad $bad
    deliver bad lines <"$work/lines"
    check "$bad with idempotence is refused, in words" grep -q "enable.idempotence" "$work/bad.err"
done

stop_mock
settings down delivery.timeout.ms=4000 request.timeout.ms=3000
head -n 100 "$work/lines" | deliver down lines
same "no broker: all lines are handed back as not written" <(head -n 100 "$work/lines" | sed 's/^/not-written /') "$work/down.out"
broker --topic lines --fault 'produce:*:drop-answer'
settings silent delivery.timeout.ms=1500 request.timeout.ms=1000
head -n 100 "$work/lines" | deliver silent lines
same "no answers: all lines are unknown" <(head -n 100 "$work/lines" | sed 's/^/unknown /') "$work/silent.out"
read_all lines >"$work/got"
same "no answers: and are there, in fact" <(head -n 100 "$work/lines") "$work/got"

# ---- 4. the end --------------------------------------------------------------------------------

broker --topic lines --fault 'produce:*:delay=100'
settings stop batch.size=1000
mkfifo "$work/pipe"
has_one() { [ -n "$(read_all lines -c 1)" ]; }
# Gives so many lines to one that is told to end before its input does, as soon as the command
# is true. Its status.
stopped() { # NAME LINES COMMAND...
    local rc
    "$examples/deliver" "$work/$1.properties" lines <"$work/pipe" >"$work/$1.out" 2>"$work/$1.err" &
    pid=$!
    pids+=("$pid")
    exec 8<>"$work/pipe" # for reading as well, so that we see whether it is empty
    head -n "$2" "$work/lines" >&8
    wait_for 20 "${@:3}"
    kill -TERM "$pid"
    wait "$pid"
    rc=$?
    exec 8>&-
    return $rc
}
stopped stop 3000 has_one
check "SIGTERM in the middle: all that was read is delivered first" test $? = 0
read_all lines >"$work/got"
same "SIGTERM in the middle: and is there" <(head -n "$(wc -l <"$work/got")" "$work/lines") "$work/got"
check "SIGTERM in the middle: every line was counted" grep -q "^$(wc -l <"$work/got") delivered, 0 not written, 0 unknown" "$work/stop.err"

# Nobody is there yet, so no line could even be given to the client.
printf 'bootstrap.servers=127.0.0.1:1\n' >"$work/nobody.properties"
stopped nobody 3 drained 8
check "SIGTERM before a broker was there: the status says so" test $? = 1
same "SIGTERM before a broker was there: each line comes back" \
    <(head -n 3 "$work/lines" | sed 's/^/not-written /') "$work/nobody.out"

# ---- 5. one producer for all ---------------------------------------------------------------------

broker --topic requests:3 --fault produce:2:error=NOT_LEADER_OR_FOLLOWER
settings requests
"$examples/ingest" "$work/requests.properties" requests >"$work/port" 2>"$work/ingest.err" &
ingest=$!
pids+=("$ingest")
check "ingest listens" wait_for 10 grep -q listening "$work/port"
port=$(sed 's/.* //' "$work/port")
ask() { # N: so many requests one after the other; their answers
    local i line
    exec 7<>"/dev/tcp/127.0.0.1/$port" || return
    for i in $(seq "$1"); do
        echo "$2 $i" >&7
        read -r line <&7 && echo "$line $2 $i"
    done
    exec 7>&-
}
for i in $(seq 40); do ask 25 "$i" >"$work/answers.$i" & asks+=($!); done
wait "${asks[@]}"
cat "$work"/answers.* | sort >"$work/answers"
check "ingest: 40 connections, 1000 requests, all written" test "$(grep -c '^ok ' "$work/answers")" = 1000
read_all requests -f 'ok %p %o %s\n' | sort >"$work/got"
same "ingest: each answer names the place of its record" "$work/got" "$work/answers"
begin=$(date +%s%N)
ask 100 alone >"$work/check.log"
middle=$(date +%s%N)
for i in $(seq 100); do "$examples/produce" "$KW_BROKER" requests "$i" >"$work/check.log" || break; done
end=$(date +%s%N)
echo "figure: one producer for each of 100 records: $(((end - middle) / 1000000)) ms; one for all, and each waited for: $(((middle - begin) / 1000000)) ms"
kill -TERM "$ingest"
wait "$ingest"
check "ingest ends when it is asked to" test $? = 0

# ---- 6. back-pressure ------------------------------------------------------------------------------

broker --topic lines
settings full buffer.memory=2000000
mkfifo "$work/full"
"$examples/deliver" "$work/full.properties" lines <"$work/full" >"$work/full.out" 2>"$work/full.err" &
pid=$!
pids+=("$pid")
exec 8>"$work/full" && echo first >&8
check "a first line is delivered" wait_for 10 sh -c "[ \"\$($kw consume -q -b $KW_BROKER -t lines -o beginning -e)\" = first ]"
kill -STOP "$mock_pid"
yes "a line that nobody takes" >&8 2>"$work/yes.err" &
writer=$!
sleep 1
peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status")
taken=$(awk '/^rchar/ { print $2 }' "/proc/$pid/io")
check "back-pressure: the writer waits" kill -0 "$writer"
check "back-pressure: $((taken / 1000)) kB were read from it in a second" test "$taken" -lt 20000000
check "back-pressure: $peak KiB of memory" test "$peak" -lt 40000
kill -KILL "$writer"
wait "$writer" 2>/dev/null
exec 8>&-
kill -CONT "$mock_pid"
wait "$pid"
check "back-pressure: when the broker is back, all that was read is delivered" test $? = 0

# ---- 7. places ------------------------------------------------------------------------------------------

broker --topic orders:6 "${flaky[@]}"
settings orders batch.size=1000
for i in $(seq 5000); do echo "c$((i * 7919 % 97))/$((i % 11)) $i"; done >"$work/orders"
check "place" sh -c "$examples/place $work/orders.properties orders <$work/orders"
read_all orders -f '%p %k %s\n' >"$work/got"
check "place: a customer's records are in one partition, in the order of the input" awk '
    { split($2, key, "/"); c = key[1]
      if (c in at && at[c] != $1) { print c " is in two"; exit bad = 1 }
      if ($3 <= last[c]) { print c ": " $3 " behind " last[c]; exit bad = 1 }
      at[c] = $1; last[c] = $3; used[$1] = 1; n++ }
    END { for (p in used) parts++; exit bad || n != 5000 || parts < 5 }' "$work/got"

# ---- 8. lent memory ---------------------------------------------------------------------------------------

broker --topic files:3 --fault produce:/5:close-after --fault produce:/7:error=NOT_ENOUGH_REPLICAS
settings files
head -c 30000001 /dev/urandom >"$work/file"
"$examples/lent" "$work/files.properties" files "$work/file" >"$work/lent.out" 2>"$work/lent.err"
check "lent: a file of 30 MB, from where it is mapped" test $? = 0
check "lent: in 115 pieces" grep -qx '115 pieces delivered, 0 not written, 0 unknown' "$work/lent.out"
read_all files -f '%s' >"$work/got"
same "lent: it comes out as it went in" "$work/file" "$work/got"

# ---- 12. deadlines, undo, traces ------------------------------------------------------------------------------

broker --topic urgent
settings urgent linger.ms=1000
printf '%s\n' 1 2 3 4 5 'undo 3' | "$examples/urgent" "$work/urgent.properties" urgent 20000 2>"$work/urgent.err" | sort -n >"$work/urgent.out"
same "urgent: one is taken back, the others are delivered" \
    <(printf '%s\n' '1 delivered' '2 delivered' '3 undone' '4 delivered' '5 delivered') "$work/urgent.out"
read_all urgent -f '%s %h\n' >"$work/got"
check "urgent: each has a traceparent, no two the same" awk '
    $2 ~ /^traceparent=00-[0-9a-f]+-[0-9a-f]+-01$/ && length($2) == 67 && !seen[$2]++ { n++ } END { exit n != 4 }' "$work/got"
settings urgent linger.ms=10
rm "$work/urgent.out" # what was delivered before is not what is waited for
(echo first; wait_for 20 grep -qs delivered "$work/urgent.out"; kill "$mock_pid"; wait_for 20 mock_is_gone; seq 3) |
    "$examples/urgent" "$work/urgent.properties" urgent 3000 >"$work/urgent.out" 2>"$work/urgent.err"
same "urgent: without a broker each ends at its own deadline" \
    <(printf '%s\n' '1 delivered' '2 expired' '3 expired' '4 expired') <(sort -n "$work/urgent.out")

seq 3 | "$examples/urgent" "$work/urgent.properties" urgent 200 >"$work/urgent.out" 2>"$work/urgent.err"
same "urgent: so it is with those that the client never took" \
    <(printf '%s\n' '1 expired' '2 expired' '3 expired') <(sort -n "$work/urgent.out")
check "urgent: and they are counted" grep -qx '3 not written' "$work/urgent.err"

broker --topic urgent
settings urgent
seq 10000 >"$work/many"
all_are_there() { [ "$(read_all urgent | wc -l)" = 10000 ]; }
told() { # the pipe has room for half of them
    if wait_for 20 all_are_there; then echo there; else echo missing; fi
    cat
}
"$examples/urgent" "$work/urgent.properties" urgent 60000 <"$work/many" 2>"$work/urgent.err" | told >"$work/urgent.out"
same "urgent: all are sent though nobody reads what became of them" \
    <(echo there; sed 's/$/ delivered/' "$work/many") <(head -n 1 "$work/urgent.out"; tail -n +2 "$work/urgent.out" | sort -n)
check "urgent: a hook counted them" grep -q '^10000 delivered' "$work/urgent.err"

# ---- 9. and 10.: transactions ----------------------------------------------------------------------------------

broker --topic words:3 --topic capitals:3 --fault txnoffsetcommit:*:delay=60 --fault endtxn:/9:drop-answer
transform() { # NAME: one more process of the group
    "$examples/transform" "$work/$1.properties" words capitals >>"$work/$1.out" 2>>"$work/$1.err" &
    pid=$!
    pids+=("$pid")
}
# One that is killed for good leaves a transaction open: readers wait until its time is up.
for name in t1 t2; do
    settings $name group.id=capitals transactional.id=$name enable.auto.commit=false auto.offset.reset=earliest \
        isolation.level=read_committed session.timeout.ms=1500 heartbeat.interval.ms=100 max.poll.records=5 request.timeout.ms=1000 \
        transaction.timeout.ms=4000
done
seq 6000 | sed 's/^/word /' >"$work/words"
$kw produce -q -b "$KW_BROKER" -t words -X batch.size=200 <"$work/words"
n_capitals() { read_all capitals --isolation read_committed | wc -l; }
has_capitals() { [ "$(n_capitals)" -ge "$1" ]; }
n_written() { read_all capitals --isolation read_uncommitted | wc -l; }
transform t1
check "transform writes" wait_for 20 has_capitals 500
# Killed until at least one of them had begun what it could not commit.
round=0 hit=no
while [ $round -lt 4 ] || { [ $hit = no ] && [ $round -lt 12 ]; }; do
    end KILL "$pid"
    [ "$(n_written)" -gt "$(n_capitals)" ] && hit=yes
    round=$((round + 1)) before=$(n_capitals)
    transform t1
    wait_for 20 has_capitals $((before + 300))
done
first=$pid
transform t2
check "transform: a second one shares the work" wait_for 20 grep -q '[1-9] partitions are ours' "$work/t2.err"
wait_for 20 has_capitals 4000
end KILL "$first"
check "transform: killed again and again, all is written in the end" wait_for 30 has_capitals 6000
sleep 1
kill -TERM "$pid"
wait "$pid"
check "transform ends when it is asked to" test $? = 0
read_all capitals --isolation read_committed | sort -t ' ' -k 2n >"$work/got"
same "transform: readers of what is committed see each record once" <(tr '[:lower:]' '[:upper:]' <"$work/words") "$work/got"
read_all capitals --isolation read_uncommitted >"$work/all"
check "transform: there were aborted ones" test "$(wc -l <"$work/all")" -gt 6000
echo "figure: transform: $(wc -l <"$work/all") records were written, $(wc -l <"$work/got") of them are committed"
seq 300 | $kw produce -q -b "$KW_BROKER" -t capitals -T loader -X batch.size=200
check "kw produce -T: all of a file or nothing" test "$(n_capitals)" = 6300
done_testing
