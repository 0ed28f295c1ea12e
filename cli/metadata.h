/* cli/metadata.h -- prints topics and partitions, for meta and topics describe. */
#ifndef CLI_METADATA_H
#define CLI_METADATA_H
#include <kwire/kwire.h>

#include "cli/output.h"

void cli_metadata_topic(struct cli_output *out, const struct kw_meta_topic *topic);
void cli_metadata_topic_json(struct cli_output *out, const struct kw_meta_topic *topic);
/* The whole cluster. */
void cli_metadata_text(struct cli_output *out, const struct kw_admin_result *result);
void cli_metadata_json(struct cli_output *out, const struct kw_admin_result *result);

#endif
