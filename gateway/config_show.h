/* config_show.h -- what `plenum --help` and `plenum --print-config` print, made from the table.
 *
 * Called by: config.c. */
#ifndef PLENUM_GATEWAY_CONFIG_SHOW_H
#define PLENUM_GATEWAY_CONFIG_SHOW_H

#include <stdio.h>

#include "config.h"
#include "config_table.h"

void config_show_help(FILE *out);

/* Every setting in the configuration file's syntax, passwords as ***. origins[i] is where setting i was set, or NULL
 * for its default; it becomes the line's comment. */
void config_show_values(FILE *out, const struct config *config, const char *const origins[SETTINGS]);

#endif
