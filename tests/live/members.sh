# Sourced by the live tests that have members of groups come and go: they write
# histories (tests/live/member.c) into $work, which ownership.py judges.
#
# A member's NAME ends in its kind: .kwire, .rdkafka or .java. Each start of it is a
# history of its own, NAME with a number in front.
# shellcheck shell=bash disable=SC2154
declare -A member_pid member_file
n_members=0
member_bin=$build/tests/live/member
peer_bin=$build/tests/live/peers/rdkafka_member
[ -x "$member_bin" ] && [ -x "$peer_bin" ] || { echo "not ok - $test_name: run make tests"; exit 1; }

# What heartbeats of KIP-848 members and sessions are at a test's pace.
cat >"$work/properties" <<END
group.min.session.timeout.ms=1000
group.consumer.min.heartbeat.interval.ms=200
group.consumer.heartbeat.interval.ms=500
group.consumer.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=6000
END
export KW_KAFKA_PROPERTIES=$PWD/$work/properties

# The path of another client's library; empty if it cannot be had.
find_rdkafka() {
    peers=build/peers
    mkdir -p $peers
    . bench/lib.sh
    fetch_rdkafka >&2
    echo "${rdkafka:-}"
}

# member_start NAME GROUP TOPIC SETTING...: the settings are those of the member's kind
member_start() {
    local name=$1 group=$2 topic=$3 file
    shift 3
    n_members=$((n_members + 1))
    file=$work/$group/$(printf %03d $n_members)-$name
    mkdir -p "$work/$group"
    case $name in
    *.kwire)
        "$member_bin" "$KW_BROKER" "$topic" "$file" group.id="$group" auto.offset.reset=earliest \
            auto.commit.interval.ms=1000 "$@" 2>"$file.err" &
        ;;
    *.rdkafka)
        "$peer_bin" "$rdkafka" "$KW_BROKER" "$topic" "$file" group.id="$group" auto.offset.reset=earliest \
            auto.commit.interval.ms=1000 topic.metadata.refresh.interval.ms=2000 "$@" 2>"$file.err" &
        ;;
    *.java)
        # timeout passes a signal on to all below it.
        timeout 1200 tools/kafka.sh tool verifiable-consumer --bootstrap-server "$KW_BROKER" --topic "$topic" \
            --group-id "$group" "$@" >"$file" 2>"$file.err" &
        ;;
    esac
    member_pid[$name]=$!
    member_file[$name]=$file
}
# For a trap. That of timeout is told in a way that it can pass on.
members_kill() {
    local name
    for name in "${!member_pid[@]}"; do
        case $name in
        *.java) kill -TERM "${member_pid[$name]}" ;;
        *) kill -KILL "${member_pid[$name]}" ;;
        esac
    done 2>/dev/null
}
member_runs() { [ -n "${member_pid[$1]:-}" ]; }
# member_stop NAME: it leaves its group.
member_stop() {
    kill -TERM "${member_pid[$1]}" 2>/dev/null
    wait "${member_pid[$1]}" 2>/dev/null
    unset "member_pid[$1]"
}
# member_kill NAME: it does not leave it. Others may own what it had from then on, so
# the line must not be later than the signal: the time is read before.
member_kill() {
    local time
    time=$(date +%s%6N)
    kill -KILL "${member_pid[$1]}"
    wait "${member_pid[$1]}" 2>/dev/null
    # Its last line may be cut off.
    [ -z "$(tail -c 1 "${member_file[$1]}")" ] || echo >>"${member_file[$1]}"
    echo "$time killed" >>"${member_file[$1]}"
    unset "member_pid[$1]"
}
members_stop() {
    local name
    for name in "${!member_pid[@]}"; do kill -TERM "${member_pid[$name]}" 2>/dev/null; done
    for name in "${!member_pid[@]}"; do member_stop "$name"; done
}
histories() { ls "$work/$1"/*.kwire "$work/$1"/*.rdkafka "$work/$1"/*.java 2>/dev/null; }

# dump_topic TOPIC: a line "PARTITION OFFSET VALUE" a record, into $work/log-TOPIC
dump_topic() { timeout 300 kcat -C -q -b "$KW_BROKER" -t "$1" -o beginning -e -f '%p %o %s\n' >"$work/log-$1"; }

# wait_for SECONDS COMMAND...
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.3
    done
}

judge() { # GROUP TOPIC OPTION...
    local group=$1 topic=$2
    shift 2
    # shellcheck disable=SC2046
    python3 tests/live/ownership.py "$@" "$work/log-$topic" $(histories "$group")
}
all_handled() { judge "$1" "$2" >"$work/judge-$1" 2>&1; grep -q '^ok .*every record was handled$' "$work/judge-$1"; }
# judged GROUP TOPIC TEXT OPTION...: the judge's lines become the test's
judged() {
    local group=$1 topic=$2 text=$3
    shift 3
    judge "$group" "$topic" --text "$text" "$@" >"$work/judge-$group" 2>&1 || n_not_ok=$((n_not_ok + 1))
    sed "s/^\(ok\|not ok\) - /\1 - $test_name: /" "$work/judge-$group"
    grep -q '^figure: ' "$work/judge-$group" || not_ok "$text: the judge does not judge"
}
# planted GROUP TOPIC LAW...: what breaks a law is seen
planted() {
    local group=$1 topic=$2 law
    shift 2
    for law in "$@"; do
        judge "$group" "$topic" --plant "$law" >"$work/planted" 2>&1
        check "the judge sees a planted fault: $law" grep -q "^not ok .* ($law: " "$work/planted"
    done
}
