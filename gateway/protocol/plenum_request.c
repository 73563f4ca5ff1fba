/* plenum_request.c -- see plenum_request.h.
 *
 * The scanner finds the members of the object; those that have a meaning anywhere are remembered by their place in the
 * text, the last one where a key comes twice. Then each type reads those that it has. So a field that is of no use to
 * a type may hold anything, and nothing of a stranger's choice is built in memory but a short string with escapes. */
#include "plenum_request.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

#include "../../common/json_scan.h"
#include "../../common/names.h"

static const uint64_t INTEGER_MAX = ((uint64_t)1 << 53) - 1; /* Number.MAX_SAFE_INTEGER */

enum { NUMBER_BUFFER = 64, MEMBER_DIGITS = 16, LONGEST_ESCAPE = 6 /* \u0041, for one byte */ };

/* ---- what may be wrong */

#define BAD "bad_request"
static const struct request_error BAD_JSON = {"bad_json", "This is not a JSON object."};
static const struct request_error UNKNOWN_TYPE = {"unknown_type", "There is no such `type`."};
static const struct request_error NO_TYPE = {BAD, "`type` is missing or not a string."};
static const struct request_error BAD_ID = {BAD, "`id` is missing or not an integer from 0 to 2^53 - 1."};
static const struct request_error BAD_STRING = {BAD, "A string has a \\u0000 or half of a surrogate pair in it."};
static const struct request_error NO_ROOM = {BAD, "`room` is missing or not a string."};
static const struct request_error BAD_ROOM = {
    "bad_room", "A room's name is 1 to 164 of A-Z a-z 0-9 _ . : = @ , ; - and does not begin with @."};
static const struct request_error BAD_NAME = {BAD,
                                              "`name` is not a string of 1 to 64 bytes without control characters."};
static const struct request_error NO_DATA = {BAD, "`data` is missing."};
static const struct request_error NO_INFO = {BAD, "`info` is missing."};
static const struct request_error LARGE_INFO = {"too_large", "`info` is larger than 4096 bytes."};
static const struct request_error BAD_KEY = {BAD, "`key` is not a string of 1 to 64 of A-Z a-z 0-9 _ . : -"};
static const struct request_error BAD_RESUME = {BAD, "`resume` is not an object with `epoch` and `offset`."};
static const struct request_error BAD_EPOCH = {BAD, "`epoch` is missing or not a string of up to 32 bytes."};
static const struct request_error BAD_OFFSET = {BAD, "`offset` is missing or not an integer from 0 to 2^53 - 1."};
static const struct request_error BAD_HISTORY = {BAD, "`history` is not an integer from 0 to 256."};
static const struct request_error BAD_BEFORE = {BAD, "`before` is not an integer from 0 to 2^53 - 1."};
static const struct request_error BAD_AFTER = {BAD, "`after` is not an integer from 0 to 2^53 - 1."};
static const struct request_error BOTH_WAYS = {BAD, "`before` and `after` exclude each other."};
static const struct request_error BAD_LIMIT = {BAD, "`limit` is not an integer from 1 to 256."};
static const struct request_error BAD_TO = {BAD, "`to` is missing or not a member's 16 hex digits."};
static const struct request_error BAD_TIME = {BAD, "`time` is not a number."};
#undef BAD

/* ---- the fields, as they stand in the text */

enum field {
    FIELD_TYPE,
    FIELD_ID,
    FIELD_ROOM,
    FIELD_NAME,
    FIELD_DATA,
    FIELD_INFO,
    FIELD_KEY,
    FIELD_RESUME,
    FIELD_EPOCH, /* of resume, like offset */
    FIELD_OFFSET,
    FIELD_HISTORY,
    FIELD_BEFORE,
    FIELD_AFTER,
    FIELD_LIMIT,
    FIELD_TO,
    FIELD_TIME,
    FIELD_COUNT
};

static const char *const field_names[FIELD_COUNT] = {
    [FIELD_TYPE] = "type",   [FIELD_ID] = "id",         [FIELD_ROOM] = "room",       [FIELD_NAME] = "name",
    [FIELD_DATA] = "data",   [FIELD_INFO] = "info",     [FIELD_KEY] = "key",         [FIELD_RESUME] = "resume",
    [FIELD_EPOCH] = "epoch", [FIELD_OFFSET] = "offset", [FIELD_HISTORY] = "history", [FIELD_BEFORE] = "before",
    [FIELD_AFTER] = "after", [FIELD_LIMIT] = "limit",   [FIELD_TO] = "to",           [FIELD_TIME] = "time",
};

struct fields {
    struct bytes at[FIELD_COUNT]; /* raw values; of length 0: not there */
};

static void on_member(void *ctx, struct bytes key, struct bytes value)
{
    struct fields *fields = ctx;
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (json_string_is(key, field_names[i])) {
            fields->at[i] = value;
            return;
        }
    }
}

/* ---- strings */

/* Which strings a field takes. */
struct string_rule {
    size_t max;                         /* bytes */
    bool (*allowed)(struct bytes text); /* NULL: all */
    const struct request_error *no_string, *not_allowed;
};

static bool name_allowed(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i], next = i + 1 < name.len ? (unsigned char)name.data[i + 1] : 0;
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && next < 0xa0)) /* U+0080 to U+009f are controls as well */
            return false;
    }
    return name.len > 0;
}

static bool key_allowed(struct bytes key)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && c != '_' && c != '.' && c != ':' && c != '-')
            return false;
    }
    return key.len > 0;
}

static bool parse_member(struct bytes digits, uint64_t *member)
{
    *member = 0;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.data[i];
        if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
            return false;
        *member = *member << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return digits.len == MEMBER_DIGITS;
}

static bool member_allowed(struct bytes digits)
{
    uint64_t member;
    return parse_member(digits, &member);
}

static const struct string_rule room_rule = {ROOM_NAME_MAX, room_name_valid, &NO_ROOM, &BAD_ROOM};
static const struct string_rule name_rule = {REQUEST_NAME_MAX, name_allowed, &BAD_NAME, &BAD_NAME};
static const struct string_rule key_rule = {REQUEST_KEY_MAX, key_allowed, &BAD_KEY, &BAD_KEY};
static const struct string_rule epoch_rule = {REQUEST_EPOCH_MAX, NULL, &BAD_EPOCH, &BAD_EPOCH};
static const struct string_rule to_rule = {MEMBER_DIGITS, member_allowed, &BAD_TO, &BAD_TO};

static bool has_nul(struct bytes raw)
{
    struct bytes nul = BYTES("u0000");
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.data[i] != '\\')
            continue;
        i++; /* to what is escaped: it may be a backslash */
        if (raw.len - i >= nul.len && memcmp(raw.data + i, nul.data, nul.len) == 0)
            return true;
    }
    return false;
}

/* A string with escapes is unescaped into the request's tree. False where it cannot be: cJSON's strings end at a NUL,
 * and what JSON.parse makes of half a surrogate pair is no UTF-8. */
static bool unescape(struct request *request, struct bytes value, struct bytes *out)
{
    cJSON *string = has_nul(value) ? NULL : cJSON_ParseWithLength(value.data, value.len);
    if (!string)
        return false;
    if (!request->tree)
        request->tree = cJSON_CreateArray();
    cJSON_AddItemToArray(request->tree, string);
    *out = bytes_of(string->valuestring);
    return true;
}

static const struct request_error *read_string(struct request *request, struct bytes value,
                                               const struct string_rule *rule, struct bytes *out)
{
    if (value.len == 0 || value.data[0] != '"')
        return rule->no_string;
    struct bytes text = {value.data + 1, value.len - 2};
    if (text.len > LONGEST_ESCAPE * rule->max)
        return rule->not_allowed;
    if (text.len && memchr(text.data, '\\', text.len) && !unescape(request, value, &text))
        return &BAD_STRING;
    if (text.len > rule->max || (rule->allowed && !rule->allowed(text)))
        return rule->not_allowed;
    *out = text;
    return NULL;
}

/* ---- numbers */

static bool is_number(struct bytes value)
{
    return value.len && (value.data[0] == '-' || (value.data[0] >= '0' && value.data[0] <= '9'));
}

/* A whole number of whatever spelling (1.0, 1e2), as JSON.parse would see it. */
static bool read_integer(struct bytes value, uint64_t max, uint64_t *out)
{
    char text[NUMBER_BUFFER];
    if (!is_number(value) || value.len >= sizeof text)
        return false;
    memcpy(text, value.data, value.len);
    text[value.len] = '\0';
    double number = strtod(text, NULL);
    if (!(number >= 0 && number <= (double)max) || (double)(uint64_t)number != number)
        return false;
    *out = (uint64_t)number;
    return true;
}

/* ---- fields that several types have */

static const struct request_error *read_room(const struct fields *fields, struct request *request)
{
    return read_string(request, fields->at[FIELD_ROOM], &room_rule, &request->room);
}

static const struct request_error *read_name(const struct fields *fields, struct request *request)
{
    request->has_name = fields->at[FIELD_NAME].len > 0;
    return request->has_name ? read_string(request, fields->at[FIELD_NAME], &name_rule, &request->name) : NULL;
}

static const struct request_error *read_info(const struct fields *fields, struct request *request)
{
    request->info = fields->at[FIELD_INFO];
    request->has_info = request->info.len > 0;
    return request->info.len > REQUEST_INFO_MAX ? &LARGE_INFO : NULL;
}

static const struct request_error *read_data(const struct fields *fields, struct request *request)
{
    request->data = fields->at[FIELD_DATA];
    return request->data.len == 0 ? &NO_DATA : NULL;
}

static const struct request_error *read_resume(struct bytes resume, struct request *request)
{
    struct fields inner = {0};
    request->has_resume = resume.len > 0;
    if (!request->has_resume)
        return NULL;
    if (!json_scan_object(resume, on_member, &inner))
        return &BAD_RESUME;
    if (!read_integer(inner.at[FIELD_OFFSET], INTEGER_MAX, &request->offset))
        return &BAD_OFFSET;
    return read_string(request, inner.at[FIELD_EPOCH], &epoch_rule, &request->epoch);
}

/* ---- the types */

typedef const struct request_error *(*read_fn)(const struct fields *fields, struct request *request);

static const struct request_error *read_join(const struct fields *fields, struct request *request)
{
    uint64_t history = 0;
    if (fields->at[FIELD_HISTORY].len && !read_integer(fields->at[FIELD_HISTORY], INTEGER_MAX, &history))
        return &BAD_HISTORY;
    request->history = history < REQUEST_HISTORY_MAX ? (uint32_t)history : REQUEST_HISTORY_MAX;
    const struct request_error *error = read_room(fields, request);
    if (!error)
        error = read_name(fields, request);
    if (!error)
        error = read_info(fields, request);
    return error ? error : read_resume(fields->at[FIELD_RESUME], request);
}

static const struct request_error *read_publish(const struct fields *fields, struct request *request)
{
    const struct request_error *error = read_room(fields, request);
    if (!error && fields->at[FIELD_KEY].len)
        error = read_string(request, fields->at[FIELD_KEY], &key_rule, &request->key);
    return error ? error : read_data(fields, request);
}

static const struct request_error *read_history(const struct fields *fields, struct request *request)
{
    struct bytes before = fields->at[FIELD_BEFORE], after = fields->at[FIELD_AFTER], limit = fields->at[FIELD_LIMIT];
    uint64_t count = REQUEST_HISTORY_DEFAULT;
    if (before.len && after.len)
        return &BOTH_WAYS;
    request->direction = before.len ? HISTORY_BEFORE : after.len ? HISTORY_AFTER : HISTORY_LAST;
    if (before.len && !read_integer(before, INTEGER_MAX, &request->offset))
        return &BAD_BEFORE;
    if (after.len && !read_integer(after, INTEGER_MAX, &request->offset))
        return &BAD_AFTER;
    if (limit.len && (!read_integer(limit, INTEGER_MAX, &count) || count == 0))
        return &BAD_LIMIT;
    request->limit = count < REQUEST_HISTORY_MAX ? (uint32_t)count : REQUEST_HISTORY_MAX;
    return read_room(fields, request);
}

static const struct request_error *read_signal(const struct fields *fields, struct request *request)
{
    struct bytes to = {NULL, 0};
    const struct request_error *error = read_room(fields, request);
    if (!error)
        error = read_string(request, fields->at[FIELD_TO], &to_rule, &to);
    if (!error)
        (void)parse_member(to, &request->to);
    return error ? error : read_data(fields, request);
}

static const struct request_error *read_update(const struct fields *fields, struct request *request)
{
    const struct request_error *error = read_room(fields, request);
    if (!error)
        error = read_name(fields, request);
    if (!error)
        error = read_info(fields, request);
    return error || request->has_info ? error : &NO_INFO;
}

static const struct request_error *read_ping(const struct fields *fields, struct request *request)
{
    request->time = fields->at[FIELD_TIME];
    request->has_time = request->time.len > 0;
    return request->has_time && !is_number(request->time) ? &BAD_TIME : NULL;
}

static const struct request_error *read_token(const struct fields *fields, struct request *request)
{
    (void)fields;
    request->what = "Tokens are not supported yet.";
    return NULL;
}

static const struct request_error *read_media(const struct fields *fields, struct request *request)
{
    (void)fields;
    request->what = "Media are not supported yet.";
    return NULL;
}

static const struct {
    const char *name;
    enum request_type type;
    read_fn read;
} types[] = {
    {"publish", REQUEST_PUBLISH, read_publish},  {"ping", REQUEST_PING, read_ping},
    {"signal", REQUEST_SIGNAL, read_signal},     {"join", REQUEST_JOIN, read_join},
    {"leave", REQUEST_LEAVE, read_room},         {"update", REQUEST_UPDATE, read_update},
    {"history", REQUEST_HISTORY, read_history},  {"hello", REQUEST_HELLO, read_name},
    {"auth", REQUEST_UNSUPPORTED, read_token},   {"open", REQUEST_UNSUPPORTED, read_media},
    {"close", REQUEST_UNSUPPORTED, read_media},  {"want", REQUEST_UNSUPPORTED, read_media},
    {"attach", REQUEST_UNSUPPORTED, read_media},
};

static const struct request_error *find_type(struct bytes value, struct request *request, read_fn *read)
{
    if (value.len == 0 || value.data[0] != '"')
        return &NO_TYPE;
    struct bytes name = {value.data + 1, value.len - 2};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (json_string_is(name, types[i].name)) {
            request->type = types[i].type;
            *read = types[i].read;
            return NULL;
        }
    }
    return &UNKNOWN_TYPE;
}

const struct request_error *request_parse(struct bytes text, struct request *request)
{
    struct fields fields = {0};
    read_fn read;
    *request = (struct request){0};
    if (!json_scan_object(text, on_member, &fields))
        return &BAD_JSON;
    struct bytes id = fields.at[FIELD_ID];
    request->has_id = read_integer(id, INTEGER_MAX, &request->id);
    const struct request_error *error = find_type(fields.at[FIELD_TYPE], request, &read);
    if (error)
        return error;
    if (!request->has_id && (id.len || request->type != REQUEST_HELLO))
        return &BAD_ID;
    return read(&fields, request);
}

void request_free(struct request *request)
{
    cJSON_Delete(request->tree);
    request->tree = NULL;
}
