/* cli/doctor_report.c -- the rows of kw doctor: one for each step, with its verdict
 * and, where something is wrong, the remedy. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/doctor.h"
#include "cli/json.h"

static const char *const doctor_words[] = {"ok", "skipped", "warning", "FAILED"};

struct doctor_row *doctor_add(struct doctor *doctor, const char *step, const char *target,
                              enum doctor_verdict verdict, int64_t us)
{
    static struct doctor_row none;
    struct doctor_row *row = &none;

    if (doctor->n_rows == doctor->rows_cap) {
        size_t cap = doctor->rows_cap ? 2 * doctor->rows_cap : 16;
        struct doctor_row *rows = realloc(doctor->rows, cap * sizeof(*rows));
        if (rows) {
            doctor->rows = rows;
            doctor->rows_cap = cap;
        }
    }
    if (doctor->n_rows < doctor->rows_cap)
        row = &doctor->rows[doctor->n_rows++];
    else
        doctor->no_memory = true;
    *row = (struct doctor_row){
        .step = step, .verdict = (uint8_t)verdict, .exit_code = CLI_EXIT_FAILED, .us = us};
    snprintf(row->target, sizeof(row->target), "%s", target);
    return row;
}

void doctor_say(struct doctor_row *row, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(row->text, sizeof(row->text), format, args);
    va_end(args);
}

void doctor_advise(struct doctor_row *row, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(row->remedy, sizeof(row->remedy), format, args);
    va_end(args);
}

void doctor_blame(struct doctor_row *row, const struct kw_error *error)
{
    row->verdict = DOCTOR_FAIL;
    row->exit_code = cli_error_exit(error);
    doctor_say(row, "%s", error->text[0] ? error->text : kw_err_name(error->code));
    doctor_advise(row, "%s", error->hint);
}

enum doctor_verdict doctor_worst(const struct doctor *doctor, int *exit_code)
{
    enum doctor_verdict worst = doctor->no_memory ? DOCTOR_FAIL : DOCTOR_OK;

    *exit_code = doctor->no_memory ? CLI_EXIT_FAILED : CLI_EXIT_DONE;
    for (size_t i = 0; i < doctor->n_rows; i++) {
        const struct doctor_row *row = &doctor->rows[i];
        int code = row->verdict == DOCTOR_FAIL   ? row->exit_code
                   : row->verdict == DOCTOR_WARN ? CLI_EXIT_FAILED
                                                 : CLI_EXIT_DONE;
        if (row->verdict > worst && row->verdict != DOCTOR_SKIP)
            worst = (enum doctor_verdict)row->verdict;
        /* Refused trust outweighs no connection, which outweighs all else. */
        if (code > *exit_code)
            *exit_code = code;
    }
    return worst;
}

void doctor_print(const struct doctor *doctor, struct cli_output *out)
{
    char line[1024];

    for (size_t i = 0; i < doctor->n_rows; i++) {
        const struct doctor_row *row = &doctor->rows[i];
        char time[24] = "";
        if (row->us >= 0)
            snprintf(time, sizeof(time), " (%.1f ms)", (double)row->us / 1000);
        snprintf(line, sizeof(line), "%-8s %-9s %s%s%s%s%s\n", doctor_words[row->verdict],
                 row->step, row->target, row->target[0] ? ": " : "", row->text, time, "");
        cli_output_text(out, line);
        if (row->remedy[0]) {
            snprintf(line, sizeof(line), "%-8s %-9s -> %s\n", "", "", row->remedy);
            cli_output_text(out, line);
        }
    }
}

static void doctor_member(struct cli_output *out, const char *name, const char *text)
{
    cli_output_text(out, name);
    if (text && *text)
        cli_json_string(out, (struct kw_bytes){text, strlen(text)});
    else
        cli_output_text(out, "null");
}

void doctor_print_json(const struct doctor *doctor, struct cli_output *out)
{
    int exit_code;
    enum doctor_verdict worst = doctor_worst(doctor, &exit_code);

    doctor_member(out, "{\"verdict\":", doctor_words[worst]);
    cli_output_text(out, ",\"exit\":");
    cli_output_int(out, exit_code);
    cli_output_text(out, ",\"steps\":[");
    for (size_t i = 0; i < doctor->n_rows; i++) {
        const struct doctor_row *row = &doctor->rows[i];
        doctor_member(out, i ? ",{\"step\":" : "{\"step\":", row->step);
        doctor_member(out, ",\"target\":", row->target);
        doctor_member(out, ",\"verdict\":", doctor_words[row->verdict]);
        cli_output_text(out, ",\"us\":");
        if (row->us >= 0)
            cli_output_int(out, row->us);
        else
            cli_output_text(out, "null");
        doctor_member(out, ",\"text\":", row->text);
        doctor_member(out, ",\"remedy\":", row->remedy);
        cli_output_char(out, '}');
    }
    cli_output_text(out, "]}\n");
}
