/* config_file.h -- the configuration file: flat lines of NAME = VALUE.
 *
 * A '#' at a line's beginning or after a space begins a comment; blank lines are nothing; what stands around name and
 * value in spaces is dropped. There are no quotes and no escapes. Knows no setting.
 * Called by: config.c. */
#ifndef PLENUM_GATEWAY_CONFIG_FILE_H
#define PLENUM_GATEWAY_CONFIG_FILE_H

#include <stddef.h>

#include "../common/bytes.h"

struct config_line {
    int number;               /* of the line, from 1; 0 before the first */
    struct bytes name, value; /* borrowed from the file's bytes */
};

enum config_line_result {
    CONFIG_LINE_FOUND,
    CONFIG_LINE_END,
    CONFIG_LINE_BAD /* no '=', no name, or a NUL byte; line->number says where */
};

/* Steps to the next line that says something. rest is what is left of the file; line begins as {0} and is kept by the
 * caller from call to call. */
enum config_line_result config_file_next(struct bytes *rest, struct config_line *line)
    __attribute__((warn_unused_result));

/* Reads a small text file whole: 64 KiB at most. Returns it terminated, the caller's to free, or NULL with what is
 * wrong in *why (a constant or strerror's text). */
char *config_file_read(const char *path, size_t *len, const char **why) __attribute__((warn_unused_result));

#endif
