/* cli/given.h -- the partitions that a group gave to this member, and which of them were
 * read to their end. */
#ifndef CLI_GIVEN_H
#define CLI_GIVEN_H
#include <stdbool.h>
#include <stddef.h>

#include <kwire/kwire.h>

struct cli_given_part {
    char *topic;
    int32_t partition;
    bool ended;
};

struct cli_given {
    struct cli_given_part *parts;
    size_t n;
};

/* By the events ASSIGNED, and REVOKED or LOST. */
void cli_given_add(struct cli_given *given, const struct kw_event *event);
void cli_given_remove(struct cli_given *given, const struct kw_event *event);
/* The partition that the event names has nothing more to wait for. */
void cli_given_ended(struct cli_given *given, const struct kw_event *event);
bool cli_given_all_ended(const struct cli_given *given);
void cli_given_free(struct cli_given *given);

#endif
