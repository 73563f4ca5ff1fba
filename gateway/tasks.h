/* tasks.h -- work that the admin's thread gives to a worker, and gets back.
 *
 *     the admin's thread   task_give            done(task): the admin's again
 *                              |                     ^
 *     the worker's thread  run(task) ... later ... task_end(task)
 *
 * Two lists onto which one side pushes with a compare-and-swap, and which the other side takes as a whole with an
 * exchange: no lock, and nothing that a message's way would notice. Each side is woken by a uv_async. Every task that
 * was given comes back exactly once, also when its worker ends first: then unfinished, as TASK_LOST.
 *
 * A task is embedded first in what it works on. It is touched by one thread at a time: the admin's until task_give and
 * from done on, the worker's in between. */
#ifndef PLENUM_GATEWAY_TASKS_H
#define PLENUM_GATEWAY_TASKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

enum task_result {
    TASK_DONE,
    TASK_LOST /* the worker has ended before the task did */
};

/* The admin's end: where finished tasks come back to. One for all workers. */
struct task_desk {
    _Atomic(struct task *) finished; /* the last one first */
    uv_async_t wake;
};

/* A worker's end. */
struct task_inbox {
    _Atomic(struct task *) waiting; /* the last one first; the mark of a closed inbox once the worker has ended */
    uv_async_t wake;
    struct task *running; /* the worker's own list: begun and not ended */
    void *ctx;            /* for run */
};

struct task {
    /* On the worker's thread. It ends in task_end, in the call or later. */
    void (*run)(struct task *task, void *ctx);
    /* On the admin's thread. */
    void (*done)(struct task *task, enum task_result result);
    /* ---- the module's own */
    struct task_desk *desk;
    struct task_inbox *inbox;
    struct task *next;             /* in a list that is pushed onto */
    struct task *behind, **before; /* among the running ones */
    enum task_result result;
};

/* ---- the admin's thread */

void task_desk_init(struct task_desk *desk, uv_loop_t *loop);

/* Hands over what is there still, and closes the desk's handle. All inboxes are closed: no task is under way. */
void task_desk_close(struct task_desk *desk);

/* Gives a task away. False when the worker has ended: the task is the caller's as before. The worker may have been
 * freed no sooner than after this call: it is the admin's thread that joins it. */
bool task_give(struct task_inbox *inbox, struct task_desk *desk, struct task *task) __attribute__((warn_unused_result));

/* ---- the worker's thread (init: before it runs) */

void task_inbox_init(struct task_inbox *inbox, uv_loop_t *loop, void *ctx);

/* Gives back what is unfinished as TASK_LOST, takes nothing any more, and closes the handle. Nothing may use a task
 * that was lost so: the bus is closed before, and tells nothing any more. May be called twice. */
void task_inbox_close(struct task_inbox *inbox);

/* The worker is through with it and touches it no more. */
void task_end(struct task *task);

#endif
