/* public_site.h -- what the public port offers: relay rooms and plenum.v1 for WebSockets, the page's files for plain
 * requests.
 *
 * Between the routes and the protocols; one per worker. */
#ifndef PLENUM_GATEWAY_PUBLIC_SITE_H
#define PLENUM_GATEWAY_PUBLIC_SITE_H

#include "net/server.h"
#include "protocol/plenum.h"
#include "protocol/relay.h"

struct public_site {
    struct relay *relay;
    struct plenum *plenum;
};

/* For server_init, with a struct public_site as its ctx. */
extern const struct site public_site;

#endif
