/* Groups of the classic protocol of the broker model: members that vanish while they wait. */
#include <criterion/criterion.h>

#include "bed.h"
#include "proto/group.h"

static struct bed bed;

enum { SESSION_MS = 6000, REBALANCE_MS = 300000 };

static void send_join(struct client *client, const char *member_id)
{
    struct kw_join_group_request req;
    struct kw_join_group_request_protocol protocol;
    kwi_join_group_request_init(&req);
    kwi_join_group_request_protocol_init(&protocol);
    protocol.name = kwi_str("range");
    protocol.metadata = (struct kw_blob){(const uint8_t *)"", 0};
    req.group_id = kwi_str("g");
    req.member_id = kwi_str(member_id);
    req.protocol_type = kwi_str("consumer");
    req.session_timeout_ms = SESSION_MS;
    req.rebalance_timeout_ms = REBALANCE_MS;
    req.protocols = KWI_ARR(&protocol, 1);
    client_send(client, KW_API_JOIN_GROUP, 5, &req);
}

/* The id that a new member is to come back with. */
static void be_given_id(struct client *client, char *id, size_t size)
{
    struct kw_join_group_response resp;
    send_join(client, "");
    cr_assert(client_receive(client, KW_API_JOIN_GROUP, 5, &resp));
    cr_assert_eq(resp.error_code, KW_E_MEMBER_ID_REQUIRED);
    cr_assert_lt((size_t)resp.member_id.len, size);
    memcpy(id, resp.member_id.ptr, (size_t)resp.member_id.len);
    id[resp.member_id.len] = '\0';
}

static uint32_t n_members(void)
{
    struct kw_mock_group_info info;
    cr_assert_eq(kwi_mock_group(bed.mock, "g", &info), 0);
    return info.n_members;
}

static int16_t beat(struct client *client, const char *member_id, int32_t generation)
{
    struct kw_heartbeat_request req;
    struct kw_heartbeat_response resp;
    kwi_heartbeat_request_init(&req);
    req.group_id = kwi_str("g");
    req.member_id = kwi_str(member_id);
    req.generation_id = generation;
    client_ask(client, KW_API_HEARTBEAT, 3, &req, &resp);
    return resp.error_code;
}

/* One dies while it waits for the other to join again. It is in the generation that comes
 * of that, and must not stay in the group for ever as one that waits for an answer. */
Test(mock_group, who_hangs_up_while_it_joins_is_out_after_its_session)
{
    struct client first, second;
    struct kw_join_group_response resp;
    char one[64], two[64];
    bed_open(&bed, NULL);
    kwi_mock_set_coordinator(bed.mock, 0);
    client_open(&first, &bed, 0);
    client_open(&second, &bed, 0);
    be_given_id(&first, one, sizeof one);
    send_join(&first, one);
    cr_assert(client_receive(&first, KW_API_JOIN_GROUP, 5, &resp));
    be_given_id(&second, two, sizeof two);
    send_join(&second, two);
    cr_assert_not(client_receive(&second, KW_API_JOIN_GROUP, 5, &resp), "it waits for the first");
    client_close(&second);
    cr_assert_eq(beat(&first, one, 1), KW_E_REBALANCE_IN_PROGRESS);
    send_join(&first, one);
    cr_assert(client_receive(&first, KW_API_JOIN_GROUP, 5, &resp));
    cr_assert_eq(resp.generation_id, 2);
    cr_assert_eq(n_members(), 2, "nobody knows better yet");
    for (int i = 0; i < 4 && n_members() > 1; i++) {
        (void)beat(&first, one, 2);
        bed_advance(&bed, SESSION_MS / 2);
    }
    cr_assert_eq(n_members(), 1, "whoever is gone does not stay");
    cr_assert_eq(beat(&first, one, 2), KW_E_REBALANCE_IN_PROGRESS, "and the others are told");
    client_close(&first);
    bed_close(&bed);
}
