/* bans.c -- see bans.h. */
#include "bans.h"

#include <stdlib.h>
#include <uthash.h>

#include "../../common/names.h"
#include "../../common/xalloc.h"
#include "room_parts.h"

enum { READ_EVERY_MS = 10000, FRESH_MS = 1000, AGAIN_MS = 200 };

struct ban {
    UT_hash_handle hh;
    int64_t until_ms; /* wall clock; 0: for good */
    uint32_t room_len, len;
    char name[]; /* "<room> <user>", len bytes */
};

struct bans {
    struct rooms *rooms;
    struct ban *by_name, *reading;
    bool asking, known, changed;
    uint64_t next_ms; /* when to read them */
    uint64_t read_ms; /* when they were read last */
};

struct bans *bans_new(struct rooms *rooms)
{
    struct bans *bans = xcalloc(1, sizeof *bans);
    bans->rooms = rooms;
    return bans;
}

static void clear(struct ban **by_name)
{
    struct ban *ban, *next;
    HASH_ITER(hh, *by_name, ban, next)
    {
        HASH_DEL(*by_name, ban);
        free(ban);
    }
}

void bans_free(struct bans *bans)
{
    clear(&bans->by_name);
    clear(&bans->reading);
    free(bans);
}

static void on_field(void *ctx, uint64_t tag, struct bytes name, struct bytes value)
{
    struct bans *bans = ctx;
    (void)tag;
    const char *space = memchr(name.data, ' ', name.len);
    if (!space || space == name.data)
        return;
    struct ban *ban = xcalloc(1, sizeof *ban + name.len);
    ban->room_len = (uint32_t)(space - name.data);
    ban->len = (uint32_t)name.len;
    memcpy(ban->name, name.data, name.len);
    for (size_t i = 0; i < value.len && i < 18 && value.data[i] >= '0' && value.data[i] <= '9'; i++)
        ban->until_ms = ban->until_ms * 10 + value.data[i] - '0';
    HASH_ADD_KEYPTR(hh, bans->reading, ban->name, ban->len, ban);
}

static bool holds(const struct bans *bans, const struct ban *ban)
{
    return ban->until_ms == 0 || ban->until_ms > clock_wall_ms(bans->rooms->env->clock);
}

static void put_out(struct bans *bans)
{
    for (const struct ban *ban = bans->by_name; ban; ban = ban->hh.next) {
        struct bytes room = {ban->name, ban->room_len};
        struct bytes user = {ban->name + ban->room_len + 1, ban->len - ban->room_len - 1};
        if (holds(bans, ban))
            rooms_kick(bans->rooms, room, &(struct whom){.user = user}, "banned");
    }
}

static void on_end(void *ctx, uint64_t tag, enum bus_result result)
{
    struct bans *bans = ctx;
    (void)tag;
    uint64_t now = clock_ms(bans->rooms->env->clock);
    bans->asking = false;
    if (result == BUS_LOST) {
        clear(&bans->reading);
        bans->next_ms = now + AGAIN_MS;
        return;
    }
    clear(&bans->by_name);
    bans->by_name = bans->reading;
    bans->reading = NULL;
    bans->next_ms = bans->changed ? now : now + READ_EVERY_MS;
    bans->read_ms = now;
    bans->known = true;
    bans->changed = false;
    put_out(bans);
    for (struct room *room = bans->rooms->attended; room; room = room->attended_next)
        room_admit(room);
}

static void ask(struct bans *bans)
{
    static const struct bus_ask_events events = {.on_end = on_end, .on_field = on_field};
    bans->asking = true;
    bus_hash_read(bans->rooms->bus, BUS_BANS, (struct bytes){NULL, 0}, &(struct bus_ask){&events, bans, 0});
}

bool bans_known(struct bans *bans)
{
    uint64_t now = clock_ms(bans->rooms->env->clock);
    if (bans->known && now - bans->read_ms < FRESH_MS)
        return true;
    if (!bans->asking && (bans->known || bans->next_ms == 0))
        ask(bans);
    return false;
}

bool bans_hit(const struct bans *bans, struct bytes room, struct bytes user)
{
    char name[ROOM_NAME_MAX + 1 + 256];
    if (!bans->by_name || !user.len || room.len + 1 + user.len > sizeof name)
        return false;
    memcpy(name, room.data, room.len);
    name[room.len] = ' ';
    memcpy(name + room.len + 1, user.data, user.len);
    const struct ban *ban;
    HASH_FIND(hh, bans->by_name, name, room.len + 1 + user.len, ban);
    return ban && holds(bans, ban);
}

void bans_sweep(struct bans *bans, uint64_t now_ms)
{
    if (!bans->asking && now_ms >= bans->next_ms)
        ask(bans);
}

void rooms_bans_changed(struct rooms *rooms)
{
    struct bans *bans = rooms->bans;
    if (bans->asking)
        bans->changed = true; /* what is being read may be older */
    else
        ask(bans);
}
