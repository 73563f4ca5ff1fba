/* catchup.c -- see catchup.h. */
#include "catchup.h"

#include "../../common/ablation.h"
#include "room_parts.h"

enum {
    PAGES_AT_ONCE = 2,         /* for one connection, however many rooms it comes back to: a page may be megabytes */
    OUTBOX_ENOUGH = 256 << 10, /* bytes that wait for a client: no more is read for it */
    GATHER_MAX = 64 << 10      /* bytes that go out in one send */
};

static const struct encoding *encoding_of(const struct participant *participant)
{
    return participant->member.target.audience->encoding;
}

static void stop_reading(struct participant *participant)
{
    participant->member.target.outlet->reading -= participant->reading;
    participant->reading = false;
}

/* ---- sending */

void catchup_send(struct room *room, struct participant *participant)
{
    struct block *block = participant->gathered;
    participant->gathered = NULL;
    if (!block)
        return;
    flush_send(room->rooms->flush, participant->member.target.outlet, block);
    block_unref(block);
}

/* The block that the next bytes go into, with room for so many. */
static struct block *gather(struct room *room, struct participant *participant, size_t bound)
{
    if (participant->gathered && participant->gathered->len + bound > GATHER_MAX)
        catchup_send(room, participant);
    struct block *block = participant->gathered;
    participant->gathered = block ? block_reserve(block, bound) : block_new(room->rooms->counters, bound);
    return participant->gathered;
}

static void gather_notice(struct room *room, struct participant *participant, struct notice *notice)
{
    const struct encoding *encoding = encoding_of(participant);
    notice->room = room_name(room);
    size_t bound = encoding->notice_bound ? encoding->notice_bound(encoding, notice) : 0;
    if (bound == 0)
        return;
    struct block *block = gather(room, participant, bound);
    block->len += (uint32_t)encoding->notice_encode(encoding, notice, block->data + block->len);
}

static void gather_ack(struct room *room, struct participant *participant, struct publish *publish)
{
    struct block *block = gather(room, participant, ACK_MAX);
    const struct member_events *events = room->rooms->events[MEMBER_PARTICIPANT];
    block->len += (uint32_t)events->write_ack(publish->request, publish->seq, block->data + block->len);
    publish_done(publish);
}

static void gather_gap_piece(struct room *room, struct participant *participant, uint64_t from, uint64_t to)
{
    struct notice notice = {.kind = NOTICE_GAP, .from = from, .to = to};
    if (from <= to)
        gather_notice(room, participant, &notice);
}

/* What the member has said itself is not missing to it: its ack stands there. */
static void gather_gap(struct room *room, struct participant *participant, uint64_t from, uint64_t to)
{
    struct publish *own;
    counter_add(room->rooms->counters, COUNT_LOG_GAPS, 1);
    while ((own = publishes_within(room, participant->member.target.id, from, to)) != NULL) {
        gather_gap_piece(room, participant, from, own->seq - 1);
        from = own->seq + 1;
        gather_ack(room, participant, own);
    }
    gather_gap_piece(room, participant, from, to);
}

static void gather_epoch_of(struct room *room, struct participant *participant, struct bytes epoch, uint64_t base,
                            bool lossy)
{
    struct notice notice = {.kind = NOTICE_EPOCH, .epoch = epoch, .from = base, .lossy = lossy};
    gather_notice(room, participant, &notice);
    size_t len = epoch.len < EPOCH_MAX ? epoch.len : EPOCH_MAX;
    if (len)
        memcpy(participant->epoch, epoch.data, len);
    participant->epoch[len] = '\0';
    participant->epoch_base = base;
}

static void gather_epoch(struct room *room, struct participant *participant)
{
    const struct follow *follow = &room->follow;
    bool lossy = strcmp(participant->epoch, follow->prev) != 0;
    gather_epoch_of(room, participant, bytes_of(follow->epoch), follow->base, lossy);
}

/* The message is of an epoch behind the one that the participant was told of. (One who has taken up a position in the
 * epoch before that gets what is left of that first: lower numbers.) */
static bool is_behind_its_epoch(const struct participant *participant, const struct envelope *envelope)
{
    return envelope->seq > participant->epoch_base && !bytes_equal(envelope->epoch, bytes_of(participant->epoch));
}

/* Goes on with the room's epoch, whatever was missed before. */
static void start_over(struct room *room, struct participant *participant)
{
    const struct follow *follow = &room->follow;
    stop_reading(participant);
    participant->cursor = follow->base;
    gather_epoch_of(room, participant, bytes_of(follow->epoch), follow->base, true);
}

/* What is left of the epoch before the room's is no longer in the log. Between two epochs there are numbers that nobody
 * has ever had. */
static void pass_into_epoch(struct room *room, struct participant *participant)
{
    const struct follow *follow = &room->follow;
    if (participant->cursor < follow->prevtop)
        gather_gap(room, participant, participant->cursor + 1, follow->prevtop);
    if (strcmp(participant->epoch, follow->epoch) != 0)
        gather_epoch(room, participant);
    participant->cursor = follow->base;
}

/* What lies between the cursor and seq, whose epoch is the room's or an earlier one, is no longer in the log. */
static void gather_missing(struct room *room, struct participant *participant, uint64_t seq, bool current)
{
    if (current && participant->cursor < room->follow.base)
        pass_into_epoch(room, participant);
    if (seq > participant->cursor + 1)
        gather_gap(room, participant, participant->cursor + 1, seq - 1);
}

/* The message is the member's own, sent over this connection: its ack stands for it. */
static bool gather_own(struct room *room, struct participant *participant, const struct envelope *envelope)
{
    struct publish *publish = publishes_find(room, envelope);
    if (!publish)
        return false;
    gather_ack(room, participant, publish);
    return true;
}

static void gather_message(struct room *room, struct participant *participant, struct envelope *envelope)
{
    const struct follow *follow = &room->follow;
    bool current = bytes_equal(envelope->epoch, bytes_of(follow->epoch));
    if (!current && is_behind_its_epoch(participant, envelope)) { /* and before the room's */
        gather_epoch_of(room, participant, envelope->epoch, envelope->seq - 1, true);
        participant->cursor = envelope->seq - 1;
    }
    gather_missing(room, participant, envelope->seq, current);
    participant->cursor = envelope->seq;
    envelope->room = room_name(room);
    if (envelope->member == participant->member.target.id && gather_own(room, participant, envelope))
        return;
    const struct encoding *encoding = encoding_of(participant);
    size_t bound = encoding->bound(encoding, envelope);
    if (bound == 0)
        return;
    struct block *block = gather(room, participant, bound);
    block->len += (uint32_t)encoding->encode(encoding, envelope, block->data + block->len);
    counter_add(room->rooms->counters, COUNT_DELIVERIES, 1);
    counter_add(room->rooms->counters, COUNT_LOG_REPLAYED, 1);
}

/* ---- the list of those that are behind */

static void link_in(struct room *room, struct participant *participant)
{
    participant->catching_next = room->catching;
    participant->catching_at = &room->catching;
    if (room->catching)
        room->catching->catching_at = &participant->catching_next;
    room->catching = participant;
}

void catchup_end(struct room *room, struct participant *participant)
{
    catchup_send(room, participant);
    *participant->catching_at = participant->catching_next;
    if (participant->catching_next)
        participant->catching_next->catching_at = participant->catching_at;
    participant->catching_next = NULL;
    participant->catching_at = NULL;
    stop_reading(participant);
}

static void go_live(struct room *room, struct participant *participant)
{
    struct member *member = &participant->member;
    if (strcmp(participant->epoch, room->follow.epoch) != 0)
        gather_epoch(room, participant);
    catchup_end(room, participant);
    member->state = MEMBER_IN;
    audience_add(member->target.audience, &member->target);
    publishes_settle(room);
}

/* ---- pages of the log */

/* Who a page was read for; NULL when it is not there any more, or no longer waits for that one. */
static struct participant *reader_of(struct room *room, uint64_t tag)
{
    uint64_t id = (uint64_t)room->rooms->bus->gateway << 32 | tag >> 32;
    struct member *member = directory_find(&room->rooms->directory, id, room);
    if (!member || member->kind != MEMBER_PARTICIPANT || member->state != MEMBER_CATCHING)
        return NULL;
    struct participant *participant = participant_of(member);
    return participant->reading && participant->page_serial == (uint32_t)tag ? participant : NULL;
}

/* An epoch that the room has not heard of may be an old one, or the log has begun anew while it was read. It is an old
 * one when the log was located after that, and had another. */
static bool is_unknown(const struct room *room, const struct participant *participant, const struct envelope *envelope)
{
    bool located = (int32_t)(room->follow.settled_serial - participant->doubted_serial) > 0;
    if (located && bytes_equal(envelope->epoch, bytes_of(participant->doubted)))
        return false;
    const char *known[] = {room->follow.epoch, room->follow.prev, participant->epoch, participant->resume.epoch};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (bytes_equal(envelope->epoch, bytes_of(known[i])))
            return false;
    }
    return true;
}

/* The log is located anew, and read again then. */
static void doubt(struct room *room, struct participant *participant, struct bytes epoch)
{
    size_t len = epoch.len < EPOCH_MAX ? epoch.len : EPOCH_MAX;
    if (len)
        memcpy(participant->doubted, epoch.data, len);
    participant->doubted[len] = '\0';
    participant->doubted_serial = room->follow.serial;
    stop_reading(participant); /* the rest of the page is for nobody */
    follow_check(room);
    room_attend(room); /* the sweep pumps again */
}

/* Behind the room's epoch, of which the participant was told, there is nothing old. */
static bool is_out_of_place(const struct room *room, const struct participant *participant,
                            const struct envelope *envelope)
{
    return is_behind_its_epoch(participant, envelope) && strcmp(participant->epoch, room->follow.epoch) == 0;
}

static void on_entry(void *ctx, uint64_t tag, uint64_t seq, struct bytes message)
{
    struct room *room = ctx;
    struct participant *participant = reader_of(room, tag);
    struct envelope envelope;
    if (!participant)
        return;
    participant->page_read = seq;
    participant->page_count++;
    if (seq <= participant->cursor || envelope_decode(message, &envelope) != ENVELOPE_OK || envelope.seq != seq ||
        is_too_big(room, &envelope))
        return; /* a gap */
    if (is_unknown(room, participant, &envelope))
        doubt(room, participant, envelope.epoch);
    else if (!is_out_of_place(room, participant, &envelope))
        gather_message(room, participant, &envelope);
}

static void on_page_end(void *ctx, uint64_t tag, enum bus_result result)
{
    struct room *room = ctx;
    room->pending--;
    struct participant *participant = reader_of(room, tag);
    if (!participant)
        return;
    stop_reading(participant);
    if (result != BUS_OK) {
        room_attend(room); /* the sweep pumps again */
        return;
    }
    uint64_t asked_up_to = participant->page_end;
    if (participant->cursor < participant->page_start || participant->cursor > asked_up_to)
        return;
    if (participant->cursor == participant->page_start) { /* nothing of it is left, or of use */
        uint64_t to = participant->page_count == follow_page(room) ? participant->page_read : asked_up_to;
        gather_missing(room, participant, to + 1, to >= room->follow.base);
        participant->cursor = to;
    }
    catchup_pump(room, participant);
    const struct member_events *events = room->rooms->events[MEMBER_PARTICIPANT];
    if (events->on_page)
        events->on_page(room->rooms->ctx, &participant->member);
}

static void ask_page(struct room *room, struct participant *participant)
{
    static const struct bus_ask_events events = {.on_end = on_page_end, .on_entry = on_entry};
    participant->reading = true;
    participant->member.target.outlet->reading++;
    participant->page_serial = ++room->rooms->last_page;
    participant->page_count = 0;
    participant->page_start = participant->cursor;
    participant->page_end = room->follow.seq;
    room->pending++;
    uint64_t tag = participant->member.target.id << 32 | participant->page_serial;
    struct log_range range = {.after = participant->cursor, .before = room->follow.seq + 1, .limit = follow_page(room)};
    bus_read(room->rooms->bus, room_name(room), &range, &(struct bus_ask){&events, room, tag});
}

/* ---- pumping */

static bool has_room(const struct participant *participant)
{
    const struct outlet *outlet = participant->member.target.outlet;
    return !outlet->closed && (!outlet->box || outlet->box->bytes < OUTBOX_ENOUGH);
}

void catchup_pump(struct room *room, struct participant *participant)
{
    uint64_t before = participant->cursor;
    for (;;) {
        if (participant->cursor >= room->follow.seq) {
            go_live(room, participant);
            return;
        }
        if (!has_room(participant))
            break;
        struct envelope envelope;
        struct bytes next = ring_get(&room->follow.ring, participant->cursor + 1);
        if (next.len && envelope_decode(next, &envelope) == ENVELOPE_OK) {
            gather_message(room, participant, &envelope);
            continue;
        }
        if (!participant->reading && participant->member.target.outlet->reading < PAGES_AT_ONCE)
            ask_page(room, participant);
        break;
    }
    catchup_send(room, participant);
    if (participant->cursor != before)
        publishes_settle(room);
}

void catchup_begin(struct room *room, struct participant *participant, uint64_t cursor)
{
    participant->member.state = MEMBER_CATCHING;
    participant->cursor = ablated("no-catch-up") ? room->follow.seq : cursor;
    memcpy(participant->epoch, room->follow.epoch, sizeof participant->epoch);
    participant->epoch_base = room->follow.base;
    link_in(room, participant);
    catchup_pump(room, participant);
}

void catchup_room_moved(struct room *room)
{
    for (struct participant *at = room->catching, *next; at; at = next) {
        next = at->catching_next;
        if (!at->reading)
            catchup_pump(room, at);
    }
}

void catchup_room_renewed(struct room *room, bool linked)
{
    for (struct participant *at = room->catching; at; at = at->catching_next) {
        if (linked)
            continue; /* it will get there by reading on */
        start_over(room, at);
    }
}
