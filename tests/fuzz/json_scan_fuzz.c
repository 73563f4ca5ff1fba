/* json_scan_fuzz.c -- any bytes as JSON: taken exactly when a plain recursive reader of RFC 8259's grammar takes them;
 * what is taken, cJSON takes as well; the members' places are inside of each other as they should be. */
#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../common/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* ---- the grammar, as it stands in the RFC */

struct reader {
    const unsigned char *at, *end;
    int depth;
};

static int peek(const struct reader *reader)
{
    return reader->at < reader->end ? *reader->at : -1;
}

static bool take(struct reader *reader, int c)
{
    if (peek(reader) != c)
        return false;
    reader->at++;
    return true;
}

static void white(struct reader *reader)
{
    while (take(reader, ' ') || take(reader, '\t') || take(reader, '\n') || take(reader, '\r'))
        ;
}

static bool word(struct reader *reader, const char *text)
{
    while (*text) {
        if (!take(reader, (unsigned char)*text++))
            return false;
    }
    return true;
}

static bool digits(struct reader *reader)
{
    const unsigned char *begin = reader->at;
    while (peek(reader) >= '0' && peek(reader) <= '9')
        reader->at++;
    return reader->at > begin;
}

static bool number(struct reader *reader)
{
    take(reader, '-');
    if (!take(reader, '0') && !digits(reader))
        return false;
    if (take(reader, '.') && !digits(reader))
        return false;
    if (!take(reader, 'e') && !take(reader, 'E'))
        return true;
    if (!take(reader, '+'))
        take(reader, '-');
    return digits(reader);
}

static bool escape(struct reader *reader)
{
    if (!take(reader, 'u')) {
        int c = peek(reader);
        return c > 0 && strchr("\"\\/bfnrt", c) && take(reader, c);
    }
    for (int i = 0; i < 4; i++) {
        int c = peek(reader);
        if (c <= 0 || !strchr("0123456789abcdefABCDEF", c) || !take(reader, c))
            return false;
    }
    return true;
}

static bool string(struct reader *reader)
{
    if (!take(reader, '"'))
        return false;
    while (!take(reader, '"')) {
        if (take(reader, '\\') ? !escape(reader) : peek(reader) < 0x20 || !take(reader, peek(reader)))
            return false;
    }
    return true;
}

static bool value(struct reader *reader);

static bool brackets(struct reader *reader, int closer)
{
    white(reader);
    if (take(reader, closer))
        return true;
    do {
        white(reader);
        if (closer == '}') {
            if (!string(reader))
                return false;
            white(reader);
            if (!take(reader, ':'))
                return false;
        }
        if (!value(reader))
            return false;
    } while (take(reader, ','));
    return take(reader, closer);
}

static bool value(struct reader *reader)
{
    bool good;
    white(reader);
    int c = peek(reader);
    if (c == '{' || c == '[') {
        reader->at++;
        good = reader->depth++ < JSON_DEPTH_MAX && brackets(reader, c == '{' ? '}' : ']');
        reader->depth--;
    } else {
        good = c == '"'   ? string(reader)
               : c == 't' ? word(reader, "true")
               : c == 'f' ? word(reader, "false")
               : c == 'n' ? word(reader, "null")
                          : number(reader);
    }
    white(reader);
    return good;
}

/* ---- against the scanner */

struct members {
    const char *from, *end; /* the next member is between these */
    size_t count;
};

static void on_member(void *ctx, struct bytes key, struct bytes part)
{
    struct members *members = ctx;
    require(key.data > members->from && key.data[-1] == '"' && key.data[key.len] == '"');
    require(key.data + key.len < part.data && part.len > 0 && part.data + part.len <= members->end);
    require(json_valid(part) && !strchr(" \n\r\t", part.data[0]) && !strchr(" \n\r\t", part.data[part.len - 1]));
    json_string_is(key, "data");
    members->from = part.data + part.len;
    members->count++;
}

/* What cJSON refuses though it is JSON: half a surrogate pair, numbers of more than 63 characters. */
static bool beyond_cjson(struct bytes text)
{
    size_t run = 0;
    for (size_t i = 0; i < text.len; i++) {
        run = text.data[i] && strchr("0123456789+-.eE", text.data[i]) ? run + 1 : 0;
        if (run > 63)
            return true;
    }
    return memmem(text.data, text.len, "\\ud", 3) || memmem(text.data, text.len, "\\uD", 3);
}

static void check_cjson(struct bytes text, const struct members *members)
{
    if (beyond_cjson(text))
        return;
    cJSON *tree = cJSON_ParseWithLength(text.data, text.len);
    require(tree != NULL);
    if (cJSON_IsObject(tree))
        require((size_t)cJSON_GetArraySize(tree) == members->count);
    cJSON_Delete(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = {(const char *)data, size};
    struct reader reader = {data, data + size, 0};
    bool expected = value(&reader) && reader.at == reader.end;
    struct members members = {text.data, text.data + text.len, 0};
    bool valid = json_valid(text), object = json_scan_object(text, on_member, &members);
    require(valid == expected);
    reader.at = data;
    white(&reader);
    require(object == (valid && peek(&reader) == '{'));
    if (valid)
        check_cjson(text, &members);
    require(json_plain_len(text) <= size);
    return 0;
}
