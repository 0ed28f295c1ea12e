# Sourced by tools/tier.sh accept B: batches that cannot be lost. About 60 minutes,
# of which fuzzing takes KW_ACCEPT_FUZZ_SECONDS (900); it goes on where the last
# run stopped, so that a machine without hours to spare gets there in pieces.
# shellcheck shell=sh
. tools/accept/report.sh
. tools/accept/fuzz.sh

shown_own() {
    case $1 in
    codec_vectors) echo "build/asan/tests/compress/test_codec_vectors; build/asan/tests/client/test_unpack" ;;
    bombs) echo "build/bench/bench_bombs 50 100; build/tests/compress/test_bombs; build/tests/client/test_bombs; build/tests/client/test_unpack" ;;
    fuzz_inputs) shift; echo "make fuzz fuzz-fast; tools/fuzz_all.sh $*" ;;
    tier) echo "make $2" ;;
    bench_run) echo make bench-run ;;
    *) return 1 ;;
    esac
}

# Bytes that no compressor of ours made, to their records.
codec_vectors() {
    vectors_rc=0
    for name in compress/test_codec_vectors client/test_unpack; do
        "build/asan/tests/$name" --jobs 1 --color=never || vectors_rc=1
    done
    return $vectors_rc
}
# Milliseconds and MiB of resident memory, then work and memory without a clock.
bombs() {
    bombs_rc=0
    build/bench/bench_bombs 50 100 || bombs_rc=1
    for name in compress/test_bombs client/test_bombs client/test_unpack; do
        "build/tests/$name" --jobs 1 --color=never || bombs_rc=1
    done
    return $bombs_rc
}

# Another tier; its last line, the sum, is the figure.
tier() { tools/tier.sh "$1"; }

# Rows without codec of the table of CPU time, one by one.
bench_run() {
    make bench-run >build/accept/bench.log 2>&1
    bench_rc=$?
    cat build/accept/bench.log
    sed -n 's/^\(kwire .*, librdkafka .*\)/figure: \1/p' build/accept/bench.log
    awk -F ' *[|] *' '/^CPU, ns per record/ { here = 1 } /^Wall time/ { here = 0 }
        here && $4 == "none" {
            printf "figure: %s %s B: floor %s, kwire %s, librdkafka %s ns\n", $2, $3, $5, $6, $7
            n++; if ($6 == "-" || $7 == "-" || $5 == "-") missing++
        }
        END {
            if (n && !missing) print "ok - floor, kwire and librdkafka in " n " rows"
            else print "not ok - " n + 0 " rows, " missing + 0 " of them without a figure"
        }' build/accept/bench.log
    return $bench_rc
}

report_begin B
build plain all tests bench
build asan tests
line 1 "all codecs both ways with kcat, Java tools and kafka-dump-log" bash tests/live/roundtrip.sh
line 1 "compressed batches of the vectors decode to their records" codec_vectors
line 2 "5,000 seeds: five in flight, leader moves, cuts, timeouts, lost answers, old requests" \
    sim 5000 1800
line 2 "the planted bugs are found within 5,000 seeds" tools/planted.sh
line 3 "5,000,000 records, 12 partitions, a broker killed three times with requests in flight" \
    env KW_KILL_RECORDS=5000000 KW_KILL_TIMES=3 bash tests/live/kill_many.sh
line 4 "bombs are refused with little memory and at once; a bad checksum is never delivered" bombs
line 5 "every allocation of each scenario fails, once and from then on, under ASan" heap
line 6 "10,000,000 inputs for each fuzz target without a finding" \
    fuzz_inputs 10000000 "${KW_ACCEPT_FUZZ_SECONDS:-900}" client core frames mock schema batch \
    message_set blobs json config decompress_gzip decompress_lz4 decompress_snappy decompress_zstd
line 6 "unit tests under valgrind" tier valgrind
line 6 "unit tests on i686, armhf and big-endian s390x" tier machines
line 7 "beside librdkafka and the floor" bench_run
line 7 "instructions per record, no more than the gates of issue A" tools/callgrind.sh
fresh_clone
line 8 "make test as .ci/run calls it, from a fresh clone" ci_run 2400
rm -rf "$clone"
report_end
