/* proto/data.h -- the blobs inside messages and records, by Kafka's names. */
#ifndef KWI_DATA_H
#define KWI_DATA_H
#include "proto/schema.h"

struct kw_data_info {
    const char *name; /* "ConsumerProtocolSubscription" */
    const struct kw_schema *schema;
};

const struct kw_data_info *kwi_data_list(size_t *count);
/* NULL if the name is unknown. */
const struct kw_data_info *kwi_data_info(const char *name);

#endif
