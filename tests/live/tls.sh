#!/usr/bin/env bash
# TLS against a real broker: records go through a listener with TLS, one that wants
# a certificate of its client, and one with SASL on top, and come back the same as
# kcat reads them without; whoever may not be trusted is refused in one attempt,
# with exit code 4, the reason and a remedy. KW=build/mbedtls/kw: the same by mbedTLS.
#
# covers: S01 S04 S05 S06 S07
. "$(dirname "$0")/lib.sh"
if [ -n "${KW_BROKER:-}" ]; then
    echo "ok - $test_name: skipped, it needs a broker of its own"
    exit 0
fi
if $kw meta -b 127.0.0.1:1 -X security.protocol=SSL --timeout 1 2>&1 | grep -q 'WITH_TLS=none'; then
    echo "ok - $test_name: skipped, this build has no TLS"
    exit 0
fi
export KW_KAFKA_LISTENERS="SSL MTLS:SSL OTHERNAME:SSL SASL_SSL"
need_kafka
tls=$KW_KAFKA_DIR/tls
trust=(-X security.protocol=SSL -X "ssl.ca.location=$tls/ca.crt")
# What this build's library has: TLS 1.3 with OpenSSL, and it alone reads PKCS#12.
suite=TLS_CHACHA20_POLY1305_SHA256
pkcs12=yes
if $kw meta -b 127.0.0.1:1 "${trust[@]}" -X ssl.enabled.protocols=TLSv1.3 2>&1 | grep -q 'alone is asked for'; then
    suite=ECDHE-ECDSA-CHACHA20-POLY1305
fi
if $kw meta -b 127.0.0.1:1 "${trust[@]}" -X "ssl.keystore.location=$tls/client.p12" 2>&1 | grep -q 'build with mbedTLS cannot read'; then
    pkcs12=no
fi

# ---- what is right -------------------------------------------------------------

# 20,000 records of 0 to 3 KB with their numbers: they fill many TLS records, and
# none ends where a TLS record does.
awk 'BEGIN { srand(7); for (i = 1; i <= 20000; i++) { s = ""; n = int(rand() * 40)
    while (n-- > 0) s = s sprintf("%x", rand() * 2 ^ 31) rand(); print i ":" s } }' >"$work/records"

round() { # NAME ADDRESS OPTION...
    local name=$1 address=$2
    shift 2
    new_topic "$name"
    check "$name: kw produce" $kw produce -b "$address" "$@" -t "$name" <"$work/records"
    kcat -C -q -b "$KW_BROKER" -t "$name" -o beginning -e >"$work/kcat"
    same "$name: kcat reads without TLS what kw wrote with it" "$work/records" "$work/kcat"
    $kw consume -q -b "$address" "$@" -t "$name" -o beginning -e >"$work/got" 2>"$work/consume.log"
    same "$name: kw consume" "$work/records" "$work/got"
}
round tls "$KW_BROKER_SSL" "${trust[@]}"
round tls12 "$KW_BROKER_SSL" "${trust[@]}" -X ssl.enabled.protocols=TLSv1.2 -X compression.type=gzip
round suite "$KW_BROKER_SSL" "${trust[@]}" -X ssl.cipher.suites=$suite
round names "localhost:${KW_BROKER_SSL#*:}" "${trust[@]}"
round mtls "$KW_BROKER_MTLS" "${trust[@]}" -X "ssl.keystore.location=$tls/client.pem"
round pair "$KW_BROKER_MTLS" "${trust[@]}" -X "ssl.certificate.location=$tls/client.crt" \
    -X "ssl.key.location=$tls/client-locked.key" -X ssl.key.password=key-secret
if [ $pkcs12 = yes ]; then
    round pkcs12 "$KW_BROKER_MTLS" "${trust[@]}" -X "ssl.keystore.location=$tls/client.p12" \
        -X ssl.keystore.password=client-secret
fi
for mechanism in PLAIN SCRAM-SHA-256 SCRAM-SHA-512; do
    round "sasl-$mechanism" "$KW_BROKER_SASL_SSL" -X security.protocol=SASL_SSL \
        -X "ssl.ca.location=$tls/ca.crt" -X sasl.mechanism=$mechanism -X sasl.username=alice \
        -X sasl.password=alice-secret
done

# ---- whom we do not trust, and who does not trust us --------------------------------

# refused NAME ADDRESS WORDS OPTION...: exit code 4 after one connection, with the
# words, on one line, with a remedy in brackets
refused() {
    local name=$1 address=$2 words=$3 what n rc
    shift 3
    for what in meta produce consume; do
        case $what in
        meta) timeout 20 strace -f -e trace=connect -o "$work/calls" $kw meta -b "$address" "$@" ;;
        produce) echo x | timeout 20 strace -f -e trace=connect -o "$work/calls" \
            $kw produce -b "$address" "$@" -t tls ;;
        consume) timeout 20 strace -f -e trace=connect -o "$work/calls" \
            $kw consume -b "$address" "$@" -t tls -e ;;
        esac >"$work/out" 2>&1
        rc=$?
        n=$(grep -c "htons(${address#*:})" "$work/calls")
        if [ $rc = 4 ] && [ "$n" = 1 ] && grep -qF -- "$words" "$work/out" &&
            [ "$(grep -c '(.*)$' "$work/out")" = 1 ] && [ "$(wc -l <"$work/out")" = 1 ]; then
            ok "$name: kw $what ends with 4 after one attempt and says: $words"
        else
            cat "$work/out"
            not_ok "$name: kw $what: exit code $rc, $n attempts"
        fi
    done
}
refused "another authority" "$KW_BROKER_SSL" "issued by nobody that is trusted" \
    -X security.protocol=SSL -X "ssl.ca.location=$tls/stranger.crt"
refused "the system's authorities" "$KW_BROKER_SSL" "issued by nobody that is trusted" \
    -X security.protocol=SSL
refused "another host name" "$KW_BROKER_OTHERNAME" "is not for 127.0.0.1, but for other.example" \
    "${trust[@]}"
refused "no client certificate" "$KW_BROKER_MTLS" \
    "the broker wants a client certificate and got none" "${trust[@]}"
refused "no client certificate in TLS 1.2" "$KW_BROKER_MTLS" \
    "the broker wants a client certificate and got none" "${trust[@]}" \
    -X ssl.enabled.protocols=TLSv1.2
refused "a client certificate of a stranger" "$KW_BROKER_MTLS" \
    "the broker could not accept our certificate" "${trust[@]}" \
    -X "ssl.keystore.location=$tls/stranger-client.pem"

# unreached NAME ADDRESS WORDS OPTION...: exit code 3
unreached() {
    local name=$1 address=$2 words=$3 rc
    shift 3
    $kw meta -b "$address" "$@" --timeout 2000 >"$work/out" 2>&1
    rc=$?
    if [ $rc = 3 ] && grep -qF -- "$words" "$work/out"; then ok "$name: $words"; else
        cat "$work/out"
        not_ok "$name: exit code $rc"
    fi
}
refused "TLS to a plain port" "$KW_BROKER" "without a word of TLS" "${trust[@]}"
refused "plain text to a TLS port" "$KW_BROKER_SSL" "the peer speaks TLS on this port" -X security.protocol=PLAINTEXT

# A broker that hangs: the system takes the connection, and nobody answers.
tools/kafka.sh pause 1
unreached "a handshake without an answer" "$KW_BROKER_SSL" "TLS handshake within" "${trust[@]}" \
    -X socket.connection.setup.timeout.ms=500
tools/kafka.sh resume 1

# set_wrong NAME WORDS OPTION...: exit code 2, nothing is tried
set_wrong() {
    local name=$1 words=$2 rc
    shift 2
    $kw meta -b "$KW_BROKER_SSL" "$@" >"$work/out" 2>&1
    rc=$?
    if [ $rc = 2 ] && grep -qF -- "$words" "$work/out" && ! grep -q wrong-secret "$work/out"; then
        ok "$name: $words"
    else
        cat "$work/out"
        not_ok "$name: exit code $rc"
    fi
}
set_wrong "an empty algorithm" "write none" "${trust[@]}" -X ssl.endpoint.identification.algorithm=
set_wrong "a wrong key password" "a wrong password" "${trust[@]}" \
    -X "ssl.certificate.location=$tls/client.crt" -X "ssl.key.location=$tls/client-locked.key" \
    -X ssl.key.password=wrong-secret
words="a wrong password"
[ $pkcs12 = yes ] || words="a build with mbedTLS cannot read"
set_wrong "a wrong store password" "$words" "${trust[@]}" \
    -X "ssl.keystore.location=$tls/client.p12" -X ssl.keystore.password=wrong-secret
set_wrong "a key of TLS without TLS" "has no effect without TLS" -X "ssl.ca.location=$tls/ca.crt"
done_testing
