#!/usr/bin/env bash
# Authentication against a real broker: each mechanism writes and reads; a wrong
# password, a wrong mechanism and a wrong listener are refused in one attempt, with
# exit code 4 and the broker's own words; sessions of 5 s are prolonged under load.
#
# KW_SESSION_SECONDS (20): how long the load goes on.
#
# covers: S08 S13 S15 S16 S17 S18 S19
. "$(dirname "$0")/lib.sh"
if [ -n "${KW_BROKER:-}" ]; then
    echo "ok - $test_name: skipped, it needs a broker of its own"
    exit 0
fi
export KW_KAFKA_LISTENERS="SASL_PLAINTEXT FEW:SASL_PLAINTEXT SASL_SSL" KW_KAFKA_PROPERTIES=$PWD/$work/properties
cat >"$KW_KAFKA_PROPERTIES" <<'END'
connections.max.reauth.ms=5000
listener.name.few.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
END
need_kafka
sasl=$KW_BROKER_SASL_PLAINTEXT
base=(-b "$sasl" -X security.protocol=SASL_PLAINTEXT -X sasl.allow.plaintext=true)
alice=(-X sasl.username=alice -X sasl.password=alice-secret)

base64url() { base64 -w 0 | tr '+/' '-_' | tr -d '='; }
token() { # SUBJECT SECONDS
    local now
    now=$(date +%s)
    printf '%s.%s.' "$(printf '{"alg":"none"}' | base64url)" \
        "$(printf '{"sub":"%s","iat":%d,"exp":%d}' "$1" "$now" $((now + $2)) | base64url)"
}

# ---- what is right -------------------------------------------------------------

new_topic sasl
round() { # NAME OPTION...
    local name=$1
    shift
    check "$name: kw produce" $kw produce "${base[@]}" "$@" -t sasl <<<"by $name"
    $kw consume -q "${base[@]}" "$@" -t sasl -o beginning -e >"$work/got" 2>"$work/consume.log"
    kcat -C -q -b "$KW_BROKER" -t sasl -o beginning -e >"$work/want"
    same "$name: kw consume reads what kcat reads without SASL" "$work/want" "$work/got"
    check "$name: the record is there" grep -qx "by $name" "$work/got"
}
for mechanism in PLAIN SCRAM-SHA-256 SCRAM-SHA-512; do
    round $mechanism -X sasl.mechanism=$mechanism "${alice[@]}"
done
round OAUTHBEARER -X sasl.mechanism=OAUTHBEARER -X sasl.oauthbearer.token="$(token alice 600)"
round jaas -X sasl.mechanism=SCRAM-SHA-256 -X 'sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="alice" password="alice-secret";'

# What SCRAM has to escape; letters beyond ASCII in the password (in the name, Kafka's
# own SCRAM does not take them).
odd_name='o,d=d d'
check "Kafka's own tool makes a user with odd characters" \
    tools/kafka.sh tool configs --bootstrap-server "$KW_BROKER" --alter --entity-type users \
    --entity-name "$odd_name" --add-config "SCRAM-SHA-512=[iterations=8192,password=oddödd]"
round odd-name -X sasl.mechanism=SCRAM-SHA-512 -X "sasl.username=$odd_name" -X "sasl.password=oddödd"

# The same over TLS, where PLAIN needs no leave.
if $kw meta -b "$KW_BROKER" -X security.protocol=SSL 2>&1 | grep -q "no TLS"; then
    echo "ok - $test_name: no TLS in this build"
    tls=no
else
    tls=yes
    plain_base=("${base[@]}")
    tls_options=(security.protocol=SASL_SSL ssl.ca.location="$KW_KAFKA_DIR/tls/ca.crt")
    base=(-b "$KW_BROKER_SASL_SSL" -X "${tls_options[0]}" -X "${tls_options[1]}")
    round PLAIN-over-TLS -X sasl.mechanism=PLAIN "${alice[@]}"
    round SCRAM-over-TLS -X sasl.mechanism=SCRAM-SHA-512 "${alice[@]}"
    round OAUTHBEARER-over-TLS -X sasl.mechanism=OAUTHBEARER -X sasl.oauthbearer.token="$(token alice 600)"
    base=("${plain_base[@]}")
fi

# ---- what is wrong ---------------------------------------------------------------

# refused TEXT PATTERN OPTION...: exit code 4, one attempt, quickly, PATTERN is said
refused() {
    local text=$1 pattern=$2 rc start
    shift 2
    start=$(date +%s%N)
    timeout 20 $kw meta "$@" >"$work/out" 2>"$work/err"
    rc=$?
    local ms=$((($(date +%s%N) - start) / 1000000))
    if [ $rc = 4 ] && grep -q -- "$pattern" "$work/err" && [ $ms -lt 5000 ]; then
        ok "$text: exit code 4 within 5 s"
    else
        cat "$work/err"
        not_ok "$text: exit code $rc after $ms ms"
    fi
    if grep -q "wrong-secret\|alice-secret" "$work/err" "$work/out"; then not_ok "$text: the password is shown"; fi
}
for mechanism in PLAIN SCRAM-SHA-256 SCRAM-SHA-512; do
    refused "$mechanism with a wrong password" "refused to authenticate us with $mechanism: Authentication failed" \
        "${base[@]}" -X sasl.mechanism=$mechanism -X sasl.username=alice -X sasl.password=wrong-secret
done
refused "a token that is over" 'refused to authenticate us with OAUTHBEARER: {"status":"invalid_token"' \
    "${base[@]}" -X sasl.mechanism=OAUTHBEARER -X sasl.oauthbearer.token="$(token alice -60)"
refused "a listener without SASL" "does not authenticate with SASL" \
    -b "$KW_BROKER" -X security.protocol=SASL_PLAINTEXT -X sasl.mechanism=SCRAM-SHA-256 "${alice[@]}"

refused "a mechanism that is not offered" "does not take SCRAM-SHA-256 here; it takes: .*SCRAM-SHA-512" \
    -b "$KW_BROKER_FEW" -X security.protocol=SASL_PLAINTEXT -X sasl.mechanism=SCRAM-SHA-256 "${alice[@]}"

$kw meta -b "$sasl" -X security.protocol=SASL_PLAINTEXT -X sasl.mechanism=PLAIN "${alice[@]}" >"$work/err" 2>&1
if [ $? = 2 ] && grep -q "not encrypted" "$work/err"; then ok "PLAIN without TLS is refused"; else
    cat "$work/err"
    not_ok "PLAIN without TLS is refused"
fi

# ---- sessions of 5 s under load ------------------------------------------------------

seconds=${KW_SESSION_SECONDS:-20}
session() { # NAME OPTION...
    local name=$1
    shift
    new_topic "session-$name"
    $build/tests/live/session "$address" "session-$name" "$seconds" "$@" >"$work/session" 2>"$work/session.log"
    local rc=$? again lost
    again=$(awk '$1 == "again" { print $2 }' "$work/session")
    lost=$(awk '$1 == "lost" { print $2 }' "$work/session")
    echo "$name: $(tr '\n' ' ' <"$work/session")"
    if [ $rc = 0 ]; then ok "$name: $seconds s of load came back whole and in order"; else
        tail -n 5 "$work/session.log"
        not_ok "$name: $seconds s of load"
    fi
    # Produce and fetch connections, about each 4.5 s.
    if [ "${again:-0}" -ge $((2 * seconds / 6)) ] && [ "${lost:-1}" = 0 ]; then
        ok "$name: sessions were prolonged, no request was lost"
    else
        not_ok "$name: $again times authenticated again, $lost requests lost"
    fi
}
[ -x $build/tests/live/session ] || { echo "not ok - $test_name: run make tests"; exit 1; }
address=$sasl
session scram security.protocol=SASL_PLAINTEXT sasl.mechanism=SCRAM-SHA-512 sasl.username=alice \
    sasl.password=alice-secret
session oauth security.protocol=SASL_PLAINTEXT sasl.allow.plaintext=true sasl.mechanism=OAUTHBEARER
if [ $tls = yes ]; then
    address=$KW_BROKER_SASL_SSL
    session scram-over-tls "${tls_options[@]}" sasl.mechanism=SCRAM-SHA-256 sasl.username=alice \
        sasl.password=alice-secret
fi

done_testing
