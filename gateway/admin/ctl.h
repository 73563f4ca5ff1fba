/* ctl.h -- carries out what an admin says on plenum:ctl, on this worker.
 *
 *     PUBLISH plenum:ctl 'kick room=lobby user=alice'          to all workers
 *     PUBLISH plenum:ctl:0a1b2c3d 'drain over=60'              to one
 *
 * Every worker that hears a line answers one on plenum:ctl:ack (bus_answer), when it is through with it:
 *
 *     0a1b2c3d kick room=lobby kicked=2
 *     0a1b2c3d error room= is missing
 *
 *     kick room= user=|member=       puts them out (4403)                                    kicked=N
 *     ban room= user= [for=SECONDS]  writes plenum:bans, then puts them out; without for=: for good   kicked=N
 *     unban room= user=              removes it from there                                   done
 *     lock room=, unlock room=       writes or removes the field lock of the room's state    done
 *     end room=                      puts everybody out; the room may be joined again        kicked=N
 *     mute, unmute room= user=|member=   the mark "muted" of members; what they say still goes out   muted=N, unmuted=N
 *     count [room=]                  members=N, and without a room rooms=N
 *     drain [over=SECONDS]           this worker closes its clients over that time and ends; at once answered draining
 *
 * What every worker writes to Redis is the same, so it does no harm that each does. The hashes are the truth and the
 * command only hurries it. When the ban or the lock could not be written, the people are put out all the same, and the
 * answer says that it failed. Owned by: worker. Thread: the worker's. */
#ifndef PLENUM_GATEWAY_ADMIN_CTL_H
#define PLENUM_GATEWAY_ADMIN_CTL_H

#include "../room/room.h"

struct ctl_job;

struct ctl {
    struct rooms *rooms;  /* and through them the bus, the clock and the counters */
    struct ctl_job *jobs; /* those that wait for the bus */
    /* The worker is to drain over so many seconds; below 0: as its settings say. */
    void (*drain)(void *ctx, double over_s);
    void *ctx;
};

/* rooms are borrowed for its life; their bus may be set later. */
void ctl_init(struct ctl *ctl, struct rooms *rooms, void (*drain)(void *ctx, double over_s), void *ctx);

/* After bus_close: forgets what it waited for. */
void ctl_close(struct ctl *ctl);

/* A line of an admin's, borrowed for the call: what rooms->on_command gets. */
void ctl_run(struct ctl *ctl, struct bytes line);

#endif
