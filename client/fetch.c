/* client/fetch.c -- the Fetch exchange with one broker: what to ask for, and when.
 *
 * One request under way per broker, built late, when the driver asks for bytes. A
 * broker that keeps a session is told what changed, the others are told of each part
 * anew, those that were answered last, because a broker fills its answer in the order
 * of the parts. A part whose batch did not fit is asked for by itself.
 *
 * A part with data is not asked for. A request without it would wait at the broker
 * for records of the others, and whatever the application took meanwhile could not
 * be asked for: so as long as the application has something to take, only what is
 * known to be there is asked for, at once, and the rest every fetch.max.wait.ms. */
#include <string.h>

#include "client/error_text.h"
#include "client/fetcher.h"

/* Parts that are looked at to see whether one of them has more. */
enum { FETCHER_LOOK = 64 };

static struct kw_request *fetcher_pull(struct kw_link *link);
static void fetcher_due(struct kw_timer *timer);
static void fetcher_hold_over(struct kw_timer *timer);
static void fetcher_link_changed(struct kw_link *link, bool up);

/* ---- life -------------------------------------------------------------------------- */

struct kw_fetcher *kwi_fetcher_get(struct kw_consumer *consumer, struct kw_broker *broker)
{
    struct kw_fetcher *fetcher;

    for (struct kw_node *n = consumer->fetchers.first; n; n = n->next) {
        fetcher = KWI_OF(n, struct kw_fetcher, node);
        if (fetcher->link->broker == broker)
            return fetcher;
    }
    fetcher = kwi_alloc_zero(&consumer->core->control, sizeof(*fetcher));
    if (!fetcher)
        return NULL;
    fetcher->consumer = consumer;
    fetcher->lookup.type = &kwi_lookup_type;
    fetcher->check.type = &kwi_check_type;
    fetcher->timer.fire = fetcher_due;
    fetcher->hold.fire = fetcher_hold_over;
    fetcher->link = kwi_link_get(broker, KWI_LANE_FETCH, fetcher);
    if (!fetcher->link) {
        kwi_free(&consumer->core->control, fetcher, sizeof(*fetcher));
        return NULL;
    }
    fetcher->link->pull = fetcher_pull;
    fetcher->link->changed = fetcher_link_changed;
    kwi_list_push(&consumer->fetchers, &fetcher->node);
    return fetcher;
}

static void fetcher_link_changed(struct kw_link *link, bool up)
{
    if (!up)
        kwi_fetcher_leave_replicas(link->owner);
}

static void fetcher_free_scratch(struct kw_heap *heap, const struct kw_fetch_scratch *scratch)
{
    kwi_free(heap, scratch->partitions, scratch->cap * sizeof(*scratch->partitions));
    kwi_free(heap, scratch->topics, scratch->cap * sizeof(*scratch->topics));
    kwi_free(heap, scratch->forgotten, scratch->cap * sizeof(*scratch->forgotten));
    kwi_free(heap, scratch->forgotten_topics, scratch->cap * sizeof(*scratch->forgotten_topics));
}

void kwi_fetcher_destroy(struct kw_fetcher *fetcher)
{
    struct kw_consumer *consumer = fetcher->consumer;
    struct kw_heap *heap = &consumer->core->control;

    kwi_session_lost(fetcher);
    kwi_list_remove(&consumer->fetchers, &fetcher->node);
    kwi_core_disarm(consumer->core, &fetcher->timer);
    kwi_core_disarm(consumer->core, &fetcher->hold);
    kwi_ask_forget(&fetcher->lookup);
    kwi_ask_forget(&fetcher->check);
    if (fetcher->fetching)
        fetcher->fetching->owner = NULL;
    kwi_link_destroy(fetcher->link, KW_ERR_CLOSED);
    fetcher_free_scratch(heap, &fetcher->scratch);
    kwi_free(heap, fetcher, sizeof(*fetcher));
}

void kwi_fetchers_sweep(struct kw_consumer *consumer)
{
    struct kw_node *next;

    for (struct kw_node *n = consumer->fetchers.first; n; n = next) {
        struct kw_fetcher *fetcher = KWI_OF(n, struct kw_fetcher, node);
        next = n->next;
        if (fetcher->n_parts == 0)
            kwi_fetcher_destroy(fetcher);
    }
}

void kwi_fetchers_end(struct kw_consumer *consumer)
{
    for (struct kw_node *n = consumer->fetchers.first; n; n = n->next)
        kwi_session_end(KWI_OF(n, struct kw_fetcher, node));
}

void kwi_fetcher_kick(struct kw_fetcher *fetcher)
{
    if (!fetcher->fetching && !fetcher->consumer->closed)
        kwi_link_kick(fetcher->link);
}

static void fetcher_due(struct kw_timer *timer)
{
    kwi_fetcher_kick(KWI_OF(timer, struct kw_fetcher, timer));
}

void kwi_fetcher_later(struct kw_fetcher *fetcher)
{
    struct kw_core *core = fetcher->consumer->core;

    if (!fetcher->timer.armed)
        kwi_core_arm(core, &fetcher->timer,
                     kwi_core_after_ms(
                         core, kwi_consumer_setting(fetcher->consumer, KW_KEY_RETRY_BACKOFF_MS)));
}

static void fetcher_leave_replicas(struct kw_list *list)
{
    struct kw_node *next;

    for (struct kw_node *n = list->first; n; n = next) {
        struct kw_consumer_part *part = kwi_fetch_part(n);
        next = n->next;
        if (part->from == part->leader)
            continue;
        kwi_part_leave_replica(part);
        kwi_part_step(part, KWI_PART_MOVED);
    }
}

void kwi_fetcher_leave_replicas(struct kw_fetcher *fetcher)
{
    struct kw_list *lists[] = {&fetcher->idle,    &fetcher->named,    &fetcher->quiet,
                               &fetcher->parting, &fetcher->buffered, &fetcher->resting};

    for (unsigned i = 0; i < sizeof(lists) / sizeof(*lists); i++)
        fetcher_leave_replicas(lists[i]);
}

/* ---- when ---------------------------------------------------------------------------- */

static void fetcher_hold_over(struct kw_timer *timer)
{
    struct kw_fetcher *fetcher = KWI_OF(timer, struct kw_fetcher, hold);

    fetcher->hold_over = true;
    kwi_fetcher_kick(fetcher);
}

/* Whether a part that can be named is new, or is known to have more. Those that were
 * taken last stand at the end. */
static bool fetcher_is_eager(const struct kw_fetcher *fetcher)
{
    struct kw_node *node = fetcher->idle.last;

    for (unsigned i = 0; node && i < FETCHER_LOOK; node = node->prev, i++) {
        const struct kw_consumer_part *part = kwi_fetch_part(node);
        if (part->eager && (kwi_part_end(part) < 0 || part->position < kwi_part_end(part)))
            return true;
    }
    return false;
}

/* False: the application is to take what it has before more is asked for. */
static bool fetcher_may_ask(struct kw_fetcher *fetcher)
{
    const struct kw_consumer *consumer = fetcher->consumer;

    if (kwi_list_empty(&fetcher->buffered) || fetcher->hold_over || fetcher->was_full ||
        fetcher_is_eager(fetcher))
        return true;
    if (!fetcher->hold.armed)
        kwi_core_arm(consumer->core, &fetcher->hold,
                     kwi_core_after_ms(consumer->core,
                                       kwi_consumer_setting(consumer, KW_KEY_FETCH_MAX_WAIT_MS)));
    return false;
}

void kwi_fetcher_unheld(struct kw_fetcher *fetcher)
{
    if (fetcher->hold.armed && kwi_list_empty(&fetcher->buffered))
        kwi_fetcher_kick(fetcher);
}

/* ---- what ---------------------------------------------------------------------------- */

/* What the next request will be. */
struct fetch_plan {
    enum kw_fetch_kind kind;
    uint32_t n;       /* parts to name */
    uint32_t n_asked; /* parts that the answer may be about */
    bool is_solo, has_more;
    int32_t need;    /* bytes that are known to be needed */
    size_t envelope; /* of the answer, around the records */
};

/* Counts what the request would name: at most KWI_FETCH_PARTS, and no more than
 * leaves room for records beside their envelope. */
static void fetcher_count(struct kw_fetcher *fetcher, struct fetch_plan *plan)
{
    const struct kw_fetch_session *session = &fetcher->session;
    size_t most = fetcher->consumer->memory_max / 8;
    uint32_t max = plan->is_solo ? 1 : KWI_FETCH_PARTS;
    struct kw_node *node = fetcher->idle.first;

    plan->n = 0;
    plan->envelope = KWI_FETCH_ENVELOPE + (plan->kind == KWI_FETCH_NEXT ? session->envelope : 0);
    if (plan->kind == KWI_FETCH_NEXT && session->n_gone)
        max = 0; /* it is told first */
    for (; node && plan->n < max; node = node->next, plan->n++) {
        const struct kw_consumer_part *part = kwi_fetch_part(node);
        if (plan->envelope > most && (plan->n > 0 || plan->kind == KWI_FETCH_NEXT))
            break;
        if (plan->kind != KWI_FETCH_NEXT || part->member_of != fetcher)
            plan->envelope += kwi_fetch_envelope(part);
    }
    plan->has_more = node != NULL;
    plan->n_asked = plan->n + (plan->kind == KWI_FETCH_NEXT ? fetcher->n_quiet : 0);
}

static void fetcher_plan(struct kw_fetcher *fetcher, int version, struct fetch_plan *plan)
{
    struct kw_fetch_session *session = &fetcher->session;
    const struct kw_consumer_part *first;

    *plan = (struct fetch_plan){.kind = kwi_session_next(fetcher, version)};
    first = kwi_list_empty(&fetcher->idle) ? NULL : kwi_fetch_part(fetcher->idle.first);
    if (first && (fetcher->solo || first->want_bytes)) {
        plan->is_solo = true;
        plan->need = first->want_bytes;
        plan->kind = KWI_FETCH_ALONE;
    }
    fetcher_count(fetcher, plan);
    if (plan->kind != KWI_FETCH_NEXT || !plan->has_more || plan->n == KWI_FETCH_PARTS ||
        session->n_gone)
        return;
    /* The reserve is too small for all of them at once: they take turns. */
    session->crowded = fetcher->n_parts;
    kwi_session_restart(fetcher);
    plan->kind = KWI_FETCH_ALONE;
    fetcher_count(fetcher, plan);
}

static bool fetcher_grow(struct kw_fetcher *fetcher, uint32_t need)
{
    struct kw_heap *heap = &fetcher->consumer->core->control;
    struct kw_fetch_scratch grown = {.cap = fetcher->scratch.cap ? fetcher->scratch.cap : 8};

    if (need <= fetcher->scratch.cap)
        return true;
    while (grown.cap < need)
        grown.cap *= 2;
    grown.partitions = kwi_alloc(heap, grown.cap * sizeof(*grown.partitions));
    grown.topics = kwi_alloc(heap, grown.cap * sizeof(*grown.topics));
    grown.forgotten = kwi_alloc(heap, grown.cap * sizeof(*grown.forgotten));
    grown.forgotten_topics = kwi_alloc(heap, grown.cap * sizeof(*grown.forgotten_topics));
    if (!grown.partitions || !grown.topics || !grown.forgotten || !grown.forgotten_topics) {
        fetcher_free_scratch(heap, &grown);
        return false;
    }
    fetcher_free_scratch(heap, &fetcher->scratch);
    fetcher->scratch = grown;
    return true;
}

/* Room for what is named, and for what is forgotten. */
static uint32_t fetcher_scratch(const struct kw_fetcher *fetcher, const struct fetch_plan *plan)
{
    uint32_t n = fetcher->session.n_gone + fetcher->session.n_leaving;

    if (plan->kind != KWI_FETCH_NEXT || n <= plan->n)
        return plan->n;
    return n < KWI_FETCH_PARTS ? n : KWI_FETCH_PARTS;
}

/* Fills the scratch arrays from the parts that are named; returns the number of
 * topic entries. Neighbours of one topic share an entry. */
static uint32_t fetcher_fill(struct kw_fetcher *fetcher, int16_t version)
{
    const struct kw_consumer_topic *topic = NULL;
    int64_t each = kwi_consumer_setting(fetcher->consumer, KW_KEY_MAX_PARTITION_FETCH_BYTES);
    uint32_t n = 0, n_topics = 0;

    for (struct kw_node *node = fetcher->named.first; node; node = node->next, n++) {
        const struct kw_consumer_part *part = kwi_fetch_part(node);
        struct kw_fetch_request_partition *out = &fetcher->scratch.partitions[n];

        kwi_fetch_request_partition_init(out);
        out->partition = part->partition;
        out->current_leader_epoch = part->leader_epoch;
        out->fetch_offset = part->position;
        if (version >= 12)
            out->last_fetched_epoch = part->epoch;
        out->partition_max_bytes = (int32_t)(part->want_bytes > each ? part->want_bytes : each);
        if (part->topic != topic) {
            struct kw_fetch_request_topic *entry = &fetcher->scratch.topics[n_topics++];
            topic = part->topic;
            kwi_fetch_request_topic_init(entry);
            entry->topic = (struct kw_str){topic->meta->name, (int32_t)topic->meta->name_len};
            entry->topic_id = topic->id; /* the version has room for one of the two */
            entry->partitions = KWI_ARR(out, 0);
        }
        fetcher->scratch.topics[n_topics - 1].partitions.n++;
    }
    return n_topics;
}

static int fetcher_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_fetcher *fetcher = req->owner;
    struct kw_consumer *consumer = fetcher->consumer;
    const struct kw_fetch_session *session = &fetcher->session;
    const char *rack = kwi_consumer_text(consumer, KW_KEY_CLIENT_RACK);
    struct kw_fetch_request msg;

    kwi_fetch_request_init(&msg);
    msg.replica_id = -1;
    if (rack && consumer->rackless_until_us <= consumer->core->now.mono_us)
        msg.rack_id = kwi_str(rack);
    if (!fetcher->at_once)
        msg.max_wait_ms = (int32_t)kwi_consumer_setting(consumer, KW_KEY_FETCH_MAX_WAIT_MS);
    msg.min_bytes = (int32_t)kwi_consumer_setting(consumer, KW_KEY_FETCH_MIN_BYTES);
    msg.max_bytes = (int32_t)req->arg;
    msg.isolation_level = consumer->read_committed;
    msg.topics = KWI_ARR(fetcher->scratch.topics, fetcher_fill(fetcher, req->version));
    if (fetcher->kind == KWI_FETCH_ALONE) {
        msg.session_id = fetcher->is_solo ? 0 : session->id; /* (id, -1) closes it */
    } else {
        msg.session_id = session->id;
        msg.session_epoch = session->epoch;
        kwi_session_fill(fetcher, &msg, fetcher->scratch.forgotten,
                         fetcher->scratch.forgotten_topics);
    }
    return kwi_fetch_request_encode(&msg, req->version, wr);
}

/* By ids only if each topic has one: a request, and a session, is all of one kind. */
static int fetcher_choose(const struct kw_request *req, int broker_min, int broker_max)
{
    const struct kw_fetcher *fetcher = req->owner;
    int most = fetcher && fetcher->n_by_name ? KWI_FETCH_BY_ID - 1 : INT16_MAX;

    return kwi_link_choose(req, broker_min, broker_max, 0, most);
}

static const struct kw_request_type fetcher_type = {
    .api_key = KW_API_FETCH,
    .fetch = true,
    .room = kwi_fetch_room,
    .choose = fetcher_choose,
    .encode = fetcher_encode,
    .done = kwi_fetch_done,
};

bool kwi_fetcher_asks(const struct kw_fetcher *fetcher, const struct kw_consumer_part *part)
{
    if (!fetcher->fetching)
        return false;
    return part->list == &fetcher->named || part->list == &fetcher->parting ||
           (part->list == &fetcher->quiet && fetcher->kind != KWI_FETCH_ALONE);
}

/* The request goes out as planned. */
static void fetcher_name(struct kw_fetcher *fetcher, const struct fetch_plan *plan)
{
    fetcher->kind = (uint8_t)plan->kind;
    fetcher->is_solo = plan->is_solo;
    fetcher->n_named = plan->n;
    /* Nothing is waited for while another request would ask for more. */
    fetcher->at_once = !kwi_list_empty(&fetcher->buffered) || plan->is_solo ||
                       (plan->has_more && plan->kind != KWI_FETCH_ALONE &&
                        !fetcher->session.refused);
    fetcher->starving = false;
    fetcher->hold_over = false;
    kwi_core_disarm(fetcher->consumer->core, &fetcher->hold);
    for (uint32_t n = plan->n; n > 0; n--) {
        struct kw_consumer_part *part = kwi_fetch_part(fetcher->idle.first);
        kwi_part_move(part, &fetcher->named);
        if (plan->kind != KWI_FETCH_ALONE)
            kwi_session_enroll(fetcher, part);
    }
    fetcher->consumer->core->stats.fetches++;
    fetcher->consumer->core->stats.fetch_parts_named += plan->n;
    if (plan->kind == KWI_FETCH_NEXT)
        kwi_session_tell(fetcher);
}

static struct kw_request *fetcher_pull(struct kw_link *link)
{
    struct kw_fetcher *fetcher = link->owner;
    struct kw_core *core = link->core;
    struct kw_request *req;
    struct fetch_plan plan;
    size_t reserved = 0;
    int version = 0;

    if (fetcher->consumer->closed || fetcher->fetching || fetcher->timer.armed)
        return NULL; /* timer: it pauses */
    if (kwi_list_empty(&fetcher->idle) && kwi_list_empty(&fetcher->quiet))
        return NULL;
    if (core->unpack.is_short) { /* what was fetched comes before what could be */
        kwi_fetcher_starve(fetcher);
        return NULL;
    }
    if (!fetcher_may_ask(fetcher))
        return NULL;
    req = kwi_consumer_request(fetcher->consumer, link, &fetcher_type, fetcher);
    if (!req) {
        kwi_fetcher_later(fetcher);
        return NULL;
    }
    if (!kwi_link_version(link, req, &version))
        version = 0; /* encoding it fails, and says so */
    fetcher_plan(fetcher, version, &plan);
    if (!fetcher_grow(fetcher, fetcher_scratch(fetcher, &plan))) {
        kwi_request_destroy(req);
        kwi_fetcher_later(fetcher);
        return NULL;
    }
    req->arg = kwi_fetcher_reserve(fetcher, plan.n_asked, plan.need, plan.envelope, &reserved);
    if (!req->arg) { /* it is woken when there is room */
        kwi_request_destroy(req);
        return NULL;
    }
    req->reserved = reserved;
    fetcher->fetching = req;
    fetcher_name(fetcher, &plan);
    return req;
}
