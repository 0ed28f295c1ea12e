/* Faults on demand: the text form, the calls that they hit, and each act. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "bed.h"

static struct bed bed;
static struct client client;

static void open_one(const struct kw_mock_config *config)
{
    bed_open(&bed, config);
    cr_assert_eq(kwi_mock_create_topic(bed.mock, "t", 2), 0);
    cr_assert_eq(kwi_mock_create_topic(bed.mock, "u", 1), 0);
    client_open(&client, &bed, 0);
}

static void close_one(void)
{
    client_close(&client);
    bed_close(&bed);
}

static struct produced put(const char *topic, int32_t partition)
{
    struct batch_spec spec = {.n_records = 1};
    return client_put(&client, topic, partition, &spec);
}

static int64_t end_offset(const char *topic, int32_t partition)
{
    struct kw_mock_partition_info info;
    cr_assert_eq(kwi_mock_partition(bed.mock, topic, partition, &info), 0);
    return info.end_offset;
}

/* A new connection in place of one that is closing. */
static void reconnect(void)
{
    client_close(&client);
    client_open(&client, &bed, 0);
}

/* ---- text ------------------------------------------------------------------------- */

Test(mock_fault, reads_its_text_form)
{
    static const struct {
        const char *spec;
        int16_t api_key;
        uint32_t first, every, last;
        enum kw_mock_action action;
        int32_t value, broker, partition;
        const char *topic;
    } good[] = {
        {"produce:3:error=6", 0, 3, 1, 3, KWI_MOCK_ERROR, 6, -1, -1, ""},
        {"Produce:3:error=not_leader_or_follower", 0, 3, 1, 3, KWI_MOCK_ERROR, 6, -1, -1, ""},
        {"FETCH:/10:close-after", 1, 10, 10, 0, KWI_MOCK_CLOSE_AFTER, -1, -1, -1, ""},
        {"metadata:1-5:error=-1", 3, 1, 1, 5, KWI_MOCK_ERROR, -1, -1, -1, ""},
        {"22:2+:drop-answer", 22, 2, 1, 0, KWI_MOCK_DROP_ANSWER, -1, -1, -1, ""},
        {"*:*:delay=200:broker=1", -1, 1, 1, 0, KWI_MOCK_DELAY, 200, 1, -1, ""},
        {"produce:*:error-after=7:topic=a.b-c:partition=4:broker=0", 0, 1, 1, 0,
         KWI_MOCK_ERROR_AFTER, 7, 0, 4, "a.b-c"},
        {"listoffsets:1:omit", 2, 1, 1, 1, KWI_MOCK_OMIT, -1, -1, -1, ""},
        {"apiversions:1:cut=0", 18, 1, 1, 1, KWI_MOCK_CUT, 0, -1, -1, ""},
        {"fetch:1:corrupt", 1, 1, 1, 1, KWI_MOCK_CORRUPT, -1, -1, -1, ""},
        {"fetch:1:corrupt=12", 1, 1, 1, 1, KWI_MOCK_CORRUPT, 12, -1, -1, ""},
        {"fetch:1:late=1", 1, 1, 1, 1, KWI_MOCK_LATE, 1, -1, -1, ""},
        {"fetch:1:throttle=5", 1, 1, 1, 1, KWI_MOCK_THROTTLE, 5, -1, -1, ""},
        {"fetch:1:twice", 1, 1, 1, 1, KWI_MOCK_TWICE, -1, -1, -1, ""},
        {"fetch:1:unasked", 1, 1, 1, 1, KWI_MOCK_UNASKED, -1, -1, -1, ""},
        {"fetch:1:move-leader", 1, 1, 1, 1, KWI_MOCK_MOVE_LEADER, -1, -1, -1, ""},
        {"fetch:1:close-before", 1, 1, 1, 1, KWI_MOCK_CLOSE_BEFORE, -1, -1, -1, ""},
        {"fetch:1:drop-request", 1, 1, 1, 1, KWI_MOCK_DROP_REQUEST, -1, -1, -1, ""},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        struct kw_mock_fault fault;
        const char *why;
        cr_assert_eq(kwi_mock_fault_parse(good[i].spec, &fault, &why), 0, "%s: %s", good[i].spec,
                     why);
        cr_assert_eq(fault.api_key, good[i].api_key, "%s", good[i].spec);
        cr_assert_eq(fault.first, good[i].first, "%s", good[i].spec);
        cr_assert_eq(fault.every, good[i].every, "%s", good[i].spec);
        cr_assert_eq(fault.last, good[i].last, "%s", good[i].spec);
        cr_assert_eq(fault.action, good[i].action, "%s", good[i].spec);
        cr_assert_eq(fault.value, good[i].value, "%s", good[i].spec);
        cr_assert_eq(fault.broker, good[i].broker, "%s", good[i].spec);
        cr_assert_eq(fault.partition, good[i].partition, "%s", good[i].spec);
        cr_assert_str_eq(fault.topic, good[i].topic, "%s", good[i].spec);
    }
}

Test(mock_fault, says_what_is_wrong_with_a_text)
{
    static const struct {
        const char *spec, *why;
    } bad[] = {
        {"", "unknown API"},
        {"prod:1:omit", "unknown API"},
        {"99:1:omit", "unknown API"},
        {"produce", "bad call number"},
        {"produce:0:omit", "bad call number"},
        {"produce:x:omit", "bad call number"},
        {"produce:3-:omit", "bad call number"},
        {"produce:3-2:omit", "bad call number"},
        {"produce:/0:omit", "bad call number"},
        {"produce:+:omit", "bad call number"},
        {"produce:99999999999:omit", "bad call number"},
        {"produce:1", "bad action"},
        {"produce:1:explode", "bad action"},
        {"produce:1:error", "bad action"},
        {"produce:1:error=0", "bad action"},
        {"produce:1:error=NO_SUCH", "bad action"},
        {"produce:1:error=99999", "bad action"},
        {"produce:1:omit=3", "bad action"},
        {"produce:1:delay", "bad action"},
        {"produce:1:delay=-5", "bad action"},
        {"produce:1:omit:colour=red", "bad filter"},
        {"produce:1:omit:topic=", "bad filter"},
        {"produce:1:omit:partition=x", "bad filter"},
        {"produce:1:omit:partition", "bad filter"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct kw_mock_fault fault;
        const char *why = "";
        cr_assert_eq(kwi_mock_fault_parse(bad[i].spec, &fault, &why), KW_ERR_USE, "%s",
                     bad[i].spec);
        cr_assert_eq(strncmp(why, bad[i].why, strlen(bad[i].why)), 0, "%s: %s", bad[i].spec, why);
        cr_assert_eq(kwi_mock_fault_parse(bad[i].spec, &fault, NULL), KW_ERR_USE);
    }
}

Test(mock_fault, refuses_acts_that_an_api_does_not_have)
{
    static const char *const impossible[] = {"initproducerid:1:omit", "createtopics:1:twice",
                                             "apiversions:1:unasked", "fetch:1:error-after=7",
                                             "createacls:1:delay=5",  "metadata:1:move-leader",
                                             "produce:1:move-leader" /* to whom? */};
    struct kw_mock_fault fault;
    open_one(NULL);
    for (size_t i = 0; i < sizeof(impossible) / sizeof(*impossible); i++) {
        cr_assert_eq(kwi_mock_fault_parse(impossible[i], &fault, NULL), 0);
        cr_assert_eq(kwi_mock_fault_add(bed.mock, &fault, NULL), KW_ERR_USE, "%s", impossible[i]);
    }
    cr_assert_eq(kwi_mock_fault_parse("*:1:delay=5", &fault, NULL), 0);
    for (int i = 0; i < 64; i++)
        cr_assert_eq(kwi_mock_fault_add(bed.mock, &fault, NULL), 0);
    cr_assert_eq(kwi_mock_fault_add(bed.mock, &fault, NULL), KW_ERR_LIMIT);
    cr_assert_eq(kwi_mock_fault_remove(bed.mock, 7), 0);
    cr_assert_eq(kwi_mock_fault_remove(bed.mock, 7), KW_ERR_USE);
    cr_assert_eq(kwi_mock_fault_add(bed.mock, &fault, NULL), 0);
    close_one();
}

/* ---- which calls ----------------------------------------------------------------------- */

Test(mock_fault, hits_the_calls_that_were_meant)
{
    static const struct {
        const char *spec;
        const char *hits; /* of calls 1 to 10: x hit, . not */
    } cases[] = {
        {"produce:3:error=6", "..x......."},
        {"produce:3-5:error=6", "..xxx....."},
        {"produce:8+:error=6", ".......xxx"},
        {"produce:/3:error=6", "..x..x..x."},
        {"produce:*:error=6", "xxxxxxxxxx"},
        {"*:9:error=6", "........x."},
        {"fetch:*:error=6", ".........."},
        {"produce:2:error=6:broker=1", ".........."},
        {"produce:2:error=6:topic=t", ".x........"},
        {"produce:2:error=6:topic=u", ".........."},
        {"produce:2:error=6:partition=0", ".x........"},
        {"produce:2:error=6:partition=1", ".........."},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint32_t id;
        uint64_t n = 0;
        open_one(NULL);
        id = bed_fault(&bed, cases[i].spec);
        for (int call = 0; call < 10; call++) {
            bool hit = put("t", 0).error_code == KW_E_NOT_LEADER_OR_FOLLOWER;
            n += hit;
            cr_assert_eq(hit, cases[i].hits[call] == 'x', "%s, call %d", cases[i].spec, call + 1);
        }
        cr_assert_eq(kwi_mock_fault_hits(bed.mock, id), n);
        cr_assert_eq(end_offset("t", 0), (int64_t)(10 - n), "an error applies nothing");
        close_one();
    }
}

Test(mock_fault, stops_when_it_is_removed)
{
    uint32_t id;
    open_one(NULL);
    id = bed_fault(&bed, "produce:*:error=6");
    cr_assert_eq(put("t", 0).error_code, 6);
    cr_assert_eq(kwi_mock_fault_remove(bed.mock, id), 0);
    cr_assert_eq(put("t", 0).error_code, 0);
    close_one();
}

Test(mock_fault, does_not_haunt_a_held_request_after_its_removal)
{
    struct fetch_spec fetch = {.topic = "t", .max_wait_ms = 1000, .min_bytes = 1};
    uint32_t id;
    open_one(NULL);
    id = bed_fault(&bed, "fetch:1:delay=1");
    client_fetch_send(&client, &fetch);
    cr_assert_eq(kwi_mock_fault_remove(bed.mock, id), 0);
    cr_assert_eq(bed_fault(&bed, "fetch:9:close-after"), id, "the number is used again");
    bed_advance(&bed, 1000);
    cr_assert(client_fetch_receive(&client, 0).answered);
    cr_assert_not(kwi_mock_closing(client.conn));
    close_one();
}

/* ---- what they do ------------------------------------------------------------------------ */

Test(mock_fault, applies_and_still_reports_an_error)
{
    open_one(NULL);
    bed_fault(&bed, "produce:1:error-after=REQUEST_TIMED_OUT");
    struct produced got = put("t", 0);
    cr_assert_eq(got.error_code, KW_E_REQUEST_TIMED_OUT);
    cr_assert_eq(got.base_offset, -1);
    cr_assert_eq(end_offset("t", 0), 1);
    close_one();
}

Test(mock_fault, drops_a_request_or_its_answer)
{
    open_one(NULL);
    bed_fault(&bed, "produce:1:drop-request");
    bed_fault(&bed, "produce:2:drop-answer");
    cr_assert_not(put("t", 0).answered);
    cr_assert_eq(end_offset("t", 0), 0);
    cr_assert_not(put("t", 0).answered);
    cr_assert_eq(end_offset("t", 0), 1);
    cr_assert_not(kwi_mock_closing(client.conn));
    cr_assert_eq(put("t", 0).base_offset, 1, "the connection goes on");
    close_one();
}

Test(mock_fault, closes_before_or_after_the_deed)
{
    open_one(NULL);
    bed_fault(&bed, "produce:1:close-before");
    bed_fault(&bed, "produce:2:close-after");
    cr_assert_not(put("t", 0).answered);
    cr_assert(kwi_mock_closing(client.conn));
    cr_assert_eq(end_offset("t", 0), 0);
    reconnect();
    cr_assert_not(put("t", 0).answered);
    cr_assert(kwi_mock_closing(client.conn));
    cr_assert_eq(end_offset("t", 0), 1);
    close_one();
}

Test(mock_fault, cuts_an_answer_at_any_byte_and_closes)
{
    for (uint32_t cut = 0; cut < 70; cut += 3) {
        char spec[40];
        size_t n = 0;
        open_one(NULL);
        snprintf(spec, sizeof(spec), "produce:1:cut=%u", cut);
        bed_fault(&bed, spec);
        put("t", 0);
        for (;;) {
            struct kw_span span = kwi_mock_output(client.conn);
            if (!span.len)
                break;
            n += span.len;
            kwi_mock_output_done(client.conn, span.len);
        }
        n += client.part_len + client.frame_len;
        cr_assert(n == cut || (client.frame_len && cut > n), "%zu bytes of %u", n, cut);
        cr_assert(kwi_mock_closing(client.conn));
        cr_assert_eq(end_offset("t", 0), 1);
        close_one();
    }
}

Test(mock_fault, delays_an_answer_and_what_is_behind_it)
{
    struct kw_metadata_request req;
    open_one(NULL);
    bed_fault(&bed, "produce:1:delay=300");
    cr_assert_not(put("t", 0).answered);
    cr_assert_eq(end_offset("t", 0), 1);
    kwi_metadata_request_init(&req);
    client_send(&client, KW_API_METADATA, 9, &req);
    bed_advance(&bed, 299);
    cr_assert_not(client_take(&client));
    cr_assert_eq(kwi_mock_n_requests(bed.mock, KW_API_METADATA), 0);
    bed_advance(&bed, 1);
    cr_assert(client_take(&client));
    cr_assert(client_take(&client));
    close_one();
}

Test(mock_fault, applies_late_even_when_the_client_has_left)
{
    open_one(NULL);
    bed_fault(&bed, "produce:1-2:late=300");
    cr_assert_not(put("t", 0).answered);
    client_close(&client);
    client_open(&client, &bed, 0);
    cr_assert_not(put("t", 0).answered);
    bed_advance(&bed, 299);
    cr_assert_eq(end_offset("t", 0), 0);
    cr_assert_not(client_take(&client));
    bed_advance(&bed, 1);
    cr_assert_eq(end_offset("t", 0), 2);
    cr_assert(client_take(&client));
    close_one();
}

Test(mock_fault, forgets_late_requests_when_the_broker_dies)
{
    open_one(NULL);
    bed_fault(&bed, "produce:1:late=300");
    put("t", 0);
    client_close(&client);
    kwi_mock_broker_down(bed.mock, 0, false);
    kwi_mock_broker_up(bed.mock, 0);
    bed_advance(&bed, 1000);
    cr_assert_eq(end_offset("t", 0), 0);
    bed_close(&bed);
}

Test(mock_fault, parks_a_late_fetch_as_any_other)
{
    struct fetch_spec fetch = {.topic = "t", .max_wait_ms = 1000, .min_bytes = 1};
    struct client producer;
    struct batch_spec spec = {.n_records = 1};
    open_one(NULL);
    bed_fault(&bed, "fetch:1:late=100");
    client_open(&producer, &bed, 0);
    client_fetch_send(&client, &fetch);
    bed_advance(&bed, 500);
    cr_assert_not(client_fetch_receive(&client, 0).answered);
    client_put(&producer, "t", 0, &spec);
    bed_advance(&bed, 0);
    cr_assert_gt(client_fetch_receive(&client, 0).records_len, 0);
    client_close(&producer);
    close_one();
}

Test(mock_fault, throttles_by_the_number_in_the_answer)
{
    open_one(NULL);
    bed_fault(&bed, "produce:2:throttle=77");
    cr_assert_eq(put("t", 0).throttle_time_ms, 0);
    cr_assert_eq(put("t", 0).throttle_time_ms, 77);
    close_one();
}

Test(mock_fault, changes_exactly_one_byte_of_an_answer)
{
    for (int i = 0; i < 40; i++) {
        struct kw_mock_config config = {.seed = {(uint8_t)i}};
        struct kw_api_versions_request req;
        uint8_t *sound;
        size_t len, n_changed = 0, at = 0;
        open_one(&config);
        bed_fault(&bed, i < 20 ? "apiversions:2:corrupt" : "apiversions:2:corrupt=9");
        kwi_api_versions_request_init(&req);
        client_send(&client, KW_API_API_VERSIONS, 0, &req);
        cr_assert(client_take(&client));
        len = client.frame_len;
        sound = malloc(len);
        memcpy(sound, client.frame, len);
        client.correlation_id--;
        client_send(&client, KW_API_API_VERSIONS, 0, &req);
        struct kw_span span = kwi_mock_output(client.conn);
        cr_assert_eq(span.len, len);
        for (size_t k = 0; k < len; k++) {
            if (((const uint8_t *)span.ptr)[k] != sound[k]) {
                n_changed++;
                at = k;
            }
        }
        cr_assert_eq(n_changed, 1);
        if (i >= 20)
            cr_assert_eq(at, 9);
        kwi_mock_output_done(client.conn, len);
        free(sound);
        close_one();
    }
}

Test(mock_fault, omits_doubles_and_invents_partitions)
{
    struct fetch_spec fetch = {.topic = "t"};
    open_one(NULL);
    bed_fault(&bed, "produce:1:omit");
    bed_fault(&bed, "produce:2:twice");
    bed_fault(&bed, "produce:3:unasked");
    bed_fault(&bed, "produce:4:omit:partition=1");
    bed_fault(&bed, "fetch:1:omit");
    bed_fault(&bed, "fetch:2:twice");
    bed_fault(&bed, "fetch:3:unasked");
    cr_assert_eq(put("t", 0).n_partitions, 0);
    cr_assert_eq(put("t", 0).n_partitions, 2);
    cr_assert_eq(put("t", 0).n_partitions, 2);
    cr_assert_eq(put("t", 0).n_partitions, 1);
    cr_assert_eq(end_offset("t", 0), 4);
    cr_assert_eq(client_fetch(&client, &fetch).n_partitions, 0);
    cr_assert_eq(client_fetch(&client, &fetch).n_partitions, 2);
    cr_assert_eq(client_fetch(&client, &fetch).n_partitions, 2);
    cr_assert_eq(client_fetch(&client, &fetch).n_partitions, 1);
    close_one();
}

Test(mock_fault, moves_a_leader_to_the_next_replica)
{
    static const struct kw_mock_config two = {.n_brokers = 2};
    struct fetch_spec fetch = {.topic = "t"};
    struct batch_spec spec = {.n_records = 1};
    struct kw_mock_partition_info info;
    struct client other;

    open_one(&two);
    client_open(&other, &bed, 1);
    bed_fault(&bed, "produce:2:move-leader:topic=t:partition=0");
    bed_fault(&bed, "fetch:2:move-leader");
    cr_assert_eq(put("t", 0).error_code, 0);
    cr_assert_eq(put("t", 0).error_code, KW_E_NOT_LEADER_OR_FOLLOWER, "moved by this call");
    cr_assert_eq(kwi_mock_partition(bed.mock, "t", 0, &info), 0);
    cr_assert_eq(info.leader, 1);
    cr_assert_eq(info.leader_epoch, 1);
    cr_assert_eq(info.end_offset, 1, "and nothing was appended");
    cr_assert_eq(put("t", 0).error_code, KW_E_NOT_LEADER_OR_FOLLOWER, "it stays moved");
    cr_assert_eq(client_put(&other, "t", 0, &spec).error_code, 0);
    cr_assert_eq(kwi_mock_partition(bed.mock, "t", 1, &info), 0);
    cr_assert_eq(info.leader_epoch, 0, "the other partition was not asked for");

    cr_assert_eq(client_fetch(&other, &fetch).error_code, 0);
    cr_assert_eq(client_fetch(&other, &fetch).error_code, KW_E_NOT_LEADER_OR_FOLLOWER);
    cr_assert_eq(client_fetch(&client, &fetch).error_code, 0, "back where it was");
    cr_assert_eq(kwi_mock_partition(bed.mock, "t", 0, &info), 0);
    cr_assert_eq(info.leader_epoch, 2);
    client_close(&other);
    close_one();
}

Test(mock_fault, leaves_a_leader_whose_replicas_are_down)
{
    static const struct kw_mock_config two = {.n_brokers = 2};
    struct kw_mock_partition_info info;

    open_one(&two);
    kwi_mock_broker_down(bed.mock, 1, false);
    bed_fault(&bed, "produce:1:move-leader");
    cr_assert_eq(put("t", 0).error_code, 0);
    cr_assert_eq(kwi_mock_partition(bed.mock, "t", 0, &info), 0);
    cr_assert_eq(info.leader, 0);
    close_one();
}

/* Of a Metadata answer about all topics: how many, and of the first the error,
 * the number of partitions and the error of its partition 1. */
static void metadata(int32_t *n_topics, int16_t *error, int32_t *n_partitions,
                     int16_t *partition_error)
{
    struct kw_metadata_request req;
    struct kw_metadata_response resp;
    struct kw_metadata_response_topic topic;
    struct kw_metadata_response_partition partition;
    struct kw_iter it, inner;
    kwi_metadata_request_init(&req);
    req.topics.n = -1;
    client_ask(&client, KW_API_METADATA, 12, &req, &resp);
    *n_topics = resp.topics.n;
    kwi_iter_init(&it, &resp.topics);
    *error = *partition_error = 0;
    *n_partitions = 0;
    if (!kwi_iter_next(&it, &topic))
        return;
    *error = topic.error_code;
    *n_partitions = topic.partitions.n;
    kwi_iter_init(&inner, &topic.partitions);
    while (kwi_iter_next(&inner, &partition)) {
        if (partition.partition_index == 1)
            *partition_error = partition.error_code;
    }
}

Test(mock_fault, bends_metadata_by_topic_and_by_partition)
{
    static const struct {
        const char *spec;
        int32_t n_topics;
        int16_t error;
        int32_t n_partitions;
        int16_t partition_error;
    } cases[] = {
        {"metadata:1:omit", 0, 0, 0, 0},
        {"metadata:1:omit:topic=t", 1, 0, 1, 0},
        {"metadata:1:omit:topic=t:partition=1", 2, 0, 1, 0},
        {"metadata:1:twice", 4, 0, 2, 0},
        {"metadata:1:twice:topic=t:partition=0", 2, 0, 3, 0},
        {"metadata:1:unasked", 3, 0, 2, 0},
        {"metadata:1:error=5", 2, 5, 0, 0},
        {"metadata:1:error=5:topic=u", 2, 0, 2, 0},
        {"metadata:1:error=5:topic=t:partition=1", 2, 0, 2, 5},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int32_t n_topics, n_partitions;
        int16_t error, partition_error;
        open_one(NULL);
        bed_fault(&bed, cases[i].spec);
        metadata(&n_topics, &error, &n_partitions, &partition_error);
        cr_assert_eq(n_topics, cases[i].n_topics, "%s: %d", cases[i].spec, n_topics);
        cr_assert_eq(error, cases[i].error, "%s", cases[i].spec);
        cr_assert_eq(n_partitions, cases[i].n_partitions, "%s: %d", cases[i].spec, n_partitions);
        cr_assert_eq(partition_error, cases[i].partition_error, "%s", cases[i].spec);
        metadata(&n_topics, &error, &n_partitions, &partition_error);
        cr_assert_eq(n_topics, 2);
        cr_assert_eq(n_partitions, 2);
        close_one();
    }
}

Test(mock_fault, puts_errors_into_every_api)
{
    struct kw_init_producer_id_request init;
    struct kw_init_producer_id_response inited;
    struct kw_api_versions_request versions;
    struct kw_api_versions_response offered;
    struct fetch_spec fetch = {.topic = "t"};
    open_one(NULL);
    bed_fault(&bed, "initproducerid:1:error=14");
    bed_fault(&bed, "initproducerid:2:error-after=7");
    bed_fault(&bed, "apiversions:1:error=-1");
    bed_fault(&bed, "fetch:1:error=KAFKA_STORAGE_ERROR");
    kwi_init_producer_id_request_init(&init);
    init.transactional_id = KWI_NULL_STR;
    client_ask(&client, KW_API_INIT_PRODUCER_ID, 4, &init, &inited);
    cr_assert_eq(inited.error_code, 14);
    client_ask(&client, KW_API_INIT_PRODUCER_ID, 4, &init, &inited);
    cr_assert_eq(inited.error_code, 7);
    cr_assert_eq(inited.producer_id, -1);
    kwi_api_versions_request_init(&versions);
    client_ask(&client, KW_API_API_VERSIONS, 0, &versions, &offered);
    cr_assert_eq(offered.error_code, -1);
    cr_assert_eq(client_fetch(&client, &fetch).error_code, KW_E_KAFKA_STORAGE_ERROR);
    close_one();
}
