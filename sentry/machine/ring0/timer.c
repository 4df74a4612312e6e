// SPDX-License-Identifier: Apache-2.0
/*
 * The clock (TSC, with the rate from the device tree and its origin from the host) and the timer of
 * each CPU: the earlier of the Sentry's next timer, when this CPU was the one to hear of it, and
 * the end of the running task's time slice. Writing the hardware costs an exit, so it
 * happens on the way to user mode or to HLT, and only to make it fire earlier.
 */
#include "sentry/kernel/kernel.h"
#include "sentry/machine/ring0/percpu.h"

u64 machine_tsc_khz;

struct machine_clock machine_clock;

u64 machine_clock_mono(void)
{
    u64 delta = rdtsc() - machine_clock.tsc_base;

    return machine_clock.ns_base + (u64)((unsigned __int128)delta * machine_clock.mult >> 32);
}

/* TSC value at which the clock shows ns. */
u64 ns_to_tsc(u64 ns)
{
    u64 delta = ns > machine_clock.ns_base ? ns - machine_clock.ns_base : 0;

    /* 584 years of the clock do not fit; a century does */
    if (delta > 100ULL * 365 * 86400 * NSEC_PER_SEC)
        return U64_MAX;
    /* by parts: there is no 128-bit division in the image. Round up, never early. */
    return machine_clock.tsc_base + delta / 1000000 * machine_tsc_khz +
           (delta % 1000000 * machine_tsc_khz + 999999) / 1000000 + 1;
}

void clock_init(void)
{
    struct hostcall r = {.nr = HC_CLOCK};
    u64 before, after;

    machine_tsc_khz = boot.tsc_khz;
    if (!machine_tsc_khz)
        machine_panic("the device tree names no TSC frequency");
    before = rdtsc();
    host_call(&r);
    after = rdtsc();
    machine_clock.tsc_base = before + (after - before) / 2;
    machine_clock.ns_base = r.out[0];
    machine_clock.mult = (1000000ULL << 32) / machine_tsc_khz;
    machine_tsc_aux = cpu_features & BIOS_RDTSCP;
}

void machine_timer_set(u64 deadline)
{
    struct percpu *c = this_cpu();

    c->ktimer_deadline = deadline;
    if (deadline < c->hw_deadline)
        cpu_work_add(c, CPU_TIMER);
}

void timer_program(struct percpu *c)
{
    u64 deadline = MIN(c->ktimer_deadline, c->slice_end);

    __atomic_fetch_and(&c->work, ~CPU_TIMER, __ATOMIC_RELAXED);
    if (deadline >= c->hw_deadline)
        return;
    c->hw_deadline = deadline;
    apic_timer_program(ns_to_tsc(deadline));
}

void timer_interrupt(struct percpu *c)
{
    u64 now = machine_clock_mono();

    c->hw_deadline = U64_MAX;
    if (c->ktimer_deadline <= now) {
        c->ktimer_deadline = U64_MAX;
        ktimers_run(now); /* sets the next deadline itself */
    }
    if (c->slice_end <= now)
        cpu_work_add(c, CPU_SCHED);
    cpu_work_add(c, CPU_TIMER);
}
