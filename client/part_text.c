/* client/part_text.c -- what the ERROR event of a partition says: where, what, and what
 * to do about it. */
#include <string.h>

#include "base/fmt.h"
#include "client/consumer.h"
#include "client/denied.h"
#include "client/error_text.h"
#include "proto/error.h"

/* Row 0 is for codecs that Kafka does not have either. */
static const struct part_codec {
    const char *name, *hint;
} part_codecs[KW_N_CODECS] = {
    {"an unknown codec", "seek behind it to go on"},
    {"gzip", "build with WITH_ZLIB=1, or seek behind it to go on"},
    {"snappy", "build with WITH_SNAPPY=1, or seek behind it to go on"},
    {"lz4", "build with WITH_LZ4=1, or seek behind it to go on"},
    {"zstd", "build with WITH_ZSTD=1, or seek behind it to go on"},
};

static const struct part_codec *part_codec(int64_t id)
{
    return &part_codecs[id > 0 && id < KW_N_CODECS ? id : 0];
}

/* The size that was too much: of an answer, or, below 0, of a batch, its decoder
 * and the frame that they read. */
static const char *part_describe_limit(int64_t detail, char *what, size_t cap)
{
    if (detail >= 0) {
        kwi_fmt(what, cap, "an answer of %lld bytes does not fit the fetch reserve",
                (long long)detail);
        return "raise fetch.memory (and memory.limit) above it, then seek";
    }
    kwi_fmt(what, cap, "unpacking a batch takes %lld bytes, which do not fit the fetch reserve",
            (long long)-detail);
    return "raise fetch.memory (and memory.limit) above it, then seek";
}

/* A broker refused it. */
static void part_text_broker(const struct kw_consumer_part *part, const char *where,
                             struct kw_error *err)
{
    const struct kw_consumer *consumer = part->topic->consumer;
    int16_t code = part->error_kafka;

    if (kwi_error_info(code)->error_class == KW_EC_AUTH)
        kwi_error_answer(consumer->core, err, code, (int16_t)part->error_detail,
                         code == KW_E_GROUP_AUTHORIZATION_FAILED ? consumer->keeper.group_id
                                                                 : part->topic->meta->name);
    else
        kwi_error_kafka(err, code, where, NULL, 0);
    if (code == KW_E_CORRUPT_MESSAGE) { /* a producer's would be tried again */
        err->retriable = 0;
        kwi_fmt(err->hint, sizeof(err->hint), "%s",
                "its leader cannot read its own log: see the broker's, or seek behind it");
    }
}

void kwi_part_describe(const struct kw_consumer_part *part, struct kw_error *err)
{
    char where[128], what[96];
    const char *hint = "seek behind it to go on";
    const char *topic = part->topic->meta->name;

    kwi_fmt(where, sizeof(where), "%.*s%s partition %d", 60, topic, strlen(topic) > 60 ? "..." : "",
            part->partition);
    if (part->position >= 0)
        kwi_fmt(where + strlen(where), sizeof(where) - strlen(where), " at offset %lld",
                (long long)part->position);
    switch (part->error_code) {
    case KW_ERR_BROKER: part_text_broker(part, where, err); return;
    case KW_ERR_STATE:
        kwi_fmt(what, sizeof(what), "the group committed no offset, and auto.offset.reset is none");
        hint = "seek to where it should begin, or set auto.offset.reset";
        break;
    case KW_ERR_UNSUPPORTED:
    case KW_ERR_VERSION:
    case KW_ERR_AUTH:
    case KW_ERR_CONNECT:
        kwi_fmt(what, sizeof(what), "its committed offset cannot be asked for: %s",
                kw_err_name(part->error_code));
        hint = "see the errors before this one, or seek to where it should begin";
        break;
    case KW_ERR_TRUNCATED:
        kwi_fmt(
            what, sizeof(what), "the log was cut at %lld, and it had been read to %lld",
            (long long)(part->error_detail < part->position ? part->error_detail : part->position),
            (long long)(part->error_detail < part->position ? part->position : part->error_detail));
        hint = "a replica behind the others became leader: what was read beyond the cut is not in "
               "the log (unclean.leader.election.enable)";
        break;
    case KW_ERR_RECREATED:
        kwi_fmt(what, sizeof(what), "the topic is another than the one that was read to %lld",
                (long long)part->error_detail);
        hint = "it was deleted and created anew: offsets that were kept are of the old one; seek "
               "if it stopped (auto.offset.reset=none)";
        break;
    case KW_ERR_CRC: kwi_fmt(what, sizeof(what), "the checksum of a batch does not match"); break;
    case KW_ERR_CODEC:
        kwi_fmt(what, sizeof(what), "a batch is compressed by %s, which this build cannot read",
                part_codec(part->error_detail)->name);
        hint = part_codec(part->error_detail)->hint;
        break;
    case KW_ERR_BOMB:
        kwi_fmt(what, sizeof(what), "a batch is larger than %lld bytes when decompressed",
                (long long)part->error_detail);
        hint = "raise max.decompressed.batch.bytes (several members of gzip may have a "
               "sixteenth of it), or seek behind it to go on";
        break;
    case KW_ERR_LIMIT: hint = part_describe_limit(part->error_detail, what, sizeof(what)); break;
    default:
        if (part->error_detail)
            kwi_fmt(what, sizeof(what), "the compressed data of a batch is corrupt (%s)",
                    part_codec(part->error_detail)->name);
        else
            kwi_fmt(what, sizeof(what), "a batch contradicts itself");
        break;
    }
    kwi_error_fmt(err, part->error_code, KW_PHASE_REQUEST, hint, "%s: %s", where, what);
}
