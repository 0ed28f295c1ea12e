/* net/stage.h -- stages: what lets the threads of an application produce without the
 * client's lock, while there is an I/O thread.
 *
 * A stage is a thread's; it has trays (kwire/core.h), open batches that the thread fills
 * alone. A record that fits into one costs no lock, and its acceptance is final: it is in the
 * core's memory, in its batch. All else goes under the lock, where trays are opened and
 * closed:
 *   - by their thread, when one is full;
 *   - by the I/O thread when linger.ms is over, and when what topics take has changed;
 *   - by any thread whose call is about what others produced (flush, purge, close, figures).
 * So a stage has a word, `busy`, that keeps its thread and one that closes its trays apart.
 * Its thread never waits for it: where it is taken, the record goes under the lock. Who
 * closes trays has the lock already, and waits for no more than the copy of a record. That is
 * the order: the lock, then the word; never the lock behind the word.
 *
 * Nobody has to tell when a thread ends: its trays are closed by the I/O thread, and a
 * stage without trays may become another thread's.
 *
 * Order is kept per thread and partition: as long as there are trays of a topic, all that
 * their thread produces for it goes into them, or closes them first. */
#ifndef KWI_STAGE_H
#define KWI_STAGE_H
#include <kwire/client_types.h>

struct kw_client;
struct kw_stages;

/* With the client's heap; none where a child of fork() would not notice at once (gate.h).
 * Errors: KW_ERR_NOMEM. */
KW_MUST_USE int kwi_stages_create(struct kw_client *client);
/* Nobody is inside any more. Trays go with the core. */
void kwi_stages_destroy(struct kw_client *client);

/* kw_produce and kw_produce_many where there is an I/O thread; *accepted is set. Outside the
 * lock. */
KW_MUST_USE int kwi_stage_produce(struct kw_client *client, struct kw_topic *topic,
                                  const struct kw_record *record);
KW_MUST_USE int kwi_stage_produce_many(struct kw_client *client, struct kw_topic *topic,
                                       const struct kw_record *records, size_t n, size_t *accepted);

/* The rest with the lock held; all do nothing where there are no stages. */

/* Closes all trays: what any thread produced is with its partition. */
void kwi_stages_close_trays(struct kw_client *client);
/* Before the lock is let go: what topics take may have changed. */
void kwi_stages_check(struct kw_client *client);
/* When the I/O thread must look at them: mono_us; UINT64_MAX never. */
uint64_t kwi_stages_deadline(const struct kw_client *client);
/* The I/O thread's look: closes trays whose linger is over, tells the others the time. */
void kwi_stages_look(struct kw_client *client, uint64_t now_us);
/* The I/O thread has ended: from now on all is done under the lock. */
void kwi_stages_abandon(struct kw_client *client);

#endif
