/* mock/sasl.h -- where a connection stands with authentication. */
#ifndef KWI_MOCK_SASL_H
#define KWI_MOCK_SASL_H
#include "mock/call.h"

/* Of the exchange that is under way. */
enum kw_mock_auth_stage { KWI_MOCK_IDLE, KWI_MOCK_FIRST, KWI_MOCK_LAST };

struct kw_mock_auth {
    struct kw_mock_known *user, *claimed; /* proved; of the exchange */
    uint32_t generation;                  /* of the users */
    int mechanism;
    uint8_t stage; /* enum kw_mock_auth_stage */
    uint64_t began_us, expires_us;
    char text[1536], out[512]; /* what is signed; the last token that was sent */
    size_t text_len, out_len;
};

/* Whether the call may be served on a connection in that state. */
bool kwi_mock_sasl_admits(struct kw_mock_call *call);
void kwi_mock_sasl_deinit(struct kw_mock *mock);

#endif
