#!/usr/bin/env bash
# What cannot be mended by another attempt ends after one, with the exit code that a
# script can act upon; a second address is still tried. What each message says is in
# tests/live/errors.sh.
#
# covers: S06 S16 N34
. "$(dirname "$0")/lib.sh"

listen() { # KIND: sets address
    perl tests/cli/listen.pl "$1" >"$work/port.$1" &
    started+=($!)
    await 10 test -s "$work/port.$1" || { not_ok "listen.pl $1 does not start"; exit 1; }
    address=127.0.0.1:$(cat "$work/port.$1")
}
# at_once TEXT EXIT PATTERN ARGUMENTS...: one line, within 3 s of the deadline of 30
at_once() {
    local text=$1 exit=$2 pattern=$3 begin=$SECONDS
    shift 3
    run "$text" "$exit" "$kw" "$@" <"$work/input"
    says "$text: why" "$pattern"
    true_that "$text: at once" [ $((SECONDS - begin)) -le 10 ]
    true_that "$text: it is said once" [ "$(grep -Ec "$pattern" "$err")" = 1 ]
}
echo x >"$work/input"
start_broker --topic t:1
good=$B
start_broker --topic t:1 --sasl PLAIN:u:p
sasl=$B

listen http
for command in meta "produce -t t" "consume -t t -e"; do
    # shellcheck disable=SC2086
    at_once "$command, HTTP" 3 "speaks HTTP on this port.*web server" $command -b "$address"
    # shellcheck disable=SC2086
    at_once "$command, a SASL listener without SASL" 4 "does this listener want SASL" $command -b "$sasl"
done
run "a web server and a broker" 0 "$kw" produce -b "$address,$good" -t t <"$work/input"
listen tls
at_once "plain text to a TLS port" 4 "speaks TLS on this port.*SASL_SSL" meta -b "$address"
listen noise
run "noise, which may be damage" 3 "$kw" meta -b "$address" --timeout 1000
says "noise: why" "not a Kafka broker"
if "$kw" meta -b 127.0.0.1:1 -X security.protocol=SSL --timeout 1 2>&1 | grep -q 'no TLS\|WITH_TLS=none'; then
    ok "skipped, this build has no TLS"
else
    for command in meta "produce -t t" "consume -t t -e"; do
        # shellcheck disable=SC2086
        at_once "$command, TLS to a plain port" 4 "without a word of TLS.*plaintext listener" \
            $command -b "$good" -X security.protocol=SSL
    done
fi

# A broker that gives itself an address that nobody can resolve.
start_broker --topic t:1 --advertise no-such-host.invalid
B=127.0.0.1:${B##*:}
run "a wrong advertised address" 1 "$kw" produce -b "$B" -t t --timeout 2000 -X delivery.timeout.ms=1500 \
    -X request.timeout.ms=1000 <"$work/input"
says "a wrong advertised address: whose" "broker 1 names this address in advertised.listeners"

start_broker --topic t:1 --fault '*:*:error=TOPIC_AUTHORIZATION_FAILED:topic=t'
at_once "no right to describe" 4 "not authorized to Describe on topic t: .*--operation Describe --topic t" \
    produce -b "$B" -t t
start_broker --topic t:1 --fault 'fetch:*:error=TOPIC_AUTHORIZATION_FAILED'
at_once "no right to read" 4 "not authorized to Read on topic t: .*--operation Read --topic t" \
    consume -b "$B" -t t -e
start_broker --topic t:1 --fault 'initproducerid:*:error=CLUSTER_AUTHORIZATION_FAILED'
at_once "no right to write idempotently" 4 "not authorized to IdempotentWrite on the cluster" \
    produce -b "$B" -t t
done_testing
