/* xalloc.h -- memory that is there, or the process ends.
 *
 * A gateway that cannot get a few hundred bytes cannot do its job for anybody; it logs one line and aborts, and its
 * clients go to another. Sizes that a stranger controls are bounded before they come here. */
#ifndef PLENUM_COMMON_XALLOC_H
#define PLENUM_COMMON_XALLOC_H

#include <stddef.h>

/* Says that so many bytes were not to be had, and aborts. */
_Noreturn void xalloc_failed(size_t size);

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *text);
/* A terminated copy of len bytes. */
char *xstrndup(const char *text, size_t len);

#endif
