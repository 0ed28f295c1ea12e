/* client/assign/own.c -- what an assignor of the application's own may say, and how it is
 * asked: its results are the application's, so each is checked. */
#include "client/assign/assign.h"

bool kwi_assignor_is_whole(const struct kw_assignor *assignor)
{
    return assignor->size >= offsetof(struct kw_assignor, assignment_data) && assignor->name &&
           assignor->assign &&
           assignor->protocols & (KW_REBALANCE_EAGER | KW_REBALANCE_COOPERATIVE);
}

kwi_assignment_data_fn *kwi_assignor_assignment_data(const struct kw_assignor *assignor)
{
    return assignor->size >= offsetof(struct kw_assignor, on_assignment) ? assignor->assignment_data
                                                                         : NULL;
}

kwi_on_assignment_fn *kwi_assignor_on_assignment(const struct kw_assignor *assignor)
{
    return assignor->size >= sizeof(*assignor) ? assignor->on_assignment : NULL;
}

int kwi_assign_data(struct kw_heap *heap, kwi_assign_data_fn *ask, void *asker, struct kw_blob *out,
                    size_t *size)
{
    uint8_t none = 0, *buf = &none; /* not NULL: with no room, not without a buffer */
    size_t len = 0, got = 0;
    int rc = ask(asker, buf, 0, &len);

    *out = (struct kw_blob){NULL, -1};
    *size = 0;
    if (rc == 0 || (rc < 0 && rc != KW_ERR_SPACE))
        return rc;
    if (rc == 1 && len > 0)
        return KW_ERR_STATE; /* written, into nothing */
    if (rc != 1 && rc != KW_ERR_SPACE)
        return KW_ERR_STATE;
    if (len > KW_ASSIGN_DATA_MAX)
        return KW_ERR_LIMIT;
    buf = kwi_alloc(heap, len + 1);
    if (!buf)
        return KW_ERR_NOMEM;
    rc = ask(asker, buf, len, &got);
    if (rc == 1 && got <= len) {
        *out = (struct kw_blob){buf, (int32_t)got};
        *size = len + 1;
        return 0;
    }
    kwi_free(heap, buf, len + 1);
    return rc < 0 && rc != KW_ERR_SPACE ? rc : KW_ERR_STATE;
}
