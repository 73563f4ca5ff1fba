/* room_model_test.c -- whatever happens to the bus, what clients are told is true: every message that was acked reaches
 * each member that stays or resumes once, in order, with the ack at its place; what is missing is said; nobody hangs;
 * and all see the same members in the end.
 *
 * A model test: a few clients on two or three workers join, publish, leave, and come back with the position that they
 * hold, while subscriptions, answers and live messages are lost, logs are trimmed, servers fail over and are wiped, all
 * drawn from a seed. room_client.h judges each line that a client gets, when it gets it; here stands what happens, and
 * what has to be true when everything has come to rest.
 *
 * A failure prints its seed and step. ROOM_SEED=0x... takes the place of the fresh seed (ROOM_SEEDS=100: of the first
 * of so many), ROOM_STORY=1 tells the steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/room_players.h"

enum { SEEDS = 250, STEPS = 2500 };

enum op {
    JOIN,
    LEAVE,
    CLOSE, /* and come back as somebody new, maybe elsewhere */
    SAY,
    SAY_OUTSIDE,
    CHANGE, /* update */
    MUTE,
    EXECUTE,
    REPLY,
    LIVE,
    SUBSCRIBE,
    CONFIRM,
    PRESENCE,
    FLUSH,
    SWEEP,
    SETTLE, /* a worker for a moment */
    BLOCK,
    UNBLOCK,
    WAIT,
    /* faults */
    LOSE_CHANNELS,
    LOSE_COMMANDS,
    FAIL,
    DROP,
    DOUBLE,
    TRIM,
    FAILOVER,
    WIPE,
    REAP,
    OPS
};

static uint32_t weights[OPS], weight; /* what a seed draws from */

static struct {
    uint64_t messages, acks, gaps, epochs, recovered, started_over, refusals, deaf, replayed, repaired;
} met;

/* ---- what the bus does */

static void flush(struct worker *worker)
{
    worker->world.tick_ns = 0;
    model.town.time.tick_ns = chance(50) ? 0 : 500000;
    flush_run(&worker->world.flush);
    model.town.time.tick_ns = 0;
}

static void sweep(struct worker *worker)
{
    town_advance(&model.town, 100);
    rooms_sweep(&worker->rooms);
}

static void wait_long(void)
{
    town_advance(&model.town, 1000 + roll(10000));
    for (uint32_t i = 0; i < model.character.workers; i++)
        sweep(&model.town.workers[i]);
}

static void fail_first(struct worker *worker)
{
    enum bus_failure failure = chance(50) ? BUS_UNAVAILABLE : chance(80) ? BUS_UNCERTAIN : BUS_REFUSED;
    log_bus_fail(&worker->bus, failure, chance(50));
}

static void reap(struct worker *worker)
{
    for (uint32_t i = 0; i < model.character.rooms; i++)
        fake_reap(&model.town.redis, the_room(i), worker->bus.base.gateway);
    model.forgotten[worker - model.town.workers] = true;
}

static void wipe(void)
{
    for (uint32_t i = 0; i < model.character.rooms; i++)
        fake_wipe(the_room(i));
    for (uint32_t i = 0; i < model.character.workers; i++)
        model.forgotten[i] = true;
}

static void tell_forgotten(struct worker *worker)
{
    bool *forgotten = &model.forgotten[worker - model.town.workers];
    if (*forgotten)
        rooms_bus_events.on_forgotten(&worker->rooms);
    *forgotten = false;
}

static void fault(enum op op, struct worker *worker, struct fake_room *room)
{
    struct log_bus *bus = &worker->bus;
    tell("fault %d on worker %d, %s", op, (int)(worker - model.town.workers), room->name);
    switch (op) {
    case LOSE_CHANNELS:
        log_bus_lose_channels(bus, chance(50) ? room : NULL);
        break;
    case LOSE_COMMANDS:
        log_bus_lose_commands(bus);
        break;
    case FAIL:
        fail_first(worker);
        break;
    case DROP:
        if (bus->live_count && model.character.dropping)
            log_bus_drop(bus, roll(bus->live_count));
        break;
    case DOUBLE:
        if (bus->live_count)
            log_bus_double(bus, roll(bus->live_count));
        break;
    case TRIM:
        if (!model.character.lossless)
            fake_trim_to(room, room->first + roll(room->count - room->first + 1));
        break;
    case FAILOVER:
        if (!model.character.lossless)
            fake_failover(room, chance(50) ? 0 : roll(4));
        break;
    case WIPE:
        if (!model.character.lossless && chance(30))
            wipe();
        break;
    default:
        reap(worker);
        break;
    }
}

static void act(enum op op)
{
    struct worker *worker = some_worker();
    struct player *player = &model.players[roll(model.character.players)];
    uint32_t number = roll(model.character.rooms);
    switch (op) {
    case JOIN:
        join(player, number);
        break;
    case LEAVE:
        leave(player, number);
        break;
    case CLOSE:
        player_close(player);
        player_open(player);
        break;
    case SAY:
        say(player, number);
        break;
    case SAY_OUTSIDE:
        say_outside(number);
        break;
    case CHANGE:
        change(player, number);
        break;
    case MUTE:
        rooms_mute(&worker->rooms, bytes_of(room_names[number]), &(struct whom){.member = player->guest.id},
                   chance(50));
        break;
    case EXECUTE:
        log_bus_execute(&worker->bus);
        break;
    case REPLY:
        log_bus_reply(&worker->bus, chance(20) ? roll(5) : UINT32_MAX);
        break;
    case LIVE:
        for (uint32_t i = 1 + roll(8); i-- > 0;)
            log_bus_live(&worker->bus);
        break;
    case SUBSCRIBE:
        log_bus_subscribe(&worker->bus);
        break;
    case CONFIRM:
        log_bus_confirm(&worker->bus);
        break;
    case PRESENCE:
        worker_tell_presence(worker);
        break;
    case FLUSH:
        flush(worker);
        break;
    case SWEEP:
        sweep(worker);
        tell_forgotten(worker);
        break;
    case SETTLE:
        worker_settle(worker);
        break;
    case BLOCK:
        block_up(player);
        break;
    case UNBLOCK:
        unblock(player);
        break;
    case WAIT:
        wait_long();
        break;
    default:
        fault(op, worker, the_room(number));
        break;
    }
    for (uint32_t i = 0; i < model.character.workers; i++) {
        struct log_bus *bus = &model.town.workers[i].bus;
        if (bus->deaf)
            log_bus_lose_channels(bus, NULL);
        met.deaf += bus->deaf != 0;
        bus->deaf = 0;
    }
}

/* ---- the end */

static void pass(int sweeps)
{
    for (; sweeps > 0; sweeps--) {
        for (uint32_t i = 0; i < model.character.workers; i++) {
            struct worker *worker = &model.town.workers[i];
            if (worker->bus.deaf)
                log_bus_lose_channels(&worker->bus, NULL);
            hold(worker->bus.deaf < 20);
            tell_forgotten(worker);
        }
        town_pass(&model.town, 1);
    }
}

static void unblock_all(void)
{
    for (uint32_t i = 0; i < model.character.players; i++) {
        struct player *player = &model.players[i];
        peer_unblock(&player->guest.worker->world, &player->guest.peer, SIZE_MAX);
        while (player->guest.peer.outlet.box)
            flush_outlet(&player->guest.worker->world.flush, &player->guest.peer.outlet);
        for (uint32_t k = 0; k < model.character.rooms; k++)
            room_pump(&player->guest.worker->rooms, &player->guest.seats[k].participant);
    }
}

/* Everything heals, all come in, and a last message goes to each room, so that nothing that was dropped is the last. */
static void come_to_rest(void)
{
    unblock_all();
    for (int round = 0; round < 4; round++) {
        pass(60);
        for (uint32_t i = 0; i < model.character.players; i++)
            for (uint32_t k = 0; k < model.character.rooms; k++)
                join(&model.players[i], k);
    }
    for (uint32_t k = 0; k < model.character.rooms; k++)
        say_outside(k);
    for (uint32_t i = 0; i < model.character.players; i++)
        for (uint32_t k = 0; k < model.character.rooms; k++)
            change(&model.players[i], k);
    pass(130);
}

static void assert_same_members(struct player *player, uint32_t number)
{
    struct client *client = &player->clients[number];
    struct fake_room *room = client->room;
    if (number == 1 && model.character.dark) {
        judge(client, "at the end", room->present_count == 0 && client->known_count == 0);
        return;
    }
    hold(room->present_count == model.character.players);
    for (uint32_t i = 0; i < room->present_count; i++) {
        const struct fake_present *present = &room->present[i];
        const struct known *known = know(client, present->member);
        if (present->member == player->guest.id)
            continue;
        judge(client, present->value, known && strcmp(known->value, present->value) == 0);
    }
    judge(client, "at the end", client->known_count <= room->present_count);
    judge(client, "at the end", client->known_count + 1 >= room->present_count);
}

static void assert_at_rest(void)
{
    for (uint32_t i = 0; i < model.character.players; i++) {
        struct player *player = &model.players[i];
        for (uint32_t k = 0; k < model.character.rooms; k++) {
            struct client *client = &player->clients[k];
            judge(client, "at the end", client->in && !client->joining);
            judge(client, "at the end", guest_state(&player->guest, (int)k) == MEMBER_IN);
            judge(client, "at the end", client->epoch == client->room->epoch_count - 1);
            judge(client, "at the end", client->offset == client->room->seq);
            assert_same_members(player, k);
            met.messages += client->messages;
            met.acks += client->acks;
            met.gaps += client->gaps;
            met.epochs += client->epochs;
            met.recovered += client->recovered;
            met.started_over += client->started_over;
            met.refusals += client->refusals;
        }
    }
    for (uint32_t i = 0; i < said_count; i++)
        if (said[i].state == SAID_PENDING)
            fail_msg("seed 0x%016llx: request %u was never answered", (unsigned long long)model.seed, i);
}

static void assert_nothing_is_left(void)
{
    for (uint32_t i = 0; i < model.character.players; i++)
        player_close(&model.players[i]);
    pass(60);
    for (uint32_t i = 0; i < model.character.workers; i++) {
        struct worker *worker = &model.town.workers[i];
        hold(!worker->rooms.by_name && !worker->rooms.empty_first && !worker->rooms.attended && !worker->rooms.active);
        hold(worker->bus.subscribes == worker->bus.unsubscribes);
        met.replayed += world_gauge(&worker->world, COUNT_LOG_REPLAYED);
        met.repaired += world_gauge(&worker->world, COUNT_LOG_REPAIRED);
    }
    for (uint32_t k = 0; k < model.character.rooms; k++)
        hold(the_room(k)->present_count == 0);
}

/* ---- a seed's whole life */

static void choose_character(void)
{
    static const uint32_t sizes[] = {3, 30, 200, 1000};
    static const uint32_t usual[OPS] = {
        [JOIN] = 40,     [LEAVE] = 6,         [CLOSE] = 4,         [SAY] = 60,    [SAY_OUTSIDE] = 8, [CHANGE] = 4,
        [MUTE] = 2,      [EXECUTE] = 120,     [REPLY] = 120,       [LIVE] = 100,  [SUBSCRIBE] = 40,  [CONFIRM] = 40,
        [PRESENCE] = 20, [FLUSH] = 60,        [SWEEP] = 20,        [SETTLE] = 10, [BLOCK] = 4,       [UNBLOCK] = 8,
        [WAIT] = 1,      [LOSE_CHANNELS] = 6, [LOSE_COMMANDS] = 6, [FAIL] = 10,   [DROP] = 6,        [DOUBLE] = 6,
        [TRIM] = 4,      [FAILOVER] = 2,      [WIPE] = 2,          [REAP] = 2};
    struct character *character = &model.character;
    character->players = 6 + roll(5);
    character->rooms = 1 + roll(ROOMS);
    character->workers = 2 + roll(FAKE_BUSES - 1);
    character->lossless = chance(30);
    character->dropping = chance(50);
    character->dark = chance(20);
    character->log_size = character->lossless ? 1000000 : sizes[roll(4)];
    bool calm = chance(20);
    weight = 0;
    for (int op = 0; op < OPS; op++) {
        weights[op] = usual[op] * (1 + roll(8));
        if (op >= LOSE_CHANNELS && calm)
            weights[op] /= 8;
        weight += weights[op];
    }
}

static enum op some_op(void)
{
    uint32_t at = roll(weight);
    int op = 0;
    for (; at >= weights[op]; op++)
        at -= weights[op];
    return (enum op)op;
}

static void run_seed(uint64_t seed)
{
    memset(&model, 0, sizeof model);
    model.seed = model.dice.state = seed;
    model.story = getenv("ROOM_STORY") != NULL;
    said_count = 0;
    choose_character();
    struct room_rule rule = {.log = {model.character.log_size, 64 << 20, 600}, .presence = true};
    town_init(&model.town, (int)model.character.workers, seed, &rule);
    if (model.character.dark) {
        char text[128];
        snprintf(text, sizeof text, "hall presence=off log=%u", model.character.log_size);
        assert_null(rules_add(model.town.rules, text));
    }
    for (uint32_t i = 0; i < model.character.players; i++)
        player_open(&model.players[i]);
    for (; model.step < STEPS; model.step++)
        act(some_op());
    come_to_rest();
    assert_at_rest();
    assert_nothing_is_left();
    town_close(&model.town);
}

static void what_clients_are_told_is_true_whatever_happens(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_seed(seed);
    assert_true(met.messages > 100000 && met.acks > 5000); /* or too little happened */
    assert_true(met.gaps > 500 && met.epochs > 500);
    assert_true(met.recovered > 500 && met.started_over > 100);
    assert_true(met.replayed > 10000 && met.repaired > 10000);
    assert_true(met.refusals > 100 && met.deaf > 5);
}

static void and_with_a_seed_that_no_run_had_before(void **state)
{
    (void)state;
    const char *given = getenv("ROOM_SEED"), *count = getenv("ROOM_SEEDS");
    uint64_t seed = given ? strtoull(given, NULL, 0) : dice_fresh_seed();
    uint64_t seeds = count ? strtoull(count, NULL, 0) : 1;
    print_message("fresh seed: 0x%016llx\n", (unsigned long long)seed);
    while (seeds--)
        run_seed(seed++);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_clients_are_told_is_true_whatever_happens),
        cmocka_unit_test(and_with_a_seed_that_no_run_had_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
