/* tasks.c -- see tasks.h. */
#include "tasks.h"

#include <stddef.h>

/* What stands in the place of a closed inbox's list: an address that is nobody's task. */
static struct task closed_mark;

/* Pushes in front. False when the list is closed. The release makes what the task holds visible to who takes it. */
static bool push(_Atomic(struct task *) *list, struct task *task)
{
    struct task *first = atomic_load_explicit(list, memory_order_relaxed);
    do {
        if (first == &closed_mark)
            return false;
        task->next = first;
    } while (!atomic_compare_exchange_weak_explicit(list, &first, task, memory_order_release, memory_order_relaxed));
    return true;
}

/* Takes the whole list, and turns it round: in the order in which they were pushed. As nothing but a whole list is ever
 * taken, an element cannot come back under a pusher's feet (the ABA problem). */
static struct task *take_all(_Atomic(struct task *) *list, struct task *instead)
{
    struct task *pushed = atomic_exchange_explicit(list, instead, memory_order_acquire), *in_order = NULL;
    while (pushed && pushed != &closed_mark) {
        struct task *next = pushed->next;
        pushed->next = in_order;
        in_order = pushed;
        pushed = next;
    }
    return in_order;
}

/* ---- the admin's end */

static void hand_over(struct task_desk *desk)
{
    for (struct task *task = take_all(&desk->finished, NULL), *next; task; task = next) {
        next = task->next;
        task->done(task, task->result);
    }
}

static void on_finished(uv_async_t *async)
{
    hand_over(async->data);
}

void task_desk_init(struct task_desk *desk, uv_loop_t *loop)
{
    atomic_init(&desk->finished, NULL);
    uv_async_init(loop, &desk->wake, on_finished);
    desk->wake.data = desk;
}

void task_desk_close(struct task_desk *desk)
{
    hand_over(desk);
    if (!uv_is_closing((uv_handle_t *)&desk->wake))
        uv_close((uv_handle_t *)&desk->wake, NULL);
}

bool task_give(struct task_inbox *inbox, struct task_desk *desk, struct task *task)
{
    task->desk = desk;
    task->inbox = inbox;
    if (!push(&inbox->waiting, task))
        return false;
    uv_async_send(&inbox->wake);
    return true;
}

/* ---- the worker's end */

static void on_waiting(uv_async_t *async)
{
    struct task_inbox *inbox = async->data;
    if (uv_is_closing((uv_handle_t *)async))
        return;
    for (struct task *task = take_all(&inbox->waiting, NULL), *next; task; task = next) {
        next = task->next;
        task->behind = inbox->running;
        task->before = &inbox->running;
        if (inbox->running)
            inbox->running->before = &task->behind;
        inbox->running = task;
        task->run(task, inbox->ctx); /* does not close the inbox: a worker ends in its own time */
    }
}

void task_inbox_init(struct task_inbox *inbox, uv_loop_t *loop, void *ctx)
{
    atomic_init(&inbox->waiting, NULL);
    inbox->running = NULL;
    inbox->ctx = ctx;
    uv_async_init(loop, &inbox->wake, on_waiting);
    inbox->wake.data = inbox;
}

/* Gives it back. From the push on it is the admin's; the desk outlives all workers. */
static void give_back(struct task *task, enum task_result result)
{
    struct task_desk *desk = task->desk;
    task->result = result;
    (void)push(&desk->finished, task); /* a desk has no mark */
    uv_async_send(&desk->wake);
}

void task_end(struct task *task)
{
    *task->before = task->behind;
    if (task->behind)
        task->behind->before = task->before;
    give_back(task, TASK_DONE);
}

void task_inbox_close(struct task_inbox *inbox)
{
    struct task *task, *next;
    for (task = take_all(&inbox->waiting, &closed_mark); task; task = next) {
        next = task->next;
        give_back(task, TASK_LOST);
    }
    for (task = inbox->running; task; task = next) {
        next = task->behind;
        give_back(task, TASK_LOST);
    }
    inbox->running = NULL;
    if (!uv_is_closing((uv_handle_t *)&inbox->wake))
        uv_close((uv_handle_t *)&inbox->wake, NULL);
}
