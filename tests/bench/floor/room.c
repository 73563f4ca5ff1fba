/* room.c -- who is in a room and what was said in it this turn: see room.h. */
#include "room.h"

#include "../common/frame.h"
#include "../common/tool.h"

void room_join(struct rooms *rooms, int room, int fd)
{
    struct room *r = &rooms->list[room];

    if (r->count == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 8;
        r->fds = tool_realloc(r->fds, (size_t)r->cap * sizeof *r->fds);
    }
    rooms->slots[fd] = r->count;
    r->fds[r->count++] = fd;
}

void room_leave(struct rooms *rooms, int room, int fd)
{
    struct room *r = &rooms->list[room];
    int last = r->fds[--r->count];

    r->fds[rooms->slots[fd]] = last;
    rooms->slots[last] = rooms->slots[fd];
}

static bool has_spoken(const struct room *r, int fd)
{
    for (int i = 0; i < r->frame_count; i++)
        if (r->frames[i].sender == fd)
            return true;
    return false;
}

/* A sender gets the frames between its own. */
static void send_around_own(struct rooms *rooms, const struct room *r, int fd)
{
    struct iovec pieces[ROOM_TURN_FRAMES];
    int count = 0;

    for (int i = 0; i < r->frame_count; i++)
        if (r->frames[i].sender != fd)
            pieces[count++] = (struct iovec){r->bytes.data + r->frames[i].at, r->frames[i].len};
    if (count)
        outlet_put_pieces(rooms->outlets, fd, pieces, count);
}

static void flush(struct rooms *rooms, struct room *r)
{
    for (int i = 0; i < r->count; i++) {
        int fd = r->fds[i];
        if (has_spoken(r, fd))
            send_around_own(rooms, r, fd);
        else if (rooms->mode == ROOM_URING)
            ring_put(rooms->ring, fd, r->bytes.data, r->bytes.len);
        else
            outlet_put(rooms->outlets, fd, r->bytes.data, r->bytes.len);
    }
    if (rooms->mode == ROOM_URING)
        ring_submit(rooms->ring);
    r->bytes.len = 0;
    r->frame_count = 0;
}

static void append_frame(struct room *r, int opcode, const char *payload, size_t n)
{
    uint8_t head[FRAME_HEAD_MAX];

    buffer_append(&r->bytes, head, frame_head_write(head, opcode, n));
    buffer_append(&r->bytes, payload, n);
}

static void send_now(struct rooms *rooms, struct room *r, int sender)
{
    for (int i = 0; i < r->count; i++)
        if (r->fds[i] != sender)
            outlet_put(rooms->outlets, r->fds[i], r->bytes.data, r->bytes.len);
    r->bytes.len = 0;
}

void room_say(struct rooms *rooms, int room, int fd, int opcode, const char *payload, size_t n)
{
    struct room *r = &rooms->list[room];

    if (r->frame_count == ROOM_TURN_FRAMES)
        flush(rooms, r);
    size_t at = r->bytes.len;
    append_frame(r, opcode, payload, n);
    if (rooms->mode == ROOM_SEND) {
        send_now(rooms, r, fd);
        return;
    }
    if (!r->frames)
        r->frames = tool_calloc(ROOM_TURN_FRAMES, sizeof *r->frames);
    r->frames[r->frame_count++] = (struct room_frame){(uint32_t)at, (uint32_t)(r->bytes.len - at), fd};
    if (!r->dirty) {
        r->dirty = true;
        rooms->dirty[rooms->dirty_count++] = room;
    }
}

void rooms_end_turn(struct rooms *rooms)
{
    for (int i = 0; i < rooms->dirty_count; i++) {
        struct room *r = &rooms->list[rooms->dirty[i]];
        r->dirty = false;
        if (r->frame_count)
            flush(rooms, r);
    }
    rooms->dirty_count = 0;
}
