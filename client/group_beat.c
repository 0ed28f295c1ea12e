/* client/group_beat.c -- ConsumerGroupHeartbeat: what a member of a KIP-848 group says,
 * and what the coordinator's answer means for it. The state machine that it moves is in
 * group_consumer.c.
 *
 * One heartbeat at a time. A small one names the member and its epoch; what the
 * coordinator knows already is left out. What it knows is uncertain after a failure,
 * and then the next one says everything. */
#include <string.h>

#include "client/config.h"
#include "client/error_text.h"
#include "client/group_consumer.h"
#include "client/throttle.h"
#include "proto/error.h"

enum { BEAT_EPOCH_JOIN = 0, BEAT_EPOCH_LEAVE = -1, BEAT_EPOCH_LEAVE_STATIC = -2 };
enum { BEAT_INTERVAL_MIN_MS = 10, BEAT_INTERVAL_MAX_MS = 3600000 };
/* The longest session that Kafka's brokers allow a group by default, for when a broker does
 * not tell it; and what they may take to notice its end. */
enum { BEAT_SESSION_MAX_MS = 60000, BEAT_HELD_SPARE_MS = 2000 };

/* What an error of a heartbeat leads to. */
enum beat_verdict {
    BEAT_LATER,   /* again, after a pause */
    BEAT_MOVED,   /* again, when the coordinator is found */
    BEAT_VOID,    /* membership is over: join again */
    BEAT_DENIED,  /* told, and membership goes on */
    BEAT_HELD,    /* told, and a join is tried again while it may heal; then as BEAT_FATAL */
    BEAT_CLASSIC, /* as BEAT_FATAL, unless the classic protocol may be used instead */
    BEAT_FATAL
};

static const struct {
    int16_t code;
    uint8_t verdict; /* enum beat_verdict */
    const char *what;
} beat_errors[] = {
    {KW_E_COORDINATOR_NOT_AVAILABLE, BEAT_MOVED, ""},
    {KW_E_NOT_COORDINATOR, BEAT_MOVED, ""},
    {KW_E_UNKNOWN_MEMBER_ID, BEAT_VOID, ""},
    {KW_E_FENCED_MEMBER_EPOCH, BEAT_VOID, ""},
    {KW_E_TOPIC_AUTHORIZATION_FAILED, BEAT_DENIED, "a topic of the subscription is denied"},
    {KW_E_UNSUPPORTED_VERSION, BEAT_CLASSIC, "the cluster has not enabled the consumer protocol"},
    {KW_E_GROUP_ID_NOT_FOUND, BEAT_CLASSIC, "it is a group of another protocol"},
    {KW_E_UNRELEASED_INSTANCE_ID, BEAT_HELD, "another member has our group.instance.id"},
    {KW_E_FENCED_INSTANCE_ID, BEAT_FATAL, "another member has taken over group.instance.id"},
    {KW_E_GROUP_MAX_SIZE_REACHED, BEAT_FATAL, "it has as many members as it may have"},
    {KW_E_UNSUPPORTED_ASSIGNOR, BEAT_FATAL, "the broker has no such group.remote.assignor"},
    {KW_E_INVALID_REGULAR_EXPRESSION, BEAT_FATAL, "the pattern is no regular expression"},
};

/* ---- what it says ------------------------------------------------------------------------ */

bool kwi_modern_has_news(const struct kw_modern *modern)
{
    return (modern->group->names && modern->told_subscription != modern->subscription) ||
           (modern->state == KWI_MODERN_ACK && modern->told_owned != modern->owned);
}

static struct kw_str *beat_names(const struct kw_modern *modern)
{
    const struct kw_group_names *names = modern->group->names;
    uint32_t n = names ? names->n : 0;
    struct kw_str *list = kwi_alloc(&kwi_modern_core(modern)->control, (n + 1) * sizeof(*list));

    for (uint32_t i = 0; list && i < n; i++)
        list[i] = kwi_str(names->list[i]);
    return list;
}

static void beat_fill(struct kw_modern *modern, struct kw_consumer_group_heartbeat_request *msg,
                      bool all)
{
    const struct kw_group *group = modern->group;
    const char *assignor = kwi_consumer_text(group->consumer, KW_KEY_GROUP_REMOTE_ASSIGNOR);
    const char *rack = kwi_consumer_text(group->consumer, KW_KEY_CLIENT_RACK);

    msg->group_id = kwi_str(kwi_modern_keeper(modern)->group_id);
    msg->member_id = kwi_str(modern->member_id);
    if (group->instance_id)
        msg->instance_id = kwi_str(group->instance_id);
    if (!all)
        return;
    msg->rebalance_timeout_ms = (int32_t)kwi_consumer_setting(group->consumer,
                                                              KW_KEY_MAX_POLL_INTERVAL_MS);
    if (rack && *rack)
        msg->rack_id = kwi_str(rack);
    if (assignor && *assignor)
        msg->server_assignor = kwi_str(assignor);
}

/* The subscription: names, and a pattern, if there is one, or was one that is to be
 * forgotten. */
static void beat_subscribe(struct kw_modern *modern,
                           struct kw_consumer_group_heartbeat_request *msg,
                           const struct kw_str *names)
{
    const char *pattern = modern->group->names->pattern;

    msg->subscribed_topic_names = KWI_ARR(names, modern->group->names->n);
    if (pattern || modern->had_pattern)
        msg->subscribed_topic_regex = kwi_str(pattern ? pattern : "");
    modern->had_pattern |= pattern != NULL;
}

static int beat_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_modern *modern = req->owner;
    struct kw_heap *heap = &req->core->control;
    struct kw_consumer_group_heartbeat_request msg;
    struct kw_modern_claim claim = {NULL, 0, NULL, 0};
    bool join, all, tells;
    struct kw_str *names;
    int rc = KW_ERR_NOMEM;
    uint32_t n_names;

    /* While it parts it stays a member, of what the coordinator knows. */
    if (!modern || (!modern->group->names && modern->state == KWI_MODERN_JOIN))
        return KW_ERR_CANCELED;
    join = modern->state == KWI_MODERN_JOIN;
    all = join || modern->full;
    n_names = modern->group->names ? modern->group->names->n : 0;
    tells = modern->group->names && (all || modern->told_subscription != modern->subscription);
    names = beat_names(modern);
    if (names && !kwi_modern_claim(modern, &claim)) {
        kwi_consumer_group_heartbeat_request_init(&msg);
        beat_fill(modern, &msg, all);
        msg.member_epoch = join ? BEAT_EPOCH_JOIN : kwi_modern_keeper(modern)->member.epoch;
        if (tells)
            beat_subscribe(modern, &msg, names);
        if (all || kwi_modern_has_news(modern))
            msg.topic_partitions = KWI_ARR(claim.topics, claim.n_topics);
        rc = kwi_consumer_group_heartbeat_request_encode(&msg, req->version, wr);
        modern->sent_us = req->core->now.mono_us;
        modern->sent_subscription = tells ? modern->subscription : modern->told_subscription;
        modern->sent_owned = msg.topic_partitions.n >= 0 ? modern->owned : modern->told_owned;
        modern->claimed = true;
        kwi_modern_claim_free(modern, &claim);
    }
    kwi_free(heap, names, (n_names + 1) * sizeof(*names));
    return rc;
}

/* ---- what its answer means -------------------------------------------------------------- */

void kwi_modern_beat_later(struct kw_modern *modern)
{
    struct kw_core *core = kwi_modern_core(modern);

    kwi_core_arm(core, &modern->beat,
                 kwi_offsets_pause(modern->group->consumer, &modern->failures));
}

/* The group cannot be had this way: by the classic protocol, if it may be, or not at
 * all. The state is gone then. */
static void beat_fall_back(struct kw_modern *modern, int code, int16_t kafka_code, const char *what)
{
    const struct kw_group_names *names = modern->group->names;
    bool pattern = names && names->pattern; /* of which the classic one has none */
    struct kw_error err;
    int rc = modern->may_fall_back && !pattern ? kwi_group_use_classic(modern->group, &err)
                                               : KW_ERR_STATE;

    if (rc == 0)
        return;
    if (rc == KW_ERR_NOMEM) {
        kwi_group_lacks_memory(modern->group, &modern->n_unsaid, "no memory to join it");
        kwi_modern_step(modern, KWI_MODERN_RETRY);
    } else {
        kwi_modern_fail(modern, code, kafka_code, what);
    }
}

void kwi_modern_unsaid(struct kw_modern *modern)
{
    if (kwi_coordinator_broker(kwi_modern_keeper(modern)->coordinator))
        kwi_group_lacks_memory(modern->group, &modern->n_unsaid,
                               modern->state == KWI_MODERN_JOIN ? "no memory to join it"
                                                                : "no memory for a heartbeat");
}

/* It may or may not have arrived. */
static void beat_lost(struct kw_modern *modern, const struct kw_request *req,
                      const struct kw_answer *answer, int rc)
{
    bool join = modern->state == KWI_MODERN_JOIN;
    bool is_short = answer->err == KW_ERR_NOMEM && !answer->offered;

    modern->full = true;
    if ((rc == KW_ERR_UNSUPPORTED || rc == KW_ERR_VERSION) && join) {
        beat_fall_back(modern, rc, 0,
                       "the coordinator does not offer the consumer protocol "
                       "(Kafka 4.0 and newer do)");
        return;
    }
    if (kwi_keeper_is_final(rc) && rc != KW_ERR_CLOSED) {
        kwi_modern_fail(modern, rc, 0, kw_err_name(rc));
        return;
    }
    if (is_short) /* and the coordinator is not to blame */
        kwi_modern_unsaid(modern);
    else
        kwi_keeper_lost(modern->group->consumer, req, rc);
    if (join)
        kwi_modern_step(modern, KWI_MODERN_RETRY);
    else
        kwi_modern_beat_later(modern);
}

static void beat_denied(struct kw_modern *modern, int16_t error, const char *what)
{
    struct kw_error why;

    if (!modern->denied) {
        kwi_group_error(modern->group, &why, KW_ERR_BROKER, error, what, "");
        kwi_group_tell_error(modern->group, &why);
    }
    modern->denied = true;
    if (modern->state == KWI_MODERN_JOIN)
        kwi_modern_step(modern, KWI_MODERN_RETRY);
    else
        kwi_modern_beat_later(modern);
}

/* A static member that died keeps its name until its session is over; then a join gets
 * through. One that lives keeps it longer. Returns whether to try again. */
static bool beat_may_heal(struct kw_modern *modern, int16_t error)
{
    struct kw_core *core = kwi_modern_core(modern);
    int64_t wait_ms = modern->session_known ? modern->session_ms : BEAT_SESSION_MAX_MS;
    struct kw_error why;

    if (!modern->held) {
        modern->held = true;
        modern->held_us = core->now.mono_us;
        kwi_group_error(modern->group, &why, KW_ERR_BROKER, error,
                        "another member has our group.instance.id: waiting until its session "
                        "is over",
                        "");
        why.retriable = 1;
        kwi_group_tell_error(modern->group, &why);
        kwi_modern_ask_session(modern);
    }
    return core->now.mono_us - modern->held_us < (uint64_t)(wait_ms + BEAT_HELD_SPARE_MS) * 1000;
}

static uint8_t beat_verdict(int16_t error, const char **what)
{
    *what = "membership was refused";
    for (size_t i = 0; i < sizeof beat_errors / sizeof *beat_errors; i++) {
        if (beat_errors[i].code == error) {
            *what = beat_errors[i].what;
            return beat_errors[i].verdict;
        }
    }
    if (kwi_error_info(error)->flags & KW_E_RETRIABLE || error == KW_E_UNKNOWN_SERVER_ERROR)
        return BEAT_LATER;
    return BEAT_FATAL;
}

static void beat_refused(struct kw_modern *modern, int16_t error)
{
    bool join = modern->state == KWI_MODERN_JOIN;
    const char *what;
    uint8_t verdict = beat_verdict(error, &what);

    modern->full = true;
    if (verdict == BEAT_HELD && join && beat_may_heal(modern, error)) {
        modern->claimed = false; /* there is no member of ours to be taken out */
        kwi_modern_step(modern, KWI_MODERN_RETRY);
        return;
    }
    switch ((enum beat_verdict)verdict) {
    case BEAT_LATER:
    case BEAT_MOVED:
        if (join)
            kwi_modern_step(modern, KWI_MODERN_RETRY);
        else
            kwi_modern_beat_later(modern);
        return;
    case BEAT_VOID: kwi_modern_void(modern, error); return;
    case BEAT_DENIED: beat_denied(modern, error, what); return;
    case BEAT_CLASSIC:
        if (join)
            beat_fall_back(modern, KW_ERR_BROKER, error, what);
        else
            kwi_modern_fail(modern, KW_ERR_BROKER, error, what);
        return;
    case BEAT_HELD:
    case BEAT_FATAL:
        if (join || error == KW_E_FENCED_INSTANCE_ID)
            modern->claimed = false;
        kwi_modern_fail(modern, KW_ERR_BROKER, error, what);
        return;
    }
}

/* What the coordinator has heard, it knows from now on. */
static void beat_confirmed(struct kw_modern *modern,
                           const struct kw_consumer_group_heartbeat_response *msg)
{
    struct kw_core *core = kwi_modern_core(modern);
    int64_t interval_ms = msg->heartbeat_interval_ms;
    uint64_t due_us;

    if (interval_ms < BEAT_INTERVAL_MIN_MS)
        interval_ms = BEAT_INTERVAL_MIN_MS;
    if (interval_ms > BEAT_INTERVAL_MAX_MS)
        interval_ms = BEAT_INTERVAL_MAX_MS;
    if (modern->state == KWI_MODERN_JOIN || interval_ms != modern->interval_ms)
        kwi_modern_ask_session(modern);
    modern->interval_ms = interval_ms;
    modern->told_subscription = modern->sent_subscription;
    modern->told_owned = modern->sent_owned;
    modern->full = modern->denied = modern->held = modern->may_fall_back = false;
    modern->n_unsaid = 0;
    if (modern->state != KWI_MODERN_JOIN)
        modern->attempts = 0;
    kwi_modern_keeper(modern)->member.epoch = msg->member_epoch;
    modern->confirmed_us = modern->sent_us;
    kwi_group_confirmed(modern->group, modern->sent_us, kwi_modern_session(modern));
    due_us = modern->sent_us + (uint64_t)interval_ms * 1000;
    /* Not before now: that the answer came late is not the application's fault. */
    kwi_core_arm(core, &modern->beat, due_us > core->now.mono_us ? due_us : core->now.mono_us);
}

/* What it gives us found no memory: again, behind a pause that grows. Membership is good
 * meanwhile, so that the heartbeat is not put off beyond what the coordinator wants. */
static void beat_untaken(struct kw_modern *modern)
{
    uint64_t due_us = modern->beat.deadline_us;

    kwi_group_lacks_memory(modern->group, &modern->n_untaken, "no memory for what it gives us");
    modern->full = true; /* a full one is answered with the assignment, too */
    kwi_modern_beat_later(modern);
    if (modern->beat.deadline_us > due_us)
        kwi_core_arm(kwi_modern_core(modern), &modern->beat, due_us);
}

static void beat_answered(struct kw_modern *modern,
                          const struct kw_consumer_group_heartbeat_response *msg)
{
    bool given;

    beat_confirmed(modern, msg);
    if (modern->state == KWI_MODERN_JOIN)
        kwi_modern_step(modern, KWI_MODERN_JOINED);
    given = msg->assignment.present && modern->state != KWI_MODERN_PART;
    if (given && kwi_modern_target(modern, &msg->assignment)) {
        beat_untaken(modern);
        return;
    }
    modern->failures = 0;
    if (given) {
        kwi_modern_step(modern, KWI_MODERN_TARGET);
    } else if (modern->state == KWI_MODERN_ACK && modern->told_owned == modern->owned) {
        kwi_modern_step(modern, KWI_MODERN_TOLD);
    }
    if (kwi_modern_is_member(modern) && kwi_modern_has_news(modern))
        (void)kwi_modern_beat(modern);
}

/* An epoch that no coordinator gives: below 1, or below the one that we have. */
static bool beat_epoch_is_good(const struct kw_modern *modern, int32_t epoch)
{
    return epoch > 0 && epoch >= kwi_modern_keeper(modern)->member.epoch;
}

static void beat_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_modern *modern = req->owner;
    struct kw_coordinator *coordinator;
    struct kw_consumer_group_heartbeat_response msg;
    struct kw_fault fault;
    int rc = answer->err;

    if (!modern)
        return;
    modern->beating = NULL;
    coordinator = kwi_modern_keeper(modern)->coordinator;
    if (!rc && kwi_consumer_group_heartbeat_response_decode(&msg, req->version, answer->body,
                                                            answer->len, &fault))
        rc = kwi_request_malformed(req, &fault, NULL);
    if (!rc && !msg.error_code && !beat_epoch_is_good(modern, msg.member_epoch))
        rc = kwi_request_malformed(req, NULL,
                                   "consumer_group_heartbeat_response with an impossible epoch");
    if (rc) {
        beat_lost(modern, req, answer, rc);
        return;
    }
    kwi_throttle(req, msg.throttle_time_ms);
    if (kwi_coordinator_is_lost(msg.error_code))
        kwi_coordinator_lost(coordinator, (int32_t)req->arg);
    else if (!msg.error_code)
        kwi_coordinator_proved(coordinator);
    if (msg.error_code)
        beat_refused(modern, msg.error_code);
    else
        beat_answered(modern, &msg);
}

static const struct kw_request_type beat_type = {
    .api_key = KW_API_CONSUMER_GROUP_HEARTBEAT,
    .encode = beat_encode,
    .done = beat_done,
};

/* ---- leaving ---------------------------------------------------------------------------- */

/* A static member leaves for a while: what it has is kept for it (KIP-345). */
static int beat_leave_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_modern *modern = req->owner;
    struct kw_consumer_group_heartbeat_request msg;

    if (!modern)
        return KW_ERR_CANCELED;
    kwi_consumer_group_heartbeat_request_init(&msg);
    beat_fill(modern, &msg, false);
    msg.member_epoch = kwi_group_stays(modern->group) ? BEAT_EPOCH_LEAVE_STATIC : BEAT_EPOCH_LEAVE;
    return kwi_consumer_group_heartbeat_request_encode(&msg, req->version, wr);
}

/* Whatever the answer is, the coordinator will have forgotten us by the end of the
 * session. */
static void beat_leave_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_modern *modern = req->owner;

    if (!modern)
        return;
    modern->leaving = NULL;
    if (answer->err)
        kwi_keeper_lost(modern->group->consumer, req, answer->err);
    kwi_modern_left(modern);
}

static const struct kw_request_type beat_leave_type = {
    .api_key = KW_API_CONSUMER_GROUP_HEARTBEAT,
    .encode = beat_leave_encode,
    .done = beat_leave_done,
};

/* ---- sending ---------------------------------------------------------------------------- */

static struct kw_request *beat_request(struct kw_modern *modern, const struct kw_request_type *type)
{
    struct kw_consumer *consumer = modern->group->consumer;
    struct kw_link *link = kwi_keeper_link(consumer);
    struct kw_request *req = link ? kwi_consumer_request(consumer, link, type, modern) : NULL;

    if (req)
        req->arg = (uint64_t)link->broker->node_id;
    return req;
}

bool kwi_modern_beat(struct kw_modern *modern)
{
    int64_t session_ms = kwi_modern_session(modern);
    int64_t timeout_ms = kwi_consumer_setting(modern->group->consumer, KW_KEY_REQUEST_TIMEOUT_MS);

    if (modern->beating)
        return true; /* its answer looks what else there is to tell */
    modern->beating = beat_request(modern, &beat_type);
    if (!modern->beating)
        return false;
    kwi_core_disarm(kwi_modern_core(modern), &modern->beat);
    modern->beating->timeout_ms = (uint32_t)(timeout_ms < session_ms ? timeout_ms : session_ms);
    kwi_request_submit(modern->beating);
    return true;
}

bool kwi_modern_send_leave(struct kw_modern *modern)
{
    kwi_modern_forget(&modern->leaving); /* an older one: we joined again since */
    modern->leaving = beat_request(modern, &beat_leave_type);
    if (modern->leaving)
        kwi_request_submit(modern->leaving);
    return modern->leaving != NULL;
}
