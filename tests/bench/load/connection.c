/* connection.c -- one socket of the load: see connection.h. */
#include "connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/dial.h"
#include "../common/frame.h"
#include "../common/tool.h"
#include "../common/upgrade.h"
#include "stamp.h"

enum { MAX_FRAME = CONNECTION_READ_SIZE - 8192, COMPLAINTS = 3, KEEP_CAPACITY = 4096 };

static void watch(struct connection_env *env, struct connection *c, bool write)
{
    struct epoll_event event = {.events = (c->stalled ? 0 : EPOLLIN) | (write ? EPOLLOUT : 0), .data.ptr = c};

    epoll_ctl(env->epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
    c->want_write = write;
}

void connection_close(struct connection *c)
{
    if (c->phase == CONNECTION_DEAD)
        return;
    c->phase = CONNECTION_DEAD;
    close(c->fd);
    buffer_release(&c->in);
    buffer_release(&c->out);
}

static void lose(struct connection_env *env, struct connection *c, const char *why)
{
    bool was_ready = c->phase == CONNECTION_READY;
    int *count = was_ready ? &env->dropped : &env->failed;

    if (c->phase == CONNECTION_DEAD)
        return;
    if (was_ready)
        env->ready--;
    else
        env->opening--;
    if (++*count <= COMPLAINTS)
        fprintf(stderr, "load: a connection %s: %s\n", was_ready ? "was dropped" : "failed to open", why);
    connection_close(c);
}

static void become_ready(struct connection_env *env, struct connection *c)
{
    c->phase = CONNECTION_READY;
    env->opening--;
    env->ready++;
}

void connection_queue(struct connection_env *env, struct connection *c, int opcode, const void *payload, size_t n)
{
    /* Any key will do here: nothing untrusted stands between us and the server. */
    env->mask = env->mask * 1664525u + 1013904223u;
    frame_append_masked(&c->out, opcode, payload, n, env->mask);
}

void connection_flush(struct connection_env *env, struct connection *c)
{
    if (!c->out.len || c->phase == CONNECTION_DEAD || c->phase == CONNECTION_DIALLING)
        return;
    ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        lose(env, c, strerror(errno));
        return;
    }
    buffer_consume(&c->out, n > 0 ? (size_t)n : 0);
    if (c->want_write != (c->out.len > 0))
        watch(env, c, c->out.len > 0);
    /* Publishers send all the time and keep their buffer; the others should cost nothing. */
    if (!c->out.len && (c->out.cap > KEEP_CAPACITY || c->receiver.own < 0))
        buffer_release(&c->out);
}

struct template_values connection_values(struct connection_env *env, const struct connection *c)
{
    const struct options *options = env->options;

    return (struct template_values){.room_prefix = options->room_prefix,
                                    .room = c->room,
                                    .member = c->member,
                                    .next_id = &env->next_id,
                                    .key = options->key,
                                    .secret = options->secret,
                                    .socket_id = *c->dialogue.socket_id ? c->dialogue.socket_id : NULL};
}

void connection_open(struct connection_env *env, struct connection *c, int index)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};

    c->fd = dial(&c->target, index);
    c->phase = CONNECTION_DIALLING;
    c->want_write = true;
    env->opening++;
    if (epoll_ctl(env->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0)
        die("epoll_ctl: %s", strerror(errno));
}

void connection_stall(struct connection_env *env, struct connection *c)
{
    c->stalled = true;
    if (c->phase != CONNECTION_DEAD)
        watch(env, c, c->want_write);
}

static void on_dialled(struct connection_env *env, struct connection *c)
{
    char path[1024], request[2048];
    int error = dial_error(c->fd);

    if (error) {
        lose(env, c, strerror(error));
        return;
    }
    if (c->post) {
        become_ready(env, c);
        watch(env, c, false);
        return;
    }
    c->phase = CONNECTION_UPGRADING;
    struct template_values values = connection_values(env, c);
    template_expand(c->path, &values, path, sizeof path);
    buffer_append(
        &c->out, request,
        upgrade_request(request, sizeof request, path, env->options->host, env->options->dialect->subprotocol));
    connection_flush(env, c);
}

/* Says the dialogue's next words, and notices its end. */
static void speak(struct connection_env *env, struct connection *c, const char *template)
{
    char text[2048];

    if (template) {
        struct template_values values = connection_values(env, c);
        connection_queue(env, c, FRAME_TEXT, text, template_expand(template, &values, text, sizeof text));
        connection_flush(env, c);
    }
    if (c->phase == CONNECTION_OPENING && c->dialogue.at == DIALOGUE_DONE)
        become_ready(env, c);
}

/* Where the raw payload is the frame, the stamp begins it. Elsewhere a frame may wrap several messages, or be a reply.
 */
static void deliver_all(struct connection_env *env, struct connection *c, const char *payload, size_t n, uint64_t now)
{
    const char *end = payload + n, *at = payload;

    if (!env->options->dialect->publish) {
        if (stamp_begins(payload, n))
            accounting_deliver(env->accounting, &c->receiver, payload, now);
        else
            env->malformed++;
        return;
    }
    for (; (at = stamp_find(at, (size_t)(end - at))); at += STAMP_LEN)
        accounting_deliver(env->accounting, &c->receiver, at, now);
}

static void on_message(struct connection_env *env, struct connection *c, const char *payload, size_t n, uint64_t now)
{
    const struct dialect *dialect = env->options->dialect;

    if (dialect->ping && n == strlen(dialect->ping) && !memcmp(payload, dialect->ping, n)) {
        connection_queue(env, c, FRAME_TEXT, dialect->pong, strlen(dialect->pong));
        connection_flush(env, c);
        return;
    }
    if (c->phase == CONNECTION_OPENING)
        speak(env, c, dialogue_hear(&c->dialogue, dialect, payload, n));
    else
        deliver_all(env, c, payload, n, now);
}

static void on_frame(struct connection_env *env, struct connection *c, int opcode, const char *payload, size_t n,
                     uint64_t now)
{
    char why[48] = "closed by the server";

    switch (opcode) {
    case FRAME_PING:
        connection_queue(env, c, FRAME_PONG, payload, n);
        connection_flush(env, c);
        break;
    case FRAME_PONG:
        break;
    case FRAME_CLOSE:
        if (n >= 2)
            snprintf(why, sizeof why, "closed by the server with %d", (uint8_t)payload[0] << 8 | (uint8_t)payload[1]);
        lose(env, c, why);
        break;
    default:
        on_message(env, c, payload, n, now);
    }
}

/* The parsers below take what they can use of the data and return how much that was. */
static size_t parse_frames(struct connection_env *env, struct connection *c, const char *data, size_t n, uint64_t now)
{
    struct frame_head head;
    size_t used = 0;

    while (c->phase != CONNECTION_DEAD && frame_head_read(data + used, n - used, &head)) {
        if (head.masked || head.body_len > MAX_FRAME) {
            lose(env, c, head.masked ? "a masked frame from a server" : "a frame larger than the read buffer");
            break;
        }
        if (n - used < head.head_len + head.body_len)
            break;
        on_frame(env, c, head.opcode, data + used + head.head_len, (size_t)head.body_len, now);
        used += head.head_len + (size_t)head.body_len;
    }
    return used;
}

static size_t parse_upgrade(struct connection_env *env, struct connection *c, const char *data, size_t n)
{
    struct upgrade_answer answer = upgrade_read(data, n);

    if (answer.status == UPGRADE_REFUSED)
        lose(env, c, answer.why);
    if (answer.status != UPGRADE_DONE)
        return 0;
    c->phase = CONNECTION_OPENING;
    speak(env, c, dialogue_begin(&c->dialogue, env->options->dialect));
    return answer.used;
}

static size_t parse_post_replies(struct connection_env *env, char *data, size_t n)
{
    size_t used = 0;

    for (;;) {
        char *head = data + used, *end = memmem(head, n - used, "\r\n\r\n", 4);
        if (!end || end - head < 12)
            return used;
        *end = 0;
        const char *length = strcasestr(head, "content-length:");
        size_t total = (size_t)(end - head) + 4 + (length ? strtoul(length + 15, NULL, 10) : 0);
        *end = '\r';
        if (n - used < total)
            return used;
        env->post_errors += head[9] != '2';
        used += total;
    }
}

static size_t parse(struct connection_env *env, struct connection *c, size_t n)
{
    uint64_t now = now_ns();
    size_t used = 0;

    if (c->post)
        return parse_post_replies(env, env->read_buffer, n);
    if (c->phase == CONNECTION_UPGRADING)
        used = parse_upgrade(env, c, env->read_buffer, n);
    if (c->phase > CONNECTION_UPGRADING)
        used += parse_frames(env, c, env->read_buffer + used, n - used, now);
    return used;
}

static void on_readable(struct connection_env *env, struct connection *c)
{
    size_t held = c->in.len, used;

    if (held)
        memcpy(env->read_buffer, c->in.data, held);
    ssize_t got = recv(c->fd, env->read_buffer + held, CONNECTION_READ_SIZE - held, MSG_DONTWAIT);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            lose(env, c, got == 0 ? "end of file" : strerror(errno));
        return;
    }
    used = parse(env, c, held + (size_t)got);
    if (c->phase == CONNECTION_DEAD)
        return;
    buffer_release(&c->in);
    if (used < held + (size_t)got)
        buffer_append(&c->in, env->read_buffer + used, held + (size_t)got - used);
}

void connection_on_event(struct connection_env *env, struct connection *c, uint32_t events)
{
    if (c->phase == CONNECTION_DIALLING) {
        on_dialled(env, c);
        return;
    }
    if (events & EPOLLOUT)
        connection_flush(env, c);
    if (c->phase != CONNECTION_DEAD && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        on_readable(env, c);
}
