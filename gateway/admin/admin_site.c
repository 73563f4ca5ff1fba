/* admin_site.c -- see admin_site.h. */
#include "admin_site.h"

#include <stdlib.h>

#include "../net/connection.h"
#include "api_route.h"
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

/* By our own SIGTERM, or because each of the workers was told so by an admin. */
static bool drains(const struct admin_site *site)
{
    int count = 0;
    for (int i = 0; i < site->worker_count; i++)
        count += counter_get(site->workers[i], GAUGE_DRAINING) != 0;
    return site->draining || count == site->worker_count;
}

static void serve_ready(struct admin_site *site, struct connection *connection, const struct http_request *request)
{
    int status;
    size_t len;
    char *body = health_ready(site->workers, site->worker_count, site->uses_redis, site->ready_needs_redis,
                              drains(site), &status, &len);
    respond(connection, request, status, "application/json", (struct bytes){body, len});
    free(body);
}

static void serve_metrics(struct admin_site *site, struct connection *connection, const struct http_request *request)
{
    size_t len, all_len;
    char *text = metrics_render(site->workers, site->worker_count, &len), *all = NULL;
    FILE *out = open_memstream(&all, &all_len);
    if (!out)
        abort(); /* out of memory, as in xalloc.h */
    fwrite(text, 1, len, out);
    free(text);
    api_write_metrics(site->api, out);
    if (fclose(out) != 0)
        abort();
    respond(connection, request, 200, METRICS_CONTENT_TYPE, (struct bytes){all, all_len});
    free(all);
}

static void on_request(void *ctx, struct connection *connection, const struct http_request *request)
{
    static const struct {
        const char *path;
        void (*serve)(struct admin_site *, struct connection *, const struct http_request *);
    } pages[] = {{"/healthz", serve_health}, {"/readyz", serve_ready}, {"/metrics", serve_metrics}};
    struct admin_site *site = ctx;
    struct bytes path = http_target(request);
    if (api_owns(path)) {
        api_on_request(site->api, connection, request);
        return;
    }
    const char *query = memchr(path.data, '?', path.len);
    if (query)
        path.len = (size_t)(query - path.data);
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (!bytes_equal(path, bytes_of(pages[i].path)))
            continue;
        if (http_method(request) == HTTP_GET || http_method(request) == HTTP_HEAD)
            pages[i].serve(site, connection, request);
        else
            connection_refuse(connection, 405, "Allow: GET, HEAD\r\n", "This is read by GET.");
        return;
    }
    connection_refuse(connection, 404, NULL, "Here are /healthz, /readyz, /metrics and /api.");
}

static size_t take_body(void *ctx, struct connection *connection, const struct http_request *request)
{
    struct admin_site *site = ctx;
    if (api_owns(http_target(request)))
        return api_take_body(site->api, connection, request);
    connection_refuse(connection, 413, NULL, "Requests with a body are not taken here.");
    return 0;
}

const struct site admin_site = {.on_request = on_request, .take_body = take_body, .problems = true};
