/* api_commands.c -- what the HTTP API has done by a command line, as an admin would write it: see ctl.h. */
#include "api_call.h"

/* ---- POST /api/rooms/{room}/kick and the like: to all gateways. What comes of it is told on plenum:ctl:ack. */

static void on_sent(void *ctx, uint64_t tag, enum bus_result result)
{
    (void)tag;
    struct api_call *call = ctx;
    api_note(call, result);
    if (result == BUS_NOBODY)
        api_fail(call, 404, "no_gateway", "There is no such gateway.");
    if (!call->status) {
        char line[CTL_LINE_MAX];
        call->status = 202;
        json_literal(&call->text, "{\"sent\":");
        json_string(&call->text, (struct bytes){line, ctl_write(&call->command, line)});
        json_literal(&call->text, "}\n");
    }
    task_end(&call->task);
}

/* gateway 0: to all. */
static void give_command(struct api_call *call, uint32_t gateway, const struct bus_ask_events *events)
{
    char line[CTL_LINE_MAX];
    size_t len = ctl_write(&call->command, line);
    bus_command(call->rooms->bus, gateway, (struct bytes){line, len}, &(struct bus_ask){events, call, 0});
}

static const struct bus_ask_events sent_events = {.on_end = on_sent};

void api_run_command(struct task *task, void *ctx)
{
    struct api_call *call = api_call_of(task);
    call->rooms = ctx;
    give_command(call, 0, &sent_events);
}

/* ---- DELETE /api/rooms/{room}/members/{member}: to the one gateway that has it, if it is there at all */

static void on_kicked(void *ctx, uint64_t tag, enum bus_result result)
{
    (void)tag;
    struct api_call *call = ctx;
    api_note(call, result);
    if (result == BUS_NOBODY)
        api_fail(call, 404, "no_member", "This member is not in the room.");
    if (!call->status)
        call->status = 204;
    task_end(&call->task);
}

static void on_member(void *ctx, uint64_t tag, uint64_t member, struct bytes value)
{
    (void)tag;
    (void)value;
    struct api_call *call = ctx;
    if (member == call->route.member)
        call->found = true;
}

static void on_looked(void *ctx, uint64_t tag, enum bus_result result)
{
    (void)tag;
    static const struct bus_ask_events events = {.on_end = on_kicked};
    struct api_call *call = ctx;
    api_note(call, result);
    if (!call->found)
        api_fail(call, 404, "no_member", "This member is not in the room.");
    if (call->status)
        task_end(&call->task);
    else
        give_command(call, (uint32_t)(call->route.member >> 32), &events);
}

void api_run_member(struct task *task, void *ctx)
{
    static const struct bus_ask_events events = {.on_end = on_looked, .on_member = on_member};
    struct api_call *call = api_call_of(task);
    call->rooms = ctx;
    bus_members(call->rooms->bus, api_room(&call->route), &(struct bus_ask){&events, call, 0});
}

/* ---- POST /api/gateways/{gateway}/drain */

static void on_gateway(void *ctx, uint64_t tag, uint32_t gateway, uint64_t members)
{
    (void)tag;
    (void)members;
    struct api_call *call = ctx;
    if (gateway == call->route.gateway)
        call->found = true;
}

static void on_listed(void *ctx, uint64_t tag, enum bus_result result)
{
    (void)tag;
    struct api_call *call = ctx;
    api_note(call, result);
    if (!call->found)
        api_fail(call, 404, "no_gateway", "There is no such gateway.");
    if (call->status)
        task_end(&call->task);
    else
        give_command(call, call->route.gateway, &sent_events);
}

void api_run_drain(struct task *task, void *ctx)
{
    static const struct bus_ask_events events = {.on_end = on_listed, .on_gateway = on_gateway};
    struct api_call *call = api_call_of(task);
    call->rooms = ctx;
    bus_list_gateways(call->rooms->bus, &(struct bus_ask){&events, call, 0});
}
