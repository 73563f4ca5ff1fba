/* api_gateways.c -- GET /api/gateways: who lives, and all that they report. */
#include "../../common/utf8.h"
#include "api_call.h"

static void on_gateway(void *ctx, uint64_t tag, uint32_t gateway, uint64_t members)
{
    (void)tag;
    (void)members;
    struct api_call *call = ctx;
    json_literal(&call->gateways, call->gateways.len ? "},{\"gateway\":" : "{\"gateway\":");
    json_gateway(&call->gateways, gateway);
}

static bool is_number(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    }
    return text.len == 1 || (text.len > 1 && text.len < 16 && text.data[0] != '0');
}

/* Figures are numbers; all else is text, also when it looks like a number: a pod's name, a digest. */
static bool is_figure(struct bytes name)
{
    static const char *const figures[] = {"connections", "rooms", "members", "in_per_s", "out_per_s", "started"};
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        if (bytes_equal(name, bytes_of(figures[i])))
            return true;
    }
    return false;
}

static void on_field(void *ctx, uint64_t tag, struct bytes name, struct bytes value)
{
    (void)tag;
    struct api_call *call = ctx;
    if (bytes_equal(name, BYTES("claim")) || !call->gateways.len || !utf8_valid(name) || !utf8_valid(value))
        return; /* the claim is between the gateway and Redis */
    json_literal(&call->gateways, ",");
    json_string(&call->gateways, name);
    json_literal(&call->gateways, ":");
    if (is_figure(name) && is_number(value))
        json_raw(&call->gateways, value);
    else
        json_string(&call->gateways, value);
}

static void on_end(void *ctx, uint64_t tag, enum bus_result result)
{
    (void)tag;
    struct api_call *call = ctx;
    api_note(call, result);
    if (!call->status) {
        call->status = 200;
        json_literal(&call->text, "{\"gateways\":[");
        json_raw(&call->text, json_text_bytes(&call->gateways));
        json_literal(&call->text, call->gateways.len ? "}]}\n" : "]}\n");
    }
    task_end(&call->task);
}

void api_run_gateways(struct task *task, void *ctx)
{
    static const struct bus_ask_events events = {.on_end = on_end, .on_gateway = on_gateway, .on_field = on_field};
    struct rooms *rooms = ctx;
    bus_list_gateways(rooms->bus, &(struct bus_ask){&events, api_call_of(task), 0});
}
