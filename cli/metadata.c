/* cli/metadata.c -- prints topics and partitions, as text or as one JSON object. */
#include "cli/metadata.h"

#include <string.h>

#include "cli/json.h"

static void metadata_ids(struct cli_output *out, const int32_t *ids, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0)
            cli_output_char(out, ',');
        cli_output_int(out, ids[i]);
    }
}

static void metadata_named_int(struct cli_output *out, const char *name, int64_t number)
{
    cli_output_text(out, name);
    cli_output_int(out, number);
}

static void metadata_named_text(struct cli_output *out, const char *name, const char *text)
{
    cli_output_text(out, name);
    if (text)
        cli_json_string(out, (struct kw_bytes){text, strlen(text)});
    else
        cli_output_text(out, "null");
}

static const char *metadata_error(int16_t kafka_code)
{
    return kafka_code ? kw_kafka_error_name(kafka_code) : NULL;
}

void cli_metadata_topic(struct cli_output *out, const struct kw_meta_topic *topic)
{
    cli_output_text(out, "topic ");
    cli_output_text(out, topic->name);
    metadata_named_int(out, ": partitions ", topic->n_partitions);
    if (topic->internal)
        cli_output_text(out, ", internal");
    if (topic->kafka_code) {
        cli_output_text(out, ", ");
        cli_output_text(out, metadata_error(topic->kafka_code));
    }
    cli_output_char(out, '\n');
    for (uint32_t i = 0; i < topic->n_partitions; i++) {
        const struct kw_meta_partition *partition = &topic->partitions[i];
        metadata_named_int(out, "  partition ", partition->id);
        metadata_named_int(out, ": leader ", partition->leader);
        metadata_named_int(out, ", epoch ", partition->leader_epoch);
        cli_output_text(out, ", replicas ");
        metadata_ids(out, partition->replicas, partition->n_replicas);
        cli_output_text(out, ", in sync ");
        metadata_ids(out, partition->isr, partition->n_isr);
        if (partition->kafka_code) {
            cli_output_text(out, ", ");
            cli_output_text(out, metadata_error(partition->kafka_code));
        }
        cli_output_char(out, '\n');
    }
}

void cli_metadata_topic_json(struct cli_output *out, const struct kw_meta_topic *topic)
{
    metadata_named_text(out, "{\"name\":", topic->name);
    cli_output_text(out, topic->internal ? ",\"internal\":true" : ",\"internal\":false");
    metadata_named_text(out, ",\"error\":", metadata_error(topic->kafka_code));
    cli_output_text(out, ",\"partitions\":[");
    for (uint32_t i = 0; i < topic->n_partitions; i++) {
        const struct kw_meta_partition *partition = &topic->partitions[i];
        metadata_named_int(out, i > 0 ? ",{\"id\":" : "{\"id\":", partition->id);
        metadata_named_int(out, ",\"leader\":", partition->leader);
        metadata_named_int(out, ",\"leader_epoch\":", partition->leader_epoch);
        cli_output_text(out, ",\"replicas\":[");
        metadata_ids(out, partition->replicas, partition->n_replicas);
        cli_output_text(out, "],\"isr\":[");
        metadata_ids(out, partition->isr, partition->n_isr);
        metadata_named_text(out, "],\"error\":", metadata_error(partition->kafka_code));
        cli_output_char(out, '}');
    }
    cli_output_text(out, "]}");
}

void cli_metadata_text(struct cli_output *out, const struct kw_admin_result *result)
{
    cli_output_text(out, "cluster ");
    cli_output_text(out, result->cluster_id ? result->cluster_id : "-");
    metadata_named_int(out, ", controller ", result->controller_id);
    metadata_named_int(out, ", answered by broker ", result->origin_id);
    cli_output_char(out, '\n');
    for (uint32_t i = 0; i < result->n_brokers; i++) {
        const struct kw_meta_broker *broker = &result->brokers[i];
        metadata_named_int(out, "broker ", broker->id);
        cli_output_text(out, ": ");
        cli_output_text(out, broker->host);
        metadata_named_int(out, ":", broker->port);
        if (broker->rack) {
            cli_output_text(out, ", rack ");
            cli_output_text(out, broker->rack);
        }
        cli_output_char(out, '\n');
    }
    for (uint32_t i = 0; i < result->n_topics; i++)
        cli_metadata_topic(out, &result->topics[i]);
}

void cli_metadata_json(struct cli_output *out, const struct kw_admin_result *result)
{
    metadata_named_text(out, "{\"cluster_id\":", result->cluster_id);
    metadata_named_int(out, ",\"controller_id\":", result->controller_id);
    metadata_named_int(out, ",\"origin_id\":", result->origin_id);
    cli_output_text(out, ",\"brokers\":[");
    for (uint32_t i = 0; i < result->n_brokers; i++) {
        const struct kw_meta_broker *broker = &result->brokers[i];
        metadata_named_int(out, i > 0 ? ",{\"id\":" : "{\"id\":", broker->id);
        metadata_named_text(out, ",\"host\":", broker->host);
        metadata_named_int(out, ",\"port\":", broker->port);
        metadata_named_text(out, ",\"rack\":", broker->rack);
        cli_output_char(out, '}');
    }
    cli_output_text(out, "],\"topics\":[");
    for (uint32_t i = 0; i < result->n_topics; i++) {
        if (i > 0)
            cli_output_char(out, ',');
        cli_metadata_topic_json(out, &result->topics[i]);
    }
    cli_output_text(out, "]}\n");
}
