/* extensions.c -- see extensions.h. */
#include "extensions.h"

#include "tokens.h"

enum { VALUE_MAX = 16 }; /* longer values are of no parameter that we know */

struct parameter {
    struct bytes name;
    bool has_value;
    char value[VALUE_MAX + 1]; /* unquoted; empty when too long to be meant for us */
};

/* What one offer of permessage-deflate says. */
struct offer {
    bool is_deflate, acceptable;
    bool server_no_context, client_no_context, server_bits, client_bits; /* seen */
    struct deflate_answer answer;
};

/* 8 to 15 without leading zeros (RFC 7692, 7.1.2.1), else 0. */
static int window_bits(const char *value)
{
    if (value[0] >= '8' && value[0] <= '9' && !value[1])
        return value[0] - '0';
    if (value[0] == '1' && value[1] >= '0' && value[1] <= '5' && !value[2])
        return 10 + value[1] - '0';
    return 0;
}

static bool once(bool *seen)
{
    bool first = !*seen;
    *seen = true;
    return first;
}

/* Judges one parameter: false declines the whole offer. */
static bool accept_parameter(struct offer *offer, const struct parameter *parameter)
{
    struct bytes name = parameter->name;
    if (bytes_equal(name, BYTES("server_no_context_takeover")))
        return !parameter->has_value && once(&offer->server_no_context);
    if (bytes_equal(name, BYTES("client_no_context_takeover")))
        return !parameter->has_value && once(&offer->client_no_context);
    if (bytes_equal(name, BYTES("client_max_window_bits"))) /* a hint that we need not take: we inflate any window */
        return once(&offer->client_bits) && (!parameter->has_value || window_bits(parameter->value));
    if (bytes_equal(name, BYTES("server_max_window_bits"))) {
        offer->answer.echo_window = true;
        return once(&offer->server_bits) && parameter->has_value && window_bits(parameter->value) == 15;
    }
    return false;
}

/* Reads `; name` or `; name=value` behind the ';'. Returns false where the grammar is broken. */
static bool read_parameter(struct token_reader *reader, struct parameter *out)
{
    *out = (struct parameter){.has_value = false};
    if (!token_read(reader, &out->name))
        return false;
    if (!token_accept(reader, '='))
        return true;
    out->has_value = true;
    return token_read_value(reader, out->value, sizeof out->value);
}

static bool read_offer(struct token_reader *reader, struct offer *offer)
{
    struct bytes name;
    if (!token_read(reader, &name))
        return false;
    *offer = (struct offer){.is_deflate = bytes_equal(name, BYTES("permessage-deflate")), .acceptable = true};
    while (token_accept(reader, ';')) {
        struct parameter parameter;
        if (!read_parameter(reader, &parameter))
            return false;
        if (offer->is_deflate && !accept_parameter(offer, &parameter))
            offer->acceptable = false;
    }
    return true;
}

enum extensions_result extensions_negotiate(struct bytes header, struct deflate_answer *answer)
{
    struct token_reader reader = {header.data, header.data + header.len};
    enum extensions_result result = EXTENSIONS_NONE;
    bool any = false;
    do {
        if (token_skip_empty(&reader)) /* RFC 7230, section 7: empty list elements are to be ignored */
            continue;
        struct offer offer;
        if (!read_offer(&reader, &offer))
            return EXTENSIONS_MALFORMED;
        any = true;
        if (result == EXTENSIONS_NONE && offer.is_deflate && offer.acceptable) {
            result = EXTENSIONS_DEFLATE;
            *answer = offer.answer;
        }
    } while (token_accept(&reader, ','));
    return any && token_at_end(&reader) ? result : EXTENSIONS_MALFORMED;
}

const char *extensions_answer(const struct deflate_answer *answer)
{
    return answer->echo_window ? "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
                                 "server_max_window_bits=15"
                               : "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
}
