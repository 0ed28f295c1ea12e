/* client/error_text.c -- see error_text.h. */
#include "client/error_text.h"

#include <stdarg.h>
#include <string.h>

#include "base/fmt.h"
#include "proto/error.h"

void kwi_error_set(struct kw_error *err, int code, enum kw_phase phase, const char *text,
                   const char *hint)
{
    kwi_error_fmt(err, code, phase, hint, "%s", text);
}

int kwi_error_closing(struct kw_error *err)
{
    kwi_error_set(err, KW_ERR_CLOSED, KW_PHASE_NONE, "the client or the producer is closing", "");
    return KW_ERR_CLOSED;
}

void kwi_error_fmt(struct kw_error *err, int code, enum kw_phase phase, const char *hint,
                   const char *format, ...)
{
    va_list args;

    if (!err)
        return;
    memset(err, 0, sizeof(*err));
    err->code = code;
    err->phase = (uint8_t)phase;
    err->broker = -1;
    err->retriable = code == KW_ERR_TIMEOUT || code == KW_ERR_CONNECT || code == KW_ERR_NOMEM ||
                     code == KW_ERR_WOULD_BLOCK;
    va_start(args, format);
    kwi_vfmt(err->text, sizeof(err->text), format, args);
    va_end(args);
    kwi_fmt_clean(err->text);
    kwi_fmt(err->hint, sizeof(err->hint), "%s", hint);
}

void kwi_error_kafka(struct kw_error *err, int16_t kafka_code, const char *what,
                     const char *message, size_t message_len)
{
    const struct kw_error_info *info = kwi_error_info(kafka_code);
    bool told = message && message_len;

    kwi_error_fmt(err, KW_ERR_BROKER, KW_PHASE_REQUEST, info->remedy, "%s: %s (%d)%s%.*s", what,
                  info->name, kafka_code, told ? ": " : "", told ? (int)message_len : 0,
                  told ? message : "");
    if (err) {
        err->kafka_code = kafka_code;
        err->retriable = (info->flags & KW_E_RETRIABLE) != 0;
    }
}
