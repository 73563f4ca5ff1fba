/* resp_fuzz.c -- any bytes from a Redis server: never a crash, and the same is told however they are cut up. The first
 * bytes of the input say where. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../common/redis_pubsub.h"
#include "../../common/resp.h"
#include "../../common/siphash.h"

enum { CUTS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was told, as a running hash, and the state of the layer above. */
struct digest {
    struct redis_pubsub pubsub;
    uint64_t hash;
    int channels, payloads;
};

static void require(int truth)
{
    if (!truth)
        abort();
}

static void mix(struct digest *digest, const void *data, size_t len)
{
    const uint64_t key[2] = {digest->hash, len};
    digest->hash = siphash13(key, data, len);
}

static void on_channel(void *ctx, struct bytes text)
{
    struct digest *digest = ctx;
    digest->channels++;
    mix(digest, text.data, text.len);
}

static void on_payload(void *ctx, struct bytes text)
{
    struct digest *digest = ctx;
    digest->payloads++;
    require(digest->payloads <= digest->channels);
    mix(digest, text.data, text.len);
}

static void on_change(void *ctx, struct bytes text)
{
    mix(ctx, text.data, text.len);
}

static void on_value(void *ctx, const struct resp_value *value)
{
    static const struct redis_pubsub_events events = {on_channel, on_payload, on_change, on_change, NULL};
    struct digest *digest = ctx;
    const long long numbers[] = {value->type, value->depth, value->index, value->number};
    mix(digest, numbers, sizeof numbers);
    mix(digest, value->text.data, value->text.len);
    redis_pubsub_value(&digest->pubsub, value, &events, digest);
}

static void on_end(void *ctx)
{
    mix(ctx, "end", 3);
}

static bool feed_in_pieces(struct digest *digest, struct bytes bytes, const uint8_t *cuts, int cut_count)
{
    static const struct resp_events events = {on_value, on_end};
    struct resp resp;
    resp_init(&resp, &events, digest);
    bool good = true;
    for (int i = 0; good && bytes.len; i++) {
        size_t len = cut_count ? 1 + cuts[i % cut_count] : bytes.len;
        if (len > bytes.len)
            len = bytes.len;
        good = resp_feed(&resp, (struct bytes){bytes.data, len});
        bytes.data += len;
        bytes.len -= len;
    }
    resp_close(&resp);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < CUTS)
        return 0;
    struct bytes bytes = {(const char *)data + CUTS, size - CUTS};
    struct digest whole = {.hash = 0}, pieces = {.hash = 0};
    bool good = feed_in_pieces(&whole, bytes, NULL, 0);
    require(feed_in_pieces(&pieces, bytes, data, CUTS) == good);
    require(whole.hash == pieces.hash);
    return 0;
}
