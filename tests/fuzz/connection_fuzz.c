/* connection_fuzz.c -- a client that sends anything: request, upgrade, frames and deflate, through the real server.
 *
 * One loop carries what a worker has: server, site, relay, rooms and the local bus, on a clock that only we turn. Two
 * watchers, one of them with permessage-deflate, stay in the lobby. An input is
 *
 *     a byte of options, a byte n, n sizes of pieces, and the client's stream to the end
 *
 * and is sent twice by a new client: whole, then in pieces, a turn of the loop for each. Both must come to the same
 * (but for those who do not read: they get what they take): the same reply, the same messages for the watchers, the
 * same control frames, the same close code. Whatever comes out is judged by the RFCs, with this file's own eyes:
 * unmasked whole frames of the shortest form, text in UTF-8, nothing above max_message, close codes that may travel,
 * nothing behind a close frame. And when the client has gone, nothing of it is left. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "../../common/xalloc.h"
#include "../../gateway/bus/local_bus.h"
#include "../../gateway/net/connection.h"
#include "../../gateway/public_site.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    MAX_MESSAGE = 8192, /* small enough to be passed by small inputs */
    MAX_HEAD = 2048,
    PERIOD_MS = 1000, /* of every deadline */
    PERIODS = 6,      /* of silence: through ping, close and linger to the end */
    WATCHERS = 2,
    PIECES_MAX = 64,
    TURNS_MAX = 2000, /* for the loop to come to rest */
    HARD_BYTES = 64 << 20,
    SLOW_BYTES = 200 /* of the outbox of a slow client */
};

enum options {
    BEGIN_MASK = 3, /* what is sent ahead of the stream, see begin_of */
    SILENCE = 4,    /* time passes before the client hangs up */
    PAUSES = 8,     /* the pieces come while the bus is pressed, now and then */
    DRAIN = 16,     /* the server closes it with 1012 at the end */
    SLOW = 32,      /* in a room with one who does not read either until all is sent, where hardly anything may wait */
    ABRUPT = 64     /* it goes without reading what it was sent: the server gets an error behind the last bytes */
};

#define require(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                              \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

struct text {
    uint8_t *data;
    size_t len, cap;
};

/* The far end of a connection, with all that it was sent. */
struct client {
    int fd;
    bool ended; /* by the server */
    struct text in;
};

/* What came of a stream. Kinds of frames stand apart: a pong may overtake a message of the same turn. */
struct outcome {
    int status;                  /* of the reply; 0: there was none */
    bool closed;                 /* there was a close frame */
    struct text echo, control;   /* the client's own frames */
    struct text heard[WATCHERS]; /* messages, as each watcher got them */
};

static struct world {
    uv_loop_t loop;
    uv_prepare_t prepare;
    uint64_t now_ms;
    struct clock clock;
    struct random random;
    struct log log;
    struct env env;
    struct counters counters;
    struct flush flush;
    struct deflater *deflater;
    struct rooms rooms;
    struct local_hub *hub;
    struct bus *bus;
    struct rules *rules;
    struct relay relay;
    struct plenum plenum;
    struct public_site site;
    struct server server;
    _Atomic uint32_t total;
    struct client watchers[WATCHERS];
    struct client idler; /* the other one in the slow room */
    z_stream inflate;
} world;

static struct outcome whole, pieces;

/* ---- text that grows; the memory is kept from one input to the next */

static void add(struct text *text, const void *data, size_t len)
{
    if (text->len + len > text->cap) {
        text->cap = 2 * (text->len + len);
        text->data = xrealloc(text->data, text->cap);
    }
    if (len)
        memcpy(text->data + text->len, data, len);
    text->len += len;
}

static bool same(const struct text *a, const struct text *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* ---- the world */

static uint64_t now_ns(void *ctx)
{
    (void)ctx;
    return world.now_ms * 1000000;
}

static int64_t wall_ms(void *ctx)
{
    (void)ctx;
    return (int64_t)world.now_ms;
}

static void fill(void *ctx, void *buffer, size_t len)
{
    (void)ctx;
    memset(buffer, 0x5a, len);
}

static void on_prepare(uv_prepare_t *prepare)
{
    (void)prepare;
    server_feed_parked(&world.server);
    rooms_turn(&world.rooms);
    bus_flush(world.bus);
    flush_run(&world.flush);
    server_end_turn(&world.server);
}

static void on_pressure(void *ctx, enum bus_pressure pressure)
{
    (void)ctx;
    require(pressure == BUS_FLOWING);
}

static void make_env(void)
{
    uv_loop_init(&world.loop);
    uv_prepare_init(&world.loop, &world.prepare);
    uv_prepare_start(&world.prepare, on_prepare);
    world.now_ms = 1000;
    world.clock = (struct clock){now_ns, wall_ms, NULL};
    world.random = (struct random){fill, NULL};
    world.log = (struct log){.fd = -1, .level = LOG_ERROR + 1, .clock = &world.clock};
    world.env = (struct env){&world.loop, &world.clock, &world.random, &world.log};
}

static void make_parts(void)
{
    static const struct flush_limits flush_limits = {
        .hard_bytes = HARD_BYTES, .soft_bytes = HARD_BYTES / 2, .soft_ms = PERIOD_MS, .budget_ns = 1};
    struct server_limits limits = {
        .max_connections = 16,
        .total = &world.total,
        .max_head = MAX_HEAD,
        .max_message = MAX_MESSAGE,
        .compression = true,
        .handshake_ms = PERIOD_MS,
        .message_ms = PERIOD_MS,
        .ping_ms = PERIOD_MS,
        .pong_ms = PERIOD_MS,
        .close_ms = PERIOD_MS,
        .memory = 1 << 30,
    };
    world.deflater = deflater_new(MAX_MESSAGE);
    flush_init(&world.flush, &connection_sink, &world.clock, &world.counters, &flush_limits);
    world.rules = rules_new(&(struct room_rule){.log = {.size = 100, .bytes = 1 << 20, .ttl_s = 60}, .presence = true});
    rooms_init(&world.rooms, &(struct rooms_setup){
                                 .env = &world.env,
                                 .counters = &world.counters,
                                 .flush = &world.flush,
                                 .rules = world.rules,
                                 .events = {&relay_member_events, &plenum_member_events},
                             });
    world.rooms.on_pressure = on_pressure;
    relay_init(&world.relay, &connection_host, &world.rooms, world.deflater);
    plenum_init(&world.plenum, &connection_host, &world.rooms, world.deflater,
                &(struct plenum_limits){.message = MAX_MESSAGE, .rooms = 4, .ping_ms = PERIOD_MS});
    world.site.relay = &world.relay;
    world.site.plenum = &world.plenum;
    server_init(&world.server, &world.env, &world.counters, &world.flush, &limits, world.deflater, &public_site,
                &world.site);
    world.hub = local_hub_new();
    world.bus = local_bus_new(world.hub, &world.env, &world.counters, NULL, &rooms_bus_events, &world.rooms);
    world.rooms.bus = world.bus;
    require(inflateInit2(&world.inflate, -15) == Z_OK);
}

/* ---- clients */

static void client_open(struct client *client, bool slow)
{
    int fds[2], smallest = 1;
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    if (slow)
        setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest);
    client->fd = fds[0];
    client->ended = false;
    client->in.len = 0;
    server_accept(&world.server, fds[1]);
}

static void client_send(struct client *client, const void *data, size_t len)
{
    if (len && send(client->fd, data, len, MSG_NOSIGNAL) < 0)
        require(errno == EPIPE || errno == ECONNRESET); /* the server may have heard enough */
}

/* Takes what is there. Returns whether there was anything new. */
static bool client_read(struct client *client)
{
    static uint8_t buffer[65536];
    if (client->ended)
        return false;
    ssize_t n = recv(client->fd, buffer, sizeof buffer, 0);
    if (n > 0)
        add(&client->in, buffer, (size_t)n);
    client->ended = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    return n > 0 || client->ended;
}

static bool read_all(struct client *client)
{
    bool any = client_read(client);
    for (int i = 0; i < WATCHERS; i++)
        any |= client_read(&world.watchers[i]);
    return any | client_read(&world.idler);
}

/* Runs the loop until nothing moves any more. */
static void settle(struct client *client)
{
    int quiet = 0;
    for (int turns = 0; quiet < 4; turns++) { /* input, end of input, the end of its turn, and one to spare */
        require(turns < TURNS_MAX);
        uv_run(&world.loop, UV_RUN_NOWAIT);
        bool waiting = world.flush.first || counter_get(&world.counters, GAUGE_OUTBOX_BYTES);
        quiet = read_all(client) || waiting ? 0 : quiet + 1;
    }
}

/* ---- what a client may send ahead */

#define HANDSHAKE(target, more)                                                                                        \
    "GET " target " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                              \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" more "\r\n"
#define DEFLATE "Sec-WebSocket-Extensions: permessage-deflate\r\n"

static struct bytes begin_of(int options)
{
    static const char *const begins[] = {"", HANDSHAKE("/", ""), HANDSHAKE("/", DEFLATE),
                                         HANDSHAKE("/?echo=1", DEFLATE)};
    return bytes_of(options & SLOW ? HANDSHAKE("/rooms/slow?echo=1", DEFLATE) : begins[options & BEGIN_MASK]);
}

static void make_watchers(void)
{
    struct client nobody = {.ended = true};
    for (int i = 0; i < WATCHERS; i++)
        world.watchers[i].ended = true;
    world.idler.ended = true;
    for (int i = 0; i < WATCHERS; i++) {
        struct bytes request = begin_of(1 + i);
        client_open(&world.watchers[i], false);
        client_send(&world.watchers[i], request.data, request.len);
        settle(&nobody);
        require(world.watchers[i].in.len > 12 && memcmp(world.watchers[i].in.data, "HTTP/1.1 101", 12) == 0);
        world.watchers[i].in.len = 0;
    }
}

/* ---- judging what came out */

/* RFC 3629, section 4, written down once more. */
static bool is_utf8(const uint8_t *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t c = text[i];
        size_t more = c < 0x80 ? 0 : c >> 5 == 6 ? 1 : c >> 4 == 14 ? 2 : c >> 3 == 30 ? 3 : 9;
        if (more == 9 || len - i <= more)
            return false;
        static const uint32_t first_bits[] = {0x7f, 0x1f, 0x0f, 0x07}, smallest[] = {0, 0x80, 0x800, 0x10000};
        c &= first_bits[more];
        for (size_t k = 1; k <= more; k++) {
            if (text[i + k] >> 6 != 2)
                return false;
            c = c << 6 | (text[i + k] & 0x3f);
        }
        if (c < smallest[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return false;
        i += more + 1;
    }
    return true;
}

static bool may_travel(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

struct frame {
    uint8_t opcode;
    bool compressed;
    const uint8_t *payload;
    size_t len;
};

/* Reads a frame of the server's. Returns its size. */
static size_t read_frame(const uint8_t *at, size_t left, struct frame *out)
{
    require(left >= 2);
    require((at[0] & 0xb0) == 0x80); /* whole, without RSV2 and RSV3 */
    *out = (struct frame){.opcode = at[0] & 15, .compressed = at[0] & 0x40};
    size_t head = at[1] < 126 ? 2 : at[1] == 126 ? 4 : 10;
    require(at[1] < 128 && left >= head);
    out->len = head == 2 ? at[1] : 0;
    for (size_t i = 2; i < head; i++)
        out->len = out->len << 8 | at[i];
    require(head == (out->len < 126 ? 2u : out->len < 65536 ? 4u : 10u));
    require(left - head >= out->len);
    out->payload = at + head;
    return head + out->len;
}

static void inflate_frame(struct frame *frame)
{
    static uint8_t input[2 * MAX_MESSAGE], output[MAX_MESSAGE + 1];
    z_stream *z = &world.inflate;
    require(frame->len + 4 <= sizeof input);
    memcpy(input, frame->payload, frame->len);
    memcpy(input + frame->len, "\x00\x00\xff\xff", 4);
    inflateReset(z);
    z->next_in = input;
    z->avail_in = (uInt)frame->len + 4;
    z->next_out = output;
    z->avail_out = sizeof output;
    require(inflate(z, Z_SYNC_FLUSH) == Z_OK && z->avail_in == 0);
    frame->payload = output;
    frame->len = sizeof output - z->avail_out;
}

static void note(struct text *list, const struct frame *frame)
{
    add(list, &frame->opcode, 1);
    add(list, &frame->len, sizeof frame->len);
    add(list, frame->payload, frame->len);
}

static void judge_close(const struct frame *frame)
{
    if (frame->len == 0)
        return;
    require(frame->len >= 2);
    require(may_travel(frame->payload[0] << 8 | frame->payload[1]));
    require(is_utf8(frame->payload + 2, frame->len - 2));
}

/* Reads the server's frames to the end and notes them by their kind. Returns whether a close frame was the last. */
static bool judge_frames(const struct text *in, size_t at, bool deflated, struct text *messages, struct text *control)
{
    bool closed = false;
    while (at < in->len) {
        struct frame frame;
        at += read_frame(in->data + at, in->len - at, &frame);
        require(!closed);
        bool is_control = frame.opcode >= 8;
        require(!frame.compressed || (deflated && !is_control));
        if (frame.compressed)
            inflate_frame(&frame);
        require(frame.len <= (is_control ? 125 : MAX_MESSAGE));
        require(frame.opcode == 1 || frame.opcode == 2 || (is_control && frame.opcode <= 10));
        if (frame.opcode == 1)
            require(is_utf8(frame.payload, frame.len));
        if (frame.opcode == 8)
            judge_close(&frame);
        closed = frame.opcode == 8;
        note(is_control ? control : messages, &frame);
    }
    return closed;
}

static void judge_answer(const struct client *client, const char *body, int status)
{
    static const int statuses[] = {200, 304, 400, 404, 405, 408, 413, 414, 426, 431, 505};
    bool known = false;
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        known |= statuses[i] == status;
    require(known);
    const char *length = strstr((const char *)client->in.data, "\r\nContent-Length: ");
    require(length && length < body);
    size_t left = client->in.len - (size_t)(body - (const char *)client->in.data);
    require(left == 0 || left == strtoul(length + 18, NULL, 10)); /* none: to HEAD, and of a 304 */
}

static void judge_client(struct client *client, struct outcome *out)
{
    out->status = 0;
    out->closed = false;
    if (client->in.len == 0)
        return;
    add(&client->in, "", 1); /* a terminator, for strstr */
    client->in.len--;
    const char *text = (const char *)client->in.data;
    require(strncmp(text, "HTTP/1.1 ", 9) == 0);
    out->status = atoi(text + 9);
    const char *end = strstr(text, "\r\n\r\n");
    require(end);
    if (out->status != 101) {
        judge_answer(client, end + 4, out->status);
        return;
    }
    const char *deflate = strstr(text, "permessage-deflate");
    bool deflated = deflate && deflate < end;
    out->closed = judge_frames(&client->in, (size_t)(end + 4 - text), deflated, &out->echo, &out->control);
}

/* Nothing of the client may be left. */
static void judge_world(void)
{
    require(world.server.count == WATCHERS && world.total == WATCHERS);
    require(counter_get(&world.counters, GAUGE_CONNECTIONS) == WATCHERS);
    require(counter_get(&world.counters, GAUGE_MEMBERS) == WATCHERS);
    require(counter_get(&world.counters, GAUGE_HANDSHAKES) == 0);
    require(counter_get(&world.counters, GAUGE_ROOMS) == 1);
    require(counter_get(&world.counters, GAUGE_OUTBOX_BYTES) == 0);
    require(counter_get(&world.counters, GAUGE_BLOCK_BYTES) == 0);
}

/* ---- a client's life */

/* An input, taken apart. */
struct plan {
    int options;
    struct bytes sizes;  /* of the pieces, less one; used over and over */
    struct text *stream; /* with what is sent ahead */
};

static void send_pieces(struct client *client, const struct plan *plan)
{
    const struct text *stream = plan->stream;
    size_t at = 0;
    for (size_t i = 0; at < stream->len; i++) {
        size_t left = stream->len - at;
        size_t size = i + 1 < PIECES_MAX ? (uint8_t)plan->sizes.data[i % plan->sizes.len] + 1u : left;
        size = size < left ? size : left;
        if (plan->options & PAUSES)
            server_pause(&world.server, i & 1);
        client_send(client, stream->data + at, size);
        at += size;
        uv_run(&world.loop, UV_RUN_NOWAIT);
    }
    server_pause(&world.server, false);
}

/* Lets the clock run, so that every deadline comes; the watchers give signs of life. */
static void be_silent(struct client *client)
{
    static const uint8_t pong[] = {0x8a, 0x80, 0, 0, 0, 0};
    for (int i = 0; i < PERIODS; i++) {
        for (int k = 0; k < WATCHERS; k++)
            client_send(&world.watchers[k], pong, sizeof pong);
        settle(client);
        world.now_ms += PERIOD_MS + SERVER_TICK_MS / 2;
        for (int k = 0; k <= WATCHERS; k++)
            server_sweep(&world.server);
        settle(client);
    }
    require(client->ended);
}

/* One who has no compression, so that a frame for it can be larger than what its socket takes. */
static void idler_open(void)
{
    struct bytes request = BYTES(HANDSHAKE("/rooms/slow", ""));
    client_open(&world.idler, true);
    client_send(&world.idler, request.data, request.len);
    uv_run(&world.loop, UV_RUN_NOWAIT);
}

static void idler_close(void)
{
    static struct outcome ignored;
    ignored.echo.len = ignored.control.len = 0;
    judge_client(&world.idler, &ignored);
    require(ignored.status == 101);
    close(world.idler.fd);
    world.idler.ended = true;
}

/* Takes what there is to hear, to the end that the options want, and judges it. */
static void hear_out(struct client *client, int options, struct outcome *out)
{
    settle(client);
    if (options & DRAIN && world.server.count > WATCHERS) {
        connection_close(world.server.table[WATCHERS], 1012, "come back");
        settle(client);
    }
    if (options & SILENCE)
        be_silent(client);
    judge_client(client, out);
}

static void live(const struct plan *plan, bool in_pieces, struct outcome *out)
{
    static struct client client;
    bool slow = plan->options & SLOW;
    world.flush.limits.hard_bytes = slow ? SLOW_BYTES : HARD_BYTES;
    out->echo.len = out->control.len = 0;
    if (slow)
        idler_open();
    client_open(&client, slow);
    if (in_pieces)
        send_pieces(&client, plan);
    else
        client_send(&client, plan->stream->data, plan->stream->len);
    if (!(plan->options & ABRUPT))
        hear_out(&client, plan->options, out);
    close(client.fd);
    client.ended = true;
    settle(&client);
    if (slow)
        idler_close();
    settle(&client);
    rooms_sweep(&world.rooms);
    judge_world();
    for (int i = 0; i < WATCHERS; i++) {
        static struct text ignored;
        ignored.len = out->heard[i].len = 0;
        require(!world.watchers[i].ended);
        judge_frames(&world.watchers[i].in, 0, i == 1, &out->heard[i], &ignored);
        world.watchers[i].in.len = 0;
    }
    require(same(&out->heard[0], &out->heard[1]));
}

/* Where a request is wrong in several ways, how it is cut decides which of them is seen first. */
static bool same_status(int a, int b)
{
    static const char refusals[] = "400 413 414 431 505";
    char one[12], other[12];
    snprintf(one, sizeof one, "%d", a);
    snprintf(other, sizeof other, "%d", b);
    return a == b || (a && b && strstr(refusals, one) && strstr(refusals, other));
}

/* An echo comes by the bus: who closes at once may have gone before it. */
static bool same_echo(const struct outcome *a, const struct outcome *b)
{
    size_t shorter = a->echo.len < b->echo.len ? a->echo.len : b->echo.len;
    if (!a->closed)
        return same(&a->echo, &b->echo);
    return shorter == 0 || memcmp(a->echo.data, b->echo.data, shorter) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct text stream;
    if (!world.bus) {
        make_env();
        make_parts();
        make_watchers();
    }
    if (size < 3 || data[1] == 0 || size < 2u + data[1])
        return 0;
    struct plan plan = {.options = data[0], .sizes = {(const char *)data + 2, data[1]}, .stream = &stream};
    struct bytes begin = begin_of(plan.options);
    stream.len = 0;
    add(&stream, begin.data, begin.len);
    add(&stream, data + 2 + data[1], size - 2 - data[1]);
    live(&plan, true, &pieces);
    if (plan.options & (SLOW | ABRUPT))
        return 0;
    live(&plan, false, &whole);
    require(same_status(whole.status, pieces.status));
    require(whole.closed == pieces.closed && same_echo(&whole, &pieces));
    require(same(&whole.control, &pieces.control));
    require(same(&whole.heard[0], &pieces.heard[0]));
    return 0;
}
