# Sourced by tools/tier.sh accept F: the producer in other people's programs.
# shellcheck shell=sh
. tools/accept/report.sh

report_begin F
build plain all tests examples bench
line 1 "every fault id of producing and of transactions has a test" tools/fault_cover.sh P T
line 2 "three nodes, RF 3: 5,000,000 records while leaders are killed, paused and restarted" \
    env KW_LEADER_RECORDS=5000000 KW_LEADER_RATE=16000 bash tests/live/leaders.sh
line 3 "read, transformed, written once: killed 27 times for each version of transactions" \
    env KW_TXN_KILLS=9 bash tests/live/txn.sh
line 5 "a key's partition as Java, librdkafka and Sarama choose it" \
    build/tests/client/test_partitioner --jobs 1 --color=never
build tsan build/tsan/tests/api/test_threads build/tsan/tests/net/test_thread
line 7 "8 threads produce, flush, take events, read and close in all orders for 60 s, under the thread sanitizer" \
    env KW_THREAD_SECONDS=60 build/tsan/tests/api/test_threads
line 7 "one I/O thread, its wake-ups, a second thread without it, forks, calls inside callbacks" \
    build/tests/net/test_thread --jobs 1 --color=never
line 8 "the programs of docs/PRODUCER.md do what it says" bash tests/live/producers.sh
report_end
