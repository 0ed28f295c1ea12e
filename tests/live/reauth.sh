#!/usr/bin/env bash
# Sessions of 5 s (connections.max.reauth.ms=5000) while a client produces as fast as
# it can and reads everything back: nothing is lost, doubled, reordered or mixed up,
# and no connection is lost for it.
#
# KW_SESSION_SECONDS (12): how long the load goes on, for each mechanism.
#
# covers: S15
. "$(dirname "$0")/lib.sh"
if [ -n "${KW_BROKER:-}" ]; then
    echo "ok - $test_name: skipped, it needs a broker of its own"
    exit 0
fi
[ -x build/tests/live/session ] || { echo "not ok - $test_name: run make tests"; exit 1; }
export KW_KAFKA_LISTENERS="SASL_PLAINTEXT SASL_SSL" KW_KAFKA_PROPERTIES=$PWD/$work/properties
cat >"$KW_KAFKA_PROPERTIES" <<'END'
connections.max.reauth.ms=5000
log.retention.bytes=400000000
log.segment.bytes=100000000
END
need_kafka
seconds=${KW_SESSION_SECONDS:-12}

session() { # NAME ADDRESS OPTION...
    local name=$1 address=$2 rc again lost wrong
    shift 2
    new_topic "reauth-$name"
    build/tests/live/session -f "$address" "reauth-$name" "$seconds" linger.ms=5 "$@" \
        >"$work/session" 2>"$work/session.log"
    rc=$?
    again=$(awk '$1 == "again" { print $2 }' "$work/session")
    lost=$(awk '$1 == "lost" { print $2 }' "$work/session")
    wrong=$(grep -ciE 'correlation|cannot be read|no request' "$work/session.log")
    if [ $rc = 0 ]; then ok "$name: $seconds s of full load came back whole and in order"; else
        tail -n 5 "$work/session.log"
        not_ok "$name: $seconds s of full load"
    fi
    # One connection to produce and one to fetch, each about every 4.5 s.
    if [ "${again:-0}" -ge $((2 * (seconds / 5) - 1)) ] && [ "${lost:-1}" = 0 ] && [ "$wrong" = 0 ]; then
        ok "$name: sessions were prolonged, no request was lost, no answer mismatched"
    else
        not_ok "$name: $again times authenticated again, $lost requests lost, $wrong answers mismatched"
    fi
    echo "figure: $name: $(tr '\n' ' ' <"$work/session")"
}
alice=(sasl.username=alice sasl.password=alice-secret)
session scram "$KW_BROKER_SASL_PLAINTEXT" security.protocol=SASL_PLAINTEXT sasl.mechanism=SCRAM-SHA-512 "${alice[@]}"
session oauth "$KW_BROKER_SASL_PLAINTEXT" security.protocol=SASL_PLAINTEXT sasl.allow.plaintext=true \
    sasl.mechanism=OAUTHBEARER
if $kw meta -b "$KW_BROKER" -X security.protocol=SSL 2>&1 | grep -q "no TLS"; then
    echo "ok - $test_name: no TLS in this build"
else
    session plain-over-tls "$KW_BROKER_SASL_SSL" security.protocol=SASL_SSL sasl.mechanism=PLAIN \
        ssl.ca.location="$KW_KAFKA_DIR/tls/ca.crt" "${alice[@]}"
fi
done_testing
