/* proto/sasl.h -- SaslHandshake (17) and SaslAuthenticate (36). */
#ifndef KWI_SASL_H
#define KWI_SASL_H
#include "proto/schema.h"

struct kw_sasl_handshake_request {
    struct kw_str mechanism;
};

struct kw_sasl_handshake_response {
    int16_t error_code;
    struct kw_arr mechanisms; /* of struct kw_str */
};
KWI_API(sasl_handshake)

struct kw_sasl_authenticate_request {
    struct kw_blob auth_bytes;
};

struct kw_sasl_authenticate_response {
    int16_t error_code;
    struct kw_str error_message; /* null if none */
    struct kw_blob auth_bytes;
    int64_t session_lifetime_ms; /* v1+; 0: no need to authenticate again */
};
KWI_API(sasl_authenticate)

#endif
