/* api_call.h -- one call of the HTTP API, on its way through a worker.
 *
 * Made by api.c on the admin's thread from a request; run by one of the functions below on a worker's, where it asks
 * the bus; then the admin's again, with its answer. Between the two only what belongs to the side that has it is
 * touched: request is the admin's throughout. Files: api_publish.c, api_rooms.c, api_room.c, api_commands.c,
 * api_gateways.c. */
#ifndef PLENUM_GATEWAY_ADMIN_API_CALL_H
#define PLENUM_GATEWAY_ADMIN_API_CALL_H

#include "../../common/json_text.h"
#include "../room/room.h"
#include "../room/ticket.h"
#include "../tasks.h"
#include "api_route.h"

struct api_request;
struct api_listing;

enum { API_KEY_MAX = 64 };

struct api_call {
    struct task task;            /* first */
    struct api_request *request; /* the admin's: whom to answer */

    /* what is wanted */
    struct api_route route;
    struct ctl_command command;
    enum envelope_kind kind;
    char key[API_KEY_MAX];
    size_t key_len;
    char *body;
    size_t body_len;

    /* the worker's, while it works */
    struct rooms *rooms;
    struct ticket ticket;
    uint32_t asks; /* of the bus, that have not ended */
    bool found;
    struct api_listing *listing; /* api_rooms.c */
    struct json_text members, gateways;
    uint64_t count, offset;
    char epoch[EPOCH_MAX + 1];
    bool locked;

    /* the answer */
    int status;          /* 0: none yet */
    const char *code;    /* of a problem, or NULL; a constant */
    const char *problem; /* a sentence, a constant; NULL: text is the answer */
    struct json_text text;
};

/* What a worker does for each kind of route; ctx is its struct rooms. */
void api_run_publish(struct task *task, void *ctx);
void api_run_rooms(struct task *task, void *ctx);
void api_run_room(struct task *task, void *ctx);
void api_run_command(struct task *task, void *ctx);
void api_run_member(struct task *task, void *ctx);
void api_run_drain(struct task *task, void *ctx);
void api_run_gateways(struct task *task, void *ctx);

void api_listing_free(struct api_listing *listing);

static inline struct api_call *api_call_of(struct task *task)
{
    return (struct api_call *)task;
}

/* Notes why it cannot be done. The first reason counts. */
static inline void api_fail(struct api_call *call, int status, const char *code, const char *problem)
{
    if (call->status)
        return;
    call->status = status;
    call->code = code;
    call->problem = problem;
}

/* Notes how an ask ended. */
static inline void api_note(struct api_call *call, enum bus_result result)
{
    if (result == BUS_LOST)
        api_fail(call, 503, "unavailable", "Redis does not answer now.");
    else if (result == BUS_DENIED)
        api_fail(call, 502, "refused", "Redis refuses it.");
}

#endif
