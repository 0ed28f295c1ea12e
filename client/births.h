/* client/births.h -- which partitions came after a subscription began.
 *
 * auto.offset.reset=latest means "from now on", and now is when the application
 * subscribed. A partition that is made later is noticed later still; what was written to
 * it meanwhile is not skipped (C55): it begins at its begin. What was there counts by
 * metadata: partitions behind the number that the first answer tells are new, all of a
 * topic that was not there or has another id since. Of patterns, which the broker
 * matches, that cannot be known. */
#ifndef KWI_BIRTHS_H
#define KWI_BIRTHS_H
#include "client/group.h"

/* Begins to watch the topics of a subscription; what `old` (may be NULL) knows of them
 * stays. *out is NULL if there is nothing to watch: no latest, no names, a pattern. */
KW_MUST_USE int kwi_births_create(struct kw_births **out, struct kw_group *group,
                                  const struct kw_group_names *names, const struct kw_births *old);
/* births may be NULL. */
void kwi_births_destroy(struct kw_births *births);
#endif
