/* config.h -- the settings: flags over environment over file over defaults.
 *
 * `plenum --help` is made from the same table and is the reference. A bad value or an unknown flag is one clear line
 * and exit 2; an unknown PLENUM_* variable only warns, since Kubernetes sets PLENUM_PORT, PLENUM_SERVICE_HOST and the
 * like for a Service named plenum. Constant after config_load. Owned by: main. Read by: everyone. */
#ifndef PLENUM_GATEWAY_CONFIG_H
#define PLENUM_GATEWAY_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/log.h"
#include "room/rules.h"

struct config_address {
    char host[256]; /* an address, never a name; [::1] without brackets */
    int port;       /* 0: the system chooses; the log line "listening" tells */
};

struct config {
    struct config_address listen; /* --listen 0.0.0.0:8000      public port */
    struct config_address admin;  /* --admin 127.0.0.1:8001     health, metrics, API */
    char *redis;                  /* --redis URL                none: the local bus */
    char *redis_prefix;           /* --redis-prefix plenum */
    bool ready_needs_redis;       /* --ready-needs-redis        /readyz is 503 while Redis is away */
    char *admin_token;            /* --admin-token              who calls the HTTP API must show it; none: nobody */

    uint32_t log_size;  /* --log-size 1000          messages kept of a room; 0: none */
    uint32_t log_bytes; /* --log-bytes 4194304      about so many bytes of them at most */
    uint32_t log_ttl;   /* --log-ttl 600            s after the last message */
    char *room_rules;   /* --room-rule              as given, parted by ';'; see rules below */

    int workers;              /* --workers 1                event loops, 1 to 256 */
    uint32_t max_connections; /* --max-connections 0        per process; 0: what the descriptor limit allows */
    uint32_t max_message;     /* --max-message 262144       bytes, after inflating: larger is closed with 1009 */
    uint32_t max_header;      /* --max-header 16384         bytes of an HTTP request head */
    uint32_t max_rooms;       /* --max-rooms 1000           rooms of one plenum.v1 connection */
    bool compression;         /* --compression on           offer permessage-deflate */

    uint32_t outbox_hard;       /* --outbox-hard 16777216     bytes unsent to a client: above it is closed (1013) */
    uint32_t outbox_soft;       /* --outbox-soft 1048576      ... above this for longer than */
    double outbox_soft_seconds; /* --outbox-soft-seconds 5 */
    uint32_t memory_mb;       /* --memory-mb 512            MiB of what waits for clients and of unfinished messages */
    double handshake_timeout; /* --handshake-timeout 10     s from accept to a complete request */
    double message_timeout;   /* --message-timeout 30       s for a frame or fragmented message to be finished */
    double ping_interval;     /* --ping-interval 20         s of silence before we ping */
    double pong_timeout;      /* --pong-timeout 10          s more of silence before we close (1001) */
    double close_timeout;     /* --close-timeout 2          s that a closing peer has to answer our close frame */
    double room_linger;       /* --room-linger 5            s that a room stays subscribed after its last member */
    double drain;             /* --drain 30                 s over which SIGTERM spreads the closes */
    double turn_pacing_ms;    /* --turn-pacing-ms 0         when turns come faster, wait before polling; 0: never */
    double flush_budget_ms;   /* --flush-budget-ms 10       time that one turn may spend in flushing */

    char *server_name;          /* --pod                      name shown to admins; the host name */
    enum log_level log_level;   /* --log-level info */
    enum log_format log_format; /* --log-format text */

    struct rules *rules; /* made of log_size, log_bytes, log_ttl and room_rules */
};

enum config_result {
    CONFIG_OK,
    CONFIG_EXIT_OK, /* --help, --version, --check-config, --print-config: done, exit 0 */
    CONFIG_EXIT_BAD /* one line on stderr has said why; exit 2 */
};

/* Reads argv (which ends with NULL), the environment and the file named by --config. With CONFIG_OK config is whole and
 * its strings are its own; otherwise it holds nothing that had to be freed. Warnings about unknown variables go to
 * stderr as log lines in the configured format. */
enum config_result config_load(struct config *config, int argc, char **argv, char **environment)
    __attribute__((warn_unused_result));
void config_free(struct config *config);

/* url with *** where its password stands, for the log and --print-config. The caller frees it. */
char *config_masked_url(const char *url);

enum { CONFIG_ADDRESS_TEXT = 280 };

/* HOST:PORT, or [HOST]:PORT for IPv6. */
void config_address_text(const struct config_address *address, char out[CONFIG_ADDRESS_TEXT]);

#endif
