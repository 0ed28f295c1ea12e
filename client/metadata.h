/* client/metadata.h -- the Metadata exchange that keeps the cluster known. */
#ifndef KWI_METADATA_EXCHANGE_H
#define KWI_METADATA_EXCHANGE_H
#include "client/core.h"

void kwi_metadata_init(struct kw_core *core);
/* Asks at once: a topic is there that was never asked for. */
void kwi_metadata_ask_now(struct kw_core *core);

#endif
