/* proto/scram_users.h -- DescribeUserScramCredentials (50) and
 * AlterUserScramCredentials (51). Mechanisms: 1 SCRAM-SHA-256, 2 SCRAM-SHA-512. */
#ifndef KWI_SCRAM_USERS_H
#define KWI_SCRAM_USERS_H
#include "proto/schema.h"

struct kw_describe_user_scram_credentials_request_user {
    struct kw_str name;
};
struct kw_describe_user_scram_credentials_request {
    struct kw_arr users; /* of kw_describe_user_scram_credentials_request_user; null: all */
};

struct kw_describe_user_scram_credentials_response_info {
    int8_t mechanism;
    int32_t iterations;
};
struct kw_describe_user_scram_credentials_response_result {
    struct kw_str user;
    int16_t error_code;
    struct kw_str error_message;    /* null if none */
    struct kw_arr credential_infos; /* of kw_describe_user_scram_credentials_response_info */
};
struct kw_describe_user_scram_credentials_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
    struct kw_arr results;       /* of kw_describe_user_scram_credentials_response_result */
};
KWI_API(describe_user_scram_credentials)

struct kw_scram_credential_deletion {
    struct kw_str name;
    int8_t mechanism;
};
struct kw_scram_credential_upsertion {
    struct kw_str name;
    int8_t mechanism;
    int32_t iterations;
    struct kw_blob salt, salted_password; /* the password itself never travels */
};
struct kw_alter_user_scram_credentials_request {
    struct kw_arr deletions, upsertions; /* of kw_scram_credential_deletion and _upsertion */
};

struct kw_alter_user_scram_credentials_response_result {
    struct kw_str user;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
};
struct kw_alter_user_scram_credentials_response {
    int32_t throttle_time_ms;
    struct kw_arr results; /* of kw_alter_user_scram_credentials_response_result */
};
KWI_API(alter_user_scram_credentials)

KWI_PART(describe_user_scram_credentials_request_user)
KWI_PART(describe_user_scram_credentials_response_info)
KWI_PARTS(describe_user_scram_credentials_response_result, scram_credential_deletion)
KWI_PARTS(scram_credential_upsertion, alter_user_scram_credentials_response_result)

#endif
