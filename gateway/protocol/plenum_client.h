/* plenum_client.h -- a connection that speaks plenum.v1, for the files of that protocol; see plenum.h. */
#ifndef PLENUM_GATEWAY_PROTOCOL_PLENUM_CLIENT_H
#define PLENUM_GATEWAY_PROTOCOL_PLENUM_CLIENT_H

#include <uthash.h>

#include "../../common/json_text.h"
#include "plenum.h"
#include "plenum_request.h"

/* A client in a room. */
struct membership {
    struct participant participant; /* first */
    UT_hash_handle hh;              /* in client->by_room, by room_name */
    struct plenum_client *client;
    uint64_t join_id; /* the request that is not answered yet, while !joined */
    bool joined;
    char *user, *from; /* what the participant's texts point to */
    uint64_t since_ms; /* wall clock */
    uint8_t room_len;
    char room[];
};

struct plenum_client {
    struct plenum *plenum;
    struct session *session;
    struct outlet *outlet;
    struct plenum_client *next, **at; /* plenum->clients */
    uint64_t id;                      /* 0: no hello yet */
    char *name;                       /* the hello's; NULL: none */
    struct membership *by_room;
    uint32_t rooms;
    bool deflate;
    struct plenum_history *line, **line_end; /* readings that have not begun */
    uint32_t in_line, readings;              /* their number; that of those that are under way */
    double errors_left;                      /* it may make so many more at once */
    uint64_t errors_ms;                      /* when that was reckoned */
};

/* Sends a text frame with this JSON, and frees it. */
void plenum_send(struct plenum_client *client, struct json_text *text);

/* {"type":"TYPE","id":ID  ... the caller goes on with the members, and with the brace. */
void plenum_reply(struct json_text *text, const char *type, uint64_t id);
void plenum_room(struct json_text *text, struct bytes room); /* ,"room":"..." */

/* Answers a request with an error: the client's own, of which it may make only so many; or one that it has no part in.
 */
void plenum_refuse(struct plenum_client *client, uint64_t id, const char *code, const char *message);
void plenum_fail(struct plenum_client *client, uint64_t id, const char *code, const char *message);

/* Carries out a request in a room. plenum_rooms.c. */
void plenum_join(struct plenum_client *client, const struct request *request);
void plenum_leave(struct plenum_client *client, const struct request *request);
void plenum_publish(struct plenum_client *client, const struct request *request);
void plenum_signal(struct plenum_client *client, const struct request *request);
void plenum_update(struct plenum_client *client, const struct request *request);

/* The membership, or NULL after the error was sent. */
struct membership *plenum_membership(struct plenum_client *client, const struct request *request);
void plenum_leave_all(struct plenum_client *client);
/* Goes on with the replays of all its rooms. */
void plenum_pump_all(struct plenum_client *client);

/* plenum_history.c */
void plenum_read_history(struct plenum_client *client, const struct request *request);
void plenum_go_on_reading(struct plenum_client *client);
void plenum_forget_histories(struct plenum_client *client);
void plenum_free_histories(struct plenum *plenum);

static inline struct bytes membership_room(const struct membership *membership)
{
    return (struct bytes){membership->room, membership->room_len};
}

#endif
