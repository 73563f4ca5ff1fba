/* room_players.h -- the clients of room_model_test.c: connections that join, publish, leave and come back with the
 * position that they hold, sometimes with sockets that take nothing for a while; and the state of a run.
 *
 * Whatever they hear goes to room_client.h line by line, with the run's seed and step when it is not true. */
#ifndef PLENUM_TESTS_UNIT_SUPPORT_ROOM_PLAYERS_H
#define PLENUM_TESTS_UNIT_SUPPORT_ROOM_PLAYERS_H

#include "room_client.h"

enum { GUESTS = 10, ROOMS = SEATS, KEYS = 8, FILL = 300 << 10, LINE_MAX_BYTES = 4096 };

static const char *const room_names[ROOMS] = {"lobby", "hall"};

static inline const char *name_of(uint32_t number)
{
    assert_true(number < ROOMS);
    return number < ROOMS ? room_names[number] : ""; /* the analyzer does not know what an assert does */
}

struct player {
    struct guest guest; /* first */
    struct client clients[ROOMS];
    char line[LINE_MAX_BYTES]; /* the beginning of one */
    size_t len;
    bool open;
    struct {
        char text[24];
        uint32_t number;
    } keys[KEYS]; /* that it used lately, in this or an earlier life */
    uint32_t key_count;
};

struct character {
    uint32_t players, rooms, workers;
    uint32_t log_size;
    bool lossless; /* no log loses anything: then nothing is missing at all */
    bool dark;     /* the second room has no presence */
    bool dropping; /* single live messages vanish: only the next one, or a check, shows it */
};

static struct {
    uint64_t seed;
    uint32_t step;
    struct dice dice;
    struct character character;
    struct town town;
    struct player players[GUESTS];
    bool forgotten[FAKE_BUSES]; /* the worker is to be told so */
    uint32_t numbers;           /* texts */
    bool story;
} model;

static inline void client_fails(const struct client *client, const char *line, const char *why)
{
    fail_msg("seed 0x%016llx, step %u: client %016llx in %s, at %u:%llu: \"%.*s\": %s", (unsigned long long)model.seed,
             model.step, (unsigned long long)client->connection, client->room->name, client->epoch,
             (unsigned long long)client->offset, (int)strcspn(line, "\n"), line, why);
}

#define hold(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail_msg("seed 0x%016llx, step %u: %s does not hold", (unsigned long long)model.seed, model.step,          \
                     #condition);                                                                                      \
    } while (0)

__attribute__((format(printf, 1, 2))) static inline void tell(const char *format, ...)
{
    if (!model.story)
        return;
    va_list args;
    va_start(args, format);
    printf("%5u  ", model.step);
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

static inline uint32_t roll(uint32_t bound)
{
    return dice_below(&model.dice, bound);
}

static inline bool chance(uint32_t percent)
{
    return dice_percent(&model.dice, percent);
}

static inline struct worker *some_worker(void)
{
    return &model.town.workers[roll(model.character.workers)];
}

static inline struct fake_room *the_room(uint32_t number)
{
    return fake_room(&model.town.redis, bytes_of(name_of(number)));
}

/* ---- hearing */

static inline struct client *client_of(struct player *player, const char *line)
{
    unsigned long long request;
    if (sscanf(line, "a %llu", &request) == 1 || sscanf(line, "f %llu", &request) == 1)
        return request < said_count ? &player->clients[said[request].room] : NULL;
    for (int i = 0; i < ROOMS; i++) {
        size_t len = strlen(room_names[i]);
        if (strncmp(line + 2, room_names[i], len) == 0 && strchr(" \n", line[2 + len]))
            return &player->clients[i];
    }
    return NULL;
}

static inline void hear_line(struct player *player, const char *line)
{
    if (line[0] == 'x')
        return; /* what fills an outbox */
    struct client *client = client_of(player, line);
    tell("        %016llx hears %.*s", (unsigned long long)player->guest.id, (int)strcspn(line, "\n"), line);
    hold(client);
    unsigned long long request;
    if (sscanf(line, "f %llu", &request) == 1) {
        hold(said[request].state == SAID_PENDING || said[request].state == SAID_LEFT);
        said[request].state = SAID_FAILED;
        return;
    }
    client_hear(client, line);
    if (model.character.lossless)
        judge(client, line, line[0] != 'g' && line[0] != 'e');
}

static inline void hear(struct peer *peer, const uint8_t *data, size_t len)
{
    struct player *player = (struct player *)peer;
    while (len) {
        const uint8_t *end = memchr(data, '\n', len);
        size_t n = end ? (size_t)(end - data) + 1 : len;
        if (player->len + n < sizeof player->line) /* a longer one is a filler's */
            memcpy(player->line + player->len, data, n);
        player->len += n;
        data += n;
        len -= n;
        if (!end)
            return;
        if (player->len < sizeof player->line) {
            player->line[player->len] = '\0';
            hear_line(player, player->line);
        }
        player->len = 0;
    }
}

/* ---- what clients do */

static inline void player_open(struct player *player)
{
    char user[8];
    snprintf(user, sizeof user, "p%d", (int)(player - model.players));
    guest_init(&player->guest, some_worker(), user);
    player->guest.peer.hear = hear;
    player->len = 0;
    player->open = true;
    for (uint32_t i = 0; i < model.character.rooms; i++) {
        struct client *client = &player->clients[i];
        client->room = the_room(i);
        client->connection = player->guest.id;
        client->joining = client->in = client->leaving = false;
        client->known_count = 0;
    }
}

static inline void forget_pending(uint64_t connection, int room)
{
    for (uint32_t i = 0; i < said_count; i++)
        if (said[i].connection == connection && said[i].state == SAID_PENDING && (room < 0 || said[i].room == room))
            said[i].state = SAID_LEFT;
}

static inline void player_close(struct player *player)
{
    tell("%016llx goes", (unsigned long long)player->guest.id);
    guest_close(&player->guest);
    forget_pending(player->guest.id, -1);
    player->open = false;
}

static inline void join(struct player *player, uint32_t number)
{
    struct client *client = &player->clients[number];
    if (client->joining || client->in || client->leaving)
        return;
    client->joining = true;
    client->resumed = client->positioned && chance(85);
    client->history = chance(30) ? roll(257) : 0;
    struct resume resume = {.offset = client->offset};
    if (client->resumed)
        snprintf(resume.epoch, sizeof resume.epoch, "%s", client->room->epochs[client->epoch].name);
    char value[32];
    snprintf(value, sizeof value, "{\"since\":%u}", chance(50) ? 1 : model.step);
    tell("%016llx joins %s%s", (unsigned long long)player->guest.id, name_of(number),
         client->resumed ? " and resumes" : "");
    guest_join_with(&player->guest, (int)number, name_of(number), client->resumed ? &resume : NULL, client->history,
                    value);
}

static inline void leave(struct player *player, uint32_t number)
{
    struct client *client = &player->clients[number];
    if (!client->in)
        return;
    tell("%016llx leaves %s", (unsigned long long)player->guest.id, name_of(number));
    client->in = false;
    client->leaving = true;
    forget_pending(player->guest.id, (int)number);
    guest_leave(&player->guest, (int)number);
    send_line(&player->guest, "L %s\n", name_of(number));
}

static inline void say(struct player *player, uint32_t number)
{
    struct client *client = &player->clients[number];
    if (!client->in || guest_state(&player->guest, (int)number) < MEMBER_CATCHING || said_count == SAID_MAX)
        return;
    uint32_t text = 0;
    char key[32] = "", payload[64];
    bool repeat = false;
    if (chance(40)) {
        uint32_t at = roll(KEYS);
        repeat = at < player->key_count && chance(60);
        if (!repeat) {
            at = player->key_count < KEYS ? player->key_count++ : at;
            player->keys[at].number = ++model.numbers;
            snprintf(player->keys[at].text, sizeof player->keys[at].text, "%u.%u", number, model.numbers);
        }
        if (player->keys[at].text[0] != (char)('0' + number))
            return; /* of the other room */
        text = player->keys[at].number;
        snprintf(key, sizeof key, "%s", player->keys[at].text);
    } else {
        text = ++model.numbers;
    }
    said[said_count] = (struct said){text, player->guest.id, (int)number, repeat, SAID_PENDING, client->excuses};
    snprintf(payload, sizeof payload, "%u %u", text, said_count);
    tell("%016llx says %s in %s, %u, key %s", (unsigned long long)player->guest.id, payload, name_of(number),
         said_count, key);
    guest_say(&player->guest, (int)number, payload, key, said_count++);
    town_advance(&model.town, 1);
}

static inline void say_outside(uint32_t number)
{
    uint32_t count = chance(5) ? 200 + roll(200) : 1 + roll(5);
    if (model.numbers > 30000)
        return;
    tell("%u outside messages in %s", count, name_of(number));
    while (count--) {
        char payload[32];
        snprintf(payload, sizeof payload, "%u", ++model.numbers);
        fake_say(&model.town.redis, the_room(number), payload, model.character.log_size);
    }
}

static inline void change(struct player *player, uint32_t number)
{
    if (guest_state(&player->guest, (int)number) == MEMBER_OUT)
        return;
    char value[32];
    snprintf(value, sizeof value, "{\"since\":%u}", 1 + roll(5));
    room_update(&player->guest.worker->rooms, &player->guest.seats[number].participant, xstrndup(value, strlen(value)));
}

/* Its socket takes no more, and much waits for it: it falls behind when it joins. */
static inline void block_up(struct player *player)
{
    static char filler[FILL];
    if (player->guest.peer.room != SIZE_MAX)
        return;
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = '\n';
    player->guest.peer.room = roll(100);
    if (chance(60))
        send_text(&player->guest, (struct bytes){filler, sizeof filler});
}

static inline void unblock(struct player *player)
{
    if (player->guest.peer.room == SIZE_MAX)
        return;
    peer_unblock(&player->guest.worker->world, &player->guest.peer, chance(50) ? SIZE_MAX : roll(FILL));
    for (uint32_t i = 0; i < model.character.rooms; i++)
        room_pump(&player->guest.worker->rooms, &player->guest.seats[i].participant);
}

#endif
