/* room_house.h -- a worker's rooms on a bus that is the test's own: it confirms when it is told to, and brings back
 * what was published when it is told to. Rooms have no log and no presence. */
#ifndef PLENUM_TESTS_UNIT_SUPPORT_ROOM_HOUSE_H
#define PLENUM_TESTS_UNIT_SUPPORT_ROOM_HOUSE_H

#include "delivery_world.h"
#include "gateway/room/room.h"

enum { GATEWAY = 0xabcd0123, LINGER_MS = 5000, CHANNELS = 32, PUBLISHED = 64, ASKS = 64, MESSAGE_MAX = 512 };

struct fake_channel {
    struct bus_channel base; /* first */
    char room[256];
    size_t room_len;
};

struct fake_bus {
    struct bus base; /* first */
    struct fake_channel channels[CHANNELS];
    int subscribes, unsubscribes;
    struct {
        char room[256];
        char message[MESSAGE_MAX]; /* as it stands on the bus */
        size_t len;
    } published[PUBLISHED];
    int publishes;
    void *tickets[PUBLISHED]; /* of what was published and not settled, in order */
    int ticket_count;
    struct bus_ask asks[ASKS]; /* that are not answered yet, in order: reads of the hashes, which are empty */
    int ask_count;
};

/* A worker's rooms with all that they need. */
struct house {
    struct world world;
    struct dice dice;
    struct random random;
    uv_loop_t loop;
    struct env env;
    struct rules *rules;
    struct fake_bus bus;
    struct rooms rooms;
    enum bus_pressure pressure; /* told last */
    int pressures;
    /* For tests that act from inside: called by on_in, when set. */
    void (*on_in)(struct house *house, struct member *member);
};

struct person {
    struct peer peer; /* first */
    struct member member;
    int in, failed;
    enum bus_failure why;
};

static struct person *person_of(struct member *member)
{
    return (struct person *)((char *)member - offsetof(struct person, member));
}

/* ---- the bus */

static struct bus_channel *fake_subscribe(struct bus *base, struct bytes room, void *subscriber)
{
    struct fake_bus *bus = (struct fake_bus *)base;
    int free_one = 0;
    while (bus->channels[free_one].base.subscriber)
        assert_true(++free_one < CHANNELS);
    assert_non_null(subscriber);
    bus->subscribes++;
    struct fake_channel *channel = &bus->channels[free_one];
    channel->base = (struct bus_channel){.subscriber = subscriber};
    memcpy(channel->room, room.data, room.len);
    channel->room_len = room.len;
    return &channel->base;
}

static void fake_unsubscribe(struct bus *base, struct bus_channel *channel)
{
    ((struct fake_bus *)base)->unsubscribes++;
    assert_non_null(channel->subscriber);
    *channel = (struct bus_channel){.subscriber = NULL};
}

static void fake_publish(struct bus *base, const struct bus_publish *publish)
{
    struct fake_bus *bus = (struct fake_bus *)base;
    const struct envelope *envelope = publish->envelope;
    struct bytes room = publish->room;
    assert_true(bus->publishes < PUBLISHED && bus->ticket_count < PUBLISHED);
    bus->tickets[bus->ticket_count++] = publish->ticket;
    char *message = bus->published[bus->publishes].message;
    size_t len = envelope_encode_header(message, envelope);
    memcpy(message + len, envelope->payload.data, envelope->payload.len);
    bus->published[bus->publishes].len = len + envelope->payload.len;
    memcpy(bus->published[bus->publishes].room, room.data, room.len);
    bus->published[bus->publishes++].room[room.len] = '\0';
}

static void fake_hash_read(struct bus *base, enum bus_hash hash, struct bytes room, const struct bus_ask *ask)
{
    struct fake_bus *bus = (struct fake_bus *)base;
    (void)hash, (void)room;
    assert_true(bus->ask_count < ASKS);
    bus->asks[bus->ask_count++] = *ask;
}

static const struct bus_ops fake_ops = {
    .subscribe = fake_subscribe, .unsubscribe = fake_unsubscribe, .publish = fake_publish, .hash_read = fake_hash_read};

/* The channel of a room that is subscribed now; NULL when it is not. */
static struct bus_channel *channel_of(struct house *house, const char *room)
{
    for (int i = 0; i < CHANNELS; i++) {
        struct fake_channel *channel = &house->bus.channels[i];
        if (channel->base.subscriber && bytes_equal((struct bytes){channel->room, channel->room_len}, bytes_of(room)))
            return &channel->base;
    }
    return NULL;
}

/* Answers what was asked: there is no lock and no ban. */
static void answer(struct house *house)
{
    while (house->bus.ask_count) {
        struct bus_ask ask = house->bus.asks[0];
        house->bus.ask_count--;
        memmove(house->bus.asks, house->bus.asks + 1, (size_t)house->bus.ask_count * sizeof ask);
        ask.events->on_end(ask.ctx, ask.tag, BUS_OK);
    }
}

/* The bus has taken what was published, or not. */
static void settle(struct house *house)
{
    while (house->bus.ticket_count) {
        void *ticket = house->bus.tickets[0];
        house->bus.ticket_count--;
        memmove(house->bus.tickets, house->bus.tickets + 1, (size_t)house->bus.ticket_count * sizeof ticket);
        rooms_bus_events.on_published(&house->rooms, ticket, (struct bytes){NULL, 0}, 0, false);
    }
}

static void fail_first(struct house *house, enum bus_failure failure)
{
    void *ticket = house->bus.tickets[0];
    assert_true(house->bus.ticket_count > 0);
    house->bus.ticket_count--;
    memmove(house->bus.tickets, house->bus.tickets + 1, (size_t)house->bus.ticket_count * sizeof ticket);
    rooms_bus_events.on_publish_failed(&house->rooms, ticket, failure);
}

static void confirm(struct house *house, const char *room)
{
    struct bus_channel *channel = channel_of(house, room);
    assert_non_null(channel);
    channel->confirmed = true;
    rooms_bus_events.on_confirmed(&house->rooms, channel);
    answer(house);
}

static void bring_bytes(struct house *house, const char *room, const char *data, size_t len)
{
    struct bus_channel *channel = channel_of(house, room);
    assert_non_null(channel);
    char *copy = xmalloc(len + 1); /* so that nobody looks at it after the call, or past its end */
    memcpy(copy, data, len);
    rooms_bus_events.on_message(&house->rooms, channel, (struct bytes){copy, len});
    free(copy);
}

static void bring(struct house *house, const char *room, const char *message)
{
    bring_bytes(house, room, message, strlen(message));
}

/* What was published comes back to the rooms that are subscribed here, and the turn ends. */
static void end_turn(struct house *house)
{
    for (int i = 0; i < house->bus.publishes; i++)
        if (channel_of(house, house->bus.published[i].room))
            bring_bytes(house, house->bus.published[i].room, house->bus.published[i].message,
                        house->bus.published[i].len);
    house->bus.publishes = 0;
    settle(house);
    assert_false(flush_run(&house->world.flush));
}

/* ---- the house */

static void on_in(void *ctx, struct member *member, const struct joined *joined)
{
    struct house *house = ctx;
    assert_null(joined);
    assert_int_equal(member->state, MEMBER_IN);
    person_of(member)->in++;
    if (house->on_in)
        house->on_in(house, member);
}

static void on_publish_failed(void *ctx, struct member *member, uint64_t request, enum bus_failure failure)
{
    (void)ctx, (void)request;
    person_of(member)->failed++;
    person_of(member)->why = failure;
}

static void on_pressure(void *ctx, enum bus_pressure pressure)
{
    struct house *house = ctx;
    house->pressure = pressure;
    house->pressures++;
}

static void dice_fill(void *ctx, void *buffer, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)buffer)[i] = (uint8_t)dice_u64(ctx);
}

static int set_up(void **state)
{
    static const struct flush_limits limits = {
        .hard_bytes = 1 << 20, .soft_bytes = 1 << 20, .soft_ms = 5000, .budget_ns = 1000000};
    static const struct member_events events = {.on_in = on_in, .on_publish_failed = on_publish_failed};
    struct house *house = xcalloc(1, sizeof *house);
    world_init(&house->world, &limits);
    house->dice.state = 1;
    house->random = (struct random){dice_fill, &house->dice};
    uv_loop_init(&house->loop);
    house->env = (struct env){.loop = &house->loop, .clock = &house->world.clock, .random = &house->random};
    house->rules = rules_new(&(struct room_rule){.presence = false});
    struct rooms_setup setup = {.env = &house->env,
                                .counters = &house->world.counters,
                                .flush = &house->world.flush,
                                .rules = house->rules,
                                .events = {&events, &events},
                                .ctx = house,
                                .linger_ms = LINGER_MS};
    rooms_init(&house->rooms, &setup);
    house->rooms.on_pressure = on_pressure;
    house->bus.base =
        (struct bus){.ops = &fake_ops, .events = &rooms_bus_events, .ctx = &house->rooms, .gateway = GATEWAY};
    house->rooms.bus = &house->bus.base;
    *state = house;
    return 0;
}

static int tear_down(void **state)
{
    struct house *house = *state;
    settle(house);
    rooms_stop(&house->rooms);
    uv_close((uv_handle_t *)&house->rooms.presence_timer, NULL);
    uv_run(&house->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&house->loop), 0);
    rooms_close(&house->rooms);
    rules_free(house->rules);
    assert_null(house->world.flush.first);
    assert_int_equal(world_gauge(&house->world, GAUGE_BLOCK_BYTES), 0);
    assert_int_equal(world_gauge(&house->world, GAUGE_OUTBOX_BYTES), 0);
    assert_int_equal(world_gauge(&house->world, GAUGE_MEMBERS), 0);
    free(house);
    return 0;
}

static void person_init(struct person *person)
{
    *person = (struct person){.peer.room = SIZE_MAX};
    person->member.target.outlet = &person->peer.outlet;
}

static bool join(struct house *house, struct person *person, const char *room)
{
    return room_join(&house->rooms, &person->member, bytes_of(room), &angle_encoding, false);
}

/* Time goes by. */
static void sweep(struct house *house)
{
    rooms_sweep(&house->rooms);
    answer(house);
}

/* In, whatever it takes. */
static void enter(struct house *house, struct person *person, const char *room)
{
    person_init(person);
    if (!join(house, person, room) && !channel_of(house, room)->confirmed)
        confirm(house, room);
    answer(house);
    assert_int_equal(person->member.state, MEMBER_IN);
}

/* Time has gone by: the lock and the bans are read anew, and then it is in, without another subscription. */
static void come_back(struct house *house, struct person *person, const char *room)
{
    join(house, person, room);
    answer(house);
    assert_int_equal(person->member.state, MEMBER_IN);
}

static void leave(struct house *house, struct person *person)
{
    room_leave(&house->rooms, &person->member, "left");
    assert_int_equal(person->member.state, MEMBER_OUT);
    assert_null(person->member.room);
}

static void go_home(struct house *house, struct person *people, int count)
{
    for (int i = 0; i < count; i++) {
        leave(house, &people[i]);
        peer_close(&house->world, &people[i].peer);
    }
    assert_false(flush_run(&house->world.flush));
}

static void say(struct house *house, struct person *person, const char *text)
{
    struct saying saying = {.kind = ENVELOPE_TEXT, .payload = bytes_of(text)};
    assert_true(room_publish(&house->rooms, &person->member, &saying));
}

static void assert_got(const struct person *person, const char *text)
{
    assert_string_equal(person->peer.len ? (const char *)person->peer.got : "", text);
}

#endif
