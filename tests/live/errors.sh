#!/usr/bin/env bash
# Provokes what goes wrong between a client and a cluster, on a real broker where that
# can be had, and holds each message against docs/ERRORS.md, which this script writes:
#
#   tests/live/errors.sh --write    writes docs/ERRORS.md from what was said
#
# Addresses, dates and paths differ from run to run and stand there as HOST:PORT, DATE
# and DIR.
#
# covers: S04 S06 S08 S16 S17 N32 N34
write=no
[ "${1:-}" != --write ] || write=yes
. "$(dirname "$0")/lib.sh"
if [ -n "${KW_BROKER:-}" ]; then
    echo "ok - $test_name: skipped, it needs a broker of its own"
    exit 0
fi
if $kw meta -b 127.0.0.1:1 -X security.protocol=SSL --timeout 1 2>&1 | grep -q 'no TLS\|WITH_TLS=none'; then
    echo "ok - $test_name: skipped, this build has no TLS"
    exit 0
fi
export KW_KAFKA_LISTENERS="SSL MTLS:SSL OTHERNAME:SSL EXPIRED:SSL SASL_PLAINTEXT FEW:SASL_PLAINTEXT"
export KW_KAFKA_PROPERTIES=$PWD/$work/properties
cat >"$KW_KAFKA_PROPERTIES" <<'END'
listener.name.few.sasl.enabled.mechanisms=SCRAM-SHA-512
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
END
need_kafka
tls=$KW_KAFKA_DIR/tls
got=$work/ERRORS.md
errors=$work/errors
n=0

# What differs from run to run.
plain() {
    sed -E -e "s#$PWD/##g" -e "s#$KW_KAFKA_DIR/tls#DIR#g" -e "s#build/[a-z/-]*tls#DIR#g" \
        -e 's/(127\.0\.0\.1|localhost|192\.0\.2\.1):[0-9]+/HOST:PORT/g' \
        -e 's/no-such-host\.invalid:[0-9]+/no-such-host.invalid:PORT/g' \
        -e 's/20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}/DATE/g' \
        -e 's/ \([0-9]+ times more\)//' -e 's/gave up after [0-9]+ ms/gave up after N ms/' "$@"
}
# provoke TITLE EXIT WHY WHAT COMMAND...: the command fails with EXIT; stdin is a record
provoke() {
    local title=$1 exit=$2 why=$3 what=$4 rc
    shift 4
    n=$((n + 1))
    echo x | timeout 60 "$@" >"$work/out" 2>"$work/err"
    rc=$?
    if [ $rc = "$exit" ] && [ -s "$work/err" ]; then ok "$title: exit $exit"; else
        cat "$work/err"
        not_ok "$title: exit $rc, not $exit"
    fi
    {
        printf '\n## %d. %s\n\n' $n "$title"
        printf '    $ %s\n' "$(printf '%s ' "${@//$kw/kw}" | plain | sed 's/ $//')"
        plain "$work/err" | sed 's/^/    /'
        printf '\nExit status %d. **Why:** %s\n**What to do:** %s\n' "$exit" "$why" "$what"
    } >>"$errors"
}
trust=(-X security.protocol=SSL -X "ssl.ca.location=$tls/ca.crt")
sasl=(-b "$KW_BROKER_SASL_PLAINTEXT" -X security.protocol=SASL_PLAINTEXT)
alice=(-X sasl.mechanism=SCRAM-SHA-256 -X sasl.username=alice -X sasl.password=alice-secret)
: >"$errors"

# ---- addresses --------------------------------------------------------------------
provoke "Nobody listens" 3 "the system at that address refuses the connection." \
    "Start the broker, or correct \`bootstrap.servers\`." \
    $kw meta -b 127.0.0.1:1 --timeout 1000
provoke "The host name does not exist" 3 "DNS and the hosts file do not know it." \
    "Correct the spelling, or the name service." \
    $kw meta -b no-such-host.invalid:9092 --timeout 1500
need_wrong() { # KIND: sets wrong
    rm -f "$work/port"
    perl tests/cli/listen.pl "$1" >"$work/port" 2>/dev/null &
    wrong_pid=$!
    local end=$((SECONDS + 10))
    until [ -s "$work/port" ] || [ $SECONDS -ge $end ]; do sleep 0.05; done
    wrong=127.0.0.1:$(cat "$work/port")
}
end_wrong() { kill $wrong_pid; wait $wrong_pid 2>/dev/null; }
need_wrong http
provoke "A web server is on the port" 3 "what came back is HTTP, not Kafka." \
    "Take the port of the broker's listener; a REST proxy is no broker." $kw meta -b "$wrong"
end_wrong
need_wrong silent
provoke "The connection is taken and nothing is ever said" 3 \
    "a firewall, a broker that hangs, or another kind of server." \
    "Look at the broker; \`socket.connection.setup.timeout.ms\` bounds the wait." \
    $kw meta -b "$wrong" -X socket.connection.setup.timeout.ms=500 --timeout 1500
end_wrong
need_wrong noise
provoke "Something else than Kafka is on the port" 3 "its first bytes cannot be those of an answer." \
    "Check the address and the port." $kw meta -b "$wrong" --timeout 1000
end_wrong
real=$KW_BROKER
need_mock --topic t:1 --advertise no-such-host.invalid
mock=127.0.0.1:${KW_BROKER##*:}
KW_BROKER=$real
provoke "A broker advertises an address that cannot be reached" 1 \
    "metadata names where to find each broker, and that name is known only inside its network." \
    "Correct \`advertised.listeners\` of that broker; \`kw doctor\` tries each." \
    $kw produce -b "$mock" -t t -X delivery.timeout.ms=1500 -X request.timeout.ms=1000
stop_mock
trap 'tools/kafka.sh clean' EXIT

# ---- TLS ---------------------------------------------------------------------------
provoke "TLS to a plaintext listener" 4 \
    "the broker takes the first bytes of TLS for the length of a request, and closes." \
    "Use the port of a TLS listener, or \`security.protocol\` without SSL." \
    $kw meta -b "$KW_BROKER" "${trust[@]}"
provoke "Plaintext to a TLS listener" 4 "the broker answers with an alert of TLS." \
    "Set \`security.protocol\` to SSL or SASL_SSL." $kw meta -b "$KW_BROKER_SSL"
provoke "The authority of the certificate is not known" 4 \
    "it is neither in \`ssl.ca.location\` nor among the system's." \
    "Get the authority's certificate from whoever runs the cluster, and set \`ssl.ca.location\`." \
    $kw meta -b "$KW_BROKER_SSL" -X security.protocol=SSL
provoke "The certificate is for another host name" 4 \
    "what we connected to is not among its alternative names; the common name does not count." \
    "Use one of the names listed, or issue the certificate anew." \
    $kw meta -b "$KW_BROKER_OTHERNAME" "${trust[@]}"
provoke "The certificate has expired" 4 "its last day is over by our clock." \
    "Renew it on the broker, or set this machine's clock right." \
    $kw meta -b "$KW_BROKER_EXPIRED" "${trust[@]}"
provoke "The broker wants a client certificate" 4 "this listener has \`ssl.client.auth=required\`." \
    "Set \`ssl.keystore.location\`, or \`ssl.certificate.location\` and \`ssl.key.location\`." \
    $kw meta -b "$KW_BROKER_MTLS" "${trust[@]}"
provoke "The broker does not trust our certificate" 4 \
    "its truststore lacks the authority that issued ours." \
    "Have the authority added there, or get a certificate from one that is." \
    $kw meta -b "$KW_BROKER_MTLS" "${trust[@]}" -X "ssl.keystore.location=$tls/stranger-client.pem"
provoke "A file of TLS cannot be read" 2 "the configuration is refused before anything is sent." \
    "Correct the path." $kw meta -b "$KW_BROKER_SSL" -X security.protocol=SSL \
    -X ssl.ca.location=/nowhere/ca.crt
provoke "A key of TLS without TLS" 2 "whoever sets it believes that the connection is encrypted." \
    "Set \`security.protocol=SSL\`, or take the key out." \
    $kw meta -b "$KW_BROKER" -X "ssl.ca.location=$tls/ca.crt"

# ---- SASL ---------------------------------------------------------------------------
provoke "A wrong password" 4 "the broker does not accept user and password; both look the same." \
    "Check both, and that the user exists for this mechanism." \
    $kw meta "${sasl[@]}" -X sasl.mechanism=SCRAM-SHA-256 -X sasl.username=alice -X sasl.password=wrong
provoke "A mechanism that the listener does not offer" 4 "the list of what it offers is in the message." \
    "Set \`sasl.mechanism\` to one of the list." \
    $kw meta -b "$KW_BROKER_FEW" -X security.protocol=SASL_PLAINTEXT "${alice[@]}"
provoke "SASL to a listener without it" 4 "the broker says that it expects no authentication there." \
    "Use the port of a SASL listener, or \`security.protocol\` without SASL." \
    $kw meta -b "$KW_BROKER" -X security.protocol=SASL_PLAINTEXT "${alice[@]}"
provoke "No SASL to a listener that wants it" 4 \
    "the broker answers ApiVersions and closes at the next request; told after the third time." \
    "Set \`security.protocol\` and \`sasl.mechanism\`." $kw meta -b "$KW_BROKER_SASL_PLAINTEXT"
provoke "A password over a connection that is not encrypted" 2 "anybody on the way could read it." \
    "Use SASL_SSL or SCRAM, or set \`sasl.allow.plaintext=true\` where that is meant." \
    $kw meta "${sasl[@]}" -X sasl.mechanism=PLAIN -X sasl.username=alice -X sasl.password=alice-secret

# ---- rights ---------------------------------------------------------------------------
new_topic secret
provoke "No right to see a topic" 4 "an ACL is missing: Describe on the topic." \
    "Run the command in brackets as an administrator." \
    $kw consume "${sasl[@]}" "${alice[@]}" -t secret
check "alice may describe" tools/kafka.sh tool org.apache.kafka.tools.AclCommand --bootstrap-server "$KW_BROKER" \
    --add --allow-principal User:alice --operation Describe --topic secret
sleep 1
provoke "No right to write to a topic" 4 "an ACL is missing: Write on the topic." \
    "Run the command in brackets as an administrator." \
    $kw produce "${sasl[@]}" "${alice[@]}" -t secret -X enable.idempotence=false -X acks=1
provoke "No right to read a topic" 4 "an ACL is missing: Read on the topic." \
    "Run the command in brackets as an administrator." \
    $kw consume "${sasl[@]}" "${alice[@]}" -t secret -o beginning -e
provoke "No right to create a topic" 4 "an ACL is missing: Create on the topic or the cluster." \
    "Run the command in brackets as an administrator." \
    $kw topics create "${sasl[@]}" "${alice[@]}" -t new

# ---- requests -------------------------------------------------------------------------
provoke "The topic does not exist" 1 "brokers make topics only when \`allow.auto.create.topics\` says so." \
    "Create it, or correct its name." $kw produce -b "$KW_BROKER" -t missing
provoke "More copies than brokers" 1 "each copy of a partition needs a broker of its own." \
    "Ask for fewer copies, or start more brokers." \
    $kw topics create -b "$KW_BROKER" -t copies --replication 3
provoke "An unknown configuration key" 2 "nothing is taken and ignored." \
    "docs/CONFIG.md lists the keys." $kw meta -b "$KW_BROKER" -X bootstrap.server=x

{
    cat <<'END'
# What goes wrong, and what is said

Written by `tests/live/errors.sh --write`, which provokes each of these (on Kafka
4.3.1 where it takes a broker) and, without the option, fails when a message has
changed. Addresses, dates and paths stand for what was there: HOST:PORT, DATE, DIR.

A program gets the same as `struct kw_error`: `phase` (where), `peer`, `text` (what and
why), `hint` (what to do, here in brackets), `kafka_code`, `retriable`; in the event
`KW_EVENT_ERROR` with `count`, at most once in 10 s for the same error. `kw doctor`
walks the whole way and says for each step what it found.

Exit status of `kw`: 1 some records or operations failed, 2 usage or configuration,
3 cannot connect, 4 trust or identity refused, by either side. 2 and 4 end after one
attempt, because another would fail the same way.
END
    cat "$errors"
} >"$got"
check "twenty failures at least" test $n -ge 20
if [ $write = yes ]; then
    cp "$got" docs/ERRORS.md
    echo "docs/ERRORS.md is written"
else
    same "docs/ERRORS.md says what is said" docs/ERRORS.md "$got"
fi
check "no password is shown" sh -c "! grep -q 'alice-secret' '$errors' || ! grep -v '^    \\$' '$errors' | grep -q alice-secret"
done_testing
