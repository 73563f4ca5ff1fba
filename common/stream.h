/* stream.h -- a byte stream on a loop.
 *
 * Clients' connections and the Redis links both use it, and only it: tcp and unix sockets now, TLS behind the same
 * calls later. It is a descriptor watched by a uv_poll_t, read and written by its owner: uv_tcp_t would cost 88 bytes
 * more for each idle connection and a second queue for what the kernel did not take, which the outbox already is.
 *
 * Owned by: connection, redis_link, which embed it. Thread: the loop's.
 * Life: init or connect, then stream_close once; on_close is always called, later, and then the memory may go. */
#ifndef PLENUM_COMMON_STREAM_H
#define PLENUM_COMMON_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <uv.h>

struct stream;

struct stream_events {
    void (*on_connect)(struct stream *stream,
                       int status);             /* of stream_connect_*: 0 or a UV_ error; NULL for accepted */
    void (*on_readable)(struct stream *stream); /* stream_read will not be in vain (it may say UV_EAGAIN) */
    void (*on_writable)(struct stream *stream); /* after stream_want_write */
    void (*on_close)(struct stream *stream);    /* the last call: the memory may go */
};

struct stream_connect; /* a connect under way: name look-up and the addresses still to try */

struct stream {
    uv_poll_t poll;                     /* valid once STREAM_OPEN */
    const struct stream_events *events; /* constant */
    union {
        struct stream_connect *connect; /* while connecting */
        void *tls;                      /* the seam for TLS: its session, once connected */
    };
    uint8_t flags; /* enum stream_flag, see stream.c */
};

/* Takes an accepted, non-blocking descriptor. Nothing is watched yet. Returns 0, or a UV_ error (fd is closed then and
 * the stream is as if never made). */
int stream_init(struct stream *stream, uv_loop_t *loop, int fd, const struct stream_events *events)
    __attribute__((warn_unused_result));

/* Connects; the outcome comes by on_connect, never from inside the call. host may be a name: its addresses are tried in
 * turn. */
void stream_connect_tcp(struct stream *stream, uv_loop_t *loop, const char *host, int port,
                        const struct stream_events *events);
void stream_connect_unix(struct stream *stream, uv_loop_t *loop, const char *path, const struct stream_events *events);

/* Starts and stops watching for input. Level-triggered: unread input is reported again. */
void stream_read_start(struct stream *stream);
void stream_read_stop(struct stream *stream);

/* Reads at most cap bytes. Returns their number, 0 at the end of input, UV_EAGAIN, or a UV_ error. */
ssize_t stream_read(struct stream *stream, void *buffer, size_t cap) __attribute__((warn_unused_result));

/* Writes what the kernel takes now, without blocking. Returns the number of bytes (which may be fewer than given),
 * UV_EAGAIN, or a UV_ error. */
ssize_t stream_write(struct stream *stream, const struct iovec *pieces, int count) __attribute__((warn_unused_result));

/* Asks for on_writable, once or until switched off: it is reported while it is wanted. */
void stream_want_write(struct stream *stream, bool wanted);

/* Ends the outgoing half. */
void stream_shutdown(struct stream *stream);

/* Makes the coming close send RST, for peers that are not worth a lingering socket. */
void stream_set_abort(struct stream *stream);

/* Closes. No other callback comes after this call but on_close. */
void stream_close(struct stream *stream);

/* The descriptor, or -1 while there is none. For batches of sends. */
int stream_fd(const struct stream *stream);

#endif
