// SPDX-License-Identifier: Apache-2.0
/*
 * Wait queues. Exclusive waiters stand behind the others; one that was woken goes to the end,
 * so that a second wake-up reaches the next one.
 */
#include "sentry/kernel/wait.h"
#include "sentry/kernel/task.h"

void waitq_init(struct waitq *wq)
{
    wq->lock = (struct spinlock)SPINLOCK_INIT;
    list_init(&wq->waiters);
}

void waitq_add(struct waitq *wq, struct waiter *w)
{
    if (w->task)
        w->task->state = TASK_SLEEPING;
    spin_lock(&wq->lock);
    if (w->exclusive)
        list_add_tail(&wq->waiters, &w->link);
    else
        list_add(&wq->waiters, &w->link);
    spin_unlock(&wq->lock);
}

void waitq_remove(struct waitq *wq, struct waiter *w)
{
    spin_lock(&wq->lock);
    if (w->link.next)
        list_del(&w->link);
    spin_unlock(&wq->lock);
    if (w->task)
        w->task->state = TASK_RUNNING;
}

static bool wake_one(struct waiter *w, u32 events)
{
    if (w->func)
        return w->func(w, events);
    machine_unpark(w->task);
    return true;
}

void waitq_wake(struct waitq *wq, u32 events, unsigned nr_exclusive)
{
    struct waiter *w, *next;
    struct list woken = LIST_INIT(woken);

    spin_lock(&wq->lock);
    list_for_each_safe (w, next, &wq->waiters, link) {
        if (w->events && !(w->events & events))
            continue;
        if (w->exclusive && nr_exclusive == 0)
            break;
        if (!wake_one(w, events) || !w->exclusive)
            continue;
        nr_exclusive--;
        list_del(&w->link);
        list_add_tail(&woken, &w->link);
    }
    while (!list_empty(&woken)) {
        w = list_first(&woken, struct waiter, link);
        list_del(&w->link);
        list_add_tail(&wq->waiters, &w->link);
    }
    spin_unlock(&wq->lock);
}

bool signal_pending_current(void)
{
    return signal_pending(current);
}
