#!/bin/sh
# Which faults of tools/fault-ids.txt have a test: prints docs/COVERAGE.md.
#
#   tools/coverage_ids.sh > docs/COVERAGE.md     (make docs)
#   tools/coverage_ids.sh --check                ids in tests exist, and none that
#                                                docs/COVERAGE.md lists lost its test
#
# A test file names what it covers in comments: /* covers: P51 P44 */ in C,
# "# covers: P51" in shell.
set -u
cd "$(dirname "$0")/.." || exit 1
LC_ALL=C
export LC_ALL

# ID <tab> FILE, one line a pair
claims() {
    find tests fuzz \( -name '*.c' -o -name '*.h' -o -name '*.sh' \) -type f 2>/dev/null | sort |
        xargs awk '
        /covers:/ { open = 1; sub(/^.*covers:/, "") }
        open {
            text = $0
            if (text ~ /\*\//) { sub(/\*\/.*$/, "", text); closed = 1 } else closed = 0
            n = split(text, word, /[^A-Za-z0-9]+/)
            hits = 0
            for (i = 1; i <= n; i++)
                if (word[i] ~ /^[A-Z][0-9][0-9]?$/) { print word[i] "\t" FILENAME; hits++ }
            if (closed || !hits) open = 0
        }' /dev/null | sort -u
}

if [ "${1:-}" = --check ]; then
    claims | awk -F'\t' '
        FILENAME == "tools/fault-ids.txt" { if ($0 !~ /^#/) known[$1] = 1; next }
        FILENAME == "docs/COVERAGE.md" {
            if (match($0, /^\| [A-Z][0-9]+ \|/)) listed[substr($0, 3, RLENGTH - 4)] = 1
            next
        }
        { tested[$1] = 1; if (!($1 in known)) { print $2 " names the unknown id " $1; bad = 1 } }
        END {
            if (bad) print "not ok - tests name known fault ids only"
            else print "ok - tests name known fault ids only"
            for (id in listed) if (!(id in tested)) { print "no test names " id " any more"; lost = 1 }
            if (lost) print "not ok - no fault id has lost its test"
            else print "ok - no fault id has lost its test"
            exit bad || lost
        }' tools/fault-ids.txt $(ls docs/COVERAGE.md 2>/dev/null) -
    exit $?
fi

claims | awk -F'\t' '
    FILENAME == "tools/fault-ids.txt" {
        if ($0 ~ /^#/) next
        order[++n] = $1
        class[$1] = $2
        trigger[$1] = $3
        total[$2]++
        next
    }
    ($1 in class) { files[$1] = files[$1] (files[$1] ? ", " : "") "`" $2 "`" }
    END {
        print "# Faults and the tests that cover them"
        print ""
        print "Made by `make docs` from the `covers:` comments of the tests; the ids and"
        print "triggers are in tools/fault-ids.txt. Class: D data, X crash or security, H hang,"
        print "Q error quality, I invariant."
        print ""
        for (i = 1; i <= n; i++) if (files[order[i]]) { covered++; in_class[class[order[i]]]++ }
        print "| class | covered | of |"
        print "|---|---|---|"
        m = split("D X H Q I", letters, " ")
        for (i = 1; i <= m; i++) printf "| %s | %d | %d |\n", letters[i], in_class[letters[i]], total[letters[i]]
        printf "| all | %d | %d |\n", covered, n
        print ""
        print "| id | class | fault | tests |"
        print "|---|---|---|---|"
        for (i = 1; i <= n; i++) {
            id = order[i]
            if (files[id]) printf "| %s | %s | %s | %s |\n", id, class[id], trigger[id], files[id]
        }
        print ""
        print "Not covered yet:"
        print ""
        line = ""
        for (i = 1; i <= n; i++) {
            id = order[i]
            if (files[id]) continue
            if (length(line) + length(id) > 92) { print line; line = "" }
            line = line (line ? " " : "") id
        }
        print line
    }' tools/fault-ids.txt -
