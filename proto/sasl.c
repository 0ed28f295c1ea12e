/* proto/sasl.c -- what stands between a connection and its first request.
 *
 * SaslHandshake, api key 17, versions 0 and 1, never flexible: names the mechanism
 * before authentication. Version 1 announces that the tokens follow inside
 * SaslAuthenticate requests (KIP-152); after version 0 they would follow bare, which
 * kwire does not do.
 *
 * SaslAuthenticate, api key 36, versions 0 to 2: one token of the mechanism in either
 * direction, as often as it takes (KIP-152).
 *   v1  session_lifetime_ms: authenticate again before it is over (KIP-368)
 *   v2  flexible (KIP-482)
 */
#include "proto/sasl.h"

/* clang-format off */
KWI_TABLE(sasl_handshake_request, 0, 1, KWI_NEVER, KWI_EVER(sasl_handshake_request, mechanism));
KWI_TABLE(sasl_handshake_response, 0, 1, KWI_NEVER,
    KWI_EVER(sasl_handshake_response, error_code),
    KWI_PLAIN(sasl_handshake_response, mechanisms, str, 0, KWI_LAST, 0));
KWI_TABLE(sasl_authenticate_request, 0, 2, 2, KWI_EVER(sasl_authenticate_request, auth_bytes));
KWI_TABLE(sasl_authenticate_response, 0, 2, 2,
    KWI_EVER(sasl_authenticate_response, error_code),
    KWI_MAYBE(sasl_authenticate_response, error_message,       0, KWI_LAST, 0, 0, 0),
    KWI_EVER(sasl_authenticate_response, auth_bytes),
    KWI_VALUE(sasl_authenticate_response, session_lifetime_ms, 1, KWI_LAST, 0, KWI_IGNORABLE));
