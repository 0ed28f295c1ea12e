/* cli/topic.c -- waiting for a topic that is to be written to, and saying why it
 * cannot be. */
#include "cli/topic.h"

#include "cli/commands.h"
#include "cli/signals.h"

#define TOPIC_UNKNOWN 3
/* A topic that was just created may be unknown to a broker for a moment. */
#define TOPIC_UNKNOWN_MS 3000

static int topic_failed(struct cli_session *session, const struct kw_topic *topic,
                        int16_t kafka_code)
{
    return cli_topic_refused(
        session, kw_topic_name(topic), kafka_code,
        kafka_code == TOPIC_UNKNOWN
            ? " (create it with kw topics create, or set -X allow.auto.create.topics=true)"
            : "");
}

int cli_topic_await(struct cli_session *session, const struct kw_topic *topic)
{
    uint64_t deadline_ms = cli_now_ms() + (uint64_t)cli_session_timeout(session);
    bool unknown = false;

    for (;;) {
        int16_t kafka_code = kw_topic_error(topic);
        uint64_t now_ms = cli_now_ms();

        if (kafka_code)
            return topic_failed(session, topic, kafka_code);
        if (kw_topic_partitions(topic) > 0)
            return -1;
        if (cli_error_is_final(&session->last_error)) {
            struct cli_op op = {
                .done = true, .code = session->last_error.code, .error = session->last_error};
            return cli_session_op_failed(session, &op, "connect");
        }
        if (cli_signals_count()) {
            cli_say(session, "interrupted before the first record");
            return CLI_EXIT_FAILED;
        }
        if (!unknown && session->last_error.kafka_code == TOPIC_UNKNOWN) {
            unknown = true;
            if (deadline_ms > now_ms + TOPIC_UNKNOWN_MS)
                deadline_ms = now_ms + TOPIC_UNKNOWN_MS;
        }
        if (now_ms >= deadline_ms) {
            struct cli_op op = {.done = true, .code = KW_ERR_TIMEOUT};
            return unknown ? topic_failed(session, topic, TOPIC_UNKNOWN)
                           : cli_session_op_failed(session, &op, "connect");
        }
        cli_session_pump(session, (int32_t)(deadline_ms - now_ms));
    }
}
