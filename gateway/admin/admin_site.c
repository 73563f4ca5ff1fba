/* admin_site.c -- see admin_site.h. */
#include "admin_site.h"

#include <stdlib.h>

#include "../net/connection.h"
#include "health.h"
#include "metrics.h"

static void respond(struct connection *connection, const struct http_request *request, int status, const char *type,
                    struct bytes body)
{
    connection_respond(connection, &(struct http_response){.status = status,
                                                           .content_type = type,
                                                           .headers = "Cache-Control: no-store\r\n",
                                                           .body = body,
                                                           .head_only = http_method(request) == HTTP_HEAD});
}

static void serve_health(struct admin_site *site, struct connection *connection, const struct http_request *request)
{
    if (health_live(site->workers, site->worker_count, clock_ms(site->clock)))
        respond(connection, request, 200, "application/json", BYTES("{\"status\":\"alive\"}\n"));
    else
        respond(connection, request, 503, "application/json", BYTES("{\"status\":\"stuck\"}\n"));
}

static void serve_ready(struct admin_site *site, struct connection *connection, const struct http_request *request)
{
    int status;
    size_t len;
    char *body = health_ready(site->workers, site->worker_count, site->uses_redis, site->ready_needs_redis,
                              site->draining, &status, &len);
    respond(connection, request, status, "application/json", (struct bytes){body, len});
    free(body);
}

static void serve_metrics(struct admin_site *site, struct connection *connection, const struct http_request *request)
{
    size_t len;
    char *text = metrics_render(site->workers, site->worker_count, &len);
    respond(connection, request, 200, METRICS_CONTENT_TYPE, (struct bytes){text, len});
    free(text);
}

static void on_request(void *ctx, struct connection *connection, const struct http_request *request)
{
    static const struct {
        const char *path;
        void (*serve)(struct admin_site *, struct connection *, const struct http_request *);
    } pages[] = {{"/healthz", serve_health}, {"/readyz", serve_ready}, {"/metrics", serve_metrics}};
    struct bytes path = http_target(request);
    const char *query = memchr(path.data, '?', path.len);
    if (query)
        path.len = (size_t)(query - path.data);
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (!bytes_equal(path, bytes_of(pages[i].path)))
            continue;
        if (http_method(request) == HTTP_GET || http_method(request) == HTTP_HEAD)
            pages[i].serve(ctx, connection, request);
        else
            connection_refuse(connection, 405, "Allow: GET, HEAD\r\n", "This is read by GET.");
        return;
    }
    connection_refuse(connection, 404, NULL, "Here are /healthz, /readyz and /metrics.");
}

const struct site admin_site = {on_request};
