/* protocol.h -- what the gateway and one kind of client say to each other: the table that a protocol fills in.
 *
 * A connection carries one session. The net layer calls the protocol's table; the protocol acts through rooms, and on
 * its connection through the host's table, never by reaching up. One instance of a protocol per worker. */
#ifndef PLENUM_GATEWAY_PROTOCOL_PROTOCOL_H
#define PLENUM_GATEWAY_PROTOCOL_PROTOCOL_H

#include <stdbool.h>

#include "../../common/bytes.h"
#include "../room/room.h"

struct session;

/* What a session may ask of its connection. */
struct session_host {
    /* The handshake may be answered now: the session is ready to hear and to speak. */
    void (*accept)(struct session *session);
    /* Close it with this code at the end of the turn; may be called twice, the first code counts. */
    void (*close)(struct session *session, int code, const char *reason);
};

/* How a client asked to be let in; borrowed for the call. */
struct session_request {
    struct bytes room; /* empty where the surface names none */
    bool echo;
    bool deflate;          /* permessage-deflate was negotiated */
    struct outlet *outlet; /* the connection's sending end; lives until on_close */
};

enum { SLACK_MAX = 16 << 10 };

struct protocol {
    const char *subprotocol; /* Sec-WebSocket-Protocol to answer with, or NULL */
    uint32_t slack; /* bytes of its frames beyond --max-message: what it wraps messages in; at most SLACK_MAX */

    bool leaves_by_itself; /* its clients were told of a drain: they are closed after the others only */

    /* Begins: ends in host->accept, at once or later, or in a close. */
    void (*on_open)(struct session *session, const struct session_request *request);
    /* A message from the client; text is valid UTF-8. */
    void (*on_message)(struct session *session, bool text, struct bytes payload);
    /* What waited for the client has been sent; NULL: of no interest. */
    void (*on_drained)(struct session *session);
    /* The connection is closing: memberships end here. Called once if on_open was. */
    void (*on_close)(struct session *session);
    const struct session_host *host;
};

/* Embedded in the connection. */
struct session {
    const struct protocol *protocol; /* NULL: none yet */
    union {
        struct member member;         /* relay: its membership */
        struct plenum_client *client; /* plenum.v1 */
    };
};

static inline struct session *session_of_member(struct member *member)
{
    return (struct session *)((char *)member - offsetof(struct session, member));
}

#endif
