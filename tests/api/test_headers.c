/* The public face: each header compiles alone, as C11 and as C++17, and the
 * shared library exports what the headers declare, nothing else, and at most
 * 150 names. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAMES_MAX = 400, NAME_SIZE = 64 };

struct names {
    size_t n;
    char name[NAMES_MAX][NAME_SIZE];
};

static const char *const headers[] = {"types.h",        "config.h", "codec.h", "crypto.h",
                                      "client_types.h", "core.h",   "kwire.h", "proto.h",
                                      "assignor.h",     "trace.h"};
enum { N_HEADERS = sizeof(headers) / sizeof(headers[0]) };

static bool has_tool(const char *tool)
{
    char command[128];
    snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", tool);
    return system(command) == 0;
}

static void compile_each(const char *compiler)
{
    char command[512], tool[16];
    snprintf(tool, sizeof(tool), "%.*s", (int)strcspn(compiler, " "), compiler);
    if (!has_tool(tool))
        cr_skip_test("no %s here", tool);
    for (size_t i = 0; i < N_HEADERS; i++) {
        snprintf(command, sizeof(command),
                 "echo '#include <kwire/%s>' | %s -Wall -Wextra -Werror -pedantic -Iinclude "
                 "-fsyntax-only -",
                 headers[i], compiler);
        cr_expect_eq(system(command), 0, "%s: %s", headers[i], compiler);
    }
}

Test(headers, each_header_compiles_alone_as_c11)
{
    compile_each("gcc -std=c11 -x c -Wstrict-prototypes");
}

Test(headers, each_header_compiles_alone_as_cpp17)
{
    compile_each("g++ -std=c++17 -x c++ -Wold-style-cast");
}

Test(headers, each_header_compiles_alone_with_clang)
{
    compile_each("clang -std=c11 -x c -Wstrict-prototypes");
}

/* ---- names -------------------------------------------------------------------- */

static bool holds(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++) {
        if (strcmp(names->name[i], name) == 0)
            return true;
    }
    return false;
}

static void add(struct names *names, const char *name, size_t len)
{
    char *slot = names->name[names->n];
    cr_assert_lt(len, NAME_SIZE);
    cr_assert_lt(names->n, NAMES_MAX - 1);
    memcpy(slot, name, len);
    slot[len] = '\0';
    if (len > 0 && !holds(names, slot))
        names->n++;
}

/* The identifier before the parenthesis, or before the end of a variable, of each
 * declaration that begins with KW_EXPORT. */
static void add_declared(struct names *names, const char *header)
{
    static char text[1 << 17];
    char path[128];
    snprintf(path, sizeof(path), "include/kwire/%s", header);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s: run from the top of the tree", path);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    for (char *at = text; (at = strstr(at, "\nKW_EXPORT "));) {
        at += strlen("\nKW_EXPORT ");
        char *end = strpbrk(at, "(;");
        cr_assert_not_null(end, "%s: a declaration that is not understood", header);
        /* KW_MUST_USE is no name; an attribute would be no function either. */
        char *begin = end;
        while (isalnum((unsigned char)begin[-1]) || begin[-1] == '_')
            begin--;
        if (strncmp(begin, "kw_core_", 8) != 0) /* of the archives only (decision 0039) */
            add(names, begin, (size_t)(end - begin));
    }
}

static struct names *declared(void)
{
    struct names *names = calloc(1, sizeof(*names));
    for (size_t i = 0; i < N_HEADERS; i++)
        add_declared(names, headers[i]);
    return names;
}

/* What nm says of the shared library that was built along with this test. */
static struct names *library_names(const char *nm_options)
{
    struct names *names = calloc(1, sizeof(*names));
    char self[512], command[700], line[256];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    cr_assert_gt(len, 0);
    self[len] = '\0';
    char *top = dirname(dirname(dirname(self))); /* build/tests/api/test_headers */
    snprintf(command, sizeof(command),
             "nm -D %s %s/libkwire.so | awk '$NF !~ /^__odr_asan/ { print $NF }'", nm_options, top);
    FILE *pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    while (fgets(line, sizeof(line), pipe))
        add(names, line, strcspn(line, "@\n"));
    cr_assert_eq(pclose(pipe), 0);
    return names;
}

Test(headers, the_library_exports_all_that_is_declared_and_nothing_else)
{
    struct names *want = declared(), *have = library_names("--defined-only");
    cr_assert_geq(want->n, 80, "only %zu declarations were found", want->n);
    for (size_t i = 0; i < want->n; i++)
        cr_expect(holds(have, want->name[i]), "%s is declared and not exported", want->name[i]);
    for (size_t i = 0; i < have->n; i++)
        cr_expect(holds(want, have->name[i]), "%s is exported and not declared", have->name[i]);
    free(want);
    free(have);
}

Test(headers, the_library_exports_at_most_150_names)
{
    struct names *have = library_names("--defined-only");
    cr_assert_leq(have->n, 150, "%zu", have->n);
    free(have);
}

Test(headers, the_library_needs_nothing_of_its_own_that_is_missing)
{
    struct names *needs = library_names("--undefined-only");
    cr_assert_gt(needs->n, 0);
    for (size_t i = 0; i < needs->n; i++)
        cr_expect(strncmp(needs->name[i], "kw", 2) != 0, "%s is missing", needs->name[i]);
    free(needs);
}
