/* dialect.c -- the table of dialects: see dialect.h. */
#include "dialect.h"

#include <stddef.h>
#include <string.h>

static const struct dialect dialects[] = {
    {
        .name = "path",
        .path = "/rooms/%r",
    },
    {
        .name = "plenum",
        .path = "/connect",
        .subprotocol = "plenum.v1",
        .hello = "{\"type\":\"hello\"}",
        .hello_ok = "\"welcome\"",
        .join = "{\"type\":\"join\",\"id\":1,\"room\":\"%r\"}",
        .join_ok = "\"joined\"",
        .publish = "{\"type\":\"publish\",\"id\":%i,\"room\":\"%r\",\"data\":\"%p\"}",
    },
    {
        .name = "nchan",
        .path = "/sub/%r",
        .post = "/pub/%r",
    },
    {
        .name = "socketio",
        .path = "/socket.io/?EIO=4&transport=websocket",
        .greeting = "0{",
        .hello = "40",
        .hello_ok = "40{",
        .join = "420[\"join\",\"%r\"]",
        .join_ok = "430[",
        .publish = "42[\"m\",\"%r\",\"%p\"]",
        .publish_binary = "451-[\"m\",\"%r\",{\"_placeholder\":true,\"num\":0}]",
        .ping = "2",
        .pong = "3",
    },
    {
        .name = "pusher",
        .path = "/app/%k?protocol=7&client=load&version=1",
        .greeting = "pusher:connection_established",
        .join = "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%c\"%a}}",
        .join_ok = "pusher_internal:subscription_succeeded",
        .publish = "{\"event\":\"client-m\",\"channel\":\"%c\",\"data\":\"%p\"}",
        .ping = "{\"event\":\"pusher:ping\",\"data\":{}}",
        .pong = "{\"event\":\"pusher:pong\",\"data\":{}}",
    },
    {
        .name = "centrifugo",
        .path = "/connection/websocket",
        .hello = "{\"id\":1,\"connect\":{}}",
        .hello_ok = "\"connect\"",
        .join = "{\"id\":2,\"subscribe\":{\"channel\":\"%r\"}}",
        .join_ok = "\"subscribe\"",
        .publish = "{\"id\":%i,\"publish\":{\"channel\":\"%r\",\"data\":\"%p\"}}",
        .ping = "{}",
        .pong = "{}",
    },
};

const struct dialect *dialect_default(void)
{
    return &dialects[0];
}

const struct dialect *dialect_find(const char *name)
{
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++)
        if (!strcmp(dialects[i].name, name))
            return &dialects[i];
    return NULL;
}

const char *dialect_names(void)
{
    return "path plenum nchan socketio pusher centrifugo";
}
