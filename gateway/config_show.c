/* config_show.c -- see config_show.h. */
#include "config_show.h"

#include <stdlib.h>

#include "config_value.h"

static const char *const usage = "Usage: plenum [--NAME VALUE | --NAME=VALUE]...\n"
                                 "\n"
                                 "A WebSocket broadcast gateway. Each setting is a flag, a variable (--redis-prefix is "
                                 "PLENUM_REDIS_PREFIX) or a line\n"
                                 "of the configuration file (redis-prefix = VALUE). A flag counts more than a "
                                 "variable, a variable more than the file.\n"
                                 "Sizes take k and m: 256k is 262144 bytes.\n";

static const char *const rules =
    "\nA room rule: PATTERN [NAME=VALUE]...\n"
    "  --room-rule 'live-* log=0 presence=off members=200'\n"
    "  The pattern is a room's name, with * for any run of characters and ? for any one. Settings: log=MESSAGES (0: "
    "none),\n"
    "  log-bytes=BYTES, log-ttl=SECONDS, presence=on|off, media=on|off, members=N (on one gateway at most; 0: any).\n"
    "  The first rule that matches a room holds. The flag may be given several times; a ';' parts rules, in the "
    "variable\n"
    "  and the file too (where a name has one, write ?).\n";

static const char *const commands =
    "\nOther flags\n"
    "  --config FILE               read this file too (PLENUM_CONFIG)\n"
    "  --redis-file FILE           the file that holds --redis, for mounted secrets (PLENUM_REDIS_FILE)\n"
    "  --admin-token-file FILE     the file that holds --admin-token (PLENUM_ADMIN_TOKEN_FILE)\n"
    "  --check-config              say whether the configuration is good, and stop\n"
    "  --print-config              print the settings in force, passwords masked, and stop\n"
    "  --version                   print the version, and stop\n"
    "  --help                      print this, and stop\n";

static const char *value_word(const struct setting *setting)
{
    switch (setting->type) {
    case SETTING_ADDRESS:
        return "HOST:PORT";
    case SETTING_COUNT:
        return setting->unit ? "SECONDS" : "N";
    case SETTING_BYTES:
        return "BYTES";
    case SETTING_DECIMAL:
        return !strcmp(setting->unit, "s") ? "SECONDS" : "MS";
    case SETTING_ON_OFF:
        return "on|off";
    case SETTING_CHOICE:
        return NULL; /* the choices themselves */
    case SETTING_LIST:
        return "RULE";
    case SETTING_TEXT:
        break;
    }
    return setting->secret == SECRET_URL ? "URL" : setting->secret ? "TOKEN" : "NAME";
}

static void show_setting(FILE *out, const struct setting *setting)
{
    char flag[64];
    size_t len = (size_t)snprintf(flag, sizeof flag, "--%s ", setting->name);
    if (setting->type != SETTING_CHOICE)
        len += (size_t)snprintf(flag + len, sizeof flag - len, "%s", value_word(setting));
    else
        for (int i = 0; setting->choices[i]; i++)
            len += (size_t)snprintf(flag + len, sizeof flag - len, "%s%s", i ? "|" : "", setting->choices[i]);

    /* a flag that is too long for its column has a line to itself */
    if (len > 27)
        fprintf(out, "  %s\n  %-27s %s", flag, "", setting->help);
    else
        fprintf(out, "  %-27s %s", flag, setting->help);
    if (*setting->fallback)
        fprintf(out, " (default %s%s%s)", setting->fallback, setting->unit ? " " : "",
                setting->unit ? setting->unit : "");
    fputc('\n', out);
}

void config_show_help(FILE *out)
{
    fputs(usage, out);
    for (int i = 0; i < SETTINGS; i++) {
        if (settings[i].heading)
            fprintf(out, "\n%s\n", settings[i].heading);
        show_setting(out, &settings[i]);
    }
    fputs(rules, out);
    fputs(commands, out);
}

void config_show_values(FILE *out, const struct config *config, const char *const origins[SETTINGS])
{
    for (int i = 0; i < SETTINGS; i++) {
        char *value = setting_shown(&settings[i], config);
        fprintf(out, "%s = %s", settings[i].name, value);
        if (origins[i])
            fprintf(out, " # %s", origins[i]);
        fputc('\n', out);
        free(value);
    }
}
