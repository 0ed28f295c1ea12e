/* client/error_text.h -- making a struct kw_error: what, where, why, remedy. */
#ifndef KWI_ERROR_TEXT_H
#define KWI_ERROR_TEXT_H
#include <kwire/types.h>

/* Fills *err (NULL: nothing happens) with a text and a hint as they stand. */
void kwi_error_set(struct kw_error *err, int code, enum kw_phase phase, const char *text,
                   const char *hint);
/* What is begun when the client, or the producer, is being closed. Returns KW_ERR_CLOSED. */
int kwi_error_closing(struct kw_error *err);
/* As kwi_error_set with a formatted text (base/fmt.h). Returns err, for the hint. */
void kwi_error_fmt(struct kw_error *err, int code, enum kw_phase phase, const char *hint,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));
/* KW_ERR_BROKER from a Kafka error code: its name, what was asked, the broker's
 * own message if it sent one (may be NULL), the table's remedy. */
void kwi_error_kafka(struct kw_error *err, int16_t kafka_code, const char *what,
                     const char *message, size_t message_len);

#endif
