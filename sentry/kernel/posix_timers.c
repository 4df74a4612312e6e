// SPDX-License-Identifier: Apache-2.0
/*
 * POSIX per-process timers: timer_create and its family. A timer owns the queue entry of its
 * signal; while that waits to be taken, further expirations only count as overruns, and a
 * periodic timer is started again when the signal is taken.
 */
#include <linux/time.h>
#include "sentry/kernel/internal.h"
#include "sentry/mm/mm.h"
#include "sentry/syscall/syscall.h"

#define TIMERS_MAX    10000
#define IGNORED_REARM (NSEC_PER_SEC / 250) /* pace of a periodic timer whose signal is ignored */
#define OVERRUN_MAX   0x7fffffff

/* sighand->lock of its process guards it, except `refs`. */
struct posix_timer {
    refcount_t refs;         /* the process' list, and whoever works with it */
    struct list link;        /* process->posix_timers */
    struct process *process; /* held by the running process itself */
    struct task *task;       /* SIGEV_THREAD_ID: held; else NULL */
    int id, clock, notify;
    bool deleted;
    u64 interval; /* ns */
    u64 expires;  /* monotonic ns */
    u64 overrun;  /* since the signal was queued */
    int last_overrun;
    struct ktimer ktimer;
    struct sigqueue entry;
};

static void timer_put(struct posix_timer *t)
{
    if (!ref_put(&t->refs))
        return;
    if (t->task)
        task_put(t->task);
    kfree(t);
}

/* With a reference, or NULL. */
static struct posix_timer *timer_get(struct process *p, int id)
{
    struct posix_timer *t, *found = NULL;
    struct sighand *s = process_lock(p);

    list_for_each (t, &p->posix_timers, link) {
        if (t->id == id) {
            ref_get(&t->refs);
            found = t;
            break;
        }
    }
    sighand_unlock(s);
    return found;
}

/* The first expiration after now; how many were skipped. */
static u64 forward(struct posix_timer *t, u64 now)
{
    u64 n;

    if (now < t->expires)
        return 0;
    n = (now - t->expires) / t->interval + 1;
    t->expires += n * t->interval;
    return n;
}

static void expired(struct ktimer *kt)
{
    struct posix_timer *t = container_of(kt, struct posix_timer, ktimer);
    struct sighand *s = process_lock(t->process);
    enum timer_signal sent = TIMER_QUEUED;

    if (t->deleted)
        goto out;
    if (t->notify != SIGEV_NONE) {
        t->overrun = 0;
        sent = signal_queue_timer(t->process, t->task, &t->entry);
    }
    if (!t->interval)
        goto out;
    if (sent == TIMER_IGNORED || t->notify == SIGEV_NONE) {
        u64 now = machine_clock_mono();

        forward(t, now);
        ktimer_start(&t->ktimer, MAX(t->expires, now + IGNORED_REARM));
    }
out:
    sighand_unlock(s);
}

/* current took its signal: count what was missed meanwhile, go on. */
void posix_timer_signal_taken(int id)
{
    struct posix_timer *t = timer_get(current->process, id);
    struct sighand *s;

    if (!t)
        return;
    s = process_lock(t->process);
    if (!t->deleted && t->interval && ktimer_expires(&t->ktimer) == U64_MAX && t->expires) {
        u64 missed = forward(t, machine_clock_mono());

        t->last_overrun = (int)MIN(missed ? missed - 1 : 0, (u64)OVERRUN_MAX);
        ktimer_start(&t->ktimer, t->expires);
    } else {
        t->last_overrun = 0;
    }
    sighand_unlock(s);
    timer_put(t);
}

/* ---- making and unmaking ---- */

static bool valid_clock(int id)
{
    return id == CLOCK_REALTIME || id == CLOCK_MONOTONIC || id == CLOCK_BOOTTIME || id == CLOCK_TAI;
}

static int check_event(const struct sigevent *ev, struct task **target)
{
    *target = NULL;
    switch (ev->sigev_notify) {
    case SIGEV_NONE:
        return 0;
    case SIGEV_SIGNAL | SIGEV_THREAD_ID:
        *target = task_find_get(ev->sigev_notify_thread_id);
        if (!*target || (*target)->process != current->process)
            return -EINVAL;
        break;
    case SIGEV_SIGNAL:
    case SIGEV_THREAD:
        break;
    default:
        return -EINVAL;
    }
    return ev->sigev_signo < 1 || ev->sigev_signo > NSIGNALS ? -EINVAL : 0;
}

static struct posix_timer *timer_new(int clock, const struct sigevent *ev, struct task *target)
{
    struct posix_timer *t = kzalloc(sizeof(*t));

    if (!t)
        return NULL;
    ref_init(&t->refs, 1);
    list_init(&t->link);
    t->process = current->process;
    t->clock = clock;
    t->task = target;
    t->notify = ev->sigev_notify;
    ktimer_init(&t->ktimer, expired);
    list_init(&t->entry.link);
    t->entry.embedded = true;
    t->entry.info.si_signo = ev->sigev_signo;
    t->entry.info.si_code = SI_TIMER;
    t->entry.info.si_value = ev->sigev_value;
    return t;
}

static int timer_publish(struct posix_timer *t, bool default_event)
{
    struct process *p = t->process;
    struct sighand *s = process_lock(p);
    struct posix_timer *other;
    int n = 0;

    list_for_each (other, &p->posix_timers, link)
        n++;
    if (n >= TIMERS_MAX) {
        sighand_unlock(s);
        return -EAGAIN;
    }
    t->id = p->next_timer_id++;
    t->entry.info.si_tid = t->id;
    if (default_event)
        t->entry.info.si_value.sival_int = t->id;
    list_add_tail(&p->posix_timers, &t->link);
    sighand_unlock(s);
    return 0;
}

static void timer_delete(struct posix_timer *t)
{
    struct sighand *s = process_lock(t->process);
    bool mine = !t->deleted;

    t->deleted = true;
    list_del(&t->link);
    signal_unqueue_timer(t->process, t->task, &t->entry);
    sighand_unlock(s);
    ktimer_cancel(&t->ktimer);
    if (mine)
        timer_put(t); /* the list's */
}

void posix_timers_delete(struct process *p)
{
    for (;;) {
        struct posix_timer *t = NULL;
        struct sighand *s = process_lock(p);

        if (!list_empty(&p->posix_timers)) {
            t = list_first(&p->posix_timers, struct posix_timer, link);
            ref_get(&t->refs);
        }
        sighand_unlock(s);
        if (!t)
            return;
        timer_delete(t);
        timer_put(t);
    }
}

SYSCALL3(timer_create, int, clock, uva_t, uevent, uva_t, uid)
{
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    struct task *target;
    struct posix_timer *t;
    int err;

    if (!valid_clock(clock))
        return clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID ? -EOPNOTSUPP
                                                                                     : -EINVAL;
    if (uevent && copy_from_user(&ev, uevent, sizeof(ev)))
        return -EFAULT;
    err = check_event(&ev, &target);
    t = err ? NULL : timer_new(clock, &ev, target);
    if (!t) {
        if (target)
            task_put(target);
        return err ? err : -EAGAIN;
    }
    err = timer_publish(t, !uevent);
    if (err) {
        timer_put(t);
        return err;
    }
    if (put_user(t->id, uid)) {
        timer_delete(t);
        return -EFAULT;
    }
    return 0;
}

SYSCALL1(timer_delete, int, id)
{
    struct posix_timer *t = timer_get(current->process, id);

    if (!t)
        return -EINVAL;
    timer_delete(t);
    timer_put(t);
    return 0;
}

/* ---- setting and reading ---- */

static void read_locked(struct posix_timer *t, u64 *left, u64 *interval)
{
    u64 now = machine_clock_mono();

    *interval = t->interval;
    *left = 0;
    if (!t->expires)
        return;
    /* A periodic one whose signal waits to be taken will expire at its next period. */
    if (t->interval && t->expires <= now)
        *left = t->interval - (now - t->expires) % t->interval;
    else if (t->expires > now || ktimer_expires(&t->ktimer) != U64_MAX)
        *left = t->expires > now ? t->expires - now : 1;
}

static s64 put_itimerspec(uva_t to, u64 left, u64 interval)
{
    if (timespec_to_user(to, interval) ||
        timespec_to_user(to + sizeof(struct __kernel_timespec), left))
        return -EFAULT;
    return 0;
}

SYSCALL2(timer_gettime, int, id, uva_t, to)
{
    struct posix_timer *t = timer_get(current->process, id);
    struct sighand *s;
    u64 left, interval;

    if (!t)
        return -EINVAL;
    s = process_lock(t->process);
    read_locked(t, &left, &interval);
    sighand_unlock(s);
    timer_put(t);
    return put_itimerspec(to, left, interval);
}

static void timer_arm(struct posix_timer *t, u64 value, u64 interval, bool absolute, u64 *old_left,
                      u64 *old_interval)
{
    struct sighand *s = process_lock(t->process);

    read_locked(t, old_left, old_interval);
    t->expires = 0;
    t->interval = 0;
    signal_unqueue_timer(t->process, t->task, &t->entry);
    sighand_unlock(s);
    ktimer_cancel(&t->ktimer);
    if (!value)
        return;
    if (absolute && (t->clock == CLOCK_REALTIME || t->clock == CLOCK_TAI))
        value = MAX(realtime_to_monotonic(value), 1ull);
    s = process_lock(t->process);
    t->interval = interval;
    t->expires = absolute ? value : deadline_after(value);
    t->last_overrun = 0;
    if (!t->deleted)
        ktimer_start(&t->ktimer, t->expires);
    sighand_unlock(s);
}

SYSCALL4(timer_settime, int, id, int, flags, uva_t, new, uva_t, old)
{
    u64 value, interval, left, old_interval;
    struct posix_timer *t;
    int err = timespec_from_user(new, &interval);

    if (!err)
        err = timespec_from_user(new + sizeof(struct __kernel_timespec), &value);
    if (err)
        return err;
    t = timer_get(current->process, id);
    if (!t)
        return -EINVAL;
    timer_arm(t, value, interval, flags & TIMER_ABSTIME, &left, &old_interval);
    timer_put(t);
    return old ? put_itimerspec(old, left, old_interval) : 0;
}

SYSCALL1(timer_getoverrun, int, id)
{
    struct posix_timer *t = timer_get(current->process, id);
    s64 n;

    if (!t)
        return -EINVAL;
    n = t->last_overrun;
    timer_put(t);
    return n;
}
