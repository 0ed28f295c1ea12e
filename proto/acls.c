/* proto/acls.c -- DescribeAcls, CreateAcls and DeleteAcls, api keys 29 to 31,
 * versions 1 to 3 of each: who may do what with which resource (KIP-140).
 *
 * The three move together. Version 0 went with Kafka 4.0 (KIP-896).
 *   v1  pattern type: literal or prefixed (KIP-290); brokers answer before they
 *       throttle (KIP-219)
 *   v2  flexible (KIP-482)
 *   v3  resources may be users, to grant delegation tokens in their name (KIP-373)
 */
#include "proto/acls.h"

/* clang-format off */
KWI_TABLE(describe_acls_request, 1, 3, 2,
    KWI_EVER(describe_acls_request, resource_type_filter),
    KWI_MAYBE(describe_acls_request, resource_name_filter, 0, KWI_LAST, 0, 0, 0),
    KWI_VALUE(describe_acls_request, pattern_type_filter,  1, KWI_LAST, 3, 0),
    KWI_MAYBE(describe_acls_request, principal_filter,     0, KWI_LAST, 0, 0, 0),
    KWI_MAYBE(describe_acls_request, host_filter,          0, KWI_LAST, 0, 0, 0),
    KWI_EVER(describe_acls_request, operation, permission_type));
KWI_PART_TABLE(acl_description,
    KWI_EVER(acl_description, principal, host, operation, permission_type));
KWI_PART_TABLE(describe_acls_response_resource,
    KWI_EVER(describe_acls_response_resource, resource_type, resource_name),
    KWI_VALUE(describe_acls_response_resource, pattern_type,  1, KWI_LAST, 3, 0),
    KWI_LIST_FROM(describe_acls_response_resource, acls, acl_description, 0));
KWI_TABLE(describe_acls_response, 1, 3, 2,
    KWI_EVER(describe_acls_response, throttle_time_ms, error_code),
    KWI_MAYBE(describe_acls_response, error_message,    0, KWI_LAST, 0, 0, 0),
    KWI_LIST_FROM(describe_acls_response, resources, describe_acls_response_resource, 0));
KWI_PART_TABLE(acl_creation,
    KWI_EVER(acl_creation, resource_type, resource_name),
    KWI_VALUE(acl_creation, resource_pattern_type, 1, KWI_LAST, 3, 0),
    KWI_EVER(acl_creation, principal, host, operation, permission_type));
KWI_TABLE(create_acls_request, 1, 3, 2,
    KWI_LIST_FROM(create_acls_request, creations, acl_creation, 0));
KWI_PART_TABLE(acl_creation_result,
    KWI_EVER(acl_creation_result, error_code),
    KWI_MAYBE(acl_creation_result, error_message, 0, KWI_LAST, 0, 0, 0));
KWI_TABLE(create_acls_response, 1, 3, 2,
    KWI_EVER(create_acls_response, throttle_time_ms),
    KWI_LIST_FROM(create_acls_response, results, acl_creation_result, 0));
KWI_TABLE(delete_acls_request, 1, 3, 2,
    KWI_LIST_FROM(delete_acls_request, filters, describe_acls_request, 0));
KWI_PART_TABLE(delete_acls_response_match,
    KWI_EVER(delete_acls_response_match, error_code),
    KWI_MAYBE(delete_acls_response_match, error_message,   0, KWI_LAST, 0, 0, 0),
    KWI_EVER(delete_acls_response_match, resource_type, resource_name),
    KWI_VALUE(delete_acls_response_match, pattern_type,    1, KWI_LAST, 3, 0),
    KWI_EVER(delete_acls_response_match, principal, host, operation, permission_type));
KWI_PART_TABLE(delete_acls_response_result,
    KWI_EVER(delete_acls_response_result, error_code),
    KWI_MAYBE(delete_acls_response_result, error_message, 0, KWI_LAST, 0, 0, 0),
    KWI_LIST_FROM(delete_acls_response_result, matching_acls, delete_acls_response_match, 0));
KWI_TABLE(delete_acls_response, 1, 3, 2,
    KWI_EVER(delete_acls_response, throttle_time_ms),
    KWI_LIST_FROM(delete_acls_response, filter_results, delete_acls_response_result, 0));
