/* cli/message.c -- see message.h. */
#include "cli/message.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/commands.h"

int cli_message_api(const struct cli_command *command, const char *text, enum kw_proto_kind kind,
                    struct kw_proto_api *api)
{
    int (*list)(size_t, struct kw_proto_api *) = kw_proto_api;
    int64_t key = -1;

    if (kind == KW_PROTO_DATA)
        list = kw_proto_data; /* blobs have no keys */
    else
        (void)cli_parse_int(text, 0, INT16_MAX, &key);
    for (size_t i = 0; list(i, api) == 1; i++)
        if (api->key == key || strcasecmp(api->name, text) == 0)
            return -1;
    return cli_usage_error(command, "--api '%s' is unknown: see kw proto list", text);
}

int cli_message_version(const struct cli_command *command, const struct kw_proto_api *api,
                        int64_t version)
{
    if (version >= api->min && version <= api->max)
        return -1;
    return cli_usage_error(command, "%s has versions %d to %d here, not %" PRId64, api->name,
                           api->min, api->max, version);
}

int cli_message_read(const struct cli_command *command, struct cli_input *input,
                     struct kw_bytes *text)
{
    int rc = cli_input_open(input, "-", (struct kw_bytes){"", 0});
    enum cli_input_result result = CLI_INPUT_MORE;

    while (rc == 0 && (result = cli_input_next(input, text)) == CLI_INPUT_MORE) {
        struct pollfd entry = {input->fd, POLLIN, 0};
        rc = cli_input_fill(input);
        if (rc == EAGAIN) /* somebody else set it so */
            rc = poll(&entry, 1, -1) < 0 ? errno : 0;
    }
    if (rc || result != CLI_INPUT_RECORD) {
        fprintf(stderr, "%s: cannot read stdin: %s\n", command->name,
                rc ? strerror(rc) : "it is longer than 64 MiB");
        return CLI_EXIT_FAILED;
    }
    return -1;
}
