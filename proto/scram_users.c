/* proto/scram_users.c -- DescribeUserScramCredentials, api key 50, and
 * AlterUserScramCredentials, api key 51, version 0 of both, flexible: the users who may
 * log in by SCRAM (KIP-554). The client salts and hashes, so that the broker never sees
 * a password. */
#include "proto/scram_users.h"

/* clang-format off */
KWI_PART_TABLE(describe_user_scram_credentials_request_user,
    KWI_EVER(describe_user_scram_credentials_request_user, name));
KWI_TABLE(describe_user_scram_credentials_request, 0, 0, 0,
    KWI_LIST(describe_user_scram_credentials_request, users,
             describe_user_scram_credentials_request_user, 0, KWI_LAST, 0, 0, 0));
KWI_PART_TABLE(describe_user_scram_credentials_response_info,
    KWI_EVER(describe_user_scram_credentials_response_info, mechanism, iterations));
KWI_PART_TABLE(describe_user_scram_credentials_response_result,
    KWI_EVER(describe_user_scram_credentials_response_result, user, error_code),
    KWI_MAYBE(describe_user_scram_credentials_response_result, error_message, 0, KWI_LAST, 0, 0, 0),
    KWI_LIST_FROM(describe_user_scram_credentials_response_result, credential_infos,
                  describe_user_scram_credentials_response_info, 0));
KWI_TABLE(describe_user_scram_credentials_response, 0, 0, 0,
    KWI_EVER(describe_user_scram_credentials_response, throttle_time_ms, error_code),
    KWI_MAYBE(describe_user_scram_credentials_response, error_message,    0, KWI_LAST, 0, 0, 0),
    KWI_LIST_FROM(describe_user_scram_credentials_response, results,
                  describe_user_scram_credentials_response_result, 0));
KWI_PART_TABLE(scram_credential_deletion, KWI_EVER(scram_credential_deletion, name, mechanism));
KWI_PART_TABLE(scram_credential_upsertion,
    KWI_EVER(scram_credential_upsertion, name, mechanism, iterations, salt, salted_password));
KWI_TABLE(alter_user_scram_credentials_request, 0, 0, 0,
    KWI_LIST_FROM(alter_user_scram_credentials_request, deletions, scram_credential_deletion, 0),
    KWI_LIST_FROM(alter_user_scram_credentials_request, upsertions, scram_credential_upsertion, 0));
KWI_PART_TABLE(alter_user_scram_credentials_response_result,
    KWI_EVER(alter_user_scram_credentials_response_result, user, error_code),
    KWI_MAYBE(alter_user_scram_credentials_response_result, error_message, 0, KWI_LAST, 0, 0, 0));
KWI_TABLE(alter_user_scram_credentials_response, 0, 0, 0,
    KWI_EVER(alter_user_scram_credentials_response, throttle_time_ms),
    KWI_LIST_FROM(alter_user_scram_credentials_response, results,
                  alter_user_scram_credentials_response_result, 0));
