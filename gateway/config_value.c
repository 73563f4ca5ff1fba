/* config_value.c -- one pair of functions for each type of setting; see config_value.h. */
#include "config_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "../common/xalloc.h"

_Static_assert(sizeof(enum log_level) == sizeof(int) && sizeof(enum log_format) == sizeof(int),
               "SETTING_CHOICE is stored as an int");

static void *field_of(const struct setting *setting, struct config *config)
{
    return (char *)config + setting->offset;
}

static const void *field_read(const struct setting *setting, const struct config *config)
{
    return (const char *)config + setting->offset;
}

/* Starts the complaint with the value in quotes: one line, and not a long one, whatever was given. */
static size_t quote(char why[WHY_BYTES], const char *text)
{
    enum { SHOWN = 80 };
    size_t len = 0;
    why[len++] = '\'';
    for (size_t i = 0; text[i] && i < SHOWN; i++)
        why[len++] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
    len += (size_t)snprintf(why + len, WHY_BYTES - len, "%s'", strlen(text) > SHOWN ? "..." : "");
    return len;
}

/* Digits only: no sign, no space, no hex. Returns false on anything else, or above UINT32_MAX. */
static bool parse_digits(const char *text, size_t len, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *value = *value * 10 + (uint64_t)(text[i] - '0');
        if (*value > UINT32_MAX)
            return false;
    }
    return len > 0;
}

static bool parse_whole(const struct setting *setting, const char *text, void *field, char why[WHY_BYTES])
{
    size_t len = strlen(text);
    uint64_t factor = 1, value;
    if (setting->type == SETTING_BYTES && len) {
        char suffix = text[len - 1];
        factor = suffix == 'k' || suffix == 'K' ? 1024 : suffix == 'm' || suffix == 'M' ? 1024 * 1024 : 1;
        len -= factor > 1;
    }
    if (parse_digits(text, len, &value) && value * factor >= (uint64_t)setting->min &&
        value * factor <= (uint64_t)setting->max) {
        *(uint32_t *)field = (uint32_t)(value * factor); /* or an int: the two may alias, and ranges end below 2^31 */
        return true;
    }
    size_t at = quote(why, text);
    snprintf(why + at, WHY_BYTES - at, " is not a whole number from %.0f to %.0f%s", setting->min, setting->max,
             setting->type == SETTING_BYTES ? " bytes (256k, 1m)" : "");
    return false;
}

static bool parse_decimal(const struct setting *setting, const char *text, double *field, char why[WHY_BYTES])
{
    char *end;
    /* strtod alone would take "inf", "nan" and "0x1p3" */
    bool plain = *text && strspn(text, "0123456789.") == strlen(text);
    double value = plain ? strtod(text, &end) : 0;
    if (plain && *end == '\0' && value >= setting->min && value <= setting->max) {
        *field = value;
        return true;
    }
    size_t at = quote(why, text);
    snprintf(why + at, WHY_BYTES - at, " is not a number of %s from %g to %g",
             !strcmp(setting->unit, "s") ? "seconds" : "milliseconds", setting->min, setting->max);
    return false;
}

/* Splits HOST:PORT, [V6]:PORT or :PORT (every IPv4 address). Hosts are what the listener can bind: addresses. */
static bool split_address(const char *text, struct config_address *address)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (!colon || !parse_digits(colon + 1, strlen(colon + 1), &port) || port > 65535)
        return false;
    struct bytes host = colon == text ? BYTES("0.0.0.0") : (struct bytes){text, (size_t)(colon - text)};
    bool bracketed = host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';
    if (bracketed)
        host = (struct bytes){host.data + 1, host.len - 2};
    if (host.len >= sizeof address->host)
        return false;
    *address = (struct config_address){.port = (int)port};
    memcpy(address->host, host.data, host.len);
    struct sockaddr_in6 v6;
    struct sockaddr_in v4;
    return (bracketed ? uv_ip6_addr(address->host, 0, &v6) : uv_ip4_addr(address->host, 0, &v4)) == 0;
}

static bool parse_address(const char *text, struct config_address *field, char why[WHY_BYTES])
{
    struct config_address address;
    if (split_address(text, &address)) {
        *field = address;
        return true;
    }
    size_t at = quote(why, text);
    snprintf(why + at, WHY_BYTES - at, " is not an address and a port, as 0.0.0.0:8000 or [::1]:8000 (no host names)");
    return false;
}

static bool parse_on_off(const char *text, bool *field, char why[WHY_BYTES])
{
    if (!strcmp(text, "on") || !strcmp(text, "off")) {
        *field = !strcmp(text, "on");
        return true;
    }
    size_t at = quote(why, text);
    snprintf(why + at, WHY_BYTES - at, " is not on or off");
    return false;
}

static bool parse_choice(const struct setting *setting, const char *text, void *field, char why[WHY_BYTES])
{
    for (int i = 0; setting->choices[i]; i++) {
        if (!strcmp(text, setting->choices[i])) {
            memcpy(field, &i, sizeof i);
            return true;
        }
    }
    size_t at = quote(why, text);
    at += (size_t)snprintf(why + at, WHY_BYTES - at, " is not one of");
    for (int i = 0; setting->choices[i]; i++)
        at += (size_t)snprintf(why + at, WHY_BYTES - at, "%s %s", i ? "," : "", setting->choices[i]);
    return false;
}

static bool parse_text(const struct setting *setting, const char *text, char **field, char why[WHY_BYTES])
{
    const char *wrong = setting->wrong ? setting->wrong(text) : NULL;
    if (wrong) {
        size_t at = setting->secret ? 0 : quote(why, text);
        snprintf(why + at, WHY_BYTES - at, "%s%s", at ? ": " : "", wrong);
        return false;
    }
    free(*field);
    *field = *text ? xstrdup(text) : NULL;
    return true;
}

/* Puts text behind what stands there already. */
static bool parse_list(const struct setting *setting, const char *text, char **field, char why[WHY_BYTES])
{
    enum { LIST_BYTES_MAX = 64 * 1024 };
    size_t size = (*field ? strlen(*field) : 0) + strlen(text) + sizeof "; ";
    const char *wrong = size > LIST_BYTES_MAX ? "all of them together are larger than 64 KiB" : setting->wrong(text);
    if (wrong) {
        snprintf(why + quote(why, text), 256, ": %s", wrong);
        return false;
    }
    if (!*text)
        return true;
    char *joined = xmalloc(size);
    snprintf(joined, size, "%s%s%s", *field ? *field : "", *field ? "; " : "", text);
    free(*field);
    *field = joined;
    return true;
}

bool setting_parse(const struct setting *setting, const char *text, struct config *config, char why[WHY_BYTES])
{
    void *field = field_of(setting, config);
    switch (setting->type) {
    case SETTING_ADDRESS:
        return parse_address(text, field, why);
    case SETTING_COUNT:
    case SETTING_BYTES:
        return parse_whole(setting, text, field, why);
    case SETTING_DECIMAL:
        return parse_decimal(setting, text, field, why);
    case SETTING_ON_OFF:
        return parse_on_off(text, field, why);
    case SETTING_CHOICE:
        return parse_choice(setting, text, field, why);
    case SETTING_TEXT:
        return parse_text(setting, text, field, why);
    case SETTING_LIST:
        return parse_list(setting, text, field, why);
    }
    return false;
}

char *config_masked_url(const char *url)
{
    const char *scheme_end = strstr(url, "://");
    const char *user = scheme_end ? scheme_end + 3 : url;
    const char *at = strrchr(user, '@'); /* the last one: better to hide too much than the half of a password */
    const char *colon = at ? memchr(user, ':', (size_t)(at - user)) : NULL;
    if (!colon)
        return xstrdup(url);
    size_t size = strlen(url) + sizeof "***";
    char *shown = xmalloc(size);
    snprintf(shown, size, "%.*s***%s", (int)(colon + 1 - url), url, at);
    return shown;
}

void config_address_text(const struct config_address *address, char out[CONFIG_ADDRESS_TEXT])
{
    bool v6 = strchr(address->host, ':') != NULL;
    snprintf(out, CONFIG_ADDRESS_TEXT, v6 ? "[%s]:%d" : "%s:%d", address->host, address->port);
}

static char *shown_address(const struct config_address *address)
{
    char text[CONFIG_ADDRESS_TEXT];
    config_address_text(address, text);
    return xstrdup(text);
}

char *setting_shown(const struct setting *setting, const struct config *config)
{
    const void *field = field_read(setting, config);
    char number[32];
    switch (setting->type) {
    case SETTING_ADDRESS:
        return shown_address(field);
    case SETTING_COUNT:
    case SETTING_BYTES:
        snprintf(number, sizeof number, "%" PRIu32, *(const uint32_t *)field);
        return xstrdup(number);
    case SETTING_DECIMAL:
        snprintf(number, sizeof number, "%.10g", *(const double *)field);
        return xstrdup(number);
    case SETTING_ON_OFF:
        return xstrdup(*(const bool *)field ? "on" : "off");
    case SETTING_CHOICE: {
        int choice;
        memcpy(&choice, field, sizeof choice);
        return xstrdup(setting->choices[choice]);
    }
    case SETTING_TEXT: {
        const char *text = *(char *const *)field;
        if (text && setting->secret == SECRET_URL)
            return config_masked_url(text);
        return xstrdup(!text ? "" : setting->secret ? "***" : text);
    }
    case SETTING_LIST: {
        const char *text = *(char *const *)field;
        return xstrdup(text ? text : "");
    }
    }
    return xstrdup("");
}

void setting_free(const struct setting *setting, struct config *config)
{
    if (setting->type != SETTING_TEXT && setting->type != SETTING_LIST)
        return;
    char **field = field_of(setting, config);
    free(*field);
    *field = NULL;
}
