/* api.h -- the HTTP API of the admin port: publish, look at rooms and gateways, put people out.
 *
 * Reads and checks a request on the admin's thread, gives it to a worker as a task (api_call.h), and answers when it
 * comes back. A client that goes away meanwhile takes nothing with it but its connection; a worker that does not answer
 * in time is a 503. The paths are in api_route.h, the reference in deploy/http-api.md.
 * Owned by: main. Called by: admin_site, main. Thread: the admin's. */
#ifndef PLENUM_GATEWAY_ADMIN_API_H
#define PLENUM_GATEWAY_ADMIN_API_H

#include <stdio.h>

#include "../net/server.h"
#include "../tasks.h"

enum { API_STATUSES = 16 };

struct api {
    struct task_inbox *const *inboxes; /* the workers', set by main before the first request */
    int inbox_count;
    struct task_desk *desk;
    const struct clock *clock;
    const char *token;           /* NULL: none is asked for */
    size_t max_message;          /* bytes */
    struct api_request *waiting; /* those with a call under way, the client still there or not */
    uint32_t calls;
    uint64_t answers[API_STATUSES]; /* by status, see api.c */
};

/* For the site: requests whose target api_owns. */
void api_on_request(struct api *api, struct connection *connection, const struct http_request *request);
size_t api_take_body(struct api *api, struct connection *connection, const struct http_request *request);

/* Answers those that have waited for too long. Called with every sweep. */
void api_sweep(struct api *api);

/* Its part of the page of metrics. */
void api_write_metrics(const struct api *api, FILE *out);

#endif
