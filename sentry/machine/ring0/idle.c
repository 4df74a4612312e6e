// SPDX-License-Identifier: Apache-2.0
/*
 * What a CPU does when it has no task: take one from another CPU, look after completions and timers
 * for a short while (a wake-up in that time costs no interrupt), then halt without an address
 * space.
 */
#include "sentry/machine/ring0/percpu.h"

#define POLL_NS 10000ULL

static struct task *find_work(struct percpu *c)
{
    struct task *t = sched_pick(c);

    return t ? t : sched_steal(c);
}

/* Something to run, or NULL after a while. */
static struct task *poll(struct percpu *c)
{
    u64 now = machine_clock_mono(), end = now + POLL_NS;
    struct task *t = NULL;

    ring_poll_begin();
    while (!t && now < end) {
        ring_poll();
        if (c->ktimer_deadline <= now)
            timer_interrupt(c);
        t = find_work(c);
        if (!t)
            cpu_relax();
        now = machine_clock_mono();
    }
    ring_poll_end();
    return t;
}

/* Sleep until an interrupt, unless there turns out to be something to run. */
static struct task *halt(struct percpu *c)
{
    struct task *t;

    tlb_load(c, NULL);
    timer_program(c);
    /* Full barrier: whoever gives us work after our look at the queues sees CPU_HALTED. */
    __atomic_exchange_n(&c->state, CPU_HALTED, __ATOMIC_SEQ_CST);
    t = find_work(c);
    if (!t && !c->tlb_wanted && !ring_busy())
        cpu_halt();
    return t;
}

void idle_loop(void)
{
    struct percpu *c = this_cpu();

    for (;;) {
        struct task *t;

        __atomic_store_n(&c->state, CPU_POLLING, __ATOMIC_SEQ_CST);
        t = poll(c);
        if (!t)
            t = halt(c);
        if (t) {
            __atomic_exchange_n(&c->state, CPU_BUSY, __ATOMIC_SEQ_CST);
            if (c->tlb_wanted) /* asked without an interrupt while we polled */
                tlb_serve();
            sched_switch(c, t);
        }
    }
}
