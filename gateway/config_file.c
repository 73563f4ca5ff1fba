/* config_file.c -- see config_file.h. */
#include "config_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../common/xalloc.h"

enum { FILE_MAX_BYTES = 64 * 1024 };

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct bytes trimmed(struct bytes text)
{
    while (text.len && is_space(text.data[0]))
        text = (struct bytes){text.data + 1, text.len - 1};
    while (text.len && is_space(text.data[text.len - 1]))
        text.len--;
    return text;
}

/* A '#' inside of a word is part of it: passwords have them. */
static struct bytes without_comment(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '#' && (i == 0 || is_space(text.data[i - 1])))
            return (struct bytes){text.data, i};
    }
    return text;
}

static struct bytes take_line(struct bytes *rest)
{
    const char *end = memchr(rest->data, '\n', rest->len);
    struct bytes text = {rest->data, end ? (size_t)(end - rest->data) : rest->len};
    size_t taken = text.len + (end != NULL);
    *rest = (struct bytes){rest->data + taken, rest->len - taken};
    return text;
}

enum config_line_result config_file_next(struct bytes *rest, struct config_line *line)
{
    while (rest->len) {
        line->number++;
        struct bytes text = trimmed(without_comment(take_line(rest)));
        if (text.len == 0)
            continue;
        const char *equals = memchr(text.data, '=', text.len);
        if (!equals || memchr(text.data, '\0', text.len))
            return CONFIG_LINE_BAD;
        size_t name_len = (size_t)(equals - text.data);
        line->name = trimmed((struct bytes){text.data, name_len});
        line->value = trimmed((struct bytes){equals + 1, text.len - name_len - 1});
        return line->name.len ? CONFIG_LINE_FOUND : CONFIG_LINE_BAD;
    }
    return CONFIG_LINE_END;
}

char *config_file_read(const char *path, size_t *len, const char **why)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        *why = strerror(errno);
        return NULL;
    }
    char *data = xmalloc(FILE_MAX_BYTES + 1);
    *len = fread(data, 1, FILE_MAX_BYTES + 1, file);
    *why = ferror(file) ? strerror(errno) : *len > FILE_MAX_BYTES ? "larger than 64 KiB" : NULL;
    fclose(file);
    if (*why) {
        free(data);
        return NULL;
    }
    data[*len] = '\0';
    return data;
}
