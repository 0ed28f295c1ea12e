/* cli/transaction.h -- one run of a subcommand as one transaction: all of its records
 * count, or none. */
#ifndef CLI_TRANSACTION_H
#define CLI_TRANSACTION_H
#include <stdbool.h>

#include <kwire/kwire.h>

#include "cli/session.h"

/* Whether the producer has a transactional id. */
bool cli_transaction_wanted(const struct kw_producer *producer);
/* Makes the id ours and begins. Returns -1 or an exit code; what is wrong was said. */
int cli_transaction_begin(struct cli_session *session, struct kw_producer *producer);
/* Ends it: commits, or aborts in at most abort_ms. True: it is committed. Says how it
 * ended where it is not. */
bool cli_transaction_end(struct cli_session *session, struct kw_producer *producer, bool commit,
                         int32_t abort_ms);

#endif
