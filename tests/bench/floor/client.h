/* client.h -- the way in from each client: the upgrade, then frames, which go to its room.
 *
 * Rooms are /rooms/NUMBER. No fragments, pings, limits or timeouts: this is a measuring stick, not a server.
 * Called by: main, on events. */
#ifndef PLENUM_BENCH_CLIENT_H
#define PLENUM_BENCH_CLIENT_H

#include "room.h"

enum { CLIENT_READ_SIZE = 1 << 18 };

struct client {
    int room;           /* -1: not upgraded yet */
    struct buffer part; /* an unfinished frame or request */
};

struct clients {
    struct rooms *rooms;
    struct outlets *outlets;
    struct client list[OUTLET_MAX_FD]; /* by descriptor */
    char read_buffer[CLIENT_READ_SIZE];
};

/* A socket was accepted. */
void client_open(struct clients *clients, int fd);

/* It has bytes for us, or is gone. */
void client_read(struct clients *clients, int fd);

#endif
