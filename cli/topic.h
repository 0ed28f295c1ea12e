/* cli/topic.h -- waiting for a topic that is to be written to. */
#ifndef CLI_TOPIC_H
#define CLI_TOPIC_H
#include "cli/session.h"

/* Waits until the topic's partitions are known, for at most --timeout. Returns
 * -1 or an exit code; what is wrong was said. */
int cli_topic_await(struct cli_session *session, const struct kw_topic *topic);

#endif
