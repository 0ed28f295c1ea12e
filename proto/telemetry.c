/* proto/telemetry.c -- a client's own metrics for its broker (KIP-714). Only
 * brokers with a plugin that takes them list these APIs. All versions are
 * flexible.
 *
 * GetTelemetrySubscriptions, api key 71, version 0: which metrics, how often.
 * PushTelemetry, api key 72, version 0: the metrics.
 */
#include "proto/telemetry.h"

/* clang-format off */

KWI_TABLE(get_telemetry_subscriptions_request, 0, 0, 0,
    KWI_VALUE(get_telemetry_subscriptions_request, client_instance_id, 0, KWI_LAST, 0, 0));

KWI_TABLE(get_telemetry_subscriptions_response, 0, 0, 0,
    KWI_VALUE(get_telemetry_subscriptions_response, throttle_time_ms,    0, KWI_LAST, 0, 0),
    KWI_VALUE(get_telemetry_subscriptions_response, error_code,          0, KWI_LAST, 0, 0),
    KWI_VALUE(get_telemetry_subscriptions_response, client_instance_id,  0, KWI_LAST, 0, 0),
    KWI_VALUE(get_telemetry_subscriptions_response, subscription_id,     0, KWI_LAST, 0, 0),
    KWI_PLAIN(get_telemetry_subscriptions_response, accepted_compression_types, i8, 0, KWI_LAST, 0),
    KWI_VALUE(get_telemetry_subscriptions_response, push_interval_ms,    0, KWI_LAST, 0, 0),
    KWI_VALUE(get_telemetry_subscriptions_response, telemetry_max_bytes, 0, KWI_LAST, 0, 0),
    KWI_VALUE(get_telemetry_subscriptions_response, delta_temporality,   0, KWI_LAST, 0, 0),
    KWI_PLAIN(get_telemetry_subscriptions_response, requested_metrics, str, 0, KWI_LAST, 0));

KWI_TABLE(push_telemetry_request, 0, 0, 0,
    KWI_VALUE(push_telemetry_request, client_instance_id, 0, KWI_LAST, 0, 0),
    KWI_VALUE(push_telemetry_request, subscription_id,    0, KWI_LAST, 0, 0),
    KWI_VALUE(push_telemetry_request, terminating,        0, KWI_LAST, 0, 0),
    KWI_VALUE(push_telemetry_request, compression_type,   0, KWI_LAST, 0, 0),
    KWI_VALUE(push_telemetry_request, metrics,            0, KWI_LAST, 0, 0));

KWI_TABLE(push_telemetry_response, 0, 0, 0,
    KWI_VALUE(push_telemetry_response, throttle_time_ms, 0, KWI_LAST, 0, 0),
    KWI_VALUE(push_telemetry_response, error_code,       0, KWI_LAST, 0, 0));
