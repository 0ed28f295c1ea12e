/* cli/transaction.c -- see transaction.h. */
#include "cli/transaction.h"

#include "cli/signals.h"

bool cli_transaction_wanted(const struct kw_producer *producer)
{
    struct kw_txn_status status = {.size = sizeof(status)};

    return kw_txn_status(producer, &status) == 0;
}

int cli_transaction_begin(struct cli_session *session, struct kw_producer *producer)
{
    struct cli_op op = {0};
    struct kw_error error = {0};

    cli_session_wait(session, kw_txn_init(producer, cli_session_timeout(session), &op), &op, true);
    if (op.code)
        return cli_session_op_failed(session, &op, "no transaction");
    op.code = kw_txn_begin(producer, &error);
    if (!op.code)
        return -1;
    op.error = error;
    return cli_session_op_failed(session, &op, "no transaction");
}

static void transaction_say(struct cli_session *session, const char *what, const struct cli_op *op)
{
    char text[352];

    cli_error_text(&op->error, text, sizeof(text));
    cli_say(session, "%s: %s", what, text);
}

/* Asks until the commit is over; a signal ends the asking, and leaves it open. */
static int transaction_commit(struct cli_session *session, struct kw_producer *producer,
                              struct cli_op *op)
{
    struct kw_txn_status status = {.size = sizeof(status)};

    cli_session_wait(session, kw_txn_commit(producer, -1, op), op, true);
    if (!op->code)
        return KW_TXN_WAS_COMMITTED;
    (void)kw_txn_status(producer, &status);
    if (status.outcome == KW_TXN_NO_OUTCOME && status.state == KW_TXN_COMMITTING)
        return KW_TXN_OUTCOME_UNKNOWN;
    return status.outcome;
}

bool cli_transaction_end(struct cli_session *session, struct kw_producer *producer, bool commit,
                         int32_t abort_ms)
{
    struct cli_op op = {0};

    if (commit) {
        switch (transaction_commit(session, producer, &op)) {
        case KW_TXN_WAS_COMMITTED: return true;
        case KW_TXN_OUTCOME_UNKNOWN:
            cli_say(session, "it is not known whether the transaction is committed");
            return false;
        case KW_TXN_WAS_ABORTED:
            transaction_say(session, "the transaction was not committed", &op);
            return false;
        default: transaction_say(session, "the transaction cannot be committed", &op); break;
        }
    }
    op = (struct cli_op){0};
    cli_session_wait(session, kw_txn_abort(producer, abort_ms, &op), &op, false);
    if (op.code)
        transaction_say(session,
                        "the transaction was not aborted, and the broker does it after "
                        "transaction.timeout.ms",
                        &op);
    else
        cli_say(session, "the transaction was aborted: none of its records counts");
    return false;
}
