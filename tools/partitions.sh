#!/usr/bin/env bash
# Makes tests/vectors/partitions.inc anew: asks Kafka's Java client 4.3.1, librdkafka and
# Sarama where they put 10,000 keys among 1 to 50 partitions. Needs a JDK 17, Maven, Go,
# Python 3 and librdkafka.so.1; the jars and Go modules are fetched once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=build/vectors/partitions
jars=build/vectors/4.3.1-assign # the same as those of tools/assignments.sh
mkdir -p "$work" "$jars"
if [[ ! -e $jars/done ]]; then
    for jar in org.apache.kafka:kafka-clients:4.3.1 org.slf4j:slf4j-api:1.7.36; do
        mvn -B -q dependency:copy -Dartifact="$jar" -DoutputDirectory="$jars" >&2
    done
    touch "$jars/done"
fi
gen=tools/gen_partitions.py
python3 $gen keys "$work/keys"
java -cp "$jars/*" tools/partitions/GenPartitions.java "$work/keys" "$work/java"
for name in consistent murmur2 fnv1a; do
    python3 $gen rdkafka "$work/keys" $name "$work/$name"
done
(cd tools/partitions && go build -o "$OLDPWD/$work/sarama_partitions" .)
"$work/sarama_partitions" "$work/keys" "$work/sarama"
python3 $gen write java="$work/java" rdkafka_murmur2="$work/murmur2" \
    rdkafka_consistent="$work/consistent" rdkafka_fnv1a="$work/fnv1a" sarama="$work/sarama" \
    >tests/vectors/partitions.inc
