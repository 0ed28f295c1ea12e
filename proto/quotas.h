/* proto/quotas.h -- DescribeClientQuotas (48) and AlterClientQuotas (49).
 *
 * Entity types are "user", "client-id" and "ip"; a null entity name is the default of
 * its type. Keys are names such as "producer_byte_rate" and "request_percentage". */
#ifndef KWI_QUOTAS_H
#define KWI_QUOTAS_H
#include "proto/schema.h"

/* One part of who a quota is for. */
struct kw_quota_entity {
    struct kw_str entity_type, entity_name; /* entity_name null: the default */
};
struct kw_describe_client_quotas_request_component {
    struct kw_str entity_type;
    int8_t match_type;   /* 0 the name in match, 1 the default, 2 any name that is set */
    struct kw_str match; /* null unless match_type is 0 */
};
struct kw_describe_client_quotas_request {
    struct kw_arr components; /* of kw_describe_client_quotas_request_component */
    bool strict;              /* nothing that has entity types beside these */
};

struct kw_describe_client_quotas_response_value {
    struct kw_str key;
    double value;
};
struct kw_describe_client_quotas_response_entry {
    struct kw_arr entity; /* of kw_quota_entity */
    struct kw_arr values; /* of kw_describe_client_quotas_response_value */
};
struct kw_describe_client_quotas_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
    struct kw_arr entries; /* of kw_describe_client_quotas_response_entry; null after an error */
};
KWI_API(describe_client_quotas)

struct kw_alter_client_quotas_request_op {
    struct kw_str key;
    double value;
    bool remove; /* value counts for nothing then */
};
struct kw_alter_client_quotas_request_entry {
    struct kw_arr entity; /* of kw_quota_entity */
    struct kw_arr ops;    /* of kw_alter_client_quotas_request_op */
};
struct kw_alter_client_quotas_request {
    struct kw_arr entries; /* of kw_alter_client_quotas_request_entry */
    bool validate_only;
};

struct kw_alter_client_quotas_response_entry {
    int16_t error_code;
    struct kw_str error_message; /* null if none */
    struct kw_arr entity;        /* of kw_quota_entity */
};
struct kw_alter_client_quotas_response {
    int32_t throttle_time_ms;
    struct kw_arr entries; /* of kw_alter_client_quotas_response_entry */
};
KWI_API(alter_client_quotas)

KWI_PARTS(quota_entity, describe_client_quotas_request_component)
KWI_PARTS(describe_client_quotas_response_value, describe_client_quotas_response_entry)
KWI_PARTS(alter_client_quotas_request_op, alter_client_quotas_request_entry)
KWI_PART(alter_client_quotas_response_entry)

#endif
