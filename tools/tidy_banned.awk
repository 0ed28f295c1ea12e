# Finds calls of banned functions in the normalised stream.
# Everywhere in the library: unbounded or non-local ones, and those that end the
# host's process. In base, proto, compress and client: any libc call but the
# five memory functions is found by the symbol check; malloc and friends are
# named here as well because a header-only use would escape it.

BEGIN {
    FS = "\t"
    n = split("sprintf vsprintf strcpy strcat strncpy strncat strtok strtok_r atoi atol atoll atof " \
        "gets alloca setjmp longjmp sigsetjmp siglongjmp abort exit _exit quick_exit " \
        "system popen signal tmpnam mktemp", words, " ")
    for (i = 1; i <= n; i++) everywhere[words[i]] = 1
    n = split("malloc calloc realloc free strdup printf fprintf snprintf vsnprintf puts time clock " \
        "clock_gettime gettimeofday getenv rand srand random assert qsort bsearch", words, " ")
    for (i = 1; i <= n; i++) core[words[i]] = 1
    # A command-line program ends its process by returning from main, and may be
    # told to stop by a signal.
    n = split("exit _exit signal", words, " ")
    for (i = 1; i <= n; i++) in_cli[words[i]] = 1
}
{
    in_core = $1 ~ /^(base|proto|compress|client)\// && $1 !~ /^base\/crc32c_hw/
    if ($1 !~ /^(base|proto|compress|client|net|mock|cli|process)\//) next
    rest = $3
    before = ""
    while (match(rest, /[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/)) {
        name = substr(rest, RSTART, RLENGTH - 1)
        sub(/[ \t]+$/, "", name)
        before = RSTART > 1 ? substr(rest, 1, RSTART - 1) : ""
        rest = substr(rest, RSTART + RLENGTH)
        # A member (a->free, a.free) is not the function of that name.
        if (before ~ /(->|\.)[ \t]*$/) continue
        if ($1 ~ /^cli\// && name in in_cli) continue
        if (name in everywhere || (in_core && name in core)) {
            printf "%s:%d: %s is banned here\n", $1, $2, name
            bad = 1
        }
    }
    if ($3 ~ /\?:|\(\{/) {
        printf "%s:%d: a GNU expression extension\n", $1, $2
        bad = 1
    }
}
END { exit bad }
