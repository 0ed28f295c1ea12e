/* covers: G35 G36 G37
 * What the Java client's assignors make of recorded groups, ours make of them too:
 * tests/vectors/assign.inc, by tools/assignments.sh. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/assign/bed.h"
#include "tests/vectors/assign.inc"

enum { N_CASES = sizeof vector_assignments / sizeof *vector_assignments };

static void check_category(const char *prefix, int least)
{
    int n = 0;
    for (int i = 0; i < N_CASES; i++) {
        if (strncmp(vector_assignments[i].category, prefix, strlen(prefix)) != 0)
            continue;
        bed_expect(vector_assignments[i].line);
        n++;
    }
    cr_expect_geq(n, least, "%d cases of %s", n, prefix);
}

Test(java, range_is_the_same)
{
    check_category("range", 240);
}

Test(java, roundrobin_is_the_same)
{
    check_category("roundrobin", 100);
}

Test(java, sticky_is_the_same)
{
    check_category("sticky", 480);
}

Test(java, cooperative_sticky_is_the_same)
{
    check_category("cooperative", 380);
}

/* A file of more lines, by `tools/assignments.sh FILE TIMES SEED`: too many to keep. */
Test(java, lines_of_a_file_are_the_same)
{
    const char *path = getenv("KW_ASSIGN_LINES");
    static char line[1 << 16];
    FILE *file = path ? fopen(path, "r") : NULL;
    int n = 0;
    cr_assert(!path || file, "cannot read %s", path);
    for (; file && fgets(line, sizeof line, file); n++) {
        line[strcspn(line, "\n")] = '\0';
        bed_expect(line);
    }
    if (file) {
        fclose(file);
        cr_expect_gt(n, 0);
        fprintf(stderr, "%d lines of %s\n", n, path);
    }
}
