# Checks each include of the normalised stream against tools/tidy_layers.txt.
# usage: awk -F'\t' -f tidy_include.awk tidy_layers.txt stream

function starts(text, prefix) { return substr(text, 1, length(prefix)) == prefix }

function allowed(list, path,    n, words, i) {
    n = split(list, words, " ")
    for (i = 1; i <= n; i++)
        if (words[i] == "*" || words[i] == path || (words[i] ~ /\/$/ && starts(path, words[i])))
            return 1
    return 0
}

FNR == NR {
    if ($0 ~ /^#/ || $0 == "") next
    split($0, part, "|")
    gsub(/ /, "", part[1])
    project[part[1]] = part[2]
    system_headers[part[1]] = part[3]
    next
}

$3 ~ /^[ \t]*#[ \t]*include/ {
    folder = ""
    for (f in project)
        if (starts($1, f) && length(f) > length(folder)) folder = f
    if (folder == "") next
    path = $3
    sub(/^[^"<]*["<]/, "", path)
    sub(/[">].*$/, "", path)
    from_system = $3 ~ /</ && path !~ /^kwire\//
    if (!allowed(from_system ? system_headers[folder] : project[folder], path)) {
        printf "%s:%d: %s may not include %s\n", $1, $2, folder, path
        bad = 1
    }
}
END { exit bad }
