/* rules.c -- see rules.h. */
#include "rules.h"

#include <stdlib.h>

#include "../../common/names.h"
#include "../../common/xalloc.h"

enum { LOG_SIZE_MAX = 1000000, LOG_BYTES_MAX = 1 << 30, LOG_TTL_MAX = 30 * 24 * 3600 };

struct entry {
    char pattern[ROOM_NAME_MAX + 1];
    struct room_rule rule;
};

struct rules {
    struct room_rule fallback;
    struct entry *entries; /* in the order in which they were given */
    uint32_t count;
};

struct rules *rules_new(const struct room_rule *fallback)
{
    struct rules *rules = xcalloc(1, sizeof *rules);
    rules->fallback = *fallback;
    return rules;
}

void rules_free(struct rules *rules)
{
    if (!rules)
        return;
    free(rules->entries);
    free(rules);
}

/* ---- reading a rule */

/* Takes the next word; words are parted by spaces. Empty at the end. */
static struct bytes take_word(struct bytes *rest)
{
    while (rest->len && *rest->data == ' ')
        *rest = (struct bytes){rest->data + 1, rest->len - 1};
    const char *end = rest->len ? memchr(rest->data, ' ', rest->len) : NULL;
    struct bytes word = {rest->data, end ? (size_t)(end - rest->data) : rest->len};
    *rest = (struct bytes){word.data + word.len, rest->len - word.len};
    return word;
}

/* A name in which * and ? stand for something else. */
static bool pattern_valid(struct bytes pattern)
{
    char name[ROOM_NAME_MAX];
    if (pattern.len == 0 || pattern.len > sizeof name)
        return false;
    for (size_t i = 0; i < pattern.len; i++)
        name[i] = pattern.data[i] == '*' || pattern.data[i] == '?' ? 'x' : pattern.data[i];
    return room_name_valid((struct bytes){name, pattern.len});
}

/* Digits, and k or m behind them where sizes is set. */
static bool read_number(struct bytes text, bool sizes, uint64_t max, uint32_t *out)
{
    uint64_t value = 0, factor = 1;
    if (sizes && text.len && strchr("kKmM", text.data[text.len - 1])) {
        factor = strchr("kK", text.data[text.len - 1]) ? 1024 : 1024 * 1024;
        text.len--;
    }
    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
        if (value > max)
            return false;
    }
    *out = (uint32_t)(value * factor); /* max is below 2^32 */
    return value * factor <= max;
}

static bool read_switch(struct bytes text, bool *out)
{
    *out = bytes_equal(text, BYTES("on"));
    return *out || bytes_equal(text, BYTES("off"));
}

static const char *read_setting(struct room_rule *rule, struct bytes name, struct bytes value)
{
    if (bytes_equal(name, BYTES("log")))
        return read_number(value, false, LOG_SIZE_MAX, &rule->log.size) ? NULL
                                                                        : "log= wants messages, from 0 to 1000000";
    if (bytes_equal(name, BYTES("log-bytes")))
        return read_number(value, true, LOG_BYTES_MAX, &rule->log.bytes) && rule->log.bytes
                   ? NULL
                   : "log-bytes= wants bytes (256k, 1m), from 1 to 1073741824";
    if (bytes_equal(name, BYTES("log-ttl")))
        return read_number(value, false, LOG_TTL_MAX, &rule->log.ttl_s) && rule->log.ttl_s
                   ? NULL
                   : "log-ttl= wants seconds, from 1 to 2592000";
    if (bytes_equal(name, BYTES("members")))
        return read_number(value, false, UINT32_MAX, &rule->members) ? NULL : "members= wants a number; 0: any";
    if (bytes_equal(name, BYTES("presence")))
        return read_switch(value, &rule->presence) ? NULL : "presence= is on or off";
    if (bytes_equal(name, BYTES("media")))
        return read_switch(value, &rule->media) ? NULL : "media= is on or off";
    return "a rule knows log= log-bytes= log-ttl= presence= members= media= and nothing else";
}

const char *rules_add(struct rules *rules, const char *text)
{
    struct bytes rest = bytes_of(text);
    if (rest.len > RULE_TEXT_MAX)
        return "a rule is longer than 512 bytes";
    struct bytes pattern = take_word(&rest), word;
    if (!pattern_valid(pattern))
        return "a rule begins with a pattern: 1 to 164 of the characters of a room's name, and * and ?";
    struct entry entry = {.rule = rules->fallback};
    memcpy(entry.pattern, pattern.data, pattern.len);
    while ((word = take_word(&rest)).len) {
        const char *equals = memchr(word.data, '=', word.len);
        if (!equals)
            return "behind its pattern a rule has settings: NAME=VALUE";
        struct bytes name = {word.data, (size_t)(equals - word.data)};
        const char *wrong = read_setting(&entry.rule, name, (struct bytes){equals + 1, word.len - name.len - 1});
        if (wrong)
            return wrong;
    }
    rules->entries = xrealloc(rules->entries, (rules->count + 1) * sizeof *rules->entries);
    rules->entries[rules->count++] = entry;
    return NULL;
}

/* ---- finding one */

/* On a mismatch the last * takes one character more: that is enough, as what an earlier one took can only be less. So
 * the work is the product of the lengths at most, whatever the pattern. */
static bool matches(const char *pattern, struct bytes name)
{
    const char *star = NULL;
    size_t at = 0, star_at = 0;
    while (at < name.len) {
        if (*pattern == '*') {
            star = pattern++;
            star_at = at;
        } else if (*pattern == '?' || *pattern == name.data[at]) {
            pattern++;
            at++;
        } else if (star) {
            pattern = star + 1;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

const struct room_rule *rules_find(const struct rules *rules, struct bytes room)
{
    for (uint32_t i = 0; i < rules->count; i++) {
        if (matches(rules->entries[i].pattern, room))
            return &rules->entries[i].rule;
    }
    return &rules->fallback;
}

/* ---- digest: FNV-1a over the fields, one by one, as padding has no meaning and byte order differs */

static uint32_t add_number(uint32_t digest, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        digest = (digest ^ ((number >> (8 * i)) & 0xff)) * 16777619u;
    return digest;
}

static uint32_t add_rule(uint32_t digest, const struct room_rule *rule)
{
    digest = add_number(digest, rule->log.size);
    digest = add_number(digest, rule->log.bytes);
    digest = add_number(digest, rule->log.ttl_s);
    digest = add_number(digest, rule->members);
    return add_number(digest, (uint32_t)rule->presence << 1 | rule->media);
}

uint32_t rules_digest(const struct rules *rules)
{
    uint32_t digest = add_rule(2166136261u, &rules->fallback);
    for (uint32_t i = 0; i < rules->count; i++) {
        const struct entry *entry = &rules->entries[i];
        for (const char *c = entry->pattern; *c; c++)
            digest = (digest ^ (unsigned char)*c) * 16777619u;
        digest = add_rule(add_number(digest, 0), &entry->rule);
    }
    return digest;
}
