/* api_publish.c -- POST /api/rooms/{room}/messages. */
#include "api_call.h"

static struct api_call *of(struct ticket *ticket)
{
    return (struct api_call *)((char *)ticket - offsetof(struct api_call, ticket));
}

static void on_published(void *ctx, struct ticket *ticket, struct bytes epoch, uint64_t seq, bool duplicate)
{
    (void)ctx;
    struct api_call *call = of(ticket);
    call->status = 201;
    json_literal(&call->text, "{\"room\":");
    json_string(&call->text, api_room(&call->route));
    json_literal(&call->text, ",\"offset\":");
    json_uint(&call->text, seq);
    json_literal(&call->text, ",\"epoch\":");
    if (epoch.len)
        json_string(&call->text, epoch);
    else
        json_literal(&call->text, "null");
    json_literal(&call->text, duplicate ? ",\"duplicate\":true}\n" : "}\n");
    task_end(&call->task);
}

static void on_failed(void *ctx, struct ticket *ticket, enum bus_failure failure)
{
    (void)ctx;
    struct api_call *call = of(ticket);
    if (failure == BUS_UNAVAILABLE)
        api_fail(call, 503, "unavailable", "It was not published: Redis is away. Try again.");
    else if (failure == BUS_UNCERTAIN)
        api_fail(
            call, 503, "uncertain",
            "It may or may not have been published: Redis did not answer. Repeat it with the same Idempotency-Key.");
    else
        api_fail(call, 502, "refused", "It was not published: Redis refuses it.");
    task_end(&call->task);
}

void api_run_publish(struct task *task, void *ctx)
{
    struct api_call *call = api_call_of(task);
    struct rooms *rooms = ctx;
    if (rooms->pressure == BUS_REFUSING) {
        api_fail(call, 503, "unavailable", "It was not published: too much is waiting for Redis. Try again.");
        task_end(task);
        return;
    }
    call->ticket = (struct ticket){.on_published = on_published, .on_failed = on_failed};
    struct bytes room = api_room(&call->route);
    struct envelope envelope = {.kind = call->kind,
                                .key = {call->key, call->key_len},
                                .from = BYTES("api"),
                                .time_ms = clock_wall_ms(rooms->env->clock),
                                .payload = {call->body, call->body_len}};
    bus_publish(rooms->bus, &(struct bus_publish){.room = room,
                                                  .log = &rules_find(rooms->rules, room)->log,
                                                  .envelope = &envelope,
                                                  .ticket = &call->ticket});
}
