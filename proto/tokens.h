/* proto/tokens.h -- CreateDelegationToken (38), RenewDelegationToken (39),
 * ExpireDelegationToken (40) and DescribeDelegationToken (41).
 *
 * Principals are a type and a name, "User" and "alice". Timestamps are wall clock
 * milliseconds of the broker. The hmac is the token's secret. */
#ifndef KWI_TOKENS_H
#define KWI_TOKENS_H
#include "proto/schema.h"

/* An owner or a renewer of a token. */
struct kw_token_principal {
    struct kw_str principal_type, principal_name;
};
struct kw_create_delegation_token_request {
    struct kw_str owner_principal_type, owner_principal_name; /* v3+; null: the requester */
    struct kw_arr renewers;  /* of kw_token_principal, beside the owner */
    int64_t max_lifetime_ms; /* -1: the broker's */
};

struct kw_create_delegation_token_response {
    int16_t error_code;
    struct kw_str principal_type, principal_name;
    struct kw_str token_requester_principal_type, token_requester_principal_name; /* v3+ */
    int64_t issue_timestamp_ms, expiry_timestamp_ms, max_timestamp_ms;
    struct kw_str token_id;
    struct kw_blob hmac;
    int32_t throttle_time_ms;
};
KWI_API(create_delegation_token)

struct kw_renew_delegation_token_request {
    struct kw_blob hmac;
    int64_t renew_period_ms; /* -1: the broker's */
};

struct kw_renew_delegation_token_response {
    int16_t error_code;
    int64_t expiry_timestamp_ms;
    int32_t throttle_time_ms;
};
KWI_API(renew_delegation_token)

struct kw_expire_delegation_token_request {
    struct kw_blob hmac;
    int64_t expiry_time_period_ms; /* from now; negative: at once */
};

struct kw_expire_delegation_token_response {
    int16_t error_code;
    int64_t expiry_timestamp_ms;
    int32_t throttle_time_ms;
};
KWI_API(expire_delegation_token)

struct kw_describe_delegation_token_request {
    struct kw_arr owners; /* of kw_token_principal; null: all */
};

struct kw_described_delegation_token {
    struct kw_str principal_type, principal_name;
    struct kw_str token_requester_principal_type, token_requester_principal_name; /* v3+ */
    int64_t issue_timestamp, expiry_timestamp, max_timestamp;                     /* ms */
    struct kw_str token_id;
    struct kw_blob hmac;
    struct kw_arr renewers; /* of kw_token_principal */
};
struct kw_describe_delegation_token_response {
    int16_t error_code;
    struct kw_arr tokens; /* of kw_described_delegation_token */
    int32_t throttle_time_ms;
};
KWI_API(describe_delegation_token)

KWI_PARTS(token_principal, described_delegation_token)

#endif
