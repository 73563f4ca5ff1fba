/* plenum_request_fuzz.c -- any text frame as a request: what is taken keeps the promises of plenum_request.h, and what
 * is refused has a code of the protocol's. */
#include <stdint.h>
#include <stdlib.h>

#include "../../common/json_scan.h"
#include "../../common/names.h"
#include "../../common/utf8.h"
#include "../../gateway/protocol/plenum_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint64_t INTEGER_MAX = ((uint64_t)1 << 53) - 1;

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Part of the frame, untouched. */
static void require_json(struct bytes part, struct bytes text)
{
    require(part.data > text.data && part.data + part.len < text.data + text.len);
    require(json_valid(part));
}

static void require_string(struct bytes string, size_t max)
{
    require(string.len <= max && utf8_valid(string));
    require(string.len == 0 || !memchr(string.data, '\0', string.len));
}

static void check_fields(const struct request *request, struct bytes text)
{
    bool has_room =
        request->type != REQUEST_HELLO && request->type != REQUEST_PING && request->type != REQUEST_UNSUPPORTED;
    bool has_data = request->type == REQUEST_PUBLISH || request->type == REQUEST_SIGNAL;
    require(has_room ? room_name_valid(request->room) : request->room.len == 0);
    require(request->has_id || request->type == REQUEST_HELLO);
    require(request->has_name == (request->name.len > 0));
    require(request->has_info == (request->info.len > 0) && request->info.len <= REQUEST_INFO_MAX);
    require(request->has_time == (request->time.len > 0));
    require(has_data == (request->data.len > 0));
    require((request->type == REQUEST_UNSUPPORTED) == (request->what != NULL));
    if (has_data)
        require_json(request->data, text);
    if (request->has_info)
        require_json(request->info, text);
    if (request->has_time)
        require_json(request->time, text);
    require_string(request->name, REQUEST_NAME_MAX);
    require_string(request->key, REQUEST_KEY_MAX);
    require_string(request->epoch, REQUEST_EPOCH_MAX);
    require(request->offset <= INTEGER_MAX && request->history <= REQUEST_HISTORY_MAX);
    if (request->type == REQUEST_HISTORY)
        require(request->limit >= 1 && request->limit <= REQUEST_HISTORY_MAX);
}

static bool is_code(const char *code)
{
    static const char *const codes[] = {"bad_json", "bad_request", "unknown_type", "bad_room", "too_large"};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (strcmp(code, codes[i]) == 0)
            return true;
    }
    return false;
}

static void ignore_member(void *ctx, struct bytes key, struct bytes value)
{
    (void)ctx;
    (void)key;
    (void)value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = {(const char *)data, size};
    if (!utf8_valid(text))
        return 0; /* no text frame */
    struct request request;
    const struct request_error *error = request_parse(text, &request);
    bool object = json_scan_object(text, ignore_member, NULL);
    require(request.id <= INTEGER_MAX && (request.has_id || request.id == 0));
    if (error) {
        require(is_code(error->code) && utf8_valid(bytes_of(error->message)));
        require(object == (strcmp(error->code, "bad_json") != 0));
    } else {
        require(object);
        check_fields(&request, text);
    }
    request_free(&request);
    request_free(&request); /* may be done twice */
    return 0;
}
