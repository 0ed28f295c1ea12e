/* proto/telemetry.h -- a client's own metrics for its broker (KIP-714):
 * GetTelemetrySubscriptions (71), PushTelemetry (72). */
#ifndef KWI_TELEMETRY_H
#define KWI_TELEMETRY_H
#include "proto/schema.h"

struct kw_get_telemetry_subscriptions_request {
    struct kw_uuid client_instance_id; /* zero: the broker makes one */
};

struct kw_get_telemetry_subscriptions_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_uuid client_instance_id;
    int32_t subscription_id;                  /* goes into each push */
    struct kw_arr accepted_compression_types; /* of int8_t, as in batches; best first */
    int32_t push_interval_ms, telemetry_max_bytes;
    bool delta_temporality;          /* counters since the last push, not since the start */
    struct kw_arr requested_metrics; /* of struct kw_str: prefixes; "" all, no element none */
};
KWI_API(get_telemetry_subscriptions)

struct kw_push_telemetry_request {
    struct kw_uuid client_instance_id;
    int32_t subscription_id;
    bool terminating; /* the last one, allowed before the interval is over */
    int8_t compression_type;
    struct kw_blob metrics; /* OTLP MetricsData, see otlp.h; compressed */
};

struct kw_push_telemetry_response {
    int32_t throttle_time_ms;
    int16_t error_code;
};
KWI_API(push_telemetry)

#endif
