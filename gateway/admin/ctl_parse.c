/* ctl_parse.c -- see ctl_parse.h. */
#include "ctl_parse.h"

#include <inttypes.h>
#include <stdio.h>

#include "../../common/percent.h"
#include "../../common/utf8.h"

enum { MEMBER_ID_DIGITS = 2 * GATEWAY_ID_DIGITS };

enum key { KEY_ROOM = 1, KEY_USER = 2, KEY_MEMBER = 4, KEY_FOR = 8, KEY_OVER = 16 };

static const struct {
    const char *name;
    unsigned needs;    /* all of these keys */
    unsigned one_of;   /* and one of these */
    unsigned may_have; /* and perhaps these */
} verbs[CTL_VERBS] = {
    [CTL_KICK] = {"kick", KEY_ROOM, KEY_USER | KEY_MEMBER, 0},
    [CTL_BAN] = {"ban", KEY_ROOM | KEY_USER, 0, KEY_FOR},
    [CTL_UNBAN] = {"unban", KEY_ROOM | KEY_USER, 0, 0},
    [CTL_LOCK] = {"lock", KEY_ROOM, 0, 0},
    [CTL_UNLOCK] = {"unlock", KEY_ROOM, 0, 0},
    [CTL_END] = {"end", KEY_ROOM, 0, 0},
    [CTL_MUTE] = {"mute", KEY_ROOM, KEY_USER | KEY_MEMBER, 0},
    [CTL_UNMUTE] = {"unmute", KEY_ROOM, KEY_USER | KEY_MEMBER, 0},
    [CTL_COUNT] = {"count", 0, 0, KEY_ROOM},
    [CTL_DRAIN] = {"drain", 0, 0, KEY_OVER},
};

const char *ctl_verb_name(enum ctl_verb verb)
{
    return verbs[verb].name;
}

bool ctl_verb_find(struct bytes name, enum ctl_verb *verb)
{
    for (int i = 0; i < CTL_VERBS; i++) {
        if (bytes_equal(name, bytes_of(verbs[i].name))) {
            *verb = (enum ctl_verb)i;
            return true;
        }
    }
    return false;
}

/* ---- values */

bool ctl_set_user(struct ctl_command *command, struct bytes user)
{
    if (user.len == 0 || user.len > sizeof command->user || !utf8_valid(user))
        return false;
    memcpy(command->user, user.data, user.len);
    command->user_len = user.len;
    return true;
}

bool ctl_member_read(struct bytes text, uint64_t *member)
{
    *member = 0;
    if (text.len != MEMBER_ID_DIGITS)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool digit = c >= '0' && c <= '9';
        if (!digit && !(c >= 'a' && c <= 'f'))
            return false;
        *member = *member << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
    }
    return *member != 0;
}

static bool read_seconds(struct bytes text, int64_t max, int64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *out = *out * 10 + (text.data[i] - '0');
        if (*out > max)
            return false;
    }
    return text.len > 0;
}

/* value is decoded already. */
static const char *set_value(struct ctl_command *command, enum key key, struct bytes value)
{
    switch (key) {
    case KEY_ROOM:
        if (!room_name_valid(value))
            return "room= is not a room's name";
        memcpy(command->room, value.data, value.len);
        command->room_len = value.len;
        return NULL;
    case KEY_USER:
        return ctl_set_user(command, value) ? NULL : "user= is not a name: 1 to 64 bytes of UTF-8";
    case KEY_MEMBER:
        return ctl_member_read(value, &command->member) ? NULL : "member= is not 16 hex digits";
    case KEY_FOR:
        return read_seconds(value, CTL_FOR_MAX, &command->seconds) && command->seconds
                   ? NULL
                   : "for= wants seconds, from 1 to 315360000; without it a ban does not end";
    case KEY_OVER:
        return read_seconds(value, CTL_OVER_MAX, &command->seconds) ? NULL : "over= wants seconds, from 0 to 3600";
    }
    return NULL;
}

/* ---- a whole command */

/* The keys that have a value. for= and over= share a field, and no verb knows both. */
static unsigned keys_of(const struct ctl_command *command)
{
    unsigned of_time = command->verb == CTL_DRAIN ? KEY_OVER : KEY_FOR;
    return (command->room_len ? KEY_ROOM : 0u) | (command->user_len ? KEY_USER : 0u) |
           (command->member ? KEY_MEMBER : 0u) | (command->seconds >= 0 ? of_time : 0u);
}

static const char *check_keys(enum ctl_verb verb, unsigned keys)
{
    unsigned needs = verbs[verb].needs, one_of = verbs[verb].one_of;
    unsigned whom = keys & one_of;
    if (keys & ~(needs | one_of | verbs[verb].may_have))
        return "this verb has no use for one of the keys";
    if ((keys & needs & KEY_ROOM) != (needs & KEY_ROOM))
        return "room= is missing";
    if ((keys & needs) != needs)
        return "user= is missing";
    if (one_of && !whom)
        return "user= or member= is missing";
    return whom == (KEY_USER | KEY_MEMBER) ? "user= or member=, not both" : NULL;
}

const char *ctl_check(const struct ctl_command *command)
{
    return check_keys(command->verb, keys_of(command));
}

static struct bytes take_word(struct bytes *rest)
{
    while (rest->len && *rest->data == ' ')
        *rest = (struct bytes){rest->data + 1, rest->len - 1};
    const char *end = rest->len ? memchr(rest->data, ' ', rest->len) : NULL;
    struct bytes word = {rest->data, end ? (size_t)(end - rest->data) : rest->len};
    *rest = (struct bytes){word.data + word.len, rest->len - word.len};
    return word;
}

/* Splits a word into key and value, and decodes that. */
static const char *read_pair(struct bytes word, struct ctl_command *command, unsigned *seen)
{
    static const struct {
        const char *name;
        enum key key;
    } keys[] = {{"room", KEY_ROOM}, {"user", KEY_USER}, {"member", KEY_MEMBER}, {"for", KEY_FOR}, {"over", KEY_OVER}};
    const char *equals = memchr(word.data, '=', word.len);
    if (!equals)
        return "behind the verb there are words of the form key=value";
    struct bytes name = {word.data, (size_t)(equals - word.data)};
    char value[ROOM_NAME_MAX + 1]; /* longer than any value may be */
    ssize_t len = percent_decode((struct bytes){equals + 1, word.len - name.len - 1}, value, sizeof value);
    if (len < 0)
        return "a % does not begin two hex digits";
    if ((size_t)len > sizeof value)
        return "a value is too long";
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!bytes_equal(name, bytes_of(keys[i].name)))
            continue;
        if (*seen & keys[i].key)
            return "a key is there twice";
        *seen |= keys[i].key;
        return set_value(command, keys[i].key, (struct bytes){value, (size_t)len});
    }
    return "an unknown key: there are room= user= member= for= over=";
}

const char *ctl_parse(struct bytes line, struct ctl_command *command)
{
    *command = (struct ctl_command){.seconds = -1};
    struct bytes verb = take_word(&line), word;
    if (!ctl_verb_find(verb, &command->verb))
        return "an unknown verb: there are kick ban unban lock unlock end mute unmute count drain";
    unsigned seen = 0;
    while ((word = take_word(&line)).len) {
        const char *wrong = read_pair(word, command, &seen);
        if (wrong)
            return wrong;
    }
    return check_keys(command->verb, seen);
}

/* ---- writing */

static bool plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
}

static size_t write_encoded(char *out, struct bytes value)
{
    static const char digits[] = "0123456789ABCDEF";
    char *at = out;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if (plain(c)) {
            *at++ = (char)c;
            continue;
        }
        *at++ = '%';
        *at++ = digits[c >> 4];
        *at++ = digits[c & 15];
    }
    return (size_t)(at - out);
}

size_t ctl_write(const struct ctl_command *command, char out[CTL_LINE_MAX])
{
    size_t len = (size_t)snprintf(out, CTL_LINE_MAX, "%s", verbs[command->verb].name);
    if (command->room_len) /* a room's name has nothing that would have to be encoded */
        len += (size_t)snprintf(out + len, CTL_LINE_MAX - len, " room=%.*s", (int)command->room_len, command->room);
    if (command->user_len) {
        len += (size_t)snprintf(out + len, CTL_LINE_MAX - len, " user=");
        len += write_encoded(out + len, ctl_user(command));
    }
    if (command->member)
        len += (size_t)snprintf(out + len, CTL_LINE_MAX - len, " member=%016" PRIx64, command->member);
    if (command->seconds >= 0)
        len += (size_t)snprintf(out + len, CTL_LINE_MAX - len, " %s=%" PRId64,
                                command->verb == CTL_DRAIN ? "over" : "for", command->seconds);
    return len;
}
