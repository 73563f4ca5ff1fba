/* ctl_parse.h -- an admin's command line, read and written.
 *
 *     <verb> [key=value]...        kick room=lobby user=Ada%20Lovelace
 *
 * Words are parted by spaces; a value may have any byte as %XX. This is what stands in `PUBLISH plenum:ctl '...'`, and
 * what the HTTP API sends to the gateways. Pure. Called by: ctl, the HTTP API. */
#ifndef PLENUM_GATEWAY_ADMIN_CTL_PARSE_H
#define PLENUM_GATEWAY_ADMIN_CTL_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../common/names.h"

enum ctl_verb {
    CTL_KICK,   /* room= and user= or member= */
    CTL_BAN,    /* room= user= [for=SECONDS] */
    CTL_UNBAN,  /* room= user= */
    CTL_LOCK,   /* room= */
    CTL_UNLOCK, /* room= */
    CTL_END,    /* room= */
    CTL_MUTE,   /* room= and user= or member= */
    CTL_UNMUTE, /* likewise */
    CTL_COUNT,  /* [room=] */
    CTL_DRAIN,  /* [over=SECONDS] */
    CTL_VERBS
};

enum {
    CTL_USER_MAX = 64,           /* bytes of a name */
    CTL_FOR_MAX = 10 * 31536000, /* seconds of a ban that ends: ten years */
    CTL_OVER_MAX = 3600,         /* seconds of a drain */
    CTL_LINE_MAX = 640           /* bytes that ctl_write needs at most */
};

struct ctl_command {
    enum ctl_verb verb;
    char room[ROOM_NAME_MAX];
    size_t room_len; /* 0: none was given */
    char user[CTL_USER_MAX];
    size_t user_len; /* 0: none */
    uint64_t member; /* 0: none */
    int64_t seconds; /* for= or over=; -1: not given */
};

static inline struct bytes ctl_room(const struct ctl_command *command)
{
    return (struct bytes){command->room, command->room_len};
}

static inline struct bytes ctl_user(const struct ctl_command *command)
{
    return (struct bytes){command->user, command->user_len};
}

/* Reads a line. Returns NULL, or what is wrong with it in words (a constant). */
const char *ctl_parse(struct bytes line, struct ctl_command *command) __attribute__((warn_unused_result));

/* Looks whether a command that was put together otherwise has what its verb needs, and nothing else. */
const char *ctl_check(const struct ctl_command *command) __attribute__((warn_unused_result));

/* Writes a checked command as a line, not terminated, and returns its length. */
size_t ctl_write(const struct ctl_command *command, char out[CTL_LINE_MAX]);

const char *ctl_verb_name(enum ctl_verb verb);

/* The verb of that name; false when there is none. */
bool ctl_verb_find(struct bytes name, enum ctl_verb *verb);

/* Takes a name, as a user= has it. False when it is empty, too long or not UTF-8. */
bool ctl_set_user(struct ctl_command *command, struct bytes user) __attribute__((warn_unused_result));

/* Reads 16 hex digits that are not all zero. */
bool ctl_member_read(struct bytes text, uint64_t *member) __attribute__((warn_unused_result));

#endif
