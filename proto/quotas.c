/* proto/quotas.c -- DescribeClientQuotas, api key 48, and AlterClientQuotas, api key
 * 49, versions 0 and 1 of both: how much a user, a client id or an address may use
 * before a broker throttles it (KIP-546). The only messages with floating point.
 *   v1  flexible (KIP-482)
 */
#include "proto/quotas.h"

/* clang-format off */
KWI_PART_TABLE(quota_entity,
    KWI_EVER(quota_entity, entity_type),
    KWI_MAYBE(quota_entity, entity_name, 0, KWI_LAST, 0, 0, 0));
KWI_PART_TABLE(describe_client_quotas_request_component,
    KWI_EVER(describe_client_quotas_request_component, entity_type, match_type),
    KWI_MAYBE(describe_client_quotas_request_component, match,       0, KWI_LAST, 0, 0, 0));
KWI_TABLE(describe_client_quotas_request, 0, 1, 1,
    KWI_LIST_FROM(describe_client_quotas_request, components,
                  describe_client_quotas_request_component, 0),
    KWI_EVER(describe_client_quotas_request, strict));
KWI_PART_TABLE(describe_client_quotas_response_value,
    KWI_EVER(describe_client_quotas_response_value, key, value));
KWI_PART_TABLE(describe_client_quotas_response_entry,
    KWI_LIST_FROM(describe_client_quotas_response_entry, entity, quota_entity, 0),
    KWI_LIST_FROM(describe_client_quotas_response_entry, values,
                  describe_client_quotas_response_value, 0));
KWI_TABLE(describe_client_quotas_response, 0, 1, 1,
    KWI_EVER(describe_client_quotas_response, throttle_time_ms, error_code),
    KWI_MAYBE(describe_client_quotas_response, error_message,    0, KWI_LAST, 0, 0, 0),
    KWI_LIST(describe_client_quotas_response, entries, describe_client_quotas_response_entry, 0,
             KWI_LAST, 0, 0, 0));
KWI_PART_TABLE(alter_client_quotas_request_op,
    KWI_EVER(alter_client_quotas_request_op, key, value, remove));
KWI_PART_TABLE(alter_client_quotas_request_entry,
    KWI_LIST_FROM(alter_client_quotas_request_entry, entity, quota_entity, 0),
    KWI_LIST_FROM(alter_client_quotas_request_entry, ops, alter_client_quotas_request_op, 0));
KWI_TABLE(alter_client_quotas_request, 0, 1, 1,
    KWI_LIST_FROM(alter_client_quotas_request, entries, alter_client_quotas_request_entry, 0),
    KWI_EVER(alter_client_quotas_request, validate_only));
KWI_PART_TABLE(alter_client_quotas_response_entry,
    KWI_EVER(alter_client_quotas_response_entry, error_code),
    KWI_MAYBE(alter_client_quotas_response_entry, error_message, 0, KWI_LAST, 0, 0, 0),
    KWI_LIST_FROM(alter_client_quotas_response_entry, entity, quota_entity, 0));
KWI_TABLE(alter_client_quotas_response, 0, 1, 1,
    KWI_EVER(alter_client_quotas_response, throttle_time_ms),
    KWI_LIST_FROM(alter_client_quotas_response, entries, alter_client_quotas_response_entry, 0));
