// SPDX-License-Identifier: Apache-2.0
/*
 * Interval timers of a process: ITIMER_REAL on a ktimer, ITIMER_VIRTUAL and ITIMER_PROF and
 * RLIMIT_CPU on the CPU time that the process has used. For the latter a ktimer fires no later
 * than the CPU time can be used up and makes every thread come out of user mode and look.
 */
#include <linux/time.h>
#include "sentry/kernel/internal.h"
#include "sentry/syscall/syscall.h"

/* How coarse CPU-time limits are looked at. */
#define CPU_TICK_MIN (NSEC_PER_SEC / 1000)

/* ---- ITIMER_REAL ---- */

/* It goes on when its signal is taken (or at once, if that is the only way to make progress). */
static void real_expired(struct ktimer *kt)
{
    struct process *p = container_of(kt, struct process, real_timer);

    signal_send_process(p, SIGALRM, NULL);
}

void itimer_signal_taken(struct process *p)
{
    u64 now = machine_clock_mono(), next;

    if (!p->real_interval || ktimer_expires(&p->real_timer) != U64_MAX)
        return;
    next = p->real_timer.expires + p->real_interval;
    if (next <= now)
        next += (now - next) / p->real_interval * p->real_interval + p->real_interval;
    ktimer_start(&p->real_timer, next);
}

/* ---- CPU time ---- */

static u64 cpu_used(struct process *p, bool with_system)
{
    u64 utime, stime;

    process_times_locked(p, &utime, &stime);
    return with_system ? utime + stime : utime;
}

/* When the first of the CPU timers would expire, as CPU time still to be used; U64_MAX: never. */
static u64 cpu_left(struct process *p)
{
    u64 user = cpu_used(p, false), all = cpu_used(p, true), left = U64_MAX;
    u64 limit = p->rlimits[RLIMIT_CPU].cur;

    if (p->virt_timer.expires)
        left = MIN(left, p->virt_timer.expires > user ? p->virt_timer.expires - user : 0);
    if (p->prof_timer.expires)
        left = MIN(left, p->prof_timer.expires > all ? p->prof_timer.expires - all : 0);
    if (limit < U64_MAX / NSEC_PER_SEC)
        left = MIN(left, limit * NSEC_PER_SEC > all ? limit * NSEC_PER_SEC - all : 0);
    return left;
}

/* Arm the tick for what is left. Tasklist lock and sighand->lock held. */
static void cpu_tick_arm(struct process *p)
{
    u64 left = cpu_left(p);
    unsigned parallel = MAX(MIN(p->nthreads, machine_ncpus), 1u);

    if (left != U64_MAX && p->nthreads)
        ktimer_start(&p->cpu_tick, deadline_after(MAX(left / parallel, CPU_TICK_MIN)));
}

static void cpu_tick(struct ktimer *kt)
{
    struct process *p = container_of(kt, struct process, cpu_tick);
    struct task *t;

    spin_lock(&tasklist_lock);
    list_for_each (t, &p->threads, thread_link) {
        if (t->state == TASK_ZOMBIE)
            continue;
        __atomic_or_fetch(&t->work, WORK_CPU_TIMER, __ATOMIC_ACQ_REL);
        machine_kick(t);
    }
    /* A process that sleeps uses no CPU time: do not look again before it has run. */
    spin_unlock(&tasklist_lock);
}

static void expire(struct process *p, struct cpu_timer *timer, u64 used, int sig)
{
    if (!timer->expires || timer->expires > used)
        return;
    if (timer->interval)
        timer->expires += ((used - timer->expires) / timer->interval + 1) * timer->interval;
    else
        timer->expires = 0;
    signal_queue_locked(p, NULL, sig, NULL);
}

static void check_cpu_limit(struct process *p, u64 used)
{
    struct rlimit64_ *l = &p->rlimits[RLIMIT_CPU];

    if (l->cur >= U64_MAX / NSEC_PER_SEC)
        return;
    if (used / NSEC_PER_SEC >= l->max) {
        signal_queue_locked(p, NULL, SIGKILL, NULL);
    } else if (used / NSEC_PER_SEC >= l->cur) {
        signal_queue_locked(p, NULL, SIGXCPU, NULL);
        l->cur++;
    }
}

void cpu_timers_check(void)
{
    struct process *p = current->process;
    struct sighand *s;

    account_kernel(current);
    spin_lock(&tasklist_lock);
    s = process_lock(p);
    expire(p, &p->virt_timer, cpu_used(p, false), SIGVTALRM);
    expire(p, &p->prof_timer, cpu_used(p, true), SIGPROF);
    check_cpu_limit(p, cpu_used(p, true));
    cpu_tick_arm(p);
    sighand_unlock(s);
    spin_unlock(&tasklist_lock);
}

void cpu_timers_start(struct process *p)
{
    struct sighand *s;

    spin_lock(&tasklist_lock);
    s = process_lock(p);
    cpu_tick_arm(p);
    sighand_unlock(s);
    spin_unlock(&tasklist_lock);
}

/* ---- the calls ---- */

void itimer_init(struct process *p)
{
    ktimer_init(&p->real_timer, real_expired);
    ktimer_init(&p->cpu_tick, cpu_tick);
}

void timers_exit(struct process *p)
{
    struct sighand *s = process_lock(p);

    p->real_interval = 0;
    p->virt_timer.expires = p->prof_timer.expires = 0;
    sighand_unlock(s);
    ktimer_cancel(&p->real_timer);
    ktimer_cancel(&p->cpu_tick);
    posix_timers_delete(p);
}

static u64 timeval_to_ns(const struct __kernel_old_timeval *tv)
{
    u64 max = U64_MAX / 4 / NSEC_PER_SEC;

    return MIN((u64)tv->tv_sec, max) * NSEC_PER_SEC + (u64)tv->tv_usec * 1000;
}

static struct __kernel_old_timeval ns_to_timeval(u64 ns)
{
    /* An armed timer never reads as zero. */
    if (ns && ns < 1000)
        ns = 1000;
    return (struct __kernel_old_timeval){.tv_sec = (s64)(ns / NSEC_PER_SEC),
                                         .tv_usec = (s64)(ns % NSEC_PER_SEC / 1000)};
}

static struct cpu_timer *cpu_timer_of(struct process *p, int which)
{
    return which == ITIMER_VIRTUAL ? &p->virt_timer : &p->prof_timer;
}

static void get_locked(struct process *p, int which, u64 *left, u64 *interval)
{
    u64 now, expires;

    if (which == ITIMER_REAL) {
        now = machine_clock_mono();
        expires = ktimer_expires(&p->real_timer);
        *interval = p->real_interval;
        *left = expires == U64_MAX ? 0 : expires > now ? expires - now : 1;
    } else {
        struct cpu_timer *t = cpu_timer_of(p, which);

        now = cpu_used(p, which == ITIMER_PROF);
        *interval = t->interval;
        *left = !t->expires ? 0 : t->expires > now ? t->expires - now : 1;
    }
}

static void set_locked(struct process *p, int which, u64 value, u64 interval)
{
    if (which == ITIMER_REAL) {
        p->real_interval = interval;
        if (value)
            ktimer_start(&p->real_timer, deadline_after(value));
        return;
    }
    *cpu_timer_of(p, which) = (struct cpu_timer){
        .expires = value ? cpu_used(p, which == ITIMER_PROF) + value : 0,
        .interval = interval,
    };
    cpu_tick_arm(p);
}

/* Old values into the pointers (may be NULL together); set: change too. */
static void itimer_change(int which, bool set, u64 value, u64 interval, u64 *old_left,
                          u64 *old_interval)
{
    struct process *p = current->process;
    struct sighand *s;

    account_kernel(current);
    spin_lock(&tasklist_lock);
    s = process_lock(p);
    get_locked(p, which, old_left, old_interval);
    sighand_unlock(s);
    spin_unlock(&tasklist_lock);
    if (!set)
        return;
    /* Its callback takes the lock. */
    if (which == ITIMER_REAL)
        ktimer_cancel(&p->real_timer);
    spin_lock(&tasklist_lock);
    s = process_lock(p);
    set_locked(p, which, value, interval);
    sighand_unlock(s);
    spin_unlock(&tasklist_lock);
}

static bool valid_timeval(const struct __kernel_old_timeval *tv)
{
    return tv->tv_sec >= 0 && tv->tv_usec >= 0 && tv->tv_usec < 1000000;
}

static s64 put_itimer(uva_t to, u64 left, u64 interval)
{
    struct __kernel_old_itimerval v = {.it_value = ns_to_timeval(left),
                                       .it_interval = ns_to_timeval(interval)};

    return copy_to_user(to, &v, sizeof(v));
}

SYSCALL2(getitimer, int, which, uva_t, to)
{
    u64 left, interval;

    if (which < ITIMER_REAL || which > ITIMER_PROF)
        return -EINVAL;
    itimer_change(which, false, 0, 0, &left, &interval);
    return put_itimer(to, left, interval);
}

SYSCALL3(setitimer, int, which, uva_t, new, uva_t, old)
{
    struct __kernel_old_itimerval v = {0};
    u64 left, interval;

    if (which < ITIMER_REAL || which > ITIMER_PROF)
        return -EINVAL;
    if (new &&copy_from_user(&v, new, sizeof(v)))
        return -EFAULT;
    if (!valid_timeval(&v.it_value) || !valid_timeval(&v.it_interval))
        return -EINVAL;
    itimer_change(which, true, timeval_to_ns(&v.it_value), timeval_to_ns(&v.it_interval), &left,
                  &interval);
    return old ? put_itimer(old, left, interval) : 0;
}

SYSCALL1(alarm, u32, seconds)
{
    u64 left, interval;

    itimer_change(ITIMER_REAL, true, seconds * NSEC_PER_SEC, 0, &left, &interval);
    /* Round to the nearest second, but never to "no alarm". */
    if (left && left < NSEC_PER_SEC)
        return 1;
    return (s64)((left + NSEC_PER_SEC / 2) / NSEC_PER_SEC);
}
