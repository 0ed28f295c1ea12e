/* docs/PROTOCOL.md is what the tables say. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tools/protocol_doc.h"

Test(protocol_doc, the_generated_document_is_up_to_date)
{
    size_t want_len, have_len;
    char *want = NULL, *have = malloc(1 << 20);
    FILE *out = open_memstream(&want, &want_len), *file = fopen("docs/PROTOCOL.md", "rb");
    cr_assert_not_null(file, "docs/PROTOCOL.md is missing (run this from the top folder)");
    have_len = fread(have, 1, 1 << 20, file);
    fclose(file);
    cr_assert_eq(protocol_doc_write(out), 0, "an API has no row in tools/protocol_doc.h");
    fclose(out);
    cr_assert(want_len == have_len && memcmp(want, have, want_len) == 0,
              "docs/PROTOCOL.md differs: run make docs");
    cr_assert(!strstr(want, "?"), "a table is in no file");
    free(want);
    free(have);
}
