#!/usr/bin/env bash
# Records through a broker and back: tools/demo.sh [mock | kafka]
#
# Makes a text file of at least 100,000 lines out of the project's own sources,
# starts a broker (the in-tree one, or a real Apache Kafka), sends each line as
# a record with a key and headers, reads everything back, and compares byte for
# byte. Exits 0 only if nothing was lost, doubled, moved or changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
LC_ALL=C
export LC_ALL

kind=${1:-mock}
lines_min=100000
work=build/demo-$kind
topic=demo
broker_pid=
case $kind in
mock) groups=(build) ;;
kafka) groups=(build live) ;;
*) echo "usage: make demo [BROKER=mock|kafka]" >&2; exit 2 ;;
esac

# shellcheck disable=SC2317
cleanup() {
    if [[ -n $broker_pid ]]; then
        kill "$broker_pid" 2>/dev/null || true
        wait "$broker_pid" 2>/dev/null || true
    fi
    [[ $kind != kafka ]] || KW_KAFKA_DIR=build/kafka-demo tools/kafka.sh clean
}
trap cleanup EXIT
trap 'exit 130' INT TERM

fail() { echo "demo: $*" >&2; exit 1; }
seconds_since() { awk -v from="$1" -v to="$(date +%s.%N)" 'BEGIN { printf "%.2f", to - from }'; }

tools/deps.sh "${groups[@]}" || fail "the packages above are needed"
mkdir -p build
echo "Building ..."
env -u MAKEFLAGS -u MAKELEVEL make -j"$(nproc)" --no-print-directory all >build/demo.log 2>&1 ||
    { tail -n 20 build/demo.log >&2; fail "make failed"; }
rm -rf "$work"
mkdir -p "$work"

# One line a record: KEY <tab> TEXT. The key names the place that the text has in
# the sources, and the turn, as the sources are repeated until there is enough.
make_input() {
    local sources
    sources=$(find base proto json client net mock cli include docs tests tools LICENSE README.md \
        -type f \( -name '*.[ch]' -o -name '*.md' -o -name '*.sh' -o -name LICENSE \) | sort)
    # shellcheck disable=SC2086
    awk -v least=$lines_min '
        { text[++n] = FILENAME ":" FNR; line[n] = $0 }
        END {
            for (turn = 1; made < least; turn++)
                for (i = 1; i <= n; i++) { print turn "/" text[i] "\t" line[i]; made++ }
        }' $sources
}
make_input >"$work/input"
records=$(($(wc -l <"$work/input")))
size=$(($(wc -c <"$work/input")))
((records >= lines_min)) || fail "the input has only $records lines"
echo "Input: $work/input, $records lines, $size bytes, from the project's own text."

start_mock() {
    build/kw broker --listen 127.0.0.1:0 >"$work/broker.log" 2>&1 &
    broker_pid=$!
    local end=$((SECONDS + 20))
    until broker=$(sed -n 's/.*listening on \([^ ]*:[0-9][0-9]*\).*/\1/p' "$work/broker.log" 2>/dev/null | head -n 1) &&
        [[ -n $broker ]]; do
        kill -0 "$broker_pid" 2>/dev/null || { cat "$work/broker.log" >&2; fail "the broker ended"; }
        ((SECONDS < end)) || fail "the broker did not say where it listens"
        sleep 0.05
    done
    what="kw broker, the in-tree one"
}

start_kafka() {
    export KW_KAFKA_DIR=build/kafka-demo
    tools/kafka.sh clean
    tools/kafka.sh up 1 >"$work/kafka.env"
    broker=$(sed -n 's/^KW_BROKER=//p' "$work/kafka.env")
    what="Apache Kafka ${KW_KAFKA_VERSION:-4.3.1}"
}

start_"$kind"
echo "Broker: $what, at $broker."
build/kw topics create -b "$broker" -t $topic -p 1 >"$work/create.log" 2>&1 ||
    { cat "$work/create.log" >&2; fail "the topic could not be created"; }

tab=$(printf '\t')
start=$(date +%s.%N)
build/kw produce -b "$broker" -t $topic -K "$tab" -H origin=kwire-demo -H "lines=$records" \
    -l "$work/input" 2>"$work/produce.log" || { cat "$work/produce.log" >&2; fail "produce failed"; }
produce_s=$(seconds_since "$start")
sed 's/^/  /' "$work/produce.log"

start=$(date +%s.%N)
build/kw consume -b "$broker" -t $topic -p 0 -o beginning -e -f '%k\t%s\n' >"$work/output" \
    2>"$work/consume.log" || { cat "$work/consume.log" >&2; fail "consume failed"; }
consume_s=$(seconds_since "$start")
sed 's/^/  /' "$work/consume.log"

cmp "$work/input" "$work/output" || fail "what came back differs from what was sent"
build/kw consume -q -b "$broker" -t $topic -p 0 -o beginning -e -f '%h\n' | sort | uniq -c >"$work/headers"
expected="origin=kwire-demo,lines=$records"
awk -v n="$records" -v headers="$expected" '$1 == n && $2 == headers { good = 1 }
    END { exit !(good && NR == 1) }' "$work/headers" ||
    { cat "$work/headers" >&2; fail "the headers differ: $expected was sent $records times"; }

rate() { awk -v n="$records" -v bytes="$size" -v s="$1" 'BEGIN {
    printf "%d records in %.2f s: %d records/s, %.1f MB/s", n, s, n / s, bytes / s / 1e6 }'; }
cat <<END

  produce  $(rate "$produce_s")
  consume  $(rate "$consume_s")

What happened: build/kw produce read the file, put each line into a batch for
its partition with its key and two headers, and had every batch acknowledged
(acks=all, idempotent). build/kw consume fetched the batches back, checked their
checksums and printed the records. All $records are there, in order, with the same
bytes; so are the headers. Wall times include connecting, metadata and the files.
END
