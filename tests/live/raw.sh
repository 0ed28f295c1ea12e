#!/usr/bin/env bash
# Raw requests to a real broker, and its answers beside what Kafka's own tools and
# kcat say of the same cluster.
. "$(dirname "$0")/lib.sh"
need_kafka

request() { # FILE JSON ARGUMENTS...
    printf '%s' "$2" | $kw request -b "$KW_BROKER" "${@:3}" >"$1"
}
ask() { check "kw request ${*:3}" request "$@"; }
# has TEXT FILE PATTERN
has() {
    if grep -Eq -- "$3" "$2"; then ok "$1"; else
        head -c 600 "$2"
        not_ok "$1"
    fi
}
java_tool() { tools/kafka.sh tool "$1" --bootstrap-server "$KW_BROKER" "${@:2}" 2>"$work/java.log"; }

new_topic raw 3
java_tool topics --describe --topic raw >"$work/java.topic"
topic_id=$(sed -n 's/.*TopicId: \([^[:space:]]*\).*/\1/p' "$work/java.topic")

ask "$work/cluster" '{"includeClusterAuthorizedOperations":false,"endpointType":1,"includeFencedBrokers":false}' \
    --api DescribeCluster
cluster=$(sed -n 's/.*"clusterId":"\([^"]*\)".*/\1/p' "$work/cluster")
kcat -L -J -b "$KW_BROKER" >"$work/kcat" 2>/dev/null
broker=$(sed -n 's/.*"brokers":\[{"id":\([0-9]*\),.*/\1/p' "$work/kcat")
has "DescribeCluster names the broker that kcat sees" "$work/cluster" "\"brokers\":\\[\\{\"brokerId\":$broker,"
tools/kafka.sh tool cluster cluster-id --bootstrap-server "$KW_BROKER" >"$work/java.cluster" 2>"$work/java.log"
has "and the cluster id that Java prints" "$work/java.cluster" "Cluster ID: $cluster\$"

for version in $(seq 0 13); do
    case $version in
    0) fields= ;; 1 | 2 | 3) fields= ;;
    4 | 5 | 6 | 7) fields=',"allowAutoTopicCreation":false' ;;
    8 | 9 | 10) fields=',"allowAutoTopicCreation":false,"includeClusterAuthorizedOperations":false,"includeTopicAuthorizedOperations":true' ;;
    *) fields=',"allowAutoTopicCreation":false,"includeTopicAuthorizedOperations":true' ;;
    esac
    id=
    [ "$version" -ge 10 ] && id='"topicId":"AAAAAAAAAAAAAAAAAAAAAA",'
    ask "$work/metadata.$version" "{\"topics\":[{$id\"name\":\"raw\"}]$fields}" --api Metadata --version "$version"
    has "version $version has three partitions" "$work/metadata.$version" '"partitionIndex":2'
done
has "and the topic id that Java prints" "$work/metadata.13" "\"topicId\":\"$topic_id\""

java_tool configs --alter --add-config retention.ms=12345678 --entity-type topics --entity-name raw >/dev/null
ask "$work/configs" '{"resources":[{"resourceType":2,"resourceName":"raw","configurationKeys":["retention.ms"]}],"includeSynonyms":false,"includeDocumentation":false}' \
    --api DescribeConfigs --broker "$broker"
has "DescribeConfigs has what Java set" "$work/configs" '"name":"retention.ms","value":"12345678"'
ask "$work/alter" '{"resources":[{"resourceType":2,"resourceName":"raw","configs":[{"name":"retention.ms","configOperation":0,"value":"87654321"}]}],"validateOnly":false}' \
    --api IncrementalAlterConfigs --controller
java_tool configs --describe --entity-type topics --entity-name raw >"$work/java.configs"
has "Java sees what IncrementalAlterConfigs set" "$work/java.configs" 'retention.ms=87654321'

ask "$work/acls" '{"creations":[{"resourceType":2,"resourceName":"raw","resourcePatternType":3,"principal":"User:a","host":"*","operation":3,"permissionType":3}]}' \
    --api CreateAcls
has "CreateAcls is refused by a broker without an authorizer" "$work/acls" '"errorCode":54'

echo x | $kw produce -q -b "$KW_BROKER" -t raw -p 0
tools/kafka.sh tool console-consumer --bootstrap-server "$KW_BROKER" --topic raw --group raw-group \
    --from-beginning --max-messages 1 --timeout-ms 30000 >"$work/java.consumed" 2>"$work/java.log"
ask "$work/groups" '{"statesFilter":[],"typesFilter":[]}' --api ListGroups
has "ListGroups has the group that Java made" "$work/groups" '"groupId":"raw-group","protocolType":"consumer"'
ask "$work/group" '{"groups":["raw-group"],"includeAuthorizedOperations":false}' --api DescribeGroups --group raw-group
has "DescribeGroups goes to its coordinator" "$work/group" '"errorCode":0,.*"groupId":"raw-group","groupState":"Empty"'
ask "$work/offsets" '{"groups":[{"groupId":"raw-group","topics":null}],"requireStable":false}' \
    --api OffsetFetch --version 8 --group raw-group
has "OffsetFetch has what Java committed" "$work/offsets" '"name":"raw","partitions":\[.*"partitionIndex":0,"committedOffset":1,'
# The first transactional id of a cluster makes the coordinator's topic: it may say
# NOT_COORDINATOR (16) until it has loaded that, and a raw request is not repeated.
for try in $(seq 20); do
    ask "$work/producer" '{"transactionalId":"raw-txn","transactionTimeoutMs":60000,"producerId":-1,"producerEpoch":-1}' \
        --api InitProducerId --version 4 --txn raw-txn
    grep -q '"errorCode":1[456],' "$work/producer" && [ "$try" -lt 20 ] && sleep 1 || break
done
has "InitProducerId at the transaction coordinator" "$work/producer" '"errorCode":0,"producerId":[0-9]+,"producerEpoch":[0-9]+'
ask "$work/transactions" '{"transactionalIds":["raw-txn"]}' --api DescribeTransactions --txn raw-txn
has "DescribeTransactions knows it" "$work/transactions" '"transactionalId":"raw-txn","transactionState":"Empty"'
ask "$work/quorum" '{"topics":[{"topicName":"__cluster_metadata","partitions":[{"partitionIndex":0}]}]}' --api DescribeQuorum
has "DescribeQuorum names its leader" "$work/quorum" "\"leaderId\":$broker,"
done_testing
