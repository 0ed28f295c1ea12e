/* Fetch sessions of the broker model: what an answer tells, and what it refuses. */
#include <criterion/criterion.h>

#include "bed.h"

static struct bed bed;
static struct client client;

static void open_one(const struct kw_mock_config *config)
{
    bed_open(&bed, config);
    cr_assert_eq(kwi_mock_create_topic(bed.mock, "t", 4), 0);
    client_open(&client, &bed, 0);
}

static void close_one(void)
{
    client_close(&client);
    bed_close(&bed);
}

/* A request of version 12 about partitions [first, first + n) at an offset, and what came back. */
struct said {
    int32_t id, epoch, first, n, forget;
    int64_t offset;
};
struct told {
    int16_t error;
    int32_t id, n, partition[8];
    int32_t records[8];
};

static struct told ask_version(const struct said *said, int16_t version)
{
    struct kw_fetch_request req;
    struct kw_fetch_request_topic topic;
    struct kw_fetch_request_forgotten forgotten;
    struct kw_fetch_request_partition partitions[8];
    struct kw_fetch_response resp;
    struct kw_fetch_response_topic answered;
    struct kw_fetch_response_partition item;
    struct kw_iter it, inner;
    struct told told = {0};
    kwi_fetch_request_init(&req);
    kwi_fetch_request_topic_init(&topic);
    kwi_fetch_request_forgotten_init(&forgotten);
    for (int i = 0; i < said->n; i++) {
        kwi_fetch_request_partition_init(&partitions[i]);
        partitions[i].partition = said->first + i;
        partitions[i].fetch_offset = said->offset;
        partitions[i].partition_max_bytes = 1 << 20;
    }
    topic.topic = forgotten.topic = kwi_str("t");
    if (version >= 13)
        topic.topic_id = client_topic_id(&client, "t");
    topic.partitions = KWI_ARR(partitions, said->n);
    forgotten.partitions = KWI_ARR(&said->forget, 1);
    if (version < 15)
        req.replica_id = -1;
    req.max_bytes = 1 << 20;
    req.session_id = said->id;
    req.session_epoch = said->epoch;
    req.topics = KWI_ARR(&topic, said->n > 0);
    req.forgotten_topics_data = KWI_ARR(&forgotten, said->forget >= 0);
    client_ask(&client, KW_API_FETCH, version, &req, &resp);
    told.error = resp.error_code;
    told.id = resp.session_id;
    for (kwi_iter_init(&it, &resp.responses); kwi_iter_next(&it, &answered);) {
        for (kwi_iter_init(&inner, &answered.partitions); kwi_iter_next(&inner, &item);) {
            told.partition[told.n] = item.partition_index;
            told.records[told.n++] = item.records.len;
        }
    }
    return told;
}

static struct told ask(int32_t id, int32_t epoch, int32_t first, int32_t n, int64_t offset)
{
    struct said said = {id, epoch, first, n, -1, offset};
    return ask_version(&said, 12);
}

Test(mock_fetch_session, tells_of_all_at_first_and_then_of_what_is_new)
{
    struct batch_spec spec = {.n_records = 3};
    open_one(NULL);
    struct told told = ask(0, 0, 0, 3, 0);
    cr_assert_eq(told.error, 0);
    cr_assert_neq(told.id, 0);
    cr_assert_eq(told.n, 3);
    int32_t id = told.id;
    told = ask(id, 1, 0, 0, 0);
    cr_assert_eq(told.id, id);
    cr_assert_eq(told.n, 0);
    client_put(&client, "t", 1, &spec);
    client_put(&client, "t", 3, &spec); /* not of the session */
    told = ask(id, 2, 0, 0, 0);
    cr_assert_eq(told.n, 1);
    cr_assert_eq(told.partition[0], 1);
    cr_assert_gt(told.records[0], 0);
    /* As long as the client does not move on, the same comes again. */
    cr_assert_eq(ask(id, 3, 0, 0, 0).n, 1);
    cr_assert_eq(ask(id, 4, 1, 1, 3).n, 0, "moved on, and the high watermark is known");
    told = ask(id, 5, 3, 1, 0);
    cr_assert_eq(told.n, 1);
    cr_assert_eq(told.partition[0], 3);
    cr_assert_eq(kwi_mock_n_fetch_sessions(bed.mock, 0), 1);
    close_one();
}

Test(mock_fetch_session, what_brought_records_goes_to_the_end_of_the_line)
{
    struct batch_spec spec = {.n_records = 1};
    open_one(NULL);
    for (int32_t p = 0; p < 3; p++)
        client_put(&client, "t", p, &spec);
    int32_t id = ask(0, 0, 0, 3, 1).id;
    client_put(&client, "t", 0, &spec);
    cr_assert_eq(ask(id, 1, 0, 0, 0).partition[0], 0);
    client_put(&client, "t", 2, &spec);
    struct told told = ask(id, 2, 0, 0, 0);
    cr_assert_eq(told.n, 2);
    cr_assert_eq(told.partition[0], 2);
    cr_assert_eq(told.partition[1], 0);
    close_one();
}

Test(mock_fetch_session, forgets_and_ends_with_the_last_one)
{
    struct batch_spec spec = {.n_records = 1};
    open_one(NULL);
    int32_t id = ask(0, 0, 0, 2, 0).id;
    struct said said = {id, 1, 0, 0, 0, 0};
    cr_assert_eq(ask_version(&said, 12).id, id);
    client_put(&client, "t", 0, &spec);
    cr_assert_eq(ask(id, 2, 0, 0, 0).n, 0);
    said = (struct said){id, 3, 0, 0, 1, 0};
    cr_assert_eq(ask_version(&said, 12).id, 0, "nothing left");
    cr_assert_eq(kwi_mock_n_fetch_sessions(bed.mock, 0), 0);
    cr_assert_eq(ask(id, 4, 0, 0, 0).error, KW_E_FETCH_SESSION_ID_NOT_FOUND);
    close_one();
}

Test(mock_fetch_session, refuses_what_is_out_of_turn_or_not_there)
{
    open_one(NULL);
    int32_t id = ask(0, 0, 0, 1, 0).id;
    cr_assert_eq(ask(id, 2, 0, 0, 0).error, KW_E_INVALID_FETCH_SESSION_EPOCH);
    cr_assert_eq(ask(id, 1, 0, 0, 0).error, 0);
    cr_assert_eq(ask(id, 1, 0, 0, 0).error, KW_E_INVALID_FETCH_SESSION_EPOCH);
    cr_assert_eq(ask(id ^ 1, 2, 0, 0, 0).error, KW_E_FETCH_SESSION_ID_NOT_FOUND);
    struct said by_id = {id, 2, 1, 1, -1, 0};
    cr_assert_eq(ask_version(&by_id, 13).error, KW_E_FETCH_SESSION_TOPIC_ID_ERROR);
    /* A new one takes its place; -1 closes without another. */
    int32_t other = ask(id, 0, 0, 1, 0).id;
    cr_assert_neq(other, id);
    cr_assert_eq(kwi_mock_n_fetch_sessions(bed.mock, 0), 1);
    cr_assert_eq(ask(other, -1, 0, 1, 0).n, 1);
    cr_assert_eq(kwi_mock_n_fetch_sessions(bed.mock, 0), 0);
    close_one();
}

Test(mock_fetch_session, has_room_for_so_many_and_evicts_what_is_not_used)
{
    const struct kw_mock_config config = {.fetch_sessions = 2};
    open_one(&config);
    int32_t first = ask(0, 0, 0, 1, 0).id;
    bed_advance(&bed, 60000);
    cr_assert_neq(ask(0, 0, 0, 1, 0).id, 0);
    cr_assert_eq(ask(0, 0, 0, 1, 0).id, 0, "both are in use");
    bed_advance(&bed, 70000);
    cr_assert_neq(ask(0, 0, 0, 1, 0).id, 0);
    cr_assert_eq(ask(first, 1, 0, 0, 0).error, KW_E_FETCH_SESSION_ID_NOT_FOUND);
    close_one();
}

Test(mock_fetch_session, can_be_lost_on_demand)
{
    open_one(NULL);
    int32_t id = ask(0, 0, 0, 1, 0).id;
    bed_fault(&bed, "fetch:2:error=INVALID_FETCH_SESSION_EPOCH");
    bed_fault(&bed, "fetch:3:evict");
    cr_assert_eq(ask(id, 1, 0, 0, 0).error, 0);
    struct told told = ask(id, 2, 0, 0, 0);
    cr_assert_eq(told.error, KW_E_INVALID_FETCH_SESSION_EPOCH, "of the whole answer");
    cr_assert_eq(told.n, 0);
    cr_assert_eq(ask(id, 2, 0, 0, 0).error, KW_E_FETCH_SESSION_ID_NOT_FOUND);
    close_one();
}

/* Whatever runs out, the model stays whole, and grants a session afterwards. */
Test(mock_fetch_session, survives_each_allocation_that_fails)
{
    open_one(NULL);
    for (size_t n = 0; n < 60; n++) {
        struct kw_fetch_request req;
        struct kw_fetch_request_topic topic;
        struct kw_fetch_request_partition partition;
        kwi_fetch_request_init(&req);
        kwi_fetch_request_topic_init(&topic);
        kwi_fetch_request_partition_init(&partition);
        topic.topic = kwi_str("t");
        topic.partitions = KWI_ARR(&partition, 1);
        req.replica_id = -1;
        req.session_epoch = 0;
        req.topics = KWI_ARR(&topic, 1);
        bed.n_until_refusal = n;
        bed.refuse_once = true;
        client_send(&client, KW_API_FETCH, 12, &req);
        bed.n_until_refusal = SIZE_MAX;
        client_close(&client);
        client_open(&client, &bed, 0);
        cr_assert_neq(ask(0, 0, 0, 4, 0).id, 0, "after %zu", n);
        kwi_mock_drop_fetch_sessions(bed.mock, 0);
    }
    close_one();
}
