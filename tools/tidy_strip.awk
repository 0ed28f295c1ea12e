# Normalises C sources for the other checks: prints FILE <tab> LINE <tab> CODE
# with comments removed and the contents of strings and characters blanked.
# Include lines keep their path. Works on what clang-format accepts; trigraphs
# and line continuations inside comments are not known here.

FNR == 1 { in_comment = 0 }
{
    line = $0
    if (!in_comment && line ~ /^[ \t]*#[ \t]*include/) {
        sub(/[ \t]*\/\*.*\*\/[ \t]*$/, "", line)
        print FILENAME "\t" FNR "\t" line
        next
    }
    out = ""
    n = length(line)
    for (i = 1; i <= n; i++) {
        two = substr(line, i, 2)
        c = substr(line, i, 1)
        if (in_comment) {
            if (two == "*/") { in_comment = 0; i++ }
            continue
        }
        if (two == "/*") { in_comment = 1; i++; out = out " "; continue }
        if (two == "//") break
        if (c == "\"" || c == "'") {
            quote = c
            out = out quote
            for (i++; i <= n; i++) {
                c = substr(line, i, 1)
                if (c == "\\") { i++; continue }
                if (c == quote) break
            }
            out = out quote
            continue
        }
        out = out c
    }
    print FILENAME "\t" FNR "\t" out
}
