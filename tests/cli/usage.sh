#!/usr/bin/env bash
# What kw says of itself, and how it refuses a wrong command line. No broker.
. "$(dirname "$0")/lib.sh"

run "--version" 0 "$kw" --version
true_that "--version prints name and number" grep -Eq '^kw [0-9]+\.[0-9]+\.[0-9]+$' "$out"
run "--help" 0 "$kw" --help
silent "--help is data"
run "no subcommand" 2 "$kw"
run "an unknown subcommand" 2 "$kw" frobnicate
says "it is named" "unknown subcommand 'frobnicate'"

for sub in produce consume meta doctor "topics list" "topics describe" "topics create" "topics delete" broker "bench produce" "bench consume" "proto decode" "proto records"; do
    # shellcheck disable=SC2086
    run "$sub --help" 0 "$kw" $sub --help
    true_that "$sub --help has options and examples" \
        awk '/^Options:/ { o = 1 } /^Examples:/ { e = 1 } /^  kw / { x = 1 } length > 100 { l = 1 } END { exit !(o && e && x && !l) }' "$out"
done
run "topics --help" 0 "$kw" topics --help
run "bench --help" 0 "$kw" bench --help
run "proto --help" 0 "$kw" proto --help
run "proto list --help" 0 "$kw" proto list --help
run "topics without a verb" 2 "$kw" topics
run "topics with a wrong verb" 2 "$kw" topics destroy
says "the verbs are named" "list, describe, create or delete"

refused() { # TEXT PATTERN ARGUMENTS...
    local text=$1 pattern=$2
    shift 2
    run "$text" 2 "$kw" "$@" </dev/null
    says "$text is explained" "$pattern"
    true_that "$text prints nothing on stdout" [ ! -s "$out" ]
}
b=127.0.0.1:1
refused "produce without a topic" "no topic: give -t" produce -b $b
refused "consume without a topic" "no topic: give -t" consume -b $b
refused "produce without a broker" "bootstrap.servers" produce -t t
refused "consume without a broker" "bootstrap.servers" consume -t t
refused "an unknown option" "unknown option '--frob'" produce -b $b -t t --frob
refused "a partition that is no number" "'x' is not a number" produce -b $b -t t -p x
refused "JSON and a key delimiter" "excludes -K" produce -b $b -t t --json -K :
refused "an empty key delimiter" "is empty" produce -b $b -t t -K ''
refused "an unknown escape in a delimiter" "unknown escape" produce -b $b -t t -D '\q'
refused "--key-null without keys" "give -K" produce -b $b -t t --key-null x
refused "-K with a whole file" "needs -l" produce -b $b -t t -K : README.md
refused "a header without a name" "no name" produce -b $b -t t -H =x
refused "-l without a file" "needs a FILE" produce -b $b -t t -l
refused "an unknown configuration key" "frob" produce -b $b -t t -X frob.nicate=1
refused "a misspelt key of a secret" 'sasl.pasword: ' produce -b $b -t t -X sasl.pasword=hunter2
true_that "whose value is not shown" eval '! grep -q hunter2 "$err"'
refused "a secret that cannot be read" 'sasl.jaas.config: ' \
    produce -b $b -t t -X 'sasl.jaas.config=a.PlainLoginModule required username="u" password="hunter2"'
true_that "and is not shown either" eval '! grep -q hunter2 "$err"'
refused "a setting without =" "not KEY=VALUE" produce -b $b -t t -X linger.ms
refused "a value out of range" "linger.ms" produce -b $b -t t -X linger.ms=-7
refused "a bad combination of keys" "delivery.timeout.ms" \
    produce -b $b -t t -X delivery.timeout.ms=1 -X linger.ms=5 -X request.timeout.ms=30000
refused "idempotence without acks=all" "acks" produce -b $b -t t -X enable.idempotence=true -X acks=1
refused "a configuration file that is missing" "nowhere" produce -b $b -t t -F /nowhere
printf 'linger.ms=5\nfrob=1\n' >"$work/bad.properties"
refused "a configuration file with an unknown key" "frob" produce -b $b -t t -F "$work/bad.properties"
printf 'client.id=${env:KW_NO_SUCH}\n' >"$work/reference.properties"
refused "a reference that is not switched on" "not switched on" \
    consume -b $b -t t -F "$work/reference.properties"
printf 'sasl.password=hunter2${bc\n' >"$work/half.properties"
refused "a secret with half a reference" 'sasl.password = .hidden.: not a reference' \
    consume -b $b -t t --references -F "$work/half.properties"
true_that "of which nothing is shown" eval '! grep -q "hunter2\|bc" "$err"'
refused "a reference to nothing" "no such variable" \
    consume -b $b -t t --references -F "$work/reference.properties"
refused "a bad offset" "none of beginning" consume -b $b -t t -o middle
refused "a bad partition list" "not a list" consume -b $b -t t -p 1,,2
refused "a bad format" "cannot read it from '%y'" consume -b $b -t t -f 'a%y'
refused "-J and -f" "excludes" consume -b $b -t t -J -f %s
refused "a count of 0" "'0' is not a number" consume -b $b -t t -c 0
refused "a bad isolation level" "isolation" consume -b $b -t t --isolation none
refused "an argument to consume" "unexpected argument 'x'" consume -b $b -t t x
refused "topics create without a topic" "no topic" topics create -b $b
refused "topics create with no partitions" "not a number" topics create -b $b -t t --partitions 0
refused "a topic configuration without =" "not KEY=VALUE" topics create -b $b -t t --config x
refused "a bad address" "bootstrap.servers|HOST:PORT|host:port" meta -b ':::'
done_testing
