#include "tests/compress/support.h"

#include <stdlib.h>
#include <string.h>

void *memory_alloc(struct memory *memory, size_t size)
{
    void *ptr;
    if (memory->n_allocs++ == memory->fail_at)
        return NULL;
    ptr = malloc(size);
    if (!ptr)
        abort();
    memory->used += size;
    if (memory->used > memory->peak)
        memory->peak = memory->used;
    if (size > memory->largest)
        memory->largest = size;
    return ptr;
}

void memory_free(struct memory *memory, void *ptr, size_t size)
{
    if (ptr)
        memory->used -= size;
    free(ptr);
}

static int coder_open(struct coder *coder, const struct kw_codec *codec, size_t size,
                      struct memory *memory)
{
    *coder = (struct coder){codec, NULL, size, memory};
    if (size == 0)
        return KW_ERR_USE;
    coder->ctx = memory_alloc(memory, size);
    if (!coder->ctx)
        return KW_ERR_NOMEM;
    memset(coder->ctx, 0xa5, size); /* nothing may depend on fresh memory */
    return 0;
}

int encoder_open(struct coder *coder, const struct kw_codec *codec, int level, size_t len_max,
                 struct memory *memory)
{
    int rc = coder_open(coder, codec, codec->encoder_size(level, len_max), memory);
    return rc ? rc : codec->encoder_init(coder->ctx, coder->size, level, len_max);
}

int decoder_open(struct coder *coder, const struct kw_codec *codec, struct memory *memory)
{
    int rc = coder_open(coder, codec, codec->decoder_size(), memory);
    return rc ? rc : codec->decoder_init(coder->ctx, coder->size);
}

void coder_close(struct coder *coder)
{
    memory_free(coder->memory, coder->ctx, coder->size);
    coder->ctx = NULL;
}

int encode(struct coder *coder, const struct kw_iov *in, size_t n, size_t cap, size_t budget,
           struct output *output)
{
    int rc = 1;
    *output = (struct output){memory_alloc(coder->memory, cap > 0 ? cap : 1), 0, cap};
    if (!output->out)
        return KW_ERR_NOMEM;
    coder->codec->encode_begin(coder->ctx, in, n);
    while (rc == 1)
        rc = coder->codec->encode_step(coder->ctx, output->out, cap, budget, &output->len);
    return rc;
}

static int output_grow(struct memory *memory, struct output *output, size_t max)
{
    size_t cap = 1;
    uint8_t *bigger;
    while (cap <= output->cap)
        cap *= 2;
    if (cap > max)
        cap = max;
    if (output->cap >= max) /* the codec should have said BOMB */
        abort();
    bigger = memory_alloc(memory, cap);
    if (!bigger)
        return KW_ERR_NOMEM;
    memcpy(bigger, output->out, output->len);
    memory_free(memory, output->out, output->cap);
    output->out = bigger;
    output->cap = cap;
    return 0;
}

int decode(struct coder *coder, const void *in, size_t len, size_t max, size_t first, size_t budget,
           unsigned flags, struct output *output)
{
    size_t hint = 0;
    int rc = coder->codec->decode_begin(coder->ctx, in, len, max, flags, &hint);
    *output = (struct output){NULL, 0, 0};
    if (rc)
        return rc;
    if (hint < 1 || hint > max)
        abort();
    output->cap = first > 0 ? first : hint;
    output->out = memory_alloc(coder->memory, output->cap);
    if (!output->out)
        return KW_ERR_NOMEM;
    do {
        rc = coder->codec->decode_step(coder->ctx, output->out, output->cap, budget, &output->len);
        if (output->len > output->cap)
            abort();
        if (rc == KW_ERR_SPACE) {
            rc = output_grow(coder->memory, output, max);
            rc = rc ? rc : 1;
        }
    } while (rc == 1);
    return rc;
}

void output_free(struct memory *memory, struct output *output)
{
    memory_free(memory, output->out, output->cap > 0 ? output->cap : 1);
    *output = (struct output){NULL, 0, 0};
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

void fill_text(uint8_t *ptr, size_t len, uint32_t seed)
{
    static const char *const words[] = {"kafka ", "record ", "of ", "a ",   "batch ", "offset=",
                                        "12",     "7",       ", ",  "user", "\n",     "timeout "};
    uint32_t state = seed | 1;
    for (size_t i = 0; i < len;) {
        const char *word = words[next_random(&state) % 12];
        for (; *word && i < len; word++)
            ptr[i++] = (uint8_t)*word;
        if (next_random(&state) % 4 == 0 && i < len)
            ptr[i++] = (uint8_t)next_random(&state);
    }
}

void fill_noise(uint8_t *ptr, size_t len, uint32_t seed)
{
    uint32_t state = seed | 1;
    for (size_t i = 0; i < len; i++)
        ptr[i] = (uint8_t)(next_random(&state) >> 11);
}
