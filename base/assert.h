/* base/assert.h -- checks for bugs of our own, in debug builds only.
 *
 * Never for data from the wire, and the condition must not have side effects:
 * without KW_DEBUG it is compiled but not evaluated. */
#ifndef KWI_ASSERT_H
#define KWI_ASSERT_H

#ifdef KW_DEBUG
#define KWI_ASSERT(cond) ((cond) ? (void)0 : __builtin_trap())
#else
#define KWI_ASSERT(cond) ((void)sizeof((cond) ? 1 : 0))
#endif

#endif
