/* client/conn_why.h -- what a person reads when a connection ends by itself, or does
 * not come about: what we were doing, with whom, why it failed, what to do. */
#ifndef KWI_CONN_WHY_H
#define KWI_CONN_WHY_H
#include "client/conn.h"

/* Fills *err from what the driver told (cause may be NULL). doing: "connect to" ... */
void kwi_conn_why_closed(const struct kw_conn *conn, const char *doing,
                         const struct kw_cause *cause, struct kw_error *err);
/* The set-up deadline passed; what did not come. */
void kwi_conn_why_late(const struct kw_conn *conn, const char *what, struct kw_error *err);
/* The address came from metadata, and may be wrong there: says so in the hint, in
 * place of one about our own settings. */
void kwi_why_advertised(const struct kw_broker *broker, struct kw_error *err);
/* It will fail the same way again, whoever tries (a wrong port, password ...). */
bool kwi_why_is_final(const struct kw_error *err);

#endif
