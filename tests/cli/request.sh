#!/usr/bin/env bash
# kw request, against kw broker.
. "$(dirname "$0")/lib.sh"
start_broker --brokers 3 --topic orders:2 --fault 'findcoordinator:*:error=COORDINATOR_NOT_AVAILABLE'

echo '{"topics":[{"name":"orders"}],"allowAutoTopicCreation":false}' >"$work/metadata.json"
run "Metadata, version 4" 0 "$kw" request -b "$B" --api Metadata --version 4 <"$work/metadata.json"
silent "nothing else is said"
true_that "the answer is one line of JSON" [ "$(wc -l <"$out")" = 1 ]
true_that "with what the topic has" grep -Eq \
    '^\{"throttleTimeMs":0,"brokers":\[\{"nodeId":.*"name":"orders","isInternal":false,"partitions":\[\{"errorCode":0,"partitionIndex":0,' "$out"
controller=$(sed -n 's/.*"controllerId":\([0-9]*\).*/\1/p' "$out")

echo '{"clientSoftwareName":"kw","clientSoftwareVersion":"1"}' >"$work/versions.json"
run "the newest version that both have" 0 "$kw" request -b "$B" --api 18 <"$work/versions.json"
true_that "its answer has features" grep -q '"apiKeys":\[{"apiKey":0,"minVersion":' "$out"
for to in "--broker 2" --controller; do
    # shellcheck disable=SC2086
    run "to $to" 0 "$kw" request -b "$B" --api Metadata --version 4 $to <"$work/metadata.json"
    true_that "$to answers" grep -q "\"controllerId\":$controller" "$out"
done

run "a broker that is not there" 1 "$kw" request -b "$B" --api Metadata --version 4 --broker 77 --timeout 2000 \
    <"$work/metadata.json"
says "is named" 'no broker 77'
run "a group that has no coordinator" 1 "$kw" request -b "$B" --api Metadata --version 4 --group g --timeout 2000 \
    <"$work/metadata.json"
says "says why" 'COORDINATOR_NOT_AVAILABLE'
run "JSON that is no such message" 1 "$kw" request -b "$B" --api Metadata --version 4 <<<'{"topics":[{"name":7}]}'
says "the place is named" 'topics\[0\].name at byte 19: a string is expected'
run "what the broker does not have" 1 "$kw" request -b "$B" --api DescribeQuorum <<<'{"topics":[]}'
says "is said" 'DescribeQuorum.*does not offer'
run "an unknown API" 2 "$kw" request -b "$B" --api Frob </dev/null
run "an unknown version" 2 "$kw" request -b "$B" --api Metadata --version 99 </dev/null
says "the range is named" 'Metadata has versions 0 to 13'
run "two receivers" 2 "$kw" request -b "$B" --api Metadata --broker 1 --controller </dev/null
run "no API" 2 "$kw" request -b "$B" </dev/null
run "nobody there" 3 "$kw" request -b 127.0.0.1:1 --api Metadata --version 4 --timeout 500 <"$work/metadata.json"
done_testing
