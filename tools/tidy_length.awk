# Warnings, never failures: functions over 70 lines, files over 600, lines over
# 100 columns, nesting deeper than 3 inside a function.
BEGIN { FS = "\t" }
function warn(line, text) { printf "%s:%d: warning: %s\n", file, line, text }
function end_file() {
    if (file ~ /\.c$/ && last > 600) warn(last, "the file has " last " lines (600)")
}
$1 != file {
    end_file()
    file = $1
    depth = 0
    in_function = 0
    previous = ""
}
{
    last = $2
    code = $3
    if (code ~ /^[ \t]*#/) next
    n = length(code)
    for (i = 1; i <= n; i++) {
        c = substr(code, i, 1)
        if (c == "{") {
            depth++
            if (depth == 1) {
                text = previous substr(code, 1, i - 1)
                # A function's body follows its parameter list.
                in_function = text ~ /\)[ \t]*$/ && text !~ /=/
                started = $2
                deepest = 0
            } else if (in_function && depth > deepest && code !~ /[=,({][ \t]*\{/) {
                deepest = depth
                deepest_line = $2
            }
        } else if (c == "}") {
            depth--
            if (depth == 0 && in_function) {
                if ($2 - started - 1 > 70) warn(started, "a function of " ($2 - started - 1) " lines (70)")
                if (deepest > 4) warn(deepest_line, "nesting of " (deepest - 1) " (3)")
                in_function = 0
            }
        }
    }
    if (code !~ /^[ \t]*$/) previous = code
}
END { end_file() }
