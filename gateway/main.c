/* main.c -- the process: settings, workers, the admin port, signals.
 *
 * The main thread has a loop of its own for signals and the admin port, and does nothing else; every worker is a
 * thread. SIGTERM drains; SIGINT, or a second SIGTERM, ends at once. */
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../common/xalloc.h"
#include "admin/admin_site.h"
#include "config.h"
#include "net/connection.h"
#include "net/listener.h"
#include "tasks.h"
#include "worker.h"

enum {
    ADMIN_CONNECTIONS = 256,
    ADMIN_HEAD = 16384,
    ADMIN_PATIENCE_MS = 5000,
    DESCRIPTORS_OF_OUR_OWN = 64, /* Redis, listeners, loops, log: not for clients */
    DESCRIPTORS_PER_WORKER = 16,
    BIG_ARRAY = 128 * 1024, /* bytes */
    ADMIN_MEMORY = 64 << 20
};

struct process {
    struct config config;
    struct log log;
    uv_loop_t loop;
    struct env env;

    struct redis_url redis;
    struct worker_setup setup;
    _Atomic uint32_t connections;
    struct worker **workers;
    const struct counters **counters;
    int worker_count, running;
    _Atomic int done; /* workers that have ended */
    uv_async_t worker_done;

    struct counters admin_counters;
    _Atomic uint32_t admin_connections;
    struct flush admin_flush;
    struct admin_site admin;
    struct task_desk desk; /* where the workers give back what the API gave them */
    struct task_inbox **inboxes;
    struct api api;
    struct server admin_server;
    struct listener admin_listener;
    uv_prepare_t prepare;
    uv_timer_t sweep;
    uv_signal_t sigterm, sigint;
};

/* ---- the admin port's loop */

static void on_prepare(uv_prepare_t *prepare)
{
    struct process *process = prepare->data;
    server_end_turn(&process->admin_server);
}

static void on_sweep(uv_timer_t *timer)
{
    struct process *process = timer->data;
    server_sweep(&process->admin_server);
    api_sweep(&process->api);
}

static int open_admin(struct process *process)
{
    static const struct flush_limits flush_limits = {
        .hard_bytes = 16 << 20, .soft_bytes = 1 << 20, .soft_ms = ADMIN_PATIENCE_MS, .budget_ns = 10000000};
    struct server_limits limits = {.max_connections = ADMIN_CONNECTIONS,
                                   .total = &process->admin_connections,
                                   .max_head = ADMIN_HEAD,
                                   .handshake_ms = ADMIN_PATIENCE_MS,
                                   .message_ms = ADMIN_PATIENCE_MS,
                                   .ping_ms = ADMIN_PATIENCE_MS,
                                   .pong_ms = ADMIN_PATIENCE_MS,
                                   .close_ms = ADMIN_PATIENCE_MS,
                                   .memory = ADMIN_MEMORY};
    process->admin = (struct admin_site){.workers = process->counters,
                                         .worker_count = process->worker_count,
                                         .clock = process->env.clock,
                                         .uses_redis = process->setup.redis != NULL,
                                         .ready_needs_redis = process->config.ready_needs_redis,
                                         .api = &process->api};
    process->api = (struct api){.inboxes = process->inboxes,
                                .inbox_count = process->worker_count,
                                .desk = &process->desk,
                                .clock = process->env.clock,
                                .token = process->config.admin_token,
                                .max_message = process->config.max_message};
    flush_init(&process->admin_flush, &connection_sink, process->env.clock, &process->admin_counters, &flush_limits);
    server_init(&process->admin_server, &process->env, &process->admin_counters, &process->admin_flush, &limits, NULL,
                &admin_site, &process->admin);
    return listener_open(&process->admin_listener, &process->admin_server, &process->config.admin, false);
}

/* ---- signals, and the end */

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void on_worker_done(uv_async_t *async)
{
    struct process *process = async->data;
    if (atomic_load(&process->done) < process->running)
        return;
    listener_close(&process->admin_listener);
    task_desk_close(&process->desk); /* what the workers could not do is answered with 503, best effort */
    server_abort(&process->admin_server);
    uv_walk(&process->loop, close_handle, NULL);
}

/* On the worker's thread. */
static void worker_ended(void *ctx)
{
    struct process *process = ctx;
    atomic_fetch_add(&process->done, 1);
    uv_async_send(&process->worker_done);
}

static void stop_now(struct process *process)
{
    log_event(&process->log, LOG_INFO, "stopping at once", log_int("connections", process->connections));
    for (int i = 0; i < process->worker_count; i++)
        worker_stop(process->workers[i]);
}

static void on_sigterm(uv_signal_t *handle, int number)
{
    (void)number;
    struct process *process = handle->data;
    if (process->admin.draining) {
        stop_now(process);
        return;
    }
    process->admin.draining = true;
    log_event(&process->log, LOG_INFO, "draining", log_int("connections", process->connections),
              log_int("seconds", (int64_t)process->config.drain));
    for (int i = 0; i < process->worker_count; i++)
        worker_drain(process->workers[i]);
}

static void on_sigint(uv_signal_t *handle, int number)
{
    (void)number;
    stop_now(handle->data);
}

/* ---- start */

/* Raises the limit on descriptors as far as it goes, and returns how many clients there may be. */
static uint32_t connection_limit(const struct config *config, const struct log *log)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return config->max_connections ? config->max_connections : 1024;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        getrlimit(RLIMIT_NOFILE, &limit);
    uint64_t own = DESCRIPTORS_OF_OUR_OWN + (uint64_t)config->workers * DESCRIPTORS_PER_WORKER;
    uint64_t there = limit.rlim_cur > 2 * own ? limit.rlim_cur - own : limit.rlim_cur / 2;
    if (there > UINT32_MAX / 2)
        there = UINT32_MAX / 2;
    if (config->max_connections > there)
        log_event(log, LOG_WARN, "--max-connections is more than the limit on descriptors allows",
                  log_int("max_connections", config->max_connections), log_int("possible", (int64_t)there));
    return config->max_connections && config->max_connections < there ? config->max_connections : (uint32_t)there;
}

static void make_loop(struct process *process)
{
    uv_loop_init(&process->loop);
    process->env = (struct env){&process->loop, clock_system(), random_system(), &process->log};
    uv_prepare_init(&process->loop, &process->prepare);
    uv_timer_init(&process->loop, &process->sweep);
    uv_signal_init(&process->loop, &process->sigterm);
    uv_signal_init(&process->loop, &process->sigint);
    uv_async_init(&process->loop, &process->worker_done, on_worker_done);
    task_desk_init(&process->desk, &process->loop);
    process->prepare.data = process->sweep.data = process->worker_done.data = process;
    process->sigterm.data = process->sigint.data = process;
    uv_prepare_start(&process->prepare, on_prepare);
    uv_timer_start(&process->sweep, on_sweep, SERVER_SWEEP_MS, SERVER_SWEEP_MS);
    uv_signal_start(&process->sigterm, on_sigterm, SIGTERM);
    uv_signal_start(&process->sigint, on_sigint, SIGINT);
}

static void make_setup(struct process *process)
{
    process->setup = (struct worker_setup){.config = &process->config,
                                           .log = &process->log,
                                           .max_connections = connection_limit(&process->config, &process->log),
                                           .connections = &process->connections,
                                           .started_ms = clock_wall_ms(process->env.clock),
                                           .on_done = worker_ended,
                                           .ctx = process};
    if (process->config.redis && !redis_url_parse(process->config.redis, &process->redis))
        process->setup.redis = &process->redis;
    else
        process->setup.hub = local_hub_new();
}

static void log_no_port(const struct process *process, const struct config_address *address, int status)
{
    log_event(&process->log, LOG_ERROR, "cannot listen", log_text("host", address->host),
              log_int("port", address->port), log_text("error", uv_strerror(status)));
}

/* Makes all workers before any of them runs: the port is one for all, and a port that is taken stops the start. */
static int make_workers(struct process *process)
{
    int count = process->config.workers;
    int status = count > 1 ? listener_probe(&process->config.listen) : 0;
    if (status < 0) {
        log_no_port(process, &process->config.listen, status);
        return -1;
    }
    process->workers = xcalloc((size_t)count, sizeof *process->workers);
    process->counters = xcalloc((size_t)count, sizeof *process->counters);
    process->inboxes = xcalloc((size_t)count, sizeof *process->inboxes);
    for (int i = 0; i < count; i++) {
        process->workers[i] = worker_new(&process->setup, &process->config.listen);
        if (!process->workers[i])
            return -1;
        process->counters[i] = worker_counters(process->workers[i]);
        process->inboxes[i] = worker_inbox(process->workers[i]);
        process->worker_count++;
    }
    return 0;
}

static int start_workers(struct process *process)
{
    for (int i = 0; i < process->worker_count; i++) {
        int status = worker_start(process->workers[i]);
        if (status < 0) {
            log_event(&process->log, LOG_ERROR, "cannot start a worker", log_text("error", uv_strerror(status)));
            return -1;
        }
        process->running++;
    }
    return 0;
}

static void announce(const struct process *process)
{
    char public[CONFIG_ADDRESS_TEXT], admin[CONFIG_ADDRESS_TEXT];
    config_address_text(&process->config.listen, public);
    config_address_text(&process->config.admin, admin);
    char *redis = process->setup.redis ? config_masked_url(process->config.redis) : NULL;
    log_event(&process->log, LOG_INFO, "listening", log_text("public", public), log_text("admin", admin),
              log_text("bus", redis ? redis : "local"), log_int("workers", process->worker_count),
              log_int("max_connections", process->setup.max_connections), log_text("version", PLENUM_VERSION));
    free(redis);
}

static int serve(struct process *process)
{
    if (!upgrade_self_test()) {
        log_event(&process->log, LOG_ERROR, "libcrypto does not compute SHA-1", log_int("status", 1));
        return 1;
    }
    make_loop(process);
    make_setup(process);
    if (make_workers(process) < 0)
        return 1;
    int status = open_admin(process);
    if (status < 0) {
        log_no_port(process, &process->config.admin, status);
        return 1;
    }
    if (start_workers(process) < 0)
        return 1;
    announce(process);
    uv_run(&process->loop, UV_RUN_DEFAULT);
    return 0;
}

static void clean_up(struct process *process)
{
    for (int i = 0; i < process->worker_count; i++)
        worker_free(process->workers[i]);
    free(process->workers);
    free(process->counters);
    free(process->inboxes);
    if (process->setup.hub)
        local_hub_free(process->setup.hub);
    redis_url_free(&process->redis);
    server_close(&process->admin_server);
    uv_loop_close(&process->loop);
    config_free(&process->config);
    log_event(&process->log, LOG_INFO, "ended", log_int("status", 0));
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    mallopt(M_MMAP_THRESHOLD, BIG_ARRAY); /* fixed: arrays that grow are then moved by the kernel and leave no holes */
    struct process *process = xcalloc(1, sizeof *process);
    switch (config_load(&process->config, argc, argv, environ)) {
    case CONFIG_OK:
        break;
    case CONFIG_EXIT_OK:
        free(process);
        return 0;
    case CONFIG_EXIT_BAD:
        free(process);
        return 2;
    }
    process->log = (struct log){2, process->config.log_level, process->config.log_format, clock_system()};
    int status = serve(process);
    if (status)
        exit(status); /* the one log line has said why; threads that run already end with the process */
    clean_up(process);
    free(process);
    return 0;
}
