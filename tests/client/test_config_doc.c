/* docs/CONFIG.md is what the table of keys says. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tools/config_doc.h"

static char *slurp(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    *len = 0;
    if (!file)
        return NULL;
    text = malloc(1 << 20);
    *len = fread(text, 1, 1 << 20, file);
    fclose(file);
    return text;
}

Test(config_doc, the_generated_document_is_up_to_date)
{
    size_t want_len, have_len;
    char *want = NULL, *have = slurp("docs/CONFIG.md", &have_len);
    FILE *out = open_memstream(&want, &want_len);
    cr_assert_not_null(have, "docs/CONFIG.md is missing (run this from the top folder)");
    config_doc_write(out);
    fclose(out);
    cr_assert(want_len == have_len && memcmp(want, have, want_len) == 0,
              "docs/CONFIG.md differs: generate it again with tools/gen_config_doc.c");
    free(want);
    free(have);
}
