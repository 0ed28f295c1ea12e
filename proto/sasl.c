/* proto/sasl.c -- SaslHandshake, api key 17, versions 0 and 1, never flexible.
 *
 * Names the mechanism before authentication. Version 1 announces that the tokens
 * follow inside SaslAuthenticate requests (KIP-152); after version 0 they would
 * follow bare, which kwire does not do. */
#include "proto/sasl.h"

/* clang-format off */

KWI_TABLE(sasl_handshake_request, 0, 1, KWI_NEVER,
    KWI_VALUE(sasl_handshake_request, mechanism, 0, KWI_LAST, 0, 0));

KWI_TABLE(sasl_handshake_response, 0, 1, KWI_NEVER,
    KWI_VALUE(sasl_handshake_response, error_code, 0, KWI_LAST, 0, 0),
    KWI_PLAIN(sasl_handshake_response, mechanisms, str, 0, KWI_LAST, 0));
