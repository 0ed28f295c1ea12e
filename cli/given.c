/* cli/given.c -- see given.h. */
#include "cli/given.h"

#include <stdlib.h>
#include <string.h>

static struct cli_given_part *given_find(const struct cli_given *given, const char *topic,
                                         int32_t partition)
{
    for (size_t i = 0; i < given->n; i++)
        if (given->parts[i].partition == partition && strcmp(given->parts[i].topic, topic) == 0)
            return &given->parts[i];
    return NULL;
}

void cli_given_add(struct cli_given *given, const struct kw_event *event)
{
    size_t n = given->n + event->n_partitions;
    struct cli_given_part *grown = realloc(given->parts, (n + 1) * sizeof(*grown));

    if (!grown)
        return; /* -e then waits for fewer partitions */
    given->parts = grown;
    for (size_t i = 0; i < event->n_partitions; i++) {
        char *topic = strdup(event->partitions[i].topic);
        if (topic)
            grown[given->n++] = (struct cli_given_part){topic, event->partitions[i].partition,
                                                        false};
    }
}

void cli_given_remove(struct cli_given *given, const struct kw_event *event)
{
    for (size_t i = 0; i < event->n_partitions; i++) {
        struct cli_given_part *part = given_find(given, event->partitions[i].topic,
                                                 event->partitions[i].partition);
        if (!part)
            continue;
        free(part->topic);
        *part = given->parts[--given->n];
    }
}

void cli_given_ended(struct cli_given *given, const struct kw_event *event)
{
    struct cli_given_part *part = given_find(given, event->topic_name, event->partition);

    if (part)
        part->ended = true;
}

bool cli_given_all_ended(const struct cli_given *given)
{
    for (size_t i = 0; i < given->n; i++)
        if (!given->parts[i].ended)
            return false;
    return given->n > 0;
}

void cli_given_free(struct cli_given *given)
{
    for (size_t i = 0; i < given->n; i++)
        free(given->parts[i].topic);
    free(given->parts);
    *given = (struct cli_given){0};
}
