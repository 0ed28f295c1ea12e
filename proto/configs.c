/* proto/configs.c -- settings of topics, brokers, groups and others.
 *
 * DescribeConfigs, api key 32, versions 1 to 4 (KIP-133).
 *   v1  where a value comes from, and its synonyms (KIP-226); the lowest that brokers
 *       since 4.0 accept (KIP-896)
 *   v2  brokers answer before they throttle (KIP-219)
 *   v3  type and documentation of a setting (KIP-569)
 *   v4  flexible (KIP-482)
 *
 * AlterConfigs, api key 33, versions 0 to 2 (KIP-133). What is not in the request goes
 * back to its default, so that two administrators undo each other: use the next one
 * where it exists.
 *   v1  brokers answer before they throttle (KIP-219)
 *   v2  flexible (KIP-482)
 *
 * IncrementalAlterConfigs, api key 44, versions 0 and 1: changes only what it names
 * (KIP-339).
 *   v1  flexible (KIP-482)
 *
 * ListConfigResources, api key 74, versions 0 and 1: the names of what has settings.
 *   v0  subscriptions of client metrics only (KIP-1000)
 *   v1  any type of resource (KIP-1142)
 */
#include "proto/configs.h"

/* clang-format off */
KWI_PART_TABLE(describe_configs_request_resource,
    KWI_EVER(describe_configs_request_resource, resource_type, resource_name),
    KWI_PLAIN_MAYBE(describe_configs_request_resource, configuration_keys, str, 0, KWI_LAST, 0, 0,
                    0));
KWI_TABLE(describe_configs_request, 1, 4, 4,
    KWI_LIST_FROM(describe_configs_request, resources, describe_configs_request_resource, 0),
    KWI_VALUE(describe_configs_request, include_synonyms,      1, KWI_LAST, 0, 0),
    KWI_VALUE(describe_configs_request, include_documentation, 3, KWI_LAST, 0, 0));
KWI_PART_TABLE(describe_configs_response_synonym,
    KWI_VALUE(describe_configs_response_synonym, name,   1, KWI_LAST, 0, 0),
    KWI_MAYBE(describe_configs_response_synonym, value,  1, KWI_LAST, 0, 0, 0),
    KWI_VALUE(describe_configs_response_synonym, source, 1, KWI_LAST, 0, 0));
KWI_PART_TABLE(describe_configs_response_config,
    KWI_EVER(describe_configs_response_config, name),
    KWI_MAYBE(describe_configs_response_config, value,         0, KWI_LAST, 0, 0, 0),
    KWI_EVER(describe_configs_response_config, read_only),
    KWI_VALUE(describe_configs_response_config, config_source, 1, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_EVER(describe_configs_response_config, is_sensitive),
    KWI_LIST(describe_configs_response_config, synonyms, describe_configs_response_synonym, 1,
             KWI_LAST, KWI_NOT_NULL, 0, KWI_IGNORABLE),
    KWI_VALUE(describe_configs_response_config, config_type,   3, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_MAYBE(describe_configs_response_config, documentation, 3, KWI_LAST, 0, 0, KWI_IGNORABLE));
KWI_PART_TABLE(describe_configs_response_result,
    KWI_EVER(describe_configs_response_result, error_code),
    KWI_MAYBE(describe_configs_response_result, error_message, 0, KWI_LAST, 0, 0, 0),
    KWI_EVER(describe_configs_response_result, resource_type, resource_name),
    KWI_LIST_FROM(describe_configs_response_result, configs, describe_configs_response_config, 0));
KWI_TABLE(describe_configs_response, 1, 4, 4,
    KWI_EVER(describe_configs_response, throttle_time_ms),
    KWI_LIST_FROM(describe_configs_response, results, describe_configs_response_result, 0));
KWI_PART_TABLE(alter_configs_request_config,
    KWI_EVER(alter_configs_request_config, name),
    KWI_MAYBE(alter_configs_request_config, value, 0, KWI_LAST, 0, 0, 0));
KWI_PART_TABLE(alter_configs_request_resource,
    KWI_EVER(alter_configs_request_resource, resource_type, resource_name),
    KWI_LIST_FROM(alter_configs_request_resource, configs, alter_configs_request_config, 0));
KWI_TABLE(alter_configs_request, 0, 2, 2,
    KWI_LIST_FROM(alter_configs_request, resources, alter_configs_request_resource, 0),
    KWI_EVER(alter_configs_request, validate_only));
KWI_PART_TABLE(alter_configs_response_resource,
    KWI_EVER(alter_configs_response_resource, error_code),
    KWI_MAYBE(alter_configs_response_resource, error_message, 0, KWI_LAST, 0, 0, 0),
    KWI_EVER(alter_configs_response_resource, resource_type, resource_name));
KWI_TABLE(alter_configs_response, 0, 2, 2,
    KWI_EVER(alter_configs_response, throttle_time_ms),
    KWI_LIST_FROM(alter_configs_response, responses, alter_configs_response_resource, 0));
KWI_PART_TABLE(incremental_alter_configs_request_config,
    KWI_EVER(incremental_alter_configs_request_config, name, config_operation),
    KWI_MAYBE(incremental_alter_configs_request_config, value,            0, KWI_LAST, 0, 0, 0));
KWI_PART_TABLE(incremental_alter_configs_request_resource,
    KWI_EVER(incremental_alter_configs_request_resource, resource_type, resource_name),
    KWI_LIST_FROM(incremental_alter_configs_request_resource, configs,
                  incremental_alter_configs_request_config, 0));
KWI_TABLE(incremental_alter_configs_request, 0, 1, 1,
    KWI_LIST_FROM(incremental_alter_configs_request, resources,
                  incremental_alter_configs_request_resource, 0),
    KWI_EVER(incremental_alter_configs_request, validate_only));
KWI_TABLE(incremental_alter_configs_response, 0, 1, 1,
    KWI_EVER(incremental_alter_configs_response, throttle_time_ms),
    KWI_LIST_FROM(incremental_alter_configs_response, responses,
                  alter_configs_response_resource, 0));
KWI_TABLE(list_config_resources_request, 0, 1, 0,
    KWI_PLAIN(list_config_resources_request, resource_types, i8, 1, KWI_LAST, 0));
KWI_PART_TABLE(list_config_resources_response_resource,
    KWI_EVER(list_config_resources_response_resource, resource_name),
    KWI_VALUE(list_config_resources_response_resource, resource_type, 1, KWI_LAST, 16,
              KWI_IGNORABLE));
KWI_TABLE(list_config_resources_response, 0, 1, 0,
    KWI_EVER(list_config_resources_response, throttle_time_ms, error_code),
    KWI_LIST_FROM(list_config_resources_response, config_resources,
                  list_config_resources_response_resource, 0));
