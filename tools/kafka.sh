#!/usr/bin/env bash
# Runs a real Apache Kafka (KRaft, broker and controller in one process; before 3.0
# with a ZooKeeper) for tests, on loopback and on free ports that it chooses itself.
#
#   tools/kafka.sh up [NODES]       fetch the jars once, format, start, wait until ready
#   tools/kafka.sh env              KW_BROKER=host:port,... and KW_KAFKA_DATA=folder
#   tools/kafka.sh kill N           SIGKILL node N
#   tools/kafka.sh pause N          SIGSTOP         tools/kafka.sh resume N    SIGCONT
#   tools/kafka.sh stop N           SIGTERM, and it goes on if it stood still; after 20 s SIGKILL
#   tools/kafka.sh start N          start node N again, on the same ports and data
#   tools/kafka.sh wait [SECONDS]   until every running node serves all of them
#   tools/kafka.sh tool NAME ARG... one of Kafka's own tools: topics, console-producer ...
#   tools/kafka.sh down             stop all nodes, keep the data
#   tools/kafka.sh clean            stop all nodes at once, remove the data
#   tools/kafka.sh clean-all        clean, for every cluster under build/
#
# KW_KAFKA_LISTENERS="SSL MTLS:SSL SASL_PLAINTEXT SASL_SSL" adds listeners, each a
# NAME:PROTOCOL or one word for both, whose addresses `env` prints as KW_BROKER_NAME.
# SASL: user alice, password alice-secret, with PLAIN, SCRAM-SHA-256, SCRAM-SHA-512,
# and OAUTHBEARER with unsecured tokens. SSL: certificates in $KW_KAFKA_DIR/tls (made by
# tools/kafka/certs.sh); that of a listener is tls/NAME.pem if there is one, else
# tls/server.pem. The one with the name MTLS wants a certificate of its client.
# KW_KAFKA_PROPERTIES=FILE is put behind the properties of each node. Both count
# when a cluster is formatted; LISTENERS for each call afterwards, too.
# KW_KAFKA_RACKS=1 puts node N into rack rN, and leaders send consumers to their rack.
# KW_KAFKA_DIR (build/kafka) names the cluster: two directories are two clusters.
# KW_KAFKA_VERSION (4.3.1; tried: 3.9.2 and 2.8.2, which has no SASL and no TLS here) counts
# for each call. Needs bash, a JDK or JRE 17, and Maven the first time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=${KW_KAFKA_VERSION:-4.3.1}
IFS=. read -r major minor _ <<<"$version"
number=$((major * 100 + minor)) # 2.8.2: 208
jars=$PWD/build/jars-$version
dir=${KW_KAFKA_DIR:-build/kafka}
case $dir in /*) ;; *) dir=$PWD/$dir ;; esac
cluster_id=kwireTestClusterAAAAAA # 16 bytes in base64url

# Header names pass through strings of the JVM.
export LC_ALL=C.UTF-8

# Small, quick to start, one collector thread: a test broker shares its machine.
java_flags=(-Dfile.encoding=UTF-8 -Xmx256m -Xss512k -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData)
if ((number >= 400)); then
    java_flags+=("-Dlog4j2.configurationFile=$PWD/tools/kafka/log4j2.properties")
else
    java_flags+=("-Dlog4j.configuration=file:$PWD/tools/kafka/log4j.properties")
fi

# One row a listener besides the controller's: NAME:PROTOCOL. The ports file has
# a column for each, in this order, after the node and the controller's port.
listeners=(PLAINTEXT:PLAINTEXT)
for word in ${KW_KAFKA_LISTENERS:-}; do listeners+=("${word%%:*}:${word#*:}"); done

die() { echo "tools/kafka.sh: $*" >&2; exit 1; }
node_dir() { echo "$dir/node$1"; }
nodes() { [[ -f $dir/ports ]] && awk '{ print $1 }' "$dir/ports" || true; }
column() { awk -v node="$1" -v col="$2" '$1 == node { print $col }' "$dir/ports"; }

# The pid of a node that runs; nothing if it does not. A pid file may be older
# than the process that has its number now, so the command line decides.
pid_of() {
    local pid
    pid=$(cat "$(node_dir "$1")/pid" 2>/dev/null) || return 0
    if { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF "$(node_dir "$1")/"; then
        echo "$pid"
    fi
}

fetch_jars() {
    [[ -e $jars/complete ]] && return
    tools/deps.sh live >&2 || die "a JRE 17 and Maven are needed to run Kafka"
    echo "tools/kafka.sh: fetching Apache Kafka $version with Maven (about 57 MB, once)" >&2
    local log=() # Kafka 2.x has its own
    ((number < 400)) || log=(-Plog4j2)
    ((number < 300 || number >= 400)) || log=(-Plog4j1)
    mkdir -p "$jars"
    mvn -B -q -f tools/kafka/pom.xml "${log[@]}" -Dkafka.version="$version" -DoutputDirectory="$jars" \
        dependency:copy-dependencies >"$jars/log" 2>&1 ||
        { cat "$jars/log" >&2; die "Maven could not fetch the jars"; }
    touch "$jars/complete"
}

run_class() { java "${java_flags[@]}" -cp "$jars/*" "$@"; }

# COUNT port numbers on which nothing listens, below the range from which the
# system takes the ports of outgoing connections.
free_ports() {
    local used port found=" "
    used=" $(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk '$2 ~ /:/ { split($2, part, ":"); print part[2] }' | sort -u |
        while read -r hex; do echo $((16#$hex)); done | tr '\n' ' ')"
    local left=$1
    while ((left > 0)); do
        port=$((15000 + (RANDOM * 32768 + RANDOM) % 17000))
        [[ $used == *" $port "* || $found == *" $port "* ]] && continue
        found+="$port "
        left=$((left - 1))
    done
    echo "$found"
}

choose_ports() {
    local n=$1 node ports
    # shellcheck disable=SC2207
    ports=($(free_ports $((n * (1 + ${#listeners[@]})))))
    mkdir -p "$dir"
    for ((node = 1; node <= n; node++)); do
        echo "$node ${ports[*]:(node - 1) * (1 + ${#listeners[@]}):1 + ${#listeners[@]}}"
    done >"$dir/ports"
}

# Of the listener $1. Where OAUTHBEARER is unsecured, the broker takes any name.
sasl_properties() {
    local prefix=listener.name.${1,,} module=org.apache.kafka.common.security
    cat <<-END
	$prefix.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
	$prefix.plain.sasl.jaas.config=$module.plain.PlainLoginModule required user_alice="alice-secret";
	$prefix.scram-sha-256.sasl.jaas.config=$module.scram.ScramLoginModule required;
	$prefix.scram-sha-512.sasl.jaas.config=$module.scram.ScramLoginModule required;
	$prefix.oauthbearer.sasl.jaas.config=$module.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
	END
}

# Of the listener $1.
tls_properties() {
    local prefix=listener.name.${1,,} certificate=$dir/tls/$1.pem
    [[ -f $certificate ]] || certificate=$dir/tls/server.pem
    cat <<-END
	$prefix.ssl.keystore.type=PEM
	$prefix.ssl.keystore.location=$certificate
	$prefix.ssl.truststore.type=PEM
	$prefix.ssl.truststore.location=$dir/tls/ca.crt
	END
    [[ $1 != MTLS ]] || echo "$prefix.ssl.client.auth=required"
}

properties() {
    local node=$1 n i name listen= map= voters= copies in_sync=1
    n=$(nodes | wc -l)
    copies=$((n < 3 ? n : 3))
    ((copies == 3)) && in_sync=2
    for i in $(nodes); do voters+=,$i@127.0.0.1:$(column "$i" 2); done
    for i in "${!listeners[@]}"; do
        name=${listeners[i]%:*}
        listen+=,$name://127.0.0.1:$(column "$node" $((i + 3)))
        map+=,${listeners[i]}
    done
    if ((number >= 300)); then
        cat <<-END
	process.roles=broker,controller
	node.id=$node
	controller.quorum.voters=${voters#,}
	controller.listener.names=CONTROLLER
	listeners=${listen#,},CONTROLLER://127.0.0.1:$(column "$node" 2)
	listener.security.protocol.map=${map#,},CONTROLLER:PLAINTEXT
	# A dead node is noticed in 3 s instead of 9, and the others elect at once.
	broker.session.timeout.ms=3000
	broker.heartbeat.interval.ms=500
	controller.quorum.election.timeout.ms=500
	controller.quorum.fetch.timeout.ms=1500
	controller.quorum.election.backoff.max.ms=300
	initial.broker.registration.timeout.ms=60000
	share.coordinator.state.topic.num.partitions=4
	share.coordinator.state.topic.replication.factor=$copies
	share.coordinator.state.topic.min.isr=$in_sync
	END
    else
        cat <<-END
	broker.id=$node
	zookeeper.connect=127.0.0.1:$(column 1 2)
	zookeeper.session.timeout.ms=18000
	listeners=${listen#,}
	listener.security.protocol.map=${map#,}
	END
    fi
    # Members of KIP-848 groups before 4.0.
    ((number != 309)) || echo group.coordinator.rebalance.protocols=classic,consumer
    cat <<-END
	advertised.listeners=${listen#,}
	inter.broker.listener.name=PLAINTEXT
	log.dirs=$(node_dir "$node")/data
	auto.create.topics.enable=false
	# Tests write old timestamps; retention by age would delete their segments.
	log.retention.ms=-1
	num.partitions=1
	default.replication.factor=$copies
	min.insync.replicas=$in_sync
	offsets.topic.num.partitions=4
	offsets.topic.replication.factor=$copies
	transaction.state.log.num.partitions=4
	transaction.state.log.replication.factor=$copies
	transaction.state.log.min.isr=$in_sync
	group.initial.rebalance.delay.ms=0
	num.network.threads=2
	num.io.threads=4
	background.threads=2
	log.cleaner.threads=1
	log.cleaner.dedupe.buffer.size=2097152
	log.segment.bytes=268435456
	log.index.size.max.bytes=1048576
	END
    for i in "${!listeners[@]}"; do
        [[ ${listeners[i]#*:} != SASL_* ]] || sasl_properties "${listeners[i]%:*}"
        [[ ${listeners[i]#*:} != *SSL ]] || tls_properties "${listeners[i]%:*}"
    done
    [[ -z ${KW_KAFKA_RACKS:-} ]] || cat <<-END
	broker.rack=r$node
	replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector
	END
    [[ -z ${KW_KAFKA_PROPERTIES:-} ]] || cat "$KW_KAFKA_PROPERTIES"
}

format_node() {
    local home
    home=$(node_dir "$1")
    [[ -e $home/data/meta.properties ]] && return
    ((number >= 300 || ${#listeners[@]} == 1)) || die "no TLS and no SASL with Kafka $version here"
    mkdir -p "$home/data"
    [[ " ${listeners[*]} " != *SSL\ * ]] || tools/kafka/certs.sh "$dir/tls"
    properties "$1" >"$home/server.properties"
    ((number >= 300)) || return 0
    local users=()
    [[ " ${listeners[*]}" != *:SASL_* ]] ||
        users=(--add-scram 'SCRAM-SHA-256=[name=alice,password=alice-secret]'
            --add-scram 'SCRAM-SHA-512=[name=alice,password=alice-secret]')
    run_class kafka.tools.StorageTool format -t $cluster_id -c "$home/server.properties" "${users[@]}" \
        >"$home/format.log" 2>&1 || { cat "$home/format.log" >&2; die "formatting node $1 failed"; }
}

# The ZooKeeper that brokers before 3.0 need is node "-zookeeper", on the port that
# would be the controller's.
start_zookeeper() {
    local home
    home=$(node_dir -zookeeper)
    [[ -z $(pid_of -zookeeper) ]] || return 0
    mkdir -p "$home/data"
    cat >"$home/server.properties" <<-END
	dataDir=$home/data
	clientPort=$(column 1 2)
	clientPortAddress=127.0.0.1
	maxClientCnxns=0
	admin.enableServer=false
	tickTime=1000
	END
    setsid java "${java_flags[@]}" -cp "$jars/*" org.apache.zookeeper.server.quorum.QuorumPeerMain \
        "$home/server.properties" >>"$home/log" 2>&1 </dev/null &
    echo $! >"$home/pid"
    local end=$((SECONDS + 60))
    until (exec 3<>"/dev/tcp/127.0.0.1/$(column 1 2)") 2>/dev/null; do
        kill -0 "$(cat "$home/pid")" 2>/dev/null && ((SECONDS < end)) || die "ZooKeeper does not start; see $home/log"
        sleep 0.1
    done
}

start_node() {
    local home
    home=$(node_dir "$1")
    [[ -e $home/server.properties ]] || die "there is no node $1 (run up first)"
    [[ -z $(pid_of "$1") ]] || die "node $1 runs already"
    setsid java "${java_flags[@]}" -cp "$jars/*" kafka.Kafka "$home/server.properties" \
        >>"$home/log" 2>&1 </dev/null &
    echo $! >"$home/pid"
    # Before its exec it has our command line, and pid_of does not see it.
    until [[ -n $(pid_of "$1") ]] || ! kill -0 $! 2>/dev/null; do sleep 0.01; done
}

# Sends a request given as printf escapes, and prints the first COUNT bytes of
# the answer as numbers. Byte counts of both requests below are fixed.
ask() {
    printf "$2" >&"$1"
    timeout 5 head -c "$3" <&"$1" | od -An -v -tu1 | tr -s ' \n' ' '
}

# The number of brokers that the node at PORT knows: ApiVersions v0, then
# Metadata v1 for no topic. Fails while the node does not answer.
probe() {
    local socket size rest answer
    { exec {socket}<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
    answer=$(ask "$socket" '\0\0\0\012\0\022\0\0\0\0\0\1\377\377' 10)
    # shellcheck disable=SC2086
    set -- $answer
    rest=1
    # size, correlation id, error code
    if [[ $# -eq 10 && ${9}${10} == 00 ]]; then
        size=$(($1 * 16777216 + $2 * 65536 + $3 * 256 + $4))
        timeout 5 head -c $((size - 6)) <&"$socket" >/dev/null
        answer=$(ask "$socket" '\0\0\0\016\0\003\0\1\0\0\0\2\377\377\0\0\0\0' 12)
        # shellcheck disable=SC2086
        set -- $answer
        # size, correlation id, number of brokers
        [[ $# -eq 12 ]] && { echo "${12}"; rest=0; }
    fi
    exec {socket}>&-
    return $rest
}

wait_ready() {
    local end=$((SECONDS + $1)) node running=() known
    for node in $(nodes); do
        [[ -n $(pid_of "$node") ]] && running+=("$node")
    done
    ((${#running[@]} > 0)) || die "no node runs"
    for node in "${running[@]}"; do
        until known=$(probe "$(column "$node" 3)" 2>/dev/null) && ((known >= ${#running[@]})); do
            [[ -n $(pid_of "$node") ]] || return 1
            ((SECONDS < end)) || die "node $node is not ready after $1 s; see $(node_dir "$node")/log"
            sleep 0.1
        done
    done
}

send() {
    local pid
    pid=$(pid_of "$2")
    [[ -n $pid ]] || die "node $2 does not run"
    kill "-$1" "$pid"
}

# Waits until a node is gone, at most SECONDS; 1 if it is still there.
gone() {
    local end=$((SECONDS + $2))
    while [[ -n $(pid_of "$1") ]]; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
    rm -f "$(node_dir "$1")/pid"
}

# stop SECONDS: asks all nodes to end, and after that long insists. The last
# nodes of a cluster wait for a quorum that is gone, so insisting is normal.
stop() {
    local node pid
    for node in $(nodes); do
        pid=$(pid_of "$node")
        [[ -n $pid ]] || continue
        kill -CONT "$pid" 2>/dev/null || true
        (($1 > 0)) && { kill -TERM "$pid" 2>/dev/null || true; }
    done
    for node in $(nodes); do
        gone "$node" "$1" && continue
        pid=$(pid_of "$node")
        [[ -z $pid ]] || kill -KILL "$pid" 2>/dev/null || true
        gone "$node" 10 || die "node $node (pid $pid) does not end"
    done
    pid=$(pid_of -zookeeper)
    [[ -z $pid ]] || { kill -KILL "$pid" 2>/dev/null && gone -zookeeper 10; }
}

up() {
    local n=$1 node try
    fetch_jars
    [[ -f $dir/ports ]] && { [[ $(nodes | wc -l) == "$n" ]] || die "$dir has another number of nodes: clean first"; }
    for try in 1 2 3; do
        [[ -f $dir/ports ]] || choose_ports "$n"
        for node in $(nodes); do format_node "$node"; done
        ((number >= 300)) || start_zookeeper
        for node in $(nodes); do [[ -n $(pid_of "$node") ]] || start_node "$node"; done
        wait_ready 120 && return
        # Somebody else may have taken a port in between: choose again.
        grep -q 'Address already in use' "$dir"/node*/log || break
        clean
    done
    tail -n 20 "$dir"/node*/log >&2
    die "a node ended during the start (attempt $try)"
}

clean() { stop 0; rm -rf "$dir"; }

tool_class() {
    local tools=org.apache.kafka.tools
    # What moved from the broker's own package in 3.x; those of 3.9 are where 4.x has them.
    ((number >= 309)) || case $1 in
    topics) echo kafka.admin.TopicCommand; return ;;
    consumer-groups) echo kafka.admin.ConsumerGroupCommand; return ;;
    console-producer) echo kafka.tools.ConsoleProducer; return ;;
    console-consumer) echo kafka.tools.ConsoleConsumer; return ;;
    dump-log) echo kafka.tools.DumpLogSegments; return ;;
    esac
    case $1 in
    topics) echo $tools.TopicCommand ;;
    configs) echo kafka.admin.ConfigCommand ;;
    cluster) echo $tools.ClusterTool ;;
    console-producer) echo $tools.ConsoleProducer ;;
    console-consumer) echo $tools.consumer.ConsoleConsumer ;;
    consumer-groups) echo $tools.consumer.group.ConsumerGroupCommand ;;
    verifiable-consumer) echo $tools.VerifiableConsumer ;;
    dump-log) echo $tools.DumpLogSegments ;;
    get-offsets) echo $tools.GetOffsetShell ;;
    producer-perf-test) echo $tools.ProducerPerformance ;;
    consumer-perf-test) echo $tools.ConsumerPerformance ;;
    reassign-partitions) echo $tools.reassign.ReassignPartitionsCommand ;;
    transactions) echo $tools.TransactionsCommand ;;
    features) echo $tools.FeatureCommand ;;
    leader-election) echo $tools.LeaderElectionCommand ;;
    *.*) echo "$1" ;;
    *) die "no tool $1; a class name with dots is taken as it is" ;;
    esac
}

print_env() {
    local i name node addresses
    for i in "${!listeners[@]}"; do
        addresses=
        for node in $(nodes); do addresses+=,127.0.0.1:$(column "$node" $((i + 3))); done
        name=${listeners[i]%:*}
        [[ $name == PLAINTEXT ]] && name= || name=_$name
        echo "KW_BROKER$name=${addresses#,}"
    done
    echo "KW_KAFKA_DATA=$(node_dir 1)/data"
}

command=${1:-}
[[ $# -gt 0 ]] && shift
case $command in
up) up "${1:-1}"; print_env ;;
env) print_env ;;
kill) send KILL "$1"; gone "$1" 10 ;;
pause) send STOP "$1" ;;
resume) send CONT "$1" ;;
start) start_node "$1" ;;
wait) wait_ready "${1:-60}" || die "a node ended; see $dir/node*/log" ;;
tool) class=$(tool_class "$1"); shift; fetch_jars; run_class "$class" "$@" ;;
stop) send TERM "$1"; send CONT "$1"; gone "$1" 20 || { send KILL "$1"; gone "$1" 10; } ;;
down) stop 10 ;;
clean) clean ;;
clean-all)
    for ports in build/kafka*/ports; do
        [[ ! -f $ports ]] || KW_KAFKA_DIR=$PWD/${ports%/ports} "$PWD/tools/kafka.sh" clean
    done
    ;;
*) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
