/* room_town.h -- several workers with their rooms on one Redis (log_bus.h), and guests that sit in the rooms.
 *
 * A guest is a connection of a worker; it has a seat in each room it is in. Whatever it is told is a line of text in
 * its stream, in the order in which a client would get it:
 *
 *     J <room> <epoch> <offset> <recovered> <lossy> <count> <members>     it is in
 *     m <room> <offset> <payload>          a <request> <offset>           a message; an ack
 *     g <room> <from> <to>                 e <room> <epoch> <from> <lossy>
 *     + <room> <member> <value>            = <room> <member> <value>      - <room> <member> <reason>
 *     * <room> <count> <members>           # <room> <count>
 *     s <room> <from> <data>               S <request> <result>           a signal; what came of one
 *     f <request> <failure>                r <room> <refusal>             k <room> <reason>: kicked */
#ifndef PLENUM_TESTS_UNIT_SUPPORT_ROOM_TOWN_H
#define PLENUM_TESTS_UNIT_SUPPORT_ROOM_TOWN_H

#include "common/json_text.h"
#include "gateway/room/room_parts.h"
#include "log_bus.h"

enum { TOWN_LINGER_MS = 5000, SEATS = 2 };

struct town;

struct worker {
    struct world world;
    struct env env;
    struct log_bus bus;
    struct rooms rooms;
    struct town *town;
};

struct town {
    struct world time; /* its clock is everybody's */
    struct dice dice;
    struct random random;
    uv_loop_t loop;
    struct log log;
    struct rules *rules;
    struct fake_redis redis;
    struct worker workers[FAKE_BUSES];
    int worker_count;
};

struct guest;

struct seat {
    struct participant participant; /* first */
    struct guest *guest;
    const char *room;
};

struct guest {
    struct peer peer; /* first */
    struct worker *worker;
    uint64_t id;
    char from[64], user[32];
    struct seat seats[SEATS];
};

static inline struct seat *seat_of(struct member *member)
{
    return (struct seat *)member;
}

/* ---- the encoding */

static inline size_t line_bound(const struct encoding *encoding, const struct envelope *envelope)
{
    (void)encoding;
    return envelope->kind == ENVELOPE_PRESENCE ? 0 : envelope->payload.len + envelope->room.len + 40;
}

static inline size_t line_encode(const struct encoding *encoding, const struct envelope *envelope, uint8_t *out)
{
    (void)encoding;
    char *text = (char *)out;
    int len = sprintf(text, "m %.*s %" PRIu64 " ", (int)envelope->room.len, envelope->room.data, envelope->seq);
    memcpy(text + len, envelope->payload.data, envelope->payload.len);
    text[(size_t)len + envelope->payload.len] = '\n';
    return (size_t)len + envelope->payload.len + 1;
}

static inline size_t line_notice_bound(const struct encoding *encoding, const struct notice *notice)
{
    (void)encoding;
    return notice->room.len + notice->value.len + notice->reason.len + notice->epoch.len + 80;
}

static inline size_t line_notice_encode(const struct encoding *encoding, const struct notice *notice, uint8_t *out)
{
    static const char marks[] = {
        [NOTICE_JOINED] = '+', [NOTICE_UPDATED] = '=', [NOTICE_LEFT] = '-', [NOTICE_MEMBERS] = '*',
        [NOTICE_COUNT] = '#',  [NOTICE_GAP] = 'g',     [NOTICE_EPOCH] = 'e'};
    struct bytes value = notice->kind == NOTICE_LEFT ? notice->reason : notice->value;
    (void)encoding;
    char *text = (char *)out;
    int len = sprintf(text, "%c %.*s ", marks[notice->kind], (int)notice->room.len, notice->room.data);
    if (notice->kind <= NOTICE_LEFT)
        len += sprintf(text + len, "%016" PRIx64 " %.*s\n", notice->member, (int)value.len, value.data);
    else if (notice->kind == NOTICE_MEMBERS)
        len += sprintf(text + len, "%" PRIu64 " %.*s\n", notice->count, (int)value.len, value.data);
    else if (notice->kind == NOTICE_COUNT)
        len += sprintf(text + len, "%" PRIu64 "\n", notice->count);
    else if (notice->kind == NOTICE_GAP)
        len += sprintf(text + len, "%" PRIu64 " %" PRIu64 "\n", notice->from, notice->to);
    else
        len += sprintf(text + len, "%.*s %" PRIu64 " %d\n", (int)notice->epoch.len, notice->epoch.data, notice->from,
                       notice->lossy);
    return (size_t)len;
}

static const struct encoding line_encoding = {
    .name = "line", line_bound, line_encode, line_notice_bound, line_notice_encode};

/* ---- what the rooms tell */

static inline void send_text(struct guest *guest, struct bytes text)
{
    struct block *block = block_new(&guest->worker->world.counters, text.len);
    memcpy(block->data, text.data, text.len);
    block->len = (uint32_t)text.len;
    flush_send(&guest->worker->world.flush, &guest->peer.outlet, block);
    block_unref(block);
}

__attribute__((format(printf, 2, 3))) static inline void send_line(struct guest *guest, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert_true(len > 0 && (size_t)len < sizeof text);
    send_text(guest, (struct bytes){text, (size_t)len});
}

static inline void town_on_in(void *ctx, struct member *member, const struct joined *joined)
{
    struct worker *worker = ctx;
    struct seat *seat = seat_of(member);
    assert_ptr_equal(worker, seat->guest->worker);
    struct json_text text = {0};
    char head[300];
    snprintf(head, sizeof head, "J %.*s %.*s %" PRIu64 " %d %d %" PRIu64 " ", (int)joined->room.len, joined->room.data,
             joined->epoch.len ? (int)joined->epoch.len : 1, joined->epoch.len ? joined->epoch.data : "-",
             joined->offset, joined->recovered, joined->lossy, joined->count);
    json_literal(&text, head);
    room_write_members(&worker->rooms, &seat->participant, &text);
    json_literal(&text, "\n");
    send_text(seat->guest, json_text_bytes(&text));
    json_text_free(&text);
}

static inline void town_on_refused(void *ctx, struct member *member, enum join_refusal refusal)
{
    static const char *const words[] = {"locked", "banned", "full", "unavailable"};
    (void)ctx;
    assert_int_equal(member->state, MEMBER_OUT);
    send_line(seat_of(member)->guest, "r %s %s\n", seat_of(member)->room, words[refusal]);
}

static inline size_t town_write_ack(uint64_t request, uint64_t seq, uint8_t *out)
{
    return (size_t)snprintf((char *)out, ACK_MAX, "a %" PRIu64 " %" PRIu64 "\n", request, seq);
}

static inline void town_on_publish_failed(void *ctx, struct member *member, uint64_t request, enum bus_failure failure)
{
    static const char *const words[] = {"unavailable", "uncertain", "refused"};
    (void)ctx;
    send_line(seat_of(member)->guest, "f %" PRIu64 " %s\n", request, words[failure]);
}

static inline void town_on_signal(void *ctx, struct member *member, uint64_t from, struct bytes data)
{
    (void)ctx;
    struct bytes room = room_name(member->room);
    send_line(seat_of(member)->guest, "s %.*s %016" PRIx64 " %.*s\n", (int)room.len, room.data, from, (int)data.len,
              data.data);
}

static inline void town_on_signaled(void *ctx, struct member *member, uint64_t request, enum bus_result result)
{
    static const char *const words[] = {"ok", "lost", "denied", "nobody"};
    (void)ctx;
    send_line(seat_of(member)->guest, "S %" PRIu64 " %s\n", request, words[result]);
}

static inline void town_on_kicked(void *ctx, struct member *member, const char *reason)
{
    (void)ctx;
    assert_int_equal(member->state, MEMBER_OUT);
    send_line(seat_of(member)->guest, "k %s %s\n", seat_of(member)->room, reason);
}

static inline void town_on_pressure(void *ctx, enum bus_pressure pressure)
{
    (void)ctx, (void)pressure;
}

/* ---- the town */

static inline void town_dice_fill(void *ctx, void *buffer, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)buffer)[i] = (uint8_t)dice_u64(ctx);
}

static inline void worker_init(struct town *town, struct worker *worker)
{
    static const struct flush_limits limits = {
        .hard_bytes = 256 << 20, .soft_bytes = 256 << 20, .soft_ms = UINT32_MAX, .budget_ns = 1000000};
    static const struct member_events events = {
        .on_in = town_on_in,
        .on_refused = town_on_refused,
        .write_ack = town_write_ack,
        .on_publish_failed = town_on_publish_failed,
        .on_signal = town_on_signal,
        .on_signaled = town_on_signaled,
        .on_kicked = town_on_kicked,
    };
    worker->town = town;
    world_init(&worker->world, &limits);
    worker->world.clock.ctx = &town->time;
    worker->env =
        (struct env){.loop = &town->loop, .clock = &town->time.clock, .random = &town->random, .log = &town->log};
    struct rooms_setup setup = {.env = &worker->env,
                                .counters = &worker->world.counters,
                                .flush = &worker->world.flush,
                                .rules = town->rules,
                                .events = {&events, &events},
                                .ctx = worker,
                                .linger_ms = TOWN_LINGER_MS};
    rooms_init(&worker->rooms, &setup);
    worker->rooms.on_pressure = town_on_pressure;
    uint32_t gateway = 0xa0000001 + (uint32_t)(worker - town->workers);
    log_bus_init(&worker->bus, &town->redis, gateway, &rooms_bus_events, &worker->rooms);
    worker->rooms.bus = &worker->bus.base;
}

static inline void town_init(struct town *town, int workers, uint64_t seed, const struct room_rule *rule)
{
    memset(town, 0, sizeof *town);
    world_init(&town->time, &(struct flush_limits){.hard_bytes = 0});
    town->dice.state = seed;
    town->random = (struct random){town_dice_fill, &town->dice};
    town->log = (struct log){.fd = -1, .level = LOG_ERROR, .clock = &town->time.clock};
    uv_loop_init(&town->loop);
    town->rules = rules_new(rule);
    town->worker_count = workers;
    for (int i = 0; i < workers; i++)
        worker_init(town, &town->workers[i]);
}

static inline void town_close(struct town *town)
{
    for (int i = 0; i < town->worker_count; i++) {
        struct worker *worker = &town->workers[i];
        flush_run(&worker->world.flush);
        rooms_stop(&worker->rooms);
        uv_close((uv_handle_t *)&worker->rooms.presence_timer, NULL);
    }
    uv_run(&town->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&town->loop), 0);
    for (int i = 0; i < town->worker_count; i++) {
        struct worker *worker = &town->workers[i];
        rooms_close(&worker->rooms);
        log_bus_free(&worker->bus);
        assert_null(worker->world.flush.first);
        assert_int_equal(world_gauge(&worker->world, GAUGE_BLOCK_BYTES), 0);
        assert_int_equal(world_gauge(&worker->world, GAUGE_OUTBOX_BYTES), 0);
        assert_int_equal(world_gauge(&worker->world, GAUGE_MEMBERS), 0);
    }
    rules_free(town->rules);
    fake_free(&town->redis);
}

static inline void town_advance(struct town *town, uint64_t ms)
{
    world_advance_ms(&town->time, ms);
}

/* What the presence timer does when its time has come. */
static inline void worker_tell_presence(struct worker *worker)
{
    if (worker->rooms.dirty)
        presence_flush(&worker->rooms, clock_ms(&worker->town->time.clock));
}

/* Whatever is due on a worker happens, and its turn ends. Returns whether anything did. */
static inline bool worker_settle(struct worker *worker)
{
    struct log_bus *bus = &worker->bus;
    bool any = false;
    for (bool more = true; more; any = any || more) {
        more = log_bus_subscribe(bus);
        more = log_bus_confirm(bus) || more;
        more = log_bus_answer(bus) || more;
        more = log_bus_live(bus) || more;
        more = log_bus_signal(bus) || more;
    }
    while (flush_run(&worker->world.flush))
        ;
    return any;
}

/* All that is on its way arrives, everywhere. */
static inline void town_settle(struct town *town)
{
    for (bool any = true; any;) {
        any = false;
        for (int i = 0; i < town->worker_count; i++) {
            worker_tell_presence(&town->workers[i]);
            any = worker_settle(&town->workers[i]) || any;
        }
    }
}

/* So many sweeps go by, 100 ms each, with everything on its way arriving. */
static inline void town_pass(struct town *town, int sweeps)
{
    for (; sweeps > 0; sweeps--) {
        town_advance(town, 100);
        for (int i = 0; i < town->worker_count; i++)
            rooms_sweep(&town->workers[i].rooms);
        town_settle(town);
    }
}

/* Everybody has gone: the rooms do too, and then the town. */
static inline void town_empty(struct town *town)
{
    town_pass(town, 80);
    assert_null(town->workers[0].rooms.by_name);
    town_close(town);
}

/* ---- guests */

static inline void guest_init(struct guest *guest, struct worker *worker, const char *user)
{
    *guest = (struct guest){.peer.room = SIZE_MAX, .worker = worker};
    guest->id = rooms_new_id(&worker->rooms);
    snprintf(guest->user, sizeof guest->user, "%s", user);
    snprintf(guest->from, sizeof guest->from, "%016" PRIx64 "%s%s", guest->id, user[0] ? "/" : "", user);
}

/* With what a client says in its join. room: a constant. resume: NULL for none. */
static inline void guest_join_with(struct guest *guest, int seat_number, const char *room, const struct resume *resume,
                                   uint32_t history, const char *value)
{
    struct seat *seat = &guest->seats[seat_number];
    assert_int_equal(seat->participant.member.state, MEMBER_OUT);
    *seat = (struct seat){.guest = guest, .room = room};
    struct participant *participant = &seat->participant;
    participant->member.kind = MEMBER_PARTICIPANT;
    participant->member.target.id = guest->id;
    participant->member.target.outlet = &guest->peer.outlet;
    participant->from = bytes_of(guest->from);
    participant->user = guest->user[0] ? bytes_of(guest->user) : (struct bytes){NULL, 0};
    participant->value = xstrndup(value, strlen(value));
    participant->history = history;
    if (resume)
        participant->resume = *resume;
    assert_false(room_join(&guest->worker->rooms, &participant->member, bytes_of(room), &line_encoding, false));
}

static inline void guest_join(struct guest *guest, const char *room)
{
    guest_join_with(guest, 0, room, NULL, 0, "{\"since\":1}");
}

static inline void guest_resume(struct guest *guest, const char *room, const char *epoch, uint64_t offset)
{
    struct resume resume = {.offset = offset};
    snprintf(resume.epoch, sizeof resume.epoch, "%s", epoch);
    guest_join_with(guest, 0, room, &resume, 0, "{\"since\":1}");
}

static inline void guest_leave(struct guest *guest, int seat)
{
    room_leave(&guest->worker->rooms, &guest->seats[seat].participant.member, "left");
}

/* The connection ends. */
static inline void guest_close(struct guest *guest)
{
    for (int i = 0; i < SEATS; i++)
        guest_leave(guest, i);
    peer_close(&guest->worker->world, &guest->peer);
}

static inline void guest_say(struct guest *guest, int seat, const char *text, const char *key, uint64_t request)
{
    struct saying saying = {.kind = ENVELOPE_JSON, .payload = bytes_of(text), .key = bytes_of(key), .request = request};
    assert_true(room_publish(&guest->worker->rooms, &guest->seats[seat].participant.member, &saying));
}

static inline enum member_state guest_state(const struct guest *guest, int seat)
{
    return guest->seats[seat].participant.member.state;
}

/* What it got since the last look. */
static inline void assert_heard(struct guest *guest, const char *text)
{
    assert_string_equal(guest->peer.len ? (const char *)guest->peer.got : "", text);
    guest->peer.len = 0;
}

/* ... does not matter. */
static inline void forget_heard(struct guest *guest)
{
    guest->peer.len = 0;
}

#endif
