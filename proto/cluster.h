/* proto/cluster.h -- UpdateFeatures (57), DescribeCluster (60), UnregisterBroker (64)
 * and UnregisterController (94). */
#ifndef KWI_CLUSTER_H
#define KWI_CLUSTER_H
#include "proto/schema.h"

struct kw_update_features_request_feature {
    struct kw_str feature;
    int16_t max_version_level; /* below 1: remove it */
    bool allow_downgrade;      /* v0 */
    int8_t upgrade_type;       /* v1+; 1 up, 2 down if safe, 3 down in any case */
};
struct kw_update_features_request {
    int32_t timeout_ms;            /* default 60000 */
    struct kw_arr feature_updates; /* of kw_update_features_request_feature */
    bool validate_only;            /* v1+ */
};

struct kw_update_features_response_result {
    struct kw_str feature;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
};
struct kw_update_features_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
    struct kw_arr results;       /* v0 and v1; of kw_update_features_response_result */
};
KWI_API(update_features)

struct kw_describe_cluster_request {
    bool include_cluster_authorized_operations;
    int8_t endpoint_type;        /* v1+; 1 brokers, 2 controllers */
    bool include_fenced_brokers; /* v2+ */
};

struct kw_describe_cluster_response_broker {
    int32_t broker_id;
    struct kw_str host;
    int32_t port;
    struct kw_str rack; /* null if it has none */
    bool is_fenced;     /* v2+ */
};
struct kw_describe_cluster_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
    int8_t endpoint_type;        /* v1+; as in the request */
    struct kw_str cluster_id;
    int32_t controller_id;                 /* -1 unknown */
    struct kw_arr brokers;                 /* of kw_describe_cluster_response_broker */
    int32_t cluster_authorized_operations; /* bit n: operation n; INT32_MIN not asked for */
};
KWI_API(describe_cluster)

struct kw_unregister_broker_request {
    int32_t broker_id;
};

struct kw_unregister_broker_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
};
KWI_API(unregister_broker)

struct kw_unregister_controller_request {
    int32_t controller_id;
};

struct kw_unregister_controller_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
};
KWI_API(unregister_controller)

KWI_PARTS(update_features_request_feature, update_features_response_result)
KWI_PART(describe_cluster_response_broker)

#endif
