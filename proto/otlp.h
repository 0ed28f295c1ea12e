/* proto/otlp.h -- the metrics inside PushTelemetry (KIP-714): OpenTelemetry's
 * MetricsData as protobuf, written only. The same bytes are an
 * ExportMetricsServiceRequest. */
#ifndef KWI_OTLP_H
#define KWI_OTLP_H
#include "proto/wire.h"

struct kw_otlp_attribute {
    struct kw_str key, value;
};

struct kw_otlp_point {
    uint64_t start_ns, time_ns; /* since 1970; start_ns 0: none, as gauges have */
    bool is_int;                /* as_int counts, not as_double */
    double as_double;
    int64_t as_int;
    const struct kw_otlp_attribute *attributes;
    size_t n_attributes;
};

enum kw_otlp_kind { KWI_OTLP_GAUGE, KWI_OTLP_SUM_DELTA, KWI_OTLP_SUM_CUMULATIVE };

struct kw_otlp_metric {
    struct kw_str name;
    enum kw_otlp_kind kind;
    bool is_monotonic; /* of a sum: it never falls */
    const struct kw_otlp_point *points;
    size_t n_points;
};

struct kw_otlp_metrics {
    const struct kw_otlp_attribute *attributes; /* of the client: client_rack, group_id ... */
    size_t n_attributes;
    struct kw_str scope_name, scope_version; /* empty or null: not written */
    const struct kw_otlp_metric *metrics;
    size_t n_metrics;
};

/* Appends the payload; no metrics are no bytes. All strings must be UTF-8. Returns
 * 0 or KW_ERR_SPACE (w->len is the size needed). */
int kwi_otlp_put(const struct kw_otlp_metrics *metrics, struct kw_wr *w) KW_MUST_USE;

#endif
