/* stream_connect.h -- how a stream gets connected: name look-up, then one address after the other.
 *
 * The half of a stream that only outgoing connections need; between stream.c and stream_connect.c, for nobody else. */
#ifndef PLENUM_COMMON_STREAM_CONNECT_H
#define PLENUM_COMMON_STREAM_CONNECT_H

#include "stream.h"

enum stream_flag {
    STREAM_OPEN = 1, /* poll and its descriptor are there */
    STREAM_READING = 2,
    STREAM_WRITING = 4,
    STREAM_CLOSING = 8
};

/* stream.c: puts a connected descriptor under the stream (closes it when that fails). */
int stream_adopt(struct stream *stream, uv_loop_t *loop, int fd) __attribute__((warn_unused_result));

/* stream_connect.c: the stream is being closed without ever having been connected; ends in its on_close. */
void stream_connect_abandon(struct stream *stream);

#endif
