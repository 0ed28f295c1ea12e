# Sums up what gcov --branch-counts --stdout says; see coverage.sh.
#
# A branch is known by its file, line and number there. Waivers are lines
# "FILE|TEXT|NUMBERS|REASON": the branches of that numbers (separated by spaces)
# at each line of FILE that contains TEXT. One that waives nothing is an error.
#
# With `files`, names separated by spaces, only these count: all together must
# have `least` per cent, what is waived counts as taken, and `what` names them
# (fuzz_coverage.sh).

function waived(file, line, number,    i) {
    for (i = 1; i <= n_waivers; i++)
        if (waiver_file[i] == file && index(text[file, line], waiver_text[i]) &&
            index(" " waiver_numbers[i] " ", " " number " ")) {
            waiver_used[i]++
            return 1
        }
    return 0
}

function percent(a, b) { return b ? sprintf("%.1f", int(1000 * a / b) / 10) : "100.0" }

BEGIN {
    while ((getline row < waivers) > 0) {
        if (row == "" || row ~ /^#/)
            continue
        if (split(row, column, "|") != 4 || column[4] == "") {
            print "not ok - " waivers ": not FILE|TEXT|NUMBERS|REASON: " row
            bad = 1
            continue
        }
        waiver_file[++n_waivers] = column[1]
        waiver_text[n_waivers] = column[2]
        waiver_numbers[n_waivers] = column[3]
    }
}

$2 == "0:Source:" || /^ *-: *0:Source:/ {
    file = $0
    sub(/.*Source:/, "", file)
    counts = files ? index(" " files " ", " " file " ") : file ~ /^(proto|json|compress)\//
    next
}
!counts { next }
/^branch / {
    key = file SUBSEP line SUBSEP $2
    if (!(key in taken)) {
        taken[key] = 0
        order[++n] = key
    }
    if ($3 == "taken")
        taken[key] += $4
    next
}
/^ *[^:]+: *[0-9]+:/ {
    line = $0
    sub(/^[^:]*: */, "", line)
    source = line
    sub(/:.*/, "", line)
    sub(/^[0-9]*:/, "", source)
    text[file, line] = source
}

END {
    for (i = 1; i <= n; i++) {
        split(order[i], part, SUBSEP)
        folder = part[1]
        sub(/\/.*/, "", folder)
        folder = files ? what : folder
        all[part[1]]++
        all[folder]++
        if (taken[order[i]] > 0) {
            hit[part[1]]++
            hit[folder]++
        } else if (waived(part[1], part[2], part[3])) {
            given[part[1]]++
            given[folder]++
        } else if (verbose != "") {
            print part[1] ":" part[2] ": branch " part[3] " not taken: " text[part[1], part[2]]
        }
    }
    print files ? what ": branches reached" : "branches taken"
    sorted = "sort"
    for (name in all)
        printf "  %-28s %5d of %5d  %5s %%%s\n", name, hit[name], all[name],
            percent(hit[name], all[name]), given[name] ? "  waived: " given[name] : "" | sorted
    close(sorted)
    if (files) {
        enough()
        exit bad
    }
    for (i = 1; i <= n_waivers; i++)
        if (!waiver_used[i]) {
            print "not ok - waives nothing: " waiver_file[i] "|" waiver_text[i]
            bad = 1
        }
    verdict("proto", complete("proto"), "all, at most 0.5 % waived")
    verdict("json", complete("json"), "all, at most 0.5 % waived")
    verdict("compress", 100 * hit["compress"] >= 97 * all["compress"] && all["compress"] > 0, "97 %")
    exit bad
}

function complete(folder) {
    return all[folder] > 0 && hit[folder] + given[folder] == all[folder] &&
        1000 * given[folder] <= 5 * all[folder]
}

function enough(    name, n_hit, n_all) {
    n_hit = n_all = 0
    n_names = split(files, names, " ")
    for (i = 1; i <= n_names; i++) {
        name = names[i]
        n_hit += hit[name] + given[name]
        n_all += all[name]
        if (!all[name]) {
            print "not ok - " what ": nothing is known of " name
            bad = 1
        }
    }
    bad = bad || 100 * n_hit < least * n_all
    printf "figure: %s %s %% of %d branches\n", what, percent(n_hit, n_all), n_all
    print (bad ? "not ok" : "ok") " - " what " reaches " least " % of its branches"
}

function verdict(folder, good, limit) {
    printf "figure: %s %s %% of %d branches, %d waived\n", folder, percent(hit[folder], all[folder]),
        all[folder], given[folder]
    print (good ? "ok" : "not ok") " - branches of " folder "/ (" limit ")"
    if (!good)
        bad = 1
}
