// SPDX-License-Identifier: Apache-2.0
/*
 * Placement. Handing a stop from a stub to its tracer is many times cheaper on one CPU than across
 * two, so a task's host thread and its stub are bound to the same CPU, and it is on us to spread
 * tasks: a child starts where its parent is, a thread where there is room, and a task on a crowded
 * CPU moves to an idle one when that lasts. Tasks that come by here move themselves; for those that
 * compute, the timer thread looks.
 */
#include "sentry/machine/ptrace/internal.h"

#include "vmm/abi/bootinfo.h"

#define MAX_HOST_CPUS 1024
#define LOOK_US       250       /* how often to look whether a crowd lasts */
#define PATIENCE_NS   500000ULL /* CPU time used in a crowd without sleeping: move */
#define STAY_US       100000    /* and are not called back to a waker's CPU for so long */
#define PULL_WAKES    4         /* woken by the same task so often in a row: go where it is */
#define TICK_NS       2000000ULL

unsigned machine_ncpus = 1;

/* How many tasks want this CPU; atomic. */
static struct {
    _Alignas(64) u32 load;
    u32 host; /* number of the host's CPU */
} cpus[MAX_CPUS];

static struct spinlock lock = SPINLOCK_INIT;
static struct list tasks = LIST_INIT(tasks); /* of mthread.all_link; lock */
static u64 stats_of_dead[STAT_COUNT];        /* lock */
static u64 next_tick = U64_MAX;              /* atomic */

void balance_init(unsigned want_cpus)
{
    u8 mask[MAX_HOST_CPUS / 8] = {0};
    unsigned n = 0;

    HOST_SYSCALL(__NR_sched_getaffinity, 0, sizeof(mask), mask);
    for (u32 i = 0; i < MAX_HOST_CPUS && n < MAX_CPUS; i++)
        if (mask[i / 8] >> (i % 8) & 1)
            cpus[n++].host = i;
    if (want_cpus && want_cpus < n)
        n = want_cpus;
    machine_ncpus = n ? n : 1;
}

unsigned cpu_id(void)
{
    return current && current->mthread.cpu >= 0 ? (unsigned)current->mthread.cpu : 0;
}

static u32 load_of(unsigned cpu)
{
    return __atomic_load_n(&cpus[cpu].load, __ATOMIC_RELAXED);
}

static bool allowed(const struct task *t, unsigned cpu)
{
    return t->cpus_allowed >> cpu & 1;
}

/* The least loaded CPU that t may use. */
static int best_cpu(const struct task *t)
{
    int best = -1;

    for (unsigned i = 0; i < machine_ncpus; i++)
        if (allowed(t, i) && (best < 0 || load_of(i) < load_of((unsigned)best)))
            best = (int)i;
    return best < 0 ? 0 : best;
}

/* Is there a CPU with at least two fewer than `cpu` has? */
static bool unfair(unsigned cpu)
{
    u32 mine = load_of(cpu);

    if (mine < 2)
        return false;
    for (unsigned i = 0; i < machine_ncpus; i++)
        if (load_of(i) + 2 <= mine)
            return true;
    return false;
}

static void bind(int tid, unsigned cpu)
{
    u8 mask[MAX_HOST_CPUS / 8] = {0};

    mask[cpus[cpu].host / 8] = (u8)(1 << cpus[cpu].host % 8);
    HOST_SYSCALL(__NR_sched_setaffinity, tid, sizeof(mask), mask);
}

static void unbind(int tid)
{
    u8 mask[MAX_HOST_CPUS / 8] = {0};

    for (unsigned i = 0; i < machine_ncpus; i++)
        mask[cpus[i].host / 8] |= (u8)(1 << cpus[i].host % 8);
    HOST_SYSCALL(__NR_sched_setaffinity, tid, sizeof(mask), mask);
}

static void load_add(unsigned cpu)
{
    u64 never = U64_MAX;

    if (__atomic_add_fetch(&cpus[cpu].load, 1, __ATOMIC_RELAXED) < 2 || !unfair(cpu))
        return;
    /* Somebody may compute there without ever coming by: have the timer thread look. */
    if (__atomic_compare_exchange_n(&next_tick, &never, machine_clock_mono() + TICK_NS, false,
                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        timer_wake();
}

void balance_run(struct mthread *mt)
{
    mt->load_cpu = mt->cpu;
    if (mt->runnable)
        load_add((unsigned)mt->load_cpu);
}

void balance_sleep(struct mthread *mt)
{
    mt->crowded_since = 0; /* of two tasks that talk to each other one always sleeps soon */
    if (mt->runnable)
        __atomic_sub_fetch(&cpus[mt->load_cpu].load, 1, __ATOMIC_RELAXED);
}

/* current moves. */
static void move(struct mthread *mt, unsigned cpu)
{
    if ((unsigned)mt->cpu == cpu)
        return;
    balance_sleep(mt);
    mt->stats[STAT_MOVES]++;
    mt->cpu = (int)cpu;
    bind(0, cpu);
    if (mt->stub)
        bind(mt->stub, cpu);
    balance_run(mt);
}

static u64 tsc_of_us(u64 us)
{
    return us * machine_tsc_khz / 1000;
}

/*
 * A task that always the same other task wakes, from another CPU: put it next to that one, where
 * the waking costs little. If both then compute, the crowd sends it away again, for a while.
 */
void balance_wake(struct task *t)
{
    struct mthread *mt = &t->mthread, *me = current ? &current->mthread : NULL;

    if (!me || !me->runnable || !mt->runnable || mt->cpu == me->cpu)
        return;
    if (mt->waker != current) {
        mt->waker = current;
        mt->wakes = 0;
    }
    if (++mt->wakes < PULL_WAKES || load_of((unsigned)me->cpu) > 1 || rdtsc() < mt->stay_until ||
        !allowed(t, (unsigned)me->cpu))
        return;
    mt->wakes = 0;
    mt->cpu = me->cpu;
    bind(mt->host_tid, (unsigned)me->cpu);
    if (mt->stub)
        bind(mt->stub, (unsigned)me->cpu);
}

/* Of a new process the parent mostly waits for the end; a new thread is to run beside the others.
 */
int balance_place(const struct task *t)
{
    if (!current || !current->mthread.runnable || t->process == current->process)
        return -1;
    return current->mthread.cpu;
}

void balance_add(struct task *t)
{
    struct mthread *mt = &t->mthread;

    /* threads of the Sentry have no stub to stay close to */
    if (!t->mm) {
        unbind(0);
        return;
    }
    if (mt->cpu < 0 || !allowed(t, (unsigned)mt->cpu))
        mt->cpu = best_cpu(t);
    bind(0, (unsigned)mt->cpu);
    mt->runnable = true;
    balance_run(mt);
    spin_lock(&lock);
    list_add(&tasks, &mt->all_link);
    spin_unlock(&lock);
}

void balance_remove(struct task *t)
{
    struct mthread *mt = &t->mthread;

    if (!mt->runnable)
        return;
    balance_sleep(mt);
    mt->runnable = false;
    spin_lock(&lock);
    list_del(&mt->all_link);
    for (int i = 0; i < STAT_COUNT; i++)
        stats_of_dead[i] += mt->stats[i];
    spin_unlock(&lock);
}

void balance_bind(struct mthread *mt)
{
    if (!mt->runnable) { /* its first address space */
        balance_add(container_of(mt, struct task, mthread));
    }
    bind(mt->stub, (unsigned)mt->cpu);
}

/* Of current's host thread and stub: in wall time a crowd on the host would count as ours. */
static u64 cpu_time(const struct mthread *mt)
{
    const int own = 3 /* CLOCK_THREAD_CPUTIME_ID */, other = ~mt->stub * 8 + 2;
    struct host_timespec a = {0}, b = {0};

    HOST_SYSCALL(__NR_clock_gettime, own, &a);
    HOST_SYSCALL(__NR_clock_gettime, other, &b);
    return (u64)(a.sec + b.sec) * NSEC_PER_SEC + (u64)(a.nsec + b.nsec);
}

/* Whether current has been in a crowd for so long that it had better go. */
static bool crowd_lasts(struct mthread *mt)
{
    u64 now = rdtsc(), used;

    if (!mt->crowded_since) {
        mt->crowded_since = now;
        mt->crowded_cpu = 0;
        return false;
    }
    if (now - mt->crowded_since < tsc_of_us(LOOK_US))
        return false;
    mt->crowded_since = now;
    used = cpu_time(mt);
    if (!mt->crowded_cpu)
        mt->crowded_cpu = used;
    return used - mt->crowded_cpu > PATIENCE_NS;
}

bool balance_crowded(const struct mthread *mt)
{
    return mt->move_to || load_of((unsigned)mt->cpu) > 1 || mt->crowded_since;
}

void balance_check(struct mthread *mt)
{
    u32 to = __atomic_exchange_n(&mt->move_to, 0, __ATOMIC_SEQ_CST);

    if (to) {
        mt->crowded_since = 0;
        move(mt, to - 1);
        return;
    }
    if (!unfair((unsigned)mt->cpu)) {
        mt->crowded_since = 0;
        return;
    }
    if (crowd_lasts(mt)) {
        mt->crowded_since = 0;
        mt->stay_until = rdtsc() + tsc_of_us(STAY_US);
        move(mt, (unsigned)best_cpu(current));
    }
}

void machine_affinity_changed(struct task *t)
{
    struct mthread *mt = &t->mthread;

    if (!mt->runnable || allowed(t, (unsigned)mt->cpu))
        return;
    __atomic_store_n(&mt->move_to, (u32)best_cpu(t) + 1, __ATOMIC_SEQ_CST);
    if (t == current)
        balance_check(mt);
    else
        machine_kick(t);
}

u64 balance_deadline(void)
{
    return __atomic_load_n(&next_tick, __ATOMIC_SEQ_CST);
}

/* Has it been computing since the last tick? */
static bool hogs(struct mthread *mt)
{
    u32 entries = __atomic_load_n(&mt->entries, __ATOMIC_RELAXED);
    bool same = entries == mt->entries_seen;

    mt->entries_seen = entries;
    return same && __atomic_load_n(&mt->in_user, __ATOMIC_RELAXED);
}

/* Tell one task on each unfairly crowded CPU to go to a better one. */
void balance_tick(void)
{
    struct mthread *mt;
    u64 told = 0;
    bool again = false;

    spin_lock(&lock);
    list_for_each (mt, &tasks, all_link) {
        struct task *t = container_of(mt, struct task, mthread);
        unsigned cpu = (unsigned)mt->cpu;

        if (told >> cpu & 1 || !unfair(cpu))
            continue;
        again = true;
        if (!hogs(mt) || best_cpu(t) == (int)cpu)
            continue;
        told |= 1ULL << cpu;
        __atomic_store_n(&mt->move_to, (u32)best_cpu(t) + 1, __ATOMIC_SEQ_CST);
        HOST_SYSCALL(__NR_tgkill, mt->stub, mt->stub, STUB_KICK);
    }
    spin_unlock(&lock);
    __atomic_store_n(&next_tick, again ? machine_clock_mono() + TICK_NS : U64_MAX,
                     __ATOMIC_SEQ_CST);
}

void balance_log_stats(void)
{
    u64 n[STAT_COUNT];
    struct mthread *mt;

    spin_lock(&lock);
    memcpy(n, stats_of_dead, sizeof(n));
    list_for_each (mt, &tasks, all_link)
        for (int i = 0; i < STAT_COUNT; i++)
            n[i] += mt->stats[i];
    spin_unlock(&lock);
    log_info("stubs: syscalls=%lu faults=%lu refills=%lu others=%lu calls=%lu pages=%lu moves=%lu",
             n[STAT_SYSCALLS], n[STAT_FAULTS], n[STAT_REFILLS], n[STAT_OTHERS], n[STAT_CALLS],
             n[STAT_PAGES], n[STAT_MOVES]);
}
