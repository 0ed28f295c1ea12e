/* proto/coordinator.c -- FindCoordinator, api key 10, versions 0 to 6.
 *
 * Which broker looks after a group or a transactional id. The address in the
 * answer counts, even if metadata does not list that node.
 *
 *   v1  key_type: groups and transactions (KIP-98); throttle_time_ms
 *   v2  brokers answer before they throttle (KIP-219)
 *   v3  flexible (KIP-482)
 *   v4  several keys at once (KIP-699)
 *   v5  TRANSACTION_ABORTABLE (KIP-890)
 *   v6  key_type 2, share groups; for brokers (KIP-932)
 */
#include "proto/coordinator.h"

/* clang-format off */
KWI_TABLE(find_coordinator_request, 0, 6, 3,
    KWI_VALUE(find_coordinator_request, key,      0, 3,        0, 0),
    KWI_VALUE(find_coordinator_request, key_type, 1, KWI_LAST, 0, 0),
    KWI_PLAIN(find_coordinator_request, coordinator_keys, str, 4, KWI_LAST, 0));
KWI_PART_TABLE(find_coordinator_response_coordinator,
    KWI_VALUE(find_coordinator_response_coordinator, key,           4, KWI_LAST, 0, 0),
    KWI_VALUE(find_coordinator_response_coordinator, node_id,       4, KWI_LAST, 0, 0),
    KWI_VALUE(find_coordinator_response_coordinator, host,          4, KWI_LAST, 0, 0),
    KWI_VALUE(find_coordinator_response_coordinator, port,          4, KWI_LAST, 0, 0),
    KWI_VALUE(find_coordinator_response_coordinator, error_code,    4, KWI_LAST, 0, 0),
    KWI_MAYBE(find_coordinator_response_coordinator, error_message, 4, KWI_LAST, 4, 0,
              KWI_IGNORABLE));
KWI_TABLE(find_coordinator_response, 0, 6, 3,
    KWI_VALUE(find_coordinator_response, throttle_time_ms, 1, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_VALUE(find_coordinator_response, error_code,       0, 3, 0, 0),
    KWI_MAYBE(find_coordinator_response, error_message,    1, 3, 1, 0, KWI_IGNORABLE),
    KWI_VALUE(find_coordinator_response, node_id,          0, 3, 0, 0),
    KWI_VALUE(find_coordinator_response, host,             0, 3, 0, 0),
    KWI_VALUE(find_coordinator_response, port,             0, 3, 0, 0),
    KWI_LIST_FROM(find_coordinator_response, coordinators,
                  find_coordinator_response_coordinator, 4));
