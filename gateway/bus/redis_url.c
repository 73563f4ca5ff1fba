/* redis_url.c -- reads the --redis URL; see redis_bus.h. */
#include <stdlib.h>
#include <string.h>

#include "../../common/percent.h"
#include "../../common/xalloc.h"
#include "redis_bus.h"

enum { DEFAULT_PORT = 6379, DB_MAX = 1 << 20 };

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* A copy of the bytes from begin to end with %XX decoded; NULL where a % is no such thing, or stands for a zero byte.
 */
static char *decode(const char *begin, const char *end)
{
    size_t len = (size_t)(end - begin);
    char *out = xcalloc(1, len + 1);
    ssize_t used = percent_decode((struct bytes){begin, len}, out, len);
    if (used >= 0 && strlen(out) == (size_t)used)
        return out;
    free(out);
    return NULL;
}

/* Reads digits only, from begin to end. Returns -1 when it is no number from min to max. */
static int parse_number(const char *begin, const char *end, int min, int max)
{
    int value = 0;
    for (const char *at = begin; at < end; at++) {
        if (*at < '0' || *at > '9' || value > max)
            return -1;
        value = value * 10 + (*at - '0');
    }
    return begin < end && value >= min && value <= max ? value : -1;
}

/* [user[:password]@] at the beginning of at, which is moved behind it. Only what stands before the first '/' counts. */
static const char *parse_login(const char **at, struct redis_url *out)
{
    const char *begin = *at;
    const char *authority_end = begin + strcspn(begin, "/?#");
    const char *sign = authority_end;
    while (sign > begin && *sign != '@')
        sign--;
    if (*sign != '@')
        return NULL;
    *at = sign + 1;
    const char *colon = memchr(begin, ':', (size_t)(sign - begin));
    const char *user_end = colon ? colon : sign;
    if (user_end > begin && !(out->user = decode(begin, user_end)))
        return "a '%' in the Redis user must begin two hex digits";
    if (colon && !(out->password = decode(colon + 1, sign)))
        return "a '%' in the Redis password must begin two hex digits";
    return NULL;
}

static const char *parse_port(const char *begin, const char *end, struct redis_url *out)
{
    out->port = parse_number(begin, end, 1, 65535);
    return out->port < 0 ? "the Redis port must be a number from 1 to 65535" : NULL;
}

/* host[:port], the host in brackets when it is an IPv6 address; moves at behind it. */
static const char *parse_host(const char **at, struct redis_url *out)
{
    const char *begin = *at;
    const char *end = begin + strcspn(begin, "/?#");
    const char *host_end;
    const char *rest;
    *at = end;
    if (*begin == '[') {
        begin++;
        host_end = memchr(begin, ']', (size_t)(end - begin));
        if (!host_end)
            return "the IPv6 address in the Redis URL lacks its ']'";
        rest = host_end + 1;
    } else {
        host_end = memchr(begin, ':', (size_t)(end - begin));
        if (!host_end)
            host_end = end;
        rest = host_end;
    }
    if (host_end == begin)
        return "the Redis URL names no host";
    out->host = decode(begin, host_end);
    if (!out->host)
        return "a '%' in the Redis host must begin two hex digits";
    if (rest == end)
        return NULL;
    if (*rest != ':')
        return "behind the Redis host only ':port' may stand";
    return parse_port(rest + 1, end, out);
}

static const char *parse_db(const char *begin, struct redis_url *out)
{
    out->db = parse_number(begin, begin + strlen(begin), 0, DB_MAX);
    return out->db < 0 ? "the Redis database must be a number" : NULL;
}

static const char *parse_tcp(const char *at, struct redis_url *out)
{
    const char *problem = parse_login(&at, out);
    if (!problem)
        problem = parse_host(&at, out);
    if (problem || *at == '\0' || strcmp(at, "/") == 0)
        return problem;
    return *at == '/' ? parse_db(at + 1, out) : "behind the Redis host only '/db' may stand";
}

static const char *parse_unix(const char *at, struct redis_url *out)
{
    const char *problem = parse_login(&at, out);
    if (problem)
        return problem;
    const char *end = at + strcspn(at, "?#");
    if (*at != '/' || end - at < 2)
        return "redis+unix:// needs an absolute path, as in redis+unix:///run/redis.sock";
    out->path = decode(at, end);
    if (!out->path)
        return "a '%' in the Redis path must begin two hex digits";
    if (*end == '\0')
        return NULL;
    return starts_with(end, "?db=") ? parse_db(end + 4, out) : "behind the Redis path only '?db=N' may stand";
}

static const char *parse(const char *text, struct redis_url *out)
{
    if (starts_with(text, "redis://"))
        return parse_tcp(text + strlen("redis://"), out);
    if (starts_with(text, "redis+unix://"))
        return parse_unix(text + strlen("redis+unix://"), out);
    if (starts_with(text, "rediss://"))
        return "rediss:// (TLS) is not supported yet";
    if (starts_with(text, "redis-sentinel://"))
        return "redis-sentinel:// is not supported yet";
    if (starts_with(text, "redis-cluster://"))
        return "redis-cluster:// is not supported yet";
    return "a Redis URL begins with redis:// or redis+unix://";
}

const char *redis_url_parse(const char *text, struct redis_url *out)
{
    *out = (struct redis_url){.port = DEFAULT_PORT};
    const char *problem = parse(text, out);
    if (problem)
        redis_url_free(out);
    return problem;
}

void redis_url_free(struct redis_url *url)
{
    free(url->host);
    free(url->path);
    free(url->user);
    free(url->password);
    *url = (struct redis_url){0};
}
