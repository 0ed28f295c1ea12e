/* client/conn_read.h -- what conn.c and conn_read.c share. */
#ifndef KWI_CONN_READ_H
#define KWI_CONN_READ_H
#include "client/conn.h"

/* conn.c */
void kwi_conn_want(struct kw_conn *conn, enum kw_want_kind kind);
bool kwi_conn_is_open(const struct kw_conn *conn);
void kwi_conn_arm(struct kw_conn *conn);
void kwi_conn_settle(struct kw_conn *conn);
/* conn_read.c */
void kwi_conn_unstall(struct kw_timer *timer);
void kwi_conn_drop_frame(struct kw_conn *conn);
/* ApiVersions was answered (versions.c calls it). */
void kwi_conn_answered(struct kw_conn *conn);
/* The broker knows who we are (sasl.c calls it). */
void kwi_conn_proved(struct kw_conn *conn);

#endif
