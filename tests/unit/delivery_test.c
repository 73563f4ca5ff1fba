/* delivery_test.c -- whatever happens, each target is sent exactly what was appended while it was in, but its own, and
 * in place of its own what stands for it: once, in order, in whole frames.
 *
 * A model test: listeners join, leave, block, break and end while audiences are appended to and flushes are
 * interrupted, all drawn from a seed. Beside it stands a model that knows nothing of blocks, batches and skips: for
 * each listener and channel the list of message numbers that it has to be sent. Every byte that arrives is held against
 * it at once; what waits in an outbox is held against it when a listener leaves and when a flush is complete.
 *
 * A failure prints its seed and step. DELIVERY_SEED=0x... takes the place of the fresh seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/delivery_world.h"
#include "support/numbered_frame.h"

enum {
    LISTENERS = 80,
    AUDIENCES = 4,
    REPLIES = AUDIENCES, /* the channel of what is sent to one listener alone */
    CHANNELS,
    SEEDS = 400,
    STEPS = 2000,
    BURST = 150,
    BUDGET_NS = 1000,
    INSTEAD_MAX = 60
};

/* In the number of a frame that is not counted as a delivery: an ack, a notice, an aside. */
static const uint32_t extra = UINT32_C(1) << 31;

/* ---- the model */

/* What one listener has to be sent of one audience, over all its memberships there. */
struct channel {
    uint32_t *numbers;
    uint32_t count, cap;
    uint32_t flushed; /* of them were there when the last complete flush ended */
};

struct listener {
    struct peer peer; /* first */
    struct target targets[AUDIENCES];
    bool in[AUDIENCES];
    struct channel channels[CHANNELS];
    struct reading reading; /* of what arrived */
    size_t heard;           /* bytes */
    size_t frozen;          /* bytes given to it, sent or waiting, when it got into trouble */
    bool troubled;
};

/* What a seed chooses once. */
struct character {
    uint32_t listeners, audiences;
    uint32_t id_stride;
    uint32_t body_max;
    uint32_t room_max; /* bytes that a blocked socket gets at a time */
    uint32_t block_percent, break_percent, ending_percent;
};

enum op {
    SAY,
    BURST_OF_ONE, /* many messages of one sender among others */
    JOIN,
    LEAVE,  /* in good order: settled */
    VANISH, /* not settled */
    END,    /* of the connection */
    FLUSH,
    FLUSH_HURRIED,
    UNBLOCK,
    BLOCK,
    BREAK,
    REPLY,
    NOTICE,
    ASIDE,
    REOPEN, /* of the room */
    SWEEP,
    OPS
};

struct model {
    uint64_t seed;
    uint32_t step;
    struct dice dice;
    struct character character;
    uint32_t weights[OPS], weight;
    struct world world;
    struct audience *audiences[AUDIENCES];
    struct listener listeners[LISTENERS];
    uint32_t last_number;
    uint64_t next_id;
    uint64_t heard;      /* bytes, of all listeners there were */
    uint64_t deliveries; /* frames of audiences, likewise */
    bool troubled;       /* somebody was */
};

static struct model model;

/* Over all seeds: that the interesting things were met at all. */
static struct {
    uint64_t interrupted, left_in_a_flush, joined_in_a_flush, settled_partly, full, slow, broken, long_skips, messages;
    uint64_t instead, asides, came_back;
} met;

#define hold(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail_msg("seed 0x%016llx, step %u: %s does not hold", (unsigned long long)model.seed, model.step,          \
                     #condition);                                                                                      \
    } while (0)

static uint32_t roll(uint32_t bound)
{
    return dice_below(&model.dice, bound);
}

static bool chance(uint32_t percent)
{
    return dice_percent(&model.dice, percent);
}

static void expect(struct listener *listener, uint32_t channel, uint32_t number)
{
    struct channel *to = &listener->channels[channel];
    if (to->count == to->cap) {
        to->cap = to->cap ? 2 * to->cap : 64;
        to->numbers = xrealloc(to->numbers, to->cap * sizeof *to->numbers);
    }
    to->numbers[to->count++] = number;
}

static bool comes_next(const void *ctx, const struct message *message, uint32_t place)
{
    const struct listener *listener = ctx;
    if (message->channel >= CHANNELS)
        return false;
    const struct channel *channel = &listener->channels[message->channel];
    return place < channel->count && channel->numbers[place] == message->number;
}

static void hear(struct peer *peer, const uint8_t *data, size_t len)
{
    struct listener *listener = (struct listener *)peer;
    bool as_expected = reading_take(&listener->reading, data, len, comes_next, listener);
    hold(as_expected);
    listener->heard += len;
    model.heard += len;
}

static size_t waiting(const struct listener *listener)
{
    return listener->peer.outlet.box ? listener->peer.outlet.box->bytes : 0;
}

/* Reads on through what waits: all that was ever given to the listener, in whole frames. */
static struct reading all_given(const struct listener *listener)
{
    struct reading reading = listener->reading;
    const struct outbox *box = listener->peer.outlet.box;
    if (!box) {
        hold(reading.have == 0);
        return reading;
    }
    struct iovec *pieces = xmalloc(box->count * sizeof *pieces);
    int count = outbox_peek(box, pieces, (int)box->count);
    size_t bytes = 0;
    for (int i = 0; i < count; i++) {
        bool as_expected = reading_take(&reading, pieces[i].iov_base, pieces[i].iov_len, comes_next, listener);
        hold(as_expected);
        bytes += pieces[i].iov_len;
    }
    free(pieces);
    hold(bytes == waiting(listener));
    hold(reading.have == 0);
    return reading;
}

static bool anything_to_flush(uint32_t channel)
{
    return channel < model.character.audiences &&
           (model.audiences[channel]->open.block || model.audiences[channel]->sealed.block);
}

static void assert_has_all(const struct listener *listener, uint32_t channel)
{
    struct reading reading = all_given(listener);
    hold(reading.frames[channel] == listener->channels[channel].count);
}

/* ---- what happens */

static void listener_begin(struct listener *listener)
{
    listener->peer = (struct peer){.room = SIZE_MAX, .hear = hear};
    if (chance(model.character.block_percent))
        listener->peer.room = roll(model.character.room_max);
    if (chance(30))
        listener->peer.most = 1 + roll(100);
    listener->reading = (struct reading){.have = 0};
    listener->heard = listener->frozen = 0;
    listener->troubled = false;
    for (uint32_t i = 0; i < CHANNELS; i++)
        listener->channels[i].count = listener->channels[i].flushed = 0;
}

static bool in_its_middle(const struct audience *audience)
{
    return audience->sealed.block && audience->cursor > 0;
}

static void join(struct listener *listener, uint32_t channel)
{
    if (listener->in[channel] || listener->peer.outlet.closed)
        return;
    struct target *target = &listener->targets[channel];
    bool back = target->id && chance(50); /* under the id that it had */
    *target = (struct target){.outlet = &listener->peer.outlet, .id = back ? target->id : model.next_id};
    if (!back)
        model.next_id += model.character.id_stride ? model.character.id_stride : 1 + roll(100);
    met.came_back += back && model.audiences[channel]->open.block;
    met.joined_in_a_flush += in_its_middle(model.audiences[channel]);
    audience_add(model.audiences[channel], target);
    listener->in[channel] = true;
}

static void assert_in_place(const struct audience *audience)
{
    for (uint32_t i = 0; i < audience->count; i++) {
        hold(audience->targets[i]->index == i);
        hold(audience->targets[i]->audience == audience);
    }
}

/* settle: it gets all that came before; otherwise it gets at least what a complete flush had brought out, and of the
 * rest what it had been given already. */
static void leave(struct listener *listener, uint32_t channel, bool settle)
{
    if (!listener->in[channel])
        return;
    struct audience *audience = model.audiences[channel];
    struct channel *of = &listener->channels[channel];
    met.left_in_a_flush += in_its_middle(audience);
    if (settle) {
        bool half = audience->sealed.block && audience->open.block;
        met.settled_partly += half;
        flush_settle(&model.world.flush, &listener->targets[channel]);
        if (!listener->peer.outlet.closed)
            assert_has_all(listener, channel);
    }
    audience_remove(&listener->targets[channel]);
    listener->in[channel] = false;
    assert_in_place(audience);
    if (!listener->peer.outlet.closed) {
        struct reading reading = all_given(listener);
        hold(reading.frames[channel] >= of->flushed);
        of->count = reading.frames[channel];
        of->flushed = of->count;
    }
}

/* Its connection goes: out of everything, and what waits is dropped. */
static void end(struct listener *listener)
{
    bool settle = chance(50);
    for (uint32_t i = 0; i < model.character.audiences; i++)
        leave(listener, i, settle);
    struct reading reading = all_given(listener);
    for (uint32_t i = 0; i < AUDIENCES; i++)
        for (uint32_t k = 0; k < reading.frames[i]; k++)
            model.deliveries += !(listener->channels[i].numbers[k] & extra);
    model.troubled |= listener->peer.outlet.closed; /* its last messages may have been too much for it */
    flush_discard(&model.world.flush, &listener->peer.outlet);
    hold(!listener->peer.outlet.box);
    listener_begin(listener);
}

/* A sender: nobody, a member, a member of another audience, or an id that looks like a member's modulo 64. */
static uint64_t some_sender(uint32_t channel)
{
    const struct listener *listener = &model.listeners[roll(model.character.listeners)];
    uint32_t kind = roll(100);
    if (kind < 30)
        return 0;
    if (kind < 45)
        channel = roll(model.character.audiences);
    uint64_t id = listener->targets[channel].id;
    return kind < 60 && id > 64 * 3 ? id - 64 * (uint64_t)roll(3) : id;
}

/* All that are in are to get the frame, and the sender what stands in its place: 0, nothing. */
static void expect_of_all(uint32_t channel, uint32_t number, uint64_t sender, uint32_t instead)
{
    for (uint32_t i = 0; i < model.character.listeners; i++) {
        struct listener *listener = &model.listeners[i];
        if (!listener->in[channel])
            continue;
        bool own = sender && listener->targets[channel].id == sender;
        if (!own)
            expect(listener, channel, number);
        else if (instead)
            expect(listener, channel, instead);
    }
}

/* A frame for one alone, in its channel. */
static struct bytes extra_frame(uint32_t channel, uint8_t *out, uint32_t *number)
{
    *number = ++model.last_number | extra;
    struct message message = {*number, (uint16_t)roll(INSTEAD_MAX - FRAME_HEAD), (uint8_t)channel};
    size_t len = frame_write(&message, out);
    return (struct bytes){(const char *)out, len};
}

static void say(uint32_t channel, uint64_t sender)
{
    uint8_t frame[INSTEAD_MAX];
    uint32_t instead = 0;
    struct bytes ack = {NULL, 0};
    if (chance(50))
        ack = extra_frame(channel, frame, &instead);
    struct audience *audience = model.audiences[channel];
    struct message message = {.number = ++model.last_number, .len = 0, .channel = (uint8_t)channel};
    if (model.character.body_max)
        message.len = (uint16_t)(chance(1) ? roll(FRAME_BODY_MAX) : roll(model.character.body_max));
    struct envelope envelope = {.kind = chance(5) ? ENVELOPE_PRESENCE : ENVELOPE_BINARY,
                                .payload = {(const char *)&message, sizeof message}};
    bool carried = audience_append_instead(audience, &envelope, sender, ack);
    hold(carried == (envelope.kind == ENVELOPE_BINARY));
    if (!carried)
        return;
    flush_queue(&model.world.flush, audience);
    met.messages++;
    met.instead += sender && instead;
    expect_of_all(channel, message.number, sender, instead);
}

static void notice(uint32_t channel, uint64_t except)
{
    struct audience *audience = model.audiences[channel];
    struct message message = {.number = ++model.last_number | extra, .channel = (uint8_t)channel};
    message.len = (uint16_t)roll(100);
    struct notice notice = {.kind = NOTICE_JOINED, .value = {(const char *)&message, sizeof message}};
    hold(audience_notice(audience, &notice, except));
    flush_queue(&model.world.flush, audience);
    expect_of_all(channel, message.number, except, 0);
}

static void aside(struct listener *listener, uint32_t channel)
{
    if (!listener->in[channel] || listener->peer.outlet.closed)
        return;
    uint8_t frame[INSTEAD_MAX];
    uint32_t number;
    struct bytes bytes = extra_frame(channel, frame, &number);
    expect(listener, channel, number);
    if (audience_aside(&listener->targets[channel], bytes)) {
        met.asides++;
        flush_queue(&model.world.flush, model.audiences[channel]);
        return;
    }
    struct block *block = block_new(&model.world.counters, bytes.len);
    memcpy(block->data, bytes.data, bytes.len);
    block->len = (uint32_t)bytes.len;
    flush_send(&model.world.flush, &listener->peer.outlet, block);
    block_unref(block);
}

static void burst(uint32_t channel)
{
    uint64_t sender = some_sender(channel);
    uint32_t count = roll(BURST);
    met.long_skips += sender && count > 130;
    for (uint32_t i = 0; i < count; i++)
        say(channel, i % 2 ? sender : 0);
}

static void flush(uint64_t looks)
{
    model.world.tick_ns = looks ? BUDGET_NS / looks + 1 : 0;
    bool more = flush_run(&model.world.flush);
    model.world.tick_ns = 0;
    hold(looks || !more);
    hold(more == (model.world.flush.first != NULL));
    met.interrupted += more;
    if (more)
        return;
    for (uint32_t i = 0; i < model.character.listeners; i++) {
        struct listener *listener = &model.listeners[i];
        if (listener->peer.outlet.closed)
            continue;
        bool look = !listener->peer.outlet.box || chance(20); /* at all that waits: that takes its time */
        struct reading reading = look ? all_given(listener) : listener->reading;
        for (uint32_t channel = 0; channel < CHANNELS; channel++) {
            hold(!anything_to_flush(channel));
            hold(!look || reading.frames[channel] == listener->channels[channel].count);
            listener->channels[channel].flushed = listener->channels[channel].count;
        }
    }
}

static void unblock(struct listener *listener)
{
    if (listener->peer.broken)
        return;
    listener->peer.room = chance(30) ? SIZE_MAX : roll(model.character.room_max);
    if (listener->peer.outlet.box)
        flush_outlet(&model.world.flush, &listener->peer.outlet);
}

/* A few frames for one alone; sometimes only a part of the block is for it. */
static void reply(struct listener *listener)
{
    struct message messages[3];
    struct block *block = block_new(&model.world.counters, 3 * (FRAME_HEAD + 20));
    uint32_t count = 1 + roll(3);
    for (uint32_t i = 0; i < count; i++) {
        messages[i] = (struct message){++model.last_number, (uint16_t)roll(20), REPLIES};
        block->len += (uint32_t)frame_write(&messages[i], block->data + block->len);
        if (!listener->peer.outlet.closed)
            expect(listener, REPLIES, messages[i].number);
    }
    flush_send(&model.world.flush, &listener->peer.outlet, block);
    block_unref(block);
    if (!listener->peer.outlet.closed && chance(20))
        assert_has_all(listener, REPLIES);
}

/* The room is given up and opened anew. */
static void reopen(uint32_t channel)
{
    bool settle = chance(50);
    for (uint32_t i = 0; i < model.character.listeners; i++)
        leave(&model.listeners[i], channel, settle);
    flush_forget(&model.world.flush, model.audiences[channel]);
    audience_free(model.audiences[channel]);
    model.audiences[channel] = audience_new(&numbered_encoding, &model.world.counters);
}

static void sweep(void)
{
    world_advance_ms(&model.world, roll(1500));
    for (uint32_t i = 0; i < model.character.listeners; i++)
        flush_check_slow(&model.world.flush, &model.listeners[i].peer.outlet);
}

static void act(enum op op)
{
    struct listener *listener = &model.listeners[roll(model.character.listeners)];
    uint32_t channel = roll(model.character.audiences);
    switch (op) {
    case SAY:
        say(channel, some_sender(channel));
        break;
    case BURST_OF_ONE:
        burst(channel);
        break;
    case JOIN:
        join(listener, channel);
        break;
    case LEAVE:
        leave(listener, channel, true);
        break;
    case VANISH:
        leave(listener, channel, false);
        break;
    case END:
        end(listener);
        break;
    case FLUSH:
        flush(0);
        break;
    case FLUSH_HURRIED:
        flush(1 + roll(chance(50) ? 1 : 5));
        break;
    case UNBLOCK:
        unblock(listener);
        break;
    case BLOCK:
        if (chance(model.character.block_percent))
            listener->peer.room = roll(100);
        break;
    case BREAK:
        if (chance(model.character.break_percent))
            listener->peer.error = UV_EPIPE;
        break;
    case REPLY:
        reply(listener);
        break;
    case NOTICE:
        notice(channel, some_sender(channel));
        break;
    case ASIDE:
        for (uint32_t i = 1 + roll(chance(10) ? 100 : 2); i-- > 0;)
            aside(listener, channel);
        break;
    case REOPEN:
        reopen(channel);
        break;
    case SWEEP:
        sweep();
        break;
    case OPS:
        break;
    }
}

/* ---- after each step */

static void look_at_troubles(struct listener *listener)
{
    const struct peer *peer = &listener->peer;
    hold(peer->broken <= 1 && peer->full + peer->slow <= 1);
    hold(peer->outlet.closed == (peer->broken + peer->full + peer->slow > 0));
    if (!peer->outlet.closed)
        return;
    if (!listener->troubled) {
        listener->troubled = model.troubled = true;
        listener->frozen = listener->heard + waiting(listener);
        met.broken += (uint64_t)peer->broken;
        met.full += (uint64_t)peer->full;
        met.slow += (uint64_t)peer->slow;
    }
    hold(listener->heard + waiting(listener) == listener->frozen); /* nothing more is given to it */
    if (chance(model.character.ending_percent))
        end(listener);
}

static void look_at_everything(void)
{
    uint64_t outboxes = 0;
    for (uint32_t i = 0; i < model.character.listeners; i++) {
        look_at_troubles(&model.listeners[i]);
        outboxes += waiting(&model.listeners[i]);
    }
    hold(world_gauge(&model.world, GAUGE_OUTBOX_BYTES) == outboxes);
    hold(world_gauge(&model.world, COUNT_BYTES_OUT) == model.heard);
}

/* ---- a seed's whole life */

static void choose_character(struct flush_limits *limits)
{
    static const uint32_t strides[] = {1, 64, 63, 0, 128}, bodies[] = {0, 20, 20, 200}, crowds[] = {4, 50, LISTENERS};
    struct character *character = &model.character;
    character->listeners = 1 + roll(crowds[roll(3)]);
    character->audiences = 1 + roll(AUDIENCES);
    character->id_stride = strides[roll(5)];
    character->body_max = bodies[roll(4)];
    character->room_max = 1 + roll(chance(50) ? 40 : 2000);
    character->block_percent = chance(20) ? 0 : roll(100);
    character->break_percent = chance(50) ? 0 : roll(30);
    character->ending_percent = 1 + roll(60);
    bool bounded = chance(50);
    *limits = (struct flush_limits){
        .hard_bytes = bounded ? 200 + roll(20000) : 64 << 20, .soft_ms = 500 + roll(5000), .budget_ns = BUDGET_NS};
    limits->soft_bytes = bounded ? limits->hard_bytes / (1 + roll(4)) : limits->hard_bytes;
    static const uint32_t usual[OPS] = {
        [SAY] = 30,   [BURST_OF_ONE] = 1,  [JOIN] = 50,    [LEAVE] = 10, [VANISH] = 6, [END] = 2,
        [FLUSH] = 1,  [FLUSH_HURRIED] = 8, [UNBLOCK] = 16, [BLOCK] = 5,  [BREAK] = 3,  [REPLY] = 6,
        [REOPEN] = 1, [SWEEP] = 2,         [NOTICE] = 6,   [ASIDE] = 8};
    model.weight = 0;
    for (int op = 0; op < OPS; op++) {
        model.weights[op] = usual[op] * (1 + roll(8));
        model.weight += model.weights[op];
    }
}

static enum op some_op(void)
{
    uint32_t at = roll(model.weight);
    int op = 0;
    for (; at >= model.weights[op]; op++)
        at -= model.weights[op];
    return (enum op)op;
}

/* All go; then nothing may be held, and the counts are those of the model. */
static void finish(void)
{
    for (uint32_t i = 0; i < model.character.listeners; i++) {
        struct listener *listener = &model.listeners[i];
        while (chance(80) && listener->peer.outlet.box && !listener->peer.error && !listener->peer.broken) {
            listener->peer.room = SIZE_MAX;
            flush_outlet(&model.world.flush, &listener->peer.outlet);
        }
        end(listener);
        for (uint32_t channel = 0; channel < CHANNELS; channel++)
            free(listener->channels[channel].numbers);
    }
    for (uint32_t i = 0; i < model.character.audiences; i++) {
        hold(model.audiences[i]->count == 0);
        if (chance(50))
            flush_run(&model.world.flush);
        flush_forget(&model.world.flush, model.audiences[i]);
        audience_free(model.audiences[i]);
    }
    hold(!model.world.flush.first && !model.world.flush.last);
    hold(world_gauge(&model.world, GAUGE_BLOCK_BYTES) == 0);
    hold(world_gauge(&model.world, GAUGE_OUTBOX_BYTES) == 0);
    hold(world_gauge(&model.world, COUNT_BYTES_OUT) == model.heard);
    hold(model.troubled || world_gauge(&model.world, COUNT_DELIVERIES) == model.deliveries);
}

static void run_seed(uint64_t seed)
{
    memset(&model, 0, sizeof model);
    model.seed = seed;
    model.dice.state = seed;
    model.next_id = 1 + roll(200);
    struct flush_limits limits;
    choose_character(&limits);
    world_init(&model.world, &limits);
    for (uint32_t i = 0; i < model.character.audiences; i++)
        model.audiences[i] = audience_new(&numbered_encoding, &model.world.counters);
    for (uint32_t i = 0; i < model.character.listeners; i++)
        listener_begin(&model.listeners[i]);
    for (; model.step < STEPS; model.step++) {
        act(some_op());
        look_at_everything();
    }
    finish();
}

static void every_target_gets_exactly_its_messages_in_order_and_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_seed(seed);
    assert_true(met.messages > 100000); /* or too little happened */
    assert_true(met.interrupted > 1000);
    assert_true(met.joined_in_a_flush > 1000);
    assert_true(met.left_in_a_flush > 1000);
    assert_true(met.settled_partly > 100);
    assert_true(met.long_skips > 100);
    assert_true(met.instead > 10000 && met.asides > 10000 && met.came_back > 1000);
    assert_true(met.broken > 100 && met.full > 100 && met.slow > 10);
}

static void and_with_a_seed_that_no_run_had_before(void **state)
{
    (void)state;
    const char *given = getenv("DELIVERY_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : dice_fresh_seed();
    print_message("fresh seed: 0x%016llx\n", (unsigned long long)seed);
    run_seed(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_target_gets_exactly_its_messages_in_order_and_once),
        cmocka_unit_test(and_with_a_seed_that_no_run_had_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
