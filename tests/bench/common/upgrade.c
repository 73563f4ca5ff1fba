/* upgrade.c -- the handshake of a measuring client: see upgrade.h. */
#include "upgrade.h"

#include <stdio.h>
#include <string.h>

#include "tool.h"

enum { MAX_ANSWER = 16384 };

size_t upgrade_request(char *out, size_t cap, const char *path, const char *host, const char *protocol)
{
    int n = snprintf(out, cap,
                     "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s%s\r\n",
                     path, host, protocol ? "Sec-WebSocket-Protocol: " : "", protocol ? protocol : "",
                     protocol ? "\r\n" : "");

    if (n < 0 || (size_t)n >= cap)
        die("the upgrade request for %s is too long", path);
    return (size_t)n;
}

static struct upgrade_answer refused(const char *why, size_t n)
{
    struct upgrade_answer answer = {.status = UPGRADE_REFUSED};
    const char *line_end = memchr(why, '\r', n);

    snprintf(answer.why, sizeof answer.why, "%.*s", (int)(line_end ? line_end - why : (ptrdiff_t)n), why);
    return answer;
}

struct upgrade_answer upgrade_read(const char *data, size_t n)
{
    const char *end = memmem(data, n, "\r\n\r\n", 4);

    if (!end)
        return n > MAX_ANSWER ? refused("endless answer", 14) : (struct upgrade_answer){.status = UPGRADE_PARTIAL};
    if (n < 12 || memcmp(data + 9, "101", 3) != 0)
        return refused(data, (size_t)(end - data));
    if (!memmem(data, (size_t)(end - data), UPGRADE_ACCEPT, sizeof UPGRADE_ACCEPT - 1))
        return refused("wrong Sec-WebSocket-Accept", 26);
    return (struct upgrade_answer){.status = UPGRADE_DONE, .used = (size_t)(end - data) + 4};
}
