/* proto/api_versions.h -- ApiVersions (18): which APIs a broker offers. */
#ifndef KWI_API_VERSIONS_H
#define KWI_API_VERSIONS_H
#include "proto/schema.h"

struct kw_api_versions_request {
    struct kw_str client_software_name;    /* v3+; [a-zA-Z0-9.-], ends alphanumeric */
    struct kw_str client_software_version; /* v3+; the same */
    struct kw_str cluster_id;              /* v5+; which cluster it should be; null unknown */
    int32_t node_id;                       /* v5+; which node it should be; -1 unknown */
};

struct kw_api_versions_response_key {
    int16_t api_key, min_version, max_version;
};
struct kw_api_versions_supported_feature {
    struct kw_str name;
    int16_t min_version, max_version;
};
struct kw_api_versions_finalized_feature {
    struct kw_str name;
    int16_t max_version_level, min_version_level;
};
struct kw_api_versions_response {
    int16_t error_code;               /* 35: the body is of version 0, see the .c file */
    struct kw_arr api_keys;           /* of kw_api_versions_response_key */
    int32_t throttle_time_ms;         /* v1+ */
    struct kw_arr supported_features; /* v3+; of kw_api_versions_supported_feature */
    int64_t finalized_features_epoch; /* v3+; -1 unknown */
    struct kw_arr finalized_features; /* v3+; of kw_api_versions_finalized_feature */
    bool zk_migration_ready;          /* v3+ */
};
KWI_API(api_versions)

KWI_PARTS(api_versions_response_key, api_versions_supported_feature, api_versions_finalized_feature)

#endif
