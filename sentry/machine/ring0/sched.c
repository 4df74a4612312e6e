// SPDX-License-Identifier: Apache-2.0
/*
 * Tasks over CPUs. Each CPU has a queue of runnable tasks ordered by weighted run time; an idle CPU
 * takes from the others. A task that becomes runnable goes to an idle CPU if there is one. Kernel
 * mode is never preempted; user mode only when somebody waits (there is no periodic tick).
 *
 * mthread.on_cpu says that a task's stack is in use. A task may already stand in a queue at that
 * time: it was woken while it was on its way to sleep. Nobody runs it before on_cpu is clear.
 */
#include "sentry/machine/ring0/percpu.h"

#define SLICE_NS      3000000ULL /* of a task that others wait for */
#define PREEMPT_NS    1000000ULL /* a woken task this far behind runs at once */
#define SLEEPER_NS    2000000ULL /* credit for having slept */
#define SPREAD_NS     100000000ULL
#define START_CPU_NS  500000ULL /* wait of a task that makes us start one more CPU */
#define WEIGHT_NICE_0 1024u

enum { PARK_NONE, PARK_TOKEN, PARK_PARKED };

/* Share of a nice level relative to level 0: 25 % per step. */
static u32 weight_of(const struct task *t)
{
    static u32 weights[40];

    if (unlikely(!weights[39])) {
        u64 up = WEIGHT_NICE_0 << 10, down = up;
        for (int i = 0; i <= 20; i++) {
            weights[20 - i] = (u32)(up >> 10);
            if (20 + i < 40)
                weights[20 + i] = (u32)(down >> 10);
            up = up * 5 / 4;
            down = down * 4 / 5;
        }
    }
    return weights[MIN(MAX(t->nice, -20), 19) + 20];
}

bool cpu_allowed(const struct task *t, u32 cpu)
{
    u64 mask = t->cpus_allowed & ~0ULL >> (64 - machine_ncpus);

    return !mask || (mask >> cpu & 1);
}

void sched_init_cpu(struct percpu *c)
{
    list_init(&c->rq.tasks);
    c->rq.min_vruntime = NSEC_PER_SEC; /* room below for sleepers */
    c->slice_end = c->ktimer_deadline = U64_MAX;
}

/* Book the time since the last call on the running task. user: it comes from user mode. */
static u64 account(struct percpu *c, bool user)
{
    struct task *t = c->task;
    u64 now = machine_clock_mono(), delta = now > c->runtime ? now - c->runtime : 0;

    c->runtime = now;
    task_account(t, now, user);
    t->mthread.vruntime += delta * WEIGHT_NICE_0 / weight_of(t);
    /* alone, it carries the queue's time with it; a lost race with queue_add() does no harm */
    if (t != c->idle && !c->rq.nr)
        c->rq.min_vruntime = MAX(c->rq.min_vruntime, t->mthread.vruntime);
    return now;
}

/* ---- queues ---- */

/* Queue lock held. Sorted from the end: who comes last usually belongs there. */
static void queue_insert(struct runq *q, struct task *t)
{
    struct list *at = q->tasks.prev;

    while (at != &q->tasks &&
           container_of(at, struct task, mthread.run_link)->mthread.vruntime > t->mthread.vruntime)
        at = at->prev;
    list_insert_(&t->mthread.run_link, at, at->next);
    __atomic_store_n(&q->nr, q->nr + 1, __ATOMIC_RELAXED);
}

static void queue_remove(struct runq *q, struct task *t)
{
    list_del(&t->mthread.run_link);
    __atomic_store_n(&q->nr, q->nr - 1, __ATOMIC_RELAXED);
    q->min_vruntime = MAX(q->min_vruntime, t->mthread.vruntime);
}

/* The virtual time that says on `to` what t's says on `from`, within bounds. */
static void rebase(struct task *t, const struct runq *from, const struct runq *to)
{
    s64 ahead = (s64)(t->mthread.vruntime - from->min_vruntime);

    ahead = MAX(ahead, -(s64)SLEEPER_NS);
    ahead = MIN(ahead, (s64)SPREAD_NS);
    t->mthread.vruntime = to->min_vruntime + (u64)ahead;
}

static void queue_add(struct percpu *c, struct task *t)
{
    spin_lock(&c->rq.lock);
    rebase(t, &percpus[t->mthread.cpu]->rq, &c->rq);
    t->mthread.queued_at = machine_clock_mono();
    queue_insert(&c->rq, t);
    spin_unlock(&c->rq.lock);
}

static bool cpu_online(u32 cpu)
{
    return __atomic_load_n(&percpus[cpu]->state, __ATOMIC_RELAXED) >= CPU_BUSY;
}

static bool cpu_idle(u32 cpu)
{
    return __atomic_load_n(&percpus[cpu]->state, __ATOMIC_RELAXED) >= CPU_POLLING;
}

/* An idle CPU on which t may run, one that polls first; NO_CPU when there is none. */
static u32 find_idle(const struct task *t)
{
    u32 halted = NO_CPU;

    for (u32 i = 0; i < machine_ncpus; i++) {
        if (!cpu_allowed(t, i) || !cpu_idle(i))
            continue;
        if (percpus[i]->state == CPU_POLLING)
            return i;
        halted = MIN(halted, i);
    }
    return halted;
}

static u32 choose_cpu(const struct task *t)
{
    u32 last = t->mthread.cpu, idle;

    if (cpu_allowed(t, last) && cpu_online(last) &&
        (cpu_idle(last) || __atomic_load_n(&t->mthread.on_cpu, __ATOMIC_ACQUIRE)))
        return last;
    idle = find_idle(t);
    if (idle != NO_CPU)
        return idle;
    if (cpu_allowed(t, cpu_id()))
        return cpu_id();
    for (u32 i = 0; i < machine_ncpus; i++)
        if (cpu_allowed(t, i) && (cpu_online(i) || cpu_start(i)))
            return i;
    return cpu_id(); /* nowhere: the mask names no CPU that could be started */
}

/* c's queue has grown: make sure that it looks. */
static void notify(struct percpu *c)
{
    u32 halted = CPU_HALTED;

    if (c == this_cpu()) {
        cpu_work_add(c, CPU_SCHED);
        return;
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_compare_exchange_n(&c->state, &halted, CPU_POLLING, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST)) {
        apic_send(c->cpu, VECTOR_RESCHED);
    } else if (halted == CPU_BUSY) {
        cpu_work_add(c, CPU_SCHED);
        apic_send(c->cpu, VECTOR_RESCHED);
    }
}

void sched_enqueue(struct task *t)
{
    u32 cpu = choose_cpu(t), idle;

    queue_add(percpus[cpu], t);
    notify(percpus[cpu]);
    /* One that went idle just now may have looked at the queues before. */
    if (percpus[cpu]->state == CPU_BUSY && !t->mthread.on_cpu) {
        idle = find_idle(t);
        if (idle != NO_CPU)
            notify(percpus[idle]);
    }
}

/* Wait until the CPU that ran t before has left its stack. */
static void wait_off_cpu(struct percpu *c, struct task *t)
{
    while (t != c->task && __atomic_load_n(&t->mthread.on_cpu, __ATOMIC_ACQUIRE))
        cpu_relax();
}

struct task *sched_pick(struct percpu *c)
{
    struct runq *q = &c->rq;
    struct task *t;
    u32 dest;

    while (__atomic_load_n(&q->nr, __ATOMIC_RELAXED)) {
        spin_lock(&q->lock);
        t = list_empty(&q->tasks) ? NULL : list_first(&q->tasks, struct task, mthread.run_link);
        if (t)
            queue_remove(q, t);
        spin_unlock(&q->lock);
        if (!t)
            break;
        dest = cpu_allowed(t, c->cpu) ? c->cpu : choose_cpu(t);
        if (dest == c->cpu) {
            wait_off_cpu(c, t);
            return t;
        }
        queue_add(percpus[dest], t);
        notify(percpus[dest]);
    }
    return NULL;
}

static struct task *steal_from(struct percpu *victim, struct percpu *c)
{
    struct task *t, *found = NULL;

    if (!__atomic_load_n(&victim->rq.nr, __ATOMIC_RELAXED))
        return NULL;
    spin_lock(&victim->rq.lock);
    list_for_each (t, &victim->rq.tasks, mthread.run_link) {
        if (cpu_allowed(t, c->cpu) && !__atomic_load_n(&t->mthread.on_cpu, __ATOMIC_ACQUIRE)) {
            found = t;
            break;
        }
    }
    if (found) {
        queue_remove(&victim->rq, found);
        rebase(found, &victim->rq, &c->rq);
    }
    spin_unlock(&victim->rq.lock);
    return found;
}

struct task *sched_steal(struct percpu *c)
{
    for (u32 i = 1; i < machine_ncpus; i++) {
        u32 cpu = (c->cpu + i) % machine_ncpus;
        struct task *t = cpu_online(cpu) ? steal_from(percpus[cpu], c) : NULL;

        if (t)
            return t;
    }
    return NULL;
}

/* ---- switching ---- */

/* First thing on the new stack: the old one is not in use any more. */
static void finish_switch(void)
{
    struct percpu *c = this_cpu();
    struct task *prev = c->prev;

    c->run_start = c->runtime = c->task->acct_stamp = machine_clock_mono();
    c->slice_end = U64_MAX;
    if (c->rq.nr)
        cpu_work_add(c, CPU_SCHED);
    c->prev = NULL;
    if (unlikely(c->prev_dead)) {
        c->prev_dead = false;
        stack_free(prev->mthread.stack);
        task_put(prev);
    } else {
        __atomic_store_n(&prev->mthread.on_cpu, 0, __ATOMIC_RELEASE);
    }
}

void sched_finish(struct task *t)
{
    finish_switch();
    t->mthread.entry(t);
    machine_panic("a thread returned from its entry function");
}

/* The CPU goes from its current task to next; returns when somebody switches back. */
void sched_switch(struct percpu *c, struct task *next)
{
    struct task *prev = c->task;

    if (prev == next)
        return;
    account(c, false);
    user_save(c);
    next->mthread.cpu = c->cpu;
    /* with a full barrier: machine_kick() reads it after it has set work */
    __atomic_exchange_n(&next->mthread.on_cpu, 1, __ATOMIC_SEQ_CST);
    c->prev = prev;
    c->task = next;
    c->regs_top = (u64)&next->regs.ss;
    if (next->mm && next->mm != c->mm)
        tlb_load(c, next->mm);
    switch_stacks(&prev->mthread.ksp, next->mthread.ksp);
    finish_switch();
}

/* Somebody else's turn; current stands in a queue, is parked, or dead. */
static void schedule(void)
{
    struct percpu *c = this_cpu();
    struct task *next = sched_pick(c);

    if (!next)
        next = c->idle;
    sched_switch(c, next);
}

void sched_preempt(void)
{
    struct percpu *c = this_cpu();
    struct task *t = c->task;

    account(c, true);
    t->nivcsw++;
    if (cpu_allowed(t, c->cpu))
        queue_add(c, t);
    else
        sched_enqueue(t);
    schedule();
}

/* vruntime and waiting time of the first in the queue; false when it is empty. */
static bool queue_first(struct runq *q, u64 *vruntime, u64 *queued_at)
{
    bool any;

    spin_lock(&q->lock);
    any = !list_empty(&q->tasks);
    if (any) {
        struct task *t = list_first(&q->tasks, struct task, mthread.run_link);
        *vruntime = t->mthread.vruntime;
        *queued_at = t->mthread.queued_at;
    }
    spin_unlock(&q->lock);
    return any;
}

/* One more CPU, when a task has waited for this one for long; else when to look again. */
static u64 start_another_cpu(u64 waiting_since, u64 now)
{
    for (u32 i = 0; i < machine_ncpus; i++) {
        if (percpus[i]->state == CPU_STARTING)
            return U64_MAX;
        if (percpus[i]->state != CPU_OFFLINE)
            continue;
        if (now - waiting_since < START_CPU_NS)
            return waiting_since + START_CPU_NS;
        cpu_start(i);
        return U64_MAX;
    }
    return U64_MAX;
}

void sched_user_check(struct percpu *c)
{
    struct task *t = c->task;
    u64 now, vruntime, queued_at, end;

    __atomic_fetch_and(&c->work, ~CPU_SCHED, __ATOMIC_RELAXED);
    if (unlikely(!cpu_allowed(t, c->cpu))) {
        sched_preempt();
        return;
    }
    if (!queue_first(&c->rq, &vruntime, &queued_at)) {
        c->slice_end = U64_MAX;
        return;
    }
    now = account(c, true);
    end = c->run_start + SLICE_NS;
    if (now >= end || vruntime + PREEMPT_NS < t->mthread.vruntime) {
        sched_preempt();
        return;
    }
    c->slice_end = MIN(end, start_another_cpu(queued_at, now));
    cpu_work_add(c, CPU_TIMER);
}

/* ---- threads, for the rest of the Sentry ---- */

int machine_thread_create(struct task *t, void (*entry)(struct task *t))
{
    struct mthread *m = &t->mthread;
    u64 *sp;

    *m = (struct mthread){.entry = entry, .cpu = cpu_id(), .fpu_cpu = NO_CPU};
    m->vruntime = current->mthread.vruntime;
    m->stack = stack_alloc();
    if (!m->stack)
        return -ENOMEM;
    list_init(&m->run_link);
    /* What switch_stacks() pops: R15 R14 R13 R12 RBX RBP, return address. */
    sp = (u64 *)(m->stack + KERNEL_STACK_SIZE - 16);
    *--sp = (u64)thread_start;
    *--sp = 0;
    *--sp = (u64)t;
    for (int i = 0; i < 4; i++)
        *--sp = 0;
    m->ksp = (u64)sp;
    return 0;
}

void machine_thread_start(struct task *t)
{
    sched_enqueue(t);
}

void machine_thread_exit(void)
{
    struct percpu *c = this_cpu();

    user_forget(c->task);
    c->prev_dead = true;
    schedule();
    machine_panic("a dead thread was scheduled");
}

/* Timer of a park with a deadline, on the sleeper's stack. */
struct park_timer {
    struct ktimer timer;
    struct task *task;
};

static void park_timeout(struct ktimer *t)
{
    machine_unpark(container_of(t, struct park_timer, timer)->task);
}

static void park(struct mthread *m)
{
    u32 none = PARK_NONE;

    if (__atomic_compare_exchange_n(&m->token, &none, PARK_PARKED, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
        current->nvcsw++;
        schedule();
    } else {
        __atomic_store_n(&m->token, PARK_NONE, __ATOMIC_RELAXED);
    }
}

int machine_park(u64 deadline)
{
    struct mthread *m = &current->mthread;
    struct park_timer pt;

    BUG_ON(current == this_cpu()->idle);
    if (__atomic_load_n(&m->token, __ATOMIC_ACQUIRE) == PARK_TOKEN || deadline == U64_MAX) {
        park(m);
        return 0;
    }
    if (machine_clock_mono() >= deadline)
        return -ETIMEDOUT;
    pt.task = current;
    ktimer_init(&pt.timer, park_timeout);
    ktimer_start(&pt.timer, deadline);
    park(m);
    ktimer_cancel(&pt.timer);
    return machine_clock_mono() >= deadline ? -ETIMEDOUT : 0;
}

void machine_unpark(struct task *t)
{
    if (__atomic_exchange_n(&t->mthread.token, PARK_TOKEN, __ATOMIC_ACQ_REL) == PARK_PARKED) {
        __atomic_store_n(&t->mthread.token, PARK_NONE, __ATOMIC_RELAXED);
        sched_enqueue(t);
    }
}

void machine_yield(void)
{
    struct percpu *c = this_cpu();
    struct task *t = c->task;

    if (!c->rq.nr)
        return;
    account(c, false);
    spin_lock(&c->rq.lock);
    if (!list_empty(&c->rq.tasks)) {
        u64 last = list_last(&c->rq.tasks, struct task, mthread.run_link)->mthread.vruntime;
        t->mthread.vruntime = MAX(t->mthread.vruntime, last);
    }
    t->mthread.queued_at = machine_clock_mono();
    queue_insert(&c->rq, t);
    spin_unlock(&c->rq.lock);
    t->nvcsw++;
    schedule();
}

void machine_affinity_changed(struct task *t)
{
    u32 cpu = t->mthread.cpu;

    if (t == current) {
        cpu_work_add(this_cpu(), CPU_SCHED);
    } else if (__atomic_load_n(&t->mthread.on_cpu, __ATOMIC_ACQUIRE)) {
        cpu_work_add(percpus[cpu], CPU_SCHED);
        apic_send(cpu, VECTOR_RESCHED);
    }
}
