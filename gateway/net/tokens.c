/* tokens.c -- see tokens.h. */
#include "tokens.h"

#include <strings.h>

bool token_char(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static void skip_space(struct token_reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t'))
        reader->at++;
}

bool token_read(struct token_reader *reader, struct bytes *token)
{
    skip_space(reader);
    const char *start = reader->at;
    while (reader->at < reader->end && token_char(*reader->at))
        reader->at++;
    *token = (struct bytes){start, (size_t)(reader->at - start)};
    skip_space(reader);
    return token->len > 0;
}

/* Reads "..." from its opening quote on, with \ escapes. */
static bool read_quoted(struct token_reader *reader, char *text, size_t size)
{
    size_t len = 0;
    for (reader->at++; reader->at < reader->end && *reader->at != '"'; reader->at++) {
        if (*reader->at == '\\' && ++reader->at == reader->end)
            return false;
        if (!token_char(*reader->at))
            return false;
        if (len < size)
            text[len] = *reader->at;
        len++;
    }
    if (reader->at == reader->end || len == 0)
        return false;
    reader->at++;
    skip_space(reader);
    text[len < size ? len : 0] = '\0';
    return true;
}

bool token_read_value(struct token_reader *reader, char *text, size_t size)
{
    skip_space(reader);
    if (reader->at < reader->end && *reader->at == '"')
        return read_quoted(reader, text, size);
    struct bytes token;
    if (!token_read(reader, &token))
        return false;
    size_t len = token.len < size ? token.len : 0;
    memcpy(text, token.data, len);
    text[len] = '\0';
    return true;
}

bool token_accept(struct token_reader *reader, char c)
{
    skip_space(reader);
    if (reader->at == reader->end || *reader->at != c)
        return false;
    reader->at++;
    return true;
}

bool token_skip_empty(struct token_reader *reader)
{
    skip_space(reader);
    return reader->at == reader->end || *reader->at == ',';
}

bool token_at_end(struct token_reader *reader)
{
    skip_space(reader);
    return reader->at == reader->end;
}

bool token_list_contains(struct bytes list, struct bytes token)
{
    struct token_reader reader = {list.data, list.data + list.len};
    do {
        struct bytes item;
        if (token_skip_empty(&reader))
            continue;
        if (!token_read(&reader, &item))
            return false;
        if (item.len == token.len && strncasecmp(item.data, token.data, token.len) == 0)
            return true;
    } while (token_accept(&reader, ','));
    return false;
}
