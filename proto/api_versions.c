/* proto/api_versions.c -- ApiVersions, api key 18, versions 0 to 5.
 *
 * The first request on every connection: the broker lists the range of versions
 * that it takes of each API, and the features that the cluster has agreed upon.
 *
 * A broker that does not know the version asked for answers error 35 with a body
 * of version 0, whatever was asked; from Kafka 2.4 on that body lists one key,
 * 18, with the range to ask with (KIP-511). The header of the answer never has a
 * tag section, so that it can be read before anything was agreed.
 *
 *   v1  response gains throttle_time_ms
 *   v2  brokers answer before they throttle (KIP-219)
 *   v3  flexible (KIP-482); request names the client software (KIP-511);
 *       response gains features, as tagged fields (KIP-584)
 *   v4  features whose lowest version is 0 are listed as well (KIP-1022)
 *   v5  request names the cluster and the node that are meant; another answers
 *       REBOOTSTRAP_REQUIRED (KIP-1242); new in Kafka 4.4
 */
#include "proto/api_versions.h"

/* clang-format off */
KWI_TABLE(api_versions_request, 0, 5, 3,
    KWI_VALUE(api_versions_request, client_software_name,    3, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_VALUE(api_versions_request, client_software_version, 3, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_MAYBE(api_versions_request, cluster_id, 5, KWI_LAST, 5, KWI_NULL, KWI_IGNORABLE),
    KWI_VALUE(api_versions_request, node_id,                 5, KWI_LAST, -1, KWI_IGNORABLE));
KWI_PART_TABLE(api_versions_response_key,
    KWI_EVER(api_versions_response_key, api_key, min_version, max_version));
KWI_PART_TABLE(api_versions_supported_feature,
    KWI_VALUE(api_versions_supported_feature, name,        3, KWI_LAST, 0, 0),
    KWI_VALUE(api_versions_supported_feature, min_version, 3, KWI_LAST, 0, 0),
    KWI_VALUE(api_versions_supported_feature, max_version, 3, KWI_LAST, 0, 0));
KWI_PART_TABLE(api_versions_finalized_feature,
    KWI_VALUE(api_versions_finalized_feature, name,              3, KWI_LAST, 0, 0),
    KWI_VALUE(api_versions_finalized_feature, max_version_level, 3, KWI_LAST, 0, 0),
    KWI_VALUE(api_versions_finalized_feature, min_version_level, 3, KWI_LAST, 0, 0));
KWI_TABLE(api_versions_response, 0, 5, 3,
    KWI_EVER(api_versions_response, error_code),
    KWI_LIST_FROM(api_versions_response, api_keys, api_versions_response_key, 0),
    KWI_VALUE(api_versions_response, throttle_time_ms, 1, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_TAG_OF(api_versions_response, supported_features, api_versions_supported_feature, 0, 3,
               KWI_LAST, KWI_NOT_NULL, 0, KWI_IGNORABLE),
    KWI_TAG(api_versions_response, finalized_features_epoch, 1, 3, KWI_LAST, KWI_NOT_NULL, -1,
            KWI_IGNORABLE),
    KWI_TAG_OF(api_versions_response, finalized_features, api_versions_finalized_feature, 2, 3,
               KWI_LAST, KWI_NOT_NULL, 0, KWI_IGNORABLE),
    KWI_TAG(api_versions_response, zk_migration_ready, 3, 3, KWI_LAST, KWI_NOT_NULL, 0,
            KWI_IGNORABLE));
