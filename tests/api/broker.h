/* tests/api/broker.h -- brokers for tests of the whole library: the in-tree one
 * on a thread of its own, and one that answers with fixed bytes. Both listen on
 * free ports of 127.0.0.1. */
#ifndef TEST_API_BROKER_H
#define TEST_API_BROKER_H
#include <kwire/kwire.h>
#include <pthread.h>
#include <stdatomic.h>

struct kw_mock;
struct kw_mock_front;

struct broker {
    struct kw_mock *mock;
    struct kw_mock_front *front;
    pthread_t thread;
    atomic_bool stop;
    char servers[64]; /* bootstrap.servers */
};

/* Starts one broker with the topic "t" of n_partitions. fault: a fault in the
 * text form of mock/mock.h, or NULL. */
void broker_start(struct broker *broker, int32_t n_partitions, const char *fault);
void broker_stop(struct broker *broker);

/* What a wrong peer does with a connection. */
enum wrong_kind {
    WRONG_REFUSES, /* nobody listens */
    WRONG_STALLS,  /* accepts and never answers */
    WRONG_CLOSES,  /* ends at once */
    WRONG_RESETS,  /* sends its bytes, then RST */
    WRONG_ANSWERS  /* sends its bytes, then waits for the end */
};
struct wrong_peer {
    enum wrong_kind kind;
    const void *bytes;
    size_t len;
    int listener, stop_fd;
    pthread_t thread;
    atomic_int n_accepted;
    char servers[64];
};
/* kind, bytes and len are set by the caller. */
void wrong_start(struct wrong_peer *peer);
void wrong_stop(struct wrong_peer *peer);

/* A client with these keys: pairs of key and value, ended by NULL. */
struct kw_client *client_with(const char *servers, ...) __attribute__((sentinel));

#endif
