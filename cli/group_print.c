/* cli/group_print.c -- prints groups and offsets: tables, or JSON. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "cli/groups.h"
#include "cli/json.h"

/* ---- texts --------------------------------------------------------------- */

void cli_text_clean(struct cli_output *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        bool is_control = *c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0);
        cli_output_char(out, is_control ? '?' : (char)*c);
        if (is_control && *c == 0xc2)
            c++;
    }
}

void cli_json_text(struct cli_output *out, const char *name, const char *text)
{
    cli_json_member(out, name, (struct kw_bytes){text, text ? strlen(text) : 0});
}

void cli_json_number(struct cli_output *out, const char *name, int64_t number, bool known)
{
    cli_output_char(out, '"');
    cli_output_text(out, name);
    cli_output_text(out, "\":");
    if (known)
        cli_output_int(out, number);
    else
        cli_output_text(out, "null");
}

/* ---- tables -------------------------------------------------------------- */

struct cli_cells {
    size_t n_columns, n, cap;
    char **texts;
    bool failed;
};

static void cells_keep(struct cli_cells *cells, char *text)
{
    if (text && cells->n == cells->cap) {
        size_t cap = cells->cap ? cells->cap * 2 : 256;
        char **texts = realloc(cells->texts, cap * sizeof(*texts));
        if (texts) {
            cells->texts = texts;
            cells->cap = cap;
        }
    }
    if (!text || cells->n == cells->cap) {
        cells->failed = true;
        free(text);
        return;
    }
    cells->texts[cells->n++] = text;
}

struct cli_cells *cli_cells_begin(const char *const *header, size_t n_columns)
{
    struct cli_cells *cells = calloc(1, sizeof(*cells));

    if (!cells)
        return NULL;
    cells->n_columns = n_columns;
    for (size_t i = 0; i < n_columns; i++)
        cells_keep(cells, strdup(header[i]));
    return cells;
}

void cli_cells_text(struct cli_cells *cells, const char *text)
{
    if (cells)
        cells_keep(cells, strdup(text && *text ? text : "-"));
}

void cli_cells_number(struct cli_cells *cells, int64_t number, bool known)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)number);
    cli_cells_text(cells, known ? text : "-");
}

static size_t cells_width(const struct cli_cells *cells, size_t column)
{
    size_t width = 0;

    for (size_t i = column; i < cells->n; i += cells->n_columns)
        if (strlen(cells->texts[i]) > width)
            width = strlen(cells->texts[i]);
    return width;
}

void cli_cells_end(struct cli_cells *cells, struct cli_output *out)
{
    size_t *widths = cells ? calloc(cells->n_columns, sizeof(*widths)) : NULL;

    if (!widths || cells->failed)
        fputs("kw: out of memory, the table is not whole\n", stderr);
    for (size_t i = 0; widths && i < cells->n_columns; i++)
        widths[i] = cells_width(cells, i);
    for (size_t i = 0; widths && i < cells->n; i++) {
        size_t column = i % cells->n_columns;
        cli_text_clean(out, cells->texts[i]);
        if (column + 1 == cells->n_columns) {
            cli_output_char(out, '\n');
            continue;
        }
        for (size_t k = strlen(cells->texts[i]); k < widths[column] + 2; k++)
            cli_output_char(out, ' ');
    }
    for (size_t i = 0; cells && i < cells->n; i++)
        free(cells->texts[i]);
    free(widths);
    if (cells)
        free(cells->texts);
    free(cells);
}

/* ---- rows ---------------------------------------------------------------- */

static bool row_has_lag(const struct cli_row *row)
{
    return row->committed >= 0 && row->end >= 0;
}

void cli_rows_print(struct cli_output *out, const char *group, const struct cli_rows *rows)
{
    static const char *const header[] = {"GROUP",          "TOPIC",          "PARTITION",
                                         "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG",
                                         "CONSUMER-ID",    "HOST",           "CLIENT-ID"};
    struct cli_cells *cells = cli_cells_begin(header, sizeof(header) / sizeof(header[0]));

    for (size_t i = 0; i < rows->n; i++) {
        const struct cli_row *row = &rows->list[i];
        cli_cells_text(cells, group);
        cli_cells_text(cells, row->topic);
        cli_cells_number(cells, row->partition, true);
        cli_cells_number(cells, row->committed, row->committed >= 0);
        cli_cells_number(cells, row->end, row->end >= 0);
        cli_cells_number(cells, row->end - row->committed, row_has_lag(row));
        cli_cells_text(cells, row->member ? row->member->id : NULL);
        cli_cells_text(cells, row->member ? row->member->host : NULL);
        cli_cells_text(cells, row->member ? row->member->client_id : NULL);
    }
    cli_cells_end(cells, out);
}

static void group_json_partitions(struct cli_output *out, const struct kw_topic_partition *list,
                                  uint32_t n)
{
    cli_output_char(out, '[');
    for (uint32_t i = 0; i < n; i++) {
        cli_output_text(out, i ? ",{" : "{");
        cli_json_text(out, "topic", list[i].topic);
        cli_output_char(out, ',');
        cli_json_number(out, "partition", list[i].partition, true);
        cli_output_char(out, '}');
    }
    cli_output_char(out, ']');
}

static void group_json_member(struct cli_output *out, const struct kw_group_member *member)
{
    cli_output_char(out, '{');
    cli_json_text(out, "id", member->id);
    cli_output_char(out, ',');
    cli_json_text(out, "instance_id", member->instance_id);
    cli_output_char(out, ',');
    cli_json_text(out, "client_id", member->client_id);
    cli_output_char(out, ',');
    cli_json_text(out, "host", member->host);
    cli_output_char(out, ',');
    cli_json_text(out, "rack", member->rack);
    cli_output_char(out, ',');
    cli_json_number(out, "epoch", member->epoch, member->epoch >= 0);
    cli_output_text(out, member->unreadable ? ",\"readable\":false" : ",\"readable\":true");
    cli_output_text(out, ",\"assigned\":");
    group_json_partitions(out, member->assigned, member->n_assigned);
    cli_output_text(out, ",\"target\":");
    group_json_partitions(out, member->target, member->n_target);
    cli_output_char(out, '}');
}

static void group_json_row(struct cli_output *out, const struct cli_row *row)
{
    cli_output_char(out, '{');
    cli_json_text(out, "topic", row->topic);
    cli_output_char(out, ',');
    cli_json_number(out, "partition", row->partition, true);
    cli_output_char(out, ',');
    cli_json_number(out, "committed", row->committed, row->committed >= 0);
    cli_output_char(out, ',');
    cli_json_number(out, "end", row->end, row->end >= 0);
    cli_output_char(out, ',');
    cli_json_number(out, "lag", row->end - row->committed, row_has_lag(row));
    cli_output_char(out, ',');
    cli_json_text(out, "member", row->member ? row->member->id : NULL);
    cli_output_char(out, ',');
    cli_json_text(out, "client_id", row->member ? row->member->client_id : NULL);
    cli_output_char(out, ',');
    cli_json_text(out, "error", row->kafka_code ? kw_kafka_error_name(row->kafka_code) : NULL);
    cli_output_char(out, '}');
}

void cli_group_json(struct cli_output *out, const struct kw_group_info *info,
                    const struct cli_rows *rows)
{
    int64_t lag = 0;

    cli_output_char(out, '{');
    cli_json_text(out, "group", info->id);
    cli_output_char(out, ',');
    cli_json_text(out, "type", info->type);
    cli_output_char(out, ',');
    cli_json_text(out, "state", info->state);
    cli_output_char(out, ',');
    cli_json_text(out, "protocol_type", info->protocol_type);
    cli_output_char(out, ',');
    cli_json_text(out, "assignor", info->assignor);
    cli_output_char(out, ',');
    cli_json_number(out, "coordinator", info->coordinator, info->coordinator >= 0);
    cli_output_char(out, ',');
    cli_json_number(out, "epoch", info->epoch, info->epoch >= 0);
    cli_output_text(out, ",\"members\":[");
    for (uint32_t i = 0; i < info->n_members; i++) {
        if (i)
            cli_output_char(out, ',');
        group_json_member(out, &info->members[i]);
    }
    cli_output_text(out, "],\"offsets\":[");
    for (size_t i = 0; i < rows->n; i++) {
        if (i)
            cli_output_char(out, ',');
        if (row_has_lag(&rows->list[i]))
            lag += rows->list[i].end - rows->list[i].committed;
        group_json_row(out, &rows->list[i]);
    }
    cli_output_text(out, "],");
    cli_json_number(out, "lag", lag, true);
    cli_output_text(out, "}\n");
}
