/* proto/cluster.c -- the cluster as a whole: its members and what they agreed on. All
 * are flexible from version 0 on.
 *
 * UpdateFeatures, api key 57, versions 0 to 2: finalizes the level of a feature, such
 * as metadata.version (KIP-584).
 *   v1  validate_only, and upgrade_type for allow_downgrade (KIP-778)
 *   v2  all or nothing: no results of single features (KIP-1022)
 *
 * DescribeCluster, api key 60, versions 0 to 2: what Metadata says of the cluster, with
 * no topics (KIP-700).
 *   v1  controllers may be asked, too (KIP-919)
 *   v2  brokers that are fenced, on request (KIP-1073)
 *
 * UnregisterBroker, api key 64, version 0: forgets a broker that will not come back
 * (KIP-631). UnregisterController, api key 94, version 0: the same of a controller,
 * since Kafka 4.4.
 */
#include "proto/cluster.h"

/* clang-format off */
KWI_PART_TABLE(update_features_request_feature,
    KWI_EVER(update_features_request_feature, feature, max_version_level),
    KWI_VALUE(update_features_request_feature, allow_downgrade,   0, 0,        0, 0),
    KWI_VALUE(update_features_request_feature, upgrade_type,      1, KWI_LAST, 1, 0));
KWI_TABLE(update_features_request, 0, 2, 0,
    KWI_VALUE(update_features_request, timeout_ms, 0, KWI_LAST, 60000, 0),
    KWI_LIST_FROM(update_features_request, feature_updates, update_features_request_feature, 0),
    KWI_VALUE(update_features_request, validate_only, 1, KWI_LAST, 0, 0));
KWI_PART_TABLE(update_features_response_result,
    KWI_EVER(update_features_response_result, feature, error_code),
    KWI_MAYBE(update_features_response_result, error_message, 0, KWI_LAST, 0, 0, 0));
KWI_TABLE(update_features_response, 0, 2, 0,
    KWI_EVER(update_features_response, throttle_time_ms, error_code),
    KWI_MAYBE(update_features_response, error_message,    0, KWI_LAST, 0, 0, 0),
    KWI_LIST(update_features_response, results, update_features_response_result, 0, 1, KWI_NOT_NULL,
             0, KWI_IGNORABLE));
KWI_TABLE(describe_cluster_request, 0, 2, 0,
    KWI_EVER(describe_cluster_request, include_cluster_authorized_operations),
    KWI_VALUE(describe_cluster_request, endpoint_type,          1, KWI_LAST, 1, 0),
    KWI_VALUE(describe_cluster_request, include_fenced_brokers, 2, KWI_LAST, 0, 0));
KWI_PART_TABLE(describe_cluster_response_broker,
    KWI_EVER(describe_cluster_response_broker, broker_id, host, port),
    KWI_MAYBE(describe_cluster_response_broker, rack,      0, KWI_LAST, 0, KWI_NULL, 0),
    KWI_VALUE(describe_cluster_response_broker, is_fenced, 2, KWI_LAST, 0, 0));
KWI_TABLE(describe_cluster_response, 0, 2, 0,
    KWI_EVER(describe_cluster_response, throttle_time_ms, error_code),
    KWI_MAYBE(describe_cluster_response, error_message,    0, KWI_LAST, 0, KWI_NULL, 0),
    KWI_VALUE(describe_cluster_response, endpoint_type,    1, KWI_LAST, 1, 0),
    KWI_EVER(describe_cluster_response, cluster_id),
    KWI_VALUE(describe_cluster_response, controller_id,    0, KWI_LAST, -1, 0),
    KWI_LIST_FROM(describe_cluster_response, brokers, describe_cluster_response_broker, 0),
    KWI_VALUE(describe_cluster_response, cluster_authorized_operations, 0, KWI_LAST, INT32_MIN, 0));
KWI_TABLE(unregister_broker_request, 0, 0, 0, KWI_EVER(unregister_broker_request, broker_id));
KWI_TABLE(unregister_broker_response, 0, 0, 0,
    KWI_EVER(unregister_broker_response, throttle_time_ms, error_code),
    KWI_MAYBE(unregister_broker_response, error_message,    0, KWI_LAST, 0, 0, 0));
KWI_TABLE(unregister_controller_request, 0, 0, 0,
    KWI_EVER(unregister_controller_request, controller_id));
KWI_TABLE(unregister_controller_response, 0, 0, 0,
    KWI_EVER(unregister_controller_response, throttle_time_ms, error_code),
    KWI_MAYBE(unregister_controller_response, error_message,    0, KWI_LAST, 0, 0, 0));
