#!/bin/sh
# Holds docs/COVERAGE.md against the catalogue: every fault id that begins with one of
# the given letters has a test, or stands in tools/fault-waivers.txt with a reason.
#
#   tools/fault_cover.sh LETTER...         N S B, say
set -u
cd "$(dirname "$0")/.." || exit 1
[ $# -gt 0 ] || { echo "usage: tools/fault_cover.sh LETTER..." >&2; exit 2; }

tools/coverage_ids.sh --check || exit 1
tools/coverage_ids.sh | cmp -s - docs/COVERAGE.md || { echo "not ok - docs/COVERAGE.md is old: make docs"; exit 1; }
awk -v letters="$*" -F '\t' '
    BEGIN { n_letters = split(letters, letter, " ") }
    /^#/ && FILENAME ~ /\.txt$/ { next }
    FILENAME == "tools/fault-waivers.txt" { reason[$1] = $2; next }
    FILENAME == "docs/COVERAGE.md" {
        if (match($0, /^\| [A-Z][0-9]+ \|/)) tested[substr($0, 3, RLENGTH - 4)] = 1
        next
    }
    { for (i = 1; i <= n_letters; i++) if (substr($1, 1, 1) == letter[i]) { id[++n] = $1; text[$1] = $3 } }
    END {
        for (i = 1; i <= n; i++) {
            if (id[i] in tested) {
                n_tested++
                if (id[i] in reason) { print id[i] " has a test and stands in tools/fault-waivers.txt"; bad = 1 }
            } else if (reason[id[i]] != "") {
                print "  without a test: " id[i] ": " reason[id[i]]
                n_waived++
            } else {
                print "no test: " id[i] " " text[id[i]]
                bad = 1
            }
        }
        printf "figure: %d of %d ids of %s have a test, %d are left out with a reason\n", n_tested, n, letters, n_waived
        print (bad || n == 0 ? "not ok" : "ok") " - every fault id of " letters " has a test or a reason"
        exit bad || n == 0
    }' tools/fault-waivers.txt docs/COVERAGE.md tools/fault-ids.txt
