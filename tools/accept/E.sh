# Sourced by tools/tier.sh accept E: the consumer and its groups. About 80 minutes, most of
# it on real clusters.
# shellcheck shell=sh
. tools/accept/report.sh

shown_own() {
    case $1 in
    assignors) echo "KW_ASSIGN_CASES=1000000 build/tests/assign/test_laws; build/tests/assign/test_java" ;;
    bench_run) echo make bench-run ;;
    unit) shift; echo "build/tests/$1" ;;
    *) return 1 ;;
    esac
}
unit() { "build/tests/$1" --jobs 1 --color=never; }

# What the Java client's classes gave, and the laws on as many random groups.
assignors() {
    assignors_rc=0
    for binary in build/tests/assign/test_*; do
        case $binary in *.d) continue ;; esac
        KW_ASSIGN_CASES=1000000 "$binary" --jobs 1 --color=never || assignors_rc=1
    done
    return $assignors_rc
}

# The rows without codec of what consuming costs, one by one.
bench_run() {
    make bench-run >build/accept/bench-consume.log 2>&1
    bench_rc=$?
    cat build/accept/bench-consume.log
    awk -F ' *[|] *' '/^CPU, ns per record/ { here = 1 } /^Wall time/ { here = 0 }
        here && $2 == "consume" && $4 == "none" {
            printf "figure: consume %s B: floor %s, kwire %s, librdkafka %s ns\n", $3, $5, $6, $7
            n++; if ($6 == "-" || $7 == "-" || $5 == "-") missing++
        }
        END {
            if (n && !missing) print "ok - floor, kwire and librdkafka in " n " rows"
            else print "not ok - " n + 0 " rows, " missing + 0 " of them without a figure"
        }' build/accept/bench-consume.log
    return $bench_rc
}

report_begin E
build plain all tests examples bench
line 1 "every fault id of consuming and of groups has a test" tools/fault_cover.sh C G
line 2 "assignors as Java's on recorded groups, and the laws on 1,000,000 random ones" assignors
line 3 "kwire, Java and librdkafka in one group, coming and going for 5 minutes under 1,000,000 records" \
    env KW_MIXED_SECONDS=300 KW_MIXED_RECORDS=1000000 bash tests/live/mixed.sh
line 4 "three nodes: kill -9, a member that stands still, coordinators and brokers lost, a topic that grows and is made anew" \
    env KW_CLUSTER_PAUSE=10 bash tests/live/cluster.sh
line 5 "acknowledged in any order, only the contiguous prefix is committed" unit client/test_offsets
line 5 "workers behind one member, killed in the middle" bash tests/live/consumers.sh
line 6 "Kafka's own tool shows our members and lag in both protocols; its reset is respected" \
    bash tests/live/groups.sh
line 6 "kw groups, kw offsets and kw lag say what Kafka's tool says, and each sees the other's resets" \
    bash tests/live/group_admin.sh
line 7 "Kafka 2.8, 3.9 and 4.3" bash tests/live/versions.sh
line 8 "beside librdkafka and the floor" bench_run
line 8 "instructions per record" tools/callgrind.sh
line 8 "a fetch costs what is active, not what is assigned" bash tests/live/assigned.sh
line 9 "the programs of docs/CONSUMER.md do what it says" bash tests/live/consumers.sh
report_end
