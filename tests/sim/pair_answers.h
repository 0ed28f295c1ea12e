/* tests/sim/pair_answers.h -- for pair.c: a test that changes what a broker says.
 *
 * Answers are gathered to whole frames and shown to sim_pair.on_answer, with the
 * API and version of the request that has their correlation id. */
#ifndef SIM_PAIR_ANSWERS_H
#define SIM_PAIR_ANSWERS_H
#include <kwire/core.h>

struct kw_mock_conn;
struct sim_pair;
struct sim_pair_conn;

enum { SIM_PAIR_ASKED = 128, SIM_PAIR_ANSWER_MAX = 1 << 20 };

struct sim_pair_bytes {
    uint8_t *ptr;
    size_t head, len, cap; /* ptr[head .. len) */
};
struct sim_pair_asked {
    int32_t correlation_id;
    int16_t api_key, version;
};
struct sim_pair_talk {
    struct sim_pair_bytes requests, raw, said;
    struct sim_pair_asked asked[SIM_PAIR_ASKED]; /* a ring */
    uint32_t n_asked;
};
/* One answer, without its size prefix and without its header. */
struct sim_pair_answer {
    const struct sim_pair_conn *conn;
    int16_t api_key, version;
    int32_t correlation_id; /* may be changed */
    const uint8_t *body;
    size_t len;
};

/* Bytes of the core on their way to the broker. */
void sim_pair_talk_asked(struct sim_pair_talk *talk, const uint8_t *ptr, size_t len);
/* What there is to read, changed; and so much of it was read. */
struct kw_span sim_pair_talk_said(struct sim_pair *pair, struct sim_pair_conn *conn);
void sim_pair_talk_read(struct sim_pair_conn *conn, size_t n);
void sim_pair_talk_deinit(struct sim_pair_talk *talk);

#endif
