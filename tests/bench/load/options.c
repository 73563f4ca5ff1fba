/* options.c -- the command line of the load generator: see options.h. */
#include "options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/dial.h"
#include "../common/tool.h"
#include "stamp.h"

enum kind { TEXT, INT, REAL, FLAG, TARGET, PUBLISH_TARGET, DIALECT, PROCESSES };

struct setting {
    const char *name;
    enum kind kind;
    const char *value; /* what --help calls it */
    size_t at;         /* offset in struct options, for the first four kinds */
    const char *help;
};

#define AT(field) offsetof(struct options, field)

static const struct setting settings[] = {
    {"target", TARGET, "[127.x.x.x:]PORT", 0, "where members connect; repeat it to spread a room over nodes"},
    {"pub-target", PUBLISH_TARGET, "[HOST:]PORT", 0, "where publishers connect (the first target)"},
    {"dialect", DIALECT, "NAME", 0, "how to speak (path)"},
    {"path", TEXT, "TEMPLATE", AT(path), "upgrade target, %r is the room (the dialect's; path: /rooms/%r)"},
    {"pub-path", TEXT, "TEMPLATE", AT(publish_path), "another for publishers, who then are no members"},
    {"post-path", TEXT, "TEMPLATE", AT(post_path), "publish with HTTP POST on kept connections (nchan: /pub/%r)"},
    {"post-connections", INT, "N", AT(post_connections), "how many of them (4)"},
    {"host", TEXT, "TEXT", AT(host), "value of the Host header (127.0.0.1)"},
    {"room-prefix", TEXT, "TEXT", AT(room_prefix), "put before room numbers"},
    {"secret", TEXT, "TEXT", AT(secret), "pusher: private channels, signed with it"},
    {"key", TEXT, "TEXT", AT(key), "pusher: the application's key (bench)"},
    {"rooms", INT, "R", AT(rooms), "rooms (1)"},
    {"members", INT, "M", AT(members), "receiving members in each room (1)"},
    {"publishers", INT, "K", AT(publishers), "publishers in each room, on connections of their own, members too"},
    {"publishers-only-send", FLAG, NULL, AT(publishers_only_send), "publishers do not join: they receive nothing"},
    {"members-publish", INT, "K", AT(members_publish), "instead: the first K members of each room publish"},
    {"echo", FLAG, NULL, AT(echo), "the server sends a message to its sender too"},
    {"binary", FLAG, NULL, AT(binary), "binary frames"},
    {"size", INT, "BYTES", AT(size), "payload (128; at least 36)"},
    {"rate", REAL, "F", AT(rate), "messages per second of each publisher; 0: as the window allows (0)"},
    {"burst", INT, "B", AT(burst), "B messages at a time at the same mean rate (1)"},
    {"window", INT, "W", AT(window), "with --rate 0: unfinished messages of each publisher (16)"},
    {"stall", INT, "N", AT(stall), "N members stop reading once all have joined; they are not accounted for"},
    {"warmup", REAL, "S", AT(warmup), "seconds before the measured ones (2)"},
    {"seconds", REAL, "S", AT(seconds), "measured seconds (10)"},
    {"drain", REAL, "S", AT(drain), "end when nothing has arrived for so long (3)"},
    {"idle", REAL, "S", AT(idle), "seconds between the last join and the reading of memory (1)"},
    {"connect-only", FLAG, NULL, AT(connect_only), "connect, read memory, end"},
    {"pid", PROCESSES, "NAME:PID[,PID]", 0, "processes to account for; NAME redis*: apart"},
    {"label", TEXT, "TEXT", AT(label), "name of the run in the report"},
    {"quiet", FLAG, NULL, AT(quiet), "the JSON line only"},
};

enum { SETTINGS = sizeof settings / sizeof *settings };

static void usage(FILE *to)
{
    fprintf(to, "load: load generator and meter for WebSocket broadcast servers\n\nload --target PORT [options]\n");
    for (int i = 0; i < SETTINGS; i++) {
        char left[64];
        snprintf(left, sizeof left, "--%s %s", settings[i].name, settings[i].value ? settings[i].value : "");
        fprintf(to, "  %-28s %s\n", left, settings[i].help);
    }
    fprintf(to, "dialects: %s\nOne JSON line on stdout. Exit 1 when a connection failed, 2 on a wrong call.\n",
            dialect_names());
}

static void add_target(struct options *options, const char *text)
{
    if (options->target_count == OPTIONS_TARGETS_MAX)
        die("more than %d targets", OPTIONS_TARGETS_MAX);
    options->targets[options->target_count++] = dial_address(text);
}

static void apply(struct options *options, const struct setting *setting, const char *value)
{
    char *field = (char *)options + setting->at;

    switch (setting->kind) {
    case TEXT:
        *(const char **)(void *)field = value;
        break;
    case INT:
        *(int *)(void *)field = atoi(value);
        break;
    case REAL:
        *(double *)(void *)field = atof(value);
        break;
    case FLAG:
        *(bool *)field = true;
        break;
    case TARGET:
        add_target(options, value);
        break;
    case PUBLISH_TARGET:
        options->publish_target = dial_address(value);
        break;
    case DIALECT:
        if (!(options->dialect = dialect_find(value)))
            die("no dialect '%s': there are %s", value, dialect_names());
        break;
    case PROCESSES:
        groups_add(&options->groups, value);
        break;
    }
}

static void parse(struct options *options, int argc, char **argv)
{
    struct option table[SETTINGS + 2] = {[SETTINGS] = {"help", no_argument, NULL, 'h'}};
    int which;

    for (int i = 0; i < SETTINGS; i++)
        table[i] = (struct option){settings[i].name, settings[i].kind == FLAG ? no_argument : required_argument, NULL,
                                   256 + i};
    while ((which = getopt_long(argc, argv, "h", table, NULL)) != -1) {
        if (which == 'h' || which == '?') {
            usage(which == 'h' ? stdout : stderr);
            exit(which == 'h' ? 0 : 2);
        }
        apply(options, &settings[which - 256], optarg);
    }
    if (optind < argc)
        die("what is '%s'? see --help", argv[optind]);
}

static void check(const struct options *options)
{
    if (!options->target_count)
        die("need --target; see --help");
    if (options->size < STAMP_LEN)
        die("--size is at least %d: the stamp", STAMP_LEN);
    if (options->rooms < 1 || options->members < 0 || options->window < 1 || options->burst < 1 ||
        options->post_connections < 1 || options->rate < 0)
        die("a number is out of range; see --help");
    if (options->members_publish > options->members)
        die("--members-publish is more than --members");
}

void options_parse(struct options *options, int argc, char **argv)
{
    *options = (struct options){.dialect = dialect_default(),
                                .post_connections = 4,
                                .host = "127.0.0.1",
                                .room_prefix = "",
                                .key = "bench",
                                .rooms = 1,
                                .members = 1,
                                .size = 128,
                                .burst = 1,
                                .window = 16,
                                .warmup = 2,
                                .seconds = 10,
                                .drain = 3,
                                .idle = 1,
                                .label = ""};
    parse(options, argc, argv);
    check(options);
    if (!options->path)
        options->path = options->dialect->path;
    if (!options->post_path && !options->publish_path)
        options->post_path = options->dialect->post;
    if (options->publish_path)
        options->publishers_only_send = true;
    if (!options->publish_target.sin_port)
        options->publish_target = options->targets[0];
    if (!options_publishers_per_room(options))
        options->connect_only = true;
}

int options_publishers_per_room(const struct options *options)
{
    return options->members_publish ? options->members_publish : options->publishers;
}
