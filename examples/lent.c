/* examples/lent.c -- large values without a copy: a file is mapped into memory, and its
 * pieces go from there into the socket.
 *
 *   lent PROPERTIES TOPIC FILE
 *
 * Each record has the file's name as key, so that its pieces stay in one partition and in
 * order, and a piece of 256 KiB as value. KW_REC_BY_REF lends the value: it must stay as it
 * is until its outcome is known, whatever that is. Here one receipt tells it for all
 * pieces; only then the file is unmapped. See docs/PRODUCER.md, 7 and 9. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kwire/kwire.h>

enum { PIECE = 256 * 1024 };

/* Returns 1 when the receipt's event was among them. */
static int take_events(struct kw_client *client, struct kw_receipt_result *result)
{
    struct kw_event event;
    int told = 0;

    while (kw_next_event(client, &event) == 1) {
        if (event.kind == KW_EVENT_RECEIPT) {
            *result = event.receipt;
            told = 1;
        }
        /* Of records with a receipt only those that failed have a report. */
        if (event.kind == KW_EVENT_REPORT)
            fprintf(stderr, "%u pieces: %s %s\n", event.report.n, kw_err_name(event.report.code),
                    event.report.kafka_code ? kw_kafka_error_name(event.report.kafka_code) : "");
        if (event.kind == KW_EVENT_ERROR)
            fprintf(stderr, "%s %s\n", event.error->text, event.error->hint);
    }
    return told;
}

/* Lends every piece. What could not be lent is not waited for: the receipt counts what was
 * accepted. Returns the first error. */
static int lend(struct kw_client *client, struct kw_topic *topic, struct kw_receipt *receipt,
                const char *name, const char *bytes, size_t size)
{
    struct kw_receipt_result result;
    int rc = 0;

    for (size_t at = 0; at < size && rc == 0; at += PIECE) {
        struct kw_record record = {.key = {name, strlen(name)},
                                   .value = {bytes + at, size - at < PIECE ? size - at : PIECE},
                                   .flags = KW_REC_BY_REF,
                                   .receipt = receipt};

        while ((rc = kw_produce(topic, &record)) == KW_ERR_WOULD_BLOCK) {
            kw_client_poll(client, 1000);
            take_events(client, &result);
        }
    }
    return rc;
}

static int send_file(struct kw_client *client, struct kw_producer *producer, struct kw_topic *topic,
                     const char *name, const char *bytes, size_t size)
{
    struct kw_receipt_result result = {0};
    struct kw_receipt *receipt;
    int rc = kw_receipt_create(&receipt, producer, NULL);

    if (rc)
        return rc;
    rc = lend(client, topic, receipt, name, bytes, size);
    kw_receipt_close(receipt);
    (void)kw_wait(client, kw_flush(producer, 0, NULL), NULL); /* no linger for the last piece */
    while (!take_events(client, &result))
        kw_client_poll(client, -1); /* delivery.timeout.ms bounds it */
    printf("%llu pieces delivered, %llu not written, %llu unknown\n",
           (unsigned long long)result.delivered, (unsigned long long)result.not_written,
           (unsigned long long)result.unknown);
    return rc ? rc : result.code;
}

static const char *map(const char *path, size_t *size)
{
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *bytes = MAP_FAILED;

    if (fd >= 0 && fstat(fd, &stat) == 0 && stat.st_size > 0) {
        *size = (size_t)stat.st_size;
        bytes = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    if (bytes == MAP_FAILED)
        perror(path);
    if (fd >= 0)
        close(fd);
    return bytes == MAP_FAILED ? NULL : bytes;
}

int main(int argc, char **argv)
{
    struct kw_config *cfg = NULL;
    struct kw_client *client = NULL;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_error error = {0};
    const char *bytes;
    size_t size;
    int rc;

    if (argc != 4) {
        fprintf(stderr, "usage: lent PROPERTIES TOPIC FILE\n");
        return 2;
    }
    if (!(bytes = map(argv[3], &size)))
        return 1;
    if ((rc = kw_config_new(&cfg)) || (rc = kw_config_load(cfg, argv[1], &error)) ||
        (rc = kw_client_create(&client, cfg, &error)) ||
        (rc = kw_producer_create(&producer, client, NULL, &error)) ||
        (rc = kw_topic_open(&topic, producer, argv[2], &error)))
        fprintf(stderr, "setup: %s %s\n", error.text[0] ? error.text : kw_err_name(rc), error.hint);
    kw_config_destroy(cfg);
    if (!rc && (rc = send_file(client, producer, topic, argv[3], bytes, size)))
        fprintf(stderr, "%s: %s\n", argv[3], kw_err_name(rc));
    if (client)
        (void)kw_wait(client, kw_close(client, 1000, NULL), NULL);
    kw_client_destroy(client); /* ends every loan, so this comes first */
    munmap((void *)(uintptr_t)bytes, size);
    return rc ? 1 : 0;
}
