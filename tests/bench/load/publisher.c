/* publisher.c -- makes stamped messages and queues them: see publisher.h. */
#include "publisher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/frame.h"
#include "../common/tool.h"
#include "stamp.h"

enum { TEMPLATE_ROOM = 4096 };

void publisher_init(struct publisher *publisher, struct swarm *swarm)
{
    size_t size = (size_t)swarm->env.options->size;

    *publisher = (struct publisher){.swarm = swarm, .text_cap = size + TEMPLATE_ROOM};
    publisher->payload = tool_calloc(1, size);
    publisher->text = tool_calloc(1, publisher->text_cap);
    memset(publisher->payload, 'x', size);
}

void publisher_close(struct publisher *publisher)
{
    free(publisher->payload);
    free(publisher->text);
}

static void queue_post(struct publisher *publisher, struct connection *c, const struct template_values *values)
{
    const struct options *options = publisher->swarm->env.options;
    char path[1024], head[1536];

    template_expand(options->post_path, values, path, sizeof path);
    int n = snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", path,
                     options->host, options->size);
    buffer_append(&c->out, head, (size_t)n);
    buffer_append(&c->out, publisher->payload, (size_t)options->size);
}

static void queue_frames(struct publisher *publisher, struct connection *c, struct template_values *values)
{
    struct connection_env *env = &publisher->swarm->env;
    const struct options *options = env->options;
    const struct dialect *dialect = options->dialect;
    bool announced = options->binary && dialect->publish_binary;
    const char *template = announced ? dialect->publish_binary : dialect->publish;

    if (template) {
        values->payload = publisher->payload;
        values->payload_len = (size_t)options->size;
        size_t n = template_expand(template, values, publisher->text, publisher->text_cap);
        connection_queue(env, c, FRAME_TEXT, publisher->text, n);
    }
    if (!template || announced)
        connection_queue(env, c, options->binary ? FRAME_BINARY : FRAME_TEXT, publisher->payload,
                         (size_t)options->size);
}

void publisher_queue(struct publisher *publisher, int index)
{
    struct connection_env *env = &publisher->swarm->env;
    struct connection *c = publisher->swarm->publishers[index];

    if (c->phase != CONNECTION_READY)
        return;
    stamp_write(publisher->payload, (struct stamp){.publisher = (uint32_t)index,
                                                   .sequence = accounting_send(env->accounting, index),
                                                   .sent_ns = now_ns()});
    struct template_values values = connection_values(env, c);
    values.room = index % env->options->rooms; /* over HTTP, one connection serves many rooms */
    if (c->post)
        queue_post(publisher, c, &values);
    else
        queue_frames(publisher, c, &values);
}
