#!/usr/bin/env bash
# kw doctor against a real cluster: each kind of listener, the clock of the controller,
# copies of a topic, and what is wrong when something is.
#
# covers: S04 S06 S16
. "$(dirname "$0")/lib.sh"
if [ -n "${KW_BROKER:-}" ]; then
    echo "ok - $test_name: skipped, it needs a broker of its own"
    exit 0
fi
export KW_KAFKA_LISTENERS="SSL EXPIRED:SSL SASL_PLAINTEXT SASL_SSL"
need_kafka
tls=$KW_KAFKA_DIR/tls
new_topic doctor 3
seq 100 | $kw produce -q -b "$KW_BROKER" -t doctor
trust=(-X "ssl.ca.location=$tls/ca.crt")
alice=(-X sasl.mechanism=SCRAM-SHA-512 -X sasl.username=alice -X sasl.password=alice-secret)

# walks NAME EXIT STEP=VERDICT... -- OPTION...
walks() {
    local name=$1 exit=$2 rc wanted=()
    shift 2
    while [ "$1" != -- ]; do wanted+=("$1"); shift; done
    shift
    timeout 60 $kw doctor "$@" >"$work/out" 2>"$work/err"
    rc=$?
    check "$name: exit $exit" test $rc = "$exit"
    for pair in "${wanted[@]}"; do
        check "$name: ${pair%=*} is ${pair#*=}" grep -Eq "^${pair#*=} +${pair%=*} " "$work/out"
    done
    [ $n_not_ok = 0 ] || cat "$work/out" "$work/err"
}
says() { check "$1" grep -Eq -- "$2" "$work/out"; }

walks plain 1 connect=ok versions=ok metadata=ok broker=ok leaders=ok copies=warning clock=ok fetch=ok -- \
    -b "$KW_BROKER" -t doctor
says "one copy is warned of" "acks=all protects nothing with one copy"
if date -d @0 >/dev/null 2>&1; then says "the clocks agree" "active controller.* is [0-9]{1,3} ms"; fi
walks TLS 1 tls=warning broker=ok fetch=ok -- -b "$KW_BROKER_SSL" -X security.protocol=SSL "${trust[@]}" -t doctor
says "the certificate is described" "TLSv1.3, .*certificate of 'server' for localhost, 127.0.0.1.* by 'kwire test ca'.*days left"
says "and that it ends soon" "renew the certificate on the broker before"
walks SASL 0 sasl=ok broker=ok -- -b "$KW_BROKER_SASL_PLAINTEXT" -X security.protocol=SASL_PLAINTEXT "${alice[@]}"
walks SASL_SSL 1 tls=warning sasl=ok broker=ok -- -b "$KW_BROKER_SASL_SSL" -X security.protocol=SASL_SSL "${trust[@]}" "${alice[@]}"
walks "an expired certificate" 4 connect=ok tls=FAILED -- -b "$KW_BROKER_EXPIRED" -X security.protocol=SSL "${trust[@]}"
says "its date and ours" "expired on 20.*our clock says 20"
walks "no authority" 4 tls=FAILED -- -b "$KW_BROKER_SSL" -X security.protocol=SSL
walks "TLS to a plaintext listener" 4 tls=FAILED -- -b "$KW_BROKER" -X security.protocol=SSL "${trust[@]}"
walks "a wrong password" 4 sasl=FAILED -- -b "$KW_BROKER_SASL_PLAINTEXT" -X security.protocol=SASL_PLAINTEXT \
    -X sasl.mechanism=SCRAM-SHA-512 -X sasl.username=alice -X sasl.password=wrong
tools/kafka.sh pause 1
walks "a broker that hangs" 3 versions=FAILED -- -b "$KW_BROKER" --timeout 3000 -X socket.connection.setup.timeout.ms=1000
tools/kafka.sh resume 1
done_testing
