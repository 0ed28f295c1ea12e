/* client/subscription.c -- what a consumer subscribes to, and by which protocol it is a
 * member then: kw_core_subscribe, kw_core_subscribe_pattern. What a protocol does with it
 * is its own affair. */
#include <string.h>

#include "base/bytes.h"
#include "base/fmt.h"
#include "client/births.h"
#include "client/config.h"
#include "client/error_text.h"
#include "client/group.h"
#include <kwire/kwire.h>

enum { SUBSCRIPTION_TOPICS_MAX = 4096, SUBSCRIPTION_PATTERN_MAX = 16384 };

/* Names are sorted, and asked for once a partition. */
bool kwi_group_subscribes(const struct kw_group *group, struct kw_str topic)
{
    uint32_t low = 0, high = group->names && topic.len > 0 ? group->names->n : 0;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const char *name = group->names->list[middle];
        int order = kwi_bytes_compare(name, strlen(name), topic.ptr, (size_t)topic.len);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static bool subscription_less(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a < (unsigned char)*b;
}

/* A sorted copy; a name that is there twice counts once. */
static struct kw_group_names *subscription_names(struct kw_heap *heap, const char *const *topics,
                                                 size_t n)
{
    size_t size = sizeof(struct kw_group_names) + n * sizeof(char *);
    struct kw_group_names *names;
    char *blob;

    for (size_t i = 0; i < n; i++)
        size += strlen(topics[i]) + 1;
    names = kwi_alloc_zero(heap, size);
    if (!names)
        return NULL;
    names->size = size;
    blob = (char *)(names->list + n);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(topics[i]) + 1;
        uint32_t at = names->n;
        memcpy(blob, topics[i], len);
        while (at > 0 && subscription_less(blob, names->list[at - 1]))
            at--;
        if (at > 0 && !subscription_less(names->list[at - 1], blob))
            continue; /* the same */
        memmove(names->list + at + 1, names->list + at, (names->n - at) * sizeof(char *));
        names->list[at] = blob;
        names->n++;
        blob += len;
    }
    return names;
}

static bool subscription_instance_is_good(const char *id)
{
    size_t len = strlen(id);

    for (size_t i = 0; i < len; i++) {
        char c = id[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    }
    return len > 0 && len <= 249 && !(id[0] == '.' && (len == 1 || (len == 2 && id[1] == '.')));
}

static void subscription_commit_refused(struct kw_consumer *consumer, int16_t kafka_code,
                                        int32_t epoch)
{
    if (consumer->group && epoch >= 0 && epoch == consumer->keeper.member.epoch)
        consumer->group->protocol->refused(consumer->group, kafka_code);
}

static bool subscription_is_set(const struct kw_consumer *consumer, enum kw_key key)
{
    return kwi_config_is_set(consumer->core->cfg, key) ||
           (consumer->own && kwi_config_is_set(consumer->own, key));
}

/* Of auto: what only the classic protocol has asks for it, what only the other has
 * excludes it; else the cluster decides. */
static int subscription_choose(struct kw_group *group, bool pattern, struct kw_error *err)
{
    static const enum kw_key classic[] = {KW_KEY_SESSION_TIMEOUT_MS, KW_KEY_HEARTBEAT_INTERVAL_MS,
                                          KW_KEY_PARTITION_ASSIGNMENT_STRATEGY};
    struct kw_consumer *consumer = group->consumer;
    int64_t protocol = kwi_consumer_setting(consumer, KW_KEY_GROUP_PROTOCOL);
    bool own = consumer->n_own_assignors > 0;

    if (protocol == KW_GROUP_CONSUMER && own) {
        kwi_error_set(err, KW_ERR_CONFIG, KW_PHASE_CONFIG,
                      "group.protocol = consumer: the broker assigns, an assignor of your own "
                      "has no part in it",
                      "set group.protocol=classic, or do not add it");
        return KW_ERR_CONFIG;
    }
    for (size_t i = 0; protocol == KW_GROUP_AUTO && i < sizeof classic / sizeof *classic; i++) {
        if (own || subscription_is_set(consumer, classic[i]))
            protocol = KW_GROUP_CLASSIC;
    }
    if (protocol != KW_GROUP_CLASSIC)
        return kwi_modern_create(group,
                                 protocol == KW_GROUP_AUTO && !pattern &&
                                     !subscription_is_set(consumer, KW_KEY_GROUP_REMOTE_ASSIGNOR),
                                 err);
    return kwi_classic_create(group, err);
}

int kwi_group_use_classic(struct kw_group *group, struct kw_error *err)
{
    const struct kw_group_protocol *old = group->protocol, *classic;
    void *old_state = group->state, *state;
    int rc = kwi_classic_create(group, err);

    if (rc)
        return rc;
    classic = group->protocol;
    state = group->state;
    group->state = old_state;
    old->destroy(group);
    group->protocol = classic;
    group->state = state;
    if (group->instance_id)
        group->consumer->keeper.member.instance_id = kwi_str(group->instance_id);
    kwi_log(group->consumer->core, 6,
            "group %s: the cluster does not offer the consumer protocol; the classic one is used",
            group->consumer->keeper.group_id);
    classic->changed(group);
    return 0;
}

static int subscription_create(struct kw_consumer *consumer, bool pattern, struct kw_error *err)
{
    const char *instance_id = kwi_consumer_text(consumer, KW_KEY_GROUP_INSTANCE_ID);
    struct kw_group *group;
    int rc;

    if (instance_id && *instance_id && !subscription_instance_is_good(instance_id)) {
        kwi_error_fmt(err, KW_ERR_CONFIG, KW_PHASE_CONFIG,
                      "use 1 to 249 letters, digits, '.', '_' and '-'",
                      "group.instance.id = %.*s: not a legal name", 60, instance_id);
        return KW_ERR_CONFIG;
    }
    group = kwi_alloc_zero(&consumer->core->control, sizeof(*group));
    if (!group) {
        kwi_error_set(err, KW_ERR_NOMEM, KW_PHASE_NONE, "no memory for a group",
                      "raise control.memory");
        return KW_ERR_NOMEM;
    }
    kwi_group_init(group, consumer);
    group->instance_id = instance_id && *instance_id ? instance_id : NULL;
    rc = subscription_choose(group, pattern, err);
    if (rc) {
        kwi_free(&consumer->core->control, group, sizeof(*group));
        return rc;
    }
    consumer->group = group;
    consumer->keeper.refused = subscription_commit_refused;
    return 0;
}

/* NULL, or what is wrong. */
static const char *subscription_check(const struct kw_consumer *consumer, const char *const *topics,
                                      size_t n, int *code)
{
    *code = KW_ERR_USE;
    if (!consumer->keeper.group_id)
        return "group.id is not set";
    for (size_t i = 0; i < n; i++) {
        if (!topics[i] || !kwi_consumer_name_is_good(topics[i]))
            return "a topic name must have 1 to 249 characters of [a-zA-Z0-9._-]";
    }
    if (n > SUBSCRIPTION_TOPICS_MAX)
        return "a subscription has at most 4,096 topics";
    *code = KW_ERR_CLOSED;
    if (consumer->closed)
        return "the consumer is closed";
    *code = KW_ERR_STATE;
    if (!consumer->group && kwi_map_len(&consumer->topics))
        return "partitions are assigned by hand: let them go first (kw_assign with none)";
    return NULL;
}

/* A subscription of a pattern alone. */
static struct kw_group_names *subscription_pattern(struct kw_heap *heap, const char *pattern)
{
    size_t len = strlen(pattern), size = sizeof(struct kw_group_names) + len + 1;
    struct kw_group_names *names = kwi_alloc_zero(heap, size);

    if (!names)
        return NULL;
    names->size = size;
    memcpy(names->list, pattern, len + 1);
    names->pattern = (const char *)names->list;
    return names;
}

/* Takes a subscription over, which may be NULL: none. KW_ERR_NOMEM: it is freed. */
static int subscription_take(struct kw_group *group, struct kw_group_names *names)
{
    struct kw_births *births;

    if (kwi_births_create(&births, group, names, group->births)) {
        if (names)
            kwi_free(&group->consumer->core->control, names, names->size);
        return KW_ERR_NOMEM;
    }
    kwi_births_destroy(group->births);
    group->births = births;
    if (group->names)
        kwi_free(&group->consumer->core->control, group->names, group->names->size);
    group->names = names;
    group->away = false;
    group->protocol->changed(group);
    return 0;
}

static int subscription_no_memory(struct kw_error *err)
{
    kwi_error_set(err, KW_ERR_NOMEM, KW_PHASE_NONE, "no memory for a subscription",
                  "raise control.memory");
    return KW_ERR_NOMEM;
}

int kw_core_subscribe(struct kw_consumer *consumer, const char *const *topics, size_t n,
                      struct kw_error *err)
{
    struct kw_group_names *names = NULL;
    int code;
    const char *why = subscription_check(consumer, topics, n, &code);

    if (why) {
        kwi_error_fmt(err, code, KW_PHASE_NONE, "", "subscribe: %s", why);
        return code;
    }
    if (!consumer->group) {
        code = n ? subscription_create(consumer, false, err) : 0;
        if (code || n == 0)
            return code;
    }
    if (n > 0) {
        names = subscription_names(&consumer->core->control, topics, n);
        if (!names)
            return subscription_no_memory(err);
    }
    return subscription_take(consumer->group, names) ? subscription_no_memory(err) : 0;
}

int kw_core_subscribe_pattern(struct kw_consumer *consumer, const char *pattern,
                              struct kw_error *err)
{
    struct kw_group_names *names;
    int code;
    const char *why = subscription_check(consumer, NULL, 0, &code);

    if (!why && (!pattern || !*pattern || strlen(pattern) > SUBSCRIPTION_PATTERN_MAX)) {
        code = KW_ERR_USE;
        why = "a pattern has 1 to 16,384 bytes";
    }
    if (why) {
        kwi_error_fmt(err, code, KW_PHASE_NONE, "", "subscribe: %s", why);
        return code;
    }
    if (!consumer->group) {
        code = subscription_create(consumer, true, err);
        if (code)
            return code;
    }
    if (!consumer->group->protocol->patterns) {
        kwi_error_set(err, KW_ERR_UNSUPPORTED, KW_PHASE_NONE,
                      "a pattern is matched by the broker, which needs group.protocol = consumer",
                      "set group.protocol=consumer (Kafka 4.0 and newer), or name the topics");
        return KW_ERR_UNSUPPORTED;
    }
    names = subscription_pattern(&consumer->core->control, pattern);
    if (!names)
        return subscription_no_memory(err);
    return subscription_take(consumer->group, names) ? subscription_no_memory(err) : 0;
}
