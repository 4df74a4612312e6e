// SPDX-License-Identifier: Apache-2.0
/*
 * Tasks as host threads: creation and end, parking, locks' slow paths, the timer thread.
 */
#include "sentry/machine/ptrace/host.h"
#include "sentry/machine/ptrace/internal.h"

__thread struct task *current_task;

/* ---- spinlock: a futex mutex (0 free, 1 held, 2 held with sleepers) ---- */

void spinlock_sleep(struct spinlock *l)
{
    while (__atomic_exchange_n(&l->word, 2, __ATOMIC_ACQUIRE) != 0)
        host_futex_wait(&l->word, 2, U64_MAX);
}

void spinlock_wake(struct spinlock *l)
{
    host_futex_wake(&l->word, 1);
}

/* ---- park ---- */

static bool take_token(struct mthread *mt)
{
    return __atomic_exchange_n(&mt->park, 0, __ATOMIC_SEQ_CST) == 1;
}

/* True when there was a token, else "sleeping" is written. */
static bool begin_sleep(struct mthread *mt)
{
    u32 none = 0;

    return !__atomic_compare_exchange_n(&mt->park, &none, 2, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST);
}

int machine_park(u64 deadline)
{
    struct mthread *mt = &current->mthread;
    long r;

    fpu_serve(mt);
    if (begin_sleep(mt)) {
        take_token(mt);
        return 0;
    }
    balance_sleep(mt);
    task_account(current, machine_clock_mono(), false);
    r = host_futex_wait(&mt->park, 2, deadline);
    current->acct_stamp = machine_clock_mono();
    balance_run(mt);
    if (take_token(mt))
        r = 0;
    fpu_serve(mt);
    return r == -ETIMEDOUT && machine_clock_mono() >= deadline ? -ETIMEDOUT : 0;
}

void machine_unpark(struct task *t)
{
    u32 *park = &t->mthread.park;

    if (__atomic_load_n(park, __ATOMIC_RELAXED) == 2)
        balance_wake(t);
    if (__atomic_exchange_n(park, 1, __ATOMIC_SEQ_CST) == 2)
        host_futex_wake(park, 1);
}

void machine_yield(void)
{
    HOST_SYSCALL(__NR_sched_yield);
}

/* ---- life ---- */

void thread_main(void *task)
{
    struct task *t = task;
    struct mthread *mt = &t->mthread;
    void *unwind[5];

    current_task = t;
    mt->host_tid = (int)HOST_SYSCALL(__NR_gettid);
    while (!__atomic_load_n(&mt->started, __ATOMIC_ACQUIRE))
        host_futex_wait(&mt->started, 0, U64_MAX);
    balance_add(t);
    mt->unwind = unwind;
    if (__builtin_setjmp(unwind) == 0)
        mt->entry(t);
    t = current_task;
    space_leave(&t->mthread);
    balance_remove(t);
    fpu_serve(&t->mthread);
    current_task = NULL;
    task_put(t);
}

int machine_thread_create(struct task *t, void (*entry)(struct task *t))
{
    struct mthread *mt = &t->mthread;
    int r;

    mt->entry = entry;
    mt->fpu = FPU_MEMORY;
    mt->cpu = balance_place(t);
    /* A further thread in an address space gets its stub from one that is there. */
    if (current && t->mm && t->mm == current->mm) {
        r = space_share(&current->mthread, t);
        if (r)
            return r;
    }
    r = host_thread_start(t);
    if (r)
        space_leave(mt);
    return r;
}

void machine_thread_start(struct task *t)
{
    __atomic_store_n(&t->mthread.started, 1, __ATOMIC_RELEASE);
    host_futex_wake(&t->mthread.started, 1);
}

void machine_thread_exit(void)
{
    __builtin_longjmp(current->mthread.unwind, 1);
}

/* ---- timers ---- */

static u64 timer_deadline = U64_MAX; /* atomic */
static u32 timer_seq;                /* futex: changes with each earlier deadline */

void timer_wake(void)
{
    __atomic_add_fetch(&timer_seq, 1, __ATOMIC_SEQ_CST);
    host_futex_wake(&timer_seq, 1);
}

void machine_timer_set(u64 deadline)
{
    u64 old = __atomic_load_n(&timer_deadline, __ATOMIC_SEQ_CST);

    /* Never later: an early look at the timers does no harm. */
    do
        if (deadline >= old)
            return;
    while (!__atomic_compare_exchange_n(&timer_deadline, &old, deadline, true, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST));
    timer_wake();
}

void timer_thread(void)
{
    for (;;) {
        u32 seq = __atomic_load_n(&timer_seq, __ATOMIC_SEQ_CST);
        u64 now = machine_clock_mono();
        u64 wake;

        if (now >= __atomic_load_n(&timer_deadline, __ATOMIC_SEQ_CST)) {
            __atomic_store_n(&timer_deadline, U64_MAX, __ATOMIC_SEQ_CST);
            machine_timer_set(ktimers_run(now));
            continue;
        }
        if (now >= balance_deadline())
            balance_tick();
        wake = MIN(__atomic_load_n(&timer_deadline, __ATOMIC_SEQ_CST), balance_deadline());
        host_futex_wait(&timer_seq, seq, wake);
    }
}
