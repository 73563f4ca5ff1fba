/* dialect.h -- how each kind of server wants to be spoken to: a table of texts.
 *
 * Called by: options (to choose), dialogue and publisher (to speak). Constant. */
#ifndef PLENUM_BENCH_DIALECT_H
#define PLENUM_BENCH_DIALECT_H

/* The texts are templates (see template.h). NULL: that step does not exist. Steps come in this order. */
struct dialect {
    const char *name;
    const char *path;           /* upgrade target */
    const char *subprotocol;    /* Sec-WebSocket-Protocol */
    const char *greeting;       /* the server speaks first: text to wait for before hello */
    const char *hello;          /* first frame from the client */
    const char *hello_ok;       /* text to wait for after hello */
    const char *join;           /* frame that joins the room */
    const char *join_ok;        /* text that says it worked */
    const char *publish;        /* text frame that publishes; NULL: the raw payload is the frame */
    const char *publish_binary; /* text frame that announces a binary frame with the payload */
    const char *post;           /* publishers use HTTP POST to this path instead */
    const char *ping, *pong;    /* heartbeat of the application: a whole frame, and its answer */
};

/* The plain one: a room is a path, a frame is a message. */
const struct dialect *dialect_default(void);

/* NULL when there is none of that name. */
const struct dialect *dialect_find(const char *name);

/* All names with spaces between, for --help. */
const char *dialect_names(void);

#endif
