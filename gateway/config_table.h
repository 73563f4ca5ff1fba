/* config_table.h -- the settings, one row each: what drives parsing, --help and --print-config.
 *
 * A row says all there is to say about a setting but its meaning to the program. Constant.
 * Read by: config.c, config_value.c, config_show.c, and nobody else: the program reads struct config. */
#ifndef PLENUM_GATEWAY_CONFIG_TABLE_H
#define PLENUM_GATEWAY_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "../common/bytes.h"

enum setting_type {
    SETTING_ADDRESS, /* struct config_address: HOST:PORT, [V6]:PORT, :PORT */
    SETTING_COUNT,   /* int or uint32_t: a whole number */
    SETTING_BYTES,   /* uint32_t: a whole number, or one with k or m behind it (1024, 1048576) */
    SETTING_DECIMAL, /* double: a decimal number */
    SETTING_ON_OFF,  /* bool */
    SETTING_CHOICE,  /* an enum: one of the choices */
    SETTING_TEXT,    /* char *: NULL when empty */
    SETTING_LIST     /* char *: texts parted by ';'; may be given several times, and all of them count */
};

/* What is never shown as it is, and may come from a file (--NAME-file). */
enum setting_secret {
    SECRET_NOT,
    SECRET_URL, /* its password */
    SECRET_WORD /* all of it */
};

struct setting {
    const char *heading;                    /* of the section that begins here in --help; NULL: the section goes on */
    const char *name;                       /* of the flag, without its dashes */
    const char *fallback;                   /* the default, as one would write it; "": none */
    const char *help;                       /* one line */
    const char *unit;                       /* of a SETTING_DECIMAL: "s" or "ms"; of a SETTING_COUNT: "s" or none */
    double min, max;                        /* of a number */
    const char *const *choices;             /* SETTING_CHOICE: names in the enum's order, then NULL */
    const char *(*wrong)(const char *text); /* text, list: what is wrong with it in words, or NULL; may be absent */
    size_t offset;                          /* in struct config */
    enum setting_type type;
    enum setting_secret secret;
};

enum { SETTINGS = 32 };
extern const struct setting settings[SETTINGS];

/* The setting of that name, or NULL. */
const struct setting *setting_find(struct bytes name);

#endif
