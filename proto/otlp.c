/* proto/otlp.c -- OpenTelemetry's MetricsData as protobuf, written only.
 *
 *   MetricsData    1 ResourceMetrics
 *   ResourceMetrics 1 Resource { 1 attributes }   2 ScopeMetrics
 *   ScopeMetrics   1 InstrumentationScope { 1 name, 2 version }   2 Metric
 *   Metric         1 name   5 Gauge { 1 points }   7 Sum { 1 points,
 *                  2 temporality, 3 monotonic }
 *   NumberDataPoint 2 start, 3 time (fixed64)   4 as_double   6 as_int (sfixed64)
 *                  7 attributes
 *   KeyValue       1 key   2 AnyValue { 1 string }
 *
 * A nested message stands behind its size, which is known when it is written:
 * it is then moved up by as many bytes as the size takes. So each byte is moved
 * at most once per level of nesting, of which there are seven.
 */
#include "proto/otlp.h"

enum { OTLP_FIXED64 = 1, OTLP_LEN = 2 }; /* wire types; 0: varint */
enum { OTLP_DELTA = 1, OTLP_CUMULATIVE = 2 };

typedef void otlp_write_fn(struct kw_wr *w, const void *what);

static void otlp_tag(struct kw_wr *w, unsigned field, unsigned wire_type)
{
    kwi_wr_uvarint(w, field << 3 | wire_type);
}

static void otlp_nested(struct kw_wr *w, unsigned field, otlp_write_fn *write, const void *what)
{
    uint8_t size[10];
    size_t at, n, size_len;
    otlp_tag(w, field, OTLP_LEN);
    at = w->len;
    write(w, what);
    n = w->len - at;
    size_len = (size_t)(kwi_put_uvarint(size, n) - size);
    if (!kwi_wr_room(w, size_len))
        return;
    memmove(w->buf + at + size_len, w->buf + at, n);
    memcpy(w->buf + at, size, size_len);
}

/* Protobuf leaves out what is empty or 0. */
static void otlp_string(struct kw_wr *w, unsigned field, struct kw_str text)
{
    if (text.len <= 0)
        return;
    otlp_tag(w, field, OTLP_LEN);
    kwi_wr_uvarint(w, (uint32_t)text.len);
    kwi_wr_put(w, text.ptr, (size_t)text.len);
}

static void otlp_fixed64(struct kw_wr *w, unsigned field, uint64_t value)
{
    otlp_tag(w, field, OTLP_FIXED64);
    for (unsigned i = 0; i < 8; i++)
        kwi_wr_u8(w, (uint8_t)(value >> 8 * i));
}

/* The text may be empty: its presence says which sort of value this is. */
static void otlp_put_value(struct kw_wr *w, const void *what)
{
    const struct kw_str *text = what;
    size_t len = text->len > 0 ? (size_t)text->len : 0;
    otlp_tag(w, 1, OTLP_LEN);
    kwi_wr_uvarint(w, len);
    kwi_wr_put(w, text->ptr, len);
}

static void otlp_put_attribute(struct kw_wr *w, const void *what)
{
    const struct kw_otlp_attribute *attribute = what;
    otlp_string(w, 1, attribute->key);
    otlp_nested(w, 2, otlp_put_value, &attribute->value);
}

static void otlp_put_point(struct kw_wr *w, const void *what)
{
    const struct kw_otlp_point *point = what;
    uint64_t bits;
    if (point->start_ns)
        otlp_fixed64(w, 2, point->start_ns);
    if (point->time_ns)
        otlp_fixed64(w, 3, point->time_ns);
    memcpy(&bits, &point->as_double, sizeof bits);
    if (point->is_int)
        otlp_fixed64(w, 6, (uint64_t)point->as_int);
    else
        otlp_fixed64(w, 4, bits);
    for (size_t i = 0; i < point->n_attributes; i++)
        otlp_nested(w, 7, otlp_put_attribute, &point->attributes[i]);
}

/* A Gauge or a Sum: both begin with their points. */
static void otlp_put_points(struct kw_wr *w, const void *what)
{
    const struct kw_otlp_metric *metric = what;
    for (size_t i = 0; i < metric->n_points; i++)
        otlp_nested(w, 1, otlp_put_point, &metric->points[i]);
    if (metric->kind == KWI_OTLP_GAUGE)
        return;
    otlp_tag(w, 2, 0);
    kwi_wr_u8(w, metric->kind == KWI_OTLP_SUM_DELTA ? OTLP_DELTA : OTLP_CUMULATIVE);
    if (metric->is_monotonic) {
        otlp_tag(w, 3, 0);
        kwi_wr_u8(w, 1);
    }
}

static void otlp_put_metric(struct kw_wr *w, const void *what)
{
    const struct kw_otlp_metric *metric = what;
    otlp_string(w, 1, metric->name);
    otlp_nested(w, metric->kind == KWI_OTLP_GAUGE ? 5 : 7, otlp_put_points, metric);
}

static void otlp_put_scope(struct kw_wr *w, const void *what)
{
    const struct kw_otlp_metrics *all = what;
    otlp_string(w, 1, all->scope_name);
    otlp_string(w, 2, all->scope_version);
}

static void otlp_put_scope_metrics(struct kw_wr *w, const void *what)
{
    const struct kw_otlp_metrics *all = what;
    if (all->scope_name.len > 0 || all->scope_version.len > 0)
        otlp_nested(w, 1, otlp_put_scope, all);
    for (size_t i = 0; i < all->n_metrics; i++)
        otlp_nested(w, 2, otlp_put_metric, &all->metrics[i]);
}

static void otlp_put_resource(struct kw_wr *w, const void *what)
{
    const struct kw_otlp_metrics *all = what;
    for (size_t i = 0; i < all->n_attributes; i++)
        otlp_nested(w, 1, otlp_put_attribute, &all->attributes[i]);
}

static void otlp_put_resource_metrics(struct kw_wr *w, const void *what)
{
    const struct kw_otlp_metrics *all = what;
    otlp_nested(w, 1, otlp_put_resource, all);
    otlp_nested(w, 2, otlp_put_scope_metrics, all);
}

int kwi_otlp_put(const struct kw_otlp_metrics *metrics, struct kw_wr *w)
{
    if (metrics->n_metrics)
        otlp_nested(w, 1, otlp_put_resource_metrics, metrics);
    return kwi_wr_status(w);
}
