/* proto/configs.h -- DescribeConfigs (32), AlterConfigs (33), IncrementalAlterConfigs
 * (44) and ListConfigResources (74).
 *
 * Resource types: 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group. The
 * name of a broker is its node id, "" the default of all brokers. */
#ifndef KWI_CONFIGS_H
#define KWI_CONFIGS_H
#include "proto/schema.h"

struct kw_describe_configs_request_resource {
    int8_t resource_type;
    struct kw_str resource_name;
    struct kw_arr configuration_keys; /* of struct kw_str; null: all */
};
struct kw_describe_configs_request {
    struct kw_arr resources; /* of kw_describe_configs_request_resource */
    bool include_synonyms;
    bool include_documentation; /* v3+ */
};

struct kw_describe_configs_response_synonym {
    struct kw_str name, value; /* value may be null */
    int8_t source;             /* as config_source */
};
struct kw_describe_configs_response_config {
    struct kw_str name, value; /* value null: not set, or a secret */
    bool read_only;
    int8_t config_source; /* 1 topic, 2 broker, 3 all brokers, 4 static, 5 default, -1 unknown */
    bool is_sensitive;
    struct kw_arr synonyms;      /* of kw_describe_configs_response_synonym, best first */
    int8_t config_type;          /* v3+; 0 unknown, 1 bool, 2 string, 3 int32, 4 int16, ... */
    struct kw_str documentation; /* v3+; may be null */
};
struct kw_describe_configs_response_result {
    int16_t error_code;
    struct kw_str error_message; /* null if none */
    int8_t resource_type;
    struct kw_str resource_name;
    struct kw_arr configs; /* of kw_describe_configs_response_config */
};
struct kw_describe_configs_response {
    int32_t throttle_time_ms;
    struct kw_arr results; /* of kw_describe_configs_response_result */
};
KWI_API(describe_configs)

struct kw_alter_configs_request_config {
    struct kw_str name, value; /* value may be null */
};
struct kw_alter_configs_request_resource {
    int8_t resource_type;
    struct kw_str resource_name;
    struct kw_arr configs; /* of kw_alter_configs_request_config */
};
struct kw_alter_configs_request {
    struct kw_arr resources; /* of kw_alter_configs_request_resource */
    bool validate_only;
};

/* Of AlterConfigs and of IncrementalAlterConfigs. */
struct kw_alter_configs_response_resource {
    int16_t error_code;
    struct kw_str error_message; /* null if none */
    int8_t resource_type;
    struct kw_str resource_name;
};
struct kw_alter_configs_response {
    int32_t throttle_time_ms;
    struct kw_arr responses; /* of kw_alter_configs_response_resource */
};
KWI_API(alter_configs)

struct kw_incremental_alter_configs_request_config {
    struct kw_str name;
    int8_t config_operation; /* 0 set, 1 delete, 2 append, 3 subtract (of lists) */
    struct kw_str value;     /* null to delete */
};
struct kw_incremental_alter_configs_request_resource {
    int8_t resource_type;
    struct kw_str resource_name;
    struct kw_arr configs; /* of kw_incremental_alter_configs_request_config */
};
struct kw_incremental_alter_configs_request {
    struct kw_arr resources; /* of kw_incremental_alter_configs_request_resource */
    bool validate_only;
};

struct kw_incremental_alter_configs_response {
    int32_t throttle_time_ms;
    struct kw_arr responses; /* of kw_alter_configs_response_resource */
};
KWI_API(incremental_alter_configs)

struct kw_list_config_resources_request {
    struct kw_arr resource_types; /* v1+; of int8_t; none: all that the broker knows */
};

struct kw_list_config_resources_response_resource {
    struct kw_str resource_name;
    int8_t resource_type; /* v1+; v0 lists client metrics only: 16 */
};
struct kw_list_config_resources_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_arr config_resources; /* of kw_list_config_resources_response_resource */
};
KWI_API(list_config_resources)

KWI_PARTS(describe_configs_request_resource, describe_configs_response_synonym)
KWI_PARTS(describe_configs_response_config, describe_configs_response_result)
KWI_PARTS(alter_configs_request_config, alter_configs_request_resource)
KWI_PARTS(alter_configs_response_resource, incremental_alter_configs_request_config)
KWI_PARTS(incremental_alter_configs_request_resource, list_config_resources_response_resource)

#endif
