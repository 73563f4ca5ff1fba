/* client.c -- the way in from each client: see client.h. */
#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/frame.h"
#include "../common/upgrade.h"

void client_open(struct clients *clients, int fd)
{
    clients->list[fd] = (struct client){.room = -1};
}

static void drop(struct clients *clients, int fd)
{
    struct client *c = &clients->list[fd];

    if (c->room >= 0)
        room_leave(clients->rooms, c->room, fd);
    outlet_forget(clients->outlets, fd);
    buffer_release(&c->part);
    c->room = -1;
    close(fd);
}

/* Returns the bytes of the request's head, or 0 while it is not all there. */
static size_t upgrade(struct clients *clients, int fd, const char *data, size_t n)
{
    static const char reply[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Accept: " UPGRADE_ACCEPT "\r\n\r\n";
    const char *end = memmem(data, n, "\r\n\r\n", 4), *path = memmem(data, n, "/rooms/", 7);

    if (!end)
        return 0;
    clients->list[fd].room = path ? (int)((unsigned)atoi(path + 7) % ROOMS) : 0;
    outlet_put(clients->outlets, fd, reply, sizeof reply - 1);
    room_join(clients->rooms, clients->list[fd].room, fd);
    return (size_t)(end - data) + 4;
}

/* Returns the bytes used. */
static size_t frames(struct clients *clients, int fd, char *data, size_t n)
{
    struct frame_head head;
    size_t used = 0;

    while (frame_head_read(data + used, n - used, &head) && n - used >= head.head_len + head.body_len) {
        char *payload = data + used + head.head_len;
        frame_mask(payload, head.body_len, head.mask);
        if (head.opcode == FRAME_TEXT || head.opcode == FRAME_BINARY)
            room_say(clients->rooms, clients->list[fd].room, fd, head.opcode, payload, head.body_len);
        used += head.head_len + head.body_len;
    }
    return used;
}

void client_read(struct clients *clients, int fd)
{
    struct client *c = &clients->list[fd];
    size_t held = c->part.len, used = 0;
    char *data = clients->read_buffer;

    if (held)
        memcpy(data, c->part.data, held);
    ssize_t got = recv(fd, data + held, CLIENT_READ_SIZE - held, MSG_DONTWAIT);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            drop(clients, fd);
        return;
    }
    size_t n = held + (size_t)got;
    buffer_release(&c->part);
    if (c->room < 0)
        used = upgrade(clients, fd, data, n);
    if (c->room >= 0)
        used += frames(clients, fd, data + used, n - used);
    if (used < n)
        buffer_append(&c->part, data + used, n - used);
}
