/* room.h -- who is in a room, what was said in it this turn, and the sending of it.
 *
 * In mode SEND a message leaves at once, one send() per receiver. Else the frames of a turn lie in one contiguous run
 * of bytes per room, and each receiver gets them by one send() or one entry of the ring when the turn ends.
 * Called by: client (join, leave, say), main (end of turn). */
#ifndef PLENUM_BENCH_ROOM_H
#define PLENUM_BENCH_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "outlet.h"
#include "ring.h"

enum { ROOMS = 20000, ROOM_TURN_FRAMES = 512 };

enum room_mode { ROOM_SEND, ROOM_TURN, ROOM_URING };

/* A frame of this turn: where it lies and who sent it, so that the sender can be left out. */
struct room_frame {
    uint32_t at, len;
    int sender;
};

struct room {
    int *fds, count, cap;
    struct buffer bytes;
    struct room_frame *frames;
    int frame_count;
    bool dirty;
};

struct rooms {
    enum room_mode mode;
    struct outlets *outlets;
    struct ring *ring; /* ROOM_URING only */
    struct room list[ROOMS];
    int slots[OUTLET_MAX_FD]; /* a client's place in its room's list */
    int dirty[ROOMS], dirty_count;
};

void room_join(struct rooms *rooms, int room, int fd);
void room_leave(struct rooms *rooms, int room, int fd);

/* A message from fd to all others. */
void room_say(struct rooms *rooms, int room, int fd, int opcode, const char *payload, size_t n);

/* Sends what the turn has gathered. */
void rooms_end_turn(struct rooms *rooms);

#endif
