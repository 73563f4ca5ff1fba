/* api_guard.c -- see api_guard.h. */
#include "api_guard.h"

#include <strings.h>
#include <uv.h>

/* Takes as long for a token that is wrong in its first byte as for one that is wrong in its last; how long the right
 * one is may show. */
static bool token_equal(struct bytes given, struct bytes token)
{
    unsigned char differ = given.len != token.len;
    for (size_t i = 0; i < given.len; i++)
        differ |= (unsigned char)((unsigned char)given.data[i] ^ (unsigned char)token.data[i % token.len]);
    return !differ;
}

static bool authorized(const struct http_request *request, const char *token)
{
    struct bytes value;
    if (http_header(request, "authorization", &value) != 1 || value.len < 7 ||
        strncasecmp(value.data, "Bearer ", 7) != 0)
        return false;
    struct bytes given = {value.data + 7, value.len - 7};
    while (given.len && *given.data == ' ')
        given = (struct bytes){given.data + 1, given.len - 1};
    return token_equal(given, bytes_of(token));
}

/* A page of this very host and port: none is served here, but a proxy may serve one beside us. */
static bool same_origin(struct bytes origin, struct bytes host)
{
    const char *scheme_end = memmem(origin.data, origin.len, "://", 3);
    if (!scheme_end)
        return false; /* "null" too */
    const char *at = scheme_end + 3;
    size_t len = origin.len - (size_t)(at - origin.data);
    return len == host.len && strncasecmp(at, host.data, len) == 0;
}

/* An address, localhost, or a name without dots, as services have it among themselves: no page comes from there. */
static bool local_name(struct bytes host)
{
    char name[64];
    if (host.len && host.data[0] == '[')
        return true; /* an IPv6 address */
    const char *colon = memchr(host.data, ':', host.len);
    if (colon)
        host.len = (size_t)(colon - host.data);
    if (!memchr(host.data, '.', host.len))
        return true;
    if (host.len >= sizeof name)
        return false;
    memcpy(name, host.data, host.len);
    name[host.len] = '\0';
    struct sockaddr_in address;
    return uv_ip4_addr(name, 0, &address) == 0;
}

int api_guard(const struct http_request *request, const char *token, const char **why)
{
    struct bytes origin, host;
    http_header(request, "host", &host);
    if (http_header(request, "origin", &origin) && !same_origin(origin, host)) {
        *why = "This is for programs; pages of other origins are not let in.";
        return 403;
    }
    if (!token && !local_name(host)) {
        *why = "Without --admin-token this is only answered under an address, localhost or a name without dots.";
        return 403;
    }
    if (token && !authorized(request, token)) {
        *why = "Say Authorization: Bearer and the admin token.";
        return 401;
    }
    return 0;
}
