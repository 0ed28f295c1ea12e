/* proto/api.h -- the table of APIs, and the choice of a version. */
#ifndef KWI_API_H
#define KWI_API_H
#include "proto/schema.h"

enum kw_api {
    KW_API_PRODUCE = 0,
    KW_API_FETCH = 1,
    KW_API_LIST_OFFSETS = 2,
    KW_API_METADATA = 3,
    KW_API_FIND_COORDINATOR = 10,
    KW_API_SASL_HANDSHAKE = 17,
    KW_API_API_VERSIONS = 18,
    KW_API_CREATE_TOPICS = 19,
    KW_API_DELETE_TOPICS = 20,
    KW_API_INIT_PRODUCER_ID = 22
};

struct kw_api_info {
    int16_t key;
    const char *name;              /* Kafka's: "Produce" */
    int8_t min, max;               /* versions that the tables describe */
    int8_t client_min, client_max; /* versions that the client will use */
    int8_t flex_since;             /* first flexible version, or KWI_NEVER */
    const struct kw_schema *request, *response;
};

/* All known APIs by ascending key. */
const struct kw_api_info *kwi_api_list(size_t *count);
/* NULL if the key is unknown. */
const struct kw_api_info *kwi_api_info(int16_t key);
/* Kafka's name of the API, or "unknown API". */
const char *kwi_api_name(int16_t key);
/* The highest version that the client and a broker offering broker_min to
 * broker_max share, or KW_ERR_UNSUPPORTED. */
int kwi_api_choose(const struct kw_api_info *api, int16_t broker_min,
                   int16_t broker_max) KW_MUST_USE;

#endif
