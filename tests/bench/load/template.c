/* template.c -- fills a dialect's texts in: see template.h. */
#include "template.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "../common/tool.h"

enum { NAME_MAX_LEN = 128, EXPANDED_MAX = 512 };

static size_t append_signature(const struct template_values *values, const char *channel, char *out, size_t cap)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    char text[2 * NAME_MAX_LEN];
    int text_len = snprintf(text, sizeof text, "%s:%s", values->socket_id, channel);
    size_t n = (size_t)snprintf(out, cap, ",\"auth\":\"%s:", values->key);

    if (n + 70 > cap || text_len >= (int)sizeof text ||
        !HMAC(EVP_sha256(), values->secret, (int)strlen(values->secret), (unsigned char *)text, (size_t)text_len,
              digest, &digest_len))
        die("cannot sign channel %s", channel);
    for (unsigned i = 0; i < digest_len; i++)
        n += (size_t)snprintf(out + n, cap - n, "%02x", digest[i]);
    return n + (size_t)snprintf(out + n, cap - n, "\"");
}

static size_t expand_one(char what, const struct template_values *values, char *out, size_t cap)
{
    char channel[NAME_MAX_LEN];

    snprintf(channel, sizeof channel, "%s%s%d", what != 'r' && values->secret ? "private-" : "", values->room_prefix,
             values->room);
    switch (what) {
    case 'r':
    case 'c':
        return (size_t)snprintf(out, cap, "%s", channel);
    case 'a':
        return values->secret && values->socket_id ? append_signature(values, channel, out, cap) : 0;
    case 'k':
        return (size_t)snprintf(out, cap, "%s", values->key);
    case 'i':
        return (size_t)snprintf(out, cap, "%" PRIu64, (*values->next_id)++);
    case 'm':
        return (size_t)snprintf(out, cap, "%d", values->member);
    case 'p':
        memcpy(out, values->payload, values->payload_len);
        return values->payload_len;
    default:
        *out = what;
        return 1;
    }
}

size_t template_expand(const char *template, const struct template_values *values, char *out, size_t cap)
{
    size_t n = 0;

    for (const char *t = template; *t; t++) {
        if (n + values->payload_len + EXPANDED_MAX > cap)
            die("template too long: %s", template);
        if (*t == '%' && t[1])
            n += expand_one(*++t, values, out + n, cap - n);
        else
            out[n++] = *t;
    }
    out[n] = 0;
    return n;
}
