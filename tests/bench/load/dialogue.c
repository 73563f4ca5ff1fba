/* dialogue.c -- the opening words of a dialect: see dialogue.h. */
#include "dialogue.h"

#include <stdio.h>
#include <string.h>

/* Passes the steps that the dialect does not have; stops where one must be awaited. */
static const char *next(struct dialogue *dialogue, const struct dialect *dialect)
{
    for (;;) {
        switch (dialogue->at) {
        case DIALOGUE_START:
            dialogue->at = DIALOGUE_GREETING;
            if (dialect->greeting)
                return NULL;
            break;
        case DIALOGUE_GREETING:
            dialogue->at = DIALOGUE_HELLO;
            if (dialect->hello)
                return dialect->hello;
            break;
        case DIALOGUE_HELLO:
            dialogue->at = DIALOGUE_JOIN;
            if (dialect->join && dialogue->joins)
                return dialect->join;
            break;
        default:
            dialogue->at = DIALOGUE_DONE;
            return NULL;
        }
    }
}

static const char *awaited(const struct dialogue *dialogue, const struct dialect *dialect)
{
    switch (dialogue->at) {
    case DIALOGUE_GREETING:
        return dialect->greeting;
    case DIALOGUE_HELLO:
        return dialect->hello_ok;
    case DIALOGUE_JOIN:
        return dialect->join_ok;
    default:
        return NULL;
    }
}

/* Pusher's socket id stands in JSON inside JSON, with escapes that depend on the server: take its digits and dots. */
static void keep_socket_id(struct dialogue *dialogue, const char *text, size_t n)
{
    char copy[512];

    snprintf(copy, sizeof copy, "%.*s", (int)n, text);
    const char *at = strstr(copy, "socket_id");
    if (at && (at = strpbrk(at, "0123456789")))
        snprintf(dialogue->socket_id, sizeof dialogue->socket_id, "%.*s", (int)strspn(at, "0123456789."), at);
}

const char *dialogue_begin(struct dialogue *dialogue, const struct dialect *dialect)
{
    return next(dialogue, dialect);
}

const char *dialogue_hear(struct dialogue *dialogue, const struct dialect *dialect, const char *text, size_t n)
{
    const char *want = awaited(dialogue, dialect);

    if (!want || !memmem(text, n, want, strlen(want)))
        return NULL;
    if (dialogue->at == DIALOGUE_GREETING)
        keep_socket_id(dialogue, text, n);
    return next(dialogue, dialect);
}
