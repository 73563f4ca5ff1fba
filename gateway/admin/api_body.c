/* api_body.c -- see api_body.h. */
#include "api_body.h"

#include <cjson/cJSON.h>
#include <strings.h>

#include "../../common/json_scan.h"
#include "../../common/utf8.h"
#include "../../common/xalloc.h"

static int refuse(int status, const char **why, const char *sentence)
{
    *why = sentence;
    return status;
}

/* True when the media type is this one, whatever its parameters. */
static bool type_is(const struct http_request *request, const char *type)
{
    struct bytes value;
    http_header(request, "content-type", &value);
    const char *end = memchr(value.data, ';', value.len);
    size_t len = end ? (size_t)(end - value.data) : value.len;
    while (len && (value.data[len - 1] == ' ' || value.data[len - 1] == '\t'))
        len--;
    return len == strlen(type) && strncasecmp(value.data, type, len) == 0;
}

/* ---- messages */

static bool key_valid(struct bytes key)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || !strchr("_.:-", c)))
            return false;
    }
    return key.len >= 1 && key.len <= API_KEY_MAX;
}

static int read_key(const struct http_request *request, struct api_call *call, const char **why)
{
    struct bytes key;
    int count = http_header(request, "idempotency-key", &key);
    if (count == 0)
        return 0;
    if (count > 1 || !key_valid(key))
        return refuse(400, why, "An Idempotency-Key is 1 to 64 of the characters A-Z a-z 0-9 _ . : -");
    memcpy(call->key, key.data, key.len);
    call->key_len = key.len;
    return 0;
}

int api_read_message(const struct http_request *request, struct api_call *call, const char **why)
{
    struct bytes body = http_body(request);
    if (!http_has_length(request))
        return refuse(411, why, "The body is the message: say Content-Length.");
    if (type_is(request, "application/json")) {
        call->kind = ENVELOPE_JSON;
        if (!utf8_valid(body) || !json_valid(body))
            return refuse(400, why, "The body is not one JSON value in UTF-8.");
    } else if (type_is(request, "text/plain")) {
        call->kind = ENVELOPE_TEXT;
        if (!utf8_valid(body))
            return refuse(400, why, "The body is not UTF-8.");
    } else if (type_is(request, "application/x-www-form-urlencoded")) {
        return refuse(415, why,
                      "The body is the message, not a form: say Content-Type: application/json, or what it is.");
    } else {
        call->kind = ENVELOPE_BINARY;
    }
    call->body = xstrndup(body.data, body.len);
    call->body_len = body.len;
    return read_key(request, call, why);
}

/* ---- commands */

static const char *read_seconds(const cJSON *item, int64_t max, struct ctl_command *command)
{
    if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble > (double)max ||
        (double)(int64_t)item->valuedouble != item->valuedouble)
        return "for and over are whole numbers of seconds: for up to ten years, over up to an hour.";
    command->seconds = (int64_t)item->valuedouble;
    return NULL;
}

static const char *read_item(const cJSON *item, struct ctl_command *command)
{
    bool text = cJSON_IsString(item);
    if (!strcmp(item->string, "user"))
        return text && ctl_set_user(command, bytes_of(item->valuestring)) ? NULL
                                                                          : "user is a name: 1 to 64 bytes of text.";
    if (!strcmp(item->string, "member"))
        return text && ctl_member_read(bytes_of(item->valuestring), &command->member)
                   ? NULL
                   : "member is a string of 16 hex digits.";
    if (!strcmp(item->string, "for") && command->verb == CTL_BAN)
        return read_seconds(item, CTL_FOR_MAX, command);
    if (!strcmp(item->string, "over") && command->verb == CTL_DRAIN)
        return read_seconds(item, CTL_OVER_MAX, command);
    return "There are the fields user, member, for (with ban) and over (with drain), and no others.";
}

/* A zero byte would end the name before its time. */
static bool is_plain_object(struct bytes body)
{
    return utf8_valid(body) && json_valid(body) && !memmem(body.data, body.len, "\\u0000", 6);
}

static const char *read_object(struct bytes body, struct ctl_command *command)
{
    cJSON *object = is_plain_object(body) ? cJSON_ParseWithLength(body.data, body.len) : NULL;
    const char *wrong = NULL;
    if (!object || !cJSON_IsObject(object))
        wrong = "The body is not a JSON object.";
    else
        for (const cJSON *item = object->child; item && !wrong; item = item->next)
            wrong = read_item(item, command);
    cJSON_Delete(object);
    return wrong;
}

/* What the body of a command has to be. */
static const char *needs_of(enum ctl_verb verb)
{
    if (verb == CTL_KICK || verb == CTL_MUTE || verb == CTL_UNMUTE)
        return "The body says whom: {\"user\": \"Ada\"} or {\"member\": \"0a1b2c3d00000001\"}.";
    if (verb == CTL_BAN || verb == CTL_UNBAN)
        return "The body names a user: {\"user\": \"Ada\"}.";
    return "This is about nobody in particular: the body names no user and no member.";
}

int api_read_command(const struct http_request *request, struct api_call *call, const char **why)
{
    struct ctl_command *command = &call->command;
    *command = (struct ctl_command){.verb = call->route.verb, .seconds = -1, .room_len = call->route.room_len};
    memcpy(command->room, call->route.room, call->route.room_len);
    struct bytes body = http_body(request);
    if (body.len && !type_is(request, "application/json"))
        return refuse(415, why, "The body is JSON: say Content-Type: application/json.");
    *why = body.len ? read_object(body, command) : NULL;
    if (*why)
        return 400;
    if (command->verb == CTL_BAN && command->seconds == 0)
        command->seconds = -1; /* for good */
    return ctl_check(command) ? refuse(400, why, needs_of(command->verb)) : 0;
}
