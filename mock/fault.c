/* mock/fault.c -- faults on demand: their text form, which calls they hit, and
 * what they put into an answer. The acts that concern a connection (close, cut,
 * delay ...) are carried out in mock/conn.c. */
#include "mock/call.h"
#include "mock/conn.h"

#include <string.h>

/* What every API can suffer; the rest is up to each API's `actions`. */
#define MOCKFAULT_COMMON                                                                      \
    (1u << KWI_MOCK_DROP_REQUEST | 1u << KWI_MOCK_DROP_ANSWER | 1u << KWI_MOCK_CLOSE_BEFORE | \
     1u << KWI_MOCK_CLOSE_AFTER | 1u << KWI_MOCK_CUT | 1u << KWI_MOCK_DELAY |                 \
     1u << KWI_MOCK_LATE | 1u << KWI_MOCK_THROTTLE | 1u << KWI_MOCK_CORRUPT |                 \
     1u << KWI_MOCK_ERROR)

/* --- text ----------------------------------------------------------------------------- */

enum mockfault_value { MOCKFAULT_NONE, MOCKFAULT_CODE, MOCKFAULT_NUMBER, MOCKFAULT_MAYBE };

static const struct {
    const char *name;
    enum kw_mock_action action;
    enum mockfault_value value;
} mockfault_actions[] = {
    {"error", KWI_MOCK_ERROR, MOCKFAULT_CODE},
    {"error-after", KWI_MOCK_ERROR_AFTER, MOCKFAULT_CODE},
    {"drop-request", KWI_MOCK_DROP_REQUEST, MOCKFAULT_NONE},
    {"drop-answer", KWI_MOCK_DROP_ANSWER, MOCKFAULT_NONE},
    {"close-before", KWI_MOCK_CLOSE_BEFORE, MOCKFAULT_NONE},
    {"close-after", KWI_MOCK_CLOSE_AFTER, MOCKFAULT_NONE},
    {"cut", KWI_MOCK_CUT, MOCKFAULT_NUMBER},
    {"delay", KWI_MOCK_DELAY, MOCKFAULT_NUMBER},
    {"late", KWI_MOCK_LATE, MOCKFAULT_NUMBER},
    {"throttle", KWI_MOCK_THROTTLE, MOCKFAULT_NUMBER},
    {"corrupt", KWI_MOCK_CORRUPT, MOCKFAULT_MAYBE},
    {"omit", KWI_MOCK_OMIT, MOCKFAULT_NONE},
    {"twice", KWI_MOCK_TWICE, MOCKFAULT_NONE},
    {"unasked", KWI_MOCK_UNASKED, MOCKFAULT_NONE},
    {"move-leader", KWI_MOCK_MOVE_LEADER, MOCKFAULT_NONE},
    {"evict", KWI_MOCK_EVICT, MOCKFAULT_NONE},
};

/* A word of a spec: [ptr, ptr + len). */
struct mockfault_word {
    const char *ptr;
    size_t len;
};

static char mockfault_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool mockfault_is(struct mockfault_word word, const char *text)
{
    if (strlen(text) != word.len)
        return false;
    for (size_t i = 0; i < word.len; i++) {
        if (mockfault_lower(word.ptr[i]) != mockfault_lower(text[i]))
            return false;
    }
    return true;
}

/* Digits only, at most INT32_MAX. */
static bool mockfault_number(struct mockfault_word word, int32_t *number)
{
    int64_t sum = 0;
    if (word.len == 0 || word.len > 10)
        return false;
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] < '0' || word.ptr[i] > '9')
            return false;
        sum = sum * 10 + (word.ptr[i] - '0');
    }
    *number = (int32_t)sum;
    return sum <= INT32_MAX;
}

/* Takes the part up to `stop` off the front of *rest, and `stop` too. */
static struct mockfault_word mockfault_take(struct mockfault_word *rest, char stop)
{
    struct mockfault_word word = {rest->ptr, 0};
    while (word.len < rest->len && rest->ptr[word.len] != stop)
        word.len++;
    rest->ptr += word.len;
    rest->len -= word.len;
    if (rest->len) {
        rest->ptr++;
        rest->len--;
    }
    return word;
}

static bool mockfault_api_parse(struct mockfault_word word, struct kw_mock_fault *fault)
{
    size_t n;
    const struct kw_api_info *apis = kwi_api_list(&n);
    int32_t key;
    if (mockfault_is(word, "*")) {
        fault->api_key = -1;
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        if (mockfault_is(word, apis[i].name) ||
            (mockfault_number(word, &key) && key == apis[i].key)) {
            fault->api_key = apis[i].key;
            return true;
        }
    }
    return false;
}

/* Either N, N+, N-M, /K or *. */
static bool mockfault_when_parse(struct mockfault_word word, struct kw_mock_fault *fault)
{
    struct mockfault_word first;
    int32_t number, last;
    if (mockfault_is(word, "*")) {
        fault->first = fault->every = 1;
        return true;
    }
    if (word.len && word.ptr[0] == '/') {
        struct mockfault_word every = {word.ptr + 1, word.len - 1};
        if (!mockfault_number(every, &number) || number < 1)
            return false;
        fault->first = fault->every = (uint32_t)number;
        return true;
    }
    if (word.len && word.ptr[word.len - 1] == '+') {
        word.len--;
        fault->every = 1;
        return mockfault_number(word, &number) && number >= 1 &&
               (fault->first = (uint32_t)number) != 0;
    }
    first = mockfault_take(&word, '-');
    if (!mockfault_number(first, &number) || number < 1)
        return false;
    fault->first = fault->last = (uint32_t)number;
    fault->every = 1;
    if (word.len == 0)
        return first.ptr[first.len] != '-';
    if (!mockfault_number(word, &last) || last < number)
        return false;
    fault->last = (uint32_t)last;
    return true;
}

/* A number (also negative) or a name of Kafka's; 0 is no error. */
static bool mockfault_code_parse(struct mockfault_word word, int32_t *code)
{
    if (word.len > 1 && word.ptr[0] == '-') {
        struct mockfault_word digits = {word.ptr + 1, word.len - 1};
        if (!mockfault_number(digits, code) || *code < 1 || *code > -INT16_MIN)
            return false;
        *code = -*code;
        return true;
    }
    if (mockfault_number(word, code))
        return *code >= 1 && *code <= INT16_MAX;
    for (int16_t i = -1; i < 256; i++) {
        const struct kw_error_info *info = kwi_error_info(i);
        if (i != 0 && info->code == i && mockfault_is(word, info->name)) {
            *code = i;
            return true;
        }
    }
    return false;
}

static bool mockfault_action_parse(struct mockfault_word word, struct kw_mock_fault *fault)
{
    struct mockfault_word value = word;
    struct mockfault_word name = mockfault_take(&value, '=');
    bool given = name.len < word.len;
    for (size_t i = 0; i < sizeof(mockfault_actions) / sizeof(*mockfault_actions); i++) {
        enum mockfault_value wanted = mockfault_actions[i].value;
        if (!mockfault_is(name, mockfault_actions[i].name))
            continue;
        fault->action = mockfault_actions[i].action;
        fault->value = -1;
        if (!given)
            return wanted == MOCKFAULT_NONE || wanted == MOCKFAULT_MAYBE;
        if (wanted == MOCKFAULT_CODE)
            return mockfault_code_parse(value, &fault->value);
        return wanted != MOCKFAULT_NONE && mockfault_number(value, &fault->value);
    }
    return false;
}

static bool mockfault_filter_parse(struct mockfault_word word, struct kw_mock_fault *fault)
{
    struct mockfault_word value = word;
    struct mockfault_word name = mockfault_take(&value, '=');
    if (mockfault_is(name, "broker"))
        return mockfault_number(value, &fault->broker);
    if (mockfault_is(name, "partition"))
        return mockfault_number(value, &fault->partition);
    if (!mockfault_is(name, "topic") || value.len == 0 || value.len >= sizeof(fault->topic))
        return false;
    memcpy(fault->topic, value.ptr, value.len);
    fault->topic[value.len] = 0;
    return true;
}

int kwi_mock_fault_parse(const char *spec, struct kw_mock_fault *fault, const char **why)
{
    struct mockfault_word rest = {spec, strlen(spec)};
    const char *ignored;
    if (!why)
        why = &ignored;
    memset(fault, 0, sizeof(*fault));
    fault->broker = fault->partition = -1;
    *why = "unknown API: give a name such as produce, a key, or *";
    if (!mockfault_api_parse(mockfault_take(&rest, ':'), fault))
        return KW_ERR_USE;
    *why = "bad call number: give N, N-M, N+, /K or *";
    if (!mockfault_when_parse(mockfault_take(&rest, ':'), fault))
        return KW_ERR_USE;
    *why = "bad action: give error=CODE, error-after=CODE, drop-request, drop-answer, "
           "close-before, close-after, cut=BYTES, delay=MS, late=MS, throttle=MS, "
           "corrupt[=BYTE], omit, twice, unasked, move-leader or evict";
    if (!mockfault_action_parse(mockfault_take(&rest, ':'), fault))
        return KW_ERR_USE;
    *why = "bad filter: give broker=INDEX, topic=NAME or partition=N";
    while (rest.len) {
        if (!mockfault_filter_parse(mockfault_take(&rest, ':'), fault))
            return KW_ERR_USE;
    }
    *why = "";
    return 0;
}

/* --- the list ---------------------------------------------------------------------------- */

static bool mockfault_is_possible(const struct kw_mock_fault *fault)
{
    uint32_t bit, i;
    if ((unsigned)fault->action > KWI_MOCK_EVICT)
        return false;
    bit = 1u << fault->action;
    if (fault->api_key >= 0) {
        const struct kw_mock_api *api = kwi_mock_api_find(fault->api_key);
        return api && ((api->actions | MOCKFAULT_COMMON) & bit) != 0;
    }
    for (i = 0; i < KWI_MOCK_API_KEYS_MAX; i++) {
        const struct kw_mock_api *api = kwi_mock_api_find((int16_t)i);
        if (api && ((api->actions | MOCKFAULT_COMMON) & bit) != 0)
            return true;
    }
    return false;
}

int kwi_mock_fault_add(struct kw_mock *mock, const struct kw_mock_fault *fault, uint32_t *id)
{
    bool errors = fault->action == KWI_MOCK_ERROR || fault->action == KWI_MOCK_ERROR_AFTER;
    bool numbers = fault->action == KWI_MOCK_CUT || fault->action == KWI_MOCK_DELAY ||
                   fault->action == KWI_MOCK_LATE || fault->action == KWI_MOCK_THROTTLE;
    if (fault->action == KWI_MOCK_MOVE_LEADER && mock->config.n_brokers < 2)
        return KW_ERR_USE;
    if (!mockfault_is_possible(fault) || fault->first == 0 || (numbers && fault->value < 0))
        return KW_ERR_USE;
    if (errors && (fault->value == 0 || fault->value < INT16_MIN || fault->value > INT16_MAX))
        return KW_ERR_USE;
    for (uint32_t i = 0; i < KWI_MOCK_FAULTS_MAX; i++) {
        if (mock->faults[i].used)
            continue;
        memset(&mock->faults[i], 0, sizeof(mock->faults[i]));
        mock->faults[i].used = true;
        mock->faults[i].fault = *fault;
        mock->faults[i].fault.topic[sizeof(fault->topic) - 1] = 0;
        if (id)
            *id = i;
        return 0;
    }
    return KW_ERR_LIMIT;
}

int kwi_mock_fault_remove(struct kw_mock *mock, uint32_t id)
{
    if (id >= KWI_MOCK_FAULTS_MAX || !mock->faults[id].used)
        return KW_ERR_USE;
    mock->faults[id].used = false;
    kwi_mock_conns_forget_fault(mock, id);
    return 0;
}

uint64_t kwi_mock_fault_hits(const struct kw_mock *mock, uint32_t id)
{
    return id < KWI_MOCK_FAULTS_MAX ? mock->faults[id].n_hits : 0;
}

/* --- calls ---------------------------------------------------------------------------------- */

bool kwi_mock_fault_covers(const struct kw_mock_fault *fault, struct kw_str topic,
                           int32_t partition)
{
    if (fault->topic[0]) {
        size_t len = strlen(fault->topic);
        if (topic.len < 0 || (size_t)topic.len != len || memcmp(topic.ptr, fault->topic, len) != 0)
            return false;
    }
    return fault->partition < 0 || partition == -1 || fault->partition == partition;
}

/* Whether call number n (from 1) of those that match is one to act on. */
static bool mockfault_is_due(const struct kw_mock_fault *fault, uint64_t n)
{
    if (n < fault->first || (fault->last && n > fault->last))
        return false;
    if (n == fault->first)
        return true;
    return fault->every && (n - fault->first) % fault->every == 0;
}

void kwi_mock_faults_choose(struct kw_mock_call *call, const struct kw_mock_api *api)
{
    for (uint32_t i = 0; i < KWI_MOCK_FAULTS_MAX; i++) {
        struct kw_mock_fault_state *state = &call->mock->faults[i];
        const struct kw_mock_fault *fault = &state->fault;
        if (!state->used || (fault->api_key >= 0 && fault->api_key != call->api_key))
            continue;
        if (fault->broker >= 0 && (uint32_t)fault->broker != call->broker)
            continue;
        if ((fault->topic[0] || fault->partition >= 0) && !(api->asks && api->asks(call, fault)))
            continue;
        if (!((api->actions | MOCKFAULT_COMMON) & 1u << fault->action))
            continue;
        if (mockfault_is_due(fault, ++state->n_calls)) {
            call->faults |= UINT64_C(1) << i;
            state->n_hits++;
        }
    }
}

/* The first fault of this kind that acts on the call and covers the pair. */
static const struct kw_mock_fault *mockfault_find(const struct kw_mock_call *call,
                                                  enum kw_mock_action action,
                                                  const struct kw_str *topic, int32_t partition)
{
    for (uint32_t i = 0; i < KWI_MOCK_FAULTS_MAX && call->faults >> i; i++) {
        const struct kw_mock_fault *fault = &call->mock->faults[i].fault;
        if (!(call->faults >> i & 1) || fault->action != action)
            continue;
        if (!topic || kwi_mock_fault_covers(fault, *topic, partition))
            return fault;
    }
    return NULL;
}

bool kwi_mock_fault_acts(const struct kw_mock_call *call, enum kw_mock_action action,
                         int32_t *value)
{
    const struct kw_mock_fault *fault = mockfault_find(call, action, NULL, -1);
    if (fault && value)
        *value = fault->value;
    return fault != NULL;
}

int16_t kwi_mock_fault_error(const struct kw_mock_call *call, enum kw_mock_action action,
                             struct kw_str topic, int32_t partition)
{
    const struct kw_mock_fault *fault = mockfault_find(call, action, &topic, partition);
    return fault ? (int16_t)fault->value : 0;
}

int32_t kwi_mock_fault_copies(const struct kw_mock_call *call, struct kw_str topic,
                              int32_t partition)
{
    if (mockfault_find(call, KWI_MOCK_OMIT, &topic, partition))
        return 0;
    return mockfault_find(call, KWI_MOCK_TWICE, &topic, partition) ? 2 : 1;
}

/* The next replica behind the leader that is up, or the leader itself. */
static int32_t mockfault_successor(const struct kw_mock_partition *partition)
{
    const struct kw_mock *mock = partition->topic->mock;
    int32_t at = 0;
    while (at < partition->n_replicas && partition->replicas[at] != partition->leader)
        at++;
    for (int32_t i = 1; i <= partition->n_replicas; i++) {
        uint8_t broker = partition->replicas[(at + i) % partition->n_replicas];
        if (mock->brokers[broker].up)
            return broker;
    }
    return partition->leader;
}

void kwi_mock_fault_move(const struct kw_mock_call *call, struct kw_str topic,
                         struct kw_mock_partition *partition)
{
    int32_t leader;
    if (!partition || partition->leader != (int32_t)call->broker ||
        !mockfault_find(call, KWI_MOCK_MOVE_LEADER, &topic, partition->index))
        return;
    leader = mockfault_successor(partition);
    if (leader != partition->leader)
        kwi_mock_partition_lead(partition, leader);
}
