/* cli/failures.c -- records that failed, grouped by why: a broker that goes away
 * fails a hundred thousand records, and the one bad line among them must still
 * be found. */
#include "cli/failures.h"

#include <stdio.h>
#include <string.h>

const char *cli_failure_why(int code)
{
    switch (code) {
    case KW_ERR_TIMEOUT: return " (delivery.timeout.ms passed)";
    case KW_ERR_CANCELED:
    case KW_ERR_CLOSED: return " (given up at the end)";
    case KW_ERR_TOO_LARGE:
        return " (above max.request.size, which -X raises, or the topic's max.message.bytes)";
    case KW_ERR_USE: return " (no such partition, or a bad timestamp or header)";
    default: return "";
    }
}

void cli_failure_reason(const struct kw_report *report, char *buf, size_t cap)
{
    bool unknown = report->outcome == KW_UNKNOWN;

    snprintf(buf, cap, "%s: %s%s%s%s", unknown ? "unknown whether written" : "not written",
             kw_err_name(report->code), cli_failure_why(report->code),
             report->kafka_code ? ", " : "",
             report->kafka_code ? kw_kafka_error_name(report->kafka_code) : "");
}

static struct cli_failure *failures_find(struct cli_failures *failures,
                                         const struct cli_session *session, const char *reason,
                                         uint64_t number)
{
    for (unsigned i = 0; i < failures->n; i++)
        if (strcmp(failures->items[i].reason, reason) == 0)
            return &failures->items[i];
    struct cli_failure *failure = &failures->items[failures->n];
    if (failures->n == CLI_FAILURES_MAX) {
        snprintf(failure->reason, sizeof(failure->reason), "other reasons");
        return failure;
    }
    failures->n++;
    snprintf(failure->reason, sizeof(failure->reason), "%s", reason);
    cli_say(session, "record %llu: %s", (unsigned long long)number, reason);
    return failure;
}

void cli_failures_add(struct cli_failures *failures, const struct cli_session *session,
                      const char *reason, uint64_t number)
{
    struct cli_failure *failure = failures_find(failures, session, reason, number);

    failures->count++;
    failure->count++;
    for (unsigned i = 0; i < failure->n_ranges; i++) {
        if (number == failure->ranges[i][1] + 1) {
            failure->ranges[i][1] = number;
            return;
        }
    }
    if (failure->n_ranges < CLI_RANGES_MAX) {
        failure->ranges[failure->n_ranges][0] = number;
        failure->ranges[failure->n_ranges++][1] = number;
    }
}

static void failures_print_one(const struct cli_failure *failure, bool is_rest,
                               const struct cli_session *session)
{
    char text[CLI_RANGES_MAX * 48];
    size_t len = 0;
    uint64_t named = 0;

    /* A single one was named when it happened. */
    if (failure->count == 0 || (failure->count == 1 && !is_rest))
        return;
    for (unsigned i = 0; i < failure->n_ranges; i++) {
        unsigned long long first = failure->ranges[i][0], last = failure->ranges[i][1];
        named += last - first + 1;
        len += (size_t)(first == last
                            ? snprintf(text + len, sizeof(text) - len, " %llu", first)
                            : snprintf(text + len, sizeof(text) - len, " %llu-%llu", first, last));
    }
    if (named < failure->count)
        snprintf(text + len, sizeof(text) - len, " and %llu more",
                 (unsigned long long)(failure->count - named));
    cli_say(session, "%llu failed: %s: record%s%s", (unsigned long long)failure->count,
            failure->reason, failure->count == 1 ? "" : "s", text);
}

void cli_failures_print(const struct cli_failures *failures, const struct cli_session *session)
{
    for (unsigned i = 0; i <= CLI_FAILURES_MAX; i++)
        failures_print_one(&failures->items[i], i == CLI_FAILURES_MAX, session);
}
