/* log_line.h -- what waits to be appended to one room's log, in order; its first messages are the batch under way.
 *
 * Messages lie behind one another in the form in which they go over the wire (two arguments each: key, envelope), so
 * that a batch is sent, and sent again, by one copy. Owned by: redis_log. Knows no connection. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_BUS_LOG_LINE_H
#define PLENUM_GATEWAY_BUS_LOG_LINE_H

#include "../../common/names.h"
#include "bus.h"
#include "uthash.h"

enum { BATCH_MESSAGES = 256, BATCH_BYTES = 256 << 10 };

struct log_message {
    void *ticket;
    uint64_t queued_ms;
    uint32_t size; /* of its two arguments, on the wire */
};

/* The first messages of the line, once they are sent. */
struct log_batch {
    uint64_t number;  /* 0: there is none */
    uint32_t gateway; /* the id that it was first sent with: the script remembers it under that */
    uint32_t count;   /* messages */
    uint32_t told;    /* of them, whose end was told */
    size_t size;      /* bytes on the wire */
    uint32_t largest; /* bytes on the wire of the largest of them */
    uint64_t sent_ms; /* when it was sent first */
    bool repeated;    /* it was sent more than once */
    bool asked;       /* the commander has it, and has not told its end */
    bool came;        /* one of its messages came by while its answer did not: it is asked for by its number only */
    bool lost;        /* the answer is that it is not in the log any more */
    bool forgotten;   /* the answer is that the server does not know the script */
    int loads;        /* how often it was loaded for this batch */
};

struct log_line {
    struct redis_log *log;
    UT_hash_handle hh;     /* in redis_log.by_room */
    struct log_line *next; /* in the list of ready or spare ones */
    bool ready;            /* stands in the list of ready ones */
    uint32_t asks;         /* given to the commander and not ended, those of batches that were given up included */
    struct log_rule rule;  /* the newest message's */
    struct log_batch batch;

    struct log_message *messages; /* a queue: count from first on */
    uint32_t first, count, cap;
    char *text; /* theirs: from text_at to text_len */
    size_t text_at, text_len, text_cap;

    uint8_t room_len;
    char room[ROOM_NAME_MAX];
};

void log_line_push(struct log_line *line, const struct envelope *envelope, void *ticket, uint64_t now_ms);

static inline struct log_message *log_line_at(const struct log_line *line, uint32_t place)
{
    return &line->messages[line->first + place];
}

/* Makes the first messages the batch, of that number; there are some, and no batch. */
void log_line_begin_batch(struct log_line *line, uint64_t number, uint32_t gateway, uint64_t now_ms);
/* The batch's arguments, until the next push or drop. */
struct bytes log_line_batch_text(const struct log_line *line);
/* Forgets the first messages and their text; the batch, if there is one, is over. */
void log_line_drop(struct log_line *line, uint32_t count);

/* Frees what it holds. */
void log_line_close(struct log_line *line);

#endif
