/* examples/epoll.c -- the client inside a program that has an epoll loop of its
 * own: one descriptor to watch, no thread, no callback.
 *
 * The program here copies lines from stdin to a topic, and would as well serve
 * sockets: while the client is full it stops watching stdin, which is all that
 * back pressure needs.
 *
 *   epoll 127.0.0.1:9092 TOPIC < lines.txt */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <kwire/kwire.h>

struct program {
    int epoll_fd;
    struct kw_client *client;
    struct kw_producer *producer;
    struct kw_topic *topic;
    char buf[64 * 1024];
    size_t len;    /* bytes in buf */
    bool reading;  /* stdin is watched */
    bool pollable; /* epoll can watch it; a regular file is always ready */
    bool input_end;
    bool flushing, done;
    unsigned long long n_delivered, n_failed;
};

static void watch_stdin(struct program *program, bool on)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = STDIN_FILENO};

    if (program->reading == on)
        return;
    program->reading = on;
    if (program->pollable &&
        epoll_ctl(program->epoll_fd, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, STDIN_FILENO, &event))
        program->pollable = errno != EPERM; /* a regular file: read it whenever there is room */
}

/* Produces the complete lines of the buffer; false when the client is full. */
static bool produce_lines(struct program *program)
{
    size_t begin = 0;
    bool room = true;

    while (room) {
        char *line = program->buf + begin;
        size_t left = program->len - begin;
        char *end = memchr(line, '\n', left);
        /* The last line, and one longer than the buffer, go as they are. */
        bool cut = !end && left > 0 && (program->input_end || left == sizeof(program->buf));
        if (!end && !cut)
            break;
        size_t len = end ? (size_t)(end - line) : left;
        struct kw_record record = {.value = {line, len}};
        int rc = kw_produce(program->topic, &record);
        room = rc != KW_ERR_WOULD_BLOCK;
        if (rc && room) {
            fprintf(stderr, "not produced: %s\n", kw_err_name(rc));
            program->n_failed++;
        }
        if (room)
            begin += len + (end ? 1 : 0);
    }
    memmove(program->buf, program->buf + begin, program->len - begin);
    program->len -= begin;
    return room;
}

static void read_stdin(struct program *program)
{
    ssize_t n = read(STDIN_FILENO, program->buf + program->len,
                     sizeof(program->buf) - program->len);

    if (n <= 0)
        program->input_end = true;
    else
        program->len += (size_t)n;
}

/* Events are taken here, where the program wants them, and never inside a call. */
static void take_events(struct program *program)
{
    struct kw_event event;

    while (kw_next_event(program->client, &event) == 1) {
        switch (event.kind) {
        case KW_EVENT_REPORT:
            if (event.report.outcome == KW_DELIVERED)
                program->n_delivered += event.report.n;
            else
                program->n_failed += event.report.n;
            break;
        case KW_EVENT_OP_DONE:
            program->done = true;
            if (event.code) /* its time was over: these have no outcome yet */
                program->n_failed += kw_producer_outstanding(program->producer);
            break;
        case KW_EVENT_ERROR: fprintf(stderr, "warning: %s\n", event.error->text); break;
        default: break; /* WRITABLE: produce_lines runs after each turn anyway */
        }
    }
}

static void run(struct program *program)
{
    struct epoll_event events[8];

    while (!program->done) {
        bool always_ready = program->reading && !program->pollable;
        int n = epoll_wait(program->epoll_fd, events, 8, always_ready ? 0 : -1);

        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == STDIN_FILENO)
                read_stdin(program);
            else if (kw_client_process(program->client, 0) < 0)
                return;
        }
        if (always_ready)
            read_stdin(program);
        take_events(program);
        bool room = produce_lines(program);
        watch_stdin(program, room && !program->input_end);
        if (program->input_end && program->len == 0 && !program->flushing) {
            program->flushing = true;
            if (!kw_flush(program->producer, 30000, NULL))
                return;
        }
    }
}

static int setup(struct program *program, const char *brokers, const char *topic)
{
    struct epoll_event event = {.events = EPOLLIN};
    struct kw_config *cfg = NULL;
    struct kw_error error = {0};
    int rc;

    if ((rc = kw_config_new(&cfg)) ||
        (rc = kw_config_set(cfg, "bootstrap.servers", brokers, &error)) ||
        (rc = kw_client_create(&program->client, cfg, &error)) ||
        (rc = kw_producer_create(&program->producer, program->client, NULL, &error)) ||
        (rc = kw_topic_open(&program->topic, program->producer, topic, &error))) {
        fprintf(stderr, "setup: %s %s\n", error.text[0] ? error.text : kw_err_name(rc), error.hint);
        kw_config_destroy(cfg);
        kw_client_destroy(program->client);
        return rc;
    }
    kw_config_destroy(cfg);
    program->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    event.data.fd = kw_client_fd(program->client);
    return epoll_ctl(program->epoll_fd, EPOLL_CTL_ADD, event.data.fd, &event);
}

int main(int argc, char **argv)
{
    static struct program program = {.pollable = true};

    if (argc != 3) {
        fprintf(stderr, "usage: epoll HOST:PORT TOPIC\n");
        return 2;
    }
    if (setup(&program, argv[1], argv[2]))
        return 1;
    watch_stdin(&program, true);
    run(&program);
    take_events(&program);
    kw_client_destroy(program.client);
    close(program.epoll_fd);
    printf("%llu delivered, %llu failed\n", program.n_delivered, program.n_failed);
    return program.n_failed > 0 || !program.done;
}
