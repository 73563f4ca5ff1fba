/* xalloc.h -- memory that is there, or the process ends.
 *
 * A gateway that cannot get a few hundred bytes cannot do its job for anybody; it logs one line and aborts, and its
 * clients go to another. Sizes that a stranger controls are bounded before they come here. */
#ifndef PLENUM_COMMON_XALLOC_H
#define PLENUM_COMMON_XALLOC_H

#include <stddef.h>

/* Says that so many bytes were not to be had, and aborts. */
_Noreturn void xalloc_failed(size_t size);

/* Never NULL, also for a size of 0. */
void *xmalloc(size_t size) __attribute__((returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((returns_nonnull));
void *xrealloc(void *old, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *text) __attribute__((returns_nonnull));
/* A terminated copy of len bytes. */
char *xstrndup(const char *text, size_t len) __attribute__((returns_nonnull));

#endif
