#!/usr/bin/env bash
# Makes tests/vectors/assign.inc and the seeds of fuzz/fuzz_assign.c anew: has the
# assignors of Kafka's Java client 4.3.1, which Maven fetches once, assign the groups of
# tools/GenAssignments.java. Says on the standard error what was recorded, and what was
# not and why. Needs a JDK 17, Maven and Python 3.
#
#   tools/assignments.sh                      the recorded cases
#   tools/assignments.sh FILE TIMES [SEED]    others, so many times as many, as lines
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=build/vectors/4.3.1-assign
if [[ ! -e $folder/done ]]; then
    mkdir -p "$folder"
    for jar in org.apache.kafka:kafka-clients:4.3.1 org.slf4j:slf4j-api:1.7.36; do
        mvn -B -q dependency:copy -Dartifact="$jar" -DoutputDirectory="$folder" >&2
    done
    touch "$folder/done"
fi
java -cp "$folder/*" tools/GenAssignments.java "${1:-tests/vectors/assign.inc}" "${@:2}"
if [[ $# -eq 0 ]]; then python3 tools/gen_assign_seeds.py; fi
