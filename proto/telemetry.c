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
    KWI_EVER(get_telemetry_subscriptions_request, client_instance_id));
KWI_TABLE(get_telemetry_subscriptions_response, 0, 0, 0,
    KWI_EVER(get_telemetry_subscriptions_response, throttle_time_ms, error_code, client_instance_id,
             subscription_id),
    KWI_PLAIN(get_telemetry_subscriptions_response, accepted_compression_types, i8, 0, KWI_LAST, 0),
    KWI_EVER(get_telemetry_subscriptions_response, push_interval_ms, telemetry_max_bytes,
             delta_temporality),
    KWI_PLAIN(get_telemetry_subscriptions_response, requested_metrics, str, 0, KWI_LAST, 0));
KWI_TABLE(push_telemetry_request, 0, 0, 0,
    KWI_EVER(push_telemetry_request, client_instance_id, subscription_id, terminating,
             compression_type, metrics));
KWI_TABLE(push_telemetry_response, 0, 0, 0,
    KWI_EVER(push_telemetry_response, throttle_time_ms, error_code));
