/* xalloc.c -- see xalloc.h. */
#include "xalloc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void xalloc_failed(size_t size)
{
    fprintf(stderr, "plenum: out of memory (%zu bytes)\n", size);
    abort();
}

static void *checked(void *memory, size_t size)
{
    if (!memory && size)
        xalloc_failed(size);
    return memory;
}

void *xmalloc(size_t size)
{
    return checked(malloc(size), size);
}

void *xcalloc(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory && count && size)
        checked(NULL, SIZE_MAX / size < count ? SIZE_MAX : count * size);
    return memory;
}

void *xrealloc(void *old, size_t size)
{
    return checked(realloc(old, size), size);
}

char *xstrdup(const char *text)
{
    return xstrndup(text, strlen(text));
}

char *xstrndup(const char *text, size_t len)
{
    char *copy = xmalloc(len + 1);
    if (len)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}
