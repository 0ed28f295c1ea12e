/* proto/scram_users.h -- DescribeUserScramCredentials (50) and
 * AlterUserScramCredentials (51). Mechanisms: 1 SCRAM-SHA-256, 2 SCRAM-SHA-512. */
#ifndef KWI_SCRAM_USERS_H
#define KWI_SCRAM_USERS_H
#include "proto/schema.h"

struct kw_describe_user_scram_credentials_request_user {
    struct kw_str name;
};
KWI_PART(describe_user_scram_credentials_request_user)

struct kw_describe_user_scram_credentials_request {
    struct kw_arr users; /* of kw_describe_user_scram_credentials_request_user; null: all */
};
KWI_MESSAGE(describe_user_scram_credentials_request)

struct kw_describe_user_scram_credentials_response_info {
    int8_t mechanism;
    int32_t iterations;
};
KWI_PART(describe_user_scram_credentials_response_info)

struct kw_describe_user_scram_credentials_response_result {
    struct kw_str user;
    int16_t error_code;
    struct kw_str error_message;    /* null if none */
    struct kw_arr credential_infos; /* of kw_describe_user_scram_credentials_response_info */
};
KWI_PART(describe_user_scram_credentials_response_result)

struct kw_describe_user_scram_credentials_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
    struct kw_arr results;       /* of kw_describe_user_scram_credentials_response_result */
};
KWI_MESSAGE(describe_user_scram_credentials_response)

struct kw_scram_credential_deletion {
    struct kw_str name;
    int8_t mechanism;
};
KWI_PART(scram_credential_deletion)

struct kw_scram_credential_upsertion {
    struct kw_str name;
    int8_t mechanism;
    int32_t iterations;
    struct kw_blob salt, salted_password; /* the password itself never travels */
};
KWI_PART(scram_credential_upsertion)

struct kw_alter_user_scram_credentials_request {
    struct kw_arr deletions, upsertions; /* of kw_scram_credential_deletion and _upsertion */
};
KWI_MESSAGE(alter_user_scram_credentials_request)

struct kw_alter_user_scram_credentials_response_result {
    struct kw_str user;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
};
KWI_PART(alter_user_scram_credentials_response_result)

struct kw_alter_user_scram_credentials_response {
    int32_t throttle_time_ms;
    struct kw_arr results; /* of kw_alter_user_scram_credentials_response_result */
};
KWI_MESSAGE(alter_user_scram_credentials_response)

#endif
