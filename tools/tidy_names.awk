# Names at file level that the single-file build would see twice: static
# functions and variables, macros, and tags that are defined in a .c file.
# A header is one file however often it is included.
# Of the files whose names tell a TLS library one library's are built: they may have
# the same names as another's, but not as the rest.
BEGIN {
    FS = "\t"
    n_libraries = split("openssl mbedtls none", libraries, " ")
    libraries[0] = ""
}
function library(file,    i) {
    for (i = 1; i <= n_libraries; i++)
        if (file ~ ("_" libraries[i] "[_.]")) return libraries[i]
    return ""
}
function seen(kind, name,    own, i, key) {
    own = library($1)
    for (i = 0; i <= n_libraries; i++) {
        if (own != "" && libraries[i] != "" && own != libraries[i]) continue
        key = kind SUBSEP name SUBSEP libraries[i]
        if (key in where && where[key] !~ ("^" $1 ":")) {
            printf "%s:%d: %s %s is also in %s\n", $1, $2, kind, name, where[key]
            bad = 1
            return
        }
    }
    key = kind SUBSEP name SUBSEP own
    if (!(key in where)) where[key] = $1 ":" $2
}
$1 !~ /^(base|proto|compress|client|net|mock)\// { next }
$1 !~ /\.[ch]$/ { next }
$3 ~ /^static / {
    text = $3
    # The first name that is followed by ( [ = or ; is the one being defined.
    if (match(text, /[A-Za-z_][A-Za-z0-9_]*[ \t]*[([=;]/)) {
        name = substr(text, RSTART, RLENGTH - 1)
        sub(/[ \t]+$/, "", name)
        # Attributes and alignment stand before the name.
        while (name ~ /^(__attribute__|_Alignas|_Static_assert)$/) {
            text = substr(text, RSTART + RLENGTH)
            if (!match(text, /[A-Za-z_][A-Za-z0-9_]*[ \t]*[([=;]/)) next
            name = substr(text, RSTART, RLENGTH - 1)
            sub(/[ \t]+$/, "", name)
        }
        if (!(($1, name) in mine)) {
            mine[$1, name] = 1
            seen("static", name)
        }
    }
}
$3 ~ /^[ \t]*#[ \t]*define[ \t]/ && $1 ~ /\.c$/ {
    text = $3
    sub(/^[ \t]*#[ \t]*define[ \t]+/, "", text)
    match(text, /^[A-Za-z0-9_]+/)
    name = substr(text, 1, RLENGTH)
    # Redefined after an #undef in one file is that file's own affair.
    if (!(($1, name) in mine)) {
        mine[$1, name] = 1
        if (!($1 ~ /\.c$/ && name == "_GNU_SOURCE")) seen("macro", name)
    }
}
$3 ~ /^(struct|union|enum) [A-Za-z0-9_]+ \{/ {
    split($3, word, " ")
    seen(word[1], word[2])
}
END { exit bad }
