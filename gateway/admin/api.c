/* api.c -- see api.h. */
#include "api.h"

#include <inttypes.h>
#include <stdlib.h>

#include "../../common/xalloc.h"
#include "../net/connection.h"
#include "../net/problem.h"
#include "api_body.h"
#include "api_call.h"
#include "api_guard.h"
#include "metrics.h"

enum {
    PATIENCE_MS = 8000,  /* more than the bus needs to find out that it cannot (2 s), or does not know (5 s) */
    CALLS_MAX = 1024,    /* under way; connections are limited too, but a call may outlive its own */
    COMMAND_BYTES = 4096 /* of a command's body */
};

/* A request whose answer a worker works on. */
struct api_request {
    struct protocol protocol; /* what the connection calls when it goes; only on_close is set */
    struct api *api;
    struct connection *connection; /* NULL: answered, or gone */
    struct api_call *call;
    struct api_request *next, **at; /* api->waiting */
    uint64_t deadline_ms;
    bool head_only, publishes;
};

/* ---- answers */

static const int counted[API_STATUSES] = {200, 201, 202, 204, 400, 401, 403, 404, 405, 411, 413, 415, 502, 503};

static void count(struct api *api, int status)
{
    int i = 0;
    while (i < API_STATUSES - 1 && counted[i] != status)
        i++;
    api->answers[i]++;
}

void api_write_metrics(const struct api *api, FILE *out)
{
    static const char name[] = "plenum_api_requests_total";
    metric_head(out, name, "counter", "Requests to the HTTP API, by the status of their answers.");
    for (int i = 0; i < API_STATUSES; i++) {
        if (counted[i])
            fprintf(out, "%s{status=\"%d\"} %" PRIu64 "\n", name, counted[i], api->answers[i]);
    }
    fprintf(out, "%s{status=\"other\"} %" PRIu64 "\n", name, api->answers[API_STATUSES - 1]);
}

static void answer(struct api *api, struct connection *connection, const struct http_response *response)
{
    count(api, response->status);
    char headers[256];
    snprintf(headers, sizeof headers, "%sCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n",
             response->headers ? response->headers : "");
    struct http_response whole = *response;
    whole.headers = headers;
    connection_respond(connection, &whole);
}

static void answer_problem(struct api *api, struct connection *connection, int status, const char *headers,
                           const char *code, const char *why, bool head_only)
{
    struct json_text text = {0};
    problem_write(&text, status, code, why);
    answer(api, connection,
           &(struct http_response){.status = status,
                                   .content_type = PROBLEM_TYPE,
                                   .headers = headers         ? headers
                                              : status == 503 ? "Retry-After: 1\r\n"
                                                              : NULL,
                                   .body = json_text_bytes(&text),
                                   .head_only = head_only});
    json_text_free(&text);
}

/* Answers for a request that was not given to a worker. */
static void refuse(struct api *api, struct connection *connection, const struct http_request *request, int status,
                   const char *headers, const char *why)
{
    server_log_refusal(connection->server, connection, "API request refused", status, why);
    answer_problem(api, connection, status, headers, NULL, why, http_method(request) == HTTP_HEAD);
}

/* ---- a call and back */

static void call_free(struct api_call *call)
{
    api_listing_free(call->listing);
    json_text_free(&call->members);
    json_text_free(&call->gateways);
    json_text_free(&call->text);
    free(call->body);
    free(call);
}

static void request_free(struct api_request *request)
{
    *request->at = request->next;
    if (request->next)
        request->next->at = request->at;
    request->api->calls--;
    call_free(request->call);
    free(request);
}

/* The connection has been answered, or its client is gone. The call goes on, and nobody hears what comes of it. */
static void on_connection_gone(struct session *session)
{
    struct api_request *request = (struct api_request *)session->protocol; /* its first field, and not constant */
    request->connection = NULL;
}

static void answer_call(struct api_request *request)
{
    struct api_call *call = request->call;
    struct connection *connection = request->connection;
    if (call->problem) {
        if (call->status >= 500) /* not what is simply not there */
            server_log_refusal(connection->server, connection, "API request failed", call->status, call->problem);
        answer_problem(request->api, connection, call->status, NULL, call->code, call->problem, request->head_only);
        return;
    }
    answer(request->api, connection,
           &(struct http_response){.status = call->status,
                                   .content_type = "application/json",
                                   .body = json_text_bytes(&call->text),
                                   .head_only = request->head_only});
}

static void on_done(struct task *task, enum task_result result)
{
    struct api_call *call = api_call_of(task);
    struct api_request *request = call->request;
    if (result == TASK_LOST) {
        call->status = 0;
        api_fail(call, 503, request->publishes ? "uncertain" : "unavailable", "The gateway ends.");
    }
    if (request->connection)
        answer_call(request);
    request_free(request);
}

void api_sweep(struct api *api)
{
    uint64_t now = clock_ms(api->clock);
    for (struct api_request *request = api->waiting; request; request = request->next) {
        if (!request->connection || now < request->deadline_ms)
            continue;
        answer_problem(api, request->connection, 503, NULL, request->publishes ? "uncertain" : "unavailable",
                       "The gateway did not find an answer in time.", request->head_only);
    }
}

/* Gives it to the first worker that lives. */
static bool give(struct api *api, struct api_call *call)
{
    for (int i = 0; i < api->inbox_count; i++) {
        if (task_give(api->inboxes[i], api->desk, &call->task))
            return true;
    }
    return false;
}

static void begin_call(struct api *api, struct connection *connection, const struct http_request *http,
                       struct api_call *call)
{
    struct api_request *request = xcalloc(1, sizeof *request);
    *request = (struct api_request){.protocol = {.on_close = on_connection_gone},
                                    .api = api,
                                    .connection = connection,
                                    .call = call,
                                    .next = api->waiting,
                                    .at = &api->waiting,
                                    .deadline_ms = clock_ms(api->clock) + PATIENCE_MS,
                                    .head_only = http_method(http) == HTTP_HEAD,
                                    .publishes = call->route.kind == API_MESSAGES};
    if (api->waiting)
        api->waiting->at = &request->next;
    api->waiting = request;
    api->calls++;
    call->request = request;
    call->task.done = on_done;
    if (give(api, call)) {
        connection_defer(connection, &request->protocol, 2 * PATIENCE_MS);
        return;
    }
    request_free(request);
    refuse(api, connection, http, 503, NULL, "The gateway ends.");
}

/* ---- requests */

static void (*const runs[])(struct task *task, void *ctx) = {
    [API_ROOMS] = api_run_rooms,     [API_ROOM] = api_run_room,     [API_MESSAGES] = api_run_publish,
    [API_COMMAND] = api_run_command, [API_MEMBER] = api_run_member, [API_GATEWAYS] = api_run_gateways,
    [API_DRAIN] = api_run_drain,
};

/* What can be said from the head alone. Returns false when it was refused. */
static bool admitted(struct api *api, struct connection *connection, const struct http_request *request,
                     struct api_route *route)
{
    const char *why, *allow = NULL;
    api_route_parse(http_target(request), route);
    int status = api_guard(request, api->token, &why);
    if (status == 0 && route->kind == API_NOTHING) {
        status = 404;
        why = "The API has no such path.";
    } else if (status == 0 && route->kind == API_BAD) {
        status = 400;
        why = route->wrong;
    } else if (status == 0 && !api_route_allows(route, http_method(request), &allow)) {
        status = 405;
        why = "This path has another method.";
    } else if (status == 0 && api->calls >= CALLS_MAX) {
        status = 503;
        why = "Too many requests are under way.";
    }
    if (status)
        refuse(api, connection, request, status,
               status == 401   ? "WWW-Authenticate: Bearer realm=\"plenum\"\r\n"
               : status == 405 ? allow
                               : NULL,
               why);
    return status == 0;
}

size_t api_take_body(struct api *api, struct connection *connection, const struct http_request *request)
{
    struct api_route route;
    if (!admitted(api, connection, request, &route))
        return 0;
    if (route.kind == API_MESSAGES)
        return api->max_message;
    if (route.kind == API_COMMAND || route.kind == API_DRAIN)
        return COMMAND_BYTES;
    refuse(api, connection, request, 413, NULL, "This request has no body.");
    return 0;
}

/* Reads the body and what else the call needs. Returns 0, or a status and why. */
static int fill_call(const struct http_request *request, struct api_call *call, const char **why)
{
    struct ctl_command *command = &call->command;
    switch (call->route.kind) {
    case API_MESSAGES:
        return api_read_message(request, call, why);
    case API_COMMAND:
    case API_DRAIN:
        return api_read_command(request, call, why);
    case API_MEMBER:
        *command = (struct ctl_command){.verb = CTL_KICK, .seconds = -1, .member = call->route.member};
        command->room_len = call->route.room_len;
        memcpy(command->room, call->route.room, command->room_len);
        return 0;
    default:
        return 0;
    }
}

void api_on_request(struct api *api, struct connection *connection, const struct http_request *request)
{
    struct api_call *call = xcalloc(1, sizeof *call);
    const char *why = "";
    if (!admitted(api, connection, request, &call->route)) {
        call_free(call);
        return;
    }
    int status = fill_call(request, call, &why);
    if (status) {
        refuse(api, connection, request, status, NULL, why);
        call_free(call);
        return;
    }
    call->task.run = runs[call->route.kind];
    begin_call(api, connection, request, call);
}
