/* mock/front.h -- the broker model behind TCP: one listener per broker, all on
 * one thread and one loop. With it the model is a usable development broker for
 * any Kafka client. It decides nothing about Kafka. */
#ifndef KWI_MOCK_FRONT_H
#define KWI_MOCK_FRONT_H
#include "mock/mock.h"

struct kw_mock_front;

struct kw_mock_front_config {
    struct kw_alloc alloc;  /* required */
    const char *host;       /* numeric address to listen on; default "127.0.0.1" */
    const char *advertised; /* what Metadata says instead; default: host */
    const uint16_t *ports;  /* one per broker, 0: a free one; NULL: free ones */
};

/* Listens, and tells the model the addresses. The model stays the caller's, who
 * destroys it after the front. Errors: KW_ERR_USE (host is not an address),
 * KW_ERR_NOMEM, KW_ERR_IO with *os_err (may be NULL; EADDRINUSE and such). */
KW_MUST_USE int kwi_mock_front_create(struct kw_mock_front **front, struct kw_mock *mock,
                                      const struct kw_mock_front_config *config, int *os_err);
/* Closes listeners and connections. NULL is allowed. */
void kwi_mock_front_destroy(struct kw_mock_front *front);
/* The port that broker `broker` listens on. */
uint16_t kwi_mock_front_port(const struct kw_mock_front *front, uint32_t broker);

/* Serves what there is to serve and waits at most timeout_ms (-1: no limit) for
 * something to come. Call again at once after changing the model from outside.
 * Returns 0; KW_ERR_IO with *os_err: the loop itself failed. */
KW_MUST_USE int kwi_mock_front_run_once(struct kw_mock_front *front, int32_t timeout_ms,
                                        int *os_err);
/* Makes run_once return. From any thread and from signal handlers. */
void kwi_mock_front_wake(struct kw_mock_front *front);
/* For a foreign loop: readable when run_once(front, 0) has work. */
int kwi_mock_front_fd(struct kw_mock_front *front);

#endif
