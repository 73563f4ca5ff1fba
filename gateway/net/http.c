/* http.c -- the head of a request; see http.h. */
#include "http.h"

#include <stdlib.h>
#include <strings.h>

#include "../../common/xalloc.h"

enum { BUFFER_FIRST = 1024, FIELDS_FIRST = 16 };

static struct http_request *of(llhttp_t *parser)
{
    return parser->data;
}

static int refuse(struct http_request *request, int status)
{
    request->status = status;
    return HPE_USER;
}

/* Extends a span by a piece of the buffer. Pieces of one span are contiguous: the filter lets no folding through. */
static void extend(struct http_request *request, struct http_span *span, const char *at, size_t len)
{
    if (span->len == 0)
        span->at = (uint32_t)(at - request->buffer);
    span->len += (uint32_t)len;
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct http_request *request = of(parser);
    if (request->complete)
        return refuse(request, 400); /* behind a body: we have said that the connection is closed */
    extend(request, &request->target, at, len);
    return request->target.len > HTTP_TARGET_MAX ? refuse(request, 414) : 0;
}

/* A new, empty field behind those that there are; at most HTTP_HEADERS_MAX of them. */
static void add_field(struct http_request *request)
{
    if (request->field_count == request->field_cap) {
        request->field_cap = request->field_cap ? 2 * request->field_cap : FIELDS_FIRST;
        request->fields = xrealloc(request->fields, request->field_cap * sizeof *request->fields);
    }
    request->fields[request->field_count++] = (struct http_field){0};
}

/* True when a piece of a name goes on where the last field's name ended. */
static bool continues_name(const struct http_request *request, const char *at)
{
    if (request->field_count == 0)
        return false;
    const struct http_field *last = &request->fields[request->field_count - 1];
    return !last->value.at && last->name.at + last->name.len == (uint32_t)(at - request->buffer);
}

static int on_field(llhttp_t *parser, const char *at, size_t len)
{
    struct http_request *request = of(parser);
    if (request->complete)
        return 0; /* a trailer: nobody wants it */
    if (!continues_name(request, at)) {
        if (request->field_count == HTTP_HEADERS_MAX)
            return refuse(request, 431);
        add_field(request);
    }
    extend(request, &request->fields[request->field_count - 1].name, at, len);
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct http_request *request = of(parser);
    if (request->complete)
        return 0;
    struct http_field *last = &request->fields[request->field_count - 1];
    if (!last->value.at)
        last->value.at = (uint32_t)(at - request->buffer);
    last->value.len += (uint32_t)len;
    return 0;
}

/* There is a body: its coding must be one that we read. Obsolete codings of a transfer, and lists of them, are not. */
static int check_body(struct http_request *request)
{
    struct bytes coding;
    if (!request->takes_bodies)
        return refuse(request, 413);
    if (http_header(request, "transfer-encoding", &coding) &&
        (coding.len != 7 || strncasecmp(coding.data, "chunked", 7) != 0))
        return refuse(request, 501);
    return HPE_PAUSED; /* the head is to be looked at first */
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http_request *request = of(parser);
    struct bytes ignored;
    request->complete = true;
    /* llhttp also takes RTSP/ and ICE/ for a protocol. */
    if (memcmp(request->buffer + request->target.at + request->target.len, " HTTP/", 6) != 0)
        return refuse(request, 400);
    if (parser->http_major != 1 || parser->http_minor != 1)
        return refuse(request, 505);
    if (parser->content_length || http_header(request, "transfer-encoding", &ignored))
        return check_body(request);
    return 2; /* no body is read: pause here */
}

static const llhttp_settings_t *settings(void)
{
    static const llhttp_settings_t table = {
        .on_url = on_url,
        .on_header_field = on_field,
        .on_header_value = on_value,
        .on_headers_complete = on_headers_complete,
        .on_body = http_on_body,
        .on_message_complete = http_on_message_complete,
    };
    return &table;
}

void http_init(struct http_request *request, size_t max_head)
{
    *request = (struct http_request){.max_head = max_head, .filter = FILTER_BEFORE};
    llhttp_init(&request->parser, HTTP_REQUEST, settings());
    request->parser.data = request;
}

void http_free(struct http_request *request)
{
    free(request->buffer);
    free(request->body);
    free(request->fields);
}

/* Runs the filter over the new bytes. Returns how many of them are good bytes of the head; what follows those is the
 * rest where the filter has seen the end, and bad otherwise. */
static size_t filter(struct http_request *request, struct bytes input)
{
    for (size_t i = 0; i < input.len; i++) {
        request->filter = http_filter(request->filter, (uint8_t)input.data[i]);
        if (request->filter == FILTER_BAD)
            return i;
        if (request->filter == FILTER_END)
            return i + 1;
    }
    return input.len;
}

static void keep(struct http_request *request, struct bytes input)
{
    if (request->len + input.len > request->cap) {
        size_t cap = request->cap ? 2 * request->cap : BUFFER_FIRST;
        request->cap = cap < request->len + input.len ? request->len + input.len : cap;
        request->buffer = xrealloc(request->buffer, request->cap);
    }
    memcpy(request->buffer + request->len, input.data, input.len);
    request->len += input.len;
}

/* What llhttp found, when it was not us who refused. */
static int status_of(llhttp_errno_t error)
{
    if (error == HPE_INVALID_VERSION || error == HPE_PAUSED_H2_UPGRADE)
        return 505;
    return 400;
}

enum http_result http_feed(struct http_request *request, struct bytes input)
{
    size_t from = request->len, good = filter(request, input), room = request->max_head - from;
    bool end = request->filter == FILTER_END && good <= room;
    keep(request, input);
    /* llhttp sees all that comes before the first wrong byte, so that the status does not depend on how it was cut. */
    llhttp_errno_t error = llhttp_execute(&request->parser, request->buffer + from, good < room ? good : room);
    if (request->status)
        return HTTP_REFUSED;
    bool paused = error == HPE_PAUSED_UPGRADE || error == HPE_PAUSED;
    if (paused && request->complete && end) {
        request->head_len = from + good;
        return error == HPE_PAUSED ? HTTP_BODY : HTTP_COMPLETE;
    }
    if (error != HPE_OK || end) /* both must see the end at the same place */
        request->status = status_of(error);
    else if (good > room)
        request->status = 431;
    else if (request->filter == FILTER_BAD)
        request->status = 400;
    return request->status ? HTTP_REFUSED : HTTP_MORE;
}

static struct bytes span(const struct http_request *request, struct http_span place)
{
    return (struct bytes){request->buffer + place.at, place.len};
}

llhttp_method_t http_method(const struct http_request *request)
{
    return request->parser.method;
}

struct bytes http_target(const struct http_request *request)
{
    struct bytes target = span(request, request->target);
    bool other = target.len == 0 || target.data[0] == '/' || target.data[0] == '*';
    const char *scheme_end = other ? NULL : memmem(target.data, target.len, "://", 3);
    if (!scheme_end)
        return target;
    const char *path = scheme_end + 3, *end = target.data + target.len;
    while (path < end && *path != '/' && *path != '?' && *path != '#') /* the end of the authority: RFC 3986, 3.2 */
        path++;
    return path < end ? (struct bytes){path, (size_t)(end - path)} : BYTES("/");
}

static bool named(const struct http_request *request, const struct http_field *field, const char *name)
{
    return field->name.len == strlen(name) && strncasecmp(request->buffer + field->name.at, name, field->name.len) == 0;
}

/* The value without the white space around it, which is no part of it (RFC 9112, section 5). */
static struct bytes value_of(const struct http_request *request, const struct http_field *field)
{
    struct bytes value = span(request, field->value);
    while (value.len && (value.data[value.len - 1] == ' ' || value.data[value.len - 1] == '\t'))
        value.len--;
    return value;
}

int http_header(const struct http_request *request, const char *name, struct bytes *value)
{
    int count = 0;
    *value = (struct bytes){"", 0};
    for (int i = 0; i < request->field_count; i++)
        if (named(request, &request->fields[i], name) && count++ == 0)
            *value = value_of(request, &request->fields[i]);
    return count;
}

int http_header_list(const struct http_request *request, const char *name, char *out, size_t size)
{
    size_t len = 0;
    for (int i = 0; i < request->field_count; i++) {
        if (!named(request, &request->fields[i], name))
            continue;
        struct bytes value = value_of(request, &request->fields[i]);
        if (len + 2 + value.len > size)
            return -1;
        if (len) {
            memcpy(out + len, ", ", 2);
            len += 2;
        }
        memcpy(out + len, value.data, value.len);
        len += value.len;
    }
    return (int)len;
}

struct bytes http_rest(const struct http_request *request)
{
    return (struct bytes){request->buffer + request->head_len, request->len - request->head_len};
}

const char *http_phrase(int status)
{
    switch (status) {
    case 101:
        return "Switching Protocols";
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 411:
        return "Length Required";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 426:
        return "Upgrade Required";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Internal Server Error";
    }
}
