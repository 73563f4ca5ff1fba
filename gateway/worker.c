/* worker.c -- see worker.h. */
#include "worker.h"

#include <stdlib.h>
#include <time.h>
#include <uv.h>

#include "../common/xalloc.h"
#include "admin/ctl.h"
#include "net/connection.h"
#include "net/listener.h"
#include "pacing.h"
#include "public_site.h"
#include "room/presence.h"
#include "tasks.h"

enum {
    HELD_TURNS_MAX = 8, /* clients are read in one turn of so many at least */
    DRAIN_STEP_MS = 50,
    DRAIN_LEAST_MS = 1000,    /* for the closing handshakes, even when nothing is to be spread */
    DRAIN_LEAVE_PERCENT = 50, /* of the drain time for those who were told and leave by themselves, */
    DRAIN_SPREAD_PERCENT = 75 /* ... for the closes; the rest for those who are slow to go */
};

enum worker_order { ORDER_DRAIN = 1, ORDER_STOP = 2 };

struct worker {
    const struct worker_setup *setup;
    uv_loop_t loop;
    struct env env;
    struct counters counters;
    struct flush flush;
    struct deflater *deflater;
    struct rooms rooms;
    struct bus *bus;
    struct redis_bus_options redis;
    struct relay relay;
    struct plenum plenum;
    struct ctl ctl;
    struct task_inbox tasks; /* from the admin's thread; its ctx is the rooms */
    struct public_site site;
    struct server server;
    struct listener listener;
    struct pacing pacing;
    char address[CONFIG_ADDRESS_TEXT]; /* public, for the report to Redis */

    uv_prepare_t prepare;
    uv_idle_t idle; /* active while a flush or parked input is unfinished: the poll must not sleep */
    uv_timer_t sweep, drain;
    uv_async_t wake;
    _Atomic int orders; /* enum worker_order, from other threads */
    uint64_t sweep_due_ms, drain_end_ms, drain_leave_end_ms, drain_spread_end_ms;
    double drain_debt;   /* clients that should have been closed by now */
    uint32_t held_turns; /* in a row in which the bus was behind */
    bool draining, ending;
    uv_thread_t thread;
    bool started;
};

/* ---- a turn of the loop */

static void do_nothing(uv_idle_t *idle)
{
    (void)idle;
}

static void rest_before_polling(struct worker *worker)
{
    uint64_t wait = pacing_wait_ns(&worker->pacing, clock_ns(worker->env.clock));
    if (wait)
        nanosleep(&(struct timespec){.tv_nsec = (long)wait}, NULL); /* the setting is below one second */
}

/* What the bus has for us comes before what clients have for the bus; but not for ever, when others send too much. */
static void hold_clients(struct worker *worker)
{
    bool behind = bus_behind(worker->bus);
    worker->held_turns = behind ? worker->held_turns + 1 : 0;
    worker->server.held = behind && worker->held_turns % HELD_TURNS_MAX != 0;
}

/* The end of a turn: Redis first, as its answer takes longest, then the clients, then who is to go. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct worker *worker = prepare->data;
    counter_add(&worker->counters, COUNT_TURNS, 1);
    counter_set(&worker->counters, GAUGE_LAST_TURN_MS, clock_ms(worker->env.clock));
    if (!worker->ending) {
        hold_clients(worker);
        server_feed_parked(&worker->server);
        rooms_turn(&worker->rooms);
        bus_flush(worker->bus);
    }
    bool more = flush_run(&worker->flush);
    server_end_turn(&worker->server);
    more = more || server_has_input(&worker->server);
    if (more)
        uv_idle_start(&worker->idle, do_nothing);
    else
        uv_idle_stop(&worker->idle);
    if (!more && !worker->ending)
        rest_before_polling(worker);
}

static void on_sweep(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    uint64_t now = clock_ms(worker->env.clock);
    uint64_t lag = now > worker->sweep_due_ms ? now - worker->sweep_due_ms : 0;
    worker->sweep_due_ms = now + SERVER_SWEEP_MS;
    counter_set(&worker->counters, GAUGE_LOOP_LAG_MS, lag);
    server_sweep(&worker->server);
    rooms_sweep(&worker->rooms);
}

/* ---- what the rooms tell */

static void on_pressure(void *ctx, enum bus_pressure pressure)
{
    struct worker *worker = ctx;
    static const char *const names[] = {"flowing", "pressed", "refusing"};
    log_event(worker->env.log, pressure == BUS_FLOWING ? LOG_INFO : LOG_WARN, "bus pressure",
              log_text("state", names[pressure]));
    server_pause(&worker->server, pressure == BUS_PRESSED);
}

static void fill_report(void *ctx, struct gateway_report *out)
{
    struct worker *worker = ((struct rooms *)ctx)->ctx; /* the bus's ctx is the rooms */
    const struct counters *counters = &worker->counters;
    *out = (struct gateway_report){
        .pod = worker->setup->config->server_name,
        .address = worker->address,
        .version = PLENUM_VERSION,
        .state = worker->draining ? "draining" : "up",
        .connections = counter_get(counters, GAUGE_CONNECTIONS),
        .rooms = counter_get(counters, GAUGE_ROOMS),
        .members = counter_get(counters, GAUGE_MEMBERS),
        .messages_in = counter_get(counters, COUNT_MESSAGES_IN),
        .messages_out = counter_get(counters, COUNT_DELIVERIES),
        .started_ms = worker->setup->started_ms,
    };
}

/* ---- ending */

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* The bus is gone: only our own handles are left, and the loop ends with them. */
static void on_bus_closed(void *ctx)
{
    struct worker *worker = ctx;
    rooms_close(&worker->rooms);
    plenum_close(&worker->plenum);
    ctl_close(&worker->ctl);
    uv_walk(&worker->loop, close_handle, NULL);
}

static void end(struct worker *worker)
{
    if (worker->ending)
        return;
    worker->ending = true;
    uv_timer_stop(&worker->sweep); /* what it looks after ends now: the bus's channels are dead from its close on */
    uv_timer_stop(&worker->drain);
    listener_close(&worker->listener);
    server_abort(&worker->server);
    presence_flush(&worker->rooms, UINT64_MAX); /* the last to leave are told of as well */
    rooms_stop(&worker->rooms);
    bus_close(worker->bus, on_bus_closed, worker);
    task_inbox_close(&worker->tasks); /* nothing is asked of a closing bus */
}

/* Closes so many clients per step that the last goes when the spread ends, and ends when all are gone. */
static void on_drain_step(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    uint64_t now = clock_ms(worker->env.clock);
    bool gone = worker->server.count == 0 && bus_idle(worker->bus);
    if (gone || now >= worker->drain_end_ms) {
        end(worker);
        return;
    }
    uint64_t left_ms = worker->drain_spread_end_ms > now ? worker->drain_spread_end_ms - now : 0;
    uint64_t steps = left_ms / DRAIN_STEP_MS + 1;
    uint64_t open = counter_get(&worker->counters, GAUGE_CONNECTIONS);
    worker->drain_debt += (double)open / (double)steps;
    uint32_t due = (uint32_t)worker->drain_debt;
    worker->drain_debt -= due;
    server_close_some(&worker->server, due, now >= worker->drain_leave_end_ms, 1012,
                      "this gateway restarts: come back");
}

static void begin_drain(struct worker *worker, double over_s)
{
    if (worker->draining || worker->ending)
        return;
    worker->draining = true;
    counter_set(&worker->counters, GAUGE_DRAINING, 1);
    uint64_t now = clock_ms(worker->env.clock), whole = (uint64_t)(over_s * 1000);
    worker->drain_end_ms = now + (whole > DRAIN_LEAST_MS ? whole : DRAIN_LEAST_MS);
    worker->drain_leave_end_ms = now + whole * DRAIN_LEAVE_PERCENT / 100;
    worker->drain_spread_end_ms = now + whole * DRAIN_SPREAD_PERCENT / 100;
    listener_close(&worker->listener);
    server_hurry_handshakes(&worker->server);
    plenum_drain(&worker->plenum, (uint32_t)(worker->drain_leave_end_ms - now));
    uv_timer_start(&worker->drain, on_drain_step, 0, DRAIN_STEP_MS);
}

/* An admin's drain of this one worker. */
static void on_ctl_drain(void *ctx, double over_s)
{
    struct worker *worker = ctx;
    begin_drain(worker, over_s < 0 ? worker->setup->config->drain : over_s);
}

static void on_command(void *ctx, struct bytes line)
{
    struct worker *worker = ctx;
    ctl_run(&worker->ctl, line);
}

static void on_wake(uv_async_t *async)
{
    struct worker *worker = async->data;
    int orders = atomic_exchange(&worker->orders, 0);
    if (orders & ORDER_DRAIN)
        begin_drain(worker, worker->setup->config->drain);
    if (orders & ORDER_STOP)
        end(worker);
}

static void order(struct worker *worker, enum worker_order what)
{
    atomic_fetch_or(&worker->orders, what);
    uv_async_send(&worker->wake);
}

void worker_drain(struct worker *worker)
{
    order(worker, ORDER_DRAIN);
}

void worker_stop(struct worker *worker)
{
    order(worker, ORDER_STOP);
}

/* ---- making */

static void make_handles(struct worker *worker)
{
    uv_prepare_init(&worker->loop, &worker->prepare);
    uv_idle_init(&worker->loop, &worker->idle);
    uv_timer_init(&worker->loop, &worker->sweep);
    uv_timer_init(&worker->loop, &worker->drain);
    uv_async_init(&worker->loop, &worker->wake, on_wake);
    task_inbox_init(&worker->tasks, &worker->loop, &worker->rooms);
    worker->prepare.data = worker->sweep.data = worker->drain.data = worker->wake.data = worker;
    uv_prepare_start(&worker->prepare, on_prepare);
    worker->sweep_due_ms = clock_ms(worker->env.clock) + SERVER_SWEEP_MS;
    uv_timer_start(&worker->sweep, on_sweep, SERVER_SWEEP_MS, SERVER_SWEEP_MS);
}

static uint32_t ms_of(double seconds)
{
    return (uint32_t)(seconds * 1000);
}

static struct server_limits limits_of(const struct worker_setup *setup)
{
    const struct config *config = setup->config;
    return (struct server_limits){
        .max_connections = setup->max_connections,
        .total = setup->connections,
        .max_head = config->max_header,
        .max_message = config->max_message,
        .compression = config->compression,
        .handshake_ms = ms_of(config->handshake_timeout),
        .message_ms = ms_of(config->message_timeout),
        .ping_ms = ms_of(config->ping_interval),
        .pong_ms = ms_of(config->pong_timeout),
        .close_ms = ms_of(config->close_timeout),
        .memory = ((uint64_t)config->memory_mb << 20) / (uint64_t)config->workers,
    };
}

static void make_parts(struct worker *worker)
{
    const struct config *config = worker->setup->config;
    struct flush_limits flush_limits = {.hard_bytes = config->outbox_hard,
                                        .soft_bytes = config->outbox_soft,
                                        .soft_ms = ms_of(config->outbox_soft_seconds),
                                        .budget_ns = (uint64_t)(config->flush_budget_ms * 1e6)};
    struct server_limits limits = limits_of(worker->setup);
    worker->pacing.interval_ns = (uint64_t)(config->turn_pacing_ms * 1e6);
    worker->deflater = deflater_new(config->max_message + SLACK_MAX);
    flush_init(&worker->flush, &connection_sink, worker->env.clock, &worker->counters, &flush_limits);
    rooms_init(&worker->rooms,
               &(struct rooms_setup){
                   .env = &worker->env,
                   .counters = &worker->counters,
                   .flush = &worker->flush,
                   .rules = config->rules,
                   .events = {[MEMBER_PLAIN] = &relay_member_events, [MEMBER_PARTICIPANT] = &plenum_member_events},
                   .ctx = worker,
                   .linger_ms = ms_of(config->room_linger),
               });
    worker->rooms.on_pressure = on_pressure;
    worker->rooms.on_command = on_command;
    ctl_init(&worker->ctl, &worker->rooms, on_ctl_drain, worker);
    worker->rooms.max_message = config->max_message;
    relay_init(&worker->relay, &connection_host, &worker->rooms, worker->deflater);
    struct plenum_limits plenum_limits = {
        .message = config->max_message, .rooms = config->max_rooms, .ping_ms = ms_of(config->ping_interval)};
    plenum_init(&worker->plenum, &connection_host, &worker->rooms, worker->deflater, &plenum_limits);
    worker->site.relay = &worker->relay;
    worker->site.plenum = &worker->plenum;
    server_init(&worker->server, &worker->env, &worker->counters, &worker->flush, &limits, worker->deflater,
                &public_site, &worker->site);
}

static void make_bus(struct worker *worker)
{
    const struct worker_setup *setup = worker->setup;
    if (setup->redis) {
        worker->redis = (struct redis_bus_options){
            .url = *setup->redis, .prefix = setup->config->redis_prefix, .report = fill_report};
        worker->bus = redis_bus_new(&worker->env, &worker->redis, &worker->counters, &rooms_bus_events, &worker->rooms);
    } else {
        worker->bus =
            local_bus_new(setup->hub, &worker->env, &worker->counters, fill_report, &rooms_bus_events, &worker->rooms);
    }
    worker->rooms.bus = worker->bus;
}

struct worker *worker_new(const struct worker_setup *setup, struct config_address *address)
{
    struct worker *worker = xcalloc(1, sizeof *worker);
    worker->setup = setup;
    uv_loop_init(&worker->loop);
    worker->env = (struct env){&worker->loop, clock_system(), random_system(), setup->log};
    make_parts(worker);
    int status = listener_open(&worker->listener, &worker->server, address, setup->config->workers > 1);
    if (status < 0) {
        log_event(setup->log, LOG_ERROR, "cannot listen", log_text("host", address->host),
                  log_int("port", address->port), log_text("error", uv_strerror(status)));
        server_close(&worker->server);
        deflater_free(worker->deflater);
        uv_loop_close(&worker->loop);
        free(worker);
        return NULL;
    }
    config_address_text(address, worker->address);
    make_handles(worker);
    make_bus(worker);
    counter_set(&worker->counters, GAUGE_LAST_TURN_MS, clock_ms(worker->env.clock));
    return worker;
}

static void run(void *arg)
{
    struct worker *worker = arg;
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    worker->setup->on_done(worker->setup->ctx);
}

int worker_start(struct worker *worker)
{
    int status = uv_thread_create(&worker->thread, run, worker);
    worker->started = status == 0;
    return status;
}

void worker_free(struct worker *worker)
{
    if (worker->started)
        uv_thread_join(&worker->thread);
    server_close(&worker->server);
    deflater_free(worker->deflater);
    uv_loop_close(&worker->loop);
    free(worker);
}

const struct counters *worker_counters(const struct worker *worker)
{
    return &worker->counters;
}

struct task_inbox *worker_inbox(struct worker *worker)
{
    return &worker->tasks;
}
