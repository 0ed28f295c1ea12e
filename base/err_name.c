/* base/err_name.c -- the names of enum kw_err, for logs and messages. */
#include <kwire/types.h>

const char *kw_err_name(int err)
{
    switch ((enum kw_err)err) {
    case KW_OK: return "KW_OK";
    case KW_ERR_USE: return "KW_ERR_USE";
    case KW_ERR_NOMEM: return "KW_ERR_NOMEM";
    case KW_ERR_LIMIT: return "KW_ERR_LIMIT";
    case KW_ERR_WOULD_BLOCK: return "KW_ERR_WOULD_BLOCK";
    case KW_ERR_CONFIG: return "KW_ERR_CONFIG";
    case KW_ERR_TIMEOUT: return "KW_ERR_TIMEOUT";
    case KW_ERR_CANCELED: return "KW_ERR_CANCELED";
    case KW_ERR_CLOSED: return "KW_ERR_CLOSED";
    case KW_ERR_REENTRANT: return "KW_ERR_REENTRANT";
    case KW_ERR_BUSY: return "KW_ERR_BUSY";
    case KW_ERR_STATE: return "KW_ERR_STATE";
    case KW_ERR_CONNECT: return "KW_ERR_CONNECT";
    case KW_ERR_PROTOCOL: return "KW_ERR_PROTOCOL";
    case KW_ERR_BROKER: return "KW_ERR_BROKER";
    case KW_ERR_UNSUPPORTED: return "KW_ERR_UNSUPPORTED";
    case KW_ERR_AUTH: return "KW_ERR_AUTH";
    case KW_ERR_IO: return "KW_ERR_IO";
    case KW_ERR_TOO_LARGE: return "KW_ERR_TOO_LARGE";
    case KW_ERR_IN_FLIGHT: return "KW_ERR_IN_FLIGHT";
    case KW_ERR_FORKED: return "KW_ERR_FORKED";
    case KW_ERR_SHORT: return "KW_ERR_SHORT";
    case KW_ERR_VARINT: return "KW_ERR_VARINT";
    case KW_ERR_LENGTH: return "KW_ERR_LENGTH";
    case KW_ERR_NULL: return "KW_ERR_NULL";
    case KW_ERR_TAGS: return "KW_ERR_TAGS";
    case KW_ERR_TRAILING: return "KW_ERR_TRAILING";
    case KW_ERR_VERSION: return "KW_ERR_VERSION";
    case KW_ERR_SPACE: return "KW_ERR_SPACE";
    case KW_ERR_CRC: return "KW_ERR_CRC";
    case KW_ERR_CORRUPT: return "KW_ERR_CORRUPT";
    case KW_ERR_CODEC: return "KW_ERR_CODEC";
    case KW_ERR_BOMB: return "KW_ERR_BOMB";
    case KW_ERR_SYNTAX: return "KW_ERR_SYNTAX";
    case KW_ERR_TRUNCATED: return "KW_ERR_TRUNCATED";
    case KW_ERR_RECREATED: return "KW_ERR_RECREATED";
    case KW_ERR_BATCHMATE: return "KW_ERR_BATCHMATE";
    }
    return "unknown";
}
