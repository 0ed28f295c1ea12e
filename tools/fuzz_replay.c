/* fuzz_replay.c -- runs a fuzz target over files, without a fuzzer.
 *
 * Linked with one fuzz/fuzz_X.c, with any compiler. Each file named on the
 * command line is one input, held in a block of exactly its size so that a
 * sanitizer sees one byte too far. Every prefix of a small input is run too:
 * a corpus file is then worth as many truncation tests as it has bytes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PREFIX_SIZE_MAX = 512 };

static unsigned long n_runs;

static void run(const uint8_t *data, size_t size)
{
    uint8_t *block = malloc(size > 0 ? size : 1);
    if (!block) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    /* An empty input points just behind its block of one byte. */
    uint8_t *input = size > 0 ? block : block + 1;
    if (size > 0)
        memcpy(input, data, size);
    LLVMFuzzerTestOneInput(input, size);
    free(block);
    n_runs++;
}

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return -1;
    }
    static uint8_t data[4 << 20];
    size_t size = fread(data, 1, sizeof(data), file);
    int failed = ferror(file) || !feof(file);
    fclose(file);
    if (failed) {
        fprintf(stderr, "%s: cannot be read, or is larger than %zu bytes\n", path, sizeof(data));
        return -1;
    }
    run(data, size);
    for (size_t len = 0; len < size && size <= PREFIX_SIZE_MAX; len++)
        run(data, len);
    return 0;
}

int main(int argc, char **argv)
{
    run((const uint8_t *)"", 0);
    int n_failed = 0;
    for (int i = 1; i < argc; i++)
        n_failed += run_file(argv[i]) != 0;
    printf("%s - %s: %d files, %lu inputs\n", n_failed ? "not ok" : "ok", argv[0], argc - 1,
           n_runs);
    return n_failed ? 1 : 0;
}
