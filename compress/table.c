/* table.c -- which codecs this build has. The build says so with KW_WITH_x,
 * each 0 or 1. */
#include <kwire/codec.h>

static const struct kw_codec *const table_codecs[KW_CODEC_IDS] = {
    [0] = NULL, /* no compression is no codec */
#if KW_WITH_ZLIB
    [KW_CODEC_GZIP] = &kw_codec_gzip,
#endif
#if KW_WITH_SNAPPY
    [KW_CODEC_SNAPPY] = &kw_codec_snappy,
#endif
#if KW_WITH_LZ4
    [KW_CODEC_LZ4] = &kw_codec_lz4,
#endif
#if KW_WITH_ZSTD
    [KW_CODEC_ZSTD] = &kw_codec_zstd,
#endif
};

const struct kw_codec *kw_codec_by_id(int id)
{
    return id > 0 && id < KW_CODEC_IDS ? table_codecs[id] : NULL;
}
