/* examples/ingest.c -- one producer behind many requests: a server that writes what it is
 * sent, and answers when Kafka has it.
 *
 *   ingest PROPERTIES TOPIC
 *
 * Listens on a free port of 127.0.0.1 and prints it. Each line of a connection is one
 * request and one record; its answer is one of
 *
 *   ok PARTITION OFFSET   it is written
 *   no REASON             it is not: ask again
 *   unknown REASON        it may be: ask again if twice is better than never
 *   busy                  too much waits already: ask again later
 *
 * All connections share one producer, so that what comes at the same time goes out in one
 * batch. SIGTERM ends the listening, and the requests that wait get their answers. See
 * docs/PRODUCER.md, 4 and 6. */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kwire/kwire.h>

enum { PEERS_MAX = 256, WAIT_MS = 1000 };

struct peer {
    int fd;       /* -1: it has hung up, or the place is free */
    bool waiting; /* its record has no outcome yet: the place is taken, and it is not read */
    char buf[4096];
    size_t len;
};

static struct {
    struct kw_client *client;
    struct kw_producer *producer;
    struct kw_topic *topic;
    int listener;
    struct peer peers[PEERS_MAX];
} ingest;

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* ---- answers ---------------------------------------------------------------------- */

static void hang_up(struct peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    peer->fd = -1;
    peer->len = 0;
}

static void answer(struct peer *peer, const char *text)
{
    size_t len = strlen(text);

    /* A few bytes after each request: whoever lets these fill its socket is not served. */
    if (peer->fd >= 0 && send(peer->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
        hang_up(peer);
}

static void on_report(const struct kw_report *report)
{
    const char *why = report->kafka_code ? kw_kafka_error_name(report->kafka_code)
                                         : kw_err_name(report->code);
    char text[128];

    for (uint32_t i = 0; i < report->n; i++) {
        struct peer *peer = kw_report_opaque(report, i);

        if (report->outcome == KW_DELIVERED)
            snprintf(text, sizeof(text), "ok %d %lld\n", (int)report->partition,
                     report->base_offset < 0 ? -1LL : (long long)report->base_offset + i);
        else
            snprintf(text, sizeof(text), "%s %s\n",
                     report->outcome == KW_UNKNOWN ? "unknown" : "no", why);
        answer(peer, text);
        peer->waiting = false;
    }
}

static void take_events(void)
{
    struct kw_event event;

    while (kw_next_event(ingest.client, &event) == 1) {
        if (event.kind == KW_EVENT_REPORT)
            on_report(&event.report);
        if (event.kind == KW_EVENT_ERROR)
            fprintf(stderr, "%s %s\n", event.error->text, event.error->hint);
    }
}

/* ---- requests ---------------------------------------------------------------------------- */

/* Takes the lines that are there, until one of them waits for its outcome. */
static void serve(struct peer *peer)
{
    char *end;

    while (!peer->waiting && peer->fd >= 0 && (end = memchr(peer->buf, '\n', peer->len))) {
        struct kw_record record = {.value = {peer->buf, (size_t)(end - peer->buf)}, .opaque = peer};
        int rc = kw_produce(ingest.topic, &record);
        char text[64];

        peer->len -= (size_t)(end + 1 - peer->buf);
        memmove(peer->buf, end + 1, peer->len); /* kw_produce has its copy */
        peer->waiting = rc == 0;
        /* No queue of our own behind a full one: it would only hide that nothing moves. */
        snprintf(text, sizeof(text), rc == KW_ERR_WOULD_BLOCK ? "busy\n" : "no %s\n",
                 kw_err_name(rc));
        if (rc)
            answer(peer, text);
    }
    if (peer->len == sizeof(peer->buf))
        hang_up(peer); /* a line without an end */
}

static void read_peer(struct peer *peer)
{
    ssize_t n = recv(peer->fd, peer->buf + peer->len, sizeof(peer->buf) - peer->len, MSG_DONTWAIT);

    if (n > 0)
        peer->len += (size_t)n;
    else
        hang_up(peer);
}

static void accept_peer(void)
{
    int fd = accept(ingest.listener, NULL, NULL);

    for (size_t i = 0; fd >= 0 && i < PEERS_MAX; i++)
        if (ingest.peers[i].fd < 0 && !ingest.peers[i].waiting) {
            ingest.peers[i].fd = fd;
            return;
        }
    if (fd >= 0)
        close(fd);
}

static void go_round(void)
{
    struct pollfd fds[PEERS_MAX + 2];

    fds[PEERS_MAX] = (struct pollfd){kw_client_fd(ingest.client), POLLIN, 0};
    fds[PEERS_MAX + 1] = (struct pollfd){ingest.listener, POLLIN, 0};
    for (size_t i = 0; i < PEERS_MAX; i++)
        fds[i] = (struct pollfd){ingest.peers[i].waiting ? -1 : ingest.peers[i].fd, POLLIN, 0};
    if (poll(fds, PEERS_MAX + 2, WAIT_MS) < 0)
        return;
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (fds[i].revents)
            read_peer(&ingest.peers[i]);
    if (fds[PEERS_MAX + 1].revents)
        accept_peer();
    kw_client_process(ingest.client, 0);
    take_events();
    for (size_t i = 0; i < PEERS_MAX; i++)
        serve(&ingest.peers[i]);
}

/* ---- begin and end -------------------------------------------------------------------------- */

static int listen_here(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    for (size_t i = 0; i < PEERS_MAX; i++)
        ingest.peers[i].fd = -1;
    ingest.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (ingest.listener < 0 || bind(ingest.listener, (struct sockaddr *)&address, len) ||
        listen(ingest.listener, 64) ||
        getsockname(ingest.listener, (struct sockaddr *)&address, &len)) {
        perror("listen");
        return 1;
    }
    printf("listening on %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return 0;
}

static int begin(char **argv)
{
    struct kw_config *cfg = NULL;
    struct kw_error error = {0};
    int rc;

    if ((rc = kw_config_new(&cfg)) || (rc = kw_config_load(cfg, argv[1], &error)) ||
        (rc = kw_client_create(&ingest.client, cfg, &error)) ||
        (rc = kw_producer_create(&ingest.producer, ingest.client, NULL, &error)) ||
        (rc = kw_topic_open(&ingest.topic, ingest.producer, argv[2], &error)))
        fprintf(stderr, "setup: %s %s\n", error.text[0] ? error.text : kw_err_name(rc), error.hint);
    kw_config_destroy(cfg);
    /* Ready when the topic is known: before that everything would be told to come again. */
    while (!rc && !stop && kw_topic_partitions(ingest.topic) == 0) {
        kw_client_poll(ingest.client, WAIT_MS);
        take_events();
        if ((rc = kw_topic_error(ingest.topic))) /* delivery.timeout.ms bounds the wait */
            fprintf(stderr, "%s: %s\n", argv[2], kw_kafka_error_name((int16_t)rc));
    }
    return rc;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};

    if (argc != 3) {
        fprintf(stderr, "usage: ingest PROPERTIES TOPIC\n");
        return 2;
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (begin(argv) || listen_here())
        return 1;
    while (!stop)
        go_round();
    close(ingest.listener);
    (void)kw_wait(ingest.client, kw_flush(ingest.producer, 10000, NULL), NULL);
    take_events();
    (void)kw_wait(ingest.client, kw_close(ingest.client, 1000, NULL), NULL);
    take_events(); /* each request that waited has its outcome now */
    for (size_t i = 0; i < PEERS_MAX; i++)
        hang_up(&ingest.peers[i]);
    kw_client_destroy(ingest.client);
    return 0;
}
