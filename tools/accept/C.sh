# Sourced by tools/tier.sh accept C: the whole protocol, both directions. About 60
# minutes, of which fuzzing takes KW_ACCEPT_FUZZ_SECONDS (900); it goes on where the
# last run stopped.
# shellcheck shell=sh
. tools/accept/report.sh
. tools/accept/fuzz.sh

shown_own() {
    case $1 in
    vectors) echo "build/tests/proto/test_vectors; build/tests/json/test_json; tests/cli/proto.sh" ;;
    schema_diff) echo "bash tests/live/schema.sh" ;;
    fuzz_total)
        shift
        fuzz_shown="tools/fuzz_all.sh -t $1 $(($1 / ($# - 3)))"
        shift
        echo "make fuzz fuzz-fast; $fuzz_shown $*"
        ;;
    tier) echo "make $2" ;;
    codec) echo "make bench; bench/codec.sh" ;;
    lines) echo "cat proto/*.[ch] | wc -l" ;;
    recipe) echo "git show --stat $(recipe_commit)" ;;
    *) return 1 ;;
    esac
}

# Bytes and JSON that Kafka's own classes made, both ways, and the same by kw proto.
vectors() {
    vectors_rc=0
    for name in proto/test_vectors json/test_json; do
        "build/tests/$name" --jobs 1 --color=never || vectors_rc=1
    done
    KW=build/kw bash tests/cli/proto.sh || vectors_rc=1
    echo "figure: $(grep -c '^     .name' tests/vectors/messages.inc) messages," \
        "$(grep -c '^     .name' tests/vectors/data.inc) blobs"
    return $vectors_rc
}

schema_diff() {
    bash tests/live/schema.sh >build/accept/schema.log 2>&1
    schema_rc=$?
    cat build/accept/schema.log
    sed -n 's/^ok - \(.*\)/figure: \1/p' build/accept/schema.log
    return $schema_rc
}

# The table as it stands in bench/RESULTS.md; kmsg's column needs Go.
codec() {
    bench/codec.sh >build/accept/codec.log 2>&1
    codec_rc=$?
    cat build/accept/codec.log
    awk -F ' *[|] *' '$5 ~ /^(encode|decode)$/ {
            printf "figure: %s v%s %s: %s instructions, kwire %s ns, kmsg %s ns\n", $2, $3, $5, $6, $7, $8
            n++; if ($6 == "-" || $7 == "-" || $6 == "" || $7 == "") missing++
        }
        END {
            if (n >= 8 && !missing) print "ok - " n " rows with instructions and time"
            else print "not ok - " n + 0 " rows, " missing + 0 " of them without a figure"
        }' build/accept/codec.log
    return $codec_rc
}

lines() {
    n=$(cat proto/*.[ch] | wc -l)
    echo "figure: $n lines"
    if [ "$n" -le 9000 ]; then echo "ok - at most 9,000"; else echo "not ok - above 9,000"; fi
}

# A commit that adds an API by the recipe of CONTRIBUTING.md touches its table, one
# row of api.c, and what the vectors are made from and become; nothing else.
recipe_commit() { git log --format=%h --grep='^proto: OffsetDelete$' | tail -n 1; }
recipe() {
    commit=$(recipe_commit)
    [ -n "$commit" ] || { echo "not ok - there is no such commit"; return 1; }
    git show --stat "$commit"
    git show --numstat --format= "$commit" >build/accept/recipe
    other=$(awk '$3 !~ /^(proto\/(api|groups)\.[ch]|tools\/GenVectors\.java|tests\/vectors\/|fuzz\/corpus\/)/' \
        build/accept/recipe)
    echo "figure: $commit, $(wc -l <build/accept/recipe) files"
    if [ -z "$other" ] && grep -q '^1	0	proto/api\.c$' build/accept/recipe; then
        echo "ok - a table, a row and vectors"
    else
        echo "not ok - it touches more: $other"
        return 1
    fi
}

# Another tier; its last line, the sum, is the figure.
tier() { tools/tier.sh "$1"; }

report_begin C
build plain all tests bench
line 1 "Kafka's vectors, both directions" vectors
line 2 "the tables are those of Kafka 4.3.1 and 4.4.0, and a wrong one is seen" schema_diff
line 3 "branches that unit tests and vectors take" tools/coverage.sh
line 4 "100,000,000 inputs for schema, records, message sets, frames, blobs, JSON" \
    fuzz_total 100000000 "${KW_ACCEPT_FUZZ_SECONDS:-900}" schema batch message_set frames blobs json
line 4 "each harness reaches 95 % of its files' branches" tools/fuzz_coverage.sh
line 5 "unit tests on i686, armhf and big-endian s390x" tier machines
line 5 "unit tests under valgrind" tier valgrind
line 6 "the codec alone, beside franz-go's" codec
line 7 "the size of proto/" lines
line 7 "a new API is a table, a row and a vector" recipe
report_end
