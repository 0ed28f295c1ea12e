# Sourced by tools/tier.sh accept A: the long runs of the first slice, one record
# all the way.
# shellcheck shell=sh
. tools/accept/report.sh

report_begin A
build plain all tests bench
build asan tests
fresh_clone
line 1 "the demo on the in-tree broker, from a fresh clone" in_clone make demo
line 1 "the demo on a real Kafka, from a fresh clone" in_clone make demo BROKER=kafka
line 2 "every value of every byte of every vector, under ASan and UBSan" every_change
line 3 "round trips with kcat and Java, clean log" bash tests/live/roundtrip.sh
line 4 "a broker killed with -9 among 200,000 records" bash tests/live/kill.sh
line 5 "1,000 seeds of client and mock in one process" sim 1000 60
line 6 "every allocation fails once, and from then on; none per record in steady state" heap
line 7 "one thread in kw produce and kw consume" bash tests/live/one_thread.sh
line 7 "symbols of the core" tools/tidy.sh build
line 8 "instructions per record" tools/callgrind.sh
line "2, 9" "make test as .ci/run calls it, from a fresh clone" ci_run 1500
rm -rf "$clone"
report_end
