#!/usr/bin/env bash
# kw bench: it does the work that it says, and its figures have the promised form.
. "$(dirname "$0")/lib.sh"
start_broker --topic spread:3 --topic empty:2 --topic odd:1

json='^\{"records":[0-9]+,"bytes":[0-9]+,"wall_s":[0-9]+\.[0-9]+,"user_s":[0-9]+\.[0-9]+,"sys_s":[0-9]+\.[0-9]+,"cpu_ns_per_record":[0-9.]+,"records_per_s":[0-9.]+,"p50_us":[0-9]+,"p90_us":[0-9]+,"p99_us":[0-9]+,"p999_us":[0-9]+,"max_us":[0-9]+,"rss_kb":[0-9]+,"allocs_per_record":[0-9.]+\}$'
field() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" "$out"; }
figures() { # TEXT: what is true of the figures of any good run
    true_that "$1: one object with the keys" [ "$(grep -Ec "$json" "$out")/$(wc -l <"$out")" = 1/1 ]
    true_that "$1: the figures agree" awk -v n="$(field records)" -v wall="$(field wall_s)" \
        -v user="$(field user_s)" -v sys="$(field sys_s)" -v cpu="$(field cpu_ns_per_record)" \
        -v rate="$(field records_per_s)" -v p50="$(field p50_us)" -v p90="$(field p90_us)" \
        -v p99="$(field p99_us)" -v p999="$(field p999_us)" -v max="$(field max_us)" \
        -v rss="$(field rss_kb)" -v allocs="$(field allocs_per_record)" 'BEGIN {
            if (wall <= 0 || max / 1e6 > wall + 0.01 || rss < 500 || allocs > 0.5) exit 1
            if (p50 > p90 || p90 > p99 || p99 > p999 || p999 > max) exit 1
            if (rate * wall < n * 0.99 || rate * wall > n * 1.01) exit 1
            exit !(cpu * n <= (user + sys) * 1e9 * 1.01 + n && cpu * n >= (user + sys) * 1e9 * 0.99 - n)
        }' </dev/null
}

run "produce --json" 0 "$kw" bench produce -b "$B" -t made --partitions 3 --records 60000 --size 100 --json
figures "produce"
true_that "records and bytes are those asked for" [ "$(field records) $(field bytes)" = "60000 6000000" ]
says "the summary is on stderr" '^kw bench produce: 60000 delivered, 0 failed$'
run "the records are there" 0 "$kw" consume -q -b "$B" -t made -e -f '%p %S %K\n'
true_that "20,000 in each partition, of 100 bytes, without a key" awk '
    { n[$1]++; if ($2 != 100 || $3 != -1) bad++ }
    END { exit !(NR == 60000 && n[0] == 20000 && n[1] == 20000 && n[2] == 20000 && !bad) }' "$out"
run "consume --json" 0 "$kw" bench consume -b "$B" -t made --records 60000 --size 100 --json
figures "consume"
true_that "it read them all" [ "$(field records) $(field bytes)" = "60000 6000000" ]
run "consume to the end" 0 "$kw" bench consume -b "$B" -t made
true_that "the text has all figures" awk '
    /^records +60000 \(6000000 bytes\)$/ || /^wall +[0-9.]+ s$/ || /^throughput +[0-9]+ records\/s, / ||
    /^cpu +.* ns a record$/ || /^latency +p50 [0-9]+, p90 [0-9]+, p99 [0-9]+, p99.9 [0-9]+, max [0-9]+ us$/ || /^memory +[0-9]+ kB/ { n++ }
    END { exit !(n == 6 && NR == 6) }' "$out"
run "consume one partition" 0 "$kw" bench consume -b "$B" -t made --partitions 1 --json
true_that "it read that one" [ "$(field records)" = 20000 ]
run "consume more than there are" 1 "$kw" bench consume -b "$B" -t made --records 60001
says "says so" 'the topic ends after 60000 records of 60001'
says "and counts what is missing" '60000 read, 1 failed'
run "consume an empty topic" 0 "$kw" bench consume -b "$B" -t empty --json
true_that "nothing was read" [ "$(field records)" = 0 ]
run "records of another size" 0 "$kw" produce -q -b "$B" -t odd <<<"five!"
run "consume --size" 1 "$kw" bench consume -b "$B" -t odd --size 4
says "counts them" '1 read, 1 failed'

n_seed=0
for seed in 7 7 8; do
    n_seed=$((n_seed + 1))
    run "produce --seed $seed" 0 "$kw" bench produce -q -b "$B" -t "seed$n_seed" \
        --partitions 1 --records 3000 --size 333 --seed $seed
    silent "-q silences it"
    "$kw" consume -q -b "$B" -t "seed$n_seed" -e -f '%s' >"$work/seed$n_seed"
done
same "a seed gives the same bytes" "$work/seed1" "$work/seed2"
true_that "another seed gives others" bash -c "! cmp -s $work/seed1 $work/seed3"
if command -v gzip >/dev/null 2>&1; then
    len=$(gzip -c "$work/seed1" | wc -c)
    true_that "the values can be compressed ($len of 999000 bytes)" [ "$len" -lt 700000 ]
    true_that "but not to nothing" [ "$len" -gt 300000 ]
fi
run "produce where the library spreads" 0 "$kw" bench produce -b "$B" -t spread -c 100 --size 0 --json
true_that "empty values have no bytes" [ "$(field records) $(field bytes)" = "100 0" ]
run "without reports of what was delivered" 0 "$kw" bench produce -b "$B" -t spread -c 1000 \
    -X delivery.report.only.error=true --json
true_that "the deliveries are counted still" [ "$(field records)" = 1000 ]
if "$kw" produce -q -b "$B" -t spread -z lz4 </dev/null 2>/dev/null; then
    run "produce --codec" 0 "$kw" bench produce -b "$B" -t spread -c 1000 --codec lz4
fi

table() { # TEXT ROWS: a head, rows of numbers, and p50 to max in order
    true_that "$1" awk -v rows="$2" '
        NR == 1 { n = NF; next }
        { for (i = NF; i > NF - 7; i--) if ($i !~ /^[0-9.]+$/) bad++ }
        $(NF - 3) > $(NF - 2) || $(NF - 2) > $(NF - 1) || $(NF - 1) > $NF { bad++ }
        END { exit !(NR == rows + 1 && !bad) }' "$out"
}
svg=$work/sweep.svg
run "sweep" 0 "$kw" bench produce -b "$B" -t spread -c 500 --sweep size=10,100,1000,10000 \
    --sweep client.id=plain,'<&>' --svg "$svg"
table "a row for each point" 8
says "the summary counts them" '^kw bench produce: 8 of 8 points, 4000 delivered, 0 failed$'
if python3 -c 'import xml.etree.ElementTree' 2>/dev/null; then
    python3 - "$svg" >"$out" 2>"$err" <<'PY'
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
ns = "{http://www.w3.org/2000/svg}"
width, height = float(root.get("width")), float(root.get("height"))
texts = [t.text for t in root.iter(ns + "text")]
lines = [[tuple(map(float, p.split(","))) for p in line.get("points").split()]
         for line in root.iter(ns + "polyline")]
dots = list(root.iter(ns + "circle"))
assert root.tag == ns + "svg"
assert len(lines) == 6 and all(len(line) == 4 for line in lines), lines
assert len(dots) == 24
for line in lines:
    steps = [b[0] - a[0] for a, b in zip(line, line[1:])]
    assert max(steps) - min(steps) < 0.3, ("decades are not as wide", steps)
    assert all(0 < x < width and 0 < y < height for x, y in line)
for wanted in ("10", "100", "1000", "10000", "client.id=plain", "client.id=<&>",
               "size of a value, bytes (logarithmic)", "throughput, records per second",
               "throughput, MB per second", "processor time, ns per record",
               "kw bench produce: 500 records to spread"):
    assert wanted in texts, (wanted, texts)
PY
    rc=$?
    true_that "the picture is SVG with what was measured" [ $rc = 0 ]
    [ $rc = 0 ] || show
fi
run "sweep --json" 0 "$kw" bench produce -b "$B" -t spread -c 100 --sweep compression.type=none --json
true_that "an object for each point, with its values" grep -Eq \
    '^\{"sweep":\{"compression.type":"none"\},"records":100,.*"max_us":[0-9]+,.*\}$' "$out"
run "sweep partitions" 0 "$kw" bench produce -b "$B" -t parts -c 50 --sweep partitions=1,5
run "each number has a topic of its own" 0 "$kw" consume -q -b "$B" -t parts-5 -e -f '%p\n'
true_that "with that many" [ "$(sort -u "$out" | wc -l)" = 5 ]

cp "$svg" "$work/before.svg"
sweep_refused() { # TEXT PATTERN ARGUMENTS...
    local text=$1 pattern=$2
    shift 2
    run "$text" 2 "$kw" bench produce -b "$B" -t spread -c 1 --svg "$svg" "$@"
    says "is told" "$pattern"
    true_that "and nothing was measured" [ ! -s "$out" ]
}
sweep_refused "a dimension without values" "'size=' is not DIMENSION=VALUE" --sweep size=
sweep_refused "no dimension" "is not DIMENSION=VALUE" --sweep 10,20
sweep_refused "an empty value" "has an empty value" --sweep size=1,,2
sweep_refused "a size that is none" "size: 'x' is not a number" --sweep size=1,x
sweep_refused "a value that the key cannot have" "linger.ms = -7" --sweep linger.ms=0,-7
sweep_refused "an unknown dimension" "frob" --sweep frob=1
sweep_refused "a dimension twice" "given before" --sweep size=1 --sweep size=2
sweep_refused "four dimensions" "three at most" --sweep size=1 --sweep linger.ms=1 --sweep acks=all --sweep partitions=1
sweep_refused "more lines than colours" "9 lines" --sweep size=1 --sweep linger.ms=1,2,3,4,5,6,7,8,9
sweep_refused "values that exclude each other" "acks" --sweep acks=all,1 --sweep enable.idempotence=true
same "the picture that was there is still there" "$work/before.svg" "$svg"
run "a picture of nothing" 2 "$kw" bench produce -b "$B" -t spread -c 1 --svg "$work/none.svg"
says "is told" "give --sweep"
run "a picture that cannot be written" 1 "$kw" bench produce -b "$B" -t spread -c 1 --sweep size=1 \
    --svg "$work/no/such.svg"
says "is named, before anything is measured" "such.svg: No such file"
true_that "no row" [ ! -s "$out" ]
if [ -w /dev/full ]; then
    run "a full disk" 1 "$kw" bench produce -b "$B" -t spread -c 1 --sweep size=1 --svg /dev/full
    says "is named" "/dev/full: No space left"
fi
run "no broker to sweep" 3 "$kw" bench produce -b 127.0.0.1:1 -t t --timeout 300 --sweep size=1,2 \
    --svg "$work/never.svg"
true_that "leaves no empty file" [ ! -e "$work/never.svg" ]
run "fewer partitions than asked for" 1 "$kw" bench produce -b "$B" -t spread --partitions 4 -c 1
says "are named" 'has 3 partitions, not 4'
run "a topic that is missing" 1 "$kw" bench consume -b "$B" -t missing
says "is named" 'UNKNOWN_TOPIC'
run "values above max.request.size" 1 "$kw" bench produce -b "$B" -t spread -c 5 --size 2000000
says "are refused with the remedy" 'max.request.size'
run "no broker" 3 "$kw" bench produce -b 127.0.0.1:1 -t t --timeout 300
run "no broker to consume from" 3 "$kw" bench consume -b 127.0.0.1:1 -t t --timeout 300
run "no verb" 2 "$kw" bench
run "a wrong verb" 2 "$kw" bench both
says "is named with the right ones" "'both'; produce or consume"
run "no topic" 2 "$kw" bench produce -b "$B"
run "an unknown codec" 2 "$kw" bench produce -b "$B" -t spread --codec rar
run "an unknown key" 2 "$kw" bench consume -b "$B" -t spread -X frob=1

"$kw" bench produce -b "$B" -t spread -c 1000000000 --json >"$out" 2>"$err" &
pid=$!
started+=($pid)
await 20 catches $pid
sleep 1
kill -INT $pid
wait $pid
rc=$?
true_that "Ctrl-C is a failure" [ $rc = 1 ]
says "that is named" 'interrupted after [1-9][0-9]* records'
figures "after Ctrl-C"
done_testing
