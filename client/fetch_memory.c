/* client/fetch_memory.c -- the memory of what is fetched. The worst answer is
 * reserved before it is asked for (law 7), so max_bytes is what the reserve has, at
 * most a fair share of it; when there is not enough a fetcher waits for the
 * application, or for the unpacker, to let go of something. */
#include "client/conn.h"
#include "client/fetcher.h"

enum {
    FETCHER_LEAST = 4096,       /* the smallest max_bytes of a small reserve */
    FETCHER_NEAR = 1024 * 1024, /* what a near broker is asked for at least */
    FETCHER_BYTES_PER_US = 1000 /* of a fast link */
};

/* Leaders that a consumer reads from. */
static size_t fetcher_count_leaders(const struct kw_consumer *consumer)
{
    size_t n = 0;

    for (const struct kw_node *f = consumer->fetchers.first; f; f = f->next)
        n += KWI_OF(f, const struct kw_fetcher, node)->n_parts > 0;
    return n;
}

/* A fair share: of the reserve among all leaders, and of the consumer's among its own;
 * half of it, so that one answer is read while the one before is handed out. */
static size_t fetcher_share(const struct kw_consumer *consumer)
{
    const struct kw_core *core = consumer->core;
    size_t own = fetcher_count_leaders(consumer), all = 0, share, of_all;

    for (const struct kw_node *c = core->consumers.first; c; c = c->next)
        all += fetcher_count_leaders(KWI_OF(c, const struct kw_consumer, node));
    share = consumer->memory_max / (2 * (own ? own : 1));
    of_all = core->fetch.limit / (2 * (all ? all : 1));
    return share < of_all ? share : of_all;
}

/* The largest max_bytes, at most want, whose answer costs at most room: halved
 * until it fits, but not below least. 0: least does not fit either. */
static size_t fetcher_fit(size_t want, size_t least, size_t envelope, size_t room)
{
    while (want > least && kwi_pool_cost(want + envelope) > room)
        want = want / 2 > least ? want / 2 : least;
    return kwi_pool_cost(want + envelope) > room ? 0 : want;
}

static bool fetcher_drop_paused(const struct kw_consumer *consumer)
{
    bool dropped = false;

    for (struct kw_node *f = consumer->fetchers.first; f; f = f->next) {
        struct kw_fetcher *fetcher = KWI_OF(f, struct kw_fetcher, node);
        for (struct kw_node *p = fetcher->resting.first; p; p = p->next) {
            struct kw_consumer_part *part = kwi_fetch_part(p);
            if (!part->data.block)
                continue;
            kwi_part_drop(part);
            dropped = true;
        }
    }
    return dropped;
}

bool kwi_fetchers_drop_paused(struct kw_core *core)
{
    bool dropped = false;

    for (struct kw_node *c = core->consumers.first; c; c = c->next)
        dropped |= fetcher_drop_paused(KWI_OF(c, struct kw_consumer, node));
    return dropped;
}

/* ---- consumer.memory ---------------------------------------------------------------- */

/* What is left of its share: without end if it has nothing, so that there is always one
 * answer. */
static size_t fetcher_own_room(const struct kw_consumer *consumer)
{
    size_t used = consumer->tally->used;

    for (const struct kw_node *f = consumer->fetchers.first; f; f = f->next) {
        const struct kw_request *req = KWI_OF(f, const struct kw_fetcher, node)->fetching;
        used += req ? req->reserved : 0;
    }
    if (used == 0)
        return SIZE_MAX;
    return used < consumer->memory_max ? consumer->memory_max - used : 0;
}

/* What a fetch may cost, and whether it is the consumer's share that says so. */
struct fetch_room {
    size_t bytes;
    bool is_share;
};

/* need: a batch that would not fit its share ever is not held to it. */
static struct fetch_room fetcher_room(const struct kw_consumer *consumer, int32_t need)
{
    size_t own = need ? SIZE_MAX : fetcher_own_room(consumer);
    size_t all = kwi_pool_free(&consumer->core->fetch_pool);

    return (struct fetch_room){own < all ? own : all, own < all};
}

/* Makes room for a fetch that finds none, in what it is short of. */
static bool fetcher_make_room(struct kw_consumer *consumer, const struct fetch_room *room)
{
    if (room->is_share)
        return fetcher_drop_paused(consumer);
    return kwi_fetchers_drop_paused(consumer->core) || kwi_unpack_trim(consumer->core, 0);
}

/* ---- when there is none --------------------------------------------------------------- */

/* Is nothing to be expected but from what the application lets go? A fetch that
 * waits for records at the end of its partitions does not count, nor one whose
 * answer cannot be read for want of memory. */
static bool fetcher_only_held(const struct kw_consumer *consumer)
{
    if (!kwi_list_empty(&consumer->ready))
        return false;
    for (const struct kw_node *f = consumer->fetchers.first; f; f = f->next) {
        const struct kw_fetcher *fetcher = KWI_OF(f, const struct kw_fetcher, node);
        if (fetcher->fetching && !fetcher->fetching->stalled && !fetcher->at_end)
            return false;
    }
    return true;
}

bool kwi_fetchers_only_held(const struct kw_core *core)
{
    for (const struct kw_node *c = core->consumers.first; c; c = c->next) {
        if (!fetcher_only_held(KWI_OF(c, const struct kw_consumer, node)))
            return false;
    }
    return true;
}

/* A consumer that is short of its own share waits for its own handles, whatever the
 * others do. */
static void fetcher_tell_starved(struct kw_consumer *consumer, bool of_share)
{
    struct kw_core *core = consumer->core;

    if (core->unpack.busy || !kwi_list_empty(&core->unpack.waiting))
        return;
    if (of_share ? fetcher_only_held(consumer) && !kwi_list_empty(&consumer->held)
                 : kwi_fetchers_only_held(core))
        kwi_consumer_starve(consumer);
}

static void fetcher_starve(struct kw_fetcher *fetcher, bool of_share)
{
    fetcher->starving = fetcher->consumer->core->fetchers_starve = true;
    fetcher_tell_starved(fetcher->consumer, of_share);
}

void kwi_fetcher_starve(struct kw_fetcher *fetcher)
{
    fetcher_starve(fetcher, false);
}

/* ---- asking --------------------------------------------------------------------------- */

/* What is read should still be in the processor's cache when it is checked and handed
 * out, so no more is asked for than keeps a link busy: what comes in a round trip. */
static int64_t fetcher_enough(const struct kw_fetcher *fetcher, int64_t each)
{
    const struct kw_conn *conn = fetcher->link->conn;
    int64_t enough = each > FETCHER_NEAR ? each : FETCHER_NEAR;

    if (!conn || conn->near_us > INT32_MAX / FETCHER_BYTES_PER_US)
        return INT32_MAX;
    return (int64_t)conn->near_us * FETCHER_BYTES_PER_US > enough
               ? (int64_t)conn->near_us * FETCHER_BYTES_PER_US
               : enough;
}

size_t kwi_fetcher_reserve(struct kw_fetcher *fetcher, uint32_t n, int32_t need, size_t envelope,
                           size_t *reserved)
{
    struct kw_consumer *consumer = fetcher->consumer;
    struct kw_pool *pool = &consumer->core->fetch_pool;
    int64_t each = kwi_consumer_setting(consumer, KW_KEY_MAX_PARTITION_FETCH_BYTES);
    int64_t most = kwi_consumer_setting(consumer, KW_KEY_FETCH_MAX_BYTES);
    int64_t want = each < most / n ? each * n : most;
    size_t share = fetcher_share(consumer);
    int64_t enough = fetcher_enough(fetcher, each);
    struct fetch_room room;
    size_t bytes, least;

    if (want > enough)
        want = enough;
    if (need > want) {
        want = need; /* it did not fit a fair share before */
        share = pool->heap->limit;
    }
    /* What is free now may lower it to one part's worth, not below: a broker
     * sends the first batch whole, and it must find its room. */
    want = (int64_t)fetcher_fit((size_t)want, FETCHER_LEAST, envelope, share);
    if (!want)
        want = FETCHER_LEAST;
    least = (size_t)(each < want ? each : want);
    do {
        room = fetcher_room(consumer, need);
        bytes = fetcher_fit((size_t)want, least, envelope, room.bytes);
    } while (!bytes && fetcher_make_room(consumer, &room));
    *reserved = kwi_pool_cost(bytes + envelope);
    if (bytes && kwi_pool_reserve(pool, *reserved))
        return bytes;
    fetcher_starve(fetcher, room.is_share);
    return 0;
}

/* A broker sends the first batch whole, however little was asked for (KIP-74). It may
 * have to stay in the socket until the application lets go of something. */
void kwi_fetch_room(struct kw_request *req, struct kw_block *block)
{
    const struct kw_fetcher *fetcher = req->owner;

    if (fetcher && block)
        kwi_block_charge(block, fetcher->consumer->tally);
    else if (fetcher)
        fetcher_tell_starved(fetcher->consumer, false);
}

void kwi_fetchers_feed(struct kw_core *core)
{
    kwi_unpack_poke(core);
    if (!core->fetchers_starve)
        return;
    core->fetchers_starve = false;
    for (struct kw_node *c = core->consumers.first; c; c = c->next) {
        struct kw_consumer *consumer = KWI_OF(c, struct kw_consumer, node);
        for (struct kw_node *f = consumer->fetchers.first; f; f = f->next) {
            struct kw_fetcher *fetcher = KWI_OF(f, struct kw_fetcher, node);
            if (!fetcher->starving)
                continue;
            fetcher->starving = false;
            kwi_fetcher_kick(fetcher);
        }
    }
}
