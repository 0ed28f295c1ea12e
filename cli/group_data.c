/* cli/group_data.c -- groups and offsets for the command line: asks for them and puts
 * them into rows. What is printed of them is in group_print.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/groups.h"

/* ---- rows ---------------------------------------------------------------- */

void cli_rows_free(struct cli_rows *rows)
{
    free(rows->list);
    kw_admin_result_destroy(rows->offsets);
    for (size_t i = 0; i < rows->n_metadata; i++)
        kw_admin_result_destroy(rows->metadata[i]);
    memset(rows, 0, sizeof(*rows));
}

bool cli_rows_add(struct cli_rows *rows, const char *topic, int32_t partition)
{
    if (rows->n == rows->cap) {
        size_t cap = rows->cap ? rows->cap * 2 : 64;
        struct cli_row *list = realloc(rows->list, cap * sizeof(*list));
        if (!list)
            return false;
        rows->list = list;
        rows->cap = cap;
    }
    rows->list[rows->n++] = (struct cli_row){.topic = topic,
                                             .partition = partition,
                                             .committed = -1,
                                             .begin = -1,
                                             .end = -1,
                                             .wanted = -1};
    return true;
}

static int rows_compare(const void *a, const void *b)
{
    const struct cli_row *left = a, *right = b;
    int order = strcmp(left->topic, right->topic);

    if (order)
        return order;
    return left->partition < right->partition ? -1 : left->partition > right->partition;
}

void cli_rows_sort(struct cli_rows *rows)
{
    size_t n = 0;

    if (rows->n == 0)
        return;
    qsort(rows->list, rows->n, sizeof(*rows->list), rows_compare);
    for (size_t i = 1; i < rows->n; i++) {
        if (rows_compare(&rows->list[n], &rows->list[i]) != 0) {
            rows->list[++n] = rows->list[i];
        } else { /* what one of the two knows */
            if (rows->list[i].committed >= 0)
                rows->list[n].committed = rows->list[i].committed;
            if (rows->list[i].member)
                rows->list[n].member = rows->list[i].member;
        }
    }
    rows->n = n + 1;
}

struct cli_row *cli_rows_find(struct cli_rows *rows, const char *topic, int32_t partition)
{
    struct cli_row key = {.topic = topic, .partition = partition};

    return rows->n ? bsearch(&key, rows->list, rows->n, sizeof(key), rows_compare) : NULL;
}

static int rows_no_memory(struct cli_session *session)
{
    return cli_usage_error(session->command, "out of memory");
}

/* ---- asking -------------------------------------------------------------- */

int cli_admin(struct cli_session *session, const struct kw_admin_request *request,
              struct kw_admin_result **result, const char *what)
{
    struct cli_op op = {0};

    *result = NULL;
    cli_session_wait(session,
                     kw_admin(session->client, request, result, cli_session_timeout(session), &op),
                     &op, true);
    return op.code == 0 ? -1 : cli_session_op_failed(session, &op, what);
}

int cli_groups_describe(struct cli_session *session, const char *const *groups, uint32_t n,
                        struct kw_admin_result **result)
{
    struct kw_admin_request request = {
        .size = sizeof(request), .kind = KW_ADMIN_DESCRIBE_GROUPS, .groups = groups, .n_groups = n};

    return cli_admin(session, &request, result, n == 1 ? groups[0] : "describe groups");
}

int cli_group_refused(struct cli_session *session, const struct kw_group_info *info)
{
    enum { API_DESCRIBE_GROUPS = 15 };
    struct kw_error error = {0};
    char text[352];

    if (info->code != KW_ERR_BROKER) {
        cli_say(session, "group %s: %s", info->id, kw_err_name(info->code));
        return info->code == KW_ERR_AUTH ? CLI_EXIT_REFUSED : CLI_EXIT_FAILED;
    }
    if (!cli_refusal(0, info->kafka_code)) {
        kw_kafka_error_explain(&error, info->kafka_code, API_DESCRIBE_GROUPS, info->id,
                               session->user);
        cli_say(session, "group %s: %s%s%s%s", info->id, kw_kafka_error_name(info->kafka_code),
                error.hint[0] ? " (" : "", error.hint, error.hint[0] ? ")" : "");
        return CLI_EXIT_FAILED;
    }
    kw_kafka_error_explain(&error, info->kafka_code, API_DESCRIBE_GROUPS, info->id, session->user);
    cli_error_text(&error, text, sizeof(text));
    cli_say(session, "%s", text);
    return CLI_EXIT_REFUSED;
}

int cli_rows_committed(struct cli_session *session, const char *group, bool is_share,
                       struct cli_rows *rows)
{
    struct kw_admin_request request = {.size = sizeof(request),
                                       .kind = KW_ADMIN_GET_OFFSETS,
                                       .groups = &group,
                                       .n_groups = 1,
                                       .group_type = is_share ? KW_GROUP_TYPE_SHARE
                                                              : KW_GROUP_TYPE_ANY};
    int rc = cli_admin(session, &request, &rows->offsets, group);

    for (uint32_t i = 0; rc < 0 && i < rows->offsets->n_offsets; i++) {
        const struct kw_offset *offset = &rows->offsets->offsets[i];
        if (!cli_rows_add(rows, offset->topic, offset->partition))
            return rows_no_memory(session);
        rows->list[rows->n - 1].committed = offset->offset;
    }
    return rc;
}

int cli_rows_ask(struct cli_session *session, struct cli_rows *rows, uint8_t kind, int64_t value,
                 size_t offset)
{
    struct kw_start *which = calloc(rows->n + 1, sizeof(*which));
    struct kw_offsets *result = NULL;
    struct cli_op op = {0};

    if (!which)
        return rows_no_memory(session);
    for (size_t i = 0; i < rows->n; i++)
        which[i] = (struct kw_start){rows->list[i].topic, rows->list[i].partition, kind, value};
    cli_session_wait(session,
                     kw_list_offsets(session->client, which, rows->n, KW_READ_UNCOMMITTED, &result,
                                     cli_session_timeout(session), &op),
                     &op, true);
    free(which);
    if (op.code)
        return cli_session_op_failed(session, &op, "offsets");
    for (size_t i = 0; i < result->n; i++) {
        memcpy((char *)&rows->list[i] + offset, &result->list[i].offset, sizeof(int64_t));
        if (result->list[i].kafka_code)
            rows->list[i].kafka_code = result->list[i].kafka_code;
    }
    kw_offsets_destroy(result);
    return -1;
}

int cli_rows_of_group(struct cli_session *session, const struct kw_group_info *info,
                      struct cli_rows *rows)
{
    bool is_streams = strcmp(info->type, "streams") == 0; /* they have tasks, not partitions */
    int rc = cli_rows_committed(session, info->id, strcmp(info->type, "share") == 0, rows);

    for (uint32_t i = 0; rc < 0 && !is_streams && i < info->n_members; i++) {
        const struct kw_group_member *member = &info->members[i];
        for (uint32_t k = 0; k < member->n_assigned; k++) {
            if (!cli_rows_add(rows, member->assigned[k].topic, member->assigned[k].partition))
                return rows_no_memory(session);
            rows->list[rows->n - 1].member = member;
        }
    }
    if (rc >= 0)
        return rc;
    cli_rows_sort(rows);
    return cli_rows_ask(session, rows, KW_START_LATEST, 0, offsetof(struct cli_row, end));
}

/* ---- partitions by name ---------------------------------------------------- */

static int named_all(struct cli_session *session, const char *topic, struct cli_rows *rows)
{
    struct kw_admin_result *result;
    int rc;

    if (rows->n_metadata == sizeof(rows->metadata) / sizeof(rows->metadata[0]))
        return cli_usage_error(session->command, "too many topics");
    rc = cli_session_metadata(session, topic, &result);
    if (rc >= 0)
        return rc;
    rows->metadata[rows->n_metadata++] = result;
    if (result->n_topics == 0 || result->topics[0].kafka_code)
        return cli_topic_refused(session, topic,
                                 result->n_topics ? result->topics[0].kafka_code : 3, "");
    for (uint32_t i = 0; i < result->topics[0].n_partitions; i++)
        if (!cli_rows_add(rows, result->topics[0].name, result->topics[0].partitions[i].id))
            return rows_no_memory(session);
    return -1;
}

/* "0,3-5" behind the topic. */
static int named_some(struct cli_session *session, const char *topic, const char *list,
                      struct cli_rows *rows)
{
    while (*list) {
        size_t len = strcspn(list, ",");
        char word[48] = "", *dash;
        int64_t first, last;
        if (len < sizeof(word))
            memcpy(word, list, len);
        dash = strchr(word, '-');
        if (dash)
            *dash = '\0';
        if (!cli_parse_int(word, 0, INT32_MAX, &first) ||
            !cli_parse_int(dash ? dash + 1 : word, first, INT32_MAX, &last) ||
            last - first > 100000)
            return cli_usage_error(session->command, "-t %s: '%.*s' is no partition (TOPIC:N,N-M)",
                                   topic, (int)len, list);
        for (int64_t partition = first; partition <= last; partition++)
            if (!cli_rows_add(rows, topic, (int32_t)partition))
                return rows_no_memory(session);
        list += len + (list[len] == ',');
    }
    return -1;
}

int cli_rows_named(struct cli_session *session, const struct cli_list *topics,
                   struct cli_rows *rows)
{
    int rc = -1;

    for (size_t i = 0; rc < 0 && i < topics->n; i++) {
        char *topic = (char *)(uintptr_t)topics->items[i].text; /* argv may be written */
        char *colon = strchr(topic, ':');
        if (colon)
            *colon = '\0';
        if (!*topic || (colon && !colon[1]))
            return cli_usage_error(session->command, "-t is TOPIC or TOPIC:N,N-M");
        rc = colon ? named_some(session, topic, colon + 1, rows) : named_all(session, topic, rows);
    }
    if (rc < 0)
        cli_rows_sort(rows);
    return rc;
}
