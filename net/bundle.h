/* net/bundle.h -- ciphertext of several TLS records, for one call of the system.
 *
 * A call for each record of 16 KiB costs more than to copy it once: the other side is
 * woken for each, and so are we. So what TLS writes is gathered here and sent together,
 * and what comes of a large answer is read together and handed to TLS from here.
 *
 * A client keeps one block and lends it to the connection whose turn it is. A connection
 * whose bytes the socket did not take keeps the block, and the next one gets another.
 * Without memory there is no block, and each record is a call. */
#ifndef KWI_BUNDLE_H
#define KWI_BUNDLE_H
#include "net/client.h"

enum { KWI_BUNDLE = 128 << 10 };

struct kw_bundle {
    uint8_t *block;     /* of KWI_BUNDLE bytes; NULL: nothing is in it */
    uint32_t from, end; /* what is in it */
};

/* Takes a block, if it has none. */
void kwi_bundle_open(struct kw_client *client, struct kw_bundle *bundle);
/* Gives the block back if nothing is in it. */
void kwi_bundle_settle(struct kw_client *client, struct kw_bundle *bundle);
/* Gives it back whatever is in it. */
void kwi_bundle_drop(struct kw_client *client, struct kw_bundle *bundle);

static inline bool kwi_bundle_is_empty(const struct kw_bundle *bundle)
{
    return bundle->from == bundle->end;
}
/* Copies to the pieces what they hold; returns how much. */
size_t kwi_bundle_take(struct kw_bundle *bundle, const struct kw_iov *iov, size_t n_iov);
/* Appends; false, and nothing is done, without a block or without room. */
bool kwi_bundle_put(struct kw_bundle *bundle, const void *ptr, size_t len);

#endif
