/* Connections of the broker model: framing, order, versions, hostile input, and
 * memory that runs out. */
#include <criterion/criterion.h>

#include "bed.h"
#include "mock/call.h"
#include "proto/header.h"
#include "tests/vectors/vectors.h"
/* The vectors use the macros of vectors.h. */
#include "tests/vectors/messages.inc"

static void ask_versions(struct client *client, int16_t version,
                         struct kw_api_versions_response *resp)
{
    struct kw_api_versions_request req;
    kwi_api_versions_request_init(&req);
    if (version >= 3) {
        req.client_software_name = kwi_str("bed");
        req.client_software_version = kwi_str("1.0");
    }
    client_ask(client, KW_API_API_VERSIONS, version, &req, resp);
}

static void versions_send(struct client *client)
{
    struct kw_api_versions_request req;
    kwi_api_versions_request_init(&req);
    client_send(client, KW_API_API_VERSIONS, 0, &req);
}

Test(mock_conn, answers_the_same_whatever_the_chunks)
{
    static const size_t chunks[] = {1, 2, 3, 7, 64, 0};
    struct batch_spec spec = {.n_records = 5};
    uint8_t *first = NULL;
    size_t first_len = 0;
    for (size_t i = 0; i < 6; i++) {
        struct bed bed;
        struct client client;
        bed_open(&bed, NULL);
        cr_assert_eq(kwi_mock_create_topic(bed.mock, "t", 2), 0);
        client_open(&client, &bed, 0);
        client.chunk = chunks[i];
        cr_assert_eq(client_put(&client, "t", 1, &spec).base_offset, 0);
        cr_assert_eq(client_put(&client, "t", 1, &spec).base_offset, 5);
        struct fetch_spec fetch = {.topic = "t", .partition = 1};
        cr_assert_gt(client_fetch(&client, &fetch).records_len, 0);
        if (!first) {
            first = malloc(client.frame_len);
            first_len = client.frame_len;
            memcpy(first, client.frame, first_len);
        }
        cr_assert_eq(client.frame_len, first_len);
        cr_assert_eq(memcmp(client.frame, first, first_len), 0);
        client_close(&client);
        bed_close(&bed);
    }
    free(first);
}

Test(mock_conn, answers_pipelined_requests_in_order_one_after_the_other)
{
    struct bed bed;
    struct client client;
    struct kw_api_versions_response resp;
    bed_open(&bed, NULL);
    client_open(&client, &bed, 0);
    for (int i = 0; i < 5; i++)
        versions_send(&client);
    cr_assert_eq(kwi_mock_n_requests(bed.mock, -1), 1, "the next waits for the answer to go");
    client.correlation_id -= 4;
    for (int i = 0; i < 5; i++) {
        cr_assert(client_receive(&client, KW_API_API_VERSIONS, 0, &resp));
        client.correlation_id++;
    }
    cr_assert_not(client_take(&client));
    cr_assert_eq(kwi_mock_n_requests(bed.mock, KW_API_API_VERSIONS), 5);
    client_close(&client);
    bed_close(&bed);
}

Test(mock_conn, tells_an_unknown_api_versions_version_in_version_0)
{
    struct bed bed;
    struct client client;
    struct kw_api_versions_response resp;
    struct kw_api_versions_response_key key;
    struct kw_iter it;
    /* key 18, version 9, correlation 5, null client id, no tags; then a body of
     * a version that does not exist yet. */
    static const uint8_t frame[] = {0, 0, 0, 14,   0,    18, 0,    9,    0,
                                    0, 0, 5, 0xff, 0xff, 0,  0xde, 0xad, 0xbe};
    bed_open(&bed, NULL);
    client_open(&client, &bed, 0);
    client_send_bytes(&client, frame, sizeof(frame));
    client.correlation_id = 5;
    cr_assert(client_receive(&client, KW_API_API_VERSIONS, 0, &resp));
    cr_assert_eq(resp.error_code, KW_E_UNSUPPORTED_VERSION);
    cr_assert_eq(resp.api_keys.n, 1);
    kwi_iter_init(&it, &resp.api_keys);
    cr_assert(kwi_iter_next(&it, &key));
    cr_assert_eq(key.api_key, KW_API_API_VERSIONS);
    cr_assert_eq(key.min_version, 0);
    cr_assert_eq(key.max_version, 4);
    ask_versions(&client, key.max_version, &resp);
    cr_assert_eq(resp.error_code, 0);
    cr_assert_eq(resp.api_keys.n, 29);
    client_close(&client);
    bed_close(&bed);
}

Test(mock_conn, refuses_software_names_that_a_broker_refuses)
{
    static const char *const names[] = {"", "-a", "a.", "a b", "a/b", "\xc3\xa4"};
    struct bed bed;
    struct client client;
    bed_open(&bed, NULL);
    client_open(&client, &bed, 0);
    for (size_t i = 0; i < 6; i++) {
        struct kw_api_versions_request req;
        struct kw_api_versions_response resp;
        kwi_api_versions_request_init(&req);
        req.client_software_name = kwi_str(names[i]);
        req.client_software_version = kwi_str("1.0");
        client_ask(&client, KW_API_API_VERSIONS, 3, &req, &resp);
        cr_assert_eq(resp.error_code, KW_E_INVALID_REQUEST, "%s", names[i]);
    }
    client_close(&client);
    bed_close(&bed);
}

Test(mock_conn, closes_on_what_no_broker_would_take)
{
    static const struct {
        const char *what;
        uint8_t bytes[24];
        size_t len;
    } cases[] = {
        {"negative size", {0xff, 0xff, 0xff, 0xff}, 4},
        {"size beyond the limit", {0x06, 0x40, 0x00, 0x01}, 4},
        {"HTTP", {'G', 'E', 'T', ' ', '/'}, 5},
        {"TLS", {22, 3, 1, 2, 0}, 5},
        {"no room for a header", {0, 0, 0, 0}, 4},
        {"unknown API", {0, 0, 0, 10, 1, 44, 0, 0, 0, 0, 0, 1, 0xff, 0xff}, 14},
        {"API not served", {0, 0, 0, 10, 0, 17, 0, 1, 0, 0, 0, 1, 0xff, 0xff}, 14},
        {"Metadata v99", {0, 0, 0, 11, 0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff, 0}, 15},
        {"bytes behind the body", {0, 0, 0, 11, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0}, 15},
        {"body cut off", {0, 0, 0, 12, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0, 0}, 16},
        {"Produce v2", {0, 0, 0, 10, 0, 0, 0, 2, 0, 0, 0, 1, 0xff, 0xff}, 14},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct bed bed;
        struct client client;
        bed_open(&bed, NULL);
        client_open(&client, &bed, 0);
        client_send_bytes(&client, cases[i].bytes, cases[i].len);
        cr_assert(kwi_mock_closing(client.conn), "%s", cases[i].what);
        cr_assert_not(client_take(&client), "%s", cases[i].what);
        versions_send(&client);
        cr_assert_not(client_take(&client), "%s: it went on reading", cases[i].what);
        client_close(&client);
        bed_close(&bed);
    }
}

/* What the model does not serve, it hangs up on, as a broker does. Brokers keep
 * unstable versions to themselves, as AddPartitionsToTxn from v4 on, which several
 * transactions share, and hang up after a failed Produce without acknowledgement; here no
 * topic exists. */
static bool must_close(const struct vector_message *vector, const uint8_t *body, size_t len)
{
    static const struct {
        int16_t api_key, version;
    } kept[] = {{KW_API_INIT_PRODUCER_ID, 6},
                {KW_API_TXN_OFFSET_COMMIT, 6},
                {KW_API_DELETE_GROUPS, 3},
                {KW_API_ADD_PARTITIONS_TO_TXN, 4}};
    struct kw_produce_request req;
    if (!kwi_mock_api_find(vector->api_key))
        return true;
    for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
        if (vector->api_key == kept[i].api_key && vector->version >= kept[i].version)
            return true;
    }
    if (vector->api_key != KW_API_PRODUCE)
        return false;
    cr_assert_eq(kwi_produce_request_decode(&req, vector->version, body, len, NULL), 0);
    return req.acks == 0 && req.topic_data.n > 0;
}

/* Every golden request, whole and with each byte changed in turn. Nothing may
 * crash, and whole ones of versions on offer are not taken for malformed. */
Test(mock_conn, survives_every_changed_byte_of_every_golden_request)
{
    struct bed bed;
    size_t n_requests = 0;
    bed_open(&bed, &(struct kw_mock_config){.auto_create_topics = true, .memory_limit = 64 << 20});
    for (size_t v = 0; v < VECTOR_COUNT(vector_messages); v++) {
        const struct vector_message *vector = &vector_messages[v];
        size_t header_len, len;
        uint8_t *header, *body, *frame;
        if (!vector->is_request || !kwi_api_info(vector->api_key))
            continue;
        bool served = kwi_mock_api_find(vector->api_key);
        header = vector_bytes(vector->header_hex, &header_len);
        body = vector_bytes(vector->hex, &len);
        frame = malloc(4 + header_len + len);
        memcpy(frame + 4, header, header_len);
        memcpy(frame + 4 + header_len, body, len);
        len += header_len;
        kwi_put_u32(frame, (uint32_t)len);
        for (size_t at = 0; at <= (served ? len : 0); at++) {
            struct client client;
            client_open(&client, &bed, 0);
            frame[3 + at] ^= at ? 0x55 : 0;
            client_send_bytes(&client, frame, 4 + len);
            frame[3 + at] ^= at ? 0x55 : 0;
            bed_advance(&bed, 1);
            if (at == 0) {
                n_requests++;
                cr_assert_eq(kwi_mock_closing(client.conn),
                             must_close(vector, body, len - header_len), "%s", vector->name);
            }
            client_close(&client);
        }
        free(header);
        free(body);
        free(frame);
    }
    cr_assert_gt(n_requests, 30);
    bed_close(&bed);
}

Test(mock_conn, answers_the_golden_requests_of_the_java_client)
{
    static const struct {
        const char *name;
        int16_t error; /* top level where there is one */
    } wanted[] = {
        {"apiversions-request-v3", 0},
        {"apiversions-request-v3-null-client-id", 0},
        {"metadata-request-v1-all-topics", 0},
        {"metadata-request-v1-no-topics", 0},
        {"metadata-request-v12-by-id", 0},
        {"produce-request-v3", 0},
        {"produce-request-v9", 0},
        {"produce-request-v13-topic-id", 0},
        {"fetch-request-v4", 0},
        {"initproducerid-request-v4-idempotent", 0},
        {"listoffsets-request-v7-max-timestamp", 0},
        {"findcoordinator-request-v6", 0},
    };
    struct bed bed;
    bed_open(&bed, NULL);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
        const struct vector_message *vector = NULL;
        struct client client;
        uint8_t resp[512];
        size_t header_len, body_len;
        uint8_t *header, *body, size[4];
        for (size_t v = 0; v < VECTOR_COUNT(vector_messages); v++) {
            if (strcmp(vector_messages[v].name, wanted[i].name) == 0)
                vector = &vector_messages[v];
        }
        cr_assert_not_null(vector, "%s", wanted[i].name);
        header = vector_bytes(vector->header_hex, &header_len);
        body = vector_bytes(vector->hex, &body_len);
        client_open(&client, &bed, 0);
        kwi_put_u32(size, (uint32_t)vector->frame_size);
        client_send_bytes(&client, size, 4);
        client_send_bytes(&client, header, header_len);
        client_send_bytes(&client, body, body_len);
        bed_advance(&bed, 60000);
        client.correlation_id = vector->correlation_id;
        cr_assert(client_receive(&client, vector->api_key, vector->version, resp), "%s",
                  wanted[i].name);
        cr_assert_not(kwi_mock_closing(client.conn));
        client_close(&client);
        free(header);
        free(body);
    }
    bed_close(&bed);
}

/* A fixed scene; true if it went through. */
static bool play(struct bed *bed)
{
    struct batch_spec spec = {.n_records = 3, .idempotent = true, .producer_id = 5};
    struct kw_metadata_request req;
    struct kw_metadata_request_topic asked;
    struct kw_metadata_response resp;
    struct kw_mock_conn *conn;
    struct client client = {.bed = bed};
    bool done = false;
    conn = kwi_mock_accept(bed->mock, 0);
    if (!conn)
        return false;
    client.conn = conn;
    kwi_metadata_request_init(&req);
    kwi_metadata_request_topic_init(&asked);
    asked.name = kwi_str("made");
    req.topics = KWI_ARR(&asked, 1);
    client_send(&client, KW_API_METADATA, 9, &req);
    if (client_receive(&client, KW_API_METADATA, 9, &resp)) {
        struct produced put = client_put(&client, "made", 0, &spec);
        struct fetch_spec fetch = {.topic = "made"};
        if (put.answered && put.error_code == 0)
            done = client_fetch(&client, &fetch).records_len > 0;
    }
    client_close(&client);
    return done;
}

Test(mock_conn, survives_every_failed_allocation_and_works_again)
{
    for (int once = 0; once < 2; once++) {
        size_t k;
        for (k = 0; k < 500; k++) {
            struct bed bed;
            bool done;
            memset(&bed, 0, sizeof(bed));
            bed.n_until_refusal = k;
            bed.refuse_once = once;
            bed.now.mono_us = 1;
            if (bed_try_open(&bed, &(struct kw_mock_config){.auto_create_topics = true})) {
                cr_assert_null(bed.mock);
                cr_assert_eq(bed.n_blocks, 0);
                continue;
            }
            done = play(&bed);
            size_t left = bed.n_until_refusal;
            bed.n_until_refusal = SIZE_MAX;
            cr_assert(done || play(&bed), "no recovery after allocation %zu", k);
            bed_close(&bed);
            if (done && left != 0 && left != SIZE_MAX)
                break; /* the scene needs fewer allocations than that */
        }
        cr_assert_lt(k, 500);
        cr_assert_gt(k, 20);
    }
}

Test(mock_conn, stays_within_its_memory_limit_under_huge_claims)
{
    struct bed bed;
    struct client client;
    /* Metadata v1 that claims 2^31-1 topics, in a frame of 90 MiB. */
    static const uint8_t start[] = {0x05, 0xa0, 0, 0,    0,    3,    0,    1,    0,
                                    0,    0,    1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff};
    bed_open(&bed, &(struct kw_mock_config){.memory_limit = 4 << 20});
    client_open(&client, &bed, 0);
    client_send_bytes(&client, start, sizeof(start));
    cr_assert_leq(bed.n_blocks, 32);
    uint8_t *junk = calloc(1, 1 << 20);
    for (int i = 0; i < 20; i++)
        client_send_bytes(&client, junk, 1 << 20);
    free(junk);
    cr_assert(kwi_mock_closing(client.conn));
    client_close(&client);
    bed_close(&bed);
}

Test(mock_conn, frees_connections_that_the_caller_forgot)
{
    struct bed bed;
    struct client client;
    bed_open(&bed, NULL);
    for (int i = 0; i < 10; i++) {
        client_open(&client, &bed, 0);
        versions_send(&client);
    }
    bed_close(&bed);
}

Test(mock_conn, names_connections_with_news_once)
{
    struct bed bed;
    struct client one, two;
    bed_open(&bed, NULL);
    client_open(&one, &bed, 0);
    client_open(&two, &bed, 0);
    cr_assert_null(kwi_mock_next_ready(bed.mock));
    versions_send(&two);
    versions_send(&one);
    cr_assert_eq(kwi_mock_next_ready(bed.mock), two.conn);
    cr_assert_eq(kwi_mock_next_ready(bed.mock), one.conn);
    cr_assert_null(kwi_mock_next_ready(bed.mock));
    client_send_bytes(&one, "\xff\xff\xff\xff", 4);
    cr_assert_null(kwi_mock_next_ready(bed.mock), "an unsent answer comes first");
    client_close(&one);
    client_close(&two);
    bed_close(&bed);
}

/* A listener that must be authenticated to takes nothing else before. What clients
 * and the model say to each other is in tests/client/test_sasl_conn.c. */
Test(mock_conn, hangs_up_on_a_client_that_should_authenticate_first)
{
    static const struct kw_mock_user users[] = {{"u", "p"}};
    static const struct kw_mock_sasl sasl = {
        .mechanisms = 1u << KWI_MOCK_PLAIN, .users = users, .n_users = 1};
    static const struct kw_mock_sasl nothing = {.users = users, .n_users = 1};
    struct bed bed;
    struct client client;
    struct kw_api_versions_response versions;
    struct kw_metadata_request req;
    bed_open(&bed, NULL);
    cr_assert_eq(kwi_mock_set_sasl(bed.mock, &nothing), KW_ERR_USE);
    client_open(&client, &bed, 0);
    cr_assert_eq(kwi_mock_set_sasl(bed.mock, &sasl), 0);
    ask_versions(&client, 3, &versions);
    kwi_metadata_request_init(&req);
    client_send(&client, KW_API_METADATA, 9, &req);
    cr_assert(kwi_mock_closing(client.conn));
    cr_assert_not(client_take(&client));
    client_close(&client);
    cr_assert_eq(kwi_mock_set_sasl(bed.mock, NULL), 0);
    client_open(&client, &bed, 0);
    client_send(&client, KW_API_METADATA, 9, &req);
    cr_assert_not(kwi_mock_closing(client.conn));
    client_close(&client);
    bed_close(&bed);
}
