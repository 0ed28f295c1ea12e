/* cli/message.h -- what kw proto and kw request share: which API is meant, and all
 * of stdin at once. */
#ifndef CLI_MESSAGE_H
#define CLI_MESSAGE_H
#include <kwire/proto.h>

#include "cli/input.h"
#include "cli/options.h"

/* Finds --api: a key or a name, with KW_PROTO_DATA a blob's name. Returns -1, or an
 * exit code; what is wrong was said. */
int cli_message_api(const struct cli_command *command, const char *text, enum kw_proto_kind kind,
                    struct kw_proto_api *api);
/* Whether the API has that version. As above. */
int cli_message_version(const struct cli_command *command, const struct kw_proto_api *api,
                        int64_t version);
/* Reads all of stdin; *text is valid until input goes. As above. */
int cli_message_read(const struct cli_command *command, struct cli_input *input,
                     struct kw_bytes *text);

#endif
