/* proto/coordinator.h -- FindCoordinator (10). */
#ifndef KWI_COORDINATOR_H
#define KWI_COORDINATOR_H
#include "proto/schema.h"

enum { KWI_COORDINATOR_GROUP = 0, KWI_COORDINATOR_TRANSACTION = 1, KWI_COORDINATOR_SHARE = 2 };

struct kw_find_coordinator_request {
    struct kw_str key;              /* up to v3 */
    int8_t key_type;                /* v1+; KWI_COORDINATOR_x */
    struct kw_arr coordinator_keys; /* v4+; of struct kw_str */
};

struct kw_find_coordinator_response_coordinator {
    struct kw_str key;
    int32_t node_id; /* -1 on error */
    struct kw_str host;
    int32_t port;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
};
KWI_PART(find_coordinator_response_coordinator)

struct kw_find_coordinator_response {
    int32_t throttle_time_ms;    /* v1+ */
    int16_t error_code;          /* up to v3, like the next four */
    struct kw_str error_message; /* v1 to v3; null if none */
    int32_t node_id;
    struct kw_str host;
    int32_t port;
    struct kw_arr coordinators; /* v4+; of kw_find_coordinator_response_coordinator */
};
KWI_API(find_coordinator)

#endif
