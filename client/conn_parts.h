/* client/conn_parts.h -- what the files of a connection share: conn.c (states, life),
 * conn_write.c (bytes out), conn_read.c (bytes in). */
#ifndef KWI_CONN_PARTS_H
#define KWI_CONN_PARTS_H
#include "client/conn.h"

enum kw_conn_state {
    KWI_CONN_OPENING,
    KWI_CONN_VERSIONS,
    KWI_CONN_SASL,
    KWI_CONN_READY,
    KWI_CONN_REAUTH,
    KWI_CONN_CLOSING
};
/* Its link takes it for ready: requests are under way or wait for it. */
static inline bool kwi_conn_is_up(const struct kw_conn *conn)
{
    return conn->state == KWI_CONN_READY || conn->state == KWI_CONN_REAUTH;
}

/* conn.c */
void kwi_conn_want(struct kw_conn *conn, enum kw_want_kind kind);
bool kwi_conn_is_open(const struct kw_conn *conn);
/* Frees a request that is over and no longer lent. */
void kwi_conn_recycle(struct kw_conn *conn, struct kw_request *req);
/* ApiVersions was answered (versions.c calls it). */
void kwi_conn_answered(struct kw_conn *conn);
/* The broker knows who we are (sasl.c calls it). */
void kwi_conn_proved(struct kw_conn *conn);

/* conn_write.c */
/* Arms the timer for the oldest request without an answer, whose time begins when it
 * becomes that, if it has not begun. */
void kwi_conn_arm(struct kw_conn *conn);
/* The request that has waited longest for its answer, or NULL. */
struct kw_request *kwi_conn_oldest(const struct kw_conn *conn);
/* Frees what is answered and no longer lent; ends requests without answer. */
void kwi_conn_settle(struct kw_conn *conn);

/* conn_read.c */
void kwi_conn_unstall(struct kw_timer *timer);
void kwi_conn_drop_frame(struct kw_conn *conn);

#endif
