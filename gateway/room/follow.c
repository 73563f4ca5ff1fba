/* follow.c -- see follow.h. */
#include "follow.h"

#include <stdlib.h>

#include "../../common/ablation.h"
#include "../../common/xalloc.h"
#include "room_parts.h"

enum {
    PAGE_MAX = 256, /* entries of the log that are read at once, and bytes of them */
    PAGE_BYTES = 8 << 20,
    HELD_MAX = 1 << 20,  /* bytes */
    LOST_AGAIN_MS = 100, /* until what went unanswered is asked again */
    DENIED_AGAIN_MS = 1000,
    SUSPECT_MS = 1000 /* that a message may take from the log to here */
};

/* Live messages that wait, one behind the other: a head, then len bytes. */
struct held {
    size_t len, cap;
    char data[];
};

struct held_head {
    uint32_t serial; /* follow.serial when it came */
    uint32_t len;
};

/* What bus_locate said. */
struct located {
    char epoch[EPOCH_MAX + 1], prev[EPOCH_MAX + 1];
    uint64_t seq, base, prevtop;
};

static void copy_epoch(char out[EPOCH_MAX + 1], struct bytes epoch)
{
    size_t len = epoch.len < EPOCH_MAX ? epoch.len : EPOCH_MAX;
    if (len)
        memcpy(out, epoch.data, len);
    out[len] = '\0';
}

static bool is_epoch(const char *epoch, struct bytes other)
{
    return bytes_equal(bytes_of(epoch), other);
}

static uint64_t now_ms(const struct room *room)
{
    return clock_ms(room->rooms->env->clock);
}

void follow_init(struct room *room)
{
    room->follow = (struct follow){.state = room->rule->log.size ? FOLLOW_LOST : FOLLOW_OFF};
}

static void forget_held(struct follow *follow)
{
    free(follow->held);
    follow->held = NULL;
    follow->held_lost = false;
}

static void forget_located(struct follow *follow)
{
    free(follow->located);
    follow->located = NULL;
}

/* ---- the ring */

static void clear_ring(struct room *room)
{
    struct ring *ring = &room->follow.ring;
    room->rooms->ring_bytes -= ring->bytes;
    ring_clear(ring);
}

static void keep(struct room *room, uint64_t seq, struct bytes message)
{
    struct rooms *rooms = room->rooms;
    struct ring *ring = &room->follow.ring;
    if (rooms->ring_bytes > RINGS_BYTES) {
        clear_ring(room);
        return;
    }
    rooms->ring_bytes -= ring->bytes;
    ring_push(ring, seq, message);
    rooms->ring_bytes += ring->bytes;
}

void follow_close(struct room *room)
{
    forget_held(&room->follow);
    forget_located(&room->follow);
    clear_ring(room);
}

/* ---- passing on */

static void pass_on(struct room *room, struct envelope *envelope, struct bytes message)
{
    struct follow *follow = &room->follow;
    follow->seq = envelope->seq;
    keep(room, envelope->seq, message);
    room_deliver(room, envelope);
    if (room->duplicates)
        publishes_settle(room);
    if (room->catching)
        catchup_room_moved(room);
}

/* The messages up to `to` are no longer to be had. */
static void tell_gap(struct room *room, uint64_t to)
{
    struct follow *follow = &room->follow;
    struct notice notice = {.kind = NOTICE_GAP, .from = follow->seq + 1, .to = to};
    log_event(room->rooms->env->log, LOG_WARN, "messages are missing from a log", log_bytes("room", room_name(room)),
              log_int("from", (int64_t)notice.from), log_int("to", (int64_t)to));
    counter_add(room->rooms->counters, COUNT_LOG_GAPS, 1);
    follow->seq = to;
    room_notify(room, &notice, 0);
    publishes_settle(room);
    if (room->catching)
        catchup_room_moved(room);
}

static void begin_epoch(struct room *room, struct bytes epoch, uint64_t base, bool linked)
{
    struct follow *follow = &room->follow;
    follow->prev[0] = '\0';
    if (linked)
        memcpy(follow->prev, follow->epoch, sizeof follow->prev);
    follow->prevtop = linked && follow->located ? follow->located->prevtop : follow->seq;
    copy_epoch(follow->epoch, epoch);
    follow->base = follow->seq = base;
    clear_ring(room);
    log_event(room->rooms->env->log, LOG_WARN, "a log goes on in a new epoch", log_bytes("room", room_name(room)),
              log_bytes("epoch", epoch), log_text("lossy", linked ? "maybe" : "yes"));
    counter_add(room->rooms->counters, COUNT_LOG_EPOCHS, 1);
    struct notice notice = {.kind = NOTICE_EPOCH, .epoch = bytes_of(follow->epoch), .from = base, .lossy = !linked};
    room_notify(room, &notice, 0);
    catchup_room_renewed(room, linked);
    publishes_settle(room);
    presence_reload(room);
}

/* ---- holding */

static void hold(struct follow *follow, struct bytes message)
{
    struct held_head head = {follow->serial, (uint32_t)message.len};
    size_t len = follow->held ? follow->held->len : 0, need = len + sizeof head + message.len;
    if (follow->held_lost || need > HELD_MAX) {
        follow->held_lost = true; /* and nothing behind it: it will be read from the log */
        return;
    }
    if (!follow->held || need > follow->held->cap) {
        size_t cap = 2 * need;
        follow->held = xrealloc(follow->held, sizeof *follow->held + cap);
        follow->held->cap = cap;
    }
    memcpy(follow->held->data + len, &head, sizeof head);
    memcpy(follow->held->data + len + sizeof head, message.data, message.len);
    follow->held->len = need;
}

static void take_live(struct room *room, struct envelope *envelope, struct bytes message, bool older)
{
    struct follow *follow = &room->follow;
    bool same = is_epoch(follow->epoch, envelope->epoch);
    if (same && envelope->seq == follow->seq + 1) {
        pass_on(room, envelope, message);
        return;
    }
    if ((same && envelope->seq <= follow->seq) || older) {
        counter_add(room->rooms->counters, COUNT_LOG_REPEATED, 1); /* read from the log before, or of an old epoch */
        return;
    }
    hold(follow, message);
    follow_check(room);
}

/* The log has been read: what came meanwhile follows. What came before the log was located cannot be newer than that
 * answer, so that its epoch, if it is another, is an old one. */
static void release_held(struct room *room)
{
    struct follow *follow = &room->follow;
    struct held *held = follow->held;
    bool lost = follow->held_lost;
    uint32_t located = follow->locate_serial;
    follow->held = NULL;
    follow->held_lost = false;
    for (size_t at = 0; held && at < held->len;) {
        struct held_head head;
        memcpy(&head, held->data + at, sizeof head);
        struct bytes message = {held->data + at + sizeof head, head.len};
        at += sizeof head + head.len;
        struct envelope envelope;
        if (envelope_decode(message, &envelope) != ENVELOPE_OK)
            continue; /* it was decoded before it was held */
        if (follow->state == FOLLOW_LIVE)
            take_live(room, &envelope, message, (int32_t)(head.serial - located) < 0);
        else
            hold(follow, message);
    }
    free(held);
    if (lost)
        follow_check(room);
}

void follow_message(struct room *room, struct envelope *envelope, struct bytes message)
{
    struct follow *follow = &room->follow;
    switch ((enum follow_state)follow->state) {
    case FOLLOW_OFF:
        room_deliver(room, envelope);
        break;
    case FOLLOW_LOST:
        break; /* it is in the log, and will be read */
    case FOLLOW_LOCATING:
    case FOLLOW_READING:
        follow->heard = true;
        hold(follow, message);
        break;
    case FOLLOW_LIVE:
        follow->heard = true;
        take_live(room, envelope, message, false);
        break;
    }
}

void follow_skip(struct room *room, const struct envelope *envelope)
{
    struct follow *follow = &room->follow;
    if (follow->state == FOLLOW_LIVE && envelope->seq == follow->seq + 1 && is_epoch(follow->epoch, envelope->epoch))
        tell_gap(room, envelope->seq);
}

/* ---- asking */

static void ask_again(struct room *room, enum bus_result result)
{
    room->follow.again_ms = now_ms(room) + (result == BUS_DENIED ? DENIED_AGAIN_MS : LOST_AGAIN_MS);
    room_attend(room);
}

/* An answer has ended. Returns false when it is not the one that counts. */
static bool answer_counts(struct room *room, uint64_t tag)
{
    room->pending--;
    if (tag != room->follow.serial || room->follow.state == FOLLOW_LOST)
        return false;
    room->follow.asking = false;
    return true;
}

/* All is read: live from here on. */
static void finish(struct room *room)
{
    struct follow *follow = &room->follow;
    const struct located *located = follow->located;
    memcpy(follow->prev, located->prev, sizeof follow->prev);
    follow->prevtop = located->prevtop;
    follow->base = located->base;
    forget_located(follow);
    follow->state = FOLLOW_LIVE;
    follow->settled_serial = follow->locate_serial;
    publishes_settle(room);
    release_held(room);
    if (room->catching)
        catchup_room_moved(room);
    room_admit(room);
}

static void ask_read(struct room *room);
static void ask_locate(struct room *room);

static bool linked(const struct follow *follow)
{
    return strcmp(follow->located->prev, follow->epoch) == 0;
}

/* Passes over into the located epoch, whose first number is the next one. */
static void enter_located_epoch(struct room *room)
{
    struct follow *follow = &room->follow;
    const struct located *located = follow->located;
    bool is_linked = linked(follow);
    if (is_linked && follow->seq < located->prevtop)
        tell_gap(room, located->prevtop);
    follow->strayed = false;
    begin_epoch(room, bytes_of(located->epoch), located->base, is_linked);
}

static void on_entry(void *ctx, uint64_t tag, uint64_t seq, struct bytes message)
{
    struct room *room = ctx;
    struct follow *follow = &room->follow;
    if (tag != follow->serial || follow->state != FOLLOW_READING)
        return;
    follow->page++;
    follow->read_to = seq;
    struct envelope envelope;
    if (seq <= follow->seq)
        return;
    if (envelope_decode(message, &envelope) != ENVELOPE_OK || envelope.seq != seq) {
        counter_add(room->rooms->counters, COUNT_BUS_MALFORMED, 1); /* somebody else has written there: it is a gap */
        return;
    }
    if (!is_epoch(follow->epoch, envelope.epoch)) {
        follow->strayed = !is_epoch(follow->located->epoch, envelope.epoch);
        if (follow->strayed)
            begin_epoch(room, envelope.epoch, seq - 1, false); /* two epochs have begun meanwhile */
        else
            enter_located_epoch(room);
    }
    if (seq > follow->seq + 1)
        tell_gap(room, seq - 1);
    if (is_too_big(room, &envelope)) {
        counter_add(room->rooms->counters, COUNT_BUS_TOO_BIG, 1);
        tell_gap(room, seq);
        return;
    }
    counter_add(room->rooms->counters, COUNT_LOG_REPAIRED, 1);
    pass_on(room, &envelope, message);
}

static void on_read_end(void *ctx, uint64_t tag, enum bus_result result)
{
    struct room *room = ctx;
    struct follow *follow = &room->follow;
    if (!answer_counts(room, tag))
        return;
    if (result != BUS_OK) {
        ask_again(room, result);
        return;
    }
    if (follow->strayed) {
        ask_locate(room);
        return;
    }
    if (follow->page == follow_page(room) && follow->read_to < follow->located->seq) {
        ask_read(room);
        return;
    }
    if (!is_epoch(follow->epoch, bytes_of(follow->located->epoch)))
        enter_located_epoch(room);
    if (follow->seq < follow->located->seq)
        tell_gap(room, follow->located->seq); /* the log has expired */
    finish(room);
}

static void ask_read(struct room *room)
{
    static const struct bus_ask_events events = {.on_end = on_read_end, .on_entry = on_entry};
    struct follow *follow = &room->follow;
    follow->state = FOLLOW_READING;
    follow->asking = true;
    follow->again_ms = 0;
    follow->page = 0;
    room->pending++;
    struct bus_ask ask = {&events, room, ++follow->serial};
    /* Not beyond what was located: what came after that is held, and may be of an epoch that began since. */
    uint64_t after = follow->read_to > follow->seq ? follow->read_to : follow->seq;
    struct log_range range = {.after = after, .before = follow->located->seq + 1, .limit = follow_page(room)};
    bus_read(room->rooms->bus, room_name(room), &range, &ask);
}

/* Where the log stands is known: begin with it, read what is missing, or find that nothing is. */
static void on_located(struct room *room)
{
    struct follow *follow = &room->follow;
    const struct located *located = follow->located;
    if (!follow->epoch[0]) { /* nobody here has heard anything yet */
        memcpy(follow->epoch, located->epoch, sizeof follow->epoch);
        follow->seq = located->seq;
    } else if (ablated("no-catch-up")) {
        memcpy(follow->epoch, located->epoch, sizeof follow->epoch);
        follow->seq = located->seq;
        clear_ring(room);
    } else if (!is_epoch(follow->epoch, bytes_of(located->epoch)) && located->base <= follow->seq) {
        begin_epoch(room, bytes_of(located->epoch), located->base, false); /* the numbers have begun anew */
    }
    bool same = is_epoch(follow->epoch, bytes_of(located->epoch));
    if (same && located->seq <= follow->seq)
        finish(room);
    else
        ask_read(room);
}

static void on_position(void *ctx, uint64_t tag, const struct bus_position *position)
{
    struct room *room = ctx;
    struct follow *follow = &room->follow;
    if (tag != follow->serial || follow->state != FOLLOW_LOCATING)
        return;
    forget_located(follow);
    struct located *located = follow->located = xcalloc(1, sizeof *located);
    copy_epoch(located->epoch, position->epoch);
    copy_epoch(located->prev, position->prev);
    located->seq = position->seq;
    located->base = position->base;
    located->prevtop = position->prevtop;
}

static void on_locate_end(void *ctx, uint64_t tag, enum bus_result result)
{
    struct room *room = ctx;
    if (!answer_counts(room, tag))
        return;
    if (result == BUS_OK && room->follow.located)
        on_located(room);
    else
        ask_again(room, result);
}

static void ask_locate(struct room *room)
{
    static const struct bus_ask_events events = {.on_end = on_locate_end, .on_position = on_position};
    struct follow *follow = &room->follow;
    follow->state = FOLLOW_LOCATING;
    follow->asking = true;
    follow->strayed = false;
    follow->read_to = 0;
    follow->again_ms = 0;
    room->pending++;
    follow->locate_serial = ++follow->serial;
    struct bus_ask ask = {&events, room, follow->serial};
    bus_locate(room->rooms->bus, room_name(room), bytes_of(follow->epoch), follow->seq, &ask);
}

void follow_check(struct room *room)
{
    if (room->follow.state == FOLLOW_LIVE)
        ask_locate(room);
}

void follow_confirmed(struct room *room)
{
    if (room->follow.state == FOLLOW_LOST)
        ask_locate(room);
}

void follow_lost(struct room *room)
{
    struct follow *follow = &room->follow;
    if (follow->state == FOLLOW_OFF)
        return;
    follow->state = FOLLOW_LOST;
    follow->asking = false;
    follow->again_ms = follow->suspect = 0;
    forget_held(follow);
    forget_located(follow);
}

/* ---- the regular comparison */

static void on_peeked(void *ctx, uint64_t tag, const struct bus_position *position)
{
    struct room *room = ctx;
    struct follow *follow = &room->follow;
    (void)tag;
    if (room->presence) {
        presence_seen_version(room, position->pv);
        if (position->counted)
            presence_seen_own(room, position->own, position->own_listed);
    }
    if (follow->state != FOLLOW_LIVE)
        return;
    if (!is_epoch(follow->epoch, position->epoch) || position->seq < follow->seq) {
        follow_check(room);
    } else if (position->seq > follow->seq) {
        follow->suspect = position->seq;
        follow->suspect_ms = now_ms(room);
        room_attend(room);
    }
}

static void on_peek_end(void *ctx, uint64_t tag, enum bus_result result)
{
    (void)tag, (void)result; /* the next check comes in 10 s */
    ((struct room *)ctx)->pending--;
}

uint32_t follow_page(const struct room *room)
{
    size_t largest = room->rooms->max_message ? room->rooms->max_message : PAGE_BYTES;
    if (room->rule->log.bytes <= PAGE_BYTES)
        return PAGE_MAX;
    size_t fit = PAGE_BYTES / (largest + ENVELOPE_HEADER_MAX);
    return fit > PAGE_MAX ? PAGE_MAX : fit ? (uint32_t)fit : 1;
}

bool follow_rest(struct room *room)
{
    struct follow *follow = &room->follow;
    if (follow->rested == follow->seq)
        clear_ring(room);
    follow->rested = follow->seq;
    return follow->ring.count > 0;
}

void follow_peek(struct room *room)
{
    static const struct bus_ask_events events = {.on_end = on_peek_end, .on_position = on_peeked};
    if (room->follow.state == FOLLOW_OFF && !room->presence)
        return;
    room->pending++;
    if (room->presence)
        presence_expect_own(room);
    bus_peek(room->rooms->bus, room_name(room), &(struct bus_ask){&events, room, 0});
}

bool follow_sweep(struct room *room, uint64_t now)
{
    struct follow *follow = &room->follow;
    if (follow->heard)
        follow->heard_ms = now;
    follow->heard = false;
    if (follow->again_ms && now >= follow->again_ms) {
        if (follow->state == FOLLOW_READING)
            ask_read(room);
        else if (follow->state == FOLLOW_LOCATING)
            ask_locate(room);
    }
    if (follow->suspect && follow->seq >= follow->suspect)
        follow->suspect = 0;
    if (follow->suspect && now - follow->suspect_ms > SUSPECT_MS) {
        follow->suspect = 0;
        follow_check(room);
    }
    return follow->again_ms || follow->suspect;
}
