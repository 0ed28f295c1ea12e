/* proto/api.c -- the table of APIs, and the choice of a version.
 *
 * client_max stays below max where the client does not speak the newest version
 * yet: Produce 13 and Fetch 13 name topics by id only, ListOffsets 11 asks for
 * tiered storage's upload state, InitProducerId 6 is unstable in Kafka 4.3. */
#include "proto/api.h"

#include "proto/api_versions.h"
#include "proto/coordinator.h"
#include "proto/fetch.h"
#include "proto/list_offsets.h"
#include "proto/metadata.h"
#include "proto/produce.h"
#include "proto/sasl.h"
#include "proto/topics.h"

/* clang-format off */
#define API_ROW(key_, name_, min_, max_, client_min_, client_max_, flex_, message_)            \
    {                                                                                          \
        .key = (key_), .name = (name_), .min = (min_), .max = (max_),                          \
        .client_min = (client_min_), .client_max = (client_max_), .flex_since = (flex_),       \
        .request = &kwi_##message_##_request_schema,                                           \
        .response = &kwi_##message_##_response_schema                                          \
    }

static const struct kw_api_info api_table[] = {
    /*      key                      name          min max  client  flexible, message */
    API_ROW(KW_API_PRODUCE, "Produce",                 3, 13, 3, 12,  9, produce),
    API_ROW(KW_API_FETCH, "Fetch",                     4, 18, 4, 12, 12, fetch),
    API_ROW(KW_API_LIST_OFFSETS, "ListOffsets",        1, 11, 1, 10,  6, list_offsets),
    API_ROW(KW_API_METADATA, "Metadata",               0, 13, 1, 13,  9, metadata),
    API_ROW(KW_API_FIND_COORDINATOR, "FindCoordinator", 0, 6, 0,  6,  3, find_coordinator),
    API_ROW(KW_API_SASL_HANDSHAKE, "SaslHandshake",    0,  1, 1,  1, KWI_NEVER, sasl_handshake),
    API_ROW(KW_API_API_VERSIONS, "ApiVersions",        0,  4, 0,  4,  3, api_versions),
    API_ROW(KW_API_CREATE_TOPICS, "CreateTopics",      2,  7, 2,  7,  5, create_topics),
    API_ROW(KW_API_DELETE_TOPICS, "DeleteTopics",      1,  6, 1,  6,  4, delete_topics),
    API_ROW(KW_API_INIT_PRODUCER_ID, "InitProducerId", 0,  6, 0,  5,  2, init_producer_id),
};
/* clang-format on */

enum { API_COUNT = sizeof api_table / sizeof *api_table };

const struct kw_api_info *kwi_api_list(size_t *count)
{
    *count = API_COUNT;
    return api_table;
}

const struct kw_api_info *kwi_api_info(int16_t key)
{
    for (size_t i = 0; i < API_COUNT; i++)
        if (api_table[i].key == key)
            return &api_table[i];
    return NULL;
}

const char *kwi_api_name(int16_t key)
{
    const struct kw_api_info *api = kwi_api_info(key);
    return api ? api->name : "unknown API";
}

int kwi_api_choose(const struct kw_api_info *api, int16_t broker_min, int16_t broker_max)
{
    int low = api->client_min > broker_min ? api->client_min : broker_min;
    int high = api->client_max < broker_max ? api->client_max : broker_max;
    return high >= low ? high : KW_ERR_UNSUPPORTED;
}
