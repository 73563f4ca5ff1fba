/* resp.c -- see resp.h. */
#include "resp.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    /* The reader moves what is left to the front for each KiB consumed: 55 ns a message when fed 4 KiB at a time, 304
     * when fed 256. */
    SLICE = 4096,
    /* More of one reply is no message of ours, and would only fill the memory. */
    REPLY_MAX = 64 << 20
};

/* Returns what hiredis takes for the value's object: any pointer will do, as nobody looks behind it. */
static void *tell(const redisReadTask *task, struct resp_value *value)
{
    struct resp *resp = task->privdata;
    if (resp->stopped)
        return resp;
    value->index = task->parent ? (int)task->idx : 0;
    for (const redisReadTask *above = task->parent; above; above = above->parent)
        value->depth++;
    resp->events->on_value(resp->ctx, value);
    return resp;
}

static void *on_string(const redisReadTask *task, char *text, size_t len) /* NOLINT: hiredis' type */
{
    struct resp_value value = {.type = RESP_STRING, .text = {text, len}};
    if (task->type == REDIS_REPLY_STATUS)
        value.type = RESP_STATUS;
    else if (task->type == REDIS_REPLY_ERROR)
        value.type = RESP_ERROR;
    return tell(task, &value);
}

static void *on_integer(const redisReadTask *task, long long number)
{
    return tell(task, &(struct resp_value){.type = RESP_INTEGER, .number = number});
}

static void *on_nil(const redisReadTask *task)
{
    return tell(task, &(struct resp_value){.type = RESP_NIL});
}

#if HIREDIS_MAJOR >= 1
static void *on_array(const redisReadTask *task, size_t elements)
#else
static void *on_array(const redisReadTask *task, int elements)
#endif
{
    return tell(task, &(struct resp_value){.type = RESP_ARRAY, .number = (long long)elements});
}

#if HIREDIS_MAJOR >= 1
/* RESP3's, which a server does not send before HELLO 3. */
static void *on_double(const redisReadTask *task, double number, char *text, size_t len)
{
    (void)number;
    return tell(task, &(struct resp_value){.type = RESP_STRING, .text = {text, len}});
}

static void *on_bool(const redisReadTask *task, int truth)
{
    return tell(task, &(struct resp_value){.type = RESP_INTEGER, .number = truth});
}
#endif

static void free_nothing(void *object)
{
    (void)object;
}

static redisReader *reader_new(struct resp *resp)
{
    static const redisReplyObjectFunctions functions = {
        .createString = on_string,
        .createArray = on_array,
        .createInteger = on_integer,
        .createNil = on_nil,
        .freeObject = free_nothing,
#if HIREDIS_MAJOR >= 1
        .createDouble = on_double,
        .createBool = on_bool,
#endif
    };
    redisReader *reader = redisReaderCreateWithFunctions((redisReplyObjectFunctions *)&functions); /* it only reads */
    if (!reader) {
        fprintf(stderr, "plenum: out of memory\n");
        abort();
    }
    reader->privdata = resp;
    return reader;
}

void resp_init(struct resp *resp, const struct resp_events *events, void *ctx)
{
    *resp = (struct resp){.events = events, .ctx = ctx};
    resp->reader = reader_new(resp);
}

void resp_close(struct resp *resp)
{
    redisReaderFree(resp->reader);
}

void resp_reset(struct resp *resp)
{
    redisReaderFree(resp->reader);
    resp->reader = reader_new(resp);
    resp->stopped = false;
}

/* Tells the whole replies that the reader holds. */
static bool drain(struct resp *resp)
{
    while (!resp->stopped) {
        void *reply = NULL;
        if (redisReaderGetReply(resp->reader, &reply) != REDIS_OK)
            return false;
        if (!reply)
            break;
        if (!resp->stopped)
            resp->events->on_end(resp->ctx);
    }
    return true;
}

bool resp_feed(struct resp *resp, struct bytes bytes)
{
    while (bytes.len > 0 && !resp->stopped) {
        size_t len = bytes.len < SLICE ? bytes.len : SLICE;
        if (resp->reader->len - resp->reader->pos > REPLY_MAX) {
            resp->reader->err = REDIS_ERR_PROTOCOL;
            snprintf(resp->reader->errstr, sizeof resp->reader->errstr, "a reply of more than %d bytes", REPLY_MAX);
            return false;
        }
        if (redisReaderFeed(resp->reader, bytes.data, len) != REDIS_OK || !drain(resp))
            return false;
        bytes.data += len;
        bytes.len -= len;
    }
    return true;
}

void resp_stop(struct resp *resp)
{
    resp->stopped = true;
}

const char *resp_error(const struct resp *resp)
{
    return resp->reader->errstr;
}
