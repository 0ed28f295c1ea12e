#!/usr/bin/env bash
# A cluster of three nodes, three replicas of twelve partitions, acks=all, at least two in
# sync: while numbers go to it, one node after another is killed with SIGKILL, stands still
# for longer than a request waits, or is shut down and started again. Each fault must find
# requests of ours that the node has not answered: it is made to stand still until bytes
# of them wait in its sockets. Then the same without idempotence, where what is in the log
# twice must have been reported as possibly so.
#
# KW_LEADER_RECORDS (240000) numbers, about KW_LEADER_RATE (2000) a second; in the second
# round a third of them. KW_LEADER_SEED chooses the faults.
# covers: P01 P03 P04 P12 P34 I1 I2 I3 N01
. "$(dirname "$0")/lib.sh"
. tests/live/judge.sh
unset KW_BROKER # only brokers of our own may be killed
need_kafka 3
n=${KW_LEADER_RECORDS:-240000}
RANDOM=${KW_LEADER_SEED:-$$}
echo "seed ${KW_LEADER_SEED:-$$}"
export NUMBERS_RATE=${KW_LEADER_RATE:-2000}
partitions=12
kinds=(kill pause restart)

# Bytes from numbers that a node's sockets hold unread. Columns of /proc/net/tcp: slot,
# local and remote address, state, queues (sent:received), ..., inode in the tenth.
unread() { # NODE
    local pid port hex sum=0
    pid=$(pgrep -P "$producer" -x numbers) || { echo 0; return; }
    port=$(printf %04X "$(awk -v node="$1" '$1 == node { print $3 }' "$KW_KAFKA_DIR/ports")")
    for hex in $(find "/proc/$pid/fd" -lname 'socket:*' -printf '%l\n' 2>/dev/null | tr -dc '0-9\n' |
        awk -v port="$port" '
            function port_of(address) { sub(/.*:/, "", address); return address }
            FILENAME == "-" { inode[$1] = 1; next }
            port_of($3) == port && ($10 in inode) { ours[port_of($2)] = 1 }
            port_of($2) == port && $4 == "01" { node[port_of($3)] = port_of($5) }
            END { for (other in ours) if (other in node) print node[other] }' - /proc/net/tcp /proc/net/tcp6); do
        sum=$((sum + 16#$hex))
    done
    echo $sum
}
produces() { kill -0 "$producer" 2>/dev/null; }
n_delivered() { awk '$1 == "delivered" { n = $2 } END { print n + 0 }' "$work/numbers.out"; }
# Stands the node still until it has something of ours; lets it go on after two seconds
# without: it leads nothing yet.
catch() { # NODE: sets waiting
    local try
    tools/kafka.sh pause "$1"
    for try in $(seq 20); do
        sleep 0.1
        waiting=$(unread "$1")
        ((waiting == 0)) || return 0
    done
    tools/kafka.sh resume "$1"
    return 1
}
fault() { # KIND NODE
    local cut_before cut_now before
    cut_before=$(n_cut)
    before=$(n_delivered)
    catch "$2" || return 0
    produces || { tools/kafka.sh resume "$2"; return 0; }
    case $1 in
    kill)
        tools/kafka.sh kill "$2"
        sleep 2
        tools/kafka.sh start "$2"
        ;;
    pause)
        sleep 8
        tools/kafka.sh resume "$2"
        ;;
    restart) # it goes on, and ends
        tools/kafka.sh stop "$2"
        tools/kafka.sh start "$2"
        ;;
    esac
    tools/kafka.sh wait
    cut_now=$(n_cut)
    n_faults=$((n_faults + 1))
    check "fault $n_faults, $1 of node $2 after $before numbers: it had $waiting bytes of requests unread, \
$((cut_now - cut_before)) connections ended with requests under way$([ "$cut_now" = "$cut_before" ] || echo ", the last with $(last_cut)")" \
        test "$waiting" -gt 0
    n_by_kind[$1]=$((${n_by_kind[$1]:-0} + 1))
}

# run_round TOPIC N FAULTS [SETTING...]: with so many faults at least
run_round() {
    local topic=$1 n=$2 least=$3 node begun=$SECONDS
    shift 3
    declare -gA n_by_kind=()
    n_faults=0
    check "a topic with three replicas" $kw topics create -q -b "$KW_BROKER" -t "$topic" -p $partitions --replication 3
    { "$numbers" "$KW_BROKER" "$topic" "$n" request.timeout.ms=5000 metadata.max.age.ms=5000 "$@" 2>"$work/numbers.err"
        echo "exit $?"; } >"$work/numbers.out" &
    producer=$!
    sleep 2
    while produces; do
        node=$((RANDOM % 3 + 1))
        fault "${kinds[n_faults % 3]}" $node
        sleep $((RANDOM % 3 + 2))
    done
    wait $producer
    seconds=$((SECONDS - begun))
    check "faults of each kind: kill ${n_by_kind[kill]:-0}, pause ${n_by_kind[pause]:-0}, restart ${n_by_kind[restart]:-0}" \
        test $n_faults -ge "$least"
    tools/kafka.sh wait
    judge_outcomes "$n"
    check "batches were sent again: $(figure retries)" test "$(figure retries)" -gt 0
}

run_round numbers "$n" 3
judge_log numbers "$n" $partitions
for node in 1 2 3; do
    judge_batches numbers $((n - failed)) "$KW_KAFKA_DIR/node$node/data"
done
echo "figure: $n numbers in $seconds s, $n_faults faults (kill ${n_by_kind[kill]:-0}, pause ${n_by_kind[pause]:-0}," \
    "restart ${n_by_kind[restart]:-0}): $missing missing, $doubled doubled, $reordered; $(n_cut) connections ended" \
    "with requests under way, $(figure retries) batches sent again"

run_round plain $((n / 3)) 1 enable.idempotence=false
judge_log plain $((n / 3)) $partitions doubled
check "and some may be there twice ($(runs twice | wc -l))" test "$(runs twice | wc -l)" -gt 0
echo "figure: without idempotence: $((n / 3)) numbers, $n_faults faults: $missing missing, $doubled doubled," \
    "$(wc -l <"$work/twice") of which it was said to be possible"
((n_not_ok > 0)) || rm -f "$work"/{log,sorted}* "$work"/dump*
done_testing
