#!/usr/bin/env bash
# Authentication against the in-tree broker: each mechanism, exit code 4 with the
# cause in one attempt, sessions that end, and what is wrong with the options.
. "$(dirname "$0")/lib.sh"

hides() { if grep -q -- "$2" "$err"; then not_ok "$1"; else ok "$1"; fi; }
run "a session without users" 2 "$kw" broker --session 1000
run "--sasl without a password" 2 "$kw" broker --sasl PLAIN:u
run "--sasl without a user" 2 "$kw" broker --sasl PLAIN::p
run "--sasl with a mechanism that is none" 2 "$kw" broker --sasl GSSAPI:u:p
hides "no password is shown" ":p"

start_broker --topic t:1 --sasl PLAIN:al,ice:se:cret --sasl OAUTHBEARER:bob:x
plain=(-X security.protocol=SASL_PLAINTEXT -X sasl.allow.plaintext=true)
alice=(-X sasl.mechanism=PLAIN -X "sasl.username=al,ice" -X sasl.password=se:cret)
run "PLAIN" 0 "$kw" produce -b "$B" "${plain[@]}" "${alice[@]}" -t t <<<x
run "OAUTHBEARER" 0 "$kw" consume -b "$B" "${plain[@]}" -X sasl.mechanism=OAUTHBEARER \
    -X sasl.oauthbearer.token=bob -t t -e
begin=$SECONDS
run "a wrong password" 4 "$kw" meta -b "$B" "${plain[@]}" -X sasl.mechanism=PLAIN -X sasl.username=bob -X sasl.password=hidden
says "a wrong password: the broker's words" "refused to authenticate us with PLAIN: .*Invalid username or password"
hides "a wrong password is not shown" hidden
run "a wrong password, produce" 4 "$kw" produce -b "$B" "${plain[@]}" -X sasl.mechanism=PLAIN -X sasl.username=bob -X sasl.password=hidden -t t <<<x
run "a wrong password, consume" 4 "$kw" consume -b "$B" "${plain[@]}" -X sasl.mechanism=PLAIN -X sasl.username=bob -X sasl.password=hidden -t t -e
run "a wrong token" 4 "$kw" meta -b "$B" "${plain[@]}" -X sasl.mechanism=OAUTHBEARER -X sasl.oauthbearer.token=mallory
says "a wrong token: the broker's words" "invalid_token"
true_that "all of that at once" [ $((SECONDS - begin)) -le 20 ]
run "PLAIN without TLS" 2 "$kw" meta -b "$B" -X security.protocol=SASL_PLAINTEXT "${alice[@]}"
says "PLAIN without TLS: why" "not encrypted"

# SCRAM needs a build with cryptography.
if timeout 1 "$kw" broker --sasl SCRAM-SHA-256:u:p --listen 127.0.0.1:0 2>&1 | grep -q "no cryptography"; then
    run "SCRAM without cryptography" 1 "$kw" meta -b "$B" -X security.protocol=SASL_PLAINTEXT \
        -X sasl.mechanism=SCRAM-SHA-256 -X sasl.username=u -X sasl.password=p
    done_testing
fi
run "a mechanism that is not offered" 4 "$kw" meta -b "$B" -X security.protocol=SASL_PLAINTEXT \
    -X sasl.mechanism=SCRAM-SHA-256 -X sasl.username=u -X sasl.password=p
says "a mechanism that is not offered: the list" "it takes: PLAIN, OAUTHBEARER"

start_broker --topic t:1 --sasl SCRAM-SHA-256:u:p --sasl SCRAM-SHA-512:v:q --session 1100
scram=(-b "$B" -X security.protocol=SASL_PLAINTEXT)
for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do
    run "$mechanism" 0 "$kw" produce "${scram[@]}" -X sasl.mechanism=$mechanism -X sasl.username=u -X sasl.password=p -t t <<<x
    run "$mechanism with a wrong password" 4 "$kw" meta "${scram[@]}" -X sasl.mechanism=$mechanism -X sasl.username=u -X sasl.password=q
done
# Three sessions long.
seq 400 >"$work/numbers"
run "sessions end while records are written" 0 "$kw" produce "${scram[@]}" -X sasl.mechanism=SCRAM-SHA-512 \
    -X sasl.username=v -X sasl.password=q -t t --rate 100 -l "$work/numbers"
says "each was delivered" "400 delivered, 0 failed"
done_testing
