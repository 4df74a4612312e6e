/* SPDX-License-Identifier: Apache-2.0
 *
 * Waiting: wait queues on top of the machine's park/unpark token, and timers.
 */
#pragma once

#include "sentry/lib/lock.h"

/*
 * A queue of waiters, embedded in the thing that is waited for. wq->lock guards the list.
 * Zero-initialised memory must be passed to waitq_init() first.
 */
struct waitq {
    struct spinlock lock;
    struct list waiters;
};

/*
 * One entry in a queue; usually on the waiting task's stack. func, when set, is called instead of
 * unparking the task; it runs under wq->lock and must only wake other things (epoll uses it).
 * func returns whether it counts as one woken (exclusive) waiter.
 */
struct waiter {
    struct list link;
    struct task *task;
    bool (*func)(struct waiter *w, u32 events);
    bool exclusive;
    u32 events; /* poll events of interest; 0 = all */
};

void waitq_init(struct waitq *wq);
void waitq_add(struct waitq *wq, struct waiter *w);
void waitq_remove(struct waitq *wq, struct waiter *w); /* no-op when not queued */
/* Wake all (and at most nr_exclusive exclusive ones); events: what happened, as for poll(2). */
void waitq_wake(struct waitq *wq, u32 events, unsigned nr_exclusive);
static inline void wake_all(struct waitq *wq)
{
    waitq_wake(wq, ~0u, ~0u);
}

bool signal_pending_current(void);

/*
 * Sleep until cond; value 0, -ERESTARTSYS on a signal, -ETIMEDOUT at `deadline` (monotonic ns,
 * U64_MAX never). cond is evaluated without locks; use the explicit loop where it needs one.
 */
#define wait_event_deadline(wq, cond, deadline)                                                    \
    ({                                                                                             \
        struct waiter we_ = {.task = current};                                                     \
        int we_err_ = 0;                                                                           \
        waitq_add((wq), &we_);                                                                     \
        while (!(cond)) {                                                                          \
            if (signal_pending_current()) {                                                        \
                we_err_ = -ERESTARTSYS;                                                            \
                break;                                                                             \
            }                                                                                      \
            if (machine_park(deadline) == -ETIMEDOUT) {                                            \
                we_err_ = (cond) ? 0 : -ETIMEDOUT;                                                 \
                break;                                                                             \
            }                                                                                      \
        }                                                                                          \
        waitq_remove((wq), &we_);                                                                  \
        we_err_;                                                                                   \
    })
#define wait_event(wq, cond) wait_event_deadline(wq, cond, U64_MAX)
/* The same, deaf to signals; only for waits that are certain to end. */
#define wait_event_uninterruptible(wq, cond)                                                       \
    do {                                                                                           \
        struct waiter we_ = {.task = current};                                                     \
        waitq_add((wq), &we_);                                                                     \
        while (!(cond))                                                                            \
            machine_park(U64_MAX);                                                                 \
        waitq_remove((wq), &we_);                                                                  \
    } while (0)

/* ---- timers: ktimer.c ---- */

/*
 * A timer, embedded in its owner; the timer lock guards it. func runs once per start, in no task
 * (current is meaningless), with no lock held; it must not sleep.
 */
struct ktimer {
    u64 expires; /* monotonic ns */
    void (*func)(struct ktimer *t);
    struct ktimer *child, *next, *prev; /* pairing heap; prev: left sibling, or parent of the first */
    bool armed;
};

void ktimer_init(struct ktimer *t, void (*func)(struct ktimer *t));
void ktimer_start(struct ktimer *t, u64 expires); /* (re)arm */
/*
 * Disarm; when it returns, func is not running and will not run. True when it was armed. The
 * caller must hold no lock that func takes.
 */
bool ktimer_cancel(struct ktimer *t);
/* When an armed timer expires; U64_MAX when it is not armed. */
u64 ktimer_expires(struct ktimer *t);
/* Called by the machine with no lock held: run what has expired, return the next deadline (U64_MAX: none). */
u64 ktimers_run(u64 now);

/* ---- clocks: time.c ---- */

u64 clock_monotonic(void); /* ns, as the application sees CLOCK_MONOTONIC */
u64 clock_realtime(void);  /* ns since the epoch */
/* Monotonic deadline `ns` from now; U64_MAX when it is too far away to ever come. */
u64 deadline_after(u64 ns);
/* When the monotonic clock says what CLOCK_REALTIME = ns means now. */
u64 realtime_to_monotonic(u64 ns);
/* A struct timespec of the user as ns, saturating; -EFAULT, or -EINVAL when it is none. */
int timespec_from_user(uva_t from, u64 *ns);
int timespec_to_user(uva_t to, u64 ns); /* -EFAULT */
struct __kernel_timespec;
int timespec_to_ns(const struct __kernel_timespec *ts, u64 *ns); /* -EINVAL */
