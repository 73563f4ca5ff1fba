/* public_site.c -- see public_site.h. */
#include "public_site.h"

#include <stdio.h>

#include "net/connection.h"
#include "protocol/routes.h"
#include "web/assets.h"

enum { HEADERS_MAX = 512 };

/* Scripts, styles and sockets of our own, and nothing else: not even an image from another host. */
static const char SECURITY[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n";

static const struct asset *find_asset(struct bytes path)
{
    for (int i = 0; i < web_asset_count; i++)
        if (bytes_equal(path, bytes_of(web_assets[i].path)))
            return &web_assets[i];
    return NULL;
}

static void serve_asset(struct connection *connection, const struct http_request *request, const struct asset *asset)
{
    char headers[HEADERS_MAX];
    snprintf(headers, sizeof headers, "%sETag: %s\r\nCache-Control: no-cache\r\n", SECURITY, asset->etag);
    struct bytes known;
    http_header(request, "if-none-match", &known);
    bool fresh = known.len && memmem(known.data, known.len, asset->etag, strlen(asset->etag)) != NULL;
    connection_respond(connection, &(struct http_response){
                                       .status = fresh ? 304 : 200,
                                       .content_type = asset->type,
                                       .headers = headers,
                                       .body = fresh ? (struct bytes){"", 0} : asset->body,
                                       .head_only = http_method(request) == HTTP_HEAD,
                                   });
}

static void serve_file(struct connection *connection, const struct http_request *request, struct bytes path)
{
    const struct asset *asset = find_asset(path);
    if (asset)
        serve_asset(connection, request, asset);
    else
        connection_refuse(connection, 404, NULL, "There is nothing here. Rooms are at /rooms/{room}.");
}

static void answer_plain(struct connection *connection, const struct http_request *request, const struct route *route)
{
    if (route->kind == ROUTE_HOME)
        serve_file(connection, request, BYTES("/index.html"));
    else if (route->kind == ROUTE_ROOM || route->kind == ROUTE_CONNECT)
        connection_refuse(connection, 426, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
                          "A room is joined by WebSocket.");
    else
        serve_file(connection, request, route->path);
}

static void on_request(void *ctx, struct connection *connection, const struct http_request *request)
{
    const struct public_site *site = ctx;
    bool websocket = upgrade_wanted(request);
    llhttp_method_t method = http_method(request);
    if (method != HTTP_GET && (websocket || method != HTTP_HEAD)) {
        connection_refuse(connection, 405, websocket ? "Allow: GET\r\n" : "Allow: GET, HEAD\r\n",
                          "This is read by GET.");
        return;
    }
    struct route route;
    route_parse(http_target(request), &route);
    if (route.kind == ROUTE_MALFORMED)
        connection_refuse(connection, 400, NULL, "The request target is not a path.");
    else if (route.kind == ROUTE_BAD_ROOM)
        connection_refuse(connection, 400, NULL,
                          "A room's name is 1 to 164 of the characters A-Z a-z 0-9 _ . : = @ , ; - and does not begin "
                          "with @.");
    else if (!websocket)
        answer_plain(connection, request, &route);
    else if (route.kind == ROUTE_FILE)
        connection_refuse(connection, 404, NULL,
                          "No WebSocket is served here. Rooms are at /rooms/{room}, plenum.v1 at "
                          "/connect.");
    else if (route.kind == ROUTE_CONNECT)
        connection_upgrade(connection, &site->plenum->protocol, (struct bytes){NULL, 0}, false);
    else
        connection_upgrade(connection, &site->relay->protocol, (struct bytes){route.room, route.room_len}, route.echo);
}

const struct site public_site = {.on_request = on_request};
