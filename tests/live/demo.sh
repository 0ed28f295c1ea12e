#!/usr/bin/env bash
# The README's first command, against a real Kafka.
#
# covers: I2 I5
. "$(dirname "$0")/lib.sh"
check "make demo BROKER=kafka" tools/demo.sh kafka
done_testing
