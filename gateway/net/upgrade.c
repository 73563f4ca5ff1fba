/* upgrade.c -- see upgrade.h. */
#include "upgrade.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "tokens.h"

enum { KEY_LEN = 24, LIST_MAX = 4096 };

bool upgrade_wanted(const struct http_request *request)
{
    char list[LIST_MAX];
    int len = http_header_list(request, "upgrade", list, sizeof list);
    return len > 0 && token_list_contains((struct bytes){list, (size_t)len}, BYTES("websocket"));
}

bool upgrade_offers(const struct http_request *request, const char *subprotocol)
{
    char list[LIST_MAX];
    int len = http_header_list(request, "sec-websocket-protocol", list, sizeof list);
    return len > 0 && token_list_contains((struct bytes){list, (size_t)len}, bytes_of(subprotocol));
}

static bool is_host_char(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c && strchr("-._~!$&'()*+,;=%", c) != NULL;
}

/* uri-host [ ":" port ] (RFC 9110, section 7.2): a name, an address, or an IP literal in brackets. */
static bool host_valid(struct bytes host)
{
    size_t at = 0;
    bool literal = host.data[0] == '[';
    if (literal) {
        const char *end = memchr(host.data, ']', host.len);
        if (!end || end == host.data + 1)
            return false;
        for (const char *c = host.data + 1; c < end; c++)
            if (*c != ':' && !is_host_char(*c))
                return false;
        at = (size_t)(end - host.data) + 1;
    }
    while (!literal && at < host.len && is_host_char(host.data[at]))
        at++;
    if (at == 0 || at == host.len)
        return at > 0;
    if (host.data[at++] != ':')
        return false;
    while (at < host.len && host.data[at] >= '0' && host.data[at] <= '9')
        at++;
    return at == host.len;
}

int request_check(const struct http_request *request)
{
    struct bytes host;
    if (http_header(request, "host", &host) != 1 || host.len == 0)
        return 400;
    return host_valid(host) ? 0 : 400;
}

/* The key must be the base64 of 16 bytes: 22 characters, the last of them with 4 bits to spare, then "==". */
static bool key_valid(struct bytes key)
{
    if (key.len != KEY_LEN || key.data[22] != '=' || key.data[23] != '=')
        return false;
    for (int i = 0; i < 22; i++) {
        char c = key.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '+' && c != '/')
            return false;
    }
    return strchr("AQgw", key.data[21]) != NULL;
}

static void make_accept(struct bytes key, char out[UPGRADE_ACCEPT_LEN + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, section 1.3 */
    unsigned char text[KEY_LEN + sizeof guid - 1], digest[SHA_DIGEST_LENGTH];
    memcpy(text, key.data, KEY_LEN);
    memcpy(text + KEY_LEN, guid, sizeof guid - 1);
    SHA1(text, sizeof text, digest);
    EVP_EncodeBlock((unsigned char *)out, digest, sizeof digest);
}

bool upgrade_self_test(void)
{
    char accept[UPGRADE_ACCEPT_LEN + 1];
    make_accept(BYTES("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    return strcmp(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == 0;
}

/* A list of distinct tokens (section 4.1, item 10). */
static bool protocols_valid(struct bytes list)
{
    struct token_reader reader = {list.data, list.data + list.len};
    bool any = false;
    do {
        struct bytes token;
        if (token_skip_empty(&reader))
            continue;
        if (!token_read(&reader, &token))
            return false;
        any = true;
    } while (token_accept(&reader, ','));
    return any && token_at_end(&reader);
}

/* Returns 0 or a status. */
static int check_version(const struct http_request *request)
{
    struct bytes version;
    int count = http_header(request, "sec-websocket-version", &version);
    if (count != 1)
        return 400;
    return bytes_equal(version, BYTES("13")) ? 0 : 426;
}

static int check_lists(const struct http_request *request, bool compression, struct upgrade *upgrade)
{
    char list[LIST_MAX];
    struct bytes ignored;
    int len = http_header_list(request, "sec-websocket-protocol", list, sizeof list);
    if (len < 0)
        return 431;
    if (http_header(request, "sec-websocket-protocol", &ignored) && !protocols_valid((struct bytes){list, (size_t)len}))
        return 400;
    len = http_header_list(request, "sec-websocket-extensions", list, sizeof list);
    if (len < 0)
        return 431;
    if (http_header(request, "sec-websocket-extensions", &ignored)) {
        enum extensions_result result = extensions_negotiate((struct bytes){list, (size_t)len}, &upgrade->answer);
        if (result == EXTENSIONS_MALFORMED)
            return 400;
        upgrade->deflate = compression && result == EXTENSIONS_DEFLATE;
    }
    return 0;
}

int upgrade_check(const struct http_request *request, bool compression, struct upgrade *upgrade)
{
    *upgrade = (struct upgrade){.deflate = false};
    char list[LIST_MAX];
    int len = http_header_list(request, "connection", list, sizeof list);
    if (len <= 0 || !token_list_contains((struct bytes){list, (size_t)len}, BYTES("upgrade")))
        return 400;
    int status = check_version(request);
    if (status)
        return status;
    struct bytes key;
    if (http_header(request, "sec-websocket-key", &key) != 1 || !key_valid(key))
        return 400;
    status = check_lists(request, compression, upgrade);
    if (status)
        return status;
    make_accept(key, upgrade->accept);
    return 101;
}

int upgrade_reply(const struct upgrade *upgrade, const char *subprotocol, char *out, int size)
{
    return snprintf(out, (size_t)size,
                    "HTTP/1.1 101 Switching Protocols\r\n"
                    "Upgrade: websocket\r\n"
                    "Connection: Upgrade\r\n"
                    "Sec-WebSocket-Accept: %s\r\n"
                    "%s%s%s%s%s%s\r\n",
                    upgrade->accept, subprotocol ? "Sec-WebSocket-Protocol: " : "", subprotocol ? subprotocol : "",
                    subprotocol ? "\r\n" : "", upgrade->deflate ? "Sec-WebSocket-Extensions: " : "",
                    upgrade->deflate ? extensions_answer(&upgrade->answer) : "", upgrade->deflate ? "\r\n" : "");
}
