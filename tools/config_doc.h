/* tools/config_doc.h -- writes docs/CONFIG.md from the table of keys. A header,
 * so that the generator and the test that compares share it. */
#ifndef KWI_CONFIG_DOC_H
#define KWI_CONFIG_DOC_H
#include <inttypes.h>
#include <stdio.h>

#include "client/config.h"

static void config_doc_words(FILE *out, const char *words, const char *between)
{
    const char *word;
    size_t len;
    for (unsigned i = 0; (word = kwi_config_word(words, i, &len)); i++)
        fprintf(out, "%s`%.*s`", i ? between : "", (int)len, word);
}

static void config_doc_type(FILE *out, const struct kw_config_row *row)
{
    const char *word;
    size_t len;
    switch ((enum kw_config_type)row->type) {
    case KWI_CONFIG_INT:
        fprintf(out, "%" PRId64 " to %" PRId64 "%s%s", row->min, row->max, *row->unit ? " " : "",
                row->unit);
        if (row->words) {
            fprintf(out, "; ");
            config_doc_words(out, row->words, ", ");
        }
        break;
    case KWI_CONFIG_BOOL: fprintf(out, "`true`, `false`"); break;
    case KWI_CONFIG_WORD:
        for (unsigned i = 0; (word = kwi_config_word(row->words, i, &len)); i++)
            fprintf(out, "%s`%.*s` (%u)", i ? ", " : "", (int)len, word, i);
        break;
    case KWI_CONFIG_STRING: fprintf(out, "text of at most %" PRId64 " bytes", row->max); break;
    case KWI_CONFIG_SECRET:
        fprintf(out, "secret text of at most %" PRId64 " bytes", row->max);
        break;
    case KWI_CONFIG_SERVERS: fprintf(out, "`host:port,...`"); break;
    }
}

static void config_doc_default(FILE *out, enum kw_key key)
{
    const struct kw_config_row *row = &kwi_config_rows[key];
    char value[32];
    if (kwi_config_is_text(row)) {
        const char *none = row->type == KWI_CONFIG_SERVERS ? "(must be set)" : "(none)";
        fprintf(out, row->text ? "`%s`" : "%s", row->text ? row->text : none);
        return;
    }
    kwi_config_value_text(key, row->def, value, sizeof value);
    fprintf(out, "`%s`", value);
}

static void config_doc_row(FILE *out, enum kw_key key)
{
    const struct kw_config_row *row = &kwi_config_rows[key];
    fprintf(out, "| `%s` | ", row->key);
    config_doc_default(out, key);
    fprintf(out, " | ");
    config_doc_type(out, row);
    fprintf(out, " | ");
    fprintf(out, "%s%s%s%s", row->applies & KWI_APPLIES_CLIENT ? "client " : "",
            row->applies & KWI_APPLIES_PRODUCER ? "producer " : "",
            row->applies & KWI_APPLIES_TOPIC ? "topic " : "",
            row->applies & KWI_APPLIES_CONSUMER ? "consumer " : "");
    fprintf(out, "| %s", row->doc);
    if (row->planned) {
        fprintf(out, " Refused for now: ");
        config_doc_words(out, row->planned, ", ");
        fprintf(out, " (%s).", row->refusal);
    } else if (row->refusal) {
        fprintf(out, " Note: %s.", row->refusal);
    }
    if (row->aliases) {
        fprintf(out, " Alias: ");
        config_doc_words(out, row->aliases, ", ");
        fprintf(out, ".");
    }
    fprintf(out, " |\n");
}

static void config_doc_write(FILE *out)
{
    fprintf(out, "# Configuration\n\n"
                 "Generated from `client/config_table.c` by `tools/gen_config_doc.c`; do not "
                 "edit.\n\n"
                 "Names are those of the Java client; other names in use are taken as aliases. "
                 "A key that applies to a client is read when the client is created; keys of a "
                 "producer or consumer may be set in the client's configuration for all of them, "
                 "or in their own. The number behind a word is its value for "
                 "`kw_config_set_i64`; `true` is 1. Unknown keys, values out of range and bad "
                 "combinations are refused with the rule and the remedy.\n\n"
                 "| key | default | values | applies to | meaning |\n"
                 "| --- | --- | --- | --- | --- |\n");
    for (unsigned key = 0; key < KW_N_KEYS; key++)
        config_doc_row(out, (enum kw_key)key);
    fprintf(out, "\n## Rules between keys\n\n"
                 "- `delivery.timeout.ms` >= `linger.ms` + `request.timeout.ms`, or 0\n"
                 "- `enable.idempotence=true` needs `acks=all`, `retries` above 0 and at most five "
                 "requests in flight; `transactional.id` needs it\n"
                 "- `memory.limit` >= `control.memory` + `buffer.memory` + `fetch.memory`\n"
                 "- `buffer.memory` >= `batch.size` + `max.request.size` + 65536; "
                 "`max.request.size` >= `batch.size`\n"
                 "- `fetch.memory`, or what is left of `memory.limit` for it, >= 131072 for a "
                 "consumer\n"
                 "- `retry.backoff.max.ms` >= `retry.backoff.ms`, and the same for "
                 "`reconnect.backoff` and `socket.connection.setup.timeout`\n"
                 "- `fetch.max.bytes` >= `fetch.min.bytes`; `receive.message.max.bytes` >= "
                 "`fetch.max.bytes` + 512\n"
                 "- `consumer.memory` >= 65536, or 0\n"
                 "- `request.timeout.ms` > `fetch.max.wait.ms`\n"
                 "- `max.poll.interval.ms` >= `rebalance.ack.timeout.ms`; `session.timeout.ms` > "
                 "`heartbeat.interval.ms`\n"
                 "- `group.remote.assignor` not with `group.protocol=classic`; what the broker "
                 "decides not with `consumer`\n"
                 "- `ssl.*` only with TLS and `sasl.*` only with SASL in `security.protocol`, "
                 "which needs `sasl.mechanism` and what that needs\n"
                 "- `bootstrap.servers` must be set\n");
}

#endif
