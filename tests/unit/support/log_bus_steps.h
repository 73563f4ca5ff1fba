/* log_bus_steps.h -- what a test makes happen on a log_bus (which includes this). Each returns false when there was
 * nothing to do. */
#ifndef PLENUM_TESTS_UNIT_SUPPORT_LOG_BUS_STEPS_H
#define PLENUM_TESTS_UNIT_SUPPORT_LOG_BUS_STEPS_H

/* ---- the server */

static inline struct fake_part *part_add(struct fake_command *command, int kind)
{
    if (command->part_count == command->part_cap) {
        command->part_cap = command->part_cap ? 2 * command->part_cap : 4;
        command->parts = xrealloc(command->parts, command->part_cap * sizeof *command->parts);
    }
    struct fake_part *part = &command->parts[command->part_count++];
    memset(part, 0, sizeof *part);
    part->kind = kind;
    return part;
}

static inline void add_position(struct fake_command *command, bool known)
{
    struct fake_room *room = command->room;
    struct bus_position *position = &part_add(command, PART_POSITION)->position;
    *position = (struct bus_position){.seq = room->seq, .pv = room->pv, .known = known};
    if (!room->begun)
        return;
    struct fake_epoch *epoch = fake_epoch(room);
    position->epoch = bytes_of(epoch->name);
    position->base = epoch->base;
    if (epoch->linked)
        position->prev = bytes_of(epoch[-1].name);
    position->prevtop = epoch->prevtop;
}

static inline bool is_in_range(const struct fake_message *message, const struct log_range *range)
{
    return message->there && message->seq > range->after && (!range->before || message->seq < range->before);
}

static inline void add_entries(struct fake_command *command)
{
    const struct fake_room *room = command->room;
    uint32_t found = 0;
    for (uint32_t i = room->first; i < room->count && found < command->range.limit; i++) {
        uint32_t at = command->range.backwards ? room->count - 1 - (i - room->first) : i;
        const struct fake_message *message = &room->messages[at];
        if (!is_in_range(message, &command->range))
            continue;
        struct fake_part *part = part_add(command, PART_ENTRY);
        part->number = message->seq;
        part->data = xmalloc(message->len + 1);
        memcpy(part->data, message->data, message->len);
        part->len = message->len;
        found++;
    }
}

static inline void add_gateways(struct fake_command *command)
{
    for (int i = 0; i <= FAKE_BUSES; i++) {
        if (!command->room->gateways[i].members)
            continue;
        struct fake_part *part = part_add(command, PART_GATEWAY);
        part->number = command->room->gateways[i].gateway;
        part->members = command->room->gateways[i].members;
    }
}

static inline void add_members(struct fake_command *command)
{
    for (uint32_t i = 0; i < command->room->present_count; i++) {
        const struct fake_present *present = &command->room->present[i];
        struct fake_part *part = part_add(command, PART_MEMBER);
        part->number = present->member;
        part->data = xstrndup(present->value, strlen(present->value));
        part->len = strlen(present->value);
    }
}

static inline void add_field(struct fake_command *command, const char *name, const char *value)
{
    struct fake_part *part = part_add(command, PART_FIELD);
    part->name = xstrndup(name, strlen(name));
    part->data = xstrndup(value, strlen(value));
    part->len = strlen(value);
}

static inline void add_fields(const struct log_bus *bus, struct fake_command *command)
{
    if (command->hash == BUS_STATE && command->room->locked)
        add_field(command, "lock", "1");
    for (int i = 0; command->hash == BUS_BANS && i < bus->redis->ban_count; i++)
        add_field(command, bus->redis->bans[i], bus->redis->bans_until[i]);
}

static inline void execute_publish(struct log_bus *bus, struct fake_command *command)
{
    struct bytes text = {command->text, command->len};
    if (!command->log_size) {
        fake_tell(bus->redis, command->room, text);
        return;
    }
    command->seq = fake_append(bus->redis, command->room, text, command->key, command->log_size, &command->duplicate);
    snprintf(command->epoch, sizeof command->epoch, "%s", fake_epoch_name(command->room));
}

static inline void execute_signal(struct log_bus *bus, struct fake_command *command)
{
    command->result = BUS_NOBODY;
    for (int i = 0; i < bus->redis->bus_count; i++) {
        struct log_bus *to = bus->redis->buses[i];
        if (to->base.gateway != command->gateway || to->away)
            continue;
        struct fake_live *signal = live_new(NULL, (struct bytes){command->text, command->len});
        *to->signals_end = signal;
        to->signals_end = &signal->next;
        command->result = BUS_OK;
    }
}

static inline void execute_presence(struct log_bus *bus, struct fake_command *command)
{
    const struct presence_batch *batch = &command->batch;
    fake_fence(bus->redis, command->room, bytes_of(command->epoch), batch->seq);
    bool known = fake_presence(bus->redis, command->room, bus->base.gateway, batch->changes, batch->count,
                               batch->unlisted, batch->quiet);
    add_position(command, known);
}

static inline void execute(struct log_bus *bus, struct fake_command *command)
{
    command->executed = true;
    switch (command->kind) {
    case FAKE_PUBLISH:
        execute_publish(bus, command);
        break;
    case FAKE_LOCATE:
        fake_fence(bus->redis, command->room, bytes_of(command->epoch), command->seq);
        add_position(command, false);
        break;
    case FAKE_PEEK:
        add_position(command, false);
        break;
    case FAKE_READ:
        add_entries(command);
        break;
    case FAKE_PRESENCE:
        execute_presence(bus, command);
        break;
    case FAKE_MEMBERS:
        add_position(command, false);
        add_gateways(command);
        add_members(command);
        break;
    case FAKE_COUNTS:
        add_gateways(command);
        break;
    case FAKE_SIGNAL:
        execute_signal(bus, command);
        break;
    case FAKE_HASH:
        add_fields(bus, command);
        break;
    }
}

/* The server executes the next command that it has not seen. */
static inline bool log_bus_execute(struct log_bus *bus)
{
    struct fake_command *command = bus->commands;
    while (command && command->executed)
        command = command->next;
    if (command)
        execute(bus, command);
    return command != NULL;
}

/* ---- answers */

static inline void tell_part(const struct bus_ask *ask, struct fake_part *part)
{
    struct bytes data = {part->data, part->len};
    switch (part->kind) {
    case PART_POSITION:
        if (ask->events->on_position)
            ask->events->on_position(ask->ctx, ask->tag, &part->position);
        break;
    case PART_ENTRY:
        ask->events->on_entry(ask->ctx, ask->tag, part->number, data);
        break;
    case PART_GATEWAY:
        if (ask->events->on_gateway)
            ask->events->on_gateway(ask->ctx, ask->tag, (uint32_t)part->number, part->members);
        break;
    case PART_MEMBER:
        ask->events->on_member(ask->ctx, ask->tag, part->number, data);
        break;
    case PART_FIELD:
        ask->events->on_field(ask->ctx, ask->tag, bytes_of(part->name), data);
        break;
    }
}

static inline void end_command(struct log_bus *bus, enum bus_result result)
{
    struct fake_command *command = command_take(bus, &bus->commands);
    if (command->kind == FAKE_PUBLISH)
        bus->base.events->on_published(bus->base.ctx, command->ticket, bytes_of(command->epoch), command->seq,
                                       command->duplicate);
    else
        command->ask.events->on_end(command->ask.ctx, command->ask.tag, result);
    command_free(command);
}

/* The next answer comes, or at most so many pieces of it. */
static inline bool log_bus_reply(struct log_bus *bus, uint32_t pieces)
{
    struct fake_command *command = bus->commands;
    if (!command || !command->executed)
        return false;
    for (; pieces && command->parts_told < command->part_count; pieces--)
        tell_part(&command->ask, &command->parts[command->parts_told++]);
    if (command->parts_told == command->part_count && pieces)
        end_command(bus, command->result);
    return true;
}

/* The server executes and answers the next one. */
static inline bool log_bus_answer(struct log_bus *bus)
{
    if (bus->commands && !bus->commands->executed)
        execute(bus, bus->commands);
    return log_bus_reply(bus, UINT32_MAX);
}

static inline void log_bus_answer_all(struct log_bus *bus)
{
    while (log_bus_answer(bus))
        ;
}

/* The first command fails: a publish with that failure (uncertain: it is executed nevertheless when `late`, after
 * that), an ask with BUS_LOST. */
static inline bool log_bus_fail(struct log_bus *bus, enum bus_failure failure, bool late)
{
    struct fake_command *command = bus->commands;
    if (!command)
        return false;
    if (command->kind != FAKE_PUBLISH) {
        if (late && !command->executed)
            execute(bus, command);
        end_command(bus, BUS_LOST);
        return true;
    }
    if (command->executed)
        failure = BUS_UNCERTAIN;
    command_take(bus, &bus->commands);
    bus->base.events->on_publish_failed(bus->base.ctx, command->ticket, failure);
    if (failure == BUS_UNCERTAIN && late && !command->executed)
        execute(bus, command);
    command_free(command);
    return true;
}

/* The connection is lost: asks get no answer, publishes are tried again and get the answer that they would have had. */
static inline void log_bus_lose_commands(struct log_bus *bus)
{
    struct fake_command *all = bus->commands, **kept = &bus->commands;
    bus->commands = NULL;
    bus->commands_end = &bus->commands;
    bus->command_count = 0;
    struct fake_command *lost = NULL, **lost_end = &lost;
    while (all) {
        struct fake_command *command = all;
        all = command->next;
        command->next = NULL;
        if (command->kind == FAKE_PUBLISH) {
            *kept = command;
            kept = bus->commands_end = &command->next;
            bus->command_count++;
        } else {
            *lost_end = command;
            lost_end = &command->next;
        }
    }
    while (lost) { /* these may ask again */
        struct fake_command *command = lost;
        lost = command->next;
        command->ask.events->on_end(command->ask.ctx, command->ask.tag, BUS_LOST);
        command_free(command);
    }
}

/* ---- the subscriber */

/* The next live message comes. */
static inline bool log_bus_live(struct log_bus *bus)
{
    if (!bus->live)
        return false;
    struct fake_live *live = live_take(bus, &bus->live);
    bus->base.events->on_message(bus->base.ctx, live->channel, (struct bytes){live->data, live->len});
    live_free(live);
    return true;
}

static inline void log_bus_live_all(struct log_bus *bus)
{
    while (log_bus_live(bus))
        ;
}

static inline struct fake_live **live_at(struct log_bus *bus, uint32_t place)
{
    struct fake_live **at = &bus->live;
    while (place--)
        at = &(*at)->next;
    return at;
}

/* The live message at that place never comes; comes twice. */
static inline void log_bus_drop(struct log_bus *bus, uint32_t place)
{
    live_free(live_take(bus, live_at(bus, place)));
}

static inline void log_bus_double(struct log_bus *bus, uint32_t place)
{
    struct fake_live *of = *live_at(bus, place);
    live_add(bus, of->channel, (struct bytes){of->data, of->len});
}

static inline bool log_bus_signal(struct log_bus *bus)
{
    struct fake_live *signal = bus->signals;
    if (!signal)
        return false;
    bus->signals = signal->next;
    if (!bus->signals)
        bus->signals_end = &bus->signals;
    bus->base.events->on_signal(bus->base.ctx, (struct bytes){signal->data, signal->len});
    live_free(signal);
    return true;
}

/* The server takes the subscriptions that are wanted; that is told later. */
static inline bool log_bus_subscribe(struct log_bus *bus)
{
    bool any = false;
    for (int i = 0; i < FAKE_ROOMS; i++) {
        struct fake_channel *channel = &bus->channels[i];
        if (!channel->base.subscriber || channel->subscribed)
            continue;
        channel->subscribed = any = true;
    }
    return any;
}

/* What the server has taken is confirmed. */
static inline bool log_bus_confirm(struct log_bus *bus)
{
    bool any = false;
    for (int i = 0; i < FAKE_ROOMS; i++) {
        struct fake_channel *channel = &bus->channels[i];
        if (!channel->base.subscriber || !channel->subscribed || channel->told)
            continue;
        channel->told = channel->base.confirmed = any = true;
        bus->base.events->on_confirmed(bus->base.ctx, &channel->base);
    }
    return any;
}

/* Subscriptions are lost, and with them what was on its way: of all rooms, or of one. */
static inline bool log_bus_lose_channels(struct log_bus *bus, const struct fake_room *room)
{
    bool any = false;
    for (int i = 0; i < FAKE_ROOMS; i++) {
        struct fake_channel *channel = &bus->channels[i];
        if (!channel->base.subscriber || !channel->subscribed || (room && channel->room != room))
            continue;
        bool told = channel->told;
        channel->subscribed = channel->told = channel->base.confirmed = false;
        forget_live(bus, &channel->base);
        if (told)
            bus->base.events->on_channel_lost(bus->base.ctx, &channel->base);
        any = true;
    }
    return any;
}

#endif
