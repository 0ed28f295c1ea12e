/* tools/protocol_doc.h -- writes docs/PROTOCOL.md from the table of APIs. A header,
 * so that the generator and the test that compares share it.
 *
 * What no table of proto/ says stands here: since which Kafka an API exists, and
 * what it is for. The file is the one that holds the request's table. */
#ifndef KWI_PROTOCOL_DOC_H
#define KWI_PROTOCOL_DOC_H
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "proto/api.h"

struct protocol_row {
    int key;
    const char *since, *use;
};

static const struct protocol_row protocol_rows[] = {
    {0, "0.8", "append record batches to partitions"},
    {1, "0.8", "read record batches, as a long poll"},
    {2, "0.8", "the offset of a time, of the begin or of the end of a partition"},
    {3, "0.8", "brokers, topics, partitions and their leaders"},
    {8, "0.8.1", "store a group's offsets"},
    {9, "0.8.1", "the offsets that a group has stored"},
    {10, "0.8.2", "the broker that looks after a group or a transactional id"},
    {11, "0.9", "become a member of a classic group"},
    {12, "0.9", "stay a member, and learn that the group rebalances"},
    {13, "0.9", "leave a classic group"},
    {14, "0.9", "hand out and get the assignment of a classic group"},
    {15, "0.9", "members and state of classic groups"},
    {16, "0.9", "the groups that a broker looks after"},
    {17, "0.10", "agree on a SASL mechanism"},
    {18, "0.10", "the APIs and versions that a broker offers"},
    {19, "0.10.1", "create topics"},
    {20, "0.10.1", "delete topics"},
    {21, "0.11", "delete the records in front of an offset"},
    {22, "0.11", "a producer id and its epoch"},
    {23, "0.11", "where a leader epoch ends, to find a truncated log"},
    {24, "0.11", "add partitions to a transaction"},
    {25, "0.11", "add a group's offsets to a transaction"},
    {26, "0.11", "commit or abort a transaction"},
    {28, "0.11", "store a group's offsets within a transaction"},
    {29, "0.11", "the access rules that match a filter"},
    {30, "0.11", "create access rules"},
    {31, "0.11", "delete the access rules that match filters"},
    {32, "0.11", "the configuration of topics, brokers, groups and client metrics"},
    {33, "0.11", "replace a configuration as a whole"},
    {34, "1.0", "move replicas to other log directories of their broker"},
    {35, "1.0", "the log directories of a broker, and what fills them"},
    {36, "1.0", "the tokens of a SASL exchange"},
    {37, "1.0", "add partitions to topics"},
    {38, "1.1", "create a delegation token"},
    {39, "1.1", "renew a delegation token"},
    {40, "1.1", "let a delegation token expire"},
    {41, "1.1", "the delegation tokens of owners"},
    {42, "1.1", "delete groups without members"},
    {43, "2.2", "elect preferred or unclean leaders"},
    {44, "2.3", "set, remove, append and subtract single settings"},
    {45, "2.4", "move partitions to other brokers"},
    {46, "2.4", "the moves that are under way"},
    {47, "2.4", "delete a group's offsets of topics"},
    {48, "2.6", "the quotas that match a filter"},
    {49, "2.6", "set and remove quotas"},
    {50, "2.7", "the SCRAM mechanisms that users have"},
    {51, "2.7", "set and delete SCRAM credentials"},
    {55, "2.7", "the controllers' quorum and how far its members are"},
    {57, "2.7", "raise or lower the cluster's feature levels"},
    {60, "2.8", "the cluster's id, brokers and controller"},
    {61, "2.8", "the producers that are active in partitions"},
    {64, "2.8", "forget a broker that is gone for good"},
    {65, "3.0", "state and partitions of transactions"},
    {66, "3.0", "the transactions that a broker looks after"},
    {68, "3.5", "be a member of a consumer group whose broker assigns (KIP-848)"},
    {69, "3.7", "members and assignments of such groups"},
    {71, "3.7", "the metrics that the brokers want of a client (KIP-714)"},
    {72, "3.7", "send those metrics"},
    {74, "3.7", "the configured resources of a type"},
    {75, "3.8", "topics and partitions, page by page"},
    {76, "3.9", "be a member of a share group (KIP-932)"},
    {77, "3.9", "members and assignments of share groups"},
    {78, "3.9", "acquire records as a member of a share group"},
    {79, "3.9", "accept, release, reject or renew acquired records"},
    {80, "3.9", "add a member to the controllers' quorum"},
    {81, "3.9", "remove one"},
    {88, "4.1", "be a member of a streams group (KIP-1071)"},
    {89, "4.1", "members, tasks and topology of streams groups"},
    {90, "4.1", "the start offsets of share groups"},
    {91, "4.1", "set them"},
    {92, "4.1", "delete them"},
    {93, "4.4", "store a description of a streams topology"},
    {94, "4.4", "forget a controller that is gone for good"},
};

static const struct protocol_row *protocol_row_of(int key)
{
    for (size_t i = 0; i < sizeof(protocol_rows) / sizeof(*protocol_rows); i++)
        if (protocol_rows[i].key == key)
            return &protocol_rows[i];
    return NULL;
}

/* Whether a file defines the table of a message. */
static int protocol_file_has(const char *path, const char *message)
{
    char line[256], wanted[128];
    FILE *file = fopen(path, "r");
    int found = 0;

    snprintf(wanted, sizeof wanted, "KWI_TABLE(%s,", message);
    while (file && !found && fgets(line, sizeof line, file))
        found = strncmp(line, wanted, strlen(wanted)) == 0;
    if (file)
        fclose(file);
    return found;
}

static void protocol_doc_range(FILE *out, int min, int max)
{
    if (min == max)
        fprintf(out, " %d |", min);
    else
        fprintf(out, " %d to %d |", min, max);
}

static void protocol_doc_row(FILE *out, const struct kw_api_info *api, const glob_t *files)
{
    const struct protocol_row *row = protocol_row_of(api->key);
    const char *file = "?";

    for (size_t i = 0; i < files->gl_pathc; i++)
        if (protocol_file_has(files->gl_pathv[i], api->request->name))
            file = files->gl_pathv[i];
    fprintf(out, "| %d | %s |", api->key, api->name);
    protocol_doc_range(out, api->min, api->max);
    if (api->flex_since == KWI_NEVER)
        fprintf(out, " none |");
    else
        fprintf(out, " %d |", api->flex_since);
    if (api->client_max < 0)
        fprintf(out, " - |");
    else
        protocol_doc_range(out, api->client_min, api->client_max);
    fprintf(out, " %s | %s | `%s` |\n", row ? row->since : "?", row ? row->use : "?", file);
}

/* Run in the top folder. Returns the number of APIs that lack a row or a file. */
static int protocol_doc_write(FILE *out)
{
    size_t count;
    const struct kw_api_info *api = kwi_api_list(&count);
    glob_t files;
    int missing = 0;

    if (glob("proto/*.c", 0, NULL, &files))
        return (int)count;
    fprintf(out,
            "# Protocol\n\n"
            "Generated from the tables of `proto/` by `tools/gen_protocol_doc.c`; do not "
            "edit.\n\n"
            "Requests and responses of these %zu APIs are read and written, in every version "
            "listed, and both sides of each come from one table. What the client sends by itself "
            "has the "
            "versions under *client*, the highest that the broker has too; the others, and what "
            "has none there, can be sent raw (`kw request`). *Flexible* is the first version with "
            "compact lengths "
            "and tagged fields (KIP-482), *since* the first Kafka that has the API in any "
            "version.\n\n"
            "| key | name | versions | flexible | client | since | used to, or to get | file "
            "|\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
            count);
    for (size_t i = 0; i < count; i++) {
        protocol_doc_row(out, &api[i], &files);
        missing += !protocol_row_of(api[i].key);
    }
    globfree(&files);
    return missing;
}

#endif
