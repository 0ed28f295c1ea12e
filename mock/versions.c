/* mock/versions.c -- which APIs and versions the brokers of the model offer,
 * the answer to ApiVersions, and the ranges of past releases. */
#include "mock/call.h"
#include "proto/api_versions.h"

/* In the order in which a broker lists them. */
static const struct kw_mock_api *const mockversions_apis[] = {
    &kwi_mock_api_produce,
    &kwi_mock_api_fetch,
    &kwi_mock_api_list_offsets,
    &kwi_mock_api_metadata,
    &kwi_mock_api_offset_commit,
    &kwi_mock_api_offset_fetch,
    &kwi_mock_api_find_coordinator,
    &kwi_mock_api_join_group,
    &kwi_mock_api_heartbeat,
    &kwi_mock_api_leave_group,
    &kwi_mock_api_sync_group,
    &kwi_mock_api_sasl_handshake,
    &kwi_mock_api_api_versions,
    &kwi_mock_api_create_topics,
    &kwi_mock_api_delete_topics,
    &kwi_mock_api_init_producer_id,
    &kwi_mock_api_offset_for_leader_epoch,
    &kwi_mock_api_describe_configs,
    &kwi_mock_api_sasl_authenticate,
    &kwi_mock_api_consumer_group_heartbeat,
    &kwi_mock_api_consumer_group_describe,
    &kwi_mock_api_describe_groups,
    &kwi_mock_api_list_groups,
    &kwi_mock_api_delete_groups,
    &kwi_mock_api_offset_delete,
    &kwi_mock_api_add_partitions_to_txn,
    &kwi_mock_api_add_offsets_to_txn,
    &kwi_mock_api_end_txn,
    &kwi_mock_api_txn_offset_commit,
};

enum { MOCKVERSIONS_N_APIS = sizeof(mockversions_apis) / sizeof(*mockversions_apis) };

const struct kw_mock_api *kwi_mock_api_find(int16_t key)
{
    for (size_t i = 0; i < MOCKVERSIONS_N_APIS; i++) {
        if (mockversions_apis[i]->key == key)
            return mockversions_apis[i];
    }
    return NULL;
}

/* What brokers offered, cut to the APIs that are served here. Brokers from 4.0
 * on no longer take Produce below 3 but go on listing it, because librdkafka
 * before 2.11 took its absence for an ancient broker. */
static const struct kw_mock_versions mockversions_2_1[] = {
    {0, 0, 7},  {1, 0, 10}, {2, 0, 4},   {3, 0, 7},   {10, 0, 2}, {18, 0, 2},  {19, 0, 3},
    {20, 0, 3}, {22, 0, 1}, {23, 0, 2},  {32, 0, 2},  {17, 0, 1}, {36, 0, 0},  {8, 0, 6},
    {9, 0, 5},  {11, 0, 3}, {12, 0, 2},  {13, 0, 2},  {14, 0, 2}, {68, 0, -1}, {69, 0, -1},
    {15, 0, 2}, {16, 0, 2}, {42, 0, 1},  {47, 0, -1}, {0, 0, 7},  {1, 0, 10},  {2, 0, 4},
    {3, 0, 7},  {10, 0, 2}, {18, 0, 2},  {19, 0, 3},  {20, 0, 3}, {22, 0, 1},  {23, 0, 2},
    {32, 0, 2}, {17, 0, 1}, {36, 0, 0},  {8, 0, 6},   {9, 0, 5},  {11, 0, 3},  {12, 0, 2},
    {13, 0, 2}, {14, 0, 2}, {68, 0, -1}, {69, 0, -1}, {24, 0, 1}, {25, 0, 1},  {26, 0, 1},
    {28, 0, 2},
};
static const struct kw_mock_versions mockversions_2_8[] = {
    {0, 0, 9},  {1, 0, 12},  {2, 0, 6},   {3, 0, 11}, {10, 0, 3}, {18, 0, 3},
    {19, 0, 7}, {20, 0, 6},  {22, 0, 4},  {23, 0, 4}, {32, 0, 4}, {17, 0, 1},
    {36, 0, 2}, {8, 0, 8},   {9, 0, 7},   {11, 0, 7}, {12, 0, 4}, {13, 0, 4},
    {14, 0, 5}, {68, 0, -1}, {69, 0, -1}, {15, 0, 5}, {16, 0, 4}, {42, 0, 2},
    {47, 0, 0}, {24, 0, 3},  {25, 0, 3},  {26, 0, 3}, {28, 0, 3},
};
static const struct kw_mock_versions mockversions_3_3[] = {
    {0, 0, 9},  {1, 0, 13},  {2, 0, 7},   {3, 0, 12}, {10, 0, 4}, {18, 0, 3},
    {19, 0, 7}, {20, 0, 6},  {22, 0, 4},  {23, 0, 4}, {32, 0, 4}, {17, 0, 1},
    {36, 0, 2}, {8, 0, 8},   {9, 0, 8},   {11, 0, 9}, {12, 0, 4}, {13, 0, 5},
    {14, 0, 5}, {68, 0, -1}, {69, 0, -1}, {15, 0, 5}, {16, 0, 4}, {42, 0, 2},
    {47, 0, 0}, {24, 0, 3},  {25, 0, 3},  {26, 0, 3}, {28, 0, 3},
};
static const struct kw_mock_versions mockversions_3_9[] = {
    {0, 0, 11}, {1, 0, 17}, {2, 0, 9},  {3, 0, 12}, {10, 0, 6}, {18, 0, 4}, {19, 0, 7}, {20, 0, 6},
    {22, 0, 5}, {23, 0, 4}, {32, 0, 4}, {17, 0, 1}, {36, 0, 2}, {8, 0, 9},  {9, 0, 9},  {11, 0, 9},
    {12, 0, 4}, {13, 0, 5}, {14, 0, 5}, {68, 0, 0}, {69, 0, 0}, {15, 0, 5}, {16, 0, 5}, {42, 0, 2},
    {47, 0, 0}, {24, 0, 5}, {25, 0, 4}, {26, 0, 4}, {28, 0, 4},
};
static const struct kw_mock_versions mockversions_4_0[] = {
    {0, 0, 12}, {1, 4, 17}, {2, 1, 10}, {3, 0, 13}, {10, 0, 6}, {18, 0, 4}, {19, 2, 7}, {20, 1, 6},
    {22, 0, 5}, {23, 2, 4}, {32, 1, 4}, {17, 0, 1}, {36, 0, 2}, {8, 2, 9},  {9, 1, 9},  {11, 2, 9},
    {12, 0, 4}, {13, 0, 5}, {14, 0, 5}, {68, 0, 1}, {69, 0, 1}, {15, 0, 6}, {16, 0, 5}, {42, 0, 2},
    {47, 0, 0}, {24, 0, 5}, {25, 0, 4}, {26, 0, 5}, {28, 0, 5},
};
static const struct kw_mock_versions mockversions_4_3[] = {
    {0, 0, 13}, {1, 4, 18}, {2, 1, 11}, {3, 0, 13}, {10, 0, 6}, {18, 0, 4}, {19, 2, 7}, {20, 1, 6},
    {22, 0, 5}, {23, 2, 4}, {32, 1, 4}, {17, 0, 1}, {36, 0, 2}, {8, 2, 10}, {9, 1, 10}, {11, 0, 9},
    {12, 0, 4}, {13, 0, 5}, {14, 0, 5}, {68, 0, 1}, {69, 0, 1}, {15, 0, 6}, {16, 0, 5}, {42, 0, 2},
    {47, 0, 0}, {24, 0, 5}, {25, 0, 4}, {26, 0, 5}, {28, 0, 5},
};

static const struct {
    const char *release;
    const struct kw_mock_versions *versions;
} mockversions_releases[] = {
    {"2.1", mockversions_2_1}, {"2.8", mockversions_2_8}, {"3.3", mockversions_3_3},
    {"3.9", mockversions_3_9}, {"4.0", mockversions_4_0}, {"4.3", mockversions_4_3},
};

int kwi_mock_release(const char *release, const struct kw_mock_versions **versions, size_t *n)
{
    size_t len = strlen(release);

    for (size_t i = 0; i < sizeof(mockversions_releases) / sizeof(*mockversions_releases); i++) {
        const char *name = mockversions_releases[i].release;
        if (len == strlen(name) && memcmp(release, name, len) == 0) {
            *versions = mockversions_releases[i].versions;
            *n = MOCKVERSIONS_N_APIS;
            return 0;
        }
    }
    return KW_ERR_USE;
}

/* A range may be advertised below what is served (as a real broker does with
 * Produce), never above it: then the tables could not read the request. */
static void mockversions_narrow(struct kw_mock *mock, const struct kw_mock_versions *range)
{
    const struct kw_api_info *info = kwi_api_info(range->api_key);
    if (!info || !kwi_mock_api_find(range->api_key))
        return;
    mock->versions[range->api_key].min = range->min;
    mock->versions[range->api_key].max = range->max > info->max ? info->max : range->max;
}

void kwi_mock_versions_init(struct kw_mock *mock, const struct kw_mock_versions *narrow, size_t n)
{
    for (int key = 0; key < KWI_MOCK_API_KEYS_MAX; key++)
        mock->versions[key] = (struct kw_mock_versions){(int16_t)key, 0, -1};
    for (size_t i = 0; i < MOCKVERSIONS_N_APIS; i++)
        mockversions_narrow(mock, &mockversions_4_3[i]);
    for (size_t i = 0; i < n; i++)
        mockversions_narrow(mock, &narrow[i]);
}

/* [a-zA-Z0-9] at both ends, and - and . between (KIP-511). */
static bool mockversions_software_is_legal(struct kw_str text)
{
    if (text.len < 1)
        return false;
    for (int32_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool inner = i > 0 && i + 1 < text.len;
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (inner && (c == '-' || c == '.'))))
            return false;
    }
    return true;
}

/* The features that the cluster has agreed on (KIP-584). */
static int mockversions_features(struct kw_mock_call *call, struct kw_api_versions_response *resp)
{
    const struct kw_mock *mock = call->mock;
    struct kw_api_versions_supported_feature *supported = kwi_mock_call_alloc(call, 1,
                                                                              sizeof(*supported));
    struct kw_api_versions_finalized_feature *finalized = kwi_mock_call_alloc(call, 1,
                                                                              sizeof(*finalized));
    if (!supported || !finalized)
        return KW_ERR_NOMEM;
    supported->name = finalized->name = kwi_str("transaction.version");
    supported->max_version = mock->versions[KW_API_END_TXN].max >= 5 ? 2 : 0;
    finalized->max_version_level = finalized->min_version_level = mock->transaction_version;
    resp->supported_features = KWI_ARR(supported, supported->max_version > 0);
    resp->finalized_features = KWI_ARR(finalized, mock->transaction_version > 0);
    resp->finalized_features_epoch = mock->features_epoch;
    return 0;
}

static enum kw_mock_outcome mockversions_serve(struct kw_mock_call *call)
{
    static const struct kw_str none = {NULL, -1};
    const struct kw_api_versions_request *req = call->request;
    struct kw_api_versions_response *resp = call->response;
    const struct kw_mock_versions *offered = call->mock->versions;
    struct kw_api_versions_response_key *keys;
    bool known = call->version >= offered[KW_API_API_VERSIONS].min &&
                 call->version <= offered[KW_API_API_VERSIONS].max;
    size_t n = 0;
    keys = kwi_mock_call_alloc(call, MOCKVERSIONS_N_APIS, sizeof(*keys));
    if (!keys)
        return KWI_MOCK_HUNG_UP;
    resp->throttle_time_ms = call->throttle_ms;
    resp->error_code = kwi_mock_fault_error(call, KWI_MOCK_ERROR, none, -1);
    if (!known)
        resp->error_code = KW_E_UNSUPPORTED_VERSION;
    else if (!resp->error_code && call->version >= 3 &&
             !(mockversions_software_is_legal(req->client_software_name) &&
               mockversions_software_is_legal(req->client_software_version)))
        resp->error_code = KW_E_INVALID_REQUEST;
    for (size_t i = 0; i < MOCKVERSIONS_N_APIS; i++) {
        int16_t key = mockversions_apis[i]->key;
        /* With an error only the range of ApiVersions itself is told. */
        if (offered[key].max < 0 || (resp->error_code && key != KW_API_API_VERSIONS))
            continue;
        keys[n].api_key = key;
        keys[n].min_version = offered[key].min;
        keys[n++].max_version = offered[key].max;
    }
    resp->api_keys = KWI_ARR(keys, n);
    if (call->version >= 3 && !resp->error_code && mockversions_features(call, resp))
        return KWI_MOCK_HUNG_UP;
    return KWI_MOCK_ANSWERED;
}

const struct kw_mock_api kwi_mock_api_api_versions = {KW_API_API_VERSIONS, 0, mockversions_serve,
                                                      NULL};
