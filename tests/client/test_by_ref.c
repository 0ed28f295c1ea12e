/* Values by reference: what goes over the wire is what copied values give, and nobody
 * looks at a value once its report was taken. Each value is overwritten and freed right
 * then, and the pair checks that lent bytes stay as they were (tests/sim/pair.h).
 *
 * covers: P14 P15 P17 I9 */
#include "client/core.h"
#include "client/link.h"
#include "proto/api.h"
#include "proto/batch.h"
#include "proto/header.h"
#include "proto/produce.h"
#include "tests/sim/pair.h"

#include <criterion/criterion.h>
#include <kwire/codec.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES_MAX = 600, BATCHES_MAX = 80 };

struct loan {
    uint8_t *value; /* NULL: given back */
    size_t len;
    int outcome; /* -1: not reported */
};

static struct {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct loan loans[VALUES_MAX];
    uint32_t n_made, n_reported, n_of[3], n_op_done, n_receipts;
    uint32_t receipt_first, receipt_n; /* what a receipt tells of */
    bool done, keep;                   /* keep: values stay when they are reported */
    uint8_t *batches[BATCHES_MAX];
    size_t lens[BATCHES_MAX];
    uint32_t n_batches;
} bed;

static void give_back(uint32_t id)
{
    struct loan *loan = &bed.loans[id];
    if (bed.keep || !loan->value)
        return;
    memset(loan->value, 0xd7, loan->len);
    free(loan->value);
    loan->value = NULL;
}

static void on_event(void *ctx, const struct kw_event *event)
{
    const struct kw_report *report = &event->report;
    (void)ctx;
    bed.n_op_done += event->kind == KW_EVENT_OP_DONE;
    if (event->kind == KW_EVENT_RECEIPT) {
        bed.n_receipts++;
        for (uint32_t i = 0; i < bed.receipt_n; i++)
            give_back(bed.receipt_first + i);
    }
    if (event->kind != KW_EVENT_REPORT)
        return;
    for (uint32_t i = 0; i < report->n; i++) {
        uint32_t id = (uint32_t)(uintptr_t)kw_report_opaque(report, i) - 1;
        cr_assert_lt(id, bed.n_made);
        cr_assert_eq(bed.loans[id].outcome, -1, "%u is reported twice", id);
        bed.loans[id].outcome = report->outcome;
        give_back(id);
    }
    bed.n_reported += report->n;
    bed.n_of[report->outcome] += report->n;
    bed.done = bed.n_reported == bed.n_made;
}

static void on_request(void *ctx, const uint8_t *frame, size_t len)
{
    struct kw_request_header header;
    struct kw_produce_request msg;
    struct kw_produce_request_topic topic;
    struct kw_produce_request_partition part;
    struct kw_iter topics, parts;
    struct kw_fault fault;
    size_t body;
    (void)ctx;
    if (kwi_get_u16(frame) != KW_API_PRODUCE)
        return;
    cr_assert_eq(kwi_request_header_get(frame, len, &header, &body), 0);
    cr_assert_eq(
        kwi_produce_request_decode(&msg, header.api_version, frame + body, len - body, &fault), 0);
    for (kwi_iter_init(&topics, &msg.topic_data); kwi_iter_next(&topics, &topic);) {
        for (kwi_iter_init(&parts, &topic.partition_data); kwi_iter_next(&parts, &part);) {
            cr_assert_lt(bed.n_batches, BATCHES_MAX);
            size_t size = (size_t)part.records.len;
            uint8_t *copy = malloc(size);
            cr_assert_not_null(copy);
            memcpy(copy, part.records.ptr, size);
            bed.lens[bed.n_batches] = size;
            bed.batches[bed.n_batches++] = copy;
        }
    }
}

static const char *const quick[] = {"linger.ms=0", "batch.size=200000", NULL};

static void begin_with(const char *control, const char *const *own)
{
    const char *const usual[] = {"request.timeout.ms=1000",
                                 "retry.backoff.ms=10",
                                 "retry.backoff.max.ms=100",
                                 "reconnect.backoff.ms=10",
                                 "reconnect.backoff.max.ms=100",
                                 "memory.limit=40000000",
                                 "buffer.memory=8000000",
                                 control,
                                 NULL};
    struct kw_config *cfg = NULL;
    struct kw_error err;
    bool never = false;
    memset(&bed, 0, sizeof(bed));
    for (int i = 0; i < VALUES_MAX; i++)
        bed.loans[i].outcome = -1;
    cr_assert_eq(sim_pair_init(&bed.pair, SIM_MEMORY_PLAIN, 1, 1), 0);
    bed.pair.on_event = on_event;
    bed.pair.on_request = on_request;
    cr_assert_eq(sim_pair_core(&bed.pair, usual, NULL), 0);
    cr_assert_eq(sim_pair_config(&bed.pair, &cfg, own), 0);
    cr_assert_eq(kw_core_producer_create(&bed.producer, bed.pair.core, cfg, &err), 0, "%s",
                 err.text);
    kw_config_destroy(cfg);
    cr_assert_eq(kw_core_topic_open(&bed.topic, bed.producer, "t", NULL), 0);
    for (int i = 0; i < 100 && kw_topic_partitions(bed.topic) == 0; i++)
        sim_pair_run(&bed.pair, &never, 20);
}

static void end(void)
{
    cr_assert(!bed.pair.broken, "%s", bed.pair.why);
    kw_core_destroy(bed.pair.core);
    bed.pair.core = NULL;
    cr_assert_eq(bed.pair.memory.n_live, 0);
    sim_pair_deinit(&bed.pair);
    for (uint32_t i = 0; i < bed.n_batches; i++)
        free(bed.batches[i]);
    for (uint32_t i = 0; i < bed.n_made; i++)
        free(bed.loans[i].value);
}

static void begin(const char *const *own)
{
    begin_with("control.memory=8000000", own);
}

/* A record whose bytes follow from its number, in a block of its own size. */
static int make_of(struct kw_record *record, size_t len)
{
    struct loan *loan = &bed.loans[bed.n_made];
    cr_assert_lt(bed.n_made, VALUES_MAX);
    *loan = (struct loan){malloc(len ? len : 1), len, -1};
    cr_assert_not_null(loan->value);
    for (size_t i = 0; i < len; i++)
        loan->value[i] = (uint8_t)(bed.n_made * 31 + i * 7 + (i >> 8));
    record->value = (struct kw_bytes){loan->value, len};
    record->flags |= KW_REC_PARTITION;
    record->opaque = (void *)(uintptr_t)(bed.n_made + 1);
    bed.done = false;
    bed.n_made++;
    int rc = kw_core_produce(bed.topic, record);
    sim_pair_called(&bed.pair);
    if (rc >= 0)
        return 0;
    free(loan->value); /* nothing of it is kept */
    loan->value = NULL;
    bed.n_made--;
    return rc;
}

static void make(size_t len)
{
    struct kw_record record = {.flags = KW_REC_BY_REF};
    int rc = make_of(&record, len);
    cr_assert_eq(rc, 0, "%s", kw_err_name(rc));
}

static void all_delivered(void)
{
    cr_assert(sim_pair_run(&bed.pair, &bed.done, 20000));
    cr_assert_eq(bed.n_of[KW_DELIVERED], bed.n_made);
}

static void warm_up(void)
{
    make(10);
    all_delivered();
}

/* ---- the same bytes ------------------------------------------------------------------ */

/* Values around the shortest that is lent, keys and headers that move the place of the
 * value over each end of a chunk, all kinds in one batch. */
static void make_mixture(uint32_t flags, uint32_t shift)
{
    static uint8_t bytes[6000];
    static const size_t lens[] = {0, 1, 2047, 2048, 2049, 5000, 100, 16384, 3000, 40000};
    struct kw_header headers[2] = {{.key = {"h", 1}, .value = {bytes, 10}}, {.key = {"", 0}}};
    for (uint32_t i = 0; i < 40; i++) {
        struct kw_record record = {.flags = i % 7 == 3 ? 0 : flags};
        size_t key_len = (i * 37 + shift * 8) % (i % 5 == 4 ? 5000 : 600);
        if (i % 3)
            record.key = (struct kw_bytes){bytes, key_len};
        if (i % 4 == 1) {
            headers[0].value.len = (shift * 16 + i) % 5900;
            record.headers = headers;
            record.n_headers = 2;
        }
        if (i % 6 == 5) {
            record.flags |= KW_REC_TIMESTAMP;
            record.timestamp_ms = bed.pair.now.wall_ms + i;
        }
        int rc = make_of(&record, lens[i % 10]);
        cr_assert_eq(rc, 0, "%s", kw_err_name(rc));
    }
}

Test(by_ref, the_wire_has_the_same_bytes_as_for_copied_values)
{
    for (uint32_t shift = 0; shift < 60; shift++) {
        uint8_t *batches[BATCHES_MAX] = {0};
        size_t lens[BATCHES_MAX] = {0};
        uint32_t n = 0;
        for (uint32_t by_ref = 0; by_ref < 2; by_ref++) {
            begin(quick);
            warm_up();
            make_mixture(by_ref ? KW_REC_BY_REF : 0, shift);
            all_delivered();
            if (by_ref) {
                cr_assert_eq(bed.n_batches, n);
                for (uint32_t i = 1; i < n; i++) {
                    cr_assert_eq(bed.lens[i], lens[i]);
                    cr_assert_arr_eq(bed.batches[i], batches[i], lens[i], "shift %u batch %u",
                                     shift, i);
                }
            } else {
                n = bed.n_batches;
                memcpy(batches, bed.batches, sizeof(batches));
                memcpy(lens, bed.lens, sizeof(lens));
                bed.n_batches = 0; /* ours now */
            }
            end();
        }
        for (uint32_t i = 0; i < n; i++)
            free(batches[i]);
    }
}

static void fault(const char *spec)
{
    struct kw_mock_fault parsed;
    const char *why = NULL;
    cr_assert_eq(kwi_mock_fault_parse(spec, &parsed, &why), 0, "%s", why);
    cr_assert_eq(kwi_mock_fault_add(bed.pair.mock, &parsed, NULL), 0);
}

Test(by_ref, a_resend_is_the_same_bytes)
{
    begin(quick);
    fault("produce:2:drop-answer");
    fault("produce:3:close-before");
    fault("produce:4:error=6");
    warm_up();
    for (int i = 0; i < 9; i++)
        make(20000);
    all_delivered();
    cr_assert_eq(bed.n_batches, 5);
    for (uint32_t i = 2; i < 5; i++) {
        cr_assert_eq(bed.lens[i], bed.lens[1]);
        cr_assert_arr_eq(bed.batches[i], bed.batches[1], bed.lens[1]);
    }
    end();
}

/* ---- when a value is free ------------------------------------------------------------- */

/* The broker has answered; the driver has not said that it is done with the bytes. */
Test(by_ref, an_answer_is_not_told_while_the_driver_holds_the_value)
{
    begin(quick);
    warm_up();
    make(50000);
    bed.pair.hold_writes = true;
    for (int i = 0; i < 10; i++)
        sim_pair_step(&bed.pair, 10000);
    cr_assert_eq(bed.n_batches, 2, "the broker has it");
    cr_assert_eq(bed.n_reported, 1, "and the driver too, still");
    cr_assert_eq(kw_producer_outstanding(bed.producer), 0, "the answer is there");
    bed.pair.hold_writes = false;
    sim_pair_confirm(&bed.pair);
    all_delivered();
    end();
}

/* It expires in flight, and CLOSE takes its time: flush waits, and the report, too. */
Test(by_ref, an_expired_value_is_not_told_before_the_connection_is_closed)
{
    static const char *const short_lived[] = {"delivery.timeout.ms=1000", "request.timeout.ms=900",
                                              "linger.ms=0", NULL};
    begin(short_lived);
    warm_up();
    make(50000);
    bed.pair.hold_writes = bed.pair.hold_closes = true;
    bed.pair.take_max = 300;
    sim_pair_step(&bed.pair, 0);
    sim_pair_step(&bed.pair, 10000);
    cr_assert_not_null(kw_core_flush(bed.producer, 60000, NULL));
    for (int i = 0; i < 40; i++) {
        sim_pair_step(&bed.pair, 100000);
        sim_pair_verify(&bed.pair);
    }
    cr_assert_eq(bed.n_reported, 1);
    cr_assert_eq(bed.n_op_done, 0, "flush ends behind the reports");
    bed.pair.take_max = SIZE_MAX;
    bed.pair.hold_writes = bed.pair.hold_closes = false;
    cr_assert(sim_pair_run(&bed.pair, &bed.done, 5000));
    cr_assert_eq(bed.n_of[KW_UNKNOWN], 1);
    sim_pair_step(&bed.pair, 10000);
    cr_assert_eq(bed.n_op_done, 1);
    end();
}

/* The end of the client: what the driver holds is told when its connection is closed. */
Test(by_ref, close_tells_of_a_value_when_its_connection_is_closed)
{
    begin(quick);
    warm_up();
    make(50000);
    make(3000);
    bed.pair.hold_writes = true;
    bed.pair.take_max = 300;
    sim_pair_step(&bed.pair, 0);
    sim_pair_step(&bed.pair, 10000);
    cr_assert_not_null(kw_core_close(bed.pair.core, 100, NULL));
    bed.pair.hold_closes = true;
    for (int i = 0; i < 5; i++)
        sim_pair_step(&bed.pair, 50000);
    cr_assert_eq(bed.n_reported, 1);
    bed.pair.hold_closes = bed.pair.hold_writes = false;
    bed.pair.take_max = SIZE_MAX;
    cr_assert(sim_pair_run(&bed.pair, &bed.done, 5000));
    cr_assert_eq(bed.n_of[KW_UNKNOWN], 2);
    sim_pair_step(&bed.pair, 10000);
    cr_assert_eq(bed.n_op_done, 1);
    end();
}

Test(by_ref, delivered_values_are_told_of_although_only_failures_are_asked_for)
{
    static const char *const failures[] = {"linger.ms=0", "delivery.report.only.error=true", NULL};
    struct kw_record copied = {0};
    bool never = false;
    begin(failures);
    cr_assert_eq(make_of(&copied, 5000), 0);
    sim_pair_run(&bed.pair, &never, 100);
    cr_assert_eq(bed.n_reported, 0);
    make(100); /* a short one as well */
    sim_pair_run(&bed.pair, &never, 100);
    make(5000);
    sim_pair_run(&bed.pair, &never, 100);
    cr_assert_eq(bed.n_reported, 2);
    cr_assert_eq(bed.loans[0].outcome, -1);
    end();
}

Test(by_ref, a_receipt_tells_of_its_values)
{
    struct kw_receipt *receipt;
    bool never = false;
    begin(quick);
    warm_up();
    cr_assert_eq(kw_core_receipt_create(&receipt, bed.producer, NULL), 0);
    bed.receipt_first = bed.n_made;
    for (int i = 0; i < 12; i++) {
        struct kw_record record = {.flags = KW_REC_BY_REF, .receipt = receipt};
        cr_assert_eq(make_of(&record, 30000), 0);
        bed.receipt_n++;
    }
    cr_assert_eq(kw_core_receipt_close(receipt), 0);
    bed.pair.hold_writes = true;
    for (int i = 0; i < 10; i++)
        sim_pair_step(&bed.pair, 10000);
    cr_assert_eq(bed.n_receipts, 0, "the driver holds them");
    bed.pair.hold_writes = false;
    sim_pair_confirm(&bed.pair);
    sim_pair_run(&bed.pair, &never, 1000);
    cr_assert_eq(bed.n_receipts, 1);
    cr_assert_eq(bed.n_reported, 1, "of its own only the first record has one");
    end();
}

/* ---- handed back ------------------------------------------------------------------------ */

/* Not a byte of the value is looked at after the report: the pointer comes back. */
Test(by_ref, a_purged_value_comes_back_as_the_pointer_that_was_given)
{
    const uint8_t *pointers[60];
    struct kw_record record;
    uint32_t n = 0;
    begin(quick);
    warm_up();
    bed.pair.refuse = true;
    sim_pair_break(&bed.pair, bed.pair.conns[bed.pair.n_conns - 1]);
    make_mixture(KW_REC_BY_REF, 11);
    for (uint32_t i = 0; i < 40; i++)
        pointers[i] = bed.loans[1 + i].value;
    cr_assert_eq(kw_core_purge(bed.producer), 0);
    for (int i = 0; i < 5; i++)
        sim_pair_step(&bed.pair, 1000);
    cr_assert_eq(bed.n_of[KW_NOT_WRITTEN], 40);
    for (; kw_core_unsent_next(bed.producer, &record, NULL) == 1; n++) {
        const struct loan *loan = &bed.loans[1 + n];
        bool lent = n % 7 != 3 && loan->len >= 2048;
        cr_assert_eq(record.opaque, (void *)(uintptr_t)(n + 2));
        cr_assert_eq((record.flags & KW_REC_BY_REF) != 0, lent, "record %u", n);
        cr_assert_eq(record.value.len, loan->len);
        cr_assert_eq(record.n_headers, n % 4 == 1 ? 2u : 0u);
        if (n % 3)
            cr_assert_eq(record.key.len, (n * 37 + 88) % (n % 5 == 4 ? 5000 : 600));
        if (lent)
            cr_assert_eq(record.value.ptr, pointers[n]);
        for (size_t i = 0; !lent && i < loan->len; i++)
            cr_assert_eq(((const uint8_t *)record.value.ptr)[i],
                         (uint8_t)((n + 1) * 31 + i * 7 + (i >> 8)));
    }
    cr_assert_eq(n, 40);
    end();
}

/* ---- memory ------------------------------------------------------------------------------- */

Test(by_ref, lent_bytes_do_not_fill_the_buffer)
{
    static uint8_t value[200000];
    begin((const char *const[]){"linger.ms=0", "batch.size=1000000", NULL});
    warm_up();
    bed.pair.refuse = true;
    sim_pair_break(&bed.pair, bed.pair.conns[bed.pair.n_conns - 1]);
    size_t before = bed.pair.core->produce.used;
    bed.keep = true;
    for (int i = 0; i < 500; i++) { /* 100 MB */
        struct kw_record record = {.value = {value, sizeof(value)},
                                   .flags = KW_REC_BY_REF | KW_REC_PARTITION,
                                   .opaque = (void *)(uintptr_t)(bed.n_made + 1)};
        bed.n_made++;
        cr_assert_geq(kw_core_produce(bed.topic, &record), 0);
    }
    cr_assert_lt(bed.pair.core->produce.used - before, 1000000);
    for (uint32_t i = 0; i < bed.n_made; i++)
        bed.loans[i].value = NULL; /* it is no heap's */
    kw_core_destroy(bed.pair.core);
    bed.pair.core = NULL;
    cr_assert_eq(bed.pair.memory.n_live, 0, "the loans end with the core");
    sim_pair_deinit(&bed.pair);
    for (uint32_t i = 0; i < bed.n_batches; i++)
        free(bed.batches[i]);
}

/* Sends all values in one request. Each is two pieces of it, and the list of them has
 * 2048 places, 32 KiB. */
static void send_many_pieces(void)
{
    uint32_t n = bed.n_batches;
    while (bed.n_made < VALUES_MAX)
        make(2048);
    all_delivered();
    cr_assert_gt(bed.lens[n], 599 * 2048); /* all in one; the broker had it in halves */
}

/* Bytes of the buffers and lists that wait for the next request; *largest: the longest list. */
static size_t kept(uint32_t *largest)
{
    size_t sum = 0;
    *largest = 0;
    for (struct kw_node *n = bed.pair.core->free_requests.first; n; n = n->next) {
        const struct kw_request *req = KWI_OF(n, struct kw_request, node);
        sum += req->buf_cap + req->segs_cap * sizeof(*req->segs);
        *largest = req->segs_cap > *largest ? req->segs_cap : *largest;
    }
    cr_assert_eq(sum, bed.pair.core->free_requests_room);
    return sum;
}

static const char *const in_one[] = {"linger.ms=20", "batch.size=2000000",
                                     "max.request.size=2000000", NULL};

Test(by_ref, the_list_of_many_pieces_is_kept_for_the_next_request)
{
    uint32_t largest;
    begin(in_one);
    warm_up();
    send_many_pieces();
    cr_assert_leq(kept(&largest), 1000000, "an eighth of control.memory");
    cr_assert_eq(largest, 2048);
    end();
}

/* Many requests at a time, each with a buffer that grew: together they fill what may be kept. */
static void leave_buffers(void)
{
    static const struct kw_request_type type = {0};
    struct kw_core *core = bed.pair.core;
    struct kw_request *requests[40];
    for (size_t i = 0; i < 40; i++) {
        struct kw_request *req = kwi_request_create(core, NULL, &type, NULL);
        cr_assert_not_null(req);
        kwi_free(&core->control, req->buf, req->buf_cap);
        req->buf_cap = 26 << 10;
        req->buf = kwi_alloc(&core->control, req->buf_cap);
        cr_assert_not_null(req->buf);
        requests[i] = req;
    }
    for (size_t i = 0; i < 40; i++)
        kwi_request_destroy(requests[i]);
}

Test(by_ref, what_nobody_uses_gives_way_to_the_list_that_is_used)
{
    uint32_t largest;
    begin(in_one);
    warm_up();
    leave_buffers();
    cr_assert_geq(kept(&largest), 960000);
    send_many_pieces();
    size_t size = kept(&largest);
    cr_assert_leq(size, 1000000, "an eighth of control.memory");
    cr_assert_geq(size, 900000, "no more is given back than was needed");
    cr_assert_eq(largest, 2048);
    end();
}

/* All that wait hold an eighth of control.memory at most. */
Test(by_ref, what_a_request_of_many_pieces_took_is_given_back)
{
    uint32_t largest;
    begin_with("control.memory=200000", in_one);
    warm_up();
    send_many_pieces();
    cr_assert_not(kwi_list_empty(&bed.pair.core->free_requests), "nothing is kept for reuse");
    cr_assert_leq(kept(&largest), 25000);
    end();
}

Test(by_ref, short_values_are_copied_and_may_change_at_once)
{
    uint8_t value[2047];
    struct kw_record record = {.value = {value, sizeof(value)},
                               .flags = KW_REC_BY_REF | KW_REC_PARTITION,
                               .opaque = (void *)1};
    begin(quick);
    memset(value, 'a', sizeof(value));
    bed.n_made = 1;
    cr_assert_geq(kw_core_produce(bed.topic, &record), 0);
    memset(value, 'b', sizeof(value));
    cr_assert(sim_pair_run(&bed.pair, &bed.done, 5000));
    cr_assert_eq(bed.n_batches, 1);
    cr_assert_not_null(memchr(bed.batches[0], 'a', bed.lens[0]));
    end();
}

Test(by_ref, a_value_above_the_limit_is_refused_and_not_kept)
{
    struct kw_record record = {.flags = KW_REC_BY_REF};
    begin((const char *const[]){"max.request.size=100000", "linger.ms=0", NULL});
    cr_assert_eq(make_of(&record, 100000), KW_ERR_TOO_LARGE);
    cr_assert_eq(make_of(&record, 99000), 0);
    all_delivered();
    end();
}

/* ---- compression --------------------------------------------------------------------------- */

static void with_codec(const char *name)
{
    char setting[64] = "compression.type=";
    const char *own[] = {"linger.ms=0", "batch.size=200000", setting, NULL};
    struct kw_record record;
    uint32_t n = 0;
    strcat(setting, name);
    begin(own);
    warm_up();
    make_mixture(KW_REC_BY_REF, 3);
    all_delivered();
    bed.pair.refuse = true;
    sim_pair_break(&bed.pair, bed.pair.conns[bed.pair.n_conns - 1]);
    uint32_t first = bed.n_made;
    for (int i = 0; i < 9; i++)
        make(20000);
    sim_pair_step(&bed.pair, 1000);
    sim_pair_step(&bed.pair, 1000);
    cr_assert_eq(kw_core_purge(bed.producer), 0);
    for (int i = 0; i < 5; i++)
        sim_pair_step(&bed.pair, 1000);
    cr_assert_eq(bed.n_of[KW_NOT_WRITTEN], 9);
    for (; kw_core_unsent_next(bed.producer, &record, NULL) == 1; n++) {
        cr_assert_eq(record.value.len, 20000);
        if (record.flags & KW_REC_BY_REF)
            continue; /* that batch was still open */
        for (size_t i = 0; i < record.value.len; i++)
            cr_assert_eq(((const uint8_t *)record.value.ptr)[i],
                         (uint8_t)((first + n) * 31 + i * 7 + (i >> 8)));
    }
    cr_assert_eq(n, 9);
    end();
}

Test(by_ref, codecs_read_the_values_and_give_them_back)
{
    for (int id = 1; id < KW_N_CODECS; id++)
        if (kw_codec_by_id(id))
            with_codec(kw_codec_by_id(id)->name);
}

/* The same while a codec reads the values: close ends behind their reports. */
Test(by_ref, close_waits_for_a_codec_that_has_the_values)
{
    static const char *const packed[] = {"linger.ms=0", "compression.type=lz4", NULL};
    if (!kw_codec_by_id(KW_CODEC_LZ4))
        return;
    begin(packed);
    warm_up();
    bed.pair.hold_work = true;
    make(20000);
    make(3000);
    sim_pair_step(&bed.pair, 1000);
    sim_pair_step(&bed.pair, 1000);
    cr_assert_not_null(kw_core_close(bed.pair.core, 100, NULL));
    for (int i = 0; i < 5; i++)
        sim_pair_step(&bed.pair, 50000);
    cr_assert_lt(bed.n_reported, bed.n_made);
    cr_assert_eq(bed.n_op_done, 0, "the end was told before the reports");
    bed.pair.hold_work = false;
    cr_assert(sim_pair_run(&bed.pair, &bed.done, 5000));
    sim_pair_step(&bed.pair, 10000);
    cr_assert_eq(bed.n_of[KW_NOT_WRITTEN], 2);
    cr_assert_eq(bed.n_op_done, 1);
    end();
}

/* Copied values are told of at once, and can be taken back when close has ended. */
Test(by_ref, close_waits_for_a_codec_with_what_is_taken_back)
{
    static const char *const packed[] = {"linger.ms=0", "compression.type=lz4", NULL};
    static const uint8_t value[1000];
    struct kw_record record = {.value = {value, sizeof value}, .opaque = (void *)2};
    if (!kw_codec_by_id(KW_CODEC_LZ4))
        return;
    begin(packed);
    warm_up();
    bed.pair.hold_work = true;
    cr_assert_eq(bed.n_made, 1);
    bed.loans[bed.n_made++] = (struct loan){NULL, 0, -1};
    cr_assert_geq(kw_core_produce(bed.topic, &record), 0);
    sim_pair_called(&bed.pair);
    sim_pair_step(&bed.pair, 1000);
    cr_assert_not_null(kw_core_close(bed.pair.core, 100, NULL));
    for (int i = 0; i < 5; i++)
        sim_pair_step(&bed.pair, 50000);
    cr_assert_eq(bed.n_of[KW_NOT_WRITTEN], 1);
    cr_assert_eq(bed.n_op_done, 0);
    bed.pair.hold_work = false;
    for (int i = 0; i < 5; i++)
        sim_pair_step(&bed.pair, 10000);
    cr_assert_eq(bed.n_op_done, 1);
    cr_assert_eq(kw_core_unsent_next(bed.producer, &record, NULL), 1);
    cr_assert_eq(record.value.len, sizeof value);
    cr_assert_eq(kw_core_unsent_next(bed.producer, &record, NULL), 0);
    end();
}
