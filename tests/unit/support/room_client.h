/* room_client.h -- what a client makes of what it is told of a room, by the rules of plenum.md, and a judge who holds
 * every line of it against what the log really held: nothing twice, nothing out of order, nothing left out that was not
 * said to be missing, every ack at its place. */
#ifndef PLENUM_TESTS_UNIT_SUPPORT_ROOM_CLIENT_H
#define PLENUM_TESTS_UNIT_SUPPORT_ROOM_CLIENT_H

#include "room_town.h"

enum { KNOWN_MAX = 64, SAID_MAX = 6000 };

/* Something that a client published. */
struct said {
    uint32_t number; /* its text begins with it, and the place in this list follows */
    uint64_t connection;
    int room;
    bool repeat; /* its key was used before: it may be a duplicate, whose ack may be late */
    enum { SAID_PENDING, SAID_ACKED, SAID_FAILED, SAID_LEFT } state;
    uint32_t excuses; /* of the client when it was published */
};

struct known {
    uint64_t member;
    char value[64];
};

struct client {
    struct fake_room *room;
    uint64_t connection;
    bool joining, in, leaving;
    bool positioned;
    uint32_t epoch; /* index; the position: */
    uint64_t offset;
    uint64_t resumed_offset; /* what its join claimed; epoch likewise */
    uint32_t history;
    bool resumed;
    uint32_t excuses; /* gaps and epochs that were told */
    struct known known[KNOWN_MAX];
    uint32_t known_count;
    uint32_t messages, acks, gaps, epochs, refusals, recovered, started_over;
};

static struct said said[SAID_MAX];
static uint32_t said_count;

/* The test's: where it was, and the end. */
static inline void client_fails(const struct client *client, const char *line, const char *why);

#define judge(client, line, condition)                                                                                 \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            client_fails(client, line, #condition " does not hold");                                                   \
    } while (0)

/* ---- the truth */

/* The epochs that count on with this one, from which the numbers are unique. */
static inline uint32_t chain_first(const struct fake_room *room, uint32_t epoch)
{
    while (room->epochs[epoch].linked)
        epoch--;
    return epoch;
}

static inline uint32_t chain_end(const struct fake_room *room, uint32_t epoch)
{
    do
        epoch++;
    while (epoch < room->epoch_count && room->epochs[epoch].linked);
    return epoch;
}

/* The place of the first message of the chain with a number above seq; *end: behind its last one. */
static inline uint32_t truth_after(const struct fake_room *room, uint32_t epoch, uint64_t seq, uint32_t *end)
{
    uint32_t low = room->epochs[chain_first(room, epoch)].first, past = chain_end(room, epoch);
    uint32_t high = *end = past < room->epoch_count ? room->epochs[past].first : room->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (room->messages[middle].seq > seq)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static inline const struct fake_message *truth_at(const struct fake_room *room, uint32_t epoch, uint64_t seq)
{
    uint32_t end, at = truth_after(room, epoch, seq - 1, &end);
    return at < end && room->messages[at].seq == seq ? &room->messages[at] : NULL;
}

static inline uint32_t number_of(const struct fake_message *message)
{
    return (uint32_t)strtoul(message->payload.data, NULL, 10);
}

static inline int epoch_index(const struct fake_room *room, const char *name)
{
    for (uint32_t i = room->epoch_count; i-- > 0;)
        if (strcmp(room->epochs[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* Its own message does not come back to it; when it waits for the ack, that has to come in its place. */
static inline bool owed(const struct client *client, const struct fake_message *message)
{
    if (message->lost)
        return false;
    if (message->member != client->connection)
        return true;
    uint32_t number, request;
    assert_int_equal(sscanf(message->payload.data, "%u %u", &number, &request), 2);
    return said[request].state == SAID_PENDING;
}

/* Nothing between the position and seq may have been left out. */
static inline void judge_between(const struct client *client, const char *line, uint64_t seq)
{
    uint32_t end, at = truth_after(client->room, client->epoch, client->offset, &end);
    for (; at < end && client->room->messages[at].seq < seq; at++) {
        const struct fake_message *message = &client->room->messages[at];
        char why[80];
        snprintf(why, sizeof why, "%" PRIu64 " (text %u) was left out", message->seq, number_of(message));
        if (owed(client, message))
            client_fails(client, line, why);
    }
}

/* ---- lines about messages */

static inline void hear_message(struct client *client, const char *line)
{
    unsigned long long offset, number;
    judge(client, line, sscanf(line, "m %*s %llu %llu", &offset, &number) == 2);
    judge(client, line, client->positioned && offset > client->offset);
    const struct fake_message *message = truth_at(client->room, client->epoch, offset);
    judge(client, line, message && number_of(message) == number && message->epoch <= client->epoch);
    judge_between(client, line, offset);
    client->offset = offset;
    client->messages++;
}

static inline void hear_ack(struct client *client, const char *line)
{
    unsigned long long request, offset;
    judge(client, line, sscanf(line, "a %llu %llu", &request, &offset) == 2);
    judge(client, line, request < said_count);
    struct said *of = &said[request];
    judge(client, line, of->connection == client->connection);
    judge(client, line, of->state == SAID_PENDING || of->state == SAID_LEFT);
    client->acks++;
    const struct fake_message *message = truth_at(client->room, client->epoch, offset);
    bool excused = of->excuses != client->excuses;
    judge(client, line, excused || (message && number_of(message) == of->number));
    if (offset <= client->offset || !message || number_of(message) != of->number) {
        judge(client, line, of->repeat || excused || of->state == SAID_LEFT);
        of->state = SAID_ACKED;
        return;
    }
    of->state = SAID_ACKED;
    judge_between(client, line, offset);
    client->offset = offset;
}

static inline void hear_gap(struct client *client, const char *line)
{
    unsigned long long from, to;
    judge(client, line, sscanf(line, "g %*s %llu %llu", &from, &to) == 2);
    judge(client, line, from <= to && from > client->offset);
    judge_between(client, line, from);
    uint32_t end, at = truth_after(client->room, client->epoch, from - 1, &end);
    for (; at < end && client->room->messages[at].seq <= to; at++)
        judge(client, line, !client->room->messages[at].there); /* else it could have been told */
    client->offset = to;
    client->excuses++;
    client->gaps++;
}

static inline void hear_epoch(struct client *client, const char *line)
{
    char name[40];
    unsigned long long from;
    int lossy;
    judge(client, line, sscanf(line, "e %*s %39s %llu %d", name, &from, &lossy) == 3);
    int index = epoch_index(client->room, name);
    judge(client, line, index >= 0 && (uint32_t)index > client->epoch);
    const struct fake_epoch *epoch = &client->room->epochs[index];
    if (!lossy) {
        judge(client, line, epoch->linked && (uint32_t)index == client->epoch + 1);
        judge_between(client, line, epoch->prevtop + 1);
    }
    judge(client, line, from == epoch->base || (lossy && from > epoch->base)); /* what is below is included in that */
    client->epoch = (uint32_t)index;
    client->offset = from;
    client->excuses++;
    client->epochs++;
}

/* ---- lines about members */

static inline struct known *know(struct client *client, uint64_t member)
{
    for (uint32_t i = 0; i < client->known_count; i++)
        if (client->known[i].member == member)
            return &client->known[i];
    return NULL;
}

static inline void know_also(struct client *client, uint64_t member, const char *value, size_t len)
{
    assert_true(client->known_count < KNOWN_MAX && len < sizeof client->known->value);
    struct known *known = &client->known[client->known_count++];
    known->member = member;
    memcpy(known->value, value, len);
    known->value[len] = '\0';
}

/* [{"member":"<16 digits>",<rest>},...]; no braces in the rest. */
static inline void hear_list(struct client *client, const char *line, const char *list)
{
    static const char head[] = "{\"member\":\"";
    client->known_count = 0;
    while ((list = strstr(list, head)) != NULL) {
        list += strlen(head);
        uint64_t member = strtoull(list, NULL, 16);
        judge(client, line, !know(client, member));
        list += 16 + 1; /* the quote: a brace takes the comma's place */
        size_t len = (size_t)(strchr(list, '}') + 1 - list);
        know_also(client, member, list, len);
        client->known[client->known_count - 1].value[0] = '{';
    }
}

static inline void hear_member(struct client *client, const char *line)
{
    unsigned long long member;
    char mark, value[64];
    judge(client, line, sscanf(line, "%c %*s %llx %63[^\n]", &mark, &member, value) == 3);
    judge(client, line, member != client->connection); /* not told of itself */
    struct known *known = know(client, member);
    judge(client, line, (mark == '+') == (known == NULL));
    if (mark != '+')
        *known = client->known[--client->known_count];
    if (mark != '-')
        know_also(client, member, value, strlen(value));
}

/* ---- coming in */

/* Whether a claim that was true once has to be taken up. */
static inline bool may_resume(const struct client *client, uint32_t epoch)
{
    const struct fake_epoch *now = &client->room->epochs[epoch];
    if (client->epoch == epoch)
        return true;
    return now->linked && client->epoch + 1 == epoch && client->offset <= now->prevtop;
}

static inline void hear_joined(struct client *client, const char *line)
{
    char name[40];
    unsigned long long offset, count;
    int recovered, lossy, list = 0;
    judge(client, line,
          sscanf(line, "J %*s %39s %llu %d %d %llu %n", name, &offset, &recovered, &lossy, &count, &list) == 5 && list);
    judge(client, line, client->joining && !client->in);
    int index = epoch_index(client->room, name);
    judge(client, line, index >= 0);
    if (client->resumed)
        judge(client, line, recovered || !may_resume(client, (uint32_t)index));
    judge(client, line, !recovered || (client->resumed && may_resume(client, (uint32_t)index)));
    judge(client, line, !client->resumed || (uint32_t)index >= client->epoch); /* it knows of that epoch */
    judge(client, line, lossy == (recovered && client->epoch != (uint32_t)index));
    client->epoch = (uint32_t)index;
    if (!recovered) {
        uint64_t base = client->room->epochs[index].base, whole = offset - base;
        client->offset = offset - (client->history < whole ? client->history : whole);
    }
    judge(client, line, client->offset <= offset);
    if (lossy || !recovered)
        client->excuses++;
    client->recovered += (uint32_t)recovered;
    client->started_over += client->resumed && !recovered;
    client->positioned = client->in = true;
    client->joining = false;
    hear_list(client, line, line + list);
}

static inline void client_hear(struct client *client, const char *line)
{
    switch (line[0]) {
    case 'J':
        hear_joined(client, line);
        break;
    case 'm':
        hear_message(client, line);
        break;
    case 'a':
        hear_ack(client, line);
        break;
    case 'g':
        hear_gap(client, line);
        break;
    case 'e':
        hear_epoch(client, line);
        break;
    case '+':
    case '=':
    case '-':
        hear_member(client, line);
        break;
    case 'r':
        client->joining = client->in = false;
        client->refusals++;
        break;
    case 'L':
        client->leaving = false;
        break;
    default:
        client_fails(client, line, "an unknown line");
    }
}

#endif
