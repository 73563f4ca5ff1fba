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
    if (!memory)
        xalloc_failed(size);
    return memory;
}

static size_t at_least_one(size_t size)
{
    return size ? size : 1;
}

void *xmalloc(size_t size)
{
    return checked(malloc(at_least_one(size)), size);
}

void *xcalloc(size_t count, size_t size)
{
    void *memory = calloc(at_least_one(count), at_least_one(size));
    return checked(memory, size && count > SIZE_MAX / size ? SIZE_MAX : count * size);
}

void *xrealloc(void *old, size_t size)
{
    return checked(realloc(old, at_least_one(size)), size);
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
