/* options.h -- the command line of the load generator.
 *
 * One table makes both the parser and --help. Constant after options_parse, but for what groups measures.
 * Owned by: main. Read by: everyone. */
#ifndef PLENUM_BENCH_OPTIONS_H
#define PLENUM_BENCH_OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>

#include "dialect.h"
#include "groups.h"

enum { OPTIONS_TARGETS_MAX = 8 };

struct options {
    /* where */
    const struct dialect *dialect;
    struct sockaddr_in targets[OPTIONS_TARGETS_MAX];
    int target_count;
    struct sockaddr_in publish_target; /* sin_port 0: the first target */
    const char *path;                  /* template of the upgrade target */
    const char *publish_path;          /* template for publishers, or NULL */
    const char *post_path;             /* template: publishers use HTTP POST, or NULL */
    int post_connections;
    const char *host, *room_prefix, *secret, *key;

    /* who */
    int rooms, members;  /* members that receive, of each room */
    int publishers;      /* of each room, on connections of their own */
    int members_publish; /* instead: so many of each room's members publish */
    bool publishers_only_send;
    int stall; /* members that stop reading */

    /* what */
    int size; /* bytes of payload */
    bool binary, echo;
    double rate;       /* messages per second of each publisher; 0: as the window allows */
    int burst, window; /* messages */

    /* how long, in seconds */
    double warmup, seconds, drain, idle;
    bool connect_only;

    struct groups groups;
    const char *label;
    bool quiet;
};

/* Reads the command line; exits on --help (0) and on faults (2). */
void options_parse(struct options *options, int argc, char **argv);

/* Publishers of each room, wherever they sit. */
int options_publishers_per_room(const struct options *options);

#endif
