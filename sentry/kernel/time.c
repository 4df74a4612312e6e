// SPDX-License-Identifier: Apache-2.0
/*
 * Clocks and sleeping. CLOCK_MONOTONIC is the machine's clock; CLOCK_REALTIME is that plus an
 * offset that comes from the host and is looked at again now and then, so that a long-lived
 * sandbox follows the host's clock. The vDSO gets the same numbers.
 */
#include <linux/time.h>
#include <linux/timex.h>
#include "sentry/kernel/internal.h"
#include "sentry/mm/mm.h"
#include "sentry/syscall/syscall.h"

#define RESYNC_INTERVAL (60 * NSEC_PER_SEC)
#define COARSE_RES      (4 * 1000 * 1000ull)
#define NSEC_MAX        (s64)0x7fffffffffffffffll

/* realtime - monotonic, ns; written by whoever resyncs, atomic. */
static u64 realtime_offset;
static u64 resync_at; /* monotonic; atomic */

static void resync(void)
{
    struct hostcall hc = {.nr = HC_CLOCK};
    u64 before = machine_clock_mono(), after;

    __atomic_store_n(&resync_at, before + RESYNC_INTERVAL, __ATOMIC_RELAXED);
    if (host_call(&hc) < 0) {
        log_warn("the host does not tell the time");
        return;
    }
    after = machine_clock_mono();
    __atomic_store_n(&realtime_offset, hc.out[1] - (before + (after - before) / 2),
                     __ATOMIC_RELAXED);
    vdso_set_realtime(__atomic_load_n(&realtime_offset, __ATOMIC_RELAXED),
                      before + RESYNC_INTERVAL);
}

void time_init(void)
{
    resync();
}

u64 clock_monotonic(void)
{
    return machine_clock_mono();
}

u64 clock_realtime(void)
{
    u64 now = machine_clock_mono();

    if (unlikely(now >= __atomic_load_n(&resync_at, __ATOMIC_RELAXED)))
        resync();
    return now + __atomic_load_n(&realtime_offset, __ATOMIC_RELAXED);
}

u64 realtime_to_monotonic(u64 ns)
{
    u64 offset = clock_realtime() - clock_monotonic();

    return ns > offset ? ns - offset : 0;
}

u64 deadline_after(u64 ns)
{
    u64 now = machine_clock_mono();

    return ns > NSEC_MAX - now ? U64_MAX : now + ns;
}

/* ---- user structures ---- */

int timespec_to_ns(const struct __kernel_timespec *ts, u64 *ns)
{
    if (ts->tv_sec < 0 || (u64)ts->tv_nsec >= NSEC_PER_SEC)
        return -EINVAL;
    if (ts->tv_sec >= NSEC_MAX / (s64)NSEC_PER_SEC)
        *ns = NSEC_MAX;
    else
        *ns = (u64)ts->tv_sec * NSEC_PER_SEC + (u64)ts->tv_nsec;
    return 0;
}

int timespec_from_user(uva_t from, u64 *ns)
{
    struct __kernel_timespec ts;

    if (copy_from_user(&ts, from, sizeof(ts)))
        return -EFAULT;
    return timespec_to_ns(&ts, ns);
}

int timespec_to_user(uva_t to, u64 ns)
{
    struct __kernel_timespec ts = {
        .tv_sec = (s64)(ns / NSEC_PER_SEC),
        .tv_nsec = (s64)(ns % NSEC_PER_SEC),
    };

    return copy_to_user(to, &ts, sizeof(ts));
}

/* ---- reading clocks ---- */

/* The clock of another process or thread: the number encodes ~pid << 3, thread bit, kind. */
static int cpu_clock_read(int id, u64 *ns)
{
    int pid = ~(id >> 3);
    struct task *t = pid ? task_find_get(pid) : NULL;
    u64 utime, stime;
    int kind = id & 3;

    if (kind == 3 || pid < 0 || (pid && !t))
        return -EINVAL;
    if (id & 4) {
        if (t && t->process != current->process) {
            task_put(t);
            return -EINVAL;
        }
        if (!t || t == current)
            account_kernel(current);
        utime = task_utime(t ? t : current);
        stime = task_stime(t ? t : current);
    } else {
        process_times(t ? t->process : current->process, &utime, &stime);
    }
    if (t)
        task_put(t);
    *ns = kind == 1 ? utime : utime + stime;
    return 0;
}

/* Any clock that clock_gettime(2) knows. 0 or -EINVAL. */
int clock_read(int id, u64 *ns)
{
    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
        *ns = clock_realtime();
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        *ns = clock_monotonic();
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
        return cpu_clock_read(~0u << 3 | 2, ns);
    case CLOCK_THREAD_CPUTIME_ID:
        return cpu_clock_read((int)(~0u << 3) | 4 | 2, ns);
    }
    return id < 0 ? cpu_clock_read(id, ns) : -EINVAL;
}

SYSCALL2(clock_gettime, int, id, uva_t, to)
{
    u64 ns;
    int err = clock_read(id, &ns);

    return err ? err : timespec_to_user(to, ns);
}

SYSCALL2(clock_getres, int, id, uva_t, to)
{
    bool coarse = id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC_COARSE;
    u64 ns;
    int err = clock_read(id, &ns);

    if (err || !to)
        return err;
    return timespec_to_user(to, coarse ? COARSE_RES : 1);
}

SYSCALL2(gettimeofday, uva_t, tv, uva_t, tz)
{
    u64 now = clock_realtime();
    struct __kernel_old_timeval v = {
        .tv_sec = (s64)(now / NSEC_PER_SEC),
        .tv_usec = (s64)(now % NSEC_PER_SEC / 1000),
    };

    if (tv && copy_to_user(tv, &v, sizeof(v)))
        return -EFAULT;
    if (tz && clear_user(tz, 8))
        return -EFAULT;
    return 0;
}

SYSCALL1(time, uva_t, to)
{
    s64 now = (s64)(clock_realtime() / NSEC_PER_SEC);

    if (to && put_user(now, to))
        return -EFAULT;
    return now;
}

SYSCALL1(times, uva_t, to)
{
    struct process *p = current->process;
    u64 utime, stime;
    s64 t[4];

    if (to) {
        process_times(p, &utime, &stime);
        t[0] = (s64)(utime / TICK_NS);
        t[1] = (s64)(stime / TICK_NS);
        t[2] = (s64)(p->cutime / TICK_NS);
        t[3] = (s64)(p->cstime / TICK_NS);
        if (copy_to_user(to, t, sizeof(t)))
            return -EFAULT;
    }
    return (s64)(clock_monotonic() / TICK_NS);
}

/* ---- the clock cannot be changed, only looked at ---- */

static s64 adjust_clock(uva_t uts)
{
    struct __kernel_timex ts;
    u64 now;

    if (copy_from_user(&ts, uts, sizeof(ts)))
        return -EFAULT;
    if (ts.modes)
        return -EPERM;
    memset(&ts, 0, sizeof(ts));
    now = clock_realtime();
    ts.status = STA_UNSYNC;
    ts.tick = TICK_NS / 1000;
    ts.precision = 1;
    ts.tolerance = 500 << 16;
    ts.maxerror = ts.esterror = 16000000;
    ts.time.tv_sec = (s64)(now / NSEC_PER_SEC);
    ts.time.tv_usec = (s64)(now % NSEC_PER_SEC / 1000);
    if (copy_to_user(uts, &ts, sizeof(ts)))
        return -EFAULT;
    return TIME_ERROR;
}

SYSCALL1(adjtimex, uva_t, ts)
{
    return adjust_clock(ts);
}

SYSCALL2(clock_adjtime, int, id, uva_t, ts)
{
    if (id != CLOCK_REALTIME)
        return -EINVAL;
    return adjust_clock(ts);
}

/* ---- sleeping ---- */

/* 0 at the deadline, -EINTR on a signal. */
static int sleep_until(u64 deadline)
{
    int err = 0;

    current->state = TASK_SLEEPING;
    while (machine_clock_mono() < deadline) {
        if (signal_pending(current)) {
            err = -EINTR;
            break;
        }
        machine_park(deadline);
    }
    current->state = TASK_RUNNING;
    return err;
}

static s64 sleep_relative(u64 deadline, uva_t rem);

static long sleep_restart(struct restart_block *rb)
{
    return sleep_relative(rb->deadline, rb->addr);
}

/* The remaining time goes to rem when a signal comes. */
static s64 sleep_relative(u64 deadline, uva_t rem)
{
    struct restart_block *rb = &current->restart;
    u64 now;

    if (!sleep_until(deadline))
        return 0;
    now = machine_clock_mono();
    if (rem && timespec_to_user(rem, deadline > now ? deadline - now : 0))
        return -EFAULT;
    *rb = (struct restart_block){.fn = sleep_restart, .deadline = deadline, .addr = rem};
    return -ERESTART_RESTARTBLOCK;
}

SYSCALL2(nanosleep, uva_t, req, uva_t, rem)
{
    u64 ns;
    int err = timespec_from_user(req, &ns);

    return err ? err : sleep_relative(deadline_after(ns), rem);
}

/* A clock that counts CPU time moves only while the process runs: sleep and look again. */
static s64 sleep_cpu_clock(int id, u64 until)
{
    u64 now;

    for (;;) {
        int err = clock_read(id, &now);

        if (err)
            return err;
        if (now >= until)
            return 0;
        if (sleep_until(deadline_after(MAX((until - now) / machine_ncpus, NSEC_PER_SEC / 1000))))
            return -ERESTARTNOHAND;
    }
}

SYSCALL4(clock_nanosleep, int, id, int, flags, uva_t, req, uva_t, rem)
{
    bool absolute = flags & TIMER_ABSTIME;
    u64 ns = 0, now;
    int err = timespec_from_user(req, &ns);

    if (id == CLOCK_THREAD_CPUTIME_ID)
        return -EINVAL;
    if (id == CLOCK_MONOTONIC_RAW || id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC_COARSE)
        return -EOPNOTSUPP;
    if (clock_read(id, &now))
        return -EINVAL;
    if (err)
        return err;
    if (id == CLOCK_PROCESS_CPUTIME_ID || id < 0)
        return sleep_cpu_clock(id, absolute ? ns : now + ns);
    if (!absolute)
        return sleep_relative(deadline_after(ns), rem);
    if (id == CLOCK_REALTIME || id == CLOCK_TAI || id == CLOCK_REALTIME_ALARM)
        ns = realtime_to_monotonic(ns);
    return sleep_until(ns) ? -ERESTARTNOHAND : 0;
}
