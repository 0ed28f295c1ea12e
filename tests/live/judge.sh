# Sourced by the live tests in which brokers fail while numbers.c produces: what its book
# ($work/numbers.out) and the log of the topic must say of each number.
# shellcheck shell=bash disable=SC2154
numbers=$build/tests/live/numbers
[ -x "$numbers" ] || { echo "not ok - $test_name: $numbers is missing, run make tests"; exit 1; }

# figure NAME: what numbers said of it at its end
figure() { awk -v name="$1" '$1 == name { value = $2 } END { print value + 0 }' "$work/numbers.out"; }
# Connections that ended while a Produce request had no answer.
n_cut() { grep -c 'ended with [0-9]* requests under way, first Produce' "$work/numbers.err"; }
# How many requests had no answer on the last of them.
last_cut() {
    sed -n 's/.*ended with \([0-9]* requests under way\), first Produce.*/\1/p' "$work/numbers.err" | tail -n 1
}
# runs WORD: each number that had this outcome, or flag
runs() {
    awk -v word="$1" '$1 == "run" && $2 == word { split($3, of, "-"); for (i = of[1]; i <= of[2]; i++) print i }' \
        "$work/numbers.out" | sort -n
}

# judge_outcomes N: sets delivered and failed
judge_outcomes() {
    check "every number was accepted" test "$(figure accepted)" = "$1"
    check "every number has one outcome, and numbers exits 0" \
        awk 'BEGIN { rc = 1 } $1 == "exit" { rc = $2 } END { exit rc }' "$work/numbers.out"
    delivered=$(figure delivered)
    failed=$(($(figure not-written) + $(figure unknown)))
    check "$delivered delivered and $failed failed are all $1" test $((delivered + failed)) = "$1"
}

# in_order PARTITIONS FILE: offsets one after another and numbers ascending, in each partition
in_order() {
    awk -v partitions="$1" '
        $2 != next_offset[$1] + 0 || $3 <= last[$1] + 0 { if (!bad++) print "line " NR ": " $0 ", last " last[$1] }
        { next_offset[$1] = $2 + 1; last[$1] = $3; count[$1]++ }
        END {
            for (i = 0; i < partitions; i++) if (!count[i]) { print "nothing in partition " i; bad++ }
            print bad + 0 " out of order"
            exit bad > 0
        }' "$2"
}
# all_of FILE: each number of stdin is in FILE, which may be empty
all_of() {
    awk -v file="$1" 'BEGIN { while ((getline line <file) > 0) named[line] = 1 }
        !($1 in named) { print $1; bad = 1 } END { exit bad }'
}
none() { # FILE: nothing is in it
    echo "$(wc -l <"$1") doubled, first $(head -n 3 "$1" | tr '\n' ' ')"
    [ ! -s "$1" ]
}

# judge_log TOPIC N PARTITIONS [doubled]: what kcat finds in the log. Nothing is lost that
# was reported as delivered, nothing is there that was reported as not written, and
# nothing is there twice or out of order; with the word "doubled", twice only what was
# said to be so, perhaps. Sets missing, doubled, reordered for a figure.
judge_log() {
    kcat -C -q -b "$KW_BROKER" -t "$1" -o beginning -e -f '%p %o %s\n' >"$work/log"
    if [ -z "${4:-}" ]; then
        check "the log has each partition's numbers in order" in_order "$3" "$work/log"
        reordered=$(tail -n 1 "$work/check.log")
    fi
    awk '{ print $3 }' "$work/log" | sort -n -S 200M >"$work/sorted"
    uniq -d "$work/sorted" >"$work/doubled"
    if [ -z "${4:-}" ]; then
        check "and no number twice" none "$work/doubled"
    else
        runs twice >"$work/twice"
        check "$(wc -l <"$work/doubled") numbers are there twice, all among the $(wc -l <"$work/twice") of which \
that was said to be possible" all_of "$work/twice" <"$work/doubled"
    fi
    doubled=$(wc -l <"$work/doubled")
    awk -v n="$2" 'BEGIN { next_number = 1 }
        { while (next_number < $1) print next_number++; next_number = $1 + 1 }
        END { while (next_number <= n) print next_number++ }' "$work/sorted" >"$work/missing"
    missing=$(wc -l <"$work/missing")
    { runs not-written; runs unknown; } >"$work/failed"
    check "$missing numbers are missing, each reported as failed" all_of "$work/failed" <"$work/missing"
    runs not-written >"$work/not-written"
    check "$(wc -l <"$work/not-written") numbers were reported as not written, and are not there" \
        all_of "$work/missing" <"$work/not-written"
}

# judge_batches TOPIC N FOLDER: kafka-dump-log over the files of the topic in a node's folder
judge_batches() {
    tools/kafka.sh tool dump-log --files "$(find "$3" -path "*/$1-*" -name '*.log' | sort | paste -s -d, -)" \
        >"$work/dump" 2>&1
    check "kafka-dump-log finds every batch valid: $(grep -c '^baseOffset: ' "$work/dump")" awk -v want="$2" '
        /^baseOffset: / {
            for (i = 1; i < NF; i++) value[$i] = $(i + 1)
            records += value["count:"]
            if (value["isvalid:"] != "true" || value["producerId:"] < 0) { print; bad = 1 }
        }
        /^Found |not consecutive|Mismatches|Exception|corrupt/ { print; bad = 1 }
        END { exit bad || records < want }' "$work/dump"
}
