/* proto/acls.h -- DescribeAcls (29), CreateAcls (30) and DeleteAcls (31).
 *
 * Resource types: 1 any, 2 topic, 3 group, 4 cluster, 5 transactional id, 6
 * delegation token, 7 user. Patterns: 1 any, 2 match, 3 literal, 4 prefixed.
 * Operations: 1 any, 2 all, 3 read, 4 write, 5 create, 6 delete, 7 alter, 8
 * describe and so on. Permissions: 1 any, 2 deny, 3 allow. "Any" and "match" are for
 * filters only. */
#ifndef KWI_ACLS_H
#define KWI_ACLS_H
#include "proto/schema.h"

/* Also one filter of DeleteAcls. */
struct kw_describe_acls_request {
    int8_t resource_type_filter;
    struct kw_str resource_name_filter; /* null: any */
    int8_t pattern_type_filter;
    struct kw_str principal_filter, host_filter; /* null: any */
    int8_t operation, permission_type;
};

struct kw_acl_description {
    struct kw_str principal, host; /* "User:alice"; "*": from everywhere */
    int8_t operation, permission_type;
};
struct kw_describe_acls_response_resource {
    int8_t resource_type;
    struct kw_str resource_name;
    int8_t pattern_type;
    struct kw_arr acls; /* of kw_acl_description */
};
struct kw_describe_acls_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
    struct kw_arr resources;     /* of kw_describe_acls_response_resource */
};
KWI_API(describe_acls)

struct kw_acl_creation {
    int8_t resource_type;
    struct kw_str resource_name;
    int8_t resource_pattern_type;
    struct kw_str principal, host;
    int8_t operation, permission_type;
};
struct kw_create_acls_request {
    struct kw_arr creations; /* of kw_acl_creation */
};

struct kw_acl_creation_result {
    int16_t error_code;
    struct kw_str error_message; /* null if none */
};
struct kw_create_acls_response {
    int32_t throttle_time_ms;
    struct kw_arr results; /* of kw_acl_creation_result, in the order of the request */
};
KWI_API(create_acls)

struct kw_delete_acls_request {
    struct kw_arr filters; /* of kw_describe_acls_request */
};

struct kw_delete_acls_response_match {
    int16_t error_code;          /* of this ACL, which stays if it is not 0 */
    struct kw_str error_message; /* null if none */
    int8_t resource_type;
    struct kw_str resource_name;
    int8_t pattern_type;
    struct kw_str principal, host;
    int8_t operation, permission_type;
};
struct kw_delete_acls_response_result {
    int16_t error_code;
    struct kw_str error_message; /* null if none */
    struct kw_arr matching_acls; /* of kw_delete_acls_response_match */
};
struct kw_delete_acls_response {
    int32_t throttle_time_ms;
    struct kw_arr filter_results; /* of kw_delete_acls_response_result, as the filters */
};
KWI_API(delete_acls)

KWI_PARTS(acl_description, describe_acls_response_resource, acl_creation, acl_creation_result)
KWI_PARTS(delete_acls_response_match, delete_acls_response_result)

#endif
