/* config_fuzz.c -- any bytes as a configuration file: read to the end, with every known name's value parsed and shown.
 *
 * A value that was taken must be shown in a form that is taken again (but for secrets, which are masked). */
#include <stdint.h>
#include <stdlib.h>

#include "../../common/xalloc.h"
#include "../../gateway/config_file.h"
#include "../../gateway/config_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_value(struct config *config, const struct setting *setting, struct bytes value)
{
    char why[WHY_BYTES];
    char *text = xstrndup(value.data, value.len);
    if (setting_parse(setting, text, config, why)) {
        char *shown = setting_shown(setting, config);
        setting_free(setting, config); /* a list would be added to */
        if (!setting->secret && !setting_parse(setting, shown, config, why))
            abort();
        free(shown);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config = {0};
    struct config_line line = {0};
    struct bytes rest = {(const char *)data, size};
    while (config_file_next(&rest, &line) == CONFIG_LINE_FOUND) {
        const struct setting *setting = setting_find(line.name);
        if (setting)
            try_value(&config, setting, line.value);
    }
    config_free(&config);
    return 0;
}
