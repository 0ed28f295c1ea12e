/* net/bundle.c -- see bundle.h. */
#include "net/bundle.h"
#include <string.h>

void kwi_bundle_open(struct kw_client *client, struct kw_bundle *bundle)
{
    if (bundle->block)
        return;
    bundle->block = client->spare_bundle ? client->spare_bundle
                                         : kwi_alloc(&client->heap, KWI_BUNDLE);
    client->spare_bundle = NULL;
    bundle->from = bundle->end = 0;
}

void kwi_bundle_drop(struct kw_client *client, struct kw_bundle *bundle)
{
    if (client->spare_bundle)
        kwi_free(&client->heap, bundle->block, KWI_BUNDLE);
    else
        client->spare_bundle = bundle->block;
    *bundle = (struct kw_bundle){0};
}

void kwi_bundle_settle(struct kw_client *client, struct kw_bundle *bundle)
{
    if (bundle->block && kwi_bundle_is_empty(bundle))
        kwi_bundle_drop(client, bundle);
}

size_t kwi_bundle_take(struct kw_bundle *bundle, const struct kw_iov *iov, size_t n_iov)
{
    uint32_t before = bundle->from;
    for (size_t i = 0; i < n_iov && !kwi_bundle_is_empty(bundle); i++) {
        size_t left = bundle->end - bundle->from, len = iov[i].len < left ? iov[i].len : left;
        memcpy(iov[i].base, bundle->block + bundle->from, len);
        bundle->from += (uint32_t)len;
    }
    return bundle->from - before;
}

bool kwi_bundle_put(struct kw_bundle *bundle, const void *ptr, size_t len)
{
    if (!bundle->block || len > KWI_BUNDLE - bundle->end)
        return false;
    memcpy(bundle->block + bundle->end, ptr, len);
    bundle->end += (uint32_t)len;
    return true;
}
