/* fuzz_tls.c -- frames through a real TLS session, cut, mixed and damaged.
 *
 * covers: S02 S03
 *
 * Byte 0 picks TLS 1.3 or 1.2. Then operations, each a byte and its arguments (enum
 * op): a broker (OpenSSL, in memory) sends frames, their ciphertext lies in a queue,
 * and a client (net/tls.h) reads from it in pieces of any size; the client writes
 * through a socket that takes what it likes; keys change in between. At the end
 * everything that is still on its way arrives.
 *
 * Checks: what either side reads is what the other wrote, in order, and all of it,
 * frame by frame. Where the ciphertext was damaged, or the socket failed, the client
 * reads a true beginning of it and then nothing, or it ends with a typed error that
 * says something; it never reads a wrong byte.
 *
 * A handshake costs as much as thirty inputs, so a session serves many, and only
 * what would destroy it asks for a new one: one input in 96, told by a hash of its
 * bytes, may do that, and one in 576 may spoil a handshake. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/tls_end.h"
#include "net/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond)  \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

enum op {
    OP_FRAME,   /* len: the broker sends a frame with the next len bytes of the input */
    OP_LARGE,   /* len: a frame of len times 80 bytes */
    OP_SPLIT,   /* len: from now on the broker's records have len bytes; 0: whole frames */
    OP_DELIVER, /* n, cap: n bytes of ciphertext come; the client reads cap at a time */
    OP_WRITE,   /* len, n: the client writes len times 64 bytes, n times 32 leave */
    OP_DRAIN,   /* the broker reads */
    OP_KEYS,    /* how: the broker changes its keys, and may ask for the client's */
    OP_ROUGH,   /* what, where: see enum rough */
    OPS
};

/* What ends a session. */
enum rough {
    ROUGH_FLIP,   /* a bit of ciphertext */
    ROUGH_DROP,   /* a byte of it */
    ROUGH_REPEAT, /* all that waits comes twice */
    ROUGH_FORGE,  /* a record that nobody sent */
    ROUGH_END,    /* the stream ends behind what waits */
    ROUGH_FAIL,   /* the socket fails */
    ROUGH_GOODBYE,
    ROUGH_RENEGOTIATE,
    ROUGHS
};

enum {
    BED_QUEUE = 64 << 10,  /* bytes of ciphertext that wait */
    BED_STREAM = 20 << 10, /* bytes of plaintext that one input sends each way */
    BED_OPS = 24,          /* operations of an input, */
    BED_RECORDS = 40,      /* records of the broker */
    BED_READS = 40,        /* and reads of an operation */
    BED_TURNS = 64,        /* of a handshake */
    BED_ROUGH_ONE_IN = 96, /* inputs, that may end a session */
    BED_SHAKE_ONE_IN = 576,
    BED_PLENTY = 1 << 30
};

/* One direction of plaintext: what was written, and how much of it was read. */
struct stream {
    uint8_t bytes[BED_STREAM];
    size_t len, read;
};

/* A connection that serves many inputs. */
struct line {
    struct kw_tls *tls;
    struct kw_tls_session *session; /* NULL: to be made */
    struct tls_end *end;
};

static struct {
    struct kw_heap heap;
    struct line lines[2]; /* by "no more than TLS 1.2" */
    struct line *line;
    uint8_t queue[BED_QUEUE]; /* ciphertext to the client */
    size_t from, until;
    struct stream down, up; /* from the broker; from the client */
    uint8_t noise[KWI_TLS_RECORD + 251];
    size_t may_recv, may_send; /* bytes that the socket still moves */
    size_t record;             /* of the broker; 0: whole frames */
    unsigned n_records;        /* that it sent */
    size_t half;               /* bytes of a write that is to be repeated */
    size_t goodbye_at;         /* bytes of `down` when the broker said it */
    bool at_end, io_fails, io_told;
    bool rough;   /* the session may end by now */
    bool goodbye; /* the broker said it */
    bool arrived; /* ciphertext of the client that the broker did not read yet */
    bool dry;     /* the last read found nothing */
    bool asked;   /* the broker asked for new keys of the client */
    bool is_over; /* the client's session has ended */
} bed;

static void *bed_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void bed_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

/* ---- the socket ------------------------------------------------------------------ */

static size_t bed_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int bed_io_failed(int *os_err)
{
    *os_err = ECONNRESET;
    bed.io_told = true;
    return KW_ERR_IO;
}

static int bed_recv(void *ctx, const struct kw_iov *iov, size_t n_iov, size_t *n, int *os_err)
{
    (void)ctx;
    *n = 0;
    for (size_t i = 0; i < n_iov; i++) {
        CHECK(iov[i].len > 0);
        size_t len = bed_least(bed_least(iov[i].len, bed.may_recv), bed.until - bed.from);
        memcpy(iov[i].base, bed.queue + bed.from, len);
        bed.from += len;
        bed.may_recv -= len;
        *n += len;
    }
    if (*n > 0 || (bed.at_end && bed.from == bed.until && bed.may_recv > 0))
        return 0;
    return bed.io_fails ? bed_io_failed(os_err) : KW_ERR_WOULD_BLOCK;
}

static int bed_send(void *ctx, const void *ptr, size_t len, size_t *n, int *os_err)
{
    (void)ctx;
    CHECK(len > 0);
    *n = bed_least(len, bed.may_send);
    if (bed.io_fails)
        return bed_io_failed(os_err);
    if (*n == 0)
        return KW_ERR_WOULD_BLOCK;
    tls_end_put(bed.line->end, ptr, *n);
    bed.arrived = true;
    bed.may_send -= *n;
    return 0;
}

/* What the broker's side has to send joins the queue. */
static void bed_collect(void)
{
    if (bed.from == bed.until)
        bed.from = bed.until = 0;
    bed.until += tls_end_take(bed.line->end, bed.queue + bed.until, BED_QUEUE - bed.until);
}

/* ---- the client --------------------------------------------------------------------- */

/* A step failed: may it, and does it say why? */
static void bed_failed(int rc)
{
    struct kw_cause cause;
    kwi_tls_cause(bed.line->session, &cause);
    CHECK(bed.rough);
    CHECK(cause.phase == KW_PHASE_TLS);
    if (rc == KW_ERR_IO)
        CHECK(bed.io_told && cause.os_err == ECONNRESET);
    else
        CHECK((rc == KW_ERR_PROTOCOL || rc == KW_ERR_AUTH) && cause.text && cause.text[0]);
    bed.is_over = true;
}

/* Reads until there is no more, or often enough. */
static void bed_read(size_t cap)
{
    bed.dry = false;
    for (int i = 0; i < BED_READS && !bed.is_over; i++) {
        size_t n = 0;
        uint8_t *block = malloc(cap); /* of exactly its size */
        int rc = kwi_tls_read(bed.line->session, block, cap, &n);
        CHECK(n <= cap && n <= bed.down.len - bed.down.read);
        CHECK(memcmp(block, bed.down.bytes + bed.down.read, n) == 0);
        free(block);
        bed.down.read += n;
        if (rc < 0) {
            bed_failed(rc);
        } else if (rc == KWI_TLS_WANT_READ) {
            CHECK(n == 0 && (bed.may_recv == 0 || (bed.from == bed.until && !bed.at_end)));
            bed.dry = true;
            return;
        } else if (rc == KWI_TLS_WANT_WRITE) {
            CHECK(n == 0 && bed.may_send == 0);
            return;
        } else if (n == 0) {
            CHECK(bed.goodbye && bed.down.read == bed.goodbye_at);
            bed.is_over = true;
        }
    }
}

/* Writes len bytes more, or what has to be written again: from another place. */
static void bed_write(size_t len)
{
    if (bed.is_over)
        return;
    if (bed.half == 0) {
        /* A few bytes are left for bed_settle, which writes one at a time. */
        size_t most = len > 1 ? BED_STREAM - 64 : BED_STREAM;
        len = bed.up.len < most ? bed_least(bed_least(len, KWI_TLS_RECORD), most - bed.up.len) : 0;
        memcpy(bed.up.bytes + bed.up.len, bed.noise + bed.up.len % 251, len);
        bed.half = len;
        bed.up.len += len;
    }
    if (bed.half == 0)
        return;
    uint8_t *block = malloc(bed.half);
    memcpy(block, bed.up.bytes + bed.up.len - bed.half, bed.half);
    int rc = kwi_tls_write(bed.line->session, block, bed.half);
    free(block);
    if (rc < 0)
        bed_failed(rc);
    else if (rc == KWI_TLS_DONE)
        bed.half = 0;
    else
        CHECK(rc == KWI_TLS_WANT_WRITE && bed.may_send == 0);
}

/* ---- the broker ------------------------------------------------------------------------ */

/* A frame as Kafka has it: its size, then `len` bytes that repeat those given. */
static size_t bed_make_frame(uint8_t *to, const uint8_t *ptr, size_t n, size_t len)
{
    memcpy(to, (const uint8_t[]){0, (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len}, 4);
    memset(to + 4, 0, len);
    memcpy(to + 4, ptr, bed_least(n, len));
    for (size_t done = n; n > 0 && done < len; done *= 2)
        memcpy(to + 4 + done, to + 4, bed_least(done, len - done));
    return len + 4;
}

static void bed_send_frame(const uint8_t *ptr, size_t n, size_t len)
{
    size_t room = bed_least(BED_STREAM - bed.down.len, (BED_QUEUE - bed.until) / 2);
    if (bed.goodbye || len + 4 > room)
        return;
    uint8_t *from = bed.down.bytes + bed.down.len;
    size_t whole = bed_make_frame(from, ptr, n, len);
    for (size_t at = 0; at < whole && bed.n_records < BED_RECORDS; bed.n_records++) {
        /* The last record that it may send takes the rest. */
        bool last = bed.record == 0 || bed.n_records + 1 == BED_RECORDS;
        size_t part = last ? whole - at : bed_least(bed.record, whole - at);
        if (!tls_end_write(bed.line->end, from + at, part))
            break; /* its session has ended */
        at += part;
        bed.down.len += part;
    }
    bed_collect();
}

static void bed_drain(void)
{
    uint8_t buf[KWI_TLS_RECORD];
    size_t n;
    if (!bed.arrived && !bed.rough)
        return;
    bed.arrived = false;
    while ((n = tls_end_read(bed.line->end, buf, sizeof buf)) > 0) {
        CHECK(n <= bed.up.len - bed.up.read);
        CHECK(memcmp(buf, bed.up.bytes + bed.up.read, n) == 0);
        bed.up.read += n;
    }
    bed_collect();
}

/* ---- a session ---------------------------------------------------------------------------- */

static void bed_hang_up(void)
{
    size_t used = bed.heap.used;
    kwi_tls_close(bed.line->session);
    CHECK(!bed.line->session || bed.heap.used < used);
    tls_end_close(bed.line->end);
    bed.line->session = NULL;
    bed.line->end = NULL;
    bed.from = bed.until = 0;
    bed.half = 0;
    bed.is_over = false;
}

/* Both shake hands; `cut` bytes of the broker's arrive at a time, and byte `spoil` of
 * them, if it is not 0, is changed. */
static void bed_shake(size_t cut, size_t spoil, uint8_t bit)
{
    struct kw_tls_io io = {NULL, bed_recv, bed_send};
    size_t seen = 0, collected = 0;
    bool client = false, broker = false;
    bed_hang_up();
    bed.line->end = tls_end_open(bed.line == &bed.lines[1]);
    CHECK(kwi_tls_open(&bed.line->session, bed.line->tls, &io, "localhost", 9093) == 0);
    bed.may_send = BED_PLENTY;
    for (int turn = 0; turn < BED_TURNS && !(client && broker) && !bed.is_over; turn++) {
        bed.may_recv = turn + 1 < BED_TURNS / 2 ? cut : BED_PLENTY;
        int rc = client ? KWI_TLS_DONE : kwi_tls_handshake(bed.line->session);
        if (rc < 0)
            bed_failed(rc);
        CHECK(rc != KWI_TLS_WANT_WRITE);
        client = rc == KWI_TLS_DONE;
        broker = tls_end_handshake(bed.line->end);
        seen = bed.until;
        bed_collect();
        seen = bed.until < seen ? 0 : seen; /* the queue began anew */
        if (spoil > 0 && collected + (bed.until - seen) >= spoil && collected < spoil)
            bed.queue[seen + (spoil - collected - 1)] ^= (uint8_t)(1u << (bit & 7));
        collected += bed.until - seen;
    }
    CHECK(bed.rough || (client && broker));
    bed.is_over = bed.is_over || !client || !broker;
}

/* ---- inputs --------------------------------------------------------------------------------- */

struct input {
    const uint8_t *ptr;
    size_t len;
};

static uint8_t input_byte(struct input *in)
{
    if (in->len == 0)
        return 0;
    in->len--;
    return *in->ptr++;
}

static void bed_damage(enum rough what, size_t where)
{
    static const uint8_t forged[] = {23,  3,   3,   0,   24,  'n', 'o', 't', ' ', 'a',
                                     ' ', 'r', 'e', 'c', 'o', 'r', 'd', ' ', 'o', 'f',
                                     ' ', 'o', 'u', 'r', 's', ' ', '-', '-', '-'};
    size_t waits = bed.until - bed.from;
    uint8_t *at = bed.queue + bed.from + (waits > 0 ? where * 37 % waits : 0);
    if (what == ROUGH_FLIP && waits > 0) {
        *at ^= (uint8_t)(1u << (where & 7));
    } else if (what == ROUGH_DROP && waits > 0) {
        memmove(at, at + 1, (size_t)(bed.queue + bed.until - at) - 1);
        bed.until--;
    } else if (what == ROUGH_REPEAT && waits <= BED_QUEUE - bed.until) {
        memcpy(bed.queue + bed.until, bed.queue + bed.from, waits);
        bed.until += waits;
    } else if (what == ROUGH_FORGE && sizeof forged <= BED_QUEUE - bed.until) {
        memcpy(bed.queue + bed.until, forged, sizeof forged);
        bed.queue[bed.until] = (uint8_t)(20 + where % 5); /* of any kind */
        bed.until += sizeof forged;
    }
}

static void bed_be_rough(enum rough what, size_t where)
{
    bed.rough = true;
    switch (what) {
    case ROUGH_FLIP:
    case ROUGH_DROP:
    case ROUGH_REPEAT:
    case ROUGH_FORGE: bed_damage(what, where); break;
    case ROUGH_END: bed.at_end = true; break;
    case ROUGH_FAIL: bed.io_fails = true; break;
    case ROUGH_GOODBYE:
        if (!bed.goodbye)
            bed.goodbye_at = bed.down.len;
        bed.goodbye = true;
        tls_end_goodbye(bed.line->end);
        break;
    case ROUGH_RENEGOTIATE: tls_end_renegotiate(bed.line->end); break;
    case ROUGHS: break;
    }
    bed_collect();
}

/* After it has asked, no more in this input: OpenSSL 3.0 ends a session ("bad length")
 * when keys change again before its answer is out and a record is half written. No
 * broker does that, and a new connection mends it. mbedTLS takes no change of keys. */
static void bed_change_keys(bool ask)
{
    if (bed.asked || !tls_end_is_13(bed.line->end) || strcmp(kwi_tls_backend(), "openssl") != 0)
        return;
    tls_end_update_keys(bed.line->end, ask);
    bed.asked = ask;
    bed_collect();
}

static void bed_do(struct input *in, enum op op, bool may_be_rough)
{
    uint8_t a = op == OP_DRAIN ? 0 : input_byte(in);
    uint8_t b = op == OP_DELIVER || op == OP_WRITE || op == OP_ROUGH ? input_byte(in) : 0;
    size_t n = bed_least(a, in->len);
    switch (op) {
    case OP_FRAME:
        bed_send_frame(in->ptr, n, n);
        in->ptr += n;
        in->len -= n;
        break;
    case OP_LARGE: bed_send_frame(in->ptr, bed_least(in->len, 31), (size_t)a * 80); break;
    case OP_SPLIT: bed.record = a; break;
    case OP_DELIVER:
        bed.may_recv = a < 192 ? a : (size_t)(a - 191) * 512;
        bed_read(b < 192 ? b + 1u : (size_t)(b - 191) * 1024);
        break;
    case OP_WRITE:
        bed.may_send = (size_t)b * 32;
        bed_write((size_t)a * 64 + 1);
        break;
    case OP_DRAIN: bed_drain(); break;
    case OP_KEYS: bed_change_keys(a & 1); break;
    case OP_ROUGH:
        if (may_be_rough)
            bed_be_rough((enum rough)(a % ROUGHS), b);
        break;
    case OPS: break;
    }
}

static bool bed_is_settled(int turn)
{
    return turn > 0 && !bed.rough && !bed.asked && bed.dry && bed.half == 0 &&
           bed.from == bed.until && bed.down.read == bed.down.len && bed.up.read == bed.up.len;
}

/* What is on its way arrives; a session that is whole has nothing left inside. */
static void bed_settle(void)
{
    bed.may_recv = bed.may_send = BED_PLENTY;
    for (int turn = 0; turn < 4 && !bed_is_settled(turn); turn++) {
        if (bed.half > 0 || (bed.asked && turn > 0))
            bed_write(1); /* our answer goes with it, and is not left for the next input */
        bed_drain();
        bed_read(KWI_TLS_RECORD);
    }
    if (bed.rough)
        return;
    CHECK(!bed.is_over && bed.half == 0 && !kwi_tls_pending(bed.line->session));
    CHECK(bed.down.read == bed.down.len && bed.up.read == bed.up.len);
}

static void bed_make_line(struct line *line, const char *protocols)
{
    struct kw_config *cfg;
    struct kw_alloc alloc = {.alloc = bed_alloc, .free = bed_free};
    CHECK(kw_config_create(&cfg, &alloc) == 0);
    CHECK(kw_config_set(cfg, "security.protocol", "SSL", NULL) == 0);
    CHECK(kw_config_set(cfg, "ssl.ca.pem", tls_end_authority(), NULL) == 0);
    CHECK(kw_config_set(cfg, "ssl.enabled.protocols", protocols, NULL) == 0);
    CHECK(kwi_tls_create(&line->tls, cfg, &bed.heap, NULL) == 0);
    kw_config_destroy(cfg);
}

static uint32_t bed_hash(const uint8_t *data, size_t size)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 16777619u;
    return hash ^ hash >> 15;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint32_t hash = bed_hash(data, size);
    if (!bed.lines[0].tls) {
        struct kw_alloc alloc = {.alloc = bed_alloc, .free = bed_free};
        kwi_heap_init(&bed.heap, &alloc, 64 << 20);
        for (size_t i = 0; i < sizeof bed.noise; i++)
            bed.noise[i] = (uint8_t)(i * 167 + (i >> 8));
        bed_make_line(&bed.lines[0], "TLSv1.2,TLSv1.3");
        bed_make_line(&bed.lines[1], "TLSv1.2");
    }
    bed.line = &bed.lines[input_byte(&in) & 1];
    bed.down.len = bed.down.read = bed.up.len = bed.up.read = 0;
    bed.record = bed.n_records = 0;
    bed.rough = bed.goodbye = bed.asked = bed.at_end = bed.io_fails = bed.io_told = false;
    if (hash % BED_SHAKE_ONE_IN == 0) {
        bed.rough = true;
        size_t cut = input_byte(&in) * 8u + 100, spoil = input_byte(&in);
        bed_shake(cut, spoil << (input_byte(&in) & 3), (uint8_t)spoil);
    } else if (!bed.line->session) {
        bed_shake(BED_PLENTY, 0, 0);
    }
    for (int i = 0; i < BED_OPS && in.len > 0 && !bed.is_over; i++)
        bed_do(&in, (enum op)(input_byte(&in) % OPS), hash % BED_ROUGH_ONE_IN == 0);
    if (!bed.is_over)
        bed_settle();
    if (bed.rough || bed.is_over)
        bed_hang_up();
    return 0;
}
