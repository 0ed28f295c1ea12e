/* client/versions.h -- the first exchange on a connection: ApiVersions.
 *
 * Asked at the highest version that we speak. A broker that does not know it
 * answers UNSUPPORTED_VERSION in the form of version 0, and we ask again on the
 * same connection; one that hangs up instead is asked with 3, then 0, on fresh
 * connections (protocol notes 1.4; KIP-511). */
#ifndef KWI_VERSIONS_H
#define KWI_VERSIONS_H
#include "client/conn.h"

/* The request that the connection should send now, or NULL. */
struct kw_request *kwi_versions_request(struct kw_conn *conn);
/* The connection was cut before the answer came. */
void kwi_versions_cut(struct kw_link *link);

#endif
