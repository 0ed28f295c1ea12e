#!/usr/bin/env bash
# The consumers of docs/CONSUMER.md (examples/) against the in-tree broker: what each of
# them promises, with kill -9, with members that come and go, and with one that stands
# still past its session. The gateway is in examples.sh.
#
# covers: G01 G41 G42 G45 I5 I6 I7
. "$(dirname "$0")/lib.sh"
examples=$build/examples
need_mock
pids=()
stop_all() {
    for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null; done
    stop_mock
}
trap stop_all EXIT

# settings NAME KEY=VALUE...: a properties file, and with it the group NAME
settings() {
    local name=$1
    shift
    printf '%s\n' "bootstrap.servers=$KW_BROKER" "group.id=$name" auto.offset.reset=earliest \
        session.timeout.ms=1500 heartbeat.interval.ms=100 auto.commit.interval.ms=200 "$@" >"$work/$name.properties"
}
# begin PROGRAM NAME OUT ARG...: examples/PROGRAM NAME.properties ARG...
begin() {
    local program=$1 name=$2 out=$3
    shift 3
    "$examples/$program" "$work/$name.properties" "$@" >>"$work/$out" 2>>"$work/$out.err" &
    pid=$!
    pids+=("$pid")
}
end() { kill "-$1" "$2" 2>/dev/null && wait "$2" 2>/dev/null; }
# wait_for SECONDS COMMAND...
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}
has_lines() { [ "$(cat "${@:2}" 2>/dev/null | wc -l)" -ge "$1" ]; }
has_different() { [ "$(cat "${@:2}" 2>/dev/null | sort -u | wc -l)" -ge "$1" ]; }
produce() { seq "$2" "$3" | $kw produce -q -b "$KW_BROKER" -t "$1" "${@:4}"; }
# "PARTITION OFFSET" of what the group has committed, a line each
committed() {
    echo "{\"groupId\":\"$1\",\"topics\":null,\"requireStable\":false}" |
        $kw request -q -b "$KW_BROKER" --group "$1" --api OffsetFetch --version 7 | tr -d ' \n' |
        grep -o '"partitionIndex":[0-9]*,"committedOffset":[0-9]*' | tr -c '0-9\n' ' ' | awk '{ print $1, $2 }'
}
all_committed() { [ "$(committed "$1" | awk '{ n += $2 } END { print n + 0 }')" = "$2" ]; }
numbers() { cut -d' ' -f 3 "$@" | sort -n; }
drop_cut_line() { [ -z "$(tail -c 1 "$1")" ] || sed -i '$d' "$1"; } # what kill -9 leaves
twice() { sort "$@" | uniq -d | wc -l; }

# ---- 1. at least once ---------------------------------------------------------------------

new_topic orders 4
settings orders
produce orders 1 10000 --rate 4000 &
flow=$!
begin member orders member1 orders
check "member prints what comes" wait_for 20 has_lines 2000 "$work/member1"
end KILL "$pid"
drop_cut_line "$work/member1"
settings orders session.timeout.ms=20000 # so that only leaving makes room for the next one
begin member orders member2 orders
wait $flow
check "member: after kill -9 the next one prints the rest" wait_for 20 has_different 10000 "$work/member1" "$work/member2"
same "member: nothing is lost" <(seq 10000) <(numbers "$work/member1" "$work/member2" | uniq)
check "member: what was printed is committed soon" wait_for 5 all_committed orders 10000
produce orders 10001 10100
check "member prints what comes later" wait_for 20 has_different 10100 "$work/member1" "$work/member2"
end TERM "$pid"
check "member: asked to end, it commits and leaves" test $? = 0
begin member orders member3 orders
check "member: the next one is given partitions at once" wait_for 10 grep -q 'are ours' "$work/member3.err"
sleep 0.5
end TERM "$pid"
check "member: and has nothing to print" test ! -s "$work/member3"
echo "figure: at least once: $(twice "$work/member1" "$work/member2") of 10100 records came twice by one kill -9"

# ---- 2. at most once ------------------------------------------------------------------------

new_topic mails 4
settings mails enable.auto.commit=false
produce mails 1 3000
begin once mails once1 mails
check "once prints what comes" wait_for 20 has_lines 500 "$work/once1"
end KILL "$pid"
begin once mails once2 mails
check "once: after kill -9 the next one goes on" wait_for 60 all_committed mails 3000
sleep 0.5
end TERM "$pid"
check "once: nothing is printed twice" test "$(twice "$work/once1" "$work/once2")" = 0
n=$(cat "$work/once1" "$work/once2" | wc -l)
check "once: at most one commit's records are left out ($((3000 - n)) of 3000)" test "$n" -ge 2980

# ---- 3. a pool of workers ---------------------------------------------------------------------

new_topic jobs 4
settings jobs auto.commit.interval.ms=50
produce jobs 1 3000
begin workers jobs workers1 jobs "$work/done" 16 20
check "workers end jobs" wait_for 20 has_lines 1000 "$work/done"
end KILL "$pid"
cp "$work/done" "$work/done1"
committed jobs >"$work/committed"
check "workers: jobs end in any order" awk '$2 < last[$1] { back = 1 } { last[$1] = $2 } END { exit !back }' "$work/done1"
check "workers: kill -9 in the middle, and all in front of what is committed was done" awk '
    NR == FNR { done[$1 " " $2] = 1; next }
    { for (i = 0; i < $2; i++) if (!(($1 " " i) in done)) { print "partition " $1 " offset " i; exit bad = 1 } n += $2 }
    END { exit bad || n == 0 }' "$work/done1" "$work/committed"
begin workers jobs workers2 jobs "$work/done" 16 20
check "workers: the next one does the rest" wait_for 30 has_different 3000 "$work/done"
same "workers: nothing is lost" <(seq 3000) <(numbers "$work/done" | uniq)
check "workers: all is committed" wait_for 5 all_committed jobs 3000
end TERM "$pid"
echo "figure: workers: $(twice "$work/done") of 3000 jobs were done twice by one kill -9"

# Work of which one piece takes longer than the session, and two members.
new_topic slow 2
settings slow
for i in 1 2; do produce slow "$i" "$i" -p 0 && produce slow $((i + 2)) $((i + 2)) -p 1; done
begin workers slow slow1 slow "$work/slow.done" 1 4000
first=$pid
begin workers slow slow2 slow "$work/slow.done" 1 4000
check "workers: work longer than the session ends" wait_for 30 has_lines 4 "$work/slow.done"
check "workers: nothing was done twice, nobody was thrown out" sh -c \
    "[ \$(sort -u $work/slow.done | wc -l) = 4 ] && [ \$(wc -l <$work/slow.done) = 4 ] && ! grep -q lost $work/slow1.err $work/slow2.err"
end TERM "$first"
end TERM "$pid"

# ---- 4. state for each partition ------------------------------------------------------------------

new_topic counted 6
settings counted
mkdir -p "$work/counts"
produce counted 1 20000 --rate 4000 &
flow=$!
begin counts counted count counted "$work/counts"
first=$pid
sleep 1
begin counts counted count counted "$work/counts"
second=$pid
sleep 1
end KILL "$first"
begin counts counted count counted "$work/counts"
third=$pid
sleep 2
end TERM "$second"
begin counts counted count counted "$work/counts"
wait $flow
check "counts: members that come and go, one by kill -9, count all" wait_for 30 all_committed counted 20000
end TERM "$third"
end TERM "$pid"
check "counts: each record once" awk '{ n += $2; sum += $3 } END { exit !(n == 20000 && sum == 200010000) }' \
    "$work"/counts/counted-[0-9] # a partition that no record went to has none
echo "figure: counts: $(awk '/ended early/ { n += $1 } END { print n + 0 }' "$work/count.err") handles ended early by a revoke"

# ---- 5. exactly once, into a database -----------------------------------------------------------------

if [ -x "$examples/sqlite" ]; then
    sql() { python3 -c 'import sqlite3, sys
for row in sqlite3.connect(sys.argv[1], timeout=20).execute(sys.argv[2]): print(*row)' "$work/$1.db" "$2" 2>/dev/null; }
    total_is() { [ "$(sql "$1" 'SELECT sum(n) FROM totals')" = "$2" ]; }
    total_above() { [ "$(sql "$1" 'SELECT sum(n) FROM totals')" -gt "$2" ] 2>/dev/null; }
    new_topic sales 4
    settings sales enable.auto.commit=false
    produce sales 1 20000 --rate 5000 &
    flow=$!
    begin sqlite sales sqlite1 sales "$work/sales.db" 20
    first=$pid
    begin sqlite sales sqlite2 sales "$work/sales.db" 20
    check "sqlite counts" wait_for 20 total_above sales 3000
    end KILL "$first"
    check "sqlite: one is killed, the other goes on" wait_for 20 total_above sales 10000
    end KILL "$pid"
    begin sqlite sales sqlite3 sales "$work/sales.db" 0
    wait $flow
    check "sqlite: both are killed, the next one counts the rest" wait_for 20 total_is sales 20000
    sleep 0.3
    check "sqlite: each value was counted once" test "$(sql sales 'SELECT count(*), min(n), max(n), sum(n) FROM totals')" = "20000 1 1 20000"
    end TERM "$pid"

    # A zombie: it has its records in hand, stands still until another one has done its
    # work, and then writes.
    new_topic late 1
    settings late enable.auto.commit=false
    produce late 1 400
    begin sqlite late zombie late "$work/late.db" 4000
    zombie=$pid
    check "zombie has the partition" wait_for 10 grep -q 'are ours' "$work/zombie.err"
    sleep 1
    kill -STOP "$zombie"
    begin sqlite late heir late "$work/late.db" 0
    check "sqlite: another one takes over when the session is over" wait_for 20 total_is late 400
    kill -CONT "$zombie"
    check "sqlite: the late write is refused, its token is lower" wait_for 10 awk '
        /^refused: partition 0 from 0 on/ { gsub(",", ""); for (i = 1; i < NF; i++) { if ($i == "is") own = $(i + 1); if ($i == "writer") other = $(i + 1) }
            found = own < other } END { exit !found }' "$work/zombie.err"
    check "sqlite: and each value was counted once" test "$(sql late 'SELECT count(*), max(n), sum(n) FROM totals')" = "400 1 400"
    end TERM "$zombie"
    end TERM "$pid"
else
    echo "skipped - $test_name: examples/sqlite is not built: libsqlite3-dev is missing"
fi

done_testing
