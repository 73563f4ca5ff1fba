/* redis_handshake.c -- see redis_handshake.h. */
#include "redis_handshake.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "xalloc.h"

enum step { STEP_AUTH, STEP_SELECT, STEP_NAME, STEP_SERVER, STEP_REPLICATION, STEP_PING, STEP_COUNT };

/* ---- errors ---- */

static bool begins_with(struct bytes text, const char *word)
{
    size_t len = strlen(word);
    return text.len >= len && memcmp(text.data, word, len) == 0 && (text.len == len || text.data[len] == ' ');
}

static bool begins_with_one_of(struct bytes text, const char *const *words)
{
    for (; *words; words++) {
        if (begins_with(text, *words))
            return true;
    }
    return false;
}

bool redis_error_is_not_primary(struct bytes error)
{
    static const char *const words[] = {"LOADING",     "MASTERDOWN", "READONLY", "NOREPLICAS", "MISCONF",
                                        "CLUSTERDOWN", "BUSY",       "TRYAGAIN", "UNBLOCKED",  NULL};
    return begins_with_one_of(error, words);
}

bool redis_error_is_no_permission(struct bytes error)
{
    static const char *const words[] = {"NOPERM", NULL};
    return begins_with_one_of(error, words);
}

bool redis_error_is_denied(struct bytes error)
{
    static const char *const words[] = {"WRONGPASS", "NOAUTH", "NOPERM", "DENIED", NULL};
    return begins_with_one_of(error, words);
}

/* Keeps the error for the log. A server that does not know AUTH may quote the command, and so the password: of the
 * login's error only the first word is kept. */
static void keep_error(struct redis_handshake *handshake, struct bytes text)
{
    if (handshake->step == STEP_AUTH) {
        const char *space = memchr(text.data, ' ', text.len);
        size_t word = space ? (size_t)(space - text.data) : text.len;
        snprintf(handshake->error, sizeof handshake->error, "%.*s: AUTH was refused: check user and password",
                 (int)(word < 32 ? word : 32), text.data);
        return;
    }
    size_t len = text.len < sizeof handshake->error - 1 ? text.len : sizeof handshake->error - 1;
    memcpy(handshake->error, text.data, len);
    handshake->error[len] = '\0';
}

/* ---- commands ---- */

static void append(char **out, size_t *out_len, int argc, const char **argv)
{
    char *command;
    int len = (int)redisFormatCommandArgv(&command, argc, argv, NULL);
    *out = xrealloc(*out, *out_len + (size_t)len);
    memcpy(*out + *out_len, command, (size_t)len);
    *out_len += (size_t)len;
    redisFreeCommand(command);
}

/* Steps that are not taken were not sent either. */
static void skip_steps(struct redis_handshake *handshake)
{
    if (handshake->step == STEP_AUTH && !handshake->has_auth)
        handshake->step++;
    if (handshake->step == STEP_SELECT && !handshake->has_select)
        handshake->step++;
}

char *redis_handshake_begin(struct redis_handshake *handshake, const struct redis_handshake_options *options,
                            size_t *out_len)
{
    bool has_user = options->user && *options->user;
    const char *password = options->password ? options->password : ""; /* a user may have none */
    *handshake = (struct redis_handshake){.has_auth = options->password || has_user, .has_select = options->db != 0};
    skip_steps(handshake);

    char *out = NULL;
    *out_len = 0;
    if (handshake->has_auth && has_user)
        append(&out, out_len, 3, (const char *[]){"AUTH", options->user, password});
    else if (handshake->has_auth)
        append(&out, out_len, 2, (const char *[]){"AUTH", password});
    if (handshake->has_select) {
        char number[12];
        snprintf(number, sizeof number, "%d", options->db);
        append(&out, out_len, 2, (const char *[]){"SELECT", number});
    }
    append(&out, out_len, 3, (const char *[]){"CLIENT", "SETNAME", options->client_name});
    append(&out, out_len, 2, (const char *[]){"INFO", "server"}); /* two: 6.2 takes one section at a time */
    append(&out, out_len, 2, (const char *[]){"INFO", "replication"});
    append(&out, out_len, 1, (const char *[]){"PING"});
    return out;
}

/* ---- answers ---- */

static void on_error(struct redis_handshake *handshake, struct bytes text)
{
    keep_error(handshake, text);
    bool matters = handshake->step < STEP_NAME || handshake->step == STEP_PING; /* an ACL may forbid the others */
    if (redis_error_is_not_primary(text))
        handshake->state = matters ? HANDSHAKE_NOT_YET : handshake->state;
    else if (matters || begins_with(text, "NOAUTH") || begins_with(text, "DENIED"))
        handshake->state = HANDSHAKE_REFUSED;
}

struct bytes redis_info_field(struct bytes info, const char *field)
{
    size_t name_len = strlen(field);
    const char *end = info.data + info.len;
    for (const char *at = info.data; at && (at = memmem(at, (size_t)(end - at), field, name_len)); at += name_len) {
        const char *value = at + name_len + 1;
        if ((at > info.data && at[-1] != '\n') || value > end || value[-1] != ':')
            continue;
        size_t len = 0;
        while (value + len < end && value[len] != '\r' && value[len] != '\n')
            len++;
        return (struct bytes){value, len};
    }
    return (struct bytes){NULL, 0};
}

static void keep_field(char *out, size_t size, struct bytes info, const char *field)
{
    struct bytes value = redis_info_field(info, field);
    snprintf(out, size, "%.*s", (int)value.len, value.len ? value.data : "");
}

void redis_handshake_value(struct redis_handshake *handshake, const struct resp_value *value)
{
    if (handshake->state != HANDSHAKE_GOING_ON)
        return;
    if (value->type == RESP_ERROR)
        on_error(handshake, value->text);
    else if (handshake->step == STEP_SERVER && value->type == RESP_STRING)
        keep_field(handshake->run_id, sizeof handshake->run_id, value->text, "run_id");
    else if (handshake->step == STEP_REPLICATION && value->type == RESP_STRING)
        keep_field(handshake->replid, sizeof handshake->replid, value->text, "master_replid");
}

void redis_handshake_end(struct redis_handshake *handshake)
{
    handshake->step++;
    skip_steps(handshake);
    if (handshake->step == STEP_COUNT && handshake->state == HANDSHAKE_GOING_ON)
        handshake->state = HANDSHAKE_DONE;
}
