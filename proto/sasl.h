/* proto/sasl.h -- SaslHandshake (17). */
#ifndef KWI_SASL_H
#define KWI_SASL_H
#include "proto/schema.h"

struct kw_sasl_handshake_request {
    struct kw_str mechanism;
};
KWI_MESSAGE(sasl_handshake_request)

struct kw_sasl_handshake_response {
    int16_t error_code;
    struct kw_arr mechanisms; /* of struct kw_str */
};
KWI_MESSAGE(sasl_handshake_response)

#endif
