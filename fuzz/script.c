/* fuzz/script.c -- the operations of a script, see script.h. */
#include "fuzz/script.h"

#include "proto/api.h"

static const uint64_t script_us[] = {0,      1,      100,     1000,    5000,    20000,   100000,
                                     300000, 500000, 1000000, 2000000, 3100000, 5000000, 10000000};
static const char *const script_settings[] = {
    "linger.ms=0\n",
    "linger.ms=5\nacks=1\nenable.idempotence=false\n",
    "linger.ms=0\nacks=0\nenable.idempotence=false\n",
    "linger.ms=50\nretries=2\nretry.backoff.ms=10\n",
    "linger.ms=0\nbatch.size=300\nreconnect.backoff.ms=1\nretry.backoff.ms=1\n",
    "linger.ms=0\nfetch.memory=200000\nfetch.max.wait.ms=0\ncheck.crcs=false\n",
    "linger.ms=1\nacks=all\nenable.idempotence=false\nauto.offset.reset=none\n",
    "linger.ms=0\nmetadata.max.age.ms=200\nconnections.max.idle.ms=1000\n",
    "linger.ms=5\ncompression.type=gzip\n",
    "linger.ms=0\ncompression.type=snappy\nbatch.size=1000\n",
    "linger.ms=20\ncompression.type=lz4\nmax.in.flight.requests.per.connection=1\n",
    "linger.ms=0\nacks=1\nenable.idempotence=false\ncompression.type=lz4\n",
};
enum {
    SCRIPT_N_TIMES = sizeof script_us / sizeof *script_us,
    SCRIPT_N_SETTINGS = sizeof script_settings / sizeof *script_settings
};

struct script_unit {
    uint8_t op, a, b, c;
};

/* ---- the application -------------------------------------------------------------- */

/* The receipt that is open, or a new one; NULL if there is none to be had. */
static struct kw_receipt *receipt_of(struct rig *rig)
{
    int rc;
    if (rig->receipt || rig->n_receipts == RIG_RECORDS)
        return rig->receipt;
    rc = kw_core_receipt_create(&rig->receipt, rig->producer,
                                (void *)(uintptr_t)(rig->n_receipts + 1));
    CHECK(rc != KW_ERR_NOMEM || rig_may_lack(rig));
    rig->n_receipts = (uint16_t)(rig->n_receipts + (rc == 0));
    return rig->receipt;
}

static void do_produce(struct rig *rig, struct script_unit u)
{
    static uint8_t bytes[16 * 256 + 64];
    struct kw_header headers[2] = {{{"h", 1}, {NULL, 0}}, {{"", 0}, {bytes, u.c}}};
    struct kw_topic *topic = rig->topics[u.a >> 7];
    struct kw_record record = {0};
    for (size_t i = 0; !bytes[1] && i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(255 - i * 7); /* once: a loop is slow when it is traced */
    if (!topic)
        return;
    record.value = (struct kw_bytes){u.b == 255 ? NULL : bytes,
                                     u.b == 255 ? 0 : (size_t)u.b * (u.b > 127 ? 16 : 2)};
    record.key = (struct kw_bytes){u.c & 1 ? bytes : NULL, u.c & 1 ? u.c >> 1 : 0};
    record.flags = u.a >> 3 & 3;
    record.partition = u.c & 3;
    record.timestamp_ms = 1600000000000 + u.b * 1000;
    record.headers = headers;
    record.n_headers = u.a & 32 ? 1 + (u.c & 1) : 0;
    for (int i = 0; i <= (u.a & 7) && rig->n_records < RIG_RECORDS; i++) {
        int rc;
        record.opaque = (void *)(uintptr_t)(rig->n_records + 1);
        record.receipt = u.a & 64 && (u.c + i) % 3 ? receipt_of(rig) : NULL;
        rc = kw_core_produce(topic, &record);
        CHECK(rc != KW_ERR_NOMEM || rig_may_lack(rig));
        if (rc < 0)
            return;
        CHECK(rc <= 1 && !rig->close_begun);
        rig->receipt_of[rig->n_records] = record.receipt ? rig->n_receipts : 0;
        rig->records[rig->n_records++] = RIG_ACCEPTED;
    }
    if (u.a & 64 && u.c & 128)
        rig_close_receipt(rig);
}

/* A build without a codec still has something to do. */
static const char *settings_of(uint8_t choice)
{
    static const uint8_t needs[] = {KW_CODEC_GZIP, KW_CODEC_SNAPPY, KW_CODEC_LZ4, KW_CODEC_LZ4};
    unsigned at = choice % SCRIPT_N_SETTINGS;
    if (at >= SCRIPT_N_SETTINGS - sizeof needs &&
        !kw_codec_by_id(needs[at - (SCRIPT_N_SETTINGS - sizeof needs)]))
        at = 0;
    return script_settings[at];
}

static uint32_t op_slot(const struct rig *rig)
{
    uint32_t slot = 0;
    while (slot < RIG_OPS && rig->ops[slot])
        slot++;
    return slot;
}

static void do_flush(struct rig *rig, struct script_unit u)
{
    uint32_t slot = op_slot(rig);
    if (slot == RIG_OPS || !rig->producer)
        return;
    rig->ops[slot] = kw_core_flush(rig->producer, u.a & 128 ? -1 : u.a * 10,
                                   (void *)(uintptr_t)slot);
    CHECK(rig->ops[slot] || rig_may_lack(rig));
}

/* Groups from outside; that of the consumer is looked at only. */
static void do_groups(struct rig *rig, struct script_unit u, uint32_t slot)
{
    static const char *const others[] = {"other"}, *const ours[] = {"g", "other"};
    static const struct kw_offset offsets[] = {{.topic = "t", .partition = 1, .offset = 3},
                                               {.topic = "t", .partition = 0, .offset = 1}};
    struct kw_admin_request request = {
        .size = sizeof request,
        .kind = (uint8_t)(KW_ADMIN_LIST_GROUPS + u.a % 6),
        .groups = others,
        .n_groups = 1,
        .group_type = (uint8_t)((u.c & 7) % (KW_GROUP_TYPE_STREAMS + 1)),
        .offsets = offsets,
        .n_offsets = u.c >> 3 & 1 ? 2 : 1,
    };
    if (request.kind == KW_ADMIN_DESCRIBE_GROUPS) {
        request.groups = ours;
        request.n_groups = 2;
    }
    if (request.kind == KW_ADMIN_GET_OFFSETS && (u.c & 16)) {
        request.groups = ours;
        request.n_offsets = 0;
    }
    rig->ops[slot] = kw_core_admin(rig->core, &request, &rig->results[slot],
                                   u.b & 128 ? -1 : u.b * 10, (void *)(uintptr_t)slot);
    CHECK(rig->ops[slot] || rig_may_lack(rig));
}

static void do_admin(struct rig *rig, struct script_unit u)
{
    uint32_t slot = op_slot(rig);
    struct kw_admin_request request = {.size = sizeof request,
                                       .kind = u.a % 3,
                                       .topic = u.c & 1 ? "t" : "u",
                                       .partitions = (u.c >> 1 & 3) - 1,
                                       .replication_factor = (int16_t)((u.c >> 3 & 3) - 1)};
    if (slot == RIG_OPS)
        return;
    if (u.c & 64) {
        do_groups(rig, u, slot);
        return;
    }
    rig->deletes |= request.kind == KW_ADMIN_DELETE_TOPIC;
    if (request.kind == KW_ADMIN_METADATA && (u.c & 2))
        request.topic = NULL;
    rig->ops[slot] = kw_core_admin(rig->core, &request,
                                   request.kind == KW_ADMIN_METADATA ? &rig->results[slot] : NULL,
                                   u.b & 128 ? -1 : u.b * 10, (void *)(uintptr_t)slot);
    CHECK(rig->ops[slot] || rig_may_lack(rig));
}

static void do_op(struct rig *rig, struct script_unit u)
{
    struct kw_op **op = &rig->ops[u.a % RIG_OPS];
    int code = 1;
    if (!*op)
        return;
    if (u.b & 1) {
        (void)kw_core_op_cancel(*op);
    } else if (kw_core_op_take(*op, &code, NULL) == 1) {
        CHECK(code <= 0);
        *op = NULL;
        kw_admin_result_destroy(rig->results[u.a % RIG_OPS]);
        rig->results[u.a % RIG_OPS] = NULL;
    }
}

static void do_assign(struct rig *rig, struct script_unit u)
{
    struct kw_start starts[2] = {
        {"t", u.b & 3, (uint8_t)((u.b >> 2) % 5), u.c > 250 ? INT64_MAX : (int8_t)u.c},
        {u.b & 128 ? "u" : "t", u.b >> 4 & 3, KW_START_EARLIEST, 0}};
    int rc = 0;
    if (!rig->consumer)
        return;
    switch (u.a & 3) {
    case 0:
    case 1: rc = kw_core_seek(rig->consumer, starts); break;
    case 2: rc = kw_core_pause(rig->consumer, "t", u.b & 3, u.c & 1); break;
    default: rc = kw_core_assign(rig->consumer, starts, u.c % 3, NULL); break;
    }
    CHECK(rc <= 0 && (rc != KW_ERR_NOMEM || rig_may_lack(rig)));
}

static void do_close(struct rig *rig, struct script_unit u)
{
    if (rig->close_begun)
        return;
    rig->close_op = kw_core_close(rig->core, u.b & 128 ? -1 : u.b * 50, (void *)(uintptr_t)RIG_OPS);
    CHECK(rig->close_op || rig->n_fails > 0);
    rig->close_begun = rig->close_op != NULL;
}

/* ---- brokers and wire ----------------------------------------------------------------- */

static void do_fault(struct rig *rig, struct script_unit u)
{
    static const int16_t apis[] = {-1,
                                   KW_API_PRODUCE,
                                   KW_API_FETCH,
                                   KW_API_METADATA,
                                   KW_API_LIST_OFFSETS,
                                   KW_API_INIT_PRODUCER_ID,
                                   KW_API_API_VERSIONS,
                                   KW_API_CREATE_TOPICS};
    struct kw_mock_fault fault = {.api_key = apis[u.a >> 4 & 7],
                                  .action = (enum kw_mock_action)((u.a & 15) % 14),
                                  .broker = -1,
                                  .partition = u.c & 128 ? u.b & 3 : -1,
                                  .value = u.b};
    fault.first = 1 + (u.c & 3);
    fault.every = u.c >> 2 & 3;
    fault.last = u.c & 64 ? fault.first + 5 : 0;
    if (fault.action == KWI_MOCK_ERROR || fault.action == KWI_MOCK_ERROR_AFTER)
        fault.value = (int8_t)u.b;
    else if (fault.action == KWI_MOCK_CUT)
        fault.value = u.b & 127;
    else if (fault.action == KWI_MOCK_DELAY || fault.action == KWI_MOCK_LATE ||
             fault.action == KWI_MOCK_THROTTLE)
        fault.value = u.b * 8;
    rig->lied |= fault.action == KWI_MOCK_CORRUPT;
    rig->ever_lied |= rig->lied;
    (void)!kwi_mock_fault_add(rig->mock, &fault, NULL);
}

static void do_model(struct rig *rig, struct script_unit u)
{
    switch (u.a & 7) {
    case 0:
    case 1: (void)!kwi_mock_set_leader(rig->mock, "t", u.b & 3, (u.c & 3) - 1); break;
    case 2: kwi_mock_broker_down(rig->mock, u.b & 1, u.c & 1); break;
    case 3: kwi_mock_broker_up(rig->mock, u.b & 1); break;
    case 4:
        rig->deletes = true;
        (void)!kwi_mock_delete_topic(rig->mock, u.b & 1 ? "t" : "u");
        break;
    case 5: (void)!kwi_mock_create_topic(rig->mock, u.b & 1 ? "t" : "u", 1 + (u.c & 3)); break;
    case 6: kwi_mock_freeze_metadata(rig->mock, u.b & 1, u.c & 1); break;
    default:
        (void)!kwi_mock_set_topic_config(rig->mock, "t",
                                         u.b & 1 ? "retention.bytes" : "max.message.bytes",
                                         u.c & 1 ? "1" : "1000");
        break;
    }
}

static void do_cut(struct rig *rig, struct script_unit u)
{
    struct kw_cause cause = {.phase = (uint8_t)(u.b & 7),
                             .os_err = u.b & 8 ? 104 : 0,
                             .code = u.b & 32 ? KW_ERR_AUTH : 0,
                             .text = u.b & 16 ? "cut" : NULL,
                             .hint = u.b & 64 ? "hint" : NULL};
    rig_end_conn(rig, &rig->conns[u.a % RIG_CONNS], u.b & 32 ? NULL : &cause);
}

static void do_driver(struct rig *rig, struct script_unit u)
{
    rig->late_written = u.a & 1;
    rig->late_opened = u.a & 2;
    rig->late_closed = u.a & 4;
    rig->late_work = u.a & 32;
    rig->refuse_opens = u.a & 8;
    rig->refuse_names = u.a & 16;
    rig->write_max = u.b;
}

/* Late completions of what is gone, or never was. */
static void do_stray(struct rig *rig, struct script_unit u)
{
    uint32_t id = u.b % (rig->last_conn + 1);
    for (uint32_t i = 0; i < RIG_CONNS; i++) {
        if (rig->conns[i].state != RIG_FREE && rig->conns[i].id == id)
            return;
    }
    kw_core_opened(rig->core, id);
    kw_core_written(rig->core, id, u.c);
    kw_core_read_done(rig->core, id, u.c);
    CHECK(kw_core_read_buf(rig->core, id).len == 0);
    kw_core_closed(rig->core, id, NULL);
    kw_core_resolved(rig->core, u.b % (rig->last_query + 1), NULL, 0, 0);
}

static void do_memory(struct rig *rig, struct script_unit u)
{
    rig->fail_from = rig->n_allocs + u.a;
    rig->n_fails = u.b == 255 ? SIZE_MAX : u.b;
}

static void do_time(struct rig *rig, struct script_unit u)
{
    if (u.a & 128)
        rig_advance_to_deadline(rig, 5000000);
    else
        rig_advance(rig, script_us[u.a % SCRIPT_N_TIMES]);
}

/* ---- the run ------------------------------------------------------------------------------ */

static void do_unit(struct rig *rig, struct script_unit u)
{
    struct rig_conn *conn = &rig->conns[u.a % RIG_CONNS];
    switch ((enum script_op)(u.op % SCRIPT_N_OPS)) {
    case SCRIPT_TURN:
        for (int i = 0; i <= (u.a & 7); i++)
            rig_turn(rig);
        break;
    case SCRIPT_TIME:
        do_time(rig, u);
        rig_turn(rig);
        break;
    case SCRIPT_PRODUCE: do_produce(rig, u); break;
    case SCRIPT_EVENTS: rig_events(rig, u.a); break;
    case SCRIPT_POLL: rig_poll(rig, u.a % RIG_HELD, u.b); break;
    case SCRIPT_RELEASE: rig_release(rig, u.a % RIG_HELD); break;
    case SCRIPT_CHANGE:
        if (rig->n_changes < RIG_CHANGES)
            rig->changes[rig->n_changes++] =
                (struct rig_change){(uint8_t)((u.a & 15) % (RIG_OLD + 1)), u.a >> 4, u.b, u.c};
        break;
    case SCRIPT_FAULT: do_fault(rig, u); break;
    case SCRIPT_MODEL: do_model(rig, u); break;
    case SCRIPT_CUT: do_cut(rig, u); break;
    case SCRIPT_RAW: break; /* by the caller */
    case SCRIPT_FLUSH: do_flush(rig, u); break;
    case SCRIPT_PURGE:
        if (rig->producer)
            (void)kw_core_purge(rig->producer);
        break;
    case SCRIPT_UNSENT: rig_unsent(rig, u.a); break;
    case SCRIPT_ASSIGN: do_assign(rig, u); break;
    case SCRIPT_ADMIN: do_admin(rig, u); break;
    case SCRIPT_OP: do_op(rig, u); break;
    case SCRIPT_CLOSE: do_close(rig, u); break;
    case SCRIPT_DRIVER: do_driver(rig, u); break;
    case SCRIPT_CONFIRM: rig_confirm(rig, conn, u.b); break;
    case SCRIPT_STRAY: do_stray(rig, u); break;
    case SCRIPT_MAKE: rig_make(rig); break;
    case SCRIPT_MEMORY: do_memory(rig, u); break;
    case SCRIPT_GROUP: rig_group(rig, u.a, u.b, u.c); break;
    case SCRIPT_MEMBER: rig_member_act(rig, u.a, u.b, u.c); break;
    case SCRIPT_N_OPS: break;
    }
}

uint64_t script_run(const uint8_t *data, size_t size, uint32_t chunk, bool memory)
{
    uint8_t head[SCRIPT_HEAD] = {0};
    const uint8_t *end = data + size;
    struct rig *rig;
    uint64_t trace;
    memcpy(head, data, size < SCRIPT_HEAD ? size : SCRIPT_HEAD);
    data += size < SCRIPT_HEAD ? size : SCRIPT_HEAD;
    rig = rig_create(settings_of(head[0]), head[2], memory ? head[3] : 0);
    rig->chunk = chunk;
    for (int i = 0; rig->core && i < SCRIPT_UNITS_MAX && end - data >= SCRIPT_UNIT; i++) {
        struct script_unit u = {data[0], data[1], data[2], data[3]};
        data += SCRIPT_UNIT;
        if (u.op % SCRIPT_N_OPS == SCRIPT_RAW) {
            size_t len = (size_t)u.b * SCRIPT_UNIT;
            len = len < (size_t)(end - data) ? len : (size_t)(end - data);
            if (rig->conns[u.a % RIG_CONNS].state == RIG_UP)
                rig_push_down(&rig->conns[u.a % RIG_CONNS], data, len);
            rig->lied = rig->ever_lied = true;
            data += len;
        } else if (memory || u.op % SCRIPT_N_OPS != SCRIPT_MEMORY) {
            do_unit(rig, u);
        }
    }
    if (rig->core && !(head[1] & 5))
        rig_settle(rig);
    if (rig->core && !(head[1] & 1))
        rig_finish(rig);
    for (uint32_t i = 0; rig->core && (head[1] & 2) && i < RIG_HELD; i++)
        rig_release(rig, i);
    trace = rig->trace;
    rig_destroy(rig);
    return trace;
}

/* ---- mutation -------------------------------------------------------------------------------- */

/* Of the fuzzing engine; a replayer has none. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

static unsigned script_random(unsigned *seed, unsigned n)
{
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 8) % n;
}

/* What a broker may answer, and what the client treats each in its own way. */
static uint8_t script_error(unsigned *seed)
{
    static const int8_t errors[] = {-1, 1,  2,  3,  5,  6,  7,  9,  10, 13,  14,  17,
                                    18, 19, 20, 29, 35, 38, 41, 45, 46, 47,  49,  54,
                                    15, 16, 22, 25, 26, 27, 30, 79, 82, 110, 111, 113,
                                    56, 59, 72, 74, 75, 76, 77, 87, 89, 90,  100, 104};
    return (uint8_t)errors[script_random(seed, sizeof errors)];
}

static void script_make_unit(uint8_t *unit, unsigned *seed)
{
    static const uint8_t common[] = {SCRIPT_TURN,   SCRIPT_TIME, SCRIPT_PRODUCE, SCRIPT_EVENTS,
                                     SCRIPT_CHANGE, SCRIPT_POLL, SCRIPT_FAULT,   SCRIPT_TIME};
    unsigned which = script_random(seed, 2 * SCRIPT_N_OPS);
    unit[0] = which < SCRIPT_N_OPS ? (uint8_t)which : common[which % sizeof common];
    for (int i = 1; i < SCRIPT_UNIT; i++)
        unit[i] = (uint8_t)(script_random(seed, 3) ? script_random(seed, 16)
                                                   : script_random(seed, 256));
    if (unit[0] == SCRIPT_CHANGE)
        unit[3] = script_error(seed);
    if (unit[0] == SCRIPT_FAULT && (unit[1] & 15) <= KWI_MOCK_ERROR_AFTER)
        unit[2] = script_error(seed);
    if (unit[0] == SCRIPT_TIME && script_random(seed, 2))
        unit[1] |= 128;
}

size_t script_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size_t n = size > SCRIPT_HEAD ? (size - SCRIPT_HEAD) / SCRIPT_UNIT : 0, at, to;
    uint8_t unit[SCRIPT_UNIT], *first = data + SCRIPT_HEAD;
    unsigned what = script_random(&seed, 8);
    if (what == 0 || size < SCRIPT_HEAD || max_size < SCRIPT_HEAD + 8 * SCRIPT_UNIT) {
        size = LLVMFuzzerMutate(data, size, max_size);
        return size < SCRIPT_UNIT ? size : size - size % SCRIPT_UNIT;
    }
    size = SCRIPT_HEAD + n * SCRIPT_UNIT;
    at = script_random(&seed, (unsigned)n + 1);
    script_make_unit(unit, &seed);
    if (what <= 4 || n < 2) { /* insert up to four */
        for (unsigned k = 1 + script_random(&seed, 4); k > 0; k--) {
            if (size + SCRIPT_UNIT > max_size)
                break;
            memmove(first + (at + 1) * SCRIPT_UNIT, first + at * SCRIPT_UNIT,
                    size - SCRIPT_HEAD - at * SCRIPT_UNIT);
            memcpy(first + at * SCRIPT_UNIT, unit, SCRIPT_UNIT);
            size += SCRIPT_UNIT;
            script_make_unit(unit, &seed);
        }
        return size;
    }
    at %= n;
    to = script_random(&seed, (unsigned)n);
    if (what == 5) { /* remove */
        memmove(first + at * SCRIPT_UNIT, first + (at + 1) * SCRIPT_UNIT,
                (n - at - 1) * SCRIPT_UNIT);
        return size - SCRIPT_UNIT;
    }
    if (what == 6) { /* swap */
        memcpy(unit, first + at * SCRIPT_UNIT, SCRIPT_UNIT);
        memcpy(first + at * SCRIPT_UNIT, first + to * SCRIPT_UNIT, SCRIPT_UNIT);
    }
    memcpy(first + to * SCRIPT_UNIT, unit, SCRIPT_UNIT); /* or replace */
    return size;
}
