/* tools/schema_dump.c -- prints every table of proto/ as JSON, for tools/schema-diff:
 * an array of messages, each with its versions and its rows in their order. */
#include <inttypes.h>
#include <stdio.h>

#include "proto/api.h"
#include "proto/data.h"

static const char *const kind_names[] = {
    [KWI_BOOL] = "bool",   [KWI_I8] = "int8",      [KWI_I16] = "int16",  [KWI_U16] = "uint16",
    [KWI_I32] = "int32",   [KWI_U32] = "uint32",   [KWI_I64] = "int64",  [KWI_F64] = "float64",
    [KWI_UUID] = "uuid",   [KWI_STR] = "string",   [KWI_BLOB] = "bytes", [KWI_RECORDS] = "records",
    [KWI_ARRAY] = "array", [KWI_STRUCT] = "struct"};

static void dump_rows(const struct kw_schema *schema, int depth);

static void dump_row(const struct kw_field *f, int depth)
{
    const struct kw_schema *sub = f->sub;
    bool bare = f->kind == KWI_ARRAY && sub->bare;

    printf("%*s{\"name\": \"%s\", \"type\": \"%s\", ", 2 * depth, "", f->name,
           kind_names[bare ? sub->fields->kind : f->kind]);
    printf("\"array\": %s, \"tag\": %d, \"since\": %d, \"until\": %d, \"null_since\": %d, ",
           f->kind == KWI_ARRAY ? "true" : "false", f->tag, f->since, f->until, f->null_since);
    printf("\"default\": \"%" PRId64 "\", \"ignorable\": %s", f->def,
           f->flags & KWI_IGNORABLE ? "true" : "false");
    if (sub && !bare) {
        printf(", \"fields\": ");
        dump_rows(sub, depth + 1);
    }
    printf("}");
}

static void dump_rows(const struct kw_schema *schema, int depth)
{
    printf("[\n");
    for (unsigned i = 0; i < schema->n_fields; i++) {
        printf("%s", i ? ",\n" : "");
        dump_row(&schema->fields[i], depth + 1);
    }
    printf("]");
}

static void dump_message(const char *name, const char *suffix, int key,
                         const struct kw_schema *schema)
{
    printf("{\"name\": \"%s%s\", \"key\": %d, \"since\": %d, \"until\": %d, \"flexible\": %d,\n",
           name, suffix, key, schema->since, schema->until, schema->flex_since);
    printf(" \"fields\": ");
    dump_rows(schema, 1);
    printf("}");
}

int main(void)
{
    size_t count, n_data;
    const struct kw_api_info *api = kwi_api_list(&count);
    const struct kw_data_info *data = kwi_data_list(&n_data);

    printf("[");
    for (size_t i = 0; i < count; i++) {
        printf("%s", i ? ",\n" : "");
        dump_message(api[i].name, "Request", api[i].key, api[i].request);
        printf(",\n");
        dump_message(api[i].name, "Response", api[i].key, api[i].response);
    }
    for (size_t i = 0; i < n_data; i++) {
        printf(",\n");
        dump_message(data[i].name, "", -1, data[i].schema);
    }
    printf("]\n");
    return fflush(stdout) ? 1 : 0;
}
