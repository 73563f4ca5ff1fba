/* tasks_test.c -- tasks between two threads: in order, back once, and none is forgotten when the worker ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "common/xalloc.h"
#include "gateway/tasks.h"

enum { MANY = 20000, WORKERS = 3 };

/* A worker with nothing but an inbox, on a thread of its own. */
struct worker {
    uv_loop_t loop;
    struct task_inbox inbox;
    uv_async_t stop;
    uv_thread_t thread;
    uint32_t ran;          /* on its thread */
    struct task *kept[64]; /* those that it does not end at once */
    int kept_count;
    bool stopping; /* ... and those it keeps for good */
};

struct job {
    struct task task;
    uint32_t number;
    bool keep;           /* end it with the next one that is not kept */
    bool last;           /* stop the worker from within */
    uint32_t worker_saw; /* written by the worker, read by the admin */
};

static struct admin {
    uv_loop_t loop;
    struct task_desk desk;
    struct worker workers[WORKERS];
    uint32_t done, lost, expected;
    bool in_order; /* as long as results came in the order in which the tasks were given */
} admin;

static void on_stop(uv_async_t *async)
{
    struct worker *worker = async->data;
    task_inbox_close(&worker->inbox);
    task_inbox_close(&worker->inbox);
    uv_close((uv_handle_t *)&worker->stop, NULL);
}

static void run_worker(void *arg)
{
    struct worker *worker = arg;
    uv_run(&worker->loop, UV_RUN_DEFAULT);
}

static void run_job(struct task *task, void *ctx)
{
    struct job *job = (struct job *)task;
    struct worker *worker = ctx;
    job->worker_saw = ++worker->ran;
    if (job->last) {
        worker->stopping = true;
        uv_async_send(&worker->stop);
    }
    if (job->keep) {
        worker->kept[worker->kept_count++] = task;
        return;
    }
    task_end(task);
    while (worker->kept_count && !worker->stopping) /* the job is the admin's now */
        task_end(worker->kept[--worker->kept_count]);
}

static void job_done(struct task *task, enum task_result result)
{
    struct job *job = (struct job *)task;
    if (result == TASK_LOST)
        admin.lost++;
    else if (job->worker_saw != job->number + 1)
        admin.in_order = false;
    free(job);
    if (++admin.done == admin.expected)
        uv_stop(&admin.loop);
}

static struct job *job_new(uint32_t number)
{
    struct job *job = xcalloc(1, sizeof *job);
    job->task.run = run_job;
    job->task.done = job_done;
    job->number = number;
    return job;
}

static bool give(int worker, struct job *job)
{
    return task_give(&admin.workers[worker].inbox, &admin.desk, &job->task);
}

static int start(void **state)
{
    (void)state;
    admin = (struct admin){.in_order = true};
    uv_loop_init(&admin.loop);
    task_desk_init(&admin.desk, &admin.loop);
    for (int i = 0; i < WORKERS; i++) {
        struct worker *worker = &admin.workers[i];
        uv_loop_init(&worker->loop);
        task_inbox_init(&worker->inbox, &worker->loop, worker);
        uv_async_init(&worker->loop, &worker->stop, on_stop);
        worker->stop.data = worker;
        uv_thread_create(&worker->thread, run_worker, worker);
    }
    return 0;
}

/* Ends the workers (those that have not ended by themselves are told to). */
static void end_workers(void)
{
    for (int i = 0; i < WORKERS; i++) {
        uv_async_send(&admin.workers[i].stop);
        uv_thread_join(&admin.workers[i].thread);
        uv_loop_close(&admin.workers[i].loop);
    }
}

static void end_desk(void)
{
    task_desk_close(&admin.desk);
    uv_run(&admin.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&admin.loop), 0);
}

static void tasks_come_back_in_order_and_once(void **state)
{
    (void)state;
    admin.expected = MANY * WORKERS;
    for (uint32_t n = 0; n < MANY; n++)
        for (int i = 0; i < WORKERS; i++)
            assert_true(give(i, job_new(n)));
    uv_run(&admin.loop, UV_RUN_DEFAULT);
    assert_int_equal(admin.done, admin.expected);
    assert_int_equal(admin.lost, 0);
    assert_true(admin.in_order);
    end_workers();
    end_desk();
}

static void a_task_may_end_later_and_in_any_order(void **state)
{
    (void)state;
    admin.expected = 12;
    for (uint32_t n = 0; n < 12; n++) {
        struct job *job = job_new(n);
        job->keep = n % 4 != 3;
        assert_true(give(0, job));
    }
    uv_run(&admin.loop, UV_RUN_DEFAULT);
    assert_int_equal(admin.lost, 0);
    end_workers();
    end_desk();
}

static void a_worker_that_ends_gives_back_what_it_has_not_done(void **state)
{
    (void)state;
    uint32_t given = 0, refused = 0;
    admin.expected = UINT32_MAX;
    for (uint32_t n = 0; n < 40; n++, given++) {
        struct job *job = job_new(n);
        job->keep = true;
        assert_true(give(1, job));
    }
    struct job *last = job_new(40);
    last->last = true;
    assert_true(give(1, last));
    given++;
    for (uint32_t n = 0; n < MANY; n++) { /* it ends somewhere in the middle of these */
        struct job *job = job_new(41 + n);
        if (give(1, job)) {
            given++;
        } else {
            refused++;
            free(job);
        }
    }
    end_workers();
    end_desk();
    assert_int_equal(admin.done, given);
    assert_true(admin.lost >= 40);
    assert_int_equal(given + refused, 41 + MANY);
    struct job *late = job_new(0);
    assert_false(give(1, late));
    free(late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(tasks_come_back_in_order_and_once, start),
        cmocka_unit_test_setup(a_task_may_end_later_and_in_any_order, start),
        cmocka_unit_test_setup(a_worker_that_ends_gives_back_what_it_has_not_done, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
