/* plenum_fuzz.c -- two clients that send any frames: the protocol's table, the rooms and the local bus, without
 * sockets.
 *
 * An input is lines. The first byte of each says what happens, the rest is a text frame:
 *
 *     0 1     the first or the second client sends it, and all that follows from it happens
 *     a b     ... and nothing more happens in this turn yet
 *     x y     that client's connection ends, and there is a new one
 *     p q     that client's socket takes no more than so many bytes as the line is long ...
 *     r s     ... and any number again
 *     t T     100 ms go by, or 1 s
 *     k m     an admin puts everybody out of the lobby, or mutes them
 *     d       the gateway tells that it drains
 *
 * Whatever a client gets is judged with this file's own eyes: whole frames of the shortest form, JSON in UTF-8; a
 * request with a usable id gets one reply and no second one; offsets ascend, and what stands at one of them is the same
 * for both clients. In the end, when all has come to rest and the clients have gone, nothing of them is left. */
#include <stdlib.h>

#include "../../common/json_scan.h"
#include "../../common/names.h"
#include "../../common/utf8.h"
#include "../../common/xalloc.h"
#include "../../gateway/bus/local_bus.h"
#include "../../gateway/protocol/frame.h"
#include "../../gateway/protocol/plenum.h"
#include "../../gateway/protocol/plenum_request.h"
#include "../../gateway/room/presence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    CLIENTS = 2,
    MAX_MESSAGE = 2048,
    MAX_ROOMS = 4,
    LOG_SIZE = 50,
    HARD_BYTES = 256 << 10,
    LINES_MAX = 300,
    REQUESTS_MAX = 2 * LINES_MAX,
    SEEN = 4096, /* a power of two, more than there are messages */
    TURNS_MAX = 4000,
    STILL = 8 /* turns without a sign of life, before we take it for rest: presence goes a long way */
};

#define require(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                              \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* What a client is still to be told. */
struct question {
    uint64_t id;
    int open; /* replies that are missing; below 0 never */
};

/* How far a client is in a room. */
struct place {
    char name[ROOM_NAME_MAX + 1];
    bool in;
    uint64_t offset;
};

struct client {
    struct session session;
    struct outlet outlet;
    uint8_t *got; /* the stream, as far as it is not judged yet */
    size_t len, cap;
    size_t room;  /* bytes that its socket takes; SIZE_MAX: any number */
    bool blocked; /* it has been told that its socket is full */
    bool closing; /* it will be closed at the end of the turn */
    struct question questions[REQUESTS_MAX];
    uint32_t question_count;
    struct place places[LINES_MAX];
    uint32_t place_count;
};

/* What stood at an offset of a room. */
struct sighting {
    uint64_t place, what; /* hashes; place 0: free */
};

static uv_loop_t loop;
static struct random fixed;
static struct log quiet;

/* All of a gateway that there is; anew for each input. */
static struct world {
    uint64_t now_ms;
    struct clock clock;
    struct env env;
    struct counters counters;
    struct flush flush;
    struct deflater *deflater;
    struct rules *rules;
    struct rooms rooms;
    struct local_hub *hub;
    struct bus *bus;
    struct plenum plenum;
    struct client clients[CLIENTS];
    struct sighting seen[SEEN];
    uint32_t sightings;
    bool bus_closed;
} world;

/* ---- the world */

static uint64_t now_ns(void *ctx)
{
    (void)ctx;
    return world.now_ms * 1000000;
}

static int64_t wall_ms(void *ctx)
{
    (void)ctx;
    return 1700000000000 + (int64_t)world.now_ms;
}

static void fill(void *ctx, void *buffer, size_t len)
{
    (void)ctx;
    memset(buffer, 0x5a, len);
}

static struct client *client_of(struct outlet *outlet)
{
    return (struct client *)((char *)outlet - offsetof(struct client, outlet));
}

static ssize_t sink_write(struct outlet *outlet, const struct iovec *pieces, int count)
{
    struct client *client = client_of(outlet);
    size_t taken = 0;
    for (int i = 0; i < count && client->room; i++) {
        size_t n = pieces[i].iov_len < client->room ? pieces[i].iov_len : client->room;
        if (client->len + n > client->cap) {
            client->cap = 2 * (client->len + n);
            client->got = xrealloc(client->got, client->cap);
        }
        memcpy(client->got + client->len, pieces[i].iov_base, n);
        client->len += n;
        client->room -= client->room == SIZE_MAX ? 0 : n;
        taken += n;
    }
    return taken ? (ssize_t)taken : UV_EAGAIN;
}

static void sink_blocked(struct outlet *outlet)
{
    client_of(outlet)->blocked = true;
}

static void sink_trouble(struct outlet *outlet, enum outlet_trouble trouble)
{
    require(trouble == OUTLET_FULL);
    client_of(outlet)->closing = true;
}

static void host_accept(struct session *session)
{
    (void)session;
}

static void host_close(struct session *session, int code, const char *reason)
{
    require(close_code_valid(code) && strlen(reason) <= CONTROL_PAYLOAD_MAX - 2);
    ((struct client *)session)->closing = true;
}

static void on_pressure(void *ctx, enum bus_pressure pressure)
{
    (void)ctx;
    require(pressure == BUS_FLOWING);
}

static void on_bus_closed(void *ctx)
{
    (void)ctx;
    world.bus_closed = true;
}

static void on_loop_closed(uv_handle_t *handle)
{
    (void)handle;
}

static void make_world(void)
{
    static const struct sink sink = {sink_write, sink_blocked, sink_trouble};
    static const struct session_host host = {host_accept, host_close};
    static const struct flush_limits limits = {
        .hard_bytes = HARD_BYTES, .soft_bytes = HARD_BYTES, .soft_ms = 1 << 30, .budget_ns = 1000000000};
    memset(&world, 0, sizeof world);
    world.now_ms = 1000;
    world.clock = (struct clock){now_ns, wall_ms, NULL};
    fixed = (struct random){fill, NULL};
    quiet = (struct log){.fd = -1, .level = LOG_ERROR + 1, .clock = &world.clock};
    world.env = (struct env){&loop, &world.clock, &fixed, &quiet};
    world.deflater = deflater_new(MAX_MESSAGE);
    flush_init(&world.flush, &sink, &world.clock, &world.counters, &limits);
    world.rules =
        rules_new(&(struct room_rule){.log = {.size = LOG_SIZE, .bytes = 1 << 20, .ttl_s = 60}, .presence = true});
    require(!rules_add(world.rules, "plain-* log=0"));
    require(!rules_add(world.rules, "quiet-* presence=off log=4"));
    require(!rules_add(world.rules, "small-* members=1"));
    rooms_init(&world.rooms, &(struct rooms_setup){
                                 .env = &world.env,
                                 .counters = &world.counters,
                                 .flush = &world.flush,
                                 .rules = world.rules,
                                 .events = {[MEMBER_PARTICIPANT] = &plenum_member_events},
                                 .linger_ms = 1000,
                             });
    world.rooms.on_pressure = on_pressure;
    plenum_init(&world.plenum, &host, &world.rooms, world.deflater,
                &(struct plenum_limits){.message = MAX_MESSAGE, .rooms = MAX_ROOMS, .ping_ms = 1000});
    world.hub = local_hub_new();
    world.bus = local_bus_new(world.hub, &world.env, &world.counters, NULL, &rooms_bus_events, &world.rooms);
    world.rooms.bus = world.bus;
}

/* ---- questions and answers */

static struct question *question(struct client *client, uint64_t id)
{
    for (uint32_t i = 0; i < client->question_count; i++) {
        if (client->questions[i].id == id)
            return &client->questions[i];
    }
    require(client->question_count < REQUESTS_MAX);
    client->questions[client->question_count] = (struct question){.id = id};
    return &client->questions[client->question_count++];
}

static struct place *place(struct client *client, struct bytes room)
{
    for (uint32_t i = 0; i < client->place_count; i++) {
        if (bytes_equal(bytes_of(client->places[i].name), room))
            return &client->places[i];
    }
    require(client->place_count < LINES_MAX && room.len <= ROOM_NAME_MAX);
    struct place *new = &client->places[client->place_count++];
    *new = (struct place){.in = false};
    memcpy(new->name, room.data, room.len);
    return new;
}

/* The members of a frame that are looked at; strings with their quotes, empty where there are none. */
struct seen_frame {
    struct bytes type, id, room, offset, from, to, data, recovered;
};

static void on_member(void *ctx, struct bytes key, struct bytes value)
{
    struct seen_frame *frame = ctx;
    struct {
        const char *name;
        struct bytes *field;
    } fields[] = {
        {"type", &frame->type}, {"id", &frame->id}, {"room", &frame->room}, {"offset", &frame->offset},
        {"from", &frame->from}, {"to", &frame->to}, {"data", &frame->data}, {"recovered", &frame->recovered},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (bytes_equal(key, bytes_of(fields[i].name))) {
            require(fields[i].field->len == 0);
            *fields[i].field = value;
        }
    }
}

static struct bytes unquoted(struct bytes string)
{
    require(string.len >= 2 && string.data[0] == '"');
    return (struct bytes){string.data + 1, string.len - 2};
}

/* A whole number without a sign. */
static uint64_t number(struct bytes digits)
{
    uint64_t value = 0;
    require(digits.len > 0 && digits.len < 20);
    for (size_t i = 0; i < digits.len; i++) {
        require(digits.data[i] >= '0' && digits.data[i] <= '9');
        value = value * 10 + (uint64_t)(digits.data[i] - '0');
    }
    return value;
}

static uint64_t hash(uint64_t from, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        from = (from ^ (uint8_t)bytes.data[i]) * 0x100000001b3;
    return from;
}

/* Both clients have to see the same there, whenever they look. */
static void judge_sighting(const struct seen_frame *frame)
{
    uint64_t at = hash(hash(1, frame->room), frame->offset) | 1, what = hash(hash(1, frame->from), frame->data);
    for (uint64_t i = at;; i++) {
        struct sighting *sighting = &world.seen[i & (SEEN - 1)];
        if (sighting->place == at) {
            require(sighting->what == what);
            return;
        }
        if (sighting->place == 0) {
            require(++world.sightings < SEEN);
            *sighting = (struct sighting){at, what};
            return;
        }
    }
}

static void judge_message(struct place *place, const struct seen_frame *frame)
{
    uint64_t offset = number(frame->offset);
    require(place->in && frame->data.len && json_valid(frame->data));
    if (strncmp(place->name, "plain-", 6) == 0) {
        require(offset == 0);
        return;
    }
    require(offset > place->offset);
    place->offset = offset;
    judge_sighting(frame);
}

static void judge_gap(struct place *place, const struct seen_frame *frame)
{
    uint64_t from = number(frame->from), to = number(frame->to);
    require(place->in && from > place->offset && to >= from);
    place->offset = to;
}

static void judge_room_frame(struct client *client, struct bytes type, const struct seen_frame *frame)
{
    struct place *at = place(client, unquoted(frame->room));
    if (bytes_equal(type, BYTES("joined"))) {
        require(!at->in);
        at->in = true;
        at->offset = 0; /* a replay may begin anywhere */
    } else if (bytes_equal(type, BYTES("left")) || bytes_equal(type, BYTES("kicked"))) {
        require(at->in);
        at->in = false;
    } else if (bytes_equal(type, BYTES("message"))) {
        judge_message(at, frame);
    } else if (bytes_equal(type, BYTES("gap"))) {
        judge_gap(at, frame);
    } else {
        require(at->in || bytes_equal(type, BYTES("messages"))); /* the reply may come behind that to a leave */
    }
}

static void judge_frame(struct client *client, struct bytes text)
{
    static const char types[] = " welcome joined left ack messages pong error message signal member_joined member_left "
                                "member_updated members count gap epoch kicked drain ";
    struct seen_frame frame = {0};
    char word[32];
    require(utf8_valid(text) && json_scan_object(text, on_member, &frame));
    struct bytes type = unquoted(frame.type);
    require(snprintf(word, sizeof word, " %.*s ", (int)type.len, type.data) < (int)sizeof word && strstr(types, word));
    require(!bytes_equal(type, BYTES("epoch"))); /* nothing loses this log */
    if (frame.id.len) {
        struct question *answered = question(client, number(frame.id));
        require(answered->open > 0);
        answered->open--;
    }
    if (frame.room.len)
        judge_room_frame(client, type, &frame);
}

/* Takes whole frames from the stream. */
static void judge_stream(struct client *client)
{
    size_t at = 0;
    while (client->len - at >= FRAME_HEAD_MAX) { /* none of ours is so short */
        uint8_t head[FRAME_HEAD_MAX];
        size_t size = frame_size(client->got + at);
        if (size > client->len - at)
            break;
        size_t payload = size - (size < 2 + 126 ? 2 : size < 4 + 65536 ? 4 : 10);
        size_t len = frame_head(head, FRAME_TEXT, false, payload);
        require(len + payload == size && memcmp(head, client->got + at, len) == 0);
        judge_frame(client, (struct bytes){(const char *)client->got + at + len, payload});
        at += size;
    }
    if (at)
        memmove(client->got, client->got + at, client->len - at);
    client->len -= at;
}

/* ---- what happens */

static void client_open(struct client *client)
{
    *client = (struct client){.session.protocol = &world.plenum.protocol, .room = SIZE_MAX};
    world.plenum.protocol.on_open(&client->session, &(struct session_request){.outlet = &client->outlet});
}

static void client_end(struct client *client)
{
    world.plenum.protocol.on_close(&client->session);
    flush_discard(&world.flush, &client->outlet);
    free(client->got);
    client->got = NULL;
    client->len = client->cap = 0;
}

static void client_renew(struct client *client)
{
    client_end(client);
    client_open(client);
}

/* A turn of the loop, and its end as the worker has it. */
static void turn(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
    rooms_turn(&world.rooms);
    bus_flush(world.bus);
    while (flush_run(&world.flush))
        ;
}

/* Runs until nothing moves any more. Presence is told at once. */
static void settle(void)
{
    size_t before = 0;
    for (int turns = 0, still = 0; still < STILL; turns++) {
        size_t after = 0;
        require(turns < TURNS_MAX);
        presence_flush(&world.rooms, UINT64_MAX);
        turn();
        for (int i = 0; i < CLIENTS; i++) {
            struct client *client = &world.clients[i];
            after += client->len + (client->outlet.box ? client->outlet.box->bytes : 0);
            if (client->closing) {
                client_renew(client);
                after++;
            }
        }
        still = after == before && !world.rooms.dirty ? still + 1 : 0;
        before = after;
    }
    for (int i = 0; i < CLIENTS; i++)
        judge_stream(&world.clients[i]);
}

static void client_send(struct client *client, struct bytes text)
{
    if (client->closing || text.len > MAX_MESSAGE + SLACK_MAX || !utf8_valid(text))
        return; /* net lets none of these by */
    struct request request = {0};
    const struct request_error *error = request_parse(text, &request);
    (void)error;
    if (request.has_id)
        question(client, request.id)->open++;
    request_free(&request);
    world.plenum.protocol.on_message(&client->session, true, text);
}

static void client_read(struct client *client)
{
    client->room = SIZE_MAX;
    for (int rounds = 0; client->blocked && !client->closing; rounds++) {
        require(rounds < TURNS_MAX);
        client->blocked = false;
        if (client->outlet.box)
            flush_outlet(&world.flush, &client->outlet);
        if (!client->outlet.box)
            world.plenum.protocol.on_drained(&client->session);
    }
    settle();
}

static void pass(uint64_t ms)
{
    for (; ms; ms -= 100) {
        world.now_ms += 100;
        rooms_sweep(&world.rooms);
        settle();
    }
}

static void happen(char what, struct bytes line)
{
    static const struct whom everyone;
    struct client *client = &world.clients[what == '1' || what == 'b' || what == 'y' || what == 'q' || what == 's'];
    if (strchr("01ab", what))
        client_send(client, line);
    else if (strchr("xy", what))
        client_renew(client);
    else if (strchr("pq", what))
        client->room = line.len;
    else if (strchr("rs", what))
        client_read(client);
    else if (strchr("tT", what))
        pass(what == 't' ? 100 : 1000);
    else if (what == 'k')
        rooms_kick(&world.rooms, BYTES("lobby"), &everyone, "kicked");
    else if (what == 'm')
        rooms_mute(&world.rooms, BYTES("lobby"), &everyone, true);
    else if (what == 'd')
        plenum_drain(&world.plenum, 1000);
    if (!strchr("ab", what))
        settle();
}

/* Everybody reads, all deadlines come, and each request has had its reply. */
static void finish(void)
{
    settle();
    for (int i = 0; i < CLIENTS; i++)
        client_read(&world.clients[i]);
    pass(3000);
    for (int i = 0; i < CLIENTS; i++) {
        struct client *client = &world.clients[i];
        require(client->len == 0 && !client->outlet.box && !client->outlet.reading);
        for (uint32_t k = 0; k < client->question_count; k++)
            require(client->questions[k].open == 0);
    }
}

/* The clients go, and nothing of them may be left. */
static void end_world(void)
{
    for (int i = 0; i < CLIENTS; i++)
        client_end(&world.clients[i]);
    presence_flush(&world.rooms, UINT64_MAX);
    for (int i = 0; i < STILL; i++)
        turn();
    require(counter_get(&world.counters, GAUGE_MEMBERS) == 0);
    require(counter_get(&world.counters, GAUGE_ROOMS) == 0);
    require(counter_get(&world.counters, GAUGE_OUTBOX_BYTES) == 0);
    require(counter_get(&world.counters, GAUGE_BLOCK_BYTES) == 0);
    require(counter_get(&world.counters, GAUGE_BUS_PENDING_BYTES) == 0);
    require(!world.plenum.clients && !world.plenum.histories);
    rooms_stop(&world.rooms);
    bus_close(world.bus, on_bus_closed, NULL);
    while (!world.bus_closed)
        uv_run(&loop, UV_RUN_ONCE);
    rooms_close(&world.rooms);
    plenum_close(&world.plenum);
    uv_close((uv_handle_t *)&world.rooms.presence_timer, on_loop_closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    local_hub_free(world.hub);
    rules_free(world.rules);
    deflater_free(world.deflater);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    if (!started)
        uv_loop_init(&loop);
    started = true;
    make_world();
    for (int i = 0; i < CLIENTS; i++)
        client_open(&world.clients[i]);
    const char *at = (const char *)data, *end = at + size;
    for (int lines = 0; at < end && lines < LINES_MAX; lines++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        if (stop > at && *at)
            happen(*at, (struct bytes){at + 1, (size_t)(stop - at) - 1});
        at = stop + 1;
    }
    finish();
    end_world();
    return 0;
}
