/* bed.c -- see bed.h. */
#include "tests/assign/bed.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *bed_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void bed_release(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

/* The next word up to `end`, cut out of *text; an empty one at its end. */
static char *cut(char **text, char end)
{
    char *word = *text, *at = strchr(word, end);
    if (!at) {
        *text = word + strlen(word);
        return word;
    }
    *at = '\0';
    *text = at + 1;
    return word;
}

static void copy_word(char to[64], const char *word)
{
    cr_assert_lt(strlen(word), 64);
    strcpy(to, word);
}

static void parse_topic(struct bed *bed, char *text)
{
    struct bed_topic *topic = &bed->topics[bed->n_topics++];
    cr_assert_leq(bed->n_topics, BED_TOPICS_MAX);
    copy_word(topic->name, cut(&text, ':'));
    topic->n_partitions = (uint32_t)strtoul(cut(&text, ':'), NULL, 10);
    topic->first = bed->n_partitions;
    bed->n_partitions += topic->n_partitions;
    if (!*text)
        return;
    size_t most = strlen(text);
    topic->n_replicas = (uint32_t)most;
    topic->racks = malloc(sizeof(int32_t) * most * topic->n_partitions + 1);
    memset(topic->racks, 0xff, sizeof(int32_t) * most * topic->n_partitions);
    for (uint32_t p = 0; p < topic->n_partitions; p++) {
        const char *word = cut(&text, '/');
        for (size_t i = 0; word[i]; i++)
            topic->racks[p * most + i] = word[i] == '.' ? -1 : word[i] - 'a';
    }
}

static uint32_t *parse_numbers(const struct bed *bed, char *text, bool owned, uint32_t *n)
{
    uint32_t cap = 16, *list = malloc(cap * sizeof *list);
    for (*n = 0; *text;) {
        char *word = cut(&text, ',');
        uint32_t first = (uint32_t)strtoul(word, &word, 10), base = 0, last;
        if (owned) {
            cr_assert(first < bed->n_topics && *word == '.');
            base = bed->topics[first].first;
            first = (uint32_t)strtoul(word + 1, &word, 10);
        }
        last = *word == '-' ? (uint32_t)strtoul(word + 1, NULL, 10) : first;
        for (uint32_t i = first; i <= last; i++) {
            if (*n == cap)
                list = realloc(list, (cap *= 2) * sizeof *list);
            list[(*n)++] = base + i;
        }
    }
    return list;
}

static void parse_member(struct bed *bed, char *text)
{
    struct bed_member *member = &bed->members[bed->n_members++];
    cr_assert_leq(bed->n_members, BED_MEMBERS_MAX);
    copy_word(member->id, cut(&text, ':'));
    copy_word(member->instance, cut(&text, ':'));
    const char *word = cut(&text, ':');
    member->rack = *word ? *word - 'a' : -1;
    word = cut(&text, ':');
    member->no_generation = *word == '-' && !word[1];
    member->generation = member->no_generation ? -1 : (int32_t)strtol(word, NULL, 10);
    member->user_generation = member->generation;
    member->topics = parse_numbers(bed, cut(&text, ':'), false, &member->n_topics);
    member->owned = parse_numbers(bed, cut(&text, ':'), true, &member->n_owned);
    word = cut(&text, ':');
    member->user = *word ? *word : ' ';
    if (member->user == 'x') {
        for (word++; *word; word += 2) {
            unsigned byte;
            cr_assert(sscanf(word, "%2x", &byte) == 1 && member->raw_len < sizeof member->raw);
            member->raw[member->raw_len++] = (uint8_t)byte;
        }
    } else if (member->user != ' ' && word[1]) {
        member->user_generation = (int32_t)strtol(word + 1, NULL, 10);
    }
}

struct bed *bed_parse(const char *line)
{
    struct bed *bed = calloc(1, sizeof *bed);
    char *copy = strdup(line), *text = copy;
    static const struct kw_alloc alloc = {bed_alloc, bed_release, NULL};
    cr_assert(bed && copy);
    kwi_heap_init(&bed->heap, &alloc, SIZE_MAX);
    snprintf(bed->assignor, sizeof bed->assignor, "%s", cut(&text, ' '));
    cr_assert_str_eq(cut(&text, ' '), "T");
    for (char *word; *text && strcmp(word = cut(&text, ' '), "M") != 0;)
        parse_topic(bed, word);
    for (char *word; *text && strcmp(word = cut(&text, ' '), "=") != 0;)
        parse_member(bed, word);
    if (*text || bed->n_partitions == 0) {
        bed->expected = malloc(sizeof(int32_t) * bed->n_partitions + 1);
        for (uint32_t p = 0; p < bed->n_partitions; p++) {
            const char *word = cut(&text, ',');
            cr_assert(*word, "too few owners in %s", line);
            bed->expected[p] = *word == '-' ? -1 : (int32_t)strtol(word, NULL, 10);
        }
        cr_assert(!*text, "too many owners in %s", line);
    }
    free(copy);
    return bed;
}

void bed_free(struct bed *bed)
{
    cr_expect_eq(bed->heap.used, 0, "%zu bytes were not given back", bed->heap.used);
    for (uint32_t t = 0; t < bed->n_topics; t++)
        free(bed->topics[t].racks);
    for (uint32_t m = 0; m < bed->n_members; m++) {
        free(bed->members[m].topics);
        free(bed->members[m].owned);
    }
    free(bed->expected);
    free(bed);
}

/* ---- subscriptions --------------------------------------------------------------- */

/* Lists of topics with their partitions, from ascending partitions. */
struct claim_lists {
    struct kw_consumer_protocol_topic *topics;
    int32_t *numbers;
    uint32_t n;
};

static struct claim_lists list_claims(const struct bed *bed, const struct bed_member *member)
{
    struct claim_lists lists = {malloc((member->n_owned + 1) * sizeof *lists.topics),
                                malloc((member->n_owned + 1) * sizeof *lists.numbers), 0};
    uint32_t topic = 0;
    for (uint32_t i = 0; i < member->n_owned; i++) {
        uint32_t before = topic;
        while (topic + 1 < bed->n_topics && member->owned[i] >= bed->topics[topic + 1].first)
            topic++;
        while (topic > 0 && member->owned[i] < bed->topics[topic].first)
            topic--;
        lists.numbers[i] = (int32_t)(member->owned[i] - bed->topics[topic].first);
        if (i == 0 || topic != before)
            lists.topics[lists.n++] = (struct kw_consumer_protocol_topic){
                kwi_str(bed->topics[topic].name), KWI_ARR(lists.numbers + i, 0)};
        lists.topics[lists.n - 1].partitions.n++;
    }
    return lists;
}

static struct kw_blob encode(const struct kw_schema *schema, int version, const void *msg,
                             bool with_version)
{
    struct kw_wr w = kwi_wr_make(malloc(1 << 20), 1 << 20);
    if (with_version)
        kwi_wr_u16(&w, (uint16_t)version);
    cr_assert_eq(kwi_encode(schema, version, msg, &w), 0);
    /* Exactly as large as it is, so that a sanitizer sees one byte too far. */
    uint8_t *exact = malloc(w.len ? w.len : 1);
    memcpy(exact, w.buf, w.len);
    free(w.buf);
    return (struct kw_blob){exact, (int32_t)w.len};
}

static struct kw_blob user_data(const struct bed_member *member, const struct claim_lists *lists)
{
    struct kw_sticky_user_data sticky = {KWI_ARR(lists->topics, lists->n), member->user_generation};
    struct kw_cooperative_sticky_user_data cooperative = {member->user_generation};
    switch (member->user) {
    case '0':
        sticky.generation = -1;
        return encode(&kwi_sticky_user_data_schema, 0, &sticky, false);
    case '1': return encode(&kwi_sticky_user_data_schema, 1, &sticky, false);
    case 'c': return encode(&kwi_cooperative_sticky_user_data_schema, 0, &cooperative, false);
    case 'x': {
        uint8_t *exact = malloc(member->raw_len + 1);
        memcpy(exact, member->raw, member->raw_len);
        return (struct kw_blob){exact, (int32_t)member->raw_len};
    }
    default: return (struct kw_blob){NULL, -1};
    }
}

static struct kw_blob subscription(const struct bed *bed, const struct bed_member *member)
{
    struct kw_consumer_protocol_subscription msg;
    struct claim_lists lists = list_claims(bed, member);
    struct kw_str *topics = malloc((member->n_topics + 1) * sizeof *topics);
    char rack[2] = {(char)('a' + member->rack), '\0'};
    struct kw_blob blob;
    kwi_consumer_protocol_subscription_init(&msg);
    for (uint32_t i = 0; i < member->n_topics; i++)
        topics[i] = kwi_str(bed->topics[member->topics[i]].name);
    msg.topics = KWI_ARR(topics, member->n_topics);
    msg.user_data = user_data(member, &lists);
    msg.generation_id = member->generation;
    msg.rack_id = kwi_str(member->rack >= 0 ? rack : NULL);
    if (member->user != '0' && member->user != '1')
        msg.owned_partitions = KWI_ARR(lists.topics, lists.n);
    blob = encode(&kwi_consumer_protocol_subscription_schema, member->no_generation ? 1 : 3, &msg,
                  true);
    free((void *)(uintptr_t)msg.user_data.ptr);
    free(lists.topics);
    free(lists.numbers);
    free(topics);
    return blob;
}

struct kw_plan_member *bed_blobs(const struct bed *bed)
{
    struct kw_plan_member *blobs = calloc(bed->n_members + 1, sizeof *blobs);
    for (uint32_t m = 0; m < bed->n_members; m++)
        blobs[m] = (struct kw_plan_member){
            kwi_str(bed->members[m].id),
            bed->members[m].instance[0] ? kwi_str(bed->members[m].instance) : KWI_NULL_STR,
            subscription(bed, &bed->members[m])};
    return blobs;
}

void bed_blobs_free(const struct bed *bed, struct kw_plan_member *blobs)
{
    for (uint32_t m = 0; m < bed->n_members; m++)
        free((void *)(uintptr_t)blobs[m].metadata.ptr);
    free(blobs);
}

/* ---- assigning -------------------------------------------------------------------- */

void bed_metadata(const struct bed *bed, struct kw_plan *plan)
{
    static struct kw_bytes racks[BED_RACKS];
    static char letters[BED_RACKS];
    for (int r = 0; r < BED_RACKS; r++) {
        letters[r] = (char)('a' + r);
        racks[r] = (struct kw_bytes){&letters[r], 1};
    }
    kwi_plan_set_racks(plan, racks, BED_RACKS);
    for (uint32_t i = 0; i < kwi_plan_n_topics(plan); i++) {
        struct kw_str name = kwi_plan_topic_name(plan, i);
        for (uint32_t t = 0; t < bed->n_topics; t++)
            if (strlen(bed->topics[t].name) == (size_t)name.len &&
                memcmp(bed->topics[t].name, name.ptr, (size_t)name.len) == 0)
                kwi_plan_set_topic(plan, i, bed->topics[t].n_partitions, bed->topics[t].racks,
                                   bed->topics[t].n_replicas);
    }
}

struct kw_plan *bed_assign(struct bed *bed, const struct kw_assignor *assignor)
{
    struct kw_plan_member *blobs = bed_blobs(bed);
    struct kw_plan *plan;
    struct kw_error err;
    cr_assert_eq(kwi_plan_create(&plan, &bed->heap, blobs, bed->n_members, &err), 0, "%s",
                 err.text);
    bed_blobs_free(bed, blobs);
    bed_metadata(bed, plan);
    cr_assert_eq(kwi_plan_assign(plan, assignor, &err), 0, "%s", err.text);
    return plan;
}

const char *bed_owners(const struct bed *bed, const struct kw_plan *plan)
{
    static char text[1 << 16];
    size_t len = 0;
    text[0] = '\0';
    for (uint32_t t = 0; t < bed->n_topics; t++) {
        struct kw_bytes name = {bed->topics[t].name, strlen(bed->topics[t].name)};
        const struct kw_assign_group *group = kwi_plan_group(plan);
        uint32_t topic = 0;
        while (topic < group->n_topics &&
               (group->topics[topic].name.len != name.len ||
                memcmp(group->topics[topic].name.ptr, name.ptr, name.len) != 0))
            topic++;
        for (uint32_t p = 0; p < bed->topics[t].n_partitions; p++) {
            int32_t owner = topic == group->n_topics
                                ? -1
                                : kwi_plan_owners(plan)[group->topics[topic].first + p];
            cr_assert_lt(len, sizeof text - 16);
            len += (size_t)sprintf(text + len, owner < 0 ? "%s-" : "%s%d", len ? "," : "", owner);
        }
    }
    return text;
}

void bed_expect(const char *line)
{
    struct bed *bed = bed_parse(line);
    const struct kw_assignor *assignor = kwi_assignor_builtin(bed->assignor, strlen(bed->assignor));
    struct kw_plan *plan;
    cr_assert(assignor, "no assignor %s", bed->assignor);
    plan = bed_assign(bed, assignor);
    const char *wanted = strstr(line, " = ");
    cr_expect_str_eq(bed_owners(bed, plan), wanted + 3, "%s\n gives %s", line,
                     bed_owners(bed, plan));
    kwi_plan_destroy(plan);
    bed_free(bed);
}
