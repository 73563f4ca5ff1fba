/* config.c -- the sources of settings and which of them wins; see config.h.
 *
 * Sources are read from the one that counts most to the one that counts least, flags first, since they and the
 * environment name the file. A source leaves alone what was set before it came. The first mistake ends it all. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/xalloc.h"
#include "config_file.h"
#include "config_show.h"
#include "config_table.h"
#include "config_value.h"

enum source { UNSET, FROM_FLAG, FROM_ENVIRONMENT, FROM_FILE, FROM_DEFAULT };

enum {
    FRAME_HEAD_BYTES = 14, /* the longest head of a WebSocket frame */
    VARIABLE_BYTES = 64    /* of a PLENUM_ variable's name that can be a setting */
};

enum command { COMMAND_RUN, COMMAND_HELP, COMMAND_VERSION, COMMAND_CHECK, COMMAND_PRINT };

struct loading {
    struct config *config;
    char **environment;
    enum command command;
    char *file_path;            /* --config or PLENUM_CONFIG; owned */
    enum source from[SETTINGS]; /* UNSET as long as nobody set it */
    char *origin[SETTINGS];     /* in words, for messages and --print-config: "--workers"; owned */
};

/* Says what is wrong; returns false, for the caller to hand on. */
static bool refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

static bool refuse(const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "plenum: %s\n", text);
    return false;
}

/* ---- one value */

/* Sets a setting unless a source that counts more did; a source may set it again: its last word counts, or, of a list,
 * each of them. */
static bool put(struct loading *loading, const struct setting *setting, enum source source, const char *origin,
                const char *text)
{
    size_t index = (size_t)(setting - settings);
    if (loading->from[index] != UNSET && loading->from[index] != source)
        return true;
    char why[WHY_BYTES];
    if (!setting_parse(setting, text, loading->config, why))
        return refuse("%s: %s", origin, why);
    loading->from[index] = source;
    free(loading->origin[index]);
    loading->origin[index] = source == FROM_DEFAULT ? NULL : xstrdup(origin);
    return true;
}

/* Sets a secret to what a file holds, but for the newline at its end. */
static bool put_from_file(struct loading *loading, const struct setting *setting, enum source source,
                          const char *origin, const char *path)
{
    size_t index = (size_t)(setting - settings), len;
    if (loading->from[index] != UNSET && loading->from[index] != source)
        return true; /* a file that nobody needs may be missing */
    const char *why;
    char *text = config_file_read(path, &len, &why);
    if (!text)
        return refuse("%s: %s: %s", origin, path, why);
    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        text[--len] = '\0';
    /* an empty file is a secret that did not arrive: it must not quietly mean "no Redis" */
    bool good = (len && strlen(text) == len) || refuse("%s: %s: %s", origin, path, len ? "holds a NUL byte" : "empty");
    good = good && put(loading, setting, source, origin, text);
    free(text);
    return good;
}

/* The secret whose name with "-file" behind it this is, or NULL. */
static const struct setting *find_secret_file(struct bytes name)
{
    static const struct bytes suffix = {"-file", 5};
    if (name.len <= suffix.len || memcmp(name.data + name.len - suffix.len, suffix.data, suffix.len) != 0)
        return NULL;
    const struct setting *setting = setting_find((struct bytes){name.data, name.len - suffix.len});
    return setting && setting->secret ? setting : NULL;
}

static bool put_named(struct loading *loading, struct bytes name, enum source source, const char *origin,
                      const char *text)
{
    const struct setting *setting = setting_find(name);
    if (setting)
        return put(loading, setting, source, origin, text);
    setting = find_secret_file(name);
    if (setting)
        return put_from_file(loading, setting, source, origin, text);
    return refuse("%s: unknown (plenum --help lists what there is)", origin);
}

/* ---- flags */

static bool is_command(const char *arg, enum command *command)
{
    static const char *const names[] = {
        [COMMAND_HELP] = "--help",
        [COMMAND_VERSION] = "--version",
        [COMMAND_CHECK] = "--check-config",
        [COMMAND_PRINT] = "--print-config",
    };
    for (size_t i = COMMAND_HELP; i < sizeof names / sizeof *names; i++) {
        if (!strcmp(arg, names[i])) {
            *command = (enum command)i;
            return true;
        }
    }
    return false;
}

/* The value of the flag at *arg, which stands behind its '=' or in the next argument; *arg goes on to what was used. An
 * on/off flag alone means on. NULL: there is none. */
static const char *flag_value(char ***arg, struct bytes name)
{
    if (name.data[name.len] == '=')
        return name.data + name.len + 1;
    const char *next = (*arg)[1];
    if (next && strncmp(next, "--", 2) != 0) {
        (*arg)++;
        return next;
    }
    const struct setting *setting = setting_find(name);
    return setting && setting->type == SETTING_ON_OFF ? "on" : NULL;
}

static bool read_flag(struct loading *loading, char ***arg)
{
    const char *flag = **arg;
    if (strncmp(flag, "--", 2) != 0 || !flag[2])
        return refuse("%s: unknown argument (plenum --help lists the flags)", flag);
    struct bytes name = {flag + 2, strcspn(flag + 2, "=")};
    bool is_config = bytes_equal(name, BYTES("config"));
    char origin[64];
    snprintf(origin, sizeof origin, "--%.*s", (int)name.len, name.data);
    if (!is_config && !setting_find(name) && !find_secret_file(name))
        return refuse("%s: unknown flag (plenum --help lists them)", origin);
    const char *value = flag_value(arg, name);
    if (!value)
        return refuse("%s: its value is missing", origin);
    if (!is_config)
        return put_named(loading, name, FROM_FLAG, origin, value);
    free(loading->file_path);
    loading->file_path = xstrdup(value);
    return true;
}

/* argv[0] is the program's name. --help and --version win over everything that stands behind them. */
static bool read_flags(struct loading *loading, char **argv)
{
    for (char **arg = argv[0] ? argv + 1 : argv; *arg; arg++) {
        enum command command;
        if (!is_command(*arg, &command)) {
            if (!read_flag(loading, &arg))
                return false;
            continue;
        }
        loading->command = command;
        if (command == COMMAND_HELP || command == COMMAND_VERSION)
            return true;
    }
    return true;
}

/* ---- the environment */

/* redis-prefix -> PLENUM_REDIS_PREFIX; suffix is "" or "_FILE". */
static void variable_name(char out[VARIABLE_BYTES], const char *name, const char *suffix)
{
    snprintf(out, VARIABLE_BYTES, "PLENUM_%s%s", name, suffix);
    for (char *c = out; *c; c++)
        *c = *c == '-' ? '_' : *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
}

/* Returns the variable's value, or NULL when it is not set or empty: a manifest's way to say "not set". */
static const char *variable_value(char **environment, const char *name)
{
    size_t len = strlen(name);
    for (char **entry = environment; *entry; entry++) {
        if (!strncmp(*entry, name, len) && (*entry)[len] == '=')
            return (*entry)[len + 1] ? *entry + len + 1 : NULL;
    }
    return NULL;
}

static bool read_variable(struct loading *loading, const struct setting *setting)
{
    char name[VARIABLE_BYTES], file_name[VARIABLE_BYTES];
    variable_name(name, setting->name, "");
    variable_name(file_name, setting->name, "_FILE");
    const char *text = variable_value(loading->environment, name);
    const char *path = setting->secret ? variable_value(loading->environment, file_name) : NULL;
    if (text && path)
        return refuse("%s: %s is set too; one of them is enough", file_name, name);
    if (path)
        return put_from_file(loading, setting, FROM_ENVIRONMENT, file_name, path);
    return !text || put(loading, setting, FROM_ENVIRONMENT, name, text);
}

static bool read_environment(struct loading *loading)
{
    const char *path = variable_value(loading->environment, "PLENUM_CONFIG");
    if (path && !loading->file_path)
        loading->file_path = xstrdup(path);
    for (int i = 0; i < SETTINGS; i++) {
        if (!read_variable(loading, &settings[i]))
            return false;
    }
    return true;
}

static bool is_known_variable(const char *name)
{
    if (!strcmp(name, "PLENUM_CONFIG"))
        return true;
    for (int i = 0; i < SETTINGS; i++) {
        char known[VARIABLE_BYTES];
        variable_name(known, settings[i].name, "");
        if (!strcmp(name, known))
            return true;
        variable_name(known, settings[i].name, "_FILE");
        if (settings[i].secret && !strcmp(name, known))
            return true;
    }
    return false;
}

/* Kubernetes describes each Service of the namespace in variables. Those of services named plenum or plenum-something
 * look like ours: PLENUM_SERVICE_HOST, PLENUM_SERVICE_PORT_HTTP, PLENUM_PORT, PLENUM_PORT_8000_TCP_ADDR. */
static bool is_service_variable(const char *name)
{
    size_t len = strlen(name);
    const char *port = strstr(name, "_PORT_");
    return strstr(name, "_SERVICE_HOST") || strstr(name, "_SERVICE_PORT") ||
           (len > 5 && !strcmp(name + len - 5, "_PORT")) || (port && port[6] >= '0' && port[6] <= '9');
}

static void warn_of_unknown_variables(const struct loading *loading)
{
    const struct log log = {STDERR_FILENO, loading->config->log_level, loading->config->log_format, clock_system()};
    for (char **entry = loading->environment; *entry; entry++) {
        if (strncmp(*entry, "PLENUM_", 7) != 0)
            continue;
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*entry, "="), *entry);
        if (!is_known_variable(name) && !is_service_variable(name))
            log_event(&log, LOG_WARN, "unknown variable ignored", log_text("name", name));
    }
}

/* ---- the file, the defaults, and all of it together */

static bool read_line(struct loading *loading, const struct config_line *line)
{
    char origin[320];
    snprintf(origin, sizeof origin, "%.200s:%d: %.*s", loading->file_path, line->number,
             line->name.len < 80 ? (int)line->name.len : 80, line->name.data);
    char *value = xstrndup(line->value.data, line->value.len);
    bool good = put_named(loading, line->name, FROM_FILE, origin, value);
    free(value);
    return good;
}

static bool read_file(struct loading *loading)
{
    if (!loading->file_path)
        return true;
    struct bytes rest;
    const char *why;
    char *data = config_file_read(loading->file_path, &rest.len, &why);
    if (!data)
        return refuse("--config: %s: %s", loading->file_path, why);
    rest.data = data;
    struct config_line line = {0};
    bool good = true;
    enum config_line_result result = CONFIG_LINE_FOUND;
    while (good && (result = config_file_next(&rest, &line)) == CONFIG_LINE_FOUND)
        good = read_line(loading, &line);
    if (good && result == CONFIG_LINE_BAD)
        good = refuse("%s:%d: not a line of the form NAME = VALUE", loading->file_path, line.number);
    free(data);
    return good;
}

static bool read_defaults(struct loading *loading)
{
    for (int i = 0; i < SETTINGS; i++) {
        if (!put(loading, &settings[i], FROM_DEFAULT, settings[i].name, settings[i].fallback))
            return false;
    }
    struct config *config = loading->config;
    if (!config->server_name) {
        char host[256] = "";
        gethostname(host, sizeof host - 1);
        config->server_name = xstrdup(*host ? host : "unnamed");
    }
    return true;
}

/* What no setting can get wrong alone. */
static bool check_together(const struct config *config)
{
    if (config->outbox_soft > config->outbox_hard)
        return refuse("--outbox-soft: %u is more than --outbox-hard, which is %u", config->outbox_soft,
                      config->outbox_hard);
    if (config->outbox_hard < (uint64_t)config->max_message + FRAME_HEAD_BYTES)
        return refuse("--outbox-hard: %u has no room for one frame of --max-message: %u and %d bytes of head",
                      config->outbox_hard, config->max_message, FRAME_HEAD_BYTES);
    return true;
}

/* The rules were found good one by one. */
static bool make_rules(struct config *config)
{
    struct room_rule general = {
        .log = {config->log_size, config->log_bytes, config->log_ttl}, .presence = true, .media = true};
    config->rules = rules_new(&general);
    char *texts = xstrdup(config->room_rules ? config->room_rules : "");
    const char *wrong = NULL;
    for (char *rest = texts, *text; !wrong && (text = strsep(&rest, ";"));) {
        if (text[strspn(text, " ")])
            wrong = rules_add(config->rules, text);
    }
    free(texts);
    return !wrong || refuse("--room-rule: %s", wrong);
}

static bool load(struct loading *loading, char **argv)
{
    if (!read_flags(loading, argv))
        return false;
    if (loading->command == COMMAND_HELP || loading->command == COMMAND_VERSION)
        return true;
    return read_environment(loading) && read_file(loading) && read_defaults(loading) &&
           check_together(loading->config) && make_rules(loading->config);
}

static enum config_result carry_out(const struct loading *loading)
{
    switch (loading->command) {
    case COMMAND_HELP:
        config_show_help(stdout);
        return CONFIG_EXIT_OK;
    case COMMAND_VERSION:
        puts("plenum " PLENUM_VERSION);
        return CONFIG_EXIT_OK;
    case COMMAND_CHECK:
        warn_of_unknown_variables(loading);
        puts("plenum: the configuration is good");
        return CONFIG_EXIT_OK;
    case COMMAND_PRINT:
        warn_of_unknown_variables(loading);
        config_show_values(stdout, loading->config, (const char *const *)loading->origin);
        return CONFIG_EXIT_OK;
    case COMMAND_RUN:
        break;
    }
    warn_of_unknown_variables(loading);
    return CONFIG_OK;
}

enum config_result config_load(struct config *config, int argc, char **argv, char **environment)
{
    (void)argc; /* argv ends with NULL */
    memset(config, 0, sizeof *config);
    struct loading loading = {.config = config, .environment = environment};
    enum config_result result = load(&loading, argv) ? carry_out(&loading) : CONFIG_EXIT_BAD;
    if (result != CONFIG_OK)
        config_free(config);
    free(loading.file_path);
    for (int i = 0; i < SETTINGS; i++)
        free(loading.origin[i]);
    return result;
}

void config_free(struct config *config)
{
    for (int i = 0; i < SETTINGS; i++)
        setting_free(&settings[i], config);
    rules_free(config->rules);
    config->rules = NULL;
}
