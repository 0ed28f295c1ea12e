/* bench/sink.c -- a broker of one node that counts and checks.
 *
 * It serves old versions of each API (sink_apis), because those have no tag sections
 * and the few fields are quickly read by hand. Which version carries the batches makes
 * no difference to the work per record. It says that it has all versions below as
 * well, because librdkafka looks for old ones, and ends the program when one of them
 * is used. */
#include "bench/sink.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load.h"

#define SINK_BATCH_HEADER 61
#define SINK_TIMESTAMP INT64_C(1700000000000)

void sink_die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(stderr, "bench: ");
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

/* ---- bytes ---------------------------------------------------------------- */

void sink_buf_reserve(struct sink_buf *buf, size_t len)
{
    if (buf->cap - buf->len >= len)
        return;
    buf->cap = (buf->len + len) * 2;
    buf->ptr = realloc(buf->ptr, buf->cap);
    if (!buf->ptr)
        sink_die("out of memory");
}

void sink_buf_put(struct sink_buf *buf, const void *ptr, size_t len)
{
    sink_buf_reserve(buf, len);
    if (len > 0)
        memcpy(buf->ptr + buf->len, ptr, len);
    buf->len += len;
}

static void sink_set_int(uint8_t *at, size_t size, int64_t number)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)((uint64_t)number >> (8 * (size - 1 - i)));
}

static void sink_put_int(struct sink_buf *buf, size_t size, int64_t number)
{
    sink_buf_reserve(buf, size);
    sink_set_int(buf->ptr + buf->len, size, number);
    buf->len += size;
}

static void sink_put_string(struct sink_buf *buf, const char *text)
{
    sink_put_int(buf, 2, (int64_t)strlen(text));
    sink_buf_put(buf, text, strlen(text));
}

static void sink_put_varint(struct sink_buf *buf, int64_t number)
{
    uint64_t rest = (uint64_t)number << 1 ^ (number < 0 ? UINT64_MAX : 0);

    for (; rest >= 0x80; rest >>= 7)
        sink_put_int(buf, 1, (int64_t)(rest & 0x7f) | 0x80);
    sink_put_int(buf, 1, (int64_t)rest);
}

struct sink_reader {
    const uint8_t *ptr, *end;
};

static const uint8_t *sink_take(struct sink_reader *reader, int64_t len)
{
    const uint8_t *at = reader->ptr;

    if (len < 0 || len > reader->end - reader->ptr)
        sink_die("a request ends inside a field");
    reader->ptr += len;
    return at;
}

static int64_t sink_get_int(struct sink_reader *reader, size_t size)
{
    const uint8_t *at = sink_take(reader, (int64_t)size);
    int64_t number = (int8_t)at[0];

    for (size_t i = 1; i < size; i++)
        number = (int64_t)((uint64_t)number << 8 | at[i]);
    return number;
}

static int64_t sink_get_varint(struct sink_reader *reader)
{
    uint64_t number = 0;
    unsigned shift = 0;
    uint8_t byte;

    do {
        byte = *sink_take(reader, 1);
        number |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80 && shift < 64);
    return (int64_t)(number >> 1) ^ -(int64_t)(number & 1);
}

static void sink_skip_string(struct sink_reader *reader)
{
    int64_t len = sink_get_int(reader, 2);

    sink_take(reader, len < 0 ? 0 : len);
}

static int32_t sink_get_partition(struct sink *sink, struct sink_reader *reader)
{
    int64_t partition = sink_get_int(reader, 4);

    if (partition < 0 || partition >= sink->n_partitions)
        sink_die("a request for partition %lld", (long long)partition);
    return (int32_t)partition;
}

const struct kw_codec *sink_codec(const char *name)
{
    if (strcmp(name, "none") == 0)
        return NULL;
    for (int id = 1; id < KW_CODEC_IDS; id++) {
        const struct kw_codec *codec = kw_codec_by_id(id);
        if (codec && strcmp(codec->name, name) == 0)
            return codec;
    }
    sink_die("codec %s is unknown or not built in", name);
}

/* ---- produce --------------------------------------------------------------- */

/* Every record must carry the number that follows the one before it: their
 * values begin with it, in native byte order. Only of one partition can the
 * numbers be followed. */
static void sink_verify(struct sink *sink, const uint8_t *batch, size_t len, int64_t n,
                        int64_t base)
{
    struct sink_reader reader = {batch + 17, batch + len};
    uint32_t crc = (uint32_t)sink_get_int(&reader, 4);

    if (crc != sink->crc32c(0, batch + 21, len - 21))
        sink_die("a batch has a wrong CRC");
    reader.ptr = batch + SINK_BATCH_HEADER;
    for (int64_t i = 0; i < n; i++) {
        uint64_t number;
        int64_t size = sink_get_varint(&reader);
        struct sink_reader record = {reader.ptr, reader.ptr + size};
        sink_take(&reader, size);
        sink_take(&record, 1);
        (void)sink_get_varint(&record);
        if (sink_get_varint(&record) != i)
            sink_die("offset delta of record %lld", (long long)i);
        int64_t key_len = sink_get_varint(&record);
        sink_take(&record, key_len < 0 ? 0 : key_len);
        int64_t value_len = sink_get_varint(&record);
        memcpy(&number, sink_take(&record, value_len), sizeof(number));
        if (sink->n_partitions == 1 && number != (uint64_t)(base + i))
            sink_die("record %llu where %lld is due", (unsigned long long)number,
                     (long long)(base + i));
        if (sink_get_varint(&record) != 0 || record.ptr != record.end)
            sink_die("headers, or bytes after the record");
    }
    if (reader.ptr != reader.end)
        sink_die("bytes after the last record");
}

/* Returns the base offset. */
static int64_t sink_append(struct sink *sink, int32_t partition, const uint8_t *batch, size_t len)
{
    struct sink_reader reader = {batch, batch + len};
    int64_t base = sink->log_end[partition];

    sink_take(&reader, 8);
    if (sink_get_int(&reader, 4) != (int64_t)len - 12)
        sink_die("batch length");
    sink_take(&reader, 9);
    int64_t codec = sink_get_int(&reader, 2) & 7, last = sink_get_int(&reader, 4);
    sink_take(&reader, 26);
    int64_t sequence = sink_get_int(&reader, 4), n = sink_get_int(&reader, 4);
    if (n < 1 || last != n - 1)
        sink_die("record count");
    /* One record alone may be smaller without. */
    if (codec != sink->codec && n > 1)
        sink_die("a batch with codec %lld, not %d", (long long)codec, sink->codec);
    /* One producer from its beginning. */
    int64_t due = (int64_t)(sink->n_of[partition] & INT32_MAX);
    if (sequence >= 0 && sequence != due)
        sink_die("sequence %lld where %lld is due", (long long)sequence, (long long)due);
    if (sink->verify)
        sink_verify(sink, batch, len, n, base);
    sink->log_end[partition] = base + n;
    sink->n_of[partition] += (uint64_t)n;
    sink->n_produced += (uint64_t)n;
    sink->n_batches++;
    sink->n_bytes += len;
    return base;
}

static void sink_produce(struct sink *sink, int64_t version, struct sink_reader *reader,
                         struct sink_buf *out)
{
    sink->n_requests++;
    sink_skip_string(reader);
    if (sink_get_int(reader, 2) == 0)
        sink_die("acks=0");
    sink_take(reader, 4);
    int64_t n_topics = sink_get_int(reader, 4);
    sink_put_int(out, 4, n_topics);
    while (n_topics-- > 0) {
        sink_skip_string(reader);
        sink_put_string(out, SINK_TOPIC);
        int64_t n_partitions = sink_get_int(reader, 4);
        sink_put_int(out, 4, n_partitions);
        while (n_partitions-- > 0) {
            int32_t partition = sink_get_partition(sink, reader);
            int64_t len = sink_get_int(reader, 4);
            int64_t base = sink_append(sink, partition, sink_take(reader, len), (size_t)len);
            sink_put_int(out, 4, partition);
            sink_put_int(out, 2, 0);
            sink_put_int(out, 8, base);
            sink_put_int(out, 8, -1); /* log append time */
            sink_put_int(out, 8, 0);  /* log start */
            if (version < 8)
                continue;
            sink_put_int(out, 4, 0);  /* record errors */
            sink_put_int(out, 2, -1); /* message */
        }
    }
    sink_put_int(out, 4, 0);
}

/* ---- fetch ----------------------------------------------------------------- */

static void sink_put_record(struct sink_buf *batch, uint32_t number, const uint8_t *value,
                            size_t value_size)
{
    struct sink_buf body = {0};

    sink_put_int(&body, 1, 0);
    sink_put_varint(&body, 0);
    sink_put_varint(&body, number);
    sink_put_varint(&body, -1);
    sink_put_varint(&body, (int64_t)value_size);
    sink_buf_put(&body, value, value_size);
    sink_put_varint(&body, 0);
    sink_put_varint(batch, (int64_t)body.len);
    sink_buf_put(batch, body.ptr, body.len);
    free(body.ptr);
}

/* Replaces the records behind the header by their compressed form. */
static void sink_compress(struct sink_buf *batch, const struct kw_codec *codec)
{
    size_t len = batch->len - SINK_BATCH_HEADER, cap = codec->bound(len), out_len = 0;
    size_t ctx_size = codec->encoder_size(codec->level_default, len);
    struct kw_codec_ctx *ctx = malloc(ctx_size);
    uint8_t *out = malloc(cap);
    struct kw_iov iov = {batch->ptr + SINK_BATCH_HEADER, len};
    int rc = 1;

    if (!ctx || !out || codec->encoder_init(ctx, ctx_size, codec->level_default, len))
        sink_die("no encoder for %s", codec->name);
    codec->encode_begin(ctx, &iov, 1);
    while (rc == 1)
        rc = codec->encode_step(ctx, out, cap, len, &out_len);
    if (rc)
        sink_die("%s cannot compress the batch", codec->name);
    batch->len = SINK_BATCH_HEADER;
    sink_buf_put(batch, out, out_len);
    sink_set_int(batch->ptr + 21, 2, codec->id);
    free(out);
    free(ctx);
}

void sink_store(struct sink *sink, uint64_t n, uint32_t batch_records, size_t value_size,
                const struct kw_codec *codec)
{
    struct sink_buf *batch = &sink->batch;
    struct load_values values;

    if (value_size < sizeof(uint64_t) || n % batch_records)
        sink_die("records must fill batches of %u and have 8 bytes", batch_records);
    load_values_init(&values, value_size);
    sink->n_stored = n;
    sink->batch_records = batch_records;
    for (int32_t i = 0; i < sink->n_partitions; i++)
        sink->log_end[i] = (int64_t)n;
    sink_put_int(batch, 8, 0);
    sink_put_int(batch, 4, 0);
    sink_put_int(batch, 4, 0); /* leader epoch */
    sink_put_int(batch, 1, 2);
    sink_put_int(batch, 4, 0);
    sink_put_int(batch, 2, 0);
    sink_put_int(batch, 4, batch_records - 1);
    sink_put_int(batch, 8, SINK_TIMESTAMP);
    sink_put_int(batch, 8, SINK_TIMESTAMP);
    sink_put_int(batch, 8, -1);
    sink_put_int(batch, 2, -1);
    sink_put_int(batch, 4, -1);
    sink_put_int(batch, 4, batch_records);
    for (uint32_t i = 0; i < batch_records; i++)
        sink_put_record(batch, i, load_value(&values, i), value_size);
    load_values_deinit(&values);
    if (codec)
        sink_compress(batch, codec);
    sink_set_int(batch->ptr + 8, 4, (int64_t)batch->len - 12);
    sink_set_int(batch->ptr + 17, 4, sink->crc32c(0, batch->ptr + 21, batch->len - 21));
}

/* The batches from offset on that fit; one at least if `forced`. The base offset,
 * which the CRC does not cover, makes each a new one. Returns their size. */
static int64_t sink_put_batches(struct sink *sink, int64_t offset, int64_t size_max, bool forced,
                                struct sink_buf *out)
{
    size_t size_at = out->len;
    int64_t base = offset - offset % sink->batch_records, size = 0;

    sink_put_int(out, 4, 0);
    while (base < (int64_t)sink->n_stored &&
           ((size == 0 && forced) || size + (int64_t)sink->batch.len <= size_max)) {
        sink_set_int(sink->batch.ptr, 8, base);
        sink_buf_put(out, sink->batch.ptr, sink->batch.len);
        size += (int64_t)sink->batch.len;
        base += sink->batch_records;
    }
    sink_set_int(out->ptr + size_at, 4, size);
    return size;
}

/* Which parts a request is about: all of them, or what is new within the session. */
static struct sink_session *sink_read_session(struct sink *sink, struct sink_reader *reader)
{
    struct sink_session *session = &sink->session;
    int64_t id = sink_get_int(reader, 4), epoch = sink_get_int(reader, 4);

    if (epoch > 0) {
        if (id != session->id || epoch != session->epoch)
            sink_die("epoch %lld of session %lld: it is not there", (long long)epoch,
                     (long long)id);
        session->epoch++;
        return session;
    }
    sink_session_begin(session, epoch == 0); /* -1: no session is wanted */
    return session;
}

static void sink_read_parts(struct sink *sink, struct sink_reader *reader,
                            struct sink_session *session)
{
    for (int64_t n_topics = sink_get_int(reader, 4); n_topics > 0; n_topics--) {
        sink_skip_string(reader);
        for (int64_t n = sink_get_int(reader, 4); n > 0; n--) {
            int32_t partition = sink_get_partition(sink, reader);
            sink_take(reader, 4); /* leader epoch */
            int64_t offset = sink_get_int(reader, 8);
            sink_take(reader, 8);
            if (offset < 0 || offset > sink->log_end[partition])
                sink_die("a fetch at offset %lld", (long long)offset);
            sink_session_name(session, partition, offset, sink_get_int(reader, 4));
        }
    }
    for (int64_t n_topics = sink_get_int(reader, 4); n_topics > 0; n_topics--) {
        sink_skip_string(reader);
        for (int64_t n = sink_get_int(reader, 4); n > 0; n--)
            sink_session_forget(session, sink_get_partition(sink, reader));
    }
}

/* One part of the answer. Returns the size of its records. */
static int64_t sink_put_part(struct sink *sink, int32_t partition, int64_t size_max, bool forced,
                             struct sink_buf *out)
{
    sink_put_int(out, 4, partition);
    sink_put_int(out, 2, 0);
    sink_put_int(out, 8, sink->log_end[partition]); /* high watermark */
    sink_put_int(out, 8, sink->log_end[partition]); /* last stable offset */
    sink_put_int(out, 8, 0);
    sink_put_int(out, 4, -1); /* no aborted transactions */
    sink_put_int(out, 4, -1); /* no preferred replica */
    if (!sink->batch_records) {
        sink_put_int(out, 4, 0);
        return 0;
    }
    return sink_put_batches(sink, sink->session.asks[partition].offset, size_max, forced, out);
}

/* As a broker does it: within a session, parts without records are left out, and
 * those with records are the last ones of the next answer. */
static void sink_fetch(struct sink *sink, struct sink_reader *reader, struct sink_buf *out)
{
    struct sink_session *session;
    int32_t order[SINK_PARTITIONS_MAX], n_parts = 0;

    sink->n_requests++;
    sink_take(reader, 12);
    int64_t size_max = sink_get_int(reader, 4), size_left = size_max;
    sink_take(reader, 1);
    session = sink_read_session(sink, reader);
    bool all = session->epoch <= 1;
    sink_read_parts(sink, reader, session);
    sink_put_int(out, 4, 0);
    sink_put_int(out, 2, 0);
    sink_put_int(out, 4, session->id);
    sink_put_int(out, 4, 1);
    sink_put_string(out, SINK_TOPIC);
    size_t n_at = out->len;
    sink_put_int(out, 4, 0);
    int32_t n_asked = session->n;
    memcpy(order, session->order, sizeof(order));
    for (int32_t i = 0; i < n_asked; i++) {
        const struct sink_ask *ask = &session->asks[order[i]];
        int64_t most = ask->size_max < size_left ? ask->size_max : size_left;
        size_t len = out->len;
        int64_t size = sink_put_part(sink, order[i], most, size_left == size_max, out);
        size_left -= size;
        if (size > 0)
            sink_session_rotate(session, order[i]);
        if (size > 0 || all)
            n_parts++;
        else
            out->len = len;
    }
    sink_set_int(out->ptr + n_at, 4, n_parts);
}

/* ---- the other requests ----------------------------------------------------- */

/* FindCoordinator (10) is offered and not served: librdkafka takes a broker that
 * lacks it for one that cannot read lz4, and sends plain batches in silence. */
static const struct {
    int16_t api, min, max; /* served */
} sink_apis[] = {{0, 7, 8}, {1, 11, 11}, {2, 2, 5}, {3, 4, 8}, {10, 0, 0}, {22, 1, 1}};
static const size_t sink_n_apis = sizeof(sink_apis) / sizeof(sink_apis[0]);

static void sink_check_version(int64_t api, int64_t version)
{
    for (size_t i = 0; i < sink_n_apis; i++)
        if (sink_apis[i].api == api && (version < sink_apis[i].min || version > sink_apis[i].max))
            sink_die("a request of API %lld in version %lld, %d to %d are served", (long long)api,
                     (long long)version, sink_apis[i].min, sink_apis[i].max);
}

static void sink_versions(int64_t version, struct sink_buf *out)
{
    if (version > 0) {
        /* Error 35 with the range of ApiVersions alone, in the form of version 0. */
        sink_put_int(out, 2, 35);
        sink_put_int(out, 4, 1);
        sink_put_int(out, 2, 18);
        sink_put_int(out, 4, 0);
        return;
    }
    sink_put_int(out, 2, 0);
    sink_put_int(out, 4, (int64_t)sink_n_apis + 1);
    sink_put_int(out, 2, 18);
    sink_put_int(out, 4, 0);
    for (size_t i = 0; i < sink_n_apis; i++) {
        sink_put_int(out, 2, sink_apis[i].api);
        sink_put_int(out, 2, 0);
        sink_put_int(out, 2, sink_apis[i].max);
    }
}

static void sink_metadata(const struct sink *sink, int64_t version, struct sink_buf *out)
{
    sink_put_int(out, 4, 0);
    sink_put_int(out, 4, 1);
    sink_put_int(out, 4, 1); /* node 1 */
    sink_put_string(out, "127.0.0.1");
    sink_put_int(out, 4, sink->port);
    sink_put_int(out, 2, -1);
    sink_put_string(out, "sink");
    sink_put_int(out, 4, 1);
    sink_put_int(out, 4, 1);
    sink_put_int(out, 2, 0);
    sink_put_string(out, SINK_TOPIC);
    sink_put_int(out, 1, 0);
    sink_put_int(out, 4, sink->n_partitions);
    for (int32_t i = 0; i < sink->n_partitions; i++) {
        sink_put_int(out, 2, 0);
        sink_put_int(out, 4, i);
        sink_put_int(out, 4, 1);
        if (version >= 7)
            sink_put_int(out, 4, 0);           /* leader epoch */
        for (int list = 0; list < 2; list++) { /* replicas, in sync */
            sink_put_int(out, 4, 1);
            sink_put_int(out, 4, 1);
        }
        if (version >= 5)
            sink_put_int(out, 4, 0); /* offline */
    }
    for (int list = 0; version >= 8 && list < 2; list++)
        sink_put_int(out, 4, INT32_MIN); /* allowed operations */
}

static void sink_list_offsets(struct sink *sink, int64_t version, struct sink_reader *reader,
                              struct sink_buf *out)
{
    sink_take(reader, 5);
    sink_put_int(out, 4, 0);
    int64_t n_topics = sink_get_int(reader, 4);
    sink_put_int(out, 4, n_topics);
    while (n_topics-- > 0) {
        sink_skip_string(reader);
        sink_put_string(out, SINK_TOPIC);
        int64_t n_partitions = sink_get_int(reader, 4);
        sink_put_int(out, 4, n_partitions);
        while (n_partitions-- > 0) {
            int32_t partition = sink_get_partition(sink, reader);
            sink_take(reader, version >= 4 ? 4 : 0); /* leader epoch */
            int64_t timestamp = sink_get_int(reader, 8);
            sink_put_int(out, 4, partition);
            sink_put_int(out, 2, 0);
            sink_put_int(out, 8, -1);
            sink_put_int(out, 8, timestamp == -1 ? sink->log_end[partition] : 0);
            if (version >= 4)
                sink_put_int(out, 4, 0);
        }
    }
}

void sink_answer(struct sink *sink, const uint8_t *frame, size_t len, struct sink_buf *out)
{
    struct sink_reader reader = {frame, frame + len};
    int64_t api = sink_get_int(&reader, 2), version = sink_get_int(&reader, 2);
    size_t size_at = out->len;

    sink_put_int(out, 4, 0);
    sink_put_int(out, 4, sink_get_int(&reader, 4)); /* correlation id */
    sink_skip_string(&reader);
    sink_check_version(api, version);
    switch (api) {
    case 0: sink_produce(sink, version, &reader, out); break;
    case 1: sink_fetch(sink, &reader, out); break;
    case 2: sink_list_offsets(sink, version, &reader, out); break;
    case 3: sink_metadata(sink, version, out); break;
    case 18: sink_versions(version, out); break;
    case 22:
        sink_put_int(out, 4, 0);
        sink_put_int(out, 2, 0);
        sink_put_int(out, 8, 4711);
        sink_put_int(out, 2, 0);
        break;
    default: sink_die("a request of API %lld", (long long)api);
    }
    sink_set_int(out->ptr + size_at, 4, (int64_t)(out->len - size_at) - 4);
}

void sink_init(struct sink *sink, sink_crc_fn *crc32c, int32_t n_partitions)
{
    *sink = (struct sink){.crc32c = crc32c, .n_partitions = n_partitions, .port = 9092};
}

void sink_deinit(struct sink *sink)
{
    free(sink->batch.ptr);
}
