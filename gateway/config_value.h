/* config_value.h -- one setting's value, between text and struct config.
 *
 * Called by: config.c and config_show.c, with rows of config_table.h. */
#ifndef PLENUM_GATEWAY_CONFIG_VALUE_H
#define PLENUM_GATEWAY_CONFIG_VALUE_H

#include "config.h"
#include "config_table.h"

enum { WHY_BYTES = 320 }; /* room for what is wrong with a value, in words */

/* Reads text as the setting's type and stores it; the string that stood there is freed, or, of a list, added to. False:
 * the config is as it was and why holds what is wrong, one line that names the value unless that is secret. */
bool setting_parse(const struct setting *setting, const char *text, struct config *config, char why[WHY_BYTES])
    __attribute__((warn_unused_result));

/* The value as setting_parse would read it; of a secret URL with *** for the password, and *** for a secret word. The
 * caller frees it. */
char *setting_shown(const struct setting *setting, const struct config *config);

/* Frees the setting's string, if it is one. */
void setting_free(const struct setting *setting, struct config *config);

#endif
