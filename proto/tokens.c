/* proto/tokens.c -- delegation tokens: secrets that a broker hands out to a client
 * which has authenticated, for workers that then log in by SCRAM with them (KIP-48).
 *
 * CreateDelegationToken, api key 38, versions 1 to 3; RenewDelegationToken, 39, and
 * ExpireDelegationToken, 40, versions 1 and 2; DescribeDelegationToken, 41, versions 1
 * to 3. Versions 0 went with Kafka 4.0 (KIP-896).
 *   v1  brokers answer before they throttle (KIP-219)
 *   v2  flexible (KIP-482)
 *   v3  tokens in the name of another user, who asked for them (KIP-373)
 */
#include "proto/tokens.h"

/* clang-format off */
KWI_PART_TABLE(token_principal, KWI_EVER(token_principal, principal_type, principal_name));
KWI_TABLE(create_delegation_token_request, 1, 3, 2,
    KWI_MAYBE(create_delegation_token_request, owner_principal_type, 3, KWI_LAST, 3, 0, 0),
    KWI_MAYBE(create_delegation_token_request, owner_principal_name, 3, KWI_LAST, 3, 0, 0),
    KWI_LIST_FROM(create_delegation_token_request, renewers, token_principal, 0),
    KWI_EVER(create_delegation_token_request, max_lifetime_ms));
KWI_TABLE(create_delegation_token_response, 1, 3, 2,
    KWI_EVER(create_delegation_token_response, error_code, principal_type, principal_name),
    KWI_VALUE(create_delegation_token_response, token_requester_principal_type, 3, KWI_LAST, 0, 0),
    KWI_VALUE(create_delegation_token_response, token_requester_principal_name, 3, KWI_LAST, 0, 0),
    KWI_EVER(create_delegation_token_response, issue_timestamp_ms, expiry_timestamp_ms,
             max_timestamp_ms, token_id, hmac, throttle_time_ms));
KWI_TABLE(renew_delegation_token_request, 1, 2, 2,
    KWI_EVER(renew_delegation_token_request, hmac, renew_period_ms));
KWI_TABLE(renew_delegation_token_response, 1, 2, 2,
    KWI_EVER(renew_delegation_token_response, error_code, expiry_timestamp_ms, throttle_time_ms));
KWI_TABLE(expire_delegation_token_request, 1, 2, 2,
    KWI_EVER(expire_delegation_token_request, hmac, expiry_time_period_ms));
KWI_TABLE(expire_delegation_token_response, 1, 2, 2,
    KWI_EVER(expire_delegation_token_response, error_code, expiry_timestamp_ms, throttle_time_ms));
KWI_TABLE(describe_delegation_token_request, 1, 3, 2,
    KWI_LIST(describe_delegation_token_request, owners, token_principal, 0, KWI_LAST, 0, 0, 0));
KWI_PART_TABLE(described_delegation_token,
    KWI_EVER(described_delegation_token, principal_type, principal_name),
    KWI_VALUE(described_delegation_token, token_requester_principal_type, 3, KWI_LAST, 0, 0),
    KWI_VALUE(described_delegation_token, token_requester_principal_name, 3, KWI_LAST, 0, 0),
    KWI_EVER(described_delegation_token, issue_timestamp, expiry_timestamp, max_timestamp, token_id,
             hmac),
    KWI_LIST_FROM(described_delegation_token, renewers, token_principal, 0));
KWI_TABLE(describe_delegation_token_response, 1, 3, 2,
    KWI_EVER(describe_delegation_token_response, error_code),
    KWI_LIST_FROM(describe_delegation_token_response, tokens, described_delegation_token, 0),
    KWI_EVER(describe_delegation_token_response, throttle_time_ms));
