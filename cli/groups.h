/* cli/groups.h -- what kw groups, kw offsets and kw lag share: asking for groups and
 * offsets, rows of a table, naming partitions on the command line. */
#ifndef CLI_GROUPS_H
#define CLI_GROUPS_H
#include "cli/options.h"
#include "cli/output.h"
#include "cli/session.h"

/* A partition and what is known of it; offsets -1: none, or not known. */
struct cli_row {
    const char *topic;
    int32_t partition;
    int64_t committed, begin, end, wanted;
    int16_t kafka_code;                   /* why there is no end; 0 */
    const struct kw_group_member *member; /* who has it, or NULL */
};
/* Names are views into the results, which live as long. */
struct cli_rows {
    struct cli_row *list;
    size_t n, cap;
    struct kw_admin_result *offsets, *metadata[64];
    size_t n_metadata;
};
void cli_rows_free(struct cli_rows *rows);
/* False: no memory. */
bool cli_rows_add(struct cli_rows *rows, const char *topic, int32_t partition);
/* Ascending by topic and partition, each once. */
void cli_rows_sort(struct cli_rows *rows);
struct cli_row *cli_rows_find(struct cli_rows *rows, const char *topic, int32_t partition);

/* Each returns -1, or an exit code; what is wrong was said. */
/* An admin request, for at most --timeout. *result may be set with an exit code too. */
int cli_admin(struct cli_session *session, const struct kw_admin_request *request,
              struct kw_admin_result **result, const char *what);
/* Describes groups, whatever their type. */
int cli_groups_describe(struct cli_session *session, const char *const *groups, uint32_t n,
                        struct kw_admin_result **result);
/* What a group has committed becomes rows. */
int cli_rows_committed(struct cli_session *session, const char *group, bool is_share,
                       struct cli_rows *rows);
/* Adds the partitions that a -t names: TOPIC, or TOPIC:N,N-M. */
int cli_rows_named(struct cli_session *session, const struct cli_list *topics,
                   struct cli_rows *rows);
/* The offsets of `kind` (enum kw_start_kind, with its value) of all rows go into the field
 * at `offset` of struct cli_row. */
int cli_rows_ask(struct cli_session *session, struct cli_rows *rows, uint8_t kind, int64_t value,
                 size_t offset);
/* A group's rows: committed, ends, who has them. info may be of a group without members. */
int cli_rows_of_group(struct cli_session *session, const struct kw_group_info *info,
                      struct cli_rows *rows);
/* Says why a group cannot be used, and returns the exit code. */
int cli_group_refused(struct cli_session *session, const struct kw_group_info *info);

/* group_print.c */
/* A text of somebody else's: control characters become '?'. */
void cli_text_clean(struct cli_output *out, const char *text);
struct cli_cells;
/* A table of left-aligned columns. n_columns is that of the header. */
struct cli_cells *cli_cells_begin(const char *const *header, size_t n_columns);
void cli_cells_text(struct cli_cells *cells, const char *text);
/* -1 and below: "-" */
void cli_cells_number(struct cli_cells *cells, int64_t number, bool known);
/* Prints and frees it. */
void cli_cells_end(struct cli_cells *cells, struct cli_output *out);
/* One line a partition: what is committed, the end, the lag, who has it. */
void cli_rows_print(struct cli_output *out, const char *group, const struct cli_rows *rows);
/* The same as one JSON object, with the members. */
void cli_group_json(struct cli_output *out, const struct kw_group_info *info,
                    const struct cli_rows *rows);
void cli_json_text(struct cli_output *out, const char *name, const char *text);
void cli_json_number(struct cli_output *out, const char *name, int64_t number, bool known);

/* offsets.c: commits `wanted` of all rows; says which failed. */
int cli_rows_commit(struct cli_session *session, const char *group, const struct cli_rows *rows);

/* group_reset.c */
struct cli_verb;
extern const struct cli_verb cli_verb_reset;

#endif
