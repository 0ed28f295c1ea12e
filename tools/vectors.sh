#!/usr/bin/env bash
# Makes the golden bytes of tests/vectors/ anew: has Kafka's own classes of 4.3.1
# and 4.4.0, which Maven fetches once, write what tools/GenVectors.java asks for,
# and turns the JSON into C tables and fuzz seeds. Only needed when an API is
# added. Needs a JDK 17, Maven and Python 3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# jars VERSION: a class path with Kafka's client and what it takes to run
jars() {
    local folder=build/vectors/$1 jar
    if [[ ! -e $folder/done ]]; then
        mkdir -p "$folder"
        for jar in org.apache.kafka:kafka-clients:"$1" org.slf4j:slf4j-api:1.7.36 \
            com.fasterxml.jackson.core:jackson-{databind,core}:2.21.2 \
            com.fasterxml.jackson.core:jackson-annotations:2.21; do
            mvn -B -q dependency:copy -Dartifact="$jar" -DoutputDirectory="$folder" >&2
        done
        touch "$folder/done"
    fi
    echo "$folder/*"
}

java -cp "$(jars 4.3.1)" tools/GenVectors.java tests/vectors/kafka-4.3.1.json
java -cp "$(jars 4.4.0)" tools/GenVectors.java tests/vectors/kafka-4.4.0.json \
    tests/vectors/kafka-4.3.1.json
python3 tools/gen_vectors.py
