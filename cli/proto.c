/* cli/proto.c -- kw proto: the protocol's tables, messages as JSON, record batches.
 * It reads stdin and talks to no broker. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kwire/codec.h>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/message.h"
#include "cli/output.h"

/* The most that a batch may become; the same default as the consumer's. */
#define PROTO_PLAIN_MAX ((size_t)64 << 20)

struct proto_options {
    const char *api, *kind;
    int64_t version;
    bool hex, pretty;
};

#define PROTO_MESSAGE_ROWS                                                            \
    {0,                                                                               \
     CLI_KIND_TEXT,                                                                   \
     "api",                                                                           \
     "KEY|NAME",                                                                      \
     offsetof(struct proto_options, api),                                             \
     0,                                                                               \
     0,                                                                               \
     "which API: 3 or Metadata; 'kw proto list' has them"},                           \
        {0,                                                                           \
         CLI_KIND_INT,                                                                \
         "version",                                                                   \
         "V",                                                                         \
         offsetof(struct proto_options, version),                                     \
         0,                                                                           \
         INT16_MAX,                                                                   \
         "version of the message"},                                                   \
    {                                                                                 \
        0, CLI_KIND_TEXT, "kind", "KIND", offsetof(struct proto_options, kind), 0, 0, \
            "request, response or data"                                               \
    }
static const struct cli_option proto_decode_table[] = {
    PROTO_MESSAGE_ROWS,
    {0, CLI_KIND_FLAG, "pretty", NULL, offsetof(struct proto_options, pretty), 0, 0,
     "print each field with its offset and its bytes"},
    {0, CLI_KIND_FLAG, "hex", NULL, offsetof(struct proto_options, hex), 0, 0,
     "stdin holds hexadecimal digits, with any white space; without it, bytes"},
};
static const struct cli_option proto_encode_table[] = {
    PROTO_MESSAGE_ROWS,
    {0, CLI_KIND_FLAG, "hex", NULL, offsetof(struct proto_options, hex), 0, 0,
     "print hexadecimal digits; without it, bytes"},
};
static const struct cli_option proto_records_table[] = {
    {0, CLI_KIND_FLAG, "hex", NULL, offsetof(struct proto_options, hex), 0, 0,
     "stdin holds hexadecimal digits, with any white space; without it, bytes"},
};

static const struct cli_command proto_list_command = {
    .name = "kw proto list",
    .usage = "",
    .about = "Prints the APIs: key, name, the versions that can be decoded, those that the client "
             "uses, and the first flexible version.",
    .examples = "  kw proto list\n",
};
static const struct cli_command proto_decode_command = {
    .name = "kw proto decode",
    .usage = "--api KEY|NAME --version V --kind request|response|data [--hex] [--pretty]",
    .about = "Reads the body of one message from stdin, which is what follows its header, and "
             "prints it as JSON: Kafka's field names, bytes in base64.",
    .examples = "  echo 0000000100046e616d6501 | kw proto decode --api Metadata --version 4 "
                "--kind request --hex\n"
                "  kw proto decode --api 18 --version 3 --kind response --pretty <body.bin\n",
    .options = proto_decode_table,
    .n_options = sizeof(proto_decode_table) / sizeof(proto_decode_table[0]),
};
static const struct cli_command proto_encode_command = {
    .name = "kw proto encode",
    .usage = "--api KEY|NAME --version V --kind request|response|data [--hex]",
    .about = "Reads the JSON of one message from stdin, as decode prints it, and writes its body, "
             "which is what follows a header.",
    .examples = "  echo '{\"topics\":null,\"allowAutoTopicCreation\":false}' | "
                "kw proto encode --api Metadata --version 4 --kind request --hex\n",
    .options = proto_encode_table,
    .n_options = sizeof(proto_encode_table) / sizeof(proto_encode_table[0]),
};
static const struct cli_command proto_records_command = {
    .name = "kw proto records",
    .usage = "[--hex]",
    .about = "Reads record batches from stdin and prints a line of JSON for the header of each, "
             "with the verdict on its checksum, and one for each record.",
    .notes = "Exit status 1 also when a checksum is wrong or a batch is cut off.\n",
    .examples = "  kw proto records <batch.bin\n"
                "  xxd -p batch.bin | kw proto records --hex\n",
    .options = proto_records_table,
    .n_options = sizeof(proto_records_table) / sizeof(proto_records_table[0]),
};

struct proto_run {
    struct proto_options options;
    const struct cli_command *command;
    struct cli_input input;
    struct kw_bytes body;
    uint8_t *hex;
    struct cli_output output;
    struct kw_proto_api api;
    enum kw_proto_kind kind;
};

/* ---- the input ----------------------------------------------------------- */

static int proto_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

    return at ? (int)(at - digits) : -1;
}

static int proto_read_hex(struct proto_run *run)
{
    const char *text = run->body.ptr;
    size_t n = 0;

    run->hex = malloc(run->body.len / 2 + 1);
    if (!run->hex)
        return cli_usage_error(run->command, "out of memory");
    for (size_t i = 0; i < run->body.len; i++) {
        if (text[i] && strchr(" \t\r\n", text[i]))
            continue;
        int digit = proto_digit(text[i]);
        if (digit < 0) {
            fprintf(stderr, "%s: byte %zu of stdin is no hexadecimal digit\n", run->command->name,
                    i + 1);
            return CLI_EXIT_FAILED;
        }
        if (n % 2 == 0)
            run->hex[n / 2] = 0;
        run->hex[n / 2] = (uint8_t)(run->hex[n / 2] << 4 | digit);
        n++;
    }
    if (n % 2) {
        fprintf(stderr, "%s: stdin has an odd number of hexadecimal digits\n", run->command->name);
        return CLI_EXIT_FAILED;
    }
    run->body = (struct kw_bytes){run->hex, n / 2};
    return -1;
}

/* Reads all of stdin; --hex says that it holds digits. */
static int proto_read_body(struct proto_run *run)
{
    int rc = cli_message_read(run->command, &run->input, &run->body);

    return rc < 0 && run->options.hex ? proto_read_hex(run) : rc;
}

/* ---- list, decode and encode --------------------------------------------- */

static void proto_list_row(struct proto_run *run, const struct kw_proto_api *api, bool is_api)
{
    char line[120], key[16] = "data", versions[16], client[16] = "-", flexible[8] = "-";

    if (is_api)
        snprintf(key, sizeof(key), "%d", api->key);
    snprintf(versions, sizeof(versions), "%d-%d", api->min, api->max);
    if (is_api && api->client_max >= 0)
        snprintf(client, sizeof(client), "%d-%d", api->client_min, api->client_max);
    if (api->flex_since >= 0)
        snprintf(flexible, sizeof(flexible), "%d", api->flex_since);
    snprintf(line, sizeof(line), "%4s  %-37s %-8s %-8s %s\n", key, api->name, versions, client,
             flexible);
    cli_output_text(&run->output, line);
}

static int proto_list(struct proto_run *run)
{
    struct kw_proto_api api;
    char line[120];

    snprintf(line, sizeof(line), "%4s  %-37s %-8s %-8s %s\n", "KEY", "NAME", "VERSIONS", "CLIENT",
             "FLEXIBLE");
    cli_output_text(&run->output, line);
    for (size_t i = 0; kw_proto_api(i, &api) == 1; i++)
        proto_list_row(run, &api, true);
    for (size_t i = 0; kw_proto_data(i, &api) == 1; i++)
        proto_list_row(run, &api, false);
    return CLI_EXIT_DONE;
}

/* Finds --api, --version and --kind. Returns -1 or an exit code. */
static int proto_message(struct proto_run *run)
{
    static const char *const kinds[] = {
        [KW_PROTO_REQUEST] = "request", [KW_PROTO_RESPONSE] = "response", [KW_PROTO_DATA] = "data"};
    const struct proto_options *options = &run->options;
    int rc, n_kind;

    if (!options->api || options->version < 0 || !options->kind)
        return cli_usage_error(run->command, "--api, --version and --kind are needed");
    for (n_kind = 0; n_kind < 3 && strcmp(options->kind, kinds[n_kind]) != 0;)
        n_kind++;
    if (n_kind == 3)
        return cli_usage_error(run->command, "--kind '%s' is none of request, response and data",
                               options->kind);
    run->kind = (enum kw_proto_kind)n_kind;
    rc = cli_message_api(run->command, options->api, run->kind, &run->api);
    if (rc < 0)
        rc = cli_message_version(run->command, &run->api, options->version);
    return rc;
}

/* What the library makes of the input, in a block that grows to its size. */
static int proto_convert(struct proto_run *run,
                         int (*convert)(int16_t api_key, int version, enum kw_proto_kind kind,
                                        const struct kw_bytes *in, char *out, size_t cap,
                                        size_t *out_len, struct kw_error *err),
                         char **text, size_t *len)
{
    struct kw_error error = {0};
    int rc = KW_ERR_SPACE;

    for (size_t cap = 4096; rc == KW_ERR_SPACE; cap = *len) {
        free(*text);
        *text = malloc(cap);
        if (!*text)
            return cli_usage_error(run->command, "out of memory");
        rc = convert(run->api.key, (int)run->options.version, run->kind, &run->body, *text, cap,
                     len, &error);
        if (cap >= *len)
            break;
    }
    if (rc)
        fprintf(stderr, "%s: %s: %s\n", run->command->name, kw_err_name(rc), error.text);
    return rc ? CLI_EXIT_FAILED : -1;
}

static int proto_to_json(int16_t api_key, int version, enum kw_proto_kind kind,
                         const struct kw_bytes *in, char *out, size_t cap, size_t *out_len,
                         struct kw_error *err)
{
    return kw_proto_decode_json(api_key, version, kind, in->ptr, in->len, out, cap, out_len, err);
}

static int proto_to_lines(int16_t api_key, int version, enum kw_proto_kind kind,
                          const struct kw_bytes *in, char *out, size_t cap, size_t *out_len,
                          struct kw_error *err)
{
    return kw_proto_explain(api_key, version, kind, in->ptr, in->len, out, cap, out_len, err);
}

static int proto_to_body(int16_t api_key, int version, enum kw_proto_kind kind,
                         const struct kw_bytes *in, char *out, size_t cap, size_t *out_len,
                         struct kw_error *err)
{
    return kw_proto_encode_json(api_key, version, kind, in->ptr, in->len, out, cap, out_len, err);
}

static int proto_decode(struct proto_run *run)
{
    size_t len = 0;
    char *text = NULL;
    int rc = proto_message(run);

    if (rc < 0)
        rc = proto_read_body(run);
    if (rc < 0)
        rc = proto_convert(run, run->options.pretty ? proto_to_lines : proto_to_json, &text, &len);
    if (rc < 0)
        cli_output_put(&run->output, text, len);
    if (rc < 0 && !run->options.pretty)
        cli_output_char(&run->output, '\n');
    free(text);
    return rc < 0 ? CLI_EXIT_DONE : rc;
}

static int proto_encode(struct proto_run *run)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = 0;
    char *body = NULL;
    int rc = proto_message(run);

    if (rc < 0)
        rc = cli_message_read(run->command, &run->input, &run->body);
    if (rc < 0)
        rc = proto_convert(run, proto_to_body, &body, &len);
    if (rc < 0 && !run->options.hex)
        cli_output_put(&run->output, body, len);
    for (size_t i = 0; rc < 0 && run->options.hex && i < len; i++) {
        cli_output_char(&run->output, digits[(uint8_t)body[i] >> 4]);
        cli_output_char(&run->output, digits[(uint8_t)body[i] & 15]);
    }
    if (rc < 0 && run->options.hex)
        cli_output_char(&run->output, '\n');
    free(body);
    return rc < 0 ? CLI_EXIT_DONE : rc;
}

/* ---- records ------------------------------------------------------------- */

static void proto_print_batch(struct proto_run *run, const struct kw_proto_batch *batch)
{
    static const char *const names[] = {"none", "gzip", "snappy", "lz4", "zstd"};
    const char *codec = batch->codec < sizeof(names) / sizeof(names[0]) ? names[batch->codec]
                                                                        : "unknown";
    char line[600];

    snprintf(line, sizeof(line),
             "{\"baseOffset\":%" PRId64 ",\"batchLength\":%" PRId32
             ",\"partitionLeaderEpoch\":%" PRId32 ",\"magic\":%d,\"crc\":\"%08" PRIx32
             "\",\"crcIsGood\":%s,\"attributes\":%d,\"codec\":\"%s\",\"timestampType\":\"%s\","
             "\"transactional\":%s,\"control\":%s,\"lastOffsetDelta\":%" PRId32
             ",\"baseTimestamp\":%" PRId64 ",\"maxTimestamp\":%" PRId64 ",\"producerId\":%" PRId64
             ",\"producerEpoch\":%d,\"baseSequence\":%" PRId32 ",\"recordCount\":%" PRId32 "}\n",
             batch->base_offset, batch->batch_length, batch->partition_leader_epoch, batch->magic,
             batch->crc, batch->crc_is_good ? "true" : "false", batch->attributes, codec,
             batch->timestamp_type ? "append" : "create", batch->transactional ? "true" : "false",
             batch->control ? "true" : "false", batch->last_offset_delta, batch->base_timestamp,
             batch->max_timestamp, batch->producer_id, batch->producer_epoch, batch->base_sequence,
             batch->record_count);
    cli_output_text(&run->output, line);
}

/* Decompresses in into *out, which the caller frees. */
static int proto_decompress(const struct kw_codec *codec, struct kw_bytes in, uint8_t **out,
                            size_t *out_len)
{
    size_t size = codec->decoder_size(), cap = 0;
    struct kw_codec_ctx *ctx = malloc(size);
    int rc = ctx ? codec->decoder_init(ctx, size) : KW_ERR_NOMEM;

    *out = NULL;
    *out_len = 0;
    if (rc == 0)
        rc = codec->decode_begin(ctx, in.ptr, in.len, PROTO_PLAIN_MAX, 0, &cap);
    if (rc == 0) {
        *out = malloc(cap);
        rc = *out ? 1 : KW_ERR_NOMEM;
    }
    while (rc == 1 || (rc == KW_ERR_SPACE && cap < PROTO_PLAIN_MAX)) {
        if (rc == KW_ERR_SPACE) {
            cap = cap >= PROTO_PLAIN_MAX / 2 ? PROTO_PLAIN_MAX : cap * 2 + 1;
            uint8_t *grown = realloc(*out, cap);
            rc = grown ? 1 : KW_ERR_NOMEM;
            *out = grown ? grown : *out;
            continue;
        }
        rc = codec->decode_step(ctx, *out, cap, PROTO_PLAIN_MAX, out_len);
    }
    free(ctx);
    return rc;
}

static int proto_print_records(struct proto_run *run, const struct kw_proto_batch *batch)
{
    struct kw_bytes records = batch->records;
    struct kw_consumed record;
    uint8_t *plain = NULL;
    size_t plain_len = 0;
    int32_t n = 0;
    int rc = 0;

    if (batch->codec) {
        const struct kw_codec *codec = kw_codec_by_id(batch->codec);
        rc = codec ? proto_decompress(codec, batch->records, &plain, &plain_len) : KW_ERR_CODEC;
        records = (struct kw_bytes){plain, plain_len};
    }
    if (rc == 0)
        while ((rc = kw_proto_record(batch, &records, &record)) == 1) {
            cli_json_record_line(&run->output, &record);
            n++;
        }
    if (rc == 0 && n != batch->record_count)
        rc = KW_ERR_CORRUPT;
    free(plain);
    return rc;
}

static int proto_records(struct proto_run *run)
{
    const char *name = run->command->name;
    int rc = proto_read_body(run), exit_code = CLI_EXIT_DONE;
    struct kw_proto_batch batch;

    if (rc >= 0)
        return rc;
    const uint8_t *ptr = run->body.ptr;
    for (size_t at = 0; at < run->body.len; at += batch.size) {
        rc = kw_proto_batch(ptr + at, run->body.len - at, &batch);
        if (rc == KW_ERR_UNSUPPORTED)
            fprintf(stderr, "%s: at byte %zu: a message of format %d, which is not printed\n", name,
                    at, batch.magic);
        else if (rc)
            fprintf(stderr, "%s: at byte %zu: %s (%zu bytes are left)\n", name, at,
                    rc == KW_ERR_SHORT ? "a batch that is cut off" : "no record batch",
                    run->body.len - at);
        exit_code = rc ? CLI_EXIT_FAILED : exit_code;
        if (rc == KW_ERR_UNSUPPORTED)
            continue;
        if (rc)
            break;
        proto_print_batch(run, &batch);
        if (!batch.crc_is_good)
            fprintf(stderr, "%s: at byte %zu: the checksum is wrong\n", name, at);
        rc = proto_print_records(run, &batch);
        if (rc)
            fprintf(stderr, "%s: at byte %zu: the records cannot be read: %s\n", name, at,
                    kw_err_name(rc));
        if (rc || !batch.crc_is_good)
            exit_code = CLI_EXIT_FAILED;
    }
    return exit_code;
}

/* ---- the command line ---------------------------------------------------- */

struct proto_verb {
    const char *name, *about;
    const struct cli_command *command;
    int (*run)(struct proto_run *run);
};
static const struct proto_verb proto_verbs[] = {
    {"list", "the APIs and their versions", &proto_list_command, proto_list},
    {"decode", "a message's body as JSON", &proto_decode_command, proto_decode},
    {"encode", "a message's body from JSON", &proto_encode_command, proto_encode},
    {"records", "what record batches hold", &proto_records_command, proto_records},
};
#define PROTO_N_VERBS (sizeof(proto_verbs) / sizeof(proto_verbs[0]))

static void proto_help(void)
{
    printf("Usage: kw proto VERB [OPTIONS]\n\nVerbs:\n");
    for (size_t i = 0; i < PROTO_N_VERBS; i++)
        printf("  %-10s %s\n", proto_verbs[i].name, proto_verbs[i].about);
    printf("\nkw proto VERB --help shows its options.\n\nExamples:\n");
    for (size_t i = 0; i < PROTO_N_VERBS; i++)
        printf("%s", proto_verbs[i].command->examples);
}

int cli_proto(int argc, char **argv)
{
    const struct proto_verb *verb = NULL;
    struct cli_list arguments = {0};

    for (size_t i = 0; argc > 1 && i < PROTO_N_VERBS; i++)
        if (strcmp(argv[1], proto_verbs[i].name) == 0)
            verb = &proto_verbs[i];
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        proto_help();
        return CLI_EXIT_DONE;
    }
    if (!verb) {
        fprintf(stderr,
                "kw proto: %s '%s'; list, decode, encode or records is expected (see kw proto "
                "--help)\n",
                argc > 1 ? "unknown verb" : "no verb", argc > 1 ? argv[1] : "");
        return CLI_EXIT_USAGE;
    }
    struct proto_run *run = calloc(1, sizeof(*run));
    if (!run)
        return cli_usage_error(verb->command, "out of memory");
    run->command = verb->command;
    run->options.version = -1;
    cli_output_init(&run->output, STDOUT_FILENO);
    int rc = cli_options_parse(verb->command, argc - 1, argv + 1, &run->options, &arguments);
    if (rc < 0) {
        rc = verb->run(run);
        rc = cli_output_finish(&run->output, verb->command->name, rc);
    }
    cli_input_deinit(&run->input);
    free(run->hex);
    free(run);
    return rc;
}
