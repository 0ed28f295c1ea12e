/* cli/json.h -- one record as one line of JSON, in both directions.
 *
 * {"key":..., "value":..., "headers":{...}, "partition":N, "timestamp":N}
 * A string or null; the member key_b64 or value_b64 instead carries bytes that
 * are no text. Headers are an object, or an array of [name, value] pairs, where
 * [name, value, "b64"] marks a value in base64. What `kw consume -J` prints,
 * `kw produce --json` takes. */
#ifndef CLI_JSON_H
#define CLI_JSON_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kwire/client_types.h>

#include "cli/output.h"

#define CLI_JSON_HEADERS_MAX 1024

/* A reader of lines; its memory grows to the longest line. */
struct cli_json {
    uint8_t *text; /* decoded strings of the line */
    size_t text_cap, text_len;
    struct kw_header *headers;
    const char *error; /* what was wrong with the last line */
    size_t error_at;   /* byte of the line, from 0 */
    const uint8_t *begin, *ptr, *end;
    uint32_t members; /* seen in this line */
};

void cli_json_deinit(struct cli_json *json);
/* Reads one line into *record (views until the next call; flags and partition
 * only if the line has them). False: json->error and error_at say why. */
bool cli_json_record(struct cli_json *json, const uint8_t *line, size_t len,
                     struct kw_record *record);

/* Writes a JSON string. The bytes must be UTF-8 (cli_json_is_text). */
void cli_json_string(struct cli_output *out, struct kw_bytes text);
/* True for valid UTF-8, which alone can be a JSON string. */
bool cli_json_is_text(struct kw_bytes text);
/* Writes "name": and the bytes: null, a string, or "name_b64" and base64. */
void cli_json_member(struct cli_output *out, const char *name, struct kw_bytes bytes);
/* Writes a whole consumed record as one line. */
void cli_json_consumed(struct cli_output *out, const char *topic, int32_t partition,
                       const struct kw_consumed *record);
/* The same without the topic and the partition. */
void cli_json_record_line(struct cli_output *out, const struct kw_consumed *record);

#endif
