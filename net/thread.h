/* net/thread.h -- the I/O thread of a client, and the lock that there is with it.
 *
 * The thread alone touches the loop, the sockets, TLS, work and the resolver; what it
 * shares with the application's threads is the core. So it holds the lock while it
 * calls the core, and lets go of it (kwi_thread_pause) while it sleeps, sends, receives,
 * shakes hands, works, or calls a hook that looks names up. The contract of the core
 * allows that: lent memory stays until it is confirmed, and only the driver ends a
 * connection.
 *
 * Application threads that wait (kw_wait, kw_client_poll) sleep on a condition. */
#ifndef KWI_THREAD_H
#define KWI_THREAD_H
#include <kwire/client_types.h>

struct kw_client;
struct kw_thread;

/* kwi_client_enter and exit where there is a thread. KW_ERR_CLOSED: the client is
 * being destroyed. */
KW_MUST_USE int kwi_thread_lock(struct kw_client *client);
void kwi_thread_unlock(struct kw_client *client);
/* Whether the caller is the I/O thread. */
bool kwi_thread_is_self(const struct kw_client *client);
/* On the I/O thread: lets others in for what takes time; and the end of that. Nothing
 * happens in a client without a thread. */
void kwi_thread_pause(struct kw_client *client);
void kwi_thread_resume(struct kw_client *client);

/* The waiting calls of the application, inside the gate. KW_ERR_CLOSED: the client is
 * being destroyed; KW_ERR_IO: the thread has ended. The second waits for an event, a
 * wake-up, or timeout_ms. */
KW_MUST_USE int kwi_thread_wait_op(struct kw_client *client, struct kw_op *op, int *code,
                                   struct kw_error *err, int *os_err);
KW_MUST_USE int kwi_thread_poll(struct kw_client *client, int32_t timeout_ms);
/* Whether the calling thread may take an event: not while another one has one, which
 * would not be valid any more. */
bool kwi_thread_takes(struct kw_client *client);
/* It took one (got), or there is none any more. */
void kwi_thread_took(struct kw_client *client, bool got);
/* kw_client_wake: any thread, signal handlers. */
void kwi_thread_wake(struct kw_client *client);

/* Inside the gate: ends every wait and the thread. Then the gate is held, without a lock. */
void kwi_thread_stop(struct kw_client *client);
/* On the I/O thread, in its turn: sleeps until something happens or wake_us (0: only
 * looks), while the application may come in. KW_ERR_IO: the system does not let it. */
KW_MUST_USE int kwi_thread_sleep(struct kw_client *client, uint64_t wake_us, int *os_err);

#endif
