#!/usr/bin/env bash
# kw doctor against the in-tree broker: what is well, and each fault with its step,
# its verdict and its remedy, as text and as JSON.
#
# covers: N32 N34 S08 S16
. "$(dirname "$0")/lib.sh"

# row STEP PATTERN: a line of this step matches
row() {
    if grep -Eq -- "^(ok|skipped|warning|FAILED) +$1 +.*$2" "$out"; then ok "$1: $2"; else
        not_ok "$1: no line matches '$2'"
        show
    fi
}
verdict() { # STEP WORD
    if grep -Eq -- "^$2 +$1 " "$out"; then ok "$1 is $2"; else
        not_ok "$1 is not $2"
        show
    fi
}
start_broker --brokers 3 --topic t:6 --topic empty:1
seq 10 | "$kw" produce -q -b "$B" -t t -p 0
run "all is well" 0 "$kw" doctor -b "${B%%,*}" -t t
for step in resolve connect versions metadata broker leaders fetch; do verdict $step ok; done
row metadata "3 brokers"
row broker "broker 3 at .*can be reached"
row fetch "offset [0-9]+"
verdict clock skipped
row clock "not known: no broker's clock can be read"
says "the sum is said" "it works; there are warnings|nothing is wrong"
true_that "three brokers are tried" [ "$(grep -c '^ok  *broker ' "$out")" = 3 ]

run "an empty topic" 0 "$kw" doctor -b "${B%%,*}" -t empty
row fetch "there is no record"
run "a topic that is missing" 1 "$kw" doctor -b "${B%%,*}" -t missing
verdict leaders FAILED
row leaders "UNKNOWN_TOPIC_OR_PARTITION"
run "no topic" 0 "$kw" doctor -b "${B%%,*}"
verdict fetch skipped
run "JSON" 0 "$kw" doctor -b "${B%%,*}" -t t -J
true_that "it is one object" [ "$(wc -l <"$out")" = 1 ]
if command -v jq >/dev/null; then
    true_that "a verdict" test "$(jq -r .verdict "$out")" = ok
    true_that "its exit status" test "$(jq -r .exit "$out")" = 0
    true_that "each step has a verdict" test "$(jq '[.steps[]|select(.verdict==null or .text==null)]|length' "$out")" = 0
    true_that "a warning has a remedy" test "$(jq '[.steps[]|select(.verdict=="warning" and .remedy==null)]|length' "$out")" = 0
fi

begin=$SECONDS
run "nobody listens" 3 "$kw" doctor -b 127.0.0.1:1
verdict connect FAILED
row connect "refused"
run "one of two servers is down" 3 "$kw" doctor -b "127.0.0.1:1,${B%%,*}"
verdict connect FAILED
verdict metadata ok
run "no such host" 3 "$kw" doctor -b no-such-host.invalid:9092
verdict resolve FAILED
true_that "all of that quickly" [ $((SECONDS - begin)) -le 20 ]

start_broker --topic t:1 --advertise no-such-host.invalid
run "a wrong advertised address" 3 "$kw" doctor -b "127.0.0.1:${B##*:}" -t t --timeout 1500
row resolve "no-such-host.invalid:.*broker 1"
verdict broker FAILED
true_that "the remedy names the setting" grep -q -- '-> broker 1 names this address in advertised.listeners' "$out"

start_broker --topic t:1 --sasl PLAIN:u:p
base=(-b "$B" -X security.protocol=SASL_PLAINTEXT -X sasl.allow.plaintext=true -X sasl.mechanism=PLAIN -X sasl.username=u)
run "authentication" 0 "$kw" doctor "${base[@]}" -X sasl.password=p
row sasl "authenticated with PLAIN"
run "a wrong password" 4 "$kw" doctor "${base[@]}" -X sasl.password=hidden
verdict sasl FAILED
true_that "the password is not shown" sh -c "! grep -q hidden '$out' '$err'"
run "no SASL" 4 "$kw" doctor -b "$B"
verdict metadata FAILED
true_that "the remedy names the key" grep -q -- '-> does this listener want SASL? set security.protocol' "$out"

start_broker --topic t:1 --fault 'fetch:*:error=TOPIC_AUTHORIZATION_FAILED'
run "no right to read" 4 "$kw" doctor -b "$B" -t t
verdict fetch FAILED
row fetch "not authorized to Read on topic t"
verdict copies warning
row copies "1 copies"
start_broker --topic t:1 --fault 'fetch:*:drop-answer' --fault 'metadata:1:delay=300'
run "a fetch without an answer" 1 "$kw" doctor -b "$B" -t t --timeout 1500
verdict fetch FAILED
run "no server" 2 "$kw" doctor
run "a wrong option" 2 "$kw" doctor -b "$B" --frob
done_testing
