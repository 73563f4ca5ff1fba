/* assets.h -- the files of the page and the client, embedded in the binary at build time (embed.cmake). */
#ifndef PLENUM_GATEWAY_WEB_ASSETS_H
#define PLENUM_GATEWAY_WEB_ASSETS_H

#include "../../common/bytes.h"

struct asset {
    const char *path; /* as in the URL: "/index.html" */
    const char *type; /* Content-Type */
    const char *etag; /* with its quotes */
    struct bytes body;
};

extern const struct asset web_assets[];
extern const int web_asset_count;

#endif
